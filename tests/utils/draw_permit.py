# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws the permit's table of transitions as SVG, between two marks of the safety guide."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState, What, targets

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "guide_safety.rst"
BEGIN, END = "..\n  permit picture, made by make docs\n", "..\n  end of the permit picture\n"
NODE_W, NODE_H = 92, 30
# Where each state stands; a new one must get its place, or the drawing fails.
PLACES = {
    PermitState.NONE: (70, 60),
    PermitState.ASKED: (270, 60),
    PermitState.OPEN: (470, 60),
    PermitState.OUT: (670, 60),
    PermitState.WITHDRAWN: (470, 220),
    PermitState.ISOLATED: (870, 60),
    PermitState.SENDING: (870, 220),
    PermitState.SETTLING: (870, 380),
    PermitState.SETTLED: (670, 380),
    PermitState.RETURNING: (470, 380),
    PermitState.CLOSED: (70, 380),
}
# From every state but none; a row of text says it once.
EVERYWHERE = What.REMOVED


def edges() -> dict[tuple[PermitState, PermitState], list[str]]:
    """The events that lead from one state into another; staying is no edge."""
    found: dict[tuple[PermitState, PermitState], list[str]] = {}
    for state in PermitState:
        for what in What:
            for after in targets(state, what):
                if after is not state and what is not EVERYWHERE:
                    found.setdefault((state, after), []).append(what.value)
    return found


def _edge(number: int, start: tuple[int, int], end: tuple[int, int], text: str) -> list[str]:
    """A curve, bent to its right, so that the way there and the way back lie apart."""
    (x1, y1), (x2, y2) = start, end
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    bend = 22 + length / 14
    middle_x, middle_y = (x1 + x2) / 2 - (y2 - y1) / length * bend, (y1 + y2) / 2 + (x2 - x1) / length * bend

    def border(x: float, y: float) -> tuple[float, float]:
        dx, dy = middle_x - x, middle_y - y
        scale = min(NODE_W / 2 / max(abs(dx), 1e-6), NODE_H / 2 / max(abs(dy), 1e-6))
        return x + dx * scale, y + dy * scale

    (sx, sy), (ex, ey) = border(x1, y1), border(x2, y2)
    return [
        (
            f'<path id="e{number}" d="M{sx:.0f},{sy:.0f} Q{middle_x:.0f},{middle_y:.0f} {ex:.0f},{ey:.0f}"'
            ' fill="none" stroke="#777" marker-end="url(#arrow)"/>'
        ),
        (
            f'<text x="{(sx + 2 * middle_x + ex) / 4:.0f}" y="{(sy + 2 * middle_y + ey) / 4:.0f}"'
            f' font-size="9" text-anchor="middle" fill="#234">{text}</text>'
        ),
    ]


def svg() -> str:
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 470" role="img" font-family="sans-serif">',
        "<title>The permit: its states, and the events that lead from one to another</title>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker></defs>',
    ]
    for number, ((start, end), names) in enumerate(edges().items()):
        lines += _edge(number, PLACES[start], PLACES[end], ", ".join(names))
    for state in PermitState:
        x, y = PLACES[state]
        lines += [
            (
                f'<rect x="{x - NODE_W // 2}" y="{y - NODE_H // 2}" width="{NODE_W}" height="{NODE_H}" rx="6"'
                ' fill="#eef3f8" stroke="#345"/>'
            ),
            f'<text x="{x}" y="{y + 4}" font-size="12" text-anchor="middle">{state.value}</text>',
        ]
    sources = [state.value for state in PermitState if PermitState.CLOSED in targets(state, EVERYWHERE)]
    lines += [
        (
            f'<text x="480" y="455" font-size="10" text-anchor="middle">{EVERYWHERE.value}: leads to closed from '
            f"{', '.join(name for name in sources if name != 'closed')}</text>"
        ),
        "</svg>",
    ]
    return "\n".join(lines)


def block() -> str:
    body = "\n".join(f"   {line}" for line in svg().splitlines())
    return f"{BEGIN}\n.. raw:: html\n\n{body}\n\n{END}"


def drawn(text: str) -> str:
    """The guide with the picture of today."""
    head, rest = text.split(BEGIN, 1)
    return head + block() + rest.split(END, 1)[1]


def main() -> int:
    text = GUIDE.read_text(encoding="utf-8")
    GUIDE.write_text(drawn(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
