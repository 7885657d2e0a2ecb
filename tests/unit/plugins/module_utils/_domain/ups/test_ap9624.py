# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding about the AP9624 says beside its status: reason, source, advice, contradictions."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import (
    BULLETIN,
    Expander,
    Facts,
    Finding,
    GapStatus,
    judge,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import UpsFirmware, parse_firmware
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version


def finding(
    sku: str | None = None,
    firmware: str | None = None,
    model: str | None = None,
    expander: Expander = Expander.PRESENT,
    **more: Any,
) -> Finding:
    return judge(Facts(sku=sku, model=model, firmware=parse_firmware(firmware), expander=expander, **more))


# --- the words ------------------------------------------------------------------------------------------------------
def test_a_gap_says_from_what_to_what() -> None:
    found = finding("SMT1500RM2U", "UPS 09.2 (ID18)")
    assert (found.status, found.current, found.fixed_in) == (GapStatus.FIX_MISSING, "UPS 09.2 (ID18)", "UPS 09.3")
    assert found.source == f"{BULLETIN}, table: SMT 2U rackmount"
    assert "UPS 09.2 (ID18)" in found.reason and "UPS 09.3" in found.reason


@pytest.mark.parametrize("expander", [Expander.PRESENT, Expander.UNKNOWN])
def test_an_absent_tree_is_said_to_be_judged_as_groups(expander: Expander) -> None:
    for sku, firmware in (("SMT1500", "UPS 09.2 (ID18)"), ("SMX750", "UPS 09.8 (ID20)"), ("SRT3000XLI", None)):
        said = finding(sku, firmware, expander=expander, comm_up=True).reason
        assert "judged as having them" in said
        assert "judged as having them" not in finding(sku, firmware, outlet_groups=2, comm_up=True).reason


def test_lost_communication_is_said() -> None:
    assert "may be old" in finding("SMT1500", "UPS 09.3 (ID18)", comm_up=False).reason
    for comm in (True, None):
        assert "may be old" not in finding("SMT1500", "UPS 09.3 (ID18)", comm_up=comm).reason


def test_only_an_expander_nobody_looked_for_makes_an_if() -> None:
    for sku, firmware in (("SMT1500", "UPS 09.2 (ID18)"), ("SMX750", "UPS 09.8 (ID20)"), ("SRT3000XLI", None)):
        assert "if an AP9624 is fitted" in finding(sku, firmware, expander=Expander.UNKNOWN).reason
        assert "if an AP9624 is fitted" not in finding(sku, firmware).reason


def test_an_inference_is_called_one() -> None:
    found = finding(firmware="UPS 04.1 (ID1015)")
    assert found.basis.value == "release notes" and "inference" in found.reason and BULLETIN not in found.source


def test_a_stated_absence_of_groups_is_an_operators_word() -> None:
    found = finding("SMT1500", "UPS 09.2 (ID18)", outlet_groups=0, stated=True)
    assert (found.rule, found.basis.value) == (2, "operator")
    # With a word about the communication beside it, it is a reading, and read without communication.
    assert finding("SMT1500", "UPS 09.2 (ID18)", outlet_groups=0, stated=True, comm_up=False).rule == 8


# --- advice ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sku", "firmware", "more", "ids"),
    [
        ("SMT1500", "UPS 09.2 (ID18)", {}, [BULLETIN, "FA233875", "FA176957"]),
        ("SRT3000XLI", None, {}, [BULLETIN, "FA233875", "FA176957"]),
        ("SMX3000RMHV2UNC", "UPS 07.4 (ID1003)", {}, [BULLETIN, "FA233875", "FA176957"]),
        (None, None, {}, [BULLETIN, "FA233875", "FA176957"]),
        ("SMT1500", "UPS 09.3 (ID18)", {}, ["FA233875", "FA176957"]),
        (None, "UPS 09.3 (ID18)", {}, ["FA233875", "FA176957"]),
        ("SMT1500", "UPS 09.2 (ID18)", {"outlet_groups": 0, "comm_up": True}, ["FA176957"]),
        ("SUA1500", "617.3.I", {}, []),
        ("SMT1500", "UPS 09.2 (ID18)", {"expander": Expander.ABSENT}, []),
        (None, None, {"expander": Expander.ABSENT}, []),
    ],
)
def test_advice_where_it_concerns(sku: Any, firmware: Any, more: dict[str, Any], ids: list[str]) -> None:
    advice = finding(sku, firmware, **more).advice
    assert [item.id for item in advice] == ids and all(item.text.endswith(".") for item in advice)


