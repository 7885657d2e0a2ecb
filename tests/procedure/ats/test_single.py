# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two methods of the bulletin, single_source and no_load: what they refuse, and that they end well."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from virtual_situations import TASKS, Witness, failing, must_end, names, package, situation
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Confirmation
from apcsim.knobs import Knobs

SERIAL = "5A1511T00001"


def bench(tmp_path: Path | None, knobs: Knobs | None = None, **device: Any) -> tuple[Bench, Witness]:
    made = Bench(Device.load(device.pop("model", "ap7724"), knobs, **device), package(), tmp_path)
    must_end(made)
    made.clock.sleep(20.0)
    return made, Witness(made)


def nothing_received(made: Bench) -> bool:
    truth = made.device.truth()
    return truth["bytes_received"] == 0 and truth["files_received"] == [] and truth["transfers"] == []


def test_both_live_with_a_load_is_refused(tmp_path: Path) -> None:
    """Confirmed, but live: nobody pulls, and the time is over."""
    made, witness = bench(tmp_path)
    report = made.run(job.do_upgrade, made.options(action_timeout_s=120.0))
    assert report["error"]["kind"] == "refused" and names(report, "secondary_dead")
    assert {"secondary_dead", "redundancy_lost"} <= failing(report)
    assert nothing_received(made) and witness.wrong == []
    assert "STOP, DO NOT PULL: the time to do it is over" in made.lines
    assert report["state"] == "nothing_sent" and "may reconnect" not in report["next_action"]


def test_dead_but_not_confirmed_is_refused(tmp_path: Path) -> None:
    """An outage of feed A looks the same as a pulled plug, until the power returns in mid-flash."""
    made, witness = bench(tmp_path)
    made.device.patch({"inputs": {"A": {"voltage_v": 0}}})
    made.clock.sleep(60.0)
    report = made.run(job.do_upgrade, made.options(confirmations=()))
    assert report["error"]["kind"] == "refused" and names(report, "promised")
    assert failing(report) - {"stable", "controller_quiet"} == {"promised", "disconnected_confirmed"}
    assert nothing_received(made) and witness.wrong == []


@pytest.mark.parametrize("method", [Method.SINGLE_SOURCE, Method.NO_LOAD])
def test_a_promise_without_a_deed_never_sends(method: Method, tmp_path: Path) -> None:
    """Everything reads as if the hand had been there; nobody says that it was."""
    case = situation(method, tmp_path)
    case.bench.speaks = False
    report = case.run()
    deed = {Method.SINGLE_SOURCE: "disconnected_confirmed", Method.NO_LOAD: "no_load_confirmed"}[method]
    assert report["error"]["kind"] == "refused" and failing(report) == {deed} and case.received_nothing()
    assert report["state"] == "deed_time_over"
    asked = {Method.SINGLE_SOURCE: "PULL ITS PLUG NOW if it is still in", Method.NO_LOAD: "also what reads as 0 A"}
    assert asked[method] in case.bench.lines


