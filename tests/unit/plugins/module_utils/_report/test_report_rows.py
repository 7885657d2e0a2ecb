# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows from raw results, the schema that they fit, and reports that are merged."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Basis, Expander, GapStatus
from ansible_collections.dcops.apc.plugins.module_utils._report import rows, schema
from ansible_collections.dcops.apc.plugins.module_utils._report.as_text import as_json
from ansible_collections.dcops.apc.plugins.module_utils._report.report import Head, ReportError, build, parse
from ansible_collections.dcops.apc.plugins.module_utils._report.rows import row_of, rows_of
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import UPS_STATUSES
from ansible_collections.dcops.apc.plugins.module_utils._report.version import SCHEMA_VERSION, VERSION
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import enum_word

REPO = Path(__file__).resolve().parents[5]
SCHEMA_FILE = REPO / "docs" / "schema" / "compliance_report_v1.schema.json"
EARLY, LATE = "2026-03-14T02:00:00Z", "2026-03-15T02:00:00Z"
NOW = datetime(2026, 3, 15, 2, 30, tzinfo=timezone.utc)
UPS = {
    "model": "Smart-UPS 1500",
    "sku": "SMT1500RM2U",
    "serial": "AS1234567890",
    "firmware": {"raw": "UPS 09.1 (ID18) ", "version": "09.1", "id": 18},
    "load_percent": 12.5,
}
FINDING = {
    "status": "fix_missing",
    "current": "UPS 09.1 (ID18)",
    "fixed_in": "UPS 09.3",
    "rule": 8,
    "basis": "bulletin",
    "identified_by": "id",
    "reason": "Below the fix.",
    "source": "FA233876, table, row SMT 2U rackmount",
    "expander": "unknown",
    "advice": [{"id": "FA233875", "text": "Groups stay on."}],
}
NMC = {
    "model": "AP9631",
    "serial": "ZA1",
    "aos": {"version": "6.8.2", "file": "x"},
    "app": {"name": "sumx", "version": "6.8.2"},
    "simulated": None,
    "description": "APC Web/SNMP Management Card",
}
ATS = {
    "model": "AP7724",
    "serial": "5A1511T00001",
    "controller_comm": "established",
    "controller_firmware": {"version": "3.0.5"},
}
ATS_NMC = {"model": "AP7724", "aos": {"version": "3.7.4"}, "app": {"name": "g2ats", "version": "3.7.1"}}
UNIT = {"host": "ups-1", "ups": UPS, "ap9624": FINDING, "nmc": NMC, "interface_expander": "unknown"}


def one(now: str = EARLY, **unit: Any) -> dict[str, Any]:
    return row_of({"host": "h", **unit}, now)


def report(*units: dict[str, Any], now: str = EARLY, **head: Any) -> dict[str, Any]:
    return build(Head(now=now, **head), rows_of(units, [], now).rows)


def test_a_judged_ups() -> None:
    row = row_of(UNIT, EARLY)
    assert row["ap9624"] == FINDING
    assert {key: row[key] for key in ("host", "kind", "status", "model", "sku", "serial", "firmware_id")} == {
        "host": "ups-1",
        "kind": "ups",
        "status": "fix_missing",
        "model": "Smart-UPS 1500",
        "sku": "SMT1500RM2U",
        "serial": "AS1234567890",
        "firmware_id": 18,
    }
    assert row["firmware"] == "UPS 09.1 (ID18)" and row["exposures"] == [] and row["error"] is None
    assert row["card"] == {"model": "AP9631", "aos": "6.8.2", "app": "sumx 6.8.2"}


def test_an_ats() -> None:
    row = one(ats=ATS, nmc=ATS_NMC)
    assert (row["kind"], row["status"], row["controller_comm"]) == ("ats", "use_guarded_upgrade", "established")
    assert row["firmware"] == "AOS 3.7.4, g2ats 3.7.1, controller 3.0.5"
    assert [item["bulletin"] for item in row["exposures"]] == ["FA156178", "FA156135"] and row["ap9624"] is None
    # Asked as a UPS before it was read as what it is.
    assert one(ats=ATS, nmc=ATS_NMC, error={"kind": "not_a_ups", "message": "m"})["status"] == "use_guarded_upgrade"
    assert one(ats=ATS, nmc=ATS_NMC, error={"kind": "timeout", "message": "m"})["status"] == "unreachable"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("timeout", "unreachable"), ("busy", "unreachable"), ("not_a_ups", "not_a_ups"), ("auth", "error")]
    + [("not_an_ats", "error"), ("internal", "error"), ("", "error")],
)
def test_errors(kind: str, status: str) -> None:
    row = one(error={"kind": kind, "message": "why"})
    assert row["status"] == status and row["error"]["message"] == "why" and row["kind"] is None
    # Facts that were read before it failed stay, the judgement does not count.
    assert one(ups=UPS, ap9624=FINDING, error={"kind": kind, "message": "why"})["status"] == status


