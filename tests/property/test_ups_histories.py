# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random histories of UPS firmware updates: any device, knobs, faults, mains, people, kills; and the laws they keep.

1. No start while the truth has been unsafe for longer than a reading may lag (LAG_S).
2. No start while an update of ours runs; of others only where no reading can show it (HIDDEN_S, or the card restarted).
3. "updated" only where the new firmware truly runs and communicates, "output off" and "on" only where it is so.
4. A brick or a dropped load has a cause that came after the start, or that nobody sent.
5. While an update runs (of ours, or another that the card shows), no end says that nothing was sent, or that it is
   over; and no evidence is torn.
6. A run after one that was cut off behind its start takes that one up, or says that it may still be writing.

A failing history is named by its seed (SOAK_HISTORIES, SOAK_FIRST_SEED as for the ATS).
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from virtual_ups import Killed, UpsBench, newest, update_file

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd, ups_next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from apcsim.knobs import Knobs

HISTORIES = int(os.environ.get("SOAK_HISTORIES") or 300)
FIRST = int(os.environ.get("SOAK_FIRST_SEED") or 0)
CHUNK = 50
# A verdict's newest reading is at most 5 s old (SAFETY 3), and a SET may be 3 s on its way (timeout x tries).
LAG_S = 5.0 + 3.0
# Between the last reading that proves an update and the word of it the log is read over a login.
PROOF_S = LAG_S + 20.0
# A start that the card does not show yet: up to 10 s (knob ups_update_answer).
HIDDEN_S = 10.0 + LAG_S
# device file, firmware, file's version, what the ID becomes
DEVICES: list[tuple[str, str, str, int | None]] = [
    ("smt1500rm2u", "", "9.3", None),
    ("smt1500rm1u", "", "10.1", None),
    ("smx1500rm2u", "UPS 09.9 (ID20)", "9.10", None),
    ("smx3000rmhv2u", "", "6.6", None),
    ("smtl1000", "", "4.2", None),
    ("srt3000", "UPS 07.9 (ID1010)", "8.2", 1025),
    ("srt3000", "UPS 10.1 (ID1020)", "10.2", None),
    ("srt3000", "UPS 05.1 (ID1001)", "6.1", 1013),
]
BAD = ("bypass", "self_test", "calibration", "shutdown_pending", "replace_battery")
OVER = {UpsEnd.UPDATED, UpsEnd.UPDATED_OUTPUT_OFF}
MAY_RUN = {UpsEnd.START_NOT_SEEN, UpsEnd.UPDATING, UpsEnd.FOREIGN_UPDATE, UpsEnd.COMM_LOST, UpsEnd.UNPROVED}


