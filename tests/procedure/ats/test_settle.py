# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settling: "communication established" comes before the dangerous part (SAFETY 4.6 and 5)."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, install, must_end, names, on_line, situation

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from apcsim.knobs import Knobs

APP = "apc_hw02_g2ats_392.bin"


def start(
    tmp_path: Path, knobs: Knobs | None = None, method: Method = Method.SINGLE_SOURCE
) -> tuple[Situation, dict[str, float]]:
    case = situation(method, tmp_path, knobs)
    must_end(case.bench)
    times: dict[str, float] = {}

    def hear(text: str) -> None:
        if text.endswith(": settled"):
            times.setdefault("settled", case.bench.clock.now())

    case.bench.lines.listeners.append(hear)
    return case, times


def moments(case: Situation, what: str) -> list[float]:
    return [event["time_s"] for event in case.device.truth()["events"] if event["what"].startswith(what)]


@pytest.mark.parametrize("during", ["established", "lost", "stale"])
@pytest.mark.parametrize("delay_s", [0.0, 30.0, 90.0, 150.0, 180.0])
def test_never_settled_before_the_download_is_over(delay_s: float, during: str, tmp_path: Path) -> None:
    knobs = Knobs(download_delay_s=delay_s, download_s=90.0, comm_delay_s=60.0, comm_during_download=during)
    case, times = start(tmp_path, knobs)
    report = case.run()
    assert "error" not in report, report["error"]
    ended = moments(case, "controller download ended")
    assert len(ended) == 1 and times["settled"] > ended[0]
    boot = moments(case, "app 3.9.2 running")[0]
    assert times["settled"] - boot >= 280.0
    truth = case.device.truth()
    assert not truth["load_dropped"] and not truth["controller"]["download_hazard"]
    assert case.device.oracle_plug_ok("A", strict=True)


@pytest.mark.parametrize("logged", [False, True])
def test_a_download_whose_end_is_not_logged_is_reported(logged: bool, tmp_path: Path) -> None:
    """SAFETY 5: over after 300 s in which nothing was broken, and reported as end_not_seen."""
    case, times = start(tmp_path, Knobs(success_row=logged))
    report = case.run()
    assert "error" not in report, report["error"]
    (settled,) = (record for record in report["evidence"]["summary"] if record["kind"] == "settled")
    assert ("download begun" in settled["end_not_seen"]) is not logged
    assert ("end_not_seen: the log shows no end" in case.bench.lines) is not logged
    if not logged:
        assert times["settled"] - moments(case, "controller download begun")[-1] >= 300.0
    # A later run has nothing to report of it: that end was watched.
    again = case.run()
    assert "error" not in again and not any(one.get("end_not_seen") for one in again["evidence"]["summary"])


@pytest.mark.parametrize("ats", ["stale", "minus_one", "absent"])
@pytest.mark.parametrize("gap_s", [0.0, 14.0])
def test_whatever_the_objects_read_meanwhile(ats: str, gap_s: float, tmp_path: Path) -> None:
    knobs = Knobs(ats_during_download=ats, ats_before_comm=ats, comm_gap_after_download_s=gap_s, success_row=gap_s > 0)
    case, times = start(tmp_path, knobs)
    report = case.run()
    assert "error" not in report, report["error"]
    assert times["settled"] > moments(case, "controller download ended")[0]


def test_the_last_240_seconds_are_unbroken(tmp_path: Path) -> None:
    """A gap in the answers begins them anew."""
    ends = {}
    for silent in (0.0, 20.0):
        case, times = start(tmp_path / str(silent))
        if silent:
            on_line(
                case.bench, "settling 3:",
                lambda case=case: case.device.fault("no_answer", for_s=20.0),  # type: ignore[misc]
            )  # fmt: skip
        assert "error" not in case.run()
        ends[silent] = times["settled"] - moments(case, "installed apc_hw02_g2ats")[0]
    assert ends[20.0] > ends[0.0]


