# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protocol servers of apcsim as processes, spoken to by clients that know nothing of the collection."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pysnmp.hlapi.v3arch import asyncio as hlapi

SIMULATOR = Path(__file__).resolve().parents[1] / "simulator"
SYSDESCR = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYSUPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SYSNAME = (1, 3, 6, 1, 2, 1, 1, 5, 0)
LAST = (1, 3, 7)  # behind everything that a card has
Answer = tuple[Any, int, int, list[Any]]  # error indication, error status, error index, variables
RESET = struct.pack("ii", 1, 0)
V1 = hlapi.CommunityData("public", mpModel=0)
V2C = hlapi.CommunityData("public", mpModel=1)
# quick to go down and up again, and no waiting for the download into the controller
QUICK = ("--knob", "down_s=40", "--knob", "app_start_s=2", "--knob", "comm_delay_s=5", "--knob", "download_delay_s=10",
         "--knob", "download_s=20")  # fmt: skip


def apcsim(*arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, (str(SIMULATOR), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", "apcsim", *arguments], env={**os.environ, "PYTHONPATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def until(what: Callable[[], Any], limit_s: float = 30, pause_s: float = 0.05) -> Any:
    deadline = time.monotonic() + limit_s
    while not (result := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause_s)
    return result


class Card:
    """A running simulator as its clients see it."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.process, self.ready = process, ready

    def control(self, method: str = "GET", path: str = "/device", data: Any = None) -> tuple[int, Any]:
        body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        request = urllib.request.Request(self.ready["control_url"] + path, data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def truth(self) -> dict[str, Any]:
        return dict(self.control()[1])

    def snmp(self, command: str, auth: Any, *oids: Any, timeout_s: float = 2.0, **options: Any) -> Answer:
        return asyncio.run(self._snmp(command, auth, oids, timeout_s, options))

    async def _snmp(self, command: str, auth: Any, oids: Any, timeout_s: float, options: Any) -> Answer:
        with hlapi.SnmpEngine() as engine:
            address = ("127.0.0.1", self.ready["snmp_port"])
            target = await hlapi.UdpTransportTarget.create(address, timeout=timeout_s, retries=0)
            return await ask(engine, command, auth, target, oids, **options)

    def ftp(self, password: str | None = "apc") -> ftplib.FTP:
        client = ftplib.FTP()
        client.connect("127.0.0.1", self.ready["ftp_port"], timeout=10)
        if password is not None:
            client.login("apc", password)
        return client


async def ask(engine: Any, command: str, auth: Any, target: Any, oids: Any, **options: Any) -> Answer:
    names = [
        hlapi.ObjectType(hlapi.ObjectIdentity(oid)) if isinstance(oid[0], int)
        else hlapi.ObjectType(hlapi.ObjectIdentity(oid[0]), oid[1])
        for oid in oids
    ]  # fmt: skip
    bulk = (options["single"], options["rows"]) if command == "bulk" else ()
    error, status, index, rows = await getattr(hlapi, f"{command}_cmd")(
        engine, auth, target, hlapi.ContextData(), *bulk, *names, lookupMib=False
    )
    return error, int(status), int(index), [(tuple(name), value) for name, value in rows]


@contextlib.contextmanager
def running(folder: Path, *arguments: str, device: str = "ap7724") -> Iterator[Card]:
    ready = folder / "ready.json"
    process = apcsim(
        "serve", "--device", device, "--ready-file", str(ready), "--parent-pid", str(os.getpid()), *arguments
    )  # fmt: skip
    try:
        until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        yield Card(process, json.loads(ready.read_text()))
    finally:
        process.terminate()
        _unused, errors = process.communicate(timeout=5)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors, errors


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Card]]:
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **named: stack.enter_context(running(tmp_path, *arguments, **named))


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    """A card at real speed for the tests that leave no trace."""
    with running(tmp_path_factory.mktemp("idle")) as card:
        yield card


def v3(user: dict[str, Any], **other: Any) -> Any:
    auth = {"md5": hlapi.USM_AUTH_HMAC96_MD5, "sha": hlapi.USM_AUTH_HMAC96_SHA, "sha256": hlapi.USM_AUTH_HMAC192_SHA256}
    priv = {"des": hlapi.USM_PRIV_CBC56_DES, "aes": hlapi.USM_PRIV_CFB128_AES}
    keys = {**user, **other}
    return hlapi.UsmUserData(
        keys["name"], keys.get("auth_key"), keys.get("priv_key"),
        authProtocol=auth[keys["auth"]] if keys.get("auth_key") else hlapi.USM_AUTH_NONE,
        privProtocol=priv[keys["priv"]] if keys.get("priv_key") else hlapi.USM_PRIV_NONE,
    )  # fmt: skip


USERS = {
    "md5-des": {
        "name": "apcuser",
        "auth": "md5",
        "auth_key": "apcauthkey01",
        "priv": "des",
        "priv_key": "apcprivkey01",
    },
}


# --- SNMP -------------------------------------------------------------------------------------------------------


async def walk(card: Card, auth: Any, bulk: bool) -> list[tuple[int, ...]]:
    seen: list[tuple[int, ...]] = []
    at: tuple[int, ...] = (1, 3)
    with hlapi.SnmpEngine() as engine:
        address = ("127.0.0.1", card.ready["snmp_port"])
        target = await hlapi.UdpTransportTarget.create(address, timeout=2, retries=1)
        for _unused in range(1000):
            options = {"single": 0, "rows": 40} if bulk else {}
            error, status, _unused, rows = await ask(engine, "bulk" if bulk else "next", auth, target, [at], **options)
            assert not error, error
            if status == 2:  # noSuchName: how v1 says that the MIB ends
                return seen
            for name, value in rows:
                if value.tagSet == hlapi.EndOfMibView.tagSet:
                    return seen
                assert name > at, "the walk must go forward"
                at = name
                seen.append(name)
    raise AssertionError("the walk does not end")


def test_a_walk_finds_the_same_objects_in_every_version(idle: Card) -> None:
    by_next = asyncio.run(walk(idle, V1, bulk=False))
    assert SYSDESCR in by_next and len(by_next) > 40
    assert asyncio.run(walk(idle, V2C, bulk=True)) == by_next
    assert asyncio.run(walk(idle, v3(USERS["md5-des"]), bulk=True)) == by_next


@pytest.mark.parametrize("auth", [V1, V2C, v3(USERS["md5-des"])], ids=["v1", "v2c", "v3"])
def test_it_says_that_it_is_simulated_even_at_real_speed(idle: Card, auth: Any) -> None:
    error, status, _unused, [(name, value)] = idle.snmp("get", auth, SYSDESCR)
    assert (error, status, name) == (None, 0, SYSDESCR)
    assert b"SIMULATED x1 (" in bytes(value)


def test_v1_names_the_object_that_does_not_exist(idle: Card) -> None:
    for command, missing in (("get", (*SYSDESCR[:-1], 7)), ("next", LAST)):
        error, status, index, _unused = idle.snmp(command, V1, SYSDESCR, missing, SYSUPTIME)
        assert (error, status, index) == (None, 2, 2)


@pytest.mark.parametrize("auth", [V2C, v3(USERS["md5-des"])], ids=["v2c", "v3"])
def test_v2c_and_v3_answer_beside_what_does_not_exist(idle: Card, auth: Any) -> None:
    error, status, _unused, rows = idle.snmp("get", auth, SYSDESCR, (*SYSDESCR[:-1], 7))
    assert (error, status) == (None, 0)
    assert b"SIMULATED" in bytes(rows[0][1]) and rows[1][1].tagSet == hlapi.NoSuchInstance.tagSet
    error, status, _unused, rows = idle.snmp("next", auth, LAST, SYSDESCR[:-1])
    assert (error, status) == (None, 0)
    assert rows[0] == (LAST, rows[0][1]) and rows[0][1].tagSet == hlapi.EndOfMibView.tagSet
    assert rows[1][0] == SYSDESCR


def test_a_wrong_community_or_key_gets_no_values(idle: Card) -> None:
    for version in (0, 1):
        error, _unused, _unused, rows = idle.snmp(
            "get", hlapi.CommunityData("publik", mpModel=version), SYSDESCR, timeout_s=0.3
        )
        assert "timeout" in str(error).lower() and not rows
    error, *_unused = idle.snmp("get", v3(USERS["md5-des"], auth_key="not this one"), SYSDESCR)
    assert error
    error, *_unused = idle.snmp("get", v3(USERS["md5-des"], name="nobody"), SYSDESCR)
    assert error
    plain = v3({"name": "apcuser"})  # a user with keys must not be readable without them
    error, status, _unused, rows = idle.snmp("get", plain, SYSDESCR)
    assert error or status == 16, rows


def test_noise_on_the_port_is_survived(idle: Card) -> None:
    valid = bytes.fromhex("302602010004067075626c6963a019020401020304020100020100300b300906052b060102010500")
    rng = random.Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
        for _unused in range(400):
            cut = bytearray(valid[: rng.randrange(1, len(valid) + 1)])
            for _unused in range(rng.randrange(4)):
                cut[rng.randrange(len(cut))] = rng.randrange(256)
            noisy.sendto(cut, ("127.0.0.1", idle.ready["snmp_port"]))
    assert idle.snmp("get", V1, SYSDESCR)[1] == 0


def test_sets_need_the_write_community_and_are_recorded(start: Callable[..., Card]) -> None:
    card = start()
    name = hlapi.OctetString("ats-test")
    assert card.snmp("set", V1, (SYSNAME, name))[1] == 2
    assert card.snmp("set", V2C, (SYSNAME, name))[1] == 6
    assert [entry["taken"] for entry in card.truth()["writes"]] == [False, False]
    assert card.snmp("set", hlapi.CommunityData("private", mpModel=0), (SYSNAME, name))[1] == 0
    assert [entry["taken"] for entry in card.truth()["writes"]] == [False, False, True]
    assert bytes(card.snmp("get", V1, SYSNAME)[3][0][1]) == b"ats-test"


@pytest.mark.parametrize("auth", [V1, V2C, v3(USERS["md5-des"])], ids=["v1", "v2c", "v3"])
def test_a_card_with_a_small_pdu_says_too_big(start: Callable[..., Card], auth: Any) -> None:
    card = start("--knob", "max_varbinds=3")
    assert card.snmp("next", auth, *[SYSDESCR] * 3)[1] == 0
    assert card.snmp("next", auth, *[SYSDESCR] * 4)[1] == 1


def test_all_the_usual_v3_protocols_are_understood(start: Callable[..., Card]) -> None:
    users = [
        {"name": f"{auth}-{priv}", "auth_protocol": auth, "auth_key": "authkey-01", "privacy_protocol": priv,
         "privacy_key": "privkey-01", "access": "read"}
        for auth, priv in (("sha", "aes"), ("sha256", "aes"), ("md5", "aes"), ("sha", "des"))
    ]  # fmt: skip
    card = start(*(part for user in users for part in ("--v3-user", json.dumps(user))))
    for user in users:
        auth, priv = user["name"].split("-")
        login = v3({**user, "auth": auth, "priv": priv, "priv_key": "privkey-01"})
        error, status, _unused, rows = card.snmp("get", login, SYSDESCR)
        assert (error, status) == (None, 0), (user, error)
        assert b"SIMULATED" in bytes(rows[0][1])
    assert card.snmp("set", login, (SYSNAME, hlapi.OctetString("x")))[1] == 16  # reads only


def test_silence_and_slowness_can_be_ordered(start: Callable[..., Card]) -> None:
    card = start("--fault", "no_answer")
    assert not answers(card)
    assert card.ftp(None).getwelcome().startswith("220")
    assert card.control("DELETE", "/faults")[0] == 200
    assert answers(card)
    assert card.control("POST", "/faults", {"name": "slow", "latency_s": 0.8})[0] == 200
    for auth in (V1, v3(USERS["md5-des"])):
        before = time.monotonic()
        assert card.snmp("get", auth, SYSDESCR, timeout_s=5)[0] is None
        assert time.monotonic() - before > 0.8


# --- FTP --------------------------------------------------------------------------------------------------------


def image(folder: Path, *more: str) -> list[Path]:
    made = apcsim("package", "--dest", str(folder), "--aos", "392", "--app", "g2ats:392", "--size", "12288", *more)
    out, errors = made.communicate(timeout=10)
    assert made.returncode == 0, errors
    return [Path(line) for line in out.split()]


def send(client: ftplib.FTP, name: str, data: bytes) -> socket.socket:
    """STOR without its end: what has been handed over is with the card, for all the client knows."""
    client.voidcmd("TYPE I")
    link = client.transfercmd(f"STOR {name}")
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    for at in range(0, len(data), 512):
        link.sendall(data[at : at + 512])
    return link


def cut(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    link.close()


def upload(card: Card, path: Path) -> None:
    """As the vendor's own tool would: and the control connection dies with the card."""
    client = card.ftp()
    send(client, path.name, path.read_bytes()).close()
    with contextlib.suppress(*ftplib.all_errors):
        client.voidresp()
    client.close()


def answers(card: Card) -> bool:
    return card.snmp("get", V1, SYSDESCR, timeout_s=0.3)[0] is None


def shows(card: Card, text: str) -> bool:
    error, _unused, _unused, rows = card.snmp("get", V1, SYSDESCR, timeout_s=0.3)
    return error is None and text.encode() in bytes(rows[0][1])


def test_the_login_tells_wrong_from_busy_and_frees_the_card(start: Callable[..., Card]) -> None:
    card = start()
    with pytest.raises(ftplib.error_perm, match=r"^530"):
        card.ftp("wrong")
    first = card.ftp()
    assert "AP7724" in str(first.welcome) and "SIMULATED" in str(first.welcome)
    with pytest.raises(ftplib.error_temp, match=r"^421"):
        card.ftp()
    first.quit()
    second = card.ftp()
    second.close()  # no QUIT: an orderly end of the connection is enough
    until(lambda: card.truth()["sessions_open"] == 0)
    third = card.ftp()
    assert card.truth()["sessions_open"] == 1
    third.quit()


def test_a_forgotten_session_blocks_the_card_until_it_is_logged_off(start: Callable[..., Card]) -> None:
    card = start("--speed", "100", "--knob", "reset_ends_session=false")
    lost = card.ftp()
    assert lost.sock is not None
    cut(lost.sock)  # the card does not notice
    with pytest.raises(ftplib.error_temp, match=r"^421"):
        card.ftp()
    until(lambda: card.truth()["sessions_open"] == 0)
    idle = card.ftp()
    assert idle.sock is not None
    idle.sock.settimeout(10)
    assert idle.getline().startswith("421"), "three minutes without a command"
    card.ftp().quit()


def test_only_the_log_and_the_configuration_can_be_read(start: Callable[..., Card]) -> None:
    card = start()
    client = card.ftp()
    files = {}
    for name in ("event.txt", "config.ini"):
        parts: list[bytes] = []
        client.retrbinary(f"RETR {name}", parts.append)
        files[name] = b"".join(parts)
    assert b"0x00" in files["event.txt"] and b"Network Management Card" in files["config.ini"]
    for refused in ("RETR /etc/passwd", "RETR ../../etc/passwd", "RETR apc_hw02_aos_374.bin", "LIST", "SIZE event.txt"):
        with pytest.raises(ftplib.error_perm):
            client.retrbinary(refused, parts.append)
    client.quit()


def test_a_reset_in_mid_transfer_installs_nothing(start: Callable[..., Card], tmp_path: Path) -> None:
    card = start("--speed", "50", *QUICK)
    aos, _unused = image(tmp_path / "fw")
    client = card.ftp()
    data = aos.read_bytes()
    link = send(client, aos.name, data[:-512])  # the last block is held: the card cannot have it
    time.sleep(0.3)
    truth = card.truth()
    assert truth["card"]["up"] and truth["card"]["aos"] == "3.7.4"
    cut(link)
    with pytest.raises(ftplib.error_temp, match=r"^426"):
        client.voidresp()
    client.close()
    truth = card.truth()
    assert [(file["name"], file["complete"]) for file in truth["files_received"]] == [(aos.name, False)]
    assert truth["files_received"][0]["size"] < len(data)
    assert truth["card"]["up"] and truth["card"]["aos"] == "3.7.4" and not truth["restarts"]


def test_a_file_that_is_no_firmware_is_refused(start: Callable[..., Card], tmp_path: Path) -> None:
    card = start("--speed", "50")
    aos, _unused = image(tmp_path / "fw")
    client = card.ftp()
    send(client, aos.name, aos.read_bytes()[:-1] + b"?").close()
    with contextlib.suppress(ftplib.Error):
        client.voidresp()
    client.close()
    truth = card.truth()
    assert truth["card"]["aos"] == "3.7.4" and truth["card"]["up"]


def test_a_transfer_takes_the_cards_time(start: Callable[..., Card], tmp_path: Path) -> None:
    """Whatever the buffers between them hold, the card takes its bytes at its own pace."""
    card = start("--speed", "5")
    data = image(tmp_path / "fw")[0].read_bytes()
    client = card.ftp()
    before = card.truth()
    link = send(client, "apc_hw02_aos_392.bin", data)
    most = len(data) - 1024
    after = until(lambda: (found := card.truth())["bytes_received"] >= most and found)
    cut(link)
    client.close()
    assert after["time_s"] - before["time_s"] > 0.9 * most / 2500  # the device file's bytes per second


def test_a_complete_upgrade_of_an_isolated_unit(start: Callable[..., Card], tmp_path: Path) -> None:
    unplugged = ("--patch", '{"inputs": {"A": {"plugged": false}}, "load_current_a": 8.8}')
    card = start("--speed", "25", *unplugged, *QUICK, "--knob", "down_s=100")
    user = v3(USERS["md5-des"])
    assert card.snmp("get", user, SYSDESCR)[1] == 0
    for path, want in zip(image(tmp_path / "fw"), ("PF:v3.9.2", "AF1:v3.9.2"), strict=True):
        upload(card, path)
        with pytest.raises(OSError, match="refused"):
            card.ftp()  # the card restarts at once
        assert not answers(card)
        until(partial(shows, card, want))

    def flashed() -> bool:
        controller = card.truth()["controller"]
        return controller["revision"] == controller["bundled"] and not controller["downloading"]

    until(flashed)
    truth = card.truth()
    times = {entry["what"]: entry["time_s"] for entry in truth["events"]}
    begun = times["controller download begun"]
    assert times["app 3.9.2 running"] + 10 <= begun, "not before the new app was there"
    assert begun + 20 <= times["controller download ended, revision 3.0.7"]
    assert (truth["card"]["aos"], truth["card"]["app"]) == ("3.9.2", "3.9.2")
    assert [file["complete"] for file in truth["files_received"]] == [True, True]
    assert not truth["damaged"] and not truth["load_dropped"] and truth["controller"]["alive"]
    error, status, _unused, rows = card.snmp("get", user, SYSDESCR)
    assert (error, status) == (None, 0) and b"SIMULATED x25 (" in bytes(rows[0][1])


def test_both_sources_live_under_load_ruins_the_unit(start: Callable[..., Card], tmp_path: Path) -> None:
    card = start("--speed", "50", "--patch", '{"load_current_a": 8.8}', *QUICK)
    upload(card, image(tmp_path / "fw")[1])
    truth = until(lambda: (found := card.truth())["damaged"] and found)
    assert truth["load_dropped"] and truth["damage_reason"]
    assert truth["inputs"]["A"]["live"] and truth["inputs"]["B"]["live"]


def test_v3_clients_must_find_the_time_again_after_a_restart(start: Callable[..., Card], tmp_path: Path) -> None:
    card = start("--speed", "50", "--patch", '{"load_current_a": 0}', *QUICK)

    async def one_engine() -> None:
        with hlapi.SnmpEngine() as engine:
            address = ("127.0.0.1", card.ready["snmp_port"])
            target = await hlapi.UdpTransportTarget.create(address, timeout=0.5, retries=0)
            user = v3(USERS["md5-des"])
            assert (await ask(engine, "get", user, target, [SYSUPTIME]))[0] is None
            await asyncio.to_thread(upload, card, image(tmp_path / "fw")[0])
            assert (await ask(engine, "get", user, target, [SYSUPTIME]))[0] is not None
            for _unused in range(40):
                error, _unused, _unused, rows = await ask(engine, "get", user, target, [SYSUPTIME])
                if error is None:
                    break
                await asyncio.sleep(0.1)
            assert error is None and int(rows[0][1]) < 100 * 600

    asyncio.run(one_engine())


# --- control API, process, commands -----------------------------------------------------------------------------


def test_the_control_api_rejects_what_it_does_not_understand(start: Callable[..., Card]) -> None:
    card = start()
    before = card.truth()
    for method, path, data, want in (
        ("PATCH", "/device", b'{"inputs": ', 400),
        ("PATCH", "/device", b"[]", 400),
        ("PATCH", "/device", None, 400),
        ("PATCH", "/device", {"inputs": {"C": {"plugged": False}}}, 400),
        ("PATCH", "/device", {"no_such_thing": 1}, 400),
        ("PATCH", "/device", {"load_current_a": "much"}, 400),
        ("POST", "/faults", {"name": "no_such_fault"}, 400),
        ("POST", "/faults", {"no": "name"}, 400),
        ("POST", "/advance", {"seconds": 30}, 404),
        ("GET", "/", None, 404),
        ("PATCH", "/device", b" " * 70000, 413),
    ):
        status, answer = card.control(method, path, data)
        assert (status, bool(answer["error"])) == (want, True), (method, path, data, answer)
    after = card.truth()
    assert after["inputs"] == before["inputs"] and after["load_current_a"] == before["load_current_a"]


def test_the_electrician_works_by_hand(idle: Card) -> None:
    url = idle.ready["control_url"]
    for command, plugged in (("unplug", False), ("plug", True)):
        done = apcsim(command, "--control", url, "A")
        out, errors = done.communicate(timeout=10)
        assert done.returncode == 0 and "input A" in out, errors
        assert idle.truth()["inputs"]["A"]["plugged"] is plugged
    done = apcsim("truth", "--control", url)
    assert json.loads(done.communicate(timeout=10)[0])["simulated"]
    done = apcsim("truth", "--control", "http://127.0.0.1:1")
    assert "no answer" in done.communicate(timeout=10)[1] and done.returncode == 1


def test_the_ready_file_names_what_is_there(idle: Card) -> None:
    ready = idle.ready
    ports = {"snmp_port", "ftp_port", "ssh_port", "web_port"}
    assert set(ready) == {"host", "ssh_host_key", "web_certificate", "control_url", "pid", *ports}
    assert (
        ready["host"] == "127.0.0.1" and len({ready[port] for port in ports}) == 4 and ready["web_certificate"] is None
    )
    assert ready["pid"] == idle.process.pid


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ready = tmp_path / "ready.json"
    orphan = apcsim("serve", "--device", "ap7724", "--ready-file", str(ready), "--parent-pid", str(parent.pid))
    try:
        until(ready.exists)
        parent.send_signal(signal.SIGKILL)  # not waited for: a zombie is as good as gone
        assert orphan.wait(timeout=5) == 0
    finally:
        parent.kill()
        parent.wait()
        orphan.kill()
        orphan.communicate()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--device", "ap0000"), ("--device", "ap7724", "--knob", "no_such=1"), ("--device", "ap7724", "--speed", "0.5"),
        ("--device", "ap7724", "--speed", "101"), ("--device", "ap7724", "--patch", "[]"),
        ("--device", "ap7724", "--fault", "no_such_fault"),
    ],
)  # fmt: skip
def test_settings_that_do_not_exist_are_an_error(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    process = apcsim("serve", "--ready-file", str(tmp_path / "ready.json"), *wrong)
    _unused, errors = process.communicate(timeout=10)
    assert process.returncode == 2 and errors and "Traceback" not in errors
    assert not (tmp_path / "ready.json").exists()


def test_a_package_also_comes_as_zip_and_as_self_extracting_file(tmp_path: Path) -> None:
    made = image(tmp_path, "--exe", "--zip", str(tmp_path / "own.zip"))
    assert [path.name for path in made] == [
        "apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin", "own.zip", "apc_hw02_aos392_g2ats392.exe",
    ]  # fmt: skip
    assert made[3].read_bytes()[:2] == b"MZ"
    for packed in made[2:]:
        with zipfile.ZipFile(packed) as archive:
            assert archive.testzip() is None
            assert archive.read(made[0].name) == made[0].read_bytes()
            assert {"upgrd_util.exe", "iplist.txt", "config.txt"} < set(archive.namelist())


# --- a UPS ------------------------------------------------------------------------------------------------------

UPS = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1)
UPSFW = (*UPS, 6, 2, 9, 0)
PRIVATE = hlapi.CommunityData("private", mpModel=1)


