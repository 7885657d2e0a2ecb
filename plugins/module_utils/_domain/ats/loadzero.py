# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is the load truly zero? (SAFETY 3, load_zero.)"""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Load, LoadRow, LoadState

OFFSET_HINT = "a constant offset cannot be told from a load: use method single_source"


def load_zero(load: Load) -> tuple[bool, bool, str]:
    """(holds, missing, what was observed). ``missing``: it fails only because a reading is not known."""
    positive = some_load(load)
    if positive:
        return False, False, f"{positive}; {OFFSET_HINT}"
    if load.bank_rows.fitted and not load.bank_rows.known:
        return False, True, f"number of banks {load.bank_rows.shown()}"
    count = load.bank_rows.value or 0
    if load.bank_rows.known and count > 0:
        have = {row.index: row for row in load.banks}
        for number in range(1, count + 1):
            row = have.get(str(number))
            if row is None or not row.current_a.known:
                return (
                    False,
                    True,
                    f"bank row {number} of {count}: current {row.current_a.shown() if row else 'absent'}",
                )
        return True, False, f"{count} bank rows, every known current, VA and W is 0"
    if not load.phases:
        return False, True, "the unit shows neither banks nor output phases"
    for row in load.phases:
        if not row.current_a.known:
            return False, True, f"output phase {row.index}: current {row.current_a.shown()}"
    return True, False, f"{len(load.phases)} output phase rows, every known current, VA and W is 0"


def some_load(load: Load) -> str:
    """Names the first known current, VA or W that is not zero; empty if there is none."""
    for kind, rows in (("bank", load.banks), ("output phase", load.phases)):
        for row in rows:
            text = _row_load(row)
            if text:
                return f"{kind} {row.index}: {text}"
    return ""


def sign_of_load(load: Load) -> str:
    """As some_load, or the unit's own word that it is near its limit: where currents may be missing or wrong."""
    for kind, rows in (("bank", load.banks), ("output phase", load.phases)):
        for row in rows:
            if row.state.value in (LoadState.NEAR_OVERLOAD, LoadState.OVERLOAD):
                return f"{kind} {row.index}: {row.state.shown()}"
    return some_load(load)


def _row_load(row: LoadRow) -> str:
    for reading, unit in ((row.current_a, "A"), (row.apparent_va, "VA"), (row.power_w, "W")):
        if reading.known and reading.value != 0:
            return f"{reading.value} {unit}"
    return ""
