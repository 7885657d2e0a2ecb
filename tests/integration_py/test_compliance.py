# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The compliance playbook, run as an operator and as AWX run it, against simulated devices over real protocols.

What counts is what reached the devices and what stands in the report; the words are compared with them.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "utils"))
import rig
from ups_farm import farm

REPO = Path(__file__).resolve().parents[2]
COMPLIANCE = "dcops.apc.ap9624_compliance"
DEVICES = {
    "gap": "smt1500rm2u",
    "fixed": "smt1500rm2u_fixed",
    "srt": "srt3000",
    "id1003": "smx3000rmhv2u_id1003",
    "pdu": "ap8853",
    "switch": "ap7724",
}
STATUS = {
    "gap": "fix_missing",
    "fixed": "fixed",
    "srt": "no_published_fix",
    "id1003": "unknown",
    "pdu": "not_a_ups",
    "switch": "use_guarded_upgrade",
    "silent": "unreachable",
    "stranger": "error",
}
# For units that will not answer; the others are given the time that a busy machine may need.
IMPATIENT = {"ups_ap9624_snmp_timeout": 0.5, "ups_ap9624_snmp_retries": 0}
SECRET = "a-key-that-nobody-may-read"
DIFF = "-UPS 09.1 (ID18)\n+UPS 09.3 or later"