BAD = {
    "yesterday": lambda serial: f"{serial}@2026-03-01",
    "tomorrow": lambda serial: f"{serial}@2026-03-03",
    "last year": lambda serial: f"{serial}@2025-03-02",
    "another unit": lambda serial: "5A1511T00002@2026-03-02",
    "junk": lambda serial: "FFFFFFFFFFFF@2026-03-02",
    "UPS_IDEN": lambda serial: "UPS_IDEN@2026-03-02",
    "empty serial": lambda serial: "@2026-03-02",
    "no date": lambda serial: serial,
    "no such date": lambda serial: f"{serial}@2026-02-30",
    "a time, over twelve hours ago": lambda serial: f"{serial}@2026-03-01T23:30+00:00",
    "a time to come": lambda serial: f"{serial}@2026-03-02T13:30+00:00",
    "name plate although the serial is readable": lambda serial: f"{serial}@192.0.2.200@2026-03-02T12:00+00:00",
    "a part of the serial": lambda serial: f"{serial[:-1]}@2026-03-02",
    "other words": lambda serial: f"{serial}@today",
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("method", [Method.SINGLE_SOURCE, Method.NO_LOAD])
def test_a_confirmation_that_does_not_count(method: Method, what: str, tmp_path: Path) -> None:
    case = situation(method, tmp_path)
    word = {Method.SINGLE_SOURCE: "will_disconnect_secondary", Method.NO_LOAD: "will_remove_loads"}[method]
    given = (Confirmation(word, BAD[what](case.device.serial)),)
    report = case.run(confirmations=given)
    deed = {Method.SINGLE_SOURCE: "disconnected_confirmed", Method.NO_LOAD: "no_load_confirmed"}[method]
    # A promise that was given and does not count refuses at once, before the stability window is full.
    assert report["error"]["kind"] == "refused" and names(report, "promised")
    assert failing(report) - {"stable", "controller_quiet"} == {"promised", deed}
    assert not any("may" in line and "disconnect" in line for line in case.bench.lines.lines)
    assert case.received_nothing()


def test_a_refused_confirmation_shows_zone_time_and_what_was_read(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    zone = ZoneInfo("Asia/Tokyo")
    report = case.run(confirmations=(Confirmation("will_disconnect_secondary", f"{SERIAL}@2026-03-01"),), zone=zone)
    message = report["error"]["message"]
    assert "2026-03-01" in message and "Asia/Tokyo" in message and "2026-03-02 21:0" in message


UTC = timezone.utc
# the true time, the zone, the date of the confirmation, whether it counts
TIMES = [
    (datetime(2026, 3, 2, 23, 58, tzinfo=UTC), "UTC", "2026-03-02", True),
    (datetime(2026, 3, 2, 23, 58, tzinfo=UTC), "UTC", "2026-03-03", False),
    (datetime(2026, 3, 3, 0, 2, tzinfo=UTC), "UTC", "2026-03-02", True),
    (datetime(2026, 3, 3, 5, 55, tzinfo=UTC), "UTC", "2026-03-02", True),
    (datetime(2026, 3, 3, 6, 1, tzinfo=UTC), "UTC", "2026-03-02", False),
    (datetime(2026, 3, 3, 6, 1, tzinfo=UTC), "UTC", "2026-03-03", True),
    (datetime(2026, 3, 3, 5, 50, tzinfo=UTC), "UTC", "2026-03-01", False),
    # 22:30 UTC is 00:30 of the next day in Prague, 07:30 in Tokyo, 14:30 in Los Angeles
    (datetime(2026, 3, 2, 22, 30, tzinfo=UTC), "Europe/Prague", "2026-03-02", True),
    (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "Europe/Prague", "2026-03-03", True),
    (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "Europe/Prague", "2026-03-01", False),
    (datetime(2026, 3, 2, 22, 30, tzinfo=UTC), "Asia/Tokyo", "2026-03-02", False),
    (datetime(2026, 3, 2, 22, 30, tzinfo=UTC), "Asia/Tokyo", "2026-03-03", True),
    (datetime(2026, 3, 2, 22, 30, tzinfo=UTC), "America/Los_Angeles", "2026-03-02", True),
    (datetime(2026, 3, 3, 5, 0, tzinfo=UTC), "America/Los_Angeles", "2026-03-02", True),
    (datetime(2026, 3, 3, 5, 0, tzinfo=UTC), "America/Los_Angeles", "2026-03-03", False),
    (datetime(2026, 3, 3, 13, 30, tzinfo=UTC), "America/Los_Angeles", "2026-03-02", True),
    (datetime(2026, 3, 3, 14, 30, tzinfo=UTC), "America/Los_Angeles", "2026-03-02", False),
    # the night in which the clocks go forward in Europe
    (datetime(2026, 3, 29, 3, 30, tzinfo=UTC), "Europe/Prague", "2026-03-28", True),
    (datetime(2026, 3, 29, 4, 30, tzinfo=UTC), "Europe/Prague", "2026-03-28", False),
]


@pytest.mark.parametrize(("now", "zone", "day", "counts"), TIMES)
def test_around_midnight_and_six_in_other_zones(
    now: datetime, zone: str, day: str, counts: bool, tmp_path: Path
) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path, start=now - timedelta(seconds=70))
    given = (Confirmation("will_disconnect_secondary", f"{SERIAL}@{day}"),)
    report = case.run("isolate", confirmations=given, zone=ZoneInfo(zone))
    assert ("error" not in report) is counts, report.get("error")


def test_judged_once_and_valid_to_the_end_of_the_run(tmp_path: Path) -> None:
    """Begun at 05:50, still sending after 06:00."""
    case = situation(Method.SINGLE_SOURCE, tmp_path, start=datetime(2026, 3, 3, 5, 50, tzinfo=UTC))
    report = case.run(confirmations=(Confirmation("will_disconnect_secondary", f"{SERIAL}@2026-03-02"),))
    assert "error" not in report
    assert case.bench.clock.wall() > datetime(2026, 3, 3, 6, 0, tzinfo=UTC)


def test_load_on_the_input_to_be_pulled_is_blocking_before_anybody_is_told_to_pull(tmp_path: Path) -> None:
    for task in ("readiness", "isolate", "upgrade"):
        made, _witness = bench(tmp_path / task)
        given = made.options(primary=Source.A)
        report = made.run(TASKS[task], given)
        assert report["error"]["kind"] == "refused" and names(report, "primary_selected")
        assert "name the other input primary" in report["error"]["message"]
        assert "set the preferred source and wait" in report["error"]["message"]
        assert "you may" not in " ".join(made.lines.lines[:-1]) and nothing_received(made)


def test_the_preferred_source_would_take_the_load_to_the_input_to_be_pulled(tmp_path: Path) -> None:
    """Selected B because A was bad for a moment; preferred A: the load is about to go there."""
    made, _witness = bench(tmp_path)
    made.device.patch({"preferred_source": "A"})
    report = made.run(job.do_isolate, made.options())
    assert report["error"]["kind"] == "refused" and names(report, "primary_selected")
    assert "you may disconnect" not in made.lines


def test_preferred_none_will_do(tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    made.device.patch({"preferred_source": "none"})
    made.electrician()
    assert "error" not in made.run(job.do_isolate) and witness.heard == ["disconnect A"] and witness.wrong == []


@pytest.mark.parametrize("missing", ["ok", "lost", "silent"])
def test_peers_must_be_fully_redundant_before_anybody_pulls(missing: str, tmp_path: Path) -> None:
    made, _witness = bench(tmp_path)
    peer = Device.load("ap7724", serial="5A1511T00077", name="peer")
    made.clock.units.append(peer)
    peer.advance(made.clock.now())
    if missing == "lost":
        peer.patch({"inputs": {"A": {"plugged": False}}})
    elif missing == "silent":
        peer.fault("no_answer")
    made.electrician()
    report = made.run(job.do_isolate, peers=[peer])
    assert ("error" in report) is (missing != "ok")
    assert ("you may disconnect source A now" in made.lines) is (missing == "ok")
    if missing != "ok":
        assert report["error"]["kind"] == "refused" and "peer" in report["error"]["message"]


def test_a_whole_day_by_steps(tmp_path: Path) -> None:
    """Load on: every step alone, each in its own process; the second run is unchanged and asks for nothing."""
    made, witness = bench(tmp_path)
    made.electrician()
    for name, task in TASKS.items():
        report = made.run(task)
        assert "error" not in report, (name, report["error"])
        assert not made.device.truth()["load_dropped"]
    assert witness.wrong == [] and witness.heard == ["disconnect A", "reconnect A"]
    truth = made.device.truth()
    assert (truth["card"]["aos"], truth["card"]["app"], truth["controller"]["revision"]) == ("3.9.2", "3.9.2", "3.0.7")
    assert truth["redundant"] and not truth["load_dropped"] and not truth["damaged"] and truth["violations"] == []
    assert [file["complete"] for file in truth["files_received"]] == [True, True]
    assert truth["source_transfers"] == 0 and truth["writes"] == [] and truth["sessions_open"] == 0
    sent = truth["bytes_received"]
    made.clock.sleep(1000.0)
    for task in (job.do_ready, job.do_isolate, job.do_upgrade):
        report = made.run(task, made.options(confirmations=(), primary=None))
        assert "error" not in report and report["state"] == "unchanged" and report["changed"] is False
        assert "you may" not in " ".join(made.lines.lines)
    assert made.device.truth()["bytes_received"] == sent


def test_upgrade_alone_does_it_all(tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    made.electrician()
    report = made.run(job.do_upgrade)
    assert "error" not in report and report["changed"] and report["state"] == "settled"
    assert report["firmware"]["after"] == {"aos": "3.9.2", "app": "3.9.2"}
    assert witness.wrong == [] and not made.device.truth()["load_dropped"]
    lines = made.lines.lines
    begun = next(number for number, line in enumerate(lines) if "sending apc_hw02_aos" in line)
    assert all("you may" not in line for line in lines[begun:])
    ending = [line for line in lines[begun:] if "settling" in line]
    assert ending and all("DO NOT RECONNECT" in line for line in ending)


def test_only_what_differs_is_sent(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    case.bench.package, case.bench.contents = package("374", "g2ats:392")
    report = case.run()
    assert "error" not in report
    assert [file["name"] for file in case.device.truth()["files_received"]] == ["apc_hw02_g2ats_392.bin"]


def test_no_load_with_both_inputs_live(tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    given = made.options(method=Method.NO_LOAD, primary=None, confirmations=made.confirm("no_load"))
    made.lines.listeners.append(
        lambda text: "disconnect all loads now" in text and made.later(7.0, {"load_current_a": 0})
    )
    for name, task in TASKS.items():
        report = made.run(task, given)
        assert "error" not in report, (name, report["error"])
    truth = made.device.truth()
    assert truth["controller"]["revision"] == "3.0.7" and not truth["damaged"] and not truth["load_dropped"]
    assert truth["inputs"]["A"]["live"] and truth["inputs"]["B"]["live"] and truth["violations"] == []
    assert witness.wrong == [] and set(witness.heard) == {"connect loads"}
    made.clock.sleep(1000.0)
    made.device.patch({"load_current_a": 8.8})
    again = made.run(job.do_upgrade, made.options(method=Method.NO_LOAD, primary=None, confirmations=()))
    assert "error" not in again and again["state"] == "unchanged"
    said = " ".join(made.lines.lines)
    assert "leave both inputs" not in said and "disconnect" not in said.replace("disconnected", "")


def test_no_load_says_what_to_do_and_what_not(tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    report = case.run()
    assert "error" not in report
    for line in case.bench.lines.lines:
        if "settling" in line:
            assert "CONNECT NO LOAD, TOUCH NO INPUT" in line
        assert "reconnect" not in line.lower() or "settling" not in line


def test_no_load_with_a_load_is_refused(tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    given = made.options(
        method=Method.NO_LOAD, primary=None, confirmations=made.confirm("no_load"), action_timeout_s=120.0
    )
    report = made.run(job.do_upgrade, given)
    assert report["error"]["kind"] == "refused" and names(report, "load_zero") and nothing_received(made)
    assert "leave both inputs as they are" in made.lines and witness.wrong == []


@pytest.mark.parametrize("offset", [{"bank_total": 1}, {"bank_2": 3}, {"bank_total_va": 15}])
def test_a_constant_offset_points_to_single_source(offset: dict[str, int], tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    case.device.fault("override", values=offset)
    report = case.run()
    assert names(report, "load_zero") and "single_source" in report["error"]["message"]
    assert case.received_nothing()


def test_a_small_load_that_reads_zero_needs_the_persons_word(tmp_path: Path) -> None:
    """Under 1 A may read 0: without the word nothing is sent."""
    made, _witness = bench(tmp_path)
    made.device.patch({"load_current_a": 0.8})
    made.clock.sleep(60.0)
    report = made.run(job.do_upgrade, made.options(method=Method.NO_LOAD, primary=None, confirmations=()))
    assert names(report, "no_load_confirmed") and nothing_received(made)


def test_options_raise_the_window_and_never_lower_it(tmp_path: Path) -> None:
    spans = {}
    for wanted in (1.0, 30.0, 120.0):
        made, _witness = bench(tmp_path / str(wanted))
        began = made.clock.now()
        assert "error" not in made.run(job.do_ready, made.options(stability_s=wanted))
        spans[wanted] = made.clock.now() - began
    assert spans[1.0] > 30.0 and spans[30.0] > 30.0 and spans[120.0] > 120.0


def test_no_secondary_named_is_refused(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    report = case.run(primary=None)
    assert report["error"]["kind"] == "refused" and case.received_nothing()
    assert "primary_source" in report["error"]["message"]
