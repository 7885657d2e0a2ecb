# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The worlds themselves: the person, the disk, the signals, the other unit."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import swap
from disk import Disk
from person import Person, age_s, sentence
from signals import Died, Signals, deliver

from apcsim import Knobs, Unit
from apcsim.virtual import VirtualClock


class Rig:
    def __init__(self, **person: Any) -> None:
        self.device = Unit.load("ap7724", knobs=Knobs(ats_lag_s=0.0))
        self.clock = VirtualClock(self.device)
        self.words: list[tuple[str, str]] = []
        self.person = Person(
            self.clock, self.device, say_word=lambda what, side: self.words.append((what, side)), **person
        )

    def say(self, text: str, for_s: float = 0.0, every_s: float = 10.0) -> None:
        """Repeated with the time of each, as the run does."""
        end = self.clock.now() + for_s
        while True:
            self.person.hear(text.replace("{now}", f"{self.clock.wall():%H:%M:%S}"))
            if self.clock.now() >= end:
                return
            self.pass_(min(every_s, end - self.clock.now()))

    def pass_(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end - 1e-9:
            self.clock.sleep(min(1.0, end - self.clock.now()))

    @property
    def plugged(self) -> dict[str, bool]:
        return {side: source.plugged for side, source in self.device.power.inputs.items()}


# -- the person --


@pytest.mark.parametrize(
    "line, kind, side",
    [
        ("READY. You may disconnect source B now", "unplug", "B"),
        ("you may reconnect input A now, measured 12:00:00", "plug", "A"),
        ("touch nothing until this run says 'you may disconnect' again", "void", ""),
        ("source B reads dead. PULL ITS PLUG NOW if it is still in, then say that it is out", "unplug", "B"),
        ("disconnect every load, also what reads as 0 A, then say so", "remove_loads", ""),
        ("STOP: DO NOT PULL source A", "void", ""),
        ("STOP. You may disconnect source A now is void", "void", ""),
        ("A LOAD IS ON: SHUT IT DOWN NOW, TOUCH NO INPUT", "shut_loads", ""),
        ("You may connect the loads now", "connect_loads", ""),
        ("Every earlier sentence of any run is void. Touch no plug", "void", ""),
        ("only if the load is dark: plug source A back in", "if_dark_plug", "A"),
        ("the permit is closed; connect the rest", "closed", ""),
    ],
)
def test_what_a_line_makes_him_do(line: str, kind: str, side: str) -> None:
    assert sentence(line) == (kind, side)


@pytest.mark.parametrize("line", ["reading the log", "source A reads 230 V", "stopped sampling"])
def test_a_line_that_asks_nothing(line: str) -> None:
    assert sentence(line) is None


def test_he_does_it_after_his_delay_and_says_so() -> None:
    rig = Rig(delay_s=lambda: 25.0)
    rig.say("you may disconnect source A now ({now} UTC)", for_s=24)
    assert rig.plugged["A"] and rig.person.wants == ("unplug", "A") and rig.words == []
    rig.say("you may disconnect source A now ({now} UTC)", for_s=8)
    assert not rig.plugged["A"] and rig.words == [("secondary_disconnected", "A")]
    assert rig.person.deeds[0].harmless and rig.person.lied == [] and rig.device.oracle_damage_free()


def test_he_says_it_again_where_he_was_not_heard_and_does_it_once() -> None:
    rig = Rig(delay_s=lambda: 1.0)
    rig.say("you may disconnect source A now ({now} UTC)", for_s=150)
    assert len(rig.person.deeds) == 1 and 2 <= len(rig.words) <= 3


@pytest.mark.parametrize("line", ["STOP", "every earlier sentence of any run is void", "the permit is closed"])
def test_stop_ends_what_he_was_about_to_do(line: str) -> None:
    rig = Rig(delay_s=lambda: 20.0)
    rig.say("you may disconnect source A now ({now} UTC)", for_s=15)
    rig.say(line)
    rig.pass_(300)
    assert rig.plugged["A"] and rig.person.wants is None and len(rig.person.stopped) == 1


def test_silence_is_a_stop_and_a_new_permission_is_a_new_one() -> None:
    rig = Rig(delay_s=lambda: 100.0)
    rig.say("you may disconnect source A now ({now} UTC)", for_s=60)
    rig.pass_(29)
    assert rig.person.wants is not None
    rig.pass_(2)
    assert rig.person.wants is None and rig.person.stopped[0][1] == "no line for 30 s"
    rig.say("you may disconnect source A now ({now} UTC)", for_s=99)
    assert rig.plugged["A"]
    rig.say("you may disconnect source A now ({now} UTC)", for_s=3)
    assert not rig.plugged["A"]


def test_a_line_that_asks_nothing_keeps_the_permission_alive() -> None:
    rig = Rig(delay_s=lambda: 50.0)
    rig.say("you may disconnect source A now ({now} UTC)")
    rig.say("reading, {now}", for_s=55)
    assert not rig.plugged["A"]


@pytest.mark.parametrize("stamped, pulls", [(True, False), (False, True)])
def test_three_minutes_behind_only_the_printed_time_saves_him(stamped: bool, pulls: bool) -> None:
    rig = Rig(delay_s=lambda: 5.0, behind_s=180.0)
    rig.say("you may disconnect source A now" + (" ({now} UTC)" if stamped else ""), for_s=60)
    rig.say("STOP")
    rig.pass_(400)
    assert rig.plugged["A"] is not pulls


def test_his_watch_does_not_jump_with_the_controllers_clock() -> None:
    rig = Rig(delay_s=lambda: 5.0)
    rig.clock.jump_wall(-3600)
    rig.say("you may disconnect source A now ({now} UTC)", for_s=60)
    assert rig.plugged["A"], "the line seems an hour old"


def test_the_age_of_a_line_across_midnight() -> None:
    watch = Unit.load("ap7724").start.replace(hour=0, minute=0, second=10)
    assert age_s("at 23:59:50", watch) == 20 and age_s("at 00:00:15", watch) == -5
    assert age_s("nothing", watch) == 0 and age_s("99:99:99", watch) == 0


@pytest.mark.parametrize(
    "talks, words",
    [
        ("after", [("secondary_disconnected", "A")]),
        ("never", []),
        ("twice", [("secondary_disconnected", "A")] * 2),
        ("wrong", [("secondary_disconnected", "B"), ("secondary_disconnected", "A")]),
        ("early", [("secondary_disconnected", "A"), ("no_load", ""), ("secondary_disconnected", "A")]),
    ],
)
def test_how_he_says_it(talks: str, words: list[tuple[str, str]]) -> None:
    rig = Rig(delay_s=lambda: 5.0, talks=talks)
    rig.say("you may disconnect source A now ({now} UTC)", for_s=30)
    assert rig.words == words and not rig.plugged["A"]
    assert bool(rig.person.lied) is (talks in ("wrong", "early"))


def test_he_takes_the_loads_off_and_connects_them_again() -> None:
    rig = Rig(delay_s=lambda: 5.0)
    amps = rig.device.power.load_a
    rig.say("You may shut down and disconnect all loads, {now}", for_s=20)
    assert rig.device.power.load_a == 0 and rig.words == [("no_load", "")]
    rig.say("You may connect the loads now, {now}", for_s=20)
    assert rig.device.power.load_a == amps > 0 and [deed.harmless for deed in rig.person.deeds] == [True, True]


def test_a_harmful_deed_is_seen_as_such() -> None:
    rig = Rig(delay_s=lambda: 1.0)
    rig.device.patch({"inputs": {"B": {"plugged": False}}})
    rig.pass_(40)
    rig.say("you may disconnect source A now, {now}", for_s=5)
    assert not rig.person.deeds[0].harmless
    dropped = rig.device.dropped
    assert dropped is not None and dropped.by == "hand"


@pytest.mark.parametrize("dark", [True, False])
def test_only_if_the_load_is_dark(dark: bool) -> None:
    rig = Rig(delay_s=lambda: 2.0)
    rig.device.patch({"inputs": {"A": {"plugged": False}}})
    rig.pass_(40)
    if dark:
        rig.device.patch({"inputs": {"B": {"voltage_v": 0}}})
    rig.say("only if the load is dark: plug source A back in ({now})", for_s=10)
    assert rig.plugged["A"] is dark


def test_a_person_who_left_does_nothing() -> None:
    rig = Rig(delay_s=lambda: 5.0)
    rig.say("you may disconnect source A now")
    rig.person.leave()
    rig.pass_(20)
    assert rig.plugged["A"]
    with pytest.raises(ValueError):
        Rig(talks="loudly")


# -- the disk --


class Recorder:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "evidence.jsonl"

    def write(self, text: str) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            data = text.encode()
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)


