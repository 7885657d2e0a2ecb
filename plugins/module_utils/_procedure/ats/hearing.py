# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run hears a deed: at its own question, through the playbook ats_word, or beforehand with a time (SAFETY 2).

Whichever comes first. It only listens: what counts is judged by the rules of the words and taken by the permit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import SECONDARY
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Judged


class Question(Protocol):
    """A question on a terminal; what was typed before it stood is thrown away."""

    def poll(self) -> str | None:
        """One typed line, at once; None where none is there."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Heard:
    """``text``: the word as the permit keeps it. ``by``: which way it came. ``at``: when it was said."""

    text: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Asked:
    """What is asked for: the deed, the input that is to be out (empty: the loads), and the permit that asks."""

    what: str
    source: str
    number: int

    @property
    def answer(self) -> str:
        return self.source if self.what == SECONDARY else "no load"


class Hearing:
    """``ask`` opens the question where there is a terminal; ``words`` gives what ats_word has put there for the permit.

    ``publish`` and ``withdraw`` tell ats_word that a run asks; ``refused`` gives, once, why what it has put there does
    not count. All come from the outside, and may be left out.
    """

    def __init__(
        self,
        ask: Callable[[str], Question | None] = lambda prompt: None,
        publish: Callable[[Asked], None] = lambda asked: None,
        withdraw: Callable[[], None] = lambda: None,
        words: Callable[[Asked], Iterable[tuple[str, str, datetime]]] = lambda asked: (),
        refused: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:
        self._ask, self._publish, self._withdraw, self._words = ask, publish, withdraw, words
        self._refused = refused
        self._question: Question | None = None
        self._asked: Asked | None = None
        self.refusals: list[str] = []
        # Of the question that stands, or stood last.
        self.number = 0

    @property
    def asked(self) -> Asked | None:
        return self._asked

    @property
    def on_terminal(self) -> bool:
        return self._question is not None

    def open(self, asked: Asked) -> None:
        """From ``open`` on the question stands. Asked again where it is another one."""
        if self._asked == asked:
            return
        self.close()
        self.number += 1
        self._asked = asked
        self._question = self._ask(f"type '{asked.answer}' and ENTER once it is so: ")
        self._publish(asked)

    def close(self) -> None:
        if self._question is not None:
            self._question.close()
        if self._asked is not None:
            self.number += 1
            self._withdraw()
        self._question = self._asked = None

    def listen(
        self, now: datetime, reads_in: bool, serial: str, since: datetime | None, beforehand: Callable[[], Judged]
    ) -> Heard | None:
        """``reads_in``: what is spoken of reads live at this moment, so no answer counts. ``since``: it last did so.

        ``beforehand``: the word of the options, judged anew: it grows old while the run waits.
        """
        asked = self._asked
        if asked is None:
            return None
        typed = self._question.poll() if self._question is not None else None
        if typed is not None:
            heard = self._typed(asked, typed, now, reads_in)
            if heard is not None:
                return heard
        spoken = self._words(asked)
        self.refusals += self._refused()
        for unit, source, said_at in spoken:
            why = self._wrong(asked, unit, source, said_at, now, reads_in, serial, since)
            if not why:
                return Heard(f"{asked.what} {unit}@{said_at.isoformat(timespec='seconds')}", "ats_word", said_at)
            self.refusals.append(why)
        given = beforehand()
        if given.ok and not reads_in:
            return Heard(given.text, "confirmations", given.said_at or now)
        return None

    def _typed(self, asked: Asked, typed: str, now: datetime, reads_in: bool) -> Heard | None:
        answer = " ".join(typed.split()).lower()
        if answer != asked.answer.lower():
            self.refusals.append(f"'{typed[:20]}' is not the answer; asked again: type '{asked.answer}' and ENTER")
            return None
        if reads_in:
            self.refusals.append("it reads live: what was typed does not count, look again which plug is out")
            return None
        return Heard(f"{asked.what} typed@{now.isoformat(timespec='seconds')}", "terminal", now)

    def _wrong(
        self,
        asked: Asked,
        unit: str,
        source: str,
        said_at: datetime,
        now: datetime,
        reads_in: bool,
        serial: str,
        since: datetime | None,
    ) -> str:
        if unit.strip().upper() != serial.upper():
            return f"ats_word spoke of another unit ('{unit[:40]}'): it does not count here"
        if asked.source and source != asked.source:
            return f"ats_word spoke of source {source[:2] or '?'}, asked for is source {asked.source}"
        if said_at > now:
            return "ats_word carries a time that has not come yet"
        if reads_in or (since is not None and said_at <= since):
            return "it reads live, or has since ats_word was said: look again, and say it again"
        return ""
