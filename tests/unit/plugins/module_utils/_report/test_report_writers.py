# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files hold, whatever a device calls itself: they are parsed back with the standard library."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._report import as_html, as_text, page_style, policy, statuses
from ansible_collections.dcops.apc.plugins.module_utils._report.report import Head, build
from ansible_collections.dcops.apc.plugins.module_utils._report.rows import rows_of
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import BY_NAME, NAMES, STATUSES
from ansible_collections.dcops.apc.plugins.module_utils._report.summary import summary_of
from ansible_collections.dcops.apc.plugins.module_utils._report.text import host_text, tidy

NOW = "2026-03-14T02:00:00Z"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>1</script>",
    "<!-- ",
    "&lt;b&gt;",
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " \u00a0=1",
    "\u200b=1",
    "\uff1d1+1",
    "\ufe63\u0031",
    "a;=cmd|' /C calc'!A0",
    "{{ lookup('pipe','id') }}",
    "{% raw %}",
    "abc\u202egnp.exe",
    "a\x00b",
    "\x1b[2Jx",
    "line\nbreak\r\nand\u2028more",
    "\ud800",
    "\ufffe\uffff",
    "]]>",
    "n" * 10_000,
]


def unit(text: str, host: str = "ups-1", status: str = "fix_missing") -> dict[str, Any]:
    """Hostile in every field that a device or an inventory can fill."""
    finding = dict.fromkeys(("current", "fixed_in", "reason", "source"), text)
    return {
        "host": host,
        "ups": {"model": text, "sku": text, "serial": text, "firmware": {"raw": text, "id": 18}},
        "ap9624": {"status": status, **finding, "rule": 8, "basis": "bulletin", "identified_by": "id"}
        | {"expander": "present", "advice": [{"id": text, "text": text}]},
        "nmc": {"model": text, "aos": {"version": text}, "app": {"name": text, "version": text}},
        "interface_expander": "present",
    }


def failed(text: str, host: str = "ups-2", kind: str = "timeout") -> dict[str, Any]:
    return {"host": host, "error": {"kind": kind, "message": text}}


def ats(text: str, host: str = "ats-1") -> dict[str, Any]:
    nmc = {"model": "AP7724", "aos": {"version": "3.7.4"}, "app": {"name": "g2ats", "version": "3.7.1"}}
    return {"host": host, "ats": {"model": "AP7724", "serial": text, "controller_comm": "established"}, "nmc": nmc}


def report(*units: dict[str, Any], **head: Any) -> dict[str, Any]:
    return build(Head(now=NOW, **head), rows_of(units, [], NOW).rows)


def hostile(text: str) -> dict[str, Any]:
    return report(unit(text), failed(text), ats(text), title=text, change_reference=text, slice=text)


def with_raw(text: str) -> dict[str, Any]:
    """Past the tidying of rows: the writers stand on their own."""
    made = hostile("x")

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(item) if key != "status" else item for key, item in value.items()}
        if isinstance(value, list):
            return [put(item) for item in value]
        return text if value == "x" else value

    found: dict[str, Any] = put(made)
    return found


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(content.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append("/" + tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def seen(text: str) -> bool:
    """Whether a text leaves anything to show: an empty one is shown as its absence, by other tags."""
    return tidy(text) is not None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60).filter(seen))
@pytest.mark.parametrize("make", [hostile, with_raw])
def test_html_holds_texts_as_text(make: Any, text: str) -> None:
    page, plain = Page(as_html.as_html(make(text))), Page(as_html.as_html(make("x")))
    # Nothing that a text says makes, ends or changes an element.
    assert page.tags == plain.tags and page.others == plain.others == []
    assert page.attributes == plain.attributes
    if make is hostile:
        assert tidy(text) in page.texts


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", [hostile, with_raw])
def test_html_of_known_attacks(make: Any, text: str) -> None:
    page, plain = Page(as_html.as_html(make(text))), Page(as_html.as_html(make("x")))
    assert (page.tags, page.attributes, page.others) == (plain.tags, plain.attributes, [])
    shown = "".join(page.texts[page.texts.index("AP9624 compliance") if "AP9624 compliance" in page.texts else 0 :])
    assert "\u202e" not in shown and "\x00" not in shown and "n" * 3000 not in shown


