# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated unit: one clock, one event queue, the parts, and what the outside may do to it."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from . import devicefile, fields, mib, oracle
from .card import Card
from .controller import Controller
from .devicefile import Cell, Device, Oid
from .faults import Faults
from .firmware import Module
from .knobs import Knobs
from .log import EventLog
from .mishaps import DAMAGED, DROPPED, Mishap, Mishaps
from .patches import apply, blame
from .power import Power, Seen
from .sessions import LoginRefused, Session, Sessions
from .settings import Settings
from .shown import Shown
from .swap import swap
from .timeline import Timeline
from .ups import Ups

EPOCH = datetime(2026, 3, 2, 12, 0, 0, tzinfo=timezone.utc)  # device second 0, unless told
JITTER_S = 5.0
DEAF_GAP_S = 2.0  # how long a deaf card's one odd answer can be had
NOTES = 2000
MARKED_AS = "SIMULATED"
CARD_MODEL = "AP9617"  # an NMC1 as a part of its own


class Unit:
    def __init__(
        self,
        device: Device,
        knobs: Knobs,
        seed: int = 0,
        speed: float | None = None,
        serial: str | None = None,
        name: str | None = None,
        address: str | None = None,
        start: datetime | None = None,
    ) -> None:
        self.seed, self.speed = seed, speed
        self.mutex = threading.RLock()
        self.simulated = f"{MARKED_AS} x{speed:g}" if speed is not None else ""
        self.start = start or EPOCH
        self.rng = random.Random(seed)
        self.line = Timeline()
        self.last_traffic_s = 0.0
        self.address: str = address or device.identity["address"]
        self.transfers: list[dict[str, Any]] = []
        self.files_received: list[dict[str, Any]] = []
        self.bytes_received = 0
        self.writes: list[dict[str, Any]] = []
        self.logins: list[dict[str, Any]] = []
        self.violations: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.mishaps = Mishaps()
        self._requests = 0
        self.faults = Faults(self)
        self.become(device, knobs, serial, name)

    def become(self, device: Device, knobs: Knobs, serial: str | None, name: str | None) -> None:
        """From now on it is this device, as its file describes it: at the beginning, and in a swap."""
        self.device, self.knobs = device, knobs
        self.jitter = (0.0, 0.0)
        self.serial: str = serial or device.identity["serial"]
        self.shown = Shown()
        called = name or device.identity["name"]
        self.system = {
            "name": called,
            "ats_name": called,
            "contact": device.identity.get("contact", "Unknown"),
            "location": device.identity.get("location", "Unknown"),
        }
        self.communities: dict[str, str] = dict(device.access["communities"])
        self.v3_users: list[dict[str, str]] = [dict(user) for user in device.access["v3_users"]]
        self.accounts: dict[str, str] = dict(device.access["accounts"])
        self.ftp_rate_bps = self.knobs.file_rate_bps or float(device.card["ftp_rate_bps"])
        self._place_address()
        self._view: mib.View | None = None
        self._seen: mib.View | None = None  # the newest there was
        ats = device.ats or {}
        self.settings = Settings(ats.get("settings", {}), float(ats.get("nominal_v", 230)))
        self.events = EventLog(
            knobs.log_rows, self.start.replace(tzinfo=None) + timedelta(seconds=knobs.clock_offset_s)
        )
        self.card = Card(self)
        self.controller = Controller(self)
        self.sessions = Sessions(self)
        self.power = Power(self)
        self.ups = Ups(self, device.ups) if device.ups is not None else None
        self.load_rows: list[tuple[float, dict[str, Any]]] = [
            (float(row["share"]), row) for row in [*ats.get("banks", []), *ats.get("phases", [])]
        ]
        self._fill_log()
        if not self.controller.alive:
            self.power.display_ok = False
        self._last = self.power.seen()
        self.arrived: Seen = self._last
        self.stale: Seen = self._last
        if knobs.voltage_jitter_v and device.ats is not None:
            self.line.after(JITTER_S, self._jitter)

    @property
    def uptime_at_start_s(self) -> float:
        return self.knobs.uptime_start_s or float(self.device.card.get("uptime_s", 86400 * 30))

    def _fill_log(self) -> None:
        """What the file says was logged, the start where this unit's uptime puts it; and a download that failed."""
        listed = float(self.device.card.get("uptime_s", 86400 * 30))
        rows = [(float(event["time_s"]), event["event"], event.get("with", {})) for event in self.device.log]
        starts = [(t - self.uptime_at_start_s + listed, k, w) for t, k, w in rows if k.endswith("_start")]
        rows = sorted([*starts, *(row for row in rows if not row[1].endswith("_start"))], key=lambda row: row[0])
        found = self.knobs.failed_row_found
        if found != "none" and self.device.ats is not None:
            at_s = -self.uptime_at_start_s + (-3600.0 if found == "older" else min(200.0, self.uptime_at_start_s / 2))
            failed: list[tuple[float, str, dict[str, str]]] = [
                (at_s, "download_begun", {}),
                (at_s, "download_failed", {}),
            ]
            rows = sorted([*rows, *failed], key=lambda row: row[0])
            if found == "standing" and self.card.bundled and not self.knobs.bundled_newer:
                self.card.bundled += ".1"  # it did not succeed, so the next start tries again
        for time_s, key, parts in rows:
            self.events.add(self.now + time_s, key, **parts)

    @property
    def parts(self) -> list[object]:
        """Whose future ends with this unit."""
        own = [self, self.card, self.controller, self.sessions, self.power, self.settings, self.events]
        return [*own, *([self.ups, self.ups.update] if self.ups is not None else [])]

    @classmethod
    def load(
        cls,
        device: str,
        knobs: Knobs | None = None,
        seed: int = 0,
        speed: float | None = None,
        serial: str | None = None,
        name: str | None = None,
        address: str | None = None,
        start: datetime | None = None,
    ) -> Unit:
        """``knobs`` None: the device file's own. ``start``: the true time at device second 0."""
        data = devicefile.load(device)
        return cls(data, knobs if knobs is not None else Knobs(**data.knobs), seed, speed, serial, name, address, start)

    # --- time ---

    @property
    def now(self) -> float:
        return self.line.now

    def advance(self, to_s: float) -> None:
        """Everything that is due until then happens, each at its own time."""
        self.line.advance(to_s)

    def _jitter(self) -> None:
        size = self.knobs.voltage_jitter_v
        self.jitter = (self.rng.uniform(-size, size), self.rng.uniform(-size, size))
        self.publish()
        self.line.after(JITTER_S, self._jitter)

    # --- the parts tell each other ---

    def changed(self) -> None:
        self._view = None

    def publish(self, now: bool = False) -> None:
        """What the controller sees goes to the card, which shows it a little later."""
        seen = self.power.seen()
        if now:
            self._last = self.arrived = self.stale = seen
            self._view = None
        elif seen != self._last:
            self._last = seen
            if self.knobs.ats_lag_s > 0:
                self.line.after(self.knobs.ats_lag_s, self._arrive, seen)
            else:
                self._arrive(seen)

    def _arrive(self, seen: Seen) -> None:
        self.arrived = seen
        if self.controller.fresh:
            self.stale = seen
        self._view = None

    def note(self, what: str) -> None:
        if len(self.notes) < NOTES:
            self.notes.append({"time_s": round(self.now, 3), "what": what})

    def log(self, key: str, **parts: str) -> None:
        self.events.add(self.now, key, **parts)

    def log_ats(self, key: str, **parts: str) -> None:
        """The app writes these: without it, or without word from the controller, they are lost."""
        own = key.startswith(("download_", "display_", "comm_"))
        if self.device.ats is not None and self.card.app_running and (own or self.controller.fresh):
            self.events.add(self.now, key, **parts)

    def traffic(self) -> None:
        self.last_traffic_s = self.line.now

    def violate(self, what: str, detail: str = "") -> None:
        self.violations.append({"time_s": round(self.now, 3), "what": what, "detail": detail})

    def card_restarting(self, module: Module) -> None:
        if self.power.unsafe:
            kind = module.kind if module.kind in ("aos", "bootmon") else "app"
            self.violate(f"restart_{kind}", f"{module.kind} {module.version}")

    def cold_start(self) -> None:
        if self.knobs.log_cleared_at_cold_start:
            self.events.clear()
        if self.knobs.clock_lost_at_cold_start:
            self.events.set_clock(self.now, datetime(2000, 1, 1))

    def lose_name(self) -> None:
        self.system["ats_name"] = self.device.identity.get("factory_name", "ATS")
        self.changed()

    def frozen_cells(self, names: list[str] | None) -> dict[Oid, Cell]:
        cells = self._current().cells
        picked = {oid: cells[oid] for oid in mib.within(self, cells, names)}
        if fields.UPTIME in picked:
            picked[fields.UPTIME] = ("ticks", self.card.uptime_ticks)
        return picked

    def _place_address(self) -> None:
        """ipAdEntAddr: the loopback and the card's own."""
        octets = tuple(int(part) for part in self.address.split("."))
        base = (1, 3, 6, 1, 2, 1, 4, 20, 1, 1)
        table = {oid: cell for oid, cell in self.device.mib.items() if oid[: len(base)] != base}
        for entry in ((127, 0, 0, 1), octets):
            table[base + entry] = ("ip", bytes(entry))
        table[fields.UPTIME] = ("ticks", None)
        self.base = table

    # --- SNMP ---

    @property
    def snmp_up(self) -> bool:
        return self.card.up and "no_answer" not in self.faults.active and not self.deaf

    @property
    def deaf(self) -> bool:
        """A card that answers no SNMP while it stores a module, from a moment after STOR on [?]."""
        which, knobs = self.knobs.deaf_while_storing, self.knobs
        if which == "none":
            return False
        for session in self.sessions.open:
            store = session.upload
            if store is not None and store.module in ("aos", "app") and which in (store.module, "both"):
                since_s = self.now - store.started_s
                odd = knobs.deaf_answers_at_s
                return since_s >= knobs.deaf_after_s and not (odd and odd <= since_s < odd + DEAF_GAP_S)
        return False

    @property
    def snmp_latency_s(self) -> float:
        return float(self.faults.active.get("slow", {}).get("latency_s", 0.0))

    @property
    def max_varbinds(self) -> int:
        return self.knobs.max_varbinds

    def drops_request(self) -> bool:
        """Asked once per request: the fault "lossy"."""
        every = int(self.faults.active.get("lossy", {}).get("every", 0))
        self._requests += 1
        return every > 0 and self._requests % every == 0

    def _current(self) -> mib.View:
        view = self._view
        if view is None:
            view = self._view = self._seen = mib.View(mib.render(self), self._seen)
        return view

    def snmp_next(self, oid: Oid) -> tuple[Oid, str, Any] | None:
        line = self.line
        self.last_traffic_s = line.now
        found = (self._view or self._current()).next(oid)
        if found is not None and found[2] is None:
            return (found[0], "ticks", self.card.uptime_ticks)
        return found

    def snmp_request(self, oids: tuple[Oid, ...]) -> list[mib.Answer]:
        """snmp_next of each of them, without the kinds."""
        self.last_traffic_s = self.line.now
        ready, unready = (self._view or self._current()).request(oids)
        answers = list(ready)
        for at in unready:
            answer = answers[at]
            if answer is not None:
                answers[at] = (answer[0], self.card.uptime_ticks)
        return answers

    def snmp_set(self, oid: Oid, value: int | bytes | Oid, who: str = "", may: bool = True) -> str:
        """Recorded whatever comes of it; returns the error's name or "". ``may``: the asker has the right to write."""
        self.traffic()
        shown = value.decode("latin-1") if isinstance(value, bytes) else value
        record = {"time_s": round(self.now, 3), "oid": ".".join(map(str, oid)), "value": shown, "who": who}
        record |= {"taken": False, "error": "noAccess"}
        self.writes.append(record)
        if not may:
            return "noAccess"
        record["error"] = ""
        if self.sessions.open and self.knobs.sets_dropped_while_logged_in:
            return ""  # NMC.md: silently
        record["error"], record["taken"] = self._set(oid, value)
        if record["taken"]:
            self.changed()
            self.settle()
        return str(record["error"])

    def _set(self, oid: Oid, value: int | bytes | Oid) -> tuple[str, bool]:
        """(error or "", taken)"""
        with_ats = self.device.ats is not None and self.card.app_running
        with_ups = self.ups is not None and self.card.app_running
        if oid == fields.RESTART and value == 1:
            self.card.restart("SNMP set")
        elif oid == fields.FIELDS["sys_name"] and isinstance(value, bytes):
            self.system["name"] = value.decode("latin-1")
        elif with_ats and oid == fields.FIELDS["preferred"] and value in (1, 2, 3):
            self.settings.set("preferred", {1: "A", 2: "B", 3: "none"}[value], self.now)
        elif with_ats and oid == fields.FIELDS["name"] and isinstance(value, bytes):
            self.system["ats_name"] = value.decode("latin-1")
        elif with_ats and oid == (*fields.A, 3, 1, 0) and value == 2:
            self.note("ATS reset by SNMP")
            if self.power.load_a > 0:
                self.power.drop_load("ATS reset by SNMP")
        elif with_ups and oid == fields.FIELDS["ups_name"] and isinstance(value, bytes):
            self.system["ats_name"] = value.decode("latin-1")
        elif self.ups is not None and oid == fields.FIELDS["ups_update"] and oid in self._current().cells:
            return self.ups.update.set(value)
        else:
            return ("noSuchName" if oid not in self._current().cells else "readOnly"), False
        return "", True

    def settle(self) -> None:
        """The consequences of a change."""
        self.power.settle()
        if self.ups is not None:
            self.ups.settle()

    # --- FTP ---

    @property
    def ftp_state(self) -> str:
        """ "up", "booting" (answers 421) or "down" (nobody listens)."""
        active = self.faults.active
        if not self.card.up or "ftp_refused" in active or active.get("no_answer", {}).get("ftp"):
            return "down"
        return "booting" if self.now < self.card.ready_s else "up"

    @property
    def ftp_banner(self) -> str:
        """Without the reply code."""
        model = f"{self.card.model if self.knobs.banner_model == 'unit' else CARD_MODEL} "
        model = model if self.knobs.banner_has_model else ""
        mark = f"{self.simulated} " if self.simulated else ""
        return f"{model}Network Management Card {mark}AOS v{self.card.aos} FTP server ready."

    @property
    def banner(self) -> str:
        return self.ftp_banner

    @property
    def boots(self) -> int:
        """SNMPv3's engineBoots."""
        return self.card.boots

    def login(self, user: str, password: str, address: str = "192.0.2.250") -> Session:
        return self.sessions.login(user, password, address)

    # --- what the outside does ---

    def patch(self, change: Mapping[str, Any]) -> None:
        """The electrician, the feeds and the settings; see patches.py."""
        with self.mishaps.by(blame(change)):
            apply(self, change)

    def fault(self, name: str, **params: Any) -> None:
        self.faults.add(name, **params)

    def swap(self, **what: Any) -> None:
        """Another unit behind this address from now on; see swap.py."""
        swap(self, **what)

    def clear_faults(self) -> None:
        self.faults.clear()

    # --- the truth ---

    def oracle_unplug_ok(self, side: str) -> bool:
        return oracle.unplug_ok(self, side)

    def oracle_plug_ok(self, side: str, strict: bool = False) -> bool:
        return oracle.plug_ok(self, side, strict)

    def oracle_connect_load_ok(self, strict: bool = False) -> bool:
        return oracle.connect_load_ok(self, strict)

    def oracle_damage_free(self) -> bool:
        """No unit at this address was damaged, no controller killed, no load dropped, whoever was to blame."""
        return not self.mishaps.all

    @property
    def damaged(self) -> Mishap | None:
        return self.mishaps.first(DAMAGED)

    @property
    def dropped(self) -> Mishap | None:
        return self.mishaps.first(DROPPED)

    def truth(self) -> dict[str, Any]:
        from .truth import truth

        return truth(self)


__all__ = ["LoginRefused", "Unit"]
