# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event logs that somebody, or a broken clock, made up: none of it may end a download or hide a login."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain import events
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import (
    MAX_BYTES,
    MAX_LINES,
    MAX_ROWS,
    EventLog,
    classify,
    download_in_progress,
    new_rows,
    newest_failure,
    parse_event_log,
)
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import effort, explosive, patterns

A = "Automatic Transfer Switch: "
BEGUN, FAILED, DONE = (f"{A}ATS Controller firmware download {word}." for word in ("begun", "failed", "successful"))
START = "System: Cold start."
LAYOUTS = ("bare", "labelled", "joined", "no titles", "bare, no titles")


def row(second: int, text: str, code: str, day: str = "09/05/2017") -> tuple[str, str, str, str]:
    return day, f"23:{second // 60:02d}:{second % 60:02d}", text, code


# Newest first: a download that goes on.
OPEN = (
    row(600, BEGUN, "0x0C20"),
    row(500, "System: FTP user 'apc' logged in from 192.0.2.9.", "0x0016"),
    row(400, f"{A}Communication established.", "0x0C01"),
    row(300, START, "0x0001"),
)


def made(
    layout: str,
    rows: tuple[tuple[str, str, str, str], ...] = OPEN,
    name: str = "rack-04",
    contact: str = "Unknown",
    location: str = "Unknown",
    retrieved: str = "23:30:00",
) -> bytes:
    """The layouts that the simulated device knows, and two without the titles of the event columns."""
    if layout.startswith("bare"):
        head = [
            "2\tFile Format Version",
            f"09/05/2017\t{retrieved}\tDate/Time Retrieved",
            "Name\tContact\tLocation\tIP",
            f"{name}\t{contact}\t{location}\t192.0.2.10",
        ]
    else:
        head = [
            "Network Management Card AOS\tv3.7.4",
            "File Format Version\t3",
            f"Retrieved\t09/05/2017 {retrieved}",
            f"Name\t{name}",
            f"Contact\t{contact}",
            f"Location\t{location}",
            "IP\t192.0.2.10",
        ]
    if "no titles" not in layout:
        head += ["", "Date and Time\tEvent\tEvent Code" if layout == "joined" else "Date\tTime\tEvent\tCode"]
    first = " " if layout == "joined" else "\t"
    body = [f"{day}{first}{clock}\t{text}\t{code}" for day, clock, text, code in rows]
    return ("\r\n".join([*head, *body]) + "\r\n").encode()


def lines(*texts: str) -> EventLog:
    return parse_event_log("\n".join(("Date\tTime\tEvent\tCode", *texts)).encode())


def failed_last(log: EventLog) -> bool:
    """A failed row stands, and nothing behind it says that it may be over."""
    failure = newest_failure(log)
    return failure is not None and not failure.then_start and not failure.then_begun


def kinds(log: EventLog) -> list[str]:
    return [event.kind.removeprefix("controller_download_") for event in log.rows]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_holds_only_its_rows(layout: str) -> None:
    log = parse_event_log(made(layout))
    assert kinds(log) == ["begun", "ftp_login", "other", "card_restarted"]
    assert all(event.stamp and event.code for event in log.rows)
    assert log.newest_first is True and log.recognised
    assert any("rack-04" in line for line in log.head)


FORGED = [
    f"{A}ATS Controller firmware download complete 0x0C22",
    f"{A}ATS Controller firmware download failed 0x0c21",
    "ATS Controller firmware download complete.",
    f"09/06/2017 10:00:00 {DONE} 0x0C22",
    f"09/06/2017 10:00:00 {FAILED} 0x0C21",
    "2017-09-06 10:00:00 System: Cold start. 0x0001",
    "0x0C22",
    "Date Time Event",
    "Date/Time Retrieved",
    f"x\u2028{DONE}\x0b09/06/2017 10:00:00 {DONE}",
]


