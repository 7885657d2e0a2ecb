# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    both_live,
    live_inputs,
    reads_live,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import ColdStart
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import (
    COLUMNS,
    EXPECTED,
    PENDING,
    Blind,
    Case,
    judge,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import LogFacts
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import readings_of
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
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Judged
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import parse_description
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds, Watch
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import known, not_fitted, unknown
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

CARD = parse_description(
    "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 AN1:apc_hw02_g2ats_371.bin "
    "MN:AP7724 HR:R01 SN: 5A1511T00001 MD:04/18/2015)"
)
BANKS = tuple(LoadRow(str(n), known(0.0), known(LoadState.NORMAL)) for n in (1, 2, 3))
OUT = AtsState(
    objects_answered=60,
    model="AP7724",
    settings=Settings(
        preferred_source=known(Preferred.B), transfer_range=known(TransferRange.MEDIUM), line_vrms_v=known(230),
        medium_limit_v=known(23), current_limit_a=known(32),
    ),
    controller_comm=known(Comm.ESTABLISHED),
    selected_source=known(Source.B),
    redundancy=known(Redundancy.LOST),
    switch=known(Health.OK),
    over_current=known(OverCurrent.OK),
    input_a=Input(known(Health.FAIL), known(0), known(0), known(Health.FAIL)),
    input_b=Input(known(Health.OK), known(231), known(50), known(Health.OK)),
    load=Load(known(3), BANKS),
)  # fmt: skip
BOTH = replace(
    OUT,
    redundancy=known(Redundancy.FULLY_REDUNDANT),
    input_a=Input(known(Health.OK), known(230), known(50), known(Health.OK)),
)
YES, WORD = Found(True, "fine"), Judged(True, "given")
NOW = 1000.0
UPTIME = 5000.0


def at(at_s: float, ats: AtsState = OUT, **changes: Any) -> Sample:
    return Sample(
        **{
            "at_s": at_s,
            "answered": True,
            "identity": CARD,
            "uptime_s": UPTIME + at_s,
            "name": "x",
            "ats": ats,
            **changes,
        }
    )


def window(count: int = 17, step_s: float = 2.0, end_s: float = NOW - 1.0, ats: AtsState = OUT) -> list[Sample]:
    return [at(end_s - step_s * (count - 1 - number), ats) for number in range(count)]


def case(**changes: Any) -> Case:
    given: dict[str, Any] = {
        "method": Method.SINGLE_SOURCE,
        "primary": Source.B,
        "samples": window(),
        "now_s": NOW,
        "bounds": Bounds(),
        "covered": YES,
        "identity": YES,
        "package": YES,
        "undisturbed": YES,
        "log": LogFacts(readable=True, error="", fetched_s=NOW - 10.0),
        "watch": Watch(NOW, UPTIME, NOW - 300.0),
        "confirmed": dict.fromkeys(("promise", "secondary_disconnected", "no_load", "power_cycled", "one_input"), WORD),
    }
    return Case(**{**given, **changes})


def failing(verdict: Verdict) -> set[str]:
    return {check.id for check in verdict.failing}


def test_the_base_is_permitted() -> None:
    verdict = judge(case())
    assert (
        verdict.permitted
        and not verdict.reasons
        and [check.id for check in verdict.checks] == list(COLUMNS[Method.SINGLE_SOURCE])
    )


def test_an_empty_verdict_permits_nothing() -> None:
    assert not Verdict(Method.SINGLE_SOURCE, ()).permitted and not Verdict(Method.SINGLE_SOURCE, ()).ready


@pytest.mark.parametrize("method", list(Method))
def test_nothing_read_nothing_permitted(method: Method) -> None:
    for samples in ([], [Sample(NOW, False)], window()[:-1] + [Sample(NOW - 1.0, False)]):
        for before in (True, False):
            verdict = judge(case(method=method, samples=samples), before)
            assert not verdict.permitted and not verdict.ready


@pytest.mark.parametrize("name", ["covered", "identity", "package", "undisturbed"])
@pytest.mark.parametrize("method", list(Method))
def test_what_counts_in_every_column(method: Method, name: str) -> None:
    verdict = judge(case(method=method, **{name: Found(False, "wrong")}))
    assert not verdict.permitted and name in failing(verdict)
    assert any(name in reason and "wrong" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("method", list(Method))
def test_every_check_says_what_it_expects(method: Method) -> None:
    names = set(COLUMNS[method]) - {"either_confirmed"}
    assert names <= set(EXPECTED)
    assert all(check.expected for check in judge(case(method=method)).checks)


# --- stable -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "step_s", "stable"),
    [
        (17, 2.0, True),  # 32 s
        (16, 2.0, False),  # exactly 30 s: it must be more
        (8, 4.5, True),  # 31.5 s, 8 samples
        (7, 4.9, False),  # 7 samples are too few
        (11, 3.0, False),  # exactly 30 s
        (12, 3.0, True),
        (40, 0.5, False),
        (8, 5.1, False),  # gaps over 5 s
    ],
)
def test_how_long_and_how_many(count: int, step_s: float, stable: bool) -> None:
    verdict = judge(case(samples=window(count, step_s)))
    assert verdict.permitted is stable and (stable or failing(verdict) == {"stable"})


@pytest.mark.parametrize(("age_s", "fresh"), [(0.0, True), (4.9, True), (5.0, False), (60.0, False)])
def test_the_newest_sample_is_younger_than_five_seconds(age_s: float, fresh: bool) -> None:
    assert judge(case(samples=window(end_s=NOW - age_s))).permitted is fresh


def test_options_raise_the_window_and_cannot_lower_it() -> None:
    assert Bounds.for_factor(1.0, 5.0).stability_s == 30.0
    assert not judge(case(bounds=Bounds.for_factor(1.0, 60.0))).permitted
    assert judge(case(bounds=Bounds.for_factor(1.0, 60.0), samples=window(40))).permitted


@pytest.mark.parametrize(("factor", "fresh_s"), [(1, 5.0), (2, 5.0), (5, 5.0), (20, 20.0), (100, 100.0)])
def test_a_simulated_unit_widens_only_freshness_and_gap(factor: int, fresh_s: float) -> None:
    bounds = Bounds.for_factor(float(factor))
    assert (bounds.fresh_s, bounds.gap_s, bounds.stability_s, bounds.min_samples, bounds.change_hold_s) == (
        fresh_s, fresh_s, 30.0, 8, 15.0,
    )  # fmt: skip


CHANGES = {
    "comm": {"controller_comm": known(Comm.LOST)},
    "selected": {"selected_source": known(Source.A)},
    "redundancy": {"redundancy": known(Redundancy.FULLY_REDUNDANT)},
    "switch": {"switch": known(Health.FAIL)},
    "source a": {"input_a": replace(OUT.input_a, status=known(Health.OK))},
    "source b": {"input_b": replace(OUT.input_b, status=known(Health.FAIL))},
    "unknown for a moment": {"redundancy": unknown("odd")},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_costs_fifteen_seconds_and_a_new_window(what: str) -> None:
    other = replace(OUT, **CHANGES[what])
    for after_s, permitted in ((40.0, False), (46.0, False), (50.0, True)):
        samples = window(40)
        changed = [replace_ats(item, other) if NOW - item.at_s >= after_s else item for item in samples]
        assert judge(case(samples=changed)).permitted is permitted, after_s


def replace_ats(item: Sample, ats: AtsState) -> Sample:
    return replace(item, ats=ats)


@pytest.mark.parametrize("index", [0, 4, 8, 15])
def test_one_sample_that_does_not_hold_within_the_window(index: int) -> None:
    """A voltage is no discrete value: every check must hold in every sample."""
    samples = window()
    high = replace(OUT, input_a=replace(OUT.input_a, voltage_v=known(120)))
    samples[index] = replace(samples[index], ats=high)
    assert not judge(case(samples=samples)).permitted


@pytest.mark.parametrize("index", [3, 8, 15])
def test_a_missing_answer_within_the_window(index: int) -> None:
    samples = window()
    samples[index] = Sample(samples[index].at_s, False)
    verdict = judge(case(samples=samples))
    assert failing(verdict) == {"stable"} and verdict.check("stable").missing  # type: ignore[union-attr]


@pytest.mark.parametrize("how", ["stands", "jumps back", "half speed", "twice and more", "absent"])
def test_sysuptime_must_advance_with_our_clock(how: str) -> None:
    def uptime(item: Sample, number: int) -> float | None:
        return {
            "stands": UPTIME,
            "jumps back": UPTIME + item.at_s - (3000.0 if number > 8 else 0.0),
            "half speed": UPTIME + 0.4 * item.at_s,
            "twice and more": UPTIME + 2.5 * item.at_s,
            "absent": None,
        }[how]

    samples = [replace(item, uptime_s=uptime(item, number)) for number, item in enumerate(window())]
    assert "stable" in failing(judge(case(samples=samples)))


def test_the_mean_of_a_primary_without_a_reference_needs_a_window_of_good_readings() -> None:
    """Neither the unit nor its model names a voltage: 120 V are right only beside enough other readings of 120 V."""
    bare = replace(OUT.settings, line_vrms_v=not_fitted(), medium_limit_v=not_fitted())
    good = replace(OUT, model="AP7750A", settings=bare, input_b=replace(OUT.input_b, voltage_v=known(120)))
    failed = replace(good, input_b=replace(good.input_b, status=known(Health.FAIL), voltage_v=known(118)))
    for count, spoilt, healthy in ((7, 0, False), (8, 0, True), (17, 10, False), (17, 9, True)):
        samples = [
            replace(item, identity=replace(CARD, model="AP7750A"), ats=failed if number < spoilt else good)
            for number, item in enumerate(window(count))
        ]
        check = judge(case(samples=samples)).check("primary_healthy")
        assert check is not None and check.ok is healthy, (count, spoilt)


def test_another_unit_in_the_middle_of_the_window() -> None:
    other = parse_description(CARD.description.replace("5A1511T00001", "5A1511T00002"))
    samples = [replace(item, identity=other) if number > 8 else item for number, item in enumerate(window())]
    assert not judge(case(samples=samples)).permitted


# --- pending and blocking -----------------------------------------------------------------------------------


def test_before_the_action_both_live_is_pending() -> None:
    verdict = judge(case(samples=window(ats=BOTH)), before_action=True)
    assert verdict.ready and not verdict.permitted and verdict.blocking == ()
    assert failing(verdict) == {"secondary_dead", "redundancy_lost"} <= PENDING[Method.SINGLE_SOURCE]


def test_after_it_nothing_is_pending_but_time() -> None:
    verdict = judge(case(samples=window(ats=BOTH)))
    assert {check.id for check in verdict.contradicted} >= {"secondary_dead", "redundancy_lost"} and not verdict.ready


@pytest.mark.parametrize(
    "changes",
    [
        {"selected_source": known(Source.A)},
        {"settings": replace(OUT.settings, preferred_source=known(Preferred.A))},
        {"controller_comm": known(Comm.LOST)},
        {"switch": known(Health.FAIL)},
        {"input_b": replace(OUT.input_b, voltage_v=known(180))},
    ],
)
def test_these_are_blocking_before_anybody_pulls(changes: dict[str, Any]) -> None:
    verdict = judge(case(samples=window(ats=replace(BOTH, **changes))), before_action=True)
    assert verdict.blocking and not verdict.ready


def test_time_that_is_missing_is_not_ready() -> None:
    assert not judge(case(samples=window(5, ats=BOTH)), before_action=True).ready
    assert not judge(case(samples=window(ats=BOTH), log=LogFacts()), before_action=True).ready


# --- confirmations ------------------------------------------------------------------------------------------

NEEDED = {
    Method.SINGLE_SOURCE: [{"promise", "secondary_disconnected"}],
    Method.NO_LOAD: [{"promise", "no_load"}],
    Method.APP_ONLY: [{"promise", "secondary_disconnected"}, {"promise", "no_load"}],
    Method.RECOVERY: [{"promise", "no_load", "power_cycled", "one_input"}],
}


def lawful(method: Method) -> dict[str, Any]:
    if method is Method.APP_ONLY:
        bare = replace(CARD, app=type(CARD.app)())
        return {
            "samples": [replace(item, identity=bare, ats=AtsState()) for item in window()],
            "package_aos": Version.parse("3.7.4"),
        }
    if method is Method.RECOVERY:
        return {"samples": window(ats=replace(OUT, controller_comm=known(Comm.LOST)))}
    return {}


@pytest.mark.parametrize("method", list(Method))
def test_which_words_each_method_needs(method: Method) -> None:
    everything = ("promise", "secondary_disconnected", "no_load", "power_cycled", "one_input")
    for mask in range(32):
        given = {what for number, what in enumerate(everything) if mask >> number & 1}
        confirmed = {what: WORD if what in given else Judged(False, "no") for what in everything}
        verdict = judge(case(method=method, confirmed=confirmed, **lawful(method)))
        assert verdict.permitted is any(need <= given for need in NEEDED[method]), given
    assert not judge(case(method=method, confirmed={}, **lawful(method))).permitted


@pytest.mark.parametrize(
    ("method", "what"),
    [
        (Method.SINGLE_SOURCE, "secondary_disconnected"),
        (Method.NO_LOAD, "no_load"),
        (Method.RECOVERY, "power_cycled"),
        (Method.RECOVERY, "one_input"),
    ],
)
def test_what_was_said_and_does_not_count_is_not_waited_for(method: Method, what: str) -> None:
    for judged in (Judged(False, "not given"), Judged(False, "more than 60 minutes ago", refused=True)):
        confirmed = {**case().confirmed, what: judged}
        verdict = judge(case(method=method, confirmed=confirmed, **lawful(method)), before_action=True)
        assert verdict.ready is not judged.refused and bool(verdict.blocking) is judged.refused


def test_a_confirmation_never_replaces_the_measurement() -> None:
    assert not judge(case(samples=window(ats=BOTH))).permitted


def test_app_only_any_answered_object_in_any_sample_refuses() -> None:
    base = case(method=Method.APP_ONLY, **lawful(Method.APP_ONLY))
    assert judge(base).permitted
    for index in (0, 8, 16):
        samples = list(base.samples)
        samples[index] = replace(samples[index], ats=AtsState(objects_answered=1))
        assert not judge(replace(base, samples=samples)).permitted


@pytest.mark.parametrize(("uptime_s", "ok"), [(86000.0, True), (86405.0, False)])
def test_recovery_within_a_day_of_the_cold_start(uptime_s: float, ok: bool) -> None:
    made = lawful(Method.RECOVERY)
    samples = [replace(item, uptime_s=uptime_s - (NOW - item.at_s)) for item in made["samples"]]
    verdict = judge(case(method=Method.RECOVERY, samples=samples, watch=Watch(NOW, uptime_s, NOW - 300.0)))
    assert verdict.permitted is ok


def test_recovery_with_a_log_that_lacks_the_new_cold_start() -> None:
    given = case(method=Method.RECOVERY, **lawful(Method.RECOVERY))
    log = replace(given.log, cold_start=ColdStart(False))
    assert "cold_start_confirmed" in failing(judge(replace(given, log=log)))
    assert judge(replace(given, log=replace(log, cold_start=ColdStart(True)))).permitted
    assert judge(replace(given, log=replace(log, cold_start=ColdStart(None)))).permitted


def test_recovery_with_both_inputs_live_only_where_just_that_was_shown_before() -> None:
    both = replace(BOTH, controller_comm=known(Comm.LOST))
    other = replace(both, input_a=replace(both.input_a, voltage_v=known(229)))
    for old, counts in ((None, False), (other, False), (both, True)):
        shown = frozenset() if old is None else frozenset({readings_of(old)})
        verdict = judge(case(method=Method.RECOVERY, samples=window(ats=both), old=shown))
        assert ("cold_start_confirmed" not in failing(verdict)) is counts


@pytest.mark.parametrize(
    ("a_v", "b_v", "status_b", "known_v", "both"),
    [
        (230, 0, Health.FAIL, 230, False),
        (230, 22, Health.FAIL, 230, False),
        (230, 23, Health.FAIL, 230, True),
        (230, 0, Health.OK, 230, True),
        (230, None, Health.OK, None, True),
        (230, None, None, None, False),
        # Without a reference any voltage may be a live one.
        (230, 5, Health.FAIL, None, True),
        (230, 0, Health.FAIL, None, False),
        (230, 180, None, None, True),
    ],
)
def test_live_by_its_word_or_by_its_voltage(
    a_v: int, b_v: int | None, status_b: Health | None, known_v: int | None, both: bool
) -> None:
    ats = AtsState(
        objects_answered=60,
        controller_comm=known(Comm.LOST),
        input_a=Input(known(Health.OK), known(a_v)),
        input_b=Input(known(status_b) if status_b else unknown(), known(b_v) if b_v is not None else not_fitted()),
        nominal=Nominal(voltage_v=known(known_v)) if known_v else Nominal(),
    )
    bare = replace(window()[0], ats=ats, identity=replace(CARD, model=None))
    assert bool(both_live(bare)) is both
    assert set(live_inputs(bare)) == ({Source.A, Source.B} if both else {Source.A})


# --- the blind window ---------------------------------------------------------------------------------------


def blind(answering_s: float = 121.0, carried: Verdict | None = None, **changes: Any) -> Case:
    bare = replace(CARD, app=type(CARD.app)())
    samples = [replace(item, identity=bare, ats=AtsState()) for item in window()]
    return case(**{"samples": samples, "blind": Blind(carried or judge(case()), answering_s), **changes})


@pytest.mark.parametrize(("answering_s", "carried"), [(119.0, False), (120.0, True), (500.0, True)])
def test_blind_after_120_s_of_answers(answering_s: float, carried: bool) -> None:
    assert judge(blind(answering_s)).permitted is carried


def test_only_what_held_is_carried() -> None:
    bad = judge(case(samples=window(ats=replace(OUT, switch=known(Health.FAIL)))))
    verdict = judge(blind(carried=bad))
    assert "switch_healthy" in failing(verdict) and not verdict.permitted


@pytest.mark.parametrize(
    "changes", [{"confirmed": {}}, *({name: Found(False, "x")} for name in ("identity", "undisturbed", "package"))]
)
def test_the_rest_is_judged_afresh(changes: dict[str, Any]) -> None:
    assert not judge(blind(**changes)).permitted


def test_a_starting_app_or_any_object_ends_it() -> None:
    given = blind()
    for item in (
        replace(given.samples[-1], ats=AtsState(objects_answered=1)),
        replace(given.samples[-1], identity=replace(given.samples[-1].identity, app_status="?")),
        Sample(given.samples[-1].at_s, False),
    ):
        assert not judge(replace(given, samples=[*given.samples[:-1], item])).permitted


# --- live ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "live"),
    [
        (Input(known(Health.OK), known(230)), True),
        (Input(known(Health.FAIL), known(23)), True),
        (Input(known(Health.FAIL), known(22)), False),
        (Input(known(Health.FAIL), known(0), known(50)), True),
        (Input(known(Health.FAIL), known(0), known(0)), False),
        (Input(known(Health.FAIL), unknown("odd")), False),
        (Input(unknown("odd"), unknown("odd")), False),
    ],
)
def test_alive_beyond_doubt(source: Input, live: bool) -> None:
    assert reads_live(at(1.0, replace(OUT, input_a=source)), Source.A) is live
    assert not reads_live(Sample(1.0, False), Source.A)


def test_the_result_is_plain() -> None:
    result = judge(case(samples=[])).to_result()
    assert result["permitted"] is False and result["method"] == "single_source" and result["reasons"]
    assert {tuple(sorted(check)) for check in result["checks"]} == {("expected", "id", "observed", "ok", "pending")}
