# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of SAFETY 6 is reached by a run, and its words are held against the simulator's truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, exact, install, must_end, on_line, package, situation
from virtual_unit import Bench, Device

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.acts import ALLOWS_CONNECT
from apcsim.knobs import Knobs

APP = "apc_hw02_g2ats_392.bin"
Reached = tuple[Situation, dict[str, Any]]


def begin(
    tmp_path: Path, method: Method = Method.SINGLE_SOURCE, knobs: Knobs | None = None, **device: Any
) -> Situation:
    case = situation(method, tmp_path, knobs, **device)
    must_end(case.bench)
    case.witness = Witness(case.bench)  # type: ignore[attr-defined]
    return case


def upgraded(
    tmp_path: Path, method: Method = Method.SINGLE_SOURCE, knobs: Knobs | None = None, **device: Any
) -> Situation:
    case = begin(tmp_path, method, knobs, **device)
    report = case.run()
    assert "error" not in report, report["error"]
    return case


def live(case: Situation) -> None:
    case.device.patch({"inputs": {"A": {"plugged": True}}})
    case.bench.clock.sleep(60.0)


# --- one function for each row of the table -----------------------------------------------------------------


def nothing_sent(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    return case, case.run(confirmations=())


def nothing_sent_no_load(tmp_path: Path) -> Reached:
    case = begin(tmp_path, Method.NO_LOAD)
    return case, case.run(confirmations=())


def nothing_sent_after_a_transfer(tmp_path: Path) -> Reached:
    """The unit went back to its preferred source a moment ago: not within 35 s."""
    case = begin(tmp_path)
    live(case)
    case.device.patch({"inputs": {"B": {"plugged": False}}})
    case.bench.clock.sleep(3.0)
    case.device.patch({"inputs": {"B": {"plugged": True}}})
    return case, case.run(confirmations=())


def unsure_after_a_restart(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("card_restarts")
    case.bench.clock.sleep(120.0)
    return case, case.run(confirmations=())


def lost_before_the_run(tmp_path: Path) -> Reached:
    """Nobody knows how old the inputs' values are: the words that move nothing."""
    case = begin(tmp_path)
    case.device.fault("communication_lost")
    return case, case.run()


def unsure_with_a_download(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.log_ats("download_begun")
    return case, case.run(controller_timeout_s=60.0)


def unsure_after_a_gap(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("no_answer", after_s=3.0, for_s=12.0)
    return case, case.run(primary=None, confirmations=())


def unsure_log_unreadable(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("files_unreadable", names=["event.txt"])
    return case, case.run()


def unfinished(tmp_path: Path) -> Reached:
    """An earlier run began an AOS; this one sends nothing, since nobody says the deed again."""
    case = begin(tmp_path)
    case.device.fault("transfer_cut", at_byte=4096, module="aos")
    case.run()
    case.device.clear_faults()
    case.bench.clock.sleep(2000.0)
    case.bench.speaks = False
    return case, case.run(confirmations=())


def aos_new_and_nobody_says_the_deed(tmp_path: Path) -> Reached:
    """The AOS went in by an earlier run: "nothing was sent" would be no word for this unit."""
    case, _report = aos_new_old_app(tmp_path)
    case.device.patch({"inputs": {"A": {"plugged": False}}})
    case.bench.clock.sleep(2000.0)
    case.bench.speaks = False
    return case, case.run(confirmations=())


def deed_time_over(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.bench.speaks = False
    return case, case.run()


def aos_denied(tmp_path: Path) -> Reached:
    """The card is back without it, and its old app has not answered yet."""
    case = begin(tmp_path)
    case.device.fault("comes_back_with_old_version")
    return case, case.run()


def aos_old_versions(tmp_path: Path) -> Reached:
    case, _report = aos_denied(tmp_path)
    case.bench.clock.sleep(2000.0)
    case.bench.speaks = False
    return case, case.run(confirmations=())


def failed_stands(tmp_path: Path) -> Reached:
    """The download is logged as failed, and the old revision goes on answering."""
    case = begin(tmp_path)

    def fail() -> None:
        case.device.log_ats("download_begun")
        case.device.log_ats("download_failed")

    on_line(case.bench, "app sent, settling 3:", fail)
    return case, case.run()


def dark_settled(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    on_line(case.bench, "before reconnecting, settling", lambda: case.device.fault("no_answer"))
    return case, case.run("restore")


def unchanged_not_redundant(tmp_path: Path) -> Reached:
    case, _report = unchanged(tmp_path)
    case.device.patch({"inputs": {"A": {"plugged": False}}})
    case.bench.clock.sleep(60.0)
    return case, case.run(confirmations=())


def recovery_under_way(tmp_path: Path) -> Reached:
    """Both inputs out: the card has no power, and the backup says why."""
    case = begin(tmp_path, Method.RECOVERY)
    assert "error" not in case.run("backup")
    on_line(case.bench, "evidence: ", lambda: case.device.fault("no_answer"))
    return case, case.run()


def recovery_failed_twice(tmp_path: Path) -> Reached:
    case = begin(tmp_path, Method.RECOVERY)
    report: dict[str, Any] = {}
    for _attempt in range(2):
        case.device.fault("controller_download_fails")
        report = case.run()
        case.device.patch({"inputs": {"A": {"plugged": False}}})
        case.bench.clock.sleep(400.0)
        case.device.patch({"inputs": {"A": {"plugged": True}}})
        case.bench.clock.sleep(400.0)
        given = case.bench.confirm("no_load", "power_cycled", "one_input", stamp=exact(case.bench))
        case.options = replace(case.options, confirmations=given)
    return case, report


def locked(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    other = case.bench.make(case.options)
    other.first_contact()
    other.begin("upgrade", writing=True)
    try:
        return case, case.run()
    finally:
        other.close()


def aos_new_old_app(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("source_returns", input="A", at_byte=9000, module="app")
    return case, case.run()


def aos_new_no_app(tmp_path: Path) -> Reached:
    case = begin(tmp_path, knobs=Knobs(old_app_runs_on_new_aos=False))
    # The log cannot be read any more, so that the blind window ends unused.
    on_line(case.bench, "aos sent", lambda: case.device.fault("files_unreadable", names=["event.txt", "config.ini"]))
    return case, case.run()


def aos_cut(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("transfer_cut", at_byte=9000, module="aos")
    return case, case.run()


def app_sent_secondary_dead(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    on_line(case.bench, f"sending {APP}", lambda: case.device.fault("files_unreadable"))
    return case, case.run()


def app_sent_no_load(tmp_path: Path) -> Reached:
    case = begin(tmp_path, Method.NO_LOAD)
    on_line(case.bench, f"sending {APP}", lambda: case.device.fault("files_unreadable"))
    return case, case.run()


def app_sent_secondary_back(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    on_line(
        case.bench,
        f"sending {APP}",
        lambda: case.device.fault("source_returns", input="A", on="download_end", after_s=20.0),
    )
    return case, case.run()


def silent_after_the_aos(tmp_path: Path, method: Method = Method.NO_LOAD) -> Reached:
    case = begin(tmp_path, method)
    case.device.fault("card_does_not_come_back")
    return case, case.run()


def silent_after_the_app(tmp_path: Path, method: Method = Method.NO_LOAD) -> Reached:
    case = begin(tmp_path, method)
    on_line(case.bench, f"sending {APP}", lambda: case.device.fault("card_does_not_come_back"))
    return case, case.run()


def dark_after_the_aos(tmp_path: Path) -> Reached:
    """With a source out nobody can see whether the load still has power."""
    return silent_after_the_aos(tmp_path, Method.SINGLE_SOURCE)


def dark_after_the_app(tmp_path: Path) -> Reached:
    return silent_after_the_app(tmp_path, Method.SINGLE_SOURCE)


def controller_lost_isolated(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("controller_download_fails")
    return case, case.run()


def controller_lost_no_load(tmp_path: Path) -> Reached:
    case = begin(tmp_path, Method.NO_LOAD)
    case.device.fault("controller_download_fails")
    return case, case.run()


def controller_lost_live(tmp_path: Path) -> Reached:
    """The source comes back while the app boots, and the download fails."""
    case = begin(tmp_path, knobs=Knobs(ats_lag_s=0.0))

    def both() -> None:
        case.device.fault("controller_download_fails")
        case.device.fault("source_returns", input="A", on="comm_up", after_s=58.5)

    on_line(case.bench, f"sending {APP}", both)
    return case, case.run()


def verified(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    return case, case.run("verify")


def backed_up(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    return case, case.run("backup")


def settings_differ_verify(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path, knobs=Knobs(settings_lost_by_flash=True))
    return case, case.run("verify")


def settings_differ_restore(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path, knobs=Knobs(settings_lost_by_flash=True))
    return case, case.run("restore")


def switch_failed_verify(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    case.bench.clock.sleep(900.0)
    case.device.fault("switch_fail")
    case.bench.clock.sleep(30.0)
    return case, case.run("verify")


def display_failed_restore(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    case.bench.clock.sleep(900.0)
    case.device.fault("display_failure")
    case.bench.clock.sleep(30.0)
    return case, case.run("restore")


def settled(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    return case, case.run()


def settled_no_load(tmp_path: Path) -> Reached:
    case = begin(tmp_path, Method.NO_LOAD)
    return case, case.run()


def restored(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    case.bench.electrician()
    return case, case.run("restore")


def restored_loads(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path, Method.NO_LOAD)
    return case, case.run("restore")


def never_reconnected(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    return case, case.run("restore", action_timeout_s=300.0)


def reconnected_out_of_range(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    case.device.patch({"inputs": {"A": {"voltage_v": 150}}})
    case.bench.electrician()
    return case, case.run("restore", action_timeout_s=300.0)


def unchanged(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    case.bench.electrician()
    case.run("restore")
    case.bench.clock.sleep(1000.0)
    return case, case.run(confirmations=())


def watching(tmp_path: Path) -> Reached:
    case = upgraded(tmp_path)
    return case, case.run("readiness")


def ready(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    live(case)
    return case, case.run("readiness")


def isolated(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    live(case)
    case.bench.electrician()
    return case, case.run("isolate")


AS_IT_IS = "Leave every plug and every load as it is"
IF_DARK = "ONLY IF THE LOAD IS DARK: "
ENDS: list[tuple[State, Callable[[Path], Reached], bool, tuple[str, ...]]] = [
    # state, how it is reached, whether the run fails, what the person must be told
    (State.NOTHING_SENT, nothing_sent, True, ("Nothing was sent", "Keep what is out out", "restore step")),
    (State.NOTHING_SENT, nothing_sent_no_load, True, ("Nothing was sent", "Connect no load yet", "restore step")),
    (State.NOTHING_TOUCHED, nothing_sent_after_a_transfer, True, ("Nothing was sent", "nothing is out")),
    (State.NOTHING_SENT_UNSURE, unsure_after_a_restart, True, (AS_IT_IS,)),
    (State.NOTHING_SENT_UNSURE, unsure_with_a_download, True, (AS_IT_IS,)),
    (State.NOTHING_SENT_UNSURE, unsure_after_a_gap, True, (AS_IT_IS,)),
    (State.NOTHING_SENT_UNSURE, unsure_log_unreadable, True, (AS_IT_IS,)),
    (State.AOS_SENT_UNSURE, unfinished, True, (AS_IT_IS, "do not power-cycle", "run again")),
    (State.DEED_TIME_OVER, deed_time_over, True, ("Leave what is out out", "run again", "restore step")),
    (State.LOCKED, locked, True, (AS_IT_IS, "pid ", " host ")),
    (State.AOS_NEW_OLD_APP, aos_new_old_app, True, ("new AOS", "old app", "Source A is in", "restore step")),
    (State.AOS_NEW_OLD_APP, aos_new_and_nobody_says_the_deed, True, ("new AOS", "Keep source A out", "send the app")),
    (State.AOS_NEW_NO_APP, aos_new_no_app, True, ("Leave every plug as it is", "app_only")),
    (State.AOS_SENT_UNSURE, aos_denied, True, (AS_IT_IS, "do not power-cycle")),
    (State.AOS_OLD_VERSIONS, aos_old_versions, True, ("old versions still answer", "Keep source A out", "run again")),
    (State.AOS_SENT_UNSURE, aos_cut, True, (AS_IT_IS, "do not power-cycle")),
    (State.APP_SENT_SECONDARY_DEAD, app_sent_secondary_dead, True, ("DO NOT RECONNECT source A", "retry")),
    (State.APP_SENT_SECONDARY_DEAD, app_sent_no_load, True, ("CONNECT NO LOAD", "TOUCH NO INPUT")),
    (State.APP_SENT_SECONDARY_BACK, app_sent_secondary_back, True, ("Touch no input plug", "240 s", "Shut the load")),
    (State.SENT_SILENT, silent_after_the_aos, True, ("Leave everything as it is", "do not power-cycle", "run again")),
    (State.SENT_SILENT, silent_after_the_app, True, ("Leave everything as it is", "do not power-cycle", "24 h")),
    (State.DARK, dark_after_the_aos, True, (IF_DARK + "plug source A back in", "If the load is not dark, touch")),
    (State.DARK_UNSETTLED, dark_after_the_app, True, (IF_DARK + "unplug every load", "source A stays out")),
    (State.DARK_SETTLED, dark_settled, True, (IF_DARK + "take the plug of source B out, then plug source A in",)),
    (State.FAILED_STANDS, failed_stands, True, ("Touch no plug and no load", "do not restart", "send the app again")),
    (State.CONTROLLER_LOST_ISOLATED, controller_lost_isolated, True, ("Keep source A out", "recovery playbook")),
    (State.CONTROLLER_LOST_ISOLATED, controller_lost_no_load, True, ("Connect no load", "recovery playbook")),
    (State.CONTROLLER_LOST_LIVE, lost_before_the_run, True, ("Touch no plug", "do not restart the card")),
    (
        State.CONTROLLER_LOST_LIVE, controller_lost_live, True,
        ("Touch no plug", "do not restart the card", "ask the maker first", "recovery playbook", "sends nothing"),
    ),
    (State.RECOVERY_UNDER_WAY, recovery_under_way, True, ("A recovery is under way", "do only what it says")),
    (State.RECOVERY_FAILED_TWICE, recovery_failed_twice, True, ("failed twice", "contact the maker")),
    (State.SETTINGS_DIFFER, settings_differ_verify, False, ("preferred_source", "Correct", "restore step")),
    (State.SETTINGS_DIFFER, settings_differ_restore, True, ("preferred_source", "Correct", "restore step")),
    (State.HARDWARE_FAILED, switch_failed_verify, True, ("everything as it is", "contact the maker")),
    (State.HARDWARE_FAILED, display_failed_restore, True, ("everything as it is", "contact the maker")),
    (State.SETTLED, settled, False, ("Keep source A out until the restore step",)),
    (State.SETTLED, settled_no_load, False, ("Connect no load", "restore step")),
    (State.BACKED_UP, backed_up, False, ()),
    (State.VERIFIED, verified, False, ("restore step",)),
    (State.REDUNDANT, restored, False, ("the permit is closed",)),
    (State.CLOSED_LOADS, restored_loads, False, ("permit is closed", "connect the rest before anybody starts")),
    (State.RESTORE_FAILED, never_reconnected, True, ("Stay on source B", "Check the feed", "restore step again")),
    (State.RESTORE_FAILED, reconnected_out_of_range, True, ("Stay on source B", "Check the feed", "restore step")),
    (State.UNCHANGED, unchanged, False, ("Nothing is to be done", "Leave every plug as it is")),
    (State.UNCHANGED_NOT_REDUNDANT, unchanged_not_redundant, False, ("redundancy is lost", "restore step")),
    (State.WATCH, watching, False, (AS_IT_IS,)),
    (State.READY, ready, False, ("Leave every plug as it is",)),
    (State.ISOLATED, isolated, False, ("Keep source A out", "restore step")),
]  # fmt: skip
IDS = [f"{state.value}-{reach.__name__}" for state, reach, _fails, _words in ENDS]


@pytest.mark.parametrize(("state", "reach", "fails", "words"), ENDS, ids=IDS)
def test_end(
    state: State, reach: Callable[[Path], Reached], fails: bool, words: tuple[str, ...], tmp_path: Path
) -> None:
    case, report = reach(tmp_path)
    action = report["next_action"]
    assert report["state"] == state.value, (report.get("error"), action)
    assert ("error" in report) is fails, report.get("error")
    for word in words:
        assert word in action, action
    assert action in case.bench.lines.lines[-1]
    assert report["evidence"]["path"] or state is State.LOCKED
    # The truth: nothing that was said on the way or at the end would have done harm when it was said.
    assert case.witness.wrong == []  # type: ignore[attr-defined]
    truth = case.device.truth()
    if reach is not controller_lost_live:
        assert not truth["load_dropped"] and not truth["damaged"]
    if state not in ALLOWS_CONNECT:
        assert "may reconnect" not in action and "may connect" not in action
    assert "may disconnect" not in action
    # A permission of this run's is gone with it.
    assert case.bench.unit is None or not case.bench.unit.permit.stands


def test_every_state_is_reached() -> None:
    assert {state for state, *_rest in ENDS} == set(State)


def test_the_words_of_a_dead_controller_say_why(tmp_path: Path) -> None:
    _case, report = controller_lost_isolated(tmp_path)
    assert "failed" in report["error"]["message"] and "recovery" in report["next_action"]


def test_a_gone_primary_is_never_answered_with_a_permission(tmp_path: Path) -> None:
    """Refused for the primary's feed while the secondary is out: the words move nothing that would drop the load."""
    case = begin(tmp_path)
    case.device.patch({"inputs": {"B": {"voltage_v": 190}}})
    case.bench.clock.sleep(20.0)
    report = case.run()
    assert report["state"] in ("nothing_sent", "nothing_sent_unsure")
    assert case.witness.wrong == [] and case.received_nothing()  # type: ignore[attr-defined]


def test_the_locked_run_is_not_the_one_that_ends(tmp_path: Path) -> None:
    case, report = locked(tmp_path)
    assert report["error"]["kind"] == "locked" and case.received_nothing()


@pytest.mark.parametrize("fault", ["told", "close_if_nothing_out"])
@pytest.mark.parametrize("sent", [False, True])
def test_a_fault_in_telling_the_end_leaves_words_that_move_nothing(
    fault: str, sent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = begin(tmp_path)

    def broken(*_given: Any) -> Any:
        raise TypeError("'int' object is not iterable")

    def fail() -> None:
        monkeypatch.setattr(job, fault, broken)
        raise Stop("refused", "somebody else is at the unit")

    on_line(case.bench, "DO NOT RECONNECT" if sent else "measuring", fail)
    report = case.run()
    assert report["error"]["message"] == "somebody else is at the unit"
    assert report["state"] == ("sent_silent" if sent else "nothing_sent_unsure"), case.bench.lines.lines
    assert "Leave every" in report["next_action"] and report["next_action"] in case.bench.lines.lines[-1]


def test_the_floor_of_truth_itself() -> None:
    """The oracle is no rubber stamp: with a download to come, plugging in is not safe."""
    device = Device.load("ap7724")
    bench = Bench(device, package(), None)
    device.patch({"inputs": {"A": {"plugged": False}}})
    bench.clock.sleep(30.0)
    assert device.oracle_plug_ok("A")
    install(bench, "aos", "392")
    bench.clock.sleep(100.0)
    install(bench, "g2ats", "392", "3.0.7")
    assert not device.oracle_plug_ok("A") and not device.oracle_unplug_ok("B")
