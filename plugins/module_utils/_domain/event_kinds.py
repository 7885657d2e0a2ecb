# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every row of a card's event log is about, for a person: a table over the tolerant parser of ``events``.

The interlock reads the log by ``events`` alone, whose few kinds are chosen so that a mistake costs time. Here a row is
only named. Sources: NMC.md "Event log", UPS.md, BULLETINS.md; texts marked [G] are in the style of published ones.
Private to the collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, EventRow

OTHER = "other"
# Kinds of ``events`` that read otherwise here.
_SAME = {"ftp_login": "login"}
_CODES = {
    "0101": "ups_communication_established",  # [G]
    "0102": "ups_communication_lost",  # [V]
    "0114": "ups_output_off",  # [V]
    "0176": "ups_firmware_begun",  # [V]
    "0177": "ups_firmware_finished",  # [V]
    "0178": "ups_firmware_failed",  # [V]
}
_ATS = r"automatic transfer switch ?: ?"
_TEXTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "display_hardware_failure",
            rf"(?:{_ATS})?(?:7-segment display|phase leds/push-button) hardware failure",
        ),  # [V]
        ("communication_lost", rf"(?:{_ATS})?communication (?:has been )?lost"),  # the web page's words [V]
        ("communication_established", rf"(?:{_ATS})?communication (?:has been )?(?:re-?)?established"),  # [G]
        ("redundancy_lost", rf"{_ATS}redundancy (?:has been )?lost"),  # [G]
        ("redundancy_restored", rf"{_ATS}redundancy (?:has been )?restored"),  # [G]
        (
            "source_transferred",
            rf"{_ATS}(?:source (?:was )?(?:switched|transferred)|(?:switched|transferred) to source)",
        ),
        ("ups_communication_lost", r"(?:device )?ups ?: ?lost the .{0,40}communication"),  # [V]
        ("ups_communication_established", r"(?:device )?ups ?: ?(?:re-?)?established the .{0,40}communication"),  # [G]
        ("ups_firmware_begun", r"(?:device )?ups ?: ?transferring firmware to ups"),  # [V]
        ("ups_firmware_finished", r"(?:device )?ups ?: ?finished ups firmware transfer"),  # [V]
        ("ups_firmware_failed", r"(?:device )?ups ?: ?firmware transfer to ups failed"),  # [V]
        ("ups_output_off", r"(?:device )?ups ?: ?the output power is turned off"),  # [V]
        ("file_transfer_failed", r"system ?: ?file .{1,80} transfer failed"),  # [V]
    )
)
KINDS: tuple[str, ...] = tuple(
    sorted(
        {
            *(kind for kind, _pattern in _TEXTS),
            *_CODES.values(),
            *("controller_download_begun", "controller_download_failed", "controller_download_succeeded"),
            *("card_restarted", "file_transfer", "file_transfer_failed", "login", OTHER),
        }
    )
)
_SOURCE = re.compile(r"(?P<source>[A-Za-z][A-Za-z0-9 ()/-]{0,40}?) ?: (?P<text>.+)", re.DOTALL)


@dataclass(frozen=True)
class Event:
    """``time``: ISO 8601 by the card's own clock and without a zone, which the card does not tell; None for a row
    without one. ``source``: who speaks, such as "Automatic Transfer Switch"."""

    time: str | None
    source: str | None
    text: str
    code: str | None
    kind: str
    stamp: tuple[int, ...] | None = None


def event_of(row: EventRow) -> Event:
    text = " ".join((row.text or row.line).split())
    match = _SOURCE.fullmatch(text)
    return Event(
        time=_time(row.stamp),
        source=match["source"] if match else None,
        text=match["text"] if match else text,
        code=f"0x{row.code}" if row.code else None,
        kind=kind_of(row, text),
        stamp=row.stamp,
    )


def kind_of(row: EventRow, text: str) -> str:
    if row.kind != OTHER:
        return _SAME.get(row.kind, row.kind)
    by_code = _CODES.get((row.code or "").upper())
    return by_code or next((kind for kind, pattern in _TEXTS if pattern.match(text)), OTHER)


def events_of(log: EventLog) -> list[Event]:
    """Oldest first, as far as the log shows its order; every row, also those that are not understood."""
    return [event_of(row) for row in log.chronological()]


def _time(stamp: tuple[int, ...] | None) -> str | None:
    """A clock that is not set, or a month 13, is shown as it stands: it is the card's word, not ours."""
    if stamp is None:
        return None
    year, month, day, hour, minute, second = stamp
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
