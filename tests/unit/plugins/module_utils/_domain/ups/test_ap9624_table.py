# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FA233876 row by row: every bound and fix version, by every kind of identification. Read off the bulletin by hand.

The expected values are written down a second time on purpose: a slip in the code's table must not pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import ap9624, ap9624_table
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Expander, Facts, Finding, judge
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import parse_firmware

FIXED, MISSING, UNKNOWN = "fixed", "fix_missing", "unknown"
NO_FIX, NOT_AFFECTED = "no_published_fix", "not_affected"

# --- the bulletin's table -------------------------------------------------------------------------------------------
# Row -> its fix, and for versions just below, at and above each bound and the fix what is to be said.
LADDERS: dict[str, tuple[str, dict[str, str]]] = {
    # "UPS 08.0 or greater", fixed in 09.3
    "SMT tower": (
        "UPS 09.3",
        {
            "01.0": UNKNOWN, "07.9": UNKNOWN, "07.10": UNKNOWN, "08.0": MISSING, "08.1": MISSING, "09.2": MISSING,
            "09.3": FIXED, "09.4": FIXED, "09.10": FIXED, "10.0": FIXED, "15.0": FIXED,
        },
    ),
    # not limited, fixed in 09.3
    "SMT 2U": (
        "UPS 09.3",
        {
            "00.1": MISSING, "05.0": MISSING, "07.9": MISSING, "08.0": MISSING, "09.2": MISSING, "9.2": MISSING,
            "09.3": FIXED, "9.3": FIXED, "09.4": FIXED, "09.10": FIXED, "10.0": FIXED,
        },
    ),
    # as SMX 1500 VA or less
    "SMT 1U": (
        "UPS 09.8",
        {
            "04.9": UNKNOWN, "05.0": UNKNOWN, "05.1": MISSING, "09.3": MISSING, "09.7": MISSING, "09.8": FIXED,
            "09.9": FIXED, "09.10": FIXED, "10.1": FIXED,
        },
    ),
    # "greater than UPS 05.0", fixed in 09.8
    "SMX small": (
        "UPS 09.8",
        {
            "04.9": UNKNOWN, "05.0": UNKNOWN, "05.1": MISSING, "05.10": MISSING, "06.6": MISSING, "09.7": MISSING,
            "09.8": FIXED, "09.9": FIXED, "09.10": FIXED, "10.1": FIXED,
        },
    ),
    # "between UPS 05.0 and UPS 07.0" (ID23 *above* 07.0 is unknown, so that the bounds are taken in), fixed in 06.6
    "SMX large": (
        "UPS 06.6",
        {
            "04.9": UNKNOWN, "05.0": MISSING, "05.1": MISSING, "06.5": MISSING, "06.6": FIXED, "06.7": FIXED,
            "06.10": FIXED, "07.0": FIXED, "07.1": UNKNOWN, "07.4": UNKNOWN, "09.8": UNKNOWN, "15.0": UNKNOWN,
        },
    ),
}  # fmt: skip
# ID18 where nothing tells tower from 2U: what both rows say, and below the tower's bound nothing.
SMT_18 = ("UPS 09.3", {"07.9": UNKNOWN, "08.0": MISSING, "09.2": MISSING, "09.3": FIXED, "09.4": FIXED})


@dataclass(frozen=True)
class Case:
    facts: Facts
    status: str
    rule: int
    by: str | None
    fixed_in: str | None = None
    basis: str = "bulletin"
    tag: str = ""

    def __str__(self) -> str:
        firmware = (self.facts.firmware.raw or "-").replace(" ", "_")
        return f"{self.facts.sku}|{self.facts.model}|{firmware}|{self.tag}"


def facts(
    sku: str | None = None, model: str | None = None, version: str | None = None, number: int | None = None, **more: Any
) -> Facts:
    text = None if version is None else f"UPS {version}" + (f" (ID{number}) " if number is not None else "")
    more.setdefault("expander", Expander.PRESENT)
    return Facts(sku=sku, model=model, firmware=parse_firmware(text), **more)


def ladder(row: str, sku: str | None, model: str | None, number: int | None, rule: int, by: str) -> list[Case]:
    fix, steps = SMT_18 if row == "SMT by ID18" else LADDERS[row]
    return [
        Case(
            facts(sku, model, version, number),
            status,
            rule,
            by,
            fix if status in (FIXED, MISSING) else None,
            tag=f"{row} by {by}",
        )
        for version, status in steps.items()
    ]


