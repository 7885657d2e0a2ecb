# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that only read say about an agent that is not what they look for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._runs import ats_info, nmc_info
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

CARD = (
    b"APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.9.2 PN:apc_hw02_aos_392.bin AF1:%s AN1:%s MN:%s HR:R01 "
    b"SN: 5A1511T00001 MD:04/18/2015)"
)
PDU = {
    o.SYS_DESCR: CARD % (b"v3.9.2", b"apc_hw02_rpdu_392.bin", b"AP7931"),
    o.SYS_OBJECT_ID: (*o.ENTERPRISE, 1, 3, 4, 5),
    o.SYS_UP_TIME: 90000,
}
LINUX = {
    o.SYS_DESCR: b"Linux router 6.1.0 \x1b[31m SMP",
    o.SYS_OBJECT_ID: (1, 3, 6, 1, 4, 1, 8072, 3, 2, 10),
    o.SYS_UP_TIME: 90000,
}
BLIND = {
    o.SYS_DESCR: (CARD % (b"", b"", b"AP7724")).replace(b" AF1: AN1:", b""),
    o.SYS_OBJECT_ID: (*o.ENTERPRISE, 1, 3, 11),
    o.SYS_UP_TIME: 90000,
}


def mute(token: bytes, model: bytes, status: bytes = b"") -> dict[Any, Any]:
    """A card that names its app, and no ATS object answers."""
    shown = CARD % (b"v3.9.2", b"apc_hw02_" + token + b"_392.bin", model)
    shown = shown.replace(b" MN: HR", b" HR")
    return {**BLIND, o.SYS_DESCR: shown + (b" " + status if status else b"")}


ATS = {
    o.SYS_DESCR: CARD % (b"v3.9.2", b"apc_hw02_g2ats_392.bin", b"AP7724"),
    o.SYS_OBJECT_ID: (*o.ENTERPRISE, 1, 3, 11),
    o.SYS_UP_TIME: 90000,
    o.STATUS_COMM: 2,
    o.STATUS_SELECTED: 2,
    o.SERIAL: b"5A1511T00001",
}


class Agent:
    requests = bytes_sent = bytes_received = 0

    def __init__(self, values: dict[Any, Any] | None) -> None:
        self.values = values
        self.closed = False

    def exchange(self, oids: Sequence[Any]) -> list[Any]:
        self.requests += 1
        if self.values is None:
            raise TransportError("timeout", "no answer")
        names = sorted(self.values)
        found = [next((name for name in names if name > tuple(oid)), None) for oid in oids]
        return [None if name is None else (name, self.values[name]) for name in found]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(name: str, values: dict[Any, Any] | None) -> tuple[dict[str, Any], Agent]:
        agent = Agent(values)
        for module in (nmc_info, ats_info):
            monkeypatch.setattr(module, "open_snmp", lambda options: agent)
        spec = _module.RUNS[name].ARGUMENT_SPEC
        params = {**{option: entry.get("default") for option, entry in spec.items()}, "host": "192.0.2.1"}
        return _module.run_named(name, params, True, _module.NullProgress()), agent

    return run


@pytest.mark.parametrize(
    ("name", "values", "kind", "words"),
    [
        (
            "ats_info",
            PDU,
            "not_an_ats",
            "no APC Rack ATS but an APC AP7931, application apc_hw02_rpdu_",
        ),
        ("ats_info", LINUX, "not_an_ats", "something that describes itself as 'Linux router 6.1.0"),
        ("ats_info", {o.SYS_UP_TIME: 1}, "not_an_ats", "without a description"),
        ("ats_info", BLIND, "state", "AP7724 whose card runs no ATS application"),
        ("ats_info", mute(b"g2ats", b"AP7724", b"P7+N- A!"), "state", "AP7724 whose card runs no ATS application"),
        ("ats_info", mute(b"g2ats", b"AP7724", b"P7+N- A-"), "state", "AP7724 whose card runs no ATS application"),
        ("ats_info", mute(b"g2ats", b"AP7724"), "state", "names apc_hw02_g2ats_392.bin, and no ATS object answers"),
        ("ats_info", mute(b"g2ats", b""), "state", "a Rack ATS whose card names"),
        ("ats_info", mute(b"rpdu", b"AP7724", b"A!"), "state", "AP7724 whose card runs no ATS application"),
        # Another device in the same trouble is no ATS.
        ("ats_info", mute(b"rpdu", b"AP7931", b"A!"), "not_an_ats", "no APC Rack ATS but an APC AP7931"),
        ("ats_info", mute(b"rpdu", b"AP7724"), "not_an_ats", "no APC Rack ATS but an APC AP7724"),
        ("nmc_info", LINUX, "unsupported", "no APC network management card"),
        ("ats_info", None, "timeout", "no answer"),
        ("nmc_info", None, "timeout", "no answer"),
    ],
)
def test_failures_say_what_is_there(ask: Any, name: str, values: Any, kind: str, words: str) -> None:
    result, agent = ask(name, values)
    assert result["failed"] and result["error"]["kind"] == kind
    assert words in result["msg"]
    assert "\x1b" not in str(result)
    assert agent.closed


def test_a_pdu_is_returned_as_the_card_that_it_is(ask: Any) -> None:
    assert ask("ats_info", PDU)[0]["nmc"]["model"] == "AP7931"
    result, agent = ask("nmc_info", PDU)
    assert result["nmc"]["app"]["name"] == "rpdu"
    assert agent.requests == 1


def test_an_ats(ask: Any) -> None:
    result, agent = ask("ats_info", ATS)
    assert "failed" not in result and result["changed"] is False
    assert (result["ats"]["controller_comm"], result["ats"]["selected_source"]) == ("established", "B")
    assert result["ats"]["redundancy"] is None
    assert agent.requests <= 4 and agent.closed
