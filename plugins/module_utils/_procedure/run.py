# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of any unit is: its clock, readings, locks, evidence and words, and how it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds, Seen
from ansible_collections.dcops.apc.plugins.module_utils._procedure.aside import Aside
from ansible_collections.dcops.apc.plugins.module_utils._procedure.chain import from_the_future, stamp_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import UNTOLD, Evidence, NoEvidence, history
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import Observer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.session import Book, Session
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import (
    held_signals,
    noted_signals,
    stop_if_asked,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import Locks, StateDir, key_of
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login

S = TypeVar("S", bound=Seen)
# In full they are in the file; in a result they would bury the instruction.
BULKY = frozenset({"checks", "judged"})


class Progress(Protocol):
    def say(self, text: str, key: str = "") -> None:
        """``key`` names a line that replaces its predecessor; a changed key is always shown."""


class RunOptions(Protocol):
    """What the options of every run hold. Times in device seconds."""

    @property
    def stability_s(self) -> float: ...

    @property
    def poll_interval_s(self) -> float: ...

    @property
    def busy_timeout_s(self) -> float: ...

    @property
    def change_reference(self) -> str: ...


class Run(Generic[S]):
    """A wing hands in its observer and its book, and says what its unit is called by and what it has under way."""

    # Where the unit's own serial stands in evidence and in the names of its files.
    unit_kind = "unit"

    def __init__(
        self,
        label: str,
        address: str,
        port: int,
        clock: Clock,
        observer: Observer[S],
        open_login: Callable[[Callable[[], None]], Login],
        book: Book,
        options: RunOptions,
        progress: Progress,
        store: StateDir | None = None,
        on_first: Callable[[S], None] = lambda sample: None,
        orphaned: Callable[[], bool] = lambda: False,
        hide: Callable[[Any], Any] = lambda value: value,
        aside: Aside | None = None,
    ) -> None:
        self.aside = aside or Aside()
        self.label, self.address, self.port = label, address, port
        self.clock, self.progress, self.store = clock, progress, store
        self.run_id = uuid.uuid4().hex[:12]
        self.factor = 1.0
        self.observer = observer
        self.observer.on_sample = self._on_sample
        self.session = Session(clock, observer, open_login, options.busy_timeout_s, self.say, book)
        self.evidence: Evidence | NoEvidence = NoEvidence()
        self.evidence_lost = ""
        self.locks: Locks | None = None
        self.earlier: list[dict[str, Any]] = []
        self.earlier_known = False
        self.disturbance = ""
        self._common = options
        self._on_first, self._orphaned, self._hide = on_first, orphaned, hide

    # -- what a wing says ----------------------------------------------------------------------------------------

    @property
    def under_way(self) -> bool:
        """Has anything begun that has to be watched to its end, whatever becomes of the evidence?"""
        raise NotImplementedError

    @property
    def hand_on_plug(self) -> bool:
        """May somebody be moving a plug or a load on a sentence of this run? Then nothing waits for a disk."""
        return False

    def unit_facts(self) -> Mapping[str, Any]:
        """For the evidence: what was at this address."""
        raise NotImplementedError

    def of_this_unit(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Which of the records under this unit's names are its own."""
        return records

    def _on_sample(self, sample: S, before: S | None) -> None:
        """Every reading, as it is taken."""

    # -- beginning -----------------------------------------------------------------------------------------------

    @property
    def bounds(self) -> Bounds:
        return self.observer.bounds

    @property
    def newest(self) -> S:
        return self.observer.newest

    @property
    def good(self) -> S | None:
        return self.observer.good

    @property
    def simulated(self) -> bool:
        good = self.observer.good
        return bool(good and good.identity.simulated)

    def first_contact(self, tries: int = 3) -> S:
        """The first answer; fixes the clock's factor and the bounds. Raises TransportError("timeout") on silence."""
        for _attempt in range(tries):
            first = self.observer.poll()
            second = self.observer.poll() if first.answered else first
            if second.answered:
                self._set_pace(first, second)
                for _try in range(tries):
                    third = self.observer.poll()
                    if third.answered:
                        return third
                raise TransportError("timeout", third.error or "the card stopped answering")
            self.clock.sleep(1.0)
        raise TransportError("timeout", second.error or "the card does not answer by SNMP")

    def _set_pace(self, first: S, second: S) -> None:
        # One odd answer must not set a real unit's clock: two agree, and the login has to (same_unit).
        if first.identity.simulated != second.identity.simulated or second.identity.oddly_simulated:
            raise Stop("identity", "the unit's word on whether it is simulated is not the same twice, or not clear")
        self._on_first(second)
        self.factor = float(second.identity.simulated or 1)
        self.observer.start_over(Bounds.for_factor(self.factor, self._common.stability_s))
        # What was seen before the clock was set was held against the wrong factor.
        self.disturbance = ""

    def keys(self) -> list[str]:
        """Every name by which this unit is known now: pinned address and port, the card's serial, the unit's own."""
        found = [key_of("addr", f"{self.address}-{self.port}")]
        good = self.observer.good
        if good is not None:
            for kind, text in (("card", good.identity.serial), (self.unit_kind, good.unit_serial)):
                serial = usable_serial(text)
                if serial:
                    found.append(key_of(kind, serial))
        return found

    def open(self, step: str, writing: bool, **header: Any) -> None:
        """Locks, then what earlier runs wrote, then the head of this run's evidence.

        ``writing`` False (check mode, info): nothing is left behind. Raises Stop("locked") and Stop("state").
        """
        if self.store is None:
            return
        if writing:
            self.store.prepare()
            self.locks = self.store.locks(self.run_id)
            self.locks.add(self.keys())
        self.read_earlier()
        if writing:
            head = {
                "step": step,
                "label": self.label,
                "simulated": self.simulated,
                "change_reference": self._common.change_reference,
                "unit": self.unit_facts(),
                **self.head(),
                **header,
            }
            folder = self.store.folder("evidence", self.simulated)
            self.evidence = Evidence(folder, self.run_id, self.keys(), head, self.clock.wall(), self._hide)
        self._report_the_future()

    def _report_the_future(self) -> None:
        """Stamps later than now prove nothing (SAFETY 2), and a person is told so."""
        ahead = from_the_future(self.earlier, self.clock.wall())
        if not ahead:
            return
        newest = max(stamp for record in ahead if (stamp := stamp_of(record)) is not None).isoformat()
        self.say(
            f"{len(ahead)} records of earlier runs are from later than now, the newest from {newest}: a clock was set, "
            "this one or theirs. Their times count for nothing",
            "later than now",
        )
        self.record("later_than_now", records=len(ahead), newest=newest)

    def head(self) -> Mapping[str, Any]:
        """What else a wing's first record says, once what earlier runs wrote is known."""
        return {}

    def read_earlier(self) -> None:
        """What earlier runs wrote of this unit. Of a card that never answered nobody knows whether it is simulated."""
        self.earlier = []
        if self.store is None:
            return
        for simulated in (False, True) if self.observer.good is None else (self.simulated,):
            folder = self.store.folder("evidence", simulated)
            if folder.is_dir():
                self.earlier += history(folder, self.keys())
        self.earlier = self.of_this_unit(self.earlier)
        self.earlier_known = True

    def close(self) -> None:
        self.aside.wait()
        self.evidence.close()
        if self.locks is not None:
            self.locks.close()

    def before_end(self) -> None:
        """What must be on the disk before the end is. Raises Stop("state") where it cannot be."""

    # -- ending early --------------------------------------------------------------------------------------------

    def stop_if_asked(self) -> None:
        """At a safe point. Raises Interrupted where a signal was noted."""
        stop_if_asked()

    def stop_if_orphaned(self) -> None:
        """A worker whose ansible-playbook was killed tells nobody anything any more: it ends at the next safe point."""
        if self._orphaned():
            raise Interrupted("the end of ansible-playbook, which had started it")

    # -- telling -------------------------------------------------------------------------------------------------

    def say(self, text: str, key: str = "") -> None:
        self.progress.say(f"{self.label}: {self._mark}{text}", key)

    def shout(self, text: str) -> None:
        """Past Ansible's own display, which may be gone: somebody may have a hand on a plug."""
        tell = getattr(self.progress, "urgent", None)
        if tell is not None:
            tell(f"{self.label}: {self._mark}{text}")

    @property
    def _mark(self) -> str:
        return "SIMULATED " if self.simulated else ""

    def record(self, kind: str, **fields: object) -> None:
        """Evidence. While something is under way a full disk must not stop the watching: it is reported instead.

        While a hand may be on a plug the record is written aside: a disk that fails ends the run a reading later.
        """
        if self.hand_on_plug:
            wall, device_s = self.clock.wall(), round(self.clock.now(), 2)
            self.aside.do(lambda: self._write_aside(kind, wall, device_s, fields))
            return
        try:
            self.record_or_stop(kind, **fields)
        except Stop as exc:
            if not self.under_way:
                raise
            self.evidence_lost = exc.message

    def record_or_stop(self, kind: str, **fields: object) -> None:
        """For what must be on the disk before the next thing is done. Raises Stop("state")."""
        wall, device_s = self.clock.wall(), round(self.clock.now(), 2)
        self.aside.wait()
        self._write(kind, wall, device_s, fields)

    def _write_aside(self, kind: str, wall: datetime, device_s: float, fields: Mapping[str, object]) -> None:
        try:
            self._write(kind, wall, device_s, fields)
        except Stop as exc:
            self.evidence_lost = exc.message
        except Exception as exc:
            # Nobody is there to raise it to; without its evidence the run gives nothing more.
            self.evidence_lost = f"the record {kind} cannot be written: unexpected {type(exc).__name__}"

    def _write(self, kind: str, wall: datetime, device_s: float, fields: Mapping[str, object]) -> None:
        try:
            self.evidence.write(kind, wall, device_s=device_s, **fields)
        except Stop:
            if kind not in UNTOLD:
                # The result tells it all the same.
                lost = {"t": wall.isoformat(timespec="milliseconds"), "kind": kind, "written": False, **fields}
                self.evidence.summary.append(self._hide(lost))
            raise

    def evidence_result(self) -> dict[str, Any]:
        self.aside.wait()
        summary = [{k: v for k, v in record.items() if k not in BULKY} for record in self.evidence.summary]
        path = str(self.evidence.path) if self.evidence.path else None
        return {"path": path, "summary": summary, **({"lost": self.evidence_lost} if self.evidence_lost else {})}


@dataclass(frozen=True)
class Ended:
    """How a run came to its end before its time. ``quick``: it was told to end, so nothing is waited for.

    ``fault``: one of our own, on top of which nothing is measured.
    """

    kind: str
    message: str
    stop: Stop | None = None
    quick: bool = False
    fault: bool = False


class Endings(Protocol):
    """What a wing hands in."""

    def take_back(self) -> str:
        """The words that take back what is allowed at this moment, known without a reading; empty: nothing is."""

    def conclude(self, ended: Ended) -> tuple[str, str] | None:
        """(state, what to do now); it may measure. None: nothing can be said beyond what went before."""

    def interrupted(self, message: str, state: str | None) -> Stop:
        """As what a run leaves that was told to end."""


@contextmanager
def ended(run: Run[Any], report: dict[str, Any], endings: Endings) -> Iterator[None]:
    """Whatever happens inside, the report says what state the unit is in and what the person must do now."""
    with noted_signals():
        try:
            yield
        except BaseException as exc:
            how = _how(exc)
            if how is None:
                raise
            # A second Ctrl-C must not take the instruction with it.
            with held_signals():
                _end(run, report, endings, how)
            if how.quick:
                raise endings.interrupted(how.message, report.get("state")) from exc
            raise
        finally:
            report["evidence"] = run.evidence_result()
            run.close()


def _how(exc: BaseException) -> Ended | None:
    if isinstance(exc, Stop):
        return Ended(exc.kind, exc.message, exc)
    if isinstance(exc, TransportError):
        return Ended(exc.kind, exc.message)
    if isinstance(exc, Interrupted):
        return Ended("state", f"the run was interrupted by {exc}", quick=True)
    if isinstance(exc, Exception):
        return Ended("internal", f"unexpected {type(exc).__name__}", fault=True)
    return None


def _end(run: Run[Any], report: dict[str, Any], endings: Endings, how: Ended) -> None:
    """SAFETY 1.8: what takes something back is said before it is written, and before anything is measured."""
    withdrawn = endings.take_back()
    if withdrawn:
        run.shout(withdrawn)
        run.say(withdrawn, "withdrawn")
        with suppress(Stop):
            run.record("permission_withdrawn", reason=how.message)
    told = endings.conclude(how)
    if told is not None:
        report["state"], report["next_action"] = told
        if how.quick:
            # Whoever ended the run may kill this process at once after the first signal.
            run.shout(f"{withdrawn}{'. ' if withdrawn else ''}{how.message}. WHAT TO DO NOW: {told[1]}")
        say_end(run, told[0], told[1], how.message)
    run.observer.on_sample = lambda sample, before: None
    # Where the evidence cannot be written, the error that ended the run is the one to tell.
    with suppress(Stop):
        run.before_end()
        run.record("end", error=how.kind, message=how.message, state=told[0] if told else None)


def say_end(run: Run[Any], state: str, next_action: str, message: str = "") -> None:
    # Two lines: a long reason must not push the instruction off the end of a bounded one.
    if message:
        run.say(f"ended: {message}", "ended")
    run.say(f"WHAT TO DO NOW: {next_action}" if message else next_action, f"end {state}")
