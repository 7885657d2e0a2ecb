# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person beside the rack: reads what the run says, and does what the last sentence that he saw says, sooner or later.

He keeps the promise of SAFETY 2: STOP, 30 s without a line, or a line whose printed time is 30 s old end what he was
about to do. He knows nothing of the product: the wording stands in SENTENCES alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from apcsim.model import Unit as Device
from apcsim.virtual import VirtualClock

# The first that is found in a line counts; a line with none of them changes nothing but the time of the last line.
# "void": whatever was allowed is not any more. The others are deeds; "side" is the input's letter.
SENTENCES: tuple[tuple[str, str], ...] = (
    ("closed", r"the permit is closed"),
    ("void", r"(?i)every earlier sentence of any run is void"),
    ("shut_loads", r"A LOAD IS ON: SHUT IT DOWN NOW"),
    ("if_dark_plug", r"(?i)only if the load is dark\b.*?\bplug (?:source |input )?(?P<side>[AB])\b.*?back in"),
    ("void", r"STOP\b|DO NOT (?:PULL|DISCONNECT|RECONNECT|TOUCH)|CONNECT NO LOAD|(?i:\btouch (?:no|nothing))"),
    ("plug", r"(?i)put (?:source |input )?(?P<side>[AB]) back"),
    ("unplug", r"(?i)source (?P<side>[AB]) reads dead\b.*PULL ITS PLUG NOW"),
    ("unplug", r"(?<!')[Yy]ou may disconnect (?:source|input) (?P<side>[AB])"),
    ("plug", r"(?<!')[Yy]ou may reconnect (?:source|input) (?P<side>[AB])"),
    ("remove_loads", r"(?<!')[Yy]ou may shut down and disconnect all loads|[Dd]isconnect every load, also what reads"),
    ("connect_loads", r"(?<!')[Yy]ou may connect the loads"),
)
# what a deed is called when it is said
WORDS = {"unplug": "secondary_disconnected", "remove_loads": "no_load"}
# a line says when it was printed; a line without it cannot be old to its reader
PRINTED = re.compile(r"\b(\d\d):(\d\d):(\d\d)\b")
SILENCE_S = 30.0
OLD_S = 30.0
SAY_AGAIN_S = 60.0  # he was not heard, it seems
TALKS = ("after", "early", "twice", "wrong", "never")
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in SENTENCES)


class Sentence(NamedTuple):
    kind: str
    side: str


class Deed(NamedTuple):
    time_s: float
    kind: str
    side: str
    line: str
    harmless: bool  # in the judgement of the simulator, at this moment


def sentence(line: str) -> Sentence | None:
    for kind, pattern in _COMPILED:
        found = pattern.search(line)
        if found:
            return Sentence(kind, found.groupdict().get("side") or "")
    return None


