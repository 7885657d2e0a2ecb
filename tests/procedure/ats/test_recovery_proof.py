# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves a cold start, and once only; and what a card shows that was read after it, whatever was shown before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from virtual_recovery import APP, BOTH_IN, BOTH_OUT, LOAD, NOTHING_SHOWN, STALE, Case
from virtual_situations import names

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import MAX_LOG
from apcsim.knobs import Knobs

LIVE = {"source_a": 2, "source_b": 2, "voltage_a": 230, "voltage_b": 230, "frequency_a": 50, "frequency_b": 50}


def refused(case: Case, report: dict[str, Any], check: str = "cold_start_confirmed", files: int = 0) -> None:
    assert report["error"]["kind"] == "refused" and names(report, check), report
    assert len(case.sound()["files_received"]) == files


# --- a cold start counts once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backup", [True, False])
@pytest.mark.parametrize("knobs", [STALE, NOTHING_SHOWN], ids=["stale", "nothing"])
def test_a_second_attempt_needs_a_second_outage(knobs: Knobs, backup: bool, tmp_path: Path) -> None:
    """New words alone, and nobody was at the unit. With or without the backup that the role takes after an attempt."""
    case = Case(tmp_path, knobs.but(controller_recoverable=False))
    case.cold_start()
    assert case.recover()["state"].startswith("controller_lost")
    if backup:
        case.backup()
    case.bench.clock.sleep(600.0)
    refused(case, case.recover(), files=1)


def test_nor_does_one_go_on_with_both_inputs_and_the_load_back(tmp_path: Path) -> None:
    case = Case(tmp_path, STALE.but(controller_recoverable=False))
    case.cold_start()
    assert case.recover()["state"].startswith("controller_lost")
    case.backup()
    case.device.patch({"inputs": {"B": {"plugged": True}}, "load_current_a": 8.8})
    case.bench.clock.sleep(600.0)
    refused(case, case.recover(), files=1)


def test_an_attempt_that_was_cut_has_used_its_cold_start(tmp_path: Path) -> None:
    """The card never restarted, so the cold start is still its newest start."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start()
    case.device.fault("override", values={LOAD: 4}, at_byte=20000, module="app")
    assert "error" in case.recover()
    case.device.faults.clear()
    received = case.device.truth()["files_received"]
    case.bench.clock.sleep(600.0)
    assert case.device.card.restarts[-1]["cold"], "the card restarted: nothing is shown by this"
    report = case.recover()
    assert names(report, "cold_start_confirmed"), report
    assert case.device.truth()["files_received"] == received
    case.cold_start()
    assert "error" not in case.recover()
    assert case.sound()["controller"]["alive"]


def test_a_cold_start_of_days_ago_is_not_proved_by_a_restart_of_the_card(tmp_path: Path) -> None:
    case = Case(tmp_path, NOTHING_SHOWN)
    case.device.patch(BOTH_OUT)
    case.bench.clock.sleep(30.0)
    case.device.patch(BOTH_IN)
    case.bench.clock.sleep(2 * 86400.0)
    case.device.fault("card_restarts", why="reset")
    case.bench.clock.sleep(1000.0)
    report = case.recover()
    assert report["error"]["kind"] == "refused" and names(report, "cold_start_confirmed")
    assert case.device.truth()["files_received"] == []


def test_nor_where_the_log_was_cleared(tmp_path: Path) -> None:
    """It shares no row with the earlier one, which is an earlier one all the same."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.bench.clock.sleep(300.0)
    case.device.fault("log_cleared")
    case.device.fault("card_restarts", why="reset")
    case.bench.clock.sleep(1000.0)
    refused(case, case.recover())


@pytest.mark.parametrize("lost", [{"log_cleared_at_cold_start": True}, {"clock_lost_at_cold_start": True}])
def test_a_cold_start_that_takes_the_log_or_the_clock_with_it_still_counts(
    lost: dict[str, Any], tmp_path: Path
) -> None:
    case = Case(tmp_path, NOTHING_SHOWN.but(**lost))
    case.cold_start()
    assert "error" not in case.recover()
    assert [file["name"] for file in case.sound()["files_received"]] == [APP]


def test_the_aos_may_be_sent_before_the_app_on_one_cold_start(tmp_path: Path) -> None:
    """The restart between the two files is the run's own."""
    case = Case(tmp_path, NOTHING_SHOWN, aos="395")
    case.cold_start()
    report = case.recover()
    assert "error" not in report, report["error"]
    assert len(case.sound()["files_received"]) == 2


# --- what was read after it is not old ------------------------------------------------------------------------


def test_what_a_refused_run_read_after_the_cold_start_does_not_become_old(tmp_path: Path) -> None:
    """Both inputs live and 8.8 A, contrary to the words; then the card restarts by itself."""
    case = Case(tmp_path, STALE.but(failed_attempt_chatters=False))
    case.cold_start(inputs=BOTH_IN)
    case.device.patch({"load_current_a": 8.8})
    case.device.fault("override", values={"voltage_a": 231, "voltage_b": 229, LOAD: 88})
    case.bench.clock.sleep(10.0)
    assert case.recover()["error"]["kind"] == "refused"
    case.bench.clock.sleep(400.0)
    report = case.recover()
    assert names(report, "load_zero") and names(report, "cold_start_confirmed")
    case.device.fault("card_restarts", why="reset")
    case.bench.clock.sleep(700.0)
    report = case.recover()
    assert names(report, "load_zero") and names(report, "cold_start_confirmed")
    truth = case.device.truth()
    assert truth["files_received"] == [] and not truth["damaged"] and truth["violations"] == []


