# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an SSH host key is the card's: a known_hosts file (OpenSSH's format), or a fingerprint given by the operator.

Cards are looked up by address, and by the name that led to it, always *and* by port: behind one address there may be
several, each with its own key. What is remembered is remembered by the address.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import fnmatch
import hashlib
import hmac
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._transport.address import shown
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

MAX_FILE = 4 << 20
LOCK_S = 10.0
_LOCK_SLICE_S = 0.05
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?", re.ASCII)


@dataclass(frozen=True)
class HostKey:
    algorithm: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii").rstrip("=")


@dataclass(frozen=True)
class Known:
    """What the file says of one address or name, and port."""

    keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()


def check_fingerprint(text: str) -> str:
    """Without padding. Raises TransportError."""
    if _FINGERPRINT.fullmatch(text.strip()) is None:
        raise TransportError(
            "unsupported", f"{text[:80]!r} is not a host key's fingerprint: SHA256: and 43 characters are expected"
        )
    return text.strip().rstrip("=")


def read_known(path: str, address: str, port: int, host: str = "") -> Known:
    """A file that is not there knows nothing. Raises TransportError."""
    return _select(_read(path), address, port, host)


def judge(key: HostKey, where: str, known: Known, pinned: str | None) -> bool:
    """True: the key is the card's; False: nobody knows any key of this card. Raises TransportError otherwise."""
    seen = f"{key.algorithm} {key.fingerprint}"
    # By the key itself: the same one goes by several names of algorithms (ssh-rsa, rsa-sha2-512).
    if any(key.blob == other.blob for other in known.revoked):
        raise TransportError("auth", f"{where} shows a host key that known_hosts marks as revoked: {seen}")
    if pinned is not None:
        if hmac.compare_digest(pinned, key.fingerprint):
            return True
        raise TransportError(
            "auth",
            f"WARNING: {where} shows another host key than the one given. It shows {seen}, given was {pinned}. "
            "Another unit answers there, somebody is in between, or the key of the card was replaced. No password "
            "was sent.",
        )
    if key in known.keys:
        return True
    if known.keys:
        stored = ", ".join(sorted({f"{other.algorithm} {other.fingerprint}" for other in known.keys})[:4])
        raise TransportError(
            "auth",
            f"WARNING: THE HOST KEY OF {where} HAS CHANGED. It shows {seen}, known_hosts has {stored}. Another unit "
            "answers there, somebody is in between, or the key of the card was replaced. No password was sent. If you "
            "know why it changed, remove the old line from known_hosts.",
        )
    return False


def unknown(key: HostKey, where: str) -> TransportError:
    return TransportError(
        "auth",
        f"the host key of {where} is not known: {key.algorithm} {key.fingerprint}. No password was sent. Compare the "
        "fingerprint with the card's own; then give it as the host key, add the key to known_hosts, or allow the key "
        "to be accepted at first use.",
    )


def remember(path: str, address: str, port: int, key: HostKey, idle: Callable[[], None], host: str = "") -> None:
    """Adds the key of a card that the file knows nothing of; whole or not at all, mode 0600. Raises TransportError.

    Many units are read at once, each by a process of its own: without the lock one would drop another's line.
    """
    target = os.path.realpath(os.path.expanduser(path))
    folder = os.path.dirname(target)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with _locked(folder, path, idle):
            text = _read(target)
            if judge(key, shown(address, port), _select(text, address, port, host), None):
                return
            end = "" if not text or text.endswith("\n") else "\n"
            line = f"{_names(address, port)[0]} {key.algorithm} {base64.b64encode(key.blob).decode('ascii')}\n"
            _replace(target, folder, (text + end + line).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise TransportError(
            "internal", f"the host key cannot be written into {path}: {error.strerror or type(error).__name__}"
        ) from None


@contextlib.contextmanager
def _locked(folder: str, path: str, idle: Callable[[], None]) -> Iterator[None]:
    """On the folder itself: the file is replaced, and a lock file would stay behind."""
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    end = time.monotonic() + LOCK_S
    try:
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TransportError("internal", f"{path} stayed locked by another process") from None
                time.sleep(_LOCK_SLICE_S)
                idle()
        yield
    finally:
        os.close(number)


def _replace(target: str, folder: str, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".known_hosts.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise TransportError("internal", f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > MAX_FILE:
        raise TransportError("internal", f"{path} is larger than {MAX_FILE} bytes")
    return data.decode("utf-8", "surrogateescape")


def _names(address: str, port: int) -> tuple[str, ...]:
    bracketed = f"[{address}]:{port}"
    return (address, bracketed) if port == 22 else (bracketed,)


def _select(text: str, address: str, port: int, host: str) -> Known:
    """Lines that make no sense are skipped, as ssh does."""
    names = _names(address.lower(), port)
    if host.strip():
        names += _names(host.strip().removeprefix("[").removesuffix("]").lower(), port)
    keys: list[HostKey] = []
    revoked: list[HostKey] = []
    for line in text.splitlines():
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        # Certificates are not accepted, so neither is their authority a key of the card.
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", "@revoked"):
            continue
        if _matches(fields[0], names):
            with contextlib.suppress(binascii.Error, ValueError):
                key = HostKey(fields[1], base64.b64decode(fields[2], validate=True))
                (revoked if marker else keys).append(key)
    return Known(tuple(keys), tuple(revoked))


def _matches(patterns: str, names: tuple[str, ...]) -> bool:
    if patterns.startswith("|1|"):
        return any(_hashed(patterns, name) for name in names)
    found = False
    for pattern in patterns.lower().split(","):
        negated = pattern.startswith("!")
        # Only * and ? are wild; the brackets are those of [address]:port.
        wild = pattern.removeprefix("!").replace("[", "[[]")
        if any(fnmatch.fnmatchcase(name, wild) for name in names):
            if negated:
                return False
            found = True
    return found


def _hashed(pattern: str, name: str) -> bool:
    with contextlib.suppress(binascii.Error, ValueError):
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern[3:].split("|"))
        return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
    return False
