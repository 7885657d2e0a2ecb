# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watching an ATS: what only an ATS shows beside what every unit does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading, unknown
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import Observer


def _silent(at_s: float, why: str) -> Sample:
    return Sample(at_s, False, error=why)


class AtsObserver(Observer[Sample]):
    """Also remembers which objects the unit has shown, and when the load moved."""

    def __init__(self, clock: Clock, read: Callable[[], Sample], poll_s: float, bounds: Bounds) -> None:
        super().__init__(clock, read, _silent, poll_s, bounds)
        self.transferred_s: float | None = None
        self._shown: set[str] = set()

    def _follow(self, before: Sample | None, sample: Sample) -> None:
        super()._follow(before, sample)
        if before is None:
            return
        selected, old = sample.ats.selected_source, before.ats.selected_source
        if selected.known and old.known and selected != old:
            self.transferred_s = sample.at_s

    def _take(self) -> Sample:
        """An object that this unit has shown in this run and now does not show is unknown, not "not fitted"."""
        sample = super()._take()
        if not sample.app_answers:
            return sample
        ats = sample.ats
        found: dict[str, Reading[Any]] = {
            "over_current": ats.over_current,
            "preferred_source": ats.settings.preferred_source,
            "bank_rows": ats.load.bank_rows,
        }
        gone = [name for name, reading in found.items() if not reading.fitted and name in self._shown]
        self._shown.update(name for name, reading in found.items() if reading.known)
        if not gone:
            return sample
        lost: Reading[Any] = unknown("it answered before and does not now")
        changes: dict[str, Any] = {}
        if "over_current" in gone:
            changes["over_current"] = lost
        if "preferred_source" in gone:
            changes["settings"] = replace(ats.settings, preferred_source=lost)
        if "bank_rows" in gone:
            changes["load"] = replace(ats.load, bank_rows=lost)
        return replace(sample, ats=replace(ats, **changes))
