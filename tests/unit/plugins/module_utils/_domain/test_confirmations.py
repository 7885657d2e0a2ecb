# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    Confirmation,
    ConfirmationError,
    Subject,
    judge_confirmation,
    parse_confirmations,
)

SERIAL = "5A1511T00001"
OWN = Subject(SERIAL, "192.0.2.10")
UTC = timezone.utc
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def judged(
    unit: str,
    now: datetime = NOON,
    zone: str = "UTC",
    exact: bool = False,
    subject: Subject = OWN,
    what: str = "secondary_disconnected",
    not_before: datetime | None = None,
) -> bool:
    given = (Confirmation(what, unit),)
    return judge_confirmation(what, given, subject, now, ZoneInfo(zone), exact, not_before).ok


@pytest.mark.parametrize(
    ("now", "day", "counts"),
    [
        ("2026-03-02T00:00", "2026-03-02", True),
        ("2026-03-02T23:59", "2026-03-02", True),
        ("2026-03-03T00:00", "2026-03-02", True),
        ("2026-03-03T05:59", "2026-03-02", True),
        ("2026-03-03T06:00", "2026-03-02", False),
        ("2026-03-03T05:59", "2026-03-01", False),
        ("2026-03-02T05:59", "2026-03-03", False),
        ("2026-03-01T03:00", "2026-02-28", True),
        ("2028-03-01T03:00", "2028-02-29", True),
        ("2027-01-01T03:00", "2026-12-31", True),
    ],
)
def test_a_date_counts_today_and_until_six_also_yesterday(now: str, day: str, counts: bool) -> None:
    assert judged(f"{SERIAL}@{day}", datetime.fromisoformat(now).replace(tzinfo=UTC)) is counts


@pytest.mark.parametrize(
    ("zone", "day", "counts"),
    [
        ("Asia/Tokyo", "2026-03-03", True),
        ("Asia/Tokyo", "2026-03-02", False),
        ("America/New_York", "2026-03-02", True),
        ("America/New_York", "2026-03-03", False),
        ("Pacific/Kiritimati", "2026-03-03", True),
        ("Pacific/Niue", "2026-03-02", True),
    ],
)
def test_today_is_judged_in_the_zone(zone: str, day: str, counts: bool) -> None:
    assert judged(f"{SERIAL}@{day}", datetime(2026, 3, 2, 22, 0, tzinfo=UTC), zone) is counts


@pytest.mark.parametrize(
    ("stamp", "counts"),
    [
        ("2026-03-02T12:00+00:00", True),
        ("2026-03-02T11:00+00:00", True),
        ("2026-03-02T10:59+00:00", False),
        ("2026-03-02T13:00+01:00", True),
        ("2026-03-02T06:30-05:00", True),
        ("2026-03-02T12:30+00:00", False),
        ("2026-03-02T12:00", False),
        ("2026-03-02T12:00Z", False),
        ("2026-03-02 12:00+00:00", False),
        ("2026-03-02T25:00+00:00", False),
        ("2026-03-02", False),
        ("", False),
    ],
)
def test_an_instant_is_at_most_sixty_minutes_old(stamp: str, counts: bool) -> None:
    assert judged(f"{SERIAL}@{stamp}", exact=True) is counts


@pytest.mark.parametrize("what", ["power_cycled", "one_input"])
def test_some_words_always_need_an_instant(what: str) -> None:
    assert not judged(f"{SERIAL}@2026-03-02", what=what)
    assert judged(f"{SERIAL}@2026-03-02T11:59+00:00", what=what)


@pytest.mark.parametrize("minutes", [-30, -1, 0])
def test_a_permission_since_then_voids_it(minutes: int) -> None:
    stamp = NOON + timedelta(minutes=minutes)
    assert not judged(f"{SERIAL}@{stamp:%Y-%m-%dT%H:%M}+00:00", exact=True, not_before=NOON)
    assert judged(f"{SERIAL}@{stamp:%Y-%m-%dT%H:%M}+00:00", exact=True, not_before=stamp - timedelta(minutes=1))


