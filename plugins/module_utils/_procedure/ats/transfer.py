# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending one file under the interlock, and the restart that follows (SAFETY 4.4)."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState, What
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, Sending
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwareFile
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import held_signals
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login

# An AOS is never cut by our impatience: only a card that takes nothing for so long is given up.
AOS_STALL_S = 300.0
APP_STALL_S = 120.0
# While SNMP is silent an AOS transfer is asked beside seldom: it must not starve.
AOS_SILENT_S = 10.0
# SAFETY 4.4: how long a missing answer holds the app's last block.
LAST_BLOCK_HOLD_S = 60.0
# How long, after login, readings may be missing before the file is not sent after all.
GATE_S = 60.0
BLIND_LIMIT_S = 600.0
TOO_BLIND = "the card was blind for more than 10 minutes since the AOS was sent"
# A card that still answers so long after STOR is not deaf while it stores.
DEAF_FROM_S = 10.0
# An app that starts shows its version a little later than the AOS.
VERSION_S = 180.0


class Cut(Exception):
    """The transfer must not be completed; the transport resets the connection when a hook raises this."""

    def __init__(self, reason: str, verdict: Verdict) -> None:
        super().__init__(reason)
        self.verdict = verdict


class Gate:
    """The transport's hooks: sampling goes on during the transfer, and the app's last block waits for the verdict."""

    def __init__(self, unit: Unit, file: FirmwareFile, blind: Blind | None, blind_end_s: float | None) -> None:
        self.unit, self.file, self.blind = unit, file, blind
        # SAFETY 4.5: no file is begun under a carried verdict after it.
        self.blind_end_s = blind_end_s
        self.cuts = file.kind == "app"
        self.last_released = False
        self._judged: Sample | None = None
        # The last verdict that rests on what the ATS itself answered: what a blind window may carry over.
        self.last_seen: Verdict | None = None
        self.contradicted = False
        self.stor_agreed = False
        self.stor_s = 0.0
        self.answered_at_stor = False
        self.unseen = False
        self.done = 0
        self.ended_s: float | None = None
        self._warned = False
        self._faulty = False
        # SAFETY 4.4: how long a missing answer holds the app's last block.
        self.hold_s = max(LAST_BLOCK_HOLD_S, unit.bounds.stability_s + 30.0)

    def verdict(self) -> Verdict:
        unit = self.unit
        if unit.app_answered:
            # Any answer of the ATS since the card's start, seen by whatever reading, ends the blindness for good.
            self.blind = None
        verdict = unit.verdict(blind=self.blind, sending=self.stor_agreed)
        if unit.observer.newest.app_answers:
            self.last_seen = verdict
            self.contradicted = self.contradicted or bool(verdict.contradicted)
        return verdict

    @property
    def carried(self) -> Verdict | None:
        """What a blind window may rest on: nothing, if anything contradicted since the file was begun."""
        return None if self.contradicted else self.last_seen

    def first_byte(self) -> None:
        """Just before STOR the verdict is asked for once more; from STOR on the file counts as begun.

        An AOS is not held back after that: the card may have cleared its flash for it [?].
        """
        unit = self.unit
        if self.stor_agreed and not self.cuts:
            self._observe(self._look)
            return
        began = unit.clock.now()
        while True:
            verdict = self.verdict()
            if self.blind is not None and self.blind_end_s is not None and unit.clock.now() > self.blind_end_s:
                raise Cut(TOO_BLIND, verdict)
            if verdict.permitted and unit.permit.may_send:
                if not self.stor_agreed:
                    self._agree()
                return
            if verdict.contradicted or not unit.permit.may_send or unit.clock.now() - began >= GATE_S:
                raise Cut("; ".join(verdict.reasons) or "the deed has ended", verdict)
            unit.observer.next()

    def _agree(self) -> None:
        """STOR is the very next thing; the file is begun in mind, its record stands already."""
        self.stor_agreed, self.stor_s = True, self.unit.clock.now()
        self.answered_at_stor = self.unit.observer.newest.answered
        self.unit.keeper.file(self.file.kind, FileEvent.STOR, write=False)

    def idle(self) -> None:
        self._observe(self._sample)

    def _sample(self) -> None:
        self.unit.observer.poll_if_due(0.0 if self.cuts else AOS_SILENT_S)
        self._look()

    def _observe(self, step: Callable[[], None]) -> None:
        """No fault of the watching ever ends the transfer of an AOS."""
        if self.cuts:
            step()
            return
        try:
            step()
        except Exception as exc:
            if not self._faulty:
                self._faulty = True
                self.unit.record("watch_failed", during=self.file.file, reason=type(exc).__name__)

    def sent(self, done: int, total: int) -> None:
        self.done = done
        self._observe(self._sample)
        share = 100 * done // max(total, 1)
        self.unit.say(f"sending {self.file.kind} {self.file.version}: {share} %, DO NOT TOUCH ANY PLUG", "sending")

    def _look(self) -> None:
        unit, newest = self.unit, self.unit.observer.newest
        if newest is self._judged or self.last_released or not self.stor_agreed:
            return
        self._judged = newest
        unit.said.follow_deed()
        verdict = self.verdict()
        if not verdict.contradicted and unit.permit.may_send:
            return
        reason = "; ".join(f"{check.id}: {check.observed}" for check in verdict.contradicted) or "the deed has ended"
        if self.cuts:
            raise Cut(reason, verdict)
        if not self._warned:
            # A half-written AOS may leave the card without one: an AOS transfer is never cut [?].
            self._warned = True
            unit.say(f"{reason}; the AOS transfer goes on, TOUCH NO PLUG", "contradiction")
            unit.record("contradiction", during=self.file.file, reason=reason)

    def last_block(self, done: int, total: int) -> None:
        if not self.cuts:
            self.last_released = True
            return
        unit = self.unit
        began = unit.clock.now()
        written = False
        while True:
            verdict = self.verdict()
            unseen = not verdict.permitted and self._deaf(verdict, began)
            if verdict.permitted or unseen:
                if not written:
                    # Record, verdict, send: the disk may take its time, and the verdict is asked for again behind it.
                    self._write_intent(done, total, unseen, verdict)
                    written = True
                    continue
                if unit.permit.may_send or self.last_released:
                    self.unseen = unseen
                    if not self.last_released:
                        unit.keeper.last_block()
                    # Asked again where it could not leave at once: it counts as sent from the first time on.
                    self.last_released = True
                    return
            if verdict.contradicted or not (unit.permit.may_send or self.last_released):
                raise Cut("; ".join(verdict.reasons) or "the deed has ended", verdict)
            if unit.clock.now() - began >= self.hold_s and not self._deaf(verdict, began):
                self._remember_deafness()
                raise Cut("; ".join(verdict.reasons), verdict)
            unit.say("app's last block held until the verdict holds again, TOUCH NO PLUG", "held")
            unit.observer.next()

    def _write_intent(self, done: int, total: int, unseen: bool, verdict: Verdict) -> None:
        try:
            self.unit.record_or_stop("sent_unseen" if unseen else "last_block", done=done, total=total)
        except Stop as exc:
            raise Cut(exc.message, verdict) from exc

    def _deaf(self, verdict: Verdict, began: float) -> bool:
        """A card that is deaf while it stores (SAFETY 4.4): after the hold the last verdict carries over."""
        unit, now = self.unit, self.unit.clock.now()
        if now - began < self.hold_s or verdict.contradicted or self.contradicted:
            return False
        known_deaf = unit.keeper.files["app"].deaf
        last_s = unit.observer.good.at_s if unit.observer.good else 0.0
        silent_since_stor = self.answered_at_stor and last_s <= self.stor_s + DEAF_FROM_S
        carried = self.last_seen if self.blind is None else self.blind.carried
        return (
            (silent_since_stor or known_deaf)
            and not unit.observer.newest.answered
            and carried is not None
            and not carried.contradicted
            and unit.permit.may_send
            and now - self.stor_s < BLIND_LIMIT_S
        )

    def _remember_deafness(self) -> None:
        """It answered a while into the storing and then fell silent: on the next try it counts as deaf."""
        unit = self.unit
        if self.answered_at_stor and not unit.observer.newest.answered:
            unit.keeper.file("app", FileEvent.DEAF)


