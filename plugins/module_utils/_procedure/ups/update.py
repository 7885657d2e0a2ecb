# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update of a UPS's firmware through its card, up to its start (UPS.md).

Guards over a window -> login, identity, file into upsfw -> logout (a card drops SETs while somebody is logged in) ->
guards again -> the start recorded, the way to the card prepared, measured once more -> start by SNMP, in one datagram,
once, read back. ``follow`` goes on from there.
"""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import FirmwareUpdate, Status
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import newest_update_row
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._powernet.objects import UPS_FIRMWARE_UPDATE
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import held_signals
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import OVER, RUNNING
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import UpsStop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.unit import UpsUnit
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import NotSent, TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import SnmpWriter

FOLDER = "upsfw"
# After a logout the card may need a moment to notice it [?].
LOGOUT_S = 3.0
# How long an old result may take to go away after it was cleared.
CLEAR_S = 30.0
# A stall of the card's storage, during which nothing is lost.
STALL_S = 60.0


# -- before --------------------------------------------------------------------------------------------------------
def wait_until_permitted(unit: UpsUnit, with_login: bool) -> Verdict:
    """Refuses at once on what was read to be bad; waits for time and for answers only."""
    end = unit.clock.now() + unit.options.ready_timeout_s
    while True:
        unit.stop_if_orphaned()
        verdict = unit.verdict(with_login)
        if verdict.permitted:
            return verdict
        if verdict.contradicted or unit.clock.now() >= end:
            raise UpsStop("refused", verdict.refusal, None, verdict)
        stable = next(check for check in verdict.checks if check.id == "stable")
        missing = [check.observed for check in verdict.failing if check.id != "stable"]
        unit.say("measuring: " + ("; ".join(missing) or stable.observed), "measuring")
        unit.observer.next()


class _Gate:
    """The transport's hooks. A file in upsfw starts nothing: only the first byte is held against the verdict."""

    def __init__(self, unit: UpsUnit) -> None:
        self.unit = unit

    def idle(self) -> None:
        self.unit.observer.poll_if_due()

    def first_byte(self) -> None:
        end = self.unit.clock.now() + STALL_S
        while True:
            verdict = self.unit.verdict()
            if verdict.permitted:
                return
            if verdict.contradicted or self.unit.clock.now() >= end:
                raise UpsStop("refused", verdict.refusal, None, verdict)
            self.unit.observer.next()

    def sent(self, done: int, total: int) -> None:
        self.unit.observer.poll_if_due()
        share = 100 * done // max(total, 1)
        self.unit.say(f"file to the card: {share} %", "sending")

    def last_block(self, done: int, total: int) -> None:
        self.unit.observer.poll_if_due()


def send_file(unit: UpsUnit) -> None:
    """The file into the card's upsfw; whether the card keeps it is known only from the update itself."""
    file = unit.file
    if file is None:
        raise UpsStop("package", "no file given")
    login = unit.login()
    unit.logs.sending = unit.logs.after
    gate = _Gate(unit)
    try:
        unit.stop_if_the_log_knows_of_an_update()
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
        unit.observer.next()
    if unit.newest.ups.firmware_update.value not in OVER:
        return
    unit.record("clear_result", was=unit.newest.ups.firmware_update.shown())
    refusal = _prepare(writer) or _set(writer, FirmwareUpdate.NONE)
    end = unit.clock.now() + CLEAR_S
    while not unit.observer.next().ups.firmware_update.is_(FirmwareUpdate.NONE):
        if unit.clock.now() >= end:
            shown = unit.newest.ups.firmware_update.shown()
            raise UpsStop(
                "refused",
                f"the result of an earlier update ({shown}) could not be cleared, so a new one could not be told from "
                f"it: {refusal.message if refusal else 'does the SNMP access on the card read Write+?'}",
            )


def _prepare(writer: SnmpWriter) -> TransportError | None:
    try:
        writer.prepare()
    except TransportError as exc:
        return exc
    return None


def _set(writer: SnmpWriter, value: FirmwareUpdate) -> TransportError | None:
    """Sent once. What came of it is found out by reading; the words of a refusal are kept for the message."""
    try:
        writer.set_integer(UPS_FIRMWARE_UPDATE, value.value)
    except TransportError as exc:
        return exc
    return None


# -- the start -----------------------------------------------------------------------------------------------------
def start(unit: UpsUnit) -> None:
    """The record on the disk, the last reading and its verdict, the SET; read back until it is seen or time is up."""
    _after_logout(unit)
    writer = unit.open_writer()
    try:
        clear_old_result(unit, writer)
        refusal = _ask_when_sure(unit, writer)
    finally:
        writer.close()
    _read_back(unit, refusal)


class _Unsure(UpsStop):
    """Nothing was sent, and nothing speaks against it but a measurement that is missing: it is taken anew."""


