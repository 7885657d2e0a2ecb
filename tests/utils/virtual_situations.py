# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lawful starting situation of every method, and what the tests ask of a run and of the simulator's truth."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from virtual_unit import Bench, Device, make_package

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Options
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from apcsim.firmware import build_module, module_name
from apcsim.knobs import Knobs

TASKS = {
    "readiness": job.do_ready,
    "isolate": job.do_isolate,
    "backup": job.do_backup,
    "upgrade": job.do_upgrade,
    "verify": job.do_verify,
    "restore": job.do_restore,
}


@cache
def package(aos: str = "392", app: str = "g2ats:392", hardware: str = "hw02", **more: Any) -> Any:
    """The same files for every test: writing them anew would cost more than a run."""
    return make_package(Path(tempfile.mkdtemp(prefix="apc-package-")), aos=aos, app=app, hardware=hardware, **more)


def exact(bench: Bench, ago_s: float = 60.0) -> str:
    """A time stamp of the kind that app_only and recovery ask for."""
    moment = bench.clock.wall().timestamp() - ago_s
    return f"{bench.clock.wall().fromtimestamp(moment, bench.clock.wall().tzinfo):%Y-%m-%dT%H:%M}+00:00"


def install(bench: Bench, kind: str, version: str, controller: str = "") -> None:
    """A file that somebody else sent, some time before: not through the code under test."""
    session = bench.device.login("apc", "apc")
    name = module_name("hw02", kind, version)
    upload = session.store(name)
    upload.write(build_module("hw02", kind, version, controller))
    upload.finish()


@dataclass
class Situation:
    """A bench on which the method's upgrade would be permitted, were nothing changed."""

    bench: Bench
    options: Options
    before_bytes: int = 0
    before_files: int = 0

    @property
    def device(self) -> Device:
        return self.bench.device

    def run(self, task: str = "upgrade", **changes: Any) -> dict[str, Any]:
        return self.bench.run(TASKS[task], replace(self.options, **changes))

    def received_nothing(self) -> bool:
        truth = self.device.truth()
        return (
            truth["bytes_received"] == self.before_bytes
            and len(truth["files_received"]) == self.before_files
            and len(truth["transfers"]) == self.before_files
            and not truth["writes"]
        )


def must_end(bench: Bench, within_s: float = 6 * 3600.0) -> None:
    """A run that never ends would otherwise hang the tests: virtual time passes, real time does not."""
    limit = bench.clock.now() + within_s

    def look(now: float) -> None:
        assert now < limit, f"the run did not end within {within_s:.0f} device seconds"

    bench.clock.on_sleep.append(look)


def situation(method: Method, state_dir: Path | None, knobs: Knobs | None = None, **device: Any) -> Situation:
    made = _MADE[method](state_dir, knobs, device)
    must_end(made.bench, 3 * 86400.0)
    truth = made.device.truth()
    made.before_bytes, made.before_files = truth["bytes_received"], len(truth["files_received"])
    return made


def _bench(name: str, state_dir: Path | None, knobs: Knobs | None, device: dict[str, Any]) -> Bench:
    ftp_device = device.pop("ftp_device", None)
    chosen = device.pop("package", None) or package()
    return Bench(Device.load(device.pop("name_of_file", name), knobs, **device), chosen, state_dir, ftp_device)


def _single_source(state_dir: Path | None, knobs: Knobs | None, device: dict[str, Any]) -> Situation:
    bench = _bench("ap7724", state_dir, knobs, device)
    bench.clock.sleep(10.0)
    bench.device.patch({"inputs": {"A": {"plugged": False}}})
    bench.clock.sleep(60.0)
    return Situation(bench, bench.options(action_timeout_s=90.0))


def _no_load(state_dir: Path | None, knobs: Knobs | None, device: dict[str, Any]) -> Situation:
    bench = _bench("ap7724", state_dir, knobs, device)
    bench.device.patch({"load_current_a": 0})
    bench.clock.sleep(60.0)
    options = bench.options(
        method=Method.NO_LOAD, primary=None, confirmations=bench.confirm("no_load"), action_timeout_s=90.0
    )
    return Situation(bench, options)


def _app_only(state_dir: Path | None, knobs: Knobs | None, device: dict[str, Any]) -> Situation:
    """Loaded and isolated; the new AOS was sent by somebody, and the old app does not run on it."""
    bench = _bench("ap7724", state_dir, (knobs or Knobs()).but(old_app_runs_on_new_aos=False), device)
    bench.device.patch({"inputs": {"A": {"plugged": False}}})
    bench.clock.sleep(60.0)
    install(bench, "aos", "392")
    bench.clock.sleep(600.0)
    confirmed = bench.confirm("secondary_disconnected", stamp=exact(bench))
    return Situation(bench, bench.options(method=Method.APP_ONLY, confirmations=confirmed, action_timeout_s=90.0))