def test_a_stall_takes_virtual_time_and_the_world_lives_on(tmp_path: Path) -> None:
    rig = Rig(delay_s=lambda: 5.0)
    rig.say("you may disconnect source A now")
    with Disk(tmp_path, rig.clock.now, rig.clock.sleep) as disk:
        disk.stall(20.0)
        disk.stall(3.0, "write", from_s=100.0, times=2)
        Recorder(tmp_path).write("one\n")
        assert rig.clock.now() == 20 and not rig.plugged["A"]
        Recorder(tmp_path).write("two\n")
        assert rig.clock.now() == 20
        rig.clock.sleep(100)
        Recorder(tmp_path).write("three\n")
        assert rig.clock.now() == 123
    assert Recorder(tmp_path).path.read_text() == "one\ntwo\nthree\n"
    with pytest.raises(ValueError):
        disk.stall(1, "read")


def test_a_full_disk_from_a_moment_on_and_for_a_while(tmp_path: Path) -> None:
    rig = Rig()
    ours, others = tmp_path / "ours", tmp_path / "others"
    ours.mkdir()
    others.mkdir()
    with Disk(ours, rig.clock.now, rig.clock.sleep) as disk:
        disk.full(from_s=10, for_s=20)
        Recorder(ours).write("one\n")
        rig.clock.sleep(10)
        with pytest.raises(OSError, match="No space left"):
            Recorder(ours).write("two\n")
        Recorder(others).write("elsewhere\n")
        rig.clock.sleep(20)
        Recorder(ours).write("three\n")
        assert disk.failed == [(10.0, "open")]
    assert Recorder(ours).path.read_text() == "one\nthree\n" and Recorder(others).path.exists()


