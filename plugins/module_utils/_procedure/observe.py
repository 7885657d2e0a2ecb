# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watching one unit of any kind: readings at their pace, and what stayed unbroken since when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import MAX_POLL_S, Bounds, Seen, Watch
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import WRAP_S, restarted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import stop_if_asked
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

# A reading slower than the poll interval must not starve everything else.
BREATH_S = 0.05
# How far the unit's clock may part from ours, beside the sample gap, before nothing is taken for watched any more.
STEP_SHARE = 0.05
# A lost answer or two do not end the watch over communication, revision and uptime if all three go on behind them:
# readings may lag as long anyway. The stability window keeps its own, shorter bound.
WATCH_GAP_S = 15.0
# Behind a slow reading, before the next: short enough that two of them stay within the sample gap.
SLOW_PAUSE_S = 1.0
# sysUpTime of some units counts whole seconds.
LEAST_PAUSE_S = 1.0

S = TypeVar("S", bound=Seen)


class Observer(Generic[S]):
    """``read`` takes one reading and does not raise for a silent card: silence is a reading too.

    ``silent``: makes the reading of a card that did not answer, out of when it was asked and why.
    """

    def __init__(
        self, clock: Clock, read: Callable[[], S], silent: Callable[[float, str], S], poll_s: float, bounds: Bounds
    ) -> None:
        self._clock = clock
        self._read = read
        self._silent = silent
        self.poll_s = min(poll_s, MAX_POLL_S)
        self.bounds = bounds
        self.samples: list[S] = []
        self.good: S | None = None
        self.first_good_s: float | None = None
        self.restarts = 0
        self.breaks = 0
        self.gaps = 0
        self.ended_s = 0.0
        self.took_s = 0.0
        self._unbroken_since: float | None = None
        self._unchanged_since: float | None = None
        self._anchor: S | None = None
        self._anchor_s: float | None = None
        self._begun_anew_s = 0.0
        self._polling = False
        self.on_sample: Callable[[S, S | None], None] = lambda sample, before: None

    @property
    def newest(self) -> S:
        return self.samples[-1]

    def start_over(self, bounds: Bounds) -> None:
        """With the unit's own bounds known, from the next sample on."""
        self.bounds = bounds
        self.samples.clear()
        self.good = None
        self.breaks = self.restarts = self.gaps = 0
        self._begun_anew_s = 0.0

    def poll(self) -> S:
        """One sample now. Raises Interrupted where a signal was noted: whoever measures before he acts asks here."""
        stop_if_asked()
        before = self.good
        at_s = self._clock.now()
        self._polling = True
        try:
            sample = self._take()
        except Exception as exc:
            # Once the unit has answered, no error of a reading ends what is under way: it is a missing answer.
            if before is None:
                raise
            text = exc.message if isinstance(exc, TransportError) else f"reading failed: {type(exc).__name__}"
            sample = self._silent(at_s, text)
        finally:
            self._polling = False
        self.ended_s = self._clock.now()
        self.took_s = self.ended_s - at_s
        self.samples.append(sample)
        horizon = sample.at_s - (self.bounds.stability_s + self.bounds.change_hold_s + 2 * self.bounds.gap_s + 15.0)
        while len(self.samples) > 2 and self.samples[0].at_s < horizon:
            del self.samples[0]
        if sample.answered:
            self._follow(before, sample)
            self.good = sample
        self.on_sample(sample, before)
        # Nothing is judged or allowed on a reading during which the run was asked to end.
        stop_if_asked()
        return sample

    def _take(self) -> S:
        return self._read()

    def _follow(self, before: S | None, sample: S) -> None:
        if before is None:
            self.first_good_s = self._unchanged_since = sample.at_s
            self._begin_watch(sample)
            return
        silent_s = sample.at_s - before.at_s
        self.gaps += silent_s > self.bounds.gap_s
        # Where its clock stands still, _out_of_step finds out.
        reset = sample.uptime_s is None or before.uptime_s is None or restarted(before, sample)
        if reset:
            self.restarts += 1
            self._begun_anew_s = 0.0
        elif (sample.uptime_s or 0.0) < (before.uptime_s or 0.0):
            self._begun_anew_s += WRAP_S
        changed = reset or self._out_of_step(sample) or before.watched != sample.watched
        if changed:
            self._unchanged_since = sample.at_s
        if changed or silent_s > max(WATCH_GAP_S, self.bounds.gap_s):
            self.breaks += 1
            self._begin_watch(sample)

    def _begin_watch(self, sample: S) -> None:
        self._unbroken_since = sample.at_s
        self._anchor, self._anchor_s = sample, self._uptime_of(sample)

    def _uptime_of(self, sample: S) -> float | None:
        """With the times that its clock began anew while it was watched."""
        return None if sample.uptime_s is None else sample.uptime_s + self._begun_anew_s

    def _out_of_step(self, sample: S) -> bool:
        """Does the unit's own clock part from ours? Then answers are cached, or its declared speed is not true."""
        anchor, its = self._anchor, self._uptime_of(sample)
        if anchor is None or self._anchor_s is None or its is None:
            return False
        ours, its = sample.at_s - anchor.at_s, its - self._anchor_s
        return abs(ours - its) > self.bounds.gap_s + STEP_SHARE * ours

    def due(self, silent_s: float = 0.0) -> bool:
        """``silent_s``: the least pause behind a reading that was not answered."""
        if not self.samples:
            return True
        now = self._clock.now()
        # Whatever else waits for this process must get its share of time beside slow readings.
        pause = min(self.took_s, SLOW_PAUSE_S)
        if not self.samples[-1].answered:
            pause = max(2 * self.took_s, silent_s)
        return now - self.samples[-1].at_s >= self.poll_s and now - self.ended_s >= pause

    def poll_if_due(self, silent_s: float = 0.0) -> None:
        """For the idle hook of a transport; a reading that is under way is not entered again."""
        stop_if_asked()
        if not self._polling and self.due(silent_s):
            self.poll()

    def fresh(self) -> S:
        """A sample of now; not so soon after the last that the unit's clock has not moved on."""
        if self.samples and self._clock.now() - self.samples[-1].at_s < LEAST_PAUSE_S:
            return self.next(self.samples[-1].at_s + LEAST_PAUSE_S)
        return self.poll()

    def next(self, at_s: float | None = None) -> S:
        """Waits until the next sample is due, or until ``at_s`` if that is sooner, then takes it."""
        if self.samples:
            due = self.samples[-1].at_s + self.poll_s
            if at_s is not None:
                due = min(due, max(at_s, self.samples[-1].at_s + LEAST_PAUSE_S))
            self._clock.sleep(max(due - self._clock.now(), BREATH_S))
        return self.poll()

    def watch(self, while_sending: bool = False) -> Watch:
        """``while_sending``: a missing answer alone does not end the watch, if all that is watched goes on behind it: a
        download begins at a start of the card, and there was none. Else the rule that a missing answer holds the last
        block for up to 60 s (SAFETY 4.4) could never be met."""
        now = self._clock.now()
        good = self.good
        since = self._unbroken_since
        if while_sending:
            since = self._unchanged_since
        elif good is None or now - good.at_s > max(WATCH_GAP_S, self.bounds.gap_s):
            since = None
        return Watch(now, self._uptime_of(good) if good else None, since)

    def carry(self, seconds: float) -> None:
        """An earlier process had watched for so long without a break, and nothing has broken since."""
        if self._unbroken_since is not None and self._unchanged_since is not None:
            self._unbroken_since -= seconds
            # Also by what is asked while a file is sent: else its last block would be held for a watch that is done.
            self._unchanged_since -= seconds

    def forget_breaks(self) -> None:
        """After a restart of our own making: what it broke is no news."""
        self.breaks = self.gaps = 0
