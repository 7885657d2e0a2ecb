# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ups_info and ups_ap9624_info: facts that were stored judge as the query does, and who is no UPS is told so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Expander, judge
from ansible_collections.dcops.apc.plugins.module_utils._powernet import objects as o
from ansible_collections.dcops.apc.plugins.module_utils._runs import ats_info, ups_info
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import OptionError
from ansible_collections.dcops.apc.plugins.module_utils._runs._ups_results import facts_of
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.cards import FIXTURES, MemoryClient, load

EXPANDERS = ["present", "absent", "unknown"]
# What each device file of the simulator is judged as (groups present, expander present), by BULLETINS.md.
DEVICES: dict[str, tuple[str, int, str | None]] = {
    "smt1500rm2u": ("fix_missing", 8, "UPS 09.3"),
    "smt1500rm2u_fixed": ("fixed", 8, "UPS 09.3"),
    "smt1500rm1u": ("fix_missing", 8, "UPS 09.8"),
    "smx1500rm2u": ("fix_missing", 8, "UPS 09.8"),
    "smx3000rmhv2u": ("fix_missing", 8, "UPS 06.6"),
    "smx3000rmhv2u_id1003": ("unknown", 9, None),
    "srt3000": ("no_published_fix", 4, None),
    "sua1500": ("unknown", 6, None),
    "smtl1000": ("not_affected", 5, None),
}
CAPTURED = {
    "ups_smx750": ("fixed", 8, "UPS 09.8"),
    "ups_smx2200": ("unknown", 9, None),
    "ups_sua1500": ("unknown", 6, None),
}


