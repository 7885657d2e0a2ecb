# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's SSH server on asyncssh: no shell, no SFTP, only the old scp protocol; bytes reach the model as they come.

Facts (facts/NMC.md): exec string ``scp -q -t NAME``, unquoted; one user at a time; after each module the card reboots
at once and the connection just dies; old cards know only old algorithms.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import re
import socket
import struct
import time
import warnings
from collections.abc import Iterator
from typing import Any

import asyncssh
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.utils import CryptographyDeprecationWarning

from .model import Unit
from .serve import Live
from .sessions import LoginRefused, Session

TICK_S = 0.05
BURST_S = 0.05  # what TCP's own pauses cost may be caught up
# small, so that the bytes a client believes sent are few more than the bytes the card has read
WINDOW = 4096
RST = struct.pack("ii", 1, 0)  # SO_LINGER: close by reset
VERSION = "cryptlib-apcsim"
MAX_LINE = 1024
COMMAND = re.compile(r"scp (?:-q )?-([tf]) ([A-Za-z0-9_./-]{1,128})")  # a quoted name is another name, and refused
FILE = re.compile(rb"C[0-7]{4} (\d{1,9}) [^/\n]{1,255}")
LEGACY = {
    "kex_algs": ["diffie-hellman-group1-sha1"],
    "encryption_algs": ["aes128-cbc", "3des-cbc"],
    "mac_algs": ["hmac-sha1"],
    "signature_algs": ["ssh-rsa"],
}


def host_key(serial: str, legacy: bool) -> asyncssh.SSHKey:
    """Always the same for the same unit."""
    seed = hashlib.sha256(f"apcsim host key {serial}".encode()).digest()
    private: Any = _rsa(random.Random(seed)) if legacy else ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return asyncssh.import_private_key(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


def _rsa(rng: random.Random) -> rsa.RSAPrivateKey:
    """No library makes one from a seed. A key for tests: its primes are only probably prime."""
    e = 65537
    p, q = (_prime(rng, e) for _side in "pq")
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q))
    return numbers.private_key()


def _prime(rng: random.Random, e: int) -> int:
    while True:
        candidate = rng.getrandbits(1024) | (3 << 1022) | 1
        if all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7)) and candidate % e != 1:
            return candidate


@contextlib.contextmanager
def _as_scp(unit: Unit) -> Iterator[None]:
    """Rows that the card's account side writes as FTP's, named for what they are. Texts: [G]"""
    before = list(unit.events.rows)  # kept: a number of id() would come again
    known = set(map(id, before))
    try:
        yield
    finally:
        for n, row in enumerate(unit.events.rows):
            if id(row) not in known:
                text = row.text.replace("System: FTP user", "System: SSH user").replace(" FTP, '", " SCP, '")
                unit.events.rows[n] = row._replace(text=text, code=0x0014 if "SSH user" in text else row.code)


class Card(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, ssh: Ssh) -> None:
        self.ssh, self.live = ssh, ssh.live
        self.conn: Any = None
        self.session: Session | None = None
        self.peer = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.peer = str(conn.get_extra_info("peername")[0])
        self.ssh.cards.add(self)
        with self.live.at_now() as unit:
            state = _state(unit)
        if state == "down":  # it went down since the last tick
            self.die()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ssh.cards.discard(self)
        session, self.session = self.session, None
        if session is not None:
            with self.live.at_now() as unit, _as_scp(unit):
                if isinstance(exc, ConnectionResetError):
                    session.abort()  # the card may not notice
                else:
                    session.close()

    def begin_auth(self, username: str) -> bool:
        with self.live.at_now() as unit:
            state = _state(unit)
        if state != "up":
            raise asyncssh.DisconnectError(asyncssh.DISC_SERVICE_NOT_AVAILABLE, "The card is starting.")
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        try:
            with self.live.at_now() as unit, _as_scp(unit), _beside_ftp(unit):
                self.session = unit.login(username, password, self.peer)
        except LoginRefused as refused:
            if refused.kind == "auth":
                return False
            if refused.kind == "busy":
                raise asyncssh.DisconnectError(asyncssh.DISC_TOO_MANY_CONNECTIONS, f"Busy: {refused}.") from None
            self.die()
            raise asyncssh.DisconnectError(asyncssh.DISC_CONNECTION_LOST, "down") from None
        return True

    def die(self) -> None:
        """The card goes down under the connection: no reply, no farewell."""
        sock = self.conn.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        self.conn.abort()


class Gone(Exception):
    """The other side of the transfer, or the card itself."""