@pytest.mark.parametrize("field", ["name", "contact", "location"])
@pytest.mark.parametrize("text", FORGED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_people_write_into_the_head_is_no_event(layout: str, text: str, field: str) -> None:
    log = parse_event_log(made(layout, **{field: text}))  # type: ignore[arg-type]
    assert kinds(log) == ["begun", "ftp_login", "other", "card_restarted"]
    assert download_in_progress(log) is not None
    assert newest_failure(log) is None


USERS = [
    "ATS Controller firmware download complete",
    f"{A}ATS Controller firmware download failed",
    "x' logged out from 1.2.3.4. System: Cold start. 0x0001",
    f"x\t{DONE}\t0x0C22",
    "0x0002",
    "x" * 2000,
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("code", ["0x0015", "", "0x0099", "0x0001"])
@pytest.mark.parametrize("protocol", ["Web", "FTP", "Console"])
def test_a_login_is_a_login_whatever_the_user_is_called(user: str, code: str, protocol: str) -> None:
    text = f"System: {protocol} user '{user}' logged in from 1.2.3.4."
    log = lines(f"09/05/2017\t23:12:00\t{text}\t{code}", "\t".join(OPEN[0]), "\t".join(OPEN[-1]))
    assert kinds(log)[0] in ("login", "ftp_login") and kinds(log)[1:] == ["begun", "card_restarted"]
    assert download_in_progress(log) is not None and newest_failure(log) is None


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("System: Anmeldung ueber das Web", "0x0015", "login"),
        ("System: Anmeldung", "0x0014", "login"),
        ("System: Anmeldung", "0x0016", "ftp_login"),
        ("System: Kaltstart", "0x0001", "card_restarted"),
        ("System: Warmstart", "0x0002", "card_restarted"),
        ("System: Datei", "0x000c", "file_transfer"),
        ("System: Datei", "0x000F", "file_transfer_failed"),
        ("System: Cold start.", "", "card_restarted"),
        ("System: Cold start.", "0x0099", "other"),
        ("System: File transfer started. FTP", "", "file_transfer"),
        ("System: The name was set to Cold start", "", "other"),
        (f"{A}7-Segment display hardware failure.", "0x0C30", "display_hardware_failure"),
        (f"Name '{A}7-Segment display hardware failure.'", "", "other"),
    ],
)
def test_code_first_then_text(text: str, code: str, kind: str) -> None:
    assert kinds(lines(f"09/05/2017\t23:12:00\t{text}\t{code}")) == [kind]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (BEGUN, "begun"),
        (FAILED, "failed"),
        (DONE, "succeeded"),
        ("AUTOMATIC  TRANSFER SWITCH :  ats controller  firmware download COMPLETED", "succeeded"),
        ("ATS Controller firmware download successful.", "succeeded"),
        ("ATS Controller firmware download begun.", "begun"),
        # Another prefix than the published one: begun and failed are not overlooked, a success is not believed.
        ("Device ATS: ATS Controller firmware download begun.", "begun"),
        ("Device ATS: ATS Controller firmware download failed.", "failed"),
        ("Device ATS: ATS Controller firmware download successful.", "other"),
        ("Warning\t" + BEGUN, "begun"),
        ("Automatic Transfer Switch\tATS Controller firmware download failed.", "failed"),
        (f"{A}ATS Controller firmware download was unsuccessful.", "failed"),
        (f"{A}ATS Controller firmware download completed with errors.", "other"),
        # A source with a name that somebody chose.
        (f"{A}ATS Controller firmware download complete restored.", "other"),
        ("System: Name 'ATS Controller firmware download complete' set", "other"),
        (f"System: {FAILED}", "other"),
    ],
)
def test_a_download_text_stands_at_the_beginning(text: str, kind: str) -> None:
    assert kinds(lines(f"09/05/2017 23:12:00\t{text}")) == [kind]
    if "\t" not in text:
        assert classify(text, None)[0].endswith(kind)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (BEGUN, "begun"),
        (FAILED, "failed"),
        (f"\t23:1\t{FAILED}\t0x0C21", "failed"),
        (f"09/05/2017\t{BEGUN}", "begun"),
        ("ler firmware download begun.\t0x0C20", "begun"),
        (DONE, "other"),
        (f"\t{DONE}\t0x0C22", "other"),
        ("System: Cold start.\t0x0001", "other"),
        ("System: Web user 'x' logged in from 1.2.3.4.", "login"),
        ("\x00\x01nonsense", "other"),
    ],
)
def test_a_damaged_row_warns_but_clears_nothing(line: str, kind: str) -> None:
    log = lines("\t".join(OPEN[0]), line, "\t".join(OPEN[-1]))
    assert kinds(log) == ["begun", kind, "card_restarted"]
    assert log.rows[1].stamp is None
    assert lines(line).rows[0].kind.endswith(kind)


