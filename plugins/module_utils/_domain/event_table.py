# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every event that is known, one row each: how the card writes it, what it is for a person, what it means for a guard.

The parser (events), the names for a person (event_kinds), the pictures (findings) and the guards of a run (update_log,
logbook) walk these rows and have no table of their own. Sources are the project's facts; marks as there: [V] read in a
published source, [G] in the style of published ones, [?] unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

OTHER = "other"
DOWNLOAD_BEGUN = "controller_download_begun"
DOWNLOAD_FAILED = "controller_download_failed"
DOWNLOAD_SUCCEEDED = "controller_download_succeeded"
RESTARTED = "card_restarted"
DISPLAY_FAILURE = "display_hardware_failure"
LOGIN, FTP_LOGIN = "login", "ftp_login"
TRANSFER, TRANSFER_FAILED = "file_transfer", "file_transfer_failed"
COMM_LOST, COMM_ESTABLISHED = "communication_lost", "communication_established"
UPS_BEGUN, UPS_FINISHED, UPS_FAILED = "ups_firmware_begun", "ups_firmware_finished", "ups_firmware_failed"
UPS_SILENT, UPS_OUTPUT_OFF = "ups_communication_lost", "ups_output_off"

LOGINS = (LOGIN, FTP_LOGIN)
UPS_UPDATE = (UPS_BEGUN, UPS_FINISHED, UPS_FAILED)


class ByText(Enum):
    """How far a guard believes the text of a row, which people's names stand in, beside its code."""

    ALWAYS = "always"
    WITHOUT_CODE = "only where the row has no code"
    NEVER = "never"


@dataclass(frozen=True)
class KnownEvent:
    """``kind``: the name that a person gets. ``text``: a pattern that must fit where the event's own text begins.
    ``codes``: four digits without 0x. ``guards``: what a guard takes the row for; None: it shows the row to a person
    and judges nothing by it. ``undated``: it counts for a guard even where date and time of the row are damaged, which
    only a row may that warns and clears nothing. ``wing``: whose guards; the parser of the log knows the ATS's."""

    kind: str
    text: str
    source: str
    codes: tuple[str, ...] = ()
    guards: str | None = None
    by_text: ByText = ByText.ALWAYS
    undated: bool = False
    wing: Literal["ats", "ups"] = "ats"

    @property
    def pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.text, re.IGNORECASE) if self.text else None

    def spoken_in(self, text: str) -> bool:
        return self.pattern is not None and self.pattern.match(text) is not None


_SYS = r"(?:system ?: ?)?"
_ATS, _UPS = r"automatic transfer switch ?: ?", r"(?:device )?ups ?: ?"
_DOWNLOAD = "ats controller firmware download "
_STARTED, _BROKEN = r"(?:has )?(?:begun|began|started)\b", r"(?:has |was )?(?:failed|aborted|unsuccessful)\b"
_GOOD = (
    r"(?:has |was )?(?:succeeded|successful(?:ly (?:completed?|finished))?"
    r"|(?:completed?|finished|done|passed)(?: successfully)?)"
)
# The prefix in front of begun and failed may be another one than the published (of a kind without quotes, thus without
# a name): to overlook one of these two is worse than to see one too many. A success is believed only word for word.
_ANY = r"(?!system\b)[a-z0-9 ()/-]{1,40}: ?"

COLD_START, WARM_START = (
    KnownEvent(
        RESTARTED, rf"{_SYS}{how} ?start", "NMC.md [V]", codes=(code,), guards=RESTARTED, by_text=ByText.WITHOUT_CODE
    )
    for how, code in (("cold", "0001"), ("warm", "0002"))
)