def send(unit: Unit, file: FirmwareFile, blind: Blind | None = None, blind_end_s: float | None = None) -> Gate:
    """Interlock, login, identity over that login, verdict again, STOR. Raises Stop; what was sent is in the keeper.

    The gate that comes back knows the last verdict that the ATS itself answered for, and when the file had ended.
    """
    data = unit.contents[file.file]
    if unit.evidence_lost:
        raise Stop("state", f"{unit.evidence_lost}; the next file is not sent")
    if unit.locks is not None:
        # A serial that could not be read at the start may be known by now.
        unit.locks.add(unit.keys())
    login = unit.login()
    try:
        gate = Gate(unit, file, blind, blind_end_s)
        verdict = _last_moment(unit, gate, blind_end_s)
        unit.log.rebase(file.file)
        # Nothing leaves before this record is on the disk: a later run must know that it began.
        if unit.options.method is Method.RECOVERY:
            unit.record_or_stop("recovery_attempt", file=file.file, starts=unit.log.starts())
        unit.record_or_stop("verdict", file=file.file, checks=[check.to_result() for check in verdict.checks])
        unit.keeper.agree(Sending(file.file, file.kind, str(file.version), file.sha256, file.size))
        unit.say(f"sending {file.file}, DO NOT TOUCH ANY PLUG", "sending begins")
        with held_signals():
            _store(unit, file, login, data, gate)
        return gate
    finally:
        login.close()


