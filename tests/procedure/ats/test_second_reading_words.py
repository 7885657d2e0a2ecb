# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second hostile reading, of what a run says: at the right time, by a reading of now, of the right unit and row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from virtual_situations import healthy, in_a_while, in_every_unit, moments, on_line, package, situation
from virtual_unit import Bench, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from apcsim.knobs import Knobs

ALLOWED = "you may disconnect source A now"
RELEASED = "you may reconnect source A now"
APP_IS_IN = "app sent, waiting for the card to restart"
DARK = "ONLY IF THE LOAD IS DARK"


def plug(made: Bench, inside: bool, after_s: float = 5.0) -> None:
    made.later(after_s, {"inputs": {"A": {"plugged": inside}}})


def isolated(made: Bench, task: Any = job.do_isolate) -> None:
    """By somebody who pulls the plug when told, and puts nothing back."""
    on_line(made, ALLOWED, lambda: plug(made, False))
    report = made.run(task, made.options())
    assert "error" not in report, report["error"]


def without_load(made: Bench) -> Options:
    """What a run of no_load is given; the loads are shut down when it allows it."""
    on_line(made, "you may shut down and disconnect all loads", lambda: made.later(5.0, {"load_current_a": 0.0}))
    words = made.confirm("no_load")
    return made.options(method=Method.NO_LOAD, primary=None, confirmations=words, action_timeout_s=300.0)


def the_primary_fails_behind_the_release(made: Bench) -> None:
    on_line(made, RELEASED, lambda: made.later(4.0, {"inputs": {"B": {"voltage_v": 0}}}))


# -- between the app's last block and the card's restart -------------------------------------------------------------


def restarts_late(made: Bench, seconds: float = 90.0) -> None:
    """The card takes its time to install the app, and answers meanwhile."""
    install = made.device.card.install

    def later(name: str, data: bytes) -> Any:
        if "g2ats" not in name:
            return install(name, data)
        return made.device.line.at(made.device.now + seconds, install, name, data)

    made.device.card.install = later  # type: ignore[method-assign]


