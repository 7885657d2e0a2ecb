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
