# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves on the disk, and what a later run makes of it: whatever is doubtful counts as begun."""

from __future__ import annotations

import errno
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure import evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import (
    Evidence,
    history,
    last_word,
    open_runs,
    unfinished,
)

KEY = "addr-192.0.2.1-161"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
APP = "apc_hw02_g2ats_392.bin"


def begin(folder: Path, run: str, wall: datetime = NOON) -> Evidence:
    return Evidence(folder, run, [KEY], {}, wall)


def leave(folder: Path, run: str, wall: datetime, *records: tuple[str, dict[str, Any]]) -> None:
    kept = begin(folder, run, wall)
    for kind, fields in records:
        kept.write(kind, wall, **fields)
    kept.close()


def open_file(folder: Path) -> Any:
    found = unfinished(history(folder, [KEY]))
    return found and found["run"]


def breaking(monkeypatch: pytest.MonkeyPatch, after: int) -> list[int]:
    """The disk takes so many bytes more, and then none. An empty list: it has room again."""
    room, real = [after], os.write

    def write(handle: int, data: bytes) -> int:
        if not room:
            return real(handle, data)
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = real(handle, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(evidence.os, "write", write)
    return room


# --- torn and damaged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 20, 60])
def test_a_record_that_broke_off_counts_as_begun(after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = begin(tmp_path, "one")
    breaking(monkeypatch, after)
    with pytest.raises(Stop) as stop:
        kept.write("stor_begin", NOON, file=APP)
    assert stop.value.kind == "state" and "No space" in stop.value.message
    assert open_file(tmp_path) == "one"
    assert not any(record["kind"] == "stor_begin" for record in kept.summary), "the summary tells of a lost record"


def test_the_record_behind_a_torn_one_is_not_lost_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = begin(tmp_path, "one")
    room = breaking(monkeypatch, 20)
    with pytest.raises(Stop):
        kept.write("sample", NOON, at_s=1.0)
    room.clear()
    kept.write("stor_begin", NOON, file=APP)
    kinds = [record["kind"] for record in history(tmp_path, [KEY])]
    assert kinds == ["run", "damaged", "stor_begin"]


def test_a_disk_that_takes_a_few_bytes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, real = begin(tmp_path, "one"), os.write
    monkeypatch.setattr(evidence.os, "write", lambda handle, data: real(handle, data[:7]))
    kept.write("stor_begin", NOON, file=APP)
    assert [record["kind"] for record in history(tmp_path, [KEY])] == ["run", "stor_begin"]


@pytest.mark.parametrize(
    "line", [b'{"t": "2026-03', b"\x00\x00\x00\x00", b"\xff\xfe{}", b"[]", b"null", b'{"t": "2026-03-02"}', b'"stor"']
)
@pytest.mark.parametrize("ended", [b"", b"\n"])
def test_a_damaged_line_counts_as_begun(line: bytes, ended: bytes, tmp_path: Path) -> None:
    kept = begin(tmp_path, "one")
    kept.close()
    with kept.path.open("ab") as file:
        file.write(line + ended)
    assert open_file(tmp_path) == "one"
    leave(tmp_path, "two", NOON, ("settled", {"closes": open_runs(history(tmp_path, [KEY]))}))
    assert open_file(tmp_path) is None, "damage that nothing can ever close"


def test_evidence_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / f"20260301T000000Z_{KEY}_old.jsonl").mkdir()
    with pytest.raises(Stop) as stop:
        history(tmp_path, [KEY])
    assert stop.value.kind == "state"


@pytest.mark.parametrize("which", ["open", "fsync"])
def test_evidence_that_cannot_be_begun(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(evidence.os, which, refuse)
    with pytest.raises(Stop) as stop:
        begin(tmp_path, "one")
    assert stop.value.kind == "state" and "Read-only" in stop.value.message


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    assert begin(tmp_path, "one").path.stat().st_mode & 0o777 == 0o600


# --- what closes what ---------------------------------------------------------------------------------------


def test_settled_closes_the_runs_that_it_names_and_no_other(tmp_path: Path) -> None:
    sent: tuple[str, dict[str, Any]] = ("stor_begin", {"file": APP})
    leave(tmp_path, "one", NOON, sent)
    leave(tmp_path, "two", NOON + timedelta(hours=1), ("settled", {"closes": ["two"]}))
    assert open_file(tmp_path) == "one"
    leave(tmp_path, "three", NOON + timedelta(hours=2), ("settled", {}))
    assert open_file(tmp_path) == "one", "a settled that names nothing closes nothing"
    leave(tmp_path, "four", NOON + timedelta(hours=3), ("settled", {"closes": ["one", "four"]}))
    assert open_file(tmp_path) is None
    leave(tmp_path, "five", NOON + timedelta(hours=4), sent)
    assert open_file(tmp_path) == "five"


@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(days=1), timedelta(days=9000)])
def test_a_clock_that_was_set_back_hides_nothing(back: timedelta, tmp_path: Path) -> None:
    leave(tmp_path, "one", NOON, ("stor_begin", {"file": APP}), ("settled", {"closes": ["one"]}))
    leave(tmp_path, "two", NOON - back, ("stor_begin", {"file": APP}))
    assert open_file(tmp_path) == "two"
    leave(tmp_path, "three", NOON - 2 * back, ("settled", {"closes": ["one", "two", "three"]}))
    assert open_file(tmp_path) is None


