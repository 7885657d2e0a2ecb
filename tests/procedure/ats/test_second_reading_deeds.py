# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second hostile reading, of what people have said: no promise and no deed outlives what ends it (SAFETY 2)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import exact, healthy, in_a_while, in_every_unit, moments, on_line, situation
from virtual_unit import Bench, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from apcsim.knobs import Knobs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "worlds"))
from disk import Disk

ALLOWED = "you may disconnect source A now"
QUESTION = "source A reads dead. PULL ITS PLUG NOW if it is still in, then say"
ISOLATED = "isolated: touch nothing else"
MEASURING = "measuring, touch nothing"
COUNTS_NO_MORE = "counts no more"


class Killed(BaseException):
    """The process is gone, and what it would have done at its end with it."""


def volts(made: Bench, side: str, voltage: float, after_s: float = 0.0) -> None:
    change = {"inputs": {side: {"voltage_v": voltage}}}
    if after_s:
        made.later(after_s, change)
    else:
        made.device.patch(change)


def say_out(made: Bench) -> None:
    """True or not."""
    made.said.append((made.device.serial, "A", made.clock.wall()))


def believed_to_be_out(made: Bench) -> None:
    """Feed A has an outage; somebody pulls a neighbour's plug and says that this one is out."""
    volts(made, "A", 0)
    made.speaks = False
    made.clock.sleep(60.0)
    on_line(made, QUESTION, lambda: say_out(made))


def isolated(made: Bench) -> None:
    """In a run of its own; from then on nobody says anything."""
    made.electrician()
    report = made.run(job.do_isolate, made.options())
    assert "error" not in report, report["error"]
    made.lines.listeners.clear()
    made.speaks = False


def received(made: Bench) -> int:
    return int(made.device.truth()["bytes_received"])


# -- a reading ends it, whenever it is taken -------------------------------------------------------------------------


