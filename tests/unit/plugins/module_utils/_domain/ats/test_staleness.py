# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a card shows of a controller that does not answer: old only where it showed exactly the same before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import (
    is_old,
    old_readings,
    readings_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    Load,
    LoadRow,
    LoadState,
    Redundancy,
    Source,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import known, not_fitted, unknown

LOADED = AtsState(
    objects_answered=60,
    controller_comm=known(Comm.LOST),
    selected_source=known(Source.A),
    redundancy=known(Redundancy.FULLY_REDUNDANT),
    input_a=Input(known(Health.OK), known(231), known(50)),
    input_b=Input(known(Health.OK), known(229), known(50)),
    load=Load(phases=(LoadRow("1.1.1", current_a=known(8.8), apparent_va=known(2020), power_w=not_fitted()),)),
)
OLD = frozenset({readings_of(LOADED)})


def record(values: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "readings", "t": "2026-03-01T11:00:00+00:00", "values": values, **more}


def test_the_same_values_are_old() -> None:
    assert is_old(LOADED, OLD)
    assert is_old(replace(LOADED, controller_comm=known(Comm.NEVER_DISCOVERED)), OLD)
    assert is_old(replace(LOADED, controller_comm=unknown("no answer")), OLD)


def test_never_old_while_the_controller_answers() -> None:
    assert not is_old(replace(LOADED, controller_comm=known(Comm.ESTABLISHED)), OLD)


def test_nothing_is_old_without_evidence() -> None:
    assert not is_old(LOADED, frozenset())
    assert readings_of(AtsState()) == "" and not is_old(AtsState(), OLD)


def test_words_without_a_quantity_prove_nothing() -> None:
    """Two inputs that read ok are soon two inputs that read ok again."""
    words = replace(LOADED, input_a=Input(known(Health.OK)), input_b=Input(known(Health.OK)), load=Load())
    assert readings_of(words) == "" and not is_old(words, frozenset({"", *OLD}))


@pytest.mark.parametrize(
    "changed",
    [
        {"selected_source": known(Source.B)},
        {"redundancy": known(Redundancy.LOST)},
        {"input_a": Input(known(Health.OK), known(232), known(50))},
        {"input_b": Input(known(Health.FAIL), known(229), known(50))},
        {"input_b": Input(known(Health.OK), known(229), known(49))},
        {"input_b": Input(known(Health.OK), known(229))},
        {"load": Load(phases=(LoadRow("1.1.1", current_a=known(0.4), apparent_va=known(2020)),))},
        {"load": Load(phases=(LoadRow("1.1.1", current_a=known(8.8), apparent_va=known(2021)),))},
        {"load": Load(phases=(replace(LOADED.load.phases[0], state=known(LoadState.OVERLOAD)),))},
        {"load": Load(banks=(LoadRow("1.1.1", current_a=known(8.8), apparent_va=known(2020)),))},
        {"load": Load()},
    ],
)
def test_one_value_that_differs_makes_all_of_them_new(changed: dict[str, Any]) -> None:
    assert not is_old(replace(LOADED, **changed), OLD)


def test_only_the_newest_readings_count() -> None:
    """Healthy months ago: what reads so again is not what was shown last."""
    other = {"kind": "sample", "values": "x"}
    assert old_readings([]) == frozenset()
    assert old_readings([record("x"), other]) == {"x"}
    assert old_readings([record("x"), record("y")]) == {"y"}


@pytest.mark.parametrize("newest", [record(""), record(None), record(["x"]), {"kind": "readings"}, {"kind": "damaged"}])
def test_where_nothing_was_shown_or_kept_last_nothing_is_old(newest: dict[str, Any]) -> None:
    assert old_readings([record("x"), newest]) == frozenset()
    assert old_readings([newest, record("y")]) == {"y"}
