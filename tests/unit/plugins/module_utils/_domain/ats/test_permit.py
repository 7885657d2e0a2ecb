# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permit's table against the text of SAFETY 2, its guards, its words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import permit as machine
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    NO_LOAD,
    SECONDARY,
    Event,
    Permit,
    PermitState,
    What,
    step,
    targets,
)

# What the text of SAFETY 2 (and 4, where named) lets follow: (from, event, to). Nothing else changes a state.
TEXT = """
none      promise     asked       States: none, asked; a promise lets a run ask
asked     permission  open        States
open      reads_out   out         States
out       holds       isolated    out to isolated: the deed, and every check stable
isolated  stor        sending     States
sending   last_block  settling    States
settling  settled     settled     States
settled   release     returning   States
returning back        closed      States; Closed: redundant > 60 s after the release
open      withdraw    withdrawn   States
out       withdraw    withdrawn   States
returning withdraw    withdrawn   States
out       reads_in    open        Back: out to open when it reads live
isolated  reads_in    asked       Back: isolated to asked when the deed ends (a sample that reads live ends it)
isolated  dark        asked       a deed stays so until the run says otherwise: the dark-rack sentence does
isolated  deed_ends   asked       Back: isolated to asked when the deed ends
sending   file_over   isolated    Back: sending to isolated after the AOS or a cut
sending   file_over   asked       Back: asked if the deed ended
settling  app_fails   asked       Back: settling to asked where the app proves not to run, or a failed row stands
withdrawn again       asked       Back: withdrawn to asked when the checks hold again
withdrawn again       settled     Back: out of returning: settled
asked     holds       isolated    app_only, recovery: asked to isolated by the deed
isolated  release     returning   restore: isolated, settled or found to returning
none      release     returning   restore where no permit exists: found
asked     release     returning   6: a deed is asked for and the time is over: restore as the way back
closed    release     returning   4.8: on a closed permit restore measures and says the release again
asked     back        closed      4.8: a source that is back before the word needs none
settled   back        closed      4.8: a source that is back before the word needs none
asked     nothing_out closed      Closed: nothing ever out, at the run's end
withdrawn nothing_out closed      Closed: nothing ever out, at the run's end
settled   promise     asked       A new promise closes a settled permit whose secondary never came back, and asks anew
closed    promise     asked       the next permit
isolated  follow      asked       only app_only and recovery may follow; the deed is of something else
withdrawn follow      asked       the same
settling  follow      asked       6: controller lost, inputs isolated: recovery playbook
asked     settled     settled     5 and 4 (e): the card's own retry settles an app that had failed
isolated  settled     settled     the same
withdrawn settled     settled     the same
asked     removed     closed      Closed: unit_removed stated
open      removed     closed      the same
out       removed     closed      the same
isolated  removed     closed      the same
sending   removed     closed      the same
settling  removed     closed      the same
settled   removed     closed      the same
returning removed     closed      the same
withdrawn removed     closed      the same
"""
ROWS = {tuple(line.split()[:3]) for line in TEXT.strip().splitlines()}
BOUND = {"method": "single_source", "primary": "A", "rests_on": SECONDARY}


def event(what: str, text: str = "", **more: str) -> Event:
    return Event(What(what), at=more.pop("at", "t"), text=text, **more)


def walk(permit: Permit, *events: Event) -> Permit:
    for one in events:
        permit = step(permit, one)
        assert not permit.refusal, permit.refusal
    return permit


def asked(method: str = "single_source", rests_on: str = SECONDARY, text: str = "promise") -> Permit:
    primary = "A" if rests_on == SECONDARY else ""
    return step(Permit(), event("promise", text, method=method, primary=primary, rests_on=rests_on))


def out() -> Permit:
    return walk(asked(), event("permission"), event("reads_out"))


def isolated(deed: str = "deed") -> Permit:
    return walk(out(), event("deed", deed, rests_on=SECONDARY), event("holds"))


def settled() -> Permit:
    return walk(isolated(), event("stor"), event("last_block"), event("settled"))


def test_every_state_takes_or_refuses_every_event():
    assert set(machine.CELLS) == {(state, what) for state in PermitState for what in What}
    for state in PermitState:
        for what in What:
            after = step(Permit(state=state), Event(what))
            assert isinstance(after, Permit)
            assert bool(after.refusal) or after.state in targets(state, what)


def test_the_table_changes_a_state_exactly_where_the_text_does():
    table = {
        (state.value, what.value, after.value)
        for state in PermitState
        for what in What
        for after in targets(state, what)
        # Staying is no change; "-" is a refusal.
        if after is not state
    }
    assert table == ROWS


def test_what_is_not_taken_changes_nothing_but_the_refusal():
    for state in PermitState:
        for what in What:
            before = Permit(state=state, promise="p", method="single_source")
            after = step(before, Event(what))
            if after.refusal:
                assert replace(after, refusal="") == before
                assert what.value in after.refusal


