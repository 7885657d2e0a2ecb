# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress on stderr, from the worker process."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ansible import constants as C
from ansible.utils.color import stringc
from ansible.utils.display import Display

from ansible_collections.dcops.apc.plugins.module_utils._runs._results import clean
from ansible_collections.dcops.apc.plugins.plugin_utils import _terminal
from ansible_collections.dcops.apc.plugins.plugin_utils._terminal import Outlet, Question

MAX_LINE = 400
# Whole: an instruction may stand behind many differences, and is split into lines rather than cut off.
MAX_TEXT = 10 * MAX_LINE
TERMINAL_PACE_S = 1.0
LOG_PACE_S = 15.0
# Lines that wait for a reader. Chatter is dropped first; what nobody has read after so many is not worth the memory.
MAX_WAITING = 40
MAX_KEPT = 400
_DRAIN_S = 2.0

# A line that differs in numbers only ("4:12 of 5:00", "216 V") is the same line, later.
_NUMBERS = re.compile(r"[0-9]+(?:[.:][0-9]+)*")
_HANDS_OFF = re.compile(
    r"\b(?:stop|do not|touch no|touch nothing|connect no|pull no)\b|wrong plug|withdrawn|leave every|is on\b|not given",
    re.IGNORECASE,
)
_MAY = re.compile(r"\byou may\b", re.IGNORECASE)