@pytest.mark.parametrize("auth", [V1, V2C, v3(USERS["md5-des"])], ids=["v1", "v2c", "v3"])
def test_a_ups_answers_in_every_version(start: Callable[..., Card], auth: Any) -> None:
    card = start(device="smx3000rmhv2u_id1003")
    asked = [
        (*UPS, 1, 2, 1),
        (*UPS, 1, 2, 5),
        (*UPS, 4, 1, 1),
        (*UPS, 11, 1, 1),
        (*UPS, 12, 1, 1),
        (*UPS, 12, 1, 2, 1, 2),
    ]
    error, status, _unused, rows = card.snmp("next", auth, *asked)
    assert (error, status) == (None, 0)
    firmware, sku, state, flags, groups, name = (value for _unused, value in rows)
    assert bytes(firmware) == b"UPS 07.4 (ID1003) " and bytes(sku) == b"SMX3000RMHV2UNC" and int(state) == 2
    assert len(bytes(flags)) == 64 and int(groups) == 4 and bytes(name) == b"Main Outlets"
    assert [at for at, _unused in rows] == [(*oid, 0) for oid in asked[:5]] + [(*asked[5], 1)]


def test_a_ups_update_over_the_real_protocols(start: Callable[..., Card], tmp_path: Path) -> None:
    card = start("--speed", "100", "--knob", "ups_update_s=120", device="smt1500rm2u")
    assert card.control("PATCH", data={"ups": {"output_on": False}})[0] == 200
    assert card.control("PATCH", data={"ups": {"nothing": False}})[0] == 400
    made = apcsim(
        "upsfw", "--dest", str(tmp_path), "--series", "SMT", "--id", "18", "--version", "9.3", "--size", "2000"
    )
    path = Path(made.communicate(timeout=10)[0].strip())
    client = card.ftp()
    assert client.pwd() == "/"
    client.cwd("upsfw")
    assert client.pwd() == "/upsfw"
    with pytest.raises(ftplib.error_perm, match=r"^550"):
        client.cwd("deeper")
    with path.open("rb") as data:
        assert client.storbinary(f"STOR {path.name}", data).startswith("226")
    client.cwd("..")
    assert client.pwd() == "/"
    with path.open("rb") as data:
        assert client.storbinary(f"STOR upsfw/{path.name}", data).startswith("226")
    with path.open("rb") as data, pytest.raises(ftplib.error_perm, match=r"^553"):
        client.storbinary(f"STOR nowhere/{path.name}", data)
    log: list[bytes] = []
    client.retrbinary("RETR event.txt", log.append)
    assert b"0x0016" in b"".join(log)
    client.quit()
    until(lambda: card.truth()["sessions_open"] == 0)
    start_it = (UPSFW, hlapi.Integer32(2))
    assert card.snmp("set", V2C, start_it)[1] == 6
    assert card.snmp("set", hlapi.CommunityData("nobody"), start_it, timeout_s=0.3)[0] is not None
    assert card.snmp("set", v3({**USERS["md5-des"], "name": "apcuser"}), (UPSFW, hlapi.Integer32(9)))[1] == 10
    assert card.snmp("set", PRIVATE, start_it)[1] == 0
    assert int(card.snmp("get", V2C, UPSFW)[3][0][1]) in (3, 4)
    until(lambda: int(card.snmp("get", V2C, UPSFW)[3][0][1]) == 4)
    assert bytes(card.snmp("get", V1, (*UPS, 1, 2, 1, 0))[3][0][1]) == b"UPS 09.3 (ID18)"
    truth = card.truth()
    assert [row["who"] for row in truth["writes"]] == ["v2 public", "v2 nobody", "v3 apcuser", "v2 private"]
    assert [row["taken"] for row in truth["writes"]] == [False, False, False, True]
    assert [row["what"] for row in truth["write_log"]].count("STOR") == 2 and not truth["load_dropped"]
    shown = apcsim("truth", "--control", card.ready["control_url"]).communicate(timeout=10)[0]
    assert json.loads(shown)["ups"]["firmware"] == "UPS 09.3 (ID18)" and len(json.loads(shown)["writes"]) == 4


def test_a_v3_user_without_the_right_to_write_is_in_the_log_too(start: Callable[..., Card]) -> None:
    reader = json.dumps({"name": "reader", "access": "read"})
    card = start("--v3-user", reader, device="smt1500rm2u")
    error, status, _unused, _unused = card.snmp("set", v3({"name": "reader"}), (UPSFW, hlapi.Integer32(2)))
    assert error or status == 16
    writes = card.truth()["writes"]
    assert [(row["who"], row["taken"], row["error"]) for row in writes] == [("v3 reader", False, "noAccess")]


def test_the_lost_answer_to_a_set(start: Callable[..., Card]) -> None:
    card = start("--fault", "set_answer_lost", device="smt1500rm2u")
    error = card.snmp("set", PRIVATE, (SYSNAME, hlapi.OctetString("taken")), timeout_s=0.5)[0]
    assert error is not None and card.truth()["writes"][0]["taken"] and card.truth()["name"] == "taken"
