# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what a card shows of its ATS an old value? (SAFETY 3, cold_start_confirmed.) Private to the collection.

While its controller does not answer, a card may go on showing what it read before. Only values read after the cold
start can contradict what a person says of the inputs and the load; older ones are shown, not judged. A value counts as
old only where evidence from before this start of the card holds exactly the same readings, all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from .ats import AtsState, Comm, Source

# The controller's clock and the card's uptime are not read at one moment. Real seconds of a real unit.
MARGIN_S = 60.0
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
            for name in ("current_a", "apparent_va", "power_w", "voltage_v"):
                parts.append((f"{kind}{row.index}.{name}", getattr(row, name)))
    known = [(name, reading) for name, reading in parts if reading.known]
    if not any(name.endswith(_QUANTITIES) for name, _reading in known):
        return ""
    return "; ".join(f"{name}={reading.shown()}" for name, reading in known)


def before(record: Mapping[str, Any], started: datetime, factor: float = 1.0) -> bool:
    """Is the record from before this start of the card? One whose time cannot be read is not. ``factor``: device
    seconds per real one."""
    try:
        when = datetime.fromisoformat(str(record.get("t", "")))
    except ValueError:
        return False
    return when.tzinfo is not None and when + timedelta(seconds=MARGIN_S / factor) <= started


def old_readings(records: Iterable[Mapping[str, Any]], started: datetime, factor: float = 1.0) -> frozenset[str]:
    """What evidence holds from before this start of the card."""
    found = set()
    for record in records:
        values = record.get("values")
        if record.get("kind") == "readings" and isinstance(values, str) and values and before(record, started, factor):
            found.add(values)
    return frozenset(found)


def is_old(ats: AtsState, old: frozenset[str]) -> bool:
    """Never while the controller answers: then the values are its own."""
    values = readings_of(ats)
    return values != "" and not ats.controller_comm.is_(Comm.ESTABLISHED) and values in old
