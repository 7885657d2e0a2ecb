# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.plugin_utils._run_action import RunAction


class ActionModule(RunAction):
    NAME = "ats_recovery_info"
    WATCHES = True
