# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import (
    Context,
    State,
    next_action,
    standing,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    NO_LOAD,
    SECONDARY,
    Permit,
    PermitState,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.acts import ALLOWS_CONNECT

CONTEXTS = [
    Context(method, primary, "run 1, pid 2 on host 3", ("preferred_source was B, is A",))
    for method in Method
    for primary in (None, Source.A, Source.B)
]
# The words of SAFETY 6 that must be there, for single_source with primary B.
WORDS: dict[State, tuple[str, ...]] = {
    State.DARK: ("ONLY IF THE LOAD IS DARK", "plug source A back in"),
    State.DARK_SETTLED: ("ONLY IF THE LOAD IS DARK", "the plug of source B out, then plug source A in"),
    State.DARK_UNSETTLED: ("ONLY IF THE LOAD IS DARK", "unplug every load, then plug one input in", "run again"),
    State.NOTHING_SENT: ("Nothing was sent", "Keep what is out out", "restore step", "says when"),
    State.NOTHING_TOUCHED: ("Nothing was sent", "nothing is out"),
    State.DEED_TIME_OVER: ("Nothing was sent", "Leave what is out out", "run again", "restore step"),
    State.NOTHING_SENT_UNSURE: ("every plug and every load as it is",),
    State.LOCKED: ("every plug and every load as it is", "pid 2", "host 3"),
    State.AOS_NEW_OLD_APP: ("Keep source A out", "send the app", "restore step"),
    State.AOS_NEW_NO_APP: ("as it is", "Run again", "app_only", "as the deed stands", "disconnecting every load"),
    State.AOS_OLD_VERSIONS: ("Keep source A out", "run again", "restore step"),
    State.FAILED_STANDS: ("Touch no plug", "do not restart the card", "on the network", "send the app again"),
    State.RECOVERY_UNDER_WAY: ("recovery playbook", "only what it says"),
    State.RECOVERY_FAILED_TWICE: ("Keep the unit as it is", "contact the maker"),
    State.AOS_SENT_UNSURE: ("as it is", "do not power-cycle"),
    State.APP_SENT_SECONDARY_DEAD: ("DO NOT RECONNECT source A", "every restart", "Run again"),
    State.APP_SENT_SECONDARY_BACK: ("no input plug, neither", "Shut the load down", "240 s after the return"),
    State.SENT_SILENT: ("as it is", "do not power-cycle", "run again when it answers", "24 h"),
    State.CONTROLLER_LOST_ISOLATED: ("Keep source A out", "recovery playbook"),
    State.CONTROLLER_LOST_LIVE: (
        "Touch no plug", "do not restart the card", "warranty", "ask the maker first", "before any outage",
        "without words it sends nothing", "recovery playbook",
    ),
    State.SETTINGS_DIFFER: ("preferred_source was B, is A", "Correct", "restore step"),
    State.HARDWARE_FAILED: ("everything as it is", "contact the maker"),
    State.SETTLED: ("restore step tells you when",),
    State.RESTORE_FAILED: ("Stay on source B", "heck the feed", "restore step again"),
}  # fmt: skip


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_words_in_every_context(state: State) -> None:
    for context in CONTEXTS:
        text = next_action(state, context)
        assert text.endswith(".") and len(text) > 15


@pytest.mark.parametrize("state", list(WORDS))
def test_the_words_of_the_specification(state: State) -> None:
    context = Context(
        Method.SINGLE_SOURCE, Source.B, "run 1, pid 2 on host 3", ("preferred_source was B, is A",), out=True
    )
    text = next_action(state, context)
    for word in WORDS[state]:
        assert word in text, text


@pytest.mark.parametrize("state", sorted(set(State) - ALLOWS_CONNECT, key=lambda state: state.value))
def test_only_a_dark_rack_lets_anybody_connect_anything(state: State) -> None:
    for context in CONTEXTS:
        text = next_action(state, context).lower()
        assert not re.search(r"you may (now )?(re)?connect", text)
        for match in re.finditer(r"\breconnect\b", text):
            assert text[: match.start()].rstrip().endswith(("do not", "never")), text


def test_no_words_ever_let_anybody_disconnect() -> None:
    for state in State:
        for context in CONTEXTS:
            text = next_action(state, context).lower()
            assert "you may disconnect" not in text and "pull" not in text
            assert "unplug" not in text or state is State.DARK_UNSETTLED


@pytest.mark.parametrize(("out", "words"), [(True, "Keep source A out"), (False, "Source A is in: leave it as it is")])
def test_keep_it_out_is_said_only_where_it_reads_dead(out: bool, words: str) -> None:
    for state in (State.SETTLED, State.ISOLATED, State.AOS_NEW_OLD_APP, State.VERIFIED, State.CONTROLLER_LOST_ISOLATED):
        assert words in next_action(state, Context(Method.SINGLE_SOURCE, Source.B, out=out)), state
    unknown = next_action(State.SETTLED, Context(Method.SINGLE_SOURCE, Source.B))
    assert "Keep source A out" not in unknown and "is in" not in unknown


def test_every_state_of_a_permit_has_its_words() -> None:
    for state in PermitState:
        for rests_on in (SECONDARY, NO_LOAD):
            text = standing(Permit(state=state, rests_on=rests_on, primary="B"))
            assert text.endswith(".") and "you may" not in text.lower()


def test_nobody_is_told_to_open_the_unit() -> None:
    for state in State:
        for context in CONTEXTS:
            text = next_action(state, context).lower()
            assert not re.search(r"\b(open|board|re-?seat|screw|cover)\b", text)


@pytest.mark.parametrize("state", list(State))
def test_no_load_speaks_of_loads_and_never_of_a_source(state: State) -> None:
    text = next_action(state, Context(Method.NO_LOAD, None, "run", ("x",)))
    if state in (
        State.AOS_NEW_OLD_APP,
        State.SETTLED,
        State.APP_SENT_SECONDARY_DEAD,
        State.ISOLATED,
        State.NOTHING_SENT,
    ):
        assert "load" in text.lower() and "source" not in text.lower()


def test_recovery_is_held_without_a_load_too() -> None:
    """Recovery relies on the absence of the load: its ends speak of the load, and not of a secondary alone."""
    for state in (State.SETTLED, State.APP_SENT_SECONDARY_DEAD, State.CONTROLLER_LOST_ISOLATED):
        text = next_action(state, Context(Method.RECOVERY, Source.A, "", ()))
        assert "load" in text.lower(), text
