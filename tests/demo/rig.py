# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated device, its electrician, and ansible-playbook as a subprocess: for the demo and the playbook tests."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

BIN = Path(sys.executable).parent
READY_LIMIT_S = 120
# No play takes so long, on a busy machine either: it hangs.
HANG_S = 360
# The caller's own Ansible settings and device credentials must not decide what happens here.
DROPPED = ("ANSIBLE_", "APC_", "MOLECULE_", "PYTHONPATH")
# What the run asks a person at the rack to do: to pull a plug, to say that it is out, to put it back.
MAY = re.compile(r"you may (disconnect|reconnect) source ([AB]) now")
SAY = re.compile(r"source ([AB]) reads dead\. PULL ITS PLUG NOW")
LOADS = "you may connect the loads now"
DEED = "secondary_disconnected"
# What he connects first when the run lets him.
FIRST_LOAD_A = 2.0
# Saying the same word again within this time would only say it to the run that has just taken it.
SAID_S = 5.0
# Becomes the leader of a session with the terminal as its own; then the shell's part: a job in front or behind.
SHELL = """
import fcntl, os, signal, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = subprocess.Popen(sys.argv[2:], process_group=0)
if sys.argv[1] == "front":
    os.tcsetpgrp(0, job.pid)
sys.exit(job.wait())
"""


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    kept["PATH"] = os.pathsep.join([str(BIN), kept.get("PATH", os.defpath)])
    return kept | {"PYTHONUNBUFFERED": "1"} | more


def today() -> str:
    """The date as the modules' default time zone, the controller's, has it."""
    return datetime.now().astimezone().strftime("%Y-%m-%d")


def stamp() -> str:
    """The time, of whole minutes, as a person writes it."""
    return datetime.now().astimezone().isoformat(timespec="minutes")


class Device:
    """One `apcsim serve`, and its control API."""

    def __init__(self, folder: Path, name: str, *options: str, device: str = "ap7724", speed: float = 30) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        ready = folder / f"{name}.json"
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "apcsim", "serve", "--device", device, "--speed", f"{speed:g}"]
        command += ["--ready-file", str(ready), "--parent-pid", str(os.getpid()), *options]
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, env=environment()
            )
        end = time.monotonic() + READY_LIMIT_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"the simulated device {name} did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        self.ready: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))

    def call(self, method: str, path: str, data: Any = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.ready["control_url"] + path, data=body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def truth(self) -> Any:
        return self.call("GET", "/device")

    def patch(self, **change: Any) -> None:
        self.call("PATCH", "/device", change)

    def plug(self, source: str, plugged: bool) -> None:
        self.patch(inputs={source: {"plugged": plugged}})

    def fault(self, name: str, **params: Any) -> None:
        self.call("POST", "/faults", {"name": name, **params})

    def confirm(self, what: str = "will_disconnect_secondary", at: str = "") -> dict[str, str]:
        """What a person would write after reading the name plate: a promise for today, or a word with its time."""
        return {"what": what, "unit": f"{self.truth()['serial']}@{at or today()}"}

    def stop(self) -> None:
        end_process(self.process)


def end_process(process: subprocess.Popen[Any]) -> None:
    """One process that we started, politely and then not."""
    for ask in (process.terminate, process.kill):
        if process.poll() is None:
            ask()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)


def make_package(folder: Path, aos: str = "392", app: str = "g2ats:392", form: str = "exe") -> Path:
    command = [sys.executable, "-m", "apcsim", "package", "--dest", str(folder), "--hardware", "hw02"]
    command += ["--aos", aos, "--app", app, f"--{form}"]
    made = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment())
    return Path(made.stdout.split()[-1])


