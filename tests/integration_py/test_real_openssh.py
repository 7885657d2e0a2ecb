# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real OpenSSH server takes in the old scp protocol what the transport sends, byte for byte, and gives it back."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ftp import BLOCK
from ansible_collections.dcops.apc.plugins.module_utils._transport.scp import ScpLogin, ScpOptions, open_scp

asyncssh = pytest.importorskip("asyncssh", reason="asyncssh is not installed")

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
needs_openssh = pytest.mark.skipif(
    SSHD is None or shutil.which("scp") is None, reason="no OpenSSH server and scp here: apt-get install openssh-server"
)
pytestmark = needs_openssh
FILE = "apc_hw02_g2ats_392.bin"
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
ForceCommand cd {files} && exec $SSH_ORIGINAL_COMMAND
{more}
"""


class Server(NamedTuple):
    port: int
    folder: Path
    files: Path
    fingerprint: str
    client_key: Any
    process: subprocess.Popen[bytes]


class Hooks:
    def __init__(self, cut: bool = False) -> None:
        self.cut = cut
        self.blocks: list[int] = []
        self.last: list[tuple[int, int]] = []

    def idle(self) -> None:
        """Nobody else has work."""

    def first_byte(self) -> None:
        """May begin."""

    def sent(self, done: int, total: int) -> None:
        self.blocks.append(done)

    def last_block(self, done: int, total: int) -> None:
        self.last.append((done, total))
        if self.cut:
            raise InterruptedError("source B is live")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(folder: Path, more: str = "") -> Server:
    host, client = (asyncssh.generate_private_key("ssh-rsa") for _side in "hc")
    files = folder / "files"
    files.mkdir()
    (folder / "host_key").write_bytes(host.export_private_key())
    (folder / "host_key").chmod(0o600)
    (folder / "authorized_keys").write_bytes(client.export_public_key())
    port = free_port()
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder, files=files, more=more))
    if os.geteuid() == 0:
        # As root, and only then, sshd wants the folder that its package's service makes.
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(folder / "config")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
    return Server(port, folder, files, host.get_fingerprint(), client, process)


def stop(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = start(tmp_path)
    try:
        yield found
    finally:
        stop(found)


def log_in(server: Server, **options: Any) -> ScpLogin:
    options = {"host_key": server.fingerprint, **options}
    return open_scp(
        ScpOptions("127.0.0.1", getpass.getuser(), "", server.port, 10, **options),
        Hooks().idle,
        client_key=server.client_key,
    )


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK + 1, 300_001])
def test_there_and_back_byte_for_byte(server: Server, size: int) -> None:
    content = os.urandom(size)
    login, hooks = log_in(server), Hooks()
    assert login.banner.startswith("SSH-2.0-OpenSSH")
    login.store(FILE, content, hooks)
    assert (server.files / FILE).read_bytes() == content and login.last_reply == "it has the file"
    assert hooks.blocks[-1] == size and hooks.last == [((size - 1) // BLOCK * BLOCK, size)]
    assert login.fetch(FILE, 1 << 20) == content
    login.close()


def test_a_file_for_a_directory_and_the_login_goes_on(server: Server) -> None:
    (server.files / "upsfw").mkdir()
    login = log_in(server)
    login.store("upsfw/SMT18UPS_09-3.enc", b"x" * 5000, Hooks())
    assert (server.files / "upsfw" / "SMT18UPS_09-3.enc").read_bytes() == b"x" * 5000
    with pytest.raises(TransportError, match="No such file") as caught:
        login.fetch("event.txt")
    assert caught.value.kind == "transfer"
    with pytest.raises(TransportError, match="larger than 100 bytes"):
        (server.files / "event.txt").write_bytes(b"y" * 101)
        login.fetch("event.txt", 100)
    login.close()


def test_a_refusal_and_a_missing_directory(server: Server) -> None:
    login, hooks = log_in(server), Hooks()
    with pytest.raises(TransportError, match="refused sending|ended sending"):  # noqa: RUF043
        login.store("nowhere/SMT18UPS_09-3.enc", b"x" * 5000, hooks)
    assert hooks.blocks == [] and list(server.files.iterdir()) == []
    (server.files / "event.txt").write_bytes(b"rows")
    assert login.fetch("event.txt") == b"rows"
    login.close()


def test_a_cut_leaves_no_whole_file(server: Server) -> None:
    login = log_in(server)
    with pytest.raises(InterruptedError):
        login.store(FILE, b"x" * 20_000, Hooks(cut=True))
    time.sleep(0.5)
    # OpenSSH's scp keeps what came; that the last block never came is what counts.
    left = server.files / FILE
    assert not left.exists() or left.read_bytes().count(b"x") < 20_000


def test_known_hosts_written_by_us_is_read_by_ssh_and_the_other_way_round(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    log_in(server, host_key=None, known_hosts=str(file), accept_new=True).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for action in ("-F", "-l"):
        where = ["-F", f"[127.0.0.1]:{server.port}"] if action == "-F" else ["-l"]
        shown = subprocess.run(["ssh-keygen", *where, "-f", str(file)], capture_output=True, text=True, check=True)
        assert action == "-F" or server.fingerprint in shown.stdout
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], capture_output=True, check=True)
    assert file.read_text().startswith("|1|")
    log_in(server, host_key=None, known_hosts=str(file)).close()


@pytest.mark.parametrize(
    "only",
    ["KexAlgorithms diffie-hellman-group1-sha1", "MACs hmac-sha1\nCiphers aes128-cbc", "HostKeyAlgorithms ssh-rsa"],
)
def test_an_old_server_only_when_asked_for(tmp_path: Path, only: str) -> None:
    server = start(tmp_path, only)
    try:
        with pytest.raises(TransportError, match="an old card may need the old algorithms"):
            log_in(server)
        login = log_in(server, legacy=True)
        login.store(FILE, b"x" * 3000, Hooks())
        assert (server.files / FILE).read_bytes() == b"x" * 3000
        login.close()
    finally:
        stop(server)
