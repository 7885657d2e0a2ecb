# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random physical histories on virtual time, and the two laws that every one of them must keep.

Law 1: no file is begun, and no app's last block is released, while the physical truth has been unsafe for longer than
readings may lag. Law 2: no line allows a plug or a load to be moved when that would drop the load or damage the unit.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtual_unit import Bench, make_package

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from apcsim.knobs import Knobs
from apcsim.model import Unit as Device

# Values lag by up to 15 s (ARCHITECTURE), polls come every 3 s at most, a verdict lives 5 s.
LAG_S = 15.0 + 3.0 + 5.0
_ALLOWS = re.compile(
    r"(?<!')[Yy]ou may (shut down and disconnect all loads|disconnect|reconnect|connect the loads)"
    r"(?: (source|input) ([AB]))?"
)
STEPS = {
    "readiness": job.do_ready,
    "isolate": job.do_isolate,
    "backup": job.do_backup,
    "upgrade": job.do_upgrade,
    "verify": job.do_verify,
    "restore": job.do_restore,
}


@dataclass
class History:
    """One history, told by its seed alone."""

    seed: int
    folder: Path
    broken: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    def run(self) -> History:
        rng = random.Random(self.seed)
        device_file = rng.choices(["ap7724", "ap7750a", "ap7723"], [72, 23, 5])[0]
        self.knobs = Knobs.random(rng)
        self.device = Device.load(device_file, knobs=self.knobs, seed=self.seed)
        self.bench = Bench(self.device, _package(self.folder), self.folder / f"state-{self.seed}")
        self.rng = rng
        self.unsafe_since: dict[str, float | None] = {}
        self.allowed: dict[str, float] = {}
        self.kill_at: float | None = None
        self.seen_unsafe_s = 0.0
        self.method = Method.SINGLE_SOURCE
        self.watched_s = self.device.now
        self.bench.clock.on_sleep.append(self._watch)
        self.bench.lines.listeners.append(self._hear)
        self._guard_sending()
        self._set_the_scene()
        method, primary = self._method()
        self.method = method
        for name in self._flow():
            self._step(name, method, primary)
        return self

    # -- the world -----------------------------------------------------------------------------------------------

    def _set_the_scene(self) -> None:
        rng, device = self.rng, self.device
        if rng.random() < 0.3:
            device.patch({"load_current_a": rng.choice([0.0, 0.0, 0.6, 4.0])})
        if rng.random() < 0.2:
            device.patch({"preferred_source": rng.choice(["A", "B", "none"])})
        if rng.random() < 0.15:
            device.patch({"inputs": {rng.choice("AB"): {"plugged": False}}})
        if rng.random() < 0.1:
            device.patch({"inputs": {rng.choice("AB"): {"voltage_v": rng.choice([0, 20, 180, 300])}}})
        if rng.random() < 0.2:
            device.fault("card_restarts", why="reset")
        device.advance(device.now + rng.choice([20.0, 200.0, 700.0, 2000.0]))
        for _number in range(rng.choice([0, 0, 1, 1, 1, 2, 3])):
            self._plan_fault()

    def _plan_fault(self) -> None:
        rng = self.rng
        when: dict[str, Any] = rng.choice(
            [
                {"after_s": rng.uniform(1, 2500)},
                {"after_s": rng.uniform(1, 200)},
                {"on": "card_up", "after_s": rng.uniform(0, 300)},
                {"on": "app_boot", "after_s": rng.uniform(0, 300)},
                {"on": "comm_up", "after_s": rng.uniform(0, 400)},
                {"on": "card_down", "after_s": rng.uniform(0, 60)},
                {"at_byte": rng.randrange(0, 49152), "module": rng.choice(["aos", "app"])},
            ]
        )
        name, params = rng.choice(
            [
                ("source_returns", {}),
                ("source_returns", {}),
                ("source_fails", {"input": rng.choice("AB")}),
                ("no_answer", {"for_s": rng.uniform(2, 120)}),
                ("lossy", {"every": rng.choice([3, 5, 9]), "for_s": rng.uniform(60, 900)}),
                ("slow", {"latency_s": rng.uniform(0.1, 2.5), "for_s": rng.uniform(30, 600)}),
                ("card_restarts", {"why": "reset"}),
                ("card_restarts", {"why": "power dip", "cold": True}),
                ("controller_download_fails", {}),
                ("communication_lost", {"for_s": rng.uniform(10, 600)}),
                ("comes_back_with_old_version", {}),
                ("card_does_not_come_back", {}),
                ("session_busy", {"for_s": rng.uniform(10, 400)}),
                ("web_login", {}),
                ("log_cleared", {}),
                ("load_changes", {"load_current_a": rng.choice([0.0, 0.4, 6.0, 12.0])}),
                ("switch_fail", {}),
                ("transfer_cut", {}),
            ]
        )
        try:
            self.device.fault(name, **params, **when)
        except (TypeError, ValueError) as exc:
            raise AssertionError(
                f"the history asks for a fault that does not exist: {name} {params} {when}: {exc}"
            ) from exc
        self.happened.append(f"{name} {params} {when}")

    def _method(self) -> tuple[Method, Source]:
        rng = self.rng
        carrying = Source[self.device.power.selected] if self.device.power.selected in ("A", "B") else Source.B
        # An operator mostly names the input that carries the load.
        primary = carrying if rng.random() < 0.9 else carrying.other
        roll = rng.random()
        if roll < 0.7:
            return Method.SINGLE_SOURCE, primary
        if roll < 0.85:
            return Method.NO_LOAD, primary
        return (Method.APP_ONLY if roll < 0.93 else Method.RECOVERY), primary

    def _flow(self) -> list[str]:
        rng = self.rng
        whole = list(STEPS)
        flow = whole if rng.random() < 0.6 else [rng.choice(list(STEPS)) for _number in range(rng.randrange(1, 4))]
        if rng.random() < 0.4:
            flow = flow + ["upgrade", "verify", "restore"]
        return flow

    def _confirmations(self, method: Method) -> Any:
        rng, bench = self.rng, self.bench
        if rng.random() < 0.06:
            return ()
        # Nobody lies here: what stands on a person's word alone (SAFETY 8) is only said where it is true, and a load
        # that the unit shows as 0 is a load that the person knows of.
        power = self.device.power
        hidden = 0 < power.load_a < 1
        if method in (Method.SINGLE_SOURCE, Method.NO_LOAD):
            return bench.confirm("secondary_disconnected", *([] if hidden else ["no_load"]))
        stamp = f"{bench.clock.wall():%Y-%m-%dT%H:%M+00:00}"
        whats = ["power_cycled", "one_input"] if method is Method.RECOVERY else []
        if power.load_a == 0:
            whats.append("no_load")
        if not power.both_live:
            whats.append("secondary_disconnected")
        return bench.confirm(*whats, stamp=stamp)

    def _step(self, name: str, method: Method, primary: Source) -> None:
        rng, bench = self.rng, self.bench
        now = bench.clock.now()
        self.kill_at = now + rng.choice([rng.uniform(1, 1500), rng.uniform(1, 120)]) if rng.random() < 0.15 else None
        self.allowed.clear()
        options = bench.options(
            method=method,
            primary=primary,
            confirmations=self._confirmations(method),
            action_timeout_s=rng.choice([120.0, 600.0]),
            poll_interval_s=rng.choice([1.0, 2.0, 3.0]),
            busy_timeout_s=60.0,
        )
        self.step_name = name
        report = bench.run(STEPS[name], options)
        self.states.append(str(report.get("state")))
        self.kill_at = None
        self.allowed.clear()

    # -- the laws ------------------------------------------------------------------------------------------------

    def _truths(self) -> dict[str, bool]:
        """Name -> is it wrong to do this now?"""
        device = self.device
        power = device.power
        return {
            "send": power.both_live and power.load_a > 0,
            "disconnect A": not device.oracle_unplug_ok("A"),
            "disconnect B": not device.oracle_unplug_ok("B"),
            "reconnect A": not device.oracle_plug_ok("A"),
            "reconnect B": not device.oracle_plug_ok("B"),
            "connect the loads": not device.oracle_connect_load_ok(),
        }

    def _watch(self, now: float) -> None:
        power, card = self.device.power, self.device.card
        if not (power.both_live and power.load_a > 0):
            self.seen_unsafe_s = 0.0
        elif (
            self.device.snmp_up
            and card.app_running
            and not (
                # A small load that the unit shows as 0, attached against the person's word, cannot be seen either.
                power.load_a < 1 and self.knobs.small_current_reads_zero and self.method is not Method.SINGLE_SOURCE
            )
        ):
            # Only what the unit shows can be known: a source that returns while the card is blind cannot (SAFETY 8).
            self.seen_unsafe_s += now - self.watched_s
        self.watched_s = now
        for name, wrong in self._truths().items():
            if not wrong:
                self.unsafe_since[name] = None
            elif self.unsafe_since.get(name) is None:
                self.unsafe_since[name] = now
        for name in list(self.allowed):
            # A permission that stands must be taken back when the truth turns against it.
            if self._wrong_for(name, now) > LAG_S + 12.0:
                self.broken.append(f"'{name}' stood at {now:.0f} s though wrong for {self._wrong_for(name, now):.0f} s")
                del self.allowed[name]
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            raise Interrupted("a kill of the history")

    def _wrong_for(self, name: str, now: float) -> float:
        since = self.unsafe_since.get(name)
        return 0.0 if since is None else now - since

    def _hear(self, line: str) -> None:
        now = self.bench.clock.now()
        self._watch_quietly(now)
        if "STOP, DO NOT" in line or "wait for the word" in line:
            self.allowed.clear()
        for match in _ALLOWS.finditer(line):
            what, side = match.group(1), match.group(3)
            if what.startswith("shut down"):
                self._obey_later({"load_current_a": 0.0})
                continue
            name = what if side is None else f"{what} {side}"
            if side is None and what != "connect the loads":
                self.broken.append(f"a permission names no input: {line}")
                continue
            wrong = self._wrong_for(name, now)
            if wrong > LAG_S:
                self.broken.append(f"{self.step_name}: '{name}' at {now:.0f} s, wrong for {wrong:.0f} s: {line}")
            if line.count("ource") and "Nothing was sent" not in line and "AOS runs" not in line:
                self.allowed[name] = now
            self._obey(what, side)

    def _watch_quietly(self, now: float) -> None:
        kill, self.kill_at = self.kill_at, None
        self._watch(now)
        self.kill_at = kill

    def _obey(self, what: str, side: str | None) -> None:
        if self.rng.random() < 0.1:
            return
        if what == "disconnect":
            pulled = side if self.rng.random() < 0.93 else ("B" if side == "A" else "A")
            self._obey_later({"inputs": {pulled: {"plugged": False}}}, what)
        elif what == "reconnect":
            self._obey_later({"inputs": {side: {"plugged": True}}}, what)

    def _obey_later(self, change: dict[str, Any], what: str = "") -> None:
        due = self.bench.clock.now() + self.rng.uniform(1.0, 40.0)
        sides = list(change.get("inputs", {}))

        def act(now: float) -> None:
            if now < due:
                return
            self.bench.clock.on_sleep.remove(act)
            # A person who was told to stop stops.
            if what == "disconnect" and not self.allowed:
                return
            self.device.patch(change)
            for side in sides:
                self.allowed.pop(f"{what} {side}", None)

        self.bench.clock.on_sleep.append(act)

    def _guard_sending(self) -> None:
        """Looks at the truth at the first byte of every file, and at the last block of every app."""
        login = self.device.login

        def guarded(user: str, password: str, *more: Any) -> Any:
            session = login(user, password, *more)
            store = session.store

            def begin(name: str) -> Any:
                self._judge_send(f"begin of {name}")
                upload = store(name)
                finish = upload.finish

                def done() -> Any:
                    if "aos" not in name:
                        self._judge_send(f"last block of {name}")
                    return finish()

                upload.finish = done
                return upload

            session.store = begin
            return session

        self.device.login = guarded  # type: ignore[method-assign]

    def _judge_send(self, what: str) -> None:
        now = self.bench.clock.now()
        self._watch_quietly(now)
        wrong = self.seen_unsafe_s
        if wrong > LAG_S:
            self.broken.append(f"{what} at {now:.0f} s, both sources live under load for {wrong:.0f} s")


_PACKAGES: dict[Path, Any] = {}


def _package(folder: Path) -> Any:
    if folder not in _PACKAGES:
        _PACKAGES[folder] = make_package(folder / "package")
    return _PACKAGES[folder]
