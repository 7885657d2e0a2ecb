# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""app_only, recovery, and the blind window: where a person's word stands in for what cannot be measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import (
    Situation,
    Witness,
    exact,
    failing,
    install,
    must_end,
    names,
    on_line,
    package,
    situation,
)
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import What
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import WHATS, Confirmation
from apcsim.knobs import Knobs

APP = "apc_hw02_g2ats_392.bin"
BLIND = Knobs(old_app_runs_on_new_aos=False)


def start(tmp_path: Path, method: Method, knobs: Knobs | None = None, **device: Any) -> tuple[Situation, Witness]:
    case = situation(method, tmp_path, knobs, **device)
    must_end(case.bench)
    return case, Witness(case.bench)


# --- a healthy unit is never let in by a side door ----------------------------------------------------------


@pytest.mark.parametrize("method", [Method.APP_ONLY, Method.RECOVERY])
@pytest.mark.parametrize("inputs", ["both live", "A out"])
@pytest.mark.parametrize("load_a", [8.8, 0.0])
@pytest.mark.parametrize("versions", ["old", "new"])
def test_a_healthy_unit_with_every_confirmation_is_refused(
    method: Method, inputs: str, load_a: float, versions: str, tmp_path: Path
) -> None:
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    made.device.patch({"load_current_a": 0})
    if versions == "new":
        install(made, "aos", "392")
        made.clock.sleep(400.0)
        install(made, "g2ats", "392", "3.0.7")
        made.clock.sleep(4000.0)
    made.device.patch({"load_current_a": load_a})
    if inputs == "A out":
        made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.clock.sleep(60.0)
    before = made.device.truth()["bytes_received"]
    given = made.confirm(*WHATS, stamp=exact(made))
    report = made.run(job.do_upgrade, made.options(method=method, confirmations=given))
    assert report["error"]["kind"] == "refused"
    check = {Method.APP_ONLY: "no_app_answers", Method.RECOVERY: "controller_comm"}[method]
    assert names(report, check)
    assert made.device.truth()["bytes_received"] == before


# --- app_only -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["absent", "letter"])
@pytest.mark.parametrize("what", ["secondary_disconnected", "no_load"])
def test_app_only_completes_a_unit_without_an_app(what: str, shown: str, tmp_path: Path) -> None:
    """A loaded, isolated unit has a lawful way on; or one without a load."""
    case, witness = start(tmp_path, Method.APP_ONLY, Knobs(app_trouble_shown=shown))
    if what == "no_load":
        case.device.patch({"load_current_a": 0, "inputs": {"A": {"plugged": True}}})
        case.bench.clock.sleep(60.0)
    given = case.bench.confirm(what, stamp=exact(case.bench))
    report = case.run(confirmations=given)
    assert "error" not in report, report["error"]
    truth = case.device.truth()
    assert truth["card"]["app"] == "3.9.2" and truth["controller"]["revision"] == "3.0.7"
    assert not truth["load_dropped"] and not truth["damaged"] and truth["violations"] == [] and witness.wrong == []
    assert report["state"] == "settled" and len(truth["files_received"]) == 2


def test_app_only_settles_only_while_isolated(tmp_path: Path) -> None:
    case, witness = start(tmp_path, Method.APP_ONLY, package=package(controller="3.0.5"))
    on_line(case.bench, "settling 2:", lambda: case.device.patch({"inputs": {"A": {"plugged": True}}}))
    report = case.run()
    assert report["state"] == "app_sent_secondary_back" and "error" in report and witness.wrong == []


STAMPS = {
    "a date alone": lambda bench: f"{bench.clock.wall():%Y-%m-%d}",
    "31 minutes old": lambda bench: exact(bench, 31 * 60.0),
    "61 minutes old": lambda bench: exact(bench, 61 * 60.0),
    "in the future": lambda bench: exact(bench, -600.0),
    "no zone": lambda bench: exact(bench)[:-6],
    "yesterday, same time": lambda bench: exact(bench, 86400.0),
}


