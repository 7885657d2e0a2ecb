# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permit: who may touch what on one unit (SAFETY 1.9 and 2). Promise, deed, release, as in lock-out/tag-out.

A pure state machine. ``TABLE`` is the whole of it: one row an event, one column a state. Nobody else writes a permit.
A cell names the state that follows; ``=`` takes the event and stays; ``-`` refuses it by name; ``?`` leaves the choice
between two to what the permit carries (``CHOICES``). Guards (``_GUARDS``) may refuse what a cell would take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any


class PermitState(Enum):
    NONE = "none"
    ASKED = "asked"
    OPEN = "open"
    OUT = "out"
    ISOLATED = "isolated"
    SENDING = "sending"
    SETTLING = "settling"
    SETTLED = "settled"
    RETURNING = "returning"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class What(Enum):
    """The events. The first three are a person's words; the rest is measured, or done by a run."""

    PROMISE = "promise"  # the promise of what the method rests on
    DEED = "deed"  # "I see that it is so now, and it stays so"
    REMOVED = "removed"  # the unit was taken out of the rack
    FOLLOW = "follow"  # app_only or recovery goes on under this permit
    PERMISSION = "permission"  # readiness holds: the run allows the secondary, or the loads, to be disconnected
    READS_OUT = "reads_out"  # the secondary reads dead, or the load 0
    READS_IN = "reads_in"  # it reads live, or a load above 0
    DEED_ENDS = "deed_ends"  # a foreign restart, 12 h, or 30 minutes without a run
    DARK = "dark"  # the run says what to do if the rack is dark: a plug may be moved on it, so no deed outlives it
    HOLDS = "holds"  # every check holds over the whole window
    WITHDRAW = "withdraw"  # a permission is taken back
    AGAIN = "again"  # the checks hold again
    STOR = "stor"  # a file is begun
    FILE_OVER = "file_over"  # the AOS is over, or a file was cut before it counted as sent
    LAST_BLOCK = "last_block"  # the app's last block leaves, or may have left
    APP_FAILS = "app_fails"  # the app proves not to run, or a failed row stands
    SETTLED = "settled"
    RELEASE = "release"  # restore's word to reconnect
    BACK = "back"  # redundant for more than 60 s; no_load: the word to connect the loads was said to its end
    NOTHING_OUT = "nothing_out"  # a run ends, and nothing was ever out under this permit


# SAFETY 1.9: what a state does not take stops the run at the next safe point, unless it is only a person's word.
WORDS_OF_PERSONS = frozenset({What.PROMISE, What.DEED, What.REMOVED})
# While one of these stands somebody may have a hand on a plug.
STANDING = frozenset({PermitState.OPEN, PermitState.OUT, PermitState.RETURNING})
_FIXED = (*STANDING, PermitState.ISOLATED, PermitState.SENDING, PermitState.SETTLING)

SECONDARY, NO_LOAD = "secondary_disconnected", "no_load"
PROMISES = {SECONDARY: "will_disconnect_secondary", NO_LOAD: "will_remove_loads"}
# What each method may rest on (SAFETY 3).
RESTS_ON = {
    "single_source": frozenset({SECONDARY}),
    "no_load": frozenset({NO_LOAD}),
    "app_only": frozenset({SECONDARY, NO_LOAD}),
    "recovery": frozenset({NO_LOAD}),
}
# Nobody is asked to pull anything for these; the deed alone isolates.
BY_DEED = frozenset({"app_only", "recovery"})

TABLE = """
event       none      asked     open      out       isolated  sending  settling settled   returning closed    withdrawn
promise     asked     =         =         =         =         =        =        asked     -         asked     =
deed        -         =         -         =         =         -        -        -         -         -         -
removed     -         closed    closed    closed    closed    closed   closed   closed    closed    =         closed
follow      -         =         -         -         ?         -        asked    -         -         -         asked
permission  -         open      =         -         -         -        -        -         -         -         -
reads_out   -         -         out       =         =         =        =        =         =         -         -
reads_in    =         =         =         open      asked     =        =        =         =         =         =
deed_ends   -         =         =         =         asked     =        =        =         =         -         =
dark        =         =         -         -         asked     =        =        =         -         =         =
holds       -         isolated  -         isolated  =         -        -        -         -         -         -
withdraw    -         -         withdrawn withdrawn -         -        -        -         withdrawn -         -
again       -         -         -         -         -         -        -        -         -         -         ?
stor        -         -         -         -         sending   -        -        -         -         -         -
file_over   -         -         -         -         -         ?        -        -         -         -         -
last_block  -         -         -         -         -         settling -        -         -         -         -
app_fails   -         -         -         -         -         -        asked    -         -         -         -
settled     -         settled   -         -         settled   -        settled  =         -         -         settled
release     returning returning -         -         returning -        -        returning =         returning -
back        =         closed    -         -         -         -        -        closed    closed    =         -
nothing_out =         closed    -         -         -         -        -        -         -         =         closed
"""