# The first row whose text fits is the one, so what a guard goes by stands first.
EVENTS: tuple[KnownEvent, ...] = (
    KnownEvent(
        DOWNLOAD_BEGUN,
        rf"(?:{_ANY}{_DOWNLOAD}{_STARTED}|{_DOWNLOAD}{_STARTED}[.!]?$)",
        "BULLETINS.md, the log of a real AP7723 [V]; other verbs and prefixes [G]",
        guards=DOWNLOAD_BEGUN,
        undated=True,
    ),
    KnownEvent(
        DOWNLOAD_FAILED,
        rf"(?:{_ANY}{_DOWNLOAD}{_BROKEN}|{_DOWNLOAD}{_BROKEN}[.!]?$)",
        "BULLETINS.md, the log of a real AP7723 [V]; other verbs and prefixes [G]",
        guards=DOWNLOAD_FAILED,
        undated=True,
    ),
    KnownEvent(
        DOWNLOAD_SUCCEEDED,
        rf"(?:{_ATS})?{_DOWNLOAD}{_GOOD}[.!]?$",
        "nobody has published one [G]",
        guards=DOWNLOAD_SUCCEEDED,
    ),
    KnownEvent(
        DISPLAY_FAILURE,
        rf"(?:{_ATS})?(?:7-segment display|phase leds/push-button) hardware failure",
        "BULLETINS.md, the log of a real AP7723 [V]",
        guards=DISPLAY_FAILURE,
        undated=True,
    ),
    KnownEvent(
        LOGIN,
        rf"{_SYS}(?:(?:control )?console|telnet|ssh|serial|web|https?) user\b.*\blogged (?:in|on)\b",
        "NMC.md, codes of console and web [V]; an SSH login's code [?]",
        codes=("0014", "0015"),
        guards=LOGIN,
        undated=True,
    ),
    KnownEvent(
        LOGIN,
        rf"{_SYS}(?:ftp|scp) user\b.*\blogged (?:in|on)\b",
        "NMC.md [V]; how SCP is called [?]",
        codes=("0016",),
        guards=FTP_LOGIN,
        undated=True,
    ),
    COLD_START,
    WARM_START,
    KnownEvent(
        TRANSFER,
        rf"{_SYS}file transfer started",
        "NMC.md [V]",
        codes=("000C",),
        guards=TRANSFER,
        by_text=ByText.WITHOUT_CODE,
        undated=True,
    ),
    KnownEvent(
        TRANSFER_FAILED,
        rf"{_SYS}file transfer failed",
        "NMC.md [V]",
        codes=("000F",),
        guards=TRANSFER_FAILED,
        by_text=ByText.WITHOUT_CODE,
    ),
    KnownEvent(TRANSFER_FAILED, r"system ?: ?file .{1,80} transfer failed", "UPS.md, a real failed update [V]"),
    KnownEvent(COMM_LOST, rf"(?:{_ATS})?communication (?:has been )?lost", "NMC.md, the web page's words [V]"),
    KnownEvent(COMM_ESTABLISHED, rf"(?:{_ATS})?communication (?:has been )?(?:re-?)?established", "[G]"),
    KnownEvent("redundancy_lost", rf"{_ATS}redundancy (?:has been )?lost", "[G]"),
    KnownEvent("redundancy_restored", rf"{_ATS}redundancy (?:has been )?restored", "[G]"),
    KnownEvent(
        "source_transferred",
        rf"{_ATS}(?:source (?:was )?(?:switched|transferred)|(?:switched|transferred) to source)",
        "[G]",
    ),
    KnownEvent(
        UPS_SILENT,
        rf"{_UPS}lost the .{{0,60}}communication",
        "UPS.md, a real failed update [V]",
        codes=("0102",),
        guards=UPS_SILENT,
        by_text=ByText.NEVER,
        wing="ups",
    ),
    KnownEvent(
        "ups_communication_established",
        rf"{_UPS}(?:re-?)?established the .{{0,60}}communication",
        "[G]",
        codes=("0101",),
    ),
    KnownEvent(
        UPS_BEGUN,
        rf"{_UPS}transferring firmware to ups",
        "UPS.md, a real failed update [V]",
        codes=("0176",),
        guards=UPS_BEGUN,
        by_text=ByText.WITHOUT_CODE,
        wing="ups",
    ),
    KnownEvent(
        UPS_FINISHED,
        rf"{_UPS}finished ups firmware transfer",
        "UPS.md, a real failed update [V]",
        codes=("0177",),
        guards=UPS_FINISHED,
        by_text=ByText.WITHOUT_CODE,
        wing="ups",
    ),
    KnownEvent(
        UPS_FAILED,
        rf"{_UPS}firmware transfer to ups failed",
        "UPS.md, a real failed update [V]",
        codes=("0178",),
        guards=UPS_FAILED,
        by_text=ByText.WITHOUT_CODE,
        wing="ups",
    ),
    KnownEvent(
        UPS_OUTPUT_OFF,
        rf"{_UPS}the output power is turned off",
        "UPS.md, a real failed update [V]",
        codes=("0114",),
        guards=UPS_OUTPUT_OFF,
        by_text=ByText.NEVER,
        wing="ups",
    ),
)

