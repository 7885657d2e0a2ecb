# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One UPS under a run: its clock, its samples, its login, its evidence. Private to the collection."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timezone, tzinfo
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Found
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import MAX_POLL_S, Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    Confirmation,
    Judged,
    Subject,
    judge_confirmation,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, new_rows, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.samedevice import LoginFacts, same_unit
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import UpdateFile, problems_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import (
    GuardCase,
    GuardVerdict,
    UpsSample,
    judge_update,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.update_log import (
    UpsEvent,
    events_since,
    foreign_hand,
    newest_update_row,
    shows_own_login,
    unended_update,
    update_events,
    ups_events,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Progress
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence, NoEvidence, history
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import Locks, StateDir, key_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.open_starts import (
    WATCH_S,
    of_this_ups,
    open_names,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login, SnmpWriter

CONFIRMATION = "output_may_go_off"
# By so much a card's clock may be set between two rows: summer time, and more.
CLOCK_STEP_S = 7200.0
# Readings kept: a window and what lies around it.
_KEPT_S = 120.0
# Silence that is no longer a lost answer or two.
_BREATH_S = 0.05


@dataclass(frozen=True)
class UpsOptions:
    """The run's options, checked. Times in device seconds."""

    wanted: Version | None = None
    checksum: str | None = None
    confirmations: tuple[Confirmation, ...] = ()
    zone: tzinfo = timezone.utc
    stability_s: float = 30.0
    poll_interval_s: float = 2.0
    ready_timeout_s: float = 300.0
    start_timeout_s: float = 120.0
    update_timeout_s: float = 3600.0
    up_timeout_s: float = 600.0
    busy_timeout_s: float = 240.0
    change_reference: str = ""


class UpsStop(Stop):
    """A stop whose end state is a UPS's."""

    def __init__(self, kind: str, message: str, end: UpsEnd | None = None, verdict: GuardVerdict | None = None) -> None:
        super().__init__(kind, message, details={"interlock": verdict.to_result()} if verdict is not None else None)
        self.end = end


class UpsUnit:
    """Everything that a step needs in its hands."""

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
        # The card's account: rows of its log that name another are not ours.
        self.username = username
        self.label, self.address, self.port = label, address, port
        self.clock, self.options, self.progress = clock, options, progress
        self.file, self.content, self.store = file, content, store
        self.open_writer = open_writer
        self.run_id = uuid.uuid4().hex[:12]
        self.bounds = Bounds.for_factor(1.0, options.stability_s)
        self.samples: list[UpsSample] = []
        self.good: UpsSample | None = None
        self.first: UpsSample | None = None
        self.disturbance = ""
        # The firmware is about to change, and the card may restart with it.
        self.expect_change = False
        self.login_facts: LoginFacts | None = None
        self.log_before: EventLog | None = None
        self.log_after: EventLog | None = None
        # As it was read over the login that sends the file.
        self.log_sending: EventLog | None = None
        self.looked = False
        self.evidence: Evidence | NoEvidence = NoEvidence()
        self.evidence_lost = ""
        # As written to the evidence, but not gone through what hides secrets: the end is judged by it.
        self.begun: dict[str, Any] = {}
        self.locks: Locks | None = None
        self.earlier: list[dict[str, Any]] = []
        # How far this run got: what its end may say depends on it.
        self.file_begun = self.start_asked = self.started = False
        self.confirmed = Judged(False, "not judged yet")
        self._read, self._open_login = read, open_login
        self._on_first, self._orphaned, self._hide = on_first, orphaned, hide
        self._polling = False

    # -- samples ---------------------------------------------------------------------------------------------------

    @property
    def newest(self) -> UpsSample:
        return self.samples[-1]

    @property
    def simulated(self) -> bool:
        return bool(self.good and self.good.identity.simulated)

    def first_contact(self, tries: int = 3) -> UpsSample:
        """The first answer; fixes the clock's factor and the bounds. Raises TransportError("timeout") on silence."""
        sample = self.poll()
        for _attempt in range(tries):
            again = self.poll() if sample.answered else sample
            if again.answered:
                # One odd answer must not set a real unit's clock.
                if sample.identity.simulated != again.identity.simulated or again.identity.oddly_simulated:
                    raise UpsStop("identity", "the unit's word on whether it is simulated is not the same twice")
                self._on_first(again)
                self.bounds = Bounds.for_factor(float(again.identity.simulated or 1), self.options.stability_s)
                self.samples.clear()
                self.good, self.disturbance = None, ""
                sample = self.poll()
                if sample.answered:
                    self.first = sample
                    return sample
            self.clock.sleep(1.0)
            sample = self.poll()
        raise TransportError("timeout", sample.error or "the card does not answer by SNMP")

    def poll(self) -> UpsSample:
        """One sample now; a silent card is a sample too."""
        self._polling = True
        at_s = self.clock.now()
        try:
            sample = self._read()
        except Exception as exc:
            if self.good is None:
                raise
            text = exc.message if isinstance(exc, TransportError) else f"reading failed: {type(exc).__name__}"
            sample = UpsSample(at_s, False, error=text)
        finally:
            self._polling = False
        self.samples.append(sample)
        horizon = sample.at_s - max(_KEPT_S, 2 * self.bounds.stability_s)
        while len(self.samples) > 2 and self.samples[0].at_s < horizon:
            del self.samples[0]
        if sample.answered:
            self._follow(self.good, sample)
            self.good = sample
        return sample

    def next(self) -> UpsSample:
        """Waits until the next sample is due, then takes it."""
        poll_s = min(self.options.poll_interval_s, MAX_POLL_S)
        due = self.samples[-1].at_s + poll_s if self.samples else 0.0
        self.clock.sleep(max(due - self.clock.now(), _BREATH_S))
        return self.poll()

    def poll_if_due(self) -> None:
        """For the idle hook of a transport; a reading that is under way is not entered again."""
        if self._polling or not self.samples:
            return
        if self.clock.now() - self.samples[-1].at_s >= min(self.options.poll_interval_s, MAX_POLL_S):
            self.poll()

    def _follow(self, before: UpsSample | None, sample: UpsSample) -> None:
        if before is None or before.discrete != sample.discrete:
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
        if before is None or self.disturbance:
            return
        if sample.identity.simulated != before.identity.simulated:
            self.disturbance = "the unit changed what it declares about being simulated"
        elif _differ(before.identity.serial, sample.identity.serial):
            self.disturbance = "another card answers: its serial number changed"
        elif _differ(before.ups.serial, sample.ups.serial):
            self.disturbance = "another UPS answers: its serial number changed"
        elif not self.expect_change and _restarted(before, sample):
            self.disturbance = "the card restarted, and not by this run"
        elif not self.expect_change and _differ(before.ups.firmware.raw, sample.ups.firmware.raw):
            self.disturbance = "the UPS's firmware changed, and not by this run"

    # -- beginning and end -----------------------------------------------------------------------------------------

    def keys(self) -> list[str]:
        """Every name by which this unit is known now: pinned address and port, the card's serial, the UPS's."""
        found = [key_of("addr", f"{self.address}-{self.port}")]
        if self.good is not None:
            for kind, text in (("card", self.good.identity.serial), ("ups", self.good.ups.serial)):
                serial = usable_serial(text)
                if serial:
                    found.append(key_of(kind, serial))
        return found

    def begin(self, writing: bool) -> None:
        """Locks, evidence and the confirmation. ``writing`` False (check mode): nothing is left behind."""
        if self.store is not None and writing:
            self.store.prepare()
            self.locks = self.store.locks(self.run_id)
            self.locks.add(self.keys())
        if self.store is not None:
            self.read_earlier()
            folder = self.store.folder("evidence", self.simulated)
            if writing:
                header = {
                    "step": "ups_firmware",
                    "label": self.label,
                    "simulated": self.simulated,
                    "change_reference": self.options.change_reference,
                    "unit": self.facts(),
                }
                self.evidence = Evidence(folder, self.run_id, self.keys(), header, self.clock.wall(), self._hide)
                self.say(f"evidence: {self.evidence.path}", "evidence")
        subject = Subject(self.subject_serial(), self.address)
        self.confirmed = judge_confirmation(
            CONFIRMATION, self.options.confirmations, subject, self.clock.wall(), self.options.zone, exact=False
        )
        self.record("confirmation", ok=self.confirmed.ok, reason=self.confirmed.reason)

    def read_earlier(self) -> None:
        """What earlier runs wrote of this unit. Of a card that never answered nobody knows whether it is simulated."""
        self.earlier = []
        if self.store is None:
            return
        for simulated in (False, True) if self.good is None else (self.simulated,):
            folder = self.store.folder("evidence", simulated)
            if folder.is_dir():
                self.earlier += history(folder, self.keys())
        self.earlier = of_this_ups(self.earlier, self.good)

    def close_start(self, outcome: str, **fields: object) -> None:
        """Every start that is open for this unit has ended, as far as anybody can know."""
        log = self.log_after
        row = newest_update_row(log) if log is not None and log.recognised else None
        end = {"closes": open_names(self.earlier, self.run_id), "log_row": row}
        self.record("update_end", outcome=outcome, **end, **fields)
        # From here on what an earlier run began is no longer open for this one either.
        self.earlier.append({"kind": "update_end", "run": self.run_id, **end})

    def facts(self) -> dict[str, Any]:
        ups = self.newest.ups
        return {"model": ups.model, "sku": ups.sku, "ups_serial": ups.serial, "firmware": ups.firmware.raw}

    def subject_serial(self) -> str | None:
        """The UPS's own serial; where that is junk, the card's."""
        return usable_serial(self.newest.ups.serial) or usable_serial(self.newest.identity.serial)

    def stop_if_orphaned(self) -> None:
        if self._orphaned():
            raise Interrupted("the end of ansible-playbook, which had started it")

    def close(self) -> None:
        self.evidence.close()
        if self.locks is not None:
            self.locks.close()

    # -- telling ---------------------------------------------------------------------------------------------------

    def say(self, text: str, key: str = "") -> None:
        mark = "SIMULATED " if self.simulated else ""
        self.progress.say(f"{self.label}: {mark}{text}", key)

    def record(self, kind: str, **fields: object) -> None:
        """After the start was asked for a full disk must not stop the watching: it is reported instead."""
        try:
            self.record_or_stop(kind, **fields)
        except Stop as exc:
            if not self.start_asked:
                raise
            self.evidence_lost = exc.message

    def record_or_stop(self, kind: str, **fields: object) -> None:
        """For what must be on the disk before the next thing is done. Raises Stop("state")."""
        self.evidence.write(kind, self.clock.wall(), device_s=round(self.clock.now(), 2), **fields)

    # -- logging in ------------------------------------------------------------------------------------------------

    def login(self, patient: bool = True) -> Login:
        """A login with event.txt read over it; the caller closes it. Waits for a busy card."""
        end = self.clock.now() + (self.options.busy_timeout_s if patient else 0.0)
        pause = 5.0
        while True:
            try:
                login = self._open_login(self.poll_if_due)
                break
            except TransportError as exc:
                if exc.kind != "busy" or self.clock.now() >= end:
                    raise
                self.say(f"the card is busy, trying again: {exc.message}", "busy")
                until = self.clock.now() + pause
                while self.clock.now() < until:
                    self.next()
                pause = min(pause * 2, 60.0)
        try:
            self._read_over(login)
        except BaseException:
            login.close()
            raise
        return login

    def _read_over(self, login: Login) -> None:
        log = parse_event_log(login.fetch("event.txt"))
        if self.log_before is None:
            self.log_before = log
        self.log_after = log
        protocol = getattr(login, "protocol", "ftp")
        facts = LoginFacts(protocol, login.banner, log.head)
        if self.good is not None and not same_unit(self.good.for_identity(), facts).ok:
            try:
                text = login.fetch("config.ini").decode("latin-1")
                facts = LoginFacts(protocol, login.banner, log.head, tuple(text.splitlines()[:5000]))
            except TransportError as exc:
                if exc.kind != "transfer":
                    raise
        self.login_facts = facts

    def new_events(self, begun: Mapping[str, Any]) -> list[UpsEvent] | None:
        """What the log says of the update since its start; None where it cannot be told."""
        before, after = self.log_before, self.log_after
        if after is None or not after.recognised:
            return None
        row = begun.get("log_row")
        if isinstance(row, str) and row:
            return events_since(after, row)
        if begun is not self.begun:
            # Resumed: a log that this run has read says nothing of what came before.
            return update_events(after.chronological()) if row == "" else None
        if before is None or before is after:
            return None
        rows = new_rows(before, after)
        return None if rows is None else ups_events(rows)

    def stop_if_the_log_knows_of_an_update(self) -> None:
        """Somebody may have started one that neither the card's object nor our evidence shows."""
        log = self.log_after
        line = unended_update(log, WATCH_S + CLOCK_STEP_S) if log is not None else ""
        # Only our own evidence ends it: whether the card's object follows what its web page starts is not known [?].
        ends = [record.get("log_row") for record in self.earlier if record["kind"] == "update_end"]
        if line and log is not None and newest_update_row(log) not in ends:
            self.record("update_in_log", line=line)
            raise UpsStop(
                "refused",
                f"the card's event log says that an update of the UPS has begun, and not that it has ended: {line}",
                UpsEnd.FOREIGN_UPDATE,
            )

    def look_for_others(self) -> None:
        """Once more over a login of its own: whoever was at the card since the file went out disturbs this run."""
        self.login().close()
        before, after = self.log_sending, self.log_after
        known = before is not None and before.recognised and after is not None and after.recognised
        rows = new_rows(before, after) if known and before is not None and after is not None else None
        protocol = self.login_facts.protocol if self.login_facts is not None else ""
        if rows is None or not shows_own_login(rows, protocol):
            # The card keeps the last file only: without the log nobody knows whose that is.
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
        self.log_sending, self.looked = after, True

    # -- judging ---------------------------------------------------------------------------------------------------

    def file_found(self) -> Found:
        if self.file is None:
            return Found(False, "no file given")
        installed = self.good.ups.firmware if self.good is not None else None
        if installed is None:
            return Found(False, "no answer", missing=True)
        problems = problems_of(self.file, installed, self.options.wanted, self.options.checksum)
        return Found(not problems, "; ".join(problems) or f"{self.file.name} for {installed.shown}")

    def verdict(self, with_login: bool = True) -> GuardVerdict:
        identity = None
        if with_login:
            identity = Found(False, "no answer", missing=True)
            if self.good is not None:
                identity = same_unit(self.good.for_identity(), self.login_facts)
        return judge_update(
            GuardCase(
                samples=self.samples,
                now_s=self.clock.now(),
                bounds=self.bounds,
                file=self.file_found(),
                output_confirmed=self.confirmed,
                undisturbed=Found(not self.disturbance, self.disturbance or "nothing but this run"),
                identity=identity,
            )
        )


def _differ(before: str | None, after: str | None) -> bool:
    """Both were read and they are not the same; a value that is missing now proves nothing."""
    return bool(before) and bool(after) and before != after


def _restarted(before: UpsSample, sample: UpsSample) -> bool:
    return before.uptime_s is not None and sample.uptime_s is not None and sample.uptime_s < before.uptime_s
