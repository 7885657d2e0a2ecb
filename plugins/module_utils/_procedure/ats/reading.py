# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a transport's raw values to a sample."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import ALL, WATCH, StateRead, read_state
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import SnmpClient


def sample_of(at_s: float, state: StateRead) -> Sample:
    nmc = state.nmc
    return Sample(
        at_s=at_s,
        answered=state.answered and nmc.uptime_s is not None,
        identity=nmc.identity,
        uptime_s=nmc.uptime_s,
        name=nmc.name,
        addresses=nmc.addresses,
        object_id=nmc.object_id,
        last_transfer=nmc.last_transfer,
        ats=state.ats,
        error="" if state.answered else "only a part of the unit answers",
    )


def reader(client: SnmpClient, clock: Clock, whole: bool = False) -> Callable[[], Sample]:
    """A function that takes one sample. A silent card is a sample too; wrong credentials are an error."""
    plan = ALL if whole else WATCH

    def read() -> Sample:
        at_s = clock.now()
        try:
            return sample_of(at_s, read_state(client, plan))
        except TransportError as exc:
            if exc.kind in ("auth", "unsupported"):
                raise
            return Sample(at_s, False, error=exc.message)

    return read
