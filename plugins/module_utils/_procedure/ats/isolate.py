# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Isolation (SAFETY 4.2). Only here is a person told to unplug, and only on a full window.

Private to the collection.
"""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Health, Preferred, Redundancy, Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import span_text
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.ready import (
    DOUBT_S,
    Waiter,
    may_reconnect_untouched,
    wait_out_transfer,
    wait_permitted,
    wait_ready,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop


def refuse_unconfirmed(unit: Unit, verdict: Verdict) -> None:
    """Before anybody moves a plug: the word that the upgrade will ask for must be there already."""
    for check in unit.verdict().failing:
        if check.id.endswith("_confirmed") and not check.ok:
            raise Stop("refused", f"{check.id}: {check.observed}", unit.verdict())


def isolate(unit: Unit) -> Verdict:
    """Step 2. Returns the permitting verdict; every permission and its withdrawal are in the evidence."""
    ready = wait_ready(unit)
    final = unit.verdict()
    if final.permitted:
        unit.record("isolated")
        return final
    refuse_unconfirmed(unit, ready)
    if unit.options.method in (Method.APP_ONLY, Method.RECOVERY):
        return wait_permitted(unit, False, DOUBT_S)
    guide = _Guide(unit)
    end = unit.clock.now() + unit.options.action_timeout_s
    while True:
        final = unit.verdict()
        if final.permitted:
            unit.record("isolated")
            unit.say("isolated: touch nothing else until this run says so", "isolated")
            return final
        guide.look()
        if unit.clock.now() >= end:
            guide.withdraw("the time to do it is over")
            raise Stop(
                "refused", f"not isolated in {unit.options.action_timeout_s:.0f} s: {'; '.join(final.reasons)}", final
            )
        guide.waiter.step(final)


class _Guide:
    """Says what the person may do now, and takes it back at once when readiness breaks."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.waiter = Waiter(unit, after_restart=True)
        self.waiter.before_login = self._before_login
        self.waiter.patient = False
        self.allowed = False
        self.putting_back = False
        self.limit = span_text(unit.options.action_timeout_s)

    def _before_login(self) -> None:
        if self.allowed:
            self.withdraw("the event log has to be read again")

    def look(self) -> None:
        unit = self.unit
        before = unit.verdict(before_action=True)
        disturbed = before.check("undisturbed")
        if disturbed is not None and not disturbed.ok:
            self.withdraw(disturbed.observed)
            raise Stop("refused", f"undisturbed: {disturbed.observed}", before)
        if unit.options.method is Method.NO_LOAD:
            self._look_no_load(before)
            return
        primary = unit.options.primary
        if primary is None:
            raise Stop("refused", "primary_source is needed: it names the input that stays", before)
        self._look_single_source(before, primary, unit.observer.newest)

    def _still_ready(self) -> bool:
        """The peers, and then this unit once more: a permission rests on a reading of now."""
        if self.unit.peers:
            self.unit.check_peers()
            self.unit.observer.fresh()
        return self.unit.verdict(before_action=True).ready

    def _look_no_load(self, before: Verdict) -> None:
        unit = self.unit
        if before.ready and not self.allowed and self._still_ready():
            self.allowed = True
            unit.record("permission_unload")
            unit.say("you may shut down and disconnect all loads now; leave both inputs as they are", "permission")
        elif before.blocking:
            self.withdraw(before.blocking[0].observed)
        check = unit.verdict().check("load_zero")
        if self.allowed and check is not None and not check.ok:
            unit.say(f"load not zero yet: {check.observed}", "watching")

    def _look_single_source(self, before: Verdict, primary: Source, sample: Sample) -> None:
        unit, secondary = self.unit, primary.other.name
        source = sample.ats.input(primary.other)
        live = source.status.is_(Health.OK) and not sample.ats.redundancy.is_(Redundancy.LOST)
        if before.blocking:
            gone = before.check("primary_healthy")
            if sample.answered and gone is not None and not gone.ok and not gone.missing:
                self.withdraw(self._primary_gone(primary, sample))
            else:
                self.withdraw(before.blocking[0].observed)
            return
        if not before.ready:
            if live and self.allowed:
                self.withdraw("the measurement was interrupted, wait")
            elif not live:
                unit.say(f"source {secondary} reads {source.status.shown()}, measuring, touch nothing", "watching")
            return
        if live:
            if not self.allowed:
                # The plug is still in: the whole window was seen with the primary healthy and carrying the load.
                if not self._still_ready():
                    return
                self.allowed, self.putting_back = True, False
                unit.record("permission_disconnect", source=secondary)
                unit.say(f"you may disconnect source {secondary} now (within {self.limit})", "permission")
            unit.say(f"source {secondary} still live: {source.voltage_v.shown('V')}", "watching")
            return
        self._ask_to_witness(before, primary)

    def _primary_gone(self, primary: Source, sample: Sample) -> str:
        text = f"source {primary.name}, which has to stay, is gone. If it was the wrong plug, put it back"
        if sample.ats.settings.preferred_source.is_(Preferred.NONE):
            text += "; the unit prefers none and will not move the load back: name the other input primary"
        return text

    def _ask_to_witness(self, before: Verdict, primary: Source) -> None:
        """A unit that shows no voltage when dead must be seen going dead by this process (SAFETY 3, secondary_dead)."""
        unit, secondary = self.unit, primary.other.name
        check = unit.verdict().check("secondary_dead")
        if check is None or check.ok or check.missing or "put it back" not in check.observed or self.putting_back:
            return
        unit.read_log(patient=False)
        if not wait_out_transfer(unit) or not may_reconnect_untouched(unit):
            raise Stop(
                "refused", f"secondary_dead: {check.observed}; but this run cannot prove that it may go back in", before
            )
        self.putting_back, self.allowed = True, False
        unit.record("permission_reconnect", source=secondary)
        unit.say(
            f"you may reconnect source {secondary} now: put it back, wait for 'you may disconnect', unplug it again",
            "permission",
        )

    def withdraw(self, why: str) -> None:
        unit = self.unit
        key = f"withdrawn {why[:40]}"
        if self.allowed:
            self.allowed = False
            unit.record("permission_withdrawn", reason=why)
        again = "you may shut down" if unit.options.method is Method.NO_LOAD else "you may disconnect"
        unit.say(f"STOP, DO NOT PULL: {why}. Touch nothing else until this run says '{again}' again", key)
