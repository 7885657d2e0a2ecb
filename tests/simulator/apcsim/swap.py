# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another unit behind the same address: the rack was rebuilt, an address was given away, a spare went in."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from . import devicefile
from .knobs import Knobs
from .shown import other_serial

if TYPE_CHECKING:
    from .model import Unit

HOW = ("address", "replaced")


def swap(
    unit: Unit,
    device: str | None = None,
    serial: str | None = None,
    called: str | None = None,
    how: str = "address",
    **knobs: Any,
) -> None:
    """``how``: "address", a unit that has long been up answers from now on; "replaced", a spare is put in for the old
    one, on the same feeds and for the same load, and starts cold. The old one's future is void, its past is kept.

    Raises ValueError for an unknown device, ``how`` or knob.
    """
    if how not in HOW:
        raise ValueError(f"how is {' or '.join(HOW)}, not {how!r}")
    unknown = set(knobs) - {field.name for field in fields(Knobs)}
    if unknown:
        raise ValueError(f"no knob {', '.join(sorted(unknown))}")
    data = devicefile.load(device or unit.device.name)
    if (data.ups is None) != (unit.ups is None):
        raise ValueError("an ATS is replaced by an ATS, a UPS by a UPS")
    own = serial or data.identity["serial"]
    if own == unit.serial and serial is None:
        own = other_serial(own)
    old_serial, inputs, load_a = unit.serial, unit.power.inputs, unit.power.load_a
    restarts = unit.card.restarts
    unit.sessions.card_down()
    unit.line.drop(unit.parts)
    unit.faults.active.clear()
    unit.become(data, replace(unit.knobs, **knobs), own, called)
    unit.card.restarts = restarts
    unit.note(f"unit {old_serial} swapped for {own} ({data.name}, {how})")
    if how == "replaced":
        for side, source in unit.power.inputs.items():
            source.plugged, source.feed_v = inputs[side].plugged, inputs[side].feed_v
        unit.power.load_a = load_a
        if not any(source.powers for source in unit.power.inputs.values()):
            unit.settle()
        else:
            unit.card.go_down("put in for another unit", True, unit.knobs.boot_s)
    unit.settle()
