# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells one random history line by line: python tests/utils/replay.py SEED"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from histories import History


def main() -> int:
    seed = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        history = History(seed, Path(folder))
        last = [""]

        def show(line: str) -> None:
            if line != last[0]:
                print(f"{history.bench.clock.now():8.1f}  {line[:200]}")
            last[0] = line

        original = History._set_the_scene

        def scene(self: History) -> None:
            self.bench.lines.listeners.append(show)
            original(self)

        History._set_the_scene = scene  # type: ignore[method-assign]
        history.run()
        print("\nwhat happened to the unit:")
        for note in history.device.notes:
            print("   ", note)
        print("planned:", *history.happened, sep="\n    ")
        print("states:", history.states, "\nknobs:", history.knobs)
        print("BROKEN:", *history.broken, sep="\n    ")
    return bool(history.broken)


if __name__ == "__main__":
    sys.exit(main())
