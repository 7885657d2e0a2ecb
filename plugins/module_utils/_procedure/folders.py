# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the folders in the state folder are: who may write there may say that a plug is out, or unsay what was sent."""

from __future__ import annotations

import os
import stat
import uuid
from contextlib import suppress
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def owner_of_ours(folder: Path) -> int:
    """To whom a file belongs that we make here: a file system may say another than we are. Raises OSError."""
    # A name of its own: in two containers two runs may have the same pid.
    probe = folder / f".probe-{uuid.uuid4().hex}"
    handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(handle).st_uid
    finally:
        os.close(handle)
        os.unlink(probe)


def close_to_group(folder: Path, owner: int) -> None:
    """In a container: Kubernetes gives a volume's whole content to a group anew with each pod (fsGroup).

    Nowhere else: who opened it to a group on a host meant something by it, and is told.
    """
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if found.st_uid == owner and found.st_mode & _OTHERS_WRITE == stat.S_IWGRP:
                os.fchmod(handle, 0o700)
        finally:
            os.close(handle)


def open_to_others(folder: Path, owner: int | None, closes_group: bool = False) -> str:
    """What is wrong, and what to do; empty: the folder is ours alone. ``owner`` None: a look that writes nothing.

    ``closes_group``: the run itself will close it to the group.
    """
    try:
        found = os.lstat(folder)
    except OSError:
        # Not there yet, or not to be reached: then it cannot be written either.
        return ""
    if stat.S_ISLNK(found.st_mode):
        return f"{folder} is a symbolic link, which is not followed: name the folder that is meant by state_dir"
    if owner is not None and found.st_uid != owner:
        return (
            f"{folder} belongs to uid {found.st_uid}, and what this run writes to uid {owner}: all runs with one "
            f"state_dir go under one account. Take that one, or another state_dir, or: chown -R {owner} {folder}"
        )
    others = found.st_mode & _OTHERS_WRITE
    if not others or (closes_group and others == stat.S_IWGRP):
        return ""
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    return (
        f"{folder} can be written by others (mode {mode}): no run may rest on what lies there. Look at it, then: "
        f"chmod 700 {folder}"
    )
