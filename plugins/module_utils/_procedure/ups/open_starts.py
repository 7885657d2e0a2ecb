# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which start of an update the evidence still holds open: another must not follow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import UpsSample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import FirmwareUpdate
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Closing, Record, open_records

# The card's word (U.6.2.9) while an update runs, and after one.
RUNNING = (FirmwareUpdate.STARTED, FirmwareUpdate.IN_PROCESS)
OVER = (FirmwareUpdate.SUCCESSFUL, FirmwareUpdate.FAILED)
# So long an update may take at most, for all that anybody knows [?]. No option shortens it.
WATCH_S = 3600.0


def _asked_for(record: Record, before: Record | None) -> bool:
    # A line torn behind the start must not hide what that was for.
    return record["kind"] == "update_start" or (record["kind"] == "damaged" and before is None)


def _over(record: Record) -> Closing:
    """What another run has closed stays so whatever the clocks said; only within one run the order tells."""
    if record["kind"] != "update_end":
        return Closing()
    run = str(record.get("run", ""))
    names = {str(name) for name in record.get("closes") or [run]}
    return Closing(frozenset(names - {run}), run in names)


def open_start(records: Iterable[Record]) -> Record | None:
    """The last start in evidence that no end has closed. A damaged record counts as one: it may have been it."""
    left = open_records(records, _asked_for, _over)
    return left[-1] if left else None


def open_names(records: list[dict[str, Any]], run_id: str) -> list[str]:
    """The runs that an end written now by ``run_id`` closes."""
    names = {str(record.get("run", "")) for record in records if record["kind"] in ("update_start", "damaged")}
    return sorted({*names, run_id})


def long_ago(begun: Mapping[str, Any], uptime_s: float | None) -> bool:
    """Is it more than any update takes since this start? By the card's uptime: our own clock may have been set."""
    before = begun.get("uptime_s")
    if uptime_s is None or not isinstance(before, (int, float)):
        return False
    # Less than before: the card has restarted since, and that was after the start.
    return (uptime_s - before if uptime_s >= before else uptime_s) >= WATCH_S


def of_this_ups(records: list[dict[str, Any]], good: UpsSample | None) -> list[dict[str, Any]]:
    """Without the runs that met another UPS at this address or on this card: what it was told, this one was not.

    But a UPS that writes its firmware may show any serial number: a start that is not long ago is kept, marked
    ``other_ups``, and watched.
    """
    own = usable_serial(good.ups.serial) if good is not None else None
    if good is None or own is None:
        return records
    foreign = set()
    for record in records:
        unit = record.get("unit")
        if record["kind"] == "run" and isinstance(unit, dict):
            theirs = usable_serial(str(unit.get("ups_serial") or ""))
            if theirs is not None and theirs.upper() != own.upper():
                foreign.add(record.get("run"))
    theirs_open = open_start([{**record, "other_ups": True} for record in records if record.get("run") in foreign])
    kept: list[dict[str, Any]] = []
    for record in records:
        if record.get("run") not in foreign:
            kept.append(record)
        elif theirs_open is not None and not long_ago(theirs_open, good.uptime_s):
            kept.append({**record, "other_ups": True})
    return kept
