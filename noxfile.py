# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test on every supported ansible-core, without containers: ``nox`` runs all, ``nox -s sanity-2.16`` one."""

from __future__ import annotations

import glob
import os
import subprocess

import nox

# ansible-core -> (what pip installs, the Pythons it may run on, best first)
CORES = {
    "2.16": ("ansible-core~=2.16.0", ("3.11", "3.12")),
    "2.18": ("ansible-core~=2.18.0", ("3.11", "3.12", "3.13")),
    "2.19": ("ansible-core~=2.19.0", ("3.11", "3.12", "3.13")),
    "2.20": ("ansible-core~=2.20.0", ("3.12", "3.13", "3.14")),
    "2.21": ("ansible-core~=2.21.0", ("3.12", "3.13", "3.14")),
}
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
# One core's Python missing must not hide the result of the others.
nox.options.stop_on_first_error = False


def find_python(versions: tuple[str, ...]) -> str | None:
    """A Python that really runs: pyenv's shims stand on PATH and answer "command not found"."""
    for version in versions:
        unpacked = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}"))
        for candidate in (f"python{version}", *unpacked):
            command = [candidate, "-c", "import ensurepip, sys; print(sys.executable)"]
            try:
                found = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
                )
            except (OSError, subprocess.CalledProcessError):
                continue
            return found.stdout.strip()
    return None


def add_session(kind: str, arguments: tuple[str, ...], core: str) -> None:
    requirement, versions = CORES[core]
    python = find_python(versions)

    def session(session: nox.Session) -> None:
        if python is None:
            session.skip(f"ansible-core {core} needs Python {' or '.join(versions)}, and none was found")
        session.install(requirement)
        session.run("ansible-test", "--version")
        environment = {"ANSIBLE_TEST_NAME": f"{kind}-{core}"}
        session.run("python", "tests/utils/ansible_test.py", *arguments, *session.posargs, env=environment)

    session.__doc__ = f"ansible-test {kind} on ansible-core {core}"
    # Without a Python of its own the session runs (and skips) on nox's.
    nox.session(session, name=f"{kind}-{core}", python=python, venv_backend="venv" if python else "none")


for core_version in CORES:
    add_session("sanity", ("sanity", "--local"), core_version)
    add_session("units", ("units", "--venv"), core_version)
