# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does next: readings become events in one place."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Return, Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    NO_LOAD,
    SECONDARY,
    STANDING,
    Event,
    Permit,
    PermitState,
    What,
    step,
)
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.acts import Act, allowed


def at(state: PermitState, **more: object) -> Permit:
    values = {"method": "single_source", "primary": "A", "rests_on": SECONDARY, "promise": "p", "read_in": True}
    if state is PermitState.WITHDRAWN:
        values["back_to"] = "open"
    return Permit(state=state, **{**values, **more})  # type: ignore[arg-type]


READY = Seen(out=False, ready=True)
DEAD = Seen(out=True, ready=True, hold=True)


def test_every_event_that_is_chosen_is_taken():
    """A run is never stopped by an event of its own choice."""
    seens = [
        Seen(out=out, bad=bad, ready=ready, hold=hold, deed=deed, deed_over=over)
        for out, bad, ready, hold, deed, over in itertools.product(
            (None, True, False), ("", "bad"), (True, False), (True, False), ("", "word"), ("", "12 h")
        )
    ]
    returns = [Return(*values) for values in itertools.product((True, False), ("", "x"), (True, False), (True, False))]
    permits = [
        at(state, deed=deed, unsettled=unsettled, method=method, back_to=back_to, read_in=read_in)
        for state in PermitState
        for deed in ("", "deed")
        for unsettled in (True, False)
        for method in ("single_source", "app_only")
        for read_in in (True, False)
        for back_to in (("open", "out", "returning") if state is PermitState.WITHDRAWN else ("",))
    ]
    taken = set()
    for permit in permits:
        chosen = {conduct.isolating(permit, seen) for seen in seens} | {
            conduct.watching(permit, seen) for seen in seens
        }
        chosen |= {conduct.returning(permit, seen) for seen in returns}
        chosen |= {conduct.begins(permit), conduct.ends(permit)}
        for what in chosen - {None}:
            assert what is not None
            # BACK out of returning is restore's, which releases nothing that is unsettled.
            if what is What.BACK and permit.unsettled:
                continue
            after = step(permit, Event(what, at="t", text="word", rests_on=SECONDARY))
            assert not after.refusal, (permit, what)
            taken.add(what)
    assert {What.PERMISSION, What.WITHDRAW, What.READS_IN, What.DEED, What.HOLDS, What.RELEASE, What.AGAIN} <= taken


def test_a_permission_needs_readiness_and_nothing_against_it():
    assert conduct.isolating(at(PermitState.ASKED), READY) is What.PERMISSION
    assert conduct.isolating(at(PermitState.ASKED), Seen(out=False, ready=True, bad="peer")) is None
    assert conduct.isolating(at(PermitState.ASKED), Seen(out=False)) is None
    assert conduct.isolating(at(PermitState.ASKED), Seen(ready=True)) is None


@pytest.mark.parametrize("state", [PermitState.OPEN, PermitState.OUT])
def test_what_stands_against_it_comes_before_all_else(state):
    seen = Seen(out=False, ready=True, hold=True, bad="source A is dead", deed="word")
    assert conduct.isolating(at(state, deed="d"), seen) is What.WITHDRAW


def test_a_window_that_broke_takes_an_open_permission_back():
    assert conduct.isolating(at(PermitState.OPEN), Seen(out=False)) is What.WITHDRAW
    assert conduct.isolating(at(PermitState.OPEN), READY) is None


def test_a_deed_counts_only_while_it_reads_out():
    assert conduct.isolating(at(PermitState.OUT), Seen(out=True, deed="d")) is What.DEED
    assert conduct.isolating(at(PermitState.OUT), Seen(out=None, deed="d")) is None
    assert conduct.isolating(at(PermitState.OUT), Seen(out=False, deed="d")) is What.READS_IN
    assert conduct.isolating(at(PermitState.OUT, deed="d"), DEAD) is What.HOLDS


def test_what_reads_live_is_noted_once_before_anybody_is_asked():
    for state in (PermitState.ASKED, PermitState.OPEN, PermitState.WITHDRAWN):
        assert conduct.isolating(at(state, read_in=False), READY) is What.READS_IN
        assert conduct.isolating(at(state), READY) is not What.READS_IN


