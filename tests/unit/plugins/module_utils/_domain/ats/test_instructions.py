# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import (
    ALLOWS_CONNECT,
    Context,
    State,
    next_action,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source

CONTEXTS = [
    Context(method, primary, "run 1, pid 2 on host 3", ("preferred_source was B, is A",))
    for method in Method
    for primary in (None, Source.A, Source.B)
]
# The words of SAFETY 6 that must be there, for single_source with primary B.
WORDS: dict[State, tuple[str, ...]] = {
    State.NOTHING_SENT: ("Nothing was sent", "source A"),
    State.NOTHING_SENT_UNSURE: ("every plug and every load as it is",),
    State.LOCKED: ("every plug and every load as it is", "pid 2", "host 3"),
    State.AOS_NEW_OLD_APP: ("reconnect source A", "isolate source A again before the app"),
    State.AOS_NEW_NO_APP: ("as it is", "Run again", "app_only", "confirmation"),
    State.AOS_SENT_UNSURE: ("as it is", "do not power-cycle"),
    State.APP_SENT_SECONDARY_DEAD: ("DO NOT RECONNECT source A", "shut the load down first", "every restart"),
    State.APP_SENT_SECONDARY_BACK: ("no input plug, neither", "Shut the load down", "240 s after the return"),
    State.SENT_SILENT: ("as it is", "do not power-cycle", "run again when it answers"),
    State.CONTROLLER_LOST_ISOLATED: ("Keep source A disconnected", "recovery playbook"),
    State.CONTROLLER_LOST_LIVE: (
        "Touch no plug", "do not restart the card", "warranty", "ask the maker first", "load off", "both inputs out",
        "5 minutes", "one input in", "recovery playbook",
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
    context = Context(Method.SINGLE_SOURCE, Source.B, "run 1, pid 2 on host 3", ("preferred_source was B, is A",))
    text = next_action(state, context)
    for word in WORDS[state]:
        assert word in text, text


@pytest.mark.parametrize("state", sorted(set(State) - ALLOWS_CONNECT, key=lambda state: state.value))
def test_only_two_states_let_anybody_connect_anything(state: State) -> None:
    for context in CONTEXTS:
        text = next_action(state, context).lower()
        assert not re.search(r"you may (now )?(re)?connect", text)
        for match in re.finditer(r"\breconnect\b", text):
            assert text[: match.start()].rstrip().endswith(("do not", "never")), text


def test_no_words_ever_let_anybody_disconnect() -> None:
    for state in State:
        for context in CONTEXTS:
            text = next_action(state, context).lower()
            assert "you may disconnect" not in text and "unplug" not in text and "pull" not in text


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
