# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole job on one UPS, and its end: every way out says what to do now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Facts, GapStatus, judge
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd, ups_next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import FirmwareUpdate, UpsComm, UpsState
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Ended, say_end
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.follow import follow, prove
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import RUNNING, open_start
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import UpsStop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.unit import UpsUnit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.update import (
    send_file,
    start,
    wait_until_permitted,
)

# What the AP9624 rules need to know, out of a reading.
Judge = Callable[[UpsState], Facts]


class UpsEndings:
    """How a run with a UPS ends: handed to the shared ``ended``."""

    def __init__(self, unit: UpsUnit, report: dict[str, Any]) -> None:
        self._unit, self._report = unit, report

    def take_back(self) -> str:
        # Nobody is ever allowed to touch anything while a run goes on.
        return ""

    def conclude(self, ended: Ended) -> tuple[str, str]:
        # What was proved stays proved, whatever fails after it.
        known = self._report.get("state")
        try:
            state = UpsEnd(known) if known else _state(self._unit, ended.stop)
        except Exception:
            # Where it cannot be told what was begun, the UPS may be writing at this moment.
            state = UpsEnd.UPDATING
        holder = str(ended.stop.details.get("holder", "")) if ended.stop is not None else ""
        return state.value, ups_next_action(state, holder)

    def interrupted(self, message: str, state: str | None) -> Stop:
        return UpsStop("state", message, UpsEnd(state))


def _state(unit: UpsUnit, stop: Stop | None) -> UpsEnd:
    if isinstance(stop, UpsStop) and stop.end is not None:
        return stop.end
    if stop is not None and stop.kind == "locked":
        return UpsEnd.LOCKED
    if unit.start_asked:
        return UpsEnd.UPDATING if unit.started else UpsEnd.START_NOT_SEEN
    if not unit.earlier:
        # Also of a card that never answered: an earlier run may have begun something.
        try:
            unit.read_earlier()
        except Exception:
            # What cannot be read may be the one record of a start.
            return UpsEnd.UPDATING
    if open_start(unit.earlier) is not None:
        return UpsEnd.UPDATING
    if unit.good is not None and unit.good.ups.firmware_update.value in RUNNING:
        return UpsEnd.FOREIGN_UPDATE
    return UpsEnd.FILE_NOT_STARTED if unit.file_begun else UpsEnd.NOTHING_SENT


def _finish(unit: UpsUnit, report: dict[str, Any], state: UpsEnd) -> None:
    report["state"], report["next_action"] = state.value, ups_next_action(state)
    report["msg"] = f"ended: {state.value.replace('_', ' ')}"
    say_end(unit, state.value, report["next_action"])
    unit.record("end", state=state.value)


# -- what is wanted ------------------------------------------------------------------------------------------------
class NoTarget(UpsStop):
    """Nobody can say which version this unit should run."""


def gap(unit: UpsUnit, judged: Judge, report: dict[str, Any]) -> Version | None:
    """The version that is missing, None where nothing is. Raises UpsStop where nobody can say what is wanted."""
    installed = unit.newest.ups.firmware
    file, wanted = unit.file, unit.options.wanted
    report["firmware"]["before"] = installed.shown or installed.raw
    if wanted is None:
        finding = judge(judged(unit.newest.ups))
        report["reason"] = finding.reason
        if finding.status in (GapStatus.FIXED, GapStatus.NOT_AFFECTED):
            return None
        fix = Version.parse((finding.fixed_in or "").removeprefix("UPS "))
        if finding.status is not GapStatus.FIX_MISSING or fix is None:
            raise NoTarget(
                "refused", f"no version was named, and no fix is known that is missing here: {finding.reason}"
            )
        if file is not None and file.version < fix:
            raise UpsStop("package", f"{file.name} is older than UPS {fix}, the first version with the fix")
        report["firmware"]["wanted"] = f"{finding.fixed_in} or later"
        return file.version if file is not None else fix
    report["firmware"]["wanted"] = f"UPS {wanted}"
    if not unit.newest.ups.comm.is_(UpsComm.OK):
        raise NoTarget("refused", "the card does not communicate with the UPS, so what it shows may be old")
    if installed.version is None or installed.id is None:
        raise UpsStop("refused", f"the unit's firmware '{(installed.raw or '')[:60]}' shows no version with an ID")
    if installed.version == wanted:
        return None
    if installed.version > wanted:
        raise UpsStop("refused", f"{installed.shown} is newer than the wanted {wanted}: a downgrade is never sent")
    return wanted


