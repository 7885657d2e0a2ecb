# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose evidence it is (SAFETY 2): asked for a permit, for a recovery and for a look, and answered here alone.

Records are those of ``evidence.history``: as they were written, with ``run``, the run's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial

# Records that say that a file, or an update, was begun: only such a run may find a serial changed by its own doing.
_BEGINS = frozenset({"sending", "stor_begin", "update_start"})

Record = dict[str, Any]


def of_this_unit(
    records: Iterable[Record], *, card_serial: str | None, ats_serial: str | None
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
