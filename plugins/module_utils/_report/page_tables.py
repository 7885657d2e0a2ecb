# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of the page: all units, and the Rack ATS."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import BULLETINS
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import BY_NAME, ORDER, STATUSES, Status

_KINDS = {"ups": "UPS", "ats": "Rack ATS", "other": "other"}
_UNIT_COLUMNS = ("Host", "Status", "Unit", "Firmware", "Management card", "Finding")
_BASIS = {"bulletin": "bulletin", "release notes": "release notes (our inference)", "operator": "operator's word"}
_COMM = {"established": "established", "lost": "LOST", "never_discovered": "NEVER DISCOVERED"}


def esc(value: object) -> str:
    """The one way by which a text gets into the page."""
    return html.escape(harmless(value), quote=True)


def pill(status: Status) -> str:
    symbol = f'<span aria-hidden="true">{esc(status.symbol)} </span>'
    return f'<span class="pill {status.tone}">{symbol}{esc(status.label)}</span>'


def units_section(units: list[Mapping[str, Any]], advice: Mapping[tuple[str, str], int]) -> str:
    present = [status for status in STATUSES if any(row["status"] == status.name for row in units)]
    options = "".join(f'<option value="{status.name}">{esc(status.label)}</option>' for status in present)
    rows = "".join(_unit(row, advice) for row in units)
    return (
        '<section aria-labelledby="units-title">\n<h2 id="units-title" tabindex="-1">All units</h2>\n'
        '<div class="tools" id="tools" role="search" aria-label="Units" hidden>\n'
        '<div><label for="filter-text">Show units whose row holds</label>'
        '<input id="filter-text" type="search" autocomplete="off" spellcheck="false" aria-controls="units"></div>\n'
        '<div><label for="filter-status">Status</label><select id="filter-status" aria-controls="units">'
        f'<option value="">all</option>{options}</select></div>\n'
        '<div><button type="button" id="filter-reset">Show all</button></div>\n'
        '<p id="shown" role="status" aria-live="polite"></p>\n</div>\n'
        '<table class="units wide" id="units" role="table">\n'
        "<caption>All hosts of the run, those that need somebody first</caption>\n"
        f"{_thead(_UNIT_COLUMNS)}"
        f'<tbody role="rowgroup">\n{rows}</tbody>\n</table>\n</section>\n'
    )


def _thead(columns: Iterable[str]) -> str:
    # The roles are named because a narrow screen shows the table as blocks, which would take them away.
    cells = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in columns)
    return f'<thead role="rowgroup"><tr role="row">{cells}</tr></thead>\n'


def _unit(row: Mapping[str, Any], advice: Mapping[tuple[str, str], int]) -> str:
    status = BY_NAME[row["status"]]
    names = [row["model"] or "model unknown", row["sku"], f"serial {row['serial']}" if row["serial"] else None]
    unit = _lines([_KINDS.get(row["kind"] or "")] + names) if row["kind"] else ""
    card = row["card"] or {}
    aos = f"AOS {card['aos']}" if card.get("aos") else None
    simulated = '<br><strong class="loud">SIMULATED</strong>' if row["simulated"] is not None else ""
    cells = [
        ("Status", f' data-sort="{ORDER[status.name] + 1}"', pill(status)),
        ("Unit", "", unit),
        ("Firmware", "", _firmware(row)),
        ("Card", "", _lines([card.get("model"), aos, card.get("app")])),
        ("Finding", "", _finding(row, advice)),
    ]
    shown = "".join(f'<td role="cell" data-label="{label}"{more}>{text}</td>' for label, more, text in cells)
    host = f'<th scope="row" role="rowheader"><span class="iso">{esc(row["host"])}</span>{simulated}</th>'
    return f'<tr role="row" data-status="{status.name}">{host}{shown}</tr>\n'


def _lines(texts: Iterable[object]) -> str:
    return "<br>".join(f'<span class="iso">{esc(text)}</span>' for text in texts if text)


