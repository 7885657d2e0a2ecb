# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the card's log about a UPS firmware update; texts and codes as in UPS.md, from a real failed one."""

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import new_rows, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups_events import foreign_hand, ups_events

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
