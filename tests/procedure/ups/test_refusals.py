# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every guard of the UPS update refuses, and refuses before anything is written: the simulator's truth says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from virtual_ups import Confirmation, UpsBench, update_file

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import EXPECTED
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from apcsim.knobs import Knobs
from apcsim.model import Unit as Device

U = "1.3.6.1.4.1.318.1.1.1"


def patch(**ups: Any) -> Callable[[UpsBench], None]:
    return lambda bench: bench.device.patch({"ups": ups})


def fault(name: str, **params: Any) -> Callable[[UpsBench], None]:
    return lambda bench: bench.device.fault(name, **params)


def override(**values: Any) -> Callable[[UpsBench], None]:
    return lambda bench: bench.device.fault("override", values=values)


def flag(number: int) -> Callable[[UpsBench], None]:
    """One flag more than the device shows by itself."""

    def act(bench: UpsBench) -> None:
        # Off, communicating, and the one in question.
        text = "".join("1" if place in (6, 58, number) else "0" for place in range(1, 65))
        bench.device.fault("override", values={"ups_flags": text})

    return act


def silent_again_and_again(bench: UpsBench) -> None:
    bench.device.fault("no_answer", for_s=10.0)
    bench.later(30.0, lambda: silent_again_and_again(bench))


def just_started(bench: UpsBench) -> None:
    bench.device.fault("card_restarts", why="reset")
    bench.clock.sleep(75.0)


@dataclass(frozen=True)
class Case:
    """``check``: the guard that must be named as failing. ``device``: what the bench is made of."""

    check: str
    act: Callable[[UpsBench], None] = lambda bench: None
    device: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)
    version: str = "9.3"
    options: dict[str, Any] = field(default_factory=dict)


