# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that hangs while a permission stands: the STOP comes in time, and nothing is repeated on an old reading."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import must_end, on_line, package
from virtual_unit import Bench, Device

from ansible_collections.dcops.apc.plugins.module_utils._procedure import words
from ansible_collections.dcops.apc.plugins.module_utils._procedure.aside import Aside, AtOnce
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.words import WordBox

ALLOWED = "you may disconnect source A now"
# A test that would hang ends so, and fails.
GIVE_UP_S = 20.0


class Rack:
    """8.8 A on B, both inputs live; B dies 3 s after the permission to pull A. ``hung``: until the STOP is said."""

    def __init__(self, folder: Path, aside: Aside, stop: str = "STOP", dies: str = ALLOWED) -> None:
        self.bench = bench = Bench(Device.load("ap7724", None), package(), folder)
        must_end(bench, 86400.0)
        bench.device.patch({"load_current_a": 8.8})
        bench.clock.sleep(1000.0)
        bench.speaks, bench.aside = False, aside
        self.box = WordBox(folder, bench.clock.wall, aside)
        self.lines: list[tuple[float, str]] = []
        self.stopped, self.allowed = threading.Event(), False
        self.hung = 0
        make = bench.make

        def with_box(*given: Any, **more: Any) -> Any:
            unit = make(*given, **more)
            self.box.belongs_to(unit.keys, lambda: {"run": unit.run_id, "pid": 1, "host": "c", "label": "x"})
            unit.said.hearing = Hearing(lambda prompt: None, self.box.publish, self.box.withdraw, self.box.words)
            return unit

        bench.make = with_box  # type: ignore[method-assign]
        bench.lines.listeners.append(self._hear)
        self._stop = stop
        on_line(bench, dies, self._permitted)

    def _permitted(self) -> None:
        self.allowed = True
        self.bench.later(3.0, {"inputs": {"B": {"plugged": False}}})

    def _hear(self, text: str) -> None:
        self.lines.append((self.bench.clock.now(), text))
        if self._stop in text:
            self.stopped.set()

    def hang(self) -> None:
        if self.allowed:
            self.hung += 1
            assert self.stopped.wait(GIVE_UP_S), "no STOP while the folder hung"

    def run(self) -> None:
        self.bench.run(job.do_isolate, self.bench.options(action_timeout_s=300.0))

    def at(self, part: str) -> float:
        return next(at for at, text in self.lines if part in text)


def laid_out(hang: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    real = words._write
    patch.setattr(words, "_write", lambda path, content: (hang(), real(path, content))[1])


def listed(hang: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    real = words.take_words
    patch.setattr(words, "take_words", lambda *given: (hang(), real(*given))[1])


def recorded(hang: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    real = Evidence.write
    patch.setattr(Evidence, "write", lambda self, kind, wall, **more: (hang(), real(self, kind, wall, **more))[1])


@pytest.mark.parametrize("where", [laid_out, listed, recorded], ids=lambda where: where.__name__)
def test_the_stop_does_not_wait_for_a_folder_that_hangs(
    where: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = Rack(tmp_path, Aside())
    where(rack.hang, monkeypatch)
    rack.run()
    assert rack.hung, "nothing hung"
    assert rack.at("STOP") - rack.at(ALLOWED) < 12.0
    assert not rack.bench.device.truth()["load_dropped"]
    # What was written aside stands in the evidence all the same, in its order.
    written = Path(rack.bench.report["evidence"]["path"]).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in written]
    assert [record["n"] for record in records] == list(range(1, len(records) + 1)) and records[-1]["kind"] == "end"
    assert [record["t"] for record in records] == sorted(record["t"] for record in records)


def test_what_takes_back_waits_for_no_folder_while_something_may_still_be_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A is back before anybody spoke: that is said and written, and the permission to pull it goes on. Then B dies."""
    rack = Rack(tmp_path, Aside(), stop="STOP, DO NOT PULL", dies="STOP: source A reads live")
    bench = rack.bench
    on_line(bench, ALLOWED, lambda: bench.later(5.0, {"inputs": {"A": {"voltage_v": 0}}}))
    on_line(bench, "PULL ITS PLUG NOW", lambda: bench.later(5.0, {"inputs": {"A": {"voltage_v": 230}}}))
    recorded(rack.hang, monkeypatch)
    rack.run()
    assert rack.hung, "nothing hung"
    assert rack.at("STOP, DO NOT PULL") - rack.at("STOP: source A reads live") < 12.0
    assert not bench.device.truth()["load_dropped"]


def test_nothing_is_repeated_on_a_reading_from_before_the_folder_hung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waited for a new line would pull on it, and the only source is dead since."""
    rack = Rack(tmp_path, AtOnce())
    real, hung = words.take_words, []

    def take(*given: Any) -> Any:
        if rack.allowed and not hung:
            rack.bench.clock.sleep(60.0)
            hung.append(rack.bench.clock.now())
        return real(*given)

    monkeypatch.setattr(words, "take_words", take)
    rack.run()
    behind = [text for at, text in rack.lines if at >= hung[0]]
    assert "STOP" in behind[0] and not any("may be disconnected" in text for text in behind)


def test_a_repeated_permission_shows_when_it_was_measured(tmp_path: Path) -> None:
    rack = Rack(tmp_path, AtOnce())
    unit = rack.bench.make()
    unit.first_contact()
    measured = rack.bench.clock.wall()
    rack.bench.clock.sleep(2.0)
    unit.repeat("it may be disconnected", "watching")
    assert rack.lines[-1][1].split(": ")[1] == f"{measured:%H:%M:%S} UTC"
    said = len(rack.lines)
    rack.bench.clock.sleep(4.0)
    unit.repeat("it may be disconnected", "watching")
    assert len(rack.lines) == said
