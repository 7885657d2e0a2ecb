# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A verdict and the checks that it consists of: the same for every unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

# Only time is missing: they come about by waiting.
TIMED = frozenset({"stable", "controller_quiet"})


@dataclass(frozen=True)
class Found:
    """``missing``: it fails only because something could not be read, not because something read bad."""

    ok: bool
    observed: str
    missing: bool = False


@dataclass(frozen=True)
class Check:
    """``pending``: the operator's next action, or time, brings it about. ``missing``: not read, rather than bad."""

    id: str
    ok: bool
    observed: str
    pending: bool = False
    missing: bool = False
    expected: str = ""

    @property
    def reason(self) -> str:
        return f"{self.id}: {self.observed} (wanted: {self.expected})"

    def to_result(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "ok": self.ok,
            "pending": self.pending,
            "expected": self.expected,
            "observed": self.observed,
        }


@dataclass(frozen=True)
class Verdict:
    """``permitted``: what was asked about may be done now. ``ready``: nothing but pending checks is left.

    ``method``: the column of SAFETY 3 that it is by; None where there is only one.
    ``stable_since_s``: when the stability window that the verdict rests on begins, in device seconds.
    """

    method: Enum | None
    checks: tuple[Check, ...]
    stable_since_s: float | None = None

    @property
    def permitted(self) -> bool:
        # An empty list of checks proves nothing.
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def ready(self) -> bool:
        return bool(self.checks) and all(check.ok or (check.pending and check.id not in TIMED) for check in self.checks)

    @property
    def failing(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)

    @property
    def blocking(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok and not check.pending)

    @property
    def contradicted(self) -> tuple[Check, ...]:
        """Failing by what was read; the rest fails for want of a reading or of time."""
        return tuple(check for check in self.failing if not check.missing and check.id not in TIMED)

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(check.reason for check in self.failing)

    @property
    def refusal(self) -> str:
        """For a person: what was read to be bad; where nothing was, what is still missing."""
        return "; ".join(check.reason for check in self.contradicted or self.failing)

    def check(self, name: str) -> Check | None:
        return next((check for check in self.checks if check.id == name), None)

    def to_result(self) -> dict[str, Any]:
        by_method = {} if self.method is None else {"ready": self.ready, "method": self.method.value}
        return {
            "permitted": self.permitted,
            **by_method,
            "checks": [check.to_result() for check in self.checks],
            "reasons": list(self.reasons),
        }
