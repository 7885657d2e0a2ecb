# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP SET by v1 and v2c, against agents on real UDP ports. v3 is in test_snmp_set_v3."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pysnmp")

from ansible_collections.dcops.apc.plugins.module_utils._transport import snmp_common
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import SnmpOptions, open_snmp
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_set import open_snmp_writer
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import SnmpWriter
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import UdpAgent
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S

# upsAdvControlUpdateFirmware (facts/UPS, U.6.2.9).
UPDATE = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 6, 2, 9, 0)
OTHER = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 6, 2, 8, 0)
READ, WRITE = "s3cret-read", "s3cret-write"


class WritableAgent(UdpAgent):
    """Takes SETs of the write community, and is silent to everybody else."""

    def __init__(self) -> None:
        super().__init__({}, lambda _self, _data, answer: [answer] if answer else [])
        self.taken: list[tuple[tuple[int, ...], int]] = []
        self.status: tuple[int, int] = (0, 0)
        # Instead of what was set; values are of the version's own types.
        self.echo: Any = None

    def answer(self, data: bytes, shift: int = 0) -> bytes:
        from pyasn1.codec.ber import decoder, encoder
        from pysnmp.proto import api

        module = api.PROTOCOL_MODULES[api.decodeMessageVersion(data)]
        request, _rest = decoder.decode(data, asn1Spec=module.Message())
        asked = module.apiMessage.get_pdu(request)
        community = bytes(module.apiMessage.get_community(request)).decode()
        if not asked.isSameTypeWith(module.SetRequestPDU()) or community != WRITE:
            return b""
        pairs = module.apiPDU.get_varbinds(asked)
        status, index = self.status
        if not status and not shift:
            self.taken += [(tuple(name), int(value)) for name, value in pairs]
        pdu = module.apiPDU.get_response(asked)
        module.apiPDU.set_request_id(pdu, int(module.apiPDU.get_request_id(asked)) + shift)
        module.apiPDU.set_error_status(pdu, status)
        module.apiPDU.set_error_index(pdu, index)
        module.apiPDU.set_varbinds(pdu, pairs if self.echo is None else self.echo(module))
        message = module.Message()
        module.apiMessage.set_defaults(message)
        module.apiMessage.set_community(message, community)
        module.apiMessage.set_pdu(message, pdu)
        return bytes(encoder.encode(message))


@pytest.fixture
def agent() -> Iterator[WritableAgent]:
    agent = WritableAgent()
    with agent.running():
        yield agent


def writer_at(
    port: int, version: str = "v1", community: str | None = WRITE, timeout_s: float = 1.5, retries: int = 1
) -> SnmpWriter:
    options = SnmpOptions("127.0.0.1", port, version, READ, timeout_s=timeout_s, retries=retries)
    return open_snmp_writer(options, community)


def failure(writer: SnmpWriter, value: int = 2) -> TransportError:
    with pytest.raises(TransportError) as caught:
        writer.set_integer(UPDATE, value)
    writer.close()
    assert "s3cret" not in str(caught.value) and caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_a_set_is_one_datagram_with_the_write_community(agent: WritableAgent, version: str) -> None:
    writer = writer_at(agent.port, version)
    # To prepare it asks nothing: there is nothing to be found out.
    writer.prepare()
    assert agent.seen == []
    writer.set_integer(UPDATE, 2)
    assert agent.taken == [(UPDATE, 2)] and len(agent.seen) == 1
    assert WRITE.encode() in agent.seen[0] and READ.encode() not in agent.seen[0]
    for value in (1, -1, 2**31 - 1):
        writer.set_integer(UPDATE, value)
    assert [value for _oid, value in agent.taken] == [2, 1, -1, 2**31 - 1] and len(agent.seen) == 4
    assert "s3cret" not in repr(writer) + repr(vars(writer))
    writer.close()
    writer.close()


