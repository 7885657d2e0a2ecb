# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts the policy fails, and how JUnit shows each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import GAPS, NOT_JUDGED, OPEN

# The kind of a refused option and of a package that the controller lacks: the unit was not asked at all.
NOT_ASKED = "unsupported"
REPORTED_ONLY = "reported only: the policy does not fail on it"


def failing(rows: list[dict[str, Any]], fail_on: Collection[str], fails: Mapping[str, bool]) -> frozenset[str]:
    """The hosts that fail. ``fails`` is what the run itself says of a host; ``fail_on`` decides on the others."""
    return frozenset(row["host"] for row in rows if _fails(row, fail_on, fails.get(row["host"])))


def _fails(row: Mapping[str, Any], fail_on: Collection[str], own: bool | None) -> bool:
    # A host that was not asked must not look like one without a finding, whatever any policy says.
    if row["status"] == "no_result" or (row["error"] or {}).get("kind") == NOT_ASKED:
        return True
    if own is not None:
        return own
    # "unknown" is a judgement by FA233876, which is not about a Rack ATS.
    return row["status"] in fail_on and not (row["kind"] == "ats" and row["status"] == "unknown")


def outcome(status: str, fails: bool) -> str:
    """``failure``, ``error``, ``skipped``, or empty for a unit that passes. Never green on a gap."""
    if fails:
        return "error" if status in NOT_JUDGED else "failure"
    return "skipped" if status in (*GAPS, *NOT_JUDGED, *OPEN) else ""
