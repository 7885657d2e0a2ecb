# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reading is known, not fitted or unknown; only a known one may count as proof (SAFETY 1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Kind(Enum):
    KNOWN = "known"
    NOT_FITTED = "not_fitted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One value of the device. ``why`` says, for a person, why there is none."""

    kind: Kind
    value: T | None = None
    why: str = ""

    @property
    def known(self) -> bool:
        return self.kind is Kind.KNOWN

    @property
    def fitted(self) -> bool:
        return self.kind is not Kind.NOT_FITTED

    def is_(self, value: T) -> bool:
        """True only for a known reading that equals ``value``: unknown is never a yes."""
        return self.kind is Kind.KNOWN and self.value == value

    def or_none(self) -> T | None:
        return self.value if self.kind is Kind.KNOWN else None

    def shown(self, unit: str = "") -> str:
        if self.kind is Kind.KNOWN:
            value: object = self.value
            if isinstance(value, Enum):
                # A source is called A or B everywhere; every other word is lower-case.
                value = value.name if len(value.name) == 1 else value.name.lower().replace("_", " ")
            return f"{value} {unit}".strip()
        if self.kind is Kind.NOT_FITTED:
            return "not fitted"
        return f"unknown ({self.why})" if self.why else "unknown"


def known(value: T) -> Reading[T]:
    return Reading(Kind.KNOWN, value)


def not_fitted(why: str = "") -> Reading[T]:
    return Reading(Kind.NOT_FITTED, None, why)


def unknown(why: str = "") -> Reading[T]:
    return Reading(Kind.UNKNOWN, None, why)
