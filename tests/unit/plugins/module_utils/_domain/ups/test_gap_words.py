# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of one unit: one line, bounded whatever the unit says of itself, and always what to do."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import GapStatus
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.gap_words import (
    WHAT_TO_DO,
    said_of_ats,
    said_of_error,
    said_of_ups,
)

UPS = {"model": "Smart-UPS 1500", "sku": "SMT1500RM2U", "firmware": {"raw": "UPS 09.1 (ID18)"}}
GAP = {"status": "fix_missing", "current": "UPS 09.1 (ID18)", "fixed_in": "UPS 09.3", "reason": "UPS 09.1 lacks it."}


def test_a_gap_says_what_is_installed_and_what_is_wanted() -> None:
    said = said_of_ups(GAP, UPS, {"simulated": None})
    assert said.line == "fix_missing | Smart-UPS 1500 SMT1500RM2U | UPS 09.1 (ID18) | UPS 09.1 lacks it."
    assert said.verdict.startswith("FIX MISSING. UPS 09.1 (ID18) -> UPS 09.3 or later. UPS 09.1 lacks it. WHAT TO DO: ")
    assert said.verdict.endswith(said.what_to_do) and said.what_to_do == WHAT_TO_DO["fix_missing"]
    assert said_of_ups(GAP, UPS, {"simulated": 20}).line.startswith("SIMULATED fix_missing")
    # Facts that were stored: nothing is known of the product.
    assert said_of_ups(GAP, None, None).line == "fix_missing | UPS 09.1 lacks it."


@pytest.mark.parametrize("status", GapStatus)
def test_every_status_says_what_to_do(status: GapStatus) -> None:
    said = said_of_ups({**GAP, "status": status.value}, UPS, None)
    assert said.what_to_do and "WHAT TO DO: " in said.verdict and said.status == status.value
    assert (" -> " in said.verdict) is (status is GapStatus.FIX_MISSING)


def test_a_rack_ats_and_what_could_not_be_asked() -> None:
    ats = said_of_ats({"model": "AP7724"}, None)
    assert ats.status == "ats" and ats.line.startswith("ats | AP7724 | a Rack ATS")
    assert said_of_error("busy", "x").status == said_of_error("timeout", "x").status == "unreachable"
    assert said_of_error("unsupported", "x").verdict.startswith("NOT ASKED. x. WHAT TO DO: this is no finding")
    assert said_of_error("auth", "x").status == "error" and said_of_error("not_a_ups", "x").status == "not_a_ups"


@pytest.mark.parametrize("text", ["a\nb", "x" * 10_000, "\t \r\n", "{{ 1/0 }}"])
def test_device_text_is_bounded_and_on_one_line(text: str) -> None:
    ups = {"model": text, "sku": text, "firmware": {"raw": text}}
    said = said_of_ups({**GAP, "current": text, "reason": text}, ups, None)
    assert len(said.line) < 500 and len(said.verdict) < 1200 and "\n" not in said.line + said.verdict


def test_a_failure_of_the_module_has_the_words_too() -> None:
    params: dict[str, Any] = {"host": "", "interface_expander": "unknown"}
    result = _module.run_named("ups_ap9624_info", params, False, _module.NullProgress())
    assert result["failed"] and result["status"] == "not_asked" and "no finding about the unit" in result["what_to_do"]
