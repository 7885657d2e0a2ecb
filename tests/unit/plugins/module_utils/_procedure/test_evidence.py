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

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import Permit
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import case_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, Sending, step
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Floors
from ansible_collections.dcops.apc.plugins.module_utils._procedure import evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.keeper import Keeper, opened
from ansible_collections.dcops.apc.plugins.module_utils._procedure.chain import digest_of, from_the_future
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import (
    Closing,
    Evidence,
    chain,
    history,
    is_fresh,
    open_records,
    related_keys,
    who,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import open_names, open_start
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


def doubted(folder: Path) -> bool:
    """May an app have been sent, for all that a later run of this ATS can tell?"""
    keeper = Keeper(Nobody())
    keeper.open(history(folder, [KEY]))
    keeper.reconcile()
    return keeper.open_file is not None


def open_run(folder: Path) -> Any:
    """The run whose start of a UPS's update is open."""
    found = open_start(history(folder, [KEY]))
    return found and found["run"]


class Nobody:
    """No run: nobody is told anything, and nothing is written."""

    evidence_lost = ""

    def record(self, kind: str, **fields: object) -> None: ...

    def record_or_stop(self, kind: str, **fields: object) -> None: ...

    def stamp(self) -> str:
        return NOON.isoformat()

    def stop_words(self, text: str) -> None:
        raise AssertionError(text)

    def permission_words(self, text: str) -> bool:
        raise AssertionError(text)


def sending(*events: FileEvent, kind: str = "app") -> list[tuple[str, dict[str, Any]]]:
    """The records of one file, as far as these events took it."""
    sent, records = Sending(APP, kind, "3.9.2", "0" * 64, 1000), []
    for event in events:
        sent = step(sent, event)
        assert not sent.refusal
        records.append(("sending", {"event": event.value, "sending": sent.to_record()}))
    return records


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
    assert doubted(tmp_path) and open_run(tmp_path) == "one"
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


@pytest.mark.parametrize("before", [0, 20])
def test_a_disk_that_was_full_for_a_moment_leaves_no_break(
    before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind a torn record, of whose line only the end went out."""
    kept = begin(tmp_path, "one")
    room = breaking(monkeypatch, before)
    for _again in range(2):
        with pytest.raises(Stop):
            kept.write("sample", NOON, at_s=1.0)
        room[:] = [1] if before else [0]
    room.clear()
    kept.write("stor_begin", NOON, file=APP)
    assert "\n\n" not in kept.path.read_text()
    torn = ["damaged"] if before else []
    assert [record["kind"] for record in history(tmp_path, [KEY])] == ["run", *torn, "stor_begin"]
    assert len(chain(history(tmp_path, [KEY]))) == len(torn)


def test_a_blank_line_is_no_damaged_record(tmp_path: Path) -> None:
    kept = begin(tmp_path, "one")
    with kept.path.open("ab") as file:
        file.write(b"\n")
    kept.write("sample", NOON, at_s=1.0)
    kept.close()
    records = history(tmp_path, [KEY])
    assert [record["kind"] for record in records] == ["run", "sample"] and chain(records) == []
    assert records[1]["where"].endswith(":3") and not case_of(records).open and not doubted(tmp_path)
    assert open_run(tmp_path) is None


@pytest.mark.parametrize(
    "line", [b'{"t": "2026-03', b"\x00\x00\x00\x00", b"\xff\xfe{}", b"[]", b"null", b'{"t": "2026-03-02"}', b'"stor"']
)
@pytest.mark.parametrize("ended", [b"", b"\n"])
def test_a_damaged_line_counts_as_begun(line: bytes, ended: bytes, tmp_path: Path) -> None:
    kept = begin(tmp_path, "one")
    kept.close()
    with kept.path.open("ab") as file:
        file.write(line + ended)
    assert doubted(tmp_path) and open_run(tmp_path) == "one"
    leave(tmp_path, "two", NOON, ("update_end", {"closes": open_names(history(tmp_path, [KEY]), "two")}))
    assert open_run(tmp_path) is None, "damage that nothing can ever close"
    leave(tmp_path, "three", NOON, ("permit", {"event": {}, "permit": Permit(number=1).to_record()}))
    assert not doubted(tmp_path), "damage that nothing can ever close"


def test_evidence_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / f"20260301T000000Z_{KEY}_old.jsonl").mkdir()
    with pytest.raises(Stop) as stop:
        history(tmp_path, [KEY])
    assert stop.value.kind == "state"


@pytest.mark.parametrize("what", ["pipe", "link", "link to nothing", "link to itself"])
def test_what_is_no_file_is_neither_waited_for_nor_followed(what: str, tmp_path: Path) -> None:
    begin(tmp_path, "one").close()
    strange = tmp_path / f"20260301T000000Z_{KEY}_old.jsonl"
    if what == "pipe":
        os.mkfifo(strange)
    else:
        strange.symlink_to({"link": path_of(tmp_path, "one"), "link to nothing": "absent"}.get(what, strange))
    for act in (lambda: history(tmp_path, [KEY]), lambda: begin(tmp_path, "two")):
        with pytest.raises(Stop, match="not a regular file" if what == "pipe" else "not followed") as stop:
            act()
        assert stop.value.kind == "state"


def test_a_file_too_long_to_be_read_is_damaged_and_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(tmp_path, "one", NOON, ("sample", {"at_s": 0.1}), ("stor_begin", {"file": APP}))
    size = path_of(tmp_path, "one").stat().st_size
    monkeypatch.setattr(evidence, "MAX_FILE", size)
    assert [record["kind"] for record in history(tmp_path, [KEY])] == ["run", "sample", "stor_begin"]
    assert chain(history(tmp_path, [KEY])) == []
    with path_of(tmp_path, "one").open("a") as file:
        file.write('{"kind": "settled", "closes": ["one"]}\n')
    assert [record["kind"] for record in history(tmp_path, [KEY])] == ["run", "sample", "stor_begin", "damaged"]
    assert [each.why for each in chain(history(tmp_path, [KEY]))] == ["the record cannot be read"]
    monkeypatch.setattr(evidence, "MAX_FILE", size - 40)
    assert [record["kind"] for record in history(tmp_path, [KEY])] == ["run", "sample", "damaged", "damaged"]


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


START: tuple[str, dict[str, Any]] = ("update_start", {"target": "x"})


def test_an_end_closes_the_runs_that_it_names_and_no_other(tmp_path: Path) -> None:
    leave(tmp_path, "one", NOON, START)
    leave(tmp_path, "two", NOON + timedelta(hours=1), ("update_end", {"closes": ["two"]}))
    assert open_run(tmp_path) == "one"
    leave(tmp_path, "three", NOON + timedelta(hours=2), ("update_end", {}))
    assert open_run(tmp_path) == "one", "an end that names nothing closes nothing of another run's"
    leave(tmp_path, "four", NOON + timedelta(hours=3), ("update_end", {"closes": ["one", "four"]}))
    assert open_run(tmp_path) is None
    leave(tmp_path, "five", NOON + timedelta(hours=4), START)
    assert open_run(tmp_path) == "five"


@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(days=1), timedelta(days=9000)])
def test_a_clock_that_was_set_back_hides_nothing(back: timedelta, tmp_path: Path) -> None:
    agreed, stor = sending(FileEvent.AGREE, FileEvent.STOR)
    leave(tmp_path, "one", NOON, START, ("update_end", {"closes": ["one"]}), agreed, stor, ("settled", {}))
    assert open_run(tmp_path) is None and not doubted(tmp_path)
    leave(tmp_path, "two", NOON - back, START, agreed, stor)
    assert open_run(tmp_path) == "two" and doubted(tmp_path)
    leave(tmp_path, "three", NOON - 2 * back, ("update_end", {"closes": ["one", "two", "three"]}), ("settled", {}))
    assert open_run(tmp_path) is None and not doubted(tmp_path)


def test_neither_do_many_later_runs(tmp_path: Path) -> None:
    """A control node without a clock of its own: behind its start the newest runs have the oldest names."""
    for number in range(250):
        wall = NOON + timedelta(hours=number)
        (tmp_path / f"{wall:%Y%m%dT%H%M%SZ}_{KEY}_r{number}.jsonl").write_text('{"kind": "run", "t": ""}\n')
    leave(tmp_path, "new", NOON - timedelta(days=9000), START, *sending(FileEvent.AGREE, FileEvent.STOR))
    assert open_run(tmp_path) == "new" and doubted(tmp_path)


A, S, C, B, E = FileEvent.AGREE, FileEvent.STOR, FileEvent.CUT, FileEvent.BREAK, FileEvent.END


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        # STOR may have been said behind the last record.
        ([A], True),
        ([A, B], False),
        ([A, C], False),
        ([A, S], True),
        ([A, S, B], True),
        ([A, S, C], False),
        ([A, S, FileEvent.RELEASE, B], True),
        ([A, S, E], True),
        # A second try that never began does not undo the first, and none undoes what may have gone in whole.
        ([A, S, E, A], True),
        ([A, S, E, A, B], True),
        ([A, S, E, A, C], True),
        ([A, S, B, A, S, C], False),
    ],
)
def test_only_a_file_that_was_never_begun_or_was_cut_leaves_nothing_open(
    events: list[FileEvent], is_open: bool, tmp_path: Path
) -> None:
    leave(tmp_path, "one", NOON, *sending(*events), ("end", {"state": "nothing_sent"}))
    assert doubted(tmp_path) is is_open


@pytest.mark.parametrize(
    ("kind", "fields", "is_open"),
    [
        ("update_end", {}, False),
        ("update_end", {"closes": []}, False),
        ("update_end", {"closes": ["one"]}, False),
        ("update_end", {"closes": ["two"]}, True),
        ("update_end", {"closes": ["ONE", "on", ""]}, True),
        ("update_ended", {"closes": ["one"]}, True),
        ("settled", {"closes": ["one"]}, True),
        ("end", {"state": "nothing_sent"}, True),
    ],
)
def test_only_an_end_of_the_update_closes_its_start(
    kind: str, fields: dict[str, Any], is_open: bool, tmp_path: Path
) -> None:
    leave(tmp_path, "one", NOON, START, (kind, fields))
    assert (open_run(tmp_path) == "one") is is_open


def test_what_another_run_never_began_does_not_close_this_one(tmp_path: Path) -> None:
    leave(tmp_path, "one", NOON, START, *sending(A, S))
    leave(tmp_path, "two", NOON, *sending(A, S, E, A, C)[3:])
    leave(tmp_path, "three", NOON, START, ("update_end", {}))
    assert open_run(tmp_path) == "one" and doubted(tmp_path)


def test_another_units_evidence_is_not_this_ones(tmp_path: Path) -> None:
    Evidence(tmp_path, "one", ["addr-192.0.2.11-161"], {}, NOON).write("stor_begin", NOON, file=APP)
    assert history(tmp_path, [KEY]) == []


# --- the last word ------------------------------------------------------------------------------------------


def released(*stamps: str) -> Floors:
    """What the product makes of the releases and attempts in evidence."""
    found = opened(
        [
            {"kind": kind, "t": stamp, "permit": Permit(number=1).to_record(), "event": {"what": "release"}}
            for kind, stamp in (text.split(" ", 1) for text in stamps)
        ]
    )
    return Floors(tuple(found.releases), tuple(found.attempts))


def test_the_latest_word_counts_wherever_it_stands() -> None:
    texts = (
        "permit 2026-03-02T13:00:00+00:00", "recovery_attempt 2026-03-02T12:30:00+00:00", "permit no time at all",
        "settled 2026-03-02T15:00:00+00:00",
    )  # fmt: skip
    at = datetime(2026, 3, 2, 16, tzinfo=timezone.utc)
    assert released(*texts).before(at, attempts=True) == datetime(2026, 3, 2, 13, tzinfo=timezone.utc)
    assert released(*texts[1:]).before(at, attempts=True) == datetime(2026, 3, 2, 12, 30, tzinfo=timezone.utc)
    assert released(*texts[1:]).before(at, attempts=False) is None
    assert released(*texts[2:]).before(at, attempts=True) is None


def test_a_record_is_one_line_whatever_the_device_says(tmp_path: Path) -> None:
    kept = begin(tmp_path, "one")
    kept.write("sample", NOON, name='a\nb\u2028{"kind": "update_end", "closes": ["one"]}\n')
    kept.write("update_start", NOON, target=APP)
    kinds = [json.loads(line)["kind"] for line in kept.path.read_text().splitlines()]
    assert kinds == ["run", "sample", "update_start"] and open_run(tmp_path) == "one"


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


UNIT = [KEY, "ats-1"]


def test_two_runs_that_write_at_once_are_a_break(tmp_path: Path) -> None:
    """A lock that excludes nobody: NFS without its lock service, two hosts."""
    one = Evidence(tmp_path, "one", UNIT, {}, NOON)
    one.write("permit", NOON, permit={"state": "open"})
    two = Evidence(tmp_path, "two", UNIT, {}, NOON)
    assert chain(history(tmp_path, UNIT)) == []
    one.write("permit", NOON, permit={"state": "withdrawn"})
    for kept in (two, one, two):
        kept.write("end", NOON)
    (found,) = chain(history(tmp_path, UNIT))
    assert "two runs wrote at once" in found.why and found.why.startswith("its number 3 stands in ")


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("keys", [UNIT, UNIT[:1], UNIT[1:]])
def test_a_run_that_was_added_with_digests_that_fit_is_a_break(keys: list[str], after: int, tmp_path: Path) -> None:
    """Only behind the very last record it cannot be told from a run: the digests have no key."""
    one = Evidence(tmp_path, "one", UNIT, {}, NOON)
    one.write("permit", NOON, permit={"state": "isolated"}, event={})
    one.write("end", NOON)
    records = history(tmp_path, UNIT)
    before, number, lines = ("", 0, []) if not after else (records[after - 1]["digest"], after, [])
    for said in ({"kind": "run", "prev": before, "keys": keys}, {"kind": "permit", "permit": {"state": "closed"}}):
        number += 1
        record = {**said, "n": number, "t": NOON.isoformat()}
        before = digest_of(before, "added", record)
        lines.append(json.dumps(record | {"digest": before}) + "\n")
    (tmp_path / f"20260302T120000Z_{'_'.join(keys)}_added.jsonl").write_text("".join(lines))
    (found,) = chain(history(tmp_path, UNIT))
    assert "one of the two was added" in found.why


def test_units_that_had_the_same_address_are_no_fork(tmp_path: Path) -> None:
    """Both number on from the record that stood there last, side by side, under no name in common."""
    for run, keys in (
        ("a", ["addr-x", "ats-1"]),
        ("b", ["addr-y", "ats-1"]),
        ("c", ["addr-x", "ats-2", "card-2"]),
        ("d", ["addr-x", "ats-2"]),
        ("e", ["addr-y", "ats-1"]),
        # The two change places.
        ("f", ["addr-y", "ats-2"]),
        ("g", ["addr-x", "ats-1"]),
        ("h", ["addr-y"]),
    ):
        kept = Evidence(tmp_path, run, keys, {}, NOON)
        kept.write("end", NOON)
        kept.close()
    records = history(tmp_path, related_keys(tmp_path, ["ats-1"]))
    heads = {record["run"]: record["n"] for record in records if record["kind"] == "run"}
    assert heads["b"] == heads["c"] == 3 and heads["f"] == heads["g"] == 7
    assert len(records) == 16 and chain(records) == []


@pytest.mark.parametrize("lost", ["all of the head", "half of the head", "the end of the line", "the disk's word"])
def test_a_run_whose_head_was_not_written_is_no_fork(
    lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, "one", NOON)
    real = os.write

    def write(handle: int, data: bytes) -> int:
        if lost == "all of the head" or data == b"\n" or (lost == "half of the head" and len(data) < 100):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:-1] if lost == "the end of the line" else data[: len(data) // 2])

    def refuse(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(evidence.os, *(("fsync", refuse) if lost == "the disk's word" else ("write", write)))
        with pytest.raises(Stop):
            begin(tmp_path, "two")
    leave(tmp_path, "three", NOON, ("end", {}))
    found = [each.why for each in chain(history(tmp_path, [KEY]))]
    assert found == (["the record cannot be read"] if lost == "half of the head" else [])


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
    words = [f"{kind} {record['t']}" for kind in ("permit", "recovery_attempt") for record in (past, ahead)]
    assert released(*words).before(NOON, attempts=True) == NOON - timedelta(hours=1)
    assert released(*words[1::2]).before(NOON, attempts=True) is None
    assert is_fresh(past, NOON, timedelta(hours=1)) and not is_fresh(past, NOON, timedelta(minutes=59))
    for bad in (ahead, {"t": "soon"}, {"t": "2026-03-02T11:59:00"}, {}):
        assert not is_fresh(bad, NOON, timedelta.max)
    assert from_the_future([past, ahead, {}], NOON) == [ahead]