STATUSES = [
    (1, "transfer", "tooBig"),
    (2, "auth", "noSuchName"),
    (3, "unsupported", "badValue"),
    (4, "auth", "readOnly"),
    (5, "transfer", "genErr"),
    (6, "auth", "noAccess"),
    (7, "unsupported", "wrongType"),
    (8, "unsupported", "wrongLength"),
    (9, "unsupported", "wrongEncoding"),
    (10, "unsupported", "wrongValue"),
    (11, "transfer", "noCreation"),
    (12, "transfer", "inconsistentValue"),
    (13, "transfer", "resourceUnavailable"),
    (14, "transfer", "commitFailed"),
    (15, "transfer", "undoFailed"),
    (16, "auth", "authorizationError"),
    (17, "auth", "notWritable"),
    (18, "transfer", "inconsistentName"),
]


@pytest.mark.parametrize(
    ("version", "status", "kind", "name"),
    # v1 ends with genErr.
    [("v1", *row) for row in STATUSES[:5]] + [("v2c", *row) for row in STATUSES],
)
def test_every_error_status_has_its_kind(agent: WritableAgent, version: str, status: int, kind: str, name: str) -> None:
    agent.status = (status, 1)
    error = failure(writer_at(agent.port, version), 7)
    assert error.kind == kind and name in error.message and ".318.1.1.1.6.2.9.0" in error.message
    assert ("snmp_write_community" in error.message and "Write+" in error.message) == (kind == "auth")
    assert agent.taken == [] and len(agent.seen) == 1


@pytest.mark.parametrize(("status", "index"), [(19, 1), (5, 0), (5, 99)])
def test_a_status_or_an_index_that_makes_no_sense_is_an_error(agent: WritableAgent, status: int, index: int) -> None:
    agent.status = (status, index)
    assert failure(writer_at(agent.port, "v2c")).kind == "transfer"
    assert len(agent.seen) == 1


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_after_a_lost_answer_nothing_is_sent_again(agent: WritableAgent, version: str) -> None:
    agent.twist = lambda *_unused: []
    start = time.monotonic()
    error = failure(writer_at(agent.port, version, timeout_s=0.15, retries=2))
    took = time.monotonic() - start
    assert 0.44 < took < HANG_S and error.kind == "timeout"
    for word in (f"127.0.0.1:{agent.port}", "0.45 s", "may have been taken", "read back", "Write+"):
        assert word in error.message
    time.sleep(0.1)
    assert len(agent.seen) == 1 and agent.taken == [(UPDATE, 2)]


def test_an_answer_is_heard_as_long_as_all_the_tries_of_a_question_take(agent: WritableAgent) -> None:
    def slow(_self: UdpAgent, _data: bytes, answer: bytes) -> list[bytes]:
        time.sleep(0.4)
        return [answer]

    agent.twist = slow
    writer = writer_at(agent.port, timeout_s=0.25, retries=7)
    writer.set_integer(UPDATE, 2)
    writer.close()
    assert len(agent.seen) == 1


def test_the_community_that_only_reads_is_met_by_silence(agent: WritableAgent) -> None:
    error = failure(writer_at(agent.port, community=READ, timeout_s=0.1, retries=0))
    assert error.kind == "timeout" and "wrong snmp_write_community" in error.message and agent.taken == []


@pytest.mark.parametrize(
    "echo",
    [
        lambda module: [(UPDATE, module.Integer(3))],
        lambda module: [(OTHER, module.Integer(2))],
        lambda module: [(UPDATE, module.OctetString("2"))],
        lambda module: [(UPDATE, module.null)],
        lambda module: [(UPDATE, module.Integer(2)), (UPDATE, module.Integer(2))],
        lambda _module: [],
    ],
    ids=["value", "object", "type", "null", "two", "none"],
)
@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_another_echo_is_an_error(agent: WritableAgent, version: str, echo: Any) -> None:
    agent.echo = echo
    error = failure(writer_at(agent.port, version))
    # Not waited for any longer, or it would be a timeout.
    assert error.kind == "transfer" and "another object or value" in error.message
    assert len(agent.seen) == 1


