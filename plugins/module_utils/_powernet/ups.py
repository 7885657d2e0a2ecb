# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Smart-UPS by SNMP: what is asked, and what the answers mean, one row an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import state as d
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._powernet import card
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.card import NmcState, decode_nmc
from ansible_collections.dcops.apc.plugins.module_utils._powernet.fields import Field, Join, Place, Rows, plan_of
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import read_plan
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import (
    ABSENT,
    number,
    quantity,
    quantity_in_tenths,
    spelled,
    word_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpClient

_MAX_V = 1000
_MAX_PERCENT = 1000  # a load may be above 100
_MAX_CELSIUS = 150
_MAX_RUNTIME_TICKS = 2**31 - 1
_MAX_GROUPS = 64

# One of these makes it a UPS: a card in another device answers none of them.
_PROOF = (o.UPS_MODEL, o.UPS_FIRMWARE, o.UPS_STATUS, o.UPS_COMM)


def _text(value: RawValue | None, _absent: Reading[Any] = ABSENT) -> str | None:
    found = spelled(value)
    return found.strip() or None if found is not None else None


def _firmware(value: RawValue | None, _absent: Reading[Any]) -> d.UpsFirmware:
    # With its odd spaces: the raw text is what a person compares with the maker's notes.
    return d.parse_firmware(spelled(value, d.MAX_TEXT + 1))


def _flags(value: RawValue | None, _absent: Reading[Any]) -> d.Flags:
    return d.Flags.parse(_text(value))


def _rating(value: RawValue | None, _absent: Reading[Any]) -> str | None:
    # An integer on some units, a text on others [?].
    return str(value) if isinstance(value, int) and 0 <= value < 2**31 else _text(value)


def _runtime(value: RawValue | None, absent: Reading[Any]) -> Reading[int]:
    ticks = number(value, _MAX_RUNTIME_TICKS, absent)
    return Reading(ticks.kind, None if ticks.value is None else ticks.value // 100, ticks.why)


# Of two objects that say the same, whole and in tenths, some cards answer only one [V].
def _rounded(whole: Reading[int], fine: Reading[float]) -> Reading[int]:
    if whole.known or fine is ABSENT:
        return whole
    return Reading(fine.kind, None if fine.value is None else round(fine.value), fine.why)


def _both(choose: Callable[[int, int], int]) -> Join:
    """They should differ by rounding alone; where they do not, ``choose`` says which one counts."""

    def join(whole: Reading[int], fine: Reading[float]) -> Reading[int]:
        found = _rounded(whole, fine)
        if not found.known or not fine.known:
            return found
        one, other = found.value or 0, round(fine.value or 0.0)
        return found if abs(one - other) <= 1 else Reading(found.kind, choose(one, other))

    return join


def _greater_load(whole: Reading[int], fine: Reading[float]) -> Reading[float]:
    """What is attached must not look smaller than it may be."""
    if not whole.known:
        return Reading(whole.kind, None, whole.why) if fine is ABSENT else fine
    if fine.known and (fine.value or 0.0) > (whole.value or 0):
        return fine
    return Reading(whole.kind, float(whole.value or 0))


_volts, _tenths_of_volts = quantity(_MAX_V), quantity_in_tenths(_MAX_V)
# A main group and two switched ones, counted from 0 or from 1 [?]; more are read when there are more.
_OUTLETS = Rows("outlet_groups", after=((0,), (1,), (2,)), covered=(3,))

# What moves first. What feeds the unit must not look more than it may be, nor what comes out of it less.
FIELDS: tuple[Field, ...] = (
    Field(o.UPS_STATUS, word_of(d.Status), "status", watched=True),
    Field(o.UPS_COMM, word_of(d.UpsComm), "comm", watched=True),
    Field(o.UPS_FLAGS, _flags, "flags", watched=True),
    Field(o.UPS_FIRMWARE_UPDATE, word_of(d.FirmwareUpdate), "firmware_update", watched=True),
    Field(o.UPS_SELF_TEST, word_of(d.SelfTest), "self_test", watched=True),
    Field(o.UPS_CALIBRATION, word_of(d.Calibration), "calibration", watched=True),
    Field(o.UPS_BATTERY_STATUS, word_of(d.BatteryStatus), "battery_status", watched=True),
    Field(o.UPS_BATTERY_PERCENT, quantity(100), "battery_percent", watched=True),
    Field(o.UPS_BATTERY_TENTHS, quantity_in_tenths(100), "battery_percent", watched=True, join=_rounded),
    Field(o.UPS_RUNTIME, _runtime, "runtime_s", watched=True),
    Field(o.UPS_REPLACE_BATTERY, word_of(d.YesNo), "replace_battery", watched=True),
    Field(o.UPS_INPUT_VOLTAGE, _volts, "input_voltage_v", watched=True),
    Field(o.UPS_INPUT_TENTHS, _tenths_of_volts, "input_voltage_v", watched=True, join=_both(min)),
    Field(o.UPS_OUTPUT_VOLTAGE, _volts, "output_voltage_v", watched=True),
    Field(o.UPS_OUTPUT_TENTHS, _tenths_of_volts, "output_voltage_v", watched=True, join=_both(max)),
    Field(o.UPS_LOAD, quantity(_MAX_PERCENT), "load_percent", watched=True),
    Field(o.UPS_LOAD_TENTHS, quantity_in_tenths(_MAX_PERCENT), "load_percent", watched=True, join=_greater_load),
    Field(o.UPS_MODEL, _text, "model", watched=True),
    Field(o.UPS_FIRMWARE, _firmware, "firmware", watched=True),
    Field(o.UPS_SERIAL, _text, "serial", watched=True),
    Field(o.UPS_SKU, _text, "sku", watched=True),
    Field(o.UPS_NAME, _text, "name", watched=True),
    Field(o.UPS_MANUFACTURED, _text, "manufactured", watched=True),
    Field(o.UPS_HARDWARE, _text, "hardware_revision", watched=True),
    Field(o.UPS_RATING, _rating, "rating", watched=True),
    # upsAdvBatteryTemperature of the MIB [V].
    Field((*o.UPS, 2, 2, 2, 0), quantity(_MAX_CELSIUS), "others.battery_temperature_c"),
    Field(o.UPS_OUTLET_COUNT, quantity(_MAX_GROUPS), "outlet_count", watched=True),
    Field(o.UPS_OUTLET_STATE, word_of(d.OutletState), "outlet_groups.state", watched=True, rows=_OUTLETS),
    Field(o.UPS_OUTLET_TYPE, word_of(d.OutletType), "outlet_groups.type", watched=True, rows=_OUTLETS),
    Field(o.UPS_OUTLET_NAME, _text, "outlet_groups.name", watched=True, rows=_OUTLETS),
)
# All of a UPS, in two requests.
UPS = plan_of((*FIELDS, *card.FIELDS))
_UPS, _OTHERS = Place(FIELDS), Place(FIELDS, "others")
_OUTLET_COLUMNS = tuple((item.into.partition(".")[2], item.oid, item.decode) for item in FIELDS if item.rows)


@dataclass(frozen=True)
class UpsRead:
    nmc: NmcState
    ups: d.UpsState


def read_ups(client: SnmpClient) -> UpsRead:
    """One snapshot in two round trips; raises TransportError when the card does not answer."""
    raw = read_plan(client, UPS)
    return UpsRead(decode_nmc(raw), decode_ups(raw))


def decode_ups(raw: Mapping[Oid, RawValue]) -> d.UpsState:
    return d.UpsState(
        objects_answered=any(oid in raw for oid in _PROOF),
        outlet_groups=_groups(raw),
        others=tuple(_OTHERS.read(raw, ABSENT).items()),
        **_UPS.read(raw, ABSENT),
    )


def _groups(raw: Mapping[Oid, RawValue]) -> tuple[d.OutletGroup, ...]:
    found: set[int] = set()
    for _name, column, _decode in _OUTLET_COLUMNS:
        depth = len(column)
        found.update(oid[depth] for oid in raw if oid[:depth] == column and len(oid) == depth + 1)
    return tuple(
        d.OutletGroup(
            index=index,
            **{name: decode(raw.get((*column, index)), ABSENT) for name, column, decode in _OUTLET_COLUMNS},
        )
        for index in sorted(found)[:_MAX_GROUPS]
    )


__all__ = ["UpsRead", "decode_ups", "read_ups"]
