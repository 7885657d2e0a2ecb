# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: the guarded upgrade of a simulated AP7724 that carries a load, start to end.

An AP7724 with 8.8 A on its preferred source B runs AOS 3.7.4 and app 3.7.1. First an upgrade is tried with both inputs
live; it must be refused and nothing may reach the unit. Then the playbook upgrades it to 3.9.2 while a scripted
electrician pulls and reconnects source A, only when told to. The exit status is not 0 unless all came out as promised.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import rig

SPEED = 30
OUTPUT = Path(__file__).resolve().parents[1] / "output" / "demo"
UNIT = "ats-01"
LIMIT_S = 110
REFUSAL = """\
---
- name: Try to upgrade with both inputs live
  hosts: ats
  gather_facts: false
  tasks:
    - name: Upgrade, without waiting for anybody to pull a plug
      ansible.builtin.include_role:
        name: dcops.apc.ats_upgrade
        tasks_from: upgrade
      vars:
        ats_upgrade_isolate_timeout_s: 20
"""
CODES = {"head": "1;36", "good": "1;32", "bad": "1;31", "person": "1;33", "plain": "0", "dim": "2"}
# What of the play's output is the story; the rest is Ansible's frame around it.
FRAME = re.compile(r"^(PLAY|TASK|ok:|changed:|included:|skipping:|\s*$|PLAY RECAP)")


class Screen:
    def __init__(self) -> None:
        self.color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._begun = time.monotonic()
        self._one_at_a_time = threading.Lock()

    def say(self, text: str = "", how: str = "plain") -> None:
        with self._one_at_a_time:
            print(f"\033[{CODES[how]}m{text}\033[0m" if self.color and text else text, flush=True)

    def head(self, text: str) -> None:
        self.say()
        self.say(f"== {text} ==", "head")

    def stamped(self, text: str, how: str = "plain") -> None:
        self.say(f"{time.monotonic() - self._begun:6.1f} s  {text}", how)

    def follow(self, line: str) -> None:
        """One line of the play, as it comes."""
        if line.startswith(("TASK [", "PLAY [")):
            self.stamped(line.rstrip(" *"), "dim")
        elif not FRAME.match(line):
            self.stamped(f"  {line.strip()}", how_to_show(line))


def how_to_show(line: str) -> str:
    if "you may disconnect" in line or "you may reconnect" in line:
        return "person"
    if "DO NOT" in line or "fatal:" in line or "WHAT TO DO NOW" in line:
        return "bad"
    if "fully redundant" in line or "settled" in line:
        return "good"
    return "plain"


