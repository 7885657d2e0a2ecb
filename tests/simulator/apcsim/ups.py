# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Smart-UPS as a physical thing: mains, battery, output, load, and the link to its card.

The load is what must not drop. Battery and run time move with the load; everything else moves when somebody acts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .mishaps import DAMAGED, DROPPED

if TYPE_CHECKING:
    from .model import Unit

LIVE_SHARE = 0.5  # of nominal: enough to carry the output without the battery
LOW_BATTERY_S = 120.0  # [G] low-battery duration's default
RECHARGE_S = 3 * 3600.0  # [G] empty to full
TICK_S = 15.0  # how often the card sees the battery move
_ID = re.compile(r"\(ID(\d+)\)|ID=(\d+)")
_VERSION = re.compile(r"UPS (\d+)\.(\d+)")

# output on during an update: ID -> lowest version that allows it (facts/UPS.md)
OUTPUT_ON = {1010: (7, 9), 1019: (7, 1), 1020: (10, 1), 1024: (0, 4)}


def id_of(firmware: str) -> int | None:
    found = _ID.search(firmware)
    return int(found.group(1) or found.group(2)) if found else None


def version_of(firmware: str) -> tuple[int, int]:
    found = _VERSION.search(firmware)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


@dataclass
class Group:
    name: str
    kind: str  # "main" or "switched"
    on: bool = True


