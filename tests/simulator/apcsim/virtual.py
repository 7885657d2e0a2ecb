# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adapters for virtual time: the unit's own clock, SNMP and FTP as the procedure wants them, no sockets.

Imports nothing of the collection: the shapes are agreed, errors are made by a factory that is handed in. Two different
units for SNMP and FTP are twins behind one address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from .devicefile import Oid
from .model import Unit
from .sessions import LoginRefused, Session

BLOCK = 512
OPEN_DELAY_S = 0.5  # from the STOR to the card's agreement
ErrorFactory = Callable[[str, str], Exception]


class VirtualError(Exception):
    """Stands in for the caller's transport error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class VirtualTooBig(VirtualError):
    """Stands in for the caller's tooBig error."""

    def __init__(self, message: str) -> None:
        super().__init__("timeout", message)


class VirtualClock:
    """One clock for one or more units (peers, twins): sleeping lets all of them live."""

    def __init__(self, *units: Unit, factor: float = 1.0) -> None:
        self.units = list(units)
        self.factor = factor
        self._start: datetime = units[0].start
        self._stands: datetime | None = None
        self.on_sleep: list[Callable[[float], None]] = []  # tests watch or act here, given the time reached

    def now(self) -> float:
        return self.units[0].line.now

    def sleep(self, seconds: float) -> None:
        self.until(self.units[0].line.now + max(0.0, seconds))

    def until(self, time_s: float) -> None:
        for unit in self.units:
            unit.line.advance(time_s)
        for call in tuple(self.on_sleep):  # one of them may leave
            call(time_s)

    def wall(self) -> datetime:
        """What a computer's clock shows: it may jump and stand still, which now() never does."""
        return self._stands or self._start + timedelta(seconds=self.now())

    def jump_wall(self, seconds: float) -> None:
        """Forward or back; now() does not notice."""
        by = timedelta(seconds=seconds)
        self._start += by
        if self._stands is not None:
            self._stands += by

    def stop_wall(self) -> None:
        self._stands = self._stands or self.wall()

    def go_wall(self) -> None:
        """It goes on from where it stood."""
        if self._stands is not None:
            self._start, self._stands = self._stands - timedelta(seconds=self.now()), None


class VirtualSnmp:
    def __init__(
        self,
        clock: VirtualClock,
        unit: Unit,
        community: str = "public",
        latency_s: float = 0.02,
        timeout_s: float = 2.0,
        retries: int = 1,
        error_factory: ErrorFactory = VirtualError,
        too_big: Callable[[str], Exception] = VirtualTooBig,
        write_community: str = "private",
    ) -> None:
        self.write_community = write_community
        self.clock, self.unit, self.community = clock, unit, community
        self.latency_s, self.timeout_s, self.retries = latency_s, timeout_s, retries
        self.error_factory, self.too_big = error_factory, too_big
        self.requests = self.bytes_sent = self.bytes_received = 0

    def exchange(self, oids: Sequence[Oid]) -> list[tuple[Oid, Any] | None]:
        clock, unit = self.clock, self.unit
        for _unused in range(self.retries + 1):
            self.requests += 1
            self.bytes_sent += 40 + 16 * len(oids)
            asked_s = clock.now()
            delay = self.latency_s + unit.snmp_latency_s
            if self._hears(delay) and not unit.drops_request():
                clock.sleep(delay)
                if self._hears(delay):  # or it went down with the question in hand
                    if unit.max_varbinds and len(oids) > unit.max_varbinds:
                        raise self.too_big(f"tooBig: {len(oids)} objects")
                    return self._answer(oids)
            clock.until(max(clock.now(), asked_s + self.timeout_s))
        raise self.error_factory("timeout", f"no SNMP answer in {self.retries + 1} x {self.timeout_s:g} s")

    def set(self, oid: Oid, value: int) -> None:
        """Sent once: a lost answer may mean that it was taken."""
        clock, unit = self.clock, self.unit
        self.requests += 1
        asked_s = clock.now()
        delay = self.latency_s + unit.snmp_latency_s
        right = unit.communities.get(self.write_community)
        if self._up(delay) and not unit.drops_request():
            clock.sleep(delay)
            if self._up(delay):
                error = unit.snmp_set(oid, value, f"v1 {self.write_community}", right == "write")
                if right is not None and "set_answer_lost" not in unit.faults.active:
                    if error:
                        raise self.error_factory(_set_kind(error), f"SNMP SET refused: {error}")
                    return
        clock.until(max(clock.now(), asked_s + self.timeout_s * (self.retries + 1)))
        raise self.error_factory("timeout", f"no answer to the SNMP SET in {self.timeout_s * (self.retries + 1):g} s")

    def _up(self, delay: float) -> bool:
        return delay < self.timeout_s * (self.retries + 1) and self.unit.snmp_up

    def _hears(self, delay: float) -> bool:
        return delay < self.timeout_s and self.unit.snmp_up and self.community in self.unit.communities

    def _answer(self, oids: Sequence[Oid]) -> list[tuple[Oid, Any] | None]:
        self.bytes_received += 40 + 18 * len(oids)
        return self.unit.snmp_request(tuple(oids))

    def close(self) -> None:
        pass


