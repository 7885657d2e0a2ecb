# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the histories that ran, over all workers, and says so at the end."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "utils"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    total, states = 0, Counter[str]()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in getattr(report, "user_properties", []):
            if name == "histories" and report.when == "call":
                total += value
            if name == "states" and report.when == "call":
                states.update(value)
    if total:
        ends = ", ".join(f"{name} {count}" for name, count in states.most_common())
        terminalreporter.write_line(f"random histories run: {total}; their steps ended: {ends}")
