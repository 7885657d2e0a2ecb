# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interlock: SAFETY 3's table as code.

Observations and the permit's words in, a verdict out; pure, total, fail-closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    DAY_S,
    SAMPLE_CHECKS,
    Method,
    Rules,
    both_live,
    has_own_reference,
    rules_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import LogFacts, controller_quiet
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import OLD, is_old
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Health, Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Judged
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds, Watch
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import TIMED, Check, Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._domain.window import Window, stable, window_of

_EVERY = ("covered", "identity", "undisturbed", "package", "promised")
# The columns of SAFETY 3, in its order. "covered" is 1.6, "undisturbed" is 7 ("the device is watched too"), "promised"
# is 2: every method needs the promise of what it rests on.
COLUMNS: dict[Method, tuple[str, ...]] = {
    Method.SINGLE_SOURCE: _EVERY
    + (
        "controller_comm",
        "controller_quiet",
        "switch_healthy",
        "primary_healthy",
        "primary_selected",
        "secondary_dead",
        "redundancy_lost",
        "disconnected_confirmed",
        "stable",
    ),
    Method.NO_LOAD: _EVERY
    + ("controller_comm", "controller_quiet", "switch_healthy", "load_zero", "no_load_confirmed", "stable"),
    Method.APP_ONLY: _EVERY + ("no_app_answers", "either_confirmed", "stable"),
    Method.RECOVERY: _EVERY
    + ("controller_comm", "controller_quiet", "load_zero", "no_load_confirmed", "cold_start_confirmed", "stable"),
}
# What the operator's next action brings about, before it was taken (SAFETY 4.1).
PENDING: dict[Method, frozenset[str]] = {
    Method.SINGLE_SOURCE: frozenset({"secondary_dead", "redundancy_lost", "disconnected_confirmed"}),
    Method.NO_LOAD: frozenset({"load_zero", "no_load_confirmed"}),
    Method.APP_ONLY: frozenset({"disconnected_confirmed", "no_load_confirmed"}),
    Method.RECOVERY: frozenset({"no_load_confirmed", "cold_start_confirmed"}),
}
WORDS: dict[str, tuple[str, ...]] = {
    "disconnected_confirmed": ("secondary_disconnected",),
    "no_load_confirmed": ("no_load",),
    "cold_start_confirmed": ("power_cycled", "one_input"),
    "promised": ("promise",),
}
# What a blind window carries over from the last verdict of the ATS checks (SAFETY 4.5).
CARRIED = frozenset(SAMPLE_CHECKS) - {"no_app_answers"} | {"controller_quiet"}
BLIND_ANSWER_S = 120.0

EXPECTED: dict[str, str] = {
    "covered": "a gen-2 AP77xx, known by exact model and app",
    "identity": "one unit answers on every protocol, proved by something unique read over the sending login",
    "undisturbed": "no login, transfer, restart or version change but this run's own",
    "package": "AOS and app that fit this card, not older, checksums as given",
    "controller_comm": "established",
    "controller_quiet": "no download into the ATS controller going on",
    "no_app_answers": "the package's AOS runs and no ATS app does",
    "switch_healthy": "switch ok, no overload, no supply failed",
    "primary_healthy": "ok and inside its transfer range",
    "primary_selected": "the primary is selected and preferred (or none is preferred)",
    "secondary_dead": "status fail and voltage below 10 % of the primary's reference",
    "redundancy_lost": "redundancy lost",
    "promised": "the promise of what the method rests on, for this unit",
    "disconnected_confirmed": "deed secondary_disconnected for this unit, said by a person",
    "no_load_confirmed": "deed no_load for this unit, said by a person",
    "cold_start_confirmed": "confirmations power_cycled and one_input for this unit, not contradicted",
    "load_zero": "every known current, VA and W exactly 0",
    "stable": "unchanged over more than 30 s and at least 8 samples",
}


@dataclass(frozen=True)
class Blind:
    """``carried``: the last verdict that the ATS answered for; ``answering_s``: for how long the card has answered."""

    carried: Verdict
    answering_s: float


@dataclass(frozen=True)
class Case:
    """All that the verdict rests on. ``samples``: oldest first, from this process, unfiltered."""

    method: Method
    primary: Source | None
    samples: Sequence[Sample]
    now_s: float
    bounds: Bounds
    covered: Found
    identity: Found
    package: Found
    undisturbed: Found
    log: LogFacts
    watch: Watch
    confirmed: Mapping[str, Judged] = field(default_factory=dict)
    package_aos: Version | None = None
    blind: Blind | None = None
    # Readings from before the cold start (staleness.py); given only where that start is proved by a row of the log.
    old: frozenset[str] = frozenset()


def _found(name: str, sample: Sample, rules: Rules) -> Found:
    if not sample.answered:
        return Found(False, "no answer", missing=True)
    return SAMPLE_CHECKS[name](sample, rules)


# A verdict over a window asks the same questions of the same samples again and again.
@lru_cache(maxsize=8192)
def _holds(sample: Sample, rules: Rules, names: tuple[str, ...]) -> bool:
    return all(_found(name, sample, rules).ok for name in names)


