# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No observation with a doubtful required value is ever permitted, whatever the rest reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import state as a
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind, Case, judge
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import LogFacts
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import WHATS, Judged
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import parse_description
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds, Watch
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Kind, Reading, known, not_fitted, unknown
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict

DESCRIPTION = (
    "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 "
    "AN1:apc_hw02_g2ats_371.bin MN:AP7724 HR:01 SN: 5A1511T00001 MD:04/18/2015) "
)
FINE = Found(True, "fine")
POLL_S = 2.0


def healthy(method: Method) -> a.AtsState:
    """What the unit reads when everything that the method asks for is so (primary B)."""
    dead = method in (Method.SINGLE_SOURCE, Method.RECOVERY)
    load = 0.0 if method in (Method.NO_LOAD, Method.RECOVERY) else 8.8
    rows = tuple(
        a.LoadRow(index, current_a=known(amps), state=known(a.LoadState.NORMAL), apparent_va=known(int(amps * 215)))
        for index, amps in (("1", load), ("2", load / 2), ("3", load / 2))
    )
    return a.AtsState(
        objects_answered=0 if method is Method.APP_ONLY else 60,
        model=None if method is Method.APP_ONLY else "AP7724",
        serial=None if method is Method.APP_ONLY else "5A1511T00001",
        controller_version=known("3.0.5"),
        nominal=a.Nominal(known(230), known(50), known(32)),
        settings=a.Settings(
            preferred_source=known(a.Preferred.B),
            transfer_range=known(a.TransferRange.MEDIUM),
            current_limit_a=known(32),
            line_vrms_v=known(230),
            medium_limit_v=known(23),
        ),
        controller_comm=known(a.Comm.LOST if method is Method.RECOVERY else a.Comm.ESTABLISHED),
        selected_source=known(a.Source.B),
        redundancy=known(a.Redundancy.LOST if dead else a.Redundancy.FULLY_REDUNDANT),
        over_current=known(a.OverCurrent.OK),
        switch=known(a.Health.OK),
        supplies=tuple((name, known(a.Health.OK)) for name in ("5v", "12v", "24v_b"))
        + (("24v_a", known(a.Health.FAIL)),)
        if dead
        else (("5v", known(a.Health.OK)),),
        input_a=a.Input(
            known(a.Health.FAIL if dead else a.Health.OK), known(0 if dead else 216), known(0), known(a.Health.FAIL)
        ),
        input_b=a.Input(known(a.Health.OK), known(215), known(50), known(a.Health.OK)),
        load=a.Load(known(3), rows),
    )


def description(method: Method) -> str:
    if method is not Method.APP_ONLY:
        return DESCRIPTION
    return "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.9.2 PN:apc_hw02_aos_392.bin MN:AP7724 HR:01 SN: 5A1511T00001)"


def case(method: Method, states: list[a.AtsState], **changes: Any) -> Case:
    card = parse_description(description(method))
    samples = [
        Sample(
            at_s=1000.0 + POLL_S * number, answered=True, identity=card, uptime_s=5000.0 + POLL_S * number, ats=state
        )
        for number, state in enumerate(states)
    ]
    now_s = samples[-1].at_s + 0.5
    fine = Case(
        method=method,
        primary=a.Source.B,
        samples=samples,
        now_s=now_s,
        bounds=Bounds(),
        covered=FINE,
        identity=FINE,
        package=FINE,
        undisturbed=FINE,
        log=LogFacts(readable=True, error="", fetched_s=now_s - 1),
        watch=Watch(now_s, samples[-1].uptime_s, now_s - 300.0),
        confirmed={what: Judged(True, "confirmed") for what in ("promise", *WHATS)},
        package_aos=parse_description(description(Method.APP_ONLY)).aos.version,
    )
    return replace(fine, **changes)


def verdict(method: Method, states: list[a.AtsState], **changes: Any) -> Verdict:
    return judge(case(method, states, **changes))


COUNT = 17


def test_the_healthy_cases_are_permitted() -> None:
    """Else everything below would hold of an interlock that never permits anything."""
    for method in Method:
        found = verdict(method, [healthy(method)] * COUNT)
        assert found.permitted, (method, found.reasons)


def with_input(state: a.AtsState, which: str, **changes: Any) -> a.AtsState:
    return replace(state, **{which: replace(getattr(state, which), **changes)})