def test_html_is_self_contained_and_its_policy_fits() -> None:
    content = as_html.as_html(hostile("x")).decode()
    page = Page(content.encode())
    policy = next(value for _tag, name, value in page.attributes if name == "content" and "default-src" in str(value))
    assert policy is not None and policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        bodies = re.findall(f"<{tag}>(.*?)</{tag}>", content, re.S)
        assert len(bodies) == 1
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not {"link", "img", "iframe", "object", "form", "base"} & set(page.tags)
    assert not [name for _tag, name, _value in page.attributes if name.startswith("on") or name in ("style", "src")]
    assert all(value.startswith("#") for _tag, name, value in page.attributes if name == "href" and value)
    assert "http://" not in content and "https://" not in content and "url(" not in content


def test_html_shows_what_an_auditor_asks_for() -> None:
    row = unit("")
    row["ap9624"] |= {"current": "UPS 09.1 (ID18)", "fixed_in": "UPS 09.3", "reason": "Below the fix.", "source": "S1"}
    row["ap9624"]["advice"] = [{"id": "FA233875", "text": "Groups with clients stay on."}]
    row["nmc"]["simulated"] = 30
    content = as_html.as_html(report(row, ats("ZA1"), failed("no answer"), change_reference="CHG0031337"))
    page = Page(content)
    text = " ".join(" ".join(page.texts).split())
    for words in (
        "CHG0031337",
        "2026-03-14 02:00:00 UTC",
        "SIMULATED 1 of 3 units",
        "UPS 09.1 (ID18) → fixed in UPS 09.3 or later",
        "Below the fix.",
        "Source: S1",
        "Basis: bulletin",
        "Identified by: id",
        "Advice: FA233875",
        "FA233875 : Groups with clients stay on.",
        "covered: use the guarded upgrade",
        "AOS 3.7.4, g2ats 3.7.1",
        "no answer",
        "Published fix missing: 1 of 3.",
    ):
        assert words in text, words
    assert {"svg", "rect", "caption", "time"} <= set(page.tags)
    assert ("html", "lang", "en") in page.attributes and ("p", "aria-live", "polite") in page.attributes
    assert {value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")} == {"col", "row"}
    assert page.tags.count("th") == sum(1 for tag, name, _v in page.attributes if (tag, name) == ("th", "scope"))


def test_no_simulated_mark_on_real_units() -> None:
    text = " ".join(Page(as_html.as_html(report(unit("x"), ats("y")))).texts)
    assert "SIMULATED" not in text


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("table", [page_style.LIGHT, page_style.DARK])
def test_contrast_is_enough(table: dict[str, str]) -> None:
    for name in ("fg", "muted", "link", "bad", "warn", "info", "ok", "quiet"):
        for ground in ("bg", "panel"):
            one, other = sorted((luminance(table[name]), luminance(table[ground])), reverse=True)
            assert (one + 0.05) / (other + 0.05) >= 4.5, f"{name} on {ground}"


def test_statuses_differ_without_colour() -> None:
    assert len({status.symbol for status in STATUSES}) == len({status.label for status in STATUSES}) == len(STATUSES)


def table_of(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def dangerous(text: str) -> bool:
    """Whether a spreadsheet could take a cell for a formula; written anew here, without the writer's own functions."""
    folded = unicodedata.normalize("NFKC", text)
    bare = "".join(char for char in folded if not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf"))
    return text[:1] in ("\t", "\r") or bare[:1] in ("=", "+", "-", "@", "\u2212")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.text("=+-@ \t\r\n\"';,\u200b\uff1d\ufe63a1", max_size=12))
@example("=1")
@pytest.mark.parametrize("make", [hostile, with_raw])
def test_csv_comes_back_without_a_formula(make: Any, text: str) -> None:
    made = make(text)
    rows = table_of(as_text.as_csv(made))
    assert len(rows) == 3 and all(set(row) == set(as_text.COLUMNS) for row in rows)
    for row in rows:
        for value in row.values():
            assert not dangerous(value), value
            # Cut at another separator, as a spreadsheet of another country would.
            assert not any(dangerous(part) for part in re.split('[;,|\t"]', value)), value
            assert "\n" not in value and "\r" not in value and "\0" not in value


@pytest.mark.parametrize("text", HOSTILE)
def test_csv_of_known_attacks(text: str) -> None:
    for made in (hostile(text), with_raw(text)):
        for row in table_of(as_text.as_csv(made)):
            assert not any(dangerous(value) for value in row.values())


def test_csv_leaves_harmless_texts_as_they_are() -> None:
    row = table_of(as_text.as_csv(report(unit('Smart-UPS "X", 1500; größe'))))[0]
    assert row["model"] == 'Smart-UPS "X", 1500; größe'
    assert (row["host"], row["status"], row["firmware_id"], row["rule"]) == ("ups-1", "fix_missing", "18", "8")
    raw = as_text.as_csv(report(unit("x")))
    assert raw.count(b"\r\n") == raw.count(b"\n") == 2


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1", "'=1"),
        (" =1", "' =1"),
        ("\t1", "'\t1"),
        ("a;=1", "a;'=1"),
        ("a; +1", "a;' +1"),
        ('a";-1', "a\";'-1"),
        ("\uff20x", "'\uff20x"),
        ("a=1", "a=1"),
        ("a-b", "a-b"),
        (None, ""),
        (7, "7"),
    ],
)
def test_cell(text: Any, safe: str) -> None:
    assert as_text.cell(text) == safe


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
@pytest.mark.parametrize("make", [hostile, with_raw])
def test_junit_is_xml_whatever_the_text(make: Any, text: str) -> None:
    root = ET.fromstring(as_text.as_junit(make(text)))
    assert [len(case) for case in root.iter("testcase")] == [1, 2, 2]
    assert {case.get("name") for case in root.iter("testcase")} == {"ats-1", "ups-1", "ups-2"}


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_of_known_attacks(text: str) -> None:
    for made in (hostile(text), with_raw(text)):
        assert len(list(ET.fromstring(as_text.as_junit(made)).iter("testcase"))) == 3


