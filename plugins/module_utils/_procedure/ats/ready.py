# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness (SAFETY 4.1), and the waiting for a verdict that all steps share.

Private to the collection.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import TRANSFER_WAIT_S
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import (
    LONG_UPTIME_S,
    SHORT_UPTIME_S,
    WATCH_S,
    download_open,
    log_wanted,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Check, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import unfinished

# How long a reading may stay missing, and a contradiction after a restart of our own last, before it counts.
DOUBT_S = 60.0
LOG_RETRY_S = 60.0
# "More than 30 s" wants a sample just behind the bound.
BOUND_MARGIN_S = 0.1
LOAD_HINT = (
    "the load is on the input to be pulled: name the other input primary_source, "
    "or set the preferred source and wait until the unit has transferred"
)


class Waiter:
    """One loop for all waiting on a verdict: reads the log when that helps, gives up on what waiting cannot mend."""

    def __init__(self, unit: Unit, after_restart: bool = False) -> None:
        self.unit = unit
        self.after_restart = after_restart
        # A login may take its time: whoever has allowed something takes it back before one begins.
        self.before_login: Callable[[], None] = lambda: None
        self.patient = True
        self._log_tried: float | None = None
        self._doubt_since: float | None = None

    def step(self, verdict: Verdict | None = None) -> None:
        """``verdict``: the last one; where only a moment is missing to a bound, the next sample is taken then."""
        unit = self.unit
        if unit.sent.nothing:
            unit.stop_if_orphaned()
        unit.observer.next(self._bound(verdict))
        now = unit.clock.now()
        wanted = log_wanted(unit.log.facts(), unit.observer.watch())
        if unit.session.facts is None:
            wanted = True
        if wanted and (self._log_tried is None or now - self._log_tried >= LOG_RETRY_S):
            self.before_login()
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
            raise Stop("refused", _refusal(bad), verdict)
        if now - self._doubt_since > DOUBT_S and not booting:
            raise Stop("refused", _refusal(bad or list(failing)), verdict)


def _refusal(checks: list[Check]) -> str:
    parts = []
    for check in checks:
        hint = f" ({LOAD_HINT})" if check.id == "primary_selected" else ""
        parts.append(f"{check.id}: {check.observed}{hint}")
    return "; ".join(parts)


def _waiting_text(verdict: Verdict) -> str:
    return "; ".join(f"{check.id}: {check.observed}" for check in verdict.failing if check.missing or not check.pending)


def wait_ready(unit: Unit) -> Verdict:
    """Everything but what the operator's next action brings about holds over a full window; the peers are redundant."""
    end = unit.clock.now() + unit.options.controller_timeout_s + unit.bounds.stability_s
    waiter = Waiter(unit)
    verdict: Verdict | None = None
    while True:
        waiter.step(verdict)
        verdict = unit.verdict(before_action=True)
        if verdict.ready and unit.peers:
            unit.check_peers()
            # The peers took their time: what was read of this unit before them is not said after them.
            unit.observer.fresh()
            verdict = unit.verdict(before_action=True)
        if verdict.ready:
            unit.record("ready", checks=[check.to_result() for check in verdict.checks])
            return verdict
        waiter.refuse_if_hopeless(verdict)
        if unit.clock.now() >= end:
            raise Stop("refused", f"not ready in time: {'; '.join(verdict.reasons)}", verdict)
        unit.say(f"measuring, touch nothing: {_waiting_text(verdict)}", "measuring")


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
        unit.say(f"measuring, touch nothing: {_waiting_text(verdict)}", "measuring")
        waiter.step(verdict)


def may_reconnect_untouched(unit: Unit) -> bool:
    """SAFETY 6, first row: nothing sent, lock held, no gap, and the controller certainly quiet.

    The log that is relied on must be younger than the last break of the watch; the caller reads it anew.
    """
    sample, facts = unit.observer.newest, unit.log.facts()
    watch = unit.observer.watch()
    return (
        unit.sent.nothing
        and unit.releases
        and unit.locks is not None
        and unit.earlier_known
        and unit.evidence.path is not None
        and unit.observer.gaps == 0
        and unit.observer.breaks == 0
        and unit.observer.restarts == 0
        and sample.answered
        and watch.unbroken_since_s is not None
        and facts.fetched_s >= watch.unbroken_since_s
        and sample.uptime_s is not None
        and sample.uptime_s >= LONG_UPTIME_S
        and sample.ats.controller_comm.is_(Comm.ESTABLISHED)
        and facts.readable
        and not download_open(facts, watch)
        and unfinished(unit.earlier) is None
        and unit.covered().ok
        and unit.same().ok
        and unit.undisturbed().ok
    )


def wait_out_transfer(unit: Unit) -> bool:
    """Not within 35 s of a transfer: the unit may be about to go back to its preferred source (SAFETY 6).

    False: the unit does not stop transferring.
    """
    end = unit.clock.now() + 4 * TRANSFER_WAIT_S
    since = unit.observer.transferred_s or unit.observer.first_good_s or unit.clock.now()
    while unit.clock.now() - since < TRANSFER_WAIT_S:
        if unit.clock.now() >= end:
            return False
        unit.observer.next()
        since = max(since, unit.observer.transferred_s or since)
    return True
