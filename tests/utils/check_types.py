# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mypy --strict over the collection's plugins but the modules, under the names by which Ansible imports them; and over
the simulator, which is a package of its own, for the Python that it asks for.

mypy leaves installed packages without py.typed unchecked, and the checkout is linked among those; it is therefore shown
a second time, in a folder of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
NAME = "ansible_collections.dcops.apc"
SIMULATOR, SIMULATOR_PYTHON = REPO / "tests" / "simulator", "3.11"
CHECKED = ("plugins/module_utils", "plugins/plugin_utils", "plugins/action", "plugins/lookup", "plugins/inventory")


def main() -> int:
    tree = REPO / ".venv" / "types"
    link = tree / "ansible_collections" / "dcops" / "apc"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(REPO)
    packages: list[str] = []
    for folder in CHECKED:
        if any((REPO / folder).rglob("*.py")):
            packages += ["-p", f"{NAME}.{folder.replace('/', '.')}"]
    found = checked(tree, *packages)
    return checked(SIMULATOR, "--python-version", SIMULATOR_PYTHON, "-p", "apcsim") or found


def checked(path: Path, *what: str) -> int:
    command = [sys.executable, "-m", "mypy", "--config-file", str(REPO / "pyproject.toml"), *what]
    return subprocess.run(command, cwd=REPO, env={**os.environ, "MYPYPATH": str(path)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