def test_a_sync_that_fails_and_a_record_that_is_torn(tmp_path: Path) -> None:
    rig = Rig()
    real = os.write
    with Disk(tmp_path, rig.clock.now, rig.clock.sleep) as disk:
        disk.fails_to_sync()
        with pytest.raises(OSError, match="Input/output"):
            Recorder(tmp_path).write("one\n")
        disk.heals()
        disk.tears()
        with pytest.raises(OSError, match="No space left"):
            Recorder(tmp_path).write("abcdef\n")
        Recorder(tmp_path).write("two\n")
        assert disk.counts["fsync"] == 2
    assert Recorder(tmp_path).path.read_text() == "one\nabctwo\n" and os.write is real


# -- signals --


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Handlers without a process that they would end."""
    installed: dict[int, Any] = {}
    monkeypatch.setattr(signal, "getsignal", lambda number: installed.get(number, signal.SIG_DFL))
    return installed


def test_two_signals_back_to_back_even_if_the_first_raises(caught: Any) -> None:
    got: list[int] = []

    def handler(number: int, _frame: Any) -> None:
        got.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit

    caught[signal.SIGINT] = caught[signal.SIGTERM] = handler
    with pytest.raises(SystemExit) as ended:
        deliver(signal.SIGINT, signal.SIGTERM)
    assert got == [signal.SIGINT, signal.SIGTERM] and isinstance(ended.value.__context__, KeyboardInterrupt)


def test_ignored_default_and_at_a_virtual_time(caught: Any) -> None:
    rig, got = Rig(), []
    signals = Signals(rig.clock)
    caught[signal.SIGHUP] = signal.SIG_IGN
    caught[signal.SIGTERM] = lambda number, _frame: got.append(rig.clock.now())
    signals.at(20.0, [signal.SIGTERM, signal.SIGTERM])
    signals.at(5.0, [signal.SIGHUP])
    rig.pass_(19)
    assert got == [] and len(signals.delivered) == 1
    rig.pass_(100)
    assert got == [20.0, 20.0]
    signals.at(130.0, [signal.SIGQUIT])
    with pytest.raises(Died, match="SIGQUIT"):
        rig.pass_(100)
    signals.leave()
    rig.pass_(5)


def test_the_handler_that_is_really_installed_is_the_one_called() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: got.append(number))
    try:
        deliver(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [signal.SIGUSR1]


# -- another unit --


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_drawn_is_another_unit(seed: int) -> None:
    rig = Rig()
    rig.device.patch({"load_current_a": 0.0})
    before, after = swap.between_runs(rig.device, **swap.draw(random.Random(seed)))
    rig.pass_(5)
    assert before != after == rig.device.serial
    swap.at(rig.device, rig.clock.now() + 50, **swap.draw(random.Random(seed + 100)))
    rig.pass_(49)
    assert rig.device.serial == after
    rig.pass_(2)
    assert any("swapped" in note["what"] for note in rig.device.notes[-30:]) and rig.device.oracle_damage_free()
