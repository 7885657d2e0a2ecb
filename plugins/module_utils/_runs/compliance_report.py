# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module compliance_report. It asks no device. Private to the collection."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import (
    default_state_dir,
    in_container,
    on_a_mount,
)
from ansible_collections.dcops.apc.plugins.module_utils._report.as_html import as_html
from ansible_collections.dcops.apc.plugins.module_utils._report.as_text import as_csv, as_json, as_junit, verdict
from ansible_collections.dcops.apc.plugins.module_utils._report.report import (
    MAX_BYTES,
    Head,
    ReportError,
    Source,
    build,
    parse,
)
from ansible_collections.dcops.apc.plugins.module_utils._report.rows import rows_of
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import NAMES
from ansible_collections.dcops.apc.plugins.module_utils._report.summary import summary_of
from ansible_collections.dcops.apc.plugins.module_utils._report.text import host_text, printable
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import MAX_TEXT, OptionError, from_env
from ansible_collections.dcops.apc.plugins.module_utils._transport.package_url import is_url
from ansible_collections.dcops.apc.plugins.module_utils._transport.report_store import (
    StoreError,
    Web,
    folder_problem,
    put_files,
    read_report,
    url_problem,
    write_folder,
)

# Format -> file name and content.
Files = dict[str, tuple[str, bytes]]
FORMATS = ("json", "csv", "junit", "html")
_SUFFIX = {"json": ".json", "csv": ".csv", "junit": ".junit.xml", "html": ".html"}
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "units": {"type": "list", "elements": "dict", "default": []},
    "hosts": {"type": "list", "elements": "str", "default": []},
    # A path, a URL, or a dictionary with location and sha256.
    "reports": {"type": "list", "elements": "raw", "default": []},
    "title": {"type": "str"},
    "change_reference": {"type": "str"},
    "slice": {"type": "str"},
    "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
    "fail_on": {"type": "list", "elements": "str", "choices": list(NAMES), "default": []},
    "dest": {"type": "path"},
    "basename": {"type": "str"},
    "state_dir": {"type": "path", "fallback": (from_env, ["APC_STATE_DIR"])},
    "url": {"type": "str"},
    "url_username": {"type": "str", "fallback": (from_env, ["APC_REPORT_USERNAME"])},
    "url_password": {"type": "str", "no_log": True, "fallback": (from_env, ["APC_REPORT_PASSWORD"])},
    "validate_certs": {"type": "bool", "default": True},
    "http_timeout_s": {"type": "float", "default": 30.0},
}
OPTIONS: dict[str, Any] = {
    "mutually_exclusive": [["dest", "url"]],
    "supports_check_mode": True,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Writes files on the controller; in check mode none, and the result is otherwise the same."""
    now = datetime.now(timezone.utc)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    _check(params)
    key = slice_key(params.get("slice"))
    folder = None if params.get("url") else _folder(params)
    web = Web(
        params.get("url_username"), params.get("url_password"), params["validate_certs"], params["http_timeout_s"]
    )
    rows, twice = rows_of(params["units"], params["hosts"] if not params["reports"] else [], stamp)
    sources = _sources(params["reports"], web)
    if sources:
        rows += _missing(params["hosts"], rows, sources, stamp)
    head = Head(params.get("title"), params.get("change_reference"), params.get("slice"), stamp)
    report = build(head, rows, sources)
    files = _files(report, params, _basename(params, now, folder))
    places = _publish(files, folder, params["url"], web) if not check_mode else {}
    failing = [
        {"host": row["host"], "status": row["status"]}
        for row in report["units"]
        if verdict(row["status"], params["fail_on"]) in ("failure", "error")
    ]
    main = "json" if "json" in files else next(iter(files))
    result = {
        "location": places.get(main),
        "sha256": hashlib.sha256(files[main][1]).hexdigest(),
        "folder": params["url"].rstrip("/") if folder is None else str(folder),
        "files": [
            {
                "format": name,
                "name": files[name][0],
                "location": places.get(name),
                "sha256": hashlib.sha256(files[name][1]).hexdigest(),
                "size": len(files[name][1]),
            }
            for name in files
        ],
        "slice_key": key,
        "duplicates": twice,
        **{
            name: report[name]
            for name in ("title", "generated_at", "change_reference", "slice", "simulated", "counts", "total")
            + ("schema_version", "replaced")
        },
    }
    return {
        # What was proposed in check mode is what would be done.
        "changed": True,
        "report": result,
        "failing": failing,
        "summary": summary_of(report, result["location"], twice),
    }


def _check(params: Mapping[str, Any]) -> None:
    if not (params["units"] or params["hosts"] or params["reports"]):
        raise OptionError("units, hosts and reports are all empty: there is nothing to report.")
    if not params["formats"]:
        raise OptionError("formats is empty: there would be no report.")
    if not 1 <= params["http_timeout_s"] <= 600:
        raise OptionError("http_timeout_s must be from 1 to 600.")
    for name in ("title", "slice"):
        if len(params.get(name) or "") > MAX_TEXT:
            raise OptionError(f"{name} is longer than {MAX_TEXT} characters.")
    if params.get("url"):
        problem = url_problem(params["url"])
        if problem:
            raise OptionError(f"url {problem}.")
    if params.get("basename") and _NAME.fullmatch(params["basename"]) is None:
        raise OptionError(
            "basename must be a plain file name without its ending: letters, digits, dot, underscore and hyphen, not "
            "beginning with one of the last three, at most 151."
        )
    for number, entry in enumerate(params["reports"]):
        location, _sha256 = _entry(entry, number)
        problem = url_problem(location) if is_url(location) else ""
        if problem:
            raise OptionError(f"reports[{number}] {problem}.")


def _entry(entry: Any, number: int) -> tuple[str, str | None]:
    if isinstance(entry, str):
        return str.__str__(entry), None
    if isinstance(entry, Mapping):
        location, sha256 = entry.get("location"), entry.get("sha256")
        if isinstance(location, str) and location and (sha256 is None or isinstance(sha256, str)):
            return str.__str__(location), sha256
    raise OptionError(f"reports[{number}] is neither a path, a URL nor a dictionary with location and sha256.")


def slice_key(label: str | None) -> str:
    """Part of a variable's name, different for every slice, and never the name of an option of the role.

    AWX merges the artifacts of slices by their top-level key, so equal keys would overwrite each other.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "_", label or "").strip("_")[:60]
    if not plain:
        digest = hashlib.sha256(f"{time.time_ns()}-{os.getpid()}-{os.uname().nodename}".encode()).hexdigest()
        return f"run_{digest[:10]}"
    return plain if plain[0].isdigit() else f"slice_{plain}"


