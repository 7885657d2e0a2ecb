# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports on a web server that takes PUT, and reading one from there or from a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import is_url, redact_url
from ansible_collections.dcops.apc.plugins.module_utils._files.report_folder import read_file
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.one_answer import one_answer_session

try:
    import requests
except ImportError:  # named when a URL is given; everything else works without it
    HAS_REQUESTS = False
else:
    HAS_REQUESTS = True

T = TypeVar("T")
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Web:
    username: str | None = None
    password: str | None = None
    validate_certs: bool = True
    timeout_s: float = 30.0

    @property
    def auth(self) -> tuple[str, str] | None:
        return (self.username, self.password or "") if self.username else None


def url_problem(url: str) -> str:
    """Why a URL is refused. Never repeats it: what is wrong with it may be a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable:
        return "is no http or https URL"
    if "@" in url:
        return "holds a user or a password: use url_username and url_password"
    return "must not have a query or a fragment" if "?" in url or "#" in url else ""


def put_files(folder_url: str, files: Mapping[str, bytes], web: Web) -> dict[str, str]:
    """PUTs one file after the other. Returns name -> URL."""
    _need_requests()
    base = folder_url.rstrip("/")
    arrived: list[str] = []
    for name, content in files.items():
        url = f"{base}/{quote(name)}"
        try:
            status = within(web.timeout_s, partial(_put, url, content, web))
            _refuse(status)
        except TransportError as exc:
            so_far = f"arrived before: {', '.join(arrived)}" if arrived else "no file arrived before"
            raise TransportError(exc.kind, f"{url} was not stored: {exc.message} ({so_far}).") from None
        arrived.append(name)
    return {name: f"{base}/{quote(name)}" for name in files}


def _put(url: str, content: bytes, web: Web) -> int:
    # stream: the body of the answer is of no interest, however long it is.
    with (
        one_answer_session() as session,
        session.put(
            url,
            data=content,
            auth=web.auth,
            verify=web.validate_certs,
            allow_redirects=False,
            timeout=web.timeout_s,
            stream=True,
            headers={"Content-Type": "application/octet-stream"},
        ) as response,
    ):
        return int(response.status_code)


def _refuse(status: int) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise TransportError(
            "transfer", f"the server answers {status} and sends us elsewhere, which is refused; give the final URL"
        )
    raise TransportError("auth" if status in (401, 403) else "transfer", f"the server answers {status}")


def read_report(location: str, max_bytes: int, web: Web) -> bytes:
    """A file or a URL, bounded in size; a URL also in time."""
    if not is_url(location):
        return read_file(location, max_bytes)
    _need_requests()
    shown = redact_url(location)
    try:
        return within(web.timeout_s, partial(_get, location, max_bytes, web))
    except TransportError as exc:
        raise TransportError(exc.kind, f"{shown} could not be read: {exc.message}.") from None


def _get(url: str, max_bytes: int, web: Web) -> bytes:
    with (
        one_answer_session() as session,
        session.get(
            url,
            auth=web.auth,
            verify=web.validate_certs,
            allow_redirects=False,
            timeout=web.timeout_s,
            stream=True,
            # A compressed answer could expand without a bound.
            headers={"Accept-Encoding": "identity"},
        ) as response,
    ):
        _refuse(response.status_code)
        content = bytearray()
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            content += chunk
            if len(content) > max_bytes:
                raise TransportError("transfer", f"it is larger than {max_bytes:,} bytes")
        return bytes(content)


def within(timeout_s: float, work: Callable[[], T]) -> T:
    """A socket's timeout starts again with every byte: a server that drips is left behind in a daemon thread."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=run, name="report transfer", daemon=True)
    begun = time.monotonic()
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise TransportError("timeout", f"no complete answer within {time.monotonic() - begun:.0f} s")
    if failed:
        raise _as_transport_error(failed[0])
    return done[0]


def _as_transport_error(exc: BaseException) -> TransportError:
    """In words of our own: the exceptions of requests repeat the URL."""
    if isinstance(exc, TransportError):
        return exc
    if isinstance(exc, requests.exceptions.SSLError):
        return TransportError("transfer", "its TLS certificate is not trusted, or the handshake failed")
    if isinstance(exc, requests.exceptions.Timeout):
        return TransportError("timeout", "no answer in time")
    if isinstance(exc, requests.exceptions.ConnectionError):
        return TransportError("transfer", "no connection, or it broke off")
    return TransportError("transfer", f"the request failed ({type(exc).__name__})")


def _need_requests() -> Any:
    if not HAS_REQUESTS:
        raise TransportError("unsupported", "A URL needs the Python package requests: pip install requests.")


__all__ = ["Web", "put_files", "read_report", "url_problem", "within"]
