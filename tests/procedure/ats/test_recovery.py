# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Histories of the method recovery on virtual time: what an old value is, what contradicts, and how a unit comes back.

The person of these histories does what the role asks for: backup, load off, both inputs out, a rest, one input in.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from virtual_recovery import APP, BOTH_IN, LOAD, NOTHING_SHOWN, STALE, Case
from virtual_situations import exact, names, on_line, situation

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from apcsim.knobs import Knobs

# --- old values do not veto, new ones do --------------------------------------------------------------------


@pytest.mark.parametrize("dead", [1, 3])
def test_values_from_before_the_cold_start_do_not_veto(dead: int, tmp_path: Path) -> None:
    """Frozen at "both live"; the backup holds exactly the same, and the log has the new cold start."""
    case = Case(tmp_path, STALE.but(comm_when_dead=dead))
    case.cold_start()
    report = case.recover()
    assert "error" not in report, report["error"]
    truth = case.sound()
    assert truth["controller"]["alive"] and report["state"] == "settled" and not truth["load_dropped"]
    assert [file["name"] for file in truth["files_received"]] == [APP]


def test_a_frozen_load_does_not_veto_either(tmp_path: Path) -> None:
    """8.8 A from before the load was taken off."""
    case = Case(tmp_path, STALE, backup=False)
    case.device.fault("override", values={LOAD: 88})
    case.backup()
    case.cold_start()
    judged = case.bench.run(job.observe_once, case.options())
    check = next(check for check in judged["interlock"]["checks"] if check["id"] == "load_zero")
    assert check["ok"] and "old: the same as before" in check["observed"] and "8.8" in check["observed"]


def test_without_evidence_old_cannot_be_told_from_new(tmp_path: Path) -> None:
    case = Case(tmp_path, backup=False)
    case.cold_start()
    report = case.recover()
    assert report["error"]["kind"] == "refused" and "one_input" in report["error"]["message"]
    assert case.sound()["files_received"] == []


@pytest.mark.parametrize("shown", ["other voltage", "0.4 A"])
def test_values_that_differ_from_before_contradict(shown: str, tmp_path: Path) -> None:
    """One digit apart from the evidence: they were read after the cold start, and count."""
    case = Case(tmp_path)
    case.cold_start()
    values = {"voltage_b": 228} if shown == "other voltage" else {LOAD: 4}
    case.device.fault("override", values=values)
    case.bench.clock.sleep(10.0)
    report = case.recover()
    assert report["error"]["kind"] == "refused", report
    assert names(report, "cold_start_confirmed") or names(report, "load_zero")
    assert case.sound()["files_received"] == []


def test_two_live_inputs_under_a_controller_that_answers_contradict(tmp_path: Path) -> None:
    """A second source that is really there, seen by a controller that speaks: not lost, hence not recovered."""
    case = Case(tmp_path, STALE.but(revives_by_cold_start=True))
    case.cold_start(inputs=BOTH_IN)
    report = case.recover()
    assert report["error"]["kind"] == "refused" and names(report, "controller_comm")
    assert case.sound()["files_received"] == []


# --- what contradicts the words -----------------------------------------------------------------------------


def test_an_uptime_of_days_contradicts(tmp_path: Path) -> None:
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start(after_s=2 * 86400.0)
    report = case.recover()
    assert report["error"]["kind"] == "refused" and "contradicts power_cycled" in str(report["interlock"])
    assert case.sound()["files_received"] == []