class Fleet(rig.Site):
    """An inventory with the group ``ups``, and a folder for its reports."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder)
        self.reports = folder / "reports"
        self.shared: dict[str, Any] = {
            "ansible_host": "127.0.0.1",
            "compliance_report_dest": str(self.reports),
        }

    def write(self) -> None:
        content = {"all": {"children": {"ups": {"hosts": self.hosts, "vars": self.shared}}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def written(self, suffix: str = "json") -> list[Path]:
        return sorted(self.reports.glob(f"*.{suffix}"), key=lambda path: path.stat().st_mtime_ns)

    def report(self) -> dict[str, Any]:
        """The newest one."""
        found: dict[str, Any] = json.loads(self.written()[-1].read_text(encoding="utf-8"))
        return found

    def statuses(self) -> dict[str, str]:
        return {row["host"]: row["status"] for row in self.report()["units"]}


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, rig.Device]]:
    folder = tmp_path_factory.mktemp("devices")
    made: dict[str, rig.Device] = {}
    try:
        for name, device in DEVICES.items():
            made[name] = rig.Device(folder, name, device=device, speed=1)
        yield made
    finally:
        for device in made.values():
            device.stop()


@pytest.fixture
def fleet(tmp_path: Path, devices: dict[str, rig.Device]) -> Iterator[Fleet]:
    """Every kind of answer; whatever a test did with it, nothing may have reached a device."""
    site = Fleet(tmp_path / "site")
    for name, device in devices.items():
        site.hosts[name] = {"ups_ap9624_snmp_port": device.ready["snmp_port"]}
    # Nothing listens there.
    site.hosts["silent"] = {"ups_ap9624_snmp_port": 9, **IMPATIENT}
    site.hosts["stranger"] = {
        "ups_ap9624_snmp_port": devices["fixed"].ready["snmp_port"],
        "ups_ap9624_snmp_version": "v3",
        "ups_ap9624_snmp_username": "nobody-there",
        "ups_ap9624_snmp_auth_protocol": "sha",
        "ups_ap9624_snmp_auth_key": SECRET,
    }
    site.write()
    yield site
    for device in devices.values():
        assert_only_read(device.truth())


@pytest.fixture
def empty(tmp_path: Path) -> Fleet:
    site = Fleet(tmp_path / "site")
    site.write()
    return site


@pytest.fixture
def plays() -> Iterator[Any]:
    """Starts plays, and ends those that a failing test leaves behind."""
    started: list[rig.Play] = []

    def start(*arguments: Any, **options: Any) -> rig.Play:
        started.append(rig.Play(*arguments, **options))
        return started[-1]

    yield start
    for play in started:
        play.kill()


def assert_only_read(truth: Any) -> None:
    """No SET, taken or refused, no file, no login, no restart."""
    for name in ("writes", "files_received", "transfers", "logins", "restarts", "write_log"):
        assert truth[name] == [], name
    assert truth["bytes_received"] == 0


def recap(play: rig.Play, word: str) -> dict[str, int]:
    """Host -> the number beside the word."""
    return {
        found[1]: int(found[2])
        for line in play.lines
        if (found := re.match(rf"(\S+)\s+: .*?\b{word}=(\d+)", line)) is not None
    }


def flat(play: rig.Play) -> str:
    """Without the line breaks of the output."""
    return " ".join(play.text.split())


def failed(play: rig.Play) -> set[str]:
    return {host for host, number in recap(play, "failed").items() if number}


def without_time(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "reported_at"} for row in report["units"]]


# --- what it does, in every mode --------------------------------------------------------------------------------------
def test_all_modes_report_the_same_and_reach_no_device(fleet: Fleet, plays: Any) -> None:
    """On units with a gap; that nothing was written is asserted by the fixture, after all four runs."""
    reports = {}
    for options in ((), ("--check",), ("--diff",), ("--check", "--diff")):
        play = plays(fleet, COMPLIANCE, *options)
        status = play.wait()
        checked, shown = "--check" in options, "--diff" in options
        assert status == (0 if checked else 2), play.text
        assert failed(play) == (set() if checked else {"gap"})
        assert (DIFF in play.text) == shown
        changed = {host for host, number in recap(play, "changed").items() if number}
        assert changed == ({"gap"} if shown else set())
        reports[options] = fleet.report()
        assert fleet.statuses() == STATUS
        assert "8 units: 1 fix missing, 1 no published fix, 1 unknown, 1 unreachable, 1 error, " in flat(play)
        assert f"report: {fleet.written()[-1]}" in flat(play)
    assert len(fleet.written()) == 4
    for options, report in reports.items():
        assert without_time(report) == without_time(reports[()]), options


def test_the_failure_says_what_is_wrong_and_what_to_do(fleet: Fleet, plays: Any) -> None:
    play = plays(fleet, COMPLIANCE)
    assert play.wait() == 2
    text = flat(play)
    assert "gap: FIX MISSING. UPS 09.1 (ID18) -> UPS 09.3 or later." in text
    assert "WHAT TO DO: nothing was changed. Plan the update of the UPS firmware." in text
    # The report was written before anything failed.
    assert text.index("TASK [Write the report") < text.index("gap: FIX MISSING")


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        ([], set()),
        ("", set()),
        ("no_published_fix,unknown", {"srt", "id1003"}),
        (["unreachable", "error"], {"silent", "stranger"}),
        (["not_a_ups"], {"pdu"}),
        (
            ["fix_missing", "no_published_fix", "unknown", "unreachable", "not_a_ups", "error"],
            {"gap", "srt", "id1003", "silent", "stranger", "pdu"},
        ),
    ],
)
def test_the_policy_decides_who_fails(words: Any, hosts: set[str], fleet: Fleet, plays: Any) -> None:
    """Also in check mode, where it is given. A Rack ATS is none of this policy's business."""
    play = plays(fleet, COMPLIANCE, "--check", "-e", json.dumps({"ups_ap9624_fail_on": words}))
    assert play.wait() == (2 if hosts else 0), play.text
    assert failed(play) == hosts
    assert fleet.statuses() == STATUS
    assert_junit_is_the_policy(fleet, hosts)


def assert_junit_is_the_policy(fleet: Fleet, hosts: set[str]) -> None:
    """Red is exactly who the play failed, and no gap is green."""
    shown = {
        str(case.get("name")): next((child.tag for child in case if child.tag != "system-out"), "passed")
        for case in ET.parse(fleet.written("junit.xml")[-1]).iter("testcase")
    }
    assert {host for host, tag in shown.items() if tag in ("failure", "error")} == hosts
    for host, status in fleet.statuses().items():
        if host not in hosts:
            assert shown[host] == ("passed" if status in ("fixed", "use_guarded_upgrade") else "skipped"), host