class Ups:
    def __init__(self, unit: Unit, facts: dict[str, Any]) -> None:
        from .ups_update import Update

        self.unit = unit
        self.facts = facts
        self.model: str = facts["model"]
        self.sku: str | None = facts["sku"]
        self.firmware: str = facts["firmware"]
        self.series: str | None = facts["series"]
        self.nominal_v = float(facts["nominal_v"])
        self.nominal_hz = float(facts["nominal_hz"])
        self.input_v = float(facts.get("input_v", facts["nominal_v"]))
        self.load_percent = float(facts["load_percent"])
        self.runtime_full_s = float(facts["runtime_full_s"])
        self.groups = [Group(row["name"], row["type"]) for row in facts["groups"] or []]
        self.switched_on = True  # the output as commanded; it also needs mains or battery
        self.exhausted = False  # the battery ran out: waits for the mains
        self.bypass = self.replace_battery = self.self_test = self.calibration = self.shutdown_pending = False
        self.link = True  # the card's cable into the UPS
        self.bricked = False
        self.brick_reason: str | None = None
        self.load_dropped = False
        self.load_dropped_at_s: float | None = None
        self.violations: list[dict[str, Any]] = []
        self.heard = True  # since the app started
        self.update = Update(self)
        self._percent, self._since_s, self._rate = 100.0, unit.now, 0.0
        self._plan = 0
        self._comm_was = self.comm
        self._output_was, self._battery_was = self.output_on, self.on_battery
        self._settling = False
        self.stale = self.reading()

    # --- what is so ---

    @property
    def mains(self) -> bool:
        return self.input_v >= LIVE_SHARE * self.nominal_v

    @property
    def powered(self) -> bool:
        """The UPS lives, and its card with it."""
        return self.mains or (self.percent > 0 and not self.exhausted)

    @property
    def output_on(self) -> bool:
        if self.update.running and self.update.with_output and not self.mains:
            return False  # no battery protection during the update
        return self.switched_on and self.powered and not self.bricked

    @property
    def on_battery(self) -> bool:
        return not self.mains and self.powered and not self.bricked

    @property
    def percent(self) -> float:
        return min(100.0, max(0.0, self._percent + self._rate * (self.unit.now - self._since_s)))

    @property
    def runtime_s(self) -> float:
        return self.runtime_full_s * 100.0 / max(self.load_percent, 5.0) * self.percent / 100.0

    @property
    def low_battery(self) -> bool:
        return self.runtime_s < LOW_BATTERY_S or self.percent < 10

    @property
    def comm(self) -> bool:
        lost = "communication_lost" in self.unit.faults.active
        return self.link and self.heard and not self.bricked and not lost and not self.update.comm_lost and self.powered

    @property
    def id(self) -> int | None:
        return id_of(self.firmware)

    @property
    def allows_output_on(self) -> bool:
        lowest = OUTPUT_ON.get(self.id or 0)
        return lowest is not None and version_of(self.firmware) >= lowest

    @property
    def status(self) -> int:
        """U.4.1.1"""
        if self.exhausted and not self.mains:
            return 11
        if not self.output_on:
            return 7
        if self.bypass:
            return 6
        if self.self_test:
            return 15
        if not self.mains:
            return 3
        if self.input_v < 0.88 * self.nominal_v:
            return 4
        return 12 if self.input_v > 1.1 * self.nominal_v else 2

    def reading(self) -> dict[str, Any]:
        """What the UPS tells its card at this moment."""
        on = self.output_on
        volts = 0.0 if not on else self.input_v if self.bypass else self.nominal_v if self.on_battery else self.output_v
        return {
            "model": self.model, "sku": self.sku, "firmware": self.firmware, "status": self.status,
            "percent": self.percent, "runtime_s": self.runtime_s, "replace": self.replace_battery,
            "low": self.low_battery, "input_v": self.input_v, "input_hz": self.nominal_hz if self.mains else 0.0,
            "output_v": volts, "output_hz": self.nominal_hz if on else 0.0, "load": self.load_percent if on else 0.0,
            "on": on, "on_battery": self.on_battery, "bypass": self.bypass, "self_test": self.self_test,
            "calibration": self.calibration, "shutdown": self.shutdown_pending, "overload": self.load_percent > 105,
            "exhausted": self.exhausted,
            "groups": [(group.name, group.kind, group.on and on) for group in self.groups],
        }  # fmt: skip

    @property
    def output_v(self) -> float:
        """Boost and trim bring it near the nominal voltage."""
        return {4: self.input_v * 1.12, 12: self.input_v * 0.88}.get(self.status, self.input_v)

    # --- what happens ---

    def settle(self) -> None:
        if self._settling:
            return
        self._settling = True
        try:
            self._battery()
            self.update.settle()
            self._output()
            self._supply()
        finally:
            self._settling = False
        self._tell_comm()
        if self.comm:
            self.stale = self.reading()
        self.unit.changed()

    def _battery(self) -> None:
        percent, now = self.percent, self.unit.now
        full_s = self.runtime_full_s * 100.0 / max(self.load_percent if self.switched_on else 0.0, 5.0)
        if self.mains:
            self.exhausted = False
        elif percent <= 0:
            self.exhausted = True
        rate = 0.0 if self.exhausted or self.bricked else 100.0 / RECHARGE_S if self.mains else -100.0 / full_s
        if (rate > 0 and percent >= 100) or (rate < 0 and percent <= 0):
            rate = 0.0
        self._percent, self._since_s, self._rate = percent, now, rate
        self._plan += 1
        if rate:
            end_s = (100.0 - percent) / rate if rate > 0 else percent / -rate
            self.unit.line.after(min(TICK_S, end_s + 1e-6), self._tick, self._plan)

    def _tick(self, plan: int) -> None:
        if plan == self._plan:
            if self._rate < 0 and self.percent < 1e-3:
                self._percent, self._rate = 0.0, 0.0
            self.settle()

    def _output(self) -> None:
        on = self.output_on
        if self._output_was and not on:
            self.drop_load("the battery is empty" if self.exhausted else "bricked" if self.bricked else "output off")
            self.log("ups_output_off")
        elif on and not self._output_was:
            self.log("ups_output_on")
        self._output_was = on
        if self.on_battery != self._battery_was:
            self._battery_was = self.on_battery
            self.log("ups_on_battery" if self._battery_was else "ups_on_line")

    def _supply(self) -> None:
        """The card lives from the UPS: the model's two inputs stand for that supply."""
        power = self.unit.power
        alive = self.powered
        if power.inputs["A"].plugged != alive:
            for source in power.inputs.values():
                source.plugged = alive
            power.settle()

    def drop_load(self, why: str) -> None:
        self.unit.note(f"output lost: {why}")
        if self.load_percent > 0 and not self.load_dropped:
            self.load_dropped, self.load_dropped_at_s = True, round(self.unit.now, 3)
            self.unit.mishaps.add(DROPPED, why, self.unit.now, self.unit.serial)

    def brick(self, why: str) -> None:
        if not self.bricked:
            self.bricked, self.brick_reason = True, why
            self.unit.mishaps.add(DAMAGED, why, self.unit.now, self.unit.serial)
            self.unit.note(f"bricked: {why}")

    def command_output(self, on: bool) -> None:
        """Somebody at the UPS wants it so: no load is dropped against anybody's will."""
        self.switched_on = on
        if not on and self._output_was:
            self._output_was = False
            self.log("ups_output_off")

    def take_load(self, percent: float) -> None:
        kept = self.percent
        self.load_percent = percent
        self.charge(kept)

    def charge(self, percent: float) -> None:
        self._percent, self._since_s, self._rate = percent, self.unit.now, 0.0
        if percent > 0:
            self.exhausted = False

    def violate(self, what: str, detail: str = "") -> None:
        self.unit.violate(what, detail)
        self.violations.append(self.unit.violations[-1])

    def _tell_comm(self) -> None:
        comm = self.comm
        if comm != self._comm_was:
            self._comm_was = comm
            self.log("ups_comm_established" if comm else "ups_comm_lost")

    def log(self, key: str, **parts: str) -> None:
        if self.unit.card.app_running:
            self.unit.log(key, **parts)

    # --- the card ---

    def app_started(self) -> None:
        """After a start of the app the card must find the UPS again."""
        self.unit.line.after(self.unit.knobs.comm_delay_s, self._found, self.unit.card.boots)

    def _found(self, boots: int) -> None:
        if boots == self.unit.card.boots:
            self.heard = True
            self.settle()

    def card_down(self) -> None:
        self.heard = False
        self._comm_was = False
        self.update.card_down()
        self.settle()
