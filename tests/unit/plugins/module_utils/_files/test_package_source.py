# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import io
import os
import random
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._files.package_source import (
    Limits,
    LoadedPackage,
    PackageError,
    load,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs import firmware_package_info

AOS, APP = "apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"
AOS_DATA, APP_DATA = random.Random(1).randbytes(30_000), random.Random(2).randbytes(20_000)


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data, method)
    return stream.getvalue()


GOOD = zipped(("Bins/" + AOS, AOS_DATA), ("Bins/" + APP, APP_DATA), ("upgrd_util.exe", b"MZ" * 100))


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(data: bytes, name: str = "package.zip") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


def is_the_pair(loaded: LoadedPackage) -> bool:
    assert dict(loaded.contents) == {AOS: AOS_DATA, APP: APP_DATA}
    assert [module.file for module in loaded.package.modules] == [AOS, APP]
    assert loaded.package.modules[0].sha256 == hashlib.sha256(AOS_DATA).hexdigest()
    assert loaded.package.modules[1].size == len(APP_DATA)
    return loaded.package.problems == ()


def refused(words: str, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(PackageError) as caught:
        load(*args, **kwargs)
    assert words in caught.value.message
    assert caught.value.kind == "package"
    return caught.value.message


# Where a package may come from


@pytest.mark.parametrize("prefix", [b"", b"MZ" + b"\x90" * 40_000], ids=["zip", "exe"])
def test_archive(put: Any, prefix: bytes) -> None:
    loaded = load(put(prefix + GOOD, "apc_hw02_aos392_g2ats392.exe"))
    assert is_the_pair(loaded)
    assert loaded.package.ignored == ("upgrd_util.exe",)


@pytest.mark.parametrize("below", ["", "Bins", "bins"])
def test_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / AOS).write_bytes(AOS_DATA)
    (tmp_path / below / APP).write_bytes(APP_DATA)
    (tmp_path / "readme.txt").write_bytes(b"x" * 100)
    loaded = load(str(tmp_path))
    assert is_the_pair(loaded)
    assert loaded.package.ignored == ("readme.txt",) and loaded.source == str(tmp_path)


def test_files(put: Any) -> None:
    assert is_the_pair(load(files=[put(APP_DATA, APP), put(AOS_DATA, AOS)]))


def test_home_folder(put: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(GOOD)
    assert is_the_pair(load("~/package.zip"))


def test_single_file_is_half_a_package(put: Any) -> None:
    loaded = load(put(AOS_DATA, AOS))
    assert loaded.package.problems == ("The package has no application file.",)


def test_what_was_hashed_is_what_is_sent(put: Any) -> None:
    path = put(AOS_DATA, AOS)
    loaded = load(path)
    Path(path).write_bytes(b"something else")
    assert hashlib.sha256(loaded.contents[AOS]).hexdigest() == loaded.package.modules[0].sha256
    with pytest.raises(TypeError):
        loaded.contents[AOS] = b""  # type: ignore[index]


# What is wrong with local sources


def test_neither_and_both() -> None:
    refused("either src or files")
    refused("either src or files", "a", ["b"])


def test_missing_and_empty(tmp_path: Path, put: Any) -> None:
    refused("cannot be read: No such file", str(tmp_path / "missing.zip"))
    refused("no firmware file", str(tmp_path))
    refused("not a zip archive or is damaged", put(b"", "empty.zip"))
    refused("not a usable path", "a\0b")


def test_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    refused("is not a file", str(tmp_path / "pipe.zip"))
    refused("is not a file", "/dev/zero")
    os.mkfifo(tmp_path / AOS)
    refused("is not a file", str(tmp_path))


def test_named_file_that_is_no_firmware(put: Any) -> None:
    refused("is not named like a firmware file", files=[put(b"x", "config.txt")])


def test_two_aos(put: Any, tmp_path: Path) -> None:
    for name in (AOS, APP, "apc_hw02_aos_390.bin"):
        put(b"x" * 100, name)
    assert "2 AOS files" in load(str(tmp_path)).package.problems[0]


def test_empty_firmware_file(put: Any) -> None:
    loaded = load(files=[put(b"", AOS), put(APP_DATA, APP)])
    assert loaded.package.problems == (f"{AOS} is empty.",)


def test_same_name_twice(put: Any, tmp_path: Path) -> None:
    (tmp_path / "Bins").mkdir()
    put(AOS_DATA, AOS)
    put(APP_DATA, APP)
    (tmp_path / "Bins" / AOS).write_bytes(AOS_DATA)
    assert is_the_pair(load(str(tmp_path)))
    (tmp_path / "Bins" / AOS).write_bytes(b"another")
    refused("twice, with different contents", str(tmp_path))


def test_folder_of_everything(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.txt").touch()
    refused("a folder of its own", str(tmp_path), limits=Limits(max_members=5))


def test_too_big(put: Any, tmp_path: Path) -> None:
    paths = [put(AOS_DATA, AOS), put(APP_DATA, APP)]
    refused("more than 49,999 bytes", files=paths, limits=Limits(max_bytes=49_999))
    assert is_the_pair(load(files=paths, limits=Limits(max_bytes=50_000)))
    archive = put(GOOD)
    refused("more than 49,999 bytes", archive, limits=Limits(max_bytes=49_999))
    assert is_the_pair(load(archive, limits=Limits(max_bytes=50_000)))


def test_sparse_giant_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / AOS, "wb") as file:
        file.truncate(1 << 40)
    refused("more than", str(tmp_path))


# Hostile and damaged archives


@pytest.mark.parametrize(
    "path",
    ["../", "../../etc/", "/", "/etc/", "..\\..\\", "C:\\", "C:", "\\\\host\\share\\", "Bins/../../", "\\"],
)
def test_nothing_escapes(put: Any, tmp_path: Path, path: str) -> None:
    archive = put(zipped((path + AOS, b"evil" * 100), (APP, APP_DATA)))
    before = sorted(tmp_path.parent.rglob("*"))
    loaded = load(archive)
    assert set(loaded.contents) == {APP}
    # It does not vanish in silence either.
    assert "is not used" in " ".join(loaded.package.problems)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_windows_separators_are_fine(put: Any) -> None:
    assert is_the_pair(load(put(zipped(("Bins\\" + AOS, AOS_DATA), ("Bins\\" + APP, APP_DATA)))))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_special_members(put: Any, kind: int) -> None:
    link = zipfile.ZipInfo(AOS)
    link.create_system = 3
    link.external_attr = (kind | 0o777) << 16
    loaded = load(put(zipped((link, b"/etc/passwd"), (APP, APP_DATA))))
    assert set(loaded.contents) == {APP} and loaded.package.problems


def test_names_cannot_paint_the_terminal(put: Any) -> None:
    message = refused("no firmware file", put(zipped(("\x1b[31mCON\u202e.txt", b""), ("NUL", b""))))
    assert "\x1b" not in message and "\u202e" not in message


def test_bomb(put: Any) -> None:
    data = zipped((AOS, bytes(20_000_000)))
    refused("expands more than 100-fold", put(data))
    # Well padded firmware of an ordinary size is none.
    assert load(put(zipped((AOS, bytes(3_000_000))))).package.modules[0].size == 3_000_000


@pytest.mark.parametrize("lie", [10, 29_999, 30_001, 60_000])
def test_declared_size_lies(put: Any, lie: int) -> None:
    data = zipped((AOS, AOS_DATA))
    real = struct.pack("<L", len(AOS_DATA))
    assert data.count(real) >= 2
    message = refused("", put(data.replace(real, struct.pack("<L", lie))))
    assert "damaged" in message or "cut short" in message


def test_too_many_members(put: Any) -> None:
    refused("has 201 members", put(zipped(*((f"{n}.txt", b"") for n in range(201)))))


def test_giant_directory_is_not_read(put: Any) -> None:
    # 30,000 entries: more than a megabyte of directory, refused before an object is made of each.
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 30_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 30_000, 30_000, len(directory), 0, 0)
    refused("its directory is too large", put(directory + end))


