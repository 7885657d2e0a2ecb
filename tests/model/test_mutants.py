# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That the table of mutants fits the text; that each is caught takes minutes, and is ``make mutants``."""

from __future__ import annotations

import mutants
import pytest
from mutants import MUTANTS, REPO


@pytest.mark.parametrize("name", MUTANTS)
def test_the_row_fits_the_text(name: str) -> None:
    mutant = MUTANTS[name]
    assert (REPO / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    for test in mutant.tests:
        file, _colons, called = test.partition("::")
        text = (REPO / file).read_text(encoding="utf-8")
        assert f"def {called.partition('[')[0]}(" in text or not called, f"{test} is not there"


def test_there_are_forty_of_them() -> None:
    assert len(mutants.MUTANTS) >= 40
