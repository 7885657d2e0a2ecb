# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""controller_quiet: is it certain that no firmware download into the ATS controller is going on? (SAFETY 3, 5.)"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import ColdStart
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Watch
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found

# What a run that ends without having asked anything must have seen of the card, and a failed row of its rows.
LONG_UPTIME_S = 900.0
SHORT_UPTIME_S = 300.0
WATCH_S = 240.0
END_NOT_SEEN_S = 300.0


@dataclass(frozen=True)
class LogFacts:
    """What the event log says. Times are device seconds; ``begun_seen_s`` is when the open begun row was first seen.

    ``comparable`` False: it shares no row with the log read before it, so 300 and 240 double.
    """

    readable: bool = False
    error: str = "event.txt was not read yet"
    fetched_s: float = 0.0
    begun: str = ""
    begun_seen_s: float = 0.0
    comparable: bool = True
    new_failed: str = ""
    # The newest failed row that no later success has ended, and what the log shows behind it (SAFETY 5).
    failed: str = ""
    failed_then_start: bool = False
    failed_then_begun: bool = False
    foreign: str = ""
    cold_start: ColdStart = field(default_factory=ColdStart)

    @property
    def doubled(self) -> float:
        return 1.0 if self.comparable else 2.0


def download_open(log: LogFacts, watch: Watch) -> bool:
    """A begun download counts as going on until 300 s were watched unbroken since it was first seen."""
    if not log.begun:
        return False
    if watch.unbroken_since_s is None:
        return True
    return watch.now_s - max(log.begun_seen_s, watch.unbroken_since_s) < END_NOT_SEEN_S * log.doubled


def failed_stands(log: LogFacts, watch: Watch, established: bool) -> str:
    """The failed row that stands, for every later run and over restarts too; empty where none does (SAFETY 5)."""
    if not log.failed:
        return ""
    if log.failed_then_begun and not download_open(log, watch):
        # A later download has ended without one.
        return ""
    long_up = watch.uptime_s is not None and watch.uptime_s >= LONG_UPTIME_S
    return "" if log.failed_then_start and long_up and established else log.failed


def failure_may_end(log: LogFacts, established: bool) -> bool:
    """Is a standing failed row one that mere time may end: a later download goes on, or a later start has none yet?"""
    return established and bool(log.failed) and (log.failed_then_begun or log.failed_then_start)


def log_wanted(log: LogFacts, watch: Watch) -> bool:
    """Would reading the log now bring the answer nearer? The rule wants a log read after the watch, not before."""
    if watch.unbroken_since_s is None or watch.uptime_s is None:
        return False
    if not log.readable:
        return True
    if watch.uptime_s < SHORT_UPTIME_S * log.doubled or watch.unbroken_s < WATCH_S * log.doubled:
        return False
    return log.fetched_s < watch.unbroken_since_s + WATCH_S * log.doubled


def controller_quiet(log: LogFacts, watch: Watch) -> Found:
    """An uptime of any length proves nothing: communication may be seconds old. Only the watch does."""
    if not log.readable:
        return Found(False, f"the event log could not be read: {log.error}", missing=True)
    if watch.uptime_s is None or watch.unbroken_since_s is None:
        return Found(False, "uptime not known", missing=True)
    if download_open(log, watch):
        return Found(False, f"a download into the controller may be going on: {log.begun}", missing=True)
    note = " (end_not_seen: a begun download's end was not seen)" if log.begun else ""
    twice = log.doubled
    if watch.uptime_s < SHORT_UPTIME_S * twice:
        return Found(False, f"uptime {watch.uptime_s:.0f} s of {SHORT_UPTIME_S * twice:.0f} s", missing=True)
    if watch.unbroken_s < WATCH_S * twice:
        return Found(False, f"watched unbroken {watch.unbroken_s:.0f} s of {WATCH_S * twice:.0f} s", missing=True)
    if log.fetched_s < watch.unbroken_since_s + WATCH_S * twice:
        return Found(False, "the event log was not read after the watch", missing=True)
    return Found(True, f"watched unbroken for {watch.unbroken_s:.0f} s, no download in the event log{note}")
