# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was observed of an ATS: one reading, at a device second of the run's one clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity


@dataclass(frozen=True, eq=False)
class Sample:
    """One reading of the unit. ``at_s`` is when the reading began: a value is never taken for younger than it is.

    ``answered`` False: the card did not answer in time, nothing else in the sample means anything.
    """

    at_s: float
    answered: bool
    identity: CardIdentity = field(default_factory=CardIdentity)
    uptime_s: float | None = None
    name: str | None = None
    addresses: tuple[str, ...] = ()
    object_id: str | None = None
    last_transfer: str | None = None
    ats: AtsState = field(default_factory=AtsState)
    error: str = ""

    @property
    def app_answers(self) -> bool:
        return self.answered and self.ats.objects_answered > 0

    @property
    def unit_serial(self) -> str | None:
        return self.ats.serial

    @property
    def unit_model(self) -> str | None:
        # Its card is built in and goes by the same model.
        return self.ats.model

    @property
    def watched(self) -> tuple[Any, ...]:
        return (self.ats.controller_comm, self.ats.controller_version)

    @property
    def discrete(self) -> tuple[Any, ...]:
        return self.ats.discrete

    @cached_property
    def who(self) -> tuple[Any, ...]:
        """What must stay the same while one unit is being watched."""
        return (self.identity.who, self.name, self.object_id, self.ats.model, self.ats.serial)
