# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals at a virtual time: the handlers that are installed then are called, two of them back to back."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any

from apcsim.virtual import VirtualClock


class Died(BaseException):
    """The default action of a signal: the process is gone. Nothing in the code under test may handle it."""


def deliver(*numbers: int, frame: FrameType | None = None) -> None:
    """The second comes before anybody could handle what the first raised, as Ansible's Ctrl-C does it."""
    if not numbers:
        return
    try:
        _one(numbers[0], frame)
    finally:
        deliver(*numbers[1:], frame=frame)


def _one(number: int, frame: FrameType | None) -> None:
    handler: Any = signal.getsignal(number)
    if handler == signal.SIG_IGN:
        return
    if callable(handler) and handler != signal.SIG_DFL:
        handler(number, frame)
        return
    raise Died(signal.Signals(number).name)


class Signals:
    """``at``: once each, at the first moment of the virtual clock that is not before it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._due: list[tuple[float, tuple[int, ...]]] = []
        self.delivered: list[tuple[float, tuple[int, ...]]] = []
        clock.on_sleep.append(self._live)

    def at(self, time_s: float, numbers: Iterable[int]) -> None:
        self._due.append((time_s, tuple(numbers)))
        self._due.sort()

    def leave(self) -> None:
        self._clock.on_sleep.remove(self._live)

    def _live(self, now_s: float) -> None:
        while self._due and self._due[0][0] <= now_s:
            _time, numbers = self._due.pop(0)
            self.delivered.append((now_s, numbers))
            deliver(*numbers)
