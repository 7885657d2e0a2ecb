# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Smart-UPS as its card tells it (facts/UPS.md): device files, flags, battery, patches, what is written to it."""

from __future__ import annotations

import random

import pytest

from apcsim import Knobs, LoginRefused, Unit, build_ups_file, devicefile, ups_file_name
from apcsim.fields import FIELDS
from apcsim.virtual import VirtualError

U = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1)
UPDATE = (*U, 6, 2, 9, 0)
ALL = [name for name in devicefile.names() if devicefile.load(name).ups is not None]
# model, SKU, firmware, group names, last numbers of sysObjectID
IDENTITIES = {
    "smt1500rm2u": ("Smart-UPS 1500", "SMT1500RM2U", "UPS 09.1 (ID18)", 2, (27,)),
    "smt1500rm2u_fixed": ("Smart-UPS 1500", "SMT1500RM2U", "UPS 09.3 (ID18)", 2, (27,)),
    "smt1500rm1u": ("Smart-UPS 1500", "SMT1500RM1U", "UPS 09.5 (ID20) ", 2, (27,)),
    "smx1500rm2u": ("Smart-UPS X 1500", "SMX1500RM2U", "UPS 09.6 (ID20)", 3, (27,)),
    "smx3000rmhv2u": ("Smart-UPS X 3000", "SMX3000RMHV2UNC", "UPS 06.3 (ID23)", 4, (27,)),
    "smx3000rmhv2u_id1003": ("Smart-UPS X 3000", "SMX3000RMHV2UNC", "UPS 07.4 (ID1003) ", 4, (27,)),
    "srt3000": ("Smart-UPS SRT    3000", "SRT3000RMXLI", "UPS 08.2 (ID1025)", 3, (27,)),
    "sua1500": ("Smart-UPS 1500 RM", None, "617.3.I", None, (2, 7)),
    "smtl1000": ("Smart-UPS 1000", "SMTL1000RMI2UC", "UPS 04.1 (ID1047)", 2, (27,)),
}


def flags(rig):
    text = rig.read("ups_flags").decode()
    assert len(text) == 64 and set(text) <= {"0", "1"}
    return {number for number, char in enumerate(text, 1) if char == "1"}


def ups(rig, **values):
    rig.unit.patch({"ups": values})


def test_every_ups_is_listed():
    assert set(ALL) == set(IDENTITIES)


@pytest.mark.parametrize("name", ALL)
def test_identity_and_state(bench, name):
    model, sku, firmware, groups, end = IDENTITIES[name]
    rig = bench(name)
    seen = rig.walk()
    assert rig.read("ups_model").decode() == model and rig.read("ups_firmware").decode() == firmware
    assert rig.read("ups_sku") == (sku.encode() if sku else None)
    assert rig.read("sys_object_id")[8:] == (3, *end)
    assert rig.read("ups_serial").decode() == rig.unit.serial and rig.read("ups_name").decode() == rig.truth["name"]
    assert rig.read("ups_status") == 2 and rig.read("ups_comm") == 1 and rig.read("ups_replace") == 1
    assert rig.read("ups_battery") == 100 and rig.read("ups_runtime") > 100 * 100
    assert rig.read("ups_input_v") in (120, 230, 239) and 0 < rig.read("ups_load") < 100
    assert flags(rig) == {4, 6, 19}
    assert rig.read("ups_groups") == groups
    assert (rig.read("ups_update") == 1) if sku else (UPDATE not in seen)
    assert not any(oid[: len(U) - 1] == U[:-1] and oid[len(U) - 1] == 8 for oid in seen), "no ATS in a UPS"
    assert b"SN: ZA" in rig.read("sys_descr")
    assert (b"AN1:apc_hw21_su_" if name == "smtl1000" else b"_sumx_") in rig.read("sys_descr")


def test_the_published_old_unit_reads_as_published(bench):
    rig = bench("sua1500")
    assert (
        rig.read((*U, 3, 3, 1, 0)) == 2390 and rig.read((*U, 4, 3, 3, 0)) == 169 and rig.read("ups_runtime") == 396000
    )
    assert b"AN1:apc_hw02_sumx_372.bin MN:UPS_IDEN HR:A10" in rig.read("sys_descr")


