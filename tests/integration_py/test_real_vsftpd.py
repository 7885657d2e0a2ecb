# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real FTP server takes what the transport sends, byte for byte: Debian's vsftpd, as an ordinary user on loopback."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp import FtpLogin, open_ftp

VSFTPD = shutil.which("vsftpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOBODY = 65534
CONFIG = """listen=YES
listen_address=127.0.0.1
listen_port={port}
run_as_launching_user=YES
background=NO
anonymous_enable=YES
local_enable=NO
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
seccomp_sandbox=NO
allow_writeable_chroot=YES
xferlog_enable=NO
"""

pytestmark = pytest.mark.skipif(VSFTPD is None, reason="vsftpd is not installed (Debian package vsftpd)")


class Hooks:
    def __init__(self, cut_at: int | None = None) -> None:
        self.cut_at = cut_at
        self.done = 0

    def idle(self) -> None:
        pass

    def first_byte(self) -> None:
        pass

    def sent(self, done: int, total: int) -> None:
        self.done = done
        if self.cut_at is not None and done >= self.cut_at:
            raise InterruptedError("cut by the test")

    def last_block(self, done: int, total: int) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[tuple[int, Path]]:
    """vsftpd wants a configuration of its own user, so both belong to whoever runs it."""
    folder = Path(tempfile.mkdtemp(prefix="apc-vsftpd-"))
    root = folder / "root"
    (root / "upsfw").mkdir(parents=True)
    (root / "event.txt").write_bytes(b"Date\tTime\tEvent\tCode\r\n" * 500)
    port = free_port()
    config = folder / "vsftpd.conf"
    config.write_text(CONFIG.format(port=port, root=root), encoding="utf-8")
    config.chmod(0o600)
    who: dict[str, object] = {}
    if os.geteuid() == 0:
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    process = subprocess.Popen(
        [str(VSFTPD), str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **who
    )  # type: ignore[call-overload]
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    process.kill()
                    pytest.fail(f"vsftpd did not start: {process.communicate()[0].decode(errors='replace')}")
                time.sleep(0.05)
        yield port, root
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def log_in(port: int) -> FtpLogin:
    return open_ftp("127.0.0.1", port, "anonymous", "someone@example.net", 10.0, lambda: None)


def settled(path: Path, size: int) -> bytes:
    end = time.monotonic() + 10
    while time.monotonic() < end and (not path.exists() or path.stat().st_size < size):
        time.sleep(0.02)
    return path.read_bytes()


@pytest.mark.parametrize("size", [1, 511, 512, 513, 65536, 300_001])
def test_a_module_arrives_byte_for_byte(server: tuple[int, Path], size: int) -> None:
    port, root = server
    data = random.Random(size).randbytes(size)
    login = log_in(port)
    login.store("apc_hw02_aos_392.bin", data, Hooks())
    login.close()
    assert settled(root / "apc_hw02_aos_392.bin", size) == data


def test_a_ups_file_goes_into_its_folder(server: tuple[int, Path]) -> None:
    """Without root's rights vsftpd cannot make ``root`` its "/", so the way back is tested against other servers."""
    port, root = server
    data = random.Random(7).randbytes(20_000)
    login = log_in(port)
    login.store("upsfw/SMT18UPS_09-3.enc", data, Hooks())
    login.close()
    assert settled(root / "upsfw" / "SMT18UPS_09-3.enc", len(data)) == data


def test_a_file_is_fetched_byte_for_byte(server: tuple[int, Path]) -> None:
    port, root = server
    login = log_in(port)
    try:
        assert login.fetch("event.txt") == (root / "event.txt").read_bytes()
        with pytest.raises(TransportError):
            login.fetch("event.txt", limit=100)
    finally:
        login.close()


def test_a_cut_is_no_whole_file(server: tuple[int, Path]) -> None:
    port, root = server
    login = log_in(port)
    with pytest.raises(InterruptedError):
        login.store("apc_hw02_g2ats_392.bin", b"x" * 200_000, Hooks(cut_at=100_000))
    login.close()
    time.sleep(0.3)
    path = root / "apc_hw02_g2ats_392.bin"
    assert not path.exists() or path.stat().st_size < 200_000


def test_what_is_not_there_is_refused_in_words(server: tuple[int, Path]) -> None:
    port, _root = server
    login = log_in(port)
    try:
        with pytest.raises(TransportError) as refused:
            login.fetch("config.ini")
        assert refused.value.kind == "transfer" and "config.ini" in refused.value.message
        with pytest.raises(TransportError):
            login.store("nowhere/SMT18UPS_09-3.enc", b"x" * 1000, Hooks())
    finally:
        login.close()


def test_a_wrong_account(server: tuple[int, Path]) -> None:
    port, _root = server
    with pytest.raises(TransportError) as refused:
        open_ftp("127.0.0.1", port, "apc", "wrong", 10.0, lambda: None)
    assert refused.value.kind == "auth"
