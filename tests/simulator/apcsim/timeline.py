# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event queue: what is due happens at its exact time, in order; nothing ticks."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any


class Timeline:
    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, time_s: float, call: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (max(time_s, self.now), self._count, call, args))

    def after(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        self.at(self.now + delay_s, call, *args)

    def drop(self, owners: Iterable[object]) -> None:
        """What these would have done is void."""
        gone = {id(owner) for owner in owners}
        self._heap = [entry for entry in self._heap if id(getattr(entry[2], "__self__", None)) not in gone]
        heapq.heapify(self._heap)

    def advance(self, to_s: float) -> None:
        while self._heap and self._heap[0][0] <= to_s:  # a call may put another heap in its place
            time_s, _unused, call, args = heapq.heappop(self._heap)
            self.now = max(self.now, time_s)
            call(*args)
        if to_s > self.now:
            self.now = to_s
