# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the card answers: the published values, the quirks of facts/ATS.md, the faults."""

from __future__ import annotations

import pytest

from apcsim import Unit, devicefile
from apcsim.fields import FIELDS

A = "1.3.6.1.4.1.318.1.1.8."
# of the published AP7724; left out: what the file's `completed` names
AP7724 = """
1.1.0 R01|1.2.0 3.0.5|1.3.0 09/13/11|1.4.0 04/18/2015|1.5.0 AP7724|1.7.0 230|1.8.0 50|1.9.0 32|2.1.1.0 2
2.1.3.1.3.1.1.1 487|2.1.3.1.3.2.1.1 488|2.2.2.1.3.3 2560|2.3.3.1.3.1.1.1 487|3.1.0 1|3.2.0 -1
4.2.0 2|4.3.0 2|4.4.0 1|4.5.0 2|4.6.0 32|4.7.0 -1|4.8.0 230|4.9.0 16|4.10.0 23|4.11.0 30|4.12.0 2|4.13.0 3
4.14.1.4.1 28|4.14.1.4.2 12|4.14.1.5.1 32|4.14.1.5.3 16|4.15.0 0
5.1.1.0 2|5.1.2.0 2|5.1.3.0 2|5.1.4.0 2|5.1.5.0 2|5.1.6.0 2|5.1.7.0 2|5.1.8.0 2|5.1.9.0 2|5.1.10.0 2|5.1.11.0 2
5.1.12.0 2|5.1.13.0 2|5.1.14.0 1|5.1.15.0 2|5.1.16.0 2|5.2.1.0 -1|5.3.1.0 2|5.3.2.1.4.1 50|5.3.2.1.4.2 50
5.3.2.1.6.1 Source A|5.3.2.1.6.2 Source B|5.3.3.1.3.1.1.1 216|5.3.3.1.3.2.1.1 215|5.3.3.1.6.1.1.1 -1
5.4.1.0 1|5.4.2.1.4.1 50|5.4.4.0 3|5.4.5.1.2.1 1|5.4.5.1.2.2 1|5.4.5.1.2.3 1|5.4.5.1.3.1 1|5.4.5.1.4.1 88
5.4.5.1.5.1 1|5.4.5.1.6.1 215|5.4.5.1.9.1 1883|5.4.5.1.9.2 984|5.4.5.1.9.3 898|5.4.5.1.12.1 25|5.4.5.1.12.2 13
5.4.5.1.12.3 12|5.4.5.1.15.1 1883|5.4.5.1.16.1 -1|5.4.5.1.18.1 25|5.4.5.1.18.2 13|5.4.5.1.18.3 12|5.4.5.1.20.3 -1
"""
AP4423 = """
1.1.0 R01|1.2.0 4.1.9|1.5.0 AP4423|5.1.2.0 1|5.1.3.0 2|5.1.10.0 2|5.1.12.0 2|5.1.13.0 2|5.1.14.0 1
"""


def published(text):
    for item in text.strip().replace("\n", "|").split("|"):
        suffix, value = item.split(" ", 1)
        plain = int(value) if value.lstrip("-").isdigit() else value.encode()
        yield devicefile.oid_of(A + suffix), plain


@pytest.mark.parametrize("device, text", [("ap7724", AP7724), ("ap4423", AP4423)])
def test_published_values_read_back(bench, device, text):
    objects = bench(device).walk()
    wanted = dict(published(text))
    assert {oid: objects.get(oid) for oid in wanted} == wanted


def test_ap7724_completed_values(bench):
    rig = bench()
    assert rig.read("sys_descr") == (
        b"APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 "
        b"AN1:apc_hw02_g2ats_371.bin MN:AP7724 HR:R01 SN: 5A1511T00001 MD:04/18/2015)"
    )
    assert rig.read("sys_object_id") == (1, 3, 6, 1, 4, 1, 318, 1, 3, 11)
    assert (rig.read("bank_1"), rig.read("bank_2")) == (46, 42)
    addresses = [value for oid, value in rig.walk().items() if oid[:10] == (1, 3, 6, 1, 2, 1, 4, 20, 1, 1)]
    assert addresses == [bytes((127, 0, 0, 1)), bytes((192, 0, 2, 10))]
    assert not any(oid[:12] == (*devicefile.oid_of(A + "5.4"), 3) for oid in rig.walk()), "no phase table"


