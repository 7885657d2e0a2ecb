# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may have to wait for a disk, done beside the watching (SAFETY 1.8).

While a permission stands somebody may have a hand on a plug: then a folder that hangs must not keep the run from
measuring and from saying STOP.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Aside:
    """One thread, one job after the other, in the order given. A job does not raise."""

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._worker: threading.Thread | None = None

    def do(self, job: Callable[[], None]) -> None:
        """Returns at once."""
        with self._changed:
            self._jobs.append(job)
            if self._worker is None:
                # Made by the process that uses it: threads do not outlive a fork.
                self._worker = threading.Thread(target=self._work, name="apc-aside", daemon=True)
                self._worker.start()
            self._changed.notify_all()

    def wait(self) -> None:
        """Until everything given is done, however long the disk takes; at once where nothing is."""
        if self._worker is None:
            return
        with self._changed:
            while self._jobs or self._busy:
                self._changed.wait()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs:
                    self._changed.wait()
                job = self._jobs.popleft()
                self._busy = True
            with suppress(Exception):
                job()
            with self._changed:
                self._busy = False
                self._changed.notify_all()


class AtOnce(Aside):
    """For what waits anyway, and for a clock that is not real."""

    def do(self, job: Callable[[], None]) -> None:
        job()
