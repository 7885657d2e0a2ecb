# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that wait for no reader, and a question, over real pipes and pseudo-terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.dcops.apc.plugins.plugin_utils import _terminal
from ansible_collections.dcops.apc.plugins.plugin_utils._terminal import NOT_GIVEN, Outlet

MAY = "you may disconnect source B now\n"


class Ends:
    """Both ends of a pipe or of a pseudo-terminal: what is written to ``near`` is read at ``far``."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.far, self.near = os.pipe() if kind == "pipe" else pty.openpty()
        if kind == "pipe":
            fcntl.fcntl(self.near, fcntl.F_SETPIPE_SZ, 4096)

    def fill(self) -> int:
        """Until nothing more goes in, as a reader who has stopped leaves it."""
        if self.kind == "stopped":
            termios.tcflow(self.near, termios.TCOOFF)
            return 0
        handle = os.open(f"/proc/self/fd/{self.near}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        filled = full = 0
        # The kernel moves on what it has taken: only what is full several times over is full.
        while full < 5:
            try:
                filled += os.write(handle, b"x" * (1 if full else 512))
                full = 0
            except BlockingIOError:
                full += 1
                time.sleep(0.02)
        os.close(handle)
        return filled

    def go_on(self) -> None:
        if self.kind == "stopped":
            termios.tcflow(self.near, termios.TCOON)

    def text(self, until: str) -> str:
        found = ""
        while until not in found:
            found = (found + os.read(self.far, 65536).decode()).replace("\r\n", "\n")
        return found.lstrip("x")

    def empty(self) -> str:
        os.set_blocking(self.far, False)
        found = b""
        try:
            while True:
                found += os.read(self.far, 65536)
        except BlockingIOError:
            return found.decode().replace("\r\n", "\n").lstrip("x")
        finally:
            os.set_blocking(self.far, True)

    def close(self) -> None:
        for end in (self.far, self.near):
            os.close(end)


@pytest.fixture(params=["pipe", "terminal", "stopped"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = Ends(request.param)
    yield made
    made.close()


def test_a_line_is_out_at_once(ends: Ends) -> None:
    outlet = Outlet(ends.near)
    assert outlet.put("STOP\n") is True and outlet.hand_over(MAY) is True
    assert ends.text(MAY) == f"STOP\n{MAY}"


def test_stop_waits_for_no_reader_and_comes_when_there_is_one(ends: Ends) -> None:
    ends.fill()
    outlet = Outlet(ends.near)
    # A minute of them, and the caller is not held up: pytest's own limit would show it.
    assert [outlet.put(f"STOP {number}\n") for number in range(60)] == [False] * 60
    ends.go_on()
    text = ends.text("STOP 59\n")
    assert text == "".join(f"STOP {number}\n" for number in range(60))
    assert outlet.drain(30.0) and outlet.waiting == 0


def test_a_permission_that_nobody_is_shown_is_not_shown_later_either(ends: Ends) -> None:
    ends.fill()
    outlet = Outlet(ends.near)
    assert outlet.hand_over(MAY, 0.05) is False
    assert outlet.put("STOP\n") is False and outlet.hand_over(MAY, 0.05) is False
    ends.go_on()
    assert ends.text("STOP\n") == "STOP\n"
    assert outlet.drain(30.0) and ends.empty() == ""
    assert outlet.hand_over(MAY) is True and ends.text(MAY) == MAY


def test_half_a_permission_is_taken_back_in_the_same_line() -> None:
    ends = Ends("terminal")
    filled = ends.fill()
    assert filled
    os.read(ends.far, 1024)
    outlet, long = Outlet(ends.near), "you may disconnect source B now " * 2000 + "\n"
    assert outlet.hand_over(long, 0.05) is False
    text = ends.text(NOT_GIVEN.strip())
    assert text.count("\n") == 1 and text.endswith(NOT_GIVEN) and "NOT GIVEN" in text
    ends.close()


def test_flags_of_the_descriptor_at_hand_stay_as_they_are(ends: Ends) -> None:
    """They are shared with Ansible and the shell: a blocked write of theirs would fail."""
    Outlet(ends.near).put("STOP\n")
    assert os.get_blocking(ends.near)


def test_a_file_is_added_to_and_not_written_over(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"before\n")
        file.flush()
        outlet = Outlet(file.fileno())
        assert outlet.put("STOP\n") and outlet.hand_over(MAY)
        file.write(b"behind\n")
    assert (tmp_path / "log").read_text() == f"before\nSTOP\n{MAY}behind\n"


def test_a_reader_who_is_gone_raises_nothing() -> None:
    read, write = os.pipe()
    outlet = Outlet(write)
    os.close(read)
    assert outlet.put("STOP\n") is False and outlet.hand_over(MAY) is False and outlet.drain(0.0)
    os.close(write)
    for descriptor in (-1, 1_000_000):
        assert Outlet(descriptor).put("STOP\n") is False and Outlet(descriptor).hand_over(MAY, 0.0) is False


def test_lines_of_several_threads_are_not_mixed(ends: Ends) -> None:
    ends.fill()
    outlet = Outlet(ends.near)
    threads = [threading.Thread(target=outlet.put, args=(f"STOP {name * 50}\n",)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends.go_on()
    text = ""
    while text.count("\n") < 8:
        text += os.read(ends.far, 65536).decode().replace("\r\n", "\n")
    assert sorted(text.lstrip("x").splitlines()) == [f"STOP {name * 50}" for name in "abcdefgh"]


# --- the question -------------------------------------------------------------------------------------------


@pytest.fixture
def typed() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_what_was_typed_before_is_thrown_away(typed: tuple[int, int]) -> None:
    master, slave = typed
    os.write(master, b"B\nhalf")
    question = _terminal.ask(slave, lambda: True)
    assert question is not None and question.poll() is None
    os.write(master, b"A\n")
    assert question.poll() == "A" and question.poll() is None
    os.write(master, b"no l")
    assert question.poll() is None
    os.write(master, b"oad\nB\n")
    assert [question.poll(), question.poll(), question.poll()] == ["no load", "B", None]
    os.write(master, b"too late\n")
    question.close()
    question.close()
    assert question.poll() is None
    again = _terminal.ask(slave, lambda: True)
    assert again is not None and again.poll() is None


def test_an_answer_is_bounded_and_plain(typed: tuple[int, int]) -> None:
    master, slave = typed
    question = _terminal.ask(slave, lambda: True)
    assert question is not None
    os.write(master, b"\x1b[2J\xff " + b"x" * 1000 + b"\n")
    text = question.poll()
    assert text is not None and text.isprintable() and len(text) <= 256 and "\x1b" not in text
    # Ctrl-D ends a line for a shell; here it is no answer and no end.
    os.write(master, b"\x04")
    assert question.poll() is None
    os.write(master, b"B\n")
    assert question.poll() == "B"


def test_only_one_run_asks_on_a_terminal(typed: tuple[int, int]) -> None:
    _master, slave = typed
    first = _terminal.ask(slave, lambda: True)
    assert first is not None and _terminal.ask(slave, lambda: True) is None
    first.close()
    second = _terminal.ask(slave, lambda: True)
    assert second is not None
    second.close()


def test_in_the_background_what_is_typed_is_the_shells(typed: tuple[int, int]) -> None:
    master, slave = typed
    front = [True]
    question = _terminal.ask(slave, lambda: front[0])
    assert question is not None
    front[0] = False
    os.write(master, b"B\n")
    assert question.poll() is None and _terminal.ask(slave, lambda: front[0]) is None
    question.close()
    assert os.read(slave, 100) == b"B\n"


def test_without_a_terminal_nobody_is_asked() -> None:
    assert _terminal.ask(-1, lambda: True) is None and _terminal.ask(1_000_000, lambda: True) is None


def test_a_terminal_that_is_hung_up_says_nothing() -> None:
    master, slave = pty.openpty()
    question = _terminal.ask(slave, lambda: True)
    assert question is not None
    os.close(master)
    assert question.poll() is None
    question.close()
    os.close(slave)


@pytest.mark.parametrize(
    ("stat", "front"),
    [
        ("7 (a) b) S 1 70 70 34816 70 0", True),
        ("7 (python) S 1 70 70 34816 71 0", False),
        ("7 (python) S 1 70 70 0 -1 0", False),
        ("7 (python) S 1 -1 70 0 -1 0", False),
        ("", False),
        ("7 (", False),
    ],
)
def test_who_is_in_front(stat: str, front: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_terminal.Path, "read_text", lambda *_given, **_more: stat)
    assert _terminal.run_in_front() is front
