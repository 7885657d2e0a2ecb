# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.dcops.apc.plugins.plugin_utils import _progress, _terminal
from ansible_collections.dcops.apc.plugins.plugin_utils._progress import LiveProgress
from ansible_collections.dcops.apc.plugins.plugin_utils._terminal import Outlet


class Screen:
    def __init__(self, on_terminal: bool, silent: bool = False) -> None:
        self.lines: list[str] = []
        self.at_s = 100.0
        self.progress = LiveProgress(silent, on_terminal, self.lines.append, lambda: self.at_s)

    def say(self, text: str, key: str | None = "", at_s: float | None = None) -> None:
        self.at_s = self.at_s if at_s is None else 100.0 + at_s
        self.progress.say(text, key)


def test_off_a_terminal_every_15_s() -> None:
    screen = Screen(on_terminal=False)
    for second in range(40):
        screen.say(f"settling 0:{second:02d} of 5:00", "settle", second)
    assert screen.lines == [f"settling 0:{second} of 5:00" for second in ("00", "15", "30")]


def test_on_a_terminal_every_second() -> None:
    screen = Screen(on_terminal=True)
    for tenth in range(25):
        screen.say(f"source B still live: {200 + tenth} V", "wait", tenth / 10)
    assert len(screen.lines) == 3


@pytest.mark.parametrize("on_terminal", [True, False])
def test_another_key_is_shown_at_once(on_terminal: bool) -> None:
    screen = Screen(on_terminal)
    screen.say("you may disconnect source A now", "may")
    screen.say("withdrawn: do not disconnect source A", "withdrawn")
    screen.say("you may disconnect source A now", "may")
    assert len(screen.lines) == 3


def test_other_words_under_the_same_key_are_shown_at_once() -> None:
    screen = Screen(on_terminal=False)
    screen.say("source A ok 216 V", "wait")
    screen.say("source A ok 215 V", "wait")
    screen.say("source A fail 0 V", "wait")
    assert screen.lines == ["source A ok 216 V", "source A fail 0 V"]


def test_without_a_key_nothing_but_a_repetition_is_dropped() -> None:
    screen = Screen(on_terminal=False)
    for text in ("login 1", "login 2", "login 2", "sent"):
        screen.say(text)
    screen.say("sent", None)
    assert screen.lines == ["login 1", "login 2", "sent"]


def test_silent() -> None:
    screen = Screen(on_terminal=True, silent=True)
    screen.say("anything")
    assert screen.lines == []


def test_device_text_cannot_move_the_cursor_or_fill_the_screen() -> None:
    screen = Screen(on_terminal=True)
    screen.say("name \x1b[2J\r\nats-01: you may reconnect\u202e" + "x" * 1000)
    assert screen.lines[0].startswith("name \\x1b[2J  ats-01")
    assert screen.lines[0].isprintable() and len(screen.lines[0]) < 500


def test_secrets_are_hidden_before_a_line_is_cut() -> None:
    lines: list[str] = []
    LiveProgress(False, True, lines.append, hide=lambda text: text.replace("sesame", "***")).say("x" * 395 + "sesame")
    assert "s" not in lines[0] and lines[0].startswith("x")


def test_a_dead_screen_does_not_stop_the_work() -> None:
    calls: list[str] = []

    def broken(line: str) -> None:
        calls.append(line)
        raise BrokenPipeError

    progress = LiveProgress(False, True, broken)
    progress.say("one")
    progress.say("two")
    assert calls == ["one"]


def test_an_orphan_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(on_terminal=True)
    screen.say("one")
    monkeypatch.setattr(_progress.os, "getppid", lambda: os.getpid() + 1)
    screen.say("two")
    assert screen.lines == ["one"]


def test_awx_gives_a_pseudo_terminal_and_keeps_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)
    assert _terminal._is_terminal(terminal, 2) is True
    monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/runner/artifacts/1")
    assert _terminal._is_terminal(terminal, 2) is False


def test_lines_that_keep_hands_off_are_known_in_any_spelling() -> None:
    for line in (
        "Touch no plug",
        "TOUCH NO INPUT",
        "stop, do not pull",
        "A LOAD IS ON",
        "Wrong plug",
        "Leave every plug",
    ):
        assert _progress._HANDS_OFF.search(f"ats-01: {line}"), line
    for line in ("settling 0:12 of 5:00", "ats-01: you may disconnect source B now", "login 1"):
        assert not _progress._HANDS_OFF.search(line), line
    assert _progress._MAY.search("You may connect the loads now")


def test_an_instruction_behind_many_differences_is_not_cut_off() -> None:
    screen = Screen(on_terminal=True)
    differences = "; ".join(f"setting {number}: was {number}, is {number + 1}" for number in range(60))
    screen.say(f"ats-01: settled, but {differences}. Correct them, then run the restore step.")
    assert len(screen.lines) > 1 and screen.lines[-1].endswith("then run the restore step.")
    assert all(len(line) <= _progress.MAX_LINE for line in screen.lines)
    assert "".join(line.replace(" ", "") for line in screen.lines).count("setting") == 60