def test_only_promise_deed_and_checks_make_it_possible_to_send():
    assert isolated().may_send
    assert not out().may_send
    assert not step(out(), event("holds")).may_send
    assert "no deed" in step(out(), event("holds")).refusal


def test_a_promise_for_a_new_permit_says_what_it_rests_on():
    """One without a method would match a deed of nothing, and send."""
    assert step(Permit(), event("promise", "p")).refusal
    assert step(Permit(), event("promise", "p", method="single_source", primary="A", rests_on=NO_LOAD)).refusal
    assert step(Permit(), event("promise", "", **BOUND)).refusal


def test_a_deed_of_something_else_or_before_it_is_asked_is_refused():
    assert step(out(), event("deed", "d", rests_on=NO_LOAD)).refusal
    assert step(asked(), event("deed", "d", rests_on=SECONDARY)).refusal
    assert step(walk(asked(), event("permission")), event("deed", "d", rests_on=SECONDARY)).refusal


@pytest.mark.parametrize("end", ["reads_in", "deed_ends"])
def test_a_deed_that_ended_does_not_count_again(end):
    """The same line still stands in `confirmations` of the run that goes on."""
    again = walk(isolated("d1"), event(end), event("permission"), event("reads_out"))
    assert step(again, event("deed", "d1", rests_on=SECONDARY)).refusal
    assert not step(again, event("deed", "d2", rests_on=SECONDARY)).refusal


def test_a_permission_taken_back_takes_the_deed_with_it():
    back = walk(out(), event("deed", "d1", rests_on=SECONDARY), event("withdraw"), event("again"), event("permission"))
    assert not back.deed
    assert step(walk(back, event("reads_out")), event("deed", "d1", rests_on=SECONDARY)).refusal


def test_no_deed_counts_from_before_it_was_last_seen_live():
    """It read live in `open`, then dead: a word from before the change is none, in the next process too."""
    open_ = walk(asked(), event("permission"), event("reads_in", at="t1"))
    assert walk(open_, event("reads_out", at="t2")).last_in_at == "t2"
    assert walk(open_, event("withdraw", at="t3")).last_in_at == "t3"
    assert out().last_in_at == ""


def test_the_dark_rack_sentence_ends_the_deed():
    """Both feeds out: the plug is put back on that sentence, and reads dead till its feed returns in mid-flash."""
    dark = walk(isolated("d1"), event("dark", at="t5"))
    assert (dark.state, dark.deed, dark.last_in_at) == (PermitState.ASKED, "", "t5")
    again = walk(dark, event("permission"), event("reads_out", at="t6"))
    assert again.last_in_at == "t6"
    assert step(again, event("deed", "d1", rests_on=SECONDARY)).refusal
    sending = walk(isolated(), event("stor"), event("dark"))
    assert not sending.may_send


def test_loads_that_the_dark_rack_sentence_took_off_are_released():
    sent = walk(isolated(), event("stor"), event("last_block"), event("dark"), event("settled"))
    assert sent.loads_off
    assert not walk(isolated(), event("dark")).loads_off


def test_method_and_primary_are_fixed_from_open_on():
    other = event("promise", "p2", method="single_source", primary="B", rests_on=SECONDARY)
    assert not step(asked(), other).refusal
    for permit in (walk(asked(), event("permission")), out(), isolated()):
        assert "fixed" in step(permit, other).refusal
    kept = step(isolated(), event("promise", "p2", **BOUND))
    assert not kept.refusal
    assert kept.may_send


def test_a_promise_of_something_else_takes_the_deed_with_it():
    deed = walk(asked("app_only", SECONDARY), event("deed", "d", rests_on=SECONDARY))
    other = walk(deed, event("promise", "p2", method="app_only", rests_on=NO_LOAD))
    assert step(other, event("holds")).refusal


def test_only_app_only_and_recovery_may_follow_and_with_the_promise_of_what_they_rest_on():
    assert "only app_only" in step(isolated(), event("follow", method="no_load", rests_on=NO_LOAD)).refusal
    same = step(isolated(), event("follow", method="app_only", primary="A", rests_on=SECONDARY))
    assert same.may_send
    assert "fixed" in step(isolated(), event("follow", method="app_only", primary="B", rests_on=SECONDARY)).refusal
    bare = event("follow", method="recovery", rests_on=NO_LOAD)
    assert "no promise" in step(isolated(), bare).refusal
    followed = step(isolated(), replace(bare, text="loads"))
    assert followed.state is PermitState.ASKED
    assert not followed.deed


def test_a_spent_word_does_not_follow():
    back = walk(settled(), event("release"), event("withdraw"))
    spent = event("follow", "promise", method="recovery", rests_on=NO_LOAD)
    assert "spent" in step(back, spent).refusal
    assert not step(back, replace(spent, text="new")).refusal


def test_recovery_may_follow_a_controller_lost_while_it_settles():
    settling = walk(isolated(), event("stor"), event("last_block"))
    followed = walk(settling, event("follow", "loads", method="recovery", rests_on=NO_LOAD))
    assert followed.state is PermitState.ASKED
    assert followed.unsettled


