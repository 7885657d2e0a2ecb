# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports in a folder: each file whole or not at all, and none replaced but by a name that was asked for."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

TEMPORARY = ".dcops-apc-report-"
_LEFTOVER_AGE_S = 3600
# File systems without hard links say one of these (FAT, some network ones).
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


class StoreError(Exception):
    """A file or folder cannot be used; the message is a sentence."""


class NameTaken(Exception):
    """Another run has a file of this name. Nothing was written."""


def folder_problem(folder: Path) -> str:
    """Why nothing could be written there; empty if it could. Writes nothing. A linked folder is followed."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        if nearest.is_symlink():
            return f"{nearest} is a symbolic link to nothing"
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} cannot be written"
    return ""


def target_problem(folder: Path, names: Iterable[str], sources: Iterable[Path] = ()) -> str:
    """Why files of these names could not be replaced there: asked before the first of them is."""
    kept = [os.stat(source) for source in sources if source.exists()]
    for name in names:
        try:
            found = os.lstat(folder / name)
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode):
            return f"{name} is a symbolic link there, which is never replaced nor followed"
        if not stat.S_ISREG(found.st_mode):
            return f"{name} is there and is not a file"
        if any(os.path.samestat(found, source) for source in kept):
            return f"{name} is one of the reports to merge, and would be overwritten"
    return ""


def write_folder(folder: Path, files: Mapping[str, bytes], replace: bool) -> dict[str, str]:
    """Each file is there as a whole or not at all, whatever ends the run. Returns name -> path.

    Without ``replace`` raises NameTaken where one of the names is in use, also by a run of the same moment.
    """
    temporary: dict[str, Path] = {}
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(folder)
        problem = target_problem(folder, files) if replace else ""
        if problem:
            raise StoreError(f"The report cannot be written to {folder}: {problem}.")
        try:
            for name, content in files.items():
                temporary[name] = folder / f"{TEMPORARY}{secrets.token_hex(8)}.tmp"
                _write(temporary[name], content)
            for name in files:
                if replace:
                    os.replace(temporary[name], folder / name)
                else:
                    _publish(temporary[name], folder / name)
                    made.append(folder / name)
            _sync_folder(folder)
        except OSError:
            # These were nobody's before; half a report would look like one.
            _remove(made)
            raise
        finally:
            _remove(temporary.values())
    except FileExistsError as exc:
        if replace:
            raise StoreError(f"The report cannot be written to {folder}: {exc.strerror}.") from exc
        raise NameTaken from exc
    except OSError as exc:
        raise StoreError(f"The report cannot be written to {folder}: {exc.strerror or exc}.") from exc
    return {name: str(folder / name) for name in files}


def _publish(temporary: Path, target: Path) -> None:
    """A link is made or it is not, and never replaces anything."""
    try:
        os.link(temporary, target)
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        # The name is taken by an empty file first; only a kill right here leaves that.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.replace(temporary, target)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _sweep(folder: Path) -> None:
    """What killed runs left behind. Never one that may still be at work, and nothing of anybody else."""
    oldest = time.time() - _LEFTOVER_AGE_S
    for path in folder.glob(f"{TEMPORARY}*.tmp"):
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) and found.st_mtime < oldest:
                path.unlink()


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """The names must be on the disk too."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_file(location: str, max_bytes: int) -> bytes:
    path = Path(location).expanduser()
    try:
        if not path.exists():
            raise StoreError(f"The report {path} cannot be read: there is no such file.")
        # A pipe or a terminal would wait for ever, /dev/zero never end.
        if not path.is_file():
            raise StoreError(f"The report {path} cannot be read: it is not a regular file.")
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except (OSError, ValueError) as exc:
        raise StoreError(f"The report {path} cannot be read: {getattr(exc, 'strerror', None) or exc}.") from exc
    if len(content) > max_bytes:
        raise StoreError(f"The report {path} is larger than {max_bytes:,} bytes.")
    return content


__all__ = ["NameTaken", "StoreError", "folder_problem", "read_file", "target_problem", "write_folder"]