def call(name: str, **options: Any) -> dict[str, Any]:
    spec = _module.RUNS[name].ARGUMENT_SPEC
    params = {**{option: entry.get("default") for option, entry in spec.items()}, **options}
    return _module.run_named(name, params, True, _module.NullProgress())


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    def run(name: str, client: Any, **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(ups_info, "open_snmp", lambda given: client)
        return call(name, host="192.0.2.1", **options)

    return run


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    def never(given: Any) -> Any:
        raise AssertionError("a query")

    def run(ups: Any, expander: str = "present", **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(ups_info, "open_snmp", never)
        return call("ups_ap9624_info", ups=ups, interface_expander=expander, **options)

    return run


def stored(value: Any) -> Any:
    """As a fact cache or a variable file gives it back."""
    return json.loads(json.dumps(value))


def unit(device: str, change: dict[str, Any] | None = None, **knobs: Any) -> Any:
    """A client that asks the simulated unit in virtual time."""
    pytest.importorskip("apcsim", reason="the simulated device is not installed here")
    from apcsim import Knobs, Unit
    from apcsim.virtual import VirtualClock, VirtualSnmp

    made = Unit.load(device, knobs=Knobs(**knobs))
    clock = VirtualClock(made)
    if change is not None:
        made.patch(change)
        clock.sleep(120)
    return VirtualSnmp(clock, made, error_factory=TransportError, too_big=TooBig)


# --- stored facts ---------------------------------------------------------------------------------------------------
def check_same(ask: Ask, offline: Any, make: Callable[[], Any]) -> None:
    for expander in EXPANDERS:
        direct = ask("ups_ap9624_info", make(), interface_expander=expander)
        info = ask("ups_info", make())
        assert "failed" not in direct and "failed" not in info
        whole = stored({**info, "failed": False, "ansible_facts": {}})
        for given in (stored(info["ups"]), whole, stored(direct), {**whole["ups"], "asset": 7}):
            judged = offline(given, expander)
            assert judged["ap9624"] == direct["ap9624"]
            assert judged.get("diff") == direct.get("diff")
            assert "ups" not in judged and "nmc" not in judged and judged["changed"] is False


def test_every_device_file_of_a_ups_is_expected_here() -> None:
    texts = {path.stem: path.read_text() for path in (FIXTURES.parent / "simulator/apcsim/devices").glob("*.yaml")}
    assert {name for name, text in texts.items() if "\nups:" in text} == set(DEVICES)


@pytest.mark.parametrize("device", DEVICES)
def test_stored_facts_judge_as_the_query(ask: Ask, offline: Any, device: str) -> None:
    found = ask("ups_ap9624_info", unit(device), interface_expander="present")["ap9624"]
    assert (found["status"], found["rule"], found["fixed_in"]) == DEVICES[device]
    check_same(ask, offline, lambda: unit(device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("tree", ["absent", "zero"])
def test_outlet_trees(ask: Ask, offline: Any, device: str, tree: str) -> None:
    found = ask("ups_ap9624_info", unit(device, outlet_tree=tree), interface_expander="present")["ap9624"]
    if tree == "zero" and device != "sua1500":  # which has no tree at all
        assert (found["status"], found["rule"], found["basis"]) == ("not_affected", 2, "bulletin")
    else:
        assert (found["status"], found["rule"], found["fixed_in"]) == DEVICES[device]
    check_same(ask, offline, lambda: unit(device, outlet_tree=tree))


@pytest.mark.parametrize("lost", ["stale", "minus_one", "absent"])
@pytest.mark.parametrize("device", DEVICES)
def test_lost_communication(ask: Ask, offline: Any, device: str, lost: str) -> None:
    def make() -> Any:
        return unit(device, {"ups": {"comm": False}}, outlet_tree="zero", ups_values_when_lost=lost)

    result = ask("ups_ap9624_info", make(), interface_expander="present")
    assert result["ups"]["comm"] == "none" and result["ap9624"]["rule"] != 2
    if lost == "absent":
        assert (result["ap9624"]["status"], result["ap9624"]["rule"]) == ("unknown", 6)
        assert result["ups"]["firmware"] == {"raw": None, "version": None, "id": None}
    check_same(ask, offline, make)


@pytest.mark.parametrize("fixture", CAPTURED)
def test_captured_units(ask: Ask, offline: Any, fixture: str) -> None:
    found = ask("ups_ap9624_info", MemoryClient(load(fixture)), interface_expander="present")["ap9624"]
    assert (found["status"], found["rule"], found["fixed_in"]) == CAPTURED[fixture]
    check_same(ask, offline, lambda: MemoryClient(load(fixture)))


HOSTILE = [
    b"{{ 1/0 }}", b"<script>alert(1)</script>", b"=cmd|' /C calc'!A0", b"\x1b[2J", b"\xff" * 300, b"x" * 100_000,
    b"\0", b"", "\u202egnp.exe".encode(), "SMT1500\u00e9".encode(),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:30])
def test_hostile_texts_judge_alike_and_never_fail(ask: Ask, offline: Any, text: bytes) -> None:
    for oid in (o.UPS_SKU, o.UPS_MODEL, o.UPS_FIRMWARE, o.UPS_NAME, o.UPS_SERIAL):
        values = {**load("ups_smx750"), oid: text}
        check_same(ask, offline, lambda values=values: MemoryClient(values))


def test_flat_facts(offline: Any) -> None:
    found = offline({"sku": "SMT1500RM2U", "firmware": "UPS 09.2 (ID18)", "rack": 4})
    assert (found["ap9624"]["status"], found["ap9624"]["current"]) == ("fix_missing", "UPS 09.2 (ID18)")
    assert found["diff"]["before"] == "UPS 09.2 (ID18)\n" and found["diff"]["after"] == "UPS 09.3 or later\n"
    for firmware in (
        {"version": "09.2", "id": 18},
        {"version": "09.2", "id": "18"},
        {"raw": "UPS 09.2 (ID18) "},
        {"raw": "UPS 09.2 (ID18)", "version": "09.9", "id": 20},
        {"raw": None, "version": "09.2", "id": 18},
    ):
        assert offline({"sku": "SMT1500RM2U", "firmware": firmware})["ap9624"] == found["ap9624"]


def test_a_text_without_a_version_is_not_helped_by_one_given_beside_it(offline: Any) -> None:
    found = offline({"sku": "SMT1500RM2U", "firmware": {"raw": "617.3.I", "version": "09.9", "id": 18}})["ap9624"]
    assert (found["status"], found["rule"]) == ("unknown", 6)


@pytest.mark.parametrize(
    "facts",
    [{}, {"ups": {}}, {"sku": None, "model": None, "firmware": None, "outlet_groups": None}, {"sku": " ", "comm": None},
     {"failed": True, "msg": "no answer", "error": {"kind": "timeout"}}, {"firmware": {}},
     {"outlet_groups": {"count": None, "groups": []}}, {"outlet_groups": {}}],
)  # fmt: skip
def test_no_facts_prove_nothing_and_are_no_query(offline: Any, facts: dict[str, Any]) -> None:
    for given in (None, "192.0.2.1"):
        found = offline(facts, host=given)["ap9624"]
        assert (found["status"], found["rule"], found["identified_by"]) == ("unknown", 6, None)
    assert offline(facts, "absent")["ap9624"]["rule"] == 1


@pytest.mark.parametrize(
    ("facts", "status", "basis"),
    [
        ({"outlet_groups": 0}, "not_affected", "operator"),
        ({"outlet_groups": "0"}, "not_affected", "operator"),
        ({"outlet_groups": 0, "comm": "ok"}, "not_affected", "bulletin"),
        ({"outlet_groups": {"count": 0, "groups": []}, "comm": "ok"}, "not_affected", "bulletin"),
        ({"outlet_groups": 0, "comm": "none"}, "fix_missing", "bulletin"),
        ({"outlet_groups": {"count": 0, "groups": []}, "comm": "none"}, "fix_missing", "bulletin"),
        ({"outlet_groups": {"count": 0, "groups": []}, "comm": None}, "fix_missing", "bulletin"),
        ({"outlet_groups": {"count": 0, "groups": []}}, "fix_missing", "bulletin"),
        ({"outlet_groups": {"count": None, "groups": []}, "comm": "ok"}, "fix_missing", "bulletin"),
        ({"outlet_groups": {"groups": []}, "comm": "ok"}, "fix_missing", "bulletin"),
        ({"outlet_groups": 1, "comm": "ok"}, "fix_missing", "bulletin"),
        ({"outlet_groups": None, "comm": "ok"}, "fix_missing", "bulletin"),
    ],
)
def test_outlet_groups_as_facts(offline: Any, facts: dict[str, Any], status: str, basis: str) -> None:
    found = offline({"sku": "SMT1500RM2U", "firmware": "UPS 09.2 (ID18)", **facts})["ap9624"]
    assert (found["status"], found["basis"]) == (status, basis)


BAD: list[tuple[str, Any]] = [
    ("sku", 1500), ("sku", True), ("sku", ["SMT1500"]), ("sku", {"a": 1}), ("sku", "x" * 256), ("sku", b"SMT1500"),
    ("model", 5), ("model", "x" * 10_000), ("model", 1.5),
    ("firmware", 9.3), ("firmware", 93), ("firmware", ["UPS 09.3"]), ("firmware", True),
    ("firmware.version", {"version": 9.3, "id": 18}), ("firmware.version", {"version": "newest"}),
    ("firmware.version", {"version": ""}), ("firmware.version", {"version": ["09.3"]}),
    ("firmware.version", {"version": "9" * 5000}), ("firmware.version", {"version": "09.3 (ID18)"}),
    ("firmware.id", {"version": "09.3", "id": "ID18"}), ("firmware.id", {"version": "09.3", "id": -18}),
    ("firmware.id", {"version": "09.3", "id": 18.0}), ("firmware.id", {"version": "09.3", "id": True}),
    ("firmware.id", {"version": "09.3", "id": ""}), ("firmware.id", {"version": "09.3", "id": [18]}),
    ("outlet_groups", -1), ("outlet_groups", 65), ("outlet_groups", 1.0), ("outlet_groups", "two"),
    ("outlet_groups", ""), ("outlet_groups", False), ("outlet_groups", []), ("outlet_groups", {"count": -1}),
    ("outlet_groups", {"count": "?"}),
    ("outlet_groups", {"count": [1]}), ("outlet_groups", 10**30),
]  # fmt: skip


def check_refused(offline: Any, key: str, value: Any) -> None:
    facts = {key.split(".", maxsplit=1)[0]: value}
    with pytest.raises(OptionError, match=rf"ups\.{key}"):
        facts_of(facts, Expander.PRESENT)
    # also when nothing of it would matter, and inside a whole result
    for given in (facts, {"ups": facts, "changed": False}):
        result = offline(given, "absent")
        assert result["failed"] and result["error"]["kind"] == "unsupported" and f"ups.{key}" in result["msg"]
        assert len(result["msg"]) < 300 and "exception" not in result and "ap9624" not in result


@pytest.mark.parametrize(("key", "value"), BAD, ids=lambda value: ascii(value)[:40])
def test_bad_facts_are_named(offline: Any, key: str, value: Any) -> None:
    check_refused(offline, key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("firmware.id", {"version": "09.3", "id": "9" * 5000}),
        ("outlet_groups", "9" * 5000),
        ("outlet_groups", "\u0660"),
        ("firmware.id", {"version": "09.3", "id": "\uff11\uff18"}),
        ("firmware", "x" * 10_000),
        ("firmware.raw", {"raw": 617, "version": "09.3", "id": 18}),
        ("firmware.version", {"version": "09.2\n09.3", "id": 18}),
        ("comm", "lost"),
        ("comm", False),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bad_facts_that_once_passed(offline: Any, key: str, value: Any) -> None:
    check_refused(offline, key, value)


def test_a_line_end_behind_a_version_is_dropped(offline: Any) -> None:
    found = offline({"firmware": {"version": "09.2\n", "id": 18}}, "present")["ap9624"]
    assert found["current"] == "UPS 09.2 (ID18)"


def test_a_count_that_its_own_table_contradicts_is_no_zero() -> None:
    groups = {"count": 0, "groups": [{"index": 1, "name": "Main Outlets"}]}
    facts = facts_of(
        {"sku": "SMT1500", "firmware": "UPS 09.2 (ID18)", "outlet_groups": groups, "comm": "ok"}, Expander.PRESENT
    )
    assert judge(facts).status.value == "fix_missing"


@pytest.mark.parametrize("comm", ["lost", "NONE", "no", False])
def test_a_count_beside_a_communication_that_is_not_ok_proves_nothing(comm: Any) -> None:
    """Rule 2: known to be 0, with communication up."""
    try:
        facts = facts_of({"sku": "SMT1500", "outlet_groups": 0, "comm": comm}, Expander.PRESENT)
    except OptionError:
        return  # refused is as good
    assert judge(facts).rule != 2


# --- who is no UPS --------------------------------------------------------------------------------------------------
LINUX: dict[Any, Any] = {
    o.SYS_DESCR: b"Linux router 6.1.0 \x1b[31m SMP",
    o.SYS_OBJECT_ID: (1, 3, 6, 1, 4, 1, 8072, 3, 2, 10),
    o.SYS_UP_TIME: 90000,
}


def without_ups(fixture: str) -> dict[Any, Any]:
    return {oid: value for oid, value in load(fixture).items() if oid[: len(o.UPS)] != o.UPS}


@pytest.mark.parametrize("name", ["ups_info", "ups_ap9624_info"])
@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (load("ap8853"), "not_a_ups", "no APC UPS but an APC AP8853, application apc_hw05_rpdu2g_680.bin"),
        (load("ap7724"), "not_a_ups", "no APC UPS but an APC AP7724, application apc_hw02_g2ats_371.bin"),
        (load("ap4423"), "not_a_ups", "no APC UPS but an APC AP4423"),
        (LINUX, "not_a_ups", "something that describes itself as 'Linux router 6.1.0"),
        ({o.SYS_UP_TIME: 1}, "not_a_ups", "an SNMP agent without a description"),
        ({}, "not_a_ups", "an SNMP agent without a description"),
        (without_ups("ups_smx750"), "state", "a card for a UPS, but answers no object of one"),
        (without_ups("ups_sua1500"), "state", "a card for a UPS, but answers no object of one"),
        # A name alone is the card's, not the UPS's.
        ({**without_ups("ups_smx750"), o.UPS_NAME: b"rack 4"}, "state", "a card for a UPS"),
    ],
    ids=["ap8853", "ap7724", "ap4423", "linux", "silent", "empty", "nmc2", "nmc1", "name"],
)
def test_who_is_no_ups(ask: Ask, name: str, values: dict[Any, Any], kind: str, words: str) -> None:
    result = ask(name, MemoryClient(values))
    assert result["failed"] and result["changed"] is False
    assert (result["error"]["kind"], result["error"]["message"]) == (kind, result["msg"])
    assert words in result["msg"] and result["msg"].startswith("192.0.2.1 is ")
    assert "nmc" in result and "ups" not in result and "ap9624" not in result and "exception" not in result
    assert "\x1b" not in str(result)


@pytest.mark.parametrize("device", ["ap8853", "ap7724", "ap4423", "ap7750"])
def test_simulated_devices_that_are_no_ups(ask: Ask, device: str) -> None:
    result = ask("ups_ap9624_info", unit(device))
    assert result["error"]["kind"] == "not_a_ups" and result["nmc"]["description"]


@pytest.mark.parametrize(
    ("device", "applies"), [("ap7724", [True, False]), ("ap7750", [False, True]), ("ap8853", None)]
)
def test_a_rack_ats_is_read_as_one_where_that_is_asked(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, device: str, applies: list[bool] | None
) -> None:
    """Its exposure comes from the module; what is neither stays what it was."""
    monkeypatch.setattr(ats_info, "open_snmp", lambda given: unit(device))
    result = ask("ups_ap9624_info", unit(device), ats_too=True)
    if applies is None:
        assert result["error"]["kind"] == result["status"] == "not_a_ups" and "ats" not in result
        return
    assert "failed" not in result and result["status"] == "ats" and "ap9624" not in result
    assert result["ats"]["model"] == device.upper() and result["line"].startswith("ats | ")
    assert [item["applies"] for item in result["exposures"]] == applies
    assert [item["bulletin"] for item in result["exposures"]] == ["FA156178", "FA156135"]


@pytest.mark.parametrize("name", ["ups_info", "ups_ap9624_info"])
def test_a_silent_unit(ask: Ask, name: str) -> None:
    class Silent(MemoryClient):
        closed = False

        def exchange(self, oids: Any) -> Any:
            raise TransportError("timeout", "no answer")

        def close(self) -> None:
            self.closed = True

    client = Silent({})
    result = ask(name, client)
    assert result["error"] == {"kind": "timeout", "message": "no answer"} and client.closed


def test_a_ups_by_its_communication_alone(ask: Ask) -> None:
    """A card that has lost its UPS still answers for itself: that is a UPS, and nothing is known of it."""
    result = ask("ups_ap9624_info", MemoryClient({**without_ups("ups_smx750"), o.UPS_COMM: 2}))
    assert result["ups"]["comm"] == "none" and result["ap9624"]["rule"] == 6


def test_what_is_shown_is_what_ansible_takes(ask: Ask) -> None:
    result = ask("ups_ap9624_info", unit("smt1500rm2u"), interface_expander="present")
    said = {"status", "line", "verdict", "what_to_do"}
    assert set(result) == {"changed", "ups", "nmc", "ap9624", "diff"} | said
    assert set(result["ap9624"]) == {
        "status", "current", "fixed_in", "rule", "basis", "identified_by", "reason", "source", "expander", "advice",
    }  # fmt: skip
    assert set(result["ups"]) >= {
        "model", "sku", "name", "family", "rated_va", "form_factor", "firmware", "serial", "manufactured",
        "hardware_revision", "status", "comm", "flags", "battery", "input_voltage_v", "output_voltage_v",
        "load_percent", "outlet_groups", "firmware_update",
    }  # fmt: skip
    assert result["ups"]["comm"] == "ok" and result["ups"]["flags"]["on_line"] is True
    assert [group["type"] for group in result["ups"]["outlet_groups"]["groups"]] == ["main", "switched"]
    assert result["ups"]["outlet_groups"]["count"] == 2
