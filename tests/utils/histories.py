# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random physical histories on virtual time, with people, disks, signals and clocks, and the laws that each must keep.

Law 1: no file is begun, and no app's last block is released, while the physical truth has been unsafe for longer than
readings may lag. Law 2: no line allows a plug or a load to be moved when that would drop the load or damage the unit,
and one that did is taken back when the truth turns against it, whatever the disk does. Law 3: nothing is sent without a
deed that a person has said since he last moved anything back. Law 4: who acts on the last sentence that he saw, however
late, does no harm, unless 30 s went by without a line. Law 5: no permission outlives its run.
"""

from __future__ import annotations

import random
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtual_unit import Bench, make_package

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "worlds"))
from disk import Disk
from person import Person
from signals import Signals

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from apcsim.knobs import Knobs
from apcsim.model import Unit as Device

# Values lag by up to 15 s (ARCHITECTURE), polls come every 3 s at most, a verdict lives 5 s.
LAG_S = 15.0 + 3.0 + 5.0
# What a person needs to see, and the run to notice, beyond what readings lag.
REACTION_S = 12.0
_ALLOWS = re.compile(
    r"(?<!')[Yy]ou may (shut down and disconnect all loads|disconnect|reconnect|connect the loads)"
    r"(?: (source|input) ([AB]))?"
)
_DEEDS = {"unplug": "disconnect {}", "plug": "reconnect {}", "connect_loads": "connect the loads"}
STEPS = {
    "readiness": job.do_ready,
    "isolate": job.do_isolate,
    "backup": job.do_backup,
    "upgrade": job.do_upgrade,
    "verify": job.do_verify,
    "restore": job.do_restore,
}


class Killed(BaseException):
    """SIGKILL: nothing of the run goes on, nothing is said any more."""


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
        self.unsafe_before: dict[str, float | None] = {}
        self.before_s = 0.0
        self.judged_s = -1.0
        self.allowed: dict[str, float] = {}
        self.kill_at: float | None = None
        self.seen_unsafe_s = 0.0
        self.method = Method.SINGLE_SOURCE
        self.watched_s = self.device.now
        self.killed = False
        self.deed_said = False
        self.bench.speaks = False
        self.person = Person(
            self.bench.clock,
            self.device,
            delay_s=lambda: self.rng.choice(
                [self.rng.uniform(1, 30), self.rng.uniform(1, 200), self.rng.uniform(1, 1200)]
            ),
            behind_s=rng.choice([0.0, 0.0, 0.0, rng.uniform(0, 180)]),
            say_word=self._say_word,
            talks=rng.choice(["after"] * 8 + ["twice", "wrong", "early", "never"]),
            say_delay_s=rng.uniform(1, 30),
        )
        self.deeds_seen = 0
        self.disk = Disk(self.folder, self.bench.clock.now, self.bench.clock.sleep)
        self.bench.clock.on_sleep.append(self._watch)
        self.bench.lines.listeners.append(self._hear)
        self.bench.lines.listeners.append(self.person.hear)
        self._guard_sending()
        self._set_the_scene()
        method, primary = self._method()
        self.method = method
        with self.disk:
            for name in self._flow():
                self._step(name, method, primary)
        return self

    def _say_word(self, what: str, side: str) -> None:
        taken = self.bench.say(what, side)
        power = self.device.power
        true = power.load_a == 0 if what == "no_load" else not power.inputs[side].plugged
        self.deed_said = self.deed_said or (taken and true)

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
                ("load_creeps", {}),
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
        stamp = f"{bench.clock.wall():%Y-%m-%dT%H:%M+00:00}"
        # The second run of a day has the first one's words.
        day = None if rng.random() < 0.7 else stamp
        if method in (Method.SINGLE_SOURCE, Method.NO_LOAD):
            return self._promises("secondary_disconnected", *([] if hidden else ["no_load"]), day=day)
        whats = ["power_cycled", "one_input"] if method is Method.RECOVERY else []
        if power.load_a == 0:
            whats.append("no_load")
        if not power.both_live:
            whats.append("secondary_disconnected")
        self.deed_said = self.deed_said or len(whats) > 0
        return bench.confirm(*whats, stamp=stamp)

    def _promises(self, *whats: str, day: str | None) -> Any:
        given = self.bench.confirm(*whats) if day is None else self.bench.confirm(*whats, stamp=day)
        return tuple(item for item in given if item.what.startswith("will_"))

    def _step(self, name: str, method: Method, primary: Source) -> None:
        rng, bench = self.rng, self.bench
        now = bench.clock.now()
        soon = rng.choice([rng.uniform(1, 1500), rng.uniform(1, 120)])
        self.kill_at = now + soon if rng.random() < 0.15 else None
        self.killed = rng.random() < 0.5
        self.allowed.clear()
        signals = Signals(bench.clock)
        if rng.random() < 0.1:
            first, second = rng.sample([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], 2)
            signals.at(now + rng.choice([rng.uniform(1, 1500), rng.uniform(1, 120)]), (first, second))
        self._trouble(now)
        options = bench.options(
            method=method,
            primary=primary,
            confirmations=self._confirmations(method),
            action_timeout_s=rng.choice([120.0, 600.0, 1800.0]),
            poll_interval_s=rng.choice([2.0, 3.0, 3.0]),
            busy_timeout_s=60.0,
        )
        self.step_name = name
        try:
            report = bench.run(STEPS[name], options)
            self.states.append(str(report.get("state")))
            unit = bench.unit
            if unit is not None and unit.permit.stands:
                self.broken.append(f"{name}: its permission ({unit.permit.state.value}) outlives the run")
        except Killed:
            self.states.append("killed")
        finally:
            signals.leave()
            self.disk.heals()
        self.kill_at = None
        self.allowed.clear()

    def _trouble(self, now: float) -> None:
        """The controller's own: its disk, its clock, and another unit behind the address."""
        rng = self.rng
        roll, when = rng.random(), now + rng.choice([rng.uniform(1, 1500), rng.uniform(1, 60)])
        if roll < 0.06:
            self.disk.stall(rng.choice([2.0, 8.0, 40.0]), from_s=when, times=rng.choice([1, 3]))
        elif roll < 0.10:
            self.disk.full(from_s=when, for_s=rng.choice([30.0, 1e9]))
        elif roll < 0.12:
            self.disk.fails_to_sync(from_s=when, for_s=60.0)
        elif roll < 0.14:
            self.disk.tears(from_s=when)
        elif roll < 0.19:
            self.bench.clock.jump_wall(rng.choice([-86400.0, -3600.0, 1800.0, 86400.0, 40 * 86400.0]))

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

    def _watch(self, now: float, quietly: bool = False) -> None:
        power, card = self.device.power, self.device.card
        if not (power.load_a > 0 and power.both_live):
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
        if now - self.judged_s >= 1.0 or quietly:
            self._judge_truths(now)
        if len(self.person.deeds) > self.deeds_seen:
            self._judge_deeds(now)
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            # A killed process says nothing any more: what it allowed is the person's 30 s of silence.
            self.allowed.clear()
            raise Killed if self.killed else Interrupted("a kill of the history")

    def _judge_truths(self, now: float) -> None:
        """Once a second: the truth costs more than the run that is held against it."""
        self.judged_s = now
        self.before_s, self.unsafe_before = now, dict(self.unsafe_since)
        for name, wrong in self._truths().items():
            if not wrong:
                self.unsafe_since[name] = None
            elif self.unsafe_since.get(name) is None:
                self.unsafe_since[name] = now
        for name in list(self.allowed):
            # A permission that stands must be taken back when the truth turns against it.
            if self._wrong_for(name, now) > LAG_S + REACTION_S:
                self.broken.append(f"'{name}' stood at {now:.0f} s though wrong for {self._wrong_for(name, now):.0f} s")
                del self.allowed[name]

    def _judge_deeds(self, now: float) -> None:
        """Law 4, by the truth before the hand: ``harmless`` is the simulator's word at that moment."""
        for deed in self.person.deeds[self.deeds_seen :]:
            self.deeds_seen += 1
            if deed.kind in ("plug", "connect_loads"):
                self.deed_said = False
            name = _DEEDS.get(deed.kind, "").format(deed.side)
            since = self.unsafe_before.get(name)
            wrong = 0.0 if since is None else self.before_s - since
            if name and not deed.harmless and wrong > LAG_S + REACTION_S:
                self.broken.append(f"obeyed '{deed.line}' at {now:.0f} s, wrong for {wrong:.0f} s")

    def _wrong_for(self, name: str, now: float) -> float:
        since = self.unsafe_since.get(name)
        return 0.0 if since is None else now - since

    def _hear(self, line: str) -> None:
        now = self.bench.clock.now()
        if "STOP" in line or "DO NOT" in line or "is void" in line:
            self._watch_quietly(now)
            self.allowed.clear()
            return
        allowing = list(_ALLOWS.finditer(line))
        if allowing:
            self._watch_quietly(now)
        for match in allowing:
            what, side = match.group(1), match.group(3)
            if what.startswith("shut down"):
                continue
            name = what if side is None else f"{what} {side}"
            if side is None and what != "connect the loads":
                self.broken.append(f"a permission names no input: {line}")
                continue
            wrong = self._wrong_for(name, now)
            if wrong > LAG_S:
                self.broken.append(f"{self.step_name}: '{name}' at {now:.0f} s, wrong for {wrong:.0f} s: {line}")
            self.allowed[name] = now

    def _watch_quietly(self, now: float) -> None:
        kill, self.kill_at = self.kill_at, None
        self._watch(now, quietly=True)
        self.kill_at = kill

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
        if not self.deed_said:
            self.broken.append(f"{what} at {now:.0f} s, and nobody had said that anything is out")


_PACKAGES: dict[Path, Any] = {}


def _package(folder: Path) -> Any:
    if folder not in _PACKAGES:
        _PACKAGES[folder] = make_package(folder / "package")
    return _PACKAGES[folder]
