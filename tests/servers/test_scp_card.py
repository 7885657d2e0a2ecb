# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SCP to the simulated card: its sessions, its restarts, its faults."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.scp import ScpLogin, ScpOptions, open_scp
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S

asyncssh = pytest.importorskip("asyncssh")

from apcsim import build_module, control, module_name  # noqa: E402
from apcsim.ups_files import build_ups_file, ups_file_name  # noqa: E402

_spec = importlib.util.spec_from_file_location("scp_peer", Path(__file__).with_name("scp_peer.py"))
assert _spec is not None and _spec.loader is not None
scp_peer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scp_peer)
Contradiction, Hooks = scp_peer.Contradiction, scp_peer.Hooks

SIMULATOR = Path(__file__).resolve().parents[1] / "simulator"
QUICK = ("--knob", "down_s=40", "--knob", "app_start_s=2")
APP = module_name("hw02", "g2ats", "392")
BODY = build_module("hw02", "g2ats", "392", "3.0.7", 20000)


class Card:
    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready, self.url = ready, ready["control_url"]

    @property
    def truth(self) -> dict[str, Any]:
        found: dict[str, Any] = control.call(self.url)
        return found

    def fault(self, name: str, **params: Any) -> None:
        call(self.url, "POST", "/faults", {"name": name, **params})

    def log_in(self, timeout_s: float = 5.0, **options: Any) -> ScpLogin:
        options = {"password": "apc", "host_key": self.ready["ssh_host_key"], **options}
        return open_scp(
            ScpOptions("127.0.0.1", "apc", port=self.ready["ssh_port"], timeout_s=timeout_s, **options), Hooks().idle
        )

    def until(self, what: Any, limit_s: float = 20) -> None:
        end = time.monotonic() + limit_s
        while not what(self.truth):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)

    def listening(self, wanted: bool = True) -> None:
        """The listener follows the card's state by a tick."""

        def listens(_truth: Any) -> bool:
            with socket.socket() as link:
                return (link.connect_ex(("127.0.0.1", self.ready["ssh_port"])) == 0) is wanted

        self.until(listens)


def call(url: str, method: str, path: str, data: Any = None) -> None:
    import urllib.request

    body = None if data is None else json.dumps(data).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, body, method=method), timeout=10) as answer:
        answer.read()


