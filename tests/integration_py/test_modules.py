# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules and action plugins under ansible-playbook, against simulated devices over real SNMP and FTP."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
SECRET = "sesame-open-wide"
PASSWORD_TASKS = (
    "range_action",
    "no_ssh_action",
    "log_action",
    "missing_action",
    "word_action",
    "plan_action",
    "wrong_action",
)
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("devices")
    running: list[subprocess.Popen[bytes]] = []
    started: dict[str, dict[str, Any]] = {}
    try:
        for name in ("ap7724", "ap8853"):
            command = [sys.executable, "-m", "apcsim", "serve", "--device", name, "--speed", "50"]
            command += ["--ready-file", str(folder / f"{name}.json"), "--parent-pid", str(os.getpid())]
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        for name in ("ap7724", "ap8853"):
            ready = folder / f"{name}.json"
            end = time.monotonic() + 30
            while not ready.exists():
                assert time.monotonic() < end, f"{name} does not start"
                time.sleep(0.05)
            started[name] = json.loads(ready.read_text(encoding="utf-8"))
        yield started
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=10)


@dataclass
class Play:
    results: dict[str, Any]
    stdout: str
    stderr: str
    code: int


@dataclass
class Book:
    """Collects tasks and runs them as one play: starting Ansible costs more than most of them."""

    folder: Path
    tasks: list[dict[str, Any]] = field(default_factory=list)
    host: dict[str, Any] = field(default_factory=lambda: {"ansible_host": "{{ address }}", "address": "127.0.0.1"})
    keywords: dict[str, Any] = field(default_factory=dict)

    def action(self, key: str, module: str, options: dict[str, Any] | None = None, **keywords: Any) -> None:
        task = {f"dcops.apc.{module}": options or {}, "register": key, "ignore_errors": True}
        self.tasks.append({**task, **keywords})

    def module(self, key: str, module: str, options: dict[str, Any], **keywords: Any) -> None:
        task = {
            "as_module": {"name": f"dcops.apc.{module}", "options": {"host": "127.0.0.1", **options}},
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "register": key,
            "ignore_errors": True,
        }
        if "host" not in options and module == "firmware_package_info":
            del task["as_module"]["options"]["host"]
        self.tasks.append({**task, **keywords})

    def both(self, key: str, module: str, options: dict[str, Any], **keywords: Any) -> None:
        self.action(f"{key}_action", module, options, **keywords)
        self.module(f"{key}_module", module, options, **keywords)

    def run(self, *arguments: str, **environment: str) -> Play:
        dest = self.folder / "results.json"
        keys = [task["register"] for task in self.tasks]
        keep = {
            "keep_results": {"dest": str(dest), "results": {key: f"{{{{ {key} }}}}" for key in keys}},
            "check_mode": False,
        }
        play = {"hosts": "all", "gather_facts": False, "tasks": [*self.tasks, keep], **self.keywords}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        inventory = {"all": {"hosts": {"ats-01": self.host}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "APC_", "AWX_"))}
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "inventory.yml", "play.yml", *arguments],
            cwd=self.folder,
            env={
                **clean,
                "ANSIBLE_ACTION_PLUGINS": str(HERE / "action_plugins"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_INJECT_INVOCATION": "1",  # core 2.20 and newer
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
                "ANSIBLE_REMOTE_TEMP": str(self.folder / "tmp"),
                "XDG_STATE_HOME": str(self.folder / "state"),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert dest.exists(), done.stdout + done.stderr
        return Play(json.loads(dest.read_text(encoding="utf-8")), done.stdout, done.stderr, done.returncode)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """Bound and never answered: a silent device that nobody else can be mistaken for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


def package(folder: Path) -> Path:
    command = [sys.executable, "-m", "apcsim", "package", "--dest", str(folder), "--hardware", "hw02", "--aos", "392"]
    subprocess.run([*command, "--app", "g2ats:392"], check=True, stdout=subprocess.DEVNULL)
    return folder


def comparable(value: Any) -> Any:
    """Without what differs from one reading, or one run, to the next: numbers in texts, run ids, and invocation."""
    if isinstance(value, dict):
        return {
            comparable(key): comparable(item)
            for key, item in value.items()
            if key not in ("invocation", "uptime_s", "device_s", "t", "time", "run", "exception")
        }
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return re.sub(r"[0-9a-f]{12}|[0-9]+(\.[0-9]+)?", "#", value) if isinstance(value, str) else value


COMMON = {"changed", "failed", "msg", "warnings", "invocation", "exception"}


def undocumented(name: str, result: dict[str, Any]) -> list[str]:
    """The keys of a result that the module's RETURN does not name."""
    holder = importlib.import_module(f"ansible_collections.dcops.apc.plugins.modules.{name}")
    return _strange({key: item for key, item in result.items() if key not in COMMON}, yaml.safe_load(holder.RETURN))


def _strange(value: Any, fields: dict[str, Any]) -> list[str]:
    if isinstance(value, list):
        return [path for item in value for path in _strange(item, fields)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        if key not in fields:
            found.append(key)
        elif "contains" in fields[key]:
            found += [f"{key}.{path}" for path in _strange(item, fields[key]["contains"])]
    return found


def account(device: dict[str, Any], **more: Any) -> dict[str, Any]:
    ports = {"snmp_port": device["snmp_port"], "transfer_port": device["ftp_port"], "transfer_protocol": "ftp"}
    return {**ports, "username": "apc", "password": "apc", **more}


def test_module_and_action_agree(book: Book, devices: dict[str, Any], closed_port: int, tmp_path: Path) -> None:
    ats, pdu = devices["ap7724"], devices["ap8853"]
    src = str(package(tmp_path / "public"))
    quick = {"snmp_port": closed_port, "snmp_timeout": 0.2, "snmp_retries": 0}
    unit = account(ats, src=src, primary_source="B", state_dir=str(tmp_path / "state"))
    book.both("card", "nmc_info", {"snmp_port": ats["snmp_port"]})
    book.both("pdu", "nmc_info", {"snmp_port": pdu["snmp_port"]})
    book.both("ats", "ats_info", {"snmp_port": ats["snmp_port"], "snmp_version": "v2c"})
    book.both("not_ats", "ats_info", {"snmp_port": pdu["snmp_port"]})
    book.both("silent", "ats_info", quick)
    book.both("unknown", "ats_info", {"comunity": "public"})
    book.both("choice", "nmc_info", {"snmp_version": "v9"})
    book.both("range", "ats_wait", {**unit, "until": "ready", "stability_s": 5})
    book.both("no_ssh", "nmc_event_log_info", {"username": "apc", "password": "apc", "transfer_port": closed_port})
    book.both("missing", "ats_firmware", {**unit, "src": "/nowhere/public/apc_hw02_aos_392.bin"})
    book.both("word", "ats_firmware", {**unit, "confirmations": "yes"})
    book.both("package", "firmware_package_info", {"src": src})
    promise = {"what": "will_disconnect_secondary", "unit": f"5A1511T00001@{datetime.now().astimezone():%Y-%m-%d}"}
    planned = {**unit, "ephemeral_state": True, "confirmations": [promise]}
    book.both("plan", "ats_firmware", planned, check_mode=True)
    book.both("wrong", "ats_interlock_info", {**unit, "password": SECRET})
    play = book.run("-vvv")
    for key in {name.rpartition("_")[0] for name in play.results}:
        action, module = play.results[f"{key}_action"], play.results[f"{key}_module"]
        assert comparable(action) == comparable(module), key
        assert action.get("invocation") == module.get("invocation"), key
        task = next(task for task in book.tasks if task["register"] == f"{key}_action")
        name = next(option for option in task if option.startswith("dcops.apc.")).removeprefix("dcops.apc.")
        assert undocumented(name, action) == [], key
        assert "exception" not in action or "Traceback" not in action["exception"], action["exception"]
    kinds = {key: result.get("error", {}).get("kind") for key, result in play.results.items() if "_action" in key}
    assert kinds == {
        "card_action": None,
        "pdu_action": None,
        "ats_action": None,
        "not_ats_action": "not_an_ats",
        "silent_action": "timeout",
        "unknown_action": "unsupported",
        "choice_action": "unsupported",
        "range_action": "unsupported",
        "no_ssh_action": "transfer",
        "missing_action": "package",
        "word_action": "refused",
        "package_action": None,
        "plan_action": None,
        "wrong_action": play.results["wrong_action"]["error"]["kind"],
    }
    assert "unreachable=0" in play.stdout
    # Factory words do not blot out names and paths; the secret is nowhere, in no verbosity.
    assert SECRET not in play.stdout + play.stderr + json.dumps(play.results)
    assert "********" not in json.dumps({key: value for key, value in play.results.items() if "wrong" not in key})
    for path in ("action", "module"):
        assert play.results[f"package_{path}"]["package"]["source"] == src
        assert play.results[f"missing_{path}"]["msg"].startswith("/nowhere/public/apc_hw02_aos_392.bin")
        assert play.results[f"plan_{path}"]["plan"][0]["file"] == "apc_hw02_aos_392.bin"
        assert play.results[f"plan_{path}"]["changed"] is True
        assert play.results[f"plan_{path}"]["simulated"] == 50
        assert play.results[f"plan_{path}"]["interlock"]["permitted"] is False
    # Registered results have no invocation on core 2.19; the verbose output has.
    assert play.stdout.count(f'"password": "{HIDDEN}"') == len([name for name in PASSWORD_TASKS if name in kinds]) * 2
    for name in ("snmp_community", "password"):
        assert f"factory credential in use: {name}" in " ".join(play.results["plan_action"]["warnings"])


def test_the_action_by_itself(book: Book, devices: dict[str, Any], closed_port: int, tmp_path: Path) -> None:
    ats = devices["ap7724"]
    (tmp_path / "files").mkdir()
    package(tmp_path / "files" / "fw")
    (tmp_path / "pw").write_text("vault\n", encoding="utf-8")
    sealed = subprocess.run(
        [str(BIN / "ansible-vault"), "encrypt_string", "--vault-password-file", "pw", "--stdin-name", "sealed"],
        cwd=tmp_path,
        input="public",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (tmp_path / "sealed.yml").write_text(sealed, encoding="utf-8")
    book.keywords = {
        "module_defaults": {"group/dcops.apc.snmp": {"snmp_port": ats["snmp_port"]}},
        "vars_files": ["sealed.yml"],
    }
    unit = account(ats, src="fw", primary_source="B")
    book.action("defaults", "nmc_info")
    book.action("vaulted", "nmc_info", {"snmp_community": "{{ sealed }}"})
    book.action("silent", "ats_info", {"snmp_port": closed_port, "snmp_timeout": 0.1, "snmp_retries": 0})
    book.action("later", "ats_info", {}, **{"async": 30, "poll": 1})
    book.action("short", "ats_firmware", unit, timeout=30)
    book.action("read_short", "ats_info", {}, timeout=30)
    book.action("delegated", "nmc_info", {}, delegate_to="elsewhere.invalid")
    book.action("relative", "firmware_package_info", {"src": "fw"})
    book.action("loop", "nmc_info", {"host": "{{ item }}"}, loop=["127.0.0.1", "127.0.0.2.invalid"])
    del unit["password"]
    book.action("variable", "ats_firmware", unit, check_mode=True)
    book.action("quiet", "ats_firmware", {**unit, "change_reference": "hush"}, check_mode=True, no_log=True)
    play = book.run("--vault-password-file", "pw", "-vvv", APC_PASSWORD="apc", APC_STATE_DIR=str(tmp_path / "kept"))
    results = play.results
    assert results["defaults"]["nmc"]["model"] == "AP7724"
    assert results["vaulted"]["nmc"]["model"] == "AP7724"
    assert results["silent"]["failed"] and not results["silent"].get("unreachable")
    assert results["silent"]["error"]["kind"] == "timeout" and "127.0.0.1" in results["silent"]["msg"]
    assert "async is not supported" in results["later"]["msg"]
    assert "keyword timeout is not supported" in results["short"]["msg"]
    assert results["short"]["state"] == "nothing_sent_unsure"
    assert "failed" not in results["read_short"] or not results["read_short"]["failed"]
    # Where a task is delegated to has no part in it: the device is the play's host.
    assert results["delegated"]["nmc"]["model"] == "AP7724"
    assert results["relative"]["package"]["source"] == str(tmp_path / "files" / "fw")
    assert [item["failed"] for item in results["loop"]["results"]] == [False, True]
    assert results["variable"]["plan"], results["variable"]
    assert f'"state_dir": "{tmp_path / "kept"}"' in play.stdout
    # Check mode leaves nothing behind.
    assert not (tmp_path / "kept").exists()
    assert "unreachable=0" in play.stdout
    # Live progress: of the task that may be heard, and not of the one that must not.
    lines = [line for line in play.stderr.splitlines() if "measuring" in line or "to be sent" in line]
    assert lines and all("SIMULATED" in line for line in lines)
    assert len([line for line in lines if "to be sent" in line]) == 1
    assert "hush" not in play.stdout


def test_the_address_is_the_inventory_name_when_there_is_no_other(book: Book, closed_port: int) -> None:
    book.host = {}
    book.action("named", "nmc_info", {"snmp_port": closed_port, "snmp_timeout": 0.1, "snmp_retries": 0})
    play = book.run("-vvv")
    assert '"host": "ats-01"' in play.stdout
    assert "ats-01" in play.results["named"]["msg"] or play.results["named"]["error"]["kind"] == "timeout"


def test_documentation_renders() -> None:
    names = [path.stem for path in (HERE.parents[1] / "plugins" / "modules").glob("*.py")]
    command = [str(BIN / "ansible-doc"), "-j", *(f"dcops.apc.{name}" for name in names)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    docs = json.loads(shown.stdout)
    assert set(docs) == {f"dcops.apc.{name}" for name in names}
    for name, found in docs.items():
        assert found["doc"]["options"] and found["return"] and found["examples"], name
        assert found["doc"]["has_action"] is True, name
