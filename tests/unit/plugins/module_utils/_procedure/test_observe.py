# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as watched without a break, and what a reading that goes wrong does to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import download_open
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    OverCurrent,
    Source,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds, Watch
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import WRAP_S
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import known, not_fitted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.logbook import LogTracker
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.observe import AtsObserver
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import WATCH_GAP_S
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

FINE = AtsState(
    objects_answered=60,
    model="AP7724",
    controller_comm=known(Comm.ESTABLISHED),
    controller_version=known("3.0.1"),
    selected_source=known(Source.B),
    over_current=known(OverCurrent.OK),
    input_a=Input(known(Health.OK), known(230)),
    input_b=Input(known(Health.OK), known(230)),
)


class Ticking:
    factor = 1.0

    def __init__(self) -> None:
        self.time_s = 1000.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.time_s, timezone.utc)


class Card:
    """Read by an observer. ``uptime``: its own clock against ours; ``silent``: our seconds without an answer."""

    def __init__(self, uptime: Callable[[float], float] = lambda now: 5000.0 + now, **bounds: float) -> None:
        self.clock, self.uptime = Ticking(), uptime
        self.silent_until, self.took_s = 0.0, 0.05
        self.raises: list[BaseException] = []
        self.changes: dict[str, Any] = {}
        self.observer = AtsObserver(self.clock, self.read, 2.0, Bounds(**bounds))

    def read(self) -> Sample:
        at_s = self.clock.now()
        self.clock.sleep(self.took_s)
        if self.raises:
            raise self.raises.pop()
        if at_s < self.silent_until:
            return Sample(at_s, False, error="no answer")
        ats = AtsState(**{**FINE.__dict__, **self.changes})
        return Sample(at_s, True, uptime_s=self.uptime(at_s), ats=ats)

    def go_on(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.observer.next()

    def unbroken_s(self) -> float:
        return self.observer.watch().unbroken_s


# --- a reading that goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [OverflowError("x"), TransportError("auth", "WrongDigest"), TransportError("internal", "x"), OSError(5, "x")],
)
def test_once_it_has_answered_a_fault_of_a_reading_is_a_missing_answer(fault: Exception) -> None:
    card = Card()
    card.observer.poll()
    card.raises.append(fault)
    seen: list[Sample] = []
    card.observer.on_sample = lambda sample, before: seen.append(sample)
    sample = card.observer.next()
    assert not sample.answered and sample.error and not sample.app_answers and seen == [sample]
    assert card.observer.newest is sample and card.observer.good is not sample
    assert card.observer.next().answered and card.observer.breaks == 0


@pytest.mark.parametrize("fault", [OverflowError("x"), TransportError("auth", "WrongDigest")])
def test_before_it_has_answered_the_fault_is_told(fault: Exception) -> None:
    card = Card()
    card.raises.append(fault)
    with pytest.raises(type(fault)):
        card.observer.poll()
    assert card.observer.poll().answered


def test_an_interruption_is_no_missing_answer_and_the_next_reading_goes_on() -> None:
    card = Card()
    card.observer.poll()
    card.raises.append(Interrupted("signal SIGTERM"))
    with pytest.raises(Interrupted):
        card.observer.poll()
    card.clock.sleep(5.0)
    count = len(card.observer.samples)
    card.observer.poll_if_due()
    assert len(card.observer.samples) == count + 1, "a reading is believed to be still under way"


def test_a_reading_under_way_is_not_entered_again() -> None:
    card = Card()
    inner = card.read
    depth: list[int] = []

    def read() -> Sample:
        depth.append(len(depth))
        card.observer.poll_if_due()
        return inner()

    card.observer = AtsObserver(card.clock, read, 2.0, Bounds())
    card.observer.poll()
    assert depth == [0]


# --- the watch ----------------------------------------------------------------------------------------------


def test_a_healthy_card_is_watched_without_a_break() -> None:
    card = Card()
    card.go_on(300.0)
    assert card.unbroken_s() >= 299.0 and card.observer.breaks == card.observer.gaps == card.observer.restarts == 0


