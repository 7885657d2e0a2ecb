# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence: what a run saw and did, one JSON line per record, flushed at once (SAFETY 7). Private to the collection."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterable, Mapping

from .errors import Stop

SCHEMA = 1
MAX_HISTORY_FILES = 200


class Evidence:
    """Append-only. The file is named by time, run and the unit's keys, so that a later run finds it by any of them."""

    def __init__(self, folder: Path, run: str, keys: Iterable[str], header: Mapping[str, Any], wall: datetime) -> None:
        self.run = run
        self.keys = sorted(set(keys))
        name = f"{wall:%Y%m%dT%H%M%SZ}_{'_'.join(self.keys)}_{run}.jsonl"
        self.path = folder / name
        self.summary: list[dict[str, Any]] = []
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Stop("state", f"the evidence {self.path} cannot be written: {exc.strerror}; nothing is sent") from exc
        self._handle = handle
        self.write("run", wall, schema=SCHEMA, run=run, keys=self.keys, pid=os.getpid(), **header)

    def write(self, kind: str, wall: datetime, **fields: Any) -> None:
        """Raises Stop("state") if the record did not reach the disk."""
        record = {"t": wall.astimezone(timezone.utc).isoformat(timespec="milliseconds"), "kind": kind, **fields}
        line = json.dumps(record, ensure_ascii=True, default=str) + "\n"
        try:
            os.write(self._handle, line.encode())
            os.fsync(self._handle)
        except OSError as exc:
            raise Stop("state", f"the evidence {self.path} cannot be written: {exc.strerror}") from exc
        if kind not in ("sample", "run"):
            self.summary.append(record)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class NoEvidence:
    """Check mode and read-only modules: nothing is written, the summary is still kept for the result."""

    path: Path | None = None

    def __init__(self) -> None:
        self.summary: list[dict[str, Any]] = []

    def write(self, kind: str, wall: datetime, **fields: Any) -> None:
        if kind != "sample":
            self.summary.append({"t": wall.isoformat(timespec="milliseconds"), "kind": kind, **fields})

    def close(self) -> None:
        pass


def history(folder: Path, keys: Iterable[str]) -> list[dict[str, Any]]:
    """The records of earlier runs with this unit, oldest first. A damaged line is skipped, a file never fails the run."""
    names: set[Path] = set()
    for key in keys:
        names.update(path for path in folder.glob("*.jsonl") if f"_{key}_" in path.name)
    records: list[dict[str, Any]] = []
    for path in sorted(names)[-MAX_HISTORY_FILES:]:
        try:
            text = path.read_text(errors="replace")
        except OSError as exc:
            raise Stop("state", f"the evidence {path} cannot be read: {exc.strerror}") from exc
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "kind" in record:
                records.append(record)
    return sorted(records, key=lambda record: str(record.get("t", "")))


def unfinished(records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last file that was begun to be sent without a later "settled" (SAFETY 4, entry b)."""
    found: Mapping[str, Any] | None = None
    for record in records:
        if record["kind"] == "stor_begin":
            found = record
        elif record["kind"] == "settled":
            found = None
    return found


def last_time(records: Iterable[Mapping[str, Any]], kinds: Iterable[str]) -> datetime | None:
    """When the last record of one of these kinds was written."""
    wanted, found = set(kinds), None
    for record in records:
        if record["kind"] in wanted:
            try:
                found = datetime.fromisoformat(str(record["t"]))
            except ValueError:
                continue
    return found
