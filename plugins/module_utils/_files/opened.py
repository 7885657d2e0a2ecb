# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of this machine, opened to be read: firmware, and what lies in a state folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless


class NotRegular(OSError):
    """There is something under the name, and no file: a pipe would be waited for, and never end."""


def regular(path: Path | str, follow: bool = True) -> int:
    """A descriptor of a regular file; never blocks on a pipe or a device. Raises OSError, NotRegular, ValueError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise NotRegular(exc.errno, "it is a symbolic link, which is not followed") from None
        if exc.errno in (errno.ENXIO, errno.ENODEV):
            # A socket, or a device that nobody drives.
            raise NotRegular(exc.errno, "it is not a regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "it is not a regular file")
    return descriptor


def read_up_to(path: Path | str, most: int, follow: bool = True) -> bytes:
    """At most one byte more than ``most``: whoever gets that one knows that it is not whole. Raises as ``regular``."""
    with os.fdopen(regular(path, follow), "rb") as stream:
        return stream.read(most + 1)


def open_regular(path: str) -> IO[bytes]:
    """A firmware file. Raises PackageError."""
    shown = harmless(path, 300)
    try:
        return os.fdopen(regular(path), "rb")
    except NotRegular:
        raise PackageError(f"{shown} is not a file.") from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a usable path"
        raise PackageError(f"{shown} cannot be read: {reason}.") from None
