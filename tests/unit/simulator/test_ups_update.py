# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The UPS's firmware update: what it needs, what it may lose, and each way in which it goes wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apcsim import build_ups_file, make_ups_file, ups_file_name
from apcsim.ups_files import BadUpsFile, parse_ups_file
from apcsim.virtual import VirtualClock, VirtualError, virtual_open_ftp

UPDATE = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 6, 2, 9, 0)
NONE, START, IN_PROCESS, SUCCESSFUL, FAILED = 1, 2, 3, 4, 5
QUICK = {"ups_update_s": 200.0}


def ups(rig, **values):
    rig.unit.patch({"ups": values})


def put(rig, series="SMT", ident=18, version="9.3", new_id=None, name=None, data=None):
    """The file into upsfw, by one login."""
    session = rig.unit.login("apc", "apc")
    store = session.store(f"upsfw/{name or ups_file_name(series, ident, version)}")
    store.write(data if data is not None else build_ups_file(series, ident, version, new_id, size=2048))
    store.finish()
    session.close()


def off(bench, device="smt1500rm2u", **knobs):
    """A unit without output, the file there: what an update needs."""
    rig = bench(device, **{**QUICK, **knobs})
    ups(rig, output_on=False)
    put(rig)
    return rig


def go(rig):
    rig.snmp.set(UPDATE, START)
    return rig.unit.ups.update


def codes(rig):
    return [row.code for row in rig.unit.events.rows if row.code >= 0x0100]


# --- the file ---


def test_the_file_is_deterministic_and_named_by_the_rule(tmp_path):
    assert ups_file_name("SMT", 18, "9.3") == "SMT18UPS_09-3.enc" and ups_file_name("SMT", 20, "10.1") == (
        "SMT20UPS_10-1.enc"
    )
    first = make_ups_file(tmp_path / "a", "SMT", 18, "9.3", new_id=1013)
    run = [sys.executable, "-m", "apcsim", "upsfw", "--dest", str(tmp_path / "b"), "--series", "SMT", "--id", "18"]
    made = subprocess.run([*run, "--version", "9.3", "--new-id", "1013"], check=True, capture_output=True, text=True)
    second = tmp_path / "b" / "SMT18UPS_09-3.enc"
    assert made.stdout.strip() == str(second) and second.read_bytes() == first.read_bytes()
    parsed = parse_ups_file(first.read_bytes())
    assert (parsed.series, parsed.id, parsed.version, parsed.new_id) == ("SMT", 18, (9, 3), 1013)
    assert parsed.firmware == "UPS 09.3 (ID1013)"
    assert subprocess.run([*run, "--version", "nine"], capture_output=True, check=False).returncode == 2
    with pytest.raises(BadUpsFile):
        parse_ups_file(first.read_bytes()[:-1])


# --- it works ---


@pytest.mark.parametrize("after, on", [("stays_off", False), ("returns", True)])
@pytest.mark.parametrize("comm", ["kept", "restart", "all"])
def test_an_update_with_the_output_off(bench, after, on, comm):
    rig = off(bench, output_after_update=after, ups_comm_in_update=comm)
    go(rig)
    assert rig.read("ups_update") == IN_PROCESS and rig.read("ups_firmware") == b"UPS 09.1 (ID18)"
    rig.later(60)
    assert rig.read("ups_comm") == (2 if comm == "all" else 1)
    rig.later(90)
    assert rig.read("ups_update") == IN_PROCESS and rig.read("ups_comm") == (1 if comm == "kept" else 2)
    rig.later(60)
    truth = rig.truth
    assert rig.read("ups_update") == SUCCESSFUL and rig.read("ups_firmware") == b"UPS 09.3 (ID18)"
    assert rig.read("ups_comm") == 1 and truth["card"]["up"] and truth["restarts"] == []
    own = truth["ups"]
    assert own["output_on"] is on and not own["load_dropped"] and not own["bricked"] and own["violations"] == []
    assert own["update"]["outcome"] == "successful" and own["update"]["file"] == "SMT18UPS_09-3.enc"
    assert own["update"]["ended_s"] - own["update"]["started_s"] == pytest.approx(200, abs=1)
    seen = codes(rig)
    assert seen.index(0x0176) < seen.index(0x0177) and 0x0178 not in seen
    assert (0x0102 in seen) is (comm != "kept")
    rig.snmp.set(UPDATE, NONE)
    assert rig.read("ups_update") == NONE


