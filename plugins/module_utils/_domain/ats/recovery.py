# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a unit whose controller was lost, and what comes next (SAFETY 2, 3 and 6).

From facts to a decision: the evidence of earlier runs, one reading, the findings of the log, the verdict of the
interlock, and what the operator said. No I/O and no clock. Where two steps are possible it is the one that moves less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import recovery_words as words
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import LONG_UPTIME_S
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import (
    BASELINE_MAX_AGE,
    Case,
    Way,
    baseline_kept,
)

MAX_ATTEMPTS = 2
# Checks that an operator, or nothing but time, makes hold.
FOR_TIME = frozenset({"stable", "controller_quiet"})
_FOR_A_PERSON = "_confirmed"


class Picture(Enum):
    HEALTHY = "healthy"
    ANSWERS_AGAIN = "answers_again"
    LOST = "lost"
    NO_APP = "no_app"
    SILENT = "silent"
    UNKNOWN = "unknown"


class NextStep(Enum):
    """What the role does next. ``say`` and ``stop`` do nothing: the first is a good end, the second a failure."""

    SAY = "say"
    STOP = "stop"
    KEEP_AND_STOP = "keep_and_stop"
    MAKER = "maker"
    KEEP_AND_MAKER = "keep_and_maker"
    WATCH = "watch"
    WATCH_AND_RESTORE = "watch_and_restore"
    SEND = "send"


@dataclass(frozen=True)
class Facts:
    """One reading. ``comm`` and ``redundancy`` are the words of ats_info; seconds of uptime are the device's.

    ``kept``: there is a backup from before this start of the card that is not too old. ``findings``: (id, text).
    """

    picture: Picture
    restore: bool
    kept: bool
    loads_off: bool
    findings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Given:
    """What the operator said. ``method`` None: as the picture is."""

    label: str
    method: str | None = None
    warranty: str = "unknown"
    package: bool = False
    primary: str | None = None
    said_power_cycled: bool = False
    check_mode: bool = False


@dataclass(frozen=True)
class Decision:
    """``method``: of the interlock, to be measured or sent with. ``reason``: why it ends; empty where it goes on."""

    next_step: NextStep
    reason: str = ""
    ask: tuple[str, ...] = ()
    method: str = ""
    loads_off: bool = True
    done: str = ""

    def to_result(self) -> dict[str, Any]:
        return {**asdict(self), "next_step": self.next_step.value, "ask": list(self.ask)}


# --- what the unit shows ------------------------------------------------------------------------------------


def facts_of(
    ats: Mapping[str, Any] | None,
    nmc: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    case: Case,
    now: datetime,
) -> Facts:
    """``ats`` and ``nmc`` as the modules return them; ``ats`` None where the card runs no ATS app."""
    uptime_s = float(nmc.get("uptime_s") or 0.0)
    kept = baseline_kept(case, now, uptime_s, float(nmc.get("simulated") or 1))
    found = tuple((str(item.get("id")), str(item.get("text"))) for item in findings)
    if ats is None:
        return Facts(Picture.NO_APP, False, kept, case.loads_off, found)
    comm, redundant = ats.get("controller_comm"), ats.get("redundancy") == "fully_redundant"
    load_a = (ats.get("load") or {}).get("total_current_a") or 0.0
    # Nothing was sent and a load reads on: nobody has taken it off on our word.
    loads_off = case.loads_off if case.open else not (comm == "established" and load_a > 0)
    if comm in ("lost", "never_discovered"):
        return Facts(Picture.LOST, False, kept, loads_off, found)
    if comm != "established":
        return Facts(Picture.UNKNOWN, False, kept, loads_off, found)
    # A cold start may have come, and its outage is not over: one input is in, and the loads may be off.
    restore = case.open or not redundant
    amiss = any(name.startswith("controller_") for name, _text in found)
    quiet = uptime_s >= LONG_UPTIME_S and not amiss and not restore
    return Facts(Picture.HEALTHY if quiet else Picture.ANSWERS_AGAIN, restore, kept, loads_off, found)


# --- what comes next ----------------------------------------------------------------------------------------


