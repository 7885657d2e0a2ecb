# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another unit at the address, at a time or between two runs."""

from __future__ import annotations

import random
from typing import Any

from apcsim.model import Unit as Device

OTHERS = ("ap7724", "ap7723", "ap7750a")


def draw(rng: random.Random) -> dict[str, Any]:
    """What may be there afterwards: the same model or another, another serial always, its own or no card serial."""
    what: dict[str, Any] = {"how": rng.choice(["address", "replaced"]), "device": rng.choice([None, *OTHERS])}
    what["card_sn"] = rng.choice(["same", "same", "junk", "absent"])
    if rng.random() < 0.3:
        what["called"] = "ats-spare"
    return what


def at(unit: Device, time_s: float, /, **what: Any) -> None:
    unit.fault("unit_swapped", at_s=time_s, **what)


def between_runs(unit: Device, /, **what: Any) -> tuple[str, str]:
    """(serial before, serial after)"""
    before = unit.serial
    unit.swap(**what)
    return before, unit.serial
