# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the card has forgotten, what only its log knows, and what a word at the end must not claim."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from virtual_ups import AtRecord, Killed, UpsBench, update_file

from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups import follow as ups_follow
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import open_start
from apcsim.knobs import Knobs
from apcsim.ups_files import build_ups_file

SLOW = {"ups_update_s": 900.0, "ups_comm_in_update": "kept"}
LEAVE = "Do not turn the UPS or its output on or off"


def starts_in_an_update(bench: UpsBench) -> list[str]:
    return [start["phase"] for start in bench.starts if start["phase"]]


def killed(bench: UpsBench, kind: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """A run that dies when this record is written; the kernel closes its connections."""

    def kill() -> None:
        raise Killed

    file = update_file(bench.device, "9.3")
    with monkeypatch.context() as patched:
        AtRecord(patched, kind, kill)
        with pytest.raises(Killed):
            bench.run(file, **options)
    bench.device.sessions.card_down()
    return file


def flashing_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[UpsBench, Any]:
    """The run was killed, the card has restarted and shows nothing, and the UPS still writes."""
    bench = UpsBench(state_dir=tmp_path / "state", knobs=Knobs(**SLOW))
    bench.device.fault("card_restarts", on="update_transferred", after_s=1.0, why="reset")
    file = killed(bench, "update_seen", monkeypatch)
    while bench.ups.update.phase != "flashing" or bench.device.truth()["card"]["boots"] < 2:
        bench.clock.sleep(5.0)
    bench.clock.sleep(70.0)
    assert bench.ups.update.phase == "flashing" and bench.ups.update.shown == 1
    return bench, file


# --- no second start ------------------------------------------------------------------------------------------------
def test_another_state_dir_does_not_start_a_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, file = flashing_and_forgotten(tmp_path, monkeypatch)
    bench.store = StateDir(tmp_path / "elsewhere", ephemeral=True)
    report = bench.run(file)
    assert report["error"]["kind"] == "refused" and starts_in_an_update(bench) == []
    bench.clock.sleep(900.0)
    report = bench.run(file)
    assert starts_in_an_update(bench) == [] and report.get("error", {}).get("kind") != "internal"


def test_no_option_shortens_what_silence_proves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, file = flashing_and_forgotten(tmp_path, monkeypatch)
    report = bench.run(file, update_timeout_s=60.0)
    assert (report["state"], len(bench.starts)) == ("updating", 1) and LEAVE in report["next_action"]


def test_another_serial_number_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A UPS that writes its firmware may show any text."""
    bench, file = flashing_and_forgotten(tmp_path, monkeypatch)
    bench.device.fault("override", values={"ups_serial": "123456789012"})
    report = bench.run(file)
    assert report["resumed"] and starts_in_an_update(bench) == [] and len(bench.starts) == 1


def test_check_mode_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, file = flashing_and_forgotten(tmp_path, monkeypatch)
    for expander in ("unknown", "absent"):
        report = bench.run(file, check=True, expander=expander)
        assert report["state"] == "updating" and LEAVE in report["next_action"]


@pytest.mark.parametrize("number", [5, 13, 116], ids=["EIO", "EACCES", "ESTALE"])
def test_evidence_that_cannot_be_listed_is_not_empty(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, file = flashing_and_forgotten(tmp_path, monkeypatch)
    real = os.listdir

    def listdir(path: Any = ".") -> Any:
        if "evidence" in str(path):
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    report = bench.run(file)
    assert report["state"] == "updating" and "cannot be read" in report["error"]["message"]
    assert len(bench.starts) == 1


def test_successful_beside_the_old_firmware_is_no_failure(tmp_path: Path) -> None:
    """The UPS may be changing over: nothing is closed, so the next run watches too."""
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_firmware_lag_s=700.0, ups_comm_in_update="kept"))
    file = update_file(bench.device, "9.3")
    report = bench.run(file, up_timeout_s=40.0)
    assert report["state"] == "unproved" and LEAVE in report["next_action"]
    again = bench.run(file)
    assert again["resumed"] and again["state"] == "updated_output_off" and len(bench.starts) == 1


def test_after_an_hour_successful_beside_the_old_firmware_is_over(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.fault("update_wrong_version")
    file = update_file(bench.device, "9.3")
    assert bench.run(file)["state"] == "unproved"
    bench.clock.sleep(3600.0)
    again = bench.run(file)
    assert again["resumed"] and again["state"] == "failed_old_firmware" and len(bench.starts) == 1
    assert bench.run(file)["state"] == "updated_output_off"


def test_a_failure_is_not_begun_anew_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.fault("update_rejected")
    file = killed(bench, "update_seen", monkeypatch)
    assert bench.run(file)["state"] == "failed_old_firmware" and len(bench.starts) == 1


def test_a_line_torn_behind_the_start_hides_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    file = killed(bench, "update_seen", monkeypatch)
    (path,) = tmp_path.rglob("*.jsonl")
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"t": "2026-')
    found = open_start([{"kind": "update_start", "run": "a", "target": "x"}, {"kind": "damaged", "run": "a"}])
    assert found is not None and found["kind"] == "update_start"
    assert bench.run(file)["state"] == "updated_output_off"


# --- the log --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("when", ["before", "before, beside an old result", "in the file"])
def test_an_update_that_only_the_log_knows(when: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    if when.startswith("before"):
        bench.device.log("ups_transferring")
        bench.ups.update.shown = 4 if "old" in when else 1
    else:
        bench.on_line("file to the card: 100 %", lambda: bench.device.log("ups_transferring"))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "foreign_update" and bench.starts == [] and "0x0176" in report["error"]["message"]
    assert len(bench.truth()["files_received"]) == (0 if when.startswith("before") else 1)
    # Nobody writes down that it has ended well: the row is believed for three hours, of which two are for the clock.
    bench.clock.sleep(3700.0)
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "foreign_update"
    bench.clock.sleep(7200.0)
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"


@pytest.mark.parametrize("step_h", [0, 1])
@pytest.mark.parametrize("finished", [True, False])
def test_it_takes_longer_than_the_card_needs(
    finished: bool, step_h: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card has forgotten it and is up for long enough; the transfer has ended, its clock is set, and it writes."""
    bench = UpsBench(state_dir=tmp_path / "state", knobs=Knobs(**{**SLOW, "ups_update_s": 3200.0}))
    bench.device.fault("card_restarts", on="update_transferred", after_s=1.0, why="reset")
    real = bench.device.log
    bench.device.log = lambda key, **parts: (  # type: ignore[method-assign]
        None if key == "ups_transferred" and not finished else real(key, **parts)
    )
    file = killed(bench, "update_seen", monkeypatch)
    while bench.ups.update.phase != "flashing" or bench.device.truth()["card"]["boots"] < 2:
        bench.clock.sleep(5.0)
    if step_h:
        bench.device.events.set_clock(
            bench.device.now, bench.clock.wall().replace(tzinfo=None) + timedelta(hours=step_h)
        )
    bench.store = StateDir(tmp_path / "elsewhere", ephemeral=True)
    while bench.ups.update.phase == "flashing":
        bench.run(file)
        bench.clock.sleep(60.0)
    assert starts_in_an_update(bench) == []


@pytest.mark.parametrize("limit_s", [60.0, 120.0])
def test_a_short_limit_does_not_keep_it_open_for_ever(
    limit_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, file = flashing_and_forgotten(tmp_path, monkeypatch)
    bench.ups.update._new = None  # nothing comes of it
    assert bench.run(file, update_timeout_s=limit_s)["state"] == "updating"
    bench.clock.sleep(3600.0)
    assert bench.run(file, update_timeout_s=limit_s)["state"] in ("updated_output_off", "failed_old_firmware")


def test_a_log_that_is_not_read_at_the_end_has_no_word(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.log("ups_transferring")
    bench.device.log("ups_transfer_failed")
    bench.on_line("the update has ended", lambda: bench.device.fault("ftp_refused"))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off" and any("no word from it" in note for note in report["notes"])


def test_the_look_at_the_log_loses_no_row(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(**SLOW))
    bench.device.fault("override", values={"1.3.6.1.4.1.318.1.1.1.6.2.9.0": 1})
    file = update_file(bench.device, "9.3")
    assert bench.run(file)["state"] == "start_not_seen"
    bench.device.log("ups_transfer_failed")
    report = bench.run(file)
    assert report["state"] == "unproved" and any("0x0178" in line for line in report["events"])


@pytest.mark.parametrize("readable", [True, False])
def test_a_silent_log_is_asked_again_after_a_disturbance(
    readable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be read again, what it said before proves nothing."""
    bench = UpsBench(state_dir=tmp_path)
    file = killed(bench, "update_start", monkeypatch)
    real, looks = ups_follow._log_is_silent, []

    def look(unit: Any, begun: Any) -> bool:
        found = real(unit, begun)
        looks.append(found)
        if len(looks) == 1:
            bench.device.log("ups_transferring")
            bench.device.fault("override", values={"ups_comm": 2})
            bench.later(200.0, failed)
        return found

    def failed() -> None:
        bench.device.clear_faults()
        if not readable:
            bench.device.fault("ftp_refused")
        bench.device.log("ups_transfer_failed")

    monkeypatch.setattr(ups_follow, "_log_is_silent", look)
    report = bench.run(file)
    assert looks[0] and bench.starts == [] and report["state"] == "failed_old_firmware"


def test_the_object_never_shows_it_and_the_log_does(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(**SLOW))
    bench.device.fault("override", values={"1.3.6.1.4.1.318.1.1.1.6.2.9.0": 1})
    file = update_file(bench.device, "9.3")
    assert bench.run(file)["state"] == "start_not_seen"
    bench.run(file)
    assert starts_in_an_update(bench) == [] and len(bench.starts) == 1


def test_a_failure_in_the_log_is_not_forgotten(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line("the update has ended", lambda: bench.device.log("ups_transfer_failed"))
    file = update_file(bench.device, "9.3")
    assert bench.run(file)["state"] == "unproved"
    bench.lines.listeners.clear()
    again = bench.run(file)
    assert again["state"] == "unproved" and "0178" in again["error"]["message"]
    bench.clock.sleep(3600.0)
    # Nothing more can come of it: said once more, and then the unit is judged as it is.
    assert [bench.run(file)["state"] for _again in range(2)] == ["unproved", "unchanged"]


def test_a_failure_in_the_log_is_seen_by_the_run_that_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    file = killed(bench, "update_seen", monkeypatch)
    bench.until_update_ends()
    bench.device.log("ups_transfer_failed")
    assert bench.run(file)["state"] == "unproved"


def test_a_log_that_does_not_show_us_shows_nobody(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    real = bench.device.log
    bench.device.log = lambda key, **parts: None if key == "ftp_login" else real(key, **parts)  # type: ignore[method-assign]
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "file_not_started" and "cannot be compared" in report["error"]["message"]
    assert bench.starts == []


def store_another(bench: UpsBench) -> None:
    session = bench.device.login("apc", "apc")
    upload = session.store("upsfw/SMT18UPS_09-4.enc")
    upload.write(build_ups_file("SMT", 18, "9.4"))
    upload.finish()
    session.close()


def after_the_first_look(bench: UpsBench, act: Callable[[Any], None]) -> None:
    make = bench.make

    def mine(*given: Any) -> Any:
        unit, client = make(*given)
        look = unit.look_for_others
        looks: list[bool] = []

        def looked() -> None:
            look()
            looks.append(True)
            if len(looks) == 1:
                act(unit)

        unit.look_for_others = looked  # type: ignore[method-assign]
        return unit, client

    bench.make = mine  # type: ignore[method-assign]


@pytest.mark.parametrize("disturbed", [False, True])
def test_a_wait_behind_the_look_is_followed_by_another_look(disturbed: bool, tmp_path: Path) -> None:
    """Some lost answers make the window begin anew, and somebody else may send a file meanwhile."""
    bench = UpsBench(state_dir=tmp_path)

    def wait(_unit: Any) -> None:
        bench.device.fault("no_answer", for_s=8.0)
        if disturbed:
            bench.later(15.0, lambda: store_another(bench))

    after_the_first_look(bench, wait)
    report = bench.run(update_file(bench.device, "9.3"))
    assert len(bench.truth()["logins"]) >= 3
    if disturbed:
        assert bench.starts == [] and "somebody else sent SMT18UPS_09-4.enc" in report["error"]["message"]
    else:
        assert report["state"] == "updated_output_off", report.get("error")


def test_an_update_that_came_and_went_meanwhile(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)

    def both() -> None:
        bench.device.log("ups_transferring")
        bench.device.log("ups_transfer_failed")

    bench.on_line("file to the card: 100 %", both)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "foreign_update" and bench.starts == []
    assert "not this run's" in report["error"]["message"]


def test_a_worker_left_alone_behind_the_look_starts_nothing(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    after_the_first_look(bench, lambda unit: setattr(unit, "_orphaned", lambda: True))
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "file_not_started" and bench.starts == []


# --- nobody is there any more, and nothing is fresh any more --------------------------------------------------------
@pytest.mark.parametrize("when", ["file to the card: 50 %", "file to the card: 100 %"])
def test_a_worker_left_alone_in_the_file_starts_nothing(when: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.ftp_rate_bps = 4000.0
    make = bench.make
    gone: list[bool] = []

    def orphaned(*given: Any) -> Any:
        unit, client = make(*given)
        unit._orphaned = lambda: bool(gone)
        bench.on_line(when, lambda: gone.append(True))
        return unit, client

    bench.make = orphaned  # type: ignore[method-assign]
    report = bench.run(update_file(bench.device, "9.3"))
    assert bench.starts == [] and report["state"] == "file_not_started"


def test_a_terminal_that_blocks_makes_the_verdict_old(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)

    def slow() -> None:
        bench.device.patch({"ups": {"input_voltage_v": 0}})
        bench.clock.sleep(30.0)

    bench.on_line("starting the update", slow)
    report = bench.run(update_file(bench.device, "9.3"))
    assert bench.starts == [] and bench.unharmed() and report["error"]["kind"] == "refused"


# --- the last words -------------------------------------------------------------------------------------------------
def patch(**ups: Any) -> Callable[[UpsBench], None]:
    return lambda bench: bench.device.patch({"ups": ups})


def status(number: int) -> Callable[[UpsBench], None]:
    return lambda bench: bench.device.fault("override", values={"ups_status": number})


AFTER = {
    "no mains": patch(input_voltage_v=0),
    "bypass": patch(bypass=True),
    "replace battery": patch(replace_battery=True),
    "shutdown pending": patch(shutdown_pending=True),
    "low battery": patch(battery_percent=3),
    **{f"output status {number}": status(number) for number in (3, 5, 8, 10, 11, 99)},
}


@pytest.mark.parametrize("what", AFTER)
def test_a_ups_that_is_not_in_order_is_left_alone(what: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line("the update has ended", lambda: AFTER[what](bench))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_not_normal" and report["error"]["kind"] == "state" and report["changed"]
    assert LEAVE in report["next_action"] and "Turn it on" not in report["next_action"]
    bench.lines.listeners.clear()
    assert bench.run(update_file(bench.device, "9.3")).get("state") == "unchanged"


def test_it_may_test_itself_for_a_while(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)

    def test_itself() -> None:
        bench.device.patch({"ups": {"self_test": True}})
        bench.later(90.0, lambda: bench.device.patch({"ups": {"self_test": False}}))

    bench.on_line("the update has ended", test_itself)
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"


def test_a_picture_that_stands_still_proves_nothing(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line("the update has ended", lambda: bench.device.fault("frozen", oids=["uptime"]))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "unproved" and report["changed"] and "diff" not in report


def test_an_earlier_update_without_the_fix_is_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)

    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        AtRecord(patched, "update_seen", kill)
        with pytest.raises(Killed):
            bench.run(update_file(bench.device, "9.2"), wanted=Version.parse("9.2"))
    bench.device.sessions.card_down()
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["resumed"] and report["firmware"]["after"] == "UPS 09.3 (ID18)", report.get("error")
    assert [start["phase"] for start in bench.starts] == ["", ""]


@pytest.mark.parametrize("check", [True, False])
def test_old_values_are_no_reason_to_be_content(check: bool, tmp_path: Path) -> None:
    bench = UpsBench("smt1500rm2u_fixed", state_dir=tmp_path)
    bench.ups.brick("a bad update")
    bench.ups.settle()
    bench.clock.sleep(5.0)
    report = bench.run(None, check=check, wanted=Version.parse("9.3"))
    assert report["state"] == ("no_target" if check else "nothing_sent")
    assert "may be old" in " ".join([*report["notes"], report.get("error", {}).get("message", "")])


def test_it_is_not_said_that_the_old_firmware_runs(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line("file to the card: 100 %", lambda: bench.device.patch({"ups": {"firmware": "UPS 09.2 (ID18)"}}))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "file_not_started" and "old firmware" not in report["next_action"]
