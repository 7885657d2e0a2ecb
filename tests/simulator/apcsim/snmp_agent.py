# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SNMP agent: v1 and v2c by hand, v3 by pysnmp's engine, all on one UDP port.

v1 and v2c are answered at packet level because a bench asks a hundred cards at once: a GETNEXT of 25 objects
costs well under a millisecond here and about 7 ms through the engine. The engine is only woken for v3.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.smi import error as smi_error
from pysnmp.smi import instrum

from .serve import Live

Oid = tuple[int, ...]
Found = tuple[Oid, str, Any]

GET, GETNEXT, RESPONSE, SET, GETBULK = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5
NULL, NO_SUCH_INSTANCE, END_OF_MIB = 0x05, 0x81, 0x82
TAGS = {"int": 0x02, "str": 0x04, "oid": 0x06, "ip": 0x40, "counter": 0x41, "gauge": 0x42, "ticks": 0x43}
CLASSES: dict[str, Any] = {
    "int": rfc1902.Integer32,
    "str": rfc1902.OctetString,
    "oid": rfc1902.ObjectIdentifier,
    "ip": rfc1902.IpAddress,
    "counter": rfc1902.Counter32,
    "gauge": rfc1902.Gauge32,
    "ticks": rfc1902.TimeTicks,
}
# error name -> (v1 code, v2c code, pysnmp exception); the v1 column after RFC 3584 section 4.4
ERRORS: dict[str, tuple[int, int, Any]] = {
    "tooBig": (1, 1, smi_error.TooBigError),
    "noSuchName": (2, 11, smi_error.NoSuchNameError),
    "badValue": (3, 10, smi_error.BadValueError),
    "readOnly": (2, 17, smi_error.NotWritableError),
    "genErr": (5, 5, smi_error.GenError),
    "noAccess": (2, 6, smi_error.NoAccessError),
    "wrongType": (3, 7, smi_error.WrongTypeError),
    "wrongLength": (3, 8, smi_error.WrongLengthError),
    "wrongValue": (3, 10, smi_error.WrongValueError),
    "noCreation": (2, 11, smi_error.NoCreationError),
    "inconsistentValue": (3, 12, smi_error.InconsistentValueError),
    "commitFailed": (5, 14, smi_error.CommitFailedError),
    "authorizationError": (2, 16, smi_error.AuthorizationError),
    "notWritable": (2, 17, smi_error.NotWritableError),
}
MAX_BULK = 64  # varbinds in one GETBULK answer; keeps it inside an Ethernet frame for most objects


class Malformed(Exception):
    """Not a message that an agent answers."""


# --- the part of BER that SNMPv1/v2c uses -----------------------------------------------------------------------


def _tlv(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """-> (tag, start of the value, end of the value)"""
    if at + 2 > end:
        raise Malformed("truncated")
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or at + size > end:
            raise Malformed("length")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > end:
        raise Malformed("truncated")
    return tag, at, at + length


def _expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    got, start, stop = _tlv(data, at, end)
    if got != tag:
        raise Malformed(f"tag 0x{got:02x} where 0x{tag:02x} belongs")
    return start, stop


def _oid_of(body: bytes) -> Oid:
    if not body:
        return ()
    numbers: list[int] = []
    value = 0
    for byte in body:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if body[-1] & 0x80 or max(numbers) > 0xFFFFFFFF + 80:
        raise Malformed("oid")
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - 40 * first, *numbers[1:])


