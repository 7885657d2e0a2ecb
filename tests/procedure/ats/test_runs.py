# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that meet, runs that die, runs that may not write, and check mode (SAFETY 7)."""

from __future__ import annotations

import json
import os
import random
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import TASKS, Situation, Witness, exact, failing, must_end, on_line, package, situation
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from apcsim.knobs import Knobs

APP = "apc_hw02_g2ats_392.bin"
AOS = "apc_hw02_aos_392.bin"


class Killed(BaseException):
    """SIGKILL: nothing in the code under test may handle it."""


# --- locks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", list(TASKS))
def test_a_second_run_on_the_same_state_is_refused(task: str, tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    holder = case.bench.make(case.options)
    holder.first_contact()
    holder.begin("upgrade", writing=True)
    try:
        report = case.run(task)
        assert report["error"]["kind"] == "locked" and report["state"] == "locked"
        for word in (str(os.getpid()), socket.gethostname(), holder.run_id):
            assert word in report["error"]["message"] and (word in report["next_action"])
        assert case.received_nothing() and "you may" not in " ".join(case.bench.lines.lines)
    finally:
        holder.close()
    assert "error" not in case.run("readiness" if task == "readiness" else "isolate")


def test_the_lock_is_found_by_any_name_of_the_unit(tmp_path: Path) -> None:
    """By another address it is still the same serial."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    holder = case.bench.make(case.options)
    holder.address = "198.51.100.7"
    holder.first_contact()
    holder.begin("upgrade", writing=True)
    try:
        assert case.run()["error"]["kind"] == "locked" and case.received_nothing()
    finally:
        holder.close()


def test_another_unit_is_not_locked(tmp_path: Path) -> None:
    one, other = situation(Method.SINGLE_SOURCE, tmp_path), situation(
        Method.SINGLE_SOURCE, tmp_path, serial="5A1511T00002", name="ats-rack-05", address="192.0.2.11"
    )  # fmt: skip
    holder = one.bench.make(one.options)
    holder.first_contact()
    holder.begin("upgrade", writing=True)
    unit = other.bench.make(other.options)
    unit.address = "192.0.2.201"
    try:
        unit.first_contact()
        unit.begin("upgrade", writing=True)
    finally:
        unit.close()
        holder.close()


def test_reading_only_is_not_locked_out(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    holder = case.bench.make(case.options)
    holder.first_contact()
    holder.begin("upgrade", writing=True)
    try:
        assert "error" not in case.bench.run(job.observe_once, case.options)
    finally:
        holder.close()


# --- evidence -----------------------------------------------------------------------------------------------


def test_no_place_for_evidence_nothing_sent(tmp_path: Path) -> None:
    file = tmp_path / "state"
    file.write_text("a file where a folder should be")
    case = situation(Method.SINGLE_SOURCE, file)
    report = case.run()
    assert report["error"]["kind"] == "state" and "cannot be written" in report["error"]["message"]
    assert case.received_nothing()


def full_disk(monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
    real = Evidence.write

    def write(self: Evidence, kind: str, wall: Any, **fields: Any) -> None:
        if when(kind, fields):
            raise Stop("state", f"the evidence {self.path} cannot be written: No space left on device")
        real(self, kind, wall, **fields)

    monkeypatch.setattr(Evidence, "write", write)


def event_of(name: str, fields: dict[str, Any]) -> str:
    """ "permit holds", "sending agree", "run": what a record is about."""
    event = fields.get("event")
    what = event.get("what") if isinstance(event, dict) else event
    return f"{name} {what}" if what else name


RECORDS = (
    *("run", "ready", "permit promise", "permit permission", "permit reads_out", "permit deed", "permit holds"),
    *("backup", "verdict", "permit stor", "sending agree"),
)


@pytest.mark.parametrize("record", RECORDS)
def test_a_disk_that_is_full_before_the_first_byte(
    record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    full_disk(monkeypatch, lambda name, fields: event_of(name, fields) == record)
    report = case.run()
    assert "No space left" in report["error"]["message"] and case.received_nothing()
    if record == "permit permission":
        # What cannot be written is not allowed.
        assert not any("PULL ITS PLUG NOW" in line for line in case.bench.lines.lines)


def of_the_app(name: str, fields: dict[str, Any]) -> bool:
    return name == "sending" and fields["event"] == "agree" and fields["sending"]["file"] == APP


@pytest.mark.parametrize("record", ["permit stor", "sending agree"])
def test_a_disk_that_is_full_before_the_second_file(
    record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "Cannot be written -> nothing is sent" holds for each file: a later run would not know that the app began."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    full_disk(monkeypatch, lambda name, fields: event_of(name, fields) == record and APP in json.dumps(fields))
    report = case.run()
    assert "error" in report
    assert any(entry["name"] == AOS for entry in case.device.truth()["transfers"])
    assert not any(entry["name"] == APP for entry in case.device.truth()["transfers"])


def test_a_disk_that_fills_up_before_the_last_block_holds_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record, verdict, send: the app's last block leaves only behind its record."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    state = {"begun": False}

    def when(name: str, fields: dict[str, Any]) -> bool:
        full = state["begun"]
        state["begun"] = full or of_the_app(name, fields)
        return full

    full_disk(monkeypatch, when)
    report = case.run()
    truth = case.device.truth()
    assert report["error"]["kind"] == "refused" and "before its last block" in report["error"]["message"]
    assert truth["card"]["app"] != "3.9.2" and not truth["load_dropped"] and not truth["damaged"]
    assert report["evidence"].get("lost")


def test_a_disk_that_fills_up_while_sending_does_not_stop_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    state = {"sent": False}

    def when(name: str, fields: dict[str, Any]) -> bool:
        full = state["sent"]
        state["sent"] = full or name == "last_block"
        return full

    full_disk(monkeypatch, when)
    report = case.run()
    truth = case.device.truth()
    assert truth["controller"]["revision"] == "3.0.7" and not truth["load_dropped"]
    assert "settled" in case.bench.lines and report["evidence"].get("lost")


def test_the_evidence_tells_the_story(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    report = case.run(change_reference="CHG-4711")
    records = [json.loads(line) for line in Path(report["evidence"]["path"]).read_text().splitlines()]
    kinds = [record["kind"] for record in records]
    story = ("run", "ready", "permit", "backup", "verdict", "sending", "last_block", "restarted", "settled", "end")
    for kind in story:
        assert kind in kinds, kind
    told = [event_of(record["kind"], record) for record in records]
    events = [text.split()[1] for text in told if text.startswith("permit ")]
    assert [event for event in events if event != "noted"] == [
        *("promise", "permission", "reads_out", "deed", "holds"),
        *("stor", "file_over", "stor", "settled"),
    ]
    files = [f"{record['event']} {record['sending']['kind']}" for record in records if record["kind"] == "sending"]
    assert files == ["agree aos", "end aos", "proved aos", "agree app", "end app", "proved app"]
    assert told.index("permit holds") < kinds.index("backup") < kinds.index("verdict") < told.index("sending agree")
    assert "CHG-4711" in json.dumps(records)
    assert kinds.count("verdict") == 2
    assert all(record["checks"] for record in records if record["kind"] == "verdict")
    numbers = [record["n"] for record in records]
    assert numbers == sorted(set(numbers)) and all(record["digest"] for record in records)
    newest = [record["permit"] for record in records if record["kind"] == "permit"][-1]
    assert newest == report["permit"] and newest["state"] == "settled"


# --- check mode ---------------------------------------------------------------------------------------------


def test_check_mode_before_isolation(tmp_path: Path) -> None:
    """Both sources live is no failure there: it is pending."""
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    made.clock.sleep(20.0)
    report = made.run(job.check_only)
    assert "error" not in report, report["error"]
    assert [entry["kind"] for entry in report["plan"]] == ["aos", "app"]
    pending = {check["id"] for check in report["interlock"]["checks"] if not check["ok"] and check["pending"]}
    # The hand, the word, and the four minutes of watching are still to come.
    awaited = {"secondary_dead", "redundancy_lost", "disconnected_confirmed", "controller_quiet"}
    assert pending == awaited == failing(report)
    truth = made.device.truth()
    assert truth["bytes_received"] == 0 and truth["transfers"] == [] and truth["writes"] == []
    assert "you may disconnect" not in made.lines and not list(tmp_path.rglob("*.jsonl"))


def test_check_mode_names_what_blocks(tmp_path: Path) -> None:
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    made.clock.sleep(20.0)
    report = made.run(job.check_only, made.options(primary=Source.A))
    assert report["error"]["kind"] == "refused" and "primary_selected" in report["error"]["message"]
    blocking = {check["id"] for check in report["interlock"]["checks"] if not check["ok"] and not check["pending"]}
    assert "primary_selected" in blocking and made.device.truth()["bytes_received"] == 0


@pytest.mark.parametrize("method", list(Method))
def test_check_mode_sends_nothing_where_all_is_permitted(method: Method, tmp_path: Path) -> None:
    case = situation(method, tmp_path)
    report = case.bench.run(job.check_only, case.options)
    assert "error" not in report, report["error"]
    assert case.received_nothing() and report["plan"]


def test_check_mode_of_an_unchanged_unit(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    assert "error" not in case.run()
    case.bench.clock.sleep(1000.0)
    sent = case.device.truth()["bytes_received"]
    report = case.bench.run(job.check_only, case.options)
    assert "error" not in report and report["plan"] == [] and report["state"] == "settled"
    assert "restore step" in report["next_action"] and "you may" not in " ".join(case.bench.lines.lines)
    assert case.device.truth()["bytes_received"] == sent


# --- killed -------------------------------------------------------------------------------------------------


def killed_at(case: Situation, moment_s: float) -> bool:
    """Runs until this device second; True if it was killed. What a process leaves behind stays."""
    due = case.bench.clock.now() + moment_s

    def kill(now: float) -> None:
        if now >= due:
            raise Killed

    case.bench.clock.on_sleep.append(kill)
    try:
        case.run()
    except Killed:
        return True
    finally:
        case.bench.clock.on_sleep.remove(kill)
    return False


def ends_right(case: Situation, witness: Witness) -> None:
    """Then run again, as often as a person would: it ends right, and never with a false "unchanged"."""
    for _attempt in range(4):
        case.bench.clock.sleep(240.0)
        truth = case.device.truth()
        if not truth["card"]["app_running"] and truth["card"]["aos"] == "3.9.2":
            given = case.bench.confirm("secondary_disconnected", stamp=exact(case.bench))
            case.options = replace(case.options, method=Method.APP_ONLY, confirmations=given)
        report = case.run()
        truth = case.device.truth()
        if report["state"] == "unchanged" or "error" not in report:
            assert (truth["card"]["aos"], truth["card"]["app"]) == ("3.9.2", "3.9.2"), "a false unchanged"
            assert truth["controller"]["revision"] == "3.0.7" and not truth["controller"]["download_hazard"]
            break
    else:
        raise AssertionError(f"after 4 runs: {report['error']}")
    assert not truth["load_dropped"] and not truth["damaged"] and witness.wrong == []


MOMENTS = (
    *(1, 20, 34, 36, 40, 45, 55, 63, 66, 80, 120, 142, 200, 300, 380, 400, 425, 432, 440, 447, 460),
    *(520, 545, 560, 600, 650, 700, 800, 810),
)


@pytest.mark.parametrize("moment_s", MOMENTS)
def test_killed_in_every_step_then_run_again(moment_s: float, tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    must_end(case.bench, 86400.0)
    witness = Witness(case.bench)
    killed_at(case, float(moment_s))
    ends_right(case, witness)


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_random_on_another_device(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    knobs = Knobs(
        download_delay_s=rng.uniform(0, 180),
        download_s=rng.uniform(20, 90),
        down_s=rng.uniform(40, 200),
        old_app_runs_on_new_aos=rng.random() < 0.5,
        reset_ends_session=rng.random() < 0.5,
        ats_lag_s=rng.choice([0.0, 1.0, 8.0]),
        comm_during_download=rng.choice(["established", "lost", "stale"]),
    )
    case = situation(Method.SINGLE_SOURCE, tmp_path, knobs)
    must_end(case.bench, 86400.0)
    witness = Witness(case.bench)
    for _kill in range(rng.randint(1, 3)):
        killed_at(case, rng.uniform(1, 1200))
        case.bench.clock.sleep(rng.uniform(0, 600))
    ends_right(case, witness)


@pytest.mark.parametrize("seed", range(4))
def test_killed_with_the_state_folder_lost(seed: int, tmp_path: Path) -> None:
    """A fresh container after a kill: no evidence at all, and still never a false "unchanged"."""
    rng = random.Random(1000 + seed)
    case = situation(Method.SINGLE_SOURCE, tmp_path / "one")
    must_end(case.bench, 86400.0)
    witness = Witness(case.bench)
    killed_at(case, rng.uniform(450, 800))
    fresh = Bench(case.device, package(), tmp_path / "two")
    fresh.clock, fresh.lines = case.bench.clock, case.bench.lines
    case.bench = fresh
    ends_right(case, witness)


@pytest.mark.parametrize("moment_s", [5.0, 60.0, 245.0, 300.0, 620.0])
def test_killed_in_the_restore(moment_s: float, tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    must_end(case.bench, 86400.0)
    witness = Witness(case.bench)
    assert "error" not in case.run()
    case.bench.electrician()
    due = case.bench.clock.now() + moment_s

    def kill(now: float) -> None:
        if now >= due:
            raise Killed

    case.bench.clock.on_sleep.append(kill)
    with suppress(Killed):
        case.run("restore")
    case.bench.clock.on_sleep.remove(kill)
    case.bench.clock.sleep(30.0)
    report = case.run("restore")
    assert "error" not in report and report["state"] == "redundant", report.get("error")
    assert case.device.truth()["redundant"] and not case.device.truth()["load_dropped"] and witness.wrong == []


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    assert killed_at(case, 20.0)
    assert case.run().get("error", {}).get("kind") != "locked"


def test_the_backup_of_an_old_attempt_is_no_baseline_for_this_upgrade(tmp_path: Path) -> None:
    """Backup on Monday, preferred source changed as advised, upgrade on Tuesday: the flash changed nothing."""
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made, 7 * 86400.0)
    made.device.patch({"preferred_source": "A"})
    made.clock.sleep(100.0)
    assert made.device.truth()["selected_source"] == "A"
    made.run(job.do_backup, made.options(primary=Source.A))
    made.device.patch({"preferred_source": "B"})
    made.clock.sleep(86400.0)
    made.electrician()
    report = made.run(job.do_upgrade, made.options())
    assert "error" not in report, report["error"]
    verified = made.run(job.do_verify, made.options())
    assert verified.get("differences") == [], "the flash is blamed for what a person set before it"
    restored = made.run(job.do_restore, made.options())
    assert restored["state"] == "redundant", restored.get("error")


def test_the_backup_step_and_the_upgrade_step_share_one_baseline(tmp_path: Path) -> None:
    """Settings lost by the flash are named against the backup that the step before took."""
    case = situation(Method.SINGLE_SOURCE, tmp_path, Knobs(settings_lost_by_flash=True, name_lost_by_flash=True))
    assert "error" not in case.run("backup")
    assert "error" not in case.run()
    report = case.run("verify")
    text = "; ".join(report["differences"])
    for part in ("preferred_source was B, is A", "sensitivity was high, is low", "name was ats-rack-04, is ATS"):
        assert part in text, text


def test_without_a_baseline_nothing_is_called_equal(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path / "one")
    assert "error" not in case.run()
    fresh = Bench(case.device, package(), tmp_path / "two")
    fresh.clock = case.bench.clock
    report = fresh.run(job.do_verify, fresh.options())
    assert report["baseline"] is False and report["differences"] == []


def test_a_killed_runs_line_acts_on_nothing(tmp_path: Path) -> None:
    """Killed while waiting for the electrician: the next run measures anew before it allows anything."""
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    made.clock.sleep(20.0)
    witness = Witness(made)

    def die() -> None:
        raise Killed

    on_line(made, "you may disconnect source A now", die)
    with pytest.raises(Killed):
        made.run(job.do_isolate)
    began = made.clock.now()
    when: list[float] = []
    on_line(made, "you may disconnect source A now", lambda: when.append(made.clock.now()))
    made.electrician()
    assert "error" not in made.run(job.do_isolate)
    assert when[0] - began > 30.0 and witness.wrong == []
