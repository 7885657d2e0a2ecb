# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the unit's permit and what was sent, in evidence and in the order of SAFETY 1.8. Sends events, judges nothing.

What allows something is written, then measured once more, then said. What takes something back is said, then written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import permit as permits
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import sending as files
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import Event, Permit, PermitState, What
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, FileState, Sending
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop


class Desk(Protocol):
    """What the keeper needs of a run. ``evidence_lost``: why nothing more can be written; empty while it can."""

    evidence_lost: str

    def record(self, kind: str, **fields: object) -> None: ...

    def record_or_stop(self, kind: str, **fields: object) -> None: ...

    def stamp(self) -> str:
        """Now, ISO 8601 with its offset."""

    def stop_words(self, text: str) -> None:
        """Handed to the person at once, waiting for nothing."""

    def permission_words(self, text: str) -> bool:
        """False: it could not be shown, so it is not given."""


@dataclass
class Opened:
    """What evidence holds of a unit: its permit, its files, and whether a torn record may hide a later event."""

    permit: Permit = field(default_factory=Permit)
    files: dict[str, Sending] = field(default_factory=dict)
    torn: bool = False
    releases: list[datetime] = field(default_factory=list)
    attempts: list[datetime] = field(default_factory=list)


def opened(records: Iterable[Mapping[str, Any]]) -> Opened:
    """Read in the records' own order. A record that is none leaves doubt, which only takes away."""
    found = Opened()
    for record in records:
        kind = record.get("kind")
        if kind == "damaged":
            found.torn = True
            continue
        try:
            if kind == "permit":
                found.permit = Permit.of_record(record["permit"])
                found.torn = False
                if found.permit.state is PermitState.CLOSED:
                    found.files = {name: sent for name, sent in found.files.items() if _outlives(sent)}
                if record.get("event", {}).get("what") == What.RELEASE.value:
                    found.releases.append(datetime.fromisoformat(str(record["t"])))
            elif kind == "sending":
                sent = Sending.of_record(record["sending"])
                found.files[sent.kind] = sent
            elif kind == "recovery_attempt":
                found.attempts.append(datetime.fromisoformat(str(record["t"])))
            elif kind == "settled":
                found.files = {name: sent for name, sent in found.files.items() if name != "app"}
        except (KeyError, TypeError, ValueError, AttributeError):
            found.torn = True
    return found


def _outlives(sent: Sending) -> bool:
    """What came to its end under a permit ends with it; what may be in the card does not."""
    return sent.counts_as_sent and (sent.kind == "app" or sent.state is not FileState.WHOLE)


