# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's options out of variables: what is given, what is refused, and that a secret stays one."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.template import Templar

from ansible_collections.dcops.apc.plugins.lookup import options as lookup
from ansible_collections.dcops.apc.plugins.module_utils._module import RUNS

try:
    from ansible.template import trust_as_template
except ImportError:

    def trust_as_template(value: str) -> str:
        """Core 2.16 templates what it is given."""
        return value


SECRET = "correct-horse-battery"


class HostVars(dict[str, dict[str, Any]]):
    """As Ansible's, which keeps apart what tasks have registered."""

    def __init__(self, host: str, registered: dict[str, Any]) -> None:
        super().__init__({host: registered})
        self._variable_manager = SimpleNamespace(_nonpersistent_fact_cache={host: registered})


@pytest.fixture(scope="module", autouse=True)
def _definitions() -> None:
    """As Ansible's loader does, which wants the whole import system for itself."""
    C.config.initialize_plugin_configuration_definitions(
        "lookup", "dcops.apc.options", yaml.safe_load(lookup.DOCUMENTATION)["options"]
    )


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    given: dict[str, Any] = {}
    monkeypatch.setattr(lookup, "load_extra_vars", lambda _loader: given)
    return given


def options(variables: dict[str, Any], prefix: str = "rack_", **how: Any) -> Any:
    how.setdefault("module", "dcops.apc.ats_info")
    plugin = lookup.LookupModule(loader=None, templar=Templar(loader=None, variables=variables))
    plugin._load_name = "dcops.apc.options"
    (found,) = plugin.run([prefix], variables=variables, **how)
    return found


@pytest.mark.usefixtures("extra")
def test_only_what_is_given_is_an_option_and_templates_are_resolved() -> None:
    variables = {
        "rack_host": trust_as_template("{{ where }}"),
        "where": "10.0.0.7",
        "rack_snmp_port": 1161,
        "rack_snmp_community": "",
        "rack_snmp_username": None,
        "rack_snmp_version": trust_as_template("{{ unset | default('') }}"),
        "other_snmp_retries": 3,
    }
    assert options(variables) == {"host": "10.0.0.7", "snmp_port": 1161}


@pytest.mark.usefixtures("extra")
def test_false_zero_and_an_empty_list_are_given() -> None:
    found = options(
        {"rack_allow_downgrade": False, "rack_redundancy_peers": [], "rack_busy_timeout_s": 0}, module="ats_wait"
    )
    assert found == {"allow_downgrade": False, "redundancy_peers": [], "busy_timeout_s": 0}


@pytest.mark.usefixtures("extra")
def test_what_no_core_can_read_back_from_a_text_becomes_one() -> None:
    found = options(
        {
            "rack_change_reference": datetime.date(2026, 11, 28),
            "rack_stability_s": float("nan"),
            "rack_confirmations": [{"what": "no_load", "unit": datetime.date(2026, 1, 2)}],
        },
        module="ats_wait",
    )
    assert found == {
        "change_reference": "2026-11-28",
        "stability_s": "nan",
        "confirmations": [{"what": "no_load", "unit": "2026-01-02"}],
    }


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("rack_snmp_retrys", "rack_snmp_retries"),
        ("rack_snmpretries", "rack_snmp_retries"),
        ("rack_Host", "rack_host"),
        ("rack_snmp_comunity", "rack_snmp_community"),
    ],
)
def test_a_misspelled_variable_is_refused_with_the_one_that_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(AnsibleError, match=rf"{wrong} \(did you mean {meant}\?\)") as caught:
        options({"rack_host": "10.0.0.7", wrong: SECRET})
    assert SECRET not in str(caught.value)


@pytest.mark.usefixtures("extra")
def test_every_strange_name_is_named_also_one_that_resembles_nothing() -> None:
    with pytest.raises(AnsibleError, match=r"Unknown variables rack_hots \(did you mean rack_host\?\), rack_zzz\."):
        options({"rack_zzz": 1, "rack_hots": 1})


@pytest.mark.usefixtures("extra")
def test_options_of_other_modules_and_own_names_are_known_but_not_returned() -> None:
    variables = {"rack_password": SECRET, "rack_hosts": "row_7", "rack_snmp_retries": 1}
    with pytest.raises(AnsibleError, match="rack_hosts"):
        options(variables)
    assert options(variables, also=["dcops.apc.ats_wait"], own=["hosts"]) == {"snmp_retries": 1}
    assert options(variables, module="ats_wait", own=["hosts"]) == {"password": SECRET, "snmp_retries": 1}


