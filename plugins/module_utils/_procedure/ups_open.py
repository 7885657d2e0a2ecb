# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which start of an update the evidence still holds open: another must not follow it. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._domain.ups import FirmwareUpdate
from .ups_unit import UpsUnit

# The card's word (U.6.2.9) while an update runs, and after one.
RUNNING = (FirmwareUpdate.STARTED, FirmwareUpdate.IN_PROCESS)
OVER = (FirmwareUpdate.SUCCESSFUL, FirmwareUpdate.FAILED)


def open_start(records: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """The last start in evidence that no end has closed. A damaged record counts as one: it may have been it.

    What another run has closed stays so whatever the clocks said; only within one run the order tells.
    """
    opened: dict[str, Mapping[str, Any]] = {}
    closed: set[str] = set()
    for record in records:
        run = str(record.get("run", ""))
        if record["kind"] in ("update_start", "damaged"):
            opened[run] = record
        elif record["kind"] == "update_end":
            names = {str(name) for name in record.get("closes") or [run]}
            closed |= names - {run}
            if run in names:
                opened.pop(run, None)
    left = [record for run, record in opened.items() if run not in closed]
    return left[-1] if left else None


def open_names(unit: UpsUnit) -> list[str]:
    names = {str(record.get("run", "")) for record in unit.earlier if record["kind"] in ("update_start", "damaged")}
    return sorted({*names, unit.run_id})


def close_start(unit: UpsUnit, outcome: str, **fields: object) -> None:
    """Every start that is open for this unit has ended, as far as anybody can know."""
    names = open_names(unit)
    unit.record("update_end", outcome=outcome, closes=names, **fields)
    # From here on what an earlier run began is no longer open for this one either.
    unit.earlier.append({"kind": "update_end", "run": unit.run_id, "closes": names})