@pytest.mark.parametrize(
    ("status", "fail_on", "outcome"),
    [
        ("fix_missing", (), "skipped"),
        ("fix_missing", ("fix_missing",), "failure"),
        ("no_published_fix", (), "skipped"),
        ("no_published_fix", ("unknown",), "skipped"),
        ("no_published_fix", ("no_published_fix",), "failure"),
        ("unknown", (), "skipped"),
        ("unknown", ("unknown",), "failure"),
        ("not_a_ups", (), "skipped"),
        ("not_a_ups", ("not_a_ups",), "failure"),
        ("unreachable", (), "skipped"),
        ("unreachable", ("unreachable",), "error"),
        ("error", (), "skipped"),
        ("error", ("error",), "error"),
        ("no_result", (), "error"),
        ("fixed", (), ""),
        ("not_affected", (), ""),
        ("not_covered", (), ""),
        ("use_guarded_upgrade", (), ""),
        ("never_3x", (), ""),
        ("never_3x", ("never_3x",), "failure"),
    ],
)
def test_verdicts(status: str, fail_on: tuple[str, ...], outcome: str) -> None:
    row = {"host": "h", "status": status, "error": None, "kind": None}
    assert policy.outcome(status, bool(policy.failing([row], fail_on, {}))) == outcome


def test_the_policy_of_its_own_run_decides_on_a_host() -> None:
    rows = rows_of([unit("x", "a"), unit("x", "b"), unit("x", "c", "fixed"), failed("x", "d")], ["e"], NOW).rows
    own = {"a": False, "c": True, "e": False}
    # A host without a result fails whatever anybody says.
    assert policy.failing(rows, ["fix_missing"], own) == {"b", "c", "e"}
    assert policy.failing(rows, [], {}) == {"e"}


@pytest.mark.parametrize("own", [{}, {"h": False}])
def test_a_host_that_was_not_asked_always_fails(own: dict[str, bool]) -> None:
    rows = rows_of([failed("snmp_port is no number", "h", "unsupported")], [], NOW).rows
    assert policy.failing(rows, [], own) == {"h"}
    assert policy.outcome(rows[0]["status"], True) == "error"