def test_what_was_shown_months_ago_is_not_what_was_shown_last(tmp_path: Path) -> None:
    """Nothing was known directly before the cold start: what is known now was read after it."""
    case = Case(tmp_path, NOTHING_SHOWN, backup=False)
    case.device.fault("override", values=LIVE | {LOAD: 88})
    case.backup()
    case.device.faults.clear()
    case.bench.clock.sleep(3600.0)
    case.backup()
    case.cold_start(inputs=BOTH_IN)
    case.device.patch({"load_current_a": 8.8})
    case.device.fault("override", values=LIVE | {LOAD: 88})
    case.bench.clock.sleep(60.0)
    report = case.recover()
    assert report["error"]["kind"] == "refused" and names(report, "load_zero")
    assert case.device.truth()["files_received"] == []


# --- live is what carries a voltage, whatever its status word -------------------------------------------------


@pytest.mark.parametrize("words", [{"source_a": 2, "source_b": 1}, {"source_a": -1, "source_b": -1}, {"source_b": 1}])
def test_a_second_input_with_a_voltage_is_live(words: dict[str, int], tmp_path: Path) -> None:
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start(inputs=BOTH_IN)
    case.device.fault("override", values={"voltage_a": 230, "voltage_b": 180} | words)
    case.bench.clock.sleep(60.0)
    report = case.recover()
    assert "both inputs are live" in str(report["interlock"]), report
    refused(case, report)


def test_one_that_carries_next_to_none_is_not(tmp_path: Path) -> None:
    """What is induced in a dead line."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start()
    case.device.fault("override", values={"source_a": 2, "source_b": 1, "voltage_a": 230, "voltage_b": 12})
    case.bench.clock.sleep(60.0)
    report = case.recover()
    assert not names(report, "cold_start_confirmed") and len(case.device.truth()["files_received"]) == 1


def test_nor_does_it_settle_with_a_second_voltage(tmp_path: Path) -> None:
    """Somebody connects the other input, which is out of its range, as soon as the controller answers."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start()

    def connect(text: str) -> None:
        if "app sent, settling" in text and case.device.controller.reading == 2 and not case.device.truth()["faults"]:
            case.device.fault("override", values={"source_b": 1, "voltage_b": 180})

    case.bench.lines.listeners.append(connect)
    report = case.recover()
    assert "both inputs are live" in report["error"]["message"] and report["state"] != "settled"


# --- a load is also what the unit calls one -------------------------------------------------------------------


@pytest.mark.parametrize("state", [3, 4])
@pytest.mark.parametrize("current", [{}, {LOAD: 0}], ids=["unknown", "zero"])
def test_an_overload_is_a_load_whatever_the_current(current: dict[Any, int], state: int, tmp_path: Path) -> None:
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start()
    case.device.fault("override", values=current | {"phase_state": state})
    case.bench.clock.sleep(60.0)
    refused(case, case.recover(), "load_zero")


def test_an_overload_that_was_shown_before_is_old(tmp_path: Path) -> None:
    case = Case(tmp_path, NOTHING_SHOWN, backup=False)
    case.device.fault("override", values={LOAD: 88, "phase_state": 3})
    case.backup()
    case.cold_start()
    judged = case.bench.run(job.observe_once, case.options())
    check = next(check for check in judged["interlock"]["checks"] if check["id"] == "load_zero")
    assert check["ok"] and "near overload (old" in check["observed"]


def test_a_baseline_that_says_in_words_what_it_did_not_know(tmp_path: Path) -> None:
    """As an earlier version of the collection wrote it, of a card without its controller."""
    case = Case(tmp_path, NOTHING_SHOWN)
    words = {"preferred_source": "unknown (-1)", "sensitivity": "not fitted", "ats_name": None}
    for path in tmp_path.rglob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for record in records:
            if record["kind"] == "backup":
                record["settings"] |= {**words, "input_a": "not fitted", "redundancy": "not fitted"}
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    case.cold_start()
    assert "error" not in case.recover()
    verified = case.bench.run(job.do_verify, case.options(method=Method.NO_LOAD))
    assert "error" not in verified and verified["differences"] == []
    assert set(verified["no_baseline"]) >= {"preferred_source", "sensitivity"}


@pytest.mark.parametrize("what", ["gone", "a folder", "a pipe", "a link", "longer than any log"])
def test_a_backup_that_is_there_and_cannot_be_read(what: str, tmp_path: Path) -> None:
    """It may have the row of this start already; one that is gone has nothing to say."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start()
    (path,) = tmp_path.rglob("*event.txt")
    kept = path.with_name("kept")
    path.rename(kept)
    if what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "a link":
        path.symlink_to(kept)
    elif what == "longer than any log":
        path.write_bytes(kept.read_bytes() + b"\n" * MAX_LOG)
    report = case.recover()
    assert ("error" in report) is (what != "gone"), report.get("error")
    if what != "gone":
        assert "cold_start_confirmed" in report["error"]["message"] and not case.device.truth()["files_received"]
