# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A third hostile reading: between two processes, between two readings, and behind the last one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import (
    Witness,
    exact,
    healthy,
    in_every_unit,
    install,
    must_end,
    on_line,
    package,
    situation,
)
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from apcsim.knobs import Knobs

RECONNECT = "you may reconnect source A now"
LOADS = "you may connect the loads"


def unplug(made: Bench, side: str, plugged: bool = False) -> None:
    made.device.patch({"inputs": {side: {"plugged": plugged}}})


def while_the_release_is_written(made: Bench, act: Callable[[], None]) -> None:
    def change(unit: Unit) -> None:
        record, done = unit.record_or_stop, []

        def slow(kind: str, **fields: Any) -> None:
            record(kind, **fields)
            if kind == "permit" and fields["event"].get("what") == "release" and not done:
                done.append(True)
                act()

        unit.record_or_stop = slow  # type: ignore[method-assign]

    in_every_unit(made, change)


# --- what contradicts a deed is known to the next process -----------------------------------------------------


@pytest.mark.parametrize("pause_s", [1.0, 20.0, 300.0])
def test_a_deed_that_an_earlier_run_contradicted_is_none_for_the_next(tmp_path: Path, pause_s: float) -> None:
    """Readiness reads source A live behind the word; then its feed fails, with the plug in."""
    made, _witness = healthy(tmp_path)
    made.speaks = False
    ahead = made.confirm("secondary_disconnected", stamp=exact(made, -60.0))
    ready = made.run(job.do_ready, made.options(confirmations=ahead))
    assert "error" not in ready
    made.device.patch({"inputs": {"A": {"voltage_v": 0}}})
    made.clock.sleep(pause_s)
    for task in (job.do_isolate, job.do_upgrade):
        report = made.run(task, made.options(confirmations=ahead, action_timeout_s=400.0))
        assert report["error"]["kind"] == "refused" and "disconnected_confirmed" in report["error"]["message"]
    assert made.device.truth()["bytes_received"] == 0
    assert not [line for line in made.lines.lines if "taken:" in line]


def test_a_deed_said_behind_the_last_live_reading_counts_in_the_next_process(tmp_path: Path) -> None:
    made, witness = healthy(tmp_path)
    made.speaks = False
    assert "error" not in made.run(job.do_ready, made.options())
    unplug(made, "A")
    made.clock.sleep(180.0)
    words = made.confirm("secondary_disconnected", stamp=exact(made))
    made.clock.sleep(60.0)
    report = made.run(job.do_isolate, made.options(confirmations=words))
    assert "error" not in report, report["error"]
    assert report["permit"]["state"] == "isolated"
    assert not witness.wrong


def test_a_recovery_that_follows_knows_of_the_load_that_an_earlier_run_has_read(tmp_path: Path) -> None:
    """The permit's own deed is about source A; what the recovery asks for is about the load."""
    made, _witness = healthy(tmp_path)
    made.electrician()
    must_end(made, 86400)
    assert "error" not in made.run(job.do_isolate, made.options())
    made.lines.listeners.clear()
    made.speaks = False
    # Long behind the last reading in which source A was live, and before the last one with a load.
    made.clock.sleep(300.0)
    ahead = made.confirm("no_load", stamp=exact(made))
    made.clock.sleep(90.0)
    assert "error" not in made.run(job.do_isolate, made.options())
    made.device.patch({"load_current_a": 0})
    made.clock.sleep(20.0)
    made.run(job.do_upgrade, made.options(method=Method.RECOVERY, confirmations=ahead, action_timeout_s=120.0))
    assert made.unit is not None and made.unit.rests_on == "no_load"
    judged = made.unit.said.beforehand()
    assert not judged.ok and "older than the last reading that contradicts it" in judged.reason


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59+00:00", "2026-03-02T12:00:00", "yesterday", None])
def test_a_live_reading_of_an_unknown_time_was_this_moment(tmp_path: Path, stamp: str | None) -> None:
    made, _witness = healthy(tmp_path)
    made.run(job.do_ready, made.options())
    assert made.unit is not None
    made.unit.earlier = [{"kind": "watching", "live": ["A"], "t": stamp}]
    assert made.unit.carry.last_live("A") == made.clock.wall()
    assert made.unit.carry.last_live("B") is None


def test_a_recovery_of_a_settled_permit_on_the_same_ground_needs_a_promise_of_its_own(tmp_path: Path) -> None:
    """The deed of the upgrade stands in the permit still: it is none for the recovery."""
    case = situation(Method.NO_LOAD, tmp_path)
    made = case.bench
    assert case.run()["permit"]["state"] == "settled"
    before = made.device.truth()["bytes_received"]
    made.device.fault("communication_lost")
    made.clock.sleep(900.0)
    report = case.run(method=Method.RECOVERY)
    assert report["error"]["kind"] == "refused" and "a new promise" in report["error"]["message"]
    assert made.device.truth()["bytes_received"] == before


