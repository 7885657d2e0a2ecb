# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form of a report, as a JSON schema, and the check of what comes from outside against it.

docs/schema/compliance_report_v1.schema.json is this schema as a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._report.rows import BASES, COMM, EXPANDER, IDENTIFIERS
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import NAMES, UPS_STATUSES
from ansible_collections.dcops.apc.plugins.module_utils._report.text import MAX_HOST, MAX_SENTENCE, MAX_TEXT
from ansible_collections.dcops.apc.plugins.module_utils._report.version import SCHEMA_VERSION

Schema = dict[str, Any]

MAX_ROWS = 100_000
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_SHA256 = r"^[0-9a-f]{64}$"
_MAX_INT = 2**53 - 1


def _text(about: str, limit: int = MAX_TEXT, null: bool = True) -> Schema:
    return {"description": about, "type": ["string", "null"] if null else "string", "maxLength": limit}


def _word(about: str, words: tuple[str, ...], null: bool = True) -> Schema:
    values = [*words, None] if null else list(words)
    return {"description": about, "type": ["string", "null"] if null else "string", "enum": values}


def _number(about: str, null: bool = True) -> Schema:
    kind = ["integer", "null"] if null else "integer"
    return {"description": about, "type": kind, "minimum": 0, "maximum": _MAX_INT}


def _time(about: str) -> Schema:
    return {"description": about, "type": "string", "pattern": _TIME, "maxLength": 20}


def _list(about: str, items: Schema, limit: int) -> Schema:
    return {"description": about, "type": "array", "items": items, "maxItems": limit}


