# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firmware files by their names, packages of them, and whether a package fits a device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

Kind = Literal["aos", "bootmon", "app"]

_MAX_NAME = 100
_FLAGS = re.IGNORECASE | re.ASCII  # ASCII: else a long s would pass for an s
# apc_hw02_g2ats_392.bin (NMC1, NMC2), apc_hw21_su_2.5.0.6.bin (NMC3: the dots stay): sysDescr of real cards.
_NAME = re.compile(r"apc_(hw[0-9]{2})_([a-z][a-z0-9]{1,15})_([0-9][0-9a-z.]{1,20})\.bin", _FLAGS)
# aos309a.bin, ms225a.bin: AP9606 and its time, no hardware in the name; fact: its sysDescr.
_OLD_NAME = re.compile(r"([a-z]{2,10})([0-9]{3}[a-z]?)\.bin", _FLAGS)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class PackageError(Exception):
    """The package cannot be used; the message is meant for a person and never holds a secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.kind = "package"
        self.message = message


@dataclass(frozen=True)
class FirmwareName:
    file: str
    hardware: str | None
    kind: Kind
    token: str
    version: Version


@dataclass(frozen=True)
class FirmwareFile(FirmwareName):
    size: int
    sha256: str

    @classmethod
    def of(cls, name: FirmwareName, size: int, sha256: str) -> FirmwareFile:
        return cls(name.file, name.hardware, name.kind, name.token, name.version, size, sha256)

    def to_result(self) -> dict[str, object]:
        return {
            "file": self.file,
            "hardware": self.hardware,
            "kind": self.kind,
            "name": self.token,
            "version": str(self.version),
            "size": self.size,
            "sha256": self.sha256,
        }


def parse_name(name: object) -> FirmwareName | None:
    """What a file's name says about it; None for a name that is not one of the vendor's firmware files."""
    if not isinstance(name, str) or len(name) > _MAX_NAME:
        return None
    hardware: str | None = None
    if match := _NAME.fullmatch(name):
        hardware, token, digits = match.group(1).lower(), match.group(2).lower(), match.group(3)
    elif match := _OLD_NAME.fullmatch(name):
        token, digits = match.group(1).lower(), match.group(2)
    else:
        return None
    version = Version.from_digits(digits)
    if version is None:
        return None
    kind: Kind = "app"
    if token == "aos":
        kind = "aos"
    elif token == "bootmon":
        kind = "bootmon"
    return FirmwareName(name, hardware, kind, token, version)


@dataclass(frozen=True)
class FirmwarePackage:
    """What was found in one place. ``ignored`` are the names beside the firmware files, cleaned for display."""

    modules: tuple[FirmwareFile, ...]
    source: str
    ignored: tuple[str, ...] = ()

    def _single(self, kind: Kind) -> FirmwareFile | None:
        found = [module for module in self.modules if module.kind == kind]
        return found[0] if len(found) == 1 else None

    @property
    def aos(self) -> FirmwareFile | None:
        return self._single("aos")

    @property
    def app(self) -> FirmwareFile | None:
        return self._single("app")

    @property
    def bootmon(self) -> FirmwareFile | None:
        return self._single("bootmon")

    @property
    def hardware(self) -> str | None:
        tokens = {module.hardware for module in self.modules}
        return tokens.pop() if len(tokens) == 1 else None

    @property
    def package_name(self) -> str | None:
        """The vendor's name of this pair, as in its bulletins: ``apc_hw02_aos392_g2ats392``."""
        if self.aos is None or self.app is None or self.hardware is None:
            return None
        return f"apc_{self.hardware}_aos{_digits(self.aos)}_{self.app.token}{_digits(self.app)}"

    @property
    def problems(self) -> tuple[str, ...]:
        """Why this is not one complete pair of AOS and app, as sentences; empty when it is."""
        found: list[str] = []
        for kind, words in (("aos", "AOS"), ("app", "application"), ("bootmon", "boot monitor")):
            files = [module.file for module in self.modules if module.kind == kind]
            if not files and kind != "bootmon":
                found.append(f"The package has no {words} file.")
            elif len(files) > 1:
                found.append(f"The package has {len(files)} {words} files ({', '.join(files)}); give exactly one.")
        tokens = sorted({module.hardware or "none" for module in self.modules})
        if len(tokens) > 1:
            found.append(f"The files are made for different hardware ({', '.join(tokens)}).")
        elif tokens == ["none"]:
            found.append("The file names do not say for which hardware they are made.")
        found.extend(f"{module.file} is empty." for module in self.modules if module.size <= 0)
        found.extend(
            f"{name} is not used: its name or place is not that of a firmware file. Take it away or name the files."
            for name in self.ignored
            # Hidden files are what desktop systems leave beside the real ones (._x.bin), never the vendor's.
            if name.lower().endswith(".bin") and not re.split(r"[/\\]", name)[-1].startswith(".")
        )
        return tuple(found)


