# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role that moves an ATS: its variables are options, its steps are literals, its own names are internal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.dcops.apc.plugins.lookup import options as lookup
from ansible_collections.dcops.apc.plugins.module_utils._module import RUNS

REPO = Path(__file__).resolve().parents[4]
ROLE = REPO / "roles" / "ats_upgrade"
STEPS = {
    "readiness": ("ats_wait", {"until": "ready"}),
    "isolate": ("ats_wait", {"until": "isolated"}),
    "backup": ("ats_firmware", {"step": "backup"}),
    "upgrade": ("ats_firmware", {"step": "upgrade"}),
    "verify": ("ats_firmware", {"step": "verify"}),
    "restore": ("ats_wait", {"until": "redundant"}),
}
WAITS = {"ready_timeout_s", "isolate_timeout_s", "restore_timeout_s"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_variables_are_the_options_of_the_modules() -> None:
    given = {"timeout_s", "step", "until"}
    for module in ("ats_firmware", "ats_wait"):
        assert lookup.role_names("ats_upgrade") == set(RUNS[module].ARGUMENT_SPEC) - given | WAITS
    # So the options that are worked out for one fit the other.
    assert set(RUNS["ats_interlock_info"].ARGUMENT_SPEC) <= set(RUNS["ats_firmware"].ARGUMENT_SPEC)


def test_each_step_is_written_out_and_begins_with_what_is_refused() -> None:
    entries = set(load(ROLE / "meta/argument_specs.yml")["argument_specs"])
    assert entries == {"main", *STEPS}
    for step, (module, literal) in STEPS.items():
        (block,) = load(ROLE / "tasks" / f"{step}.yml")
        begin, task, _said = block["block"]
        assert begin["ansible.builtin.include_tasks"] == "_begin.yml"
        arguments = task[f"dcops.apc.{module}"]
        assert {name: value for name, value in arguments.items() if name != "timeout_s"} == literal
        assert task["module_defaults"] == {f"dcops.apc.{module}": "{{ _ats_upgrade_options }}"}
        assert block["rescue"][0]["ansible.builtin.include_tasks"] == "_report_failure.yml"


def test_what_the_role_keeps_is_internal_or_refused() -> None:
    (begin, _alone) = load(ROLE / "tasks" / "_begin.yml")
    refused = begin["ansible.builtin.assert"]["that"]
    kept = set(load(ROLE / "vars/main.yml"))
    for step in STEPS:
        (block,) = load(ROLE / "tasks" / f"{step}.yml")
        kept |= {task["register"] for task in block["block"] if "register" in task}
        kept |= {name for task in block["block"] for name in task.get("vars", {})}
    for name in kept:
        assert name.startswith("_ats_upgrade_") or f"'{name.removeprefix('ats_upgrade_')}'" in refused, name


def test_the_playbook_knows_exactly_the_steps() -> None:
    text = " ".join((REPO / "playbooks" / "ats_firmware_upgrade.yml").read_text(encoding="utf-8").split())
    assert f"in {['main', *STEPS]}" in text
