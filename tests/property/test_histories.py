# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thousands of random physical histories, with random knobs, faults, kills and people (SOAK_HISTORIES for more).

A failing history is named by its seed: ``python tests/utils/replay.py SEED`` tells it line by line.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from histories import History

HISTORIES = int(os.environ.get("SOAK_HISTORIES") or 2700)
FIRST = int(os.environ.get("SOAK_FIRST_SEED") or 0)
CHUNK = 25


def _memory_folder(fallback: Path) -> Path:
    # The evidence is synced to disk record by record; a RAM disk keeps thousands of runs from waiting for it.
    return Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else fallback


@pytest.mark.parametrize("first", range(FIRST, FIRST + HISTORIES, CHUNK))
def test_no_history_breaks_a_law(first: int, tmp_path: Path, record_property: Any) -> None:
    folder = _memory_folder(tmp_path) / f"apc-histories-{os.getpid()}-{first}"
    broken: list[str] = []
    states: Counter[str] = Counter()
    number = 0
    try:
        for seed in range(first, min(first + CHUNK, FIRST + HISTORIES)):
            history = History(seed, folder).run()
            broken += [f"seed {seed}: {text}" for text in history.broken]
            states.update(history.states)
            number += 1
            shutil.rmtree(folder / f"state-{seed}", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    record_property("histories", number)
    record_property("states", dict(states))
    assert not broken, "\n".join(broken)


def test_the_histories_reach_the_dangerous_part(tmp_path: Path) -> None:
    """Histories that never send anything would prove nothing."""
    sent = settled = 0
    for seed in range(10_000_000, 10_000_060):
        history = History(seed, tmp_path).run()
        sent += any(transfer["complete"] for transfer in history.device.files_received)
        settled += "settled" in history.states
    assert sent >= 5, f"only {sent} of 60 histories sent a file"
    assert settled >= 3, f"only {settled} of 60 histories settled"