def test_an_ats_is_none_of_the_policys_business() -> None:
    rows = rows_of([{"host": "h", "ats": {"model": "?"}, "nmc": {"model": "?"}}], [], NOW).rows
    assert rows[0]["status"] == "unknown" and policy.failing(rows, ["unknown"], {}) == frozenset()


def test_junit_counts_and_messages() -> None:
    units = [unit("u", "a"), unit("u", "b", "unknown"), unit("u", "c", "fixed"), failed("silent", "d")]
    units += [failed("odd", "e", "internal"), failed("pdu", "f", "not_a_ups")]
    suite = ET.fromstring(as_text.as_junit(report(*units, change_reference="CHG1"), {"a", "d"})).find("testsuite")
    assert suite is not None
    totals = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert totals == {"tests": "6", "failures": "1", "errors": "1", "skipped": "3"}
    messages = {case.get("name"): [child.get("message") for child in case][:1] for case in suite.iter("testcase")}
    assert messages["a"] == ["Fix missing (u -> u): u"]
    assert messages["d"] == ["Unreachable: silent"]
    assert messages["e"] == ["Error (reported only: the policy does not fail on it): odd"]
    assert messages["f"] == ["Not a UPS: pdu"] and messages["c"] == [None]
    assert {item.get("name"): item.get("value") for item in suite.iter("property")}["change_reference"] == "CHG1"
    for host, shown in (("d", "error"), ("a", "failure"), ("e", "skipped")):
        case = suite.find(f"testcase[@name='{host}']")
        assert case is not None and case[0].tag == shown


def test_junit_is_never_green_on_a_gap() -> None:
    for status in statuses.GAPS:
        case = next(ET.fromstring(as_text.as_junit(report(unit("u", "a", status)))).iter("testcase"))
        said = str(case[0].get("message"))
        assert case[0].tag == "skipped" and "(reported only: the policy does not fail on it)" in said
        assert said.endswith(": u")


def test_json_is_ascii_and_complete() -> None:
    made = report(unit("größe"), failed("x"))
    data = as_text.as_json(made)
    assert data.isascii() and json.loads(data) == made


@given(st.text(max_size=400) | st.sampled_from(HOSTILE))
def test_texts_are_bounded_single_and_printable(text: str) -> None:
    assert harmless(text, 50).isprintable() and len(harmless(text, 50)) <= 50
    shown = tidy(text, 50)
    assert shown is None or (shown.isprintable() and shown == shown.strip() and shown)
    assert host_text(text).isprintable() and 0 < len(host_text(text)) <= 255


def test_long_names_stay_different() -> None:
    one, other = host_text("h" * 5000 + "1"), host_text("h" * 5000 + "2")
    assert one != other and len(one) <= 255
    made = report(unit("x", "h" * 5000 + "1"), unit("x", "h" * 5000 + "2"))
    assert made["total"] == 2


def test_summary_is_bounded_and_names_what_matters() -> None:
    units = [unit("v", f"ups-{number:03}") for number in range(100)]
    units += [failed("x", f"silent-{number:03}") for number in range(10)]
    lines = summary_of(report(*units, title="T"), "/r.json")
    assert summary_of(report(unit("v"), title="T"), None)[0] == "T: 1 unit"
    assert lines[0] == "T: 110 units" and lines[1] == "Fix missing 100; Unreachable 10"
    assert "and 80 more" in lines[2] and "silent-009 (unreachable)" in lines[3]
    assert lines[-1] == "Report: /r.json" and all(len(line) < 3200 for line in lines)
    for text in HOSTILE:
        assert all(line.isprintable() for line in summary_of(hostile(text), None))


def test_two_thousand_units_are_quick_and_not_too_large() -> None:
    units = [unit("UPS 09.1 (ID18)", f"ups-{number:04}", NAMES[number % 3]) for number in range(2000)]
    assert len(as_html.as_html(report(*units))) < 6_000_000


def test_every_status_has_a_place() -> None:
    assert set(BY_NAME) == set(NAMES) and report(unit("x"))["counts"] == {**dict.fromkeys(NAMES, 0), "fix_missing": 1}
