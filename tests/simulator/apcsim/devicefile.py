# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Device files: data with their sources, read once per process."""

from __future__ import annotations

import copy
from functools import cache
from importlib import resources
from typing import Any

import yaml

Oid = tuple[int, ...]
Cell = tuple[str, Any]
_TYPES = {"int", "str", "oid", "ticks", "gauge", "ip"}


def oid_of(text: str) -> Oid:
    return tuple(int(part) for part in str(text).strip(".").split("."))


def _cell(kind: str, value: Any) -> Cell:
    if kind not in _TYPES:
        raise ValueError(f"unknown type {kind}")
    if kind == "str":
        return kind, str(value).encode()
    if kind == "oid":
        return kind, oid_of(value)
    if kind == "ip":
        return kind, bytes(int(part) for part in value.split("."))
    return kind, int(value)


class Device:
    """One device file: ``state`` as written, ``mib`` as a table of cells."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.identity: dict[str, Any] = data["identity"]
        self.card: dict[str, Any] = data["card"]
        self.ats: dict[str, Any] | None = data.get("ats")
        self.ups: dict[str, Any] | None = data.get("ups")
        self.access: dict[str, Any] = data["access"]
        self.log: list[dict[str, Any]] = data.get("log", [])
        self.knobs: dict[str, Any] = data.get("knobs", {})
        self.completed: list[str] = data.get("completed", [])
        self.mib: dict[Oid, Cell] = {}
        for group in data["mib"]:
            base = oid_of(group["base"])
            for suffix, (kind, value) in group["rows"].items():
                self.mib[base + oid_of(suffix)] = _cell(kind, value)


def names() -> list[str]:
    folder = resources.files("apcsim") / "devices"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


@cache
def load(name: str) -> Device:
    if name not in names():
        raise ValueError(f"no device file {name!r}; there are: {', '.join(names())}")
    text = (resources.files("apcsim") / "devices" / f"{name}.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    parent = data.pop("extends", None)
    if parent:  # the access section and the common objects are the same for a family
        base = yaml.safe_load((resources.files("apcsim") / "devices" / f"{parent}.yaml").read_text(encoding="utf-8"))
        data = merge(base, data)
    return Device(name, data)


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Maps are merged, everything else is replaced; ``mib`` of the child replaces the parent's."""
    merged = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
