# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What FTP and SCP share: how a file goes over a TCP connection, how that ends, and what a card says about it."""

from __future__ import annotations

import contextlib
import fcntl
import re
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import family_of
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

# 512 bytes and a small socket buffer: resets near 55 KB were seen with large ones (facts/NMC). It also bounds how many
# bytes are out of our hands when a transfer is cut.
BLOCK = 512
SEND_BUFFER = 4096
LAST_REPLY_S = 10.0
QUIT_S = 2.0
# Somebody else's work is done at least this often while we wait.
SLICE_S = 0.25
# Bytes on the way are counted, not signalled: asked more often, so that little time is lost.
DRAIN_SLICE_S = 0.02
MAX_CREDENTIAL = 256
# Of a file or a directory, but neither "." nor ".."; and what begins like an option is none to a card either.
_NAME = re.compile(r"(?!\.{1,2}\Z|-)[A-Za-z0-9_.-]{1,64}", re.ASCII)

Idle = Callable[[], None]


class FromHook(Exception):
    """Carries what a hook raised past our own handlers: a hook's OSError is no broken connection."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def call_hook(hook: Callable[..., None], *arguments: int) -> None:
    """Raises FromHook for whatever the hook raises; ``hooks_unwrapped`` takes that off again."""
    try:
        hook(*arguments)
    except Exception as error:
        raise FromHook(error) from None


@contextlib.contextmanager
def hooks_unwrapped() -> Iterator[None]:
    try:
        yield
    except FromHook as carried:
        raise carried.error from None


def no_work() -> None:
    """What is done while waiting for the answer to a farewell."""


def end_by_reset(sock: socket.socket, resets: bool) -> None:
    """Whether the connection's close, also the kernel's when the process is killed, is a reset."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(resets), 0))


def on_the_way(sock: socket.socket) -> int:
    """Bytes of the file that the other side has not acknowledged; 0 where the system does not tell."""
    try:
        counted = int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0
    # Linux counts the end itself as one. A card that restarts at once may never acknowledge that.
    return counted if counted > 1 else 0


def card_socket(address: str) -> socket.socket:
    """Not connected, not blocking, with a buffer that suits a card."""
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    sock.setblocking(False)
    return sock


def endpoint(address: str, port: int) -> Any:
    """What a socket connects to, without any look-up."""
    return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4]


def check_credentials(protocol: str, username: str, password: str) -> None:
    """Raises TransportError for what could end a command early, or start another one."""
    for what, text in (("user name", username), ("password", password)):
        if not text.isprintable() or len(text) > MAX_CREDENTIAL:
            raise TransportError("unsupported", f"the {protocol} {what} holds a control character or is too long")


def checked_place(name: str) -> tuple[str, str]:
    """FILE or DIRECTORY/FILE of a card, as (directory or "", file). Raises TransportError for anything else."""
    directory, separator, file = name.rpartition("/")
    check_name(file, name)
    if separator:
        check_name(directory, name)
    return directory, file


def check_name(name: str, whole: str | None = None) -> None:
    """``whole``: what ``name`` is a part of. Raises TransportError."""
    if _NAME.fullmatch(name) is None:
        given = (whole or name)[:80]
        raise TransportError("unsupported", f"{given!r} is not a file name that is sent to or fetched from a card")


def reason_of(error: OSError) -> str:
    return error.strerror or type(error).__name__
