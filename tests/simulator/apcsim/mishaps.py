# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong for good: with its cause, its time, and who did what at that moment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

DAMAGED, DROPPED, KILLED = "damaged", "dropped", "killed"


class Mishap(NamedTuple):
    what: str  # "damaged" the unit, "dropped" the load, "killed" the controller
    cause: str
    time_s: float
    by: str  # "hand", "feed", "fault <name>", or "device": nobody did anything at this moment
    serial: str


class Mishaps:
    """They outlive the unit that they happened to: another behind the address does not undo them."""

    def __init__(self) -> None:
        self.all: list[Mishap] = []
        self.doing = "device"

    def add(self, what: str, cause: str, time_s: float, serial: str) -> None:
        self.all.append(Mishap(what, cause, round(time_s, 3), self.doing, serial))

    @contextlib.contextmanager
    def by(self, who: str) -> Iterator[None]:
        """The outermost is to blame: a fault that patches is the fault."""
        before = self.doing
        self.doing = who if before == "device" else before
        try:
            yield
        finally:
            self.doing = before

    def first(self, what: str) -> Mishap | None:
        return next((mishap for mishap in self.all if mishap.what == what), None)
