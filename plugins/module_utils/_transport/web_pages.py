# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a page of the card: its forms, the rows of its tables, its text. Pure, total, and bounded whatever comes.

Markup seen on AOS 5 and 6: facts/NMC "Web".
"""

from __future__ import annotations

from html.parser import HTMLParser

from ansible_collections.dcops.apc.plugins.module_utils._transport.web_types import (
    MAX_TEXT,
    Cell,
    Field,
    Form,
    Page,
    Row,
    clean,
)

# A card keeps some hundred events; a page of 256 kB could hold many more rows than that.
MAX_ROWS = 6000
MAX_LINES = 12000
MAX_CELLS = 32
MAX_VALUE = 4096
_MAX_FORMS = 8
_MAX_FIELDS = 64
# html.parser reads an unfinished construct anew with every piece, and some malformed ones in quadratic time.
_PIECE = 2048
_MAX_PENDING = 6144

_MUTE = ("title", "select", "textarea", "script", "style")
_BREAKS = frozenset(
    ("br", "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "pre", "hr", "form", "body", "center", "fieldset", "legend")
    + ("h1", "h2", "h3", "h4", "h5", "h6", "table", "tr", "td", "th")
)


def read_page(text: str) -> Page:
    reader = _Reader()
    # "<![" makes html.parser raise on some Pythons; as "<! [" it is a comment to all of them.
    reader.take(text.replace("<![", "<! ["))
    return reader.page()


class _Table:
    def __init__(self, number: int) -> None:
        self.number = number
        self.cells: list[Cell] = []
        self.cell: _Text | None = None
        self.css_class = ""

    def end_cell(self) -> None:
        if self.cell is not None and len(self.cells) < MAX_CELLS:
            self.cells.append(Cell(clean(self.cell.take()), self.css_class))
        self.cell = None

    def end_row(self) -> tuple[Cell, ...]:
        self.end_cell()
        cells, self.cells = tuple(self.cells), []
        return cells if any(cell.text for cell in cells) else ()


class _Text:
    """Collects the parts of one text; of an overlong one, the beginning."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0

    def add(self, part: str) -> None:
        if self._size < 2 * MAX_TEXT:
            self._parts.append(part[: 2 * MAX_TEXT])
            self._size += len(self._parts[-1])

    def take(self) -> str:
        whole = "".join(self._parts)
        self._parts, self._size = [], 0
        return whole


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._tables: list[_Table] = []
        self._numbered = 0
        self._muted = ""
        self._preformatted = False
        self._line = _Text()
        self._rows: list[Row] = []
        self._lines: list[str] = []
        self._forms: list[Form] = []
        self._form: Form | None = None
        self._fields: list[Field] = []
        self._ended = False

    # -- feeding -------------------------------------------------------------------------------------------------

    def take(self, text: str) -> None:
        at, skipping = 0, ""
        while at < len(text):
            if skipping:
                end = text.find(skipping, at)
                if end < 0:
                    break
                at, skipping = end + len(skipping), ""
            self.feed(text[at : at + _PIECE])
            at += _PIECE
            if len(self.rawdata) > _MAX_PENDING:
                skipping = self._unstick()
                # The end may have begun in what was just dropped.
                at -= len(skipping) - 1 if skipping else 0
        self.close()

    def _unstick(self) -> str:
        """Drops a construct of unusual length; returns what it ends with. A script's text is never wanted anyway."""
        if self.cdata_elem is not None:
            self.rawdata = self.rawdata[-32:]
            return ""
        ends = "-->" if self.rawdata.startswith("<!--") else ">"
        self.rawdata = ""
        return ends

    def close(self) -> None:
        super().close()
        self._end_form()
        while self._tables:
            self._pop()
        self._break()

    def page(self) -> Page:
        return Page(tuple(self._forms), tuple(self._rows), tuple(self._lines), self._ended)

    # -- what html.parser finds ----------------------------------------------------------------------------------

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _MUTE:
            self._muted = tag
        elif tag in _BREAKS:
            # Also where the muting element was never closed.
            self._muted = ""
        if tag in ("table", "tr", "td", "th"):
            self._begin_part(tag, attrs)
        elif tag == "form":
            self._end_form()
            given = _first(attrs)
            self._form = Form(
                given.get("name") or given.get("id", ""), given.get("action", ""), given.get("method", "")
            )
        elif tag in ("input", "button"):
            self._field(_first(attrs))
        elif tag in _BREAKS:
            self._preformatted = self._preformatted or tag == "pre"
            self._soft_break()

    def handle_endtag(self, tag: str) -> None:
        if tag == self._muted or tag in _BREAKS:
            self._muted = ""
        table = self._tables[-1] if self._tables else None
        if tag == "table":
            if table is not None:
                self._pop()
        elif tag == "tr":
            if table is not None:
                self._end_row(table)
        elif tag in ("td", "th"):
            if table is not None:
                table.end_cell()
        elif tag == "form":
            self._end_form()
        elif tag in _BREAKS:
            self._preformatted = self._preformatted and tag != "pre"
            self._soft_break()
        self._ended = self._ended or tag == "html"

    def handle_data(self, data: str) -> None:
        if self._muted:
            return
        table = self._tables[-1] if self._tables else None
        if table is not None and table.cell is not None:
            table.cell.add(data)
        elif self._preformatted and "\n" in data:
            for part in data.split("\n"):
                self._line.add(part)
                self._break()
        else:
            self._line.add(data)

    # -- tables and lines ----------------------------------------------------------------------------------------

    def _begin_part(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._break()
            self._numbered += 1
            self._tables.append(_Table(self._numbered))
            return
        if not self._tables:
            # A name with markup in it may have ended the table: what follows are rows all the same.
            self._begin_part("table", [])
        table = self._tables[-1]
        if tag == "tr":
            self._end_row(table)
        else:
            table.end_cell()
            table.cell = _Text()
            table.css_class = _first(attrs).get("class", "")[:80]

    def _pop(self) -> None:
        self._end_row(self._tables[-1])
        self._tables.pop()

    def _end_row(self, table: _Table) -> None:
        self._break()
        cells = table.end_row()
        if cells and len(self._rows) < MAX_ROWS:
            row = Row(table.number, cells)
            self._rows.append(row)
            self._add_line(row.text)

    def _soft_break(self) -> None:
        """Within a cell it parts words; elsewhere lines."""
        if self._tables and self._tables[-1].cell is not None:
            self._tables[-1].cell.add(" ")
        else:
            self._break()

    def _break(self) -> None:
        line = clean(self._line.take())
        if line:
            self._add_line(line)

    def _add_line(self, line: str) -> None:
        if len(self._lines) < MAX_LINES:
            self._lines.append(line)

    # -- forms ---------------------------------------------------------------------------------------------------

    def _field(self, given: dict[str, str]) -> None:
        if self._form is None or not given.get("name"):
            return
        field = Field(given["name"], given.get("type", "text").strip().lower(), given.get("value", ""))
        fits = len(self._fields) < _MAX_FIELDS and len(field.value) <= MAX_VALUE and len(field.name) <= MAX_VALUE
        if fits:
            self._fields.append(field)
        else:
            self._form = Form(self._form.name, self._form.action, self._form.method, whole=False)

    def _end_form(self) -> None:
        form, self._form = self._form, None
        fields, self._fields = tuple(self._fields), []
        if form is not None and len(self._forms) < _MAX_FORMS:
            self._forms.append(Form(form.name, form.action, form.method, fields, form.whole))


def _first(attrs: list[tuple[str, str | None]]) -> dict[str, str]:
    """Of an attribute that is given twice, the first counts, as in browsers."""
    found: dict[str, str] = {}
    for name, value in attrs:
        found.setdefault(name, value or "")
    return found
