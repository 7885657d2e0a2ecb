# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP v1 and v2c on pysnmp's packet level: one blocking socket, a seventh of the cost of its high-level API.

Only questions are asked here; nothing is ever set: that is in snmp_set. v3 is in snmp_v3.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import family_of
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_common import (
    NO_SUCH_NAME,
    PYSNMP_IMPORT_ERROR,
    VERSIONS,
    SnmpOptions,
    api,
    decoder,
    encoder,
    no_answer,
    raw_pairs,
    require_pysnmp,
    status_error,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_v3 import UsmClient
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpClient
from ansible_collections.dcops.apc.plugins.module_utils._transport.varbinds import pairs_of, split

_MAX_DATAGRAM = 65535
_MAX_TEMPLATES = 64
# Two request-ids that differ in all four bytes: where the two encodings differ is where the id sits.
_PROBE_IDS = (0x11223344, 0x55667788)

# (version, community, what is asked) -> the question, and where its request-id sits
_TEMPLATES: dict[tuple[int, str, tuple[Oid, ...]], tuple[bytes, int]] = {}

# error-status, error-index, values
Answer: TypeAlias = "tuple[int, int, list[tuple[Oid, RawValue] | None]]"


def open_snmp(options: SnmpOptions) -> SnmpClient:
    require_pysnmp()
    if options.version not in VERSIONS:
        raise TransportError("unsupported", f"SNMP version {options.version!r} is not one of {', '.join(VERSIONS)}")
    return UsmClient(options) if options.version == "v3" else CommunityClient(options)


class CommunitySession:
    """The socket, and what counts as an answer; what is sent is its heirs' matter."""

    def __init__(self, options: SnmpOptions) -> None:
        self._options = options
        self._version = int(api.SNMP_VERSION_1 if options.version == "v1" else api.SNMP_VERSION_2C)
        self._module: Any = api.PROTOCOL_MODULES[self._version]
        self.requests = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self._socket = socket.socket(family_of(options.address), socket.SOCK_DGRAM)
        try:
            # A connected datagram socket takes datagrams from this address and port only: the kernel drops the rest.
            where = socket.getaddrinfo(
                options.address, options.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
            )[0][4]
            self._socket.connect(where)
        except OSError as error:
            self._socket.close()
            raise TransportError("timeout", f"{options.where} cannot be reached: {error}") from None

    def close(self) -> None:
        self._socket.close()

    def _receive(self, request_id: int, count: int | None, until: float) -> Answer | None:
        """The answer to this very request, or None when the time is up, whatever else arrives until then.

        ``count``: only an answer with so many values is one.
        """
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(_MAX_DATAGRAM)
            except TimeoutError:
                return None
            except OSError:
                # Port unreachable. It may be a reboot (or forged): the question keeps its full time.
                time.sleep(max(0.0, min(0.05, until - time.monotonic())))
                continue
            self.bytes_received += len(data)
            answer = self._understand(data, request_id, count)
            if answer is not None:
                return answer
        return None

    def _understand(self, data: bytes, request_id: int, count: int | None) -> Answer | None:
        module = self._module
        try:
            parts = split(data)
            message, rest = decoder.decode(parts[0] if parts else data, asn1Spec=module.Message())
            if rest or int(module.apiMessage.get_version(message)) != self._version:
                return None
            pdu = module.apiMessage.get_pdu(message)
            if not pdu.isSameTypeWith(module.GetResponsePDU()) or int(module.apiPDU.get_request_id(pdu)) != request_id:
                return None
            known = pairs_of(module, self._version, parts[1]) if parts else None
            status = int(module.apiPDU.get_error_status(pdu))
            if status:
                # By position: pysnmp's own accessor raises, or corrects, an index beyond the answered objects.
                return status, int(pdu.getComponentByPosition(2)), []
            pairs = raw_pairs(module.apiPDU.get_varbinds(pdu)) if known is None else known
        except Exception:
            # Bytes from the network: whatever the decoder stumbles over, this was not an answer.
            return None
        return (0, 0, pairs) if count is None or len(pairs) == count else None

    def _message(self, pdu: Any, request_id: int, varbinds: list[tuple[Oid, Any]]) -> bytes:
        module = self._module
        module.apiPDU.set_defaults(pdu)
        module.apiPDU.set_request_id(pdu, request_id)
        module.apiPDU.set_varbinds(pdu, varbinds)
        message = module.Message()
        module.apiMessage.set_defaults(message)
        module.apiMessage.set_community(message, self._options.community.encode())
        module.apiMessage.set_pdu(message, pdu)
        return bytes(encoder.encode(message))


class CommunityClient(CommunitySession):
    def __init__(self, options: SnmpOptions) -> None:
        super().__init__(options)
        self._request_id = 0x01000000 + secrets.randbelow(0x3F000000)

    def exchange(self, oids: Sequence[Oid]) -> list[tuple[Oid, RawValue] | None]:
        answers: list[tuple[Oid, RawValue] | None] = [None] * len(oids)
        slots = list(range(len(oids)))
        # Each noSuchName answer costs one more question; together they may not take longer than this.
        deadline = time.monotonic() + 4 * self._options.patience_s
        while slots:
            asked = [tuple(oids[slot]) for slot in slots]
            status, index, pairs = self._ask(tuple(asked), deadline)
            if status == 0:
                for slot, pair in zip(slots, pairs, strict=True):
                    answers[slot] = pair
                return answers
            if status == NO_SUCH_NAME and 1 <= index <= len(slots):
                # Past the end of the MIB (v1): the others are worth asking for again.
                del slots[index - 1]
            elif status == NO_SUCH_NAME and len(slots) == 1:
                return answers
            else:
                raise status_error(self._options, status, index, asked)
        return answers

    def _ask(self, asked: tuple[Oid, ...], deadline: float) -> Answer:
        # Kept at four bytes, so that it fits the place it is patched into.
        self._request_id = self._request_id + 1 if self._request_id < 0x7FFFFFFF else 0x01000000
        request_id = self._request_id
        template, offset = self._template(asked)
        request = template[:offset] + request_id.to_bytes(4, "big") + template[offset + 4 :]
        for _try in range(self._options.retries + 1):
            until = min(deadline, time.monotonic() + self._options.timeout_s)
            self._send(request)
            answer = self._receive(request_id, len(asked), until)
            if answer is not None:
                return answer
        raise no_answer(self._options)

    def _send(self, request: bytes) -> None:
        self.requests += 1
        self.bytes_sent += len(request)
        try:
            self._socket.settimeout(self._options.timeout_s)
            self._socket.send(request)
        except OSError:
            # An ICMP answer to the try before, or no route just now: the same as no answer.
            pass

    def _template(self, asked: tuple[Oid, ...]) -> tuple[bytes, int]:
        """The encoded question and where its request-id sits: encoding costs as much as all the rest of sending.

        Kept for the process: every unit is asked the same, and so is one unit by every client.
        """
        key = (self._version, self._options.community, asked)
        found = _TEMPLATES.get(key)
        if found is None:
            first, second = (self._encode(asked, probe) for probe in _PROBE_IDS)
            offset = next(place for place, (one, other) in enumerate(zip(first, second, strict=True)) if one != other)
            if len(_TEMPLATES) >= _MAX_TEMPLATES:
                _TEMPLATES.clear()
            found = _TEMPLATES[key] = (first, offset)
        return found

    def _encode(self, asked: tuple[Oid, ...], request_id: int) -> bytes:
        module = self._module
        return self._message(module.GetNextRequestPDU(), request_id, [(oid, module.null) for oid in asked])


__all__ = ["PYSNMP_IMPORT_ERROR", "CommunityClient", "CommunitySession", "SnmpOptions", "open_snmp"]
