# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's event log. Texts with a source are marked; the 0x0Cxx numbers are made up within the ATS family."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

ATS = "Automatic Transfer Switch: "
UPS = "Device UPS: "
# key: (text, code). [V] the text is from a published log, [G] made up in its style
EVENTS: dict[str, tuple[str, int]] = {
    "cold_start": ("System: Cold start.", 0x0001),  # code [V]
    "warm_start": ("System: Warm start.", 0x0002),  # code [V]
    "transfer_started": ("System: File transfer started. FTP, '{name}' from {address}.", 0x000C),  # code [V]
    "transfer_failed": ("System: File transfer failed. FTP, '{name}' from {address}.", 0x000F),  # code [V]
    "ftp_login": ("System: FTP user '{user}' logged in from {address}.", 0x0016),  # form of the web row [V]
    "web_login": ("System: Web user '{user}' logged in from {address}.", 0x0015),  # [V]
    "data_log_cleared": ("System: Data Log cleared.", 0x0012),  # text [V]
    "download_begun": (ATS + "ATS Controller firmware download begun.", 0x0C20),  # text [V]
    "download_failed": (ATS + "ATS Controller firmware download failed.", 0x0C21),  # text [V]
    "download_success": (ATS + "ATS Controller firmware download successful.", 0x0C22),  # [?] may not exist
    "display_7segment": (ATS + "7-Segment display hardware failure.", 0x0C30),  # text [V]
    "display_leds": (ATS + "Phase Leds/Push-button hardware failure.", 0x0C31),  # text [V]
    "comm_established": (ATS + "Communication established.", 0x0C01),  # [G]
    "comm_lost": (ATS + "Communication lost.", 0x0C02),  # [G]
    "source_failed": (ATS + "Source {which} failed.", 0x0C0A),  # [G]
    "source_ok": (ATS + "Source {which} restored.", 0x0C0B),  # [G]
    "source_switched": (ATS + "Source switched to {which}.", 0x0C0C),  # [G]
    "redundancy_lost": (ATS + "Redundancy lost.", 0x0C0D),  # [G]
    "redundancy_restored": (ATS + "Redundancy restored.", 0x0C0E),  # [G]
    # the UPS's (facts/UPS.md and NMC.md); they are written by the app
    "ups_comm_lost": (UPS + "Lost the local network management interface-to-UPS communication.", 0x0102),  # [V]
    "ups_comm_established": (UPS + "Established the local network management interface-to-UPS communication.", 0x0101),
    "ups_output_off": (UPS + "The output power is turned off.", 0x0114),  # [V]
    "ups_output_on": (UPS + "The output power is turned on.", 0x0113),  # [G]
    "ups_graceful_ended": (UPS + "The graceful shutdown period has ended.", 0x014F),  # [V]
    "ups_on_battery": (UPS + "On battery power in response to an input power problem.", 0x0109),  # [G]
    "ups_on_line": (UPS + "No longer on battery power.", 0x010A),  # [G]
    "ups_transferring": (UPS + "Transferring firmware to UPS.", 0x0176),  # [V]
    "ups_transferred": (UPS + "Finished UPS firmware transfer [{result}]", 0x0177),  # [V] with "Xmodem Cancel"
    "ups_transfer_failed": (UPS + "Firmware transfer to UPS failed", 0x0178),  # [V]
    "ups_no_firmware": (UPS + "No valid UPS firmware file found.", 0x0179),  # [?] the number is made up
    "ups_file_failed": ("System: File '{name}' transfer failed.", 0x000F),  # [V]
}


class Row(NamedTuple):
    time_s: float
    stamp: datetime
    text: str
    code: int


class EventLog:
    def __init__(self, bound: int, clock: datetime) -> None:
        self.rows: list[Row] = []  # oldest first
        self.bound = bound
        self._clock = clock  # what the card's clock shows at device second 0

    def card_time(self, now_s: float) -> datetime:
        return self._clock + timedelta(seconds=now_s)

    def set_clock(self, now_s: float, shows: datetime) -> None:
        self._clock = shows - timedelta(seconds=now_s)

    def shift_clock(self, by_s: float) -> None:
        self._clock += timedelta(seconds=by_s)

    def add(self, now_s: float, key: str, **parts: str) -> None:
        text, code = EVENTS[key]
        self.rows.append(Row(now_s, self.card_time(now_s), text.format(**parts), code))
        if len(self.rows) > self.bound:
            del self.rows[: len(self.rows) - self.bound]

    def clear(self) -> None:
        self.rows.clear()
