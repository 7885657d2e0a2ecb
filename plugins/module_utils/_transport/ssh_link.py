# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One SSH connection to a management card, driven from the caller's own thread: asyncssh under hard deadlines, with
somebody else's work done while waiting.

asyncssh is optional, so it is imported only where a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import one_line
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import shown
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ssh_keys import (
    HostKey,
    Known,
    check_fingerprint,
    judge,
    read_known,
    remember,
    unknown,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.wire import (
    QUIT_S,
    SLICE_S,
    FromHook,
    Idle,
    call_hook,
    card_socket,
    end_by_reset,
    endpoint,
    no_work,
    reason_of,
)

# The card wants a version of at least 13 characters (facts/NMC).
CLIENT_VERSION = "dcops_apc_scp_1.0"
# No transfer takes so long: new keys would hold back what was released.
REKEY_S = 86_400
_POLL_S = 0.005
_CLEANUP_S = 0.5
_BUSY_CODES = (7, 12)  # service not available, too many connections (RFC 4253)
_BUSY = re.compile(
    r"currently logged|already logged|logged in|in use|\bbusy\b|too many (connection|session|user|login)|"
    r"try again later",
    re.IGNORECASE,
)
_DENIED = re.compile(r"authentication fail|permission denied|login (incorrect|failed)", re.IGNORECASE)
_T = TypeVar("_T")

# Offered always.
_MODERN = {
    "kex": "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 "
    "diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 "
    "diffie-hellman-group14-sha256",
    "encryption": "chacha20-poly1305@openssh.com aes256-gcm@openssh.com aes128-gcm@openssh.com aes256-ctr aes192-ctr "
    "aes128-ctr",
    "mac": "hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha2-256 hmac-sha2-512",
    "public_key": "ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256 rsa-sha2-512",
}
# Behind those, and only for a card of which the operator says that it knows no better.
_LEGACY = {
    "kex": "diffie-hellman-group14-sha1 diffie-hellman-group-exchange-sha1 diffie-hellman-group1-sha1",
    "encryption": "aes256-cbc aes192-cbc aes128-cbc 3des-cbc",
    "mac": "hmac-sha1 hmac-sha1-96 hmac-md5",
    "public_key": "ssh-rsa ssh-dss",
}


@dataclass(frozen=True)
class ScpOptions:
    """``address`` is the pinned one. A fingerprint in ``host_key`` counts instead of what ``known_hosts`` has.

    ``host`` is the name that the address was found by, if any: a key may be known by either.
    ``accept_new``: at first use the key is written into ``known_hosts``, unless not to ``remember``.
    ``legacy``: old algorithms as well.
    """

    address: str
    username: str
    password: str = field(repr=False)
    port: int = 22
    timeout_s: float = 30.0
    known_hosts: str | None = None
    host_key: str | None = None
    accept_new: bool = False
    remember: bool = True
    host: str = ""
    legacy: bool = False


class NoSsh(TransportError):
    """Nobody listens there, or the library is missing here: nothing that the other side said."""


def asyncssh_module() -> ModuleType:
    try:
        import asyncssh
    except ImportError:
        raise NoSsh("unsupported", "the Python library asyncssh is needed for scp: pip install asyncssh") from None
    return asyncssh


class _Loop(asyncio.SelectorEventLoop):
    """Keeps hold of the connection's transport, whose buffer tells what has not gone out yet."""

    transport: Any = None

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        self.transport, protocol = await super().create_connection(*args, **kwargs)
        return self.transport, protocol


class Link:
    """The TCP connection, SSH on it, and the login."""

    def __init__(self, options: ScpOptions, idle: Idle, client_key: Any = None) -> None:
        self.options = options
        self.where = shown(options.address, options.port)
        self.idle = idle
        self.sock: socket.socket | None = None
        self.connection: Any = None
        self.lost = False
        self.server_version = ""
        self.notice = ""  # what the card says before the login
        self.host_key: HostKey | None = None
        self._client_key = client_key
        self._asyncssh: Any = asyncssh_module()
        self._pinned = check_fingerprint(options.host_key) if options.host_key is not None else None
        if options.accept_new and options.known_hosts is None and self._pinned is None:
            raise TransportError("unsupported", "accepting a host key at first use needs a known_hosts file to keep it")
        self._verdict: Exception | None = None
        self._new_key: HostKey | None = None
        self._idled = time.monotonic()
        self._loop = _Loop()
        # What breaks in asyncssh's own tasks ends the connection, which is noticed; stderr is not ours.
        self._loop.set_exception_handler(lambda _loop, _context: None)

    # -- waiting -------------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, _T], deadline: float, doing: str, kind: str = "timeout") -> _T:
        """What is ready wins over a deadline that idle() overran. Raises asyncssh's errors and OSError as they are."""
        task = self._loop.create_task(work)
        try:
            while True:
                left = deadline - time.monotonic()
                self._loop.run_until_complete(asyncio.wait({task}, timeout=max(4 * _POLL_S, min(SLICE_S, left))))
                if task.done():
                    break
                if left <= 0:
                    raise TransportError(kind, f"{self.where} did not {doing} in time (SCP)")
                self.work()
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(Exception):
                    self._loop.run_until_complete(asyncio.wait({task}, timeout=_CLEANUP_S))
        if time.monotonic() - self._idled > SLICE_S:
            # Many short waits in a row are a long one.
            self.work()
        return task.result()

    def until(self, holds: Callable[[], bool], deadline: float, doing: str, kind: str = "timeout") -> None:
        async def wait() -> None:
            while not holds():
                await asyncio.sleep(_POLL_S)

        self.turn()
        if not holds():
            self.run(wait(), deadline, doing, kind)

    def turn(self) -> None:
        """Takes in what has come, without waiting. Two rounds: what a packet sets off may take the next."""
        for _round in range(2):
            self._loop.run_until_complete(asyncio.sleep(0))

    def work(self) -> None:
        """Somebody else's, while we wait."""
        call_hook(self.idle)
        self._idled = time.monotonic()

    # -- login ---------------------------------------------------------------------------------------------------

    def log_in(self) -> None:
        """In at most the time limit of the options. Raises TransportError."""
        deadline = time.monotonic() + self.options.timeout_s
        try:
            self.sock = card_socket(self.options.address)
            self.run(self._connect_socket(self.sock), deadline, "accept a connection")
            with warnings.catch_warnings():
                # What cryptography thinks of old algorithms: stderr is not ours, and they were asked for.
                warnings.simplefilter("ignore")
                self.connection = self.run(self._connect_ssh(self.sock), deadline, "complete the SSH login")
        except ConnectionRefusedError:
            raise NoSsh(
                "transfer", f"{self.where} refused SSH: it is off, another port, or the card is starting"
            ) from None
        except (ConnectionError, self._asyncssh.Error) as error:
            raise self._verdict or self._refused(error) from None
        except OSError as error:
            raise self._verdict or TransportError(
                "transfer", f"SSH login at {self.where} failed: {reason_of(error)}"
            ) from None
        except (TransportError, FromHook):
            raise
        except Exception as error:
            # Packets of the wrong shape, which asyncssh does not always expect.
            raise self._verdict or TransportError(
                "transfer", f"{self.where} answered the SSH login unintelligibly: {one_line(repr(error))}"
            ) from None
        if not self.keep_new_key() and self._verdict is not None:
            raise self._verdict
        if self.lost:
            raise TransportError("transfer", f"{self.where} closed the SSH connection during the login")
        self.server_version = one_line(str(self.connection.get_extra_info("server_version", "")), 256)

    async def _connect_socket(self, sock: socket.socket) -> None:
        await self._loop.sock_connect(sock, endpoint(self.options.address, self.options.port))

    async def _connect_ssh(self, sock: socket.socket) -> Any:
        options = self.options
        known = Known()
        if options.known_hosts is not None:
            known = read_known(options.known_hosts, options.address, options.port, options.host)
        key = self._client_key
        # Nothing of the user's own: no configuration, no agent, no keys, no known_hosts but the one given.
        return await self._asyncssh.connect(
            options.address, options.port, sock=sock, config=None, client_factory=lambda: _client(self, known),
            known_hosts=((), (), ()), username=options.username, client_version=CLIENT_VERSION,
            client_keys=None if key is None else [key], agent_path=None, agent_forwarding=False, pkcs11_provider=None,
            x509_trusted_certs=None, gss_host=None, gss_kex=False, gss_auth=False, host_based_auth=False,
            public_key_auth=key is not None, password_auth=key is None, kbdint_auth=key is None,
            preferred_auth=("password", "keyboard-interactive") if key is None else ("publickey",),
            compression_algs=None, keepalive_interval=0, login_timeout=0, connect_timeout=None,
            kex_algs=self._algorithms("kex"), rekey_seconds=REKEY_S, encryption_algs=self._algorithms("encryption"),
            mac_algs=self._algorithms("mac"), server_host_key_algs=self._host_key_algorithms(known),
        )  # fmt: skip

    def _algorithms(self, kind: str) -> list[str]:
        """Those of them that this asyncssh, and the OpenSSL under it, have."""
        names = _MODERN[kind].split() + (_LEGACY[kind].split() if self.options.legacy else [])
        module = getattr(self._asyncssh, kind)
        there = getattr(module, f"get_{kind}_algs")()
        return [name for name in names if name.encode("ascii") in there]

    def _host_key_algorithms(self, known: Known) -> list[str]:
        """A card with several keys is asked first for one of a kind that is known, or it would seem changed."""
        kinds = {key.algorithm for key in known.keys}
        names = self._algorithms("public_key")
        return sorted(names, key=lambda name: ("ssh-rsa" if name.startswith("rsa-") else name) not in kinds)

    def accepts(self, key: HostKey, known: Known) -> bool:
        """asyncssh's question, before any password goes out; the reason for a no is kept for log_in()."""
        self.host_key = key
        options = self.options
        try:
            if judge(key, self.where, known, self._pinned):
                return True
            if not options.accept_new or options.known_hosts is None:
                raise unknown(key, self.where)
            self._new_key = key
            return True
        except Exception as error:
            self._verdict = error
            return False

    def keep_new_key(self) -> bool:
        """Only now has the card proved that the key is its own; and no password goes out before it is written down."""
        key, path, options = self._new_key, self.options.known_hosts, self.options
        self._new_key = None
        try:
            if key is not None and path is not None and options.remember:
                remember(path, options.address, options.port, key, self.work, options.host)
        except Exception as error:
            self._verdict = error
        return self._verdict is None

    def _refused(self, error: Any) -> TransportError:
        asyncssh = self._asyncssh
        reason = str(getattr(error, "reason", "") or error)
        # Some servers quote what they refuse.
        quotes = bool(self.options.password) and self.options.password in reason + self.notice
        said = "(its text is not shown: it quotes the password)" if quotes else one_line(reason)
        lost = isinstance(error, (asyncssh.ConnectionLost, ConnectionError))
        # Before anything else: taken for busy, a wrong password would be tried again until the account is locked. And
        # what a card says to everybody before the login may hold any word.
        if isinstance(error, asyncssh.PermissionDenied) or (not lost and _DENIED.search(reason)):
            return TransportError("auth", f"{self.where} refused the SSH user name or password")
        busy = not lost and (getattr(error, "code", 0) in _BUSY_CODES or _BUSY.search(reason))
        if busy or _BUSY.search(self.notice):
            said = one_line(f"{said} {'' if quotes else self.notice}")
            return TransportError(
                "busy", f"{self.where} takes no SSH login now, somebody else may be logged in: {said}"
            )
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return TransportError(
                "unsupported", f"{self.where} and this side have no algorithm in common{self._old_card()}: {said}"
            )
        if lost:
            # Which is also how some servers end an exchange without a common algorithm.
            hint = self._old_card() if self.host_key is None else ""
            return TransportError(
                "transfer", f"{self.where} closed the SSH connection during the login (busy, or starting?){hint}"
            )
        return TransportError("transfer", f"SSH login at {self.where} failed: {said}")

    def _old_card(self) -> str:
        return "" if self.options.legacy else "; an old card may need the old algorithms allowed"

    # -- what has gone out ---------------------------------------------------------------------------------------

    def flushed(self) -> bool:
        """All that was written is in the kernel's hands. While keys are exchanged asyncssh holds packets back."""
        transport = self._loop.transport
        exchanging = not getattr(self.connection, "_kex_complete", True)
        return not self.lost and not exchanging and transport.get_write_buffer_size() == 0

    def ends_by_reset(self, resets: bool) -> None:
        """Whether the connection's end, also the kernel's when the process is killed, is a reset."""
        if self.sock is not None and self.sock.fileno() >= 0:
            end_by_reset(self.sock, resets)

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """With SSH's farewell; never raises."""
        if self._loop.is_closed():
            return
        if self.connection is not None and not self.lost and not self._loop.is_running():
            self.idle = no_work
            self.ends_by_reset(False)
            with contextlib.suppress(Exception):
                self.connection.close()
                self.run(self.connection.wait_closed(), time.monotonic() + QUIT_S, "close")
        self.abort(resets=False)

    def abort(self, resets: bool = True) -> None:
        """At once, by a reset; never raises."""
        if self._loop.is_closed():
            return
        self.lost = True
        self.ends_by_reset(resets)
        if self._loop.transport is not None:
            with contextlib.suppress(Exception):
                self._loop.transport.abort()
        if self._loop.is_running():
            return  # called from within: the caller's own end of the wait comes back here
        with contextlib.suppress(Exception):
            for _round in range(4):
                self._loop.run_until_complete(asyncio.sleep(0))
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=_CLEANUP_S))
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.close()
        with contextlib.suppress(Exception):
            self._loop.close()

    @contextlib.contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """asyncssh's words in ours. Never around a hook: its OSError is no broken connection."""
        try:
            yield
        except (TransportError, FromHook):
            raise
        except self._asyncssh.ChannelOpenError as error:
            if self.lost:
                raise TransportError("transfer", f"{self.where} closed the connection: {doing} failed") from None
            raise ChannelRefused("transfer", f"{self.where} refused {doing}: {one_line(str(error.reason))}") from None
        except self._asyncssh.Error as error:
            raise TransportError("transfer", f"{doing} was cut ({self.where}): {one_line(str(error))}") from None
        except OSError as error:
            raise TransportError("transfer", f"{doing} was cut ({self.where}): {reason_of(error)}") from None
        except Exception as error:
            raise TransportError(
                "transfer", f"{self.where} answered {doing} unintelligibly: {one_line(repr(error))}"
            ) from None


class ChannelRefused(TransportError):
    """A whole answer: the connection goes on."""


def _client(link: Link, known: Known) -> Any:
    """asyncssh's questions, answered. Defined in here since asyncssh may not be installed."""
    import asyncssh

    class Client(asyncssh.SSHClient):
        asked = False

        def connection_lost(self, exc: Exception | None) -> None:
            link.lost = True

        def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
            algorithm = key.algorithm.decode("ascii", "replace")
            return link.accepts(HostKey(algorithm, key.public_data), known)

        def auth_banner_received(self, msg: str, lang: str) -> None:
            link.notice = one_line(f"{link.notice} {msg[:1024]}", 512)

        def password_auth_requested(self) -> str | None:
            # Once in all: a second wrong one may lock the account.
            if self.asked or not link.keep_new_key():
                return None
            self.asked = True
            return link.options.password

        def kbdint_auth_requested(self) -> str | None:
            return None if self.asked else ""

        def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> list[str] | None:
            if not prompts:
                return []
            password = self.password_auth_requested() if len(prompts) == 1 else None
            return None if password is None else [password]

    return Client()
