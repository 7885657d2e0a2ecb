# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import (
    LogFacts,
    controller_quiet,
    download_open,
    log_wanted,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Watch

NOW = 10000.0


def log(**changes: object) -> LogFacts:
    return LogFacts(**{"readable": True, "error": "", "fetched_s": NOW - 1.0, **changes})  # type: ignore[arg-type]


def watch(uptime_s: float | None, unbroken_s: float | None) -> Watch:
    return Watch(NOW, uptime_s, None if unbroken_s is None else NOW - unbroken_s)


@pytest.mark.parametrize(
    ("uptime_s", "unbroken_s", "quiet"),
    [
        (900.0, 10.0, False),
        (1e6, 239.0, False),
        (1e6, 241.0, True),
        (899.0, 10.0, False),
        (899.0, 241.0, True),
        (300.0, 241.0, True),
        (299.0, 250.0, False),
        (300.0, 239.0, False),
        (100000.0, None, False),
        (None, 500.0, False),
        (0.0, 0.0, False),
    ],
)
def test_only_the_watch_proves_it_however_long_the_card_is_up(
    uptime_s: float | None, unbroken_s: float | None, quiet: bool
) -> None:
    found = controller_quiet(log(), watch(uptime_s, unbroken_s))
    assert found.ok is quiet
    assert quiet or found.missing, "only time is missing: it is no contradiction"


def test_the_log_is_read_after_the_240_seconds() -> None:
    early = log(fetched_s=NOW - 241.0 + 239.0)
    late = log(fetched_s=NOW - 241.0 + 240.0)
    assert not controller_quiet(early, watch(500.0, 241.0)).ok
    assert controller_quiet(late, watch(500.0, 241.0)).ok
    assert log_wanted(early, watch(500.0, 241.0)) and not log_wanted(late, watch(500.0, 241.0))


def test_a_log_from_before_a_break_says_nothing_of_what_came_after() -> None:
    assert not controller_quiet(log(fetched_s=NOW - 50.0), watch(5000.0, 10.0)).ok


@pytest.mark.parametrize("uptime_s", [100.0, 5000.0])
def test_an_unreadable_log_is_never_quiet(uptime_s: float) -> None:
    found = controller_quiet(LogFacts(readable=False, error="550 denied"), watch(uptime_s, 5000.0))
    assert not found.ok and "550 denied" in found.observed


@pytest.mark.parametrize(
    ("seen_ago_s", "unbroken_s", "is_open"),
    [
        (299.0, 4000.0, True),
        (301.0, 4000.0, False),
        (4000.0, 299.0, True),
        (4000.0, 301.0, False),
        (4000.0, None, True),
    ],
)
def test_a_begun_download_is_open_until_300_s_were_watched(
    seen_ago_s: float, unbroken_s: float | None, is_open: bool
) -> None:
    facts = log(begun="download begun", begun_seen_s=NOW - seen_ago_s)
    assert download_open(facts, watch(5000.0, unbroken_s)) is is_open
    quiet = controller_quiet(facts, watch(5000.0, unbroken_s))
    assert quiet.ok is (not is_open)
    if quiet.ok:
        assert "end_not_seen" in quiet.observed


@pytest.mark.parametrize(
    ("uptime_s", "unbroken_s", "quiet"),
    [(5000.0, 10.0, False), (5000.0, 479.0, False), (5000.0, 481.0, True), (599.0, 590.0, False), (600.0, 481.0, True)],
)
def test_a_log_that_shares_no_row_doubles_both(uptime_s: float, unbroken_s: float, quiet: bool) -> None:
    assert controller_quiet(log(comparable=False), watch(uptime_s, unbroken_s)).ok is quiet


def test_it_doubles_the_download_too() -> None:
    facts = log(comparable=False, begun="download begun", begun_seen_s=NOW - 599.0)
    assert download_open(facts, watch(5000.0, 5000.0))
    assert not download_open(log(comparable=False, begun="b", begun_seen_s=NOW - 601.0), watch(5000.0, 5000.0))
