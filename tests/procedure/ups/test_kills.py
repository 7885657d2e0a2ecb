# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that die at every step, and the run after them: never a second start while one may run, never torn evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from virtual_ups import AtRecord, Killed, UpsBench, newest, update_file

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from apcsim.knobs import Knobs


def at_record(kind: str, after: bool = True) -> Callable[[UpsBench, Any, Callable[[], None]], Any]:
    return lambda bench, monkeypatch, act: AtRecord(monkeypatch, kind, act, after)


def at_line(part: str) -> Callable[[UpsBench, Any, Callable[[], None]], Any]:
    return lambda bench, monkeypatch, act: bench.on_line(part, act)


def at_set(bench: UpsBench, monkeypatch: Any, act: Callable[[], None]) -> None:
    """When the card has taken the SET, and its answer is on the way."""
    real = bench.device.snmp_set
    done: list[bool] = []

    def taken(oid: Any, value: Any, who: str = "", may: bool = True) -> str:
        error = real(oid, value, who, may)
        if value == 2 and not done:
            done.append(True)
            act()
        return error

    bench.device.snmp_set = taken  # type: ignore[method-assign]


# where -> how it is met, and what the killed run had begun: "" nothing, "file", "asked" (the start was written down)
STEPS: dict[str, tuple[Callable[..., Any], str]] = {
    "while measuring": (at_line("measuring"), ""),
    "before the file's record": (at_record("file_begin", after=False), ""),
    "after the file's record": (at_record("file_begin"), "file"),
    "in the file": (at_line("file to the card: 50 %"), "file"),
    "after the file": (at_record("file_end"), "file"),
    "before the start's record": (at_record("update_start", after=False), "file"),
    "between the start's record and the SET": (at_record("update_start"), "asked"),
    "the SET is taken": (at_set, "asked"),
    "after the SET": (at_record("start_set"), "asked"),
    "waiting to see it": (at_line("waiting for the update to begin"), "asked"),
    "it is seen": (at_record("update_seen"), "asked"),
    "while following": (at_line("updating for"), "asked"),
    "the result is read": (at_record("update_result"), "asked"),
    "waiting for the UPS": (at_line("the update has ended"), "asked"),
    "before the end is written": (at_record("update_end", after=False), "asked"),
    "after the end is written": (at_record("update_end"), "over"),
}


def start_only_when_idle(bench: UpsBench) -> list[str]:
    """Starts while an update was going on."""
    return [f"at {start['at_s']:.0f} s in {start['phase']}" for start in bench.starts if start["phase"]]


@pytest.mark.parametrize("pause_s", [0.0, 100.0, 3000.0])
@pytest.mark.parametrize("where", STEPS)
def test_killed_then_run_again(where: str, pause_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meet, begun = STEPS[where]
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_answer="late", ups_update_answer_s=8.0))
    bench.device.ftp_rate_bps = 4000.0
    file = update_file(bench.device, "9.3")

    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        meet(bench, patched, kill)
        with pytest.raises(Killed):
            bench.run(file)
    bench.evidence()
    bench.device.sessions.card_down()  # the kernel closes a dead process's connections
    bench.lines.listeners.clear()
    bench.clock.sleep(max(pause_s, 0.1))
    again = bench.run(file)
    assert "error" not in again, again["error"]
    assert again["state"] == ("unchanged" if begun == "over" else "updated_output_off")
    assert newest(bench.device) == (9, 3) and bench.unharmed()
    assert start_only_when_idle(bench) == []
    taken = [row for row in bench.truth()["writes"] if row["value"] == 2 and row["taken"]]
    assert len(taken) == 1
    assert (again["resumed"] is not None) is (begun == "asked")
    assert bench.evidence()
    assert bench.run(file)["state"] == "unchanged"


@pytest.mark.parametrize("where", [where for where in STEPS if "record" not in where and "SET is taken" not in where])
def test_interrupted_says_what_to_do(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meet, begun = STEPS[where]
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_answer="late", ups_update_answer_s=8.0))
    file = update_file(bench.device, "9.3")

    def interrupt() -> None:
        raise Interrupted("signal SIGINT")

    with monkeypatch.context() as patched:
        meet(bench, patched, interrupt)
        report = bench.run(file)
    assert "interrupted by signal SIGINT" in report["error"]["message"]
    state = {"": ("nothing_sent",), "file": ("file_not_started",), "asked": ("start_not_seen", "updating")}
    assert report["state"] in state.get(begun, ("updated_output_off", "updating", "unproved")), report
    assert any(line.startswith("ups-01: WHAT TO DO NOW: ") for line in bench.lines.lines)
    if begun == "asked":
        assert "Do not turn the UPS" in report["next_action"] and "Run again" in report["next_action"]
    assert bench.kinds()[-1] == "end" and bench.truth()["sessions_open"] == 0
    bench.lines.listeners.clear()
    again = bench.run(file)
    assert "error" not in again and newest(bench.device) == (9, 3)
    assert start_only_when_idle(bench) == [] and bench.unharmed()


