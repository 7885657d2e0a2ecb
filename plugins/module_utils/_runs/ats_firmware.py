# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_firmware."""

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
            "step": {"type": "str", "choices": ["upgrade", "backup", "verify"], "default": "upgrade"},
            "timeout_s": {"type": "float", "default": 3600.0},
        },
        required_one_of=(("src", "files"),),
    )
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, ATS_LEFT

TASKS = {"upgrade": job.do_upgrade, "backup": job.do_backup, "verify": job.do_verify}


def run(params: dict[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """One step of SAFETY 4; in check mode what it would do, as far as a reading can tell."""
    base: dict[str, Any] = {"differences": [], "baseline": None, "no_baseline": [], "backup": None}
    base |= {"cold_start_verified": False, "sent": {"aos": False, "app": False}}
    if not check_mode:
        return {**base, **run_job(params, progress, TASKS[params["step"]])}
    task = job.check_only if params["step"] == "upgrade" else job.observe_once
    result = {**base, **run_job(params, progress, task, check_mode)}
    if params["step"] == "backup":
        result["msg"] = "CHECK MODE, nothing was done: would fetch config.ini and event.txt"
    elif params["step"] == "verify":
        result["msg"] = "CHECK MODE, nothing was done: would compare the unit with the backup"
    result["changed"] = params["step"] == "upgrade" and bool(result["plan"])
    return result
