# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known pictures in an event log, each with the rows that show it.

A finding names what is known of the picture (BULLETINS.md, the AP7723 case; UPS.md). It permits nothing: what may be
sent, connected or disconnected is decided by measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_kinds import Event
from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import (
    COMM_ESTABLISHED,
    COMM_LOST,
    DISPLAY_FAILURE,
    DOWNLOAD_BEGUN,
    DOWNLOAD_FAILED,
    DOWNLOAD_SUCCEEDED,
    RESTARTED,
    UPS_FAILED,
    UPS_UPDATE,
)

# The real unit's download failed within the second in which it had begun.
AT_ONCE_S = 2.0
MANY_RESTARTS = 4
RESTARTS_WITHIN_S = 1800.0


@dataclass(frozen=True)
class Finding:
    id: str
    text: str
    events: tuple[Event, ...]


def findings_of(events: Sequence[Event]) -> list[Finding]:
    """``events`` oldest first. The most serious picture comes first."""
    found = [rule(events) for rule in _RULES]
    return [finding for finding in found if finding is not None]


def _of(events: Sequence[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event.kind in kinds]


def _since_start(events: Sequence[Event]) -> Sequence[Event]:
    """The rows since the newest start of the card; all of them where none stands there."""
    for index in range(len(events) - 1, -1, -1):
        if events[index].kind == RESTARTED:
            return events[index:]
    return events


def _seconds(first: Event, second: Event) -> float | None:
    try:
        if first.time is None or second.time is None:
            return None
        return (datetime.fromisoformat(second.time) - datetime.fromisoformat(first.time)).total_seconds()
    except ValueError:
        return None


def _failed_downloads(events: Sequence[Event]) -> list[tuple[Event | None, Event]]:
    """(begun, failed) in the order in which they happened. Within one second a log may have either first."""
    pairs: list[tuple[Event | None, Event]] = []
    begun: Event | None = None
    for index, event in enumerate(events):
        if event.kind == DOWNLOAD_BEGUN:
            begun = event
        elif event.kind in (DOWNLOAD_SUCCEEDED, RESTARTED):
            begun = None
        elif event.kind == DOWNLOAD_FAILED:
            following = events[index + 1] if index + 1 < len(events) else None
            if begun is None and following is not None and following.kind == DOWNLOAD_BEGUN:
                begun = following if _seconds(event, following) == 0 else None
            pairs.append((begun, event))
            begun = None
    return pairs


def _never_booted(events: Sequence[Event]) -> Finding | None:
    """A download that fails the moment it begins, and display boards that do not answer: nobody is at the other end."""
    recent = _since_start(events)
    boards = _of(recent, DISPLAY_FAILURE)
    for begun, failed in reversed(_failed_downloads(recent)):
        lasted = _seconds(begun, failed) if begun is not None else None
        if begun is not None and lasted is not None and 0 <= lasted <= AT_ONCE_S and boards:
            return Finding(
                "controller_never_booted",
                "The download into the ATS controller failed the moment it began, and the display boards do not "
                "answer: the controller has not booted. Under warranty, or if that is not known, ask the maker first. "
                "Touch no plug and do not restart the card before dcops.apc.ats_recovery has said what to do.",
                (*boards, begun, failed),
            )
    return None


def _download_failed(events: Sequence[Event]) -> Finding | None:
    failed = _failed_downloads(_since_start(events))
    if not failed or _never_booted(events) is not None:
        return None
    begun, end = failed[-1]
    return Finding(
        "controller_download_failed",
        "A download into the ATS controller has failed since the card's last start; the card may try again at every "
        "start, so the unit is not to be connected to a second source, and not to be restarted.",
        (begun, end) if begun is not None else (end,),
    )


def _in_progress(events: Sequence[Event]) -> Finding | None:
    begun: Event | None = None
    # A start of the card ends what went on before it; a retry is logged anew.
    for event in _since_start(events):
        if event.kind == DOWNLOAD_BEGUN:
            begun = event
        elif event.kind in (DOWNLOAD_FAILED, DOWNLOAD_SUCCEEDED):
            begun = None
    if begun is None:
        return None
    return Finding(
        "controller_download_open",
        "A download into the ATS controller has begun, and no end of it stands in the log: it may be going on. "
        "Touch no plug and no load.",
        (begun,),
    )


def _communication_lost(events: Sequence[Event]) -> Finding | None:
    last = None
    for event in events:
        if event.kind in (COMM_LOST, COMM_ESTABLISHED):
            last = event
    if last is None or last.kind != COMM_LOST:
        return None
    return Finding(
        "communication_lost",
        "The card has lost its communication with the ATS controller, and nothing says that it came back.",
        (last,),
    )


def _restarts(events: Sequence[Event]) -> Finding | None:
    starts = _of(events, RESTARTED)[-MANY_RESTARTS:]
    if len(starts) < MANY_RESTARTS:
        return None
    lasted = _seconds(starts[0], starts[-1])
    if lasted is None or not 0 <= lasted <= RESTARTS_WITHIN_S:
        return None
    return Finding(
        "card_restarts_often",
        f"The card has started {MANY_RESTARTS} times within {lasted / 60:.0f} minutes. Firmware of another generation, "
        "or a network without any traffic for 9.5 minutes, is known to do that.",
        tuple(starts),
    )


def _ups_firmware(events: Sequence[Event]) -> Finding | None:
    last = None
    for event in events:
        if event.kind in UPS_UPDATE:
            last = event
    if last is None or last.kind != UPS_FAILED:
        return None
    return Finding(
        "ups_firmware_failed",
        "The last update of the UPS's firmware through this card has failed.",
        (last,),
    )


_RULES: tuple[Callable[[Sequence[Event]], Finding | None], ...] = (
    _never_booted,
    _in_progress,
    _download_failed,
    _communication_lost,
    _restarts,
    _ups_firmware,
)
