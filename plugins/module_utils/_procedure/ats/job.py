# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs that a module asks for, each ended by section 6's word to the person."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import app_token_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import Context, State, next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import EXPECTED
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    BY_DEED,
    PROMISES,
    Permit,
    PermitState,
    What,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import failed_stands
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Redundancy
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Check, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.baseline import backup, verify
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.closing import conclude, told
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.entry import (
    Entry,
    EntryKind,
    classify,
    refuse_foreign,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.isolate import isolate
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.ready import Waiter, reads_out, wait_ready
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.restore import restore
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.upgrade import upgrade
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Ended, say_end


def require_ats(unit: Unit) -> None:
    """Raises Stop("not_an_ats") for anything that shows neither ATS objects nor an ATS app nor an ATS model."""
    sample = unit.observer.newest
    card = sample.identity
    if sample.ats.objects_answered or app_token_of(card.model) or card.app_token in ("g2ats", "ats4g"):
        return
    what = card.model or card.lead or "a device that names no model"
    raise Stop(
        "not_an_ats", f"{unit.address} answers as {what[:80]}, not as a Rack ATS", state=State.NOTHING_SENT_UNSURE
    )


class AtsEndings:
    """How a run with an ATS ends (SAFETY 6): handed to the shared ``ended``."""

    def __init__(self, unit: Unit, report: dict[str, Any]) -> None:
        self._unit, self._report = unit, report

    def take_back(self) -> str:
        """No permission outlives a run, however it ends: said first, written after, by the permit's own keeper."""
        unit, words = self._unit, ""
        if unit.permit.stands:
            words = "STOP, TOUCH NO PLUG AND NO LOAD: the run ends and its permission is withdrawn"
            unit.keeper.take(What.WITHDRAW, words, "the run ended")
        # Behind it: to take a question down may wait for a folder.
        unit.said.hearing.close()
        return words

    def conclude(self, ended: Ended) -> tuple[str, str] | None:
        if ended.fault:
            # Nothing is measured or allowed on top of a fault of our own.
            return None
        unit, stop = self._unit, ended.stop
        given = stop.state if stop else None
        state = State.NOTHING_SENT_UNSURE if unit.sent.nothing else State.SENT_SILENT
        # Where the measurement itself fails, the words that move nothing stand.
        with suppress(Exception, Interrupted):
            state = conclude(unit, given, ended.quick) if unit.observer.samples else given or _by_evidence(unit)
        try:
            close_if_nothing_out(unit)
            if unit.locks is not None:
                # A look works under no permit of its own.
                self._report["permit"] = unit.permit.to_record()
            return state.value, _told(unit, state, stop.details if stop else {})
        except Exception:
            # Words that rest on nothing that was read, and move nothing.
            state = State.NOTHING_SENT_UNSURE if unit.sent.nothing else State.SENT_SILENT
            return state.value, next_action(state, Context(unit.options.method, unit.options.primary))

    def interrupted(self, message: str, state: str | None) -> Stop:
        return Stop("state", message, state=State(state))


def _by_evidence(unit: Unit) -> State:
    """A card that was never heard: what earlier runs wrote by its address says whether something was sent."""
    with suppress(Exception):
        unit.read_earlier()
        unit.keeper.open(unit.earlier)
        if unit.keeper.open_file is not None:
            return State.SENT_SILENT
    return State.NOTHING_SENT_UNSURE


def close_if_nothing_out(unit: Unit) -> None:
    """A permit under which nothing was ever out ends with the run."""
    closable = (PermitState.ASKED, PermitState.WITHDRAWN)
    if unit.permit.state not in closable or unit.permit.was_out or unit.permit.unsettled:
        return
    good = unit.observer.good
    if good is None or reads_out(unit, good) is not False or unit.keeper.open_file is not None:
        return
    with suppress(Stop):
        unit.keeper.send(What.NOTHING_OUT)


def _told(unit: Unit, state: State, details: Mapping[str, Any]) -> str:
    return told(unit, state, str(details.get("holder", "")), tuple(details.get("differences", ())))


def _finish(unit: Unit, report: dict[str, Any], state: State, differences: tuple[str, ...] = ()) -> None:
    report["msg"] = f"{report.get('step') or 'the step'} ended: {state.value.replace('_', ' ')}"
    report["state"], report["next_action"] = state.value, told(unit, state, "", differences)
    report["permit"] = unit.permit.to_record()
    unit.carry.write(unit.observer.newest)
    say_end(unit, state.value, report["next_action"])
    unit.record("end", state=state.value)


def _enter(unit: Unit, report: dict[str, Any], step: str, writing: bool) -> Entry:
    require_ats(unit)
    report["step"] = step
    unit.begin(step, writing)
    if writing:
        unit.say(f"evidence: {unit.evidence.path}", "evidence")
    entry = classify(unit)
    report["entry"] = {"kind": entry.kind.value, "reason": entry.reason}
    report["plan"] = entry.plan(unit)
    unit.say(entry.reason, "entry")
    if entry.sends:
        _under_permit(unit, writing)
    return entry


def _under_permit(unit: Unit, writing: bool) -> None:
    """Only where something is to be sent: a promise, the permit's method, and what a lost app leaves of it."""
    permit = unit.permit
    unit.sends = True
    if permit.state is PermitState.RETURNING or (
        permit.state is PermitState.WITHDRAWN and permit.back_to == PermitState.RETURNING.value
    ):
        raise Stop("refused", f"permit {permit.number} is being closed: run the restore step first")
    # Where a recovery rests on something else the interlock says which promise is missing.
    another = unit.options.method.value in BY_DEED and unit.rests_on != permit.rests_on
    if permit.state is PermitState.SETTLED and not another and not unit.said.promises_anew():
        raise Stop(
            "refused",
            f"permit {permit.number} has settled and waits for the restore step: run it first. Where the secondary is "
            "not to come back before, a new promise, later than this permit's, opens the next one",
        )
    if permit.state is PermitState.SETTLING and writing:
        unit.keeper.send(What.APP_FAILS, "the app is to be sent again")
    if writing:
        unit.said.take_promise()
    else:
        unit.keeper.permit = promised_only(unit)


def promised_only(unit: Unit) -> Permit:
    """Check mode: what the permit would be, written nowhere. Where nobody is asked, the deed given beforehand too."""
    permit, rests_on = unit.permit, unit.rests_on
    judged, deed = unit.said.judged[PROMISES[rests_on]], unit.said.judged[rests_on]
    if judged.ok and not (permit.promise and permit.rests_on == rests_on):
        permit = replace(permit, promise=judged.text, rests_on=rests_on)
    if deed.ok and unit.options.method.value in BY_DEED and permit.rests_on == rests_on and not permit.deed:
        permit = replace(permit, deed=deed.text, deed_by="confirmations", deed_at=deed.text.rpartition("@")[2])
    return permit


def _interlock(report: dict[str, Any], verdict: Verdict) -> None:
    report["interlock"] = verdict.to_result()


def observe_once(unit: Unit, report: dict[str, Any]) -> None:
    """ats_interlock_info and check mode: one window, nothing asked of anybody, nothing written.

    Where nothing is to be sent no check of SAFETY 3 is judged or shown: a lost controller, or a failed row, is one row.
    """
    try:
        entry = _enter(unit, report, "interlock", writing=False)
    except Stop as exc:
        if exc.verdict is None:
            raise
        # A unit or a package that does not fit is a line in the table of checks, like everything else.
        _interlock(report, exc.verdict)
        _check_state(unit, report)
        return
    if not entry.sends:
        _nothing_to_judge(unit, report, entry)
        return
    waiter = Waiter(unit, after_restart=True)
    end = unit.clock.now() + unit.bounds.stability_s + unit.bounds.change_hold_s + 2 * unit.bounds.min_samples
    while True:
        waiter.step()
        stable = unit.verdict().check("stable")
        before = unit.verdict(before_action=True).check("stable")
        if unit.clock.now() >= end or (stable and before and (stable.ok or before.ok)):
            break
        unit.say(f"measuring: {before.observed if before else ''}", "measuring")
    _interlock(report, unit.verdict(before_action=True))
    _check_state(unit, report)


def _nothing_to_judge(unit: Unit, report: dict[str, Any], entry: Entry) -> None:
    lost = entry.kind is EntryKind.CONTROLLER_LOST
    state = _state_of_nothing(unit, entry)
    expected = EXPECTED["controller_comm"] if lost else "nothing to be sent"
    check = Check("controller_comm" if lost else "nothing_to_do", not lost, entry.reason, expected=expected)
    _interlock(report, Verdict(unit.options.method, (check,)))
    if not lost:
        report["interlock"] |= {"permitted": False, "ready": False}
    report["state"], report["next_action"] = state.value, told(unit, state)


def _state_of_nothing(unit: Unit, entry: Entry) -> State:
    if entry.kind is EntryKind.CONTROLLER_LOST:
        return State.CONTROLLER_LOST_ISOLATED if unit.isolated_when_last_heard else State.CONTROLLER_LOST_LIVE
    return State.WATCH if entry.kind is EntryKind.WATCH else _nothing_left(unit, State.UNCHANGED_NOT_REDUNDANT)


def _nothing_left(unit: Unit, not_redundant: State) -> State:
    """Nothing is to be sent, and all is quiet. Under an open permit restore still has the last word: full redundancy
    says nothing of loads that were taken off."""
    permit = unit.permit
    if permit.was_out and permit.state is not PermitState.CLOSED:
        return State.SETTLED if permit.state is PermitState.SETTLED else State.NOTHING_SENT
    redundant = unit.observer.newest.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT)
    return State.UNCHANGED if redundant else not_redundant


