# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted SSH server on a thread of its own, and hooks that write down what is called."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import asyncssh

PASSWORD = "pass-W0rd-x"
KEY = asyncssh.generate_private_key("ssh-ed25519")
Script = Callable[[Any], Coroutine[Any, Any, None]]


class Contradiction(Exception):
    pass


class Hooks:
    """Raises ``error`` at the given moment: "first1", "first2", "last", "idle", or a number of bytes sent."""

    def __init__(self, at: str | int = "", error: BaseException | None = None, hold_s: float = 0.0) -> None:
        self.at, self.error, self.hold_s = at, error or Contradiction("source B is live"), hold_s
        self.calls: list[tuple[Any, ...]] = []
        self.idles: list[float] = []

    def _reached(self, what: str | int) -> None:
        if what == self.at:
            raise self.error

    def idle(self) -> None:
        self.idles.append(time.monotonic())
        self._reached("idle")

    def first_byte(self) -> None:
        self.calls.append(("first",))
        self._reached(f"first{self.calls.count(('first',))}")

    def sent(self, done: int, total: int) -> None:
        self.calls.append(("sent", done))
        self._reached(done)

    def last_block(self, done: int, total: int) -> None:
        self.calls.append(("last", done, total))
        time.sleep(self.hold_s)
        self._reached("last")

    @property
    def blocks(self) -> list[int]:
        return [call[1] for call in self.calls if call[0] == "sent"]


class Peer:
    """``script`` plays one exec; what was seen is in the attributes."""

    def __init__(self, script: Script | None = None, **options: Any) -> None:
        self.script = script
        self.banner = options.pop("banner", "")
        self.on_auth = options.pop("on_auth", None)
        self.kbdint = options.pop("kbdint", False)
        self.kbdint_prompts = options.pop("kbdint_prompts", 1)
        self.options = {"server_host_keys": [KEY], **options}
        self.commands: list[str] = []
        self.attempts: list[str] = []
        self.ends: list[Exception | None] = []
        self.received = bytearray()
        self.client_version = ""
        self.public_keys = 0
        self.connections: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._up = threading.Event()
        self.port = 0

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._loop.run_until_complete(self._start())
        self._up.set()
        self._loop.run_forever()
        for connection in self.connections:
            connection.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _start(self) -> None:
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=lambda: _Server(self), process_factory=self._play, encoding=None,
            config=None, **self.options,
        )  # fmt: skip
        self.port = server.get_port()

    async def _play(self, process: Any) -> None:
        self.commands.append(process.command)
        if self.script is not None:
            await self.script(process)

    @property
    def fingerprint(self) -> str:
        return str(self.options["server_host_keys"][0].get_fingerprint())

    # -- for scripts ---

    async def sink(self, process: Any) -> None:
        """A card that takes a file, byte for byte."""
        process.stdout.write(b"\0")
        line = await process.stdin.readline()
        process.stdout.write(b"\0")
        left = int(line.split()[1])
        while left:
            part = await process.stdin.read(min(left, 4096))
            if not part:
                return
            self.received += part
            left -= len(part)
        assert await process.stdin.readexactly(1) == b"\0"
        process.stdout.write(b"\0")
        process.exit(0)


class _Server(asyncssh.SSHServer):
    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def connection_made(self, conn: Any) -> None:
        self.conn = conn
        self.peer.connections.append(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self.peer.ends.append(exc)

    def begin_auth(self, username: str) -> bool:
        self.peer.client_version = str(self.conn.get_extra_info("client_version"))
        if self.peer.banner:
            self.conn.send_auth_banner(self.peer.banner)
        if self.peer.on_auth is not None:
            self.peer.on_auth(self.conn)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: Any) -> bool:
        self.peer.public_keys += 1
        return False

    def password_auth_supported(self) -> bool:
        return not self.peer.kbdint

    def validate_password(self, username: str, password: str) -> bool:
        self.peer.attempts.append(password)
        return (username, password) == ("apc", PASSWORD)

    def kbdint_auth_supported(self) -> bool:
        return bool(self.peer.kbdint)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "en", [("Password: ", False)] * self.peer.kbdint_prompts

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self.peer.attempts += responses
        return list(responses) == [PASSWORD]
