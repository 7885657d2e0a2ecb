# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state folder: locks and evidence of the runs (SAFETY 7)."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import State
from ansible_collections.dcops.apc.plugins.module_utils._files.opened import regular
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.folders import (
    close_to_group,
    open_to_others,
    owner_of_ours,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.records import plain_object

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def default_state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "dcops-apc"


def key_of(kind: str, value: str) -> str:
    """A file name part. Device text goes in, so only harmless characters come out, and not many of them."""
    longest = 40
    if kind == "addr":
        value, longest = _exploded(value), 64
    return f"{kind}-{_UNSAFE.sub('', value)[:longest].strip('.') or 'none'}"


def _exploded(value: str) -> str:
    """ADDRESS-PORT, an IPv6 address in full: without its colons 2001:db8::1:1 and 2001:db8::11 would be the same."""
    address, _dash, port = value.rpartition("-")
    try:
        return f"{ipaddress.ip_address(address).exploded}-{port}"
    except ValueError:
        return value


# File systems that live in memory or in the container itself, and end with it.
_VANISHING = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})


def in_container() -> bool:
    return (
        os.path.exists("/.dockerenv")
        or os.path.exists("/run/.containerenv")
        or bool(os.environ.get("container") or os.environ.get("KUBERNETES_SERVICE_HOST"))
        or _file_system("/") == "overlay"
    )


def _file_system(mount_point: str) -> str | None:
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return None
    types = [parts[2] for parts in map(str.split, lines) if len(parts) > 2 and parts[1] == mount_point]
    return types[-1] if types else None


def on_a_mount(path: Path) -> bool:
    """Is the folder on a mount that outlives the container? A per-job mount (emptyDir, AWX) cannot be told apart."""
    current = path.resolve()
    while not os.path.ismount(current):
        current = current.parent
    return str(current) != "/" and _file_system(str(current)) not in _VANISHING


# What flock() answers when another process holds the lock; anything else is no word on another run.
_HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
# Who only looks (held_by) holds a lock for a moment: that must not read as a run.
_TRIES, _PAUSE_S = 4, 0.02


class Locks:
    """One lock file per known key, all held until closed or until the process is gone."""

    def __init__(self, folder: Path, owner: dict[str, Any]) -> None:
        self._folder = folder
        self._owner = owner
        self._held: dict[str, int] = {}
        self._shared: set[str] = set()

    def add(self, keys: Iterable[str]) -> None:
        """Raises Stop("locked") naming the holder if any key is held by another run, Stop("state") without locks."""
        for key in keys:
            if key not in self._held:
                path = self._folder / f"{key}.lock"
                self._held[key] = _taken(path, fcntl.LOCK_EX, "this unit")
                self._sign(self._held[key], path)

    def name(self, **facts: Any) -> None:
        """What a run that finds the unit locked is told besides host, pid and run: ``permit``, its number."""
        self._owner = self._owner | facts
        for key, handle in self._held.items():
            if key in self._shared:
                continue
            self._sign(handle, self._folder / f"{key}.lock")

    def _sign(self, handle: int, path: Path) -> None:
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(self._owner).encode(), 0)
        except OSError as exc:
            raise Stop("state", f"the lock {path} cannot be written: {exc.strerror}") from exc

    def share(self, keys: Iterable[str]) -> None:
        """Keeps every other run off these units as well, but not those that only share them likewise.

        Raises Stop("locked") where a run holds one of them: two that are each other's peer must not both go.
        """
        for key in keys:
            if key not in self._held:
                self._held[key] = _taken(self._folder / f"{key}.lock", fcntl.LOCK_SH, "a redundancy peer")
                self._shared.add(key)

    def close(self) -> None:
        for handle in self._held.values():
            os.close(handle)
        self._held.clear()
        self._shared.clear()


def _taken(path: Path, how: int, what: str) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        why = "it is a symbolic link, which is not followed" if exc.errno == errno.ELOOP else exc.strerror
        raise Stop("state", f"the lock {path} cannot be opened: {why}") from exc
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Stop("state", f"the lock {path} cannot be opened: it is not a regular file")
        _take(handle, path, how, what)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _take(handle: int, path: Path, how: int, what: str) -> None:
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno not in _HELD:
                raise Stop("state", f"the lock {path} cannot be taken: {exc.strerror}{_why_not(exc)}") from exc
            if not left:
                holder = shown_holder(_owner_in(handle))
                message = f"another run holds {what}: {holder}"
                raise Stop("locked", message, state=State.LOCKED, details={"holder": holder}) from exc
        time.sleep(_PAUSE_S)


