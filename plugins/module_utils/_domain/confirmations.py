# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people say, and for how long it counts (SAFETY 2). No clock: the caller says what time it is.

A promise lets a run ask; a deed, said by a person, lets it send. Each word names one unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial

PROMISES = ("will_disconnect_secondary", "will_remove_loads")
DEEDS = ("secondary_disconnected", "no_load")
# Of a recovery's cold start, and of a unit that was taken out of its rack.
STATEMENTS = ("power_cycled", "one_input", "unit_removed")
WHATS = (*PROMISES, *DEEDS, *STATEMENTS)
# For a UPS's firmware: "its load, what runs this and the network between may lose power". An ATS's run passes it over.
UPS_WHATS = ("output_may_go_off",)
PROMISE_AGE = timedelta(hours=12)
DEED_AGE = timedelta(minutes=30)
STATEMENT_AGE = timedelta(minutes=60)
# A controller and an operator's watch may differ by a little; more than that is a time that has not come yet.
FUTURE_TOLERANCE = timedelta(minutes=2)
MORNING_HOUR = 6
TIME_FORM = "SERIAL@YYYY-MM-DDThh:mm+hh:mm"
DAY_FORM = "SERIAL@YYYY-MM-DD"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?:[+-][0-9]{2}:[0-9]{2}|Z)")


class ConfirmationError(ValueError):
    """The option is not of the documented form."""


@dataclass(frozen=True)
class Confirmation:
    what: str
    unit: str

    @property
    def serial(self) -> str:
        return self.unit.split("@", 1)[0].strip()

    @property
    def text(self) -> str:
        """As it is kept in a permit: once a release has spent it, it never counts again."""
        return f"{self.what} {self.unit}"


@dataclass(frozen=True)
class Judged:
    """Whether one word counts, and the sentence that says why or why not. ``said_at``: its own time, if it has one."""

    ok: bool
    reason: str
    verifiable: bool = True
    # Given for this unit, and not valid: waiting will not mend it.
    refused: bool = False
    text: str = ""
    said_at: datetime | None = None


@dataclass(frozen=True)
class Subject:
    """The unit at hand. ``serial`` is the A.1.6 one, else the evidence's, else the card's; None if all are junk."""

    serial: str | None
    address: str = ""


@dataclass(frozen=True)
class Floors:
    """What a word must be later than. Stamps later than now set none (SAFETY 2).

    ``releases``: every word to reconnect or to connect loads. ``attempts``: every recovery attempt. ``last_in``: the
    last sample in which what a deed speaks of read live. ``spent``: words that a release has spent.
    """

    releases: tuple[datetime, ...] = ()
    attempts: tuple[datetime, ...] = ()
    last_in: datetime | None = None
    spent: tuple[str, ...] = ()

    def before(self, now: datetime, attempts: bool) -> datetime | None:
        stamps = [*self.releases, *(self.attempts if attempts else ())]
        return max((stamp for stamp in stamps if stamp <= now), default=None)


@dataclass(frozen=True)
class _Rule:
    """``day``: a date alone is enough. ``attempts``: later than every recovery attempt. ``deed``: and than last_in."""

    max_age: timedelta
    day: bool = False
    attempts: bool = True
    deed: bool = False

    @property
    def form(self) -> str:
        return DAY_FORM if self.day else TIME_FORM


_RULES: dict[str, _Rule] = {
    **dict.fromkeys((*PROMISES, *UPS_WHATS), _Rule(PROMISE_AGE, day=True, attempts=False)),
    **dict.fromkeys(DEEDS, _Rule(DEED_AGE, deed=True)),
    **dict.fromkeys(STATEMENTS, _Rule(STATEMENT_AGE)),
}
# A UPS's word keeps its hour where it has a time.
_RULES["output_may_go_off"] = _Rule(STATEMENT_AGE, day=True, attempts=False)


def parse_confirmations(value: Any) -> tuple[Confirmation, ...]:
    """A list of {what, unit}, or text with one "what UNIT" per line. Raises ConfirmationError."""
    if value is None or value == "":
        return ()
    items: Iterable[Any] = value
    if isinstance(value, str):
        items = [line for line in value.splitlines() if line.strip() and not line.strip().startswith("#")]
    elif not isinstance(value, (list, tuple)):
        raise ConfirmationError("confirmations must be a list of {what, unit} or text with one 'what UNIT' per line")
    return tuple(_parsed(item) for item in items)


def _parsed(item: Any) -> Confirmation:
    if isinstance(item, str):
        parts = item.split(None, 1)
        what, unit = (parts[0].rstrip(":"), parts[1]) if len(parts) == 2 else (item, "")
    elif isinstance(item, Mapping):
        what, unit = str(item.get("what", "")), str(item.get("unit", ""))
    else:
        raise ConfirmationError("a confirmation must be {what, unit} or a line 'what UNIT'")
    if what not in (*WHATS, *UPS_WHATS):
        raise ConfirmationError(f"'{what[:40]}' is not a confirmation; known are {', '.join((*WHATS, *UPS_WHATS))}")
    if not unit.strip() or len(unit) > 128:
        raise ConfirmationError(f"the confirmation {what} names no unit; it is written SERIAL@date or SERIAL@time")
    return Confirmation(what, unit.strip())


_NO_FLOORS = Floors()


