# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's bulletins about Rack ATSs: one row each, with its models, its packages and all its words.

Generation and exposure of a unit, the report's page, its rules and the check of a merged report walk these rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

Generation = Literal["gen1", "gen2", "4g", "5g", "unknown"]
AtsStatus = Literal["use_guarded_upgrade", "never_3x"]

GUARDED_PLAYBOOK = "dcops.apc.ats_firmware_upgrade"


@dataclass(frozen=True)
class Bulletin:
    """One bulletin. ``generation``: whose units it is about, also those that ``models`` does not list; ``packages``:
    those that it names (others are not thereby safe). ``status``: what a unit is in a report to which it applies, with
    the meaning of that status; None: the bulletin informs and changes no status. ``never``: the first version that
    must never run on such a unit.

    Sentences may hold {name}, the model. ``applies``: for a unit that it is about; ``unlisted`` beside that where it
    does not list the model; ``forbidden`` instead, with {found}, where what must never run does. ``spared``: for a unit
    of a generation that it is not about, ``otherwise`` for those that have no sentence there. ``doubt``: behind the
    reason why it cannot be told.
    """

    id: str
    about: str
    source: str
    generation: Generation
    applies: str
    otherwise: str
    doubt: str
    models: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    status: AtsStatus | None = None
    meaning: str = ""
    unlisted: str = ""
    never: Version | None = None
    forbidden: str = ""
    spared: Mapping[Generation, str] = field(default_factory=dict)


# The most serious first: it gives a unit its status, and the state of its communication is said beside it.
BULLETINS: tuple[Bulletin, ...] = (
    Bulletin(
        "FA156178",
        about="firmware upgrades can destroy second-generation AP77xx Rack ATS",
        source="BULLETINS.md, FA156178, products and packages affected: all versions, all serial numbers [V]",
        generation="gen2",
        models=(
            *("AP7721", "AP7722A", "AP7723", "AP7724", "AP7730", "AP7731", "AP7732", "AP7750A"),
            *("AP7752", "AP7752J", "AP7753"),
        ),
        packages=(
            "apc_hw02_aos357_g2ats357",
            "apc_hw02_aos374_g2ats370",
            "apc_hw02_aos374_g2ats371",
            "apc_hw02_aos390_g2ats390",
            "apc_hw02_aos390_g2ats392",
        ),
        status="use_guarded_upgrade",
        meaning=f"Rack ATS covered by FA156178. Upgrade it only with {GUARDED_PLAYBOOK}.",
        applies=f"covered: use the guarded upgrade ({GUARDED_PLAYBOOK}).",
        unlisted="The bulletin does not list {name}; it is treated as if it did.",
        spared={"gen1": "{name} is generation 1, which this bulletin is not about."},
        otherwise="{name} is not a model that this bulletin lists.",
        doubt="Treat it as covered until the name plate was read.",
    ),
    Bulletin(
        "FA156135",
        about="first-generation AP77xx Rack ATS must never get firmware 3.x",
        source="BULLETINS.md, FA156135: removable card, firmware 2.6.1; every other AP77xx is generation 2 [V]",
        generation="gen1",
        models=("AP7701", "AP7722", "AP7750", "AP7751"),
        status="never_3x",
        meaning="Generation 1 Rack ATS. Firmware 3.x must never be installed on it (FA156135).",
        applies="{name} is generation 1: it must never get firmware 3.x. This collection never writes to it.",
        never=Version((3,)),
        forbidden="DANGER: {name} is generation 1 and reports {found}. 3.x must never be on such a unit. "
        "Send nothing to it and do not restart it before its model is read from the name plate.",
        spared={"gen2": "{name} is generation 2, for which 3.x is made."},
        otherwise="{name} is not a generation 1 AP77xx.",
        doubt="Never send 3.x before the name plate was read.",
    ),
)
# FA156201 (a second switch within 30 s may damage the unit) is about a procedure, not about units: SAFETY 3 and 6.

# The application that belongs to a generation. Generation 1's and 5G's are not known, so no token proves those.
APP_TOKENS: dict[Generation, str] = {
    "gen2": "g2ats",  # sysDescr of real AP7750A, AP7724; the packages named by FA156178
    "4g": "ats4g",  # sysDescr of a real AP4423
}

_GEN2_MODEL = re.compile(r"AP77[0-9]{2}[A-Z]?")
_4G_MODEL = re.compile(r"AP44[0-9]{2}")
_5G_MODEL = re.compile(r"AP44[0-9]{2}A")


@dataclass(frozen=True)
class BulletinHit:
    """A bulletin that applies to a package. Not ``named``: our inference, the bulletin does not list it."""

    id: str
    named: bool

    def to_result(self) -> dict[str, object]:
        return {"id": self.id, "named": self.named}


def model_name(model: str | None) -> str:
    text = (model or "").strip()
    return text.upper() if text.isascii() else ""


def _generation_of(model: str) -> Generation:
    # One letter decides between the first two generations, so the lists come first.
    listed = next((row.generation for row in BULLETINS if model in row.models), None)
    if listed is not None:
        return listed
    if _GEN2_MODEL.fullmatch(model):
        return "gen2"
    if _4G_MODEL.fullmatch(model):
        return "4g"
    if _5G_MODEL.fullmatch(model):
        return "5g"
    return "unknown"


def ats_generation(model: str | None, app_token: str | None) -> Generation:
    """From the exact model and the application together (SAFETY.md 1.6); a contradiction is unknown.

    ``app_token`` None means that no application was seen: the model alone speaks, and the caller has to say so.
    """
    generation = _generation_of(model_name(model))
    if app_token is None or generation == "unknown":
        return generation
    token = app_token.strip().lower()
    own = APP_TOKENS.get(generation)
    fits = token == own if own is not None else token != "" and token not in APP_TOKENS.values()
    return generation if fits else "unknown"


def app_token_of(model: str | None) -> str | None:
    """The application that belongs on this model; None where that is not known."""
    return APP_TOKENS.get(_generation_of(model_name(model)))


def about_packages_of(app_token: str | None) -> Bulletin | None:
    """The bulletin whose units take this application and which names packages."""
    return next(
        (row for row in BULLETINS if row.packages and app_token and APP_TOKENS.get(row.generation) == app_token), None
    )


def package_bulletin(app_token: str | None, package_name: str | None) -> BulletinHit | None:
    """The bulletin about a package: any with the application of its units is covered, named (with or without
    ``.exe``) or not."""
    row = about_packages_of(app_token)
    if row is None:
        return None
    return BulletinHit(row.id, (package_name or "").strip().lower().removesuffix(".exe") in row.packages)
