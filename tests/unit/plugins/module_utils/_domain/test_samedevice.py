# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import parse_description
from ansible_collections.dcops.apc.plugins.module_utils._domain.samedevice import LoginFacts, same_unit

TEXT = (
    "APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 AN1:apc_hw02_g2ats_371.bin "
    "MN:AP7724 HR:R01 SN: 5A1511T00001 MD:04/18/2015)"
)
CARD = parse_description(TEXT)
SIMULATED = parse_description(TEXT.replace("Card (", "Card SIMULATED x20 ("))
UNIT = Sample(
    1.0, True, CARD, 5000.0, "ats-rack-04", ("127.0.0.1", "192.0.2.10"), ats=AtsState(60, "AP7724", "5A1511T00001")
)
BANNER = "220 AP7724 Network Management Card AOS v3.7.4 FTP server ready."


def head(name: str = "ats-rack-04", address: str = "192.0.2.10", mark: str = "") -> tuple[str, ...]:
    return (
        f"{mark}2\tFile Format Version",
        "03/02/2026\t12:00:00\tDate/Time Retrieved",
        "Name\tContact\tLocation\tIP",
        f"{name}\tUnknown\tUnknown\t{address}",
        "Date\tTime\tEvent\tCode",
    )


def login(banner: str = BANNER, **changes: Any) -> LoginFacts:
    return LoginFacts(**{"protocol": "ftp", "banner": banner, "event_head": head(), **changes})


def test_name_and_address_agree() -> None:
    found = same_unit(UNIT, login())
    assert found.ok and "ftp" in found.observed


@pytest.mark.parametrize(
    ("sample", "facts"),
    [
        # the name alone; the address alone; a serial; config.ini
        (replace(UNIT, addresses=()), login(event_head=head(address=""))),
        (replace(UNIT, name="APC"), login(event_head=head(name="APC"))),
        (replace(UNIT, name="APC", addresses=()), login(event_head=("Serial Number\t5A1511T00001",))),
        (replace(UNIT, name="APC"), login(event_head=(), config=("[NetworkTCP/IP]", "SystemIP=192.0.2.10"))),
        (replace(UNIT, addresses=()), login(event_head=(), config=("[SystemID]", "Name=ats-rack-04"))),
        (UNIT, login(banner="220 Network Management Card AOS v3.7.4 FTP server ready.")),
        (UNIT, login(banner="220 ready")),
    ],
)  # fmt: skip
def test_something_unique_is_enough(sample: Sample, facts: LoginFacts) -> None:
    assert same_unit(sample, facts).ok, same_unit(sample, facts).observed


@pytest.mark.parametrize(
    ("sample", "facts"),
    [
        # another unit's name and address
        (UNIT, login(event_head=head("ats-rack-05", "192.0.2.11"))),
        # the same name on another address: names are copied, addresses contradict
        (UNIT, login(event_head=head(address="192.0.2.11"))),
        # nothing unique: factory names, the loopback only
        (replace(UNIT, name="APC", addresses=("127.0.0.1",)), login(event_head=head("APC", "127.0.0.1"))),
        (replace(UNIT, name="Unknown", addresses=()), login(event_head=head("Unknown", ""))),
        (UNIT, login(event_head=())),
        # contradicting banners
        (UNIT, login(banner="220 AP7723 Network Management Card AOS v3.7.4 FTP server ready.")),
        (UNIT, login(banner="220 AP7724 Network Management Card AOS v3.9.2 FTP server ready.")),
        # models
        (replace(UNIT, ats=AtsState(60, "AP7723")), login()),
        # a serial that belongs to somebody else, an address that is a trap receiver's
        (replace(UNIT, name="APC"), login(event_head=(), config=("[NetworkSNMP]", "TrapReceiver1IP=192.0.2.10"))),
        # no login at all, no answer
        (UNIT, None),
        (Sample(1.0, False), login()),
    ],
)
def test_contradictions_and_nothing_unique_refuse(sample: Sample, facts: LoginFacts | None) -> None:
    assert not same_unit(sample, facts).ok


def test_a_name_is_compared_whole() -> None:
    for other in ("ats-rack-040", "ats-rack-0", "x ats-rack-04", "ats-rack-04 (old)"):
        assert not same_unit(replace(UNIT, addresses=()), login(event_head=head(other, ""))).ok, other


def test_the_loopback_proves_nothing() -> None:
    assert not same_unit(replace(UNIT, name="APC"), login(event_head=head("APC", "127.0.0.1"))).ok


def test_the_name_in_the_contact_proves_nothing() -> None:
    lines = ("Name\tContact\tLocation\tIP", "APC\tats-rack-04\tnext to 192.0.2.10\t")
    assert not same_unit(replace(UNIT, addresses=()), login(event_head=lines)).ok


@pytest.mark.parametrize(
    ("card", "banner", "mark", "ok"),
    [
        (SIMULATED, "SIMULATED x20 ", "SIMULATED x20\t", True),
        (SIMULATED, "SIMULATED x20 ", "", True),
        (SIMULATED, "", "SIMULATED x20\t", True),
        (SIMULATED, "", "", False),
        (SIMULATED, "SIMULATED x10 ", "SIMULATED x10\t", False),
        (SIMULATED, "SIMULATED x20 ", "SIMULATED x10\t", False),
        (CARD, "SIMULATED x20 ", "", False),
        (CARD, "", "SIMULATED x20\t", False),
        (CARD, "", "", True),
    ],
)
def test_a_simulated_device_says_so_twice(card: Any, banner: str, mark: str, ok: bool) -> None:
    text = f"220 AP7724 Network Management Card {banner}AOS v3.7.4 FTP server ready."
    found = same_unit(replace(UNIT, identity=card), login(banner=text, event_head=head(mark=mark)))
    assert found.ok is ok, found.observed


@given(st.text(max_size=200), st.lists(st.text(max_size=80), max_size=8), st.lists(st.text(max_size=80), max_size=8))
def test_no_text_proves_it_by_accident(banner: str, lines: list[str], config: list[str]) -> None:
    joined = "\n".join([banner, *lines, *config])
    if any(part in joined for part in ("ats-rack-04", "192.0.2.10", "5A1511T00001")):
        return
    assert not same_unit(UNIT, LoginFacts("ftp", banner, tuple(lines), tuple(config))).ok