def before_measuring(facts: Facts, case: Case, given: Given) -> Decision:
    """With a ``method`` and the step ``send`` or ``watch``: measure with it, and ask ``after_measuring``."""
    picture, stay = facts.picture, words.WHEN_IN_DOUBT
    if picture is Picture.HEALTHY:
        return Decision(NextStep.SAY, ask=(f"{given.label}: {words.NOTHING_TO_RECOVER}",))
    if picture is Picture.UNKNOWN:
        return _stop(given, f"{words.PICTURES['unknown']}. {stay}")
    if picture is Picture.ANSWERS_AGAIN:
        if not given.package:
            return _stop(given, f"{words.PACKAGE_TO_WATCH} {stay}")
        # With the load on and one input out, words about loads would be the wrong ones.
        loaded = case.way is Way.APP_ONLY and not case.loads_off and given.primary is not None
        return Decision(NextStep.WATCH, method="single_source" if loaded else "no_load", loads_off=facts.loads_off)
    if picture is Picture.LOST and case.attempts >= MAX_ATTEMPTS:
        return _maker(given, facts, words.FAILED_TWICE)
    if picture is Picture.LOST and given.warranty != "no":
        return _maker(given, facts, words.WARRANTY[given.warranty])
    if not given.package:
        return _stop(given, f"{words.PACKAGE_TO_SEND} {stay}")
    method = given.method or ("app_only" if picture is Picture.NO_APP else "recovery")
    return Decision(NextStep.SEND, method=method, loads_off=facts.loads_off)


def silent(case: Case, given: Given, now: datetime) -> Decision | None:
    """No answer, and by the address nothing but evidence is known. None: nothing was begun that has a word of its own.

    Both inputs are out in the middle of a recovery, so its steps are said again (SAFETY 6): where the maker has no say
    any more, and of this day's recovery only. A backup alone is no outage, so whoever has both inputs in is told first.
    """
    if case.open:
        return _stop(given, words.SENT_SILENT)
    if case.baseline is None or not timedelta() <= now - case.baseline <= BASELINE_MAX_AGE:
        return None
    if given.warranty != "no":
        return _stop(given, f"{words.PICTURES['silent']}; {words.WARRANTY[given.warranty]}")
    again = words.outage_again(given.label, given.primary)
    return _stop(given, f"{words.SILENT_UNDER_WAY} {words.AS_SAID}", again)


def after_measuring(decided: Decision, facts: Facts, case: Case, given: Given, measured: Mapping[str, Any]) -> Decision:
    """``measured`` as ats_interlock_info returns it."""
    if decided.next_step is NextStep.WATCH:
        return _watch(decided, facts, case, given, measured)
    checks = (measured.get("interlock") or {}).get("checks") or []
    bad = [check for check in checks if not check["ok"]]
    reason, lines = _ask(decided.method, checks, given)
    if reason:
        keep = (
            not facts.kept
            and facts.picture is Picture.LOST
            and not only_words(bad, given)
            # One that counts must not be spent on a backup, whatever else stands in the way.
            and any(check["id"] == "cold_start_confirmed" for check in bad)
        )
        step = NextStep.KEEP_AND_STOP if keep and not given.check_mode else NextStep.STOP
        return _stop(given, reason, lines, step)
    if given.check_mode:
        return Decision(NextStep.SAY, ask=(words.would_send(given.label, decided.method),), method=decided.method)
    revived = decided.method == "recovery"
    loads_off = revived or not _isolated_by_word(given, measured)
    return Decision(
        NextStep.SEND, method=decided.method, loads_off=loads_off, done=words.done(given.label, revived=revived)
    )


def _watch(decided: Decision, facts: Facts, case: Case, given: Given, measured: Mapping[str, Any]) -> Decision:
    entry = measured.get("entry") or {}
    if entry.get("kind") not in ("watch", "unchanged"):
        return _stop(given, words.another_playbook(entry.get("reason") or "what is to be done is not clear"))
    if facts.restore and given.primary is None:
        return _stop(given, f"{words.NAME_THE_INPUT_TO_RESTORE} {words.WHEN_IN_DOUBT}")
    if given.check_mode:
        return Decision(NextStep.SAY, ask=(words.would_watch(given.label),), method=decided.method)
    step = NextStep.WATCH_AND_RESTORE if facts.restore else NextStep.WATCH
    # By the attempt, or by the cold start alone that the newest backup was taken for.
    revived = case.way in (Way.RECOVERY, Way.NOT_KNOWN) or (not case.open and case.baseline is not None)
    done = words.done(given.label, revived) if facts.restore else f"{given.label}: {words.NOTHING_LEFT}"
    return Decision(step, method=decided.method, loads_off=facts.loads_off, done=done)


def only_words(bad: Sequence[Mapping[str, Any]], given: Given) -> bool:
    """Nothing but the words themselves is refused: perhaps a slip of the pen, after the outage that was asked for."""
    left = [check for check in bad if check["id"] not in FOR_TIME]
    for check in left:
        if check["id"] == "cold_start_confirmed":
            if not str(check["observed"]).startswith(("power_cycled: ", "one_input: ")):
                return False
        elif check["id"] not in ("promised", "no_load_confirmed"):
            return False
    return given.said_power_cycled


def asked_of_a_person(checks: Iterable[Mapping[str, Any]]) -> list[str]:
    return [check["id"] for check in checks if not check["ok"] and _is_for_a_person(check["id"])]


