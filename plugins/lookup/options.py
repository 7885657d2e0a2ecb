# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: options
author:
  - The dcops.apc contributors (@dcops)
version_added: 0.1.0
short_description: A module's options out of the variables of one prefix
description:
  - Returns those options of a module of this collection that variables give, O(_terms) followed by the option's name.
    V(ats_upgrade_host) is the option C(host) where the prefix is V(ats_upgrade_).
  - A variable that is empty, that is V(none) or an empty text, counts as not given, as a survey leaves a field blank.
    The module's own default, its environment fallback and the action groups of C(module_defaults) count then.
  - A variable that begins with the prefix and is not known is refused, with the name that was probably meant. A
    misspelled option would otherwise silently switch off what it was meant for.
  - Variables that begin with an underscore and the prefix are the role's or playbook's own, and so are those of
    O(left). One that comes from outside, as an extra variable, out of the inventory or as a parameter of the role, is
    refused, because it would hide what was measured or stand for what was not.
  - C(ansible_failed_result) and C(ansible_failed_task) as extra variables are refused as well. They would hide why a
    step failed.
options:
  _terms:
    description:
      - The prefix, with its underscore at the end.
    type: list
    elements: str
    required: true
  module:
    description:
      - The module whose options are returned, with or without C(dcops.apc.) before its name.
      - Without it the variables are only looked at, and nothing is returned.
    type: str
  also:
    description:
      - Further modules whose options are variables of this prefix. They are known, and not returned.
    type: list
    elements: str
    default: []
  role:
    description:
      - A role of this collection. Then what its C(meta/argument_specs.yml) lists, over all entry points, are the
        variables that are known, instead of the options of O(module) and O(also).
    type: str
  own:
    description:
      - Names, without the prefix, of further variables that are known and are no option of a module, such as the
        pattern of hosts of a playbook.
    type: list
    elements: str
    default: []
  left:
    description:
      - Names, without the prefix, of results that the role or playbook leaves for later tasks. They are known, and
        cannot be given.
    type: list
    elements: str
    default: []
  internal_only:
    description:
      - Whether only those variables are looked at that cannot be given. Nothing is returned then.
    type: bool
    default: false
  refusal:
    description:
      - Returns the sentence with which the variables would be refused, or an empty text, instead of the options.
      - For a task that says it by itself, since Ansible says what a lookup fails with in a frame of its own words.
    type: bool
    default: false
  without:
    description:
      - Options that no variable may give, because the task itself does.
    type: list
    elements: str
    default: []
  names:
    description:
      - Options whose variable has another name, C(option) to the name without the prefix. The option's own name is
        no variable then, unless O(role) lists it.
    type: dict
    default: {}
notes:
  - The value of a secret option is returned as it is. Hand it on to the module, which hides it, and show it nowhere.
seealso:
  - module: dcops.apc.ats_firmware
  - module: dcops.apc.ups_firmware
"""

EXAMPLES = r"""
- name: Read the ATS with whatever variables rack_ give
  dcops.apc.ats_info:
  module_defaults:
    dcops.apc.ats_info: "{{ lookup('dcops.apc.options', 'rack_', module='dcops.apc.ats_info') }}"

- name: Wait, for as long as rack_ready_timeout_s says
  dcops.apc.ats_wait:
    until: ready
  module_defaults:
    dcops.apc.ats_wait: >-
      {{ lookup('dcops.apc.options', 'rack_', module='dcops.apc.ats_wait', without=['until'],
                names={'timeout_s': 'ready_timeout_s'}) }}
"""

RETURN = r"""
_raw:
  description:
    - One dictionary, the options that are given, by their names; with O(refusal) one text.
  type: list
  elements: raw
