# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The web login against peers that follow a script, over real sockets: what is sent, what never is, and every end."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport import web_http
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.web import WebLogin, WebOptions, open_web
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S, SILENT_S

PASSWORD = "pass-W0rd-x&y"
FORM = (
    '<form name=frmLogin action="/NMC/pre/Forms/login1" method=post><input name=login_username>'
    '<input name=login_password type=password><input type=hidden name=h value="a&quot;b"></form>'
)
EVENTS = "<table><tr><td>09/05/2017</td><td>23:21:26</td><td>System: Cold start.</td></tr></table></html>"
ABOUT = '<table><tr><td class="dataName"><span>Model</span>:</td> <td>AP7724</td></tr></table>'
BUSY = "Someone is currently logged into the APC Management Web Server."


def page(body: str | bytes, status: str = "200 OK", *headers: str) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(data)}", "", ""]).encode() + data


def see(where: str, status: str = "303 See Other", *headers: str) -> bytes:
    return page("", status, f"Location: {where}", *headers)


class Peer:
    """Answers by the request's path; an answer may also be a function that has the socket, and its turn."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.answers: dict[str, Any] = {
            "GET /": see("/logon.htm"),
            "GET /logon.htm": page(FORM),
            "POST /NMC/pre/Forms/login1": see("/NMC/tok/home.htm"),
            "GET /NMC/tok/eventweb.htm": page(EVENTS),
            "GET /NMC/tok/ulabout.htm": page(ABOUT),
            "GET /NMC/tok/logout.htm": page("bye"),
            "GET /NMC/pre/logout.htm": page("bye"),
        }
        self.requests: list[str] = []
        self.stop = threading.Event()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def asked(self) -> list[str]:
        return [request.partition(" HTTP")[0] for request in self.requests]

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _address = self.listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            sock.settimeout(20)
            data = b""
            while b"\r\n\r\n" not in data:
                more = sock.recv(4096)
                if not more:
                    return
                data += more
            head, _blank, body = data.partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len")), 0
            )
            while len(body) < length:
                body += sock.recv(4096)
            self.requests.append((head + b"\r\n\r\n" + body).decode())
            answer = self.answers.get(self.asked[-1], page("no", "404 Not Found"))
            if isinstance(answer, list):
                answer = answer.pop(0)
            if callable(answer):
                answer(sock)
            else:
                sock.sendall(answer)

    def drip(self, text: bytes = b"x", every_s: float = 0.05, head: bytes = b"") -> Callable[[socket.socket], None]:
        def send(sock: socket.socket) -> None:
            sock.sendall(head)
            while not self.stop.wait(every_s):
                sock.sendall(text)

        return send

    def flood(self, head: bytes, block: bytes) -> Callable[[socket.socket], None]:
        def send(sock: socket.socket) -> None:
            sock.sendall(head)
            while not self.stop.is_set():
                sock.sendall(block)

        return send

    def silent(self, _sock: socket.socket) -> None:
        self.stop.wait(SILENT_S)

    def options(self, **other: Any) -> WebOptions:
        given = {"address": "127.0.0.1", "port": self.port, "scheme": "http", "username": "apc", "password": PASSWORD}
        return WebOptions(**{**given, "timeout_s": 5.0, **other})

    def open(self, idle: Callable[[], None] = lambda: None, **other: Any) -> WebLogin:
        return open_web(self.options(**other), idle)


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.stop.set()
    made.listener.close()


def refused(peer: Peer, kind: str, words: str, **options: Any) -> TransportError:
    with pytest.raises(TransportError) as raised:
        peer.open(**options)
    error = raised.value
    assert error.kind == kind and words in error.message, (error.kind, error.message)
    assert PASSWORD not in error.message and "tok" not in error.message
    return error


# --- the way it should go -----------------------------------------------------------------------------------------


def test_login_pages_and_logout(peer: Peer) -> None:
    with peer.open() as login:
        log = login.event_log()
        assert log.rows == ("09/05/2017\t23:21:26\tSystem: Cold start.",) and log.complete
        assert login.about() == {"Model": "AP7724"}
        assert "GET /NMC/tok/logout.htm" not in peer.asked
    assert login.logged_out
    login.close()
    assert peer.asked == [
        "GET /", "GET /logon.htm", "POST /NMC/pre/Forms/login1", "GET /NMC/tok/eventweb.htm",
        "GET /NMC/tok/ulabout.htm", "GET /NMC/tok/logout.htm",
    ]  # fmt: skip
    head, _blank, body = peer.requests[2].partition("\r\n\r\n")
    assert body == "login_username=apc&login_password=pass-W0rd-x%26y&submit=Log+On&h=a%22b"
    assert "application/x-www-form-urlencoded" in head
    with pytest.raises(TransportError, match="without a login"):
        login.about()


def test_nothing_of_the_environment_is_used(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, request: pytest.FixtureRequest
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with peer.open(host="card.example.org") as login:
        login.about()
    for sent in peer.requests:
        assert "Authorization" not in sent and f"Host: card.example.org:{peer.port}\r\n" in sent
        assert "Accept-Encoding: identity" in sent


@pytest.mark.parametrize("host", [None, "127.0.0.1", "[::1]", " 127.0.0.1 "])
def test_an_address_is_its_own_name(peer: Peer, host: str | None) -> None:
    with peer.open(host=host):
        assert all(f"Host: 127.0.0.1:{peer.port}\r\n" in sent for sent in peer.requests)


def test_an_ipv6_address() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        peer = Peer("::1")
    except OSError:
        pytest.skip("no IPv6 loopback")
    peer.answers["GET /"] = see(f"http://[::1]:{peer.port}/logon.htm")
    peer.answers["GET /logon.htm"] = page(FORM, "200 OK", "Set-Cookie: C0=x; path=/")
    with contextlib.closing(peer.listener), peer.open(address="::1", host="[::1]") as login:
        assert login.about()
        assert f"Host: [::1]:{peer.port}\r\n" in peer.requests[-1] and "C0=x" in peer.requests[-1]


def test_cookies_are_of_one_login_only(peer: Peer) -> None:
    for number in range(2):
        peer.answers["GET /logon.htm"] = page(FORM, "200 OK", f"Set-Cookie: C0=c{number}; path=/")
        with peer.open(host="card.example.org"):
            pass
    cookies = ["C0=c0" in sent or "C0=c1" in sent for sent in peer.requests]
    assert cookies == [False, False, True, True] * 2
    assert "C0=c1" in peer.requests[6] and "C0=c0" not in peer.requests[6]


def test_pages_may_have_other_names(peer: Peer) -> None:
    peer.answers["GET /NMC/tok/log1.htm"] = page(EVENTS)
    with peer.open(pages={"event_log": "log1.htm", "about": "gone.htm"}) as login:
        assert login.event_log().rows
        with pytest.raises(TransportError, match=r"has no page gone\.htm") as raised:
            login.about()
        assert raised.value.kind == "unsupported"
    for name in ("../x", "", "..", "a/b", "a?b", "a\r\nb", "x" * 65):
        refused(peer, "unsupported", "page", pages={"about": name})
    refused(peer, "unsupported", "no page", pages={"abuot": "x.htm"})


def test_basic_login_of_an_old_card(peer: Peer) -> None:
    challenge = page("no", "401 Unauthorized", 'WWW-Authenticate: Basic realm="APC Management Card"')
    peer.answers |= {
        "GET /": [challenge, page("home")], "GET /eventweb.htm": page(EVENTS), "GET /logout.htm": page("bye"),
    }  # fmt: skip
    with peer.open() as login:
        assert login.event_log().rows
    assert peer.asked[-1] == "GET /logout.htm"
    assert ["Authorization: Basic" in sent for sent in peer.requests] == [False, True, True, True]
    peer.answers["GET /"] = challenge
    refused(peer, "auth", "user name or password")
    assert peer.asked[-1] == "GET /"
    peer.answers["GET /"] = [challenge, page(BUSY)]
    refused(peer, "busy", "one user at a time")


# --- refusals told apart ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "answer", "kind", "words"),
    [
        ("GET /logon.htm", page(BUSY), "busy", "one user at a time"),
        ("POST /NMC/pre/Forms/login1", page(BUSY), "busy", "one user at a time"),
        ("POST /NMC/pre/Forms/login1", page(FORM), "auth", "user name or password"),
        ("POST /NMC/pre/Forms/login1", page("no", "403 Forbidden"), "auth", "user name or password"),
        ("POST /NMC/pre/Forms/login1", see("/logon.htm"), "auth", "user name or password"),
        ("POST /NMC/pre/Forms/login1", see("/NMC/pre2/logon.htm"), "unsupported", "404"),
        ("POST /NMC/pre/Forms/login1", page("huh?"), "unsupported", "unintelligibly (200)"),
        ("GET /logon.htm", page("no", "403 Forbidden"), "auth", "403"),
        ("GET /logon.htm", page("no", "503 Service Unavailable"), "busy", "503"),
        ("GET /logon.htm", page("<h1>Welcome to nginx</h1>"), "unsupported", "no login of a management card"),
        ("GET /", page("no", "401 Unauthorized", 'WWW-Authenticate: Basic realm="router"'), "unsupported", "not as a"),
        ("GET /", page("no", "401 Unauthorized", "WWW-Authenticate: Digest"), "unsupported", "not as a"),
        ("GET /", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "transfer", ""),
        ("GET /", b"", "transfer", "broke off"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_own_words(peer: Peer, at: str, answer: bytes, kind: str, words: str) -> None:
    peer.answers[at] = answer
    refused(peer, kind, words)
    assert not any("logout" in asked for asked in peer.asked), "there was no session"
    if not at.startswith("POST"):
        assert not any(PASSWORD[:10] in sent or "Authorization" in sent for sent in peer.requests)


def test_400_is_tried_once_more_with_a_fresh_session(peer: Peer) -> None:
    bad = page("Bad Request", "400 Bad Request")
    cookie = "Set-Cookie: C0=x; path=/"
    peer.answers["GET /"] = [see("/logon.htm", "303 See Other", cookie), see("/logon.htm", "303 See Other", cookie)]
    peer.answers["POST /NMC/pre/Forms/login1"] = [bad, see("/NMC/tok/home.htm")]
    with peer.open() as login:
        assert login.about()
    roots = [sent for sent in peer.requests if sent.startswith("GET / ")]
    assert len(roots) == 2 and not any("C0=x" in sent for sent in roots)
    for at in ("GET /", "POST /NMC/pre/Forms/login1"):
        peer.answers["GET /"] = see("/logon.htm")
        peer.answers[at] = bad
        peer.requests.clear()
        refused(peer, "transfer", "400 (bad request): AOS 6.0.1")
        assert peer.asked.count("GET /") == 2, "once more, and no more"


@pytest.mark.parametrize(
    "form",
    [
        FORM.replace("method=post", "method=get"), FORM.replace("method=post", ""),
        FORM.replace('"/NMC', '"http://192.0.2.66/NMC'), FORM.replace('"/NMC', '"//192.0.2.66/NMC'),
        FORM.replace('"/NMC', '"http://127.0.0.1:1/NMC'), FORM.replace('"/NMC', '"javascript:/NMC'),
        FORM.replace('"/NMC', '"https://127.0.0.1/NMC'), FORM.replace("</form>", "<input name=y type=hidden>" * 99),
    ],
)  # fmt: skip
def test_the_password_goes_to_no_other_form(peer: Peer, form: str) -> None:
    peer.answers["GET /logon.htm"] = page(form)
    refused(peer, "unsupported", "nothing was sent")
    assert peer.asked == ["GET /", "GET /logon.htm"]


def test_redirects_stay_with_the_card(peer: Peer) -> None:
    port = peer.port
    for elsewhere in (
        "http://192.0.2.66/logon.htm", f"https://127.0.0.1:{port}/", "//192.0.2.66/", "http://127.0.0.1:1/", "file:///etc",
        f"http://localhost:{port}/logon.htm", "http://[::1/", "/\x80", "/" + "x" * 2000,
    ):  # fmt: skip
        peer.answers["GET /"] = see(elsewhere)
        refused(peer, "transfer", "another place")
    peer.answers["GET /"] = see(f"http://127.0.0.1:{port}/logon.htm", "301 Moved")
    with peer.open() as login:
        assert login.about()
    peer.answers["GET /"] = see(f"http://card.example.org:{port}/logon.htm", "302 Found")
    with peer.open(host="Card.example.org") as login:
        assert login.about()
    peer.answers["GET /"] = see("/")
    peer.requests.clear()
    refused(peer, "transfer", "more than 5 times")
    assert len(peer.requests) == 6


def test_the_body_of_a_redirect_is_not_even_read(peer: Peer) -> None:
    bomb = gzip.compress(b"x" * 100_000_000, 9)
    peer.answers["GET /"] = page(bomb, "303 See Other", "Location: /logon.htm", "Content-Encoding: gzip")
    head = b"HTTP/1.1 303 See Other\r\nLocation: /NMC/tok/home.htm\r\n\r\n"
    peer.answers["POST /NMC/pre/Forms/login1"] = peer.drip(head=head)
    tracemalloc.start()
    try:
        with peer.open() as login:
            assert login.about()
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_a_login_is_not_sent_twice_by_a_redirect(peer: Peer) -> None:
    for status in ("307 Temporary Redirect", "308 Permanent Redirect"):
        peer.answers["POST /NMC/pre/Forms/login1"] = see("/Forms/login1", status)
        refused(peer, "transfer", "sent again")
    assert [asked for asked in peer.asked if asked.startswith("POST")] == ["POST /NMC/pre/Forms/login1"] * 2


def test_a_session_whose_address_is_elsewhere_is_refused_and_ended_here(peer: Peer) -> None:
    peer.answers["POST /NMC/pre/Forms/login1"] = see("http://192.0.2.10/NMC/tok/home.htm")
    refused(peer, "transfer", "another place")
    assert peer.asked[-1] == "GET /NMC/tok/logout.htm"


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "a\r\nb"}, {"password": "x\x00"}, {"password": "x" * 300}, {"scheme": "ftp"}, {"port": 0},
        {"port": 70000}, {"host": "a b"}, {"host": "a/b"}, {"host": "a\r\nX: y"}, {"verify": "/no/such/file"},
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(peer: Peer, wrong: dict[str, Any]) -> None:
    refused(peer, "unsupported", "", **wrong)
    assert not peer.requests


def test_the_password_is_not_in_the_options_words(peer: Peer) -> None:
    assert PASSWORD not in repr(peer.options())


def test_without_requests_it_says_what_is_missing(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_http, "HAS_REQUESTS", False)
    refused(peer, "unsupported", "pip install requests")


# --- sessions that end in between ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (see("/logon.htm"), "transfer", "ended the web session"), (page(FORM), "transfer", "ended the web session"),
        (page(f"<table><tr><td>User:<td>{FORM}<td>x"), "transfer", "ended the web session"),
        (see("/NMC/gone/logon.htm"), "transfer", "ended the web session"),
        (page("no", "403 Forbidden"), "auth", "has ended the session"), (page(BUSY), "busy", "one user at a time"),
        (page("x", "400 Bad Request"), "transfer", "400 (bad request)"), (page("x", "500 Oops"), "transfer", "500"),
        (page("<p>There was a problem loading the application</p>"), "unsupported", "without its app"),
        (page("<h1>Hello</h1>"), "unsupported", "shows no values"),
    ],
)  # fmt: skip
def test_what_else_a_page_may_be(peer: Peer, answer: bytes, kind: str, words: str) -> None:
    peer.answers["GET /NMC/tok/ulabout.htm"] = answer
    with pytest.raises(TransportError) as raised, peer.open() as login:
        login.about()
    assert raised.value.kind == kind and words in raised.value.message
    assert peer.asked[-1] == "GET /NMC/tok/logout.htm"


def test_an_event_may_say_anything(peer: Peer) -> None:
    row = f"<table><tr><td>09/05/2017</td><td>23:21:26</td><td>{BUSY}{FORM}</td></tr></table>"
    peer.answers["GET /NMC/tok/eventweb.htm"] = page(row)
    with peer.open() as login:
        assert BUSY in login.event_log().rows[0]


def test_a_page_without_events_says_so_and_keeps_its_text(peer: Peer) -> None:
    peer.answers["GET /NMC/tok/eventweb.htm"] = page("<h1>Event Log</h1><p>empty</p>")
    with peer.open() as login:
        assert (login.event_log().rows, login.event_log().lines) == ((), ("Event Log", "empty"))


# --- peers that waste time and memory -----------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def hostile(peer: Peer) -> dict[str, tuple[Any, str]]:
    return {
        "silent": (peer.silent, "timeout"),
        "head drips": (peer.drip(head=b"H"), "timeout"),
        "headers drip": (peer.drip(b"a: b\r\n", 0.1, OK), "timeout"),
        "body drips": (peer.drip(head=OK + b"Content-Length: 9999\r\n\r\n"), "timeout"),
        "endless": (peer.flood(OK + b"\r\n", b"<tr><td>x" * 4000), "transfer"),
        "endless chunks": (peer.flood(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"), "transfer"),
        "endless chunk size": (peer.flood(CHUNKED, b"0" * 65536), "transfer"),
        "endless header": (peer.flood(OK + b"a: ", b"b" * 65536), "transfer"),
        "endless headers": (peer.flood(OK, b"a: bbbbbbbbbb\r\n" * 1000), "transfer"),
        "endless continue": (peer.flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "transfer"),
        "endless trailer": (peer.flood(CHUNKED + b"1\r\nx\r\n0\r\n", b"a: b\r\n" * 1000), "transfer"),
        "declared too long": (page("", "200 OK", "Content-Length: 999999999"), "transfer"),
        "cut": (page("x" * 99, "200 OK", "Content-Length: 200"), "transfer"),
        "cut in a chunk": (CHUNKED + b"100\r\nxx", "transfer"),
        "bomb": (page(gzip.compress(b"x" * 30_000_000), "200 OK", "Content-Encoding: gzip"), "transfer"),
        "too large": (page("x" * 262145), "transfer"),
    }


NAMES = ["silent", "head drips", "headers drip", "body drips", "endless", "endless chunks", "endless chunk size"]
NAMES += ["endless header", "endless headers", "endless continue", "endless trailer", "declared too long", "cut"]
NAMES += ["cut in a chunk", "bomb", "too large"]


@pytest.mark.parametrize("at", ["GET /logon.htm", "GET /NMC/tok/eventweb.htm"])
@pytest.mark.parametrize("name", NAMES)
def test_time_and_memory_are_bounded(peer: Peer, name: str, at: str) -> None:
    answers = hostile(peer)
    assert set(answers) == set(NAMES)
    peer.answers[at], kind = answers[name]
    # What floods has to be stopped by its size, on a busy machine too.
    limit_s = 1.0 if kind == "timeout" else HANG_S - 5.0
    idled: list[float] = [time.monotonic()]

    def idle() -> None:
        idled.append(time.monotonic())

    tracemalloc.start()
    began = time.monotonic()
    try:
        with pytest.raises(TransportError) as raised, peer.open(idle, timeout_s=limit_s) as login:
            began = time.monotonic()
            login.event_log()
        took_s = time.monotonic() - began
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert raised.value.kind == kind, raised.value.message
    assert took_s < HANG_S and most < 8e6, (took_s, most)
    if kind == "timeout":
        assert len(idled) > 3
    logged_out = peer.asked.count("GET /NMC/tok/logout.htm")
    assert logged_out == (1 if "tok" in at else 0)


def test_a_page_of_the_full_size_is_taken(peer: Peer) -> None:
    rows = EVENTS + "<p>" + "x" * (262144 - len(EVENTS) - 3)
    peer.answers["GET /NMC/tok/eventweb.htm"] = page(rows)
    with peer.open() as login:
        assert login.event_log().rows


def test_no_thread_outlives_its_exchange(peer: Peer) -> None:
    before = threading.active_count()
    peer.answers["GET /"] = peer.drip(head=b"H")
    for _unused in range(3):
        refused(peer, "timeout", "in time", timeout_s=0.3)
    names = [thread.name for thread in threading.enumerate()]
    assert "web exchange" not in names and threading.active_count() <= before + 4


def test_a_wait_that_the_work_beside_ends_is_given_up_at_once(peer: Peer) -> None:
    def idle() -> None:
        raise Elsewhere

    peer.answers["GET /logon.htm"] = peer.silent
    began = time.monotonic()
    with pytest.raises(Elsewhere):
        peer.open(idle, timeout_s=SILENT_S)
    assert time.monotonic() - began < HANG_S
    assert "web exchange" not in [thread.name for thread in threading.enumerate()]


def test_tls_that_never_answers(peer: Peer) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    began = time.monotonic()
    with listener, pytest.raises(TransportError) as raised:
        peer.open(scheme="https", port=listener.getsockname()[1], timeout_s=0.5)
    assert raised.value.kind == "timeout" and time.monotonic() - began < HANG_S


def test_plain_http_where_tls_is_wanted(peer: Peer) -> None:
    peer.answers = {}
    junk = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        sock, _address = junk.accept()
        with sock:
            sock.sendall(page("hello"))

    threading.Thread(target=answer, daemon=True).start()
    with junk:
        refused(peer, "transfer", "TLS handshake", scheme="https", port=junk.getsockname()[1])


def test_nobody_there(peer: Peer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    refused(peer, "transfer", "refused the web connection", port=port)


# --- always logged out --------------------------------------------------------------------------------------------


class Elsewhere(Exception):
    pass


@pytest.mark.parametrize("error", [Elsewhere, KeyboardInterrupt, SystemExit])
def test_also_after_an_exception_inside(peer: Peer, error: type[BaseException]) -> None:
    with pytest.raises(error), peer.open():
        raise error
    assert peer.asked[-1] == "GET /NMC/tok/logout.htm"


@pytest.mark.parametrize("error", [Elsewhere, KeyboardInterrupt])
def test_also_when_the_work_beside_fails_in_mid_login(peer: Peer, error: type[BaseException]) -> None:
    """The answer that names the session is waited for; otherwise the card would stay busy for minutes."""

    def late(sock: socket.socket) -> None:
        peer.stop.wait(0.9)
        sock.sendall(see("/NMC/tok/home.htm"))

    def idle() -> None:
        if peer.asked[-1].startswith("POST"):
            raise error

    peer.answers["POST /NMC/pre/Forms/login1"] = late
    with pytest.raises(error):
        peer.open(idle)
    assert peer.asked[-2:] == ["POST /NMC/pre/Forms/login1", "GET /NMC/tok/logout.htm"]


def test_also_when_the_answer_to_the_login_never_comes(peer: Peer) -> None:
    peer.answers["POST /NMC/pre/Forms/login1"] = peer.drip(head=b"H")
    refused(peer, "timeout", "in time", timeout_s=0.6)
    assert peer.asked[-1] == "GET /NMC/pre/logout.htm", "the folder may have been kept"


def test_the_body_of_the_logins_answer_does_not_matter(peer: Peer) -> None:
    head = b"HTTP/1.1 303 See Other\r\nLocation: /NMC/tok/home.htm\r\n"
    for rest in (b"Content-Length: 999\r\n\r\ncut", b"Transfer-Encoding: chunked\r\n\r\nzz"):
        peer.answers["POST /NMC/pre/Forms/login1"] = head + rest
        with peer.open() as login:
            assert login.about()
        assert peer.asked[-1] == "GET /NMC/tok/logout.htm"


def test_a_logout_that_gets_no_answer_is_tried_twice_and_told(peer: Peer) -> None:
    calls: list[int] = []

    def idle() -> None:
        calls.append(1)
        if "GET /NMC/tok/logout.htm" in peer.asked:
            raise Elsewhere  # must not keep the logout from being tried again

    peer.answers["GET /NMC/tok/logout.htm"] = peer.silent
    login = peer.open(idle, timeout_s=0.6)
    began = time.monotonic()
    login.close()
    assert time.monotonic() - began < HANG_S and not login.logged_out and calls
    assert peer.asked.count("GET /NMC/tok/logout.htm") == 2
    peer.answers["GET /NMC/tok/logout.htm"] = [b"", page("bye")]
    login = peer.open()
    login.close()
    assert login.logged_out


def test_a_login_too_late_is_not_sent(peer: Peer) -> None:
    """A connection that is made after the time is up carries nothing: it would open a session that nobody ends."""
    guard = web_http.Guard(time.monotonic() - 1, 1000)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(TimeoutError):
            guard.take(ours)
        theirs.settimeout(1)
        assert theirs.recv(10) == b"" and guard.late


def test_file_descriptors_are_given_back(peer: Peer) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    with peer.open() as login:
        login.about()
    before = count()
    for _unused in range(10):
        with peer.open() as login:
            login.about()
    assert count() <= before + 2