def _object(about: str, fields: dict[str, Schema], null: bool = False) -> Schema:
    return {
        "description": about,
        "type": ["object", "null"] if null else "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_ADVICE = _object(
    "One piece of advice.",
    {
        "id": _text("The bulletin that it comes from.", null=False),
        "text": _text("The advice.", MAX_SENTENCE, null=False),
    },
)
_FINDING = _object(
    "The judgement of a UPS by FA233876; null for anything else and for a unit that was not judged.",
    {
        "status": _word("The judgement.", UPS_STATUSES, null=False),
        "current": _text("The firmware that runs."),
        "fixed_in": _text("The first firmware of this line that has the fix."),
        "rule": _number("The number of the rule that decided."),
        "basis": _word("Whose word the judgement is.", BASES),
        "identified_by": _word("What told which line of firmware the unit belongs to.", IDENTIFIERS),
        "reason": _text("Why, in a sentence.", MAX_SENTENCE),
        "source": _text("Where the rule comes from."),
        "expander": _word("Whether an AP9624 is fitted, by the operator's word.", EXPANDER, null=False),
        "advice": _list("What else to heed.", _ADVICE, 20),
    },
    null=True,
)
_EXPOSURE = _object(
    "What one bulletin means for a Rack ATS.",
    {
        "bulletin": _text("The bulletin.", null=False),
        "applies": {"description": "Whether it applies; null if it cannot be told.", "type": ["boolean", "null"]},
        "text": _text("What to do, in a sentence or two.", MAX_SENTENCE, null=False),
    },
)
ROW: Schema = _object(
    "One host of the run.",
    {
        "host": _text("The name in the inventory.", MAX_HOST, null=False),
        "kind": _word("What answers; null if nothing did.", ("ups", "ats", "other")),
        "status": _word("The judgement, or why there is none.", NAMES, null=False),
        "model": _text("The model."),
        "sku": _text("The SKU."),
        "serial": _text("The serial number."),
        "firmware": _text("The firmware that runs, as text. For an ATS the AOS, app and controller."),
        "firmware_id": _number("The UPS ID. UPS firmware versions compare only inside one ID."),
        "card": _object(
            "The management card.",
            {
                "model": _text("The model in the card's description."),
                "aos": _text("The version of its AOS."),
                "app": _text("Name and version of its application."),
            },
            null=True,
        ),
        "controller_comm": _word("An ATS card's communication with the switch controller.", COMM),
        "ap9624": _FINDING,
        "exposures": _list("What the bulletins about Rack ATS firmware mean; empty for other units.", _EXPOSURE, 10),
        "error": _object(
            "Why the unit was not judged.",
            {
                "kind": _text("The stable kind of the error.", 40, null=False),
                "message": _text("The error, in a sentence.", MAX_SENTENCE, null=False),
            },
            null=True,
        ),
        "interface_expander": _word("The operator's word on an AP9624, as it stands in the inventory.", EXPANDER),
        "simulated": _number("How many times faster than real a simulated device lives; null for a real one."),
        "reported_at": _time("When the report was written that this row was first in (UTC)."),
    },
)
_MERGED = _object(
    "One report that was merged.",
    {
        "location": _text("Path or URL.", MAX_SENTENCE, null=False),
        "sha256": {"description": "Its SHA-256.", "type": "string", "pattern": _SHA256},
        "generated_at": _time("When it was written (UTC)."),
        "slice": _text("Its slice."),
        "total": _number("Its number of rows.", null=False),
    },
)
_REPLACED = _object(
    "A host that came more than once.",
    {
        "host": _text("The name in the inventory.", MAX_HOST, null=False),
        "kept": _time("The time of the row that is here."),
        "kept_status": _word("Its status.", NAMES, null=False),
        "dropped": _time("The time of the row that is not."),
        "dropped_status": _word("Its status.", NAMES, null=False),
    },
)
_RULE = _object(
    "A source of the rules.",
    {"id": _text("Its name.", null=False), "about": _text("What it is about.", null=False)},
)
REPORT: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": ("https://raw.githubusercontent.com/dcops/ansible-apc/main/docs/schema/compliance_report_v1.schema.json"),
    "title": "Compliance report of dcops.apc",
    **_object(
        "All hosts of one run, or of several that were merged. Every text may come from a device: never trust it.",
        {
            "schema_version": {"description": "MAJOR.MINOR of this form.", "type": "string", "const": SCHEMA_VERSION},
            "generator": _object(
                "What wrote the report.",
                {
                    "name": _text("The collection.", null=False),
                    "version": _text("Its version.", null=False),
                },
            ),
            "title": _text("The title.", null=False),
            "generated_at": _time("When it was written (UTC)."),
            "change_reference": _text("The number of the change, or whatever was given.", 1024),
            "slice": _text("Which part of the job this is."),
            "simulated": {"description": "Whether any row is of a simulated device.", "type": "boolean"},
            "total": _number("The number of rows.", null=False),
            "counts": _object("Rows by status.", {name: _number("Rows.", null=False) for name in NAMES}),
            "rules": _list("Where the rules come from.", _RULE, 20),
            "merged_from": _list("The reports that were merged; empty for a report of one run.", _MERGED, 10_000),
            "replaced": _list("Hosts that came more than once; the newest row counts.", _REPLACED, MAX_ROWS),
            "units": _list("One row for every host.", ROW, MAX_ROWS),
        },
    ),
}

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def problem_with(value: Any, schema: Schema, where: str = "the report") -> str:
    """What is wrong first, or an empty text. Knows the words of JSON schema that are used above, and no others."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(value, kind) for kind in kinds):
        return f"{where} is not of the type {' or '.join(kinds)}"
    if "const" in schema and value != schema["const"]:
        return f"{where} is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is not one of the values that are known"
    if isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            return f"{where} is longer than {schema['maxLength']} characters"
        if "pattern" in schema and re.search(schema["pattern"].replace("$", r"\Z"), value) is None:
            return f"{where} is not written as it should be"
    elif isinstance(value, int) and not isinstance(value, bool):
        if not schema["minimum"] <= value <= schema["maximum"]:
            return f"{where} is out of range"
    elif isinstance(value, dict):
        return _problem_inside(value, schema, where)
    elif isinstance(value, list):
        if len(value) > schema["maxItems"]:
            return f"{where} has more than {schema['maxItems']} entries"
        for number, item in enumerate(value):
            found = problem_with(item, schema["items"], f"{where}[{number}]")
            if found:
                return found
    return ""


def _problem_inside(value: Mapping[str, Any], schema: Schema, where: str) -> str:
    missing = [name for name in schema["required"] if name not in value]
    if missing:
        return f"{where} has no {missing[0]}"
    if len(value) > len(schema["properties"]):
        return f"{where} has fields that are not known"
    for name, item in value.items():
        found = problem_with(item, schema["properties"][name], f"{where}.{name}")
        if found:
            return found
    return ""


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