def test_a_damaged_failed_row_ends_no_download_but_is_a_failure() -> None:
    log = lines(FAILED, *("\t".join(event) for event in OPEN))
    assert download_in_progress(log) is not None and failed_last(log)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damaged_rows_are_not_head(layout: str) -> None:
    data = made(layout) + b"garbage\r\n" + BEGUN.encode() + b"\r\n"
    assert kinds(parse_event_log(data))[-2:] == ["other", "begun"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_logs_do_not_share_their_heads(layout: str) -> None:
    other = (row(900, BEGUN, "0x0C20"), row(800, START, "0x0001"))
    before, after = made(layout, retrieved="23:40:00"), made(layout, other, retrieved="23:40:00")
    assert new_rows(parse_event_log(before), parse_event_log(after)) is None
    again = parse_event_log(made(layout, (row(700, FAILED, "0x0C21"), *OPEN), retrieved="23:41:00"))
    fresh = new_rows(parse_event_log(before), again)
    assert fresh is not None and [event.text for event in fresh] == [FAILED]


@pytest.mark.parametrize(
    "line",
    [
        "09/05/2017\t23:30:00\tDate/Time Retrieved",
        "09/05/2017 23:30:00\tRetrieved",
        "09/05/2017 23:30:00",
        "Retrieved\t09/05/2017 23:30:00",
        "Date/Time Retrieved: 09/05/2017 23:30:00",
    ],
)
def test_a_retrieval_line_is_nowhere_a_row(line: str) -> None:
    body = ["\t".join(event) for event in OPEN]
    for place in range(len(body) + 1):
        for title in ([], ["Date\tTime\tEvent\tCode"]):
            log = parse_event_log("\n".join([*title, *body[:place], line, *body[place:]]).encode())
            assert kinds(log) == ["begun", "ftp_login", "other", "card_restarted"]


def test_undated_lines_compare_nothing_but_warnings_are_news() -> None:
    def log(*texts: str) -> EventLog:
        return lines("a line that every log has", "System: Cold start.\t0x0001", *texts)

    one, other = ("\t".join(event) for event in OPEN[:2])
    assert new_rows(log(one), log(other)) is None
    fresh = new_rows(log(one), log(one, "another such line", FAILED))
    assert fresh is not None and [event.kind for event in fresh] == ["controller_download_failed"]


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n\r\n", b"\x00" * 500, b"\xff\xfe" + "Date\tTime\tEvent".encode("utf-16-le"), b"550 no such file",
     b"<html><title>Network Management Card</title> event log", b"hello\nworld", b"09/05/2017", b"12:00:00 x 0x0001",
     b"09/05/2017 23:30:00"],
)  # fmt: skip
def test_what_is_no_event_log_is_not_recognised(data: bytes) -> None:
    log = parse_event_log(data)
    assert not log.recognised and not log.rows
    assert new_rows(log, log) is None and new_rows(log, parse_event_log(made("bare"))) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_log_without_rows_is_recognised_but_not_comparable(layout: str) -> None:
    log = parse_event_log(made(layout, ()))
    assert log.recognised and not log.rows
    assert new_rows(log, log) is None and new_rows(log, parse_event_log(made(layout))) is None


def test_one_dated_row_is_enough_to_recognise() -> None:
    assert parse_event_log(b"09/05/2017 23:30:00 something happened").recognised
    assert parse_event_log(b"Event Log\r\n").recognised
    assert not EventLog().recognised


@pytest.mark.parametrize("data", [b"x\n" * (MAX_LINES + 1), ("\t".join(OPEN[0]) + "\n").encode() * (MAX_ROWS + 1)])
def test_a_file_that_was_read_in_part_is_not_recognised(data: bytes) -> None:
    log = parse_event_log(made("bare") + data)
    assert not log.recognised and len(log.rows) <= MAX_ROWS


