# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run ends: a last measurement picks the row of SAFETY 6. Private to the collection."""

from __future__ import annotations

from .._domain.ats import Comm
from .._domain.checks import Method, Rules, secondary_dead
from .._domain.instructions import TRANSFER_WAIT_S, Context, State, next_action
from .._domain.loadzero import load_zero
from .._domain.observation import Sample
from .._transport.errors import TransportError
from .ready import may_reconnect_untouched
from .settle import relies_on_no_load
from .unit import Unit

SAMPLES = 3


def context(unit: Unit, holder: str = "", differences: tuple[str, ...] = ()) -> Context:
    return Context(unit.options.method, unit.options.primary, holder, differences)


def conclude(unit: Unit, given: State | None = None) -> State:
    """The state that the person is told. Measures anew; a state given by the step that failed is kept where it is stricter."""
    sample = _measure(unit)
    if unit.sent.nothing:
        return _nothing_sent(unit, given)
    if not sample.answered:
        return State.SENT_SILENT
    if given in (State.APP_SENT_SECONDARY_BACK, State.SETTINGS_DIFFER, State.HARDWARE_FAILED, State.RESTORE_FAILED):
        return given
    comm = sample.ats.controller_comm
    if unit.sent.app:
        if comm.is_(Comm.LOST) or comm.is_(Comm.NEVER_DISCOVERED):
            return State.CONTROLLER_LOST_ISOLATED if _isolated(unit, sample) else State.CONTROLLER_LOST_LIVE
        return State.APP_SENT_SECONDARY_DEAD if _isolated(unit, sample) else State.APP_SENT_SECONDARY_BACK
    return _aos_sent(unit, sample)


def _measure(unit: Unit) -> Sample:
    sample = unit.observer.poll()
    for _attempt in range(SAMPLES):
        if sample.answered:
            break
        sample = unit.observer.next()
    return sample


def _nothing_sent(unit: Unit, given: State | None) -> State:
    if given is State.LOCKED:
        return given
    if not unit.log.facts().readable and unit.locks is not None and unit.observer.newest.answered and unit.covered().ok:
        _try_log(unit)
    if not may_reconnect_untouched(unit):
        return State.NOTHING_SENT_UNSURE
    # Not within 35 s of a transfer: the unit may be about to go back to its preferred source.
    since = unit.observer.transferred_s or unit.observer.first_good_s or unit.clock.now()
    while unit.clock.now() - since < TRANSFER_WAIT_S:
        unit.observer.next()
        since = max(since, unit.observer.transferred_s or since)
    return State.NOTHING_SENT if may_reconnect_untouched(unit) else State.NOTHING_SENT_UNSURE


def _try_log(unit: Unit) -> None:
    try:
        unit.read_log()
    except TransportError:
        # Refused logins are reported by the step that needed them; here it only means: not proved.
        return


def _isolated(unit: Unit, sample: Sample) -> bool:
    if relies_on_no_load(unit):
        return load_zero(sample.ats.load)[0]
    if unit.options.primary is None:
        return False
    witnessed = unit.observer.witnessed(unit.options.primary.other)
    return secondary_dead(sample, Rules(Method.SINGLE_SOURCE, unit.options.primary, witnessed=witnessed)).ok


def _aos_sent(unit: Unit, sample: Sample) -> State:
    package = unit.package
    new = package is not None and package.aos is not None and sample.identity.aos.version == package.aos.version
    if not new:
        return State.AOS_SENT_UNSURE
    if not sample.app_answers:
        return State.AOS_NEW_NO_APP
    _try_log(unit)
    verdict = unit.verdict()
    needed = [verdict.check(name) for name in ("controller_comm", "controller_quiet", "identity", "undisturbed")]
    if all(check is not None and check.ok for check in needed):
        return State.AOS_NEW_OLD_APP
    return State.AOS_SENT_UNSURE


def told(unit: Unit, state: State, holder: str = "", differences: tuple[str, ...] = ()) -> str:
    return next_action(state, context(unit, holder, differences))