class Site:
    """A folder with an inventory, an ansible.cfg and a state folder, as an operator would keep them."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.folder = folder
        self.package = package
        self.state_dir = folder / "state"
        self.hosts: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ansible.cfg").write_text(
            "[defaults]\ninventory = inventory.yml\nretry_files_enabled = false\nlocalhost_warning = false\n"
            "inventory_unparsed_warning = false\ncallback_result_format = yaml\ninterpreter_python = auto_silent\n"
            "[inventory]\nunparsed_is_failed = true\n",
            encoding="utf-8",
        )

    def add(self, device: Device, ftp_of: Device | None = None, confirm: bool = True, **variables: Any) -> None:
        self.hosts[device.name] = {
            "ansible_host": device.ready["host"],
            "ats_upgrade_snmp_port": device.ready["snmp_port"],
            "ats_upgrade_transfer_port": (ftp_of or device).ready["ftp_port"],
            "ats_upgrade_transfer_protocol": "ftp",
            "ats_upgrade_confirmations": [device.confirm()] if confirm else [],
        } | variables
        self.write()

    def write(self) -> None:
        shared = {
            "ats_upgrade_src": str(self.package),
            "ats_upgrade_primary_source": "B",
            "ats_upgrade_username": "apc",
            "ats_upgrade_password": "apc",
            "ats_upgrade_state_dir": str(self.state_dir),
            # A test may run in a container whose temporary folder is on no mount of its own.
            "ats_upgrade_ephemeral_state": True,
        }
        content = {"all": {"children": {"ats": {"hosts": self.hosts, "vars": shared}}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def playbook(self, step: str, **variables: Any) -> str:
        """A play that runs one step of the role alone."""
        role = {"name": "dcops.apc.ats_upgrade", "tasks_from": step}
        task = {"name": step, "ansible.builtin.include_role": role, "vars": variables}
        path = self.folder / f"{step}.yml"
        play = {"name": step, "hosts": "ats", "gather_facts": False, "serial": 1, "any_errors_fatal": True}
        path.write_text(yaml.safe_dump([play | {"tasks": [task]}], sort_keys=False), encoding="utf-8")
        return str(path)

    def evidence(self) -> list[Path]:
        return sorted(self.state_dir.rglob("*.jsonl"))

    def records(self) -> list[dict[str, Any]]:
        """All that was written, in its order: the unit's counter, over all runs."""
        found = [json.loads(line) for path in self.evidence() for line in path.read_text().splitlines()]
        return sorted(found, key=lambda record: int(record["n"]))

    def events(self) -> list[str]:
        """What happened under the unit's permits."""
        return [record["event"]["what"] for record in self.records() if record["kind"] == "permit"]

    def run(self, playbook: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """A short playbook beside the one that is under way."""
        more = {"ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"), "ANSIBLE_HOME": str(self.folder / "home")}
        command = [sys.executable, str(BIN / "ansible-playbook"), playbook, "-e", json.dumps(variables)]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(**more, ANSIBLE_NOCOLOR="true"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HANG_S,
            check=False,
        )

    def permit(self, device: Device) -> dict[str, Any]:
        """The result of ats_permit_info, which asks no device."""
        options = {"unit": device.truth()["serial"], "state_dir": str(self.state_dir)}
        dest = self.folder / "permit.json"
        tasks = [
            {"dcops.apc.ats_permit_info": options, "register": "shown"},
            {"ansible.builtin.copy": {"content": "{{ shown | to_json }}", "dest": str(dest), "mode": "0600"}},
        ]
        play = {"name": "The permit", "hosts": "localhost", "connection": "local", "gather_facts": False}
        path = self.folder / "permit.yml"
        path.write_text(yaml.safe_dump([play | {"tasks": tasks}], sort_keys=False), encoding="utf-8")
        done = self.run(str(path))
        if done.returncode:
            raise RuntimeError(f"ats_permit_info did not end well:\n{done.stdout}")
        shown: dict[str, Any] = json.loads(dest.read_text(encoding="utf-8"))
        return shown

    def say(self, device: Device, source: str = "", what: str = DEED) -> subprocess.CompletedProcess[str]:
        """The deed, as somebody says it who stands at the rack and reads the name plate."""
        word = {"unit": device.truth()["serial"], "what": what, "source": source, "state_dir": str(self.state_dir)}
        return self.run("dcops.apc.ats_word", **{f"ats_word_{name}": value for name, value in word.items()})