def test_neither_do_many_later_runs(tmp_path: Path) -> None:
    """A control node without a clock of its own: behind its start the newest runs have the oldest names."""
    for number in range(250):
        wall = NOON + timedelta(hours=number)
        (tmp_path / f"{wall:%Y%m%dT%H%M%SZ}_{KEY}_r{number}.jsonl").write_text('{"kind": "run", "t": ""}\n')
    leave(tmp_path, "new", NOON - timedelta(days=9000), ("stor_begin", {"file": APP}))
    assert open_file(tmp_path) == "new"


@pytest.mark.parametrize(
    ("kind", "fields", "is_open"),
    [
        ("stor_cut", {"never_begun": True}, False),
        ("stor_failed", {"never_begun": True}, False),
        ("stor_cut", {"never_begun": False}, True),
        ("stor_failed", {"never_begun": False, "bytes": 0}, True),
        ("stor_cut", {"bytes": 0}, True),
        ("stor_cut", {"never_begun": "true"}, True),
        ("stor_end", {}, True),
        ("end", {"state": "nothing_sent"}, True),
    ],
)
def test_only_a_file_that_was_never_begun_leaves_nothing_open(
    kind: str, fields: dict[str, Any], is_open: bool, tmp_path: Path
) -> None:
    leave(tmp_path, "one", NOON, ("stor_begin", {"file": APP}), (kind, {"file": APP, **fields}))
    assert (open_file(tmp_path) == "one") is is_open


def test_a_second_file_that_was_never_begun_does_not_close_the_first(tmp_path: Path) -> None:
    """Never_begun is written only of the run's first file; the record of another run touches this one not at all."""
    leave(tmp_path, "one", NOON, ("stor_begin", {"file": APP}))
    leave(tmp_path, "two", NOON, ("stor_begin", {"file": APP}), ("stor_cut", {"never_begun": True}))
    assert open_file(tmp_path) == "one"


def test_another_units_evidence_is_not_this_ones(tmp_path: Path) -> None:
    Evidence(tmp_path, "one", ["addr-192.0.2.11-161"], {}, NOON).write("stor_begin", NOON, file=APP)
    assert history(tmp_path, [KEY]) == []


# --- the last word ------------------------------------------------------------------------------------------


def test_the_latest_word_counts_wherever_it_stands() -> None:
    records = [
        {"kind": "permission_reconnect", "t": "2026-03-02T13:00:00+00:00"},
        {"kind": "end", "state": "aos_new_old_app", "t": "2026-03-02T12:30:00+00:00"},
        {"kind": "permission_load", "t": "no time at all"},
        {"kind": "end", "state": "settled", "t": "2026-03-02T15:00:00+00:00"},
        {"kind": "permission_disconnect", "t": "2026-03-02T15:00:00+00:00"},
    ]
    assert last_word(records, ["aos_new_old_app"]) == datetime(2026, 3, 2, 13, tzinfo=timezone.utc)
    assert last_word(records[1:], ["aos_new_old_app"]) == datetime(2026, 3, 2, 12, 30, tzinfo=timezone.utc)
    assert last_word(records[2:], ["aos_new_old_app"]) is None


def test_a_record_is_one_line_whatever_the_device_says(tmp_path: Path) -> None:
    kept = begin(tmp_path, "one")
    kept.write("sample", NOON, name='a\nb\u2028{"kind": "settled", "closes": ["one"]}\n')
    kept.write("stor_begin", NOON, file=APP)
    assert [json.loads(line)["kind"] for line in kept.path.read_text().splitlines()] == ["run", "sample", "stor_begin"]
    assert open_file(tmp_path) == "one"
