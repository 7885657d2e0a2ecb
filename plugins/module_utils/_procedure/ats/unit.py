# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One unit under a run: everything a step needs in its hands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    Rules,
    reads_live,
    rules_of,
    secondary_dead,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import last_backup, used_starts
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.fitness import (
    CARD,
    another_unit,
    foreign_hand,
    names_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import (
    VOID,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    BY_DEED,
    NO_LOAD,
    RESTS_ON,
    SECONDARY,
    Permit,
    PermitState,
    What,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import old_readings, readings_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwarePackage
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import restarted, restarted_between
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._domain.whose import of_this_unit
from ansible_collections.dcops.apc.plugins.module_utils._files.opened import read_up_to
from ansible_collections.dcops.apc.plugins.module_utils._procedure.aside import Aside
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.carry import Carry
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.dark import Dark
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hands_off import HandsOff
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.judging import Judging
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.keeper import Keeper
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.logbook import LogTracker
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.observe import AtsObserver
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options, Peer, Sent
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.peers import Peers
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.said import Said
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress, Run
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login

# Of one event.txt in the backups. A card keeps some thousand rows.
MAX_LOG = 16 << 20


def _may_have_restarted(before: Sample, sample: Sample) -> bool:
    """Also behind a silence in which the card's uptime has grown past the last one seen."""
    if before.uptime_s is None or sample.uptime_s is None:
        return False
    return restarted_between(before.uptime_s, sample.uptime_s, sample.at_s - before.at_s)


def _log_in(path: Path) -> EventLog:
    """Raises OSError, and ValueError where it is none that a card has written."""
    data = read_up_to(path, MAX_LOG, follow=False)
    if len(data) > MAX_LOG:
        raise ValueError("larger than any event log")
    return parse_event_log(data)


class Unit(Run[Sample]):
    """One ATS under a run: its log and the case that the interlock judges, beside what every run has."""

    observer: AtsObserver
    unit_kind = "ats"

    def __init__(
        self,
        label: str,
        address: str,
        port: int,
        clock: Clock,
        read: Callable[[], Sample],
        read_whole: Callable[[], Sample],
        open_login: Callable[[Callable[[], None]], Login],
        options: Options,
        progress: Progress,
        package: FirmwarePackage | None = None,
        contents: Mapping[str, bytes] | None = None,
        peers: Sequence[Peer] = (),
        store: StateDir | None = None,
        on_first: Callable[[Sample], None] = lambda sample: None,
        orphaned: Callable[[], bool] = lambda: False,
        hide: Callable[[Any], Any] = lambda value: value,
        hearing: Hearing | None = None,
        aside: Aside | None = None,
    ) -> None:
        bounds = Bounds.for_factor(1.0, options.stability_s)
        observer = AtsObserver(clock, read, options.poll_interval_s, bounds)
        self.log = LogTracker()
        super().__init__(
            label,
            address,
            port,
            clock,
            observer,
            open_login,
            self.log,
            options,
            progress,
            store=store,
            on_first=on_first,
            orphaned=orphaned,
            hide=hide,
            aside=aside,
        )
        self.options = options
        self.package, self.contents = package, contents or {}
        self.peers = Peers(clock, peers, observer.poll_if_due)
        self.peer_keys = [key for peer in peers for key in peer.keys]
        self.said = Said(self, hearing or Hearing())
        self.carry = Carry(self)
        self.dark = Dark(self)
        self.judging = Judging(self)
        self.hands_off = HandsOff(self)
        self.keeper = Keeper(self)
        self.sent = Sent(self.keeper)
        # Told of every sample, also of those taken while a login waits.
        self.listeners: list[Callable[[Sample], None]] = []
        self.others: list[str] = []
        self.isolated_when_last_heard = False
        self.expect_restart = False
        # In settling, and only there, a restart starts the count anew instead of ending the run (SAFETY 4.6).
        self.tolerates_restarts = False
        # Has the ATS answered since the card's last start? Then no window is blind any more (SAFETY 4.5).
        self.app_answered = False
        self.restarts_before_send = 0
        self.sent_unseen = False
        # The last known of each: one that boots shows none for a while.
        self._names: dict[str, str] = {}
        self.proved: dict[str, bool] = {}
        self.asks = False
        # Something is to be sent: the method of this run counts, not that of a permit under which nothing was out.
        self.sends = False
        self.read_whole = read_whole

    # -- beginning -----------------------------------------------------------------------------------------------

    @property
    def under_way(self) -> bool:
        return not self.sent.nothing

    @property
    def hand_on_plug(self) -> bool:
        return self.permit.stands

    @property
    def permit(self) -> Permit:
        return self.keeper.permit

    def announce(self) -> None:
        """The first line of every run that may ask or send, before anything is measured (SAFETY 2)."""
        self.asks = True
        self.stop_words(VOID)

    def begin(self, step: str, writing: bool) -> None:
        """Locks, evidence, the permit and the words. ``writing`` False (check mode, info): nothing is left behind."""
        self.open(step, writing, method=self.options.method.value)
        if self.store is not None:
            self._load_earlier()
        if self.locks is not None:
            self.locks.name(permit=self.permit.number)
        if writing and self.locks is not None and self.peer_keys:
            self.locks.share(self.peer_keys)
        for other in self.others:
            self.say(f"another unit was here: {other}; nothing of it is used", "another unit")
        if writing:
            self.said.take_over()
        self.note_readings()
        self.said.judge_all()
        self.record(
            "confirmations",
            judged={
                what: {"ok": judged.ok, "reason": judged.reason, "verifiable": judged.verifiable}
                for what, judged in self.said.judged.items()
            },
        )
        if writing and self.said.judged["unit_removed"].ok and self.permit.state is not PermitState.NONE:
            self.keeper.send(What.REMOVED, self.said.judged["unit_removed"].text)

    def head(self) -> Mapping[str, Any]:
        return {"permit": self.permit.number}

    def read_earlier(self) -> None:
        super().read_earlier()
        self.keeper.open(self.earlier)

    def of_this_unit(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        good = self.observer.good
        if good is None:
            return records
        kept, others = of_this_unit(records, card_serial=good.identity.serial, ats_serial=good.ats.serial)
        facts = [record["unit"] for record in others if isinstance(record.get("unit"), dict)]
        self.others = sorted({f"{unit.get('model')}, serial {unit.get('ats_serial')}" for unit in facts})[:5]
        return kept

    def note_readings(self) -> None:
        """For a run after a cold start to know as old. Also where it shows nothing: what is known later is new then."""
        sample = self.observer.newest
        self.record("readings", values=readings_of(sample.ats), uptime_s=sample.uptime_s)

    def same(self) -> Found:
        """Is it one unit that answers by SNMP and over the login? Asked wherever a log's word is relied on."""
        found = self.session.same()
        if self.session.facts is None and not found.ok and self.observer.good is not None:
            return Found(False, f"{found.observed}: {self.log.error}", missing=found.missing)
        return found

    def _load_earlier(self) -> None:
        """What a cold start is held against: log and readings of the newest backup, and the starts that are used.

        Fixed at the run's beginning: what this run itself keeps is from after that start.
        """
        try:
            self.log.used = used_starts(self.earlier)
        except ValueError:
            self.log.unsure = True
        self.log.ended = self._ended_rows()
        newest = last_backup(self.earlier)
        if newest is None:
            return
        self.judging.old = old_readings(self.earlier[:newest])
        paths = self.earlier[newest].get("paths")
        # Written beside the evidence, and kept as it is called there: the folder may have been moved since.
        path = self.store.path / str(paths.get("event.txt")) if isinstance(paths, dict) and self.store else None
        try:
            self.log.earlier = _log_in(path) if path is not None else None
        except FileNotFoundError:
            # Somebody tidied the backups away: then there is no earlier log at hand.
            self.log.earlier = None
        except (OSError, ValueError):
            # It is there and may have the row already.
            self.log.unsure = True

    def _ended_rows(self) -> Counter[str]:
        """Begun rows that the last settled run has seen the end of; none where the card may have restarted since: a
        clock that is reset at every start writes the same row again."""
        settled = (record for record in reversed(self.earlier) if record.get("kind") == "settled")
        record: dict[str, Any] = next(settled, {})
        rows = record.get("ended")
        since_s = self.said.away_s(record)
        return Counter(str(row) for row in rows) if isinstance(rows, list) and since_s is not None else Counter()

    def before_end(self) -> None:
        """Something could not be written: whoever reads the end of this run must not take an older permit for the last.

        Raises Stop where it still cannot be: then no end is written either, and the next run trusts nothing given.
        """
        if self.evidence_lost and self.locks is not None:
            self.record_or_stop("permit", event={"what": "noted"}, permit=self.permit.to_record())
            for sent in self.keeper.files.values():
                self.record_or_stop("sending", event="noted", sending=sent.to_record())

    def unit_facts(self) -> dict[str, object]:
        sample = self.observer.newest
        card = sample.identity
        return {
            "model": sample.ats.model or card.model,
            "ats_serial": sample.ats.serial,
            "card_serial": card.serial,
            "name": sample.name,
            "aos": str(card.aos.version) if card.aos.version else None,
            "app": str(card.app.version) if card.app.version else None,
        }

    def subject_serial(self) -> str | None:
        """SAFETY 2: the ATS's own serial; unreadable: the one that evidence ties to this card; else the card's SN.

        Of the last answer: one that is missing makes no other unit of it.
        """
        newest = self.observer.newest
        sample = newest if newest.answered else self.observer.good or newest
        own = usable_serial(sample.ats.serial)
        if own:
            return own
        card = usable_serial(sample.identity.serial)
        for record in reversed(self.earlier):
            unit = record.get("unit")
            if isinstance(unit, dict) and card and unit.get("card_serial") == card:
                tied = usable_serial(str(unit.get("ats_serial") or ""))
                if tied:
                    return tied
        return card

    # -- words ---------------------------------------------------------------------------------------------------

    @property
    def rests_on(self) -> str:
        """What makes the method safe: the secondary that is out, or no load. The permit's own, once it is fixed."""
        method = self.options.method
        if self.permit.rests_on and not self._another_ground(method):
            return self.permit.rests_on
        if method is Method.APP_ONLY:
            disconnect = self.said.judged.get("will_disconnect_secondary")
            either = disconnect is not None and disconnect.ok and self.options.primary is not None
            return SECONDARY if either else NO_LOAD
        return SECONDARY if method is Method.SINGLE_SOURCE else NO_LOAD

    def _another_ground(self, method: Method) -> bool:
        """Does a run that sends come with a method of its own: one that may follow, or while nothing is fixed?"""
        permit = self.permit
        if not self.sends:
            return False
        if method.value in BY_DEED and permit.rests_on not in RESTS_ON[method.value]:
            # A recovery follows with no load, whatever the upgrade before it rested on.
            return True
        if permit.fixed:
            return False
        asked_else = permit.state is PermitState.ASKED and permit.rests_on not in RESTS_ON[method.value]
        return asked_else or permit.state is PermitState.CLOSED

    @property
    def primary(self) -> Source | None:
        """The input that stays: the permit's while anything is out, else the option's."""
        if self.permit.fixed and self.permit.primary in ("A", "B"):
            return Source[self.permit.primary]
        return self.options.primary

    def secondary(self) -> Source:
        if self.primary is None:
            raise Stop("refused", "primary_source is needed: it names the input that stays")
        return self.primary.other

    def secondary_name(self) -> str:
        return self.secondary().name

    def rules(self) -> Rules:
        return rules_of(Method.SINGLE_SOURCE, self.primary)

    def reads_live(self, source: Source, sample: Sample | None = None) -> bool:
        return reads_live(sample or self.observer.newest, source)

    def what_is_out(self) -> str:
        return "no load is connected" if self.rests_on == NO_LOAD else f"source {self.secondary_name()} is out"

    def app_was_sent(self) -> bool:
        """Did an app go in under the permit at hand, whatever became of it?"""
        app = self.keeper.files.get("app")
        if app is not None and app.counts_as_sent:
            return True
        for record in reversed(self.earlier):
            if record.get("kind") == "settled":
                return True
            if record.get("kind") == "permit" and (record.get("event") or {}).get("what") in ("promise", "release"):
                return False
        return False

    # -- telling -------------------------------------------------------------------------------------------------

    def stamp(self) -> str:
        return self.clock.wall().astimezone(self.options.zone).isoformat(timespec="seconds")

    def clock_words(self) -> str:
        """When the newest sample was asked for, as a person at the rack reads it."""
        age = timedelta(seconds=(self.clock.now() - self.observer.newest.at_s) / self.factor)
        here = (self.clock.wall() - age).astimezone(self.options.zone)
        return f"{here:%H:%M:%S} {here.tzname() or ''}".strip()

    def repeat(self, text: str, key: str) -> None:
        """A permission that stands, said again: with the time of the reading that it rests on, and only on one of now.

        A disk or a peer may have taken its time since; then the next reading says whether it still stands.
        """
        if self.clock.now() - self.observer.newest.at_s < self.bounds.fresh_s:
            # By the way of the STOP, so that it is never shown behind one that was said after it.
            repeat = getattr(self.progress, "repeat", self.progress.say)
            repeat(f"{self.label}: {self._mark}{self.clock_words()}: {text}", key)

    def stop_words(self, text: str) -> None:
        """Handed to the terminal and the job's output at once, waiting for neither (SAFETY 1.8)."""
        stop = getattr(self.progress, "stop", None)
        line = f"{self.label}: {self._mark}{text}"
        if stop is not None:
            stop(line)
        else:
            self.progress.say(line, f"stop {text[:60]}")

    def permission_words(self, text: str) -> bool:
        """False: nobody could be shown it, so it is not given."""
        permit = getattr(self.progress, "permit", None)
        line = f"{self.label}: {self._mark}{text}"
        if permit is not None:
            return bool(permit(line))
        self.progress.say(line, "permission")
        return True

    def _on_sample(self, sample: Sample, before: Sample | None) -> None:
        # What takes back comes first, before anything is written (SAFETY 1.8).
        if sample.answered:
            self._look_for_disturbance(sample, before)
        if self.locks is not None:
            self.said.follow(sample, self.expect_restart, before is not None and _may_have_restarted(before, sample))
        self.hands_off.follow(sample)
        for listener in list(self.listeners):
            listener(sample)
        if self.asks:
            self.dark.follow()
        if not sample.answered:
            return
        self.carry.follow(sample)
        if before is not None and restarted(before, sample):
            self.app_answered = False
        self.app_answered = self.app_answered or sample.app_answers
        self._note_isolation(sample)
        if before is None or before.discrete != sample.discrete or before.who != sample.who:
            a, b = sample.ats.input_a, sample.ats.input_b
            self.record(
                "sample",
                at_s=round(sample.at_s, 2),
                uptime_s=sample.uptime_s,
                comm=sample.ats.controller_comm.shown(),
                selected=sample.ats.selected_source.shown(),
                redundancy=sample.ats.redundancy.shown(),
                switch=sample.ats.switch.shown(),
                a=f"{a.status.shown()} {a.voltage_v.shown('V')}",
                b=f"{b.status.shown()} {b.voltage_v.shown('V')}",
                load_a=sample.ats.load.total_current_a,
                aos=sample.identity.aos.file,
                app=sample.identity.app.file,
            )

    def _look_for_disturbance(self, sample: Sample, before: Sample | None) -> None:
        if before is None or self.disturbance:
            return
        again = restarted(before, sample)
        if again:
            self.log.forget_begun()
        if float(sample.identity.simulated or 1) != self.factor:
            self.disturbance = "the unit changed what it declares about being simulated"
        else:
            if self.expect_restart:
                # A file of our own may change what the ATS calls itself, never the card (SAFETY 2).
                self._names = {what: name for what, name in self._names.items() if what == CARD}
            names = names_of(sample)
            self.disturbance = another_unit(self._names, names)
            self._names |= names
        if self.disturbance:
            return
        if not self.expect_restart:
            self.disturbance = foreign_hand(before, sample, self.sent.nothing, self.tolerates_restarts)
        elif again and not self.tolerates_restarts and self.observer.restarts > self.restarts_before_send + 1:
            # One restart is this run's own doing; the firmware that follows it is proved by await_restart.
            self.disturbance = "the card restarted once more, and not by this run"

    def _note_isolation(self, sample: Sample) -> None:
        """What the controller last said of the inputs: once it is silent, its values may be old (facts/ATS)."""
        heard, primary = sample.ats.controller_comm.is_(Comm.ESTABLISHED), self.primary
        if self.rests_on == NO_LOAD:
            if heard:
                self.isolated_when_last_heard = load_zero(sample.ats.load)[0]
            elif sign_of_load(sample.ats.load):
                self.isolated_when_last_heard = False
        elif heard and primary is not None:
            self.isolated_when_last_heard = secondary_dead(sample, self.rules()).ok
        elif primary is not None and reads_live(sample, primary.other):
            self.isolated_when_last_heard = False

    # -- logging in ----------------------------------------------------------------------------------------------

    def login(self, patient: bool = True) -> Login:
        """A login of the kind that sends, with event.txt read over it; the caller closes it. Waits for a busy card."""
        login = self.session.login(patient)
        self.record("log", rows=self.log.newest_rows())
        self.carry.take_up()
        return login

    def read_log(self, patient: bool = True) -> bool:
        """Reads event.txt with a login of its own. False (and the reason kept) where it could not be read."""
        try:
            self.login(patient).close()
        except TransportError as exc:
            if exc.kind == "auth":
                raise
            self.log.failed(exc.message)
            return False
        return True

    def verdict(self, before_action: bool = False, blind: Blind | None = None, sending: bool = False) -> Verdict:
        """What the interlock says at this moment; ``Judging.verdict``."""
        return self.judging.verdict(before_action, blind, sending)