def test_each_host_has_its_own_policy(fleet: Fleet, plays: Any) -> None:
    """The first host's one is no one else's, in JUnit neither."""
    fleet.hosts["gap"]["ups_ap9624_fail_on"] = []
    fleet.hosts["srt"]["ups_ap9624_fail_on"] = "no_published_fix"
    fleet.hosts["id1003"]["ups_ap9624_fail_on"] = ["unknown"]
    fleet.hosts["silent"]["ups_ap9624_fail_on"] = ["unreachable"]
    fleet.hosts["switch"]["ups_ap9624_fail_on"] = ["unknown"]
    fleet.write()
    play = plays(fleet, COMPLIANCE)
    assert play.wait() == 2
    assert failed(play) == {"srt", "id1003", "silent"} and fleet.statuses() == STATUS
    assert_junit_is_the_policy(fleet, {"srt", "id1003", "silent"})


def test_another_strategy_in_ansible_cfg_changes_nothing(fleet: Fleet, plays: Any) -> None:
    """With the free one the first host alone would write a report in which all others have no result."""
    settings = fleet.folder / "ansible.cfg"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[defaults]", "[defaults]\nstrategy = free"), encoding="utf-8")
    play = plays(fleet, COMPLIANCE, "--check")
    assert play.wait() == 0, play.text
    assert len(fleet.written()) == 1 and fleet.statuses() == STATUS
    assert_junit_is_the_policy(fleet, set())


def test_a_run_in_which_all_fail_still_says_the_numbers_last(fleet: Fleet, plays: Any) -> None:
    play = plays(fleet, COMPLIANCE, "-l", "silent,localhost", "-e", "ups_ap9624_fail_on=unreachable")
    assert play.wait() == 2
    said = flat(play)
    assert said.index("WHAT TO DO") < said.index("1 unit: 1 unreachable; report: ")


def test_the_inventory_says_whether_an_ap9624_is_fitted(fleet: Fleet, plays: Any) -> None:
    fleet.hosts["gap"]["apc_interface_expander"] = "absent"
    fleet.hosts["srt"]["apc_interface_expander"] = "present"
    fleet.write()
    play = plays(fleet, COMPLIANCE, "-l", "gap,srt")
    assert play.wait() == 0, play.text
    rows = {row["host"]: row for row in fleet.report()["units"]}
    assert rows["gap"]["status"] == "not_affected" and rows["gap"]["ap9624"]["basis"] == "operator"
    assert rows["srt"]["interface_expander"] == "present" and "if an AP9624" not in rows["srt"]["ap9624"]["reason"]


def test_no_secret_is_shown_or_kept(fleet: Fleet, plays: Any) -> None:
    fleet.hosts["gap"]["ups_ap9624_snmp_community"] = SECRET
    fleet.write()
    play = plays(fleet, COMPLIANCE, "-vvv", "-l", "gap,stranger", "-e", "ups_ap9624_fail_on=unreachable,error")
    assert play.wait() == 2
    assert fleet.statuses() == {"gap": "unreachable", "stranger": "error"}
    assert "Keep the finding" in play.text and SECRET not in play.text
    files = list(fleet.reports.iterdir())
    assert len(files) == 4 and not [path for path in files if SECRET in path.read_text(encoding="utf-8")]


def test_the_role_alone(fleet: Fleet, plays: Any) -> None:
    """Without the playbook: judge and policy in one, and the finding for later tasks."""
    book = fleet.folder / "own.yml"
    tasks = [
        {"name": "Judge", "ansible.builtin.include_role": {"name": "dcops.apc.ups_ap9624"}},
        {"name": "Use it", "ansible.builtin.debug": {"msg": "{{ ups_ap9624_finding.ap9624.rule }}"}},
    ]
    play_of = [{"name": "Own", "hosts": "gap:fixed", "gather_facts": False, "tasks": tasks}]
    book.write_text(yaml.safe_dump(play_of, sort_keys=False))
    play = plays(fleet, str(book))
    assert play.wait() == 2
    assert failed(play) == {"gap"} and recap(play, "ok")["fixed"] > recap(play, "ok")["gap"]