def test_nothing_is_no_result() -> None:
    assert one()["status"] == "no_result" and one(ups=UPS)["status"] == "no_result"
    assert one(nmc=NMC)["kind"] == "other" and one(nmc=NMC)["status"] == "no_result"


def test_a_word_that_is_not_known_is_never_an_all_clear() -> None:
    row = one(ups=UPS, ap9624={**FINDING, "status": "FIXED!", "basis": "hearsay", "expander": 7, "rule": -1})
    assert row["status"] == "unknown"
    assert row["ap9624"] | {"basis": None, "expander": "unknown", "rule": None} == row["ap9624"]


@pytest.mark.parametrize(
    ("nmc", "factor"),
    [
        ({"simulated": 30}, 30),
        ({"simulated": None}, None),
        ({"simulated": True}, None),
        ({"description": "APC SIMULATED x?"}, 0),
        ({}, None),
    ],
)
def test_simulated(nmc: dict[str, Any], factor: int | None) -> None:
    assert one(ups=UPS, ap9624=FINDING, nmc=nmc)["simulated"] == factor


def test_no_host_is_lost() -> None:
    made = rows_of([UNIT, {"host": "b"}, {"host": "b", "error": "e"}], ["ups-1", "b", "c", "c"], EARLY)
    assert [(row["host"], row["status"]) for row in made.rows] == [
        ("b", "error"),
        ("c", "no_result"),
        ("ups-1", "fix_missing"),
    ]
    assert made.twice == ["b"] and made.renamed == []


def test_names_that_read_alike_stay_two_hosts() -> None:
    """A control character of an inventory is spelled out, and somebody may have spelled it out already."""
    pairs = [("a\u202eb", "a\\u202eb"), ("x\ty", "x y")]
    units = [{"host": raw, "error": {"kind": "timeout"}} for raw, _spelled in pairs]
    spelled = [name for _raw, name in pairs]
    for found, hosts in ((units, spelled), ([{"host": name} for name in spelled], [raw for raw, _name in pairs])):
        made = rows_of(found, hosts, EARLY)
        names = [row["host"] for row in made.rows]
        assert len(set(names)) == 4 and set(spelled) <= set(names)
        assert set(made.renamed) == set(names) - set(spelled) and made.twice == []
        unreachable = {row["host"] for row in made.rows if row["status"] == "unreachable"}
        assert unreachable == (set(made.renamed) if found is units else set())
    assert rows_of(units, [], EARLY).renamed == []


def test_what_a_run_says_of_a_host_belongs_to_that_host() -> None:
    units = [{"host": "a", "fails": True}, {"host": "b", "fails": False}, {"host": "c"}, {"host": "d", "fails": "yes"}]
    assert rows_of([*units, {"host": "a"}], [], EARLY).fails == {"b": False}
    assert rows_of(units, [], EARLY).fails == {"a": True, "b": False}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def damaged(value: Any) -> Any:
    """The right thing, anything else, or the right thing with wrong parts."""
    if not isinstance(value, dict):
        return anything | st.just(value)
    parts = st.dictionaries(st.sampled_from(sorted(value)), anything, max_size=2)
    return anything | parts.map(lambda wrong: {**value, **wrong})


KNOWN = {key: value for key, value in UNIT.items() if key != "host"} | {"ats": ATS, "error": {"kind": "busy"}}
messy = st.fixed_dictionaries(
    {"host": st.text(max_size=6)}, optional={key: damaged(value) for key, value in KNOWN.items()}
)


@settings(deadline=None)
@given(st.lists(messy, max_size=4), st.lists(st.text(max_size=6), max_size=3))
def test_every_report_fits_its_schema(units: list[dict[str, Any]], hosts: list[str]) -> None:
    found = rows_of(units, hosts, EARLY).rows
    made = build(Head(now=EARLY), found)
    assert len(found) == len({unit["host"] for unit in units} | set(hosts))
    assert schema.problem_with(made, schema.REPORT) == ""
    assert made["total"] == sum(made["counts"].values()) == len(found)
    assert parse("r.json", as_json(made), None, NOW).content == made


def test_published_schema_is_the_one_in_use() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == schema.REPORT