def _wrap(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _int_body(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _oid_body(oid: Oid) -> bytes:
    if len(oid) < 2:
        oid = (*oid, 0, 0)[:2]
    out = bytearray()
    for number in (oid[0] * 40 + oid[1], *oid[2:]):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return bytes(out)


def _value(kind: str, value: Any) -> bytes:
    if kind == "oid":
        body = _oid_body(tuple(value))
    elif isinstance(value, int):
        body = _int_body(value)
    else:
        body = bytes(value)
    return _wrap(TAGS[kind], body)


def _value_of(tag: int, body: bytes) -> Any:
    """The value of a SET, as the model takes it."""
    if tag in (0x02, 0x41, 0x42, 0x43):
        return int.from_bytes(body, "big", signed=tag == 0x02)
    return _oid_of(body) if tag == 0x06 else body


# --- the card's values ------------------------------------------------------------------------------------------


def lookup(unit: Any, oid: Oid) -> Found | None:
    """GET by way of snmp_next: the instance itself, or None."""
    if not oid:
        return None
    before = oid[:-1] if oid[-1] == 0 else (*oid[:-1], oid[-1] - 1, 0xFFFFFFFF)
    found: Found | None = unit.snmp_next(before)
    return found if found is not None and found[0] == oid else None


def bulk(unit: Any, oids: Sequence[Oid], non_repeaters: int, repetitions: int) -> list[tuple[Oid, Found | None]]:
    single = max(0, min(non_repeaters, len(oids)))
    columns = list(oids[single:])
    answers = [(oid, unit.snmp_next(oid)) for oid in oids[:single]]
    rounds = min(max(0, repetitions), MAX_BULK // len(columns)) if columns else 0
    for _unused in range(rounds):
        row = [(oid, unit.snmp_next(oid)) for oid in columns]
        answers += row
        if all(found is None for _unused, found in row):
            break
        columns = [oid if found is None else found[0] for oid, found in row]
    return answers


class Community:
    """Answers one v1 or v2c datagram."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def answer(self, data: bytes) -> bytes | None:
        try:
            return self._answer(data)
        except Malformed:
            return None

    def _answer(self, data: bytes) -> bytes | None:
        start, end = _expect(data, 0, len(data), 0x30)
        v_start, v_end = _expect(data, start, end, 0x02)
        version = int.from_bytes(data[v_start:v_end], "big")
        c_start, c_end = _expect(data, v_end, end, 0x04)
        pdu_type, at, end = _tlv(data, c_end, end)
        numbers: list[tuple[int, int]] = []
        for _unused in range(3):
            n_start, at = _expect(data, at, end, 0x02)
            numbers.append((n_start, at))
        b_start, b_end = _expect(data, at, end, 0x30)
        if (
            version not in (0, 1)
            or pdu_type not in (GET, GETNEXT, SET, GETBULK)
            or (pdu_type == GETBULK and not version)
        ):
            raise Malformed("version or PDU")
        asked: list[tuple[Oid, int, bytes]] = []
        at = b_start
        while at < b_end:
            i_start, at = _expect(data, at, b_end, 0x30)
            o_start, o_end = _expect(data, i_start, at, 0x06)
            tag, x_start, x_end = _tlv(data, o_end, at)
            asked.append((_oid_of(data[o_start:o_end]), tag, data[x_start:x_end]))
        second, third = (int.from_bytes(data[s:e], "big", signed=True) for s, e in numbers[1:])
        with self.live.at_now() as unit:
            right = self.live.communities.get(data[c_start:c_end])
            if not unit.snmp_up or unit.drops_request():
                return None
            who = f"v{version + 1} {data[c_start:c_end].decode('latin-1')}"
            if right is None:  # a real card is silent on a wrong community
                if pdu_type == SET:
                    for oid, tag, body in asked:
                        unit.snmp_set(oid, _value_of(tag, body), who, False)
                return None
            status, index, body = self._perform(unit, version, pdu_type, asked, second, third, right, who)
            if pdu_type == SET and "set_answer_lost" in unit.faults.active:
                return None
        if status:
            body = data[b_start:b_end] if status != 1 or not version else b""
        request_id = _wrap(0x02, data[slice(*numbers[0])])
        pdu = request_id + _wrap(0x02, _int_body(status)) + _wrap(0x02, _int_body(index)) + _wrap(0x30, body)
        head = _wrap(0x02, _int_body(version)) + _wrap(0x04, data[c_start:c_end])
        return _wrap(0x30, head + _wrap(RESPONSE, pdu))

    def _perform(
        self, unit: Any, version: int, pdu_type: int, asked: list[tuple[Oid, int, bytes]],
        second: int, third: int, right: str, who: str,
    ) -> tuple[int, int, bytes]:  # fmt: skip
        if 0 < unit.max_varbinds < len(asked):
            return 1, 0, b""
        answers: list[tuple[Oid, Found | None]]
        if pdu_type == SET:
            for index, (oid, tag, body) in enumerate(asked, 1):
                name = unit.snmp_set(oid, _value_of(tag, body), who, right == "write")
                if name:
                    return ERRORS.get(name, ERRORS["genErr"])[version], index, b""
            return 0, 0, b"".join(_varbind(oid, _wrap(tag, body)) for oid, tag, body in asked)
        oids = [one[0] for one in asked]
        if pdu_type == GETBULK:
            answers = bulk(unit, oids, second, third)
        elif pdu_type == GETNEXT:
            answers = [(oid, unit.snmp_next(oid)) for oid in oids]
        else:
            answers = [(oid, lookup(unit, oid)) for oid in oids]
        out = []
        for index, (oid, found) in enumerate(answers, 1):
            if found is not None:
                out.append(_varbind(found[0], _value(found[1], found[2])))
            elif version == 0:
                return 2, index, b""
            else:
                out.append(_varbind(oid, bytes((NO_SUCH_INSTANCE if pdu_type == GET else END_OF_MIB, 0))))
        return 0, 0, b"".join(out)


def _varbind(oid: Oid, value: bytes) -> bytes:
    return _wrap(0x30, _wrap(0x06, _oid_body(oid)) + value)


# --- v3 ---------------------------------------------------------------------------------------------------------


class Instrumentation(instrum.AbstractMibInstrumController):
    """The model as pysnmp's responders see it."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def _answers(self, getter: Any, names: list[Oid], context: dict[str, Any], missing: Any) -> list[tuple[Any, Any]]:
        with self.live.at_now() as unit:
            self._check(context, "read")
            if 0 < unit.max_varbinds < len(names):
                raise smi_error.TooBigError(idx=0)
            found = [(name, getter(unit, name)) for name in names]
        return [
            (rfc1902.ObjectName(name), missing)
            if hit is None
            else (rfc1902.ObjectName(hit[0]), CLASSES[hit[1]](hit[2]))
            for name, hit in found
        ]

    def _check(self, context: dict[str, Any], right: str) -> None:
        if not self._may(context, right)[0]:
            raise smi_error.AuthorizationError(idx=0)

    def _may(self, context: dict[str, Any], right: str) -> tuple[bool, str]:
        request = context["snmpEngine"].observer.get_execution_context("rfc3412.receiveMessage:request")
        name = str(request["securityName"])
        user = self.live.v3_users.get(name)
        # as VACM would: the level asked for must be the user's own, not a weaker one
        may = user is not None and int(request["securityLevel"]) >= user.level and (right != "write" or user.write)
        return may, f"v3 {name}"

    def read_variables(self, *varBinds: Any, **context: Any) -> list[tuple[Any, Any]]:
        return self._answers(lookup, [tuple(n) for n, _unused in varBinds], context, rfc1905.noSuchInstance)

    def read_next_variables(self, *varBinds: Any, **context: Any) -> list[tuple[Any, Any]]:
        return self._answers(
            lambda u, n: u.snmp_next(n), [tuple(n) for n, _unused in varBinds], context, rfc1905.endOfMibView
        )

    def write_variables(self, *varBinds: Any, **context: Any) -> list[tuple[Any, Any]]:
        with self.live.at_now() as unit:
            may, who = self._may(context, "write")
            for index, (name, value) in enumerate(varBinds):
                plain: Any = int(value) if isinstance(value, rfc1902.univ.Integer) else bytes(value)
                if isinstance(value, rfc1902.univ.ObjectIdentifier):
                    plain = tuple(value)
                refused = unit.snmp_set(tuple(name), plain, who, may)
                if not may:
                    raise smi_error.AuthorizationError(idx=0)
                if refused:
                    raise ERRORS.get(refused, ERRORS["genErr"])[2](idx=index)
        return list(varBinds)


class Agent(udp.UdpAsyncioTransport):
    """One UDP port: v1/v2c are answered here, anything else is the engine's."""

    live: Live
    community: Community

    def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:
        version = datagram[_version_at(datagram)] if len(datagram) > 8 else -1
        if version == 3:
            with self.live.at_now() as unit:
                up = unit.snmp_up and not unit.drops_request()
                self.live.follow_boots(unit.card.boots)
            if up:
                super().datagram_received(datagram, transportAddress)
        elif version in (0, 1):
            answer = self.community.answer(datagram)
            if answer is not None:
                self.send_message(answer, transportAddress)

    def send_message(self, outgoingMessage: bytes, transportAddress: Any) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        delay_s = self.live.unit.snmp_latency_s
        if delay_s > 0:
            self.loop.call_later(delay_s, self.transport.sendto, outgoingMessage, tuple(transportAddress))
        else:
            self.transport.sendto(outgoingMessage, tuple(transportAddress))


def _version_at(datagram: bytes) -> int:
    """Where the version number stands: after the outer SEQUENCE's head and the INTEGER's two bytes."""
    length = datagram[1]
    return min(len(datagram) - 1, 4 + (length & 0x7F if length & 0x80 else 0))


AUTH = {
    "none": config.USM_AUTH_NONE, "md5": config.USM_AUTH_HMAC96_MD5, "sha": config.USM_AUTH_HMAC96_SHA,
    "sha224": config.USM_AUTH_HMAC128_SHA224, "sha256": config.USM_AUTH_HMAC192_SHA256,
    "sha384": config.USM_AUTH_HMAC256_SHA384, "sha512": config.USM_AUTH_HMAC384_SHA512,
}  # fmt: skip
PRIV = {
    "none": config.USM_PRIV_NONE, "des": config.USM_PRIV_CBC56_DES, "aes": config.USM_PRIV_CFB128_AES,
    "aes192": config.USM_PRIV_CFB192_AES, "aes256": config.USM_PRIV_CFB256_AES,
}  # fmt: skip


class Engine:
    """pysnmp's engine for v3, made to look like the card's: its own engine ID, boots that count the card's restarts."""

    def __init__(self, live: Live, port: int) -> None:
        self.engine = engine.SnmpEngine()
        self.boots_seen: int | None = None
        framework = self.engine.get_mib_builder()
        (engine_id, self.boots, self.clock) = framework.import_symbols(
            "__SNMP-FRAMEWORK-MIB", "snmpEngineID", "snmpEngineBoots", "snmpEngineTime"
        )
        # unique per simulator: a client caches boots and time by engine ID
        digest = hashlib.sha256(f"{live.unit.serial}:{port}:{time.time_ns()}".encode()).digest()
        engine_id.syntax = engine_id.syntax.clone(b"\x80\x00\x01\x3e\x05" + digest[:11])  # 318 = APC, format 5
        self.engine.snmpEngineID = engine_id.syntax
        for user in live.v3_users.values():
            config.add_v3_user(
                self.engine, user.name, AUTH[user.auth], user.auth_key or None, PRIV[user.priv], user.priv_key or None
            )
        snmp_context = context.SnmpContext(self.engine)
        snmp_context.unregister_context_name(b"")
        snmp_context.register_context_name(b"", Instrumentation(live))
        for responder in (
            cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder,
            cmdrsp.BulkCommandResponder, cmdrsp.SetCommandResponder,
        ):  # fmt: skip
            responder(self.engine, snmp_context)

    def follow_boots(self, boots: int) -> None:
        """Each restart of the card is a new engine boot, so that clients must find its time again.

        Engine time itself stays in real seconds even on an accelerated device: RFC 3414's 150 s window is judged by
        the client's clock.
        """
        if self.boots_seen is not None and boots != self.boots_seen:
            self.boots.syntax = self.boots.syntax.clone(int(self.boots.syntax) + max(1, boots - self.boots_seen))
            self.clock.syntax = self.clock.syntax.clone(int(time.time()))
        self.boots_seen = boots


async def start(live: Live, host: str, port: int) -> tuple[int, Engine]:
    """-> (the UDP port, the v3 engine); raises OSError when the port is taken."""
    loop = asyncio.get_running_loop()
    agent = Agent(loop=loop)
    agent.live, agent.community = live, Community(live)
    transport, _unused = await loop.create_datagram_endpoint(lambda: agent, local_addr=(host, port))
    bound = int(transport.get_extra_info("sockname")[1])
    v3 = Engine(live, bound)
    config.add_transport(v3.engine, udp.DOMAIN_NAME, agent)
    live.follow_boots = v3.follow_boots
    return bound, v3