# --- many -------------------------------------------------------------------------------------------------------------
def test_two_hundred_units_ten_of_them_silent(empty: Fleet, plays: Any, tmp_path: Path) -> None:
    kinds = ("smt1500rm2u", "smt1500rm2u_fixed", "smx1500rm2u", "srt3000", "smtl1000")
    expected = ("fix_missing", "fixed", "fix_missing", "no_published_fix", "not_affected")
    silent = {f"ups-{number:03}" for number in range(7, 200, 20)}
    entries: list[dict[str, Any]] = []
    for number in range(200):
        entries.append({"name": f"ups-{number:03}", "device": kinds[number % 5], "serial": f"AS{number:010}"})
        if entries[-1]["name"] in silent:
            entries[-1]["faults"] = ["no_answer"]
    assert len(silent) == 10
    with farm(tmp_path / "farm", entries) as units:
        empty.hosts = {name: {"ups_ap9624_snmp_port": port} for name, port in units.ports.items()}
        for name in silent:
            empty.hosts[name] |= IMPATIENT
        empty.write()
        play = plays(empty, COMPLIANCE, "--forks", "20", "-e", "ups_ap9624_fail_on=unreachable")
        # Well under a minute on two idle cores; but other tests run beside this one.
        assert play.wait() == 2
        truth = units.truth()
    assert failed(play) == silent
    report = empty.report()
    assert report["total"] == len(report["units"]) == 200
    counts = Counter(row["status"] for row in report["units"])
    assert counts == {
        "fix_missing": 70,
        "fixed": 40,
        "no_published_fix": 40,
        "not_affected": 40,
        "unreachable": 10,
    }
    assert {row["host"] for row in report["units"] if row["status"] == "unreachable"} == silent
    for number, row in enumerate(report["units"]):
        if row["host"] not in silent:
            # Its own answer, not a neighbour's.
            assert (row["status"], row["serial"]) == (expected[number % 5], f"AS{number:010}")
    assert "200 units: 70 fix missing, 40 no published fix, 10 unreachable, 40 fixed, 40 not affected" in flat(play)
    assert len(truth) == 200
    for name, unit in truth.items():
        assert unit["asked"] > 0, name
        assert_only_read(unit)


# --- hostile texts ----------------------------------------------------------------------------------------------------
def test_device_text_is_never_a_template_nor_markup_nor_a_formula(empty: Fleet, plays: Any, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    texts = [
        "{{ 1/0 }}",
        f"{{{{ lookup('pipe', 'touch {trap}') }}}}",
        "{% for i in range(9) %}{{ i }}{% endfor %}",
        "{{ undefined_name }} {# comment",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        '"><img src=x onerror=alert(1)>',
        "line one\nline two\x1b[31m",
        "!unsafe {{ hostvars }}",
        "x" * 200,
    ]
    entries: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        # The firmware tells the line, or is hostile too.
        firmware = "UPS 09.1 (ID18)" if number % 2 else text
        patch = {"name": text, "ups": {"model": text, "sku": text, "firmware": firmware}}
        entries.append({"name": f"ups-{number}", "device": "smt1500rm2u", "patch": patch})
    with farm(tmp_path / "farm", entries) as units:
        empty.hosts = {name: {"ups_ap9624_snmp_port": port} for name, port in units.ports.items()}
        empty.write()
        play = plays(empty, COMPLIANCE, "--diff", "-v", "-e", json.dumps({"ups_ap9624_fail_on": ["error"]}))
        assert play.wait() == 0, play.text
        for unit in units.truth().values():
            assert_only_read(unit)
    assert not trap.exists()
    rows = {row["host"]: row for row in empty.report()["units"]}
    for number, text in enumerate(texts):
        row = rows[f"ups-{number}"]
        if text.isprintable():
            assert (row["model"], row["sku"]) == (text, text)
        assert row["status"] == ("fix_missing" if number % 2 else "unknown")
    assert "\x1b" not in play.text
    page = empty.written("html")[-1].read_text(encoding="utf-8")
    assert "<script>alert" not in page and "<img" not in page and "&lt;script&gt;alert(1)" in page
    table = list(csv.reader(io.StringIO(empty.written("csv")[-1].read_text(encoding="utf-8-sig"))))
    assert len(table) == len(texts) + 1
    assert not [cell for line in table for cell in line if cell.lstrip().startswith(("=", "+", "-", "@"))]


# --- mistakes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"ups_ap9624_fail_on": ["unreachble"]}, ["ups_ap9624_fail_on", "must be one or more of", "unreachble"]),
        ({"ups_ap9624_fail_on": "fix_missing, unknown"}, ["ups_ap9624_fail_on", "Got no match for"]),
        ({"ups_ap9624_failon": []}, ["Unknown variable ups_ap9624_failon (did you mean ups_ap9624_fail_on?)"]),
        ({"ups_ap9624_snmp_write_community": "private"}, ["Unknown variable ups_ap9624_snmp_write_community"]),
        ({"apc_interface_expander": "yes"}, ["ups_ap9624_interface_expander", "present, absent, unknown"]),
        ({"ups_ap9624_snmp_retries": 99}, ["snmp_retries must be from 0 to 10"]),
    ],
)
def test_a_mistake_in_the_variables_stops_the_run(
    extra: dict[str, Any], words: list[str], fleet: Fleet, plays: Any
) -> None:
    """Also in check mode: otherwise a run that asked nobody would look like one that found nothing."""
    play = plays(fleet, COMPLIANCE, "--check", "-l", "gap,fixed", "-e", json.dumps(extra))
    assert play.wait() == 2
    said = flat(play)
    said = said[said.index("TASK [Stop where no unit could be asked") :]
    assert "None of the 2 units was asked, and no report was written" in said
    assert all(word in said for word in words), said
    assert fleet.written() == []


