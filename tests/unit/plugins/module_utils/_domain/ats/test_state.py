# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks and folders: whoever comes second is told who came first."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._procedure import state
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import Locks, StateDir, key_of

OWNER = {"run": "r1", "pid": 4711, "host": "control-1"}
# Another process, with nothing of ours in it: what a holder looks like from outside.
HOLD = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(handle, fcntl.LOCK_EX)
os.write(handle, sys.argv[2].encode())
print("held", flush=True)
sys.stdin.read()
"""


def test_the_holder_is_named_and_nothing_else_is_held(tmp_path: Path) -> None:
    first, second = Locks(tmp_path, OWNER), Locks(tmp_path, {"run": "r2", "pid": 1, "host": "b"})
    first.add(["addr-a", "ats-x"])
    with pytest.raises(Stop) as stop:
        second.add(["addr-b", "ats-x"])
    assert stop.value.kind == "locked" and stop.value.state is State.LOCKED
    for word in ("r1", "4711", "control-1"):
        assert word in stop.value.message and word in stop.value.details["holder"]
    second.close()
    first.add(["addr-a", "card-y", "addr-b"])
    first.close()
    again = Locks(tmp_path, OWNER)
    again.add(["addr-a", "ats-x", "card-y", "addr-b"])
    again.close()


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "null", "\x00\x00"])
def test_a_holder_that_wrote_nothing_of_use(text: str, tmp_path: Path) -> None:
    """A run that was interrupted between taking the lock and writing its name, or a disk that was full."""
    path = tmp_path / "addr-a.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), text.replace("\x00", " ")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        locks = Locks(tmp_path, OWNER)
        with pytest.raises(Stop) as stop:
            locks.add(["addr-a"])
        assert stop.value.kind == "locked" and "run ?" in stop.value.message
    finally:
        holder.kill()
        holder.communicate()
    locks.add(["addr-a"])
    locks.close()


def test_a_process_that_is_gone_holds_nothing_and_its_name_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "addr-a.lock").write_text('{"run": "a very long name of a run that is gone", "pid": 1, "host": "x"}')
    locks = Locks(tmp_path, OWNER)
    locks.add(["addr-a"])
    with pytest.raises(Stop) as stop:
        Locks(tmp_path, OWNER).add(["addr-a"])
    assert "r1" in stop.value.message and "gone" not in stop.value.message
    locks.close()


@pytest.mark.parametrize("call", ["open", "pwrite", "ftruncate"])
def test_a_lock_that_cannot_be_written(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(os, call)

    def refuse(*given: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    locks = Locks(tmp_path, OWNER)
    monkeypatch.setattr(state.os, call, refuse)
    with pytest.raises(Stop) as stop:
        locks.add(["addr-a"])
    assert stop.value.kind == "state" and "No space" in stop.value.message
    monkeypatch.setattr(state.os, call, real)
    locks.close()
    other = Locks(tmp_path, OWNER)
    other.add(["addr-a"])
    other.close()


def test_our_own_name_is_the_real_one(tmp_path: Path) -> None:
    folder = StateDir(tmp_path, ephemeral=True)
    folder.prepare()
    held = folder.locks("r9")
    held.add(["addr-a"])
    with pytest.raises(Stop) as stop:
        folder.locks("r10").add(["addr-a"])
    for word in ("r9", str(os.getpid()), socket.gethostname()):
        assert word in stop.value.message
    held.close()


@pytest.mark.parametrize("part", ["locks", "evidence", "backups", "simulated"])
def test_a_folder_that_cannot_be_made(part: str, tmp_path: Path) -> None:
    (tmp_path / part).write_text("in the way")
    with pytest.raises(Stop) as stop:
        StateDir(tmp_path, ephemeral=True).prepare()
    assert stop.value.kind == "state" and "cannot be written" in stop.value.message


@pytest.mark.parametrize(
    ("container", "mounted", "ephemeral", "refused"),
    [(True, False, False, True), (True, True, False, False), (True, False, True, False), (False, False, False, False)],
)
def test_a_container_must_keep_its_state(
    container: bool, mounted: bool, ephemeral: bool, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "in_container", lambda: container)
    monkeypatch.setattr(state, "on_a_mount", lambda path: mounted)
    if refused:
        with pytest.raises(Stop, match="ephemeral_state"):
            StateDir(tmp_path, ephemeral=ephemeral).prepare()
    else:
        StateDir(tmp_path, ephemeral=ephemeral).prepare()
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "backups",
            "evidence",
            "locks",
            "simulated",
            "words",
        ]


# --- whose the folders are -------------------------------------------------------------------------------


def at_home(monkeypatch: pytest.MonkeyPatch, container: bool = False) -> None:
    monkeypatch.setattr(state, "in_container", lambda: container)


def test_the_folders_are_ours_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        StateDir(tmp_path / "s", ephemeral=True).prepare()
    finally:
        os.umask(before)
    made = [tmp_path / "s", *(tmp_path / "s").rglob("*")]
    assert len(made) == 8 and {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


@pytest.mark.parametrize("part", ["locks", "words", "evidence", "backups", "simulated", "simulated/evidence"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702, 0o770])
def test_a_folder_that_others_may_write_is_refused(
    part: str, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any local user could lay the deed there that lets a run send."""
    at_home(monkeypatch)
    store = StateDir(tmp_path)
    store.prepare()
    (tmp_path / part).chmod(mode)
    assert f"chmod 700 {tmp_path / part}" in store.problem()
    with pytest.raises(Stop, match="can be written by others") as stop:
        store.prepare()
    assert stop.value.kind == "state" and f"chmod 700 {tmp_path / part}" in stop.value.message
    (tmp_path / part).chmod(0o750)
    store.prepare()
    assert store.problem() == ""


