# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stories by which a hostile reading destroyed a unit, dropped a load or told a person wrong: none comes true."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, failing, must_end, names, on_line, package, situation
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Redundancy
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import known
from apcsim.knobs import UPTIME_WRAP_S, Knobs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "worlds"))
from disk import Disk
from signals import Signals

ALLOWED = "you may disconnect source A now"


def healthy(tmp_path: Path, knobs: Knobs | None = None, load_a: float = 8.8) -> tuple[Bench, Witness]:
    made = Bench(Device.load("ap7724", knobs), package(), tmp_path)
    must_end(made, 86400.0)
    made.device.patch({"load_current_a": load_a})
    made.clock.sleep(1000.0)
    return made, Witness(made)


def sound(made: Bench) -> bool:
    truth = made.device.truth()
    return not truth["damaged"] and not truth["load_dropped"]


def first_line(made: Bench, part: str) -> int:
    return next(number for number, line in enumerate(made.lines.lines) if part in line)


def in_mid_flash(made: Bench, change: dict[str, Any], after_s: float = 1.0) -> None:
    on_line(made, "sending app", lambda: made.later(after_s, change))


# -- 1: a promise is not the deed ------------------------------------------------------------------------------------


def test_an_outage_is_no_hand_on_the_plug(tmp_path: Path) -> None:
    """Feed A happens to be out, the word is there, and the breaker closes again in mid-flash."""
    made, _witness = healthy(tmp_path)
    made.speaks = False
    made.device.patch({"inputs": {"A": {"voltage_v": 0}}})
    made.clock.sleep(60.0)
    in_mid_flash(made, {"inputs": {"A": {"voltage_v": 230}}})
    report = made.run(job.do_upgrade, made.options(action_timeout_s=120.0))
    assert report["error"]["kind"] == "refused" and made.device.truth()["bytes_received"] == 0 and sound(made)
    assert "PULL ITS PLUG NOW if it is still in" in made.lines


def test_a_small_load_that_reads_0_is_asked_for_all_the_same(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path, Knobs(small_current_reads_zero=True), load_a=0.8)
    made.speaks = False
    options = made.options(method=Method.NO_LOAD, primary=None, confirmations=made.confirm("no_load"))
    report = made.run(job.do_upgrade, replace(options, action_timeout_s=120.0))
    assert report["error"]["kind"] == "refused" and made.device.truth()["bytes_received"] == 0 and sound(made)
    assert "Disconnect every load, also what reads as 0 A" in made.lines


# -- 2: a release spends every word ----------------------------------------------------------------------------------


def upgraded(made: Bench, options: Any) -> None:
    for task in (job.do_upgrade, job.do_restore):
        report = made.run(task, options)
        assert "error" not in report, report["error"]