def waits_for_a_download(checks: Sequence[Mapping[str, Any]]) -> bool:
    """Somebody would be asked for something while a download may be going on, whose end no log tells."""
    bad = [check["id"] for check in checks if not check["ok"]]
    return "controller_quiet" in bad and any(_is_for_a_person(name) for name in bad)


def _is_for_a_person(name: str) -> bool:
    return name in ("load_zero", "promised") or name.endswith(_FOR_A_PERSON)


def _ask(method: str, checks: Sequence[Mapping[str, Any]], given: Given) -> tuple[str, tuple[str, ...]]:
    """(reason, lines); both empty where nothing stands in the way."""
    bad = [check for check in checks if not check["ok"]]
    missing = "; ".join(f"{check['id']}: {check['observed']}" for check in bad if check["id"] not in FOR_TIME)
    asked = asked_of_a_person(bad)
    amiss = [check["id"] for check in bad if check["id"] not in FOR_TIME and check["id"] not in asked]
    if amiss or not checks:
        return f"it cannot go on ({missing}). {words.WHEN_IN_DOUBT}", ()
    if waits_for_a_download(checks):
        return words.DOWNLOAD_MAY_GO_ON, ()
    if asked:
        lines = (
            words.app_only_lines(given.label, missing)
            if method == "app_only"
            else words.outage_lines(given.label, words.PICTURES["lost"], missing, given.primary)
        )
        return f"a person is needed at the unit, as said above ({missing}). Nothing was sent.", lines
    if given.primary is None:
        return f"{words.NAME_THE_INPUT} Nothing was sent. {words.WHEN_IN_DOUBT}", ()
    return "", ()


def _isolated_by_word(given: Given, measured: Mapping[str, Any]) -> bool:
    """By the module's judgement on the words for this unit: a list may hold those of others."""
    return given.primary is not None and any(
        word.get("what") == "secondary_disconnected" and word.get("ok") for word in measured.get("confirmations") or ()
    )


def after_the_end(ended: Mapping[str, Any], case: Case, given: Given) -> Decision:
    """``ended``: of a step that failed: task, state, msg, next_action, app_sent, evidence, simulated."""
    state = str(ended.get("state") or "unknown")
    message = str(ended.get("msg") or "no reason was given")
    evidence = f"evidence: {ended.get('evidence') or 'none was written'}"
    if never_booted(ended):
        verdict = words.FAILED_TWICE if case.attempts >= MAX_ATTEMPTS else words.NEVER_BOOTED
        more = () if case.attempts >= MAX_ATTEMPTS else (words.ANOTHER_ATTEMPT,)
        lines = (
            f"{given.label}: FAILED. {words.PICTURES['lost']}, also after the app was sent again: {message}",
            f"WHAT TO DO NOW: {verdict}",
            evidence,
            *more,
        )
        return Decision(NextStep.KEEP_AND_MAKER, verdict, lines)
    action = str(ended.get("next_action") or words.WHEN_IN_DOUBT)
    said = (
        "SIMULATED device" if ended.get("simulated") else "",
        f"{given.label}: NOT DONE. {ended.get('task') or ''}",
        f"WHAT TO DO NOW: {action}",
        f"state: {state}",
        f"reason: {message}",
        evidence,
    )
    return Decision(NextStep.STOP, f"{message}. WHAT TO DO NOW: {action}", tuple(line for line in said if line))


def after_failure(message: str, next_action: str) -> Decision:
    """Where it could not even be looked at."""
    return Decision(
        NextStep.STOP,
        f"{message} WHAT TO DO NOW: {next_action}",
        (f"WHAT TO DO NOW: {next_action}", f"reason: {message}"),
    )


def never_booted(ended: Mapping[str, Any]) -> bool:
    """The app went in whole, and the controller still does not answer."""
    lost = ("controller_lost_isolated", "controller_lost_live", "recovery_failed_twice")
    return ended.get("state") in lost and str(ended.get("app_sent")) in ("True", "true")


def _maker(given: Given, facts: Facts, verdict: str) -> Decision:
    lines = (f"{given.label}: {words.PICTURES['lost']}", f"WHAT TO DO NOW: {verdict}")
    # A backup that is still good may be what a cold start is proved against: a newer one would hide it.
    step = NextStep.MAKER if facts.kept else NextStep.KEEP_AND_MAKER
    return _stop(given, verdict, lines, NextStep.STOP if given.check_mode else step)


def _stop(given: Given, reason: str, lines: Sequence[str] = (), step: NextStep = NextStep.STOP) -> Decision:
    mark = words.CHECK_MODE if given.check_mode else ""
    return Decision(step, f"{mark}{given.label}: {reason}", tuple(lines) or (f"WHAT TO DO NOW: {reason}",))