@pytest.mark.parametrize("answer, first", [("at_once", IN_PROCESS), ("late", NONE), ("start", START)])
def test_what_it_reads_right_after_the_set(bench, answer, first):
    rig = off(bench, ups_update_answer=answer, ups_update_answer_s=8.0)
    go(rig)
    assert rig.read("ups_update") == first
    rig.later(9)
    assert rig.read("ups_update") == IN_PROCESS


def test_the_id_may_change_and_the_trailing_space_stays(bench):
    rig = bench("smx3000rmhv2u_id1003", **QUICK)
    ups(rig, output_on=False, load_percent=0)
    put(rig, "SMX", 1003, "8.1", new_id=1013)
    go(rig)
    rig.later(250)
    assert rig.read("ups_firmware") == b"UPS 08.1 (ID1013) " and rig.truth["ups"]["id"] == 1013


def test_successful_may_be_read_before_the_new_firmware(bench):
    rig = off(bench, ups_firmware_lag_s=20.0, ups_comm_in_update="kept")
    go(rig)
    rig.later(205)
    assert rig.read("ups_update") == SUCCESSFUL and rig.read("ups_firmware") == b"UPS 09.1 (ID18)"
    rig.later(20)
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)"


# --- it does not start ---


@pytest.mark.parametrize("state", [FAILED, NONE])
@pytest.mark.parametrize("where", ["nothing", "outside", "other"])
def test_without_a_valid_file(bench, state, where):
    rig = bench("smt1500rm2u", ups_no_file_state=state)
    if where == "outside":
        session = rig.unit.login("apc", "apc")
        store = session.store("SMT18UPS_09-3.enc")
        store.write(build_ups_file("SMT", 18, "9.3"))
        store.finish()
        session.close()
    elif where == "other":
        put(rig, name="readme.txt")
    go(rig)
    truth = rig.truth
    assert rig.read("ups_update") == state and truth["ups"]["update"]["outcome"] == "no valid firmware"
    assert truth["output_on"] and not truth["ups"]["load_dropped"] and codes(rig)[-1] == 0x0179


def test_only_the_last_file_in_upsfw_counts(bench):
    rig = off(bench)
    put(rig, version="9.4")
    go(rig)
    rig.later(250)
    assert rig.read("ups_firmware") == b"UPS 09.4 (ID18)"


@pytest.mark.parametrize("value, error", [(0, "wrongValue"), (3, "wrongValue"), (4, "wrongValue"), (b"2", "wrongType")])
def test_other_values_are_refused(bench, value, error):
    rig = off(bench)
    assert rig.unit.snmp_set(UPDATE, value) == error
    assert rig.truth["ups"]["update"]["started_s"] is None and rig.read("ups_update") == NONE


def test_logged_in_the_start_is_dropped(bench):
    rig = off(bench)
    session = rig.unit.login("apc", "apc")
    go(rig)
    rig.later(5)
    assert rig.read("ups_update") == NONE and not rig.truth["writes"][-1]["taken"]
    session.close()
    go(rig)
    assert rig.read("ups_update") == IN_PROCESS and rig.truth["writes"][-1]["taken"]
    go(rig)
    assert not rig.truth["writes"][-1]["taken"], "it runs already"


def test_the_read_community_starts_nothing(bench):
    rig = off(bench)
    for community, kind in (("public", "auth"), ("nobody", "timeout")):
        rig.snmp.write_community = community
        with pytest.raises(VirtualError) as refused:
            go(rig)
        assert refused.value.kind == kind
    assert rig.read("ups_update") == NONE and [row["taken"] for row in rig.truth["writes"]] == [False, False]