def age_s(line: str, watch: datetime) -> float:
    """Seconds since the time printed in it; 0 without one, negative if it is yet to come."""
    found = PRINTED.search(line)
    if not found:
        return 0.0
    hours, minutes, seconds = map(int, found.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        return 0.0
    printed = watch.replace(hour=hours, minute=minutes, second=seconds, microsecond=0)
    apart = (watch - printed).total_seconds()
    return (apart + 43200.0) % 86400.0 - 43200.0  # across midnight


@dataclass
class Person:
    """``hear`` is a listener for the run's lines; everything else he does by the clock."""

    clock: VirtualClock
    device: Device
    delay_s: Callable[[], float] = lambda: 5.0  # 1..1200, drawn anew for each thing to do
    behind_s: float = 0.0  # how far behind he reads, up to 180
    say_word: Callable[[str, str], None] = lambda what, side: None  # ("secondary_disconnected", "B")
    talks: str = "after"  # "early": before any question; "twice"; "wrong": another letter first; "never"
    say_delay_s: float = 4.0
    load_a: float | None = None  # what he connects again; None: what he took off
    deeds: list[Deed] = field(default_factory=list)
    said: list[tuple[float, str, str]] = field(default_factory=list)
    lied: list[tuple[float, str, str]] = field(default_factory=list)  # words that were not so: nobody's law counts them
    stopped: list[tuple[float, str]] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        if self.talks not in TALKS:
            raise ValueError(f"talks is one of {', '.join(TALKS)}")
        # his watch shows the true time: the controller's clock may jump, this one does not
        self._watch = self.clock.wall() - timedelta(seconds=self.clock.now())
        self._inbox: list[tuple[float, str]] = []
        self._wants: Sentence | None = None
        self._line = ""
        self._due_s = 0.0
        self._read_s: float | None = None
        self._words: list[tuple[float, str, str]] = []
        self._done: Sentence | None = None
        self._said_s = 0.0
        self._taken_off_a: float | None = None
        self._early = self.talks == "early"
        self._busy = False
        self.clock.on_sleep.append(self.live)

    @property
    def wants(self) -> Sentence | None:
        """What he is about to do."""
        return self._wants

    def leave(self) -> None:
        self.clock.on_sleep.remove(self.live)

    def hear(self, line: str, *_more: Any) -> None:
        self._inbox.append((self.clock.now() + self.behind_s, line))
        self.live(self.clock.now())

    def live(self, now_s: float) -> None:
        if self._busy:
            return  # what he does may let time pass
        if not self._inbox and self._wants is None and not self._words:
            return  # most of the time he has nothing to read, to do or to say
        self._busy = True
        try:
            while self._inbox and self._inbox[0][0] <= now_s:
                _due, line = self._inbox.pop(0)
                self._read(line, now_s)
            if self._wants is not None and self._read_s is not None and now_s - self._read_s >= SILENCE_S:
                self._stop(now_s, "no line for 30 s")
            if self._wants is not None and now_s >= self._due_s:
                self._act(now_s)
            self._speak(now_s)
        finally:
            self._busy = False

    # -- reading --

    def _read(self, line: str, now_s: float) -> None:
        self._read_s = now_s
        if self._early:
            self._early = False
            other = "A" if self.device.power.selected == "B" else "B"
            self._words += [(now_s, "secondary_disconnected", other), (now_s, "no_load", "")]
        if age_s(line, self._watch + timedelta(seconds=now_s)) >= OLD_S:
            self._stop(now_s, "a line that is 30 s old")
            return
        found = sentence(line)
        if found is None:
            return
        if found.kind in ("void", "closed"):
            self.closed = self.closed or found.kind == "closed"
            self._stop(now_s, found.kind)
            return
        self._line = line
        if found == self._done:
            self._repeat(found, now_s)
        elif found != self._wants:
            self._wants, self._due_s = found, now_s + self.delay_s()

    def _stop(self, now_s: float, why: str) -> None:
        if self._wants is not None:
            self.stopped.append((now_s, why))
        self._wants = self._done = None

    def _repeat(self, asked: Sentence, now_s: float) -> None:
        """He did it and is asked still: he says it again after a while."""
        if asked.kind in WORDS and not self._words and now_s - self._said_s >= SAY_AGAIN_S:
            self._tell(asked, now_s)

    # -- doing --

    def _act(self, now_s: float) -> None:
        wanted, self._wants = self._wants, None
        assert wanted is not None
        self._done = wanted
        self.deeds.append(Deed(now_s, wanted.kind, wanted.side, self._line, self._harmless(wanted)))
        getattr(self, f"_{wanted.kind}")(wanted.side)
        self._tell(wanted, now_s)

    def _harmless(self, wanted: Sentence) -> bool:
        device = self.device
        if wanted.kind == "unplug":
            return device.oracle_unplug_ok(wanted.side)
        if wanted.kind in ("plug", "if_dark_plug"):
            return device.oracle_plug_ok(wanted.side)
        return wanted.kind != "connect_loads" or device.oracle_connect_load_ok()

    def _unplug(self, side: str) -> None:
        self._move(side, False)

    def _plug(self, side: str) -> None:
        self._move(side, True)

    def _if_dark_plug(self, side: str) -> None:
        if not self.device.power.output_on:
            self._move(side, True)

    def _move(self, side: str, plugged: bool) -> None:
        if self.device.power.inputs[side].plugged is not plugged:
            self.device.patch({"inputs": {side: {"plugged": plugged}}})

    def _remove_loads(self, _side: str) -> None:
        if self.device.power.load_a > 0:
            self._taken_off_a = self.device.power.load_a
            self.device.patch({"load_current_a": 0.0})

    _shut_loads = _remove_loads

    def _connect_loads(self, _side: str) -> None:
        amps = self.load_a if self.load_a is not None else self._taken_off_a
        if amps:
            self.device.patch({"load_current_a": amps})

    # -- saying --

    def _tell(self, deed: Sentence, now_s: float) -> None:
        word = WORDS.get(deed.kind)
        if word is None or self.talks == "never":
            return
        at_s = now_s + self.say_delay_s
        if self.talks == "wrong" and deed.side:
            self._words.append((at_s, word, "A" if deed.side == "B" else "B"))
            at_s += 10.0
        self._words.append((at_s, word, deed.side))
        if self.talks == "twice":
            self._words.append((at_s, word, deed.side))

    def _speak(self, now_s: float) -> None:
        due = [entry for entry in self._words if entry[0] <= now_s]
        self._words = [entry for entry in self._words if entry[0] > now_s]
        for _at, what, side in due:
            self._said_s = now_s
            self.said.append((now_s, what, side))
            if not self._is_so(what, side):
                self.lied.append((now_s, what, side))
            self.say_word(what, side)

    def _is_so(self, what: str, side: str) -> bool:
        if what == "no_load":
            return self.device.power.load_a == 0
        return not self.device.power.inputs[side].plugged
