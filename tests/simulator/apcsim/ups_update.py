# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update of a UPS's own firmware through its card: U.6.2.9, the file in ``upsfw``, and what can be lost by it.

starting -> transferring (card to UPS) -> flashing (the UPS by itself) -> restarting -> over. An interruption leaves a
UPS without firmware (knob); a file that is refused never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ups_files import NAME, BadUpsFile, UpsFile, parse_ups_file

if TYPE_CHECKING:
    from .ups import Ups

NONE, START, IN_PROCESS, SUCCESSFUL, FAILED = 1, 2, 3, 4, 5
WORDS = {NONE: "none", START: "start", IN_PROCESS: "in_process", SUCCESSFUL: "successful", FAILED: "failed"}
TRANSFER_SHARE = 0.6  # [?] of the whole time
COMM_LOST_SHARE = 0.3  # where the fault update_comm_lost strikes
AFTER_REJECTION_S = 30.0  # [?] communication is lost at the end of the published failure
REJECT_S = 20.0  # [?] the published failure took less than a minute
FAULTS = ("update_rejected", "update_comm_lost", "update_left_off", "update_stalls", "update_wrong_version")


class Update:
    def __init__(self, ups: Ups) -> None:
        self.ups = ups
        self.unit = ups.unit
        self.shown = NONE
        self.phase = ""  # "", starting, transferring, flashing, restarting
        self.file: tuple[str, bytes] | None = None  # what lies in upsfw
        self.with_output = False  # runs without battery protection
        self.started_s: float | None = None
        self.ended_s: float | None = None
        self.sent: str | None = None
        self.outcome: str | None = None
        self._on_battery = self._turned_off = self._forgotten = False
        self._plan: dict[str, dict[str, Any]] = {}
        self._run = 0
        self._quiet_until_s = -1.0
        self._moment: list[str] = []
        self._new: UpsFile | None = None

    @property
    def running(self) -> bool:
        return self.phase in ("starting", "transferring", "flashing")

    @property
    def comm_lost(self) -> bool:
        mode = self.unit.knobs.ups_comm_in_update
        if self.unit.now < self._quiet_until_s:
            return True
        if self.phase == "transferring":
            return mode == "all"
        return self.phase in ("flashing", "restarting") and mode != "kept"

    # --- what the card is told ---

    def set(self, value: int | bytes | tuple[int, ...]) -> tuple[str, bool]:
        """SET of U.6.2.9: (error or "", taken)."""
        active = self.unit.faults.active
        if not isinstance(value, int):
            return "wrongType", False
        if "set_refused" in active:
            return str(active["set_refused"].get("error", "noAccess")), False
        if value not in (NONE, START):
            return "wrongValue", False
        if "set_ignored" in active or self.phase:
            return "", False
        if value == NONE:
            self.shown = NONE
        else:
            self._start()
        return "", True

    def stored(self, directory: str, name: str, data: bytes) -> None:
        """Only what lies in upsfw is found, and only the last file of it."""
        if directory == "upsfw":
            self.file = (name, data)

    def cut(self, directory: str, name: str, data: bytes) -> None:
        """A transfer into upsfw that was cut: the old file is gone either way."""
        if directory == "upsfw":
            self.file = (name, data) if self.unit.knobs.upsfw_cut_keeps_part and data else None

    # --- the run ---

    def _start(self) -> None:
        knobs = self.unit.knobs
        self._run += 1
        self.phase, self.started_s, self.ended_s = "starting", round(self.unit.now, 3), None
        self.sent = self.file[0] if self.file else None
        self.outcome, self._new = None, None
        self.with_output = self._turned_off = self._forgotten = False
        self._moment = self._judge_moment()
        self.unit.note("UPS firmware update told to start")
        if knobs.ups_update_answer == "at_once":
            self._begin(self._run)
            return
        if knobs.ups_update_answer == "start":
            self.shown = START
        self.unit.line.after(knobs.ups_update_answer_s, self._begin, self._run)

    def _begin(self, run: int) -> None:
        if run != self._run or self.phase != "starting":
            return
        ups, unit = self.ups, self.unit
        if self.file is None or not NAME.match(self.file[0]):
            ups.log("ups_no_firmware")
            self._over("no valid firmware", unit.knobs.ups_no_file_state)
            return
        self.sent = self.file[0]
        self._on_battery = not ups.mains
        for what in self._moment:
            ups.violate(what, self.sent)
        if not ups.comm:
            self._fail("no communication with the UPS")
            return
        self._plan = {name: unit.faults.active[name] for name in FAULTS if name in unit.faults.active}
        for name in self._plan:
            unit.faults.spent(name)
        if ups.switched_on and ups.allows_output_on:
            self.with_output = True
        elif ups.switched_on and unit.knobs.update_with_output_on == "refuses":
            self._fail("refused: the output is on")
            return
        elif ups.switched_on:
            self._turned_off = True
            ups.violate("update_turned_output_off", f"load {ups.load_percent:g} %")
            ups.log("ups_graceful_ended")
            ups.switched_on = False
            ups.settle()
        self.phase, self.shown = "transferring", IN_PROCESS
        ups.log("ups_transferring")
        unit.faults.happened("update_begun")
        try:
            self._new = self._accepted()
        except BadUpsFile as bad:
            unit.line.after(REJECT_S, self._reject, run, str(bad))
        else:
            self._schedule(run)
        ups.settle()

    def _judge_moment(self) -> list[str]:
        """What forbids an update, at the moment of the SET: what comes later is nobody's fault."""
        names = ("on_battery", "low_battery", "bypass", "self_test", "calibration", "shutdown_pending")
        wrong = [f"update_while_{name}" for name in names if getattr(self.ups, name)]
        return wrong if self.ups.comm else [*wrong, "update_without_comm"]

    def _accepted(self) -> UpsFile:
        assert self.file is not None
        name, data = self.file
        new = parse_ups_file(data)
        named = NAME.match(name)
        if named is None or (named[1].upper(), *map(int, named.groups()[1:])) != (new.series, new.id, *new.version):
            raise BadUpsFile("the name and the header differ")
        if new.id != self.ups.id:
            raise BadUpsFile(f"for ID{new.id}, not for ID{self.ups.id}")
        if new.series != self.ups.series:
            raise BadUpsFile(f"for {new.series}, not for {self.ups.series}")
        if "update_rejected" in self._plan:
            raise BadUpsFile("rejected")
        return new

    def _schedule(self, run: int) -> None:
        line, total_s = self.unit.line, self.unit.knobs.ups_update_s
        if "update_comm_lost" in self._plan:
            line.after(total_s * COMM_LOST_SHARE, self._lose_comm, run)
        if "update_stalls" in self._plan:
            return
        line.after(total_s * TRANSFER_SHARE, self._transferred, run)
        line.after(total_s, self._finish, run)

    def _lose_comm(self, run: int) -> None:
        if run == self._run and self.running:
            self.unit.fault("communication_lost", for_s=self._plan["update_comm_lost"].get("for_s"))

    def _transferred(self, run: int) -> None:
        if run == self._run and self.phase == "transferring":
            if "communication_lost" in self.unit.faults.active:
                return  # nothing arrived: _finish judges it
            self.ups.log("ups_transferred", result="Success")
            self.phase = "flashing"
            self.unit.faults.happened("update_transferred")
            self.ups.settle()

    def _finish(self, run: int) -> None:
        if run != self._run or not self.running:
            return
        ups, unit = self.ups, self.unit
        if "communication_lost" in unit.faults.active:
            lost = self._plan.get("update_comm_lost")
            if lost is not None and lost.get("for_s") is None:
                self._fail("communication lost")
            else:
                unit.line.after(1.0, self._finish, run)
            return
        if not ups.mains:
            self._interrupted("the input was still out at the end", always=True)
            return
        if self.phase == "transferring":
            ups.log("ups_transferred", result="Success")
        self.shown = NONE if self._forgotten else SUCCESSFUL
        self.phase = "restarting"
        if unit.knobs.ups_firmware_lag_s > 0:
            unit.line.after(unit.knobs.ups_firmware_lag_s, self._restarted, run)
            ups.settle()
        else:
            self._restarted(run)

    def _restarted(self, run: int) -> None:
        if run != self._run or self.phase != "restarting":
            return
        ups = self.ups
        if "update_wrong_version" not in self._plan and self._new is not None:
            tail = " " if ups.firmware.endswith(" ") else ""
            ups.firmware = self._new.firmware + tail
        if "update_left_off" in self._plan:
            ups.switched_on = False
        elif not self.with_output:
            self._output_again()
        self._over("successful", self.shown)

    def _output_again(self) -> None:
        if self.unit.knobs.output_after_update == "returns":
            self.ups.switched_on = True

    # --- how it ends ---

    def _reject(self, run: int, why: str) -> None:
        if run == self._run and self.running:
            self.ups.log("ups_transferred", result="Xmodem Cancel")
            if self.unit.knobs.ups_comm_in_update != "kept":
                self._quiet_until_s = self.unit.now + AFTER_REJECTION_S
                self.unit.line.after(AFTER_REJECTION_S, self.ups.settle)
            self._fail(f"rejected: {why}")

    def _fail(self, why: str) -> None:
        ups = self.ups
        ups.log("ups_transfer_failed")
        ups.log("ups_file_failed", name=self.sent or "")
        if self._turned_off:
            self._output_again()
        self._over(why, NONE if self._forgotten else FAILED)

    def _interrupted(self, why: str, always: bool = False) -> None:
        """``always``: whatever the knob says."""
        ups = self.ups
        if self.with_output:
            ups.drop_load(f"{why}: no battery protection during the update")
        if always or self.unit.knobs.update_power_loss == "bricked":
            ups.brick(f"update interrupted: {why}")
        self._fail(why)

    def _over(self, outcome: str, shown: int) -> None:
        self.outcome, self.ended_s, self.phase, self.shown = outcome, round(self.unit.now, 3), "", shown
        self.unit.note(f"UPS firmware update: {outcome}")
        self.unit.faults.happened("update_end")
        self.ups.settle()

    def settle(self) -> None:
        """Called with every change of the UPS."""
        ups = self.ups
        if self.phase not in ("transferring", "flashing"):
            return
        if self._on_battery:
            if ups.mains:
                self._on_battery = False
            elif not ups.powered:
                self._interrupted("the battery ran out", always=True)
        elif not ups.mains:
            self._interrupted("the input failed")

    def card_down(self) -> None:
        """The card sends the file: without it the UPS has half of one. Flashing needs no card."""
        self._forgotten = True
        if self.phase == "transferring":
            self._interrupted("the card went down")
        elif self.phase == "starting":
            self._over("the card went down", NONE)
        self.shown = NONE  # the card has forgotten

    def truth(self) -> dict[str, Any]:
        return {
            "state": WORDS[self.shown],
            "phase": self.phase or None,
            "started_s": self.started_s,
            "ended_s": self.ended_s,
            "file": self.sent,
            "in_upsfw": self.file[0] if self.file else None,
            "with_output_on": self.with_output,
            "outcome": self.outcome,
        }
