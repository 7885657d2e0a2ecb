# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of the card's log about a UPS firmware update; texts and codes as in UPS.md, from a real failed one."""

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import new_rows, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import (
    events_since,
    foreign_hand,
    newest_update_row,
    shows_own_login,
    unended_update,
    ups_events,
)

FAILED_LOG = [
    (
        "Device UPS: Lost the local network management interface-to-UPS communication.",
        "0x0102",
        "ups_communication_lost",
    ),
    ("System: File 'SMT20UPS_10-1.enc' transfer failed.", "0x000F", None),
    ("Device UPS: Firmware transfer to UPS failed", "0x0178", "ups_firmware_failed"),
    ("Device UPS: Finished UPS firmware transfer [Xmodem Cancel]", "0x0177", "ups_firmware_finished"),
    ("Device UPS: Transferring firmware to UPS.", "0x0176", "ups_firmware_begun"),
    ("Device UPS: The output power is turned off.", "0x0114", "ups_output_off"),
    ("Device UPS: The graceful shutdown period has ended.", "0x014F", None),
]


def log(rows: list[str]) -> bytes:
    lines = [f"03/02/2026\t23:2{number}:26\t{row}" for number, row in reversed(list(enumerate(reversed(rows))))]
    return "\r\n".join(["Network Management Card Event Log", "Date\tTime\tEvent\tCode", *lines]).encode()


@pytest.mark.parametrize("mark", ["\t", " "])
def test_the_published_failure(mark: str) -> None:
    rows = parse_event_log(log([f"{text}{mark}{code}" for text, code, _kind in FAILED_LOG])).rows
    found = [event.kind for event in ups_events(rows)]
    assert found == [kind for _text, _code, kind in FAILED_LOG if kind]


def test_without_codes_the_text_counts_from_its_start() -> None:
    rows = parse_event_log(log([text for text, _code, _kind in FAILED_LOG])).rows
    found = [event.kind for event in ups_events(rows)]
    assert found == ["ups_firmware_failed", "ups_firmware_finished", "ups_firmware_begun"]


@pytest.mark.parametrize(
    "row",
    [
        "System: FTP user 'Device UPS: Firmware transfer to UPS failed' logged in from 192.0.2.9.\t0x0016",
        "System: Name set to Firmware transfer to UPS failed",
        "Somebody said: Device UPS: Firmware transfer to UPS failed",
        "Device UPS: Firmware transfer to UPS failed\t0x0300",
    ],
)
def test_what_only_speaks_of_it_is_none(row: str) -> None:
    assert ups_events(parse_event_log(log([row])).rows) == []


def test_lines_are_told_without_tabs_and_control_characters() -> None:
    rows = parse_event_log(log(["Device UPS: Firmware transfer\x1b[2J to UPS failed\t0x0178"])).rows
    (event,) = ups_events(rows)
    assert event.line.isprintable() and "  " not in event.line


def test_only_new_rows_count() -> None:
    before = parse_event_log(log(["Device UPS: Firmware transfer to UPS failed\t0x0178"]))
    rows = new_rows(before, before)
    assert rows is not None and ups_events(rows) == []


OWN = [
    "System: FTP user 'apc' logged in from 192.0.2.250.\t0x0016",
    "System: File transfer started. FTP, 'upsfw/SMT18UPS_09-3.enc' from 192.0.2.250.\t0x000C",
]
HANDS: list[tuple[list[str], str]] = [
    ([], ""),
    (OWN, ""),
    (["System: SSH user 'apc' logged in from 192.0.2.250.\t0x0014", OWN[1]], ""),
    ([*OWN, "Device UPS: On battery power.\t0x0109"], ""),
    ([*OWN, OWN[0]], "by FTP, SCP or SSH"),
    ([*OWN, "System: SSH user 'x' logged in from 192.0.2.9.\t0x0014"], "by FTP, SCP or SSH"),
    ([*OWN, OWN[1]], "transferred a file"),
    ([OWN[0], OWN[1].replace("09-3", "09-0")], "sent SMT18UPS_09-0.enc"),
    ([OWN[0], "System: File transfer failed. FTP, 'SMT18UPS_09-4.enc' from 192.0.2.9.\t0x000F"], "SMT18UPS_09-4.enc"),
    ([*OWN, "System: Web user 'x' logged in from 192.0.2.9.\t0x0015"], "console or web"),
    ([*OWN, "System: Web user 'SSH user' logged in from 192.0.2.9.\t0x0015"], "console or web"),
]


