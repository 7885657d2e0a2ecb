# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedure and the simulated device on one virtual clock: real decoders, no sockets, no waiting."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Confirmation
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import (
    FirmwareFile,
    FirmwarePackage,
    parse_name,
)
from ansible_collections.dcops.apc.plugins.module_utils._procedure.aside import Aside, AtOnce
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.hearing import Asked, Hearing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.job import AtsEndings
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options, Peer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.reading import reader
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.run import ended
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from apcsim import firmware as sim_firmware
from apcsim.model import Unit as Device
from apcsim.virtual import VirtualClock, VirtualSnmp, virtual_open_ftp

DAY_S = 86400.0
PROMISE_OF = {"secondary_disconnected": "will_disconnect_secondary", "no_load": "will_remove_loads"}


def package_of(paths: Iterable[Path]) -> tuple[FirmwarePackage, dict[str, bytes]]:
    files, contents = [], {}
    for path in paths:
        data = Path(path).read_bytes()
        name = parse_name(Path(path).name)
        assert name is not None
        files.append(FirmwareFile.of(name, len(data), hashlib.sha256(data).hexdigest()))
        contents[name.file] = data
    return FirmwarePackage(tuple(files), "test"), contents


def make_package(folder: Path, aos: str = "392", app: str = "g2ats:392", hardware: str = "hw02", **more: Any) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    return package_of(sim_firmware.make_package(folder, hardware, aos, app, **more))


class Lines:
    """Progress as the person sees it; every line is kept, and listeners may act on it (the electrician)."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.listeners: list[Callable[[str], None]] = []

    def say(self, text: str, key: str = "") -> None:
        self.lines.append(text)
        for listener in self.listeners:
            listener(text)

    def __contains__(self, part: str) -> bool:
        return any(part in line for line in self.lines)


class Bench:
    """One simulated unit, its clock, and runs against it."""

    def __init__(
        self, device: Device, package: Any, state_dir: Path | None = None, ftp_device: Device | None = None
    ) -> None:
        self.device = device
        others = [ftp_device] if ftp_device is not None else []
        self.clock = VirtualClock(device, *others)
        self.package, self.contents = package
        self.store = StateDir(state_dir, ephemeral=True) if state_dir is not None else None
        self.ftp_device = ftp_device or device
        self.lines = Lines()
        self.report: dict[str, Any] = {}
        self.unit: Unit | None = None
        # Virtual time is one thread's; a test of what hangs hands in a real one.
        self.aside: Aside = AtOnce()
        # Does somebody at the rack answer what a run asks?
        self.speaks = True
        self.said: list[tuple[str, str, datetime]] = []

    def confirm(self, *whats: str, serial: str | None = None, stamp: str | None = None) -> tuple[Confirmation, ...]:
        """The words of a run's options. A deed brings its promise; it is given beforehand only where it has a time."""
        own = serial or self.device.serial
        day = stamp or f"{self.clock.wall():%Y-%m-%d}"
        found = [Confirmation(PROMISE_OF[what], f"{own}@{day}") for what in whats if what in PROMISE_OF]
        found += [Confirmation(what, f"{own}@{day}") for what in whats if what not in PROMISE_OF or stamp]
        return tuple(found)

    def say(self, what: str, source: str) -> bool:
        """The playbook ats_word: refused where no run asks for just that."""
        asked = self.unit.said.hearing.asked if self.unit is not None else None
        if asked is None or asked.what != what:
            return False
        self.said.append((self.device.serial, source, self.clock.wall()))
        return True

    def _words(self, asked: Asked) -> list[tuple[str, str, datetime]]:
        """What a person would say who looks at the unit: the truth, once it is asked for, and nothing else."""
        said, self.said = self.said, []
        if not self.speaks:
            return said
        now = self.clock.wall()
        truth = self.device.truth()
        out = not truth["inputs"][asked.source]["plugged"] if asked.source else truth["load_current_a"] == 0
        return [*said, (self.device.serial, asked.source, now)] if out else said

    def options(self, **changes: Any) -> Options:
        base = Options(
            method=Method.SINGLE_SOURCE,
            primary=Source.B,
            confirmations=self.confirm("secondary_disconnected"),
        )
        return replace(base, **changes)

    def make(self, options: Options | None = None, peers: Iterable[Device] = ()) -> Unit:
        client = VirtualSnmp(
            self.clock, self.device, timeout_s=1.0, retries=2, error_factory=TransportError, too_big=TooBig
        )
        opener = virtual_open_ftp(self.clock, self.ftp_device, error_factory=TransportError)
        chosen = options or self.options()
        found = [
            Peer(
                peer.system["name"],
                reader(VirtualSnmp(self.clock, peer, error_factory=TransportError, too_big=TooBig), self.clock),
            )
            for peer in peers
        ]
        return Unit(
            label="ats-01",
            address="192.0.2.200",
            port=161,
            clock=self.clock,
            read=reader(client, self.clock),
            read_whole=reader(client, self.clock, whole=True),
            open_login=lambda idle: opener("", 21, "apc", "apc", 10.0, idle),
            options=chosen,
            progress=self.lines,
            package=self.package,
            contents=self.contents,
            peers=found,
            store=self.store,
            hearing=Hearing(words=self._words),
            aside=self.aside,
        )

    def run(
        self, task: Callable[[Unit, dict[str, Any]], None], options: Options | None = None, peers: Iterable[Device] = ()
    ) -> dict[str, Any]:
        """Runs one job to its end. A refusal is in the report as error, like in a module's result."""
        self.lines.lines.clear()
        unit = self.unit = self.make(options, peers)
        report: dict[str, Any] = {"changed": False, "firmware": {}}
        self.report = report
        try:
            with ended(unit, report, AtsEndings(unit, report)):
                job.announce(unit, task)
                unit.first_contact()
                task(unit, report)
        except Stop as exc:
            report["error"] = {"kind": exc.kind, "message": exc.message}
            if exc.verdict is not None:
                report["interlock"] = exc.verdict.to_result()
        except TransportError as exc:
            report["error"] = {"kind": exc.kind, "message": exc.message}
        return report

    def electrician(self) -> None:
        """Does what the run says, a few seconds later, and nothing else."""

        def listen(text: str) -> None:
            for name in "AB":
                if f"you may disconnect source {name} now" in text:
                    self.later(5.0, {"inputs": {name: {"plugged": False}}})
                if f"you may reconnect source {name} now" in text:
                    self.later(5.0, {"inputs": {name: {"plugged": True}}})

        self.lines.listeners.append(listen)

    def later(self, seconds: float, change: dict[str, Any]) -> None:
        due = self.clock.now() + seconds

        def act(now: float) -> None:
            if now >= due:
                self.clock.on_sleep.remove(act)
                self.device.patch(change)

        self.clock.on_sleep.append(act)
