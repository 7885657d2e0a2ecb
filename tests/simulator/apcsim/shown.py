# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The serials as the unit shows them, where a file that was installed changed what they read [?]."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Unit

JUNK_SERIAL = "FFFFFFFFFFFF"


def other_serial(serial: str) -> str:
    """Another one that could be true: the last place counted on."""
    last = serial[-1:]
    return serial[:-1] + (str((int(last) + 1) % 10) if last.isdigit() else "7")


class Shown:
    """None: the true one."""

    def __init__(self) -> None:
        self.card: str | None = None
        self.unit: str | None = None

    def installed(self, kind: str, unit: Unit) -> None:
        mode = unit.knobs.serial_after_file
        if mode == "same" or (kind == "aos") != (unit.knobs.serial_after_which == "aos"):
            return
        value = JUNK_SERIAL if mode.endswith("junk") else other_serial(unit.serial)
        if mode.startswith(("card", "both")):
            self.card = value
        if mode.startswith(("unit", "both")):
            self.unit = value
