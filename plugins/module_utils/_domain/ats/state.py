# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a Rack ATS as one snapshot of readings.

Enum values are the numbers of the PowerNet objects (facts: ATS objects below 1.3.6.1.4.1.318.1.1.8).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cached_property
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading, unknown


class Comm(Enum):
    """A.5.1.1, communication of the management card with the ATS controller."""

    NEVER_DISCOVERED = 1
    ESTABLISHED = 2
    LOST = 3


class Source(Enum):
    A = 1
    B = 2

    @property
    def other(self) -> Source:
        return Source.B if self is Source.A else Source.A


class Preferred(Enum):
    A = 1
    B = 2
    NONE = 3


class Redundancy(Enum):
    LOST = 1
    FULLY_REDUNDANT = 2


class OverCurrent(Enum):
    """A.5.1.4. Some firmware repeats the bank or phase state instead, where 1 means normal [?]."""

    OVER_CURRENT = 1
    OK = 2


class Health(Enum):
    """Supplies, switch, sources, output, display board: 1 is the fault everywhere."""

    FAIL = 1
    OK = 2


class PhaseSync(Enum):
    IN_SYNC = 1
    OUT_OF_SYNC = 2


class PanelLock(Enum):
    LOCKED = 1
    UNLOCKED = 2


class Sensitivity(Enum):
    HIGH = 1
    LOW = 2


class TransferRange(Enum):
    WIDE = 1
    MEDIUM = 2
    NARROW = 3


class LoadState(Enum):
    NORMAL = 1
    LOW = 2
    NEAR_OVERLOAD = 3
    OVERLOAD = 4


@dataclass(frozen=True)
class Input:
    """One power input. Status is the unit's own judgement, voltage the measurement: a disconnect needs both."""

    status: Reading[Health] = unknown()
    voltage_v: Reading[int] = unknown()
    frequency_hz: Reading[int] = unknown()
    supply_24v: Reading[Health] = unknown()
    name: str | None = None


@dataclass(frozen=True)
class LoadRow:
    """One bank or one output phase. ``current_a`` has the resolution of the object, 0.1 A."""

    index: str
    current_a: Reading[float] = unknown()
    state: Reading[LoadState] = unknown()
    voltage_v: Reading[int] = unknown()
    apparent_va: Reading[int] = unknown()
    power_w: Reading[int] = unknown()
    load_percent: Reading[int] = unknown()


@dataclass(frozen=True)
class Load:
    """``bank_rows`` is the unit's own count (A.5.4.4); a banked unit has more than zero.

    ``bank_rows`` unknown means that the layout itself is unknown, which is no proof of anything.
    """

    bank_rows: Reading[int] = unknown()
    banks: tuple[LoadRow, ...] = ()
    phases: tuple[LoadRow, ...] = ()

    @cached_property
    def total_current_a(self) -> float | None:
        """Ampere: the total bank's, else the sum of the banks, else the sum of the phases; None unless known."""
        rows = self.banks or self.phases
        if not rows:
            return None
        total = [row for row in self.banks if row.index == "1"]
        if total and total[0].current_a.known:
            return total[0].current_a.value
        rest = [row for row in rows if not (self.banks and row.index == "1")]
        values = [row.current_a.value for row in rest if row.current_a.known]
        known_values = [value for value in values if value is not None]
        return round(sum(known_values), 1) if rest and len(known_values) == len(rest) else None


@dataclass(frozen=True)
class Nominal:
    voltage_v: Reading[int] = unknown()
    frequency_hz: Reading[int] = unknown()
    rating_a: Reading[int] = unknown()


@dataclass(frozen=True)
class Settings:
    """The A.4 settings: all that a flashed controller may have lost."""

    name: str | None = None
    preferred_source: Reading[Preferred] = unknown()
    front_panel: Reading[int] = unknown()
    sensitivity: Reading[Sensitivity] = unknown()
    transfer_range: Reading[TransferRange] = unknown()
    current_limit_a: Reading[int] = unknown()
    line_vrms_v: Reading[int] = unknown()
    narrow_limit_v: Reading[int] = unknown()
    medium_limit_v: Reading[int] = unknown()
    wide_limit_v: Reading[int] = unknown()
    frequency_deviation_hz: Reading[int] = unknown()


@dataclass(frozen=True)
class AtsState:
    """One snapshot. ``objects_answered`` counts the ATS objects that answered at all (0: the card runs no ATS app)."""

    objects_answered: int = 0
    model: str | None = None
    serial: str | None = None
    hardware_revision: str | None = None
    manufactured: str | None = None
    controller_version: Reading[str] = unknown()
    controller_date: str | None = None
    nominal: Nominal = field(default_factory=Nominal)
    settings: Settings = field(default_factory=Settings)
    controller_comm: Reading[Comm] = unknown()
    selected_source: Reading[Source] = unknown()
    redundancy: Reading[Redundancy] = unknown()
    over_current: Reading[OverCurrent] = unknown()
    switch: Reading[Health] = unknown()
    phase_sync: Reading[PhaseSync] = unknown()
    output_ok: Reading[Health] = unknown()
    display_ok: Reading[Health] = unknown()
    front_panel: Reading[PanelLock] = unknown()
    supplies: tuple[tuple[str, Reading[Health]], ...] = ()
    input_a: Input = field(default_factory=Input)
    input_b: Input = field(default_factory=Input)
    load: Load = field(default_factory=Load)
    # What is shown and judged by nothing: name -> reading.
    others: tuple[tuple[str, Reading[Any]], ...] = ()

    @cached_property
    def discrete(self) -> tuple[Any, ...]:
        """The required discrete values (SAFETY 1.1): a change in one of them is "an observed change"."""
        readings = (
            self.controller_comm,
            self.selected_source,
            self.redundancy,
            self.switch,
            self.input_a.status,
            self.input_b.status,
        )
        return tuple((reading.kind.value, reading.value.value if reading.value else None) for reading in readings)

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, item.name) for item in fields(self)))

    def __hash__(self) -> int:
        # What is remembered of a state is looked up by it at every sample.
        return self._hash

    def input(self, source: Source) -> Input:
        return self.input_a if source is Source.A else self.input_b
