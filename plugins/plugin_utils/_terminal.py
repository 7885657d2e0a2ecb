# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The person's terminal from a worker process: writing that waits for no reader, and a question. Private."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless

# How long a permission may take to reach the terminal; SAFETY 1.8 leaves 3 s from the measurement on.
HANDOVER_S = 1.5
_PUMP_S = 0.1
_MAX_ANSWER = 256
# Behind a permission of which a part has gone out when the reader stopped: what the rest of it must not say.
NOT_GIVEN = " ... STOP: this was NOT SAID TO ITS END and is NOT GIVEN. Touch nothing.\n"


def _kept(descriptor: int) -> int:
    """From core 2.19 on a worker's own ones lead nowhere; a copy made before the fork still reaches the person."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    except (OSError, ValueError):
        return -1


def _is_terminal(stream: object, descriptor: int) -> bool:
    # ansible-runner, and so AWX, gives every job a pseudo-terminal: what is printed there is kept as a log.
    if os.environ.get("AWX_ISOLATED_DATA_DIR"):
        return False
    try:
        return bool(stream.isatty()) if hasattr(stream, "isatty") else os.isatty(descriptor)
    except (OSError, ValueError):
        return False


# All three when the plugin is loaded, before the fork.
STDERR = _kept(2)
ON_TERMINAL = _is_terminal(sys.stderr, 2)
STDIN = _kept(0) if ON_TERMINAL and _is_terminal(sys.stdin, 0) else -1


class Outlet:
    """Lines for a descriptor, in their order, without ever waiting for its reader; none is dropped.

    What cannot be written at once is written by a thread of its own as soon as somebody reads.
    """

    def __init__(self, descriptor: int) -> None:
        self._handle = _unblocking(descriptor)
        self._waiting: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._pump: threading.Thread | None = None

    def put(self, line: str) -> bool:
        """True: it is out whole. False: it waits for a reader."""
        with self._lock:
            self._waiting.append(_encoded(line))
            done = self._flush()
        if not done:
            self._start()
        return done

    def hand_over(self, line: str, seconds: float = HANDOVER_S, now: Callable[[], float] = time.monotonic) -> bool:
        """True: it is out whole, within the time. False: it will not be said, not later either."""
        end, data = now() + seconds, _encoded(line)
        while True:
            with self._lock:
                if self._flush():
                    left = self._write(data)
                    if left is None:
                        return False
                    if not left:
                        return True
                    if len(left) < len(data):
                        return self._rest(left, end, now)
            if self._handle < 0 or now() >= end:
                return False
            self._await(end - now())

    def _rest(self, left: bytes, end: float, now: Callable[[], float]) -> bool:
        # Holding the lock: nothing may come between the two halves of a line.
        while left and now() < end:
            self._await(end - now())
            rest = self._write(left)
            if rest is None:
                return False
            left = rest
        if not left:
            return True
        self._waiting.append(_encoded(NOT_GIVEN))
        threading.Thread(target=self._start, daemon=True).start()
        return False

    def drain(self, seconds: float, now: Callable[[], float] = time.monotonic) -> bool:
        """At a run's end: what still waits gets so long a last chance. True: all is out."""
        end = now() + seconds
        while True:
            with self._lock:
                if self._flush() or self._handle < 0 or now() >= end:
                    return not self._waiting
            self._await(end - now())
            time.sleep(_PUMP_S / 4)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _await(self, seconds: float) -> None:
        with suppress(OSError, ValueError):
            select.select([], [self._handle], [], max(0.0, min(_PUMP_S, seconds)))

    def _flush(self) -> bool:
        while self._waiting:
            left = self._write(self._waiting[0])
            if left is None:
                # Nobody will ever read it.
                self._waiting.clear()
                return False
            if left:
                self._waiting[0] = left
                return False
            self._waiting.popleft()
        return self._handle >= 0

    def _write(self, data: bytes) -> bytes | None:
        """What is left of it; None where the reader is gone."""
        while data:
            try:
                data = data[os.write(self._handle, data) :]
            except (BlockingIOError, InterruptedError):
                return data
            except OSError:
                self._handle = -1
                return None
        return data

    def _start(self) -> None:
        with self._lock:
            if self._handle < 0 or (self._pump is not None and self._pump.is_alive()):
                return
            self._pump = threading.Thread(target=self._work, name="apc-stop-lines", daemon=True)
            self._pump.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._flush() or self._handle < 0:
                    self._pump = None
                    return
            # A stopped terminal is not told by select on every system; and a busy loop would be no better.
            self._await(_PUMP_S)
            time.sleep(_PUMP_S / 2)


def _encoded(line: str) -> bytes:
    return line.encode("utf-8", errors="replace")


def _unblocking(descriptor: int) -> int:
    """The same file opened anew: a flag set on the one at hand would be seen by Ansible and by the shell too."""
    if descriptor < 0:
        return -1
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            # It never waits, and opened anew it would be written over from its beginning.
            return descriptor
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return -1


# -- the question -------------------------------------------------------------------------------------------------


class Question:
    """One question on the terminal. What was typed before it stood is thrown away; ``poll`` never waits."""

    def __init__(self, handle: int, in_front: Callable[[], bool]) -> None:
        self._handle, self._in_front = handle, in_front
        self._typed = b""
        with suppress(termios.error):
            termios.tcflush(handle, termios.TCIFLUSH)

    def poll(self) -> str | None:
        """One typed line, without its end; None where none is there, or the run is not in the foreground."""
        if self._handle < 0:
            return None
        # In the background what is typed belongs to the shell.
        while self._in_front() and b"\n" not in self._typed:
            try:
                data = os.read(self._handle, 1024)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as exc:
                if exc.errno == errno.EIO:
                    # Put into the background just now, or hung up: then nothing comes any more.
                    break
                raise
            if not data:
                break
            self._typed = (self._typed + data.replace(b"\r", b"\n"))[-4096:]
        line, end, rest = self._typed.partition(b"\n")
        if not end:
            return None
        self._typed = rest
        text = line[:_MAX_ANSWER].decode("utf-8", errors="replace")
        return harmless(text, 200).strip()

    def close(self) -> None:
        if self._handle >= 0:
            # An answer that came too late must not be typed into the shell behind the run.
            with suppress(termios.error):
                if self._in_front():
                    termios.tcflush(self._handle, termios.TCIFLUSH)
            os.close(self._handle)
            self._handle = -1


def ask(terminal: int, in_front: Callable[[], bool] | None = None) -> Question | None:
    """None where nobody can be asked: no terminal, in the background, or another run asks on this one."""
    in_front = in_front or run_in_front
    if terminal < 0 or not in_front():
        return None
    handle = -1
    try:
        handle = os.open(f"/proc/self/fd/{terminal}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        # Two that ask on one terminal would take each other's answers.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Question(handle, in_front)
    except OSError:
        if handle >= 0:
            os.close(handle)
        return None


def run_in_front() -> bool:
    """Is ansible-playbook, or this worker where it has a terminal of its own, what the terminal listens to?

    Reading without that would stop the job (SIGTTIN), or take what is typed into the shell. From core 2.19 on the
    worker itself has no controlling terminal, so its parent is asked.
    """
    return any(_in_front(process) for process in (os.getpid(), os.getppid()))


def _in_front(process: int) -> bool:
    try:
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return False
    # Behind the name, which may hold anything: state, ppid, pgrp, session, tty_nr, tpgid.
    fields = text.rpartition(")")[2].split()
    return len(fields) > 5 and fields[4] != "0" and fields[2] == fields[5]
