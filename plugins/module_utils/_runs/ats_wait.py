# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_wait."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import ATS_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import ATS_UNIT, ArgumentSpec
from ansible_collections.dcops.apc.plugins.module_utils._runs._unit import run_job

SPEC = ATS_UNIT.merge(
    ArgumentSpec(
        {
            "until": {"type": "str", "choices": ["ready", "isolated", "redundant"], "required": True},
            "timeout_s": {"type": "float", "default": 3600.0},
        },
        required_one_of=(("src", "files"),),
    )
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, ATS_LEFT

TASKS = {"ready": job.do_ready, "isolated": job.do_isolate, "redundant": job.do_restore}


def run(params: dict[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """Waits; in check mode it measures over one window and asks nobody for anything."""
    task = TASKS[params["until"]]
    if check_mode:
        task = job.observe_once if params["until"] == "redundant" else job.check_only
    result = {"until": params["until"], **run_job(params, progress, task, check_mode)}
    if check_mode and params["until"] != "ready" and (result["plan"] or params["until"] == "redundant"):
        what = "disconnect the secondary or the loads" if params["until"] == "isolated" else "put them back"
        result["msg"] = f"CHECK MODE, nobody was asked for anything: would say when to {what}"
    return result
