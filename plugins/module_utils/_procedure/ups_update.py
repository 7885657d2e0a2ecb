# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The update of a UPS's firmware through its card, step by step (UPS.md). Private to the collection.

Guards over a window -> login, identity, file into upsfw -> logout (a card drops SETs while somebody is logged in) ->
guards again -> start by SNMP, once, read back -> follow to the end -> prove what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .._domain.ups import FirmwareUpdate, Status, UpsComm, parse_firmware
from .._domain.ups_file import expected_ids
from .._domain.ups_guard import GuardVerdict, UpsSample
from .._domain.ups_states import UpsEnd
from .._powernet.objects import UPS_FIRMWARE_UPDATE
from .._transport.errors import TransportError
from .._transport.types import SnmpWriter
from .errors import Stop
from .signals import held_signals
from .ups_unit import UpsStop, UpsUnit

FOLDER = "upsfw"
# After a logout the card may need a moment to notice it [?].
LOGOUT_S = 3.0
# How long an old result may take to go away after it was cleared.
CLEAR_S = 30.0
# A stall of the card's storage, during which nothing is lost.
STALL_S = 60.0
# So long nothing must be seen of an update before it counts as never begun; options may only raise it.
CALM_S = 120.0
# By so much the card's uptime and our own time may differ without a restart between.
UPTIME_SLACK_S = 60.0
# A device that makes up its log must not flood the result.
MAX_EVENTS = 100
_RUNNING = (FirmwareUpdate.STARTED, FirmwareUpdate.IN_PROCESS)
_OVER = (FirmwareUpdate.SUCCESSFUL, FirmwareUpdate.FAILED)


