# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who answers: the management card's description, the FTP banner, and what makes a serial or a name unique.

Samples and oddities of sysDescr: facts/NMC, "Identity".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

# A description is device text: bounded before any pattern sees it.
MAX_DESCRIPTION = 1024
SPEED_LIMIT = 100

_FIELD = re.compile(r"\b(MB|PF|PN|AF1|AN1|MN|HR|SN|MD):[ ]?([^\s()]*)")
_SIMULATED_LEAD = re.compile(r"^APC Web/SNMP Management Card SIMULATED x([0-9]{1,3}) \(")
_SIMULATED_MARK = re.compile(r"\bSIMULATED x([0-9]{1,3})\b")
_HARDWARE = re.compile(r"^apc_(hw[0-9]{2})_([a-z0-9]+)_[0-9.]+[a-z]?\.bin$")
_STATUS = re.compile(r"(?:^|[\s(])A([-?!+])(?=[\s)]|$)")
_BANNER = re.compile(
    r"^220[ -](?:(?P<model>[A-Z0-9-]+) )?Network Management Card AOS v?(?P<aos>[0-9][0-9a-z.]*)", re.ASCII
)

# Serials that many devices share; they identify nothing (facts/NMC).
JUNK_SERIALS = frozenset({"UPS_IDEN", "UNKNOWN", "NONE", "N/A"})
# Factory names: sysName as shipped. They do not count as unique (SAFETY 3, identity).
FACTORY_NAMES = frozenset(
    {"", "unknown", "apc", "apcats", "ats", "apc_ats", "rack ats", "rackats", "nmc", "localhost", "none"}
)


@dataclass(frozen=True)
class Firmware:
    version: Version | None = None
    file: str | None = None


@dataclass(frozen=True)
class CardIdentity:
    """sysDescr taken apart. Absent fields are None; ``app_status`` is the letter behind A (- ? ! +) when shown."""

    description: str = ""
    lead: str = ""
    boot_monitor: Version | None = None
    aos: Firmware = Firmware()
    app: Firmware = Firmware()
    model: str | None = None
    hardware_revision: str | None = None
    serial: str | None = None
    manufactured: str | None = None
    app_status: str | None = None

    def __hash__(self) -> int:
        # All else is read out of it.
        return hash(self.description)

    @cached_property
    def who(self) -> tuple[str | None, ...]:
        """What must stay the same while one card is being watched."""
        names = (self.model, self.serial, self.aos.file, str(self.aos.version), self.app.file, str(self.app.version))
        return (*names, str(self.simulated))

    @cached_property
    def hardware(self) -> str | None:
        """hw02 (NMC1), hw05 (NMC2), hw21 (NMC3), from the AOS file name: the model does not give the platform."""
        match = _HARDWARE.match(self.aos.file or "")
        return match.group(1) if match and match.group(2) == "aos" else None

    @cached_property
    def app_token(self) -> str | None:
        match = _HARDWARE.match(self.app.file or "")
        return match.group(2) if match else None

    @cached_property
    def simulated(self) -> int | None:
        return simulated_factor(self.description)

    @cached_property
    def oddly_simulated(self) -> bool:
        """It says that it is simulated, but not in the form that fixes its speed: its clock is not known."""
        return "SIMULATED" in self.description and self.simulated is None


def parse_description(text: str) -> CardIdentity:
    """Total: whatever the text, an identity comes back; what is not understood stays None."""
    text = text[:MAX_DESCRIPTION]
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        fields.setdefault(match.group(1), match.group(2))
    status = _STATUS.search(text)
    return CardIdentity(
        description=text,
        lead=text.split("(", 1)[0].strip(),
        boot_monitor=Version.parse(fields.get("MB", "")),
        aos=Firmware(Version.parse(fields.get("PF", "")), fields.get("PN") or None),
        app=Firmware(Version.parse(fields.get("AF1", "")), fields.get("AN1") or None),
        model=fields.get("MN") or None,
        hardware_revision=fields.get("HR") or None,
        serial=fields.get("SN") or None,
        manufactured=fields.get("MD") or None,
        app_status=status.group(1) if status else None,
    )


def simulated_factor(description: str) -> int | None:
    """The declared speed of a simulated device (SAFETY 7), None for a real one."""
    match = _SIMULATED_LEAD.match(description)
    return _factor(match.group(1)) if match else None


def simulated_mark(text: str) -> int | None:
    """The same declaration in an FTP banner or in the head of event.txt."""
    match = _SIMULATED_MARK.search(text[:4096])
    return _factor(match.group(1)) if match else None


def _factor(digits: str) -> int | None:
    value = int(digits)
    return value if 1 <= value <= SPEED_LIMIT else None


@dataclass(frozen=True)
class Banner:
    model: str | None
    aos: Version | None


def parse_banner(text: str) -> Banner:
    match = _BANNER.match(text[:512])
    if match is None:
        return Banner(None, None)
    return Banner(match.group("model"), Version.parse(match.group("aos")))


def usable_serial(text: str | None) -> str | None:
    """The serial, or None where it is junk: empty, one repeated character, a placeholder (SAFETY 2)."""
    if text is None:
        return None
    serial = text.strip()
    bare = re.sub(r"[^0-9A-Za-z]", "", serial)
    if len(bare) < 4 or len(set(bare.upper())) < 2 or serial.upper() in JUNK_SERIALS or len(serial) > 40:
        return None
    return serial


def usable_name(text: str | None) -> str | None:
    """The card's name, or None where it is a factory name."""
    if text is None:
        return None
    name = text.strip()
    return None if name.lower() in FACTORY_NAMES or len(name) < 2 or len(name) > 255 else name
