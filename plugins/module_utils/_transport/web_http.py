# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange with a card at a time, bounded in time and size, and somebody else's work done while waiting.

The exchange is a thread, which ends with its deadline: see web_socket.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import one_line
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_options import WebOptions
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_socket import (
    HAS_REQUESTS,
    Guard,
    allow_unverified,
    guarded_adapter,
)

if HAS_REQUESTS:
    import requests

__all__ = ["MAX_BODY", "Browser", "Idle", "Reply", "WebOptions"]

MAX_BODY = 262144
_MAX_HEAD = 65536
_SLICE_S = 0.25
# How long a login that is under way is waited for when the work beside it fails: its answer names what to log out of.
_FINISH_S = 5.0
_WIND_DOWN_S = 1.0

Idle = Callable[[], None]


@dataclass
class Reply:
    """What has come so far: the head counts also when the body then breaks off. ``status`` 0: no head yet."""

    status: int = 0
    location: str = ""
    challenge: str = ""
    body: bytes = b""

    @property
    def redirects(self) -> bool:
        return self.status in (301, 302, 303, 307, 308) and bool(self.location)


class Browser:
    """One login's cookies, and nothing of the environment."""

    def __init__(self, options: WebOptions, idle: Idle) -> None:
        if not HAS_REQUESTS:
            raise TransportError("unsupported", "the web login needs the Python package requests: pip install requests")
        if options.verify is False:
            allow_unverified()
        elif isinstance(options.verify, str) and not os.path.exists(options.verify):
            raise TransportError("unsupported", f"there is no CA file {options.verify[:200]!r}")
        self.options = options
        self.idle = idle
        self._cookies = requests.cookies.RequestsCookieJar()

    def _session(self, guard: Guard) -> requests.Session:
        """Of one exchange: one that was given up can neither hinder the next nor be revived by it."""
        session = requests.Session()
        session.trust_env = False
        session.cookies = self._cookies
        session.adapters.clear()
        name = self.options.name if self.options.scheme == "https" else None
        session.mount(f"{self.options.scheme}://", guarded_adapter(guard, name))
        return session

    def exchange(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        form: list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        opens_session: bool = False,
        reply: Reply | None = None,
    ) -> Reply:
        """Raises TransportError, and what ``idle`` raises. ``reply`` then holds what came before."""
        reply = Reply() if reply is None else reply
        left = deadline - time.monotonic()
        if left <= 0:
            raise TransportError("timeout", f"{self.options.where} did not answer in time (web)")
        guard = Guard(deadline, MAX_BODY + _MAX_HEAD)
        url = self.options.base + path
        job = _Job(self._session(guard), guard, method, url, form, self._headers(headers), self.options.verify, reply)
        job.start()
        try:
            while not job.done.wait(max(0.0, min(_SLICE_S, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    break
                self.idle()
        except BaseException:
            if opens_session:
                job.done.wait(max(0.0, min(_FINISH_S, deadline - time.monotonic())))
            raise
        finally:
            if not job.done.is_set():
                guard.cancel()
                job.done.wait(_WIND_DOWN_S)
        error = job.error if job.done.is_set() else TimeoutError()
        if error is not None:
            raise self._explained(error, guard) from None
        return reply

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        # identity: what is compressed could expand without a bound. One exchange per connection: a card has few.
        fixed = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "dcops.apc"}
        if self.options.name:
            name = self.options.name
            default = 443 if self.options.scheme == "https" else 80
            fixed["Host"] = name if self.options.port == default else f"{name}:{self.options.port}"
        return {**fixed, **(more or {})}

    def _explained(self, error: BaseException, guard: Guard) -> TransportError:
        where = self.options.where
        if isinstance(error, TransportError):
            return error
        if guard.too_much:
            return TransportError("transfer", f"{where} sent a page of more than {MAX_BODY // 1024} kB: no card's page")
        causes = _causes(error)
        untrusted = next((words for words in map(_untrusted, causes) if words), "")
        if untrusted:
            return TransportError(
                "auth",
                f"the TLS certificate of {where} is not trusted ({untrusted}): give the file of the CA that signed it, "
                "or of the certificate itself, or switch the verification off for this card",
            )
        if guard.late or any(isinstance(cause, TimeoutError) for cause in causes):
            return TransportError("timeout", f"{where} did not answer in time (web)")
        if any(isinstance(cause, requests.exceptions.Timeout) for cause in causes):
            return TransportError("timeout", f"{where} did not answer in time (web)")
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return TransportError(
                "transfer",
                f"the TLS handshake with {where} failed: it may speak http on this port, "
                "or only versions of TLS that are refused here",
            )
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return TransportError(
                "transfer", f"{where} refused the web connection: it is off, another port, or the card is starting"
            )
        words = [os.strerror(cause.errno) for cause in causes if isinstance(cause, OSError) and cause.errno]
        if words:
            return TransportError("transfer", f"the web connection to {where} failed: {words[0]}")
        return TransportError("transfer", f"{where} broke off its web answer, or it makes no sense")

    def same_place(self, path: str, target: str) -> str | None:
        """The path (with query) that ``target``, found on the page ``path``, leads to: on this card, or None."""
        try:
            parts = urlsplit(urljoin(self.options.base + path, target.strip()))
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            return None
        hosts = {self.options.address.lower(), (self.options.name or self.options.address).lower()}
        if (parts.scheme, port) != (self.options.scheme, self.options.port) or (parts.hostname or "") not in hosts:
            return None
        found = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        plain = found.startswith("/") and not found.startswith("//") and len(found) <= 1024
        return found if plain and all("!" <= char <= "~" for char in found) else None


class _Job(threading.Thread):
    def __init__(
        self,
        session: requests.Session,
        guard: Guard,
        method: str,
        url: str,
        form: list[tuple[str, str]] | None,
        headers: dict[str, str],
        verify: bool | str,
        reply: Reply,
    ) -> None:
        super().__init__(name="web exchange", daemon=True)
        self.done = threading.Event()
        self.error: BaseException | None = None
        self._session, self._guard, self._reply = session, guard, reply
        self._request = (method, url, form, headers)
        self._verify = verify

    def run(self) -> None:
        try:
            self._fetch()
        except BaseException as error:  # a thread must not end without a word
            self.error = error
        finally:
            self._session.close()
            self.done.set()

    def _fetch(self) -> None:
        method, url, form, headers = self._request
        session = self._session
        prepared = session.prepare_request(requests.Request(method, url, data=form, headers=headers))
        # By the adapter: Session.send() reads, and decompresses, the body of a redirect even if it is not to follow it.
        response = session.get_adapter(url).send(
            prepared, stream=True, timeout=self._guard.time_left(), verify=self._verify, proxies={}
        )
        with response:
            requests.cookies.extract_cookies_to_jar(session.cookies, prepared, response.raw)  # type: ignore[no-untyped-call]
            reply = self._reply
            reply.location = response.headers.get("Location", "")[:2048]
            reply.challenge = response.headers.get("WWW-Authenticate", "")[:512]
            reply.status = response.status_code
            if reply.redirects:
                return  # where to was all that it says
            if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                raise TransportError("transfer", "the card's page comes compressed, which was not asked for")
            parts, size = [], 0
            for part in response.raw.stream(16384, decode_content=False):
                size += len(part)
                if size > MAX_BODY:
                    raise self._guard.overflow()
                parts.append(part)
            declared = response.headers.get("Content-Length", "").strip()
            # urllib3 sees to it itself from version 2 on. Where both are given, the chunks count.
            counts = declared.isascii() and declared.isdigit() and "Transfer-Encoding" not in response.headers
            if counts and declared.lstrip("0") != str(size).lstrip("0"):
                raise ConnectionAbortedError("the page ended early")
            reply.body = b"".join(parts)


def _untrusted(cause: BaseException) -> str:
    """Why a certificate was not accepted; "" for any other error."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return one_line(str(cause.verify_message), 160) or "unknown reason"
    # urllib3's own, where it compares the names itself
    return "it is for another name" if type(cause).__name__ == "CertificateError" else ""


def _causes(error: BaseException) -> list[BaseException]:
    queue: list[Any] = [error]
    found: list[BaseException] = []
    while queue and len(found) < 50:
        item = queue.pop(0)
        if isinstance(item, BaseException) and all(item is not other for other in found):
            found.append(item)
            queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found
