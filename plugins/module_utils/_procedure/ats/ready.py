# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness (SAFETY 4.1), one look at the unit, and the waiting for a verdict that all steps share."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    consistent_redundancy,
    reads_live,
    secondary_dead,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load, some_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import SHORT_UPTIME_S, WATCH_S, log_wanted
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Check, Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

# How long a reading may stay missing, and a contradiction after a restart of our own last, before it counts.
DOUBT_S = 60.0
LOG_RETRY_S = 60.0
# "More than 30 s" wants a sample just behind the bound.
BOUND_MARGIN_S = 0.1
LOAD_HINT = (
    "the load is on the input to be pulled: name the other input primary_source, "
    "or set the preferred source and wait until the unit has transferred"
)
# What only the person's deed is missing from.
_DEED_CHECKS = frozenset({"disconnected_confirmed", "no_load_confirmed"})


class Waiter:
    """One loop for all waiting on a verdict: reads the log when that helps, gives up on what waiting cannot mend."""

    def __init__(self, unit: Unit, after_restart: bool = False) -> None:
        self.unit = unit
        self.after_restart = after_restart
        self.patient = True
        self._log_tried: float | None = None
        self._doubt_since: float | None = None

    def step(self, verdict: Verdict | None = None) -> None:
        """``verdict``: the last one; where only a moment is missing to a bound, the next sample is taken then."""
        unit = self.unit
        if unit.sent.nothing:
            unit.stop_if_orphaned()
        unit.observer.next(self._bound(verdict))
        # A login may take its time: nobody logs in while a hand may be on a plug. Once the deed is said none is, and a
        # watch that broke meanwhile wants the log read again.
        if not unit.permit.stands or unit.permit.deed:
            self.read_log_if_wanted()

    def read_log_if_wanted(self) -> None:
        unit, now = self.unit, self.unit.clock.now()
        wanted = unit.session.facts is None or log_wanted(unit.log.facts(), unit.observer.watch())
        if wanted and (self._log_tried is None or now - self._log_tried >= LOG_RETRY_S):
            unit.read_log(self.patient)
            self._log_tried = unit.clock.now()

    def _bound(self, verdict: Verdict | None) -> float | None:
        unit = self.unit
        now, watch, twice = unit.clock.now(), unit.observer.watch(), unit.log.facts().doubled
        bounds = []
        if verdict is not None and verdict.stable_since_s is not None:
            bounds.append(verdict.stable_since_s + unit.bounds.stability_s)
        if watch.uptime_s is not None and watch.unbroken_since_s is not None:
            bounds += [now + SHORT_UPTIME_S * twice - watch.uptime_s, watch.unbroken_since_s + WATCH_S * twice]
        return min((bound + BOUND_MARGIN_S for bound in bounds if bound + BOUND_MARGIN_S > now), default=None)

    def refuse_if_hopeless(self, verdict: Verdict) -> None:
        """Raises Stop("refused") for what read bad at once, for what cannot be read after DOUBT_S."""
        now = self.unit.clock.now()
        failing = verdict.blocking
        disturbed = verdict.check("undisturbed")
        if disturbed is not None and not disturbed.ok:
            raise Stop("refused", f"undisturbed: {disturbed.observed}", verdict)
        bad = [check for check in failing if not check.missing]
        if not failing:
            self._doubt_since = None
            return
        if self._doubt_since is None:
            self._doubt_since = now
        uptime = self.unit.observer.newest.uptime_s or 0.0
        booting = self.after_restart and uptime < SHORT_UPTIME_S
        if bad and not self.after_restart:
            raise Stop("refused", refusal(bad), verdict)
        if now - self._doubt_since > DOUBT_S and not booting:
            raise Stop("refused", refusal(bad or list(failing)), verdict)


def refusal(checks: list[Check]) -> str:
    parts = []
    for check in checks:
        hint = f" ({LOAD_HINT})" if check.id == "primary_selected" else ""
        parts.append(f"{check.id}: {check.observed}{hint}")
    return "; ".join(parts)


