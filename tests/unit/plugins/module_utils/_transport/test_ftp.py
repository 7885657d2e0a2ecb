# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FTP against a real server, and against sockets that behave as no server should."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport import ftp
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp import BLOCK, FtpLogin, open_ftp
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S, SILENT_S

PASSWORD = "pass-W0rd-x"
FILE = "apc_hw02_aos_392.bin"
UPS_FILE = "SMT18UPS_09-3.enc"
UPS_PATH = f"upsfw/{UPS_FILE}"


class Hooks:
    """Records what is called; may raise at a given number of bytes done."""

    def __init__(self, cut_at: int | None = None, cut_last: bool = False, hold_s: float = 0.0) -> None:
        self.cut_at, self.cut_last, self.hold_s = cut_at, cut_last, hold_s
        self.idles: list[float] = []
        self.blocks: list[int] = []
        self.last: list[tuple[int, int]] = []
        self.firsts: list[float] = []

    def first_byte(self) -> None:
        self.firsts.append(time.monotonic())

    def idle(self) -> None:
        self.idles.append(time.monotonic())

    def sent(self, done: int, _total: int) -> None:
        self.blocks.append(done)
        if self.cut_at is not None and done >= self.cut_at:
            raise Contradiction("source B is live")

    def last_block(self, done: int, total: int) -> None:
        self.last.append((done, total))
        time.sleep(self.hold_s)
        if self.cut_last:
            raise Contradiction("source B is live")


class Contradiction(Exception):
    pass


def log_in(port: int, hooks: Hooks | None = None, timeout_s: float = 5.0, user: str = "apc") -> FtpLogin:
    return open_ftp("127.0.0.1", port, user, PASSWORD, timeout_s, (hooks or Hooks()).idle)


# --- a real server -----------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("pyftpdlib")
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

    class Handler(FTPHandler):
        banner = "AP7724 Network Management Card AOS v3.7.4 FTP server ready."
        commands: ClassVar[list[str]] = []
        auth_failed_timeout = 0.05
        use_sendfile = False

        def pre_process_command(self, line: str, cmd: str, arg: str) -> Any:
            type(self).commands.append(cmd)
            return super().pre_process_command(line, cmd, arg)

    Handler.authorizer = DummyAuthorizer()
    Handler.authorizer.add_user("apc", PASSWORD, str(tmp_path), perm="elradfmw")
    loop = IOLoop()
    ftp_server = FTPServer(("127.0.0.1", 0), Handler, ioloop=loop)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            loop.loop(timeout=0.02, blocking=False)

    thread = threading.Thread(target=run)
    thread.start()
    Handler.port = ftp_server.socket.getsockname()[1]
    Handler.root = tmp_path
    try:
        yield Handler
    finally:
        stop.set()
        thread.join(5)
        ftp_server.close_all()
        loop.close()


