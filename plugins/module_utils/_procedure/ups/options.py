# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the run of a UPS update is given, and how it stops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone, tzinfo

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Confirmation
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Verdict
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

CONFIRMATION = "output_may_go_off"


@dataclass(frozen=True)
class UpsOptions:
    """The run's options, checked. Times in device seconds."""

    wanted: Version | None = None
    checksum: str | None = None
    confirmations: tuple[Confirmation, ...] = ()
    zone: tzinfo = timezone.utc
    stability_s: float = 30.0
    poll_interval_s: float = 2.0
    ready_timeout_s: float = 300.0
    start_timeout_s: float = 120.0
    update_timeout_s: float = 3600.0
    up_timeout_s: float = 600.0
    busy_timeout_s: float = 240.0
    change_reference: str = ""


class UpsStop(Stop):
    """A stop whose end state is a UPS's."""

    def __init__(self, kind: str, message: str, end: UpsEnd | None = None, verdict: Verdict | None = None) -> None:
        super().__init__(kind, message, details={"interlock": verdict.to_result()} if verdict is not None else None)
        self.end = end
