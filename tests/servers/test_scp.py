# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SCP against a scripted SSH server that behaves, and as no server should."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport import scp, ssh_link
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp import BLOCK
from ansible_collections.dcops.apc.plugins.module_utils._transport.scp import ScpLogin, ScpOptions, open_scp
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S, SILENT_S

asyncssh = pytest.importorskip("asyncssh")


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scp_peer = _load("scp_peer")
Contradiction, Hooks, Peer = scp_peer.Contradiction, scp_peer.Hooks, scp_peer.Peer
FILE = "apc_hw02_aos_392.bin"
UPS_PATH = "upsfw/SMT18UPS_09-3.enc"


def log_in(peer: Any, hooks: Any = None, timeout_s: float = 5.0, **options: Any) -> ScpLogin:
    options = {"host_key": peer.fingerprint, "password": scp_peer.PASSWORD, **options}
    return open_scp(
        ScpOptions("127.0.0.1", "apc", port=peer.port, timeout_s=timeout_s, **options), (hooks or Hooks()).idle
    )


@contextlib.contextmanager
def session(script: Any = None, timeout_s: float = 5.0, **options: Any) -> Iterator[tuple[Any, ScpLogin]]:
    with Peer(script, **options) as peer:
        if script is None:
            peer.script = peer.sink
        login = log_in(peer, timeout_s=timeout_s)
        try:
            yield peer, login
        finally:
            login.close()


def settle(condition: Callable[[], Any], limit_s: float = 3.0) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def was_reset(peer: Any) -> bool:
    return settle(lambda: peer.ends) and isinstance(peer.ends[0], ConnectionResetError)


def source(*parts: bytes) -> Any:
    """A card that answers each zero with the next part, then ends."""

    async def script(process: Any) -> None:
        for part in parts:
            if await process.stdin.read(1) != b"\0":
                return
            process.stdout.write(part)
        await process.stdin.read(1)
        process.exit(0)

    return script


# --- fetch ---


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 700], ids=["empty", "one byte", "179200 bytes"])
@pytest.mark.parametrize("times", [(), (b"T1700000000 0 1700000000 0\n",)], ids=["", "with times"])
def test_fetch(content: bytes, times: tuple[bytes, ...]) -> None:
    script = source(*times, f"C0644 {len(content)} event.txt\n".encode(), content + b"\0")
    with session(script) as (peer, login):
        assert login.fetch("event.txt") == content == login.fetch("event.txt")
        assert peer.commands == ["scp -q -f event.txt"] * 2
    assert settle(lambda: peer.ends) and peer.ends == [None], "SSH's own farewell"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((b"\1scp: event.txt: No such file or directory\n",), "refused fetching .*No such file"),
        ((b"\2\n",), "refused fetching .*no reason"),
        ((b"D0755 0 logs\n",), "did not announce event.txt as scp does"),
        ((b"C0644 -1 event.txt\n",), "did not announce"),
        ((b"C0644 5\n",), "did not announce"),
        ((b"hello\n",), "did not announce"),
        ((b"x" * 5000,), "did not announce"),
        ((b"T1 0 1 0\n",) * 4, "did not announce"),
        ((b"C0644 262145 event.txt\n",), "larger than 262144 bytes"),
        ((b"C0644 999999999999 event.txt\n",), "larger than"),
        ((b"C0644 5 event.txt\n", b"12345\1read error\n"), "could not read all of event.txt: read error"),
        ((b"C0644 5 event.txt\n", b"12345\2read error\n"), "could not read all of event.txt: read error"),
        ((b"C0644 5 event.txt\n", b"123456\0"), "could not read all of event.txt: it said"),
    ],
)
def test_fetches_that_fail(parts: tuple[bytes, ...], said: str) -> None:
    with session(source(*parts)) as (_peer, login), pytest.raises(TransportError, match=said) as caught:
        login.fetch("event.txt")
    assert caught.value.kind == "transfer"