def test_one_host_with_wrong_variables_does_not_hide_the_others(fleet: Fleet, plays: Any) -> None:
    # First, since that is the one by which Ansible runs what is run once; with --limit before anything is judged, too.
    first = {"no-address": {"ansible_host": "{{ nowhere }}"}, "no-port": {"ups_ap9624_snmp_port": "{{ nowhere }}"}}
    fleet.hosts = first | fleet.hosts
    fleet.hosts["slip"] = {"ups_ap9624_snmp_prot": 161}
    fleet.hosts["too-many"] = {"ups_ap9624_snmp_retries": 99}
    fleet.write()
    play = plays(fleet, COMPLIANCE, "--check", "--limit", "ups")
    assert play.wait() == 2
    wrong = {"no-address": "no_result", "no-port": "error", "slip": "error", "too-many": "error"}
    assert failed(play) == set(wrong)
    assert fleet.statuses() == STATUS | wrong
    assert "12 units: " in flat(play) and "nowhere" in play.text and "ups_ap9624_snmp_prot" in play.text


@pytest.mark.parametrize("policy", [7, "{{ nowhere }}", ["unreachble"]])
def test_a_wrong_policy_of_the_first_host_costs_only_its_own_row(policy: Any, fleet: Fleet, plays: Any) -> None:
    fleet.hosts = {"first": {**fleet.hosts["fixed"], "ups_ap9624_fail_on": policy}} | fleet.hosts
    fleet.write()
    play = plays(fleet, COMPLIANCE, "-l", "ups")
    assert play.wait() == 2
    assert failed(play) == {"first", "gap"} and fleet.statuses() == STATUS | {"first": "error"}
    assert_junit_is_the_policy(fleet, {"first", "gap"})
    # It names the variable, and the numbers still come last.
    said = flat(play)
    assert "first: NOT ASKED" in said and ("fail_on" in said or "nowhere" in said)
    assert said.index("first: NOT ASKED") < said.index("9 units: ")


def test_one_unit_is_said_in_the_singular(fleet: Fleet, plays: Any) -> None:
    play = plays(fleet, COMPLIANCE, "--check", "-l", "fixed,localhost", "-e", "ups_ap9624_snmp_retries=99")
    assert play.wait() == 2
    assert "The one unit was not asked, and no report was written" in flat(play)


def test_nothing_to_look_at_is_a_failure(empty: Fleet, plays: Any) -> None:
    play = plays(empty, COMPLIANCE)
    assert play.wait() == 2
    assert 'No unit matches "ups"' in play.text and "-e ups_ap9624_hosts=..." in play.text
    misspelt = plays(empty, COMPLIANCE, "--check", "-e", "ups_ap9624_hosts=row_7")
    assert misspelt.wait() == 2
    assert 'No unit matches "row_7"' in misspelt.text


