# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firmware files out of a .zip or the vendor's self-extracting .exe.

Nothing is unpacked to disk: members are read into memory, bounded, and only those with a firmware file's name. So no
member can be written anywhere, and the bytes that were hashed are the bytes that will be sent.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError, parse_name
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless

_CHUNK = 64 * 1024
# zipfile reads the whole central directory in one call and makes an object of each entry; this bounds both.
_MAX_READ = 1024 * 1024
# Padding compresses well: the ratio speaks only for members that are large.
_RATIO_FROM = 8 * 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Limits:
    """Far above any firmware of these cards (3 MB per file), far below what hurts the controller."""

    max_bytes: int = 64 * 1024 * 1024
    max_members: int = 200
    max_ratio: int = 100


class Contents:
    """Collects firmware files by name, under one bound for all of them together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.files: dict[str, bytes] = {}
        self.ignored: list[str] = []
        self._total = 0

    @property
    def left(self) -> int:
        return self.limits.max_bytes - self._total

    def add(self, name: str, data: bytes) -> None:
        if name in self.files:
            if self.files[name] != data:
                raise PackageError(f"{name} is there twice, with different contents.")
            return
        self._total += len(data)
        if self._total > self.limits.max_bytes:
            raise self.too_big()
        self.files[name] = data

    def ignore(self, name: str) -> None:
        self.ignored.append(harmless(name, 120))

    def too_big(self) -> PackageError:
        return PackageError(
            f"The package holds more than {self.limits.max_bytes:,} bytes of firmware; that is no card's."
        )


class _BoundedReader:
    """What zipfile reads through; refuses reads that only a crafted archive asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size is None or size < 0 or size > _MAX_READ:
            data = self._stream.read(_MAX_READ + 1)
            if len(data) > _MAX_READ:
                raise zipfile.BadZipFile("its directory is too large")
            return data
        return self._stream.read(size)


def firmware_basename(path: str) -> str | None:
    """The file name of a member that is a firmware file in a harmless place, else None.

    Windows tools write backslashes, so both are separators. The path is never used, but an archive that tries to
    escape is not one of the vendor's: such members are left alone.
    """
    parts = re.split(r"[/\\]", path)
    if not parts[0] or ":" in path or ".." in parts:
        return None
    return parts[-1] if parse_name(parts[-1]) is not None else None


def read_archive(stream: IO[bytes], shown: str, contents: Contents) -> None:
    """Adds the firmware files of an archive to ``contents``. ``shown`` names the archive in messages."""
    try:
        with zipfile.ZipFile(_BoundedReader(stream)) as archive:
            _read_members(archive, shown, contents)
    except PackageError:
        raise
    # All that zipfile and zlib are known to raise on damaged input.
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,  # NotImplementedError is one
        ValueError,
        IndexError,
        KeyError,
        OverflowError,
        MemoryError,
    ) as exc:
        raise PackageError(f"{shown} is not a zip archive or is damaged ({harmless(exc, 120)}).") from None


def _read_members(archive: zipfile.ZipFile, shown: str, contents: Contents) -> None:
    members = archive.infolist()
    limits = contents.limits
    if len(members) > limits.max_members:
        raise PackageError(f"{shown} has {len(members)} members, more than {limits.max_members}: no firmware package.")
    for member in members:
        if member.is_dir():
            continue
        name = firmware_basename(member.filename)
        if name is None or _is_special(member):
            contents.ignore(member.filename)
            continue
        contents.add(name, _read_member(archive, member, name, shown, contents))


def _is_special(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    # 0: made on a system without file types.
    return kind not in (0, stat.S_IFREG)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, shown: str, contents: Contents) -> bytes:
    limits = contents.limits
    if member.flag_bits & 0x1:
        raise PackageError(f"{name} in {shown} is encrypted; give an archive without a password.")
    if member.compress_type not in _METHODS:
        raise PackageError(f"{name} in {shown} is compressed by an unusual method; unpack it and give the folder.")
    # The declared size may lie, so what is read is counted as well.
    if member.file_size > contents.left:
        raise contents.too_big()
    if member.file_size > max(_RATIO_FROM, member.compress_size * limits.max_ratio):
        raise PackageError(f"{name} in {shown} expands more than {limits.max_ratio}-fold: no firmware does.")
    data = bytearray()
    with archive.open(member) as source:
        while chunk := source.read(_CHUNK):
            data += chunk
            if len(data) > contents.left:
                raise contents.too_big()
    if len(data) != member.file_size:
        raise PackageError(f"{name} in {shown} is cut short: {len(data)} of {member.file_size} bytes.")
    return bytes(data)