class Command:
    """One exec: a file to or from the card."""

    def __init__(self, card: Card, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.card, self.live, self.process = card, card.live, process

    async def run(self) -> None:
        status = 1
        wanted = COMMAND.fullmatch(self.process.command or "")
        try:
            if wanted is None or self.card.session is None:
                self.process.stderr.write(b"Command not supported.\r\n")
            elif wanted[1] == "t":
                status = await self._sink(self.card.session, wanted[2])
            else:
                status = await self._source(self.card.session, wanted[2])
        except (Gone, ConnectionError, asyncssh.Error):
            pass
        except Exception as refused:
            await self._say(b"\1scp: " + str(refused).encode("ascii", "replace")[:200] + b"\n")
        with contextlib.suppress(OSError):
            self.process.exit(status)

    async def _say(self, data: bytes) -> None:
        with self.live.at_now() as unit:
            slow = unit.faults.active.get("slow")
        if slow is not None:
            await asyncio.sleep(float(slow.get("latency_s", 1.0)) / self.live.speed)
        with contextlib.suppress(OSError):
            self.process.stdout.write(data)

    async def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = await self.process.stdin.read(1)
            if not byte or len(line) > MAX_LINE:
                raise Gone
            line += byte
        return bytes(line[:-1])

    async def _hung(self) -> None:
        while True:
            with self.live.at_now() as unit:
                if "scp_hangs" not in unit.faults.active:
                    return
            await asyncio.sleep(TICK_S)

    async def _sink(self, session: Session, name: str) -> int:
        await self._hung()
        await self._say(b"\0")
        line = await self._line()
        if line.startswith(b"T"):
            await self._say(b"\0")
            line = await self._line()
        announced = FILE.fullmatch(line)
        if announced is None:
            raise ValueError("protocol error: " + line[:40].decode("latin-1"))
        with self.live.at_now() as unit, _as_scp(unit):
            store = session.store(name)
        done = False
        try:
            await self._say(b"\0")
            await self._receive(store, int(announced[1]))
            with self.live.at_now() as unit, _as_scp(unit):
                done = True
                store.finish()
        finally:
            if not done:
                with self.live.at_now() as unit, _as_scp(unit):
                    store.abort()
            if not session.alive:
                self.card.ssh.follow()  # rebooting: nobody is left to reply
        if not session.alive:
            raise Gone
        await self._end_mark()
        await self._say(b"\0")
        return 0

    async def _receive(self, store: Any, size: int) -> None:
        rate = self.live.ftp_rate()
        chunk_size = int(min(WINDOW, max(512, rate * 0.01)))
        left, next_s = size, 0.0
        while left:
            await self._hung()
            chunk = await self.process.stdin.read(min(left, chunk_size))
            if not chunk:
                raise Gone
            left -= len(chunk)
            try:
                with self.live.at_now() as unit, _as_scp(unit):
                    store.write(chunk)
            except ConnectionError:  # cut on the way, or the card is gone
                self.card.die()
                raise Gone from None
            now = time.monotonic()
            next_s = max(next_s, now - BURST_S) + len(chunk) / rate
            if next_s - now > 0.002:
                await asyncio.sleep(next_s - now)

    async def _end_mark(self) -> None:
        mark = await self.process.stdin.read(1)
        if mark != b"\0":
            raise Gone

    async def _source(self, session: Session, name: str) -> int:
        await self._end_mark()
        await self._hung()
        try:
            with self.live.at_now():
                data = bytes(session.fetch(name))
        except (FileNotFoundError, PermissionError):
            raise FileNotFoundError(f"{name}: No such file or directory") from None
        await self._say(f"C0644 {len(data)} {name.rpartition('/')[2]}\n".encode("ascii"))
        await self._end_mark()
        await self._say(data)
        await self._hung()
        await self._say(b"\0")
        await self._end_mark()
        return 0


@contextlib.contextmanager
def _beside_ftp(unit: Unit) -> Iterator[None]:
    """FTP may be off where SSH is on; all else that the card's FTP state says holds for SSH too."""
    held = unit.faults.active.pop("ftp_refused", None)
    try:
        yield
    finally:
        if held is not None:
            unit.faults.active["ftp_refused"] = held


def _state(unit: Unit) -> str:
    if "ssh_refused" in unit.faults.active:
        return "down"
    with _beside_ftp(unit):
        return unit.ftp_state


class Ssh:
    """The listener, in the simulator's own event loop: open while the card is up, refusing while it is down."""

    def __init__(self, live: Live, host: str, port: int, legacy: bool = False) -> None:
        self.live, self.legacy = live, legacy
        if legacy:
            # what cryptography thinks of old algorithms is known
            warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning)
        self.cards: set[Card] = set()
        self.key = host_key(live.unit.serial, legacy)
        # keeps the port ours while the card is down and does not listen
        self._reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((host, port))
        self._address = self._reserved.getsockname()
        self.port = int(self._address[1])
        self._listener: asyncssh.SSHAcceptor | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def fingerprint(self) -> str:
        return str(self.key.get_fingerprint("sha256"))

    async def start(self) -> None:
        await self._listen()
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        self._close()
        for card in list(self.cards):
            card.die()
        self._reserved.close()

    async def _listen(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        sock.bind(self._address)
        algorithms: dict[str, Any] = dict(LEGACY) if self.legacy else {}
        self._listener = await asyncssh.listen(
            sock=sock, config=None, server_factory=lambda: Card(self), server_host_keys=[self.key],
            server_version=VERSION, process_factory=self._command, encoding=None, window=WINDOW, max_pktsize=WINDOW,
            line_editor=False, allow_pty=False, agent_forwarding=False, login_timeout=60, gss_host=None,
            public_key_auth=False, host_based_auth=False, **algorithms,
        )  # fmt: skip

    async def _command(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        owner = process.get_extra_info("connection").get_owner()
        await Command(owner, process).run()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def follow(self) -> None:
        """The card's state, for the connections."""
        with self.live.at_now() as unit:
            down = _state(unit) == "down"
        if down:
            self._close()
        for card in list(self.cards):
            if down or (card.session is not None and not card.session.alive):
                card.die()

    async def _tick(self) -> None:
        while True:
            self.follow()
            with self.live.at_now() as unit:
                up = _state(unit) != "down"
            if up and self._listener is None:
                await self._listen()
            await asyncio.sleep(TICK_S)