@pytest.mark.parametrize("method", [Method.SINGLE_SOURCE, Method.NO_LOAD])
@pytest.mark.parametrize("shown", ["stale", "minus_one", "absent"])
def test_a_failed_download_fails_the_task(shown: str, method: Method, tmp_path: Path) -> None:
    case, times = start(tmp_path, Knobs(ats_when_lost=shown), method)
    witness = Witness(case.bench)
    case.device.fault("controller_download_fails")
    report = case.run()
    assert report["error"]["kind"] == "state" and "recovery" in report["error"]["message"] + report["next_action"]
    assert times == {} and witness.wrong == [] and witness.heard == []
    assert "you may" not in " ".join(case.bench.lines.lines)
    assert report["state"].startswith(("controller_lost", "app_sent")), report["state"]
    again = case.run("restore")
    assert "error" in again and "you may reconnect" not in " ".join(case.bench.lines.lines)


def test_a_failed_download_with_the_communication_up_again(tmp_path: Path) -> None:
    """The controller answers with its old firmware, and the log says failed: not settled."""
    case, times = start(tmp_path)
    on_line(
        case.bench,
        f"sending {APP}",
        lambda: case.device.faults.add("communication_lost", on="comm_up", after_s=59.0, for_s=20.0),
    )
    report = case.run()
    assert "error" in report and times == {} and "failed" in report["error"]["message"]
    assert "you may" not in " ".join(case.bench.lines.lines)


def boots(case: Situation) -> list[float]:
    return moments(case, "app 3.9.2 running")


@pytest.mark.parametrize("after_s", [5.0, 61.0, 80.0, 140.0, 250.0])
def test_the_card_restarts_by_itself_in_the_settle(after_s: float, tmp_path: Path) -> None:
    """Each restart begins the download anew, and with it the 300 and the 240 s; the run goes on (SAFETY 4.6)."""
    case, times = start(tmp_path)
    witness = Witness(case.bench)
    on_line(case.bench, f"sending {APP}", lambda: case.device.fault("card_restarts", on="comm_up", after_s=after_s))
    report = case.run()
    assert "error" not in report and report["state"] == "settled", report.get("error")
    # No end but restore's lets anybody reconnect.
    assert witness.wrong == [] and witness.heard == [] and "reconnect" not in report["next_action"]
    assert len(boots(case)) == 2 and times["settled"] - boots(case)[-1] >= 280.0
    assert times["settled"] > max(moments(case, "controller download ended"))
    truth = case.device.truth()
    assert not truth["load_dropped"] and not truth["damaged"] and not truth["controller"]["download_pending"]
    # Run again: it is watched once more, and nothing is sent.
    received = truth["files_received"]
    case.bench.clock.sleep(60.0)
    again = case.run()
    assert "error" not in again and again["entry"]["kind"] == "watch"
    truth = case.device.truth()
    assert truth["files_received"] == received and not truth["controller"]["download_pending"]
    assert case.device.oracle_plug_ok("A", strict=True) and witness.wrong == [] and witness.heard == []


def test_the_card_restarts_again_and_again_in_the_settle(tmp_path: Path) -> None:
    """The card may restart several times after an app; also the last moment before it settles is one to start anew."""
    case, times = start(tmp_path)
    hit: list[float] = []

    def again(text: str) -> None:
        if "settling 4:5" in text and len(hit) < 3 and boots(case)[-1] not in hit:
            hit.append(boots(case)[-1])
            case.device.fault("card_restarts")

    case.bench.lines.listeners.append(again)
    report = case.run(controller_timeout_s=3600.0)
    assert "error" not in report, report["error"]
    assert len(boots(case)) == 4 and times["settled"] - boots(case)[-1] >= 280.0
    assert any("settling starts anew, DO NOT RECONNECT: " in line for line in case.bench.lines.lines)
    assert case.device.oracle_plug_ok("A", strict=True)