def _ask_when_sure(unit: UpsUnit, writer: SnmpWriter) -> TransportError | None:
    end = unit.clock.now() + unit.options.ready_timeout_s
    while True:
        # Here it may take its time. Behind the window it is a question or none, which leaves the window whole.
        _prepare(writer)
        _look_until_permitted(unit)
        try:
            with held_signals():
                return _ask(unit, writer)
        except _Unsure as exc:
            if unit.clock.now() >= end:
                raise
            unit.say(f"nothing is started yet: {exc.message}", "unsure")


def _look_until_permitted(unit: UpsUnit) -> None:
    """A look at the log that is followed by the start at once: during any wait somebody may have sent another file."""
    end = unit.clock.now() + unit.options.ready_timeout_s
    while True:
        wait_until_permitted(unit, with_login=True)
        unit.look_for_others()
        _after_logout(unit)
        verdict = unit.verdict()
        if verdict.permitted:
            return
        if unit.clock.now() >= end:
            raise UpsStop("refused", verdict.refusal, None, verdict)


def _after_logout(unit: UpsUnit) -> None:
    until = unit.clock.now() + LOGOUT_S
    while unit.clock.now() < until:
        unit.observer.next()


def _ask(unit: UpsUnit, writer: SnmpWriter) -> TransportError | None:
    """SAFETY 1.8: written and said first, then measured once more, then sent; nothing else between the last two."""
    begun = _announce(unit)
    doubt = _last_look(unit, writer)
    if doubt is not None:
        unit.close_start("not asked for")
        raise doubt
    unit.start_asked = unit.expect_change = True
    unit.begun = begun
    refusal = _set(writer, FirmwareUpdate.STARTED)
    if isinstance(refusal, NotSent):
        unit.start_asked = unit.expect_change = False
        unit.begun = {}
        unit.close_start("not asked for")
        raise _Unsure(refusal.kind, refusal.message, UpsEnd.FILE_NOT_STARTED)
    unit.record("start_set", refusal=refusal.message if refusal else None)
    return refusal


def _announce(unit: UpsUnit) -> dict[str, object]:
    file, before = unit.file, unit.newest
    unit.stop_if_orphaned()
    verdict = unit.verdict()
    if not verdict.permitted:
        raise UpsStop("refused", verdict.refusal, None, verdict)
    if not before.ups.firmware_update.is_(FirmwareUpdate.NONE):
        shown = before.ups.firmware_update.shown()
        raise UpsStop("refused", f"an earlier update's result ({shown}) is shown: a new one could not be told from it")
    begun: dict[str, object] = {
        "file": file.name if file else None,
        "target": file.shown if file else None,
        "installed": before.ups.firmware.raw,
        "output_on": not before.ups.status.is_(Status.OFF),
        "uptime_s": before.uptime_s,
        # What comes behind it in the log is this update's.
        "log_row": newest_update_row(unit.logs.after) if unit.logs.after is not None else "",
    }
    wall = unit.clock.wall()
    unit.record_or_stop("update_start", **begun, checks=[check.to_result() for check in verdict.checks])
    wakes = "; its output may come on by itself" if before.ups.status.is_(Status.OFF) else ""
    unit.say(f"starting the update: TOUCH NOTHING on this UPS, its card or its load{wakes}", "start")
    return {"kind": "update_start", "run": unit.run_id, "t": wall.isoformat(), **begun}


def _last_look(unit: UpsUnit, writer: SnmpWriter) -> UpsStop | None:
    """Why the start must not be sent now; None: it must be sent at once, on a reading taken behind all the waiting.

    The disk, the terminal and the card's first answers may have taken their time.
    """
    unready = _prepare(writer)
    if unready is not None:
        # Only a silent card may still come to be ready.
        kind = UpsStop if unready.kind in ("auth", "unsupported") else _Unsure
        return kind(unready.kind, f"the start could not be sent: {unready.message}", UpsEnd.FILE_NOT_STARTED)
    unit.observer.fresh()
    verdict = unit.verdict()
    if verdict.permitted:
        return None
    return (UpsStop if verdict.contradicted else _Unsure)("refused", verdict.refusal, None, verdict)


def _read_back(unit: UpsUnit, refusal: TransportError | None) -> None:
    end = unit.clock.now() + unit.options.start_timeout_s
    while True:
        sample = unit.observer.next()
        shown = sample.ups.firmware_update
        if sample.answered and (shown.value in RUNNING or shown.value in OVER):
            unit.started = True
            unit.record("update_seen", status=shown.shown())
            return
        if unit.clock.now() >= end:
            break
        unit.say(f"waiting for the update to begin ({shown.shown() if sample.answered else 'no answer'})", "begin")
    refused = refusal is not None and refusal.kind in ("auth", "unsupported")
    if refused and sample.answered and shown.is_(FirmwareUpdate.NONE):
        # The card said no, and nothing has begun for the whole time.
        unit.close_start("refused by the card")
        raise UpsStop("auth", f"the card did not take the start: {refusal}", UpsEnd.FILE_NOT_STARTED)
    why = refusal.message if refusal else "a card whose access is Write instead of Write+ drops a SET silently"
    waited = f"the start was not seen within {unit.options.start_timeout_s:.0f} s"
    raise UpsStop("state", f"{waited}: {why}", UpsEnd.START_NOT_SEEN)
