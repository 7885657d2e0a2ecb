# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import recovery
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._module import RUNS
from ansible_collections.dcops.apc.plugins.module_utils._runs import _specs, ats_recovery_info
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import ArgumentSpec, OptionError, check_options
from ansible_collections.dcops.apc.plugins.module_utils._runs._unit import options_of


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"stability_s": 29.9}, "stability_s must be from 30 to 120, not 29.9"),
        ({"stability_s": 120.1}, "stability_s must be from 30 to 120, not 120.1"),
        ({"stability_s": float("nan")}, "stability_s must be"),
        ({"poll_interval_s": 3.1}, "poll_interval_s must be from 0.1 to 3"),
        ({"poll_interval_s": 0.0}, "poll_interval_s must be"),
        ({"snmp_port": 0}, "snmp_port must be"),
        ({"snmp_port": 65536}, "snmp_port must be"),
        ({"transfer_port": 70000}, "transfer_port must be"),
        ({"snmp_timeout": float("inf")}, "snmp_timeout must be"),
        ({"timeout_s": -1.0}, "timeout_s must be"),
        ({"host": " "}, "host is empty"),
        ({"change_reference": "x" * 2000}, "change_reference is longer"),
    ],
)
def test_bad_values_are_refused_in_words(params: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words.replace(".", r"\.")):
        check_options(params)


@pytest.mark.parametrize(
    "params",
    [
        {"stability_s": 30.0},
        {"stability_s": 120.0},
        {"poll_interval_s": 3.0},
        {"snmp_port": None},
        {"transfer_protocol": "auto"},
        {},
    ],
)
def test_good_values_pass(params: dict[str, Any]) -> None:
    check_options(params)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_defaults_are_in_range(name: str) -> None:
    spec = RUNS[name].ARGUMENT_SPEC
    check_options({option: entry.get("default") for option, entry in spec.items() if option != "host"})


def test_every_secret_is_marked() -> None:
    spec = _specs.ATS_UNIT.options
    assert set(_specs.secret_options(spec)) == {
        "snmp_community",
        "snmp_write_community",
        "snmp_auth_key",
        "snmp_privacy_key",
        "password",
    }


def test_secrets_account_and_state_dir_have_a_variable() -> None:
    spec = _specs.ATS_UNIT.options
    with_variable = {name: entry["fallback"][1][0] for name, entry in spec.items() if "fallback" in entry}
    assert with_variable == {
        name: f"APC_{name.upper()}" for name in (*_specs.secret_options(spec), "snmp_username", "username", "state_dir")
    }


@pytest.mark.parametrize("name", sorted(RUNS))
def test_all_runs_support_check_mode(name: str) -> None:
    assert RUNS[name].OPTIONS["supports_check_mode"] is True


@pytest.mark.parametrize(
    ("value", "hideable"),
    [("apc", False), ("public", False), ("private", False), ("readonly", False), ("device", False), ("short", False)]
    + [("sixsix", True), ("public1", True), ("a long passphrase", True)],
)
def test_hideable(value: str, hideable: bool) -> None:
    assert _specs.is_hideable(value) is hideable


def test_merged_specs_have_all_options_and_all_rules() -> None:
    first = ArgumentSpec({"a": {"type": "str"}}, mutually_exclusive=(("a", "b"),), required_if=(("a", "x", ("b",)),))
    second = ArgumentSpec({"b": {"type": "int"}}, (("b", "a"),), (("a", "b"),), (("b", 1, ("a",)),))
    merged = first.merge(second)
    assert merged.options == {"a": {"type": "str"}, "b": {"type": "int"}}
    assert merged.rules == {
        "supports_check_mode": True,
        "mutually_exclusive": [["a", "b"], ["b", "a"]],
        "required_one_of": [["a", "b"]],
        "required_if": [["a", "x", ["b"]], ["b", 1, ["a"]]],
    }
    assert first.options == {"a": {"type": "str"}} and first.merge() == first


def test_an_option_of_two_specs_is_no_accident_that_passes() -> None:
    with pytest.raises(ValueError, match="password"):
        _specs.ACCOUNT.merge(ArgumentSpec({"password": {"type": "str"}}))


def test_an_option_is_said_otherwise_in_one_spec_only() -> None:
    free = _specs.ACCOUNT.changed("password", required=False)
    assert free.options["password"] == {**_specs.ACCOUNT.options["password"], "required": False}
    assert _specs.ACCOUNT.options["password"]["required"] is True
    assert _specs.ATS_UNIT.only("src", "method").rules == {"supports_check_mode": True}


@pytest.mark.parametrize("name", sorted(RUNS))
def test_the_rules_name_only_options_that_there_are(name: str) -> None:
    spec, rules = RUNS[name].ARGUMENT_SPEC, RUNS[name].OPTIONS
    groups = [*rules.get("mutually_exclusive", ()), *rules.get("required_one_of", ())]
    groups += [[option, *needed] for option, _value, needed in rules.get("required_if", ())]
    assert {option for group in groups for option in group} <= set(spec)


def test_the_runs_share_no_lists() -> None:
    _specs.ATS_UNIT.rules["required_if"][0][2].append("not one")
    assert "not one" not in str(_specs.ATS_UNIT.rules)


def test_recovery_watches_for_longer_than_an_option_may_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ceiling is an option's: the second look, for a download whose end no log tells, is the run's own."""
    spec = _specs.ATS_UNIT.options
    params = {name: entry.get("default") for name, entry in spec.items()}
    watched: list[float] = []

    def over(given: dict[str, Any], *_more: Any) -> dict[str, Any]:
        watched.append(Bounds.for_factor(1.0, options_of(given).stability_s).stability_s)
        return {}

    monkeypatch.setattr(ats_recovery_info, "run_job", over)
    monkeypatch.setattr(recovery, "waits_for_a_download", lambda checks: True)
    monkeypatch.setattr(recovery, "after_measuring", lambda decided, *more: decided)
    decided: Any = SimpleNamespace(method="recovery", next_step=recovery.NextStep.SEND)
    nothing: Any = None
    ats_recovery_info._measure(params, nothing, nothing, {}, nothing, nothing, decided)
    assert watched == [30.0, 330.0]
    assert watched[1] > _specs.RANGES["stability_s"][1]