@pytest.mark.parametrize("what", STAMPS)
@pytest.mark.parametrize("method", [Method.APP_ONLY, Method.RECOVERY])
def test_a_stamp_that_does_not_count(method: Method, what: str, tmp_path: Path) -> None:
    case, _witness = start(tmp_path, method)
    # The words beforehand alone: nobody answers the run's question.
    case.bench.speaks = False
    given = tuple(
        Confirmation(item.what, f"{case.device.serial}@{STAMPS[what](case.bench)}")
        for item in case.options.confirmations
    )
    report = case.run(confirmations=given)
    assert report["error"]["kind"] == "refused" and any(name.endswith("_confirmed") for name in failing(report))
    assert case.received_nothing()


def test_another_offset_tells_the_same_time(tmp_path: Path) -> None:
    case, _witness = start(tmp_path, Method.APP_ONLY)
    case.bench.speaks = False
    hour, minute = int(exact(case.bench)[11:13]), exact(case.bench)[14:16]
    wrong = f"2026-03-02T{hour + 2:02d}:{minute}+00:00"
    report = case.run("isolate", confirmations=case.bench.confirm("secondary_disconnected", stamp=wrong))
    assert report["error"]["kind"] == "refused" and names(report, "promised")
    stamp = f"2026-03-02T{hour + 2:02d}:{minute}+02:00"
    report = case.run("isolate", confirmations=case.bench.confirm("secondary_disconnected", stamp=stamp))
    assert "error" not in report, report["error"]


def test_a_word_given_before_a_permission_to_reconnect_is_void(tmp_path: Path) -> None:
    """The restore step allowed to reconnect after the confirmation was given: it must be given anew."""
    case, _witness = start(tmp_path, Method.APP_ONLY)
    case.bench.speaks = False
    store = case.bench.store
    assert store is not None
    store.prepare()
    unit = case.bench.make(case.options)
    unit.first_contact()
    unit.begin("restore", writing=True)
    early = exact(case.bench)
    case.bench.clock.sleep(120.0)
    for what in (What.RELEASE, What.BACK):
        unit.keeper.send(what)
    unit.close()
    case.bench.clock.sleep(60.0)
    given = case.bench.confirm("secondary_disconnected", stamp=early)
    report = case.run(confirmations=given)
    assert report["error"]["kind"] == "refused" and case.received_nothing()
    assert {"promised", "disconnected_confirmed"} <= failing(report)
    fresh = case.bench.confirm("secondary_disconnected", stamp=exact(case.bench, 0.0))
    case.bench.clock.sleep(60.0)
    assert "error" not in case.run("isolate", confirmations=fresh)


def without_an_app(tmp_path: Path, **device: Any) -> Bench:
    """The versions of now are the wanted ones; the app is lost with the next AOS."""
    made = Bench(Device.load("ap7724", BLIND), package(), tmp_path)
    must_end(made)
    made.speaks = False
    made.device.patch(device)
    made.clock.sleep(60.0)
    return made


def app_only(made: Bench, what: str, stamp: str) -> dict[str, Any]:
    install(made, "aos", "392")
    made.clock.sleep(500.0)
    given = made.confirm(what, stamp=stamp)
    return made.run(job.do_upgrade, made.options(method=Method.APP_ONLY, confirmations=given))


