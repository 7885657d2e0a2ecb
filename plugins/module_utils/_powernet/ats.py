# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rack ATS: what is asked, and what the answers mean. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    Load,
    LoadRow,
    LoadState,
    Nominal,
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
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading, known, unknown
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import (
    ABSENT,
    UNFITTED,
    UNFITTED_SUPPLY,
    choices,
    chosen,
    number,
    odd,
    tenths,
    text,
    text_reading,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue

MAX_VOLTAGE_V = 1000
MAX_CURRENT_A = 1000
MAX_FREQUENCY_HZ = 1000
_MAX_VA = 1_000_000
_MAX_PERCENT = 1000
_MAX_ROWS = 64

_NO_OBJECT: Reading[Any] = unknown("no ATS object answered")
_SEVERAL_PHASES: Reading[Any] = unknown("the unit reports several phases for this input")
_FOREIGN: Reading[Any] = unknown("the values of this generation's object are not known")
_NO_WATTS: Reading[Any] = type(ABSENT)(ABSENT.kind, None, "the unit has no object in watts")

_COMM = choices(Comm)
_SOURCE = choices(Source)
_PREFERRED = choices(Preferred)
_REDUNDANCY = choices(Redundancy)
_OVER_CURRENT = choices(OverCurrent)
_HEALTH = choices(Health)
_PHASE_SYNC = choices(PhaseSync)
_PANEL_LOCK = choices(PanelLock)
_SENSITIVITY = choices(Sensitivity)
_RANGE = choices(TransferRange)
_LOAD_STATE = choices(LoadState)
_SUPPLY = {**_HEALTH, 0: UNFITTED_SUPPLY}
# The other way round: 1 closed is normal, 2 open.
_FUSE: dict[RawValue, Reading[Health]] = {1: known(Health.OK), 2: known(Health.FAIL), -1: UNFITTED}
_PANEL: dict[RawValue, Reading[int]] = {1: known(1), 2: known(2), -1: UNFITTED}


_COLUMNS = frozenset(
    {
        o.INPUT_FREQUENCY,
        o.INPUT_NAME,
        o.INPUT_VOLTAGE,
        o.PHASE_VOLTAGE,
        o.PHASE_CURRENT,
        o.PHASE_VA,
        o.PHASE_PERCENT,
        o.PHASE_POWER,
        o.PHASE_STATE,
        o.BANK_CURRENT,
        o.BANK_STATE,
        o.BANK_VOLTAGE,
        o.BANK_VA,
        o.BANK_PERCENT,
        o.BANK_POWER,
    }
)
_TREE = len(o.ATS)
_DEPTH = len(o.BANK_CURRENT)
_BANK_COLUMNS = (o.BANK_CURRENT, o.BANK_STATE, o.BANK_VOLTAGE, o.BANK_VA, o.BANK_POWER, o.BANK_PERCENT)
_PHASE_COLUMNS = (o.PHASE_CURRENT, o.PHASE_STATE, o.PHASE_VOLTAGE, o.PHASE_VA, o.PHASE_POWER, o.PHASE_PERCENT)

_Rows = dict[Oid, dict[Oid, RawValue]]
_NO_ROWS: dict[Oid, RawValue] = {}


def decode_ats(raw: Mapping[Oid, RawValue]) -> AtsState:
    """Any mapping decodes; what is not a measurement is never a known reading (SAFETY 1.1)."""
    answered = 0
    foreign = False
    rows: _Rows = {}
    for oid, value in raw.items():
        tree = oid[:_TREE]
        if tree == o.ATS:
            answered += 1
            column = oid[:_DEPTH]
            if column in _COLUMNS and len(oid) > _DEPTH:
                rows.setdefault(column, {})[oid[_DEPTH:]] = value
        elif tree == o.FIVE_G:
            foreign = True
    if answered:
        return _state(raw, rows, answered, ABSENT)
    return _five_g(raw) if foreign else _NOTHING


def _state(raw: Mapping[Oid, RawValue], rows: _Rows, answered: int, absent: Reading[Any]) -> AtsState:
    get = raw.get
    supplies = tuple([(name, chosen(raw, oid, _SUPPLY, absent)) for name, oid in o.SUPPLIES])
    fuses = tuple([(name, chosen(raw, oid, _FUSE, absent)) for name, oid in o.FUSES])
    return AtsState(
        objects_answered=answered,
        model=text(get(o.MODEL)),
        serial=text(get(o.SERIAL)),
        hardware_revision=text(get(o.HARDWARE_REVISION)),
        manufactured=text(get(o.MANUFACTURED)),
        controller_version=text_reading(get(o.CONTROLLER_VERSION), absent),
        controller_date=text(get(o.CONTROLLER_DATE)),
        nominal=Nominal(
            number(get(o.NOMINAL_VOLTAGE), MAX_VOLTAGE_V, absent),
            number(get(o.NOMINAL_FREQUENCY), MAX_FREQUENCY_HZ, absent),
            number(get(o.RATING), MAX_CURRENT_A, absent),
        ),
        settings=_settings(raw, absent),
        controller_comm=chosen(raw, o.STATUS_COMM, _COMM, absent),
        selected_source=chosen(raw, o.STATUS_SELECTED, _SOURCE, absent),
        redundancy=chosen(raw, o.STATUS_REDUNDANCY, _REDUNDANCY, absent),
        over_current=chosen(raw, o.STATUS_OVER_CURRENT, _OVER_CURRENT, absent),
        switch=chosen(raw, o.STATUS_SWITCH, _HEALTH, absent),
        phase_sync=chosen(raw, o.STATUS_PHASE_SYNC, _PHASE_SYNC, absent),
        output_ok=chosen(raw, o.STATUS_OUTPUT, _HEALTH, absent),
        display_ok=chosen(raw, o.STATUS_DISPLAY, _HEALTH, absent),
        front_panel=chosen(raw, o.STATUS_FRONT_PANEL, _PANEL_LOCK, absent),
        supplies=supplies + fuses,
        input_a=_input(1, chosen(raw, o.STATUS_SOURCE_A, _HEALTH, absent), supplies[1][1], rows, absent),
        input_b=_input(2, chosen(raw, o.STATUS_SOURCE_B, _HEALTH, absent), supplies[2][1], rows, absent),
        load=Load(
            number(get(o.BANK_ROWS), _MAX_ROWS, absent),
            _load_rows(rows, _BANK_COLUMNS, absent),
            _load_rows(rows, _PHASE_COLUMNS, absent),
        ),
    )


def _settings(raw: Mapping[Oid, RawValue], absent: Reading[Any]) -> Settings:
    get = raw.get
    return Settings(
        name=text(get(o.CONFIG_NAME)),
        preferred_source=chosen(raw, o.CONFIG_PREFERRED, _PREFERRED, absent),
        front_panel=_panel(get(o.CONFIG_FRONT_PANEL), absent),
        sensitivity=chosen(raw, o.CONFIG_SENSITIVITY, _SENSITIVITY, absent),
        transfer_range=chosen(raw, o.CONFIG_RANGE, _RANGE, absent),
        current_limit_a=number(get(o.CONFIG_CURRENT_LIMIT), MAX_CURRENT_A, absent),
        line_vrms_v=number(get(o.CONFIG_LINE_VRMS), MAX_VOLTAGE_V, absent),
        narrow_limit_v=number(get(o.CONFIG_NARROW), MAX_VOLTAGE_V, absent),
        medium_limit_v=number(get(o.CONFIG_MEDIUM), MAX_VOLTAGE_V, absent),
        wide_limit_v=number(get(o.CONFIG_WIDE), MAX_VOLTAGE_V, absent),
        frequency_deviation_hz=number(get(o.CONFIG_FREQUENCY_DEVIATION), MAX_FREQUENCY_HZ, absent),
    )


def _panel(value: RawValue | None, absent: Reading[Any]) -> Reading[int]:
    if value is None:
        return absent
    return _PANEL.get(value) or odd(value)


def _input(which: int, status: Reading[Health], supply: Reading[Health], rows: _Rows, absent: Reading[Any]) -> Input:
    voltages = [value for row, value in rows.get(o.INPUT_VOLTAGE, _NO_ROWS).items() if row[0] == which]
    frequencies = [value for row, value in rows.get(o.INPUT_FREQUENCY, _NO_ROWS).items() if row[0] == which]
    names = [value for row, value in rows.get(o.INPUT_NAME, _NO_ROWS).items() if row[0] == which]
    # Every unit covered is single-phase; with more rows than one none of them may pass for the input's voltage.
    return Input(
        status,
        _SEVERAL_PHASES if len(voltages) > 1 else number(voltages[0] if voltages else None, MAX_VOLTAGE_V, absent),
        number(frequencies[0] if frequencies else None, MAX_FREQUENCY_HZ, absent),
        supply,
        text(names[0]) if names else None,
    )


def _load_rows(rows: _Rows, columns: tuple[Oid, ...], absent: Reading[Any]) -> tuple[LoadRow, ...]:
    cells = [rows.get(column, _NO_ROWS) for column in columns]
    found: set[Oid] = set()
    found.update(*cells)
    if not found:
        return ()
    current, state, voltage, apparent, power, percent = cells
    return tuple(
        [
            LoadRow(
                ".".join(map(str, row)),
                tenths(current.get(row), MAX_CURRENT_A, absent),
                _load_state(state.get(row), absent),
                number(voltage.get(row), MAX_VOLTAGE_V, absent),
                _greater(number(apparent.get(row), _MAX_VA, absent), number(power.get(row), _MAX_VA, absent)),
                _NO_WATTS,
                number(percent.get(row), _MAX_PERCENT, absent),
            )
            for row in sorted(found)[:_MAX_ROWS]
        ]
    )


def _greater(one: Reading[int], other: Reading[int]) -> Reading[int]:
    """Of the two objects in VA: for a load the greater is the safe one."""
    if one.value is None:
        return other if other.value is not None else one
    return other if other.value is not None and other.value > one.value else one


def _load_state(value: RawValue | None, absent: Reading[Any]) -> Reading[LoadState]:
    return absent if value is None else _LOAD_STATE.get(value) or odd(value)


def _five_g(raw: Mapping[Oid, RawValue]) -> AtsState:
    """AP44xxA: for the state report only; nothing is ever sent to one (SAFETY 1.6)."""
    first: dict[Oid, RawValue] = {}
    for oid in sorted(oid for oid in raw if oid[:_TREE] == o.FIVE_G):
        first.setdefault(oid[:_FIVE_G_DEPTH], raw[oid])

    def volts(column: Oid) -> Reading[int]:
        return number(first.get(column), MAX_VOLTAGE_V, ABSENT)

    def hertz(column: Oid) -> Reading[int]:
        return number(first.get(column), MAX_FREQUENCY_HZ, ABSENT)

    def enum(column: Oid) -> Reading[Any]:
        return _FOREIGN if column in first else ABSENT

    return AtsState(
        objects_answered=len(first),
        model=text(first.get(o.FIVE_G_MODEL)),
        serial=text(first.get(o.FIVE_G_SERIAL)),
        controller_comm=enum(o.FIVE_G_COMM),
        selected_source=enum(o.FIVE_G_SELECTED),
        redundancy=enum(o.FIVE_G_REDUNDANCY),
        over_current=enum(o.FIVE_G_OVER_CURRENT),
        output_ok=enum(o.FIVE_G_OUTPUT),
        settings=Settings(preferred_source=enum(o.FIVE_G_PREFERRED)),
        input_a=Input(enum(o.FIVE_G_SOURCE_A), volts(o.FIVE_G_VOLTAGE_A), hertz(o.FIVE_G_FREQUENCY_A), ABSENT),
        input_b=Input(enum(o.FIVE_G_SOURCE_B), volts(o.FIVE_G_VOLTAGE_B), hertz(o.FIVE_G_FREQUENCY_B), ABSENT),
    )


_FIVE_G_DEPTH = len(o.FIVE_G_COMM)
_NOTHING = _state({}, {}, 0, _NO_OBJECT)