def test_schema_is_valid_and_agrees() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema.REPORT)
    validator = jsonschema.Draft202012Validator(schema.REPORT)
    made = report(UNIT, {"host": "a", "ats": ATS, "nmc": ATS_NMC}, {"host": "e", "error": {"kind": "timeout"}})
    assert list(validator.iter_errors(made)) == []
    wrong = 0
    for path in paths(made):
        for value in (None, "", "x" * 3000, -1, 1, True, [], {}, [1], {"a": 1}, "unknown", 2**60, 1.5, EARLY + "\n"):
            changed = put(made, path, value)
            mine, theirs = schema.problem_with(changed, schema.REPORT), validator.is_valid(changed)
            # Python's $ also fits before a last line break; ours does not.
            if value == EARLY + "\n" and mine and theirs:
                continue
            # 1.0 is an integer for JSON schema; here nothing writes one.
            assert (mine == "") == theirs, (path, value, mine)
            wrong += not theirs
    assert wrong > 500


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [path, *(found for key, item in items for found in paths(item, (*path, key)))]
        if path
        else [found for key, item in items for found in paths(item, (key,))]
    )


def put(made: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(made)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def test_unknown_and_missing_fields_are_named() -> None:
    made = report(UNIT)
    assert "fields that are not known" in schema.problem_with({**made, "more": 1}, schema.REPORT)
    del made["units"][0]["host"]
    assert schema.problem_with(made, schema.REPORT) == "the report.units[0] has no host"


def test_version_is_the_collections() -> None:
    assert yaml.safe_load((REPO / "galaxy.yml").read_text(encoding="utf-8"))["version"] == VERSION
    assert report(UNIT)["generator"] == {"name": "dcops.apc", "version": VERSION}


def source(made: dict[str, Any], name: str = "r.json") -> Any:
    return parse(name, as_json(made), None, NOW)


def test_merge_keeps_the_newest_row_and_says_so() -> None:
    fixed = {**UNIT, "ap9624": {**FINDING, "status": "fixed"}}
    early = report(UNIT, {"host": "only-early"}, now=EARLY, change_reference="CHG1", slice="1 of 2", title="T")
    late = report(fixed, now=LATE, change_reference="CHG2", title="T")
    for order in ((early, late), (late, early)):
        merged = build(Head(now=LATE), [], [source(made) for made in order])
        assert {row["host"]: row["status"] for row in merged["units"]} == {"only-early": "no_result", "ups-1": "fixed"}
        assert merged["replaced"] == [
            {
                "host": "ups-1",
                "kept": LATE,
                "kept_status": "fixed",
                "dropped": EARLY,
                "dropped_status": "fix_missing",
            }
        ]
        assert merged["title"] == "T" and merged["total"] == 2 and merged["counts"]["fixed"] == 1
        assert set(merged["change_reference"].split("; ")) == {"CHG1", "CHG2"}
        assert schema.problem_with(merged, schema.REPORT) == ""
    assert [item["slice"] for item in merged["merged_from"]] == [None, "1 of 2"]


def test_merging_again_changes_nothing() -> None:
    once = build(Head(now=LATE), [], [source(report(UNIT)), source(report({"host": "b"}))])
    again = build(Head(now=LATE), [], [source(once), source(report(UNIT))])
    assert again["units"] == once["units"] and again["replaced"] == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"schema_version": NaN}', "is not JSON"),
        (b"[]", "no compliance report"),
        (b"{}", "no schema_version"),
        (b'{"schema_version": 1}', "no schema_version"),
        (b'{"schema_version": "2.0"}', "schema_version 2.0; this dcops.apc reads " + SCHEMA_VERSION),
        (b'{"schema_version": "1.0"}', "does not fit the schema of compliance reports: the report has no"),
    ],
)
def test_bad_reports_are_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(ReportError) as caught:
        parse("/srv/slice-2.json", data, None, NOW)
    assert str(caught.value).startswith("/srv/slice-2.json ") and words in str(caught.value)


def test_checksum() -> None:
    data = as_json(report(UNIT))
    right = hashlib.sha256(data).hexdigest()
    assert parse("r", data, right.upper(), NOW).sha256 == right
    with pytest.raises(ReportError, match="is not the report that was meant"):
        parse("r", data, "0" * 64, NOW)


def test_a_text_that_grows_by_spelling_it_out_still_fits() -> None:
    made = report(UNIT)
    made["units"][0] |= {"model": "\u202e" * 300, "host": "\u202e" * 255}
    merged = build(Head(now=LATE), [], [source(made)])
    assert schema.problem_with(merged, schema.REPORT) == ""


def test_words_are_those_of_the_judgement() -> None:
    assert set(rows.BASES) == {item.value for item in Basis}
    assert set(rows.EXPANDER) == {item.value for item in Expander}
    assert set(UPS_STATUSES) == {item.value for item in GapStatus}
    assert set(rows.COMM) == {enum_word(item) for item in Comm}


def test_texts_of_a_merged_report_are_as_hostile_as_a_device() -> None:
    made = report(UNIT)
    made["units"][0]["model"] = "a\u202eb\x00"
    merged = build(Head(now=LATE), [], [source(made)])
    assert merged["units"][0]["model"] == "a\\u202eb\\x00"