def test_somebody_else_sends_an_app_in_the_settle(tmp_path: Path) -> None:
    """A restart is tolerated there; another firmware behind it is not, whatever the log may show later."""
    case, times = start(tmp_path)
    on_line(case.bench, "settling 2:", lambda: install(case.bench, "g2ats", "391"))
    report = case.run()
    assert report["error"]["kind"] == "state" and times == {}
    assert "undisturbed: the app changed from 3.9.2 to 3.9.1" in report["error"]["message"]
    assert "you may" not in " ".join(case.bench.lines.lines)


def test_the_app_shows_itself_late_after_a_restart_in_the_settle(tmp_path: Path) -> None:
    case, times = start(tmp_path)

    class Late(type(case.device.card)):  # type: ignore[misc]
        @property
        def sys_descr(self) -> str:
            shown = str(super().sys_descr)
            return re.sub(r" AF1:\S+ AN1:\S+", "", shown) if self.app_starting and self.boots > 3 else shown

    case.device.card.__class__ = Late
    on_line(case.bench, "settling 2:", lambda: case.device.fault("card_restarts"))
    report = case.run()
    assert "error" not in report, report["error"]
    assert len(boots(case)) == 2 and times["settled"] - boots(case)[-1] >= 280.0


@pytest.mark.parametrize("logged", [True, False], ids=["logged", "not logged"])
def test_a_source_that_returned_is_watched_for_240_s_by_the_next_run(logged: bool, tmp_path: Path) -> None:
    """What the run before had watched was watched with the source out: it does not count (SAFETY 4.6, 6)."""
    case, times = start(tmp_path, Knobs(success_row=True))
    write = case.device.log_ats
    if not logged:
        case.device.log_ats = lambda name, **more: None if "source" in name or "redun" in name else write(name, **more)
    witness = Witness(case.bench)
    back: list[float] = []

    def plug_in() -> None:
        back.append(case.bench.clock.now())
        case.device.patch({"inputs": {"A": {"plugged": True}}})

    on_line(case.bench, "settling 4:3", plug_in)
    report = case.run()
    assert report["error"]["kind"] == "state" and "has returned" in report["error"]["message"] and times == {}
    assert report["state"] == "app_sent_secondary_back" and "neither in nor out" in report["next_action"]
    case.bench.clock.sleep(10.0)
    again = case.run()
    assert "error" not in again, again["error"]
    assert again["entry"]["kind"] == "watch" and times["settled"] - back[0] >= 240.0 and witness.wrong == []
    # The permit is still open, and restore closes it.
    assert again["state"] == "settled" and "ource A is in: leave it as it is until the restore" in again["next_action"]
    closed = case.run("restore")
    assert "error" not in closed and closed["state"] == "redundant" and closed["permit"]["state"] == "closed"


def test_after_the_dark_rack_restore_releases_the_other_input(tmp_path: Path) -> None:
    """Settled, then the only feed fails: its plug out, the other in, as the run says; restore goes on from there."""
    case, _times = start(tmp_path)
    assert case.run()["state"] == "settled"
    witness = Witness(case.bench)
    case.device.patch({"inputs": {"B": {"plugged": False}}})
    case.bench.clock.sleep(30.0)
    case.device.patch({"inputs": {"A": {"plugged": True}}})
    case.bench.clock.sleep(1000.0)
    on_line(
        case.bench,
        "you may reconnect source B now",
        lambda: case.bench.later(5.0, {"inputs": {"B": {"plugged": True}}}),
    )
    report = case.run("restore", action_timeout_s=600.0)
    assert "error" not in report, report["error"]
    assert report["state"] == "redundant" and report["permit"]["state"] == "closed"
    assert witness.wrong == [] and set(witness.heard) == {"reconnect B"}


