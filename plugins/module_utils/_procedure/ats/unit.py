# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One unit under a run: everything a step needs in its hands. Private to the collection."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Found, Method, Rules, secondary_dead
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import ColdStart, last_backup, used_starts
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.fitness import (
    another_unit,
    covered,
    foreign_hand,
    package_fits,
    restarted,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import ALLOWS_CONNECT
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import (
    Blind,
    Case,
    Verdict,
    judge,
    secondary_seen_live,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Bounds, Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import old_readings, readings_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Redundancy
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    WHATS,
    Judged,
    Subject,
    judge_confirmation,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwarePackage
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.samedevice import LoginFacts, same_unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.logbook import LogTracker
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options, Peer, Progress, Sent
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import (
    Evidence,
    NoEvidence,
    history,
    last_word,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import Observer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import Locks, StateDir, key_of
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login


class Unit:
    """Wiring of one unit: clock, observer, log, login, evidence, and the case that the interlock judges."""

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
    ) -> None:
        self.label, self.address, self.port = label, address, port
        self.clock, self.options, self.progress = clock, options, progress
        self.package, self.contents, self.peers = package, contents or {}, peers
        self.store = store
        self.run_id = uuid.uuid4().hex[:12]
        self.factor = 1.0
        self.bounds = Bounds.for_factor(self.factor, options.stability_s)
        self.observer = Observer(clock, read, options.poll_interval_s, self.bounds)
        self.observer.on_sample = self._on_sample
        self.log = LogTracker()
        self.login_facts: LoginFacts | None = None
        self.evidence: Evidence | NoEvidence = NoEvidence()
        self.locks: Locks | None = None
        self.earlier: list[dict[str, object]] = []
        self.earlier_known = False
        # What the unit showed at the newest backup, as evidence has it.
        self.old: frozenset[str] = frozenset()
        # May the end of this job let anybody reconnect (SAFETY 6, first row)? Only those that ask for a disconnect.
        self.releases = False
        self.isolated_when_last_heard = False
        self.sent = Sent()
        self.confirmed: dict[str, Judged] = {}
        self.disturbance = ""
        self.expect_restart = False
        # Has the ATS answered since the card's last start? Then no window is blind any more (SAFETY 4.5).
        self.app_answered = False
        self.restarts_before_send = 0
        self.evidence_lost = ""
        # Has this run given a permission, and does one stand now?
        self.asked = False
        self.permission_stands = False
        self.read_whole = read_whole
        self._open_login = open_login
        self._on_first = on_first
        self._hide = hide
        self._orphaned = orphaned

    # -- beginning -----------------------------------------------------------------------------------------------

    def first_contact(self, tries: int = 3) -> Sample:
        """The first answer; fixes the clock's factor and the bounds. Raises TransportError("timeout") on silence."""
        for _attempt in range(tries):
            first = self.observer.poll()
            second = self.observer.poll() if first.answered else first
            if second.answered:
                # One odd answer must not set a real unit's clock: two agree, and the login has to (same_unit).
                if first.identity.simulated != second.identity.simulated or second.identity.oddly_simulated:
                    raise Stop(
                        "identity", "the unit's word on whether it is simulated is not the same twice, or not clear"
                    )
                self._on_first(second)
                self.factor = float(second.identity.simulated or 1)
                self.bounds = Bounds.for_factor(self.factor, self.options.stability_s)
                self.observer.start_over(self.bounds)
                # What was seen before the clock was set was held against the wrong factor.
                self.disturbance = ""
                for _try in range(tries):
                    third = self.observer.poll()
                    if third.answered:
                        return third
                raise TransportError("timeout", third.error or "the card stopped answering")
            self.clock.sleep(1.0)
        raise TransportError("timeout", second.error or "the card does not answer by SNMP")

    @property
    def simulated(self) -> bool:
        good = self.observer.good
        return bool(good and good.identity.simulated)

    def keys(self) -> list[str]:
        """Every name by which this unit is known now: pinned address and port, card SN, A.1.6."""
        found = [key_of("addr", f"{self.address}-{self.port}")]
        good = self.observer.good
        if good is not None:
            for kind, text in (("card", good.identity.serial), ("ats", good.ats.serial)):
                serial = usable_serial(text)
                if serial:
                    found.append(key_of(kind, serial))
        return found

    def begin(self, step: str, writing: bool) -> None:
        """Locks, evidence and confirmations. ``writing`` False (check mode, info): nothing is left behind."""
        if self.store is not None and writing:
            self.store.prepare()
            self.locks = self.store.locks(self.run_id)
            self.locks.add(self.keys())
        if self.store is not None:
            folder = self.store.folder("evidence", self.simulated)
            self.earlier = history(folder, self.keys()) if folder.is_dir() else []
            self.earlier_known = True
            self._load_earlier()
            if writing:
                header = {
                    "step": step,
                    "label": self.label,
                    "simulated": self.simulated,
                    "method": self.options.method.value,
                    "change_reference": self.options.change_reference,
                    "unit": self.unit_facts(),
                }
                self.evidence = Evidence(folder, self.run_id, self.keys(), header, self.clock.wall(), self._hide)
        self.note_readings()
        self._judge_confirmations()
        self.record(
            "confirmations",
            judged={
                what: {"ok": judged.ok, "reason": judged.reason, "verifiable": judged.verifiable}
                for what, judged in self.confirmed.items()
            },
        )

    def note_readings(self) -> None:
        """For a run after a cold start to know as old. Also where it shows nothing: what is known later is new then."""
        sample = self.observer.newest
        self.record("readings", values=readings_of(sample.ats), uptime_s=sample.uptime_s)

    def stop_if_orphaned(self) -> None:
        """A worker whose ansible-playbook was killed tells nobody anything any more: it ends at the next safe point."""
        if self._orphaned():
            raise Interrupted("the end of ansible-playbook, which had started it")

    def same(self) -> Found:
        """Is it one unit that answers by SNMP and over the login? Asked wherever a log's word is relied on."""
        good = self.observer.good
        if good is None:
            return Found(False, "no answer", missing=True)
        found = same_unit(good, self.login_facts)
        if self.login_facts is None and not found.ok:
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
        newest = last_backup(self.earlier)
        if newest is None:
            return
        self.old = old_readings(self.earlier[:newest])
        paths = self.earlier[newest].get("paths")
        name = str(paths.get("event.txt") or "") if isinstance(paths, dict) else ""
        path = self.store.resolved(name) if name and self.store is not None else None
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

    def _judge_confirmations(self) -> None:
        now = self.clock.wall()
        subject = Subject(self.subject_serial(), self.address)
        exact = self.options.method in (Method.APP_ONLY, Method.RECOVERY)
        floor = last_word(self.earlier, [state.value for state in ALLOWS_CONNECT]) if exact else None
        for what in WHATS:
            self.confirmed[what] = judge_confirmation(
                what, self.options.confirmations, subject, now, self.options.zone, exact, floor
            )

    # -- telling -------------------------------------------------------------------------------------------------

    def say(self, text: str, key: str = "") -> None:
        mark = "SIMULATED " if self.simulated else ""
        self.progress.say(f"{self.label}: {mark}{text}", key)

    def record(self, kind: str, **fields: object) -> None:
        """Evidence. After a byte was sent a full disk must not stop the watching: it is reported instead."""
        try:
            self.record_or_stop(kind, **fields)
        except Stop as exc:
            if self.sent.nothing:
                raise
            self.evidence_lost = exc.message

    def record_or_stop(self, kind: str, **fields: object) -> None:
        """For what must be on the disk before the next thing is done. Raises Stop("state")."""
        if kind in ("permission_withdrawn", "isolated", "redundant"):
            self.permission_stands = False
        elif kind.startswith("permission_"):
            self.asked = self.permission_stands = True
        self.evidence.write(kind, self.clock.wall(), device_s=round(self.clock.now(), 2), **fields)

    def _on_sample(self, sample: Sample, before: Sample | None) -> None:
        if not sample.answered:
            return
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
            self.disturbance = foreign_hand(before, sample, self.sent.nothing)
        elif again and self.observer.restarts > self.restarts_before_send + 1:
            # One restart is this run's own doing; the firmware that follows it is proved by await_restart.
            self.disturbance = "the card restarted once more, and not by this run"

    def _note_isolation(self, sample: Sample) -> None:
        """What the controller last said of the inputs: once it is silent, its values may be old (facts/ATS)."""
        primary = self.options.primary
        heard = sample.ats.controller_comm.is_(Comm.ESTABLISHED)
        if self.confirmed and self.relies_on_no_load():
            if heard:
                self.isolated_when_last_heard = load_zero(sample.ats.load)[0]
            elif sign_of_load(sample.ats.load):
                self.isolated_when_last_heard = False
        elif heard and primary is not None:
            witnessed = self.observer.witnessed(primary.other)
            rules = Rules(Method.SINGLE_SOURCE, primary, witnessed=witnessed)
            self.isolated_when_last_heard = secondary_dead(sample, rules).ok
        elif primary is not None and secondary_seen_live(sample, primary):
            self.isolated_when_last_heard = False

    def relies_on_no_load(self) -> bool:
        """Is it the absence of a load that makes this run safe, rather than the absence of the second source?"""
        if self.options.method is Method.APP_ONLY:
            word = self.confirmed.get("secondary_disconnected")
            return word is None or not word.ok or self.options.primary is None
        return self.options.method in (Method.NO_LOAD, Method.RECOVERY)

    # -- logging in ----------------------------------------------------------------------------------------------

    def login(self, patient: bool = True) -> Login:
        """A login of the kind that sends, with event.txt read over it; the caller closes it. Waits for a busy card."""
        end = self.clock.now() + (self.options.busy_timeout_s if patient else 0.0)
        pause = 5.0
        while True:
            try:
                self.log.own_logins += 1
                login = self._open_login(self.observer.poll_if_due)
                break
            except TransportError as exc:
                if exc.kind in ("busy", "auth"):
                    # The card refused it. Any other error may have come after the card had logged the login.
                    self.log.own_logins -= 1
                if exc.kind != "busy" or self.clock.now() >= end:
                    raise
                self.say(f"the card is busy, trying again: {exc.message}", "busy")
                until = self.clock.now() + pause
                while self.clock.now() < until:
                    self.observer.next()
                pause = min(pause * 2, 60.0)
        try:
            self._read_over(login)
        except BaseException:
            login.close()
            raise
        return login

    def _read_over(self, login: Login) -> None:
        protocol = self.log.protocol = getattr(login, "protocol", "ftp")
        self.log.own_transfers += 1
        log = parse_event_log(login.fetch("event.txt"))
        self.log.update(log, self.clock.now())
        facts = LoginFacts(protocol, login.banner, log.head)
        good = self.observer.good
        if good is not None and not same_unit(good, facts).ok:
            # The head of event.txt may name nothing unique; config.ini holds name and address too.
            self.log.own_transfers += 1
            try:
                text = login.fetch("config.ini").decode("latin-1")
                facts = LoginFacts(protocol, login.banner, log.head, tuple(text.splitlines()[:5000]))
            except TransportError as exc:
                if exc.kind != "transfer":
                    raise
        self.login_facts = facts

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
            return sample.ats.model or sample.identity.model
        for record in reversed(self.earlier):
            unit = record.get("unit")
            if isinstance(unit, dict) and unit.get("model"):
                return str(unit["model"])
        return None

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
        secondary = self.options.primary.other if self.options.primary else None
        log = self.log.facts()
        return Case(
            method=self.options.method,
            primary=self.options.primary,
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
            witnessed=secondary is not None and self.observer.witnessed(secondary),
            blind=blind,
            old=self.old if self._old_may_be_told(log.cold_start) else frozenset(),
        )

    def _old_may_be_told(self, start: ColdStart) -> bool:
        """Only where the log shows the cold start that came between: a card that merely restarted proves nothing."""
        return bool(start.new and start.joined and self.options.method is Method.RECOVERY)

    def verdict(self, before_action: bool = False, blind: Blind | None = None, sending: bool = False) -> Verdict:
        """``sending``: a transfer is under way, so the log cannot be read again after a missing answer."""
        return judge(self.case(blind, sending), before_action)

    def check_peers(self) -> None:
        """Raises Stop("refused") unless every peer reads fully redundant now."""
        for peer in self.peers:
            try:
                sample = peer.read()
            except TransportError as exc:
                raise Stop("refused", f"redundancy peer {peer.label} does not answer: {exc.message}") from exc
            if not sample.answered:
                raise Stop("refused", f"redundancy peer {peer.label} does not answer: {sample.error}")
            if not sample.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT):
                raise Stop("refused", f"redundancy peer {peer.label} reads {sample.ats.redundancy.shown()}")

    def close(self) -> None:
        self.evidence.close()
        if self.locks is not None:
            self.locks.close()
