# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row an object that is read: which, what its values mean, where that goes. Plans and decoders walk the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import Plan, Table, Wanted, first_rows, scalar
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue

# From what the device said (None: nothing) and the reading for an absent object; total, since anything may be said.
Decode: TypeAlias = Callable[["RawValue | None", Reading[Any]], Any]
Join: TypeAlias = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Rows:
    """A table: beside its first row, a plan asks for the row ``after`` each of these indexes, in one request. With
    ``covered`` the first column is asked for once more beyond it: do more rows follow? Then they are read too."""

    name: str
    after: tuple[Oid, ...] = ()
    covered: Oid | None = None


@dataclass(frozen=True)
class Field:
    """One object. ``oid``: the instance (.0) of a scalar, or the column of a table (``rows``). ``into``: the place in
    the state, such as ``settings.name``; ``others.<any name>`` needs no place of its own in the state or the result.
    ``watched``: read with every sample that is judged, else only where a whole unit is read. ``join``: how this goes
    together with what an earlier row put into the same place."""

    oid: Oid
    decode: Decode
    into: str
    watched: bool = False
    rows: Rows | None = None
    join: Join | None = None

    def wanted(self) -> list[Wanted]:
        return [scalar(self.oid)] if self.rows is None else first_rows(self.oid, *self.rows.after)


def plan_of(fields: Iterable[Field], watched_only: bool = False) -> Plan:
    """In the order of the rows, the watched ones first: what is judged as one is read close together."""
    ordered = sorted((item for item in fields if item.watched or not watched_only), key=lambda item: not item.watched)
    columns: dict[Rows, list[Oid]] = {}
    last: dict[Rows, Field] = {}
    for item in ordered:
        if item.rows is not None and item.rows.covered is not None:
            columns.setdefault(item.rows, []).append(item.oid)
            if item.watched or item.rows not in last:
                last[item.rows] = item
    wanted: list[Wanted] = []
    for item in ordered:
        wanted += item.wanted()
        if item.rows is not None and item.rows.covered is not None and last[item.rows] is item:
            pilot = columns[item.rows][0]
            wanted.append(Wanted((*pilot, *item.rows.covered), pilot))
    tables = [
        Table(tuple(found), found[0], rows.covered) for rows, found in columns.items() if rows.covered is not None
    ]
    return Plan(wanted, tables)


class Place:
    """The scalars of one place of a state (of one dataclass): by name, ready for its constructor."""

    def __init__(self, fields: Iterable[Field], place: str = "") -> None:
        self._plain: list[tuple[str, Oid, Decode]] = []
        self._joined: list[tuple[str, Oid, Decode, Join]] = []
        for item in fields:
            # A name may hold dots ("supplies.3.3v"), a place does not.
            where, _dot, name = item.into.partition(".") if "." in item.into else ("", "", item.into)
            if item.rows is not None or where != place:
                continue
            if item.join is None:
                self._plain.append((name, item.oid, item.decode))
            else:
                self._joined.append((name, item.oid, item.decode, item.join))

    def read(self, raw: Mapping[Oid, RawValue], absent: Reading[Any]) -> dict[str, Any]:
        get = raw.get
        found = {name: decode(get(oid), absent) for name, oid, decode in self._plain}
        for name, oid, decode, join in self._joined:
            found[name] = join(found[name], decode(get(oid), absent))
        return found
