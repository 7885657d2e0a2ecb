# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources, relays and load: where the hazard is real.

Both sources live and a load attached while new firmware goes into the controller: the relays chatter, the load drops,
the unit is damaged for good (FA156178). A second forced transfer within 30 s: the same (FA156201).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .mishaps import DAMAGED, DROPPED

if TYPE_CHECKING:
    from .model import Unit

SIDES = ("A", "B")
OTHER = {"A": "B", "B": "A"}
SECOND_TRANSFER_S = 30.0  # FA156201
RETURN_S = 30.0  # the wait before the return to the preferred source, FA156201
LIVE_SHARE = 0.2  # of nominal: enough to make two sources dangerous
POWER_SHARE = 0.5  # of nominal: enough to run the card, the controller and a load


@dataclass
class Input:
    plugged: bool
    feed_v: float
    nominal_v: float
    frequency_hz: float
    phase_deg: float = 0.0
    good_since_s: float = -1e9

    @property
    def voltage_v(self) -> float:
        return self.feed_v if self.plugged else 0.0

    @property
    def live(self) -> bool:
        return self.voltage_v >= LIVE_SHARE * self.nominal_v

    @property
    def powers(self) -> bool:
        return self.voltage_v >= POWER_SHARE * self.nominal_v


class Seen(NamedTuple):
    """What the controller tells the card, as one moment saw it."""

    voltage: tuple[float, float]
    frequency: tuple[float, float]
    good: tuple[bool, bool]
    live: tuple[bool, bool]
    selected: str
    redundant: bool
    output_on: bool
    in_sync: bool
    load_current_a: float
    switch_ok: bool
    over_current: bool