def _recovery(state_dir: Path | None, knobs: Knobs | None, device: dict[str, Any]) -> Situation:
    """The unit of BULLETINS.md: its controller never booted; load off, both inputs out, a rest, one in."""
    bench = _bench("ap7723", state_dir, knobs or Knobs(ats_when_lost="minus_one"), device)
    bench.device.patch({"inputs": {"A": {"plugged": False}, "B": {"plugged": False}}})
    bench.clock.sleep(360.0)
    bench.device.patch({"inputs": {"A": {"plugged": True}}})
    bench.clock.sleep(400.0)
    confirmed = bench.confirm("no_load", "power_cycled", "one_input", stamp=exact(bench))
    options = bench.options(method=Method.RECOVERY, primary=Source.A, confirmations=confirmed, action_timeout_s=90.0)
    return Situation(bench, options)


_MADE = {
    Method.SINGLE_SOURCE: _single_source,
    Method.NO_LOAD: _no_load,
    Method.APP_ONLY: _app_only,
    Method.RECOVERY: _recovery,
}


def failing(report: dict[str, Any]) -> set[str]:
    return {check["id"] for check in report.get("interlock", {}).get("checks", []) if not check["ok"]}


def names(report: dict[str, Any], check: str) -> bool:
    """Does the refusal name this check, in its message or in its verdict?"""
    error = report.get("error") or {}
    return check in str(error.get("message", "")) or check in failing(report)


class Witness:
    """Holds every line against the simulator's truth at the moment it is said."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.wrong: list[str] = []
        self.heard: list[str] = []
        bench.lines.listeners.append(self.hear)

    def hear(self, text: str) -> None:
        device = self.bench.device
        for side in re.findall(r"you may disconnect source ([AB]) now", text):
            self.heard.append(f"disconnect {side}")
            if not device.oracle_unplug_ok(side):
                self.wrong.append(text)
        for side in re.findall(r"(?i)you may (?:now )?reconnect source ([AB])", text):
            self.heard.append(f"reconnect {side}")
            if not device.oracle_plug_ok(side):
                self.wrong.append(text)
        for side in re.findall(r"source ([AB]) reads dead\. PULL ITS PLUG NOW", text):
            if not device.oracle_unplug_ok(side):
                self.wrong.append(text)
        for side in re.findall(r"(?i)source ([AB]) is dead: if you pulled it, put it back", text):
            self.heard.append(f"put back {side}")
            if not device.oracle_plug_ok(side):
                self.wrong.append(text)
        if re.search(r"(?i)you may connect the loads", text):
            self.heard.append("connect loads")
            if not device.oracle_connect_load_ok():
                self.wrong.append(text)


def on_line(bench: Bench, part: str, act: Callable[[], None]) -> None:
    """Once, when a line with this text is said."""
    done: list[bool] = []

    def hear(text: str) -> None:
        if part in text and not done:
            done.append(True)
            act()

    bench.lines.listeners.append(hear)


def healthy(state_dir: Path, knobs: Knobs | None = None) -> tuple[Bench, Witness]:
    """Loaded, both inputs in, and nothing has happened for a while."""
    bench = Bench(Device.load("ap7724", knobs), package(), state_dir)
    must_end(bench, 2 * 86400.0)
    bench.device.patch({"load_current_a": 8.8})
    bench.clock.sleep(1000.0)
    return bench, Witness(bench)


def moments(bench: Bench, part: str) -> list[float]:
    """When a line with this text is said; grows while the bench runs."""
    when: list[float] = []
    bench.lines.listeners.append(lambda text: when.append(bench.clock.now()) if part in text else None)
    return when


def in_a_while(bench: Bench, seconds: float, act: Callable[[], None]) -> None:
    """Once, in whatever the run does then."""
    due = bench.clock.now() + seconds

    def look(now: float) -> None:
        if now >= due:
            bench.clock.on_sleep.remove(look)
            act()

    bench.clock.on_sleep.append(look)


def in_every_unit(bench: Bench, change: Callable[[Unit], None]) -> None:
    """Changes what a run works with, before it begins."""
    real = bench.make

    def make(options: Options | None = None, peers: Iterable[Device] = ()) -> Unit:
        unit = real(options, peers)
        change(unit)
        return unit

    bench.make = make  # type: ignore[method-assign]