def test_the_days_word_does_not_outlive_the_runs_own_release(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.electrician()
    options = made.options()
    upgraded(made, options)
    assert made.unit is not None and made.unit.permit.state is PermitState.CLOSED
    made.clock.sleep(3600.0)
    made.package, made.contents = package("395", "g2ats:395")
    made.device.patch({"inputs": {"A": {"voltage_v": 0}}})
    made.clock.sleep(60.0)
    sent = made.device.truth()["bytes_received"]
    report = made.run(job.do_upgrade, options)
    assert report["error"]["kind"] == "refused" and names(report, "promised")
    assert "spent" in report["error"]["message"] or "since that date began" in report["error"]["message"]
    assert made.device.truth()["bytes_received"] == sent and sound(made)


# -- 3: record, verdict, send ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stall_s", [6.0, 30.0])
def test_a_slow_disk_does_not_send_the_last_block_on_an_old_verdict(stall_s: float, tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    made, device = case.bench, case.device
    device.patch({"load_current_a": 8.8})
    writes: list[str] = []
    with Disk(tmp_path, made.clock.now, made.clock.sleep) as disk:
        real = made.make

        def make(options: Any = None, peers: Any = ()) -> Any:
            unit = real(options, peers)
            write = unit.record_or_stop

            def record_or_stop(kind: str, **fields: Any) -> None:
                if kind in ("last_block", "sent_unseen"):
                    writes.append(kind)
                    disk.stall(stall_s, "fsync", made.clock.now())
                    # The breaker closes while the disk stalls.
                    made.later(2.0, {"inputs": {"A": {"plugged": True}}})
                write(kind, **fields)

            unit.record_or_stop = record_or_stop
            return unit

        made.make = make  # type: ignore[method-assign]
        report = case.run()
    assert writes and report["error"]["kind"] == "refused"
    assert device.truth()["card"]["app"] != "3.9.2" and sound(made)


# -- 4: STOP whatever the disk does ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["full", "fails_to_sync"])
def test_stop_is_said_although_the_evidence_fails(fault: str, tmp_path: Path) -> None:
    """The permission stands, the disk fills, the primary dies: the person hears STOP before anything is written."""
    made, _witness = healthy(tmp_path)
    died: list[float] = []
    heard: list[float] = []
    with Disk(tmp_path, made.clock.now, made.clock.sleep) as disk:

        def fails() -> None:
            getattr(disk, fault)(made.clock.now())
            made.later(1.0, {"inputs": {"B": {"voltage_v": 0}}})
            died.append(made.clock.now() + 1.0)

        on_line(made, ALLOWED, fails)
        made.lines.listeners.append(lambda text: heard.append(made.clock.now()) if "STOP" in text else None)
        report = made.run(job.do_isolate, made.options(action_timeout_s=300.0))
    assert "error" in report and heard
    # As soon as a reading shows it: the lag of the unit, one poll, and nothing of ours on top.
    assert heard[0] - died[0] < 1.0 + 3.0 + 3.0
    assert made.unit is not None and not made.unit.permit.stands


# -- 5: two signals back to back -------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_second_signal_does_not_swallow_the_last_word(second: int, tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    signals = Signals(made.clock)
    on_line(made, ALLOWED, lambda: signals.at(made.clock.now() + 3.0, (signal.SIGINT, second)))
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0))
    signals.leave()
    assert "interrupted" in report["error"]["message"]
    stop = first_line(made, "STOP")
    assert first_line(made, ALLOWED) < stop < first_line(made, "WHAT TO DO NOW")
    assert made.unit is not None and not made.unit.permit.stands
    assert any(record["kind"] == "end" for record in made.unit.evidence.summary)


# -- 6: peers --------------------------------------------------------------------------------------------------------


def peer(made: Bench, number: int = 1) -> Device:
    other = Device.load("ap7724", serial=f"5A99{number}", name=f"p{number}", address=f"192.0.2.5{number}")
    other.advance(made.clock.now())
    made.clock.units.append(other)
    return other


def test_a_peer_that_loses_redundancy_takes_the_permission_back(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    other = peer(made)
    lost: list[float] = []
    stopped: list[float] = []

    def lose() -> None:
        other.patch({"inputs": {"A": {"plugged": False}}})
        lost.append(made.clock.now())

    on_line(made, ALLOWED, lose)
    made.lines.listeners.append(lambda text: stopped.append(made.clock.now()) if "STOP" in text and lost else None)
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0), [other])
    assert report["error"]["kind"] == "refused" and stopped[0] - lost[0] < 15.0 + 5.0 + 15.0


def test_a_peer_whose_controller_is_lost_proves_nothing(tmp_path: Path) -> None:
    made, witness = healthy(tmp_path)
    other = peer(made)
    other.fault("communication_lost", for_s=1e6)
    made.clock.sleep(60.0)
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0), [other])
    assert report["error"]["kind"] == "refused" and "controller" in report["error"]["message"]
    assert witness.heard == []


# -- 7: a load that appears ------------------------------------------------------------------------------------------