def judge(case: Case, before_action: bool = False) -> Verdict:
    """``before_action``: the inputs are still as they were; what the operator brings about is pending, not blocking."""
    columns = COLUMNS[case.method]
    rules = rules_of(case.method, case.primary, case.package_aos, _mean_v(case), case.old)
    pending = PENDING[case.method] if before_action else frozenset()
    held = [name for name in columns if name in SAMPLE_CHECKS and not (case.blind and name in CARRIED)]
    names = tuple(name for name in held if name not in pending)
    window = window_of(case.samples, case.bounds, lambda sample: _holds(sample, rules, names))
    checks: list[Check] = []
    for name in columns:
        for check in _checks(name, case, rules, window):
            waits = not check.ok and (check.id in pending or (check.id in TIMED and check.missing))
            # A confirmation that was given and is not valid does not become so by waiting.
            waits = waits and not (check.id in WORDS and any(_refused(case, what) for what in WORDS[check.id]))
            checks.append(Check(check.id, check.ok, check.observed, waits, check.missing, EXPECTED[check.id]))
    return Verdict(case.method, tuple(checks), window.since_s)


def _checks(name: str, case: Case, rules: Rules, window: Window[Sample]) -> list[Check]:
    if case.blind is not None and name in CARRIED:
        return [_carried(name, case.blind, case)]
    if name in SAMPLE_CHECKS:
        if not case.samples:
            return [_check(name, Found(False, "nothing read yet", missing=True))]
        return [_check(name, _found(name, case.samples[-1], rules))]
    if name == "stable":
        return [_check(name, stable(window, case.now_s, case.bounds))]
    if name == "controller_quiet":
        return [_check(name, controller_quiet(case.log, case.watch))]
    if name == "promised":
        return [_confirmation(name, case, "promise")]
    if name == "disconnected_confirmed":
        return [_confirmation(name, case, "secondary_disconnected")]
    if name == "no_load_confirmed":
        return [_confirmation(name, case, "no_load")]
    if name == "either_confirmed":
        either = [
            _confirmation("disconnected_confirmed", case, "secondary_disconnected"),
            _confirmation("no_load_confirmed", case, "no_load"),
        ]
        return [check for check in either if check.ok][:1] or either
    if name == "cold_start_confirmed":
        return [_check(name, _cold_start(case))]
    return [_check(name, getattr(case, name))]


def _refused(case: Case, what: str) -> bool:
    judged = case.confirmed.get(what)
    return judged is not None and judged.refused


def _check(name: str, found: Found) -> Check:
    return Check(name, found.ok, found.observed, missing=found.missing)


def _confirmation(name: str, case: Case, what: str) -> Check:
    judged = case.confirmed.get(what)
    if judged is None:
        return Check(name, False, f"{what} was not judged")
    return Check(name, judged.ok, judged.reason)


def _carried(name: str, blind: Blind, case: Case) -> Check:
    before = blind.carried.check(name)
    if before is None or not before.ok:
        return Check(name, False, "did not hold before the AOS was sent")
    newest = case.samples[-1] if case.samples else None
    if newest is None or not newest.answered:
        return Check(name, False, "no answer", missing=True)
    if newest.app_answers or newest.identity.app_status == "?":
        return Check(name, False, "the app is starting or answers again: nothing is carried over", missing=True)
    if blind.answering_s < BLIND_ANSWER_S:
        return Check(name, False, f"the card answers for {blind.answering_s:.0f} s of 120 s", missing=True)
    return Check(name, True, f"carried over from before the AOS was sent: {before.observed}")


def _cold_start(case: Case) -> Found:
    for what in ("power_cycled", "one_input"):
        judged = case.confirmed.get(what)
        if judged is None or not judged.ok:
            return Found(False, f"{what}: {judged.reason if judged else 'was not judged'}")
    newest = case.samples[-1] if case.samples else None
    if newest is None or not newest.answered or newest.uptime_s is None:
        return Found(False, "uptime not known", missing=True)
    if newest.uptime_s > DAY_S:
        return Found(False, f"uptime {newest.uptime_s / 3600:.0f} h contradicts power_cycled")
    if case.log.cold_start.new is False:
        return Found(False, "the card's newest start in the event log is no new cold start row (or was used already)")
    live = both_live(newest)
    if live and not is_old(newest.ats, case.old):
        # With communication lost these may be old values; without evidence of them nothing tells old from new.
        return Found(False, f"{live}, which contradicts one_input (or the card still shows old values)")
    note = "" if case.log.cold_start.new else " (no earlier log to find its row in)"
    shown = f"; {live} ({OLD})" if live else ""
    return Found(True, f"confirmed, uptime {newest.uptime_s:.0f} s{note}{shown}")


def _mean_v(case: Case) -> float | None:
    """The primary's own mean, only where the unit gives no other reference [G]; it needs a full window of readings."""
    if case.primary is None or not case.samples:
        return None
    newest = case.samples[-1]
    if has_own_reference(newest.ats, newest.ats.model or newest.identity.model):
        return None
    values = [
        sample.ats.input(case.primary).voltage_v.or_none()
        for sample in case.samples
        if sample.answered and sample.ats.input(case.primary).status.is_(Health.OK)
    ]
    real = [value for value in values if value is not None]
    return sum(real) / len(real) if len(real) >= case.bounds.min_samples else None
