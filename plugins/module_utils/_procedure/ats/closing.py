# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ends: a last measurement picks the row of SAFETY 6. Private to the collection."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method, Rules, secondary_dead
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import Context, State, next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import SHORT_UPTIME_S
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Health, Redundancy, Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.ready import (
    may_reconnect_untouched,
    wait_out_transfer,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import unfinished
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

TRIES = 3
# After a cut the card may yet restart by itself: nothing is allowed before it was watched for so long.
AFTER_CUT_S = 60.0
# States of a step's own finding, which no closing measurement may soften.
_KEPT = frozenset(
    {
        State.LOCKED,
        State.SETTINGS_DIFFER,
        State.HARDWARE_FAILED,
        State.RESTORE_FAILED,
        State.APP_SENT_SECONDARY_BACK,
    }
)


def context(unit: Unit, holder: str = "", differences: tuple[str, ...] = ()) -> Context:
    good = unit.observer.good
    return Context(
        unit.options.method,
        unit.options.primary,
        holder,
        differences,
        unit.relies_on_no_load(),
        asked=unit.asked or good is None or _something_out(unit, good),
        redundant=good is None or good.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT),
    )


def _something_out(unit: Unit, good: Sample) -> bool:
    """Somebody may have disconnected what this run would have asked for: then the words must say what to do with it."""
    if unit.relies_on_no_load():
        return load_zero(good.ats.load)[0]
    return not all(good.ats.input(source).status.is_(Health.OK) for source in Source)


def told(unit: Unit, state: State, holder: str = "", differences: tuple[str, ...] = ()) -> str:
    return next_action(state, context(unit, holder, differences))


def conclude(unit: Unit, given: State | None = None, quick: bool = False) -> State:
    """The state that the person is told, by a fresh measurement; a step's own finding stands.

    ``quick``: the run was told to end, so nothing is waited for, and nothing allowed that would need waiting.
    """
    if given is State.LOCKED:
        return given
    sample = _measure(unit)
    app_open = unit.sent.app or _earlier_app(unit)
    if not sample.answered:
        return State.NOTHING_SENT_UNSURE if unit.sent.nothing and not app_open else State.SENT_SILENT
    if given in _KEPT and given is not None:
        return given
    # A run that asked for a disconnect and sent nothing has its own row; it was entered with the controller answering.
    if _controller_lost(sample) and not (unit.sent.nothing and unit.releases):
        # Values may be old while the controller is silent: what it last said while it spoke counts (facts/ATS).
        return State.CONTROLLER_LOST_ISOLATED if _isolated(unit, sample) else State.CONTROLLER_LOST_LIVE
    if app_open:
        return State.APP_SENT_SECONDARY_DEAD if _isolated(unit, sample) else State.APP_SENT_SECONDARY_BACK
    if unit.sent.nothing:
        return State.NOTHING_SENT_UNSURE if quick else _nothing_sent(unit)
    return _aos_sent(unit, sample, quick)


def _measure(unit: Unit) -> Sample:
    sample = unit.observer.fresh()
    for _attempt in range(TRIES):
        if sample.answered:
            break
        sample = unit.observer.next()
    return sample


def _earlier_app(unit: Unit) -> bool:
    """Did an earlier run send an app that nobody has seen settle?"""
    record = unfinished(unit.earlier)
    return record is not None and "_aos_" not in str(record.get("file", ""))


def _controller_lost(sample: Sample) -> bool:
    comm = sample.ats.controller_comm
    booted = sample.uptime_s is not None and sample.uptime_s >= SHORT_UPTIME_S
    return comm.is_(Comm.LOST) or (comm.is_(Comm.NEVER_DISCOVERED) and booted)


def _isolated(unit: Unit, sample: Sample) -> bool:
    heard = sample.ats.controller_comm.is_(Comm.ESTABLISHED)
    if heard and unit.relies_on_no_load():
        return load_zero(sample.ats.load)[0]
    if not heard:
        return unit.isolated_when_last_heard
    if unit.options.primary is None:
        return False
    witnessed = unit.observer.witnessed(unit.options.primary.other)
    return secondary_dead(sample, Rules(Method.SINGLE_SOURCE, unit.options.primary, witnessed=witnessed)).ok


def _read_log(unit: Unit) -> None:
    try:
        unit.read_log(patient=False)
    except TransportError:
        # Refused logins are reported by the step that needed them; here it only means: not proved.
        unit.log.failed("it could not be read at the end of the run")


def _nothing_sent(unit: Unit) -> State:
    if unit.options.method in (Method.APP_ONLY, Method.RECOVERY):
        # These begin with something broken; that nothing was sent does not mend it.
        return State.NOTHING_SENT_UNSURE
    if not unit.releases or unit.locks is None or not unit.covered().ok:
        return State.NOTHING_SENT_UNSURE
    if unit.observer.breaks == 0 and unit.observer.gaps == 0:
        _read_log(unit)
        if not wait_out_transfer(unit):
            return State.NOTHING_SENT_UNSURE
    return State.NOTHING_SENT if may_reconnect_untouched(unit) else State.NOTHING_SENT_UNSURE


def _aos_sent(unit: Unit, sample: Sample, quick: bool) -> State:
    package = unit.package
    new = package is not None and package.aos is not None and sample.identity.aos.version == package.aos.version
    if not new:
        return State.AOS_SENT_UNSURE
    booting = sample.uptime_s is None or sample.uptime_s < SHORT_UPTIME_S or sample.identity.app_status == "?"
    if not sample.app_answers:
        # An app that is still starting may answer yet.
        return State.AOS_SENT_UNSURE if booting else State.AOS_NEW_NO_APP
    if (
        quick
        or unit.options.method in (Method.APP_ONLY, Method.RECOVERY)
        or (unit.sent.app_cut and not _watched_after_cut(unit))
    ):
        return State.AOS_SENT_UNSURE
    _read_log(unit)
    calm = wait_out_transfer(unit)
    return State.AOS_NEW_OLD_APP if calm and _quiet(unit, unit.verdict()) else State.AOS_SENT_UNSURE


def _watched_after_cut(unit: Unit) -> bool:
    end, restarts = unit.clock.now() + AFTER_CUT_S, unit.observer.restarts
    while unit.clock.now() < end:
        if not unit.observer.next().answered:
            return False
    return unit.observer.restarts == restarts


def _quiet(unit: Unit, verdict: Verdict) -> bool:
    needed = [verdict.check(name) for name in ("identity", "undisturbed", "controller_quiet", "covered")]
    sample = unit.observer.newest
    return sample.ats.controller_comm.is_(Comm.ESTABLISHED) and all(check is not None and check.ok for check in needed)
