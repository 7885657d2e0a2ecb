# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of a UPS: SKU, model, firmware, flags. Expected values by hand, from UPS.md's tables and grammar."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    FLAGS,
    Flags,
    Product,
    UpsState,
    parse_firmware,
    parse_model,
    parse_sku,
)


def short(value: object) -> str:
    return ascii(value)[:40]


# --- SKU: family, rated VA, form, SmartConnect ----------------------------------------------------------------------
SKUS: list[tuple[str, str, int | None, str | None, bool]] = [
    # the tables of IDs
    ("SMT1500", "SMT", 1500, "tower", False),
    ("SMT750I", "SMT", 750, "tower", False),
    ("SMT1500RM2U", "SMT", 1500, "2u", False),
    ("SMT1500RMI2U", "SMT", 1500, "2u", False),
    ("SMT1500RM1U", "SMT", 1500, "1u", False),
    ("SMT1500RMI1U", "SMT", 1500, "1u", False),
    ("SMT1200RMJ1U", "SMT", 1200, "1u", False),
    ("SMX750", "SMX", 750, "tower", False),
    ("SMX1000I", "SMX", 1000, "tower", False),
    ("SMX1500RM2U", "SMX", 1500, "2u", False),
    ("SMX1500RMI2U", "SMX", 1500, "2u", False),
    ("SMX1500RM2UNC", "SMX", 1500, "2u", False),
    ("SMX1500RMI2UNC", "SMX", 1500, "2u", False),
    ("SMX2200RMLV2U", "SMX", 2200, "2u", False),
    ("SMX3000RMHV2UNC", "SMX", 3000, "2u", False),
    ("SMT1500RM1UC", "SMT", 1500, "1u", True),
    ("SMT1500RM2UC", "SMT", 1500, "2u", True),
    ("SMT1500C", "SMT", 1500, "tower", True),
    ("SMT1500IC", "SMT", 1500, "tower", True),
    ("SMX1500RM2UC", "SMX", 1500, "2u", True),
    # the longest prefix
    ("SMTL1000RMI2UC", "SMTL", 1000, "2u", True),
    ("SMC1500IC", "SMC", 1500, "tower", True),
    ("SURT3000XLI", "SURT", 3000, "tower", False),
    ("SURTA1500RMXL2U", "SURTA", 1500, "2u", False),
    ("SURTD5000XLI", "SURTD", 5000, "tower", False),
    ("SUA1500RMI2U", "SUA", 1500, "2u", False),
    ("SUA3000RMXLI3U", "SUA", 3000, "3u", False),
    ("SU1400RM2U", "SU", 1400, "2u", False),
    ("SUM1500RMXLI2U", "SUM", 1500, "2u", False),
    # sizes in K
    ("SRT5KXLI", "SRT", 5000, "tower", False),
    ("SRT10KRMXLI", "SRT", 10000, None, False),
    ("SRT3000RMXLI", "SRT", 3000, None, False),
    # R1, R2: the height, not a voltage
    ("SMT2200R2X167", "SMT", 2200, "2u", False),
    ("SMT1500R2X122", "SMT", 1500, "2u", False),
    ("SMT750R1X", "SMT", 750, "1u", False),
    # special builds, NMC fitted, and forms that are not proven
    ("SMT1500X413", "SMT", 1500, "tower", False),
    ("SMT1500NC", "SMT", 1500, "tower", False),
    ("SMX750INC", "SMX", 750, "tower", False),
    ("SMT1500RMUS", "SMT", 1500, None, False),
    ("SMT1500-RM", "SMT", 1500, None, False),
    ("SMT1500RM", "SMT", 1500, None, False),
    ("SMT1500R12U", "SMT", 1500, None, False),
    # written otherwise
    ("  smt1500rm2u \t", "SMT", 1500, "2u", False),
    ("SMT50", "SMT", None, "tower", False),
]


@pytest.mark.parametrize(("sku", "family", "rated_va", "form", "connected"), SKUS)
def test_sku(sku: str, family: str, rated_va: int | None, form: str | None, connected: bool) -> None:
    product = parse_sku(sku)
    assert (product.family, product.rated_va, product.form, product.connected) == (family, rated_va, form, connected)
    assert product.family is not None and not product.oem