@pytest.mark.parametrize("later_s", [60.0, 1500.0], ids=["watched", "unchanged"])
def test_with_the_loads_off_a_later_run_does_not_say_that_nothing_is_left(later_s: float, tmp_path: Path) -> None:
    """Both inputs are in, and the unit is fully redundant; the loads are off on this permit's word."""
    case, _times = start(tmp_path, method=Method.NO_LOAD)
    assert case.run()["state"] == "settled"
    case.bench.clock.sleep(later_s)
    again = case.run()
    assert "error" not in again and again["plan"] == [] and again["state"] == "settled"
    assert "Connect no load" in again["next_action"] and "restore step tells you when" in again["next_action"]


def test_a_log_that_shares_no_row_doubles_the_times(tmp_path: Path) -> None:
    waits = {}
    for cleared in (False, True):
        case, times = start(tmp_path / str(cleared), Knobs(download_delay_s=5.0, download_s=20.0, success_row=True))
        if cleared:
            on_line(case.bench, "settling 3:", lambda case=case: case.device.fault("log_cleared"))  # type: ignore[misc]
        report = case.run()
        assert "error" not in report, report["error"]
        waits[cleared] = times["settled"] - moments(case, "app 3.9.2 running")[0]
    assert waits[True] >= 580.0 and waits[True] > waits[False] + 100.0


def test_not_settled_before_the_card_is_up_for_300_s(tmp_path: Path) -> None:
    """Communication came at once and the 240 s are over: the card's own time is not."""
    case, times = start(tmp_path, Knobs(comm_delay_s=1.0, download_delay_s=5.0, download_s=20.0, success_row=True))
    up: list[float] = []

    def hear(text: str) -> None:
        if text.endswith(": settled") and case.bench.unit is not None:
            up.append(case.bench.unit.observer.newest.uptime_s or 0.0)

    case.bench.lines.listeners.append(hear)
    report = case.run()
    assert "error" not in report and up and up[0] >= 300.0, (up, report.get("error"))
    assert times["settled"] > moments(case, "controller download ended")[0]


def test_what_comes_while_the_log_is_read_begins_the_240_seconds_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look at the log, at the end of the 240 s, takes a while; the link goes and comes meanwhile."""
    case, times = start(tmp_path, Knobs(success_row=True))
    read = Unit.read_log
    due: list[bool] = []
    lost: list[float] = []

    def slow(unit: Unit, patient: bool = True) -> bool:
        done = read(unit, patient)
        if due and not lost:
            lost.append(case.bench.clock.now())
            case.device.fault("communication_lost", for_s=4.0)
            for _unused in range(4):
                unit.observer.next()
        return done

    monkeypatch.setattr(Unit, "read_log", slow)
    on_line(case.bench, "settling 4:5", lambda: due.append(True))
    report = case.run()
    assert lost, "nothing was tested"
    assert "error" not in report and times["settled"] - lost[0] >= 240.0, (lost, times, report.get("error"))


def test_a_busy_card_delays_the_log(tmp_path: Path) -> None:
    case, times = start(tmp_path)
    on_line(case.bench, "settling 4:", lambda: case.device.fault("session_busy", for_s=100.0))
    report = case.run()
    assert "error" not in report and times


@pytest.mark.parametrize("late", ["settling 2:", "settling 4:5"], ids=["early", "just before the last look at the log"])
def test_somebody_logs_in_meanwhile(late: str, tmp_path: Path) -> None:
    case, times = start(tmp_path, Knobs(success_row=True))
    on_line(case.bench, late, lambda: case.device.fault("web_login"))
    report = case.run()
    assert "error" in report and names(report, "undisturbed") and times == {}
    assert "you may" not in " ".join(case.bench.lines.lines)


def test_somebody_logs_in_by_ftp_meanwhile(tmp_path: Path) -> None:
    """A login that is not this run's own stops the run (SAFETY 7), by whatever protocol."""
    case, times = start(tmp_path)

    def stranger() -> None:
        case.device.login("device", "apc", "192.0.2.66").close()

    on_line(case.bench, "settling 2:", stranger)
    report = case.run()
    assert "error" in report and times == {}, "a stranger's FTP login went unnoticed"