def judge_confirmation(
    what: str,
    given: tuple[Confirmation, ...],
    subject: Subject,
    now: datetime,
    zone: tzinfo,
    floors: Floors = _NO_FLOORS,
) -> Judged:
    """Judged by the rule of ``what``; an entry for another unit is passed over."""
    rule = _RULES[what]
    wanted = f"{what} for this unit as {rule.form}, the serial read from its name plate"
    mine = [item for item in given if item.what == what]
    if not mine:
        return Judged(False, f"not given; wanted: {wanted}")
    refusals: list[str] = []
    for item in mine:
        judged = _judge_one(item, rule, subject, now, zone, floors)
        if judged is None:
            continue
        if judged.ok:
            return judged
        refusals.append(judged.reason)
    if not refusals:
        return Judged(False, f"given only for other units; wanted: {wanted}")
    return Judged(False, f"{'; '.join(refusals[:3])}; wanted: {wanted}", refused=True)


def _judge_one(
    item: Confirmation, rule: _Rule, subject: Subject, now: datetime, zone: tzinfo, floors: Floors
) -> Judged | None:
    """None: the entry speaks of another unit."""
    parts = [part.strip() for part in item.unit.split("@")]
    serial, stamp = parts[0], parts[-1]
    if usable_serial(serial) is None:
        return Judged(False, f"'{serial[:40]}' is no serial that tells one unit from another")
    verifiable, exact = True, not rule.day
    if len(parts) == 3:
        # The name plate's serial, for a unit that shows none of its own: nothing can check it.
        if subject.serial is not None:
            return Judged(False, "SERIAL@ADDRESS@time counts only for a unit whose serial cannot be read")
        if parts[1] != subject.address:
            return None
        exact, verifiable = True, False
    elif len(parts) != 2:
        return Judged(False, f"'{item.unit[:60]}' is not of the form SERIAL@date or SERIAL@time")
    elif subject.serial is None:
        return Judged(False, "the unit's serial cannot be read: write SERIAL@ADDRESS@time with the name-plate serial")
    elif serial.upper() != subject.serial.upper():
        return None
    if item.text in floors.spent:
        return Judged(False, f"'{stamp[:40]}' was spent by a release: nothing that was said before it counts any more")
    judged = _judge_time(stamp, now, zone, exact, rule, floors)
    if not judged.ok:
        return judged
    note = "" if verifiable else ", not verifiable"
    return Judged(True, f"{judged.reason}{note}", verifiable, text=item.text, said_at=judged.said_at)


def _judge_time(stamp: str, now: datetime, zone: tzinfo, exact: bool, rule: _Rule, floors: Floors) -> Judged:
    shown = f"it is {now.astimezone(zone):%Y-%m-%d %H:%M} in {zone}"
    try:
        if _INSTANT.fullmatch(stamp):
            return _judge_instant(stamp, now, shown, rule, floors)
        if exact:
            return Judged(False, f"'{stamp[:40]}' is not a time of the form YYYY-MM-DDThh:mm+hh:mm")
        if not _DAY.fullmatch(stamp):
            return Judged(False, f"'{stamp[:40]}' is not a date of the form YYYY-MM-DD")
        return _judge_day(stamp, now, zone, shown, floors)
    except (ValueError, OverflowError):
        return Judged(False, f"'{stamp[:40]}' is not a date that exists")


def _judge_instant(stamp: str, now: datetime, shown: str, rule: _Rule, floors: Floors) -> Judged:
    given = datetime.strptime(stamp.replace("Z", "+00:00"), "%Y-%m-%dT%H:%M%z")
    if given > now + FUTURE_TOLERANCE:
        return Judged(False, f"{stamp} is in the future ({shown})")
    if now - given > rule.max_age:
        minutes = int(rule.max_age.total_seconds() // 60)
        age = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
        return Judged(False, f"{stamp} is more than {age} ago ({shown})")
    floor = floors.before(now, rule.attempts)
    if floor is not None and given <= floor:
        return Judged(False, f"{stamp} is older than the last release or recovery attempt")
    if rule.deed and floors.last_in is not None and floors.last_in <= now and given <= floors.last_in:
        return Judged(False, f"{stamp} is older than the last reading that contradicts it")
    return Judged(True, f"said at {stamp}", said_at=given)


def _judge_day(stamp: str, now: datetime, zone: tzinfo, shown: str, floors: Floors) -> Judged:
    here = now.astimezone(zone)
    day, today = datetime.strptime(stamp, "%Y-%m-%d").date(), here.date()
    if day > today:
        return Judged(False, f"{stamp} is in the future ({shown})")
    if day != today and not (here.hour < MORNING_HOUR and day == today - timedelta(days=1)):
        return Judged(False, f"{stamp} is over ({shown})")
    released = floors.before(now, attempts=False)
    if released is not None and released.astimezone(zone).date() >= day:
        return Judged(
            False,
            f"{stamp}: since that date began a run said that something may be reconnected, which spends every word "
            f"before it; say it again with a time ({TIME_FORM})",
        )
    return Judged(True, f"promised for {stamp} ({shown})")


@dataclass(frozen=True)
class Ways:
    """The ways in which a deed can be said, for a refusal and for the question's line; the serial is left blank."""

    what: str
    source: str = ""
    terminal: bool = False

    def lines(self) -> tuple[str, ...]:
        stated = f"source {self.source} is out" if self.source else "no load is connected"
        typed = self.source or "no load"
        found = [f"type '{typed}' and ENTER here"] if self.terminal else []
        option = f" -e ats_word_source={self.source}" if self.source else ""
        found.append(
            f"or run: ansible-playbook dcops.apc.ats_word -e ats_word_what={self.what}{option} -e ats_word_unit=SERIAL"
        )
        found.append(f"or give it beforehand in confirmations: {self.what} {TIME_FORM}")
        return (f"say that {stated}, once you have seen it: {found[0]}", *found[1:])
