# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the collection from what git would commit, installs it from the archive, and looks at both.

``build_and_install.py DEST`` keeps the archive in DEST.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from ansible_test import copy_checkout

# Names that must not travel with the collection.
UNWANTED = (".venv", ".git", ".nox", ".cache", ".hypothesis", ".mypy_cache", "__pycache__", "tests/output")
WANTED = ("README.md", "LICENSE", "CHANGELOG.rst", "meta/runtime.yml", "meta/ee-requirements.txt")


def galaxy(*arguments: str) -> None:
    script = Path(sys.executable).parent / "ansible-galaxy"
    subprocess.run([sys.executable, str(script), "collection", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dcops-apc-") as temporary:
        work = Path(temporary)
        tree = work / "dcops" / "apc"
        copy_checkout(tree)
        destination = Path(sys.argv[1]) if len(sys.argv) > 1 else work / "out"
        galaxy("build", str(tree), "--output-path", str(destination), "--force")
        archive = max(destination.glob("dcops-apc-*.tar.gz"), key=lambda path: path.stat().st_mtime)
        with tarfile.open(archive) as opened:
            names = opened.getnames()
        problems = [
            f"{name} is in the archive" for name in names if any(f"/{part}/" in f"/{name}/" for part in UNWANTED)
        ]
        problems += [f"{name} is not in the archive" for name in WANTED if name not in names]
        target = work / "installed"
        galaxy("install", str(archive), "--offline", "--no-deps", "--force", "--collections-path", str(target))
        manifest = target / "ansible_collections" / "dcops" / "apc" / "MANIFEST.json"
        version = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        size = f"{len(names)} entries, {archive.stat().st_size // 1024} KiB"
        print(f"{archive if len(sys.argv) > 1 else archive.name}: {size}; installs as dcops.apc {version}")
        for problem in problems:
            print(problem)
        return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
