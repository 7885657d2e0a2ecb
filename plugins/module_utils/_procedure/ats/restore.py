# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore: the word to reconnect, and the watching of what comes back (SAFETY 4.8). Private to the collection."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    Rules,
    controller_comm,
    in_range,
    primary_healthy,
    primary_selected,
    switch_healthy,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import TRANSFER_WAIT_S, State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    Comm,
    Health,
    Preferred,
    Redundancy,
    Source,
)
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


def restore(unit: Unit) -> bool:
    """Ends fully redundant (no_load: with the word to connect the loads). True if it was redundant all along."""
    refuse_foreign(unit)
    _refuse_other_versions(unit)
    redundant_before = _redundant(unit.observer.newest, unit)
    settle(unit, sent=False, what="before reconnecting")
    _refuse_other_versions(unit)
    differences, failed, *_rest = verify(unit)
    if failed:
        raise Stop("state", "; ".join(failed), state=State.HARDWARE_FAILED, details={"differences": failed})
    critical = [text for text in differences if text.startswith(("preferred_source", "sensitivity", "transfer_range"))]
    if critical:
        raise Stop("state", "; ".join(critical), state=State.SETTINGS_DIFFER, details={"differences": critical})
    if unit.relies_on_no_load():
        _restore_loads(unit)
        return redundant_before
    # The whole reading just taken was long on a slow card: the watch goes on from a sample of now.
    unit.observer.fresh()
    _Restoring(unit).run()
    return redundant_before


def _settle_again(unit: Unit, why: str) -> None:
    """The permission rests on the settled condition: once that broke, it is observed in full again (SAFETY 4.8)."""
    unit.say(f"{why}: watching until it has settled again, TOUCH NO PLUG", f"again {why[:40]}")
    settle(unit, sent=False, what="before reconnecting")


def wanted_versions(unit: Unit) -> bool:
    package, card = unit.package, unit.observer.newest.identity
    if package is None or package.aos is None or package.app is None:
        raise Stop("package", "the restore step needs the package that was sent")
    return bool(card.aos.version == package.aos.version and card.app.version == package.app.version)


def _refuse_other_versions(unit: Unit) -> None:
    card = unit.observer.newest.identity
    if not wanted_versions(unit):
        raise Stop(
            "refused", f"the card runs AOS {card.aos.version} and app {card.app.version}, not the wanted versions"
        )


def _redundant(sample: Sample, unit: Unit) -> bool:
    return sample.answered and sample.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT)


