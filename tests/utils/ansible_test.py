# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-test of this interpreter's environment on a copy of the checkout: ``ansible_test.py sanity --local``.

A copy, because ansible-test refuses a symlinked collection and wants ``.../ansible_collections/dcops/apc`` above it.
A home folder of its own, because ansible-test drops every PIP_* variable (its pip would then miss a configured
index), and because the stand-in for get-pip must not get into the user's own ansible-test cache.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
# The pip that each ansible-core wants: 2.16; 2.18 and 2.19; 2.20 and 2.21.
GET_PIP_VERSIONS = ("23.1.2", "24.2", "25.2")
GET_PIP_URL = "https://ci-files.testing.ansible.com/ansible-test/get-pip-{version}.py"
# ansible-test units takes all of tests/unit, in an environment that has no simulated device; the stage "simulator" of
# make test runs these.
NEED_DEVICE = ("tests/unit/simulator/", "tests/unit/worlds/", "tests/unit/plugins/module_utils/_runs/test_ups_runs.py")
WITHOUT = {"units": NEED_DEVICE}
DROPPED = ("ANSIBLE_", "APC_", "PIP_", "PYTHONPATH")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def copy_checkout(target: Path, without: tuple[str, ...] = ()) -> None:
    """What git would commit: tracked and new files, without the ignored ones."""
    # The clone may belong to another user (CI runners), which git refuses by default.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPO, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source = REPO / name
        exists = source.is_symlink() or source.is_file()  # else: deleted, not yet committed
        if exists and not name.startswith(without):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


def write_pip_config(home: Path) -> None:
    """The pip configuration in force here, wherever it comes from, as a file that ansible-test's pip reads."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    settings: dict[str, dict[str, str]] = {}
    for line in sorted(listed.splitlines(), key=lambda text: text.startswith(":env:")):  # the environment wins
        key, separator, value = line.partition("=")
        section, dot, option = key.rpartition(".")
        if separator and dot and option != "config-file":
            section = "global" if section == ":env:" else section
            settings.setdefault(section, {})[option] = str(ast.literal_eval(value))
    lines: list[str] = []
    for section, options in settings.items():
        lines.append(f"[{section}]")
        # A list of values is one line each; a continuation line must be indented.
        lines += [f"{option} = " + "\n    ".join(value.split("\n")) for option, value in options.items()]
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config.chmod(0o600)  # an index URL may hold a password


def provide_get_pip(home: Path) -> None:
    """Where the download host does not answer, airgap_pip.py takes the place of each get-pip that is not there yet."""
    cache = home / ".ansible" / "test" / "cache"
    missing = [version for version in GET_PIP_VERSIONS if not (cache / cache_name(version)).exists()]
    if not missing:
        return
    try:
        with urllib.request.urlopen(GET_PIP_URL.format(version=missing[0]), timeout=10):
            return  # ansible-test fetches it itself
    except (OSError, urllib.error.URLError):
        cache.mkdir(parents=True, exist_ok=True)
        for version in missing:
            shutil.copyfile(REPO / "tests" / "utils" / "airgap_pip.py", cache / cache_name(version))


def cache_name(version: str) -> str:
    return f"get_pip_{version.replace('.', '_')}.py"


@contextlib.contextmanager
def own_home() -> Iterator[Path]:
    """Kept between runs (a cold start costs a minute), short (a shebang line is limited), one user at a time."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = base / "dcops-apc" / "ansible-test"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another ansible-test run that uses {home}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        write_pip_config(home)
        provide_get_pip(home)
        yield home


def keep_junit(work: Path, name: str) -> None:
    target = REPO / "tests" / "output" / "junit" / name
    shutil.rmtree(target, ignore_errors=True)
    if (work / "tests" / "output" / "junit").is_dir():
        shutil.copytree(work / "tests" / "output" / "junit", target)


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments:
        print(__doc__)
        return 2
    name = os.environ.get("ANSIBLE_TEST_NAME", f"ansible-test-{arguments[0]}")
    binaries = Path(sys.executable).parent
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that the copy is removed
    with own_home() as home, tempfile.TemporaryDirectory(prefix="dcops-apc-") as temporary:
        work = Path(temporary).resolve() / "ansible_collections" / "dcops" / "apc"
        copy_checkout(work, WITHOUT.get(arguments[0], ()))
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(DROPPED)},
            "HOME": str(home),
            # Before any pyenv shim: ansible-test looks for pythonX.Y by name.
            "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        }
        command = [sys.executable, str(binaries / "ansible-test"), *arguments, "--python", PYTHON, "--color", "no"]
        status = subprocess.run(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
        keep_junit(work, name)
    return status


if __name__ == "__main__":
    sys.exit(main())
