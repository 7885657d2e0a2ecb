# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile reader of the UPS update found or tried: devices that lie, slow disks, words that move hands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from disk import Disk
from virtual_ups import AtRecord, Killed, UpsBench, VirtualSnmp, Writer, newest, update_file

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._files import opened
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups import job as ups_job
from ansible_collections.dcops.apc.plugins.module_utils._runs import ups_firmware
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from apcsim.knobs import Knobs
from apcsim.ups_files import build_ups_file
from apcsim.virtual import virtual_open_ftp


# --- an old result --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("old", [4, 5])
@pytest.mark.parametrize("silent_s", [3.0, 4.0, 5.0, 6.0, 8.0])
def test_an_old_result_is_cleared_also_when_the_card_was_just_silent(old: int, silent_s: float, tmp_path: Path) -> None:
    """Else it would be read as the end of the update that has not even begun."""
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_answer="late", ups_update_answer_s=10.0))
    bench.ups.update.shown = old
    bench.device.changed()
    bench.on_line("file to the card: 100 %", lambda: bench.device.fault("no_answer", for_s=silent_s))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off", report.get("error")
    assert bench.sets() == [1, 2]


def test_a_result_that_comes_back_after_it_was_cleared(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.ups.update.shown = 5
    bench.device.changed()

    def again() -> None:
        bench.ups.update.shown = 5
        bench.device.changed()

    bench.later(70.0, again)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "file_not_started" and bench.starts == [], report


# --- the last moment ------------------------------------------------------------------------------------------------
def test_a_slow_disk_makes_no_stale_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)

    def slow() -> None:
        bench.device.patch({"ups": {"input_voltage_v": 0}})
        bench.clock.sleep(20.0)

    AtRecord(monkeypatch, "update_start", slow)
    report = bench.run(update_file(bench.device, "9.3"))
    assert bench.starts == [] and bench.unharmed()
    assert report["error"]["kind"] == "refused" and report["state"] == "file_not_started"
    # It was written down as about to start, and then as not asked for: the next run has nothing to watch.
    assert bench.kinds()[-3:] == ["update_start", "update_end", "end"] or "update_end" in bench.kinds()
    bench.device.patch({"ups": {"input_voltage_v": 120}})
    bench.clock.sleep(900.0)
    again = bench.run(update_file(bench.device, "9.3"))
    assert again["resumed"] is None and again["state"] == "updated_output_off"


def test_somebody_logged_in_at_the_start(tmp_path: Path) -> None:
    """The card drops the SET silently; nothing is asked twice, and the next run begins anew."""
    bench = UpsBench(state_dir=tmp_path)
    held: list[Any] = []
    # A login of somebody else, a moment before the SET: the log cannot be read again without logging in.
    bench.on_start.append(lambda start: held.append(bench.device.login("device", "apc")) if not held else None)
    bench.device.accounts["device"] = "apc"
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "start_not_seen" and len(bench.starts) == 1
    held[0].close()
    again = bench.run(update_file(bench.device, "9.3"))
    assert again["state"] == "updated_output_off" and [start["phase"] for start in bench.starts] == ["", ""]


# --- after the end --------------------------------------------------------------------------------------------------
def test_a_lost_answer_after_the_proof_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    AtRecord(monkeypatch, "end", lambda: bench.device.fault("no_answer"))
    report = bench.run(update_file(bench.device, "9.3"))
    assert "error" not in report and report["state"] == "updated_output_off"
    assert report["ups"]["firmware"]["version"] == "09.3" and report["nmc"]
    assert any("last reading" in note for note in report["notes"])


def test_ctrl_c_after_the_proof_does_not_unsay_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)

    def interrupt() -> None:
        raise Interrupted("signal SIGINT")

    AtRecord(monkeypatch, "end", interrupt)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "state" and report["state"] == "updated_output_off"