def settle(condition: Callable[[], bool], limit_s: float = 3.0) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_log_in_fetch_store_log_out(server: Any) -> None:
    content = bytes(range(256)) * 40
    (server.root / "event.txt").write_bytes(content)
    login = log_in(server.port)
    assert login.banner == "220 AP7724 Network Management Card AOS v3.7.4 FTP server ready."
    assert login.fetch("event.txt") == content
    hooks = Hooks()
    login.store(FILE, content + b"end", hooks)
    assert (server.root / FILE).read_bytes() == content + b"end"
    assert hooks.blocks == [*range(BLOCK, len(content) + 1, BLOCK), len(content) + 3]
    assert hooks.last == [(len(content), len(content) + 3)]
    assert login.last_reply.startswith("226") and login.fetch("event.txt") == content
    login.close()
    login.close()
    assert server.commands[-1] == "QUIT" and "PORT" not in server.commands and "EPRT" not in server.commands


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK])
def test_the_last_block_is_announced_once_whatever_the_size(server: Any, size: int) -> None:
    login, hooks = log_in(server.port), Hooks()
    login.store(FILE, b"x" * size, hooks)
    login.close()
    assert hooks.last == [((size - 1) // BLOCK * BLOCK, size)] and hooks.blocks[-1] == size
    assert (server.root / FILE).stat().st_size == size


@pytest.mark.parametrize("hooks", [Hooks(cut_at=4 * BLOCK), Hooks(cut_last=True)], ids=["a block", "the last block"])
def test_a_hook_that_raises_cuts_by_reset_and_is_raised_again(server: Any, hooks: Hooks) -> None:
    login = log_in(server.port)
    with pytest.raises(Contradiction, match="source B is live"):
        login.store(FILE, b"x" * (10 * BLOCK), hooks)
    # That it is a reset is seen on the raw sockets below; pyftpdlib may take it for an end.
    path = server.root / FILE
    assert not settle(lambda: path.exists() and path.stat().st_size >= 10 * BLOCK, 0.3)
    with pytest.raises(TransportError, match=r"session .* is over"):
        login.fetch("event.txt")
    login.close()


def test_a_missing_file_is_an_error_and_the_session_goes_on(server: Any) -> None:
    (server.root / "config.ini").write_bytes(b"[x]")
    login = log_in(server.port)
    with pytest.raises(TransportError, match=r"refused fetching event\.txt: 550") as caught:
        login.fetch("event.txt")
    assert caught.value.kind == "transfer"
    assert login.fetch("config.ini") == b"[x]"
    login.close()


def test_a_file_over_the_limit_is_refused_and_the_session_logged_out_of(server: Any) -> None:
    (server.root / "event.txt").write_bytes(b"x" * 400000)
    login = log_in(server.port)
    with pytest.raises(TransportError, match="larger than 1000 bytes"):
        login.fetch("event.txt", 1000)
    login.close()
    assert settle(lambda: server.commands[-1] == "QUIT")


def test_a_store_that_is_refused_sends_nothing_and_logs_out(server: Any) -> None:
    server.authorizer.user_table["apc"]["perm"] = "elr"
    login, hooks = log_in(server.port), Hooks()
    with pytest.raises(TransportError, match="550"):
        login.store(FILE, b"x" * 5000, hooks)
    assert hooks.blocks == [] and hooks.last == [] and len(hooks.firsts) == 1
    login.close()
    assert settle(lambda: server.commands[-1] == "QUIT")


def test_a_wrong_password_is_auth_and_never_shown(server: Any) -> None:
    with pytest.raises(TransportError) as caught:
        open_ftp("127.0.0.1", server.port, "apc", "wr0ng-secret", 5, Hooks().idle)
    assert caught.value.kind == "auth" and "wr0ng" not in repr(caught.value) + str(caught.value.__context__)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a b", "../x", "x\r\nDELE y", "x\n", "..\n", "x\0", "x" * 65, "\u0661"]
)
def test_names_that_are_not_sent(server: Any, name: str) -> None:
    login = log_in(server.port)
    before = list(server.commands)
    for attempt in (lambda: login.fetch(name), lambda: login.store(name, b"x", Hooks())):
        with pytest.raises(TransportError) as caught:
            attempt()
        assert caught.value.kind == "unsupported"
    assert server.commands == before
    login.close()


@pytest.mark.parametrize(
    "name",
    ["/x", "x/", "/", "//x", "a//b", "a/b/c", "/upsfw/x", "../x", "upsfw/..", "upsfw/.", "./x", "upsfw/../x"]
    + ["upsfw/x\r\nDELE y", "upsfw\r\nDELE y/x", "upsfw\n/x", "upsfw/x\n", "a b/x", "a\\b/x", "a" * 65 + "/x"],
)
def test_paths_that_are_not_sent(server: Any, name: str) -> None:
    login, hooks = log_in(server.port), Hooks()
    before = list(server.commands)
    with pytest.raises(TransportError) as caught:
        login.store(name, b"x", hooks)
    assert caught.value.kind == "unsupported" and "\n" not in caught.value.message
    assert server.commands == before and hooks.firsts == []
    login.close()


# --- into a directory ---


def test_a_file_for_a_directory_and_the_login_goes_on(server: Any) -> None:
    (server.root / "upsfw").mkdir()
    (server.root / "event.txt").write_bytes(b"the card's")
    (server.root / "upsfw" / "event.txt").write_bytes(b"another")
    content = bytes(range(256)) * 11
    login, hooks = log_in(server.port), Hooks()
    before = len(server.commands)
    login.store(UPS_PATH, content, hooks)
    assert (server.root / UPS_PATH).read_bytes() == content and not (server.root / UPS_FILE).exists()
    assert server.commands[before:] == ["CWD", "PASV", "STOR", "CWD"]
    assert login.last_reply.startswith("226") and hooks.blocks[-1] == len(content) and len(hooks.last) == 1
    assert login.fetch("event.txt") == b"the card's"
    # And once more, and a file without a directory.
    login.store(UPS_PATH, b"second", Hooks())
    login.store(FILE, b"third", Hooks())
    assert (server.root / UPS_PATH).read_bytes() == b"second" and (server.root / FILE).read_bytes() == b"third"
    login.close()
    assert settle(lambda: server.commands[-1] == "QUIT")


def test_a_card_without_the_directory_is_named_and_the_login_goes_on(server: Any) -> None:
    (server.root / "event.txt").write_bytes(b"rows")
    login, hooks = log_in(server.port), Hooks()
    with pytest.raises(TransportError, match=r"refused the change to the directory upsfw .*: 550") as caught:
        login.store(UPS_PATH, b"x" * 900, hooks)
    assert caught.value.kind == "transfer"
    assert hooks.firsts == hooks.blocks == hooks.last == [] and "STOR" not in server.commands
    assert login.fetch("event.txt") == b"rows"
    login.close()


def test_a_directory_that_takes_no_file_is_left_again(server: Any) -> None:
    (server.root / "upsfw").mkdir()
    (server.root / "event.txt").write_bytes(b"rows")
    server.authorizer.user_table["apc"]["perm"] = "elr"
    login, hooks = log_in(server.port), Hooks()
    with pytest.raises(TransportError, match="550"):
        login.store(UPS_PATH, b"x" * 900, hooks)
    assert hooks.blocks == [] and login.fetch("event.txt") == b"rows"
    login.close()


def test_an_empty_file_or_a_cut_leaves_nothing_in_the_directory(server: Any) -> None:
    (server.root / "upsfw").mkdir()
    login = log_in(server.port)
    before = list(server.commands)
    with pytest.raises(TransportError, match="empty"):
        login.store(UPS_PATH, b"", Hooks())
    assert server.commands == before
    with pytest.raises(Contradiction):
        login.store(UPS_PATH, b"x" * (10 * BLOCK), Hooks(cut_last=True))
    assert not settle(lambda: server.commands[-1] == "CWD" and server.commands.count("CWD") == 2, 0.3)
    with pytest.raises(TransportError, match=r"session .* is over"):
        login.fetch("event.txt")
    login.close()


@pytest.mark.parametrize(("user", "password"), [("a\r\nb", "x"), ("a", "x\ny"), ("a\0", "x"), ("a", "x" * 300)])
def test_no_command_is_smuggled_in_by_an_account(user: str, password: str) -> None:
    with pytest.raises(TransportError) as caught:
        open_ftp("127.0.0.1", 9, user, password, 1, Hooks().idle)
    assert caught.value.kind == "unsupported" and password not in str(caught.value)


def test_an_empty_file_is_not_sent(server: Any) -> None:
    login = log_in(server.port)
    with pytest.raises(TransportError, match="empty"):
        login.store(FILE, b"", Hooks())
    login.close()


def test_the_password_is_in_no_attribute(server: Any) -> None:
    login = log_in(server.port)
    assert PASSWORD not in repr(login) + repr(vars(login)) + repr(vars(login._control))
    login._control.set_debuglevel(2)
    assert login._control.debugging == 0
    login.close()


# --- sockets that behave as no server should -----------------------------------------------------------------------

Script = Callable[["Bad"], None]
# More than the bad card's kernel takes unread, less than that and ours together.
FILLS = 20 * BLOCK


class Bad:
    """One control connection, driven by a function; a data port beside it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.data_listener = socket.create_server(("127.0.0.1", 0))
        # What a card has not read yet does not pile up unseen in the kernel.
        self.data_listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.settimeout(5)
        self.data_listener.settimeout(5)
        self.port = self.listener.getsockname()[1]
        self.stop = threading.Event()
        self.received = b""
        self.reset = False
        self.asked: list[str] = []
        self.data: socket.socket | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            self.control, _peer = self.listener.accept()
            self.control.settimeout(5)
            self.lines = self.control.makefile("rb")
            with self.control, self.lines, contextlib.suppress(OSError):
                self.script(self)
        if self.data:
            self.data.close()

    def say(self, text: str) -> None:
        self.control.sendall(text.encode() + b"\r\n")

    def hear(self) -> str:
        line = self.lines.readline().decode().strip()
        self.asked.append(line)
        return line

    def greet(self) -> None:
        self.say("220 AP7724 Network Management Card AOS v3.7.4 FTP server ready.")
        for reply in ("331 go on", "230 in", "200 binary"):
            self.hear()
            self.say(reply)

    def passive(self, address: str = "127,0,0,1", slow_s: float = 0.0, then: str = "150 go") -> None:
        assert self.hear() in ("PASV", "TYPE I")
        port = self.data_listener.getsockname()[1]
        self.stop.wait(slow_s)
        self.say(f"227 Entering ({address},{port // 256},{port % 256})")
        self.data, _peer = self.data_listener.accept()
        self.data.settimeout(5)
        self.hear()
        self.stop.wait(slow_s)
        self.say(then)

    def swallow(self, most: int = 1 << 30) -> None:
        assert self.data is not None
        try:
            while len(self.received) < most and (block := self.data.recv(4096)):
                self.received += block
        except ConnectionResetError:
            self.reset = True

    @contextlib.contextmanager
    def running(self) -> Iterator[Bad]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            self._thread.join(6)
            assert not self._thread.is_alive()
            self.listener.close()
            self.data_listener.close()


def refused_login(script: Script, timeout_s: float = 0.6) -> tuple[TransportError, float, Hooks]:
    hooks = Hooks()
    with Bad(script).running() as bad:
        start = time.monotonic()
        with pytest.raises(TransportError) as caught:
            log_in(bad.port, hooks, timeout_s)
        took = time.monotonic() - start
    return caught.value, took, hooks


def silent(bad: Bad) -> None:
    bad.stop.wait(SILENT_S)


def trickle(bad: Bad) -> None:
    while not bad.stop.wait(0.02):
        bad.control.sendall(b"2")


def endless_lines(bad: Bad) -> None:
    bad.control.sendall(b"220-hello\r\n")
    while not bad.stop.is_set():
        bad.control.sendall(b"220-and on\r\n" * 500)


def endless_line(bad: Bad) -> None:
    while not bad.stop.is_set():
        bad.control.sendall(b"2" * 500)


def test_a_server_that_says_nothing_times_out_and_others_work_meanwhile() -> None:
    error, took, hooks = refused_login(silent)
    assert error.kind == "timeout" and 0.5 < took < HANG_S
    assert len(hooks.idles) >= 2


@pytest.mark.parametrize(
    ("script", "kind"), [(trickle, "timeout"), (endless_lines, "transfer"), (endless_line, "transfer")]
)
def test_no_reply_goes_on_for_ever(script: Script, kind: str) -> None:
    error, took, _hooks = refused_login(script)
    assert error.kind == kind and took < HANG_S


def says(*replies: str) -> Script:
    def script(bad: Bad) -> None:
        for number, reply in enumerate(replies):
            if number:
                bad.hear()
            bad.say(reply)
        bad.hear()

    return script


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (("421 Service not available, closing control connection.",), "busy"),
        (("120 ready in 2 minutes",), "busy"),
        (("500 no",), "auth"),
        (("220 hi", "421 busy"), "busy"),
        (("220 hi", "331 go on", "530 Login incorrect."), "auth"),
        (("220 hi", "331 go on", "530 Someone is currently logged into the APC Management Web Server"), "busy"),
        (("220 hi", "331 go on", "332 account?"), "auth"),
        (("220 hi", "331 go on", f"530 no user apc with {PASSWORD}"), "auth"),
        (("220 hi", "331 go on", "230 in", "504 no binary"), "transfer"),
        (("what is this",), "transfer"),
        (("220 hi", "\x1b[2J"), "transfer"),
    ],
)
def test_logins_that_fail(replies: tuple[str, ...], kind: str) -> None:
    error, _took, _hooks = refused_login(says(*replies))
    assert error.kind == kind
    assert PASSWORD not in str(error) and error.message.isprintable()


def test_a_hang_up_a_reset_and_a_closed_port_at_login() -> None:
    def reset(bad: Bad) -> None:
        bad.control.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for script in (lambda _bad: None, reset, says("220 hi")):
        error, _took, _hooks = refused_login(script)
        assert error.kind == "transfer"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(TransportError, match="refused FTP") as caught:
        log_in(port)
    assert caught.value.kind == "transfer"


def test_a_slow_banner_is_waited_for() -> None:
    def script(bad: Bad) -> None:
        bad.stop.wait(0.8)
        bad.greet()
        bad.hear()

    hooks = Hooks()
    with Bad(script).running() as bad:
        log_in(bad.port, hooks, 3).close()
    assert len(hooks.idles) >= 2 and bad.asked[-1] == "QUIT"


def test_an_idle_that_raises_ends_the_login() -> None:
    def idle() -> None:
        raise Contradiction("stop")

    with Bad(silent).running() as bad, pytest.raises(Contradiction):
        open_ftp("127.0.0.1", bad.port, "apc", PASSWORD, 2, idle)


def test_data_goes_to_the_pinned_address_whatever_the_server_says() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive(address="192,0,2,77")
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    with Bad(script).running() as bad:
        login = log_in(bad.port)
        login.store(FILE, b"y" * 2000, Hooks())
        login.close()
    assert bad.received == b"y" * 2000 and not bad.reset


@pytest.mark.parametrize("answer", ["227 nonsense", "227 (1,2)", "200 no", "500 no"])
def test_a_passive_answer_that_makes_no_sense(answer: str) -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.hear()
        bad.say(answer)
        bad.hear()

    with Bad(script).running() as bad:
        login = log_in(bad.port)
        with pytest.raises(TransportError) as caught:
            login.fetch("event.txt")
        assert caught.value.kind == "transfer"
        login.close()


def store_to(
    script: Script, data: bytes, hooks: Hooks, timeout_s: float = 5.0, stall_s: float | None = None
) -> tuple[Bad, BaseException | None, float]:
    with Bad(script).running() as bad:
        login = log_in(bad.port, Hooks(), timeout_s)
        start = time.monotonic()
        error: BaseException | None = None
        try:
            login.store(FILE, data, hooks, stall_s=stall_s)
        except Exception as caught:
            error = caught
        took = time.monotonic() - start
        login.close()
    return bad, error, took


def test_a_card_that_dies_after_the_last_byte_is_no_error() -> None:
    def dies(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow(5000)
        for sock in (bad.control, bad.data):
            assert sock is not None
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    bad, error, took = store_to(dies, b"z" * 5000, Hooks())
    assert error is None and took < HANG_S and bad.received == b"z" * 5000


@pytest.mark.parametrize("reply", ["226 ok", "551 corrupt", "451 no", "hello"])
def test_any_reply_after_the_last_byte_is_no_error(reply: str) -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        bad.say(reply)
        bad.hear()

    bad, error, _took = store_to(script, b"z" * 5000, Hooks())
    assert error is None and len(bad.received) == 5000 and not bad.reset


def test_no_reply_after_the_last_byte_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp, "LAST_REPLY_S", 0.8)
    monkeypatch.setattr(ftp, "QUIT_S", 0.2)

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        bad.stop.wait(SILENT_S)

    hooks = Hooks()
    bad, error, took = store_to(script, b"z" * 700, hooks)
    assert error is None and 0.7 < took < HANG_S and len(hooks.idles) >= 2 and not bad.reset


@pytest.mark.parametrize("reply", ["426 cut", "552 full", "226 enough", "421 bye"])
def test_a_reply_before_the_data_is_done_is_an_error(reply: str) -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow(2048)
        bad.say(reply)
        bad.swallow()

    bad, error, _took = store_to(script, b"z" * 2_000_000, Hooks())
    assert isinstance(error, TransportError) and error.kind == "transfer"
    assert re.search(rf"ended the transfer after \d+ of 2000000 bytes: {reply}", error.message)
    assert bad.reset and len(bad.received) < 2_000_000


@pytest.mark.parametrize("what", ["data", "control"])
def test_a_connection_lost_in_the_middle_is_an_error(what: str) -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow(2048)
        sock = bad.data if what == "data" else bad.control
        assert sock is not None
        if what == "control":
            sock.shutdown(socket.SHUT_RDWR)
            bad.swallow()
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            bad.hear()

    bad, error, _took = store_to(script, b"z" * 2_000_000, Hooks())
    assert isinstance(error, TransportError) and error.kind == "transfer"
    assert what == "data" or bad.reset


def test_a_card_that_takes_no_more_is_a_stall() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow(2048)
        bad.stop.wait(SILENT_S)
        bad.swallow()

    hooks = Hooks()
    bad, error, took = store_to(script, b"z" * 8_000_000, hooks, timeout_s=1.0)
    assert isinstance(error, TransportError) and error.kind == "transfer" and 0.9 < took < HANG_S
    assert len(hooks.idles) >= 3 and bad.reset


# --- into a directory ---


def directory_card(*, enter: str = "250 there", after: str | None = "226 ok", leave: str | None = "250 back") -> Script:
    """``after`` and ``leave``: None says nothing."""

    def script(bad: Bad) -> None:
        bad.greet()
        bad.hear()
        bad.say(enter)
        if enter.startswith("2"):
            bad.passive()
            bad.swallow()
            if after is None:
                bad.stop.wait(SILENT_S)
                return
            bad.say(after)
            bad.hear()
            if leave is None:
                bad.stop.wait(SILENT_S)
                return
            bad.say(leave)
        bad.hear()
        bad.say("221 bye")

    return script


def store_ups(
    script: Script, hooks: Hooks | None = None, timeout_s: float = 5.0, stall_s: float | None = None
) -> tuple[Bad, BaseException | None]:
    """The file into upsfw; whatever comes of it, then a logout."""
    with Bad(script).running() as bad:
        login = log_in(bad.port, Hooks(), timeout_s)
        error: BaseException | None = None
        try:
            login.store(UPS_PATH, b"z" * 1300, hooks or Hooks(), stall_s=stall_s)
        except Exception as caught:
            error = caught
        login.close()
    return bad, error


def test_the_commands_around_a_file_for_a_directory() -> None:
    bad, error = store_ups(directory_card())
    assert error is None and bad.received == b"z" * 1300 and not bad.reset
    assert bad.asked[3:] == ["CWD upsfw", "PASV", f"STOR {UPS_FILE}", "CWD /", "QUIT"]


def test_a_firmware_file_of_the_card_has_no_commands_around_it() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    bad, error, _took = store_to(script, b"z" * 1300, Hooks())
    assert error is None and bad.asked[3:] == ["PASV", f"STOR {FILE}", "QUIT"]


@pytest.mark.parametrize("enter", ["550 No such directory", "502 what", "450 not now", "331 who?", "hello"])
def test_a_directory_that_is_not_entered_gets_nothing(enter: str) -> None:
    hooks = Hooks()
    bad, error = store_ups(directory_card(enter=enter), hooks)
    assert isinstance(error, TransportError) and error.kind == "transfer" and "directory upsfw" in error.message
    assert hooks.firsts == [] and bad.asked[3:] == ["CWD upsfw", "QUIT"]


def test_a_card_that_hangs_up_or_says_nothing_to_the_directory() -> None:
    def hangs_up(bad: Bad) -> None:
        bad.greet()
        bad.hear()

    def mute(bad: Bad) -> None:
        bad.greet()
        bad.stop.wait(SILENT_S)

    for script, kind in ((hangs_up, "transfer"), (mute, "timeout")):
        hooks = Hooks()
        _bad, error = store_ups(script, hooks, timeout_s=0.8)
        assert isinstance(error, TransportError) and error.kind == kind and hooks.firsts == []
        # Somebody else's work went on while the card was silent.
        assert kind == "transfer" or len(hooks.idles) >= 2


@pytest.mark.parametrize("after", ["552 full", "451 no", "hello"])
def test_a_file_for_a_directory_that_the_card_did_not_keep_is_an_error(after: str) -> None:
    bad, error = store_ups(directory_card(after=after))
    assert isinstance(error, TransportError) and error.kind == "transfer"
    assert re.search(f"got every byte of {UPS_PATH} but did not confirm it: it said {after}", error.message)
    assert bad.asked[-2:] == ["CWD /", "QUIT"] and not bad.reset


def test_a_file_for_a_directory_that_nobody_confirms_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp, "LAST_REPLY_S", 0.3)
    monkeypatch.setattr(ftp, "QUIT_S", 0.2)
    start = time.monotonic()
    bad, error = store_ups(directory_card(after=None), stall_s=0.8)
    assert isinstance(error, TransportError) and "it said nothing" in error.message
    assert 0.8 < time.monotonic() - start < HANG_S and bad.received == b"z" * 1300 and "CWD /" not in bad.asked


def test_a_card_that_takes_its_time_to_confirm_has_the_callers_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp, "LAST_REPLY_S", 0.1)

    def slow(bad: Bad) -> None:
        bad.greet()
        bad.hear()
        bad.say("250 there")
        bad.passive()
        bad.swallow()
        bad.stop.wait(0.8)
        bad.say("226 ok")
        bad.hear()
        bad.say("250 back")
        bad.hear()

    hooks = Hooks()
    bad, error = store_ups(slow, hooks, stall_s=4)
    assert error is None and bad.asked[-2:] == ["CWD /", "QUIT"] and len(hooks.idles) >= 2


@pytest.mark.parametrize("leave", ["550 no", "what", None])
def test_a_card_that_does_not_come_back_has_the_file_but_is_asked_for_no_other(leave: str | None) -> None:
    with Bad(directory_card(leave=leave)).running() as bad:
        login = log_in(bad.port, timeout_s=0.7)
        login.store(UPS_PATH, b"z" * 1300, Hooks())
        assert login.last_reply == "226 ok"
        with pytest.raises(TransportError, match=r"session .* is over"):
            login.fetch("event.txt")
        login.close()
    assert bad.received == b"z" * 1300 and not [line for line in bad.asked if line.startswith("RETR")]
    assert leave is None or bad.asked[-1] == "QUIT"


# --- the first byte ---


def test_the_first_byte_is_announced_before_the_stor_and_before_the_data() -> None:
    """And everybody else's work goes on while the replies are slow."""
    seen: list[tuple[list[str], bool, int]] = []

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive(slow_s=0.9)
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    with Bad(script).running() as bad:
        login = log_in(bad.port)

        class Watching(Hooks):
            def first_byte(self) -> None:
                super().first_byte()
                time.sleep(0.2)
                seen.append((bad.asked[3:], bad.data is not None, len(bad.received)))

        hooks = Watching()
        start = time.monotonic()
        login.store(FILE, b"z" * 1300, hooks)
        login.close()
    assert seen == [(["PASV"], True, 0), (["PASV", f"STOR {FILE}"], True, 0)]
    assert len(bad.received) == 1300 and not bad.reset
    for began, ended in ((start, hooks.firsts[0]), (hooks.firsts[0] + 0.2, hooks.firsts[1])):
        calls = [began, *(at for at in hooks.idles if began < at < ended), ended]
        assert len(calls) >= 4


@pytest.mark.parametrize(
    "raised", [Contradiction("B is live"), OSError("disk full"), TransportError("timeout", "SNMP")]
)
@pytest.mark.parametrize("call", [1, 2])
def test_a_first_byte_that_raises_sends_nothing(raised: Exception, call: int) -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()

    class Refusing(Hooks):
        def first_byte(self) -> None:
            super().first_byte()
            if len(self.firsts) == call:
                raise raised

    hooks = Refusing()
    bad, error, took = store_to(script, b"z" * 1300, hooks)
    assert error is raised and took < HANG_S
    assert bad.received == b"" and hooks.blocks == [] and hooks.last == [] and len(hooks.firsts) == call
    stored = [line for line in bad.asked if line.startswith("STOR")]
    assert stored == ([] if call == 1 else [f"STOR {FILE}"])
    assert "QUIT" not in bad.asked
    # Before the STOR it is the control connection whose reset ends the script.
    assert bad.reset or call == 1


def test_a_first_byte_that_waits_longer_than_every_limit_is_no_stall() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    class Waiting(Hooks):
        def first_byte(self) -> None:
            time.sleep(0.7)

    bad, error, _took = store_to(script, b"z" * 1300, Waiting(), timeout_s=0.4)
    assert error is None and len(bad.received) == 1300


def test_a_trickling_agreement_keeps_nobody_from_their_work() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive(then="150-erasing")
        for _unused in range(30):
            bad.control.sendall(b".")
            bad.stop.wait(0.05)
        bad.say("")
        bad.say("150 go")
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    hooks = Hooks()
    _bad, error, took = store_to(script, b"z" * 1300, hooks)
    assert error is None and took > 1.4 and len(hooks.idles) >= 4


def test_a_reply_of_empty_lines_ends() -> None:
    def script(bad: Bad) -> None:
        bad.control.sendall(b"220-hello\r\n")
        while not bad.stop.is_set():
            bad.control.sendall(b"\n" * 2000)

    error, took, _hooks = refused_login(script)
    assert error.kind == "transfer" and took < HANG_S


# --- patience ---


def pauses(pause_s: float) -> Script:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow(2048)
        bad.stop.wait(pause_s)
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    return script


def test_the_stall_limit_is_the_callers() -> None:
    data = b"z" * 300_000
    bad, error, took = store_to(pauses(1.5), data, Hooks(), timeout_s=0.5, stall_s=20)
    assert error is None and took > 1.4 and bad.received == data and not bad.reset
    bad, error, _took = store_to(pauses(3), data, Hooks(), timeout_s=5, stall_s=0.5)
    assert isinstance(error, TransportError) and bad.reset and bad.received != data


def test_a_card_that_is_slow_to_agree_to_the_stor_has_the_same_patience() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive(then="150-erasing")
        bad.stop.wait(1.5)
        bad.say("150 go")
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    bad, error, _took = store_to(script, b"z" * 1300, Hooks(), timeout_s=0.5, stall_s=20)
    assert error is None and len(bad.received) == 1300
    bad, error, _took = store_to(script, b"z" * 1300, Hooks(), timeout_s=0.5)
    assert isinstance(error, TransportError) and error.kind == "timeout" and bad.received == b""


def test_the_rest_in_the_kernel_is_waited_for_before_the_last_seconds_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The QUIT after them would end the transfer at a card that is still reading."""
    monkeypatch.setattr(ftp, "LAST_REPLY_S", 0.5)
    quit_at: list[int] = []

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.stop.wait(2)
        bad.control.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            quit_at.append(len(bad.control.recv(100)))
        bad.control.settimeout(5)
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    hooks = Hooks()
    data = b"z" * FILLS
    bad, error, took = store_to(script, data, hooks, timeout_s=10)
    assert quit_at == [] and error is None and took > 1.9 and bad.received == data and not bad.reset
    assert len(hooks.idles) >= 4


# --- a process that dies ---

# The child finds the collection where this process found it. Where it stands it says on its output.
CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp import open_ftp

port, size, held = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def hold(where):
    if where == held:
        print(where, flush=True)
        time.sleep(60)

class Hooks:
    ended = False
    def idle(self): self.ended and hold("end")
    def first_byte(self): pass
    def sent(self, done, total):
        self.ended = done == total
        if done >= total // 2: hold("half")
        if self.ended: hold("all")
    def last_block(self, done, total): hold("last")

hooks = Hooks()
login = open_ftp("127.0.0.1", port, "apc", sys.argv[5], 10, hooks.idle)
login.store("apc_hw02_aos_392.bin", b"z" * size, hooks)
"""


@contextlib.contextmanager
def child(port: int, size: int, held: str) -> Iterator[subprocess.Popen[str]]:
    """A process that sends and stops at the named place; it is there when this yields, and is killed in the end."""
    arguments = [str(Path(ftp.__file__).parents[6]), str(port), str(size), held, PASSWORD]
    with subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline().strip() == held
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("reading", [True, False], ids=["card reads", "card lags"])
@pytest.mark.parametrize("held", ["half", "last"])
def test_a_killed_process_gives_no_end_of_file(held: str, reading: bool) -> None:
    killed = threading.Event()

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        if not reading:
            killed.wait(10)
            bad.stop.wait(0.2)
        bad.swallow()

    given = {"half": 3, "last": 5}[held] * BLOCK
    with Bad(script).running() as bad, child(bad.port, 6 * BLOCK, held) as process:
        if reading:
            assert settle(lambda: len(bad.received) == given)
        process.kill()
        process.wait(5)
        killed.set()
        assert settle(lambda: not bad._thread.is_alive())
    assert bad.reset, "an orderly end: the card takes what it has for the file"
    assert len(bad.received) == given if reading else 0 < len(bad.received) <= given


@pytest.mark.parametrize("held", ["all", "end"])
def test_a_process_killed_after_the_end_has_delivered_everything(held: str) -> None:
    """The card has read nothing yet: all of it, and the end, is in the hands of the kernels."""
    killed = threading.Event()

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        killed.wait(10)
        bad.swallow()

    with Bad(script).running() as bad, child(bad.port, 6 * BLOCK, held) as process:
        process.kill()
        process.wait(5)
        killed.set()
        assert settle(lambda: not bad._thread.is_alive())
    assert not bad.reset and bad.received == b"z" * (6 * BLOCK)


@pytest.mark.parametrize("size", [1, BLOCK, FILLS])
def test_a_card_that_reads_late_gets_every_byte_and_an_orderly_end(size: int) -> None:
    data = bytes(number % 251 for number in range(size))

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.stop.wait(0.6)
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    bad, error, _took = store_to(script, data, Hooks())
    assert error is None and bad.received == data and not bad.reset


def test_a_card_that_outlasts_our_patience_after_the_end_still_gets_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp, "LAST_REPLY_S", 0.2)
    monkeypatch.setattr(ftp, "QUIT_S", 0.1)
    returned = threading.Event()

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        returned.wait(10)
        bad.swallow()

    data = b"z" * (6 * BLOCK)
    with Bad(script).running() as bad:
        login = log_in(bad.port)
        login.store(FILE, data, Hooks(), stall_s=0.8)
        login.close()
        assert bad.received == b""
        returned.set()
        assert settle(lambda: not bad._thread.is_alive())
    assert bad.received == data and not bad.reset


