# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Smart-UPS by SNMP: three captured units, every value of every enum, and anything a device may say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import state as d
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Kind, Reading
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ups import decode_ups, read_ups
from ansible_collections.dcops.apc.plugins.module_utils._runs._ups_results import ups_result
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import SnmpOptions, open_snmp
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import MemoryClient, UdpAgent, load
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import effort

st = pytest.importorskip("hypothesis.strategies")
from hypothesis import given, settings  # noqa: E402

U = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1)
# Name of the reading -> its object, and the words of UPS.md (those that it names).
ENUMS: dict[str, tuple[tuple[int, ...], dict[int, str]]] = {
    "status": (
        (*U, 4, 1, 1, 0),
        {2: "ON_LINE", 3: "ON_BATTERY", 4: "ON_SMART_BOOST", 5: "TIMED_SLEEPING", 6: "SOFTWARE_BYPASS", 7: "OFF",
         8: "REBOOTING", 9: "SWITCHED_BYPASS", 10: "HARDWARE_FAILURE_BYPASS", 11: "SLEEPING_UNTIL_POWER_RETURN",
         12: "ON_SMART_TRIM", 13: "ECO_MODE", 14: "HOT_STANDBY", 15: "ON_BATTERY_TEST"},
    ),
    "comm": ((*U, 8, 1, 0), {1: "OK", 2: "NONE"}),
    "replace_battery": ((*U, 2, 2, 4, 0), {1: "NO", 2: "YES"}),
    "firmware_update": (
        (*U, 6, 2, 9, 0),
        {1: "NONE", 2: "STARTED", 3: "IN_PROCESS", 4: "SUCCESSFUL", 5: "FAILED"},
    ),
    "battery_status": ((*U, 2, 1, 1, 0), {1: "UNKNOWN", 2: "NORMAL", 3: "LOW"}),
    "self_test": ((*U, 7, 2, 3, 0), {1: "OK", 2: "FAILED", 3: "INVALID", 4: "IN_PROGRESS"}),
    "calibration": ((*U, 7, 2, 6, 0), {1: "OK", 2: "INVALID", 3: "IN_PROGRESS"}),
}  # fmt: skip
NUMBERS: dict[str, tuple[tuple[int, ...], int]] = {
    "battery_percent": ((*U, 2, 2, 1, 0), 100),
    "input_voltage_v": ((*U, 3, 2, 1, 0), 1000),
    "output_voltage_v": ((*U, 4, 2, 1, 0), 1000),
    "load_percent": ((*U, 4, 2, 3, 0), 1000),
    "outlet_count": ((*U, 12, 1, 1, 0), 64),
}
TENTHS = {
    "battery_percent": (*U, 2, 3, 1, 0),
    "input_voltage_v": (*U, 3, 3, 1, 0),
    "output_voltage_v": (*U, 4, 3, 1, 0),
    "load_percent": (*U, 4, 3, 3, 0),
}
TEXTS = {
    "model": (*U, 1, 1, 1, 0),
    "name": (*U, 1, 1, 2, 0),
    "manufactured": (*U, 1, 2, 2, 0),
    "serial": (*U, 1, 2, 3, 0),
    "sku": (*U, 1, 2, 5, 0),
    "hardware_revision": (*U, 1, 2, 6, 0),
}
NAME, STATE, TYPE = (*U, 12, 1, 2, 1, 2), (*U, 12, 1, 2, 1, 3), (*U, 12, 1, 2, 1, 5)
ODD: list[Any] = [0, -2, 99, 2**31, 2**70, 10**5000, b"2", b"", (2,), ()]


def readings(state: d.UpsState) -> dict[str, Reading[Any]]:
    found = {item.name: getattr(state, item.name) for item in dataclasses.fields(state)}
    return {name: value for name, value in found.items() if isinstance(value, Reading)}