def test_a_load_before_the_card_restarts_is_told_at_once(tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    made = case.bench
    restarts_late(made)
    waiting, told = moments(made, APP_IS_IN), moments(made, "A LOAD IS ON")
    on_line(made, APP_IS_IN, lambda: made.device.patch({"load_current_a": 8.0}))
    case.run()
    assert waiting and told and told[0] - waiting[0] < 5.0


def test_a_source_that_is_back_before_the_card_restarts_is_not_spoken_of_as_out(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    made = case.bench
    restarts_late(made)
    waiting = moments(made, APP_IS_IN)
    on_line(made, APP_IS_IN, lambda: made.device.patch({"inputs": {"A": {"plugged": True}}}))
    wrong: list[str] = []

    def listen(text: str) -> None:
        late = "DO NOT RECONNECT" in text and waiting and made.clock.now() - waiting[0] > 10.0
        if late and made.unit is not None and made.unit.observer.newest.answered:
            wrong.append(text)

    made.lines.listeners.append(listen)
    case.run()
    assert waiting and not wrong


# -- the way back with no load ---------------------------------------------------------------------------------------


def test_with_no_load_the_loads_come_back_although_the_newest_backup_saw_a_source_out(tmp_path: Path) -> None:
    made, witness = healthy(tmp_path)
    made.electrician()
    for task in (job.do_upgrade, job.do_restore):
        report = made.run(task, made.options())
        assert "error" not in report, report["error"]
    made.clock.sleep(25 * 3600.0)
    made.package, made.contents = package("395", "g2ats:395")
    options = without_load(made)
    report = made.run(job.do_isolate, options)
    assert "error" not in report, report["error"]
    report = made.run(job.do_restore, options)
    assert "error" not in report and witness.heard[-1] == "connect loads"


def test_no_release_is_written_that_nobody_is_told_of(tmp_path: Path) -> None:
    """Feed A has an outage: the inputs are not as before, so nothing may be said and no word be spent."""
    made, witness = healthy(tmp_path)
    options = without_load(made)
    assert "error" not in made.run(job.do_isolate, options)
    witness.heard.clear()
    made.device.patch({"inputs": {"A": {"voltage_v": 0}}})
    made.clock.sleep(60.0)
    report = made.run(job.do_restore, options)
    permits = [record for record in report["evidence"]["summary"] if record["kind"] == "permit"]
    assert witness.heard or not [record for record in permits if record["event"].get("what") == "release"]


def test_behind_a_source_that_is_back_the_loads_are_released_on_a_reading_that_was_judged(tmp_path: Path) -> None:
    """Communication is lost just before the reading that the second sentence of a restore rests on."""
    made, _witness = healthy(tmp_path)
    made.electrician()
    assert "error" not in made.run(job.do_isolate, made.options())
    back = moments(made, "source A is back, watching")
    lost: list[float] = []
    shown: list[str] = []

    def listen(text: str) -> None:
        if made.unit is not None and "you may connect the loads" in text:
            shown.append(made.unit.observer.newest.ats.controller_comm.shown())

    made.lines.listeners.append(listen)

    def change(unit: Unit) -> None:
        fresh, read_earlier = unit.observer.fresh, unit.read_earlier

        def lose_it_first() -> Sample:
            if back and unit.permit.state is PermitState.RETURNING:
                lost.append(made.clock.now())
                made.device.fault("communication_lost", for_s=60.0)
                made.clock.sleep(3.0)
            return fresh()

        def read() -> None:
            read_earlier()
            # As a dark rack with an app unsettled leaves it.
            unit.keeper.permit = replace(unit.keeper.permit, loads_off=True)

        unit.observer.fresh = lose_it_first  # type: ignore[method-assign]
        unit.read_earlier = read  # type: ignore[method-assign]

    in_every_unit(made, change)
    made.run(job.do_restore, made.options(action_timeout_s=600.0))
    assert lost and shown[:1] in ([], ["established"])


# -- the rack is dark ------------------------------------------------------------------------------------------------


def test_in_a_restore_nothing_contradicts_the_sentence_for_a_dark_rack(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    isolated(made)
    the_primary_fails_behind_the_release(made)
    silent, dark = moments(made, "the card does not answer. Wait"), moments(made, DARK)
    behind: list[str] = []

    def listen(text: str) -> None:
        if dark and "DO NOT RECONNECT" in text and DARK not in text:
            behind.append(text)

    made.lines.listeners.append(listen)
    made.run(job.do_restore, made.options(action_timeout_s=900.0))
    assert silent and dark and dark[0] - silent[0] < 125.0
    assert not behind


def test_a_dark_rack_behind_a_withdrawn_release_is_told_the_row_of_the_app_that_settled(tmp_path: Path) -> None:
    """SAFETY 6 wants the primary's plug out first; not what is said where nothing, or the AOS alone, was sent."""
    made, _witness = healthy(tmp_path)
    isolated(made, job.do_upgrade)
    the_primary_fails_behind_the_release(made)
    report = made.run(job.do_restore, made.options(action_timeout_s=300.0))
    assert "take the plug of source B out" in report["next_action"]


# -- of the right unit, and of what was done -------------------------------------------------------------------------


def test_the_right_units_word_at_a_silent_moment_is_not_called_another_units(tmp_path: Path) -> None:
    made, _witness = healthy(tmp_path)
    made.speaks = False
    said: list[float] = []

    def say_out() -> None:
        said.append(made.clock.now())
        made.said.append((made.device.serial, "A", made.clock.wall()))

    def allowed() -> None:
        made.device.fault("no_answer", after_s=1.0, for_s=4.0)
        plug(made, False, 0.5)
        in_a_while(made, 2.0, say_out)

    on_line(made, ALLOWED, allowed)
    made.run(job.do_isolate, made.options(action_timeout_s=120.0))
    assert said and "spoke of another unit" not in made.lines


def test_a_unit_replaced_while_a_restore_settles_is_not_released(tmp_path: Path) -> None:
    """The new one boots, without an ATS object or a card serial: no two readings in a row show both serials."""
    made, witness = healthy(tmp_path, Knobs(card_sn="absent", app_start_more_s=40.0))
    isolated(made)
    before = made.device.serial
    made.clock.sleep(300.0)
    on_line(made, "before reconnecting, settling", lambda: made.device.swap(how="replaced", card_sn="absent"))
    made.run(job.do_restore, made.options(action_timeout_s=600.0, controller_timeout_s=3000.0))
    assert made.device.serial != before and "reconnect A" not in witness.heard


def test_nothing_is_called_settled_that_was_never_sent(tmp_path: Path) -> None:
    """The release is withdrawn once by a missing answer and given again; nobody comes."""
    made, _witness = healthy(tmp_path)
    isolated(made)
    on_line(made, RELEASED, lambda: made.device.fault("no_answer", after_s=1.0, for_s=6.0))
    made.run(job.do_restore, made.options(action_timeout_s=200.0))
    told: list[str] = []
    for task in (job.do_backup, job.do_upgrade):
        report = made.run(task, made.options(action_timeout_s=100.0, confirmations=()))
        told.append(report["next_action"])
    assert made.device.truth()["bytes_received"] == 0
    assert not [text for text in told if "new firmware has settled" in text]


# -- in time ---------------------------------------------------------------------------------------------------------


def test_a_question_that_takes_long_to_take_down_does_not_hold_up_stop(tmp_path: Path) -> None:
    """To take it down reads and removes files, in a folder that may hang."""
    made, _witness = healthy(tmp_path)

    def hangs(unit: Unit) -> None:
        unit.said.hearing = Hearing(withdraw=lambda: made.clock.sleep(30.0))

    in_every_unit(made, hangs)
    ends: list[float] = []

    def fail() -> None:
        ends.append(made.clock.now())
        raise Stop("refused", "anything that ends the run")

    on_line(made, ALLOWED, lambda: in_a_while(made, 3.0, fail))
    stops = moments(made, "STOP, TOUCH NO PLUG")
    made.run(job.do_isolate, made.options(action_timeout_s=600.0))
    assert ends and stops and stops[0] - ends[0] < 3.0


def test_a_second_package_before_the_restore_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """The first one has settled; with the promise of the same day the second can only fail, at once or in an hour."""
    made, _witness = healthy(tmp_path)
    made.electrician()
    options = made.options(action_timeout_s=3600.0)
    assert "error" not in made.run(job.do_upgrade, options)
    made.package, made.contents = package("395", "g2ats:395")
    made.clock.sleep(1000.0)
    began = made.clock.now()
    made.run(job.do_upgrade, options)
    assert made.clock.now() - began < 1200.0