def test_types_of_the_agent(bench):
    unit = bench().unit
    for name, kind in (("sys_descr", "str"), ("uptime", "ticks"), ("bank_total", "gauge"), ("sys_object_id", "oid")):
        assert unit.snmp_next(FIELDS[name][:-1])[1] == kind
    assert unit.snmp_next((1, 4)) is None


def test_other_devices(bench):
    rig = bench("ap7750a")
    assert rig.read("phase_current") == 42 and rig.read("bank_total") is None
    assert rig.read(devicefile.oid_of(A + "5.4.4.0")) == 0
    rig = bench("ap4423")
    assert rig.read("comm") is None and rig.read("voltage_a") is None and rig.read("sys_object_id")[-1] == 32
    rig = bench("ap8853")
    assert not any(oid[:10] == devicefile.oid_of(A.strip(".")) for oid in rig.walk())
    assert b"rpdu2g" in rig.read("sys_descr") and rig.read("sys_object_id")[-2:] == (4, 6)
    assert b"PN:aos261.bin AF1:v2.6.1 AN1:ats261.bin MN:AP7750 " in bench("ap7750").read("sys_descr")
    rig = bench("ap7723")
    assert rig.read("comm") == 3 and b"PF:v3.9.2" in rig.read("sys_descr")


@pytest.mark.parametrize("name", devicefile.names())
def test_every_device_notes_its_sources(name):
    device = devicefile.load(name)
    assert len(device.completed) >= 2
    text = (devicefile.resources.files("apcsim") / "devices" / f"{name}.yaml").read_text()
    assert "# source: " in text
    with pytest.raises(ValueError, match="no device file"):
        devicefile.load("ap0000")


@pytest.mark.parametrize("knobs, voltage", [
    ({"dead_voltage": "zero"}, 0), ({"dead_voltage": "minus_one"}, -1), ({"dead_voltage": "no_row"}, None),
    ({"dead_voltage": "ghost", "ghost_v": 21}, 21),
])  # fmt: skip
@pytest.mark.parametrize("knobs2, frequency", [
    ({"dead_frequency": "zero"}, 0), ({"dead_frequency": "minus_one"}, -1), ({"dead_frequency": "absent"}, None),
])  # fmt: skip
@pytest.mark.parametrize("supply", [1, 2, 0])
def test_dead_source_variants(bench, knobs, voltage, knobs2, frequency, supply):
    rig = bench(**knobs, **knobs2, dead_supply_24v=supply)
    rig.plug("A", False)
    assert rig.read("source_a") == 1 and rig.read("source_b") == 2 and rig.read("redundancy") == 1
    assert rig.read("voltage_a") == voltage and rig.read("frequency_a") == frequency
    assert rig.read("supply_24v_a") == supply and rig.read("supply_24v_b") == 2
    assert rig.read("voltage_b") == 215 and rig.read("frequency_b") == 50 and rig.read("phase_sync") == 2
    rig.plug("A", True)
    assert rig.read("voltage_a") == 216 and rig.read("source_a") == 2 and rig.read("redundancy") == 2


@pytest.mark.parametrize("reading, value", [("fitted", 2), ("minus_one", -1), ("zero", 0), ("absent", None)])
def test_internal_supplies(bench, reading, value):
    rig = bench(internal_supplies=reading)
    assert [rig.read(name) for name in ("supply_5v", "supply_12v", "supply_minus_12v")] == [value] * 3


@pytest.mark.parametrize("variant, normal, over", [("plain", 2, 1), ("state", 1, 4)])
def test_over_current_variants(bench, variant, normal, over):
    rig = bench(over_current=variant)
    assert rig.read("over_current") == normal
    rig.load(40)
    assert rig.read("over_current") == over and rig.read("bank_total_state") == 4


def test_small_currents(bench):
    for zero, shown in ((True, 0), (False, 7)):
        rig = bench(small_current_reads_zero=zero)
        rig.load(0.7)
        assert rig.read("bank_total") == shown and rig.truth["load_current_a"] == 0.7


def test_values_lag(bench):
    rig = bench(ats_lag_s=15)
    rig.feed("A", 0)
    rig.later(14.9)
    assert rig.read("voltage_a") == 216 and rig.read("source_a") == 2
    rig.feed("A", 216)
    rig.later(0.2)
    assert rig.read("voltage_a") == 0
    rig.later(15)
    assert rig.read("voltage_a") == 216


