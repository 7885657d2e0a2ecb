# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What module and action plugin share: the table of runs, errors to results, and secrets kept out of both."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterable, Mapping
from enum import Enum
from types import ModuleType
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import ConfirmationError
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import redact_url
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs import (
    ats_firmware,
    ats_info,
    ats_interlock_info,
    ats_permit_info,
    ats_recovery_info,
    ats_wait,
    ats_word,
    compliance_report,
    firmware_package_info,
    nmc_config_backup,
    nmc_event_log_info,
    nmc_info,
    support_bundle,
    ups_ap9624_info,
    ups_firmware,
    ups_info,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import Left
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import to_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._secrets import hidden, secrets_of
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    FACTORY_WORDS,
    OptionError,
    Spec,
    check_options,
    is_hideable,
    secret_options,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

# A table, so that AnsiballZ finds by the imports what belongs into a module's archive.
RUNS: dict[str, ModuleType] = {
    "ats_firmware": ats_firmware,
    "ats_info": ats_info,
    "ats_interlock_info": ats_interlock_info,
    "ats_permit_info": ats_permit_info,
    "ats_recovery_info": ats_recovery_info,
    "ats_wait": ats_wait,
    "ats_word": ats_word,
    "compliance_report": compliance_report,
    "firmware_package_info": firmware_package_info,
    "nmc_config_backup": nmc_config_backup,
    "nmc_event_log_info": nmc_event_log_info,
    "nmc_info": nmc_info,
    "support_bundle": support_bundle,
    "ups_ap9624_info": ups_ap9624_info,
    "ups_firmware": ups_firmware,
    "ups_info": ups_info,
}
KINDS = frozenset(
    ("refused", "not_an_ats", "not_a_ups", "timeout", "auth", "busy", "transfer")
    + ("identity", "package", "locked", "state", "unsupported", "internal")
)
# Ansible's own words, so that both paths read alike.
HIDDEN_PARAMETER = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_MAX_TRACEBACK = 20_000
_UNBOUNDED = 1_000_000


class NullProgress:
    """A module's stderr is not shown live; only the action plugin can."""

    def say(self, text: str, key: str | None = None) -> None:
        pass

    def stop(self, text: str) -> None:
        pass

    def permit(self, text: str) -> bool:
        """Nobody could be shown it: not given."""
        return False


def run_named(name: str, params: Mapping[str, Any], check_mode: bool, progress: Any) -> dict[str, Any]:
    """Does the work and returns the whole result in plain JSON types, without a secret. Never raises an Exception."""
    spec: Spec = RUNS[name].ARGUMENT_SPEC
    left = left_by(name)
    # Of what is raised before the unit is at hand; later ones come as a Stop with the state that was found.
    untouched = left.state if left else None
    try:
        check_options(params)
        result: dict[str, Any] = RUNS[name].run(dict(params), check_mode, progress)
    except OptionError as exc:
        result = failure(left, params, "unsupported", exc.message, untouched)
    except ConfirmationError as exc:
        result = failure(left, params, "refused", f"{exc}.", untouched)
    except (PackageError, TransportError) as exc:
        result = failure(left, params, exc.kind, exc.message, untouched)
    except Stop as exc:
        result = failure(left, params, exc.kind, exc.message, exc.state, exc.details)
        if exc.verdict is not None:
            result["interlock"] = exc.verdict
    except Interrupted as exc:
        result = failure(left, params, "state", f"The run was ended: {exc}.")
    except Exception as exc:
        first = (str(exc).splitlines() or [""])[0][:300]
        result = failure(left, params, "internal", f"Unexpected {type(exc).__name__}: {first}")
        result["exception"] = traceback.format_exc()[-_MAX_TRACEBACK:]
    result.setdefault("changed", False)
    return sanitized(result, secrets_of(spec, params))


def left_by(name: str) -> Left | None:
    """What a failing run of this module leaves; None: it can move no unit."""
    left: Left | None = RUNS[name].LEFT
    return left


def failure(
    left: Left | None,
    params: Mapping[str, Any],
    kind: str,
    message: str,
    state: Enum | None = None,
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Modules that can move a unit also say what the person must do now: every end has its instruction."""
    kind = kind if kind in KINDS else "internal"
    details = details or {}
    result = {**details, "failed": True, "msg": message, "error": {"kind": kind, "message": message}}
    if left is not None and left.state is not None:
        state, words = left.told(state, params, details)
        result.setdefault("state", state)
        if not result.get("next_action"):
            result["next_action"] = words
    if left is not None and left.more is not None:
        result = {**left.more(kind, message, result), **result}
    return result


def sanitized(result: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Hides before it cuts: half a secret at the end of a long text would no longer be found."""
    plain = hidden(to_result(result, _UNBOUNDED), tuple(secrets))
    text = plain.pop("exception", None)
    bounded: dict[str, Any] = to_result(plain)
    if text is not None:
        bounded["exception"] = text
    return bounded


def invocation(spec: Spec, params: Mapping[str, Any]) -> dict[str, Any]:
    """Our own: Ansible would mask it by substrings, or with factory words kept out of that, not at all."""
    shown: dict[str, Any] = {}
    for name, options in spec.items():
        if name not in params:
            continue
        value = params[name]
        if options.get("no_log") and value is not None:
            value = HIDDEN_PARAMETER
        elif name in ("src", "url") and isinstance(value, str):
            value = redact_url(value)
        elif name == "reports" and isinstance(value, list):
            value = [redact_url(item) if isinstance(item, str) else item for item in value]
        shown[name] = value
    return {"module_args": sanitized(shown, secrets_of(spec, params))}


def credential_warnings(spec: Spec, params: Mapping[str, Any]) -> list[str]:
    found = []
    for name in secret_options(spec):
        value = params.get(name)
        if isinstance(value, (list, tuple)):
            # Nothing is logged in with it: it is only hidden.
            continue
        # The community has a default, which v3 does not use; a write community that nothing uses is not in use.
        if not value or is_hideable(str(value)) or ("community" in name and params.get("snmp_version") == "v3"):
            continue
        note = "" if str(value) in FACTORY_WORDS else " (or one as short as those)"
        found.append(f"factory credential in use: {name}{note}")
    return found


class _Module(AnsibleModule):  # type: ignore[misc]
    """AnsibleModule with our own hiding of secrets, also where it fails by itself over a wrong option."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        # First: what comes next may fail over an option.
        self.run_name = name
        super().__init__(**kwargs)

    def exit_json(self, **kwargs: Any) -> None:
        self._leave_readable()
        super().exit_json(invocation=invocation(self.argument_spec, self.params), **kwargs)

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        if "error" not in kwargs:
            kwargs.update(refused_options(self.run_name, self.params, str(msg)))
            msg = kwargs.pop("msg")
            del kwargs["failed"]
        self._leave_readable()
        super().fail_json(msg, invocation=invocation(self.argument_spec, self.params), **kwargs)

    def _leave_readable(self) -> None:
        # Ansible hides these values wherever they are part of a text: "apc" turns every file name into asterisks.
        for value in [value for value in self.no_log_values if not is_hideable(str(value))]:
            self.no_log_values.discard(value)


def refused_options(name: str, params: Mapping[str, Any], message: str) -> dict[str, Any]:
    """The result where the options do not fit the argument spec."""
    left = left_by(name)
    result = failure(left, params, "unsupported", message, left.state if left else None)
    result["changed"] = False
    return sanitized(result, secrets_of(RUNS[name].ARGUMENT_SPEC, params))


def module_main(name: str) -> None:
    """A module's whole main()."""
    spec: Spec = RUNS[name].ARGUMENT_SPEC
    module = _Module(name, argument_spec=copy.deepcopy(spec), **copy.deepcopy(RUNS[name].OPTIONS))
    for warning in credential_warnings(spec, module.params):
        module.warn(warning)
    result = run_named(name, module.params, module.check_mode, NullProgress())
    if not module._diff:
        result.pop("diff", None)
    if result.pop("failed", False):
        module.fail_json(**result)
    else:
        module.exit_json(**result)
