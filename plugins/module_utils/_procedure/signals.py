# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals are noted, and raised at a safe point only: never inside a handler, never while bytes go out (SAFETY 1.8, 7).

A handler that raised would tear whatever the main thread happens to be at: a record half written, a word half said.
So it sets a mark, and ``stop_if_asked`` raises where the run says that it may end.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted

# SIGALRM is Ansible's task timeout, SIGHUP a closed terminal.
ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM)
# SIGTSTP is a Ctrl-Z that would freeze a transfer; it asks nobody to end.
HELD = (*ASKING, signal.SIGTSTP)


class _Notes:
    """What arrived, in its order. ``holds``: how many blocks want to be left alone now."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.holds = 0
        self.answered = False

    def note(self, number: int, frame: Any) -> None:
        self.arrived.append(number)


# Signals belong to the process, so do the notes of them; only the main thread ever sets or reads these.
_current: list[_Notes] = []


def _in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _handlers(numbers: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, old in before:
            # None: the handler was not set from Python and cannot be put back by it.
            signal.signal(number, old if old is not None else signal.SIG_DFL)


def _send_again(numbers: list[int]) -> None:
    for number in dict.fromkeys(numbers):
        os.kill(os.getpid(), number)


@contextmanager
def noted_signals() -> Iterator[None]:
    """For the whole of a run, its ending included: what asks it to end is noted.

    Behind it nothing is sent again where the run has ended for it, or by a failure of its own: that answers it.
    """
    if not _in_main() or _current:
        yield
        return
    notes = _Notes()
    _current.append(notes)
    ended_well = False
    try:
        with _handlers(ASKING, notes.note):
            yield
            ended_well = True
    finally:
        _current.clear()
        if ended_well and not notes.answered:
            _send_again(notes.arrived)


@contextmanager
def held_signals() -> Iterator[None]:
    """Inside nothing is raised; what arrived counts at the next safe point behind it.

    Handlers, not a mask: a mask holds for one thread, and what another thread takes still runs in the main one.
    """
    if not _in_main():
        yield
        return
    later: list[int] = []
    notes = _current[0] if _current else None
    numbers = HELD if notes is None else (signal.SIGTSTP,)
    if notes is not None:
        notes.holds += 1
    try:
        with _handlers(numbers, lambda number, frame: later.append(number)):
            yield
    finally:
        if notes is not None:
            notes.holds -= 1
        _send_again(later)


def stop_if_asked() -> None:
    """The one place where a signal ends a run. Raises Interrupted, once; while signals are held it does nothing."""
    notes = _current[0] if _current else None
    if notes is None or notes.holds or notes.answered or not notes.arrived or not _in_main():
        return
    notes.answered = True
    raise Interrupted(f"signal {signal.Signals(notes.arrived[0]).name}")
