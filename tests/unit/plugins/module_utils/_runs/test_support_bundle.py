# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The support bundle: whole, private, the same for the same contents, and without the secrets of a config.ini."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs import support_bundle
from ansible_collections.dcops.apc.plugins.module_utils._runs._secrets import hide_in_bytes
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import OptionError

CONFIG = b"; head\r\n[NetworkSNMP]\r\nAccessControl1Community=Xpublic7\r\nAccess=enabled\r\n"


def params(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    base = {"dest": str(tmp_path / "out.zip"), "facts": None, "evidence": [], "event_logs": [], "configs": []}
    base |= {"secrets": []}
    return {**base, **changes}


def files(tmp_path: Path) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for option, name, data in (
        ("evidence", "run.jsonl", b'{"kind": "run"}\n'),
        ("event_logs", "one_event.txt", b"09/05/2017\t23:21:26\tSystem: Cold start.\t0x0001\n"),
        ("configs", "one_config.ini", CONFIG),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        made[option] = [str(path)]
    return made


def run(given: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    return support_bundle.run(given, check_mode, None)


def test_all_parts_in_one_private_zip(tmp_path: Path) -> None:
    result = run(params(tmp_path, facts={"ats": {"model": "AP7723"}}, **files(tmp_path)))
    assert result["changed"] and stat.S_IMODE((tmp_path / "out.zip").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "out.zip") as bundle:
        names = bundle.namelist()
        assert names == sorted(file["name"] for file in result["files"])
        assert set(names) == {
            "README.txt",
            "config/one_config.ini",
            "events/one_event.txt",
            "evidence/run.jsonl",
            "facts.json",
        }
        assert json.loads(bundle.read("facts.json")) == {"ats": {"model": "AP7723"}}
        assert bundle.read("evidence/run.jsonl") == b'{"kind": "run"}\n'
        assert b"Xpublic7" not in bundle.read("config/one_config.ini")
        assert all(info.external_attr >> 16 == 0o600 for info in bundle.infolist())


def everything(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "out.zip") as bundle:
        return b"\n".join(bundle.read(name) for name in bundle.namelist())


@pytest.mark.parametrize("secret", ["Xhush-7", 'Xhu"sh\\7', "Xhüsh-7", "Xhush 7/@"])
def test_the_plays_own_secrets_are_hidden_wherever_they_stand(secret: str, tmp_path: Path) -> None:
    made = files(tmp_path)
    for option, data in (
        ("evidence", json.dumps({"message": f"refused {secret}"}).encode()),
        ("event_logs", f"01/02/2026\t10:00:00\tWeb user '{secret}' logged in.\t0x0014\r\n".encode("latin-1")),
        ("configs", CONFIG + f"[SystemID]\r\nName={secret}\r\n".encode("latin-1")),
    ):
        Path(made[option][0]).write_bytes(data)
    facts = {"text": "x" * 4090 + secret, secret: [secret]}
    run(params(tmp_path, facts=facts, secrets=["private", "", secret, secret + "longer"], **made))
    assert b"Xhu" not in everything(tmp_path) and everything(tmp_path).count(b"********") >= 3


def test_what_the_environment_gives_to_the_modules_is_hidden_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("APC_PASSWORD", "APC_SNMP_COMMUNITY", "APC_SNMP_AUTH_KEY", "APC_SNMP_PRIVACY_KEY"):
        monkeypatch.setenv(name, f"Xhush-{name}")
        run(params(tmp_path, facts={"text": f"a Xhush-{name} b"}))
        assert b"Xhush" not in everything(tmp_path)


def test_factory_words_stay_readable(tmp_path: Path) -> None:
    run(params(tmp_path, facts={"file": "apc_hw02_aos_392.bin", "word": "public"}, secrets=["apc", "public"]))
    assert b"apc_hw02_aos_392.bin" in everything(tmp_path) and b"public" in everything(tmp_path)


@pytest.mark.parametrize("data", [CONFIG.decode().encode("utf-16"), b"<html>Xpublic7</html>", CONFIG + b"\0"])
def test_what_is_no_config_is_left_out_with_a_note(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd config.ini").write_bytes(data)
    (tmp_path / "good.ini").write_bytes(CONFIG)
    odd = str(tmp_path / "odd config.ini")
    result = run(params(tmp_path, configs=[odd, str(tmp_path / "good.ini")]))
    assert [file["name"] for file in result["files"]] == ["README.txt", "config/good.ini"]
    assert result["left_out"] == [odd] and odd in result["warnings"][0]
    assert b"Left out: odd_config.ini" in everything(tmp_path) and b"public7" not in everything(tmp_path)


def test_the_same_contents_change_nothing(tmp_path: Path) -> None:
    given = params(tmp_path, facts={"b": 1, "a": 2}, **files(tmp_path))
    first = run(given)
    again = run({**given, "facts": {"a": 2, "b": 1}})
    assert first["changed"] and not again["changed"] and first["sha256"] == again["sha256"]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert run(params(tmp_path, facts={"a": 1}), check_mode=True)["changed"]
    assert list(tmp_path.iterdir()) == []


def test_names_that_collide_are_all_kept(tmp_path: Path) -> None:
    paths = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.jsonl").write_text(folder)
        paths.append(str(tmp_path / folder / "run.jsonl"))
    run(params(tmp_path, evidence=paths))
    with zipfile.ZipFile(tmp_path / "out.zip") as bundle:
        assert {bundle.read(name) for name in bundle.namelist() if name.startswith("evidence/")} == {b"one", b"two"}


def test_no_name_leads_out_of_the_zip(tmp_path: Path) -> None:
    odd = tmp_path / "..\\..\\evil ;name\n.jsonl"
    odd.write_text("x")
    result = run(params(tmp_path, evidence=[str(odd)]))
    inside = [file["name"] for file in result["files"] if file["name"].startswith("evidence/")]
    assert len(inside) == 1 and not set(inside[0]) & set("\\ ;\n")


@pytest.mark.parametrize("option", ["evidence", "event_logs", "configs"])
def test_a_file_that_cannot_be_read_is_an_error(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(Stop) as caught:
            run(params(tmp_path, **{option: [str(path)]}))
        assert option in caught.value.message and str(path) in caught.value.message
    assert not (tmp_path / "out.zip").exists()


def test_a_pipe_in_the_place_of_the_bundle_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.zip")
    with pytest.raises(Stop, match="not a regular file"):
        run(params(tmp_path, facts={"a": 1}))


@pytest.mark.parametrize("dest", ["out.tar", "missing/out.zip", "folder.zip"])
def test_a_bad_destination(dest: str, tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(OptionError):
        run(params(tmp_path, dest=str(tmp_path / dest), facts={"a": 1}))


def test_a_bundle_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    given = params(tmp_path, facts={"a": 1})
    run(given)
    (tmp_path / "out.zip").chmod(0o644)
    run(given)
    assert stat.S_IMODE((tmp_path / "out.zip").stat().st_mode) == 0o600


def test_too_many_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        run(params(tmp_path, evidence=[str(tmp_path / str(number)) for number in range(51)]))


@pytest.mark.parametrize(
    "spelled", ["s3cr/t p%ss", "s3cr%2Ft%20p%25ss", "s3cr%2ft%20p%25ss", "s3cr/t%20p%25ss", "s3cr\\/t p%ss"]
)
def test_a_secret_is_found_however_it_is_spelled(spelled: str) -> None:
    assert hide_in_bytes(f"before {spelled} behind".encode(), ["s3cr/t p%ss"]) == b"before ******** behind"
