# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts a simulated device in the background and stops it again, by its process id and never by its name.

``simulated_device.py start FOLDER NAME --device ap7724 --speed 50`` leaves NAME.json (the ready file), NAME.pid and
NAME.log in FOLDER; ``simulated_device.py stop FOLDER NAME`` ends it, ``stop FOLDER`` all of that folder. What follows
NAME is passed to ``apcsim serve``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

READY_LIMIT_S = 30
STOP_LIMIT_S = 10


def is_ours(pid: int) -> bool:
    """A pid file may have outlived its process, and the number may be another's by now."""
    try:
        command = subprocess.run(
            ["ps", "-o", "args=", "-p", str(pid)], stdout=subprocess.PIPE, text=True, check=False
        ).stdout
    except FileNotFoundError:  # no procps
        command = Path(f"/proc/{pid}/cmdline").read_text() if Path(f"/proc/{pid}").exists() else ""
    return "apcsim" in command


def is_complete(ready: Path) -> bool:
    try:
        return isinstance(json.loads(ready.read_text(encoding="utf-8")), dict)
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def start(folder: Path, name: str, options: list[str]) -> int:
    stop(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    ready, log = folder / f"{name}.json", folder / f"{name}.log"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "apcsim", "serve", "--ready-file", str(ready), *options]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    (folder / f"{name}.pid").write_text(f"{process.pid}\n", encoding="ascii")
    end = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < end and process.poll() is None:
        if is_complete(ready):
            print(f"{name} runs as process {process.pid}")
            return 0
        time.sleep(0.1)
    stop(folder, name)
    print(
        f"{name} was not ready after {READY_LIMIT_S} s, or ended:\n{log.read_text(errors='replace')}", file=sys.stderr
    )
    return 1


def stop(folder: Path, name: str) -> None:
    file = folder / f"{name}.pid"
    if not file.exists():
        return
    pid = int(file.read_text(encoding="ascii"))
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + STOP_LIMIT_S
        if is_ours(pid):
            os.kill(pid, number)
        while is_ours(pid) and time.monotonic() < end:
            time.sleep(0.05)
    file.unlink()


def main() -> int:
    match sys.argv[1:]:
        case ["start", folder, name, *options]:
            return start(Path(folder), name, options)
        case ["stop", folder, name]:
            stop(Path(folder), name)
        case ["stop", folder]:
            for file in sorted(Path(folder).glob("*.pid")):
                stop(Path(folder), file.stem)
        case _unused:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