def _store(unit: Unit, file: FirmwareFile, login: Login, data: bytes, gate: Gate) -> None:
    unit.expect_restart = True
    unit.restarts_before_send = unit.observer.restarts
    try:
        login.store(file.file, data, gate, stall_s=AOS_STALL_S if file.kind == "aos" else APP_STALL_S)
        gate.ended_s = unit.clock.now()
    except Cut as exc:
        login.abort()
        unit.expect_restart = False
        _broken(unit, file, gate, FileEvent.CUT, str(exc))
        raise Stop("refused", f"the transfer of {file.file} was cut before its last block: {exc}", exc.verdict) from exc
    except TransportError as exc:
        login.abort()
        if not gate.stor_agreed:
            unit.expect_restart = False
        _broken(unit, file, gate, _fate(file, gate), exc.message)
        raise Stop("transfer", f"the transfer of {file.file} broke off: {exc.message}") from exc
    except Exception as exc:
        login.abort()
        _broken(unit, file, gate, _fate(file, gate), type(exc).__name__)
        raise
    unit.keeper.file(file.kind, FileEvent.END)
    unit.keeper.write_down()
    if gate.unseen:
        unit.sent_unseen = True
        unit.say("the app's last block was sent to a card that is silent while it stores", "unseen")


def _fate(file: FirmwareFile, gate: Gate) -> FileEvent:
    """Of a file whose connection broke: an app before its last block was reset by us, anything else may be in whole."""
    return FileEvent.CUT if file.kind == "app" and not gate.last_released else FileEvent.BREAK


def _broken(unit: Unit, file: FirmwareFile, gate: Gate, event: FileEvent, reason: str) -> None:
    gate.ended_s = unit.clock.now()
    unit.keeper.file(file.kind, event)
    if unit.permit.state is PermitState.SENDING:
        # The app's last block did not leave, or it was the AOS, which is not the dangerous one.
        unit.keeper.send(What.FILE_OVER, reason)
    unit.record("stor_cut" if event is FileEvent.CUT else "stor_failed", file=file.file, reason=reason, bytes=gate.done)