def test_a_report_that_cannot_be_written_fails_the_run(fleet: Fleet, plays: Any) -> None:
    fleet.shared["compliance_report_dest"] = "/proc/nowhere"
    fleet.write()
    play = plays(fleet, COMPLIANCE, "--check", "-l", "fixed,srt")
    assert play.wait() == 2
    assert "The report cannot be written to /proc/nowhere" in flat(play)


def test_a_wrong_folder_is_noticed_before_any_unit_is_asked(fleet: Fleet, plays: Any) -> None:
    fleet.shared["compliance_report_dest"] = "/dev/null/reports"
    fleet.write()
    play = plays(fleet, COMPLIANCE, "--check", "-l", "fixed,srt")
    assert play.wait() == 2
    assert "cannot be written to /dev/null/reports: /dev/null is not a folder" in flat(play)
    assert "Judge the UPS" not in play.text


def test_a_misspelled_variable_of_the_report_is_noticed_first(fleet: Fleet, plays: Any) -> None:
    play = plays(fleet, COMPLIANCE, "--check", "-l", "fixed", "-e", "compliance_report_ulr=https://reports.example.net")
    assert play.wait() == 2
    assert "Unknown variable compliance_report_ulr (did you mean compliance_report_url?)" in flat(play)
    assert "Judge the UPS" not in play.text


