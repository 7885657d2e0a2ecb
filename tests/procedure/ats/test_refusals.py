# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refused before anything is sent: devices not covered, packages that do not fit; and what goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from virtual_situations import TASKS, Situation, Witness, must_end, names, on_line, package, situation
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from apcsim.knobs import Knobs

APP = "apc_hw02_g2ats_392.bin"
AOS = "apc_hw02_aos_392.bin"


def untouched(device: Any) -> bool:
    truth = device.truth()
    return (
        truth["bytes_received"] == 0 and truth["transfers"] == [] and truth["writes"] == [] and truth["restarts"] == []
    )


# --- devices that are not covered ---------------------------------------------------------------------------

FOREIGN = {
    "ap7750": (package, ("covered",)),  # gen 1: 3.x is an endless reboot
    "ap4423": (lambda: package(hardware="hw05", aos="647", app="ats4g:647"), ("covered",)),
}


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("device", FOREIGN)
def test_a_device_that_is_not_covered(device: str, method: Method, tmp_path: Path) -> None:
    given, checks = FOREIGN[device]
    for chosen in (given(), package()):
        made = Bench(Device.load(device), chosen, tmp_path)
        must_end(made)
        made.clock.sleep(30.0)
        what = made.confirm("secondary_disconnected", "no_load", "power_cycled", "one_input")
        for task in ("readiness", "isolate", "upgrade"):
            report = made.run(TASKS[task], made.options(method=method, confirmations=what))
            assert report["error"]["kind"] in ("refused", "not_an_ats"), report["error"]
            assert any(names(report, check) for check in checks) and untouched(made.device)
            assert "you may disconnect" not in " ".join(made.lines.lines)


def test_gen_1_is_not_taken_for_gen_2_by_its_files(tmp_path: Path) -> None:
    """One letter decides: AP7750 is gen 1 even if it should name a gen-2 app."""
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    must_end(made)
    text = made.device.card.sys_descr.replace("AP7724", "AP7750")
    made.device.fault("override", values={"model": "AP7750", "sys_descr": text})
    report = made.run(job.do_upgrade)
    assert report["error"]["kind"] == "refused" and names(report, "covered") and untouched(made.device)


def test_its_sister_is_covered(tmp_path: Path) -> None:
    made = Bench(Device.load("ap7750a"), package(), tmp_path)
    must_end(made)
    made.clock.sleep(30.0)
    truth = made.device.truth()
    other = "A" if truth["selected_source"] == "B" else "B"
    made.electrician()
    report = made.run(job.do_isolate, made.options(primary=Source[other].other))
    assert "error" not in report, report["error"]


@pytest.mark.parametrize("task", ["readiness", "isolate", "backup", "upgrade", "verify", "restore"])
def test_a_rack_pdu_is_not_an_ats(task: str, tmp_path: Path) -> None:
    made = Bench(Device.load("ap8853"), package(hardware="hw05", aos="647", app="rpdu2g:647"), tmp_path)
    must_end(made)
    report = made.run(TASKS[task])
    assert report["error"]["kind"] == "not_an_ats" and untouched(made.device)
    assert report["state"] == "nothing_sent_unsure" and "you may" not in report["next_action"]


@pytest.mark.parametrize("device", ["ap7750", "ap4423"])
@pytest.mark.parametrize("task", ["backup", "verify", "restore"])
def test_no_other_step_allows_anything_there_either(task: str, device: str, tmp_path: Path) -> None:
    made = Bench(Device.load(device), package(), tmp_path)
    must_end(made)
    report = made.run(TASKS[task])
    assert "error" in report and untouched(made.device) and "you may" not in " ".join(made.lines.lines)


# --- packages -----------------------------------------------------------------------------------------------

PACKAGES: dict[str, Any] = {
    "hardware": {"hardware": "hw05"},
    "app of the AP44xx": {"app": "ats4g:392"},
    "app of a UPS": {"app": "sumx:392"},
    "AOS older": {"aos": "373"},
    "app older": {"aos": "374", "app": "g2ats:370"},
}


@pytest.mark.parametrize("what", PACKAGES)
@pytest.mark.parametrize("task", ["readiness", "isolate", "upgrade"])
def test_a_package_that_does_not_fit(task: str, what: str, tmp_path: Path) -> None:
    made = Bench(Device.load("ap7724"), package(**PACKAGES[what]), tmp_path)
    must_end(made)
    report = made.run(TASKS[task])
    assert report["error"]["kind"] in ("refused", "package") and names(report, "package") and untouched(made.device)
    assert "you may disconnect" not in " ".join(made.lines.lines)


