# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For the tests: runs a module as a module, through AnsiballZ, past the action plugin of the same name."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(None, task_vars)
        result: dict[str, Any] = self._execute_module(
            module_name=self._task.args["name"], module_args=dict(self._task.args["options"]), task_vars=task_vars
        )
        return result
