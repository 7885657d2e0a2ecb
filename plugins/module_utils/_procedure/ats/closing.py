# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ends: a last measurement picks the row of SAFETY 6, the first that fits."""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import Context, State, next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import (
    LONG_UPTIME_S,
    SHORT_UPTIME_S,
    download_open,
    failed_stands,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import BASELINE_MAX_AGE, case_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.ready import reads_out
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

TRIES = 3
# States of a step's own finding, which no closing measurement may soften.
_KEPT = frozenset(
    {
        State.SETTINGS_DIFFER,
        State.HARDWARE_FAILED,
        State.RESTORE_FAILED,
        State.APP_SENT_SECONDARY_BACK,
        State.FAILED_STANDS,
    }
)
TWICE = 2


def context(unit: Unit, holder: str = "", differences: tuple[str, ...] = ()) -> Context:
    good = unit.observer.good
    out = reads_out(unit, good) if good is not None else None
    return Context(unit.options.method, unit.primary, holder, differences, unit.rests_on == NO_LOAD, out)


def told(unit: Unit, state: State, holder: str = "", differences: tuple[str, ...] = ()) -> str:
    return next_action(state, context(unit, holder, differences))


def conclude(unit: Unit, given: State | None = None, quick: bool = False) -> State:
    """The state that the person is told, by a fresh measurement; a step's own finding stands.

    ``quick``: the run was told to end, so no login is waited for.
    """
    if given is State.LOCKED:
        return given
    sample = _measure(unit)
    dark = unit.dark.state()
    if dark is not None:
        return dark
    lost = _controller(unit, sample)
    if lost is not None:
        return lost
    if not sample.answered:
        return _silent(unit)
    returned = _returned(unit, sample, given)
    if returned is not None:
        return returned
    if not quick:
        _read_log(unit)
    if _failed(unit, sample):
        return State.FAILED_STANDS
    if unit.keeper.open_app:
        return State.APP_SENT_SECONDARY_DEAD
    if given in _KEPT and given is not None:
        return given
    if unit.permit.state is PermitState.SETTLED:
        return State.SETTLED
    if _aos_open(unit):
        return _aos_sent(unit, sample, quick)
    if given is State.DEED_TIME_OVER:
        return given
    return State.NOTHING_SENT_UNSURE if quick else _nothing_sent(unit, sample)


def _measure(unit: Unit) -> Sample:
    sample = unit.observer.fresh()
    for _attempt in range(TRIES):
        if sample.answered:
            break
        sample = unit.observer.next()
    return sample


def _something_sent(unit: Unit) -> bool:
    return not unit.sent.nothing or unit.keeper.open_file is not None


def _silent(unit: Unit) -> State:
    if _something_sent(unit):
        return State.SENT_SILENT
    # A card that answers has power: both inputs can only be out where it is silent, and its backup says why.
    kept = case_of(unit.earlier).baseline if unit.options.method is Method.RECOVERY else None
    # Of another day, it says nothing of this one's plugs.
    under_way = kept is not None and timedelta() <= unit.clock.wall() - kept <= BASELINE_MAX_AGE
    return State.RECOVERY_UNDER_WAY if under_way else State.NOTHING_SENT_UNSURE


def _app_in_whole(unit: Unit) -> bool:
    app = unit.keeper.files.get("app")
    whole = app is not None and app.state in (FileState.SENT, FileState.WHOLE)
    return whole and "app" in unit.keeper.begun


def _controller(unit: Unit, sample: Sample) -> State | None:
    """The rows of a recovery and of a lost controller."""
    if not sample.answered:
        return None
    comm = sample.ats.controller_comm
    booted = sample.uptime_s is not None and sample.uptime_s >= SHORT_UPTIME_S
    lost = comm.is_(Comm.LOST) or (comm.is_(Comm.NEVER_DISCOVERED) and booted)
    if not lost:
        return None
    # As the recovery counts them: in whole, and not seen to settle since.
    if unit.options.method is Method.RECOVERY and case_of(unit.earlier).attempts + _app_in_whole(unit) >= TWICE:
        return State.RECOVERY_FAILED_TWICE
    # Values may be old while the controller is silent: what it last said while it spoke counts (facts/ATS).
    return State.CONTROLLER_LOST_ISOLATED if unit.isolated_when_last_heard else State.CONTROLLER_LOST_LIVE


