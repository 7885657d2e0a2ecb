# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""UPS firmware files, made up: the vendor's layout is unknown. Ours keeps the rule of the name,
``<SERIES><ID>UPS_<major>-<minor>.enc``, a header that says the same, and a CRC. An update may change the ID.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"APCSIMUF"
_HEAD = struct.Struct("<8s8sIIIIII")  # magic, series, ID, major, minor, new ID, body length, body CRC
NAME = re.compile(r"^([A-Z]+?)(\d+)UPS_(\d+)-(\d+)\.enc$", re.I)
DEFAULT_SIZE = 512 * 1024  # [?] chosen; tests of large ones take 2 MiB


class BadUpsFile(Exception):
    """The UPS will not take it."""


@dataclass(frozen=True)
class UpsFile:
    series: str
    id: int
    version: tuple[int, int]
    new_id: int

    @property
    def firmware(self) -> str:
        """As the UPS then reports itself."""
        return f"UPS {self.version[0]:02d}.{self.version[1]} (ID{self.new_id})"


def version_pair(version: str) -> tuple[int, int]:
    """9.3, 09.3 or 9-3 -> (9, 3)"""
    parts = re.fullmatch(r"(\d+)[.-](\d+)", version.strip())
    if not parts:
        raise ValueError(f"a UPS firmware version is major.minor, not {version!r}")
    return int(parts.group(1)), int(parts.group(2))


def ups_file_name(series: str, id: int, version: str) -> str:
    """SMT, 18, 9.3 -> SMT18UPS_09-3.enc"""
    major, minor = version_pair(version)
    return f"{series}{id}UPS_{major:02d}-{minor}.enc"


def build_ups_file(series: str, id: int, version: str, new_id: int | None = None, size: int = DEFAULT_SIZE) -> bytes:
    """Always the same bytes for the same arguments."""
    major, minor = version_pair(version)
    after = id if new_id is None else new_id
    body = random.Random(f"{series} {id} {major}.{minor} {after}").randbytes(max(1, size - _HEAD.size))
    head = _HEAD.pack(MAGIC, series.encode(), id, major, minor, after, len(body), zlib.crc32(body))
    return head + body


def parse_ups_file(data: bytes) -> UpsFile:
    """What the UPS finds in it; raises BadUpsFile."""
    if len(data) < _HEAD.size:
        raise BadUpsFile("no header")
    magic, series, ident, major, minor, after, length, crc = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise BadUpsFile("not a UPS firmware header")
    body = data[_HEAD.size :]
    if len(body) != length or zlib.crc32(body) != crc:
        raise BadUpsFile("bad checksum")
    return UpsFile(series.rstrip(b"\0").decode("ascii", "replace"), ident, (major, minor), after)


def make_ups_file(
    dest: str | Path, series: str, id: int, version: str, new_id: int | None = None, size: int = DEFAULT_SIZE
) -> Path:
    """Writes the file into ``dest`` under its proper name."""
    folder = Path(dest)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ups_file_name(series, id, version)
    path.write_bytes(build_ups_file(series, id, version, new_id, size))
    return path