def test_a_card_that_merely_restarted_is_no_cold_start(tmp_path: Path) -> None:
    """The uptime is short, the words are given, and the log has a warm start only."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.device.fault("card_restarts", why="reset")
    case.bench.clock.sleep(600.0)
    report = case.recover()
    assert report["error"]["kind"] == "refused" and "no new cold start row" in str(report["interlock"])
    assert case.sound()["files_received"] == []


@pytest.mark.parametrize("missing", ["no_load", "power_cycled", "one_input"])
def test_all_three_words_are_needed(missing: str, tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.cold_start()
    report = case.recover(*[what for what in ("no_load", "power_cycled", "one_input") if what != missing])
    assert report["error"]["kind"] == "refused" and missing in str(report["interlock"])
    truth = case.sound()
    assert truth["files_received"] == [] and truth["bytes_received"] == 0
    # The words of SAFETY 6, and none that allows anything.
    assert (
        report["state"] == "controller_lost_live"
        and "Touch no plug and do not restart the card" in report["next_action"]
    )
    assert case.witness.heard == []


def test_a_word_counts_for_one_attempt(tmp_path: Path) -> None:
    case = Case(tmp_path, STALE.but(controller_recoverable=False))
    case.cold_start()
    assert "error" in case.recover()
    first = len(case.device.truth()["files_received"])
    report = case.recover(ago_s=1800.0)
    assert report["error"]["kind"] == "refused" and "recovery attempt" in str(report["interlock"])
    assert len(case.sound()["files_received"]) == first == 1


# --- how they end -------------------------------------------------------------------------------------------


def test_never_booted_ends_failed(tmp_path: Path) -> None:
    case = Case(tmp_path, STALE.but(controller_recoverable=False))
    case.cold_start()
    report = case.recover()
    truth = case.sound()
    assert report["state"].startswith("controller_lost") and "download" in report["error"]["message"]
    assert (
        [file["name"] for file in truth["files_received"]] == [APP]
        and not truth["controller"]["alive"]
        and case.witness.heard == []
    )


def test_sent_is_what_went_in_whole(tmp_path: Path) -> None:
    """A load that shows in mid-transfer cuts the app: it was begun, and it is not in."""
    case = Case(tmp_path, STALE.but(controller_recoverable=False))
    case.cold_start()
    case.device.fault("override", values={LOAD: 4}, at_byte=20000, module="app")
    report = case.recover()
    assert report["state"].startswith("controller_lost") and case.bench.unit.keeper.begun == ["app"]
    assert report["sent"] == {"aos": False, "app": False}
    case = Case(tmp_path / "another", STALE.but(controller_recoverable=False))
    case.cold_start()
    report = case.recover()
    assert report["state"].startswith("controller_lost") and report["sent"] == {"aos": False, "app": True}


def test_recovered_at_the_second_attempt(tmp_path: Path) -> None:
    """The whole of it again: backup, outage, new words."""
    case = Case(tmp_path, STALE.but(revives_at_attempt=2))
    case.cold_start()
    assert case.recover()["state"].startswith("controller_lost")
    case.backup()
    case.cold_start()
    report = case.recover()
    assert "error" not in report, report["error"]
    truth = case.sound()
    assert truth["controller"]["alive"] and report["state"] == "settled" and len(truth["files_received"]) == 2


def test_recovered_by_the_cold_start_alone(tmp_path: Path) -> None:
    """Measured first: it answers, so it is only watched; then verified, restored, and the loads come last."""
    case = Case(tmp_path, STALE.but(revives_by_cold_start=True))
    case.bench.electrician()
    case.cold_start(after_s=120.0)
    report = case.recover(method=Method.NO_LOAD)
    assert "error" not in report and report["entry"]["kind"] == "watch" and not report["changed"], report
    assert report["plan"] == [] and case.device.truth()["bytes_received"] == 0
    report = case.bench.run(job.do_restore, case.options(method=Method.SINGLE_SOURCE))
    assert report["state"] == "redundant", report
    assert "error" not in case.bench.run(job.do_backup, case.options(method=Method.NO_LOAD))
    report = case.bench.run(job.do_restore, case.options(method=Method.NO_LOAD))
    assert "you may connect the loads now" in case.bench.lines, report
    assert case.sound()["redundant"] and list(dict.fromkeys(case.witness.heard)) == ["reconnect B", "connect loads"]


def test_a_recovery_is_brought_to_its_end_by_one_restore(tmp_path: Path) -> None:
    """Under the permit of the recovery: first the input that a cold start has left out, then the loads."""
    case = Case(tmp_path, STALE)
    case.cold_start()
    assert "error" not in case.recover()
    case.bench.electrician()
    report = case.bench.run(job.do_restore, case.options(method=Method.NO_LOAD))
    assert report["state"] == "closed_loads", report.get("error")
    assert list(dict.fromkeys(case.witness.heard)) == ["reconnect B", "connect loads"] and case.sound()["redundant"]


def test_the_second_attempt_that_fails_is_the_last(tmp_path: Path) -> None:
    """Counted as the recovery counts: an AOS before the app is no attempt of its own."""
    case = Case(tmp_path, STALE.but(controller_recoverable=False), aos="395")
    case.cold_start()
    report = case.recover()
    assert report["sent"] == {"aos": True, "app": True} and report["state"].startswith("controller_lost"), report
    case.backup()
    case.cold_start()
    report = case.recover()
    assert report["state"] == "recovery_failed_twice" and "contact the maker" in report["next_action"]
    assert case.sound() and case.witness.heard == []


def test_a_card_that_falls_silent_before_anything_was_sent_has_its_steps_said_again(tmp_path: Path) -> None:
    """Only a silent card may be without both inputs; one that answers has power."""
    case = Case(tmp_path, STALE)
    case.cold_start()
    on_line(case.bench, "measuring", lambda: case.device.fault("no_answer"))
    report = case.recover()
    assert "error" in report and report["state"] == "recovery_under_way" and "ats_recovery" in report["next_action"]
    assert case.sound()["files_received"] == []


def test_too_short_a_rest_fails_without_harm(tmp_path: Path) -> None:
    """Somebody vouched for five minutes that were two: the download fails, nothing else."""
    case = Case(tmp_path, STALE.but(rest_needed_s=300.0))
    case.cold_start(rest_s=120.0)
    report = case.recover()
    assert "error" in report and report["state"].startswith("controller_lost")
    assert not case.sound()["controller"]["alive"]


@pytest.mark.parametrize("seed", range(24))
def test_random_histories_of_a_recovery(seed: int, tmp_path: Path) -> None:
    """Whatever the unit is like: no harm, no wrong word, never a file without the words, and a truthful end."""
    rng = random.Random(f"recovery {seed}")
    knobs = Knobs.random(rng, card_sn="same", network_quiet=False, aos_cut_leaves_no_aos=False)
    case = Case(tmp_path, knobs)
    case.bench.electrician()
    for _attempt in range(2):
        case.cold_start(rest_s=rng.choice([320.0, 600.0]), after_s=rng.uniform(90.0, 500.0))
        if rng.random() < 0.3:
            case.device.fault("no_answer", for_s=rng.uniform(5, 90), after_s=rng.uniform(1, 900))
        if rng.random() < 0.2:
            report = case.recover("no_load", "power_cycled", method=Method.RECOVERY)
            assert "error" in report
        established = case.device.controller.reading == 2
        report = case.recover(method=Method.NO_LOAD if established else Method.RECOVERY, ago_s=30.0)
        truth = case.sound()
        if report.get("state") == "settled":
            assert truth["controller"]["alive"] and not truth["controller"]["download_hazard"]
            return
        case.bench.clock.sleep(300.0)
        case.bench.run(job.do_backup, case.options())
        case.bench.clock.sleep(120.0)
    assert not case.device.truth()["damaged"]


@pytest.mark.parametrize("was", [-1, 9, None])
def test_settings_that_were_not_known_while_it_was_lost_are_no_difference(was: int | None, tmp_path: Path) -> None:
    """Not fitted, outside the enum, without an answer: no baseline for them, and nothing that blocks restore."""
    case = Case(tmp_path, NOTHING_SHOWN.but(revives_by_cold_start=True), backup=False)
    hidden = {"preferred": was, "sensitivity": was, "transfer_range": was}
    case.device.fault("override", values=hidden)
    case.backup()
    case.device.faults.clear()
    case.bench.electrician()
    case.cold_start(after_s=120.0)
    assert "error" not in case.recover(method=Method.NO_LOAD)
    report = case.bench.run(job.do_verify, case.options(method=Method.NO_LOAD))
    assert report["state"] == "verified" and report["differences"] == [] and report["baseline"] is True
    assert {"preferred_source", "sensitivity", "transfer_range"} <= set(report["no_baseline"])
    assert "no baseline for preferred_source, sensitivity, transfer_range" in case.bench.lines
    report = case.bench.run(job.do_restore, case.options(method=Method.SINGLE_SOURCE))
    assert report["state"] == "redundant", report
    case.sound()


def recovered_preferring(source: str, tmp_path: Path) -> Case:
    case = Case(tmp_path, NOTHING_SHOWN.but(revives_by_cold_start=True), backup=False)
    case.device.patch({"preferred_source": source})
    case.backup()
    case.bench.electrician()
    case.cold_start(after_s=1000.0)
    return case


def test_recovered_on_the_source_that_is_not_preferred(tmp_path: Path) -> None:
    """The other one must not be reconnected: nobody is sent to its feed and plug, the setting is named."""
    case = recovered_preferring("B", tmp_path)
    report = case.bench.run(job.do_restore, case.options(method=Method.SINGLE_SOURCE))
    assert report["state"] == "settings_differ" and "source B must not be reconnected" in report["error"]["message"]
    assert "set it to A or none" in report["next_action"] and "plug" not in report["next_action"]
    assert case.witness.heard == [] and not case.sound()["redundant"]
    case.device.patch({"preferred_source": "A"})
    report = case.bench.run(job.do_restore, case.options(method=Method.SINGLE_SOURCE))
    assert report["state"] == "redundant", report.get("error")
    assert case.sound()["redundant"]


def test_a_primary_out_of_range_sends_nobody_to_the_other_plug(tmp_path: Path) -> None:
    case = recovered_preferring("A", tmp_path)
    case.device.fault("override", values={"voltage_a": 170})
    report = case.bench.run(job.do_restore, case.options(method=Method.SINGLE_SOURCE))
    assert "source B must not be reconnected" in report["error"]["message"] and "170 V" in report["error"]["message"]
    assert "Keep what is out out" in report["next_action"] and "plug" not in report["next_action"]
    assert case.witness.heard == []
    assert not case.sound()["redundant"]


def test_an_outage_that_was_planned_for_days_uses_the_backup_of_before(tmp_path: Path) -> None:
    """No newer one is taken on the way: a run that is stopped before it sends leaves the cold start new."""
    case = Case(tmp_path, STALE)
    case.bench.clock.sleep(2 * 86400.0)
    case.cold_start()
    report = case.recover()
    assert "error" not in report and report.get("backup") is None, report
    assert case.sound()["controller"]["alive"]


def test_the_loads_are_released_again_although_the_source_is_back(tmp_path: Path) -> None:
    """The recovery's role waits for the other input, and then once more for the loads: that one is in already."""
    case = Case(tmp_path, NOTHING_SHOWN)
    case.cold_start()
    assert "error" not in case.recover()
    case.bench.electrician()
    options = case.options(method=Method.SINGLE_SOURCE)
    report = case.bench.run(job.do_restore, options)
    assert report["state"] == "closed_loads", report
    report = case.bench.run(job.do_restore, replace(options, method=Method.NO_LOAD))
    assert report["state"] == "closed_loads", report
    assert "you may connect the loads now" in case.bench.lines and "you may reconnect" not in case.bench.lines
    assert case.sound()["redundant"]


