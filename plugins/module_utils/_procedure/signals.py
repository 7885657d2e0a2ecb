# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals are held while bytes go out: a transfer ends at a safe point or not at all (SAFETY 7).

Private to the collection.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted

# SIGALRM is Ansible's task timeout, SIGHUP a closed terminal, SIGTSTP a Ctrl-Z that would freeze a transfer.
HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGQUIT, signal.SIGTSTP)


@contextmanager
def _handlers(numbers: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, old in before:
            # None: the handler was not set from Python and cannot be put back by it.
            signal.signal(number, old if old is not None else signal.SIG_DFL)


@contextmanager
def held_signals() -> Iterator[None]:
    """What arrives inside is noted, and sent again at the end.

    Handlers, not a mask: a mask holds for one thread, and what another thread takes still runs in the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    try:
        with _handlers(HELD, lambda number, frame: noted.append(number)):
            yield
    finally:
        for number in dict.fromkeys(noted):
            os.kill(os.getpid(), number)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGINT raise Interrupted, so that the end of a run is still written down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Interrupted(f"signal {signal.Signals(number).name}")

    with _handlers((signal.SIGTERM, signal.SIGINT), stop):
        yield