def _folder(params: Mapping[str, Any]) -> Path:
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


def _basename(params: Mapping[str, Any], now: datetime, folder: Path | None) -> str:
    if params.get("basename"):
        return str(params["basename"])
    label = re.sub(r"[^A-Za-z0-9]+", "-", params.get("slice") or "").strip("-")[:60]
    name = f"ap9624-compliance_{now:%Y%m%dT%H%M%SZ}{'_' + label if label else ''}"
    # Two runs in one second must not overwrite each other's report.
    number, found = 1, name
    while folder is not None and any((folder / f"{found}{suffix}").exists() for suffix in _SUFFIX.values()):
        number += 1
        found = f"{name}_{number}"
    return found


def _sources(entries: list[Any], web: Web) -> list[Source]:
    sources = []
    for number, entry in enumerate(entries):
        location, sha256 = _entry(entry, number)
        try:
            sources.append(parse(printable(location), read_report(location, MAX_BYTES, web), sha256))
        except StoreError as exc:
            raise Stop("state", str(exc)) from exc
        except ReportError as exc:
            raise Stop("unsupported", str(exc)) from exc
    return sources


def _missing(hosts: list[str], rows: list[dict[str, Any]], sources: list[Source], stamp: str) -> list[dict[str, Any]]:
    """Hosts of the run that neither a unit nor a merged report knows."""
    there = {row["host"] for row in rows} | {row["host"] for source in sources for row in source.content["units"]}
    return rows_of([], [host for host in hosts if host_text(host) not in there], stamp)[0]


def _files(report: dict[str, Any], params: Mapping[str, Any], name: str) -> Files:
    """JSON last: where it is, the others are."""
    make = {
        "csv": lambda: as_csv(report),
        "junit": lambda: as_junit(report, params["fail_on"]),
        "html": lambda: as_html(report),
        "json": lambda: as_json(report),
    }
    return {form: (f"{name}{_SUFFIX[form]}", make[form]()) for form in make if form in params["formats"]}


def _publish(files: Files, folder: Path | None, url: str, web: Web) -> dict[str, str]:
    """Format -> path or URL."""
    contents = dict(files.values())
    if folder is None:
        places = put_files(url, contents, web)
    else:
        try:
            places = write_folder(folder, contents)
        except StoreError as exc:
            raise Stop("state", str(exc)) from exc
    return {form: places[name] for form, (name, _content) in files.items()}


def without_bulk(module_args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as a result may show them: not every unit again, and no URL that holds what it should not."""
    shown = dict(module_args)
    for name in ("units", "hosts", "reports"):
        if isinstance(shown.get(name), list):
            shown[name] = f"{len(shown[name])} entries"
    if isinstance(shown.get("url"), str) and url_problem(shown["url"]):
        shown["url"] = "(a URL that was refused)"
    return shown
