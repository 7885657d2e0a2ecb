# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another unit's files, with whatever a person wrote into them: they must not pass for this unit's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import parse_description
from ansible_collections.dcops.apc.plugins.module_utils._domain.samedevice import LoginFacts, same_unit
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import effort

NAME, ADDRESS, SERIAL, CARD = "rack-04", "192.0.2.10", "5A1511T00001", "ZA1511004711"
DESCRIPTION = (
    "APC Web/SNMP Management Card (MB:v3.9.2 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 AN1:apc_hw02_g2ats_371.bin "
    f"MN:AP7724 HR:B2 SN: {CARD} MD:03/02/2011)"
)
SAMPLE = Sample(
    at_s=1.0,
    answered=True,
    identity=parse_description(DESCRIPTION),
    uptime_s=5000.0,
    name=NAME,
    addresses=("127.0.0.1", ADDRESS),
    ats=AtsState(objects_answered=30, model="AP7724", serial=SERIAL),
)
BANNER = "220 AP7724 Network Management Card AOS v3.7.4 FTP server ready."
BARE = "Name\tContact\tLocation\tIP"
EVENTS = "Date\tTime\tEvent\tCode"


def said(*head: str, config: tuple[str, ...] = (), sample: Sample = SAMPLE) -> str:
    """The reason where it is one unit, "" where not."""
    found = same_unit(sample, LoginFacts("ftp", BANNER, head, config))
    return found.observed if found.ok else ""


def refused(*head: str, config: tuple[str, ...] = (), sample: Sample = SAMPLE) -> str:
    found = same_unit(sample, LoginFacts("ftp", BANNER, head, config))
    assert not found.ok
    return found.observed


@pytest.mark.parametrize(
    ("head", "proof"),
    [
        ((BARE, f"{NAME}\tUnknown\tUnknown\t{ADDRESS}", EVENTS), f"name {NAME}"),
        ((BARE, f"\t\t\t{ADDRESS}", EVENTS), f"address {ADDRESS}"),
        ((BARE, f"{NAME}", EVENTS), f"name {NAME}"),
        (("Name\tSerial Number\tLocation", f"x\t{SERIAL.lower()}\ty"), f"serial {SERIAL}"),
        ((f"Name\t{NAME}", "Contact\tx"), f"name {NAME}"),
        ((f"Name: {NAME}", "Contact: x"), f"name {NAME}"),
        ((f"System Name = {NAME}",), f"name {NAME}"),
        ((f"{NAME}\tName",), f"name {NAME}"),
        ((f"System IP:\t{ADDRESS}",), f"address {ADDRESS}"),
        ((f"S/N: {CARD}",), f"serial {CARD}"),
        ((f"Model: AP7724\tName: {NAME}",), f"name {NAME}"),
        # An unknown layout: a whole field.
        (("something", f"else\t{NAME}\tand more"), f"name {NAME}"),
        ((f"AP7724\t{SERIAL}",), f"serial {SERIAL}"),
    ],
)
def test_what_proves(head: tuple[str, ...], proof: str) -> None:
    assert said(*head).startswith(proof)


OWN = (NAME, ADDRESS, SERIAL, f"Name: {NAME}", f"IP\t{ADDRESS}", f"\t{NAME}", f"x\tName\t{NAME}", f"Serial: {SERIAL}")


@pytest.mark.parametrize("text", OWN)
@pytest.mark.parametrize(
    "head",
    [
        (BARE, "other\t{}\tUnknown\t", EVENTS),
        (BARE, "other\tUnknown\t{}\t", EVENTS),
        ("Name\tother", "Contact\t{}"),
        ("Name\tother", "Location\t{}"),
        ("Contact\t{}",),
        ("Location: {}",),
        ("System Location = {}",),
        ("{}\tLocation",),
        ("Name: other\tContact: {}",),
        ("Contact: x\t{}",),
        ("something about {} in a sentence",),
    ],
)
def test_contact_and_location_prove_nothing(head: tuple[str, ...], text: str) -> None:
    assert "nothing unique" in refused(*(line.replace("{}", text) for line in head))


