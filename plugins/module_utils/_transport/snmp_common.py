# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SNMP v1, v2c and v3 share: the options, the values, and the words for the errors."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import shown
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue

# Imported when this module is, not at the first exchange: Ansible forks a worker per host, and what was imported before
# the fork is paid once.
PYSNMP_IMPORT_ERROR: str | None = None
try:
    from pyasn1.codec.ber import decoder, encoder
    from pyasn1.type import univ
    from pysnmp.proto import api
except ImportError:
    PYSNMP_IMPORT_ERROR = traceback.format_exc()
    decoder = encoder = univ = api = None

# An OCTET STRING of any length may arrive; no object read here is longer than a sysDescr.
MAX_OCTETS = 4096
VERSIONS = ("v1", "v2c", "v3")

# RFC 1157 and RFC 3416: error-status by number. For questions 2 is handled by the callers, and 1 becomes TooBig.
_ERROR_NAMES = {
    1: "tooBig",
    2: "noSuchName",
    3: "badValue",
    4: "readOnly",
    5: "genErr",
    6: "noAccess",
    7: "wrongType",
    8: "wrongLength",
    9: "wrongEncoding",
    10: "wrongValue",
    11: "noCreation",
    12: "inconsistentValue",
    13: "resourceUnavailable",
    14: "commitFailed",
    15: "undoFailed",
    16: "authorizationError",
    17: "notWritable",
    18: "inconsistentName",
}
TOO_BIG = 1
NO_SUCH_NAME = 2


@dataclass(frozen=True)
class SnmpOptions:
    """``address`` is a literal, already resolved and pinned. Times are real seconds. No secret is shown by repr."""

    address: str
    port: int = 161
    version: str = "v1"
    community: str = field(default="public", repr=False)
    username: str | None = None
    auth_protocol: str | None = None
    auth_key: str | None = field(default=None, repr=False)
    privacy_protocol: str | None = None
    privacy_key: str | None = field(default=None, repr=False)
    timeout_s: float = 2.0
    retries: int = 1

    @property
    def where(self) -> str:
        return shown(self.address, self.port)

    @property
    def patience_s(self) -> float:
        """All that one question may take."""
        return self.timeout_s * (self.retries + 1)


def require_pysnmp() -> None:
    if PYSNMP_IMPORT_ERROR is not None:
        raise TransportError(
            "unsupported", "SNMP needs the Python package pysnmp (7.1 or newer) on the controller: install pysnmp"
        )


def no_answer(options: SnmpOptions) -> TransportError:
    who = "wrong user or security level" if options.version == "v3" else "wrong community"
    tries = options.retries + 1
    return TransportError(
        "timeout",
        f"no SNMP {options.version} answer from {options.where} within {options.patience_s:g} s ({tries} tries): "
        f"{who}, SNMP off, or the card is down",
    )


def status_error(options: SnmpOptions, status: int, index: int, asked: Sequence[Oid]) -> TransportError:
    """The exception for an error-status other than noError and a well-indexed noSuchName."""
    if status == TOO_BIG:
        return TooBig()
    if status == NO_SUCH_NAME and len(asked) > 1:
        # Without a usable index the culprit is only found by asking for fewer.
        return TooBig(f"{options.where} answered noSuchName without saying for which of {len(asked)} objects")
    name = status_name(status)
    which = f" for {dotted(asked[index - 1])}" if 1 <= index <= len(asked) else ""
    return TransportError("auth" if status == 16 else "transfer", f"{options.where} answered SNMP {name}{which}")


def status_name(status: int) -> str:
    return _ERROR_NAMES.get(status, f"error {status}" if -1000 < status < 1000 else "an unknown error")


def raw_pairs(varbinds: Iterable[Any]) -> list[tuple[Oid, RawValue] | None]:
    """From pysnmp's types to ours. Null, endOfMibView, noSuchObject and noSuchInstance are None: there is nothing."""
    pairs: list[tuple[Oid, RawValue] | None] = []
    for name, value in varbinds:
        raw: RawValue
        # The exceptions of v2 are Nulls; IpAddress and Opaque are OctetStrings; counters, gauges and ticks Integers.
        if isinstance(value, univ.Null):
            pairs.append(None)
            continue
        if isinstance(value, univ.ObjectIdentifier):
            raw = tuple(value)
        elif isinstance(value, univ.OctetString):
            raw = value.asOctets()[:MAX_OCTETS]
        elif isinstance(value, univ.Integer):
            raw = int(value)
        else:
            pairs.append(None)
            continue
        pairs.append((tuple(name), raw))
    return pairs


def dotted(oid: Oid) -> str:
    return ".".join(map(str, oid))


__all__ = [
    "MAX_OCTETS",
    "NO_SUCH_NAME",
    "PYSNMP_IMPORT_ERROR",
    "TOO_BIG",
    "VERSIONS",
    "SnmpOptions",
    "api",
    "decoder",
    "dotted",
    "encoder",
    "no_answer",
    "raw_pairs",
    "require_pysnmp",
    "status_error",
    "status_name",
]