@pytest.mark.parametrize("change", [{"inputs": {"B": {"voltage_v": 0}}}], ids=["primary lost"])
def test_the_primary_is_lost_in_the_settle(change: dict[str, Any], tmp_path: Path) -> None:
    case, times = start(tmp_path)
    on_line(case.bench, "settling 2:", lambda: case.device.patch(change))
    report = case.run()
    assert "error" in report and times == {} and "you may" not in " ".join(case.bench.lines.lines)
    assert report["state"] == "dark_unsettled" and "unplug every load, then plug one input in" in report["next_action"]


LOAD_ON = "A LOAD IS ON: SHUT IT DOWN NOW, TOUCH NO INPUT"


def test_a_load_in_the_settle_of_no_load(tmp_path: Path) -> None:
    """It is said at once and again every 15 s; the next run, with the load as it is, watches it for 240 s."""
    case, times = start(tmp_path, method=Method.NO_LOAD)
    said: list[float] = []
    on: list[float] = []

    def load() -> None:
        on.append(case.bench.clock.now())
        case.device.patch({"load_current_a": 6})

    case.bench.lines.listeners.append(
        lambda text: said.append(case.bench.clock.now()) if f"{LOAD_ON} (" in text else None
    )
    on_line(case.bench, "settling 4:", load)
    report = case.run()
    assert "error" in report and times == {}
    assert said[0] - on[0] <= 10.0 and max(b - a for a, b in pairwise(said)) <= 20.0
    assert report["state"] == "app_sent_secondary_back" and LOAD_ON in report["next_action"]
    lines = case.bench.lines.lines
    first = next(number for number, line in enumerate(lines) if LOAD_ON in line)
    assert "you may" not in " ".join(lines) and all(LOAD_ON in line for line in lines[first:] if "settling" in line)
    began = case.bench.clock.now()
    again = case.run()
    assert again["entry"]["kind"] in ("watch", "unchanged") and "you may" not in " ".join(case.bench.lines.lines)
    assert "error" not in again and times["settled"] - began >= 240.0, times["settled"] - began


def test_a_load_that_goes_again_in_the_settle_of_no_load(tmp_path: Path) -> None:
    case, times = start(tmp_path, method=Method.NO_LOAD)
    off: list[float] = []

    def load(text: str) -> None:
        if LOAD_ON in text and not off:
            off.append(case.bench.clock.now() + 30.0)
            case.bench.later(30.0, {"load_current_a": 0})

    case.bench.lines.listeners.append(load)
    on_line(case.bench, "settling 4:", lambda: case.device.patch({"load_current_a": 6}))
    report = case.run()
    assert "error" not in report and times["settled"] - off[0] >= 240.0, report.get("error")


def test_the_second_input_in_the_settle_of_recovery(tmp_path: Path) -> None:
    """Settled means: inputs as isolated (SAFETY 4.6). One input was confirmed; now there are two."""
    case, times = start(tmp_path, method=Method.RECOVERY)
    on_line(
        case.bench, "settling 2:", lambda: case.device.patch({"inputs": {"B": {"plugged": True}}, "load_current_a": 5})
    )
    report = case.run()
    assert "error" in report and times == {}, "settled although the inputs changed under it"


def test_every_line_until_settled_forbids(tmp_path: Path) -> None:
    for method, words in (
        (Method.SINGLE_SOURCE, "DO NOT RECONNECT"),
        (Method.NO_LOAD, "CONNECT NO LOAD, TOUCH NO INPUT"),
    ):
        case, _times = start(tmp_path / method.value, method=method)
        assert "error" not in case.run()
        lines = case.bench.lines.lines
        first = next(number for number, line in enumerate(lines) if "app sent" in line)
        last = next(number for number, line in enumerate(lines) if line.endswith(": settled"))
        assert last > first
        for line in lines[first:last]:
            assert words in line, line
