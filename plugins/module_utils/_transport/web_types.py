# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page of the card as it is read: its forms, the rows of its tables, its text."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import one_line

MAX_TEXT = 600


@dataclass(frozen=True)
class Cell:
    text: str
    css_class: str = ""


@dataclass(frozen=True)
class Row:
    """``table`` numbers the tables of the page; a row belongs to the innermost one."""

    table: int
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        return "\t".join(cell.text for cell in self.cells)


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    value: str


@dataclass(frozen=True)
class Form:
    """``whole`` False: it has more, or longer, fields than any login."""

    name: str
    action: str
    method: str
    fields: tuple[Field, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Page:
    """``lines``: all text in the order of the page, a table's row as one line with tabs."""

    forms: tuple[Form, ...] = ()
    rows: tuple[Row, ...] = ()
    lines: tuple[str, ...] = ()
    ended: bool = False

    def says(self, words: str) -> bool:
        """``words``: lower case, with single spaces."""
        return words in " ".join(" ".join(self.lines).lower().split())


def decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """One line without control, direction and other invisible characters."""
    return one_line(text, limit)