@pytest.mark.parametrize("released", ["source", "loads"])
def test_every_kind_of_release_voids_an_older_word(released: str, tmp_path: Path) -> None:
    """Whichever of the two sentences restore said (SAFETY 2)."""
    loads = released == "loads"
    made = without_an_app(tmp_path, inputs={"A": {"plugged": loads}}, load_current_a=0.0 if loads else 8.8)
    what = "no_load" if loads else "secondary_disconnected"
    early = exact(made, 0.0)
    made.clock.sleep(120.0)
    made.package, made.contents = package("374", "g2ats:371")
    made.electrician()
    options = made.options(confirmations=made.confirm(what), action_timeout_s=300.0)
    report = made.run(job.do_restore, replace(options, method=Method.NO_LOAD, primary=None) if loads else options)
    assert report["state"] == ("closed_loads" if loads else "redundant"), report
    assert ("you may connect the loads now" if loads else "you may reconnect source A now") in made.lines
    made.package, made.contents = package()
    made.device.patch({"inputs": {"A": {"plugged": loads}}})
    report = app_only(made, what, early)
    assert report["error"]["kind"] == "refused" and names(report, "promised"), "a word older than the release counted"
    assert not any(entry["name"] == APP for entry in made.device.truth()["transfers"])


def test_the_end_of_a_run_releases_nothing_and_voids_no_word(tmp_path: Path) -> None:
    """Release is restore's alone: what was said before a run that sent nothing is as true as it was."""
    made = without_an_app(tmp_path, inputs={"A": {"plugged": False}})
    early = exact(made, 0.0)
    made.clock.sleep(1000.0)
    report = made.run(job.do_upgrade, made.options(confirmations=()))
    assert report["state"] == "nothing_sent" and "may reconnect" not in report["next_action"]
    report = app_only(made, "secondary_disconnected", early)
    assert "error" not in report, report["error"]
    assert made.device.truth()["controller"]["revision"] == "3.0.7" and not made.device.truth()["load_dropped"]


def test_the_serial_that_evidence_ties_to_the_card(tmp_path: Path) -> None:
    """Without an app A.1.6 is not readable; the card's own SN is another one."""
    made = Bench(Device.load("ap7724", BLIND), package(), tmp_path)
    must_end(made)
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.clock.sleep(60.0)
    report = made.run(job.do_backup)
    assert "error" not in report
    install(made, "aos", "392")
    made.clock.sleep(500.0)
    given = made.confirm("secondary_disconnected", stamp=exact(made))
    assert "error" not in made.run(job.do_isolate, made.options(method=Method.APP_ONLY, confirmations=given))


def test_a_name_plate_serial_where_nothing_is_readable(tmp_path: Path) -> None:
    case, _witness = start(tmp_path, Method.APP_ONLY, Knobs(card_sn="junk"))
    case.bench.speaks = False
    stamp = exact(case.bench)
    for unit, good in (
        (f"5A1511T00001@192.0.2.201@{stamp}", False),
        (f"FFFFFFFFFFFF@192.0.2.200@{stamp}", False),
        (f"5A1511T00001@{stamp}", False),
        (f"5A1511T00001@192.0.2.200@{stamp}", True),
    ):
        given = tuple(Confirmation(what, unit) for what in ("will_disconnect_secondary", "secondary_disconnected"))
        report = case.run("isolate", confirmations=given)
        assert ("error" not in report) is good, (unit, report.get("error"))
        if good:
            assert str(report["interlock"]).count("not verifiable") == 2


# --- the blind window ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["absent", "letter"])
@pytest.mark.parametrize("method", [Method.SINGLE_SOURCE, Method.NO_LOAD])
def test_the_old_app_does_not_run_on_the_new_aos(method: Method, shown: str, tmp_path: Path) -> None:
    case, witness = start(tmp_path, method, BLIND.but(app_trouble_shown=shown))
    report = case.run()
    assert "error" not in report, report["error"]
    truth = case.device.truth()
    assert [file["complete"] for file in truth["files_received"]] == [True, True]
    assert not truth["load_dropped"] and truth["controller"]["revision"] == "3.0.7" and witness.wrong == []
    up = next(event["time_s"] for event in truth["events"] if event["what"] == "card up")
    begun = truth["transfers"][1]["started_s"]
    ended = truth["transfers"][0]["ended_s"]
    assert begun - up > 120.0, "blind means: the card has answered for 120 s"
    assert begun - ended <= 600.0


