# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import (
    FirmwareFile,
    FirmwarePackage,
    check_package,
    parse_name,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

AOS, APP = "apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"


def made(name: str, size: int = 1000, sha256: str = "ab" * 32) -> FirmwareFile:
    parsed = parse_name(name)
    assert parsed is not None
    return FirmwareFile.of(parsed, size, sha256)


def package(*names: str, ignored: tuple[str, ...] = ()) -> FirmwarePackage:
    return FirmwarePackage(tuple(made(name) for name in names), "here", ignored)


@pytest.mark.parametrize(
    ("name", "hardware", "kind", "token", "version"),
    [
        ("apc_hw02_aos_392.bin", "hw02", "aos", "aos", "3.9.2"),
        ("apc_hw02_g2ats_371.bin", "hw02", "app", "g2ats", "3.7.1"),
        ("apc_hw05_bootmon_109.bin", "hw05", "bootmon", "bootmon", "1.0.9"),
        ("apc_hw21_su_2.5.0.6.bin", "hw21", "app", "su", "2.5.0.6"),
        ("apc_hw06_rd3xx_669b.bin", "hw06", "app", "rd3xx", "6.6.9.b"),
        ("APC_HW02_AOS_392.BIN", "hw02", "aos", "aos", "3.9.2"),
        ("aos309a.bin", None, "aos", "aos", "3.0.9.a"),
        ("ms225a.bin", None, "app", "ms", "2.2.5.a"),
    ],
)
def test_names(name: str, hardware: str | None, kind: str, token: str, version: str) -> None:
    parsed = parse_name(name)
    assert parsed is not None
    assert (parsed.file, parsed.hardware, parsed.kind, parsed.token) == (name, hardware, kind, token)
    assert str(parsed.version) == version


@pytest.mark.parametrize(
    "name",
    [
        "",
        "aos.bin",
        "apc_hw02_aos_392",
        "apc_hw02_aos_392.exe",
        "apc_hw02_aos_392.bin ",
        "apc_hw02_aos_392.bin\n",
        "apc_hw2_aos_392.bin",
        "apc_hw02__392.bin",
        "apc_hw02_aos_12345.bin",
        "apc_hw02_aos_v3.9.2.bin",
        "../aos309a.bin",
        "._apc_hw02_aos_392.bin",
        "apc_hw02_ao\u017f_392.bin",
        "apc_hw02_aos_3..2.bin",
        "a" * 101 + "392.bin",
        None,
        5,
    ],
)
def test_other_names(name: object) -> None:
    assert parse_name(name) is None


@given(st.text() | st.from_regex(r"\A[apc_hw0-9.os]{0,30}\.bin\Z"))
def test_reading_a_name_never_raises(name: str) -> None:
    parsed = parse_name(name)
    assert parsed is None or not set(name) & set("/\\\0\n\r ")


def test_a_good_package() -> None:
    good = package(AOS, APP)
    assert good.problems == ()
    assert good.aos is not None and good.aos.file == AOS
    assert good.app is not None and good.app.file == APP
    assert (good.bootmon, good.hardware, good.package_name) == (None, "hw02", "apc_hw02_aos392_g2ats392")
    assert good.modules[1].to_result() == {
        "file": APP,
        "hardware": "hw02",
        "kind": "app",
        "name": "g2ats",
        "version": "3.9.2",
        "size": 1000,
        "sha256": "ab" * 32,
    }


@pytest.mark.parametrize(
    ("names", "ignored", "words"),
    [
        ((AOS,), (), "no application"),
        ((APP,), (), "no AOS"),
        ((), (), "no AOS"),
        ((AOS, APP, "apc_hw02_aos_390.bin"), (), "2 AOS files"),
        ((AOS, APP, "apc_hw02_sumx_392.bin"), (), "2 application files"),
        ((AOS, "apc_hw05_g2ats_392.bin"), (), "different hardware (hw02, hw05)"),
        ((AOS, "ms225a.bin"), (), "different hardware (hw02, none)"),
        (("aos309a.bin", "ms225a.bin"), (), "do not say for which hardware"),
        ((AOS, APP), ("Bins/other.BIN",), "Bins/other.BIN is not used"),
        ((AOS, APP), ("../apc_hw02_aos_390.bin",), "is not used"),
    ],
)
def test_problems(names: tuple[str, ...], ignored: tuple[str, ...], words: str) -> None:
    bad = package(*names, ignored=ignored)
    assert words in " ".join(bad.problems)
    assert words in " ".join(fits(bad))


