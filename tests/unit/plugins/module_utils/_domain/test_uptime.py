# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""497 days after its start a card's uptime begins anew; a restart begins it anew too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import (
    LONGEST_S,
    WRAP_S,
    restarted,
    restarted_between,
    uptime_advance,
)

# The simulated cards take 40 s and more.
LEAST_RESTART_S = LONGEST_S + 0.01


@dataclass(frozen=True)
class Reading:
    at_s: float
    uptime_s: float | None


def seen(at_s: float, uptime_s: float | None) -> Any:
    return Reading(at_s, uptime_s)


@pytest.mark.parametrize(
    ("before_s", "after_s", "elapsed_s", "advance"),
    [
        (100.0, 103.0, 3.0, 3.0),
        (100.0, 100.0, 3.0, 0.0),
        (WRAP_S - 1, 2.0, 3.0, 3.0),
        (WRAP_S, 0.0, 0.0, 0.0),
        (WRAP_S - 5, 10.0, 15.0, 15.0),
        (WRAP_S - 5, 12.0, 15.0, 17.0),
        # Restarts, one of them just before the clock would have begun anew.
        (100.0, 2.0, 60.0, None),
        (WRAP_S - 1, 2.0, 60.0, None),
        (WRAP_S - 100, 150.0, 300.0, None),
        (WRAP_S - 5, 12.5, 15.0, None),
        (WRAP_S - 5, 7.0, 15.0, None),
        # It fits, but so would a restart at that very moment in so long a silence: in doubt a restart.
        (WRAP_S - 100, 200.0, 300.0, None),
        (WRAP_S - 5, 11.0, 16.0, None),
        (WRAP_S - 86400, 30.0, 3.0, None),
        # No uptime at all.
        (-1.0, 2.0, 3.0, None),
        (100.0, WRAP_S * 2, 3.0, None),
        (math.nan, 2.0, 3.0, None),
        (100.0, 103.0, -1.0, None),
    ],
)
def test_how_far_it_went_on(before_s: float, after_s: float, elapsed_s: float, advance: float | None) -> None:
    found = uptime_advance(before_s, after_s, elapsed_s)
    assert found == (advance if advance is None else pytest.approx(advance, abs=0.01))
    assert restarted_between(before_s, after_s, elapsed_s) is (advance is None)
    assert restarted(seen(100.0, before_s), seen(100.0 + elapsed_s, after_s)) is (advance is None)


@pytest.mark.parametrize(("before_s", "after_s"), [(None, 5.0), (5.0, None), (None, None)])
def test_of_an_uptime_that_was_not_read_nothing_is_known(before_s: float | None, after_s: float | None) -> None:
    assert not restarted(seen(100.0, before_s), seen(103.0, after_s))


@pytest.mark.parametrize(
    ("before_s", "after_s", "elapsed_s", "again"),
    [
        (5000.0, 6800.0, 1800.0, False),
        (5000.0, 6770.0, 1800.0, False),
        # Our own clock was set back, or goes slower.
        (5000.0, 6800.0, 1700.0, False),
        # The card has restarted since, and its uptime has grown past the old one again.
        (100.0, 500.0, 1200.0, True),
        (100.0, 1700.0, 1800.0, True),
        (100.0, 80.0, 1200.0, True),
        # Our own clock was set on: it cannot be told.
        (5000.0, 5060.0, 3660.0, True),
        (5000.0, 5060.0, -60.0, True),
        # Between two processes the end of 497 days is no excuse.
        (WRAP_S - 600, 600.0, 1200.0, True),
    ],
)
def test_between_two_processes(before_s: float, after_s: float, elapsed_s: float, again: bool) -> None:
    assert restarted_between(before_s, after_s, elapsed_s) is again


@given(st.floats(0.0, WRAP_S - 0.01), st.floats(0.0, LONGEST_S), st.floats(-0.5, 0.5))
def test_a_card_that_goes_on_has_not_restarted(before_s: float, elapsed_s: float, jitter_s: float) -> None:
    """Whatever its uptime, also over its end."""
    went_on_s = max(0.0, elapsed_s + jitter_s)
    advance = uptime_advance(before_s, (before_s + went_on_s) % WRAP_S, elapsed_s)
    assert advance == pytest.approx(went_on_s, abs=0.001)


@given(
    st.one_of(st.floats(0.0, WRAP_S - 0.01), st.floats(WRAP_S - 700.0, WRAP_S - 0.01)),
    st.floats(0.0, 10**6), st.floats(LEAST_RESTART_S, 600.0), st.floats(0.0, 10**5), st.booleans(),
)  # fmt: skip
def test_a_restart_is_never_taken_for_the_end_of_497_days(
    before_s: float, until_s: float, down_s: float, up_s: float, counts_start: bool
) -> None:
    """It restarts some time after a reading, is gone for a while, and is read again: its uptime may count its start."""
    after_s = up_s + (down_s if counts_start else 0.0)
    elapsed_s = until_s + down_s + up_s
    if after_s < before_s:
        assert uptime_advance(before_s, after_s, elapsed_s) is None
        assert restarted(seen(0.0, before_s), seen(elapsed_s, after_s))
    # Nor, between two processes, for a card that went on: unless it had restarted just before, too.
    if before_s + until_s > 20.0 + 0.02 * elapsed_s:
        assert restarted_between(before_s, after_s, elapsed_s)
