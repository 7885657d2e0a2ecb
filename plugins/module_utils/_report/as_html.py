# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one page that needs nothing else: no server, no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._report.page_script import SCRIPT
from ansible_collections.dcops.apc.plugins.module_utils._report.page_style import STYLE
from ansible_collections.dcops.apc.plugins.module_utils._report.page_tables import ats_section, esc, pill, units_section
from ansible_collections.dcops.apc.plugins.module_utils._report.statuses import BY_NAME, ORDER, STATUSES, Status
from ansible_collections.dcops.apc.plugins.module_utils._report.text import units_text

_BAR_PX = 44


def as_html(report: Mapping[str, Any]) -> bytes:
    units = sorted(report["units"], key=lambda row: (ORDER[row["status"]], row["host"]))
    advice = _advice_of(units)
    parts = [
        _head(report["title"]),
        '<body>\n<a class="skip" href="#units-title">Skip to the units</a>\n',
        _header(report),
        "<main>\n",
        _summary(report),
        units_section(units, advice),
        ats_section(units),
        _advice(advice),
        _sources(report),
        "</main>\n",
        _footer(report),
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n",
    ]
    return "".join(parts).encode("utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _head(title: str) -> str:
    policy = f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; base-uri 'none'; "
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}form-action \'none\'">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{esc(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
    )


def _when(stamp: str) -> str:
    shown = stamp.replace("T", " ").replace("Z", " UTC")
    return f'<time datetime="{esc(stamp)}">{esc(shown)}</time>'


def _header(report: Mapping[str, Any]) -> str:
    generator = report["generator"]
    facts = [
        ("Change reference", esc(report["change_reference"] or "none given")),
        ("Written", _when(report["generated_at"])),
        ("Units", esc(report["total"])),
        ("Part of the job", esc(report["slice"])) if report["slice"] else None,
        ("Merged from", _merged_from(len(report["merged_from"]))) if report["merged_from"] else None,
        ("Written by", f"{esc(generator['name'])} {esc(generator['version'])}"),
    ]
    listed = "".join(
        f'<div><dt>{fact[0]}</dt><dd class="iso">{fact[1]}</dd></div>\n' for fact in facts if fact is not None
    )
    return (
        f'<header>\n<h1>{esc(report["title"])}</h1>\n<dl class="facts">\n{listed}</dl>\n{_simulated(report)}</header>\n'
    )


def _merged_from(number: int) -> str:
    return "1 report" if number == 1 else f"{number} reports"


def _simulated(report: Mapping[str, Any]) -> str:
    number = sum(row["simulated"] is not None for row in report["units"])
    if not number:
        return ""
    return (
        f'<p class="simulated"><strong>SIMULATED</strong> {number} of {units_text(report["total"])} '
        f"{'is a simulated device' if number == 1 else 'are simulated devices'}. "
        "This says nothing about real ones.</p>\n"
    )


def _summary(report: Mapping[str, Any]) -> str:
    counts = report["counts"]
    shown = [status for status in STATUSES if counts[status.name] or status.always]
    rows = "".join(
        f'<tr><th scope="row">{pill(status)}</th><td>{counts[status.name]}</td><td>{esc(status.meaning)}</td></tr>\n'
        for status in shown
    )
    return (
        '<section aria-labelledby="summary-title">\n<h2 id="summary-title">Summary</h2>\n'
        f'<p class="lead">{esc(lead(counts, report["total"]))}</p>\n'
        f'<div class="summary">\n{_chart(shown, counts)}'
        '<table class="figures">\n<caption>Units by status</caption>\n<thead><tr><th scope="col">Status</th>'
        f'<th scope="col">Units</th><th scope="col">What it means</th></tr></thead>\n<tbody>\n{rows}'
        f'<tr><th scope="row">Total</th><td>{report["total"]}</td><td>All hosts of the run.</td></tr>\n'
        "</tbody>\n</table>\n</div>\n</section>\n"
    )


def lead(counts: Mapping[str, int], total: int) -> str:
    """What a person must know who reads no further."""
    dark = counts["unreachable"] + counts["error"] + counts["no_result"]
    said = [
        f"Published fix missing: {counts['fix_missing']} of {total}",
        _said("Concerned, and no fix is published", counts["no_published_fix"]),
        _said("Not to be judged by what they say of themselves", counts["unknown"]),
        _said("No answer or no result, so nothing is known", dark),
        _said("Rack ATS for the guarded upgrade only", counts["use_guarded_upgrade"]),
        _said("Rack ATS that must never get firmware 3.x", counts["never_3x"]),
    ]
    return " ".join(f"{text}." for text in said if text)