# --- as AWX runs it ---------------------------------------------------------------------------------------------------
def runner(folder: Path, inventory: str, playbook: str, ident: str, extra: dict[str, Any], *options: str) -> Any:
    """-> the finished process, and the artifacts that AWX would keep of it."""
    for name, content in (("inventory/hosts.yml", inventory), ("env/extravars", json.dumps(extra))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "project").mkdir(exist_ok=True)
    command = [sys.executable, str(rig.BIN / "ansible-runner"), "run", str(folder), "-p", playbook, "--ident", ident]
    done = subprocess.run(
        [*command, *options],
        check=False,
        env=rig.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    for path in (folder / "artifacts" / ident / "job_events").glob("*.json"):
        event = json.loads(path.read_text())
        if event["event"] == "playbook_on_stats":
            return done, event["event_data"]["artifact_data"]
    raise AssertionError(f"no end of the play:\n{done.stdout}\n{done.stderr}")


def test_slices_hand_on_counts_place_and_checksum_only_and_merge(fleet: Fleet, tmp_path: Path) -> None:
    inventory = (fleet.folder / "inventory.yml").read_text()
    halves = {"101": "gap,srt,silent,id1003", "102": "fixed,pdu,switch,stranger"}
    merged: dict[str, Any] = {}
    for job, limit in halves.items():
        # AWX's default is a normal run, and what a slice is to fail on is the template's variable.
        extra = {"awx_job_id": int(job), "ups_ap9624_fail_on": []}
        done, artifacts = runner(tmp_path / job, inventory, COMPLIANCE, f"slice{job}", extra, "--limit", limit)
        assert done.returncode == 0, done.stdout
        (name,) = artifacts
        assert name == f"compliance_reported_{job}"
        assert set(artifacts[name]) == {"counts", "location", "sha256"}
        assert sum(artifacts[name]["counts"].values()) == 4
        assert re.fullmatch(r"[0-9a-f]{64}", artifacts[name]["sha256"])
        # As AWX merges the artifacts of slices: by their topmost names.
        merged |= artifacts
    assert len(merged) == 2
    done, artifacts = runner(
        tmp_path / "merge",
        "localhost ansible_connection=local\n",
        "dcops.apc.compliance_merge",
        "merge",
        merged | {"compliance_report_dest": str(tmp_path / "whole")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (whole,) = [json.loads(path.read_text()) for path in (tmp_path / "whole").glob("*.json")]
    assert {row["host"]: row["status"] for row in whole["units"]} == STATUS


# --- what the role and the playbook are made of -----------------------------------------------------------------------
# Of these only the two *_info modules speak to a device, and they only read; compliance_report writes files and URLs.
ALLOWED = {
    "ansible.builtin.assert",
    "ansible.builtin.debug",
    "ansible.builtin.fail",
    "ansible.builtin.include_role",
    "ansible.builtin.include_tasks",
    "ansible.builtin.set_fact",
    "ansible.builtin.set_stats",
    "dcops.apc.ats_info",
    "dcops.apc.compliance_report",
    "dcops.apc.ups_ap9624_info",
}
KEYWORDS = {
    "name", "when", "vars", "register", "module_defaults", "failed_when", "changed_when", "check_mode", "run_once",
    "no_log", "tags", "loop", "loop_control",
}  # fmt: skip
PLAY_KEYWORDS = {
    "name",
    "hosts",
    "gather_facts",
    "any_errors_fatal",
    "max_fail_percentage",
    "tasks",
    "vars",
    "strategy",
}


class Reader:
    """Follows everything that a playbook takes in, and collects the modules."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.files: set[Path] = set()

    def playbook(self, path: Path) -> None:
        self.files.add(path)
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            if "ansible.builtin.import_playbook" in play:
                assert set(play) <= {"name", "vars", "ansible.builtin.import_playbook"}
                self.playbook(path.parent / play["ansible.builtin.import_playbook"])
                continue
            assert set(play) <= PLAY_KEYWORDS, f"{path.name}: {set(play) - PLAY_KEYWORDS}"
            self.tasks(play["tasks"], path)

    def role(self, name: str, file: str = "main") -> None:
        space, _dot, short = name.rpartition(".")
        assert space == "dcops.apc", name
        folder = REPO / "roles" / short
        assert not (folder / "handlers").exists()
        assert yaml.safe_load((folder / "meta" / "main.yml").read_text())["dependencies"] == []
        self.file(folder / "tasks" / f"{file}.yml")

    def file(self, path: Path) -> None:
        if path not in self.files:
            self.files.add(path)
            self.tasks(yaml.safe_load(path.read_text(encoding="utf-8")), path)

    def tasks(self, tasks: list[dict[str, Any]], path: Path) -> None:
        for task in tasks:
            if "block" in task:
                assert set(task) <= {"name", "block", "rescue", "always", "when", "vars"}
                for part in ("block", "rescue", "always"):
                    self.tasks(task.get(part, []), path)
                continue
            (module,) = set(task) - KEYWORDS
            self.modules.add(module)
            if module == "ansible.builtin.include_tasks":
                assert "{" not in task[module], "which file it is must be known"
                self.file(path.parent / task[module])
            elif module == "ansible.builtin.include_role":
                given = task[module]
                assert set(given) <= {"name", "tasks_from", "rolespec_validate"}
                self.role(given["name"], given.get("tasks_from", "main"))


def test_there_is_no_task_that_can_write_to_a_device() -> None:
    reader = Reader()
    reader.playbook(REPO / "playbooks" / "ap9624_compliance.yml")
    reader.role("dcops.apc.ups_ap9624")
    assert reader.modules <= ALLOWED, reader.modules - ALLOWED
    # It has looked: at all files of the role, and at the one module that asks.
    assert set((REPO / "roles" / "ups_ap9624" / "tasks").glob("*.yml")) <= reader.files
    assert {"dcops.apc.ups_ap9624_info", "dcops.apc.compliance_report"} <= reader.modules


@pytest.mark.parametrize("name", ["ap9624_compliance", "compliance_merge"])
def test_no_play_leaves_its_strategy_to_ansible_cfg(name: str) -> None:
    plays = yaml.safe_load((REPO / "playbooks" / f"{name}.yml").read_text(encoding="utf-8"))
    assert {play["strategy"] for play in plays if "hosts" in play} == {"ansible.builtin.linear"}


def role_file(name: str) -> Any:
    return yaml.safe_load((REPO / "roles" / "ups_ap9624" / name).read_text(encoding="utf-8"))


def test_the_role_knows_its_options_and_hands_all_of_them_on() -> None:
    from ansible_collections.dcops.apc.plugins.module_utils._runs import ups_ap9624_info

    specs = role_file("meta/argument_specs.yml")["argument_specs"]
    options = specs["main"]["options"]
    assert all(entry["options"] == options for entry in specs.values())
    assert {"main", *(path.stem for path in (REPO / "roles/ups_ap9624/tasks").glob("*.yml"))} == set(specs)
    names = {name.removeprefix("ups_ap9624_") for name in options}
    # A reading run has no use for a community that may write; the rest is the role's own business.
    left_out = {"ups", "snmp_write_community"}
    assert names == set(ups_ap9624_info.ARGUMENT_SPEC) - left_out - {"ats_too"} | {"fail_on"}
    handed_on = {
        module: task["module_defaults"][f"dcops.apc.{module}"]
        for task in role_file("tasks/judge.yml")
        for module in ("ups_ap9624_info",)
        if f"dcops.apc.{module}" in task
    }
    assert handed_on == {"ups_ap9624_info": "{{ _ups_ap9624_options }}"}
    # Whatever else the role sets by itself cannot be set from outside.
    assert all(name.startswith("_ups_ap9624_") for name in role_file("vars/main.yml"))
    assert set(role_file("defaults/main.yml")) <= set(options)


def test_what_decides_cannot_be_given(fleet: Fleet, plays: Any) -> None:
    """With -e ups_ap9624_fails=false no gap ever failed a run; and the inventory passed for what was found."""
    results = {"_ups_ap9624_broken", "_ups_ap9624_answer", "ups_ap9624_finding"}
    given = {*results, "_ups_ap9624_fails", "_ups_ap9624_options", "_ups_ap9624_report"}
    play = plays(fleet, COMPLIANCE, "-l", "gap,fixed", "-e", json.dumps({name: {} for name in given}))
    assert play.wait() == 2
    assert f"{', '.join(sorted(given))} cannot be given" in flat(play)
    assert "Judge the UPS" not in play.text and fleet.written() == []

    fleet.shared |= {name: {"status": "fixed", "report": {}} for name in (*results, "compliance_report_result")}
    fleet.write()
    book = fleet.folder / "own.yml"
    roles = (
        ("ups_ap9624", "judge"),
        ("ups_ap9624", "policy"),
        ("compliance_report", "ready"),
        ("compliance_report", "main"),
    )
    tasks = []
    for role, entry in roles:
        tried = {"name": entry, "ansible.builtin.include_role": {"name": f"dcops.apc.{role}", "tasks_from": entry}}
        said = {
            "name": "Go on",
            "ansible.builtin.debug": {"msg": f"{role} {entry}: {{{{ ansible_failed_result.msg }}}}"},
        }
        tasks.append({"name": entry, "block": [tried], "rescue": [said]})
    book.write_text(yaml.safe_dump([{"name": "Own", "hosts": "gap", "gather_facts": False, "tasks": tasks}]))
    play = plays(fleet, str(book))
    assert play.wait() == 0, play.text
    for role, entry in roles:
        refused = ", ".join(sorted(results)) if role == "ups_ap9624" else "compliance_report_result"
        assert f"{role} {entry}: {refused} cannot be given" in flat(play)
    assert "Judge the UPS" not in play.text and fleet.written() == []


def test_the_role_speaks_the_words_of_the_report() -> None:
    from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import gap_words
    from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import GapStatus
    from ansible_collections.dcops.apc.plugins.module_utils._module import KINDS
    from ansible_collections.dcops.apc.plugins.module_utils._report.rows import status_of_error
    from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import NAMES

    words = role_file("meta/argument_specs.yml")["argument_specs"]["main"]["options"]["ups_ap9624_fail_on"]["choices"]
    # The empty text of a survey.
    assert words.pop(0) == ""
    assert set(words) <= set(NAMES)
    mild = {GapStatus.FIXED.value, GapStatus.NOT_AFFECTED.value}
    assert set(words) == {status.value for status in GapStatus} - mild | {
        status_of_error(kind) for kind in ("timeout", "busy", "not_a_ups", "internal")
    }
    assert set(gap_words.WHAT_TO_DO) == {*words, gap_words.NOT_ASKED, gap_words.ATS}
    for kind in KINDS - {"unsupported"}:
        assert gap_words.status_of_error(kind) == status_of_error(kind)


def test_no_jinja_of_the_role_judges_or_words() -> None:
    """What a person acts on is the module's, and so is the exposure of a Rack ATS."""
    for path in (*(REPO / "roles/ups_ap9624/tasks").glob("*.yml"), REPO / "roles/ups_ap9624/vars/main.yml"):
        text = path.read_text(encoding="utf-8")
        for word in ("WHAT TO DO", "truncate", "regex_replace", "unreachable'", "ats_info", "'fix_missing' else"):
            assert word not in text, f"{path.name}: {word}"
