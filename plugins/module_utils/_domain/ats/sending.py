# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was sent how far: one file's way to the card (SAFETY 1.9). Pure; ``TABLE`` is the whole of it.

Where it cannot be told whether something left, it counts as having left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any


class FileState(Enum):
    NONE = "none"
    AGREED = "agreed"  # verdict and record are there, STOR is next
    BEGUN = "begun"  # STOR was said
    CUT = "cut"  # reset before the app's last block: not installed
    UNSURE = "unsure"  # may have gone in whole
    SENT = "sent"  # the card took all of it
    WHOLE = "whole"  # the card has restarted and shows its version


class FileEvent(Enum):
    AGREE = "agree"
    STOR = "stor"
    RELEASE = "release"  # the app's last block leaves
    CUT = "cut"  # the run resets the connection; before the last block only
    BREAK = "break"  # the connection, or the process, is gone
    END = "end"
    PROVED = "proved"  # its version is shown after the restart
    DEAF = "deaf"  # it went to a card that answered nothing while it stored
    DENIED = "denied"  # after the restart the card proves to run without it


TABLE = """
event   none   agreed begun  cut    unsure sent   whole
agree   agreed agreed -      agreed agreed agreed agreed
stor    -      begun  -      -      -      -      -
release -      -      unsure -      -      -      -
cut     -      ?      ?      =      -      -      -
break   =      ?      ?      =      =      =      =
deaf    -      -      =      =      =      =      =
end     -      -      sent   -      sent   =      =
proved  =      whole  whole  whole  whole  whole  =
denied  =      none   cut    =      cut    cut    cut
"""


@dataclass(frozen=True)
class Sending:
    """``kind``: aos or app. ``released``: the last block may have left. ``deaf``: sent to a card that went silent.

    ``earlier``: how far an earlier try had come when this one was agreed; what never began does not undo it.
    """

    file: str = ""
    kind: str = ""
    version: str = ""
    sha256: str = ""
    size: int = 0
    state: FileState = FileState.NONE
    released: bool = False
    deaf: bool = False
    earlier: FileState = FileState.NONE
    refusal: str = ""

    @property
    def counts_as_sent(self) -> bool:
        return self.state in (FileState.BEGUN, FileState.UNSURE, FileState.SENT, FileState.WHOLE)

    def to_record(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state.value, "earlier": self.earlier.value}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Sending:
        """Raises ValueError for what is no such record."""
        known = {field.name: field for field in fields(cls)}
        if not isinstance(record, Mapping) or set(record) != set(known):
            raise ValueError("not the fields of a sending")
        values = {**record, "state": FileState(record["state"]), "earlier": FileState(record["earlier"])}
        for name, value in values.items():
            if type(value) is not type(known[name].default):
                raise ValueError(f"{name} is of another kind")
        return cls(**values)


def _grid(text: str) -> dict[tuple[FileState, FileEvent], str]:
    lines = [line.split() for line in text.strip().splitlines()]
    states = [FileState(name) for name in lines[0][1:]]
    return {
        (state, FileEvent(line[0])): cell for line in lines[1:] for state, cell in zip(states, line[1:], strict=True)
    }


CELLS = _grid(TABLE)
# From where a file can be agreed on; one that never began falls back to it.
_EARLIER = tuple(state for state in FileState if state not in (FileState.AGREED, FileState.BEGUN))


def _broken(sending: Sending, event: FileEvent) -> FileState:
    """Broken off in mid-transfer: an app is whole only with its last block, an AOS may have been erased for it [?]."""
    if sending.state is FileState.AGREED:
        return sending.earlier
    if event is FileEvent.CUT and sending.kind == "app":
        return FileState.CUT
    return FileState.UNSURE


def targets(state: FileState, event: FileEvent) -> tuple[FileState, ...]:
    cell = CELLS[state, event]
    if cell == "-":
        return ()
    if cell == "?":
        return _EARLIER if state is FileState.AGREED else (FileState.CUT, FileState.UNSURE)
    return (state if cell == "=" else FileState(cell),)


def step(sending: Sending, event: FileEvent) -> Sending:
    """The file after the event; one that is not taken changes nothing but ``refusal``."""
    cell = CELLS[sending.state, event]
    if cell == "-":
        return replace(sending, refusal=f"{event.value} is not taken: the file is {sending.state.value}")
    target = _broken(sending, event) if cell == "?" else sending.state if cell == "=" else FileState(cell)
    released = event is FileEvent.RELEASE or (sending.released and event is not FileEvent.STOR)
    earlier = sending.earlier
    if event is FileEvent.AGREE:
        earlier = earlier if sending.state is FileState.AGREED else sending.state
    elif target is not FileState.AGREED:
        earlier = FileState.NONE
    deaf = sending.deaf or event is FileEvent.DEAF
    return replace(sending, state=target, released=released, deaf=deaf, earlier=earlier, refusal="")
