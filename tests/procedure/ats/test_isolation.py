# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for the electrician: the wrong plug, a primary that fails, a permission withdrawn, a voltage not shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Witness, must_end, names, on_line, package
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.words import WordBox, say_word
from apcsim.knobs import Knobs

WRONG = "source B is dead: if you pulled it, put it back"
QUESTION = "source A reads dead. PULL ITS PLUG NOW if it is still in, then say that it is out"
ALLOWED = "you may disconnect source A now"


def bench(tmp_path: Path, knobs: Knobs | None = None) -> tuple[Bench, Witness]:
    made = Bench(Device.load("ap7724", knobs), package(), tmp_path)
    must_end(made)
    made.clock.sleep(20.0)
    return made, Witness(made)


def plug(made: Bench, side: str, inside: bool, after_s: float = 5.0) -> None:
    made.later(after_s, {"inputs": {side: {"plugged": inside}}})


def untouched(made: Bench) -> bool:
    truth = made.device.truth()
    return (
        truth["bytes_received"] == 0 and truth["transfers"] == [] and not truth["load_dropped"] and not truth["damaged"]
    )


def said(made: Bench, part: str) -> list[int]:
    return [number for number, line in enumerate(made.lines.lines) if part in line]


def test_nobody_is_allowed_to_pull_before_a_full_window(tmp_path: Path) -> None:
    made, _witness = bench(tmp_path)
    began = made.clock.now()
    when: list[float] = []
    on_line(made, ALLOWED, lambda: when.append(made.clock.now()))
    made.electrician()
    assert "error" not in made.run(job.do_isolate)
    assert when[0] - began > 30.0


def listening(made: Bench, tmp_path: Path) -> Callable[[Unit, dict[str, Any]], None]:
    """Isolate with the folder of the words behind it, as a module has it."""
    made.speaks = False

    def task(unit: Unit, report: dict[str, Any]) -> None:
        box = WordBox(tmp_path, made.clock.wall)
        facts = {"run": unit.run_id, "pid": os.getpid(), "host": "c", "label": "x", "simulated": False}
        box.belongs_to(unit.keys, lambda: facts)
        unit.said.hearing = Hearing(lambda prompt: None, box.publish, box.withdraw, box.words, box.refused)
        job.do_isolate(unit, report)

    return task


@pytest.mark.parametrize("name", ["{key}_1.word", "{key}.ask"])
def test_a_pipe_among_the_words_holds_up_no_stop(name: str, tmp_path: Path) -> None:
    """While the permission stands the run looks there every few seconds: what lies there must not be waited for."""
    made, _witness = bench(tmp_path)
    said_at: list[float] = []

    def lay() -> None:
        path = tmp_path / "words" / name.format(key=made.unit.keys()[0]) if made.unit else tmp_path
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        made.later(3.0, {"inputs": {"B": {"plugged": False}}})

    on_line(made, ALLOWED, lambda: (said_at.append(made.clock.now()), lay()))
    on_line(made, "STOP, ", lambda: said_at.append(made.clock.now()))
    report = made.run(listening(made, tmp_path), made.options(action_timeout_s=300.0))
    assert len(said_at) == 2 and said_at[1] - said_at[0] < 12.0, made.lines.lines
    assert report["next_action"] and untouched(made)


def test_a_word_of_a_clock_that_lags_is_answered_and_not_taken(tmp_path: Path) -> None:
    """The person has spoken and waits: silence would be read as the run's own slowness."""
    made, witness = bench(tmp_path)
    pulled: list[bool] = []

    def speak(lag_s: float) -> None:
        serial = made.device.serial
        say_word(tmp_path, serial, "secondary_disconnected", "A", made.clock.wall() - timedelta(seconds=lag_s))

    def pull() -> None:
        plug(made, "A", False, 2.0)
        pulled.append(True)

    on_line(made, ALLOWED, pull)
    on_line(made, QUESTION, lambda: speak(120.0))
    on_line(made, "that clock lags behind this one", lambda: speak(0.0))
    report = made.run(listening(made, tmp_path), made.options(action_timeout_s=300.0))
    assert report.get("state") == "isolated" and pulled and witness.wrong == [], made.lines.lines[-5:]
    assert sum("that clock lags" in line for line in made.lines.lines) == 1
    kinds = [(record["kind"], str(record.get("reason", ""))) for record in report["evidence"]["summary"]]
    assert [reason for kind, reason in kinds if kind == "word_refused" and "does not count" in reason]


