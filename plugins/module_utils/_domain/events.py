# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of the card's event log, as far as the upgrade needs them: downloads into the controller, starts, logins.

The exact layout of event.txt is not published, so it is read tolerantly; texts and codes: facts/NMC "Event log"
and facts/BULLETINS "The two controllers". Private to the collection.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

MAX_ROWS = 5000
MAX_LINE = 512

_DATE = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b|\b(\d{4})-(\d{2})-(\d{2})\b")
_TIME = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})\b")
_CODE = re.compile(r"\b0x([0-9A-Fa-f]{4})\b")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# kind, code or None, pattern of the text or None. First row that fits; a text wins over a bare code.
_KINDS: tuple[tuple[str, str | None, str | None], ...] = (
    ("controller_download_begun", None, r"ats controller firmware download (has )?(begun|began|started)"),
    ("controller_download_failed", None, r"ats controller firmware download (has )?(failed|aborted)"),
    ("controller_download_succeeded", None, r"ats controller firmware download (has )?(succe|complete|finished|done|passed)"),
    ("display_hardware_failure", None, r"(7-segment display|phase leds/push-button) hardware failure"),
    ("card_restarted", "0001", r"cold ?start"),
    ("card_restarted", "0002", r"warm ?start"),
    ("login", "0014", r"(console|telnet|ssh|serial) user .*logged in"),
    ("login", "0015", r"web user .*logged in"),
    ("ftp_login", "0016", r"ftp user .*logged in"),
    ("file_transfer", "000C", None),
    ("file_transfer_failed", "000F", None),
)
_COMPILED = tuple((kind, code, re.compile(text, re.IGNORECASE) if text else None) for kind, code, text in _KINDS)

_BEGUN, _ENDS = "controller_download_begun", ("controller_download_failed", "controller_download_succeeded")


@dataclass(frozen=True)
class EventRow:
    """One row. ``line`` is the row as it was read (control characters gone): it is what two logs are compared by."""

    line: str
    kind: str
    stamp: tuple[int, ...] | None = None
    code: str | None = None
    text: str = ""


@dataclass(frozen=True)
class EventLog:
    """``head`` are the lines before the first event row (name, address, retrieval time …)."""

    head: tuple[str, ...] = ()
    rows: tuple[EventRow, ...] = ()
    newest_first: bool | None = None

    def chronological(self) -> tuple[EventRow, ...]:
        return self.rows[::-1] if self.newest_first in (True, None) else self.rows


def decode_text(data: bytes) -> str:
    """Any encoding: a log is never refused for one odd character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_event_log(data: bytes) -> EventLog:
    head: list[str] = []
    rows: list[EventRow] = []
    for raw in decode_text(data).splitlines():
        line = _CONTROL.sub("", raw)[:MAX_LINE].strip()
        if not line:
            continue
        row = _parse_row(line)
        if row is not None:
            rows.append(row)
        elif not rows:
            head.append(line)
        else:
            # Behind the first event nothing is dropped: a damaged row may still tell of a failed download.
            rows.append(EventRow(line=line, kind=classify(line, None)[0], text=line))
        if len(rows) >= MAX_ROWS:
            break
    return EventLog(tuple(head[:64]), tuple(rows), _order(rows))


def _parse_row(line: str) -> EventRow | None:
    date, time = _DATE.search(line), _TIME.search(line)
    code = _CODE.search(line)
    kind, text = classify(line, code.group(1).upper() if code else None)
    # The head holds names that a person chose, so a text alone makes no event: a code, or a date and a time, must be there.
    if code is None and (date is None or time is None or "\t" in line[: date.start()]):
        return None
    if kind == "other" and code is None and date is not None and len(line) - date.end() < 14:
        # A date and a time with nothing behind them: the retrieval time of the head.
        return None
    stamp: tuple[int, ...] | None = None
    if date is not None and time is not None:
        if date.group(4):
            day = (int(date.group(4)), int(date.group(5)), int(date.group(6)))
        else:
            day = (int(date.group(3)), int(date.group(1)), int(date.group(2)))
        stamp = day + tuple(int(part) for part in time.groups())
    return EventRow(line=line, kind=kind, stamp=stamp, code=code.group(1).upper() if code else None, text=text)


def classify(line: str, code: str | None) -> tuple[str, str]:
    for kind, _known_code, pattern in _COMPILED:
        if pattern is not None and pattern.search(line):
            return kind, line
    for kind, known_code, _pattern in _COMPILED:
        if code is not None and known_code == code:
            return kind, line
    return "other", line


def _order(rows: list[EventRow]) -> bool | None:
    """True: newest first; False: oldest first; None: the stamps do not say (a clock that was reset does not decide)."""
    down = up = 0
    stamped = [row.stamp for row in rows if row.stamp is not None]
    for first, second in zip(stamped, stamped[1:]):
        down += first > second
        up += first < second
    return None if down == up else down > up


def download_in_progress(log: EventLog) -> EventRow | None:
    """The row of a begun download without an end, or None. Where the order is not known, the worse reading counts."""
    orders = [log.rows, log.rows[::-1]] if log.newest_first is None else [log.chronological()]
    for rows in orders:
        begun: EventRow | None = None
        for row in rows:
            if row.kind == _BEGUN:
                begun = row
            elif row.kind in _ENDS:
                begun = None
        if begun is not None:
            return begun
    return None


def failed_since_start(log: EventLog) -> EventRow | None:
    """A failed download newer than the newest start row (SAFETY 4, entry d). No start row: any failed one counts."""
    found: EventRow | None = None
    for row in log.chronological():
        if row.kind == "card_restarted":
            found = None
        elif row.kind == "controller_download_failed":
            found = row
    return found


def new_rows(before: EventLog, after: EventLog) -> tuple[EventRow, ...] | None:
    """Rows of ``after`` that ``before`` did not hold; None where the logs share no row and cannot be judged."""
    old = Counter(row.line for row in before.rows)
    if not before.rows:
        return after.rows if not after.rows else None
    fresh: list[EventRow] = []
    shared = 0
    for row in after.rows:
        if old[row.line] > 0:
            old[row.line] -= 1
            shared += 1
        else:
            fresh.append(row)
    return tuple(fresh) if shared else None
