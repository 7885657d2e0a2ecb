# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bulletins about Rack ATS firmware mean for one unit, as sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import (
    APP_TOKENS,
    BULLETINS,
    AtsStatus,
    Bulletin,
    Generation,
    ats_generation,
    model_name,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

ExposureStatus = Literal[AtsStatus, "not_covered", "unknown"]

# A model of the maker's naming. What is none, says nothing about what the bulletins list.
_MODEL = re.compile(r"AP[0-9]{4}[A-Z]{0,3}")
_LINES: dict[Generation, str] = {"4g": " (4G line)", "5g": " (5G line)"}


@dataclass(frozen=True)
class Exposure:
    """``applies`` None: it cannot be told."""

    bulletin: str
    applies: bool | None
    text: str


@dataclass(frozen=True)
class AtsExposure:
    """One exposure for every row of BULLETINS, in their order."""

    status: ExposureStatus
    exposures: tuple[Exposure, ...]


@dataclass(frozen=True)
class _Unit:
    name: str
    generation: Generation
    app_token: str | None
    versions: tuple[tuple[str, Version | None], ...]


def ats_exposure(
    model: str | None,
    app_token: str | None,
    aos: Version | None,
    app: Version | None,
    controller_comm: str | None,
) -> AtsExposure:
    """``controller_comm`` is the word of ats_info. The exact model decides: one letter separates the generations."""
    name = model_name(model)
    unit = _Unit(name, ats_generation(name, None), app_token, (("AOS", aos), ("app", app)))
    doubt = _doubt(unit)
    found = tuple(_exposure(row, unit, doubt) for row in BULLETINS)
    status: ExposureStatus = "unknown"
    if not doubt:
        applying = (row.status for row, item in zip(BULLETINS, found, strict=True) if item.applies)
        status = next((word for word in applying if word is not None), "not_covered")
    return AtsExposure(status, _with_communication(found, controller_comm))


def _doubt(unit: _Unit) -> str:
    """Why it cannot be told which generation this is; empty if it can."""
    token = (unit.app_token or "").strip().lower()
    if unit.generation == "unknown":
        if token == APP_TOKENS["gen2"]:
            return f"The application {token} is generation 2's, but the model is not known."
        if _MODEL.fullmatch(unit.name) and not unit.name.startswith("AP77"):
            return ""
        return "The model could not be read." if not unit.name else "The model is not a known one."
    # What a generation 1 must never run may run on it: that is a danger to be named, and no doubt about its model.
    if any(row.never is not None and row.generation == unit.generation for row in BULLETINS):
        return ""
    if ats_generation(unit.name, unit.app_token) == "unknown":
        return f"The model {unit.name} and the application {unit.app_token} contradict each other."
    return ""


def _exposure(row: Bulletin, unit: _Unit, doubt: str) -> Exposure:
    if doubt:
        return Exposure(row.id, None, f"{doubt} {row.doubt}")
    if unit.generation != row.generation:
        text = row.spared.get(unit.generation, row.otherwise)
        return Exposure(row.id, False, text.format(name=f"{unit.name}{_LINES.get(unit.generation, '')}"))
    found = _forbidden(row, unit)
    if found:
        return Exposure(row.id, True, row.forbidden.format(name=unit.name, found=" and ".join(found)))
    unlisted = f" {row.unlisted}" if row.unlisted and unit.name not in row.models else ""
    return Exposure(row.id, True, f"{row.applies}{unlisted}".format(name=unit.name))


def _forbidden(row: Bulletin, unit: _Unit) -> list[str]:
    if row.never is None:
        return []
    found = [f"{what} {version}" for what, version in unit.versions if version and version >= row.never]
    if (unit.app_token or "").strip().lower() == APP_TOKENS["gen2"]:
        found.append(f"the application {APP_TOKENS['gen2']} of generation 2")
    return found


def _with_communication(found: tuple[Exposure, ...], word: str | None) -> tuple[Exposure, ...]:
    """Said once: beside the bulletin that applies, else beside the first."""
    words = _communication(word)
    place = next((number for number, item in enumerate(found) if item.applies), 0)
    return tuple(
        Exposure(item.bulletin, item.applies, item.text + words) if number == place else item
        for number, item in enumerate(found)
    )


def _communication(word: str | None) -> str:
    if word == "established":
        return ""
    if word in ("lost", "never_discovered"):
        said = "is lost" if word == "lost" else "was never established"
        return f" Communication with the switch controller {said}: diagnose before any upgrade."
    return " Whether the card reaches the switch controller was not read: find out before any upgrade."
