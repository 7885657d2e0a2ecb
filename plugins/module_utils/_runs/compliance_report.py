# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module compliance_report. It asks no device."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import is_url
from ansible_collections.dcops.apc.plugins.module_utils._files.report_folder import StoreError
from ansible_collections.dcops.apc.plugins.module_utils._files.report_store import (
    Web,
    read_report,
    url_problem,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._report.as_html import as_html
from ansible_collections.dcops.apc.plugins.module_utils._report.as_text import as_csv, as_json, as_junit
from ansible_collections.dcops.apc.plugins.module_utils._report.policy import failing
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
from ansible_collections.dcops.apc.plugins.module_utils._report.text import host_text
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._report_place import (
    FORMATS,
    check_targets,
    folder_of,
    publish,
    source_entry,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    MAX_TEXT,
    ArgumentSpec,
    OptionError,
    from_env,
)

SPEC = ArgumentSpec(
    {
        "units": {"type": "list", "elements": "dict", "default": []},
        "hosts": {"type": "list", "elements": "str", "default": []},
        # A path, a URL, or a dictionary with location and sha256.
        "reports": {"type": "list", "elements": "raw", "default": []},
        "title": {"type": "str"},
        "change_reference": {"type": "str"},
        "slice": {"type": "str"},
        "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
        "fail_on": {"type": "list", "elements": "str", "choices": list(NAMES), "default": ["fix_missing"]},
        "dest": {"type": "path"},
        "basename": {"type": "str"},
        "state_dir": {"type": "path", "fallback": (from_env, ["APC_STATE_DIR"])},
        "url": {"type": "str"},
        "url_username": {"type": "str", "fallback": (from_env, ["APC_REPORT_USERNAME"])},
        "url_password": {"type": "str", "no_log": True, "fallback": (from_env, ["APC_REPORT_PASSWORD"])},
        "validate_certs": {"type": "bool", "default": True},
        "http_timeout_s": {"type": "float", "default": 30.0},
    },
    mutually_exclusive=(("dest", "url"),),
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """Writes files on the controller; in check mode none, and the result is otherwise the same."""
    now = datetime.now(timezone.utc)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    _check(params)
    key = slice_key(params.get("slice"))
    folder = None if params.get("url") else folder_of(params)
    web = Web(
        params.get("url_username"), params.get("url_password"), params["validate_certs"], params["http_timeout_s"]
    )
    check_targets(params, folder)
    sources = _sources(params["reports"], web)
    found = rows_of(params["units"], _unmerged(params, sources), stamp)
    head = Head(params.get("title"), params.get("change_reference"), params.get("slice"), stamp)
    report = build(head, found.rows, sources)
    failed = failing(report["units"], params["fail_on"], found.fails)
    contents = _contents(report, params["formats"], failed)
    files, places = publish(contents, params, now, folder, web, check_mode)
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
        "duplicates": found.twice,
        "renamed": found.renamed,
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
        "failing": [{"host": row["host"], "status": row["status"]} for row in report["units"] if row["host"] in failed],
        "summary": summary_of(report, result["location"], found.twice, found.renamed),
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
        location, _sha256 = source_entry(entry, number)
        problem = url_problem(location) if is_url(location) else ""
        if problem:
            raise OptionError(f"reports[{number}] {problem}.")


def slice_key(label: str | None) -> str:
    """Part of a variable's name, different for every slice, and never the name of an option of the role.

    AWX merges the artifacts of slices by their top-level key, so equal keys would overwrite each other.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "_", label or "").strip("_")[:60]
    if not plain:
        digest = hashlib.sha256(f"{time.time_ns()}-{os.getpid()}-{os.uname().nodename}".encode()).hexdigest()
        return f"run_{digest[:10]}"
    return plain if plain[0].isdigit() else f"slice_{plain}"


def _sources(entries: list[Any], web: Web) -> list[Source]:
    sources = []
    for number, entry in enumerate(entries):
        location, sha256 = source_entry(entry, number)
        try:
            sources.append(parse(harmless(location), read_report(location, MAX_BYTES, web), sha256))
        except StoreError as exc:
            raise Stop("state", str(exc)) from exc
        except ReportError as exc:
            raise Stop("unsupported", str(exc)) from exc
    return sources


def _unmerged(params: Mapping[str, Any], sources: list[Source]) -> list[str]:
    """Hosts of the run that no merged report knows."""
    there = {row["host"] for source in sources for row in source.content["units"]}
    return [host for host in params["hosts"] if host_text(host) not in there]


def _contents(report: dict[str, Any], formats: list[str], failed: Collection[str]) -> dict[str, bytes]:
    """JSON last: where it is, the others are."""
    make = {
        "csv": lambda: as_csv(report),
        "junit": lambda: as_junit(report, failed),
        "html": lambda: as_html(report),
        "json": lambda: as_json(report),
    }
    return {form: make[form]() for form in make if form in formats}


def without_bulk(module_args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as a result may show them: not every unit again, and no URL that holds what it should not."""
    shown = dict(module_args)
    for name in ("units", "hosts", "reports"):
        if isinstance(shown.get(name), list):
            shown[name] = f"{len(shown[name])} entries"
    if isinstance(shown.get("url"), str) and url_problem(shown["url"]):
        shown["url"] = "(a URL that was refused)"
    return shown
