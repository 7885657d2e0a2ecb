# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style of the page: light, dark, narrow and on paper."""

from __future__ import annotations

# Text on its background, light and dark; a test computes the contrast (WCAG AA: 4.5).
LIGHT = {
    "bg": "#ffffff",
    "panel": "#f5f7f9",
    "fg": "#1b1f24",
    "muted": "#57606a",
    "line": "#c9d1d9",
    "link": "#0550ae",
    "bad": "#b42318",
    "warn": "#7a4d00",
    "info": "#0550ae",
    "ok": "#116329",
    "quiet": "#57606a",
}
DARK = {
    "bg": "#0d1117",
    "panel": "#161b22",
    "fg": "#e6edf3",
    "muted": "#9ba5b0",
    "line": "#3d444d",
    "link": "#79b8ff",
    "bad": "#ff9b93",
    "warn": "#f0b34f",
    "info": "#79b8ff",
    "ok": "#5fd17a",
    "quiet": "#9ba5b0",
}


def _colours(table: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in table.items())


_RULES = """
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:100rem;background:var(--bg);color:var(--fg);
font:1rem/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{margin:0 0 .5rem;font-size:1.75rem;line-height:1.2}
h2{margin:2.25rem 0 .75rem;font-size:1.25rem}
h1,h2,p,dd,td,th,li{overflow-wrap:anywhere}
a{color:var(--link)}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;top:.5rem;background:var(--bg);padding:.5rem}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.lead{font-size:1.125rem;margin:.75rem 0}
.muted{color:var(--muted)}
.iso{unicode-bidi:isolate}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.5rem 1.5rem;margin:0}
.facts div{min-width:0}
.facts dt,.small dt{color:var(--muted);font-size:.875rem}
.facts dd{margin:0;font-weight:600}
.simulated{margin:1.25rem 0;padding:1rem;border:.3rem dashed var(--bad);text-align:center}
.simulated strong{display:block;color:var(--bad);font-size:2.25rem;letter-spacing:.15em;line-height:1.1}
.summary{display:grid;grid-template-columns:minmax(16rem,26rem) minmax(0,1fr);gap:1.5rem 3rem;align-items:start}
.chart{display:block;width:100%}
.chart text{fill:var(--fg);font-size:14px}
.chart .number{font-weight:700;text-anchor:end}
.chart .track{fill:var(--panel);stroke:var(--line)}
.chart .bad{fill:var(--bad)}.chart .warn{fill:var(--warn)}.chart .info{fill:var(--info)}
.chart .ok{fill:var(--ok)}.chart .quiet{fill:var(--quiet)}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
caption{text-align:left;color:var(--muted);padding:0 0 .5rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line)}
thead th{overflow-wrap:normal;border-bottom:2px solid var(--fg);background:var(--bg)}
.figures td:nth-child(2),.figures thead th:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}
.units thead th{position:sticky;top:0;z-index:1}
.units td p{margin:0 0 .35rem}
.sort{all:unset;cursor:pointer;font-weight:700;color:var(--link);text-decoration:underline}
.sort:focus-visible{outline:3px solid var(--link);outline-offset:2px}
[aria-sort=ascending] .sort::after{content:" \\25B2"}
[aria-sort=descending] .sort::after{content:" \\25BC"}
.pill{display:inline-block;
overflow-wrap:normal;padding:.05rem .5rem;border:1px solid;border-radius:1rem;font-weight:600}
.pill.bad{color:var(--bad)}.pill.warn{color:var(--warn)}.pill.info{color:var(--info)}
.pill.ok{color:var(--ok)}.pill.quiet{color:var(--quiet)}
.target{font-weight:700}
.loud{color:var(--bad);font-weight:700}
.small{margin:0;font-size:.875rem}
.small div{display:inline-block;margin-right:1rem}
.small dt,.small dd{display:inline;margin:0}
.tools{display:flex;flex-wrap:wrap;gap:.75rem 1.25rem;align-items:end;margin:0 0 .75rem}
.tools[hidden]{display:none}
.tools label{display:block;font-size:.875rem;color:var(--muted)}
.tools input,.tools select,.tools button{font:inherit;color:var(--fg);background:var(--bg);
border:1px solid var(--muted);border-radius:.35rem;padding:.4rem .6rem;max-width:100%}
.tools input{width:18rem}
tr[hidden]{display:none}
footer{margin-top:2.5rem;padding-top:.75rem;border-top:1px solid var(--line)}
"""
_WIDE = """
@media print,(min-width:56.01rem){
.figures tbody th{white-space:nowrap}
#ats th:nth-child(1){width:13%}#ats th:nth-child(2){width:8%}#ats th:nth-child(3){width:16%}
#ats th:nth-child(4){width:13%}#ats th:nth-child(5){width:23%}
.units th:nth-child(1){width:14%}.units th:nth-child(2){width:13%}.units th:nth-child(3){width:16%}
.units th:nth-child(4){width:17%}.units th:nth-child(5){width:10%}
}
"""
# A wide table becomes one card for each unit.
_NARROW = """
@media screen and (max-width:56rem){
body{padding:1rem}
.summary{grid-template-columns:minmax(0,1fr)}
.wide,.wide tbody,.wide tr,.wide td,.wide tbody th{display:block;width:auto}
.wide tr[hidden]{display:none}
.wide caption{display:block}
.wide thead{display:block}
.wide thead tr{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:.5rem 0;border-bottom:2px solid var(--fg)}
.wide thead th{display:block;width:auto;position:static;border:0;padding:.25rem 0}
.wide tbody tr{padding:.75rem 0;border-bottom:1px solid var(--line)}
.wide tbody td,.wide tbody th{border:0;padding:.1rem 0}
.wide tbody th{font-size:1.0625rem}
.wide td[data-label]::before{content:attr(data-label) ": ";color:var(--muted)}
.wide td:empty{display:none}
/* Nothing to sort by there, and each value has its label: only a screen reader needs these. */
#ats thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.tools input{width:100%}
.tools>div{flex:1 1 12rem}
}
"""
_PRINT = """
@page{size:A4 landscape;margin:12mm}
@media print{
:root{LIGHT}
html{font-size:8.5pt}
body{padding:0;max-width:none}
h2{break-after:avoid}
#units-title{break-before:page;margin-top:0}
.chart text{font-size:12px}
.simulated strong{font-size:2.75rem}
.tools,.skip{display:none!important}
tr[hidden]{display:table-row!important}
thead{display:table-header-group}
tr,.summary,.simulated{break-inside:avoid}
.units thead th{position:static}
/* Chromium leaves buttons out of headings that it repeats on every sheet. */
.sort{display:none}
[data-print]::before{content:attr(data-print)}
a{color:inherit;text-decoration:none}
}
"""
STYLE = (
    f":root{{color-scheme:light dark;{_colours(LIGHT)}}}\n"
    f"@media (prefers-color-scheme:dark){{:root{{{_colours(DARK)}}}}}"
    + _RULES
    + _WIDE
    + _NARROW
    + _PRINT.replace("LIGHT", "color-scheme:light;" + _colours(LIGHT))
)