def _check_state(unit: Unit, report: dict[str, Any]) -> None:
    """Where nothing can be written nothing will be sent: better said before anybody walks to the rack."""
    problem = unit.store.problem() if unit.store is not None else ""
    interlock = report["interlock"]
    expected = "a folder that can be written and that outlives the run"
    observed = problem or (str(unit.store.path) if unit.store else "none")
    interlock["checks"].append(
        {"id": "state_dir", "ok": not problem, "pending": False, "expected": expected, "observed": observed}
    )
    if problem:
        interlock["permitted"] = interlock["ready"] = False
        interlock["reasons"].append(f"state_dir: {problem} (wanted: {expected})")


def check_only(unit: Unit, report: dict[str, Any]) -> None:
    """Check mode: as observe_once, and what would really stop the run stops it here too."""
    observe_once(unit, report)
    wrong = [check for check in report["interlock"]["checks"] if check["id"] == "state_dir" and not check["ok"]]
    if wrong:
        raise Stop("state", wrong[0]["observed"])
    if report["entry"] is None:
        verdict = unit.verdict(before_action=True)
        raise Stop("refused", "; ".join(f"{check.id}: {check.observed}" for check in verdict.blocking), verdict)
    kind = EntryKind(report["entry"]["kind"])
    if kind is EntryKind.CONTROLLER_LOST:
        raise Stop("refused", report["entry"]["reason"])
    if report["plan"]:
        _check_peers(unit)
        verdict = unit.verdict(before_action=True)
        if verdict.blocking:
            raise Stop("refused", "; ".join(f"{check.id}: {check.observed}" for check in verdict.blocking), verdict)
        report["state"], report["next_action"] = State.READY.value, told(unit, State.READY)
    files = ", ".join(str(file["file"]) for file in report["plan"])
    report["msg"] = f"CHECK MODE, nothing was done: would send {files}" if files else "CHECK MODE: nothing to send"


