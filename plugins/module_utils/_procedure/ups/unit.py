# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One UPS under a run: its file, its log and the case that the guard judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Judged, Subject, judge_confirmation
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import UpdateFile, problems_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import GuardCase, UpsSample, judge_update
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import (
    foreign_hand,
    newest_update_row,
    unended_update,
    update_events,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import restarted
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import Observer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress, Run
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.logs import UpsLogs
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import (
    WATCH_S,
    of_this_ups,
    open_names,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import CONFIRMATION, UpsOptions, UpsStop
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login, SnmpWriter

# By so much a card's clock may be set between two rows: summer time, and more.
CLOCK_STEP_S = 7200.0


def _silent(at_s: float, why: str) -> UpsSample:
    return UpsSample(at_s, False, error=why)


class UpsUnit(Run[UpsSample]):
    """One UPS under a run, beside what every run has."""

    unit_kind = "ups"

    def __init__(
        self,
        label: str,
        address: str,
        port: int,
        clock: Clock,
        read: Callable[[], UpsSample],
        open_login: Callable[[Callable[[], None]], Login],
        open_writer: Callable[[], SnmpWriter],
        options: UpsOptions,
        progress: Progress,
        file: UpdateFile | None = None,
        content: bytes = b"",
        store: StateDir | None = None,
        on_first: Callable[[UpsSample], None] = lambda sample: None,
        orphaned: Callable[[], bool] = lambda: False,
        hide: Callable[[Any], Any] = lambda value: value,
        username: str = "",
    ) -> None:
        bounds = Bounds.for_factor(1.0, options.stability_s)
        self.logs = UpsLogs()
        super().__init__(
            label,
            address,
            port,
            clock,
            Observer(clock, read, _silent, options.poll_interval_s, bounds),
            open_login,
            self.logs,
            options,
            progress,
            store=store,
            on_first=on_first,
            orphaned=orphaned,
            hide=hide,
        )
        # The card's account: rows of its log that name another are not ours.
        self.username = username
        self.options, self.file, self.content = options, file, content
        self.open_writer = open_writer
        # The firmware is about to change, and the card may restart with it.
        self.expect_change = False
        self.looked = False
        # As written to the evidence, but not gone through what hides secrets: the end is judged by it.
        self.begun: dict[str, Any] = {}
        # How far this run got: what its end may say depends on it.
        self.file_begun = self.start_asked = self.started = False
        self.confirmed = Judged(False, "not judged yet")

    # -- what a run asks of its wing -------------------------------------------------------------------------------

    @property
    def under_way(self) -> bool:
        return self.start_asked

    def unit_facts(self) -> dict[str, Any]:
        ups = self.newest.ups
        return {"model": ups.model, "sku": ups.sku, "ups_serial": ups.serial, "firmware": ups.firmware.raw}

    def of_this_unit(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return of_this_ups(records, self.good)

    def _on_sample(self, sample: UpsSample, before: UpsSample | None) -> None:
        if not sample.answered:
            return
        if before is None or before.discrete != sample.discrete or before.who != sample.who:
            ups = sample.ups
            self.record(
                "sample",
                uptime_s=sample.uptime_s,
                status=ups.status.shown(),
                comm=ups.comm.shown(),
                update=ups.firmware_update.shown(),
                firmware=ups.firmware.raw,
                input=ups.input_voltage_v.shown("V"),
                load=ups.load_percent.shown("%"),
                flags=ups.flags.text,
            )
        if before is not None and not self.disturbance:
            self.disturbance = _disturbance(before, sample, self.expect_change)

    # -- beginning and end -----------------------------------------------------------------------------------------

    def begin(self, writing: bool) -> None:
        """Locks, evidence and the confirmation. ``writing`` False (check mode): nothing is left behind."""
        self.open("ups_firmware", writing)
        if self.evidence.path is not None:
            self.say(f"evidence: {self.evidence.path}", "evidence")
        subject = Subject(self.subject_serial(), self.address)
        self.confirmed = judge_confirmation(
            CONFIRMATION, self.options.confirmations, subject, self.clock.wall(), self.options.zone
        )
        self.record("confirmation", ok=self.confirmed.ok, reason=self.confirmed.reason)

    def close_start(self, outcome: str, **fields: object) -> None:
        """Every start that is open for this unit has ended, as far as anybody can know."""
        end = {"closes": open_names(self.earlier, self.run_id), "log_row": self.logs.newest_row()}
        self.record("update_end", outcome=outcome, **end, **fields)
        # From here on what an earlier run began is no longer open for this one either.
        self.earlier.append({"kind": "update_end", "run": self.run_id, **end})

    def subject_serial(self) -> str | None:
        """The UPS's own serial; where that is junk, the card's."""
        return usable_serial(self.newest.ups.serial) or usable_serial(self.newest.identity.serial)

    # -- the card's log --------------------------------------------------------------------------------------------

    def login(self, patient: bool = True) -> Login:
        """A login with event.txt read over it; the caller closes it. Waits for a busy card."""
        return self.session.login(patient)

    def stop_if_the_log_knows_of_an_update(self) -> None:
        """Somebody may have started one that neither the card's object nor our evidence shows."""
        log = self.logs.after
        line = unended_update(log, WATCH_S + CLOCK_STEP_S) if log is not None else ""
        # Only our own evidence ends it: whether the card's object follows what its web page starts is not known [?].
        ends = [record.get("log_row") for record in self.earlier if record["kind"] == "update_end"]
        if not line or log is None or newest_update_row(log) in ends:
            return
        text = f"the card's event log says that an update of the UPS has begun, and not that it has ended: {line}"
        self.say(f"{text}: TOUCH NOTHING on this UPS, its card or its load", "foreign")
        self.record("update_in_log", line=line)
        raise UpsStop("refused", text, UpsEnd.FOREIGN_UPDATE)

    def look_for_others(self) -> None:
        """Once more over a login of its own: whoever was at the card since the file went out disturbs this run."""
        self.login().close()
        rows = self.logs.rows_since_sending()
        if rows is None:
            self.record("log_not_compared")
            raise UpsStop(
                "refused",
                "the event log cannot be compared with the one before the file went out, so it does not tell whether "
                "somebody else was at the card meanwhile",
                UpsEnd.FILE_NOT_STARTED,
            )
        self.stop_if_the_log_knows_of_an_update()
        spoken = update_events(rows)
        if spoken:
            text = f"the card's event log speaks of an update that is not this run's: {spoken[0].line}"
            raise UpsStop("refused", text, UpsEnd.FOREIGN_UPDATE)
        if not self.disturbance:
            sent = self.file.name if self.file and not self.looked else ""
            self.disturbance = foreign_hand(rows, sent, self.username)
        self.logs.sending, self.looked = self.logs.after, True

    # -- judging ---------------------------------------------------------------------------------------------------

    def file_found(self) -> Found:
        if self.file is None:
            return Found(False, "no file given")
        installed = self.good.ups.firmware if self.good is not None else None
        if installed is None:
            return Found(False, "no answer", missing=True)
        problems = problems_of(self.file, installed, self.options.wanted, self.options.checksum)
        return Found(not problems, "; ".join(problems) or f"{self.file.name} for {installed.shown}")

    def verdict(self, with_login: bool = True) -> Verdict:
        return judge_update(
            GuardCase(
                samples=self.observer.samples,
                now_s=self.clock.now(),
                bounds=self.bounds,
                file=self.file_found(),
                output_confirmed=self.confirmed,
                undisturbed=Found(not self.disturbance, self.disturbance or "nothing but this run"),
                identity=self.session.same() if with_login else None,
            )
        )


def _disturbance(before: UpsSample, sample: UpsSample, expect_change: bool) -> str:
    if sample.identity.simulated != before.identity.simulated:
        return "the unit changed what it declares about being simulated"
    if _differ(before.identity.serial, sample.identity.serial):
        return "another card answers: its serial number changed"
    if _differ(before.ups.serial, sample.ups.serial):
        return "another UPS answers: its serial number changed"
    if expect_change:
        return ""
    if restarted(before, sample):
        return "the card restarted, and not by this run"
    if _differ(before.ups.firmware.raw, sample.ups.firmware.raw):
        return "the UPS's firmware changed, and not by this run"
    return ""


def _differ(before: str | None, after: str | None) -> bool:
    """Both were read and they are not the same; a value that is missing now proves nothing."""
    return bool(before) and bool(after) and before != after