SRT_ON = {"name": "srt3000", "firmware": "UPS 07.9 (ID1010)", "output_on": True}
CASES: dict[str, Case] = {
    # -- the file
    "another ID": Case("file", file={"id": 20}),
    "another ID and series": Case("file", file={"id": 20, "series": "SMX"}),
    "a downgrade, forced by a name": Case("file", version="9.0", options={"wanted": Version.parse("9.4")}),
    "not the wanted version": Case("file", version="9.3", options={"wanted": Version.parse("9.4")}),
    "a wrong checksum": Case("file", options={"checksum": "0" * 64}),
    # -- the card and its firmware
    "sumx 6.4": Case("card_app", override(sys_descr=(
        "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.4.0 PN:apc_hw05_aos_640.bin AF1:v6.4.1 "
        "AN1:apc_hw05_sumx_641.bin MN:AP9631 HR:08 SN: ZA1512T15001 MD:04/10/2018) "))),
    "no app at all": Case("card_app", override(sys_descr=(
        "APC Web/SNMP Management Card (MB:v4.1.0 PF:v7.0.8 PN:apc_hw05_aos_708.bin MN:AP9631 HR:08 SN: ZA1512T15001 "
        "MD:04/10/2018) "))),
    "an app that is no UPS's": Case("card_app", override(sys_descr=(
        "APC Web/SNMP Management Card (MB:v4.1.0 PF:v7.0.8 PN:apc_hw21_aos_2.5.0.8.bin AF1:v2.5.0.8 "
        "AN1:apc_hw21_rpdu2g_2.5.0.8.bin MN:AP9631 HR:08 SN: ZA1512T15001 MD:04/10/2018) "))),
    "15.0": Case("updates_allowed", patch(firmware="UPS 15.0 (ID18)"), version="15.1",
                 options={"wanted": Version.parse("15.1")}),
    # Per ID, by the release notes (UPS.md).
    **{f"{have} of ID{number}": Case("updates_allowed", patch(firmware=f"UPS {have} (ID{number})"), version=want,
                                     file={"id": number, "series": "SMT"}, options={"wanted": Version.parse(want)})
       for number, have, want in ((1015, "04.6", "4.7"), (1018, "04.6", "4.7"), (1047, "16.0", "16.5"),
                                  (1050, "16.0", "16.5"), (1020, "15.4", "15.5"), (20, "16.0", "16.1"))},
    # -- the UPS
    "no communication": Case("comm", patch(comm=False)),
    "no communication, by the flag alone": Case("comm", override(ups_flags="0" * 57 + "1" + "0" * 6)),
    "internal communication failure": Case("comm", flag(56)),
    "communication unreadable": Case("comm", fault("snmp_missing", oids=["ups_comm"])),
    "the update object is missing": Case("no_update", fault("snmp_missing", oids=["ups_update"])),
    "no mains": Case("mains", patch(input_voltage_v=0)),
    "a mains of 60 V": Case("mains", patch(input_voltage_v=60)),
    "mains unreadable": Case("mains", fault("snmp_missing", oids=["ups_input_v", f"{U}.3.3.1.0"])),
    "on battery, by the flag alone": Case("mains", flag(2)),
    "bypass": Case("no_bypass", patch(bypass=True, output_on=True)),
    **{f"bypass, flag {number}": Case("no_bypass", flag(number)) for number in (12, 13, 14, 15, 16, 44)},
    "replace battery": Case("battery", patch(replace_battery=True)),
    "replace battery, by the flag alone": Case("battery", flag(5)),
    "replace battery unreadable": Case("battery", fault("snmp_missing", oids=["ups_replace"])),
    "low battery": Case("battery", patch(battery_percent=5)),
    "low battery, by the flag alone": Case("battery", flag(3)),
    "no battery": Case("battery", flag(33)),
    "low-battery shutdown": Case("battery", flag(40)),
    "self test": Case("no_test", patch(self_test=True, output_on=True)),
    "self test, by the flag alone": Case("no_test", flag(29)),
    "calibration": Case("no_calibration", patch(calibration=True)),
    "calibration, by the flag alone": Case("no_calibration", flag(10)),
    "shutdown pending": Case("no_shutdown", patch(shutdown_pending=True)),
    **{f"shutdown or sleep, flag {number}": Case("no_shutdown", flag(number))
       for number in (17, 18, 20, 22, 31, 32, 34, 35, 36)},
    "flags unreadable": Case("no_bypass", fault("snmp_missing", oids=["ups_flags"])),
    "flags cut short": Case("no_bypass", override(ups_flags="0" * 5 + "1" + "0" * 15)),
    "status unreadable": Case("output", fault("snmp_missing", oids=["ups_status"])),
    # -- the output
    "output on, ID18": Case("output", device={"output_on": True}),
    "output on, ID18, confirmed": Case("output", device={"output_on": True}, options={"confirmed": True}),
    "output on, allowed, not confirmed": Case("output", device=SRT_ON, version="8.2",
                                              options={"wanted": Version.parse("8.2")}),
    "output on, one version too old": Case("output", device={**SRT_ON, "firmware": "UPS 07.8 (ID1010)"}, version="8.2",
                                           options={"wanted": Version.parse("8.2"), "confirmed": True}),
    "output on, allowed, overload": Case("output", patch(load_percent=120), device=SRT_ON, version="8.2",
                                         options={"wanted": Version.parse("8.2"), "confirmed": True}),
    "output on, allowed, boost": Case("output", patch(input_voltage_v=195), device=SRT_ON, version="8.2",
                                      options={"wanted": Version.parse("8.2"), "confirmed": True}),
    "said to be off, and 120 V on the output": Case("output", override(ups_output_v=120)),
    "said to be off, and a load": Case("output", override(**{"ups_load": 30, f"{U}.4.3.3.0": 300})),
    "said to be off, and the flags do not": Case("output", override(ups_flags="0" * 5 + "1" + "0" * 58)),
    "said to be off, and on": Case("output", flag(19)),
    "said to be off, and 120 V by the tenths": Case("output", override(**{f"{U}.4.2.1.0": 0, f"{U}.4.3.1.0": 1200})),
    "said to be off, and absurd volts": Case("output", override(**{f"{U}.4.2.1.0": 65535, f"{U}.4.3.1.0": 65535})),
    "said to be off, and an absurd load": Case("output", override(**{f"{U}.4.2.3.0": 250000, f"{U}.4.3.3.0": 999999})),
    "said to be off, and a group of which nothing is known": Case("output", override(**{f"{U}.12.1.2.1.3.1": 3})),
    "said to be off, and two of five groups do not answer": Case("output", override(**{f"{U}.12.1.1.0": 5}),
                                                                 device={"name": "smx1500rm2u"}, version="9.8"),
    "mains by the whole volts alone": Case("mains", override(**{f"{U}.3.2.1.0": 120, f"{U}.3.3.1.0": 0})),
    "the card has just started": Case("card_up", just_started),
    # -- the window, and who answers
    "values frozen, the uptime too": Case("stable", fault("frozen", oids=["uptime"])),
    "a card that answers for 20 s and is silent for 10": Case("stable", silent_again_and_again),
}  # fmt: skip


