# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

VERSIONS = st.builds(
    Version, st.lists(st.integers(0, 12), min_size=2, max_size=6).map(tuple), st.sampled_from(["", "a", "b"])
)


@pytest.mark.parametrize(
    ("text", "parts", "suffix", "shown"),
    [
        ("v3.7.4", (3, 7, 4), "", "3.7.4"),
        ("3.9.2", (3, 9, 2), "", "3.9.2"),
        (" 3.9.2 ", (3, 9, 2), "", "3.9.2"),
        ("v2.5.0.8", (2, 5, 0, 8), "", "2.5.0.8"),
        ("v3.0.9.a", (3, 0, 9), "a", "3.0.9.a"),
        ("v6.6.9.B", (6, 6, 9), "b", "6.6.9.b"),
        ("v6.6.9b", (6, 6, 9), "b", "6.6.9.b"),
        ("3.9", (3, 9), "", "3.9"),
    ],
)
def test_parse(text: str, parts: tuple[int, ...], suffix: str, shown: str) -> None:
    version = Version.parse(text)
    assert version is not None
    assert (version.parts, version.suffix, str(version)) == (parts, suffix, shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "v",
        "3",
        "392",
        "3..2",
        ".3.9",
        "3.9.",
        "3.9.2.ab",
        "-3.9.2",
        "3.9.2\n3.9.3",
        "3,9,2",
        "3.9.2 beta",
        "٣.٩.٢",
        "3.9.²",
        "111111.1",
        "1." * 30 + "1",
        None,
        3.9,
        b"3.9.2",
        ["3.9"],
    ],
)
def test_what_is_no_version_is_none(text: object) -> None:
    assert Version.parse(text) is None


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("392", "3.9.2"),
        ("669b", "6.6.9.b"),
        ("309a", "3.0.9.a"),
        ("2.5.0.8", "2.5.0.8"),
        ("2508", "2.5.0.8"),
        ("39", "3.9"),
    ],
)
def test_from_digits(digits: str, shown: str) -> None:
    assert str(Version.from_digits(digits)) == shown


@pytest.mark.parametrize("digits", ["", "3", "39210", "v392", "v3.9.2", "39x2", "392ab", "٣٩٢", "3.", ".", None, 392])
def test_from_digits_refuses(digits: object) -> None:
    assert Version.from_digits(digits) is None


def test_endless_text_is_none() -> None:
    assert Version.parse("1." * 1_000_000 + "1") is None
    assert Version.from_digits("1" * 1_000_000) is None


def test_file_name_and_description_agree() -> None:
    assert Version.from_digits("669b") == Version.parse("v6.6.9.b")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("3.9.9", "3.9.10"),
        ("3.7.4", "3.9.0"),
        ("3.9.2", "3.9.2.a"),
        ("3.9.2.a", "3.9.2.b"),
        ("3.9.2.b", "3.9.3"),
        ("2.5.0.6", "2.5.0.8"),
        ("3.9", "3.9.1"),
        ("3.9.2", "10.0"),
    ],
)
def test_order(older: str, newer: str) -> None:
    low, high = Version.parse(older), Version.parse(newer)
    assert low is not None and high is not None
    assert low < high and high > low and low <= high and low != high and high >= low


def test_missing_part_counts_as_zero() -> None:
    short, long = Version.parse("3.9"), Version.parse("3.9.0")
    assert short == long and hash(short) == hash(long)
    assert Version.parse("3.9.0.a") != short


def test_is_not_compared_with_text() -> None:
    assert Version((3, 9, 2)) != "3.9.2"
    with pytest.raises(TypeError):
        assert Version((3, 9, 2)) < "3.9.3"  # type: ignore[operator]


@given(st.text())
def test_reading_never_raises(text: str) -> None:
    for version in (Version.parse(text), Version.from_digits(text)):
        assert version is None or Version.parse(str(version)) == version


@given(st.from_regex(r"\A\s?v?[0-9.]{0,12}[a-z.]{0,3}\s?\Z"))
def test_reading_near_misses_never_raises(text: str) -> None:
    for version in (Version.parse(text), Version.from_digits(text)):
        assert version is None or Version.parse(str(version)) == version


@given(VERSIONS, VERSIONS, VERSIONS)
def test_order_is_total(a: Version, b: Version, c: Version) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b and b <= c:
        assert a <= c
    if a == b:
        assert hash(a) == hash(b)


@given(VERSIONS)
def test_text_comes_back(version: Version) -> None:
    assert Version.parse(str(version)) == version