def _returned(unit: Unit, sample: Sample, given: State | None) -> State | None:
    """An app is in, not settled, and what it rested on is no more so."""
    if given is State.APP_SENT_SECONDARY_BACK:
        return given
    if not unit.keeper.open_app:
        return None
    if unit.rests_on == NO_LOAD:
        return State.APP_SENT_SECONDARY_BACK if sign_of_load(sample.ats.load) else None
    primary = unit.primary
    if primary is None or unit.reads_live(primary.other, sample):
        return State.APP_SENT_SECONDARY_BACK
    return None


def _failed(unit: Unit, sample: Sample) -> bool:
    established = sample.ats.controller_comm.is_(Comm.ESTABLISHED)
    facts = unit.log.facts()
    return bool(facts.new_failed or failed_stands(facts, unit.observer.watch(), established))


def _read_log(unit: Unit) -> None:
    try:
        unit.read_log(patient=False)
    except TransportError as exc:
        unit.log.failed(exc.message)


def _aos_open(unit: Unit) -> bool:
    """Did this run, or an earlier one of the permit at hand, send an AOS or begin one, without the app behind it?"""
    return not unit.sent.nothing or unit.keeper.left_behind is not None


def _aos_sent(unit: Unit, sample: Sample, quick: bool) -> State:
    package = unit.package
    wanted = package.aos.version if package is not None and package.aos is not None else None
    if wanted is None or sample.identity.aos.version != wanted:
        aos = unit.keeper.files.get("aos")
        denied = aos is not None and aos.state is FileState.CUT
        return State.AOS_OLD_VERSIONS if denied and sample.app_answers else State.AOS_SENT_UNSURE
    booting = sample.uptime_s is None or sample.uptime_s < SHORT_UPTIME_S or sample.identity.app_status == "?"
    if not sample.app_answers:
        # An app that is still starting may answer yet.
        return State.AOS_SENT_UNSURE if booting else State.AOS_NEW_NO_APP
    if quick or unit.options.method in (Method.APP_ONLY, Method.RECOVERY):
        return State.AOS_SENT_UNSURE
    return State.AOS_NEW_OLD_APP if _quiet(unit) else State.AOS_SENT_UNSURE


def _quiet(unit: Unit) -> bool:
    verdict, sample = unit.verdict(), unit.observer.newest
    needed = [verdict.check(name) for name in ("identity", "undisturbed", "controller_quiet", "covered")]
    return sample.ats.controller_comm.is_(Comm.ESTABLISHED) and all(check is not None and check.ok for check in needed)


def _nothing_sent(unit: Unit, sample: Sample) -> State:
    """Nothing sent by a run that held the lock and read the unit without a gap (SAFETY 6)."""
    facts, watch = unit.log.facts(), unit.observer.watch()
    certain = (
        unit.options.method in (Method.SINGLE_SOURCE, Method.NO_LOAD)
        and unit.locks is not None
        and unit.earlier_known
        and unit.evidence.path is not None
        and unit.observer.gaps == 0
        and unit.observer.breaks == 0
        and watch.unbroken_since_s is not None
        and sample.uptime_s is not None
        and sample.uptime_s >= LONG_UPTIME_S
        and sample.ats.controller_comm.is_(Comm.ESTABLISHED)
        and facts.readable
        and not download_open(facts, watch)
        and unit.keeper.open_file is None
        and unit.judging.covered().ok
        and unit.same().ok
        and unit.judging.undisturbed().ok
    )
    if not certain:
        return State.NOTHING_SENT_UNSURE
    # Also the wrong plug is out: nothing is, only where both inputs read live.
    inputs_in = all(unit.reads_live(source, sample) for source in Source)
    touched = unit.permit.was_out or reads_out(unit, sample) is not False or not inputs_in
    asked = unit.permit.state not in (PermitState.NONE, PermitState.ASKED, PermitState.CLOSED)
    return State.NOTHING_SENT if touched or asked else State.NOTHING_TOUCHED
