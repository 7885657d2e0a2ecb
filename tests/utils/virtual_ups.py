# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firmware update of a simulated UPS on one virtual clock: real decoders, no sockets, no waiting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from virtual_unit import Lines

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Confirmation
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import UpdateFile, parse_update_name
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import UpsOptions
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.unit import UpsUnit
from ansible_collections.dcops.apc.plugins.module_utils._runs import ups_firmware
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import NotSent, TooBig, TransportError
from apcsim.knobs import Knobs
from apcsim.model import Unit as Device
from apcsim.ups import version_of
from apcsim.ups_files import build_ups_file, ups_file_name
from apcsim.virtual import VirtualClock, VirtualSnmp, virtual_open_ftp

CONFIRMATION = "output_may_go_off"
UPDATE_OID = "1.3.6.1.4.1.318.1.1.1.6.2.9.0"


class Killed(BaseException):
    """SIGKILL: nothing in the code under test may handle it."""


class Writer:
    """The writer as the job wants it: it sends nothing that it was not prepared for."""

    def __init__(self, client: VirtualSnmp) -> None:
        self._client = client
        self._prepared = False

    def prepare(self) -> None:
        self._prepared = True

    def set_integer(self, oid: tuple[int, ...], value: int) -> None:
        if not self._prepared:
            raise NotSent("not prepared")
        self._client.set(oid, value)

    def close(self) -> None:
        pass


def update_file(
    device: Device,
    version: str,
    *,
    id: int | None = None,
    new_id: int | None = None,
    series: str | None = None,
    name: str | None = None,
    content: bytes | None = None,
) -> tuple[UpdateFile, bytes]:
    """A file for this device unless something else is said; ``name`` and ``content`` may then lie."""
    assert device.ups is not None
    number = id if id is not None else device.ups.id or 0
    line = series or device.ups.series or "SMT"
    data = build_ups_file(line, number, version, new_id) if content is None else content
    called = name or ups_file_name(line, number, version)
    found, ident, parsed = parse_update_name(called)
    return UpdateFile(called, found, ident, parsed, len(data), hashlib.sha256(data).hexdigest()), data