def test_two_of_a_kind_are_none() -> None:
    double = package(AOS, "apc_hw02_aos_390.bin", APP)
    assert double.aos is None and double.package_name is None


def test_harmless_neighbours() -> None:
    assert package(AOS, APP, ignored=("readme.txt", "upgrd_util.exe", "__MACOSX/._apc_hw02_aos_392.bin")).problems == ()


def test_empty_file() -> None:
    bad = FirmwarePackage((made(AOS, size=0), made(APP)), "here")
    assert bad.problems == (f"{AOS} is empty.",)


def fits(what: FirmwarePackage, **changes: Any) -> list[str]:
    arguments: dict[str, Any] = {
        "installed_hardware": "hw02",
        "installed_app_token": "g2ats",
        "installed_aos": Version.parse("3.7.4"),
        "installed_app": Version.parse("3.7.1"),
        "allow_downgrade": False,
        "checksums": None,
    }
    return check_package(what, **{**arguments, **changes})


def test_fits() -> None:
    assert fits(package(AOS, APP)) == []


def test_equal_versions_fit() -> None:
    same = Version.parse("3.9.2")
    assert fits(package(AOS, APP), installed_aos=same, installed_app=same) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"installed_hardware": "hw05"}, "made for hw02; the card is hw05"),
        ({"installed_hardware": None}, "hardware is not known"),
        ({"installed_hardware": ""}, "hardware is not known"),
        ({"installed_app_token": "rpdu"}, "is the application g2ats; the device's is rpdu"),
        ({"installed_app_token": None}, "application that belongs on this device is not known"),
        ({"installed_aos": Version.parse("3.9.3")}, f"{AOS} is a downgrade: AOS 3.9.3"),
        ({"installed_aos": Version.parse("3.9.2.a")}, "downgrade"),
        ({"installed_app": Version.parse("3.9.10")}, f"{APP} is a downgrade: application 3.9.10"),
        ({"installed_aos": None}, "AOS's version is not known"),
        ({"installed_app": None}, "application's version is not known"),
        ({"installed_aos": None, "allow_downgrade": True}, "AOS's version is not known"),
        ({"installed_aos": None, "app_present": False}, "AOS's version is not known"),
        ({"installed_app": Version.parse("4.0"), "app_present": False}, "downgrade"),
    ],
)
def test_each_thing_alone_refuses(changes: dict[str, Any], words: str) -> None:
    found = fits(package(AOS, APP), **changes)
    assert words in " ".join(found)


def test_one_newer_file_does_not_excuse_an_older_one() -> None:
    assert fits(package("apc_hw02_aos_392.bin", "apc_hw02_g2ats_357.bin"))


def test_absent_app_needs_no_version() -> None:
    assert fits(package(AOS, APP), installed_app=None, app_present=False) == []


def test_allowed_downgrade() -> None:
    newer = Version.parse("3.9.3")
    assert fits(package(AOS, APP), installed_aos=newer, installed_app=newer, allow_downgrade=True) == []


@pytest.mark.parametrize(
    ("checksums", "words"),
    [
        (None, None),
        ({}, None),
        ({AOS: "ab" * 32, APP: " " + "AB" * 32 + "\n"}, None),
        ({AOS: "ab" * 32, APP: "ac" * 32}, f"sha256 of {APP} is {'ab' * 32}"),
        ({AOS: "ab" * 32}, f"do not name {APP}"),
        ({AOS: "ab" * 32, APP: "ab" * 32, "x\x1b[2J.bin": "ab" * 32}, "x\\x1b[2J.bin, which is not"),
        ({AOS: "ab" * 32, APP: "ab" * 31}, "is not a sha256"),
        ({AOS: "ab" * 32, APP: "zz" * 32}, "is not a sha256"),
        ({AOS: "ab" * 32, APP: ""}, "is not a sha256"),
        ({AOS: "ab" * 32, APP: None}, f"do not name {APP}"),
        ({AOS: "ab" * 32, APP: 7}, "is not a sha256"),
    ],
)
def test_checksums(checksums: dict[str, object] | None, words: str | None) -> None:
    found = fits(package(AOS, APP), checksums=checksums)
    assert (found == []) if words is None else (words in " ".join(found))


@given(st.text(max_size=300))
def test_printable_is_one_harmless_line(text: str) -> None:
    shown = harmless(text, 120)
    assert len(shown) <= 121
    assert all(ord(char) >= 0x20 and not 0x7F <= ord(char) < 0xA0 for char in shown)
    shown.encode()
