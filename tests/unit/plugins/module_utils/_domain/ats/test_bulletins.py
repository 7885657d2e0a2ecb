# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import bulletins
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import BULLETINS, Bulletin, BulletinHit

# Written down a second time on purpose: a slip in the table must not pass.
LISTED = [
    "AP7721",
    "AP7722A",
    "AP7723",
    "AP7724",
    "AP7730",
    "AP7731",
    "AP7732",
    "AP7750A",
    "AP7752",
    "AP7752J",
    "AP7753",
]
GEN1 = ["AP7750", "AP7722", "AP7701", "AP7751"]


@pytest.mark.parametrize("model", LISTED)
def test_listed_models(model: str) -> None:
    assert bulletins.ats_generation(model, "g2ats") == "gen2"
    assert [row.id for row in BULLETINS if model in row.models] == ["FA156178"]
    assert bulletins.app_token_of(model) == "g2ats"


@pytest.mark.parametrize("model", GEN1)
def test_generation_1(model: str) -> None:
    assert bulletins.ats_generation(model, None) == "gen1"
    assert bulletins.ats_generation(model, "ats") == "gen1"
    assert [row.id for row in BULLETINS if model in row.models] == ["FA156135"]
    assert bulletins.app_token_of(model) is None


def test_no_model_is_in_two_rows() -> None:
    listed = [model for row in BULLETINS for model in row.models]
    assert len(listed) == len(set(listed)) == 15 and [len(row.models) for row in BULLETINS] == [11, 4]


@pytest.mark.parametrize("row", BULLETINS, ids=lambda row: row.id)
def test_a_row_has_all_its_words(row: Bulletin) -> None:
    assert "[V]" in row.source and row.about and row.applies and row.otherwise and row.doubt
    assert (row.status is None) is (row.meaning == "") and (row.never is None) is (row.forbidden == "")
    words = (row.applies, row.otherwise, row.unlisted, *row.spared.values())
    assert all(text == "" or text.format(name="AP7724") for text in words)
    assert row.forbidden.format(name="x", found="y") == row.forbidden.replace("{name}", "x").replace("{found}", "y")
    # The sentences of a row name the unit, and another bulletin in none of them.
    others = {other.id for other in BULLETINS} - {row.id}
    assert not any(other in " ".join((*words, row.meaning, row.doubt)) for other in others)


def test_a_bulletin_stands_in_one_file_of_code() -> None:
    """FA156178 stood in eleven files."""
    plugins = Path(__file__).parents[6] / "plugins"
    for row in BULLETINS:
        files = [path for path in plugins.rglob("*.py") if path.parent.name != "modules"]
        assert [path.name for path in files if row.id in path.read_text()] == ["bulletins.py"], row.id


@pytest.mark.parametrize(
    ("model", "token", "generation"),
    [
        ("AP7750", "g2ats", "unknown"),  # a contradiction: never treated as the A model
        ("AP7750A", "g2ats", "gen2"),
        ("AP7722", None, "gen1"),
        ("AP7722A", None, "gen2"),
        ("AP7754", "g2ats", "gen2"),  # not listed, treated as listed
        ("AP7724", "ats4g", "unknown"),
        ("AP7724", "rpdu", "unknown"),
        ("AP7724", "", "unknown"),
        (" ap7724 ", " G2ATS ", "gen2"),
        ("AP4423", "ats4g", "4g"),
        ("AP4423", "g2ats", "unknown"),
        ("AP4423A", None, "5g"),
        ("AP4423A", "ats5g", "5g"),
        ("AP4423A", "ats4g", "unknown"),
        ("AP7750", "", "unknown"),
        ("AP77500", "g2ats", "unknown"),
        ("AP7724AB", "g2ats", "unknown"),
        ("XAP7724", "g2ats", "unknown"),
        ("AP7724\nAP7724", "g2ats", "unknown"),
        ("AP77२४", "g2ats", "unknown"),
        ("AP7752\u017f", "g2ats", "unknown"),
        ("AP8853", "rpdu2g", "unknown"),
        ("AP7921", "rpdu", "unknown"),
        ("", "g2ats", "unknown"),
        (None, "g2ats", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_generation(model: str | None, token: str | None, generation: str) -> None:
    assert bulletins.ats_generation(model, token) == generation


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("apc_hw02_aos357_g2ats357", True),
        ("apc_hw02_aos374_g2ats370", True),
        ("apc_hw02_aos374_g2ats371", True),
        ("apc_hw02_aos390_g2ats390", True),
        ("apc_hw02_aos390_g2ats392.exe", True),
        ("APC_HW02_AOS390_G2ATS392.EXE", True),
        ("apc_hw02_aos392_g2ats392", False),
        ("", False),
        (None, False),
    ],
)
def test_packages(name: str | None, named: bool) -> None:
    # Not named is not safe: the bulletin applies all the same.
    assert bulletins.package_bulletin("g2ats", name) == BulletinHit("FA156178", named)
    assert bulletins.package_bulletin("sumx", name) is None


@given(st.none() | st.text(), st.none() | st.text())
def test_nothing_odd_is_ever_generation_2(model: str | None, token: str | None) -> None:
    generation = bulletins.ats_generation(model, token)
    if generation == "gen2":
        assert model is not None and model.strip().upper().startswith("AP77")
        assert token is None or token.strip().lower() == "g2ats"
