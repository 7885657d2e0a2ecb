# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where foreign text (of a device, a file, an inventory, a server) is made harmless for people.

What could move a cursor, turn the direction, forge a line or not be encoded is spelled out, never removed: two halves
could join to something that nobody wrote.
"""

from __future__ import annotations

_LINE_ENDS = "\t\n\r\v\f\x85\u2028\u2029"


def harmless(value: object, limit: int = 2000, keep: str = "") -> str:
    """At most ``limit`` printable characters, a longer text ending in "…". Line ends and other blanks become spaces,
    but for those in ``keep``."""
    text = str.__str__(value) if isinstance(value, str) else str(value)
    # Cut first: the work must not grow with what a device sends.
    cut = text[: limit + 1]
    if not cut.isprintable():
        cut = "".join(char if char.isprintable() or char in keep else _spelled(char) for char in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"


def one_line(text: str, limit: int = 200) -> str:
    """The same, with runs of blanks as one space."""
    # More is looked at than may be kept: blanks fall together.
    return harmless(" ".join(text[: 4 * limit].split()), limit)


def harmless_bytes(value: bytes, limit: int) -> str:
    """Of any encoding, cut at ``limit`` without a mark; padding behind the text (NUL) goes. Empty: nothing readable."""
    value = value[: 4 * limit]
    head, _nul, padding = value.partition(b"\0")
    if not padding.strip(b"\0 "):
        value = head
    try:
        decoded = value.decode("utf-8")
    except UnicodeDecodeError:
        decoded = value.decode("latin-1")
    # A text of nothing but control characters says nothing.
    if not any(char.isprintable() and not char.isspace() for char in decoded):
        return ""
    return harmless(decoded, 4 * limit)[:limit]


def _spelled(char: str) -> str:
    if char in _LINE_ENDS or char.isspace():
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
