# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in a few lines, for the person who reads the end of the job's output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import NOT_JUDGED, STATUSES
from ansible_collections.dcops.apc.plugins.module_utils._report.text import units_text

_MOST_HOSTS = 20


def summary_of(
    report: Mapping[str, Any], location: str | None, twice: Iterable[str] = (), renamed: Iterable[str] = ()
) -> list[str]:
    """Bounded, whatever the number of units."""
    counts, units = report["counts"], report["units"]
    simulated = sum(row["simulated"] is not None for row in units)
    present = [f"{status.label} {counts[status.name]}" for status in STATUSES if counts[status.name]]
    dark = [f"{row['host']} ({row['status']})" for row in units if row["status"] in NOT_JUDGED]
    gaps = [f"{row['host']} ({_step(row)})" for row in units if row["status"] == "fix_missing"]
    lines = [
        f"{report['title']}: {units_text(report['total'])}" + (f", {simulated} of them SIMULATED" if simulated else ""),
        "; ".join(present) or "no units",
        _hosts("Fix missing", gaps),
        _hosts("No published fix", _named(units, "no_published_fix")),
        _hosts("Unknown", _named(units, "unknown")),
        _hosts("Not judged", dark),
        _hosts("Rack ATS that must never get 3.x", _named(units, "never_3x")),
        _hosts("Came twice, the newest row counts", [item["host"] for item in report["replaced"]] + list(twice)),
        _hosts("Hosts whose names read alike, told apart by a mark", list(renamed)),
        f"Report: {location}" if location else "Check mode: no report was written",
    ]
    return [line for line in lines if line]


def _named(units: Iterable[Mapping[str, Any]], status: str) -> list[str]:
    return [row["host"] for row in units if row["status"] == status]


def _step(row: Mapping[str, Any]) -> str:
    finding = row["ap9624"] or {}
    return f"{finding.get('current') or 'unknown'} -> {finding.get('fixed_in') or 'the fix'}"


def _hosts(label: str, hosts: list[str]) -> str:
    if not hosts:
        return ""
    more = f" and {len(hosts) - _MOST_HOSTS} more" if len(hosts) > _MOST_HOSTS else ""
    return harmless(f"{label}: {', '.join(hosts[:_MOST_HOSTS])}", 3000) + more
