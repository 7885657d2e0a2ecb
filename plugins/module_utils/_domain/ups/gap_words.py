# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of one unit that was judged by FA233876, or that could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# The one word for every ATS: this judgement is about UPSs.
ATS = "ats"
# The unit was not even asked: an option is refused, or the controller lacks what it needs.
NOT_ASKED = "not_asked"

# FA233876: no workaround on old firmware but not to control the UPS that way; while on battery nothing is overridden.
_AVOID = (
    "do not turn this UPS off, put it to sleep or shut it down from its master server or its display where anything "
    "relies on it staying off: it may restart at once."
)
WHAT_TO_DO = {
    NOT_ASKED: (
        "this is no finding about the unit. Mend the variable or the controller that the reason names, and run again."
    ),
    "fix_missing": f"nothing was changed. Plan the update of the UPS firmware. Until then {_AVOID}",
    "no_published_fix": f"nothing was changed, and there is no firmware to install. Keep to this: {_AVOID}",
    "unknown": (
        "nothing was changed. Read the reason, look at the unit and judge it by bulletin FA233876. If no AP9624 is "
        f"fitted, say so in the inventory (apc_interface_expander: absent). Until it is clear, {_AVOID}"
    ),
    "unreachable": (
        "it was not judged. See whether the management card answers at its address, and whether SNMP's version, port, "
        "community and the card's list of allowed addresses fit; then run again."
    ),
    "not_a_ups": "it was not judged. Correct its address, or take it out of the group.",
    "error": "it was not judged. Mend what the reason names, and run again.",
    ATS: "nothing was changed. The report says which bulletins it is exposed to.",
}
_NOTHING = "nothing is to be done for this bulletin."
_ATS_REASON = "a Rack ATS; the report says what it is exposed to"


@dataclass(frozen=True)
class Said:
    """``line``: one line of a list. ``verdict``: the sentences for a unit that fails a run. Neither names the host."""

    status: str
    line: str
    verdict: str
    what_to_do: str

    def to_result(self) -> dict[str, Any]:
        return asdict(self)


def status_of_error(kind: str) -> str:
    if kind in ("timeout", "busy"):
        return "unreachable"
    return {"unsupported": NOT_ASKED, "not_a_ups": "not_a_ups"}.get(kind, "error")


def said_of_ups(finding: Mapping[str, Any], ups: Mapping[str, Any] | None, nmc: Mapping[str, Any] | None) -> Said:
    """As the module returns them; without ``ups`` stored facts were judged."""
    raw = (ups or {}).get("firmware")
    raw = raw.get("raw") if isinstance(raw, Mapping) else raw
    current = finding.get("current") or raw or "firmware unknown"
    reason = str(finding.get("reason") or "no reason is known")
    parts = [_product(ups or {}), _short(current, 60)] if ups else []
    fixed_in = finding.get("fixed_in")
    gap = f"{_short(current, 60)} -> {fixed_in} or later. " if finding["status"] == "fix_missing" else ""
    return _said(str(finding["status"]), parts, reason, gap, nmc)


def said_of_ats(ats: Mapping[str, Any], nmc: Mapping[str, Any] | None) -> Said:
    return _said(ATS, [_product(ats)], _ATS_REASON, "", nmc)


def said_of_error(kind: str, message: str, nmc: Mapping[str, Any] | None = None) -> Said:
    return _said(status_of_error(kind), [], message, "", nmc)


def _said(status: str, parts: list[str], reason: str, gap: str, nmc: Mapping[str, Any] | None) -> Said:
    mark = "" if (nmc or {}).get("simulated") is None else "SIMULATED "
    line = " | ".join([mark + status, *parts, _short(reason, 300)])
    what = WHAT_TO_DO.get(status, _NOTHING)
    verdict = f"{status.upper().replace('_', ' ')}. {gap}{_short(reason, 600).rstrip('.')}. WHAT TO DO: {what}"
    return Said(status, line, verdict, what)


def _product(unit: Mapping[str, Any]) -> str:
    sku = f" {_short(unit['sku'], 40)}" if unit.get("sku") else ""
    return f"{_short(unit.get('model') or 'model unknown', 60)}{sku}"


def _short(value: object, limit: int) -> str:
    """Device text, bounded and on one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
