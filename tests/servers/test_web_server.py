# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated card's web server over real sockets: by a bare client, and by the collection's."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.web import WebLogin, WebOptions, open_web
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S
from apcsim import Knobs
from apcsim.serve import Live, Settings, load
from apcsim.web_server import Web

LOGINS = ["basic", "form3", "form_nmc", "form601"]
FORMS = LOGINS[1:]
SIMULATOR = Path(__file__).resolve().parents[1] / "simulator"


class Card:
    def __init__(self, speed: float = 1, tls: bool = False, device: str = "ap7724", **knobs: Any) -> None:
        self.live: Live = load(Settings(device=device, speed=speed, knobs=knobs))
        self.web = Web(self.live, "127.0.0.1", 0, tls)
        self.web.start()

    def options(self, **other: Any) -> WebOptions:
        given = {"address": "127.0.0.1", "port": self.web.port, "scheme": "http", "username": "apc", "password": "apc"}
        return WebOptions(**{**given, "timeout_s": 10.0, **other})

    def open(self, idle: Callable[[], None] = lambda: None, **other: Any) -> WebLogin:
        return open_web(self.options(**other), idle)

    def fault(self, name: str, **params: Any) -> None:
        with self.live.at_now() as unit:
            unit.fault(name, **params)

    def clear(self) -> None:
        with self.live.at_now() as unit:
            unit.clear_faults()

    @property
    def sessions(self) -> int:
        return int(self.live.truth()["sessions_open"])

    @property
    def logins(self) -> list[str]:
        return [
            row["text"] for row in self.live.truth()["log"] if row["code"] == "0x0015" and "127.0.0.1" in row["text"]
        ]

    def get(self, path: str, method: str = "GET", form: dict[str, str] | None = None, **headers: str) -> Any:
        """(status, headers, body), with no help whatsoever."""
        client = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=5)
        with contextlib.closing(client):
            client.request(method, path, urlencode(form) if form is not None else None, headers)
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()

    def refused(self, kind: str, words: str = "", **other: Any) -> str:
        with pytest.raises(TransportError) as raised:
            self.open(**other)
        assert raised.value.kind == kind and words in raised.value.message, raised.value.message
        return raised.value.message

    def opens_at_once(self) -> None:
        assert self.sessions == 0
        with self.open() as login:
            assert login.about()["Model Number"] == "AP7724"
        assert self.sessions == 0 and login.logged_out


@pytest.fixture
def serve() -> Iterator[Callable[..., Card]]:
    with contextlib.ExitStack() as stack:

        def start(*arguments: Any, **named: Any) -> Card:
            card = Card(*arguments, **named)
            stack.callback(card.web.stop)
            return card

        yield start


@pytest.mark.parametrize("body", ["length", "chunked", "close"])
@pytest.mark.parametrize("kind", LOGINS)
def test_every_generations_login(serve: Callable[..., Card], kind: str, body: str) -> None:
    card = serve(web_login=kind, web_body=body)
    with card.open() as login:
        assert card.sessions == 1
        assert login.about()["Model Number"] == "AP7724" and login.about()["Version (2)"] == "v3.7.4"
        log = login.event_log()
        assert log.complete and login.logged_out
    assert card.sessions == 0 and login.logged_out
    assert card.logins == ["System: Web user 'apc' logged in from 127.0.0.1."]
    read = parse_event_log(log.text.encode())
    truth = card.live.truth()["log"]
    assert read.recognised and [row.text for row in read.rows] == [row["text"] for row in reversed(truth)]
    assert read.rows[0].kind == "login"
    card.opens_at_once()


def test_newer_cards_show_the_code_of_an_event(serve: Callable[..., Card]) -> None:
    card = serve(device="ap4423", web_login="form_nmc")
    with card.open() as login:
        assert login.event_log().rows[1].endswith(" 0x0015")


def test_pages_may_be_called_otherwise(serve: Callable[..., Card]) -> None:
    card = serve(web_event_page="log.htm", web_about_page="aboutats.htm")
    with card.open() as login, pytest.raises(TransportError, match=r"no page ulabout\.htm"):
        login.about()
    with card.open(pages={"event_log": "log.htm", "about": "aboutats.htm"}) as login:
        assert login.about() and login.event_log().rows


