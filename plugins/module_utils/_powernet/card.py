# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management card: what is asked of it, and what the answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless_bytes
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import (
    MAX_DESCRIPTION,
    CardIdentity,
    parse_description,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.fields import Field, Place, Rows
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import ABSENT, plain_text
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue

# 318.2.4.1.1.0 [V]: 7 and 8 are hard failures, 1 is weak evidence, 2 is none.
LAST_TRANSFER = {
    1: "ok",
    2: "not_available",
    3: "unknown_failure",
    4: "server_inaccessible",
    5: "denied",
    6: "file_not_found",
    7: "type_unknown",
    8: "corrupt",
}


@dataclass(frozen=True)
class NmcState:
    """Absent values are None. ``addresses`` leaves out the loopback."""

    identity: CardIdentity = field(default_factory=CardIdentity)
    object_id: str | None = None
    uptime_s: float | None = None
    name: str | None = None
    addresses: tuple[str, ...] = ()
    last_transfer: str | None = None


def _identity(value: RawValue | None, _absent: Reading[Any]) -> CardIdentity:
    return _parsed(value) if isinstance(value, bytes) else _NOBODY


def _object_id(value: RawValue | None, _absent: Reading[Any]) -> str | None:
    return ".".join(map(str, value[:64])) if isinstance(value, tuple) else None


def uptime_s(value: RawValue | None, _absent: Reading[Any] = ABSENT) -> float | None:
    return value / 100 if isinstance(value, int) and 0 <= value < 2**32 else None


def _last_transfer(value: RawValue | None, _absent: Reading[Any]) -> str | None:
    if not isinstance(value, int) or value < 0:
        return None
    return LAST_TRANSFER.get(value) or (f"value {value}" if value < 2**32 else "an absurd value")


def _address(value: RawValue | None, _absent: Reading[Any]) -> bytes | None:
    return value if isinstance(value, bytes) and len(value) == 4 and value[0] not in (0, 127) else None


# The first address, and the first beyond 127/8: the loopback may sort first.
_ADDRESSES = Rows("addresses", after=((127, 255, 255, 255),))
FIELDS: tuple[Field, ...] = (
    Field(o.SYS_DESCR, _identity, "identity", watched=True),
    Field(o.SYS_OBJECT_ID, _object_id, "object_id", watched=True),
    Field(o.SYS_UP_TIME, uptime_s, "uptime_s", watched=True),
    Field(o.SYS_NAME, plain_text, "name", watched=True),
    Field(o.LAST_TRANSFER, _last_transfer, "last_transfer", watched=True),
    Field(o.IP_AD_ENT_ADDR, _address, "addresses", watched=True, rows=_ADDRESSES),
)
_CARD = Place(FIELDS)
_ADDRESS_COLUMN = next(item for item in FIELDS if item.rows is _ADDRESSES)
_NOBODY = CardIdentity()


def decode_nmc(raw: Mapping[Oid, RawValue]) -> NmcState:
    column, depth = _ADDRESS_COLUMN.oid, len(_ADDRESS_COLUMN.oid)
    cells = {_ADDRESS_COLUMN.decode(value, ABSENT) for oid, value in raw.items() if oid[:depth] == column}
    addresses = tuple([".".join(map(str, cell)) for cell in sorted(cells - {None})])
    return NmcState(addresses=addresses, **_CARD.read(raw, ABSENT))


@lru_cache(maxsize=64)
def _parsed(description: bytes) -> CardIdentity:
    return parse_description(harmless_bytes(description, MAX_DESCRIPTION))
