# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that read a unit: all of it in four, what an interlock watches in three. Private to the collection."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import Plan, Table, Wanted, first_rows, scalar
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid

_BANKS = (o.BANK_CURRENT, o.BANK_STATE, o.BANK_VOLTAGE, o.BANK_VA, o.BANK_POWER, o.BANK_PERCENT)
_PHASES = (o.PHASE_CURRENT, o.PHASE_STATE, o.PHASE_VOLTAGE, o.PHASE_VA, o.PHASE_POWER, o.PHASE_PERCENT)
# The total bank and two banks are the most that any model has; one phase row. More are read when there are more.
_BANK_END = (3,)
_PHASE_END = (1, 1, 1)
# Beyond any phase of input 1: no input has 255 phases.
_INPUT_1_END = (1, 255)


def _load(columns_banks: tuple[Oid, ...], columns_phases: tuple[Oid, ...]) -> list[Wanted]:
    wanted = [scalar(o.BANK_ROWS)]
    for column in columns_banks:
        wanted += first_rows(column, (1,), (2,))
    for column in columns_phases:
        wanted += first_rows(column)
    wanted.append(Wanted((*o.BANK_CURRENT, *_BANK_END), o.BANK_CURRENT))
    wanted.append(Wanted((*o.PHASE_CURRENT, *_PHASE_END), o.PHASE_CURRENT))
    return wanted


def _tables(columns_banks: tuple[Oid, ...], columns_phases: tuple[Oid, ...]) -> tuple[Table, Table]:
    return (
        Table(columns_banks, o.BANK_CURRENT, _BANK_END),
        Table(columns_phases, o.PHASE_CURRENT, _PHASE_END),
    )


_STATUS = [scalar(instance) for instance in o.STATUS_ALL]
# Both inputs, and whether either has several phase rows (then none of them is taken for the input's voltage).
_INPUTS = [
    *first_rows(o.INPUT_VOLTAGE, (1, 1, 1), _INPUT_1_END, (2, 1, 1)),
    *first_rows(o.INPUT_FREQUENCY, (1,)),
]
_CARD = [
    scalar(o.SYS_DESCR),
    scalar(o.SYS_OBJECT_ID),
    scalar(o.SYS_UP_TIME),
    scalar(o.SYS_NAME),
    scalar(o.LAST_TRANSFER),
    # The first address, and the first beyond 127/8: the loopback may sort first.
    *first_rows(o.IP_AD_ENT_ADDR, (127, 255, 255, 255)),
]
_WATCHED_SETTINGS = [
    scalar(instance)
    for instance in (
        o.CONFIG_PREFERRED,
        o.CONFIG_RANGE,
        o.CONFIG_CURRENT_LIMIT,
        o.CONFIG_LINE_VRMS,
        o.CONFIG_NARROW,
        o.CONFIG_MEDIUM,
        o.CONFIG_WIDE,
        o.CONTROLLER_VERSION,
        o.MODEL,
        o.SERIAL,
        o.NOMINAL_VOLTAGE,
    )
]
_OTHER_SETTINGS = [
    scalar(instance)
    for instance in (
        o.CONFIG_NAME,
        o.CONFIG_FRONT_PANEL,
        o.CONFIG_SENSITIVITY,
        o.CONFIG_FREQUENCY_DEVIATION,
        o.HARDWARE_REVISION,
        o.CONTROLLER_DATE,
        o.MANUFACTURED,
        o.NOMINAL_FREQUENCY,
        o.RATING,
    )
]

# The measured values first and close together, the card and its uptime last: what is judged as one was read as one.
WATCH = Plan(
    [*_STATUS, *_INPUTS, *_load(_BANKS[:5], _PHASES[:5]), *_WATCHED_SETTINGS, *_CARD], _tables(_BANKS[:5], _PHASES[:5])
)
ALL = Plan(
    [
        *_STATUS,
        *_INPUTS,
        *_load(_BANKS, _PHASES),
        *_WATCHED_SETTINGS,
        *_CARD,
        *_OTHER_SETTINGS,
        *first_rows(o.INPUT_NAME, (1,)),
        *first_rows(o.SECOND_VERSION, (1,)),
    ],
    _tables(_BANKS, _PHASES),
)
FIVE_G = Plan([Wanted(column, column) for column in o.FIVE_G_ALL])

# --- Smart-UPS ------------------------------------------------------------------------------------------------------
_OUTLETS = (o.UPS_OUTLET_STATE, o.UPS_OUTLET_TYPE, o.UPS_OUTLET_NAME)
# A main group and two switched ones, counted from 0 or from 1 [?]; more are read when there are more.
_OUTLET_END = (3,)
_UPS_MOVING = (
    *(o.UPS_STATUS, o.UPS_COMM, o.UPS_FLAGS, o.UPS_FIRMWARE_UPDATE, o.UPS_SELF_TEST, o.UPS_CALIBRATION),
    *(o.UPS_BATTERY_STATUS, o.UPS_BATTERY_PERCENT, o.UPS_BATTERY_TENTHS, o.UPS_RUNTIME, o.UPS_REPLACE_BATTERY),
    *(o.UPS_INPUT_VOLTAGE, o.UPS_INPUT_TENTHS, o.UPS_OUTPUT_VOLTAGE, o.UPS_OUTPUT_TENTHS),
    *(o.UPS_LOAD, o.UPS_LOAD_TENTHS),
)
_UPS_FIXED = (
    *(o.UPS_MODEL, o.UPS_FIRMWARE, o.UPS_SERIAL, o.UPS_SKU, o.UPS_NAME),
    *(o.UPS_MANUFACTURED, o.UPS_HARDWARE, o.UPS_RATING),
)


def _outlets() -> list[Wanted]:
    wanted = [scalar(o.UPS_OUTLET_COUNT)]
    for column in _OUTLETS:
        wanted += first_rows(column, (0,), (1,), (2,))
    return [*wanted, Wanted((*o.UPS_OUTLET_STATE, *_OUTLET_END), o.UPS_OUTLET_STATE)]


# All of a UPS, in two requests.
UPS = Plan(
    [*(scalar(oid) for oid in (*_UPS_MOVING, *_UPS_FIXED)), *_outlets(), *_CARD],
    (Table(_OUTLETS, o.UPS_OUTLET_STATE, _OUTLET_END),),
)