@pytest.mark.parametrize("refusal", ["page", "forbidden", "redirect"])
@pytest.mark.parametrize("kind", LOGINS)
def test_a_wrong_password(serve: Callable[..., Card], kind: str, refusal: str) -> None:
    card = serve(web_login=kind, web_refusal=refusal)
    card.refused("auth", "user name or password", password="nope")
    card.fault("wrong_password")
    card.refused("auth", "user name or password")
    assert card.logins == []
    card.clear()
    card.opens_at_once()


@pytest.mark.parametrize("busy_at", ["first", "login"])
@pytest.mark.parametrize("kind", LOGINS)
def test_one_user_at_a_time(serve: Callable[..., Card], kind: str, busy_at: str) -> None:
    card = serve(web_login=kind, web_busy_at=busy_at)
    with card.live.at_now() as unit:
        other = unit.login("apc", "apc")
    card.refused("busy", "one user at a time")
    assert card.sessions == 1, "the other one's session is not ours to end"
    with card.live.at_now():
        other.close()
    card.fault("session_busy")
    card.refused("busy", "one user at a time")
    card.clear()
    with card.open(), card.live.at_now() as unit, pytest.raises(Exception, match="someone is logged in"):
        unit.login("apc", "apc")
    card.opens_at_once()


def test_the_busy_page_is_an_ordinary_page(serve: Callable[..., Card]) -> None:
    card = serve(web_busy_at="first")
    card.fault("session_busy")
    status, _headers, body = card.get("/logon.htm")
    assert status == 200 and "currently logged into" in body


def test_the_cookie_of_aos_601(serve: Callable[..., Card]) -> None:
    card = serve(web_login="form601")
    status, headers, _body = card.get("/")
    assert (status, headers["Location"]) == (303, "/home.htm")
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert card.get("/logon.htm", Cookie=cookie)[0] == 200
    assert card.get("/", Cookie="C0=stale")[0] == 400
    assert card.get("/NMC/x/logon.htm")[0] == 400
    assert card.get("/Forms/login1", "POST", {"login_username": "apc"})[0] == 400
    with card.open() as login:
        folder = login._base
        assert card.get(folder + "ulabout.htm", Cookie=cookie)[0] == 400, "of another cookie's session"
        with card.live.at_now() as unit:
            unit.card.restart("reset")
        with pytest.raises(TransportError):
            login.about()


def test_every_field_of_the_form_is_wanted_back(serve: Callable[..., Card]) -> None:
    card = serve(web_login="form3")
    form = {"login_username": "apc", "login_password": "apc", "submit": "Log On", "prefLanguage": "00000000"}
    status, _headers, body = card.get("/Forms/login1", "POST", form)
    assert status == 200 and "incorrect" in body and card.sessions == 0
    assert card.get("/Forms/login2", "POST", form)[0] == 404
    assert card.get("/NMC/unknown/ulabout.htm")[1]["Location"] == "/logon.htm"


@pytest.mark.parametrize("kind", FORMS)
def test_a_session_is_its_own_folder(serve: Callable[..., Card], kind: str) -> None:
    card = serve(web_login=kind, web_token="new")
    with card.open() as first:
        pass
    with card.open() as second:
        assert first._base != second._base and first._base.startswith("/NMC/")
        assert card.get(first._base + "logout.htm")[0] in (303, 400)
        assert card.sessions == 1


# --- sessions that are left open --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMS)
def test_the_auto_log_off(serve: Callable[..., Card], kind: str) -> None:
    card = serve(speed=40, web_login=kind)
    login = card.open()
    card.refused("busy")
    until(lambda: card.sessions == 0, 20)
    with pytest.raises(TransportError, match="ended the web session"):
        login.about()
    card.opens_at_once()


