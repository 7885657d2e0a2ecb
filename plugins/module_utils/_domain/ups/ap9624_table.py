# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that the AP9624 rules walk: bulletin FA233876's rows, the UPS IDs, and what is advised beside a finding.

Facts only, each with where it was read; ``ap9624`` judges by them. Private to the collection.
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

# UPS ID -> the rows of its firmware line. 18 and 23 as the bulletin's ranges have them, 20 and 23 also by the release
# notes, which show AP9624 support arriving in ID20 09.8 and ID23 06.6 [V].
LINES: dict[int, tuple[Row, ...]] = {
    18: (SMT_TOWER, SMT_2U),
    20: (SMX_SMALL, SMT_1U),
    23: (SMX_LARGE,),
}
BY_ID_ALONE: dict[int, Row] = {18: SMT_18, 20: LINE_20, 23: SMX_LARGE}
# SRT by the release notes [V].
SRT_IDS = frozenset((1001, 1002, 1010, 1013, 1014, 1019, 1020, 1024, 1025))
# Their release notes list the AP9624 from the first release on: an inference of ours, not the bulletin's word.
SUPPORTED_FROM_FIRST = frozenset((1015, 1018, 1026, 1027, 1028, 1031, 1047, 1050, 1059, 1060, 1061, 1064))
# UPS ID -> the families whose firmware it is, by the release notes [V]; of other IDs none is known.
FAMILIES: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((17, 18, 1015, 1027, 1060), ("SMT",)),
    20: ("SMX", "SMT"),
    **dict.fromkeys((23, 1003), ("SMX",)),
    **dict.fromkeys((1018, 1028, 1061), ("SMC", "SMT")),
    **dict.fromkeys((1031, 1050), ("SMX", "SMT")),
    **dict.fromkeys((1026, 1047, 1064), ("SMTL",)),
    **dict.fromkeys(SRT_IDS, ("SRT",)),
}
# Of SMT and SMX these are firmware of the SmartConnect (C) units only, but for this one SKU [V].
CONNECTED_IDS = frozenset((1015, 1027, 1060, 1018, 1028, 1061, 1031, 1050))
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