@pytest.mark.parametrize("after", [b"", b"C0644 5 event.txt\n", b"C0644 5 event.txt\n123", b"C0644 5 event.txt\n12345"])
@pytest.mark.parametrize("how", ["exit", "cut"])
def test_a_fetch_that_ends_early_is_an_error(after: bytes, how: str) -> None:
    async def script(process: Any) -> None:
        process.stdout.write(after)
        await asyncio.sleep(0.1)
        if how == "exit":
            process.exit(3)
        else:
            process.get_extra_info("connection").abort()

    with session(script) as (_peer, login), pytest.raises(TransportError, match=r"exit status 3|closed") as caught:
        login.fetch("event.txt")
    assert caught.value.kind == "transfer"


def test_a_refusal_leaves_the_login_usable_and_a_missing_command_is_one() -> None:
    scripts = iter([source(b"\1no such file\n"), source(b"C0644 3 event.txt\n", b"abc\0")])

    async def script(process: Any) -> None:
        await next(scripts)(process)

    with session(script) as (_peer, login):
        with pytest.raises(TransportError, match="no such file"):
            login.fetch("config.ini")
        assert login.fetch("event.txt") == b"abc"


@pytest.mark.parametrize("where", ["start", "announced", "half", "unconfirmed"])
def test_a_fetch_that_hangs_ends_and_others_work_meanwhile(where: str) -> None:
    said = {"start": b"", "announced": b"C0644 9 event.txt\n", "half": b"C0644 9 event.txt\n1234",
            "unconfirmed": b"C0644 9 event.txt\n123456789"}[where]  # fmt: skip

    async def script(process: Any) -> None:
        process.stdout.write(said)
        await asyncio.sleep(SILENT_S)

    hooks = Hooks()
    with Peer(script) as peer:
        login = log_in(peer, hooks, timeout_s=1.2)
        begin = time.monotonic()
        with pytest.raises(TransportError, match="in time") as caught:
            login.fetch("event.txt")
        assert caught.value.kind == "timeout" and 1 < time.monotonic() - begin < HANG_S
        assert sum(moment > begin for moment in hooks.idles) >= 3
        begin = time.monotonic()
        login.close()
        assert time.monotonic() - begin < HANG_S


@pytest.mark.parametrize("flood", [b"C0644 100 event.txt\n", b"C0644 200000 event.txt\n", b""])
def test_an_endless_fetch_ends_in_bounded_memory(flood: bytes) -> None:
    written = [0]

    async def script(process: Any) -> None:
        process.stdout.write(flood)
        with contextlib.suppress(OSError):
            while True:
                process.stdout.write(b"x" * 32768)
                written[0] += 32768
                await process.stdout.drain()

    with session(script, timeout_s=2) as (_peer, login):
        with pytest.raises(TransportError) as caught:
            login.fetch("event.txt")
        assert caught.value.kind == "transfer"
        # The window of the channel bounds what can be on the way: 32 KB unread, and what both sides' buffers hold.
        assert written[0] < 2 << 20


def test_a_trickling_fetch_ends() -> None:
    async def script(process: Any) -> None:
        process.stdout.write(b"C0644 100000 event.txt\n")
        while True:
            await asyncio.sleep(0.1)
            process.stdout.write(b"x")

    with session(script, timeout_s=0.5) as (_peer, login):
        begin = time.monotonic()
        with pytest.raises(TransportError, match="in time") as caught:
            login.fetch("event.txt")
        assert caught.value.kind == "timeout" and 1.8 < time.monotonic() - begin < HANG_S


# --- store ---


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, 40 * BLOCK + 7])
def test_store_byte_for_byte_with_its_hooks_in_order(size: int) -> None:
    content = os.urandom(size)
    hooks = Hooks()
    with session() as (peer, login):
        login.store(FILE, content, hooks)
        assert bytes(peer.received) == content and peer.commands == [f"scp -q -t {FILE}"]
        last = (size - 1) // BLOCK * BLOCK
        assert hooks.calls == [("first",), ("first",), *(("sent", n) for n in range(BLOCK, last + 1, BLOCK)),
                               ("last", last, size), ("sent", size)]  # fmt: skip
        assert login.last_reply == "it has the file"
        # And the login goes on.
        login.store(UPS_PATH, b"again", Hooks())
        assert peer.commands[1] == f"scp -q -t {UPS_PATH}" and peer.received[size:] == b"again"
    assert settle(lambda: peer.ends) and peer.ends == [None]
    assert len(peer.client_version.removeprefix("SSH-2.0-")) >= 13