def test_an_app_that_starts_late_ends_the_blindness(tmp_path: Path) -> None:
    """The app answers after 140 s: the full interlock, and not what was carried over."""
    case, _witness = start(tmp_path, Method.SINGLE_SOURCE, Knobs(app_start_s=100.0))
    report = case.run()
    assert "error" not in report
    truth = case.device.truth()
    running = next(event["time_s"] for event in truth["events"] if event["what"] == "app 3.7.1 running")
    assert truth["transfers"][1]["started_s"] - running > 240.0


def test_blind_and_a_starting_app(tmp_path: Path) -> None:
    """A? is shown: nothing is carried over, however long it takes."""
    case, _witness = start(tmp_path, Method.SINGLE_SOURCE, Knobs(app_start_s=3000.0, starting_shown=True))
    report = case.run()
    # It says that it is starting: nobody is sent to app_only, which would refuse it as well.
    assert report["error"]["kind"] == "refused" and report["state"] == "aos_sent_unsure"
    assert not any(entry["name"] == APP for entry in case.device.truth()["transfers"])


@pytest.mark.parametrize("held_by", ["busy", "unreadable", "silent"])
def test_more_than_ten_minutes_blind_is_held(held_by: str, tmp_path: Path) -> None:
    case, witness = start(tmp_path, Method.SINGLE_SOURCE, BLIND)

    def hold() -> None:
        if held_by == "busy":
            case.device.fault("session_busy", for_s=1500.0)
        elif held_by == "unreadable":
            case.device.fault("files_unreadable", for_s=1500.0)
        else:
            case.device.fault("no_answer", on="card_up", for_s=480.0)

    on_line(case.bench, "aos sent", hold)
    report = case.run()
    assert "error" in report and report["state"] == "aos_new_no_app", (report.get("error"), report["state"])
    assert "app_only" in report["next_action"] and witness.wrong == []
    truth = case.device.truth()
    assert not any(entry["name"] == APP for entry in truth["transfers"]) and not truth["load_dropped"]
    # Later, with a confirmation of the time: app_only, the load staying on.
    case.device.clear_faults()
    case.bench.clock.sleep(600.0)
    given = case.bench.confirm("secondary_disconnected", stamp=exact(case.bench))
    case.options = replace(case.options, method=Method.APP_ONLY, confirmations=given)
    report = case.run()
    assert "error" not in report, report["error"]
    assert case.device.truth()["controller"]["revision"] == "3.0.7" and not case.device.truth()["load_dropped"]


def test_nothing_is_carried_into_another_run(tmp_path: Path) -> None:
    case, _witness = start(tmp_path, Method.SINGLE_SOURCE, BLIND)

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    on_line(case.bench, "measuring before the app", kill)
    with pytest.raises(Killed):
        case.run()
    report = case.run()
    assert report["error"]["kind"] == "refused" and report["state"] in ("aos_new_no_app", "aos_sent_unsure")
    assert "may reconnect" not in report["next_action"]
    assert not any(entry["name"] == APP for entry in case.device.truth()["transfers"])


# --- recovery -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", [1, 3])
def test_recovery_is_refused_while_old_values_contradict(dead: int, tmp_path: Path) -> None:
    """The card still shows two live inputs after the cold start. Old or new cannot be told apart here: it refuses."""
    knobs = Knobs(comm_when_dead=dead, ats_when_lost="stale", ats_before_comm="stale")
    case, witness = start(tmp_path, Method.RECOVERY, knobs)
    report = case.run()
    assert report["error"]["kind"] == "refused" and "one_input" in report["error"]["message"]
    assert not case.device.truth()["files_received"] and witness.wrong == []


