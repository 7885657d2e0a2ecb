# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of the card's event log, as far as the upgrade needs them: downloads into the controller, starts, logins.

The exact layout of event.txt is not published, so it is read tolerantly; texts and codes are event_table's. But the
file also holds what people chose (the unit's name, contact and location, the names of users), and none of that may pass
for an event: a row begins with its date and time, and a text counts only where the event's own text begins. Where
something cannot be told, the reading that costs time is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby, pairwise

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import (
    BEGUN_ANYWHERE,
    DOWNLOAD_AT_START,
    DOWNLOAD_BEGUN,
    DOWNLOAD_FAILED,
    DOWNLOAD_SUCCEEDED,
    LEADS,
    LOGIN,
    LOGINS,
    OTHER,
    RESTARTED,
    SSH_LOGIN,
    UNDATED,
    guarded_ats,
)

# A card keeps some hundred rows. A file beyond these bounds is read in part, and therefore not ``recognised``.
MAX_BYTES = 1 << 20
MAX_LINES = 20000
MAX_ROWS = 5000
MAX_LINE = 512
MAX_HEAD = 64
_TAIL = 64  # of a longer line the end is kept too: that is where the code stands

# Date formats that a card of this family can be set to; the time may lack its seconds.
_WHEN = re.compile(
    r"\s*(?:(?P<y1>\d{4})[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y2>\d{4}|\d{2})"
    r"|(?P<n3>[a-z]{3})[- ](?P<d3>\d{1,2})[- ](?P<y3>\d{4}|\d{2})"
    r"|(?P<d4>\d{1,2})[- ](?P<n4>[a-z]{3})[- ](?P<y4>\d{4}|\d{2}))"
    r"(?:[\s,;]+|T)(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}))?(?:\s?(?P<half>[ap]m))?(?=[\s,;]|$)[\s,;]*",
    re.IGNORECASE | re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CODE_CELL = re.compile(r"0x([0-9a-f]{4})", re.IGNORECASE)
_CODE_END = re.compile(r"(?:^|\s)0x([0-9a-f]{4})$", re.IGNORECASE)
# Control and direction characters, C1 and the Unicode line ends: no line of ours is split or reordered by a name.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

_RETRIEVED = re.compile(r"(?:(?:date|time|and|of|/)\s*)*retriev(?:ed|al)\b(?P<rest>.*)", re.IGNORECASE)
_TITLE_SHAPE = re.compile(r"[a-z/ \t.,()-]+", re.IGNORECASE)
_TITLE_WORDS = frozenset(
    ("date", "time", "and", "event", "events", "code", "codes", "id", "description", "text", "message", "severity")
    + ("type", "category", "user", "source")
)
_HEAD_NAMES = re.compile(r"network management card|event ?log|file format version", re.IGNORECASE)


@dataclass(frozen=True)
class EventRow:
    """One row. ``line`` is the row as it was read (control characters gone): it is what two logs are compared by.

    ``stamp`` None: a damaged row. It still warns (begun, failed, logins), but it ends, clears and proves nothing.
    """

    line: str
    kind: str
    stamp: tuple[int, ...] | None = None
    code: str | None = None
    text: str = ""


@dataclass(frozen=True)
class EventLog:
    """``head`` are the lines before the first event row (name, address, retrieval time …).

    ``recognised`` False: nothing in the file looks like an event log, or it is longer than any; it says nothing then,
    least of all that no download is going on. ``newest_first`` None: the stamps do not say.
    """

    head: tuple[str, ...] = ()
    rows: tuple[EventRow, ...] = ()
    newest_first: bool | None = None
    recognised: bool = False
    # What says, below the first row, when the log was fetched: neither head nor event, and nothing is judged by it.
    passed_over: tuple[str, ...] = ()

    def chronological(self) -> tuple[EventRow, ...]:
        return self.rows[::-1] if self.newest_first in (True, None) else self.rows


def decode_text(data: bytes) -> str:
    """Any encoding: a log is never refused for one odd character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_event_log(data: bytes) -> EventLog:
    lines = _lines(decode_text(data[:MAX_BYTES]))
    whole = len(data) <= MAX_BYTES and len(lines) <= MAX_LINES
    # Everything above the titles of the event columns is head, whatever a person wrote into it.
    start = _after_titles(lines)
    found = _Sorted(begun=start > 0, head=lines[:start])
    for line in lines[start:MAX_LINES]:
        if not found.take(line):
            whole = False
            break
    head, rows = found.head, found.rows
    seen = start > 0 or any(row.stamp for row in rows) or any(_names_log(line) for line in head[:MAX_HEAD])
    return EventLog(tuple(head[:MAX_HEAD]), tuple(rows), _order(rows), whole and seen, tuple(found.passed_over))


@dataclass
class _Sorted:
    """The lines of a log, put where they belong one after the other. ``begun``: the rows have begun."""

    begun: bool
    head: list[str] = field(default_factory=list)
    rows: list[EventRow] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    _values_next: bool = False

    def take(self, line: str) -> bool:
        """False: there are more rows than any log has."""
        if self._values_next or not line.strip():
            self._end_of_titles(line)
            return True
        self._values_next = not self.begun and _titles_of_head(line)
        row = _parse_row(line)
        if _RETRIEVED.match(line.strip()) or (row is not None and _is_retrieval(row)):
            (self.passed_over if self.begun else self.head).append(line)
            return True
        if row is not None:
            self.begun = True
        elif self.begun or DOWNLOAD_AT_START.match(_letters(line)):
            # Nothing is dropped: a damaged row may still tell of a download.
            row = _damaged(line)
        if row is None:
            self.head.append(line)
            return True
        if len(self.rows) == MAX_ROWS:
            return False
        self.rows.append(row)
        return True

    def _end_of_titles(self, line: str) -> None:
        """The line behind the head's titles holds what a person chose: it is no row, whatever it looks like."""
        if self._values_next:
            self.head.append(line)
        self._values_next = False


def _lines(text: str) -> list[str]:
    """At most MAX_LINES + 1 lines. Only line feeds part them (without any: carriage returns); tabs keep the columns."""
    found: list[str] = []
    for raw in text.split("\n" if "\n" in text else "\r"):
        line = _CONTROL.sub("", raw).strip(" ")
        if len(line) > MAX_LINE:
            line = line[: MAX_LINE - _TAIL] + line[-_TAIL:]
        if line:
            found.append(line)
            if len(found) > MAX_LINES:
                break
    return found


def _after_titles(lines: list[str]) -> int:
    """The index behind the titles of the event columns, 0 where there are none."""
    for index, line in enumerate(lines[:MAX_HEAD]):
        if _is_titles(line):
            # Name, contact and location may look like rows; more of them are rows, and these are no titles of theirs.
            return index + 1 if sum(_WHEN.match(above) is not None for above in lines[:index]) <= 4 else 0
    return 0


def _is_titles(line: str) -> bool:
    if len(line) > 120 or not _TITLE_SHAPE.fullmatch(line):
        return False
    words = set(re.findall(r"[a-z]+", line.lower()))
    return {"date", "time"} <= words <= _TITLE_WORDS and not words.isdisjoint({"event", "events"})


def _titles_of_head(line: str) -> bool:
    """``Name<tab>Contact<tab>…``: the line after it holds what a person chose."""
    cells = {cell.strip().lower() for cell in line.split("\t")}
    return "name" in cells and not cells.isdisjoint({"contact", "location"})


def _names_log(line: str) -> bool:
    return _HEAD_NAMES.search(line) is not None and not line.lstrip().startswith("<")


def _is_retrieval(row: EventRow) -> bool:
    """A date and a time with nothing behind them, or with words that say what they are."""
    if row.code is not None:
        return False
    match = _RETRIEVED.match(row.text)
    return not row.text or (match is not None and len(match.group("rest")) < 20)


# A log is read again with a row or two more.
@lru_cache(maxsize=1024)
def _parse_row(line: str) -> EventRow | None:
    when = _WHEN.match(line)
    if when is None:
        return None
    text, code, cells = _split(line[when.end() :])
    kind = _kind(text, code)
    whole = _kind(" ".join(cells), code)
    if whole in LOGINS and kind not in LOGINS:
        # A name with a tab in it hides no login.
        kind = whole
    elif kind == OTHER and BEGUN_ANYWHERE.search(line) and any(_kind(cell, code) == DOWNLOAD_BEGUN for cell in cells):
        # A column of its own may stand before the text.
        kind = DOWNLOAD_BEGUN
    return EventRow(line=line, kind=kind, stamp=_stamp(when), code=code, text=text)


def _damaged(line: str) -> EventRow:
    """A line that does not begin with date and time: it is believed only where that costs time and no more."""
    text, code, _cells = _split(_letters(line))
    kind = _kind(text, code)
    if kind not in UNDATED:
        kind = DOWNLOAD_BEGUN if BEGUN_ANYWHERE.search(line) else OTHER
    return EventRow(line=line, kind=kind, code=code, text=text)


def _letters(line: str) -> str:
    """Without what may be left of a date and a time."""
    return line.lstrip("0123456789/.,:;-\t ")


def _stamp(when: re.Match[str]) -> tuple[int, ...]:
    part = when.groupdict()
    if part["y1"]:
        year, month, day = int(part["y1"]), int(part["m1"]), int(part["d1"])
    elif part["y2"]:
        first, second, year = int(part["a"]), int(part["b"]), int(part["y2"])
        month, day = (second, first) if part["sep"] == "." else (first, second)
    else:
        name = (part["n3"] or part["n4"]).lower()
        year, day = int(part["y3"] or part["y4"]), int(part["d3"] or part["d4"])
        month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
    hour = int(part["h"])
    if part["half"]:
        hour = hour % 12 + 12 * (part["half"].lower() == "pm")
    return (year + 2000 if year < 100 else year, month, day, hour, int(part["min"]), int(part["s"] or 0))


def _split(rest: str) -> tuple[str, str | None, list[str]]:
    """The event's text, its code, and all cells. The code is the last cell that is nothing else, or ends the line."""
    cells = [cell for cell in (part.strip() for part in rest.split("\t")) if cell]
    codes = [match.group(1).upper() for match in map(_CODE_CELL.fullmatch, cells) if match]
    words = [cell for cell in cells if not _CODE_CELL.fullmatch(cell)]
    code = codes[-1] if codes else None
    if code is None and words:
        end = _CODE_END.search(words[-1])
        if end is not None:
            code, words[-1] = end.group(1).upper(), words[-1][: end.start()].rstrip()
    text = words[0] if words else ""
    if len(words) > 1 and text.rstrip(": ").lower() in LEADS:
        text = f"{text.rstrip(': ')}: {words[1]}"
    return text, code, words


def classify(line: str, code: str | None) -> tuple[str, str]:
    """Kind and text of a row, with or without its date and time in front."""
    when = _WHEN.match(line)
    text, found, _cells = _split(line[when.end() :] if when else line)
    return _kind(text, code.upper() if code else found), text


def _kind(text: str, code: str | None) -> str:
    return guarded_ats(" ".join(text[:MAX_LINE].split()), code)


def by_ssh(row: EventRow) -> bool:
    """A login by SSH, which one for SCP may be logged as [?]."""
    return row.kind == LOGIN and SSH_LOGIN.match(row.text) is not None


def _order(rows: list[EventRow]) -> bool | None:
    """True: newest first; False: oldest first; None: the stamps do not say.

    A clock that is set or lost makes a step the wrong way, so one direction must have four times the other's steps;
    a step of more than a year is such a clock, not an order.
    """
    down = up = 0
    stamped = [row.stamp for row in rows if row.stamp is not None]
    for first, second in pairwise(stamped):
        if abs((first[0] - second[0]) * 372 + (first[1] - second[1]) * 31 + first[2] - second[2]) > 372:
            continue
        down += first > second
        up += first < second
    if max(down, up) == 0 or max(down, up) < 4 * min(down, up):
        return None
    return down > up


def possible_orders(log: EventLog) -> list[tuple[EventRow, ...]]:
    """The possible chronological readings.

    Within one second the published log has the newer row first (begun and failed in the second 23:21:26), and nothing
    says that another order ever occurs: both readings keep to that.
    """
    if log.newest_first is not None:
        return [log.chronological()]
    other: list[EventRow] = []
    for _second, group in groupby(enumerate(log.rows), lambda pair: pair[1].stamp or pair[0]):
        other.extend(row for _index, row in reversed(list(group)))
    return [log.rows[::-1], tuple(other)]


def start_like(row: EventRow) -> bool:
    """A start of the card, or a damaged row that may be one."""
    return row.kind == RESTARTED or (row.stamp is None and _kind(row.text, row.code) == RESTARTED)


def download_in_progress(log: EventLog) -> EventRow | None:
    """The row of a begun download without an end, or None. Where the order is not known, the worse reading counts.

    A damaged row ends nothing.
    """
    for rows in possible_orders(log):
        begun: EventRow | None = None
        for row in rows:
            if row.kind == DOWNLOAD_BEGUN:
                begun = row
            elif row.kind in (DOWNLOAD_FAILED, DOWNLOAD_SUCCEEDED) and row.stamp is not None:
                begun = None
        if begun is not None:
            return begun
    return None


@dataclass(frozen=True)
class Failure:
    """The newest failed download that no success has ended. ``then_start``: a start, and no begun row behind it."""

    line: str
    then_start: bool
    then_begun: bool


def newest_failure(log: EventLog) -> Failure | None:
    """SAFETY 5. Where the order of the rows is not known, one possible reading with such a row is enough."""
    worst: Failure | None = None
    for rows in possible_orders(log):
        found: Failure | None = None
        for row in rows:
            if row.kind == DOWNLOAD_FAILED:
                found = Failure(row.line, False, False)
            elif found is None:
                continue
            elif row.kind == DOWNLOAD_SUCCEEDED and row.stamp is not None:
                found = None
            elif row.kind == DOWNLOAD_BEGUN:
                found = replace(found, then_start=False, then_begun=True)
            elif row.kind == RESTARTED and row.stamp is not None:
                found = replace(found, then_start=True)
        if found is not None and (worst is None or not (found.then_start or found.then_begun)):
            worst = found
    return worst


def new_rows(before: EventLog, after: EventLog) -> tuple[EventRow, ...] | None:
    """Rows of ``after`` that ``before`` did not hold; None where the logs share no dated row and cannot be judged.

    Two logs without rows share none either. Lines without stamp and code are not compared (every log may have them
    alike), but one that warns is never lost.
    """
    old = Counter(row.line for row in before.rows)
    fresh: list[EventRow] = []
    shared = False
    for row in after.rows:
        if old[row.line] > 0:
            old[row.line] -= 1
            shared = shared or row.stamp is not None
        elif row.stamp is not None or row.code is not None or row.kind != OTHER:
            fresh.append(row)
    return tuple(fresh) if shared else None
