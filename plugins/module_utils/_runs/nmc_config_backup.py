# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module nmc_config_backup."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.config_ini import plausible, same_settings
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs._card_login import CardLogins
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import ACCOUNT, HOST, ArgumentSpec, OptionError
from ansible_collections.dcops.apc.plugins.module_utils._transport.address import resolve_and_pin

SPEC = HOST.merge(
    ACCOUNT,
    ArgumentSpec(
        {
            "dest": {"type": "path", "required": True},
            "name": {"type": "str", "default": "config.ini"},
        }
    ),
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT
MAX_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.ini", re.ASCII)


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Fetches the card's settings; writes them only where they differ from what is there. Never shows them."""
    if _NAME.fullmatch(params["name"]) is None:
        raise OptionError("name must be the plain name of an .ini file on the card, such as config.ini.")
    dest = Path(params["dest"]).expanduser()
    _usable(dest)
    address = resolve_and_pin(params["host"])
    warnings: list[str] = []
    logins = CardLogins(params, address, warnings.append, not check_mode)
    login = logins(lambda: None)
    try:
        data = login.fetch(params["name"], MAX_BYTES)
    finally:
        login.close()
    if not plausible(data):
        raise Stop("transfer", f"what {params['host']} sent as {params['name']} does not look like a card's settings")
    before = _before(dest)
    differs = before is None or not same_settings(before, data)
    loose = before is not None and stat.S_IMODE(dest.stat().st_mode) & 0o077 != 0
    if (differs or loose) and not check_mode:
        write_private(dest, data if differs else before or data)
    result = {"changed": differs or loose, "dest": str(dest), "size": len(data), "protocol": logins.protocol}
    return {**result, **({"warnings": warnings} if warnings else {})}


def _usable(dest: Path) -> None:
    """Asked before anybody logs in."""
    if dest.is_dir():
        raise OptionError(f"dest {dest} is a folder: name the file.")
    if not dest.parent.is_dir():
        raise OptionError(f"the folder {dest.parent} of dest is not there.")
    if dest.is_symlink():
        raise OptionError(f"dest {dest} is a symbolic link, which is not followed.")


def _before(dest: Path) -> bytes | None:
    try:
        return dest.read_bytes()[: MAX_BYTES + 1]
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise Stop("state", f"{dest} cannot be read: {exc.strerror}") from exc


def write_private(dest: Path, data: bytes) -> None:
    """0600 from the first byte on, and whole or not at all."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=dest.parent, prefix=f".{dest.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, dest)
        temporary = ""
    except OSError as exc:
        raise Stop("state", f"{dest} cannot be written: {exc.strerror}") from exc
    finally:
        # Whatever ended it, also a signal: nothing half-written stays behind with what is secret in it.
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
