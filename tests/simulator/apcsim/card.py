# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management card: AOS and app, restarts, the installation of a module, sysDescr."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .firmware import BadModule, Module, parse_module
from .shown import JUNK_SERIAL

if TYPE_CHECKING:
    from .model import Unit

UPTIME_AT_FIRST_ANSWER_S = 5.0  # the AOS has run for a moment before the network is up
WATCHDOG_S = 9.5 * 60  # NMC.md
LOOP_UP_S, LOOP_DOWN_S = 10.0, 30.0  # FA156135: answers for about 10 s before each restart


class Card:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        facts = unit.device.card
        self.hardware: str = facts["hardware"]
        self.boot_monitor: str = facts["boot_monitor"]
        self.model: str = facts["model"]
        self.aos: str = facts["aos"]["version"]
        self.aos_file: str = facts["aos"]["file"]
        self.app_token: str = facts["app"]["token"]
        self.app: str = facts["app"]["version"]
        self.app_file: str = facts["app"]["file"]
        self.bundled: str = facts["app"].get("bundles", "")
        if unit.knobs.bundled_newer and self.bundled:
            self.bundled += ".1"  # newer than what the controller has
        self.up = True
        self.app_running = True
        self.app_starting = False
        self.boot_at_s = unit.now - unit.uptime_at_start_s
        self.boots = 1
        self.up_due_s: float | None = None
        self.gone = False  # will not come back
        self.looping = False
        self.last_transfer = 2
        self.app_sent_since_power_on = False
        self.own_restarts: list[float] = []  # how long the card stays up in each of its next starts
        self.own_restart_due_s: float | None = None
        self.restarts: list[dict[str, object]] = []
        self.ready_s = 0.0  # FTP answers 421 before
        self._boot = 0
        if unit.knobs.network_quiet:
            unit.line.after(WATCHDOG_S, self._watch, self._boot)

    # --- what it says ---

    @property
    def uptime_ticks(self) -> int:
        return int((self.unit.line.now - self.boot_at_s) * 100 + 0.5) & 0xFFFFFFFF

    @property
    def compatible(self) -> bool:
        """An app runs on the AOS of its own line; the last app on the next AOS perhaps (knob)."""
        if not self.app:
            return False
        return self.aos.split(".")[:2] == self.app.split(".")[:2] or self.unit.knobs.old_app_runs_on_new_aos

    @property
    def sys_descr(self) -> str:
        lead = self.unit.device.card.get("lead", "APC Web/SNMP Management Card")
        mark = f" {self.unit.simulated}" if self.unit.simulated else ""
        parts = [f"MB:v{self.boot_monitor}", f"PF:v{self.aos}", f"PN:{self.aos_file}"]
        knobs = self.unit.knobs
        trouble = not self.app_running and not self.app_starting and self.up
        if self.app and not (trouble and knobs.app_trouble_shown == "absent"):
            parts += [f"AF1:v{self.app}", f"AN1:{self.app_file}"]
        parts += [f"MN:{self.model}", f"HR:{self.unit.device.card['hardware_revision']}"]
        own = self.unit.shown.card or self.unit.serial
        prefix = self.unit.device.card.get("serial_prefix")
        if prefix:
            own = prefix + own[len(prefix) :]
        serial = {"same": own, "junk": JUNK_SERIAL, "absent": ""}[knobs.card_sn]
        if serial:
            parts.append(f"SN: {serial}")
        parts.append(f"MD:{self.unit.device.card['made']}")
        if trouble and knobs.app_trouble_shown == "letter":
            parts.append("P+ N+ A!")
        elif self.app_starting and knobs.starting_shown:
            parts.append("P+ N+ A?")
        return f"{lead}{mark} ({' '.join(parts)}){self.unit.device.card.get('tail', '')}"

    # --- restarts ---

    def go_down(self, why: str, cold: bool, down_s: float, listed: bool = True) -> None:
        unit = self.unit
        if listed:
            self.restarts.append({"time_s": round(unit.now, 3), "why": why, "cold": cold})
        unit.note(f"card down: {why}")
        self._boot += 1
        self.up = self.app_running = self.app_starting = False
        self.up_due_s = self.own_restart_due_s = None
        unit.sessions.card_down()
        unit.controller.card_down()
        if unit.ups is not None:
            unit.ups.card_down()
        unit.faults.happened("card_down")
        if self.gone or "card_does_not_come_back" in unit.faults.active:
            self.gone = True
        elif unit.power.powered:
            self.up_due_s = unit.now + down_s
            unit.line.at(self.up_due_s, self._come_up, self._boot, cold)
        unit.changed()

    def restart(self, why: str, cold: bool = False) -> None:
        """By itself, or because somebody asked: not because of a module."""
        if self.up or self.up_due_s is not None:
            self.go_down(why, cold, self.unit.knobs.boot_s)

    def power_lost(self) -> None:
        self.app_sent_since_power_on = False
        self.go_down("power lost", True, 0.0, listed=False)

    def power_on(self) -> None:
        self.restarts.append({"time_s": round(self.unit.now, 3), "why": "power returned", "cold": True})
        if not self.gone:
            self.up_due_s = self.unit.now + self.unit.knobs.boot_s
            self.unit.line.at(self.up_due_s, self._come_up, self._boot, True)

    def _come_up(self, boot: int, cold: bool) -> None:
        if boot != self._boot:
            return
        unit, knobs = self.unit, self.unit.knobs
        self.up, self.up_due_s = True, None
        self.boots += 1
        self.boot_at_s = unit.now - UPTIME_AT_FIRST_ANSWER_S
        self.ready_s = unit.now + knobs.ftp_ready_delay_s
        if cold:
            unit.cold_start()
        unit.log("cold_start" if cold else "warm_start")
        unit.note("card up")
        unit.traffic()
        if self.looping:
            unit.line.after(LOOP_UP_S, self._loop, self._boot)
        elif self.compatible:
            self.app_starting = True
            unit.line.after(knobs.app_start_s + knobs.app_start_more_s, self._start_app, self._boot, cold)
        if self.own_restarts and not self.looping:
            self.own_restart_due_s = unit.now + self.own_restarts.pop(0)
            unit.line.at(self.own_restart_due_s, self._own_restart, self._boot)
        if knobs.network_quiet:
            unit.line.after(WATCHDOG_S, self._watch, self._boot)
        unit.changed()
        unit.faults.happened("card_up")

    def _start_app(self, boot: int, cold: bool) -> None:
        if boot != self._boot:
            return
        self.app_running, self.app_starting = True, False
        self.unit.note(f"app {self.app} running")
        self.unit.changed()
        self.unit.controller.app_started(cold)
        if self.unit.ups is not None:
            self.unit.ups.app_started()
        self.unit.faults.happened("app_boot")

    def restart_again(self, up_s: Iterable[float]) -> None:
        """It restarts by itself after its next starts, each up for so long."""
        self.own_restarts += [float(seconds) for seconds in up_s]

    def _own_restart(self, boot: int) -> None:
        if boot == self._boot:
            self.restart("by itself")

    def _loop(self, boot: int) -> None:
        if boot == self._boot and self.looping:
            self.go_down("firmware of another generation", False, LOOP_DOWN_S)

    def _watch(self, boot: int) -> None:
        if boot != self._boot or not self.up:
            return
        due = self.unit.last_traffic_s + WATCHDOG_S
        if due <= self.unit.now + 1e-6:
            self.restart("watchdog: no network traffic for 9.5 minutes")
        else:
            self.unit.line.at(due, self._watch, boot)

    # --- firmware ---

    def install(self, name: str, data: bytes) -> Module:
        """Header and CRC; accepted: the card restarts at once. Raises BadModule."""
        unit = self.unit
        try:
            module = parse_module(name, data)
            any_hardware = unit.device.card.get("accepts_any_hardware", False)
            if module.hardware != self.hardware and not any_hardware:
                raise BadModule(f"not for this hardware: {module.hardware}", 7)
            if module.kind not in ("aos", "bootmon", self.app_token) and not any_hardware:
                raise BadModule(f"not for this device: {module.kind}", 7)
        except BadModule as bad:
            self._last_transfer(bad.result)
            raise
        self._last_transfer(1)
        unit.note(f"installed {name}")
        if not unit.faults.spent("comes_back_with_old_version"):
            self._take(module, name)
        unit.card_restarting(module)
        self.go_down(f"module {name}", False, unit.knobs.down_s)
        return module

    def _take(self, module: Module, name: str) -> None:
        if module.kind == "aos":
            self.aos, self.aos_file = module.version, name
        elif module.kind == "bootmon":
            self.boot_monitor = module.version
        else:
            self.app, self.app_file, self.bundled = module.version, name, module.controller
            self.app_sent_since_power_on = True
            self.own_restarts = []
            self.restart_again(self.unit.knobs.restarts_after_app)
        self.unit.shown.installed(module.kind, self.unit)
        if self.unit.device.card.get("accepts_any_hardware"):
            self.looping = self.aos.startswith("3.") or self.app.startswith("3.")  # FA156135

    def spoiled(self, module: str) -> None:
        """An AOS transfer that was cut may leave no AOS at all [?]."""
        if module == "aos" and self.unit.knobs.aos_cut_leaves_no_aos:
            self.gone = True
            self.go_down("no AOS", False, 0.0)

    def _last_transfer(self, result: int) -> None:
        if self.unit.knobs.last_transfer_updates:
            self.last_transfer = result
            self.unit.changed()

    def failed_transfer(self) -> None:
        self._last_transfer(3)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
