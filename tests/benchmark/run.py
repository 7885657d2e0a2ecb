# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make bench: what a reading, an upgrade and a host cost. Printed, never asserted: machines differ, ratios travel."""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "utils"))

from virtual_unit import Bench, make_package

from ansible_collections.dcops.apc.plugins.module_utils._powernet.nmc import ALL, WATCH, read_state
from ansible_collections.dcops.apc.plugins.module_utils._powernet.ups import read_ups
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp import SnmpOptions, open_snmp
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import SnmpClient
from apcsim.knobs import Knobs
from apcsim.model import Unit as Device
from apcsim.virtual import OPEN_DELAY_S

HOSTS = 100
ROUNDS = 3


def serve(folder: Path, device: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    ready = folder / f"{device}.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "apcsim", "serve", "--device", device, "--ready-file", str(ready)]
        + ["--parent-pid", str(os.getpid())]
    )
    end = time.monotonic() + 30
    while not ready.exists():
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit("the simulated device did not start")
        time.sleep(0.05)
    return process, json.loads(ready.read_text())


def round_trips(ports: dict[str, Any], ups_ports: dict[str, Any]) -> None:
    print("A reading over SNMP v1 (real UDP on loopback): of one AP7724, and of one SMT1500RM2U")
    readings: tuple[tuple[str, int, Callable[[SnmpClient], object]], ...] = (
        ("whole state", ports["snmp_port"], lambda client: read_state(client, ALL)),
        ("watching sample", ports["snmp_port"], lambda client: read_state(client, WATCH)),
        ("whole UPS", ups_ports["snmp_port"], read_ups),
    )
    for name, port, read in readings:
        client = open_snmp(SnmpOptions("127.0.0.1", port))
        read(client)
        requests, sent, received = client.requests, client.bytes_sent, client.bytes_received
        began = time.process_time()
        for _number in range(100):
            read(client)
        each = (time.process_time() - began) / 100
        client.close()
        print(
            f"  {name:16} {requests} round trips, {sent} bytes out, {received} bytes in, {1000 * each:.1f} ms processor"
        )


def own_time(folder: Path) -> None:
    """What the procedure adds to the time that SAFETY and the device prescribe, step by step, on virtual time."""
    # The end of the download stands in the log, so that the 300 s of an end that is not seen are not prescribed.
    device = Device.load("ap7724", knobs=Knobs(success_row=True))
    bench = Bench(device, make_package(folder / "package"), folder / "state")
    device.patch({"inputs": {"A": {"plugged": False}}})
    device.advance(device.now + 120.0)
    # The backup is a step of its own, as in the role.
    bench.run(job.do_backup)
    began = bench.clock.now()
    report = bench.run(job.do_upgrade)
    if report.get("state") != "settled":
        raise SystemExit(f"the bench's upgrade ended as {report}")
    at: dict[tuple[str, str], float] = {}
    uptime: dict[str, float] = {}
    for record in report["evidence"]["summary"]:
        kind = "aos" if "aos" in str(record.get("file", "")) else "app" if record.get("file") else ""
        if record["kind"] == "sending":
            # agree: just before STOR; end: the card has taken all of it.
            kind = record["sending"]["kind"]
            at[(record["event"], kind)] = record["device_s"]
        at[(record["kind"], kind)] = record["device_s"]
        if record["kind"] == "restarted":
            uptime[kind] = record["uptime_s"]
    events = {note["what"]: note["time_s"] for note in device.truth()["events"] if "what" in note}
    # The card's own pace: opening the data connection, and its bytes per second.
    sending = OPEN_DELAY_S + 49152 / device.ftp_rate_bps
    down = {kind: at[("restarted", kind)] - at[("end", kind)] for kind in ("aos", "app")}
    boot_app = at[("restarted", "app")] - uptime["app"]
    calm = max((time_s for what, time_s in events.items() if "download" in what), default=boot_app)
    rows = [
        ("controller_quiet before the AOS", began, at[("agree", "aos")], 240.0),
        ("AOS on the wire", at[("agree", "aos")], at[("end", "aos")], sending),
        ("card down", at[("end", "aos")], at[("restarted", "aos")], down["aos"]),
        ("uptime 300 s", at[("restarted", "aos")], at[("agree", "app")], 300.0 - uptime["aos"]),
        ("app on the wire", at[("agree", "app")], at[("end", "app")], sending),
        ("card down", at[("end", "app")], at[("restarted", "app")], down["app"]),
        (
            "settle",
            at[("restarted", "app")],
            at[("settled", "")],
            max(boot_app + 300.0, calm + 240.0) - at[("restarted", "app")],
        ),
    ]
    print("\nAn upgrade of AOS and app, isolated unit, device seconds (virtual time)")
    total = 0.0
    for name, start, end, prescribed in rows:
        total += end - start - prescribed
        print(
            f"  {name:34} {end - start:7.1f} s, prescribed {prescribed:7.1f} s, own {end - start - prescribed:+5.1f} s"
        )
    missed = ", MISSED" if total >= 10 else ""
    whole = at[("settled", "")] - began
    print(f"  whole {whole:.1f} s, own time {total:.1f} s (target: under 10 s{missed})")


PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - {task}
"""
TASKS = {
    "empty play": "ansible.builtin.meta: noop",
    "ansible.builtin.ping": "ansible.builtin.ping:",
    "dcops.apc.ats_info": "dcops.apc.ats_info: {{snmp_port: {port}}}",
}


def cost_per_host(folder: Path, ports: dict[str, Any]) -> None:
    hosts = {f"ats-{number:03}": None for number in range(HOSTS)}
    inventory = folder / "inventory.json"
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    inventory = inventory.rename(inventory.with_suffix(".yml"))
    playbook = str(Path(sys.executable).parent / "ansible-playbook")
    environment = {**os.environ, "ANSIBLE_FORKS": "10", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
    seconds: dict[str, list[float]] = {name: [] for name in TASKS}
    for _round in range(ROUNDS):
        for name, task in TASKS.items():
            play = folder / "play.yml"
            play.write_text(PLAY.format(task=task.format(port=ports["snmp_port"])))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [playbook, "-i", str(inventory), str(play)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
            seconds[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\nProcessor time of ansible-playbook on {HOSTS} hosts, 10 forks, median of {ROUNDS} rounds in turn")
    for name, value in median.items():
        per_host = (value - median["empty play"]) / HOSTS
        print(f"  {name:22} {value:6.2f} s whole, {1000 * per_host:6.1f} ms per host beyond an empty play")
    ping, info = (median[name] - median["empty play"] for name in ("ansible.builtin.ping", "dcops.apc.ats_info"))
    whole = median["dcops.apc.ats_info"] / median["ansible.builtin.ping"]
    print(f"  ats_info / ping: {info / ping:.2f} per host, {whole:.2f} of the whole run (target: at most 0.35)")


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    folder = Path(tempfile.mkdtemp(prefix="apc-bench-"))
    processes = []
    try:
        process, ports = serve(folder, "ap7724")
        processes.append(process)
        process, ups_ports = serve(folder, "smt1500rm2u")
        processes.append(process)
        round_trips(ports, ups_ports)
        own_time(folder)
        cost_per_host(folder, ports)
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
