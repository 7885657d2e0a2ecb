# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one clock of a run: device seconds (SAFETY 1.7 and 7)."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol

from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import stop_if_asked

# Real seconds: how late a signal may be heeded while nothing is done but waiting.
SLICE_S = 0.2


class Clock(Protocol):
    factor: float

    def now(self) -> float:
        """Device seconds, never going back."""

    def sleep(self, seconds: float) -> None:
        """Waits so many device seconds."""

    def wall(self) -> datetime:
        """The time of day, aware: for evidence and confirmations only."""


def _elapsed() -> float:
    """Seconds that go on while the machine sleeps: a reading from before a suspend must not look fresh."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class DeviceClock:
    """Real time, or for a device that declares itself SIMULATED xN, N times as fast."""

    def __init__(self) -> None:
        self.factor = 1.0
        self._base = 0.0
        self._since = _elapsed()

    def set_factor(self, factor: float) -> None:
        # Time must stay monotonic over the change, or samples taken before it would look newer than they are.
        self._base = self.now()
        self._since = _elapsed()
        self.factor = factor

    def now(self) -> float:
        return self._base + (_elapsed() - self._since) * self.factor

    def sleep(self, seconds: float) -> None:
        """Raises Interrupted where a signal was noted."""
        end = _elapsed() + seconds / self.factor
        while (left := end - _elapsed()) > 0:
            stop_if_asked()
            time.sleep(min(left, SLICE_S))

    def wall(self) -> datetime:
        return datetime.now(timezone.utc)
