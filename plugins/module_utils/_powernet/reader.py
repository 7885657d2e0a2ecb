# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading many objects in few round trips, alike in v1, v2c and v3.

One GETNEXT asks for the successors of all wanted parents at once. What exists answers from below its parent; what does
not answers with some other object, which is dropped: no missing name fails the rest, and no table index is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue, SnmpClient

# The small card's message size is not known [?]: about 20 objects, and sysDescr, stay within an Ethernet frame.
MAX_OBJECTS = 24
# No table read here has more rows on any real unit; a hostile one may go on for ever.
_MAX_ROWS = 64
# Below this a lost datagram, and not the size, is the likelier reason for a silence.
_MIN_LEARNED = 6


class Wanted(NamedTuple):
    """Asks for the successor of ``ask``; it counts when it lies below ``under``."""

    ask: Oid
    under: Oid


@dataclass(frozen=True)
class Table:
    """Columns whose rows up to ``covered`` a plan asks for; the plan asks ``pilot`` once more: do more rows follow?"""

    columns: tuple[Oid, ...]
    pilot: Oid
    covered: Oid


class Plan:
    """Wanted objects, cut into requests once and for all."""

    def __init__(self, wanted: Iterable[Wanted], tables: Sequence[Table] = ()) -> None:
        self.wanted = tuple(wanted)
        self.tables = tuple(tables)
        self._requests: dict[int, tuple[_Request, ...]] = {}
        self.requests(MAX_OBJECTS)

    def requests(self, limit: int) -> tuple[_Request, ...]:
        cut = self._requests.get(limit)
        if cut is None:
            # Of even size: four of 22 rather than three of 24 and a small one.
            count = -(-len(self.wanted) // limit)
            bounds = [len(self.wanted) * number // count for number in range(count + 1)] if count else []
            cut = tuple(_Request(self.wanted[start:end]) for start, end in pairwise(bounds))
            self._requests[limit] = cut
        return cut


class _Request:
    __slots__ = ("_counting", "asks", "wanted")

    def __init__(self, wanted: tuple[Wanted, ...]) -> None:
        self.wanted = wanted
        self.asks = tuple(item.ask for item in wanted)
        self._counting: tuple[list[Oid | None], list[Oid | None]] = ([], [])

    def counting(self, names: list[Oid | None]) -> list[Oid | None]:
        """None in place of each name that does not count. Most units answer the same names every time."""
        before, counting = self._counting
        if names != before:
            # An agent whose successor does not come after what was asked is broken: what it says is dropped too.
            counting = [
                name if name is not None and name[: len(item.under)] == item.under and name > item.ask else None
                for item, name in zip(self.wanted, names, strict=False)
            ]
            self._counting = names, counting
        return counting


def scalar(instance: Oid) -> Wanted:
    """Asked without its instance, so that its successor is the object itself."""
    return Wanted(instance[:-1], instance)


def first_rows(column: Oid, *after: Oid) -> list[Wanted]:
    """The first row, and the row after each given index: asked in one request, none of them need exist."""
    return [Wanted(column, column), *(Wanted((*column, *index), column) for index in after)]


# What a client's agent was seen to bear, for as long as the client lives.
_learned: WeakKeyDictionary[SnmpClient, int] = WeakKeyDictionary()


def read_plan(client: SnmpClient, plan: Plan) -> dict[Oid, RawValue]:
    """All answers by name. Raises TransportError rather than returning a part: absent means absent."""
    reading = _Reading(client)
    for request in plan.requests(_learned.get(client, MAX_OBJECTS)):
        reading.ask(request)
    # Asked of every unit anew: one with the same first rows as another may have more of them behind.
    for table in plan.tables:
        reading.finish(table)
    return reading.raw


class _Reading:
    def __init__(self, client: SnmpClient) -> None:
        self.raw: dict[Oid, RawValue] = {}
        self._client = client
        self._answered = False

    def ask(self, request: _Request) -> None:
        try:
            answers = self._client.exchange(request.asks)
        except TransportError as error:
            self._split(request, error)
            return
        self._answered = True
        raw = self.raw
        counting = request.counting([None if answer is None else answer[0] for answer in answers])
        for name, answer in zip(counting, answers, strict=False):
            if name is not None and answer is not None:
                raw[name] = answer[1]

    def _split(self, request: _Request, error: TransportError) -> None:
        count = len(request.wanted)
        if count < 2:
            raise error
        if not isinstance(error, TooBig):
            # A silence is only taken for a question too big when this card has just answered a smaller or an equal one.
            if error.kind != "timeout" or not self._answered:
                raise error
            self._answered = False
        half = count // 2
        first, second = _Request(request.wanted[:half]), _Request(request.wanted[half:])
        try:
            self.ask(first)
        except TransportError as again:
            # Silent twice in a row. The other half tells a dead card from one object that cannot be asked.
            if again.kind != "timeout" or isinstance(error, TooBig):
                raise
            self.ask(second)
            self.ask(first)
        else:
            self.ask(second)
        self._learn(count - half)

    def _learn(self, size: int) -> None:
        limit = max(_MIN_LEARNED, min(size, _learned.get(self._client, MAX_OBJECTS)))
        if limit < MAX_OBJECTS:
            _learned[self._client] = limit

    def finish(self, table: Table) -> None:
        """Rows beyond those the plan asked for; on the units known there are none, and this costs nothing."""
        depth = len(table.pilot)
        last = table.covered
        for _round in range(_MAX_ROWS):
            row = self._row_after(table.pilot, depth, last)
            if row is None:
                return
            wanted = [Wanted((*column, *last), column) for column in table.columns]
            # The next row's pilot travels along.
            wanted.append(Wanted((*table.pilot, *row), table.pilot))
            for request in Plan(wanted).requests(_learned.get(self._client, MAX_OBJECTS)):
                self.ask(request)
            last = row
        raise TransportError("transfer", "a table of the unit has no end")

    def _row_after(self, pilot: Oid, depth: int, last: Oid) -> Oid | None:
        after, end = (*pilot, *last), (*pilot[:-1], pilot[-1] + 1)
        row = min([oid for oid in self.raw if after < oid < end], default=None)
        return None if row is None else row[depth:]
