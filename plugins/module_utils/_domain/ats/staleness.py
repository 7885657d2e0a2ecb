# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is what a card shows of its ATS an old value? (SAFETY 3, cold_start_confirmed.)

While its controller does not answer, a card may go on showing what it read before. Only values read after the cold
start can contradict what a person says of the inputs and the load; older ones are shown, not judged. A value counts as
old only where exactly the same readings, all of them, were the newest that evidence has of before the cold start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState, Comm, Source

_QUANTITIES = ("voltage_v", "current_a")
OLD = "old: the same as before the cold start, shown and not judged"


def readings_of(ats: AtsState) -> str:
    """Every measured value in one text; empty where no quantity is known: words alone are soon the same again."""
    parts: list[tuple[str, Any]] = []
    for source in Source:
        power = ats.input(source)
        parts += [(f"{source.name}.{name}", getattr(power, name)) for name in ("status", "voltage_v", "frequency_hz")]
    parts += [("selected", ats.selected_source), ("redundancy", ats.redundancy)]
    for kind, rows in (("bank", ats.load.banks), ("phase", ats.load.phases)):
        for row in rows:
            for name in ("current_a", "apparent_va", "power_w", "voltage_v", "state"):
                parts.append((f"{kind}{row.index}.{name}", getattr(row, name)))
    known = [(name, reading) for name, reading in parts if reading.known]
    if not any(name.endswith(_QUANTITIES) for name, _reading in known):
        return ""
    return "; ".join(f"{name}={reading.shown()}" for name, reading in known)


def old_readings(records: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The newest readings among ``records``: those up to the backup against which the cold start is new.

    Where the unit showed nothing then, or where the record is damaged, nothing that it shows now is old.
    """
    for record in reversed(records):
        if record.get("kind") == "damaged":
            break
        if record.get("kind") == "readings":
            values = record.get("values")
            return frozenset({values}) if isinstance(values, str) and values else frozenset()
    return frozenset()


def is_old(ats: AtsState, old: frozenset[str]) -> bool:
    """Never while the controller answers: then the values are its own."""
    values = readings_of(ats)
    return values != "" and not ats.controller_comm.is_(Comm.ESTABLISHED) and values in old
