# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ATS's settings (A.4), as a person or a flash changes them."""

from __future__ import annotations

from typing import Any

RANGES = ("wide", "medium", "narrow")  # 1, 2, 3


class Settings:
    def __init__(self, facts: dict[str, Any], nominal_v: float) -> None:
        self.preferred: str = facts.get("preferred", "A")
        self.front_panel: int = facts.get("front_panel", 2)
        self.sensitivity: int = facts.get("sensitivity", 1)
        self.transfer_range: int = facts.get("transfer_range", 2)
        self.current_limit_a = float(facts.get("current_limit_a", 16))
        self.line_v = float(facts.get("line_v", nominal_v))
        self.limits = {
            name: float(facts.get(f"{name}_v", spare)) for name, spare in zip(RANGES, (30, 23, 16), strict=True)
        }
        self.changed_s = -1e9

    @property
    def limit_v(self) -> float:
        return self.limits[RANGES[self.transfer_range - 1]]

    def set(self, name: str, value: Any, now_s: float) -> None:
        if name == "preferred":
            if value not in ("A", "B", "none"):
                raise ValueError("preferred_source is A, B or none")
            self.preferred = value
        elif name in ("sensitivity", "front_panel") and value in (1, 2):
            setattr(self, name, value)
        elif name == "transfer_range" and value in (1, 2, 3):
            self.transfer_range = value
        elif name in ("current_limit_a", "line_v") and not isinstance(value, bool) and value > 0:
            setattr(self, name, float(value))
        else:
            raise ValueError(f"no setting {name} = {value!r}")
        self.changed_s = now_s

    def reset(self, now_s: float) -> None:
        """What a flash may leave behind [?]: factory values."""
        self.preferred, self.sensitivity, self.transfer_range, self.front_panel = "A", 2, 2, 2
        self.changed_s = now_s
