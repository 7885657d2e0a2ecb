# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FTP to a management card: one login, small blocks, hard deadlines, and somebody else's work done while waiting.

The card reboots as soon as it has a whole firmware file, so the end of a transfer is decided byte by byte: see store().
Private to the collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import ftplib
import os
import re
import select
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import one_line
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import family_of, shown
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import TransferHooks

# 512 bytes and a small socket buffer: resets near 55 KB were seen with large ones (facts/NMC). It also bounds how many
# bytes are out of our hands when a transfer is cut.
BLOCK = 512
SEND_BUFFER = 4096
LAST_REPLY_S = 10.0
_QUIT_S = 2.0
_SLICE_S = 0.25
# Bytes on the way are counted, not signalled: asked more often, so that little time is lost.
_DRAIN_SLICE_S = 0.02
_MAX_LINE = 2048
_MAX_REPLY = 32768
# Of a file or a directory, but neither "." nor "..".
_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,64}", re.ASCII)
_BUSY = re.compile(r"currently logged|already logged|in use|session|busy|too many|try again later", re.IGNORECASE)

Idle = Callable[[], None]


def open_ftp(address: str, port: int, username: str, password: str, timeout_s: float, idle: Idle) -> FtpLogin:
    """Logs in, in at most ``timeout_s`` real seconds. ``idle`` is called at least every half second of any wait."""
    for what, text in (("user name", username), ("password", password)):
        if not text.isprintable() or len(text) > 256:
            raise TransportError("unsupported", f"the FTP {what} holds a control character or is too long")
    login = FtpLogin(address, port, timeout_s, idle)
    try:
        with _unwrapped():
            login.log_in(username, password)
    except BaseException:
        login.abort()
        raise
    return login