@pytest.mark.parametrize(
    "unit",
    [
        "5A1511T00002@2026-03-02", "@2026-03-02", "FFFFFFFFFFFF@2026-03-02", "000000000000@2026-03-02",
        "UPS_IDEN@2026-03-02", "xxxx@2026-03-02", SERIAL, f"{SERIAL}@", f"{SERIAL}@2026-3-2", f"{SERIAL}@02.03.2026",
        f"{SERIAL}@2026-03-02@2026-03-02", f"{SERIAL}@2026-02-30", f"{SERIAL}@\u0662\u0660\u0662\u0666-03-02",
        f"{SERIAL[:6]}@2026-03-02", f"{SERIAL}0@2026-03-02", f"{SERIAL}@2026-03-02\n",
    ],
)  # fmt: skip
def test_what_does_not_count(unit: str) -> None:
    assert not judged(unit) or unit.strip() == f"{SERIAL}@2026-03-02"


def test_the_case_of_letters_does_not_matter_and_others_are_ignored() -> None:
    given = (
        Confirmation("secondary_disconnected", "5A1511T00002@2026-03-02"),
        Confirmation("no_load", f"{SERIAL}@2026-03-02"),
        Confirmation("secondary_disconnected", f"{SERIAL.lower()}@2026-03-02"),
    )
    assert judge_confirmation("secondary_disconnected", given, OWN, NOON, UTC, False).ok
    assert not judge_confirmation("secondary_disconnected", given[:2], OWN, NOON, UTC, False).ok
    assert not judge_confirmation("one_input", given, OWN, NOON, UTC, False).ok


@pytest.mark.parametrize(
    ("unit", "counts"),
    [
        (f"{SERIAL}@192.0.2.10@2026-03-02T11:59+00:00", True),
        (f"{SERIAL}@192.0.2.11@2026-03-02T11:59+00:00", False),
        (f"{SERIAL}@192.0.2.10@2026-03-02", False),
        (f"{SERIAL}@192.0.2.10@2026-03-02T09:00+00:00", False),
        ("FFFFFFFF@192.0.2.10@2026-03-02T11:59+00:00", False),
        (f"{SERIAL}@2026-03-02T11:59+00:00", False),
    ],
)
def test_the_name_plate_counts_only_for_a_unit_without_a_serial(unit: str, counts: bool) -> None:
    nameless = Subject(None, "192.0.2.10")
    assert judged(unit, subject=nameless) is counts
    assert not judged(unit) or "@192" not in unit
    if counts:
        result = judge_confirmation("no_load", (Confirmation("no_load", unit),), nameless, NOON, UTC, False)
        assert result.ok and not result.verifiable and "not verifiable" in result.reason


def test_a_refusal_shows_zone_time_and_what_is_wanted() -> None:
    given = (Confirmation("no_load", f"{SERIAL}@2026-03-01"),)
    reason = judge_confirmation("no_load", given, OWN, NOON, ZoneInfo("Asia/Tokyo"), False).reason
    for part in ("2026-03-01", "Asia/Tokyo", "2026-03-02 21:00", "name plate", "SERIAL@YYYY-MM-DD"):
        assert part in reason
    # The serial itself is read from the name plate, not from a message that could only repeat a measurement.
    assert SERIAL not in reason


def test_the_survey_of_awx_is_read_line_by_line() -> None:
    text = f"secondary_disconnected {SERIAL}@2026-03-02\n\n# a remark\nno_load: {SERIAL}@2026-03-02\n"
    assert parse_confirmations(text) == (
        Confirmation("secondary_disconnected", f"{SERIAL}@2026-03-02"),
        Confirmation("no_load", f"{SERIAL}@2026-03-02"),
    )
    assert parse_confirmations([{"what": "no_load", "unit": "X@Y"}]) == (Confirmation("no_load", "X@Y"),)
    assert parse_confirmations(None) == parse_confirmations("") == parse_confirmations([]) == ()


@pytest.mark.parametrize(
    "value",
    ["no_load", "everything_fine 5A@x", [{"what": "no_load"}], [{"unit": "x"}], [7], 7, {"what": "no_load"},
     [{"what": "no_load", "unit": "x" * 200}]],
)  # fmt: skip
def test_what_is_not_of_the_form_is_refused(value: object) -> None:
    with pytest.raises(ConfirmationError):
        parse_confirmations(value)


@given(st.text(max_size=60), st.booleans())
def test_no_text_counts_by_accident(text: str, exact: bool) -> None:
    if SERIAL in text.upper():
        return
    assert not judged(text, exact=exact)