def _firmware(row: Mapping[str, Any]) -> str:
    finding = row["ap9624"] or {}
    current = finding.get("current") or row["firmware"]
    shown = f'<span class="iso">{esc(current)}</span>' if current else ""
    if not finding.get("fixed_in"):
        return shown
    if finding["status"] == "fix_missing":
        target = f'<span class="target iso">{esc(finding["fixed_in"])}</span> or later'
        return f'{shown or "unknown"} <span aria-hidden="true">→</span> <span class="muted">fixed in</span> {target}'
    since = f'<span class="iso">{esc(finding["fixed_in"])}</span>'
    return f'{shown or "unknown"}<br><span class="muted">fixed in {since}</span>'


def _finding(row: Mapping[str, Any], advice: Mapping[tuple[str, str], int]) -> str:
    parts = []
    if row["error"]:
        parts.append(f'<p>{esc(row["error"]["message"])} <span class="muted">({esc(row["error"]["kind"])})</span></p>')
    elif row["status"] == "no_result":
        parts.append("<p>The run has no result for this host.</p>")
    parts += [
        f"<p><strong>{esc(item['bulletin'])}</strong>: {_loud(item['text'])}</p>"
        for item in row["exposures"]
        if item["applies"] is not False or row["status"] == "not_covered"
    ]
    finding = row["ap9624"]
    if finding:
        parts.append(f'<p class="iso">{esc(finding["reason"] or "No reason was given.")}</p>')
        facts = [
            ("Source", esc(finding["source"] or "none")),
            ("Basis", esc(_BASIS.get(finding["basis"] or "", "none"))),
            ("Identified by", esc(finding["identified_by"] or "nothing")),
            ("AP9624", esc(finding["expander"])),
            ("Rule", esc(finding["rule"])) if finding["rule"] is not None else None,
        ]
        links = [(item["id"], advice[item["id"], item["text"]]) for item in finding["advice"]]
        if links:
            shown = ", ".join(f'<a href="#advice-{number}">{esc(name or "advice")}</a>' for name, number in links)
            facts.append(("Advice", shown))
        listed = "".join(f"<div><dt>{fact[0]}:</dt> <dd>{fact[1]}</dd></div> " for fact in facts if fact)
        parts.append(f'<dl class="small">{listed}</dl>')
    return "".join(parts)


def _loud(text: str) -> str:
    return f'<strong class="loud">{esc(text)}</strong>' if text.startswith("DANGER") else esc(text)


def ats_section(units: list[Mapping[str, Any]]) -> str:
    rows = []
    bulletins = [row.id for row in BULLETINS]
    for row in units:
        if row["kind"] != "ats":
            continue
        said = {item["bulletin"]: item["text"] for item in row["exposures"]}
        comm = _COMM.get(row["controller_comm"] or "", "not read")
        cells = [
            ("Model", esc(row["model"] or "unknown")),
            ("Versions", esc(row["firmware"] or "unknown")),
            ("Controller communication", esc(comm)),
            *((name, _loud(said.get(name, ""))) for name in bulletins),
        ]
        shown = "".join(f'<td role="cell" data-label="{label}">{text}</td>' for label, text in cells)
        host = f'<th scope="row" role="rowheader"><span class="iso">{esc(row["host"])}</span></th>'
        rows.append(f'<tr role="row">{host}{shown}</tr>\n')
    if not rows:
        return ""
    columns = ("Host", "Model", "Versions", "Controller communication", *bulletins)
    return (
        '<section aria-labelledby="ats-title">\n<h2 id="ats-title">Rack ATS: what a firmware upgrade would do</h2>\n'
        '<table class="wide" id="ats" role="table">\n<caption>All Rack ATS of the run, '
        "with the bulletins about them</caption>\n"
        f'{_thead(columns)}<tbody role="rowgroup">\n{"".join(rows)}</tbody>\n</table>\n</section>\n'
    )
