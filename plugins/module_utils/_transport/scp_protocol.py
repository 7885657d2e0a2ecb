# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The old scp protocol, as bytes on one exec channel: what is said, and what the other side may say.

A sender writes ``C0644 SIZE NAME``, the bytes and a zero; each is answered by a zero, or by 1 or 2 and a line of text.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import one_line
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

OK = b"\0"
MAX_LINE = 1024
# What may lie unread here before the other side is told to wait.
HIGH = 32768
MAX_STDERR = 400
_FILE = re.compile(rb"C[0-7]{4} (\d{1,12}) (.{1,512})", re.DOTALL)
_TIMES = re.compile(rb"T\d{1,20} \d{1,20} \d{1,20} \d{1,20}")


def announcement(name: str, size: int) -> bytes:
    return f"C0644 {size} {name}\n".encode("ascii")


def is_times(line: bytes) -> bool:
    return _TIMES.fullmatch(line) is not None


def announced_size(line: bytes, where: str, name: str) -> int:
    """Of the file that a C line announces. Raises TransportError."""
    match = _FILE.fullmatch(line)
    if match is None:
        said = one_line(line.decode("latin-1"), 80)
        raise TransportError("transfer", f"{where} did not announce {name} as scp does: {said!r}")
    return int(match.group(1))


class Exchange:
    """What came in on one channel; asyncssh's session object, without needing asyncssh to be there."""

    def __init__(self) -> None:
        self.channel: Any = None
        self.data = bytearray()
        self.stderr = bytearray()
        self.over = False  # nothing more will come
        self.closed = False
        self.exit_status: int | None = None
        self._paused = False

    # -- asyncssh's calls ----------------------------------------------------------------------------------------

    def connection_made(self, channel: Any) -> None:
        self.channel = channel

    def session_started(self) -> None:
        """Nothing is due then."""

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:
            self.stderr += data[: MAX_STDERR - len(self.stderr)]
            return
        self.data += data
        if len(self.data) >= HIGH and not self._paused:
            self._paused = True
            self.channel.pause_reading()

    def eof_received(self) -> bool:
        self.over = True
        return True  # our own side stays open

    def exit_status_received(self, status: int) -> None:
        self.exit_status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.exit_status = -1

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = self.closed = True

    def pause_writing(self) -> None:
        """The blocks are small, and each is waited for."""

    def resume_writing(self) -> None:
        """See above."""

    # -- ours ----------------------------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """At most so many bytes of what came."""
        taken = bytes(self.data[:count])
        del self.data[:count]
        if self._paused and len(self.data) < HIGH // 2:
            self._paused = False
            self.channel.resume_reading()
        return taken

    @property
    def speaks(self) -> bool:
        """The other side said something, or is gone."""
        return bool(self.data) or self.over

    @property
    def has_line(self) -> bool:
        return b"\n" in self.data[: MAX_LINE + 1] or len(self.data) > MAX_LINE

    @property
    def has_answer(self) -> bool:
        """A zero, or a whole refusal."""
        return bool(self.data) and (self.data[0] not in (1, 2) or self.has_line)

    def take_line(self) -> bytes:
        """Without its end; what is too long for a line comes as it is, cut."""
        end = self.data.find(b"\n", 0, MAX_LINE + 1)
        return self.take(end + 1)[:-1] if end >= 0 else self.take(MAX_LINE)

    def take_answer(self) -> str | None:
        """None: a zero. Otherwise the refusal's text."""
        first = self.take(1)
        if first == OK:
            return None
        if first in (b"\1", b"\2"):
            return one_line(self.take_line().decode("latin-1")) or "it gave no reason"
        return "it said " + repr(one_line((first + self.take_line()).decode("latin-1"), 80))

    def last_words(self) -> str:
        """What it left behind when it ended, for a message."""
        text = one_line((bytes(self.data[:MAX_STDERR]) + b" " + bytes(self.stderr)).decode("latin-1"))
        if text:
            return text
        return f"exit status {self.exit_status}" if self.exit_status else "it said nothing"

    @property
    def window(self) -> int | None:
        """How many bytes the other side takes now; None where this asyncssh does not tell."""
        window = getattr(self.channel, "_send_window", None)
        return window if isinstance(window, int) else None

    @property
    def at_once(self) -> int | None:
        """How many bytes can leave as one packet now; None where this asyncssh does not tell."""
        window, packet = self.window, getattr(self.channel, "_send_pktsize", None)
        if window is None:
            return None
        return min(window, packet) if isinstance(packet, int) and packet > 0 else window

    @property
    def unsent(self) -> int:
        return int(self.channel.get_write_buffer_size())
