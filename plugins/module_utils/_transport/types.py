# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes the layers above rely on; the simulator's virtual transports have the same ones.

Object identifiers are tuples of int.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

Oid = tuple[int, ...]
RawValue: TypeAlias = "int | bytes | Oid"


class SnmpClient(Protocol):
    requests: int
    bytes_sent: int
    bytes_received: int

    def exchange(self, oids: Sequence[Oid]) -> list[tuple[Oid, RawValue] | None]:
        """One GETNEXT. Per asked object its successor, or None past the end of the MIB. Raises TransportError."""

    def close(self) -> None:
        """Never raises."""


class SnmpWriter(Protocol):
    def prepare(self) -> None:
        """All that must be asked of the card before it takes a SET, and that its credentials are right, where that can
        be known. May take its time and be tried again; sets nothing. Raises TransportError.

        Soon again it takes one question at most: behind it comes the last measurement, then ``set_integer``."""

    def set_integer(self, oid: Oid, value: int) -> None:
        """One SET in one datagram, with nothing asked before it; returns when the card has echoed it.

        Raises NotSent where it is not, or no longer, prepared, and other TransportErrors. After a timeout the card may
        have taken it all the same. And a card drops SETs silently while somebody is logged in, whatever it answered
        (facts/NMC): read back.
        """

    def close(self) -> None:
        """Never raises."""


class TransferHooks(Protocol):
    def idle(self) -> None:
        """Called at least every half second (real time) while anything waits."""

    def first_byte(self) -> None:
        """Called with the data connection open, once just before STOR is sent and once more just before the first
        byte of data; may wait; raising ends the transfer before anything of the file went out."""

    def sent(self, done: int, total: int) -> None:
        """After every block of bytes; raising cuts the transfer by a reset. After the final block the end of the file
        is out too, and raising undoes nothing."""

    def last_block(self, done: int, total: int) -> None:
        """The last thing before the final block is sent, and once more before what of it could not leave at once;
        may wait; raising cuts the transfer by a reset."""


class Login(Protocol):
    banner: str

    def fetch(self, name: str, limit: int = 262144) -> bytes:
        """A file of the card, of at most ``limit`` bytes. Raises TransportError."""

    def store(self, name: str, data: bytes, hooks: TransferHooks, stall_s: float | None = None) -> None:
        """Hands over every byte, or raises after a reset. ``stall_s``: the real seconds for which the card may take
        nothing, from STOR on, before that counts as broken off; default: the login's own time limit.

        ``name`` may be DIRECTORY/FILE: then the card goes on running, so its word that it has the file is required
        (raises without it), and the login can be used afterwards."""

    def close(self) -> None:
        """Logs out; never raises."""

    def abort(self) -> None:
        """Resets both connections; never raises."""