class Keeper:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.permit = Permit()
        self.files: dict[str, Sending] = {}
        # Kinds of files that this process has begun, in their order.
        self.begun: list[str] = []
        self.cut = False
        self.releases: list[datetime] = []
        self.attempts: list[datetime] = []
        self.torn = False

    def open(self, records: Iterable[Mapping[str, Any]]) -> None:
        found = opened(records)
        self.permit, self.files = found.permit, found.files
        self.releases, self.attempts, self.torn = found.releases, found.attempts, found.torn

    # -- the permit ----------------------------------------------------------------------------------------------

    def _event(self, what: What, text: str = "", **more: str) -> Event:
        return Event(what, self._desk.stamp(), text[:400], **more)

    def _step(self, event: Event) -> Permit:
        """Raises Stop where the state does not take it and it is no mere word."""
        after = permits.step(self.permit, event)
        if after.refusal and event.what not in permits.WORDS_OF_PERSONS:
            raise Stop("state", f"permit {self.permit.number}: {after.refusal}")
        return after

    def send(self, what: What, text: str = "", **more: str) -> bool:
        """An event that neither gives nor takes. False: refused, as a person's word may be."""
        event = self._event(what, text, **more)
        after = self._step(event)
        if after.refusal:
            self._desk.record("word_refused", event=event.to_record(), reason=after.refusal)
            return False
        # That all is back is written even where the permit knew it: an earlier torn record is over with it.
        if after != self.permit or what is What.BACK:
            self.permit = after
            self._desk.record("permit", event=event.to_record(), permit=after.to_record())
        return True

    def give(self, what: What, words: str, still: Callable[[], bool], text: str = "") -> bool:
        """Written, measured once more, said. False: it does not hold any more, or nobody could be shown it."""
        event = self._event(what, text)
        after = self._step(event)
        self._desk.record_or_stop("permit", event=event.to_record(), permit=after.to_record())
        self.permit = after
        if still() and self._desk.permission_words(words):
            return True
        self.take(What.WITHDRAW, "", "it did not hold any more when it was to be said")
        return False

    def take(self, what: What, words: str, reason: str = "") -> None:
        """Said, then written. A disk that fails changes nothing of it; the run gives nothing more, and ends."""
        if words:
            self._desk.stop_words(words)
        event = self._event(what, reason)
        self.permit = self._step(event)
        if self.permit.stands:
            # Something may be pulled or plugged in still: then nothing waits for a disk.
            self._desk.record("permit", event=event.to_record(), permit=self.permit.to_record())
            return
        try:
            self._desk.record_or_stop("permit", event=event.to_record(), permit=self.permit.to_record())
        except Stop as exc:
            self._desk.evidence_lost = exc.message

    # -- the files -----------------------------------------------------------------------------------------------

    def agree(self, file: Sending) -> None:
        """Before anything leaves. Raises Stop("state") where it cannot be written."""
        before = self.files.get(file.kind, Sending(kind=file.kind))
        # Of another file than before nothing is known; that the card was deaf is kept only for the same one.
        deaf = before.deaf and before.sha256 == file.sha256
        named = replace(before, file=file.file, version=file.version, sha256=file.sha256, size=file.size, deaf=deaf)
        agreed = files.step(named, FileEvent.AGREE)
        if agreed.refusal:
            raise Stop("state", f"{file.file}: {agreed.refusal}")
        event = self._event(What.STOR, file.file)
        after = self._step(event)
        self._desk.record_or_stop("permit", event=event.to_record(), permit=after.to_record())
        self._desk.record_or_stop("sending", event=FileEvent.AGREE.value, sending=agreed.to_record())
        self.permit, self.files[file.kind] = after, agreed

    def file(self, kind: str, event: FileEvent, write: bool = True) -> Sending:
        before = self.files.get(kind, Sending(kind=kind))
        after = files.step(before, event)
        if after.refusal:
            raise Stop("state", f"{before.file or kind}: {after.refusal}")
        if event is FileEvent.STOR and kind not in self.begun:
            self.begun.append(kind)
        self.files[kind] = after
        if write:
            self._desk.record("sending", event=event.value, sending=after.to_record())
        return after

    def last_block(self) -> None:
        """The app counts as sent from here on. Not written: its record stands before the verdict (SAFETY 1.8)."""
        self.permit = self._step(self._event(What.LAST_BLOCK))
        self.file("app", FileEvent.RELEASE, write=False)

    def write_down(self) -> None:
        """What happened while nothing could wait for a disk."""
        with suppress(Stop):
            self._desk.record("permit", event={"what": "noted"}, permit=self.permit.to_record())

    @property
    def open_app(self) -> bool:
        """Was an app sent, or may it have been, that nobody has seen settle?"""
        app = self.files.get("app")
        return self.permit.unsettled or self.torn or (app is not None and app.counts_as_sent)

    @property
    def open_file(self) -> Sending | None:
        """A file that was begun and is not known to have come to an end (SAFETY 4, entry e)."""
        app, aos = self.files.get("app"), self.files.get("aos")
        if app is not None and app.counts_as_sent:
            return app
        if aos is not None and aos.counts_as_sent and aos.state is not FileState.WHOLE:
            return aos
        return Sending(kind="app", state=FileState.UNSURE) if self.permit.unsettled or self.torn else None

    @property
    def left_behind(self) -> Sending | None:
        """What an earlier run of the open permit has begun and not brought to a settled end, be it only an AOS."""
        over = (PermitState.NONE, PermitState.CLOSED, PermitState.SETTLED)
        known = [self.files[kind] for kind in ("app", "aos") if kind in self.files]
        begun = [sent for sent in known if sent.counts_as_sent or sent.state is FileState.CUT]
        return self.open_file or (begun[0] if begun and self.permit.state not in over else None)

    def reconcile(self) -> None:
        """What a dead process left: whatever may have gone in has gone in."""
        for kind in ("aos", "app"):
            left = self.files.get(kind)
            if left is not None and left.state in (FileState.AGREED, FileState.BEGUN):
                # STOR may have been said behind the last record.
                if left.state is FileState.AGREED:
                    self.files[kind] = files.step(left, FileEvent.STOR)
                self.file(kind, FileEvent.BREAK)
        if self.permit.state is not PermitState.SENDING:
            return
        app = self.files.get("app")
        if app is not None and app.state in (FileState.UNSURE, FileState.SENT, FileState.WHOLE):
            self.send(What.LAST_BLOCK, "a dead process may have sent the app whole")
        else:
            self.send(What.FILE_OVER, "a dead process had begun a file")
