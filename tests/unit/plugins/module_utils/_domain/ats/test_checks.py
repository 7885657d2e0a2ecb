# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    SAMPLE_CHECKS,
    Method,
    Rules,
    consistent_redundancy,
    supply_still_reads_ok,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    Load,
    LoadRow,
    LoadState,
    Nominal,
    OverCurrent,
    Preferred,
    Redundancy,
    Settings,
    Source,
    TransferRange,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import parse_description
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import known, not_fitted, unknown
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

CARD = parse_description(
    "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.9.2 PN:apc_hw02_aos_392.bin AF1:v3.7.1 AN1:apc_hw02_g2ats_371.bin "
    "MN:AP7724 HR:R01 SN: 5A1511T00001 MD:04/18/2015)"
)
BANKS = tuple(LoadRow(str(n), known(0.0), known(LoadState.NORMAL), apparent_va=known(0)) for n in (1, 2, 3))
# Source A is out, B carries the load.
ATS = AtsState(
    objects_answered=60,
    model="AP7724",
    serial="5A1511T00001",
    nominal=Nominal(known(230)),
    settings=Settings(
        preferred_source=known(Preferred.B),
        transfer_range=known(TransferRange.MEDIUM),
        current_limit_a=known(32),
        line_vrms_v=known(230),
        narrow_limit_v=known(16),
        medium_limit_v=known(23),
        wide_limit_v=known(30),
    ),
    controller_comm=known(Comm.ESTABLISHED),
    selected_source=known(Source.B),
    redundancy=known(Redundancy.LOST),
    over_current=known(OverCurrent.OK),
    switch=known(Health.OK),
    supplies=(("5v", known(Health.OK)), ("24v_a", known(Health.FAIL)), ("24v_b", known(Health.OK))),
    input_a=Input(known(Health.FAIL), known(0), known(0), known(Health.FAIL)),
    input_b=Input(known(Health.OK), known(231), known(50), known(Health.OK)),
    load=Load(known(3), BANKS),
)
SINGLE = Rules(Method.SINGLE_SOURCE, Source.B)


def sample(**changes: Any) -> Sample:
    return Sample(100.0, True, CARD, 5000.0, "ats-rack-04", ats=replace(ATS, **changes))


def found(check: str, rules: Rules = SINGLE, **changes: Any) -> Found:
    return SAMPLE_CHECKS[check](sample(**changes), rules)


@pytest.mark.parametrize(
    "check",
    [
        "controller_comm",
        "switch_healthy",
        "primary_healthy",
        "primary_selected",
        "secondary_dead",
        "redundancy_lost",
        "load_zero",
    ],
)
def test_the_base_holds(check: str) -> None:
    assert found(check).ok


@pytest.mark.parametrize("check", sorted(SAMPLE_CHECKS))
@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("primary", [None, Source.A, Source.B])
def test_an_empty_state_is_never_a_yes(check: str, method: Method, primary: Source | None) -> None:
    """Nothing is known: nothing holds. The one exception is recovery's load, which must only not be seen."""
    rules = Rules(method, primary, Version.parse("3.9.2"))
    result = SAMPLE_CHECKS[check](Sample(1.0, True), rules)
    assert not result.ok or (check == "load_zero" and method is Method.RECOVERY)


@pytest.mark.parametrize("reading", [unknown("odd"), not_fitted()])
@pytest.mark.parametrize(
    ("check", "field"),
    [
        ("controller_comm", "controller_comm"),
        ("switch_healthy", "switch"),
        ("primary_selected", "selected_source"),
        ("redundancy_lost", "redundancy"),
    ],
)
def test_a_required_reading_is_missing(check: str, field: str, reading: Any) -> None:
    result = found(check, **{field: reading})
    assert not result.ok and result.missing


@pytest.mark.parametrize(
    ("voltage", "dead"),
    [(0, True), (14, True), (22, True), (23, False), (24, False), (115, False), (231, False)],
)
def test_dead_is_below_ten_percent_of_the_reference(voltage: int, dead: bool) -> None:
    assert found("secondary_dead", input_a=replace(ATS.input_a, voltage_v=known(voltage))).ok is dead


def test_status_and_voltage_are_both_needed() -> None:
    alive = replace(ATS.input_a, status=known(Health.OK))
    assert not found("secondary_dead", input_a=alive).ok
    assert not found("secondary_dead", input_a=replace(alive, voltage_v=known(231))).ok


@pytest.mark.parametrize("voltage", [not_fitted(), unknown("odd")])
@pytest.mark.parametrize("frequency", [known(0), not_fitted(), known(50), unknown("odd")])
@pytest.mark.parametrize("supply", [known(Health.FAIL), known(Health.OK), not_fitted(), unknown("odd")])
def test_without_a_voltage_three_others(voltage: Any, frequency: Any, supply: Any) -> None:
    source = Input(known(Health.FAIL), voltage, frequency, supply)
    result = found("secondary_dead", input_a=source)
    frequency_gone = not frequency.fitted or frequency.is_(0)
    supply_gone = not supply.fitted or supply.is_(Health.FAIL)
    assert result.ok is (not voltage.fitted and frequency_gone and supply_gone)


