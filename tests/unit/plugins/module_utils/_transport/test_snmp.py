# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP v1 and v2c against agents on real UDP ports, polite and otherwise."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("pysnmp")

from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import ALL, read_state
from ansible_collections.dcops.apc.plugins.module_utils._transport import address, snmp, snmp_common
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import CommunityClient, SnmpOptions, open_snmp
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import UdpAgent, load
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S

END = (1, 4)
DESCR = o.SYS_DESCR[:-1]
MODEL = o.MODEL[:-1]


@pytest.fixture
def agent() -> Iterator[UdpAgent]:
    with UdpAgent(load("ap7724")).running() as running:
        yield running


def client_of(agent: UdpAgent, version: str = "v1", timeout_s: float = 1.5, retries: int = 1) -> CommunityClient:
    options = SnmpOptions("127.0.0.1", agent.port, version, timeout_s=timeout_s, retries=retries)
    client = open_snmp(options)
    assert isinstance(client, CommunityClient)
    return client


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_a_whole_state_in_four_exchanges(agent: UdpAgent, version: str) -> None:
    client = client_of(agent, version)
    state = read_state(client, ALL)
    assert client.requests == 4 == len(agent.seen)
    assert client.bytes_sent == sum(map(len, agent.seen)) and client.bytes_received > client.bytes_sent
    # An answer stays within an Ethernet frame: the small card does not put datagrams together.
    assert max(len(agent.answer(request)) for request in agent.seen) < 1400
    assert state.ats.model == "AP7724" and state.ats.load.total_current_a == 8.8
    client.close()


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_past_the_end_only_the_culprit_is_none(agent: UdpAgent, version: str) -> None:
    client = client_of(agent, version)
    answers = client.exchange([DESCR, END, MODEL, END])
    assert [answer and answer[0] for answer in answers] == [o.SYS_DESCR, None, o.MODEL, None]
    assert client.requests == (3 if version == "v1" else 1)
    assert client.exchange([END]) == [None]
    assert client.exchange([END, END]) == [None, None]
    client.close()


def test_values_of_every_type_arrive_as_ours() -> None:
    values = {
        (1, 3, 1): -1,
        (1, 3, 2): b"\x00\xff",
        (1, 3, 3): (1, 3, 6, 1),
        (1, 3, 4): 2**32 - 1,
        (1, 3, 5): b"x" * 9000,
    }
    with UdpAgent(values).running() as agent:
        client = client_of(agent)
        answers = client.exchange([(1, 3, number) for number in range(5)])
        client.close()
    assert [answer[1] for answer in answers if answer] == [-1, b"\x00\xff", (1, 3, 6, 1), 2**32 - 1, b"x" * 4096]


def test_too_big_is_named_and_the_reader_halves(agent: UdpAgent) -> None:
    agent.max_objects = 10
    client = client_of(agent)
    with pytest.raises(TooBig):
        client.exchange([DESCR] * 11)
    assert read_state(client).ats.model == "AP7724"
    # Learned: the next reading asks small at once.
    before = client.requests
    assert read_state(client).ats.load.total_current_a == 8.8
    assert client.requests - before <= 86 // 6 + 1
    client.close()


@pytest.mark.parametrize(
    ("status", "index", "kind", "word"),
    [
        (5, 1, "transfer", "genErr for 1.3.6.1.2.1.1.1"),
        (16, 0, "auth", "authorizationError"),
        (18, 9, "transfer", "inconsistentName"),
        (19, 9, "transfer", "error 19"),
    ],
)
def test_an_error_status_is_an_error(agent: UdpAgent, status: int, index: int, kind: str, word: str) -> None:
    agent.error = (status, index)
    client = client_of(agent, "v2c")
    with pytest.raises(TransportError, match=word) as caught:
        client.exchange([DESCR, MODEL])
    assert caught.value.kind == kind
    client.close()


