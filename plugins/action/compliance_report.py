# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._runs.compliance_report import without_bulk
from ansible_collections.dcops.apc.plugins.plugin_utils._run_action import RunAction


class ActionModule(RunAction):
    NAME = "compliance_report"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if "invocation" in result:
            result["invocation"]["module_args"] = without_bulk(result["invocation"]["module_args"])
        return result