@pytest.mark.parametrize(
    "head",
    [
        # A value under, or behind, another title than its own.
        (BARE, f"{ADDRESS}\tx\ty\t", EVENTS),
        (BARE, f"{SERIAL}\tx\ty\t", EVENTS),
        (f"Name\t{SERIAL}",),
        (f"Name\t{ADDRESS}",),
        (f"Serial Number\t{NAME}",),
        # Two names: which is the unit's?
        (f"Name\t{NAME}", "Name\tother"),
        (f"Serial\t{SERIAL}", "Serial\t1234567"),
        # Where the head says which field is the name, no other field is.
        ("Name\tother", f"else\t{NAME}"),
        (BARE, "other\tx\ty\t", f"{NAME}\t{SERIAL}"),
        # Half of it, or more than it.
        (f"Name\t{NAME}5",),
        (f"Name\t{NAME.upper()}",),
        (f"Name\t{NAME} {SERIAL}",),
        # Somebody's tab moved the columns.
        (BARE, f"other\tx\ty\tz\t{ADDRESS}", EVENTS),
        (f"Name\tother\t{NAME}",),
        ("Name\t" + NAME + " " * 600,),
        # A banner line or a title is no name.
        (),
        (EVENTS,),
    ],
)
def test_what_does_not_prove(head: tuple[str, ...]) -> None:
    assert "nothing unique" in refused(*head)


def test_a_long_line_says_nothing_even_when_the_log_cut_it() -> None:
    """events.py keeps start and end of a long line; its columns must not slide under other titles."""
    line = f"other\t{'x' * 500}\t{'y' * 500}\t{ADDRESS}"
    data = "\n".join((BARE, line, EVENTS, "09/05/2017\t23:00:00\tx\t0x0099")).encode()
    assert "nothing unique" in refused(*parse_event_log(data).head)
    assert "nothing unique" in refused(BARE, line, EVENTS)


@pytest.mark.parametrize("name", ["Name", "IP", "Unknown", "Contact", "", "x\x07", "\u202ex", "n" * 300])
def test_names_that_are_no_names(name: str) -> None:
    sample = replace(SAMPLE, name=name, addresses=())
    for head in ((BARE, f"{name}\tx\ty\tz"), (f"Name\t{name}",), (f"x\t{name}",)):
        # A unit may be called "Name": it is refused or proven by that very name, never by a title.
        assert not said(*head, sample=sample) or name in ("Name", "IP", "Contact")
    assert not said(BARE, "a\tb\tc\td", EVENTS, sample=sample)
    assert not said("Contact\tx", EVENTS, sample=sample)


# -- the address ---------------------------------------------------------------------------------------------------


def test_an_address_must_stand_in_the_units_own_table() -> None:
    """The dialled address is no input: without ipAdEntAddr no address in the file proves anything."""
    assert not said(f"IP\t{ADDRESS}", sample=replace(SAMPLE, addresses=()))
    assert not said("IP\t127.0.0.1", sample=replace(SAMPLE, addresses=("127.0.0.1",)))
    assert not said("IP\t0.0.0.0", sample=replace(SAMPLE, addresses=("0.0.0.0",)))
    assert not said("IP\t999.1.1.1", sample=replace(SAMPLE, addresses=("999.1.1.1",)))
    assert not said("IP\tabc", sample=replace(SAMPLE, addresses=("abc", "", "1.2.3.4.5", "\u0661.2.3.4")))


@pytest.mark.parametrize(
    "head",
    [
        (BARE, f"{NAME}\tUnknown\tUnknown\t192.0.2.99", EVENTS),
        # The unit's own address in a field that anybody can write does not help.
        (BARE, f"{NAME}\tUnknown\t{ADDRESS}\t192.0.2.99", EVENTS),
        (f"Name\t{NAME}", f"Location\t{ADDRESS}", "IP\t192.0.2.99"),
        (f"Name\t{NAME}", f"IP\t{ADDRESS}", "IP\t192.0.2.99"),
        (f"Name: {NAME}", f"Contact: {ADDRESS}", "IP Address: 192.0.2.99"),
        (f"Serial\t{SERIAL}", "IP\t192.0.2.99"),
        (f"x\t{NAME}\t192.0.2.99",),
    ],
)
def test_another_address_contradicts_a_matching_name(head: tuple[str, ...]) -> None:
    assert "192.0.2.99" in refused(*head)


def test_addresses_that_contradict_nothing() -> None:
    assert said(f"Name\t{NAME}", "Location\tnear 192.0.2.99", "Contact\t192.0.2.98")
    assert said(f"Name\t{NAME}", "IP\t0.0.0.0") and said(f"Name\t{NAME}", "IP\t127.0.0.1")
    # A version in four parts is none.
    assert said("Network Management Card AOS\tv2.5.0.8", "apc_hw21_aos_2.5.0.8.bin", f"Name\t{NAME}")
    assert said(f"Name\t{NAME}", "IP\t192.0.2.99", sample=replace(SAMPLE, addresses=()))