def test_a_downgrade_only_when_asked_for(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    case.bench.package, case.bench.contents = package("373", "g2ats:371")
    assert names(case.run("isolate"), "package")
    assert "error" not in case.run("isolate", allow_downgrade=True)


# --- what stands between ------------------------------------------------------------------------------------


def test_two_units_crossed(tmp_path: Path) -> None:
    """SNMP of the one, FTP of the other: neither receives a byte."""
    one = Device.load("ap7724")
    other = Device.load("ap7724", serial="5A1511T00002", name="ats-rack-05", address="192.0.2.11")
    for device in (one, other):
        device.patch({"inputs": {"A": {"plugged": False}}})
    made = Bench(one, package(), tmp_path, ftp_device=other)
    must_end(made)
    made.clock.sleep(60.0)
    report = made.run(job.do_upgrade)
    assert report["error"]["kind"] == "refused" and names(report, "identity")
    assert untouched(one) and untouched(other)


def test_a_relay_takes_over_at_the_last_login(tmp_path: Path) -> None:
    """The forward changes after all the measuring: identity is proved over the login that sends."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    other = Device.load("ap7724", serial="5A1511T00002", name="ats-rack-05", address="192.0.2.11")
    other.advance(case.bench.clock.now())
    case.bench.clock.units.append(other)
    real = case.bench.make

    def make(options: Any = None, peers: Any = ()) -> Any:
        unit = real(options, peers)
        own, state = unit.session.open_login, {"crossed": False}
        case.bench.ftp_device = other
        away = real(options, peers).session.open_login
        case.bench.ftp_device = case.device
        on_line(case.bench, "backup of config.ini", lambda: state.update(crossed=True))

        def relay(idle: Any) -> Any:
            return (away if state["crossed"] else own)(idle)

        unit.session.open_login = relay
        return unit

    case.bench.make = make  # type: ignore[method-assign]
    report = case.run()
    assert report["error"]["kind"] == "refused" and names(report, "identity")
    assert case.received_nothing() and untouched(other)


def test_a_wrong_password(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    case.device.fault("wrong_password")
    report = case.run()
    assert report["error"]["kind"] == "auth" and case.received_nothing()
    assert report["state"] == "nothing_sent_unsure" and "530" in report["error"]["message"]
    # Not hammered: a locked account would help nobody.
    assert len(case.device.truth()["logins"]) <= 3


def test_ftp_refused(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    case.device.fault("ftp_refused")
    report = case.run()
    assert "error" in report and case.received_nothing()
    assert "ftp" in report["error"]["message"].lower() and report["state"] == "nothing_sent_unsure"


def test_a_busy_session(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    case.device.fault("session_busy")
    report = case.run(controller_timeout_s=120.0)
    assert "error" in report and case.received_nothing()
    assert "logged in" in report["error"]["message"] or "busy" in report["error"]["message"]


def test_a_busy_session_is_waited_for(tmp_path: Path) -> None:
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    case.device.fault("session_busy", for_s=150.0)
    report = case.run()
    assert "error" not in report and "busy" in case.bench.lines


def test_a_wrong_password_only_at_the_end(tmp_path: Path) -> None:
    """In the settle a login fails: nothing is claimed."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    on_line(case.bench, f"sending {APP}", lambda: case.device.fault("wrong_password"))
    report = case.run()
    assert "error" in report and report["state"] == "app_sent_secondary_dead" and report["error"]["kind"] == "auth"


# --- transfers that break off -------------------------------------------------------------------------------


def begun(tmp_path: Path, knobs: Knobs | None = None) -> tuple[Situation, Witness]:
    case = situation(Method.SINGLE_SOURCE, tmp_path, knobs)
    must_end(case.bench)
    return case, Witness(case.bench)


@pytest.mark.parametrize("offset", [0, 1, 512, 24576, 49151])
@pytest.mark.parametrize("module", ["aos", "app"])
def test_a_transfer_that_is_cut(module: str, offset: int, tmp_path: Path) -> None:
    case, witness = begun(tmp_path)
    case.device.fault("transfer_cut", at_byte=offset, module=module)
    report = case.run()
    assert report["error"]["kind"] == "transfer" and "broke off" in report["error"]["message"]
    # The last block was released: whether the card has the app is not known.
    released = module == "app" and offset > 49152 - 512
    assert report["state"] in (
        ("app_sent_secondary_dead",) if released else ("aos_sent_unsure", "aos_new_old_app", "nothing_sent")
    )
    assert report["next_action"] and report["evidence"]["path"] and witness.wrong == []
    assert case.device.truth()["sessions_open"] == 0 or not case.device.knobs.reset_ends_session
    # Run again: it ends right.
    case.device.clear_faults()
    case.bench.clock.sleep(200.0)
    again = case.run()
    assert "error" not in again, again["error"]
    truth = case.device.truth()
    assert truth["card"]["app"] == "3.9.2" and not truth["load_dropped"] and truth["controller"]["revision"] == "3.0.7"


def test_an_aos_that_is_cut_may_leave_none(tmp_path: Path) -> None:
    case, witness = begun(tmp_path, Knobs(aos_cut_leaves_no_aos=True))
    case.device.fault("transfer_cut", at_byte=9000, module="aos")
    report = case.run()
    assert "error" in report and report["state"] == "sent_silent" and witness.wrong == []
    assert "do not power-cycle" in report["next_action"]


@pytest.mark.parametrize("module", ["aos", "app"])
def test_a_card_that_is_gone_for_good(module: str, tmp_path: Path) -> None:
    case, witness = begun(tmp_path)
    if module == "aos":
        case.device.fault("card_does_not_come_back")
    else:
        on_line(case.bench, f"sending {APP}", lambda: case.device.fault("card_does_not_come_back"))
    began = case.bench.clock.now()
    report = case.run()
    assert report["error"]["kind"] == "transfer" and "did not come back" in report["error"]["message"]
    # Nobody can see whether the load still has power: the words are for a dark rack only (SAFETY 6, first row).
    assert report["state"] == {"aos": "dark", "app": "dark_unsettled"}[module]
    assert report["next_action"].startswith("ONLY IF THE LOAD IS DARK") and report["evidence"]["path"]
    assert "If the load is not dark, touch nothing" in report["next_action"] and witness.wrong == []
    assert case.bench.clock.now() - began < 3000.0


@pytest.mark.parametrize("module", ["aos", "app"])
def test_a_card_that_is_back_with_the_old_version(module: str, tmp_path: Path) -> None:
    case, witness = begun(tmp_path)
    if module == "aos":
        case.device.fault("comes_back_with_old_version")
    else:
        on_line(case.bench, f"sending {APP}", lambda: case.device.fault("comes_back_with_old_version"))
    report = case.run()
    assert report["error"]["kind"] == "transfer" and "not 3.9.2" in report["error"]["message"]
    assert report["next_action"] and report["evidence"]["path"] and witness.wrong == []
    if module == "aos":
        assert not any(entry["name"] == APP for entry in case.device.truth()["transfers"])
    case.bench.clock.sleep(60.0)
    again = case.run()
    assert "error" not in again, again["error"]
    assert case.device.truth()["card"]["app"] == "3.9.2" and not case.device.truth()["load_dropped"]


def test_a_file_that_the_card_rejects(tmp_path: Path) -> None:
    """Bytes spoiled on the controller's disk: the card keeps what it had, and does not restart."""
    case, witness = begun(tmp_path)
    contents = dict(case.bench.contents)
    contents[AOS] = contents[AOS][:-1] + b"\0\0"
    case.bench.contents = contents
    report = case.run()
    assert "error" in report and witness.wrong == []
    assert not any(entry["name"] == APP for entry in case.device.truth()["transfers"])


def test_secrets_stay_out_and_names_stay_readable(tmp_path: Path) -> None:
    case, _witness = begun(tmp_path)
    report = case.run()
    said = " ".join(case.bench.lines.lines) + str(report)
    assert AOS in said and APP in said
    folder = tmp_path / "evidence"
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "backups").is_dir()
    for path in (tmp_path / "backups").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_silent_from_the_beginning(tmp_path: Path) -> None:
    made = Bench(Device.load("ap7724"), package(), tmp_path)
    made.device.fault("no_answer")
    report = made.run(job.do_upgrade)
    assert report["error"]["kind"] == "timeout" and untouched(made.device)
    assert report["state"] == "nothing_sent_unsure"
