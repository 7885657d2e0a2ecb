# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for get-pip.py where ansible-test cannot download it.

ansible-test runs its cached get-pip inside a fresh virtual environment and passes the versions it wants, such as
``pip==24.2``. Python's own ensurepip brings a first pip; that one fetches them from the configured index.
"""

from __future__ import annotations

import subprocess
import sys

WANTED = ("pip==", "setuptools==", "wheel==")


def main() -> None:
    # A process of its own: ensurepip sets PIP_CONFIG_FILE=/dev/null in the one it runs in, which would hide the index.
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    pinned = [arg for arg in sys.argv[1:] if arg.startswith(WANTED)]
    if pinned:
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--upgrade"]
        subprocess.run([*command, *pinned], check=True)


if __name__ == "__main__":
    main()