BY_ROW: list[Case] = [
    case
    for arguments in (
        # the ID, with the SKU that chooses the row
        ("SMT tower", "SMT1500", "Smart-UPS 1500", 18, 8, "id"),
        ("SMT tower", "SMT750I", None, 18, 8, "id"),
        ("SMT 2U", "SMT1500RM2U", "Smart-UPS 1500", 18, 8, "id"),
        ("SMT 2U", "SMT2200R2X167", None, 18, 8, "id"),
        ("SMT 1U", "SMT1500RMI1U", "Smart-UPS 1500", 20, 8, "id"),
        ("SMX small", "SMX1500RM2UNC", "Smart-UPS X 1500", 20, 8, "id"),
        ("SMX large", "SMX3000RMHV2UNC", "Smart-UPS X 3000", 23, 8, "id"),
        # the ID alone: both rows of ID20 are alike, ID23 has one row
        ("SMT by ID18", None, "Smart-UPS 1500", 18, 8, "id"),
        ("SMT by ID18", None, None, 18, 8, "id"),
        ("SMT by ID18", "DLT1500RM2U", None, 18, 8, "id"),
        ("SMX small", None, None, 20, 8, "id"),
        ("SMX small", None, "Smart-UPS X 750", 20, 8, "id"),
        ("SMX small", "FJX1500", None, 20, 8, "id"),
        ("SMX large", None, "Smart-UPS X 2200", 23, 8, "id"),
        ("SMX large", None, None, 23, 8, "id"),
        # the SKU only
        ("SMT tower", "SMT1500", None, None, 10, "sku"),
        ("SMT tower", "SMT3000I", "Smart-UPS 3000", None, 10, "sku"),
        ("SMT 2U", "SMT1500RMI2U", "Smart-UPS 1500", None, 10, "sku"),
        ("SMT 1U", "SMT1500RM1U", "Smart-UPS 1500", None, 10, "sku"),
        ("SMX small", "SMX1500RM2U", "Smart-UPS X 1500", None, 10, "sku"),
        ("SMX small", "SMX750", None, None, 10, "sku"),
        ("SMX large", "SMX2200RMLV2U", "Smart-UPS X 2200", None, 10, "sku"),
        ("SMX large", "SMX2000RM2U", None, None, 10, "sku"),
        # the model only
        ("SMX small", None, "Smart-UPS X 1500", None, 10, "model"),
        ("SMX small", None, "  Smart-UPS  X   750 ", None, 10, "model"),
        ("SMX large", None, "Smart-UPS X 2200", None, 10, "model"),
    )
    for case in ladder(*arguments)
]

# --- what no version decides ----------------------------------------------------------------------------------------
SRT_IDS = (1001, 1002, 1010, 1013, 1014, 1019, 1020, 1024, 1025)
FROM_FIRST = (1015, 1018, 1026, 1027, 1028, 1031, 1047, 1050, 1059, 1060, 1061, 1064)
OTHER_IDS = (10, 17, 19, 21, 22, 24, 180, 1003, 1039, 1040, 1041, 99999)
NOT_CONCERNED = (
    "SUA1500RMI2U", "SU1400RM2U", "SURT3000XLI", "SMC1500IC", "SMTL1000RMI2UC", "SYA8K16P", "BR1500G", "BX1500M",
)  # fmt: skip
OEM = ("DLT1500", "DLX1500RM2U", "FJX750", "FJM1500RM2U", "NMM1000", "NMX3000", "HTX1500", "HTM1500RM2U")
VERSIONS = (None, "00.1", "06.6", "09.3", "09.8", "99.9")

