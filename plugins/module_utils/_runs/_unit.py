# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to a unit under a run, and from its end to the module's result."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    ConfirmationError,
    parse_confirmations,
)
from ansible_collections.dcops.apc.plugins.module_utils._files.package_source import LoadedPackage, load
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import StateRead, read_state
from ansible_collections.dcops.apc.plugins.module_utils._procedure.aside import Aside
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.job import AtsEndings, announce, versions
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options, Peer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.reading import reader
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import DeviceClock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress, ended
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir, key_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.words import WordBox
from ansible_collections.dcops.apc.plugins.module_utils._runs._card_login import CardLogins
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import ats_result, nmc_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._secrets import hider
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    ATS_UNIT,
    snmp_options,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import open_snmp
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import SnmpClient

Task = Callable[[Unit, dict[str, Any]], None]


def zone_of(name: str | None) -> tzinfo:
    """The named time zone, else the controller's own. Raises ConfirmationError."""
    if not name:
        return datetime.now().astimezone().tzinfo or timezone.utc
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ConfirmationError(
            f"confirmation_timezone '{name[:60]}' is not known here (a name such as Europe/Vienna; "
            "in a slim container install the Python package tzdata)"
        ) from exc


def options_of(params: dict[str, Any]) -> Options:
    primary = params.get("primary_source")
    return Options(
        method=Method(params["method"]),
        primary=Source[primary] if primary else None,
        confirmations=parse_confirmations(params.get("confirmations")),
        zone=zone_of(params.get("confirmation_timezone")),
        allow_downgrade=params["allow_downgrade"],
        checksums={str(name): str(value) for name, value in (params.get("checksums") or {}).items()},
        stability_s=params["stability_s"],
        poll_interval_s=params["poll_interval_s"],
        down_timeout_s=params["down_timeout_s"],
        up_timeout_s=params["up_timeout_s"],
        controller_timeout_s=params["controller_timeout_s"],
        action_timeout_s=float(params.get("timeout_s") or 3600.0),
        busy_timeout_s=params["busy_timeout_s"],
        change_reference=params.get("change_reference") or "",
    )


def _peers(params: dict[str, Any], clock: DeviceClock, clients: list[SnmpClient], own: str) -> list[Peer]:
    """Each ``address`` or ``address:port``; read with the same SNMP options as the unit itself."""
    found = []
    for label in params.get("redundancy_peers") or []:
        host, mark, port = label.rpartition(":")
        if not mark or not port.isdigit() or ":" in host:
            host, port = label, str(params["snmp_port"])
        address = resolve_and_pin(host)
        if address == own and int(port) == params["snmp_port"]:
            raise Stop("refused", f"redundancy peer {label} is the unit itself")
        client = open_snmp(snmp_options({**params, "snmp_port": int(port)}, address))
        clients.append(client)
        found.append(Peer(label, reader(client, clock), (key_of("addr", f"{address}-{port}"),)))
    return found


def run_job(params: dict[str, Any], progress: Progress, task: Task, check_mode: bool = False) -> dict[str, Any]:
    """Opens the unit, does the task, and returns the result; a failure is a Stop whose details hold the same report."""
    options = options_of(params)
    loaded: LoadedPackage | None = None
    if params.get("src") or params.get("files"):
        loaded = load(params.get("src"), params.get("files"))
    address = resolve_and_pin(params["host"])
    clock = DeviceClock()
    client = open_snmp(snmp_options(params, address))
    clients: list[SnmpClient] = [client]
    report: dict[str, Any] = {"changed": False, "plan": [], "entry": None, "interlock": None, "simulated": None}

    def warn(text: str) -> None:
        report.setdefault("warnings", []).append(text)

    logins = CardLogins(params, address, warn, not check_mode)
    try:
        peers = _peers(params, clock, clients, address)
        unit = _unit(params, options, progress, address, clock, client, loaded, peers, logins)
        return _carry_out(unit, client, report, task)
    finally:
        for each in clients:
            each.close()


def _unit(
    params: dict[str, Any],
    options: Options,
    progress: Progress,
    address: str,
    clock: DeviceClock,
    client: SnmpClient,
    loaded: LoadedPackage | None,
    peers: list[Peer],
    logins: CardLogins,
) -> Unit:
    def first(sample: Sample) -> None:
        if sample.identity.simulated:
            clock.set_factor(float(sample.identity.simulated))

    store = StateDir(params.get("state_dir"), params["ephemeral_state"])
    aside = Aside()
    box = WordBox(store.path, clock.wall, aside)
    unit = Unit(
        label=getattr(progress, "label", "") or params["host"],
        address=address,
        port=params["snmp_port"],
        clock=clock,
        read=reader(client, clock),
        read_whole=reader(client, clock, whole=True),
        open_login=logins,
        options=options,
        progress=progress,
        package=loaded.package if loaded else None,
        contents=loaded.contents if loaded else {},
        peers=peers,
        store=store,
        hearing=Hearing(
            getattr(progress, "question", lambda prompt: None), box.publish, box.withdraw, box.words, box.refused
        ),
        on_first=first,
        orphaned=getattr(progress, "orphaned", lambda: False),
        hide=hider(ATS_UNIT.options, params),
        aside=aside,
    )
    box.belongs_to(
        unit.keys,
        lambda: {
            "run": unit.run_id,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "label": unit.label,
            "simulated": unit.simulated,
        },
    )
    return unit


def _carry_out(unit: Unit, client: SnmpClient, report: dict[str, Any], task: Task) -> dict[str, Any]:
    try:
        with ended(unit, report, AtsEndings(unit, report)):
            announce(unit, task)
            sample = unit.first_contact()
            report["simulated"] = sample.identity.simulated
            report["firmware"] = {"before": versions(sample), "after": None}
            task(unit, report)
            _last_reading(client, report)
    except Stop as exc:
        raise Stop(exc.kind, exc.message, exc.verdict, _state(report, exc.state), _details(unit, report, exc)) from exc
    except TransportError as exc:
        raise Stop(exc.kind, exc.message, None, _state(report, None), _details(unit, report, None)) from exc
    report["steps"] = _steps(unit)
    report["confirmations"] = _confirmations(unit)
    report.pop("step", None)
    return report


def _state(report: dict[str, Any], given: State | None) -> State | None:
    return State(report["state"]) if report.get("state") else given


def _details(unit: Unit, report: dict[str, Any], stop: Stop | None) -> dict[str, Any]:
    # What the modules document as their result also stands in a failure.
    report.pop("step", None)
    report["changed"] = not unit.sent.nothing
    report["steps"] = _steps(unit)
    report["confirmations"] = _confirmations(unit)
    return {**report, **(stop.details if stop else {})}


def _steps(unit: Unit) -> list[dict[str, Any]]:
    """The run's timeline, in words, from the evidence's summary."""
    found = []
    for record in unit.evidence.summary:
        extra = [
            str(record[key]) for key in ("file", "source", "reason", "state", "error", "message") if record.get(key)
        ]
        found.append({"time": record["t"], "text": " ".join([str(record["kind"]).replace("_", " "), *extra])})
    return found


def _confirmations(unit: Unit) -> list[dict[str, Any]]:
    return [
        {"what": what, "ok": judged.ok, "verifiable": judged.verifiable, "reason": judged.reason}
        for what, judged in unit.said.confirmed.items()
    ]


def _last_reading(client: SnmpClient, report: dict[str, Any]) -> None:
    state: StateRead = read_state(client)
    report["ats"], report["nmc"] = ats_result(state.ats, state.nmc.identity), nmc_result(state.nmc)
