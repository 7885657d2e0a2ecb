# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An update of a UPS's firmware that has been asked for: followed to its end, and what runs then proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import expected_ids
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import UpsSample, disorder
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    FirmwareUpdate,
    Status,
    UpsComm,
    UpsFirmware,
    parse_firmware,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import UpsEvent, newest_update_row
from ansible_collections.dcops.apc.plugins.module_utils._domain.window import STILL, stable, window_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import (
    OVER,
    RUNNING,
    WATCH_S,
    long_ago,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import UpsStop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.unit import UpsUnit
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

# So long the UPS may show its old firmware after "successful"; the option may only raise it.
PATIENCE_S = 600.0
# So long nothing must be seen of an update before it counts as never begun; options may only raise it.
CALM_S = 120.0
# By so much the card's uptime and our own time may differ without a restart between.
UPTIME_SLACK_S = 60.0
# A device that makes up its log must not flood the result.
MAX_EVENTS = 100


def follow(unit: UpsUnit, begun: Mapping[str, Any]) -> FirmwareUpdate | None:
    """Until the card says how it ended. None: it shows nothing any more while communication is up again; NONE: nothing
    has ever begun, by the card's object, its uptime and its log alike.

    A card that restarted has forgotten an update that the UPS may still be writing, and may communicate meanwhile [?]:
    while the old firmware is shown, "none" counts only after all the time that an update may take, which no option
    shortens.
    """
    return _Following(unit, begun).run()


class _Following:
    def __init__(self, unit: UpsUnit, begun: Mapping[str, Any]) -> None:
        self.unit, self.begun = unit, begun
        self.began = unit.clock.now()
        self.longest_s = max(WATCH_S, unit.options.update_timeout_s)
        # Of a damaged record only our own watch tells that it is long ago, and each run begins that anew.
        self.end = self.began + (unit.options.update_timeout_s if _dated(begun) else self.longest_s)
        self.least_s = max(CALM_S, unit.options.start_timeout_s)
        # Was it seen to run; and did the log, once asked, know of nothing?
        self.seen, self.silent = _seen_before(unit, begun), False
        self.calm_since: float | None = None

    def run(self) -> FirmwareUpdate | None:
        while True:
            sample = self.unit.observer.next()
            shown = sample.ups.firmware_update
            if sample.answered and shown.value in OVER:
                self.unit.record("update_result", result=shown.shown())
                return shown.value
            self._note(sample)
            if self._calm_enough():
                reached = _reached(sample.ups.firmware.shown or "", str(self.begun.get("target") or ""))
                done = reached or self._long_enough(sample)
                if self._may_never_have_begun(sample, reached, done):
                    if self.silent:
                        self.unit.record("update_result", result="never begun")
                        return FirmwareUpdate.NONE
                    self.silent = _log_is_silent(self.unit, self.begun)
                    self.seen = not self.silent
                    continue
                if done:
                    self.unit.record("update_result", result="none shown any more")
                    return None
            self._give_up()
            self._tell(sample)

    def _note(self, sample: UpsSample) -> None:
        shown, now = sample.ups.firmware_update, self.unit.clock.now()
        if sample.answered and shown.value in RUNNING and not self.seen:
            self.seen = True
            self.unit.record("update_seen", status=shown.shown())
        quiet = sample.answered and shown.is_(FirmwareUpdate.NONE) and sample.ups.comm.is_(UpsComm.OK)
        self.calm_since = (self.calm_since if self.calm_since is not None else now) if quiet else None
        self.silent = self.silent and quiet

    def _calm_enough(self) -> bool:
        return self.calm_since is not None and self.unit.clock.now() - self.calm_since >= self.least_s

    def _long_enough(self, sample: UpsSample) -> bool:
        return self.unit.clock.now() - self.began >= self.longest_s or long_ago(self.begun, sample.uptime_s)

    def _may_never_have_begun(self, sample: UpsSample, reached: bool, done: bool) -> bool:
        return not reached and not self.seen and (done or _same_boot(self.unit, self.begun, sample))

    def _give_up(self) -> None:
        unit, now = self.unit, self.unit.clock.now()
        if unit.disturbance:
            raise UpsStop("identity", unit.disturbance, UpsEnd.UPDATING)
        if now >= self.end + self.least_s or (now >= self.end and self.calm_since is None):
            text = f"the update has not ended within {unit.options.update_timeout_s:.0f} s"
            raise UpsStop("timeout", text, UpsEnd.UPDATING)

    def _tell(self, sample: UpsSample) -> None:
        what = sample.ups.firmware_update.shown() if sample.answered else "the card does not answer"
        lasted = self.unit.clock.now() - self.began
        self.unit.say(
            f"updating for {lasted:.0f} s ({what}): TOUCH NOTHING on this UPS, its card or its load", "update"
        )


def _dated(begun: Mapping[str, Any]) -> bool:
    """Of a damaged record nobody knows when the start was: then only our own watch tells that it is long ago."""
    return isinstance(begun.get("uptime_s"), (int, float))


def _log_is_silent(unit: UpsUnit, begun: Mapping[str, Any]) -> bool:
    """Does the card's log prove that nothing began since the start? A log that cannot be read proves nothing."""
    log = unit.logs.after if _read_log(unit) else None
    return log is not None and log.recognised and "log_row" in begun and newest_update_row(log) == begun["log_row"]


def _seen_before(unit: UpsUnit, begun: Mapping[str, Any]) -> bool:
    """Did the run that asked for it, or one after it, see the update run?"""
    run, later = begun.get("run", unit.run_id), False
    for record in unit.earlier:
        later = later or record is begun
        if record["kind"] == "update_seen" and (later or record.get("run") == run):
            return True
    return unit.started


def _same_boot(unit: UpsUnit, begun: Mapping[str, Any], sample: UpsSample) -> bool:
    """Is it proved, by its uptime against our own time, that the card has not restarted since the start?"""
    before, after = begun.get("uptime_s"), sample.uptime_s
    try:
        asked = datetime.fromisoformat(str(begun.get("t", "")))
    except ValueError:
        return False
    if not isinstance(before, (int, float)) or after is None or asked.tzinfo is None:
        return False
    elapsed_s = (unit.clock.wall() - asked).total_seconds() * unit.clock.factor
    return abs((after - before) - elapsed_s) < UPTIME_SLACK_S


def settle(unit: UpsUnit, patient: Callable[[UpsSample], bool], least_s: float) -> UpsSample:
    """Communication up and everything unchanged for the stability window. Raises UpsStop where it does not come.

    ``patient``: for this the sample is waited for, although everything is at rest, for ``least_s`` and as long as the
    option allows.
    """
    bounds, began = unit.bounds, unit.clock.now()
    longest_s = max(least_s, unit.options.up_timeout_s)
    end = began + longest_s
    while True:
        sample = unit.observer.next()
        now = unit.clock.now()
        # What was seen before the end says nothing of what comes behind it.
        window = window_of([seen for seen in unit.observer.samples if seen.at_s >= began], bounds, _readable)
        if stable(window, now, bounds).ok and (now >= end or not patient(sample)):
            return sample
        if unit.disturbance:
            raise UpsStop("identity", unit.disturbance, UpsEnd.UNPROVED)
        # At the limit a rest that has begun is waited for: nothing may be proved by less than the window.
        resting = _readable(sample) and window.why != STILL
        if now >= end + (2 * bounds.stability_s + bounds.change_hold_s if resting else 0.0):
            raise _no_rest(sample, longest_s)
        comm = sample.ups.comm.shown()
        unit.say(f"the update has ended, waiting for the UPS ({comm}): TOUCH NOTHING yet", "settle")


def _readable(sample: UpsSample) -> bool:
    ups = sample.ups
    known = sample.answered and ups.comm.is_(UpsComm.OK) and ups.firmware.version is not None
    return known and ups.firmware_update.value not in RUNNING


def _no_rest(sample: UpsSample, longest_s: float) -> UpsStop:
    lost = not sample.answered or not sample.ups.comm.is_(UpsComm.OK)
    what = "does not communicate with the UPS" if lost else "does not come to rest"
    ending = UpsEnd.COMM_LOST if lost else UpsEnd.UNPROVED
    return UpsStop("state", f"the card {what} {longest_s:.0f} s after the update", ending)


@dataclass(frozen=True)
class _After:
    """What is found when the update has ended. ``over``: nothing more can come of it. ``events`` None: no word."""

    sample: UpsSample
    reached: bool
    over: bool
    events: list[UpsEvent] | None
    failed: list[str]

    @property
    def firmware(self) -> UpsFirmware:
        return self.sample.ups.firmware


def prove(unit: UpsUnit, result: FirmwareUpdate | None, begun: Mapping[str, Any], report: dict[str, Any]) -> UpsEnd:
    """What runs now, what the card says, and what its log says must agree."""
    target = str(begun.get("target") or "")
    report["firmware"]["wanted"] = report["firmware"]["wanted"] or target or None
    after = _look_after(unit, result, begun, target)
    report["firmware"]["after"] = after.firmware.shown
    report["events"] = [event.line for event in after.events or []][:MAX_EVENTS]
    _note_output(after.sample, begun, report)
    # Of a damaged record nobody knows what ran before, and of another UPS's start nothing was this one's.
    before = None if begun.get("other_ups") else begun.get("installed")
    report["changed"] = before is not None and after.firmware.raw != before
    if not after.reached:
        raise _not_reached(unit, result, after, begun, target)
    if result is FirmwareUpdate.FAILED or after.failed:
        said = after.failed[0] if after.failed else "the card says failed"
        if after.over:
            # Nothing more can come of it; what runs is judged anew by the next run.
            unit.close_start("unproved", installed=after.firmware.raw)
        raise UpsStop("state", f"the UPS runs {after.firmware.shown}, but {said}", UpsEnd.UNPROVED)
    unit.close_start("updated", installed=after.firmware.raw)
    if after.events is None:
        report["notes"].append(
            "the event log could not be read, or not be compared with the one before: no word from it"
        )
    wrong = disorder(after.sample)
    if wrong:
        text = f"the UPS runs {after.firmware.shown}, but it is not in order: {wrong}"
        raise UpsStop("state", text, UpsEnd.UPDATED_NOT_NORMAL)
    return UpsEnd.UPDATED_OUTPUT_OFF if after.sample.ups.status.is_(Status.OFF) else UpsEnd.UPDATED


def _look_after(unit: UpsUnit, result: FirmwareUpdate | None, begun: Mapping[str, Any], target: str) -> _After:
    followed_s = unit.clock.now()

    def reached(shown: UpsSample) -> bool:
        return _reached(shown.ups.firmware.shown or "", target)

    def lagging(shown: UpsSample) -> bool:
        # How long after "successful" the UPS shows its new firmware is not published [?]; and it may test itself.
        return bool(disorder(shown)) if reached(shown) else result is FirmwareUpdate.SUCCESSFUL

    sample = settle(unit, lagging, PATIENCE_S if _dated(begun) else WATCH_S)
    over = long_ago(begun, sample.uptime_s) or unit.clock.now() - followed_s >= WATCH_S
    # Not by a log that was read before the end: that has no word of it.
    events = unit.logs.events_of(begun, begun is unit.begun) if _read_log(unit) else None
    lines = [event.line for event in events or [] if event.kind == "ups_firmware_failed"]
    return _After(sample, reached(sample), over, events, _failures(unit, begun, lines))


def _not_reached(
    unit: UpsUnit, result: FirmwareUpdate | None, after: _After, begun: Mapping[str, Any], target: str
) -> UpsStop:
    why = f"the card says {result.name.lower()}" if result is not None else "the card shows no result"
    # "Successful" beside the old firmware is no failure: the UPS may be changing over at this moment.
    ended = result is not FirmwareUpdate.SUCCESSFUL or after.over
    installed = after.firmware
    if ended:
        unit.close_start("failed", installed=installed.raw)
    log = f"; event log: {after.failed[0]}" if after.failed else ""
    return UpsStop(
        "state",
        f"{why}, and the UPS runs {installed.shown or installed.raw}, not {target or 'what was wanted'}{log}",
        UpsEnd.FAILED_OLD_FIRMWARE if ended and installed.raw == begun.get("installed") else UpsEnd.UNPROVED,
    )


def _failures(unit: UpsUnit, begun: Mapping[str, Any], lines: list[str]) -> list[str]:
    """Failures in the log, also those that an earlier run read: a log may be full or gone by now."""
    if lines:
        unit.record("log_failed", lines=lines[:MAX_EVENTS])
        return lines
    found: list[str] = []
    behind = False
    for record in unit.earlier:
        behind = behind or record is begun
        if behind and record["kind"] == "log_failed" and isinstance(record.get("lines"), list):
            found += [str(line) for line in record["lines"]]
    return found


def _note_output(sample: UpsSample, begun: Mapping[str, Any], report: dict[str, Any]) -> None:
    """Whether an update leaves the output as it was is [?], and people work behind an output that is off."""
    if not sample.ups.status.known or not isinstance(begun.get("output_on"), bool):
        return
    on = not sample.ups.status.is_(Status.OFF)
    if on != begun["output_on"]:
        words = ("off", "on") if on else ("on", "off")
        report["notes"].append(f"the output was {words[0]} before the update and is {words[1]} now")


def _reached(shown: str, target: str) -> bool:
    """Version by version, and an ID that this update may lead to."""
    now, wanted = parse_firmware(shown), parse_firmware(target)
    if now.version is None or wanted.version is None or now.id is None or wanted.id is None:
        return False
    return now.version == wanted.version and now.id in expected_ids(wanted.id)


def _read_log(unit: UpsUnit) -> bool:
    """Its word is asked for, not needed: what runs is read by SNMP. False: what is at hand is an older one."""
    try:
        unit.login(patient=False).close()
    except TransportError as exc:
        unit.record("log_not_read", reason=exc.message)
        return False
    return True
