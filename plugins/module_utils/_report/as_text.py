# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as JSON, CSV and JUnit XML."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._report.policy import REPORTED_ONLY, outcome
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import BY_NAME, GAPS, NOT_JUDGED

# A cell that begins so is a formula for a spreadsheet. Full-width forms count too, which some programs fold; and the
# mathematical minus, which is none of those.
_FORMULA = "=+-@\u2212"
# A spreadsheet that is set to another separator cuts inside our cells, where a formula could begin as well.
_SEPARATOR = re.compile('([;,|\t"])')
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

COLUMNS = (
    ("host", "kind", "status", "model", "sku", "serial", "firmware", "firmware_id", "fixed_in", "reason", "basis")
    + ("identified_by", "source", "rule", "expander", "advice", "card_model", "card_aos", "card_app")
    + ("controller_comm", "exposures", "error_kind", "error_message", "interface_expander", "simulated")
    + ("reported_at", "change_reference")
)


def as_json(report: Mapping[str, Any]) -> bytes:
    """ASCII only: whatever stores or mails the file cannot spoil it."""
    return (json.dumps(report, indent=1, allow_nan=False) + "\n").encode("ascii")


def as_csv(report: Mapping[str, Any]) -> bytes:
    """RFC 4180, with a byte order mark: without it Excel does not take the file for UTF-8."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in report["units"]:
        flat = {**_flat(row), "change_reference": report["change_reference"]}
        writer.writerow([cell(flat[name]) for name in COLUMNS])
    return b"\xef\xbb\xbf" + stream.getvalue().encode("utf-8", "backslashreplace")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    finding, card, error = row["ap9624"] or {}, row["card"] or {}, row["error"] or {}
    return {
        **row,
        **{key: finding.get(key) for key in ("fixed_in", "reason", "basis", "identified_by", "source", "rule")},
        "expander": finding.get("expander"),
        "advice": " ".join(f"{item['id']}: {item['text']}" for item in finding.get("advice", ())),
        "card_model": card.get("model"),
        "card_aos": card.get("aos"),
        "card_app": card.get("app"),
        "exposures": " ".join(f"{item['bulletin']}: {item['text']}" for item in row["exposures"]),
        "error_kind": error.get("kind"),
        "error_message": error.get("message"),
    }


def cell(value: object) -> str:
    """One line, and never a formula: an apostrophe stands before what could be taken for one."""
    if value is None:
        return ""
    # A NUL ends a cell for some readers, and a line break one for those that read line by line.
    text = "".join(" " if char in "\r\n\v\f\x85\u2028\u2029" else char for char in str(value).replace("\0", ""))
    guarded = "".join(_guarded(part) for part in _SEPARATOR.split(text))
    return "'" + guarded if text.startswith("\t") else guarded


def _guarded(part: str) -> str:
    begin = next((char for char in part if not _blank(char)), "")
    return "'" + part if begin and unicodedata.normalize("NFKC", begin)[:1] in _FORMULA else part


def _blank(char: str) -> bool:
    """White space, and what does not show: control characters, zero-width marks."""
    return char.isspace() or unicodedata.category(char) in ("Cc", "Cf")


def as_junit(report: Mapping[str, Any], failing: Collection[str] = ()) -> bytes:
    """One test case for every unit; ``failing`` are the hosts that the policy fails."""
    tally = {"failure": 0, "error": 0, "skipped": 0}
    suite = ET.Element("testsuite", {"name": xml_text(report["title"]), "timestamp": report["generated_at"][:-1]})
    properties = ET.SubElement(suite, "properties")
    for name in ("change_reference", "slice", "schema_version", "simulated"):
        value = "" if report[name] is None else str(report[name])
        ET.SubElement(properties, "property", {"name": name, "value": xml_text(value)})
    for row in report["units"]:
        case = ET.SubElement(suite, "testcase", {"classname": f"ap9624.{row['kind'] or 'none'}", "time": "0"})
        case.set("name", xml_text(row["host"]))
        shown = outcome(row["status"], row["host"] in failing)
        if shown:
            tally[shown] += 1
            ET.SubElement(case, shown, {"type": row["status"], "message": xml_text(_message(row, shown))})
        details = ET.SubElement(case, "system-out")
        details.text = xml_text("\n".join(f"{name}: {value}" for name, value in _flat(row).items() if _plain(value)))
    totals = {"failures": tally["failure"], "errors": tally["error"], "skipped": tally["skipped"]}
    for name, number in {"tests": len(report["units"]), **totals}.items():
        suite.set(name, str(number))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root, " ")
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _message(row: Mapping[str, Any], shown: str) -> str:
    said = headline(row)
    # A CI system shows what was skipped without an alarm: the words must say that something is the matter.
    if shown == "skipped" and row["status"] in (*GAPS, *NOT_JUDGED):
        label = BY_NAME[row["status"]].label
        return f"{label} ({REPORTED_ONLY}){said[len(label) :]}"
    return said


def headline(row: Mapping[str, Any]) -> str:
    """The row in one line."""
    finding = row["ap9624"] or {}
    label = BY_NAME[row["status"]].label
    if row["error"]:
        return f"{label}: {row['error']['message']}"
    step = f" ({finding['current'] or 'unknown'} -> {finding['fixed_in']})" if finding.get("fixed_in") else ""
    why = finding.get("reason") or " ".join(item["text"] for item in row["exposures"] if item["applies"] is not False)
    return f"{label}{step}: {why}" if why else f"{label}{step}"


def xml_text(text: str) -> str:
    """XML has no way at all to write some characters."""
    return _NOT_XML.sub("", text)


def _plain(value: object) -> bool:
    return isinstance(value, (str, int)) and value != "" and not isinstance(value, bool)