def test_the_wrong_plug_is_pulled(tmp_path: Path) -> None:
    """B instead of A: the load moves to A. Put back; it returns to B after 30 s; then the right one is pulled."""
    made, witness = bench(tmp_path)
    on_line(made, ALLOWED, lambda: plug(made, "B", False))
    on_line(made, WRONG, lambda: plug(made, "B", True, 10.0))
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0))
    assert report["error"]["kind"] == "refused" and report["state"] == "nothing_sent" and untouched(made)
    lines = made.lines.lines
    first = said(made, WRONG)[0]
    # STOP comes before everything else; the plug is spoken of 35 s behind the unit's own transfer.
    stop = said(made, "STOP, DO NOT PULL")[0]
    assert said(made, ALLOWED)[0] < stop < first
    for line in (lines[stop], lines[first]):
        assert "ouch nothing" in line and "until this run says 'you may disconnect' again" in line
    # What is said of the plug stands alone: no line beside it says to touch nothing.
    assert all("measuring, touch nothing" not in lines[number + 1] for number in said(made, WRONG)[:-1])
    assert "reconnect" not in report["next_action"] and witness.wrong == [] and "put back B" in witness.heard
    # Only after B has carried the load again for a full window is A's plug allowed once more.
    assert said(made, ALLOWED)[-1] > first


def test_after_the_wrong_plug_the_right_one_is_pulled(tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    state = {"pulled": False, "times": []}  # type: ignore[var-annotated]

    def electrician(text: str) -> None:
        if ALLOWED in text:
            state["times"].append(made.clock.now())
            plug(made, "A" if state["pulled"] else "B", False)
            state["pulled"] = True

    made.lines.listeners.append(electrician)
    on_line(made, WRONG, lambda: plug(made, "B", True, 10.0))
    report = made.run(job.do_isolate)
    assert "error" not in report and report["state"] == "isolated" and untouched(made) and witness.wrong == []
    assert state["times"][1] - state["times"][0] > 15.0 + 30.0 + 30.0
    assert made.device.truth()["selected_source"] == "B"


def test_after_the_wrong_plug_and_no_time_left_restore_releases_the_one_that_is_out(tmp_path: Path) -> None:
    """It names the input that it measured, not the one that the options name (SAFETY 1.5, 4.8)."""
    made, witness = bench(tmp_path)
    on_line(made, ALLOWED, lambda: plug(made, "B", False))
    report = made.run(job.do_isolate, made.options(action_timeout_s=120.0))
    assert report["error"]["kind"] == "refused" and "Keep what is out out" in report["next_action"]
    # The release is withdrawn, or never given: what is out is still spoken of as out.
    short = made.run(job.do_restore, made.options(action_timeout_s=30.0))
    assert "error" in short and "nothing is out" not in short["next_action"] and short["state"] != "restore_failed"
    on_line(made, "you may reconnect source B now", lambda: plug(made, "B", True))
    restored = made.run(job.do_restore)
    assert "error" not in restored, restored["error"]
    assert restored["state"] == "redundant" and restored["permit"]["state"] == "closed"
    assert witness.wrong == [] and "reconnect A" not in witness.heard and untouched(made)
    assert made.device.truth()["inputs"]["B"]["live"]


def test_the_wrong_plug_with_preferred_none_names_the_way_out(tmp_path: Path) -> None:
    """The load does not move back by itself: the other input is to be named primary (SAFETY 4.2)."""
    made, witness = bench(tmp_path)
    made.device.patch({"preferred_source": "none"})
    on_line(made, ALLOWED, lambda: plug(made, "B", False))
    on_line(made, WRONG, lambda: plug(made, "B", True, 10.0))
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0))
    assert report["error"]["kind"] == "refused" and untouched(made) and witness.wrong == []
    assert len(said(made, ALLOWED)) == 1
    spoken = [line for line in made.lines.lines if "name the other input primary" in line]
    assert spoken, "the words of SAFETY 4.2 for preferred none were never said"


