# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose evidence it is (SAFETY 2): what is not known does not differ, and neither does what our own file changed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.whose import of_this_unit, units_of


def unit(run: str, card: str = "", ats: str = "", kind: str = "run") -> dict[str, Any]:
    """Serials are written short here: C1 is ZA15C1."""
    card, ats = (text if len(text) > 2 or not text else f"za15{text}" for text in (card, ats))
    return {
        "kind": kind,
        "run": run,
        "t": "2026-03-02T12:00:00+00:00",
        "unit": {"card_serial": card, "ats_serial": ats},
    }


@pytest.mark.parametrize(
    ("records", "kept"),
    [
        ([unit("a", "C1", "S1")], "a"),
        ([unit("a", "C1", "S2")], ""),
        ([unit("a", "C2", "S1")], ""),
        ([unit("a", "C2", "S2")], ""),
        # What is not known does not differ.
        ([unit("a", "", "S1")], "a"),
        ([unit("a", "C1", "")], "a"),
        ([unit("a")], "a"),
        ([unit("a", "C1", "UNKNOWN")], "a"),
        ([unit("a", "c1", "s1")], "a"),
        ([{"kind": "damaged", "run": "a"}], "a"),
        # Another unit's run brings all its records with it, and no other run's.
        ([unit("a", "C2", "S2"), {"kind": "permit", "run": "a"}, unit("b", "C1", "S1")], "b"),
        # What our own file changed does not differ, over any number of such changes ...
        ([unit("a", "C1", "S9"), {"kind": "sending", "run": "a"}, unit("a", "C1", "S1", "settled")], "aaa"),
        (
            [unit("b", "C1", "S8"), unit("a", "C1", "S9")]
            + [{"kind": "sending", "run": "a"}, unit("a", "C1", "S1", "settled")]
            + [{"kind": "sending", "run": "b"}, unit("b", "C1", "S9", "settled")],
            "baaabb",
        ),
        # ... and without a file it was a hand that changed the unit.
        ([unit("a", "C1", "S9"), unit("a", "C1", "S1", "backup"), unit("b", "C1", "S9")], "aa"),
    ],
)
def test_whose_evidence_it_is(records: list[dict[str, Any]], kept: str) -> None:
    mine, others = of_this_unit(records, card_serial="ZA15C1", ats_serial="ZA15S1")
    assert "".join(record["run"] for record in mine) == kept
    assert len(mine) + len(others) == len(records)


def test_without_a_serial_of_its_own_nothing_differs() -> None:
    records = [unit("a", "C2", "S2"), unit("b", "C3", "S3")]
    assert of_this_unit(records, card_serial=None, ats_serial=None) == (records, [])
    assert of_this_unit(records, card_serial="UPS_IDEN", ats_serial="0000000") == (records, [])


def test_the_others_are_named_once() -> None:
    records = [unit("a", "C2", "S2"), unit("b", "C2", "S2"), unit("c", "C3", "S3"), {"kind": "end", "run": "c"}]
    assert [
        found["ats_serial"] for found in units_of(of_this_unit(records, card_serial="ZA15C1", ats_serial="ZA15S1")[1])
    ] == [
        "za15S2",
        "za15S3",
    ]


@pytest.mark.parametrize(
    ("card", "ats", "counts"),
    [
        (None, "ZA15S1", True),
        ("ZA15C1", "ZA15S1", True),
        (None, "ZA15S9", False),
        ("ZA15C9", None, False),
        ("ZA15C9", "ZA15S1", False),
        (None, "00000000", True),
    ],
)
def test_one_serial_that_both_sides_know_decides(card: str | None, ats: str | None, counts: bool) -> None:
    records = [unit("a", "C1", "S1"), {"kind": "recovery_attempt", "run": "a"}]
    mine, _others = of_this_unit(records, card_serial=card, ats_serial=ats)
    assert (mine == records) is counts
    lost = [{"kind": "damaged", "run": "x"}]
    assert of_this_unit(lost, card_serial=card, ats_serial=ats) == (lost, []), "nobody knows whose it is"
