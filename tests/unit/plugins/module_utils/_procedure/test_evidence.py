# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves on the disk, and what a later run makes of it: whatever is doubtful counts as begun."""

from __future__ import annotations

import errno
import json
import os
import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure import evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.chain import from_the_future
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import (
    Closing,
    Evidence,
    chain,
    history,
    is_fresh,
    last_word,
    open_records,
    open_runs,
    related_keys,
    unfinished,
    who,
)
from ansible_collections.dcops.apc.plugins.module_utils._report.version import VERSION

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


# --- what is open, of whatever kind ---------------------------------------------------------------------------------


def rows(*texts: str) -> list[dict[str, Any]]:
    """``run kind`` or ``run kind closes,closes``."""
    return [
        {"run": run, "kind": kind, "closes": closes[0].split(",") if closes else []}
        for run, kind, *closes in map(str.split, texts)
    ]


def left(*texts: str) -> list[str]:
    found = open_records(
        rows(*texts),
        lambda record, before: record["kind"] in ("begun", "damaged"),
        lambda record: Closing(frozenset(record["closes"]), record["kind"] == "over"),
    )
    return [f"{record['run']} {record['kind']}" for record in found]


def test_what_begins_is_open_until_it_is_closed() -> None:
    assert left() == [] and left("a begun") == ["a begun"] and left("a begun", "b other") == ["a begun"]
    assert left("a begun", "b begun") == ["a begun", "b begun"]
    assert left("a begun", "b end a") == [] and left("a begun", "b begun", "b end a") == ["b begun"]


def test_a_damaged_record_counts_as_begun() -> None:
    assert left("a damaged") == ["a damaged"] and left("a damaged", "b end a") == []


def test_a_run_is_closed_for_good_wherever_the_end_stands() -> None:
    """By the runs' names: a clock that was set back puts the end before what it closes."""
    assert left("b end a", "a begun") == [] and left("b end a", "a begun", "c begun") == ["c begun"]


def test_a_run_closes_its_own_only_up_to_here() -> None:
    assert left("a begun", "a over") == [] and left("a begun", "a over", "a begun") == ["a begun"]
    assert left("a begun", "b over") == ["a begun"], "another run's own is not this one's"


def test_the_newest_of_a_run_is_the_one_that_is_open() -> None:
    found = open_records(
        [{"run": "a", "kind": "begun", "n": n} for n in range(3)], lambda record, before: True, lambda record: Closing()
    )
    assert [record["n"] for record in found] == [2]
    kept = open_records(
        [{"run": "a", "kind": "begun", "n": n} for n in range(3)],
        lambda record, before: before is None,
        lambda record: Closing(),
    )
    assert [record["n"] for record in kept] == [0]


# --- the chain ----------------------------------------------------------------------------------------------


def three_runs(folder: Path) -> None:
    for number, run in enumerate(("one", "two", "three")):
        # The clock goes back from run to run: names sort against the order in which they were made.
        leave(folder, run, NOON - timedelta(days=number), ("sample", {"at_s": 0.1}), ("end", {"state": "settled"}))


def path_of(folder: Path, run: str) -> Path:
    (path,) = folder.glob(f"*_{run}.jsonl")
    return path


def test_a_units_records_are_numbered_over_its_runs_and_chained(tmp_path: Path) -> None:
    three_runs(tmp_path)
    records = history(tmp_path, [KEY])
    assert [record["n"] for record in records] == list(range(1, 10))
    assert [record["run"] for record in records] == ["one"] * 3 + ["two"] * 3 + ["three"] * 3
    assert records[0]["prev"] == "" and records[3]["prev"] == records[2]["digest"]
    assert chain(records) == []


def test_the_number_goes_on_from_every_name_that_the_unit_is_known_by(tmp_path: Path) -> None:
    for run, keys in (("a", ["addr-x", "ats-1"]), ("b", ["addr-y", "ats-1"]), ("c", ["addr-x", "card-7"])):
        Evidence(tmp_path, run, keys, {}, NOON).close()
    assert [record["n"] for record in history(tmp_path, ["addr-x"])] == [1, 2]
    last = Evidence(tmp_path, "d", ["addr-y", "ats-1"], {}, NOON)
    last.write("end", NOON)
    assert [record["n"] for record in history(tmp_path, ["addr-y", "ats-1"])] == [1, 2, 3, 4]
    assert related_keys(tmp_path, ["addr-y"]) == ["addr-x", "addr-y", "ats-1", "card-7"]
    assert chain(history(tmp_path, related_keys(tmp_path, ["addr-y"]))) == []


