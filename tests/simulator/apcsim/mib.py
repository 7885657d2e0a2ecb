# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The MIB view: what the card answers, made from the device file and from what the card has been told.

A dynamic object is answered only if the device file has its row. The view is a sorted list of names with ready answers,
kept until something changes; only sysUpTime is made on reading.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, TypeAlias

from . import ups_mib
from .devicefile import Cell, Oid, oid_of
from .fields import APP_TREE, COMM, FIELDS, FILES, LAST_TRANSFER, PREFERRED, STATUS, SYS, A, U, place
from .power import SIDES, Seen

if TYPE_CHECKING:
    from .model import Unit


Answer: TypeAlias = tuple[Oid, Any] | None


class View:
    """``before``: the last one; most changes are of values, so that what comes after what stays as it was."""

    __slots__ = ("_after", "_whole", "cells", "keys")

    def __init__(self, cells: dict[Oid, Cell], before: View | None = None) -> None:
        self.cells = cells
        same = before is not None and before.cells.keys() == cells.keys()
        self.keys: list[Oid] = before.keys if before is not None and same else sorted(cells)
        self._after: dict[Oid, Oid | None] = before._after if before is not None and same else {}
        self._whole: dict[tuple[Oid, ...], tuple[tuple[Answer, ...], tuple[int, ...]]] = {}

    def _next(self, oid: Oid) -> Oid | None:
        try:
            return self._after[oid]
        except KeyError:
            at = bisect_right(self.keys, oid)
            found = self.keys[at] if at < len(self.keys) else None
            if len(self._after) < 4096:
                self._after[oid] = found
            return found

    def next(self, oid: Oid) -> tuple[Oid, str, Any] | None:
        key = self._next(oid)
        return None if key is None else (key, *self.cells[key])

    def request(self, oids: tuple[Oid, ...]) -> tuple[tuple[Answer, ...], tuple[int, ...]]:
        """The successors of all of them, and which of these have no ready value. A run asks the same few requests."""
        known = self._whole.get(oids)
        if known is None:
            cells = self.cells
            found = [self._next(oid) for oid in oids]
            answers = tuple(None if key is None else (key, cells[key][1]) for key in found)
            unready = tuple(at for at, one in enumerate(answers) if one is not None and one[1] is None)
            known = answers, unready
            if len(self._whole) < 256:
                self._whole[oids] = known
        return known


def render(unit: Unit) -> dict[Oid, Cell]:
    cells = dict(unit.base)
    card = unit.card

    def put(oid: Oid, value: Any) -> None:
        """None: the object is not there now."""
        cell = cells.get(oid)
        if cell is None:
            return
        if value is None:
            del cells[oid]
        else:
            cells[oid] = (cell[0], value.encode() if isinstance(value, str) else value)

    put((*SYS, 1, 0), card.sys_descr)
    for n, key in ((4, "contact"), (5, "name"), (6, "location")):
        put((*SYS, n, 0), unit.system[key])
    put(LAST_TRANSFER, card.last_transfer)
    shown = card.app_running or card.app_starting
    table = (
        (1, card.aos_file, card.aos),
        (2, card.app_file if shown else None, card.app if shown else None),
        (3, None, card.boot_monitor),
    )
    for n, file, version in () if unit.device.card.get("static_file_table") else table:
        if file is not None or n == 2:
            put((*FILES, 3, n), file)
        put((*FILES, 4, n), None if version is None else f"v{version}")
    if unit.device.ats is not None or unit.ups is not None:
        if card.app_running and unit.ups is not None:
            ups_mib.render(unit, cells, put)
        elif card.app_running:
            _ats(unit, cells, put)
        else:
            cells = {oid: cell for oid, cell in cells.items() if oid[: len(APP_TREE)] != APP_TREE}
    _faults(unit, cells)
    return cells


def _ats(unit: Unit, cells: dict[Oid, Cell], put: Any) -> None:
    controller, settings, knobs = unit.controller, unit.settings, unit.knobs
    for n, value in (
        (1, unit.system["ats_name"]),
        (2, PREFERRED[settings.preferred]),
        (3, settings.front_panel),
        (4, settings.sensitivity),
        (5, settings.transfer_range),
        (6, int(settings.current_limit_a)),
        (8, int(settings.line_v)),
    ):
        put((*A, 4, n, 0), value)
    put((*A, 1, 6, 0), unit.shown.unit or unit.serial)
    put((*A, 1, 2, 0), controller.revision)
    fresh = controller.fresh
    _status(unit, unit.arrived if fresh else unit.stale, put)
    _inputs(unit, unit.arrived if fresh else unit.stale, put)
    _load(unit, unit.arrived if fresh else unit.stale, put)
    if not fresh:
        if controller.downloading:
            mode = knobs.ats_during_download
        else:
            mode = knobs.ats_before_comm if not controller.checked else knobs.ats_when_lost
            mode = "stale" if controller.cached else mode
        if mode != "stale":
            _doubtful(cells, absent=mode == "absent")
    put(COMM, controller.reading)


def _doubtful(cells: dict[Oid, Cell], absent: bool) -> None:
    """What the objects return without a controller is [?]: nothing, or -1. The communication object stays."""
    measured = (*A, 5)
    for oid in [oid for oid in cells if oid[: len(measured)] == measured and oid != COMM]:
        kind = cells[oid][0]
        if absent:
            del cells[oid]
        elif kind in ("int", "gauge"):
            cells[oid] = ("int", -1)
    if absent:
        cells.pop((*A, 1, 2, 0), None)


def _ok(state: bool) -> int:
    return 2 if state else 1


