# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the domain's values to what a playbook sees: plain JSON types, null where nothing is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import ats_generation
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Health,
    Input,
    LoadRow,
    Source,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._powernet.card import NmcState

MAX_STRING = 4096
_MAX_DEPTH = 30
_SOURCES = {Source.A: "A", Source.B: "B"}
# A.4.3
_PANEL = {1: "disabled", 2: "enabled"}


def ats_result(ats: AtsState, identity: CardIdentity) -> dict[str, Any]:
    """``ats`` as ARCHITECTURE has it. What was not read, or is not fitted, is None."""
    model = ats.model or identity.model
    settings = ats.settings
    return {
        "model": text(model),
        "generation": ats_generation(model, identity.app_token),
        "serial": text(ats.serial),
        "controller_firmware": {
            "version": text(ats.controller_version.or_none()),
            "date": text(ats.controller_date),
        },
        "nominal": {
            "voltage_v": ats.nominal.voltage_v.or_none(),
            "frequency_hz": ats.nominal.frequency_hz.or_none(),
            "rating_a": ats.nominal.rating_a.or_none(),
        },
        "settings": {
            "name": text(settings.name),
            "sensitivity": word(settings.sensitivity),
            "transfer_range": word(settings.transfer_range),
            "limits": {
                "narrow_v": settings.narrow_limit_v.or_none(),
                "medium_v": settings.medium_limit_v.or_none(),
                "wide_v": settings.wide_limit_v.or_none(),
            },
            "line_vrms": settings.line_vrms_v.or_none(),
            "current_limit_a": settings.current_limit_a.or_none(),
            "frequency_deviation_hz": settings.frequency_deviation_hz.or_none(),
            "front_panel": _PANEL.get(settings.front_panel.or_none() or 0),
        },
        "controller_comm": word(ats.controller_comm),
        "selected_source": word(ats.selected_source),
        "preferred_source": word(settings.preferred_source),
        "redundancy": word(ats.redundancy),
        "over_current": word(ats.over_current),
        "switch": word(ats.switch),
        "phase_sync": word(ats.phase_sync),
        "output_ok": _ok(ats.output_ok),
        "display_ok": _ok(ats.display_ok),
        "supplies": {name: word(reading) for name, reading in ats.supplies},
        "inputs": {_SOURCES[source]: _input(ats.input(source)) for source in Source},
        "load": {
            "total_current_a": number(ats.load.total_current_a),
            "banks": [_row(row) for row in ats.load.banks],
            "phases": [_row(row) for row in ats.load.phases],
        },
        "others": others(ats.others),
    }


def nmc_result(nmc: NmcState) -> dict[str, Any]:
    """``nmc`` as ARCHITECTURE has it."""
    card = nmc.identity
    return {
        "model": text(card.model),
        "hardware": text(card.hardware),
        "serial": text(card.serial),
        "boot_monitor": version(card.boot_monitor),
        "aos": {"version": version(card.aos.version), "file": text(card.aos.file)},
        "app": {"name": text(card.app_token), "version": version(card.app.version), "file": text(card.app.file)},
        "uptime_s": number(nmc.uptime_s),
        "last_transfer": text(nmc.last_transfer),
        "description": text(card.description or None),
        "simulated": card.simulated,
    }


def _input(power: Input) -> dict[str, Any]:
    return {
        "status": word(power.status),
        "voltage_v": power.voltage_v.or_none(),
        "frequency_hz": power.frequency_hz.or_none(),
        "supply_24v": word(power.supply_24v),
        "name": text(power.name),
    }


def _row(row: LoadRow) -> dict[str, Any]:
    return {
        "index": text(row.index),
        "current_a": number(row.current_a.or_none()),
        "state": word(row.state),
        "voltage_v": row.voltage_v.or_none(),
        "apparent_va": row.apparent_va.or_none(),
        "power_w": row.power_w.or_none(),
        "load_percent": row.load_percent.or_none(),
    }


def others(found: Iterable[tuple[str, Reading[Any]]]) -> dict[str, Any]:
    """Objects that have no place of their own in a result: name -> value."""
    return {name: word(item) if isinstance(item.value, Enum) else to_result(item) for name, item in found}


def word(reading: Reading[Any]) -> str | None:
    value = reading.or_none()
    return None if value is None else enum_word(value)


def enum_word(value: Enum) -> str:
    """The sources keep their capitals: they are what is printed beside the sockets, and what primary_source takes."""
    if value.name in ("A", "B"):
        return value.name
    return value.value if isinstance(value.value, str) else value.name.lower()


def _ok(reading: Reading[Health]) -> bool | None:
    value = reading.or_none()
    return None if value is None else value is Health.OK


def version(value: Version | None) -> str | None:
    return None if value is None else str(value)


def number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def text(value: str | None, limit: int = MAX_STRING) -> str | None:
    return None if value is None else clean(value, limit)


def clean(value: str, limit: int = MAX_STRING, keep: str = "\n\t") -> str:
    """An exact str, bounded, without anything that could move a cursor, forge a line or not be encoded."""
    return harmless(value, limit, keep)


def to_result(value: Any, limit: int = MAX_STRING, depth: int = 0) -> Any:
    """Plain JSON types, exactly: no subclass gets out, since core 2.19 refuses what it does not know."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return enum_word(value)
    if isinstance(value, str):
        return clean(value, limit)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, Reading):
        return to_result(value.or_none(), limit, depth + 1)
    if isinstance(value, (Version, PurePath)):
        return clean(str(value), limit)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return clean(bytes(value).decode("utf-8", "backslashreplace"), limit)
    if hasattr(value, "to_result"):
        return to_result(value.to_result(), limit, depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return to_result(fields, limit, depth + 1)
    if isinstance(value, Mapping):
        return {_key(key): to_result(item, limit, depth + 1) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((to_result(item, limit, depth + 1) for item in value), key=str)
    if hasattr(value, "__iter__"):
        return [to_result(item, limit, depth + 1) for item in value]
    return clean(str(value), limit)


def _key(key: Any) -> str:
    plain = to_result(key)
    return plain if isinstance(plain, str) else str(plain)


__all__ = ["ats_result", "clean", "enum_word", "nmc_result", "to_result"]