def open_start(records: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """The last start in evidence that no end has closed. A damaged record counts as one: it may have been it.

    What another run has closed stays so whatever the clocks said; only within one run the order tells.
    """
    opened: dict[str, Mapping[str, Any]] = {}
    closed: set[str] = set()
    for record in records:
        run = str(record.get("run", ""))
        if record["kind"] in ("update_start", "damaged"):
            opened[run] = record
        elif record["kind"] == "update_end":
            names = {str(name) for name in record.get("closes") or [run]}
            closed |= names - {run}
            if run in names:
                opened.pop(run, None)
    left = [record for run, record in opened.items() if run not in closed]
    return left[-1] if left else None


def open_names(unit: UpsUnit) -> list[str]:
    names = {str(record.get("run", "")) for record in unit.earlier if record["kind"] in ("update_start", "damaged")}
    return sorted({*names, unit.run_id})


# -- before --------------------------------------------------------------------------------------------------------
def wait_until_permitted(unit: UpsUnit, with_login: bool) -> GuardVerdict:
    """Refuses at once on what was read to be bad; waits for time and for answers only."""
    end = unit.clock.now() + unit.options.ready_timeout_s
    while True:
        verdict = unit.verdict(with_login)
        if verdict.permitted:
            return verdict
        if verdict.contradicted or unit.clock.now() >= end:
            raise UpsStop("refused", "; ".join(verdict.reasons), None, verdict)
        unit.stop_if_orphaned()
        stable = next(check for check in verdict.checks if check.id == "stable")
        missing = [check.observed for check in verdict.failing if check.id != "stable"]
        unit.say("measuring: " + ("; ".join(missing) or stable.observed), "measuring")
        unit.next()


class _Gate:
    """The transport's hooks. A file in upsfw starts nothing: only the first byte is held against the verdict."""

    def __init__(self, unit: UpsUnit) -> None:
        self.unit = unit
        self.agreed = False

    def idle(self) -> None:
        self.unit.poll_if_due()

    def first_byte(self) -> None:
        end = self.unit.clock.now() + STALL_S
        while True:
            verdict = self.unit.verdict()
            if verdict.permitted:
                self.agreed = True
                return
            if verdict.contradicted or self.unit.clock.now() >= end:
                raise UpsStop("refused", "; ".join(verdict.reasons), None, verdict)
            self.unit.next()

    def sent(self, done: int, total: int) -> None:
        self.unit.poll_if_due()
        share = 100 * done // max(total, 1)
        self.unit.say(f"file to the card: {share} %", "sending")

    def last_block(self, done: int, total: int) -> None:
        self.unit.poll_if_due()


def send_file(unit: UpsUnit) -> None:
    """The file into the card's upsfw; whether the card keeps it is known only from the update itself."""
    file = unit.file
    if file is None:
        raise UpsStop("package", "no file given")
    login = unit.login()
    unit.log_sending = unit.log_after
    gate = _Gate(unit)
    try:
        wait_until_permitted(unit, with_login=True)
        unit.record_or_stop("file_begin", file=file.name, sha256=file.sha256, size=file.size)
        unit.file_begun = True
        with held_signals():
            login.store(f"{FOLDER}/{file.name}", unit.content, gate, stall_s=STALL_S)
        unit.record("file_end", file=file.name)
    except TransportError as exc:
        unit.record("file_failed", file=file.name, reason=exc.message)
        raise UpsStop(exc.kind, f"{file.name} was not stored on the card: {exc.message}") from exc
    except Stop:
        login.abort()
        unit.record("file_cut", file=file.name)
        raise
    finally:
        login.close()


def clear_old_result(unit: UpsUnit, writer: SnmpWriter) -> None:
    """An old "successful" could not be told from a new one."""
    end = unit.clock.now() + CLEAR_S
    while not unit.newest.answered and unit.clock.now() < end:
        unit.next()
    if unit.newest.ups.firmware_update.value not in _OVER:
        return
    unit.record("clear_result", was=unit.newest.ups.firmware_update.shown())
    refusal = _set(writer, FirmwareUpdate.NONE)
    end = unit.clock.now() + CLEAR_S
    while not unit.next().ups.firmware_update.is_(FirmwareUpdate.NONE):
        if unit.clock.now() >= end:
            shown = unit.newest.ups.firmware_update.shown()
            raise UpsStop(
                "refused",
                f"the result of an earlier update ({shown}) could not be cleared, so a new one could not be told from "
                f"it: {refusal.message if refusal else 'does the SNMP access on the card read Write+?'}",
            )


def _set(writer: SnmpWriter, value: FirmwareUpdate) -> TransportError | None:
    """Sent once. What came of it is found out by reading; the words of a refusal are kept for the message."""
    try:
        writer.set_integer(UPS_FIRMWARE_UPDATE, value.value)
    except TransportError as exc:
        return exc
    return None


# -- the start -----------------------------------------------------------------------------------------------------
def start(unit: UpsUnit) -> None:
    """The last verdict, the record on the disk, the SET; read back until it is seen or time is up."""
    _after_logout(unit)
    writer = unit.open_writer()
    try:
        clear_old_result(unit, writer)
        wait_until_permitted(unit, with_login=True)
        unit.look_for_others()
        _after_logout(unit)
        wait_until_permitted(unit, with_login=True)
        with held_signals():
            refusal = _ask(unit, writer)
    finally:
        writer.close()
    _read_back(unit, refusal)


def _after_logout(unit: UpsUnit) -> None:
    until = unit.clock.now() + LOGOUT_S
    while unit.clock.now() < until:
        unit.next()


def _ask(unit: UpsUnit, writer: SnmpWriter) -> TransportError | None:
    file, before = unit.file, unit.newest
    # Once more, with nothing between it and the SET but the record.
    verdict = unit.verdict()
    if not verdict.permitted:
        raise UpsStop("refused", "; ".join(verdict.reasons), None, verdict)
    if not before.ups.firmware_update.is_(FirmwareUpdate.NONE):
        shown = before.ups.firmware_update.shown()
        raise UpsStop("refused", f"an earlier update's result ({shown}) is shown: a new one could not be told from it")
    unit.record_or_stop(
        "update_start",
        file=file.name if file else None,
        target=file.shown if file else None,
        installed=before.ups.firmware.raw,
        output_on=not before.ups.status.is_(Status.OFF),
        uptime_s=before.uptime_s,
        checks=[check.to_result() for check in verdict.checks],
    )
    # The disk may have taken its time over it.
    verdict = unit.verdict()
    if not verdict.permitted:
        _close(unit, "not asked for")
        raise UpsStop("refused", "; ".join(verdict.reasons), None, verdict)
    unit.start_asked = unit.expect_change = True
    wakes = "; its output may come on by itself" if before.ups.status.is_(Status.OFF) else ""
    unit.say(f"starting the update: TOUCH NOTHING on this UPS, its card or its load{wakes}", "start")
    refusal = _set(writer, FirmwareUpdate.STARTED)
    unit.record("start_set", refusal=refusal.message if refusal else None)
    return refusal


def _read_back(unit: UpsUnit, refusal: TransportError | None) -> None:
    end = unit.clock.now() + unit.options.start_timeout_s
    while True:
        sample = unit.next()
        shown = sample.ups.firmware_update
        if sample.answered and (shown.value in _RUNNING or shown.value in _OVER):
            unit.started = True
            unit.record("update_seen", status=shown.shown())
            return
        if unit.clock.now() >= end:
            break
        unit.say(f"waiting for the update to begin ({shown.shown() if sample.answered else 'no answer'})", "begin")
    refused = refusal is not None and refusal.kind in ("auth", "unsupported")
    if refused and sample.answered and shown.is_(FirmwareUpdate.NONE):
        # The card said no, and nothing has begun for the whole time.
        _close(unit, "refused by the card")
        raise UpsStop("auth", f"the card did not take the start: {refusal}", UpsEnd.FILE_NOT_STARTED)
    why = refusal.message if refusal else "a card whose access is Write instead of Write+ drops a SET silently"
    waited = f"the start was not seen within {unit.options.start_timeout_s:.0f} s"
    raise UpsStop("state", f"{waited}: {why}", UpsEnd.START_NOT_SEEN)


def _close(unit: UpsUnit, outcome: str, **fields: object) -> None:
    names = open_names(unit)
    unit.record("update_end", outcome=outcome, closes=names, **fields)
    # From here on what an earlier run began is no longer open for this one either.
    unit.earlier.append({"kind": "update_end", "run": unit.run_id, "closes": names})


# -- following and proving -----------------------------------------------------------------------------------------
def follow(unit: UpsUnit, begun: Mapping[str, Any]) -> FirmwareUpdate | None:
    """Until the card says how it ended; None where it shows nothing any more while communication is up again.

    A card that restarted has forgotten an update that the UPS may still be writing, and may communicate meanwhile [?]:
    while the old firmware is shown, "none" counts at once only where the update was never seen and the card never
    restarted, and else after all the time that an update may take.
    """
    began, end = unit.clock.now(), unit.clock.now() + unit.options.update_timeout_s
    least_s = max(CALM_S, unit.options.start_timeout_s)
    seen = _seen_before(unit, begun)
    calm_since: float | None = None
    while True:
        sample = unit.next()
        shown, now = sample.ups.firmware_update, unit.clock.now()
        if sample.answered and shown.value in _OVER:
            unit.record("update_result", result=shown.shown())
            return shown.value
        if sample.answered and shown.value in _RUNNING and not seen:
            seen = True
            unit.record("update_seen", status=shown.shown())
        quiet = sample.answered and shown.is_(FirmwareUpdate.NONE) and sample.ups.comm.is_(UpsComm.OK)
        calm_since = (calm_since if calm_since is not None else now) if quiet else None
        if calm_since is not None and now - calm_since >= least_s:
            reached = _reached(sample.ups.firmware.shown or "", str(begun.get("target") or ""))
            if reached or now >= end or (not seen and _same_boot(unit, begun, sample)):
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


def settle(unit: UpsUnit, patient: Callable[[UpsSample], bool] = lambda sample: False) -> UpsSample:
    """Communication up and everything unchanged for the stability window. Raises UpsStop where it does not come.

    ``patient``: for this the sample is waited for longer, although everything is at rest.
    """
    end = unit.clock.now() + unit.options.up_timeout_s
    since: UpsSample | None = None
    count = 0
    while True:
        sample = unit.next()
        ups = sample.ups
        good = sample.answered and ups.comm.is_(UpsComm.OK) and ups.firmware.version is not None
        good = good and ups.firmware_update.value not in _RUNNING
        if not good or (since is not None and since.discrete != sample.discrete):
            since, count = None, 0
        if good:
            since, count = since or sample, count + 1
            rest = sample.at_s - since.at_s > unit.bounds.stability_s and count >= unit.bounds.min_samples
            if rest and (unit.clock.now() >= end or not patient(sample)):
                return sample
        if unit.disturbance:
            raise UpsStop("identity", unit.disturbance, UpsEnd.UNPROVED)
        if unit.clock.now() >= end:
            lost = not sample.answered or not ups.comm.is_(UpsComm.OK)
            what = "does not communicate with the UPS" if lost else "does not come to rest"
            ending = UpsEnd.COMM_LOST if lost else UpsEnd.UNPROVED
            raise UpsStop("state", f"the card {what} {unit.options.up_timeout_s:.0f} s after the update", ending)
        unit.say(f"the update has ended, waiting for the UPS ({ups.comm.shown()}): TOUCH NOTHING yet", "settle")


def prove(unit: UpsUnit, result: FirmwareUpdate | None, begun: Mapping[str, Any], report: dict[str, Any]) -> UpsEnd:
    """What runs now, what the card says, and what its log says must agree."""
    target = str(begun.get("target") or "")
    report["firmware"]["wanted"] = report["firmware"]["wanted"] or target or None

    def lagging(shown: UpsSample) -> bool:
        # How long after "successful" the UPS shows its new firmware is not published [?].
        return result is FirmwareUpdate.SUCCESSFUL and not _reached(shown.ups.firmware.shown or "", target)

    sample = settle(unit, lagging)
    _read_log(unit)
    installed = sample.ups.firmware
    report["firmware"]["after"] = installed.shown
    events = unit.new_events()
    failed = [event.line for event in events or [] if event.kind == "ups_firmware_failed"]
    report["events"] = [event.line for event in events or []][:MAX_EVENTS]
    _note_output(sample, begun, report)
    new = installed.shown is not None and _reached(installed.shown, target)
    if not new:
        why = f"the card says {result.name.lower()}" if result is not None else "the card shows no result"
        _close(unit, "failed", installed=installed.raw)
        # Of a damaged record nobody knows what ran before.
        report["changed"] = begun.get("installed") is not None and installed.raw != begun["installed"]
        raise UpsStop(
            "state",
            f"{why}, and the UPS runs {installed.shown or installed.raw}, not {target or 'what was wanted'}"
            + (f"; event log: {failed[0]}" if failed else ""),
            UpsEnd.FAILED_OLD_FIRMWARE if installed.raw == begun.get("installed") else UpsEnd.UNPROVED,
        )
    report["changed"] = True
    if result is FirmwareUpdate.FAILED or failed:
        said = failed[0] if failed else "the card says failed"
        raise UpsStop("state", f"the UPS runs {installed.shown}, but {said}", UpsEnd.UNPROVED)
    _close(unit, "updated", installed=installed.raw)
    if events is None:
        report["notes"].append("the event log could not be compared with the one before: no word from it")
    return UpsEnd.UPDATED_OUTPUT_OFF if sample.ups.status.is_(Status.OFF) else UpsEnd.UPDATED


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


def _read_log(unit: UpsUnit) -> None:
    """Its word is asked for, not needed: what runs is read by SNMP."""
    try:
        unit.login(patient=False).close()
    except TransportError as exc:
        unit.record("log_not_read", reason=exc.message)
