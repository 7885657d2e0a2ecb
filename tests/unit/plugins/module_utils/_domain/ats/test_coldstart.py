# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which start of the card proves that the power was gone since an earlier run, and that it proves it once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import (
    ColdStart,
    cold_start,
    last_backup,
    start_rows,
    used_starts,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, parse_event_log


def row(day: int, text: str, code: str = "") -> str:
    return f"03/{day:02d}/2026\t12:00:00\t{text}\t{code}".rstrip()


def log(*lines: str) -> EventLog:
    return parse_event_log(("Date\tTime\tEvent\tCode\n" + "".join(f"{line}\n" for line in lines)).encode())


def cold(day: int) -> str:
    return row(day, "System: Cold start.", "0x0001")


def warm(day: int) -> str:
    return row(day, "System: Warm start.", "0x0002")


def login(day: int) -> str:
    return row(day, "System: Web user 'apc' logged in from 192.0.2.9.", "0x0015")


EARLIER = log(login(2), cold(1))
NEW, NOT_NEW = ColdStart(True, True), ColdStart(False)


def test_a_row_that_the_earlier_log_lacks_is_new() -> None:
    assert cold_start(log(cold(3), login(2), cold(1)), EARLIER, None) == NEW
    assert cold_start(log(login(4), cold(3), login(2), cold(1)), EARLIER, None) == NEW


@pytest.mark.parametrize(
    "now",
    [
        (login(2), cold(1)),
        (login(3), login(2), cold(1)),
        (warm(3), login(2), cold(1)),
        (warm(4), cold(3), login(2), cold(1)),
        (row(3, "System: Warm start."), login(2), cold(1)),
        (row(3, "System: Warm start.", "0x0001"), login(2), cold(1)),
        (row(3, "System: Warm start.", "0x0003"), login(2), cold(1)),
        # A damaged row that may be a newer start.
        ("3/2026 System: Warm start. 0x0002", cold(3), login(2), cold(1)),
        ("3/2026 System: Cold start. 0x0001", login(2), cold(1)),
    ],
)
def test_no_new_cold_start_as_the_newest_start(now: tuple[str, ...]) -> None:
    assert cold_start(log(*now), EARLIER, None).new is False


def test_without_a_code_the_words_decide() -> None:
    for text in ("System: Cold start.", "Coldstart", "system: cold start"):
        assert cold_start(log(row(3, text), login(2), cold(1)), EARLIER, None) == NEW
    assert cold_start(log(row(3, "System: Restarted."), login(2), cold(1)), EARLIER, None).new is False


def test_either_order_of_the_rows_is_read() -> None:
    assert cold_start(log(cold(1), login(2), cold(3)), EARLIER, None) == NEW
    assert cold_start(log(cold(1), login(2), cold(3), warm(4)), EARLIER, None) == NOT_NEW


def test_where_the_order_is_not_known_the_worse_one_counts() -> None:
    unordered = log(cold(2), warm(2).replace("2026", "2000"))
    assert unordered.newest_first is None
    assert cold_start(unordered, log(login(1)), None) == NOT_NEW
    # Of the rows that were there already the order does not matter.
    lost = cold(1).replace("2026", "2000")
    now = log(lost, login(2), warm(2))
    assert now.newest_first is None and cold_start(now, log(login(2), warm(2)), None) == NEW


@pytest.mark.parametrize("earlier", [log(login(9)), log(), parse_event_log(b""), parse_event_log(b"<html>")])
def test_an_earlier_log_that_shares_no_row_is_an_earlier_log_all_the_same(earlier: EventLog) -> None:
    """Cleared, run over, or not understood: then a cold start must be the newest start, and dates nothing as old."""
    assert cold_start(log(login(2)), earlier, None) == NOT_NEW
    assert cold_start(log(warm(2), cold(1)), earlier, None) == NOT_NEW
    assert cold_start(log(cold(2), warm(1)), earlier, None) == ColdStart(True, joined=False)


def test_without_an_earlier_log_nothing_is_proved() -> None:
    assert cold_start(log(cold(2), warm(1)), None, None) == ColdStart(None)
    assert cold_start(log(login(2)), None, None) == ColdStart(None)
    # But a warm start that came last speaks against it.
    assert cold_start(log(warm(3), cold(2)), None, None) == NOT_NEW


def test_a_start_that_an_attempt_rested_on_is_used() -> None:
    """Also where the card did not restart after it, because the file was cut."""
    then = log(cold(3), login(2), cold(1))
    used = start_rows(then)
    assert cold_start(then, EARLIER, used) == NOT_NEW
    assert cold_start(then, None, used) == NOT_NEW
    assert cold_start(log(cold(3)), None, used) == NOT_NEW
    assert cold_start(log(login(4)), None, used) == NOT_NEW
    assert cold_start(log(cold(5), cold(3), login(2), cold(1)), EARLIER, used) == NEW
    assert cold_start(log(cold(5)), None, used) == ColdStart(True, joined=False)
    # A clock that begins anew writes the same row a second time.
    assert cold_start(log(cold(3), cold(3), login(2), cold(1)), EARLIER, used) == NEW


def attempt(**more: Any) -> dict[str, Any]:
    return {"kind": "recovery_attempt", **more}


def test_the_starts_of_the_last_attempt_are_found() -> None:
    assert used_starts([]) is None
    assert used_starts([{"kind": "backup"}]) is None
    assert used_starts([attempt(starts=["x"]), attempt(starts=["x", "y"]), {"kind": "backup"}]) == ["x", "y"]


@pytest.mark.parametrize("record", [attempt(), attempt(starts="x"), {"kind": "damaged"}])
def test_an_attempt_whose_starts_are_not_known_needs_a_later_backup(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not known"):
        used_starts([{"kind": "backup"}, record])
    assert used_starts([record, {"kind": "backup"}]) in (None, [])


def test_the_newest_backup_is_the_one_that_counts() -> None:
    assert last_backup([]) is None
    assert last_backup([{"kind": "backup"}, {"kind": "end"}, {"kind": "backup"}, {"kind": "end"}]) == 2
