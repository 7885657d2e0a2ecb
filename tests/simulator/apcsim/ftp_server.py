# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's FTP server on pyftpdlib: no file system behind it, bytes go into the model as they arrive.

Facts (facts/NMC.md): the banner names model and AOS; one user at a time; 421 while booting; files are write-only
(`--wx-wx-wx`) but for event.txt and config.ini; after each module the card reboots at once and the control connection
just dies, with no reply to the STOR.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import time
from typing import Any

from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.handlers.ftp.control import proto_cmds
from pyftpdlib.handlers.ftp.dispatchers import PassiveDTP
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from .serve import Live
from .sessions import LoginRefused

TICK_S = 0.05
# small, so that the bytes a client believes sent are few more than the bytes the card has read
RECEIVE_BUFFER = 4096
BURST_S = 0.05  # what TCP's own pauses cost may be caught up
RST = struct.pack("ii", 1, 0)  # SO_LINGER: close by reset

COMMANDS = {
    name: {**proto_cmds[name], "perm": None}
    for name in (
        "ABOR", "ALLO", "CDUP", "CWD", "EPRT", "EPSV", "LIST", "NLST", "MODE", "NOOP", "PASS", "PASV", "PORT", "PWD",
        "QUIT", "RETR", "SIZE", "STOR", "STRU", "SYST", "TYPE", "USER",
    )
}  # fmt: skip

_quiet = logging.getLogger("pyftpdlib")


def _reset(sock: Any) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)


class Passive(PassiveDTP):
    def __init__(self, cmd_channel: Any, extmode: bool = False) -> None:
        super().__init__(cmd_channel, extmode)
        # before the connection is made: the window offered depends on it
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


class Upload:
    """The file object of a STOR as pyftpdlib wants it; the model's Store is behind it."""

    def __init__(self, live: Live, store: Any, name: str) -> None:
        self.live, self.store, self.name, self.closed = live, store, name, False

    def write(self, chunk: bytes) -> None:
        with self.live.at_now():
            self.store.write(chunk)

    def finish(self) -> None:
        self.closed = True
        with self.live.at_now():
            self.store.finish()

    def close(self) -> None:
        """Anything but an orderly end of file: ABOR, QUIT, a reset, a control connection that is gone."""
        if not self.closed:
            self.closed = True
            with self.live.at_now():
                self.store.abort()


class Data(DTPHandler):
    """Receives no faster than the card would, and tells an orderly end from a reset."""

    timeout = 0  # the model's session time-out rules
    cmd_channel: Any
    file_obj: Any
    _resp: tuple[Any, ...]
    _next_s = 0.0
    _waking: Any = None

    def handle_read(self) -> None:
        live: Live = self.cmd_channel.live
        rate = live.ftp_rate()
        try:
            chunk = self.socket.recv(int(min(16384, max(512, rate * 0.01))))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._ended(orderly=False)
            return
        if not chunk:
            self._ended(orderly=True)
            return
        self.tot_bytes_received += len(chunk)
        try:
            self.file_obj.write(chunk)
        except ConnectionError:  # cut on the way, or the card is gone
            self.cmd_channel.die()
            return
        except Exception as refused:
            self._refused(refused)
            return
        now = time.monotonic()
        self._next_s = max(self._next_s, now - BURST_S) + len(chunk) / rate
        if self._next_s - now > 0.002:
            self.del_channel()
            self._waking = self.ioloop.call_later(self._next_s - now, self._wake, _errback=self.handle_error)

    handle_read_event = handle_read  # bound by name in the parent

    def _wake(self) -> None:
        if not self._closed:
            self.add_channel(events=self.ioloop.READ)

    def handle_close(self) -> None:
        if self.receive and not self._closed:
            # hang-up seen by the poller before it was read: read it, it says which kind of end it is
            self.handle_read()
        else:
            super().handle_close()

    def _ended(self, orderly: bool) -> None:
        upload, self.file_obj = self.file_obj, None
        channel = self.cmd_channel
        try:
            if orderly:
                upload.finish()
            else:
                upload.close()
        except Exception as refused:
            self._resp = (f"550 {refused}", _quiet.debug)
        else:
            self._resp = ("226 Transfer complete." if orderly else "426 Transfer aborted.", _quiet.debug)
        if channel.session is None or not channel.session.alive:
            self._resp = ()  # rebooting: nobody is left to reply
            channel.server.tick()
            channel.die()
        self.close()

    def _refused(self, why: Exception) -> None:
        upload, self.file_obj = self.file_obj, None
        upload.close()
        self._resp = (f"426 {why}", _quiet.debug)
        self.close()

    def close(self) -> None:
        if self._waking is not None and not self._waking.cancelled:
            self._waking.cancel()
        if not self._closed and self.receive and self.file_obj is not None:
            upload, self.file_obj = self.file_obj, None
            upload.close()
        super().close()