@dataclass(frozen=True)
class Event:
    """``text``: a word as it was given, or the reason. ``at``: when, ISO 8601 with its offset, for people only.

    ``method`` and ``primary`` come with a promise and with ``follow``; ``rests_on`` is what they rest on.
    """

    what: What
    at: str = ""
    text: str = ""
    by: str = ""
    method: str = ""
    primary: str = ""
    rests_on: str = ""

    def to_record(self) -> dict[str, Any]:
        return {**{key: value for key, value in asdict(self).items() if value}, "what": self.what.value}


@dataclass(frozen=True)
class Permit:
    """``unsettled``: an app may have gone in whole and has not settled. ``was_out``: something was, under this permit.

    ``loads_off``, ``source_off``: loads, or a source, were taken off on our sentence, under any method.
    ``read_in``: what it rests on was last seen live, or a person may put it back on our sentence.
    ``last_in_at``: no deed from before that time counts.
    ``back_to``: where a withdrawal came from. ``spent``: words that never count again.
    ``refusal``: why the last event was not taken; empty if it was.
    """

    number: int = 0
    state: PermitState = PermitState.NONE
    since: str = ""
    method: str = ""
    primary: str = ""
    rests_on: str = ""
    promise: str = ""
    deed: str = ""
    deed_at: str = ""
    deed_by: str = ""
    unsettled: bool = False
    was_out: bool = False
    loads_off: bool = False
    source_off: bool = False
    read_in: bool = False
    found: bool = False
    back_to: str = ""
    last_in_at: str = ""
    released_at: str = ""
    given: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def stands(self) -> bool:
        """Does a permission to touch a plug or a load stand?"""
        return self.state in STANDING

    @property
    def fixed(self) -> bool:
        """Are method and primary fixed (SAFETY 2)?"""
        return self.was_out or self.state in _FIXED

    @property
    def may_send(self) -> bool:
        """A run may send under it: promise and deed. Its own verdict comes on top."""
        return self.state in (PermitState.ISOLATED, PermitState.SENDING) and bool(self.promise and self.deed)

    def to_record(self) -> dict[str, Any]:
        lists = {"given": list(self.given), "spent": list(self.spent)}
        return {**asdict(self), "state": self.state.value, **lists}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Permit:
        """Raises ValueError for what is no permit: half a permit must not pass for one."""
        known = {field.name: field for field in fields(cls)}
        if not isinstance(record, Mapping) or set(record) != set(known):
            raise ValueError("not the fields of a permit")
        values = dict(record)
        values["state"] = PermitState(values["state"])
        for name in ("given", "spent"):
            if not isinstance(values[name], (list, tuple)) or not all(isinstance(text, str) for text in values[name]):
                raise ValueError(f"{name} is no list of words")
            values[name] = tuple(values[name])
        for name, value in values.items():
            if type(value) is not type(known[name].default):
                raise ValueError(f"{name} is of another kind")
        standing = {state.value for state in STANDING}
        if (values["back_to"] in standing) != (values["state"] is PermitState.WITHDRAWN) or values["number"] < 0:
            raise ValueError("the fields do not fit each other")
        return cls(**values)


def _grid(text: str) -> dict[tuple[PermitState, What], str]:
    lines = [line.split() for line in text.strip().splitlines()]
    states = [PermitState(name) for name in lines[0][1:]]
    return {(state, What(line[0])): cell for line in lines[1:] for state, cell in zip(states, line[1:], strict=True)}


CELLS = _grid(TABLE)


def targets(state: PermitState, what: What) -> tuple[PermitState, ...]:
    """Where an event may lead; empty where it is refused. For the picture and the tests."""
    cell = CELLS[state, what]
    if cell == "-":
        return ()
    if cell == "?":
        return CHOICES[what][:2]
    return (state if cell == "=" else PermitState(cell),)


# -- guards: what a permit must carry for a cell to count ------------------------------------------------------------


_FRESH = frozenset({PermitState.NONE, PermitState.CLOSED, PermitState.SETTLED})


def _rests(event: Event) -> str:
    return "" if event.rests_on in RESTS_ON.get(event.method, ()) else "it is not said what the method rests on"


def _promise_fits(permit: Permit, event: Event) -> str:
    if not event.text:
        return "the promise has no text"
    if event.text in permit.spent:
        return "this promise was spent by a release"
    if _rests(event):
        return _rests(event)
    if permit.state is PermitState.SETTLED and event.text == permit.promise:
        return "this permit's own promise; a new one closes it"
    if permit.state not in _FRESH and permit.fixed and not _same_ground(permit, event, with_method=True):
        return f"method and primary are fixed while anything is out: {permit.method}, {permit.primary or 'no primary'}"
    return ""


