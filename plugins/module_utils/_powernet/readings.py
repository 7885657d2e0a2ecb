# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From one raw value of a device to one reading, or to text. Total: nothing a device says raises.

Readings are shared constants wherever possible: polling decodes thousands of states.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless_bytes
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading, known, not_fitted, unknown
from ansible_collections.dcops.apc.plugins.module_utils._powernet.fields import Decode
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import RawValue

E = TypeVar("E", bound=Enum)

MAX_TEXT = 255
# -1 means "unsupported" in every object of this maker [V].
UNSUPPORTED = -1

ABSENT: Reading[Any] = not_fitted("the unit does not answer this object")
UNFITTED: Reading[Any] = not_fitted("the unit reads -1")
UNFITTED_SUPPLY: Reading[Any] = not_fitted("the unit reads 0: not available")
EMPTY_TEXT: Reading[str] = unknown("the unit reads an empty text")

_SMALL: tuple[Reading[int], ...] = tuple(known(number) for number in range(4096))
_TENTHS: tuple[Reading[float], ...] = tuple(known(number / 10) for number in range(1024))


def choices(enum: type[E]) -> dict[RawValue, Reading[E]]:
    """What an object with this enum may read; anything else is odd()."""
    table: dict[RawValue, Reading[E]] = {member.value: known(member) for member in enum}
    table[UNSUPPORTED] = UNFITTED
    return table


def one_of(table: Mapping[RawValue, Reading[Any]]) -> Decode:
    def decode(value: RawValue | None, absent: Reading[Any]) -> Reading[Any]:
        return absent if value is None else table.get(value) or odd(value)

    return decode


def word_of(enum: type[Enum]) -> Decode:
    return one_of(choices(enum))


def quantity(most: int) -> Decode:
    """See ``number``."""

    def decode(value: RawValue | None, absent: Reading[Any]) -> Reading[int]:
        return number(value, most, absent)

    return decode


def quantity_in_tenths(most: int) -> Decode:
    """See ``tenths``."""

    def decode(value: RawValue | None, absent: Reading[Any]) -> Reading[float]:
        return tenths(value, most, absent)

    return decode


def plain_text(value: RawValue | None, _absent: Reading[Any]) -> str | None:
    return text(value)


def number(value: RawValue | None, most: int, absent: Reading[Any]) -> Reading[int]:
    """A quantity between 0 and ``most``; a negative or absurd one is no measurement."""
    if value is None:
        return absent
    if isinstance(value, int):
        if 0 <= value <= most:
            return _SMALL[value] if value < 4096 else known(value)
        if value == UNSUPPORTED:
            return UNFITTED
    return odd(value)


def tenths(value: RawValue | None, most: int, absent: Reading[Any]) -> Reading[float]:
    """A quantity that the object gives in tenths."""
    if value is None:
        return absent
    if isinstance(value, int):
        if 0 <= value <= 10 * most:
            return _TENTHS[value] if value < 1024 else known(value / 10)
        if value == UNSUPPORTED:
            return UNFITTED
    return odd(value)


def odd(value: RawValue) -> Reading[Any]:
    if isinstance(value, bytes):
        return unknown(f"the unit reads the text {(text(value) or '')[:40]!r}")
    if isinstance(value, int):
        # Printing a number of some thousand digits raises.
        return unknown(f"the unit reads {value}" if -(2**63) < value < 2**64 else "the unit reads an absurd number")
    return unknown("the unit reads an object identifier")


def text(value: RawValue | None) -> str | None:
    """Device text, bounded, what is not printable spelled out; None where there is none."""
    return _text(value) if isinstance(value, bytes) else None


def text_reading(value: RawValue | None, absent: Reading[Any]) -> Reading[str]:
    if value is None:
        return absent
    if not isinstance(value, bytes):
        return odd(value)
    found = _text(value)
    return known(found) if found else EMPTY_TEXT


@lru_cache(maxsize=512)
def _text(value: bytes) -> str | None:
    return harmless_bytes(value, MAX_TEXT).strip() or None


def spelled(value: RawValue | None, limit: int = MAX_TEXT) -> str | None:
    """Device text by which a product or a version is told."""
    if not isinstance(value, bytes):
        return None
    decoded = harmless_bytes(value, limit)
    return decoded if decoded.strip() else None