@pytest.mark.parametrize("supply", [known(Health.FAIL), known(Health.OK), not_fitted(), unknown("odd")])
@pytest.mark.parametrize(
    ("frequency", "dead"), [(known(0), True), (not_fitted(), True), (unknown("odd"), True), (known(50), False)]
)
def test_beside_a_dead_voltage_a_frequency_refuses_and_a_supply_does_not(
    frequency: Any, dead: bool, supply: Any
) -> None:
    source = Input(known(Health.FAIL), known(0), frequency, supply)
    assert found("secondary_dead", input_a=source).ok is dead
    assert supply_still_reads_ok(Sample(1.0, True, ats=replace(ATS, input_a=source)), Source.A) is supply.is_(Health.OK)


def test_both_inputs_ok_and_redundancy_lost_is_no_picture_to_begin_with() -> None:
    both = replace(ATS, input_a=ATS.input_b, redundancy=known(Redundancy.LOST))
    assert not consistent_redundancy(Sample(1.0, True, ats=both)).ok
    whole = replace(both, redundancy=known(Redundancy.FULLY_REDUNDANT))
    assert (
        consistent_redundancy(Sample(1.0, True, ats=whole)).ok and consistent_redundancy(Sample(1.0, True, ats=ATS)).ok
    )


@pytest.mark.parametrize(
    ("voltage", "chosen", "inside"),
    [
        (214, TransferRange.NARROW, True),
        (213, TransferRange.NARROW, False),
        (207, TransferRange.MEDIUM, True),
        (206, TransferRange.MEDIUM, False),
        (253, TransferRange.MEDIUM, True),
        (254, TransferRange.MEDIUM, False),
        (200, TransferRange.WIDE, True),
        (199, TransferRange.WIDE, False),
    ],
)
def test_the_transfer_range_picks_the_limit(voltage: int, chosen: TransferRange, inside: bool) -> None:
    settings = replace(ATS.settings, transfer_range=known(chosen))
    assert (
        found("primary_healthy", settings=settings, input_b=replace(ATS.input_b, voltage_v=known(voltage))).ok is inside
    )


def test_the_reference_is_line_then_nominal_then_the_models() -> None:
    at_120 = replace(ATS.input_b, voltage_v=known(121))
    line = replace(ATS.settings, line_vrms_v=not_fitted())
    assert not found("primary_healthy", input_b=at_120).ok
    assert found("primary_healthy", input_b=at_120, settings=line, nominal=Nominal(known(120))).ok
    assert not found("primary_healthy", input_b=at_120, settings=line, nominal=Nominal()).ok
    unlisted = Sample(1.0, True, replace(CARD, model="AP7750A"), 5000.0,
                      ats=replace(ATS, model="AP7750A", settings=line, nominal=Nominal(), input_b=at_120))  # fmt: skip
    check = SAMPLE_CHECKS["primary_healthy"]
    assert not check(unlisted, SINGLE).ok
    assert check(unlisted, replace(SINGLE, mean_v=120.0)).ok
    assert not check(unlisted, replace(SINGLE, mean_v=100.0)).ok


@pytest.mark.parametrize(
    ("changes", "ok"),
    [
        ({"over_current": not_fitted()}, True),
        ({"over_current": known(OverCurrent.OVER_CURRENT)}, True),  # the banks say normal
        ({"over_current": unknown("9")}, False),
        (
            {"over_current": known(OverCurrent.OVER_CURRENT), "load": Load(known(0), (), (LoadRow("1", known(3.0)),))},
            False,
        ),
        ({"load": Load(known(3), (replace(BANKS[0], state=known(LoadState.OVERLOAD)), *BANKS[1:]))}, False),
        ({"load": Load(known(3), (replace(BANKS[0], state=known(LoadState.NEAR_OVERLOAD)), *BANKS[1:]))}, True),
        ({"load": Load(known(3), (replace(BANKS[0], state=unknown("7")), *BANKS[1:]))}, False),
        ({"load": Load(known(3), (replace(BANKS[0], current_a=known(33.0)), *BANKS[1:]))}, False),
        ({"supplies": (("5v", not_fitted()), ("24v_a", not_fitted()))}, True),
        ({"supplies": (("5v", known(Health.FAIL)),)}, False),
        ({"supplies": (("5v", unknown("odd")),)}, False),
        ({"supplies": (("24v_b", known(Health.FAIL)),)}, False),
        ({"supplies": (("24v_a", known(Health.FAIL)),)}, True),
        ({"supplies": ()}, True),
    ],
)
def test_the_switch(changes: dict[str, Any], ok: bool) -> None:
    assert found("switch_healthy", **changes).ok is ok


def test_a_live_sources_supply_may_not_fail() -> None:
    alive = replace(ATS.input_a, status=known(Health.OK), voltage_v=known(231))
    assert not found("switch_healthy", input_a=alive).ok


