# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a step ends early."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict


class Stop(Exception):
    """``kind`` as in the results' error.kind; ``state`` None: the closing measurement decides what is told."""

    def __init__(
        self,
        kind: str,
        message: str,
        verdict: Verdict | None = None,
        state: State | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.verdict = verdict
        self.state = state
        self.details = details or {}


class Interrupted(BaseException):
    """A signal asked the run to end. Not an Exception: no handler on the way may mistake it for a fault."""
