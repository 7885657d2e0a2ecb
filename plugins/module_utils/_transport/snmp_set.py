# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP SET of one integer, apart from the clients that read, which so stay unable to write.

A SET is sent once, in one datagram. When its answer is lost it may have been taken, and a second one might start
something again: the caller reads back whether it was. Whatever has to be asked for it is asked by ``prepare``: behind a
verdict nothing waits any more (SAFETY 1.3, 1.8).
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import socket
import time
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import NotSent, TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import CommunitySession
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_common import (
    VERSIONS,
    SnmpOptions,
    dotted,
    require_pysnmp,
    status_name,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_v3 import (
    ENGINES,
    Outcome,
    UsmClient,
    UsmSession,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpWriter

try:
    from pysnmp.entity.rfc3413 import cmdgen
    from pysnmp.hlapi.v3arch.asyncio.cmdgen import LCD
    from pysnmp.proto.api import v2c
except ImportError:
    # snmp_common says so to the user; nothing here is reached then.
    pass

# RFC 1157 and RFC 3416. To v1 an object that may only be read is noSuchName.
_NOT_ALLOWED = frozenset({"noSuchName", "readOnly", "noAccess", "authorizationError", "notWritable"})
_NOT_POSSIBLE = frozenset({"badValue", "wrongType", "wrongLength", "wrongEncoding", "wrongValue"})
# Every agent has it, and every user who may read at all may read it.
_SYSTEM = (1, 3, 6, 1, 2, 1, 1)
# pysnmp drops a card's engine id and clock 300 s after it learned them, and would look for them, or send a wrong time,
# with the SET itself. Real seconds since it learned them: from the first on they are learned anew, and from the second
# on nothing is sent.
_LEARN_ANEW_S = 120.0
_TOO_OLD_S = 240.0


def open_snmp_writer(options: SnmpOptions, write_community: str | None) -> SnmpWriter:
    """v1 and v2c write with ``write_community`` and never with the one that reads; v3 with the same user."""
    require_pysnmp()
    if options.version not in VERSIONS:
        raise TransportError("unsupported", f"SNMP version {options.version!r} is not one of {', '.join(VERSIONS)}")
    if options.version == "v3":
        return UsmWriter(options)
    if not write_community:
        needed = f"snmp_write_community is needed to set anything at {options.where} by SNMP {options.version}"
        raise TransportError("unsupported", needed)
    return CommunityWriter(dataclasses.replace(options, community=write_community))


class CommunityWriter(CommunitySession):
    def prepare(self) -> None:
        """Nothing is to be found out: to a wrong community a card says nothing, and whether the one that writes may
        read too is not asked of it."""

    def set_integer(self, oid: Oid, value: int) -> None:
        request_id = 1 + secrets.randbelow(0x7FFFFFFE)
        module = self._module
        request = self._message(module.SetRequestPDU(), request_id, [(oid, module.Integer(value))])
        # An ICMP answer to the SET before would otherwise be reported now, and keep this one from being sent.
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.requests += 1
        self.bytes_sent += len(request)
        try:
            self._socket.settimeout(self._options.timeout_s)
            self._socket.send(request)
        except OSError as error:
            where, reason = self._options.where, error.strerror or type(error).__name__
            raise TransportError("timeout", f"{where} cannot be reached, nothing was set: {reason}") from None
        answer = self._receive(request_id, None, time.monotonic() + self._options.patience_s)
        if answer is None:
            raise _lost(self._options)
        _judge(self._options, oid, value, *answer)


class UsmWriter(UsmSession):
    def __init__(self, options: SnmpOptions) -> None:
        super().__init__(options)
        self._reader = UsmClient(options)
        # The engine that has learned the card's engine id and clock, and since when.
        self._learned: Any = None
        self._since_s = 0.0

    def prepare(self) -> None:
        with ENGINES:
            if self._unready(_LEARN_ANEW_S):
                self._forget()
                self._learned, self._since_s = None, time.monotonic()
            # Finds the card's engine id and clock, and shows that the credentials are right; this may be tried again.
            self._reader.exchange([_SYSTEM])
            self._learned = self._engine()

    def _unready(self, limit_s: float) -> bool:
        # After any failed question the engine is another one, which knows nothing.
        return self._engine() is not self._learned or time.monotonic() - self._since_s >= limit_s

    def set_integer(self, oid: Oid, value: int) -> None:
        with ENGINES:
            if self._unready(_TOO_OLD_S):
                raise NotSent(f"{self._options.where} is to be asked for its SNMP v3 clock anew, nothing was set")
            answer = self._perform(self._set(oid, value))
        _judge(self._options, oid, value, *answer)

    async def _set(self, oid: Oid, value: int) -> Outcome:
        target = await self._target(self._options.patience_s, 0)
        engine = self._engine()
        name, _parameters = LCD.configure(engine, self._user, target, b"")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def answered(_engine: Any, _handle: Any, *outcome: Any) -> None:
            if not future.done():
                indication, status, index, varbinds, _context = outcome
                future.set_result((indication, status, index, varbinds))

        # Not pysnmp's set_cmd: that one sends up to four times more when it hears "not in time window", which anybody
        # may say, also after the SET was taken.
        cmdgen.SetCommandGenerator(discoveryRetries=0).send_varbinds(
            engine, name, None, b"", [(v2c.ObjectIdentifier(oid), v2c.Integer32(value))], answered
        )
        return await future

    def _no_answer(self) -> TransportError:
        return _lost(self._options)


def _judge(
    options: SnmpOptions, oid: Oid, value: int, status: int, index: int, pairs: list[tuple[Oid, RawValue] | None]
) -> None:
    """Returns only if the card has echoed exactly what was to be set. ``index`` says nothing: there is one object."""
    what = f"the SET of {dotted(oid)}"
    if status:
        name = status_name(status)
        if name in _NOT_ALLOWED:
            who = (
                f"SNMP v3 user {options.username!r} needs the right to write"
                if options.version == "v3"
                else "snmp_write_community must be the community whose access type on the card is Write+"
            )
            raise TransportError(
                "auth", f"{options.where} refused {what} (SNMP {name}): {who}, from this controller's address"
            )
        if name in _NOT_POSSIBLE:
            raise TransportError("unsupported", f"{options.where} does not know the value {value} in {what}: {name}")
        raise TransportError("transfer", f"{options.where} answered {what} with SNMP {name}: read back")
    if pairs != [(tuple(oid), value)]:
        raise TransportError("transfer", f"{options.where} answered {what} to {value} with another object or value")


def _lost(options: SnmpOptions) -> TransportError:
    if options.version == "v3":
        why = "the user may not write"
    else:
        # With the access type Write the card drops SETs while somebody is logged in (facts/NMC).
        why = "wrong snmp_write_community or its access type not Write+"
    return TransportError(
        "timeout",
        f"no SNMP {options.version} answer from {options.where} to a SET within {options.patience_s:g} s: {why}, or "
        "the card is down. It was sent once and may have been taken: read back",
    )


__all__ = ["CommunityWriter", "UsmWriter", "open_snmp_writer"]