def test_in_no_load_a_dead_sources_own_supply_is_excepted_too() -> None:
    """SAFETY 3, switch_healthy: "except the dead source's own" has no column."""
    assert found("switch_healthy", Rules(Method.NO_LOAD, None)).ok


@pytest.mark.parametrize(
    ("preferred", "ok"),
    [
        (known(Preferred.B), True),
        (known(Preferred.NONE), True),
        (known(Preferred.A), False),
        (unknown("9"), False),
        (not_fitted(), True),
    ],
)
def test_preferred_is_the_primary_or_none(preferred: Any, ok: bool) -> None:
    assert found("primary_selected", settings=replace(ATS.settings, preferred_source=preferred)).ok is ok


@pytest.mark.parametrize(
    ("load", "zero"),
    [
        (Load(known(3), BANKS), True),
        (Load(known(4), BANKS), False),
        (Load(known(3), BANKS[:2]), False),
        (Load(known(3), (*BANKS[:2], replace(BANKS[2], current_a=unknown("9")))), False),
        (Load(known(3), (*BANKS[:2], replace(BANKS[2], current_a=not_fitted()))), False),
        (Load(known(3), (*BANKS[:2], replace(BANKS[2], current_a=known(0.1)))), False),
        (Load(known(3), (*BANKS[:2], replace(BANKS[2], apparent_va=known(1)))), False),
        (Load(known(3), (*BANKS[:2], replace(BANKS[2], apparent_va=not_fitted()))), True),
        (Load(known(0), (), ()), False),
        (Load(not_fitted(), (), (LoadRow("1.1.1", known(0.0)),)), True),
        (Load(known(0), (), (LoadRow("1.1.1", known(0.0)), LoadRow("2.1.1", not_fitted()))), False),
        (Load(unknown("odd"), BANKS, (LoadRow("1.1.1", known(0.0)),)), False),
        (Load(known(3), BANKS, (LoadRow("1.1.1", known(0.5)),)), False),
        (Load(), False),
    ],
)
def test_load_zero(load: Load, zero: bool) -> None:
    result = found("load_zero", Rules(Method.NO_LOAD, None), load=load)
    assert result.ok is zero
    if not zero and not result.missing:
        assert "single_source" in result.observed


@pytest.mark.parametrize(
    ("comm", "single", "recovery"),
    [(Comm.ESTABLISHED, True, False), (Comm.LOST, False, True), (Comm.NEVER_DISCOVERED, False, True)],
)
def test_communication(comm: Comm, single: bool, recovery: bool) -> None:
    assert found("controller_comm", controller_comm=known(comm)).ok is single
    assert found("controller_comm", Rules(Method.RECOVERY, Source.B), controller_comm=known(comm)).ok is recovery


APP_ONLY = Rules(Method.APP_ONLY, Source.B, Version.parse("3.9.2"))
NO_APP = replace(CARD, app=type(CARD.app)())


@pytest.mark.parametrize(
    ("card", "uptime_s", "rules", "ok"),
    [
        (NO_APP, 300.0, APP_ONLY, True),
        (NO_APP, 299.0, APP_ONLY, False),
        (NO_APP, None, APP_ONLY, False),
        (NO_APP, 5000.0, replace(APP_ONLY, package_aos=Version.parse("3.9.3")), False),
        (NO_APP, 5000.0, replace(APP_ONLY, package_aos=None), False),
        (replace(NO_APP, app_status="?"), 5000.0, APP_ONLY, False),
        (replace(NO_APP, app_status="!"), 5000.0, APP_ONLY, True),
        (CARD, 5000.0, APP_ONLY, False),
        (replace(CARD, app_status="!"), 5000.0, APP_ONLY, True),
        (replace(CARD, app_status="-"), 5000.0, APP_ONLY, True),
        (replace(CARD, app_status="+"), 5000.0, APP_ONLY, False),
        (replace(CARD, app_status="?"), 5000.0, APP_ONLY, False),
    ],
)
def test_no_app_answers(card: Any, uptime_s: float | None, rules: Rules, ok: bool) -> None:
    silent = Sample(1.0, True, card, uptime_s)
    assert SAMPLE_CHECKS["no_app_answers"](silent, rules).ok is ok
    answering = replace(silent, ats=AtsState(objects_answered=1))
    assert not SAMPLE_CHECKS["no_app_answers"](answering, rules).ok


@pytest.mark.parametrize("limit", [47, 115, 230, 1000])
def test_a_range_that_no_unit_has_is_none(limit: int) -> None:
    """230 V around 230 V let 20 V pass for a healthy source."""
    settings = replace(ATS.settings, medium_limit_v=known(limit))
    for voltage in (20, 231):
        result = found("primary_healthy", settings=settings, input_b=replace(ATS.input_b, voltage_v=known(voltage)))
        assert not result.ok and "no unit has so wide a one" in result.observed
    assert found("primary_healthy", settings=replace(ATS.settings, medium_limit_v=known(46))).ok
