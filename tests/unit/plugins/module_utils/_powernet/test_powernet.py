# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PowerNet's values mean: captured units, every enum, and anything a device may say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    Load,
    LoadRow,
    LoadState,
    OverCurrent,
    PanelLock,
    PhaseSync,
    Preferred,
    Redundancy,
    Sensitivity,
    Settings,
    Source,
    TransferRange,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Kind, Reading
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ats import FIELDS, decode_ats
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import (
    ALL,
    LAST_TRANSFER,
    WATCH,
    decode_nmc,
    read_state,
)
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import MemoryClient, load
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import effort

st = pytest.importorskip("hypothesis.strategies")
from hypothesis import given, settings  # noqa: E402

STATUS_FIELDS: list[tuple[str, tuple[int, ...], type]] = [
    ("controller_comm", o.STATUS_COMM, Comm),
    ("selected_source", o.STATUS_SELECTED, Source),
    ("redundancy", o.STATUS_REDUNDANCY, Redundancy),
    ("over_current", o.STATUS_OVER_CURRENT, OverCurrent),
    ("switch", o.STATUS_SWITCH, Health),
    ("phase_sync", o.STATUS_PHASE_SYNC, PhaseSync),
    ("output_ok", o.STATUS_OUTPUT, Health),
    ("display_ok", o.STATUS_DISPLAY, Health),
    ("front_panel", o.STATUS_FRONT_PANEL, PanelLock),
]
SETTING_FIELDS: list[tuple[str, tuple[int, ...], type]] = [
    ("preferred_source", o.CONFIG_PREFERRED, Preferred),
    ("sensitivity", o.CONFIG_SENSITIVITY, Sensitivity),
    ("transfer_range", o.CONFIG_RANGE, TransferRange),
]


def readings(state: Any, path: str = "") -> list[tuple[str, Reading[Any]]]:
    """Every reading of a state, with its place."""
    if isinstance(state, Reading):
        return [(path, state)]
    if isinstance(state, tuple):
        return [found for number, item in enumerate(state) for found in readings(item, f"{path}[{number}]")]
    if dataclasses.is_dataclass(state):
        return [
            found
            for item in dataclasses.fields(state)
            for found in readings(getattr(state, item.name), f"{path}.{item.name}")
        ]
    return []


def test_ap7724() -> None:
    client = MemoryClient(load("ap7724"))
    state = read_state(client)
    ats, nmc = state.ats, state.nmc
    assert state.answered and (ats.model, ats.serial, ats.hardware_revision) == ("AP7724", "QA1518000042", "R01")
    assert (
        ats.controller_version.value == "3.0.5"
        and ats.controller_date == "09/13/11"
        and ats.manufactured == "04/18/2015"
    )
    assert [reading.value for _path, reading in readings(ats.nominal)] == [230, 50, 32]
    assert ats.controller_comm.is_(Comm.ESTABLISHED) and ats.selected_source.is_(Source.B)
    assert ats.redundancy.is_(Redundancy.FULLY_REDUNDANT) and ats.over_current.is_(OverCurrent.OK)
    assert (
        ats.switch.is_(Health.OK) and ats.phase_sync.is_(PhaseSync.IN_SYNC) and ats.front_panel.is_(PanelLock.UNLOCKED)
    )
    assert ats.output_ok.is_(Health.OK) and ats.display_ok.is_(Health.OK)
    supplies = dict(ats.supplies)
    assert {name for name, reading in supplies.items() if reading.is_(Health.OK)} == {
        "5v",
        "24v_a",
        "24v_b",
        "12v",
        "-12v",
    }
    assert {name for name, reading in supplies.items() if not reading.fitted} == {
        "3.3v", "1.0v", "vboost_a", "vboost_b", "fuse_a", "fuse_b",
    }  # fmt: skip
    for which, voltage in ((Source.A, 216), (Source.B, 215)):
        entry = ats.input(which)
        assert entry.status.is_(Health.OK) and entry.voltage_v.value == voltage and entry.frequency_hz.value == 50
        assert entry.supply_24v.is_(Health.OK) and entry.name == f"Source {which.name}"
    assert ats.settings.name == "m-ups-04"
    assert [reading.value for _path, reading in readings(ats.settings)] == [
        Preferred.B, 2, Sensitivity.HIGH, TransferRange.MEDIUM, 32, 230, 16, 23, 30, 2,
    ]  # fmt: skip
    assert ats.load.bank_rows.value == 3 and ats.load.phases == () and ats.load.total_current_a == 8.8
    rows = [(row.index, row.current_a.value, row.apparent_va.value, row.load_percent.value) for row in ats.load.banks]
    assert rows == [
        ("1", 8.8, 1883, 25), ("2", 4.6, 984, 13), ("3", 4.2, 898, 12),
    ]  # fmt: skip
    assert all(row.state.is_(LoadState.NORMAL) and row.voltage_v.value == 215 for row in ats.load.banks)
    assert nmc.identity.model == "AP7724" and nmc.identity.hardware == "hw02" and nmc.identity.app_token == "g2ats"
    assert nmc.object_id == "1.3.6.1.4.1.318.1.3.11" and nmc.uptime_s == 347158.2 and nmc.name == "ats-r12-b"
    assert nmc.addresses == ("192.0.2.17",) and nmc.last_transfer == "not_available"


