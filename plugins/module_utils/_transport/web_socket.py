# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections whose reads are counted and end at a deadline, for requests.

requests' own time limit starts again with every byte, and its reader takes a line of any length.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from typing import Any

try:
    import urllib3
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError:  # named when the web is wanted; everything else works without it
    HAS_REQUESTS = False
else:
    HAS_REQUESTS = True


class TooMuch(OSError):
    pass


class Guard:
    """The bounds of one exchange, kept at the socket. ``cancel`` comes from another thread."""

    def __init__(self, deadline: float, most_bytes: int) -> None:
        self._deadline = deadline
        self._left = most_bytes
        self._cancelled = False
        self._socket: Any = None
        self.late = False
        self.too_much = False

    def take(self, sock: Any) -> Any:
        """The new connection. Nothing is sent on one that came too late: a login would open a session for nobody."""
        self._socket = sock
        try:
            self.time_left()
        except OSError:
            sock.close()
            raise
        return _GuardedSocket(sock, self)

    def time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if self._cancelled or left <= 0:
            self.late = True
            raise TimeoutError("the time is up")
        return left

    def overflow(self) -> TooMuch:
        self.too_much = True
        return TooMuch("more than any page of a card")

    def came(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise self.overflow()

    def cancel(self) -> None:
        self._cancelled = self.late = True
        sock = self._socket
        if sock is not None:
            # The plain one, below TLS: it wakes whoever reads, and touches none of TLS's state.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _GuardedSocket:
    """A socket whose reads are bounded."""

    def __init__(self, sock: Any, guard: Guard) -> None:
        self._sock = sock
        self._guard = guard

    def makefile(self, mode: str = "rb", *_more: Any, **_options: Any) -> io.BufferedReader:
        return io.BufferedReader(_Counted(self._sock, self._guard))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Counted(io.RawIOBase):
    def __init__(self, sock: Any, guard: Guard) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._guard = guard

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._guard.time_left())
        count: int | None = self._raw.readinto(buffer)
        self._guard.came(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def guarded_adapter(guard: Guard, server_name: str | None) -> Any:
    """requests on connections that the guard has in hand."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock = guard.take(self.sock)

    class Tls(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock = guard.take(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
            if server_name is not None:
                named["server_hostname"] = server_name
            super().init_poolmanager(*arguments, **named)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

    return Adapter(pool_connections=1, pool_maxsize=1, max_retries=0)


def allow_unverified() -> None:
    """The operator has decided; said once more for every page, it would only hide what matters."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