# SAFETY 1.1: exactly these are required, where a method's column asks for them.
REQUIRED: dict[Method, dict[str, Any]] = {
    Method.SINGLE_SOURCE: {
        "controller_comm": lambda s, r: replace(s, controller_comm=r),
        "selected_source": lambda s, r: replace(s, selected_source=r),
        "redundancy": lambda s, r: replace(s, redundancy=r),
        "switch": lambda s, r: replace(s, switch=r),
        "status A": lambda s, r: with_input(s, "input_a", status=r),
        "status B": lambda s, r: with_input(s, "input_b", status=r),
        "voltage B": lambda s, r: with_input(s, "input_b", voltage_v=r),
        # The dead source's voltage has its own exception, so it is doubted together with its companions.
        "voltage A": lambda s, r: with_input(s, "input_a", voltage_v=r, frequency_hz=known(50)),
    },
    Method.NO_LOAD: {
        "controller_comm": lambda s, r: replace(s, controller_comm=r),
        "switch": lambda s, r: replace(s, switch=r),
        "load 1": lambda s, r: replace(s, load=_bank(s.load, 0, r)),
        "load 3": lambda s, r: replace(s, load=_bank(s.load, 2, r)),
        "bank rows": lambda s, r: (
            replace(s, load=replace(s.load, bank_rows=r)) if r.kind is Kind.UNKNOWN else replace(s, load=a.Load())
        ),
        "no rows": lambda s, r: replace(s, load=replace(s.load, banks=())),
    },
    Method.RECOVERY: {"controller_comm": lambda s, r: replace(s, controller_comm=r)},
}


def _bank(load: a.Load, number: int, reading: Reading[float]) -> a.Load:
    rows = list(load.banks)
    rows[number] = replace(rows[number], current_a=reading)
    return replace(load, banks=tuple(rows))


doubtful = st.sampled_from(
    [unknown("no answer"), unknown("the unit reads 7"), not_fitted("the unit reads -1"), not_fitted()]
)
targets = st.sampled_from([(method, name) for method, names in REQUIRED.items() for name in names])


@settings(max_examples=400, deadline=None)
@given(targets, doubtful, st.integers(0, COUNT - 1))
def test_one_doubtful_required_reading_refuses(target: tuple[Method, str], reading: Reading[Any], newest: int) -> None:
    """In the newest sample, or in any within the 30 s before it."""
    method, name = target
    states = [healthy(method)] * COUNT
    index = COUNT - 1 - newest
    states[index] = REQUIRED[method][name](states[index], reading)
    found = verdict(method, states)
    # A doubt in the oldest sample is outside the 30 s that the rest still fills only if the rest is long enough.
    assert not found.permitted or (COUNT - 1 - index) * POLL_S > Bounds().stability_s, (name, reading)


readings_of = {
    "comm": st.one_of(st.sampled_from([known(value) for value in a.Comm]), doubtful),
    "source": st.one_of(st.sampled_from([known(value) for value in a.Source]), doubtful),
    "redundancy": st.one_of(st.sampled_from([known(value) for value in a.Redundancy]), doubtful),
    "health": st.one_of(st.sampled_from([known(value) for value in a.Health]), doubtful),
    "preferred": st.one_of(st.sampled_from([known(value) for value in a.Preferred]), doubtful),
    "volts": st.one_of(st.integers(0, 400).map(known), doubtful),
    "amps": st.one_of(st.sampled_from([0.0, 0.1, 8.8, 40.0]).map(known), doubtful),
    "hertz": st.one_of(st.sampled_from([0, 50, 60]).map(known), doubtful),
    "state": st.one_of(st.sampled_from([known(value) for value in a.LoadState]), doubtful),
    "rows": st.one_of(st.sampled_from([0, 1, 2, 3]).map(known), doubtful),
    "oc": st.one_of(st.sampled_from([known(value) for value in a.OverCurrent]), doubtful),
}