def test_no_such_name_without_an_index_asks_for_fewer(agent: UdpAgent) -> None:
    agent.error = (2, 0)
    client = client_of(agent)
    with pytest.raises(TooBig, match="without saying for which of 2"):
        client.exchange([DESCR, MODEL])
    assert client.exchange([DESCR]) == [None]
    client.close()


def test_silence_is_a_timeout_that_says_what_to_look_at(agent: UdpAgent) -> None:
    agent.twist = lambda *_unused: []
    client = client_of(agent, timeout_s=0.15, retries=2)
    start = time.monotonic()
    with pytest.raises(TransportError) as caught:
        client.exchange([DESCR])
    took = time.monotonic() - start
    assert 0.4 < took < HANG_S and len(agent.seen) == 3
    assert caught.value.kind == "timeout"
    for word in (f"127.0.0.1:{agent.port}", "0.45 s", "wrong community", "card is down"):
        assert word in caught.value.message
    client.close()


def test_a_closed_port_takes_its_full_time_and_no_more() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = open_snmp(SnmpOptions("127.0.0.1", port, timeout_s=0.2, retries=0))
    start = time.monotonic()
    with pytest.raises(TransportError):
        client.exchange([DESCR])
    assert 0.19 < time.monotonic() - start < HANG_S
    client.close()


def test_the_second_try_is_heard(agent: UdpAgent) -> None:
    agent.twist = lambda self, _data, answer: [answer] if len(self.seen) > 1 else []
    client = client_of(agent, timeout_s=0.5)
    assert client.exchange([MODEL])[0] == (o.MODEL, b"AP7724")
    assert client.requests == 2
    client.close()


def test_garbage_wrong_ids_and_questions_are_passed_over(agent: UdpAgent) -> None:
    def twist(self: UdpAgent, data: bytes, answer: bytes) -> list[bytes]:
        deep = b"\x30\x80" * 20000
        long_oid = b"\x30\x82\xea\x60\x06\x82\xea\x5c" + b"\xff" * 60000
        return [
            b"",
            b"\x30",
            deep,
            long_oid,
            b"\xff" * 100,
            answer[:-3],
            answer + b"x",
            data,
            self.answer(data, shift=1),
            self.answer(data, shift=-1),
            answer,
        ]

    agent.twist = twist
    client = client_of(agent, timeout_s=3)
    assert client.exchange([MODEL])[0] == (o.MODEL, b"AP7724")
    assert client.requests == 1
    client.close()


def test_the_wrong_number_of_values_or_the_other_version_is_no_answer(agent: UdpAgent) -> None:
    def other_version(_self: UdpAgent, _data: bytes, answer: bytes) -> list[bytes]:
        place = answer.index(b"\x02\x01\x00")
        return [answer[:place] + b"\x02\x01\x01" + answer[place + 3 :]]

    agent.twist = other_version
    client = client_of(agent, timeout_s=0.15, retries=0)
    with pytest.raises(TransportError):
        client.exchange([MODEL])
    agent.twist = None
    agent.dropped = 1
    with pytest.raises(TransportError):
        client.exchange([MODEL, DESCR])
    client.close()


def test_an_answer_from_elsewhere_is_not_heard(agent: UdpAgent) -> None:
    foreign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    foreign.bind(("127.0.0.1", 0))

    def twist(self: UdpAgent, _data: bytes, answer: bytes) -> list[bytes]:
        foreign.sendto(answer, self.peer)
        return []

    agent.twist = twist
    client = client_of(agent, timeout_s=0.2, retries=0)
    with pytest.raises(TransportError):
        client.exchange([MODEL])
    client.close()
    foreign.close()


def test_a_trickle_does_not_extend_the_wait(agent: UdpAgent) -> None:
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            if agent.peer:
                agent.socket.sendto(b"\x30\x03\x02\x01\x00", agent.peer)

    dripping = threading.Thread(target=drip)
    dripping.start()
    agent.twist = lambda *_unused: []
    client = client_of(agent, timeout_s=0.2, retries=1)
    start = time.monotonic()
    try:
        with pytest.raises(TransportError):
            client.exchange([MODEL])
        assert time.monotonic() - start < HANG_S
        assert client.bytes_received > 0
    finally:
        stop.set()
        dripping.join()
        client.close()