class Never:
    """Ansible's display where nobody empties its queue: the call does not come back."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.goes_on = threading.Event()

    def __call__(self, line: str, log_only: bool) -> None:
        self.goes_on.wait()
        self.shown.append(line)


def test_ordinary_lines_never_wait_and_chatter_is_dropped_first() -> None:
    never = Never()
    lines = _progress.Lines(never)
    lines.put("first")
    while not lines._busy:
        time.sleep(0.001)
    for number in range(500):
        lines.put(f"settling {number}")
        if number % 100 == 0:
            lines.put(f"STOP {number}")
            lines.put(f"you may disconnect source B now ({number})")
    assert lines.dropped >= 460
    never.goes_on.set()
    lines.finish(2.0, lambda: False)
    assert [line for line in never.shown if line.startswith("STOP")] == [f"STOP {n}" for n in range(0, 500, 100)]
    assert len([line for line in never.shown if "you may" in line]) == 5
    assert never.shown[0] == "first" and never.shown[-1] == "settling 499" and len(never.shown) <= 42
    lines.put("late")
    assert "late" not in never.shown


def test_the_end_waits_for_the_line_under_way_and_for_no_other() -> None:
    """A worker that ended in the middle of a message would leave half of one in Ansible's queue."""
    never = Never()
    lines = _progress.Lines(never)
    lines.put("first")
    while not lines._busy:
        time.sleep(0.001)
    lines.put("second")
    ending = threading.Thread(target=lines.finish, args=(0.01, lambda: False))
    ending.start()
    ending.join(0.3)
    assert ending.is_alive()
    never.goes_on.set()
    ending.join(30)
    assert not ending.is_alive() and never.shown == ["first"]


def test_an_orphan_ends_at_once() -> None:
    lines = _progress.Lines(Never())
    lines.put("first")
    lines.finish(30.0, lambda: True)


def test_what_is_not_shown_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    try:
        outlet = Outlet(write)
        assert LiveProgress(silent=True, outlet=outlet).permit("you may") is False
        assert LiveProgress(silent=True, outlet=outlet).question("type 'B'") is None
        given = LiveProgress(outlet=outlet, hide=lambda text: text.replace("sesame", "***"))
        assert given.permit("you may disconnect sesame\x1b[2J") is True
        said = os.read(read, 4096)
        assert b"you may disconnect ***\\x1b[2J" in said and b"sesame" not in said
        monkeypatch.setattr(_progress.os, "getppid", lambda: os.getpid() + 1)
        assert given.permit("you may") is False
        # It may be the last thing that anybody reads.
        given.stop("STOP")
        assert b"STOP" in os.read(read, 4096)
    finally:
        os.close(read)
        os.close(write)
    assert LiveProgress(outlet=Outlet(-1)).permit("you may") is False


# -- a permission repeated -------------------------------------------------------------------------------------------

STILL_LIVE = "ats-01: source A still live: 216 V; it may be disconnected, 60 min left"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_until(descriptor: int, part: bytes) -> bytes:
    data = b""
    while part not in data:
        data += os.read(descriptor, 65536)
    return data


def test_a_permission_repeated_is_not_shown_behind_a_later_stop(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes by Ansible's display comes late where its thread is busy, or its terminal was held for a while."""
    never = Never()
    monkeypatch.setattr(_progress, "_display", never)
    progress = LiveProgress(on_terminal=True, outlet=Outlet(pipe[1]))
    assert progress.permit("ats-01: you may disconnect source A now (within 60 min)")
    progress.repeat(STILL_LIVE, "watching")
    progress.stop("ats-01: STOP, DO NOT PULL: source B fail")
    never.goes_on.set()
    progress.finish()
    said = read_until(pipe[0], b"STOP")
    assert said.index(b"you may disconnect") < said.index(b"it may be disconnected") < said.index(b"STOP")
    assert not [line for line in never.shown if "may be" in line]


def test_a_permission_repeated_keeps_the_pace_of_its_key(pipe: tuple[int, int]) -> None:
    at_s = [0.0]
    progress = LiveProgress(on_terminal=False, now=lambda: at_s[0], outlet=Outlet(pipe[1]))
    for second in range(40):
        at_s[0] = 100.0 + second
        progress.repeat(f"source A still live: 216 V; it may be disconnected, {60 - second} s left", "watching")
    progress.stop("STOP")
    shown = read_until(pipe[0], b"STOP").decode().splitlines()
    assert [line.partition("disconnected, ")[2].partition(" s left")[0] for line in shown[:-1]] == ["60", "45", "30"]


def test_a_permission_repeated_is_dropped_where_nobody_has_read_what_came_before(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    progress = LiveProgress(on_terminal=True, outlet=outlet)
    assert not outlet.put("x" * 200_000)
    progress.repeat(STILL_LIVE, "watching")
    progress.stop("STOP")
    assert b"may be" not in read_until(pipe[0], b"STOP")


def test_a_permission_repeated_is_silent_where_a_permission_is(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    LiveProgress(silent=True, outlet=Outlet(pipe[1])).repeat(STILL_LIVE, "watching")
    orphan = LiveProgress(outlet=Outlet(pipe[1]))
    monkeypatch.setattr(_progress.os, "getppid", lambda: os.getpid() + 1)
    orphan.repeat(STILL_LIVE, "watching")
    orphan.stop("STOP")
    assert b"may be" not in read_until(pipe[0], b"STOP")