def test_the_state_folder_itself_may_be_a_volume_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As AWX and OpenShift mount it: of another owner, writable for group 0. What we make in it is ours."""
    at_home(monkeypatch)
    tmp_path.chmod(0o2775)
    StateDir(tmp_path).prepare()
    StateDir(tmp_path).prepare()
    assert stat.S_IMODE((tmp_path / "words").stat().st_mode) & 0o077 == 0


def test_what_a_pod_gave_to_its_group_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes does so with each pod (fsGroup): a refusal would refuse every job."""
    at_home(monkeypatch, container=True)
    store = StateDir(tmp_path, ephemeral=True)
    store.prepare()
    (tmp_path / "words").chmod(0o2770)
    assert store.problem() == "" and stat.S_IMODE((tmp_path / "words").stat().st_mode) == 0o2770
    store.prepare()
    assert stat.S_IMODE((tmp_path / "words").stat().st_mode) == 0o700
    (tmp_path / "words").chmod(0o777)
    with pytest.raises(Stop, match="chmod 700"):
        store.prepare()


def test_a_folder_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home(monkeypatch)
    StateDir(tmp_path).prepare()
    # Also where the file system names another owner than we are: then all of it is named so.
    monkeypatch.setattr(state, "owner_of_ours", lambda folder: os.getuid() + 1)
    with pytest.raises(Stop, match="one account") as stop:
        StateDir(tmp_path).prepare()
    assert f"chown -R {os.getuid() + 1} {tmp_path / 'locks'}" in stop.value.message


def test_no_link_in_the_state_folder_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home(monkeypatch)
    victim, store = tmp_path / "victim", StateDir(tmp_path / "s")
    victim.write_text("precious")
    store.prepare()
    for name in (f".probe-{os.getpid()}", "locks/ats-X.lock"):
        (tmp_path / "s" / name).symlink_to(victim)
    store.prepare()
    with pytest.raises(Stop, match="not followed"):
        store.locks("r").add(["ats-X"])
    os.mkfifo(tmp_path / "s" / "locks" / "ats-Y.lock")
    with pytest.raises(Stop, match="not a regular file"):
        store.locks("r").add(["ats-Y"])
    assert victim.read_text() == "precious"
    (tmp_path / "s" / "words").rename(tmp_path / "words")
    (tmp_path / "s" / "words").symlink_to(tmp_path / "words")
    with pytest.raises(Stop, match="not followed"):
        store.prepare()
    assert "not followed" in store.problem()


