# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bench for the physical model: one unit, its clock, and the hands that touch it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apcsim import Knobs, Unit, build_module, module_name
from apcsim.fields import FIELDS
from apcsim.virtual import VirtualClock, VirtualSnmp

SIZE = 4096


class Bench:
    def __init__(self, device: str = "ap7724", unit: dict[str, Any] | None = None, **knobs: Any) -> None:
        self.unit = Unit.load(device, knobs=Knobs(**{"ats_lag_s": 0.0, **knobs}), **(unit or {}))
        self.clock = VirtualClock(self.unit)
        self.snmp = VirtualSnmp(self.clock, self.unit)

    @property
    def truth(self) -> dict[str, Any]:
        return self.unit.truth()

    def later(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def plug(self, side: str, plugged: bool) -> None:
        self.unit.patch({"inputs": {side: {"plugged": plugged}}})

    def feed(self, side: str, voltage_v: float) -> None:
        self.unit.patch({"inputs": {side: {"voltage_v": voltage_v}}})

    def load(self, amps: float) -> None:
        self.unit.patch({"load_current_a": amps})

    def read(self, field: str | tuple[int, ...]) -> Any:
        """The object itself, or None where a GETNEXT of its parent gives another."""
        oid = FIELDS[field] if isinstance(field, str) else field
        found = self.unit.snmp_next(oid[:-1] if oid[-1] == 0 else (*oid[:-1], oid[-1] - 1, 999999))
        return found[2] if found is not None and found[0] == oid else None

    def walk(self) -> dict[tuple[int, ...], Any]:
        found, oid = {}, (0,)
        while (answer := self.unit.snmp_next(oid)) is not None:
            assert answer[0] > oid, "GETNEXT goes forward"
            oid = answer[0]
            found[oid] = answer[2]
        return found

    def send(
        self, kind: str, version: str, controller: str = "3.0.7", hardware: str = "hw02", data: bytes = b""
    ) -> Any:
        """One login, one file, at once; the card restarts."""
        session = self.unit.login("apc", "apc")
        store = session.store(module_name(hardware, kind, version))
        body = data or build_module(hardware, kind, version, "" if kind == "aos" else controller, SIZE)
        try:
            store.write(body)
            return store.finish()
        finally:
            session.close()

    def until(self, holds: Callable[[], bool], limit_s: float = 1000) -> None:
        end = self.unit.now + limit_s
        while not holds():
            assert self.unit.now < end, "waited in vain"
            self.later(0.5)

    def to_download(self) -> None:
        """Sends the app and waits until its download into the controller runs."""
        self.send("g2ats", "392")
        self.until(lambda: self.unit.controller.downloading or self.unit.power.damaged)

    def texts(self) -> list[str]:
        return [row.text.removeprefix("Automatic Transfer Switch: ") for row in self.unit.events.rows]


@pytest.fixture
def bench() -> type[Bench]:
    return Bench
