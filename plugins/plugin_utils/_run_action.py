# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins' one base: runs a module's work in the worker process on the controller.

An inventory host is the device itself; there is nothing on it that could run a module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import is_url

# Imports pysnmp and requests too: once, before Ansible forks a worker for every host.
from ansible_collections.dcops.apc.plugins.module_utils._module import (
    RUNS,
    credential_warnings,
    invocation,
    refused_options,
    run_named,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._secrets import hide_in_text, secrets_of
from ansible_collections.dcops.apc.plugins.plugin_utils._plain import plain
from ansible_collections.dcops.apc.plugins.plugin_utils._progress import LiveProgress

# What AnsibleModule takes and the validator does not.
_NOT_FOR_VALIDATOR = ("supports_check_mode",)


class RunAction(ActionBase):  # type: ignore[misc]
    """``NAME`` is the module. ``WATCHES``: it may run for long and has something to say at its end."""

    NAME = ""
    WATCHES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        spec, options = RUNS[self.NAME].ARGUMENT_SPEC, RUNS[self.NAME].OPTIONS
        variables = task_vars or {}
        given = {str.__str__(key): plain(value) for key, value in self._task.args.items()}
        unsupported = self._unsupported()
        if unsupported:
            return refused_options(self.NAME, given, unsupported)
        super().run(None, task_vars)
        if "host" in spec and "host" not in given:
            given["host"] = self._device(variables)
        validator = ArgumentSpecValidator(
            spec, **{key: value for key, value in options.items() if key not in _NOT_FOR_VALIDATOR}
        )
        validated = validator.validate(given)
        params = {name: value for name, value in validated.validated_parameters.items() if name in spec}
        shown = {"invocation": invocation(spec, params)} if _shows_invocation(variables) else {}
        if validated.error_messages:
            message = str(validated.errors.msg)
            if isinstance(validated.errors[0], UnsupportedError):
                message = f"Unsupported parameters for ({self._task.action}) module: {message}"
            return {**refused_options(self.NAME, params, message), **shown}
        self._find_files(params)
        secrets = secrets_of(spec, params)
        # A device may answer with what it was sent, and an error may repeat it.
        progress = LiveProgress(
            silent=bool(self._task.no_log),
            hide=lambda text: hide_in_text(text, secrets),
            label=str(plain(variables.get("inventory_hostname")) or ""),
        )
        try:
            result = run_named(self.NAME, params, bool(self._task.check_mode), progress)
        finally:
            progress.finish()
        if not self._task.diff:
            result.pop("diff", None)
        warnings = credential_warnings(spec, params)
        if warnings:
            result["warnings"] = [*result.get("warnings", []), *warnings]
        return {**result, **shown}

    def _unsupported(self) -> str:
        name = self._task.action
        if self._task.async_val:
            return f"async is not supported by {name}: remove it from the task."
        if self.WATCHES and self._task.timeout:
            return f"The task keyword timeout is not supported by {name}: use the module's own limits."
        return ""

    def _device(self, variables: Mapping[str, Any]) -> str:
        """The inventory host's address. Core 2.16 hands variables over as they were written."""
        for name in ("ansible_host", "inventory_hostname"):
            address = plain(self._templar.template(variables.get(name)))
            if address:
                return str(address)
        return ""

    def _find_files(self, params: dict[str, Any]) -> None:
        """Like ansible.builtin.copy: beside the role or the playbook first, then as the path stands."""
        src = params.get("src")
        if src and not is_url(src):
            params["src"] = self._find(src)
        if params.get("files"):
            params["files"] = [self._find(name) for name in params["files"]]

    def _find(self, name: str) -> str:
        try:
            return str.__str__(self._find_needle("files", name))
        except AnsibleError:
            # The run says what is wrong with it, in the same words as the module.
            return name


def _shows_invocation(variables: Mapping[str, Any]) -> bool:
    """From core 2.20 on a setting, which AnsibleModule obeys too; before it, always."""
    try:
        return bool(C.config.get_config_value("INJECT_INVOCATION", variables=variables))
    except AnsibleError:
        return True
