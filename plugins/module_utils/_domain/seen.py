# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every reading of a unit shows, whatever the unit is, and the bounds it is held against (SAFETY 3 "stable", 7).

All times are device seconds of the run's one clock.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity

# SAFETY 3: over > 30 s (FA156201) and at least 8 samples; 15 s after any observed change.
STABILITY_FLOOR_S = 30.0
# An option's ceiling, since the app's last block is held back for as long (SAFETY 4.4); a mere watch may be longer.
STABILITY_CEILING_S = 120.0
MIN_SAMPLES = 8
CHANGE_HOLD_S = 15.0
FRESH_S = 5.0
MAX_POLL_S = 3.0


class Seen(Protocol):
    """One reading of a unit. ``at_s`` is when it began: a value is never taken for younger than it is.

    ``answered`` False: the card did not answer in time, nothing else in the reading means anything, and ``error`` says
    why. ``uptime_s``: the card's own clock.
    """

    @property
    def at_s(self) -> float: ...

    @property
    def answered(self) -> bool: ...

    @property
    def error(self) -> str: ...

    @property
    def uptime_s(self) -> float | None: ...

    @property
    def identity(self) -> CardIdentity: ...

    @property
    def name(self) -> str | None: ...

    @property
    def addresses(self) -> tuple[str, ...]: ...

    @property
    def unit_serial(self) -> str | None:
        """The serial of what the card sits in, not the card's own."""

    @property
    def unit_model(self) -> str | None:
        """The model as the unit tells it, where the card would call itself the same; else None."""

    @property
    def discrete(self) -> Hashable:
        """The required discrete values: a change in one of them is "an observed change"."""

    @property
    def who(self) -> Hashable:
        """What must stay the same while one unit is being watched."""

    @property
    def watched(self) -> Hashable:
        """What ends a watch when it changes: for an ATS its controller's communication and revision."""


@dataclass(frozen=True)
class Bounds:
    """Floors of SAFETY; options may raise ``stability_s``. A simulated unit's factor widens only freshness and gap."""

    stability_s: float = STABILITY_FLOOR_S
    fresh_s: float = FRESH_S
    gap_s: float = FRESH_S
    min_samples: int = MIN_SAMPLES
    change_hold_s: float = CHANGE_HOLD_S

    @classmethod
    def for_factor(cls, factor: float, stability_s: float = STABILITY_FLOOR_S) -> Bounds:
        # max(5 s / factor, 1 s real), in device seconds: one real second is ``factor`` device seconds.
        fresh = max(FRESH_S, factor) if factor > 1 else FRESH_S
        return cls(stability_s=max(stability_s, STABILITY_FLOOR_S), fresh_s=fresh, gap_s=fresh)


@dataclass(frozen=True)
class Watch:
    """Since when all that is ``watched``, and the unit's own clock, were seen without a break."""

    now_s: float
    uptime_s: float | None
    unbroken_since_s: float | None

    @property
    def unbroken_s(self) -> float:
        return 0.0 if self.unbroken_since_s is None else max(0.0, self.now_s - self.unbroken_since_s)
