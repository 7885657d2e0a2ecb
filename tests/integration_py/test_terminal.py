# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook in a real pseudo-terminal: the question, a reader who does not read, a run in the background."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.words import WordBox

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
LIMIT_S = 90.0
# Becomes the leader of a session with the terminal as its own; then the shell's part: a job in front or behind.
SHELL = """
import fcntl, os, signal, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = subprocess.Popen(sys.argv[2:], process_group=0)
if sys.argv[1] == "front":
    os.tcsetpgrp(0, job.pid)
sys.exit(job.wait())
"""


class Asked(NamedTuple):
    what: str = "secondary_disconnected"
    source: str = "B"
    number: int = 3


class Terminal:
    def __init__(self, folder: Path, where: str = "front", chatter: int = 0) -> None:
        self.folder = folder
        self.master, slave = pty.openpty()
        self.slave = slave
        self.screen = b""
        play = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [{"terminal_words": {"folder": str(folder), "chatter": chatter}}],
            }
        ]
        (folder / "play.yml").write_text(json.dumps(play))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "APC_", "AWX_"))}
        kept |= {"ANSIBLE_ACTION_PLUGINS": str(HERE / "action_plugins"), "ANSIBLE_LOCALHOST_WARNING": "false"}
        self.before = termios.tcgetattr(slave)
        playbook = [str(BIN / "ansible-playbook"), "-i", "localhost,", str(folder / "play.yml")]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SHELL, where, *playbook], stdin=slave, stdout=slave, stderr=slave, env=kept
        )

    def until(self, *names: str) -> None:
        end = time.monotonic() + LIMIT_S
        while not all((self.folder / name).exists() for name in names):
            assert time.monotonic() < end and self.process.poll() is None, (names, self.screen[-2000:])
            self.read(0.05)

    def read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.screen += os.read(self.master, 65536)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> dict[str, Any]:
        end = time.monotonic() + LIMIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end, self.screen[-2000:]
            self.read(0.05)
        while select.select([self.master], [], [], 0.1)[0]:
            self.screen += os.read(self.master, 65536)
        assert self.process.returncode == 0, self.screen[-2000:]
        # As it was found: the shell behind the run must not suffer.
        assert termios.tcgetattr(self.slave) == self.before
        told: dict[str, Any] = json.loads((self.folder / "told.json").read_text())
        return told

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_a_question_at_the_terminal(terminals: list[Terminal], tmp_path: Path) -> None:
    terminals.append(Terminal(tmp_path))
    (terminal,) = terminals
    terminal.until("begun")
    # Typed before the question stands: the answer to some other one, or a slip.
    terminal.type("B\nhalf a li")
    (tmp_path / "go").touch()
    terminal.until("asked")
    terminal.type("A\n")
    terminal.type("B\n")
    told = terminal.ended()
    assert told["permitted"] is True and told["asked"] is True
    assert told["heard"] == ["A", "B"], "what was typed before the question counts"
    screen = terminal.screen.decode(errors="replace")
    assert screen.index("STOP, DO NOT PULL") < screen.index("you may disconnect") < screen.index("type 'B'")


def test_a_reader_who_does_not_read_stops_nothing_and_is_told_to_stop(
    terminals: list[Terminal], tmp_path: Path
) -> None:
    terminals.append(Terminal(tmp_path, chatter=2000))
    (terminal,) = terminals
    terminal.until("begun")
    # Ctrl-S, which is what a full screen, "less" and a lost link look like too.
    terminal.type("\x13")
    time.sleep(0.2)
    (tmp_path / "go").touch()
    end = time.monotonic() + LIMIT_S
    while not (tmp_path / "asked").exists():
        assert time.monotonic() < end, "the run waits for its reader"
        time.sleep(0.05)
    assert b"chatter" not in terminal.screen
    terminal.type("\x11")
    (tmp_path / "end").touch()
    told = terminal.ended()
    assert told["permitted"] is False and told["asked"] is False, "a permission that nobody was shown"
    assert b"STOP, DO NOT PULL" in terminal.screen and b"you may disconnect" not in terminal.screen


def test_in_the_background_nobody_is_asked_and_the_job_is_not_stopped(
    terminals: list[Terminal], tmp_path: Path
) -> None:
    terminals.append(Terminal(tmp_path, "behind"))
    (terminal,) = terminals
    terminal.until("begun")
    (tmp_path / "go").touch()
    terminal.type("B\n")
    told = terminal.ended()
    assert told["asked"] is False and told["heard"] == []
    # It is still there, for the shell in front.
    assert select.select([terminal.slave], [], [], 0)[0]


def test_a_word_by_its_playbook_reaches_the_run_that_waits(tmp_path: Path) -> None:
    asked = Asked()
    store = StateDir(tmp_path, ephemeral=True)
    store.prepare()
    locks = store.locks("r1")
    keys = ["addr-192.0.2.1-161", "ats-5A1511T00001"]
    locks.add(keys)
    box = WordBox(tmp_path, lambda: datetime.now(timezone.utc))
    box.belongs_to(lambda: keys, lambda: {"run": "r1", "pid": os.getpid(), "host": "c", "label": "ats-01"})
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "APC_", "AWX_"))}

    def say(**given: str) -> subprocess.CompletedProcess[str]:
        variables = {f"ats_word_{name}": value for name, value in given.items()}
        return subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "localhost,", str(HERE.parents[1] / "playbooks" / "ats_word.yml")]
            + ["-e", json.dumps(variables)],
            env={**kept, "APC_STATE_DIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    word = {"unit": "5A1511T00001", "what": "secondary_disconnected", "source": "B"}
    early = say(**word)
    assert early.returncode != 0 and "No run asks" in early.stdout
    box.publish(asked)
    # A survey's choice that was left open comes as an empty text.
    assert say(unit="5A1511T00001", what="secondary_disconnected", source="").returncode != 0
    assert say(**{**word, "source": "A"}).returncode != 0
    assert box.words(asked) == []
    said = say(**word)
    assert said.returncode == 0 and "permit" not in said.stderr, said.stdout + said.stderr
    assert [heard[:2] for heard in box.words(asked)] == [("5A1511T00001", "B")]
    locks.close()
