# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a UPS says of itself: state, firmware text, SKU and model.

Facts: UPS.md of the project's facts (vendor's release notes, PowerNet-MIB, captures of real units).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading, unknown
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

# Device text: bounded before any pattern sees it.
MAX_TEXT = 64


class Status(Enum):
    """upsBasicOutputStatus, U.4.1.1 [V]."""

    UNKNOWN = 1
    ON_LINE = 2
    ON_BATTERY = 3
    ON_SMART_BOOST = 4
    TIMED_SLEEPING = 5
    SOFTWARE_BYPASS = 6
    OFF = 7
    REBOOTING = 8
    SWITCHED_BYPASS = 9
    HARDWARE_FAILURE_BYPASS = 10
    SLEEPING_UNTIL_POWER_RETURN = 11
    ON_SMART_TRIM = 12
    ECO_MODE = 13
    HOT_STANDBY = 14
    ON_BATTERY_TEST = 15
    EMERGENCY_STATIC_BYPASS = 16
    STATIC_BYPASS_STANDBY = 17
    POWER_SAVING_MODE = 18
    SPOT_MODE = 19
    E_CONVERSION = 20
    CHARGER_SPOT_MODE = 21
    INVERTER_SPOT_MODE = 22
    ACTIVE_LOAD = 23
    BATTERY_DISCHARGE_SPOT_MODE = 24
    INVERTER_STANDBY = 25
    CHARGER_ONLY = 26
    DISTRIBUTED_ENERGY_RESERVE = 27
    SELF_TEST = 28


class UpsComm(Enum):
    """U.8.1: the card's communication with the UPS [V]."""

    OK = 1
    NONE = 2


class YesNo(Enum):
    """U.2.2.4: replace battery [V]."""

    NO = 1
    YES = 2


class BatteryStatus(Enum):
    """upsBasicBatteryStatus, U.2.1.1 [V]."""

    UNKNOWN = 1
    NORMAL = 2
    LOW = 3
    FAULT = 4


class SelfTest(Enum):
    """upsAdvTestDiagnosticsResults, U.7.2.3 [V]."""

    OK = 1
    FAILED = 2
    INVALID = 3
    IN_PROGRESS = 4


class Calibration(Enum):
    """upsAdvTestCalibrationResults, U.7.2.6 [V]."""

    OK = 1
    INVALID = 2
    IN_PROGRESS = 3
    REFUSED = 4
    ABORTED = 5
    PENDING = 6
    UNKNOWN = 7


class FirmwareUpdate(Enum):
    """U.6.2.9: 2 is what starts an update; whether it is ever read back is [?]."""

    NONE = 1
    STARTED = 2
    IN_PROCESS = 3
    SUCCESSFUL = 4
    FAILED = 5


class OutletState(Enum):
    """U.12.1.2.1.3 [V]."""

    ON = 1
    OFF = 2
    UNKNOWN = 3


class OutletType(Enum):
    """U.12.1.2.1.5 [V]."""

    SWITCHED = 1
    MAIN = 2


# U.11.1.1: 64 flags, flag 1 leftmost [V]. Those that anything here shows or decides by.
FLAGS: dict[str, int] = {
    "abnormal": 1,
    "on_battery": 2,
    "low_battery": 3,
    "on_line": 4,
    "replace_battery": 5,
    "comm": 6,
    "overload": 9,
    "calibration": 10,
    "manual_bypass": 12,
    "software_bypass": 13,
    "bypass_internal_fault": 14,
    "bypass_supply_failure": 15,
    "bypass_fan_failure": 16,
    "sleeping_timer": 17,
    "sleeping_until_power": 18,
    "on": 19,
    "rebooting": 20,
    "shutdown_pending": 22,
    "self_test": 29,
    "shutdown_upstream": 31,
    "shutdown_downstream": 32,
    "no_battery": 33,
    "synchronized_command": 34,
    "synchronized_sleep": 35,
    "synchronized_reboot": 36,
    "low_battery_shutdown": 40,
    "temporary_bypass": 44,
    "internal_comm_failure": 56,
    "off": 58,
}