def _said(text: str, number: int) -> str:
    return f"{text}: {number}" if number else ""


def _chart(shown: list[Status], counts: Mapping[str, int]) -> str:
    """Bars in per cent and text in pixels: it fits any width, and the text stays as large as it is."""
    most = max([counts[status.name] for status in shown] + [1])
    bars = []
    for place, status in enumerate(shown):
        number, y = counts[status.name], place * _BAR_PX
        width = max(100 * number / most, 0.5) if number else 0
        bars.append(
            f'<text x="0" y="{y + 15}">{esc(status.symbol)} {esc(status.label)}</text>'
            f'<text class="number" x="100%" y="{y + 15}">{number}</text>'
            f'<rect class="track" x="0" y="{y + 21}" width="100%" height="14"/>'
            f'<rect class="bar {status.tone}" x="0" y="{y + 21}" width="{width:.2f}%" height="14"/>\n'
        )
    return (
        '<svg class="chart" role="img" aria-labelledby="chart-title" aria-describedby="chart-text" '
        f'height="{len(shown) * _BAR_PX}">\n'
        '<title id="chart-title">Units by status, as bars</title>\n'
        '<desc id="chart-text">The same numbers stand in the table that follows.</desc>\n'
        f"{''.join(bars)}</svg>\n"
    )


def _advice_of(units: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Each advice once, numbered."""
    found: dict[tuple[str, str], int] = {}
    for row in units:
        for item in (row["ap9624"] or {}).get("advice", ()):
            found.setdefault((item["id"], item["text"]), len(found) + 1)
    return found


def _advice(advice: Mapping[tuple[str, str], int]) -> str:
    if not advice:
        return ""
    items = "".join(
        f'<li id="advice-{number}"><strong>{esc(name)}</strong>: {esc(text)}</li>\n'
        for (name, text), number in advice.items()
    )
    return (
        f'<section aria-labelledby="advice-title">\n<h2 id="advice-title">Advice</h2>\n<ul>\n{items}</ul>\n</section>\n'
    )


def _sources(report: Mapping[str, Any]) -> str:
    rules = "".join(f"<li><strong>{esc(rule['id'])}</strong>: {esc(rule['about'])}</li>\n" for rule in report["rules"])
    merged = "".join(
        f"<li>{esc(item['location'])}: {units_text(item['total'])}, written {_when(item['generated_at'])}, "
        f"SHA-256 {esc(item['sha256'])}</li>\n"
        for item in report["merged_from"]
    )
    replaced = "".join(
        f'<li><span class="iso">{esc(item["host"])}</span>: '
        f"kept {esc(BY_NAME[item['kept_status']].label)} of {_when(item['kept'])}, "
        f"dropped {esc(BY_NAME[item['dropped_status']].label)} of {_when(item['dropped'])}</li>\n"
        for item in report["replaced"]
    )
    parts = [
        '<section aria-labelledby="rules-title">\n<h2 id="rules-title">Where the rules come from</h2>\n',
        f"<ul>\n{rules}</ul>\n",
        "<p>An AP9624 cannot be seen by SNMP: whether one is fitted is the operator's word. Where nobody said, ",
        "a unit is judged as if one were. Versions of UPS firmware compare only inside one UPS ID.</p>\n</section>\n",
    ]
    if merged:
        parts.append(f"<section>\n<h2>Merged reports</h2>\n<ul>\n{merged}</ul>\n</section>\n")
    if replaced:
        parts.append(
            "<section>\n<h2>Hosts that came more than once</h2>\n<p>The newest row counts.</p>\n"
            f"<ul>\n{replaced}</ul>\n</section>\n"
        )
    return "".join(parts)


def _footer(report: Mapping[str, Any]) -> str:
    return (
        f'<footer><p class="muted">Written {_when(report["generated_at"])} by {esc(report["generator"]["name"])} '
        f"{esc(report['generator']['version'])}, schema {esc(report['schema_version'])}. Nothing was changed on any "
        "device. The rules were tried on simulated devices only.</p></footer>\n"
    )