def test_encrypted(put: Any) -> None:
    data = bytearray(zipped((AOS, AOS_DATA)))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    refused("is encrypted", put(bytes(data)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_method(put: Any, method: int) -> None:
    refused("unusual method", put(zipped((AOS, AOS_DATA), method=method)))


def test_same_name_twice_in_an_archive(put: Any) -> None:
    refused("twice, with different contents", put(zipped(("a/" + AOS, AOS_DATA), ("b/" + AOS, b"other"))))


def test_damaged(put: Any) -> None:
    for cut in (10, 1000, len(GOOD) // 2, len(GOOD) - 1):
        refused("not a zip archive or is damaged", put(GOOD[:cut]))
    flipped = bytearray(GOOD)
    flipped[5000] ^= 0xFF
    refused("not a zip archive or is damaged", put(bytes(flipped)))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6))
def test_any_damage_is_a_package_error(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, bytes]]
) -> None:
    small = zipped((AOS, b"a" * 50 + AOS_DATA[:100]), ("x/" + APP, APP_DATA[:80]), ("r.txt", b"hello"))
    data = bytearray(small)
    for where, piece in damage:
        start = where % len(small)
        data[start : start + len(piece)] = piece
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(data)
    try:
        loaded = load(str(path))
    except PackageError as exc:
        assert exc.message
    else:
        for module in loaded.package.modules:
            assert hashlib.sha256(loaded.contents[module.file]).hexdigest() == module.sha256


# The module's result


def run(**params: Any) -> dict[str, Any]:
    return firmware_package_info.run(params, check_mode=False, progress=None)


def test_result(put: Any) -> None:
    path = put(GOOD)
    result = run(src=path)
    assert result["changed"] is False
    package = result["package"]
    assert package["bulletin"] == {"id": "FA156178", "named": False}
    assert (package["source"], package["name"], package["hardware"]) == (path, "apc_hw02_aos392_g2ats392", "hw02")
    assert [module["name"] for module in package["modules"]] == ["aos", "g2ats"]
    assert package["problems"] == [] and package["ignored"] == ["upgrd_util.exe"]
    sums = {module["file"]: module["sha256"].upper() for module in package["modules"]}
    assert run(src=path, checksums=sums) == result == firmware_package_info.run({"src": path}, True, None)
    with pytest.raises(PackageError, match=f"The sha256 of {AOS}"):
        run(src=path, checksums={**sums, AOS: "0" * 64})


def test_result_of_a_named_and_of_another_package(put: Any) -> None:
    named = run(files=[put(b"a", "apc_hw02_aos_390.bin"), put(b"b", APP)])["package"]
    assert named["bulletin"] == {"id": "FA156178", "named": True}
    other = run(files=[put(b"a", AOS), put(b"b", "apc_hw02_sumx_392.bin")])["package"]
    assert other["bulletin"] is None
    crowded = run(files=[put(b"a", AOS), put(b"b", APP), put(b"b", "apc_hw02_sumx_392.bin")])["package"]
    assert crowded["bulletin"] == {"id": "FA156178", "named": False} and crowded["problems"]


def test_download_timeout_is_bounded(put: Any) -> None:
    with pytest.raises(PackageError, match="between 1 and 3600"):
        run(src=put(GOOD), download_timeout_s=5000)