@pytest.mark.parametrize("how", [{"voltage_v": 0}, {"voltage_v": 180}, {"voltage_v": 260}])
def test_the_primary_fails_while_waiting(how: dict[str, Any], tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    on_line(made, ALLOWED, lambda: made.later(6.0, {"inputs": {"B": how}}))
    report = made.run(job.do_isolate, made.options(action_timeout_s=240.0))
    assert report["error"]["kind"] == "refused" and untouched(made) and witness.wrong == []
    stop = said(made, "STOP, DO NOT PULL")
    assert stop and stop[0] > said(made, ALLOWED)[0] and len(said(made, ALLOWED)) == 1


@pytest.mark.parametrize(
    "values", [{"comm": 3}, {"switch": 1}, {"bank_total_state": 4}, {"selected": 1}, {"preferred": 1}], ids=str
)
def test_readiness_breaks_while_waiting(values: dict[str, Any], tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    times: list[float] = []
    made.lines.listeners.append(lambda text: times.append(made.clock.now()) if ALLOWED in text else None)
    on_line(made, ALLOWED, lambda: made.device.fault("override", values=values, after_s=6.0, for_s=60.0))
    report = made.run(job.do_isolate, made.options(action_timeout_s=480.0))
    assert report["error"]["kind"] == "refused" and untouched(made) and witness.wrong == []
    stop, allowed = said(made, "STOP, DO NOT PULL"), said(made, ALLOWED)
    assert stop and stop[0] > allowed[0]
    # Given again only after another full window; a controller that went away is watched for 240 s anew.
    assert len(allowed) == 2 and times[1] - times[0] > 60.0 + (240.0 if "comm" in values else 30.0)


def test_silence_withdraws_the_permission(tmp_path: Path) -> None:
    """Silent for longer than 15 s: the controller is watched for 240 s anew before it is given again."""
    made, witness = bench(tmp_path)
    on_line(made, ALLOWED, lambda: made.device.fault("no_answer", after_s=6.0, for_s=30.0))
    report = made.run(job.do_isolate, made.options(action_timeout_s=480.0))
    assert "error" in report and untouched(made) and witness.wrong == []
    stop, allowed = said(made, "STOP, DO NOT PULL"), said(made, ALLOWED)
    assert len(allowed) == 2 and allowed[0] < stop[0] < allowed[1]


def test_somebody_else_at_the_card_ends_it(tmp_path: Path) -> None:
    made, _witness = bench(tmp_path)
    on_line(made, ALLOWED, lambda: made.device.fault("card_restarts", after_s=6.0))
    report = made.run(job.do_isolate)
    assert report["error"]["kind"] == "refused" and names(report, "undisturbed") and untouched(made)
    assert said(made, "STOP, DO NOT PULL")[-1] > said(made, ALLOWED)[0]


def test_the_grid_fails_first(tmp_path: Path) -> None:
    """Feed A goes dark by itself before anybody was told anything: no outage passes for a hand (SAFETY 2)."""
    made, witness = bench(tmp_path)
    made.later(10.0, {"inputs": {"A": {"voltage_v": 0}}})
    on_line(made, QUESTION, lambda: plug(made, "A", False, 40.0))
    report = made.run(job.do_isolate)
    assert "error" not in report and report["state"] == "isolated"
    assert said(made, ALLOWED) == [] and witness.wrong == [] and untouched(made)
    # The question is repeated until the deed is said.
    assert len(said(made, QUESTION)) > 2 and report["permit"]["deed_by"] == "ats_word"


def test_the_grid_fails_first_and_nobody_pulls(tmp_path: Path) -> None:
    made, witness = bench(tmp_path)
    made.later(10.0, {"inputs": {"A": {"voltage_v": 0}}})
    report = made.run(job.do_isolate, made.options(action_timeout_s=240.0))
    assert report["error"]["kind"] == "refused" and names(report, "disconnected_confirmed")
    assert report["state"] == "deed_time_over" and untouched(made) and witness.wrong == []


def test_the_unconfirmed_are_not_asked_to_pull(tmp_path: Path) -> None:
    """The promise must be there before a plug is moved."""
    made, witness = bench(tmp_path)
    report = made.run(job.do_isolate, made.options(confirmations=()))
    assert report["error"]["kind"] == "refused" and names(report, "promised") and untouched(made)
    assert witness.heard.count("disconnect A") == 0


NO_VOLTAGE = [
    Knobs(dead_voltage="minus_one"),
    Knobs(dead_voltage="no_row"),
    Knobs(dead_voltage="no_row", dead_frequency="absent"),
    Knobs(dead_voltage="minus_one", dead_frequency="minus_one"),
]


@pytest.mark.parametrize("knobs", NO_VOLTAGE, ids=lambda k: f"{k.dead_voltage}-{k.dead_frequency}")
def test_no_voltage_when_dead_but_seen_to_go(knobs: Knobs, tmp_path: Path) -> None:
    made, witness = bench(tmp_path, knobs)
    made.electrician()
    report = made.run(job.do_upgrade)
    assert "error" not in report, report["error"]
    assert witness.wrong == [] and witness.heard == ["disconnect A"]
    assert not made.device.truth()["load_dropped"] and made.device.truth()["controller"]["revision"] == "3.0.7"


@pytest.mark.parametrize("knobs", NO_VOLTAGE, ids=lambda k: f"{k.dead_voltage}-{k.dead_frequency}")
def test_no_voltage_when_dead_and_not_seen_to_go(knobs: Knobs, tmp_path: Path) -> None:
    """Already out when the run began: nothing is put back for it, and somebody says that it is out."""
    made, witness = bench(tmp_path, knobs)
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.clock.sleep(60.0)
    made.electrician()
    report = made.run(job.do_isolate)
    assert "error" not in report, report["error"]
    assert witness.wrong == [] and witness.heard == [] and said(made, QUESTION)
    assert report["permit"]["state"] == "isolated" and report["permit"]["deed_by"] == "ats_word" and untouched(made)


@pytest.mark.parametrize("knobs", NO_VOLTAGE, ids=lambda k: f"{k.dead_voltage}-{k.dead_frequency}")
def test_no_voltage_when_dead_and_nobody_says_so(knobs: Knobs, tmp_path: Path) -> None:
    made, witness = bench(tmp_path, knobs)
    made.speaks = False
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.clock.sleep(60.0)
    report = made.run(job.do_isolate, made.options(action_timeout_s=200.0))
    assert report["error"]["kind"] == "refused" and report["state"] == "deed_time_over" and untouched(made)
    assert witness.wrong == [] and witness.heard == [] and said(made, QUESTION)


def test_not_seen_to_go_and_the_card_restarted_a_while_ago(tmp_path: Path) -> None:
    """What this run itself has not watched for 240 s it does not speak of; and it never lets anybody reconnect."""
    made, witness = bench(tmp_path, Knobs(dead_voltage="minus_one"))
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.device.fault("card_restarts")
    made.clock.sleep(500.0)
    began = made.clock.now()
    asked: list[float] = []
    on_line(made, QUESTION, lambda: asked.append(made.clock.now()))
    report = made.run(job.do_isolate)
    assert "error" not in report, report["error"]
    assert asked[0] - began >= 240.0 and witness.heard == [] and witness.wrong == [] and untouched(made)
    assert "reconnect" not in report["next_action"]


@pytest.mark.parametrize(
    "knobs",
    [
        Knobs(dead_voltage="minus_one", dead_supply_24v=2),
        Knobs(dead_voltage="no_row", dead_supply_24v=2),
        Knobs(dead_voltage="no_row", dead_frequency="absent", dead_supply_24v=2),
    ],
    ids=lambda k: f"{k.dead_voltage}-{k.dead_frequency}-{k.dead_supply_24v}",
)
def test_no_voltage_and_no_other_proof_is_refused(knobs: Knobs, tmp_path: Path) -> None:
    made, witness = bench(tmp_path, knobs)
    made.electrician()
    report = made.run(job.do_upgrade, made.options(action_timeout_s=200.0))
    assert report["error"]["kind"] == "refused" and names(report, "secondary_dead")
    assert untouched(made) and witness.wrong == []


def test_no_voltage_and_a_supply_that_is_not_fitted(tmp_path: Path) -> None:
    """SAFETY 3, secondary_dead: status fail, its frequency 0, its own 24 V supply failed or not fitted."""
    made, witness = bench(tmp_path, Knobs(dead_voltage="no_row", dead_supply_24v=0))
    made.electrician()
    report = made.run(job.do_isolate)
    assert "error" not in report and report["state"] == "isolated" and untouched(made)
    assert witness.wrong == [] and witness.heard == ["disconnect A"]


def test_a_supply_that_still_reads_ok_is_spoken_of(tmp_path: Path) -> None:
    """Beside a voltage known to be dead it refuses nothing; every question for the deed says so [?]."""
    made, witness = bench(tmp_path, Knobs(dead_supply_24v=2))
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.speaks = False
    made.clock.sleep(60.0)

    def speak() -> None:
        made.speaks = True

    on_line(made, QUESTION + " (its 24 V supply still reads ok: look again which plug is out):", speak)
    report = made.run(job.do_isolate)
    assert "error" not in report and witness.wrong == []
    asked = [line for line in made.lines.lines if QUESTION in line]
    assert asked and all("its 24 V supply still reads ok: look again which plug is out" in line for line in asked)


def test_source_b_answers_with_the_value_of_a(tmp_path: Path) -> None:
    """Some firmware does so: status and voltage disagree, and that refuses."""
    made, _witness = bench(tmp_path)
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.device.fault("override", values={"voltage_a": 215})
    made.clock.sleep(60.0)
    report = made.run(job.do_upgrade, made.options(action_timeout_s=200.0))
    assert report["error"]["kind"] == "refused" and names(report, "secondary_dead") and untouched(made)


def test_a_slow_agent_is_waited_for(tmp_path: Path) -> None:
    made, witness = bench(tmp_path, Knobs(ats_lag_s=15.0))
    made.electrician()
    assert "error" not in made.run(job.do_upgrade) and witness.wrong == []
    assert not made.device.truth()["load_dropped"]


def test_a_promise_that_no_release_has_spent_opens_the_next_permit_too(tmp_path: Path) -> None:
    """Nobody came, so nothing was out and the permit is closed; the promise of the day lets the next run ask."""
    made, witness = bench(tmp_path)
    report = made.run(job.do_isolate, made.options(action_timeout_s=60.0))
    assert report["error"]["kind"] == "refused" and said(made, ALLOWED)
    assert made.unit is not None and made.unit.permit.state.value == "closed"
    made.electrician()
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0))
    assert "error" not in report and report["permit"]["number"] == 2 and untouched(made) and witness.wrong == []


