# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every row of a card's event log is about, for a person.

The interlock reads the log by ``events`` alone, whose few kinds are chosen so that a mistake costs time. Here a row is
only named, by the same table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import KINDS, kind_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, EventRow

_SOURCE = re.compile(r"(?P<source>[A-Za-z][A-Za-z0-9 ()/-]{0,40}?) ?: (?P<text>.+)", re.DOTALL)


@dataclass(frozen=True)
class Event:
    """``time``: ISO 8601 by the card's own clock and without a zone, which the card does not tell; None for a row
    without one. ``source``: who speaks, such as "Automatic Transfer Switch"."""

    time: str | None
    source: str | None
    text: str
    code: str | None
    kind: str
    stamp: tuple[int, ...] | None = None


def event_of(row: EventRow) -> Event:
    text = " ".join((row.text or row.line).split())
    match = _SOURCE.fullmatch(text)
    return Event(
        time=_time(row.stamp),
        source=match["source"] if match else None,
        text=match["text"] if match else text,
        code=f"0x{row.code}" if row.code else None,
        kind=kind_of(row.kind, text, row.code),
        stamp=row.stamp,
    )


def events_of(log: EventLog) -> list[Event]:
    """Oldest first, as far as the log shows its order; every row, also those that are not understood."""
    return [event_of(row) for row in log.chronological()]


def _time(stamp: tuple[int, ...] | None) -> str | None:
    """A clock that is not set, or a month 13, is shown as it stands: it is the card's word, not ours."""
    if stamp is None:
        return None
    year, month, day, hour, minute, second = stamp
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


__all__ = ["KINDS", "Event", "event_of", "events_of"]
