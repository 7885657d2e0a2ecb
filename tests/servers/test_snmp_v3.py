# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP v3 against pysnmp's own agent, with the protocols that cards offer."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pysnmp")
pytest.importorskip("cryptography")

from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import ALL, read_state
from ansible_collections.dcops.apc.plugins.module_utils._transport import snmp_v3
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import SnmpOptions, open_snmp
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import Values, after, load
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.engines import close_engines

MODEL = o.MODEL[:-1]
AUTH_KEY, PRIVACY_KEY = "auth-key-0123", "privacy-key-0123"
# user -> (authentication, privacy) as options name them
USERS: dict[str, tuple[str | None, str | None]] = {
    "nobody": (None, None),
    **{f"auth-{name}": (name, None) for name in snmp_v3.AUTH_PROTOCOLS},
    **{f"priv-{name}": ("sha256", name) for name in snmp_v3.PRIVACY_PROTOCOLS},
}


class Agent:
    """pysnmp's engine as the agent, in a thread with its own loop."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.port = 0
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

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            engine = self._serve()
        finally:
            self._ready.set()
        self._loop.run_forever()
        engine.close_dispatcher()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _serve(self) -> Any:
        from pysnmp.carrier.asyncio.dgram import udp
        from pysnmp.entity import config, engine
        from pysnmp.entity.rfc3413 import cmdrsp, context
        from pysnmp.hlapi.v3arch import asyncio as hlapi
        from pysnmp.proto.api import v2c
        from pysnmp.smi import instrum

        values = self.values

        class Mib(instrum.AbstractMibInstrumController):
            def read_next_variables(self, *varbinds: Any, **_context: Any) -> list[Any]:
                return [self._next(tuple(name)) for name, _value in varbinds]

            def _next(self, name: tuple[int, ...]) -> tuple[Any, Any]:
                found = after(values, name)
                if found is None:
                    return v2c.ObjectIdentifier(name), v2c.EndOfMibView()
                oid, value = found
                if isinstance(value, int):
                    typed = v2c.Integer(value) if value < 2**31 else v2c.TimeTicks(value)
                else:
                    typed = v2c.ObjectIdentifier(value) if isinstance(value, tuple) else v2c.OctetString(value)
                return v2c.ObjectIdentifier(oid), typed

        agent = engine.SnmpEngine()
        transport = udp.UdpTransport(loop=self._loop).open_server_mode(("127.0.0.1", 0))
        config.add_transport(agent, udp.DOMAIN_NAME, transport)
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self.port = transport.transport.get_extra_info("sockname")[1]
        for user, (auth, privacy) in USERS.items():
            keys: dict[str, Any] = {}
            level = "noAuthNoPriv"
            if auth:
                level = "authNoPriv"
                keys.update(authProtocol=getattr(hlapi, snmp_v3.AUTH_PROTOCOLS[auth]), authKey=AUTH_KEY)
            if privacy:
                level = "authPriv"
                keys.update(privProtocol=getattr(hlapi, snmp_v3.PRIVACY_PROTOCOLS[privacy]), privKey=PRIVACY_KEY)
            config.add_v3_user(agent, user, **keys)
            config.add_vacm_user(agent, 3, user, level, (1, 3, 6), (1, 3, 6))
        served = context.SnmpContext(agent)
        served.unregister_context_name(b"")
        served.register_context_name(b"", Mib())
        cmdrsp.NextCommandResponder(agent, served)
        return agent


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    running = Agent(load("ap7724"))
    running.start()
    yield running
    running.stop()
    close_engines()


def options_for(agent: Agent, user: str, **changes: Any) -> SnmpOptions:
    auth, privacy = USERS.get(user, ("sha", None))
    values: dict[str, Any] = {
        "username": user,
        "auth_protocol": auth,
        "auth_key": AUTH_KEY if auth else None,
        "privacy_protocol": privacy,
        "privacy_key": PRIVACY_KEY if privacy else None,
        "timeout_s": 3.0,
    }
    return SnmpOptions("127.0.0.1", agent.port, "v3", **(values | changes))


@pytest.mark.parametrize("user", USERS)
def test_every_protocol_reads(agent: Agent, user: str) -> None:
    client = open_snmp(options_for(agent, user))
    assert client.exchange([MODEL, (1, 4), o.SYS_OBJECT_ID[:-1]]) == [
        (o.MODEL, b"AP7724"),
        None,
        (o.SYS_OBJECT_ID, (1, 3, 6, 1, 4, 1, 318, 1, 3, 11)),
    ]
    client.close()


def test_a_whole_state_and_one_engine(agent: Agent) -> None:
    client = open_snmp(options_for(agent, "priv-aes"))
    state = read_state(client, ALL)
    assert client.requests == 4 and state.ats.load.total_current_a == 8.8 and state.nmc.uptime_s == 347158.2
    engines = dict(snmp_v3._engines)
    again = open_snmp(options_for(agent, "priv-aes"))
    assert again.exchange([MODEL]) == [(o.MODEL, b"AP7724")]
    assert snmp_v3._engines == engines


@pytest.mark.parametrize(
    ("user", "changes"),
    [
        ("nobody-known", {"auth_key": AUTH_KEY}),
        ("auth-sha", {"auth_key": "another-key-99"}),
        ("auth-sha", {"auth_protocol": "md5"}),
        ("auth-sha", {"auth_protocol": None, "auth_key": None}),
        ("priv-aes", {"privacy_key": "another-key-99"}),
    ],
)
def test_wrong_credentials_are_auth_also_after_right_ones(agent: Agent, user: str, changes: dict[str, Any]) -> None:
    if user in USERS:
        assert open_snmp(options_for(agent, user)).exchange([MODEL])[0] is not None
    client = open_snmp(options_for(agent, user, retries=0, **changes))
    with pytest.raises(TransportError) as caught:
        client.exchange([MODEL])
    assert caught.value.kind == "auth"
    assert not any(key in caught.value.message for key in (AUTH_KEY, PRIVACY_KEY, "another-key-99"))
    if user in USERS:
        assert open_snmp(options_for(agent, user)).exchange([MODEL])[0] is not None


def test_a_level_that_the_agent_ignores_is_a_timeout_that_names_it(agent: Agent) -> None:
    options = options_for(agent, "auth-sha", privacy_protocol="aes", privacy_key=PRIVACY_KEY, timeout_s=0.3, retries=0)
    with pytest.raises(TransportError, match="security level"):
        open_snmp(options).exchange([MODEL])


def test_silence_is_a_timeout_and_heals() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        options = SnmpOptions("127.0.0.1", mute.getsockname()[1], "v3", username="x", timeout_s=0.3, retries=0)
        start = time.monotonic()
        with pytest.raises(TransportError, match="wrong user") as caught:
            open_snmp(options).exchange([MODEL])
        assert caught.value.kind == "timeout" and time.monotonic() - start < HANG_S


def test_a_card_that_restarted_with_a_new_identity_is_found_again(agent: Agent) -> None:
    """The engine id and the boot count are cached: a stale one costs one failed question, not the rest of the run."""
    first = Agent(load("ap7724"))
    first.start()
    client = open_snmp(options_for(first, "priv-aes", timeout_s=0.5, retries=0))
    assert client.exchange([MODEL])[0] is not None
    first.stop()
    second = Agent(load("ap7724"))
    second.start()
    object.__setattr__(client._options, "port", second.port)  # type: ignore[attr-defined]
    answers = []
    for _try in range(3):
        try:
            answers = client.exchange([MODEL])
            break
        except TransportError as error:
            assert error.kind in ("timeout", "transfer", "auth")
    second.stop()
    assert answers and answers[0] == (o.MODEL, b"AP7724")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"username": None}, "user name"),
        ({"auth_protocol": "sha", "auth_key": None}, "both a protocol and a key"),
        ({"auth_protocol": None, "auth_key": "k" * 8}, "both a protocol and a key"),
        ({"auth_protocol": "sha1", "auth_key": "k" * 8}, "not one of md5, sha"),
        ({"auth_protocol": "sha", "auth_key": "short"}, "fewer than 8"),
        ({"privacy_protocol": "aes", "privacy_key": "k" * 8}, "no privacy without authentication"),
        (
            {"auth_protocol": "sha", "auth_key": "k" * 8, "privacy_protocol": "3des", "privacy_key": "k" * 8},
            "not one of des",
        ),
    ],
)
def test_options_that_cannot_work_are_named(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(TransportError, match=word) as caught:
        open_snmp(SnmpOptions("127.0.0.1", 9, "v3", **({"username": "u"} | changes)))
    assert caught.value.kind == "unsupported"


def test_privacy_without_cryptography_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snmp_v3, "CRYPTOGRAPHY_MISSING", True)
    keys = {"auth_protocol": "sha", "auth_key": "k" * 8, "privacy_protocol": "aes", "privacy_key": "k" * 8}
    with pytest.raises(TransportError, match="install cryptography") as caught:
        open_snmp(SnmpOptions("127.0.0.1", 9, "v3", username="u", **keys))
    assert caught.value.kind == "unsupported"