def test_a_closed_permit_promises_nothing(tmp_path: Path) -> None:
    made, _witness = bench(tmp_path)
    made.run(job.do_isolate, made.options(action_timeout_s=60.0))
    report = made.run(job.do_isolate, made.options(action_timeout_s=300.0, confirmations=()))
    assert "promised" in report["error"]["message"] and not said(made, ALLOWED)


@pytest.mark.parametrize("first", [job.do_ready, job.do_isolate], ids=["asked", "closed"])
def test_another_method_before_anything_is_out_rests_on_its_own_ground(first: Any, tmp_path: Path) -> None:
    """The first run was for single_source, the load has moved since, and the second is for no_load: its checks say
    nothing of the primary, so it must not speak of a plug."""
    made, witness = bench(tmp_path)
    both = made.confirm("secondary_disconnected", "no_load")
    made.run(first, made.options(action_timeout_s=60.0, confirmations=both))
    made.device.patch({"preferred_source": "A"})
    made.clock.sleep(60.0)
    assert made.device.truth()["selected_source"] == "A"
    made.electrician()
    options = made.options(method=Method.NO_LOAD, action_timeout_s=120.0, confirmations=both)
    report = made.run(job.do_isolate, options)
    assert report["error"]["kind"] == "refused" and untouched(made) and witness.wrong == []
    assert not said(made, "you may disconnect source")
    assert said(made, "you may shut down and disconnect all loads now")


def test_a_controller_that_stood_still_while_the_plug_was_out(tmp_path: Path) -> None:
    """No reading was bad, but the watch over the controller begins anew; the log behind it is read although the
    permission still stands: the deed is said, and no hand is on a plug any more."""
    made, witness = bench(tmp_path)
    on_line(made, "taken: source A is out", lambda: made.clock.sleep(20.0))
    made.electrician()
    report = made.run(job.do_isolate, made.options(action_timeout_s=900.0))
    assert made.unit is not None and made.unit.observer.breaks
    assert "error" not in report and report["state"] == "isolated" and untouched(made) and witness.wrong == []
