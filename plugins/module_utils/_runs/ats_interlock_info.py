# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_interlock_info."""

from __future__ import annotations

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
    return run_job(params, progress, job.observe_once, check_mode)
