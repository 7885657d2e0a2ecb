# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNMP v3 on pysnmp's engine: one engine per process and set of credentials, on an event loop of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from importlib.util import find_spec
from typing import Any, TypeAlias

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import family_of
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_common import (
    SnmpOptions,
    no_answer,
    raw_pairs,
    require_pysnmp,
    status_error,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue

try:
    from pysnmp.hlapi.v3arch import asyncio as hlapi
    from pysnmp.proto import errind
except ImportError:
    # snmp_common says so to the user; nothing here is reached then.
    pass

# Only asked for: pysnmp imports it itself when a packet has to be encrypted.
CRYPTOGRAPHY_MISSING = find_spec("cryptography") is None

AUTH_PROTOCOLS = {
    "md5": "USM_AUTH_HMAC96_MD5",
    "sha": "USM_AUTH_HMAC96_SHA",
    "sha224": "USM_AUTH_HMAC128_SHA224",
    "sha256": "USM_AUTH_HMAC192_SHA256",
    "sha384": "USM_AUTH_HMAC256_SHA384",
    "sha512": "USM_AUTH_HMAC384_SHA512",
}
PRIVACY_PROTOCOLS = {
    "des": "USM_PRIV_CBC56_DES",
    "aes": "USM_PRIV_CFB128_AES",
    "aes192": "USM_PRIV_CFB192_AES",
    "aes256": "USM_PRIV_CFB256_AES",
}
# RFC 3414 section 11.2: a passphrase of at least 8 characters.
_MIN_PASSPHRASE = 8
# pysnmp's own clock ticks in half seconds; its timeouts end that much late.
_TICK_S = 0.5

# What the agent, or pysnmp on its behalf, says about wrong credentials.
_AUTH_INDICATIONS = (
    "AuthenticationError",
    "AuthenticationFailure",
    "AuthorizationError",
    "DecryptionError",
    "EncryptionError",
    "NoAccessEntry",
    "NoAuthentication",
    "NoEncryption",
    "NoGroupName",
    "UnknownSecurityName",
    "UnknownUserName",
    "UnsupportedAuthProtocol",
    "UnsupportedPrivProtocol",
    "UnsupportedSecurityLevel",
    "WrongDigest",
)

# Held by whoever uses an engine.
ENGINES = threading.RLock()
_engines: dict[tuple[Any, ...], Any] = {}
_loops: dict[int, asyncio.AbstractEventLoop] = {}


# error-indication, error-status, error-index, values: all pysnmp's
Outcome: TypeAlias = "tuple[Any, Any, Any, Any]"


class UsmSession:
    """``bytes_sent`` and ``bytes_received`` stay 0: pysnmp's engine does not count them."""

    def __init__(self, options: SnmpOptions) -> None:
        require_pysnmp()
        self._options = options
        self._user = _user(options)
        self._is_ipv4 = family_of(options.address).name == "AF_INET"
        # Keys are localised per device and cached in the engine: other keys for the same user need another engine.
        self._credentials = (
            options.username,
            options.auth_protocol,
            options.auth_key,
            options.privacy_protocol,
            options.privacy_key,
        )
        self.requests = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def close(self) -> None:
        """The engine stays: the next one with these credentials saves its start and the discovery."""

    def _perform(self, request: Coroutine[Any, Any, Outcome]) -> tuple[int, int, list[tuple[Oid, RawValue] | None]]:
        """error-status, error-index and values."""
        with ENGINES:
            self.requests += 1
            try:
                indication, status, index, varbinds = _loop().run_until_complete(
                    asyncio.wait_for(request, self._options.patience_s + 2 * _TICK_S)
                )
            except (TimeoutError, asyncio.TimeoutError):
                self._forget()
                raise self._no_answer() from None
            except Exception as error:
                # Whatever pysnmp makes of hostile bytes ends here; its texts may quote credentials, so only the type.
                self._forget()
                raise TransportError(
                    "internal", f"SNMP v3 with {self._options.where} failed: {type(error).__name__}"
                ) from None
            if indication:
                # A card that restarted has a new boot count and clock: the next question starts from discovery.
                self._forget()
                raise self._indicated(indication)
        return int(status), int(index), raw_pairs(varbinds)

    async def _target(self, timeout_s: float, retries: int) -> Any:
        target_class = hlapi.UdpTransportTarget if self._is_ipv4 else hlapi.Udp6TransportTarget
        where = (self._options.address, self._options.port)
        return await target_class.create(where, timeout=round(timeout_s, 2), retries=retries)

    def _engine(self) -> Any:
        key = (os.getpid(), *self._credentials)
        engine = _engines.get(key)
        if engine is None:
            engine = _engines[key] = hlapi.SnmpEngine()
        return engine

    def _forget(self) -> None:
        engine = _engines.pop((os.getpid(), *self._credentials), None)
        if engine is not None:
            _close(engine)

    def _indicated(self, indication: Any) -> TransportError:
        where = self._options.where
        name = type(indication).__name__
        if name in _AUTH_INDICATIONS:
            return TransportError("auth", f"{where} refused the SNMP v3 user, its keys or its security level: {name}")
        if isinstance(indication, (errind.RequestTimedOut, errind.NotInTimeWindow)):
            return self._no_answer()
        if name == "TooBig":
            return status_error(self._options, 1, 0, [])
        return TransportError("transfer", f"SNMP v3 with {where} failed: {name}")

    def _no_answer(self) -> TransportError:
        return no_answer(self._options)


class UsmClient(UsmSession):
    def exchange(self, oids: Sequence[Oid]) -> list[tuple[Oid, RawValue] | None]:
        status, index, pairs = self._perform(self._ask(oids))
        if status:
            raise status_error(self._options, status, index, [tuple(oid) for oid in oids])
        if len(pairs) != len(oids):
            raise no_answer(self._options)
        return pairs

    async def _ask(self, oids: Sequence[Oid]) -> Outcome:
        target = await self._target(self._options.timeout_s, self._options.retries)
        asked = [hlapi.ObjectType(hlapi.ObjectIdentity(tuple(oid))) for oid in oids]
        answer: Outcome = await hlapi.next_cmd(
            self._engine(), self._user, target, hlapi.ContextData(), *asked, lookupMib=False
        )
        return answer


def _user(options: SnmpOptions) -> Any:
    if not options.username:
        raise TransportError("unsupported", "SNMP v3 needs a user name")
    auth = _protocol(AUTH_PROTOCOLS, options.auth_protocol, options.auth_key, "authentication")
    privacy = _protocol(PRIVACY_PROTOCOLS, options.privacy_protocol, options.privacy_key, "privacy")
    if privacy is not None and auth is None:
        raise TransportError("unsupported", "SNMP v3 has no privacy without authentication")
    if privacy is not None and CRYPTOGRAPHY_MISSING:
        # Without it pysnmp sends on and the agent answers "decryption error", which misleads.
        raise TransportError(
            "unsupported",
            "SNMP v3 privacy needs the Python package cryptography on the controller: install cryptography",
        )
    arguments: dict[str, Any] = {}
    if auth is not None:
        arguments.update(authKey=options.auth_key, authProtocol=auth)
    if privacy is not None:
        arguments.update(privKey=options.privacy_key, privProtocol=privacy)
    return hlapi.UsmUserData(options.username, **arguments)


def _protocol(known: dict[str, str], protocol: str | None, key: str | None, what: str) -> Any:
    if not protocol and not key:
        return None
    if not protocol or not key:
        raise TransportError("unsupported", f"SNMP v3 {what} needs both a protocol and a key")
    if protocol not in known:
        raise TransportError("unsupported", f"SNMP v3 {what} protocol {protocol!r} is not one of {', '.join(known)}")
    if len(key) < _MIN_PASSPHRASE:
        raise TransportError("unsupported", f"the SNMP v3 {what} key has fewer than {_MIN_PASSPHRASE} characters")
    return getattr(hlapi, known[protocol])


def _close(engine: Any) -> None:
    try:
        engine.close_dispatcher()
        # The transport closes in the loop's next turn, not at once.
        _loop().run_until_complete(asyncio.sleep(0))
    except Exception:
        # Nothing is asked of this engine again; a failing farewell must not hide the error that led here.
        pass


def _loop() -> asyncio.AbstractEventLoop:
    """Ours, and this process's: a loop must not be shared with the process that forked us."""
    pid = os.getpid()
    loop = _loops.get(pid)
    if loop is None or loop.is_closed():
        loop = _loops[pid] = asyncio.new_event_loop()
    return loop