@pytest.mark.parametrize("sku", ["SMT1500RM2UCNC", "SMX1500RM2UCNC", "SMT1500ICNC"])
def test_smart_connect_with_a_card_fitted(sku: str) -> None:
    """UPS.md: C is SmartConnect, NC is NMC fitted. Both may stand there."""
    assert parse_sku(sku).connected


@pytest.mark.parametrize("prefix", ["DLT", "DLX", "FJX", "FJM", "NMM", "NMX", "HTX", "HTM"])
@pytest.mark.parametrize("rest", ["1500", "1500RM2U", "3000RMHV2UNC", "X750"])
def test_oem_units_have_no_family_and_no_size(prefix: str, rest: str) -> None:
    assert parse_sku(prefix + rest) == Product(oem=True)
    assert UpsState(sku=prefix + rest, model="Smart-UPS X 1500").product == Product(oem=True)


NO_SKUS: list[str | None] = [
    None, "", " ", "SMT", "1500", "SMT-1500", "SMT 1500", "SMT1500RM2U\nSMX750", "SMT1500 (2U)", "SMTX1500", "XSMT1500",
    "ACME1500", "AP9624", "SMT1500RM2U" + "X" * 64, "SMT" + "1" * 10_000, "SMT999999", "SMX15001500",
    "SMT\uff11\uff15\uff10\uff10", "SM\u04221500", "SMT1500\u00e9",
    "{{ 1/0 }}", "<b>SMT1500</b>", "=SMT1500", "\0SMT1500", "-1",
]  # fmt: skip


@pytest.mark.parametrize("sku", NO_SKUS, ids=short)
def test_no_sku(sku: str | None) -> None:
    assert parse_sku(sku) == Product()


@pytest.mark.parametrize("sku", ["\u017fmt1500rm2u", "SMT1500RM\u01312U"])
def test_letters_that_only_become_ascii_are_no_sku(sku: str) -> None:
    assert parse_sku(sku) == Product()


# --- model ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "family", "rated_va"),
    [
        ("Smart-UPS X 750", "SMX", 750),
        ("Smart-UPS X 2200", "SMX", 2200),
        ("Smart-UPS  X   3000  ", "SMX", 3000),
        ("SMART-UPS x 1500 RM", "SMX", 1500),
        ("Smart-UPS SRT    3000", "SRT", 3000),
        ("Smart-UPS SRT 10000", "SRT", 10000),
        ("Symmetra LX", "SYMMETRA", None),
        ("Back-UPS Pro 1500", "BACK-UPS", None),
        # SMT, SUA, SU and SMTL alike
        ("Smart-UPS 1500", None, 1500),
        ("Smart-UPS 1500 RM", None, 1500),
        ("Smart-UPS   1000", None, 1000),
    ],
)
def test_model(model: str, family: str | None, rated_va: int | None) -> None:
    assert parse_model(model) == Product(family=family, rated_va=rated_va)


@pytest.mark.parametrize(
    "model",
    [None, "", "UPS_IDEN", "Smart-UPS", "Smart-UPS X", "Smart-UPS X 75", "Smart-UPS X 150000", "Smart-UPS X1500",
     "Smart-UPS XL 1500", "Smart-UPS RT 5000", "Smart-UPS C 1500",
     "Smart-UPS SRTL 3000", "my Smart-UPS X 1500", "Smart-UPS X \uff11\uff15\uff10\uff10",
     "Galaxy 3500",
     "Smart-UPS X 1500x", "x" * 10_000, "Symmetras", "{{ 1/0 }}"],
    ids=short,
)  # fmt: skip
def test_no_model(model: str | None) -> None:
    assert parse_model(model) == Product()


def test_the_sku_goes_before_the_model_and_a_model_proves_no_form() -> None:
    assert UpsState(sku="SMT1500RM2U", model="Smart-UPS X 3000").product.family == "SMT"
    found = UpsState(model="Smart-UPS X 3000").product
    assert (found.family, found.form, found.rated_va) == ("SMX", None, 3000)
    assert UpsState(sku="ACME1", model="Smart-UPS X 3000").product.family == "SMX"


