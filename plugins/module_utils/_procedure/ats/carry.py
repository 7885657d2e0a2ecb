# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That a run watches, and since when: written for the next process of a permit, and read by it.

SAFETY 3, ``controller_quiet``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import reads_live
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source

if TYPE_CHECKING:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit

# SAFETY 3: what a later process of the permit may build on.
CARRY_GAP_S = 60.0
# How often it is written down that a run watches.
NOTE_S = 30.0
# Between two notes what stood in the first may have gone on until the second.
NOTE_SLACK_S = 5.0
# What a deed may be about -> how a person is told of it.
LOADS = "load"
DEEDS = {"A": "source A is out", "B": "source B is out", LOADS: "no load is connected", "": "what was said"}


def about(rests_on: str, primary: Source | None) -> str:
    """The key of DEEDS: the source that is out, or the load. Empty where the input that stays is not known."""
    if rests_on == NO_LOAD:
        return LOADS
    return primary.other.name if primary is not None else ""


def contradicts(sample: Sample) -> list[str]:
    """Which deeds this answered sample contradicts."""
    found = [source.name for source in Source if reads_live(sample, source)]
    return [*found, LOADS] if sign_of_load(sample.ats.load) else found


class Carry:
    """What an earlier process of this permit had watched without a break, where it may be built on."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        # Up to this process's first sample.
        self.seconds = 0.0
        self._carried = False
        self._noted_s = 0.0
        self._live: list[str] = []

    def follow(self, sample: Sample) -> None:
        """Now and then, for the next process: that a run watched, what it saw, and since when without a break."""
        unit, live = self.unit, contradicts(sample)
        if about(unit.rests_on, unit.primary) in live:
            unit.said.secondary_reads_in()
        if sample.at_s - self._noted_s >= NOTE_S or live != self._live:
            self._live = live
            self.write(sample)

    def write(self, sample: Sample) -> None:
        self._noted_s = sample.at_s
        watch = self.unit.observer.watch()
        self.unit.record(
            "watching",
            uptime_s=sample.uptime_s,
            watched_s=round(watch.unbroken_s, 1),
            watched=[str(item) for item in sample.watched],
            breaks=self.unit.observer.breaks,
            # An earlier deed says nothing behind it, in a later process neither (SAFETY 2).
            live=self._live,
        )

    def last_live(self, deed: str) -> datetime | None:
        """Until when an earlier process may have read what contradicts such a deed; None: none has."""
        for record in reversed(self.unit.earlier):
            live = record.get("live")
            if record.get("kind") != "watching" or not isinstance(live, list) or deed not in live:
                continue
            now = self.unit.clock.wall()
            try:
                noted = datetime.fromisoformat(str(record["t"]))
                return min(noted + timedelta(seconds=(NOTE_S + NOTE_SLACK_S) / self.unit.factor), now)
            except (KeyError, ValueError, TypeError, OverflowError):
                # Nobody knows when it was: it may have been this moment.
                return now
        return None

    def take_up(self) -> None:
        """Builds on earlier processes of this permit (SAFETY 3, controller_quiet): after a gap of at most 60 s, while
        sysUpTime goes on, communication and revision read the same, and the log has no new row of the controller."""
        good = self.unit.observer.good
        if self._carried or good is None or self.unit.permit.state is PermitState.NONE or self.unit.observer.breaks:
            return
        self._carried = True
        found = 0.0
        for place in reversed(range(len(self.unit.earlier))):
            note = self.unit.earlier[place]
            if note.get("kind") != "watching":
                continue
            carried = self._from(note, self.unit.earlier[:place], good)
            if carried is None:
                break
            found = max(found, carried)
            if note.get("breaks"):
                # What was seen before that process's last break is no watch without one.
                break
        if found:
            self.seconds = found
            self.unit.observer.carry(found)

    def _from(self, note: Mapping[str, Any], before: Sequence[Mapping[str, Any]], good: Sample) -> float | None:
        try:
            when = datetime.fromisoformat(str(note["t"]))
            uptime_s, watched_s = float(note["uptime_s"]), float(note["watched_s"])
            seen = list(note["watched"])
            rows = next((list(item["rows"]) for item in reversed(before) if item.get("kind") == "log"), [])
        except (KeyError, TypeError, ValueError):
            return None
        if when.tzinfo is None:
            return None
        unit = self.unit
        first_s = unit.observer.first_good_s if unit.observer.first_good_s is not None else good.at_s
        gap_s = (good.uptime_s or 0.0) - uptime_s - (good.at_s - first_s)
        wall_gap_s = (unit.clock.wall() - when).total_seconds() * unit.factor - (unit.clock.now() - first_s)
        near = 0.0 < gap_s <= CARRY_GAP_S and -5.0 <= wall_gap_s <= CARRY_GAP_S + 5.0
        same = seen == [str(item) for item in good.watched]
        if not (near and same and unit.log.adds_nothing_of_the_controller(rows)):
            return None
        return max(0.0, watched_s + gap_s)
