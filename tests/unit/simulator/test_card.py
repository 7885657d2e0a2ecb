# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card: files, restarts, sessions, log (facts/NMC.md)."""

from __future__ import annotations

import re

import pytest

from apcsim import LoginRefused, build_module, make_package
from apcsim.firmware import BadModule, parse_module, rank

AOS = "apc_hw02_aos_392.bin"
APP = "apc_hw02_g2ats_392.bin"


def test_package_is_deterministic_and_accepted(bench, tmp_path):
    first = make_package(tmp_path / "a")
    second = make_package(tmp_path / "b")
    assert [path.name for path in first] == [AOS, APP]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert all(path.stat().st_size == 48 * 1024 for path in first)
    rig = bench()
    assert rig.send("aos", "392", data=first[0].read_bytes()).version == "3.9.2"
    assert parse_module(APP, first[1].read_bytes()).controller == "3.0.7"


def test_versions_are_ranked_by_number():
    assert rank("3.0.10") > rank("3.0.9") and rank("3.0.5") < rank("3.0.5.1") and rank("6.6.9.b") > rank("6.6.9")


def test_aos_then_app(bench):
    rig = bench(down_s=75)
    rig.plug("A", False)
    rig.send("aos", "392")
    assert not rig.unit.snmp_up and rig.unit.ftp_state == "down"
    rig.later(74.9)
    assert not rig.unit.snmp_up
    rig.later(0.2)
    assert rig.unit.snmp_up and b"PF:v3.9.2 PN:apc_hw02_aos_392.bin" in rig.read("sys_descr")
    assert rig.read("uptime") == pytest.approx(510, abs=20)
    rig.later(60)
    rig.send("g2ats", "392")
    rig.later(400)
    assert b"AF1:v3.9.2 AN1:apc_hw02_g2ats_392.bin" in rig.read("sys_descr")
    assert rig.read("last_transfer") == 1 and rig.read("revision") == b"3.0.7"
    assert [entry["installed"] for entry in rig.truth["transfers"]] == [True, True]


@pytest.mark.parametrize("shown", ["absent", "letter"])
def test_old_app_does_not_run_on_the_new_aos(bench, shown):
    rig = bench(old_app_runs_on_new_aos=False, app_trouble_shown=shown)
    rig.plug("A", False)
    rig.send("aos", "392")
    rig.later(300)
    objects = rig.walk()
    assert not any(oid[:9] == (1, 3, 6, 1, 4, 1, 318, 1, 1) for oid in objects) and len(objects) > 10
    descr = rig.read("sys_descr").decode()
    assert ("AN1:" not in descr) if shown == "absent" else (" A!)" in descr and "AN1:apc_hw02_g2ats_371.bin" in descr)
    rig.send("g2ats", "392")
    rig.later(300)
    assert rig.read("comm") == 2 and " A!" not in rig.read("sys_descr").decode()
    assert rig.truth["output_on"] and not rig.truth["load_dropped"]


def test_starting_app_may_be_shown(bench):
    rig = bench(starting_shown=True, app_start_s=20, boot_s=30)
    rig.unit.fault("card_restarts")
    rig.later(35)
    assert rig.read("sys_descr").endswith(b" A?)") and rig.read("comm") is None
    rig.later(20)
    assert b"A?" not in rig.read("sys_descr") and rig.read("comm") is not None


def test_cut_transfer_is_not_installed(bench):
    rig = bench()
    session = rig.unit.login("apc", "apc")
    store = session.store(AOS)
    store.write(build_module("hw02", "aos", "392")[:9000])
    store.abort()
    session.close()
    rig.later(300)
    truth = rig.truth
    assert truth["card"]["aos"] == "3.7.4" and truth["restarts"] == [] and truth["bytes_received"] == 9000
    assert truth["transfers"][0]["outcome"] == "cut" and truth["files_received"][0]["complete"] is False
    assert rig.unit.events.rows[-1].code == 0x000F


def test_a_cut_aos_may_leave_no_aos(bench):
    rig = bench(aos_cut_leaves_no_aos=True)
    store = rig.unit.login("apc", "apc").store(AOS)
    store.write(b"x" * 100)
    store.abort()
    rig.later(1000)
    assert not rig.unit.snmp_up and rig.truth["card"]["gone"] and rig.truth["output_on"]


@pytest.mark.parametrize("data", [
    build_module("hw02", "aos", "392")[:-1],
    build_module("hw02", "aos", "392") + b"x",
    b"",
    b"MZ" + bytes(5000),
    build_module("hw02", "aos", "391"),
    build_module("hw02", "aos", "392")[:-1] + b"\x00",
], ids=["truncated", "too long", "empty", "other file", "other version than its name", "one byte wrong"])  # fmt: skip
def test_orderly_end_of_a_bad_file_is_rejected(bench, data):
    rig = bench()
    store = rig.unit.login("apc", "apc").store(AOS)
    store.write(data)
    with pytest.raises(BadModule):
        store.finish()
    assert rig.read("last_transfer") == 8 and rig.truth["card"]["aos"] == "3.7.4" and rig.truth["restarts"] == []
    assert rig.unit.snmp_up and rig.truth["files_received"][0]["complete"] is False


