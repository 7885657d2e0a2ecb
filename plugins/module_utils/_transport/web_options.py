# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a web login needs to know, and what it may be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import family_of, shown
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

PAGES: Mapping[str, str] = {"event_log": "eventweb.htm", "about": "ulabout.htm", "logout": "logout.htm"}
_PAGE_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class WebOptions:
    """``address``: the pinned literal. ``host``: what was asked for; a name is in the Host header and the certificate.

    ``timeout_s``: real seconds for the login as a whole, and for each page. ``verify``: or the path of a CA file.
    ``pages``: names of pages that are not those of PAGES; the names of the AP77xx are not published.
    """

    address: str
    port: int
    scheme: str
    username: str
    password: str = field(repr=False)
    timeout_s: float = 30.0
    verify: bool | str = True
    pages: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None

    @property
    def where(self) -> str:
        return shown(self.address, self.port)

    @property
    def name(self) -> str | None:
        """``host``, where that is a name; an address needs no saying."""
        called = (self.host or "").strip()
        try:
            ipaddress.ip_address(called.removeprefix("[").removesuffix("]"))
        except ValueError:
            return called or None
        return None

    @property
    def base(self) -> str:
        return f"{self.scheme}://{self.where}"


def check_options(options: WebOptions) -> None:
    family_of(options.address)
    if options.scheme not in ("http", "https"):
        raise TransportError("unsupported", "the web login is by http or https")
    if not 0 < options.port < 65536:
        raise TransportError("unsupported", f"{options.port} is no TCP port")
    for what, text in (("user name", options.username), ("password", options.password)):
        if not text.isprintable() or len(text) > 256:
            raise TransportError("unsupported", f"the web {what} holds a control character or is too long")
    name = options.name or ""
    if len(name) > 255 or any(not "!" <= char <= "~" or char in ":/@[]#?\\" for char in name):
        raise TransportError("unsupported", "the card's host name cannot stand in a web request")
    for page in (*PAGES.values(), *options.pages.values()):
        if _PAGE_NAME.fullmatch(page) is None:
            raise TransportError("unsupported", f"{page[:80]!r} is not the name of a page")
    unknown = sorted(set(options.pages) - set(PAGES))
    if unknown:
        raise TransportError("unsupported", f"no page {unknown[0][:80]!r}; there are: {', '.join(PAGES)}")