SRT: list[Case] = [
    *(
        Case(facts("SRT3000RMXLI", "Smart-UPS SRT    3000", version), NO_FIX, 4, "sku", tag="SRT by sku")
        for version in VERSIONS
    ),
    *(
        Case(facts(None, "Smart-UPS SRT    3000", version), NO_FIX, 4, "model", tag="SRT by model")
        for version in VERSIONS
    ),
    *(Case(facts(None, None, "09.9", number), NO_FIX, 4, "id", tag="SRT by id") for number in SRT_IDS),
    *(Case(facts(sku, None, "09.9", 1025), NO_FIX, 4, "id", tag="SRT by id") for sku in ("DLT3000", "FOO1")),
    Case(facts("SRT5KXLI", None, "09.9"), NO_FIX, 4, "sku", tag="SRT by sku"),
]
ABSENT: list[Case] = [
    Case(facts(sku, model, version, number, expander=Expander.ABSENT), NOT_AFFECTED, 1, by, basis="operator")
    for sku, model, version, number, by in (
        (None, None, None, None, None),
        ("SMT1500RM2U", None, "09.1", 18, "id"),
        ("SRT3000XLI", None, None, None, "sku"),
        ("SMX3000RMHV2UNC", None, "09.9", 20, "id"),
        (None, "Smart-UPS X 750", None, None, "model"),
    )
]
GROUPS: list[Case] = [
    Case(facts("SMT1500RM2U", None, "09.1", 18, outlet_groups=0, comm_up=True), NOT_AFFECTED, 2, "id", tag="no groups"),
    Case(facts("SRT3000XLI", outlet_groups=0, comm_up=True), NOT_AFFECTED, 2, "sku", tag="no groups"),
    # the count of a contradictory unit is still known: the second rule comes before the third
    Case(facts("SMX750", None, "09.9", 18, outlet_groups=0, comm_up=True), NOT_AFFECTED, 2, "id", tag="no groups"),
    *(
        Case(facts("SMT1500RM2U", None, "09.1", 18, **more), MISSING, 8, "id", "UPS 09.3", tag=f"groups {more}")
        for more in (
            {"outlet_groups": 0, "comm_up": False},
            {"outlet_groups": 0, "comm_up": None},
            {"outlet_groups": None, "comm_up": True},
            {"outlet_groups": None, "comm_up": None},
            {"outlet_groups": 1, "comm_up": True},
            {"outlet_groups": 4, "comm_up": True},
            {"outlet_groups": 1, "comm_up": True, "expander": Expander.UNKNOWN},
        )
    ),
]
CONTRADICTIONS: list[Case] = [
    Case(facts(sku, None, version, number), UNKNOWN, 3, None, tag="contradiction")
    for sku, number in (
        ("SMT1500RM1U", 18),
        ("SMT1500", 20),
        ("SMT1500RM2U", 20),
        ("SMT1500RM2U", 23),
        ("SMX750", 18),
        ("SMX1500RM2U", 23),
        ("SMX3000RMHV2UNC", 18),
        ("SMX3000RMHV2UNC", 20),
        ("SRT3000RMXLI", 18),
        ("SRT3000RMXLI", 20),
        ("SRT3000RMXLI", 23),
        ("SMT1500", 1010),
        ("SMX1500RM2U", 1025),
    )
    for version in ("06.6", "09.3", "09.9", "99.9")
]
FAMILIES: list[Case] = [
    *(Case(facts(sku), NOT_AFFECTED, 5, "sku", tag="family") for sku in NOT_CONCERNED),
    *(Case(facts(sku, None, "05.0"), NOT_AFFECTED, 5, "sku", tag="family") for sku in NOT_CONCERNED),
    Case(facts("SMTL1000RMI2UC", "Smart-UPS 1000", "04.1", 1047), NOT_AFFECTED, 5, "sku", tag="family before ID"),
    Case(facts(None, "Symmetra LX"), NOT_AFFECTED, 5, "model", tag="family"),
    Case(facts(None, "Back-UPS Pro 1500"), NOT_AFFECTED, 5, "model", tag="family"),
    *(Case(facts(sku, None, version), UNKNOWN, 5, None, tag="OEM") for sku in OEM for version in VERSIONS),
    Case(facts("ZZZ1500", None, "09.9"), UNKNOWN, 5, None, tag="unknown prefix"),
    Case(facts("SMT1500 RM2U?", None, "09.9"), UNKNOWN, 5, None, tag="no SKU"),
]
NO_VERSION: list[Case] = [
    Case(Facts(sku, model, parse_firmware(text), expander=Expander.PRESENT), UNKNOWN, 6, by, tag="no version")
    for sku, model, by in (
        ("SMT1500RM2U", None, "sku"),
        ("SMX750", "Smart-UPS X 750", "sku"),
        (None, "Smart-UPS X 750", "model"),
        (None, "Smart-UPS 1500 RM", None),
        (None, None, None),
    )
    for text in (None, "", "617.3.I", "651.12.I", "4.1", "UPS", "UPS (ID18)", "UPS 09.3 (ID)", "UPS 9999.3 (ID18)")
]
IDS: list[Case] = [
    *(
        Case(facts(sku, None, version, number), NOT_AFFECTED, 7, "id", basis="release notes", tag="from the first")
        for number in FROM_FIRST
        for sku in (None, "DLT1500")
        for version in ("00.1", "04.1", "99.9")
    ),
    *(
        Case(facts(None, model, version, number), UNKNOWN, 9, "id", basis="release notes", tag="other ID")
        for number in OTHER_IDS
        for model in (None, "Smart-UPS 1500")
        for version in ("05.0", "06.6", "09.3", "09.8", "99.9")
    ),
    # One SKU, two lines: at 06.6 to 07.0 too the row of ID23 says nothing about ID1003.
    *(
        Case(facts("SMX3000RMHV2UNC", "Smart-UPS X 3000", version, 1003), UNKNOWN, 9, "id", basis="release notes")
        for version in ("06.5", "06.6", "07.0", "07.4", "08.1")
    ),
    Case(facts(None, "Smart-UPS X 2200", "07.4", 1003), UNKNOWN, 9, "id", basis="release notes", tag="captured"),
    Case(facts("SMT1500RM2U", None, "09.3", 17), UNKNOWN, 9, "id", basis="release notes", tag="older SMT"),
]
LAST: list[Case] = [
    Case(facts(None, "Smart-UPS 1500", "09.9"), UNKNOWN, 10, None, tag="plain model"),
    Case(facts(None, "Smart-UPS 1500 RM", "09.9"), UNKNOWN, 10, None, tag="plain model"),
    Case(facts(None, None, "09.9"), UNKNOWN, 10, None, tag="nothing"),
    # a rackmount of no shown height may be any of the three rows
    Case(facts("SMT1500RMUS", None, "09.9"), UNKNOWN, 10, "sku", tag="no form"),
    # SmartConnect units run other lines (UPS.md), so that no row can be meant
    *(
        Case(facts(sku, None, version), UNKNOWN, 10, "sku", tag="SmartConnect")
        for sku in ("SMT1500C", "SMT1500IC", "SMT1500RM2UC", "SMT1500RM1UC", "SMX1500RM2UC", "SMX3000RMHV2UC")
        for version in ("04.1", "06.6", "15.0")
    ),
]
CASES = [
    *BY_ROW, *SRT, *ABSENT, *GROUPS, *CONTRADICTIONS, *FAMILIES, *NO_VERSION, *IDS, *LAST,
]  # fmt: skip


