# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence as a chain: each record holds the digest of the one before it.

No I/O. Records are those of ``evidence.history``: as they were written, with ``run`` (from the file's name), and
``where``: the file's name and the line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# What a reader adds, and the digest itself: everything else is what was written.
_ADDED = frozenset({"digest", "where", "run"})

Record = dict[str, Any]


@dataclass(frozen=True)
class Break:
    """A place where the chain does not hold. ``line`` counts from 1."""

    file: str
    line: int
    why: str


def digest_of(before: str, run: str, record: Mapping[str, Any]) -> str:
    """The digest of one record, over the digest of the record before it and over what the record says."""
    said = {key: value for key, value in record.items() if key not in _ADDED}
    text = json.dumps([before, run, said], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def counter_of(record: Mapping[str, Any]) -> int:
    """The unit's counter in this record; 0 where it has none that can be true."""
    number = record.get("n")
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0


def chain(records: Iterable[Mapping[str, Any]]) -> list[Break]:
    """Where the chain does not hold. Empty: nothing was changed, lost or added between.

    It finds mistakes, and who is careless. The digests have no key: who can write the folder can compute them anew.
    Needs all records of the unit, also those of other units at its address: they stand in the same chain. What was
    cut off the very end cannot be seen.
    """
    every = list(records)
    runs: dict[str, list[Mapping[str, Any]]] = {}
    known: dict[str, int] = {}
    for record in every:
        runs.setdefault(_place(record)[0], []).append(record)
        if isinstance(record.get("digest"), str):
            known[record["digest"]] = counter_of(record)
    found: list[Break] = []
    for lines in runs.values():
        found += _breaks_of_run(sorted(lines, key=lambda record: _place(record)[1]), known)
    return found + _forks(every)


def _forks(records: Iterable[Mapping[str, Any]]) -> list[Break]:
    """Where two runs have the same number under the same name of a unit; each two runs once.

    Under its lock a run numbers on from all that it finds by any of its names. Two units may share an address, one
    after the other, and then number on side by side from the same record: those two have no name in common.
    """
    found: list[Break] = []
    taken: dict[tuple[str, int], str] = {}
    told: set[tuple[str, str]] = set()
    for record in records:
        file, line = _place(record)
        number = counter_of(record)
        # By the file's name, as readers find it: the head may say anything.
        for key in file.split("_")[1:-1] if number else ():
            first = taken.setdefault((key, number), file)
            if first != file and (first, file) not in told:
                told |= {(first, file), (file, first)}
                why = f"its number {number} stands in {first} too: two runs wrote at once, or one of the two was added"
                found.append(Break(file, line, why))
    return found


def _breaks_of_run(lines: Sequence[Mapping[str, Any]], known: Mapping[str, int]) -> list[Break]:
    found: list[Break] = []
    before, number = "", 0
    begun = False
    for record in lines:
        file, line = _place(record)
        if record.get("kind") == "damaged":
            found.append(Break(file, line, "the record cannot be read"))
            continue
        why = ""
        if not begun:
            before, number = str(record.get("prev", "")), counter_of(record) - 1
            why = _wrong_beginning(record, known)
            begun = True
        elif counter_of(record) != number + 1:
            why = f"its number is {counter_of(record) or 'none'}, the one before it is {number}: records are missing"
        if not why and record.get("digest") != digest_of(before, str(record.get("run", "")), record):
            why = "it does not fit the record before it: one of the two was changed, or one between them is missing"
        if why:
            found.append(Break(file, line, why))
        before, number = str(record.get("digest", "")), counter_of(record)
    return found


def _wrong_beginning(record: Mapping[str, Any], known: Mapping[str, int]) -> str:
    number, prev = counter_of(record), record.get("prev")
    if record.get("kind") != "run" or not isinstance(prev, str) or number == 0:
        return "the run's first record is missing, or was changed"
    if prev == "":
        return "" if number == 1 else f"it says that there was nothing before it, and its number is {number}"
    if prev not in known:
        return f"the record before it, number {number - 1}, is missing or was changed"
    if known[prev] != number - 1:
        return f"its number is {number}, the record that it names as the one before it has {known[prev]}"
    return ""


def _place(record: Mapping[str, Any]) -> tuple[str, int]:
    file, _colon, line = str(record.get("where", "")).rpartition(":")
    return file, int(line) if line.isdecimal() else 0


# -- time ---------------------------------------------------------------------------------------------------------


def stamp_of(record: Mapping[str, Any]) -> datetime | None:
    try:
        when = datetime.fromisoformat(str(record.get("t", "")))
    except ValueError:
        return None
    return when if when.tzinfo is not None else None


def is_fresh(record: Mapping[str, Any], now: datetime, max_age: timedelta) -> bool:
    """Not older than ``max_age``, and not from later than now: then a clock was wrong, and its age is not known."""
    when = stamp_of(record)
    return when is not None and timedelta(0) <= now - when <= max_age


def from_the_future(records: Iterable[Record], now: datetime) -> list[Record]:
    """Records whose stamp is later than now, to be reported: a clock was set, then or since."""
    return [record for record in records if (stamp_of(record) or now) > now]
