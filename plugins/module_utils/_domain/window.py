# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stability window: SAFETY 3 "stable", the same function for an ATS and a UPS. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds, Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import WRAP_S, uptime_advance
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found

# By what factor the unit's clock may part from ours over a window: readings jitter, whole seconds are counted.
CLOCK_TOLERANCE = 1.5
STILL = "sysUpTime did not advance"

S = TypeVar("S", bound=Seen)


@dataclass(frozen=True)
class Window(Generic[S]):
    """The newest run of readings that nothing interrupts, oldest first; ``why``: what ended it on its older side."""

    samples: tuple[S, ...]
    why: str

    @property
    def since_s(self) -> float | None:
        return self.samples[0].at_s if self.samples else None


def window_of(samples: Sequence[S], bounds: Bounds, holds: Callable[[S], bool]) -> Window[S]:
    """``samples``: oldest first, unfiltered. ``holds``: does every check hold in this one?"""
    if not samples or not samples[-1].answered:
        return Window((), "no answer")
    if not holds(samples[-1]):
        return Window((), "a check does not hold")
    first, why, changed = len(samples) - 1, "", False
    while first > 0 and not why:
        why, changed = _end(samples, first, bounds, holds)
        first -= not why
    floor = samples[first].at_s + (bounds.change_hold_s if changed else 0.0)
    return Window(tuple(sample for sample in samples[first:] if sample.at_s >= floor), why)


def _end(samples: Sequence[S], first: int, bounds: Bounds, holds: Callable[[S], bool]) -> tuple[str, bool]:
    """Why the window must not reach further back than ``first`` (empty: it may), and was that an observed change?"""
    older, newer = samples[first - 1], samples[first]
    if not older.answered:
        before = next((sample for sample in reversed(samples[: first - 1]) if sample.answered), None)
        return "an answer was missing", before is not None and bool(_change(before, newer, holds))
    change = _change(older, newer, holds)
    if newer.at_s - older.at_s > bounds.gap_s:
        return "a gap between samples", bool(change)
    return change, bool(change)


def _change(older: S, newer: S, holds: Callable[[S], bool]) -> str:
    if not _ticked(older, newer):
        return STILL
    if older.discrete != newer.discrete or older.who != newer.who:
        return "a value changed"
    return "" if holds(older) else "a check did not hold"


def _ticked(older: Seen, newer: Seen) -> float:
    """Seconds by which the unit's own clock went on; 0: it did not, or began anew by more than its 497 days."""
    if older.uptime_s is None or newer.uptime_s is None:
        return 0.0
    return uptime_advance(older.uptime_s, newer.uptime_s, newer.at_s - older.at_s) or 0.0


def stable(window: Window[S], now_s: float, bounds: Bounds) -> Found:
    note = f" ({window.why})" if window.why else ""
    if not window.samples:
        return Found(False, f"no stable sample yet{note}", missing=True)
    oldest, newest = window.samples[0], window.samples[-1]
    span, age = newest.at_s - oldest.at_s, now_s - newest.at_s
    text = f"{len(window.samples)} samples over {span:.0f} s{note}"
    if span <= bounds.stability_s or len(window.samples) < bounds.min_samples:
        return Found(False, text, missing=True)
    if age >= bounds.fresh_s:
        return Found(False, f"{text}, the newest is {age:.0f} s old", missing=True)
    ticked = (newest.uptime_s or 0.0) - (oldest.uptime_s or 0.0)
    # From one sample to the next it went on; so what is less than before has begun anew after its 497 days.
    ticked += WRAP_S if ticked < 0 else 0.0
    if not span / CLOCK_TOLERANCE <= ticked <= span * CLOCK_TOLERANCE:
        # A unit whose own clock does not run with ours is cached, or declares a speed that it does not have.
        return Found(False, f"{text}, but its own clock advanced {ticked:.0f} s")
    return Found(True, text)
