# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore: the one release, and the watching of what comes back (SAFETY 4.8)."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    Rules,
    controller_comm,
    in_range,
    primary_healthy,
    primary_selected,
    rules_of,
    secondary_dead,
    switch_healthy,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Return
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import TRANSFER_WAIT_S, State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import some_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, PermitState, What
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import failed_stands
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    Comm,
    Health,
    Preferred,
    Redundancy,
    Source,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.baseline import baseline, verify
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.entry import refuse_foreign
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import span_text
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.settle import settle
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

# SAFETY 4.8: fully redundant, and more than 60 s on top.
STEADY_S = 60.0
# A healthy sample each time over this long before the word is given again after it was withdrawn.
AGAIN_S = 30.0
LOADS_LAST = "the permit is closed; connect the rest before anybody starts another run"


def restore(unit: Unit) -> State:
    """Ends fully redundant, or with the word to connect the loads said to its end; the permit is closed then."""
    refuse_foreign(unit)
    _refuse_unsent(unit)
    settle(unit, "before reconnecting", strict=False)
    # Whatever ends the watch from here on, the whole reading included, ends what it has settled (SAFETY 4.8).
    breaks = unit.observer.breaks
    _refuse_unsent(unit)
    differences, failed, *_rest = verify(unit)
    if failed:
        raise Stop("state", "; ".join(failed), state=State.HARDWARE_FAILED, details={"differences": failed})
    critical = [text for text in differences if text.startswith(("preferred_source", "sensitivity", "transfer_range"))]
    if critical:
        raise Stop("state", "; ".join(critical), state=State.SETTINGS_DIFFER, details={"differences": critical})
    # The whole reading just taken was long on a slow card: the watch goes on from a sample of now.
    unit.observer.fresh()
    return Restoring(unit, breaks).run()


def wanted_versions(unit: Unit) -> bool:
    package, card = unit.package, unit.observer.newest.identity
    if package is None or package.aos is None or package.app is None:
        raise Stop("package", "the restore step needs the package that was sent")
    return bool(card.aos.version == package.aos.version and card.app.version == package.app.version)


def _refuse_unsent(unit: Unit) -> None:
    """Where the app was sent the wanted versions must run. Where nothing, or only the AOS, was sent it is the way "
    "back."""
    if unit.keeper.open_app or unit.app_was_sent():
        card = unit.observer.newest.identity
        if not wanted_versions(unit):
            raise Stop(
                "refused", f"the card runs AOS {card.aos.version} and app {card.app.version}, not the wanted versions"
            )


GOOD = {"input_a": "ok", "input_b": "ok", "redundancy": "fully redundant"}


