# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulated device in real time: the physical model, its clock, and the protocol servers around it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from . import devicefile
from .knobs import Knobs
from .model import Unit

TICK_S = 0.05
PARENT_POLL_S = 0.5
AUTH_PROTOCOLS = ("none", "md5", "sha", "sha224", "sha256", "sha384", "sha512")
PRIV_PROTOCOLS = ("none", "des", "aes", "aes192", "aes256")


@dataclasses.dataclass(frozen=True)
class Settings:
    device: str
    ready_file: Path | None = None
    speed: float = 1
    host: str = "127.0.0.1"
    snmp_port: int = 0
    ftp_port: int = 0
    ssh_port: int = 0
    ssh_legacy: bool = False
    web_port: int = 0
    web_tls: bool = False
    control_port: int = 0
    seed: int = 0
    knobs: dict[str, Any] = dataclasses.field(default_factory=dict)
    faults: tuple[dict[str, Any], ...] = ()
    patches: tuple[dict[str, Any], ...] = ()
    serial: str | None = None
    name: str | None = None
    address: str | None = None
    v3_users: tuple[dict[str, Any], ...] = ()
    start_s: float = 0
    parent_pid: int | None = None


class BadSettings(Exception):
    """What the command line asks for does not exist in the model."""


@dataclasses.dataclass(frozen=True)
class V3User:
    name: str
    auth: str = "none"
    auth_key: str = ""
    priv: str = "none"
    priv_key: str = ""
    write: bool = True

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> V3User:
        """From a device file's ``v3_users``, or from the command line."""
        known = {"name", "auth_protocol", "auth_key", "privacy_protocol", "privacy_key", "access"}
        if not data.get("name") or set(data) - known:
            raise ValueError(f"a v3 user has a name and may have {', '.join(sorted(known - {'name'}))}")
        user = cls(
            data["name"], data.get("auth_protocol", "none"), data.get("auth_key", ""),
            data.get("privacy_protocol", "none"), data.get("privacy_key", ""), data.get("access", "write") == "write",
        )  # fmt: skip
        if user.auth not in AUTH_PROTOCOLS or user.priv not in PRIV_PROTOCOLS:
            raise ValueError(f"protocols are {', '.join(AUTH_PROTOCOLS)} and {', '.join(PRIV_PROTOCOLS)}")
        if (user.auth != "none") != bool(user.auth_key) or (user.priv != "none") != bool(user.priv_key):
            raise ValueError("each protocol needs its key")
        if user.priv_key and not user.auth_key:
            raise ValueError("privacy needs authentication")
        return user

    @property
    def level(self) -> int:
        """SNMP's securityLevel: 1 noAuthNoPriv, 2 authNoPriv, 3 authPriv."""
        return 1 if not self.auth_key else 2 if not self.priv_key else 3


class Live:
    """The model under its mutex, brought up to now before every access."""

    def __init__(self, unit: Unit, speed: float, start_s: float = 0, v3_users: Iterable[V3User] = ()) -> None:
        self.unit = unit
        self.speed = speed
        self.mutex = unit.mutex
        self.communities = {name.encode(): kind for name, kind in unit.communities.items()}
        self.v3_users = {user.name: user for user in (*map(V3User.of, unit.v3_users), *v3_users)}
        self.follow_boots: Callable[[int], None] = lambda boots: None
        unit.advance(start_s)
        self._origin_s = start_s
        self._started = time.monotonic()

    def now_s(self) -> float:
        return self._origin_s + (time.monotonic() - self._started) * self.speed

    @contextlib.contextmanager
    def at_now(self) -> Iterator[Unit]:
        with self.mutex:
            self.unit.advance(max(self.now_s(), self.unit.now))
            yield self.unit

    def truth(self) -> dict[str, Any]:
        with self.at_now() as unit:
            return unit.truth()

    def ftp_rate(self) -> float:
        """Bytes per real second that the card takes."""
        return self.unit.ftp_rate_bps * self.speed


def load(settings: Settings) -> Live:
    """Raises BadSettings."""
    try:
        knobs = None
        if settings.knobs:
            unknown = set(settings.knobs) - set(Knobs.names())
            if unknown:
                raise ValueError(f"no knob {', '.join(sorted(unknown))}")
            knobs = Knobs(**{**devicefile.load(settings.device).knobs, **settings.knobs})
        unit = Unit.load(
            settings.device, knobs=knobs, seed=settings.seed, speed=settings.speed, serial=settings.serial,
            name=settings.name, address=settings.address,
            start=datetime.now(timezone.utc) - timedelta(seconds=settings.start_s),
        )  # fmt: skip
        live = Live(unit, settings.speed, settings.start_s, map(V3User.of, settings.v3_users))
        for patch in settings.patches:
            unit.patch(patch)
        for fault in settings.faults:
            unit.fault(fault["name"], **{key: value for key, value in fault.items() if key != "name"})
    except (ValueError, KeyError, TypeError) as bad:
        raise BadSettings(f"{type(bad).__name__}: {bad}") from bad
    return live


def process_gone(pid: int) -> bool:
    """A zombie counts as gone: its parent may never reap it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
        return state in ("Z", "X")
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def write_ready(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all: whoever waits for the file may read it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(content, out)
            out.write("\n")
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM, SIGINT, or until the parent process given is gone."""
    from . import control, ftp_server, snmp_agent, ssh_server, web_server

    if settings.ready_file is not None:
        settings.ready_file.unlink(missing_ok=True)  # a stale one would name ports of a dead simulator
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    live = load(settings)
    snmp_port, _unused = await snmp_agent.start(live, settings.host, settings.snmp_port)
    ftp = ftp_server.Ftp(live, settings.host, settings.ftp_port)
    ssh = ssh_server.Ssh(live, settings.host, settings.ssh_port, settings.ssh_legacy)
    hands = control.start(live, settings.control_port)
    web = web_server.Web(live, settings.host, settings.web_port, settings.web_tls)
    ftp.start()
    web.start()
    await ssh.start()
    try:
        ready = {
            "host": settings.host,
            "snmp_port": snmp_port,
            "ftp_port": ftp.port,
            "ssh_port": ssh.port,
            "ssh_host_key": ssh.fingerprint,
            "web_port": web.port,
            "web_certificate": web.certificate,
            "control_url": f"http://127.0.0.1:{hands.server_address[1]}",
            "pid": os.getpid(),
        }
        if settings.ready_file is not None:
            write_ready(settings.ready_file, ready)
        else:
            print(json.dumps(ready), flush=True)
        await _tick(live, stop, settings.parent_pid)
    finally:
        hands.shutdown()
        hands.server_close()
        ftp.stop()
        web.stop()
        await ssh.stop()


async def _tick(live: Live, stop: asyncio.Event, parent_pid: int | None) -> None:
    next_look = time.monotonic() + PARENT_POLL_S
    while not stop.is_set():
        with live.at_now():
            pass  # due events happen even when nobody asks
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_S)
        if parent_pid is not None and time.monotonic() >= next_look:
            next_look += PARENT_POLL_S
            if process_gone(parent_pid):
                return
