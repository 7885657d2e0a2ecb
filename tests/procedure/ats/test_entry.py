# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entry: which of the five cases applies, and that a healthy fleet is left alone (SAFETY 4, "Entry")."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Witness, install, must_end, package
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileState, Sending
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from apcsim.knobs import Knobs

TASKS = (job.do_ready, job.do_isolate, job.do_upgrade)
DONE = ("unchanged", "settled", "watch")


def upgraded(state_dir: Path | None, knobs: Knobs | None = None, hours: float = 24.0) -> Bench:
    """A unit that somebody upgraded long ago, by other means: both inputs live, loaded, and no evidence of ours."""
    made = Bench(Device.load("ap7724", knobs), package(), state_dir)
    must_end(made, 10 * 86400.0)
    made.device.patch({"load_current_a": 0})
    install(made, "aos", "392")
    made.clock.sleep(600.0)
    install(made, "g2ats", "392", "3.0.7")
    made.clock.sleep(3600.0 * hours)
    made.device.patch({"load_current_a": 8.8})
    made.clock.sleep(30.0)
    assert made.device.truth()["controller"]["revision"] == "3.0.7"
    return made


def nothing_is_touched(made: Bench, report: dict[str, Any], bytes_before: int) -> None:
    said = " ".join(made.lines.lines)
    assert "you may" not in said and "may disconnect" not in said
    assert made.device.truth()["bytes_received"] == bytes_before
    assert report.get("changed") is False
    # An input that is live must not be spoken of as if it were out: the reader would pull it.
    if made.device.truth()["inputs"]["A"]["live"]:
        assert not re.search(r"Keep (source [AB]|the secondary source) disconnected", said), said[-300:]