def test_watching_sees_what_the_interlock_needs_and_the_same_values() -> None:
    whole, watched = read_state(MemoryClient(load("ap7724")), ALL), read_state(MemoryClient(load("ap7724")), WATCH)
    for name, _oid, _enum in STATUS_FIELDS:
        assert getattr(whole.ats, name) == getattr(watched.ats, name)
    assert watched.ats.supplies == whole.ats.supplies and watched.ats.serial == "QA1518000042"
    for one, other in ((whole.ats.input_a, watched.ats.input_a), (whole.ats.input_b, watched.ats.input_b)):
        assert (one.status, one.voltage_v, one.frequency_hz, one.supply_24v) == (
            other.status, other.voltage_v, other.frequency_hz, other.supply_24v,
        )  # fmt: skip
    for name in (
        "preferred_source",
        "transfer_range",
        "current_limit_a",
        "line_vrms_v",
        "narrow_limit_v",
        "wide_limit_v",
    ):
        assert getattr(whole.ats.settings, name) == getattr(watched.ats.settings, name)
    assert watched.ats.controller_version.known and watched.ats.nominal.voltage_v.known
    assert watched.ats.load.total_current_a == 8.8 and watched.nmc.identity == whole.nmc.identity
    assert (watched.nmc.uptime_s, watched.nmc.name, watched.nmc.addresses, watched.nmc.object_id) == (
        whole.nmc.uptime_s, whole.nmc.name, whole.nmc.addresses, whole.nmc.object_id,
    )  # fmt: skip


def test_ap4423_absent_objects_are_not_fitted() -> None:
    state = read_state(MemoryClient(load("ap4423")))
    assert state.answered and state.ats.model == "AP4423" and state.ats.controller_version.value == "4.1.9"
    assert state.nmc.identity.hardware == "hw05" and state.nmc.identity.app_token == "ats4g"
    assert state.ats.selected_source.is_(Source.A) and state.ats.input_b.status.is_(Health.OK)
    for reading in (state.ats.controller_comm, state.ats.input_a.voltage_v, state.ats.load.bank_rows):
        assert reading.kind is Kind.NOT_FITTED and reading.why == "the unit does not answer this object"


def test_a_pdu_is_no_ats() -> None:
    state = read_state(MemoryClient(load("ap8853")))
    assert state.answered and state.ats.objects_answered == 0 and state.nmc.name == "pdu-r12"
    assert {(reading.kind, reading.why) for _path, reading in readings(state.ats)} == {
        (Kind.UNKNOWN, "no ATS object answered")
    }


def test_a_card_without_a_working_app_answers_but_no_ats_does() -> None:
    values = {oid: value for oid, value in load("ap7724").items() if oid[: len(o.ATS)] != o.ATS}
    state = read_state(MemoryClient(values))
    assert state.answered and state.ats.objects_answered == 0


@pytest.mark.parametrize(("name", "oid", "enum"), STATUS_FIELDS)
def test_every_value_of_every_status_object(name: str, oid: tuple[int, ...], enum: Any) -> None:
    for member in enum:
        assert getattr(decode_ats({oid: member.value}), name).is_(member)
    assert getattr(decode_ats({oid: -1}), name).kind is Kind.NOT_FITTED
    for odd in (0, 9, -2, 2**70, 10**5000, b"2", b"", (2,), ()):
        reading = getattr(decode_ats({oid: odd}), name)
        assert reading.kind is Kind.UNKNOWN and "the unit reads" in reading.why and len(reading.why) < 100


