# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_interlock_info."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import ATS_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import ATS_UNIT, ArgumentSpec
from ansible_collections.dcops.apc.plugins.module_utils._runs._unit import run_job

SPEC = ATS_UNIT.merge(ArgumentSpec(required_one_of=(("src", "files"),)))
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, ATS_LEFT


def run(params: dict[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """The verdict over one observation window; asks nobody for anything and changes nothing."""
    result = run_job(params, progress, job.observe_once, check_mode)
    return {**result, "lines": [_head(result), *map(_line, _checks(result))], "blocking": _blocking(result)}


def _checks(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((result["interlock"] or {}).get("checks") or ())


def _head(result: Mapping[str, Any]) -> str:
    ats, card = result["ats"], result["nmc"]
    load = ats["load"]["total_current_a"]
    parts = (
        ats["model"] or "model unknown",
        f"serial {ats['serial'] or 'unknown'}",
        f"AOS {card['aos']['version'] or 'unknown'}",
        f"app {card['app']['version'] or 'none'}",
        f"selected {ats['selected_source'] or 'unknown'}",
        f"redundancy {ats['redundancy'] or 'unknown'}",
        f"load {'unknown' if load is None else load} A",
    )
    return ("SIMULATED: " if result["simulated"] else "") + ", ".join(parts)


def _line(check: Mapping[str, Any]) -> str:
    word = "ok" if check["ok"] else "pending" if check["pending"] else "BLOCKING"
    return f"{word:<8}  {check['id']:<22}  {check['observed']}"


def _blocking(result: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{check['id']}: {check['observed']} (wanted: {check['expected']})"
        for check in _checks(result)
        if not check["ok"] and not check["pending"]
    )
