# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management card by SNMP, and the reading of a whole unit. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import (
    MAX_DESCRIPTION,
    CardIdentity,
    parse_description,
)
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ats import decode_ats
from ansible_collections.dcops.apc.plugins.module_utils._powernet.plans import ALL, FIVE_G, WATCH
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import Plan, read_plan
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import printable, text
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpClient

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
    aos_version_second: str | None = None
    app_version_second: str | None = None


@dataclass(frozen=True)
class StateRead:
    """``answered``: objects outside the ATS tree answered, so the card is there and the credentials are good."""

    nmc: NmcState
    ats: AtsState
    answered: bool


def read_state(client: SnmpClient, plan: Plan = ALL) -> StateRead:
    """One snapshot; raises TransportError when the card does not answer."""
    raw = read_plan(client, plan)
    if plan is ALL and raw.get(o.SYS_OBJECT_ID) == o.OBJECT_ID_5G:
        raw.update(read_plan(client, FIVE_G))
    return StateRead(decode_nmc(raw), decode_ats(raw), o.SYS_DESCR in raw or o.SYS_UP_TIME in raw)


def decode_nmc(raw: Mapping[Oid, RawValue]) -> NmcState:
    object_id = raw.get(o.SYS_OBJECT_ID)
    uptime = raw.get(o.SYS_UP_TIME)
    description = raw.get(o.SYS_DESCR)
    transfer = raw.get(o.LAST_TRANSFER)
    return NmcState(
        identity=_identity(description) if isinstance(description, bytes) else _NOBODY,
        object_id=".".join(map(str, object_id[:64])) if isinstance(object_id, tuple) else None,
        uptime_s=uptime / 100 if isinstance(uptime, int) and 0 <= uptime < 2**32 else None,
        name=text(raw.get(o.SYS_NAME)),
        addresses=_addresses(raw),
        last_transfer=_last_transfer(transfer) if isinstance(transfer, int) and transfer >= 0 else None,
        aos_version_second=text(raw.get((*o.SECOND_VERSION, 1))),
        app_version_second=text(raw.get((*o.SECOND_VERSION, 2))),
    )


_NOBODY = CardIdentity()
_ADDRESS_DEPTH = len(o.IP_AD_ENT_ADDR)


@lru_cache(maxsize=64)
def _identity(description: bytes) -> CardIdentity:
    return parse_description(printable(description, MAX_DESCRIPTION))


def _addresses(raw: Mapping[Oid, RawValue]) -> tuple[str, ...]:
    found = {
        value
        for oid, value in raw.items()
        if oid[:_ADDRESS_DEPTH] == o.IP_AD_ENT_ADDR and isinstance(value, bytes) and len(value) == 4
    }
    return tuple([".".join(map(str, value)) for value in sorted(found) if value[0] not in (0, 127)])


def _last_transfer(value: int) -> str:
    return LAST_TRANSFER.get(value) or (f"value {value}" if value < 2**32 else "an absurd value")


__all__ = ["ALL", "LAST_TRANSFER", "WATCH", "NmcState", "StateRead", "decode_nmc", "read_state"]
