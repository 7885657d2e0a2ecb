# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The known pictures of an event log, and the logs that only look like them."""

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_kinds import events_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.findings import Finding, findings_of

ATS = "Automatic Transfer Switch: "
FAILED, BEGUN = f"{ATS}ATS Controller firmware download failed.", f"{ATS}ATS Controller firmware download begun."
GOOD = f"{ATS}ATS Controller firmware download successful."
LEDS, SEGMENTS = f"{ATS}Phase Leds/Push-button hardware failure.", f"{ATS}7-Segment display hardware failure."
COLD = "System: Cold start."
# BULLETINS.md, the events of the real unit, newest first.
REAL = [
    ("23:21:26", FAILED),
    ("23:21:26", BEGUN),
    ("23:20:25", "System: Web user 'apc' logged in from x.x.x.x."),
    ("23:19:36", SEGMENTS),
    ("23:19:36", LEDS),
    ("23:19:36", "System: Data Log cleared."),
]


def found(rows: list[tuple[str, str]]) -> dict[str, Finding]:
    text = "\n".join(f"09/05/2017 {clock} {words}" for clock, words in rows)
    return {finding.id: finding for finding in findings_of(events_of(parse_event_log(text.encode())))}


def test_the_real_unit() -> None:
    finding = found(REAL)["controller_never_booted"]
    assert {event.kind for event in finding.events} == {
        "display_hardware_failure",
        "controller_download_begun",
        "controller_download_failed",
    }
    assert len(finding.events) == 4 and list(found(REAL)) == ["controller_never_booted"]
    assert found(REAL[::-1]).keys() == {"controller_never_booted"}


@pytest.mark.parametrize(
    ("later", "is_it"), [("23:21:27", True), ("23:21:28", True), ("23:21:29", False), ("23:22:10", False)]
)
def test_at_once_or_later(later: str, is_it: bool) -> None:
    """A download that fails after a while is another picture: somebody answered."""
    assert ("controller_never_booted" in found([(later, FAILED), *REAL[1:]])) is is_it
    assert ("controller_download_failed" in found([(later, FAILED), *REAL[1:]])) is not is_it


def test_boards_that_answer_are_another_picture() -> None:
    assert found([REAL[0], REAL[1], REAL[5]]).keys() == {"controller_download_failed"}


def test_an_older_boot_is_over() -> None:
    healed = [("23:55:10", GOOD), ("23:54:20", BEGUN), ("23:50:00", COLD), *REAL]
    assert found(healed) == {}


def test_a_later_boot_shows_it_again() -> None:
    again = [("23:52:00", FAILED), ("23:52:00", BEGUN), ("23:51:00", SEGMENTS), ("23:50:00", COLD), *REAL]
    events = found(again)["controller_never_booted"].events
    assert all(event.time is not None and event.time >= "2017-09-05T23:51" for event in events)


def test_a_download_without_an_end_may_be_going_on() -> None:
    open_one = found([("23:21:26", BEGUN), ("23:19:36", COLD)])
    assert (
        open_one.keys() == {"controller_download_open"} and "Touch no plug" in open_one["controller_download_open"].text
    )
    for end in (GOOD, FAILED):
        assert "controller_download_open" not in found([("23:22:10", end), ("23:21:26", BEGUN), ("23:19:36", COLD)])


def test_communication() -> None:
    lost, back = f"{ATS}Communication lost.", f"{ATS}Communication established."
    assert found([("23:21:00", lost), ("23:20:00", back), ("23:19:00", COLD)]).keys() == {"communication_lost"}
    assert found([("23:21:00", back), ("23:20:00", lost), ("23:19:00", COLD)]) == {}


def test_many_restarts() -> None:
    starts = [(f"23:{minute:02d}:00", COLD) for minute in (40, 30, 20, 10)]
    assert found(starts).keys() == {"card_restarts_often"}
    assert found(starts[:3]) == {} and found([("23:50:00", COLD), *starts[1:3], ("20:00:00", COLD)]) == {}


def test_an_update_of_a_ups() -> None:
    failed, begun = "Device UPS: Firmware transfer to UPS failed.", "Device UPS: Transferring firmware to UPS."
    assert found([("23:21:00", failed), ("23:20:00", begun), ("23:19:00", COLD)]).keys() == {"ups_firmware_failed"}
    assert found([("23:21:00", begun), ("23:20:00", failed), ("23:19:00", COLD)]) == {}


def test_nothing_found_in_nothing() -> None:
    assert findings_of([]) == []


@pytest.mark.parametrize("finding", [*found(REAL).values(), *found([("23:21:26", BEGUN), ("23:19:36", COLD)]).values()])
def test_no_finding_allows_anything(finding: Finding) -> None:
    assert not any(word in finding.text.lower() for word in ("you may", "open the", "reset", "power-cycle", "unplug"))