@pytest.mark.parametrize("shown", ["minus_one", "absent"])
@pytest.mark.parametrize("dead", [1, 3])
def test_recovery_revives_a_lost_controller(dead: int, shown: str, tmp_path: Path) -> None:
    """Values from before the cold start are shown, not judged: a card without its controller knows no newer ones."""
    case, witness = start(
        tmp_path, Method.RECOVERY, Knobs(comm_when_dead=dead, ats_when_lost=shown, ats_before_comm=shown)
    )
    report = case.run()
    assert "error" not in report, report["error"]
    truth = case.device.truth()
    assert truth["controller"]["alive"] and truth["controller"]["comm"] == 2 and report["state"] == "settled"
    # The app is sent again although it is equal; the AOS is not.
    assert [file["name"] for file in truth["files_received"]] == [APP]
    assert witness.wrong == [] and not truth["damaged"]


def test_recovery_of_a_controller_that_never_boots(tmp_path: Path) -> None:
    case, witness = start(tmp_path, Method.RECOVERY, Knobs(controller_recoverable=False, ats_when_lost="minus_one"))
    report = case.run()
    assert "error" in report and witness.wrong == [] and witness.heard == []
    assert report["state"].startswith("controller_lost") and "you may" not in " ".join(case.bench.lines.lines)


def test_a_second_recovery_needs_new_words(tmp_path: Path) -> None:
    """Later than any recovery attempt in the evidence (SAFETY 2)."""
    case, _witness = start(tmp_path, Method.RECOVERY, Knobs(controller_recoverable=False, ats_when_lost="minus_one"))
    assert "error" in case.run()
    sent = case.device.truth()["bytes_received"]
    case.bench.clock.sleep(600.0)
    report = case.run()
    assert report["error"]["kind"] == "refused", "the words of the first attempt were accepted again"
    assert case.device.truth()["bytes_received"] == sent


def test_recovery_wants_a_new_cold_start_row(tmp_path: Path) -> None:
    """An earlier log is at hand, and no cold start has come since: somebody did not cut the power."""
    made = Bench(Device.load("ap7723", Knobs(ats_when_lost="minus_one")), package(), tmp_path)
    must_end(made)
    first = made.run(job.do_backup, made.options(primary=Source.A))
    assert "error" not in first, first["error"]
    made.clock.sleep(300.0)
    given = made.confirm("no_load", "power_cycled", "one_input", stamp=exact(made))
    options = made.options(method=Method.RECOVERY, primary=Source.A, confirmations=given)
    report = made.run(job.do_upgrade, options)
    assert report["error"]["kind"] == "refused" and names(report, "cold_start_confirmed")
    assert made.device.truth()["bytes_received"] == 0
    # And with the cold start it goes on.
    made.device.patch({"inputs": {"A": {"plugged": False}, "B": {"plugged": False}}})
    made.clock.sleep(360.0)
    made.device.patch({"inputs": {"A": {"plugged": True}}})
    made.clock.sleep(400.0)
    given = made.confirm("no_load", "power_cycled", "one_input", stamp=exact(made))
    report = made.run(job.do_upgrade, made.options(method=Method.RECOVERY, primary=Source.A, confirmations=given))
    assert "error" not in report, report["error"]


def test_recovery_with_a_load_is_refused(tmp_path: Path) -> None:
    case, _witness = start(tmp_path, Method.RECOVERY)
    case.device.fault("override", values={"phase_current": 21})
    report = case.run()
    assert names(report, "load_zero") and case.received_nothing()


@pytest.mark.parametrize("given", [True, False])
def test_a_look_counts_the_deed_that_was_given_beforehand(given: bool, tmp_path: Path) -> None:
    """The recovery's role looks first, and sends only where nothing is missing: by deed, nobody is asked there."""
    case, _witness = start(tmp_path, Method.RECOVERY, Knobs(ats_when_lost="minus_one", ats_before_comm="minus_one"))
    whats = ("no_load", "power_cycled", "one_input") if given else ("power_cycled", "one_input")
    words = case.bench.confirm(*whats, stamp=exact(case.bench))
    report = case.bench.run(job.observe_once, replace(case.options, confirmations=words))
    checks = {check["id"]: check["ok"] for check in report["interlock"]["checks"]}
    assert (checks["no_load_confirmed"], checks["promised"]) == (given, given)
    assert case.device.truth()["bytes_received"] == 0