def test_no_verdict_is_asked_for_a_last_block_that_would_be_queued() -> None:
    """Queued behind what the card does not take, it would go out whenever the card likes: under an old verdict."""
    given_up = threading.Event()

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        given_up.wait(10)
        bad.swallow()

    hooks = Hooks()
    with Bad(script).running() as bad:
        login = log_in(bad.port)
        with pytest.raises(TransportError, match="in time") as caught:
            login.store(FILE, b"z" * FILLS, hooks, stall_s=0.8)
        given_up.set()
        assert settle(lambda: not bad._thread.is_alive())
    assert caught.value.kind == "transfer" and hooks.last == [] and bad.reset and len(bad.received) < FILLS - BLOCK


def test_nothing_comes_between_the_last_verdict_and_the_end_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a word to others: what they do may take seconds."""
    moments: list[str] = []
    real = ftp._send_now

    def send_now(channel: socket.socket, block: memoryview) -> int:
        moments.append("send")
        return real(channel, block)

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        moments.append("whole")
        bad.say("226 ok")
        bad.hear()

    class Watching(Hooks):
        def last_block(self, done: int, total: int) -> None:
            moments.append("verdict")

        def sent(self, done: int, total: int) -> None:
            if done == total:
                # Only what is already out can be whole at the card now.
                assert settle(lambda: "whole" in moments)
            moments.append("sent")

        def idle(self) -> None:
            moments.append("idle")

    monkeypatch.setattr(ftp, "_send_now", send_now)
    bad, error, _took = store_to(script, b"z" * (2 * BLOCK + 7), Watching())
    assert error is None and len(bad.received) == 2 * BLOCK + 7
    begin = moments.index("verdict")
    assert moments[begin : begin + 4] == ["verdict", "send", "whole", "sent"]


@pytest.mark.parametrize("taken", [0, 100])
def test_what_of_the_last_block_does_not_leave_at_once_needs_a_verdict_of_its_own(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ftp._send_now
    hooks = Hooks()

    def send_now(channel: socket.socket, block: memoryview) -> int:
        if len(hooks.last) == 1:
            return real(channel, block[:taken]) if taken else 0
        return real(channel, block)

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    monkeypatch.setattr(ftp, "_send_now", send_now)
    data = bytes(range(256)) * 5
    bad, error, _took = store_to(script, data, hooks)
    assert error is None and bad.received == data
    assert hooks.last == [(1024, 1280), (1024 + taken, 1280)]


def test_a_card_that_speaks_while_the_verdict_is_taken_does_not_get_the_last_block() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow(1024)
        bad.stop.wait(0.2)
        bad.say("426 no")
        bad.swallow()

    bad, error, _took = store_to(script, b"z" * 1300, Hooks(hold_s=0.8))
    assert isinstance(error, TransportError) and "426 no" in error.message
    assert len(bad.received) == 1024 and bad.reset


def test_a_fetch_ends_orderly() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        assert bad.data is not None
        bad.data.sendall(b"a log")
        bad.data.shutdown(socket.SHUT_WR)
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    with Bad(script).running() as bad:
        login = log_in(bad.port)
        assert login.fetch("event.txt") == b"a log"
        login.close()
    assert not bad.reset


def test_the_last_block_may_be_held_and_the_stall_limit_waits() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()
        bad.say("226 ok")
        bad.hear()

    hooks = Hooks(hold_s=1.3)
    bad, error, took = store_to(script, b"z" * 1300, hooks, timeout_s=0.8)
    assert error is None and took > 1.3 and len(bad.received) == 1300
    assert hooks.last == [(1024, 1300)] and hooks.blocks == [512, 1024, 1300]


def test_while_the_last_block_is_held_the_card_has_not_got_it() -> None:
    seen: list[int] = []

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        bad.swallow()

    with Bad(script).running() as bad:
        login = log_in(bad.port)

        class Watching(Hooks):
            def last_block(self, done: int, total: int) -> None:
                time.sleep(0.2)
                seen.append(len(bad.received))
                raise Contradiction("no")

        with pytest.raises(Contradiction):
            login.store(FILE, b"z" * 1300, Watching())
    assert seen == [1024] and len(bad.received) <= 1024 and bad.reset


@pytest.mark.parametrize("raised", [OSError("disk full"), TransportError("timeout", "SNMP")])
@pytest.mark.parametrize("where", ["sent", "last_block", "idle", "idle at the end"])
def test_what_a_hook_raises_comes_back_as_it_is(raised: Exception, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook's error looks like a broken connection's, and must not be taken for one."""
    monkeypatch.setattr(ftp, "QUIT_S", 0.1)

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        if where != "idle":
            bad.swallow()
        bad.stop.wait(3)
        bad.swallow()

    def fail(*_arguments: int) -> None:
        raise raised

    hooks = Hooks()
    setattr(hooks, where.split()[0], fail)
    bad, error, _took = store_to(script, b"z" * (4_000_000 if where == "idle" else 1300), hooks)
    assert error is raised
    assert bad.reset == (where != "idle at the end")