def test_a_live_reading_during_a_long_login_ends_the_deed(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    believed_to_be_out(made)
    held: list[float] = []

    def somebody_holds_the_card() -> None:
        held.append(made.clock.now())
        made.device.fault("session_busy", for_s=150.0)
        volts(made, "A", 230, after_s=20.0)
        volts(made, "A", 0, after_s=60.0)

    on_line(made, ISOLATED, somebody_holds_the_card)
    ended = moments(made, COUNTS_NO_MORE)
    made.run(job.do_upgrade, made.options(action_timeout_s=600.0))
    assert held and ended and received(made) == 0


def test_a_load_during_a_long_login_ends_the_deed(tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    made = case.bench

    def somebody_holds_the_card() -> None:
        made.speaks = False
        made.device.fault("session_busy", for_s=150.0)
        made.later(20.0, {"load_current_a": 8.0})
        made.later(80.0, {"load_current_a": 0.0})

    on_line(made, ISOLATED, somebody_holds_the_card)
    ended, warned = moments(made, COUNTS_NO_MORE), moments(made, "LOAD IS ON")
    case.run()
    assert case.received_nothing() and (ended or warned)


def test_a_live_reading_ends_the_deed_of_an_earlier_run_while_this_one_still_measures(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    isolated(made)
    made.clock.sleep(300.0)

    def put_in_for_a_moment() -> None:
        made.later(10.0, {"inputs": {"A": {"plugged": True}}})
        made.later(40.0, {"inputs": {"A": {"plugged": False}}})

    on_line(made, MEASURING, put_in_for_a_moment)
    ended = moments(made, COUNTS_NO_MORE)
    made.run(job.do_upgrade, made.options(action_timeout_s=300.0))
    assert received(made) == 0 and ended


def test_a_live_reading_that_could_not_be_written_ends_the_deed_for_the_next_run_too(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path, Knobs(ats_lag_s=0.0))
    believed_to_be_out(made)
    options = made.options(action_timeout_s=300.0)
    with Disk(tmp_path, made.clock.now, made.clock.sleep) as disk:

        def the_feed_is_back() -> None:
            made.device.fault("session_busy", for_s=8.0)
            volts(made, "A", 230)

        def full_for_a_moment(text: str) -> None:
            if COUNTS_NO_MORE in text:
                disk.full(made.clock.now(), 0.5)

        on_line(made, "backup of config.ini", the_feed_is_back)
        made.lines.listeners.append(full_for_a_moment)
        made.run(job.do_upgrade, options)
    assert disk.failed and received(made) == 0
    made.lines.listeners.clear()
    made.clock.sleep(120.0)
    volts(made, "A", 0)
    made.clock.sleep(120.0)
    made.run(job.do_upgrade, options)
    assert received(made) == 0


def test_a_word_given_beforehand_with_a_time_ahead_does_not_outlive_a_live_reading(tmp_path: Path) -> None:
    """Clocks may differ by two minutes, but what a run was given at its start was not said behind its readings."""
    made, _witness = healthy(tmp_path)
    made.speaks = False
    volts(made, "A", 0)
    made.clock.sleep(30.0)
    assert "error" not in made.run(job.do_ready, made.options())
    volts(made, "A", 230)
    volts(made, "A", 0, after_s=12.0)
    live: list[float] = []

    def note(sample: Sample) -> None:
        if sample.ats.input_a.status.shown() == "ok":
            live.append(sample.at_s)

    in_every_unit(made, lambda unit: unit.listeners.append(note))
    taken = moments(made, "taken: source A is out")
    deed = made.confirm("secondary_disconnected", stamp=exact(made, ago_s=-118.0))[-1]
    words = (*made.confirm("secondary_disconnected"), deed)
    made.run(job.do_isolate, made.options(confirmations=words, action_timeout_s=200.0))
    assert live and not [moment for moment in taken if moment > live[-1]]


# -- a question that was taken down ----------------------------------------------------------------------------------


class Terminal:
    """What was typed before a question stood is thrown away."""

    def __init__(self) -> None:
        self.typed: list[str] = []

    def ask(self, prompt: str) -> Terminal:
        self.typed.clear()
        return self

    def poll(self) -> str | None:
        return self.typed.pop(0) if self.typed else None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("way", ["terminal", "ats_word"])
def test_what_was_said_before_stop_does_not_answer_the_question_behind_it(way: str, tmp_path: Path) -> None:
    """Said while an answer is missing; STOP follows, and feed A has had an outage meanwhile: it is asked for anew."""
    made, _witness = healthy(tmp_path)
    made.speaks = False
    terminal = Terminal()
    if way == "terminal":

        def sits_there(unit: Unit) -> None:
            unit.said.hearing = Hearing(ask=terminal.ask)

        in_every_unit(made, sits_there)

    def allowed() -> None:
        made.device.fault("no_answer", after_s=1.0, for_s=12.0)
        volts(made, "A", 0, after_s=3.0)
        in_a_while(made, 2.0, lambda: terminal.typed.append("A") if way == "terminal" else say_out(made))

    on_line(made, ALLOWED, allowed)
    stops, taken = moments(made, "STOP, DO NOT PULL"), moments(made, "taken: source A is out")
    made.run(job.do_isolate, made.options(action_timeout_s=600.0))
    assert stops and not [moment for moment in taken if moment > stops[0]]


# -- nobody watched --------------------------------------------------------------------------------------------------


def test_a_promise_of_a_run_that_was_killed_ends_with_its_day(tmp_path: Path) -> None:
    made, witness = healthy(tmp_path)

    def kill() -> None:
        raise Killed

    on_line(made, MEASURING, lambda: in_a_while(made, 10.0, kill))
    with pytest.raises(Killed):
        made.run(job.do_isolate, made.options())
    made.clock.sleep(36 * 3600.0)
    made.run(job.do_isolate, made.options(confirmations=(), action_timeout_s=120.0))
    assert witness.heard == []


def test_a_run_that_stood_still_for_45_minutes_has_no_deed_any_more(tmp_path: Path) -> None:
    """Suspended, with its machine or by a key."""
    made, _witness = healthy(tmp_path)
    made.electrician()

    def stand_still() -> None:
        made.speaks = False
        made.clock.sleep(45 * 60.0)

    on_line(made, ISOLATED, stand_still)
    made.run(job.do_upgrade, made.options(action_timeout_s=300.0))
    assert received(made) == 0


def test_a_wall_clock_set_back_hides_no_time_without_a_run(tmp_path: Path) -> None:
    """The card's own clock tells that 50 minutes went by."""
    made, _witness = healthy(tmp_path)
    isolated(made)
    made.clock.sleep(50 * 60.0)
    made.clock.jump_wall(-25 * 60.0)
    made.run(job.do_upgrade, made.options(action_timeout_s=300.0))
    assert received(made) == 0


# -- the card restarted, and not by a file of this collection --------------------------------------------------------


def test_a_restart_between_two_runs_ends_the_deed_however_long_the_card_is_up_since(tmp_path: Path) -> None:
    """It was up for a short time only when the first run ended, and is up for longer when the second begins."""
    made, _witness = healthy(tmp_path)
    made.device.fault("card_restarts")
    made.clock.sleep(120.0)
    isolated(made)
    made.device.fault("card_restarts")
    made.clock.sleep(20 * 60.0)
    made.run(job.do_upgrade, made.options(action_timeout_s=300.0))
    assert received(made) == 0


def test_a_restart_hidden_by_a_long_silence_ends_the_deed(tmp_path: Path) -> None:
    """In one process: its uptime has grown past the last one seen when the card answers again."""
    case = situation(Method.NO_LOAD, tmp_path)
    made = case.bench
    made.device.fault("card_restarts")
    made.clock.sleep(60.0)
    made.run(job.do_isolate, case.options)

    def watch(unit: Unit, report: dict[str, Any]) -> None:
        unit.begin("upgrade", writing=True)
        before_s = unit.observer.newest.uptime_s or 0.0
        assert unit.permit.deed
        made.device.fault("card_restarts")
        made.device.fault("no_answer", for_s=900.0)
        while not unit.observer.next().answered:
            assert unit.permit.deed
        assert (unit.observer.newest.uptime_s or 0.0) > before_s and not unit.permit.deed

    made.run(watch, case.options)
    assert "counts no more: the card has restarted" in made.lines


def test_a_restart_that_refused_one_run_ends_the_deed_for_the_next(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    isolated(made)
    options = made.options(action_timeout_s=300.0)
    on_line(made, MEASURING, lambda: made.device.fault("card_restarts"))
    report = made.run(job.do_upgrade, options)
    assert "restarted" in report["error"]["message"] and received(made) == 0
    made.clock.sleep(600.0)
    made.run(job.do_upgrade, options)
    assert received(made) == 0
