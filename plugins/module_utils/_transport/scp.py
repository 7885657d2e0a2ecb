# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SCP to a management card: the Login of types.py over SSH, with the promises of ftp.py.

Not asyncssh's own scp: a card wants ``scp -q -t NAME`` with nothing quoted (facts/NMC), and the end of a transfer is
decided byte by byte, see store().
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.scp_protocol import (
    HIGH,
    OK,
    Exchange,
    announced_size,
    announcement,
    is_times,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.ssh_link import ChannelRefused, Link, ScpOptions
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import TransferHooks
from ansible_collections.dcops.apc.plugins.module_utils._transport.wire import (
    BLOCK,
    DRAIN_SLICE_S,
    LAST_REPLY_S,
    Idle,
    check_credentials,
    check_name,
    checked_place,
    hooks_unwrapped,
    on_the_way,
)

_END_S = 2.0
# For a window that stays smaller than the last block and the zero behind it.
_SMALL_WINDOW_S = 2.0


def open_scp(options: ScpOptions, idle: Idle, client_key: Any = None) -> ScpLogin:
    """Logs in, in at most ``options.timeout_s`` real seconds. ``idle`` is called at least every half second
    of any wait.

    ``client_key``: for tests against a server that cannot check passwords; no option of any module.
    """
    check_credentials("SSH", options.username, options.password)
    login = ScpLogin(Link(options, idle, client_key), options.timeout_s)
    try:
        with hooks_unwrapped():
            login.log_in()
    except BaseException:
        login.abort()
        raise
    return login


class ScpLogin:
    """The Login of types.py. ``last_reply`` is what the card said after a file, if anything: weak evidence."""

    protocol = "scp"

    def __init__(self, link: Link, timeout_s: float) -> None:
        self._link = link
        self._idle = link.idle
        self._timeout_s = timeout_s
        # In step: nothing of an earlier transfer is still due, the next command may come.
        self._in_step = False
        self.banner = ""
        self.last_reply = ""

    @property
    def host_key(self) -> str:
        """The fingerprint of the key that was accepted."""
        return self._link.host_key.fingerprint if self._link.host_key is not None else ""

    def log_in(self) -> None:
        self._link.log_in()
        self._in_step = True
        self.banner = f"{self._link.server_version} {self._link.notice}".strip()[:512]

    # -- fetch ---------------------------------------------------------------------------------------------------

    def fetch(self, name: str, limit: int = 262144) -> bytes:
        """The file, whole: every byte announced, and the card's word that it could read them all."""
        check_name(name)
        with hooks_unwrapped(), self._transferring(f"fetching {name}"):
            # A trickle keeps no transfer alive longer than this; logs and settings are some 10 KB.
            end = time.monotonic() + 4 * self._timeout_s
            exchange = self._execute(f"scp -q -f {name}", f"fetching {name}", self._timeout_s)
            try:
                size = self._announced(exchange, name, limit, end)
                data = self._read(exchange, name, size, end)
            except ScpRefused:
                self._finish(exchange)
                raise
            self._write(exchange, OK, name)
            self.last_reply = "the whole file"
            self._finish(exchange)
        return data

    def _announced(self, exchange: Exchange, name: str, limit: int, end: float) -> int:
        link = self._link
        self._write(exchange, OK, name)
        for _line in range(3):
            deadline = min(time.monotonic() + self._timeout_s, end)
            link.until(lambda: exchange.has_line or exchange.over, deadline, f"announce {name}")
            if not exchange.has_line:
                raise self._ended(exchange, f"fetching {name}")
            if exchange.data[0] in (1, 2):
                raise ScpRefused("transfer", f"{link.where} refused fetching {name}: {exchange.take_answer()}")
            line = exchange.take_line()
            # Not asked for (-p), but harmless.
            if not is_times(line):
                size = announced_size(line, link.where, name)
                if size > limit:
                    raise TransportError("transfer", f"{name} from {link.where} is larger than {limit} bytes")
                return size
            self._write(exchange, OK, name)
        raise TransportError("transfer", f"{link.where} did not announce {name} as scp does")

    def _read(self, exchange: Exchange, name: str, size: int, end: float) -> bytes:
        link = self._link
        self._write(exchange, OK, name)
        data = bytearray()
        while len(data) < size:
            deadline = min(time.monotonic() + self._timeout_s, end)
            link.until(lambda: exchange.speaks, deadline, f"send more of {name}")
            part = exchange.take(min(HIGH, size - len(data)))
            if not part:
                raise self._ended(exchange, f"fetching {name} after {len(data)} of {size} bytes")
            data += part
            if time.monotonic() > end:
                raise TransportError("timeout", f"{link.where} did not finish sending {name} in time (SCP)")
        deadline = min(time.monotonic() + self._timeout_s, end)
        link.until(lambda: exchange.has_answer or exchange.over, deadline, f"confirm {name}")
        if not exchange.has_answer:
            raise self._ended(exchange, f"confirming {name}")
        refusal = exchange.take_answer()
        if refusal is not None:
            # scp fills up with zeros what it could not read, and says so only now.
            raise ScpRefused("transfer", f"{link.where} could not read all of {name}: {refusal}")
        return bytes(data)

    # -- store ---------------------------------------------------------------------------------------------------

    def store(self, name: str, data: bytes, hooks: TransferHooks, stall_s: float | None = None) -> None:
        """Hands over every byte, or raises after a reset of the connection.

        scp announces the size, but whether a card minds when fewer bytes come before the end is unknown: as with FTP,
        anything that ends a transfer early is a reset, also the end of this process. Once the last block is handed
        over the card may die at any moment: no error.

        ``name`` may be DIRECTORY/FILE, e.g. upsfw/FILE. No reboot follows there: the card's word that it has the file
        is required, or an update started later might find an older one.
        """
        directory, file = checked_place(name)
        if not data:
            raise TransportError("transfer", f"{name} is empty: nothing to send")
        patience_s = self._timeout_s if stall_s is None else stall_s
        link = self._link
        link.idle = hooks.idle
        try:
            try:
                with hooks_unwrapped(), self._transferring(f"sending {name}"):
                    exchange = self._send(name, file, data, hooks, patience_s)
            except BaseException:
                if not self._in_step:
                    self.abort()
                raise
            with hooks_unwrapped():
                self._await_end(exchange, name, bool(directory), patience_s, hooks, len(data))
        finally:
            link.idle = self._idle

    def _send(self, name: str, file: str, data: bytes, hooks: TransferHooks, patience_s: float) -> Exchange:
        link, total = self._link, len(data)
        link.ends_by_reset(True)
        hooks.first_byte()
        # After the hook, which may have waited. A card may clear its flash before it agrees [?].
        exchange = self._execute(f"scp -q -t {name}", f"sending {name}", patience_s)
        self._agreed(exchange, name, patience_s)
        self._write(exchange, announcement(file, total), name)
        self._agreed(exchange, name, patience_s)
        # First the room, then the hook's verdict: nothing is to age it before the block is handed over.
        self._room(exchange, 1, time.monotonic() + patience_s, 0, total)
        hooks.first_byte()
        done = 0
        while (size := self._next_part(exchange, done, total, patience_s)) < total - done:
            self._write(exchange, data[done : done + size], name)
            self._handed_over(exchange, time.monotonic() + patience_s, done, total)
            done += size
            hooks.sent(done, total)
        self._released(exchange, hooks, done, total, patience_s)
        # With the zero that ends the file, as one packet: nothing that waits comes between the hook's verdict and it.
        self._write(exchange, data[done:] + OK, name)
        self._handed_over(exchange, time.monotonic() + patience_s, done, total)
        # From here on everything is in the kernel's hands, which delivers it even if we die.
        link.ends_by_reset(False)
        return exchange

    def _released(self, exchange: Exchange, hooks: TransferHooks, done: int, total: int, patience_s: float) -> None:
        """Under the hook's verdict; asked for again where the card asked for new keys meanwhile, which hold packets
        back."""
        while True:
            hooks.last_block(done, total)
            self._link.turn()
            if exchange.speaks:
                raise self._spoke(exchange, done, total)
            if self._link.flushed():
                return
            self._room(exchange, 1, time.monotonic() + patience_s, done, total)

    def _next_part(self, exchange: Exchange, done: int, total: int, patience_s: float) -> int:
        """How many bytes go next, once the card has room for them. All that is left: they and the zero behind them can
        leave at once."""
        left = total - done
        if left > BLOCK:
            self._room(exchange, 1, time.monotonic() + patience_s, done, total)
            return BLOCK
        self._drained(exchange, patience_s, done, total)
        self._room(exchange, left + 1, time.monotonic() + patience_s, done, total)
        at_once = exchange.at_once
        # A card that never takes so much gets the beginning as one more part. A window of one byte cannot hold the
        # zero too, which then follows by itself: the file's last byte still leaves only under the verdict.
        return left if at_once is None or at_once > left or left == 1 else min(at_once, left - 1)

    def _agreed(self, exchange: Exchange, name: str, patience_s: float) -> None:
        link = self._link
        deadline = time.monotonic() + patience_s
        link.until(lambda: exchange.has_answer or exchange.over, deadline, f"agree to {name}")
        if not exchange.has_answer:
            raise self._ended(exchange, f"sending {name}")
        refusal = exchange.take_answer()
        if refusal is not None:
            link.ends_by_reset(False)
            self._finish(exchange)
            raise ScpRefused("transfer", f"{link.where} refused sending {name}: {refusal}")

    def _room(self, exchange: Exchange, wanted: int, stall: float, done: int, total: int) -> None:
        """Waits until the card takes more; raises when it speaks instead."""
        link, asked = self._link, time.monotonic()

        def ready() -> bool:
            window = exchange.window
            if exchange.speaks:
                return True
            if not link.flushed():
                return False
            if window is None or window >= wanted:
                return True
            return window > 0 and time.monotonic() - asked > _SMALL_WINDOW_S

        link.until(ready, stall, f"take more than {done} of {total} bytes", "transfer")
        if exchange.speaks:
            raise self._spoke(exchange, done, total)

    def _handed_over(self, exchange: Exchange, stall: float, done: int, total: int) -> None:
        """Until the block is in the kernel's hands."""
        link = self._link

        def gone() -> bool:
            return not exchange.closed and exchange.unsent == 0 and link.flushed()

        if gone():
            return
        link.until(lambda: gone() or exchange.speaks, stall, f"take more than {done} of {total} bytes", "transfer")
        if not gone():
            raise self._spoke(exchange, done, total)

    def _spoke(self, exchange: Exchange, done: int, total: int) -> TransportError:
        """The card speaks before it has everything: a refusal, or its end."""
        said = exchange.take_answer() if exchange.has_answer else exchange.last_words()
        said = "it said that it has the whole file" if said is None else said
        return TransportError(
            "transfer", f"{self._link.where} ended the transfer after {done} of {total} bytes: {said}"
        )

    def _drained(self, exchange: Exchange, patience_s: float, done: int, total: int) -> None:
        """As in ftp.py: nothing of the file is queued before the last block."""
        link = self._link
        while link.sock is not None and (queued := on_the_way(link.sock)):
            limit = time.monotonic() + patience_s
            self._drain(exchange, limit, enough=queued - 1)
            if on_the_way(link.sock) < queued:
                continue
            if exchange.speaks or link.lost or time.monotonic() < limit:
                return
            raise TransportError(
                "transfer", f"{link.where} did not take more than {done} of {total} bytes in time (SCP)"
            )

    def _drain(self, exchange: Exchange, limit: float, enough: int = 0) -> None:
        """Until the card has taken what was written but ``enough`` bytes, speaks or is gone; see ftp.py."""
        link = self._link
        while link.sock is not None and not exchange.speaks and not link.lost and time.monotonic() < limit:
            if on_the_way(link.sock) <= enough:
                return
            link.turn()
            time.sleep(DRAIN_SLICE_S)
            link.work()

    def _await_end(
        self, exchange: Exchange, name: str, confirmed: bool, patience_s: float, hooks: TransferHooks, total: int
    ) -> None:
        """Whatever the card still says after the file and its zero; only for a directory an end is an error."""
        link = self._link
        self.last_reply = ""
        self._in_step = False
        hooks.sent(total, total)
        answered = False
        try:
            self._drain(exchange, time.monotonic() + patience_s)
            deadline = time.monotonic() + (max(LAST_REPLY_S, patience_s) if confirmed else LAST_REPLY_S)
            link.until(lambda: exchange.has_answer or exchange.over, deadline, f"confirm {name}")
            answered = exchange.has_answer
            refusal = exchange.take_answer() if answered else exchange.last_words()
            self.last_reply = "it has the file" if refusal is None else refusal
            self._finish(exchange)
            self._in_step = answered and not link.lost
        except TransportError as error:
            # A timeout's own words tell whoever reads the result more than nothing.
            self.last_reply = self.last_reply or error.message
            refusal = self.last_reply
        if confirmed and (not answered or refusal is not None):
            raise TransportError(
                "transfer", f"{link.where} got every byte of {name} but did not confirm it: {self.last_reply}"
            )

    # -- shared --------------------------------------------------------------------------------------------------

    def _execute(self, command: str, doing: str, patience_s: float) -> Exchange:
        """A channel of its own, and the card's agreement to the command."""
        link = self._link
        connection = link.connection
        deadline = time.monotonic() + patience_s
        with link.translated(doing):
            _channel, exchange = link.run(
                connection.create_session(
                    Exchange, command, encoding=None, window=HIGH, max_pktsize=HIGH // 2, request_pty=False
                ),
                deadline,
                f"start {doing}",
            )
        found: Exchange = exchange
        return found

    def _write(self, exchange: Exchange, data: bytes, name: str) -> None:
        with self._link.translated(f"the transfer of {name}"):
            exchange.channel.write(data)

    def _finish(self, exchange: Exchange) -> None:
        """Our end of the channel; a card that does not end its own is left alone."""
        link = self._link
        with contextlib.suppress(OSError):
            exchange.channel.write_eof()
        end = time.monotonic() + _END_S
        try:
            link.until(lambda: exchange.closed, end, "end the transfer")
        except TransportError:
            exchange.channel.abort()
        exchange.take(len(exchange.data))

    def _ended(self, exchange: Exchange, doing: str) -> TransportError:
        link = self._link
        if link.lost:
            return TransportError("transfer", f"{link.where} closed the SSH connection: {doing} failed")
        message = f"{link.where} ended {doing}: {exchange.last_words()}"
        if not exchange.closed:
            self._link.ends_by_reset(False)
        return ScpRefused("transfer", message)

    @contextlib.contextmanager
    def _transferring(self, doing: str) -> Iterator[None]:
        link = self._link
        if self._in_step:
            link.turn()
        if not self._in_step or link.lost:
            self._in_step = False
            raise TransportError("transfer", f"{doing} is not possible: the SSH session with {link.where} is over")
        self._in_step = False
        try:
            yield
            self._in_step = True
        except (ScpRefused, ChannelRefused):
            # A refusal is a whole answer: the session goes on, and can be logged out of.
            link.ends_by_reset(False)
            self._in_step = not link.lost
            raise

    def close(self) -> None:
        """Logs out: a session left open keeps everybody else out for minutes."""
        self._in_step = False
        self._link.close()

    def abort(self) -> None:
        """The connection ends by reset, so that the card cannot take what it has for the whole file."""
        self._in_step = False
        self._link.abort()


class ScpRefused(TransportError):
    """The card's own word that it does not do what was asked, or the end of the command."""
