# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person may do, by SAFETY and not by the product: what its states and its sentences are held against."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import SECONDARY, Permit, PermitState, What

# Said first, then written.
TAKES = frozenset({What.WITHDRAW, What.READS_IN, What.DEED_ENDS, What.DARK})
# Only where the load is dark; nothing else may be connected on the word of an end.
ALLOWS_CONNECT = frozenset({State.DARK, State.DARK_SETTLED, State.DARK_UNSETTLED})


class Act:
    """What a sentence may allow a person to do; nothing else ever is."""

    PULL_SECONDARY = "pull_secondary"
    UNLOAD = "unload"
    PUT_BACK_SECONDARY = "put_back_secondary"
    CONNECT_LOADS = "connect_loads"


def allowed(permit: Permit) -> frozenset[str]:
    """What the permit as it stands lets a person do. Unloading is always safe and is no permission of its own."""
    if permit.state in (PermitState.OPEN, PermitState.OUT):
        return frozenset({Act.PULL_SECONDARY} if permit.rests_on == SECONDARY else {Act.UNLOAD})
    if permit.state is PermitState.RETURNING:
        acts = set()
        if permit.source_off or permit.found:
            acts.add(Act.PUT_BACK_SECONDARY)
        if permit.loads_off:
            acts.add(Act.CONNECT_LOADS)
        return frozenset(acts)
    return frozenset()
