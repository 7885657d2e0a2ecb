# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do all protocols speak to one and the same unit? (SAFETY 3, identity.)

Something unique counts only where the file speaks of the unit itself: under the title or behind the label that says
name, address or serial. Contact and location hold whatever a person wrote, another unit's name perhaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import (
    CardIdentity,
    parse_banner,
    simulated_mark,
    usable_name,
    usable_serial,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found

MAX_LINE = 512
MAX_HEAD = 64
MAX_CONFIG = 5000

_NAME, _ADDRESS, _SERIAL, _FREE, _OTHER = "name", "address", "serial", "free", "other"
_LABELS = {
    **dict.fromkeys(("name", "system name", "sysname", "host name", "hostname", "device name", "unit name"), _NAME),
    **dict.fromkeys(("ip", "ip address", "ipaddress", "system ip", "systemip", "ipv4", "ipv4 address"), _ADDRESS),
    **dict.fromkeys(("address", "tcp/ip"), _ADDRESS),
    **dict.fromkeys(("serial", "serial number", "serial no", "serialnumber", "s/n", "sn"), _SERIAL),
    **dict.fromkeys(("contact", "system contact", "syscontact", "contact name", "contact person"), _FREE),
    **dict.fromkeys(("location", "system location", "syslocation", "description", "comment"), _FREE),
    **dict.fromkeys(("date", "time", "date/time", "retrieved", "date/time retrieved", "version", "model"), _OTHER),
    **dict.fromkeys(("file format version", "event", "code", "event code", "uptime", "up time"), _OTHER),
}
# config.ini speaks of other machines as well (trap receivers, servers): section and key, both without spaces.
_CONFIG = {
    ("networktcp/ip", "systemip"): _ADDRESS,
    ("networktcp/ip", "hostname"): _NAME,
    ("systemid", "name"): _NAME,
    ("systemid", "serialnumber"): _SERIAL,
}
_IPV4 = re.compile(r"(?<![\w.])([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![\w.])")
_LABELLED = re.compile(r"([A-Za-z][A-Za-z0-9 /]{0,24}?)\s*[:=]\s*(.*)")
_SECTION = re.compile(r"\[([^\[\]]{1,64})\]")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class LoginFacts:
    """What was read over the login that sends: banner, head of event.txt, and config.ini where it was needed."""

    protocol: str
    banner: str = ""
    event_head: tuple[str, ...] = ()
    config: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Side:
    """What answers by SNMP, as one reading has it."""

    identity: CardIdentity
    unit_serial: str | None
    unit_model: str | None
    name: str | None
    addresses: tuple[str, ...]


@dataclass
class _Shown:
    """What a file says of the unit. ``loose``: cells and ``rest``: lines of which it is not known what they are."""

    own: dict[str, set[str]] = field(default_factory=lambda: {_NAME: set(), _ADDRESS: set(), _SERIAL: set()})
    loose: set[str] = field(default_factory=set)
    rest: list[str] = field(default_factory=list)
    recognised: bool = False

    def add(self, what: str, value: str) -> None:
        if what in self.own and value:
            self.own[what].add(value)
            self.recognised = True


def _clean(lines: Iterable[str], limit: int) -> list[str]:
    # A line that is too long says nothing: where it was cut (events.MAX_LINE), its columns may have moved.
    return [_CONTROL.sub("", line) if len(line) < MAX_LINE else "" for line in islice(lines, limit)]


def _label(cell: str) -> str | None:
    return _LABELS.get(" ".join(cell.rstrip(":= ").lower().split()))


# Asked at every sample of a run, of the same few lines. Nobody changes what it gives.
@lru_cache(maxsize=64)
def _read_head(raw: tuple[str, ...]) -> _Shown:
    shown = _Shown()
    lines = _clean(raw, MAX_HEAD)
    titles: list[str | None] = []
    for index, line in enumerate(lines):
        cells = [cell.strip() for cell in line.split("\t")]
        if titles:
            # More cells than titles: somebody's tab has moved the columns. A unit may be called "Name", titles may not.
            if len(cells) <= len(titles):
                for what, cell in zip(titles, cells, strict=False):
                    shown.add(what or _OTHER, cell)
            titles = []
            continue
        labels = [_label(cell) for cell in cells]
        if len(cells) > 1 and all(labels):
            below = lines[index + 1].split("\t") if index + 1 < len(lines) else []
            if len(cells) > 2 or (below and not _label(below[0]) and len(below) == len(cells)):
                titles = labels
                continue
        _read_labelled(shown, cells)
    for what in (_NAME, _SERIAL):
        if len(shown.own[what]) > 1:
            # Which of them is the unit's own? (Of addresses every one must be the unit's, see _contradiction.)
            shown.own[what].clear()
    return shown


def _read_labelled(shown: _Shown, cells: list[str]) -> None:
    """``Name<tab>x``, ``x<tab>Name``, or ``Name: x`` in one or several cells."""
    first, last = _label(cells[0]), _label(cells[-1])
    if first is not None and len(cells) > 1:
        # A second tab is part of what was written there: no name then.
        shown.add(first, cells[1] if len(cells) == 2 else "")
    elif last is not None and len(cells) > 1:
        shown.add(last, cells[0] if len(cells) == 2 else "")
    else:
        for cell in cells:
            match = _LABELLED.match(cell)
            what = _label(match.group(1)) if match else None
            if match and what:
                shown.add(what, match.group(2).strip())
                if what != _OTHER:
                    # Whatever a person chose may go on behind the next tab.
                    return
            elif cell and _label(cell) is None:
                shown.loose.add(cell)
                shown.rest.append(cell)


