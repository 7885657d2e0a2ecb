# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One unit under a run: everything a step needs in its hands. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method, Rules, secondary_dead
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
    judge,
    secondary_seen_live,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
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
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.logbook import LogTracker
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.observe import AtsObserver
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options, Peer, Sent
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import last_word
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress, Run
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login


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
        self.package, self.contents, self.peers = package, contents or {}, peers
        # What the unit showed at the newest backup, as evidence has it.
        self.old: frozenset[str] = frozenset()
        # May the end of this job let anybody reconnect (SAFETY 6, first row)? Only those that ask for a disconnect.
        self.releases = False
        self.isolated_when_last_heard = False
        self.sent = Sent()
        self.confirmed: dict[str, Judged] = {}
        self.expect_restart = False
        # Has the ATS answered since the card's last start? Then no window is blind any more (SAFETY 4.5).
        self.app_answered = False
        self.restarts_before_send = 0
        # Has this run given a permission, and does one stand now?
        self.asked = False
        self.permission_stands = False
        self.read_whole = read_whole

    # -- beginning -----------------------------------------------------------------------------------------------

    @property
    def under_way(self) -> bool:
        return not self.sent.nothing

    def begin(self, step: str, writing: bool) -> None:
        """Locks, evidence and confirmations. ``writing`` False (check mode, info): nothing is left behind."""
        self.open(step, writing, method=self.options.method.value)
        if self.store is not None:
            self._load_earlier()
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
        newest = last_backup(self.earlier)
        if newest is None:
            return
        self.old = old_readings(self.earlier[:newest])
        paths = self.earlier[newest].get("paths")
        path = Path(str(paths.get("event.txt"))) if isinstance(paths, dict) else None
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

    def record_or_stop(self, kind: str, **fields: object) -> None:
        if kind in ("permission_withdrawn", "isolated", "redundant"):
            self.permission_stands = False
        elif kind.startswith("permission_"):
            self.asked = self.permission_stands = True
        super().record_or_stop(kind, **fields)

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
        return self.session.login(patient)

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
