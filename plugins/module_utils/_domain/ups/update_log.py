# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of the card's event log that speak of a UPS firmware update, as event_table has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import (
    FTP_LOGIN,
    LOGINS,
    TRANSFER,
    TRANSFER_FAILED,
    UPS_BEGUN,
    UPS_FAILED,
    UPS_FINISHED,
    UPS_UPDATE,
    guarded_ups,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, EventRow, by_ssh

_USER = re.compile(r"\buser '(.{0,64})' logged (?:in|on)\b", re.IGNORECASE)
_FILE = re.compile(r"[A-Za-z0-9_.-]{1,60}\.enc", re.IGNORECASE)


@dataclass(frozen=True)
class UpsEvent:
    kind: str
    line: str


def _kind(row: EventRow) -> str | None:
    return guarded_ups(row.text, row.code)


def _event(kind: str, row: EventRow) -> UpsEvent:
    return UpsEvent(kind, " ".join(row.line.split()))


def ups_events(rows: Iterable[EventRow]) -> list[UpsEvent]:
    """Those of ``rows`` that speak of an update, in their order."""
    return [_event(kind, row) for row in rows if (kind := _kind(row)) is not None]


def update_events(rows: Iterable[EventRow]) -> list[UpsEvent]:
    """Only those of the writing itself: begun, finished, failed."""
    return [event for event in ups_events(rows) if event.kind in UPS_UPDATE]


def newest_update_row(log: EventLog) -> str:
    """Empty where no row speaks of one."""
    found = update_events(log.chronological())
    return found[-1].line if found else ""


def events_since(log: EventLog, line: str) -> list[UpsEvent]:
    """What the log says behind the row ``line``; all of it where that row is gone, or where there was none."""
    found = ups_events(log.chronological())
    behind = max((index for index, event in enumerate(found) if line and event.line == line), default=-1)
    return found[behind + 1 :]


def unended_update(log: EventLog, within_s: float) -> str:
    """The row of an update that has begun and of which no failure is told; empty: none.

    "Finished" is the end of the transfer to the UPS, which then still writes. A row that by the card's own clock is
    older than ``within_s`` no longer counts: nobody writes down that an update has ended well. A row without a date
    ends nothing.
    """
    begun: EventRow | None = None
    rows = log.chronological()
    for row in rows:
        kind = _kind(row)
        if kind in (UPS_BEGUN, UPS_FINISHED):
            begun = row
        elif kind == UPS_FAILED and row.stamp is not None:
            begun = None
    if begun is None:
        return ""
    now = next((_when(row) for row in reversed(rows) if row.stamp is not None), None)
    then = _when(begun)
    old = now is not None and then is not None and (now - then).total_seconds() > within_s
    return "" if old else " ".join(begun.line.split())


def _when(row: EventRow) -> datetime | None:
    try:
        return datetime(*row.stamp) if row.stamp is not None else None  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _own_kind(row: EventRow) -> bool:
    # One SSH login may be our own.
    return row.kind == FTP_LOGIN or by_ssh(row)


def shows_own_login(rows: Iterable[EventRow], protocol: str) -> bool:
    """Does the log show that we were there? If not, it would not show others either. Of SCP nobody knows [?]."""
    return protocol != "ftp" or any(row.kind == FTP_LOGIN for row in rows)


def foreign_hand(rows: Iterable[EventRow], sent: str, username: str = "") -> str:
    """Who else was at the card since ``sent`` was about to go out, beside one login and that one file; empty: nobody.

    The card keeps the last file only, so whoever sends one decides what a start would write (SAFETY 7). ``sent`` empty:
    no file is expected. ``username``: our own account, where it is known.
    """
    found = list(rows)
    for row in found:
        named = _FILE.findall(row.line) if row.kind in (TRANSFER, TRANSFER_FAILED) else []
        if any(name.lower() != sent.lower() for name in named):
            return f"somebody else sent {named[0][:40]}"
    kinds = [row.kind for row in found]
    if kinds.count(TRANSFER) > (1 if sent else 0):
        return "somebody else transferred a file"
    own = [row for row in found if _own_kind(row)]
    if sum(kind in LOGINS for kind in kinds) > len(own):
        return "somebody else logged in (console or web)"
    for row in own:
        user = _USER.search(row.text)
        if user is not None and username and user[1] != username:
            return f"somebody else logged in, as {user[1][:40]}"
    return "somebody else logged in by FTP, SCP or SSH" if len(own) > 1 else ""