def _read_config(raw: tuple[str, ...]) -> _Shown:
    """Own keys in the sections of the unit itself. Keys before any section belong to nobody and are left out.

    A key that stands there twice with different values says nothing.
    """
    found: dict[tuple[str, str], set[str]] = {}
    section = ""
    for line in _clean(raw, MAX_CONFIG):
        text = line.strip()
        title = _SECTION.fullmatch(text)
        if title is not None:
            section = "".join(title.group(1).lower().split())
            continue
        key, mark, value = text.partition("=")
        place = (section, "".join(key.lower().split()))
        if mark and place in _CONFIG:
            found.setdefault(place, set()).add(value.strip())
    shown = _Shown()
    for place, values in found.items():
        if len(values) == 1:
            shown.add(_CONFIG[place], next(iter(values)))
    return shown


def _real(address: str) -> bool:
    if not _IPV4.fullmatch(address) or address.startswith(("127.", "0.", "255.")):
        return False
    return all(int(part) < 256 for part in address.split("."))


def _addresses(texts: Iterable[str]) -> set[str]:
    return {address for text in texts for address in _IPV4.findall(text) if _real(address)}


def same_unit(sample: Seen, login: LoginFacts | None) -> Found:
    """Fails on any contradiction, and where nothing unique agrees.

    The address that was dialled is no input here and proves nothing: behind a forward two units share it. An address
    counts only where the unit lists it itself (ipAdEntAddr) and its own file, read over the login, shows it too.
    """
    if not sample.answered:
        return Found(False, "no answer", missing=True)
    side = _Side(sample.identity, sample.unit_serial, sample.unit_model, sample.name, sample.addresses)
    return _same(side, login)


# Asked at every sample of a run, and of most the same.
@lru_cache(maxsize=64)
def _same(side: _Side, login: LoginFacts | None) -> Found:
    card, model = side.identity, side.unit_model
    if card.model and model and card.model != model:
        return Found(False, f"the card calls itself {card.model}, the ATS {model}")
    if login is None:
        return Found(False, "nothing was read over the sending login yet", missing=True)
    head, config = _read_head(login.event_head), _read_config(login.config)
    problem = _contradiction(side, login, head, config)
    if problem:
        return Found(False, problem)
    proof = _proof(side, head) or _proof(side, config)
    if not proof:
        return Found(
            False,
            "nothing unique agrees between SNMP and the sending login: no serial, no name that was set, no address",
        )
    note = "" if parse_banner(login.banner).model else "; the banner names no model"
    return Found(True, f"{proof} read by SNMP and over {login.protocol}{note}")


def _contradiction(side: _Side, login: LoginFacts, head: _Shown, config: _Shown) -> str:
    return _other_banner(side, login) or _other_mark(side, login) or _other_address(side, head, config)


def _other_banner(side: _Side, login: LoginFacts) -> str:
    card, banner = side.identity, parse_banner(login.banner)
    model = side.unit_model or card.model
    if banner.model and model and banner.model != model:
        return f"the {login.protocol} banner names {banner.model}, SNMP {model}"
    if banner.aos and card.aos.version and banner.aos != card.aos.version:
        return f"the {login.protocol} banner names AOS {banner.aos}, SNMP {card.aos.version}"
    return ""


def _other_mark(side: _Side, login: LoginFacts) -> str:
    factor = side.identity.simulated
    marks = {simulated_mark(login.banner), simulated_mark("\n".join(login.event_head[:MAX_HEAD]))} - {None}
    if factor is None and marks:
        return "the login declares a simulated device, SNMP does not"
    if factor is not None and marks != {factor}:
        return "SNMP declares a simulated device, the login does not declare the same"
    return ""


def _other_address(side: _Side, head: _Shown, config: _Shown) -> str:
    own = {address for address in side.addresses if _real(address)}
    in_head = _addresses(head.own[_ADDRESS])
    # The file's own address must be one of the unit's; in a head of unknown layout it is enough that one of them is.
    strict = in_head or _addresses(config.own[_ADDRESS])
    shown = strict or _addresses(head.rest)
    if own and shown and (not strict <= own if strict else not own & shown):
        where = "event log's head" if in_head or not strict else "config.ini"
        return f"the {where} shows {', '.join(sorted(shown)[:3])}, SNMP {', '.join(sorted(own)[:3])}"
    return ""


def _proof(side: _Side, shown: _Shown) -> str:
    def held(what: str, value: str, fold: bool = False) -> bool:
        cells = shown.own[what] if shown.recognised else shown.loose
        return value.upper() in {cell.upper() for cell in cells} if fold else value in cells

    for serial in (side.unit_serial, side.identity.serial):
        usable = usable_serial(serial)
        if usable and held(_SERIAL, usable, fold=True):
            return f"serial {usable}"
    name = usable_name(side.name)
    if name and name.isprintable() and held(_NAME, name):
        return f"name {name}"
    for address in side.addresses:
        if _real(address) and held(_ADDRESS, address):
            return f"address {address}"
    return ""