def test_what_is_no_answer_to_this_set_is_passed_over(agent: WritableAgent) -> None:
    def twist(self: UdpAgent, data: bytes, answer: bytes) -> list[bytes]:
        place = answer.index(b"\x02\x01\x00")
        other_version = answer[:place] + b"\x02\x01\x01" + answer[place + 3 :]
        return [b"", b"\x30", answer[:-3], answer + b"x", data, other_version, self.answer(data, shift=-1), answer]

    agent.twist = twist
    writer = writer_at(agent.port)
    writer.set_integer(UPDATE, 2)
    writer.close()
    assert agent.taken == [(UPDATE, 2)] and len(agent.seen) == 1
    # And without the last one it was none of them.
    agent.twist = lambda self, data, answer: twist(self, data, answer)[:-1]
    assert failure(writer_at(agent.port, timeout_s=0.2, retries=0)).kind == "timeout"


def test_a_late_answer_to_the_set_before_is_not_this_ones(agent: WritableAgent) -> None:
    late: list[bytes] = []

    def one_behind(_self: UdpAgent, _data: bytes, answer: bytes) -> list[bytes]:
        late.append(answer)
        return late[-2:-1]

    agent.twist = one_behind
    writer = writer_at(agent.port, timeout_s=0.2, retries=0)
    for _unused in range(2):
        with pytest.raises(TransportError, match="may have been taken"):
            writer.set_integer(UPDATE, 2)
    writer.close()
    assert len(agent.seen) == 2


def test_a_closed_port_takes_its_full_time_each_time() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    writer = writer_at(port, timeout_s=0.2, retries=0)
    for _unused in range(2):
        start = time.monotonic()
        with pytest.raises(TransportError, match="may have been taken") as caught:
            writer.set_integer(UPDATE, 2)
        assert caught.value.kind == "timeout" and 0.19 < time.monotonic() - start < HANG_S
    writer.close()


def test_an_icmp_answer_that_was_left_over_does_not_keep_a_set_from_being_sent(agent: WritableAgent) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()
    writer = writer_at(agent.port)
    ours: Any = writer._socket  # type: ignore[attr-defined]
    # "Port unreachable" comes back at once on the loopback, and stays with the socket.
    ours.connect(nobody)
    ours.send(b"x")
    ours.connect(("127.0.0.1", agent.port))
    writer.set_integer(UPDATE, 2)
    writer.close()
    assert agent.taken == [(UPDATE, 2)] and len(agent.seen) == 1


def test_a_set_that_did_not_get_out_says_so(agent: WritableAgent) -> None:
    writer = writer_at(agent.port)
    real: Any = writer._socket  # type: ignore[attr-defined]

    class NoRoute:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def send(self, _data: bytes) -> int:
            raise OSError(101, "Network is unreachable")

    writer._socket = NoRoute()  # type: ignore[attr-defined]
    error = failure(writer)
    assert error.kind == "timeout" and "nothing was set: Network is unreachable" in error.message
    assert agent.seen == []


@pytest.mark.parametrize("community", [None, ""])
@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_the_reading_community_never_writes_instead(version: str, community: str | None) -> None:
    with pytest.raises(TransportError, match="snmp_write_community is needed") as caught:
        writer_at(9, version, community)
    assert caught.value.kind == "unsupported" and "s3cret" not in caught.value.message


@pytest.mark.parametrize("version", ["v1", "v2c", "v3"])
def test_the_clients_that_read_cannot_write(version: str) -> None:
    client = open_snmp(SnmpOptions("127.0.0.1", 9, version, username="u"))
    assert not [name for name in dir(client) if "set" in name.lower() and not name.startswith("__")]
    client.close()


def test_unknown_version_and_missing_pysnmp_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match="v4") as caught:
        writer_at(9, "v4")
    assert caught.value.kind == "unsupported"
    monkeypatch.setattr(snmp_common, "PYSNMP_IMPORT_ERROR", "Traceback ...")
    with pytest.raises(TransportError, match="install pysnmp") as caught:
        writer_at(9)
    assert caught.value.kind == "unsupported"
