# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watching of what comes back: what it takes to be called back, and how long (SAFETY 4.8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, must_end, on_line, situation

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method

RECONNECT = "you may reconnect source A now"


def settled(tmp_path: Path) -> tuple[Situation, Witness, list[tuple[float, str]]]:
    """Upgraded, source A still out; and every line of the restore with its device second."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    must_end(case.bench)
    report = case.run()
    assert "error" not in report, report["error"]
    case.bench.clock.sleep(900.0)
    witness = Witness(case.bench)
    lines: list[tuple[float, str]] = []
    case.bench.lines.listeners.append(lambda text: lines.append((case.bench.clock.now(), text)))
    return case, witness, lines


def first(lines: list[tuple[float, str]], part: str) -> float:
    return next(at_s for at_s, text in lines if part in text)


def test_called_redundant_after_more_than_60_s_of_it(tmp_path: Path) -> None:
    case, witness, lines = settled(tmp_path)
    plugged: list[float] = []

    def plug_in() -> None:
        plugged.append(case.bench.clock.now())
        case.device.patch({"inputs": {"A": {"plugged": True}}})

    on_line(case.bench, RECONNECT, plug_in)
    assert case.run("restore")["state"] == "redundant" and witness.wrong == []
    assert first(lines, "fully redundant") - plugged[0] > 60.0


@pytest.mark.parametrize(
    ("back", "fault"),
    [({"plugged": True}, "redundancy"), ({"plugged": True, "voltage_v": 262}, ""), ({"plugged": True}, "switch_fail")],
    ids=["redundancy reads lost", "out of range", "switch"],
)
def test_in_again_is_not_yet_back(back: dict[str, Any], fault: str, tmp_path: Path) -> None:
    """Both plugs are in; what the unit says of it is not what it has to."""
    case, witness, lines = settled(tmp_path)

    def plug_in() -> None:
        if fault:
            case.device.fault(fault)
        case.device.patch({"inputs": {"A": back}})

    on_line(case.bench, RECONNECT, plug_in)
    report = case.run("restore", action_timeout_s=120.0)
    assert "error" in report and report["state"] != "redundant" and witness.wrong == []
    assert not any("fully redundant" in text for _at_s, text in lines) and report["permit"]["state"] != "closed"


def test_given_again_after_30_s_in_which_all_was_well(tmp_path: Path) -> None:
    """A supply that reads failure for a moment takes the word back, and not only for that moment."""
    case, witness, lines = settled(tmp_path)
    failed: list[float] = []

    def fail() -> None:
        failed.append(case.bench.clock.now())
        case.device.fault("override", values={"supply_5v": 1}, for_s=6.0)

    on_line(case.bench, RECONNECT, fail)
    case.run("restore", action_timeout_s=300.0)
    given = [at_s for at_s, text in lines if RECONNECT in text]
    assert len(given) == 2 and first(lines, "STOP, DO NOT RECONNECT source A") < given[1] and witness.wrong == []
    assert given[1] - failed[0] >= 6.0 + 30.0
