# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statuses of a row, in the order in which a person wants to see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import BULLETINS

Tone = Literal["bad", "warn", "info", "ok", "quiet"]


@dataclass(frozen=True)
class Status:
    """``symbol``: colour alone must not tell two statuses apart. ``always``: shown also when no unit has it."""

    name: str
    label: str
    symbol: str
    tone: Tone
    meaning: str
    always: bool = False


def _meaning(status: str) -> str:
    return " ".join(row.meaning for row in BULLETINS if row.status == status)


def _none_of() -> str:
    ids = [row.id for row in BULLETINS if row.status is not None]
    return f"neither {' nor '.join(ids)}" if len(ids) == 2 else f"none of {', '.join(ids)}"


STATUSES = (
    Status(
        "fix_missing",
        "Fix missing",
        "✗",
        "bad",
        "FA233876 concerns it where an AP9624 is fitted. The firmware with the fix is published and not installed.",
        True,
    ),
    Status(
        "no_published_fix",
        "No published fix",
        "⊘",
        "bad",
        "FA233876 concerns it where an AP9624 is fitted. No firmware with a fix is published.",
        True,
    ),
    Status(
        "unknown",
        "Unknown",
        "?",
        "warn",
        "What the unit says of itself does not suffice for a judgement. Not an all-clear.",
        True,
    ),
    Status("unreachable", "Unreachable", "⚡", "warn", "The unit did not answer, so it was not judged.", True),
    Status("error", "Error", "!", "warn", "The unit could not be read, so it was not judged."),
    Status("no_result", "No result", "∅", "warn", "A host of the run without any result: it was not judged."),
    Status(
        "never_3x",
        "ATS: never 3.x",
        "‼",
        "warn",
        _meaning("never_3x"),
    ),
    Status(
        "use_guarded_upgrade",
        "ATS: guarded upgrade only",
        "⚠",
        "info",
        _meaning("use_guarded_upgrade"),
    ),
    Status("not_a_ups", "Not a UPS", "≠", "quiet", "Something else than a UPS answers here, so it was not judged."),
    Status("fixed", "Fixed", "✓", "ok", "A UPS type that FA233876 names, with firmware that has the fix.", True),
    Status("not_affected", "Not affected", "=", "ok", "FA233876 does not concern this unit.", True),
    Status("not_covered", "ATS: not covered", "○", "quiet", f"A Rack ATS that {_none_of()} is about."),
)
BY_NAME = {status.name: status for status in STATUSES}
NAMES = tuple(BY_NAME)
ORDER = {name: number for number, name in enumerate(NAMES)}

UPS_STATUSES = ("fixed", "fix_missing", "no_published_fix", "not_affected", "unknown")
# A gap: red in JUnit whatever the policy says.
GAPS = ("fix_missing", "no_published_fix")
# Nobody knows what state these are in.
NOT_JUDGED = ("unreachable", "error", "no_result")
# Judged, or looked at, without a yes or no.
OPEN = ("unknown", "not_a_ups")


def count(statuses: list[str]) -> dict[str, int]:
    """Every status is there, so that a reader can tell none from not counted."""
    return {name: statuses.count(name) for name in NAMES}