@pytest.mark.parametrize(("name", "oid", "enum"), SETTING_FIELDS)
def test_every_value_of_every_setting(name: str, oid: tuple[int, ...], enum: Any) -> None:
    for member in enum:
        assert getattr(decode_ats({oid: member.value}).settings, name).is_(member)
    assert getattr(decode_ats({oid: 9}).settings, name).kind is Kind.UNKNOWN


def test_every_row_is_asked_for_and_the_watched_ones_with_every_sample() -> None:
    asked, watched = ({item.under for item in plan.wanted} for plan in (ALL, WATCH))
    for row in FIELDS:
        assert row.oid in asked and (row.oid in watched) is row.watched
    assert len({row.oid for row in FIELDS}) == len(FIELDS)


def test_what_has_no_place_of_its_own_is_shown_by_its_name() -> None:
    assert dict(read_state(MemoryClient(load("ap7724"))).ats.others)["output_count"].value == 1
    assert dict(decode_ats({o.MODEL: b"AP7724"}).others)["output_count"].kind is Kind.NOT_FITTED


def test_the_other_way_round_of_fuses_and_the_zero_of_supplies() -> None:
    supplies = {item.into.removeprefix("supplies."): item.oid for item in FIELDS if item.into.startswith("supplies.")}
    fuses = {name: supplies.pop(name) for name in ("fuse_a", "fuse_b")}
    assert len(supplies) == 9
    for name, oid in fuses.items():
        for value, health in ((1, Health.OK), (2, Health.FAIL)):
            assert dict(decode_ats({oid: value}).supplies)[name].is_(health)
    for name, oid in supplies.items():
        for value, health in ((1, Health.FAIL), (2, Health.OK)):
            assert dict(decode_ats({oid: value}).supplies)[name].is_(health)
        for value in (0, -1):
            assert dict(decode_ats({oid: value}).supplies)[name].kind is Kind.NOT_FITTED
    names = [name for name, _reading in decode_ats({o.MODEL: b"AP7724"}).supplies]
    assert names[:5] == ["5v", "24v_a", "24v_b", "12v", "-12v"] and names[-2:] == ["fuse_a", "fuse_b"]


def test_the_24_v_supplies_belong_to_their_inputs() -> None:
    state = decode_ats({(*o.STATUS, 6, 0): 1, (*o.STATUS, 7, 0): 2})
    assert state.input_a.supply_24v.is_(Health.FAIL) and state.input_b.supply_24v.is_(Health.OK)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(0, Kind.KNOWN), (1000, Kind.KNOWN), (1001, Kind.UNKNOWN), (-1, Kind.NOT_FITTED), (-2, Kind.UNKNOWN),
     (2**32 - 1, Kind.UNKNOWN), (b"216", Kind.UNKNOWN)],
)  # fmt: skip
def test_voltages_within_reason(value: Any, kind: Kind) -> None:
    state = decode_ats({(*o.INPUT_VOLTAGE, 2, 1, 1): value})
    assert state.input_b.voltage_v.kind is kind and state.input_a.voltage_v.kind is Kind.NOT_FITTED


def test_currents_in_tenths_within_reason() -> None:
    cases = [(88, Kind.KNOWN, 8.8), (10000, Kind.KNOWN, 1000), (10001, Kind.UNKNOWN, None)]
    cases += [(-1, Kind.NOT_FITTED, None), (2**32 - 1, Kind.UNKNOWN, None)]
    for value, kind, amps in cases:
        (row,) = decode_ats({(*o.PHASE_CURRENT, 1, 1, 1): value}).load.phases
        assert row.current_a.kind is kind and row.current_a.value == amps


@pytest.mark.parametrize("rows", [{(1, 1, 1): 230, (2, 1, 1): 0}, {(1, 1): 230, (2, 1): 0}, {(1,): 230, (2,): 0}])
def test_input_voltages_with_any_number_of_sub_ids(rows: dict[tuple[int, ...], int]) -> None:
    values = load("ap7724")
    for oid in [oid for oid in values if oid[: len(o.INPUT_VOLTAGE)] == o.INPUT_VOLTAGE]:
        del values[oid]
    values |= {(*o.INPUT_VOLTAGE, *row): value for row, value in rows.items()}
    for plan in (ALL, WATCH):
        state = read_state(MemoryClient(values), plan).ats
        assert state.input_a.voltage_v.value == 230 and state.input_b.voltage_v.value == 0