# -- config.ini ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "proof"),
    [
        (("; x", "[NetworkTCP/IP]", f"SystemIP={ADDRESS}"), f"address {ADDRESS}"),
        (("[SystemID]", f"Name={NAME}"), f"name {NAME}"),
        (("[ systemid ]", f" name = {NAME} \r"), f"name {NAME}"),
        (("[SystemID]", f"Serial Number={SERIAL}"), f"serial {SERIAL}"),
        (("[NetworkTCP/IP]", "HostName=apcD1D0B6", "[SystemID]", f"Name={NAME}"), f"name {NAME}"),
    ],
)
def test_what_config_proves(config: tuple[str, ...], proof: str) -> None:
    assert said(EVENTS, config=config).startswith(proof)


@pytest.mark.parametrize(
    "config",
    [
        # Keys before any section belong to nobody.
        (f"Name={NAME}", f"SystemIP={ADDRESS}", "[SystemID]"),
        ("[NetworkSNMP]", f"Name={NAME}", f"SystemIP={ADDRESS}", f"IP={ADDRESS}", f"SerialNumber={SERIAL}"),
        ("[SystemID]", "[NetworkSNMP]", f"Name={NAME}"),
        ("[SystemID]", f"Contact={NAME}", f"Location={NAME}", f"SystemIP={ADDRESS}"),
        ("[NetworkTCP/IP]", f"DefaultGateway={ADDRESS}", f"Name={NAME}"),
        ("[SystemID]", f"Contact=[SystemID] Name={NAME}"),
        ("[SystemID]", f"Name={NAME}", "[SystemID]", "Name=other"),
        ("[SystemID]", f"; Name={NAME}"),
        ("[SystemID", f"Name={NAME}"),
        ("[SystemID]", f"Name={NAME}" + " " * 600),
        ("[SystemID]", *(["x=y"] * 5000), f"Name={NAME}"),
    ],
)
def test_config_speaks_of_others_too(config: tuple[str, ...]) -> None:
    assert "nothing unique" in refused(EVENTS, config=config)


def test_another_address_in_config_contradicts() -> None:
    config = ("[NetworkTCP/IP]", "SystemIP=192.0.2.99", "[SystemID]", f"Name={NAME}")
    assert "config.ini shows 192.0.2.99" in refused(EVENTS, config=config)
    # The head's own address is the nearer witness (config.ini may hold one that is not in use).
    assert said(f"IP\t{ADDRESS}", config=config)


# -- total and bounded ---------------------------------------------------------------------------------------------

PIECES = st.sampled_from(["\t", ":", "=", "Name", "IP", "Contact", NAME, ADDRESS, "[SystemID]", "", " "])
LINE = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=9).map("".join))


@given(
    st.text(max_size=60),
    st.lists(LINE, max_size=8),
    st.lists(LINE, max_size=8),
    st.one_of(st.none(), st.text(max_size=20)),
    st.lists(st.one_of(st.text(max_size=12), st.just(ADDRESS)), max_size=3),
)
def test_never_raises(banner: str, head: list[str], config: list[str], name: str | None, own: list[str]) -> None:
    sample = replace(SAMPLE, name=name, addresses=tuple(own))
    found = same_unit(sample, LoginFacts("ftp", banner, tuple(head), tuple(config)))
    assert len(found.observed) < 1000


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_contact_makes_another_unit_ours(contact: str, location: str) -> None:
    texts = [text.replace("\n", " ") for text in (contact + NAME, location + "\t" + NAME)]
    data = "\n".join((BARE, f"other\t{texts[0]}\t{texts[1]}\t192.0.2.99", EVENTS)).encode("utf-8", "replace")
    assert not said(*parse_event_log(data).head)
    labelled = ("Name\tother", f"Contact\t{texts[0]}", f"Location\t{texts[1]}", "IP\t192.0.2.99", EVENTS)
    assert not said(*parse_event_log("\n".join(labelled).encode("utf-8", "replace")).head)


def test_the_work_grows_no_faster_than_what_the_card_says() -> None:
    lines = ("Name: " * 85, "[" * 510, "\t" * 510, "1." * 255, " " * 511, "x" * 10**6)

    def work(times: int) -> int:
        facts = LoginFacts("ftp", "220 " + "A" * (2500 * times), lines * times, lines * times)
        return effort(lambda: same_unit(SAMPLE, facts))

    half, whole = work(200), work(400)
    # Two times the lines, two times the work; and a line of a million characters is no more than any other.
    assert whole < 2.2 * half + 50_000 and whole < 4 * 10**6