class Promises:
    """Each promise is compared with the simulator's physical truth, not with what the playbook says."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.broken = 0

    def check(self, promise: str, kept: bool, truth: object = "") -> None:
        self.broken += not kept
        mark, how = ("kept  ", "good") if kept else ("BROKEN", "bad")
        self._screen.say(f"  {mark}  {promise}{f' ({truth})' if truth != '' else ''}", how)


def refused_with_both_live(screen: Screen, promises: Promises, site: rig.Site, unit: rig.Device) -> None:
    screen.head("1. SIMULATED: an upgrade with both inputs live and 8.8 A on the unit")
    playbook = site.folder / "try_with_both_live.yml"
    playbook.write_text(REFUSAL, encoding="utf-8")
    play = rig.Play(site, str(playbook), follow=screen.follow)
    status = play.wait(LIMIT_S)
    truth = unit.truth()
    promises.check("refused", status != 0 and "NOT DONE" in play.text, f"ansible-playbook ended with status {status}")
    promises.check("the refusal names the input that is still live", "secondary_dead" in play.text)
    received = truth["bytes_received"]
    promises.check("the unit received nothing", received == 0 and not truth["files_received"], f"{received} bytes")
    promises.check("nothing was written by SNMP", truth["writes"] == [])
    promises.check("the load is on, the unit undamaged", not truth["load_dropped"] and not truth["damaged"])


def upgraded(screen: Screen, promises: Promises, site: rig.Site, unit: rig.Device) -> None:
    screen.head("2. SIMULATED: the same unit, by the playbook and with an electrician")
    electrician = rig.Electrician(unit, tell=lambda text: screen.stamped(f"  >> the electrician {text}", "person"))

    def follow(line: str) -> None:
        screen.follow(line)
        electrician(line)

    play = rig.Play(site, "dcops.apc.ats_firmware_upgrade", follow=follow)
    status = play.wait(LIMIT_S)
    truth = unit.truth()
    screen.head("What became of it, by the simulator's physical truth")
    promises.check("the playbook ended well", status == 0, f"status {status}")
    pulled = electrician.done == ["pulled A", "plugged A"]
    promises.check("A was pulled and put back once, on the run's word", pulled, ", ".join(electrician.done))
    card = truth["card"]
    versions = f"AOS {card['aos']}, app {card['app']}"
    promises.check("new firmware", (card["aos"], card["app"]) == ("3.9.2", "3.9.2") and card["app_running"], versions)
    controller = truth["controller"]
    current = controller["revision"] == controller["bundled"] and controller["attempts"] == 1
    promises.check("the controller was flashed once", current, f"revision {controller['revision']}")
    promises.check("the unit is undamaged", not truth["damaged"], truth["damage_reason"] or "")
    names = [file["name"] for file in truth["files_received"]]
    promises.check("AOS first, then the app, each once", ["aos" in name for name in names] == [True, False])
    promises.check("no FTP session was left open", truth["sessions_open"] == 0)
    redundant = truth["redundant"] and not truth["load_dropped"] and truth["load_current_a"] == 8.8
    load = f"{truth['load_current_a']} A on source {truth['selected_source']}"
    promises.check("fully redundant, load never dropped", redundant, load)


def timeline(screen: Screen, truth: dict[str, Any]) -> None:
    screen.head("Timeline of the SIMULATED unit, in device minutes")
    for event in truth["events"]:
        screen.say(f"  {int(event['time_s'] // 60):4d}:{event['time_s'] % 60:04.1f}  {event['what']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="keep the inventory, the state folder and the logs too")
    keep: bool = parser.parse_args().keep
    screen = Screen()
    promises = Promises(screen)
    folder = Path(tempfile.mkdtemp(prefix="dcops-apc-demo-"))
    kept = OUTPUT / time.strftime("%Y%m%dT%H%M%S")
    kept.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    try:
        screen.head(f"SIMULATED AP7724, living {SPEED} times as fast; no hardware is involved")
        site = rig.Site(folder, rig.make_package(folder / "firmware"))
        with rig.device(folder / "device", UNIT, speed=SPEED) as unit:
            unit.patch(load_current_a=8.8, preferred_source="B")
            site.add(unit)
            before = unit.truth()["card"]
            screen.say(f"  {UNIT}: AOS {before['aos']}, app {before['app']}, 8.8 A on source B")
            screen.say(f"  the package: {site.package.name}")
            refused_with_both_live(screen, promises, site, unit)
            upgraded(screen, promises, site, unit)
            timeline(screen, unit.truth())
        screen.head("Evidence, marked SIMULATED and kept apart from that of real units")
        evidence = [Path(shutil.copy2(path, kept)) for path in site.evidence()]
        for path in evidence:
            screen.say(f"  {path}")
        marked = bool(evidence) and all("SIMULATED" in path.read_text(encoding="utf-8") for path in evidence)
        promises.check("there is evidence, and it says SIMULATED", marked)
    finally:
        if keep:
            screen.say(f"  all that was written: {folder}", "dim")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    screen.say()
    took = f"{time.monotonic() - begun:.0f} s"
    if promises.broken:
        screen.say(f"{promises.broken} promises broken, {took}", "bad")
        return 1
    screen.say(f"SIMULATED: fully redundant, load never dropped; all promises kept, {took}", "good")
    return 0


if __name__ == "__main__":
    sys.exit(main())