# -- order ---------------------------------------------------------------------------------------------------------


def test_a_clock_jump_in_a_short_log() -> None:
    """The review's case: oldest first, and the clock went back while the download began."""
    before = [row(600, START, "0x0001"), row(700, FAILED, "0x0C21")]
    after = [row(10, BEGUN, "0x0C20"), row(20, f"{A}Communication established.", "0x0C01")]
    log = lines(*("\t".join(event) for event in before + after))
    assert log.newest_first is None
    # By either reading something is behind the failure, and by neither it is over yet.
    assert download_in_progress(log) is not None and newest_failure(log) is not None


def test_a_lost_clock_is_no_order() -> None:
    lost = row(5, BEGUN, "0x0C20", day="01/01/2000")
    log = lines("\t".join(row(700, FAILED, "0x0C21")), "\t".join(lost))
    assert log.newest_first is None and download_in_progress(log) is not None


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("jump", [1, 2, 150, 298])
def test_one_clock_jump_in_a_long_log_decides_nothing(newest_first: bool, jump: int) -> None:
    rows = [row(1 + number, f"{A}Redundancy lost.", "0x0C0D") for number in range(300)]
    rows[0], rows[1] = row(1, BEGUN, "0x0C20"), row(2, FAILED, "0x0C21")
    later = [row(int(at[3:5]) * 60 + int(at[6:]), *rest, day="08/01/2017") for _day, at, *rest in rows[jump:]]
    rows = [*rows[:jump], *later]
    log = lines(*("\t".join(event) for event in (reversed(rows) if newest_first else rows)))
    assert log.newest_first is newest_first
    assert download_in_progress(log) is None and failed_last(log)


def test_three_to_one_is_no_order() -> None:
    def order(*seconds: int) -> bool | None:
        return lines(*("\t".join(row(second, "something", "0x0099")) for second in seconds)).newest_first

    assert order(9, 8, 7, 6) is True and order(6, 7, 8, 9) is False
    assert order(9, 8, 7, 6, 9) is None and order(9, 8, 7, 6, 5, 9) is True
    assert order(6, 7, 8, 9, 1) is None and order(5, 6, 7, 8, 9, 1) is False
    assert order(5, 5, 5) is None and order(5) is None and order() is None


SEED = (row(1286, FAILED, "0x0C21"), row(1286, BEGUN, "0x0C20"))


@pytest.mark.parametrize("older", [0, 1, 4])
def test_begun_and_failed_in_one_second_have_ended(older: int) -> None:
    """The published rows of the failed unit; also where nothing else tells the order."""
    rest = [row(1225 - number, f"{A}7-Segment display hardware failure.", "0x0C30") for number in range(older)]
    log = lines(*("\t".join(event) for event in (*SEED, *rest)))
    assert download_in_progress(log) is None and failed_last(log)
    again = lines(*("\t".join(event) for event in (SEED[1], *SEED, *rest)))
    assert download_in_progress(again) is not None


def test_the_real_rows_with_a_jump_still_read_as_failed() -> None:
    log = lines(*("\t".join(event) for event in (row(10, "x", "0x0099"), *SEED, row(1225, "y", "0x0099"))))
    assert log.newest_first is None
    assert download_in_progress(log) is None and failed_last(log)


@pytest.mark.parametrize(
    ("date", "stamp"),
    [
        ("09/05/2017 23:21:26", (2017, 9, 5, 23, 21, 26)),
        ("2017-09-05T23:21:26", (2017, 9, 5, 23, 21, 26)),
        ("05.09.2017\t23:21:26", (2017, 9, 5, 23, 21, 26)),
        ("Sep-05-17 23:21", (2017, 9, 5, 23, 21, 0)),
        ("05-Sep-2017 11:21:26 PM", (2017, 9, 5, 23, 21, 26)),
        ("09/05/2017 12:00:01 am", (2017, 9, 5, 0, 0, 1)),
    ],
)
def test_dates(date: str, stamp: tuple[int, ...]) -> None:
    assert [event.stamp for event in lines(f"{date}\t{BEGUN}").rows] == [stamp]