def test_when_the_first_byte_is_announced() -> None:
    """Before the command with the connection open, and again when the card waits for data."""
    seen: list[tuple[list[str], bytes]] = []
    with session() as (peer, login):
        hooks = Hooks()
        hooks.first_byte = lambda: (time.sleep(0.1), seen.append((list(peer.commands), bytes(peer.received))))
        login.store(FILE, b"x" * 900, hooks)
        assert seen == [([], b""), ([f"scp -q -t {FILE}"], b"")]


@pytest.mark.parametrize("at", ["first1", "first2", BLOCK, 4 * BLOCK, "last", "idle"])
@pytest.mark.parametrize(
    "error", [Contradiction("B"), OSError("hook"), TransportError("timeout", "hook"), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_hook_that_raises_cuts_by_reset_and_is_raised_again(at: str | int, error: BaseException) -> None:
    hooks = Hooks(at, error)
    with Peer() as peer:
        peer.script = peer.sink
        login = log_in(peer, Hooks())
        if at == "idle":

            async def silent(_process: Any) -> None:
                await asyncio.sleep(SILENT_S)

            peer.script = silent
        with pytest.raises(type(error)) as caught:
            login.store(FILE, b"x" * (10 * BLOCK), hooks)
        assert caught.value is error
        assert was_reset(peer)
        assert len(peer.received) <= 9 * BLOCK
        with pytest.raises(TransportError, match=r"session .* is over"):
            login.fetch("event.txt")
        login.close()


def test_the_last_block_is_held_and_the_card_has_all_but_it() -> None:
    size = 6 * BLOCK + 3
    with session() as (peer, login):
        held: list[int] = []
        hooks = Hooks()

        def hold(done: int, total: int) -> None:
            time.sleep(2.0)
            held.append(len(peer.received))

        hooks.last_block = hold
        login.store(FILE, b"x" * size, hooks, stall_s=0.5)
        assert held == [6 * BLOCK] and len(peer.received) == size


@pytest.mark.parametrize("when", ["start", "announced"])
@pytest.mark.parametrize("said", [b"\1scp: no space\n", b"\2scp: no space\n"])
def test_a_refusal_before_the_data_sends_nothing_and_the_login_goes_on(when: str, said: bytes) -> None:
    async def script(process: Any) -> None:
        if len(peer.commands) > 1:
            await peer.sink(process)
            return
        if when == "announced":
            process.stdout.write(b"\0")
            await process.stdin.readline()
        process.stdout.write(said)
        process.exit(1)

    with session(script) as (peer, login):
        hooks = Hooks()
        with pytest.raises(TransportError, match=r"refused sending .*: scp: no space") as caught:
            login.store(FILE, b"x" * 3000, hooks)
        assert caught.value.kind == "transfer" and hooks.calls == [("first",)]
        login.store(FILE, b"x" * 30, Hooks())
        assert peer.received == b"x" * 30


def test_a_card_that_refuses_the_command_or_the_channel() -> None:
    async def script(process: Any) -> None:
        process.stderr.write(b"Command not \x1b[31m supported.\r\n")
        process.exit(1)

    hooks = Hooks()
    with session(script) as (peer, login):
        with pytest.raises(TransportError, match=r"ended sending .*: Command not \\x1b\[31m supported\.") as caught:
            login.store(FILE, b"x" * 3000, hooks)
        assert caught.value.kind == "transfer" and hooks.blocks == []
    assert settle(lambda: peer.ends) and peer.ends == [None]


@pytest.mark.parametrize("said", [b"\1disk full\n", b"\0", b"\2\n", b"what\n"])
def test_an_answer_before_the_data_is_done_is_an_error_and_a_reset(said: bytes) -> None:
    async def script(process: Any) -> None:
        process.stdout.write(b"\0")
        await process.stdin.readline()
        process.stdout.write(b"\0")
        await process.stdin.readexactly(3 * BLOCK)
        process.stdout.write(said)
        await asyncio.sleep(SILENT_S)

    with Peer(script, window=4096) as peer:
        login = log_in(peer)
        with pytest.raises(TransportError, match=r"ended the transfer after \d+ of 512000 bytes") as caught:
            login.store(FILE, b"x" * 512000, Hooks())
        assert caught.value.kind == "transfer" and was_reset(peer)
        login.close()


@pytest.mark.parametrize("how", ["exit", "cut", "disconnect", "eof"])
def test_a_connection_lost_in_the_middle_is_an_error(how: str) -> None:
    async def script(process: Any) -> None:
        process.stdout.write(b"\0")
        await process.stdin.readline()
        process.stdout.write(b"\0")
        await process.stdin.readexactly(3 * BLOCK)
        connection = process.get_extra_info("connection")
        {"exit": lambda: process.exit(1), "cut": connection.abort, "eof": process.stdout.write_eof,
         "disconnect": lambda: connection.disconnect(11, "bye")}[how]()  # fmt: skip
        await asyncio.sleep(SILENT_S)

    with session(script, window=4096) as (_peer, login):
        with pytest.raises(TransportError, match=r"ended the transfer|was cut") as caught:
            login.store(FILE, b"x" * 512000, Hooks())
        assert caught.value.kind == "transfer"


@pytest.mark.parametrize("how", ["cut", "exit", "error", "nothing", "disconnect"])
def test_whatever_comes_after_the_last_byte_of_firmware_is_no_error(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scp, "LAST_REPLY_S", 1.0)

    async def script(process: Any) -> None:
        process.stdout.write(b"\0")
        await process.stdin.readline()
        process.stdout.write(b"\0")
        peer.received += await process.stdin.readexactly(5 * BLOCK)
        connection = process.get_extra_info("connection")
        if how == "cut":
            connection.abort()
        elif how == "disconnect":
            connection.disconnect(11, "restart")
        elif how == "exit":
            process.exit(1)
        elif how == "error":
            process.stdout.write(b"\1not for this card\n")
        await asyncio.sleep(SILENT_S)

    with session(script) as (peer, login):
        begin = time.monotonic()
        login.store(FILE, b"x" * (5 * BLOCK), Hooks())
        assert len(peer.received) == 5 * BLOCK and time.monotonic() - begin < HANG_S
        assert (login.last_reply == "not for this card") == (how == "error")
        if how != "error":
            with contextlib.suppress(TransportError):
                login.fetch("event.txt")


@pytest.mark.parametrize("how", ["cut", "exit", "error", "nothing"])
def test_a_file_for_a_directory_must_be_confirmed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scp, "LAST_REPLY_S", 1.0)

    async def script(process: Any) -> None:
        process.stdout.write(b"\0")
        await process.stdin.readline()
        process.stdout.write(b"\0")
        await process.stdin.readexactly(901)
        if how == "cut":
            process.get_extra_info("connection").abort()
        elif how == "exit":
            process.exit(0)
        elif how == "error":
            process.stdout.write(b"\1no room\n")
        await asyncio.sleep(SILENT_S)

    with session(script, timeout_s=1) as (_peer, login):
        with pytest.raises(TransportError, match=r"got every byte of upsfw/.* but did not confirm") as caught:
            login.store(UPS_PATH, b"x" * 900, Hooks())
        assert caught.value.kind == "transfer"


@pytest.mark.parametrize("where", ["start", "announced", "data"])
def test_a_card_that_takes_no_more_is_a_stall_in_the_callers_time(where: str) -> None:
    async def script(process: Any) -> None:
        if where != "start":
            process.stdout.write(b"\0")
            await process.stdin.readline()
        if where == "data":
            process.stdout.write(b"\0")
        await asyncio.sleep(SILENT_S)

    hooks = Hooks()
    with Peer(script, window=2048) as peer:
        login = log_in(peer)
        begin = time.monotonic()
        with pytest.raises(TransportError, match="in time") as caught:
            login.store(FILE, b"x" * 512000, hooks, stall_s=1.0)
        assert caught.value.kind in ("transfer", "timeout") and 0.9 < time.monotonic() - begin < HANG_S
        assert was_reset(peer) and ("last", 511488, 512000) not in hooks.calls
        assert len(hooks.idles) >= 3
        login.close()


def test_a_slow_card_gets_every_byte_and_hears_nothing_twice() -> None:
    async def script(process: Any) -> None:
        process.stdout.write(b"\0")
        await process.stdin.readline()
        process.stdout.write(b"\0")
        for _part in range(60):
            peer.received += await process.stdin.readexactly(100)
            await asyncio.sleep(0.02)
        process.stdout.write(b"\0")
        process.exit(0)

    hooks = Hooks()
    content = os.urandom(6000)
    with session(script, window=256) as (peer, login):
        login.store(FILE, content, hooks, stall_s=2)
        assert bytes(peer.received) == content and len(hooks.idles) >= 3


def test_what_waits_for_room_is_not_handed_over() -> None:
    """A window of 300 bytes that nobody empties: the second block cannot have gone out."""

    async def script(process: Any) -> None:
        process.stdout.write(b"\0")
        await process.stdin.readline()
        process.stdout.write(b"\0")
        await asyncio.sleep(SILENT_S)

    hooks = Hooks()
    with Peer(script, window=300) as peer:
        login = log_in(peer)
        with pytest.raises(TransportError, match="in time"):
            login.store(FILE, b"x" * 5000, hooks, stall_s=1)
        assert hooks.blocks in ([], [BLOCK])


@pytest.mark.parametrize("what", ["window", "kernel"])
def test_the_last_verdict_is_asked_for_only_when_the_block_can_go_at_once(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Hooks()
    reached: list[float] = []

    def held() -> bool:
        if hooks.blocks[-1:] != [5 * BLOCK]:
            return False
        reached.append(time.monotonic())
        return time.monotonic() - reached[0] < 0.7

    if what == "window":
        monkeypatch.setattr(scp.Exchange, "window", property(lambda _self: 0 if held() else 4096))
    else:
        monkeypatch.setattr(scp, "on_the_way", lambda _sock: 600 if held() else 0)
    last: list[float] = []
    with session() as (peer, login):
        hooks.last_block = lambda done, total: last.append(time.monotonic())
        login.store(FILE, b"x" * (6 * BLOCK), hooks)
        assert len(peer.received) == 6 * BLOCK
    assert len(last) == 1 and last[0] - reached[0] >= 0.7


@pytest.mark.parametrize("window", [40, 100, 256, 300, BLOCK])
def test_with_a_small_window_the_end_of_the_file_still_leaves_as_one_packet(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last verdict is for what completes the file; what goes before it goes as blocks like any other."""
    monkeypatch.setattr(scp, "_SMALL_WINDOW_S", 0.05)
    events: list[Any] = []

    class Watching(Hooks):
        def last_block(self, done: int, total: int) -> None:
            super().last_block(done, total)
            events.append("verdict")

    real = scp.Exchange.at_once.fget
    with session(window=window) as (peer, login):
        write = login._write

        def watched(exchange: Any, data: bytes, name: str) -> None:
            at_once = real(exchange)
            write(exchange, data, name)
            # In packets that leave now, nothing kept for later.
            events.append((len(data), len(data) <= at_once and exchange.unsent == 0))

        monkeypatch.setattr(login, "_write", watched)
        content = os.urandom(BLOCK + 9)
        hooks = Watching()
        login.store(FILE, content, hooks)
        assert bytes(peer.received) == content
    assert events.count("verdict") == 1
    (size, at_once), *more = events[events.index("verdict") + 1 :]
    assert at_once and size >= 2 and not more
    assert hooks.blocks[-1] == len(content) and [call[0] for call in hooks.calls[-2:]] == ["last", "sent"]


def test_new_keys_asked_for_during_the_verdict_cost_another_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncssh keeps packets back while keys are exchanged: the block would leave later than its verdict allows."""
    with session() as (peer, login):
        hooks = Hooks()
        real, asked, held = login._link.flushed, ("last", BLOCK, BLOCK + 9), iter([False])
        monkeypatch.setattr(login._link, "flushed", lambda: next(held, real()) if asked in hooks.calls else real())
        login.store(FILE, b"x" * (BLOCK + 9), hooks)
        assert len(peer.received) == BLOCK + 9
    assert hooks.calls.count(asked) == 2


def test_no_block_is_written_before_the_card_has_room_for_it() -> None:
    """What asyncssh would keep for later would go out long after the verdict that released it."""
    with session() as (_peer, login):
        exchange = login._execute(f"scp -q -t {FILE}", "a test", 5)
        assert isinstance(exchange.window, int) and exchange.window > 0, "this asyncssh no longer tells its window"


CHILD = """
import sys, time
from ansible_collections.dcops.apc.plugins.module_utils._transport.scp import ScpOptions, open_scp
port, key, hold = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Hooks:
    def idle(self): pass
    def first_byte(self): pass
    def sent(self, done, total):
        if hold == "middle" and done >= 2048: self.wait()
    def last_block(self, done, total):
        if hold == "last": self.wait()
    def wait(self):
        print("holding", flush=True)
        time.sleep(60)
login = open_scp(ScpOptions("127.0.0.1", "apc", sys.argv[4], port, 10, host_key=key), lambda: None)
login.store("apc_hw02_aos_392.bin", b"x" * 5120, Hooks())
"""


@pytest.mark.parametrize("hold", ["middle", "last"])
def test_a_killed_process_ends_by_reset(hold: str) -> None:
    with Peer() as peer:
        peer.script = peer.sink
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(peer.port), peer.fingerprint, hold, scp_peer.PASSWORD],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert child.stdout is not None and child.stdout.readline() == "holding\n"
            os.kill(child.pid, signal.SIGKILL)
            assert was_reset(peer) and len(peer.received) < 5120
        finally:
            child.kill()
            child.communicate()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a b", "../x", "x\r\ny", "x\n", "x;y", "$(x)", "x\0", "x" * 65, "\u0661", "/x", "x/", "a/b/c"]
    + ["-r", "-t/x", "upsfw/-x", "upsfw/..", "./x", "upsfw/x\n", "upsfw\n/x", "a b/x"],
)
def test_names_that_are_not_sent(name: str) -> None:
    with session() as (peer, login):
        for attempt in (lambda: login.fetch(name), lambda: login.store(name, b"x", Hooks())):
            with pytest.raises(TransportError) as caught:
                attempt()
            assert caught.value.kind == "unsupported"
        with pytest.raises(TransportError, match="empty"):
            login.store(FILE, b"", Hooks())
        assert peer.commands == []


# --- login ---


def test_a_wrong_password_is_auth_tried_once_and_never_shown() -> None:
    with Peer() as peer:
        with pytest.raises(TransportError) as caught:
            log_in(peer, password="wr0ng-secret")
        assert caught.value.kind == "auth" and "wr0ng" not in repr(caught.value) + str(caught.value.__context__)
        assert peer.attempts == ["wr0ng-secret"] and peer.public_keys == 0


@pytest.mark.parametrize(
    ("prompts", "password", "kind"), [(1, scp_peer.PASSWORD, ""), (1, "no", "auth"), (2, "no", "auth")]
)
def test_keyboard_interactive(prompts: int, password: str, kind: str) -> None:
    with Peer(kbdint=True, kbdint_prompts=prompts) as peer:
        if kind:
            with pytest.raises(TransportError) as caught:
                log_in(peer, password=password)
            assert caught.value.kind == kind
        else:
            log_in(peer, password=password).close()
        assert peer.attempts == ([password] if prompts == 1 else [])


def test_a_wrong_password_is_never_taken_for_busy() -> None:
    with Peer(banner="This system is in use by authorized users only; sessions are logged. Busy?") as peer:
        with pytest.raises(TransportError) as caught:
            log_in(peer, password="no")
        assert caught.value.kind == "auth"


def test_nothing_of_the_users_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / "id_ed25519")
    (folder / "config").write_text("Host *\n  User nobody\n  Port 1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Peer() as peer:
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{peer.port} {scp_peer.KEY.export_public_key().decode()}\n")
        log_in(peer).close()
        assert peer.public_keys == 0
        with pytest.raises(TransportError, match="is not known"):
            log_in(peer, host_key=None)


def _disconnect(code: int, text: str) -> Callable[[Any], None]:
    def on_auth(_conn: Any) -> None:
        raise asyncssh.DisconnectError(code, text)

    return on_auth


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"on_auth": _disconnect(12, "no")}, "busy"),
        ({"on_auth": _disconnect(7, "starting")}, "busy"),
        ({"on_auth": _disconnect(2, "Someone is currently logged in.")}, "busy"),
        ({"on_auth": _disconnect(2, "Too many authentication failures")}, "auth"),
        ({"on_auth": _disconnect(2, "go away")}, "transfer"),
        ({"on_auth": _disconnect(11, "bye")}, "transfer"),
        ({"on_auth": lambda conn: conn.abort()}, "transfer"),
        ({"banner": "Someone is currently logged into this card", "on_auth": lambda conn: conn.abort()}, "busy"),
    ],
)  # fmt: skip
def test_logins_that_the_card_ends(options: dict[str, Any], kind: str) -> None:
    with Peer(**options) as peer, pytest.raises(TransportError) as caught:
        log_in(peer, timeout_s=3)
    assert caught.value.kind == kind and "\n" not in caught.value.message


