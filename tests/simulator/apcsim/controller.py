# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small controller that does the switching, and the download into it (BULLETINS.md, the AP7723 thread).

The app boots, establishes communication, reads the revision, and 0..180 s later downloads if that is older than the
revision it bundles: at every boot, until it matches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .firmware import rank
from .mishaps import KILLED

if TYPE_CHECKING:
    from .model import Unit

NEVER, ESTABLISHED, LOST = 1, 2, 3
LOST_AFTER_S = 20.0  # a controller that falls silent is reported lost so much later [?]


class Controller:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        facts = (unit.device.ats or {}).get("controller", {})
        self.alive: bool = facts.get("alive", True)
        self.revision: str = facts.get("revision", "")
        self.comm: int = facts.get("comm", ESTABLISHED)
        self.half = False  # a download was interrupted; the next one starts over
        self.downloading = False
        self.download_ends_s = 0.0
        self.download_begins_s: float | None = None  # planned within this boot of the app
        self.attempts = 0
        self.revivals = 0  # attempts that had all that the advised recovery asks for
        self.fail_next = False
        self.rested = False  # was long enough without power since it died
        self.unpowered_since_s: float | None = None
        self.checked = True  # this boot's look at the revision is over
        self._cached_until_s = -1e9
        self._boot = 0  # events of an earlier boot of the card are void

    @property
    def switches(self) -> bool:
        return self.alive and not self.half and not self.downloading

    @property
    def answers(self) -> bool:
        power, broken = self.unit.power, "communication_lost" in self.unit.faults.active
        return self.alive and not self.half and power.powered and not power.damaged and not broken

    @property
    def outdated(self) -> bool:
        """The next start of the app that is installed now would download."""
        bundled = self.unit.card.bundled
        return bool(bundled) and (not self.alive or self.half or rank(self.revision) < rank(bundled))

    @property
    def download_coming(self) -> bool:
        """A download goes on, is planned, or will follow in this boot: the model knows its own future."""
        if self.downloading or self.download_begins_s is not None:
            return True
        card = self.unit.card
        if card.gone or not card.compatible or not self.outdated:
            return False
        return not self.checked or bool(card.own_restarts) or card.own_restart_due_s is not None

    @property
    def reading(self) -> int:
        """The communication object."""
        if "communication_lost" in self.unit.faults.active:
            return LOST
        if self.cached:
            return ESTABLISHED
        if self.downloading:
            during = self.unit.knobs.comm_during_download
            return {"established": ESTABLISHED, "lost": LOST}.get(during, self.comm)
        return self.comm

    @property
    def cached(self) -> bool:
        """The app has just started and shows what it knew before: nobody has talked to the controller yet [?]."""
        return not self.checked and self.unit.now < self._cached_until_s

    @property
    def fresh(self) -> bool:
        """The card really hears from the controller."""
        return self.comm == ESTABLISHED and not self.downloading and not self.cached and self.answers

    # --- the card's side ---

    def card_down(self) -> None:
        self._boot += 1
        self.checked = False
        self.download_begins_s = None
        if self.downloading:
            self.unit.note("download interrupted by a restart of the card")
            self.downloading, self.half = False, True
            self.unit.power.settle()

    def app_started(self, cold: bool) -> None:
        if self.unit.device.ats is None:
            return
        knobs = self.unit.knobs
        self.comm = knobs.comm_before if cold else knobs.comm_before_warm
        self._cached_until_s = self.unit.now + knobs.comm_cached_s
        self.unit.changed()
        if knobs.comm_cached_s:
            self.unit.line.after(knobs.comm_cached_s, self.unit.changed)
        self.unit.line.after(knobs.comm_delay_s, self._establish, self._boot)

    def _establish(self, boot: int) -> None:
        if boot != self._boot:
            return
        unit = self.unit
        was = self.comm
        self.checked = True
        if self.answers:
            self.comm = ESTABLISHED
            unit.publish(now=True)
            if was != ESTABLISHED:
                unit.log_ats("comm_established")
            if self.fail_next and self.outdated:  # the real unit logged the displays first, the download later
                self._displays_fail()
        elif not self.half:
            self.comm = unit.knobs.comm_when_dead
            self._displays_fail()
        unit.changed()
        if self.outdated:
            self.download_begins_s = unit.now + unit.knobs.download_delay_s
            unit.line.at(self.download_begins_s, self._begin, boot)
        unit.faults.happened("comm_up")

    def _begin(self, boot: int) -> None:
        if boot != self._boot:
            return
        unit = self.unit
        self.download_begins_s = None
        self.attempts += 1
        unit.log_ats("download_begun")
        unit.note("controller download begun")
        if self.fail_next or not self._takes_firmware():
            if unit.power.unsafe and unit.knobs.failed_attempt_chatters:
                unit.power.damage("a failing download attempt with both sources live and a load attached")
            unit.log_ats("download_failed")
            unit.note("controller download failed")
            if self.fail_next or not self.alive:
                if self.alive:
                    unit.mishaps.add(KILLED, "a download attempt failed", unit.now, unit.serial)
                self.alive = False
                self.comm = LOST
            self.fail_next = False
            unit.log_ats("comm_lost")
            if unit.knobs.download_retry_s and not unit.power.damaged:
                self.download_begins_s = unit.now + unit.knobs.download_retry_s
                unit.line.at(self.download_begins_s, self._begin, boot)
            unit.power.settle()
            unit.faults.happened("download_failed")
            return
        self.downloading = True
        self.download_ends_s = unit.now + unit.knobs.download_s
        unit.line.at(self.download_ends_s, self._end, boot)
        unit.faults.happened("download_begun")
        unit.power.settle()

    def _takes_firmware(self) -> bool:
        if self.unit.power.damaged or "communication_lost" in self.unit.faults.active:
            return False
        if self.alive:
            return True
        # "a factory reset or a power cycle alone did not" help; the advised recovery sends the app again after the rest
        if not (self.unit.knobs.controller_recoverable and self.rested and self.unit.card.app_sent_since_power_on):
            return False
        self.revivals += 1
        return self.revivals >= self.unit.knobs.revives_at_attempt

    def _end(self, boot: int) -> None:
        if boot != self._boot or not self.downloading:
            return
        unit = self.unit
        self.downloading = self.half = False
        self.alive, self.rested = True, False
        self.revision = unit.card.bundled or self.revision
        unit.note(f"controller download ended, revision {self.revision}")
        if unit.knobs.success_row:
            unit.log_ats("download_success")
        unit.power.display_ok = "display_failure" not in unit.faults.active
        gap = unit.knobs.comm_gap_after_download_s
        if gap or self.comm != ESTABLISHED:
            self.comm = LOST if gap else self.comm
            unit.line.after(gap, self._establish, boot)
        if unit.knobs.settings_lost_by_flash:
            unit.settings.reset(unit.now)
        if unit.knobs.name_lost_by_flash:
            unit.lose_name()
        unit.power.settle()
        unit.faults.happened("download_end")

    # --- power and death ---

    def kill(self, why: str) -> None:
        if not self.alive and not self.downloading:
            return
        was_downloading = self.downloading
        self.alive = self.downloading = self.half = False
        self.rested = False
        self.unit.note(f"controller dead: {why}")
        self.unit.mishaps.add(KILLED, why, self.unit.now, self.unit.serial)
        if was_downloading and any(source.powers for source in self.unit.power.inputs.values()):
            self.unit.log_ats("download_failed")
        self.unit.line.after(LOST_AFTER_S, self._silent, self._boot)
        self.unit.changed()

    def _silent(self, boot: int) -> None:
        if boot == self._boot and self.comm == ESTABLISHED and not self.answers:
            self.comm = LOST
            self.unit.log_ats("comm_lost")
            self._displays_fail()

    def _displays_fail(self) -> None:
        self.unit.power.display_ok = False
        self.unit.log_ats("display_leds")
        self.unit.log_ats("display_7segment")
        self.unit.publish()
        self.unit.changed()

    def link_back(self) -> None:
        """A broken connection between card and controller is whole again."""
        if self.comm != ESTABLISHED and self.checked and self.unit.card.app_running and self.answers:
            self.unit.line.after(self.unit.knobs.comm_delay_s, self._establish, self._boot)

    def power_lost(self) -> None:
        self.unpowered_since_s = self.unit.now

    def power_returned(self) -> None:
        if self.unpowered_since_s is not None and not self.alive:
            self.rested = self.unit.now - self.unpowered_since_s >= self.unit.knobs.rest_needed_s
            knobs = self.unit.knobs
            if self.rested and knobs.revives_by_cold_start and knobs.controller_recoverable:
                self.alive, self.rested = True, False
                self.unit.power.display_ok = "display_failure" not in self.unit.faults.active
                self.unit.note("controller revived by the cold start")
        self.unpowered_since_s = None