def _set_kind(error: str) -> str:
    if error in ("noAccess", "authorizationError", "readOnly", "notWritable", "noSuchName"):
        return "auth"
    return "unsupported" if error.startswith(("badValue", "wrong")) else "transfer"


class VirtualLogin:
    def __init__(
        self, clock: VirtualClock, unit: Unit, session: Session, idle: Callable[[], None], error: ErrorFactory
    ):
        self._clock, self._unit, self._session, self._idle, self._error = clock, unit, session, idle, error
        self.banner = f"220 {session.banner}"
        self.open_delay_s = OPEN_DELAY_S
        self.stall_s: float | None = None  # as the last store() was given it; nothing stalls here

    def fetch(self, name: str, limit: int = 262144) -> bytes:
        try:
            self._pass(0.3, self._idle)
            data = self._session.fetch(name)
            self._pass(min(len(data), limit) / self._unit.ftp_rate_bps, self._idle)
        except FileNotFoundError:
            raise self._error("transfer", f"550 {name}: no such file") from None
        except ConnectionResetError as gone:
            raise self._error("transfer", f"{name}: {gone}") from None
        if not self._session.alive:
            raise self._error("transfer", f"{name}: connection reset")
        return data[:limit]

    def store(self, name: str, data: bytes, hooks: Any, stall_s: float | None = None) -> None:
        total, done = len(data), 0
        self.stall_s = stall_s
        rate = self._unit.ftp_rate_bps
        clock = self._clock
        try:
            hooks.first_byte()
        except BaseException:
            self.abort()
            raise
        try:
            upload = self._session.store(name)
        except (ConnectionResetError, PermissionError, FileNotFoundError) as refused:
            raise self._error("transfer", f"{name}: {refused}") from None
        try:
            self._pass(self.open_delay_s, hooks.idle)
            hooks.first_byte()
            told = clock.now()
            while done < total:
                block = data[done : done + BLOCK]
                if done + len(block) >= total:
                    hooks.last_block(done, total)
                upload.write(block)
                clock.sleep(len(block) / rate)
                done += len(block)
                if clock.now() - told >= 0.4:
                    hooks.idle()
                    told = clock.now()
                hooks.sent(done, total)
        except ConnectionResetError as cut:
            raise self._error("transfer", f"{name}: cut at byte {done} of {total}: {cut}") from None
        except BaseException:
            upload.abort()
            self.abort()
            raise
        try:
            upload.finish()
        except ConnectionResetError as cut:
            raise self._error("transfer", f"{name}: {cut}") from None
        except Exception:
            pass  # the card rejects it; the replies after a STOR prove nothing either way (NMC.md)
        self._idle()

    def close(self) -> None:
        """QUIT."""
        self._session.close()

    def abort(self) -> None:
        """Both connections reset."""
        self._session.abort()

    def _pass(self, seconds: float, idle: Callable[[], None]) -> None:
        while seconds > 0:
            step = min(0.4, seconds)
            self._clock.sleep(step)
            seconds -= step
            idle()


class VirtualFtp:
    """An open_ftp(address, port, username, password, timeout_s, idle) that reaches this unit."""

    def __init__(self, clock: VirtualClock, unit: Unit, error: ErrorFactory) -> None:
        self._clock, self._unit, self._error = clock, unit, error
        self.open_delay_s = OPEN_DELAY_S  # of the logins to come

    def __call__(
        self,
        address: str = "",
        port: int = 21,
        username: str = "apc",
        password: str = "apc",
        timeout_s: float = 10.0,
        idle: Callable[[], None] = lambda: None,
    ) -> VirtualLogin:
        for _unused in range(2):
            self._clock.sleep(0.2)
            idle()
        if not self._unit.card.up:
            raise self._error("transfer", "FTP refused: connection refused")
        try:
            session = self._unit.login(username, password)
        except LoginRefused as refused:
            kind = {"down": "transfer", "busy": "busy", "auth": "auth"}[refused.kind]
            words = {"down": "FTP refused: connection refused", "busy": f"421 {refused}", "auth": "530 login incorrect"}
            raise self._error(kind, words[refused.kind]) from None
        login = VirtualLogin(self._clock, self._unit, session, idle, self._error)
        login.open_delay_s = self.open_delay_s
        return login


def virtual_open_ftp(clock: VirtualClock, unit: Unit, error_factory: ErrorFactory = VirtualError) -> VirtualFtp:
    return VirtualFtp(clock, unit, error_factory)


def twin(snmp_unit: Unit, ftp_unit: Unit, error_factory: ErrorFactory = VirtualError) -> tuple[Any, Any, Any]:
    """Crossed port forwards: one clock, SNMP of the one unit, FTP of the other."""
    clock = VirtualClock(snmp_unit, ftp_unit)
    snmp = VirtualSnmp(clock, snmp_unit, error_factory=error_factory)
    return clock, snmp, virtual_open_ftp(clock, ftp_unit, error_factory)
