# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a line of a file must be to be read as a record: looked at once, so that no reader meets a value of a kind that
no run has written. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

# As state.key_of makes them: a key becomes a file's name.
_KEY = re.compile(r"[A-Za-z0-9]+-[A-Za-z0-9.-]{1,80}")
# Deeper than anything that is written; deep enough, a value breaks the one who prints it.
_MAX_DEPTH = 24
_MAX_NUMBER = 1e15


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and -_MAX_NUMBER < value < _MAX_NUMBER)


def is_keys(value: Any) -> bool:
    return _texts(value) and all(_KEY.fullmatch(item) for item in value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


# What the readers of evidence take for granted, by field; and by field in records of one kind.
FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "t": _text,
    "keys": is_keys,
    "unit": _mapping,
    "closes": _texts,
    "rows": _texts,
    "starts": _texts,
    "ended": _texts,
    "lines": _texts,
    "wanted": lambda value: isinstance(value, list),
    "uptime_s": _number,
}
OF_KIND: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "permit": {"event": _mapping, "permit": _mapping},
    "sending": {"event": _text, "sending": _mapping},
}


def plain_object(data: bytes | str) -> dict[str, Any]:
    """Empty: it is no JSON object, or one that could not be shown again."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        found = json.loads(text)
        if not isinstance(found, dict) or _too_deep(found, _MAX_DEPTH):
            return {}
        if "\\ud" in text.lower():
            # Half a pair of surrogates is a text for JSON and for nothing else.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    return found


def _too_deep(value: Any, left: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(_too_deep(item, left - 1) for item in inner if isinstance(item, (dict, list)))


def record_in(line: str) -> dict[str, Any]:
    """Empty: it is no record that a run has written."""
    record = plain_object(line)
    kind = record.get("kind")
    if not isinstance(kind, str):
        return {}
    wanted = {**FIELDS, **OF_KIND.get(kind, {})}
    return record if all(fits(record[name]) for name, fits in wanted.items() if name in record) else {}


def writable(record: Mapping[str, Any]) -> dict[str, Any]:
    """As a reader will find it, whatever the fields were in memory."""
    text = json.dumps(record, default=str, ensure_ascii=False)
    found: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
    return found