# Beyond the rows: what the parser needs to see where a row is damaged, and who logged in.
BEGUN_ANYWHERE = re.compile(rf"firmware download {_STARTED}", re.IGNORECASE)
DOWNLOAD_AT_START = re.compile(rf"{_ATS}{_DOWNLOAD}(?:{_STARTED}|{_BROKEN})", re.IGNORECASE)
# How a card calls a login for SCP is not published [?]: it may be logged as one by SSH, by SCP, or as both.
SSH_LOGIN = re.compile(rf"{_SYS}ssh user\b", re.IGNORECASE)
LEADS = ("automatic transfer switch", "system")

KINDS: tuple[str, ...] = tuple(sorted({event.kind for event in EVENTS} | {OTHER}))
UNDATED = frozenset(event.guards for event in EVENTS if event.undated and event.guards)


@dataclass(frozen=True)
class Reader:
    """Some of the rows, ready to be asked. Built once: every row of every log asks it."""

    by_code: dict[str, KnownEvent]
    by_text: tuple[tuple[KnownEvent, re.Pattern[str]], ...]

    @classmethod
    def of(cls, events: tuple[KnownEvent, ...]) -> Reader:
        patterns = tuple((event, event.pattern) for event in events)
        return cls(
            {code: event for event in events for code in event.codes},
            tuple((event, pattern) for event, pattern in patterns if pattern is not None),
        )

    def spoken(self, text: str) -> KnownEvent | None:
        return next((event for event, pattern in self.by_text if pattern.match(text)), None)

    def coded(self, code: str | None) -> KnownEvent | None:
        return self.by_code.get((code or "").upper())


ALL = Reader.of(EVENTS)
GUARDED_ATS = Reader.of(tuple(event for event in EVENTS if event.guards and event.wing == "ats"))
GUARDED_UPS = Reader.of(tuple(event for event in EVENTS if event.guards and event.wing == "ups"))


def guarded_ats(text: str, code: str | None) -> str:
    """What a guard of an ATS takes a row for, OTHER where it takes it for nothing."""
    spoken, coded = GUARDED_ATS.spoken(text), GUARDED_ATS.coded(code)
    by_word = spoken.guards or OTHER if spoken is not None else OTHER
    if coded is not None:
        # A login stays one, whatever its user is called.
        return by_word if by_word in LOGINS and coded.guards not in LOGINS else coded.guards or OTHER
    if spoken is None or spoken.by_text is ByText.NEVER:
        return OTHER
    return OTHER if code is not None and spoken.by_text is ByText.WITHOUT_CODE else by_word


def guarded_ups(text: str, code: str | None) -> str | None:
    """What a guard of a UPS takes a row for; a code counts more than a text, since users and names may say anything."""
    coded = GUARDED_UPS.coded(code)
    if coded is not None:
        return coded.guards
    spoken = GUARDED_UPS.spoken(text)
    if spoken is None or spoken.by_text is ByText.NEVER:
        return None
    return None if code is not None and spoken.by_text is ByText.WITHOUT_CODE else spoken.guards


def kind_of(guards: str, text: str, code: str | None) -> str:
    """The kind that a person is shown, for a row that the parser took for ``guards``."""
    if guards != OTHER:
        return next((event.kind for event in EVENTS if event.guards == guards), guards)
    # Not the rows of an ATS's guards: what they did not take for theirs is nothing of the kind.
    coded = _SHOWN.coded(code)
    found = coded if coded is not None else _SHOWN.spoken(text)
    return found.kind if found is not None else OTHER


_SHOWN = Reader.of(tuple(event for event in EVENTS if event.guards is None or event.wing == "ups"))