@pytest.mark.parametrize("kind, hardware", [("aos", "hw05"), ("ats4g", "hw02"), ("rpdu", "hw02")])
def test_wrong_hardware_or_type_is_rejected(bench, kind, hardware):
    rig = bench()
    with pytest.raises(BadModule):
        rig.send(kind, "392", hardware=hardware)
    assert rig.read("last_transfer") == 7 and rig.truth["restarts"] == []


def test_last_transfer_may_never_change(bench):
    rig = bench(last_transfer_updates=False)
    rig.plug("A", False)
    rig.send("aos", "392")
    rig.later(200)
    assert rig.read("last_transfer") == 2 and rig.truth["card"]["aos"] == "3.9.2"


def test_card_stays_away(bench):
    rig = bench()
    rig.unit.fault("card_does_not_come_back")
    rig.send("aos", "392")
    rig.later(5000)
    assert not rig.unit.snmp_up and rig.truth["card"]["gone"] and not rig.truth["load_dropped"]


def test_comes_back_with_the_old_version(bench):
    rig = bench()
    rig.unit.fault("comes_back_with_old_version")
    rig.send("aos", "392")
    rig.later(300)
    assert b"PF:v3.7.4" in rig.read("sys_descr") and len(rig.truth["restarts"]) == 1
    rig.send("aos", "392")
    rig.later(300)
    assert b"PF:v3.9.2" in rig.read("sys_descr")


def test_one_user_at_a_time_and_auto_log_off(bench):
    rig = bench()
    session = rig.unit.login("apc", "apc")
    with pytest.raises(LoginRefused) as refused:
        rig.unit.login("apc", "apc")
    assert refused.value.kind == "busy"
    rig.later(179)
    with pytest.raises(LoginRefused):
        rig.unit.login("apc", "apc")
    assert session.alive
    rig.later(2)
    assert not session.alive
    rig.unit.login("apc", "apc").close()
    with pytest.raises(ConnectionResetError):
        session.fetch("event.txt")
    rig.unit.login("device", "apc").close()


@pytest.mark.parametrize("ends", [True, False])
def test_a_reset_connection_may_leave_the_session(bench, ends):
    rig = bench(reset_ends_session=ends)
    session = rig.unit.login("apc", "apc")
    session.abort()
    assert (rig.truth["sessions_open"] == 0) is ends


def test_refusals(bench):
    rig = bench(ftp_ready_delay_s=10, boot_s=20)
    kinds = []

    def attempt(user="apc", password="apc"):
        with pytest.raises(LoginRefused) as refused:
            rig.unit.login(user, password)
        kinds.append(refused.value.kind)

    attempt(password="x")
    attempt(user="nobody")
    attempt(password="")
    rig.unit.fault("wrong_password")
    attempt()
    rig.unit.clear_faults()
    rig.unit.fault("session_busy", for_s=60)
    attempt()
    rig.later(61)
    rig.unit.login("apc", "apc").close()
    rig.unit.fault("ftp_refused")
    attempt()
    rig.unit.clear_faults()
    rig.unit.fault("card_restarts")
    attempt()
    rig.later(21)
    assert rig.unit.snmp_up
    attempt()  # 421 while booting
    assert kinds == ["auth", "auth", "auth", "auth", "busy", "down", "down", "busy"]
    assert [entry["ok"] for entry in rig.truth["logins"]].count(True) == 1


def test_restarts_kill_sessions_and_transfers(bench):
    rig = bench()
    session = rig.unit.login("apc", "apc")
    store = session.store(AOS)
    store.write(b"x" * 600)
    rig.unit.fault("card_restarts", why="power dip", cold=True)
    with pytest.raises(ConnectionResetError):
        store.write(b"x")
    with pytest.raises(ConnectionResetError):
        store.finish()
    rig.later(60)
    assert rig.unit.events.rows[-1].code == 0x0001 and rig.truth["card"]["aos"] == "3.7.4"
    assert rig.read("uptime") < 3000 and not rig.truth["load_dropped"]


def test_watchdog_only_on_a_silent_network(bench):
    for quiet in (False, True):
        rig = bench(network_quiet=quiet)
        for _unused in range(10):
            rig.later(500)
            rig.read("uptime")
        assert rig.truth["restarts"] == []
        rig.later(600)
        assert len(rig.truth["restarts"]) == (1 if quiet else 0)