class Card(FTPHandler):
    """One control connection."""

    proto_cmds = COMMANDS
    passive_dtp = Passive
    dtp_handler = Data
    use_sendfile = False
    timeout = 0  # the model's session time-out rules
    live: Live  # set on a subclass, by Ftp
    session: Any = None
    authenticated: bool
    _was_reset = False

    def handle(self) -> None:
        self.server.cards.add(self)
        with self.live.at_now() as unit:
            state, banner = unit.ftp_state, unit.ftp_banner
        if state == "down":  # it went down since the last tick
            self.die()
        elif state == "booting":
            self.respond("421 Service not available, the card is starting.")
            self.close_when_done()
        else:
            self.respond(f"220 {banner}")

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        if self.session is not None:
            with self.live.at_now():
                if self.session.alive:
                    self.session.touch()
        super().pre_process_command(line, cmd, arg)

    def recv(self, buffer_size: int) -> bytes:
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except ConnectionResetError:
            self._was_reset = True
        except OSError:
            pass
        return bytes(super().recv(buffer_size))

    def ftp_USER(self, line: str) -> None:
        self._logout()
        self.flush_account()
        self.username = line
        self.respond("331 User name okay, need password.")

    def ftp_PASS(self, line: str) -> None:
        if self.authenticated or not self.username:
            self.respond("503 Login with USER first.")
            return
        try:
            with self.live.at_now() as unit:
                self.session = unit.login(self.username, line, self.remote_ip)
        except LoginRefused as refused:
            if refused.kind == "auth":
                self.username = ""
                self.respond("530 Login incorrect.")
            elif refused.kind == "busy":
                self.respond(f"421 Service not available, {refused}.")
                self.close_when_done()
            else:
                self.die()
            return
        self.authenticated = True
        self.respond("230 User logged in.")

    def ftp_QUIT(self, line: str) -> None:
        self._logout()
        self.respond("221 Goodbye.")
        if self.data_channel is not None:
            self.data_channel.close()
        self._shutdown_connecting_dtp()
        self.close_when_done()

    def ftp_STOR(self, file: str, mode: str = "w") -> None:
        try:
            with self.live.at_now():
                store = self.session.store(file)
        except Exception as refused:
            self.respond(f"553 {refused}")
            return
        upload = Upload(self.live, store, file)
        if self.data_channel is not None:
            self.respond("125 Data connection already open. Transfer starting.")
            self.data_channel.file_obj = upload
            self.data_channel.enable_receiving(self._current_type, "STOR")
        else:
            self.respond("150 Opening data connection.")
            self._in_dtp_queue = (upload, "STOR")

    def ftp_RETR(self, file: str) -> None:
        try:
            with self.live.at_now():
                data = self.session.fetch(file)
        except (FileNotFoundError, PermissionError):
            self.respond("550 No such file, or not readable.")
            return
        except Exception as refused:
            self.respond(f"550 {refused}")
            return
        self.push_dtp_data(bytes(data), cmd="RETR")

    def ftp_LIST(self, path: str) -> None:
        self.respond("550 Permission denied.")

    ftp_NLST = ftp_SIZE = ftp_LIST

    def ftp_PWD(self, line: str) -> None:
        directory = self.session.directory if self.session is not None else ""
        self.respond(f'257 "/{directory}" is the current directory.')

    def ftp_CWD(self, path: str) -> None:
        try:
            with self.live.at_now():
                now = self.session.cwd(path or "/")
        except FileNotFoundError:
            self.respond("550 No such directory.")
        except Exception as refused:  # the session is over
            self.respond(f"550 {refused}")
        else:
            self.respond(f'250 "{now}" is the current directory.')

    def ftp_CDUP(self, path: str) -> None:
        self.ftp_CWD("..")

    def die(self) -> None:
        """The card goes down under the connections: no reply, no farewell."""
        if not self._closed:
            self._was_reset = True
            _reset(self.socket)
            if self.data_channel is not None:
                _reset(self.data_channel.socket)
            self.close()

    def expired(self) -> bool:
        return self.session is not None and not self.session.alive

    def _logout(self) -> None:
        session, self.session = self.session, None
        self.authenticated = False
        if session is not None:
            with self.live.at_now():
                if self._was_reset:
                    session.abort()  # the card may not notice
                else:
                    session.close()

    def close(self) -> None:
        if not self._closed:
            self.server.cards.discard(self)
            super().close()  # aborts a transfer, before its session ends
            self._logout()

    def log(self, msg: str, logfun: Any = None) -> None:
        pass


class Ftp:
    """The listener, in its own thread: open while the card is up, refusing while it is down."""

    def __init__(self, live: Live, host: str, port: int) -> None:
        self.live = live
        # keeps the port ours while the card is down and does not listen
        self._reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((host, port))
        address = self._reserved.getsockname()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        self.port = int(address[1])
        self._loop = IOLoop()
        self._server = FTPServer(listener, type("BoundCard", (Card,), {"live": live}), ioloop=self._loop, backlog=16)
        self._server.cards = set()
        self._server.tick = self._tick
        self._listening = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="ftp")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2)
        self._reserved.close()

    def _run(self) -> None:
        self._loop.call_every(TICK_S, self._tick)
        try:
            while not self._stop.is_set():
                self._loop.loop(timeout=TICK_S, blocking=False)
        finally:
            self._server.close_all()

    def _tick(self) -> None:
        with self.live.at_now() as unit:
            state = unit.ftp_state
        if state == "down" and self._listening:
            self._server.del_channel()
            self._server.socket.shutdown(socket.SHUT_RDWR)  # on Linux: stops listening, keeps the port
            self._listening = False
        elif state != "down" and not self._listening:
            self._server.socket.listen(16)
            self._server.add_channel()
            self._listening = True
        for card in list(self._server.cards):
            if state == "down":
                card.die()
            elif card.expired():
                card.session = None
                card.respond("421 Session ended.")
                card.close_when_done()