def test_transfer_range_decides_what_is_good(bench):
    rig = bench()
    rig.unit.patch({"transfer_range": 3})
    assert rig.read("source_b") == 2 and rig.read("source_a") == 2
    rig.feed("A", 213)
    assert rig.read("source_a") == 1
    rig.unit.patch({"transfer_range": 1})
    assert rig.read("source_a") == 2


def test_phase_shift_and_jitter(bench):
    assert bench(phase_shift_deg=120).read("phase_sync") == 2
    rig = bench(voltage_jitter_v=1.5)
    seen = set()
    for _unused in range(40):
        rig.later(5)
        seen.add(rig.read("voltage_b"))
    assert len(seen) > 1 and seen <= {213, 214, 215, 216, 217}


@pytest.mark.parametrize("during, comm", [("established", 2), ("lost", 3), ("stale", 2)])
@pytest.mark.parametrize("ats, voltage", [("stale", 0), ("minus_one", -1), ("absent", None)])
def test_while_downloading(bench, during, comm, ats, voltage):
    rig = bench(comm_during_download=during, ats_during_download=ats)
    rig.plug("A", False)
    rig.to_download()
    assert rig.read("comm") == comm and rig.read("voltage_a") == voltage
    rig.load(0)
    rig.plug("A", True)
    assert rig.read("voltage_a") == voltage, "what the controller does not tell is not seen"
    rig.later(120)
    assert rig.read("voltage_a") == 216 and rig.read("comm") == 2


@pytest.mark.parametrize("cold, knobs, before", [
    (True, {"comm_before": 1}, 1), (True, {"comm_before": 3}, 3), (False, {"comm_before_warm": 1}, 1),
])  # fmt: skip
def test_communication_before_it_is_established(bench, cold, knobs, before):
    rig = bench(boot_s=30, app_start_s=5, comm_delay_s=40, **knobs)
    rig.unit.fault("card_restarts", cold=cold)
    rig.later(36)
    assert rig.read("comm") == before and rig.read("source_b") == -1
    rig.later(40)
    assert rig.read("comm") == 2 and rig.read("source_b") == 2


def test_communication_gap_after_the_download(bench):
    rig = bench(comm_gap_after_download_s=10)
    rig.plug("A", False)
    rig.to_download()
    rig.until(lambda: not rig.unit.controller.downloading)
    assert rig.read("comm") == 3
    rig.later(11)
    assert rig.read("comm") == 2


def test_success_row_only_by_knob(bench):
    for wanted in (False, True):
        rig = bench(success_row=wanted)
        rig.plug("A", False)
        rig.to_download()
        rig.later(100)
        assert any("successful" in text for text in rig.texts()) is wanted


def test_uptime_wraps_and_runs(bench):
    rig = bench()
    first = rig.read("uptime")
    rig.later(7)
    assert rig.read("uptime") - first == 700
    rig.later(43_000_000)
    assert rig.read("uptime") < 2**32


# --- faults of reading ---


def test_override_lies_and_truth_stays(bench):
    rig = bench()
    rig.unit.fault("override", values={"source_a": 1, "voltage_a": 0, "comm": 7, A + "1.2.0": "9.9.9", "bank_1": None})
    assert (rig.read("source_a"), rig.read("voltage_a"), rig.read("comm")) == (1, 0, 7)
    assert rig.read("revision") == b"9.9.9" and rig.read("bank_1") is None
    assert rig.truth["inputs"]["A"]["live"] and rig.truth["controller"]["comm"] == 2
    rig.unit.fault("override", values={"uptime": 12, "sys_descr": "something else"})
    assert rig.read("uptime") == 12 and rig.read("sys_descr") == b"something else" and rig.read("voltage_a") == 216
    rig.unit.clear_faults()
    assert rig.read("voltage_a") == 216 and rig.read("uptime") > 12
    with pytest.raises(ValueError, match="neither a field nor an OID"):
        rig.unit.fault("override", values={"no_such_field": 1})
    rig.unit.fault("redundancy")
    assert rig.read("redundancy") == 1 and rig.truth["redundant"]


def test_missing_and_minus_one(bench):
    rig = bench()
    rig.unit.fault("snmp_missing", oids=["voltage_a", A + "5.4"])
    assert rig.read("voltage_a") is None and rig.read("bank_total") is None and rig.read("voltage_b") == 215
    rig.unit.clear_faults()
    rig.unit.fault("snmp_minus_one")
    assert rig.read("voltage_a") == -1 and rig.read("comm") == -1 and rig.read("sys_descr") is not None
    rig.unit.clear_faults()
    rig.unit.fault("snmp_missing")
    assert not any(oid[:10] == devicefile.oid_of(A.strip(".")) for oid in rig.walk())