def test_two_runs_of_the_same_pid_meet_in_no_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two containers: whoever unlinks the other's probe would have it read that nothing can be written."""
    at_home(monkeypatch)
    named: list[str] = []
    real = os.open

    def watched(path: Any, flags: int, *more: Any, **given: Any) -> int:
        if ".probe" in str(path):
            assert flags & os.O_EXCL and flags & os.O_NOFOLLOW
            named.append(str(path))
        return real(path, flags, *more, **given)

    monkeypatch.setattr(os, "open", watched)
    StateDir(tmp_path).prepare()
    StateDir(tmp_path).prepare()
    assert len(set(named)) == 2 and not list(tmp_path.glob(".probe*"))


@pytest.mark.parametrize("value", ["../../etc/passwd", "a/b", "\x00", "", "...", "x" * 300, "a_b\n"])
def test_a_device_names_no_path(value: str, tmp_path: Path) -> None:
    key = key_of("ats", value)
    assert "/" not in key and "_" not in key and len(key) <= 44 and key.startswith("ats-") and key != "ats-"
    assert (tmp_path / f"{key}.lock").resolve().parent == tmp_path.resolve()


# --- no locks, and who holds ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EIO])
@pytest.mark.parametrize("way", ["add", "share", "held_by"])
def test_a_file_system_without_locks_is_no_other_run(
    number: int, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "addr-a.lock").touch()

    def refuse(*_given: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(state.fcntl, "flock", refuse)
    with pytest.raises(Stop) as stop:
        if way == "held_by":
            state.held_by(tmp_path, ["addr-a"])
        else:
            getattr(Locks(tmp_path, OWNER), way)(["addr-a"])
    assert stop.value.kind == "state" and "another run" not in stop.value.message
    assert os.strerror(number) in stop.value.message and ("NFS" in stop.value.message) is (number != errno.EIO)


@pytest.mark.parametrize("what", ["pipe", "folder", "link"])
def test_a_lock_that_is_no_file_tells_nothing_of_a_run(what: str, tmp_path: Path) -> None:
    lock = tmp_path / "addr-a.lock"
    if what == "pipe":
        os.mkfifo(lock)
    elif what == "folder":
        lock.mkdir()
    else:
        (tmp_path / "elsewhere").touch()
        lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Stop, match=r"not a regular file|not followed") as stop:
        state.held_by(tmp_path, ["addr-a"])
    assert stop.value.kind == "state"


def test_who_holds_it_is_seen_without_touching_it(tmp_path: Path) -> None:
    assert state.held_by(tmp_path, ["addr-a", "ats-x"]) is None and not list(tmp_path.iterdir())
    locks = Locks(tmp_path, OWNER)
    locks.add(["ats-x"])
    assert state.held_by(tmp_path, ["addr-a", "ats-x"]) == OWNER
    locks.name(permit=7)
    with pytest.raises(Stop, match="run r1, pid 4711 on host control-1, permit 7"):
        Locks(tmp_path, OWNER).add(["ats-x"])
    locks.close()
    assert state.held_by(tmp_path, ["addr-a", "ats-x"]) is None


def test_who_only_looks_does_not_stop_a_run_that_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, pauses = Locks(tmp_path, OWNER), []
    looking.share(["addr-a"])

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        looking.close()

    monkeypatch.setattr(state.time, "sleep", pause)
    run = Locks(tmp_path, OWNER)
    run.add(["addr-a"])
    run.close()
    assert len(pauses) == 1


def test_two_addresses_of_ipv6_are_two_keys() -> None:
    addresses = ["2001:db8::1:1", "2001:db8::11", "2001:db8:0:1::1", "2001:db8::1:0:1", "fe80::1%eth0", "fe80::1%eth1"]
    keys = {key_of("addr", f"{address}-{port}") for address in addresses for port in (161, 61, 16161)}
    assert len(keys) == 18 and not any(set("/_:%") & set(key) for key in keys)
    assert key_of("addr", "2001:db8::1-161") == key_of("addr", "2001:DB8:0:0::1-161")
    assert key_of("addr", "192.0.2.1-161") == "addr-192.0.2.1-161"