def waiting_text(verdict: Verdict) -> str:
    return "; ".join(f"{check.id}: {check.observed}" for check in verdict.failing if check.missing or not check.pending)


def reads_out(unit: Unit, sample: Sample) -> bool | None:
    """Does what the run rests on read so: the secondary dead, the load 0? None: not known."""
    if not sample.answered:
        return None
    if unit.rests_on == NO_LOAD:
        return _loads_out(unit, sample)
    primary = unit.primary
    if primary is None:
        return None
    if reads_live(sample, primary.other):
        return False
    return True if secondary_dead(sample, unit.rules()).ok else None


def _loads_out(unit: Unit, sample: Sample) -> bool | None:
    if unit.options.method in (Method.RECOVERY, Method.APP_ONLY):
        return not sign_of_load(sample.ats.load)
    if some_load(sample.ats.load):
        return False
    return True if load_zero(sample.ats.load)[0] else None


def inconsistent(sample: Sample, method: Method) -> Found:
    if not sample.answered or method not in (Method.SINGLE_SOURCE, Method.NO_LOAD):
        return Found(True, "")
    return consistent_redundancy(sample)


def look(unit: Unit) -> Seen:
    """One look, judged: everything that a permit's next event may follow from."""
    sample = unit.observer.newest
    out = reads_out(unit, sample)
    # First whatever may take its time (a word comes by the disk), then the judgement: it is of the moment it is used.
    heard = unit.said.listen(out)
    before, final = unit.verdict(before_action=True), unit.verdict()
    picture = inconsistent(sample, unit.options.method)
    blocking = [f"{check.id}: {check.observed}" for check in before.blocking]
    bad = next(iter(blocking), "") or ("" if picture.ok else picture.observed) or unit.peers.bad or unit.evidence_lost
    ready = before.ready and not bad and unit.peers.proved
    hold = not bad and all(check.ok or check.id in _DEED_CHECKS for check in final.checks)
    return Seen(
        answered=sample.answered,
        out=out,
        bad=bad,
        ready=ready,
        hold=hold,
        dark=unit.dark.state() is not None,
        deed=heard,
        deed_over=unit.said.deed_over(),
    )


def wait_ready(unit: Unit) -> Verdict:
    """Everything but what the operator's next action brings about holds over a full window; the peers are redundant."""
    end = unit.clock.now() + unit.options.controller_timeout_s + unit.bounds.stability_s
    waiter = Waiter(unit)
    verdict: Verdict | None = None
    while True:
        waiter.step(verdict)
        unit.peers.look()
        verdict = unit.verdict(before_action=True)
        picture = inconsistent(unit.observer.newest, unit.options.method)
        if verdict.ready and picture.ok and unit.peers.proved:
            unit.record("ready", checks=[check.to_result() for check in verdict.checks])
            return verdict
        waiter.refuse_if_hopeless(verdict)
        if verdict.ready and unit.peers.bad:
            raise Stop("refused", unit.peers.bad, verdict)
        if verdict.ready and not picture.ok:
            raise Stop("refused", f"redundancy: {picture.observed}", verdict)
        if unit.clock.now() >= end:
            raise Stop("refused", f"not ready in time: {'; '.join(verdict.reasons)}", verdict)
        unit.say(f"measuring, touch nothing: {waiting_text(verdict)}", "measuring")


def wait_permitted(unit: Unit, after_restart: bool, timeout_s: float) -> Verdict:
    """The full interlock holds. Nobody is asked for anything here."""
    end = unit.clock.now() + timeout_s
    waiter = Waiter(unit, after_restart)
    while True:
        verdict = unit.verdict()
        if verdict.permitted:
            return verdict
        waiter.refuse_if_hopeless(verdict)
        if unit.clock.now() >= end:
            raise Stop("refused", f"not permitted in time: {'; '.join(verdict.reasons)}", verdict)
        unit.say(f"measuring, touch nothing: {waiting_text(verdict)}", "measuring")
        waiter.step(verdict)
