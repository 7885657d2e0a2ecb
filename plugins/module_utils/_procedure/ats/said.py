# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people have said to a run, and until when it counts (SAFETY 2).

Sends events to the permit, through its keeper.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    BY_DEED,
    NO_LOAD,
    PROMISES,
    SECONDARY,
    PermitState,
    What,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    WHATS,
    Floors,
    Judged,
    Subject,
    Ways,
    judge_confirmation,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.carry import DEEDS, about, contradicts
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Heard, Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

if TYPE_CHECKING:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit

# Under a permit in one of these another method may go on (app_only, recovery).
FOLLOWED = (PermitState.ASKED, PermitState.ISOLATED, PermitState.WITHDRAWN)
# SAFETY 2: a deed ends 12 h after it, and when no run watched for 30 minutes.
DEED_LIMIT_S = 12 * 3600.0
NO_RUN_S = 1800.0
# How far the card's clock may part from the controller's between two runs, as a share of the time.
DRIFT = 0.01


def _unverifiable(word: str) -> str:
    """SERIAL@ADDRESS@time: the name plate's serial, which nothing can check (SAFETY 2)."""
    return ", not verifiable" if word.count("@") == len("@@") else ""


class Said:
    """The words a run was given and those it hears; the interlock judges by what stands here."""

    def __init__(self, unit: Unit, hearing: Hearing) -> None:
        self.unit = unit
        self.hearing = hearing
        self.judged: dict[str, Judged] = {}
        self._deed_heard_s: float | None = None
        self._heard: Heard | None = None
        self._last_in: datetime | None = None
        # A key of DEEDS -> until when an earlier run may have read what contradicts it.
        self._earlier: dict[str, datetime | None] = {}
        # Which question the word was heard at: one that was taken down takes its answers with it.
        self._heard_at: int | None = None
        self._over = ""
        self._last_s: float | None = None
        self._begun: datetime | None = None
        self._promised = False

    def take_over(self) -> None:
        """What a dead process left: its permission is withdrawn before anything is measured, its file accounted for."""
        what = conduct.begins(self.unit.permit, self._last_run_ended())
        if what is What.WITHDRAW:
            words = "STOP: the permission of an earlier run, which is gone, is withdrawn. Touch no plug and no load"
            self.unit.keeper.take(what, words, "the run that gave it is gone")
        elif what is not None:
            self.unit.keeper.take(what, "", "the run under which it was said has left no end: it may have said more")
        self.unit.keeper.reconcile()
        over = "a record is damaged: it may have ended the deed" if self.unit.keeper.torn else ""
        over = over or self._deed_over_since_then()
        if over and self.unit.permit.deed:
            self.unit.keeper.take(What.DEED_ENDS, "", over)
        elif self.unit.permit.deed:
            self._deed_heard_s = self.unit.clock.now() - self._age_of(self.unit.permit.deed_at)

    def _last_run_ended(self) -> bool:
        """Does the evidence show the end of the run before this one?"""
        ended = True
        for record in self.unit.earlier:
            if record.get("kind") == "run":
                ended = False
            elif record.get("kind") == "end":
                ended = True
        return ended

    def _deed_over_since_then(self) -> str:
        """Between two processes: no run for 30 minutes, or a restart of the card that no file of ours caused."""
        if not self.unit.permit.deed:
            return ""
        away_s = self.away_s(self._last_note())
        if away_s is None:
            return "the card may have restarted since, and not by a file of ours"
        return "no run watched for 30 minutes" if away_s > NO_RUN_S else ""

    def away_s(self, record: Mapping[str, Any]) -> float | None:
        """Device seconds since an earlier process's record, which holds the card's uptime; None: it may have restarted.

        Two clocks that have to agree: the controller's can be set, and a restart sets the card's back.
        """
        good, factor = self.unit.observer.good, self.unit.factor
        if good is None or good.uptime_s is None:
            return None
        try:
            when, then_s = datetime.fromisoformat(str(record["t"])), float(record["uptime_s"])
            by_wall = (self.unit.clock.wall() - when).total_seconds() * factor
        except (KeyError, TypeError, ValueError):
            return None
        by_card = good.uptime_s - then_s + self.unit.clock.now() - good.at_s
        slack_s = self.unit.bounds.gap_s + DRIFT * max(by_wall, 0.0)
        # The smaller of two that agree might be the restarted one's, where it had been up for a moment only.
        unsure = abs(by_card - by_wall) > slack_s or then_s <= slack_s
        return None if unsure else max(by_card, by_wall)

    def _last_note(self) -> dict[str, Any]:
        return next((record for record in reversed(self.unit.earlier) if record.get("kind") == "watching"), {})

    def _age_of(self, stamp: str) -> float:
        try:
            age = (self.unit.clock.wall() - datetime.fromisoformat(stamp)).total_seconds()
        except ValueError:
            return DEED_LIMIT_S
        # A stamp later than now is not fresh.
        return age * self.unit.factor if age >= 0 else DEED_LIMIT_S

    def deed_over(self) -> str:
        """Why the deed of the permit has ended, beside a reading that contradicts it."""
        if not self.unit.permit.deed:
            return ""
        if self.unit.disturbance or self._over:
            return self.unit.disturbance or self._over
        heard = self._deed_heard_s
        if heard is None or self.unit.clock.now() - heard > DEED_LIMIT_S:
            return "it was said more than 12 h ago"
        return ""

    def follow(self, sample: Sample, own_restart: bool, restart: bool) -> None:
        """At every sample, whatever it was taken for: what ends the deed ends it at once (SAFETY 2).

        ``own_restart``: a file of this permit explains one; ``restart``: the card has restarted since the last sample.
        """
        last, self._last_s = self._last_s, sample.at_s
        if restart and not own_restart:
            self._over = "the card has restarted, and not by a file of ours"
        elif last is not None and sample.at_s - last > NO_RUN_S:
            # A process that was stopped, a machine that slept.
            self._over = "no run watched for 30 minutes"
        self.follow_deed()

    def floors(self, what: str) -> Floors:
        keeper = self.unit.keeper
        return Floors(tuple(keeper.releases), tuple(keeper.attempts), self._last_live(what), tuple(keeper.permit.spent))

    def _last_live(self, what: str) -> datetime | None:
        """The last reading, of this run or an earlier one, that contradicts such a deed: only a later word counts."""
        deed = about(what, self.unit.primary)
        if deed not in self._earlier:
            self._earlier[deed] = self.unit.carry.last_live(deed)
        return max(filter(None, (self._last_in, self._earlier[deed])), default=None)

    def _judge(self, what: str) -> Judged:
        subject = Subject(self.unit.subject_serial(), self.unit.address)
        given, now, zone = self.unit.options.confirmations, self.unit.clock.wall(), self.unit.options.zone
        return judge_confirmation(what, given, subject, now, zone, self.floors(what))

    def judge_all(self) -> None:
        """When a run is first given them; a deed is judged anew when it is asked for."""
        self._begun = self.unit.clock.wall()
        with suppress(ValueError):
            self._last_in = datetime.fromisoformat(self.unit.permit.last_in_at) if self.unit.permit.last_in_at else None
        for what in WHATS:
            self.judged[what] = self._judge(what)

    def take_promise(self) -> None:
        """Brings this run under a permit: the promise of what its method rests on.

        A word that does not count is kept as a reason and refuses by the check ``promised``.
        """
        method, primary = self.unit.options.method, self.unit.options.primary
        self._refuse_another_method(method, primary)
        rests_on, permit = self.unit.rests_on, self.unit.permit
        judged = self.judged[PROMISES[rests_on]]
        who = {"method": method.value, "primary": primary.name if primary else "", "rests_on": rests_on}
        follows = method.value in BY_DEED and permit.method != method.value and permit.promise
        if follows and permit.state in FOLLOWED:
            if not judged.ok and permit.rests_on != rests_on:
                # Another ground needs its own promise; the check ``promised`` says which.
                return
            self._promised = self.unit.keeper.send(What.FOLLOW, judged.text if judged.ok else "", **who)
        elif judged.ok and (judged.text != permit.promise or permit.state is PermitState.ASKED):
            self._promised = self.unit.keeper.send(What.PROMISE, judged.text, **who)

    def promises_anew(self) -> bool:
        """Is a promise given that is not the permit's own? It closes a settled permit (SAFETY 2)."""
        permit, judged = self.unit.permit, self.judged[PROMISES[self.unit.rests_on]]
        return judged.ok and judged.text != permit.promise and judged.text not in permit.spent

    def _promise_counts(self) -> bool:
        """From ``open`` on the permit carries it; before, each process has to be given it (SAFETY 2)."""
        permit, rests_on = self.unit.permit, self.unit.rests_on
        if not permit.promise or permit.rests_on != rests_on:
            return False
        return self._promised or permit.fixed or self.judged[PROMISES[rests_on]].ok or self._was_open()

    def _was_open(self) -> bool:
        """Was anybody asked under the promise at hand?"""
        for record in reversed(self.unit.earlier):
            what = (record.get("event") or {}).get("what") if record.get("kind") == "permit" else None
            if what in (What.PERMISSION.value, What.PROMISE.value):
                return bool(what == What.PERMISSION.value)
        return False

    def _refuse_another_method(self, method: Method, primary: Source | None) -> None:
        permit = self.unit.permit
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
        permit, rests_on = self.unit.permit, self.unit.rests_on
        found = {what: judged for what, judged in self.judged.items() if what in ("power_cycled", "one_input")}
        missing = self.judged.get(PROMISES[rests_on])
        reason = missing.reason if missing is not None else "was not judged"
        if missing is not None and missing.ok and permit.refusal:
            reason = permit.refusal
        found["promise"] = (
            Judged(True, f"promised: {permit.promise}{_unverifiable(permit.promise)}")
            if self._promise_counts()
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
        chosen = what or self.unit.rests_on
        source = self.unit.primary.other.name if chosen == SECONDARY and self.unit.primary is not None else ""
        return Ways(chosen, source, self.hearing.on_terminal)

    def secondary_reads_in(self) -> None:
        """What a deed takes back is live, or the load is there: a word from before this moment counts no more."""
        self._last_in = self.unit.clock.wall()

    def beforehand(self) -> Judged:
        """The options' word, judged anew. It was said before this run began, whatever its stamp says."""
        judged = self._judge(self.unit.rests_on)
        said, live = min(filter(None, (judged.said_at, self._begun)), default=None), self._last_live(self.unit.rests_on)
        if judged.ok and said is not None and live is not None and said <= live:
            return Judged(False, "it is older than the last reading that contradicts it")
        return judged

    def listen(self, out: bool | None) -> str:
        """A deed that counts now, whichever way it came; empty where there is none.

        A word that comes while the reading is not known is kept for the next one, at the same question only: what was
        said before a STOP is no answer behind it.
        """
        if self.unit.permit.deed:
            return ""
        if self._heard_at != self.hearing.number or self._older_than_live(self._heard):
            self._heard, self._heard_at = None, self.hearing.number
        serial = self.unit.subject_serial() or ""
        heard = self.hearing.listen(
            self.unit.clock.wall(), out is False, serial, self._last_live(self.unit.rests_on), self.beforehand
        )
        self._heard = heard if heard is not None else self._heard
        if out is False:
            self._heard = None
        return self._heard.text if self._heard is not None else ""

    def _older_than_live(self, heard: Heard | None) -> bool:
        live = self._last_live(self.unit.rests_on)
        return heard is not None and live is not None and heard.at <= live

    def take_deed(self) -> None:
        heard, self._heard = self._heard, None
        if heard is None:
            return
        sent = self.unit.keeper.send(What.DEED, heard.text, by=heard.by, rests_on=self.unit.rests_on)
        if sent:
            self._deed_heard_s = self.unit.clock.now() - self._age_of(heard.at.isoformat())
            self._over = ""
            self.unit.say(f"taken: {self.unit.what_is_out()} ({heard.by})", "deed")

    def follow_deed(self) -> None:
        """A reading, a restart, or time, that ends the deed: STOP first."""
        if not self.unit.permit.deed:
            return
        sample = self.unit.observer.newest
        said = self._deed_is_about()
        contradicted = sample.answered and sample.app_answers and said in contradicts(sample)
        seen = Seen(out=False if contradicted else None, deed_over=self.deed_over())
        what = conduct.watching(self.unit.permit, seen)
        if what is not None:
            why = f": {seen.deed_over}" if seen.deed_over else ""
            words = f"STOP, TOUCH NO PLUG: the word that {DEEDS[said]} counts no more{why}"
            self.unit.keeper.take(what, words, seen.deed_over)

    def _deed_is_about(self) -> str:
        """What a deed of this permit says: of the permit's own ground, whatever the run at hand would rest on."""
        permit, unit = self.unit.permit, self.unit
        if permit.deed and permit.rests_on:
            primary = Source[permit.primary] if permit.primary in ("A", "B") else unit.primary
            return about(permit.rests_on, primary)
        return about(unit.rests_on, unit.primary)

    def given_words(self) -> str:
        """Every word that this run was given: a release spends them all."""
        return "\n".join(item.text for item in self.unit.options.confirmations)