def given(bench: UpsBench, case: Case) -> dict[str, Any]:
    options = dict(case.options)
    if options.pop("confirmed", False):
        options["confirmations"] = bench.confirm()
    return {"ready_timeout_s": 90.0, **options}


def failing(report: dict[str, Any]) -> set[str]:
    return {check["id"] for check in (report.get("interlock") or {}).get("checks", []) if not check["ok"]}


@pytest.mark.parametrize("what", CASES)
def test_it_is_refused_and_nothing_was_written(what: str, tmp_path: Path) -> None:
    case = CASES[what]
    bench = UpsBench(state_dir=tmp_path, **case.device)
    case.act(bench)
    if case.check != "stable":
        bench.clock.sleep(40.0)
    report = bench.run(update_file(bench.device, case.version, **case.file), **given(bench, case))
    assert report.get("error"), report
    assert report["error"]["kind"] == "refused", report["error"]
    assert case.check in failing(report), report["error"]
    assert f"{case.check}: " in report["error"]["message"]
    assert report["state"] == "nothing_sent" and "Nothing was sent" in report["next_action"]
    assert bench.untouched() and not report["changed"]
    assert bench.truth()["logins"] == []
    assert "update_start" not in bench.kinds() and bench.kinds()[-1] == "end"


# --- confirmations --------------------------------------------------------------------------------------------------
WORDS = {
    "yesterday": lambda serial: f"{serial}@2026-03-01",
    "tomorrow": lambda serial: f"{serial}@2026-03-03",
    "another unit": lambda serial: "AS1733S30002@2026-03-02",
    "junk": lambda serial: "000000000000@2026-03-02",
    "UPS_IDEN": lambda serial: "UPS_IDEN@2026-03-02",
    "no date": lambda serial: serial,
    "over an hour ago": lambda serial: f"{serial}@2026-03-02T10:30+00:00",
    "the address although the serial is readable": lambda serial: f"{serial}@192.0.2.101@2026-03-02T12:00+00:00",
    "a part of the serial": lambda serial: f"{serial[:-1]}@2026-03-02",
}


@pytest.mark.parametrize("what", WORDS)
def test_a_confirmation_that_does_not_count(what: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, **SRT_ON)
    word = (Confirmation("output_may_go_off", WORDS[what](bench.device.serial)),)
    wanted = Version.parse("8.2")
    report = bench.run(update_file(bench.device, "8.2"), wanted=wanted, confirmations=word)
    assert report["error"]["kind"] == "refused" and failing(report) - {"stable"} == {"output"}
    assert bench.untouched()


def test_the_word_for_an_ats_is_none_for_a_ups(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, **SRT_ON)
    word = (Confirmation("no_load", f"{bench.device.serial}@2026-03-02"),)
    report = bench.run(update_file(bench.device, "8.2"), wanted=Version.parse("8.2"), confirmations=word)
    assert "output" in failing(report) and bench.untouched()