@pytest.mark.parametrize(
    ("what", "run", "line", "why"),
    [
        ("change", "two", 2, "does not fit"),
        ("drop", "two", 2, "records are missing"),
        ("first", "two", 1, "first record"),
        ("file", "three", 1, "is missing or was changed"),
        ("damage", "two", 2, "cannot be read"),
        ("end", "three", 1, "is missing or was changed"),
        ("rename", "two", 1, "does not fit"),
    ],
)
def test_where_the_chain_breaks(what: str, run: str, line: int, why: str, tmp_path: Path) -> None:
    three_runs(tmp_path)
    path = path_of(tmp_path, "two")
    lines = path.read_text().splitlines(keepends=True)
    if what == "change":
        lines[1] = lines[1].replace("0.1", "0.2")
    elif what == "damage":
        lines[1] = lines[1][:20] + "\n"
    elif what != "file":
        del lines[{"drop": 1, "first": 0, "end": 2}.get(what, 3) : {"drop": 2, "first": 1}.get(what)]
    if what == "file":
        path.unlink()
    else:
        path.write_text("".join(lines))
    if what == "rename":
        run = "other"
        path.rename(path.with_name(path.name.replace("_two.", "_other.")))
    found = chain(history(tmp_path, [KEY]))
    assert found, "nobody sees it"
    first = found[0]
    assert (first.file.rsplit("_", 1)[-1], first.line) == (f"{run}.jsonl", line) and why in first.why


def test_a_torn_record_is_told_and_the_next_one_still_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = begin(tmp_path, "one")
    room = breaking(monkeypatch, 20)
    with pytest.raises(Stop):
        kept.write("sample", NOON, at_s=1.0)
    room.clear()
    kept.write("end", NOON, state="settled")
    (found,) = chain(history(tmp_path, [KEY]))
    assert found.line == 2 and "cannot be read" in found.why
    leave(tmp_path, "two", NOON)
    assert len(chain(history(tmp_path, [KEY]))) == 1


@pytest.mark.parametrize("lost", ["the end of the line", "the disk's word"])
def test_a_record_that_is_whole_counts_though_its_writing_failed(
    lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, real, sync = begin(tmp_path, "one"), os.write, os.fsync

    def write(handle: int, data: bytes) -> int:
        if data == b"\n":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:-1] if len(data) > 1 else data)

    def refuse(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(evidence.os, *(("write", write) if lost == "the end of the line" else ("fsync", refuse)))
    with pytest.raises(Stop):
        kept.write("sample", NOON, at_s=1.0)
    monkeypatch.setattr(evidence.os, "write", real)
    monkeypatch.setattr(evidence.os, "fsync", sync)
    kept.write("end", NOON, state="settled")
    records = history(tmp_path, [KEY])
    assert [record["kind"] for record in records] == ["run", "sample", "end"] and chain(records) == []


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"kind": 7}', '{"kind": "end", "n": true}', '{"kind": "end", "n": -5}']
)
def test_nothing_in_a_file_stops_its_reader(line: str, tmp_path: Path) -> None:
    leave(tmp_path, "one", NOON)
    with path_of(tmp_path, "one").open("a") as file:
        file.write(line + "\n")
    assert len(history(tmp_path, [KEY])) == 2 and len(chain(history(tmp_path, [KEY]))) == 1
    leave(tmp_path, "two", NOON)
    assert history(tmp_path, [KEY])[-1]["n"] == 2


def test_values_that_json_changes_do_not_break_the_chain(tmp_path: Path) -> None:
    kept = begin(tmp_path, "one")
    kept.write("sample", NOON, path=tmp_path, some=(1, 2), numbers={1: 0.1, 2: 1e300}, odd=float("nan"), name="ü\u2028")
    assert chain(history(tmp_path, [KEY])) == []


def test_the_head_says_who_where_and_with_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWX_JOB_ID", "TOWER_JOB_ID", "AWX_HOST", "AWX_ISOLATED_DATA_DIR", "AWX_PRIVATE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JOB_ID", "4\x1b[2J" + "1" * 100)
    assert "awx_job" not in who(), "another scheduler's number"
    monkeypatch.setenv("AWX_HOST", "https://awx.example")
    head = history(tmp_path, [KEY]) or [json.loads(begin(tmp_path, "one").path.read_text())]
    assert head[0]["who"]["user"] and head[0]["who"]["awx_job"].startswith("4 [2J1") and "\x1b" not in str(head)
    assert len(head[0]["who"]["awx_job"]) <= 64
    assert head[0]["controller"] == socket.gethostname() and head[0]["pid"] == os.getpid()
    assert head[0]["collection"] == VERSION


def test_a_user_that_the_container_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(evidence.getpass, "getuser", unknown)
    assert who()["user"] == f"uid {os.getuid()}"


# --- clocks that were wrong ---------------------------------------------------------------------------------


def test_a_stamp_of_the_future_is_not_fresh_and_sets_no_floor() -> None:
    ahead = {"kind": "permission_reconnect", "t": (NOON + timedelta(days=900)).isoformat()}
    past = {"kind": "permission_reconnect", "t": (NOON - timedelta(hours=1)).isoformat()}
    assert last_word([past, ahead], [], NOON) == NOON - timedelta(hours=1)
    assert last_word([ahead], [], NOON) is None
    assert is_fresh(past, NOON, timedelta(hours=1)) and not is_fresh(past, NOON, timedelta(minutes=59))
    for bad in (ahead, {"t": "soon"}, {"t": "2026-03-02T11:59:00"}, {}):
        assert not is_fresh(bad, NOON, timedelta.max)
    assert from_the_future([past, ahead, {}], NOON) == [ahead]