@dataclass(frozen=True)
class Flags:
    """``text`` is the object's text of zeros and ones; empty where it is not readable."""

    text: str = ""

    def get(self, name: str) -> bool | None:
        place = FLAGS[name] - 1
        return self.text[place] == "1" if place < len(self.text) else None

    def all(self) -> dict[str, bool | None]:
        return {name: self.get(name) for name in FLAGS}

    @classmethod
    def parse(cls, text: str | None) -> Flags:
        cleaned = (text or "").strip()
        # Fewer than these would leave out what an update must know; anything but 0 and 1 is no set of flags.
        return cls(cleaned) if 20 <= len(cleaned) <= 128 and set(cleaned) <= {"0", "1"} else cls()


# --- firmware -------------------------------------------------------------------------------------------------------
_WITH_ID = re.compile(
    r"UPS\s+v?(?P<version>[0-9]{1,3}\.[0-9]{1,3})\s*(?:/\s*)?(?:\(\s*ID\s*[=:]?\s*(?P<id>[0-9]{1,5})\s*\)"
    r"|ID\s*[=:]\s*(?P<bare>[0-9]{1,5}))",
    re.IGNORECASE | re.ASCII,
)
_WITHOUT_ID = re.compile(r"UPS\s+v?(?P<version>[0-9]{1,3}\.[0-9]{1,3})", re.IGNORECASE | re.ASCII)
# As PowerChute shows it. Whether the first number in brackets is the UPS ID is [?], so it is not taken for one.
_WITH_MCU = re.compile(
    r"UPS\s+(?P<version>[0-9]{1,3}\.[0-9]{1,3})\s*/\s*MCU\s+[0-9]{1,3}\.[0-9]{1,3}\s*\([0-9 -]{1,20}\)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class UpsFirmware:
    """``version`` compares only with versions of the same ``id``. ``text``: the version as the maker writes it."""

    raw: str | None = None
    version: Version | None = None
    id: int | None = None
    text: str | None = None

    @property
    def shown(self) -> str | None:
        """``UPS 09.2 (ID18)``; None without a version."""
        if self.text is None:
            return None
        return f"UPS {self.text}" + (f" (ID{self.id})" if self.id is not None else "")


def parse_firmware(raw: str | None) -> UpsFirmware:
    """Total. Older texts (``617.3.I``, ``4.1``) have no version that could be compared: only ``raw`` is kept."""
    if raw is None or len(raw) > MAX_TEXT:
        return UpsFirmware(raw)
    cleaned = raw.strip()
    for pattern in (_WITH_ID, _WITHOUT_ID, _WITH_MCU):
        match = pattern.fullmatch(cleaned)
        if match is None:
            continue
        fields = match.groupdict()
        number = fields.get("id") or fields.get("bare")
        text = fields["version"]
        return UpsFirmware(raw, Version.parse(text), int(number) if number is not None else None, text)
    return UpsFirmware(raw)


# --- SKU and model --------------------------------------------------------------------------------------------------
# Families that the AP9624 bulletin speaks about.
CONCERNED = ("SMT", "SMX", "SRT")
# The closed list of those that it does not: other Smart-UPS, Symmetra and Back-UPS families.
NOT_CONCERNED = (
    *("SMTL", "SMC", "SUA", "SUM", "SU", "SURT", "SURTA", "SURTD", "SUOL", "SUVS"),
    *("SYA", "SYH", "SYCF", "SYMMETRA"),
    *("BK", "BE", "BX", "BR", "BACK-UPS"),
)
# Made for others: family and size cannot be read off the name.
OEM = ("DLT", "DLX", "FJX", "FJM", "NMM", "NMX", "HTX", "HTM")
_PREFIXES = sorted((*CONCERNED, *NOT_CONCERNED, *OEM), key=len, reverse=True)

_SKU = re.compile(r"(?P<letters>[A-Z]+)(?P<va>[0-9]{1,5})(?P<kilo>K)?(?P<rest>(?:[A-Z-][A-Z0-9-]*)?)")
_RACK_UNITS = re.compile(r"RM[A-Z]{0,4}(?P<units>[1-9])U")
_RACK_SHORT = re.compile(r"R(?P<units>[1-9])(?![0-9]*U)")
# What may follow the size of a tower: voltage and region letters, C or NC, and the number of a special build.
_TOWER = re.compile(r"(?:(?!RM)[A-Z]){0,5}(?:X[0-9]{1,4})?")
_CONNECTED = re.compile(r"(?<!N)C(?:NC)?(?:X[0-9]{1,4})?\Z")

_MODELS: tuple[tuple[re.Pattern[str], str | None], ...] = (
    (re.compile(r"smart-ups x ([0-9]{3,5})(?: .*)?"), "SMX"),
    (re.compile(r"smart-ups srt ([0-9]{3,5})(?: .*)?"), "SRT"),
    (re.compile(r"symmetra\b.*?()"), "SYMMETRA"),
    (re.compile(r"back-ups\b.*?()"), "BACK-UPS"),
    # SMT, SUA and SU alike.
    (re.compile(r"smart-ups ([0-9]{3,5})(?: .*)?"), None),
)


@dataclass(frozen=True)
class Product:
    """``family`` None: not known. ``form``: None unless the SKU proves it. ``connected``: SmartConnect (C), whose
    firmware is another line."""

    family: str | None = None
    oem: bool = False
    rated_va: int | None = None
    form: str | None = None
    connected: bool = False


def parse_sku(sku: str | None) -> Product:
    """By the vendor's grammar; nothing that the text does not prove."""
    text = (sku or "").strip()
    # Asked before upper(), which turns some letters of other scripts into ASCII ones.
    cleaned = text.upper() if text.isascii() and len(text) <= MAX_TEXT else ""
    match = _SKU.fullmatch(cleaned)
    if match is None:
        return Product()
    letters, rest = match["letters"], match["rest"]
    # The longest known prefix is the family (SMTL before SMT), and the size follows it at once.
    prefix = next((item for item in _PREFIXES if letters.startswith(item)), None)
    if prefix in OEM:
        return Product(oem=True)
    if prefix != letters:
        return Product()
    rated_va = int(match["va"]) * (1000 if match["kilo"] else 1)
    return Product(
        family=prefix,
        rated_va=rated_va if 100 <= rated_va <= 1_000_000 else None,
        form=_form(rest),
        connected=_CONNECTED.search(rest) is not None,
    )


def _form(rest: str) -> str | None:
    found = _RACK_UNITS.search(rest) or _RACK_SHORT.match(rest)
    if found is not None:
        return f"{found['units']}u"
    return "tower" if _TOWER.fullmatch(rest) and "R" not in rest else None


def parse_model(model: str | None) -> Product:
    """The model's text is spaced oddly and mostly ambiguous: a family only where it has no other meaning."""
    cleaned = " ".join((model or "")[:MAX_TEXT].split()).lower()
    for pattern, family in _MODELS:
        match = pattern.fullmatch(cleaned)
        if match is not None:
            return Product(family=family, rated_va=int(match[1]) if match[1] else None)
    return Product()


# --- the whole unit -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class OutletGroup:
    index: int
    name: str | None = None
    state: Reading[OutletState] = unknown()
    type: Reading[OutletType] = unknown()


@dataclass(frozen=True)
class UpsState:
    """One snapshot. ``objects_answered``: the unit answered at least one object of the UPS's tree."""

    objects_answered: bool = False
    model: str | None = None
    name: str | None = None
    sku: str | None = None
    serial: str | None = None
    firmware: UpsFirmware = field(default_factory=UpsFirmware)
    manufactured: str | None = None
    hardware_revision: str | None = None
    rating: str | None = None
    status: Reading[Status] = unknown()
    comm: Reading[UpsComm] = unknown()
    flags: Flags = field(default_factory=Flags)
    battery_status: Reading[BatteryStatus] = unknown()
    battery_percent: Reading[int] = unknown()
    runtime_s: Reading[int] = unknown()
    replace_battery: Reading[YesNo] = unknown()
    self_test: Reading[SelfTest] = unknown()
    calibration: Reading[Calibration] = unknown()
    input_voltage_v: Reading[int] = unknown()
    output_voltage_v: Reading[int] = unknown()
    load_percent: Reading[float] = unknown()
    # Absent is unknown, never 0.
    outlet_count: Reading[int] = unknown()
    outlet_groups: tuple[OutletGroup, ...] = ()
    firmware_update: Reading[FirmwareUpdate] = unknown()
    # What is shown and judged by nothing: name -> reading.
    others: tuple[tuple[str, Reading[Any]], ...] = ()

    @property
    def product(self) -> Product:
        """Family, size and form from the SKU; where there is none, what the model alone says."""
        by_sku = parse_sku(self.sku)
        by_model = parse_model(self.model)
        if by_sku.oem:
            return by_sku
        if by_sku.family is None:
            return by_model
        return by_sku