@pytest.mark.parametrize(("rows", "words"), HANDS)
def test_who_else_was_at_the_card(rows: list[str], words: str) -> None:
    found = foreign_hand(parse_event_log(log(rows)).rows, "SMT18UPS_09-3.enc")
    assert (found == "") is (words == "") and words in found


def test_another_account_is_somebody_else() -> None:
    rows = parse_event_log(log([OWN[0].replace("'apc'", "'mallory'"), OWN[1]])).rows
    assert foreign_hand(rows, "SMT18UPS_09-3.enc", "apc") == "somebody else logged in, as mallory"
    assert foreign_hand(parse_event_log(log(OWN)).rows, "SMT18UPS_09-3.enc", "apc") == ""
    # Once the file has been accounted for, a second one is not ours.
    assert foreign_hand(parse_event_log(log(OWN)).rows, "", "apc") == "somebody else sent SMT18UPS_09-3.enc"


def test_a_log_in_which_we_are_not() -> None:
    others = parse_event_log(log([OWN[1]])).rows
    assert not shows_own_login(others, "ftp") and shows_own_login(parse_event_log(log(OWN)).rows, "ftp")
    # How a card logs a login for SCP is not published.
    assert shows_own_login(others, "scp")


BEGUN, FINISHED, FAILED = (f"{text}\t{code}" for text, code, _kind in (FAILED_LOG[4], FAILED_LOG[3], FAILED_LOG[2]))
LATER = "System: FTP user 'apc' logged in from 192.0.2.250.\t0x0016"


@pytest.mark.parametrize(
    ("rows", "going_on"),
    [
        ([LATER, BEGUN], True),
        ([BEGUN, FINISHED], True),  # newest first: the end is of another one
        ([FINISHED, BEGUN], True),  # only the transfer to the UPS, which still writes
        ([FAILED, FINISHED, BEGUN], False),
        ([FAILED, BEGUN], False),
        ([LATER], False),
        ([LATER, "System: Name set to Transferring firmware to UPS."], False),
    ],
)
def test_an_update_without_its_end(rows: list[str], going_on: bool) -> None:
    parsed = parse_event_log(log(rows))
    assert bool(unended_update(parsed, 3600.0)) is going_on
    assert "0x017" in unended_update(parsed, 3600.0) or not going_on


@pytest.mark.parametrize(("clock", "going_on"), [("23:59:00", True), ("23:40:00", False), ("21:00:00", True)])
def test_it_is_believed_for_a_time(clock: str, going_on: bool) -> None:
    """By the card's own clock; one that was set back makes nothing old."""
    rows = [f"03/02/2026\t{clock}\t{LATER}", f"03/02/2026\t23:22:00\t{BEGUN}", f"03/02/2026\t23:20:00\t{LATER}"]
    text = "\r\n".join(["Network Management Card Event Log", "Date\tTime\tEvent\tCode", *rows]).encode()
    limit = 3600.0 if clock == "23:59:00" else 900.0
    assert bool(unended_update(parse_event_log(text), limit)) is going_on


def test_what_came_behind_a_row() -> None:
    parsed = parse_event_log(log([FAILED, FINISHED, BEGUN, LATER]))
    begun = next(event.line for event in ups_events(parsed.rows) if event.kind == "ups_firmware_begun")
    assert [event.kind for event in events_since(parsed, begun)] == ["ups_firmware_finished", "ups_firmware_failed"]
    assert len(events_since(parsed, "")) == len(events_since(parsed, "gone")) == 3
    assert newest_update_row(parsed) == events_since(parsed, "")[-1].line
    assert newest_update_row(parse_event_log(log([LATER]))) == ""