def test_a_junk_serial_confirms_nothing_but_the_cards_does(tmp_path: Path) -> None:
    """SAFETY 2: the UPS's own serial; junk: the card's SN."""
    for serial, card, ok in (("AS1733S30001", "same", True), ("AS1733S30001", "junk", False)):
        bench = UpsBench(state_dir=tmp_path / card, knobs=Knobs(card_sn=card), **SRT_ON)
        bench.device.fault("override", values={"ups_serial": "UPS_IDEN"})
        plate = bench.run(update_file(bench.device, "8.2"), check=True, wanted=Version.parse("8.2"))["nmc"]["serial"]
        word = (Confirmation("output_may_go_off", f"{plate if ok else serial}@2026-03-02"),)
        report = bench.run(update_file(bench.device, "8.2"), wanted=Version.parse("8.2"), confirmations=word)
        assert ("error" not in report) is ok, report.get("error")
        if not ok:
            assert "output" in failing(report) and bench.untouched()


def test_where_no_serial_can_be_read_the_name_plates_counts_with_address_and_time(tmp_path: Path) -> None:
    for stamp, ok in (("192.0.2.101@2026-03-02T12:00+00:00", True), ("192.0.2.101@2026-03-02", False)):
        bench = UpsBench(state_dir=tmp_path / str(ok), knobs=Knobs(card_sn="junk"), **SRT_ON)
        bench.device.fault("override", values={"ups_serial": "UPS_IDEN"})
        word = (Confirmation("output_may_go_off", f"AS1733S30001@{stamp}"),)
        report = bench.run(update_file(bench.device, "8.2"), wanted=Version.parse("8.2"), confirmations=word)
        assert ("error" not in report) is ok, report.get("error")
        assert ok or (bench.untouched() and "output" in failing(report))
    assert any("not verifiable" in str(record) for record in UpsBench(state_dir=tmp_path / "True").evidence())


# --- who answers ----------------------------------------------------------------------------------------------------
def test_twins_behind_one_address_get_no_file(tmp_path: Path) -> None:
    """SNMP speaks to one unit, the login to another."""
    other = Device.load("smt1500rm2u", serial="AS1512T15999", name="ups-rack-99", address="192.0.2.199")
    bench = UpsBench(state_dir=tmp_path, ftp_device=other)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "refused" and "identity" in failing(report)
    assert bench.untouched() and not other.truth()["transfers"] and not other.truth()["sessions_open"]
    assert report["state"] == "nothing_sent"