class Restoring:
    """``source``: the input that is out, if one is. The loads come after it.

    ``breaks``: how often the watch had broken when the unit had settled.
    """

    def __init__(self, unit: Unit, breaks: int) -> None:
        self.unit = unit
        # SAFETY 4.8: after the dark rack, or a wrong plug, the input that is in is relied on and the other is released.
        self.turned = _primary_is_out(unit)
        kept = unit.primary.other if self.turned and unit.primary is not None else unit.primary
        self.source = kept.other if kept is not None else None
        self.rules = rules_of(Method.SINGLE_SOURCE, kept)
        self.loads = unit.rests_on == NO_LOAD or unit.permit.loads_off
        # With no load the inputs were left as they were; a cold start has left one of them out, and it comes first.
        self.plug = unit.rests_on != NO_LOAD or unit.permit.source_off
        self.given = False
        self.problem = ""
        self.again_s = 0.0
        self.fine_since: float | None = None
        self.back_since: float | None = None
        self.load_since: float | None = None
        self.loads_said = False
        self.seen_back = False
        self.breaks = breaks
        self.limit_s = unit.options.action_timeout_s
        self.end_s = unit.clock.now() + self.limit_s
        self.settled_anew_s = 0.0
        # With the returns in between: an end of its own.
        self.last_s = unit.clock.now() + 2 * self.limit_s
        if self.plug and self.source is None:
            raise Stop("refused", "primary_source is needed: it names the input that stays")

    def run(self) -> State:
        unit = self.unit
        while True:
            unit.stop_if_orphaned()
            sample = unit.observer.next()
            if unit.evidence_lost:
                self._withdraw(unit.evidence_lost)
                raise Stop("state", unit.evidence_lost)
            if unit.disturbance:
                self._withdraw(unit.disturbance)
                raise Stop("state", f"undisturbed: {unit.disturbance}")
            dark = unit.dark.words()
            if dark:
                # The permission is withdrawn by it; nothing beside it may say otherwise.
                self.fine_since = self.back_since = None
                unit.say(dark, "dark")
                self._refuse_late(sample)
                continue
            broken = self._broken(sample)
            if broken:
                self._withdraw(broken)
                self._settle_again(broken)
                continue
            done = self._look(sample)
            if done is not None:
                return done
            self._refuse_late(sample)

    def _broken(self, sample: Sample) -> str:
        if sample.answered and not sample.ats.controller_comm.is_(Comm.ESTABLISHED):
            return f"communication with the controller: {sample.ats.controller_comm.shown()}"
        if self.unit.observer.breaks != self.breaks:
            return "the watch over the controller was interrupted"
        return ""

    def _settle_again(self, why: str) -> None:
        """The permission rests on the settled condition: once that broke, it is observed in full again."""
        unit, began = self.unit, self.unit.clock.now()
        self.fine_since = self.back_since = None
        loads = "CONNECT NO LOAD, " if self.loads else ""
        unit.say(f"{why}: watching until it has settled again, {loads}TOUCH NO PLUG", f"again {why[:40]}")
        unit.carry.seconds = 0.0
        settle(unit, "before reconnecting", strict=False)
        # The person's time does not run while nobody may do anything; a unit that never rests comes to an end all the
        # same.
        took = min(unit.clock.now() - began, unit.options.controller_timeout_s - self.settled_anew_s)
        self.settled_anew_s += took
        self.last_s += took
        self.end_s = min(self.end_s + took, self.last_s)
        self.breaks = unit.observer.breaks

    def _look(self, sample: Sample) -> State | None:
        """One sample: gives, takes back, or ends."""
        unit, now = self.unit, self.unit.clock.now()
        back = self._back(sample, now)
        steady = back is not None and now - back > STEADY_S
        if steady and (self.loads or self.loads_said):
            done = self._loads(sample, now)
            if done is not None:
                return done
            steady = False
        self.problem = "" if back is not None else self._problem(sample)
        if back is None and not self.plug and not self.problem:
            self.problem = _inputs_problem(unit, sample, baseline(unit))
        fine = self._fine(now)
        seen = Return(
            holds=fine if back is None else steady or (self.loads and now - back > STEADY_S),
            broken=self.problem if back is None else "",
            steady=steady,
            due=back is None or (self.loads and not self.loads_said),
        )
        what = conduct.returning(unit.permit, seen)
        if what is What.WITHDRAW:
            self._withdraw(self.problem)
        elif what is What.RELEASE:
            self._release(back is not None)
        elif what is What.AGAIN:
            unit.keeper.send(what)
        elif what is What.BACK or (steady and unit.permit.state in (PermitState.NONE, PermitState.CLOSED)):
            unit.keeper.send(What.BACK)
            unit.say("fully redundant", "redundant")
            return State.REDUNDANT
        if back is None:
            self._guide(sample)
        return None

    # -- the source ----------------------------------------------------------------------------------------------

    def _back(self, sample: Sample, now: float) -> float | None:
        """Since when everything that was out reads as it should; None while something is out."""
        unit = self.unit
        if not self.plug:
            problem = _inputs_problem(unit, sample, baseline(unit))
            if problem:
                self.back_since = None
                unit.say(f"CONNECT NO LOAD: {problem}", "watching")
                return None
            self.back_since = now if self.back_since is None else self.back_since
            return self.back_since
        secondary = self._secondary()
        source = sample.ats.input(secondary)
        if not sample.answered:
            watched = unit.observer.watch().unbroken_since_s is not None
            if self.back_since is not None and watched:
                unit.say(f"source {secondary.name} is back, no answer for a moment; touch no plug", "watching")
                return self.back_since
            self.back_since = None
            return None
        if not source.status.is_(Health.OK):
            if source.status.is_(Health.FAIL) and not unit.reads_live(secondary, sample):
                self.seen_back = False
            self.back_since = None
            return None
        self.seen_back = True
        return self._in_order(sample, now)

    def _secondary(self) -> Source:
        if self.source is None:
            raise Stop("refused", "primary_source is needed: it names the input that stays")
        return self.source

    def _in_order(self, sample: Sample, now: float) -> float | None:
        unit, secondary = self.unit, self._secondary()
        source = sample.ats.input(secondary)
        voltage = source.voltage_v.or_none()
        inside, bounds = in_range(sample.ats, sample.ats.model, voltage, None) if voltage is not None else (False, "")
        healthy = primary_healthy(sample, self.rules).ok and switch_healthy(sample, self.rules).ok
        redundant = sample.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT)
        if not (inside and healthy and redundant):
            self.back_since = None
            unit.say(
                f"source {secondary.name} is back: {source.voltage_v.shown('V')} {bounds}, "
                f"redundancy {sample.ats.redundancy.shown()}; touch no plug",
                "watching",
            )
            return None
        self.back_since = now if self.back_since is None else self.back_since
        left = STEADY_S - (now - self.back_since)
        if left > 0:
            unit.say(f"source {secondary.name} is back, watching {left:.0f} s more; touch no plug", "watching")
        return self.back_since

    def _problem(self, sample: Sample, back: bool = False) -> str:
        """What stands against a release at this moment. ``back``: of the loads, behind a source that has returned."""
        unit = self.unit
        if not sample.answered:
            return "the card does not answer"
        selected = _selected if self.turned else primary_selected
        # A unit that prefers the source which is back may have moved to it: no plug is touched on this word any more.
        of_plug = (primary_healthy,) if back else (primary_healthy, selected)
        checks = [controller_comm, switch_healthy, *(of_plug if self.plug else ())]
        wrong = next((found for check in checks if not (found := check(sample, self.rules)).ok), None)
        if wrong is not None:
            return str(wrong.observed)
        if self.plug and self.seen_back and not back:
            return f"source {self._secondary().name} is in already"
        same = unit.same()
        if not same.ok:
            return same.observed
        facts, watch = unit.log.facts(), unit.observer.watch()
        if watch.unbroken_since_s is None:
            return "the measurement was interrupted"
        failed = failed_stands(facts, watch, True)
        return f"a failed download stands: {failed}" if failed else ""

    def _fine(self, now: float) -> bool:
        if self.problem:
            self.fine_since = None
            return False
        self.fine_since = now if self.fine_since is None else self.fine_since
        return now - self.fine_since >= self.again_s and not self._moved(now)

    def _moved(self, now: float) -> bool:
        """Has the unit gone to the other source a moment ago?"""
        transferred = self.unit.observer.transferred_s
        return transferred is not None and now - transferred < TRANSFER_WAIT_S

    def _unproved(self, sample: Sample) -> bool:
        """Just before anything is given: what the loop would take it back for at this very reading."""
        unit = self.unit
        return bool(self._broken(sample) or unit.disturbance or unit.evidence_lost or self._moved(unit.clock.now()))

    def _release(self, back: bool) -> None:
        """``back``: no source is out (any more), so what is released is the loads."""
        unit = self.unit
        if not self.plug or back:
            self._release_loads()
            return
        name = self._secondary().name

        def still() -> bool:
            sample = unit.observer.fresh()
            return not self._problem(sample) and not self._unproved(sample)

        words = f"you may reconnect source {name} now (within {span_text(self.limit_s)})"
        if unit.keeper.give(What.RELEASE, words, still, unit.said.given_words()):
            self.given = True

    def _guide(self, sample: Sample) -> None:
        unit = self.unit
        if not self.plug:
            return
        name = self._secondary().name
        if unit.permit.state is PermitState.RETURNING:
            left = span_text(max(0.0, self.end_s - unit.clock.now()))
            shown = sample.ats.input(self._secondary()).voltage_v.shown("V")
            unit.repeat(f"source {name} not back yet: {shown}; it may be reconnected, {left} left", "watching")
        elif self.seen_back:
            unit.say(f"source {name} is in: TOUCH NO INPUT PLUG, neither in nor out", "watching")
        else:
            why = f" ({self.problem})" if self.problem else ""
            unit.say(f"measuring, DO NOT RECONNECT source {name} yet{why}", "watching")

    # -- the loads -----------------------------------------------------------------------------------------------

    def _release_loads(self) -> None:
        unit = self.unit
        words = "you may connect the loads now"
        if unit.keeper.give(What.RELEASE, words, self._loads_may_come, unit.said.given_words()):
            self.given = self.loads_said = True

    def _loads_may_come(self) -> bool:
        """By a reading of now: the last thing before it is said."""
        unit = self.unit
        sample = unit.observer.fresh()
        if self._unproved(sample):
            return False
        if not self.plug:
            return not _inputs_problem(unit, sample, baseline(unit))
        return not self._problem(sample, back=True) and self._in_order(sample, unit.clock.now()) is not None

    def _loads(self, sample: Sample, now: float) -> State | None:
        """ "You may connect the loads", repeated until a load reads > 0 for 60 s or the time limit."""
        unit = self.unit
        if not self.loads_said and unit.permit.state is PermitState.RETURNING:
            # The source was released before; the loads come under the same permit, after the same measurement.
            unit.record_or_stop("loads_released")
            if self._loads_may_come() and unit.permission_words("you may connect the loads now"):
                self.loads_said = True
        if not self.loads_said:
            return None
        on = bool(sample.answered and some_load(sample.ats.load))
        self.load_since = (now if self.load_since is None else self.load_since) if on else None
        if (self.load_since is not None and now - self.load_since > STEADY_S) or now >= min(self.end_s, self.last_s):
            unit.keeper.send(What.BACK)
            unit.say(LOADS_LAST, "closed")
            return State.CLOSED_LOADS
        unit.repeat("you may connect the loads now", "loads")
        return None

    # -- ends ----------------------------------------------------------------------------------------------------

    def _withdraw(self, why: str) -> None:
        unit = self.unit
        self.again_s = AGAIN_S
        if not self.plug:
            text = f"STOP, CONNECT NO LOAD: {why}. Wait until this run says 'you may connect the loads' again"
        elif self.seen_back:
            loads = ", CONNECT NO LOAD" if self.loads_said or self.loads else ""
            back = f"Source {self._secondary().name} is in already"
            text = f"STOP{loads}: {why}. {back}: TOUCH NO INPUT PLUG, neither in nor out"
        else:
            name = self._secondary().name
            text = f"STOP, DO NOT RECONNECT source {name}: {why}. Wait until this run says 'you may reconnect' again"
        if unit.permit.stands:
            self.loads_said = False
            unit.keeper.take(What.WITHDRAW, text, why)
        else:
            unit.say(text, f"withdrawn {why[:40]}")

    def _refuse_late(self, sample: Sample) -> None:
        unit, now = self.unit, self.unit.clock.now()
        if now < self.end_s or (self.back_since is not None and now < self.last_s):
            return
        if not self.plug:
            raise Stop("timeout", f"the inputs are not as before: {self.problem}", state=State.RESTORE_FAILED)
        name = self._secondary().name
        if not self.given and not self.seen_back:
            self._refuse_unallowed(sample)
        # That row names the inputs as the options do.
        stays = sample.answered and primary_healthy(sample, self.rules).ok and not self.turned
        raise Stop(
            "timeout",
            f"source {name} is not back, in range and redundant after {unit.options.action_timeout_s:.0f} s",
            state=State.RESTORE_FAILED if stays else None,
        )

    def _refuse_unallowed(self, sample: Sample) -> None:
        """Where nobody was allowed to reconnect it, the end says why: no feed and no plug is to be looked after."""
        primary = self._secondary().other
        why = self.problem or "it was not measured without a break for long enough"
        state, asked, name = None, "", primary.name
        preferred = sample.ats.settings.preferred_source
        away = preferred.is_(Preferred[primary.other.name]) and sample.ats.selected_source.is_(primary)
        if away and not self.turned:
            state, asked = State.SETTINGS_DIFFER, f"preferred source is {preferred.shown()}: set it to {name} or none"
            # Verify has to know that whoever does so does what was asked.
            wanted = [Preferred[name].name, Preferred.NONE.name.lower()]
            self.unit.record("setting_asked", setting="preferred_source", wanted=wanted)
        raise Stop(
            "timeout",
            f"source {primary.other.name} must not be reconnected: {why}{'; ' if asked else ''}{asked}",
            state=state,
            details={"differences": (asked,)} if asked else {},
        )


