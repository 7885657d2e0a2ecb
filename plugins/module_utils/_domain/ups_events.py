# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the card's event log that speak of a UPS firmware update. Private to the collection.

Codes and texts: UPS.md "Updating UPS firmware through the card", from the log of a real failed update. A code counts
more than a text, since users and names may say anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .events import EventRow

_CODES = {
    "0102": "ups_communication_lost",
    "0114": "ups_output_off",
    "0176": "ups_firmware_begun",
    "0177": "ups_firmware_finished",
    "0178": "ups_firmware_failed",
}
_TEXTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ups_firmware_failed", re.compile(r"(?:device )?ups ?: ?firmware transfer to ups failed", re.IGNORECASE)),
    ("ups_firmware_finished", re.compile(r"(?:device )?ups ?: ?finished ups firmware transfer", re.IGNORECASE)),
    ("ups_firmware_begun", re.compile(r"(?:device )?ups ?: ?transferring firmware to ups", re.IGNORECASE)),
)


_SSH = re.compile(r"(?:system ?: ?)?ssh user\b", re.IGNORECASE)
_FILE = re.compile(r"[A-Za-z0-9_.-]{1,60}\.enc", re.IGNORECASE)


@dataclass(frozen=True)
class UpsEvent:
    kind: str
    line: str


def ups_events(rows: Iterable[EventRow]) -> list[UpsEvent]:
    """Those of ``rows`` that speak of an update, in their order."""
    found = []
    for row in rows:
        kind = _CODES.get((row.code or "").upper())
        if kind is None and row.code is None:
            kind = next((name for name, pattern in _TEXTS if pattern.match(row.text)), None)
        if kind is not None:
            found.append(UpsEvent(kind, " ".join(row.line.split())))
    return found


def foreign_hand(rows: Iterable[EventRow], sent: str) -> str:
    """Who else was at the card since ``sent`` was about to go out, beside one login and that one file; empty: nobody.

    The card keeps the last file only, so whoever sends one decides what a start would write (SAFETY 7).
    """
    found = list(rows)
    for row in found:
        named = _FILE.findall(row.line) if row.kind.startswith("file_transfer") else []
        if any(name.lower() != sent.lower() for name in named):
            return f"somebody else sent {named[0][:40]}"
    kinds = [row.kind for row in found]
    if kinds.count("file_transfer") > 1:
        return "somebody else transferred a file"
    # How a card calls a login for SCP is not published [?]: one SSH login may be our own.
    own = [row for row in found if row.kind == "ftp_login" or (row.kind == "login" and _SSH.match(row.text))]
    if kinds.count("login") + kinds.count("ftp_login") > len(own):
        return "somebody else logged in (console or web)"
    return "somebody else logged in by FTP, SCP or SSH" if len(own) > 1 else ""
