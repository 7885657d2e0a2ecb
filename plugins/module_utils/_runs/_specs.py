# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that several modules share, as argument specs, and the checks that a spec cannot say."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils.basic import AnsibleFallbackNotFound

from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import (
    FRESH_S,
    MAX_POLL_S,
    STABILITY_CEILING_S,
    STABILITY_FLOOR_S,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_common import SnmpOptions

Spec = dict[str, dict[str, Any]]
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ArgumentSpec:
    """Options and the rules between them, as AnsibleModule wants them; put together by merging."""

    options: Spec = field(default_factory=dict)
    mutually_exclusive: Groups = ()
    required_one_of: Groups = ()
    # (option, value, the options that it requires)
    required_if: tuple[tuple[str, Any, tuple[str, ...]], ...] = ()

    def merge(self, *others: ArgumentSpec) -> ArgumentSpec:
        """All options and all rules. Raises ValueError for an option that is there twice: which of them holds?"""
        merged = self
        for other in others:
            twice = set(merged.options) & set(other.options)
            if twice:
                raise ValueError(f"options of two specs: {', '.join(sorted(twice))}")
            merged = ArgumentSpec(
                {**merged.options, **other.options},
                merged.mutually_exclusive + other.mutually_exclusive,
                merged.required_one_of + other.required_one_of,
                merged.required_if + other.required_if,
            )
        return merged

    def only(self, *names: str) -> ArgumentSpec:
        """Some of the options, without the rules, which may name others."""
        return ArgumentSpec({name: self.options[name] for name in names})

    def changed(self, name: str, **entry: Any) -> ArgumentSpec:
        """One option said otherwise, on purpose."""
        return replace(self, options={**self.options, name: {**self.options[name], **entry}})

    @property
    def rules(self) -> dict[str, Any]:
        """What AnsibleModule takes beside the options, new lists each time. Every module here supports check mode."""
        rules: dict[str, Any] = {"supports_check_mode": True}
        for kind in ("mutually_exclusive", "required_one_of"):
            if groups := getattr(self, kind):
                rules[kind] = [list(group) for group in groups]
        if self.required_if:
            rules["required_if"] = [[name, value, list(needed)] for name, value, needed in self.required_if]
        return rules


# What every card is shipped with, or every reader of its manual tries first: hiding these words in a result would hide
# file names (apc_hw02_aos_392.bin), and protect nothing.
FACTORY_WORDS = frozenset({"apc", "public", "private", "device", "readonly"})
MIN_SECRET = 6


def from_env(name: str) -> str:
    """As Ansible's env_fallback, but an empty variable, as AWX sets for a field left blank, counts as not set."""
    value = os.environ.get(name)
    if not value:
        raise AnsibleFallbackNotFound
    return value


def _env(name: str) -> tuple[Any, list[str]]:
    return (from_env, [name])


# The action plugin fills it in from the inventory host.
HOST = ArgumentSpec({"host": {"type": "str", "required": True}})

SNMP = HOST.merge(
    ArgumentSpec(
        {
            "snmp_version": {"type": "str", "choices": ["v1", "v2c", "v3"], "default": "v1"},
            "snmp_port": {"type": "int", "default": 161},
            "snmp_community": {
                "type": "str",
                "no_log": True,
                "default": "public",
                "fallback": _env("APC_SNMP_COMMUNITY"),
            },
            "snmp_write_community": {"type": "str", "no_log": True, "fallback": _env("APC_SNMP_WRITE_COMMUNITY")},
            "snmp_username": {"type": "str", "fallback": _env("APC_SNMP_USERNAME")},
            "snmp_auth_protocol": {"type": "str", "choices": ["md5", "sha", "sha224", "sha256", "sha384", "sha512"]},
            "snmp_auth_key": {"type": "str", "no_log": True, "fallback": _env("APC_SNMP_AUTH_KEY")},
            "snmp_privacy_protocol": {"type": "str", "choices": ["des", "aes", "aes192", "aes256"]},
            "snmp_privacy_key": {"type": "str", "no_log": True, "fallback": _env("APC_SNMP_PRIVACY_KEY")},
            "snmp_timeout": {"type": "float", "default": 1.0},
            "snmp_retries": {"type": "int", "default": 2},
        },
        required_if=(("snmp_version", "v3", ("snmp_username",)),),
    )
)

ACCOUNT = ArgumentSpec(
    {
        "username": {"type": "str", "required": True, "fallback": _env("APC_USERNAME")},
        "password": {"type": "str", "required": True, "no_log": True, "fallback": _env("APC_PASSWORD")},
        "transfer_protocol": {"type": "str", "choices": ["auto", "ftp", "scp"], "default": "auto"},
        "transfer_port": {"type": "int"},
        "transfer_timeout_s": {"type": "float", "default": 30.0},
        "busy_timeout_s": {"type": "float", "default": 240.0},
        "allow_ftp": {"type": "bool", "default": False},
        "ssh_known_hosts": {"type": "path"},
        # A fingerprint, and no secret.
        "ssh_host_key": {"type": "str", "no_log": False},
        "ssh_accept_new_host_key": {"type": "bool", "default": False},
        "ssh_legacy_algorithms": {"type": "bool", "default": False},
    }
)

PACKAGE = ArgumentSpec(
    {
        # Not type path: that would expand $ inside a URL.
        "src": {"type": "str"},
        "files": {"type": "list", "elements": "path"},
        # The keys are file names, the values no secrets.
        "checksums": {"type": "dict"},
    },
    mutually_exclusive=(("src", "files"),),
)

UPGRADE = PACKAGE.merge(
    ArgumentSpec(
        {
            "method": {
                "type": "str",
                "choices": ["single_source", "no_load", "app_only", "recovery"],
                "default": "single_source",
            },
            "primary_source": {"type": "str", "choices": ["A", "B"]},
            "confirmations": {"type": "raw"},
            "confirmation_timezone": {"type": "str"},
            "allow_downgrade": {"type": "bool", "default": False},
            "stability_s": {"type": "float", "default": 30.0},
            "poll_interval_s": {"type": "float", "default": 2.0},
            "down_timeout_s": {"type": "float", "default": 300.0},
            "up_timeout_s": {"type": "float", "default": 600.0},
            "controller_timeout_s": {"type": "float", "default": 900.0},
            "state_dir": {"type": "path", "fallback": _env("APC_STATE_DIR")},
            "ephemeral_state": {"type": "bool", "default": False},
            "change_reference": {"type": "str"},
            "redundancy_peers": {"type": "list", "elements": "str"},
        },
        required_if=(("method", "single_source", ("primary_source",)),),
    )
)
# What a module takes that may send files to an ATS, or judges whether they could be sent.
ATS_UNIT = SNMP.merge(ACCOUNT, UPGRADE)

# Option -> least, most; both included.
RANGES: dict[str, tuple[float, float]] = {
    "snmp_port": (1, 65535),
    "snmp_timeout": (0.1, 60),
    "snmp_retries": (0, 10),
    "transfer_port": (1, 65535),
    "web_port": (1, 65535),
    "transfer_timeout_s": (1, 600),
    "busy_timeout_s": (0, 3600),
    "stability_s": (STABILITY_FLOOR_S, STABILITY_CEILING_S),
    "poll_interval_s": (0.1, MAX_POLL_S),
    "down_timeout_s": (10, 7200),
    "up_timeout_s": (10, 7200),
    "controller_timeout_s": (10, 7200),
    "timeout_s": (1, 86400),
    "ready_timeout_s": (10, 7200),
    "start_timeout_s": (30, 3600),
    "update_timeout_s": (60, 86400),
}
_WHY = {
    "stability_s": (
        "; a unit may be damaged by a second transfer within 30 s, and the app's last block is held back for as long "
        "as this and 30 s"
    ),
    "poll_interval_s": "; seldomer samples prove nothing",
}
MAX_TEXT = 1024


class OptionError(Exception):
    """An option's value is refused before anything is done."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def check_options(params: Mapping[str, Any]) -> None:
    """What AnsibleModule does not check. Raises OptionError with a sentence; never repeats a secret."""
    for name, (least, most) in RANGES.items():
        value = params.get(name)
        # Negated, so that NaN is out of range.
        if value is not None and not least <= value <= most:
            raise OptionError(f"{name} must be from {least:g} to {most:g}, not {value:g}{_WHY.get(name, '')}.")
    if "stability_s" in params:
        patience_s = (params.get("snmp_timeout") or 0) * ((params.get("snmp_retries") or 0) + 1)
        if patience_s >= FRESH_S:
            raise OptionError(
                f"snmp_timeout x (snmp_retries + 1) is {patience_s:g} s; it must stay under {FRESH_S:g} s, "
                "or one lost answer makes every reading too old to prove anything."
            )
    for name in ("host", "change_reference", "confirmation_timezone"):
        value = params.get(name)
        if value is not None and len(value) > MAX_TEXT:
            raise OptionError(f"{name} is longer than {MAX_TEXT} characters.")
    # Facts given offline need no device, nor does a unit by its serial number.
    if "host" in params and params.get("ups") is None and not params.get("unit") and not (params["host"] or "").strip():
        raise OptionError("host is empty.")


def snmp_options(params: Mapping[str, Any], address: str) -> SnmpOptions:
    """``address`` is already resolved and pinned."""
    return SnmpOptions(
        address=address,
        port=params["snmp_port"],
        version=params["snmp_version"],
        community=params["snmp_community"],
        username=params["snmp_username"],
        auth_protocol=params["snmp_auth_protocol"],
        auth_key=params["snmp_auth_key"],
        privacy_protocol=params["snmp_privacy_protocol"],
        privacy_key=params["snmp_privacy_key"],
        timeout_s=params["snmp_timeout"],
        retries=params["snmp_retries"],
    )


def secret_options(spec: Spec) -> Iterator[str]:
    return (name for name, options in spec.items() if options.get("no_log"))


def secrets_in_environment() -> list[str]:
    """What the modules of a play take from there, where it gives them nothing else."""
    names = [
        name
        for spec in (SNMP.options, ACCOUNT.options)
        for option in secret_options(spec)
        for name in spec[option].get("fallback", (None, ()))[1]
    ]
    return [os.environ[name] for name in names if os.environ.get(name)]


def is_hideable(value: str) -> bool:
    """Whether hiding every place of this text in a result protects more than it destroys."""
    return len(value) >= MIN_SECRET and value not in FACTORY_WORDS


__all__ = [
    "ACCOUNT",
    "ATS_UNIT",
    "FACTORY_WORDS",
    "HOST",
    "PACKAGE",
    "RANGES",
    "SNMP",
    "UPGRADE",
    "ArgumentSpec",
    "OptionError",
    "check_options",
    "is_hideable",
    "secret_options",
    "secrets_in_environment",
    "snmp_options",
]
