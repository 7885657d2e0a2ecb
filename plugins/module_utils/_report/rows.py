# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the raw results of a run to the rows of a report: one for every host, whatever happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.exposure import ats_exposure
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import UPS_STATUSES
from ansible_collections.dcops.apc.plugins.module_utils._report.text import (
    MAX_SENTENCE,
    host_names,
    host_text,
    plain,
    tidy,
)

UNREACHABLE_KINDS = ("timeout", "busy")
BASES = ("bulletin", "release notes", "operator")
IDENTIFIERS = ("id", "sku", "model")
EXPANDER = ("present", "absent", "unknown")
COMM = ("established", "lost", "never_discovered")
_MAX_INT = 2**53 - 1
_MAX_ADVICE = 20


@dataclass(frozen=True)
class Rows:
    """``twice``: hosts that came more than once, of which the last one counts. ``renamed``: names that had to be told
    apart. ``fails``: host -> whether the policy of its run fails it, where the run said so."""

    rows: list[dict[str, Any]]
    twice: list[str]
    renamed: list[str]
    fails: dict[str, bool]


def rows_of(units: Iterable[Mapping[str, Any]], hosts: Iterable[str], now: str) -> Rows:
    """One row for every host, sorted."""
    units, hosts = list(units), list(hosts)
    given = [unit.get("host") or "" for unit in units]
    names = host_names([*given, *hosts])
    rows: dict[str, dict[str, Any]] = {}
    fails: dict[str, bool] = {}
    twice: list[str] = []
    for unit, host in zip(units, given, strict=True):
        name = names[plain(host)]
        if name in rows:
            twice.append(name)
        rows[name] = {**row_of(unit, now), "host": name}
        fails.pop(name, None)
        if isinstance(unit.get("fails"), bool):
            fails[name] = unit["fails"]
    for host in hosts:
        name = names[plain(host)]
        if name not in rows:
            rows[name] = {**row_of({}, now), "host": name}
    renamed = sorted(name for text, name in names.items() if name != host_text(text))
    return Rows([rows[name] for name in sorted(rows)], twice, renamed, fails)


def row_of(unit: Mapping[str, Any], now: str) -> dict[str, Any]:
    """One host. Nothing in ``unit`` is taken for granted: it may come from a device, a fact cache or a person."""
    ups, ats, nmc = _map(unit.get("ups")), _map(unit.get("ats")), _map(unit.get("nmc"))
    finding = _finding(unit.get("ap9624"))
    error = _error(unit.get("error"))
    if ats and error is not None and error["kind"] == "not_a_ups":
        # Asked as a UPS first, then read as what it is.
        error = None
    kind = "ups" if finding or ups else "ats" if ats else "other" if nmc else None
    row: dict[str, Any] = {
        "host": host_text(unit.get("host") or ""),
        "kind": kind,
        "status": "no_result",
        "model": _first(ups.get("model"), ats.get("model"), nmc.get("model")),
        "sku": tidy(ups.get("sku")),
        "serial": _first(ups.get("serial"), ats.get("serial"), nmc.get("serial")),
        "firmware": None,
        "firmware_id": None,
        "card": _card(nmc),
        "controller_comm": _word(ats.get("controller_comm"), COMM),
        "ap9624": finding if kind == "ups" else None,
        "exposures": [],
        "error": error,
        "interface_expander": _word(unit.get("interface_expander"), EXPANDER),
        "simulated": _simulated(nmc),
        "reported_at": now,
    }
    if kind == "ups":
        row |= _ups_part(ups, finding)
    elif kind == "ats":
        row |= _ats_part(row, ats, nmc)
    if error is not None:
        row["status"] = status_of_error(error["kind"])
    return row


def _ups_part(ups: Mapping[str, Any], finding: Mapping[str, Any] | None) -> dict[str, Any]:
    firmware = ups.get("firmware")
    shown = _map(firmware).get("raw") if isinstance(firmware, Mapping) else firmware
    return {
        "firmware": tidy(shown) or (finding or {}).get("current"),
        "firmware_id": _integer(_map(firmware).get("id")),
        "status": finding["status"] if finding else "no_result",
    }


