# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks and the role, run as an operator runs them, against simulated devices over real protocols.

What counts is the simulator's physical truth; the words are compared with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
import rig

SPEED = 50
UPGRADE = "dcops.apc.ats_firmware_upgrade"
PREFLIGHT = "dcops.apc.ats_preflight"
FILES = ["apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rig.make_package(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def site(tmp_path: Path, package: Path) -> rig.Site:
    return rig.Site(tmp_path / "site", package)


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[rig.Device]:
    with rig.device(tmp_path / "devices", "ats-01", speed=SPEED) as made:
        yield made


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


def assert_untouched(unit: rig.Device) -> None:
    truth = unit.truth()
    assert truth["bytes_received"] == 0 and truth["files_received"] == [] and truth["writes"] == []
    assert not truth["load_dropped"] and not truth["damaged"]
    assert truth["sessions_open"] == 0


def assert_upgraded(unit: rig.Device) -> None:
    truth = unit.truth()
    assert not truth["load_dropped"] and not truth["damaged"] and truth["violations"] == []
    assert truth["load_current_a"] == 8.8
    assert (truth["card"]["aos"], truth["card"]["app"]) == ("3.9.2", "3.9.2")
    assert truth["controller"]["revision"] == truth["controller"]["bundled"]
    assert truth["redundant"]
    assert truth["sessions_open"] == 0


def test_upgrade_under_load_then_unchanged(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    electrician = rig.Electrician(unit, site)
    play = plays(site, UPGRADE, follow=electrician)
    assert play.wait() == 0, play.text
    assert electrician.done == ["pulled A", "plugged A"]
    assert_upgraded(unit)
    assert [file["name"] for file in unit.truth()["files_received"]] == FILES
    assert "changed=1 " in play.text
    # Factory credentials must not blacken the names, and are pointed at.
    said = "\n".join(line for line in play.lines if not line.startswith(("TASK", "PLAY")))
    assert all(name in said for name in FILES) and "****" not in said
    assert "factory credential" in play.text
    assert str(site.state_dir) in play.text

    received = unit.truth()["bytes_received"]
    again = plays(site, UPGRADE, follow=electrician)
    assert again.wait() == 0, again.text
    assert "changed=0 " in again.text
    assert unit.truth()["bytes_received"] == received
    assert electrician.done == ["pulled A", "plugged A"] and "you may" not in again.text


def test_upgrade_by_scp(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    """The logins that the step leaves in the card's log are its own, and no password went out in clear."""
    known = site.folder / "known_hosts"
    scp = {"protocol": "scp", "port": unit.ready["ssh_port"]}
    variables = {f"ats_upgrade_transfer_{name}": value for name, value in scp.items()}
    site.add(
        unit, **variables, ats_upgrade_ssh_known_hosts=str(known), ats_upgrade_ssh_host_key=unit.ready["ssh_host_key"]
    )
    unit.patch(inputs={"A": {"plugged": False}})
    # It reads dead, and an outage looks the same: the run asks all the same, and somebody has to say it.
    electrician = rig.Electrician(unit, site)
    play = plays(site, site.playbook("upgrade"), follow=electrician)
    assert play.wait() == 0, play.text
    truth = unit.truth()
    assert [file["name"] for file in truth["files_received"]] == FILES
    assert not truth["damaged"] and not truth["load_dropped"] and truth["sessions_open"] == 0
    assert "FTP" not in play.text and not known.exists()
    assert electrician.said and electrician.done == []


def test_without_ssh_ftp_is_taken_only_where_it_is_allowed(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        # Bound and not listening: whoever connects is refused.
        site.add(unit, ats_upgrade_transfer_protocol="auto", ats_upgrade_transfer_port=probe.getsockname()[1])
        run_without_ssh(site, unit, plays)


def run_without_ssh(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    play = plays(site, site.playbook("backup"))
    assert play.wait() == 2
    assert "allow_ftp" in play.text and unit.truth()["logins"] == []


def test_both_inputs_live_are_refused(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    play = plays(site, site.playbook("upgrade", ats_upgrade_isolate_timeout_s=30))
    assert play.wait() == 2
    assert "secondary_dead" in play.text and "state: nothing_sent" in play.text
    assert "WHAT TO DO NOW: Nothing was sent" in play.text
    assert_untouched(unit)


def test_no_confirmation_is_refused_before_anybody_is_asked(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit, confirm=False)
    play = plays(site, site.playbook("isolate", ats_upgrade_isolate_timeout_s=60))
    assert play.wait() == 2
    assert "will_disconnect_secondary" in play.text and "you may" not in play.text
    assert_untouched(unit)


def test_load_on_the_input_to_be_pulled_is_refused_in_readiness(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit, ats_upgrade_primary_source="A")
    play = plays(site, UPGRADE)
    assert play.wait() == 2
    assert "primary_selected" in play.text
    assert "you may disconnect" not in play.text
    assert_untouched(unit)


def test_wrong_plug(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    electrician = rig.Electrician(unit, site, slip="B")
    play = plays(site, site.playbook("isolate"), follow=electrician)
    line = play.wait_for("if you pulled it, put it back")
    assert "source B is dead" in line and "touch nothing until this run says 'you may disconnect' again" in line
    assert "ats-01" in line and "STOP, DO NOT PULL" in play.text
    assert electrician.done == ["pulled B"]
    unit.plug("B", True)
    # The unit goes back to its preferred source, and the permission comes again.
    assert play.wait() == 0, play.text
    assert electrician.done == ["pulled B", "pulled A"]
    assert not unit.truth()["inputs"]["A"]["plugged"]
    assert_untouched(unit)


def test_the_deed_is_typed_at_the_terminal(site: rig.Site, plays: Any, tmp_path: Path) -> None:
    """The whole playbook in a pseudo-terminal of its own: the question stands there, and A and ENTER answer it."""
    with rig.device(tmp_path / "devices", "ats-01", speed=30) as unit:
        site.add(unit)
        # He pulls and plugs, and says nothing to anybody.
        electrician = rig.Electrician(unit)
        play = plays(site, UPGRADE, follow=electrician, typing=True)
        play.wait_for("Measure whether the unit is ready")
        # Typed before the question stands: the answer to some other one.
        play.type("A\n")
        play.wait_for("source A reads dead")
        assert electrician.done == ["pulled A"] and "deed" not in site.events()
        play.type("B\n")
        play.wait_for("asked again: type 'A' and ENTER")
        play.type("A\n")
        assert play.wait() == 0, play.text
        assert "taken: source A is out (terminal)" in play.text
        assert electrician.done == ["pulled A", "plugged A"]
        deeds = [record["event"] for record in site.records() if record["kind"] == "permit"]
        assert [event["by"] for event in deeds if event["what"] == "deed"] == ["terminal"]
        assert site.permit(unit)["permit"]["state"] == "closed"
        assert_upgraded(unit)


def test_killed_parent_then_run_again(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    electrician = rig.Electrician(unit, site)
    first = plays(site, UPGRADE, follow=electrician)
    first.wait_for("sending apc_hw02_aos")
    os.kill(first.process.pid, signal.SIGKILL)

    # The worker outlives its parent and holds the lock: the second run must not touch the unit.
    second = plays(site, UPGRADE)
    assert second.wait() == 2
    assert "locked" in second.text and "pid" in second.text, second.text

    for _unused in range(20):
        third = plays(site, UPGRADE, follow=electrician)
        status = third.wait()
        if "another run holds this unit" not in third.text:
            break
        time.sleep(2)
    assert status == 0, third.text
    if not unit.truth()["redundant"]:
        # The worker had settled long before the third run: that one found nothing to do but to point to the way back.
        assert "WARNING: ats-01 already runs" in third.text and "you may" not in third.text
        last = plays(site, site.playbook("restore"), follow=electrician)
        assert last.wait() == 0, last.text
    assert electrician.done == ["pulled A", "plugged A"]
    assert_upgraded(unit)


def test_all_killed_before_it_settled_then_run_again(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    electrician = rig.Electrician(unit, site)
    first = plays(site, UPGRADE, follow=electrician)
    first.wait_for("app sent, settling")
    assert len(first.processes()) >= 2, "the parent and its worker"
    first.kill()
    assert electrician.done == ["pulled A"]

    again = plays(site, UPGRADE, follow=electrician)
    assert again.wait() == 0, again.text
    assert "you may disconnect" not in again.text
    assert [file["name"] for file in unit.truth()["files_received"]] == FILES
    assert_upgraded(unit)


@pytest.fixture
def slow_unit(tmp_path: Path) -> Iterator[rig.Device]:
    """It takes a file in some 5 s of real time: a kill meets the middle of it on a busy machine too."""
    with rig.device(tmp_path / "devices", "ats-01", "--knob", "file_rate_bps=200", speed=SPEED) as made:
        yield made


@pytest.mark.parametrize("words", ["source A still live", "sending aos 3.9.2", "sending app 3.9.2"])
def test_all_killed_at_once_then_run_again(words: str, site: rig.Site, slow_unit: rig.Device, plays: Any) -> None:
    """The worker and its parent, by SIGKILL: while a person is asked, and in the middle of either file."""
    unit = slow_unit
    site.add(unit, ats_upgrade_method="single_source")
    electrician = rig.Electrician(unit, site)
    first = plays(site, UPGRADE, **({"follow": electrician} if "sending" in words else {}))
    first.wait_for(words)
    first.kill()
    expected = {"aos": FILES[:1], "app": FILES[1:]}.get(words[8:11], [])
    end = time.monotonic() + 10
    while True:
        truth = unit.truth()
        cut = [file["name"] for file in truth["files_received"] if not file["complete"]]
        # On a busy machine the card hears of the reset a moment later.
        if cut == expected or time.monotonic() > end:
            break
        time.sleep(0.05)
    assert not truth["load_dropped"] and not truth["damaged"]
    # A process that dies must not look like the end of the file to the card: what it got of it is thrown away.
    assert cut == expected
    assert truth["card"]["app"] == "3.7.1" and truth["card"]["aos"] == ("3.9.2" if "app" in words else "3.7.4")

    again = plays(site, UPGRADE, follow=electrician)
    assert again.wait() == 0, again.text
    assert_upgraded(unit)


@pytest.mark.parametrize("words", ["source A still live", "app sent, settling"])
def test_ctrl_c_leaves_an_instruction(words: str, site: rig.Site, unit: rig.Device, plays: Any) -> None:
    """A permission must not stand after the run that gave it, and the last line says what to do."""
    site.add(unit)
    electrician = rig.Electrician(unit, site)
    play = plays(site, UPGRADE, **({"follow": electrician} if "settling" in words else {}))
    play.wait_for(words)
    os.kill(play.process.pid, signal.SIGINT)
    assert play.wait() != 0
    for _unused in range(50):
        if "WHAT TO DO NOW" in play.text:
            break
        time.sleep(0.2)
    assert "WHAT TO DO NOW" in play.text, play.text
    kinds = [record["kind"] for record in site.records()]
    if "live" in words:
        assert "its permission is withdrawn" in play.text and "withdraw" in site.events()
        assert_untouched(unit)
    else:
        assert "DO NOT RECONNECT" in play.text.rsplit("WHAT TO DO NOW", 1)[1]
    assert "end" in kinds


def test_a_play_of_the_whole_role_does_not_take_a_step_for_all(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    """The variable is the playbook's: who asks for the restore step must not get all of them."""
    site.add(unit)
    play = plays(site, site.playbook("main"), "-e", "ats_upgrade_only=restore")
    assert play.wait() == 2
    assert "ats_upgrade_only is a variable of the playbook" in " ".join(play.text.split()), play.text
    assert_untouched(unit)
    assert site.records() == []


def test_second_run_is_locked_and_names_the_first(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    first = plays(site, site.playbook("isolate"))
    first.wait_for("you may disconnect")
    second = plays(site, UPGRADE)
    assert second.wait() == 2
    owner = json.loads(next((site.state_dir / "locks").glob("ats-*.lock")).read_text())
    assert f"pid {owner['pid']}" in second.text and owner["run"] in second.text
    assert "state: locked" in second.text
    assert "you may" not in second.text
    first.kill()
    assert_untouched(unit)


def test_check_mode_sends_nothing_and_predicts(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    play = plays(site, UPGRADE, "--check")
    assert play.wait() == 0, play.text
    assert "changed=1 " in play.text
    assert "you may" not in play.text
    assert_untouched(unit)
    assert unit.truth()["inputs"]["A"]["live"] and unit.truth()["inputs"]["B"]["live"]


def test_a_healthy_unit_that_restarted_lately_is_only_watched(
    site: rig.Site, unit: rig.Device, plays: Any, tmp_path: Path
) -> None:
    """No evidence, a restart by the card's own watchdog, the wanted firmware: nobody is to touch anything."""
    site.package = rig.make_package(tmp_path / "same", aos="374", app="g2ats:371")
    site.add(unit)
    unit.fault("card_restarts", why="watchdog")
    play = plays(site, UPGRADE, follow=rig.Electrician(unit, site))
    assert play.wait() == 0, play.text
    assert "changed=0 " in play.text
    assert "you may" not in play.text
    assert_untouched(unit)


def test_wrong_password(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit, ats_upgrade_password="not-the-password")
    play = plays(site, UPGRADE)
    assert play.wait() == 2
    assert "kind: auth" in play.text
    assert "not-the-password" not in play.text
    assert_untouched(unit)


def test_crossed_ports_are_refused(site: rig.Site, unit: rig.Device, plays: Any, tmp_path: Path) -> None:
    """SNMP of one unit and FTP of its twin, as two port forwards crossed."""
    twin_options = ("--serial", "5A1511T00002", "--name", "ats-rack-05", "--address", "192.0.2.11")
    with rig.device(tmp_path / "devices", "ats-02", *twin_options, speed=SPEED) as twin:
        site.add(unit, ftp_of=twin)
        play = plays(site, UPGRADE, follow=rig.Electrician(unit, site))
        assert play.wait() == 2
        assert "identity" in play.text
        assert "you may disconnect" not in play.text
        assert_untouched(unit)
        assert_untouched(twin)


def test_after_a_failed_unit_the_rest_is_not_started(
    site: rig.Site, unit: rig.Device, plays: Any, tmp_path: Path
) -> None:
    with rig.device(tmp_path / "devices", "ats-02", "--serial", "5A1511T00002", speed=SPEED) as other:
        site.add(unit, ats_upgrade_primary_source="A")
        site.add(other)
        play = plays(site, UPGRADE)
        assert play.wait() == 2
        assert "ats-01 has failed. Not started: ats-02" in play.text
        assert_untouched(unit)
        assert_untouched(other)
        assert other.truth()["logins"] == []


def test_preflight_fails_only_on_blocking_checks(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    ready = plays(site, PREFLIGHT)
    assert ready.wait() == 0, ready.text
    assert "pending   secondary_dead" in ready.text and "BLOCKING" not in ready.text
    assert "SIMULATED" in ready.text

    blocked = plays(site, PREFLIGHT, "-e", "ats_upgrade_primary_source=A")
    assert blocked.wait() == 2
    assert "BLOCKING  primary_selected" in blocked.text
    assert_untouched(unit)


def test_preflight_of_a_silent_unit_fails(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit, ats_upgrade_snmp_retries=0)
    unit.stop()
    play = plays(site, PREFLIGHT)
    assert play.wait() == 2
    assert "unreachable=0" in play.text and "kind: timeout" in play.text


@pytest.mark.parametrize("playbook", [UPGRADE, PREFLIGHT])
def test_nothing_to_do_is_a_failure(site: rig.Site, plays: Any, playbook: str) -> None:
    site.write()
    empty = plays(site, playbook)
    assert empty.wait() == 2
    assert 'No unit matches "ats"' in empty.text
    misspelt = plays(site, playbook, "-e", "ats_upgrade_hosts=row_7")
    assert misspelt.wait() == 2
    assert 'No unit matches "row_7"' in misspelt.text


def test_runner_with_confirmations_as_text(site: rig.Site, unit: rig.Device, tmp_path: Path) -> None:
    """As AWX runs it: a private data directory, no terminal, and a survey's text; the deed is given beforehand."""
    unit.plug("A", False)
    given = [unit.confirm(), unit.confirm(rig.DEED, rig.stamp())]
    site.add(unit, ats_upgrade_confirmations="".join(f"{word['what']} {word['unit']}\n" for word in given))
    private = tmp_path / "runner"
    (private / "inventory").mkdir(parents=True)
    (private / "inventory" / "hosts.yml").write_text((site.folder / "inventory.yml").read_text())
    (private / "env").mkdir()
    (private / "env" / "extravars").write_text(json.dumps({"ats_upgrade_isolate_timeout_s": 300}))
    (private / "project").mkdir()
    step = Path(site.playbook("isolate"))
    (private / "project" / "isolate.yml").write_text(step.read_text())
    runner = [sys.executable, str(rig.BIN / "ansible-runner"), "run", str(private), "-p"]
    for playbook, words in ((PREFLIGHT, "ok        secondary_dead"), ("isolate.yml", "Keep source A out")):
        done = subprocess.run(
            [*runner, playbook],
            check=False,
            env=rig.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert words in done.stdout
    assert_untouched(unit)


# --- what is refused before anything is asked of a unit --------------------------------------------------------------
def flat(play: Any) -> str:
    return " ".join(play.text.split())


@pytest.mark.parametrize("playbook", [UPGRADE, PREFLIGHT])
def test_a_misspelled_variable_is_refused(site: rig.Site, unit: rig.Device, plays: Any, playbook: str) -> None:
    site.add(unit, ats_upgrade_redundancy_peer=["10.0.0.9"])
    play = plays(site, playbook)
    assert play.wait() == 2
    assert "ats_upgrade_redundancy_peer (did you mean ats_upgrade_redundancy_peers?)" in flat(play)
    assert "you may" not in play.text and site.evidence() == []
    assert_untouched(unit)


RESULTS = ("_ats_upgrade_done", "ats_upgrade_observation", "ats_upgrade_result")


@pytest.mark.parametrize(
    ("given", "inventory", "words"),
    [
        # With -e ats_upgrade_until=ready all was green, the secondary out, and restore never ran.
        (("ats_upgrade_step", "ats_upgrade_until"), False, "Unknown variables ats_upgrade_step, ats_upgrade_until"),
        (("_ats_upgrade_options", *RESULTS, "ansible_failed_result"), False, "cannot be given"),
        # What is a result only as long as nothing else is registered.
        (RESULTS, True, "cannot be given"),
    ],
)
def test_what_decides_cannot_be_given(
    site: rig.Site, unit: rig.Device, plays: Any, given: tuple[str, ...], inventory: bool, words: str
) -> None:
    forged: dict[str, Any] = {name: {"entry": {"kind": "unchanged"}} for name in given}
    site.add(unit, **(forged if inventory else {}))
    play = plays(site, UPGRADE, "-e", json.dumps({} if inventory else forged))
    assert play.wait() == 2
    said = flat(play)
    assert (words if words.startswith("Unknown") else f"{', '.join(sorted(given))} {words}") in said
    assert "you may" not in play.text and site.evidence() == []
    assert_untouched(unit)


def test_what_decides_cannot_be_a_parameter_of_the_role(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    entry = {"entry": {"kind": "unchanged"}}
    play = plays(site, site.playbook("main", ats_upgrade_observation=entry))
    assert play.wait() == 2
    assert "ats_upgrade_observation cannot be given" in flat(play) and site.evidence() == []


def test_the_verdict_of_the_preflight_cannot_be_given(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    play = plays(site, PREFLIGHT, "-e", json.dumps({"_ats_upgrade_verdict": {"lines": [], "blocking": ""}}))
    assert play.wait() == 2
    assert "_ats_upgrade_verdict cannot be given" in flat(play)


def test_a_step_that_does_not_exist_is_refused(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit)
    for step in ("_begin", "restroe"):
        play = plays(site, UPGRADE, "-e", f"ats_upgrade_only={step}")
        assert play.wait() == 2
        assert f'There is no step "{step}": ats_upgrade_only is one of readiness' in flat(play)
    assert_untouched(unit)


@pytest.mark.parametrize("how", [{"serial": 5}, {"strategy": "free"}])
def test_more_than_one_unit_at_a_time_is_refused(
    site: rig.Site, unit: rig.Device, plays: Any, how: dict[str, Any]
) -> None:
    site.add(unit)
    site.hosts["ats-02"] = dict(site.hosts["ats-01"])
    site.write()
    path = Path(site.playbook("isolate"))
    (written,) = yaml.safe_load(path.read_text())
    del written["serial"], written["any_errors_fatal"]
    path.write_text(yaml.safe_dump([written | how]))
    play = plays(site, str(path))
    assert play.wait() == 2
    assert "2 units are worked on at a time" in flat(play)
    assert "you may" not in play.text and site.evidence() == []
    assert_untouched(unit)


def test_an_empty_field_of_a_survey_is_not_given(site: rig.Site, unit: rig.Device, plays: Any) -> None:
    site.add(unit, ats_upgrade_confirmations=[unit.confirm("will_disconnect_secondary")])
    blank = ("busy_timeout_s", "snmp_version", "method", "allow_downgrade", "ready_timeout_s", "only")
    play = plays(site, UPGRADE, "--check", "-e", json.dumps({f"ats_upgrade_{name}": "" for name in blank}))
    assert play.wait() == 0, play.text
    assert_untouched(unit)