"""

import difflib
import importlib
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.dcops.apc.plugins.plugin_utils._plain import plain

_ROLES = Path(__file__).resolve().parents[2] / "roles"
_COLLECTION = "dcops.apc."
_RUNS = "ansible_collections.dcops.apc.plugins.module_utils._runs"
_MODULE = re.compile(r"[a-z][a-z0-9_]*")
# What Ansible sets for a rescue, and what a rescue tells a person by.
_OF_A_RESCUE = ("ansible_failed_result", "ansible_failed_task")
_OPTIONS = ("module", "also", "role", "own", "left", "internal_only", "refusal", "without", "names")


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        variables = variables or {}
        self.set_options(var_options=variables, direct=kwargs)
        if len(terms) != 1 or not isinstance(terms[0], str) or not terms[0].strip("_"):
            raise AnsibleError("dcops.apc.options takes exactly one prefix, such as ats_upgrade_.")
        prefix = plain(terms[0])
        given = {key: plain(self.get_option(key)) for key in _OPTIONS}
        options = options_of(given["module"]) - set(given["without"]) if given["module"] else set()
        known = known_names(given, options)
        refused = self._foreign(prefix, given, variables)
        if not refused and not given["internal_only"]:
            read = known | set(given["left"])
            strange = [name for name in variables if name.startswith(prefix) and name.removeprefix(prefix) not in read]
            refused = refusal(prefix, strange, known, given["role"] or "") if strange else ""
        if given["refusal"]:
            return [refused]
        if refused:
            raise AnsibleError(refused)
        return [{} if given["internal_only"] else self._given(prefix, options, known, given["names"], variables)]

    def _given(
        self, prefix: str, options: set[str], known: set[str], names: Mapping[str, str], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = {}
        for option in sorted(options):
            suffix = names.get(option, option)
            if suffix in known and prefix + suffix in variables:
                value = self._value(variables, prefix + suffix)
                if value is not None and value != "":
                    found[option] = value
        return found

    def _value(self, variables: Mapping[str, Any], name: str) -> Any:
        # In a dictionary, because a later core leaves out of it what says omit; core 2.16 has a word for that.
        value = self._templar.template({"value": variables[name]}).get("value")
        if isinstance(value, str) and value.startswith("__omit_place_holder__"):
            return None
        return readable(plain(value))

    def _foreign(self, prefix: str, given: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
        """The refusal of what only the role or playbook itself may set."""
        left = {prefix + name for name in given["left"]}
        extra = load_extra_vars(self._loader)
        own = [name for name in variables if name.startswith("_" + prefix) or name in left]
        own += [name for name in _OF_A_RESCUE if name in extra]
        if not own:
            return ""
        registered = _registered(variables)
        written = variables_of(given["role"]) if given["role"] else {}
        # A registered result beats everything but extra variables and parameters; one that such a thing hides is not
        # the same. What the inventory gives beats nothing, but counts as long as nothing is registered.
        genuine = {name for name in own if _same(name, variables, registered) or _same(name, variables, written)}
        foreign = [name for name in own if name in extra or name not in genuine]
        if not foreign:
            return ""
        return (
            f"{', '.join(sorted(foreign))} cannot be given: what is internal, or a result, decides what is done. "
            "Nothing was done."
        )


def _same(name: str, variables: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return name in others and bool(others[name] == variables[name])


def _registered(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """What tasks of this very run have registered or set for the host.

    hostvars shows it mixed with the inventory, so it is read where every core from 2.16 to 2.21 keeps it. On one that
    keeps it elsewhere nothing is genuine, and all is refused.
    """
    manager = getattr(variables.get("hostvars"), "_variable_manager", None)
    kept: Mapping[str, Any] = getattr(manager, "_nonpersistent_fact_cache", {})
    found: Mapping[str, Any] = kept.get(str(variables.get("inventory_hostname")), {})
    return found


def readable(value: Any) -> Any:
    """Core 2.16 hands a dictionary on as its text: what it cannot read back would leave all of it a text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return value


def options_of(module: str) -> set[str]:
    """Imports one run, and none for a lookup by role alone: to import all of them takes longer than most tasks."""
    name = module.removeprefix(_COLLECTION)
    if _MODULE.fullmatch(name):
        try:
            return set(importlib.import_module(f"{_RUNS}.{name}").ARGUMENT_SPEC)
        except ModuleNotFoundError as exc:
            if exc.name != f"{_RUNS}.{name}":
                raise
    raise AnsibleError(f"{module} is no module of dcops.apc.")


def known_names(given: Mapping[str, Any], options: set[str]) -> set[str]:
    """All suffixes that a variable of the prefix may have."""
    if given["role"]:
        return role_names(given["role"]) | set(given["own"])
    every = options.union(*(options_of(module) for module in given["also"])) - set(given["without"])
    return every - set(given["names"]) | set(given["names"].values()) | set(given["own"])


def role_names(role: str) -> set[str]:
    """What the role's specification lists, over all entry points, without the prefix, which is the role's name."""
    name = role.removeprefix(_COLLECTION)
    specs = _load(name, "meta/argument_specs.yml")["argument_specs"]
    listed = {option for entry in specs.values() for option in entry.get("options") or ()}
    return {option.removeprefix(name + "_") for option in listed}


def variables_of(role: str) -> Mapping[str, Any]:
    """The variables that the role itself sets for all its tasks, as they are written."""
    return _load(role.removeprefix(_COLLECTION), "vars/main.yml") or {}


def _load(role: str, file: str) -> Any:
    try:
        return yaml.safe_load((_ROLES / role / file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if file.startswith("vars"):
            return {}
        raise AnsibleError(f"{role} is no role of dcops.apc.") from None


def refusal(prefix: str, strange: Iterable[str], known: set[str], role: str) -> str:
    told = []
    for name in sorted(strange):
        near = difflib.get_close_matches(name.removeprefix(prefix), known, n=1)
        told.append(f"{name} (did you mean {prefix}{near[0]}?)" if near else name)
    where = f" ansible-doc -t role {_COLLECTION}{role.removeprefix(_COLLECTION)} lists what there is." if role else ""
    number = "s" if len(told) > 1 else ""
    return f"Unknown variable{number} {', '.join(told)}.{where} Nothing was done."
