# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real clock of a run: monotonic over a change of pace, and a wait that ends when the run is asked to end."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._procedure import clock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import SLICE_S, DeviceClock
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.signals import held_signals, noted_signals


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Real seconds that were asked for; none of them passes."""
    asked: list[float] = []
    now = [1000.0]

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(clock, "_elapsed", lambda: now[0])
    monkeypatch.setattr(clock.time, "sleep", sleep)
    return asked


def test_it_sleeps_as_long_as_it_is_told(slept: list[float]) -> None:
    watch = DeviceClock()
    watch.sleep(3.0)
    assert sum(slept) == pytest.approx(3.0) and max(slept) <= SLICE_S and watch.now() == pytest.approx(3.0)
    slept.clear()
    watch.set_factor(20.0)
    watch.sleep(20.0)
    assert sum(slept) == pytest.approx(1.0) and watch.now() == pytest.approx(23.0)
    watch.sleep(0.0)
    watch.sleep(-1.0)
    assert watch.now() == pytest.approx(23.0)


@pytest.mark.parametrize("held", [False, True])
def test_a_noted_signal_ends_a_wait_within_a_slice(held: bool, slept: list[float], monkeypatch: Any) -> None:
    watch, sleep, real = DeviceClock(), clock.time.sleep, time.monotonic

    def asked(seconds: float) -> None:
        sleep(seconds)
        if len(slept) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            end = real() + 0.01
            while real() < end:
                pass

    monkeypatch.setattr(clock.time, "sleep", asked)
    with pytest.raises(Interrupted), noted_signals():
        if held:
            with held_signals():
                watch.sleep(60.0)
            assert sum(slept) == pytest.approx(60.0)
            watch.sleep(1.0)
        watch.sleep(60.0)
    assert len(slept) == (300 if held else 3)