def kill_at(bench: UpsBench, where: str, monkeypatch: pytest.MonkeyPatch, file: Any) -> None:
    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        STEPS[where][0](bench, patched, kill)
        with pytest.raises(Killed):
            bench.run(file)
    bench.device.sessions.card_down()
    bench.lines.listeners.clear()


ENDINGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "rejected": ("update_rejected", {}, "failed_old_firmware"),
    "stalls": ("update_stalls", {}, "updating"),
    "lost for good": ("update_comm_lost", {}, "comm_lost"),
    "wrong version": ("update_wrong_version", {}, "unproved"),
    "ignored": ("set_ignored", {}, "start_not_seen"),
}


NEXT = [("after the SET", what) for what in ENDINGS] + [("it is seen", what) for what in ENDINGS if what != "ignored"]


@pytest.mark.parametrize("where", ["waiting for the update to begin", "updating for", "waiting for the UPS"])
@pytest.mark.parametrize(
    "fault", [Interrupted("signal SIGTERM"), RuntimeError("a fault of our own")], ids=["end", "fault"]
)
def test_what_was_started_is_never_unchanged(where: str, fault: Exception, tmp_path: Path) -> None:
    """However the run ends: the start is out, and the UPS goes on by itself."""
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_answer="late", ups_update_answer_s=10.0))

    def end() -> None:
        raise fault

    bench.on_line(where, end)
    try:
        report = bench.run(update_file(bench.device, "9.3"))
    except RuntimeError:
        report = bench.report
    assert report["changed"] and len(bench.starts) == 1
    # What runs now was not read, so it is not shown.
    assert "diff" not in report and report["firmware"]["after"] is None


