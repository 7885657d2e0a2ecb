# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ups_ap9624_info."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Expander, Finding, GapStatus, judge
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.gap_words import said_of_ats, said_of_ups
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs import ats_info
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import GAP_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import nmc_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import SNMP, ArgumentSpec
from ansible_collections.dcops.apc.plugins.module_utils._runs._ups_results import (
    facts_of,
    finding_result,
    ups_result,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs.ups_info import query

SPEC = SNMP.changed("host", required=False).merge(
    ArgumentSpec(
        {
            "ups": {"type": "dict"},
            "interface_expander": {"type": "str", "choices": [item.value for item in Expander], "default": "unknown"},
            "ats_too": {"type": "bool", "default": False},
        },
        required_one_of=(("host", "ups"),),
    )
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, GAP_LEFT


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Queries, or judges the facts given: ``ups: {}`` is offline without facts, never a query."""
    expander = Expander(params["interface_expander"])
    result: dict[str, Any] = {"changed": False}
    if params["ups"] is not None:
        facts = facts_of(params["ups"], expander)
    else:
        try:
            read = query(params)
        except Stop as exc:
            if exc.kind != "not_a_ups" or not params["ats_too"]:
                raise
            return _as_ats(params, check_mode, progress, exc)
        result["ups"], result["nmc"] = ups_result(read.ups), nmc_result(read.nmc)
        # By the same way as facts that were stored: what is judged is what is shown.
        facts = facts_of(result["ups"], expander)
    finding = judge(facts)
    result["ap9624"] = finding_result(finding)
    result |= said_of_ups(result["ap9624"], result.get("ups"), result.get("nmc")).to_result()
    if finding.status is GapStatus.FIX_MISSING:
        result["diff"] = gap_diff(finding)
    return result


def _as_ats(params: dict[str, Any], check_mode: bool, progress: object, first: Stop) -> dict[str, Any]:
    """A Rack ATS in the same run: its exposure to the bulletins belongs into the same report."""
    try:
        found = ats_info.run(params, check_mode, progress)
    except Stop as exc:
        raise first if exc.kind == "not_an_ats" else exc from None
    return {**found, **said_of_ats(found["ats"], found["nmc"]).to_result()}


def gap_diff(finding: Finding) -> dict[str, str]:
    return {
        "before_header": "UPS firmware",
        "after_header": "UPS firmware with the AP9624 fix",
        "before": f"{finding.current}\n",
        "after": f"{finding.fixed_in} or later\n",
    }