def _same_ground(permit: Permit, event: Event, with_method: bool = False) -> bool:
    """Does the event rest on what the permit rests on, of the same source?"""
    same = (event.primary, event.rests_on) == (permit.primary, permit.rests_on)
    return same and (event.method == permit.method or not with_method)


def _needs_promise(permit: Permit, event: Event) -> str:
    if permit.method in BY_DEED and event.what is What.PERMISSION:
        return f"under {permit.method} nobody is asked to disconnect anything"
    return "" if permit.promise else "no promise"


def _deed_fits(permit: Permit, event: Event) -> str:
    if not event.text:
        return "the deed has no text"
    if event.text in permit.spent:
        return "this word was spent: by a release, or with the deed that it was"
    if permit.state is PermitState.ASKED and permit.method not in BY_DEED:
        return "nothing is asked yet"
    if event.rests_on != permit.rests_on:
        return f"asked for is {permit.rests_on}"
    return ""


def _deed_stands(permit: Permit, event: Event) -> str:
    if permit.state is PermitState.ASKED and permit.method not in BY_DEED:
        return "nothing was asked yet"
    if not permit.promise:
        return "no promise"
    return "" if permit.deed else "no deed"


def _settled_only(permit: Permit, event: Event) -> str:
    return "an app was sent and has not settled" if permit.unsettled else ""


def _never_out(permit: Permit, event: Event) -> str:
    if permit.was_out:
        return "something was out under this permit"
    return _settled_only(permit, event)


def _may_follow(permit: Permit, event: Event) -> str:
    if event.method not in BY_DEED:
        return "only app_only and recovery may follow"
    if _rests(event):
        return _rests(event)
    if event.text in permit.spent:
        return "this promise was spent by a release"
    if permit.fixed and event.rests_on == permit.rests_on == SECONDARY and event.primary != permit.primary:
        return f"the primary is fixed while anything is out: {permit.primary}"
    if event.text or (permit.promise and event.rests_on == permit.rests_on):
        return ""
    return "no promise of what the method rests on"


def _was_sent(permit: Permit, event: Event) -> str:
    """Where a failed app is sent again, the card's own retry may still settle it first."""
    if permit.unsettled or permit.state in (PermitState.SETTLING, PermitState.SETTLED):
        return ""
    return "no app was sent that could have settled"


_GUARDS: dict[What, Callable[[Permit, Event], str]] = {
    What.PROMISE: _promise_fits,
    What.DEED: _deed_fits,
    What.FOLLOW: _may_follow,
    What.PERMISSION: _needs_promise,
    What.HOLDS: _deed_stands,
    What.STOR: _deed_stands,
    What.SETTLED: _was_sent,
    What.RELEASE: _settled_only,
    What.BACK: _settled_only,
    What.NOTHING_OUT: _never_out,
}

# The two states between which a "?" chooses; where the last of the row holds, it is the first of them.
CHOICES: dict[What, tuple[PermitState, PermitState, Callable[[Permit, Event], bool]]] = {
    # The deed stands for what it was said of; a method that rests on something else needs its own.
    What.FOLLOW: (
        PermitState.ISOLATED,
        PermitState.ASKED,
        lambda permit, event: _same_ground(permit, event) and bool(permit.deed),
    ),
    What.AGAIN: (
        PermitState.SETTLED,
        PermitState.ASKED,
        lambda permit, event: permit.back_to == PermitState.RETURNING.value,
    ),
    What.FILE_OVER: (PermitState.ISOLATED, PermitState.ASKED, lambda permit, event: bool(permit.deed)),
}


# -- what an event leaves in the permit ------------------------------------------------------------------------------


