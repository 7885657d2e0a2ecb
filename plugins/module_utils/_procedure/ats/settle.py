# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settling: "communication established" comes before the dangerous part, so it takes time to be sure (SAFETY 4.6).

Private to the collection.
"""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import (
    Method,
    Rules,
    both_live,
    primary_healthy,
    secondary_dead,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import secondary_seen_live
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import (
    END_NOT_SEEN_S,
    SHORT_UPTIME_S,
    WATCH_S,
    LogFacts,
    download_open,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Health, Redundancy, Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import open_runs

LOG_RETRY_S = 60.0
# Communication may be absent while the controller is being flashed; after this long the log is asked why.
LOST_S = 120.0
EARLY_LOG_S = 5.0


def hands_off(unit: Unit) -> str:
    """What every line says until the unit has settled (SAFETY 4.6)."""
    if unit.relies_on_no_load():
        return "CONNECT NO LOAD, TOUCH NO INPUT"
    good, primary = unit.observer.good, unit.options.primary
    if unit.sent.nothing and good is not None:
        redundant = good.ats.redundancy.is_(Redundancy.FULLY_REDUNDANT)
        if redundant or (primary is not None and good.ats.input(primary.other).status.is_(Health.OK)):
            # It is in already: what must not happen now is that somebody pulls it.
            return "TOUCH NO PLUG"
    return "DO NOT RECONNECT"


def clock_text(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Settling:
    """``sent``: this run sent a file with the inputs isolated, and they must stay so. Else it only watches."""

    def __init__(self, unit: Unit, sent: bool, what: str, old_failures: bool = True) -> None:
        self.unit, self.sent, self.what = unit, sent, what
        # A run that only watches waits for the unit to be quiet; that an old download failed is judged after it.
        self.old_failures = old_failures
        self.calm_since: float | None = None
        self.lost_since: float | None = None
        self.back = 0
        self._log_tried: float | None = None
        self._before: Sample | None = None
        self._why = ""
        # What was seen before the settling began says nothing of it.
        self._followed_s = unit.observer.samples[-1].at_s if unit.observer.samples else 0.0

    def run(self) -> None:
        """Returns when settled. Raises Stop otherwise."""
        unit = self.unit
        began = unit.clock.now()
        limit = unit.options.controller_timeout_s
        while True:
            unit.observer.next()
            self._catch_up()
            if unit.sent.nothing:
                unit.stop_if_orphaned()
            if unit.disturbance:
                raise Stop("state", f"undisturbed: {unit.disturbance}", unit.verdict())
            if self._settled():
                card = unit.observer.newest.identity
                unit.record(
                    "settled",
                    aos=str(card.aos.version),
                    app=str(card.app.version),
                    unit=unit.unit_facts(),
                    closes=sorted({*open_runs(unit.earlier), unit.run_id}),
                )
                unit.earlier.append({"kind": "settled", "closes": open_runs(unit.earlier)})
                unit.say("settled", "settled")
                return
            if unit.clock.now() - began >= limit:
                raise Stop("timeout", f"not settled within {limit:.0f} s: {self._why or 'no quiet 240 s'}")
            self._tell()

    def _catch_up(self) -> None:
        """Every sample is looked at, also those taken while a login waited."""
        for sample in [item for item in self.unit.observer.samples if item.at_s > self._followed_s]:
            self._followed_s = sample.at_s
            self._follow(sample)

    def _follow(self, sample: Sample) -> None:
        now = self.unit.clock.now()
        fine, self._why = self._as_it_should(sample)
        since = self.unit.observer.watch().unbroken_since_s
        if not sample.answered and since is not None:
            # A lost answer: the watch says when there were too many of them.
            return
        if not fine or since is None:
            if self.calm_since is not None:
                self.unit.say(f"settling starts anew: {self._why or 'the watch was interrupted'}", "anew")
            self.calm_since = None
        elif self.calm_since is None or since > self.calm_since:
            self.calm_since = sample.at_s
        if sample.answered and not sample.ats.controller_comm.is_(Comm.ESTABLISHED):
            self.lost_since = now if self.lost_since is None else self.lost_since
        elif sample.answered:
            self.lost_since = None
        self._before = sample if sample.answered else self._before

    def _as_it_should(self, sample: Sample) -> tuple[bool, str]:
        unit, ats = self.unit, sample.ats
        if not sample.answered:
            return False, "no answer"
        if not ats.controller_comm.is_(Comm.ESTABLISHED):
            return False, f"communication with the controller: {ats.controller_comm.shown()}"
        if self._before is not None and self._before.discrete != sample.discrete:
            # Whatever the method: the inputs stay as they are for the whole 240 s.
            return False, "a value changed"
        if not self.sent:
            return True, ""
        primary = unit.options.primary
        if unit.options.method is Method.RECOVERY:
            wrong = sign_of_load(ats.load) or both_live(sample)
            return not wrong, wrong
        if unit.relies_on_no_load() or primary is None:
            holds, _missing, text = load_zero(ats.load)
            return holds, text
        return self._isolated(sample, primary)

    def _isolated(self, sample: Sample, primary: Source) -> tuple[bool, str]:
        unit, secondary = self.unit, primary.other
        rules = Rules(Method.SINGLE_SOURCE, primary, witnessed=unit.observer.witnessed(secondary))
        dead = secondary_dead(sample, rules)
        if not dead.ok and secondary_seen_live(sample, primary):
            self.back += 1
            # One odd value right after a boot is not a plug; two in a row under an established controller are.
            if self.back >= 2:
                raise Stop(
                    "state",
                    f"source {secondary.name} has returned: {dead.observed}",
                    state=State.APP_SENT_SECONDARY_BACK,
                )
        else:
            self.back = 0
        if not dead.ok:
            return False, dead.observed
        healthy = primary_healthy(sample, rules)
        if not healthy.ok and not sample.ats.input(primary).status.is_(Health.OK):
            return False, healthy.observed
        if not sample.ats.selected_source.is_(primary):
            return False, f"selected source {sample.ats.selected_source.shown()}"
        return True, ""

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
        if watch.uptime_s < SHORT_UPTIME_S * twice or now - calm < WATCH_S * twice:
            return False
        needed = calm + WATCH_S * twice
        if not facts.readable or facts.fetched_s < needed:
            facts = self._read_log(now) or facts
        if self._calm() != calm:
            # What came while the log was read has broken it.
            return False
        if not facts.readable or facts.fetched_s < needed:
            self._why = (
                f"the event log cannot be read: {facts.error}" if not facts.readable else "reading the event log"
            )
            return False
        if now - calm < WATCH_S * facts.doubled or watch.uptime_s < SHORT_UPTIME_S * facts.doubled:
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
        if facts.foreign:
            raise Stop("state", f"undisturbed: {facts.foreign}", unit.verdict())
        return True

    def _calm(self) -> float | None:
        """Since when all is as it should be; None where it is not, or the newest answer is missing."""
        return self.calm_since if self.unit.observer.newest.answered else None

    def _read_log(self, now: float) -> LogFacts | None:
        if self._log_tried is not None and now - self._log_tried < LOG_RETRY_S:
            return None
        self._log_tried = now
        self.unit.read_log()
        self._catch_up()
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
        failed = facts.new_failed or (facts.failed_since_start if self.old_failures else "")
        if failed:
            raise Stop(
                "state",
                f"the download into the ATS controller failed ({failed}): the recovery playbook is next",
                details={"download_failed": True},
            )

    def _tell(self) -> None:
        unit = self.unit
        calm = 0.0 if self.calm_since is None else unit.clock.now() - self.calm_since
        uptime = unit.observer.watch().uptime_s or 0.0
        target = SHORT_UPTIME_S * unit.log.facts().doubled
        # Both conditions have to be met; the one that takes longer is what the person waits for.
        facts, watch = unit.log.facts(), unit.observer.watch()
        left = max(target - uptime, WATCH_S * facts.doubled - calm, 0.0)
        if download_open(facts, watch) and watch.unbroken_since_s is not None:
            seen = max(facts.begun_seen_s, watch.unbroken_since_s)
            left = max(left, END_NOT_SEEN_S * facts.doubled - (watch.now_s - seen))
        reason = f" ({self._why})" if self._why else ""
        done = clock_text(max(0.0, target - left))
        unit.say(f"{self.what}, settling {done} of {clock_text(target)}, {hands_off(unit)}{reason}", "settling")


def settle(unit: Unit, sent: bool, what: str, old_failures: bool = True) -> None:
    Settling(unit, sent, what, old_failures).run()
