# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A UPS firmware file, by its name, and whether it belongs on a unit.

Facts: UPS.md "Updating UPS firmware through the card". The inside of such a file is not public: nothing is read of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624_table import line_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import UpsFirmware
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

_NAME = re.compile(r"([A-Z]{2,6})([1-9][0-9]{0,4})UPS_([0-9]{1,2})-([0-9]{1,2})\.enc", re.ASCII)
FORM = "<SERIES><ID>UPS_<major>-<minor>.enc, such as SMT20UPS_10-1.enc"
# Known files are some hundred kilobytes.
LEAST_BYTES = 1024
_OTHERS = (b"PK\x03\x04", b"MZ", b"\x1f\x8b", b"\x7fELF", b"%PDF", b"Rar!", b"7z\xbc\xaf")
_PRINTABLE = frozenset(range(32, 127)) | frozenset(b"\t\r\n\f")
_LOOKED_AT = 4096
# Where the table does not say that it takes updates, firmware of this major version is taken to refuse them: of most
# IDs it does, of the rest nothing is known.
OFTEN_REFUSED = 15
MENU = 'the menu "Firmware Update Interfaces" on its LCD'


@dataclass(frozen=True)
class UpdateFile:
    name: str
    series: str
    id: int
    version: Version
    size: int
    sha256: str

    @property
    def shown(self) -> str:
        return f"UPS {_padded(self.version)} (ID{self.id})"


def _padded(version: Version) -> str:
    major, minor = version.parts[0], version.parts[1]
    return f"{major:02d}.{minor}"


def parse_update_name(name: str) -> tuple[str, int, Version]:
    """(series, ID, version). Raises PackageError with the form that is wanted."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise PackageError(f"'{name[:80]}' is not the name of a UPS firmware file: {FORM}.")
    return match[1], int(match[2]), Version((int(match[3]), int(match[4])))


def problem_of_content(data: bytes) -> str:
    """What plainly is no firmware: a login page, a pointer of git-lfs, an archive. The inside itself is not public."""
    if len(data) < LEAST_BYTES:
        return f"has {len(data)} bytes only"
    if data.startswith(_OTHERS):
        return "is an archive, a program or a document, and no firmware file"
    if all(byte in _PRINTABLE for byte in data[:_LOOKED_AT]):
        return "holds text, such as the page of a login, and no firmware"
    return ""


def problems_of(file: UpdateFile, installed: UpsFirmware, wanted: Version | None, checksum: str | None) -> list[str]:
    """Why this file must not go to this unit; empty if it may."""
    found = []
    if installed.id is None or installed.version is None:
        found.append(f"the unit's firmware '{(installed.raw or '').strip()[:60]}' shows no version with an ID")
    elif file.id != installed.id:
        found.append(f"{file.name} is for ID{file.id}, the unit's firmware is ID{installed.id}")
    elif file.version <= installed.version:
        found.append(f"{file.shown} is not newer than {installed.shown}: a downgrade is never sent")
    if wanted is not None and file.version != wanted:
        found.append(f"{file.name} is not the wanted version {wanted}")
    if checksum is not None and checksum.strip().lower() != file.sha256:
        found.append(f"the SHA-256 of {file.name} is {file.sha256}, not the one given")
    return found


def bears_output_on(installed: UpsFirmware) -> bool:
    """May this unit be updated with its output on? Only by the table: every other is updated with the output off."""
    line = line_of(installed.id)
    least = Version.parse(line.output_on_from) if line is not None else None
    return least is not None and installed.version is not None and installed.version >= least


def why_no_updates(installed: UpsFirmware) -> str:
    """Why the installed firmware takes no update through the card, or may not; empty where it does."""
    version, line = installed.version, line_of(installed.id)
    if version is None:
        return "no version that tells whether it takes updates through the card"
    row = line.updates if line is not None else None
    off, on_from = (Version.parse(row.off), Version.parse(row.on_from)) if row is not None else (None, None)
    if on_from is not None and version >= on_from:
        return ""
    if row is not None and off is not None and version >= off:
        if row.menu:
            return f"{MENU} decides whether it takes updates through the card, and cannot be read from here"
        until = f"until {row.on_from}" if row.on_from else "on, and no version is known that takes them again"
        return f"refuses updates through the card from {row.off} {until}; look at {MENU}"
    if version.parts[0] == OFTEN_REFUSED:
        return f"many versions {OFTEN_REFUSED}.x refuse updates through the card; look at {MENU}"
    return ""


def expected_ids(installed_id: int) -> frozenset[int]:
    """The IDs that may run afterwards."""
    line = line_of(installed_id)
    return frozenset({installed_id, line.becomes if line is not None and line.becomes else installed_id})
