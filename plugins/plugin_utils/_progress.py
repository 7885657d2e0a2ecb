# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress on stderr, from the worker process."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from ansible import constants as C
from ansible.utils.display import Display

from ansible_collections.dcops.apc.plugins.module_utils._runs._results import clean

MAX_LINE = 400
TERMINAL_PACE_S = 1.0
LOG_PACE_S = 15.0


def _is_terminal() -> bool:
    # ansible-runner, and so AWX, gives every job a pseudo-terminal: what is printed there is kept as a log.
    if os.environ.get("AWX_ISOLATED_DATA_DIR"):
        return False
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


# Asked when the plugin is loaded, before the fork: from core 2.19 on a worker has no stderr of its own.
ON_TERMINAL = _is_terminal()


def _keep_stderr() -> int:
    """From core 2.19 on a worker's own stderr leads nowhere; a copy made before the fork still reaches the person."""
    try:
        return os.dup(2)
    except OSError:
        return -1


STDERR = _keep_stderr()

# A line that differs in numbers only ("4:12 of 5:00", "216 V") is the same line, later.
_NUMBERS = re.compile(r"[0-9]+(?:[.:][0-9]+)*")
_HANDS_OFF = re.compile(r"DO NOT|TOUCH NO|CONNECT NO|[Ww]rong plug|[Ww]ithdrawn|[Ll]eave every")


class LiveProgress:
    """``say`` never raises and never blocks the work: a dead terminal must not stop an upgrade half-way."""

    def __init__(
        self,
        silent: bool = False,
        on_terminal: bool | None = None,
        write: Callable[[str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
        hide: Callable[[str], str] = str,
        label: str = "",
    ) -> None:
        # What the lines begin with: the name a person knows the unit by.
        self.label = label
        self._no_log = silent
        self._silent = silent
        self._pace_s = TERMINAL_PACE_S if (ON_TERMINAL if on_terminal is None else on_terminal) else LOG_PACE_S
        self._write = write or _display
        self._now = now
        self._hide = hide
        self._parent = os.getppid()
        self._last: tuple[str, str] | None = None
        self._shown: dict[str, float] = {}

    def urgent(self, text: str) -> None:
        """Straight to the terminal: for a run that is being ended, when Ansible's display may be gone already."""
        line = f"\n{clean(self._hide(text), MAX_LINE * 2, keep='')}\n"
        if not self._no_log and STDERR >= 0:
            with suppress(OSError):
                os.write(STDERR, line.encode(errors="replace"))

    def orphaned(self) -> bool:
        """Is the ansible-playbook gone that started this worker? Then nobody reads what is said."""
        return os.getppid() != self._parent

    def say(self, text: str, key: str | None = None) -> None:
        """With a ``key``, a text that differs only in numbers is shown at the pace; anything else at once."""
        if self._silent:
            return
        if self.orphaned():
            # ansible-playbook is gone. Nobody empties the pipe to it, and a full one would block for ever.
            self._silent = True
            return
        line = clean(self._hide(text), MAX_LINE, keep="")
        this = (key or "", _NUMBERS.sub("#", line) if key else line)
        now = self._now()
        if this == self._last and (not key or now - self._shown.get(key, 0.0) < self._pace_s):
            return
        self._last = this
        if key:
            self._shown[key] = now
        try:
            self._write(line)
        except Exception:
            self._silent = True


def _display(line: str) -> None:
    color = C.COLOR_WARN if _HANDS_OFF.search(line) else C.COLOR_OK if " you may " in line else C.COLOR_VERBOSE
    Display().display(line, color=color, stderr=True)
