# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SAFETY 3 "stable", word by word, over readings of no particular unit: the same function judges an ATS and a UPS."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import WRAP_S
from ansible_collections.dcops.apc.plugins.module_utils._domain.window import CLOCK_TOLERANCE, stable, window_of


@dataclass(frozen=True)
class Reading:
    at_s: float
    answered: bool = True
    uptime_s: float | None = None
    discrete: str = "ok"
    who: str = "me"
    watched: str = ""
    fine: bool = True
    error: str = ""
    identity: CardIdentity = field(default_factory=CardIdentity)
    name: str | None = None
    addresses: tuple[str, ...] = ()
    unit_serial: str | None = None
    unit_model: str | None = None


def row(count: int = 20, every_s: float = 2.0, rate: float = 1.0) -> list[Reading]:
    return [Reading(100.0 + every_s * n, uptime_s=1000.0 + rate * every_s * n) for n in range(count)]


def ok(samples: list[Reading], now_s: float | None = None, bounds: Bounds | None = None) -> bool:
    limits = bounds or Bounds()
    now = samples[-1].at_s + 0.5 if now_s is None else now_s
    return stable(window_of(samples, limits, lambda one: one.fine), now, limits).ok


def test_over_30_seconds_and_at_least_8_samples() -> None:
    assert not ok(row(16)), "30 s are not more than 30 s"
    assert ok(row(17))
    assert not ok(row(7, 4.9)) and ok(row(8, 4.9))
    assert not ok(row(17), bounds=Bounds(stability_s=40.0)) and ok(row(22), bounds=Bounds(stability_s=40.0))
    assert not ok([row(1)[0]])


def test_at_least_8_samples_also_where_the_gaps_may_be_wide() -> None:
    """With gaps of at most 5 s it takes 8 samples to get over 30 s; with wider ones only their number asks for 8."""
    wide = Bounds(fresh_s=20.0, gap_s=20.0)
    assert not ok(row(7, 6.0), bounds=wide) and ok(row(8, 6.0), bounds=wide)


def test_no_gap_over_5_seconds() -> None:
    assert ok(row(8, 5.0)) and not ok(row(20, 5.01))


def test_the_newest_is_younger_than_5_seconds() -> None:
    samples = row()
    assert ok(samples, samples[-1].at_s + 4.99)
    assert not ok(samples, samples[-1].at_s + 5.0)


@pytest.mark.parametrize(
    ("rate", "right"),
    [(0.01, False), (0.5, False), (0.6, False), (0.7, True), (1.0, True), (1.4, True), (1.6, False), (3.0, False)],
)
def test_the_units_own_clock_runs_with_ours(rate: float, right: bool) -> None:
    assert ok(row(40, rate=rate)) is right
    assert pytest.approx(2 / 3) == 1 / CLOCK_TOLERANCE


CHANGES: dict[str, Callable[[Reading], Reading]] = {
    "a discrete value": lambda one: replace(one, discrete="other"),
    "another unit": lambda one: replace(one, who="you"),
    "a check": lambda one: replace(one, fine=False),
    "no uptime": lambda one: replace(one, uptime_s=None),
}


@pytest.mark.parametrize("what", CHANGES)
def test_behind_a_change_the_window_starts_15_seconds_later(what: str) -> None:
    """The change is at 0 s; 2 s, 4 s, …: 15 s later means from 18 s on, and more than 30 s from there are 50 s."""
    before = CHANGES[what](replace(row(1)[0], at_s=98.0, uptime_s=998.0))
    assert not ok([before, *row(24)]), "46 s, of which 15 do not count"
    assert ok([before, *row(26)])
    # Without any change before it the same row is long enough.
    assert ok(row(24)) and ok([replace(row(1)[0], at_s=98.0, uptime_s=998.0), *row(24)])


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_that_hides_behind_a_lost_answer_is_one_too(what: str) -> None:
    before = CHANGES[what](replace(row(1)[0], at_s=96.0, uptime_s=996.0))
    lost = Reading(98.0, answered=False)
    assert not ok([before, lost, *row(24)]) and ok([before, lost, *row(26)])
    same = replace(row(1)[0], at_s=96.0, uptime_s=996.0)
    assert ok([same, lost, *row(17)]), "a lost answer alone is no change"
    assert not ok([same, lost, *row(16)]), "but the window does not reach over it"


def test_a_restart_is_a_change() -> None:
    before = replace(row(1)[0], at_s=98.0, uptime_s=90000.0)
    assert not ok([before, *row(24)]) and ok([before, *row(26)])


def test_a_clock_that_stands_still_is_seen_at_once() -> None:
    samples = row()
    samples[-1] = replace(samples[-1], uptime_s=samples[-2].uptime_s)
    assert not ok(samples)


@pytest.mark.parametrize("spoil", [*CHANGES.values(), lambda one: replace(one, answered=False)])
def test_what_is_odd_in_the_newest_never_holds(spoil: Callable[[Reading], Reading]) -> None:
    samples = row(40)
    samples[-1] = spoil(samples[-1])
    assert not ok(samples)


def test_nothing_read_is_not_stable() -> None:
    assert not stable(window_of([], Bounds(), lambda one: True), 0.0, Bounds()).ok


STEP = st.tuples(
    st.floats(0.5, 7.0),
    st.floats(0.0, 4.0),
    st.booleans(),
    st.sampled_from("aab"),
    st.sampled_from("xxxy"),
    st.booleans(),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=60), st.floats(0.0, 8.0))
def test_whatever_is_called_stable_keeps_every_word(
    steps: list[tuple[float, float, bool, str, str, bool]], age: float
) -> None:
    samples, at_s, uptime_s = [], 100.0, 1000.0
    for every_s, ticks, answered, discrete, who, fine in steps:
        at_s, uptime_s = at_s + every_s, uptime_s + ticks
        samples.append(Reading(at_s, answered or len(samples) % 7 != 0, uptime_s, discrete, who, fine=fine))
    bounds = Bounds()
    window = window_of(samples, bounds, lambda one: one.fine)
    kept = window.samples
    assert kept == tuple(samples[len(samples) - len(kept) :])
    if not stable(window, at_s + age, bounds).ok:
        return
    assert len(kept) >= 8 and kept[-1].at_s - kept[0].at_s > 30.0 and age < 5.0
    assert len({(one.discrete, one.who) for one in kept}) == 1 and all(one.answered and one.fine for one in kept)
    for older, newer in itertools.pairwise(kept):
        assert newer.at_s - older.at_s <= 5.0 and (newer.uptime_s or 0) > (older.uptime_s or 0)


@pytest.mark.parametrize("at", range(1, 17))
def test_the_end_of_497_days_interrupts_nothing_and_a_restart_does(at: int) -> None:
    start = WRAP_S - 2.0 * at + 0.5
    samples = [replace(one, uptime_s=(start + 2.0 * n) % WRAP_S) for n, one in enumerate(row(17))]
    assert samples[at].uptime_s == pytest.approx(0.5, abs=0.01) and ok(samples)
    # A card that restarts just then is silent for a while, or its clock does not fit.
    silent = [replace(one, at_s=one.at_s + (40.0 if n >= at else 0.0)) for n, one in enumerate(samples)]
    odd = [replace(one, uptime_s=(one.uptime_s or 0.0) + (4.0 if n >= at else 0.0)) for n, one in enumerate(samples)]
    assert not ok(silent) and not ok(odd)