def test_the_new_firmware_shows_two_minutes_late(tmp_path: Path) -> None:
    knobs = Knobs(ups_firmware_lag_s=120.0, ups_comm_in_update="kept")
    bench = UpsBench(state_dir=tmp_path, knobs=knobs)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off", report.get("error")


def test_new_firmware_without_communication_is_not_updated(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.fault("communication_lost", on="update_end")
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "comm_lost" and report["changed"] and "diff" not in report
    bench.device.clear_faults()
    again = bench.run(update_file(bench.device, "9.3"))
    assert again["resumed"] and again["state"] == "updated_output_off" and len(bench.starts) == 1


def test_the_log_that_says_failed_is_believed(tmp_path: Path) -> None:
    """The card says successful and the new version is shown; the log says failed: not proved."""
    bench = UpsBench(state_dir=tmp_path)
    bench.device.fault("no_answer", on="update_end", for_s=1.0)
    bench.on_line("the update has ended", lambda: bench.device.log("ups_transfer_failed"))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "unproved" and "0178" in report["error"]["message"]


# --- resumption -----------------------------------------------------------------------------------------------------
def killed_at(bench: UpsBench, kind: str, file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        AtRecord(patched, kind, kill)
        with pytest.raises(Killed):
            bench.run(file)
    bench.device.sessions.card_down()


def test_resumed_for_a_version_beyond_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Nothing is left to do" would be wrong: another version is wanted now."""
    bench = UpsBench(state_dir=tmp_path)
    killed_at(bench, "update_seen", update_file(bench.device, "9.3"), monkeypatch)
    report = bench.run(update_file(bench.device, "9.4"), wanted=Version.parse("9.4"))
    assert report["state"] == "updated_output_off" and newest(bench.device) == (9, 4)
    assert [start["phase"] for start in bench.starts] == ["", ""] and report["changed"]


def test_resumed_for_a_version_beyond_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    killed_at(bench, "update_seen", update_file(bench.device, "9.3"), monkeypatch)
    report = bench.run(None, wanted=Version.parse("9.4"))
    assert report["error"]["kind"] == "package" and report["changed"] and newest(bench.device) == (9, 3)


@pytest.mark.parametrize("jump_s", [-86400.0, 7200.0])
def test_our_clock_jumped_and_the_set_was_never_taken(
    jump_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without two clocks that agree no restart is excluded: that costs the whole time of an update, and no more."""
    bench = UpsBench(state_dir=tmp_path)
    killed_at(bench, "update_start", update_file(bench.device, "9.3"), monkeypatch)
    real = bench.clock.wall
    monkeypatch.setattr(bench.clock, "wall", lambda: real() + timedelta(seconds=jump_s))
    before = bench.clock.now()
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updated_output_off" and bench.clock.now() - before > 3600.0
    assert [start["phase"] for start in bench.starts] == [""]


def test_a_set_that_was_never_taken_costs_two_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    killed_at(bench, "update_start", update_file(bench.device, "9.3"), monkeypatch)
    before = bench.clock.now()
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"
    assert bench.clock.now() - before < 1000.0


def test_short_limits_shorten_no_watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options may raise a bound, never lower it (SAFETY 1.4): 30 s of "none" is what a late start looks like."""
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(ups_update_answer="late", ups_update_answer_s=140.0))
    report = bench.run(update_file(bench.device, "9.3"), start_timeout_s=30.0)
    assert report["state"] == "start_not_seen"
    again = bench.run(update_file(bench.device, "9.3"), start_timeout_s=30.0)
    assert again["state"] == "updated_output_off" and [start["phase"] for start in bench.starts] == [""]


def test_a_disk_that_was_full_for_a_moment_opens_no_start(tmp_path: Path) -> None:
    """Nothing was sent, and the record that the disk did not take left not a byte: nothing is there to be watched."""
    bench = UpsBench(state_dir=tmp_path)
    with Disk(tmp_path, bench.clock.now, bench.clock.sleep) as disk:

        def full() -> None:
            disk.full(bench.clock.now())
            bench.device.patch({"ups": {"self_test": True}})

        bench.on_line("measuring", full)
        bench.on_line("ended:", disk.heals)
        report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "nothing_sent" and disk.failed and bench.kinds()[-1] == "end", report
    bench.device.patch({"ups": {"self_test": False}})
    bench.clock.sleep(600.0)
    before = bench.clock.now()
    again = bench.run(update_file(bench.device, "9.3"))
    assert again["state"] == "updated_output_off" and again["resumed"] is None, again.get("error")
    assert bench.clock.now() - before < 1500.0


@pytest.mark.parametrize("closes", [5, True, {"a": 1}, "abc", None, [[]], [None]])
@pytest.mark.parametrize("check", [True, False])
def test_an_end_of_another_kind_ends_nothing(
    closes: Any, check: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the UPS writes: that nothing was sent would be the word to go and touch it."""
    bench = UpsBench(state_dir=tmp_path)
    killed_at(bench, "update_seen", update_file(bench.device, "9.3"), monkeypatch)
    assert bench.ups.update.phase
    (path,) = tmp_path.rglob("*.jsonl")
    with path.open("a") as file:
        file.write(json.dumps({"kind": "update_end", "n": 999, "closes": closes}) + "\n")
    report = bench.run(update_file(bench.device, "9.3"), check=check)
    if check:
        assert report["state"] == "updating" and bench.ups.update.phase, report
    else:
        assert report["state"] == "updated_output_off" and report["resumed"], report
    assert len(bench.starts) == 1 and bench.unharmed()


# --- the orphan -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("when", "state"), [("measuring", "nothing_sent"), ("updating for", "updated_output_off")])
def test_a_worker_without_its_parent(when: str, state: str, tmp_path: Path) -> None:
    """Before the start it ends; after it nothing is safer than to follow on."""
    bench = UpsBench(state_dir=tmp_path)
    make = bench.make

    def orphaned(*given: Any) -> Any:
        unit, client = make(*given)
        gone: list[bool] = []
        unit._orphaned = lambda: bool(gone)
        bench.on_line(when, lambda: gone.append(True))
        return unit, client

    bench.make = orphaned  # type: ignore[method-assign]
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == state, report


# --- texts ----------------------------------------------------------------------------------------------------------
EVIL = "<script>{{ lookup('pipe','id') }}</script>\x1b[2J\r\nWHAT TO DO NOW: turn it on\x00"
CONTROL = {chr(number) for number in (*range(32), *range(127, 160))}


@pytest.mark.parametrize("where", ["name", "model", "sku", "firmware", "ups_serial", "ups_hardware"])
def test_a_hostile_text_moves_nothing(where: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    if where == "name":
        bench.device.patch({"name": EVIL})
    elif where in ("model", "sku", "firmware"):
        bench.device.patch({"ups": {where: EVIL}})
    else:
        bench.device.fault("override", values={where: EVIL})
    report = bench.run(update_file(bench.device, "9.3", id=18), wanted=Version.parse("9.3"))
    told = [*bench.lines.lines, json.dumps(report, default=str), str(report.get("error"))]
    assert not any(CONTROL & set(line) for line in told[:-1])
    assert not any(line.startswith("WHAT TO DO NOW: turn it on") for line in bench.lines.lines)
    assert bench.starts == [] or report["state"] == "updated_output_off"
    assert all(len(line) < 4000 for line in bench.lines.lines)
    bench.evidence()


def test_a_flood_of_events_does_not_flood_the_result(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(log_rows=4000))

    def flood() -> None:
        for _number in range(3500):
            bench.device.log("ups_transfer_failed")

    bench.on_line("updating for", flood)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "unproved" and len(report["events"]) == 100
    assert len(report["error"]["message"]) < 1000


def test_a_name_that_speaks_like_the_log_is_no_event(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.patch({"name": "Device UPS: Firmware transfer to UPS failed"})
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"


# --- the whole module -----------------------------------------------------------------------------------------------
PARAMS: dict[str, Any] = {name: spec.get("default") for name, spec in ups_firmware.ARGUMENT_SPEC.items()}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The module's run against a bench: everything but the sockets."""

    def run(bench: UpsBench, check: bool = False, **params: Any) -> dict[str, Any]:
        def client(*_given: Any) -> VirtualSnmp:
            return VirtualSnmp(
                bench.clock, bench.device, timeout_s=1.0, retries=2, error_factory=TransportError, too_big=TooBig
            )

        opener = virtual_open_ftp(bench.clock, bench.device, error_factory=TransportError)
        monkeypatch.setattr(ups_firmware, "resolve_and_pin", lambda host: bench.address)
        monkeypatch.setattr(ups_firmware, "DeviceClock", lambda: bench.clock)
        monkeypatch.setattr(ups_firmware, "open_snmp", client)
        monkeypatch.setattr(ups_firmware, "open_snmp_writer", lambda options, community: Writer(client()))
        monkeypatch.setattr(ups_firmware, "CardLogins", lambda *_given: lambda idle: opener(idle=idle))
        given = {"host": "ups-01", "username": "apc", "password": "apc", "snmp_write_community": "private"}
        given |= {"state_dir": str(tmp_path / "state"), "ephemeral_state": True, "confirmation_timezone": "UTC"}
        return _module.run_named("ups_firmware", {**PARAMS, **given, **params}, check, bench.lines)

    return run


def stored(tmp_path: Path, version: str = "09-3") -> str:
    path = tmp_path / f"SMT18UPS_{version}.enc"
    path.write_bytes(build_ups_file("SMT", 18, version.replace("-", ".")))
    return str(path)


def test_the_module_from_end_to_end(module: Any, tmp_path: Path) -> None:
    bench = UpsBench()
    shown = module(bench, check=True)
    assert not shown.get("failed") and shown["state"] == "gap" and any("no file" in text for text in shown["warnings"])
    assert bench.untouched() and not (tmp_path / "state").exists()
    result = module(bench, src=stored(tmp_path))
    assert result["state"] == "updated_output_off" and result["changed"], result
    assert result["diff"] == {"before": "UPS 09.1 (ID18)\n", "after": "UPS 09.3 (ID18)\n"}
    assert [step["text"].split()[0] for step in result["steps"]][-1] == "end"
    assert json.loads(json.dumps(result)) == result


def test_a_fault_of_our_own_in_mid_update_says_that_it_may_be_writing(module: Any, tmp_path: Path) -> None:
    """ "Nothing was sent" is the word of a result without a state."""
    bench = UpsBench()

    def fail() -> None:
        raise RuntimeError("a fault of our own")

    bench.on_line("updating for", fail)
    result = module(bench, src=stored(tmp_path))
    assert result["failed"] and result["error"]["kind"] == "internal" and result["state"] == "updating"
    assert "Do not turn the UPS" in result["next_action"] and "RuntimeError" in result["exception"]


def test_a_fault_in_telling_the_end_is_not_nothing_sent(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that cannot be read: the UPS may be writing at this moment."""

    def broken(*_given: Any) -> Any:
        raise TypeError("'int' object is not iterable")

    monkeypatch.setattr(ups_job, "open_start", broken)
    bench = UpsBench()
    result = module(bench, src=stored(tmp_path))
    assert result["error"]["kind"] == "internal" and result["state"] == "updating" and bench.starts == []
    assert "Do not turn the UPS" in result["next_action"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"src": "/nowhere/SMT18UPS_09-3.enc"}, "cannot be read"),
        ({"src": "/etc/passwd"}, "is not the name of a UPS firmware file"),
        ({"checksum": "12"}, "SHA-256"),
        ({"version": "new"}, "version must be like"),
        ({"snmp_write_community": None}, "snmp_write_community is needed"),
        ({"confirmations": ["output_may_go_off"]}, "names no unit"),
        ({"update_timeout_s": float("nan")}, "update_timeout_s must be"),
        ({"stability_s": 5.0}, "stability_s must be"),
    ],
)
def test_options_are_refused_before_anything(params: dict[str, Any], words: str, module: Any) -> None:
    bench = UpsBench()
    result = module(bench, **params)
    assert result["failed"] and words in result["msg"] and result["state"] == "nothing_sent"
    assert bench.untouched() and bench.truth()["logins"] == []


def test_lines_are_not_repeated_without_end(tmp_path: Path) -> None:
    """An hour of an update that stalls is a few lines, told by key, not thousands of different ones."""
    bench = UpsBench(state_dir=tmp_path)
    bench.device.fault("update_stalls")
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "updating"
    assert sum(1 for _line in itertools.chain(bench.evidence())) < 60


# --- another hand between our file and our start --------------------------------------------------------------------
def by_another(bench: UpsBench, version: str | None = None) -> None:
    """The card keeps the last file only: whoever sends one now decides what our start would flash."""
    session = bench.device.login("device", "apc", "192.0.2.77")
    if version is not None:
        file, content = update_file(bench.device, version)
        upload = session.store(f"upsfw/{file.name}")
        upload.write(content)
        upload.finish()
    session.close()


@pytest.mark.parametrize("version", ["9.0", "9.3", None])
def test_somebody_elses_file_or_login_stops_the_start(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = UpsBench(state_dir=tmp_path)
    AtRecord(monkeypatch, "file_end", lambda: bench.later(1.5, lambda: by_another(bench, version)))
    report = bench.run(update_file(bench.device, "9.3"))
    assert bench.starts == [] and bench.unharmed() and newest(bench.device) == (9, 1)
    assert report["error"]["kind"] == "refused" and report["state"] == "file_not_started", report
    assert "somebody else" in report["error"]["message"]
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"


def test_a_web_login_between_file_and_start_stops_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    AtRecord(monkeypatch, "file_end", lambda: bench.device.fault("web_login", after_s=1.0))
    report = bench.run(update_file(bench.device, "9.3"))
    assert bench.starts == [] and "somebody else logged in" in report["error"]["message"]


@pytest.mark.parametrize("layout", ["bare", "labelled", "joined"])
def test_our_own_login_and_file_are_nobody_elses(layout: str, tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(event_layout=layout))
    bench.device.fault("session_busy", for_s=20.0)
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "updated_output_off"


def test_a_log_that_cannot_be_compared_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose file lies on the card is then not known: in doubt, refuse."""
    bench = UpsBench(state_dir=tmp_path)
    AtRecord(monkeypatch, "file_end", lambda: bench.device.fault("log_cleared"))
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["state"] == "file_not_started" and "log_not_compared" in bench.kinds()
    assert report["error"]["kind"] == "refused" and "event log" in report["error"]["message"]
    assert bench.truth()["writes"] == []


def test_evidence_that_cannot_be_read_is_no_proof_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.patch({"ups": {"output_on": True}})
    assert bench.run(update_file(bench.device, "9.3"))["state"] == "nothing_sent"

    def unreadable(path: Path, *_arguments: Any, **_more: Any) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(opened, "regular", unreadable)
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "state" and "cannot be read" in report["error"]["message"]
    assert report["state"] == "updating" and "Do not turn the UPS" in report["next_action"]


def test_an_output_that_is_off_may_come_on_and_that_is_said_before(tmp_path: Path) -> None:
    """People work behind an output that is off; whether an update turns it on is not published."""
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(output_after_update="returns"))
    said: list[bool] = []
    bench.on_line("its output may come on by itself", lambda: said.append(bench.ups.output_on))
    bench.run(update_file(bench.device, "9.3"))
    assert said == [False]
