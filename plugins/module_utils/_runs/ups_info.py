# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ups_info."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._powernet.ups import UpsRead, read_ups
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import nmc_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import SNMP, snmp_options
from ansible_collections.dcops.apc.plugins.module_utils._runs._ups_results import ups_result
from ansible_collections.dcops.apc.plugins.module_utils._runs.nmc_info import who
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import open_snmp

SPEC = SNMP
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT

# The card's application for UPSs: sumx on NMC1 and NMC2, su on NMC3, sy for Symmetra [V].
UPS_APPS = ("sumx", "su", "sy")


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Reads the unit once; changes nothing, so check mode is the same."""
    read = query(params)
    return {"changed": False, "ups": ups_result(read.ups), "nmc": nmc_result(read.nmc)}


def query(params: dict[str, Any]) -> UpsRead:
    """One reading; raises TransportError, or Stop where it is no UPS that answers."""
    client = open_snmp(snmp_options(params, resolve_and_pin(params["host"])))
    try:
        read = read_ups(client)
    finally:
        client.close()
    require_ups(params["host"], read)
    return read


def require_ups(host: str, read: UpsRead) -> None:
    """Raises Stop unless UPS objects answered. What answers instead is said, and returned as ``nmc``."""
    if read.ups.objects_answered:
        return
    details = {"nmc": nmc_result(read.nmc)}
    if read.nmc.identity.app_token in UPS_APPS:
        message = f"{host} is a card for a UPS, but answers no object of one: it may have lost its UPS."
        raise Stop("state", message, details=details)
    raise Stop("not_a_ups", f"{host} is no APC UPS but {who(read.nmc)}.", details=details)
