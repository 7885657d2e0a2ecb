# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's bulletins about firmware of Rack ATSs, as tables. Private to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Generation = Literal["gen1", "gen2", "4g", "5g", "unknown"]

UPGRADE_DAMAGES = "FA156178"
GEN1_NEVER_3X = "FA156135"
FORCED_SWITCH = "FA156201"

# FA156178, "products affected": all firmware versions, all serial numbers.
FA156178_MODELS = (
    "AP7721",
    "AP7722A",
    "AP7723",
    "AP7724",
    "AP7730",
    "AP7731",
    "AP7732",
    "AP7750A",
    "AP7752",
    "AP7752J",
    "AP7753",
)
# FA156178, the packages that it names. Others are not thereby safe: every upgrade of a listed model is covered.
FA156178_PACKAGES = (
    "apc_hw02_aos357_g2ats357",
    "apc_hw02_aos374_g2ats370",
    "apc_hw02_aos374_g2ats371",
    "apc_hw02_aos390_g2ats390",
    "apc_hw02_aos390_g2ats392",
)
# FA156135: removable card, firmware 2.6.1, must never get 3.x. Every other AP77xx is generation 2: one letter decides.
FA156135_MODELS = ("AP7701", "AP7722", "AP7750", "AP7751")
# FA156201: the ATS waits 30 s before it goes back to the preferred source; a second switch inside them may damage it.
FA156201_WAIT_S = 30.0

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
    """A bulletin that applies. Not ``named``: our inference, the bulletin does not list this model or package."""

    id: str
    named: bool

    def to_result(self) -> dict[str, object]:
        return {"id": self.id, "named": self.named}


def _model(model: str | None) -> str:
    text = (model or "").strip()
    return text.upper() if text.isascii() else ""


def _generation_of(model: str) -> Generation:
    if model in FA156135_MODELS:
        return "gen1"
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
    generation = _generation_of(_model(model))
    if app_token is None or generation == "unknown":
        return generation
    token = app_token.strip().lower()
    own = APP_TOKENS.get(generation)
    fits = token == own if own is not None else token != "" and token not in APP_TOKENS.values()
    return generation if fits else "unknown"


def app_token_of(model: str | None) -> str | None:
    """The application that belongs on this model; None where that is not known."""
    return APP_TOKENS.get(_generation_of(_model(model)))


def ats_upgrade_bulletin(model: str | None) -> BulletinHit | None:
    """The bulletin about upgrading this model. Generation-2 models that are not listed are treated as listed."""
    generation = _generation_of(_model(model))
    if generation == "gen1":
        return BulletinHit(GEN1_NEVER_3X, True)
    if generation == "gen2":
        return BulletinHit(UPGRADE_DAMAGES, _model(model) in FA156178_MODELS)
    return None


def package_named(package_name: str | None) -> bool:
    """Whether FA156178 names this package, with or without ``.exe``."""
    return (package_name or "").strip().lower().removesuffix(".exe") in FA156178_PACKAGES


def package_bulletin(app_token: str | None, package_name: str | None) -> BulletinHit | None:
    """The bulletin about a package: any package with generation 2's application is covered, named or not."""
    if app_token != APP_TOKENS["gen2"]:
        return None
    return BulletinHit(UPGRADE_DAMAGES, package_named(package_name))
