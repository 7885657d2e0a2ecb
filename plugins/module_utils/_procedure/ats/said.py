# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people have said to a run, and until when it counts (SAFETY 2).

Sends events to the permit, through its keeper.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method, reads_live
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    BY_DEED,
    NO_LOAD,
    PROMISES,
    SECONDARY,
    PermitState,
    What,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    WHATS,
    Floors,
    Judged,
    Subject,
    Ways,
    judge_confirmation,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Heard, Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

if TYPE_CHECKING:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit

# SAFETY 2: a deed ends 12 h after it, and when no run watched for 30 minutes.
DEED_LIMIT_S = 12 * 3600.0
NO_RUN = timedelta(minutes=30)


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

    def take_over(self) -> None:
        """What a dead process left: its permission is withdrawn before anything is measured, its file accounted for."""
        what = conduct.begins(self.unit.permit, self._last_run_ended())
        if what is What.WITHDRAW:
            words = "STOP: the permission of an earlier run, which is gone, is withdrawn. Touch no plug and no load"
            self.unit.keeper.take(what, words, "the run that gave it is gone")
        elif what is not None:
            self.unit.keeper.take(what, "", "the run under which it was said has left no end: it may have said more")
        self.unit.keeper.reconcile()
        over = self._deed_over_since_then()
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
        now, stamps = self.unit.clock.wall(), []
        for record in self.unit.earlier:
            with suppress(ValueError):
                stamps.append(datetime.fromisoformat(str(record.get("t", ""))))
        last = max((stamp for stamp in stamps if stamp.tzinfo is not None and stamp <= now), default=None)
        if last is None or now - last > NO_RUN:
            return "no run watched for 30 minutes"
        note, uptime = self._last_note(), self.unit.observer.newest.uptime_s
        if note is None or uptime is None or not isinstance(note.get("uptime_s"), (int, float)):
            return "it is not known whether the card has restarted since"
        return "the card has restarted since, and not by a file of ours" if uptime < float(note["uptime_s"]) else ""

    def _last_note(self) -> dict[str, Any] | None:
        return next((record for record in reversed(self.unit.earlier) if record.get("kind") == "watching"), None)

    def _age_of(self, stamp: str) -> float:
        try:
            age = (self.unit.clock.wall() - datetime.fromisoformat(stamp)).total_seconds()
        except ValueError:
            return DEED_LIMIT_S
        # A stamp later than now is not fresh.
        return age * self.unit.factor if age >= 0 else DEED_LIMIT_S

    def deed_too_old(self) -> str:
        heard = self._deed_heard_s
        if heard is None or self.unit.clock.now() - heard > DEED_LIMIT_S:
            return "it was said more than 12 h ago"
        return ""

    def floors(self) -> Floors:
        keeper = self.unit.keeper
        return Floors(tuple(keeper.releases), tuple(keeper.attempts), self._last_in, tuple(keeper.permit.spent))

    def _judge(self, what: str) -> Judged:
        subject = Subject(self.unit.subject_serial(), self.unit.address)
        given, now, zone = self.unit.options.confirmations, self.unit.clock.wall(), self.unit.options.zone
        return judge_confirmation(what, given, subject, now, zone, self.floors())

    def judge_all(self) -> None:
        """When a run is first given them; a deed is judged anew when it is asked for."""
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
        if follows and permit.state in (PermitState.ASKED, PermitState.ISOLATED, PermitState.WITHDRAWN):
            self.unit.keeper.send(What.FOLLOW, judged.text if judged.ok else "", **who)
        elif judged.ok and (judged.text != permit.promise or permit.state is PermitState.ASKED):
            self.unit.keeper.send(What.PROMISE, judged.text, **who)

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
        chosen = what or self.unit.rests_on
        source = self.unit.primary.other.name if chosen == SECONDARY and self.unit.primary is not None else ""
        return Ways(chosen, source, self.hearing.on_terminal)

    def secondary_reads_in(self) -> None:
        """What a deed takes back is live, or the load is there: a word from before this moment counts no more."""
        self._last_in = self.unit.clock.wall()

    def beforehand(self) -> Judged:
        return self._judge(self.unit.rests_on)

    def listen(self, out: bool | None) -> str:
        """A deed that counts now, whichever way it came; empty where there is none."""
        if self.unit.permit.deed:
            return ""
        serial = self.unit.subject_serial() or ""
        heard = self.hearing.listen(self.unit.clock.wall(), out is False, serial, self._last_in, self.beforehand)
        self._heard = heard if heard is not None else self._heard
        if out is False:
            self._heard = None
        return self._heard.text if self._heard is not None else ""

    def take_deed(self) -> None:
        heard, self._heard = self._heard, None
        if heard is None:
            return
        sent = self.unit.keeper.send(What.DEED, heard.text, by=heard.by, rests_on=self.unit.rests_on)
        if sent:
            self._deed_heard_s = self.unit.clock.now() - self._age_of(heard.at.isoformat())
            self.unit.say(f"taken: {self.unit.what_is_out()} ({heard.by})", "deed")

    def follow_deed(self) -> None:
        """While a file is on its way: a reading, or time, that ends the deed."""
        sample = self.unit.observer.newest
        out: bool | None = None
        if sample.answered and sample.app_answers:
            if self.unit.rests_on == NO_LOAD:
                out = False if sign_of_load(sample.ats.load) else None
            elif self.unit.primary is not None and reads_live(sample, self.unit.primary.other):
                out = False
        seen = Seen(out=out, deed_over=self.deed_too_old() if self.unit.permit.deed else "")
        what = conduct.watching(self.unit.permit, seen)
        if what is not None:
            self.unit.keeper.take(
                what, f"STOP, TOUCH NO PLUG: the word that {self.unit.what_is_out()} counts no more", seen.deed_over
            )

    def given_words(self) -> str:
        """Every word that this run was given: a release spends them all."""
        return "\n".join(item.text for item in self.unit.options.confirmations)
