# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import (
    parse_banner,
    parse_description,
    simulated_factor,
    simulated_mark,
    usable_name,
    usable_serial,
)

AP7750A = (
    "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 "
    "AN1:apc_hw02_g2ats_371.bin MN:AP7750A HR:01 SN: 5A1234T00001 MD:08/28/2008) "
)
NMC3 = (
    "APC Web/SNMP Management Card (MB:v4.2.9 PF:v2.5.0.8 PN:apc_hw21_aos_2.5.0.8.bin AF1:v2.5.0.6 "
    "AN1:apc_hw21_su_2.5.0.6.bin MN:AP9641 HR:5 SN: ZA1 MD:04/18/2022) (Embedded)"
)
OLD = (
    "APC Web/SNMP Management Card (MB:v3.2.0 PF:v3.0.9.a PN:aos309a.bin AF1:v2.2.5.a AN1:ms225a.bin MN: AP9606 "
    "HR: G9 SN: FFFFFFFFFFFF MD: 04/05/2000)"
)
AP44XX = (
    "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.4.6 PN:apc_hw05_aos_646.bin AF1:v6.4.7 "
    "AN1:apc_hw05_ats4g_647.bin MN:AP4423 HR:R01 SN: X MD:06/09/2018)"
)


def test_a_real_description() -> None:
    card = parse_description(AP7750A)
    assert (card.model, card.serial, card.hardware, card.app_token) == ("AP7750A", "5A1234T00001", "hw02", "g2ats")
    assert (str(card.aos.version), str(card.app.version), str(card.boot_monitor)) == ("3.7.4", "3.7.1", "4.1.1")
    assert card.app_status is None and card.simulated is None


@pytest.mark.parametrize(
    ("text", "hardware", "token", "model", "serial"),
    [
        (NMC3, "hw21", "su", "AP9641", "ZA1"),
        (OLD, None, None, "AP9606", "FFFFFFFFFFFF"),
        (AP44XX, "hw05", "ats4g", "AP4423", "X"),
        ("Linux router 5.10", None, None, None, None),
        ("", None, None, None, None),
    ],
)
def test_other_cards(text: str, hardware: str | None, token: str | None, model: str | None, serial: str | None) -> None:
    card = parse_description(text)
    assert (card.hardware, card.app_token, card.model, card.serial) == (hardware, token, model, serial)


def test_an_app_is_not_taken_for_an_aos() -> None:
    swapped = AP7750A.replace("PN:apc_hw02_aos_374.bin", "PN:apc_hw02_g2ats_374.bin")
    assert parse_description(swapped).hardware is None


@pytest.mark.parametrize(
    ("letter", "shown"), [("A-", "-"), ("A?", "?"), ("A!", "!"), ("A+", "+"), ("", None), ("A", None)]
)
def test_the_status_letter(letter: str, shown: str | None) -> None:
    assert parse_description(AP7750A.replace(") ", f" P+ N+ {letter})")).app_status == shown


@pytest.mark.parametrize(
    ("lead", "factor"),
    [
        ("APC Web/SNMP Management Card SIMULATED x20 (", 20),
        ("APC Web/SNMP Management Card SIMULATED x100 (", 100),
        ("APC Web/SNMP Management Card SIMULATED x1 (", 1),
        ("APC Web/SNMP Management Card SIMULATED x0 (", None),
        ("APC Web/SNMP Management Card SIMULATED x101 (", None),
        ("APC Web/SNMP Management Card SIMULATED x20", None),
        ("xAPC Web/SNMP Management Card SIMULATED x20 (", None),
        ("APC Web/SNMP Management Card (SIMULATED x20 ", None),
        ("APC Web/SNMP Management Card SIMULATED x-5 (", None),
        ("APC Web/SNMP Management Card SIMULATED x\u0662\u0660 (", None),
    ],
)
def test_only_the_exact_lead_declares_a_simulated_device(lead: str, factor: int | None) -> None:
    """A real unit that were taken for a fast one would be judged by seconds that are too short."""
    assert simulated_factor(lead) == factor


def test_the_mark_in_a_banner() -> None:
    assert simulated_mark("220 AP7724 Network Management Card SIMULATED x20 AOS v3.7.4 FTP server ready.") == 20
    assert simulated_mark("220 AP7724 Network Management Card AOS v3.7.4 FTP server ready.") is None


@pytest.mark.parametrize(
    ("text", "model", "aos"),
    [
        ("220 AP7921 Network Management Card AOS v3.7.4 FTP server ready.", "AP7921", "3.7.4"),
        ("220 Network Management Card AOS v3.7.4 FTP server ready.", None, "3.7.4"),
        ("220 ProFTPD", None, None),
        ("", None, None),
    ],
)
def test_the_banner(text: str, model: str | None, aos: str | None) -> None:
    found = parse_banner(text)
    assert (found.model, str(found.aos) if found.aos else None) == (model, aos)


@pytest.mark.parametrize(
    "serial",
    [
        "",
        " ",
        None,
        "FFFFFFFFFFFF",
        "000000",
        "------",
        "UPS_IDEN",
        "ups_iden",
        "XXXX",
        "A",
        "unknown",
        "x" * 50,
        "0 0 0 0 0",
    ],
)
def test_junk_serials_identify_nothing(serial: str | None) -> None:
    assert usable_serial(serial) is None


@pytest.mark.parametrize("serial", ["5A1511T00001", " 5A1511T00001 ", "ZA0732000123"])
def test_usable_serials(serial: str) -> None:
    assert usable_serial(serial) == serial.strip()


@pytest.mark.parametrize("name", ["", "apc", "APC", "Unknown", " ats ", "Rack ATS", None])
def test_factory_names_do_not_count(name: str | None) -> None:
    assert usable_name(name) is None


@given(st.text(max_size=2000))
def test_any_text_is_taken_apart(text: str) -> None:
    card = parse_description(text)
    parse_banner(text)
    assert card.simulated is None or 1 <= card.simulated <= 100
    assert usable_serial(text) is None or len(text.strip()) <= 40
