# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches a package by http(s), bounded in size and time."""

from __future__ import annotations

import http
import os
import re
import ssl
import tempfile
import threading
import time
from typing import IO, Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._transport.one_answer import one_answer_session

try:
    import requests
except ImportError:  # named when a URL is given; everything else works without it
    HAS_REQUESTS = False
else:
    HAS_REQUESTS = True

_CHUNK = 16 * 1024
_MAX_REDIRECTS = 5
_SOCKET_TIMEOUT_S = 15.0
_REDIRECTS = (301, 302, 303, 307, 308)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Progress(Protocol):
    def say(self, text: str, key: str | None = None) -> None:
        """Shows a line; ``key`` names one that replaces its predecessor."""


def is_url(src: str) -> bool:
    return _URL.match(src) is not None


def redact_url(src: str) -> str:
    """The URL without user, password, query and fragment: any of them may hold a secret. Other texts stay."""
    if not is_url(src):
        return src
    try:
        parts = urlsplit(src)
        host = parts.netloc.rpartition("@")[2]
        shown = urlunsplit((parts.scheme, host, parts.path, "", "")) + ("?…" if parts.query else "")
    except ValueError:
        host = shown = ""
    # An @ further on may end a password that holds a / or ?: then nothing before it can be told from a host.
    if not host or src.count("@") > parts.netloc.count("@"):
        return src.partition("://")[0] + "://…"
    return harmless(shown, 300)


def url_file_name(src: str) -> str:
    """The file name in the URL that was asked for; what the server calls the file is not trusted."""
    return unquote(urlsplit(src).path).rpartition("/")[2]


def download(
    src: str, *, staging_dir: str | None, max_bytes: int, timeout_s: float, progress: Progress | None
) -> IO[bytes]:
    """Fetches into an unnamed temporary file, which is gone as soon as it is closed or the process dies.

    ``timeout_s`` bounds the whole download. A socket's timeout starts again with every byte, so a server that drips,
    even its head, could hold us for days: the work is done in a daemon thread, which is left behind when time is up.
    """
    shown = redact_url(src)
    if not HAS_REQUESTS:
        raise PackageError("A URL as the source needs the Python package requests: pip install requests.")
    job = _Download(src, shown, max_bytes, time.monotonic() + timeout_s, staging_dir)
    thread = threading.Thread(target=job.run, name="package download", daemon=True)
    thread.start()
    while thread.is_alive() and time.monotonic() < job.deadline:
        thread.join(min(0.5, max(0.0, job.deadline - time.monotonic())))
        if progress is not None and job.received:
            progress.say(f"fetching {shown}: {job.received / 1e6:.1f} MB", key="fetch")
    if thread.is_alive():
        job.cancelled.set()
        raise PackageError(f"{shown} was not fetched within {timeout_s:g} s ({job.received} bytes came).")
    if job.error is not None:
        raise job.error
    job.file.seek(0)
    return job.file


class _Download:
    def __init__(self, src: str, shown: str, max_bytes: int, deadline: float, staging_dir: str | None) -> None:
        self.src, self.shown, self.max_bytes, self.deadline = src, shown, max_bytes, deadline
        self.received = 0
        self.error: PackageError | None = None
        self.cancelled = threading.Event()
        try:
            if staging_dir is not None:
                os.makedirs(staging_dir, mode=0o700, exist_ok=True)
            self.file: IO[bytes] = tempfile.TemporaryFile(dir=staging_dir)  # noqa: SIM115
        except OSError as exc:
            raise PackageError(f"No place for the download: {exc.strerror}.") from None

    def run(self) -> None:
        try:
            with one_answer_session() as session:
                self._fetch(session)
        except PackageError as exc:
            self.error = exc
        except Exception as exc:  # a thread must not end without a word
            self.error = PackageError(f"{self.shown} could not be fetched: {_reason(exc)}.")
        finally:
            # Also when nobody waits any more: then nobody else closes it.
            if self.error is not None or self.cancelled.is_set():
                self.file.close()

    def _fetch(self, session: requests.Session) -> None:
        url = self.src
        for _redirect in range(_MAX_REDIRECTS + 1):
            if not _usable(url):
                # The target is the server's text and not shown: it may repeat what it was sent.
                words = "is" if url == self.src else "redirects to what is"
                raise PackageError(f"{self.shown} {words} not a http or https URL.")
            # identity: a compressed answer could expand without a bound, and Content-Length would not fit.
            with session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=_SOCKET_TIMEOUT_S,
                headers={"Accept-Encoding": "identity"},
            ) as response:
                if response.status_code not in _REDIRECTS:
                    self._receive(response)
                    return
                url = self._next(url, response.headers.get("Location"))
        raise PackageError(f"{self.shown} redirects more than {_MAX_REDIRECTS} times.")

    def _next(self, url: str, location: str | None) -> str:
        if not location:
            raise PackageError(f"{self.shown} redirects to nowhere.")
        try:
            target = urljoin(url, location)
            old, new = urlsplit(url), urlsplit(target)
            same = (old.scheme, old.hostname, old.port) == (new.scheme, new.hostname, new.port)
        except ValueError:
            raise PackageError(f"{self.shown} redirects to what is not a http or https URL.") from None
        if old.scheme == "https" and new.scheme == "http":
            raise PackageError(f"{self.shown} redirects from https to http, which nothing would protect.")
        if same and "@" in old.netloc and "@" not in new.netloc:
            # A login belongs to the server it was given for, and goes along only there.
            target = urlunsplit((new.scheme, old.netloc, new.path, new.query, new.fragment))
        return target

    def _receive(self, response: requests.Response) -> None:
        if response.status_code != 200:
            raise PackageError(
                f"{self.shown} could not be fetched: the server answered {_status(response.status_code)}."
            )
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise PackageError(f"{self.shown} comes in an encoding that was not asked for.")
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if re.fullmatch(r"[0-9]{1,18}", declared) else None
        if length is not None and length > self.max_bytes:
            raise self._too_big()
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            if self.cancelled.is_set():
                return
            self.received += len(chunk)
            if self.received > self.max_bytes:
                raise self._too_big()
            self.file.write(chunk)
        if length is not None and self.received != length:
            raise PackageError(f"{self.shown} ended early: {self.received} of {length} bytes.")

    def _too_big(self) -> PackageError:
        return PackageError(f"{self.shown} is larger than {self.max_bytes:,} bytes; that is no firmware package.")


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _status(code: int) -> str:
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _reason(exc: BaseException) -> str:
    """Why it failed, without the exceptions' own texts, which repeat the URL with everything in it."""
    queue: list[Any] = [exc]
    seen: set[int] = set()
    found = ""
    while queue:
        item = queue.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen or len(seen) > 50:
            continue
        seen.add(id(item))
        if isinstance(item, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not trusted ({harmless(item.verify_message, 120)})"
        if isinstance(item, ssl.SSLError):
            return "the TLS handshake failed"
        if isinstance(item, TimeoutError):
            found = found or "no answer in time"
        elif isinstance(item, OSError) and item.strerror:
            found = found or harmless(item.strerror, 120)
        queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    if found:
        return found
    if isinstance(exc, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(exc, requests.exceptions.ConnectionError):
        return "no connection, or it broke off"
    if type(exc).__name__ in ("ProtocolError", "IncompleteRead"):  # urllib3's, when the body breaks off
        return "the connection broke off"
    return f"the answer makes no sense ({type(exc).__name__})"
