# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said from the app's last block until the unit has settled (SAFETY 4.6): it names what is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Redundancy

if TYPE_CHECKING:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit

LOAD_ON = "A LOAD IS ON: SHUT IT DOWN NOW, TOUCH NO INPUT"
AGAIN_S = 15.0
# What rests on no load here, an AOS that is in among it.
_AT_WORK = (PermitState.ISOLATED, PermitState.SENDING, PermitState.SETTLING)


class HandsOff:
    """Follows every sample, whatever step is under way: an app that is in may be flashing the controller."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        # The last one in which the ATS itself answered: a card that restarts says nothing of loads and inputs.
        self._last: Sample | None = None
        self._load_said_s: float | None = None

    def follow(self, sample: Sample) -> None:
        """A load that appears is said at once and again every 15 s."""
        unit, now = self.unit, self.unit.clock.now()
        if not sample.answered or not sample.app_answers:
            return
        self._last = sample
        sign = sign_of_load(sample.ats.load)
        if not sign or not self._needs_no_load():
            self._load_said_s = None
        elif self._load_said_s is None or now - self._load_said_s >= AGAIN_S:
            self._load_said_s = now
            unit.stop_words(f"{LOAD_ON} ({sign})")
            unit.record("load_on", observed=sign)

    def _needs_no_load(self) -> bool:
        """Is a file under way, or an app unsettled, that rests on no load?

        A unit that nothing was sent to, or whose return is over, has its load on by right.
        """
        unit = self.unit
        if unit.rests_on != NO_LOAD:
            return False
        permit = unit.permit
        return permit.unsettled or unit.keeper.open_app or (permit.rests_on == NO_LOAD and permit.state in _AT_WORK)

    def words(self) -> str:
        """What every line says until the unit has settled."""
        unit, last = self.unit, self._last
        dark = unit.dark.words()
        if dark:
            return dark
        if unit.rests_on == NO_LOAD:
            on = last is not None and bool(sign_of_load(last.ats.load))
            if on and unit.permit.unsettled:
                return LOAD_ON
            if on and not self._needs_no_load():
                return "TOUCH NO PLUG AND NO LOAD"
            return "CONNECT NO LOAD, TOUCH NO INPUT"
        loads = "CONNECT NO LOAD, " if unit.permit.loads_off else ""
        if last is not None:
            redundant = last.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT)
            if redundant or (unit.primary is not None and unit.reads_live(unit.primary.other, last)):
                # It is in already: what must not happen now is that somebody pulls it.
                return f"{loads}TOUCH NO PLUG, neither in nor out"
        return f"{loads}DO NOT RECONNECT"