def _check_peers(unit: Unit) -> None:
    unit.peers.look(now_needed=True)
    if unit.peers.bad:
        raise Stop("refused", unit.peers.bad)


def do_ready(unit: Unit, report: dict[str, Any]) -> None:
    entry = _enter(unit, report, "readiness", writing=True)
    if entry.kind is EntryKind.CONTROLLER_LOST:
        raise Stop("refused", f"{entry.reason}: the recovery playbook is next")
    if not entry.sends:
        _nothing_to_send(unit, report, entry)
        return
    _interlock(report, wait_ready(unit))
    _finish(unit, report, State.READY)


def _nothing_to_send(unit: Unit, report: dict[str, Any], entry: Entry) -> None:
    """No line of such a run ever allows a disconnect (SAFETY 4, entry)."""
    if not unit.observer.newest.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT):
        unit.say("WARNING: redundancy is lost; the restore step (ats_wait until redundant) says what to do", "warning")
    _finish(unit, report, _state_of_nothing(unit, entry))


def do_isolate(unit: Unit, report: dict[str, Any]) -> None:
    entry = _enter(unit, report, "isolate", writing=True)
    if entry.kind is EntryKind.CONTROLLER_LOST:
        raise Stop("refused", f"{entry.reason}: the recovery playbook is next")
    if not entry.sends:
        _nothing_to_send(unit, report, entry)
        return
    _interlock(report, isolate(unit))
    _finish(unit, report, State.ISOLATED)