# --- contradictions -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sku", "model", "firmware"),
    [
        # a SKU and an ID of another family than the notes have it for (UPS.md)
        ("SRT3000XLI", None, "UPS 04.1 (ID1015)"),
        ("SMX750", None, "UPS 04.1 (ID1015)"),
        ("SMT1500", None, "UPS 04.1 (ID1047)"),
        ("SMX750", None, "UPS 04.1 (ID1018)"),
        ("SUA1500", None, "UPS 09.9 (ID18)"),
        ("SMTL1000RMI2UC", None, "UPS 09.9 (ID18)"),
        # SmartConnect units run other lines than 18, 20 and 23 (UPS.md)
        ("SMT1500C", None, "UPS 09.9 (ID18)"),
        ("SMX1500RM2UC", None, "UPS 09.9 (ID20)"),
        ("SMX3000RMHV2UC", None, "UPS 06.6 (ID23)"),
        # a height that no row of the table speaks about
        ("SMT3000RM3U", None, "UPS 09.9 (ID18)"),
        # a model that is not ambiguous
        (None, "Smart-UPS X 3000", "UPS 09.9 (ID20)"),
        (None, "Smart-UPS X 750", "UPS 06.6 (ID23)"),
        (None, "Smart-UPS X 750", "UPS 09.9 (ID18)"),
        (None, "Smart-UPS SRT 3000", "UPS 09.9 (ID18)"),
        (None, "Smart-UPS X 750", "UPS 08.2 (ID1025)"),
        (None, "Back-UPS 500", "UPS 09.9 (ID18)"),
        ("SMT1500RM2U", "Smart-UPS X 1500", "UPS 09.3"),
        ("SMT1500RM2U", "Smart-UPS SRT 1500", "UPS 09.3 (ID18)"),
        ("SMX750", "Smart-UPS X 3000", "UPS 09.9 (ID20)"),
    ],
)
def test_more_contradictions(sku: str | None, model: str | None, firmware: str) -> None:
    found = finding(sku, firmware, model)
    assert (found.status, found.rule, found.fixed_in, found.identified_by) == (GapStatus.UNKNOWN, 3, None, None)
    assert found.reason.startswith("Contradiction")


@pytest.mark.parametrize(
    ("sku", "model", "firmware"),
    [
        # a model's text tells neither form nor SMT from its likes
        ("SMT1500RM1U", "Smart-UPS 1500", "UPS 09.8 (ID20)"),
        ("SMX3000RMHV2UNC", "Smart-UPS X 3000", "UPS 06.6 (ID23)"),
        ("SMX750", "Smart-UPS X 750", "UPS 09.10 (ID20) "),
        # OEM units are judged by the ID only
        ("DLT1500", "Smart-UPS X 3000", "UPS 09.3 (ID18)"),
    ],
)
def test_no_contradiction(sku: str, model: str, firmware: str) -> None:
    assert finding(sku, firmware, model).status is GapStatus.FIXED


# --- the shared SKU -------------------------------------------------------------------------------------------------
def test_one_sku_two_lines() -> None:
    """SMX3000RMHV2UNC is ID23 or ID1003: the ID decides, and the row of ID23 says nothing about ID1003."""
    sku = "SMX3000RMHV2UNC"
    assert finding(sku, "UPS 06.6 (ID23)").status is GapStatus.FIXED
    for version in ("05.9", "06.6", "07.0", "07.4", "08.1", "99.9"):
        found = finding(sku, f"UPS {version} (ID1003) ", "Smart-UPS X 3000")
        assert (found.status, found.rule, found.fixed_in) == (GapStatus.UNKNOWN, 9, None)
        assert "ID1003" in found.reason and "SMX larger" not in found.source