def test_frozen(bench):
    rig = bench()
    rig.unit.fault("frozen")
    rig.plug("A", False)
    before = rig.read("uptime")
    rig.later(20)
    assert rig.read("voltage_a") == 216 and rig.read("uptime") == before + 2000
    rig.unit.clear_faults()
    assert rig.read("voltage_a") == 0
    rig.unit.fault("frozen", oids=["uptime"])
    before = rig.read("uptime")
    rig.later(20)
    assert rig.read("uptime") == before


def test_communication_lost_and_back(bench):
    rig = bench(ats_when_lost="minus_one")
    rig.unit.fault("communication_lost", for_s=60)
    assert rig.read("comm") == 3 and rig.read("voltage_a") == -1 and rig.read("name") == b"ats-rack-04"
    rig.later(61)
    assert rig.read("comm") == 2 and rig.read("voltage_a") == 216 and rig.truth["controller"]["alive"]


def test_communication_lost_over_a_restart_comes_back(bench):
    rig = bench()
    rig.unit.fault("communication_lost")
    rig.unit.fault("card_restarts")
    rig.later(400)
    assert rig.read("comm") == 3
    rig.unit.clear_faults()
    rig.later(100)
    assert rig.read("comm") == 2 and not rig.truth["damaged"]


def test_display_failure(bench):
    rig = bench()
    rig.unit.fault("display_failure")
    assert rig.read("hardware") == 1 and "7-Segment display hardware failure." in rig.texts()
    rig.unit.clear_faults()
    assert rig.read("hardware") == 2


def test_faults_are_checked(bench):
    unit = bench().unit
    for name, params in (
        ("nonsense", {}), ("slow", {"speed": 1}), ("source_returns", {"on": "christmas"}),
        ("transfer_cut", {"at_byte": 1, "module": "ups"}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"no fault|does not take|no event|module is"):
            unit.fault(name, **params)


@pytest.mark.parametrize("change", [
    {"nonsense": 1}, {"inputs": {"C": {}}}, {"inputs": {"A": {"volts": 1}}}, {"load_current_a": -1},
    {"load_current_a": "8"}, {"preferred_source": "C"}, {"inputs": {"A": {"voltage_v": float("nan")}}},
    {"load_current_a": True}, {"sensitivity": 1, "transfer_range": 9}, {"load_current_a": 1, "front_panel": 3},
])  # fmt: skip
def test_patches_are_checked_and_do_nothing_then(bench, change):
    rig = bench()
    before = rig.truth
    with pytest.raises(ValueError, match=r"."):
        rig.unit.patch(change)
    assert rig.truth == before


def test_twins_differ_in_what_is_unique(bench):
    one = Unit.load("ap7724", serial="5A1511T00007", name="twin-7", address="192.0.2.77")
    assert one.snmp_next(FIELDS["serial"][:-1])[2] == b"5A1511T00007"
    assert one.snmp_next(FIELDS["sys_name"][:-1])[2] == b"twin-7" == one.snmp_next(FIELDS["name"][:-1])[2]
    assert one.snmp_next((1, 3, 6, 1, 2, 1, 4, 20, 1, 1, 128))[2] == bytes((192, 0, 2, 77))


def test_a_request_is_answered_as_its_objects_are_one_by_one():
    unit = Unit.load("ap7724")
    names = [FIELDS[name][:-1] for name in ("serial", "selected", "redundancy", "sys_name")]
    names += [(1, 3, 6, 1, 2, 1, 1, 3), (1, 4), (*FIELDS["comm"], 0)]

    def alike():
        one_by_one = [unit.snmp_next(name) for name in names]
        whole = unit.snmp_request(tuple(names))
        assert whole == [None if one is None else (one[0], one[2]) for one in one_by_one]
        return whole

    first = alike()
    unit.advance(unit.now + 30)
    assert alike()[4] == (first[4][0], first[4][1] + 3000)
    for change in (lambda: unit.fault("snmp_missing", oids=["redundancy"]), unit.clear_faults):
        before = alike()
        change()
        assert alike()[2] != before[2]
    assert alike()[:4] == first[:4]
