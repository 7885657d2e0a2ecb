# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role and the merging playbook under ansible-playbook, and their page in the browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from selenium.webdriver.common.by import By

BIN = Path(sys.executable).parent
# The caller's own Ansible settings must not decide what happens here.
DROPPED = ("ANSIBLE_", "APC_", "PYTHONPATH")


class Site:
    """A folder with an inventory and a play, in which the findings come from files, as untrusted as from devices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pwned = folder / "pwned"
        template = f"{{{{ lookup('ansible.builtin.pipe', 'touch {self.pwned}') }}}}"
        self.names = ["{{ 1/0 }}", template, "{% for x in y %}", "<script>alert(1)</script>", "=1+1"]
        self.hosts = [f"ups-{number}" for number in range(len(self.names))]
        for host, name in zip(self.hosts, self.names, strict=True):
            (folder / f"{host}.json").write_text(json.dumps(self.finding(host, name)), encoding="utf-8")
        inventory = {"all": {"hosts": dict.fromkeys([*self.hosts, "ups-lost"], None)}}
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        keep = "{{ lookup('ansible.builtin.file', inventory_hostname ~ '.json') | from_json }}"
        tasks = [
            {"ansible.builtin.set_fact": {"ups_ap9624_finding": keep}, "when": "inventory_hostname != 'ups-lost'"},
            {"ansible.builtin.include_role": {"name": "dcops.apc.compliance_report"}},
        ]
        play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
        (folder / "report.yml").write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")

    @staticmethod
    def finding(host: str, name: str) -> dict[str, Any]:
        judged = {"status": "fix_missing", "current": name, "fixed_in": name, "reason": name, "source": name}
        judged |= {"rule": 8, "basis": "bulletin", "identified_by": "id", "expander": "unknown"}
        judged |= {"advice": [{"id": name, "text": name}]}
        return {"host": host, "ups": {"model": name, "sku": name, "serial": name}, "ap9624": judged}

    def play(self, book: str, *arguments: str, code: int = 0, **variables: Any) -> str:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
        command = [sys.executable, str(BIN / "ansible-playbook"), "-i", "inventory.yml", book, *arguments]
        done = subprocess.run(
            [*command, "-e", json.dumps({"compliance_report_dest": str(self.folder / "out"), **variables})],
            cwd=self.folder,
            env=kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_SHOW_CUSTOM_STATS": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout
        assert not self.pwned.exists()
        return done.stdout

    def report(self, pattern: str = "*.json") -> dict[str, Any]:
        (found,) = (self.folder / "out").glob(pattern)
        content: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
        return content


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def artifact(text: str, name: str) -> dict[str, Any]:
    """What AWX would keep: the custom statistics at the end of the output."""
    line = next(line for line in text.splitlines() if "RUN: {" in line)
    kept: dict[str, Any] = json.loads(line.partition("RUN: ")[2])
    assert list(kept) == [name]
    found: dict[str, Any] = kept[name]
    return found


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_device_texts_are_never_templates(site: Site, show: Any, check: tuple[str, ...]) -> None:
    text = site.play("report.yml", *check, awx_job_id=4711, compliance_report_change_reference="CHG1")
    made = site.report()
    assert [row["model"] for row in made["units"]][:5] == site.names
    assert [row["ap9624"]["reason"] for row in made["units"][:5]] == site.names
    assert made["units"][5]["host"] == "ups-lost" and made["units"][5]["status"] == "no_result"
    assert (made["slice"], made["change_reference"]) == ("4711", "CHG1")
    assert "Fix missing 5; No result 1" in text and "ups-lost (no_result)" in text
    assert "changed=0" in text and "changed=1" not in text
    # Counts, location and checksum, and no text of any device.
    kept = artifact(text, "compliance_reported_4711")
    assert set(kept) == {"counts", "location", "sha256"} and kept["counts"] == made["counts"]
    (page,) = (site.folder / "out").glob("*.html")
    shown = show(page.read_bytes()).find_element(By.TAG_NAME, "body").text
    assert all(name in shown for name in site.names)


def test_slices_are_merged_from_artifacts(site: Site) -> None:
    handed_on = {}
    for number, limit in (("1", "ups-0,ups-1"), ("2", "ups-2,ups-lost")):
        text = site.play("report.yml", "--limit", limit, compliance_report_slice=f"{number} of 2")
        handed_on[f"compliance_reported_{number}_of_2"] = artifact(text, f"compliance_reported_{number}_of_2")
    text = site.play("dcops.apc.compliance_merge", **handed_on)
    made = site.report("*_merged.json")
    assert [row["host"] for row in made["units"]] == ["ups-0", "ups-1", "ups-2", "ups-lost"]
    assert [part["slice"] for part in made["merged_from"]] == ["1 of 2", "2 of 2"]
    assert artifact(text, "compliance_reported_slice_merged")["counts"]["fix_missing"] == 3
    # A later job of the workflow gets the artifacts as variables too, and must not take them for misspelled options.
    site.play("report.yml", compliance_report_slice="later", **handed_on)
    # A part that was changed on the way is refused by name.
    wrong = {"location": handed_on["compliance_reported_1_of_2"]["location"], "sha256": "0" * 64}
    text = site.play("dcops.apc.compliance_merge", code=2, compliance_report_merge=[wrong])
    assert "_1-of-2.json is not the report that was meant" in text


def test_a_misspelled_variable_is_refused(site: Site) -> None:
    text = site.play("report.yml", code=2, compliance_report_ulr="https://reports.example.net")
    assert "did you mean compliance_report_url?" in text and not (site.folder / "out").exists()


def test_a_merge_of_nothing_is_refused(site: Site) -> None:
    for nothing in ({}, {"compliance_report_merge": ""}, {"compliance_report_merge": []}):
        text = " ".join(site.play("dcops.apc.compliance_merge", code=2, **nothing).split())
        assert "There is nothing to merge: compliance_report_merge names no report" in text


def test_a_list_typed_as_text_is_merged(site: Site) -> None:
    """As -e and AWX's surveys give it; with a policy of the merge, since the parts hold none."""
    for number, limit in (("1", "ups-0"), ("2", "ups-1")):
        site.play("report.yml", "--limit", limit, compliance_report_basename=f"part-{number}")
    listed = ", ".join(str(site.folder / "out" / f"part-{number}.json") for number in (1, 2))
    red = "no_published_fix, fix_missing"
    for policy, tag in ((None, "failure"), ("", "skipped"), ([], "skipped"), (red, "failure")):
        given = {} if policy is None else {"compliance_report_fail_on": policy}
        site.play(
            "dcops.apc.compliance_merge", compliance_report_merge=listed, compliance_report_basename="all", **given
        )
        assert [row["host"] for row in site.report("all.json")["units"]] == ["ups-0", "ups-1"]
        cases = list(ET.parse(site.folder / "out" / "all.junit.xml").iter("testcase"))
        assert [case[0].tag for case in cases] == [tag, tag], policy
