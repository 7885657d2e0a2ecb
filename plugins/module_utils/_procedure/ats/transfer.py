# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending one file under the interlock, and the restart that follows (SAFETY 4.4). Private to the collection."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwareFile
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.settle import hands_off
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
# An app that starts shows its version a little later than the AOS.
VERSION_S = 180.0


class Cut(Exception):
    """The transfer must not be completed; the transport resets the connection when a hook raises this."""

    def __init__(self, reason: str, verdict: Verdict) -> None:
        super().__init__(reason)
        self.verdict = verdict


class Gate:
    """The transport's hooks: sampling goes on during the transfer, and the app's last block waits for the verdict."""

    def __init__(self, unit: Unit, file: FirmwareFile, blind: Blind | None) -> None:
        self.unit, self.file, self.blind = unit, file, blind
        self.cuts = file.kind == "app"
        self.last_released = False
        self._judged: Sample | None = None
        # The last verdict that rests on what the ATS itself answered: what a blind window may carry over.
        self.last_seen: Verdict | None = None
        self.contradicted = False
        self.stor_agreed = False
        self.done = 0
        self.ended_s: float | None = None
        self._warned = False
        self._faulty = False

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
            if verdict.permitted:
                self.stor_agreed = True
                return
            if verdict.contradicted or unit.clock.now() - began >= GATE_S:
                raise Cut("; ".join(verdict.reasons), verdict)
            unit.observer.next()

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
        newest = self.unit.observer.newest
        if newest is self._judged or self.last_released or not self.stor_agreed:
            return
        self._judged = newest
        verdict = self.verdict()
        if not verdict.contradicted:
            return
        reason = "; ".join(f"{check.id}: {check.observed}" for check in verdict.contradicted)
        if self.cuts:
            raise Cut(reason, verdict)
        if not self._warned:
            # A half-written AOS may leave the card without one: an AOS transfer is never cut [?].
            self._warned = True
            self.unit.record("contradiction", during=self.file.file, reason=reason)
            self.unit.say(f"{reason}; the AOS transfer goes on, TOUCH NO PLUG", "contradiction")

    def last_block(self, done: int, total: int) -> None:
        if not self.cuts:
            self.last_released = True
            return
        unit = self.unit
        began = unit.clock.now()
        while True:
            verdict = self.verdict()
            if verdict.permitted:
                unit.record("last_block", done=done, total=total)
                self.last_released = True
                return
            if verdict.contradicted or unit.clock.now() - began >= LAST_BLOCK_HOLD_S:
                raise Cut("; ".join(verdict.reasons), verdict)
            unit.say("app's last block held until the verdict holds again, TOUCH NO PLUG", "held")
            unit.observer.next()


def send(unit: Unit, file: FirmwareFile, blind: Blind | None = None, blind_end_s: float | None = None) -> Gate:
    """Interlock, login, identity over that login, verdict again, STOR. Raises Stop; what was sent is in unit.sent.

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
        gate = Gate(unit, file, blind)
        verdict = _last_moment(unit, gate, blind_end_s)
        unit.log.rebase(file.file)
        checks = [check.to_result() for check in verdict.checks]
        # Nothing leaves before this record is on the disk: a later run must know that it began.
        if unit.options.method is Method.RECOVERY:
            unit.record_or_stop("recovery_attempt", file=file.file, starts=unit.log.starts())
        unit.record_or_stop(
            "stor_begin",
            file=file.file,
            version=str(file.version),
            sha256=file.sha256,
            size=file.size,
            loads_off=unit.relies_on_no_load(),
            checks=checks,
        )
        unit.sent.begun.append(file.file)
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
        unit.record("stor_cut", file=file.file, reason=str(exc), bytes=gate.done, never_begun=_never_begun(unit, gate))
        if gate.stor_agreed:
            unit.sent.app_cut = True
        else:
            unit.sent.begun.remove(file.file)
        raise Stop("refused", f"the transfer of {file.file} was cut before its last block: {exc}", exc.verdict) from exc
    except TransportError as exc:
        login.abort()
        gate.ended_s = unit.clock.now()
        never = _never_begun(unit, gate)
        if not gate.stor_agreed:
            unit.expect_restart = False
            unit.sent.begun.remove(file.file)
        elif not gate.last_released and file.kind == "app":
            unit.sent.app_cut = True
        else:
            setattr(unit.sent, file.kind, True)
        unit.record("stor_failed", file=file.file, reason=exc.message, bytes=gate.done, never_begun=never)
        raise Stop("transfer", f"the transfer of {file.file} broke off: {exc.message}") from exc
    except Exception as exc:
        login.abort()
        gate.ended_s = unit.clock.now()
        if file.kind == "app" and not gate.last_released:
            unit.sent.app_cut = True
        else:
            setattr(unit.sent, file.kind, True)
        unit.record("stor_failed", file=file.file, reason=type(exc).__name__, bytes=gate.done, never_begun=False)
        raise
    setattr(unit.sent, file.kind, True)
    unit.record("stor_end", file=file.file)


def _never_begun(unit: Unit, gate: Gate) -> bool:
    """Not even STOR was said, and no file before this one: the run has done nothing to the unit."""
    return not gate.stor_agreed and len(unit.sent.begun) == 1


def _last_moment(unit: Unit, gate: Gate, blind_end_s: float | None) -> Verdict:
    """The verdict is taken after login; only for want of time or of an answer is it waited for."""
    end = unit.clock.now() + GATE_S
    while True:
        if unit.sent.nothing:
            unit.stop_if_orphaned()
        if blind_end_s is not None and gate.blind is not None and unit.clock.now() > blind_end_s:
            raise Stop("refused", "the card was blind for more than 10 minutes since the AOS was sent")
        verdict = gate.verdict()
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
        f"{file.kind} sent, waiting for the card to restart, {hands_off(unit)}",
        f"the card did not restart within {unit.options.down_timeout_s:.0f} s after {file.file}",
    )
    _until(
        unit,
        lambda sample: sample.answered and unit.observer.restarts > restarts,
        unit.options.up_timeout_s,
        f"{file.kind} sent, the card restarts, {hands_off(unit)}",
        f"the card did not come back within {unit.options.up_timeout_s:.0f} s after {file.file}",
    )
    end = unit.clock.now() + VERSION_S
    while not _proved(unit.observer.newest, file):
        newest = unit.observer.newest
        shown = newest.identity.aos if file.kind == "aos" else newest.identity.app
        if unit.clock.now() >= end or (newest.answered and shown.version is not None):
            raise Stop("transfer", f"after {file.file} the card runs {shown.version or 'no app'}, not {file.version}")
        unit.say(f"{file.kind} sent, waiting for its version, {hands_off(unit)}", "version")
        unit.observer.next()
    sample = unit.observer.newest
    if unit.disturbance:
        raise Stop("state", f"undisturbed: {unit.disturbance}")
    unit.expect_restart = False
    unit.observer.forget_breaks()
    unit.sent.whole[file.kind] = True
    unit.record("restarted", file=file.file, uptime_s=sample.uptime_s, version=str(file.version))
    return sample


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
        unit.say(f"{text} ({waited:.0f} s of {timeout_s:.0f} s)", "restart")