def test_set_faults(bench):
    rig = off(bench)
    rig.unit.fault("set_ignored")
    go(rig)
    assert rig.read("ups_update") == NONE
    rig.unit.clear_faults()
    rig.unit.fault("set_refused")
    with pytest.raises(VirtualError) as refused:
        go(rig)
    assert refused.value.kind == "auth" and rig.read("ups_update") == NONE
    rig.unit.clear_faults()
    rig.unit.fault("set_answer_lost")
    with pytest.raises(VirtualError) as lost:
        go(rig)
    assert lost.value.kind == "timeout" and rig.read("ups_update") == IN_PROCESS
    assert [row["taken"] for row in rig.truth["writes"]] == [False, False, True]


# --- rejected files never brick ---


BAD = {
    "wrong id": {"ident": 20}, "wrong series": {"series": "SMX"}, "no header": {"data": b"x" * 100},
    "bad checksum": {"data": build_ups_file("SMT", 18, "9.3", size=2048)[:-1] + b"\x00"},
    "other name": {"name": "SMT18UPS_09-9.enc"}, "empty": {"data": b""},
}  # fmt: skip


@pytest.mark.parametrize("comm", ["kept", "restart", "all"])
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_file_is_rejected(bench, bad, comm):
    rig = bench("smt1500rm2u", **QUICK, update_power_loss="bricked", ups_comm_in_update=comm)
    ups(rig, output_on=False)
    put(rig, **BAD[bad])
    go(rig)
    rig.later(30)
    truth = rig.truth
    assert rig.read("ups_update") == FAILED and truth["ups"]["update"]["outcome"].startswith("rejected: ")
    assert rig.read("ups_firmware") == b"UPS 09.1 (ID18)" and not truth["ups"]["bricked"]
    assert rig.read("ups_comm") == (1 if comm == "kept" else 2)
    seen = codes(rig)
    assert seen[seen.index(0x0176) + (comm == "all") :][1:3] == [0x0177, 0x0178]
    assert any("[Xmodem Cancel]" in row.text for row in rig.unit.events.rows)
    rig.later(30)
    assert rig.read("ups_comm") == 1
    put(rig)
    go(rig)
    rig.later(250)
    assert rig.read("ups_update") == SUCCESSFUL


# --- the output ---


@pytest.mark.parametrize("after", ["stays_off", "returns"])
def test_an_update_with_output_on_may_turn_it_off(bench, after):
    rig = bench("smt1500rm2u", **QUICK, update_with_output_on="turns_off", output_after_update=after)
    put(rig)
    go(rig)
    truth = rig.truth["ups"]
    assert truth["load_dropped"] and not truth["output_on"] and truth["load_dropped_at_s"] is not None
    assert [row["what"] for row in truth["violations"]] == ["update_turned_output_off"] and 0x0114 in codes(rig)
    rig.later(250)
    assert rig.truth["ups"]["output_on"] is (after == "returns") and rig.truth["load_dropped"]
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)"


def test_the_rows_of_the_published_failure(bench):
    rig = bench("smt1500rm1u", **QUICK, update_with_output_on="turns_off")
    put(rig, ident=20, version="10.1", data=b"no firmware")
    before = len(rig.unit.events.rows)
    go(rig)
    rig.later(30)
    rows = [row.code for row in rig.unit.events.rows[before:]]
    assert rows == [0x014F, 0x0114, 0x0176, 0x0177, 0x0178, 0x000F, 0x0102]


def test_what_comes_after_the_set_is_no_violation(bench):
    rig = off(bench, ups_update_answer="late", ups_update_answer_s=8.0)
    go(rig)
    ups(rig, bypass=True)
    rig.later(20)
    assert rig.read("ups_update") == IN_PROCESS and rig.truth["ups"]["violations"] == []


