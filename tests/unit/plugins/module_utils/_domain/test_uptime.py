# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""497 days after its start a card's uptime begins anew; a restart begins it anew too."""

from __future__ import annotations

import math

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import (
    WRAP_S,
    restarted_between,
    uptime_advance,
)


@pytest.mark.parametrize(
    ("before_s", "after_s", "elapsed_s", "advance"),
    [
        (100.0, 103.0, 3.0, 3.0),
        (100.0, 100.0, 3.0, 0.0),
        (WRAP_S - 1, 2.0, 3.0, 3.0),
        (WRAP_S - 100, 200.0, 300.0, 300.0),
        (WRAP_S - 100, 204.0, 300.0, 304.0),
        # Restarts, one of them just before the clock would have begun anew.
        (100.0, 2.0, 60.0, None),
        (WRAP_S - 1, 2.0, 60.0, None),
        (WRAP_S - 100, 150.0, 300.0, None),
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