class UpsBench:
    """One simulated UPS, its clock, and runs against it."""

    def __init__(
        self,
        name: str = "smt1500rm2u",
        state_dir: Path | None = None,
        knobs: Knobs | None = None,
        output_on: bool = False,
        ftp_device: Device | None = None,
        seed: int = 0,
        firmware: str = "",
        **device: Any,
    ) -> None:
        self.device = Device.load(name, knobs, seed=seed, **device)
        others = [ftp_device] if ftp_device is not None else []
        self.clock = VirtualClock(self.device, *others)
        self.ftp_device = ftp_device or self.device
        self.store = StateDir(state_dir, ephemeral=True) if state_dir is not None else None
        self.lines = Lines()
        self.address, self.write_community = "192.0.2.101", "private"
        self.password = "apc"
        self.unit: UpsUnit | None = None
        # Of the newest run, also where a fault ended it.
        self.report: dict[str, Any] = {}
        self.starts: list[dict[str, Any]] = []
        self.on_start: list[Callable[[dict[str, Any]], None]] = []
        self._watch_sets()
        if firmware:
            self.device.patch({"ups": {"firmware": firmware}})
        if not output_on:
            self.device.patch({"ups": {"output_on": False}})
        self.clock.sleep(60.0)

    @property
    def ups(self) -> Any:
        return self.device.ups

    def truth(self) -> dict[str, Any]:
        found: dict[str, Any] = self.device.truth()
        return found

    def _watch_sets(self) -> None:
        """What was so at the very moment of each start."""
        real, ups = self.device.snmp_set, self.device.ups
        assert ups is not None

        def watched(oid: Any, value: Any, who: str = "", may: bool = True) -> str:
            if ".".join(map(str, oid)) == UPDATE_OID and value == 2:
                self.starts.append({"at_s": self.clock.now(), "phase": ups.update.phase, "bricked": ups.bricked})
                for call in self.on_start:
                    call(self.starts[-1])
            return real(oid, value, who, may)

        self.device.snmp_set = watched  # type: ignore[method-assign]

    # -- one run -----------------------------------------------------------------------------------------------------

    def confirm(self, serial: str | None = None, stamp: str | None = None) -> tuple[Confirmation, ...]:
        day = stamp or f"{self.clock.wall():%Y-%m-%d}"
        return (Confirmation(CONFIRMATION, f"{serial or self.device.serial}@{day}"),)

    def make(self, file: tuple[UpdateFile, bytes] | None, options: UpsOptions) -> tuple[UpsUnit, VirtualSnmp]:
        client = VirtualSnmp(
            self.clock, self.device, timeout_s=1.0, retries=2, error_factory=TransportError, too_big=TooBig
        )
        opener = virtual_open_ftp(self.clock, self.ftp_device, error_factory=TransportError)
        unit = UpsUnit(
            label="ups-01",
            address=self.address,
            port=161,
            clock=self.clock,
            read=ups_firmware.ups_reader(client, self.clock.now),
            open_login=lambda idle: opener("", 21, "apc", self.password, 10.0, idle),
            open_writer=lambda: Writer(
                VirtualSnmp(
                    self.clock,
                    self.device,
                    timeout_s=1.0,
                    retries=2,
                    error_factory=TransportError,
                    write_community=self.write_community,
                )
            ),
            options=options,
            progress=self.lines,
            file=file[0] if file else None,
            content=file[1] if file else b"",
            store=self.store,
        )
        return unit, client

    def run(
        self,
        file: tuple[UpdateFile, bytes] | None = None,
        check: bool = False,
        expander: str = "unknown",
        **options: Any,
    ) -> dict[str, Any]:
        """The module's own way, from the first answer on. A refusal is in the report as error."""
        self.lines.lines.clear()
        unit, client = self.make(file, replace(UpsOptions(), **options))
        self.unit = unit
        self.report = report = {
            "changed": False,
            "firmware": {"before": None, "wanted": None, "after": None},
            "interlock": None,
            "reason": None,
            "resumed": None,
            "notes": [],
            "events": [],
        }
        params = {"host": self.address, "interface_expander": expander}
        try:
            ups_firmware._carry_out(unit, client, params, check, report)
        except Stop as exc:
            report.update(exc.details)
            report["error"] = {"kind": exc.kind, "message": exc.message}
        except TransportError as exc:
            report["error"] = {"kind": exc.kind, "message": exc.message}
        return report

    # -- what happened -----------------------------------------------------------------------------------------------

    def sets(self) -> list[int]:
        """Values that were written to the update object, taken or not."""
        return [row["value"] for row in self.truth()["writes"] if row["oid"] == UPDATE_OID]

    def untouched(self) -> bool:
        """No file, no SET at all, no login that stayed, nothing harmed."""
        truth = self.truth()
        return not (truth["writes"] or truth["transfers"] or truth["sessions_open"]) and self.unharmed()

    def unharmed(self) -> bool:
        own = self.truth()["ups"]
        return not (own["bricked"] or own["load_dropped"] or own["violations"])

    def evidence(self) -> list[dict[str, Any]]:
        """Every record on the disk, in order; a torn line would raise here."""
        if self.store is None or not self.store.path.exists():
            return []
        files = sorted(self.store.path.rglob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.evidence()]

    # -- what happens to it ------------------------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        due = self.clock.now() + seconds

        def look(now: float) -> None:
            if now >= due:
                self.clock.on_sleep.remove(look)
                act()

        self.clock.on_sleep.append(look)

    def on_line(self, part: str, act: Callable[[], None]) -> None:
        """Once, when a line with this text is said."""
        done: list[bool] = []

        def hear(text: str) -> None:
            if part in text and not done:
                done.append(True)
                act()

        self.lines.listeners.append(hear)

    def until_update_ends(self, limit_s: float = 2000.0) -> None:
        """The world goes on without any run."""
        end = self.clock.now() + limit_s
        while self.ups.update.phase and self.clock.now() < end:
            self.clock.sleep(5.0)


class AtRecord:
    """Acts when a record of this kind is written to the evidence: before it reaches the disk, or after it has."""

    def __init__(self, monkeypatch: Any, kind: str, act: Callable[[], None], after: bool = True) -> None:
        real = Evidence.write
        self.done = False

        def write(evidence: Evidence, name: str, wall: Any, **fields: Any) -> None:
            mine = name == kind and not self.done
            self.done = self.done or mine
            if mine and not after:
                act()
            real(evidence, name, wall, **fields)
            if mine and after:
                act()

        monkeypatch.setattr(Evidence, "write", write)


def newest(device: Device) -> tuple[int, int]:
    assert device.ups is not None
    found: tuple[int, int] = version_of(device.ups.firmware)
    return found