def test_or_be_refused(bench):
    rig = bench("smt1500rm2u", **QUICK, update_with_output_on="refuses")
    put(rig)
    go(rig)
    truth = rig.truth["ups"]
    assert rig.read("ups_update") == FAILED and truth["output_on"] and not truth["load_dropped"]
    assert truth["firmware"] == "UPS 09.1 (ID18)" and 0x0178 in codes(rig)


@pytest.mark.parametrize("ident, at, below", [(1010, "07.9", "07.8"), (1019, "07.1", "07.0"), (1020, "10.1", "10.0"),
                                              (1024, "00.4", "00.3")])  # fmt: skip
def test_some_ids_update_with_the_output_on(bench, ident, at, below):
    for version, runs in ((at, True), (below, False)):
        rig = bench("srt3000", **QUICK, update_with_output_on="refuses")
        ups(rig, firmware=f"UPS {version} (ID{ident})")
        put(rig, "SRT", ident, "12.0")
        go(rig)
        assert (rig.read("ups_update") == IN_PROCESS) is runs
        rig.later(250)
        truth = rig.truth["ups"]
        assert truth["output_on"] and not truth["load_dropped"] and truth["violations"] == []
        assert (truth["firmware"] == f"UPS 12.0 (ID{ident})") is runs


def test_with_the_output_on_there_is_no_battery_protection(bench):
    for lost in (True, False):
        rig = bench("srt3000", **QUICK, update_power_loss="failed")
        ups(rig, firmware="UPS 07.9 (ID1010)")
        put(rig, "SRT", 1010, "8.0")
        go(rig)
        rig.later(50)
        if lost:
            ups(rig, input_voltage_v=0)
        assert rig.truth["load_dropped"] is lost


# --- the wrong moment ---


@pytest.mark.parametrize("state, name", [
    ({"input_voltage_v": 0}, "on_battery"), ({"battery_percent": 2}, "low_battery"), ({"bypass": True}, "bypass"),
    ({"self_test": True}, "self_test"), ({"calibration": True}, "calibration"),
    ({"shutdown_pending": True}, "shutdown_pending"),
])  # fmt: skip
def test_the_wrong_moment_is_a_violation(bench, state, name):
    rig = off(bench)
    assert rig.truth["ups"]["violations"] == []
    ups(rig, **state)
    go(rig)
    assert f"update_while_{name}" in [row["what"] for row in rig.truth["ups"]["violations"]]
    assert f"update_while_{name}" in [row["what"] for row in rig.truth["violations"]]


def test_without_communication_it_fails_and_is_a_violation(bench):
    rig = off(bench)
    ups(rig, comm=False)
    go(rig)
    assert rig.read("ups_update") == FAILED and not rig.truth["ups"]["bricked"]
    assert rig.truth["ups"]["violations"][0]["what"] == "update_without_comm"


@pytest.mark.parametrize("power_loss", ["bricked", "failed"])
def test_begun_on_battery(bench, power_loss):
    for returns_after, bricked in ((100, False), (None, True)):
        rig = off(bench, update_power_loss=power_loss)
        ups(rig, input_voltage_v=0)
        go(rig)
        if returns_after:
            rig.later(returns_after)
            ups(rig, input_voltage_v=120)
        rig.later(300)
        own = rig.truth["ups"]
        assert own["bricked"] is bricked and (own["firmware"] == "UPS 09.3 (ID18)") is not bricked


def test_begun_on_a_battery_that_runs_out(bench):
    rig = bench("smt1500rm2u", ups_update_s=900.0, update_with_output_on="turns_off", update_power_loss="failed")
    put(rig)
    ups(rig, input_voltage_v=0, battery_percent=1, load_percent=100)
    go(rig)
    rig.later(600)
    own = rig.truth["ups"]
    assert own["bricked"] and "battery ran out" in own["brick_reason"] and own["load_dropped"]


# --- interrupted ---


