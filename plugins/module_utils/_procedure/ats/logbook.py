# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event log over a run: what is new in it, and what is not of this run's making."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import ColdStart, cold_start, start_rows
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import LogFacts
from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import (
    DOWNLOAD_BEGUN,
    DOWNLOAD_FAILED,
    FTP_LOGIN,
    LOGIN,
    TRANSFER,
    TRANSFER_FAILED,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import (
    EventLog,
    EventRow,
    by_ssh,
    download_in_progress,
    new_rows,
    newest_failure,
)

# Rows that tell nothing of the controller: this run and those before it log in, and fetch files.
_OF_HANDS = frozenset({"other", "login", "ftp_login", "file_transfer", "file_transfer_failed"})
_OF_CONTROLLER = re.compile(r"automatic transfer switch|communication|controller|firmware", re.IGNORECASE)
_FILE = re.compile(r"[a-z0-9_.-]{1,60}\.bin")


def _spaced(line: str) -> str:
    """A row of the log for a person: its tabs are of no use in a sentence."""
    return " ".join(line.split())


def _digest(row: EventRow) -> str:
    return hashlib.sha256(row.line.encode()).hexdigest()[:12]


class LogTracker:
    """The event log over the run: its baseline, what is new in it, and which rows are not of our own making."""

    def __init__(self) -> None:
        self.baseline: EventLog | None = None
        self.current: EventLog | None = None
        self.error = "event.txt was not read yet"
        self.own_logins = 0
        self.own_transfers = 0
        # What this run logs in by: rows of another way in are somebody else's.
        self.protocol = "ftp"
        self.sent_names: set[str] = set()
        # What evidence has of before this run: the log of the newest backup, and the starts that are spent.
        self.earlier: EventLog | None = None
        self.used: list[str] | None = None
        # Begun rows whose download an earlier run has watched to its end.
        self.ended: Counter[str] = Counter()
        # Cannot be told what earlier runs have sent: then no cold start is a new one.
        self.unsure = False
        self._cold_start: ColdStart | None = None
        self._fetched_s = 0.0
        self._begun = ""
        self._begun_seen_s = 0.0
        self._comparable = True
        self._facts: tuple[tuple[object, ...], LogFacts] | None = None

    # -- the book of a session -----------------------------------------------------------------------------------

    def logging_in(self) -> None:
        self.own_logins += 1

    def turned_away(self) -> None:
        self.own_logins -= 1

    def fetching(self) -> None:
        self.own_transfers += 1

    def have_read(self, log: EventLog, protocol: str, now_s: float) -> None:
        self.protocol = protocol
        self.update(log, now_s)

    # -- what it says --------------------------------------------------------------------------------------------

    def failed(self, message: str) -> None:
        self.error = message
        self.current = None

    def update(self, log: EventLog, now_s: float) -> None:
        if not log.recognised:
            # An empty or unintelligible file is no proof that nothing happened.
            self.failed("event.txt is empty or not understood")
            return
        if self.current is not None and new_rows(self.current, log) is None and (self.current.rows or log.rows):
            self._comparable = False
        if self.baseline is None:
            # The row of this very login is in it already: only later ones are counted against our own.
            self.baseline = log
            self.own_logins = self.own_transfers = 0
        self.current, self._fetched_s = log, now_s
        begun = download_in_progress(log)
        if begun is None or self._has_ended(begun, log):
            self._begun = ""
        elif begun.line != self._begun:
            self._begun, self._begun_seen_s = begun.line, now_s

    def _has_ended(self, begun: EventRow, log: EventLog) -> bool:
        """Seen to its end by an earlier run; a row that stands there once more than then is a new one."""
        digest = _digest(begun)
        return 0 < sum(_digest(row) == digest for row in log.rows) <= self.ended[digest]

    def forget_begun(self) -> None:
        """After a restart a row that reads like an old one may be a new one: a clock that was reset repeats itself."""
        self._begun = ""
        self.ended.clear()

    def begun_rows(self) -> list[str]:
        """For a later process: what has been begun by this log is over, where the unit has settled."""
        return (
            [_digest(row) for row in self.current.rows if row.kind == DOWNLOAD_BEGUN]
            if self.current is not None
            else []
        )

    def rebase(self, file: str) -> None:
        """From now on "new" means newer than the log just read: ``file`` is about to be sent."""
        self._cold_start = self.cold_start()
        self.baseline = self.current
        self.own_logins = 0
        self.own_transfers = 1
        self.sent_names.add(file.lower())

    def facts(self) -> LogFacts:
        """Asked for several times a sample, and the same until something of it changes."""
        state = (
            *(id(self.current), id(self.baseline), self.own_logins, self.own_transfers, self.protocol, self.error),
            *(self._begun, self._begun_seen_s, self._fetched_s, self._comparable, len(self.sent_names), self.unsure),
            *(id(self.earlier), id(self.used), id(self._cold_start)),
        )
        if self._facts is None or self._facts[0] != state:
            self._facts = (state, self._judged())
        return self._facts[1]

    def _judged(self) -> LogFacts:
        if self.current is None or self.baseline is None:
            return LogFacts(readable=False, error=self.error)
        fresh = new_rows(self.baseline, self.current) if self.baseline is not self.current else ()
        failed = [row.line for row in fresh or () if row.kind == DOWNLOAD_FAILED]
        standing = newest_failure(self.current)
        return LogFacts(
            readable=True,
            error="",
            fetched_s=self._fetched_s,
            begun=_spaced(self._begun),
            begun_seen_s=self._begun_seen_s,
            comparable=self._comparable and fresh is not None,
            new_failed=_spaced(failed[0]) if failed else "",
            failed=_spaced(standing.line) if standing else "",
            failed_then_start=standing.then_start if standing else False,
            failed_then_begun=standing.then_begun if standing else False,
            foreign=self._foreign(fresh or ()),
            cold_start=self.cold_start(),
        )

    def newest_rows(self) -> list[str]:
        """For a later process to know this log by."""
        return [_digest(row) for row in self.current.rows] if self.current is not None else []

    def adds_nothing_of_the_controller(self, rows: Sequence[object]) -> bool:
        """Is this the log of those rows, with none of the controller's behind them?"""
        if self.current is None or not rows:
            return False
        left = Counter(str(row) for row in rows)
        shared = False
        for row in self.current.rows:
            digest = _digest(row)
            if left[digest] > 0:
                left[digest] -= 1
                shared = shared or row.stamp is not None
            elif row.kind not in _OF_HANDS or _OF_CONTROLLER.search(row.line):
                return False
        return shared

    def cold_start(self) -> ColdStart:
        """As it was before this run sent anything: the restarts that follow a file are of its own making."""
        if self._cold_start is not None:
            return self._cold_start
        if self.unsure:
            return ColdStart(False)
        return ColdStart() if self.current is None else cold_start(self.current, self.earlier, self.used)

    def starts(self) -> list[str]:
        return start_rows(self.current) if self.current is not None else []

    def _foreign(self, fresh: Sequence[EventRow]) -> str:
        kinds = [row.kind for row in fresh]
        for row in fresh:
            named = _FILE.findall(row.line.lower()) if row.kind in (TRANSFER, TRANSFER_FAILED) else []
            if any(name not in self.sent_names for name in named):
                return f"somebody else sent {named[0][:40]}"
        # An SCP login may be logged as one by SSH, as one by SCP, or as both [?].
        shell = [row for row in fresh if by_ssh(row)] if self.protocol == "scp" else []
        if kinds.count(LOGIN) > len(shell):
            return "somebody else logged in (console or web)"
        if max(kinds.count(FTP_LOGIN), len(shell)) > self.own_logins:
            return f"somebody else logged in by {'SSH, SCP or FTP' if self.protocol == 'scp' else 'FTP'}"
        if kinds.count(TRANSFER) > self.own_transfers:
            return "somebody else transferred a file"
        return ""
