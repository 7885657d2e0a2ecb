# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of SAFETY 6 is reached by a run, and its words are held against the simulator's truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, install, must_end, on_line, package, situation
from virtual_unit import Bench, Device

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import ALLOWS_CONNECT, State
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


def unsure_without_communication(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("communication_lost")
    return case, case.run()


def unsure_with_a_download(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.log_ats("download_begun")
    return case, case.run(controller_timeout_s=60.0)


def unsure_after_a_gap(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("no_answer", after_s=10.0, for_s=12.0)
    return case, case.run(primary=None, confirmations=())


def unsure_log_unreadable(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("files_unreadable", names=["event.txt"])
    return case, case.run()


def unsure_unfinished(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("transfer_cut", at_byte=4096, module="aos")
    case.run()
    case.device.clear_faults()
    case.bench.clock.sleep(300.0)
    return case, case.run(confirmations=())


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


def silent_after_the_aos(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    case.device.fault("card_does_not_come_back")
    return case, case.run()


def silent_after_the_app(tmp_path: Path) -> Reached:
    case = begin(tmp_path)
    on_line(case.bench, f"sending {APP}", lambda: case.device.fault("card_does_not_come_back"))
    return case, case.run()


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


ENDS: list[tuple[State, Callable[[Path], Reached], bool, tuple[str, ...]]] = [
    # state, how it is reached, whether the run fails, what the person must be told
    (State.NOTHING_SENT, nothing_sent, True, ("Nothing was sent", "you may reconnect source A now")),
    (State.NOTHING_SENT, nothing_sent_no_load, True, ("Nothing was sent", "may connect the loads")),
    (State.NOTHING_SENT, nothing_sent_after_a_transfer, True, ("Nothing was sent",)),
    (State.NOTHING_SENT_UNSURE, unsure_after_a_restart, True, ("Leave every plug and every load as it is",)),
    (State.NOTHING_SENT_UNSURE, unsure_without_communication, True, ("Leave every plug and every load as it is",)),
    (State.NOTHING_SENT_UNSURE, unsure_with_a_download, True, ("Leave every plug and every load as it is",)),
    (State.NOTHING_SENT_UNSURE, unsure_after_a_gap, True, ("Leave every plug and every load as it is",)),
    (State.NOTHING_SENT_UNSURE, unsure_log_unreadable, True, ("Leave every plug and every load as it is",)),
    (State.NOTHING_SENT_UNSURE, unsure_unfinished, True, ("Leave every plug and every load as it is",)),
    (State.LOCKED, locked, True, ("Leave every plug and every load as it is", "pid ", " host ")),
    (State.AOS_NEW_OLD_APP, aos_new_old_app, True, ("new AOS", "old app", "again before the app")),
    (State.AOS_NEW_NO_APP, aos_new_no_app, True, ("Leave every plug and every load as it is", "app_only")),
    (State.AOS_SENT_UNSURE, aos_cut, True, ("Leave every plug and every load as it is", "do not power-cycle")),
    (State.APP_SENT_SECONDARY_DEAD, app_sent_secondary_dead, True, ("DO NOT RECONNECT source A", "shut the load down")),
    (State.APP_SENT_SECONDARY_DEAD, app_sent_no_load, True, ("CONNECT NO LOAD", "TOUCH NO INPUT")),
    (State.APP_SENT_SECONDARY_BACK, app_sent_secondary_back, True, ("Touch no input plug", "240 s", "Shut the load")),
    (State.SENT_SILENT, silent_after_the_aos, True, ("Leave everything as it is", "do not power-cycle", "run again")),
    (State.SENT_SILENT, silent_after_the_app, True, ("Leave everything as it is", "do not power-cycle", "run again")),
    (State.CONTROLLER_LOST_ISOLATED, controller_lost_isolated, True, ("source A disconnected", "recovery playbook")),
    (State.CONTROLLER_LOST_ISOLATED, controller_lost_no_load, True, ("Connect no load", "recovery playbook")),
    (
        State.CONTROLLER_LOST_LIVE, controller_lost_live, True,
        ("Touch no plug", "do not restart the card", "ask the maker first", "5 minutes", "recovery playbook"),
    ),
    (State.SETTINGS_DIFFER, settings_differ_verify, False, ("preferred_source", "Correct", "restore step")),
    (State.SETTINGS_DIFFER, settings_differ_restore, True, ("preferred_source", "Correct", "restore step")),
    (State.HARDWARE_FAILED, switch_failed_verify, True, ("everything as it is", "contact the maker")),
    (State.HARDWARE_FAILED, display_failed_restore, True, ("everything as it is", "contact the maker")),
    (State.SETTLED, settled, False, ("Keep source A disconnected until the restore step",)),
    (State.SETTLED, settled_no_load, False, ("Connect no load", "restore step")),
    (State.BACKED_UP, backed_up, False, ()),
    (State.VERIFIED, verified, False, ("restore step",)),
    (State.REDUNDANT, restored, False, ()),
    (State.REDUNDANT, restored_loads, False, ()),
    (State.RESTORE_FAILED, never_reconnected, True, ("Stay on source B", "Check the feed", "restore step again")),
    (State.RESTORE_FAILED, reconnected_out_of_range, True, ("Stay on source B", "Check the feed", "restore step")),
    (State.UNCHANGED, unchanged, False, ("Nothing is to be done", "Leave every plug as it is")),
    (State.WATCH, watching, False, ("Leave every plug and every load as it is",)),
    (State.READY, ready, False, ("Leave every plug as it is",)),
    (State.ISOLATED, isolated, False, ("Keep source A disconnected",)),
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
    if "lost_live" not in state.value:
        assert not truth["load_dropped"] and not truth["damaged"]
    if state not in ALLOWS_CONNECT:
        assert "may reconnect" not in action and "may connect" not in action
    assert "may disconnect" not in action


def test_every_state_is_reached() -> None:
    assert {state for state, *_rest in ENDS} == set(State)


def test_the_words_of_a_dead_controller_say_why(tmp_path: Path) -> None:
    _case, report = controller_lost_isolated(tmp_path)
    assert "recovery" in report["error"]["message"] and "failed" in report["error"]["message"]


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