LAYOUTS = {
    "bare": r"^(\d\d/\d\d/\d{4})\t(\d\d:\d\d:\d\d)\t([^\t]+)\t(0x[0-9A-F]{4})$",
    "labelled": r"^(\d\d/\d\d/\d{4})\t(\d\d:\d\d:\d\d)\t([^\t]+)\t(0x[0-9A-F]{4})$",
    "joined": r"^(\d\d/\d\d/\d{4}) (\d\d:\d\d:\d\d)\t([^\t]+)\t(0x[0-9A-F]{4})$",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("speed", [None, 20])
def test_event_txt(bench, layout, speed):
    rig = bench(unit={"speed": speed}, event_layout=layout)
    session = rig.unit.login("apc", "apc")
    text = session.fetch("event.txt").decode()
    rows = re.findall(LAYOUTS[layout], text.replace("\r\n", "\n"), re.M)
    assert len(rows) == len(rig.unit.events.rows)
    assert rows[0][3] == "0x0016" and rows[-1][3] == "0x0001", "newest first"
    head = text[: text.index("0x")]
    assert "ats-rack-04" in head and "192.0.2.10" in head
    assert ("SIMULATED x20" in head) is (speed == 20)
    with pytest.raises(FileNotFoundError):
        session.fetch(AOS)


def test_log_is_bounded_and_old_rows_fall_out(bench):
    rig = bench(log_rows=25)
    for _unused in range(40):
        rig.unit.login("apc", "apc").close()
    assert len(rig.unit.events.rows) == 25 and {row.code for row in rig.unit.events.rows} == {0x0016}
    rig.unit.fault("log_cleared")
    assert rig.unit.events.rows == []


def test_clock_may_be_lost_at_a_cold_start(bench):
    rig = bench(clock_lost_at_cold_start=True)
    rig.unit.fault("card_restarts", cold=True)
    rig.later(100)
    assert rig.unit.events.rows[-1].stamp.year == 2000
    rig.unit.fault("clock_wrong", offset_s=86400 * 3660)
    rig.unit.login("apc", "apc")
    assert rig.unit.events.rows[-1].stamp.year == 2010


def test_config_ini(bench):
    rig = bench(unit={"name": "north-7", "address": "198.51.100.7", "serial": "X1"}, serial_in_config=True)
    text = rig.unit.login("apc", "apc").fetch("config.ini").decode()
    assert text.startswith("; American Power Conversion") and "generated on" in text
    assert "Name=north-7" in text and "SystemIP=198.51.100.7" in text and "X1" in text
    assert "public" in text and "PreferredSource=B" in text


def test_simulated_says_so_twice_and_undeclared_says_nothing(bench):
    rig = bench(unit={"speed": 20})
    assert rig.read("sys_descr").startswith(b"APC Web/SNMP Management Card SIMULATED x20 (MB:")
    assert rig.unit.ftp_banner == "AP7724 Network Management Card SIMULATED x20 AOS v3.7.4 FTP server ready."
    plain = bench()
    assert b"SIMULATED" not in plain.read("sys_descr") and "SIMULATED" not in plain.unit.ftp_banner
    assert plain.truth["simulated"] is None and rig.truth["simulated"] == "SIMULATED x20"


@pytest.mark.parametrize("knobs, banner", [
    ({}, "AP7724 Network Management Card AOS v3.7.4 FTP server ready."),
    ({"banner_has_model": False}, "Network Management Card AOS v3.7.4 FTP server ready."),
    ({"banner_model": "card"}, "AP9617 Network Management Card AOS v3.7.4 FTP server ready."),
])  # fmt: skip
def test_banner(bench, knobs, banner):
    assert bench(**knobs).unit.ftp_banner == banner


@pytest.mark.parametrize("card_sn, shown", [("same", "SN: 5A1511T00001"), ("junk", "SN: FFFFFFFFFFFF"), ("absent", "")])
def test_card_serial(bench, card_sn, shown):
    text = bench(card_sn=card_sn).read("sys_descr").decode()
    assert shown in text and ("SN:" in text) is bool(shown)


def test_set_is_dropped_silently_while_logged_in(bench):
    rig = bench()
    preferred = (1, 3, 6, 1, 4, 1, 318, 1, 1, 8, 4, 2, 0)
    session = rig.unit.login("apc", "apc")
    assert rig.unit.snmp_set(preferred, 1) == "" and rig.read("preferred") == 2
    session.close()
    assert rig.unit.snmp_set(preferred, 1) == "" and rig.read("preferred") == 1
    rig.later(31)
    assert rig.truth["selected_source"] == "A"
    assert [entry["taken"] for entry in rig.truth["writes"]] == [False, True]
    assert rig.unit.snmp_set((1, 3, 9, 0), 1) == "noSuchName"


def test_settings_and_name_may_be_lost_by_the_flash(bench):
    rig = bench(settings_lost_by_flash=True, name_lost_by_flash=True)
    rig.plug("A", False)
    rig.to_download()
    rig.later(60)
    assert rig.read("preferred") == 1 and rig.read("sensitivity") == 2 and rig.read("name") == b"ATS"
    assert rig.read("sys_name") == b"ats-rack-04"
