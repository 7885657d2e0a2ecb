# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the stages of ``make test`` and ends with what was skipped and why: ``run_tests.py [stage ...]``."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stages import GROUPS, OUTPUT, REPO, STAGES, Lane, Stage
from summary import Outcome, print_summary

# So that a hung stage is reported instead of the whole job being killed from outside.
STAGE_LIMIT_S = 2700
ROOM = 1 << 30
DROPPED = ("ANSIBLE_", "APC_", "MOLECULE_", "PYTHONPATH")
running: set[subprocess.Popen[bytes]] = set()
ending = threading.Event()
printing = threading.Lock()


def say(text: str) -> None:
    with printing:
        print(text, flush=True)


def stage_environment() -> dict[str, str]:
    """The caller's own Ansible settings and device credentials must not decide whether tests pass."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    kept["PY_COLORS"] = "0"
    kept["NO_COLOR"] = "1"
    return kept


def stop(process: subprocess.Popen[bytes]) -> None:
    """The process group that this script started, politely and then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def memory() -> str | None:
    """Where a RAM disk is, with room; None: the ordinary place."""
    place = "/dev/shm"
    roomy = os.access(place, os.W_OK) and shutil.disk_usage(place).free > ROOM
    return place if roomy else None


def wait(process: subprocess.Popen[bytes], seconds: float) -> tuple[int, float]:
    """Exit status, and the processor seconds of the process and of all that it waited for."""
    end = time.monotonic() + seconds
    while True:
        found, status, used = os.wait4(process.pid, os.WNOHANG)
        if found:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used.ru_utime + used.ru_stime
        if time.monotonic() >= end:
            raise subprocess.TimeoutExpired(process.args, seconds)
        time.sleep(0.1)


def run(stage: Stage) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="dcops-apc-", dir=memory() if stage.in_memory else None) as temporary:
        return run_in(stage, temporary)


def run_in(stage: Stage, temporary: str) -> Outcome:
    missing = [path for path in stage.needs if not (REPO / path).exists()]
    if missing:
        return Outcome(stage, skipped=f"{', '.join(missing)} is not there")
    log = OUTPUT / "logs" / f"{stage.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    begun, processor_s = time.monotonic(), 0.0
    say(f"-- {stage.name}: started")
    with log.open("wb") as stream:
        for command in stage.commands:
            left = STAGE_LIMIT_S - (time.monotonic() - begun)
            stream.write(f"$ {' '.join(command)}\n".encode())
            stream.flush()
            process = subprocess.Popen(
                command,
                cwd=REPO / stage.folder,
                env={**stage_environment(), "PYTEST_DEBUG_TEMPROOT": temporary},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running.add(process)
            try:
                status, used_s = wait(process, max(left, 1))
                processor_s += used_s
            except subprocess.TimeoutExpired:
                stop(process)
                status = 124
                stream.write(f"stopped: not done after {STAGE_LIMIT_S} s\n".encode())
            finally:
                running.discard(process)
            if status != 0:
                break
        if stage.cleanup:
            subprocess.run(
                stage.cleanup, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, check=False
            )
    outcome = Outcome(stage, status=status, seconds=time.monotonic() - begun, processor_s=processor_s)
    report(outcome, log.read_text(encoding="utf-8", errors="replace"))
    return outcome


def report(outcome: Outcome, text: str) -> None:
    lines = text.rstrip().splitlines()
    shown = lines[-250:] if outcome.status else lines[-2:]
    verdict = "ok" if outcome.status == 0 else f"FAILED (exit status {outcome.status})"
    body = "\n".join(f"   | {line}" for line in shown)
    say(f"-- {outcome.stage.name}: {verdict} after {outcome.seconds:.0f} s\n{body}")


def run_lane(lane: Lane, wanted: list[str]) -> list[Outcome]:
    asked = [stage for stage in STAGES.values() if (stage.name in wanted if wanted else not stage.by_name_only)]
    return [run(stage) for stage in asked if stage.lane is lane and not ending.is_set()]


def end(number: int, _frame: object) -> None:
    """The stages first: the lanes are waited for, and go on to the next one where nobody says that this was all."""
    ending.set()
    for process in list(running):
        stop(process)
    sys.exit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", nargs="*", help=f"default: all. One or more of: {', '.join(STAGES)}")
    wanted = parser.parse_args().stage
    unknown = [name for name in wanted if name not in STAGES]
    if unknown:
        parser.error(f"no stage {', '.join(unknown)}; there are: {', '.join(STAGES)}")

    shutil.rmtree(OUTPUT / "junit", ignore_errors=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    begun = time.monotonic()
    outcomes: list[Outcome] = []
    # Lanes of one group run side by side; stages of a lane and groups run one after the other.
    for group in GROUPS:
        with ThreadPoolExecutor(max_workers=len(group)) as pool:
            for done in pool.map(lambda lane: run_lane(lane, wanted), group):
                outcomes += done
    return print_summary(outcomes, OUTPUT / "junit", time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
