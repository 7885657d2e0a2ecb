# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves plugs as the run's evidence permits: ``electrician.py STATE_DIR CONTROL_URL LIMIT_S``.

Ends by itself: when a plug was pulled and put back, when the device is gone, or after the limit.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from apcsim import control

MOVES = {"permission_disconnect": False, "permission_reconnect": True}


def permissions(folder: Path, seen: dict[Path, int]) -> Iterator[tuple[str, bool]]:
    """New (source, whether to plug it in) of all evidence files, in the order in which they were written."""
    for path in sorted(folder.rglob("*.jsonl")):
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        for line in whole[seen.get(path, 0) :].splitlines():
            record = json.loads(line)
            if record["kind"] in MOVES:
                yield record["source"], MOVES[record["kind"]]
        seen[path] = len(whole)


def main() -> int:
    folder, url, limit_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    seen: dict[Path, int] = {}
    pulled = False
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        for source, plugged in permissions(folder, seen):
            inputs = control.call(url)["inputs"]
            if inputs[source]["plugged"] == plugged:
                continue
            control.call(url, "PATCH", {"inputs": {source: {"plugged": plugged}}})
            print(f"input {source} {'plugged' if plugged else 'unplugged'}", flush=True)
            if plugged and pulled:
                return 0
            pulled = pulled or not plugged
        control.call(url)  # raises when the device is gone
        time.sleep(0.2)
    return 1


if __name__ == "__main__":
    sys.exit(main())