def until(what: Callable[[], bool], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


CLIENT = """
import json, sys, time
from ansible_collections.dcops.apc.plugins.module_utils._transport.web import WebOptions, open_web
login = open_web(WebOptions(**json.loads(sys.argv[1])), lambda: None)
print("in", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["basic", "form3", "form601"])
def test_a_killed_client_blocks_until_the_auto_log_off_and_no_longer(serve: Callable[..., Card], kind: str) -> None:
    card = serve(speed=40, web_login=kind)
    o = card.options()
    options = {"address": o.address, "port": o.port, "scheme": "http", "username": "apc", "password": "apc"}
    process = subprocess.Popen([sys.executable, "-c", CLIENT, json.dumps(options)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGKILL)
    began_s = card.live.now_s()
    if kind != "basic":  # whose sessions are the address's, so that the same computer comes in
        card.refused("busy")
    until(lambda: card.sessions == 0, 20)
    assert 100 < card.live.now_s() - began_s < 260
    card.opens_at_once()


# --- faults -------------------------------------------------------------------------------------------------------

FAULTS = [("web_slow", "timeout"), ("web_endless", "transfer"), ("web_cut", "transfer")]


@pytest.mark.parametrize("body", ["length", "chunked", "close"])
@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_bad_page_and_then_a_good_login(serve: Callable[..., Card], fault: str, kind: str, body: str) -> None:
    card = serve(web_body=body)
    card.fault(fault, pages=["eventweb.htm"])
    began = time.monotonic()
    with pytest.raises(TransportError) as raised, card.open(timeout_s=1.0 if fault == "web_slow" else 5.0) as login:
        login.event_log()
    assert raised.value.kind == kind and time.monotonic() - began < HANG_S, raised.value.message
    card.opens_at_once()


@pytest.mark.parametrize("login", ["form_nmc", "form601"])
@pytest.mark.parametrize(("fault", "kind"), FAULTS)
@pytest.mark.parametrize("pages", [["logon.htm"], ["login1", "logout.htm"]])
def test_a_bad_login_and_then_a_good_one(
    serve: Callable[..., Card], fault: str, kind: str, login: str, pages: list[str]
) -> None:
    card = serve(web_login=login, web_token="kept")
    card.fault(fault, pages=pages)
    try:
        card.open(timeout_s=0.7 if fault == "web_slow" else 5.0).close()
    except TransportError as error:
        assert error.kind == kind
    else:
        assert "login1" in pages and fault != "web_slow", "the address is known before the body"
    card.clear()
    card.opens_at_once()


@pytest.mark.parametrize("kind", LOGINS)
def test_an_exception_in_the_middle_and_then_a_good_login(serve: Callable[..., Card], kind: str) -> None:
    card = serve(web_login=kind)
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), card.open() as login:
            login.about()
            raise error
        card.opens_at_once()


@pytest.mark.parametrize("token", ["new", "kept"])
@pytest.mark.parametrize(("slow", "logins"), [("logon.htm", 0), ("login1", 1), ("eventweb.htm", 1), ("logout.htm", 1)])
def test_work_that_fails_beside_an_exchange_leaves_no_session(
    serve: Callable[..., Card], slow: str, logins: int, token: str
) -> None:
    """The exchange takes longer than idle() waits, so that it is called, and raises, in the middle of it."""
    card = serve(web_login="form_nmc", web_token=token)
    card.fault("web_slow", bytes_per_s=400, pages=[slow])

    def idle() -> None:
        if card.web.site.asked[-1] == slow:
            raise RuntimeError

    with contextlib.ExitStack() as stack:
        if slow != "logout.htm":  # whose end nothing keeps us from
            stack.enter_context(pytest.raises(RuntimeError))
        with card.open(idle) as login:
            login.event_log()
    assert len(card.logins) == logins
    card.clear()
    card.opens_at_once()


@pytest.mark.parametrize("kind", LOGINS)
def test_markup_in_a_name(serve: Callable[..., Card], kind: str) -> None:
    card = serve(web_login=kind)
    card.fault("web_markup")
    with card.open() as login:
        log, about = login.event_log(), login.about()
    assert about["Serial Number"] == "5A1511T00001"
    texts = [*log.lines, *about, *about.values()]
    assert all(part.isprintable() and len(part) <= 600 for text in texts for part in text.split("\t"))
    assert not any("alert" in text for text in texts)
    assert len(parse_event_log(log.text.encode()).rows) == len(card.live.truth()["log"])


def test_faults_take_only_their_parameters(serve: Callable[..., Card]) -> None:
    with pytest.raises(ValueError, match="does not take"):
        serve().fault("web_cut", bytes_per_s=1)


def test_a_card_that_is_down_or_starting(serve: Callable[..., Card]) -> None:
    card = serve(speed=100, boot_s=200, ftp_ready_delay_s=300)
    login = card.open()
    with card.live.at_now() as unit:
        unit.card.restart("reset")
    card.refused("transfer")
    until(lambda: bool(card.live.truth()["card"]["up"]), 15)
    card.refused("busy", "503")
    until(lambda: card.live.truth()["ftp_state"] == "up", 15)
    with pytest.raises(TransportError, match="ended the web session"):
        login.about()
    card.opens_at_once()


def test_a_card_without_its_app_says_so_and_still_shows_its_log(serve: Callable[..., Card]) -> None:
    card = serve(device="ap7723")
    with card.live.at_now() as unit:
        unit.card.app_running = False
    with card.open() as login:
        assert "problem loading the application" in card.get(login._base + "home.htm")[2]
        assert login.event_log().rows and "Version (2)" not in login.about()


def test_ftps_faults_are_not_the_webs(serve: Callable[..., Card]) -> None:
    card = serve()
    card.fault("ftp_refused")
    card.opens_at_once()
    card.fault("no_answer", ftp=True)
    card.refused("transfer")


# --- https --------------------------------------------------------------------------------------------------------


def test_https_with_the_cards_own_certificate(
    serve: Callable[..., Card], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    card = serve(tls=True, web_login="form_nmc")
    authority = tmp_path / "card.pem"
    authority.write_text(card.web.certificate or "")
    words = card.refused("auth", "is not trusted", scheme="https")
    assert "give the file of the CA" in words and card.logins == []
    for verify in (str(authority), False):
        with card.open(scheme="https", verify=verify) as login:
            assert login.about() and login.event_log().rows
    # its certificate is for its address, and not for any other name
    card.refused("auth", "is not trusted", scheme="https", verify=str(authority), host="other.example.org")
    card.refused("transfer", "", scheme="http")
    for fault, kind in FAULTS:
        card.clear()
        card.fault(fault, pages=["ulabout.htm"])
        trusted = {"scheme": "https", "verify": str(authority), "timeout_s": 1.0 if fault == "web_slow" else 5.0}
        with pytest.raises(TransportError) as raised, card.open(**trusted) as login:
            login.about()
        assert raised.value.kind == kind and card.sessions == 0
    assert not [warning for warning in recwarn if "verif" in str(warning.message).lower()]


# --- the process, and the knobs -----------------------------------------------------------------------------------


def test_the_process_serves_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = os.pathsep.join(filter(None, (str(SIMULATOR), os.environ.get("PYTHONPATH"))))
    command = ["serve", "--device", "ap7724", "--ready-file", str(ready), "--web-port", str(port), "--web-tls"]
    process = subprocess.Popen(
        [sys.executable, "-m", "apcsim", *command, "--parent-pid", str(os.getpid())],
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        until(ready.exists, 20)
        told = json.loads(ready.read_text())
        assert told["web_port"] == port
        authority = tmp_path / "card.pem"
        authority.write_text(told["web_certificate"])
        options = WebOptions("127.0.0.1", port, "https", "apc", "apc", 5.0, verify=str(authority))
        with open_web(options, lambda: None) as login:
            assert login.about()["Simulated"] == "SIMULATED x1"
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_random_knobs_draw_the_web_apart() -> None:
    drawn = [Knobs.random(random.Random(seed)) for seed in range(40)]
    for name in ("web_login", "web_token", "web_refusal", "web_busy_at", "web_body"):
        assert len({getattr(knobs, name) for knobs in drawn}) >= 2
    assert {knobs.web_login for knobs in drawn} == set(LOGINS)
    assert Knobs.random(random.Random(1)) == Knobs.random(random.Random(1))


def test_it_ends_while_a_page_drips() -> None:
    card = Card()
    card.fault("web_slow")
    client = socket.create_connection(("127.0.0.1", card.web.port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.recv(1)
    before = threading.active_count()
    card.web.stop()
    client.close()
    until(lambda: threading.active_count() < before, 5)
