# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Made-up firmware files. The vendor's layout is unknown (NMC.md [?]); ours keeps its rules: a name that says hardware,
type and version, a header that says the same, and a CRC over the body. An app carries the controller revision that it
will download into the ATS controller.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MAGIC = b"APCSIMFW"
_HEAD = struct.Struct("<8s8s16s16s16sII")  # magic, hardware, type, version, controller, body length, body CRC
_NAME = re.compile(r"^(?:apc_(hw\d\d)_([a-z][a-z0-9]*)_([\d.]+[a-z]?)|([a-z]+?)(\d+[a-z]?))\.bin$", re.I)
DEFAULT_SIZE = 48 * 1024


class BadModule(Exception):
    """``result`` is what the card's last-transfer object then reads: 7 type unknown, 8 corrupt (NMC.md)."""

    def __init__(self, message: str, result: int = 8) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True)
class Module:
    hardware: str
    kind: str
    version: str
    controller: str  # "" for anything but an app


def dotted(version: str) -> str:
    """392 -> 3.9.2, 669b -> 6.6.9.b; what has dots stays."""
    if "." in version:
        return version
    return ".".join(version)


@lru_cache(maxsize=256)
def rank(version: str) -> tuple[int, ...]:
    """For "older than": numbers by position, a letter behind them."""
    return tuple(int(part) if part.isdigit() else ord(part[0]) for part in re.findall(r"\d+|[a-z]", version.lower()))


def module_name(hardware: str, kind: str, version: str) -> str:
    """NMC3 keeps the dots in the file name; the oldest cards have no hardware prefix (NMC.md)."""
    plain = dotted(version)
    if not hardware:
        return f"{kind}{plain.replace('.', '')}.bin"
    digits = plain if hardware >= "hw21" else plain.replace(".", "")
    return f"apc_{hardware}_{kind}_{digits}.bin"


def build_module(hardware: str, kind: str, version: str, controller: str = "", size: int = DEFAULT_SIZE) -> bytes:
    """Always the same bytes for the same arguments."""
    version = dotted(version)
    body = random.Random(f"{hardware} {kind} {version} {controller}").randbytes(max(1, size - _HEAD.size))
    head = (part.encode() for part in (hardware, kind, version, controller))
    return _HEAD.pack(MAGIC, *head, len(body), zlib.crc32(body)) + body


def parse_module(name: str, data: bytes) -> Module:
    """What the card's check finds; raises BadModule."""
    named = _NAME.match(name)
    if not named:
        raise BadModule(f"not a firmware file name: {name}", 7)
    if len(data) < _HEAD.size:
        raise BadModule("no header")
    magic, *texts, length, crc = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise BadModule("not a firmware header")
    hardware, kind, version, controller = (text.rstrip(b"\0").decode("ascii", "replace") for text in texts)
    body = data[_HEAD.size :]
    if len(body) != length or zlib.crc32(body) != crc:
        raise BadModule("bad checksum")
    if module_name(hardware, kind, version).lower() != name.lower():
        raise BadModule(f"the header says {module_name(hardware, kind, version)}")
    return Module(hardware, kind, version, controller)


def make_package(
    dest: str | Path,
    hardware: str = "hw02",
    aos: str = "392",
    app: str = "g2ats:392",
    controller: str = "3.0.7",
    size: int = DEFAULT_SIZE,
) -> list[Path]:
    """Writes the pair of files into ``dest``; the AOS first. ``app`` is token:version."""
    folder = Path(dest)
    folder.mkdir(parents=True, exist_ok=True)
    token, _unused, app_version = app.partition(":")
    if not token or not app_version:
        raise ValueError(f"app is token:version, such as g2ats:392, not {app!r}")
    paths = []
    for kind, version, revision in (("aos", aos, ""), (token, app_version, controller)):
        path = folder / module_name(hardware, kind, version)
        path.write_bytes(build_module(hardware, kind, version, revision, size))
        paths.append(path)
    return paths
