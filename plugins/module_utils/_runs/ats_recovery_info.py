# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_recovery_info."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import recovery
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery import (
    Decision,
    Facts,
    Given,
    NextStep,
    Picture,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import Case, case_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_words import PICTURES
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import usable_serial
from ansible_collections.dcops.apc.plugins.module_utils._domain.whose import of_this_unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import DeviceClock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import history
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir, key_of
from ansible_collections.dcops.apc.plugins.module_utils._runs import ats_info, nmc_event_log_info
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import RECOVERY_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import ATS_UNIT, ArgumentSpec, OptionError
from ansible_collections.dcops.apc.plugins.module_utils._runs._unit import run_job
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

WARRANTY = ("yes", "no", "unknown")
SPEC = ATS_UNIT.changed("method", choices=["auto", "recovery", "app_only"], default="auto").merge(
    ArgumentSpec(
        {
            "under_warranty": {"type": "str", "choices": list(WARRANTY), "default": "unknown"},
            "look_only": {"type": "bool", "default": False},
            "bundle_dir": {"type": "path"},
            "ended": {"type": "dict"},
        },
    )
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, RECOVERY_LEFT

# Before its app has run for a while a card says nothing of its controller that counts.
PATIENT_UPTIME_S = 300.0
PATIENCE_S = 315.0
LOOK_AGAIN_S = 15.0
# Somebody may be logged in: one user at a time is all that a card takes.
LOG_TRIES = 8
LOG_AGAIN_S = 30.0
LOG_ROWS = 200
# A window in which a download, whose end no log tells, would be over.
LONG_WATCH_S = 330.0
BUNDLED_RUNS = 12


def run(params: dict[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """Looks, judges, and says what is next. Changes nothing: neither the unit nor anything here."""
    label = getattr(progress, "label", "") or params["host"]
    given = _given(params, label, check_mode)
    store = StateDir(params.get("state_dir"), params["ephemeral_state"])
    folder = params.get("bundle_dir")
    if folder and not os.path.isdir(folder):
        # Before anything is asked of the unit: a bundle that cannot be written at the end would be missed most.
        raise OptionError(f"bundle_dir {folder} is not a folder on this controller.")
    if params.get("ended") is not None:
        return _after_the_end(params, given, store, progress)
    result = _look(params, given, store, progress)
    facts, case = result.pop("facts"), result.pop("records")
    if params["look_only"]:
        return _with(result, Decision(NextStep.SAY, loads_off=facts.loads_off))
    decided = recovery.before_measuring(facts, case, given)
    if decided.next_step in (NextStep.SEND, NextStep.WATCH):
        decided = _measure(params, given, progress, result, facts, case, decided)
    return _with(result, decided)


def _given(params: Mapping[str, Any], label: str, check_mode: bool) -> Given:
    return Given(
        label=label,
        method=None if params["method"] == "auto" else params["method"],
        warranty=params["under_warranty"],
        package=bool(params.get("src") or params.get("files")),
        primary=params.get("primary_source"),
        said_power_cycled="power_cycled" in str(params.get("confirmations") or ""),
        check_mode=check_mode,
    )


def _with(result: dict[str, Any], decided: Decision) -> dict[str, Any]:
    result.update(decided.to_result())
    result["case"]["loads_off"] = decided.loads_off
    return result


# --- looking ------------------------------------------------------------------------------------------------


def _look(params: dict[str, Any], given: Given, store: StateDir, progress: Progress) -> dict[str, Any]:
    """The reading, the log, and the evidence. Raises Stop whose details say what is next all the same."""
    clock = DeviceClock()
    try:
        read = _read(params, clock, given.label, progress)
    except TransportError as exc:
        raise _silent(params, given, store, exc) from exc
    ats, nmc = read.get("ats"), read["nmc"]
    records, files = _evidence(params, store, ats, nmc)
    case = case_of(records)
    log = _log(params, clock, given.label, progress)
    facts = recovery.facts_of(ats, nmc, log["findings"], case, datetime.now(timezone.utc))
    return {
        "changed": False,
        "facts": facts,
        "records": case,
        "case": _case_result(case, facts),
        "found": _found(given.label, read, facts, case),
        "ats": ats,
        "nmc": nmc,
        "simulated": nmc.get("simulated"),
        "events": log["events"],
        "findings": log["findings"],
        "bundle": _bundle(params, store, nmc, files, given.label),
        **({"warnings": log["warnings"]} if log.get("warnings") else {}),
    }


def _read(params: dict[str, Any], clock: DeviceClock, label: str, progress: Progress) -> dict[str, Any]:
    """As ats_info returns it; without ``ats`` where the card runs no ATS app, which is a picture and no failure."""
    end: float | None = None
    while True:
        try:
            found = ats_info.run(params, True, progress)
        except Stop as exc:
            if exc.kind != "state" or "nmc" not in exc.details:
                raise
            found = dict(exc.details)
        nmc = found["nmc"]
        clock.set_factor(float(nmc.get("simulated") or 1))
        end = clock.now() + PATIENCE_S if end is None else end
        heard = (found.get("ats") or {}).get("controller_comm") == "established"
        if heard or (nmc.get("uptime_s") or 0.0) >= PATIENT_UPTIME_S or clock.now() >= end:
            return found
        progress.say(f"{label}: up for {nmc.get('uptime_s') or 0:.0f} s, waiting until its word counts", "patient")
        clock.sleep(LOOK_AGAIN_S)


def _log(params: dict[str, Any], clock: DeviceClock, label: str, progress: Progress) -> dict[str, Any]:
    wanted = {**params, "via": "file", "kinds": None, "limit": LOG_ROWS}
    for _attempt in range(LOG_TRIES - 1):
        try:
            # As in check mode: a look puts no host key into known_hosts.
            return nmc_event_log_info.run(wanted, True, progress)
        except TransportError as exc:
            if exc.kind != "busy":
                raise
            progress.say(f"{label}: somebody is logged in to the card, waiting", "busy")
            clock.sleep(LOG_AGAIN_S)
    return nmc_event_log_info.run(wanted, True, progress)


def _found(label: str, read: Mapping[str, Any], facts: Facts, case: Case) -> list[str]:
    ats, nmc = read.get("ats") or {}, read["nmc"]
    mark = " (SIMULATED)" if nmc.get("simulated") else ""
    picture = facts.picture.value
    if facts.picture is Picture.ANSWERS_AGAIN and facts.restore and not case.open:
        picture = "not_redundant"
    card = (
        f"{nmc.get('model') or 'model unknown'}, serial {ats.get('serial') or nmc.get('serial') or 'unknown'}, "
        f"AOS {(nmc.get('aos') or {}).get('version') or 'unknown'}, "
        f"app {(nmc.get('app') or {}).get('version') or 'none'}, "
        f"controller {ats.get('controller_comm') or 'not readable'}, up for {nmc.get('uptime_s') or 0:.0f} s"
    )
    lines = [f"{label}{mark}: {PICTURES[picture]}", card]
    if case.open:
        lines.append("An earlier run of the recovery has not been brought to its end.")
    if case.damaged:
        lines.append(f"Evidence that cannot be read counts as open: run {', '.join(case.damaged[:5])}.")
    return [*lines, *(f"finding {name}: {text}" for name, text in facts.findings)]


# --- evidence -----------------------------------------------------------------------------------------------


def _keys(ats: Mapping[str, Any] | None, nmc: Mapping[str, Any]) -> list[str]:
    named = (("ats", (ats or {}).get("serial")), ("card", nmc.get("serial")))
    return [key_of(kind, serial) for kind, text in named if (serial := usable_serial(text))]


def _address_key(params: Mapping[str, Any]) -> str:
    return key_of("addr", f"{resolve_and_pin(params['host'])}-{params['snmp_port']}")


def _evidence(
    params: Mapping[str, Any], store: StateDir, ats: Mapping[str, Any] | None, nmc: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    folder = store.folder("evidence", bool(nmc.get("simulated")))
    keys = [*_keys(ats, nmc), _address_key(params)]
    every = history(folder, keys) if folder.is_dir() else []
    records, _others = of_this_unit(every, card_serial=nmc.get("serial"), ats_serial=(ats or {}).get("serial"))
    return records, _files(folder, keys, {str(record.get("run")) for record in records})


def _files(folder: Path, keys: list[str], runs: set[str]) -> list[str]:
    if not folder.is_dir():
        return []
    names = sorted(name for name in os.listdir(folder) if any(f"_{key}_" in name for key in keys))
    return [str(folder / name) for name in names if Path(name).stem.rsplit("_", 1)[-1] in runs]


def _silent(params: Mapping[str, Any], given: Given, store: StateDir, exc: TransportError) -> Stop:
    """All that is known of a silent card is its address; what was begun there has words of its own."""
    records: list[Mapping[str, Any]] = []
    if exc.kind == "timeout":
        for simulated in (False, True):
            folder = store.folder("evidence", simulated)
            records += history(folder, [_address_key(params)]) if folder.is_dir() else []
    case = case_of(records)
    decided = recovery.silent(case, given, datetime.now(timezone.utc))
    if decided is None:
        return Stop(exc.kind, exc.message)
    shown = {"picture": Picture.SILENT.value, "open": case.open, "attempts": case.attempts}
    details = {"case": shown, "found": [], **decided.to_result(), "next_action": decided.reason}
    return Stop(exc.kind, exc.message, details=details)


def _case_result(case: Case, facts: Facts) -> dict[str, Any]:
    return {
        "picture": facts.picture.value,
        "open": case.open,
        "way": case.way.value if case.way else None,
        "baseline": case.baseline.isoformat() if case.baseline else None,
        "baseline_kept": facts.kept,
        "loads_off": facts.loads_off,
        "attempts": case.attempts,
        "damaged": list(case.damaged),
    }


def _bundle(
    params: Mapping[str, Any], store: StateDir, nmc: Mapping[str, Any], files: list[str], label: str
) -> dict[str, Any]:
    """Where the maker's bundle goes, and what earlier runs left for it. Without a folder for it: no ``dest``."""
    folder = Path(params.get("bundle_dir") or store.folder("backups", bool(nmc.get("simulated"))))
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", label)[:80]
    made = datetime.now(timezone.utc)
    # The folder of the state comes into being with the first backup.
    return {"dest": str(folder / f"support_{name}_{made:%Y%m%dT%H%M%SZ}.zip"), "evidence": files[-BUNDLED_RUNS:]}


# --- measuring ----------------------------------------------------------------------------------------------


def _measure(
    params: dict[str, Any],
    given: Given,
    progress: Progress,
    result: dict[str, Any],
    facts: Facts,
    case: Case,
    decided: Decision,
) -> Decision:
    """One window; and a longer one where only a download, whose end no log tells, stands in the way."""
    wanted = {**params, "method": decided.method}

    def over(seconds: float) -> dict[str, Any]:
        return run_job({**wanted, "stability_s": max(seconds, params["stability_s"])}, progress, job.observe_once, True)

    measured = _or_details(lambda: over(params["stability_s"]), result)
    checks = (measured.get("interlock") or {}).get("checks") or []
    # Where nobody is asked for anything the procedure itself waits for it.
    if decided.next_step is NextStep.SEND and recovery.waits_for_a_download(checks):
        measured = _or_details(lambda: over(LONG_WATCH_S), result)
    result.update({name: measured.get(name) for name in ("interlock", "entry", "plan", "confirmations")})
    return recovery.after_measuring(decided, facts, case, given, measured)


def _or_details(measure: Callable[[], dict[str, Any]], result: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return measure()
    except Stop as exc:
        # What was found stands in the failure too.
        raise Stop(exc.kind, exc.message, exc.verdict, exc.state, {**result, **exc.details}) from exc


# --- after a step that failed -------------------------------------------------------------------------------


def _after_the_end(params: dict[str, Any], given: Given, store: StateDir, progress: Progress) -> dict[str, Any]:
    ended: dict[str, Any] = dict(params["ended"])
    if not recovery.never_booted(ended):
        return {"changed": False, "case": {}, "found": [], **recovery.after_the_end(ended, Case(), given).to_result()}
    try:
        result = _look(params, given, store, progress)
    except (Stop, TransportError) as exc:
        # The word that comes after it matters more than what could be added to the bundle.
        bundle = {"dest": None, "evidence": [str(ended["evidence"])] if ended.get("evidence") else []}
        result = {"changed": False, "case": {}, "found": [f"{given.label}: not all could be read: {exc.message}"]}
        return {**result, "bundle": bundle, **recovery.after_the_end(ended, Case(attempts=1), given).to_result()}
    result.pop("facts")
    case = result.pop("records")
    # The attempt that has just failed is one, whatever the disk has of it.
    case = replace(case, attempts=max(case.attempts, 1))
    return _with(result, recovery.after_the_end(ended, case, given))