class History:
    """One history, told by its seed alone."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.broken: list[str] = []
        self.states: list[str] = []
        self.happened: list[str] = []
        rng = self.rng = random.Random(seed)
        name, firmware, self.version, self.new_id = rng.choice(DEVICES)
        self.bench = UpsBench(
            name, folder / f"ups-{seed}", Knobs.random(rng), rng.random() < 0.2, seed=seed, firmware=firmware
        )
        self.ups = self.bench.ups
        self.bad_since: dict[str, float] = {}
        self.kill_at: tuple[float, bool] | None = None
        self.confirmed = False
        self.file: Any = None
        self.foreign_at: float | None = None
        self.open = False
        self.ours_at: float | None = None
        self.input_lost_at: list[float] = []
        self.bench.clock.on_sleep.append(self._watch)
        self.bench.on_start.append(self._judge_start)

    def run(self) -> History:
        rng, bench = self.rng, self.bench
        if rng.random() < 0.08:
            self._patch({rng.choice(BAD): True})
        if rng.random() < 0.1:
            self.ups.update.shown = rng.choice([4, 5])
            bench.device.changed()
        if rng.random() < 0.3:
            # A slow card: much may happen while the file goes out.
            bench.device.ftp_rate_bps = rng.uniform(400, 2000)
        bench.clock.sleep(rng.choice([0.0, 30.0, 1000.0]))
        for _number in range(rng.randrange(1, 5)):
            for _fault in range(rng.choice([0, 0, 1, 1, 2, 3])):
                self._plan()
            self._one_run()
            bench.clock.sleep(rng.choice([1.0, 20.0, 300.0, 2000.0]))
            if rng.random() < 0.7:
                self._mend()
        self._judge_harm()
        return self

    # -- the world -----------------------------------------------------------------------------------------------------

    def _patch(self, change: dict[str, Any]) -> None:
        if change.get("input_voltage_v") == 0:
            self.input_lost_at.append(self.bench.clock.now())
        self.happened.append(f"{self.bench.clock.now():.0f} {change}")
        self.bench.device.patch({"ups": change})

    def _mend(self) -> None:
        self.bench.device.clear_faults()
        self._patch({**dict.fromkeys(BAD, False), "input_voltage_v": self.ups.nominal_v, "comm": True})

    def _plan(self) -> None:
        rng, bench = self.rng, self.bench
        when: dict[str, Any] = rng.choice(
            [
                {"after_s": rng.uniform(1, 120)},
                {"after_s": rng.uniform(1, 1500)},
                {"on": "update_begun", "after_s": rng.uniform(0, 900)},
                {"on": "update_transferred", "after_s": rng.uniform(0, 300)},
                {"on": "update_end", "after_s": rng.uniform(0, 60)},
            ]
        )
        soon = rng.choice([rng.uniform(1, 60), rng.uniform(1, 1200)])
        roll = rng.random()
        if roll < 0.12:
            bench.later(soon, lambda: self._patch({"input_voltage_v": 0}))
            if rng.random() < 0.6:
                bench.later(soon + rng.uniform(1, 200), lambda: self._patch({"input_voltage_v": self.ups.nominal_v}))
        elif roll < 0.22:
            what = rng.choice(BAD)
            bench.later(soon, lambda: self._patch({what: True}))
        elif roll < 0.28:
            on = rng.random() < 0.5
            bench.later(soon, lambda: self._patch({"output_on": on}))
        elif roll < 0.33:
            bench.later(soon, self._foreign)
        elif roll < 0.38:
            change = rng.choice([{"input_voltage_v": 0}, {"output_on": True}, {rng.choice(BAD): True}])
            delay = rng.choice([0.0, rng.uniform(0, 10)])
            bench.on_line("file to the card", lambda: bench.later(delay, lambda: self._patch(change)))
        elif roll < 0.40:
            bench.device.fault("communication_lost", on="update_end", after_s=rng.uniform(0, 10))
            self.happened.append("communication_lost after update_end")
        elif roll < 0.48:
            # The card forgets what the UPS is still writing, or is no more while it needs the card.
            moment = rng.choice(["update_begun", "update_transferred", "update_transferred"])
            bench.device.fault("card_restarts", why="reset", on=moment, after_s=rng.uniform(0, 200))
            self.happened.append(f"card_restarts after {moment}")
        else:
            name, params = rng.choice(
                [
                    ("no_answer", {"for_s": rng.uniform(2, 300)}),
                    ("lossy", {"every": rng.choice([2, 3, 5]), "for_s": rng.uniform(60, 900)}),
                    ("slow", {"latency_s": rng.uniform(0.1, 2.5), "for_s": rng.uniform(30, 600)}),
                    ("card_restarts", {"why": "reset"}),
                    ("card_dies", {}),
                    ("communication_lost", {"for_s": rng.uniform(5, 600)}),
                    ("session_busy", {"for_s": rng.uniform(10, 400)}),
                    ("wrong_password", {"for_s": rng.uniform(10, 400)}),
                    ("transfer_cut", {}),
                    ("log_cleared", {}),
                    ("web_login", {}),
                    ("update_rejected", {}),
                    ("update_comm_lost", {"for_s": rng.uniform(10, 400)}),
                    ("update_comm_lost", {}),
                    ("update_left_off", {}),
                    ("update_stalls", {}),
                    ("update_wrong_version", {}),
                    ("set_ignored", {"for_s": rng.uniform(30, 600)}),
                    ("set_refused", {"for_s": rng.uniform(30, 600)}),
                    ("set_answer_lost", {"for_s": rng.uniform(30, 600)}),
                ]
            )
            if name.startswith("update_") and rng.random() < 0.7:
                when = {}
            bench.device.fault(name, **params, **when)
            self.happened.append(f"{name} {params} {when}")

    def _foreign(self) -> None:
        """By the web page, whatever the state of the unit."""
        if not self.ups.update.phase and self.bench.device.card.app_running:
            self.happened.append(f"{self.bench.clock.now():.0f} somebody else starts an update")
            made, content = update_file(self.bench.device, self.version, new_id=self.new_id)
            self.ups.update.file = (made.name, content)
            self.foreign_at = self.bench.clock.now()
            self.ups.update.set(2)

    # -- one run -------------------------------------------------------------------------------------------------------

    def _one_run(self) -> None:
        rng, bench = self.rng, self.bench
        kinds: list[dict[str, Any]] = [{}] * 9 + [{"id": 77}, {"content": b"no firmware"}, {"series": "ABC"}]
        more = rng.choice(kinds)
        self.file = update_file(bench.device, self.version, **{"new_id": self.new_id, **more})
        self.confirmed = rng.random() < 0.8
        options: dict[str, Any] = {
            "wanted": Version.parse(self.version),
            "confirmations": bench.confirm() if self.confirmed else (),
            "poll_interval_s": rng.choice([1.0, 2.0, 3.0]),
            "start_timeout_s": rng.choice([30.0, 120.0]),
            "update_timeout_s": rng.choice([900.0, 1800.0]),
            "ready_timeout_s": 60.0,
            "up_timeout_s": 300.0,
            "busy_timeout_s": 60.0,
        }
        self.kill_at = None
        self.kill_after_start: float | None = None
        roll = rng.random()
        if roll < 0.15:
            self.kill_after_start = rng.choice([0.0, rng.uniform(0, 20), rng.uniform(0, 700)])
        elif roll < 0.3:
            self.kill_at = (
                bench.clock.now() + rng.choice([rng.uniform(1, 120), rng.uniform(1, 900)]),
                rng.random() < 0.6,
            )
        before, self.open_before = self.ups.firmware, self.open
        try:
            report = bench.run(self.file, **options)
        except Killed:
            bench.device.sessions.card_down()
            self.states.append("killed")
            return
        finally:
            self.kill_at = None
        self._judge_end(report, before)

    # -- the laws ------------------------------------------------------------------------------------------------------

    def _break(self, text: str) -> None:
        self.broken.append(f"seed {self.seed}, {self.bench.clock.now():.1f} s: {text}")

    def _bad_now(self) -> set[str]:
        ups = self.ups
        bad = {name for name in (*BAD, "low_battery", "on_battery") if getattr(ups, name)}
        bad |= set() if ups.mains else {"no mains"}
        bad |= set() if ups.comm else {"no communication"}
        if ups.output_on and not (ups.allows_output_on and self.confirmed):
            bad.add("output on")
        return bad

    def _watch(self, now: float) -> None:
        bad = self._bad_now()
        self.bad_since = {name: self.bad_since.get(name, now) for name in bad}
        if self.kill_at is not None and now >= self.kill_at[0]:
            hard, self.kill_at = self.kill_at[1], None
            if hard:
                raise Killed
            # A signal is held while the file goes out and around the SET; here it comes at any time, which is worse.
            raise Interrupted("a signal of the history")

    def _judge_start(self, start: dict[str, Any]) -> None:
        now = self.bench.clock.now()
        for name in self._bad_now():
            lasted = now - self.bad_since.get(name, now)
            if lasted > LAG_S:
                self._break(f"started although {name} for {lasted:.1f} s")
        if start["phase"]:
            ours = self.ours_at is not None and (self.foreign_at is None or self.ours_at > self.foreign_at)
            hidden = self.foreign_at is not None and now - self.foreign_at <= HIDDEN_S
            if ours or not (hidden or self.ups.update._forgotten):
                self._break(f"started while {'our' if ours else 'a foreign'} update is {start['phase']}")
        else:
            self.ours_at, self.open = now, True
        if self.kill_after_start is not None:
            self.kill_at = (now + self.kill_after_start, True)
        made = self.file[0]
        if made.id != self.ups.id or (made.version.parts[0], made.version.parts[1]) <= newest(self.bench.device):
            self._break(f"started with {made.name} on {self.ups.firmware}")

    def _judge_end(self, report: dict[str, Any], before: str) -> None:
        bench, ups, now = self.bench, self.ups, self.bench.clock.now()
        self.states.append(str(report.get("state")))
        end = UpsEnd(report["state"])
        if (report.get("error") or {}).get("kind") == "internal":
            self._break(f"a fault of our own: {report['error']}")
        # A card that is silent, or whose application is starting, shows nothing that could be taken up.
        taken_up = report["resumed"] or end is UpsEnd.UPDATING
        if self.open_before and not taken_up:
            self._break(f"{end.value}: an open start was not taken up")
        if end not in (UpsEnd.START_NOT_SEEN, UpsEnd.UPDATING, UpsEnd.COMM_LOST, UpsEnd.FOREIGN_UPDATE):
            # Closed, unless the UPS runs the new firmware and something still speaks against it.
            self.open = self.open and end is UpsEnd.UNPROVED
        if report["next_action"] != ups_next_action(end):
            self._break(f"{end} says {report['next_action']}")
        if end in OVER:
            if newest(bench.device) != self._target() or ups.bricked:
                self._break(f"{end.value}, but {ups.firmware} runs, bricked {ups.bricked}")
            if not ups.comm and now - self.bad_since.get("no communication", now) > PROOF_S:
                self._break(f"{end.value} without communication")
            told_off = end is UpsEnd.UPDATED_OUTPUT_OFF
            if told_off == ups.output_on and not self._output_moved(now):
                self._break(f"{end.value}, but the output is {'on' if ups.output_on else 'off'}")
        asked = bench.unit is not None and bench.unit.start_asked
        if report["changed"] and ups.firmware == before and not report["resumed"] and not asked:
            self._break("changed, and nothing was asked for")
        mine = self.ours_at is not None and (self.foreign_at is None or self.ours_at > self.foreign_at)
        if ups.update.phase and mine and end not in MAY_RUN:
            self._break(f"{end.value} while our update is {ups.update.phase}")
        heard = bench.unit is not None and bench.unit.observer.samples and bench.unit.newest.answered
        seen = self.foreign_at is not None and now - self.foreign_at > HIDDEN_S and ups.update.shown == 3 and heard
        if ups.update.phase and seen and end not in MAY_RUN:
            self._break(f"{end.value} while a foreign update is {ups.update.phase}")
        bench.evidence()

    def _target(self) -> tuple[int, int]:
        return self.file[0].version.parts[0], self.file[0].version.parts[1]

    def _output_moved(self, now: float) -> bool:
        """Turned by somebody, or lost with the mains, since a reading that counted: the log is read after it."""
        return any(now - float(text.split()[0]) < 60.0 for text in self.happened if text[0].isdigit())

    def _judge_harm(self) -> None:
        ups = self.ups
        late = self.ours_at
        if ups.bricked and late is not None and self.foreign_at is None:
            out_of_reach = "the card went down" in (ups.brick_reason or "")
            out_of_reach |= any(at >= late - LAG_S for at in self.input_lost_at)
            if not out_of_reach:
                self._break(f"bricked by us: {ups.brick_reason}")
        if self.foreign_at is None and late is not None:
            for violation in ups.violations:
                moved = [float(text.split()[0]) for text in self.happened if text[0].isdigit()]
                if not any(-HIDDEN_S <= violation["time_s"] - at <= HIDDEN_S for at in moved):
                    self._break(f"{violation}")


def _memory_folder(fallback: Path) -> Path:
    # The evidence is synced to disk record by record; a RAM disk keeps hundreds of runs from waiting for it.
    return Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else fallback


@pytest.mark.parametrize("first", range(FIRST, FIRST + HISTORIES, CHUNK))
def test_no_history_breaks_a_law(first: int, tmp_path: Path, record_property: Any) -> None:
    folder = _memory_folder(tmp_path) / f"apc-ups-histories-{os.getpid()}-{first}"
    broken: list[str] = []
    states: Counter[str] = Counter()
    number = 0
    try:
        for seed in range(first, min(first + CHUNK, FIRST + HISTORIES)):
            history = History(seed, folder).run()
            broken += history.broken
            states.update(history.states)
            number += 1
            shutil.rmtree(folder / f"ups-{seed}", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    record_property("histories", number)
    record_property("states", dict(states))
    assert not broken, "\n".join(broken)


def test_the_histories_reach_the_dangerous_part(tmp_path: Path) -> None:
    """Histories that never start anything would prove nothing."""
    folder = _memory_folder(tmp_path) / f"apc-ups-reach-{os.getpid()}"
    try:
        made = [History(seed, folder).run() for seed in range(20_000_000, 20_000_040)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    states = Counter(state for history in made for state in history.states)
    assert sum(1 for history in made if history.bench.starts) >= 15, states
    assert states["updated_output_off"] + states["updated"] >= 5 and states["killed"] >= 2, states
