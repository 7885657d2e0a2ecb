# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host keys: who is known by address and port, what changed, what is written at first use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport import ssh_keys
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ssh_keys import (
    HostKey,
    Known,
    check_fingerprint,
    judge,
    read_known,
    remember,
)

ADDRESS = "192.0.2.23"
KEY, OTHER = HostKey("ssh-ed25519", b"key one"), HostKey("ssh-rsa", b"key two")


def line(names: str, key: HostKey = KEY, marker: str = "") -> str:
    return f"{marker}{names} {key.algorithm} {base64.b64encode(key.blob).decode()} a comment\n"


def hashed(name: str) -> str:
    salt = b"s" * 20
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))


def idle() -> None:
    pass


@pytest.mark.parametrize(
    ("names", "port", "known"),
    [
        (ADDRESS, 22, True),
        (f"[{ADDRESS}]:22", 22, True),
        (f"[{ADDRESS}]:2222", 2222, True),
        (f"x,[{ADDRESS}]:2222,y", 2222, True),
        ("[192.0.2.*]:2222", 2222, True),
        ("[192.0.2.?3]:2222", 2222, True),
        ("*,![192.0.2.23]:2222", 2222, False),
        # Never without the port, or with another: a second card may answer there.
        (ADDRESS, 2222, False),
        (f"[{ADDRESS}]:2223", 2222, False),
        (f"[{ADDRESS}]:2222", 22, False),
        (hashed(ADDRESS), 22, True),
        (hashed(f"[{ADDRESS}]:2222"), 2222, True),
        (hashed(ADDRESS), 2222, False),
        ("|1|nonsense", 22, False),
    ],
)
def test_who_is_known(tmp_path: Path, names: str, port: int, known: bool) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("# a comment\n\nnonsense\n\xff\n" + line(names) + line("@cert-authority *", OTHER))
    assert read_known(str(file), ADDRESS, port).keys == ((KEY,) if known else ())


@pytest.mark.parametrize(
    ("names", "port", "known"),
    [
        ("ats-23.example.com", 22, True),
        ("[ATS-23.example.com]:2222", 2222, True),
        ("*.example.com", 22, True),
        (hashed("ats-23.example.com"), 22, True),
        # As with addresses: never without the port.
        ("ats-23.example.com", 2222, False),
        ("ats-24.example.com", 22, False),
        ("*,!ats-23.example.com", 22, False),
    ],
)
def test_who_is_known_by_name(tmp_path: Path, names: str, port: int, known: bool) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line(names))
    assert read_known(str(file), ADDRESS, port, "ATS-23.example.com").keys == ((KEY,) if known else ())


def test_a_key_that_is_known_by_name_is_not_joined_by_another(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line("ats-23.example.com"))
    with pytest.raises(TransportError, match="HAS CHANGED"):
        judge(OTHER, "there", read_known(str(file), ADDRESS, 22, "ats-23.example.com"), None)
    with pytest.raises(TransportError, match="HAS CHANGED"):
        remember(str(file), ADDRESS, 22, OTHER, idle, "ats-23.example.com")
    assert file.read_text() == line("ats-23.example.com")
    remember(str(file), ADDRESS, 22, KEY, idle, "ats-23.example.com")
    assert file.read_text() == line("ats-23.example.com")


def test_a_revoked_key_is_revoked_by_whatever_name_of_its_algorithm(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line("*", HostKey("rsa-sha2-512", OTHER.blob), "@revoked ") + line(ADDRESS, OTHER))
    with pytest.raises(TransportError, match="revoked"):
        judge(OTHER, "there", read_known(str(file), ADDRESS, 22), None)


def test_a_file_that_is_not_there_knows_nothing_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert read_known(str(tmp_path / "no"), ADDRESS, 22) == Known()
    with pytest.raises(TransportError, match="cannot be read"):
        read_known(str(tmp_path), ADDRESS, 22)


def test_judgements() -> None:
    assert judge(KEY, "there", Known((OTHER, KEY)), None)
    assert not judge(KEY, "there", Known(), None)
    # A fingerprint given counts instead of the file.
    assert judge(KEY, "there", Known((OTHER,)), KEY.fingerprint)
    for known, pinned, said in [
        (Known((OTHER,)), None, "THE HOST KEY OF there HAS CHANGED"),
        (Known((KEY,)), OTHER.fingerprint, "another host key than the one given"),
        (Known((KEY,), (KEY,)), None, "revoked"),
        (Known((), (KEY,)), KEY.fingerprint, "revoked"),
    ]:
        with pytest.raises(TransportError, match=said) as caught:
            judge(KEY, "there", known, pinned)
        assert caught.value.kind == "auth" and KEY.fingerprint in caught.value.message


def test_fingerprints() -> None:
    digest = base64.b64encode(hashlib.sha256(KEY.blob).digest()).decode()
    assert KEY.fingerprint == "SHA256:" + digest.rstrip("=")
    assert check_fingerprint(f" SHA256:{digest} ") == KEY.fingerprint
    for bad in ("", digest, "MD5:00:11", "SHA256:abc", KEY.fingerprint + "x", "SHA256:" + "é" * 43):
        with pytest.raises(TransportError, match="not a host key's fingerprint"):
            check_fingerprint(bad)


@pytest.mark.parametrize(("port", "name"), [(22, ADDRESS), (2222, f"[{ADDRESS}]:2222")])
def test_a_key_is_remembered_for_its_address_and_port(tmp_path: Path, port: int, name: str) -> None:
    file = tmp_path / "new" / "known_hosts"
    remember(str(file), ADDRESS, port, KEY, idle)
    assert file.read_text().split() == [name, KEY.algorithm, base64.b64encode(KEY.blob).decode()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_known(str(file), ADDRESS, port).keys == (KEY,)
    before = file.read_bytes()
    remember(str(file), ADDRESS, port, KEY, idle)
    assert file.read_bytes() == before and os.listdir(file.parent) == ["known_hosts"]


def test_what_stood_there_stays_and_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "real", tmp_path / "known_hosts"
    old = b"# \xff kept as it is\n" + line("other").rstrip("\n").encode()
    file.write_bytes(old)
    file.chmod(0o644)
    link.symlink_to(file)
    remember(str(link), ADDRESS, 22, KEY, idle)
    assert file.read_bytes().startswith(old + b"\n" + ADDRESS.encode()) and link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_key_that_came_meanwhile_is_not_joined(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    remember(str(file), ADDRESS, 22, OTHER, idle)
    with pytest.raises(TransportError, match="HAS CHANGED"):
        remember(str(file), ADDRESS, 22, KEY, idle)


def test_a_folder_that_takes_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransportError, match="cannot be written"):
        remember(str(tmp_path / "file" / "known_hosts"), ADDRESS, 22, KEY, idle)


def add_many(path: str, first: int) -> None:
    for number in range(first, first + 20):
        remember(path, ADDRESS, number, KEY, idle)


def test_processes_do_not_drop_each_others_lines(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=add_many, args=(str(file), 1000 * n)) for n in range(1, 4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(file.read_text().splitlines()) == 60


def test_a_lock_that_stays_is_waited_for_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(ssh_keys, "LOCK_S", 0.3)
    number, idles = os.open(tmp_path, os.O_RDONLY), []
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        with pytest.raises(TransportError, match="stayed locked"):
            remember(str(tmp_path / "known_hosts"), ADDRESS, 22, KEY, lambda: idles.append(1))
    finally:
        os.close(number)
    assert idles and os.listdir(tmp_path) == []