# -- total and bounded ---------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["\t", "\n", "\r", " ", "09/05/2017", "23:21:26", "2017-09-05T", BEGUN, FAILED, DONE, START, "0x0001", "0x0C22",
     "Name", "Contact", "Date\tTime\tEvent", "System: Web user '", "' logged in", "Retrieved", "\u2028", "\x00", "'"]
)  # fmt: skip


@given(st.one_of(st.binary(max_size=600), st.lists(st.one_of(PIECES, st.text(max_size=5))).map("".join).map(
    lambda text: text.encode("utf-8", "surrogatepass"))))  # fmt: skip
def test_anything_parses(data: bytes) -> None:
    log = parse_event_log(data)
    download_in_progress(log)
    newest_failure(log)
    assert new_rows(log, log) == (() if any(event.stamp for event in log.rows) else None)
    assert all(
        event.kind not in ("card_restarted", "controller_download_succeeded") for event in log.rows if not event.stamp
    )
    assert all(len(line) <= 512 and line.replace("\t", "x").isprintable() for line in log.head if line.isascii())


@given(st.text(max_size=80).filter(lambda text: "\n" not in text), st.sampled_from(LAYOUTS[:3]))
def test_no_name_ends_a_download(name: str, layout: str) -> None:
    log = parse_event_log(made(layout, name=name.encode("utf-8", "replace").decode()))
    assert download_in_progress(log) is not None and newest_failure(log) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * 10**6,
        b"a\n" * 500_000,
        b"1/1/2000 1:11:11 x\n" * 55_000,
        b"Date Time Event\n" * 60_000,
        b"\t" * 10**6,
        (b"1/1/2000 1:11:11" + b"\tx" * 240 + b"\n") * 2000,
        (b"1/1/2000 1:11:11 system: web user " + b"logged " * 60 + b"\n") * 2100,
        (b"1/1/2000 1:11:11 " + b"a " * 240 + b"\n") * 2000,
        (b"date/" * 100 + b"\n") * 2000,
        b"0" * 10**6,
        random.Random(1).randbytes(10**6),
    ],
    ids=range(11),
)
def test_the_work_grows_no_faster_than_the_log(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, so that a busy machine proves nothing. Half of the data is half of the work, and little of it."""
    # Rows that are remembered would hide it.
    monkeypatch.setattr(events, "_parse_row", events._parse_row.__wrapped__)

    def work(part: bytes) -> None:
        log = parse_event_log(part)
        download_in_progress(log)
        newest_failure(log)
        new_rows(log, log)

    half, whole = (effort(lambda part=part: work(part)) for part in (data[:40_000], data[:80_000]))  # type: ignore[misc]
    assert whole < 30 * 80_000 and whole < 2.2 * half + 20_000


def test_no_pattern_for_device_text_takes_for_ever() -> None:
    """What cannot be seen by counting calls: a single match that goes through all divisions of a line."""
    # Its rounds begin with a word each, which the blanks before it cannot match.
    harmless = {"_RETRIEVED"}
    found = {name for name, pattern in patterns().items() if explosive(pattern)}
    assert {name.rsplit(".", 1)[1] for name in found} <= harmless


def test_counting_finds_what_it_is_there_for() -> None:
    def quadratic(size: int) -> None:
        text = "x" * size
        while text:
            text = text.removeprefix("x")
            bytes(0)
            for _letter in text:
                len(text)

    assert effort(lambda: quadratic(80)) > 3 * effort(lambda: quadratic(40))
    assert explosive(re.compile(r"(a+)+b")) and explosive(re.compile(r"(?:x(?:\s*y?)*z)*"))
    assert not explosive(re.compile(r"a+b*c{1,9}(?:d|e)?")) and not explosive(re.compile(r"(?:a{1,5}b)*"))


def test_a_log_is_looked_at_up_to_its_bound_only() -> None:
    whole = b"1/1/2000 1:11:11 x\n" * (MAX_BYTES // 19)
    assert len(parse_event_log(whole * 3).rows) == len(parse_event_log(whole).rows)
