# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages of a card, and pages that are none: what is read from them, and that nothing breaks or blows up the reader."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.events import parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._transport import web_pages
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_forms import (
    events_of,
    fill,
    is_busy,
    is_without_app,
    login_form,
    looks_like_login,
    values_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_pages import read_page
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_types import MAX_TEXT, decode
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import effort

FORM = """<html><body><form name="frmLogin" action="/NMC/a+b/Forms/login1" METHOD=POST>
<table><tr><td>User<td><input name=login_username><tr><td><input type="password" name="login_password">
<input type=hidden name=prefLanguage value="00000000"><INPUT TYPE=HIDDEN NAME=h VALUE="a&quot;&amp;b<c">
<input type=submit name=submit value="Log On"></table></form></body></html>"""


def test_the_login_form_is_filled_as_a_browser_would() -> None:
    form = login_form(read_page(FORM))
    assert form is not None and (form.name, form.action, form.method) == ("frmLogin", "/NMC/a+b/Forms/login1", "POST")
    assert sorted(fill(form, "apc", "pässword")) == [
        ("h", 'a"&b<c'), ("login_password", "pässword"), ("login_username", "apc"), ("prefLanguage", "00000000"),
        ("submit", "Log On"),
    ]  # fmt: skip


def test_hidden_fields_cannot_take_the_place_of_the_login() -> None:
    hidden = '<input type=hidden name=login_username value=x><input type=hidden name=submit value="Delete">'
    form = login_form(read_page(FORM.replace("</form>", f"{hidden}</form>")))
    assert form is not None
    names = [name for name, _value in fill(form, "apc", "pw")]
    assert sorted(names) == sorted(set(names)) and dict(fill(form, "apc", "pw"))["login_username"] == "apc"
    assert dict(fill(form, "apc", "pw"))["submit"] == "Log On"


def test_another_sites_login_is_not_the_cards() -> None:
    page = read_page("<form method=post><input name=user><input type=password name=password></form>")
    assert login_form(page) is None and not looks_like_login(page)
    assert looks_like_login(read_page("<form id=HashForm1></form>"))


def test_a_form_with_more_than_a_login_has_is_not_whole() -> None:
    more = "".join(f"<input type=hidden name=n{number} value=v>" for number in range(100))
    for hostile in (more, f"<input type=hidden name=n value='{'x' * 5000}'>"):
        form = login_form(read_page(FORM.replace("</form>", f"{hostile}</form>")))
        assert form is not None and not form.whole
    form = login_form(read_page(FORM))
    assert form is not None and form.whole


def test_the_busy_page_whatever_its_line_breaks() -> None:
    words = "<p>Someone is\r\n currently&nbsp;logged <b>into</b> the APC Management Web Server.</p>"
    assert is_busy(read_page(words)) and not is_busy(read_page(FORM))
    assert is_without_app(read_page("<td>There was a problem loading the application</td>"))
    plain = "someone is currently logged into the APC Management Web Server"
    assert is_busy(read_page(plain)) and not is_busy(read_page(f"<script>{plain}</script><title>{plain}</title>"))


ABOUT = """<table><tr><td><table>
<tr><td class="dataName"><span id="langModel">Model</span>:</td> <td>AP7724</td></tr>
<tr><td class=dataName>Serial Number<td>5A15&#27;[31m11T0&#x202e;0001
<tr><td class="dataName">Name:</td><td><b>rack</b> 4 &amp; &lt;5&gt;<script>alert(1)</script></td>
    <td class="dataName">Empty:</td><td></td></tr>
<tr><td>Uptime:</td><td>3 Days<br>2 Hours</td></tr>
<tr><td colspan=2>A heading</td></tr>
<tr><td class="dataName">Version:</td><td>v3.9.2</td></tr><tr><td class="dataName">Version:</td><td>v3.9.1</td></tr>
</table></td></tr></table>"""


def test_values_by_their_labels() -> None:
    assert values_of(read_page(ABOUT)) == {
        "Model": "AP7724", "Serial Number": "5A15[31m11T0\\u202e0001", "Name": "rack 4 & <5>", "Empty": "",
        "Uptime": "3 Days 2 Hours", "Version": "v3.9.2", "Version (2)": "v3.9.1",
    }  # fmt: skip


def test_values_are_bounded() -> None:
    row = f"<tr><td class=dataName>{'l' * 3000}:</td><td>{'v' * 3000}</td></tr>"
    found = values_of(read_page("<table>" + row * 500))
    assert 0 < len(found) <= 200
    assert max(map(len, found)) < 100 and max(map(len, found.values())) <= 256


EVENTS = """<table><tr><td>Menu</td><td>Event Log</td></tr><tr><td>
<table><tr><th>Date<th>Time<th>Event</tr>
<tr><td>09/05/2017</td><td>23:21:26</td><td>Automatic Transfer Switch: ATS Controller firmware download failed.</tr>
<tr><td>02/09/2018 14:02:39 Device UPS: Lost the local network management interface-to-UPS communication. 0x0102
<tr><td>what is this?</td></tr>
<tr><td>99/99/2018</td><td>odd &lt;row&gt;</td><tr><td></td></tr>
</table></td></tr></table></body></html>"""


def test_event_rows_are_kept_also_the_unknown_ones() -> None:
    found = events_of(read_page(EVENTS))
    assert found.rows == (
        "Date\tTime\tEvent",
        "09/05/2017\t23:21:26\tAutomatic Transfer Switch: ATS Controller firmware download failed.",
        "02/09/2018 14:02:39 Device UPS: Lost the local network management interface-to-UPS communication. 0x0102",
        "what is this?",
        "99/99/2018\todd <row>",
    )
    assert found.complete and not events_of(read_page(EVENTS.partition("99/99")[0])).complete
    kinds = [row.kind for row in parse_event_log(found.text.encode()).rows]
    assert kinds[0] == "controller_download_failed"


def test_event_rows_without_a_table() -> None:
    rows = "09/05/2017 23:21:26 System: Cold start. 0x0001\nodd\n09/05/2017 23:21:20 System: Warm start.\n"
    for page in (f"<h1>Event Log</h1><pre>{rows}</pre>end", "head<br>" + rows.replace("\n", "<br>") + "<p>end"):
        assert events_of(read_page(page)).rows == tuple(rows.strip().split("\n")), page
    found = events_of(read_page("<table><tr><td>nothing</td></tr></table>"))
    assert found.rows == () and found.lines == ("nothing",)


def test_long_comments_scripts_and_attributes_hide_nothing_behind_them() -> None:
    long = "x <td>no</td> " * 3000
    for hidden in (
        f"<!-- {long} -->", f"<script>{long}</script>", f"<style>{long}</style>", f"<img src='{'x' * 20000}'>",
        f"<!--{'-' * 9001}-->", "<![CDATA[ x ]]>", "<?php x ?>", "<!foo bar>",
    ):  # fmt: skip
        found = events_of(read_page(hidden + EVENTS.replace("<th>Time", hidden + "<th>Time")))
        assert len(found.rows) == 5 and "no" not in found.lines, hidden[:30]


def test_what_is_never_closed_ends_with_the_next_part() -> None:
    page = read_page("<table><tr><td><select><option>x<td>1<tr><td>2<form name=f><input name=a>")
    assert [row.text for row in page.rows] == ["\t1", "2"]
    assert [(form.name, len(form.fields)) for form in page.forms] == [("f", 1)]


def test_a_quote_that_is_never_closed_hides_nothing_behind_it() -> None:
    for open_end in ('<a title="', "<img alt='", "</a "):
        page = f"{open_end}{'x' * 9000}>{EVENTS}"
        assert len(events_of(read_page(page)).rows) == 5, open_end


def test_a_table_that_markup_in_a_name_has_ended_goes_on() -> None:
    assert values_of(read_page("<tr><td>A:<td></table></html><tr><td>B:</td><td>2</td></tr>"))["B"] == "2"
    assert values_of(read_page("<table>" * 3000 + "<tr><td>B:<td>2" + "</table>" * 3000 + "<td>C:<td>3")) == {
        "B": "2", "C": "3",
    }  # fmt: skip


def test_bytes_of_any_encoding() -> None:
    assert decode("Lüfter".encode()) == decode("Lüfter".encode("latin-1")) == "Lüfter"
    assert decode(b"\xff\x00\xfe")


BITS = st.sampled_from(
    ["<", ">", "</", "<!--", "-->", "<![", "<!", "<?", "&#", "&amp", "&#x110000;", '"', "'", "=", "x:", "<pre>", "<br>"]
    + ["<table>", "</table>", "<tr>", "<td>", "</td>", "<td class=dataName>", "<script>", "</script>", "<select>"]
    + ["<form name=frmLogin>", "</form>", "<input name=login_username>", "<input type=hidden name=x value='"]
    + ["\n", "\x00", "\x1b", "\u202e", "\ud7ff", "09/05/2017 23:21:26 "]
)
TEXTS = st.one_of(
    st.lists(st.one_of(BITS, st.text(max_size=8)), max_size=60).map("".join), st.binary(max_size=600).map(decode)
)


def check(text: str) -> None:
    page = read_page(text)
    assert len(page.rows) <= web_pages.MAX_ROWS and len(page.lines) <= web_pages.MAX_LINES
    texts = [cell.text for row in page.rows for cell in row.cells] + [
        part for line in page.lines for part in line.split("\t")
    ]
    for value in [*texts, *values_of(page), *values_of(page).values()]:
        assert value.isprintable() and len(value) <= MAX_TEXT
    found = events_of(page)
    assert all(row in page.lines for row in found.rows)
    form = login_form(page)
    if form is not None:
        assert sum(len(value) for _name, value in fill(form, "u", "p")) < 64 * 2 * web_pages.MAX_VALUE


@given(TEXTS)
@example("<!>" * 10)
@example("<![endif]-->")
@example("<![foo[")
@example("</x" * 5000)
@settings(max_examples=600, deadline=None)
def test_no_page_breaks_the_reader(text: str) -> None:
    check(text)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_mutation_of_a_real_page_breaks_the_reader(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([FORM, ABOUT, EVENTS]))
    for _mutation in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.one_of(BITS, st.text(max_size=5))) + text[at + data.draw(st.integers(0, 9)) :]
    check(text)


