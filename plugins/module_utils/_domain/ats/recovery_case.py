# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs left of a recovery, by all their evidence.

A record that cannot be read may have been any record but one that closes: it opens, and never closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import SECONDARY
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, FileState, Sending

# An outage is planned for hours; the readings and the log of before it are what the cold start is proved against.
BASELINE_MAX_AGE = timedelta(hours=24)
# A backup that was taken about when the card started may have the start in its log already.
BASELINE_BEFORE_START_S = 60.0


class Way(Enum):
    """How something was sent that has not been brought to its end."""

    RECOVERY = "recovery"
    APP_ONLY = "app_only"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True)
class Case:
    """What earlier runs left.

    ``open``: something was sent for a recovery, or may have been, and was not brought to its end. ``baseline``: when
    the newest backup was taken that no attempt has used; None without one. ``loads_off``: what was sent rested on there
    being no load. ``attempts``: how often the app went in whole without being seen to settle. ``damaged``: the runs
    with a record that cannot be read; it may have been any record but one that closes.
    """

    way: Way | None = None
    baseline: datetime | None = None
    loads_off: bool = True
    attempts: int = 0
    damaged: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return self.way is not None


def in_order(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By the unit's counter ``n``. A record without one stays behind the one before it in its run; runs without any
    counter come first, as they are given: they are from before it was counted."""
    given = list(records)
    first: dict[str, int] = {}
    for record in given:
        number = _counter(record)
        if number is not None:
            run = str(record.get("run", ""))
            first[run] = min(number, first.get(run, number))
    places: list[tuple[int, Mapping[str, Any]]] = []
    last: dict[str, int] = {}
    for record in given:
        run = str(record.get("run", ""))
        number = _counter(record)
        last[run] = number if number is not None else last.get(run, first.get(run, -1))
        places.append((last[run], record))
    return [record for _place, record in sorted(places, key=lambda item: item[0])]


def _counter(record: Mapping[str, Any]) -> int | None:
    number = record.get("n")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def case_of(records: Iterable[Mapping[str, Any]]) -> Case:
    """From all records of the unit. A damaged one opens and never closes."""
    reading = _Reading()
    for record in in_order(records):
        reading.take(record)
    return reading.case()


class _Reading:
    """The records one by one, oldest first."""

    def __init__(self) -> None:
        self.methods: dict[str, str] = {}
        self.attempted: set[str] = set()
        # What the permit rested on when the file was agreed: its record stands before the file's own.
        self.rests_on = ""
        self.whole: list[str] = []
        self.way: Way | None = None
        self.baseline: datetime | None = None
        self.loads_off = True
        self.damaged: list[str] = []

    def take(self, record: Mapping[str, Any]) -> None:
        run = str(record.get("run", ""))
        kind = str(record.get("kind", "damaged"))
        method = self.methods.get(run, "")
        if kind == "run":
            self.methods[run] = str(record.get("method", ""))
        elif kind == "damaged":
            self._damaged(run)
        elif kind == "backup" and method == "recovery":
            self.baseline = _time(record.get("t"))
        elif kind == "recovery_attempt":
            self.attempted.add(run)
            self.way, self.baseline, self.loads_off = Way.RECOVERY, None, True
        elif kind == "sending":
            self._sending(record, run, method)
        elif kind == "settled":
            self.whole.clear()
        elif kind == "permit":
            self._permit(record)

    def _sending(self, record: Mapping[str, Any], run: str, method: str) -> None:
        try:
            sent = Sending.of_record(record.get("sending", {}))
        except (TypeError, ValueError):
            self._damaged(run)
            return
        if record.get("event") == FileEvent.AGREE.value and method == "app_only":
            self.way, self.loads_off = Way.APP_ONLY, self.rests_on != SECONDARY
        whole = sent.kind == "app" and sent.state in (FileState.SENT, FileState.WHOLE)
        # Its end and its proof are two records of one attempt.
        if whole and run in self.attempted and run not in self.whole:
            self.whole.append(run)

    def _permit(self, record: Mapping[str, Any]) -> None:
        event, permit = record.get("event"), record.get("permit")
        if not isinstance(event, Mapping) or not isinstance(permit, Mapping):
            self._damaged(str(record.get("run", "")))
            return
        self.rests_on = str(permit.get("rests_on", ""))
        # Without a permit (its evidence was lost) what restore saw steady leaves none behind.
        if event.get("what") == "back" and permit.get("state") in ("closed", "none"):
            self._close()

    def _close(self) -> None:
        self.way, self.baseline, self.loads_off = None, None, True
        self.whole.clear()
        self.damaged.clear()

    def _damaged(self, run: str) -> None:
        if run not in self.damaged:
            self.damaged.append(run)
        self.way = self.way or Way.NOT_KNOWN

    def case(self) -> Case:
        return Case(self.way, self.baseline, self.loads_off, len(self.whole), tuple(self.damaged))


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def baseline_kept(case: Case, now: datetime, uptime_s: float, factor: float) -> bool:
    """Is there a backup from before this start of the card, at most a day old? A stamp later than now is none."""
    if case.baseline is None:
        return False
    age = now - case.baseline
    return timedelta(seconds=(uptime_s + BASELINE_BEFORE_START_S) / factor) <= age <= BASELINE_MAX_AGE