# --- the deed ends by what it was about -----------------------------------------------------------------------


def test_a_recovery_without_its_promise_ends_the_deed_that_it_reads_to_be_untrue(tmp_path: Path) -> None:
    """A load too small to be shown: what ends the deed is the source that reads live, not the load."""
    made, _witness = healthy(tmp_path)
    made.device.patch({"load_current_a": 0.8})
    made.electrician()
    must_end(made, 86400)
    assert "error" not in made.run(job.do_isolate, made.options())
    made.lines.listeners.clear()
    made.speaks = False
    made.clock.sleep(30.0)
    made.device.fault("session_busy", for_s=120.0)
    made.later(40.0, {"inputs": {"A": {"plugged": True}}})
    made.later(70.0, {"inputs": {"A": {"voltage_v": 0}}})
    report = made.run(job.do_upgrade, made.options(method=Method.RECOVERY, confirmations=()))
    assert report["error"]["kind"] == "refused"
    assert any("the word that source A is out counts no more" in line for line in made.lines.lines)
    assert not report["permit"]["deed"]
    made.clock.sleep(30.0)
    report = made.run(job.do_upgrade, made.options(action_timeout_s=300.0))
    assert report["error"]["kind"] == "refused" and made.device.truth()["bytes_received"] == 0


def test_the_stop_names_the_deed_that_has_ended_and_no_other(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.electrician()
    must_end(made, 86400)
    assert "error" not in made.run(job.do_isolate, made.options())
    made.lines.listeners.clear()
    made.speaks = False
    made.device.fault("session_busy", for_s=120.0)
    made.later(40.0, {"inputs": {"A": {"plugged": True}}})
    made.run(job.do_upgrade, made.options(method=Method.RECOVERY, confirmations=()))
    stops = [line for line in made.lines.lines if "counts no more" in line]
    assert stops and all("source A is out" in line for line in stops)


def test_a_recovery_of_a_settled_permit_comes_under_one_of_its_own(tmp_path: Path) -> None:
    """The controller dies between upgrade and restore: the recovery gets as far as its own question."""
    made, _witness = healthy(tmp_path)
    made.electrician()
    must_end(made, 5 * 86400)
    assert made.run(job.do_upgrade, made.options())["permit"]["state"] == "settled"
    made.lines.listeners.clear()
    made.device.fault("controller_dies")
    made.clock.sleep(600)
    made.device.patch({"load_current_a": 0})
    made.device.patch({"inputs": {"A": {"plugged": False}, "B": {"plugged": False}}})
    made.clock.sleep(360)
    unplug(made, "B", plugged=True)
    made.clock.sleep(500)
    words = made.confirm("no_load", "power_cycled", "one_input", stamp=exact(made))
    options = made.options(
        method=Method.RECOVERY, confirmations=words, action_timeout_s=200.0, controller_timeout_s=900.0
    )
    report = made.run(job.do_upgrade, options)
    assert "not taken" not in str(report.get("error"))
    assert report["permit"]["number"] == 2 and report["permit"]["state"] != "settled"
    assert not report["permit"]["deed"] or report["permit"]["rests_on"] == "no_load"


# --- the last reading before a word is given ------------------------------------------------------------------


def test_a_restart_while_the_release_is_written_is_seen_before_it_is_said(tmp_path: Path) -> None:
    """The disk takes its time; the card, which has a download waiting for its next start, is back when it is done."""
    knobs = Knobs(download_delay_s=100.0, bundled_newer=True)
    case = situation(Method.SINGLE_SOURCE, tmp_path, knobs)
    made = case.bench
    must_end(made)
    assert "error" not in case.run("isolate")
    made.clock.sleep(900.0)
    witness = Witness(made)

    def restarts() -> None:
        made.device.fault("card_restarts")
        made.clock.sleep(90.0)

    while_the_release_is_written(made, restarts)
    report = case.run("restore", action_timeout_s=120.0)
    assert "the card restarted" in report["error"]["message"]
    assert not [line for line in made.lines.lines if RECONNECT in line]
    assert not witness.wrong


def test_what_breaks_the_watch_behind_the_settling_settles_anew(tmp_path: Path) -> None:
    """In the whole reading of the verification, which polls nothing."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    made = case.bench
    must_end(made)
    assert "error" not in case.run()
    made.clock.sleep(900.0)
    broke: list[float] = []

    def change(unit: Unit) -> None:
        whole = unit.read_whole

        def slow() -> Any:
            sample = whole()
            if made.report.get("step") == "restore" and not broke:
                made.device.fault("communication_lost", for_s=20.0)
                made.clock.sleep(30.0)
                broke.append(made.clock.now())
            return sample

        unit.read_whole = slow

    said: list[float] = []
    made.lines.listeners.append(lambda text: said.append(made.clock.now()) if RECONNECT in text else None)
    in_every_unit(made, change)
    case.run("restore", action_timeout_s=120.0)
    assert broke and said and said[0] - broke[0] >= 240.0


@pytest.mark.parametrize("loads_were_said", [True, False])
def test_the_stop_behind_the_loads_word_speaks_of_loads(tmp_path: Path, loads_were_said: bool) -> None:
    made, _witness = healthy(tmp_path)
    made.electrician()
    assert "error" not in made.run(job.do_isolate, made.options())

    def change(unit: Unit) -> None:
        original = unit.read_earlier

        def read() -> None:
            original()
            # A dark rack with an app unsettled left it.
            unit.keeper.permit = replace(unit.keeper.permit, loads_off=True)

        unit.read_earlier = read  # type: ignore[method-assign]

    in_every_unit(made, change)
    word = LOADS if loads_were_said else "is back, watching"
    on_line(made, word, lambda: made.device.fault("communication_lost"))
    report = made.run(job.do_restore, made.options(action_timeout_s=300.0, controller_timeout_s=400.0))
    assert report["error"]
    at = next(number for number, line in enumerate(made.lines.lines) if word in line)
    behind = [line for line in made.lines.lines[at + 1 :] if LOADS not in line or "STOP" in line]
    assert "STOP, CONNECT NO LOAD" in next(line for line in behind if "STOP" in line)
    assert all("CONNECT NO LOAD" in line for line in behind if "settling" in line)


# --- a load that is on by right ---------------------------------------------------------------------------------


def test_nobody_is_told_to_drop_a_load_that_nothing_rests_on(tmp_path: Path) -> None:
    """A healthy unit under load, sent to by nobody, whose card restarted a while ago: a run that only watches."""
    made = Bench(Device.load("ap7724", None), package(), tmp_path)
    must_end(made, 10 * 86400.0)
    made.device.patch({"load_current_a": 0})
    install(made, "aos", "392")
    made.clock.sleep(600.0)
    install(made, "g2ats", "392", "3.0.7")
    made.clock.sleep(86400.0)
    made.device.patch({"load_current_a": 8.8})
    made.clock.sleep(30.0)
    made.device.fault("card_restarts")
    made.clock.sleep(400.0)
    report = made.run(job.do_upgrade, made.options(method=Method.NO_LOAD, confirmations=(), primary=None))
    assert report["state"] == "unchanged" and report["entry"]["kind"] in ("watch", "unchanged"), report
    assert any("settling" in line for line in made.lines.lines)
    assert not [line for line in made.lines.lines if "SHUT IT DOWN" in line or "CONNECT NO LOAD" in line]


def test_a_second_restore_lets_the_loads_be_that_the_first_one_released(tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    assert "error" not in case.run()
    on_line(case.bench, "you may connect the loads now", lambda: case.bench.later(5.0, {"load_current_a": 6}))
    assert case.run("restore", confirmations=())["permit"]["state"] == "closed"
    case.bench.clock.sleep(4000.0)
    report = case.run("restore", confirmations=())
    assert "error" not in report, report
    assert not [line for line in case.bench.lines.lines if "SHUT IT DOWN" in line or "CONNECT NO LOAD" in line]


# --- the end of the blind window ------------------------------------------------------------------------------


@pytest.mark.parametrize("stall_s", [560.0, 700.0])
def test_no_file_is_begun_behind_the_blind_window(tmp_path: Path, stall_s: float) -> None:
    """The disk stalls between the last look and STOR."""
    made, _witness = healthy(tmp_path, Knobs(old_app_runs_on_new_aos=False))
    made.electrician()
    must_end(made, 86400)
    times: dict[str, float] = {}

    def change(unit: Unit) -> None:
        record, file = unit.record_or_stop, unit.keeper.file

        def slow(kind: str, **fields: Any) -> None:
            record(kind, **fields)
            if kind == "verdict" and "aos" not in fields["file"]:
                made.clock.sleep(stall_s)

        def noted(kind: str, event: Any, write: bool = True) -> Any:
            times[f"{kind} {event.value}"] = made.clock.now()
            return file(kind, event, write)

        unit.record_or_stop = slow  # type: ignore[method-assign]
        unit.keeper.file = noted  # type: ignore[method-assign]

    in_every_unit(made, change)
    report = made.run(job.do_upgrade, made.options())
    assert report["error"]["kind"] == "refused" and "blind for more than 10 minutes" in report["error"]["message"]
    assert "app stor" not in times and "aos end" in times