def _status(unit: Unit, seen: Seen, put: Any) -> None:
    knobs = unit.knobs
    internal = {"fitted": 2, "minus_one": -1, "zero": 0, "absent": None}[knobs.internal_supplies]
    put((*STATUS, 2, 0), 1 if seen.selected == "A" else 2)
    put((*STATUS, 3, 0), _ok(seen.redundant))
    states = [_state(unit, seen.load_current_a * share, row) for share, row in unit.load_rows]
    put((*STATUS, 4, 0), max(states, default=1) if knobs.over_current == "state" else _ok(not seen.over_current))
    for n in (5, 8, 9):
        put((*STATUS, n, 0), internal)
    for n, index in ((6, 0), (7, 1)):
        put((*STATUS, n, 0), 2 if seen.live[index] else knobs.dead_supply_24v)
    put((*STATUS, 10, 0), _ok(seen.switch_ok))
    put((*STATUS, 11, 0), settings_panel(unit))
    for n, index in ((12, 0), (13, 1)):
        put((*STATUS, n, 0), _ok(seen.good[index]))
    put((*STATUS, 14, 0), 1 if seen.in_sync else 2)
    put((*STATUS, 15, 0), _ok(seen.output_on))
    put((*STATUS, 16, 0), _ok(unit.power.display_ok))  # the card logs it without the controller, so it knows


def settings_panel(unit: Unit) -> int:
    """Status: 1 locked, 2 unlocked; setting: 1 disable, 2 enable."""
    return 1 if unit.settings.front_panel == 1 else 2


def _inputs(unit: Unit, seen: Seen, put: Any) -> None:
    knobs = unit.knobs
    ghost = int(knobs.ghost_v)
    gone = {"zero": 0, "minus_one": -1, "no_row": None, "ghost": ghost, "other": 0}[knobs.dead_voltage]
    silent = {"zero": 0, "minus_one": -1, "absent": None}[knobs.dead_frequency]
    for index, _unused in enumerate(SIDES):
        voltage = seen.voltage[index]
        if knobs.dead_voltage == "other" and not seen.live[index]:
            voltage = seen.voltage[1 - index]  # some AP44xx firmware does so
        put((*A, 5, 3, 3, 1, 3, index + 1, 1, 1), gone if voltage < 1 else round(voltage))
        put((*A, 5, 3, 2, 1, 4, index + 1), round(seen.frequency[index]) if seen.live[index] else silent)


def _current(unit: Unit, amps: float) -> int:
    tenths = round(amps * 10)
    return 0 if tenths < 10 and unit.knobs.small_current_reads_zero else tenths


def _state(unit: Unit, amps: float, row: dict[str, Any]) -> int:
    if amps > row["limit_a"]:
        return 4
    return 3 if amps > row["near_a"] else 1


def _load(unit: Unit, seen: Seen, put: Any) -> None:
    ats = unit.device.ats or {}
    volts = round(seen.voltage[SIDES.index(seen.selected)]) if seen.output_on else 0
    hertz = round(seen.frequency[SIDES.index(seen.selected)]) if seen.output_on else 0
    put((*A, 5, 4, 2, 1, 4, 1), hertz)
    per_amp, full = float(ats.get("va_per_a", 215)), float(ats.get("full_va", 7360))
    for table, kind in ((5, "banks"), (3, "phases")):
        amps_at, state_at, volts_at, va_at, share_at, rating_at, of_rating_at = (
            (4, 5, 6, 9, 12, 15, 18) if kind == "banks" else (4, 19, 3, 7, 10, 13, 16)
        )
        for n, row in enumerate(ats.get(kind, []), 1):
            index = (n,) if kind == "banks" else (n, 1, 1)
            tenths = _current(unit, seen.load_current_a * float(row["share"]))
            va = int(tenths / 10 * per_amp)
            column = (*A, 5, 4, table, 1)
            put((*column, amps_at, *index), tenths)
            put((*column, state_at, *index), _state(unit, tenths / 10, row))
            put((*column, volts_at, *index), volts)
            put((*column, va_at, *index), va)
            put((*column, share_at, *index), int(va * 100 / full))
            put((*column, rating_at, *index), va)
            put((*column, of_rating_at, *index), int(va * 100 / full))


def within(unit: Unit, cells: dict[Oid, Cell], names: list[str] | None) -> list[Oid]:
    """The objects at or under the names; without names all of the ATS's or the UPS's."""
    roots = [A if unit.ups is None else U] if names is None else [place(name) for name in names]
    return [oid for oid in cells if any(oid[: len(root)] == root for root in roots)]


def _faults(unit: Unit, cells: dict[Oid, Cell]) -> None:
    active = unit.faults.active
    if not active:
        return
    redundancy = FIELDS["redundancy"]
    if "redundancy" in active and redundancy in cells:
        cells[redundancy] = ("int", 1)
    if "snmp_minus_one" in active:
        for oid in within(unit, cells, active["snmp_minus_one"].get("oids")):
            if cells[oid][0] in ("int", "gauge"):
                cells[oid] = ("int", -1)
    if "frozen" in active and cells:
        cells.update(active["frozen"]["cells"])
    if "snmp_missing" in active:
        for oid in within(unit, cells, active["snmp_missing"].get("oids")):
            del cells[oid]
    for name, value in active.get("override", {}).get("values", {}).items():
        oid = place(name)
        if value is None:
            cells.pop(oid, None)
        elif isinstance(value, int):
            cells[oid] = (cells[oid][0] if oid in cells and cells[oid][0] != "str" else "int", value)
        else:
            cells[oid] = ("oid", oid_of(value)) if name == "sys_object_id" else ("str", str(value).encode())
