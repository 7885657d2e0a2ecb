# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence: what a run saw and did, one JSON line per record, flushed at once (SAFETY 7). Private to the collection."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

SCHEMA = 1


class Evidence:
    """Append-only. The file is named by time, run and the unit's keys, so that a later run finds it by any of them."""

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
        name = f"{wall:%Y%m%dT%H%M%SZ}_{'_'.join(self.keys)}_{run}.jsonl"
        self.path = folder / name
        self.summary: list[dict[str, Any]] = []
        self._torn = False
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Stop("state", f"the evidence {self.path} cannot be written: {exc.strerror}; nothing is sent") from exc
        self._handle = handle
        _sync_folder(folder)
        self.write("run", wall, schema=SCHEMA, run=run, keys=self.keys, pid=os.getpid(), **header)

    def write(self, kind: str, wall: datetime, **fields: Any) -> None:
        """Raises Stop("state") if the record did not reach the disk."""
        record = {"t": wall.astimezone(timezone.utc).isoformat(timespec="milliseconds"), "kind": kind}
        record |= self._hide(fields)
        data = (json.dumps(record, ensure_ascii=True, default=str) + "\n").encode()
        try:
            if self._torn:
                # The record before this one broke off in mid-line: this one must not be lost with it.
                data = b"\n" + data
            self._torn = True
            while data:
                written = os.write(self._handle, data)
                data = data[written:]
            self._torn = False
            os.fsync(self._handle)
        except OSError as exc:
            raise Stop("state", f"the evidence {self.path} cannot be written: {exc.strerror}") from exc
        if kind not in ("sample", "run", "readings"):
            self.summary.append(record)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


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
        if kind not in ("sample", "readings"):
            self.summary.append({"t": wall.isoformat(timespec="milliseconds"), "kind": kind, **fields})

    def close(self) -> None:
        pass


def history(folder: Path, keys: Iterable[str]) -> list[dict[str, Any]]:
    """The records of earlier runs with this unit, oldest first. Raises Stop("state") where they cannot be read."""
    wanted = tuple(f"_{key}_" for key in keys)
    try:
        # Not Path.glob(): that takes a folder that may not be read for an empty one.
        listed = os.listdir(folder)
    except OSError as exc:
        raise Stop("state", f"the evidence in {folder} cannot be read: {exc.strerror}") from exc
    names = {folder / name for name in listed if name.endswith(".jsonl") and any(key in name for key in wanted)}
    records: list[dict[str, Any]] = []
    for path in sorted(names):
        try:
            text = path.read_text(errors="replace")
        except OSError as exc:
            raise Stop("state", f"the evidence {path} cannot be read: {exc.strerror}") from exc
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict) or "kind" not in record:
                # What stood there may have been the one record that matters.
                record = {"kind": "damaged", "file": path.name}
            record["run"] = path.stem.rsplit("_", 1)[-1]
            records.append(record)
    return records


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


def _file_begun(record: Record, before: Record | None) -> bool:
    return record["kind"] in ("stor_begin", "damaged")


def _file_over(record: Record) -> Closing:
    if record["kind"] == "settled":
        return Closing(runs=frozenset(str(name) for name in record.get("closes") or []))
    return Closing(own=record["kind"] in ("stor_cut", "stor_failed") and record.get("never_begun") is True)


def unfinished(records: Iterable[Record]) -> Record | None:
    """The last file that was begun to be sent by a run that no "settled" has closed (SAFETY 4, entry b)."""
    left = open_records(records, _file_begun, _file_over)
    return left[-1] if left else None


def open_runs(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The runs that a ``settled`` written now would close."""
    return sorted({str(record.get("run", "")) for record in records if record["kind"] in ("stor_begin", "damaged")})


def last_word(records: Iterable[Mapping[str, Any]], allowing: Iterable[str]) -> datetime | None:
    """When a person was last allowed to reconnect or connect anything, or recovery was last tried (SAFETY 2).

    ``allowing``: the end states whose instruction allows it.
    """
    states, found = set(allowing), None
    for record in records:
        kind = record["kind"]
        if kind in ("permission_reconnect", "permission_load", "recovery_attempt") or (
            kind == "end" and record.get("state") in states
        ):
            try:
                when = datetime.fromisoformat(str(record.get("t", "")))
            except ValueError:
                continue
            found = when if found is None or when > found else found
    return found
