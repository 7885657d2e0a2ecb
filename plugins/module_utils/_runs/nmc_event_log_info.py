# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module nmc_event_log_info."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.event_kinds import KINDS, Event, events_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.findings import Finding, findings_of
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs._card_login import CardLogins
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import ACCOUNT, HOST, ArgumentSpec, OptionError
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.web import open_web
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_http import WebOptions

SPEC = HOST.merge(
    ACCOUNT,
    ArgumentSpec(
        {
            "via": {"type": "str", "choices": ["file", "web"], "default": "file"},
            "kinds": {"type": "list", "elements": "str", "choices": list(KINDS)},
            "limit": {"type": "int", "default": 1000},
            "web_scheme": {"type": "str", "choices": ["https", "http"], "default": "https"},
            "web_port": {"type": "int"},
            "web_validate_certs": {"type": "bool", "default": True},
            "web_ca_path": {"type": "path"},
            "web_event_page": {"type": "str"},
        }
    ),
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT
MAX_BYTES = 262144
_MAX_SHOWN = 5000


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Logs in, reads, logs out; changes nothing but the card's own log, which notes the login."""
    if not 1 <= params["limit"] <= _MAX_SHOWN:
        raise OptionError(f"limit must be from 1 to {_MAX_SHOWN}.")
    address = resolve_and_pin(params["host"])
    warnings: list[str] = []
    if params["via"] == "web":
        data, protocol, whole = _by_web(params, address, warnings)
    else:
        data, protocol, whole = _by_file(params, address, warnings, check_mode)
    log = parse_event_log(data)
    result = result_of(log, params)
    if not log.recognised and not log.rows:
        message = f"what {params['host']} sent as its event log is empty or not understood"
        raise Stop("transfer", message, details={"head": list(log.head[:20])})
    if not whole:
        warnings.append("the log was cut, or only its first page was read: what is missing there proves nothing")
    return {"changed": False, "protocol": protocol, **result, **({"warnings": warnings} if warnings else {})}


def _by_file(params: dict[str, Any], address: str, warnings: list[str], check_mode: bool) -> tuple[bytes, str, bool]:
    logins = CardLogins(params, address, warnings.append, not check_mode)
    login = logins(lambda: None)
    try:
        data = login.fetch("event.txt", MAX_BYTES)
    finally:
        login.close()
    return data, logins.protocol, len(data) < MAX_BYTES


def _by_web(params: dict[str, Any], address: str, warnings: list[str]) -> tuple[bytes, str, bool]:
    if params["web_scheme"] == "http":
        warnings.append("the web login sent the user name and the password in clear: web_scheme is http")
    options = WebOptions(
        address=address,
        port=params["web_port"] or (443 if params["web_scheme"] == "https" else 80),
        scheme=params["web_scheme"],
        username=params["username"],
        password=params["password"],
        timeout_s=params["transfer_timeout_s"],
        verify=(params["web_ca_path"] or True) if params["web_validate_certs"] else False,
        pages={"event_log": params["web_event_page"]} if params["web_event_page"] else {},
        host=params["host"],
    )
    with open_web(options, lambda: None) as login:
        page = login.event_log()
    if not login.logged_out:
        warnings.append(
            "the card did not confirm the logout: it may be busy until its auto-log-off, 3 minutes by default"
        )
    # The card shows one page of its log; how many rows that is, is the card's own setting.
    return page.text.encode(), params["web_scheme"], False


def result_of(log: EventLog, params: dict[str, Any]) -> dict[str, Any]:
    """``events`` oldest first; findings are drawn from all of them, whatever is shown."""
    every = events_of(log)
    wanted = params.get("kinds")
    shown = [event for event in every if not wanted or event.kind in wanted]
    return {
        "events": [event_result(event) for event in shown[-params["limit"] :]],
        "findings": [finding_result(finding) for finding in findings_of(every)],
        "total": len(every),
        "order_known": log.newest_first is not None,
        "head": [*log.head[:20], *log.passed_over[:20]],
    }


def event_result(event: Event) -> dict[str, Any]:
    return {
        "time": event.time,
        "source": event.source,
        "text": event.text,
        "code": event.code,
        "kind": event.kind,
    }


def finding_result(finding: Finding) -> dict[str, Any]:
    return {"id": finding.id, "text": finding.text, "events": [event_result(event) for event in finding.events]}