# --- firmware -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "parts", "number", "shown"),
    [
        ("UPS 09.3 (ID18)", (9, 3), 18, "UPS 09.3 (ID18)"),
        ("UPS 09.8 (ID20) ", (9, 8), 20, "UPS 09.8 (ID20)"),
        ("UPS 07.4 (ID1003) ", (7, 4), 1003, "UPS 07.4 (ID1003)"),
        ("UPS 08.2 (ID1025)", (8, 2), 1025, "UPS 08.2 (ID1025)"),
        ("UPS 05.0 (ID17)", (5, 0), 17, "UPS 05.0 (ID17)"),
        ("UPS 09.10 (ID20)", (9, 10), 20, "UPS 09.10 (ID20)"),
        ("  UPS   9.3   (ID 18)\t", (9, 3), 18, "UPS 9.3 (ID18)"),
        ("UPS 09.3(ID18)", (9, 3), 18, "UPS 09.3 (ID18)"),
        ("ups 09.3 (id18)", (9, 3), 18, "UPS 09.3 (ID18)"),
        # by USB
        ("UPS 08.8 / ID=18", (8, 8), 18, "UPS 08.8 (ID18)"),
        # PowerChute's: what is in the brackets is not proven to be the ID
        ("UPS 08.3 / MCU 14.0 (18 - 10)", (8, 3), None, "UPS 08.3"),
        ("UPS 09.3", (9, 3), None, "UPS 09.3"),
    ],
)
def test_firmware(raw: str, parts: tuple[int, ...], number: int | None, shown: str) -> None:
    found = parse_firmware(raw)
    assert found.version is not None and found.version.parts == parts
    assert (found.raw, found.id, found.shown) == (raw, number, shown)


@pytest.mark.parametrize(
    "raw",
    ["", " ", "617.3.I", "651.12.I", "4.1", "09.3", "09.3 (ID18)", "UPS", "UPS 9 (ID18)", "UPS 09.3.1 (ID18)",
     "UPS 09.3 (ID)", "UPS 09.3 (ID18", "UPS 09.3 (IDxx)", "UPS 09.3 (ID18) (ID20)", "UPS 09.3 (ID18) UPS 09.9 (ID20)",
     "UPS -9.3 (ID18)", "UPS 9999.3 (ID18)", "UPS 09.3 (ID999999)", "UPS 09." + "3" * 4000 + " (ID18)",
     "UPS 09.3 (ID" + "1" * 5000 + ")",
     "UPS \u0660\u0669.\u0663 (ID18)", "UPS 09.3 (ID\uff11\uff18)", "UPS \uff10\uff19.3 (ID18)", "UPS 09,3 (ID18)",
     "UPS 09.3\u00a0(ID18)", "UPS 09.3 (ID18)" + " " * 64, "SMX UPS 09.3 (ID18)", "{{ 1/0 }}", "\0", "x" * 10_000],
    ids=short,
)  # fmt: skip
def test_firmware_that_could_not_be_compared_keeps_its_text(raw: str) -> None:
    found = parse_firmware(raw)
    assert (found.version, found.id, found.shown, found.raw) == (None, None, None, raw)


def test_versions_compare_by_number() -> None:
    def version(text: str) -> Any:
        return parse_firmware(f"UPS {text} (ID20) ").version

    assert version("09.10") > version("09.9") > version("09.8") == version("9.8")
    assert version("10.0") > version("09.99") and version("09.1") < version("09.10")


# --- flags ----------------------------------------------------------------------------------------------------------
# UPS.md: flag 1 leftmost.
PLACES = {
    "abnormal": 1, "on_battery": 2, "low_battery": 3, "on_line": 4, "comm": 6, "overload": 9, "on": 19, "rebooting": 20,
    "shutdown_pending": 22, "off": 58,
}  # fmt: skip


@pytest.mark.parametrize(("name", "place"), PLACES.items())
def test_each_flag_is_where_the_facts_have_it(name: str, place: int) -> None:
    text = "0" * (place - 1) + "1" + "0" * (64 - place)
    flags = Flags.parse(text)
    assert flags.get(name) is True
    assert [other for other, value in flags.all().items() if value] == [name]


def test_flags_that_are_none() -> None:
    for text in (None, "", "0" * 19, "0" * 129, "2" * 64, "0" * 63 + "x", "\u0660" * 64, "-1"):
        assert set(Flags.parse(text).all().values()) == {None}
    short = Flags.parse("0" * 40)
    assert short.get("on") is False and short.get("off") is None
    assert Flags.parse(" " + "1" * 64 + " ").all() == dict.fromkeys(FLAGS, True)
