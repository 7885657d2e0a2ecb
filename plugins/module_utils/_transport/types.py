# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes the layers above rely on; the simulator's virtual transports have the same ones.

Object identifiers are tuples of int. Private to the collection.
"""

from __future__ import annotations

from typing import Protocol, Sequence, Union

Oid = tuple[int, ...]
RawValue = Union[int, bytes, Oid]


class SnmpClient(Protocol):
    requests: int
    bytes_sent: int
    bytes_received: int

    def exchange(self, oids: Sequence[Oid]) -> list[tuple[Oid, RawValue] | None]:
        """One GETNEXT. Per asked object its successor, or None past the end of the MIB. Raises TransportError."""

    def close(self) -> None: ...


class TransferHooks(Protocol):
    def idle(self) -> None:
        """Called at least every half second (real time) while anything waits."""

    def sent(self, done: int, total: int) -> None:
        """After every block of bytes; raising cuts the transfer by a reset."""

    def last_block(self, done: int, total: int) -> None:
        """Before the final block; may wait; raising cuts the transfer by a reset."""


class Login(Protocol):
    banner: str

    def fetch(self, name: str, limit: int = 262144) -> bytes: ...

    def store(self, name: str, data: bytes, hooks: TransferHooks) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...