def test_an_app_that_had_failed_may_settle_by_the_cards_own_retry():
    failed = walk(isolated(), event("stor"), event("last_block"), event("app_fails"))
    assert step(failed, event("release")).refusal
    assert walk(failed, event("settled"), event("release")).state is PermitState.RETURNING
    assert step(asked(), event("settled")).refusal


def test_a_release_spends_every_word_also_the_replaced_ones():
    permit = walk(asked(text="p1"), event("promise", "p2", **BOUND), event("permission"), event("reads_out"))
    permit = walk(permit, event("deed", "d", rests_on=SECONDARY), event("holds"), event("release", "beside\nb2"))
    assert not permit.promise
    assert not permit.deed
    closed = walk(permit, event("back"))
    for word in ("p1", "p2", "d", "beside", "b2"):
        assert "spent" in step(closed, event("promise", word, **BOUND)).refusal
    assert walk(closed, event("promise", "p3", **BOUND)).number == 2


def test_the_days_promise_counts_twice_where_nothing_was_released():
    """Nothing was out: the permit closed without a release. Each run gives the same word again."""
    closed = walk(asked(), event("nothing_out"))
    again = walk(closed, event("promise", "promise", **BOUND), event("promise", "promise", **BOUND))
    assert again.promise == "promise"


def test_nothing_is_released_before_it_settled():
    sent = walk(isolated(), event("stor"), event("last_block"))
    for what in ("release", "back", "nothing_out"):
        assert step(sent, event(what)).refusal
        assert step(walk(sent, event("app_fails")), event(what)).refusal


def test_a_new_promise_closes_a_settled_permit_and_what_is_out_stays_known():
    assert "own promise" in step(settled(), event("promise", "promise", **BOUND)).refusal
    anew = walk(settled(), event("promise", "p2", method="recovery", rests_on=NO_LOAD))
    assert (anew.number, anew.state, anew.method) == (2, PermitState.ASKED, "recovery")
    assert anew.source_off
    assert step(anew, event("nothing_out")).refusal


def test_no_permit_is_closed_as_unused_once_something_was_out():
    assert step(walk(isolated(), event("deed_ends")), event("nothing_out")).refusal


def test_restore_where_no_permit_exists_is_found():
    found = walk(Permit(), event("release"))
    assert found.found
    assert found.number == 1


def test_a_permit_survives_its_record():
    for permit in (Permit(), isolated(), settled(), walk(settled(), event("release"), event("withdraw"))):
        assert Permit.of_record(json.loads(json.dumps(permit.to_record()))) == permit


@pytest.mark.parametrize(
    "change",
    [
        {"state": "permitted"},
        {"state": None},
        {"state": []},
        {"number": "1"},
        {"number": True},
        {"number": -1},
        {"promise": None},
        {"unsettled": 0},
        {"spent": "word"},
        {"spent": [1]},
        {"given": None},
        {"back_to": "open"},
        {"back_to": ["open"]},
        {"state": "withdrawn"},
        {"more": ""},
    ],
)
def test_half_a_permit_is_none(change):
    with pytest.raises(ValueError, match=r".+"):
        Permit.of_record({**Permit().to_record(), **change})


def test_no_record_is_no_permit():
    for record in ({}, {"state": "isolated"}, None, [], "isolated"):
        with pytest.raises(ValueError, match="not the fields"):
            Permit.of_record(record)


EVENTS = st.builds(
    Event,
    st.sampled_from(What),
    at=st.sampled_from(["t1", "t2", "t3"]),
    text=st.sampled_from(["", "w1", "w2", "w3", "w4"]),
    method=st.sampled_from(["", "single_source", "no_load", "app_only", "recovery"]),
    primary=st.sampled_from(["", "A", "B"]),
    rests_on=st.sampled_from(["", SECONDARY, NO_LOAD]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_no_sequence_of_events_gets_round_promise_deed_and_release(events):
    permit, deed_since, ended = Permit(), False, set()
    for one in events:
        before, permit = permit, step(permit, one)
        if permit.refusal:
            assert replace(permit, refusal=before.refusal) == before
            continue
        assert permit.promise not in before.spent or not permit.promise
        if one.what is What.DEED:
            assert one.text not in ended
            deed_since = True
        if before.deed and not permit.deed:
            ended.add(before.deed)
            deed_since = False
        if one.what in (What.RELEASE, What.READS_IN, What.WITHDRAW):
            assert not permit.deed
        if one.what is What.RELEASE:
            assert not permit.promise
            assert not before.unsettled
        if permit.may_send:
            assert deed_since
            assert permit.rests_on in machine.RESTS_ON[permit.method]
        if permit.state is PermitState.CLOSED:
            assert not permit.stands
        assert Permit.of_record(permit.to_record()) == replace(permit, refusal="") or permit.refusal
