# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SAFETY 1.8: STOP is said before it is written, before any wait, before anything is measured; and nothing takes the
instruction away: no signal, no second one, no disk that fails or stalls."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, must_end, on_line, situation
from virtual_ups import AtRecord, UpsBench, update_file

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import Observer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import ASKING

PERSON = [number for number in ASKING if number is not signal.SIGALRM]
# Any second one, beside another of the same.
PAIRS = [(first, second) for first in PERSON for second in (first, signal.SIGHUP)]
IDS = [f"{first.name}-{second.name}" for first, second in PAIRS]
ALLOWED = "you may disconnect source A now"


@pytest.fixture(autouse=True)
def _no_signal_is_ignored() -> Any:
    """A shell starts its background jobs with SIGINT ignored; and a signal that is not noted must not end the tests."""
    strays: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: strays.append(number)) for number in ASKING}
    yield
    for number, old in before.items():
        signal.signal(number, old)
    assert strays == [], "a signal came through to nobody"


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    # A handler of Python runs between two of its instructions, not at once.
    time.sleep(0.01)


class Order:
    """What happens behind a moment, in its order: lines, records and readings."""

    def __init__(self, lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str]] = []
        self.on = False
        write, poll = Evidence.write, Observer._take

        def written(evidence: Evidence, kind: str, wall: Any, **fields: Any) -> None:
            self.note("record", f"permit {fields['event']['what']}" if kind == "permit" else kind)
            write(evidence, kind, wall, **fields)

        def taken(observer: Observer[Any]) -> Any:
            self.note("reading", "")
            return poll(observer)

        monkeypatch.setattr(Evidence, "write", written)
        monkeypatch.setattr(Observer, "_take", taken)
        lines.listeners.append(lambda text: self.note("line", text))

    def note(self, what: str, text: str) -> None:
        if self.on:
            self.seen.append((what, text))

    def first(self, part: str) -> int:
        return next(n for n, (_what, text) in enumerate(self.seen) if part in text)