def _ats_part(row: Mapping[str, Any], ats: Mapping[str, Any], nmc: Mapping[str, Any]) -> dict[str, Any]:
    app = _map(nmc.get("app"))
    found = ats_exposure(
        row["model"],
        tidy(app.get("name")),
        Version.parse(_map(nmc.get("aos")).get("version")),
        Version.parse(app.get("version")),
        row["controller_comm"],
    )
    return {
        "firmware": _ats_firmware(row["card"], tidy(_map(ats.get("controller_firmware")).get("version"))),
        "status": found.status,
        "exposures": [
            {"bulletin": item.bulletin, "applies": item.applies, "text": tidy(item.text, MAX_SENTENCE)}
            for item in found.exposures
        ],
    }


def _first(*values: object) -> str | None:
    return next((text for text in map(tidy, values) if text), None)


def status_of_error(kind: str) -> str:
    if kind in UNREACHABLE_KINDS:
        return "unreachable"
    return "not_a_ups" if kind == "not_a_ups" else "error"


def _finding(value: object) -> dict[str, Any] | None:
    found = _map(value)
    if not found:
        return None
    advice = found.get("advice")
    listed = [item for item in advice if isinstance(item, Mapping)] if isinstance(advice, (list, tuple)) else []
    return {
        "status": _word(found.get("status"), UPS_STATUSES) or "unknown",
        "current": tidy(found.get("current")),
        "fixed_in": tidy(found.get("fixed_in")),
        "rule": _integer(found.get("rule")),
        "basis": _word(found.get("basis"), BASES),
        "identified_by": _word(found.get("identified_by"), IDENTIFIERS),
        "reason": tidy(found.get("reason"), MAX_SENTENCE),
        "source": tidy(found.get("source")),
        "expander": _word(found.get("expander"), EXPANDER) or "unknown",
        "advice": [
            {"id": tidy(item.get("id")) or "", "text": tidy(item.get("text"), MAX_SENTENCE) or ""}
            for item in listed[:_MAX_ADVICE]
        ],
    }


def _error(value: object) -> dict[str, Any] | None:
    if value is None or value == {}:
        return None
    if not isinstance(value, Mapping):
        return {"kind": "internal", "message": tidy(value, MAX_SENTENCE) or "no message"}
    return {
        "kind": tidy(value.get("kind"), 40) or "internal",
        "message": tidy(value.get("message"), MAX_SENTENCE) or "no message",
    }


def _card(nmc: Mapping[str, Any]) -> dict[str, Any] | None:
    if not nmc:
        return None
    app = _map(nmc.get("app"))
    parts = [part for part in (tidy(app.get("name"), 100), tidy(app.get("version"), 100)) if part]
    return {
        "model": tidy(nmc.get("model")),
        "aos": tidy(_map(nmc.get("aos")).get("version")),
        "app": " ".join(parts) or None,
    }


def _ats_firmware(card: Mapping[str, Any] | None, controller: str | None) -> str | None:
    card = card or {}
    aos = f"AOS {card['aos']}" if card.get("aos") else None
    parts = [aos, card.get("app"), f"controller {controller}" if controller else None]
    return tidy(", ".join(part for part in parts if part))


def _simulated(nmc: Mapping[str, Any]) -> int | None:
    factor = _integer(nmc.get("simulated"))
    if factor is not None:
        return factor
    # It calls itself simulated in a form of its own: 0 is a mark without a factor.
    return 0 if "SIMULATED" in (tidy(nmc.get("description"), MAX_SENTENCE) or "") else None


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _word(value: object, words: tuple[str, ...]) -> str | None:
    return str.__str__(value) if isinstance(value, str) and value in words else None


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return int(value) if 0 <= value <= _MAX_INT else None
