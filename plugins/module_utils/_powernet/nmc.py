# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reading of a whole unit: its card, and the Rack ATS behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ats import decode_ats
from ansible_collections.dcops.apc.plugins.module_utils._powernet.card import (
    LAST_TRANSFER,
    NmcState,
    decode_nmc,
    uptime_s,
)
from ansible_collections.dcops.apc.plugins.module_utils._powernet.plans import ALL, CARD, FIVE_G, WATCH
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import Plan, read_plan
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpClient


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
    answered = o.SYS_DESCR in raw or o.SYS_UP_TIME in raw
    ticks = raw.pop(o.SYS_UP_TIME, None)
    nmc, ats = _decoded(tuple(raw.items()))
    return StateRead(replace(nmc, uptime_s=uptime_s(ticks)), ats, answered)


@lru_cache(maxsize=16)
def _decoded(still: tuple[tuple[Oid, RawValue], ...]) -> tuple[NmcState, AtsState]:
    """All but the uptime: of a unit that nothing happens to, every reading is the last one but for that."""
    raw = dict(still)
    return decode_nmc(raw), decode_ats(raw)


__all__ = ["ALL", "CARD", "LAST_TRANSFER", "WATCH", "NmcState", "StateRead", "decode_nmc", "read_state"]
