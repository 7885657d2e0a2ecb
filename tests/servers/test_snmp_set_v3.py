# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP v3 SET against pysnmp's own agent, with a post office between that counts and can lose letters."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("pysnmp")
pytest.importorskip("cryptography")

from ansible_collections.dcops.apc.plugins.module_utils._transport import snmp_set
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import NotSent, TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import SnmpOptions, open_snmp
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_set import open_snmp_writer
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.engines import close_engines

UPDATE = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 6, 2, 9, 0)
OTHER = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 6, 2, 8, 0)
DESCR = (1, 3, 6, 1, 2, 1, 1, 1, 0)
AUTH_KEY, PRIVACY_KEY = "auth-key-0123", "privacy-key-0123"

Pair = tuple[tuple[int, ...], int]


class Agent:
    """pysnmp's engine, in a thread with its own loop: "writer" may write, "reader" only read."""

    def __init__(self) -> None:
        self.sets: list[Pair] = []
        self.on_set: Callable[[Pair], Pair] = lambda pair: pair
        self.port = 0
        self.engine: Any = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10) and self.port

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def restarted(self) -> None:
        """Once more booted: what the others know of its clock is out of date."""
        (boots,) = self.engine.get_mib_builder().import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineBoots")
        boots.syntax = boots.syntax.clone(int(boots.syntax) + 1)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._serve()
        finally:
            self._ready.set()
        self._loop.run_forever()
        self.engine.close_dispatcher()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _serve(self) -> None:
        from pysnmp.carrier.asyncio.dgram import udp
        from pysnmp.entity import config, engine
        from pysnmp.entity.rfc3413 import cmdrsp, context
        from pysnmp.hlapi.v3arch import asyncio as hlapi
        from pysnmp.proto.api import v2c
        from pysnmp.smi import error as smi_error
        from pysnmp.smi import instrum

        outer = self

        class Mib(instrum.AbstractMibInstrumController):
            def read_next_variables(self, *varbinds: Any, **_context: Any) -> list[Any]:
                return [(v2c.ObjectIdentifier(DESCR), v2c.OctetString("a card")) for _pair in varbinds]

            def write_variables(self, *varbinds: Any, **context: Any) -> list[Any]:
                answered = []
                for name, value in varbinds:
                    # Raises, or returns True, where the user's view forbids it.
                    if context["acFun"]("write", (name, value), **context):
                        raise smi_error.NoAccessError(name=name, idx=0)
                    pair = (tuple(name), int(value))
                    echo = outer.on_set(pair)
                    outer.sets.append(pair)
                    answered.append((v2c.ObjectIdentifier(echo[0]), v2c.Integer(echo[1])))
                return answered

        self.engine = agent = engine.SnmpEngine()
        transport = udp.UdpTransport(loop=self._loop).open_server_mode(("127.0.0.1", 0))
        config.add_transport(agent, udp.DOMAIN_NAME, transport)
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self.port = transport.transport.get_extra_info("sockname")[1]
        keys = {
            "authProtocol": hlapi.USM_AUTH_HMAC96_SHA,
            "authKey": AUTH_KEY,
            "privProtocol": hlapi.USM_PRIV_CFB128_AES,
            "privKey": PRIVACY_KEY,
        }
        # Not an empty view for the reader: pysnmp takes that for every object.
        for user, writes in (("writer", (1, 3, 6)), ("reader", (1, 3, 7))):
            config.add_v3_user(agent, user, **keys)
            config.add_vacm_user(agent, 3, user, "authPriv", (1, 3, 6), writes)
        config.add_v3_user(agent, "plain")
        config.add_vacm_user(agent, 3, "plain", "noAuthNoPriv", (1, 3, 6), (1, 3, 6))
        served = context.SnmpContext(agent)
        served.unregister_context_name(b"")
        served.register_context_name(b"", Mib())
        cmdrsp.NextCommandResponder(agent, served)
        cmdrsp.SetCommandResponder(agent, served)


