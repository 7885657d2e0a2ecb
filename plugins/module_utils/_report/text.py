# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of devices and inventories, made harmless before they enter a report. Private to the collection."""

from __future__ import annotations

import hashlib

MAX_TEXT = 300
MAX_SENTENCE = 2000
MAX_HOST = 255


def printable(value: object, limit: int = MAX_SENTENCE) -> str:
    """One line of printable characters: what could move a cursor, turn the direction or break a file is spelled out."""
    text = str.__str__(value) if isinstance(value, str) else str(value)
    # Cut first: the work must not grow with what a device sends.
    cut = text[: limit + 1]
    if not cut.isprintable():
        cut = "".join(char if char.isprintable() else _spelled(char) for char in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"


def _spelled(char: str) -> str:
    if char in "\t\n\r\v\f\x85\u2028\u2029" or char.isspace():
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def tidy(value: object, limit: int = MAX_TEXT) -> str | None:
    """A text for a row; None where there is none."""
    if value is None or isinstance(value, (dict, list, tuple, set, bool)):
        return None
    return printable(value, limit).strip() or None


def host_text(value: object) -> str:
    """An inventory name. Two long names that begin alike stay two names."""
    text = str.__str__(value) if isinstance(value, str) else str(value)
    shown = printable(text, MAX_HOST)
    if len(shown) == MAX_HOST and shown != text:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        shown = f"{shown[: MAX_HOST - 10]}…{digest}"
    return shown or "(no name)"