def test_one_version_text_in_three_lines() -> None:
    """06.6 is the fix of ID23 only, 09.3 of ID18, 09.8 of ID20."""
    told = {
        (number, version): finding(firmware=f"UPS {version} (ID{number})").status.value
        for number in (18, 20, 23)
        for version in ("06.6", "09.3", "09.8")
    }
    assert {key for key, status in told.items() if status == "fixed"} == {
        (23, "06.6"), (18, "09.3"), (18, "09.8"), (20, "09.8"),
    }  # fmt: skip
    assert told[20, "06.6"] == told[20, "09.3"] == "fix_missing"
    assert told[18, "06.6"] == told[23, "09.3"] == told[23, "09.8"] == "unknown"


# --- odd facts ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, -1, 2**70])
def test_odd_ids(number: int) -> None:
    firmware = UpsFirmware(None, Version.parse("09.9"), number, "09.9")
    assert judge(Facts(sku="SMT1500", firmware=firmware, expander=Expander.PRESENT)).rule == 9


def test_a_version_without_its_id_or_an_id_without_its_version() -> None:
    for number in (18, 20, 23, 1015, 1003):
        found = judge(Facts(firmware=UpsFirmware(id=number), expander=Expander.PRESENT))
        assert (found.status, found.rule, found.current) == (GapStatus.UNKNOWN, 6, None)
    assert judge(Facts(firmware=UpsFirmware(id=1025))).status is GapStatus.NO_PUBLISHED_FIX


@pytest.mark.parametrize("version", ["09.2", "09.3", "15.0"])
@pytest.mark.parametrize("sku", ["SMT1500RM2UCNC", "SMT1500ICNC", "SMX1500RM2UCNC"])
def test_a_smart_connect_unit_with_a_card_is_not_judged_by_a_row(sku: str, version: str) -> None:
    """UPS.md: SMT…C and SMX…C run IDs of their own; versions compare only inside one ID."""
    assert finding(sku, f"UPS {version}").status is GapStatus.UNKNOWN


@pytest.mark.parametrize(
    ("sku", "number", "status", "rule"),
    [
        # The release notes name ID1015 and ID1031 for SmartConnect units, and for one SKU without a C.
        ("SMT1500RM2U", 1015, GapStatus.UNKNOWN, 3),
        ("SMX3000RMHV2UNC", 1031, GapStatus.UNKNOWN, 3),
        ("SMT1200RMJ1U", 1031, GapStatus.NOT_AFFECTED, 7),
        ("SMT1500RM2UC", 1015, GapStatus.NOT_AFFECTED, 7),
        # And these IDs for SMX and for SMT only.
        ("SUA1500RM2U", 1003, GapStatus.UNKNOWN, 3),
        ("SUA1500RM2U", 17, GapStatus.UNKNOWN, 3),
        ("SMX1500RM2U", 17, GapStatus.UNKNOWN, 3),
        ("SRT3000XLI", 1003, GapStatus.UNKNOWN, 3),
        ("SMT1500", 17, GapStatus.UNKNOWN, 9),
    ],
)
def test_a_sku_and_an_id_of_another_family_are_a_contradiction(
    sku: str, number: int, status: GapStatus, rule: int
) -> None:
    found = finding(sku, f"UPS 09.9 (ID{number})")
    assert (found.status, found.rule) == (status, rule)


def test_what_nobody_has_said_and_what_may_be_old_stands_beside_every_finding() -> None:
    for sku, number in (("SMT1500", 18), ("SMT1500C", 1018), ("SUA1500", 10), ("SRT3000XLI", 1025)):
        firmware = UpsFirmware(None, Version.parse("09.2"), number, "09.2")
        found = judge(Facts(sku=sku, firmware=firmware, comm_up=False))
        assert "if an AP9624 is fitted" in found.reason and "may be old" in found.reason