class Power:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        ats = unit.device.ats or {}
        self.nominal_v = float(ats.get("nominal_v", 230))
        self.inputs: dict[str, Input] = {}
        for side in SIDES:
            feed = ats.get("inputs", {}).get(side, {"feed_v": self.nominal_v, "frequency_hz": 50})
            self.inputs[side] = Input(True, float(feed["feed_v"]), self.nominal_v, float(feed["frequency_hz"]))
        self.inputs["B"].phase_deg = unit.knobs.phase_shift_deg
        self.selected: str = ats.get("selected", "A")
        self.load_a = float(ats.get("load_current_a", 0.0))
        self.last_transfer_s = -1e9
        self.transfers = 0
        self.switch_ok = True
        self.display_ok = True
        self.powered = True
        self.output_on = True
        self.damaged = False
        self.damage_reason: str | None = None
        self.damaged_at_s: float | None = None
        self.drop_reason: str | None = None
        self.load_dropped = False
        self.load_dropped_at_s: float | None = None
        self._good = {side: self.good(side) for side in SIDES}
        self._redundant = self.redundant
        self._return_due_s: float | None = None
        self._settling = False

    # --- what is so ---

    def good(self, side: str) -> bool:
        """In the controller's opinion: within the transfer range around the line voltage."""
        settings = self.unit.settings
        return abs(self.inputs[side].voltage_v - settings.line_v) <= settings.limit_v

    @property
    def both_live(self) -> bool:
        return self.inputs["A"].live and self.inputs["B"].live

    @property
    def unsafe(self) -> bool:
        """A download into the controller at this moment would destroy."""
        return self.both_live and self.load_a > 0 and not self.damaged

    @property
    def over_current(self) -> bool:
        return self.load_a > self.unit.settings.current_limit_a

    @property
    def can_switch(self) -> bool:
        return self.powered and self.switch_ok and not self.over_current and self.unit.controller.switches

    @property
    def redundant(self) -> bool:
        return self.good("A") and self.good("B") and self.switch_ok and not self.over_current

    @property
    def in_sync(self) -> bool:
        if not (self.inputs["A"].live and self.inputs["B"].live):
            return False
        apart = abs(self.inputs["A"].phase_deg - self.inputs["B"].phase_deg) % 360
        return min(apart, 360 - apart) <= 10

    def seen(self) -> Seen:
        a, b = self.inputs["A"], self.inputs["B"]
        noise = self.unit.jitter
        return Seen(
            (a.voltage_v + noise[0] if a.live else a.voltage_v, b.voltage_v + noise[1] if b.live else b.voltage_v),
            (a.frequency_hz, b.frequency_hz),
            (self.good("A"), self.good("B")),
            (a.live, b.live),
            self.selected,
            self.redundant,
            self.output_on,
            self.in_sync,
            self.load_a if self.output_on else 0.0,
            self.switch_ok,
            self.over_current,
        )

    # --- what happens ---

    def settle(self) -> None:
        """After every change: the consequences, until nothing changes any more."""
        if self._settling:
            return  # a consequence of a consequence is seen by the loop below
        self._settling = True
        try:
            before = None
            while before != (before := self._moment()):
                self._once()
        finally:
            self._settling = False
        self._note_sources()
        self._plan_return()
        self.unit.changed()
        self.unit.publish()

    def _moment(self) -> tuple[object, ...]:
        controller = self.unit.controller
        return (self.selected, self.powered, self.output_on, self.damaged, controller.alive, controller.downloading)

    def _once(self) -> None:
        controller = self.unit.controller
        powered = any(self.inputs[side].powers for side in SIDES)
        selected = self.inputs[self.selected]
        if controller.downloading and not selected.powers:
            controller.kill("the selected source was lost during the download")
        if controller.downloading and self.unsafe:
            self.damage("download into the controller with both sources live and a load attached")
        if self.powered and not powered:
            self._power_lost()
        elif powered and not self.powered:
            self._power_returned()
        elif powered:
            other = OTHER[self.selected]
            if not self.good(self.selected) and self.good(other) and self.can_switch:
                self._transfer(other, forced=True)
        self._output()

    def _output(self) -> None:
        self.output_on = not self.damaged and self.powered and self.inputs[self.selected].powers
        if not self.output_on and self.load_a > 0 and not self.load_dropped:
            self.drop_load("no output")

    def _power_lost(self) -> None:
        self.powered = False
        self.unit.note("power_lost")
        self.output_on = False
        if self.load_a > 0:
            self.drop_load("both inputs dead")
        self.unit.controller.power_lost()
        self.unit.card.power_lost()

    def _power_returned(self) -> None:
        self.powered = True
        self.unit.note("power_returned")
        preferred = self.unit.settings.preferred
        if self.unit.controller.alive and self.switch_ok and not self.damaged:
            ranked = [side for side in (preferred, self.selected, "A", "B") if side in SIDES]
            self.selected = next((side for side in ranked if self.good(side)), self.selected)
        self.unit.controller.power_returned()
        self.unit.card.power_on()

    def _transfer(self, to: str, forced: bool) -> None:
        unit = self.unit
        since = unit.now - self.last_transfer_s
        self.selected = to
        self.last_transfer_s = unit.now
        self.transfers += 1
        unit.note(f"transferred to {to}")
        unit.log_ats("source_switched", which=to)
        if forced and since < SECOND_TRANSFER_S and self.load_a > 0 and unit.knobs.second_transfer_harms:
            self.damage(f"a second transfer was forced {since:.1f} s after the last")

    def damage(self, why: str) -> None:
        if self.damaged:
            return
        self.damaged, self.damage_reason, self.damaged_at_s = True, why, self.unit.now
        self.unit.mishaps.add(DAMAGED, why, self.unit.now, self.unit.serial)
        self.unit.note(f"DAMAGED: {why}")
        if self.load_a > 0:
            self.drop_load(why)
        self.output_on = False
        self.switch_ok = False
        self.unit.controller.kill("the unit is damaged")

    def drop_load(self, why: str) -> None:
        if not self.load_dropped:
            self.load_dropped, self.load_dropped_at_s, self.drop_reason = True, self.unit.now, why
            self.unit.mishaps.add(DROPPED, why, self.unit.now, self.unit.serial)
            self.unit.note(f"LOAD DROPPED: {why}")

    def _note_sources(self) -> None:
        for side in SIDES:
            good = self.good(side)
            if good == self._good[side]:
                continue
            self._good[side] = good
            if good:
                self.inputs[side].good_since_s = self.unit.now
            self.unit.log_ats("source_ok" if good else "source_failed", which=side)
        if self.redundant != self._redundant:
            self._redundant = self.redundant
            self.unit.log_ats("redundancy_restored" if self._redundant else "redundancy_lost")

    def _plan_return(self) -> None:
        due = self.return_due_s
        if due is not None and due != self._return_due_s:
            self.unit.line.at(due, self._return)
        self._return_due_s = due

    @property
    def return_due_s(self) -> float | None:
        """When the unit will go back to its preferred source; None: not as things are."""
        preferred = self.unit.settings.preferred
        if preferred not in SIDES or preferred == self.selected or not self.good(preferred) or not self.can_switch:
            return None
        return max(self.inputs[preferred].good_since_s, self.last_transfer_s, self.unit.settings.changed_s) + RETURN_S

    def _return(self) -> None:
        due = self.return_due_s
        if due is not None and due <= self.unit.now:
            self._transfer(self.unit.settings.preferred, forced=False)
            self.settle()
