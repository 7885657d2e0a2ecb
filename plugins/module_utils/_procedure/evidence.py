# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence: what a run saw and did, one JSON line per record, flushed at once (SAFETY 7)."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.dcops.apc.plugins.module_utils._files.opened import read_up_to
from ansible_collections.dcops.apc.plugins.module_utils._procedure.chain import (
    chain,
    counter_of,
    digest_of,
    is_fresh,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.records import record_in, writable
from ansible_collections.dcops.apc.plugins.module_utils._report.version import VERSION

__all__ = [
    "Evidence",
    "NoEvidence",
    "chain",
    "history",
    "is_fresh",
    "keys_in",
    "related_keys",
    "who",
]

SCHEMA = 2
# Of one run. A long one writes some hundred kilobytes.
MAX_FILE = 64 << 20
_NOT_READ = "the rest of the file was not read"
_STRANGE = re.compile(r"[^\x21-\x7e]+")


# Too many, or too long, for a result; they are in the file.
UNTOLD = frozenset({"sample", "run", "readings", "log", "watching"})


class Evidence:
    """Append-only. The file is named by time, run and the unit's keys, so that a later run finds it by any of them.

    Made under the unit's locks: its records are numbered on from the newest one that any of the keys finds.
    """

    def __init__(
        self,
        folder: Path,
        run: str,
        keys: Iterable[str],
        header: Mapping[str, Any],
        wall: datetime,
        hide: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self.run = run
        # A device may show what it was sent, and people attach these files to tickets.
        self._hide = hide
        self.keys = sorted(set(keys))
        self._number, self._digest = _newest(folder, self.keys)
        name = f"{wall:%Y%m%dT%H%M%SZ}_{'_'.join(self.keys)}_{run}.jsonl"
        self.path = folder / name
        self.summary: list[dict[str, Any]] = []
        self._torn, self._left = False, b""
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Stop("state", f"the evidence {self.path} cannot be written: {exc.strerror}; nothing is sent") from exc
        self._handle = handle
        _sync_folder(folder)
        begun = {"schema": SCHEMA, "keys": self.keys, "prev": self._digest, "pid": os.getpid(), "who": who()}
        begun |= {"controller": socket.gethostname(), "collection": VERSION}
        self.write("run", wall, **begun, **header)

    def write(self, kind: str, wall: datetime, **fields: Any) -> None:
        """Raises Stop("state") if the record did not reach the disk."""
        record: dict[str, Any] = {"t": wall.astimezone(timezone.utc).isoformat(timespec="milliseconds"), "kind": kind}
        record |= self._hide(fields) | {"n": self._number + 1}
        # The digest is over what a reader will find, not over what the fields were in memory.
        plain = writable(record)
        digest = digest_of(self._digest, self.run, plain)
        try:
            try:
                self._append((json.dumps(plain | {"digest": digest}) + "\n").encode())
            finally:
                if len(self._left) <= 1:
                    # Whole but for the end of the line: whoever reads it will find it.
                    self._number, self._digest = self._number + 1, digest
            os.fsync(self._handle)
        except OSError as exc:
            raise Stop("state", f"the evidence {self.path} cannot be written: {exc.strerror}") from exc
        if kind not in UNTOLD:
            self.summary.append(record)

    def _append(self, data: bytes) -> None:
        if self._torn:
            # The record before this one broke off in mid-line: this one must not be lost with it.
            data = b"\n" + data
        self._left = data
        while self._left:
            self._left = self._left[os.write(self._handle, self._left) :]
            # Where no byte went out nothing is torn: a line of its own would read as a record that was lost.
            self._torn = not data[: len(data) - len(self._left)].endswith(b"\n")

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def who() -> dict[str, str]:
    """Who started the run: the login user, and the AWX job where there is one."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A container may run under a number that no user has.
        user = f"uid {os.getuid()}"
    found = {"user": user}
    # Other schedulers set JOB_ID too.
    in_awx = any(os.environ.get(name) for name in ("AWX_HOST", "AWX_ISOLATED_DATA_DIR", "AWX_PRIVATE_DATA_DIR"))
    names = ("AWX_JOB_ID", "TOWER_JOB_ID", "JOB_ID") if in_awx else ("AWX_JOB_ID", "TOWER_JOB_ID")
    job = next((os.environ[name] for name in names if os.environ.get(name)), "")
    found |= {"awx_job": job} if job else {}
    return {key: _STRANGE.sub(" ", text)[:64] for key, text in found.items()}


def _newest(folder: Path, keys: Iterable[str]) -> tuple[int, str]:
    """Number and digest of the unit's newest whole record; (0, "") where there is none. Raises Stop("state")."""
    found = (0, "")
    for path in _files(folder, keys):
        for line in reversed(_lines(path)):
            record = record_in(line)
            if counter_of(record) and isinstance(record.get("digest"), str):
                found = max(found, (counter_of(record), str(record["digest"])))
                break
    return found


def _sync_folder(folder: Path) -> None:
    """The file's name must be on the disk too, or a power cut takes the whole evidence."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as exc:
        raise Stop("state", f"the folder {folder} cannot be written: {exc.strerror}") from exc


class NoEvidence:
    """Check mode and read-only modules: nothing is written, the summary is still kept for the result."""

    path: Path | None = None

    def __init__(self) -> None:
        self.summary: list[dict[str, Any]] = []

    def write(self, kind: str, wall: datetime, **fields: Any) -> None:
        if kind not in UNTOLD:
            self.summary.append({"t": wall.isoformat(timespec="milliseconds"), "kind": kind, **fields})

    def close(self) -> None:
        pass


def history(folder: Path, keys: Iterable[str]) -> list[dict[str, Any]]:
    """The records of earlier runs with this unit, in the order of its counter. Raises Stop("state") where unreadable.

    A line that is no record is one of kind "damaged", and stands where it was found. ``run`` is the run's id,
    ``where`` the file's name and the line.
    """
    numbered: list[tuple[int, dict[str, Any]]] = []
    for path in _files(folder, keys):
        run, before = path.stem.rsplit("_", 1)[-1], 0
        for line, text in enumerate(_lines(path), 1):
            if not text:
                # No byte of any record: a disk that was full has left it, or an editor.
                continue
            record = record_in(text)
            # What a damaged line was may have been the one record that matters.
            record = {**(record or {"kind": "damaged", "file": path.name}), "run": run, "where": f"{path.name}:{line}"}
            before = max(before, counter_of(record))
            numbered.append((before, record))
    numbered.sort(key=lambda entry: entry[0])
    return [record for _number, record in numbered]


def related_keys(folder: Path, keys: Iterable[str]) -> list[str]:
    """These keys, and all that any file found by them was named by, and so on: what stands in one chain with them."""
    found, more = set(keys), set(keys)
    while more:
        names = {key for path in _files(folder, more) for key in path.stem.split("_")[1:-1]}
        more = names - found
        found |= more
    return sorted(found)


def keys_in(folder: Path) -> list[str]:
    """All keys by which the folder knows units. Raises Stop("state")."""
    return sorted({key for path in _files(folder, ("",)) for key in path.stem.split("_")[1:-1]})


def _files(folder: Path, keys: Iterable[str]) -> list[Path]:
    wanted = tuple(f"_{key}_" if key else "" for key in keys)
    try:
        # Not Path.glob(): that takes a folder that may not be read for an empty one.
        listed = os.listdir(folder)
    except OSError as exc:
        raise Stop("state", f"the evidence in {folder} cannot be read: {exc.strerror}") from exc
    return sorted(folder / name for name in listed if name.endswith(".jsonl") and any(key in name for key in wanted))


def _lines(path: Path) -> list[str]:
    try:
        data = read_up_to(path, MAX_FILE, follow=False)
    except OSError as exc:
        raise Stop("state", f"the evidence {path} cannot be read: {exc.strerror}") from exc
    lines = data[:MAX_FILE].decode(errors="replace").splitlines()
    # What is not read may have been the one record that matters: it counts as damaged.
    return [*lines, _NOT_READ] if len(data) > MAX_FILE else lines


class Closing(NamedTuple):
    """What one record closes: ``runs`` for good, wherever they stand; ``own``: what its own run has opened so far."""

    runs: frozenset[str] = frozenset()
    own: bool = False


Record = Mapping[str, Any]


def open_records(
    records: Iterable[Record],
    begins: Callable[[Record, Record | None], bool],
    ends: Callable[[Record], Closing],
) -> list[Record]:
    """What was begun and not closed, one record a run, oldest first.

    By the runs' names, not by the time of the records: a clock that was set back must hide nothing. ``begins`` is given
    a record and what its run has open already; a damaged record has to count as begun.
    """
    opened: dict[str, Record] = {}
    closed: set[str] = set()
    for record in records:
        run = str(record.get("run", ""))
        if begins(record, opened.get(run)):
            opened[run] = record
            continue
        closing = ends(record)
        closed |= closing.runs
        if closing.own:
            opened.pop(run, None)
    return [record for run, record in opened.items() if run not in closed]