@contextlib.contextmanager
def serve(folder: Path, device: str = "ap7724", *arguments: str, speed: int = 50) -> Iterator[Card]:
    ready = folder / f"ready-{time.monotonic_ns()}.json"
    path = os.pathsep.join(filter(None, (str(SIMULATOR), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", "apcsim", "serve", "--device", device, "--ready-file", str(ready), "--speed",
         str(speed), "--parent-pid", str(os.getpid()), *arguments],
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
            time.sleep(0.05)
        yield Card(json.loads(ready.read_text()))
    finally:
        process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=20)
        assert process.returncode == 0 and errors == "", errors


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    with serve(tmp_path_factory.mktemp("apcsim")) as card:
        yield card


@pytest.fixture
def card(shared: Card) -> Iterator[Card]:
    yield shared
    call(shared.url, "DELETE", "/faults")
    shared.until(lambda truth: not truth["sessions_open"])


def test_files_are_read_and_the_session_is_logged_out_of(card: Card) -> None:
    login = card.log_in()
    assert card.truth["sessions_open"] == 1
    events, settings = login.fetch("event.txt"), login.fetch("config.ini")
    assert b"\t0x" in events and b"System: SSH user 'apc' logged in from 127.0.0.1." in events
    assert settings.startswith(b"; American Power Conversion")
    for name in (APP, "nothing.txt"):
        with pytest.raises(TransportError, match="No such file"):
            login.fetch(name)
    assert login.fetch("config.ini")[:20] == settings[:20]
    login.close()
    card.until(lambda truth: truth["sessions_open"] == 0, 1)
    card.log_in().close()


def test_one_user_at_a_time(card: Card) -> None:
    first = card.log_in()
    with pytest.raises(TransportError) as caught:
        card.log_in()
    assert caught.value.kind == "busy"
    first.close()
    card.log_in().close()


@pytest.mark.parametrize(("fault", "kind"), [("session_busy", "busy"), ("wrong_password", "auth")])
def test_faults_of_the_login(card: Card, fault: str, kind: str) -> None:
    card.fault(fault)
    before = len(card.truth["logins"])
    with pytest.raises(TransportError) as caught:
        card.log_in()
    assert caught.value.kind == kind and len(card.truth["logins"]) == before + 1, "tried once"


def test_ssh_and_ftp_are_switched_off_apart(card: Card) -> None:
    card.fault("ftp_refused")
    card.log_in().close()
    assert "ftp_refused" in card.truth["faults"]
    card.fault("ssh_refused")
    card.listening(False)
    with pytest.raises(TransportError, match="refused SSH"):
        card.log_in()
    call(card.url, "DELETE", "/faults")
    card.listening()
    card.log_in().close()


def test_a_slow_card_and_one_that_hangs(card: Card) -> None:
    card.fault("slow", latency_s=20)  # 0.4 real seconds each
    login = card.log_in()
    begin = time.monotonic()
    assert login.fetch("config.ini") and time.monotonic() - begin > 0.8
    card.fault("scp_hangs")
    login.close()
    login = card.log_in(timeout_s=1)
    for attempt in (lambda: login.fetch("event.txt"), lambda: login.store("x.bin", b"x" * 900, Hooks())):
        begin = time.monotonic()
        with pytest.raises(TransportError) as caught:
            attempt()
        assert caught.value.kind in ("timeout", "transfer") and time.monotonic() - begin < HANG_S
    login.close()


def test_a_transfer_that_hangs_in_the_middle_is_cut_by_us(card: Card) -> None:
    card.fault("scp_hangs", at_byte=5000, module="app")
    login, hooks = card.log_in(), Hooks()
    with pytest.raises(TransportError, match="in time") as caught:
        login.store(APP, BODY, hooks, stall_s=1)
    assert caught.value.kind == "transfer" and ("last", 19968, 20000) not in hooks.calls
    card.until(lambda truth: truth["transfers"][-1]["outcome"] == "cut")
    assert card.truth["card"]["up"] and card.truth["sessions_open"] == 0


@pytest.mark.parametrize("at", ["first2", 5120, "last"])
def test_a_cut_is_seen_as_one(card: Card, at: str | int) -> None:
    boots = card.truth["card"]["boots"]
    login = card.log_in()
    with pytest.raises(Contradiction):
        login.store(APP, BODY, Hooks(at), stall_s=5)
    card.until(lambda truth: truth["transfers"][-1]["outcome"] == "cut")
    record = card.truth["transfers"][-1]
    assert record["bytes"] <= 19968 and not record["complete"] and not record["installed"]
    assert card.truth["card"]["boots"] == boots and card.truth["card"]["up"]


def test_a_transfer_cut_on_the_way_is_an_error(card: Card) -> None:
    card.fault("transfer_cut", at_byte=7000, module="app")
    login = card.log_in()
    with pytest.raises(TransportError) as caught:
        login.store(APP, BODY, Hooks(), stall_s=5)
    assert caught.value.kind == "transfer"
    record = card.truth["transfers"][-1]
    assert (record["bytes"], record["outcome"], record["installed"]) == (7000, "cut", False)
    login.close()


def test_only_scp(card: Card) -> None:
    async def ask() -> list[Any]:
        async with asyncssh.connect(
            "127.0.0.1", card.ready["ssh_port"], username="apc", password="apc", known_hosts=None, config=None,
            client_keys=None, agent_path=None,
        ) as connection:  # fmt: skip
            found: list[Any] = []
            for command in ("reboot", "scp -q -t 'x.bin'", "scp -q -r -t x.bin", "scp -q -t x;reboot"):
                found.append((await connection.run(command, check=False)).exit_status)
            try:
                await connection.start_sftp_client()
            except asyncssh.Error as refused:
                found.append(type(refused).__name__)
            return found

    assert asyncio.run(ask()) == [1, 1, 1, 1, "ChannelOpenError"]


def test_firmware_restarts_the_card_at_once_and_the_next_login_works(tmp_path: Path) -> None:
    with serve(tmp_path, "ap7724", *QUICK) as card:
        login, hooks = card.log_in(), Hooks()
        login.store(APP, BODY, hooks)
        truth = card.truth
        assert hooks.calls[-1] == ("sent", len(BODY)) and not truth["card"]["up"]
        assert truth["transfers"][-1]["outcome"] == "installed"
        assert truth["files_received"][-1]["sha256"] == hashlib.sha256(BODY).hexdigest()
        with pytest.raises(TransportError):
            login.fetch("event.txt")
        login.close()
        with pytest.raises(TransportError, match="refused SSH"):
            card.log_in()
        card.until(lambda truth: truth["ftp_state"] == "up")
        card.listening()
        login = card.log_in()
        assert f"SCP, '{APP}'".encode() in login.fetch("event.txt")
        login.close()
        assert card.truth["card"]["app"] == "3.9.2"


def test_a_session_whose_reset_goes_unnoticed_blocks_until_the_auto_log_off(tmp_path: Path) -> None:
    with serve(tmp_path, "ap7724", "--knob", "reset_ends_session=false", speed=60) as card:
        card.log_in().abort()
        with pytest.raises(TransportError) as caught:
            card.log_in()
        assert caught.value.kind == "busy"
        # But a farewell is always heard.
        card.until(lambda truth: truth["sessions_open"] == 0)
        card.log_in().close()
        card.log_in().close()


def test_a_card_that_is_starting_is_busy(tmp_path: Path) -> None:
    with serve(tmp_path, "ap7724", "--knob", "ftp_ready_delay_s=300", "--knob", "boot_s=5") as card:
        card.fault("card_restarts")
        card.until(lambda truth: truth["card"]["up"])
        card.listening()
        with pytest.raises(TransportError) as caught:
            card.log_in()
        assert caught.value.kind == "busy"


def test_a_ups_file_into_its_directory(tmp_path: Path) -> None:
    name = ups_file_name("SMT", 18, "9.3")
    body = build_ups_file("SMT", 18, "9.3", size=9000)
    with serve(tmp_path, "smt1500rm2u") as card:
        login = card.log_in()
        login.store(f"upsfw/{name}", body, Hooks())
        received = card.truth["files_received"][-1]
        assert (received["name"], received["sha256"]) == (f"upsfw/{name}", hashlib.sha256(body).hexdigest())
        with pytest.raises(TransportError, match="refused sending nowhere/"):
            login.store(f"nowhere/{name}", body, Hooks())
        assert login.fetch("event.txt")
        login.close()
        assert card.truth["sessions_open"] == 0 and card.truth["card"]["up"]


def test_an_old_card(tmp_path: Path) -> None:
    with serve(tmp_path, "ap7723", "--ssh-legacy") as card:
        with pytest.raises(TransportError, match="old algorithms"):
            card.log_in()
        login = card.log_in(legacy=True)
        assert b"firmware download failed" in login.fetch("event.txt")
        login.close()


def test_the_host_key_is_the_units_own() -> None:
    from apcsim.ssh_server import host_key

    keys = [host_key(serial, legacy).get_fingerprint() for serial in ("A", "B", "A") for legacy in (False, True)]
    assert keys[0:2] == keys[4:6] and len(set(keys)) == 4
