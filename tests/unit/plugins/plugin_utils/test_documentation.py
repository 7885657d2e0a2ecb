# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation says what the code does: options, choices, groups, words."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import VOID, State
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import EXPECTED
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import DEEDS, PROMISES, STATEMENTS
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import EXPECTED as GUARDED
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd
from ansible_collections.dcops.apc.plugins.module_utils._module import KINDS, RUNS
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.entry import EntryKind
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hands_off import LOAD_ON
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.restore import LOADS_LAST
from ansible_collections.dcops.apc.plugins.module_utils._runs import _specs

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
PACKAGE = "ansible_collections.dcops.apc.plugins"
UNITS = ("ats_firmware", "ats_interlock_info", "ats_wait")
# What a module means to say otherwise than its fragments do.
OVERRIDDEN = {
    "ats_recovery_info": {"method"},
    "ups_ap9624_info": {"host", "diff_mode"},
    "ups_firmware": {"username", "password"},
}


def part(name: str, which: str) -> Any:
    return yaml.safe_load(getattr(importlib.import_module(f"{PACKAGE}.modules.{name}"), which))


def documentation(name: str) -> dict[str, Any]:
    """With its fragments, as ansible-doc merges them."""
    found = part(name, "DOCUMENTATION")
    found.setdefault("attributes", {})
    found.setdefault("options", {})
    for fragment in found.get("extends_documentation_fragment", ()):
        file, _dot, section = fragment.removeprefix("dcops.apc.").partition(".")
        holder = importlib.import_module(f"{PACKAGE}.doc_fragments.{file}").ModuleDocFragment
        text = yaml.safe_load(getattr(holder, section.upper() or "DOCUMENTATION"))
        for key in ("options", "attributes"):
            repeated = set(found[key]) & set(text.get(key, {}))
            assert repeated <= OVERRIDDEN.get(name, set()), f"{fragment} repeats what is there"
            found[key] = {**text.get(key, {}), **found[key]}
    return dict(found)


def test_every_module_has_its_run_and_its_action() -> None:
    modules = {path.stem for path in (PLUGINS / "modules").glob("*.py")}
    actions = {path.stem for path in (PLUGINS / "action").glob("*.py")}
    assert modules == actions == set(RUNS)
    for name in actions:
        assert name == importlib.import_module(f"{PACKAGE}.action.{name}").ActionModule.NAME


@pytest.mark.parametrize("name", sorted(RUNS))
def test_options_are_documented_as_they_are(name: str) -> None:
    options, spec = documentation(name)["options"], RUNS[name].ARGUMENT_SPEC
    assert set(options) == set(spec)
    for option, entry in spec.items():
        told = options[option]
        for key in ("type", "elements", "choices", "default"):
            assert told.get(key) == entry.get(key), f"{option}: {key}"
        assert told.get("required", False) == entry.get("required", False), option
        if "fallback" in entry:
            assert f"E({entry['fallback'][1][0]})" in str(told["description"]), option
        if option in _specs.RANGES:
            for bound in _specs.RANGES[option]:
                assert f"V({bound:g})" in str(told["description"]), f"{option} does not say its range"


@pytest.mark.parametrize("name", sorted(RUNS))
def test_examples_are_valid(name: str) -> None:
    tasks = part(name, "EXAMPLES")
    flat = [task for entry in tasks for task in entry.get("tasks", [entry])]
    own = [task[f"dcops.apc.{name}"] for task in flat if f"dcops.apc.{name}" in task]
    assert own, "no example of the module itself"
    for arguments in own:
        assert set(arguments or {}) <= set(RUNS[name].ARGUMENT_SPEC)
        for option, value in (arguments or {}).items():
            choices = RUNS[name].ARGUMENT_SPEC[option].get("choices")
            given = value if isinstance(value, list) else [value]
            assert choices is None or set(map(str, given)) <= {*choices, *(v for v in given if str(v).startswith("{{"))}