def do_backup(unit: Unit, report: dict[str, Any]) -> None:
    require_ats(unit)
    report["step"] = "backup"
    unit.begin("backup", writing=True)
    refuse_foreign(unit)
    report["backup"] = backup(unit)
    _finish(unit, report, State.BACKED_UP)


def do_upgrade(unit: Unit, report: dict[str, Any]) -> None:
    entry = _enter(unit, report, "upgrade", writing=True)
    try:
        saved = upgrade(unit, entry)
    finally:
        report["sent"] = whole(unit)
        report["sent_unseen"] = unit.sent_unseen
    if saved:
        report["backup"] = saved
    report["changed"] = not unit.sent.nothing
    report["firmware"]["after"] = versions(unit.observer.newest)
    if entry.kind is EntryKind.UNCHANGED:
        _nothing_to_send(unit, report, entry)
    elif entry.kind is EntryKind.WATCH:
        _refuse_open_failure(unit)
        # Where nothing is disconnected nothing is left to restore: a healthy unit reads unchanged.
        _finish(unit, report, _nothing_left(unit, State.SETTLED))
    else:
        _interlock(report, unit.verdict())
        _finish(unit, report, State.SETTLED)


def whole(unit: Unit) -> dict[str, bool]:
    """Which files went in to their end by this run, and were shown after the restart."""
    return {kind: kind in unit.keeper.begun and unit.proved.get(kind, False) for kind in ("aos", "app")}


def _refuse_open_failure(unit: Unit) -> None:
    """It has settled, and yet a failed download stands: what runs is not what was wanted (SAFETY 4, entry d)."""
    failed = failed_stands(unit.log.facts(), unit.observer.watch(), True)
    if failed:
        raise Stop(
            "state",
            f"a download into the controller failed ({failed}): run again to send the app again",
            state=State.FAILED_STANDS,
        )


def do_verify(unit: Unit, report: dict[str, Any]) -> None:
    require_ats(unit)
    report["step"] = "verify"
    unit.begin("verify", writing=True)
    refuse_foreign(unit)
    package, card = unit.package, unit.observer.newest.identity
    if package is None or package.aos is None or package.app is None:
        raise Stop("package", "a package with an AOS and an app is needed")
    if card.aos.version != package.aos.version or card.app.version != package.app.version:
        raise Stop("state", f"the card runs AOS {card.aos.version} and app {card.app.version}, not the wanted versions")
    left = unit.keeper.open_file
    if left is not None:
        raise Stop(
            "state",
            f"{left.file or 'a file'} was sent and has not settled: run the upgrade step again, it only watches",
        )
    differences, failed, has_baseline, missing = verify(unit)
    report["differences"], report["baseline"], report["no_baseline"] = differences, has_baseline, missing
    unit.record("verified", differences=differences, failed=failed, baseline=has_baseline, no_baseline=missing)
    if failed:
        raise Stop("state", "; ".join(failed), state=State.HARDWARE_FAILED, details={"differences": failed})
    if differences:
        _finish(unit, report, State.SETTINGS_DIFFER, tuple(differences))
        return
    _finish(unit, report, State.VERIFIED)


def do_restore(unit: Unit, report: dict[str, Any]) -> None:
    require_ats(unit)
    report["step"] = "restore"
    unit.begin("restore", writing=True)
    _finish(unit, report, restore(unit))


# Runs that may ask or send say so first, before anything is measured.
ASKING = (do_ready, do_isolate, do_upgrade, do_restore)


def announce(unit: Unit, task: Any) -> None:
    if task in ASKING:
        unit.announce()


def versions(sample: Sample) -> dict[str, str | None]:
    card = sample.identity
    return {
        "aos": str(card.aos.version) if card.aos.version else None,
        "app": str(card.app.version) if card.app.version else None,
    }
