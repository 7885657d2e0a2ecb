# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals while bytes go out: noted, and delivered behind the safe point, whichever thread the system picks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import (
    ASKING,
    HELD,
    held_signals,
    noted_signals,
    stop_if_asked,
)

# SIGTSTP would stop the test runner itself where it is not held.
SENT = [number for number in HELD if number is not signal.SIGTSTP]


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    # A handler of Python runs between two of its instructions, not at once.
    time.sleep(0.01)


@contextmanager
def caught(*numbers: int) -> Iterator[list[int]]:
    got: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: got.append(number)) for number in numbers}
    try:
        yield got
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def another_thread() -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("number", SENT, ids=lambda number: number.name)
@pytest.mark.parametrize("threads", [1, 2])
def test_held_inside_and_delivered_behind(number: signal.Signals, threads: int) -> None:
    other = another_thread() if threads > 1 else nullcontext()
    with other, caught(number) as got:
        with held_signals():
            send(number)
            send(number)
            assert got == []
        time.sleep(0.01)
        assert got == [number]


def test_each_kind_is_delivered() -> None:
    with caught(*SENT) as got:
        with held_signals():
            for number in reversed(SENT):
                send(number)
            assert got == []
        time.sleep(0.01)
        assert sorted(got) == sorted(SENT)


def test_an_interruption_waits_for_the_safe_point() -> None:
    steps = []
    with another_thread(), pytest.raises(Interrupted, match="SIGTERM"), noted_signals():
        with held_signals():
            send(signal.SIGTERM)
            stop_if_asked()
            steps.append("still inside")
        steps.append("behind it, where nobody asks")
        stop_if_asked()
        steps.append("never reached")
    assert steps == ["still inside", "behind it, where nobody asks"]


@pytest.mark.parametrize("number", ASKING, ids=lambda number: number.name)
def test_a_signal_is_noted_and_raised_only_where_the_run_asks(number: signal.Signals) -> None:
    steps = []
    with caught(*ASKING) as got:
        with pytest.raises(Interrupted, match=number.name), noted_signals():
            stop_if_asked()
            send(number)
            steps.append("a handler has raised nothing")
            stop_if_asked()
            steps.append("never reached")
        time.sleep(0.01)
        assert got == [], "the run has ended for it: nobody is told twice"
    assert steps == ["a handler has raised nothing"]


@pytest.mark.parametrize("second", ASKING, ids=lambda number: number.name)
def test_a_second_signal_is_never_raised(second: signal.Signals) -> None:
    """The first has ended the run: whatever comes after it finds the run at its last words."""
    words = []
    with caught(*ASKING) as got:
        with pytest.raises(Interrupted, match="SIGTERM"), noted_signals():
            try:
                send(signal.SIGTERM)
                stop_if_asked()
            except Interrupted:
                send(second)
                stop_if_asked()
                with held_signals():
                    send(second)
                    stop_if_asked()
                stop_if_asked()
                words.append("what to do now")
                raise
        time.sleep(0.01)
        assert got == []
    assert words == ["what to do now"]


def test_a_signal_in_the_ending_of_a_refused_run_ends_nothing() -> None:
    with caught(*ASKING) as got:
        with pytest.raises(ValueError), noted_signals():
            try:
                raise ValueError
            except ValueError:
                with held_signals():
                    send(signal.SIGINT)
                    stop_if_asked()
                raise
        assert got == []


def test_a_run_that_has_ended_well_hands_a_late_signal_on() -> None:
    with caught(signal.SIGTERM) as got:
        with noted_signals():
            send(signal.SIGTERM)
        time.sleep(0.01)
        assert got == [signal.SIGTERM]


def test_outside_a_run_nothing_is_raised() -> None:
    with caught(signal.SIGTERM) as got:
        send(signal.SIGTERM)
        stop_if_asked()
        assert got == [signal.SIGTERM]


def test_a_run_inside_a_run_is_the_same_run() -> None:
    with pytest.raises(Interrupted), noted_signals():
        with noted_signals():
            send(signal.SIGHUP)
        stop_if_asked()


def test_a_fault_inside_does_not_swallow_what_came() -> None:
    with caught(signal.SIGTERM) as got:
        with pytest.raises(ValueError), held_signals():
            send(signal.SIGTERM)
            raise ValueError
        time.sleep(0.01)
        assert got == [signal.SIGTERM]


def test_a_task_timeout_of_ansible_is_held_too() -> None:
    """The real thing: an alarm that raises, as the task executor sets it."""

    class TimedOut(Exception):
        pass

    def raise_it(number: int, frame: object) -> None:
        raise TimedOut

    before, steps = signal.signal(signal.SIGALRM, raise_it), []
    try:
        with pytest.raises(TimedOut):
            with held_signals():
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                time.sleep(0.06)
                steps.append("still inside")
            time.sleep(0.01)
            steps.append("never reached")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert steps == ["still inside"]


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in HELD]
    with noted_signals(), held_signals():
        assert [signal.getsignal(number) for number in HELD] != before
    assert [signal.getsignal(number) for number in HELD] == before


def test_another_thread_may_use_both_and_changes_nothing() -> None:
    before, seen = [signal.getsignal(number) for number in HELD], []

    def work() -> None:
        with noted_signals(), held_signals():
            stop_if_asked()
            seen.append([signal.getsignal(number) for number in HELD] == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]
