# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each row of a log is named by its code, or by its text; what is not understood is kept as it stands."""

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_kinds import KINDS, event_of, events_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log

ATS = "Automatic Transfer Switch: "
# Text, code, kind. Published rows: BULLETINS.md, NMC.md; the others in their style.
ROWS = [
    (f"{ATS}ATS Controller firmware download failed.", "", "controller_download_failed"),
    (f"{ATS}ATS Controller firmware download begun.", "", "controller_download_begun"),
    (f"{ATS}ATS Controller firmware download successful.", "", "controller_download_succeeded"),
    (f"{ATS}7-Segment display hardware failure.", "0x0C30", "display_hardware_failure"),
    ("Phase Leds/Push-button hardware failure.", "", "display_hardware_failure"),
    (f"{ATS}Communication lost.", "0x0C10", "communication_lost"),
    ("Communication has been lost to the device", "", "communication_lost"),
    (f"{ATS}Communication established.", "0x0C11", "communication_established"),
    (f"{ATS}Redundancy lost.", "0x0C03", "redundancy_lost"),
    (f"{ATS}Redundancy restored.", "0x0C04", "redundancy_restored"),
    (f"{ATS}Source switched to B.", "0x0C01", "source_transferred"),
    (f"{ATS}Switched to source A.", "0x0C01", "source_transferred"),
    ("System: Cold start.", "0x0001", "card_restarted"),
    ("System: Warm start.", "0x0002", "card_restarted"),
    ("System: whatever it says", "0x0001", "card_restarted"),
    ("System: Web user 'apc' logged in from 192.0.2.1.", "0x0015", "login"),
    ("System: FTP user 'apc' logged in from 192.0.2.1.", "0x0016", "login"),
    ("System: File transfer started.", "0x000C", "file_transfer"),
    ("System: File transfer failed.", "0x000F", "file_transfer_failed"),
    (
        "Device UPS: Lost the local network management interface-to-UPS communication.",
        "0x0102",
        "ups_communication_lost",
    ),
    ("Device UPS: Transferring firmware to UPS.", "0x0176", "ups_firmware_begun"),
    ("Device UPS: Finished UPS firmware transfer.", "0x0177", "ups_firmware_finished"),
    ("Device UPS: Firmware transfer to UPS failed.", "0x0178", "ups_firmware_failed"),
    ("Device UPS: The output power is turned off.", "0x0114", "ups_output_off"),
    ("System: Data Log cleared.", "0x0012", "other"),
    ("something that nobody knows", "0xBEEF", "other"),
    # What a person chose is no event.
    ("System: Contact set to 'ATS Controller firmware download begun.'", "0x0020", "other"),
    ("System: Name set to 'communication lost'.", "0x0020", "other"),
]


@pytest.mark.parametrize(("text", "code", "kind"), ROWS, ids=[f"{row[2]} {number}" for number, row in enumerate(ROWS)])
@pytest.mark.parametrize("layout", ["{d}\t{t}\t{text}\t{code}", "{d} {t} {text} {code}"])
def test_a_row_is_named(text: str, code: str, kind: str, layout: str) -> None:
    line = layout.format(d="09/05/2017", t="23:21:26", text=text, code=code).rstrip()
    log = parse_event_log(f"Date\tTime\tEvent\tCode\n{line}\n".encode())
    (event,) = events_of(log)
    assert event.kind == kind and event.time == "2017-09-05T23:21:26"
    assert event.code == (code.replace("0x", "0x").upper().replace("0X", "0x") or None)
    assert text.endswith(event.text) and event.text in text


def test_every_kind_is_reached() -> None:
    reached = {row[2] for row in ROWS} | {"ups_communication_established"}
    assert reached == set(KINDS)
    row = parse_event_log(b"01/01/2020\t00:00:00\tDevice UPS: odd words\t0x0101\n").rows[0]
    assert event_of(row).kind == "ups_communication_established"


def test_source_and_text_are_parted() -> None:
    row = parse_event_log(f"09/05/2017 23:21:26 {ATS}ATS Controller firmware download failed.\n".encode()).rows[0]
    event = event_of(row)
    assert (event.source, event.text) == ("Automatic Transfer Switch", "ATS Controller firmware download failed.")


@pytest.mark.parametrize("stamp", ["13/45/2099 23:59:59", "01/01/1970 00:00:00", "02/30/2020 24:61:61"])
def test_an_odd_clock_is_shown_as_it_stands(stamp: str) -> None:
    event = event_of(parse_event_log(f"{stamp}\tSystem: Cold start.\t0x0001\n".encode()).rows[0])
    day, clock = stamp.split()
    month, number, year = day.split("/")
    assert event.time == f"{year}-{month}-{number}T{clock}"


def test_oldest_first_whatever_the_file_does() -> None:
    down = "\n".join(f"09/05/2017\t23:{minute}:00\tSystem: row {minute}\t0x0099" for minute in (30, 20, 10))
    up = "\n".join(reversed(down.split("\n")))
    for text in (down, up):
        assert [event.text for event in events_of(parse_event_log(text.encode()))] == ["row 10", "row 20", "row 30"]
