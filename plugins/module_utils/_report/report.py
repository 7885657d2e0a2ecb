# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a whole: head, counts and rows, and several of them merged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import BULLETINS
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624_table import BULLETIN as AP9624_BULLETIN
from ansible_collections.dcops.apc.plugins.module_utils._report import schema
from ansible_collections.dcops.apc.plugins.module_utils._report.consistency import contradiction
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import count
from ansible_collections.dcops.apc.plugins.module_utils._report.text import MAX_SENTENCE, tidy
from ansible_collections.dcops.apc.plugins.module_utils._report.version import NAME, SCHEMA_VERSION, VERSION

DEFAULT_TITLE = "AP9624 compliance"
RULES = (
    (AP9624_BULLETIN, "AP9624 may override shutdown commands of SMT, SMX and SRT units"),
    ("Release notes of the UPS firmware", "which UPS ID belongs to which units, and which had AP9624 support first"),
    *((row.id, row.about) for row in BULLETINS),
)
# 100,000 rows of usual length are half of it.
MAX_BYTES = 128 * 1024 * 1024


class ReportError(Exception):
    """A report from outside cannot be used; the message says why, and repeats its texts bounded and harmless only."""


@dataclass(frozen=True)
class Source:
    """A report that is merged."""

    location: str
    sha256: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Head:
    """What a person or the job says about the run."""

    title: str | None = None
    change_reference: str | None = None
    slice: str | None = None
    now: str = "1970-01-01T00:00:00Z"


@dataclass
class _Rows:
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    replaced: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        """The newest row of a host counts; of two of the same time the later one in the list."""
        old = self.rows.get(row["host"])
        keep, drop = (row, old) if old is None or row["reported_at"] >= old["reported_at"] else (old, row)
        self.rows[row["host"]] = keep
        # The same row by two ways (a merged report beside one of its parts) replaces nothing.
        if drop is not None and drop != keep:
            self.replaced.append(
                {
                    "host": keep["host"],
                    "kept": keep["reported_at"],
                    "kept_status": keep["status"],
                    "dropped": drop["reported_at"],
                    "dropped_status": drop["status"],
                }
            )


def build(head: Head, rows: Iterable[dict[str, Any]], sources: Sequence[Source] = ()) -> dict[str, Any]:
    """The rows of this run (rows_of) and those of ``sources``."""
    merged = _Rows()
    for source in sources:
        for row in source.content["units"]:
            merged.add(_retidied(row, schema.ROW))
    for row in rows:
        merged.add(row)
    units = [merged.rows[name] for name in sorted(merged.rows)]
    titles = [str(source.content["title"]) for source in sources]
    references = [source.content["change_reference"] for source in sources]
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": NAME, "version": VERSION},
        "title": tidy(head.title) or _joined(titles, 300) or DEFAULT_TITLE,
        "generated_at": head.now,
        "change_reference": tidy(head.change_reference, 1024) or _joined(references, 1024),
        "slice": tidy(head.slice),
        "simulated": any(row["simulated"] is not None for row in units),
        "total": len(units),
        "counts": count([row["status"] for row in units]),
        "rules": [{"id": name, "about": about} for name, about in RULES],
        "merged_from": [
            {
                "location": harmless(source.location),
                "sha256": source.sha256,
                "generated_at": source.content["generated_at"],
                "slice": tidy(source.content["slice"]),
                "total": len(source.content["units"]),
            }
            for source in sources
        ],
        "replaced": merged.replaced,
        "units": units,
    }


def parse(location: str, data: bytes, sha256: str | None, now: datetime | None = None) -> Source:
    """A JSON report from outside, checked to the last field. Raises ReportError naming the file."""
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and sha256.strip().lower() != found:
        raise ReportError(
            f"{location} is not the report that was meant: its SHA-256 is {found}, not {harmless(sha256, 64)}."
        )
    try:
        content = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ReportError(f"{location} is not JSON.") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, str):
        raise ReportError(f"{location} is JSON, but no compliance report: it has no schema_version.")
    if version != SCHEMA_VERSION:
        raise ReportError(
            f"{location} has the schema_version {harmless(version, 20)}; this {NAME} reads {SCHEMA_VERSION}."
        )
    problem = schema.problem_with(content, schema.REPORT)
    if problem:
        raise ReportError(f"{location} does not fit the schema of compliance reports: {problem}.")
    problem = contradiction(content, now or datetime.now(timezone.utc))
    if problem:
        raise ReportError(f"{location} contradicts itself, so it was changed or damaged: {problem}.")
    return Source(location, found, content)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _retidied(value: Any, form: schema.Schema) -> Any:
    """Texts of a file are no better than those of a device, and spelling a character out makes a text longer."""
    if isinstance(value, str):
        return harmless(value, form.get("maxLength", MAX_SENTENCE))
    if isinstance(value, list):
        return [_retidied(item, form["items"]) for item in value]
    if isinstance(value, dict):
        return {key: _retidied(item, form["properties"][key]) for key, item in value.items()}
    return value


def _joined(texts: Iterable[object], limit: int) -> str | None:
    distinct = list(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
    return tidy("; ".join(distinct), limit)
