# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many simulated UPSs in one process: as many processes as a fleet has units would be too many for a test machine.

``ups_farm.py FOLDER`` serves the units of the JSON list on the first line of its standard input, one UDP port each,
until its standard input ends: ``{"name", "device", "serial", "patch", "faults"}``, all but name and device optional.
It leaves FOLDER/ready.json (name -> port) when all listen, and FOLDER/truth.json (name -> what reached it) at its end.
SNMP v1 and v2c only: no FTP, no web and no v3, for which ``apcsim serve`` is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apcsim.serve import Live, Settings, load, write_ready
from apcsim.snmp_agent import Agent, Community

HOST = "127.0.0.1"
READY_LIMIT_S = 60
# What a reader leaves no trace in.
WATCHED = ("writes", "files_received", "transfers", "bytes_received", "logins", "restarts", "write_log")


class CountingAgent(Agent):
    """So that a test can tell a unit that was asked from one that was passed over."""

    asked = 0

    def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:
        self.asked += 1
        super().datagram_received(datagram, transportAddress)


def live_unit(entry: dict[str, Any]) -> Live:
    return load(
        Settings(
            entry["device"],
            serial=entry.get("serial"),
            name=entry["name"],
            patches=(entry["patch"],) if entry.get("patch") else (),
            faults=tuple({"name": name} for name in entry.get("faults", ())),
        )
    )


async def serve(folder: Path, entries: list[dict[str, Any]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    agents: dict[str, CountingAgent] = {}
    ports: dict[str, int] = {}
    for entry in entries:
        agent = CountingAgent(loop=loop)
        agent.live = live_unit(entry)
        agent.community = Community(agent.live)
        transport, _unused = await loop.create_datagram_endpoint(lambda made=agent: made, local_addr=(HOST, 0))
        agents[entry["name"]] = agent
        ports[entry["name"]] = transport.get_extra_info("sockname")[1]
    # The list ends with its first line: what comes after is only waited for, and ends with the process that started us.
    loop.add_reader(sys.stdin, lambda: sys.stdin.read(1) or stop.set())
    write_ready(folder / "ready.json", {"ports": ports})
    await stop.wait()
    truth = {}
    for name, agent in agents.items():
        whole = agent.live.truth()
        truth[name] = {"asked": agent.asked} | {key: whole[key] for key in WATCHED}
    write_ready(folder / "truth.json", truth)


class Farm:
    """The process, for tests: ``ports`` while it runs, ``truth`` after ``stop``."""

    def __init__(self, folder: Path, entries: list[dict[str, Any]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        ready = folder / "ready.json"
        with (folder / "farm.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(entries).encode() + b"\n")
        self.process.stdin.flush()
        end = time.monotonic() + READY_LIMIT_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"the farm did not start:\n{(folder / 'farm.log').read_text()}")
            time.sleep(0.05)
        self.ports: dict[str, int] = json.loads(ready.read_text())["ports"]

    def stop(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)

    def truth(self) -> dict[str, Any]:
        """Ends the farm: what reached each unit, over its whole life."""
        self.stop()
        found: dict[str, Any] = json.loads((self.folder / "truth.json").read_text())
        return found


@contextlib.contextmanager
def farm(folder: Path, entries: list[dict[str, Any]]) -> Iterator[Farm]:
    made = Farm(folder, entries)
    try:
        yield made
    finally:
        made.stop()


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    asyncio.run(serve(Path(sys.argv[1]), json.loads(sys.stdin.readline())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
