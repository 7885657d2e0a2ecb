# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From facts to the next step of a recovery. Whatever the facts: no plug is named before the loads are off."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import recovery, recovery_words
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import EXPECTED
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery import (
    Decision,
    Facts,
    Given,
    NextStep,
    Picture,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import Case, Way

NOW = datetime(2026, 3, 14, 10, 0, tzinfo=timezone.utc)
GOOD = {"controller_comm": "established", "redundancy": "fully_redundant", "load": {"total_current_a": 8.8}}
CARD = {"uptime_s": 5000.0, "simulated": None}
NO_WARRANTY = Given("ats-23", warranty="no", package=True, primary="A")
RECOVERY_CHECKS = (
    "identity",
    "package",
    "load_zero",
    "promised",
    "no_load_confirmed",
    "cold_start_confirmed",
    "stable",
)


def look(case: Case | None = None, findings: Any = (), **ats: Any) -> Facts:
    return recovery.facts_of({**GOOD, **ats}, CARD, findings, case or Case(), NOW)


def checks(*bad: str, observed: str = "as it is") -> list[dict[str, Any]]:
    names = [*RECOVERY_CHECKS, *(name for name in bad if name not in RECOVERY_CHECKS)]
    return [{"id": name, "ok": name not in bad, "observed": observed} for name in names]


def decide(facts: Facts, given: Given, *bad: str, case: Case | None = None, **measured: Any) -> Decision:
    decided = recovery.before_measuring(facts, case or Case(), given)
    if decided.next_step not in (NextStep.SEND, NextStep.WATCH):
        return decided
    result = {"interlock": {"checks": checks(*bad)}, "entry": {"kind": "unchanged"}, **measured}
    return recovery.after_measuring(decided, facts, case or Case(), given, result)


# --- the picture --------------------------------------------------------------------------------------------


def test_a_unit_in_order_is_left_as_it_is() -> None:
    facts = look()
    assert facts.picture is Picture.HEALTHY and not facts.restore
    assert decide(facts, Given("ats-23")).next_step is NextStep.SAY


def test_redundancy_lost_with_communication_up_is_not_nothing_to_recover() -> None:
    """Up for 5,000 s, and no evidence at all."""
    for redundancy in ("lost", None):
        facts = look(redundancy=redundancy)
        assert facts.picture is Picture.ANSWERS_AGAIN and facts.restore
        for given in (Given("ats-23"), NO_WARRANTY):
            decided = decide(facts, given)
            assert decided.next_step in (NextStep.STOP, NextStep.WATCH_AND_RESTORE)
            assert "nothing to recover" not in " ".join([decided.reason, *decided.ask])


@pytest.mark.parametrize(
    ("case", "findings", "uptime_s"),
    [
        (Case(way=Way.RECOVERY), (), 5000.0),
        (Case(way=Way.NOT_KNOWN, damaged=("a",)), (), 5000.0),
        (Case(), ({"id": "controller_download_failed", "text": "x"},), 5000.0),
        (Case(), (), 899.0),
        (Case(), (), None),
    ],
)
def test_what_is_open_or_not_quiet_is_watched(case: Case, findings: Any, uptime_s: float | None) -> None:
    facts = recovery.facts_of(GOOD, {"uptime_s": uptime_s}, findings, case, NOW)
    assert facts.picture is Picture.ANSWERS_AGAIN and facts.restore is case.open


@pytest.mark.parametrize("comm", ["lost", "never_discovered"])
def test_a_lost_controller(comm: str) -> None:
    assert look(controller_comm=comm).picture is Picture.LOST
    assert look(controller_comm=None).picture is Picture.UNKNOWN
    assert recovery.facts_of(None, CARD, (), Case(), NOW).picture is Picture.NO_APP


def test_loads_are_off_only_where_somebody_took_them_off_on_our_word() -> None:
    assert not look(redundancy="lost").loads_off
    assert look(redundancy="lost", load={"total_current_a": 0.0}).loads_off
    assert look(case=Case(way=Way.RECOVERY)).loads_off
    assert not look(case=Case(way=Way.APP_ONLY, loads_off=False)).loads_off


# --- the maker first ----------------------------------------------------------------------------------------

LOST = Facts(Picture.LOST, restore=False, kept=False, loads_off=True)


@pytest.mark.parametrize("warranty", ["yes", "unknown"])
def test_the_maker_comes_before_everything(warranty: str) -> None:
    given = Given("ats-23", warranty=warranty, package=True, primary="A", said_power_cycled=True)
    decided = decide(LOST, given)
    assert decided.next_step is NextStep.KEEP_AND_MAKER and recovery_words.WARRANTY[warranty] in decided.reason
    # A backup that a cold start may be proved against is not hidden by a newer one.
    kept = Facts(Picture.LOST, restore=False, kept=True, loads_off=True)
    assert decide(kept, given).next_step is NextStep.MAKER
    assert decide(LOST, Given("ats-23", warranty=warranty, check_mode=True)).next_step is NextStep.STOP


@pytest.mark.parametrize("attempts", [0, 1, 2, 3])
def test_after_two_attempts_nothing_is_sent(attempts: int) -> None:
    case = Case(way=Way.RECOVERY, attempts=attempts)
    decided = decide(LOST, NO_WARRANTY, case=case)
    assert (decided.next_step is NextStep.SEND) is (attempts < 2)
    if attempts >= 2:
        assert decided.next_step is NextStep.KEEP_AND_MAKER and "contact the maker" in decided.reason


# --- what a person is asked for -----------------------------------------------------------------------------


def test_all_holds_so_it_is_sent() -> None:
    decided = decide(LOST, NO_WARRANTY)
    assert decided.next_step is NextStep.SEND and decided.method == "recovery" and decided.loads_off
    assert "cold start" in decided.done
    # Time alone is the procedure's to wait for.
    assert decide(LOST, NO_WARRANTY, "stable", "controller_quiet").next_step is NextStep.SEND
    assert decide(LOST, Given("ats-23", warranty="no", package=True)).next_step is NextStep.STOP
    looked = decide(LOST, Given("ats-23", warranty="no", package=True, primary="A", check_mode=True))
    assert looked.next_step is NextStep.SAY and "CHECK MODE" in looked.ask[0]


def test_without_words_the_steps_are_said_in_their_order() -> None:
    decided = decide(LOST, NO_WARRANTY, "load_zero", "promised", "no_load_confirmed", "cold_start_confirmed")
    assert decided.next_step is NextStep.KEEP_AND_STOP
    text = " ".join(decided.ask)
    order = [
        "touch no plug",
        "Shut down every load",
        "disconnect both inputs",
        "5 minutes",
        "exactly one input, source A",
    ]
    order += ["Wait until the card answers", "will_remove_loads", "no_load, power_cycled and one_input"]
    places = [text.index(part) for part in order]
    assert places == sorted(places) and "SERIAL@" in text
    # It is kept once.
    kept = Facts(Picture.LOST, restore=False, kept=True, loads_off=True)
    assert decide(kept, NO_WARRANTY, "cold_start_confirmed").next_step is NextStep.STOP


def test_a_slip_of_the_pen_spends_no_cold_start() -> None:
    decided = recovery.before_measuring(LOST, Case(), NO_WARRANTY)
    given = Given("ats-23", warranty="no", package=True, primary="A", said_power_cycled=True)
    for observed, step in (
        ("power_cycled: given only for other units", NextStep.STOP),
        ("no new cold start row", NextStep.KEEP_AND_STOP),
    ):
        measured = {
            "interlock": {"checks": checks("cold_start_confirmed", "promised", "no_load_confirmed", observed=observed)}
        }
        assert recovery.after_measuring(decided, LOST, Case(), given, measured).next_step is step


@pytest.mark.parametrize("bad", sorted(set(EXPECTED) - recovery.FOR_TIME))
def test_a_check_that_no_person_can_mend_asks_nobody_for_anything(bad: str) -> None:
    decided = decide(LOST, NO_WARRANTY, bad)
    person = bad in ("load_zero", "promised") or bad.endswith("_confirmed")
    assert decided.next_step in (NextStep.STOP, NextStep.KEEP_AND_STOP)
    assert ("Shut down" in " ".join(decided.ask)) is person
    assert person or recovery_words.WHEN_IN_DOUBT in decided.reason


def test_nobody_is_sent_to_the_unit_while_a_download_may_be_going_on() -> None:
    decided = decide(LOST, NO_WARRANTY, "cold_start_confirmed", "controller_quiet")
    assert decided.ask == (f"WHAT TO DO NOW: {recovery_words.DOWNLOAD_MAY_GO_ON}",)
    assert recovery.waits_for_a_download(checks("load_zero", "controller_quiet"))
    assert not recovery.waits_for_a_download(checks("controller_quiet"))


def test_no_checks_at_all_is_no_permission() -> None:
    decided = recovery.before_measuring(LOST, Case(), NO_WARRANTY)
    for measured in ({}, {"interlock": None}, {"interlock": {"checks": []}}):
        assert recovery.after_measuring(decided, LOST, Case(), NO_WARRANTY, measured).next_step is NextStep.STOP


def test_app_only_leaves_the_load_on() -> None:
    facts = Facts(Picture.NO_APP, restore=False, kept=False, loads_off=True)
    asked = decide(facts, NO_WARRANTY, "promised", "disconnected_confirmed")
    text = " ".join(asked.ask)
    assert asked.next_step is NextStep.STOP and "the load stays on" in text and "both inputs" not in text
    word = {"what": "secondary_disconnected", "ok": True}
    assert not decide(facts, NO_WARRANTY, confirmations=[word]).loads_off
    # Another unit's word, or one that does not count.
    assert decide(facts, NO_WARRANTY, confirmations=[{**word, "ok": False}]).loads_off
    assert decide(facts, NO_WARRANTY).done == "ats-23: recovered."


# --- what answers again -------------------------------------------------------------------------------------

OPEN = Facts(Picture.ANSWERS_AGAIN, restore=True, kept=False, loads_off=True)


def test_what_answers_again_is_watched_and_restored() -> None:
    case = Case(way=Way.RECOVERY)
    decided = decide(OPEN, NO_WARRANTY, case=case)
    assert decided.next_step is NextStep.WATCH_AND_RESTORE and decided.method == "no_load"
    assert "cold start" in decided.done
    calm = Facts(Picture.ANSWERS_AGAIN, restore=False, kept=False, loads_off=True)
    assert decide(calm, Given("ats-23", package=True)).next_step is NextStep.WATCH
    assert "Name the one input" in decide(OPEN, Given("ats-23", package=True)).reason
    assert "upgrade playbook" in decide(OPEN, NO_WARRANTY, entry={"kind": "resend_app", "reason": "failed"}).reason
    assert "firmware package" in decide(OPEN, Given("ats-23")).reason


def test_a_loaded_unit_is_watched_in_words_of_its_input() -> None:
    case = Case(way=Way.APP_ONLY, loads_off=False)
    loaded = Facts(Picture.ANSWERS_AGAIN, restore=True, kept=False, loads_off=False)
    decided = decide(loaded, NO_WARRANTY, case=case)
    assert decided.method == "single_source" and not decided.loads_off and "cold start" not in decided.done


# --- silence, and how it ended ------------------------------------------------------------------------------


def test_silence_says_the_steps_again_only_before_anything_was_sent() -> None:
    assert recovery.silent(Case(), NO_WARRANTY, NOW) is None
    again = recovery.silent(Case(baseline=NOW - timedelta(hours=1)), NO_WARRANTY, NOW)
    assert again is not None and "Shut down every load" in " ".join(again.ask)
    # A card may be silent because of its network: whoever has both inputs in makes no outage of it.
    assert again.ask[0].startswith("ats-23: FIRST LOOK") and "TOUCH NO PLUG" in again.ask[0]
    assert "only if both" in again.reason and "Plan an outage" not in " ".join(again.ask)
    sent = recovery.silent(Case(way=Way.RECOVERY, baseline=None), NO_WARRANTY, NOW)
    assert sent is not None and "do not power-cycle" in sent.reason and "Shut down" not in " ".join(sent.ask)


@pytest.mark.parametrize("age", [timedelta(hours=25), timedelta(days=2000), timedelta(hours=-1)])
def test_a_backup_of_another_day_is_no_recovery_under_way(age: timedelta) -> None:
    assert recovery.silent(Case(baseline=NOW - age), NO_WARRANTY, NOW) is None


@pytest.mark.parametrize("word", ["yes", "unknown"])
def test_silence_makes_no_outage_of_what_the_maker_is_to_be_asked_first(word: str) -> None:
    given = Given("ats-23", package=True, warranty=word)
    decided = recovery.silent(Case(baseline=NOW - timedelta(hours=1)), given, NOW)
    assert decided is not None and decided.next_step is NextStep.STOP and "Shut down" not in " ".join(decided.ask)
    assert "touch no plug and do not restart the card" in decided.reason


ENDED = {"state": "controller_lost_isolated", "app_sent": True, "msg": "no answer", "evidence": "/e"}


def test_never_booted_is_a_verdict_only_where_the_app_went_in_whole() -> None:
    decided = recovery.after_the_end(ENDED, Case(attempts=1), NO_WARRANTY)
    assert decided.next_step is NextStep.KEEP_AND_MAKER and "controller never booted" in decided.reason
    assert "One more attempt" in decided.ask[-1]
    for state in ("controller_lost_isolated", "recovery_failed_twice"):
        twice = recovery.after_the_end({**ENDED, "state": state}, Case(attempts=2), NO_WARRANTY)
        assert twice.next_step is NextStep.KEEP_AND_MAKER
        assert "failed twice" in twice.reason and "attempt is possible" not in " ".join(twice.ask)
    for more in ({"app_sent": False}, {"state": "sent_silent"}, {"state": None}):
        other = recovery.after_the_end({**ENDED, **more, "next_action": "Do this."}, Case(), NO_WARRANTY)
        assert other.next_step is NextStep.STOP and "WHAT TO DO NOW: Do this." in other.reason


def test_an_end_without_words_has_the_ones_that_move_nothing() -> None:
    decided = recovery.after_the_end({}, Case(), NO_WARRANTY)
    assert recovery_words.WHEN_IN_DOUBT in decided.reason and decided.ask[1].startswith("WHAT TO DO NOW")


def test_however_the_module_fails_it_says_the_next_step() -> None:
    params: dict[str, Any] = {"host": "", "method": "auto"}
    result = _module.run_named("ats_recovery_info", params, False, _module.NullProgress())
    assert result["failed"] and result["next_step"] == "stop" and result["reason"].startswith("host is empty")
    assert result["ask"][0] == f"WHAT TO DO NOW: {recovery_words.WHEN_IN_DOUBT}"


# --- whatever the facts -------------------------------------------------------------------------------------


def test_whatever_the_facts_no_plug_is_named_before_the_loads_are_off() -> None:
    """Every combination: only a lost controller with nothing else amiss is sent to the plugs, loads first; and nothing
    is sent, in any of them, past a check that does not hold, a warranty, or two attempts that failed."""
    bad = ((), ("load_zero",), ("package",), ("stable",), ("cold_start_confirmed",), ("controller_quiet", "load_zero"))
    cases = [Case(), Case(way=Way.RECOVERY, attempts=1), Case(way=Way.NOT_KNOWN, damaged=("a",)), Case(attempts=2)]
    seen = set()
    for picture, kept, restore, warranty, package, primary, check, case, failing in itertools.product(
        Picture, (True, False), (True, False), ("yes", "no", "unknown"), (True, False), ("A", None), (True, False),
        cases, bad,
    ):  # fmt: skip
        if picture is Picture.SILENT:
            continue
        facts = Facts(picture, restore=restore, kept=kept, loads_off=True)
        given = Given("x", warranty=warranty, package=package, primary=primary, check_mode=check)
        decided = decide(facts, given, *failing, case=case)
        text = " ".join(decided.ask)
        seen.add(decided.next_step)
        if "disconnect both inputs" in text:
            assert text.index("Shut down every load") < text.index("disconnect both inputs") and warranty == "no"
            assert picture is Picture.LOST and "controller_quiet" not in failing and "package" not in failing
        if decided.next_step is NextStep.SEND:
            assert package and not check and set(failing) <= recovery.FOR_TIME and primary
            assert picture is Picture.NO_APP or (warranty == "no" and case.attempts < 2)
        if check:
            assert decided.next_step in (NextStep.SAY, NextStep.STOP)
        assert bool(decided.ask) or decided.next_step in (NextStep.SEND, NextStep.WATCH, NextStep.WATCH_AND_RESTORE)
        assert bool(decided.reason) is (decided.next_step.value not in ("say", "send", "watch", "watch_and_restore"))
    assert seen == set(NextStep)