@pytest.mark.parametrize("step", [0.055, 0.1, 0.5, 1.0])
def test_an_uptime_that_counts_in_steps_is_no_restart(step: float) -> None:
    card = Card(lambda now: (5000.0 + now) // step * step)
    card.go_on(300.0)
    card.observer.fresh()
    card.observer.fresh()
    assert card.unbroken_s() >= 299.0 and card.observer.restarts == card.observer.breaks == 0


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.5, 0.9, 1.1, 2.0, 20.0, 100.0])
def test_a_clock_at_another_rate_is_never_watched_for_long(rate: float) -> None:
    """A declared speed that is not true, or answers from a cache."""
    card = Card(lambda now: 5000.0 + now * rate)
    longest = 0.0
    for _unused in range(200):
        card.observer.next()
        longest = max(longest, card.unbroken_s())
    assert longest < 120.0 and card.observer.breaks > 2


@pytest.mark.parametrize("rate", [0.999, 1.001, 1.01])
def test_a_clock_that_drifts_a_little_is_watched(rate: float) -> None:
    card = Card(lambda now: 5000.0 + now * rate)
    card.go_on(600.0)
    assert card.unbroken_s() >= 599.0


def test_a_restart_begins_the_watch_anew() -> None:
    card = Card()
    card.go_on(100.0)
    began = card.clock.now()
    card.uptime = lambda now: now - began
    card.go_on(20.0)
    assert card.observer.restarts == 1 and card.unbroken_s() <= 22.0


def test_the_end_of_497_days_breaks_no_watch() -> None:
    card = Card(lambda now: (WRAP_S - 60.0 + now - 1000.0) % WRAP_S)
    card.go_on(400.0)
    assert card.observer.restarts == card.observer.breaks == 0
    assert card.unbroken_s() == pytest.approx(400.0, abs=3.0)
    newest, watched = card.observer.newest.uptime_s, card.observer.watch().uptime_s
    assert newest is not None and newest < 400.0, "it has begun anew"
    # The card is no younger for it: nothing waits for 300 s again.
    assert watched == pytest.approx(WRAP_S - 60.0 + 400.0, abs=3.0)


def test_a_restart_at_the_end_of_497_days_is_a_restart() -> None:
    card = Card(lambda now: WRAP_S - 60.0 + now - 1000.0 if now < 1060.0 else now - 1060.0)
    card.go_on(58.0)
    card.silent_until = 1085.0
    card.go_on(100.0)
    assert card.observer.restarts == card.observer.breaks == 1 and card.unbroken_s() < 80.0
    watched = card.observer.watch().uptime_s
    assert watched is not None and watched < 110.0


@pytest.mark.parametrize(
    "change", [{"controller_comm": known(Comm.LOST)}, {"controller_version": known("3.0.7")}], ids=["comm", "revision"]
)
def test_communication_and_revision_begin_it_anew(change: dict[str, Any]) -> None:
    card = Card()
    card.go_on(100.0)
    card.changes = change
    card.go_on(10.0)
    assert card.observer.breaks == 1 and card.unbroken_s() <= 12.0
    card.changes = {}
    card.go_on(10.0)
    assert card.observer.breaks == 2 and card.unbroken_s() <= 12.0


@pytest.mark.parametrize(("silent_s", "kept"), [(3.5, True), (8.0, True), (WATCH_GAP_S + 4.0, False), (60.0, False)])
def test_a_lost_answer_or_two_do_not_end_the_watch(silent_s: float, kept: bool) -> None:
    card = Card()
    card.go_on(100.0)
    card.silent_until = card.clock.now() + silent_s
    card.go_on(silent_s + 4.0)
    assert card.observer.newest.answered
    assert (card.unbroken_s() > 100.0) is kept and (card.observer.breaks == 0) is kept
    # The stability window and the permission to reconnect have their own, shorter bound.
    assert (card.observer.gaps > 0) is (silent_s > 5.0)


