# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_wait. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    ACCOUNT_SPEC,
    SNMP_SPEC,
    UPGRADE_OPTIONS,
    UPGRADE_SPEC,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._unit import run_job

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **SNMP_SPEC,
    **ACCOUNT_SPEC,
    **UPGRADE_SPEC,
    "until": {"type": "str", "choices": ["ready", "isolated", "redundant"], "required": True},
    "timeout_s": {"type": "float", "default": 3600.0},
}
OPTIONS: dict[str, Any] = {**UPGRADE_OPTIONS, "required_one_of": [["src", "files"]], "supports_check_mode": True}

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