# --- the captures ---------------------------------------------------------------------------------------------------
CAPTURES: list[tuple[str, dict[str, Any]]] = [
    (
        "ups_smx750",
        {
            "model": "Smart-UPS X 750", "serial": "IS1518000750", "family": "SMX", "rated_va": 750,
            "firmware": {"raw": "UPS 09.8 (ID20) ", "version": "09.8", "id": 20},
            "status": "on_line", "input_voltage_v": 119, "output_voltage_v": 119, "load_percent": 0.0,
            "battery": {"status": None, "percent": 100, "runtime_s": 109762, "replace": False},
        },
    ),
    (
        "ups_smx2200",
        {
            "model": "Smart-UPS X 2200", "serial": "JS1618002200", "family": "SMX", "rated_va": 2200,
            "firmware": {"raw": "UPS 07.4 (ID1003) ", "version": "07.4", "id": 1003},
            "status": "on_line", "input_voltage_v": 232, "output_voltage_v": 232, "load_percent": 55.7,
            "battery": {"status": None, "percent": 100, "runtime_s": 4949, "replace": False},
        },
    ),
    (
        "ups_sua1500",
        {
            "model": "Smart-UPS 1500 RM", "serial": "AS0718001500", "family": None, "rated_va": 1500,
            "firmware": {"raw": "617.3.I", "version": None, "id": None},
            "status": "on_line", "input_voltage_v": 239, "output_voltage_v": 239, "load_percent": 16.9,
            "battery": {"status": None, "percent": 100, "runtime_s": 3960, "replace": False},
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), CAPTURES)
def test_captured_units(name: str, expected: dict[str, Any]) -> None:
    client = MemoryClient(load(name))
    read = read_ups(client)
    result = ups_result(read.ups)
    assert read.ups.objects_answered and client.requests == 2
    assert {key: result[key] for key in expected} == expected
    # None of the three shows these, and none of them is -1, 0 or "" then.
    for key in (
        "sku",
        "form_factor",
        "name",
        "comm",
        "self_test",
        "calibration",
        "firmware_update",
        "manufactured",
        "rating",
    ):
        assert result[key] is None
    assert set(result["flags"].values()) == {None}
    assert result["outlet_groups"] == {"count": None, "groups": []}
    assert read.ups.outlet_count.kind is Kind.NOT_FITTED
    assert read.nmc.identity.app_token == "sumx" and read.nmc.name == "ups-r12"


def test_the_same_over_a_socket() -> None:
    values = load("ups_smx750")
    with UdpAgent(values).running() as agent:
        for version in ("v1", "v2c"):
            options = SnmpOptions(address="127.0.0.1", port=agent.port, version=version, timeout_s=2.0, retries=0)
            client = open_snmp(options)
            try:
                assert read_ups(client).ups == decode_ups(values)
            finally:
                client.close()


@pytest.mark.parametrize("name", ["ap8853", "ap7724", "ap4423"])
def test_other_devices_answer_no_object_of_a_ups(name: str) -> None:
    ups = read_ups(MemoryClient(load(name))).ups
    assert not ups.objects_answered
    assert {reading.kind for reading in readings(ups).values()} == {Kind.NOT_FITTED}
    assert (ups.model, ups.sku, ups.firmware.raw, ups.outlet_groups) == (None, None, None, ())


# --- single objects -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ENUMS)
def test_every_value_of_every_enum(name: str) -> None:
    oid, words = ENUMS[name]
    for value, word in words.items():
        assert getattr(decode_ups({oid: value}), name).or_none().name == word
    assert getattr(decode_ups({}), name).kind is Kind.NOT_FITTED
    assert getattr(decode_ups({oid: -1}), name).kind is Kind.NOT_FITTED
    for odd in ODD:
        reading = getattr(decode_ups({oid: odd}), name)
        assert reading.kind is Kind.UNKNOWN and len(reading.why) < 100


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_within_reason(name: str) -> None:
    oid, most = NUMBERS[name]
    for value in (0, 1, most):
        assert getattr(decode_ups({oid: value}), name).is_(value)
    assert getattr(decode_ups({oid: -1}), name).kind is Kind.NOT_FITTED
    for odd in (most + 1, -2, 2**31, 10**5000, b"1", b"", (1,)):
        assert getattr(decode_ups({oid: odd}), name).kind is Kind.UNKNOWN


@pytest.mark.parametrize("name", TENTHS)
def test_the_precise_object_where_the_other_is_silent(name: str) -> None:
    whole, precise = NUMBERS[name][0], TENTHS[name]
    assert getattr(decode_ups({precise: 500}), name).is_(50)
    assert getattr(decode_ups({whole: -1, precise: 500}), name).is_(50)
    assert getattr(decode_ups({whole: -1, precise: -1}), name).or_none() is None
    assert getattr(decode_ups({whole: 42, precise: -1}), name).is_(42)
    assert getattr(decode_ups({whole: 42, precise: 10**9}), name).is_(42)
    assert getattr(decode_ups({whole: 10**9, precise: b"x"}), name).or_none() is None


def test_the_greater_of_the_two_loads() -> None:
    whole, precise = NUMBERS["load_percent"][0], TENTHS["load_percent"]
    assert decode_ups({whole: 42, precise: 425}).load_percent.value == 42.5
    assert decode_ups({whole: 43, precise: 425}).load_percent.value == 43


def test_the_run_time_is_in_ticks() -> None:
    oid = (*U, 2, 2, 3, 0)
    assert decode_ups({oid: 396000}).runtime_s.value == 3960
    assert decode_ups({oid: 199}).runtime_s.value == 1
    for odd in (-1, -2, 2**40, b"396000"):
        assert decode_ups({oid: odd}).runtime_s.or_none() is None


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    oid = TEXTS[name]
    assert getattr(decode_ups({oid: b"  Rack 4\x1b[31m\0 "}), name) == "Rack 4\\x1b[31m"
    assert getattr(decode_ups({oid: b"Rack\0 4\xe2\x80\xae"}), name) == "Rack\\x00 4\\u202e"
    assert getattr(decode_ups({oid: b"\xe4"}), name) == "\xe4"
    assert len(getattr(decode_ups({oid: b"x" * 100_000}), name)) == 255
    for none in (b"", b"  ", b"\0\0", 5, -1, (1, 2)):
        assert getattr(decode_ups({oid: none}), name) is None


@pytest.mark.parametrize(
    "damaged", [b"UPS 09.1\x003 (ID18)", b"UPS 09.1\x1b3 (ID18)", "UPS 09.1\u200b3 (ID18)".encode()]
)
def test_two_halves_never_join_to_a_version(damaged: bytes) -> None:
    firmware = decode_ups({(*U, 1, 2, 1, 0): damaged}).firmware
    assert firmware.version is None and "\\" in (firmware.raw or "")
    assert decode_ups({(*U, 1, 2, 5, 0): b"SMT1\x00500RM2U"}).product.family is None


def test_the_firmware_keeps_its_spaces_and_loses_what_is_no_text() -> None:
    oid = (*U, 1, 2, 1, 0)
    assert decode_ups({oid: b"UPS 09.8 (ID20) "}).firmware.raw == "UPS 09.8 (ID20) "
    found = decode_ups({oid: b"UPS 09.8 (ID20)\0\0"}).firmware
    assert (found.id, found.shown) == (20, "UPS 09.8 (ID20)")
    for odd in (b"UPS 09.8 (ID20)" + b"x" * 10_000, b"\xff" * 70, 98, (9, 8)):
        found = decode_ups({oid: odd}).firmware
        assert (found.version, found.id) == (None, None) and len(found.raw or "") <= 65


def test_the_rating_is_a_number_or_a_text() -> None:
    oid = (*U, 1, 2, 9, 0)
    assert [decode_ups({oid: value}).rating for value in (1500, b"1500 VA", -1, 2**31, b"")] == [
        "1500", "1500 VA", None, None, None,
    ]  # fmt: skip


def test_flags() -> None:
    oid = (*U, 11, 1, 1, 0)
    flags = decode_ups({oid: b"0001010000" + b"0" * 8 + b"1" + b"0" * 45}).flags.all()
    assert [name for name, value in flags.items() if value] == ["on_line", "comm", "on"]
    assert flags["off"] is False and flags["shutdown_pending"] is False
    for none in (b"", b"2" * 64, 1, (1, 0), b"0" * 19):
        assert set(decode_ups({oid: none}).flags.all().values()) == {None}


# --- outlet groups --------------------------------------------------------------------------------------------------
def test_outlet_groups() -> None:
    raw: dict[Any, Any] = {(*U, 12, 1, 1, 0): 2}
    for index, (name, state, kind) in enumerate(((b"Main Outlets", 1, 2), (b" Rack\r\n ", 2, 1)), 1):
        raw |= {(*NAME, index): name, (*STATE, index): state, (*TYPE, index): kind}
    ups = read_ups(MemoryClient({**raw, (*U, 8, 1, 0): 1})).ups
    assert ups_result(ups)["outlet_groups"] == {
        "count": 2,
        "groups": [
            {"index": 1, "name": "Main Outlets", "state": "on", "type": "main"},
            {"index": 2, "name": "Rack", "state": "off", "type": "switched"},
        ],
    }


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 25, 60])
def test_all_rows_of_any_table_are_read(rows: int) -> None:
    raw: dict[Any, Any] = {(*U, 4, 1, 1, 0): 2, (*U, 12, 1, 1, 0): rows}
    for index in range(1, rows + 1):
        raw |= {(*NAME, index): b"g%d" % index, (*STATE, index): 1, (*TYPE, index): 1}
    ups = read_ups(MemoryClient(raw)).ups
    assert [(group.index, group.name) for group in ups.outlet_groups] == [(n, f"g{n}") for n in range(1, rows + 1)]
    assert ups == decode_ups(raw)


