# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A name is looked up once, and every protocol of a run talks to the address found (SAFETY 3, identity)."""

from __future__ import annotations

import ipaddress
import socket

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError


def resolve_and_pin(host: str) -> str:
    """The one address literal of this run; an IPv4 one where the name has both (NMC1 knows no IPv6)."""
    text = host.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if not text or len(text) > 255 or any(ord(char) < 33 for char in text):
        raise TransportError("unsupported", f"{host[:80]!r} is not a host name or an address")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(text, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        # A name of the wrong shape fails in the IDNA codec, before any look-up.
        raise TransportError("timeout", f"the name {text[:80]!r} cannot be resolved: {error}") from None
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    for family, _type, _proto, _canonical, where in ordered:
        if family in (socket.AF_INET, socket.AF_INET6):
            address = str(where[0])
            # Only a link-local IPv6 address needs its zone, and then it comes as the fourth element.
            if family == socket.AF_INET6 and "%" not in address and len(where) == 4 and where[3]:
                address = f"{address}%{where[3]}"
            return address
    raise TransportError("timeout", f"the name {text[:80]!r} has no IPv4 or IPv6 address")


def family_of(address: str) -> socket.AddressFamily:
    """Of an address literal; anything else is a programming error upstream and is refused."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise TransportError("internal", f"{address[:80]!r} is not a pinned address") from None
    return socket.AF_INET if parsed.version == 4 else socket.AF_INET6


def shown(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
