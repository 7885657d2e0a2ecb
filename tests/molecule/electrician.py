# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves plugs as the run's evidence permits, and says so by ats_word: ``electrician.py STATE_DIR CONTROL_URL LIMIT_S``.

Ends by itself: when a plug was pulled and put back, when the device is gone, or after the limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from apcsim import control

MOVES = {"permission": False, "release": True}
BIN = Path(sys.executable).parent
WORD_S = 60.0


def permissions(folder: Path, seen: dict[Path, int]) -> Iterator[tuple[str, bool]]:
    """New (source, whether to plug it in) of all evidence files, in the order in which they were written."""
    for path in sorted(folder.rglob("*.jsonl")):
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        for line in whole[seen.get(path, 0) :].splitlines():
            record = json.loads(line)
            if record["kind"] == "permit" and record["event"]["what"] in MOVES and record["permit"]["primary"]:
                secondary = "B" if record["permit"]["primary"] == "A" else "A"
                yield secondary, MOVES[record["event"]["what"]]
        seen[path] = len(whole)


def say(folder: Path, serial: str, source: str) -> bool:
    """The deed, by its playbook, as somebody says it who reads the name plate; not with molecule's own settings."""
    word = {"unit": serial, "what": "secondary_disconnected", "source": source, "state_dir": str(folder)}
    variables = json.dumps({f"ats_word_{name}": value for name, value in word.items()})
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "APC_", "MOLECULE_"))}
    said = subprocess.run(
        [sys.executable, str(BIN / "ansible-playbook"), "-i", "localhost,", "dcops.apc.ats_word", "-e", variables],
        env=kept,
        stdin=subprocess.DEVNULL,
        timeout=WORD_S,
        check=False,
    )
    return said.returncode == 0


def main() -> int:
    folder, url, limit_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    seen: dict[Path, int] = {}
    pulled = False
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        for source, plugged in permissions(folder, seen):
            truth = control.call(url)
            if truth["inputs"][source]["plugged"] == plugged:
                continue
            control.call(url, "PATCH", {"inputs": {source: {"plugged": plugged}}})
            print(f"input {source} {'plugged' if plugged else 'unplugged'}", flush=True)
            if plugged and pulled:
                return 0
            if not plugged:
                pulled = True
                # Refused as long as the run has not yet laid its question out.
                while not say(folder, truth["serial"], source) and time.monotonic() < end:
                    time.sleep(0.5)
        control.call(url)  # raises when the device is gone
        time.sleep(0.2)
    return 1


if __name__ == "__main__":
    sys.exit(main())
