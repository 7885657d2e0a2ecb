# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A UPS firmware file: its name, whether it belongs on a unit, and how it is read (UPS.md "Updating UPS firmware")."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624_table import LINES
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import (
    UpdateFile,
    bears_output_on,
    expected_ids,
    parse_update_name,
    problems_of,
    why_no_updates,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import parse_firmware
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._files import ups_source
from ansible_collections.dcops.apc.plugins.module_utils._files.ups_source import load_update_file

GOOD = {
    "SMT20UPS_10-1.enc": ("SMT", 20, (10, 1)),
    "SMT18UPS_09-3.enc": ("SMT", 18, (9, 3)),
    "SMX1003UPS_08-10.enc": ("SMX", 1003, (8, 10)),
    "SMTL1047UPS_04-2.enc": ("SMTL", 1047, (4, 2)),
}
BAD = (
    *("", "SMT18UPS_09-3", "SMT18UPS_09-3.bin", "smt18UPS_09-3.enc", "SMT18UPS_09.3.enc", "SMTUPS_09-3.enc"),
    *("18UPS_09-3.enc", "SMT18_09-3.enc", "SMT18UPS_09-3.enc ", " SMT18UPS_09-3.enc", "SMT18UPS_09-3.enc\n"),
    *("../SMT18UPS_09-3.enc", "SMT18UPS_09-3.enc/x", "SMT18UPS_-3.enc", "SMT18UPS_0009-3.enc", "SMT123456UPS_09-3.enc"),
    *("SMT18UPS_09-3.enc\r\nDELE x", "SMT\u0661\u0668UPS_09-3.enc", "SMT18UPS_09-3.enc.enc", "S" * 5000),
)


@pytest.mark.parametrize("name", GOOD)
def test_names(name: str) -> None:
    series, number, version = parse_update_name(name)
    assert (series, number, version.parts) == GOOD[name]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_name(name: str) -> None:
    with pytest.raises(PackageError) as caught:
        parse_update_name(name)
    assert "<SERIES><ID>UPS_<major>-<minor>.enc" in caught.value.message and len(caught.value.message) < 250


@given(st.text(max_size=200))
def test_any_text_is_a_name_or_a_package_error(name: str) -> None:
    try:
        series, number, version = parse_update_name(name)
    except PackageError:
        return
    assert name == f"{series}{name[len(series) :].split('UPS_')[0]}UPS_{name.split('UPS_')[1]}" and number >= 0
    assert len(version.parts) == 2 and "/" not in name and name.isprintable()


def made(name: str = "SMT18UPS_09-3.enc") -> UpdateFile:
    series, number, version = parse_update_name(name)
    return UpdateFile(name, series, number, version, 4, hashlib.sha256(b"abcd").hexdigest())


# file, installed, wanted, checksum; what the refusal speaks of ("" = it may go)
FITS: list[tuple[str, str, str | None, str | None, str]] = [
    ("SMT18UPS_09-3.enc", "UPS 09.1 (ID18)", None, None, ""),
    ("SMT18UPS_09-3.enc", "UPS 09.1 (ID18) ", "9.3", None, ""),
    ("SMX20UPS_09-10.enc", "UPS 09.9 (ID20)", None, None, ""),
    ("SMT18UPS_09-3.enc", "UPS 09.3 (ID18)", None, None, "downgrade"),
    ("SMX20UPS_09-9.enc", "UPS 09.10 (ID20)", None, None, "downgrade"),
    ("SMT18UPS_09-3.enc", "UPS 09.1 (ID20)", None, None, "ID20"),
    ("SMX23UPS_06-6.enc", "UPS 07.4 (ID1003) ", None, None, "ID1003"),
    ("SMX1003UPS_08-1.enc", "UPS 06.3 (ID23)", None, None, "ID23"),
    ("SMT18UPS_09-3.enc", "617.3.I", None, None, "no version with an ID"),
    ("SMT18UPS_09-3.enc", "UPS 09.1", None, None, "no version with an ID"),
    # Whether the number in brackets is an ID is [?]: it is not taken for one.
    ("SMT18UPS_09-3.enc", "UPS 08.3 / MCU 14.0 (18 - 10)", None, None, "no version with an ID"),
    ("SMT18UPS_09-3.enc", "UPS 09.1 (ID18)", "9.4", None, "not the wanted version"),
    ("SMT18UPS_09-3.enc", "UPS 09.1 (ID18)", None, "0" * 64, "SHA-256"),
    ("SMT18UPS_09-3.enc", "UPS 09.1 (ID18)", None, hashlib.sha256(b"abcd").hexdigest().upper() + " ", ""),
]


@pytest.mark.parametrize(("name", "installed", "wanted", "checksum", "word"), FITS)
def test_whether_a_file_belongs_on_a_unit(
    name: str, installed: str, wanted: str | None, checksum: str | None, word: str
) -> None:
    version = Version.parse(wanted) if wanted else None
    found = problems_of(made(name), parse_firmware(installed), version, checksum)
    assert (found == []) is (word == "") and word in "; ".join(found)


def test_a_hostile_firmware_text_is_bounded_in_the_refusal() -> None:
    (text,) = problems_of(made(), parse_firmware("x" * 60 + "y" * 4), None, None)
    assert "x" * 60 in text and "y" not in text.split("'")[1]


# installed -> may it be updated with its output on (UPS.md: 1010 >= 07.9, 1019 >= 07.1, 1020 >= 10.1, 1024 >= 00.4)
BEARS = {
    "UPS 07.9 (ID1010)": True,
    "UPS 07.8 (ID1010)": False,
    "UPS 07.10 (ID1010)": True,
    "UPS 08.0 (ID1010)": True,
    "UPS 07.1 (ID1019)": True,
    "UPS 07.0 (ID1019)": False,
    "UPS 10.1 (ID1020)": True,
    "UPS 10.0 (ID1020)": False,
    "UPS 00.4 (ID1024)": True,
    "UPS 00.3 (ID1024)": False,
    "UPS 99.9 (ID1025)": False,
    "UPS 99.9 (ID18)": False,
    "UPS 99.9": False,
    "617.3.I": False,
    "": False,
    "UPS 99.9 (ID0)": False,
    "UPS 99.9 (ID1001)": False,
}


@pytest.mark.parametrize("installed", BEARS)
def test_output_on_only_by_the_table(installed: str) -> None:
    assert bears_output_on(parse_firmware(installed)) is BEARS[installed]


# IDs, versions that take an update through the card, versions that do not (UPS.md "Which firmware refuses an update").
TAKES: list[tuple[tuple[int, ...], str, str]] = [
    ((1010, 1019, 1020, 1021, 1024, 1025), "14.9 15.5 15.10 16.0", "15.0 15.1 15.4"),
    ((1002, 1013, 1014), "14.9", "15.0 15.4 15.5 15.10 16.0"),
    ((1015,), "04.5 15.5 16.0", "04.6 04.10 05.0 14.9 15.0 15.4"),
    ((1018,), "04.5", "04.6 04.10 05.0 15.5 16.0"),
    ((1026,), "14.9 15.1 16.0", "15.0"),
    ((1031,), "14.9 15.5", "15.0 15.4"),
    # Below where it is switched off 15.x stays as doubtful as any: the one is inferred, of the other nothing is said.
    ((1029, 1030, 1036, 1037), "14.9 15.5", "15.0 15.1 15.4"),
    ((1047, 1050), "14.9 16.5 17.0", "15.0 15.9 16.0 16.4"),
    ((18, 20, 23, 1040, 1005, 1007), "09.3 14.9", "15.0 15.5 16.0"),
    # Without known data.
    ((17, 1001, 1003, 1027, 1028, 1059, 1060, 1061, 1064, 1998), "14.9 16.0", "15.0 15.5 15.10"),
]


@pytest.mark.parametrize(("numbers", "takes", "refuses"), TAKES)
def test_which_firmware_takes_updates_through_the_card(numbers: tuple[int, ...], takes: str, refuses: str) -> None:
    for number in numbers:
        for version in takes.split():
            assert why_no_updates(parse_firmware(f"UPS {version} (ID{number})")) == "", (number, version)
        for version in refuses.split():
            why = why_no_updates(parse_firmware(f"UPS {version} (ID{number})"))
            assert '"Firmware Update Interfaces" on its LCD' in why, (number, version)


def test_every_line_is_asked_for_its_updates() -> None:
    asked = {number for numbers, _takes, _refuses in TAKES for number in numbers}
    assert {line.id for line in LINES} <= asked
    assert all(line.updates.source for line in LINES if line.updates is not None)


def test_what_refuses_updates_says_from_when_and_until_when() -> None:
    assert "from 04.6 until 15.5;" in why_no_updates(parse_firmware("UPS 04.6 (ID1015)"))
    assert "from 04.6 on, and no version is known" in why_no_updates(parse_firmware("UPS 04.6 (ID1018)"))
    assert "cannot be read from here" in why_no_updates(parse_firmware("UPS 15.0 (ID20)"))
    assert why_no_updates(parse_firmware("617.3.I"))
    assert why_no_updates(parse_firmware("UPS 15.5")) and not why_no_updates(parse_firmware("UPS 16.0"))


def test_the_tables_are_the_facts() -> None:
    assert {line.id: line.becomes for line in LINES if line.becomes} == {1001: 1013, 1010: 1025, 1019: 1025}
    bearing = {line.id: line.output_on_from for line in LINES if line.output_on_from}
    assert bearing == {1010: "07.9", 1019: "07.1", 1020: "10.1", 1024: "00.4"}
    assert expected_ids(1010) == {1010, 1025} and expected_ids(18) == {18}


def test_the_name_is_shown_as_the_unit_would_show_it() -> None:
    assert made().shown == "UPS 09.3 (ID18)" and made("SMX20UPS_10-10.enc").shown == "UPS 10.10 (ID20)"


# --- reading it -----------------------------------------------------------------------------------------------------
def test_a_file_is_read_whole_and_hashed(tmp_path: Path) -> None:
    path = tmp_path / "SMT18UPS_09-3.enc"
    path.write_bytes(b"firmware\0" * 1000)
    found, data = load_update_file(str(path))
    assert data == b"firmware\0" * 1000 and found.sha256 == hashlib.sha256(data).hexdigest() and found.size == 9000
    assert (found.name, found.id) == ("SMT18UPS_09-3.enc", 18)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    folder, empty, pipe, link = (tmp_path / str(n) / "SMT18UPS_09-3.enc" for n in range(4))
    for path in (folder, empty, pipe, link):
        path.parent.mkdir()
    folder.mkdir()
    empty.write_bytes(b"")
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    words = {folder: "not a file", empty: "is empty", pipe: "not a file", link: "not a file"}
    for path, word in words.items():
        with pytest.raises(PackageError, match=word):
            load_update_file(str(path))
    with pytest.raises(PackageError, match="cannot be read"):
        load_update_file(str(tmp_path / "none" / "SMT18UPS_09-3.enc"))
    with pytest.raises(PackageError, match="not a usable path"):
        load_update_file(str(tmp_path) + "\0/SMT18UPS_09-3.enc")


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ups_source, "MAX_BYTES", 2000)
    path = tmp_path / "SMT18UPS_09-3.enc"
    path.write_bytes(bytes(2000))
    assert load_update_file(str(path))[0].size == 2000
    path.write_bytes(bytes(2001))
    with pytest.raises(PackageError, match="larger than any"):
        load_update_file(str(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>Please log in</html>" + b" " * 2000, "holds text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "bytes only"),
        (b"PK\x03\x04" + bytes(2000), "an archive"),
        (b"MZ" + bytes(2000), "a program"),
        (bytes(1023), "1023 bytes only"),
    ],
)
def test_what_is_plainly_no_firmware(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "SMT18UPS_09-3.enc"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=words):
        load_update_file(str(path))


def test_a_link_to_another_file_than_its_name_says(tmp_path: Path) -> None:
    real, link = tmp_path / "SMT20UPS_10-1.enc", tmp_path / "SMT18UPS_09-3.enc"
    real.write_bytes(bytes(2000))
    link.symlink_to(real)
    with pytest.raises(PackageError, match=r"is a link to SMT20UPS_10-1\.enc"):
        load_update_file(str(link))
    (tmp_path / "blob-6b1f").write_bytes(bytes(2000))
    link.unlink()
    link.symlink_to(tmp_path / "blob-6b1f")
    assert load_update_file(str(link))[0].id == 18


def test_the_name_is_judged_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_given: object, **_more: object) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr(ups_source, "download", never)
    with pytest.raises(PackageError, match="is not the name"):
        load_update_file("https://firmware.example/evil.exe")
