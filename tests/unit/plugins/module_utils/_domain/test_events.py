# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import (
    Failure,
    download_in_progress,
    new_rows,
    newest_failure,
    parse_event_log,
)

A = "Automatic Transfer Switch: "
# The published rows of the real failed unit, newest first (facts/BULLETINS).
REAL = f"""\
2\tFile Format Version
09/05/2017\t23:30:00\tDate/Time Retrieved
Name\tContact\tLocation\tIP
download begun\tUnknown\tUnknown\t192.0.2.9

Date\tTime\tEvent\tCode
09/05/2017\t23:21:26\t{A}ATS Controller firmware download failed.\t0x0C21
09/05/2017\t23:21:26\t{A}ATS Controller firmware download begun.\t0x0C20
09/05/2017\t23:20:25\tSystem: Web user 'apc' logged in from x.x.x.x.\t0x0015
09/05/2017\t23:19:36\t{A}7-Segment display hardware failure.\t0x0C30
09/05/2017\t23:19:36\t{A}Phase Leds/Push-button hardware failure.\t0x0C31
09/05/2017\t23:19:00\tSystem: Cold start.\t0x0001
"""


def rows(*lines: str) -> bytes:
    return ("Date\tTime\tEvent\tCode\r\n" + "\r\n".join(lines) + "\r\n").encode()


def row(minute: int, text: str, code: str = "") -> str:
    return f"03/02/2026\t12:{minute:02d}:00\t{text}\t{code}".rstrip()


BEGUN, FAILED, DONE = (f"{A}ATS Controller firmware download {word}." for word in ("begun", "failed", "successful"))
START = "System: Warm start."


def test_the_real_log() -> None:
    log = parse_event_log(REAL.encode())
    kinds = [event.kind for event in log.rows]
    assert kinds == [
        "controller_download_failed", "controller_download_begun", "login", "display_hardware_failure",
        "display_hardware_failure", "card_restarted",
    ]  # fmt: skip
    # A name that somebody gave the unit makes no event.
    assert len(log.head) == 5 and log.newest_first
    failure = newest_failure(log)
    assert failure is not None and not failure.then_start and not failure.then_begun
    assert download_in_progress(log) is None


@pytest.mark.parametrize(
    "line",
    [
        f"09/05/2017 23:21:26 {A}ATS Controller firmware download begun.",
        f"09/05/2017 23:21:26\t{A}ATS Controller firmware download begun.\t0x0C20",
        f"2017-09-05\t23:21:26\t{A}ATS Controller firmware download begun.\t0x0C20",
        f"09/05/2017\t23:21:26\t{A}ATS Controller Firmware Download Started.",
        "ATS Controller firmware download has begun.\t0x0C20",
    ],
)
def test_in_every_layout(line: str) -> None:
    log = parse_event_log(rows(line))
    assert [event.kind for event in log.rows] == ["controller_download_begun"]
    assert download_in_progress(log) is not None


@pytest.mark.parametrize(
    ("events", "going_on"),
    [
        ([BEGUN], True),
        ([BEGUN, FAILED], False),
        ([BEGUN, DONE], False),
        ([BEGUN, FAILED, BEGUN], True),
        ([FAILED], False),
        ([START, BEGUN, START], True),
        ([], False),
        ([START], False),
    ],
)
@pytest.mark.parametrize("newest_first", [True, False])
def test_in_progress_until_an_end(events: list[str], going_on: bool, newest_first: bool) -> None:
    lines = [row(minute, text) for minute, text in enumerate(events)]
    log = parse_event_log(rows(*(reversed(lines) if newest_first else lines)))
    assert (download_in_progress(log) is not None) is going_on


@pytest.mark.parametrize(
    ("events", "then"),
    [
        ([START, BEGUN, FAILED], ""),
        ([BEGUN, FAILED, START], "start"),
        ([BEGUN, FAILED, START, START], "start"),
        ([BEGUN, FAILED, START, BEGUN], "begun"),
        ([BEGUN, FAILED, BEGUN], "begun"),
        ([BEGUN, FAILED, BEGUN, START], "start begun"),
        ([BEGUN, FAILED, BEGUN, FAILED], ""),
        ([BEGUN, FAILED, START, BEGUN, FAILED], ""),
        ([START, FAILED, "System: Web user 'apc' logged in from 1.2.3.4."], ""),
        ([FAILED], ""),
        ([BEGUN, FAILED, BEGUN, DONE], None),
        ([BEGUN, FAILED, START, BEGUN, DONE], None),
        ([BEGUN, DONE, BEGUN, FAILED], ""),
        ([START, BEGUN], None),
        ([], None),
    ],
)
def test_the_newest_failure_and_what_is_behind_it(events: list[str], then: str | None) -> None:
    """``then`` None: none stands. A start behind it ends it only with 900 s and communication (test_quiet)."""
    lines = [row(minute, text) for minute, text in enumerate(events)]
    found = newest_failure(parse_event_log(rows(*reversed(lines))))
    last = max((at for at, text in enumerate(events) if text == FAILED), default=0)
    wanted = None if then is None else Failure(row(last, FAILED), "start" in then, "begun" in then)
    assert found == wanted


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        (["a", "b"], ["c", "a", "b"], ["c"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["c", "d"], None),
        (["a"], [], None),
        ([], ["a"], None),
        (["a", "a"], ["a", "a", "a"], ["a"]),
        (["a", "b", "c"], ["d", "a", "b"], ["d"]),
    ],
)
def test_new_rows(before: list[str], after: list[str], new: list[str] | None) -> None:
    def log(names: list[str]) -> object:
        return parse_event_log(
            rows(*(row(ord(name) % 60, f"System: {name} happened in here.", "0x0099") for name in names))
        )

    found = new_rows(log(before), log(after))  # type: ignore[arg-type]
    assert (None if found is None else len(found)) == (None if new is None else len(new))


def test_who_logs_in() -> None:
    lines = (
        row(1, "System: Web user 'apc' logged in from 1.2.3.4.", "0x0015"),
        row(2, "System: FTP user 'apc' logged in from 1.2.3.4.", "0x0016"),
        row(3, "System: Console user 'apc' logged in.", "0x0014"),
        row(4, "System: something in another language", "0x0016"),
    )
    kinds = [event.kind for event in parse_event_log(rows(*lines)).rows]
    assert kinds == ["login", "ftp_login", "login", "ftp_login"]


@given(st.binary(max_size=2000))
def test_any_bytes_parse(data: bytes) -> None:
    log = parse_event_log(data)
    assert all("\x00" not in event.line for event in log.rows)
    download_in_progress(log)
    newest_failure(log)
    assert not new_rows(log, log)


def test_a_huge_log_is_bounded() -> None:
    data = rows(*(row(number % 60, f"System: event {number} in here.", "0x0099") for number in range(20000)))
    assert len(parse_event_log(data).rows) <= 5000