def told(finding: Finding) -> tuple[Any, ...]:
    return finding.status.value, finding.rule, finding.identified_by, finding.fixed_in, finding.basis.value


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_table(case: Case) -> None:
    finding = judge(case.facts)
    assert told(finding) == (case.status, case.rule, case.by, case.fixed_in, case.basis), finding.reason


@pytest.mark.parametrize("case", [case for case in CASES if case.rule != 1], ids=str)
def test_an_expander_nobody_looked_for_changes_the_words_only(case: Case) -> None:
    values = {**vars(case.facts), "expander": Expander.UNKNOWN}
    finding = judge(Facts(**values))
    assert told(finding) == (case.status, case.rule, case.by, case.fixed_in, case.basis)
    if case.status != NOT_AFFECTED:
        assert "if an AP9624 is fitted" in finding.reason


def test_every_rule_row_status_and_id_is_reached() -> None:
    """A rule, a row or a status that no case above reaches is not tested."""
    found = [judge(case.facts) for case in CASES]
    assert {finding.rule for finding in found} == set(range(1, 11)) == set(range(1, len(ap9624._RULES) + 1))
    assert {finding.status for finding in found} == set(ap9624.GapStatus)
    assert {finding.basis for finding in found} == set(ap9624.Basis)
    assert {finding.identified_by for finding in found} == {"id", "sku", "model", None}
    rows = {value.source for value in vars(ap9624_table).values() if isinstance(value, ap9624_table.Row)}
    assert rows <= {finding.source for finding in found}
    # Every row below, at and above its fix, by each kind of identification that can name it.
    for row, kinds in {
        "SMT tower": {"id", "sku"},
        "SMT 2U": {"id", "sku"},
        "SMT 1U": {"id", "sku"},
        "SMX small": {"id", "sku", "model"},
        "SMX large": {"id", "sku", "model"},
    }.items():
        for kind in kinds:
            states = {case.status for case in BY_ROW if case.tag == f"{row} by {kind}"}
            assert {FIXED, MISSING} <= states
            assert (UNKNOWN in states) is (row != "SMT 2U")
    assert {case.tag for case in SRT} == {"SRT by id", "SRT by sku", "SRT by model"}


def test_the_lists_of_ids_are_those_of_the_release_notes() -> None:
    lines = ap9624_table.LINES
    assert {line.id for line in lines if line.no_fix} == set(SRT_IDS)
    assert {line.id for line in lines if line.from_first} == set(FROM_FIRST)
    assert {line.id for line in lines if line.rows} == {line.id for line in lines if line.alone} == {18, 20, 23}
    assert len(lines) == len(ap9624_table.BY_ID)
