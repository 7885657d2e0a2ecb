# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of CONTRIBUTING.md, run as they stand there: each test passes with its row and fails without it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"^```python (?P<what>[^\n]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    table: str
    file: str
    row: str
    test: str

    @property
    def name(self) -> str:
        return self.test.partition("def ")[2].partition("(")[0]


def examples() -> list[Example]:
    blocks = [
        (match["what"].split(), match["text"]) for match in _BLOCK.finditer((ROOT / "CONTRIBUTING.md").read_text())
    ]
    assert [words[0] for words, _text in blocks] == ["row", "test"] * (len(blocks) // 2)
    return [
        Example(words[1], words[2], row, test)
        for (words, row), (_test, test) in zip(blocks[::2], blocks[1::2], strict=True)
    ]


EXAMPLES = examples()


def outcome(folder: Path, given: list[Example]) -> dict[str, str]:
    """The tests of all examples, in a copy of the product that has the rows of ``given``."""
    product = folder / "ansible_collections" / "dcops" / "apc"
    for part in ("plugins", "tests/unit/plugins/module_utils", "tests/fixtures"):
        shutil.copytree(ROOT / part, product / part, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    for example in given:
        path = product / example.file
        text = path.read_text()
        table = re.search(rf"^{example.table}\b[^\n]* = \(\n.*?^\)$", text, re.MULTILINE | re.DOTALL)
        assert table is not None, f"{example.file} has no table {example.table}"
        path.write_text(f"{text[: table.end() - 1]}{example.row.rstrip()},\n{text[table.end() - 1 :]}")
    script = folder / "test_examples.py"
    script.write_text("from __future__ import annotations\n\n\n" + "\n\n".join(example.test for example in EXAMPLES))
    # ansible-test gives its pytest plugins by the environment, from a place that this pytest does not see.
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "ANSIBLE_"))}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--import-mode=importlib", str(script)]
        + ["--rootdir", str(folder), "-c", os.devnull],
        cwd=folder,
        env={**outer, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S*::(\w+)", run.stdout, re.MULTILINE)
    # What fails is the assertion or the missing key, never the copy itself.
    assert found and not re.search(
        r"^E +\w*(?:ImportError|ModuleNotFoundError|SyntaxError)", run.stdout, re.MULTILINE
    ), run.stdout + run.stderr
    return {name: word for word, name in found}


def test_there_is_one_for_each_table() -> None:
    assert [example.table for example in EXAMPLES] == ["BULLETINS", "LINES", "EVENTS", "FIELDS"]


@pytest.mark.parametrize("with_rows", [True, False])
def test_each_example_passes_with_its_row_and_fails_without(tmp_path: Path, with_rows: bool) -> None:
    found = outcome(tmp_path, EXAMPLES if with_rows else [])
    assert found == {example.name: "PASSED" if with_rows else "FAILED" for example in EXAMPLES}
