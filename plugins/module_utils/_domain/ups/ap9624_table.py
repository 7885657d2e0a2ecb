# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table that the AP9624 rules walk: bulletin FA233876's rows, the UPS IDs, and what is advised beside a finding.

Facts only, each with where it was read; ``ap9624`` judges by them, and ``file`` knows the UPS IDs from here.
"""

from __future__ import annotations

from dataclasses import dataclass

BULLETIN = "FA233876"


@dataclass(frozen=True)
class Row:
    """One row of the bulletin's table, or what takes its place for a line that has none."""

    name: str
    fixed_in: str | None = None
    # The firmware line that the row speaks about; a bound is part of it where ``*_included``.
    above: str | None = None
    above_included: bool = True
    up_to: str | None = None
    source: str = f"{BULLETIN}, table"


# FA233876, "fixed in" and "applies when current firmware is" [V].
SMT_TOWER = Row("SMT tower", "09.3", above="08.0", source=f"{BULLETIN}, table: SMT tower")
SMT_2U = Row("SMT 2U rackmount", "09.3", source=f"{BULLETIN}, table: SMT 2U rackmount")
SMT_1U = Row(
    "SMT 1U rackmount",
    "09.8",
    above="05.0",
    above_included=False,
    source=f"{BULLETIN}, table: SMT 1U rackmount, as SMX 1500 VA or less",
)
SMX_SMALL = Row(
    "SMX 1500 VA or less", "09.8", above="05.0", above_included=False, source=f"{BULLETIN}, table: SMX 1500 VA or less"
)
SMX_LARGE = Row(
    "SMX larger than 1500 VA",
    "06.6",
    above="05.0",
    up_to="07.0",
    source=f"{BULLETIN}, table: SMX larger than 1500 VA",
)
SRT = Row("SRT", source=f"{BULLETIN}, table: SRT, no fix published")
# ID 18 without a SKU that tells tower from 2U: what holds for both.
SMT_18 = Row("SMT tower or 2U", "09.3", above="08.0", source=f"{BULLETIN}, table: SMT tower and SMT 2U rackmount")
# ID 20 without a SKU: the two rows are the same.
LINE_20 = Row(
    "SMX 1500 VA or less, or SMT 1U",
    "09.8",
    above="05.0",
    above_included=False,
    source=f"{BULLETIN}, table: SMX 1500 VA or less and SMT 1U rackmount",
)
NOTES = "the vendor's release notes of UPS firmware"
# No rows of the table, but SKUs that name another firmware line than 18, 20 and 23 do.
CONNECTED = Row("SmartConnect line", source=NOTES)
OTHER_FAMILY = Row("family not concerned", source=f"{BULLETIN}, affected products")


@dataclass(frozen=True)
class Updates:
    """From ``off`` on this firmware refuses updates through the card, and from ``on_from`` on it takes them again.

    ``on_from`` None: no version is known that does. ``menu``: from ``off`` on a menu on the unit's LCD decides, which
    nobody can read from here.
    """

    off: str
    source: str
    on_from: str | None = None
    menu: bool = False


@dataclass(frozen=True)
class Line:
    """One line of UPS firmware, by its UPS ID: versions compare only inside one.

    ``families``: whose firmware it is. ``rows``: those of the bulletin's table that run on it, and ``alone`` what holds
    where no SKU tells which. ``no_fix``: the bulletin's row for lines without a published fix. ``from_first``: the
    release notes list the AP9624 from the first release on, an inference of ours and not the bulletin's word.
    ``connected``: of SMT and SMX the firmware of SmartConnect (C) units only. ``becomes``: the ID that an update makes
    of it. ``output_on_from``: the installed version from which on the unit bears an update with its output on; None:
    it is updated with the output off. ``updates``: which installed versions take an update through the card.
    """

    id: int
    families: tuple[str, ...]
    source: str
    rows: tuple[Row, ...] = ()
    alone: Row | None = None
    no_fix: bool = False
    from_first: bool = False
    connected: bool = False
    becomes: int | None = None
    output_on_from: str | None = None
    updates: Updates | None = None