def test_a_load_that_appears_after_the_app_is_told_at_once_and_again(tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    made = case.bench
    on_line(made, "app sent, settling", lambda: made.later(30.0, {"load_current_a": 8.0}))
    when: list[float] = []
    made.lines.listeners.append(
        lambda text: when.append(made.clock.now()) if "A LOAD IS ON: SHUT IT DOWN NOW" in text else None
    )
    case.run()
    assert len(when) >= 3 and when[1] - when[0] < 20.0


# -- 8: a cut app is not a sent one ----------------------------------------------------------------------------------


def test_a_cut_app_does_not_count_as_sent_for_ever(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    made = case.bench
    in_mid_flash(made, {"inputs": {"A": {"plugged": True}}}, 0.1)
    report = case.run()
    assert report["error"]["kind"] == "refused" and "cut" in report["error"]["message"]
    made.clock.sleep(1200.0)
    report = case.run(confirmations=())
    assert "DO NOT RECONNECT" not in report["next_action"] and "Shut the load down" not in report["next_action"]


# -- 9: another unit at the address ----------------------------------------------------------------------------------


def test_a_replaced_unit_inherits_nothing(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.electrician()
    report = made.run(job.do_isolate)
    assert "error" not in report
    assert made.unit is not None and made.unit.permit.state is PermitState.ISOLATED
    made.device.swap(how="replaced")
    made.clock.sleep(1000.0)
    report = made.run(job.do_ready, made.options(confirmations=()))
    assert made.unit.permit.state is PermitState.NONE and "another unit was here" in made.lines
    assert names(report, "promised")


def test_a_clock_that_was_set_back_is_reported(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.electrician()
    assert "error" not in made.run(job.do_isolate)
    assert "later than now" not in made.lines
    wall = made.clock.wall
    made.clock.wall = lambda: wall() - timedelta(days=400)  # type: ignore[method-assign]
    report = made.run(job.do_ready, made.options(confirmations=()))
    assert "records of earlier runs are from later than now" in made.lines
    (record,) = (one for one in report["evidence"]["summary"] if one["kind"] == "later_than_now")
    assert record["records"] > 1 and record["newest"] > record["t"]


# -- a clock that begins anew ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [1010.0, 1030.0, 1150.0, 1240.0])
def test_the_end_of_497_days_stops_no_run(after_s: float, tmp_path: Path) -> None:
    """In the window, in the watch, in mid-transfer: the card has not restarted."""
    made, witness = healthy(tmp_path, Knobs(uptime_start_s=UPTIME_WRAP_S - after_s))
    made.electrician()
    report = made.run(job.do_upgrade)
    assert "error" not in report, report["error"]
    assert witness.wrong == [] and sound(made)
    assert "restarted, and not by" not in made.lines


@pytest.mark.parametrize("before_s", [0.0, 1.0, 3.0])
def test_a_restart_at_the_end_of_497_days_stops_it(before_s: float, tmp_path: Path) -> None:
    made, witness = healthy(tmp_path, Knobs(uptime_start_s=UPTIME_WRAP_S - 1150.0))
    made.electrician()
    due = made.clock.now() + 150.0 - before_s

    def restart(now: float) -> None:
        if now >= due:
            made.clock.on_sleep.remove(restart)
            made.device.fault("card_restarts")

    made.clock.on_sleep.append(restart)
    report = made.run(job.do_upgrade)
    assert "restarted, and not by this run" in report["error"]["message"], report
    assert witness.wrong == [] and sound(made)


# -- 10: nothing to send, nothing to give up -------------------------------------------------------------------------


def test_preflight_of_a_unit_that_is_up_to_date_asks_for_no_disconnect(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.package, made.contents = package("374", "g2ats:371")
    report = made.run(job.observe_once, made.options(confirmations=()))
    assert "error" not in report and report["state"] == "unchanged"
    assert [check["id"] for check in report["interlock"]["checks"]] == ["nothing_to_do"]
    assert failing(report) == set() and "isconnect" not in report["next_action"]


def test_preflight_of_a_lost_controller_shows_that_row_alone(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.package, made.contents = package("374", "g2ats:371")
    made.device.fault("communication_lost", for_s=1e6)
    made.clock.sleep(60.0)
    report = made.run(job.observe_once, made.options(confirmations=()))
    assert failing(report) == {"controller_comm"} and len(report["interlock"]["checks"]) == 1
    assert "Touch no plug" in report["next_action"] and "recovery" in report["next_action"]


# -- 19, 20, 22, 26 to 32 --------------------------------------------------------------------------------------------


def test_both_inputs_ok_and_redundancy_lost_is_refused_at_once(tmp_path: Path) -> None:
    """An hour of silence, and then "STOP, DO NOT PULL"."""
    made, witness = healthy(tmp_path)
    case = Situation(made, made.options(action_timeout_s=3600.0))
    began = made.clock.now()
    unit_read = made.make

    def make(options: Any = None, peers: Any = ()) -> Any:
        unit = unit_read(options, peers)
        take = unit.observer._take

        def lost() -> Any:
            sample = take()
            return replace(sample, ats=replace(sample.ats, redundancy=known(Redundancy.LOST)))

        unit.observer._take = lost
        return unit

    made.make = make  # type: ignore[method-assign]
    report = case.run("isolate")
    assert report["error"]["kind"] == "refused" and "redundancy reads lost" in report["error"]["message"]
    assert made.clock.now() - began < 600.0 and witness.heard == []


def test_the_way_back_is_a_good_end(tmp_path: Path) -> None:
    """An isolation under which nothing was sent is given up: the return is watched, and the permit closed."""
    made, witness = healthy(tmp_path)
    made.electrician()
    assert "error" not in made.run(job.do_isolate)
    report = made.run(job.do_restore)
    assert "error" not in report and report["state"] == "redundant" and witness.wrong == []
    assert made.unit is not None and made.unit.permit.state is PermitState.CLOSED
    assert made.device.truth()["redundant"] and made.device.truth()["bytes_received"] == 0


def test_restarts_in_settling_start_the_count_anew(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path, Knobs(restarts_after_app=(60.0, 90.0)))
    report = case.run(controller_timeout_s=3000.0)
    assert "error" not in report and report["state"] == "settled" and sound(case.bench)


def test_after_a_failed_download_nothing_is_allowed(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    made = case.bench
    case.device.fault("controller_download_fails", on="app_boot")
    witness = Witness(made)
    report = case.run()
    assert "error" in report and witness.heard == [] and "may reconnect" not in report["next_action"]
    report = case.run("restore")
    assert "error" in report and not [text for text in witness.heard if "reconnect" in text]


def test_communication_that_is_seconds_old_is_no_proof_of_quiet(tmp_path: Path) -> None:
    """A card that has long been up, communication back a moment ago, the download still to come."""
    made, witness = healthy(tmp_path)
    made.device.fault("communication_lost", for_s=100.0)
    made.clock.sleep(110.0)
    made.electrician()
    began = made.clock.now()
    allowed: list[float] = []
    on_line(made, ALLOWED, lambda: allowed.append(made.clock.now()))
    report = made.run(job.do_isolate, made.options(action_timeout_s=600.0))
    assert "error" not in report and witness.wrong == [] and allowed[0] - began >= 225.0


def test_restore_ends_within_twice_its_limit(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.electrician()
    assert "error" not in made.run(job.do_isolate)
    made.lines.listeners.clear()
    began = made.clock.now()
    made.device.fault("communication_lost", for_s=20.0, after_s=700.0)
    made.device.fault("communication_lost", for_s=20.0, after_s=1500.0)
    report = made.run(job.do_restore, made.options(action_timeout_s=600.0))
    assert report["error"]["kind"] == "timeout" and made.clock.now() - began < 2 * 600.0 + 900.0


def test_no_sentence_at_an_end_lets_anybody_reconnect(tmp_path: Path) -> None:
    """It would be obeyed minutes later, when another controller has begun."""
    made, _witness = healthy(tmp_path)
    made.electrician()
    made.speaks = False
    report = made.run(job.do_upgrade, made.options(action_timeout_s=120.0))
    assert report["state"] == "deed_time_over"
    assert "may reconnect" not in report["next_action"] and "may connect" not in report["next_action"]


def test_a_card_that_is_deaf_while_it_stores_can_be_upgraded(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path, Knobs(deaf_while_storing="both", deaf_after_s=0.0))
    report = case.run()
    assert "error" not in report, report["error"]
    assert report["state"] == "settled" and report["sent_unseen"] is True and sound(case.bench)
