# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's event log over the run of a UPS update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, EventRow, new_rows
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import (
    UpsEvent,
    events_since,
    newest_update_row,
    shows_own_login,
    update_events,
    ups_events,
)


class UpsLogs:
    """``before``: the first that this run read. ``after``: the last. ``sending``: over the login that sends."""

    def __init__(self) -> None:
        self.before: EventLog | None = None
        self.after: EventLog | None = None
        self.sending: EventLog | None = None
        self.protocol = ""

    # -- the book of a session -----------------------------------------------------------------------------------

    def logging_in(self) -> None:
        """How often this run logs in is read in the log itself (shows_own_login)."""

    def turned_away(self) -> None:
        pass

    def fetching(self) -> None:
        pass

    def have_read(self, log: EventLog, protocol: str, now_s: float) -> None:
        if self.before is None:
            self.before = log
        self.after, self.protocol = log, protocol

    # -- what it says --------------------------------------------------------------------------------------------

    def newest_row(self) -> str | None:
        """The newest row of an update; empty: none at all; None: it cannot be told."""
        return newest_update_row(self.after) if self.after is not None and self.after.recognised else None

    def rows_since_sending(self) -> tuple[EventRow, ...] | None:
        """Rows behind the log that was read before the file went out. None: the two cannot be compared.

        The card keeps the last file only: without the log nobody knows whose that is.
        """
        before, after = self.sending, self.after
        if before is None or after is None or not before.recognised or not after.recognised:
            return None
        rows = new_rows(before, after)
        return tuple(rows) if rows is not None and shows_own_login(rows, self.protocol) else None

    def events_of(self, begun: Mapping[str, Any], own: bool) -> list[UpsEvent] | None:
        """What the log says of the update since its start; None where it cannot be told. ``own``: this run's start."""
        before, after = self.before, self.after
        if after is None or not after.recognised:
            return None
        row = begun.get("log_row")
        if isinstance(row, str) and row:
            return events_since(after, row)
        if not own:
            # Resumed: a log that this run has read says nothing of what came before.
            return update_events(after.chronological()) if row == "" else None
        rows = None if before is None or before is after else new_rows(before, after)
        return None if rows is None else ups_events(rows)