def _words(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _new(permit: Permit, event: Event) -> Permit:
    fresh = permit.state in _FRESH
    if fresh:
        never_back = permit.state is PermitState.SETTLED
        permit = Permit(
            number=permit.number + 1,
            released_at=permit.released_at,
            # The words of a permit that a new promise closes go with it.
            spent=_words(*permit.spent, *permit.given) if never_back else permit.spent,
            last_in_at=permit.last_in_at,
            read_in=permit.read_in,
            # What never came back is still out, whatever the new permit is called.
            was_out=never_back and permit.was_out,
            loads_off=never_back and permit.loads_off,
            source_off=never_back and permit.source_off,
        )
    changed = replace(permit, promise=event.text, given=_words(*permit.given, event.text))
    if fresh or not permit.fixed:
        changed = replace(changed, method=event.method, primary=event.primary, rests_on=event.rests_on)
    return changed if _same_ground(permit, event) else _no_deed(changed, event)


def _deed(permit: Permit, event: Event) -> Permit:
    given = _words(*permit.given, event.text)
    return replace(permit, deed=event.text, deed_at=event.at, deed_by=event.by, given=given)


def _no_deed(permit: Permit, event: Event) -> Permit:
    """A deed that ended is over for good: the same words, given again, are not a second look."""
    return replace(permit, deed="", deed_at="", deed_by="", spent=_words(*permit.spent, permit.deed))


def _in(permit: Permit, event: Event) -> Permit:
    return replace(_no_deed(permit, event), last_in_at=event.at, read_in=True)


def _seen_until_now(permit: Permit, event: Event) -> Permit:
    """It read live until about now, so that no deed from before counts."""
    return replace(permit, last_in_at=event.at, read_in=False) if permit.read_in else permit


def _out(permit: Permit, event: Event) -> Permit:
    return replace(
        _seen_until_now(permit, event),
        was_out=True,
        loads_off=permit.loads_off or permit.rests_on == NO_LOAD,
        # A cold start leaves exactly one input connected (SAFETY 2, one_input).
        source_off=permit.source_off or permit.rests_on == SECONDARY or permit.method == "recovery",
    )


def _withdraw(permit: Permit, event: Event) -> Permit:
    """Whoever hears it may put a plug back: what was said of it before counts no longer."""
    return replace(_in(permit, event), back_to=permit.state.value)


def _dark(permit: Permit, event: Event) -> Permit:
    """Settled, or nothing but an AOS sent, it names the plugs alone; otherwise every load comes off first."""
    return replace(_in(permit, event), loads_off=permit.loads_off or permit.unsettled)


def _follow(permit: Permit, event: Event) -> Permit:
    changed = replace(permit, method=event.method, primary=event.primary or permit.primary, rests_on=event.rests_on)
    if event.text:
        changed = replace(changed, promise=event.text, given=_words(*permit.given, event.text))
    return changed if _same_ground(permit, event) else _no_deed(changed, event)


def _release(permit: Permit, event: Event) -> Permit:
    """Spends every word given under the permit, and those that the run was given beside (``text``, one a line)."""
    return replace(
        _no_deed(permit, event),
        number=permit.number or 1,
        promise="",
        given=(),
        spent=_words(*permit.spent, *permit.given, permit.promise, permit.deed, *event.text.split("\n")),
        released_at=event.at,
        found=permit.found or permit.state is PermitState.NONE,
    )


def _over(permit: Permit, event: Event) -> Permit:
    # loads_off and source_off stay: restore says the release of a closed permit again. The promise goes: nothing is
    # promised under a closed permit, and unless a release has spent them the same words open the next one.
    return replace(_no_deed(permit, event), promise="", was_out=False, found=False, unsettled=False)


def _same(permit: Permit, event: Event) -> Permit:
    return permit


def _free(permit: Permit, event: Event) -> str:
    return ""


_EFFECTS: dict[What, Callable[[Permit, Event], Permit]] = {
    What.PROMISE: _new,
    What.DEED: _deed,
    What.REMOVED: _over,
    What.FOLLOW: _follow,
    What.READS_OUT: _out,
    What.READS_IN: _in,
    What.DEED_ENDS: _no_deed,
    What.HOLDS: _out,
    What.WITHDRAW: _withdraw,
    What.DARK: _dark,
    What.LAST_BLOCK: lambda permit, event: replace(permit, unsettled=True),
    What.APP_FAILS: _no_deed,
    What.SETTLED: lambda permit, event: replace(permit, unsettled=False),
    What.RELEASE: _release,
    What.BACK: _over,
    What.NOTHING_OUT: _over,
}


def _target(permit: Permit, event: Event, cell: str) -> PermitState:
    if cell == "?":
        first, second, holds = CHOICES[event.what]
        return first if holds(permit, event) else second
    return permit.state if cell == "=" else PermitState(cell)


def step(permit: Permit, event: Event) -> Permit:
    """The permit after the event. One that is not taken changes nothing but ``refusal``, which names it.

    Total: any permit, any event. Sends nothing, asks nobody, knows no clock.
    """
    cell = CELLS[permit.state, event.what]
    why = "" if cell == "-" else _GUARDS.get(event.what, _free)(permit, event)
    if cell == "-" or why:
        where = f"the permit is {permit.state.value}"
        return replace(permit, refusal=f"{event.what.value} is not taken: {why or where}")
    target = _target(permit, event, cell)
    changed = _EFFECTS.get(event.what, _same)(permit, event)
    if target is not PermitState.WITHDRAWN:
        changed = replace(changed, back_to="")
    since = changed.since if target is permit.state and changed.since else event.at
    return replace(changed, state=target, since=since, refusal="")