def test_endless_no_such_names_end(agent: UdpAgent) -> None:
    agent.error = (2, 1)

    def slow(_self: UdpAgent, _data: bytes, answer: bytes) -> list[bytes]:
        time.sleep(0.09)
        return [answer]

    agent.twist = slow
    client = client_of(agent, timeout_s=0.1, retries=0)
    with pytest.raises(TransportError):
        client.exchange([MODEL] * 24)
    # Four times the patience, not one question an object.
    assert len(agent.seen) <= 5
    client.close()


def test_a_community_that_looks_like_a_request_id_is_left_alone(agent: UdpAgent) -> None:
    client = open_snmp(SnmpOptions("127.0.0.1", agent.port, community="\x02\x04\x11\x22\x33\x44"))
    for _unused in range(3):
        assert client.exchange([MODEL])[0] == (o.MODEL, b"AP7724")
    assert len({bytes(request) for request in agent.seen}) == 3
    client.close()


def test_a_question_is_encoded_once_for_all_clients(agent: UdpAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding took 7 of the 12 ms of a read, for every host anew."""
    encoded = []
    monkeypatch.setattr(snmp, "_TEMPLATES", {})
    plain = snmp.CommunityClient._encode
    monkeypatch.setattr(snmp.CommunityClient, "_encode", lambda self, *what: encoded.append(what) or plain(self, *what))
    for community in ("public", "public", "another"):
        client = open_snmp(SnmpOptions("127.0.0.1", agent.port, community=community))
        assert client.exchange([MODEL])[0] == (o.MODEL, b"AP7724")
        client.close()
    # Twice for each community: to find where the request-id sits.
    assert len(encoded) == 4


def test_ipv6_literal() -> None:
    try:
        server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        server.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback here")
    agent = UdpAgent(load("ap7724"))
    agent.socket.close()
    server.settimeout(0.05)
    agent.socket, agent.port = server, server.getsockname()[1]
    with agent.running():
        client = open_snmp(SnmpOptions("::1", agent.port))
        assert client.exchange([MODEL])[0] == (o.MODEL, b"AP7724")
        client.close()


def test_secrets_are_not_shown() -> None:
    options = SnmpOptions("192.0.2.1", community="s3cret-c", auth_key="s3cret-a", privacy_key="s3cret-p")
    assert "s3cret" not in repr(options)


def test_unknown_version_and_missing_pysnmp_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match="v4") as caught:
        open_snmp(SnmpOptions("127.0.0.1", version="v4"))
    assert caught.value.kind == "unsupported"
    monkeypatch.setattr(snmp_common, "PYSNMP_IMPORT_ERROR", "Traceback ...")
    with pytest.raises(TransportError, match="install pysnmp") as caught:
        open_snmp(SnmpOptions("127.0.0.1"))
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("host", ["127.0.0.1", " 127.0.0.1 ", "::1", "[::1]"])
def test_literals_are_their_own_address(host: str) -> None:
    assert address.resolve_and_pin(host) == host.strip(" []")


def test_a_name_is_resolved_once_and_ipv4_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def lookup(name: str, *_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        calls.append(name)
        return [
            (socket.AF_INET6, 2, 17, "", ("fe80::1", 0, 0, 3)),
            (socket.AF_INET, 2, 17, "", ("192.0.2.9", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert address.resolve_and_pin("ats.example") == "192.0.2.9" and calls == ["ats.example"]


@pytest.mark.parametrize("host", ["", "a b", "x" * 300, "no\nway", "." * 70, "does-not-exist.invalid"])
def test_what_is_no_address_is_a_clear_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(TransportError) as caught:
        address.resolve_and_pin(host)
    assert caught.value.kind in ("unsupported", "timeout") and "\n" not in caught.value.message
