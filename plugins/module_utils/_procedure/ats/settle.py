# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settling: "communication established" comes before the dangerous part, so it takes time to be sure (SAFETY 4.6)."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    both_live,
    primary_healthy,
    secondary_dead,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.fitness import other_firmware
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, PermitState, What
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import (
    END_NOT_SEEN_S,
    LONG_UPTIME_S,
    SHORT_UPTIME_S,
    WATCH_S,
    LogFacts,
    download_open,
    failed_stands,
    failure_may_end,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Health, Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

LOG_RETRY_S = 60.0
# Communication may be absent while the controller is being flashed; after this long the log is asked why.
LOST_S = 120.0
EARLY_LOG_S = 5.0


def clock_text(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Settling:
    """``strict``: an app was sent with the inputs isolated, and they must stay so. Else they only stay as they are."""

    def __init__(self, unit: Unit, what: str, strict: bool, failures_end: bool = True) -> None:
        self.unit, self.what, self.strict = unit, what, strict
        # A run that only waits for the unit to be quiet judges an old failure itself.
        self.failures_end = failures_end
        self.calm_since: float | None = None
        self.lost_since: float | None = None
        self.back = 0
        self.restarts = unit.observer.restarts
        self._log_tried: float | None = None
        self._before: Sample | None = None
        self._why = ""
        good = unit.observer.good
        self._card = good.identity if good is not None else None

    def run(self) -> None:
        """Returns when settled. Raises Stop otherwise."""
        unit = self.unit
        began, limit = unit.clock.now(), unit.options.controller_timeout_s
        # Every sample is followed, also those taken while a login waits.
        unit.listeners.append(self._follow)
        unit.tolerates_restarts = True
        try:
            while True:
                unit.observer.next()
                if unit.sent.nothing:
                    unit.stop_if_orphaned()
                if unit.disturbance:
                    raise Stop("state", f"undisturbed: {unit.disturbance}", unit.verdict())
                self._returned()
                if self._settled():
                    self._conclude()
                    return
                if unit.clock.now() - began >= limit:
                    raise Stop("timeout", f"not settled within {limit:.0f} s: {self._why or 'no quiet 240 s'}")
                self._tell()
        finally:
            unit.listeners.remove(self._follow)
            unit.tolerates_restarts = False

    def _conclude(self) -> None:
        unit, card = self.unit, self.unit.observer.newest.identity
        # Of what a run before has watched to its end nothing is reported again.
        end_not_seen = unit.log.facts().begun
        if unit.permit.state is PermitState.SETTLING or unit.permit.unsettled:
            unit.keeper.send(What.SETTLED)
        unit.keeper.files.pop("app", None)
        unit.keeper.torn = False
        unit.record(
            "settled",
            aos=str(card.aos.version),
            app=str(card.app.version),
            unit=unit.unit_facts(),
            ended=unit.log.begun_rows(),
            uptime_s=unit.observer.newest.uptime_s,
            end_not_seen=end_not_seen,
        )
        unit.say("settled", "settled")
        if end_not_seen:
            unit.say(f"end_not_seen: the log shows no end of the download ({end_not_seen})", "end_not_seen")

    # -- every sample --------------------------------------------------------------------------------------------

    def _follow(self, sample: Sample) -> None:
        unit, now = self.unit, self.unit.clock.now()
        if sample.answered and self._card is not None and not unit.disturbance:
            # A restart is tolerated here; what somebody else has sent meanwhile is not.
            unit.disturbance = other_firmware(self._card, sample.identity)
        fine, self._why = self._as_it_should(sample)
        since = unit.observer.watch().unbroken_since_s
        if not sample.answered and since is not None:
            # A lost answer: the watch says when there were too many of them.
            return
        if unit.observer.restarts != self.restarts:
            self.restarts, fine, self._why = unit.observer.restarts, False, "the card restarted"
        if not fine or since is None:
            if self.calm_since is not None:
                unit.say(
                    f"settling starts anew, {unit.hands_off.words()}: {self._why or 'the watch was interrupted'}",
                    "anew",
                )
            self.calm_since = None
            unit.carry.seconds = 0.0
        elif self.calm_since is None or since > self.calm_since:
            self.calm_since = sample.at_s
        if sample.answered:
            established = sample.ats.controller_comm.is_(Comm.ESTABLISHED)
            self.lost_since = None if established else (now if self.lost_since is None else self.lost_since)
            self._before = sample

    def _as_it_should(self, sample: Sample) -> tuple[bool, str]:
        unit, ats = self.unit, sample.ats
        if not sample.answered:
            return False, "no answer"
        if not ats.controller_comm.is_(Comm.ESTABLISHED):
            return False, f"communication with the controller: {ats.controller_comm.shown()}"
        if self._before is not None and self._before.discrete != sample.discrete:
            # Whatever the method: the inputs stay as they are for the whole 240 s.
            return False, "a value changed"
        if not self.strict:
            return True, ""
        if unit.options.method is Method.RECOVERY:
            wrong = sign_of_load(ats.load) or both_live(sample)
            return not wrong, wrong
        primary = unit.primary
        if unit.rests_on == NO_LOAD or primary is None:
            holds, _missing, text = load_zero(ats.load)
            return holds, text
        return self._isolated(sample, primary)

    def _isolated(self, sample: Sample, primary: Source) -> tuple[bool, str]:
        unit, secondary = self.unit, primary.other
        dead = secondary_dead(sample, unit.rules())
        # One odd value right after a boot is not a plug; two in a row under an established controller are.
        self.back = self.back + 1 if not dead.ok and unit.reads_live(secondary, sample) else 0
        if not dead.ok:
            return False, dead.observed
        healthy = primary_healthy(sample, unit.rules())
        if not healthy.ok and not sample.ats.input(primary).status.is_(Health.OK):
            return False, healthy.observed
        if not sample.ats.selected_source.is_(primary):
            return False, f"selected source {sample.ats.selected_source.shown()}"
        return True, ""

    def _returned(self) -> None:
        if self.back >= 2 and self.unit.primary is not None:
            name = self.unit.primary.other.name
            raise Stop("state", f"source {name} has returned: {self._why}", state=State.APP_SENT_SECONDARY_BACK)

    # -- settled? ------------------------------------------------------------------------------------------------

    def _settled(self) -> bool:
        unit = self.unit
        now, watch, facts = unit.clock.now(), unit.observer.watch(), unit.log.facts()
        twice = facts.doubled
        self._give_up_if_failed(now)
        calm = self._calm()
        if calm is None or watch.uptime_s is None:
            return False
        if now - calm >= EARLY_LOG_S and facts.fetched_s < calm:
            # Read early as well: the 300 s of a download whose end is not logged count from its row being first seen.
            facts = self._read_log(now) or facts
            twice = facts.doubled
        if watch.uptime_s < SHORT_UPTIME_S * twice or self._watched(now, calm) < WATCH_S * twice:
            return False
        needed = now - self._watched(now, calm) + WATCH_S * twice
        if facts.failed_then_start and watch.uptime_s >= LONG_UPTIME_S:
            # What ends an old failure is a log that shows no new one after those 900 s.
            needed = max(needed, now - watch.uptime_s + LONG_UPTIME_S)
        if not facts.readable or facts.fetched_s < needed:
            facts = self._read_log(now) or facts
        if self._calm() != calm:
            # What came while the log was read has broken it.
            return False
        return self._log_agrees(facts, now, calm, needed)

    def _watched(self, now: float, calm: float) -> float:
        """How long all was as it should be; restore builds on the permit's earlier process (SAFETY 4.8).

        Where an app has not settled nothing is carried over: that process watched the controller, and while it did
        the inputs may have been others.
        """
        unit = self.unit
        alone = self.strict or unit.permit.unsettled or unit.keeper.open_app
        return now - calm + (0.0 if alone else unit.carry.seconds)

    def _log_agrees(self, facts: LogFacts, now: float, calm: float, needed: float) -> bool:
        unit = self.unit
        if not facts.readable or facts.fetched_s < needed:
            self._why = (
                f"the event log cannot be read: {facts.error}" if not facts.readable else "reading the event log"
            )
            return False
        if self._watched(now, calm) < WATCH_S * facts.doubled:
            self._why = "the event log shares no row with the one before: waiting twice as long"
            return False
        same = unit.same()
        if not same.ok:
            # The log of another unit says nothing about this one.
            self._why = f"identity: {same.observed}"
            unit.session.forget()
            unit.log.failed(self._why)
            return False
        self._refuse_failed(facts)
        if download_open(facts, unit.observer.watch()):
            self._why = f"a download was begun ({facts.begun}), its end is not logged: over after 300 s unbroken"
            return False
        if self.failures_end and failed_stands(facts, unit.observer.watch(), True):
            self._why = (
                f"a failed download stands ({facts.failed}) until the card has been up for 900 s without another"
            )
            return False
        if facts.foreign:
            raise Stop("state", f"undisturbed: {facts.foreign}", unit.verdict())
        if self._may_end(facts) and failed_stands(facts, unit.observer.watch(), True):
            self._why = f"a download had failed ({facts.failed}): over once the card has been up for 900 s"
            return False
        return True

    def _may_end(self, facts: LogFacts) -> bool:
        return failure_may_end(facts, self.unit.observer.newest.ats.controller_comm.is_(Comm.ESTABLISHED))

    def _calm(self) -> float | None:
        """Since when all is as it should be; None where it is not, or the newest answer is missing."""
        return self.calm_since if self.unit.observer.newest.answered else None

    def _read_log(self, now: float) -> LogFacts | None:
        if self._log_tried is not None and now - self._log_tried < LOG_RETRY_S:
            return None
        self._log_tried = now
        self.unit.read_log()
        return self.unit.log.facts()

    def _give_up_if_failed(self, now: float) -> None:
        """A controller that stays away is not waited for once the log says that its download failed."""
        uptime = self.unit.observer.watch().uptime_s or 0.0
        if self.lost_since is None or now - self.lost_since < LOST_S or uptime < SHORT_UPTIME_S:
            return
        facts = self._read_log(now)
        if facts is not None and facts.readable:
            self._refuse_failed(facts)

    def _refuse_failed(self, facts: LogFacts) -> None:
        unit = self.unit
        established = unit.observer.newest.ats.controller_comm.is_(Comm.ESTABLISHED)
        failed = facts.new_failed or (failed_stands(facts, unit.observer.watch(), established))
        if not failed or (not facts.new_failed and (not self.failures_end or self._may_end(facts))):
            return
        if not facts.new_failed and self._time_ends(facts, established):
            return
        if unit.permit.state is PermitState.SETTLING:
            unit.keeper.send(What.APP_FAILS, failed)
        raise Stop("state", f"the download into the ATS controller failed ({failed})", state=State.FAILED_STANDS)

    def _time_ends(self, facts: LogFacts, established: bool) -> bool:
        """May the older failed row still fall by time alone: by a download that may be going on, or by the 900 s after
        a start without one? (SAFETY 5.) Then it is waited for, and nothing has settled before."""
        going_on = facts.failed_then_begun and download_open(facts, self.unit.observer.watch())
        return going_on or (established and facts.failed_then_start)

    def _tell(self) -> None:
        unit = self.unit
        now, facts, watch = unit.clock.now(), unit.log.facts(), unit.observer.watch()
        calm = 0.0 if self.calm_since is None else self._watched(now, self.calm_since)
        target = SHORT_UPTIME_S * facts.doubled
        # Both conditions have to be met; the one that takes longer is what the person waits for.
        left = max(target - (watch.uptime_s or 0.0), WATCH_S * facts.doubled - calm, 0.0)
        if download_open(facts, watch) and watch.unbroken_since_s is not None:
            seen = max(facts.begun_seen_s, watch.unbroken_since_s)
            left = max(left, END_NOT_SEEN_S * facts.doubled - (watch.now_s - seen))
        reason = f" ({self._why})" if self._why else ""
        done = clock_text(max(0.0, target - left))
        unit.say(f"{self.what}, settling {done} of {clock_text(target)}, {unit.hands_off.words()}{reason}", "settling")


def settle(unit: Unit, what: str, strict: bool, failures_end: bool = True) -> None:
    Settling(unit, what, strict, failures_end).run()
