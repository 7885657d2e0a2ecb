# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What holds for every module of the collection.
    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    description:
      - Indicates this has a corresponding action plugin, so some parts of the options can be executed on the
        controller.
    support: full
    details:
      - The whole module runs on the controller, in Ansible's worker process. The inventory host is the device itself.
      - Neither C(connection) nor C(delegate_to) is needed. C(gather_facts) must be C(false), since a device runs no
        Python.
      - Environment variables are those of the controller, not those of the task keyword C(environment).
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
"""

    # Modules that only read.
    READ_ONLY = r"""
options: {}
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: N/A
    details:
      - This module does not change anything.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    # Modules that watch for long, or log in: an end in mid-step would leave a person without a word, or a session open.
    WATCHES = r"""
options: {}
attributes:
  task_timeout:
    description: Supports being used with the C(timeout) keyword.
    support: none
    details:
      - The module fails at once when the keyword is set. It would be ended in mid-step, without saying what to do now.
"""