def test_an_absent_tree_is_not_a_count_of_zero() -> None:
    assert decode_ups({}).outlet_count.or_none() is None
    assert decode_ups({(*U, 12, 1, 1, 0): -1}).outlet_count.or_none() is None
    assert decode_ups({(*U, 12, 1, 1, 0): 0}).outlet_count.is_(0)
    # rows without a count: still no count
    ups = decode_ups({(*STATE, 1): 1})
    assert ups.outlet_count.or_none() is None and len(ups.outlet_groups) == 1


def hostile(rows: int) -> dict[Any, Any]:
    raw: dict[Any, Any] = {(*column, index): 1 for column in (STATE, TYPE) for index in range(rows)}
    raw |= {(*NAME, index): b"x" * 300 for index in range(rows)}
    return raw | {(*STATE, -5): 1, (*STATE, 2**40): 99, (*STATE, 1, 1): 1, STATE: 1, (*TYPE, 7, 7, 7): b"x"}


def test_hostile_tables_are_bounded() -> None:
    groups = decode_ups(hostile(10_000)).outlet_groups
    assert len(groups) == 64 and all(len(group.name or "") <= 255 for group in groups)
    indexes = [group.index for group in groups]
    assert indexes == sorted(set(indexes))


def test_the_work_grows_no_faster_than_the_table() -> None:
    """A few looks at each row, whatever their number: counted, so that a busy machine proves nothing."""
    small, large = hostile(5000), hostile(10_000)
    half, whole = effort(lambda: decode_ups(small)), effort(lambda: decode_ups(large))
    assert whole < 2.2 * half and whole < 10 * len(large)


