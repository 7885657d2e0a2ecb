# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence as a chain: each record holds the digest of the one before it. And whose evidence it is (SAFETY 2).

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

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial

# What a reader adds, and the digest itself: everything else is what was written.
_ADDED = frozenset({"digest", "where", "run"})
# Records that say that a file, or an update, was begun: only such a run may find a serial changed by its own doing.
_BEGINS = frozenset({"sending", "stor_begin", "update_start"})

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


# -- whose evidence -----------------------------------------------------------------------------------------------


def of_this_unit(
    records: Iterable[Record], card_serial: str | None, ats_serial: str | None
) -> tuple[list[Record], list[Record]]:
    """(this unit's, others'): a run counts unless a serial that both sides know differs (SAFETY 2).

    A serial that a file of our own has changed does not differ: a run that began one and itself read both values.
    Order is kept.
    """
    kept_records = list(records)
    runs = _serials_by_run(kept_records)
    mine = {
        "card_serial": _same_as("card_serial", card_serial, runs),
        "ats_serial": _same_as("ats_serial", ats_serial, runs),
    }
    foreign = {
        run
        for run, facts in runs.items()
        if any(mine[kind] and facts[kind] and not mine[kind] & facts[kind] for kind in mine)
    }
    kept = [record for record in kept_records if str(record.get("run", "")) not in foreign]
    others = [record for record in kept_records if str(record.get("run", "")) in foreign]
    return kept, others


def _serials_by_run(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, set[str]]]:
    runs: dict[str, dict[str, set[str]]] = {}
    for record in records:
        facts = runs.setdefault(str(record.get("run", "")), {"card_serial": set(), "ats_serial": set(), "begun": set()})
        if record.get("kind") in _BEGINS:
            facts["begun"].add("yes")
        unit = record.get("unit")
        if isinstance(unit, dict):
            for kind in ("card_serial", "ats_serial"):
                serial = usable_serial(str(unit.get(kind) or ""))
                if serial:
                    facts[kind].add(serial.upper())
    return runs


def _same_as(kind: str, serial: str | None, runs: Mapping[str, Mapping[str, set[str]]]) -> set[str]:
    """All serials by which this unit was known, by what our own files have made of it; empty: not known."""
    own = usable_serial(serial or "")
    found = {own.upper()} if own else set()
    while True:
        more = {
            value for facts in runs.values() if facts["begun"] and facts[kind] & found for value in facts[kind]
        } - found
        if not more:
            return found
        found |= more


def units_of(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The units that these records speak of, each once, with the time of its newest run: to name them to a person."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        unit = record.get("unit")
        if record.get("kind") == "run" and isinstance(unit, dict):
            names = {key: str(unit.get(key) or "")[:64] for key in ("ats_serial", "card_serial", "model", "name")}
            found[(names["ats_serial"], names["card_serial"])] = {**names, "last": str(record.get("t", ""))[:40]}
    return list(found.values())


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
