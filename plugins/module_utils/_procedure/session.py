# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login of the kind that sends, and what is read over it whatever the unit is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.samedevice import MAX_CONFIG, LoginFacts, same_unit
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.observe import Observer
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login

# Behind a card that was busy, before the next try; doubled each time.
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0

S = TypeVar("S", bound=Seen)


class Book(Protocol):
    """Who keeps the event log of a run: told of each log, and of what this run itself leaves in it."""

    def logging_in(self) -> None:
        """A login is about to be tried: the card may log it from here on."""

    def turned_away(self) -> None:
        """The card refused that login, so it logged none."""

    def fetching(self) -> None:
        """A file is about to be fetched."""

    def have_read(self, log: EventLog, protocol: str, now_s: float) -> None:
        """``now_s``: device seconds. The log as the login that has just been opened gave it."""


class Session(Generic[S]):
    """``facts``: what the last login said of the unit; None where none has spoken yet, or that unit is no longer it."""

    def __init__(
        self,
        clock: Clock,
        observer: Observer[S],
        open_login: Callable[[Callable[[], None]], Login],
        busy_timeout_s: float,
        say: Callable[[str, str], None],
        book: Book,
    ) -> None:
        self._clock, self._observer, self.open_login = clock, observer, open_login
        self._busy_timeout_s, self._say, self._book = busy_timeout_s, say, book
        self.facts: LoginFacts | None = None

    def forget(self) -> None:
        """What was read over a login before a restart speaks of what ran then."""
        self.facts = None

    def same(self) -> Found:
        """Is it one unit that answers by SNMP and over the login?"""
        good = self._observer.good
        return Found(False, "no answer", missing=True) if good is None else same_unit(good, self.facts)

    def login(self, patient: bool = True) -> Login:
        """With event.txt read over it; the caller closes it. Waits for a busy card. Raises TransportError."""
        login = self._opened(self._clock.now() + (self._busy_timeout_s if patient else 0.0))
        try:
            self._read_over(login)
        except BaseException:
            login.close()
            raise
        return login

    def _opened(self, end_s: float) -> Login:
        pause = FIRST_PAUSE_S
        while True:
            try:
                self._book.logging_in()
                return self.open_login(self._observer.poll_if_due)
            except TransportError as exc:
                if exc.kind in ("busy", "auth"):
                    # Any other error may have come after the card had logged the login.
                    self._book.turned_away()
                if exc.kind != "busy" or self._clock.now() >= end_s:
                    raise
                self._say(f"the card is busy, trying again: {exc.message}", "busy")
            until = self._clock.now() + pause
            while self._clock.now() < until:
                self._observer.next()
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _read_over(self, login: Login) -> None:
        protocol = getattr(login, "protocol", "ftp")
        self._book.fetching()
        # A log is dated by the begin of its fetch: what came while it was read may not be in it (SAFETY 5).
        began_s = self._clock.now()
        log = parse_event_log(login.fetch("event.txt"))
        self._book.have_read(log, protocol, began_s)
        facts = LoginFacts(protocol, login.banner, log.head)
        good = self._observer.good
        if good is not None and not same_unit(good, facts).ok:
            facts = LoginFacts(protocol, login.banner, log.head, self._config(login))
        self.facts = facts

    def _config(self, login: Login) -> tuple[str, ...]:
        """The head of event.txt may name nothing unique; config.ini holds name and address too."""
        self._book.fetching()
        try:
            return tuple(login.fetch("config.ini").decode("latin-1").splitlines()[:MAX_CONFIG])
        except TransportError as exc:
            if exc.kind != "transfer":
                raise
            return ()
