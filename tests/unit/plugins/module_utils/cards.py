# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small cards for the tests: values of a fixture behind a GETNEXT, in memory and on a real UDP port."""

from __future__ import annotations

import bisect
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"

Oid = tuple[int, ...]
Values = dict[Oid, Any]
# type of the fixture line -> our raw value
_RAW: dict[str, Callable[[str], Any]] = {
    "2": int,
    "4": str.encode,
    "6": lambda text: tuple(map(int, text.split("."))),
    "64": socket.inet_aton,
    "66": int,
    "67": int,
}


def load(name: str) -> Values:
    values: Values = {}
    for line in (FIXTURES / f"{name}.snmprec").read_text().splitlines():
        if line and not line.startswith("#"):
            oid, kind, text = line.split("|", 2)
            values[tuple(map(int, oid.split(".")))] = _RAW[kind](text)
    return values


def after(values: Values, oid: Sequence[int]) -> tuple[Oid, Any] | None:
    names = sorted(values)
    place = bisect.bisect_right(names, tuple(oid))
    return (names[place], values[names[place]]) if place < len(names) else None


class MemoryClient:
    """An SnmpClient that asks a dict. ``limit``: more objects than this raise what ``too_many`` makes."""

    def __init__(self, values: Values, limit: int = 1000, too_many: Callable[[], Exception] | None = None) -> None:
        self.values = values
        self.limit = limit
        self.too_many = too_many
        self.asked: list[tuple[Oid, ...]] = []
        self.requests = self.bytes_sent = self.bytes_received = 0

    def exchange(self, oids: Sequence[Oid]) -> list[tuple[Oid, Any] | None]:
        self.requests += 1
        self.asked.append(tuple(oids))
        if len(oids) > self.limit and self.too_many is not None:
            raise self.too_many()
        return [after(self.values, oid) for oid in oids]

    def close(self) -> None:
        pass


class UdpAgent:
    """A v1 and v2c agent on a free port. ``twist`` may replace the datagrams that answer a request."""

    def __init__(
        self, values: Values, twist: Callable[[UdpAgent, bytes, bytes], Sequence[bytes]] | None = None
    ) -> None:
        self.values = values
        self.twist = twist
        self.seen: list[bytes] = []
        self.peer: Any = None
        self.max_objects = 1000
        self.dropped = 0
        self.error: tuple[int, int] | None = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextlib.contextmanager
    def running(self) -> Iterator[UdpAgent]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(5)
            self.socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                data, self.peer = self.socket.recvfrom(65535)
            except TimeoutError:
                continue
            self.seen.append(data)
            answer = self.answer(data)
            for datagram in self.twist(self, data, answer) if self.twist else [answer]:
                self.socket.sendto(datagram, self.peer)

    def answer(self, data: bytes, shift: int = 0) -> bytes:
        """``shift`` is added to the request-id: the answer to another question."""
        from pyasn1.codec.ber import decoder, encoder
        from pysnmp.proto import api

        module = api.PROTOCOL_MODULES[api.decodeMessageVersion(data)]
        request, _rest = decoder.decode(data, asn1Spec=module.Message())
        asked = module.apiMessage.get_pdu(request)
        pdu = module.apiPDU.get_response(asked)
        module.apiPDU.set_request_id(pdu, int(module.apiPDU.get_request_id(asked)) + shift)
        varbinds = []
        for index, (name, _null) in enumerate(module.apiPDU.get_varbinds(asked), 1):
            found = after(self.values, tuple(name))
            if found is not None:
                varbinds.append((found[0], self._typed(module, found[1])))
            elif module is api.v1:
                module.apiPDU.set_error_status(pdu, 2)
                module.apiPDU.set_error_index(pdu, index)
                varbinds = module.apiPDU.get_varbinds(asked)
                break
            else:
                varbinds.append((name, module.EndOfMibView()))
        if len(module.apiPDU.get_varbinds(asked)) > self.max_objects:
            module.apiPDU.set_error_status(pdu, 1)
            varbinds = []
        elif self.error is not None:
            module.apiPDU.set_error_status(pdu, self.error[0])
            module.apiPDU.set_error_index(pdu, self.error[1])
            varbinds = module.apiPDU.get_varbinds(asked)
        module.apiPDU.set_varbinds(pdu, varbinds[: len(varbinds) - self.dropped])
        message = module.Message()
        module.apiMessage.set_defaults(message)
        module.apiMessage.set_community(message, module.apiMessage.get_community(request))
        module.apiMessage.set_pdu(message, pdu)
        return bytes(encoder.encode(message))

    @staticmethod
    def _typed(module: Any, value: Any) -> Any:
        if isinstance(value, int):
            return module.Integer(value) if value < 2**31 else module.TimeTicks(value)
        return module.ObjectIdentifier(value) if isinstance(value, tuple) else module.OctetString(value)