class LiveProgress:
    """Never raises and never waits for a reader: a terminal that nobody reads must not stop an upgrade half-way.

    ``say``: ordinary lines, by Ansible's display, dropped where nobody reads. ``stop`` and ``permit``: straight to
    where ansible-playbook's own stderr leads, past everything that waits.
    """

    def __init__(
        self,
        silent: bool = False,
        on_terminal: bool | None = None,
        write: Callable[[str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
        hide: Callable[[str], str] = str,
        label: str = "",
        outlet: Outlet | None = None,
    ) -> None:
        # What the lines begin with: the name a person knows the unit by.
        self.label = label
        self._no_log = silent
        self._silent = silent
        self._pace_s = (
            TERMINAL_PACE_S if (_terminal.ON_TERMINAL if on_terminal is None else on_terminal) else LOG_PACE_S
        )
        self._lines = Lines(_display) if write is None else None
        self._write = write or self._queue
        self._now = now
        self._hide = hide
        self._parent = os.getppid()
        self._last: tuple[str, str] | None = None
        self._shown: dict[str, float] = {}
        self._straight = outlet

    # -- what is never dropped -----------------------------------------------------------------------------------

    def stop(self, text: str) -> None:
        """What takes back, or tells that a load is on: at once, whatever waits, and whatever becomes of Ansible."""
        if not self._no_log:
            self._outlet.put(_coloured(self._whole(text), C.COLOR_WARN))
            self._log(text)

    # A run that is being ended says its last words the same way.
    urgent = stop

    def permit(self, text: str) -> bool:
        """False: it could not be shown within 1.5 s, is not shown later, and so is not given."""
        if self._no_log or self.orphaned():
            return False
        given = self._outlet.hand_over(_coloured(self._whole(text), C.COLOR_OK))
        if given:
            self._log(text)
        return given

    def repeat(self, text: str, key: str) -> None:
        """A permission that stands, said again at the pace of ``say``; dropped where it could not be shown at once.

        By the way of ``stop``: on a screen that was held for a while it must not come behind the STOP said after it.
        """
        if self._no_log or self._silent or self.orphaned() or not self._due(text, key):
            return
        if self._outlet.waiting == 0 and self._outlet.hand_over(_coloured(self._whole(text), C.COLOR_OK), 0.0):
            self._log(text)

    def question(self, prompt: str) -> Question | None:
        """Stands until it is closed; None where there is no terminal, or nobody to read it there."""
        if self._no_log or self.orphaned():
            return None
        question = _terminal.ask(_terminal.STDIN)
        if question is not None and not self._outlet.hand_over(_coloured(self._whole(prompt), C.COLOR_OK)):
            question.close()
            return None
        return question

    @property
    def _outlet(self) -> Outlet:
        # Made by the worker that uses it: threads do not outlive a fork.
        if self._straight is None:
            self._straight = Outlet(_terminal.STDERR)
        return self._straight

    def _whole(self, text: str) -> list[str]:
        return split(clean(self._hide(text), MAX_TEXT, keep=""))

    def _log(self, text: str) -> None:
        """Into Ansible's own log file, where there is one; on the screen it stands already."""
        if C.DEFAULT_LOG_PATH and self._lines is not None:
            for line in self._whole(text):
                self._lines.put(line, log_only=True)

    # -- ordinary lines ------------------------------------------------------------------------------------------

    def orphaned(self) -> bool:
        """Is the ansible-playbook gone that started this worker? Then nobody reads what is said."""
        return os.getppid() != self._parent

    def say(self, text: str, key: str | None = None) -> None:
        """With a ``key``, a text that differs only in numbers is shown at the pace; anything else at once."""
        if self._silent:
            return
        if self.orphaned():
            # ansible-playbook is gone. Nobody empties the pipe to it.
            self._silent = True
            return
        if not self._due(text, key):
            return
        try:
            for line in self._whole(text):
                self._write(line)
        except Exception:
            self._silent = True

    def _due(self, text: str, key: str | None) -> bool:
        whole = " ".join(self._whole(text))
        this = (key or "", _NUMBERS.sub("#", whole) if key else whole)
        now = self._now()
        if this == self._last and (not key or now - self._shown.get(key, 0.0) < self._pace_s):
            return False
        self._last = this
        if key:
            self._shown[key] = now
        return True

    def _queue(self, line: str) -> None:
        if self._lines is not None:
            self._lines.put(line)

    def finish(self) -> None:
        """Behind the last line, before the result goes the same way: nothing of ours may be under way in it."""
        if self._straight is not None:
            self._straight.drain(_DRAIN_S)
        if self._lines is not None:
            self._lines.finish(_DRAIN_S, self.orphaned)


class Lines:
    """Ordinary lines on their way to Ansible's display, by a thread: its queue is full where nobody reads."""

    def __init__(self, show: Callable[[str, bool], None]) -> None:
        self._show = show
        self._waiting: deque[tuple[str, bool]] = deque()
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._busy = self._closed = False
        self.dropped = 0

    def put(self, line: str, log_only: bool = False) -> None:
        with self._changed:
            if self._closed:
                return
            self._waiting.append((line, log_only))
            self._make_room()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="apc-progress", daemon=True)
                self._worker.start()
            self._changed.notify_all()

    def _make_room(self) -> None:
        if len(self._waiting) <= MAX_WAITING:
            return
        chatter = next(
            (entry for entry in self._waiting if not (_HANDS_OFF.search(entry[0]) or _MAY.search(entry[0]))), None
        )
        if chatter is not None:
            self._waiting.remove(chatter)
            self.dropped += 1
        elif len(self._waiting) > MAX_KEPT:
            self._waiting.popleft()
            self.dropped += 1

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                line, log_only = self._waiting.popleft()
                self._busy = True
            try:
                self._show(line, log_only)
            except Exception:
                with self._changed:
                    # A dead screen.
                    self._waiting.clear()
                    self._closed = True
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def finish(self, seconds: float, orphaned: Callable[[], bool]) -> None:
        """Waits for the lines, not longer than ``seconds`` without one of them going out; then for the one that is.

        That one alone for as long as it takes: the result would have to wait for the same reader.
        """
        with self._changed:
            left = len(self._waiting)
            while self._waiting and not orphaned():
                self._changed.wait(seconds)
                if len(self._waiting) == left:
                    break
                left = len(self._waiting)
            self._waiting.clear()
            self._closed = True
            self._changed.notify_all()
            while self._busy and not orphaned():
                self._changed.wait(0.2)


def split(text: str) -> list[str]:
    """One text as lines of at most MAX_LINE, broken at spaces where there are any."""
    lines = []
    while len(text) > MAX_LINE:
        at = text.rfind(" ", MAX_LINE // 2, MAX_LINE)
        at = MAX_LINE if at < 0 else at
        lines.append(text[:at])
        text = "  " + text[at:].lstrip()
    return [*lines, text]


def _coloured(lines: list[str], color: str) -> str:
    # Ansible's own cursor may stand anywhere in a line.
    start = "\n" if _terminal.ON_TERMINAL else ""
    return start + "".join(f"{stringc(line, color)}\n" for line in lines)


def _display(line: str, log_only: bool) -> None:
    color = C.COLOR_WARN if _HANDS_OFF.search(line) else C.COLOR_OK if _MAY.search(line) else C.COLOR_VERBOSE
    with suppress(BrokenPipeError):
        Display().display(line, color=color, stderr=True, log_only=log_only)
