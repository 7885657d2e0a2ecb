# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FTP's control connection: ftplib's reply grammar under hard deadlines, others' work done while waiting."""

from __future__ import annotations

import contextlib
import ftplib
import os
import select
import socket
import time
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import family_of, shown
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.wire import (
    SLICE_S,
    Idle,
    call_hook,
    card_socket,
    end_by_reset,
    endpoint,
)

_MAX_LINE = 2048
_MAX_REPLY = 32768


class Control(ftplib.FTP):
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
        sock = card_socket(address)
        try:
            if ends_by_reset:
                end_by_reset(sock, True)
            with contextlib.suppress(BlockingIOError):
                sock.connect(endpoint(address, port))
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
            ready = {number for number, _event in poll.poll(max(0.0, min(SLICE_S, left)) * 1000)}
            if ready:
                return ready
            if left <= 0:
                raise TransportError(kind, f"{self.where} did not {doing} in time (FTP)")
            self.work()

    def work(self) -> None:
        """Somebody else's, while we wait."""
        call_hook(self.idle)
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
            if b"\n" not in self._buffer and time.monotonic() - self._idled > SLICE_S:
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

    @property
    def speaks(self) -> bool:
        """Something came, or the connection is gone. Asked without waiting."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return self.unread or bool(poll.poll(0))

    def passive_port(self) -> int:
        """Only the port counts: the data connection goes to the pinned address, whatever the card says."""
        try:
            if self.af == socket.AF_INET:
                return int(ftplib.parse227(self.sendcmd("PASV"))[1])
            return int(ftplib.parse229(self.sendcmd("EPSV"), (self.address, 0))[1])
        except ftplib.error_proto:
            raise TransportError("transfer", f"{self.where} answered the passive mode command unintelligibly") from None

    def drop(self) -> None:
        """The connection, without a farewell."""
        sock, self.sock = self.sock, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()
