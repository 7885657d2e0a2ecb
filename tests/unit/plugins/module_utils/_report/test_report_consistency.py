# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report that was edited by hand does not get into a merged one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._report import schema
from ansible_collections.dcops.apc.plugins.module_utils._report.as_text import as_json
from ansible_collections.dcops.apc.plugins.module_utils._report.report import Head, ReportError, build, parse
from ansible_collections.dcops.apc.plugins.module_utils._report.rows import rows_of

STAMP = "2026-03-14T02:00:00Z"
NOW = datetime(2026, 3, 14, 2, 0, tzinfo=timezone.utc)
COVERED = {"model": "AP7724", "aos": {"version": "3.7.4"}, "app": {"name": "g2ats", "version": "3.7.1"}}
OLD = {"model": "AP7701", "aos": {"version": "2.0"}, "app": {"name": "ats", "version": "2.0"}}


def judged(host: str, status: str) -> dict[str, Any]:
    return {"host": host, "ups": {"model": "m"}, "ap9624": {"status": status}}


def ats(host: str, nmc: dict[str, Any]) -> dict[str, Any]:
    return {"host": host, "ats": {"model": nmc["model"], "controller_comm": "established"}, "nmc": nmc}


# Rows come sorted by host.
UNITS = [
    judged("a-gap", "fix_missing"),
    judged("b-fixed", "fixed"),
    ats("c-ats", COVERED),
    {"host": "d-silent", "error": {"kind": "timeout", "message": "m"}},
    {"host": "e-pdu", "nmc": {"model": "x"}, "error": {"kind": "not_a_ups", "message": "m"}},
    ats("f-old", OLD),
    ats("g-odd", {"model": "?", "aos": {}, "app": {}}),
    ats("h-4g", {"model": "AP4450", "aos": {}, "app": {"name": "ats4g"}}),
]


def genuine() -> dict[str, Any]:
    return build(Head(now=STAMP), rows_of(UNITS, ["z-lost"], STAMP).rows)


def read(content: dict[str, Any]) -> Any:
    assert schema.problem_with(content, schema.REPORT) == "", "the schema has to let it through"
    return parse("/srv/one.json", as_json(content), None, NOW)


def test_what_is_written_is_read() -> None:
    made = genuine()
    assert {row["status"] for row in made["units"]} >= {"never_3x", "use_guarded_upgrade", "not_covered", "unknown"}
    assert read(made).content == made


def recounted(content: dict[str, Any]) -> None:
    statuses = [row["status"] for row in content["units"]]
    content["counts"] = {name: statuses.count(name) for name in content["counts"]}
    content["total"] = len(statuses)


def put(number: int, **fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content["units"][number].update(fields)
        recounted(content)

    return change


def finding(number: int, status: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["units"][number]["ap9624"].update(status=status)


def swapped(content: dict[str, Any]) -> None:
    content["units"][2]["exposures"] = content["units"][5]["exposures"]


def borrowed(content: dict[str, Any]) -> None:
    content["units"][3]["ap9624"] = content["units"][1]["ap9624"]


def doubled(content: dict[str, Any]) -> None:
    content["units"].append(copy.deepcopy(content["units"][0]))
    recounted(content)


def doubled_by_spelling(content: dict[str, Any]) -> None:
    content["units"][0]["host"], content["units"][1]["host"] = "a\tb", "a b"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.update(total=8), "total is 8, but it has 9 rows"),
        (lambda content: content["counts"].update(fix_missing=0), "counts say 0 fix_missing, but 1 rows"),
        (lambda content: content["counts"].update(fixed=7), "counts say 7 fixed, but 1 rows"),
        (lambda content: content["units"].pop(), "total is 9, but it has 8 rows"),
        (put(0, status="fixed"), "units[0] (a-gap): its status is fixed, but its judgement is fix_missing"),
        (put(0, status="not_affected"), "its status is not_affected, but its judgement is fix_missing"),
        (finding(0, "fixed"), "its status is fix_missing, but its judgement is fixed"),
        (put(0, ap9624=None), "its status is fix_missing, but its judgement is no_result"),
        (put(8, status="fixed"), "(z-lost): its status is fixed, but its judgement is no_result"),
        (put(3, status="fixed"), "its status is fixed, but its error means unreachable"),
        (put(3, error=None), "its status is unreachable, but its judgement is no_result"),
        (put(2, status="not_covered"), "(c-ats): its status is not_covered, but its exposures say something else"),
        (put(2, status="fixed"), "its status fixed is none of a Rack ATS"),
        (put(2, exposures=[]), "its exposures say something else"),
        (put(5, status="use_guarded_upgrade"), "its exposures say something else"),
        (put(6, status="not_covered"), "its exposures say something else"),
        (swapped, "its exposures say something else"),
        (borrowed, "it has a judgement of a UPS, but is none"),
        (put(2, kind="other"), "it has exposures of a Rack ATS, but is none"),
        (put(0, simulated=20), "simulated does not say what its rows say"),
        (lambda content: content.update(simulated=True), "simulated does not say what its rows say"),
        (doubled, "units[9] (a-gap): its host has a row already"),
        (doubled_by_spelling, "units[1] (a b): its host has a row already"),
        (put(0, reported_at="2026-03-14T03:00:01Z"), "reported_at 2026-03-14T03:00:01Z is in the future"),
        (put(0, reported_at="9999-12-31T00:00:00Z"), "is in the future"),
        (put(0, reported_at="2026-02-30T00:00:00Z"), "reported_at is no time that exists"),
        (lambda content: content.update(generated_at="2026-03-14T03:00:01Z"), "generated_at 2026-03-14T03:00:01Z is"),
        (lambda content: content.update(generated_at="0000-00-00T99:99:99Z"), "generated_at is no time that exists"),
    ],
)
def test_a_changed_report_is_refused_and_says_where(change: Callable[[dict[str, Any]], None], words: str) -> None:
    content = genuine()
    change(content)
    with pytest.raises(ReportError) as caught:
        read(content)
    assert str(caught.value).startswith("/srv/one.json contradicts itself") and words in str(caught.value)


def test_a_clock_may_be_an_hour_ahead() -> None:
    content = genuine()
    content["generated_at"] = content["units"][0]["reported_at"] = "2026-03-14T03:00:00Z"
    assert read(content).content == content


def test_the_message_repeats_no_hostile_text() -> None:
    content = genuine()
    put(0, host="\x1b[2J" + "x" * 200, status="fixed")(content)
    with pytest.raises(ReportError) as caught:
        read(content)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
