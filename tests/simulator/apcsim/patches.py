# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person, or the grid, does to the unit."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import ups_patch
from .power import SIDES

if TYPE_CHECKING:
    from .model import Unit


def blame(change: Mapping[str, Any]) -> str:
    """ "hand" where a plug, a load or a setting is touched, "feed" where the grid alone moves."""
    if not isinstance(change, Mapping) or not isinstance(change.get("inputs"), Mapping):
        return "hand"  # what is no patch is refused behind this
    rows = [values for values in change["inputs"].values() if isinstance(values, Mapping)]
    return "hand" if len(change) > 1 or any("plugged" in values for values in rows) else "feed"


def apply(unit: Unit, change: Mapping[str, Any]) -> None:
    """Anything unknown raises ValueError before anything is done."""
    if not isinstance(change, Mapping):
        raise ValueError("a patch is an object")
    if "ups" in change or unit.ups is not None:
        ups_patch.apply(unit, change)
        return
    settings = {"preferred_source": "preferred"}
    settings |= {n: n for n in ("sensitivity", "transfer_range", "front_panel", "current_limit_a", "line_v")}
    unknown = set(change) - {"inputs", "load_current_a", "name", *settings}
    if unknown:
        raise ValueError(f"cannot patch {', '.join(sorted(unknown))}")
    inputs = change.get("inputs", {})
    for side, values in inputs.items():
        wrong = set(values) - {"plugged", "voltage_v", "frequency_hz", "phase_deg"}
        if side not in SIDES or wrong:
            raise ValueError(f"no input {side} with {', '.join(sorted(values))}")
        if not all(isinstance(value, (int, float)) and 0 <= value < 10000 for value in values.values()):
            raise ValueError("an input's values are true, false or numbers from 0")
    load = change.get("load_current_a")
    if load is not None and (isinstance(load, bool) or not isinstance(load, (int, float)) or not 0 <= load < 10000):
        raise ValueError("load_current_a is a number from 0")
    trial = copy.copy(unit.settings)
    for name, own in settings.items():
        if name in change:
            trial.set(own, change[name], unit.now)
    for name, own in settings.items():
        if name in change:
            unit.settings.set(own, change[name], unit.now)
            unit.note(f"{name} set to {change[name]}")
    for side, values in inputs.items():
        source = unit.power.inputs[side]
        if "plugged" in values:
            source.plugged = bool(values["plugged"])
            unit.note(f"input {side} {'plugged' if source.plugged else 'unplugged'}")
        if "voltage_v" in values:
            source.feed_v = float(values["voltage_v"])
            unit.note(f"feed {side} {source.feed_v:g} V")
        source.frequency_hz = float(values.get("frequency_hz", source.frequency_hz))
        source.phase_deg = float(values.get("phase_deg", source.phase_deg))
    if load is not None:
        unit.power.load_a = float(load)
        unit.note(f"load {unit.power.load_a:g} A")
    if "name" in change:
        unit.system["name"] = unit.system["ats_name"] = str(change["name"])
    unit.changed()
    unit.power.settle()