class _Restoring:
    def __init__(self, unit: Unit) -> None:
        if unit.options.primary is None:
            raise Stop("refused", "primary_source is needed: it names the input that stays")
        self.unit = unit
        self.primary: Source = unit.options.primary
        self.rules = Rules(Method.SINGLE_SOURCE, self.primary)
        self.allowed = False
        # Was the word ever given, and what stands in its way now?
        self.given = False
        self.problem = ""
        # The settled condition was just observed, with every discrete value unchanged; only a withdrawal starts anew.
        self.again_s = 0.0
        self.fine_since: float | None = None
        self.back_since: float | None = None
        self.seen_back = False
        self.breaks = unit.observer.breaks

    def run(self) -> None:
        unit, name = self.unit, self.primary.other.name
        end = unit.clock.now() + unit.options.action_timeout_s
        while True:
            unit.stop_if_orphaned()
            sample = unit.observer.next()
            now = unit.clock.now()
            if unit.disturbance:
                self._withdraw(unit.disturbance)
                raise Stop("state", f"undisturbed: {unit.disturbance}")
            broken = self._broken(sample)
            if broken:
                self._withdraw(broken)
                self.fine_since = self.back_since = None
                began = unit.clock.now()
                _settle_again(unit, broken)
                # The person's time does not run while nobody may do anything.
                end += unit.clock.now() - began
                self.breaks = unit.observer.breaks
                continue
            if self._steady(sample, now):
                unit.record("redundant")
                unit.say("fully redundant", "redundant")
                return
            if now >= end and self.back_since is None:
                self._withdraw("the time to do it is over")
                self._refuse_unallowed(sample)
                raise Stop(
                    "timeout",
                    f"source {name} is not back and in range after {unit.options.action_timeout_s:.0f} s",
                    state=State.RESTORE_FAILED if self._stays(sample) else None,
                )
            if now >= end + STEADY_S * 3:
                raise Stop("timeout", "the unit does not read fully redundant", state=State.RESTORE_FAILED)

    def _broken(self, sample: Sample) -> str:
        if sample.answered and not sample.ats.controller_comm.is_(Comm.ESTABLISHED):
            return f"communication with the controller: {sample.ats.controller_comm.shown()}"
        if self.unit.observer.breaks != self.breaks:
            return "the watch over the controller was interrupted"
        return ""

    def _refuse_unallowed(self, sample: Sample) -> None:
        """Where nobody was allowed to reconnect it, the end says why: no feed and no plug is to be looked after."""
        if self.given or self.seen_back:
            return
        why = self.problem or "it was not measured without a break for long enough"
        state, asked, name = None, "", self.primary.name
        preferred = sample.ats.settings.preferred_source
        if preferred.is_(Preferred[self.primary.other.name]) and sample.ats.selected_source.is_(self.primary):
            state, asked = State.SETTINGS_DIFFER, f"preferred source is {preferred.shown()}: set it to {name} or none"
            # Verify has to know that whoever does so does what was asked.
            wanted = [Preferred[name].name, Preferred.NONE.name.lower()]
            self.unit.record("setting_asked", setting="preferred_source", wanted=wanted)
        raise Stop(
            "timeout",
            f"source {self.primary.other.name} must not be reconnected: {why}{'; ' if asked else ''}{asked}",
            state=state,
            details={"differences": (asked,)} if asked else {},
        )

    def _stays(self, sample: Sample) -> bool:
        return sample.answered and primary_healthy(sample, self.rules).ok

    def _steady(self, sample: Sample, now: float) -> bool:
        unit, secondary = self.unit, self.primary.other
        source = sample.ats.input(secondary)
        if sample.answered and source.status.is_(Health.OK):
            self.seen_back = True
            voltage = source.voltage_v.or_none()
            inside, bounds = (
                in_range(sample.ats, sample.ats.model, voltage, None) if voltage is not None else (False, "")
            )
            healthy = primary_healthy(sample, self.rules).ok and switch_healthy(sample, self.rules).ok
            if not (inside and healthy and _redundant(sample, unit)):
                self.back_since = None
                unit.say(
                    f"source {secondary.name} is back: {source.voltage_v.shown('V')} {bounds}, "
                    f"redundancy {sample.ats.redundancy.shown()}; touch no plug",
                    "watching",
                )
                return False
            self.back_since = now if self.back_since is None else self.back_since
            left = STEADY_S - (now - self.back_since)
            unit.say(f"source {secondary.name} is back, watching {max(left, 0):.0f} s more; touch no plug", "watching")
            return now - self.back_since > STEADY_S
        watched = unit.observer.watch().unbroken_since_s is not None
        if not sample.answered and self.back_since is not None and watched:
            # A lost answer; too many of them in a row are a break, which starts anew (_broken).
            unit.say(f"source {secondary.name} is back, no answer for a moment; touch no plug", "watching")
            return False
        self.back_since = None
        if sample.answered and source.status.is_(Health.FAIL):
            self.seen_back = False
        self._guide(sample, now)
        return False

    def _guide(self, sample: Sample, now: float) -> None:
        unit, name = self.unit, self.primary.other.name
        self.problem = self._problem(sample)
        if self.problem:
            self.fine_since = None
            self._withdraw(self.problem)
            return
        self.fine_since = now if self.fine_since is None else self.fine_since
        transferred = unit.observer.transferred_s
        recently = transferred is not None and now - transferred < TRANSFER_WAIT_S
        if not self.allowed and now - self.fine_since >= self.again_s and not recently:
            self.allowed = self.given = True
            unit.record("permission_reconnect", source=name)
            limit = span_text(unit.options.action_timeout_s)
            unit.say(f"you may reconnect source {name} now (within {limit})", "permission")
        if self.allowed:
            unit.say(
                f"source {name} not back yet: {sample.ats.input(self.primary.other).voltage_v.shown('V')}", "watching"
            )
        else:
            unit.say(f"measuring, DO NOT RECONNECT source {name} yet", "watching")

    def _problem(self, sample: Sample) -> str:
        if not sample.answered:
            return "the card does not answer"
        for check in (controller_comm, switch_healthy, primary_healthy, primary_selected):
            found = check(sample, self.rules)
            if not found.ok:
                return found.observed
        same = self.unit.same()
        if not same.ok:
            return same.observed
        if self.unit.observer.watch().unbroken_since_s is None:
            return "the measurement was interrupted"
        return ""

    def _withdraw(self, why: str) -> None:
        self.again_s = AGAIN_S
        if self.allowed:
            self.allowed = False
            self.unit.record("permission_withdrawn", reason=why)
        name = self.primary.other.name
        if self.seen_back:
            text = f"{why}. Source {name} is in already: TOUCH NO INPUT PLUG, neither in nor out"
        else:
            text = f"STOP, DO NOT RECONNECT source {name}: {why}. Wait until this run says 'you may reconnect' again"
        self.unit.say(text, f"withdrawn {why[:40]}")


