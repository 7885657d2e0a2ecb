# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role hands on every option of the module, under names that its specification has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.dcops.apc.plugins.module_utils._runs import compliance_report

ROLE = Path(__file__).resolve().parents[5] / "roles" / "compliance_report"
PREFIX = "compliance_report_"
# Filled by the role itself, or another entry point's.
OWN = {"main": {"units", "reports"}, "merge": {"units", "reports", "hosts"}}
# What the task gives by itself; everything else comes from the variables.
GIVEN = {"main": {"units", "hosts", "fail_on"}, "merge": {"reports", "slice", "fail_on"}}


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", ["main", "merge"])
def test_options_of_the_module_are_options_of_the_role(entry: str) -> None:
    options = load("meta/argument_specs.yml")["argument_specs"][entry]["options"]
    spec = compliance_report.ARGUMENT_SPEC
    names = {name.removeprefix(PREFIX) for name in options}
    assert set(spec) - OWN[entry] <= names <= set(spec) | {"merge"}
    for name, option in options.items():
        wanted = spec.get(name.removeprefix(PREFIX), {"type": "list"})
        assert option["type"] == wanted["type"], name
        if "choices" in option:
            assert option["choices"] == wanted["choices"], name
    (task,) = (task for task in load(f"tasks/{entry}.yml") if "dcops.apc.compliance_report" in task)
    assert set(task["dcops.apc.compliance_report"]) == GIVEN[entry]
    assert task["module_defaults"] == {"dcops.apc.compliance_report": "{{ _compliance_report_options }}"}
    assert task["check_mode"] is False and task["changed_when"] is False and task["run_once"] is True


def test_what_is_not_an_option_cannot_be_given() -> None:
    """The lookup takes the specification for the options, and refuses from outside what begins with an underscore."""
    options = {
        name for entry in load("meta/argument_specs.yml")["argument_specs"].values() for name in entry["options"]
    }
    assert set(load("defaults/main.yml")) <= options
    internal = set(load("vars/main.yml"))
    for path in (ROLE / "tasks").glob("*.yml"):
        for task in yaml.safe_load(path.read_text(encoding="utf-8")):
            internal |= set(task.get("vars", {}))
            assert task.get("register", f"{PREFIX}result") == f"{PREFIX}result", path.name
    assert all(name.startswith("_" + PREFIX) for name in internal)


def test_no_task_can_write_to_a_device() -> None:
    allowed = {"include_tasks", "assert", "debug", "set_stats"}
    keywords = {
        "name",
        "vars",
        "run_once",
        "register",
        "check_mode",
        "changed_when",
        "dcops.apc.compliance_report",
        "module_defaults",
    }
    for path in (ROLE / "tasks").glob("*.yml"):
        for task in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert set(task) - keywords <= {f"ansible.builtin.{name}" for name in allowed}, path.name