def test_a_table_without_an_end_ends() -> None:
    raw: dict[Any, Any] = {(*STATE, index): 1 for index in range(1, 10_000)}
    client = MemoryClient({**raw, (*U, 4, 1, 1, 0): 2})
    with pytest.raises(TransportError) as caught:
        read_ups(client)
    assert caught.value.kind == "transfer" and client.requests < 100


OIDS = [
    *(oid for oid, _words in ENUMS.values()), *(oid for oid, _most in NUMBERS.values()),
    *TENTHS.values(), *TEXTS.values(),
    *((*U, *rest) for rest in ((1, 2, 1, 0), (1, 2, 9, 0), (2, 2, 3, 0), (11, 1, 1, 0))),
    *((*column, index) for column in (NAME, STATE, TYPE) for index in (0, 1, 64)),
]  # fmt: skip
VALUES = st.one_of(
    st.integers(), st.sampled_from([-1, 0, 1, 2, 2**31, 10**5000]), st.binary(max_size=400),
    st.tuples(st.integers(min_value=0), st.integers(min_value=0)),
    st.text(alphabet="01", min_size=64, max_size=64).map(str.encode),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(OIDS), VALUES))
def test_anything_decodes_to_bounded_plain_values(raw: dict[Any, Any]) -> None:
    result = ups_result(decode_ups(raw))

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                assert isinstance(key, str)
                check(item)
        elif isinstance(value, list):
            assert len(value) <= 64
            for item in value:
                check(item)
        else:
            assert value is None or type(value) in (str, int, float, bool)
            if isinstance(value, str):
                assert len(value) <= 255 and value.isprintable()
            elif value is not None:
                assert 0 <= value < 2**31

    check(result)
    assert decode_ups(raw).objects_answered == any(
        (*U, *rest, 0) in raw for rest in ((1, 1, 1), (1, 2, 1), (4, 1, 1), (8, 1))
    )


def test_the_tables_above_are_the_objects_that_are_asked() -> None:
    asked = {getattr(o, name) for name in dir(o) if name.startswith("UPS_")}
    assert asked == {oid for oid in OIDS if oid[:-1] not in (NAME, STATE, TYPE)} | {NAME, STATE, TYPE}


def test_what_has_no_place_of_its_own_is_shown_by_its_name() -> None:
    temperature = (*o.UPS, 2, 2, 2, 0)
    assert dict(decode_ups({temperature: 24}).others)["battery_temperature_c"].value == 24
    assert dict(decode_ups({temperature: -1}).others)["battery_temperature_c"].kind is Kind.NOT_FITTED
