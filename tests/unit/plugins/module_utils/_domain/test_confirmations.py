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
    Floors,
    Subject,
    Ways,
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
    subject: Subject = OWN,
    what: str = "will_disconnect_secondary",
    floors: Floors | None = None,
) -> bool:
    given = (Confirmation(what, unit),)
    return judge_confirmation(what, given, subject, now, ZoneInfo(zone), floors or Floors()).ok


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
        ("2026-03-02T11:30+00:00", True),
        ("2026-03-02T11:29+00:00", False),
        ("2026-03-02T13:00+01:00", True),
        ("2026-03-02T06:30-05:00", True),
        ("2026-03-02T12:02+00:00", True),
        ("2026-03-02T12:03+00:00", False),
        ("2026-03-02T12:00", False),
        ("2026-03-02T12:00Z", True),
        ("2026-03-02 12:00+00:00", False),
        ("2026-03-02T25:00+00:00", False),
        ("2026-03-02", False),
        ("", False),
    ],
)
def test_a_deed_given_beforehand_is_at_most_thirty_minutes_old(stamp: str, counts: bool) -> None:
    for what in ("secondary_disconnected", "no_load"):
        assert judged(f"{SERIAL}@{stamp}", what=what) is counts


@pytest.mark.parametrize(
    ("what", "minutes"),
    [
        ("will_disconnect_secondary", 720),
        ("will_remove_loads", 720),
        ("secondary_disconnected", 30),
        ("no_load", 30),
        ("power_cycled", 60),
        ("one_input", 60),
        ("unit_removed", 60),
        ("output_may_go_off", 60),
    ],
)
def test_how_old_each_word_may_be(what: str, minutes: int) -> None:
    for age, counts in ((minutes, True), (minutes + 1, False), (-2, True), (-3, False)):
        stamp = NOON - timedelta(minutes=age)
        assert judged(f"{SERIAL}@{stamp:%Y-%m-%dT%H:%M}+00:00", what=what) is counts, age


@pytest.mark.parametrize("what", ["power_cycled", "one_input", "unit_removed", "secondary_disconnected", "no_load"])
def test_some_words_always_need_an_instant(what: str) -> None:
    assert not judged(f"{SERIAL}@2026-03-02", what=what)
    assert judged(f"{SERIAL}@2026-03-02T11:59+00:00", what=what)


@pytest.mark.parametrize("what", ["will_disconnect_secondary", "secondary_disconnected", "power_cycled"])
@pytest.mark.parametrize("minutes", [-29, -1, 0])
def test_a_release_since_then_voids_it(minutes: int, what: str) -> None:
    stamp = NOON + timedelta(minutes=minutes)
    word = f"{SERIAL}@{stamp:%Y-%m-%dT%H:%M}+00:00"
    assert not judged(word, what=what, floors=Floors(releases=(NOON,)))
    assert not judged(word, what=what, floors=Floors(releases=(stamp,)))
    assert judged(word, what=what, floors=Floors(releases=(stamp - timedelta(minutes=1),)))
    # A stamp later than now sets no floor: a controller's clock was once in the future.
    assert judged(word, what=what, floors=Floors(releases=(NOON + timedelta(days=400),)))
    assert not judged(word, what=what, floors=Floors(spent=(f"{what} {word}",)))


def test_a_recovery_attempt_voids_deeds_and_statements_and_no_promise() -> None:
    floors, stamp = Floors(attempts=(NOON - timedelta(minutes=5),)), f"{SERIAL}@2026-03-02T11:50+00:00"
    assert not judged(stamp, what="no_load", floors=floors) and not judged(stamp, what="one_input", floors=floors)
    assert judged(stamp, what="will_remove_loads", floors=floors)


def test_a_deed_is_later_than_the_last_reading_that_contradicts_it() -> None:
    for minutes, counts in ((10, False), (5, False), (4, True)):
        word = f"{SERIAL}@{NOON - timedelta(minutes=minutes):%Y-%m-%dT%H:%M}+00:00"
        last = Floors(last_in=NOON - timedelta(minutes=5))
        assert judged(word, what="secondary_disconnected", floors=last) is counts
        assert judged(word, what="will_disconnect_secondary", floors=last)


@pytest.mark.parametrize(
    ("released", "counts"),
    [
        ("2026-03-01T23:59+00:00", True),
        ("2026-03-02T00:00+00:00", False),
        ("2026-03-02T11:00+00:00", False),
        ("2026-03-05T00:00+00:00", True),
    ],
)
def test_a_days_promise_is_spent_by_a_release_since_that_date_began(released: str, counts: bool) -> None:
    floors = Floors(releases=(datetime.fromisoformat(released),))
    assert judged(f"{SERIAL}@2026-03-02", floors=floors) is counts


def test_the_ways_to_say_a_deed_leave_the_serial_blank() -> None:
    for terminal in (True, False):
        text = " ".join(Ways("secondary_disconnected", "A", terminal).lines())
        assert "ats_word" in text and "SERIAL@YYYY-MM-DDThh:mm" in text and ("type 'A'" in text) is terminal
    assert "no load" in " ".join(Ways("no_load", "", True).lines())


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
        Confirmation("will_disconnect_secondary", "5A1511T00002@2026-03-02"),
        Confirmation("will_remove_loads", f"{SERIAL}@2026-03-02"),
        Confirmation("will_disconnect_secondary", f"{SERIAL.lower()}@2026-03-02"),
    )
    assert judge_confirmation("will_disconnect_secondary", given, OWN, NOON, UTC).ok
    assert not judge_confirmation("will_disconnect_secondary", given[:2], OWN, NOON, UTC).ok
    assert not judge_confirmation("one_input", given, OWN, NOON, UTC).ok


@pytest.mark.parametrize(
    ("unit", "counts"),
    [
        (f"{SERIAL}@192.0.2.10@2026-03-02T11:59+00:00", True),
        (f"{SERIAL}@192.0.2.11@2026-03-02T11:59+00:00", False),
        (f"{SERIAL}@192.0.2.10@2026-03-02", False),
        (f"{SERIAL}@192.0.2.10@2026-03-01T23:00+00:00", False),
        ("FFFFFFFF@192.0.2.10@2026-03-02T11:59+00:00", False),
        (f"{SERIAL}@2026-03-02T11:59+00:00", False),
    ],
)
def test_the_name_plate_counts_only_for_a_unit_without_a_serial(unit: str, counts: bool) -> None:
    nameless = Subject(None, "192.0.2.10")
    assert judged(unit, subject=nameless) is counts
    assert not judged(unit) or "@192" not in unit
    if counts:
        result = judge_confirmation("no_load", (Confirmation("no_load", unit),), nameless, NOON, UTC)
        assert result.ok and not result.verifiable and "not verifiable" in result.reason


def test_a_refusal_shows_zone_time_and_what_is_wanted() -> None:
    given = (Confirmation("will_remove_loads", f"{SERIAL}@2026-03-01"),)
    reason = judge_confirmation("will_remove_loads", given, OWN, NOON, ZoneInfo("Asia/Tokyo")).reason
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


@given(st.text(max_size=60), st.sampled_from(["will_disconnect_secondary", "no_load", "one_input"]))
def test_no_text_counts_by_accident(text: str, what: str) -> None:
    if SERIAL in text.upper():
        return
    assert not judged(text, what=what)