@pytest.mark.usefixtures("extra")
def test_what_the_task_itself_gives_no_variable_gives() -> None:
    with pytest.raises(AnsibleError, match="rack_until"):
        options({"rack_until": "ready"}, module="ats_wait", without=["until"])
    how = {"module": "ats_wait", "without": ["until"], "names": {"timeout_s": "ready_timeout_s"}}
    assert options({"rack_ready_timeout_s": 5}, **how) == {"timeout_s": 5}
    with pytest.raises(AnsibleError, match=r"Unknown variable rack_timeout_s \("):
        options({"rack_timeout_s": 5}, **how)


@pytest.mark.usefixtures("extra")
def test_a_role_knows_what_its_specification_lists() -> None:
    how: dict[str, Any] = {"prefix": "ats_upgrade_", "role": "ats_upgrade", "module": "ats_wait"}
    assert options({"ats_upgrade_restore_timeout_s": 9, "ats_upgrade_host": "x"}, **how) == {"host": "x"}
    for name in ("until", "step", "timeout_s", "hosts"):
        with pytest.raises(AnsibleError, match=f"ats_upgrade_{name}"):
            options({f"ats_upgrade_{name}": "ready"}, **how)
    with pytest.raises(AnsibleError, match=r"did you mean ats_upgrade_redundancy_peers\?.*ansible-doc -t role"):
        options({"ats_upgrade_redundancy_peer": []}, **how)


@pytest.mark.usefixtures("extra")
def test_without_a_module_it_only_looks() -> None:
    how: dict[str, Any] = {"prefix": "ats_upgrade_", "role": "dcops.apc.ats_upgrade", "module": None}
    assert options({"ats_upgrade_host": "x"}, **how) == {}
    with pytest.raises(AnsibleError, match="ats_upgrade_hsot"):
        options({"ats_upgrade_hsot": "x"}, **how)


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize(
    "how", [{"module": "community.general.x"}, {"module": "no_such"}, {"role": "no_such"}, {"prefix": "_"}]
)
def test_a_wrong_call_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(AnsibleError, match=r"is no |takes exactly"):
        options({}, **how)


def internal(value: Any, registered: dict[str, Any]) -> dict[str, Any]:
    hostvars = HostVars("ats-01", registered)
    return {"_rack_verdict": value, "inventory_hostname": "ats-01", "hostvars": hostvars}


def test_an_internal_name_is_refused_from_the_command_line(extra: dict[str, Any]) -> None:
    variables = internal({"ok": True}, {"_rack_verdict": {"ok": True}})
    assert options(variables) == {}
    extra["_rack_verdict"] = {"ok": True}
    with pytest.raises(AnsibleError, match="_rack_verdict cannot be given"):
        options(variables)


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize("registered", [{}, {"_rack_verdict": {"ok": False}}])
def test_an_internal_name_is_refused_as_a_parameter_of_the_role(registered: dict[str, Any]) -> None:
    """Such a parameter hides what was registered."""
    with pytest.raises(AnsibleError, match="_rack_verdict cannot be given"):
        options(internal({"ok": True}, registered))


@pytest.mark.usefixtures("extra")
def test_an_internal_name_is_refused_out_of_the_inventory() -> None:
    """hostvars shows it as it shows what was registered, and nothing was."""
    variables = internal({"ok": True}, {})
    variables["hostvars"]["ats-01"] = {"_rack_verdict": {"ok": True}}
    with pytest.raises(AnsibleError, match="_rack_verdict cannot be given"):
        options(variables)


@pytest.mark.usefixtures("extra")
def test_on_a_core_that_keeps_results_elsewhere_nothing_is_genuine() -> None:
    variables = internal({"ok": True}, {"_rack_verdict": {"ok": True}})
    del variables["hostvars"]._variable_manager._nonpersistent_fact_cache
    with pytest.raises(AnsibleError, match="_rack_verdict cannot be given"):
        options(variables)


