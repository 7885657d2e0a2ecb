# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One unit under a run: everything a step needs in its hands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    Rules,
    reads_live,
    rules_of,
    secondary_dead,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import ColdStart, last_backup, used_starts
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.fitness import (
    another_unit,
    covered,
    foreign_hand,
    package_fits,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import (
    VOID,
    Context,
    State,
    next_action,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind, Case, judge
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    BY_DEED,
    NO_LOAD,
    PROMISES,
    RESTS_ON,
    SECONDARY,
    Permit,
    PermitState,
    What,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import old_readings, readings_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Health, Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    WHATS,
    Floors,
    Judged,
    Subject,
    Ways,
    judge_confirmation,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwarePackage
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import restarted, restarted_between
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Heard, Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.keeper import Keeper
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.logbook import LogTracker
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.observe import AtsObserver
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options, Peer, Sent
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.peers import Peers
from ansible_collections.dcops.apc.plugins.module_utils._procedure.chain import of_this_unit, stamp_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress, Run
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login

# SAFETY 2: a deed ends 12 h after it, and when no run watched for 30 minutes.
DEED_LIMIT_S = 12 * 3600.0
NO_RUN = timedelta(minutes=30)
# SAFETY 3: what a later process of the permit may build on.
CARRY_GAP_S = 60.0
# How often it is written down that a run watches.
NOTE_S = 30.0
# Longer than a restart of the card explains (SAFETY 6).
SILENCE_S = 120.0


def _unverifiable(word: str) -> str:
    """SERIAL@ADDRESS@time: the name plate's serial, which nothing can check (SAFETY 2)."""
    return ", not verifiable" if word.count("@") == len("@@") else ""


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
        )
        self.options = options
        self.package, self.contents = package, contents or {}
        self.peers = Peers(clock, peers, observer.poll_if_due)
        self.peer_keys = [key for peer in peers for key in peer.keys]
        self.hearing = hearing or Hearing()
        self.keeper = Keeper(self)
        self.sent = Sent(self.keeper)
        # Told of every sample, also of those taken while a login waits.
        self.listeners: list[Callable[[Sample], None]] = []
        # What the unit showed at the newest backup, as evidence has it.
        self.old: frozenset[str] = frozenset()
        self.others: list[str] = []
        self.isolated_when_last_heard = False
        self.judged: dict[str, Judged] = {}
        self.expect_restart = False
        # In settling, and only there, a restart starts the count anew instead of ending the run (SAFETY 4.6).
        self.tolerates_restarts = False
        # Has the ATS answered since the card's last start? Then no window is blind any more (SAFETY 4.5).
        self.app_answered = False
        self.restarts_before_send = 0
        self.sent_unseen = False
        self.proved: dict[str, bool] = {}
        self.asks = False
        # Something is to be sent: the method of this run counts, not that of a permit under which nothing was out.
        self.sends = False
        # How long an earlier process of this permit had watched without a break, up to this one's first sample.
        self.carried_watch_s = 0.0
        self._carried = False
        self._deed_heard_s: float | None = None
        self._heard: Heard | None = None
        self._noted_s = 0.0
        self._last_in: datetime | None = None
        self._model: str | None = None
        self._moment: tuple[object, ...] = ()
        self._verdicts: dict[tuple[object, ...], Verdict] = {}
        self._cases: dict[tuple[object, ...], Case] = {}
        self.read_whole = read_whole

    # -- beginning -----------------------------------------------------------------------------------------------

    @property
    def under_way(self) -> bool:
        return not self.sent.nothing

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
            self._take_over()
        self.note_readings()
        self._judge_words()
        self.record(
            "confirmations",
            judged={
                what: {"ok": judged.ok, "reason": judged.reason, "verifiable": judged.verifiable}
                for what, judged in self.judged.items()
            },
        )
        if writing and self.judged["unit_removed"].ok and self.permit.state is not PermitState.NONE:
            self.keeper.send(What.REMOVED, self.judged["unit_removed"].text)

    def head(self) -> Mapping[str, Any]:
        return {"permit": self.permit.number}

    def read_earlier(self) -> None:
        super().read_earlier()
        self.keeper.open(self.earlier)

    def _take_over(self) -> None:
        """What a dead process left: its permission is withdrawn before anything is measured, its file accounted for."""
        what = conduct.begins(self.permit, self._last_run_ended())
        if what is What.WITHDRAW:
            words = "STOP: the permission of an earlier run, which is gone, is withdrawn. Touch no plug and no load"
            self.keeper.take(what, words, "the run that gave it is gone")
        elif what is not None:
            self.keeper.take(what, "", "the run under which it was said has left no end: it may have said more")
        self.keeper.reconcile()
        over = self._deed_over_since_then()
        if over and self.permit.deed:
            self.keeper.take(What.DEED_ENDS, "", over)
        elif self.permit.deed:
            self._deed_heard_s = self.clock.now() - self._age_of(self.permit.deed_at)

    def _last_run_ended(self) -> bool:
        """Does the evidence show the end of the run before this one?"""
        ended = True
        for record in self.earlier:
            if record.get("kind") == "run":
                ended = False
            elif record.get("kind") == "end":
                ended = True
        return ended

    def _deed_over_since_then(self) -> str:
        """Between two processes: no run for 30 minutes, or a restart of the card that no file of ours caused."""
        if not self.permit.deed:
            return ""
        now, stamps = self.clock.wall(), []
        for record in self.earlier:
            with suppress(ValueError):
                stamps.append(datetime.fromisoformat(str(record.get("t", ""))))
        last = max((stamp for stamp in stamps if stamp.tzinfo is not None and stamp <= now), default=None)
        if last is None or now - last > NO_RUN:
            return "no run watched for 30 minutes"
        note, newest = self._last_note() or {}, self.observer.newest
        when, uptime_s = stamp_of(note), note.get("uptime_s")
        if when is None or newest.uptime_s is None or not isinstance(uptime_s, (int, float)):
            return "it is not known whether the card has restarted since"
        elapsed_s = (now - when).total_seconds() * self.factor - (self.clock.now() - newest.at_s)
        again = restarted_between(float(uptime_s), newest.uptime_s, elapsed_s)
        return "the card has restarted since, and not by a file of ours" if again else ""

    def _last_note(self) -> dict[str, Any] | None:
        return next((record for record in reversed(self.earlier) if record.get("kind") == "watching"), None)

    def _age_of(self, stamp: str) -> float:
        try:
            age = (self.clock.wall() - datetime.fromisoformat(stamp)).total_seconds()
        except ValueError:
            return DEED_LIMIT_S
        # A stamp later than now is not fresh.
        return age * self.factor if age >= 0 else DEED_LIMIT_S

    def deed_too_old(self) -> str:
        heard = self._deed_heard_s
        if heard is None or self.clock.now() - heard > DEED_LIMIT_S:
            return "it was said more than 12 h ago"
        return ""

    def of_this_unit(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        good = self.observer.good
        if good is None:
            return records
        kept, others = of_this_unit(records, good.identity.serial, good.ats.serial)
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
        for record in self.earlier:
            if record.get("kind") == "settled" and isinstance(record.get("ended"), list):
                self.log.ended = {str(digest) for digest in record["ended"]}
        newest = last_backup(self.earlier)
        if newest is None:
            return
        self.old = old_readings(self.earlier[:newest])
        paths = self.earlier[newest].get("paths")
        # Written beside the evidence, and kept as it is called there: the folder may have been moved since.
        path = self.store.path / str(paths.get("event.txt")) if isinstance(paths, dict) and self.store else None
        try:
            self.log.earlier = parse_event_log(path.read_bytes()) if path is not None else None
        except FileNotFoundError:
            # Somebody tidied the backups away: then there is no earlier log at hand.
            self.log.earlier = None
        except OSError:
            # It is there and may have the row already.
            self.log.unsure = True

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
        """SAFETY 2: the ATS's own serial; unreadable: the one that evidence ties to this card; else the card's SN."""
        sample = self.observer.newest
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
            disconnect = self.judged.get("will_disconnect_secondary")
            either = disconnect is not None and disconnect.ok and self.options.primary is not None
            return SECONDARY if either else NO_LOAD
        return SECONDARY if method is Method.SINGLE_SOURCE else NO_LOAD

    def _another_ground(self, method: Method) -> bool:
        """Does a run that sends come with a method of its own, while nothing is fixed (any more)?"""
        permit = self.permit
        if not self.sends or permit.fixed:
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

    def floors(self) -> Floors:
        return Floors(tuple(self.keeper.releases), tuple(self.keeper.attempts), self._last_in, tuple(self.permit.spent))

    def _judge(self, what: str) -> Judged:
        subject = Subject(self.subject_serial(), self.address)
        given, now, zone = self.options.confirmations, self.clock.wall(), self.options.zone
        return judge_confirmation(what, given, subject, now, zone, self.floors())

    def _judge_words(self) -> None:
        """When a run is first given them; a deed is judged anew when it is asked for."""
        with suppress(ValueError):
            self._last_in = datetime.fromisoformat(self.permit.last_in_at) if self.permit.last_in_at else None
        for what in WHATS:
            self.judged[what] = self._judge(what)

    def take_promise(self) -> None:
        """Brings this run under a permit: the promise of what its method rests on. A word that does not count is kept
        as
        a reason and refuses by the check ``promised``."""
        method, primary = self.options.method, self.options.primary
        self._refuse_another_method(method, primary)
        rests_on, permit = self.rests_on, self.permit
        judged = self.judged[PROMISES[rests_on]]
        who = {"method": method.value, "primary": primary.name if primary else "", "rests_on": rests_on}
        follows = method.value in BY_DEED and permit.method != method.value and permit.promise
        if follows and permit.state in (PermitState.ASKED, PermitState.ISOLATED, PermitState.WITHDRAWN):
            self.keeper.send(What.FOLLOW, judged.text if judged.ok else "", **who)
        elif judged.ok and (judged.text != permit.promise or permit.state is PermitState.ASKED):
            self.keeper.send(What.PROMISE, judged.text, **who)

    def _refuse_another_method(self, method: Method, primary: Source | None) -> None:
        permit = self.permit
        if not permit.fixed or permit.state in (PermitState.SETTLED, PermitState.CLOSED) or method.value in BY_DEED:
            return
        wanted = (method.value, primary.name if primary else permit.primary)
        if wanted != (permit.method, permit.primary) and permit.method not in BY_DEED:
            raise Stop(
                "refused",
                f"permit {permit.number} is fixed on {permit.method}"
                f"{f', primary source {permit.primary}' if permit.primary else ''} while anything is out",
            )

    @property
    def confirmed(self) -> dict[str, Judged]:
        """What the interlock judges by: the permit's promise and deed, and the statements of a recovery."""
        permit, rests_on = self.permit, self.rests_on
        found = {what: judged for what, judged in self.judged.items() if what in ("power_cycled", "one_input")}
        missing = self.judged.get(PROMISES[rests_on])
        reason = missing.reason if missing is not None else "was not judged"
        if missing is not None and missing.ok and permit.refusal:
            reason = permit.refusal
        found["promise"] = (
            Judged(True, f"promised: {permit.promise}{_unverifiable(permit.promise)}")
            if permit.promise and permit.rests_on == rests_on
            else Judged(False, reason, refused=True)
        )
        for what in (SECONDARY, NO_LOAD):
            said = bool(permit.deed) and permit.rests_on == what
            text = (
                f"said by {permit.deed_by} at {permit.deed_at}{_unverifiable(permit.deed)}"
                if said
                else f"not said; {'; '.join(self.ways(what).lines())}"
            )
            found[what] = Judged(said, text)
        return found

    def ways(self, what: str | None = None) -> Ways:
        chosen = what or self.rests_on
        source = self.primary.other.name if chosen == SECONDARY and self.primary is not None else ""
        return Ways(chosen, source, self.hearing.on_terminal)

    def beforehand(self) -> Judged:
        return self._judge(self.rests_on)

    def listen(self, out: bool | None) -> str:
        """A deed that counts now, whichever way it came; empty where there is none."""
        if self.permit.deed:
            return ""
        serial = self.subject_serial() or ""
        heard = self.hearing.listen(self.clock.wall(), out is False, serial, self._last_in, self.beforehand)
        self._heard = heard if heard is not None else self._heard
        if out is False:
            self._heard = None
        return self._heard.text if self._heard is not None else ""

    def take_deed(self) -> None:
        heard, self._heard = self._heard, None
        if heard is None:
            return
        sent = self.keeper.send(What.DEED, heard.text, by=heard.by, rests_on=self.rests_on)
        if sent:
            self._deed_heard_s = self.clock.now() - self._age_of(heard.at.isoformat())
            self.say(f"taken: {self.what_is_out()} ({heard.by})", "deed")

    def follow_deed(self) -> None:
        """While a file is on its way: a reading, or time, that ends the deed."""
        sample = self.observer.newest
        out: bool | None = None
        if sample.answered and sample.app_answers:
            if self.rests_on == NO_LOAD:
                out = False if sign_of_load(sample.ats.load) else None
            elif self.primary is not None and reads_live(sample, self.primary.other):
                out = False
        seen = Seen(out=out, deed_over=self.deed_too_old() if self.permit.deed else "")
        what = conduct.watching(self.permit, seen)
        if what is not None:
            self.keeper.take(
                what, f"STOP, TOUCH NO PLUG: the word that {self.what_is_out()} counts no more", seen.deed_over
            )

    def what_is_out(self) -> str:
        return "no load is connected" if self.rests_on == NO_LOAD else f"source {self.secondary_name()} is out"

    def given_words(self) -> str:
        """Every word that this run was given: a release spends them all."""
        return "\n".join(item.text for item in self.options.confirmations)

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

    # -- the rack that may be dark -------------------------------------------------------------------------------

    def dark_state(self) -> State | None:
        """The primary reads lost, or the card is silent for longer than a restart explains, and the secondary is "
        "out."""
        permit, primary = self.permit, self.primary
        out = permit.was_out and permit.rests_on == SECONDARY and permit.state is not PermitState.CLOSED
        if not out or primary is None or self.observer.good is None or not self.observer.samples:
            return None
        good, newest, now = self.observer.good, self.observer.newest, self.clock.now()
        if reads_live(good, primary.other):
            return None
        limit = self.options.up_timeout_s if self.expect_restart else SILENCE_S
        lost = newest.answered and newest.app_answers and newest.ats.input(primary).status.is_(Health.FAIL)
        lost = lost and not reads_live(newest, primary)
        if not lost and (newest.answered or now - good.at_s <= limit):
            return None
        failed = self.log.facts().failed
        if not permit.unsettled and not failed:
            return State.DARK_SETTLED if permit.state in (PermitState.SETTLED, PermitState.RETURNING) else State.DARK
        return State.DARK_UNSETTLED

    def _follow_dark(self) -> None:
        """Said at once, in whatever step: a plug may be moved on it, so no deed and no permission outlives it."""
        what = conduct.darkness(self.permit, Seen(dark=self.dark_state() is not None))
        if what is not None:
            self.keeper.take(what, self.dark_words(), "the rack may be dark")

    def dark_words(self) -> str:
        state = self.dark_state()
        if state is None:
            return ""
        return next_action(state, Context(self.options.method, self.primary, no_load=False))

    # -- telling -------------------------------------------------------------------------------------------------

    def stamp(self) -> str:
        return self.clock.wall().astimezone(self.options.zone).isoformat(timespec="seconds")

    def clock_words(self) -> str:
        """The time of the newest sample, as a person at the rack reads it."""
        here = self.clock.wall().astimezone(self.options.zone)
        return f"{here:%H:%M:%S} {here.tzname() or ''}".strip()

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
        for listener in list(self.listeners):
            listener(sample)
        if self.asks:
            self._follow_dark()
        if not sample.answered:
            return
        self._note(sample)
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
        self._look_for_disturbance(sample, before)

    def _note(self, sample: Sample) -> None:
        """Now and then, for the next process: that a run watched, what it saw, and since when without a break."""
        if (self.rests_on == SECONDARY and self.primary is not None and reads_live(sample, self.primary.other)) or (
            self.rests_on == NO_LOAD and sign_of_load(sample.ats.load)
        ):
            self._last_in = self.clock.wall()
        if sample.at_s - self._noted_s >= NOTE_S:
            self.note_watch(sample)

    def note_watch(self, sample: Sample) -> None:
        self._noted_s = sample.at_s
        watch = self.observer.watch()
        self.record(
            "watching",
            uptime_s=sample.uptime_s,
            watched_s=round(watch.unbroken_s, 1),
            watched=[str(item) for item in sample.watched],
            breaks=self.observer.breaks,
        )

    def carry_watch(self) -> None:
        """Builds on earlier processes of this permit (SAFETY 3, controller_quiet): after a gap of at most 60 s, while
        sysUpTime goes on, communication and revision read the same, and the log has no new row of the controller."""
        good = self.observer.good
        if self._carried or good is None or self.permit.state is PermitState.NONE or self.observer.breaks:
            return
        self._carried = True
        found = 0.0
        for place in reversed(range(len(self.earlier))):
            note = self.earlier[place]
            if note.get("kind") != "watching":
                continue
            carried = self._carried_from(note, self.earlier[:place], good)
            if carried is None:
                break
            found = max(found, carried)
            if note.get("breaks"):
                # What was seen before that process's last break is no watch without one.
                break
        if found:
            self.carried_watch_s = found
            self.observer.carry(found)

    def _carried_from(self, note: Mapping[str, Any], before: Sequence[Mapping[str, Any]], good: Sample) -> float | None:
        try:
            when = datetime.fromisoformat(str(note["t"]))
            uptime_s, watched_s = float(note["uptime_s"]), float(note["watched_s"])
            seen = list(note["watched"])
            rows = next((list(item["rows"]) for item in reversed(before) if item.get("kind") == "log"), [])
        except (KeyError, TypeError, ValueError):
            return None
        first_s = self.observer.first_good_s if self.observer.first_good_s is not None else good.at_s
        gap_s = (good.uptime_s or 0.0) - uptime_s - (good.at_s - first_s)
        wall_gap_s = (self.clock.wall() - when).total_seconds() * self.factor - (self.clock.now() - first_s)
        near = 0.0 < gap_s <= CARRY_GAP_S and -5.0 <= wall_gap_s <= CARRY_GAP_S + 5.0
        same = seen == [str(item) for item in good.watched]
        if not (near and same and self.log.adds_nothing_of_the_controller(rows)):
            return None
        return max(0.0, watched_s + gap_s)

    def _look_for_disturbance(self, sample: Sample, before: Sample | None) -> None:
        if before is None or self.disturbance:
            return
        again = restarted(before, sample)
        if again:
            self.log.forget_begun()
        if float(sample.identity.simulated or 1) != self.factor:
            self.disturbance = "the unit changed what it declares about being simulated"
        else:
            self.disturbance = another_unit(before, sample)
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
        self.carry_watch()
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

    # -- judging -------------------------------------------------------------------------------------------------

    def model(self) -> str | None:
        sample = self.observer.good
        if sample is None:
            return None
        if sample.ats.model or sample.identity.model:
            self._model = sample.ats.model or sample.identity.model
            return self._model
        # This run's own word first: after an AOS the card may show none.
        for record in reversed(self.earlier):
            unit = record.get("unit")
            if self._model is None and isinstance(unit, dict) and unit.get("model"):
                return str(unit["model"])
        return self._model

    def covered(self) -> Found:
        good = self.observer.good
        return covered(good.identity, self.model()) if good else Found(False, "no answer", missing=True)

    def package_found(self) -> Found:
        good, options = self.observer.good, self.options
        if good is None:
            return Found(False, "no answer", missing=True)
        return package_fits(self.package, good.identity, self.model(), options.allow_downgrade, options.checksums)

    def undisturbed(self) -> Found:
        foreign = self.disturbance or self.log.facts().foreign
        return Found(not foreign, foreign or "nothing but this run")

    def case(self, blind: Blind | None = None, sending: bool = False) -> Case:
        log = self.log.facts()
        return Case(
            method=self.options.method,
            primary=self.primary,
            samples=self.observer.samples,
            now_s=self.clock.now(),
            bounds=self.bounds,
            covered=self.covered(),
            identity=self.same(),
            package=self.package_found(),
            undisturbed=self.undisturbed(),
            log=log,
            watch=self.observer.watch(while_sending=sending),
            confirmed=self.confirmed,
            package_aos=self.package.aos.version if self.package and self.package.aos else None,
            blind=blind,
            old=self.old if self._old_may_be_told(log.cold_start) else frozenset(),
        )

    def _old_may_be_told(self, start: ColdStart) -> bool:
        """Only where the log shows the cold start that came between: a card that merely restarted proves nothing."""
        return bool(start.new and start.joined and self.options.method is Method.RECOVERY)

    def verdict(self, before_action: bool = False, blind: Blind | None = None, sending: bool = False) -> Verdict:
        """``sending``: a transfer is under way, so the log cannot be read again after a missing answer.

        Asked for several times a sample: the same question at the same moment has the same answer.
        """
        moment = (
            *(len(self.observer.samples), id(self.observer.samples[-1]) if self.observer.samples else 0),
            *(self.clock.now(), id(self.log.facts()), self.permit, self.disturbance, id(self.session.facts)),
            *(self.carried_watch_s, self.hearing.on_terminal),
        )
        if self._moment != moment:
            self._moment = moment
            self._verdicts.clear()
            self._cases.clear()
        which = (before_action, blind, sending)
        if which not in self._verdicts:
            case = self._cases.get(which[1:])
            if case is None:
                case = self._cases[which[1:]] = self.case(blind, sending)
            self._verdicts[which] = judge(case, before_action)
        return self._verdicts[which]
