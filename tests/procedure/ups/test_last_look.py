# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of a UPS's update goes out on a reading taken behind everything that may take time (SAFETY 1.3, 1.8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import virtual_ups
from virtual_ups import AtRecord, UpsBench, Writer, update_file

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import NotSent, TransportError

# SAFETY 3: what is judged is younger than this.
FRESH_S = 5.0
# As long as a question with its repetitions may take by the options, and longer than a verdict is good for.
QUESTION_S = 5.9


class Made:
    """The writers of a bench: what happens in their questions, and how old the newest reading was at each start."""

    def __init__(self, bench: UpsBench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.questions: list[float] = []
        self.ages: list[float] = []
        self.asking: list[Callable[[int], None]] = []
        self.sending: list[Callable[[], None]] = []
        made = self

        class Watched(Writer):
            def prepare(self) -> None:
                made.questions.append(bench.clock.now())
                for call in made.asking:
                    call(len(made.questions))
                super().prepare()

            def set_integer(self, oid: tuple[int, ...], value: int) -> None:
                assert bench.unit is not None
                assert bench.unit.newest.at_s >= made.questions[-1]
                made.ages.append(bench.clock.now() - bench.unit.newest.at_s)
                for call in made.sending:
                    call()
                super().set_integer(oid, value)

        monkeypatch.setattr(virtual_ups, "Writer", Watched)


def behind_the_window(bench: UpsBench) -> bool:
    return "update_start" in bench.kinds()


def test_what_turns_bad_in_the_last_question_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    made = Made(bench, monkeypatch)

    def question(number: int) -> None:
        if behind_the_window(bench):
            bench.device.patch({"ups": {"input_voltage_v": 0}})
            bench.clock.sleep(QUESTION_S)

    made.asking.append(question)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "refused" and report["error"]["message"].startswith("mains: ")
    assert report["state"] == "file_not_started" and bench.sets() == [] and bench.unharmed()
    assert "update_end" in bench.kinds() and "start_set" not in bench.kinds()


def test_a_slow_question_is_followed_by_a_new_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has torn the window: what was seen before it is too old, and nothing is wrong."""
    bench = UpsBench(state_dir=tmp_path)
    made = Made(bench, monkeypatch)
    slow: list[float] = []

    def question(number: int) -> None:
        if behind_the_window(bench) and not slow:
            slow.append(bench.clock.now())
            bench.clock.sleep(QUESTION_S)

    made.asking.append(question)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off" and bench.sets() == [2], report.get("error")
    (age,) = made.ages
    assert age < FRESH_S and bench.starts[0]["at_s"] > slow[0] + 30.0
    assert [kind for kind in bench.kinds() if kind in ("update_start", "update_end", "start_set")] == [
        *("update_start", "update_end", "update_start", "start_set", "update_end")
    ]


@pytest.mark.parametrize("stalls", ["disk", "terminal"])
def test_the_disk_and_the_terminal_make_no_verdict_old(
    stalls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stall that leaves the old verdict just good enough: what happened in it is read all the same."""
    bench = UpsBench(state_dir=tmp_path)

    def stall() -> None:
        bench.device.patch({"ups": {"self_test": True}})
        bench.clock.sleep(2.0)

    if stalls == "disk":
        AtRecord(monkeypatch, "update_start", stall)
    else:
        bench.on_line("starting the update", stall)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "refused" and "no_test: " in report["error"]["message"]
    assert report["state"] == "file_not_started" and bench.sets() == []


def test_what_could_not_be_sent_is_prepared_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's clock was forgotten between question and start: nothing went out, so it is no second start."""
    bench = UpsBench(state_dir=tmp_path)
    made = Made(bench, monkeypatch)

    def refuse() -> None:
        if len(made.ages) == 1:
            raise NotSent("the card is to be asked for its clock anew, nothing was set")

    made.sending.append(refuse)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off" and bench.sets() == [2], report.get("error")
    assert len(made.ages) == 2 and max(made.ages) < FRESH_S
    # For the file, for a look behind each of the two, and at the end.
    assert len(bench.truth()["logins"]) == 4
    assert bench.kinds().count("start_set") == 1


def test_a_start_that_can_never_be_sent_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    made = Made(bench, monkeypatch)

    def refuse() -> None:
        raise NotSent("nothing was set")

    made.sending.append(refuse)
    report = bench.run(update_file(bench.device, "9.3"), ready_timeout_s=90.0)
    assert report["error"] == {"kind": "transfer", "message": "nothing was set"}
    assert report["state"] == "file_not_started" and bench.sets() == [] and len(made.ages) > 1
    # The evidence holds no start open: the next run has nothing to watch.
    made.sending.clear()
    assert bench.run(update_file(bench.device, "9.3"))["resumed"] is None and bench.sets() == [2]


@pytest.mark.parametrize(("kind", "again"), [("auth", False), ("unsupported", False), ("timeout", True)])
def test_a_question_that_fails(kind: str, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    made = Made(bench, monkeypatch)
    failed: list[int] = []

    def question(number: int) -> None:
        if behind_the_window(bench) and not failed:
            failed.append(number)
            raise TransportError(kind, "so it is")

    made.asking.append(question)
    report: dict[str, Any] = bench.run(update_file(bench.device, "9.3"))
    if again:
        assert report["state"] == "updated_output_off" and bench.sets() == [2], report.get("error")
    else:
        assert report["error"] == {"kind": kind, "message": "the start could not be sent: so it is"}
        assert report["state"] == "file_not_started" and bench.sets() == []