@pytest.mark.parametrize("gone", [1, 2])
def test_an_input_without_a_row_is_not_given_the_other_ones(gone: int) -> None:
    values = load("ap7724")
    del values[(*o.INPUT_VOLTAGE, gone, 1, 1)], values[(*o.INPUT_FREQUENCY, gone)]
    state = read_state(MemoryClient(values), WATCH).ats
    for source, there in ((Source.A, gone != 1), (Source.B, gone != 2)):
        assert state.input(source).voltage_v.known is there and state.input(source).frequency_hz.known is there


@pytest.mark.parametrize("extra", [(1, 2, 1), (1, 1, 2), (2, 2, 1), (2, 1, 2)])
def test_several_phases_of_an_input_are_no_reading(extra: tuple[int, ...]) -> None:
    state = read_state(MemoryClient(load("ap7724") | {(*o.INPUT_VOLTAGE, *extra): 5}), WATCH).ats
    assert state.input(Source(extra[0])).voltage_v.kind is Kind.UNKNOWN
    assert state.input(Source(extra[0]).other).voltage_v.known


def test_of_the_two_va_objects_the_greater_counts() -> None:
    for apparent, power, expected in ((0, 12, 12), (12, 0, 12), (-1, 7, 7), (7, -1, 7)):
        (row,) = decode_ats({(*o.BANK_VA, 1): apparent, (*o.BANK_POWER, 1): power}).load.banks
        assert row.apparent_va.value == expected and row.power_w.kind is Kind.NOT_FITTED


def test_texts_are_made_harmless() -> None:
    state = decode_ats(
        {
            o.MODEL: b"AP7724\x1b[31m\r\n\x00",
            o.SERIAL: "ser\u202eial\u00e9".encode(),
            o.CONFIG_NAME: b"caf\xe9 " + b"x" * 9000,
            o.CONTROLLER_VERSION: b"\x00\x07 ",
        }
    )
    assert state.model == "AP7724\\x1b[31m" and state.serial == "ser\\u202eial\u00e9"
    assert (
        state.settings.name is not None
        and state.settings.name.startswith("caf\u00e9 x")
        and len(state.settings.name) == 255
    )
    assert state.controller_version.kind is Kind.UNKNOWN
    assert (
        decode_ats({o.MODEL: 5}).model is None
        and decode_ats({o.CONTROLLER_VERSION: 5}).controller_version.kind is Kind.UNKNOWN
    )


def test_5g_is_reported_but_its_enums_are_not_guessed() -> None:
    values = {oid: value for oid, value in load("ap8853").items() if oid[0:7] != o.ENTERPRISE}
    values[o.SYS_OBJECT_ID] = o.OBJECT_ID_5G
    for column, value in (
        (o.FIVE_G_MODEL, b"AP4453A"), (o.FIVE_G_SERIAL, b"QA2301000001"), (o.FIVE_G_COMM, 2),
        (o.FIVE_G_VOLTAGE_A, 231), (o.FIVE_G_VOLTAGE_B, -1), (o.FIVE_G_FREQUENCY_A, 50),
    ):  # fmt: skip
        values[(*column, 1)] = value
        values[(*column, 2)] = 77
    client = MemoryClient(values)
    ats = read_state(client).ats
    assert client.requests == 5 and ats.objects_answered == 6
    assert (ats.model, ats.serial, ats.input_a.voltage_v.value) == ("AP4453A", "QA2301000001", 231)
    assert ats.controller_comm.kind is Kind.UNKNOWN and ats.input_b.voltage_v.kind is Kind.NOT_FITTED


def test_the_card() -> None:
    assert LAST_TRANSFER[1] == "ok" and LAST_TRANSFER[8] == "corrupt" and len(LAST_TRANSFER) == 8
    assert decode_nmc({o.LAST_TRANSFER: 7}).last_transfer == "type_unknown"
    assert decode_nmc({o.LAST_TRANSFER: 44}).last_transfer == "value 44"
    assert decode_nmc({o.LAST_TRANSFER: -1}).last_transfer is None
    assert decode_nmc({o.SYS_UP_TIME: 150}).uptime_s == 1.5 and decode_nmc({o.SYS_UP_TIME: -5}).uptime_s is None
    both = {(*o.IP_AD_ENT_ADDR, *address): bytes(address) for address in ((127, 0, 0, 1), (10, 0, 0, 7), (0, 0, 0, 0))}
    assert decode_nmc(both).addresses == ("10.0.0.7",)
    for odd in (5, b"xx", (1, 2)):
        assert decode_nmc({(*o.IP_AD_ENT_ADDR, 10, 0, 0, 7): odd}).addresses == ()
    assert decode_nmc({}).identity.description == "" and decode_nmc({o.SYS_NAME: b""}).name is None


