# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the files of a report go and what they are called."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import is_url
from ansible_collections.dcops.apc.plugins.module_utils._files.report_folder import (
    NameTaken,
    StoreError,
    folder_problem,
    target_problem,
    write_folder,
)
from ansible_collections.dcops.apc.plugins.module_utils._files.report_store import Web, put_files
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import (
    default_state_dir,
    in_container,
    on_a_mount,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import OptionError

# Format -> file name and content.
Files = dict[str, tuple[str, bytes]]
_NAME_TRIES = 5
_SUFFIX = {"json": ".json", "csv": ".csv", "junit": ".junit.xml", "html": ".html"}
FORMATS = tuple(_SUFFIX)


def source_entry(entry: Any, number: int) -> tuple[str, str | None]:
    if isinstance(entry, str):
        return str.__str__(entry), None
    if isinstance(entry, Mapping):
        location, sha256 = entry.get("location"), entry.get("sha256")
        if isinstance(location, str) and location and (sha256 is None or isinstance(sha256, str)):
            return str.__str__(location), sha256
    raise OptionError(f"reports[{number}] is neither a path, a URL nor a dictionary with location and sha256.")


def folder_of(params: Mapping[str, Any]) -> Path:
    given = params.get("dest")
    if given:
        folder = Path(given).expanduser().absolute()
    else:
        state = params.get("state_dir")
        folder = (Path(state).expanduser().absolute() if state else default_state_dir()) / "reports"
        if not state and in_container() and not on_a_mount(folder):
            raise Stop(
                "state",
                f"{folder} is inside this container and would vanish with it: give dest or state_dir (a mounted "
                "folder), or url.",
            )
    problem = folder_problem(folder)
    if problem:
        raise Stop("state", f"The report cannot be written to {folder}: {problem}.")
    return folder


def check_targets(params: Mapping[str, Any], folder: Path | None) -> None:
    """What a given name would overwrite, found before anything is asked or read."""
    name = params.get("basename")
    if not name:
        return
    targets = [f"{name}{_SUFFIX[form]}" for form in params["formats"]]
    locations = [source_entry(entry, number)[0] for number, entry in enumerate(params["reports"])]
    if folder is None:
        base = params["url"].rstrip("/")
        taken = [target for target in targets if f"{base}/{target}" in locations]
        problem = f"{taken[0]} is one of the reports to merge, and would be overwritten" if taken else ""
    else:
        local = [Path(location).expanduser() for location in locations if not is_url(location)]
        problem = target_problem(folder, targets, local)
    if problem:
        raise Stop("state", f"The report cannot be written to {folder or base}: {problem}.")


def _basename(params: Mapping[str, Any], now: datetime) -> str:
    if params.get("basename"):
        return str(params["basename"])
    label = re.sub(r"[^A-Za-z0-9]+", "-", params.get("slice") or "").strip("-")[:60]
    # By chance: two runs of one second must not meet, and what a web server has nobody can ask in advance.
    name = f"ap9624-compliance_{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    return f"{name}_{label}" if label else name


def publish(
    contents: dict[str, bytes],
    params: Mapping[str, Any],
    now: datetime,
    folder: Path | None,
    web: Web,
    check_mode: bool,
) -> tuple[Files, dict[str, str]]:
    """-> the files, and format -> path or URL (none in check mode)."""
    for _attempt in range(_NAME_TRIES):
        name = _basename(params, now)
        files = {form: (f"{name}{_SUFFIX[form]}", content) for form, content in contents.items()}
        if check_mode:
            return files, {}
        try:
            if folder is None:
                places = put_files(params["url"], dict(files.values()), web)
            else:
                places = write_folder(folder, dict(files.values()), replace=bool(params.get("basename")))
        except NameTaken:
            continue
        except StoreError as exc:
            raise Stop("state", str(exc)) from exc
        return files, {form: places[filename] for form, (filename, _content) in files.items()}
    raise Stop("state", f"The report cannot be written to {folder}: every name that was tried is in use.")
