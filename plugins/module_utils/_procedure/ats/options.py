# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is given, and what it has sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timezone, tzinfo

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Confirmation
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.keeper import Keeper


@dataclass(frozen=True)
class Peer:
    """Another ATS that must read fully redundant before this one gives up its redundancy."""

    label: str
    read: Callable[[], Sample]
    # The names by which a run of this state_dir would hold it.
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """The run's options, checked. Times in device seconds, except where a transport counts real ones."""

    method: Method = Method.SINGLE_SOURCE
    primary: Source | None = None
    confirmations: tuple[Confirmation, ...] = ()
    zone: tzinfo = timezone.utc
    allow_downgrade: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)
    stability_s: float = 30.0
    poll_interval_s: float = 2.0
    down_timeout_s: float = 300.0
    up_timeout_s: float = 600.0
    controller_timeout_s: float = 900.0
    action_timeout_s: float = 3600.0
    busy_timeout_s: float = 240.0
    change_reference: str = ""


def span_text(seconds: float) -> str:
    """A limit as a person reads it: 20 s, 60 min."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class Sent:
    """What this process has sent, as the keeper has it. ``whole``: restarted with it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    @property
    def nothing(self) -> bool:
        return not self._keeper.begun

    def counts(self, kind: str) -> bool:
        file = self._keeper.files.get(kind)
        return kind in self._keeper.begun and file is not None and file.counts_as_sent

    @property
    def cut(self) -> bool:
        return any(
            self._keeper.files[kind].state is FileState.CUT for kind in self._keeper.begun if kind in self._keeper.files
        )
