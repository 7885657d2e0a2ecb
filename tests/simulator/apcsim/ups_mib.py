# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a UPS's card answers under U (facts/UPS.md). Objects marked [G] are from the MIB, not from facts/UPS.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .devicefile import Cell, Oid, oid_of
from .fields import SYS, U

if TYPE_CHECKING:
    from .model import Unit

COMM_OK, COMM_NONE = 1, 2
GROUPS = (*U, 12)
TYPES = {"switched": 1, "main": 2}
# flag number -> what sets it; 1, 2, 3, 4, 6, 9, 19, 20, 22 and 58 [V], the others [G]
FLAGS = {
    2: "on_battery", 3: "low", 5: "replace", 9: "overload", 10: "calibration", 13: "bypass", 18: "exhausted", 19: "on",
    22: "shutdown", 29: "self_test",
}  # fmt: skip


def flags(said: dict[str, Any], comm: bool) -> str:
    """Sixty-four characters, flag 1 leftmost."""
    up = {number for number, name in FLAGS.items() if said[name]}
    if said["status"] in (2, 4, 12):
        up.add(4)
        up |= {4: {7}, 12: {8}}.get(said["status"], set())
    if not said["on"]:
        up.add(58)
    if comm:
        up.add(6)
    if up & {2, 3, 5, 9, 13, 22} or not comm:
        up.add(1)
    return "".join("1" if number in up else "0" for number in range(1, 65))


def render(unit: Unit, cells: dict[Oid, Cell], put: Any) -> None:
    ups = unit.ups
    assert ups is not None
    comm = ups.comm
    said = ups.reading() if comm else ups.stale
    facts = ups.facts
    put((*SYS, 2, 0), oid_of(facts["sys_object_id"]))
    for n, value in (
        ((1, 1, 1), said["model"]),
        ((1, 1, 2), unit.system["ats_name"]),
        ((1, 2, 1), said["firmware"]),
        ((1, 2, 2), facts["made"]),
        ((1, 2, 3), unit.serial),
        ((1, 2, 5), said["sku"]),
        ((1, 2, 6), facts["hardware"]),
        ((1, 2, 9), facts["rated_va"]),
        ((2, 1, 1), 3 if said["low"] else 2),  # [G]
        ((2, 2, 1), int(said["percent"])),
        ((2, 2, 2), int(facts.get("battery_temperature_c", 23))),
        ((2, 2, 3), int(said["runtime_s"]) * 100),
        ((2, 2, 4), 2 if said["replace"] else 1),
        ((2, 3, 1), int(said["percent"] * 10)),
        ((2, 3, 2), int(facts.get("battery_temperature_c", 23.4) * 10)),
        ((2, 3, 4), int(facts.get("battery_v", 27.3) * 10)),
        ((3, 2, 1), round(said["input_v"])),
        ((3, 2, 4), round(said["input_hz"])),
        ((3, 3, 1), round(said["input_v"] * 10)),
        ((3, 3, 4), round(said["input_hz"] * 10)),
        ((4, 1, 1), said["status"]),
        ((4, 2, 1), round(said["output_v"])),
        ((4, 2, 2), round(said["output_hz"])),
        ((4, 2, 3), int(said["load"])),
        ((4, 3, 1), round(said["output_v"] * 10)),
        ((4, 3, 2), round(said["output_hz"] * 10)),
        ((4, 3, 3), round(said["load"] * 10)),
        ((7, 2, 3), 4 if said["self_test"] else 1),  # [G] 4 = in progress
        ((7, 2, 6), 3 if said["calibration"] else 1),  # [G] 3 = in progress
        ((11, 1, 1), flags(said, comm)),
    ):
        put((*U, *n, 0), value)
    _groups(unit, cells, said["groups"])
    if not comm and unit.knobs.ups_values_when_lost != "stale":
        _doubtful(cells, absent=unit.knobs.ups_values_when_lost == "absent")
    put((*U, 8, 1, 0), COMM_OK if comm else COMM_NONE)
    put((*U, 6, 2, 9, 0), ups.update.shown if facts["update_by_card"] else None)


def _groups(unit: Unit, cells: dict[Oid, Cell], groups: list[tuple[str, str, bool]]) -> None:
    tree = unit.knobs.outlet_tree
    if tree == "absent" or not groups:
        return
    shown = groups if tree == "present" else []
    cells[(*GROUPS, 1, 1, 0)] = ("int", len(shown))
    row = (*GROUPS, 1, 2, 1)
    for n, (name, kind, on) in enumerate(shown, 1):
        cells[(*row, 1, n)] = ("int", n)  # [G] index
        cells[(*row, 2, n)] = ("str", name.encode())
        cells[(*row, 3, n)] = ("int", 1 if on else 2)
        cells[(*row, 5, n)] = ("int", TYPES[kind])


def _doubtful(cells: dict[Oid, Cell], absent: bool) -> None:
    """What the objects say without the UPS is [?]. The card knows its own comm and update objects."""
    own = {(*U, 8, 1, 0), (*U, 6, 2, 9, 0), (*U, 1, 1, 2, 0)}
    for oid in [oid for oid in cells if oid[: len(U)] == U and oid not in own]:
        kind = cells[oid][0]
        if absent:
            del cells[oid]
        elif kind in ("int", "gauge"):
            cells[oid] = ("int", -1)
        elif kind == "ticks":
            cells[oid] = ("ticks", 0)
