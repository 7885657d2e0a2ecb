# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foreign text is made harmless by one function, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless, harmless_bytes, one_line
from ansible_collections.dcops.apc.plugins.module_utils._powernet.readings import text
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import clean

PLUGINS = Path(__file__).parents[5] / "plugins"
HOSTILE = [
    ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ("a\u202eb", "a\\u202eb"),
    ("a\U000e0001b", "a\\U000e0001b"),
    ("a\r\nb", "a  b"),
    ("a\u2028b\xa0c", "a b c"),
    ("a\ud800b", "a\\ud800b"),
    ("caf\xe9 \u65e5", "caf\xe9 \u65e5"),
]


@pytest.mark.parametrize(("given_text", "shown"), HOSTILE)
def test_spelled_out_and_never_removed(given_text: str, shown: str) -> None:
    assert harmless(given_text) == shown == clean(given_text, keep="")
    assert one_line(given_text) == " ".join(shown.split())


def test_two_halves_of_a_version_are_not_joined() -> None:
    """It was removed from SNMP's texts and from the answers of FTP and web: 3.\\x009.2 read as 3.9.2."""
    assert text(b"3.\x009.2") == "3.\\x009.2" and one_line("3.\x009.2") == "3.\\x009.2"


def test_padding_behind_a_text_goes() -> None:
    assert text(b"AP7724\0\0 ") == "AP7724" and harmless_bytes(b"AP7724\0", 4) == "AP77"


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_bounded_and_printable(foreign: str, limit: int) -> None:
    for shown in (harmless(foreign, limit), one_line(foreign, limit)):
        assert len(shown) <= limit and shown.isprintable()
    assert harmless_bytes(foreign.encode("utf-8", "surrogatepass"), limit).isprintable()


def test_nobody_else_spells() -> None:
    own = re.compile(r"for char in \w+ if char\.isprintable\(\)|char if char\.isprintable|\\\\x\{")
    files = {path.name for path in PLUGINS.rglob("*.py") if own.search(path.read_text())}
    assert files == {"harmless.py"}