@pytest.mark.parametrize("power_loss", ["bricked", "failed"])
@pytest.mark.parametrize("what", ["input", "card"])
def test_an_interruption_bricks_or_fails(bench, power_loss, what):
    rig = off(bench, update_power_loss=power_loss)
    go(rig)
    rig.later(50)
    if what == "input":
        rig.unit.fault("source_fails")
    else:
        rig.unit.fault("card_restarts")
    rig.later(300)
    ups(rig, input_voltage_v=120, output_on=True)
    rig.later(300)
    own = rig.truth["ups"]
    assert own["bricked"] is (power_loss == "bricked") and own["firmware"] == "UPS 09.1 (ID18)"
    assert rig.read("ups_comm") == (2 if own["bricked"] else 1) and own["output_on"] is not own["bricked"]
    assert rig.read("ups_update") == (FAILED if what == "input" else NONE), "a restarted card has forgotten"
    assert rig.truth["damaged"] is own["bricked"]
    if own["bricked"]:
        assert "interrupted" in own["brick_reason"]
        go(rig)
        rig.later(600)
        assert rig.read("ups_update") == FAILED and rig.read("ups_comm") == 2


def test_the_ups_flashes_without_its_card(bench):
    rig = off(bench, ups_update_s=200.0)
    go(rig)
    rig.later(150)
    rig.unit.fault("card_restarts")
    rig.later(300)
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)" and rig.read("ups_update") == NONE
    assert not rig.truth["ups"]["bricked"]


# --- faults ---


def test_rejected_once(bench):
    rig = off(bench)
    rig.unit.fault("update_rejected")
    go(rig)
    rig.later(250)
    assert rig.read("ups_update") == FAILED and rig.read("ups_firmware") == b"UPS 09.1 (ID18)"
    go(rig)
    rig.later(250)
    assert rig.read("ups_update") == SUCCESSFUL


def test_communication_lost_in_mid_way_for_a_time(bench):
    rig = off(bench, ups_comm_in_update="kept")
    rig.unit.fault("update_comm_lost", for_s=400)
    go(rig)
    rig.later(59)
    assert rig.read("ups_comm") == 1
    rig.later(2)
    assert rig.read("ups_comm") == 2 and rig.read("ups_update") == IN_PROCESS
    rig.later(200)
    assert rig.read("ups_update") == IN_PROCESS
    rig.later(250)
    assert rig.read("ups_update") == SUCCESSFUL and rig.read("ups_comm") == 1
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)"


def test_communication_lost_for_good(bench):
    rig = off(bench)
    rig.unit.fault("update_comm_lost")
    go(rig)
    rig.later(2000)
    assert rig.read("ups_update") == FAILED and rig.read("ups_comm") == 2
    assert rig.truth["ups"]["firmware"] == "UPS 09.1 (ID18)" and not rig.truth["ups"]["bricked"]


def test_left_off(bench):
    rig = bench("srt3000", **QUICK)
    ups(rig, firmware="UPS 07.9 (ID1010)")
    put(rig, "SRT", 1010, "8.0", new_id=1025)
    rig.unit.fault("update_left_off")
    go(rig)
    rig.later(250)
    own = rig.truth["ups"]
    assert rig.read("ups_update") == SUCCESSFUL and own["firmware"] == "UPS 08.0 (ID1025)"
    assert not own["output_on"] and own["load_dropped"] and rig.read("ups_status") == 7 and 0x0114 in codes(rig)
    rig = off(bench, output_after_update="returns")
    rig.unit.fault("update_left_off")
    go(rig)
    rig.later(250)
    assert not rig.truth["ups"]["output_on"]


def test_stalls(bench):
    rig = off(bench)
    rig.unit.fault("update_stalls")
    go(rig)
    rig.later(20000)
    assert rig.read("ups_update") == IN_PROCESS and rig.truth["ups"]["update"]["ended_s"] is None


def test_successful_with_the_old_version(bench):
    rig = off(bench)
    rig.unit.fault("update_wrong_version")
    go(rig)
    rig.later(250)
    assert rig.read("ups_update") == SUCCESSFUL and rig.read("ups_firmware") == b"UPS 09.1 (ID18)"


