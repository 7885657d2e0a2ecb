# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ups_firmware."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import (
    ConfirmationError,
    parse_confirmations,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Expander, Facts
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import UpdateFile
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import UpsSample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd, ups_next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import UpsState
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._files.ups_source import load_update_file
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ups import UpsRead, read_ups
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import DeviceClock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import Progress, ended
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.job import UpsEndings, check_update, do_update
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import UpsOptions
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.unit import UpsUnit
from ansible_collections.dcops.apc.plugins.module_utils._runs._card_login import CardLogins
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import UPS_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import nmc_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._secrets import hider
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    ACCOUNT,
    SNMP,
    UPGRADE,
    ArgumentSpec,
    OptionError,
    snmp_options,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._unit import zone_of
from ansible_collections.dcops.apc.plugins.module_utils._runs._ups_results import facts_of, ups_result
from ansible_collections.dcops.apc.plugins.module_utils._runs.ups_info import require_ups
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import open_snmp
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_set import open_snmp_writer
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import SnmpClient, SnmpWriter

_SHARED = ("confirmations", "confirmation_timezone", "stability_s", "poll_interval_s", "state_dir", "ephemeral_state")
SPEC = SNMP.merge(
    # Check mode logs in nowhere, so it asks for no account.
    ACCOUNT.changed("username", required=False).changed("password", required=False),
    UPGRADE.only(*_SHARED, "up_timeout_s", "change_reference"),
    ArgumentSpec(
        {
            "src": {"type": "str"},
            "checksum": {"type": "str"},
            "version": {"type": "str"},
            "interface_expander": {"type": "str", "choices": [item.value for item in Expander], "default": "unknown"},
            "ready_timeout_s": {"type": "float", "default": 300.0},
            "start_timeout_s": {"type": "float", "default": 120.0},
            "update_timeout_s": {"type": "float", "default": 3600.0},
        }
    ),
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, UPS_LEFT
MAX_TRACE = 20_000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def run(params: dict[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """Whatever happens, the result says in what state the UPS is and what the person must do now."""
    report: dict[str, Any] = {
        "changed": False,
        "firmware": {"before": None, "wanted": None, "after": None},
        "interlock": None,
        "reason": None,
        "resumed": None,
        "notes": [],
        "events": [],
        "simulated": None,
        "steps": [],
    }
    try:
        _run(params, check_mode, progress, report)
    except (PackageError, TransportError, ConfirmationError, OptionError) as exc:
        kind = exc.kind if isinstance(exc, (PackageError, TransportError)) else "unsupported"
        raise Stop(kind, getattr(exc, "message", str(exc)), details=_details(report, {})) from exc
    except Stop as exc:
        raise Stop(exc.kind, exc.message, details=_details(report, exc.details)) from exc
    except Exception as exc:
        if "state" not in report:
            raise
        # With the state that was found: without one the word would be "nothing was sent".
        trace = {"exception": traceback.format_exc()[-MAX_TRACE:]}
        first = (str(exc).splitlines() or [""])[0][:300]
        message = f"Unexpected {type(exc).__name__}: {first}"
        raise Stop("internal", message, details=_details(report, trace)) from exc
    notes = report.pop("notes")
    if notes:
        report["warnings"] = notes
    return report


def _details(report: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    report.setdefault("state", UpsEnd.NOTHING_SENT.value)
    report.setdefault("next_action", ups_next_action(UpsEnd(report["state"])))
    notes = report.pop("notes", [])
    return {**report, **({"warnings": notes} if notes else {}), **more}


def options_of(params: dict[str, Any]) -> UpsOptions:
    wanted = Version.parse(params["version"]) if params["version"] else None
    if params["version"] and wanted is None:
        raise OptionError(f"version must be like '09.3', quoted, not {params['version']!r:.40}.")
    checksum = params["checksum"].strip() if params["checksum"] else None
    if checksum is not None:
        checksum = checksum.removeprefix("sha256:")
        if not _SHA256.fullmatch(checksum):
            raise OptionError("checksum must be the SHA-256 of the file, 64 hexadecimal digits.")
    return UpsOptions(
        wanted=wanted,
        checksum=checksum,
        confirmations=parse_confirmations(params["confirmations"]),
        zone=zone_of(params["confirmation_timezone"]),
        stability_s=params["stability_s"],
        poll_interval_s=params["poll_interval_s"],
        ready_timeout_s=params["ready_timeout_s"],
        start_timeout_s=params["start_timeout_s"],
        update_timeout_s=params["update_timeout_s"],
        up_timeout_s=params["up_timeout_s"],
        busy_timeout_s=params["busy_timeout_s"],
        change_reference=params["change_reference"] or "",
    )


def sample_of(at_s: float, read: UpsRead) -> UpsSample:
    nmc = read.nmc
    return UpsSample(
        at_s=at_s,
        answered=nmc.uptime_s is not None,
        identity=nmc.identity,
        uptime_s=nmc.uptime_s,
        name=nmc.name,
        addresses=nmc.addresses,
        ups=read.ups,
        error="" if nmc.uptime_s is not None else "only a part of the card answers",
    )


def ups_reader(client: SnmpClient, now: Callable[[], float]) -> Callable[[], UpsSample]:
    """A function that takes one sample. A silent card is a sample too; wrong credentials are an error."""

    def read() -> UpsSample:
        at_s = now()
        try:
            return sample_of(at_s, read_ups(client))
        except TransportError as exc:
            if exc.kind in ("auth", "unsupported"):
                raise
            return UpsSample(at_s, False, error=exc.message)

    return read


def _run(params: dict[str, Any], check_mode: bool, progress: Progress, report: dict[str, Any]) -> None:
    options = options_of(params)
    missing = [name for name in ("username", "password") if not params[name]]
    if not check_mode and missing:
        raise OptionError(f"{' and '.join(missing)} of the management card are needed to send the file.")
    if not check_mode and params["snmp_version"] != "v3" and not params["snmp_write_community"]:
        raise OptionError("snmp_write_community is needed: the update is started by SNMP.")
    file: UpdateFile | None = None
    content = b""
    if params["src"]:
        file, content = load_update_file(params["src"])
    address = resolve_and_pin(params["host"])
    clock = DeviceClock()
    client = open_snmp(snmp_options(params, address))
    try:
        unit = _unit(params, options, progress, address, clock, client, file, content, report, check_mode)
        _carry_out(unit, client, params, check_mode, report)
    finally:
        client.close()


def _unit(
    params: dict[str, Any],
    options: UpsOptions,
    progress: Progress,
    address: str,
    clock: DeviceClock,
    client: SnmpClient,
    file: UpdateFile | None,
    content: bytes,
    report: dict[str, Any],
    check_mode: bool,
) -> UpsUnit:
    def open_writer() -> SnmpWriter:
        return open_snmp_writer(snmp_options(params, address), params["snmp_write_community"])

    def first(sample: UpsSample) -> None:
        if sample.identity.simulated:
            clock.set_factor(float(sample.identity.simulated))

    return UpsUnit(
        label=getattr(progress, "label", "") or params["host"],
        address=address,
        port=params["snmp_port"],
        clock=clock,
        read=ups_reader(client, clock.now),
        open_login=CardLogins(params, address, report["notes"].append, not check_mode),
        open_writer=open_writer,
        options=options,
        progress=progress,
        file=file,
        content=content,
        store=StateDir(params["state_dir"], params["ephemeral_state"]),
        on_first=first,
        orphaned=getattr(progress, "orphaned", lambda: False),
        hide=hider(ARGUMENT_SPEC, params),
        username=params["username"] or "",
    )


def _carry_out(
    unit: UpsUnit, client: SnmpClient, params: dict[str, Any], check_mode: bool, report: dict[str, Any]
) -> None:
    try:
        with ended(unit, report, UpsEndings(unit, report)):
            sample = unit.first_contact()
            report["simulated"] = sample.identity.simulated
            read = read_ups(client)
            require_ups(params["host"], read)

            def judged(ups: UpsState) -> Facts:
                return facts_of(ups_result(ups), Expander(params["interface_expander"]))

            (check_update if check_mode else do_update)(unit, judged, report)
            ups = unit.newest.ups if unit.newest.answered else read.ups
            try:
                read = read_ups(client)
                ups = read.ups
            except TransportError:
                # What was done stays done: one lost answer at the end is no failure of it.
                report["notes"].append("the last reading was not answered: the UPS is shown as it was read before")
            report["ups"], report["nmc"] = ups_result(ups), nmc_result(read.nmc)
    finally:
        report["steps"] = _steps(unit)
        # What was asked for may have changed the unit, however this run ends; what the card plainly refused has not.
        proposed = report["changed"] and not unit.start_asked
        not_started = report.get("state") == UpsEnd.FILE_NOT_STARTED.value
        report["changed"] = report["changed"] or (unit.start_asked and not not_started)
        firmware = report["firmware"]
        # Nothing is shown as the firmware afterwards that was not read: in check mode it is what would be.
        after = firmware["after"] or (firmware["wanted"] if proposed else None)
        if report["changed"] and after:
            report["diff"] = {"before": f"{firmware['before']}\n", "after": f"{after}\n"}


def _steps(unit: UpsUnit) -> list[dict[str, Any]]:
    """The run's timeline, in words, from the evidence's summary."""
    found = []
    for record in unit.evidence.summary:
        keys = ("file", "reason", "status", "result", "outcome", "installed", "state", "error", "message")
        extra = [str(record[key]) for key in keys if record.get(key)]
        found.append({"time": record["t"], "text": " ".join([str(record["kind"]).replace("_", " "), *extra])})
    return found
