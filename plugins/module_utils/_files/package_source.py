# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads a firmware package from wherever it is.

A folder, single files, a .zip, the vendor's self-extracting .exe, or a http(s) URL of one of these files. All ends in
memory: what was hashed is what will be sent, whatever happens to the files meanwhile.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import (
    FirmwareFile,
    FirmwarePackage,
    PackageError,
    parse_name,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._files.opened import open_regular
from ansible_collections.dcops.apc.plugins.module_utils._files.package_archive import (
    Contents,
    Limits,
    read_archive,
)
from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import (
    Progress,
    download,
    is_url,
    redact_url,
    url_file_name,
)

__all__ = ["Limits", "LoadedPackage", "PackageError", "load", "redact_url"]

_BINS = "bins"  # newer packages of the vendor keep the files there


@dataclass(frozen=True)
class LoadedPackage:
    package: FirmwarePackage
    contents: Mapping[str, bytes]
    source: str


def load(
    src: str | None = None,
    files: Sequence[str] | None = None,
    *,
    staging_dir: str | None = None,
    limits: Limits | None = None,
    timeout_s: float = 120.0,
    progress: Progress | None = None,
) -> LoadedPackage:
    """Reads the package; raises PackageError. ``staging_dir`` is where a download passes through (never unpacked)."""
    contents = Contents(limits or Limits())
    if bool(src) == bool(files):
        raise PackageError("Give either src or files.")
    if files:
        source = ", ".join(harmless(name, 120) for name in files)
        _from_files(files, contents)
    elif src and is_url(src):
        source = redact_url(src)
        with download(
            src,
            staging_dir=staging_dir,
            max_bytes=contents.limits.max_bytes,
            timeout_s=timeout_s,
            progress=progress,
        ) as stream:
            _from_stream(stream, url_file_name(src), source, contents)
    else:
        path = os.path.expanduser(src or "")
        source = harmless(path, 300)
        if os.path.isdir(path):
            _from_folder(path, contents, top=True)
        else:
            with open_regular(path) as stream:
                _from_stream(stream, os.path.basename(path), source, contents)
    return _loaded(contents, source)


def _loaded(contents: Contents, source: str) -> LoadedPackage:
    modules = []
    for name, data in sorted(contents.files.items()):
        parsed = parse_name(name)
        if parsed is not None:
            modules.append(FirmwareFile.of(parsed, len(data), hashlib.sha256(data).hexdigest()))
    if not modules:
        beside = f" It holds: {', '.join(contents.ignored[:10])}." if contents.ignored else ""
        raise PackageError(f"There is no firmware file (apc_hw02_aos_392.bin or alike) in {source}.{beside}")
    order = {"bootmon": 0, "aos": 1, "app": 2}  # the order in which a card takes them
    modules.sort(key=lambda module: (order[module.kind], module.file))
    package = FirmwarePackage(tuple(modules), source, tuple(contents.ignored))
    return LoadedPackage(package, MappingProxyType(contents.files), source)


def _from_files(files: Sequence[str], contents: Contents) -> None:
    if len(files) > contents.limits.max_members:
        raise PackageError(f"{len(files)} files were given; a package has two or three.")
    for given in files:
        path = os.path.expanduser(given)
        name = os.path.basename(path)
        if parse_name(name) is None:
            raise PackageError(f"{harmless(path, 120)} is not named like a firmware file (apc_hw02_aos_392.bin).")
        with open_regular(path) as stream:
            contents.add(name, _read(stream, contents))


def _from_folder(folder: str, contents: Contents, top: bool) -> None:
    try:
        names = sorted(os.listdir(folder))
    except OSError as exc:
        raise PackageError(f"{harmless(folder, 120)} cannot be read: {exc.strerror}.") from None
    if len(names) > contents.limits.max_members:
        raise PackageError(
            f"{harmless(folder, 120)} has {len(names)} entries, more than {contents.limits.max_members}: "
            "give the package a folder of its own."
        )
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            if top and name.lower() == _BINS:
                _from_folder(path, contents, top=False)
        elif parse_name(name) is None:
            contents.ignore(name)
        else:
            with open_regular(path) as stream:
                contents.add(name, _read(stream, contents))


def _from_stream(stream: IO[bytes], name: str, shown: str, contents: Contents) -> None:
    if parse_name(name) is not None:
        contents.add(name, _read(stream, contents))
    else:
        read_archive(stream, shown, contents)


def _read(stream: IO[bytes], contents: Contents) -> bytes:
    try:
        data = stream.read(contents.left + 1)
    except OSError as exc:
        raise PackageError(f"The package cannot be read: {exc.strerror}.") from None
    if len(data) > contents.left:
        raise contents.too_big()
    return data