def isolating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> tuple[Situation, Order]:
    """Both inputs live; ``then`` happens when the permission has been said, and from there on the order is kept."""
    case = situation(Method.SINGLE_SOURCE, tmp_path)
    must_end(case.bench)
    case.device.patch({"inputs": {"A": {"plugged": True}}})
    case.bench.clock.sleep(60.0)
    order = Order(case.bench.lines, monkeypatch)

    def allowed() -> None:
        order.on = True
        then()

    on_line(case.bench, ALLOWED, allowed)
    return case, order


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=IDS)
def test_a_signal_takes_a_permission_back_before_anything_else(
    first: signal.Signals, second: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, order = isolating(tmp_path, monkeypatch, lambda: send(first))
    # The second one meets the ending at its first record, and once more at its last reading.
    AtRecord(monkeypatch, "permission_withdrawn", lambda: send(second), after=False)
    AtRecord(monkeypatch, "end", lambda: send(second), after=False)
    report = case.run("isolate")
    stop = order.first("STOP, TOUCH NO PLUG")
    assert [what for what, _text in order.seen[:stop]] in ([], ["line"]), order.seen[: stop + 1]
    assert order.first("permission_withdrawn") > stop
    assert f"interrupted by signal {first.name}" in report["error"]["message"]
    assert report["state"] and report["next_action"]
    assert any("WHAT TO DO NOW" in line for line in case.bench.lines.lines)
    assert [record["kind"] for record in report["evidence"]["summary"]][-1] == "end"
    # And the lock is free.
    assert case.run("isolate", action_timeout_s=60.0).get("error", {}).get("kind") != "locked"


@pytest.mark.parametrize("full", [True, False], ids=["full", "sound"])
def test_a_refusal_takes_a_permission_back_before_it_measures(
    full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails under a standing permission, by a fault or by a disk that is full from then on."""
    case, order = isolating(tmp_path, monkeypatch, lambda: None)
    write = Evidence.write

    def refused(evidence: Evidence, kind: str, wall: Any, **fields: Any) -> None:
        if order.on and full:
            order.note("record", kind)
            raise Stop("state", "the evidence cannot be written: No space left on device")
        write(evidence, kind, wall, **fields)

    monkeypatch.setattr(Evidence, "write", refused)

    def fail(now: float) -> None:
        if order.on:
            case.bench.clock.on_sleep.remove(fail)
            order.seen.clear()
            raise Stop("refused", "somebody else is at the unit")

    case.bench.clock.on_sleep.append(fail)
    report = case.run("isolate")
    assert report["error"]["message"] == "somebody else is at the unit"
    assert order.seen[0][0] == "line" and "STOP, TOUCH NO PLUG" in order.seen[0][1], order.seen[:3]
    kinds = [record["kind"] for record in report["evidence"]["summary"]]
    assert "permission_withdrawn" in kinds and report["next_action"]


def test_a_fault_of_our_own_takes_a_permission_back_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, order = isolating(tmp_path, monkeypatch, lambda: None)

    def fail(now: float) -> None:
        if order.on:
            case.bench.clock.on_sleep.remove(fail)
            order.seen.clear()
            raise ZeroDivisionError

    case.bench.clock.on_sleep.append(fail)
    with pytest.raises(ZeroDivisionError):
        case.run("isolate")
    assert "STOP, TOUCH NO PLUG" in order.seen[0][1]
    assert not [what for what, _text in order.seen if what == "reading"]
    assert ("record", "end") in order.seen


def test_nothing_is_allowed_on_a_reading_during_which_the_run_was_asked_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes in the very reading that the permission would rest on."""
    take, count, until = Observer._take, [0], [0]

    def taken(observer: Observer[Any]) -> Any:
        sample = take(observer)
        count[0] += 1
        if count[0] == until[0]:
            send(signal.SIGTERM)
        return sample

    monkeypatch.setattr(Observer, "_take", taken)

    def run(folder: str) -> tuple[Situation, dict[str, Any], list[int]]:
        case = situation(Method.SINGLE_SOURCE, tmp_path / folder)
        must_end(case.bench)
        case.device.patch({"inputs": {"A": {"plugged": True}}})
        case.bench.clock.sleep(60.0)
        count[0], heard = 0, []
        on_line(case.bench, ALLOWED, lambda: heard.append(count[0]))
        return case, case.run("isolate"), heard

    _case, _report, heard = run("first")
    until[0] = heard[0]
    case, report, heard = run("second")
    assert "interrupted by signal SIGTERM" in report["error"]["message"] and heard == []
    assert ALLOWED not in case.bench.lines and "permission_disconnect" not in str(report["evidence"]["summary"])


# --- what allows, and what ends ---------------------------------------------------------------------------------------


def upgraded(method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Situation, Order]:
    case = situation(method, tmp_path)
    must_end(case.bench)
    report = case.run()
    assert "error" not in report, report["error"]
    case.bench.clock.sleep(900.0)
    return case, Order(case.bench.lines, monkeypatch)


@pytest.mark.parametrize("what", ["disconnect", "reconnect", "connect the loads"])
def test_what_allows_is_written_then_measured_then_said(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAFETY 1.8: it rests on a reading of after the record, however long the disk took for it."""
    if what == "disconnect":
        case, order = isolating(tmp_path, monkeypatch, lambda: None)
    else:
        method = Method.SINGLE_SOURCE if what == "reconnect" else Method.NO_LOAD
        case, order = upgraded(method, tmp_path, monkeypatch)
    order.on = True
    case.run("isolate" if what == "disconnect" else "restore", action_timeout_s=90.0)
    said = order.first(f"you may {what}")
    written = order.seen.index(("record", "permit permission" if what == "disconnect" else "permit release"))
    assert written < said and ("reading", "") in order.seen[written:said], order.seen[written : said + 1]


@pytest.mark.parametrize("stall_s", [3.0, 20.0])
@pytest.mark.parametrize("task", ["isolate", "restore"])
def test_what_comes_while_the_record_of_a_permission_is_written(
    task: str, stall_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes a while over it, and the switch fails meanwhile: nobody is told that he may pull or plug in."""
    if task == "isolate":
        case, _order = isolating(tmp_path, monkeypatch, lambda: None)
    else:
        case, _order = upgraded(Method.SINGLE_SOURCE, tmp_path, monkeypatch)
    write, met = Evidence.write, []

    def slow(evidence: Evidence, kind: str, wall: Any, **fields: Any) -> None:
        write(evidence, kind, wall, **fields)
        if kind == "permit" and fields["event"]["what"] in ("permission", "release") and not met:
            met.append(kind)
            case.device.fault("switch_fail")
            case.bench.clock.sleep(stall_s)

    monkeypatch.setattr(Evidence, "write", slow)
    case.run(task, action_timeout_s=60.0)
    allowed = [line for line in case.bench.lines.lines if re.search("you may (dis|re)connect source", line)]
    assert met and allowed == []


def test_a_permission_that_breaks_is_taken_back_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And before the question is closed, for which a file has to go."""
    case, order = isolating(tmp_path, monkeypatch, lambda: None)
    close = Hearing.close

    def closed(hearing: Hearing) -> None:
        if hearing.asked is not None:
            order.note("question", "closed")
        close(hearing)

    monkeypatch.setattr(Hearing, "close", closed)
    on_line(case.bench, ALLOWED, lambda: case.device.fault("switch_fail"))
    report = case.run("isolate")
    assert "error" in report
    stop = order.first("STOP, DO NOT PULL")
    assert stop < order.first("permit withdraw") and stop < order.seen.index(("question", "closed"))


@pytest.mark.parametrize(
    ("method", "task", "record", "line"),
    [
        (Method.SINGLE_SOURCE, "upgrade", "settled", ": settled"),
        (Method.SINGLE_SOURCE, "restore", "permit back", "fully redundant"),
        (Method.NO_LOAD, "restore", "permit back", "the permit is closed"),
    ],
)
def test_what_is_over_is_written_before_it_is_said(
    method: Method, task: str, record: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies between the two must not have told anybody what the next one does not know."""
    if task == "upgrade":
        case = situation(method, tmp_path)
        must_end(case.bench)
        order = Order(case.bench.lines, monkeypatch)
    else:
        case, order = upgraded(method, tmp_path, monkeypatch)
        case.bench.electrician()
    order.on = True
    report = case.run(task, action_timeout_s=90.0)
    assert "error" not in report, report["error"]
    assert order.seen.index(("record", record)) < order.first(line), order.seen[-6:]


# --- a UPS ----------------------------------------------------------------------------------------------------------

UPS_LINES = {
    "measuring": "nothing_sent",
    "file to the card: 50 %": "file_not_started",
    "starting the update": "start_not_seen",
    "updating for": "updating",
}


@pytest.mark.parametrize("where", UPS_LINES)
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=IDS)
def test_a_ups_says_what_to_do_before_it_writes(
    first: signal.Signals, second: signal.Signals, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    order = Order(bench.lines, monkeypatch)
    AtRecord(monkeypatch, "end", lambda: send(second), after=False)

    def ask() -> None:
        order.on = True
        send(first)

    bench.on_line(where, ask)
    report = bench.run(file)
    assert f"interrupted by signal {first.name}" in report["error"]["message"]
    assert report["state"] == UPS_LINES[where], report
    told = [n for n, (what, text) in enumerate(order.seen) if what == "line" and "WHAT TO DO NOW" in text]
    ends = [n for n, (what, text) in enumerate(order.seen) if what == "record" and text == "end"]
    assert told and ends and told[0] < ends[0]
    assert bench.kinds()[-1] == "end" and bench.truth()["sessions_open"] == 0
    bench.lines.listeners.clear()
    again = bench.run(file)
    assert "error" not in again and bench.unharmed()
    # Bytes are never torn by it: what was begun while signals are held goes on to the next safe point.
    assert len(bench.starts) == 1
