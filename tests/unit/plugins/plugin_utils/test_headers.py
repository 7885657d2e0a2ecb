# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The head that all files have."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[3] / "utils" / "headers.py"


@pytest.fixture
def headers() -> Any:
    spec = importlib.util.spec_from_file_location("headers_tool", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHORT = "# GNU\n# SPDX-License-Identifier: GPL-3.0-or-later\n"


@pytest.mark.parametrize(
    ("given", "rest"),
    [
        (SHORT + '"""A. Private to the collection."""\n\nx = 1\n', '"""A."""\n\nx = 1\n'),
        (SHORT + '\n"""A.\n\nPrivate to the collection.\n"""\n', '"""A."""\n'),
        (SHORT + '"""A.\n\nB. Private to the\ncollection.\n"""\n', '"""A.\n\nB.\n"""\n'),
        ("x = 1\n", "x = 1\n"),
        (SHORT + "# more\nx = 1\n", "# more\nx = 1\n"),
    ],
)
def test_whatever_the_head_was_it_becomes_the_same(headers: Any, given: str, rest: str) -> None:
    right = headers.in_style(given)
    assert right == f"{headers.LICENCE}\n{rest}"
    assert headers.in_style(right) == right


def test_an_empty_file_and_a_first_line_for_the_system_stay(headers: Any) -> None:
    assert headers.in_style("") == ""
    assert (
        headers.in_style("#!/usr/bin/python\n" + SHORT + "x = 1\n") == f"#!/usr/bin/python\n{headers.LICENCE}\nx = 1\n"
    )


@pytest.mark.parametrize("folder", ["_transport", "_files", "_runs"])
def test_the_outer_layers_have_it(headers: Any, folder: str) -> None:
    files = sorted((TOOL.parents[2] / "plugins" / "module_utils" / folder).glob("*.py"))
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert headers.in_style(text) == text, path.name
