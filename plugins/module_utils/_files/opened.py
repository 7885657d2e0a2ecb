# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firmware files of this machine, opened to be read."""

from __future__ import annotations

import os
import stat
from typing import IO

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless


def open_regular(path: str) -> IO[bytes]:
    """A regular file; never blocks on a pipe or a device. Raises PackageError."""
    shown = harmless(path, 300)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a usable path"
        raise PackageError(f"{shown} cannot be read: {reason}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PackageError(f"{shown} is not a file.")
    return os.fdopen(descriptor, "rb")