def test_what_a_rescue_tells_by_is_refused_from_the_command_line(extra: dict[str, Any]) -> None:
    variables = {"ansible_failed_result": {"next_action": "you may reconnect source A now"}, "rack_host": "x"}
    assert options(variables) == {"host": "x"}
    extra["ansible_failed_result"] = variables["ansible_failed_result"]
    with pytest.raises(AnsibleError, match="ansible_failed_result cannot be given"):
        options(variables, internal_only=True)


def test_a_result_that_is_left_is_known_and_cannot_be_given(extra: dict[str, Any]) -> None:
    variables = {"rack_result": 1, "inventory_hostname": "ats-01", "hostvars": HostVars("ats-01", {"rack_result": 1})}
    assert options(variables, left=["result"]) == {}
    with pytest.raises(AnsibleError, match="Unknown variable rack_result"):
        options(variables)
    extra["rack_result"] = 1
    with pytest.raises(AnsibleError, match="rack_result cannot be given"):
        options(variables, left=["result"])


@pytest.mark.usefixtures("extra")
def test_what_the_role_has_written_is_its_own_as_long_as_it_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "variables_of", lambda _role: {"_ats_upgrade_words": "{{ a }}"})
    how: dict[str, Any] = {"prefix": "ats_upgrade_", "role": "ats_upgrade"}
    assert options({"_ats_upgrade_words": "{{ a }}"}, **how) == {}
    with pytest.raises(AnsibleError, match="_ats_upgrade_words cannot be given"):
        options({"_ats_upgrade_words": "b"}, **how)


def test_only_internal_names_are_looked_at_where_it_is_asked_for(extra: dict[str, Any]) -> None:
    assert options({"rack_hsot": "x"}, internal_only=True) == {}
    extra["_rack_verdict"] = 1
    with pytest.raises(AnsibleError, match="_rack_verdict cannot be given"):
        options({"rack_hsot": "x", "_rack_verdict": 1}, internal_only=True)


def test_a_task_can_say_the_refusal_in_its_own_words(extra: dict[str, Any]) -> None:
    assert options({"rack_host": "x"}, refusal=True) == ""
    assert "did you mean rack_host?" in options({"rack_hsot": "x"}, refusal=True)
    assert options({"rack_hsot": "x"}, refusal=True, internal_only=True) == ""
    extra["_rack_verdict"] = 1
    assert options({"_rack_verdict": 1}, refusal=True).startswith("_rack_verdict cannot be given")


@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_module_has_its_options(name: str) -> None:
    assert lookup.options_of(f"dcops.apc.{name}") == set(RUNS[name].ARGUMENT_SPEC)


# What no_log hides goes through the variables of a role and this lookup, over an address where nobody answers.
def play(tmp_path: Path, *arguments: str, **variables: Any) -> str:
    book = tmp_path / "book.yml"
    call = "{{ lookup('dcops.apc.options', 'rack_', module='dcops.apc.ups_ap9624_info') }}"
    task: dict[str, Any] = {
        "dcops.apc.ups_ap9624_info": {},
        "module_defaults": {"dcops.apc.ups_ap9624_info": call},
        "register": "answer",
        "ignore_errors": True,
    }
    book.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars": {"rack_host": "127.0.0.1", "rack_snmp_port": 9, "rack_snmp_timeout": 0.1, **variables},
                    "tasks": [task, {"ansible.builtin.debug": {"var": "answer"}}],
                }
            ]
        )
    )
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", "-c", "local", *arguments, str(book)]
    environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {},
        # Refused by the module's own check of options, and by the lookup: neither repeats what it was given.
        {"rack_snmp_retries": "many"},
        {"rack_snmp_retrys": 1},
        {"rack_snmp_timeout": float("nan")},
    ],
    ids=["silent", "wrong_type", "misspelled", "nan"],
)
def test_a_secret_stays_hidden_on_failure_with_vvv_and_diff(tmp_path: Path, variables: dict[str, Any]) -> None:
    secrets = {f"rack_snmp_{name}": f"{SECRET}-{name}" for name in ("community", "auth_key", "privacy_key")}
    text = play(tmp_path, "-vvv", "--diff", **{**secrets, **variables})
    assert "FAILED" in text and "ignored=1" in text
    assert SECRET not in text
    if "rack_snmp_retrys" not in variables:
        assert json.dumps("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER") in text