def test_a_fault_at_the_beginning_of_the_update(bench):
    rig = off(bench, update_power_loss="failed")
    rig.unit.fault("source_fails", on="update_begun", after_s=10)
    go(rig)
    rig.later(15)
    assert rig.truth["ups"]["update"]["outcome"] == "the input failed"


# --- in virtual time, as the procedure drives it ---


class Hooks:
    def first_byte(self):
        pass

    def idle(self):
        pass

    def last_block(self, done, total):
        pass

    def sent(self, done, total):
        pass


def test_store_by_the_virtual_login_then_set(bench):
    rig = bench("smt1500rm2u", **QUICK)
    ups(rig, output_on=False)
    clock = VirtualClock(rig.unit)
    login = virtual_open_ftp(clock, rig.unit)()
    login.store("upsfw/SMT18UPS_09-3.enc", build_ups_file("SMT", 18, "9.3"), Hooks())
    assert b"0x0016" in login.fetch("event.txt")
    with pytest.raises(VirtualError) as refused:
        login.store("nowhere/SMT18UPS_09-3.enc", b"x", Hooks())
    assert refused.value.kind == "transfer"
    login.close()
    rig.snmp.set(UPDATE, START)
    clock.sleep(250)
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)"
    assert [row["what"] for row in rig.truth["write_log"]] == ["STOR", "SET"]


@pytest.mark.parametrize("size, device_s", [(512 * 1024, 8.7), (2 * 1024 * 1024, 35.0)])
def test_a_file_of_a_real_size_takes_the_time_of_a_real_card(bench, size, device_s):
    rig = off(bench)
    clock, data = VirtualClock(rig.unit), build_ups_file("SMT", 18, "9.3", size=size)
    assert len(data) == size
    login = virtual_open_ftp(clock, rig.unit)()
    start = clock.now()
    login.store("upsfw/SMT18UPS_09-3.enc", data, Hooks())
    assert clock.now() - start == pytest.approx(device_s + 0.5, abs=0.2)
    login.close()
    rig.snmp.set(UPDATE, START)
    clock.sleep(250)
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)" and rig.truth["files_received"][-1]["size"] == size


# --- what else may come between ---


def test_begun_on_battery_with_the_output_on_drops_the_load(bench):
    rig = bench("srt3000", **QUICK)
    ups(rig, firmware="UPS 07.9 (ID1010)", input_voltage_v=0)
    put(rig, "SRT", 1010, "8.0")
    assert not rig.truth["load_dropped"]
    go(rig)
    assert rig.truth["load_dropped"] and not rig.truth["output_on"], "the battery does not carry it"


def test_begun_on_battery_the_second_loss_is_an_interruption(bench):
    rig = off(bench, update_power_loss="failed")
    ups(rig, input_voltage_v=0)
    go(rig)
    ups(rig, input_voltage_v=120)
    rig.later(10)
    ups(rig, input_voltage_v=0)
    assert rig.truth["ups"]["update"]["outcome"] == "the input failed" and not rig.truth["ups"]["bricked"]


def test_the_card_restarts_before_the_update_has_begun(bench):
    rig = off(bench, ups_update_answer="late", ups_update_answer_s=9.0)
    go(rig)
    rig.unit.fault("card_restarts")
    rig.later(400)
    own = rig.truth["ups"]
    assert own["update"]["outcome"] == "the card went down" and not own["bricked"] and rig.read("ups_update") == NONE
    go(rig)
    rig.later(300)
    assert rig.read("ups_firmware") == b"UPS 09.3 (ID18)"


@pytest.mark.parametrize("after", ["stays_off", "returns"])
def test_the_output_after_a_rejected_file(bench, after):
    rig = bench("smt1500rm2u", **QUICK, update_with_output_on="turns_off", output_after_update=after)
    put(rig, ident=20)
    go(rig)
    assert not rig.truth["output_on"]
    rig.later(60)
    assert rig.truth["output_on"] is (after == "returns") and rig.truth["load_dropped"]