@pytest.mark.parametrize("task", TASKS)
def test_a_healthy_unit_is_unchanged(task: Any, tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    before = made.device.truth()["bytes_received"]
    report = made.run(task, made.options(confirmations=(), primary=None))
    assert "error" not in report and report["state"] == "unchanged" and report["plan"] == []
    nothing_is_touched(made, report, before)


LOGS = {
    "a begun row that never ended": ["download_begun"],
    "begun and failed long ago, before the newest start": ["download_begun", "download_failed", "restart"],
    "begun, failed, begun": ["download_begun", "download_failed", "download_begun", "restart"],
    "cleared": ["clear"],
    "cleared, one login": ["clear", "login"],
    "display failures of old": ["display_7segment", "display_leds", "restart"],
}


@pytest.mark.parametrize("what", LOGS)
@pytest.mark.parametrize("task", TASKS)
def test_old_rows_do_not_count(task: Any, what: str, tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    for step in LOGS[what]:
        if step == "restart":
            made.device.fault("card_restarts")
            made.clock.sleep(4000.0)
        elif step == "clear":
            made.device.fault("log_cleared")
        elif step == "login":
            made.device.fault("web_login")
        else:
            made.device.log_ats(step)
        made.clock.sleep(400.0)
    before = made.device.truth()["bytes_received"]
    report = made.run(task, made.options(confirmations=(), primary=None))
    assert "error" not in report, report["error"]
    assert report["state"] == "unchanged", report["entry"]
    nothing_is_touched(made, report, before)


@pytest.mark.parametrize(
    "knobs",
    [Knobs(event_layout=layout) for layout in ("bare", "labelled", "joined")]
    + [Knobs(clock_offset_s=-86400.0 * 7000), Knobs(log_rows=25)],
    ids=str,
)
def test_in_every_layout_of_the_log(knobs: Knobs, tmp_path: Path) -> None:
    made = upgraded(tmp_path, knobs)
    report = made.run(job.do_upgrade, made.options(confirmations=(), primary=None))
    assert "error" not in report and report["state"] == "unchanged"


def test_a_fresh_container_has_no_evidence(tmp_path: Path) -> None:
    """The day after an upgrade by this project, with the state folder gone."""
    made = upgraded(tmp_path / "gone")
    again = Bench(made.device, package(), tmp_path / "fresh")
    again.clock = made.clock
    report = again.run(job.do_upgrade, again.options(confirmations=(), primary=None))
    assert "error" not in report and report["state"] == "unchanged"
    nothing_is_touched(again, report, made.device.truth()["bytes_received"])


@pytest.mark.parametrize("minutes", [0.5, 2, 5, 10, 14])
def test_a_watchdog_restart_some_minutes_ago(minutes: float, tmp_path: Path) -> None:
    """Case b: watched until it is quiet; nothing to be sent, nobody to pull anything."""
    made = upgraded(tmp_path)
    made.device.fault("card_restarts", why="watchdog")
    made.clock.sleep(45.0 + 60.0 * minutes)
    before = made.device.truth()["bytes_received"]
    report = made.run(job.do_upgrade, made.options(confirmations=(), primary=None))
    assert "error" not in report, report["error"]
    assert report["entry"]["kind"] == "watch" and report["state"] in DONE
    nothing_is_touched(made, report, before)


def test_a_watched_unit_is_not_told_to_stay_apart(tmp_path: Path) -> None:
    """Load on A, both live, and primary B is only named in the job template: nothing speaks of disconnecting."""
    made = upgraded(tmp_path)
    made.device.patch({"preferred_source": "A"})
    made.clock.sleep(600.0)
    made.device.fault("card_restarts")
    made.clock.sleep(300.0)
    report = made.run(job.do_upgrade, made.options())
    assert "error" not in report
    assert "disconnected" not in report["next_action"] and "Keep source" not in report["next_action"]


def test_the_log_cannot_be_read(tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    made.device.fault("files_unreadable", names=["event.txt"])
    report = made.run(job.do_upgrade, made.options(confirmations=(), primary=None))
    assert report["entry"]["kind"] == "watch" and "error" in report
    assert report["state"] == "nothing_sent_unsure"
    nothing_is_touched(made, report, made.device.truth()["bytes_received"])


def test_the_log_is_readable_after_a_while(tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    made.device.fault("files_unreadable", names=["event.txt"], for_s=300.0)
    report = made.run(job.do_upgrade, made.options(confirmations=(), primary=None))
    assert report["entry"]["kind"] == "watch" and "error" not in report and report["state"] in DONE
    nothing_is_touched(made, report, made.device.truth()["bytes_received"])


def test_case_a_versions_differ(tmp_path: Path) -> None:
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    report = made.run(job.observe_once)
    assert report["entry"]["kind"] == "send"
    assert [entry["file"] for entry in report["plan"]] == ["apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"]


def test_case_a_no_app_answers_although_it_is_named(tmp_path: Path) -> None:
    """A!: both versions are named and nothing answers. Never "unchanged"."""
    made = upgraded(tmp_path, Knobs(app_trouble_shown="letter"))
    made.device.card.app_running = False
    made.device.changed()
    report = made.run(job.do_upgrade, made.options(action_timeout_s=60.0))
    assert report["entry"]["kind"] == "send" and "error" in report


def test_case_a_reports_an_unfinished_run(tmp_path: Path) -> None:
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.clock.sleep(60.0)
    made.device.fault("source_returns", input="A", at_byte=9000, module="app")
    assert "error" in made.run(job.do_upgrade)
    report = made.run(job.observe_once)
    assert report["entry"]["kind"] == "send" and "did not settle" in report["entry"]["reason"]


def test_case_b_a_stor_without_settled(tmp_path: Path) -> None:
    made = upgraded(tmp_path, hours=1.0)
    folder = tmp_path / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    keys = ("addr-192.0.2.200-161", "ats-5A1511T00001", "card-5A1511T00001")
    begun = datetime(2026, 3, 2, 12, 10, tzinfo=timezone.utc)
    left = Evidence(folder, "aaaaaaaaaaaa", keys, {"step": "upgrade"}, begun)
    sending = Sending("apc_hw02_g2ats_392.bin", "app", "3.9.2", state=FileState.UNSURE)
    left.write("sending", begun, event="break", sending=sending.to_record())
    left.close()
    before = made.device.truth()["bytes_received"]
    report = made.run(job.do_upgrade, made.options(confirmations=(), primary=None))
    assert report["entry"]["kind"] == "watch" and "error" not in report and report["state"] in DONE
    nothing_is_touched(made, report, before)
    again = made.run(job.do_upgrade, made.options(confirmations=(), primary=None))
    assert again["entry"]["kind"] == "unchanged"


def test_case_c_communication_lost(tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    made.device.fault("communication_lost")
    made.clock.sleep(60.0)
    for task in TASKS:
        report = made.run(task, made.options())
        assert report["entry"]["kind"] == "controller_lost" and report["error"]["kind"] == "refused"
        assert "recovery" in report["error"]["message"]
        nothing_is_touched(made, report, made.device.truth()["bytes_received"])


def test_case_c_the_unit_of_the_bulletin(tmp_path: Path) -> None:
    made = Bench(Device.load("ap7723"), package(), tmp_path)
    must_end(made)
    report = made.run(job.do_upgrade, made.options())
    assert report["entry"]["kind"] == "controller_lost" and "recovery" in report["error"]["message"]
    assert made.device.truth()["bytes_received"] == 0


def test_case_c_before_case_b(tmp_path: Path) -> None:
    """A lost controller within the first 15 minutes: watching ends, fails, and points to recovery."""
    made = upgraded(tmp_path)
    made.device.fault("controller_dies")
    made.device.fault("card_restarts", after_s=5.0)
    made.clock.sleep(300.0)
    report = made.run(job.do_upgrade, made.options())
    assert "error" in report and "recovery" in report["error"]["message"] + report["next_action"]
    nothing_is_touched(made, report, made.device.truth()["bytes_received"])


@pytest.mark.parametrize("method", [Method.SINGLE_SOURCE, Method.NO_LOAD])
def test_case_d_a_download_failed_since_the_newest_start(method: Method, tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    made.device.log_ats("download_begun")
    made.device.log_ats("download_failed")
    made.clock.sleep(1000.0)
    witness = Witness(made)
    made.electrician()
    what = {Method.SINGLE_SOURCE: "secondary_disconnected", Method.NO_LOAD: "no_load"}[method]
    if method is Method.NO_LOAD:
        made.device.patch({"load_current_a": 0})
    options = made.options(method=method, confirmations=made.confirm(what))
    report = made.run(job.do_upgrade, options)
    assert report["entry"]["kind"] == "resend_app"
    assert [entry["file"] for entry in report["plan"]] == ["apc_hw02_g2ats_392.bin"]
    assert "error" not in report, report["error"]
    assert report["state"] == "settled" and witness.wrong == [] and not made.device.truth()["load_dropped"]


def test_case_e_redundancy_lost_warns_and_points_to_restore(tmp_path: Path) -> None:
    made = upgraded(tmp_path)
    made.device.patch({"inputs": {"A": {"plugged": False}}})
    made.clock.sleep(60.0)
    report = made.run(job.do_upgrade, made.options())
    assert "error" not in report and report["entry"]["kind"] == "unchanged"
    said = " ".join(made.lines.lines) + json.dumps(report)
    assert "redundan" in said.lower(), "redundancy lost is not mentioned"
    assert "restore" in said
    assert "you may" not in " ".join(made.lines.lines)


@pytest.mark.parametrize("task", TASKS)
def test_nothing_sent_after_a_finished_upgrade_without_the_evidence(task: Any, tmp_path: Path) -> None:
    """Right after an upgrade, from another state folder: within 15 minutes only watching, and no false word."""
    made = Bench(Device.load("ap7724"), package(), tmp_path / "one")
    must_end(made)
    made.electrician()
    assert "error" not in made.run(job.do_upgrade)
    again = Bench(made.device, package(), tmp_path / "two")
    again.clock = made.clock
    before = made.device.truth()["bytes_received"]
    report = again.run(task, again.options())
    assert "error" not in report and report["entry"]["kind"] in ("watch", "unchanged")
    assert made.device.truth()["bytes_received"] == before and "you may" not in " ".join(again.lines.lines)
    assert not made.device.truth()["load_dropped"]