class Play:
    """One ansible-playbook; what it says is handed on line by line, while it says it."""

    def __init__(
        self,
        site: Site,
        playbook: str,
        *options: str,
        follow: Callable[[str], None] = lambda line: None,
        terminal: bool = False,
        typing: bool = False,
    ) -> None:
        """``terminal``: what it says goes to a pseudo-terminal. ``typing``: it is the play's own, for ``type``."""
        command = [sys.executable, str(BIN / "ansible-playbook"), playbook, *options]
        if typing:
            command = [sys.executable, "-c", SHELL, "front", *command]
        more = {"ANSIBLE_CONFIG": str(site.folder / "ansible.cfg"), "ANSIBLE_HOME": str(site.folder / "home")}
        more["ANSIBLE_NOCOLOR"] = "true"
        self._mark = f"DCOPS_APC_PLAY={uuid.uuid4().hex}"
        more.update([self._mark.split("=")])
        self.lines: list[str] = []
        # On a terminal the modules report their progress every second, else every 15 s.
        read, write = pty.openpty() if terminal or typing else os.pipe()
        self._keys = os.dup(read) if typing else -1
        self.process = subprocess.Popen(
            command,
            cwd=site.folder,
            env=environment(**more),
            stdin=write if typing else subprocess.DEVNULL,
            stdout=write,
            stderr=write,
        )
        os.close(write)
        self._follow = follow
        self._reader = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Play:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.kill()

    def _read(self, source: int) -> None:
        # A terminal ends with an error where a pipe ends with an end of file.
        with open(source, errors="replace", newline=None) as stream, contextlib.suppress(OSError):
            for line in stream:
                self.lines.append(line.rstrip())
                self._follow(self.lines[-1])

    def type(self, text: str) -> None:
        os.write(self._keys, text.encode())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait(self, limit_s: float = HANG_S) -> int:
        try:
            status = self.process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the playbook did not end in {limit_s} s:\n{self.text}") from None
        self._reader.join(timeout=10)
        return status

    def wait_for(self, words: str, limit_s: float = HANG_S) -> str:
        """The first line that holds the words."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for line in list(self.lines):
                if words in line:
                    return line
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.05)
        raise AssertionError(f"{words!r} was not said in {limit_s} s:\n{self.text}")

    def processes(self) -> list[int]:
        """ansible-playbook and its workers; these have sessions of their own, and outlive their parent."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def kill(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)
        if self._keys >= 0:
            os.close(self._keys)
            self._keys = -1


class Electrician:
    """Does what the run says, and nothing else; ``slip`` is a plug pulled instead of the one that was named, once.

    ``site``: he says by the playbook ats_word that the plug is out, once he sees it. Without it he says nothing.
    """

    def __init__(
        self, device: Device, site: Site | None = None, slip: str = "", tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self.device = device
        self.tell = tell
        self.done: list[str] = []
        # What became of each word.
        self.said: list[str] = []
        self._site = site
        self._slip = slip
        self._said_at = -SAID_S
        self._orders: list[tuple[str, str]] = []
        self._wake = threading.Semaphore(0)
        threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, line: str) -> None:
        found = MAY.search(line)
        asked = SAY.search(line)
        if "STOP" in line:
            self._orders.clear()
        elif found:
            self._order(found[1], found[2])
        elif asked:
            self._order("say", asked[1])
        elif LOADS in line:
            self._order("load", "")

    def _order(self, verb: str, source: str) -> None:
        self._orders.append((verb, source))
        self._wake.release()

    def _work(self) -> None:
        while True:
            self._wake.acquire()
            try:
                verb, source = self._orders.pop(0)
            except IndexError:
                continue  # taken back in the meantime
            if verb == "load":
                self._load()
            elif verb != "reconnect":
                slipped = self._pull(source)
                if not slipped:
                    self._say(source)
            elif self._move(source, plugged=True):
                self.tell(f"plugs input {source} back in")

    def _load(self) -> None:
        with contextlib.suppress(OSError):
            if self.device.truth()["load_current_a"] == 0:
                self.device.patch(load_current_a=FIRST_LOAD_A)
                self.tell("connects a load")

    def _pull(self, source: str) -> bool:
        """True: it was another one."""
        slipped, self._slip = self._slip, ""
        if self._move(slipped or source, plugged=False):
            self.tell(f"pulls the plug of input {slipped or source}")
        return bool(slipped)

    def _move(self, source: str, plugged: bool) -> bool:
        with contextlib.suppress(OSError):
            if self.device.truth()["inputs"][source]["plugged"] == plugged:
                return False
            time.sleep(0.3)
            self.device.plug(source, plugged)
            self.done.append(f"{'plugged' if plugged else 'pulled'} {source}")
            return True
        return False

    def _say(self, source: str) -> None:
        if self._site is None or time.monotonic() - self._said_at < SAID_S:
            return
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            said = self._site.say(self.device, source)
            self.said.append("said" if said.returncode == 0 else said.stdout)
            if said.returncode == 0:
                self._said_at = time.monotonic()
                self.tell(f"says by ats_word that the plug of input {source} is out")


@contextlib.contextmanager
def device(folder: Path, name: str, *options: str, **settings: Any) -> Iterator[Device]:
    made = Device(folder, name, *options, **settings)
    try:
        yield made
    finally:
        made.stop()