class _FromHook(Exception):
    """Carries what a hook raised past our own handlers: a hook's OSError is no broken connection."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _call(hook: Callable[..., None], *arguments: int) -> None:
    try:
        hook(*arguments)
    except Exception as error:
        raise _FromHook(error) from None


@contextlib.contextmanager
def _unwrapped() -> Iterator[None]:
    try:
        yield
    except _FromHook as carried:
        raise carried.error from None


class _Control(ftplib.FTP):
    """ftplib's reply grammar on our own socket handling: its makefile() would block without a hard end."""

    sock: Any

    def __init__(self, address: str, port: int, idle: Idle) -> None:
        super().__init__()
        self.address = address
        self.where = shown(address, port)
        self.idle = idle
        self.deadline = 0.0
        self._buffer = b""
        self._reply_bytes = 0
        self._idled = 0.0
        self.af = family_of(address)
        self.passiveserver = True

    def set_debuglevel(self, level: int) -> None:
        """Never: it prints the password."""

    def open(self, address: str, port: int, deadline: float, ends_by_reset: bool = False) -> socket.socket:
        sock = socket.socket(self.af, socket.SOCK_STREAM)
        try:
            if ends_by_reset:
                _end_by_reset(sock, True)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            sock.setblocking(False)
            where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4]
            with contextlib.suppress(BlockingIOError):
                sock.connect(where)
            self.wait([(sock, select.POLLOUT)], deadline, "accept a connection")
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure:
                raise OSError(failure, os.strerror(failure))
        except BaseException:
            sock.close()
            raise
        return sock

    def wait(
        self, watched: list[tuple[socket.socket, int]], deadline: float, doing: str, kind: str = "timeout"
    ) -> set[int]:
        """File descriptors that are ready; never empty. What is ready wins over a deadline that idle() overran."""
        poll = select.poll()
        for sock, events in watched:
            poll.register(sock, events)
        while True:
            left = deadline - time.monotonic()
            ready = {number for number, _event in poll.poll(max(0.0, min(_SLICE_S, left)) * 1000)}
            if ready:
                return ready
            if left <= 0:
                raise TransportError(kind, f"{self.where} did not {doing} in time (FTP)")
            self.work()

    def work(self) -> None:
        """Somebody else's, while we wait."""
        _call(self.idle)
        self._idled = time.monotonic()

    def getline(self) -> str:
        """One line, without its end; bounded in length, and by the deadline however slowly it trickles."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > _MAX_LINE:
                raise TransportError("transfer", f"{self.where} sent an endless FTP reply line")
            self.wait([(self.sock, select.POLLIN)], self.deadline, "answer")
            data = self.sock.recv(1024)
            if not data:
                raise EOFError
            self._buffer += data
            if time.monotonic() > self.deadline and b"\n" not in self._buffer:
                raise TransportError("timeout", f"{self.where} did not finish its FTP reply in time")
            if b"\n" not in self._buffer and time.monotonic() - self._idled > _SLICE_S:
                # A reply that trickles is never waited for long, and would keep everybody else from their work.
                self.work()
        line, self._buffer = self._buffer.split(b"\n", 1)
        self._reply_bytes += len(line) + 1
        if self._reply_bytes > _MAX_REPLY:
            raise TransportError("transfer", f"{self.where} sent an endless FTP reply")
        return line.rstrip(b"\r").decode("latin-1")

    def getmultiline(self) -> str:
        self._reply_bytes = 0
        return super().getmultiline()

    def putline(self, line: str) -> None:
        if "\r" in line or "\n" in line or "\0" in line:
            raise TransportError("internal", "an FTP command with a line break was refused")
        data = line.encode("utf-8") + b"\r\n"
        while data:
            self.wait([(self.sock, select.POLLOUT)], self.deadline, "take a command")
            data = data[self.sock.send(data) :]

    @property
    def unread(self) -> bool:
        """A reply that came together with the one before it."""
        return b"\n" in self._buffer

    def passive_port(self) -> int:
        """Only the port counts: the data connection goes to the pinned address, whatever the card says."""
        try:
            if self.af == socket.AF_INET:
                return int(ftplib.parse227(self.sendcmd("PASV"))[1])
            return int(ftplib.parse229(self.sendcmd("EPSV"), (self.address, 0))[1])
        except ftplib.error_proto:
            raise TransportError("transfer", f"{self.where} answered the passive mode command unintelligibly") from None


class FtpLogin:
    """The Login of types.py. ``last_reply`` is what the card said after a file, if anything: weak evidence."""

    protocol = "ftp"

    def __init__(self, address: str, port: int, timeout_s: float, idle: Idle) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._idle = idle
        self._control = _Control(address, port, idle)
        self._data: socket.socket | None = None
        # Open: to be logged out of. In step: the next reply belongs to the next command.
        self._open = False
        self._in_step = False
        self.banner = ""
        self.last_reply = ""

    # -- login ---------------------------------------------------------------------------------------------------

    def log_in(self, username: str, password: str) -> None:
        control = self._control
        control.deadline = time.monotonic() + self._timeout_s
        try:
            control.sock = control.open(control.address, self._port, control.deadline)
            self._open = self._in_step = True
            welcome = control.getresp()
            self.banner = _clean(welcome, 512)
            if not welcome.startswith("220"):
                raise TransportError("busy", f"{control.where} is not ready for FTP: {_clean(welcome)}")
            reply = control.sendcmd(f"USER {username}")
            if reply.startswith("3"):
                reply = control.sendcmd(f"PASS {password}")
            if not reply.startswith("2"):
                raise TransportError("auth", f"{control.where} wants more than a user name and a password")
        except ftplib.Error as error:
            raise self._refused(str(error), password) from None
        except EOFError:
            raise TransportError("transfer", f"{control.where} closed the FTP connection during the login") from None
        except ConnectionRefusedError:
            raise TransportError(
                "transfer", f"{control.where} refused FTP: it is off, another port, or the card is starting"
            ) from None
        except OSError as error:
            raise TransportError("transfer", f"FTP login at {control.where} failed: {_reason(error)}") from None
        with self._transferring("the change to binary transfers"):
            control.voidcmd("TYPE I")

    def _refused(self, reply: str, password: str) -> TransportError:
        # Some servers quote the command they refuse.
        said = _clean(reply)
        if password and password in said:
            said = f"{said[:3]} (its text is not shown: it quotes the password)"
        where = self._control.where
        if reply.startswith("4") or _BUSY.search(reply):
            return TransportError("busy", f"{where} takes no FTP login now, somebody else may be logged in: {said}")
        if reply.startswith("5"):
            return TransportError("auth", f"{where} refused the FTP user name or password: {said}")
        return TransportError("transfer", f"{where} answered the FTP login unintelligibly: {said}")

    # -- fetch ---------------------------------------------------------------------------------------------------

    def fetch(self, name: str, limit: int = 262144) -> bytes:
        """The file, whole: it must be followed by the card's word that this was all."""
        _check_name(name)
        control = self._control
        with _unwrapped(), self._transferring(f"fetching {name}"), contextlib.ExitStack() as stack:
            stack.callback(self._close_data)
            # A trickle keeps no transfer alive longer than this; logs and settings are some 10 KB.
            end = time.monotonic() + 4 * self._timeout_s
            data = self._begin(f"RETR {name}", self._timeout_s)
            parts: list[bytes] = []
            size = 0
            while True:
                stall = time.monotonic() + self._timeout_s
                control.wait([(data, select.POLLIN)], min(stall, end), f"send more of {name}")
                block = data.recv(16384)
                if not block:
                    break
                size += len(block)
                if size > limit:
                    raise TransportError("transfer", f"{name} from {control.where} is larger than {limit} bytes")
                parts.append(block)
                if time.monotonic() > end:
                    raise TransportError("timeout", f"{control.where} did not finish sending {name} in time (FTP)")
            self._close_data()
            control.deadline = time.monotonic() + self._timeout_s
            self.last_reply = _clean(control.voidresp())
            return b"".join(parts)

    # -- store ---------------------------------------------------------------------------------------------------

    def store(self, name: str, data: bytes, hooks: TransferHooks, stall_s: float | None = None) -> None:
        """Hands over every byte, or raises after a reset of both connections.

        Anything that ends a transfer early must be a reset: to FTP an orderly close is the end of the file, and the
        card would install what it has. That holds for the end of this process too, however it ends. Once the last
        block is handed over the card may die at any moment: no error.

        ``name`` may be DIRECTORY/FILE, e.g. upsfw/FILE. No reboot follows there: the card's word that it has the file
        is required, or an update started later might find an older one.
        """
        directory, separator, file = name.rpartition("/")
        _check_name(file, name)
        if separator:
            _check_name(directory, name)
        if not data:
            raise TransportError("transfer", f"{name} is empty: nothing to send")
        patience_s = self._timeout_s if stall_s is None else stall_s
        if not directory:
            self._store(file, data, hooks, patience_s, LAST_REPLY_S)
            return
        self._change_directory(directory, hooks.idle)
        try:
            self._store(file, data, hooks, patience_s, max(LAST_REPLY_S, patience_s))
            if not self.last_reply.startswith("2"):
                said = self.last_reply or "nothing"
                raise TransportError(
                    "transfer", f"{self._control.where} got every byte of {name} but did not confirm it: it said {said}"
                )
        finally:
            self._return_to_root(hooks.idle)

    def _change_directory(self, directory: str, idle: Idle) -> None:
        control = self._control
        control.deadline = time.monotonic() + self._timeout_s
        control.idle = idle
        try:
            # In the words of the errors: not every card has every directory.
            with _unwrapped(), self._transferring(f"the change to the directory {directory} (does this card have it?)"):
                control.voidcmd(f"CWD {directory}")
        finally:
            control.idle = self._idle

    def _return_to_root(self, idle: Idle) -> None:
        """What is fetched next is there. A card that does not go back has the file all the same: no error."""
        if self._in_step:
            try:
                self._change_directory("/", idle)
            except TransportError:
                # Whatever is asked for now would be another directory's.
                self._in_step = False

    def _store(self, name: str, data: bytes, hooks: TransferHooks, patience_s: float, reply_s: float) -> None:
        control = self._control
        control.idle = hooks.idle
        try:
            with _unwrapped(), self._transferring(f"sending {name}"):
                self._send(name, data, hooks, patience_s)
        except BaseException:
            if self._in_step:
                # Refused before the first byte: the session is whole and can be logged out of.
                self._close_data()
            else:
                self.abort()
            raise
        finally:
            control.idle = self._idle
        with _unwrapped():
            self._await_end(hooks.idle, patience_s, reply_s)

    def _send(self, name: str, data: bytes, hooks: TransferHooks, patience_s: float) -> None:
        channel = self._begin(f"STOR {name}", patience_s, hooks)
        total = len(data)
        # First the room, then the hook's verdict: nothing is to age it before the block is handed over.
        self._room(channel, time.monotonic() + patience_s, 0, total)
        _call(hooks.first_byte)
        last_start = (total - 1) // BLOCK * BLOCK
        done = 0
        while done < total:
            if done == last_start:
                self._drain(channel, time.monotonic() + patience_s)
                self._room(channel, time.monotonic() + patience_s, done, total)
                _call(hooks.last_block, done, total)
            block = memoryview(data)[done : done + BLOCK]
            stall = time.monotonic() + patience_s
            while block:
                block = block[self._send_some(channel, block, stall, done, total) :]
            done = min(done + BLOCK, total)
            _call(hooks.sent, done, total)

    def _send_some(self, channel: socket.socket, block: memoryview, stall: float, done: int, total: int) -> int:
        self._room(channel, stall, done, total)
        with contextlib.suppress(BlockingIOError):
            return channel.send(block)
        return 0

    def _room(self, channel: socket.socket, stall: float, done: int, total: int) -> None:
        """Waits until the card takes more; raises when it speaks instead."""
        control = self._control
        ready = control.wait(
            [(channel, select.POLLOUT), (control.sock, select.POLLIN)],
            stall,
            f"take more than {done} of {total} bytes",
            "transfer",
        )
        if control.sock.fileno() in ready or control.unread:
            # The card speaks before it has everything: a refusal, or its end.
            control.deadline = max(stall, time.monotonic() + self._timeout_s)
            reply = control.getmultiline()
            raise TransportError(
                "transfer", f"{control.where} ended the transfer after {done} of {total} bytes: {_clean(reply)}"
            )

    def _await_end(self, idle: Idle, patience_s: float, reply_s: float) -> None:
        """The end of the file, then whatever the card still says: for at most ``reply_s``, and no end is an error."""
        control, channel = self._control, self._data
        control.idle = idle
        self.last_reply = ""
        try:
            if channel is not None:
                # From here on everything is in the kernel's hands, which delivers it and the end even if we die.
                _end_by_reset(channel, False)
                # Not a close yet: closing with something unread would be a reset, and so cut the file's last bytes off.
                channel.shutdown(socket.SHUT_WR)
                self._drain(channel, time.monotonic() + patience_s)
            control.deadline = time.monotonic() + reply_s
            self.last_reply = _clean(control.getmultiline())
        except (EOFError, OSError):
            self._open = self._in_step = False
        except TransportError:
            self._in_step = False
        finally:
            control.idle = self._idle
            self._close_data()

    def _drain(self, channel: socket.socket, limit: float) -> None:
        """Until the card has taken what was written, speaks or is gone.

        At the end the QUIT that follows might end what still goes on; before the last block that block would be queued
        behind the rest, and go out long after the verdict that released it.
        """
        control = self._control
        poll = select.poll()
        poll.register(control.sock, select.POLLIN)
        poll.register(channel, 0)  # its errors and its hang-up only
        while _on_the_way(channel) and not control.unread and time.monotonic() < limit:
            if poll.poll(_DRAIN_SLICE_S * 1000):
                return
            control.work()

    # -- shared --------------------------------------------------------------------------------------------------

    def _begin(self, command: str, patience_s: float, hooks: TransferHooks | None = None) -> socket.socket:
        """The data connection, and the card's agreement to the command. With hooks: a store."""
        control = self._control
        control.deadline = time.monotonic() + self._timeout_s
        port = control.passive_port()
        self._data = control.open(control.address, port, control.deadline, ends_by_reset=hooks is not None)
        if hooks is not None:
            _call(hooks.first_byte)
        # After the hook, which may have waited. A card may clear its flash before it agrees [?].
        control.deadline = time.monotonic() + patience_s
        reply = control.sendcmd(command)
        if not reply.startswith("1"):
            # 2xx before anything was transferred: the card did nothing.
            raise TransportError("transfer", f"{control.where} did not start the transfer: {_clean(reply)}")
        return self._data

    @contextlib.contextmanager
    def _transferring(self, doing: str) -> Iterator[None]:
        where = self._control.where
        if not self._in_step:
            raise TransportError("transfer", f"{doing} is not possible: the FTP session with {where} is over")
        self._in_step = False
        try:
            yield
            self._in_step = True
        except ftplib.error_proto as error:
            raise TransportError("transfer", f"{where} answered {doing} unintelligibly: {_clean(str(error))}") from None
        except ftplib.Error as error:
            # A refusal is a whole answer: the session goes on.
            self._in_step = True
            raise TransportError("transfer", f"{where} refused {doing}: {_clean(str(error))}") from None
        except EOFError:
            self._open = False
            raise TransportError("transfer", f"{where} closed the FTP connection: {doing} failed") from None
        except OSError as error:
            raise TransportError("transfer", f"{doing} was cut ({where}): {_reason(error)}") from None

    def _close_data(self) -> None:
        data, self._data = self._data, None
        if data is not None:
            data.close()

    def close(self) -> None:
        """Logs out: a session left open keeps everybody else out for minutes."""
        self._close_data()
        control = self._control
        if self._open:
            self._open = self._in_step = False
            control.deadline = time.monotonic() + _QUIT_S
            control.idle = _nothing
            with contextlib.suppress(Exception):
                control.putline("QUIT")
                control.getmultiline()
        _close(control)

    def abort(self) -> None:
        """Both connections end by reset, so that the card cannot take what it has for the whole file."""
        self._open = self._in_step = False
        for sock in (self._data, self._control.sock):
            if sock is not None:
                _end_by_reset(sock, True)
        self._close_data()
        _close(self._control)


def _end_by_reset(sock: socket.socket, resets: bool) -> None:
    """Whether the connection's close, also the kernel's when the process is killed, is a reset."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(resets), 0))


def _on_the_way(sock: socket.socket) -> bool:
    """Bytes of the file that the other side has not acknowledged; False where the system does not tell."""
    try:
        counted = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return False
    # Linux counts the end itself as one. A card that restarts at once may never acknowledge that.
    return int.from_bytes(counted, sys.byteorder) > 1


def _close(control: _Control) -> None:
    sock: Any = control.sock
    control.sock = None
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.close()


def _check_name(name: str, whole: str | None = None) -> None:
    """``whole``: what ``name`` is a part of."""
    if _NAME.fullmatch(name) is None:
        given = (whole or name)[:80]
        raise TransportError("unsupported", f"{given!r} is not a file name that is sent to or fetched from a card")


def _clean(text: str, limit: int = 200) -> str:
    """Device text on its way into messages: one line, no control characters, bounded."""
    return one_line(text, limit)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _nothing() -> None:
    """What is done while waiting for the answer to QUIT."""