def walk(fields: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, field in fields.items():
        found.append((f"{path}{name}", field))
        found += walk(field.get("contains", {}), f"{path}{name}.")
    return found


@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_returned_value_is_described(name: str) -> None:
    fields = part(name, "RETURN")
    for path, field in walk(fields):
        assert field.get("description") and field.get("type"), path
        assert "contains" in field or "sample" in field, f"{path} has no sample"
        if field["type"] == "list":
            assert "elements" in field, path
    assert all("returned" in field for field in fields.values())
    kinds = dict(walk(documented(name, "error")))["error.kind"].get("choices", [])
    assert set(kinds) <= KINDS


REFERS = re.compile(r"RV\(dcops\.apc\.(\w+)#module:(\w+)\)")


def documented(name: str, value: str) -> dict[str, Any]:
    """The description of a returned value, also where it stands in another module's documentation."""
    field = part(name, "RETURN")[value]
    refers = REFERS.search(str(field["description"]))
    if refers is None:
        return {value: field}
    owner, other = refers.groups()
    assert other == value and "contains" not in field and "choices" not in field
    (found,) = documented(owner, value).values()
    for key in ("type", "elements"):
        assert found.get(key) == field.get(key), f"{name}: {value} is of another type in {owner}"
    sample = field["sample"][0] if isinstance(field["sample"], list) and field["sample"] else field["sample"]
    assert not isinstance(sample, dict) or set(sample) <= set(found["contains"])
    return {value: found}


def test_what_the_unit_modules_return_alike_is_documented_once() -> None:
    own = set(part("ats_firmware", "RETURN"))
    for name in UNITS[1:]:
        shared = {value for value, field in part(name, "RETURN").items() if value in own and "contains" in field}
        assert shared == set(), f"{name} repeats them"


@pytest.mark.parametrize("name", UNITS)
def test_states_checks_and_entries_are_all_named(name: str) -> None:
    values = [documented(name, value) for value in ("state", "entry", "interlock")]
    fields = {path: field for value in values for path, field in walk(value)}
    assert set(fields["state"]["choices"]) == {state.value for state in State}
    assert set(fields["entry.kind"]["choices"]) == {kind.value for kind in EntryKind}
    assert fields["interlock.checks.id"]["sample"] in EXPECTED


def test_the_guide_names_every_state_and_every_sentence_of_the_safety_page() -> None:
    guides = PLUGINS.parent / "docs" / "docsite" / "rst"
    upgrade = " ".join((guides / "guide_upgrade.rst").read_text(encoding="utf-8").split())
    assert [state.value for state in State if f"``{state.value}``" not in upgrade] == []
    assert [word for word in (*PROMISES, *DEEDS, *STATEMENTS) if f"``{word}``" not in upgrade] == []
    assert VOID in upgrade and LOAD_ON in upgrade and LOADS_LAST in upgrade
    safety = (guides / "guide_safety.rst").read_text(encoding="utf-8")
    assert [check for check in EXPECTED if f"``{check}``" not in safety] == []


@pytest.mark.parametrize("name", sorted(RUNS))
def test_check_mode_and_async_are_as_documented(name: str) -> None:
    attributes = documentation(name)["attributes"]
    assert attributes["check_mode"]["support"] == "full"
    if name != "firmware_package_info":
        assert attributes["async"]["support"] == "none"
        assert attributes["action"]["support"] == "full"
    watches = importlib.import_module(f"{PACKAGE}.action.{name}").ActionModule.WATCHES
    assert watches == ("task_timeout" in attributes)


def test_every_unit_module_says_that_nothing_was_tried_on_a_real_device() -> None:
    text = (PLUGINS / "doc_fragments" / "snmp.py").read_text(encoding="utf-8")
    assert "Only simulated devices were ever used" in text


@pytest.mark.parametrize(("group", "specs"), [("snmp", [_specs.SNMP.options]), ("nmc", [_specs.ACCOUNT.options])])
def test_action_groups_list_exactly_the_modules_with_their_options(group: str, specs: list[dict[str, Any]]) -> None:
    runtime = yaml.safe_load((PLUGINS.parent / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    wanted = {option for spec in specs for option in spec}
    able = {name for name, run in RUNS.items() if wanted <= set(run.ARGUMENT_SPEC)}
    assert set(runtime["action_groups"][group]) == able


@pytest.mark.parametrize("name", sorted(RUNS))
def test_references_lead_somewhere(name: str) -> None:
    text = (PLUGINS / "modules" / f"{name}.py").read_text(encoding="utf-8")
    for module in re.findall(r"dcops\.apc\.(\w+_info|ats_wait|ats_firmware)\b", text):
        assert module in RUNS


def test_the_ends_of_a_ups_update_are_documented() -> None:
    fields = part("ups_firmware", "RETURN")
    assert fields["state"]["choices"] == [end.value for end in UpsEnd]
    guide = (PLUGINS.parent / "docs" / "docsite" / "rst" / "guide_ups_firmware.rst").read_text(encoding="utf-8")
    assert [end.value for end in UpsEnd if f"``{end.value}``" not in guide] == []
    assert all(GUARDED.values())
