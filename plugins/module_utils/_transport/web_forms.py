# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages of a card mean: its login form, its busy page, the rows of its event log, the values it tells.

Source of every name and phrase: facts/NMC "Web" and "Sessions and accounts". Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._transport.web_types import Cell, Form, Page, clean

_LOGIN_FORMS = ("frmlogin", "hashform1")
_USER, _PASSWORD = "login_username", "login_password"
_BUSY = ("someone is currently logged into", "someone is currently logged in to")
_WITHOUT_APP = "there was a problem loading the application"
# Any of the formats that a card can be set to: the date of an event row begins so.
_DATED = re.compile(
    r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|[A-Za-z]{3}[- ]\d{1,2}[- ]\d|\d{1,2}[- ][A-Za-z]{3}[- ]\d)", re.ASCII
)
_MAX_VALUES = 200
_MAX_LABEL = 80
_MAX_VALUE_TEXT = 256


@dataclass(frozen=True)
class EventPage:
    """``rows``: of the tables that hold a dated row all rows, known or not, cells parted by tabs, in the page's order.

    ``complete`` False: the page has no end of its own, so it may have been cut where nothing else tells.
    No ``rows``: nothing on the page looks like an event; ``lines`` is then what it says instead.
    """

    rows: tuple[str, ...]
    lines: tuple[str, ...]
    complete: bool

    @property
    def text(self) -> str:
        return "\n".join(self.rows)


def login_form(page: Page) -> Form | None:
    """The card's own form. Another site's login, which has other names, is not filled in."""
    for form in page.forms:
        names = {field.name for field in form.fields}
        if {_USER, _PASSWORD} <= names:
            return form
    return None


def looks_like_login(page: Page) -> bool:
    return login_form(page) is not None or any(form.name.lower() in _LOGIN_FORMS for form in page.forms)


def fill(form: Form, username: str, password: str) -> list[tuple[str, str]]:
    """What a browser would send: every hidden field as it is, and the button."""
    sent = [(field.name, field.value) for field in form.fields if field.type == "hidden"]
    sent = [(name, value) for name, value in sent if name not in (_USER, _PASSWORD, "submit")]
    button = next((field.value for field in form.fields if field.name == "submit" and field.value), "Log On")
    return [(_USER, username), (_PASSWORD, password), ("submit", button), *sent]


def is_busy(page: Page) -> bool:
    return any(page.says(words) for words in _BUSY)


def is_without_app(page: Page) -> bool:
    return page.says(_WITHOUT_APP)


def events_of(page: Page) -> EventPage:
    tables = {row.table for row in page.rows if _DATED.match(row.text)}
    rows = [row.text for row in page.rows if row.table in tables]
    if not rows:
        # Not a table at all: lines of a <pre>, or parted by <br>.
        dated = [number for number, line in enumerate(page.lines) if _DATED.match(line)]
        rows = list(page.lines[dated[0] : dated[-1] + 1]) if dated else []
    return EventPage(tuple(rows), page.lines, page.ended)


def values_of(page: Page) -> dict[str, str]:
    """Label -> value. A label that comes again (each module has a "Version") gets a number: ``Version (2)``."""
    found: dict[str, str] = {}
    if looks_like_login(page) and not any(_is_name(cell) for row in page.rows for cell in row.cells):
        return found  # a login page has labels too
    for row in page.rows:
        cells = list(row.cells)
        while len(cells) >= 2 and len(found) < _MAX_VALUES:
            label, value = cells[0], cells[1]
            if not _is_name(label) and not label.text.endswith(":"):
                cells.pop(0)
                continue
            del cells[:2]
            name = clean(label.text.rstrip(": "), _MAX_LABEL)
            if name:
                found[_unused(name, found)] = clean(value.text, _MAX_VALUE_TEXT)
    return found


def _is_name(cell: Cell) -> bool:
    return "dataname" in cell.css_class.lower().split()


def _unused(name: str, taken: dict[str, str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