@pytest.mark.parametrize("ending", ["stall", "no end reply", "426"])
def test_a_fetch_that_is_not_whole_is_an_error(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp, "QUIT_S", 0.2)

    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        assert bad.data is not None
        bad.data.sendall(b"half a log")
        if ending == "stall":
            bad.stop.wait(SILENT_S)
            return
        bad.data.close()
        if ending == "426":
            bad.say("426 cut")
            bad.hear()

    hooks = Hooks()
    with Bad(script).running() as bad:
        login = log_in(bad.port, hooks, 0.7)
        with pytest.raises(TransportError) as caught:
            login.fetch("event.txt")
        login.close()
    assert caught.value.kind == ("timeout" if ending == "stall" else "transfer")
    assert ending != "stall" or len(hooks.idles) >= 2


def test_a_trickling_fetch_ends() -> None:
    def script(bad: Bad) -> None:
        bad.greet()
        bad.passive()
        assert bad.data is not None
        while not bad.stop.wait(0.05):
            bad.data.sendall(b".")

    with Bad(script).running() as bad:
        login = log_in(bad.port, timeout_s=0.3)
        start = time.monotonic()
        with pytest.raises(TransportError) as caught:
            login.fetch("event.txt")
        assert caught.value.kind == "timeout" and 1 < time.monotonic() - start < HANG_S
        login.abort()
        login.close()
