# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_permit_info. It asks no device."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import standing
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.whose import of_this_unit, units_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.keeper import Opened, opened
from ansible_collections.dcops.apc.plugins.module_utils._procedure.chain import chain, counter_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import history, keys_in, related_keys
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import (
    StateDir,
    held_by,
    held_with,
    key_of,
    shown_holder,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import UPGRADE, ArgumentSpec
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin

SPEC = ArgumentSpec({"host": {"type": "str"}, "unit": {"type": "str"}}, required_one_of=(("host", "unit"),)).merge(
    UPGRADE.only("state_dir")
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT
MAX_HISTORY = 200
_TELLING = frozenset({"permit", "sending", "settled", "end", "word_refused", "recovery_attempt", "damaged"})

Record = dict[str, Any]


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """From the folder alone; also while a run holds the unit, which is then named."""
    store = StateDir(params["state_dir"])
    name = (params["unit"] or "").strip() or (params["host"] or "").strip()
    for simulated in (False, True):
        folder = store.folder("evidence", simulated)
        if not folder.is_dir():
            continue
        keys = _keys_of(folder, name, by_name=not params["unit"])
        if keys:
            return {"changed": False, "simulated": simulated, **_told(store, folder, keys, name)}
    raise Stop(
        "state", f"{store.path} holds no evidence of {name}: no run with this state_dir has met it under that name."
    )


def _keys_of(folder: Path, name: str, by_name: bool) -> list[str]:
    """The keys that a serial number, an address or a label leads to; of a host name, by what it resolves to too."""
    known = keys_in(folder)
    wanted = {key_of(kind, name).lower() for kind in ("ats", "card")}
    found = [key for key in known if key.lower() in wanted]
    if not found:
        found = _by_address(known, name)
    if not found:
        found = [key for key, labels in _labels(folder).items() if name in labels]
    if not found and by_name:
        found = _by_address(known, resolve_and_pin(name))
    return found


def _by_address(known: Iterable[str], text: str) -> list[str]:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return []
    # On whatever port: the options of the run that asked it are not at hand.
    start = key_of("addr", f"{text.strip('[]')}-0").rpartition("-")[0]
    return [key for key in known if key.rpartition("-")[0] == start]


def _labels(folder: Path) -> dict[str, set[str]]:
    """By which labels runs have called what was at each address."""
    found: dict[str, set[str]] = {}
    for key in keys_in(folder):
        if key.startswith("addr-"):
            heads = (record for record in history(folder, [key]) if record["kind"] == "run")
            found[key] = {str(record.get("label") or "") for record in heads}
    return found


def _told(store: StateDir, folder: Path, keys: list[str], name: str) -> dict[str, Any]:
    records = history(folder, related_keys(folder, keys))
    kept, others = _of_one_unit(records, keys)
    found = opened(kept)
    owner = _at_work(store.path / "locks", kept, records)
    breaks = chain(records)
    facts = units_of(kept)
    return {
        "unit": facts[-1] if facts else None,
        "others": units_of(others),
        "permit": _permit(found, bool(breaks), shown_holder(owner) if owner is not None else None),
        "history": [_line(record) for record in kept if record["kind"] in _TELLING][-MAX_HISTORY:],
        "chain": {
            "ok": not breaks,
            "breaks": [{"file": each.file, "line": each.line, "why": each.why} for each in breaks[:MAX_HISTORY]],
        },
    }


def _of_one_unit(records: list[Record], keys: Iterable[str]) -> tuple[list[Record], list[Record]]:
    """By the serials of the newest run that one of the keys leads to: what stood there last."""
    wanted = set(keys)
    card = ats = None
    for record in records:
        unit = record.get("unit")
        if (
            record["kind"] == "run"
            and isinstance(unit, dict)
            and wanted & {str(key) for key in record.get("keys") or ()}
        ):
            mine = {kind: usable_serial(str(unit.get(f"{kind}_serial") or "")) for kind in ("card", "ats")}
            if mine["card"] or mine["ats"]:
                card, ats = mine["card"], mine["ats"]
    kept, others = of_this_unit(records, card_serial=card, ats_serial=ats)
    # One chain may hold units that never were at this address.
    near = {record["run"] for record in others if wanted & {str(key) for key in record.get("keys") or ()}}
    return kept, [record for record in others if record["run"] in near]


def _keys_by_kind(keys: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key in keys:
        found.setdefault(key.partition("-")[0], set()).add(key)
    return found


def _at_work(locks: Path, mine: Iterable[Record], every: Iterable[Record]) -> dict[str, Any] | None:
    """The run that works on this unit now. At an address where it stood once another one may stand by now."""
    heads = [record for record in mine if record["kind"] == "run"]
    known = _keys_by_kind(key for record in heads for key in record.get("keys", ()))
    newest = counter_of(heads[-1]) if heads else 0
    # Of this unit there is no later one.
    later = {
        key
        for record in every
        if record["kind"] == "run" and counter_of(record) > newest
        for key in record.get("keys", ())
    }
    serials = sorted(key for kind in known if kind != "addr" for key in known[kind])
    here = sorted(key for key in (heads[-1].get("keys", ()) if heads else ()) if key.startswith("addr-"))
    for key in [*serials, *(key for key in here if key not in later)]:
        owner = held_by(locks, [key])
        if owner is not None and not _another(known, _keys_by_kind(held_with(locks, owner))):
            return owner
    return None


def _another(mine: Mapping[str, set[str]], theirs: Mapping[str, set[str]]) -> bool:
    """Does a serial number differ that is known on both sides? (SAFETY 2)"""
    return any(mine[kind] and not mine[kind] & theirs[kind] for kind in mine if kind != "addr" and kind in theirs)


def _permit(found: Opened, broken: bool, holder: str | None) -> dict[str, Any]:
    permit = found.permit
    sent = {
        kind: {"file": file.file, "version": file.version, "state": file.state.value}
        for kind, file in sorted(found.files.items())
    }
    words = standing(permit)
    if permit.stands:
        # No run holds the unit, or it is named below: what was allowed is nobody's any more (SAFETY 2).
        words = (
            "STOP: the run that allowed something is gone, and its permission with it. Touch no plug and no load, "
            "neither in nor out; run again, which measures."
        )
    doubtful = found.torn or broken
    if doubtful:
        words = (
            "The evidence is not whole: a record was damaged, changed, lost or added, and what counts may be another. "
            f"Touch nothing on its word; run again, which measures. It read: '{words}'"
        )
    if holder:
        words = f"A run is at work: follow its own screen ({holder})."
    return {
        "number": permit.number,
        "state": permit.state.value,
        "since": permit.since or None,
        "method": permit.method or None,
        "primary_source": permit.primary or None,
        "rests_on": permit.rests_on or None,
        "promised": permit.promise or None,
        "deed": permit.deed or None,
        "deed_at": permit.deed_at or None,
        "sent": sent,
        "doubtful": doubtful,
        "next_action": words,
        "holder": holder,
    }


def _line(record: Mapping[str, Any]) -> dict[str, Any]:
    event, permit, sending = record.get("event"), record.get("permit"), record.get("sending")
    what = event.get("what") if isinstance(event, dict) else event
    text = event.get("text") if isinstance(event, dict) else record.get("reason") or record.get("message")
    state = record.get("state")
    for part in (permit, sending):
        state = part.get("state", state) if isinstance(part, dict) else state
    return {
        "n": record.get("n"),
        "time": str(record.get("t") or "") or None,
        "run": record["run"],
        "kind": record["kind"],
        "event": str(what) if what else None,
        "state": str(state) if state else None,
        "text": str(text)[:400] if text else None,
    }