class PostOffice:
    """Hands datagrams on, both ways, until ``closed``: then only counts those on their way to the agent."""

    def __init__(self, agent_port: int) -> None:
        self.closed = threading.Event()
        self.after_closing = 0
        self.sent = 0
        self._front = self._bound()
        self._back = self._bound()
        self._back.connect(("127.0.0.1", agent_port))
        self.port = self._front.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @staticmethod
    def _bound() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.01)
        return sock

    def _run(self) -> None:
        client: Any = None
        while not self._stop.is_set():
            try:
                data, client = self._front.recvfrom(65535)
                self.sent += 1
                if self.closed.is_set():
                    self.after_closing += 1
                self._back.send(data)
            except TimeoutError:
                pass
            try:
                data = self._back.recv(65535)
                if not self.closed.is_set():
                    self._front.sendto(data, client)
            except TimeoutError:
                pass

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._front.close()
        self._back.close()


@pytest.fixture
def agent() -> Iterator[Agent]:
    running = Agent()
    running.start()
    yield running
    running.stop()
    close_engines()


def options_for(port: int, user: str = "writer", **changes: Any) -> SnmpOptions:
    values: dict[str, Any] = {"username": user, "timeout_s": 3.0}
    if user != "plain":
        values |= {
            "auth_protocol": "sha",
            "auth_key": AUTH_KEY,
            "privacy_protocol": "aes",
            "privacy_key": PRIVACY_KEY,
        }
    return SnmpOptions("127.0.0.1", port, "v3", **(values | changes))


def failure(options: SnmpOptions, value: int = 2) -> TransportError:
    writer = open_snmp_writer(options, None)
    with pytest.raises(TransportError) as caught:
        writer.prepare()
        writer.set_integer(UPDATE, value)
    writer.close()
    assert AUTH_KEY not in str(caught.value) and PRIVACY_KEY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("user", ["writer", "plain"])
def test_a_set_is_taken_once_and_the_community_is_of_no_concern(agent: Agent, user: str) -> None:
    writer = open_snmp_writer(options_for(agent.port, user), None)
    writer.prepare()
    writer.set_integer(UPDATE, 2)
    writer.set_integer(UPDATE, -1)
    writer.close()
    assert agent.sets == [(UPDATE, 2), (UPDATE, -1)]


def test_reading_goes_on_beside_writing(agent: Agent) -> None:
    options = options_for(agent.port)
    client, writer = open_snmp(options), open_snmp_writer(options, "ignored")
    writer.prepare()
    for _unused in range(2):
        assert client.exchange([DESCR[:-1]]) == [(DESCR, b"a card")]
        writer.set_integer(UPDATE, 2)
    writer.close()
    assert client.exchange([DESCR[:-1]]) == [(DESCR, b"a card")] and len(agent.sets) == 2
    client.close()


def test_a_user_who_may_only_read_is_told_what_is_missing(agent: Agent) -> None:
    error = failure(options_for(agent.port, "reader"))
    assert error.kind == "auth" and "'reader' needs the right to write" in error.message and agent.sets == []


@pytest.mark.parametrize(
    ("raised", "kind", "name"),
    [
        ("NotWritableError", "auth", "notWritable"),
        ("NoAccessError", "auth", "noAccess"),
        ("WrongValueError", "unsupported", "wrongValue"),
        ("WrongTypeError", "unsupported", "wrongType"),
        ("InconsistentValueError", "transfer", "inconsistentValue"),
        ("GenError", "transfer", "genErr"),
    ],
)
def test_every_error_status_has_its_kind(agent: Agent, raised: str, kind: str, name: str) -> None:
    from pysnmp.smi import error as smi_error

    def refuse(pair: Pair) -> Pair:
        raise getattr(smi_error, raised)(name=pair[0], idx=0)

    agent.on_set = refuse
    error = failure(options_for(agent.port), 7)
    assert error.kind == kind and name in error.message and agent.sets == []


@pytest.mark.parametrize("echo", [(UPDATE, 3), (OTHER, 2)])
def test_another_echo_is_an_error(agent: Agent, echo: Pair) -> None:
    agent.on_set = lambda _pair: echo
    error = failure(options_for(agent.port))
    assert error.kind == "transfer" and "another object or value" in error.message and len(agent.sets) == 1


@pytest.mark.parametrize(
    "changes", [{"auth_key": "another-key-99"}, {"privacy_key": "another-key-99"}, {"username": "nobody-known"}]
)
def test_wrong_credentials_are_auth_and_set_nothing(agent: Agent, changes: dict[str, Any]) -> None:
    error = failure(options_for(agent.port, retries=0, **changes))
    assert error.kind == "auth" and "another-key" not in error.message and agent.sets == []


