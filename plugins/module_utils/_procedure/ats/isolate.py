# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Isolation (SAFETY 4.2): the permission, the deed, and what takes them back. Only here is a person told to unplug."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method, supply_still_reads_ok
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import TRANSFER_WAIT_S, State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import BY_DEED, NO_LOAD, PermitState, What
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Preferred
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Asked
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import span_text
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.ready import DOUBT_S, Waiter, look, wait_ready
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop


def isolate(unit: Unit) -> Verdict:
    """Step 2. Returns the permitting verdict: promise, permission, deed, and every check over a whole window."""
    wait_ready(unit)
    return Isolating(unit).run()


class Isolating:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.waiter = Waiter(unit, after_restart=True)
        self.waiter.patient = False
        self.limit = span_text(unit.options.action_timeout_s)
        self.end_s = 0.0
        self.gone_since: float | None = None
        self.told_dark = False

    def run(self) -> Verdict:
        unit = self.unit
        by_deed = unit.permit.method in BY_DEED
        limit_s = DOUBT_S if by_deed and unit.said.beforehand().ok else unit.options.action_timeout_s
        self.end_s = unit.clock.now() + limit_s
        if by_deed:
            self._ask()
        while True:
            verdict = self._events()
            if verdict is not None:
                unit.say("isolated: touch nothing else until this run says so", "isolated")
                # Where the run ends otherwise its end says STOP first, and then takes the question down.
                unit.said.hearing.close()
                return verdict
            self._refuse_what_waiting_cannot_mend()
            self._tell()
            self.waiter.step(unit.verdict())
            unit.peers.look()

    def _events(self) -> Verdict | None:
        """Takes one event after the other until nothing follows; the permitting verdict once all holds."""
        unit = self.unit
        while True:
            seen = look(unit)
            self._report_refused_words()
            what = conduct.isolating(unit.permit, seen)
            if what is None:
                break
            self._take(what, seen)
        if unit.permit.state is PermitState.ISOLATED:
            verdict = unit.verdict()
            if verdict.permitted:
                return verdict
        return None

    def _take(self, what: What, seen: Seen) -> None:
        unit = self.unit
        if what is What.PERMISSION:
            self._permit(seen)
        elif what is What.WITHDRAW:
            self._withdraw(seen)
        elif what is What.READS_IN:
            self._reads_in()
        elif what is What.DARK:
            unit.keeper.take(what, unit.dark.words(), "the rack may be dark")
        elif what is What.DEED_ENDS:
            unit.keeper.take(what, f"{unit.what_is_out()}: say again that it is so: {seen.deed_over}", seen.deed_over)
        elif what is What.DEED:
            unit.said.take_deed()
        elif what is What.AGAIN:
            unit.keeper.send(what)
        elif what is What.READS_OUT:
            unit.keeper.send(what)
            self._ask()
        else:
            unit.keeper.send(what)

    # -- giving --------------------------------------------------------------------------------------------------

    def _permit(self, seen: Seen) -> None:
        unit = self.unit
        unit.peers.look(now_needed=True)

        def still() -> bool:
            # The permission rests on a reading of now, and the peers took their time.
            unit.observer.fresh()
            now = look(unit)
            return now.ready and now.out == seen.out and not now.bad

        if unit.keeper.give(What.PERMISSION, self._permission_words(seen), still):
            self._ask()

    def _permission_words(self, seen: Seen) -> str:
        unit = self.unit
        if unit.rests_on == NO_LOAD:
            if seen.out:
                return (
                    "the load reads 0. Disconnect every load, also what reads as 0 A, and leave both inputs as they "
                    "are; then say so"
                )
            return "you may shut down and disconnect all loads now; leave both inputs as they are"
        name = unit.secondary_name()
        if seen.out:
            return self._pull_words(unit.observer.newest)
        return f"you may disconnect source {name} now (within {self.limit})"

    def _ask(self) -> None:
        """The question stands from ``open`` on."""
        unit = self.unit
        unit.said.hearing.open(
            Asked(unit.rests_on, "" if unit.rests_on == NO_LOAD else unit.secondary_name(), unit.permit.number)
        )

    # -- taking back ---------------------------------------------------------------------------------------------

    def _withdraw(self, seen: Seen) -> None:
        unit = self.unit
        again = "you may shut down" if unit.rests_on == NO_LOAD else "you may disconnect"
        why = seen.bad or "the measurement was interrupted"
        until = f"Touch nothing until this run says '{again}' again"
        unit.keeper.take(What.WITHDRAW, f"STOP, DO NOT PULL: {why}. {until}", why)
        unit.said.hearing.close()

    def _reads_in(self) -> None:
        unit, was = self.unit, self.unit.permit.state
        if was not in (PermitState.OUT, PermitState.ISOLATED):
            # Nobody has said that it is out yet; it is only noted from when on a deed counts.
            unit.keeper.take(What.READS_IN, "", "it reads live")
            return
        if unit.rests_on == NO_LOAD:
            words = "STOP: a load is on. The word that none is connected counts no more: shut it down and disconnect it"
        else:
            words = f"STOP: source {unit.secondary_name()} reads live. The word that it is out counts no more"
            if was is PermitState.ISOLATED:
                words += "; touch nothing until this run says 'you may disconnect' again"
        unit.keeper.take(What.READS_IN, words, "it reads live")

    # -- telling -------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        unit, sample = self.unit, self.unit.observer.newest
        if unit.dark.state() is not None:
            unit.say(unit.dark.words(), "dark")
            return
        if self._look_at_primary(sample):
            return
        state = unit.permit.state
        if state in (PermitState.OPEN, PermitState.OUT):
            self._repeat(sample)
        else:
            verdict = unit.verdict(before_action=True)
            waiting = "; ".join(f"{check.id}: {check.observed}" for check in verdict.failing if not check.pending)
            stable = verdict.check("stable")
            unit.say(f"measuring, touch nothing: {waiting or (stable.observed if stable else '')}", "measuring")

    def _repeat(self, sample: Sample) -> None:
        """The standing permission, when it was measured, and the time that is left (SAFETY 4.2)."""
        unit = self.unit
        left = span_text(max(0.0, self.end_s - unit.clock.now()))
        if unit.permit.state is PermitState.OPEN:
            if unit.rests_on == NO_LOAD:
                shown = unit.verdict().check("load_zero")
                text = f"load not zero yet ({shown.observed if shown else ''}); the loads may be disconnected"
            else:
                name = unit.secondary_name()
                voltage = sample.ats.input(unit.secondary()).voltage_v.shown("V")
                text = f"source {name} still live: {voltage}; it may be disconnected"
            unit.repeat(f"{text}, {left} left", "watching")
            return
        if unit.permit.deed:
            stable = unit.verdict().check("stable")
            unit.repeat(f"the word was taken; measuring, keep it so: {stable.observed if stable else ''}", "watching")
            return
        unit.repeat(f"{self._deed_question(sample)}, {left} left", "watching")

    def _deed_question(self, sample: Sample) -> str:
        unit = self.unit
        ways = "; ".join(unit.said.ways().lines())
        if unit.rests_on == NO_LOAD:
            return f"disconnect every load, also what reads as 0 A, then say so: {ways}"
        return f"{self._pull_words(sample)}: {ways}"

    def _pull_words(self, sample: Sample) -> str:
        unit = self.unit
        words = (
            f"source {unit.secondary_name()} reads dead. PULL ITS PLUG NOW if it is still in, then say that it is out"
        )
        if supply_still_reads_ok(sample, unit.secondary()):
            words += " (its 24 V supply still reads ok: look again which plug is out)"
        return words

    def _report_refused_words(self) -> None:
        unit = self.unit
        for text in unit.said.hearing.refusals:
            unit.say(text, "")
            unit.record("word_refused", reason=text[:200])
        unit.said.hearing.refusals.clear()

    def _look_at_primary(self, sample: Sample) -> bool:
        """The primary went while something may be pulled: put it back, but not within 35 s of the unit's own transfer,
        unless the load is dark (FA156201). True: said, and nothing beside it may say otherwise."""
        unit, primary = self.unit, self.unit.primary
        if unit.rests_on == NO_LOAD or primary is None or unit.permit.state is not PermitState.WITHDRAWN:
            self.gone_since = None
            return False
        if not sample.answered or unit.reads_live(primary):
            self.gone_since = None
            return False
        now = unit.clock.now()
        self.gone_since = now if self.gone_since is None else self.gone_since
        dark = not unit.reads_live(primary.other)
        text = f"source {primary.name} is dead: if you pulled it, "
        if dark or now - self.gone_since >= TRANSFER_WAIT_S:
            text += "put it back, and touch nothing until this run says 'you may disconnect' again"
        else:
            left = TRANSFER_WAIT_S - (now - self.gone_since)
            text += f"touch nothing for {left:.0f} s more: the unit has just moved the load"
        if sample.ats.settings.preferred_source.is_(Preferred.NONE):
            text += "; it prefers none and will not move the load back: name the other input primary"
        unit.say(text, "primary gone")
        return True

    # -- ending --------------------------------------------------------------------------------------------------

    def _refuse_what_waiting_cannot_mend(self) -> None:
        unit = self.unit
        before = unit.verdict(before_action=True)
        if unit.evidence_lost and unit.sent.nothing:
            raise Stop("state", unit.evidence_lost, before)
        disturbed = before.check("undisturbed")
        if disturbed is not None and not disturbed.ok:
            raise Stop("refused", f"undisturbed: {disturbed.observed}", before)
        if unit.primary is None and unit.options.method is Method.SINGLE_SOURCE:
            raise Stop("refused", "primary_source is needed: it names the input that stays", before)
        if unit.clock.now() >= self.end_s:
            final = unit.verdict()
            if unit.permit.stands:
                words = "STOP, DO NOT PULL: the time to do it is over. Touch nothing"
                unit.keeper.take(What.WITHDRAW, words, "the time to do it is over")
            asked = unit.permit.was_out and not unit.permit.deed
            raise Stop(
                "refused",
                f"not isolated in {self.limit}: {'; '.join(final.reasons)}",
                final,
                State.DEED_TIME_OVER if asked else None,
            )
