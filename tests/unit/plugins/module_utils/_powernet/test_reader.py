# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading in few round trips: the plans, the halving, and tables of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ats import FIVE_G_FIELDS, decode_ats
from ansible_collections.dcops.apc.plugins.module_utils._powernet.plans import ALL, WATCH
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import (
    MAX_OBJECTS,
    Plan,
    Wanted,
    read_plan,
    scalar,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import MemoryClient, Values, load


def silent() -> TransportError:
    return TransportError("timeout", "no answer")


def unbanked() -> Values:
    """An AP7750A by the facts: no banks, one output phase row with three sub-ids."""
    values = {oid: value for oid, value in load("ap7724").items() if oid[:12] != (*o.ATS, 5, 4)}
    values[o.BANK_ROWS] = 0
    for column, value in ((3, 120), (4, 61), (7, 732), (10, 30), (13, 732), (19, 1)):
        values[(*o.ATS, 5, 4, 3, 1, column, 1, 1, 1)] = value
    return values


@pytest.mark.parametrize("values", [load("ap7724"), unbanked(), load("ap4423"), load("ap8853")], ids=list("abcd"))
def test_the_number_of_exchanges(values: Values) -> None:
    for plan, most in ((ALL, 4), (WATCH, 3)):
        client = MemoryClient(values)
        read_plan(client, plan)
        assert client.requests == most
        assert all(len(asked) <= MAX_OBJECTS for asked in client.asked)


def test_nothing_outside_the_asked_parents_is_kept() -> None:
    values = {(1, 3, 1, 0): 1, (1, 3, 10, 0): 10, (1, 3, 2, 1): 2}
    wanted = [scalar((1, 3, 1, 0)), scalar((1, 3, 2, 0)), scalar((1, 3, 3, 0)), scalar((1, 3, 11, 0))]
    assert read_plan(MemoryClient(values), Plan(wanted)) == {(1, 3, 1, 0): 1}


def test_an_agent_that_does_not_advance_is_not_believed() -> None:
    class Stuck(MemoryClient):
        def exchange(self, oids: Sequence[tuple[int, ...]]) -> list[Any]:
            super().exchange(oids)
            return [((*o.BANK_CURRENT, 1), 0) for _unused in oids]

    raw = read_plan(Stuck({}), Plan([Wanted((*o.BANK_CURRENT, 1), o.BANK_CURRENT)]))
    assert raw == {}


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 23])
def test_too_big_is_halved_until_it_fits_and_remembered(limit: int) -> None:
    client = MemoryClient(load("ap7724"), limit, TooBig)
    whole = read_plan(MemoryClient(load("ap7724")), ALL)
    assert read_plan(client, ALL) == whole
    if limit >= 6:
        client.requests = 0
        assert read_plan(client, ALL) == whole
        assert client.requests <= -(-len(ALL.wanted) // (limit // 2)) + 1


def test_a_single_object_too_big_is_an_error_not_an_absence() -> None:
    with pytest.raises(TooBig):
        read_plan(MemoryClient(load("ap7724"), 0, TooBig), Plan([scalar(o.MODEL)]))


def test_a_card_that_never_answered_is_not_asked_again() -> None:
    client = MemoryClient(load("ap7724"), 0, silent)
    with pytest.raises(TransportError, match="no answer"):
        read_plan(client, ALL)
    assert client.requests == 1


def test_a_silence_after_an_answer_is_halved() -> None:
    class Picky(MemoryClient):
        """Does not answer a question of more than 12 objects but the first."""

        def exchange(self, oids: Sequence[tuple[int, ...]]) -> list[Any]:
            answers = super().exchange(oids)
            if len(oids) > 12 and self.requests > 1:
                raise silent()
            return answers

    client = Picky(load("ap7724"))
    assert read_plan(client, ALL) == read_plan(MemoryClient(load("ap7724")), ALL)


def test_a_card_that_goes_down_in_the_middle_ends_soon() -> None:
    class Dying(MemoryClient):
        def exchange(self, oids: Sequence[tuple[int, ...]]) -> list[Any]:
            answers = super().exchange(oids)
            if self.requests > 2:
                raise silent()
            return answers

    client = Dying(load("ap7724"))
    with pytest.raises(TransportError, match="no answer"):
        read_plan(client, ALL)
    assert client.requests <= 5


def test_one_object_that_hangs_the_agent_is_an_error() -> None:
    class Hanging(MemoryClient):
        def exchange(self, oids: Sequence[tuple[int, ...]]) -> list[Any]:
            answers = super().exchange(oids)
            if o.SYS_NAME[:-1] in oids:
                raise silent()
            return answers

    client = Hanging(load("ap7724"))
    with pytest.raises(TransportError, match="no answer"):
        read_plan(client, ALL)
    assert client.requests < 20


@pytest.mark.parametrize("kind", ["auth", "transfer", "internal"])
def test_other_errors_are_never_halved(kind: str) -> None:
    client = MemoryClient(load("ap7724"), 0, lambda: TransportError(kind, "no"))
    with pytest.raises(TransportError):
        read_plan(client, ALL)
    assert client.requests == 1


@pytest.mark.parametrize("rows", [4, 5, 9, 40])
def test_a_longer_bank_table_is_read_whole(rows: int) -> None:
    values = load("ap7724")
    values[o.BANK_ROWS] = rows
    for row in range(4, rows + 1):
        values[(*o.BANK_CURRENT, row)] = row
        values[(*o.BANK_STATE, row)] = 1
        values[(*o.BANK_VA, row)] = 100 + row
    banks = decode_ats(read_plan(MemoryClient(values), WATCH)).load.banks
    assert [row.index for row in banks] == [str(row) for row in range(1, rows + 1)]
    assert banks[-1].current_a.value == rows / 10 and banks[-1].apparent_va.value == 100 + rows


def test_a_table_that_grows_and_shrinks_is_read_whole_every_time() -> None:
    values = load("ap7724")
    client = MemoryClient(values)
    for rows in (3, 5, 3, 4, 4, 3, 3):
        values[o.BANK_ROWS] = rows
        for row in range(4, 6):
            for column, value in ((o.BANK_CURRENT, row), (o.BANK_STATE, 1), (o.BANK_VA, 100 + row)):
                values.pop((*column, row), None)
                if row <= rows:
                    values[(*column, row)] = value
        banks = decode_ats(read_plan(client, WATCH)).load.banks
        assert [row.index for row in banks] == [str(row) for row in range(1, rows + 1)]


def test_a_row_of_the_first_column_alone_is_asked_for_its_others_every_time() -> None:
    values = load("ap7724")
    client = MemoryClient(values)
    values[(*o.BANK_CURRENT, 4)] = 4
    read_plan(client, WATCH)
    asked = client.requests
    read_plan(client, WATCH)
    assert client.requests == 2 * asked
    values[(*o.BANK_STATE, 4)] = 1
    assert read_plan(client, WATCH)[(*o.BANK_STATE, 4)] == 1


def test_what_counts_is_found_anew_when_other_names_answer() -> None:
    values = {(1, 3, 1, 0): 1, (1, 3, 3, 0): 3}
    client, plan = MemoryClient(values), Plan([scalar((1, 3, 1, 0)), scalar((1, 3, 2, 0))])
    for wanted in ({(1, 3, 1, 0): 1}, {(1, 3, 1, 0): 1, (1, 3, 2, 0): 2}, {(1, 3, 1, 0): 7}, {}):
        values.clear()
        values.update({(1, 3, 3, 0): 3} | wanted)
        assert read_plan(client, plan) == wanted == read_plan(client, plan)


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 1, 1)],
        [(1, 1)],
        [(1,)],
        [(1, 1), (1, 2), (1, 3)],
        [(1, 1, 1), (1, 1, 2), (1, 1, 3)],
        [(1, 1, 1), (1, 2, 1), (1, 3, 1)],
        [(1, 1, 1), (2, 1, 1), (3, 1, 1)],
        [(1, 2, 1)],
        [(2, 1, 1), (2, 1, 2)],
    ],
)
def test_phase_rows_with_any_number_of_sub_ids(rows: list[tuple[int, ...]]) -> None:
    values = {oid: value for oid, value in unbanked().items() if oid[:13] != (*o.ATS, 5, 4, 3)}
    for number, row in enumerate(rows, 1):
        values[(*o.PHASE_CURRENT, *row)] = number
        values[(*o.PHASE_STATE, *row)] = 1
        values[(*o.PHASE_VA, *row)] = 1000 + number
    phases = decode_ats(read_plan(MemoryClient(values), WATCH)).load.phases
    assert [row.index for row in phases] == [".".join(map(str, row)) for row in rows]
    assert [row.current_a.value for row in phases] == [number / 10 for number in range(1, len(rows) + 1)]
    assert [row.apparent_va.value for row in phases] == [1000 + number for number in range(1, len(rows) + 1)]


def test_a_table_without_an_end_is_an_error() -> None:
    values = load("ap7724") | {(*o.BANK_CURRENT, row): 0 for row in range(4, 400)}
    client = MemoryClient(values)
    with pytest.raises(TransportError, match="no end"):
        read_plan(client, WATCH)
    assert client.requests < 80


def test_tables_are_all_of_one_depth_as_the_decoder_expects() -> None:
    for plan in (ALL, WATCH):
        depths = {len(column) for table in plan.tables for column in table.columns}
        assert depths == {len(o.INPUT_VOLTAGE)} == {len(o.INPUT_FREQUENCY)} == {len(o.INPUT_NAME)} == {15}
    assert len(o.FIVE_G) == len(o.ATS) and {len(item.oid) for item in FIVE_G_FIELDS} == {13}


def test_an_empty_plan_asks_nothing() -> None:
    client = MemoryClient({})
    assert read_plan(client, Plan([])) == {} and client.requests == 0