def test_another_unit_from_one_reading_to_the_next(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line("measuring", lambda: bench.device.fault("override", values={"ups_serial": "AS9999T99999"}))
    report = bench.run(update_file(bench.device, "9.3"))
    assert {"undisturbed"} <= failing(report) and "serial number changed" in report["error"]["message"]
    assert bench.untouched()


@pytest.mark.parametrize("when", ["measuring", "file to the card"])
def test_the_card_restarts_under_the_run(when: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line(when, lambda: bench.device.fault("card_restarts", why="reset"))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"] and not bench.sets() and bench.unharmed()
    assert report["state"] == ("nothing_sent" if when == "measuring" else "file_not_started")


# --- the moment between file and start ------------------------------------------------------------------------------
TURNS: dict[str, tuple[dict[str, Any], str]] = {
    "the mains go": ({"input_voltage_v": 0}, "mains"),
    "the output is turned on": ({"output_on": True}, "output"),
    "a self test begins": ({"self_test": True}, "no_test"),
    "a calibration begins": ({"calibration": True}, "no_calibration"),
    "a shutdown is ordered": ({"shutdown_pending": True}, "no_shutdown"),
    "the battery is to be replaced": ({"replace_battery": True}, "battery"),
    "communication is lost": ({"comm": False}, "comm"),
    "the firmware is another": ({"firmware": "UPS 09.2 (ID18)"}, "undisturbed"),
}


@pytest.mark.parametrize("what", TURNS)
def test_what_turns_bad_after_the_file_stops_the_start(what: str, tmp_path: Path) -> None:
    change, check = TURNS[what]
    bench = UpsBench(state_dir=tmp_path)
    bench.on_line("file to the card: 100 %", lambda: bench.device.patch({"ups": change}))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "refused" and check in failing(report)
    assert bench.starts == [] and bench.unharmed()
    assert report["state"] == "file_not_started" and "not started" in report["next_action"]


# --- before any verdict ---------------------------------------------------------------------------------------------
def test_no_file_is_no_goal_reached(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    report = bench.run(None)
    assert report["error"]["kind"] == "package" and "no file was given" in report["error"]["message"]
    assert report["state"] == "nothing_sent" and bench.untouched()


def test_id1003_without_a_version_has_no_goal(tmp_path: Path) -> None:
    bench = UpsBench("smx3000rmhv2u_id1003", state_dir=tmp_path)
    for check in (False, True):
        report = bench.run(update_file(bench.device, "8.1"), check=check)
        if check is False:
            assert report["error"]["kind"] == "refused" and "no version was named" in report["error"]["message"], report
        assert bench.untouched()


def test_an_old_smart_ups_shows_nothing_that_could_be_updated(tmp_path: Path) -> None:
    bench = UpsBench("sua1500", state_dir=tmp_path)
    file = update_file(Device.load("smt1500rm2u"), "9.3")
    report = bench.run(file, wanted=Version.parse("9.3"))
    assert report["error"]["kind"] == "refused" and "no version with an ID" in report["error"]["message"]
    assert bench.untouched()


def test_a_named_version_below_the_installed_one_is_a_downgrade(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, firmware="UPS 09.10 (ID18)")
    report = bench.run(update_file(bench.device, "9.9"), wanted=Version.parse("9.9"))
    assert report["error"]["kind"] == "refused" and "downgrade" in report["error"]["message"]
    assert bench.untouched()


def test_a_file_older_than_the_fix_is_refused_where_the_fix_is_wanted(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    report = bench.run(update_file(bench.device, "9.2"))
    assert report["error"]["kind"] == "package" and "first version with the fix" in report["error"]["message"]
    assert bench.untouched()


def test_a_rack_ats_is_not_a_ups(tmp_path: Path) -> None:
    from virtual_unit import Bench, package_of

    bench = UpsBench(state_dir=tmp_path)
    ats = Bench(Device.load("ap7724"), package_of([]), None)
    bench.device, bench.clock = ats.device, ats.clock
    report = bench.run(None)
    assert report["error"]["kind"] == "not_a_ups" and report["state"] == "nothing_sent"


# --- the login ------------------------------------------------------------------------------------------------------
LOGINS: dict[str, tuple[Callable[[UpsBench], None], str]] = {
    "wrong password": (lambda bench: setattr(bench, "password", "no"), "auth"),
    "the card says wrong": (fault("wrong_password"), "auth"),
    "somebody is logged in for good": (fault("session_busy"), "busy"),
    "no FTP": (fault("ftp_refused"), "transfer"),
    "event.txt unreadable": (fault("files_unreadable", names=["event.txt"]), "transfer"),
}


@pytest.mark.parametrize("what", LOGINS)
def test_no_login_no_file(what: str, tmp_path: Path) -> None:
    act, kind = LOGINS[what]
    bench = UpsBench(state_dir=tmp_path)
    act(bench)
    report = bench.run(update_file(bench.device, "9.3"), busy_timeout_s=30.0)
    assert report["error"]["kind"] == kind, report["error"]
    assert bench.untouched() and report["state"] == "nothing_sent"


def test_every_guard_is_reached_by_a_case() -> None:
    reached = {case.check for case in CASES.values()} | {check for _change, check in TURNS.values()}
    # These two have tests of their own: twins, another unit, a restart.
    assert set(EXPECTED) - reached == {"identity"}
