# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recovery's playbook and role, run as an operator runs them, against simulated devices over real protocols.

The person at the unit is played here: what the run asks for is done, in the order in which it asks. What counts is the
simulator's physical truth.
"""

from __future__ import annotations

import contextlib
import ftplib
import io
import json
import re
import stat
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery import NextStep
from ansible_collections.dcops.apc.plugins.module_utils._module import RUNS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
import rig

SPEED = 50
RECOVERY = "dcops.apc.ats_recovery"
APP = "apc_hw02_g2ats_392.bin"
ISOLATED = ("will_disconnect_secondary", "secondary_disconnected")
# Words that must never be said: the unit is not opened, and nothing is reset or restarted by hand.
FORBIDDEN = (
    "open the unit and",
    "re-seat",
    "reseat",
    "daughterboard",
    "factory reset",
    "press reset",
    "remove the cover",
)


class Site(rig.Site):
    """As the rig's, with the variables of the recovery."""

    def take(self, device: rig.Device, **variables: Any) -> None:
        self.hosts[device.name] = {
            "ansible_host": device.ready["host"],
            "ats_recovery_snmp_port": device.ready["snmp_port"],
            "ats_recovery_transfer_port": device.ready["ftp_port"],
            "ats_recovery_transfer_protocol": "ftp",
            "ats_recovery_src": str(self.package),
            "ats_recovery_username": "apc",
            "ats_recovery_password": "apc",
            "ats_recovery_state_dir": str(self.state_dir),
            "ats_recovery_ephemeral_state": True,
            "ats_recovery_under_warranty": "no",
        } | variables
        content = {"all": {"children": {"ats": {"hosts": self.hosts}}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rig.make_package(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def site(tmp_path: Path, package: Path) -> Site:
    return Site(tmp_path / "site", package)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Any]:
    """Starts devices, and ends them."""
    started: list[rig.Device] = []

    def start(*knobs: str, device: str = "ap7723", name: str = "ats-23", more: tuple[str, ...] = ()) -> rig.Device:
        options = [word for knob in knobs for word in ("--knob", knob)]
        started.append(rig.Device(tmp_path / "devices", name, *options, *more, device=device, speed=SPEED))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def play(site: Site) -> Iterator[Any]:
    started: list[rig.Play] = []

    def run(status: int, *options: str, limit_s: float = rig.HANG_S, book: str = RECOVERY, **more: Any) -> str:
        started.append(rig.Play(site, book, *options, **more))
        assert started[-1].wait(limit_s) == status, started[-1].text
        # The yaml form of results folds long lines.
        text = " ".join(started[-1].text.split())
        assert not [word for word in FORBIDDEN if word in text.lower()], text
        return text

    yield run
    for each in started:
        each.kill()


def words(unit: rig.Device, *whats: str) -> list[dict[str, str]]:
    return [{"what": what, "unit": f"{unit.truth()['serial']}@{rig.stamp()}"} for what in whats]


def cold_start(unit: rig.Device, rest_s: float = 360.0) -> None:
    """What the run asks a person for: the load is off; both inputs out, the rest, one in."""
    assert unit.truth()["load_current_a"] == 0
    unit.patch(inputs={"A": {"plugged": False}, "B": {"plugged": False}})
    time.sleep(rest_s / SPEED)
    unit.plug("A", True)
    # A stamp has whole minutes, and must be later than the last attempt.
    time.sleep(100 / SPEED)


def confirmed(unit: rig.Device) -> dict[str, Any]:
    return {
        "ats_recovery_primary_source": "A",
        "ats_recovery_confirmations": words(unit, "will_remove_loads", "no_load", "power_cycled", "one_input"),
    }


def unharmed(unit: rig.Device) -> Any:
    truth = unit.truth()
    assert not truth["load_dropped"] and not truth["damaged"] and truth["violations"] == []
    assert truth["sessions_open"] == 0 and truth["writes"] == []
    return truth


def bundle_of(text: str) -> zipfile.ZipFile:
    path = Path(text.split("Support bundle: ")[1].split()[0].rstrip("\"'."))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return zipfile.ZipFile(path)


def electrician(unit: rig.Device) -> rig.Electrician:
    return rig.Electrician(unit)


# --- a unit that is in order --------------------------------------------------------------------------------


# As a survey in AWX leaves its fields.
BLANK = {f"ats_recovery_{name}": "" for name in ("only", "method", "under_warranty", "busy_timeout_s", "snmp_version")}


@pytest.mark.parametrize("check", [(), ("--check", "-e", json.dumps(BLANK))])
def test_a_healthy_unit_is_left_as_it_is(check: tuple[str, ...], site: Site, made: Any, play: Any) -> None:
    unit = made(device="ap7724")
    site.take(unit)
    text = play(0, *check)
    assert "nothing to recover" in text and "changed=0 " in text
    truth = unharmed(unit)
    assert truth["write_log"] == [] and truth["bytes_received"] == 0 and truth["redundant"]
    assert not site.state_dir.exists()


def test_a_loss_that_passes_leaves_a_healthy_unit(site: Site, made: Any, play: Any) -> None:
    """Lost for a while under load, and a run that kept a backup and asked for an outage; then it is back by itself."""
    unit = made("ats_when_lost=stale", device="ap7724")
    unit.fault("communication_lost")
    time.sleep(30 / SPEED)
    # What runs is what the package holds: nothing but the loss is amiss.
    card = unit.truth()["card"]
    aos, app = (card[part].replace(".", "") for part in ("aos", "app"))
    same = rig.make_package(site.folder / "same", aos=aos, app=f"g2ats:{app}")
    site.take(unit, ats_recovery_src=str(same))
    assert "Plan an outage" in play(2)
    unit.call("DELETE", "/faults")
    time.sleep(1300 / SPEED)
    text = play(0)
    assert "nothing to recover" in text and "Name the one input" not in text and "no load" not in text.lower()
    truth = unharmed(unit)
    assert truth["redundant"] and truth["load_current_a"] == 8.8 and truth["bytes_received"] == 0


# --- the maker first ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["yes", "unknown"])
def test_the_maker_comes_first(word: str, site: Site, made: Any, play: Any) -> None:
    unit = made("ats_when_lost=stale")
    # Somebody has named the unit after a key, and so it stands in log, settings and readings.
    unit.patch(name="ats Xhush-key")
    given = {"ats_recovery_under_warranty": word, "ats_recovery_snmp_auth_key": "Xhush-key"}
    site.take(unit, **confirmed(unit), **given)
    text = play(2)
    assert {"yes": "have it replaced", "unknown": "ask the maker first"}[word] in text
    assert "controller_never_booted" in text and "touch no plug" in text and "disconnect both" not in text
    with bundle_of(text) as bundle:
        names = bundle.namelist()
        assert {name.split("/")[0] for name in names} == {"README.txt", "facts.json", "config", "events", "evidence"}
        config = next(name for name in names if name.startswith("config/"))
        everything = b"".join(bundle.read(name) for name in names)
        assert b"(hidden)" in bundle.read(config) and b"private" not in everything
        assert b"Xhush" not in everything and b"ats ********" in everything
        facts = json.loads(bundle.read("facts.json"))
    assert facts["findings"][0]["id"] == "controller_never_booted" and facts["nmc"]["app"]["version"] == "3.9.2"
    assert unharmed(unit)["bytes_received"] == 0


# --- the seed case ------------------------------------------------------------------------------------------


def test_the_seed_case_ends_failed_with_the_bundle(site: Site, made: Any, play: Any) -> None:
    """AP7723, card on 3.9.2/3.9.2, a controller that nothing revives."""
    unit = made("controller_recoverable=False", "ats_when_lost=minus_one", "ats_before_comm=minus_one")
    site.take(unit, ats_recovery_primary_source="A")
    asked = play(2)
    order = [
        "Shut down every load",
        "disconnect both inputs",
        "at least 5 minutes",
        "Connect exactly one input, source A",
    ]
    order += ["Wait until the card answers", "no_load, power_cycled and one_input"]
    places = [asked.index(part) for part in order]
    assert places == sorted(places) and "controller_never_booted" in asked and "SERIAL@" in asked
    assert unit.truth()["serial"] + "@" not in asked
    assert unharmed(unit)["bytes_received"] == 0

    cold_start(unit)
    site.take(unit, **confirmed(unit))
    text = play(2)
    assert "controller never booted: contact the maker or replace the unit; do not open it" in text
    truth = unharmed(unit)
    # The app again although it is equal, the AOS not.
    assert [file["name"] for file in truth["files_received"]] == [APP] and not truth["controller"]["alive"]
    with bundle_of(text) as bundle:
        names = bundle.namelist()
        assert len([name for name in names if name.startswith("evidence/")]) >= 2
        assert b"recovery_attempt" in b"".join(bundle.read(name) for name in names if name.startswith("evidence/"))
        log = bundle.read(next(name for name in names if name.startswith("events/")))
    assert log.count(b"ATS Controller firmware download failed") >= 2, "the log of after the attempt"

    # The same confirmations again: an attempt came after them.
    again = play(2)
    assert "older than the last release or recovery attempt" in again or "cold_start_confirmed" in again
    assert len(unharmed(unit)["files_received"]) == 1


def test_an_app_that_did_not_go_in_whole_is_no_verdict_on_the_controller(site: Site, made: Any, play: Any) -> None:
    """The transfer breaks off in the middle: what is told is the failure, and nobody is told to replace the unit."""
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one")
    site.take(unit, ats_recovery_primary_source="A")
    play(2)
    cold_start(unit)
    site.take(unit, **confirmed(unit))
    unit.fault("transfer_cut", at_byte=8000, module="app")
    text = play(2)
    assert "controller never booted" not in text and "also after the app was sent again" not in text
    assert "NOT DONE" in text and "broke off" in text and "WHAT TO DO NOW" in text
    assert [file["size"] for file in unharmed(unit)["files_received"]] == [8000]


RECOVERABLE = {
    "app sent again": (),
    "cold start alone": ("revives_by_cold_start=True",),
    "cold start alone, and looked at late": ("revives_by_cold_start=True",),
}


@pytest.mark.parametrize("how", RECOVERABLE)
def test_a_unit_that_can_be_revived_ends_recovered(how: str, site: Site, made: Any, play: Any) -> None:
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one", *RECOVERABLE[how])
    site.take(unit, ats_recovery_primary_source="A")
    assert "Shut down every load" in play(2)
    cold_start(unit)
    if "late" in how:
        # Nothing was sent and all is quiet, but one input is in and the loads are off.
        time.sleep(1000 / SPEED)
    site.take(unit, **confirmed(unit))
    text = play(0, follow=electrician(unit))
    assert "recovered" in text and "you may connect the loads now" in text and "revived" in text
    assert text.index("you may reconnect source B now") < text.index("you may connect the loads now")
    truth = unharmed(unit)
    assert truth["controller"]["alive"] and truth["controller"]["comm"] == 2 and truth["redundant"]
    assert truth["controller"]["revision"] == truth["controller"]["bundled"]
    assert [file["name"] for file in truth["files_received"]] == ([] if "alone" in how else [APP])

    after = play(0)
    assert "nothing to recover" in after or "recovered" in after
    assert unharmed(unit)["bytes_received"] == truth["bytes_received"]


def test_recovered_at_the_second_attempt(site: Site, made: Any, play: Any) -> None:
    """The first attempt ends failed; the whole of it again ends recovered."""
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one", "revives_at_attempt=2")
    for attempt in (1, 2):
        cold_start(unit)
        if attempt == 2:
            # Confirmations have whole minutes, and must be later than the attempt.
            time.sleep(61 - datetime.now().second)
        site.take(unit, **confirmed(unit))
        text = play(2 if attempt == 1 else 0, follow=electrician(unit))
        assert ("controller never booted" in text) is (attempt == 1)
    truth = unharmed(unit)
    assert truth["controller"]["alive"] and truth["redundant"] and len(truth["files_received"]) == 2


def test_a_second_attempt_without_an_outage_sends_nothing(site: Site, made: Any, play: Any) -> None:
    """New words, and nobody was at the unit."""
    unit = made("controller_recoverable=False", "ats_when_lost=minus_one", "ats_before_comm=minus_one")
    site.take(unit, ats_recovery_primary_source="A")
    play(2)
    cold_start(unit)
    site.take(unit, **confirmed(unit))
    assert "controller never booted" in play(2)
    time.sleep(61 - datetime.now().second)
    site.take(unit, **confirmed(unit))
    text = play(2)
    assert "no new cold start row" in text and "Plan an outage" in text
    assert len(unharmed(unit)["files_received"]) == 1


def test_a_slip_of_the_pen_costs_no_second_outage(site: Site, made: Any, play: Any) -> None:
    """The outage was done as asked, and the words were for another serial: the cold start is still new afterwards."""
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one")
    site.take(unit, ats_recovery_primary_source="A")
    play(2)
    cold_start(unit)
    right = confirmed(unit)
    wrong = [word | {"unit": f"ZA9999999999@{rig.stamp()}"} for word in right["ats_recovery_confirmations"]]
    site.take(unit, **right | {"ats_recovery_confirmations": wrong})
    # As if the plan had taken days: no backup is good any more, and none is taken that would hold the cold start.
    for path in site.state_dir.rglob("*.jsonl"):
        path.write_text(re.sub(r'"t": "20[0-9]{2}-', '"t": "2021-', path.read_text()))
    assert "Plan an outage" in play(2)
    assert unharmed(unit)["bytes_received"] == 0
    site.take(unit, **confirmed(unit))
    assert "recovered" in play(0, follow=electrician(unit))
    assert [file["name"] for file in unharmed(unit)["files_received"]] == [APP]


# --- a card without its app ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["absent", "letter"])
def test_app_only_with_the_load_on(shown: str, site: Site, made: Any, play: Any) -> None:
    """Loaded and isolated, the new AOS runs and the old app does not: the load stays on throughout."""
    unit = made("old_app_runs_on_new_aos=False", f"app_trouble_shown={shown}", device="ap7724")
    unit.plug("A", False)
    send_aos(unit, site)
    site.take(unit)
    asked = play(2)
    assert "the card runs no ATS app" in asked and "the load stays on" in asked and "disconnect both" not in asked
    given = {"ats_recovery_confirmations": words(unit, *ISOLATED), "ats_recovery_primary_source": "B"}
    site.take(unit, **given)
    text = play(0, follow=electrician(unit))
    assert "recovered" in text and "you may connect the loads" not in text
    # Nothing was revived: only the app was missing.
    assert "revived" not in text
    truth = unharmed(unit)
    assert truth["load_current_a"] == 8.8 and truth["card"]["app"] == "3.9.2" and truth["redundant"]
    assert truth["controller"]["revision"] == truth["controller"]["bundled"]


def test_the_loads_are_not_forgotten_for_another_units_words(site: Site, made: Any, play: Any) -> None:
    """Without a load, and the list of the whole site says that another unit is isolated."""
    unit = made("old_app_runs_on_new_aos=False", device="ap7724")
    unit.patch(load_current_a=0)
    send_aos(unit, site)
    at = rig.stamp()
    others = [{"what": what, "unit": f"ZA9999999999@{at}"} for what in (*ISOLATED, "power_cycled")]
    given = words(unit, "will_remove_loads", "no_load") + others
    site.take(unit, ats_recovery_confirmations=given, ats_recovery_primary_source="B")
    text = play(0, follow=electrician(unit))
    assert "recovered" in text and "you may connect the loads now" in text
    assert unharmed(unit)["redundant"]


def send_aos(unit: rig.Device, site: Site) -> None:
    """Somebody else sent the AOS alone, by hand, and left."""
    with zipfile.ZipFile(site.package) as package:
        data = package.read(next(name for name in package.namelist() if "_aos_" in name))
    with ftplib.FTP() as card, contextlib.suppress(OSError, EOFError):
        card.connect(unit.ready["host"], unit.ready["ftp_port"], timeout=30)
        card.login("apc", "apc")
        card.storbinary("STOR apc_hw02_aos_392.bin", io.BytesIO(data), blocksize=512)
    end = time.monotonic() + 30
    while time.monotonic() < end and unit.truth()["card"]["aos"] != "3.9.2":
        time.sleep(0.2)
    while time.monotonic() < end and not unit.truth()["card"]["up"]:
        time.sleep(0.2)
    time.sleep(200 / SPEED)


# --- stopped, misspelled, only looked at --------------------------------------------------------------------


def test_killed_while_settling_then_run_again(site: Site, made: Any, play: Any) -> None:
    """The app was sent; a second run watches it to its end and sends nothing."""
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one")
    cold_start(unit)
    site.take(unit, **confirmed(unit))
    first = rig.Play(site, RECOVERY)
    try:
        first.wait_for("app sent, settling")
    finally:
        first.kill()
    text = play(0, follow=electrician(unit))
    assert "recovered" in text and "you may connect the loads now" in text
    truth = unharmed(unit)
    assert [file["name"] for file in truth["files_received"]] == [APP] and truth["redundant"]


def test_app_only_killed_while_settling_then_run_again(site: Site, made: Any, play: Any) -> None:
    """The second run has no words, only the first one's evidence: the load was on, so nobody is told to connect it."""
    unit = made("old_app_runs_on_new_aos=False", device="ap7724")
    unit.plug("A", False)
    send_aos(unit, site)
    site.take(unit, ats_recovery_confirmations=words(unit, *ISOLATED), ats_recovery_primary_source="B")
    first = rig.Play(site, RECOVERY)
    try:
        first.wait_for("app sent, settling")
    finally:
        first.kill()
    site.take(unit, ats_recovery_primary_source="B")
    text = play(0, follow=electrician(unit))
    assert "recovered" in text and "you may connect the loads" not in text and "revived" not in text
    truth = unharmed(unit)
    assert truth["load_current_a"] == 8.8 and truth["redundant"] and len(truth["files_received"]) == 2


def test_check_mode_only_looks(site: Site, made: Any, play: Any) -> None:
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one")
    site.take(unit, ats_recovery_primary_source="A")
    text = play(2, "--check")
    assert "CHECK MODE, nothing was done" in text and "Shut down every load" in text
    assert unharmed(unit)["write_log"] == [] and not site.state_dir.exists()


@pytest.mark.parametrize("how", [("--check",), ("-e", "ats_recovery_only=diagnose")])
def test_a_look_puts_no_key_into_known_hosts(how: tuple[str, ...], site: Site, made: Any, play: Any) -> None:
    unit = made(device="ap7724")
    keys = site.folder / "known_hosts"
    scp = {"ats_recovery_transfer_protocol": "scp", "ats_recovery_transfer_port": unit.ready["ssh_port"]}
    scp |= {"ats_recovery_ssh_accept_new_host_key": True, "ats_recovery_ssh_known_hosts": str(keys)}
    site.take(unit, **scp)
    assert "is established" in play(0, *how)
    assert unit.truth()["logins"] and not keys.exists() and not site.state_dir.exists()
    # And yet it is looked up there.
    keys.write_text(f"[{unit.ready['host']}]:{unit.ready['ssh_port']} ssh-ed25519 AAAA\n")
    assert "THE HOST KEY OF" in play(2, *how)


def test_a_loaded_unit_is_not_touched_before_its_load_is_off(site: Site, made: Any, play: Any) -> None:
    """Lost under load, both inputs in: the words begin with the plan and the load, never with a plug."""
    unit = made("ats_when_lost=stale", device="ap7724")
    unit.fault("communication_lost")
    # As YAML reads an unquoted no; and whoever named the unit has a sense of humour.
    unit.patch(name="{{ 1/0 }} <b>")
    time.sleep(30 / SPEED)
    given = {"ats_recovery_primary_source": "B", "ats_recovery_under_warranty": False}
    site.take(unit, **confirmed(unit) | given)
    text = play(2)
    assert "division" not in text
    assert "touch no plug" in text and "load_zero" in text
    assert text.index("Plan an outage") < text.index("Shut down every load") < text.index("disconnect both inputs")
    truth = unharmed(unit)
    assert truth["bytes_received"] == 0 and truth["output_on"]


def test_a_misspelled_variable_is_refused(site: Site, made: Any, play: Any) -> None:
    unit = made()
    site.take(unit, ats_recovery_under_waranty="yes")
    text = play(2)
    assert "ats_recovery_under_waranty (did you mean ats_recovery_under_warranty?)" in text
    assert unit.truth()["logins"] == []


FORGED_LOOK = {"next_step": "send", "method": "recovery", "found": ["FORGED: all well"], "loads_off": True}


def test_what_decides_cannot_be_given(site: Site, made: Any, play: Any) -> None:
    """With the options replaced, in which the refusal stood, a forged look was shown and what sends was run."""
    unit = made()
    site.take(unit)
    options = {name: site.hosts[unit.name]["ats_recovery_" + name] for name in ("snmp_port", "username", "password")}
    given: dict[str, Any] = {f"_ats_recovery_{name}": options for name in ("looks", "moves", "waits")}
    given |= {"_ats_recovery_look": FORGED_LOOK, "ansible_failed_result": {"next_action": "FORGED: reconnect"}}
    text = play(2, "-e", json.dumps(given))
    assert f"{', '.join(sorted([*given]))} cannot be given" in text
    assert "FORGED" not in text and "Send the app" not in text

    # Out of the inventory, which counts as long as nothing else is registered; and by what lists the rest.
    kept: dict[str, Any] = {
        "_ats_recovery_bundle": {"dest": "/FORGED.zip"},
        "_ats_recovery_kept": {"evidence": {"path": "/x"}},
    }
    site.take(unit, **kept)
    text = play(2, "-e", "not_started=FORGED")
    assert "_ats_recovery_bundle, _ats_recovery_kept cannot be given" in text and "FORGED" not in text
    assert "has stopped. Not started: no further unit was planned" in text

    # A file of the role that is no step of it.
    site.take(unit)
    assert 'There is no step "_send": ats_recovery_only is diagnose' in play(2, "-e", "ats_recovery_only=_send")
    assert unit.truth()["logins"] == [] and not site.state_dir.exists()


def test_a_play_of_ones_own_gets_no_further(site: Site, made: Any, play: Any) -> None:
    """Two units at a time; and the file that sends, without a diagnosis, by a parameter of the role."""
    unit = made()
    site.take(unit)
    site.hosts["ats-24"] = dict(site.hosts[unit.name])
    site.take(unit)
    tasks = []
    for entry, variables in (("main", {}), ("diagnose", {}), ("_send", {"_ats_recovery_look": FORGED_LOOK})):
        role = {"name": "dcops.apc.ats_recovery", "tasks_from": entry}
        tried = {"name": entry, "ansible.builtin.include_role": role, "vars": variables}
        said = {"name": "Go on", "ansible.builtin.debug": {"msg": f"{entry}: {{{{ ansible_failed_result.msg }}}}"}}
        tasks.append({"name": entry, "block": [tried], "rescue": [said]})
    book = site.folder / "own.yml"
    book.write_text(yaml.safe_dump([{"name": "Own", "hosts": "ats", "gather_facts": False, "tasks": tasks}]))
    text = play(0, book=str(book))
    for entry in ("main", "diagnose"):
        assert text.count(f"{entry}: 2 units are worked on at a time (ats-23, ats-24)") == 2
    assert text.count("_send: _ats_recovery_look cannot be given") == 2
    assert unit.truth()["logins"] == [] and not site.state_dir.exists()


# --- evidence of earlier runs -------------------------------------------------------------------------------


def keep_evidence(site: Site, unit: rig.Device, number: int, *lines: str, step: str = "upgrade") -> None:
    """As a run leaves it; the lines as they stand on the disk."""
    folder = site.state_dir / "simulated" / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    run = f"{number:012x}"
    head = {"t": "2026-03-01T10:00:00.000+00:00", "kind": "run", "run": run, "step": step, "method": "recovery"}
    path = folder / f"20260301T1000{number:02d}Z_ats-{unit.truth()['serial']}_{run}.jsonl"
    path.write_text("\n".join([json.dumps(head), *lines]) + "\n")


ATTEMPT = '{"kind": "recovery_attempt", "file": "apc_hw02_g2ats_392.bin", "starts": []}'
BACKUP = '{"t": "2026-03-01T10:00:00.000+00:00", "kind": "backup", "settings": {}}'


def test_a_record_torn_by_a_full_disk_does_not_read_as_closed(site: Site, made: Any, play: Any) -> None:
    """All is quiet and redundant, and the last word of the evidence begins like one that closes."""
    unit = made(device="ap7724")
    site.take(unit, ats_recovery_src="")
    torn = '{"t": "2026-03-01T10:09:00.000+00:00", "kind": "redundant", "method": "no_load", "devi'
    keep_evidence(site, unit, 1, ATTEMPT, torn)
    text = play(2)
    assert "nothing to recover" not in text and "has not been brought to its end" in text
    assert "Evidence that cannot be read counts as open: run 000000000001" in text
    assert unharmed(unit)["bytes_received"] == 0


def test_more_than_forty_files_are_looked_at(site: Site, made: Any, play: Any) -> None:
    unit = made(device="ap7724")
    site.take(unit, ats_recovery_src="")
    keep_evidence(site, unit, 1, ATTEMPT)
    for number in range(2, 50):
        keep_evidence(site, unit, number, BACKUP, step="backup")
    text = play(2)
    assert "nothing to recover" not in text and "has not been brought to its end" in text


def test_redundancy_lost_is_not_nothing_to_recover(site: Site, made: Any, play: Any) -> None:
    """Communication up for more than an hour, no evidence at hand, and one input is out."""
    unit = made(device="ap7724")
    unit.plug("A", False)
    assert unit.truth()["card"]["uptime_s"] > 5000
    site.take(unit, ats_recovery_src="")
    text = play(2)
    assert "nothing to recover" not in text and "not fully redundant" in text and "Leave every plug" in text
    assert unharmed(unit)["bytes_received"] == 0


def test_a_card_that_is_silent_in_the_outage_gets_its_steps_again(site: Site, made: Any, play: Any) -> None:
    """SAFETY 6: recovery under way, both inputs out."""
    unit = made("ats_when_lost=minus_one", "ats_before_comm=minus_one")
    site.take(unit, ats_recovery_primary_source="A", ats_recovery_snmp_timeout=0.5)
    play(2)
    unit.patch(load_current_a=0, inputs={"A": {"plugged": False}, "B": {"plugged": False}})
    text = play(2)
    assert "a recovery of this unit is under way" in text
    places = [text.index(part) for part in ("Shut down every load", "disconnect both inputs", "Connect exactly one")]
    assert places == sorted(places)


def test_a_silent_card_of_which_nothing_is_known_gets_no_steps(site: Site, made: Any, play: Any) -> None:
    unit = made()
    unit.patch(load_current_a=0, inputs={"A": {"plugged": False}, "B": {"plugged": False}})
    site.take(unit, ats_recovery_snmp_timeout=0.5)
    text = play(2)
    assert "WHAT TO DO NOW: Leave every plug" in text and "Shut down" not in text


def test_wrong_password_shows_no_secret(site: Site, made: Any, play: Any) -> None:
    unit = made()
    site.take(unit, ats_recovery_password="not-the-password")
    text = play(2, "-vvv")
    assert "not-the-password" not in text and "WHAT TO DO NOW: Leave every plug" in text
    assert unharmed(unit)["bytes_received"] == 0


def test_after_a_stopped_unit_the_rest_is_not_started(site: Site, made: Any, play: Any) -> None:
    lost, other = made(), made(device="ap7724", name="ats-24", more=("--serial", "5A1511T00099"))
    site.take(lost)
    site.take(other)
    assert "ats-23 has stopped. Not started: ats-24" in play(2)
    assert other.truth()["logins"] == []


def test_config_backup_module_is_silent_and_idempotent(site: Site, made: Any) -> None:
    """Also at -vvv: communities never in results or output."""
    unit = made()
    dest = site.folder / "config.ini"
    arguments = {"dest": str(dest), "transfer_protocol": "ftp", "transfer_port": unit.ready["ftp_port"]}
    arguments |= {"host": unit.ready["host"], "username": "apc", "password": "apc"}
    tasks = [{"name": "Back up", "dcops.apc.nmc_config_backup": arguments}]
    book = site.folder / "backup.yml"
    book.write_text(yaml.safe_dump([{"name": "x", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    for changed in (1, 0):
        done = rig.Play(site, str(book), "-vvv", "-i", "localhost,")
        assert done.wait() == 0, done.text
        assert f"changed={changed} " in done.text
        secrets = [line.split("=")[1].strip() for line in dest.read_text().splitlines() if "Community" in line]
        assert secrets and not any(secret in done.text for secret in secrets if secret not in ("public", "private"))
        assert "Community" not in done.text.replace("snmp_community", "")
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600 and unharmed(unit)["bytes_received"] == 0


# --- the role's own files -----------------------------------------------------------------------------------

ROLE = Path(__file__).resolve().parents[2] / "roles" / "ats_recovery"
# Only these can touch a unit, and each asks the guard; nothing here runs a command or moves a file.
ALLOWED = {f"dcops.apc.{name}" for name in ("ats_firmware", "ats_wait", "ats_recovery_info", "support_bundle")}
ALLOWED |= {f"ansible.builtin.{name}" for name in ("assert", "debug", "fail", "include_tasks")}
KEYWORDS = {"name", "when", "register", "failed_when", "block", "rescue", "module_defaults"}
WORDS = ROLE.parents[1] / "plugins" / "module_utils" / "_domain" / "ats" / "recovery_words.py"


def tasks_of(content: Any) -> Iterator[dict[str, Any]]:
    for task in content:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []))


def test_the_role_uses_only_what_the_guard_knows() -> None:
    used = set()
    for path in (ROLE / "tasks").glob("*.yml"):
        for task in tasks_of(yaml.safe_load(path.read_text())):
            used |= set(task) - KEYWORDS
    assert used == ALLOWED


def test_the_role_only_chooses() -> None:
    """No loop, regular expression, reading of evidence or instruction in its Jinja; each next step is dealt with."""
    every = ""
    for path in (*(ROLE / "tasks").glob("*.yml"), ROLE / "vars" / "main.yml"):
        text = "\n".join(line for line in path.read_text().splitlines() if not line.strip().startswith("#"))
        for word in ("{%", "regex", "namespace", "fileglob", "from_json", "set_fact", "loop:", "plug", "restart"):
            assert word not in text, f"{path.name}: {word}"
        every += text
    assert len((ROLE / "vars" / "main.yml").read_text().splitlines()) <= 25
    assert [step.value for step in NextStep if f"'{step.value}'" not in every] == []


def test_each_entry_and_what_can_send_begins_with_what_is_refused() -> None:
    entries = set(yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"])
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (ROLE / "tasks").glob("*.yml")}
    sends = {
        name
        for name, content in files.items()
        for task in tasks_of(content)
        if (task.get("dcops.apc.ats_firmware") or {}).get("step") == "upgrade"
    }
    assert entries == {name for name in files if not name.startswith("_")} and sends == {"_send", "_watch"}
    for name in entries | sends:
        assert files[name][0].get("ansible.builtin.include_tasks") == "_begin.yml", name
    playbook = ROLE.parents[1] / "playbooks" / "ats_recovery.yml"
    assert f"in {sorted(entries, reverse=True)}" in playbook.read_text()


def test_every_option_reaches_a_module() -> None:
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    able = {option for name in ("ats_recovery_info", "ats_firmware", "ats_wait") for option in RUNS[name].ARGUMENT_SPEC}
    able |= {"restore_timeout_s"}
    for entry in specs.values():
        assert {name.removeprefix("ats_recovery_") for name in entry["options"]} <= able


def test_no_word_of_the_role_opens_or_resets_anything() -> None:
    guide = ROLE.parents[1] / "docs" / "docsite" / "rst" / "guide_recovery.rst"
    for path in (*ROLE.rglob("*.yml"), ROLE / "README.md", guide, WORDS):
        text = " ".join(path.read_text().lower().split())
        assert not [word for word in FORBIDDEN if word in text.replace("a factory reset or a power cycle alone", "")], (
            path
        )
