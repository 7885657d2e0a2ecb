# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps 4 to 6 of SAFETY 4: the files in their order, each under its own verdict and under the one permit."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.baseline import ensure_backup
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.entry import Entry, EntryKind
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.isolate import isolate
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.ready import Waiter, wait_permitted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.settle import settle
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.transfer import (
    BLIND_LIMIT_S,
    Gate,
    await_restart,
    send,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop


def upgrade(unit: Unit, entry: Entry) -> dict[str, str] | None:
    """Carries the entry out; returns the paths of a backup taken on the way. Raises Stop."""
    if entry.kind is EntryKind.UNCHANGED:
        return None
    if entry.kind is EntryKind.CONTROLLER_LOST:
        raise Stop("refused", f"{entry.reason}: the recovery playbook is next, nothing is sent by this one")
    if entry.kind is EntryKind.WATCH:
        _watch(unit)
        return None
    isolate(unit)
    saved = ensure_backup(unit)
    before: Gate | None = None
    for file in entry.files:
        blind, limit_s = None, None
        if before is None:
            wait_permitted(unit, False, unit.options.controller_timeout_s)
        else:
            limit_s = (before.ended_s or unit.clock.now()) + BLIND_LIMIT_S
            blind = _between(unit, before.carried, limit_s)
        before = send(unit, file, blind, limit_s)
        await_restart(unit, file, before)
        # What was read over the old login speaks of the firmware that ran before.
        unit.session.forget()
    settle(unit, f"{entry.files[-1].kind} sent", strict=unit.permit.state is PermitState.SETTLING)
    return saved


def _watch(unit: Unit) -> None:
    """Watching only: the inputs as isolated where the permit's app went in so and they still are; else unchanged."""
    isolated = unit.permit.state is PermitState.SETTLING and unit.isolated_when_last_heard
    settle(unit, "watching only, nothing to be sent", strict=isolated, failures_end=isolated)


def _between(unit: Unit, carried: Verdict | None, limit_s: float) -> Blind | None:
    """After the AOS: the ATS answers, and the full interlock must hold again, or the card is blind (SAFETY 4.5)."""
    waiter = Waiter(unit, after_restart=True)
    end = unit.clock.now() + unit.options.controller_timeout_s
    answering_since: float | None = None
    app_seen = False
    while True:
        sample, now = unit.observer.newest, unit.clock.now()
        unit.said.follow_deed()
        if unit.permit.state is not PermitState.ISOLATED:
            _ask_anew(unit, app_seen)
        if not sample.answered:
            answering_since = None
        elif answering_since is None:
            answering_since = sample.at_s
        app_seen = app_seen or unit.app_answered
        blind = None
        if carried is not None and not app_seen:
            blind = Blind(carried, now - answering_since if answering_since is not None else 0.0)
        verdict = unit.verdict(blind=blind)
        if verdict.permitted:
            return blind
        if not app_seen and now > limit_s:
            held = "" if carried is not None else "what was measured while the AOS was sent contradicts; "
            raise Stop(
                "refused",
                f"{held}the card shows no ATS app, 10 minutes since the AOS was sent are over: the app is held back",
                verdict,
                State.AOS_NEW_NO_APP,
            )
        waiter.refuse_if_hopeless(verdict)
        if now >= end:
            raise Stop("refused", f"not permitted in time after the AOS: {'; '.join(verdict.reasons)}", verdict)
        waiting = "; ".join(f"{check.id}: {check.observed}" for check in verdict.failing)
        unit.say(f"aos sent, measuring before the app, {unit.hands_off.words()}: {waiting}", "between")
        waiter.step(verdict)


def _ask_anew(unit: Unit, app_seen: bool) -> None:
    """The deed has ended while the AOS went out: nothing more is sent before it is said again.

    A card whose app is still starting is waited for: nobody can be asked before the inputs can be measured.
    """
    if unit.options.method in (Method.APP_ONLY, Method.RECOVERY):
        raise Stop("refused", f"the word that {unit.what_is_out()} has ended: say it again, and run again")
    if app_seen:
        isolate(unit)
