# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`: the guarded upgrade of a simulated AP7724 that carries a load, start to end.

An AP7724 with 8.8 A on its preferred source B runs AOS 3.7.4 and app 3.7.1. First an upgrade is tried with both inputs
live; it must be refused and nothing may reach the unit. Then the playbook upgrades it to 3.9.2: somebody has promised
to pull the plug of source A when the run says so; a scripted electrician pulls it on that word alone, says by the
playbook ats_word that it is out, and puts it back when the run releases it, which closes the permit. The exit status is
not 0 unless all came out as promised.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
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
CODES = {"head": "1;36", "good": "1;32", "bad": "1;31", "person": "1;33", "plain": "0", "dim": "2"}
# What of the play's output is the story; the rest is Ansible's frame around it.
DULL = re.compile(r"^(ok|changed|included|skipping|fatal|PLAY RECAP|Origin)\b|^\s*$|^\[ERROR\]|^ *msg:$")
# Dumps of a whole result and of the task's source: the report below them says what a person needs.
DUMP_BEGINS = re.compile(r"^(fatal: |Origin: )")
DUMP_ENDS = re.compile(r"^(TASK|PLAY|\S+: SIMULATED )")


class Screen:
    def __init__(self) -> None:
        self.color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._begun = time.monotonic()
        self._one_at_a_time = threading.Lock()
        self._in_dump = False
        self._last = ""
        self._told_once: set[str] = set()

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
        if DUMP_ENDS.match(line):
            self._in_dump = False
        elif DUMP_BEGINS.match(line):
            self._in_dump = True
        if self._in_dump or DULL.match(line) or line in self._told_once or line == self._last:
            return
        self._last = line
        if line.startswith("[WARNING]"):
            self._told_once.add(line)
        if line.startswith(("TASK [", "PLAY [")):
            self.stamped(line.rstrip(" *").replace("dcops.apc.ats_upgrade : ", ""), "dim")
        else:
            self.stamped(f"  {line.strip()}", how_to_show(line))


def how_to_show(line: str) -> str:
    if "DO NOT" in line or "STOP" in line or "fatal:" in line or "WHAT TO DO NOW" in line:
        return "bad"
    if "you may disconnect" in line or "you may reconnect" in line or "then say that it is out" in line:
        return "person"
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
    # The promise is given, so the run asks. Nobody is there to pull a plug, and it does not wait long for it.
    playbook = site.playbook("upgrade", ats_upgrade_isolate_timeout_s=20)
    with rig.Play(site, playbook, follow=screen.follow, terminal=True) as play:
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
    electrician = rig.Electrician(
        unit, site, tell=lambda text: screen.stamped(f"  >> the electrician {text}", "person")
    )

    before = len(site.events())

    def follow(line: str) -> None:
        screen.follow(line)
        electrician(line)

    with rig.Play(site, "dcops.apc.ats_firmware_upgrade", follow=follow, terminal=True) as play:
        status = play.wait(LIMIT_S)
    truth = unit.truth()
    screen.head("What became of it, by the simulator's physical truth")
    promises.check("the playbook ended well", status == 0, f"status {status}")
    happened = site.events()[before:]
    asked = happened.index("permission") < happened.index("deed") < happened.index("stor") < happened.index("release")
    promises.check("permission, then the deed, then the files, then the release", asked)
    promises.check("the deed was said by a person, once", electrician.said == ["said"] and happened.count("deed") == 1)
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


def permit(screen: Screen, promises: Promises, site: rig.Site, unit: rig.Device) -> None:
    """What the state folder alone tells whoever comes next."""
    screen.head("The permit, as dcops.apc.ats_permit_info shows it")
    shown = site.permit(unit)
    for record in shown.get("history", []):
        screen.say(
            f"  {record['time'][11:19]}  {record['event'] or record['kind']!s:<11} -> {record['state'] or '':<10}"
            f"  {record['text'] or ''}"
        )
    found = shown.get("permit", {})
    screen.say(f"  permit {found.get('number')}: {found.get('state')}. {found.get('next_action')}")
    promises.check("the permit is closed", found.get("state") == "closed")
    promises.check("its evidence is whole, record for record", shown.get("chain", {}).get("ok") is True)


def timeline(screen: Screen, truth: dict[str, Any]) -> None:
    screen.head("Timeline of the SIMULATED unit, in device minutes")
    for event in truth["events"]:
        if event["what"].endswith(": installed"):
            continue  # the same as "installed ..."
        screen.say(f"  {int(event['time_s'] // 60):4d}:{event['time_s'] % 60:04.1f}  {event['what']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="keep the inventory, the state folder and the logs too")
    keep: bool = parser.parse_args().keep
    # Ended from outside: what was started ends too.
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
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
            permit(screen, promises, site, unit)
            timeline(screen, unit.truth())
        screen.head("Evidence of the upgrade, marked SIMULATED and kept apart from that of real units")
        evidence = [Path(shutil.copy2(path, kept)) for path in site.evidence()]
        upgrade = [
            path
            for path in evidence
            if all(part in path.read_text() for part in ('"kind": "settled"', '"kind": "sending"'))
        ]
        screen.say(f"  {upgrade[0] if upgrade else kept}")
        screen.say(f"  and of the other {len(evidence) - 1} steps beside it", "dim")
        marked = bool(upgrade) and all('"simulated": true' in path.read_text() for path in evidence)
        promises.check("all evidence says that it is of a simulated unit", marked)
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