_TABLE = f"{BULLETIN}'s ranges [V]"
_BOTH = f"{BULLETIN}'s ranges, and release notes that show AP9624 support arriving [V]"
_NOTES = "release notes [V]"
_OFF_15 = Updates("15.0", "release notes: off in 15.0 to 15.4, signed from 15.5 on [V]", on_from="15.5")
_OFF_15_ON = Updates("15.0", "release notes: off in 15.x, no return seen [V]")
_OFF_15_1 = Updates("15.1", "release notes: off in 15.1, signed from 15.5 on [V]", on_from="15.5")
_OFF_16 = Updates("16.0", "release notes: on in 16.5 [V]; off in 16.0 is inferred from it [?]", on_from="16.5")
_MENU = Updates("15.0", "release notes: a menu on the LCD from 15.0 on [V]", menu=True)
_MENU_OFF = Updates("15.0", "release notes: a menu on the LCD from 15.0 on, off by default [V]", menu=True)
# Of other IDs none is known. Of those without families only that is known which stands in their row.
LINES: tuple[Line, ...] = (
    Line(17, ("SMT",), _NOTES),
    Line(18, ("SMT",), _TABLE, rows=(SMT_TOWER, SMT_2U), alone=SMT_18, updates=_MENU),
    Line(20, ("SMX", "SMT"), _BOTH, rows=(SMX_SMALL, SMT_1U), alone=LINE_20, updates=_MENU),
    Line(23, ("SMX",), _BOTH, rows=(SMX_LARGE,), alone=SMX_LARGE, updates=_MENU),
    Line(1001, ("SRT",), _NOTES, no_fix=True, becomes=1013),
    Line(1002, ("SRT",), _NOTES, no_fix=True, updates=_OFF_15_ON),
    Line(1003, ("SMX",), _NOTES),
    Line(1005, (), _NOTES, updates=_MENU_OFF),
    Line(1007, (), _NOTES, updates=_MENU_OFF),
    Line(1010, ("SRT",), _NOTES, no_fix=True, becomes=1025, output_on_from="07.9", updates=_OFF_15),
    Line(1013, ("SRT",), _NOTES, no_fix=True, updates=_OFF_15_ON),
    Line(1014, ("SRT",), _NOTES, no_fix=True, updates=_OFF_15_ON),
    Line(
        1015,
        ("SMT",),
        _NOTES,
        from_first=True,
        connected=True,
        updates=Updates("04.6", "release notes: off in 04.6, on in 15.5 [V]", on_from="15.5"),
    ),
    Line(
        1018,
        ("SMC", "SMT"),
        _NOTES,
        from_first=True,
        connected=True,
        updates=Updates("04.6", "release notes: off in 04.6 [1]"),
    ),
    Line(1019, ("SRT",), _NOTES, no_fix=True, becomes=1025, output_on_from="07.1", updates=_OFF_15),
    Line(1020, ("SRT",), _NOTES, no_fix=True, output_on_from="10.1", updates=_OFF_15),
    Line(1021, (), _NOTES, updates=_OFF_15),
    Line(1024, ("SRT",), _NOTES, no_fix=True, output_on_from="00.4", updates=_OFF_15),
    Line(1025, ("SRT",), _NOTES, no_fix=True, updates=_OFF_15),
    Line(
        1026,
        ("SMTL",),
        _NOTES,
        from_first=True,
        updates=Updates("15.0", "release notes: off in 15.0, on in 15.1 [V]", on_from="15.1"),
    ),
    Line(1027, ("SMT",), _NOTES, from_first=True, connected=True),
    Line(1028, ("SMC", "SMT"), _NOTES, from_first=True, connected=True),
    Line(1029, (), _NOTES, updates=_OFF_15_1),
    Line(1030, (), _NOTES, updates=_OFF_15_1),
    Line(
        1031,
        ("SMX", "SMT"),
        _NOTES,
        from_first=True,
        connected=True,
        updates=Updates("15.0", "release notes: off in 15.0, on in 15.5 [V]", on_from="15.5"),
    ),
    Line(1036, (), _NOTES, updates=_OFF_15_1),
    Line(1037, (), _NOTES, updates=_OFF_15_1),
    Line(1040, (), _NOTES, updates=_MENU),
    Line(1047, ("SMTL",), _NOTES, from_first=True, updates=_OFF_16),
    Line(1050, ("SMX", "SMT"), _NOTES, from_first=True, connected=True, updates=_OFF_16),
    Line(1059, (), _NOTES, from_first=True),
    Line(1060, ("SMT",), _NOTES, from_first=True, connected=True),
    Line(1061, ("SMC", "SMT"), _NOTES, from_first=True, connected=True),
    Line(1064, ("SMTL",), _NOTES, from_first=True),
)
BY_ID: dict[int, Line] = {line.id: line for line in LINES}


def line_of(number: int | None) -> Line | None:
    return BY_ID.get(number) if number is not None else None


# Of SMT and SMX units with firmware of a SmartConnect line the one SKU that is no C unit [V].
NOT_CONNECTED_SKUS = frozenset(("SMT1200RMJ1U",))
SMALL_VA = 1500


@dataclass(frozen=True)
class Advice:
    id: str
    text: str


ADVICE_GROUPS = Advice(
    "FA233875",
    "The AP9624 acts only when the whole UPS shuts down: never switch outlet groups with its simple-signalling clients "
    "on their own.",
)
ADVICE_CONFIRMED = Advice(
    "FA176957",
    "Where the AP9624 is in Confirmed mode on an RJ-45 model, DIP switch 4 must be up and the maximum required delay "
    "long enough.",
)
ADVICE_AVOID = Advice(
    BULLETIN,
    "Until that is settled, do not turn the UPS off, put it to sleep or shut it down from the master server or its "
    "display where clients rely on it staying off: it may restart at once. Shutdowns on battery are not affected.",
)
