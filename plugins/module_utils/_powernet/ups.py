# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Smart-UPS by SNMP: raw values to its state. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import state as d
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import NmcState, decode_nmc
from ansible_collections.dcops.apc.plugins.module_utils._powernet.plans import UPS
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import read_plan
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import (
    ABSENT,
    choices,
    chosen,
    number,
    spelled,
    tenths,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpClient

_MAX_V = 1000
_MAX_PERCENT = 1000  # a load may be above 100
_MAX_RUNTIME_TICKS = 2**31 - 1
_MAX_GROUPS = 64

_STATUS = choices(d.Status)
_COMM = choices(d.UpsComm)
_BATTERY = choices(d.BatteryStatus)
_REPLACE = choices(d.YesNo)
_SELF_TEST = choices(d.SelfTest)
_CALIBRATION = choices(d.Calibration)
_UPDATE = choices(d.FirmwareUpdate)
_OUTLET_STATE = choices(d.OutletState)
_OUTLET_TYPE = choices(d.OutletType)

# One of these makes it a UPS: a card in another device answers none of them.
_PROOF = (o.UPS_MODEL, o.UPS_FIRMWARE, o.UPS_STATUS, o.UPS_COMM)


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
        model=_text(raw.get(o.UPS_MODEL)),
        name=_text(raw.get(o.UPS_NAME)),
        sku=_text(raw.get(o.UPS_SKU)),
        serial=_text(raw.get(o.UPS_SERIAL)),
        # With its odd spaces: the raw text is what a person compares with the maker's notes.
        firmware=d.parse_firmware(spelled(raw.get(o.UPS_FIRMWARE), d.MAX_TEXT + 1)),
        manufactured=_text(raw.get(o.UPS_MANUFACTURED)),
        hardware_revision=_text(raw.get(o.UPS_HARDWARE)),
        rating=_rating(raw.get(o.UPS_RATING)),
        status=chosen(raw, o.UPS_STATUS, _STATUS, ABSENT),
        comm=chosen(raw, o.UPS_COMM, _COMM, ABSENT),
        flags=d.Flags.parse(_text(raw.get(o.UPS_FLAGS))),
        battery_status=chosen(raw, o.UPS_BATTERY_STATUS, _BATTERY, ABSENT),
        battery_percent=_rounded(raw, o.UPS_BATTERY_PERCENT, o.UPS_BATTERY_TENTHS, 100),
        runtime_s=_runtime(raw.get(o.UPS_RUNTIME)),
        replace_battery=chosen(raw, o.UPS_REPLACE_BATTERY, _REPLACE, ABSENT),
        self_test=chosen(raw, o.UPS_SELF_TEST, _SELF_TEST, ABSENT),
        calibration=chosen(raw, o.UPS_CALIBRATION, _CALIBRATION, ABSENT),
        # What feeds the unit must not look more than it may be, nor what comes out of it less.
        input_voltage_v=_both(raw, o.UPS_INPUT_VOLTAGE, o.UPS_INPUT_TENTHS, _MAX_V, min),
        output_voltage_v=_both(raw, o.UPS_OUTPUT_VOLTAGE, o.UPS_OUTPUT_TENTHS, _MAX_V, max),
        load_percent=_load(raw),
        outlet_count=number(raw.get(o.UPS_OUTLET_COUNT), _MAX_GROUPS, ABSENT),
        outlet_groups=_groups(raw),
        firmware_update=chosen(raw, o.UPS_FIRMWARE_UPDATE, _UPDATE, ABSENT),
    )


def _text(value: RawValue | None) -> str | None:
    found = spelled(value)
    return found.strip() or None if found is not None else None


def _rounded(raw: Mapping[Oid, RawValue], whole: Oid, precise: Oid, most: int) -> Reading[int]:
    found = number(raw.get(whole), most, ABSENT)
    if found.known or precise not in raw:
        return found
    fine = tenths(raw.get(precise), most, ABSENT)
    return Reading(fine.kind, None if fine.value is None else round(fine.value), fine.why)


def _both(
    raw: Mapping[Oid, RawValue], whole: Oid, precise: Oid, most: int, choose: Callable[[int, int], int]
) -> Reading[int]:
    """Of two objects that say the same, and should differ by rounding alone."""
    found = _rounded(raw, whole, precise, most)
    fine = tenths(raw.get(precise), most, ABSENT)
    if not found.known or not fine.known:
        return found
    one, other = found.value or 0, round(fine.value or 0.0)
    return found if abs(one - other) <= 1 else Reading(found.kind, choose(one, other))


def _load(raw: Mapping[Oid, RawValue]) -> Reading[float]:
    fine = tenths(raw.get(o.UPS_LOAD_TENTHS), _MAX_PERCENT, ABSENT)
    whole = number(raw.get(o.UPS_LOAD), _MAX_PERCENT, ABSENT)
    if not whole.known:
        return fine if o.UPS_LOAD_TENTHS in raw else Reading(whole.kind, None, whole.why)
    # The greater of the two: what is attached must not look smaller than it may be.
    return (
        fine
        if fine.known and (fine.value or 0.0) > (whole.value or 0)
        else Reading(whole.kind, float(whole.value or 0))
    )


def _runtime(value: RawValue | None) -> Reading[int]:
    ticks = number(value, _MAX_RUNTIME_TICKS, ABSENT)
    return Reading(ticks.kind, None if ticks.value is None else ticks.value // 100, ticks.why)


def _rating(value: RawValue | None) -> str | None:
    # An integer on some units, a text on others [?].
    return str(value) if isinstance(value, int) and 0 <= value < 2**31 else _text(value)


def _groups(raw: Mapping[Oid, RawValue]) -> tuple[d.OutletGroup, ...]:
    found: dict[int, None] = {}
    for column in (o.UPS_OUTLET_STATE, o.UPS_OUTLET_TYPE, o.UPS_OUTLET_NAME):
        depth = len(column)
        for oid in raw:
            if oid[:depth] == column and len(oid) == depth + 1:
                found[oid[depth]] = None
    return tuple(
        d.OutletGroup(
            index=index,
            name=_text(raw.get((*o.UPS_OUTLET_NAME, index))),
            state=chosen(raw, (*o.UPS_OUTLET_STATE, index), _OUTLET_STATE, ABSENT),
            type=chosen(raw, (*o.UPS_OUTLET_TYPE, index), _OUTLET_TYPE, ABSENT),
        )
        for index in sorted(found)[:_MAX_GROUPS]
    )


__all__ = ["UpsRead", "decode_ups", "read_ups"]