@st.composite
def any_state(draw: Any, method: Method) -> a.AtsState:
    """Each reading as in the healthy case, or anything else."""
    base = healthy(method)

    def either(value: Any, kind: str) -> Any:
        return value if draw(st.integers(0, 9)) else draw(readings_of[kind])

    def power(source: a.Input) -> a.Input:
        return a.Input(
            either(source.status, "health"),
            either(source.voltage_v, "volts"),
            either(source.frequency_hz, "hertz"),
            either(source.supply_24v, "health"),
        )

    rows = tuple(
        replace(row, current_a=either(row.current_a, "amps"), state=either(row.state, "state"))
        for row in base.load.banks
    )
    return replace(
        base,
        controller_comm=either(base.controller_comm, "comm"),
        selected_source=either(base.selected_source, "source"),
        redundancy=either(base.redundancy, "redundancy"),
        switch=either(base.switch, "health"),
        over_current=either(base.over_current, "oc"),
        supplies=tuple((name, either(value, "health")) for name, value in base.supplies),
        settings=replace(base.settings, preferred_source=either(base.settings.preferred_source, "preferred")),
        input_a=power(base.input_a),
        input_b=power(base.input_b),
        load=a.Load(either(base.load.bank_rows, "rows"), rows),
    )


@settings(max_examples=1500, deadline=None)
@given(st.data(), st.sampled_from([Method.SINGLE_SOURCE, Method.NO_LOAD]))
def test_what_is_permitted_is_proved(data: Any, method: Method) -> None:
    """The table, said a second time and from the other end: a permitted state reads as SAFETY 3 asks."""
    state = data.draw(any_state(method))
    found = verdict(method, [state] * COUNT)
    if not found.permitted:
        assert found.reasons
        return
    assert state.controller_comm == known(a.Comm.ESTABLISHED)
    assert state.switch == known(a.Health.OK)
    if method is Method.NO_LOAD:
        assert all(row.current_a == known(0.0) for row in state.load.banks[: state.load.bank_rows.value or 0])
        assert (state.load.bank_rows.value or 0) > 0
        return
    assert state.selected_source == known(a.Source.B)
    assert state.redundancy == known(a.Redundancy.LOST)
    assert (
        state.settings.preferred_source in (known(a.Preferred.B), known(a.Preferred.NONE))
        or not state.settings.preferred_source.fitted
    )
    assert state.input_b.status == known(a.Health.OK)
    assert abs((state.input_b.voltage_v.value or 0) - 230) <= 23
    assert state.input_a.status == known(a.Health.FAIL)
    assert not (state.input_a.frequency_hz.value or 0) > 0
    if state.input_a.voltage_v.known:
        assert (state.input_a.voltage_v.value or 0) < 23
    else:
        supply = state.input_a.supply_24v
        assert not state.input_a.voltage_v.fitted and (not supply.fitted or supply == known(a.Health.FAIL))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(Method)), st.floats(0, 60), st.floats(0, 20), st.integers(1, 30))
def test_no_short_old_or_sparse_window_is_permitted(method: Method, span: float, age: float, count: int) -> None:
    step = span / max(count - 1, 1)
    fine = case(method, [healthy(method)] * count)
    samples = [
        replace(sample, at_s=1000.0 + step * number, uptime_s=5000.0 + step * number)
        for number, sample in enumerate(fine.samples)
    ]
    now_s = samples[-1].at_s + age
    found = judge(
        replace(
            fine,
            samples=samples,
            now_s=now_s,
            watch=Watch(now_s, 5000.0, now_s - 300.0),
            log=replace(fine.log, fetched_s=now_s),
        )
    )
    if found.permitted:
        assert span > 30.0 and count >= 8 and age < 5.0 and step <= 5.0


def test_nothing_of_the_ats_is_carried_into_a_blind_window_that_did_not_hold_before() -> None:
    method = Method.SINGLE_SOURCE
    state = replace(healthy(method), objects_answered=0)
    good = verdict(method, [healthy(method)] * COUNT)
    bad = verdict(method, [replace(healthy(method), redundancy=known(a.Redundancy.FULLY_REDUNDANT))] * COUNT)
    assert good.permitted and not bad.permitted
    for carried, answering_s, permitted in ((good, 121.0, True), (good, 119.0, False), (bad, 500.0, False)):
        assert verdict(method, [state] * COUNT, blind=Blind(carried, answering_s)).permitted is permitted
    answering = [state] * (COUNT - 1) + [replace(state, objects_answered=1)]
    assert not verdict(method, answering, blind=Blind(good, 500.0)).permitted