@pytest.mark.parametrize("when", ["while it settles", "settled"])
def test_a_controller_that_is_lost_by_an_upgrade_with_one_source_out_is_recovered(when: str, tmp_path: Path) -> None:
    """The upgrade rested on the secondary that is out; its recovery rests on no load, and on a promise of its own."""
    case = situation(Method.SINGLE_SOURCE, tmp_path, NOTHING_SHOWN)
    made = case.bench
    if when == "while it settles":
        on_line(made, "app sent, settling", lambda: made.device.fault("communication_lost"))
    case.run()
    number = made.unit.permit.number if made.unit else 0
    made.device.clear_faults()
    made.device.fault("communication_lost")
    made.lines.listeners.clear()
    made.device.patch({"load_current_a": 0.0, "inputs": {"A": {"plugged": False}, "B": {"plugged": False}}})
    made.clock.sleep(360.0)
    made.device.patch({"inputs": {"B": {"plugged": True}}})
    made.clock.sleep(600.0)
    given = made.confirm("no_load", "power_cycled", "one_input", stamp=exact(made))
    options = made.options(method=Method.RECOVERY, primary=Source.B, confirmations=given, action_timeout_s=300.0)
    before = len(made.device.truth()["files_received"])
    without = made.run(job.do_upgrade, replace(options, confirmations=given[1:]))
    assert without["error"]["kind"] == "refused" and "will_remove_loads" in str(without["interlock"])
    report = made.run(job.do_upgrade, options)
    # A settled one is over but for its return: the promise of the recovery opens another.
    assert made.unit is not None and made.unit.permit.number == number + (when == "settled")
    files = made.device.truth()["files_received"]
    assert len(files) == before + 1 and files[-1]["complete"] and "g2ats" in files[-1]["name"], report.get("error")
