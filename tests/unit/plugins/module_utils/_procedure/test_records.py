# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is no record that a run has written is found where it is read, and by no reader behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure.records import plain_object, record_in, writable

WHOLE: dict[str, Any] = {
    "t": "2026-03-02T12:00:00.000+00:00",
    "kind": "run",
    "keys": ["addr-192.0.2.1-161", "ats-5A1511T00001"],
    "unit": {"ats_serial": "5A1511T00001"},
    "uptime_s": None,
    "permit": 3,
    "name": "ü\u2028\U0001f50c",
}


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _level in range(levels):
        found = [found]
    return found


def test_what_a_run_writes_is_read() -> None:
    assert record_in(json.dumps(WHOLE)) == WHOLE and record_in(json.dumps(WHOLE, ensure_ascii=False)) == WHOLE
    assert record_in('{"kind": "end", "n": true, "digest": ["x"], "state": 5}'), "of these each reader thinks itself"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 7},
        {"kind": None},
        {"t": 5},
        {"keys": 5},
        {"keys": "addr-x"},
        {"keys": [5]},
        {"keys": ["../../etc/passwd"]},
        {"keys": ["ats-\x00"]},
        {"keys": None},
        {"unit": []},
        {"closes": 5},
        {"closes": None},
        {"closes": [[]]},
        {"rows": {"a": 1}},
        {"starts": [1]},
        {"ended": "x"},
        {"lines": [None]},
        {"wanted": "A"},
        {"uptime_s": "3"},
        {"uptime_s": 10**400},
        {"uptime_s": float("nan")},
        {"uptime_s": float("inf")},
        {"name": "\ud800"},
        {"\udfff": 1},
        {"name": nested(30)},
        {"name": nested(900)},
    ],
    ids=lambda change: str(change)[:30].encode("ascii", "replace").decode(),
)
def test_what_no_run_writes_is_no_record(change: dict[str, Any]) -> None:
    assert record_in(json.dumps(WHOLE | change)) == {}


@pytest.mark.parametrize("kind", ["permit", "sending"])
def test_what_a_kind_has_to_hold(kind: str) -> None:
    event: Any = {"what": "deed"} if kind == "permit" else "agree"
    assert record_in(json.dumps({"kind": kind, kind: {}, "event": event}))
    for wrong in ({kind: 5}, {kind: {}, "event": 5}, {kind: {}, "event": None}):
        assert record_in(json.dumps({"kind": kind, "event": event} | wrong)) == {}


@pytest.mark.parametrize("data", [b"\xff\xfe{}", '{"a": "\ud800"}'.encode("utf-16", "surrogatepass"), b"[]", b"", b"{"])
def test_bytes_that_are_no_object(data: bytes) -> None:
    assert plain_object(data) == {}


def test_half_a_character_of_a_device_does_not_damage_our_own_record() -> None:
    assert record_in(json.dumps(writable({"kind": "sample", "name": "a\ud800b"}))) == {"kind": "sample", "name": "a?b"}