def _restore_loads(unit: Unit) -> None:
    """no_load: the inputs as in the baseline for more than 60 s, then the word to connect the loads."""
    before = baseline(unit)
    end = unit.clock.now() + unit.options.action_timeout_s
    since: float | None = None
    breaks = unit.observer.breaks
    while True:
        unit.stop_if_orphaned()
        sample = unit.observer.next()
        now = unit.clock.now()
        if unit.disturbance:
            raise Stop("state", f"undisturbed: {unit.disturbance}")
        if unit.observer.breaks != breaks:
            _settle_again(unit, "the watch over the controller was interrupted")
            breaks, since = unit.observer.breaks, None
            continue
        problem = _inputs_problem(unit, sample, before)
        if problem:
            since = None
            unit.say(f"CONNECT NO LOAD: {problem}", "watching")
        else:
            since = now if since is None else since
            if now - since > STEADY_S:
                unit.record("permission_load")
                unit.record("redundant")
                unit.say("you may connect the loads now", "permission")
                return
            unit.say(f"CONNECT NO LOAD yet: {STEADY_S - (now - since):.0f} s more", "watching")
        if now >= end:
            raise Stop("timeout", f"the inputs are not as before: {problem}", state=State.RESTORE_FAILED)


def _inputs_problem(unit: Unit, sample: Sample, before: dict[str, object] | None) -> str:
    if not sample.answered:
        return "the card does not answer"
    rules = Rules(Method.NO_LOAD, unit.options.primary)
    for check in (controller_comm, switch_healthy):
        found = check(sample, rules)
        if not found.ok:
            return found.observed
    ats = sample.ats
    wanted = {"input_a": "ok", "input_b": "ok", "redundancy": "fully redundant"} | (before or {})
    now = {
        "input_a": ats.input_a.status.shown(),
        "input_b": ats.input_b.status.shown(),
        "redundancy": ats.redundancy.shown(),
    }
    for key, value in now.items():
        if wanted.get(key) != value:
            return f"{key} reads {value}, before it was {wanted.get(key)}"
    if not (ats.input_a.status.is_(Health.OK) or ats.input_b.status.is_(Health.OK)):
        return "no input is ok"
    return "" if unit.observer.watch().unbroken_since_s is not None else "the measurement was interrupted"
