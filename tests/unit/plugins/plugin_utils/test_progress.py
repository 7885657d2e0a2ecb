# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.dcops.apc.plugins.plugin_utils import _progress, _terminal
from ansible_collections.dcops.apc.plugins.plugin_utils._progress import LiveProgress


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
    assert screen.lines[0].startswith("name \\x1b[2J\\x0d\\x0aats-01")
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
