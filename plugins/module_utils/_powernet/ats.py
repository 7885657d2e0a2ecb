# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rack ATS: what is asked, and what the answers mean, one row an object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from ansible_collections.dcops.apc.plugins.module_utils._powernet.fields import Field, Place, Rows
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import (
    ABSENT,
    UNFITTED,
    UNFITTED_SUPPLY,
    choices,
    one_of,
    plain_text,
    quantity,
    quantity_in_tenths,
    text_reading,
    word_of,
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

_health = word_of(Health)
# 1 failure, 2 ok; 0 and -1: none fitted.
_supply = one_of({**choices(Health), 0: UNFITTED_SUPPLY})
# The other way round: 1 closed is normal, 2 open.
_fuse = one_of({1: known(Health.OK), 2: known(Health.FAIL), -1: UNFITTED})
_panel = one_of({1: known(1), 2: known(2), -1: UNFITTED})
_volts, _hertz, _amperes = quantity(MAX_VOLTAGE_V), quantity(MAX_FREQUENCY_HZ), quantity(MAX_CURRENT_A)
_volt_amperes, _percent, _current = quantity(_MAX_VA), quantity(_MAX_PERCENT), quantity_in_tenths(MAX_CURRENT_A)
_load_state = word_of(LoadState)


def _greater(one: Reading[int], other: Reading[int]) -> Reading[int]:
    """Of the two objects in VA: for a load the greater is the safe one."""
    if one.value is None:
        return other if other.value is not None else one
    return other if other.value is not None and other.value > one.value else one


# Both inputs, and whether either has several phase rows (then none of them is taken for the input's voltage). No input
# has 255 phases.
_PHASES_OF_INPUTS = Rows("inputs", after=((1, 1, 1), (1, 255), (2, 1, 1)))
_INPUTS = Rows("inputs", after=((1,),))
# The total bank and two banks are the most that any model has; one phase row. More are read when there are more.
_BANKS = Rows("banks", after=((1,), (2,)), covered=(3,))
_PHASES = Rows("phases", covered=(1, 1, 1))

# In the order in which they are asked: the measured values first and close together.
FIELDS: tuple[Field, ...] = (
    Field(o.STATUS_COMM, word_of(Comm), "controller_comm", watched=True),
    Field(o.STATUS_SELECTED, word_of(Source), "selected_source", watched=True),
    Field(o.STATUS_REDUNDANCY, word_of(Redundancy), "redundancy", watched=True),
    Field(o.STATUS_OVER_CURRENT, word_of(OverCurrent), "over_current", watched=True),
    Field((*o.STATUS, 5, 0), _supply, "supplies.5v", watched=True),
    Field((*o.STATUS, 6, 0), _supply, "supplies.24v_a", watched=True),
    Field((*o.STATUS, 7, 0), _supply, "supplies.24v_b", watched=True),
    Field((*o.STATUS, 8, 0), _supply, "supplies.12v", watched=True),
    Field((*o.STATUS, 9, 0), _supply, "supplies.-12v", watched=True),
    Field(o.STATUS_SWITCH, _health, "switch", watched=True),
    Field(o.STATUS_FRONT_PANEL, word_of(PanelLock), "front_panel", watched=True),
    Field(o.STATUS_SOURCE_A, _health, "input_a.status", watched=True),
    Field(o.STATUS_SOURCE_B, _health, "input_b.status", watched=True),
    Field(o.STATUS_PHASE_SYNC, word_of(PhaseSync), "phase_sync", watched=True),
    Field(o.STATUS_OUTPUT, _health, "output_ok", watched=True),
    Field(o.STATUS_DISPLAY, _health, "display_ok", watched=True),
    Field((*o.STATUS, 17, 0), _supply, "supplies.3.3v", watched=True),
    Field((*o.STATUS, 18, 0), _supply, "supplies.1.0v", watched=True),
    Field((*o.STATUS, 19, 0), _supply, "supplies.vboost_a", watched=True),
    Field((*o.STATUS, 20, 0), _supply, "supplies.vboost_b", watched=True),
    Field((*o.STATUS, 21, 0), _fuse, "supplies.fuse_a", watched=True),
    Field((*o.STATUS, 22, 0), _fuse, "supplies.fuse_b", watched=True),
    Field(o.INPUT_VOLTAGE, _volts, "inputs.voltage_v", watched=True, rows=_PHASES_OF_INPUTS),
    Field(o.INPUT_FREQUENCY, _hertz, "inputs.frequency_hz", watched=True, rows=_INPUTS),
    Field(o.BANK_ROWS, quantity(_MAX_ROWS), "load.bank_rows", watched=True),
    Field(o.BANK_CURRENT, _current, "banks.current_a", watched=True, rows=_BANKS),
    Field(o.BANK_STATE, _load_state, "banks.state", watched=True, rows=_BANKS),
    Field(o.BANK_VOLTAGE, _volts, "banks.voltage_v", watched=True, rows=_BANKS),
    Field(o.BANK_VA, _volt_amperes, "banks.apparent_va", watched=True, rows=_BANKS),
    Field(o.BANK_POWER, _volt_amperes, "banks.apparent_va", watched=True, rows=_BANKS, join=_greater),
    Field(o.BANK_PERCENT, _percent, "banks.load_percent", rows=_BANKS),
    Field(o.PHASE_CURRENT, _current, "phases.current_a", watched=True, rows=_PHASES),
    Field(o.PHASE_STATE, _load_state, "phases.state", watched=True, rows=_PHASES),
    Field(o.PHASE_VOLTAGE, _volts, "phases.voltage_v", watched=True, rows=_PHASES),
    Field(o.PHASE_VA, _volt_amperes, "phases.apparent_va", watched=True, rows=_PHASES),
    Field(o.PHASE_POWER, _volt_amperes, "phases.apparent_va", watched=True, rows=_PHASES, join=_greater),
    Field(o.PHASE_PERCENT, _percent, "phases.load_percent", rows=_PHASES),
    Field(o.CONFIG_PREFERRED, word_of(Preferred), "settings.preferred_source", watched=True),
    Field(o.CONFIG_RANGE, word_of(TransferRange), "settings.transfer_range", watched=True),
    Field(o.CONFIG_CURRENT_LIMIT, _amperes, "settings.current_limit_a", watched=True),
    Field(o.CONFIG_LINE_VRMS, _volts, "settings.line_vrms_v", watched=True),
    Field(o.CONFIG_NARROW, _volts, "settings.narrow_limit_v", watched=True),
    Field(o.CONFIG_MEDIUM, _volts, "settings.medium_limit_v", watched=True),
    Field(o.CONFIG_WIDE, _volts, "settings.wide_limit_v", watched=True),
    Field(o.CONTROLLER_VERSION, text_reading, "controller_version", watched=True),
    Field(o.MODEL, plain_text, "model", watched=True),
    Field(o.SERIAL, plain_text, "serial", watched=True),
    Field(o.NOMINAL_VOLTAGE, _volts, "nominal.voltage_v", watched=True),
    Field(o.CONFIG_NAME, plain_text, "settings.name"),
    Field(o.CONFIG_FRONT_PANEL, _panel, "settings.front_panel"),
    Field(o.CONFIG_SENSITIVITY, word_of(Sensitivity), "settings.sensitivity"),
    Field(o.CONFIG_FREQUENCY_DEVIATION, _hertz, "settings.frequency_deviation_hz"),
    Field(o.HARDWARE_REVISION, plain_text, "hardware_revision"),
    Field(o.CONTROLLER_DATE, plain_text, "controller_date"),
    Field(o.MANUFACTURED, plain_text, "manufactured"),
    Field(o.NOMINAL_FREQUENCY, _hertz, "nominal.frequency_hz"),
    Field(o.RATING, _amperes, "nominal.rating_a"),
    Field(o.INPUT_NAME, plain_text, "inputs.name", rows=_INPUTS),
    Field(o.OUTPUT_COUNT, quantity(_MAX_ROWS), "others.output_count"),
)


def _foreign(value: RawValue | None, absent: Reading[Any]) -> Reading[Any]:
    return absent if value is None else _FOREIGN


# AP44xxA, whose instances are not known: the first answer below each column counts.
FIVE_G_FIELDS: tuple[Field, ...] = (
    Field(o.FIVE_G_SERIAL, plain_text, "serial"),
    Field(o.FIVE_G_MODEL, plain_text, "model"),
    Field(o.FIVE_G_COMM, _foreign, "controller_comm"),
    Field(o.FIVE_G_PREFERRED, _foreign, "settings.preferred_source"),
    Field(o.FIVE_G_SELECTED, _foreign, "selected_source"),
    Field(o.FIVE_G_REDUNDANCY, _foreign, "redundancy"),
    Field(o.FIVE_G_SOURCE_A, _foreign, "input_a.status"),
    Field(o.FIVE_G_SOURCE_B, _foreign, "input_b.status"),
    Field(o.FIVE_G_VOLTAGE_A, _volts, "input_a.voltage_v"),
    Field(o.FIVE_G_VOLTAGE_B, _volts, "input_b.voltage_v"),
    Field(o.FIVE_G_FREQUENCY_A, _hertz, "input_a.frequency_hz"),
    Field(o.FIVE_G_FREQUENCY_B, _hertz, "input_b.frequency_hz"),
    Field(o.FIVE_G_OUTPUT, _foreign, "output_ok"),
    Field(o.FIVE_G_OVER_CURRENT, _foreign, "over_current"),
)

_TREE = len(o.ATS)
_DEPTH = len(o.BANK_CURRENT)
_FIVE_G_DEPTH = len(o.FIVE_G_COMM)
_COLUMNS = frozenset(item.oid for item in FIELDS if item.rows is not None)
_PLACES = ("", "nominal", "settings", "supplies", "input_a", "input_b", "load", "others")
_AT, _FIVE_G_AT = ({place: Place(fields, place) for place in _PLACES} for fields in (FIELDS, FIVE_G_FIELDS))

_Cells = dict[Oid, dict[Oid, RawValue]]
_NO_CELLS: dict[Oid, RawValue] = {}


def decode_ats(raw: Mapping[Oid, RawValue]) -> AtsState:
    """Any mapping decodes; what is not a measurement is never a known reading (SAFETY 1.1)."""
    answered = 0
    foreign = False
    cells: _Cells = {}
    for oid, value in raw.items():
        tree = oid[:_TREE]
        if tree == o.ATS:
            answered += 1
            column = oid[:_DEPTH]
            if column in _COLUMNS and len(oid) > _DEPTH:
                cells.setdefault(column, {})[oid[_DEPTH:]] = value
        elif tree == o.FIVE_G:
            foreign = True
    if answered:
        return _state(raw, cells, answered, ABSENT)
    return _five_g(raw) if foreign else _NOTHING


def _state(raw: Mapping[Oid, RawValue], cells: _Cells, answered: int, absent: Reading[Any]) -> AtsState:
    at = {place: fields.read(raw, absent) for place, fields in _AT.items()}
    supplies = at["supplies"]
    inputs = [
        Input(supply_24v=supplies[f"24v_{letter}"], **at[f"input_{letter}"], **_input(which, cells, absent))
        for which, letter in ((1, "a"), (2, "b"))
    ]
    return AtsState(
        objects_answered=answered,
        nominal=Nominal(**at["nominal"]),
        settings=Settings(**at["settings"]),
        supplies=tuple(supplies.items()),
        input_a=inputs[0],
        input_b=inputs[1],
        load=Load(
            banks=_load_rows(cells, _BANK_COLUMNS, absent),
            phases=_load_rows(cells, _PHASE_COLUMNS, absent),
            **at["load"],
        ),
        others=tuple(at["others"].items()),
        **at[""],
    )


def _columns(table: str) -> tuple[Field, ...]:
    return tuple(item for item in FIELDS if item.rows is not None and item.rows.name == table)


def _name(item: Field) -> str:
    return item.into.partition(".")[2]


_INPUT_COLUMNS = tuple((_name(item), item.oid, item.decode) for item in _columns("inputs"))
_BANK_COLUMNS, _PHASE_COLUMNS = (
    tuple((_name(item), item.oid, item.decode, item.join) for item in _columns(table)) for table in ("banks", "phases")
)


def _input(which: int, cells: _Cells, absent: Reading[Any]) -> dict[str, Any]:
    found = {}
    for name, column, decode in _INPUT_COLUMNS:
        values = [value for row, value in cells.get(column, _NO_CELLS).items() if row[0] == which]
        found[name] = decode(values[0] if values else None, absent)
        if len(values) > 1 and column == o.INPUT_VOLTAGE:
            # Every unit covered is single-phase; with more rows than one none of them may pass for the voltage.
            found[name] = _SEVERAL_PHASES
    return found


def _load_rows(cells: _Cells, columns: Iterable[Any], absent: Reading[Any]) -> tuple[LoadRow, ...]:
    found: set[Oid] = set()
    found.update(*[cells.get(column, _NO_CELLS) for _name, column, _decode, _join in columns])
    rows = []
    for index in sorted(found)[:_MAX_ROWS]:
        row: dict[str, Any] = {}
        for name, column, decode, join in columns:
            value = decode(cells.get(column, _NO_CELLS).get(index), absent)
            row[name] = value if join is None else join(row[name], value)
        rows.append(LoadRow(".".join(map(str, index)), power_w=_NO_WATTS, **row))
    return tuple(rows)


def _five_g(raw: Mapping[Oid, RawValue]) -> AtsState:
    """AP44xxA: for the state report only; nothing is ever sent to one (SAFETY 1.6)."""
    first: dict[Oid, RawValue] = {}
    for oid in sorted(oid for oid in raw if oid[:_TREE] == o.FIVE_G):
        first.setdefault(oid[:_FIVE_G_DEPTH], raw[oid])
    at = {place: fields.read(first, ABSENT) for place, fields in _FIVE_G_AT.items()}
    return AtsState(
        objects_answered=len(first),
        settings=Settings(**at["settings"]),
        input_a=Input(supply_24v=ABSENT, **at["input_a"]),
        input_b=Input(supply_24v=ABSENT, **at["input_b"]),
        **at[""],
    )


_NOTHING = _state({}, {}, 0, _NO_OBJECT)