def test_only_restore_goes_on_in_a_release_that_was_taken_back():
    permit = at(PermitState.WITHDRAWN, back_to="returning")
    assert conduct.isolating(permit, DEAD) is None
    assert conduct.returning(permit, Return(holds=True)) is What.AGAIN
    assert conduct.isolating(at(PermitState.WITHDRAWN), DEAD) is What.AGAIN


def test_a_deed_ends_while_a_file_is_sent():
    for state in (PermitState.ISOLATED, PermitState.SENDING):
        assert conduct.watching(at(state, deed="d"), Seen(out=False)) is What.READS_IN
        assert conduct.watching(at(state, deed="d"), Seen(out=True, deed_over="restart")) is What.DEED_ENDS
        assert conduct.watching(at(state, deed="d"), DEAD) is None


def test_the_dark_rack_sentence_is_an_event_once():
    seen = Seen(out=True, dark=True, hold=True, deed="word", ready=True)
    for ask in (conduct.isolating, conduct.watching):
        assert ask(at(PermitState.ISOLATED, deed="d", read_in=False), seen) is What.DARK
    assert conduct.watching(at(PermitState.SENDING, deed="d", read_in=False), seen) is What.DARK
    assert conduct.isolating(at(PermitState.OUT, deed="d", read_in=False), seen) is What.WITHDRAW
    assert conduct.darkness(at(PermitState.RETURNING), seen) is What.WITHDRAW
    assert conduct.darkness(at(PermitState.ASKED), seen) is None
    assert conduct.darkness(at(PermitState.ASKED, deed="d"), seen) is What.DARK


def test_restore_releases_only_what_holds_and_settled():
    for state in conduct.RELEASABLE:
        assert conduct.returning(at(state), Return(holds=True)) is What.RELEASE
        assert conduct.returning(at(state, unsettled=True), Return(holds=True)) is None
        assert conduct.returning(at(state), Return(holds=True, broken="primary")) is None
        assert conduct.returning(at(state), Return()) is None
    assert conduct.returning(at(PermitState.RETURNING), Return(holds=True, broken="x", steady=True)) is What.WITHDRAW


def test_what_is_back_before_the_word_needs_none():
    back = Return(holds=True, steady=True, due=False)
    assert conduct.returning(at(PermitState.ASKED), back) is What.BACK
    assert conduct.returning(at(PermitState.SETTLED), back) is What.BACK
    # An isolated one must be told first that it reads live, else restore waits for ever.
    assert conduct.returning(at(PermitState.ISOLATED, deed="d"), back) is What.READS_IN


def test_no_permission_outlives_a_run():
    for state, deed in itertools.product(PermitState, ("", "d")):
        expected = What.WITHDRAW if state in STANDING else None
        assert conduct.begins(at(state, deed=deed)) is expected
        assert conduct.ends(at(state, deed=deed)) is expected


def test_a_deed_is_not_carried_over_from_a_run_without_an_end():
    """Its disk failed as it said that a plug may be put back: nothing of that is in the evidence."""
    for state in conduct.DEED_CARRIERS:
        assert conduct.begins(at(state, deed="d"), ended=False) is What.DEED_ENDS
        assert conduct.begins(at(state, deed="d"), ended=True) is None
        assert not step(at(state, deed="d"), Event(What.DEED_ENDS)).deed
    assert conduct.begins(at(PermitState.OPEN, deed="d"), ended=False) is What.WITHDRAW


def test_an_act_is_allowed_only_while_a_permission_stands():
    for state in PermitState:
        acts = allowed(at(state, source_off=True, loads_off=True))
        assert bool(acts) == (state in STANDING)
    assert allowed(at(PermitState.OPEN)) == {Act.PULL_SECONDARY}
    assert allowed(at(PermitState.OPEN, method="no_load", rests_on=NO_LOAD)) == {Act.UNLOAD}


def test_after_a_recovery_the_source_is_released_beside_the_loads():
    """A cold start leaves one input connected, though recovery rests on the loads alone."""
    permit = Permit()
    bound = {"method": "recovery", "rests_on": NO_LOAD}
    for event in (
        Event(What.PROMISE, text="p", **bound),
        Event(What.DEED, text="d", rests_on=NO_LOAD),
        Event(What.HOLDS),
        Event(What.RELEASE),
    ):
        permit = step(permit, event)
        assert not permit.refusal
    assert allowed(permit) == {Act.PUT_BACK_SECONDARY, Act.CONNECT_LOADS}
