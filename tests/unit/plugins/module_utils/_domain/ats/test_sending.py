# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far one file was sent: the table, and that doubt counts as sent."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import sending as machine
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, FileState, Sending, step

APP = Sending(file="a.bin", kind="app", version="3.9.2", size=9)
AOS = replace(APP, kind="aos")


def walk(sending: Sending, *events: str) -> Sending:
    for event in events:
        sending = step(sending, FileEvent(event))
        assert not sending.refusal, sending.refusal
    return sending


def test_every_state_takes_or_refuses_every_event():
    assert set(machine.CELLS) == {(state, event) for state in FileState for event in FileEvent}
    for state in FileState:
        for event in FileEvent:
            for kind in ("aos", "app"):
                after = step(Sending(kind=kind, state=state), event)
                if after.refusal:
                    assert machine.targets(state, event) == ()
                    assert replace(after, refusal="") == Sending(kind=kind, state=state)
                else:
                    assert after.state in machine.targets(state, event)


def test_a_file_goes_to_its_end():
    assert walk(APP, "agree", "stor", "release", "end", "proved").state is FileState.WHOLE


def test_an_app_that_was_cut_is_not_installed_and_an_aos_may_be():
    assert walk(APP, "agree", "stor", "cut").state is FileState.CUT
    assert not walk(APP, "agree", "stor", "cut").counts_as_sent
    assert walk(AOS, "agree", "stor", "cut").state is FileState.UNSURE


@pytest.mark.parametrize("end", ["cut", "break"])
def test_once_the_last_block_may_have_left_nothing_undoes_it(end):
    gone = step(walk(APP, "agree", "stor", "release"), FileEvent(end))
    assert gone.state is FileState.UNSURE
    assert gone.counts_as_sent


def test_a_process_gone_in_mid_file_counts_as_sent():
    assert walk(APP, "agree", "stor", "break").counts_as_sent


@pytest.mark.parametrize("end", ["cut", "break"])
@pytest.mark.parametrize("before", [("stor", "break"), ("stor", "release", "end"), ("stor", "cut"), ()])
def test_what_never_began_does_not_undo_an_earlier_try(before, end):
    """Agreed anew, then killed before STOR: the file of the first try is still there."""
    first = walk(APP, "agree", *before) if before else APP
    assert walk(first, "agree", end).state is first.state
    assert walk(first, "agree", "agree", end).state is first.state


def test_nothing_is_released_or_ended_that_was_not_begun():
    for event in (FileEvent.RELEASE, FileEvent.END, FileEvent.STOR):
        assert step(APP, event).refusal
    assert step(walk(APP, "agree"), FileEvent.RELEASE).refusal
    assert step(walk(APP, "agree", "stor"), FileEvent.AGREE).refusal


def test_a_deaf_card_is_remembered_over_the_next_try():
    assert walk(APP, "agree", "stor", "deaf", "cut", "agree", "stor").deaf
    assert step(APP, FileEvent.DEAF).refusal


def test_what_proves_to_run_without_the_file_has_it_not():
    assert not walk(APP, "agree", "stor", "release", "end", "denied").counts_as_sent
    assert walk(APP, "agree", "stor", "break", "proved").state is FileState.WHOLE


def test_it_survives_its_record():
    for sending in (APP, walk(APP, "agree", "stor", "deaf", "cut", "agree")):
        assert Sending.of_record(json.loads(json.dumps(sending.to_record()))) == sending


@pytest.mark.parametrize(
    "change",
    [{"state": "gone"}, {"state": {}}, {"earlier": None}, {"size": "9"}, {"size": True}, {"deaf": 1}, {"x": 1}],
)
def test_half_a_record_is_none(change):
    with pytest.raises(ValueError, match=r".+"):
        Sending.of_record({**APP.to_record(), **change})


def test_no_record_is_no_sending():
    for record in ({}, None, [], {"state": "none"}):
        with pytest.raises(ValueError, match="not the fields"):
            Sending.of_record(record)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([APP, AOS]), st.lists(st.sampled_from(FileEvent), max_size=40))
def test_doubt_counts_as_sent(sending, events):
    may_be_in = False
    for event in events:
        before, sending = sending, step(sending, event)
        if sending.refusal:
            continue
        if event is FileEvent.RELEASE:
            may_be_in = True
        # A new STOR takes the place of the file before; cut, neither is there.
        if event is FileEvent.DENIED or (before.state is FileState.BEGUN and sending.state is FileState.CUT):
            may_be_in = False
        if may_be_in and sending.state is not FileState.AGREED:
            assert sending.counts_as_sent
        assert replace(Sending.of_record(sending.to_record()), refusal="") == replace(sending, refusal="")
