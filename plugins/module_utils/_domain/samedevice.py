# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do all protocols speak to one and the same unit? (SAFETY 3, identity.) Private to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .checks import Found
from .identity import parse_banner, simulated_mark, usable_name, usable_serial
from .observation import Sample

_IPV4 = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])")
# config.ini holds addresses of other machines too; only the unit's own keys may prove anything.
_OWN_KEY = re.compile(r"(system)?(ip|ipaddress|ip address|name|hostname|serial ?number|serial)", re.IGNORECASE)


@dataclass(frozen=True)
class LoginFacts:
    """What was read over the login that sends: the banner, the head of event.txt, and config.ini where it was needed."""

    protocol: str
    banner: str = ""
    event_head: tuple[str, ...] = ()
    config: tuple[str, ...] = ()


def _fields(line: str) -> list[str]:
    parts = [part.strip() for part in line.split("\t")]
    for part in list(parts):
        for mark in (":", "="):
            if mark in part:
                parts.append(part.split(mark, 1)[1].strip())
    return [part for part in parts if part]


def _real(address: str) -> bool:
    return not address.startswith(("127.", "0.", "255.")) and all(int(part) < 256 for part in address.split("."))


def same_unit(sample: Sample, login: LoginFacts | None) -> Found:
    """Fails on any contradiction, and where nothing unique agrees. The dialled address is never compared: a forward shares it."""
    card, ats = sample.identity, sample.ats
    if not sample.answered:
        return Found(False, "no answer", missing=True)
    if card.model and ats.model and card.model != ats.model:
        return Found(False, f"the card calls itself {card.model}, the ATS {ats.model}")
    if login is None:
        return Found(False, "nothing was read over the sending login yet", missing=True)
    problem = _contradiction(sample, login)
    if problem:
        return Found(False, problem)
    proof = _proof(sample, login)
    if not proof:
        return Found(
            False,
            "nothing unique agrees between SNMP and the sending login: no serial, no name that was set, no address",
        )
    note = "" if parse_banner(login.banner).model else "; the banner names no model"
    return Found(True, f"{proof} read by SNMP and over {login.protocol}{note}")


def _contradiction(sample: Sample, login: LoginFacts) -> str:
    card = sample.identity
    banner = parse_banner(login.banner)
    model = sample.ats.model or card.model
    if banner.model and model and banner.model != model:
        return f"the {login.protocol} banner names {banner.model}, SNMP {model}"
    if banner.aos and card.aos.version and banner.aos != card.aos.version:
        return f"the {login.protocol} banner names AOS {banner.aos}, SNMP {card.aos.version}"
    marks = {simulated_mark(login.banner), simulated_mark("\n".join(login.event_head))} - {None}
    if card.simulated is None and marks:
        return "the login declares a simulated device, SNMP does not"
    if card.simulated is not None and marks != {card.simulated}:
        return "SNMP declares a simulated device, the login does not declare the same"
    own = {address for address in sample.addresses if _real(address)}
    shown = {address for line in login.event_head for address in _IPV4.findall(line) if _real(address)}
    if own and shown and not own & shown:
        return f"the event log's head shows {', '.join(sorted(shown)[:3])}, SNMP {', '.join(sorted(own)[:3])}"
    return ""


def _proof(sample: Sample, login: LoginFacts) -> str:
    head = {field for line in login.event_head for field in _fields(line)}
    for line in login.config:
        key, mark, value = line.partition("=")
        if mark and _OWN_KEY.fullmatch(key.strip()):
            head.add(value.strip())
    upper = {field.upper() for field in head}
    for serial in (sample.ats.serial, sample.identity.serial):
        usable = usable_serial(serial)
        if usable and usable.upper() in upper:
            return f"serial {usable}"
    name = usable_name(sample.name)
    if name and name in head:
        return f"name {name}"
    for address in sample.addresses:
        if _real(address) and address in head:
            return f"address {address}"
    return ""