def _primary_is_out(unit: Unit) -> bool:
    """The load is on the other input, which reads live, and the primary reads dead: measured, whatever was planned."""
    primary, sample = unit.primary, unit.observer.newest
    if primary is None or not sample.answered or not sample.ats.selected_source.is_(primary.other):
        return False
    return unit.reads_live(primary.other) and secondary_dead(sample, rules_of(Method.SINGLE_SOURCE, primary.other)).ok


def _selected(sample: Sample, rules: Rules) -> Found:
    """Of the input that is in: the unit goes back to its preferred one by itself, once that is good again."""
    selected = sample.ats.selected_source
    return Found(rules.primary is not None and selected.is_(rules.primary), f"selected {selected.shown()}")


def _inputs_problem(unit: Unit, sample: Sample, before: dict[str, object] | None) -> str:
    if not sample.answered:
        return "the card does not answer"
    rules = rules_of(Method.NO_LOAD, unit.primary)
    for check in (controller_comm, switch_healthy):
        found = check(sample, rules)
        if not found.ok:
            return found.observed
    ats = sample.ats
    wanted = GOOD | (before or {})
    now = {
        "input_a": ats.input_a.status.shown(),
        "input_b": ats.input_b.status.shown(),
        "redundancy": ats.redundancy.shown(),
    }
    for key, value in now.items():
        # What is good now contradicts nothing, whatever it was when the backup was taken.
        if value not in (wanted.get(key), GOOD[key]):
            return f"{key} reads {value}, before it was {wanted.get(key)}"
    if not (ats.input_a.status.is_(Health.OK) or ats.input_b.status.is_(Health.OK)):
        return "no input is ok"
    facts, watch = unit.log.facts(), unit.observer.watch()
    if watch.unbroken_since_s is None:
        return "the measurement was interrupted"
    failed = failed_stands(facts, watch, True)
    return f"a failed download stands: {failed}" if failed else ""
