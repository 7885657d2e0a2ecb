# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is this unit one that may be written to, does the package fit it, and has anybody else had a hand on it?

SAFETY 1.6, the row "package" of 3, and 7 ("the device is watched too").
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import app_token_of, ats_generation
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwarePackage, check_package
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity
from ansible_collections.dcops.apc.plugins.module_utils._domain.uptime import restarted
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found


@lru_cache(maxsize=64)
def covered(card: CardIdentity, model: str | None) -> Found:
    """Writes go only to gen-2 AP77xx: exact model and app together; without an app, exact model and hw02."""
    if card.oddly_simulated:
        return Found(False, "it declares itself simulated in a form that is not understood")
    generation = ats_generation(model, card.app_token)
    if generation != "gen2":
        return Found(False, f"{model or 'unknown model'} is not covered by this procedure ({generation})")
    if card.app_token is None and card.hardware != "hw02":
        return Found(False, f"{model} shows no app and its card is {card.hardware or 'unknown'}, not hw02")
    return Found(True, f"{model}, app {card.app_token or 'absent'}")


def package_fits(
    package: FirmwarePackage | None,
    card: CardIdentity,
    model: str | None,
    allow_downgrade: bool,
    checksums: Mapping[str, str],
) -> Found:
    return _fits(package, card, model, allow_downgrade, tuple(checksums.items()))


# Asked at every sample of a run.
@lru_cache(maxsize=64)
def _fits(
    package: FirmwarePackage | None,
    card: CardIdentity,
    model: str | None,
    allow_downgrade: bool,
    checksums: tuple[tuple[str, str], ...],
) -> Found:
    if package is None:
        return Found(False, "no package given")
    problems = check_package(
        package,
        installed_hardware=card.hardware,
        installed_app_token=card.app_token or app_token_of(model),
        installed_aos=card.aos.version,
        installed_app=card.app.version,
        allow_downgrade=allow_downgrade,
        checksums=dict(checksums),
        app_present=card.app_token is not None,
    )
    shown = f"AOS {package.aos.version}, app {package.app.version}" if package.aos and package.app else "incomplete"
    return Found(not problems, "; ".join(problems) or shown)


CARD = "card serial"


def names_of(sample: Sample) -> dict[str, str]:
    """What the unit calls itself in this reading, of what does not change by itself."""
    shown = {CARD: sample.identity.serial, "ATS serial": sample.ats.serial, "model": sample.ats.model}
    return {what: name for what, name in shown.items() if name}


def another_unit(known: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Names what shows that another unit answers than the one that is known; empty if nothing does."""
    for what, old in known.items():
        new = names.get(what, old)
        if new != old:
            return f"another unit answers: its {what} was {old[:40]}, now {new[:40]}"
    return ""


def other_firmware(old: CardIdentity, new: CardIdentity) -> str:
    """Over a restart that is tolerated: an app may show itself a little later, but never as another one."""
    for kind, was, now in (("AOS", old.aos, new.aos), ("app", old.app, new.app)):
        if was.file and now.file and (was.file, was.version) != (now.file, now.version):
            return f"the {kind} changed from {was.version} to {now.version}, and not by this run"
    return ""


def foreign_hand(before: Sample, sample: Sample, sent_nothing: bool, restarts_tolerated: bool = False) -> str:
    """What changed between two samples without this run's doing; only asked while no restart of its own is due.

    ``restarts_tolerated``: a restart is none of it, nor that the app shows itself a little after it.
    """
    old, new = before.identity, sample.identity
    if restarts_tolerated:
        other = other_firmware(old, new)
        if other:
            return other
    elif restarted(before, sample):
        return "the card restarted, and not by this run"
    elif (old.aos.file, old.app.file) != (new.aos.file, new.app.file):
        return "the firmware changed, and not by this run"
    transfers = (before.last_transfer, sample.last_transfer)
    if sent_nothing and None not in transfers and transfers[0] != transfers[1]:
        return "the card's last-transfer result changed, and not by this run"
    return ""