def test_after_a_lost_answer_nothing_is_sent_again(agent: Agent) -> None:
    office = PostOffice(agent.port)

    def lose(pair: Pair) -> Pair:
        office.closed.set()
        return pair

    agent.on_set = lose
    start = time.monotonic()
    error = failure(options_for(office.port, timeout_s=0.4, retries=2))
    took = time.monotonic() - start
    office.stop()
    assert error.kind == "timeout" and "may have been taken" in error.message and 1.1 < took < HANG_S
    assert agent.sets == [(UPDATE, 2)] and office.after_closing == 0


def test_not_in_time_window_does_not_send_it_again(agent: Agent) -> None:
    """pysnmp's own set_cmd does: anybody may send that report, also after the SET was taken."""
    office = PostOffice(agent.port)
    writer = open_snmp_writer(options_for(office.port), None)
    writer.prepare()
    before = office.sent
    agent.restarted()
    with pytest.raises(TransportError) as caught:
        writer.set_integer(UPDATE, 2)
    # It is not known to be lost: whether it was taken is read back.
    assert caught.value.kind == "timeout" and not isinstance(caught.value, NotSent)
    assert agent.sets == [] and office.sent == before + 1
    with pytest.raises(NotSent):
        writer.set_integer(UPDATE, 2)
    assert agent.sets == [] and office.sent == before + 1
    writer.prepare()
    writer.set_integer(UPDATE, 2)
    writer.close()
    office.stop()
    assert agent.sets == [(UPDATE, 2)]


@pytest.mark.parametrize("answered", [True, False])
def test_a_prepared_set_is_one_datagram_and_the_first(agent: Agent, answered: bool) -> None:
    """Behind a verdict nothing is asked any more, not even for the card's clock (SAFETY 1.3, 1.8)."""
    office = PostOffice(agent.port)
    options = options_for(office.port, timeout_s=1.0, retries=1)
    client, writer = open_snmp(options), open_snmp_writer(options, None)
    writer.prepare()
    # The last reading.
    client.exchange([DESCR[:-1]])
    before = office.sent
    if answered:
        writer.set_integer(UPDATE, 2)
    else:
        office.closed.set()
        with pytest.raises(TransportError):
            writer.set_integer(UPDATE, 2)
    client.close()
    writer.close()
    office.stop()
    assert agent.sets == [(UPDATE, 2)] and office.sent == before + 1


def test_what_is_not_prepared_is_not_sent(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    office = PostOffice(agent.port)
    options = options_for(office.port)
    writer = open_snmp_writer(options, None)
    with pytest.raises(NotSent, match="nothing was set"):
        writer.set_integer(UPDATE, 2)
    assert office.sent == 0
    writer.prepare()
    # A reading that failed has made the engine forget what it knew.
    office.closed.set()
    client = open_snmp(options_for(office.port, timeout_s=0.3, retries=0))
    with pytest.raises(TransportError):
        client.exchange([DESCR[:-1]])
    client.close()
    office.closed.clear()
    before = office.sent
    with pytest.raises(NotSent):
        writer.set_integer(UPDATE, 2)
    writer.prepare()
    # pysnmp would soon forget it: the time that it sends with would be no time.
    prepared = office.sent
    monkeypatch.setattr(snmp_set, "_TOO_OLD_S", 0.0)
    with pytest.raises(NotSent):
        writer.set_integer(UPDATE, 2)
    assert before < prepared == office.sent and agent.sets == []
    monkeypatch.undo()
    # In good time it is learned anew, and else asked once.
    writer.prepare()
    again = office.sent
    assert again == prepared + 1
    monkeypatch.setattr(snmp_set, "_LEARN_ANEW_S", 0.0)
    writer.prepare()
    assert office.sent > again + 1
    writer.set_integer(UPDATE, 2)
    writer.close()
    office.stop()
    assert agent.sets == [(UPDATE, 2)]


def test_a_silent_card_is_asked_but_never_set(agent: Agent) -> None:
    office = PostOffice(agent.port)
    office.closed.set()
    error = failure(options_for(office.port, timeout_s=0.3, retries=0))
    office.stop()
    assert error.kind == "timeout" and "may have been taken" not in error.message and agent.sets == []