def test_outlet_groups(bench):
    rig = bench("smx1500rm2u")
    row = (*U, 12, 1, 2, 1)
    assert [rig.read((*row, 2, n)) for n in (1, 2, 3)] == [b"Main Outlets", b"Outlet Group 1", b"Outlet Group 2"]
    assert [rig.read((*row, 5, n)) for n in (1, 2, 3)] == [2, 1, 1]
    ups(rig, groups={"2": {"on": False, "name": "{{ 1/0 }}"}})
    assert [rig.read((*row, 3, n)) for n in (1, 2, 3)] == [1, 2, 1] and rig.read((*row, 2, 2)) == b"{{ 1/0 }}"
    ups(rig, output_on=False)
    assert [rig.read((*row, 3, n)) for n in (1, 2, 3)] == [2, 2, 2]


@pytest.mark.parametrize("tree, count", [("absent", None), ("zero", 0), ("present", 2)])
def test_the_outlet_tree_is_a_knob(bench, tree, count):
    rig = bench("smt1500rm2u", outlet_tree=tree)
    assert rig.read("ups_groups") == count
    rows = [oid for oid in rig.walk() if oid[:13] == (*U, 12, 1, 2)]
    assert bool(rows) is (count == 2)


def test_on_battery_low_battery_empty_and_back(bench):
    rig = bench("smt1500rm2u")
    ups(rig, load_percent=50.0, input_voltage_v=0)
    assert rig.read("ups_status") == 3 and flags(rig) == {1, 2, 6, 19} and rig.read("ups_input_v") == 0
    assert rig.read("ups_output_v") == 120 and rig.truth["ups"]["on_battery"]
    before = rig.read("ups_battery"), rig.read("ups_runtime")
    rig.later(900)
    assert rig.read("ups_battery") == pytest.approx(50, abs=1) and rig.read("ups_runtime") < before[1]
    rig.later(800)
    assert 3 in flags(rig) and not rig.truth["load_dropped"]
    rig.later(120)
    truth = rig.truth
    assert truth["ups"]["load_dropped"] and truth["load_dropped"] and not truth["output_on"] and not rig.unit.snmp_up
    assert truth["ups"]["load_dropped_at_s"] == pytest.approx(1800, abs=1)
    ups(rig, input_voltage_v=120)
    rig.later(200)
    assert rig.unit.snmp_up and rig.read("ups_status") == 2 and rig.read("ups_comm") == 1 and rig.truth["output_on"]
    assert rig.read("ups_battery") < 5
    rig.later(4 * 3600)
    assert rig.read("ups_battery") == 100
    assert {0x0109, 0x0001, 0x0101} <= {row.code for row in rig.unit.events.rows}


def test_the_battery_keeps_its_charge_when_the_load_changes(bench):
    rig = bench("smt1500rm2u")
    ups(rig, load_percent=100.0, input_voltage_v=0)
    rig.later(450)
    ups(rig, load_percent=10.0)
    assert rig.truth["ups"]["battery_percent"] == pytest.approx(50, abs=0.5)
    rig.later(900)
    assert rig.truth["ups"]["battery_percent"] == pytest.approx(40, abs=0.5)


def test_a_short_run_time_is_a_low_battery(bench):
    rig = bench("smt1500rm2u")
    for percent, low in ((14.0, False), (12.0, True)):
        ups(rig, load_percent=100.0, battery_percent=percent)
        assert (3 in flags(rig)) is low


@pytest.mark.parametrize("change, status, flag", [
    ({"output_on": False}, 7, 58), ({"bypass": True}, 6, 13), ({"self_test": True}, 15, 29),
    ({"calibration": True}, 2, 10), ({"replace_battery": True}, 2, 5), ({"shutdown_pending": True}, 2, 22),
    ({"load_percent": 130}, 2, 9), ({"input_voltage_v": 100}, 4, 7), ({"input_voltage_v": 140}, 12, 8),
    ({"battery_percent": 3}, 2, 3),
])  # fmt: skip
def test_patches_show_in_status_and_flags(bench, change, status, flag):
    rig = bench("smt1500rm2u")
    assert flag not in flags(rig)
    ups(rig, **change)
    assert rig.read("ups_status") == status and flag in flags(rig)
    assert (19 in flags(rig)) is (status != 7)
    assert not rig.truth["load_dropped"], "also where somebody wants the output off"
    assert rig.read("ups_replace") == (2 if "replace_battery" in change else 1)