def _why_not(exc: OSError) -> str:
    if exc.errno not in _NO_LOCKS:
        return ""
    return (
        "; the file system of state_dir gives no locks (NFS without its lock service, or a mount with nolock): "
        "mend that, or take a state_dir on another one"
    )


def held_by(folder: Path, keys: Iterable[str]) -> dict[str, Any] | None:
    """Who holds the unit now, as it signed its lock; None where nobody does. Leaves everything as it is.

    Raises Stop("state") where that cannot be told.
    """
    for key in keys:
        path = folder / f"{key}.lock"
        try:
            handle = regular(path, follow=False)
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise Stop("state", f"the lock {path} cannot be read: {exc.strerror}") from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in _HELD:
                raise Stop("state", f"the lock {path} cannot be read: {exc.strerror}{_why_not(exc)}") from exc
            return _owner_in(handle)
        finally:
            os.close(handle)
    return None


def held_with(folder: Path, owner: Mapping[str, Any]) -> set[str]:
    """All keys that the run holds which has signed as ``owner``: what it knows its unit by. Raises Stop("state")."""
    run, found = owner.get("run"), set()
    try:
        names = os.listdir(folder)
    except OSError as exc:
        raise Stop("state", f"the locks in {folder} cannot be read: {exc.strerror}") from exc
    for key in (name.removesuffix(".lock") for name in names if name.endswith(".lock")):
        # One that is no file is nobody's lock, and not what was asked for.
        with suppress(Stop):
            theirs = held_by(folder, [key])
            if run and theirs is not None and theirs.get("run") == run:
                found.add(key)
    return found


def _owner_in(handle: int) -> dict[str, Any]:
    try:
        return plain_object(os.pread(handle, 4096, 0))
    except OSError:
        return {}


def shown_holder(owner: dict[str, Any]) -> str:
    text = f"run {owner.get('run', '?')}, pid {owner.get('pid', '?')} on host {owner.get('host', '?')}"
    return f"{text}, permit {owner['permit']}" if owner.get("permit") else text


# Each is made for itself: a parent that mkdir() makes on the way is open as far as the umask allows.
PARTS = ("locks", "words", "evidence", "backups", "simulated", "simulated/evidence", "simulated/backups")


class StateDir:
    """``path``/locks, /words, /evidence, /backups; simulated units are kept apart below /simulated.

    ``path`` itself may be a volume that a group writes; the folders in it are ours, and nobody else's.
    """

    def __init__(self, path: Path | str | None, ephemeral: bool = False) -> None:
        self.path = Path(path).expanduser() if path else default_state_dir()
        self.ephemeral = ephemeral

    def problem(self) -> str:
        """Why a run could not keep its state here; empty if it could. Writes nothing."""
        if in_container() and not on_a_mount(self.path) and not self.ephemeral:
            return (
                f"state_dir {self.path} is inside this container and would vanish with it: mount a volume, or set "
                "ephemeral_state: true (in a role or playbook: with its prefix) to accept the loss"
            )
        for part in PARTS:
            wrong = open_to_others(self.path / part, None, closes_group=in_container())
            if wrong:
                return wrong
        nearest = self.path
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            return f"state_dir {self.path} cannot be written"
        return ""

    def prepare(self) -> None:
        """Makes the folders. Raises Stop("state") where nothing could be kept: then nothing may be sent."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in PARTS:
                (self.path / part).mkdir(exist_ok=True, mode=0o700)
            owner = owner_of_ours(self.path)
        except OSError as exc:
            raise Stop("state", f"state_dir {self.path} cannot be written: {exc.strerror}") from exc
        for part in PARTS:
            if in_container():
                close_to_group(self.path / part, owner)
            wrong = open_to_others(self.path / part, owner)
            if wrong:
                raise Stop("state", wrong)
        problem = self.problem()
        if problem:
            raise Stop("state", problem)

    def locks(self, run: str) -> Locks:
        owner = {"run": run, "pid": os.getpid(), "host": socket.gethostname()}
        return Locks(self.path / "locks", owner)

    def folder(self, part: str, simulated: bool) -> Path:
        return self.path / "simulated" / part if simulated else self.path / part