@pytest.mark.parametrize(("where", "what"), NEXT)
def test_the_next_run_finds_what_came_of_it(
    where: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, params, state = ENDINGS[what]
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    bench.device.fault(name, **params)
    kill_at(bench, where, monkeypatch, file)
    again = bench.run(file)
    assert again["state"] == state, again.get("error")
    # Nothing is begun anew unasked: first a person must know the cause. But for what has provably never begun.
    assert len(bench.starts) == (2 if (where, what) == ("after the SET", "ignored") else 1)
    assert start_only_when_idle(bench) == []
    if state in ("failed_old_firmware", "unproved"):
        bench.clock.sleep(3600.0)
        while (third := bench.run(file))["state"] == "failed_old_firmware" and len(bench.starts) == 1:
            assert third["resumed"], "closed by now"
        assert third["state"] == "updated_output_off" and len(bench.starts) == 2, third.get("error")
        assert start_only_when_idle(bench) == []


def test_resumed_and_failed_with_nothing_to_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier update is over: its end must not be told as one that may still be writing."""
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    bench.device.fault("update_rejected")
    kill_at(bench, "while following", monkeypatch, file)
    report = bench.run(None)
    assert report["error"]["kind"] == "state" and report["state"] == "failed_old_firmware"
    again = bench.run(None)
    assert again["error"]["kind"] == "package" and again["state"] == "nothing_sent"


def test_resumed_and_failed_then_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    bench.device.fault("update_rejected")
    kill_at(bench, "while following", monkeypatch, file)
    bench.until_update_ends()
    bench.device.patch({"ups": {"output_on": True}})
    assert bench.run(file)["state"] == "failed_old_firmware"
    report = bench.run(file)
    assert report["error"]["kind"] == "refused" and report["state"] == "nothing_sent"


def test_a_silent_card_after_a_kill_is_no_reason_to_mend_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads "nothing was sent, mend the cause" power-cycles a silent card in the middle of its work."""
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    kill_at(bench, "while following", monkeypatch, file)
    bench.device.fault("no_answer")
    report = bench.run(file)
    assert report["error"]["kind"] == "timeout" and report["state"] == "updating"
    assert "do not restart its card" in report["next_action"]


def test_a_card_that_restarts_while_the_ups_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card has forgotten the update and communicates; the UPS is still at it (flashing needs no card)."""
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_s=900.0, ups_comm_in_update="kept"))
    file = update_file(bench.device, "9.3")
    bench.device.fault("card_restarts", on="update_transferred", after_s=1.0, why="reset")
    report = bench.run(file)
    assert start_only_when_idle(bench) == [] and bench.unharmed()
    assert report["state"] == "updated_output_off", report.get("error")


@pytest.mark.parametrize("pause_s", [60.0, 200.0])
def test_killed_and_the_card_restarts_while_the_ups_writes(
    pause_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_s=900.0, ups_comm_in_update="kept"))
    file = update_file(bench.device, "9.3")
    bench.device.fault("card_restarts", on="update_transferred", after_s=1.0, why="reset")
    kill_at(bench, "while following", monkeypatch, file)
    bench.clock.sleep(560.0 + pause_s)
    report = bench.run(file)
    assert start_only_when_idle(bench) == [] and bench.unharmed()
    assert report["state"] == "updated_output_off", report.get("error")
    assert len(bench.starts) == 1


# --- the disk -------------------------------------------------------------------------------------------------------
def full_disk(monkeypatch: pytest.MonkeyPatch, when: Callable[[str], bool]) -> None:
    real = Evidence.write

    def write(self: Evidence, kind: str, wall: Any, **fields: Any) -> None:
        if when(kind):
            raise Stop("state", f"the evidence {self.path} cannot be written: No space left on device")
        real(self, kind, wall, **fields)

    monkeypatch.setattr(Evidence, "write", write)


@pytest.mark.parametrize("kind", ["run", "confirmation", "file_begin"])
def test_a_full_disk_before_the_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    full_disk(monkeypatch, lambda name: name == kind)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "state" and report["state"] == "nothing_sent" and bench.untouched()


@pytest.mark.parametrize("kind", ["file_end", "update_start"])
def test_a_full_disk_before_the_start(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    full_disk(monkeypatch, lambda name: name == kind)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "state" and report["state"] == "file_not_started"
    assert bench.starts == [] and bench.truth()["sessions_open"] == 0


def test_a_disk_that_fills_up_after_the_start_does_not_stop_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = UpsBench(state_dir=tmp_path)
    full = [False]

    def when(name: str) -> bool:
        was = full[0]
        full[0] = was or name == "update_start"
        return was

    full_disk(monkeypatch, when)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off" and report["evidence"]["lost"]
    monkeypatch.undo()
    # The end could not be written: the next run watches, and finds that it is over.
    again = bench.run(update_file(bench.device, "9.3"))
    assert again["resumed"] and again["state"] == "updated_output_off" and len(bench.starts) == 1


def test_torn_evidence_counts_as_a_start(tmp_path: Path) -> None:
    """A record that broke off may have been the one that matters: watch first, claim nothing."""
    bench = UpsBench(state_dir=tmp_path)
    assert bench.run(None)["error"]["kind"] == "package"
    (path,) = tmp_path.rglob("*.jsonl")
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"t": "2026-03-02T12:00:00.000+00:00", "kind": "update_st')
    before = bench.clock.now()
    report = bench.run(update_file(bench.device, "9.3"))
    assert bench.clock.now() - before > 120.0 and report["resumed"]
    # Nobody knows what was asked for, so nothing is called changed by it.
    assert bench.starts == [] or report["state"] == "updated_output_off"
    assert report["changed"] is (report["state"] == "updated_output_off")
    if "error" in report:
        assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"


def test_a_clock_set_back_hides_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the runs' names, not by the time of the records; and what is closed stays closed."""
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    kill_at(bench, "while following", monkeypatch, file)
    from datetime import timedelta

    real = bench.clock.wall
    monkeypatch.setattr(bench.clock, "wall", lambda: real() - timedelta(days=400))
    first = bench.run(file)
    assert first["resumed"] and first["state"] == "updated_output_off"
    second = bench.run(file)
    assert (second["state"], second["changed"], second["resumed"]) == ("unchanged", False, None)


def test_another_ups_at_the_same_address_inherits_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit was exchanged after a failure; what its predecessor was told is no result of this one."""
    bench = UpsBench(state_dir=tmp_path)
    kill_at(bench, "while following", monkeypatch, update_file(bench.device, "9.3"))
    other = UpsBench(state_dir=tmp_path, serial="AS1512T15777", name="smt1500rm2u_fixed")
    report = other.run(update_file(other.device, "9.3"))
    assert report["changed"] is False and other.starts == [], report
