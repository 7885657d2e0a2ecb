# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row an event: parser, names, pictures and guards have no table of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain import event_table as table
from ansible_collections.dcops.apc.plugins.module_utils._domain.event_table import ByText, KnownEvent

PLUGINS = Path(__file__).parents[5] / "plugins"
ROWS = [pytest.param(event, id=f"{number} {event.kind}") for number, event in enumerate(table.EVENTS)]


@pytest.mark.parametrize("event", ROWS)
def test_a_row_names_its_source_and_certainty(event: KnownEvent) -> None:
    assert re.search(r"\[(?:V|1|G|\?)\]", event.source)
    assert event.text or event.codes
    assert all(re.fullmatch(r"[0-9A-F]{4}", code) for code in event.codes)


@pytest.mark.parametrize("event", ROWS)
def test_a_row_whose_date_is_damaged_warns_and_clears_nothing(event: KnownEvent) -> None:
    clears = {table.DOWNLOAD_SUCCEEDED, table.RESTARTED, table.TRANSFER_FAILED, *table.UPS_UPDATE}
    assert not (event.undated and (event.guards is None or event.guards in clears))


def test_a_code_belongs_to_one_row() -> None:
    codes = [code for event in table.EVENTS for code in event.codes]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("code", [code for event in table.EVENTS for code in event.codes])
def test_a_code_stands_nowhere_else_in_the_product(code: str) -> None:
    """0x0176 stood in four tables."""
    files = [path for path in PLUGINS.rglob("*.py") if path.parent.name != "modules"]
    holding = [path.name for path in files if re.search(rf"\"(?:0x)?{code}\"", path.read_text())]
    assert holding == ["event_table.py"]


@pytest.mark.parametrize("event", [event for event in table.EVENTS if event.guards and event.wing == "ats"], ids=str)
def test_the_parser_takes_a_coded_row_for_what_the_table_says(event: KnownEvent) -> None:
    for code in event.codes:
        assert table.guarded_ats("whatever it says", code) == event.guards
        assert table.guarded_ups("whatever it says", code) is None
        assert table.kind_of(event.guards or "", "", code) == event.kind


@pytest.mark.parametrize("event", [event for event in table.EVENTS if event.wing == "ups"], ids=str)
def test_a_guard_of_a_ups_takes_a_coded_row_for_what_the_table_says(event: KnownEvent) -> None:
    for code in event.codes:
        assert table.guarded_ups("whatever it says", code) == event.guards
        assert table.guarded_ats("whatever it says", code) == table.OTHER
        assert table.kind_of(table.OTHER, "", code) == event.kind


def test_how_far_a_text_is_believed_beside_a_code() -> None:
    begun, restart = "ATS Controller firmware download begun.", "System: Warm start."
    assert table.guarded_ats(begun, "BEEF") == table.guarded_ats(begun, None) == table.DOWNLOAD_BEGUN
    assert (table.guarded_ats(restart, "BEEF"), table.guarded_ats(restart, None)) == (table.OTHER, table.RESTARTED)
    lost = "Device UPS: Lost the local network management interface-to-UPS communication."
    assert table.guarded_ups(lost, None) is None and table.kind_of(table.OTHER, lost, None) == table.UPS_SILENT
    assert {event.by_text for event in table.EVENTS if event.guards} == set(ByText)
