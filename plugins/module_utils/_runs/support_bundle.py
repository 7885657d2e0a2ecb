# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module support_bundle. It asks no device."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.config_ini import plausible, without_secrets
from ansible_collections.dcops.apc.plugins.module_utils._files.opened import NotRegular, read_up_to
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import to_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._secrets import hidden, hide_in_bytes, secrets_of
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    ArgumentSpec,
    OptionError,
    secrets_in_environment,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs.nmc_config_backup import write_private

SPEC = ArgumentSpec(
    {
        "dest": {"type": "path", "required": True},
        "facts": {"type": "dict"},
        "evidence": {"type": "list", "elements": "path", "default": []},
        "event_logs": {"type": "list", "elements": "path", "default": []},
        "configs": {"type": "list", "elements": "path", "default": []},
        "secrets": {"type": "list", "elements": "str", "no_log": True, "default": []},
    },
    required_one_of=(("facts", "evidence", "event_logs", "configs"),),
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT
MAX_FILE = 16 << 20
MAX_FILES = 50
# Of no meaning; the same contents make the same bytes, so that nothing changes when nothing has changed.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNBOUNDED = 1_000_000
_LEFT_OUT = "it does not look like a card's settings, so what is secret in it cannot be told"
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
_READ_ME = """This bundle was put together by the Ansible collection dcops.apc for the maker's support.

facts.json   what was read of the unit: model, serial numbers, versions, state
events/      the event log of the management card, as it was read
config/      the card's settings; whatever is not known to be harmless is replaced by "(hidden)"
evidence/    what runs of the collection saw and did, one JSON record per line

Look through it before you send it: names, locations and addresses stand in it as they are.
"""


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """One zip, whole or not at all; a file that is named and cannot be read is an error, never left out silently."""
    dest = Path(params["dest"]).expanduser()
    if dest.suffix != ".zip":
        raise OptionError("dest must end in .zip.")
    if dest.is_dir() or not dest.parent.is_dir():
        raise OptionError(f"the folder {dest.parent} of dest is not there, or dest is a folder.")
    members, left_out = _members(params)
    data = _zip(members)
    try:
        before = read_up_to(dest, len(data)) if dest.exists() else None
    except OSError as exc:
        raise Stop("state", f"{dest} cannot be read: {exc.strerror}") from exc
    loose = before is not None and stat.S_IMODE(dest.stat().st_mode) & 0o077 != 0
    changed = before != data or loose
    if changed and not check_mode:
        write_private(dest, data)
    files = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in members
    ]
    result = {"changed": changed, "dest": str(dest), "sha256": hashlib.sha256(data).hexdigest()}
    warnings = {"warnings": [f"{path} was left out: {_LEFT_OUT}" for path in left_out]} if left_out else {}
    return {**result, "files": files, "left_out": left_out, **warnings}


def _members(params: dict[str, Any]) -> tuple[list[tuple[str, bytes]], list[str]]:
    """The zip's files, without a secret, and the paths of what was left out."""
    if sum(len(params[name]) for name in ("evidence", "event_logs", "configs")) > MAX_FILES:
        raise OptionError(f"more than {MAX_FILES} files.")
    given = {"secrets": [*params["secrets"], *secrets_in_environment()]}
    secrets = tuple(secrets_of(ARGUMENT_SPEC, given))
    found: dict[str, bytes] = {"README.txt": b""}
    left_out: list[str] = []
    if params["facts"]:
        # Hidden before it is cut: half a secret would no longer be found.
        plain = to_result(hidden(to_result(params["facts"], _UNBOUNDED), secrets))
        found["facts.json"] = f"{json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=True)}\n".encode()
    for option, folder in (("evidence", "evidence"), ("event_logs", "events"), ("configs", "config")):
        for path in params[option]:
            content = _read(option, path)
            if option == "configs":
                if not plausible(content):
                    left_out.append(path)
                    continue
                content = without_secrets(content)
            found[_unused(f"{folder}/{_inside(path)}", found)] = hide_in_bytes(content, secrets)
    notes = "".join(f"\nLeft out: {_inside(path)}, {_LEFT_OUT}.\n" for path in left_out)
    found["README.txt"] = f"{_READ_ME}{notes}".encode()
    return sorted(found.items()), left_out


def _inside(path: str) -> str:
    return _SAFE.sub("_", os.path.basename(path))[-150:]


def _unused(name: str, taken: dict[str, bytes]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}.{number}"
    return free


def _read(option: str, path: str) -> bytes:
    try:
        data = read_up_to(path, MAX_FILE)
    except NotRegular as exc:
        raise Stop("state", f"{option}: {path} is not a file") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a usable path"
        raise Stop("state", f"{option}: {path} cannot be read: {reason}") from exc
    if len(data) > MAX_FILE:
        raise Stop("state", f"{option}: {path} is larger than {MAX_FILE >> 20} MiB")
    return data


def _zip(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
