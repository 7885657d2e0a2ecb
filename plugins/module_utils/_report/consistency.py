# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a report from outside agrees with itself, beyond its schema.

Not a proof of origin, which only a checksum by another way is: it finds a report that was edited by hand or damaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import BULLETINS, AtsStatus
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._report.rows import status_of_error
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import count
from ansible_collections.dcops.apc.plugins.module_utils._report.text import host_text

# Clocks of controllers differ a little.
_AHEAD = timedelta(hours=1)
_ATS_STATUSES: tuple[str, ...] = (*get_args(AtsStatus), "not_covered", "unknown")
# Which status each bulletin gives a unit that it applies to.
_GIVES = {row.id: row.status for row in BULLETINS}
_GENERATIONS: dict[str, str] = {row.id: row.generation for row in BULLETINS}


def contradiction(content: Mapping[str, Any], now: datetime) -> str:
    """The first one as a clause, or an empty text. ``content`` fits the schema."""
    units = content["units"]
    if content["total"] != len(units):
        return f"total is {content['total']}, but it has {len(units)} rows"
    counted = count([row["status"] for row in units])
    for name, number in counted.items():
        if content["counts"][name] != number:
            return f"counts say {content['counts'][name]} {name}, but {number} rows have that status"
    if content["simulated"] != any(row["simulated"] is not None for row in units):
        return "simulated does not say what its rows say"
    problem = _time_problem("generated_at", content["generated_at"], now)
    if problem:
        return problem
    seen: set[str] = set()
    for number, row in enumerate(units):
        # By the name that a merged report would give it.
        name = host_text(row["host"])
        problem = "its host has a row already" if name in seen else _row_problem(row, now)
        if problem:
            return f"units[{number}] ({harmless(name, 100)}): {problem}"
        seen.add(name)
    return ""


def _time_problem(name: str, stamp: str, now: datetime) -> str:
    try:
        when = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return f"{name} is no time that exists"
    return f"{name} {stamp} is in the future" if when > now + _AHEAD else ""


def _row_problem(row: Mapping[str, Any], now: datetime) -> str:
    problem = _time_problem("reported_at", row["reported_at"], now)
    if problem:
        return problem
    if row["ap9624"] is not None and row["kind"] != "ups":
        return "it has a judgement of a UPS, but is none"
    if row["exposures"] and row["kind"] != "ats":
        return "it has exposures of a Rack ATS, but is none"
    status = row["status"]
    if row["error"] is not None:
        meant = status_of_error(row["error"]["kind"])
        return "" if status == meant else f"its status is {status}, but its error means {meant}"
    if row["kind"] == "ats":
        return _ats_problem(status, row["exposures"])
    meant = row["ap9624"]["status"] if row["ap9624"] is not None else "no_result"
    return "" if status == meant else f"its status is {status}, but its judgement is {meant}"


def _ats_problem(status: str, exposures: list[Mapping[str, Any]]) -> str:
    if status not in _ATS_STATUSES:
        return f"its status {status} is none of a Rack ATS"
    applying = [item["bulletin"] for item in exposures if item["applies"]]
    undecided = any(item["applies"] is None for item in exposures)
    meant = next((_GIVES[name] for name in _GIVES if name in applying and _GIVES[name]), "not_covered")
    # A unit is of one generation, and of an undecided one nothing applies.
    generations = {_GENERATIONS.get(name, name) for name in applying}
    possible = set(applying) <= set(_GIVES) and len(generations) <= (0 if undecided else 1)
    if not possible or status != ("unknown" if undecided else meant):
        return f"its status is {status}, but its exposures say something else"
    return ""