# Unfinished and malformed: what html.parser looks through again and again, or keeps.
BITS_OF_TROUBLE = (
    ["<!--", "<a ", '<a x="', "<a x='", "</", "<", "<!", "<?", "&#", "<td>", "<table>", "<a/", "<script>"]
    + ["<![", "</a ", "<table><tr><td>a:<td>b", "<td>x<br>", "<pre>\n", '<a x="<a>', "<a\t="]
    + ["<tr><td class=dataName>a:<td>b"]
)  # fmt: skip


@pytest.mark.parametrize("bit", BITS_OF_TROUBLE)
def test_the_largest_page_breaks_nothing(bit: str) -> None:
    check(bit * (262144 // len(bit)))


READERS = ("html.parser", "_markupbase", web_pages.__name__.rpartition(".")[0])


def looked_at(bit: str, size: int) -> int:
    text = bit * (size // len(bit))
    return effort(lambda: events_of(read_page(text)), READERS)


@pytest.mark.parametrize("bit", BITS_OF_TROUBLE)
def test_the_work_grows_no_faster_than_the_page(bit: str) -> None:
    """Counted, so that a busy machine proves nothing: no pattern is given more than what is pending, once a letter."""
    half, whole = looked_at(bit, 20_000), looked_at(bit, 40_000)
    assert whole < 2.2 * half + 200_000 and whole < 8192 * 40_000


@pytest.mark.parametrize("bit", ["<!--", "</", "<", "<?"])
def test_counting_finds_a_page_that_is_read_again_and_again(bit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_pages, "_PIECE", 10**9)
    monkeypatch.setattr(web_pages, "_MAX_PENDING", 10**9)
    assert looked_at(bit, 8000) > 3.5 * looked_at(bit, 4000)
