# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import enum
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    Load,
    LoadRow,
    LoadState,
    PhaseSync,
    Preferred,
    Redundancy,
    Settings,
    Source,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity, parse_description
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import known, not_fitted, unknown
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import NmcState
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import (
    MAX_STRING,
    ats_result,
    clean,
    nmc_result,
    to_result,
)

DESCRIPTION = (
    "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 "
    "AN1:apc_hw02_g2ats_371.bin MN:AP7724 HR:R01 SN: 5A1511T00001 MD:04/18/2015)"
)
# Written down a second time on purpose: playbooks build on these names.
ATS_KEYS = [
    "model",
    "generation",
    "serial",
    "controller_firmware",
    "nominal",
    "settings",
    "controller_comm",
    "selected_source",
    "preferred_source",
    "redundancy",
    "over_current",
    "switch",
    "phase_sync",
    "output_ok",
    "display_ok",
    "supplies",
    "inputs",
    "load",
    "others",
]
NMC_KEYS = [
    "model",
    "hardware",
    "serial",
    "boot_monitor",
    "aos",
    "app",
    "uptime_s",
    "last_transfer",
    "description",
    "simulated",
]


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_nothing_known_is_null_everywhere() -> None:
    result = ats_result(AtsState(), CardIdentity())
    assert list(result) == ATS_KEYS
    assert result.pop("generation") == "unknown"
    assert set(leaves(result)) == {None}
    empty = nmc_result(NmcState())
    assert list(empty) == NMC_KEYS
    assert set(leaves(empty)) == {None}


def test_not_fitted_is_null_and_never_minus_one() -> None:
    nothing: Any = not_fitted("the unit reads -1")
    ats = AtsState(
        objects_answered=5,
        switch=nothing,
        supplies=(("5v", nothing), ("12v", unknown("odd"))),
        input_a=Input(nothing, nothing, nothing, nothing),
        load=Load(nothing, (LoadRow("1", nothing, nothing),)),
    )
    result = ats_result(ats, CardIdentity())
    assert -1 not in leaves(result)
    assert result["supplies"] == {"5v": None, "12v": None}
    assert result["inputs"]["A"]["voltage_v"] is None
    assert result["load"]["banks"][0]["current_a"] is None


def test_known_values_become_words_and_numbers() -> None:
    ats = AtsState(
        objects_answered=40,
        model="AP7724",
        serial="5A1511T00001",
        controller_version=known("3.0.5"),
        settings=Settings(preferred_source=known(Preferred.NONE), line_vrms_v=known(230), front_panel=known(2)),
        controller_comm=known(Comm.NEVER_DISCOVERED),
        selected_source=known(Source.B),
        redundancy=known(Redundancy.FULLY_REDUNDANT),
        switch=known(Health.OK),
        phase_sync=known(PhaseSync.IN_SYNC),
        output_ok=known(Health.FAIL),
        display_ok=known(Health.OK),
        input_a=Input(known(Health.FAIL), known(0)),
        input_b=Input(known(Health.OK), known(215), known(50), known(Health.OK), "Source B"),
        load=Load(known(1), (LoadRow("1", known(8.8), known(LoadState.NEAR_OVERLOAD)),)),
    )
    result = ats_result(ats, parse_description(DESCRIPTION))
    assert result["generation"] == "gen2"
    assert result["controller_firmware"] == {"version": "3.0.5", "date": None}
    assert result["settings"]["line_vrms"] == 230
    assert result["settings"]["front_panel"] == "enabled"
    assert result["preferred_source"] == "none"
    assert result["selected_source"] == "B"
    assert result["controller_comm"] == "never_discovered"
    assert result["redundancy"] == "fully_redundant"
    assert (result["switch"], result["phase_sync"]) == ("ok", "in_sync")
    assert (result["output_ok"], result["display_ok"]) == (False, True)
    # A measured 0 is a measurement, unlike an absent value.
    assert result["inputs"]["A"] == {
        "status": "fail",
        "voltage_v": 0,
        "frequency_hz": None,
        "supply_24v": None,
        "name": None,
    }
    assert result["load"]["total_current_a"] == 8.8
    assert result["load"]["banks"][0]["state"] == "near_overload"


def test_nmc_in_full() -> None:
    result = nmc_result(NmcState(identity=parse_description(DESCRIPTION), uptime_s=900.25, last_transfer="ok"))
    assert result == {
        "model": "AP7724",
        "hardware": "hw02",
        "serial": "5A1511T00001",
        "boot_monitor": "4.1.1",
        "aos": {"version": "3.7.4", "file": "apc_hw02_aos_374.bin"},
        "app": {"name": "g2ats", "version": "3.7.1", "file": "apc_hw02_g2ats_371.bin"},
        "uptime_s": 900.25,
        "last_transfer": "ok",
        "description": DESCRIPTION,
        "simulated": None,
    }


class Text(str):
    pass


class Number(enum.IntEnum):
    SEVEN = 7


@dataclasses.dataclass(frozen=True)
class Data:
    path: Path
    inner: tuple[Any, ...]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (State.AOS_NEW_NO_APP, "aos_new_no_app"),
        (Source.A, "A"),
        (Preferred.NONE, "none"),
        (Number.SEVEN, "seven"),
        (Version.parse("3.0.9.a"), "3.0.9.a"),
        (float("nan"), None),
        (float("-inf"), None),
        (b"a\x00\xff", "a\\x00\\xff"),
        ({1: "x", (2, 3): "y"}, {"1": "x", "[2, 3]": "y"}),
        ({"b", "a"}, ["a", "b"]),
        (Data(Path("/tmp/x"), (1, known(2))), {"path": "/tmp/x", "inner": [1, 2]}),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
        ("two\nlines", "two\nlines"),
        (True, True),
    ],
)
def test_to_result(value: Any, plain: Any) -> None:
    assert to_result(value) == plain


def test_to_result_gives_exact_types() -> None:
    result = to_result({Text("key"): [Text("x"), True, 1.0]})
    assert [type(key) for key in result] == [str]
    assert [type(item) for item in result["key"]] == [str, bool, float]


def test_long_text_is_bounded() -> None:
    assert len(clean("x" * 100_000)) == MAX_STRING
    assert len(to_result({"a": "x" * 100_000})["a"]) == MAX_STRING


def test_a_structure_that_holds_itself_ends() -> None:
    ring: list[Any] = []
    ring.append(ring)
    json.dumps(to_result(ring))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.sampled_from([*State, *Comm, *Source]),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text() | st.binary(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(anything)
def test_whatever_it_is_it_becomes_strict_json(value: Any) -> None:
    text = json.dumps(to_result(value), allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