def test_a_banner_of_the_card_is_kept_bounded_and_clean() -> None:
    with Peer(banner="AP7723 card\r\n\x1b[2J" + "y" * 5000) as peer:
        login = log_in(peer)
        assert login.banner.startswith("SSH-2.0-AsyncSSH") and "AP7723 card \\x1b[2J" in login.banner
        assert len(login.banner) <= 512 and login.banner.isprintable()
        login.close()


@contextlib.contextmanager
def raw(answer: bytes, close: bool) -> Iterator[int]:
    """A TCP server that says something and closes, or goes on saying it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _peer = listener.accept()
                with connection:
                    connection.sendall(answer)
                    while not close and not stop.is_set():
                        if answer:
                            connection.sendall(answer)
                        time.sleep(0.01)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "close", "kind"),
    [
        (b"", True, "transfer"),
        (b"", False, "timeout"),
        (b"220 FTP server ready\r\n", True, "transfer"),
        (b"x" * 3000, False, "transfer"),
        (b"x\n" * 100, False, "transfer"),
        (b"SSH-1.5-old\r\n", False, "transfer"),
        (b"SSH-2.0-x\r\n" + b"\xff" * 500, False, "transfer"),
        (b"SSH-2.0-x\r\n", True, "transfer"),
        (b"SSH-2.0-\xff\xfe\r\n", False, "transfer"),
    ],
)
def test_no_ssh_server_at_all(answer: bytes, close: bool, kind: str) -> None:
    hooks = Hooks()
    with raw(answer, close) as port, pytest.raises(TransportError) as caught:
        begin = time.monotonic()
        open_scp(ScpOptions("127.0.0.1", "apc", "x", port, 1.5), hooks.idle)
    assert caught.value.kind == kind and time.monotonic() - begin < HANG_S
    assert kind != "timeout" or len(hooks.idles) >= 3


def test_a_closed_port_is_transfer_and_an_idle_that_raises_ends_the_login() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Contradiction):
            open_scp(ScpOptions("127.0.0.1", "apc", "x", port, 5), Hooks("idle").idle)
    with pytest.raises(ssh_link.NoSsh, match="refused SSH") as caught:
        open_scp(ScpOptions("127.0.0.1", "apc", "x", port, 5), Hooks().idle)
    assert caught.value.kind == "transfer"


@pytest.mark.parametrize(
    "given",
    [
        {"username": "a\r\nb"},
        {"password": "a\0b"},
        {"password": "x" * 300},
        {"host_key": "MD5:1"},
        {"accept_new": True},
    ],
)
def test_options_that_cannot_be(given: dict[str, Any]) -> None:
    options = {"address": "127.0.0.1", "username": "apc", "password": "x", "port": 9, **given}
    with pytest.raises(TransportError) as caught:
        open_scp(ScpOptions(**options), Hooks().idle)
    assert caught.value.kind == "unsupported"


# --- host keys ---


def test_an_unknown_key_is_shown_and_gets_no_password(tmp_path: Path) -> None:
    with Peer() as peer:
        for known_hosts in (None, str(tmp_path / "known_hosts")):
            with pytest.raises(TransportError, match="is not known") as caught:
                log_in(peer, host_key=None, known_hosts=known_hosts)
            assert caught.value.kind == "auth" and peer.fingerprint in caught.value.message
        assert peer.attempts == [] and not (tmp_path / "known_hosts").exists()


def test_first_use_is_written_and_holds_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    with Peer() as peer, Peer(server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")]) as other:
        log_in(peer, host_key=None, known_hosts=str(file), accept_new=True).close()
        assert file.read_text().startswith(f"[127.0.0.1]:{peer.port} ssh-ed25519 ")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        login = log_in(peer, host_key=None, known_hosts=str(file))
        assert login.host_key == peer.fingerprint
        login.close()
        # Another unit behind the same address: unknown, not changed.
        with pytest.raises(TransportError, match="is not known"):
            log_in(other, host_key=None, known_hosts=str(file))
        text = file.read_text()
        file.write_text(text.replace(f":{peer.port} ", f":{other.port} "))
        for accept_new in (False, True):
            with pytest.raises(TransportError, match="HAS CHANGED") as caught:
                log_in(other, host_key=None, known_hosts=str(file), accept_new=accept_new)
            assert caught.value.kind == "auth" and other.attempts == []


def test_a_key_that_the_server_cannot_prove_is_not_written(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.sign = asyncssh.generate_private_key("ssh-ed25519").sign
    with Peer(server_host_keys=[key]) as peer:
        with pytest.raises(TransportError):
            log_in(peer, host_key=None, known_hosts=str(tmp_path / "known_hosts"), accept_new=True)
        assert peer.attempts == [] and os.listdir(tmp_path) == []


def test_no_password_goes_out_before_the_key_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Peer() as peer, Peer(kbdint=True) as asking:
        for card in (peer, asking):
            with pytest.raises(TransportError, match=r"cannot be (written|read)"):
                log_in(card, host_key=None, known_hosts=str(tmp_path / "file" / "known_hosts"), accept_new=True)
            assert card.attempts == []


def test_a_given_fingerprint_counts() -> None:
    with Peer() as peer:
        with pytest.raises(TransportError, match="another host key than the one given") as caught:
            log_in(peer, host_key="SHA256:" + "A" * 43)
        assert caught.value.kind == "auth" and peer.attempts == []
        log_in(peer, host_key=peer.fingerprint + "=").close()


def test_a_server_with_several_keys_is_known_by_any(tmp_path: Path) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-rsa")]
    with Peer(server_host_keys=keys) as peer:
        file = tmp_path / "known_hosts"
        file.write_text(f"[127.0.0.1]:{peer.port} {keys[1].export_public_key().decode()}\n")
        login = log_in(peer, host_key=None, known_hosts=str(file))
        assert login.host_key == keys[1].get_fingerprint()
        login.close()


OLD = {"kex_algs": ["diffie-hellman-group1-sha1"], "encryption_algs": ["aes128-cbc"], "mac_algs": ["hmac-sha1"]}


@pytest.mark.parametrize(
    "algorithms",
    [
        *({name: value} for name, value in OLD.items()),
        {"encryption_algs": ["3des-cbc"], "mac_algs": ["hmac-sha1"]},
        {**OLD, "signature_algs": ["ssh-rsa"], "server_host_keys": [asyncssh.generate_private_key("ssh-rsa")]},
    ],
    ids=["kex", "encryption", "mac", "3des", "all"],
)
def test_old_algorithms_only_when_asked_for(algorithms: dict[str, Any]) -> None:
    # A cipher with its own authentication would make the MAC irrelevant.
    options = {"encryption_algs": ["aes128-ctr"], **algorithms}
    with Peer(source(b"C0644 3 event.txt\n", b"abc\0"), **options) as peer:
        with pytest.raises(TransportError, match="an old card may need the old algorithms") as caught:
            log_in(peer)
        # Either side may be the first to say so.
        assert caught.value.kind in ("unsupported", "transfer") and peer.attempts == []
        login = log_in(peer, legacy=True)
        assert login.fetch("event.txt") == b"abc"
        login.close()


# --- without asyncssh ---


def test_without_asyncssh_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(ssh_link.NoSsh, match="pip install asyncssh") as caught:
        open_scp(ScpOptions("127.0.0.1", "apc", "x", 9, 1), Hooks().idle)
    assert caught.value.kind == "unsupported"


def test_the_module_is_importable_without_asyncssh() -> None:
    code = f"import sys; sys.modules['asyncssh'] = None; import {scp.__name__}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_password_is_in_no_representation() -> None:
    assert "s3cret" not in repr(ScpOptions("127.0.0.1", "apc", "s3cret"))
    assert ssh_link.ScpOptions is ScpOptions