# -- the job -------------------------------------------------------------------------------------------------------
def do_update(unit: UpsUnit, judged: Judge, report: dict[str, Any]) -> None:
    """Resumable: what an earlier run began is watched to its end before anything else is thought of."""
    unit.begin(writing=True)
    begun = open_start(unit.earlier)
    running = unit.newest.ups.firmware_update.value in RUNNING
    if running and begun is None:
        raise UpsStop(
            "refused", "an update is going on that no run with this state_dir has started", UpsEnd.FOREIGN_UPDATE
        )
    if begun is not None and _resumed(unit, begun, judged, report):
        return
    if gap(unit, judged, report) is None:
        _finish(unit, report, UpsEnd.UNCHANGED)
        return
    if unit.file is None:
        raise UpsStop("package", f"{report['firmware']['wanted']} is missing and no file was given: set src")
    wait_until_permitted(unit, with_login=False)
    send_file(unit)
    start(unit)
    _finish(unit, report, prove(unit, follow(unit, unit.begun), unit.begun, report))


def _resumed(unit: UpsUnit, begun: Mapping[str, Any], judged: Judge, report: dict[str, Any]) -> bool:
    """Watches what an earlier run began; True: that was all. A failure ends this run: its cause must be known first."""
    unit.expect_change = True
    report["resumed"] = str(begun.get("run", ""))
    # What another UPS ran before is nothing of this one's.
    was = None if begun.get("other_ups") else begun.get("installed")
    before = report["firmware"]["before"] = str(was or "") or None
    unit.say("an earlier run asked for an update and did not see its end: watching it first", "resume")
    result = follow(unit, begun)
    if result is FirmwareUpdate.NONE:
        unit.close_start("never begun")
        report["notes"].append("an earlier run was about to start an update, and nothing has begun")
        unit.expect_change = False
        return False
    end = prove(unit, result, begun, report)
    whose = (
        "an update of another UPS at this address is over"
        if begun.get("other_ups")
        else "the earlier update has ended well"
    )
    report["notes"].append(f"{whose}: {unit.newest.ups.firmware.shown} runs")
    try:
        done = gap(unit, judged, report) is None
    except NoTarget as exc:
        report["notes"].append(exc.message)
        done = True
    if done:
        report["firmware"]["before"] = before
        _finish(unit, report, end)
    unit.expect_change = False
    return done


def check_update(unit: UpsUnit, judged: Judge, report: dict[str, Any]) -> None:
    """Check mode: the gap, and what stands in the way by one reading. Logs in nowhere, leaves nothing behind."""
    unit.begin(writing=False)
    if open_start(unit.earlier) is not None:
        text = "an earlier run asked for an update and did not see its end; a run without check mode watches it first"
        raise UpsStop("refused", text, UpsEnd.UPDATING)
    if unit.newest.ups.firmware_update.value in RUNNING:
        raise UpsStop("refused", "an update is going on", UpsEnd.FOREIGN_UPDATE)
    try:
        missing = gap(unit, judged, report)
    except NoTarget as exc:
        # Nothing to propose is no failure of a look at many units.
        report["notes"].append(exc.message)
        _finish(unit, report, UpsEnd.NO_TARGET)
        return
    if missing is None:
        _finish(unit, report, UpsEnd.UNCHANGED)
        return
    report["changed"] = True
    verdict = unit.verdict(with_login=False)
    report["interlock"] = verdict.to_result()
    blocking = [f"{check.id}: {check.observed}" for check in verdict.failing if check.id not in ("stable", "file")]
    if unit.file is None:
        report["notes"].append(f"{report['firmware']['wanted']} is missing and no file was given (src)")
    elif not unit.file_found().ok:
        report["notes"].append(f"the file does not fit: {unit.file_found().observed}")
    if blocking:
        report["notes"].append("would be refused now: " + "; ".join(blocking))
    if not unit.newest.ups.comm.is_(UpsComm.OK):
        report["notes"].append("the card does not communicate with the UPS: the values may be old")
    _finish(unit, report, UpsEnd.GAP)