OIDS = sorted({item.under for item in ALL.wanted} | {(*item.under, 1) for item in ALL.wanted} | {
    (*item.under, *row) for item in ALL.wanted for row in ((2,), (1, 1, 1), (2, 1, 1))
} | {(), o.ATS, (*o.FIVE_G_COMM, 1)})  # fmt: skip
ANY_OID = st.lists(st.integers(0, 2**32), max_size=18).map(tuple)
VALUES = st.one_of(
    st.integers(-3, 12),
    st.integers(),
    st.just(-1),
    st.binary(max_size=40),
    ANY_OID,
    st.just(10**5000),
    st.just(b"\xff" * 5000),
)
MAPPINGS = st.dictionaries(st.one_of(st.sampled_from(OIDS), ANY_OID), VALUES, max_size=60)


@settings(max_examples=150, deadline=None)
@given(MAPPINGS)
def test_nothing_raises_and_known_is_sane(raw: dict[tuple[int, ...], Any]) -> None:
    state = decode_ats(raw)
    decode_nmc(raw)
    for path, reading in readings(state):
        assert (reading.value is None) == (reading.kind is not Kind.KNOWN), path
        assert len(reading.why) < 120 and reading.shown()
        if isinstance(reading.value, int | float):
            assert reading.value >= 0
        if isinstance(reading.value, str):
            assert reading.value.isprintable() and 0 < len(reading.value) <= 255
    assert state.load.total_current_a is None or state.load.total_current_a >= 0


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from(OIDS), max_size=80))
def test_minus_one_is_never_known(oids: set[tuple[int, ...]]) -> None:
    assert not [path for path, reading in readings(decode_ats(dict.fromkeys(oids, -1))) if reading.known]


def test_every_field_of_the_state_is_decoded() -> None:
    """A new field of the domain that nobody decodes would stay unknown() without a word: found here."""
    values = load("ap7724") | dict.fromkeys(((*o.STATUS, number, 0) for number in range(1, 23)), 2)
    # Of 24 bits only these have no object on this unit.
    silent = {path for path, reading in readings(read_state(MemoryClient(values)).ats) if not reading.known}
    assert silent == {f".load.banks[{row}].power_w" for row in range(3)}
    names = {item.name for kind in (AtsState, Settings, Input, Load, LoadRow) for item in dataclasses.fields(kind)}
    assert {"controller_comm", "wide_limit_v", "supply_24v", "bank_rows", "apparent_va"} <= names


def test_reading_and_decoding_is_cheap() -> None:
    """Mass tests read millions of states: an order of magnitude, not a race."""
    values = load("ap7724")
    answers = {request.asks: MemoryClient(values).exchange(request.asks) for request in WATCH.requests(24)}

    class Prepared(MemoryClient):
        def exchange(self, oids: Any) -> Any:
            return answers[oids]

    client = Prepared(values)
    first = read_state(client, WATCH)
    raw = {name: value for answer in answers.values() for name, value in filter(None, answer)}
    assert effort(lambda: decode_ats(raw)) < 2500
    assert effort(lambda: read_state(client, WATCH)) < 500
    assert read_state(client, WATCH).ats is first.ats


def test_what_moved_is_read_anew_and_what_did_not_is_the_same() -> None:
    values = load("ap7724")
    client = MemoryClient(values)
    first = read_state(client, WATCH)
    values[o.SYS_UP_TIME] += 300
    later = read_state(client, WATCH)
    assert later.nmc.uptime_s == first.nmc.uptime_s + 3.0  # type: ignore[operator]
    assert later.ats is first.ats and later.nmc == dataclasses.replace(first.nmc, uptime_s=later.nmc.uptime_s)
    values[o.STATUS_SELECTED] = 3 - values[o.STATUS_SELECTED]
    moved = read_state(client, WATCH)
    assert moved.ats.selected_source != first.ats.selected_source and moved.ats.discrete != first.ats.discrete
    values[o.STATUS_SELECTED] = 3 - values[o.STATUS_SELECTED]
    assert read_state(client, WATCH).ats == first.ats
    del values[o.SYS_UP_TIME]
    gone = read_state(client, WATCH)
    assert gone.nmc.uptime_s is None and gone.answered