def _digits(module: FirmwareFile) -> str:
    return "".join(str(part) for part in module.version.parts) + module.version.suffix


def check_checksums(package: FirmwarePackage, checksums: Mapping[str, object] | None) -> list[str]:
    """Compares with a manifest (file name -> sha256). None or an empty one: none was given."""
    if not checksums:
        return []
    problems: list[str] = []
    names = {module.file for module in package.modules}
    for name, wanted in checksums.items():
        if name not in names:
            problems.append(f"The checksums name {harmless(name, 120)}, which is not a firmware file of the package.")
        elif not _SHA256.fullmatch(str(wanted).strip().lower()):
            problems.append(f"The checksum given for {name} is not a sha256 (64 hexadecimal digits).")
    for module in package.modules:
        given = checksums.get(module.file)
        if given is None:
            problems.append(f"The checksums do not name {module.file}.")
            continue
        digest = str(given).strip().lower()
        if _SHA256.fullmatch(digest) and digest != module.sha256.lower():
            problems.append(f"The sha256 of {module.file} is {module.sha256}, not the one that was given.")
    return problems


def check_package(
    package: FirmwarePackage,
    *,
    installed_hardware: str | None,
    installed_app_token: str | None,
    installed_aos: Version | None,
    installed_app: Version | None,
    allow_downgrade: bool = False,
    checksums: Mapping[str, object] | None = None,
    app_present: bool = True,
) -> list[str]:
    """The interlock's check ``package`` (SAFETY.md, section 3), as sentences; empty means that it fits.

    ``installed_app_token`` is AN1's, or the model's where AN1 is absent; then the caller says ``app_present=False``,
    and only then the installed app may have no version. ``allow_downgrade`` never excuses an unknown one.
    """
    problems = list(package.problems)
    problems += _other_hardware(package, (installed_hardware or "").lower())
    problems += _other_application(package, (installed_app_token or "").lower())
    for words, kind, installed in (("AOS", "aos", installed_aos), ("application", "app", installed_app)):
        if installed is not None:
            problems += [] if allow_downgrade else _downgrades(package, words, kind, installed)
        elif kind == "aos" or app_present:
            problems.append(f"The installed {words}'s version is not known, so a downgrade cannot be ruled out.")
    problems.extend(check_checksums(package, checksums))
    return problems


def _other_hardware(package: FirmwarePackage, hardware: str) -> list[str]:
    if not hardware:
        return ["The card's hardware is not known (no AOS file name in its description)."]
    return [
        f"{module.file} is made for {module.hardware}; the card is {harmless(hardware, 120)}."
        for module in package.modules
        if module.hardware is not None and module.hardware != hardware
    ]


def _other_application(package: FirmwarePackage, token: str) -> list[str]:
    if not token:
        return ["The application that belongs on this device is not known."]
    return [
        f"{module.file} is the application {module.token}; the device's is {harmless(token, 120)}."
        for module in package.modules
        if module.kind == "app" and module.token != token
    ]


def _downgrades(package: FirmwarePackage, words: str, kind: str, installed: Version) -> list[str]:
    return [
        f"{module.file} is a downgrade: {words} {installed} is installed."
        for module in package.modules
        if module.kind == kind and module.version < installed
    ]
