# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An answer taken apart says what the same answer says to pysnmp as a whole, whatever a network makes of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pysnmp")

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pysnmp.proto import api

from ansible_collections.dcops.apc.plugins.module_utils._transport import snmp, varbinds
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import CommunityClient, SnmpOptions

REQUEST_ID = 0x01020304

oids = st.lists(st.integers(0, 2**32 - 1), max_size=12).map(lambda tail: (1, 3, *tail))
# One of every type that an agent may send in either version.
KINDS: dict[str, Any] = {
    "Integer": st.integers(-(2**31), 2**31 - 1),
    "OctetString": st.one_of(st.binary(max_size=12), st.just(b"x" * 600)),
    "ObjectIdentifier": oids,
    "IpAddress": st.binary(min_size=4, max_size=4).map(lambda octets: ".".join(map(str, octets))),
    "Gauge": st.integers(0, 2**32 - 1),
    "Counter": st.integers(0, 2**32 - 1),
    "TimeTicks": st.integers(0, 2**32 - 1),
    "Null": st.just(""),
}
OF_2C = {"Gauge": "Gauge32", "Counter": "Counter32"}
kinds = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind]))
answers = st.lists(st.tuples(oids, kinds), max_size=6)
changes = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "add", "drop"]), st.integers(0, 2**16), st.integers(0, 255)), max_size=3
)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    varbinds._KEPT.clear()
    yield
    varbinds._KEPT.clear()


def module_of(version: str) -> Any:
    return api.PROTOCOL_MODULES[api.SNMP_VERSION_1 if version == "v1" else api.SNMP_VERSION_2C]


def answer_of(version: str, pairs: Any, status: int = 0, index: int = 0) -> bytes:
    module = module_of(version)
    pdu = module.GetResponsePDU()
    module.apiPDU.set_defaults(pdu)
    module.apiPDU.set_request_id(pdu, REQUEST_ID)
    pdu.setComponentByPosition(1, status)
    pdu.setComponentByPosition(2, index)
    module.apiPDU.set_varbinds(
        pdu,
        [
            (oid, getattr(module, OF_2C.get(kind, kind) if version == "v2c" else kind)(value))
            for oid, (kind, value) in pairs
        ],
    )
    message = module.Message()
    module.apiMessage.set_defaults(message)
    module.apiMessage.set_community(message, b"public")
    module.apiMessage.set_pdu(message, pdu)
    return bytes(snmp.encoder.encode(message))


def changed(data: bytes, how: list[tuple[str, int, int]]) -> bytes:
    out = bytearray(data)
    for verb, place, octet in how:
        at = place % max(1, len(out))
        if verb == "cut":
            del out[at:]
        elif verb == "add":
            out.insert(at, octet)
        elif verb == "drop":
            del out[at : at + 1]
        elif out:
            out[at] = octet
    return bytes(out)


def understood(version: str, data: bytes, whole: bool = False) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        if whole:
            patch.setattr(snmp, "split", lambda data: None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            client = CommunityClient(SnmpOptions("127.0.0.1", peer.getsockname()[1], version))
            try:
                return client._understand(data, REQUEST_ID, None)
            finally:
                client.close()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(version=st.sampled_from(["v1", "v2c"]), pairs=answers, status=st.sampled_from([0, 0, 0, 2, 5]), how=changes)
@example(version="v1", pairs=[((1, 3, 6), ("Integer", 3))], status=0, how=[])
@example(version="v2c", pairs=[], status=0, how=[])
@example(version="v1", pairs=[((1, 3, 6), ("Integer", 3))], status=2, how=[("set", 30, 0x80)])
def test_taken_apart_or_whole_it_says_the_same(version: str, pairs: Any, status: int, how: Any) -> None:
    data = changed(answer_of(version, pairs, status), how)
    whole = understood(version, data, whole=True)
    # Twice: what is kept says the same again.
    assert understood(version, data) == whole
    assert understood(version, data) == whole
    if not how and not status:
        assert whole is not None and len(whole[2]) == len(pairs)


@pytest.mark.parametrize("version", ["v1", "v2c"])
def test_each_varbind_is_decoded_once(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    original = varbinds.decoder.decode

    class Counting:
        @staticmethod
        def decode(data: bytes, asn1Spec: Any) -> Any:
            decoded.append(data)
            return original(data, asn1Spec=asn1Spec)

    monkeypatch.setattr(varbinds, "decoder", Counting)
    first = answer_of(version, [((1, 3, 1), ("Integer", 1)), ((1, 3, 2), ("Integer", 2))])
    later = answer_of(version, [((1, 3, 1), ("Integer", 1)), ((1, 3, 2), ("Integer", 3))])
    assert understood(version, first)[2] == [((1, 3, 1), 1), ((1, 3, 2), 2)]
    assert understood(version, later)[2] == [((1, 3, 1), 1), ((1, 3, 2), 3)]
    assert len(decoded) == 3


def test_the_same_octets_of_another_version_are_not_taken_over() -> None:
    pairs = [((1, 3, 1), ("Integer", 1))]
    for version in ("v1", "v2c"):
        assert understood(version, answer_of(version, pairs))[2] == [((1, 3, 1), 1)]
    assert {version for version, _octets in varbinds._KEPT} == {0, 1}


def test_what_is_kept_is_bounded() -> None:
    """A device that answers something else every time, or at great length, fills no memory."""
    for start in range(0, varbinds.MAX_KEPT + 100, 50):
        pairs = [((1, 3, number), ("Integer", number)) for number in range(start, start + 50)]
        assert understood("v1", answer_of("v1", pairs))[2] == [((1, 3, n), n) for n in range(start, start + 50)]
    assert 0 < len(varbinds._KEPT) <= varbinds.MAX_KEPT
    varbinds._KEPT.clear()
    long = answer_of("v1", [((1, 3, 1), ("OctetString", b"x" * 600))])
    assert understood("v1", long)[2] == [((1, 3, 1), b"x" * 600)]
    assert not varbinds._KEPT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",  # a length that is not said
        b"\x30\x85\x00\x00\x00\x00\x01\x00",  # a length of five octets
        b"\x3f\x01\x00",  # a tag of several octets
        b"\x04\x00",
    ],
)
def test_what_is_not_in_the_plain_form_is_left_to_the_decoder(data: bytes) -> None:
    assert varbinds.split(data) is None
