# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dcops.apc.ups_firmware_upgrade as an operator runs it, against simulated UPSs over real protocols.

What counts is the simulator's physical truth; the words are compared with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
import rig

SPEED = 50
UPDATE = "dcops.apc.ups_firmware_upgrade"
OLD, NEW = "UPS 09.1 (ID18)", "UPS 09.3 (ID18)"
UPDATE_OID = "1.3.6.1.4.1.318.1.1.1.6.2.9.0"


class UpsSite(rig.Site):
    """The operator's folder for UPSs: a group of that name, and the playbook's own variables."""

    def add_ups(self, device: rig.Device, **variables: Any) -> None:
        self.hosts[device.name] = {
            "ansible_host": device.ready["host"],
            "ups_firmware_snmp_port": device.ready["snmp_port"],
            "ups_firmware_transfer_port": device.ready["ftp_port"],
        } | variables
        shared = {
            "ups_firmware_username": "apc",
            "ups_firmware_password": "apc",
            "ups_firmware_transfer_protocol": "ftp",
            "ups_firmware_snmp_write_community": "private",
            "ups_firmware_state_dir": str(self.state_dir),
            "ups_firmware_ephemeral_state": True,
        }
        content = {"all": {"children": {"ups": {"hosts": self.hosts, "vars": shared}}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def make_file(folder: Path, series: str = "SMT", number: int = 18, version: str = "9.3") -> Path:
    command = [sys.executable, "-m", "apcsim", "upsfw", "--dest", str(folder), "--series", series]
    command += ["--id", str(number), "--version", version]
    made = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=rig.environment())
    return Path(made.stdout.split()[-1])


@pytest.fixture
def site(tmp_path: Path) -> UpsSite:
    return UpsSite(tmp_path / "site", tmp_path)


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    return make_file(tmp_path / "firmware")


@contextlib.contextmanager
def ups(folder: Path, *knobs: str) -> Iterator[rig.Device]:
    """Its update takes 18 s of real time, and its output is off."""
    options = [word for knob in ("ups_update_s=900", *knobs) for word in ("--knob", knob)]
    with rig.device(folder / "devices", "ups-01", *options, device="smt1500rm2u", speed=SPEED) as made:
        made.patch(ups={"output_on": False})
        yield made


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[rig.Device]:
    with ups(tmp_path, "ups_comm_in_update=restart") as made:
        yield made


@pytest.fixture
def slow_unit(tmp_path: Path) -> Iterator[rig.Device]:
    """It takes a file of 512 KiB in some 5 s of real time: a kill meets the middle of it on a busy machine too."""
    with ups(tmp_path, "file_rate_bps=2000") as made:
        yield made


@pytest.fixture
def plays() -> Iterator[Callable[..., rig.Play]]:
    started: list[rig.Play] = []

    def start(*arguments: Any, **options: Any) -> rig.Play:
        started.append(rig.Play(*arguments, **options))
        return started[-1]

    yield start
    for play in started:
        play.kill()


def starts(unit: rig.Device) -> int:
    return sum(1 for row in unit.truth()["writes"] if row["oid"] == UPDATE_OID and row["value"] == 2)


def assert_untouched(unit: rig.Device) -> None:
    truth = unit.truth()
    assert truth["write_log"] == [] and truth["sessions_open"] == 0 and truth["bytes_received"] == 0
    assert truth["ups"]["firmware"] == OLD
    assert not truth["load_dropped"] and not truth["ups"]["bricked"]


def assert_updated(unit: rig.Device) -> None:
    truth = unit.truth()
    assert truth["ups"]["firmware"] == NEW and truth["ups"]["comm"] and not truth["ups"]["output_on"]
    assert not truth["load_dropped"] and not truth["ups"]["bricked"] and truth["ups"]["violations"] == []
    assert starts(unit) == 1 and truth["sessions_open"] == 0


def records(site: UpsSite) -> list[dict[str, Any]]:
    """Every line must be whole, whoever was killed."""
    return [json.loads(line) for path in site.evidence() for line in path.read_text(encoding="utf-8").splitlines()]


def test_updated_then_unchanged(site: UpsSite, unit: rig.Device, firmware: Path, plays: Any) -> None:
    site.add_ups(unit, ups_firmware_src=str(firmware))
    play = plays(site, UPDATE, "--diff")
    assert play.wait() == 0, play.text
    assert_updated(unit)
    assert "changed=1 " in play.text and f"-{OLD}" in play.text and f"+{NEW}" in play.text
    assert "(SIMULATED)" in play.text and "Turn it on when those who own the load agree" in play.text
    stored = [entry["name"] for entry in unit.truth()["files_received"]]
    assert stored == [f"upsfw/{firmware.name}"]
    assert records(site)[-1]["state"] == "updated_output_off"

    before = len(unit.truth()["write_log"])
    again = plays(site, UPDATE)
    assert again.wait() == 0, again.text
    assert "changed=0 " in again.text and len(unit.truth()["write_log"]) == before


def test_the_output_is_on(site: UpsSite, unit: rig.Device, firmware: Path, plays: Any) -> None:
    unit.patch(ups={"output_on": True})
    site.add_ups(unit, ups_firmware_src=str(firmware), ups_firmware_confirmations=[unit.confirm("output_may_go_off")])
    play = plays(site, UPDATE)
    assert play.wait() == 2
    assert "the output is on" in play.text and "WHAT TO DO NOW: Nothing was sent" in play.text
    assert_untouched(unit)
    assert unit.truth()["output_on"] and unit.truth()["logins"] == []


def test_after_a_refusal_no_further_unit_is_started(
    site: UpsSite, unit: rig.Device, firmware: Path, plays: Any, tmp_path: Path
) -> None:
    options = ("--serial", "AS1512T15002", "--name", "ups-rack-02", "--address", "192.0.2.102")
    with rig.device(tmp_path / "devices", "ups-02", *options, device="smt1500rm2u", speed=SPEED) as other:
        other.patch(ups={"output_on": False})
        unit.patch(ups={"replace_battery": True})
        site.add_ups(unit, ups_firmware_src=str(firmware))
        site.add_ups(other, ups_firmware_src=str(firmware))
        play = plays(site, UPDATE)
        assert play.wait() == 2
        assert "replace battery yes" in play.text and "Not started: ups-02" in play.text
        assert_untouched(unit)
        assert_untouched(other)


@pytest.mark.parametrize("with_file", [False, True])
def test_check_mode_warns_and_does_not_fail(
    with_file: bool, site: UpsSite, unit: rig.Device, firmware: Path, plays: Any
) -> None:
    site.add_ups(unit, **({"ups_firmware_src": str(firmware)} if with_file else {}))
    play = plays(site, UPDATE, "--check", "--diff")
    assert play.wait() == 0, play.text
    assert ("no file was given" in play.text) is not with_file
    assert f"-{OLD}" in play.text and "+UPS 09.3 or later" in play.text
    assert "Nothing was done (check mode)" in play.text
    assert_untouched(unit)
    assert unit.truth()["logins"] == [] and not site.state_dir.exists()


def test_without_a_file_a_normal_run_fails(site: UpsSite, unit: rig.Device, plays: Any) -> None:
    site.add_ups(unit)
    play = plays(site, UPDATE)
    assert play.wait() == 2
    assert "no file was given" in play.text
    assert_untouched(unit)


# what the run says when it is killed -> may the start have been asked for by then
KILLS = {"measuring": False, "file to the card": False, "starting the update": True, "updating for": True}


@pytest.mark.parametrize("words", KILLS)
def test_all_killed_then_run_again(words: str, site: UpsSite, unit: rig.Device, plays: Any, tmp_path: Path) -> None:
    """The worker and its parent, by SIGKILL; then the same command once more."""
    site.add_ups(unit, ups_firmware_src=str(make_file(tmp_path / "firmware")))
    first = plays(site, UPDATE, terminal=True)
    first.wait_for(words)
    first.kill()
    truth = unit.truth()
    assert not truth["load_dropped"] and not truth["ups"]["bricked"]
    asked = any(record["kind"] == "update_start" for record in records(site))
    assert asked is KILLS[words] or words == "file to the card"

    again = plays(site, UPDATE)
    assert again.wait() == 0, again.text
    assert_updated(unit)
    assert ("watching it first" in again.text) is asked
    ends = [record["outcome"] for record in records(site) if record["kind"] == "update_end"]
    # The line is said before the last reading: the kill may come before the start itself or behind it.
    assert ends == ["updated"] or (words == "starting the update" and ends == ["never begun", "updated"])


def test_a_killed_parent_leaves_a_worker_that_follows_on(
    site: UpsSite, unit: rig.Device, firmware: Path, plays: Any
) -> None:
    site.add_ups(unit, ups_firmware_src=str(firmware))
    first = plays(site, UPDATE, terminal=True)
    first.wait_for("updating for")
    os.kill(first.process.pid, signal.SIGKILL)
    second = plays(site, UPDATE)
    assert second.wait() == 2
    assert "another run holds this unit" in second.text and "Follow the run that holds the unit" in second.text
    for _unused in range(40):
        if not first.processes():
            break
        time.sleep(1)
    third = plays(site, UPDATE)
    assert third.wait() == 0, third.text
    assert_updated(unit)


def test_a_parent_killed_while_the_file_goes_to_the_card(
    site: UpsSite, slow_unit: rig.Device, firmware: Path, plays: Any
) -> None:
    """As when a job of AWX is cancelled: whoever is left alone starts nothing."""
    unit = slow_unit
    site.add_ups(unit, ups_firmware_src=str(firmware))
    first = plays(site, UPDATE, terminal=True)
    first.wait_for("file to the card")
    os.kill(first.process.pid, signal.SIGKILL)
    for _unused in range(60):
        if not first.processes():
            break
        time.sleep(1)
    assert not first.processes() and starts(unit) == 0
    assert records(site)[-1]["state"] in ("file_not_started", "nothing_sent")


def test_ctrl_c_says_what_to_do(site: UpsSite, unit: rig.Device, firmware: Path, plays: Any) -> None:
    site.add_ups(unit, ups_firmware_src=str(firmware))
    first = plays(site, UPDATE, terminal=True)
    first.wait_for("updating for")
    os.kill(first.process.pid, signal.SIGINT)
    assert first.wait() != 0
    for _unused in range(50):
        if "WHAT TO DO NOW" in first.text:
            break
        time.sleep(0.2)
    assert "WHAT TO DO NOW: The UPS may be writing its firmware now. Do not turn the UPS" in first.text, first.text
    assert not unit.truth()["ups"]["bricked"] and starts(unit) == 1
    again = plays(site, UPDATE)
    assert again.wait() == 0, again.text
    assert_updated(unit)


def test_a_misspelled_variable_is_refused(site: UpsSite, unit: rig.Device, firmware: Path, plays: Any) -> None:
    site.add_ups(unit, ups_firmware_src=str(firmware), ups_firmware_chekcsum="0" * 64)
    play = plays(site, UPDATE)
    assert play.wait() == 2
    assert "ups_firmware_chekcsum" in play.text
    assert_untouched(unit)


def test_a_group_without_units_is_an_error(site: UpsSite, unit: rig.Device, plays: Any) -> None:
    site.add_ups(unit)
    play = plays(site, UPDATE, "-e", "ups_firmware_hosts=nowhere")
    assert play.wait() != 0
    assert "Nothing was done" in play.text
    assert_untouched(unit)
