# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads a UPS firmware file from a path or a URL into memory: what was hashed is what will be sent."""

from __future__ import annotations

import hashlib
import os
from typing import IO

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import (
    UpdateFile,
    parse_update_name,
    problem_of_content,
)
from ansible_collections.dcops.apc.plugins.module_utils._files.opened import open_regular
from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import (
    download,
    is_url,
    redact_url,
    url_file_name,
)

# Known files are some hundred kilobytes.
MAX_BYTES = 16 << 20
URL_TIMEOUT_S = 120.0


def load_update_file(src: str) -> tuple[UpdateFile, bytes]:
    """Raises PackageError; the name is judged before anything is read."""
    if is_url(src):
        name = url_file_name(src)
        parse_update_name(name)
        with download(src, staging_dir=None, max_bytes=MAX_BYTES, timeout_s=URL_TIMEOUT_S, progress=None) as stream:
            return _loaded(name, stream, redact_url(src))
    path = os.path.expanduser(src)
    parse_update_name(os.path.basename(path))
    with open_regular(path) as stream:
        _refuse_other_name(path)
        return _loaded(os.path.basename(path), stream, harmless(path, 300))


def _refuse_other_name(path: str) -> None:
    """A link whose own name is right may lead to the file of another ID or version."""
    called, real = os.path.basename(path), os.path.basename(os.path.realpath(path))
    try:
        other = parse_update_name(real)
    except PackageError:
        # A store that names its files by their contents says nothing against it.
        return
    if other != parse_update_name(called):
        raise PackageError(f"{harmless(path, 300)} is a link to {real}: another file than its name says.")


def _loaded(name: str, stream: IO[bytes], shown: str) -> tuple[UpdateFile, bytes]:
    try:
        data = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise PackageError(f"{shown} cannot be read: {exc.strerror}.") from None
    if not data or len(data) > MAX_BYTES:
        raise PackageError(f"{shown} is {'empty' if not data else 'larger than any UPS firmware file'}.")
    problem = problem_of_content(data)
    if problem:
        raise PackageError(f"{shown} {problem}.")
    series, number, version = parse_update_name(name)
    return UpdateFile(name, series, number, version, len(data), hashlib.sha256(data).hexdigest()), data
