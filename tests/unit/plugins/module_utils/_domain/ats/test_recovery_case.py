# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs left of a recovery: a damaged record opens, only a whole one closes, order is by the counter."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, SECONDARY
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import (
    Case,
    Way,
    baseline_kept,
    case_of,
    in_order,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, FileState, Sending
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import history

NOW = datetime(2026, 3, 14, 10, 0, tzinfo=timezone.utc)


def run(name: str, method: str, *kinds: str | dict[str, Any], start: int | None = None) -> list[dict[str, Any]]:
    """The records of one run; with a counter from ``start`` on."""
    records: list[dict[str, Any]] = [{"kind": "run", "method": method}]
    records += [{"kind": kind} if isinstance(kind, str) else dict(kind) for kind in kinds]
    for place, record in enumerate(records):
        record["run"] = name
        if start is not None and record["kind"] != "damaged":
            record["n"] = start + place
    return records


BACKUP = {"kind": "backup", "t": "2026-03-14T08:00:00.000+00:00"}


def sending(kind: str, event: FileEvent, state: FileState) -> dict[str, Any]:
    file = Sending(file=f"apc_hw02_{'aos' if kind == 'aos' else 'g2ats'}_392.bin", kind=kind, state=state)
    return {"kind": "sending", "event": event.value, "sending": file.to_record()}


def permit(what: str, state: str, rests_on: str = NO_LOAD) -> dict[str, Any]:
    return {"kind": "permit", "event": {"what": what}, "permit": {"state": state, "rests_on": rests_on}}


AGREED = sending("app", FileEvent.AGREE, FileState.AGREED)
APP = sending("app", FileEvent.END, FileState.SENT)
PROVED = sending("app", FileEvent.PROVED, FileState.WHOLE)
AOS = sending("aos", FileEvent.END, FileState.SENT)
CUT = sending("app", FileEvent.CUT, FileState.CUT)
ATTEMPT = run("a", "recovery", "recovery_attempt", permit("stor", "sending"), AGREED, APP, PROVED)
RELEASED = permit("release", "returning")
BACK = permit("back", "closed")
CLOSED = run("b", "no_load", RELEASED, BACK)


def test_nothing_is_open_without_evidence() -> None:
    assert case_of([]) == Case() and not Case().open


def test_a_backup_for_a_recovery_is_a_baseline_until_an_attempt_uses_it() -> None:
    kept = case_of(run("a", "recovery", BACKUP))
    assert kept.baseline == datetime(2026, 3, 14, 8, 0, tzinfo=timezone.utc) and not kept.open
    assert case_of([*run("a", "recovery", BACKUP), *ATTEMPT]).baseline is None
    assert case_of(run("a", "no_load", BACKUP)).baseline is None
    assert case_of(run("a", "recovery", {**BACKUP, "t": "yesterday"})).baseline is None


def test_an_attempt_is_open_until_the_loads_may_be_connected() -> None:
    case = case_of(ATTEMPT)
    assert case.open and case.way is Way.RECOVERY and case.loads_off and case.attempts == 1
    # The other input is back, and the loads are still off.
    assert case_of([*ATTEMPT, *run("b", "single_source", RELEASED)]).open
    assert not case_of([*ATTEMPT, *CLOSED]).open
    assert not case_of([*ATTEMPT, *run("b", "", BACK)]).open
    # Evidence of the permit was lost: what restore saw steady is back all the same.
    assert not case_of([*ATTEMPT, *run("b", "", permit("back", "none"))]).open
    # A permit that is closed by anything else brought nothing back; a word that is none closes nothing.
    for other in (permit("back", "returning"), permit("nothing_out", "closed"), {**BACK, "event": "back"}):
        assert case_of([*ATTEMPT, *run("b", "", other)]).open


def test_app_only_is_closed_by_the_input_alone_and_remembers_the_load() -> None:
    begun = permit("stor", "sending", SECONDARY)
    sent = run("a", "app_only", begun, AGREED)
    assert case_of(sent).way is Way.APP_ONLY and not case_of(sent).loads_off
    assert case_of(run("a", "app_only", permit("stor", "sending", NO_LOAD), AGREED)).loads_off
    assert not case_of([*sent, *run("b", "single_source", permit("back", "closed", SECONDARY))]).open
    # What a later run writes of an earlier one's file is no new sending.
    assert not case_of(run("a", "app_only", sending("app", FileEvent.BREAK, FileState.UNSURE))).open
    # An upgrade is no recovery.
    assert not case_of(run("a", "single_source", begun, AGREED, APP)).open


def test_attempts_are_counted_where_the_app_went_in_whole_and_nothing_settled() -> None:
    cut = run("x", "recovery", "recovery_attempt", AGREED, CUT)
    assert case_of(cut).attempts == 0 and case_of(cut).open
    assert case_of(ATTEMPT).attempts == 1, "its end and its proof are one attempt"
    assert case_of([*ATTEMPT, *cut, *run("c", "recovery", "recovery_attempt", AOS, APP)]).attempts == 2
    assert case_of([*ATTEMPT, *run("b", "no_load", "settled")]).attempts == 0
    assert case_of([*ATTEMPT, *CLOSED]).attempts == 0


@pytest.mark.parametrize("torn", [None, {}, {"state": "whole"}, {**APP["sending"], "state": "perhaps"}])
def test_a_sending_that_cannot_be_read_counts_as_damaged(torn: Any) -> None:
    case = case_of(run("a", "recovery", {"kind": "sending", "event": "agree", "sending": torn}))
    assert case.open and case.damaged == ("a",)


@pytest.mark.parametrize("at", range(1, 4))
def test_a_damaged_record_opens_and_never_closes(at: int) -> None:
    """Wherever it stands, also behind the record that closes."""
    records = run("a", "no_load", RELEASED, BACK)
    records.insert(at, {"kind": "damaged", "run": "a"})
    case = case_of(records)
    assert case.damaged == (("a",) if at == 3 else ())
    assert case.open is (at == 3) and (not case.open or case.way is Way.NOT_KNOWN)
    assert case_of([*ATTEMPT, *run("b", "no_load"), {"kind": "damaged", "run": "b"}]).open
    # A torn record that closes is none.
    assert case_of([*ATTEMPT, {"kind": "permit", "run": "b", "event": {"what": "back"}}]).open


def test_every_tear_of_the_closing_record_leaves_it_open(tmp_path: Path) -> None:
    """As on a full disk: byte by byte, through the reader of the real files."""
    lines = [json.dumps({key: value for key, value in record.items() if key != "run"}) for record in ATTEMPT]
    (tmp_path / "20260314T080000Z_ats-5A1511T00001_aaaaaaaaaaaa.jsonl").write_text("\n".join(lines) + "\n")
    closing = tmp_path / "20260314T090000Z_ats-5A1511T00001_bbbbbbbbbbbb.jsonl"
    head, last = '{"kind": "run", "method": "no_load"}\n', json.dumps(BACK)
    for length in range(len(last)):
        closing.write_text(head + last[:length])
        assert case_of(history(tmp_path, ["ats-5A1511T00001"])).open, last[:length]
    closing.write_text(head + last)
    assert not case_of(history(tmp_path, ["ats-5A1511T00001"])).open


def test_all_files_count(tmp_path: Path) -> None:
    """One recovery writes four and more."""
    for number in range(100):
        kind = "recovery_attempt" if number == 0 else "backup"
        path = tmp_path / f"20260314T08{number // 60:02d}{number % 60:02d}Z_card-5A1511T00001_{number:012d}.jsonl"
        path.write_text(f'{{"kind": "run", "method": "no_load"}}\n{{"kind": "{kind}"}}\n')
    assert case_of(history(tmp_path, ["card-5A1511T00001"])).open


def test_order_is_by_the_counter_and_not_by_the_files_names() -> None:
    """The controller's clock was set back between the attempt and its end, or between the end and an attempt."""
    attempt, closed = run("z", "recovery", "recovery_attempt", start=1), run("a", "no_load", BACK, start=20)
    assert not case_of([*closed, *attempt]).open
    attempt, closed = run("a", "recovery", "recovery_attempt", start=30), run("z", "no_load", BACK, start=2)
    assert case_of([*attempt, *closed]).open


def test_order_keeps_a_record_without_counter_in_its_place() -> None:
    records = run("b", "no_load", "isolated", "redundant", start=10)
    records.insert(3, {"kind": "damaged", "run": "b"})
    shuffled = [*records, *run("c", "recovery", "old"), *run("a", "recovery", "first", start=1)]
    kinds = [(record["run"], record["kind"]) for record in in_order(shuffled)]
    assert kinds == [
        ("c", "run"),
        ("c", "old"),
        ("a", "run"),
        ("a", "first"),
        *[("b", kind) for kind in ("run", "isolated", "redundant", "damaged")],
    ]
    assert in_order([{"kind": "x", "n": True}, {"kind": "y", "n": "1"}]) == [
        {"kind": "x", "n": True},
        {"kind": "y", "n": "1"},
    ]


def test_no_history_that_ends_open_reads_closed() -> None:
    """Random runs: with a damaged record, or an attempt, after the last whole record that closes, it is open."""
    rng = random.Random(25)
    for _round in range(2000):
        records: list[dict[str, Any]] = []
        expected = False
        for number in range(rng.randrange(1, 8)):
            method = rng.choice(["recovery", "no_load", "single_source", "app_only"])
            kinds = rng.choices(["backup", "recovery_attempt", "back", "damaged", "settled"], k=rng.randrange(4))
            records += run(
                f"r{number}", method, *(BACK if kind == "back" else kind for kind in kinds), start=10 * number
            )
            for kind in kinds:
                expected = expected or kind in ("damaged", "recovery_attempt")
                if kind == "back":
                    expected = False
        assert case_of(records).open is expected, records


@pytest.mark.parametrize(
    ("ago_s", "uptime_s", "kept"),
    [(3600, 600, True), (600, 600, False), (86401, 600, False), (-60, 600, False), (661, 600, True)],
)
def test_a_baseline_is_from_before_the_start_and_at_most_a_day_old(ago_s: float, uptime_s: float, kept: bool) -> None:
    case = Case(baseline=NOW - timedelta(seconds=ago_s))
    assert baseline_kept(case, NOW, uptime_s, 1.0) is kept
    assert not baseline_kept(Case(), NOW, uptime_s, 1.0)
