# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FTP to a management card: one login, small blocks, hard deadlines, and somebody else's work done while waiting.

The card reboots as soon as it has a whole firmware file, so the end of a transfer is decided byte by byte: see store().
"""

from __future__ import annotations

import contextlib
import ftplib
import re
import select
import socket
import time
from collections.abc import Iterator

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import one_line
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp_control import Control
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import TransferHooks
from ansible_collections.dcops.apc.plugins.module_utils._transport.wire import (
    BLOCK,
    DRAIN_SLICE_S,
    LAST_REPLY_S,
    QUIT_S,
    Idle,
    call_hook,
    check_credentials,
    check_name,
    checked_place,
    end_by_reset,
    hooks_unwrapped,
    no_work,
    on_the_way,
    reason_of,
)

_BUSY = re.compile(r"currently logged|already logged|in use|session|busy|too many|try again later", re.IGNORECASE)


def open_ftp(address: str, port: int, username: str, password: str, timeout_s: float, idle: Idle) -> FtpLogin:
    """Logs in, in at most ``timeout_s`` real seconds. ``idle`` is called at least every half second of any wait."""
    check_credentials("FTP", username, password)
    login = FtpLogin(address, port, timeout_s, idle)
    try:
        with hooks_unwrapped():
            login.log_in(username, password)
    except BaseException:
        login.abort()
        raise
    return login


class FtpLogin:
    """The Login of types.py. ``last_reply`` is what the card said after a file, if anything: weak evidence."""

    protocol = "ftp"

    def __init__(self, address: str, port: int, timeout_s: float, idle: Idle) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._idle = idle
        self._control = Control(address, port, idle)
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
            self.banner = one_line(welcome, 512)
            if not welcome.startswith("220"):
                raise TransportError("busy", f"{control.where} is not ready for FTP: {one_line(welcome)}")
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
            raise TransportError("transfer", f"FTP login at {control.where} failed: {reason_of(error)}") from None
        with self._transferring("the change to binary transfers"):
            control.voidcmd("TYPE I")

    def _refused(self, reply: str, password: str) -> TransportError:
        # Some servers quote the command they refuse.
        said = one_line(reply)
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
        check_name(name)
        control = self._control
        with hooks_unwrapped(), self._transferring(f"fetching {name}"), contextlib.ExitStack() as stack:
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
            self.last_reply = one_line(control.voidresp())
            return b"".join(parts)

    # -- store ---------------------------------------------------------------------------------------------------

    def store(self, name: str, data: bytes, hooks: TransferHooks, stall_s: float | None = None) -> None:
        """Hands over every byte, or raises after a reset of both connections; only what a hook raises once every byte
        is out comes after an orderly end.

        Anything that ends a transfer early must be a reset: to FTP an orderly close is the end of the file, and the
        card would install what it has. That holds for the end of this process too, however it ends. Once the last
        block is handed over the card may die at any moment: no error.

        ``name`` may be DIRECTORY/FILE, e.g. upsfw/FILE. No reboot follows there: the card's word that it has the file
        is required, or an update started later might find an older one.
        """
        directory, file = checked_place(name)
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
            doing = f"the change to the directory {directory} (does this card have it?)"
            with hooks_unwrapped(), self._transferring(doing):
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
            with hooks_unwrapped(), self._transferring(f"sending {name}"):
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
        with hooks_unwrapped():
            self._await_end(hooks, len(data), patience_s, reply_s)

    def _send(self, name: str, data: bytes, hooks: TransferHooks, patience_s: float) -> None:
        channel = self._begin(f"STOR {name}", patience_s, hooks)
        total = len(data)
        # First the room, then the hook's verdict: nothing is to age it before the block is handed over.
        self._room(channel, time.monotonic() + patience_s, 0, total)
        call_hook(hooks.first_byte)
        whole = memoryview(data)
        last_start = (total - 1) // BLOCK * BLOCK
        for done in range(0, last_start, BLOCK):
            block = whole[done : done + BLOCK]
            stall = time.monotonic() + patience_s
            while block:
                self._room(channel, stall, done, total)
                block = block[_send_now(channel, block) :]
            call_hook(hooks.sent, done + BLOCK, total)
        done = last_start
        while done < total:
            self._drained(channel, patience_s, done, total)
            self._room(channel, time.monotonic() + patience_s, done, total)
            call_hook(hooks.last_block, done, total)
            # Nothing that waits comes between the hook's verdict and the send, nor before the end of the file: to some
            # cards that end, and not the last byte, is the moment. What could not leave at once needs a new verdict.
            if self._control.speaks:
                self._spoken(done, total, time.monotonic())
            done += _send_now(channel, whole[done:])
        self._end_of_file(channel)

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
            self._spoken(done, total, stall)

    def _spoken(self, done: int, total: int, stall: float) -> None:
        """The card speaks before it has everything: a refusal, or its end. Raises."""
        control = self._control
        control.deadline = max(stall, time.monotonic() + self._timeout_s)
        reply = control.getmultiline()
        raise TransportError(
            "transfer", f"{control.where} ended the transfer after {done} of {total} bytes: {one_line(reply)}"
        )

    def _drained(self, channel: socket.socket, patience_s: float, done: int, total: int) -> None:
        """Nothing of the file is queued before the last block, which else would go out long after its verdict."""
        while queued := on_the_way(channel):
            limit = time.monotonic() + patience_s
            self._drain(channel, limit, enough=queued - 1)
            if on_the_way(channel) < queued:
                continue
            if time.monotonic() < limit:
                return  # it speaks or is gone, as whoever asks for room is told
            taken = f"{done - queued} of {total} bytes"
            raise TransportError("transfer", f"{self._control.where} did not take more than {taken} in time (FTP)")

    def _end_of_file(self, channel: socket.socket) -> None:
        # From here on everything is in the kernel's hands, which delivers it and the end even if we die.
        end_by_reset(channel, False)
        # Not a close yet: closing with something unread would be a reset, and so cut the file's last bytes off.
        with contextlib.suppress(OSError):
            channel.shutdown(socket.SHUT_WR)

    def _await_end(self, hooks: TransferHooks, total: int, patience_s: float, reply_s: float) -> None:
        """Whatever the card still says after the end of the file: for at most ``reply_s``, and no end is an error."""
        control, channel = self._control, self._data
        control.idle = hooks.idle
        self.last_reply = ""
        self._in_step = False
        try:
            call_hook(hooks.sent, total, total)
            if channel is not None:
                self._drain(channel, time.monotonic() + patience_s)
            control.deadline = time.monotonic() + reply_s
            self.last_reply = one_line(control.getmultiline())
            self._in_step = True
        except (EOFError, OSError):
            self._open = False
        except TransportError:
            pass
        finally:
            control.idle = self._idle
            self._close_data()

    def _drain(self, channel: socket.socket, limit: float, enough: int = 0) -> None:
        """Until the card has taken all that was written but ``enough`` bytes, speaks or is gone.

        At the end the QUIT that follows might end what still goes on.
        """
        control = self._control
        poll = select.poll()
        poll.register(control.sock, select.POLLIN)
        poll.register(channel, 0)  # its errors and its hang-up only
        while on_the_way(channel) > enough and not control.unread and time.monotonic() < limit:
            if poll.poll(DRAIN_SLICE_S * 1000):
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
            call_hook(hooks.first_byte)
        # After the hook, which may have waited. A card may clear its flash before it agrees [?].
        control.deadline = time.monotonic() + patience_s
        reply = control.sendcmd(command)
        if not reply.startswith("1"):
            # 2xx before anything was transferred: the card did nothing.
            raise TransportError("transfer", f"{control.where} did not start the transfer: {one_line(reply)}")
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
            said = one_line(str(error))
            raise TransportError("transfer", f"{where} answered {doing} unintelligibly: {said}") from None
        except ftplib.Error as error:
            # A refusal is a whole answer: the session goes on.
            self._in_step = True
            raise TransportError("transfer", f"{where} refused {doing}: {one_line(str(error))}") from None
        except EOFError:
            self._open = False
            raise TransportError("transfer", f"{where} closed the FTP connection: {doing} failed") from None
        except OSError as error:
            raise TransportError("transfer", f"{doing} was cut ({where}): {reason_of(error)}") from None

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
            control.deadline = time.monotonic() + QUIT_S
            control.idle = no_work
            with contextlib.suppress(Exception):
                control.putline("QUIT")
                control.getmultiline()
        control.drop()

    def abort(self) -> None:
        """Both connections end by reset, so that the card cannot take what it has for the whole file."""
        self._open = self._in_step = False
        for sock in (self._data, self._control.sock):
            if sock is not None:
                end_by_reset(sock, True)
        self._close_data()
        self._control.drop()


def _send_now(channel: socket.socket, block: memoryview) -> int:
    """How many bytes the kernel took."""
    with contextlib.suppress(BlockingIOError):
        return channel.send(block)
    return 0
