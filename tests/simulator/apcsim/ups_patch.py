# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person, or the grid, does to a UPS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Unit

SWITCHES = {
    "bypass": "bypass", "replace_battery": "replace_battery", "self_test": "self_test",
    "calibration": "calibration", "shutdown_pending": "shutdown_pending", "comm": "link",
}  # fmt: skip
NUMBERS = {"input_voltage_v": 1000.0, "load_percent": 200.0, "battery_percent": 100.0}
TEXTS = ("model", "firmware", "sku")


def apply(unit: Unit, change: Mapping[str, Any]) -> None:
    """Anything unknown raises ValueError before anything is done. Texts are taken raw: a device may say anything."""
    ups = unit.ups
    if ups is None:
        raise ValueError("this device is no UPS")
    values = change.get("ups", {})
    if not isinstance(values, Mapping):
        raise ValueError("ups is an object")
    known_names = {*SWITCHES, *NUMBERS, *TEXTS, "groups", "output_on"}
    unknown = [*(set(change) - {"ups", "name"}), *(set(values) - known_names)]
    if unknown:
        raise ValueError(f"cannot patch {', '.join(sorted(map(str, unknown)))}")
    for name in set(values) & {*SWITCHES, "output_on"}:
        if not isinstance(values[name], bool):
            raise ValueError(f"{name} is true or false")
    for name in set(values) & set(NUMBERS):
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= NUMBERS[name]:
            raise ValueError(f"{name} is a number from 0 to {NUMBERS[name]:g}")
    for name in set(values) & set(TEXTS):
        if not isinstance(values[name], str) and not (name == "sku" and values[name] is None):
            raise ValueError(f"{name} is a text")
    for text in [change.get("name", ""), *(values.get(name) or "" for name in TEXTS)]:
        str(text).encode()  # what no string can carry is refused now (a ValueError)
    groups = values.get("groups", {})
    if not isinstance(groups, Mapping):
        raise ValueError('groups is an object, such as {"2": {"on": false}}')
    chosen = []
    for number, row in groups.items():
        known = str(number).isdigit() and 1 <= int(number) <= len(ups.groups)
        if not known or not isinstance(row, Mapping) or set(row) - {"on", "name"}:
            raise ValueError(f"no outlet group {number} with {row!r}")
        chosen.append((ups.groups[int(number) - 1], row))
    for group, row in chosen:
        group.on = bool(row.get("on", group.on))
        group.name = str(row.get("name", group.name))
    for name, own in SWITCHES.items():
        if name in values:
            setattr(ups, own, values[name])
    if "output_on" in values:
        ups.command_output(values["output_on"])
    if "input_voltage_v" in values:
        ups.input_v = float(values["input_voltage_v"])
    if "load_percent" in values:
        ups.take_load(float(values["load_percent"]))
    if "battery_percent" in values:
        ups.charge(float(values["battery_percent"]))
    for name in TEXTS:
        if name in values:
            setattr(ups, name, values[name])
    for name, value in values.items():
        unit.note(f"{name} set to {value}")
    if "name" in change:
        unit.system["name"] = unit.system["ats_name"] = str(change["name"])
    unit.changed()
    unit.settle()