@pytest.mark.parametrize("patch", [
    {"ups": {"voltage": 1}}, {"inputs": {}}, {"ups": {"bypass": 1}}, {"ups": {"load_percent": -1}}, {"ups": 5},
    {"ups": {"battery_percent": True}}, {"ups": {"model": None}}, {"ups": {"groups": {"9": {"on": True}}}},
    {"ups": {"sku": "\ud800"}, "name": "x"}, {"load_current_a": 1}, {"ups": {"groups": {"1": {"state": 1}}}},
])  # fmt: skip
def test_what_is_unknown_is_refused_and_changes_nothing(bench, patch):
    rig = bench("smt1500rm2u")
    before = rig.truth
    with pytest.raises(ValueError):
        rig.unit.patch(patch)
    assert rig.truth == before
    with pytest.raises(ValueError, match="no UPS"):
        bench("ap7724").unit.patch({"ups": {"bypass": True}})


HOSTILE = [
    "<script>alert(1)</script>",
    "=1+1|cmd",
    "{{ lookup('pipe', 'id') }}",
    "a\tb\r\nc\x00\x1b[31m",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_passes_raw(bench, text):
    rig = bench("smt1500rm2u")
    rig.unit.patch({"name": text, "ups": {"model": text, "sku": text, "firmware": text}})
    for field in ("sys_name", "ups_name", "ups_model", "ups_sku", "ups_firmware"):
        assert rig.read(field) == text.encode()
    assert rig.truth["name"] == text and rig.truth["ups"]["sku"] == text


@pytest.mark.parametrize("values, load, model", [("stale", 30, True), ("minus_one", -1, True), ("absent", None, False)])
@pytest.mark.parametrize("how", ["patch", "fault"])
def test_without_communication(bench, values, load, model, how):
    rig = bench("smt1500rm2u", ups_values_when_lost=values)
    if how == "patch":
        ups(rig, comm=False)
    else:
        rig.unit.fault("communication_lost", for_s=60)
    assert rig.read("ups_comm") == 2 and rig.read("ups_load") == load and rig.read("ups_update") == 1
    assert (rig.read("ups_model") is not None) is model
    if model:
        assert 6 not in flags(rig)
    ups(rig, load_percent=70)
    assert rig.read("ups_load") == load and rig.truth["ups"]["load_percent"] == 70
    rig.later(61)
    ups(rig, comm=True)
    assert rig.read("ups_comm") == 1 and rig.read("ups_load") == 70 and flags(rig) == {4, 6, 19}
    assert [row.code for row in rig.unit.events.rows][-2:] == [0x0102, 0x0101]


def test_a_restarted_card_must_find_the_ups_again(bench):
    rig = bench("smt1500rm2u", boot_s=40, app_start_s=5, comm_delay_s=20)
    rig.unit.fault("card_restarts")
    rig.later(42)
    assert rig.read("ups_model") is None and rig.unit.snmp_up
    rig.later(10)
    assert rig.read("ups_comm") == 2
    rig.later(20)
    assert rig.read("ups_comm") == 1 and not rig.truth["load_dropped"] and rig.truth["output_on"]


def test_frozen_missing_and_overridden_values(bench):
    rig = bench("smt1500rm2u")
    rig.unit.fault("frozen")
    ups(rig, load_percent=80, input_voltage_v=0)
    assert rig.read("ups_load") == 30 and rig.read("ups_status") == 2 and rig.truth["ups"]["load_percent"] == 80
    rig.unit.clear_faults()
    assert rig.read("ups_load") == 80 and rig.read("ups_status") == 3
    rig.unit.fault("snmp_missing", oids=["ups_sku"])
    rig.unit.fault("override", values={"ups_firmware": "4.1", "ups_flags": None, "ups_battery": 7})
    assert rig.read("ups_sku") is None and rig.read("ups_firmware") == b"4.1" and rig.read("ups_flags") is None
    assert rig.read("ups_battery") == 7
    rig.unit.clear_faults()
    rig.unit.fault("snmp_minus_one")
    assert rig.read("ups_status") == -1 and rig.read("ups_comm") == -1
    rig.unit.fault("no_answer")
    assert not rig.unit.snmp_up


def test_every_set_is_in_the_log_taken_or_not(bench):
    rig = bench("smt1500rm2u")
    rig.snmp.write_community = "public"
    with pytest.raises(VirtualError) as refused:
        rig.snmp.set(UPDATE, 2)
    assert refused.value.kind == "auth"
    rig.snmp.write_community = "wrong"
    began = rig.unit.now
    with pytest.raises(VirtualError) as silent:
        rig.snmp.set(UPDATE, 2)
    assert silent.value.kind == "timeout" and rig.unit.now - began == pytest.approx(4.0)
    rig.snmp.write_community = "private"
    session = rig.unit.login("apc", "apc")
    rig.snmp.set(UPDATE, 2)  # dropped without a word
    session.close()
    with pytest.raises(VirtualError) as bad:
        rig.snmp.set(UPDATE, 3)
    assert bad.value.kind == "unsupported"
    with pytest.raises(VirtualError) as missing:
        rig.snmp.set((1, 3, 9, 0), 1)
    assert missing.value.kind == "auth"
    rig.snmp.set(UPDATE, 1)
    rig.snmp.set(FIELDS["ups_name"], b"new")
    rig.snmp.set((1, 3, 6, 1, 4, 1, 318, 2, 2, 1, 0), 1)
    rows = rig.truth["writes"]
    assert [row["taken"] for row in rows] == [False] * 5 + [True] * 3
    assert rows[0]["who"] == "v1 public" and rows[0]["oid"] == ".".join(map(str, UPDATE)) and rows[0]["value"] == 2
    assert rig.truth["ups"]["update"]["started_s"] is None and rig.truth["name"] == "ups-rack-01"
    assert [row["what"] for row in rig.truth["write_log"]] == ["SET"] * 8 + ["restart"]


@pytest.mark.parametrize("device, oid", [("sua1500", UPDATE), ("ap7724", UPDATE), ("ap8853", UPDATE)])
def test_no_update_object_elsewhere(bench, device, oid):
    rig = bench(device)
    assert rig.unit.snmp_set(oid, 2) == "noSuchName" and not rig.truth["writes"][0]["taken"]


def test_directories(bench):
    rig = bench("smt1500rm2u")
    session = rig.unit.login("apc", "apc")
    assert session.cwd("upsfw") == "/upsfw" and session.cwd("..") == "/" and session.cwd("/logs/") == "/logs"
    for path in ("upsfw", "/etc", "/upsfw/x", "nope"):
        with pytest.raises(FileNotFoundError):
            session.cwd(path)
    assert session.cwd("/upsfw") == "/upsfw"
    with pytest.raises(FileNotFoundError):
        session.fetch("event.txt")
    assert session.cwd("/") == "/" and b"0x0016" in session.fetch("event.txt")
    with pytest.raises(FileNotFoundError):
        session.store("nope/SMT18UPS_09-3.enc")
    session.close()
    ats = bench("ap7724").unit.login("apc", "apc")
    with pytest.raises(FileNotFoundError):
        ats.cwd("upsfw")
    assert ats.cwd("/") == "/"


@pytest.mark.parametrize("cwd, name, lies", [
    ("upsfw", "SMT18UPS_09-3.enc", True), ("", "upsfw/SMT18UPS_09-3.enc", True),
    ("logs", "/upsfw/SMT18UPS_09-3.enc", True), ("", "SMT18UPS_09-3.enc", False), ("logs", "SMT18UPS_09-3.enc", False),
])  # fmt: skip
def test_where_a_file_lies(bench, cwd, name, lies):
    rig = bench("smt1500rm2u")
    session = rig.unit.login("apc", "apc")
    session.cwd(f"/{cwd}")
    store = session.store(name)
    store.write(b"x" * 100)
    store.finish()
    assert session.alive, "the card does not restart"
    session.close()
    truth = rig.truth
    assert truth["restarts"] == [] and truth["card"]["up"]
    assert truth["ups"]["update"]["in_upsfw"] == ("SMT18UPS_09-3.enc" if lies else None)
    assert len(truth["files_received"]) == 1 and truth["transfers"][0]["outcome"] == "stored"
    assert [row["what"] for row in truth["write_log"]] == ["STOR"]
    assert truth["files_received"][0]["name"].startswith("upsfw/") is lies


@pytest.mark.parametrize("keeps", [True, False])
def test_a_cut_transfer_replaces_what_lay_there(bench, keeps):
    rig = bench("smt1500rm2u", upsfw_cut_keeps_part=keeps)
    session = rig.unit.login("apc", "apc")
    first = session.store("upsfw/SMT18UPS_09-2.enc")
    first.finish()
    rig.unit.fault("transfer_cut", at_byte=50, module="file")
    second = session.store("upsfw/SMT18UPS_09-3.enc")
    with pytest.raises(ConnectionResetError):
        second.write(b"x" * 100)
    assert rig.truth["ups"]["update"]["in_upsfw"] == ("SMT18UPS_09-3.enc" if keeps else None)
    assert rig.truth["files_received"][-1] | {"at_s": 0, "sha256": ""} == {
        "name": "upsfw/SMT18UPS_09-3.enc", "size": 50, "sha256": "", "at_s": 0, "complete": False,
    }  # fmt: skip


def test_one_user_at_a_time_on_a_ups_too(bench):
    rig = bench("smt1500rm2u")
    rig.unit.login("apc", "apc")
    with pytest.raises(LoginRefused):
        rig.unit.login("apc", "apc")


def test_random_knobs_of_the_ups_leave_the_others_alone():
    rng, again = random.Random(5), random.Random(5)
    first, second = Knobs.random(rng), Knobs.random(again, outlet_tree="zero")
    assert first.but(outlet_tree="") == second.but(outlet_tree="") and rng.random() == again.random()
    drawn = [Knobs.random(random.Random(seed)) for seed in range(60)]
    for name in Knobs.names()[Knobs.names().index("outlet_tree") :]:
        assert len({getattr(knobs, name) for knobs in drawn}) > 1, name
    assert all(120 <= knobs.ups_update_s <= 900 for knobs in drawn)


def test_the_same_seed_is_the_same_ups():
    assert Unit.load("srt3000", seed=3).truth() == Unit.load("srt3000", seed=3).truth()


@pytest.mark.parametrize("seed", range(60))
def test_any_history_leaves_a_ups_that_makes_sense(bench, seed):
    """Random hands, faults and updates under random knobs: nothing breaks, and what is lost stays lost."""
    rng = random.Random(seed)
    name = rng.choice(ALL)
    knobs = Knobs.random(rng)
    rig = bench(name, unit={"seed": seed}, **{field: getattr(knobs, field) for field in Knobs.names()})
    dropped = bricked = False
    firmware = rig.truth["ups"]["firmware"]
    faults = ["update_rejected", "update_comm_lost", "update_left_off", "update_wrong_version", "communication_lost",
              "card_restarts", "source_fails", "source_returns", "frozen", "set_ignored"]  # fmt: skip
    for _unused in range(40):
        act = rng.randrange(6)
        if act == 0:
            ups(rig, **{rng.choice(["bypass", "self_test", "comm", "output_on"]): rng.random() < 0.5})
        elif act == 1:
            ups(rig, input_voltage_v=rng.choice([0, 0, rig.unit.ups.nominal_v]), load_percent=rng.uniform(0, 110))
        elif act == 2:
            rig.unit.fault(rng.choice(faults), for_s=rng.choice([None, 30.0, 600.0]))
        elif act == 3 and rig.unit.ftp_state == "up" and not rig.unit.sessions.open:
            series, ident = rng.choice(["SMT", "SMX", "SRT"]), rng.choice([18, 20, 23, 1003, 1025])
            session = rig.unit.login("apc", "apc") if "session_busy" not in rig.unit.faults.active else None
            store = session.store(f"/upsfw/{ups_file_name(series, ident, '9.9')}")
            store.write(build_ups_file(series, ident, "9.9", size=600))
            store.finish()
            session.close()
        elif act == 4 and rig.unit.snmp_up:
            rig.unit.snmp_set(UPDATE, rng.choice([1, 2, 2, 3]), "v1 private")
        elif rng.random() < 0.3:
            rig.unit.clear_faults()
        rig.later(rng.choice([0.5, 20, 400]))
        own = rig.truth["ups"]
        assert own["load_dropped"] or not dropped, "it stays dropped"
        assert own["bricked"] or not bricked, "it stays bricked"
        assert own["comm"] is not True or not own["bricked"]
        assert own["firmware"] == firmware or own["update"]["outcome"] == "successful"
        assert 0 <= own["battery_percent"] <= 100
        firmware, dropped, bricked = own["firmware"], own["load_dropped"], own["bricked"]
        if rig.unit.snmp_up:
            seen = rig.walk()
            shown = seen.get(FIELDS["ups_flags"])
            assert shown is None or len(shown) == 64
