# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which protocol logs in to the card, and what is said about it.

SCP where it can be had. FTP sends the password in clear, so ``auto`` takes it only where that was allowed; and never
because of a host key or a password that was refused, or whoever sits in between could choose it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp import open_ftp
from ansible_collections.dcops.apc.plugins.module_utils._transport.scp import open_scp
from ansible_collections.dcops.apc.plugins.module_utils._transport.ssh_link import NoSsh, ScpOptions
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Login

FTP_PORT, SSH_PORT = 21, 22
KNOWN_HOSTS = "~/.ssh/known_hosts"
CLEAR = "FTP sent the user name and the password in clear: SCP could not be had ({why}), and allow_ftp is true."
_HOW = "allow_ftp: true allows FTP, which sends the password in clear; transfer_protocol: ftp asks for it"


class CardLogins:
    """Opens the logins of one run, all by one protocol: the one that the first of them found."""

    def __init__(
        self,
        params: dict[str, Any],
        address: str,
        warn: Callable[[str], None] = lambda text: None,
        remember: bool = True,
    ) -> None:
        """``remember`` False, as in check mode: a new host key is held to for this run, and written nowhere."""
        self._params, self._address, self._warn = params, address, warn
        self._remember, self._held_to = remember, ""
        self.protocol = "" if params["transfer_protocol"] == "auto" else str(params["transfer_protocol"])

    def __call__(self, idle: Callable[[], None]) -> Login:
        if self.protocol:
            return self._open(self.protocol, idle)
        try:
            login = self._open("scp", idle)
        except NoSsh as exc:
            # Nobody listens there, or the library is missing here; anything else may be somebody in between.
            if not self._params["allow_ftp"]:
                raise TransportError(exc.kind, f"{exc.message.rstrip('.')}. {_HOW}") from None
            login = self._open("ftp", idle)
            self._warn(CLEAR.format(why=exc.message.rstrip(".")[:160]))
            self.protocol = "ftp"
            return login
        self.protocol = "scp"
        return login

    def _open(self, protocol: str, idle: Callable[[], None]) -> Login:
        params = self._params
        if protocol == "ftp":
            port = params["transfer_port"] or FTP_PORT
            if params["transfer_protocol"] == "auto":
                # The port that was given is SCP's, which is asked first.
                port = FTP_PORT
            timeout_s = params["transfer_timeout_s"]
            return open_ftp(self._address, port, params["username"], params["password"], timeout_s, idle)
        options = scp_options(params, self._address, self._remember)
        if self._held_to and options.host_key is None:
            options = replace(options, host_key=self._held_to)
        login = open_scp(options, idle)
        if options.accept_new and not self._remember:
            self._held_to = login.host_key
        return login


def scp_options(params: dict[str, Any], address: str, remember: bool = True) -> ScpOptions:
    known_hosts = params["ssh_known_hosts"] or KNOWN_HOSTS
    return ScpOptions(
        address=address,
        port=params["transfer_port"] or SSH_PORT,
        username=params["username"],
        password=params["password"],
        timeout_s=params["transfer_timeout_s"],
        known_hosts=os.path.expanduser(known_hosts),
        host_key=params["ssh_host_key"],
        accept_new=params["ssh_accept_new_host_key"],
        remember=remember,
        host=params["host"],
        legacy=params["ssh_legacy_algorithms"],
    )


__all__ = ["CLEAR", "FTP_PORT", "CardLogins", "scp_options"]
