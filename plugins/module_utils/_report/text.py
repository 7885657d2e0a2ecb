# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of devices and inventories, made harmless before they enter a report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless

MAX_TEXT = 300
MAX_SENTENCE = 2000
MAX_HOST = 255


def tidy(value: object, limit: int = MAX_TEXT) -> str | None:
    """A text for a row; None where there is none."""
    if value is None or isinstance(value, (dict, list, tuple, set, bool)):
        return None
    return harmless(value, limit).strip() or None


def host_text(value: object) -> str:
    """An inventory name. Two long names that begin alike stay two names."""
    text = plain(value)
    shown = harmless(text, MAX_HOST)
    if len(shown) == MAX_HOST and shown != text:
        shown = _told_apart(shown, text)
    return shown or "(no name)"


def host_names(values: Iterable[object]) -> dict[str, str]:
    """Name in the inventory -> name in the report. Names that read alike once they are printable stay apart: the one
    that is written so keeps it, each other one gets a mark of its own."""
    shown = {text: host_text(text) for text in map(plain, values)}
    by_name: dict[str, list[str]] = {}
    for text, name in shown.items():
        by_name.setdefault(name, []).append(text)
    for name, texts in by_name.items():
        if len(texts) > 1:
            shown |= {text: _told_apart(name, text) for text in texts if text != name}
    return shown


def plain(value: object) -> str:
    return str.__str__(value) if isinstance(value, str) else str(value)


def _told_apart(shown: str, text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{shown[: MAX_HOST - 10]}…{digest}"


def units_text(number: int) -> str:
    return f"{number} unit" if number == 1 else f"{number} units"