def test_while_it_is_silent_for_long_nothing_is_watched() -> None:
    card = Card()
    card.go_on(100.0)
    card.silent_until = card.clock.now() + 600.0
    card.go_on(WATCH_GAP_S + 5.0)
    assert card.observer.watch().unbroken_since_s is None


def test_a_sample_of_now_is_not_so_soon_that_the_units_clock_stands_still() -> None:
    card = Card(lambda now: float(int(5000.0 + now)))
    card.observer.poll()
    for _unused in range(20):
        before = card.observer.newest
        assert card.observer.fresh().at_s - before.at_s >= 1.0


def test_silence_does_not_starve_what_waits_beside_it() -> None:
    """While an AOS is sent, a card that takes 3 s to be silent is asked every 10 s or less often."""
    card = Card()
    card.observer.poll()
    card.took_s, card.silent_until = 3.0, 1e9
    began, asked = card.clock.now(), 0
    while card.clock.now() < began + 130.0:
        count = card.observer.samples[-1]
        card.observer.poll_if_due(10.0)
        asked += card.observer.samples[-1] is not count
        card.clock.sleep(0.4)
    assert 5 <= asked <= 11


def test_what_was_shown_and_is_gone_is_not_called_not_fitted() -> None:
    card = Card()
    card.observer.poll()
    card.changes = {"over_current": not_fitted()}
    sample = card.observer.next()
    assert not sample.ats.over_current.known and sample.ats.over_current.fitted
    fresh = Card()
    fresh.changes = {"over_current": not_fitted()}
    assert not fresh.observer.poll().ats.over_current.fitted


# --- the log ------------------------------------------------------------------------------------------------

HEAD = b"2\tFile Format Version\r\n03/02/2026\t12:13:00\tDate/Time Retrieved\r\n\r\nDate\tTime\tEvent\tCode\r\n"
ROW = b"03/02/2026\t12:00:00\tSystem: Warm start.\t0x0002\r\n"


@pytest.mark.parametrize("text", [b"", b"\r\n", b"<html>busy</html>", b"\x00" * 50])
def test_a_log_that_is_not_understood_is_no_log(text: bytes) -> None:
    log = LogTracker()
    log.update(parse_event_log(HEAD + ROW), 10.0)
    assert log.facts().readable
    log.update(parse_event_log(text), 20.0)
    assert not log.facts().readable and log.facts().error


def test_a_begun_row_that_reads_like_an_old_one_counts_anew_after_a_restart() -> None:
    begun = b"01/01/2000\t00:02:10\tAutomatic Transfer Switch: ATS Controller firmware download begun.\t0x0C20\r\n"
    log = LogTracker()
    log.update(parse_event_log(HEAD + begun + ROW), 10.0)
    log.update(parse_event_log(HEAD + begun + ROW), 400.0)
    assert log.facts().begun and log.facts().begun_seen_s == 10.0
    log.forget_begun()
    log.update(parse_event_log(HEAD + begun + ROW), 500.0)
    assert log.facts().begun_seen_s == 500.0


def test_a_begun_row_that_repeats_itself_between_two_runs_is_a_new_download() -> None:
    """A card without a battery begins at the same time of day at every start; the settled run wrote the row down."""
    start = b"01/01/2000\t00:00:05\tSystem: Network Interface restarted.\t0x0002\r\n"
    begun = b"01/01/2000\t00:01:25\tAutomatic Transfer Switch: ATS Controller firmware download begun.\t0x0C20\r\n"
    settled, later = LogTracker(), LogTracker()
    settled.update(parse_event_log(HEAD + begun + start), 500.0)
    later.ended.update(settled.begun_rows())
    later.update(parse_event_log(HEAD + begun + start), 330.0)
    assert not later.facts().begun
    later.update(parse_event_log(HEAD + begun + start + begun + start), 330.0)
    assert download_open(later.facts(), Watch(331.0, 331.0, 60.0))
