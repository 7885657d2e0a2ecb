# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that stalls, fills, fails to sync, or tears a record: over os.open, os.write and os.fsync, in one folder.

What goes by other ways (a buffered file, a rename) is not touched. A stall lets the virtual clock run.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = ("open", "write", "fsync")


class Disk:
    """A context manager; the faults may be set before or inside it."""

    def __init__(self, folder: Path, now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.folder = os.path.realpath(folder)
        self._now, self._sleep = now, sleep
        self._stalls: list[list[Any]] = []  # [call, seconds, from_s, times left]
        self._errors: list[tuple[frozenset[str], int, float, float]] = []
        self._tear: list[float] = []
        self._real: dict[str, Any] = {}
        self.counts = dict.fromkeys(CALLS, 0)
        self.failed: list[tuple[float, str]] = []

    # -- what it does --

    def stall(self, seconds: float, call: str = "fsync", from_s: float = 0.0, times: int = 1) -> None:
        """The next so many calls take so long."""
        if call not in CALLS:
            raise ValueError(f"call is one of {', '.join(CALLS)}")
        self._stalls.append([call, seconds, from_s, times])

    def full(self, from_s: float = 0.0, for_s: float = float("inf")) -> None:
        """No new file, no byte more."""
        self._errors.append((frozenset(("open", "write")), errno.ENOSPC, from_s, from_s + for_s))

    def fails_to_sync(self, from_s: float = 0.0, for_s: float = float("inf")) -> None:
        """What was written may be there or not; nobody can know."""
        self._errors.append((frozenset(("fsync",)), errno.EIO, from_s, from_s + for_s))

    def tears(self, from_s: float = 0.0) -> None:
        """The next record is written to its half, then the disk is full for this one call."""
        self._tear.append(from_s)

    def heals(self) -> None:
        self._stalls.clear()
        self._errors.clear()
        self._tear.clear()

    # -- the patch --

    def __enter__(self) -> Disk:
        self._real = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            setattr(os, name, getattr(self, f"_{name}"))
        return self

    def __exit__(self, *_exc: object) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)

    def _ours(self, path: Any) -> bool:
        try:
            return self._inside(os.path.realpath(os.fsdecode(path)))
        except (TypeError, ValueError):
            return False

    def _ours_open(self, handle: int) -> bool:
        try:
            # What the kernel says has no links in it any more.
            return self._inside(os.readlink(f"/proc/self/fd/{handle}"))
        except OSError:
            return False

    def _inside(self, place: str) -> bool:
        return place == self.folder or place.startswith(self.folder + os.sep)

    def _open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if flags & os.O_CREAT and self._ours(path):
            self._meet("open")
        handle: int = self._real["open"](path, flags, mode, **more)
        return handle

    def _write(self, handle: int, data: bytes) -> int:
        if self._ours_open(handle):
            self._meet("write")
            now = self._now()
            due = [from_s for from_s in self._tear if from_s <= now]
            if due and len(data) > 1:
                self._tear.remove(due[0])
                self._real["write"](handle, bytes(data)[: len(data) // 2])
                self._fail("write", errno.ENOSPC)
        written: int = self._real["write"](handle, data)
        return written

    def _fsync(self, handle: int) -> None:
        if self._ours_open(handle):
            self._meet("fsync")
        self._real["fsync"](handle)

    def _meet(self, call: str) -> None:
        self.counts[call] += 1
        for stall in self._stalls:
            if stall[0] == call and stall[2] <= self._now() and stall[3] > 0:
                stall[3] -= 1
                self._sleep(stall[1])
        for calls, number, from_s, to_s in self._errors:
            if call in calls and from_s <= self._now() < to_s:
                self._fail(call, number)

    def _fail(self, call: str, number: int) -> None:
        self.failed.append((self._now(), call))
        raise OSError(number, os.strerror(number))
