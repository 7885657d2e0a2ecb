# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An update of a UPS's firmware that has been asked for: followed to its end, and what runs then proved.

Private to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import expected_ids
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import UpsSample, disorder
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    FirmwareUpdate,
    Status,
    UpsComm,
    parse_firmware,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import newest_update_row
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
    began = unit.clock.now()
    longest_s = max(WATCH_S, unit.options.update_timeout_s)
    # Of a damaged record only our own watch tells that it is long ago, and each run begins that anew.
    dated = isinstance(begun.get("uptime_s"), (int, float))
    end = began + (unit.options.update_timeout_s if dated else longest_s)
    least_s = max(CALM_S, unit.options.start_timeout_s)
    seen, silent = _seen_before(unit, begun), False
    calm_since: float | None = None
    while True:
        sample = unit.observer.next()
        shown, now = sample.ups.firmware_update, unit.clock.now()
        if sample.answered and shown.value in OVER:
            unit.record("update_result", result=shown.shown())
            return shown.value
        if sample.answered and shown.value in RUNNING and not seen:
            seen = True
            unit.record("update_seen", status=shown.shown())
        quiet = sample.answered and shown.is_(FirmwareUpdate.NONE) and sample.ups.comm.is_(UpsComm.OK)
        calm_since = (calm_since if calm_since is not None else now) if quiet else None
        silent = silent and quiet
        if calm_since is not None and now - calm_since >= least_s:
            reached = _reached(sample.ups.firmware.shown or "", str(begun.get("target") or ""))
            done = reached or now - began >= longest_s or long_ago(begun, sample.uptime_s)
            if not reached and not seen and (done or _same_boot(unit, begun, sample)):
                if silent:
                    unit.record("update_result", result="never begun")
                    return FirmwareUpdate.NONE
                silent = _log_is_silent(unit, begun)
                seen = not silent
                continue
            if done:
                unit.record("update_result", result="none shown any more")
                return None
        if unit.disturbance:
            raise UpsStop("identity", unit.disturbance, UpsEnd.UPDATING)
        if now >= end + least_s or (now >= end and calm_since is None):
            text = f"the update has not ended within {unit.options.update_timeout_s:.0f} s"
            raise UpsStop("timeout", text, UpsEnd.UPDATING)
        what = shown.shown() if sample.answered else "the card does not answer"
        unit.say(
            f"updating for {now - began:.0f} s ({what}): TOUCH NOTHING on this UPS, its card or its load", "update"
        )


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
    longest_s = max(least_s, unit.options.up_timeout_s)
    end = unit.clock.now() + longest_s
    since: UpsSample | None = None
    count = 0
    while True:
        sample = unit.observer.next()
        ups = sample.ups
        good = sample.answered and ups.comm.is_(UpsComm.OK) and ups.firmware.version is not None
        good = good and ups.firmware_update.value not in RUNNING
        before = unit.observer.samples[-2].uptime_s if since is not None and len(unit.observer.samples) > 1 else None
        # A card whose own time stands still shows pictures, not readings.
        still = before is not None and (sample.uptime_s is None or sample.uptime_s <= before)
        if not good or still or (since is not None and since.discrete != sample.discrete):
            since, count = None, 0
        if good and not still:
            since, count = since or sample, count + 1
            rest = sample.at_s - since.at_s > unit.bounds.stability_s and count >= unit.bounds.min_samples
            if rest and (unit.clock.now() >= end or not patient(sample)):
                return sample
        if unit.disturbance:
            raise UpsStop("identity", unit.disturbance, UpsEnd.UNPROVED)
        # At the limit a rest that has begun is waited for: nothing may be proved by less than the window.
        if unit.clock.now() >= end + (2 * unit.bounds.stability_s if since is not None else 0.0):
            lost = not sample.answered or not ups.comm.is_(UpsComm.OK)
            what = "does not communicate with the UPS" if lost else "does not come to rest"
            ending = UpsEnd.COMM_LOST if lost else UpsEnd.UNPROVED
            raise UpsStop("state", f"the card {what} {longest_s:.0f} s after the update", ending)
        unit.say(f"the update has ended, waiting for the UPS ({ups.comm.shown()}): TOUCH NOTHING yet", "settle")


def prove(unit: UpsUnit, result: FirmwareUpdate | None, begun: Mapping[str, Any], report: dict[str, Any]) -> UpsEnd:
    """What runs now, what the card says, and what its log says must agree."""
    target = str(begun.get("target") or "")
    report["firmware"]["wanted"] = report["firmware"]["wanted"] or target or None
    followed_s = unit.clock.now()

    def reached(shown: UpsSample) -> bool:
        return _reached(shown.ups.firmware.shown or "", target)

    def lagging(shown: UpsSample) -> bool:
        # How long after "successful" the UPS shows its new firmware is not published [?]; and it may test itself.
        return bool(disorder(shown)) if reached(shown) else result is FirmwareUpdate.SUCCESSFUL

    # Of a damaged record nobody knows when the start was: then only our own watch tells that it is long ago.
    dated = isinstance(begun.get("uptime_s"), (int, float))
    sample = settle(unit, lagging, PATIENCE_S if dated else WATCH_S)
    over = long_ago(begun, sample.uptime_s) or unit.clock.now() - followed_s >= WATCH_S
    # Not by a log that was read before the end: that has no word of it.
    events = unit.logs.events_of(begun, begun is unit.begun) if _read_log(unit) else None
    installed = sample.ups.firmware
    report["firmware"]["after"] = installed.shown
    report["events"] = [event.line for event in events or []][:MAX_EVENTS]
    failed = _failures(unit, begun, [event.line for event in events or [] if event.kind == "ups_firmware_failed"])
    _note_output(sample, begun, report)
    # Of a damaged record nobody knows what ran before, and of another UPS's start nothing was this one's.
    before = None if begun.get("other_ups") else begun.get("installed")
    report["changed"] = before is not None and installed.raw != before
    if not reached(sample):
        why = f"the card says {result.name.lower()}" if result is not None else "the card shows no result"
        # "Successful" beside the old firmware is no failure: the UPS may be changing over at this moment.
        ended = result is not FirmwareUpdate.SUCCESSFUL or over
        if ended:
            unit.close_start("failed", installed=installed.raw)
        raise UpsStop(
            "state",
            f"{why}, and the UPS runs {installed.shown or installed.raw}, not {target or 'what was wanted'}"
            + (f"; event log: {failed[0]}" if failed else ""),
            UpsEnd.FAILED_OLD_FIRMWARE if ended and installed.raw == begun.get("installed") else UpsEnd.UNPROVED,
        )
    if result is FirmwareUpdate.FAILED or failed:
        said = failed[0] if failed else "the card says failed"
        if over:
            # Nothing more can come of it; what runs is judged anew by the next run.
            unit.close_start("unproved", installed=installed.raw)
        raise UpsStop("state", f"the UPS runs {installed.shown}, but {said}", UpsEnd.UNPROVED)
    unit.close_start("updated", installed=installed.raw)
    if events is None:
        report["notes"].append(
            "the event log could not be read, or not be compared with the one before: no word from it"
        )
    wrong = disorder(sample)
    if wrong:
        text = f"the UPS runs {installed.shown}, but it is not in order: {wrong}"
        raise UpsStop("state", text, UpsEnd.UPDATED_NOT_NORMAL)
    return UpsEnd.UPDATED_OUTPUT_OFF if sample.ups.status.is_(Status.OFF) else UpsEnd.UPDATED


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
