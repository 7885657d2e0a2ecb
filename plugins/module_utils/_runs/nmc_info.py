# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module nmc_info."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import CARD, NmcState, decode_nmc
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import read_plan
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import nmc_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import SNMP, snmp_options
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import open_snmp

SPEC = SNMP
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT

_ENTERPRISE = ".".join(map(str, o.ENTERPRISE)) + "."


def is_card(nmc: NmcState) -> bool:
    """An agent of this maker, or one that describes itself like its cards."""
    return nmc.identity.aos.version is not None or (nmc.object_id or "").startswith(_ENTERPRISE)


def who(nmc: NmcState) -> str:
    """What an agent that is not what was looked for says about itself."""
    card = nmc.identity
    if is_card(nmc) and card.model:
        app = f", application {card.app.file}" if card.app.file else ""
        return f"an APC {card.model}{app}"
    if card.description:
        return f"something that describes itself as '{card.description[:120]}'"
    return f"an SNMP agent without a description (sysObjectID {nmc.object_id or 'not readable'})"


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Reads the card; changes nothing, so check mode is the same."""
    client = open_snmp(snmp_options(params, resolve_and_pin(params["host"])))
    try:
        nmc = decode_nmc(read_plan(client, CARD))
    finally:
        client.close()
    if not is_card(nmc):
        raise TransportError("unsupported", f"{params['host']} is no APC network management card but {who(nmc)}.")
    return {"changed": False, "nmc": nmc_result(nmc)}
