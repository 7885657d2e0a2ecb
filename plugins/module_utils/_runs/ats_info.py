# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_info."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import APP_TOKENS, ats_generation
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.exposure import ats_exposure
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import StateRead, read_state
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import ats_result, nmc_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import SNMP, snmp_options
from ansible_collections.dcops.apc.plugins.module_utils._runs.nmc_info import who
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import open_snmp

SPEC = SNMP
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Reads the unit once; changes nothing, so check mode is the same."""
    client = open_snmp(snmp_options(params, resolve_and_pin(params["host"])))
    try:
        read = read_state(client)
    finally:
        client.close()
    require_ats(params["host"], read)
    ats = ats_result(read.ats, read.nmc.identity)
    return {"changed": False, "ats": ats, "nmc": nmc_result(read.nmc), "exposures": exposures_of(ats, read)}


def exposures_of(ats: dict[str, Any], read: StateRead) -> list[dict[str, Any]]:
    """What the bulletins about Rack ATS firmware mean for this unit."""
    card = read.nmc.identity
    found = ats_exposure(ats["model"], card.app_token, card.aos.version, card.app.version, ats["controller_comm"])
    return [{"bulletin": item.bulletin, "applies": item.applies, "text": item.text} for item in found.exposures]


def require_ats(host: str, read: StateRead) -> None:
    """Raises Stop unless ATS objects answered. What answers instead is said, and returned as ``nmc``."""
    if read.ats.objects_answered:
        return
    card = read.nmc.identity
    details = {"nmc": nmc_result(read.nmc)}
    own = card.app_token in APP_TOKENS.values()
    # A card may go on naming an app that does not run: A- (bad checksum), A! (not for this AOS).
    absent = card.app_token is None or card.app_status in ("-", "!")
    if own or (absent and ats_generation(card.model, None) != "unknown"):
        what = f"an {card.model}" if card.model else "a Rack ATS"
        state = "runs no ATS application" if absent else f"names {card.app.file}, and no ATS object answers"
        raise Stop("state", f"{host} is {what} whose card {state}: nothing can be measured.", details=details)
    raise Stop("not_an_ats", f"{host} is no APC Rack ATS but {who(read.nmc)}.", details=details)
