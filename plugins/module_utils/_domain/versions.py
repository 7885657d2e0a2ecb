# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firmware versions of management cards.

Two spellings exist: with dots (``v3.7.4``, ``v2.5.0.8``, ``v3.0.9.a``) in sysDescr, and as digits in file names
(``392`` = 3.9.2, ``669b`` = 6.6.9.b; from NMC3 on the dots stay in the file name).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

# Everything here may come from the network, so lengths are bounded before any regular expression looks at it.
_MAX_TEXT = 40
_DOTTED = re.compile(r"[vV]?([0-9]{1,5}(?:\.[0-9]{1,5}){1,5})(?:\.?([a-zA-Z]))?")
# One digit per part is the vendor's rule for names without dots. Only three were ever seen; two and four are read by
# the same rule, more would be a guess.
_DIGITS = re.compile(r"([0-9]{2,4})([a-zA-Z])?")


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A version that compares by number: 3.9.10 > 3.9.9, 3.9 == 3.9.0, 3.0.9.a > 3.0.9."""

    parts: tuple[int, ...]
    suffix: str = ""

    @classmethod
    def parse(cls, text: object) -> Version | None:
        """Reads a dotted version; None for anything that is not one."""
        match = _DOTTED.fullmatch(_clean(text))
        if match is None:
            return None
        return cls(tuple(int(part) for part in match.group(1).split(".")), (match.group(2) or "").lower())

    @classmethod
    def from_digits(cls, text: object) -> Version | None:
        """Reads the version of a file name: ``392``, ``669b``, or with the dots kept ``2.5.0.8``."""
        cleaned = _clean(text)
        if "." in cleaned:
            return cls.parse(cleaned) if cleaned[0] in "0123456789" else None
        match = _DIGITS.fullmatch(cleaned)
        if match is None:
            return None
        return cls(tuple(int(digit) for digit in match.group(1)), (match.group(2) or "").lower())

    @property
    def _key(self) -> tuple[tuple[int, ...], str]:
        # Without trailing zeros, so that a missing part counts as 0.
        parts = self.parts
        while parts and parts[-1] == 0:
            parts = parts[:-1]
        return parts, self.suffix

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._key < other._key if isinstance(other, Version) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        return ".".join(str(part) for part in self.parts) + (f".{self.suffix}" if self.suffix else "")


def _clean(text: object) -> str:
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        return ""
    # Only the blanks seen in real sysDescr texts; other white space is not a version's business.
    return text.strip(" \t\r\n\0")
