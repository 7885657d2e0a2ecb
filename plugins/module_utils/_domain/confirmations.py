# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person vouches for, and for how long it counts (SAFETY 2). No clock: the caller says what time it is.

Private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial

WHATS = ("secondary_disconnected", "no_load", "power_cycled", "one_input")
# For a UPS's firmware: "its load, what runs this and the network between may lose power". An ATS's run passes it over.
UPS_WHATS = ("output_may_go_off",)
EXACT_ONLY = ("power_cycled", "one_input")
MAX_AGE = timedelta(minutes=60)
# A controller and an operator's watch may differ by a little; more than that is a time that has not come yet.
FUTURE_TOLERANCE = timedelta(minutes=1)
MORNING_HOUR = 6

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")


class ConfirmationError(ValueError):
    """The option is not of the documented form."""


@dataclass(frozen=True)
class Confirmation:
    what: str
    unit: str

    @property
    def serial(self) -> str:
        return self.unit.split("@", 1)[0].strip()


@dataclass(frozen=True)
class Judged:
    """Whether one word counts, and the sentence that says why or why not."""

    ok: bool
    reason: str
    verifiable: bool = True
    # Given for this unit, and not valid: waiting will not mend it.
    refused: bool = False


@dataclass(frozen=True)
class Subject:
    """The unit at hand. ``serial`` is the A.1.6 one, else the evidence's, else the card's; None if all are junk."""

    serial: str | None
    address: str = ""


def parse_confirmations(value: Any) -> tuple[Confirmation, ...]:
    """A list of {what, unit}, or text with one "what UNIT" per line. Raises ConfirmationError."""
    if value is None or value == "":
        return ()
    items: Iterable[Any] = value
    if isinstance(value, str):
        items = [line for line in value.splitlines() if line.strip() and not line.strip().startswith("#")]
    elif not isinstance(value, (list, tuple)):
        raise ConfirmationError("confirmations must be a list of {what, unit} or text with one 'what UNIT' per line")
    found = []
    for item in items:
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
        found.append(Confirmation(what, unit.strip()))
    return tuple(found)


def judge_confirmation(
    what: str,
    given: tuple[Confirmation, ...],
    subject: Subject,
    now: datetime,
    zone: tzinfo,
    exact: bool,
    not_before: datetime | None = None,
) -> Judged:
    """``exact``: a time at most 60 minutes old is asked for, later than ``not_before`` (permissions, attempts)."""
    exact = exact or what in EXACT_ONLY
    form = "SERIAL@YYYY-MM-DDThh:mm+hh:mm" if exact else "SERIAL@YYYY-MM-DD"
    wanted = f"{what} for this unit as {form}, the serial read from its name plate"
    mine = [item for item in given if item.what == what]
    if not mine:
        return Judged(False, f"not given; wanted: {wanted}")
    refusals: list[str] = []
    for item in mine:
        judged = _judge_one(item, subject, now, zone, exact, not_before)
        if judged is None:
            continue
        if judged.ok:
            return judged
        refusals.append(judged.reason)
    if not refusals:
        return Judged(False, f"given only for other units; wanted: {wanted}")
    return Judged(False, f"{'; '.join(refusals[:3])}; wanted: {wanted}", refused=True)


def _judge_one(
    item: Confirmation, subject: Subject, now: datetime, zone: tzinfo, exact: bool, not_before: datetime | None
) -> Judged | None:
    """None: the entry speaks of another unit."""
    parts = [part.strip() for part in item.unit.split("@")]
    serial, stamp = parts[0], parts[-1]
    if usable_serial(serial) is None:
        return Judged(False, f"'{serial[:40]}' is no serial that tells one unit from another")
    verifiable = True
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
    return _judge_time(stamp, now, zone, exact, not_before, verifiable)


def _judge_time(
    stamp: str, now: datetime, zone: tzinfo, exact: bool, not_before: datetime | None, verifiable: bool
) -> Judged:
    here = now.astimezone(zone)
    shown = f"it is {here:%Y-%m-%d %H:%M} in {zone}"
    try:
        if _INSTANT.fullmatch(stamp):
            given = datetime.strptime(stamp, "%Y-%m-%dT%H:%M%z")
            if given > now + FUTURE_TOLERANCE:
                return Judged(False, f"{stamp} is in the future ({shown})")
            if now - given > MAX_AGE:
                return Judged(False, f"{stamp} is more than 60 minutes ago ({shown})")
            if not_before is not None and given <= not_before:
                return Judged(False, f"{stamp} is older than the last permission to reconnect or recovery attempt")
            return Judged(True, f"confirmed at {stamp}" + ("" if verifiable else ", not verifiable"), verifiable)
        if exact:
            return Judged(False, f"'{stamp[:40]}' is not a time of the form YYYY-MM-DDThh:mm+hh:mm")
        if not _DAY.fullmatch(stamp):
            return Judged(False, f"'{stamp[:40]}' is not a date of the form YYYY-MM-DD")
        day = datetime.strptime(stamp, "%Y-%m-%d").date()
    except (ValueError, OverflowError):
        return Judged(False, f"'{stamp[:40]}' is not a date that exists")
    today = here.date()
    if day == today or (here.hour < MORNING_HOUR and day == today - timedelta(days=1)):
        return Judged(True, f"confirmed for {stamp} ({shown})", verifiable)
    if day > today:
        return Judged(False, f"{stamp} is in the future ({shown})")
    return Judged(False, f"{stamp} is over ({shown})")
