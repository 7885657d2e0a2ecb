# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bulletins about Rack ATS firmware mean for one unit, as sentences. Private to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import (
    APP_TOKENS,
    FA156178_MODELS,
    GEN1_NEVER_3X,
    UPGRADE_DAMAGES,
    Generation,
    ats_generation,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

ExposureStatus = Literal["use_guarded_upgrade", "never_3x", "not_covered", "unknown"]

# A model of the maker's naming. What is none, says nothing about what the bulletins list.
_MODEL = re.compile(r"AP[0-9]{4}[A-Z]{0,3}")
_FIRST_3X = Version((3,))
GUARDED = "dcops.apc.ats_firmware_upgrade"


@dataclass(frozen=True)
class Exposure:
    """``applies`` None: it cannot be told."""

    bulletin: str
    applies: bool | None
    text: str


@dataclass(frozen=True)
class AtsExposure:
    status: ExposureStatus
    exposures: tuple[Exposure, Exposure]


def ats_exposure(
    model: str | None,
    app_token: str | None,
    aos: Version | None,
    app: Version | None,
    controller_comm: str | None,
) -> AtsExposure:
    """``controller_comm`` is the word of ats_info. The exact model decides: one letter separates the generations."""
    name = (model or "").strip()
    name = name.upper() if name.isascii() else ""
    by_model = ats_generation(name, None)
    seen = ats_generation(name, app_token)
    comm = _communication(controller_comm)
    if by_model == "gen1":
        return _generation_1(name, app_token, aos, app, comm)
    if by_model == "gen2" and seen == "gen2":
        return _generation_2(name, comm)
    if by_model == "unknown":
        return _other(name, app_token, comm)
    if seen == "unknown":
        return _unknown(f"The model {name} and the application {app_token} contradict each other.", comm)
    return _not_covered(name, by_model, comm)


def _communication(word: str | None) -> str:
    if word == "established":
        return ""
    if word in ("lost", "never_discovered"):
        said = "is lost" if word == "lost" else "was never established"
        return f" Communication with the switch controller {said}: diagnose before any upgrade."
    return " Whether the card reaches the switch controller was not read: find out before any upgrade."


def _generation_1(name: str, app_token: str | None, aos: Version | None, app: Version | None, comm: str) -> AtsExposure:
    too_new = [
        f"{what} {version}" for what, version in (("AOS", aos), ("app", app)) if version and version >= _FIRST_3X
    ]
    if app_token is not None and app_token.strip().lower() == APP_TOKENS["gen2"]:
        too_new.append(f"the application {APP_TOKENS['gen2']} of generation 2")
    if too_new:
        text = (
            f"DANGER: {name} is generation 1 and reports {' and '.join(too_new)}. 3.x must never be on such a unit. "
            "Send nothing to it and do not restart it before its model is read from the name plate."
        )
    else:
        text = f"{name} is generation 1: it must never get firmware 3.x. This collection never writes to it."
    return AtsExposure(
        "never_3x",
        (
            Exposure(UPGRADE_DAMAGES, False, f"{name} is generation 1, which this bulletin is not about."),
            Exposure(GEN1_NEVER_3X, True, text + comm),
        ),
    )


def _generation_2(name: str, comm: str) -> AtsExposure:
    named = "" if name in FA156178_MODELS else f" The bulletin does not list {name}; it is treated as if it did."
    text = f"covered: use the guarded upgrade ({GUARDED}).{named}{comm}"
    return AtsExposure(
        "use_guarded_upgrade",
        (
            Exposure(UPGRADE_DAMAGES, True, text),
            Exposure(GEN1_NEVER_3X, False, f"{name} is generation 2, for which 3.x is made."),
        ),
    )


def _not_covered(name: str, generation: Generation, comm: str) -> AtsExposure:
    line = f" ({generation.upper()} line)" if generation in ("4g", "5g") else ""
    return AtsExposure(
        "not_covered",
        (
            Exposure(UPGRADE_DAMAGES, False, f"{name}{line} is not a model that this bulletin lists.{comm}"),
            Exposure(GEN1_NEVER_3X, False, f"{name}{line} is not a generation 1 AP77xx."),
        ),
    )


def _other(name: str, app_token: str | None, comm: str) -> AtsExposure:
    token = (app_token or "").strip().lower()
    if token == APP_TOKENS["gen2"]:
        return _unknown(f"The application {token} is generation 2's, but the model is not known.", comm)
    if _MODEL.fullmatch(name) and not name.startswith("AP77"):
        return _not_covered(name, "unknown", comm)
    return _unknown("The model could not be read." if not name else "The model is not a known one.", comm)


def _unknown(why: str, comm: str) -> AtsExposure:
    return AtsExposure(
        "unknown",
        (
            Exposure(UPGRADE_DAMAGES, None, f"{why} Treat it as covered until the name plate was read.{comm}"),
            Exposure(GEN1_NEVER_3X, None, f"{why} Never send 3.x before the name plate was read."),
        ),
    )