def _last_moment(unit: Unit, gate: Gate, blind_end_s: float | None) -> Verdict:
    """The verdict is taken after login; only for want of time or of an answer is it waited for."""
    end = unit.clock.now() + GATE_S
    while True:
        if unit.sent.nothing:
            unit.stop_if_orphaned()
        if blind_end_s is not None and gate.blind is not None and unit.clock.now() > blind_end_s:
            raise Stop("refused", TOO_BLIND)
        unit.said.follow_deed()
        verdict = gate.verdict()
        if not unit.permit.may_send:
            raise Stop("refused", "; ".join(verdict.reasons) or "the deed has ended", verdict)
        if verdict.permitted:
            return verdict
        if verdict.contradicted or unit.clock.now() >= end:
            raise Stop("refused", "; ".join(verdict.reasons), verdict)
        unit.observer.next()


def await_restart(unit: Unit, file: FirmwareFile, gate: Gate) -> Sample:
    """The card goes down and comes back; the version it then shows is the only proof of success."""
    restarts = unit.restarts_before_send

    def went_down(sample: Sample) -> bool:
        if sample.app_answers and unit.observer.restarts == restarts:
            # Up to the moment it goes down, what the ATS says still counts for a blind window.
            gate.verdict()
        return not sample.answered or unit.observer.restarts > restarts

    _until(
        unit,
        went_down,
        unit.options.down_timeout_s,
        f"{file.kind} sent, waiting for the card to restart",
        f"the card did not restart within {unit.options.down_timeout_s:.0f} s after {file.file}",
    )
    _until(
        unit,
        lambda sample: sample.answered and unit.observer.restarts > restarts,
        unit.options.up_timeout_s,
        f"{file.kind} sent, the card restarts",
        f"the card did not come back within {unit.options.up_timeout_s:.0f} s after {file.file}",
    )
    end = unit.clock.now() + VERSION_S
    while not _proved(unit.observer.newest, file):
        newest = unit.observer.newest
        shown = newest.identity.aos if file.kind == "aos" else newest.identity.app
        if unit.clock.now() >= end or (newest.answered and shown.version is not None):
            _deny(unit, file, newest)
            raise Stop("transfer", f"after {file.file} the card runs {shown.version or 'no app'}, not {file.version}")
        unit.say(f"{file.kind} sent, waiting for its version, {unit.hands_off.words()}", "version")
        unit.observer.next()
    sample = unit.observer.newest
    if unit.disturbance:
        raise Stop("state", f"undisturbed: {unit.disturbance}")
    unit.expect_restart = False
    unit.observer.forget_breaks()
    unit.keeper.file(file.kind, FileEvent.PROVED)
    unit.proved[file.kind] = True
    if unit.permit.state is PermitState.SENDING:
        unit.keeper.send(What.FILE_OVER, file.file)
    unit.record("restarted", file=file.file, uptime_s=sample.uptime_s, version=str(file.version))
    return sample


def _deny(unit: Unit, file: FirmwareFile, sample: Sample) -> None:
    """The card is back and proves to run without the file."""
    if not sample.answered:
        return
    unit.keeper.file(file.kind, FileEvent.DENIED)
    if unit.permit.state is PermitState.SENDING:
        unit.keeper.send(What.FILE_OVER, f"{file.file} does not run")


def _proved(sample: Sample, file: FirmwareFile) -> bool:
    card = sample.identity
    if not sample.answered:
        return False
    if file.kind == "aos":
        return bool(card.aos.version == file.version)
    return bool(card.app.version == file.version and card.app_token == file.token)


def _until(unit: Unit, done: Callable[[Sample], bool], timeout_s: float, text: str, failure: str) -> None:
    end = unit.clock.now() + timeout_s
    began = unit.clock.now()
    while True:
        sample = unit.observer.next()
        if done(sample):
            return
        if unit.clock.now() >= end:
            raise Stop("transfer", failure)
        waited = unit.clock.now() - began
        unit.say(f"{text}, {unit.hands_off.words()} ({waited:.0f} s of {timeout_s:.0f} s)", "restart")
