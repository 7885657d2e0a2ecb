# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has the unit had a cold start that no earlier run knows of? (SAFETY 3, cold_start_confirmed.)

Only the newest start counts: a card that has restarted since proves nothing of when its power was gone. And it counts
once: not where an earlier log has its row already, and not where a file was sent on it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import COLD_START, WARM_START
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import (
    EventLog,
    EventRow,
    new_rows,
    possible_orders,
    start_like,
)


@dataclass(frozen=True)
class ColdStart:
    """``new`` None: there is nothing to compare with, and nothing in the log speaks against a cold start.

    ``joined``: the log goes on from the earlier one, so what was read before that one is from before this start.
    """

    new: bool | None = None
    joined: bool = False


def cold_start(log: EventLog, earlier: EventLog | None, used: Sequence[str] | None) -> ColdStart:
    """``used``: the start_rows of the log when a file was last sent for a recovery; None where none was."""
    fresh = new_rows(earlier, log) if earlier is not None and earlier.recognised else None
    # The new rows are newer than all others, whatever order the rest is in.
    newest = _newest_starts(log if fresh is None else replace(log, rows=fresh))
    if not newest and earlier is None and used is None:
        return ColdStart()
    if not newest or not all(_is_cold(row) for row in newest):
        return ColdStart(False)
    if used is not None:
        have, spent = Counter(start_rows(log)), Counter(used)
        if any(have[_mark(row)] <= spent[_mark(row)] for row in newest):
            return ColdStart(False)
    if earlier is None and used is None:
        return ColdStart()
    return ColdStart(True, fresh is not None)


def start_rows(log: EventLog) -> list[str]:
    """As they are kept with an attempt, for the next one to know them by."""
    return [_mark(row) for row in log.rows if start_like(row)]


def _mark(row: EventRow) -> str:
    # Not the row itself: evidence hides what reads like a password, and a row that was changed would pass for unused.
    return hashlib.sha256(row.line.encode()).hexdigest()[:32]


def last_backup(records: Sequence[Mapping[str, Any]]) -> int | None:
    """Where in the evidence the newest backup stands. An older one is never asked: the newer may have the row."""
    return next((at for at in reversed(range(len(records))) if records[at].get("kind") == "backup"), None)


def used_starts(records: Iterable[Mapping[str, Any]]) -> list[str] | None:
    """The start rows on which the last attempt rested; None where evidence has no attempt.

    Raises ValueError where there may have been one whose rows are not known, and no later backup has them.
    """
    found: list[str] | None = None
    doubtful = False
    for record in records:
        if record.get("kind") == "recovery_attempt":
            starts = record.get("starts")
            doubtful = not isinstance(starts, list)
            found = [str(line) for line in starts] if isinstance(starts, list) else []
        elif record.get("kind") == "damaged":
            doubtful = True
        elif record.get("kind") == "backup":
            doubtful = False
    if doubtful:
        raise ValueError("what was sent last is not known")
    return found


def _newest_starts(log: EventLog) -> list[EventRow]:
    """The newest start row, by each order that the rows may be in."""
    found = []
    for rows in possible_orders(log):
        row = next((row for row in reversed(rows) if start_like(row)), None)
        if row is not None:
            found.append(row)
    return found


def _is_cold(row: EventRow) -> bool:
    if row.stamp is None or WARM_START.spoken_in(row.text):
        return False
    return row.code in COLD_START.codes or (row.code is None and COLD_START.spoken_in(row.text))
