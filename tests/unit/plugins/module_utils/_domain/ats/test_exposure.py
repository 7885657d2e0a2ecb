# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import BULLETINS
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.exposure import AtsExposure, ats_exposure
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

FA156178_MODELS, FA156135_MODELS = (row.models for row in BULLETINS)
V2, V3 = Version((2, 6, 1)), Version((3, 7, 1))


def judge(
    model: str | None, token: str | None = "g2ats", app: Version | None = V3, comm: str | None = "established"
) -> AtsExposure:
    return ats_exposure(model, token, app, app, comm)


@pytest.mark.parametrize("model", FA156178_MODELS)
def test_listed_models_are_covered(model: str) -> None:
    found = judge(model)
    assert found.status == "use_guarded_upgrade"
    upgrade, never = found.exposures
    assert (upgrade.bulletin, upgrade.applies, never.bulletin, never.applies) == ("FA156178", True, "FA156135", False)
    assert "covered: use the guarded upgrade (dcops.apc.ats_firmware_upgrade)" in upgrade.text
    assert "does not list" not in upgrade.text and "diagnose" not in upgrade.text


def test_an_unlisted_second_generation_is_treated_as_listed() -> None:
    found = judge("AP7799")
    assert found.status == "use_guarded_upgrade"
    assert "does not list AP7799" in found.exposures[0].text


@pytest.mark.parametrize("model", FA156135_MODELS)
@pytest.mark.parametrize("comm", ["established", "lost", None])
def test_generation_1_never_gets_3x(model: str, comm: str | None) -> None:
    found = judge(model, "ats", V2, comm)
    assert found.status == "never_3x"
    upgrade, never = found.exposures
    assert upgrade.applies is False and never.applies is True
    assert "must never get firmware 3.x" in never.text and "DANGER" not in never.text


@pytest.mark.parametrize(("token", "app"), [("g2ats", None), ("ats", V3), ("ats", Version((3,))), (None, V3)])
def test_generation_1_with_3x_is_said_loudly(token: str | None, app: Version | None) -> None:
    found = judge("AP7750", token, app)
    assert found.status == "never_3x"
    assert found.exposures[1].text.startswith("DANGER")


def test_one_letter_decides() -> None:
    assert judge("AP7750").status == "never_3x" and judge("AP7750A").status == "use_guarded_upgrade"
    assert judge(" ap7722a ").status == "use_guarded_upgrade" and judge("AP7722").status == "never_3x"


@pytest.mark.parametrize(
    ("model", "token"), [("AP4423", "ats4g"), ("AP4423A", "ats5g"), ("AP9999", "x"), ("AP8853", None)]
)
def test_other_models_are_not_covered(model: str, token: str | None) -> None:
    found = judge(model, token)
    assert found.status == "not_covered"
    assert [item.applies for item in found.exposures] == [False, False]


@pytest.mark.parametrize(
    ("model", "token"),
    [
        (None, "g2ats"),
        (None, None),
        ("", "x"),
        ("AP9999", "g2ats"),
        ("AP77XX", "x"),
        ("AP7724", "ats4g"),
        ("AP4423", "g2ats"),
        ("\u0391P4423", "x"),  # a Greek letter
    ],
)
def test_doubt_is_unknown_and_never_an_all_clear(model: str | None, token: str | None) -> None:
    found = judge(model, token)
    assert found.status == "unknown"
    assert [item.applies for item in found.exposures] == [None, None]
    assert "Never send 3.x" in found.exposures[1].text


@pytest.mark.parametrize("comm", ["lost", "never_discovered", None, "what"])
@pytest.mark.parametrize("model", ["AP7724", "AP7750", "AP4423", None])
def test_no_communication_means_diagnose_first(model: str | None, comm: str | None) -> None:
    texts = " ".join(item.text for item in judge(model, None, None, comm).exposures)
    assert ("diagnose before any upgrade" if comm in ("lost", "never_discovered") else "find out before") in texts


@given(st.none() | st.text(max_size=30), st.none() | st.text(max_size=10), st.none() | st.text(max_size=10))
def test_total(model: str | None, token: str | None, comm: str | None) -> None:
    found = ats_exposure(model, token, None, None, comm)
    assert [item.bulletin for item in found.exposures] == ["FA156178", "FA156135"]
    if "7" not in (model or ""):
        assert found.status in ("unknown", "not_covered")
