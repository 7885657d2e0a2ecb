# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hostile reviews once proved wrong, by experiments on the simulated device: none of it ever comes back."""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, exact, failing, install, must_end, names, on_line, package, situation
from virtual_unit import Bench, Device, job

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import VOID
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import parse_description
from ansible_collections.dcops.apc.plugins.module_utils._procedure import evidence, state
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import closing
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.keeper import opened
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.reading import reader
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence, history
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError
from apcsim import virtual
from apcsim.knobs import Knobs
from apcsim.virtual import VirtualSnmp

APP = "apc_hw02_g2ats_392.bin"
AOS = "apc_hw02_aos_392.bin"
BLIND = Knobs(old_app_runs_on_new_aos=False)
MAY = re.compile(r"(?i)you may (?:now )?(?:re)?connect")


def start(
    tmp_path: Path, method: Method = Method.SINGLE_SOURCE, knobs: Knobs | None = None, **device: Any
) -> tuple[Situation, Witness]:
    case = situation(method, tmp_path, knobs, **device)
    must_end(case.bench)
    return case, Witness(case.bench)


def begin(tmp_path: Path, knobs: Knobs | None = None, **device: Any) -> tuple[Situation, Witness]:
    """Both inputs live, as on the morning of the day."""
    case, witness = start(tmp_path, knobs=knobs, **device)
    plug(case, "A", True)
    case.bench.clock.sleep(60.0)
    return case, witness


def upgraded(tmp_path: Path, knobs: Knobs | None = None, **device: Any) -> tuple[Situation, Witness]:
    case, witness = start(tmp_path, knobs=knobs, **device)
    for task in ("backup", "upgrade"):
        report = case.run(task)
        assert "error" not in report, report["error"]
    case.bench.clock.sleep(900.0)
    witness.heard.clear()
    return case, witness


def plug(case: Situation, side: str, inside: bool) -> None:
    case.device.patch({"inputs": {side: {"plugged": inside}}})


def transferred(case: Situation) -> list[str]:
    return [entry["name"] for entry in case.device.truth()["transfers"]]


def complete(case: Situation, name: str) -> bool:
    return any(file["name"] == name and file["complete"] for file in case.device.truth()["files_received"])


def harmed(case: Situation) -> bool:
    truth = case.device.truth()
    return bool(truth["load_dropped"] or truth["damaged"])


def allowed(case: Situation) -> list[str]:
    return [line for line in case.bench.lines.lines if MAY.search(line)]


def said(case: Situation) -> list[tuple[float, str]]:
    """Every line with its device second, from now on."""
    lines: list[tuple[float, str]] = []
    case.bench.lines.listeners.append(lambda text: lines.append((case.bench.clock.now(), text)))
    return lines


def records(case: Situation) -> list[dict[str, Any]]:
    assert case.bench.unit is not None and case.bench.store is not None
    return history(case.bench.store.folder("evidence", False), case.bench.unit.keys())


def rewire(bench: Bench, change: Callable[[Unit], None]) -> None:
    """Every unit that the bench makes from now on is changed before it runs."""
    make = bench.make

    def changed(*given: Any, **more: Any) -> Unit:
        unit = make(*given, **more)
        change(unit)
        return unit

    bench.make = changed  # type: ignore[method-assign]


def reread(bench: Bench, twist: Callable[[Sample], Sample]) -> None:
    """What the unit answers reaches the procedure changed."""

    def change(unit: Unit) -> None:
        read = unit.observer._read

        def reading() -> Sample:
            sample = read()
            return twist(sample) if sample.answered else sample

        unit.observer._read = reading

    rewire(bench, change)


def by_steps(case: Situation, *tasks: str, **changes: Any) -> None:
    for task in tasks or ("readiness", "isolate", "backup", "upgrade", "verify", "restore"):
        report = case.run(task, **changes)
        assert "error" not in report, (task, report["error"])
    assert not harmed(case)


# --- the blind window ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("back_for_s", [None, 4.0])
@pytest.mark.parametrize("at_byte", [20000, 38000])
def test_what_contradicted_during_the_aos_is_not_carried_over(
    at_byte: int, back_for_s: float | None, tmp_path: Path
) -> None:
    case, witness = start(tmp_path, knobs=BLIND)
    case.device.fault("source_returns", input="A", at_byte=at_byte, module="aos")
    if back_for_s is not None:
        case.device.fault("source_fails", input="A", at_byte=at_byte, module="aos", after_s=back_for_s)
    report = case.run()
    assert "error" in report and report["state"] in ("aos_new_no_app", "aos_sent_unsure")
    assert complete(case, AOS) and APP not in transferred(case)
    assert witness.heard == [] and not allowed(case)
    case.bench.clock.sleep(300.0)
    assert not harmed(case)


@pytest.mark.parametrize("shown", ["secondary live", "as before"])
def test_one_answer_of_the_app_ends_the_blindness_for_good(shown: str, tmp_path: Path) -> None:
    """It comes during the login for the app, after the last look and before the first byte."""
    case, _witness = start(tmp_path, knobs=BLIND)
    state: dict[str, Any] = {"logins": 0, "due": False, "answered_s": None}

    def change(unit: Unit) -> None:
        read, opener = unit.observer._read, unit.session.open_login

        def reading() -> Sample:
            sample = read()
            if sample.app_answers:
                state["ghost"] = sample.ats
            elif state["due"] and sample.answered:
                state["due"], state["answered_s"] = False, sample.at_s
                ats = state["ghost"]
                return replace(sample, ats=replace(ats, input_a=ats.input_b) if shown == "secondary live" else ats)
            return sample

        def login(idle: Callable[[], None]) -> Any:
            opened = opener(idle)
            state["logins"] += unit.sent.counts("aos")
            if state["logins"] == 2:
                state["due"] = True
                for _unused in range(12):
                    case.bench.clock.sleep(0.5)
                    idle()
            return opened

        unit.observer._read, unit.session.open_login = reading, login

    rewire(case.bench, change)
    report = case.run()
    assert state["answered_s"] is not None, "the app never answered: nothing was tested"
    assert "error" in report and APP not in transferred(case) and not harmed(case)


# --- recovery and app_only ----------------------------------------------------------------------------------


@pytest.mark.parametrize("revives", [False, True])
@pytest.mark.parametrize("what", ["app cut", "a load appears", "both inputs in", "time out"])
def test_recovery_never_lets_anybody_connect_anything(what: str, revives: bool, tmp_path: Path) -> None:
    """Whether the restart with the new AOS revives the controller or not."""
    knobs = Knobs(ats_when_lost="minus_one", controller_recoverable=revives)
    case, witness = start(tmp_path, Method.RECOVERY, knobs, package=package("393", "g2ats:393"))

    def meanwhile() -> None:
        if what == "app cut":
            case.device.fault("transfer_cut", at_byte=1000, module="app")
        elif what == "a load appears":
            case.device.patch({"load_current_a": 4.0})
        elif what == "both inputs in":
            plug(case, "B", True)

    on_line(case.bench, "sending apc_hw02_aos_393.bin", meanwhile)
    more = {"controller_timeout_s": 260.0} if what == "time out" else {}
    report = case.run(**more)
    assert "error" in report and complete(case, "apc_hw02_aos_393.bin"), report.get("error")
    assert revives or not case.device.truth()["controller"]["alive"]
    assert witness.heard == [] and not allowed(case) and not MAY.search(report["next_action"])
    assert "power-cycle" not in report["next_action"] or "do not" in report["next_action"].lower()


def test_app_only_with_the_loads_off_speaks_of_loads(tmp_path: Path) -> None:
    """Both inputs live, a word for no_load: nothing was disconnected but the loads."""
    case, witness = start(tmp_path, Method.NO_LOAD, BLIND)
    case.device.fault("transfer_cut", at_byte=1000, module="app")
    assert case.run()["state"] in ("aos_new_no_app", "aos_sent_unsure")
    case.device.clear_faults()
    case.bench.clock.sleep(400.0)
    given = case.bench.confirm("no_load", stamp=exact(case.bench))
    for primary in (Source.B, None):
        case.options = replace(case.options, method=Method.APP_ONLY, primary=primary, confirmations=given)
        if primary is Source.B:
            report = case.run()
            assert "error" not in report, report["error"]
            assert "Connect no load" in report["next_action"] and "disconnected" not in report["next_action"]
            assert any("CONNECT NO LOAD, TOUCH NO INPUT" in line for line in case.bench.lines.lines)
        report = case.run("restore")
        # On a closed permit it is measured and said again.
        assert report["state"] == "closed_loads", report.get("error")
        assert any("you may connect the loads now" in line for line in case.bench.lines.lines)
        assert "you may reconnect" not in case.bench.lines
    assert witness.wrong == [] and set(witness.heard) == {"connect loads"}


# --- restore ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["switch", "settings", "absent", "controller"])
def test_a_restore_that_fails_ends_without_a_permission(what: str, tmp_path: Path) -> None:
    case, witness = upgraded(tmp_path, Knobs(settings_lost_by_flash=what == "settings"))
    if what == "switch":
        case.device.fault("switch_fail")
    elif what == "controller":
        case.device.fault("communication_lost")
    case.bench.clock.sleep(60.0)
    report = case.run("restore", action_timeout_s=120.0)
    wanted = {
        "switch": "hardware_failed",
        "settings": "settings_differ",
        "absent": "restore_failed",
        "controller": "controller_lost_live",
    }
    assert "error" in report and report["state"] == wanted[what]
    assert not MAY.search(report["next_action"]) and witness.wrong == []
    if what != "absent":
        assert not allowed(case)
    else:
        events = [record["event"]["what"] for record in report["evidence"]["summary"] if record["kind"] == "permit"]
        assert events.index("withdraw") > events.index("release") and "back" not in events


def test_a_lost_link_takes_the_permission_back_until_it_has_settled_again(tmp_path: Path) -> None:
    """The controller half-dies behind the permission: with the link back, it is to be flashed again."""
    case, witness = upgraded(tmp_path, Knobs(download_delay_s=150.0, comm_delay_s=2.0))
    lines = said(case)

    def half_dead() -> None:
        case.device.controller.revision, case.device.controller.comm = "3.0.1", 3
        case.device.fault("communication_lost", for_s=8.0)

    on_line(case.bench, "you may reconnect source A now", half_dead)
    case.run("restore")
    given = [at_s for at_s, text in lines if "you may reconnect source A now" in text]
    assert given and witness.wrong == []
    assert all(later - given[0] > 240.0 for later in given[1:])
    assert any("STOP, DO NOT RECONNECT" in text for at_s, text in lines if given[0] < at_s < given[0] + 15.0)
    assert not harmed(case)


def test_a_lost_link_behind_the_return_is_not_called_redundant(tmp_path: Path) -> None:
    case, witness = upgraded(tmp_path, Knobs(ats_when_lost="stale"))
    case.bench.electrician()
    on_line(case.bench, "is back, watching", lambda: case.device.fault("communication_lost"))
    report = case.run("restore")
    assert "error" in report and report["state"] != "redundant" and "fully redundant" not in case.bench.lines.lines[-1]
    stop = [line for line in case.bench.lines.lines if "TOUCH NO INPUT PLUG" in line]
    assert stop and "DO NOT RECONNECT source A" not in " ".join(case.bench.lines.lines[-2:]) and witness.wrong == []


def test_the_persons_time_does_not_run_while_it_settles_again(tmp_path: Path) -> None:
    case, witness = upgraded(tmp_path)
    case.bench.electrician()
    on_line(case.bench, "is back, watching", lambda: case.device.fault("no_answer", for_s=25.0))
    report = case.run("restore", action_timeout_s=60.0)
    assert any("until it has settled again" in line for line in case.bench.lines.lines), "nothing was tested"
    assert report["state"] == "redundant", report.get("error")
    assert case.device.truth()["redundant"] and witness.wrong == []


@pytest.mark.parametrize("silent_s", [3.5, 7.0])
def test_a_short_silence_behind_the_return_does_not_fail_the_restore(silent_s: float, tmp_path: Path) -> None:
    case, witness = upgraded(tmp_path)
    case.bench.electrician()
    on_line(case.bench, "is back, watching", lambda: case.device.fault("no_answer", for_s=silent_s))
    assert case.run("restore", action_timeout_s=60.0)["state"] == "redundant" and witness.wrong == []


def test_a_slow_card_does_not_settle_twice(tmp_path: Path) -> None:
    """The reading of everything, behind the first settling, is not itself a gap in the watch."""
    case, _witness = upgraded(tmp_path)
    case.bench.electrician()
    case.device.fault("slow", latency_s=0.8)
    began = case.bench.clock.now()
    assert case.run("restore")["state"] == "redundant"
    assert case.bench.clock.now() - began < 500.0
    assert not any("until it has settled again" in line for line in case.bench.lines.lines)


@pytest.mark.parametrize("what", ["snmp", "ftp"])
def test_another_unit_in_the_middle_of_the_restore(what: str, tmp_path: Path) -> None:
    """A twin with the same firmware, its own secondary out, takes over the address."""
    case, witness = upgraded(tmp_path)
    twin = Device.load("ap7724", serial="5A9999T99999", name="other", address="192.0.2.99")
    bench = case.bench
    bench.clock.units.append(twin)
    twin.line.advance(bench.clock.now())
    twin.patch({"inputs": {"A": {"plugged": False}}})
    twin.card.aos = twin.card.app = "3.9.2"
    twin.card.aos_file, twin.card.app_file = AOS, APP
    twin.controller.revision = case.device.controller.revision
    twin.changed()
    if what == "ftp":
        bench.ftp_device = twin
    else:
        count: list[int] = []

        def change(unit: Unit) -> None:
            mine = unit.observer._read
            other = reader(VirtualSnmp(bench.clock, twin, error_factory=TransportError, too_big=TooBig), bench.clock)

            def read() -> Sample:
                count.append(1)
                return mine() if len(count) < 30 else other()

            unit.observer._read = read

        rewire(bench, change)
    report = case.run("restore", action_timeout_s=60.0)
    assert "error" in report and names(report, "undisturbed" if what == "snmp" else "identity"), report["error"]
    assert witness.heard == [] and not allowed(case)


# --- isolation ----------------------------------------------------------------------------------------------


def test_a_lost_link_after_the_permission_and_then_no_time_left(tmp_path: Path) -> None:
    """The log was read before the link broke; behind it, a download is pending: nobody may reconnect."""
    case, witness = begin(tmp_path, Knobs(download_delay_s=150.0, comm_delay_s=2.0))

    def break_link() -> None:
        case.bench.later(3.0, {"inputs": {"A": {"plugged": False}}})
        case.device.controller.revision, case.device.card.bundled = "3.0.1", "3.0.7"
        case.device.controller.comm = 3
        case.device.fault("communication_lost", for_s=8.0)

    on_line(case.bench, "you may disconnect source A now", break_link)
    report = case.run("isolate", action_timeout_s=30.0)
    assert "error" in report and report["state"] == "nothing_sent_unsure"
    assert not MAY.search(report["next_action"]) and not allowed(case) and witness.wrong == []


def test_the_permission_is_taken_back_before_a_login_that_may_take_long(tmp_path: Path) -> None:
    case, witness = begin(tmp_path)
    lines = said(case)

    def busy() -> None:
        case.device.fault("session_busy")
        # The watch breaks, so that the log has to be read again, and the card is busy for ever.
        case.device.fault("communication_lost", after_s=4.0, for_s=3.0)
        case.device.fault("source_fails", input="B", after_s=60.0)

    on_line(case.bench, "you may disconnect source A now", busy)
    case.run("isolate", action_timeout_s=300.0)
    given = next(at_s for at_s, text in lines if "you may disconnect source A now" in text)
    back = next(at_s for at_s, text in lines if at_s > given and "STOP, DO NOT PULL" in text)
    assert back - given < 15.0 and witness.wrong == []
    gone = next(at_s for at_s, text in lines if "source B is dead" in text)
    assert gone - given < 60.0 + 15.0, "the failing primary was not seen for want of a login"
    assert not any("you may disconnect" in text and "again" not in text for at_s, text in lines if at_s > gone)


def test_the_permission_rests_on_what_was_read_after_the_peers(tmp_path: Path) -> None:
    case, witness = begin(tmp_path)
    peers = [Device.load("ap7724", serial=f"5A99{n}", name=f"p{n}", address=f"192.0.2.5{n}") for n in range(4)]
    for peer in peers:
        case.bench.clock.units.append(peer)
        peer.line.advance(case.bench.clock.now())
        peer.fault("slow", latency_s=0.9)
    asked: list[float] = []

    def change(unit: Unit) -> None:
        check = unit.peers.look

        def look(now_needed: bool = False) -> None:
            # The one that the permission waits for.
            if now_needed and not asked:
                case.device.fault("source_fails", input="B")
            began = case.bench.clock.now()
            check(now_needed)
            if now_needed:
                asked.append(case.bench.clock.now() - began)

        unit.peers.look = look  # type: ignore[method-assign]

    rewire(case.bench, change)
    report = case.bench.run(job.do_isolate, replace(case.options, action_timeout_s=30.0), peers)
    assert asked and asked[0] > 5.0, "the peers were not slow"
    assert "error" in report and witness.wrong == []
    assert not any("you may disconnect source A now" in line for line in case.bench.lines.lines)


# --- sending ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["aos", "app"])
def test_the_secondary_returns_before_the_stor_of_a_slow_card(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 s pass between the login with its verdict and the STOR."""
    case, witness = start(tmp_path)
    store = virtual.VirtualLogin.store

    def slow(self: Any, name: str, data: bytes, hooks: Any, stall_s: float | None = None) -> None:
        if f"_{'aos' if module == 'aos' else 'g2ats'}_" in name:
            plug(case, "A", True)
            for _unused in range(40):
                case.bench.clock.sleep(0.5)
                hooks.idle()
        store(self, name, data, hooks, stall_s)

    monkeypatch.setattr(virtual.VirtualLogin, "store", slow)
    report = case.run()
    assert report["error"]["kind"] == "refused" and names(report, "secondary_dead")
    assert transferred(case) == ([] if module == "aos" else [AOS]) and witness.wrong == [] and not harmed(case)
    assert case.bench.unit is not None and case.bench.unit.keeper.begun == ([] if module == "aos" else ["aos"])
    # An AOS that is proved to run is over; an app that was agreed on, and never begun, is none.
    assert case.bench.unit.keeper.open_file is None and opened(records(case)).permit.state is not PermitState.SENDING


def only_the_app_differs(case: Situation) -> None:
    install(case.bench, "aos", "392")
    case.bench.clock.sleep(2000.0)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_cut_between_the_stor_and_the_first_byte_counts_as_begun(
    restarts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte was sent, but the card agreed to the STOR: what it makes of that is [?]."""
    monkeypatch.setattr(virtual, "OPEN_DELAY_S", 20.0)
    case, witness = start(tmp_path)
    only_the_app_differs(case)
    lines = said(case)
    case.device.fault("source_returns", input="A", on="transfer_start", after_s=3.0)
    if restarts:
        case.device.fault("card_restarts", on="transfer_start", after_s=20.0)
    report = case.run()
    cut = next(record for record in report["evidence"]["summary"] if record["kind"] == "stor_cut")
    assert cut["bytes"] == 0 and case.bench.unit is not None and case.bench.unit.keeper.begun == ["app"]
    assert not report["state"].startswith("nothing_sent") and witness.wrong == []
    events = [record["event"] for record in records(case) if record["kind"] == "sending"]
    assert events[:2] == ["agree", "cut"], "no record of the file that was begun and cut"
    assert not any(MAY.search(text) for _at_s, text in lines)
    # What a later run makes of it: not "nothing was sent".
    assert case.run("isolate", confirmations=())["state"] not in ("nothing_sent", "unchanged")


def test_an_aos_that_was_agreed_to_is_not_cut_before_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, "OPEN_DELAY_S", 20.0)
    case, witness = start(tmp_path)
    case.device.fault("source_returns", input="A", on="transfer_start", after_s=3.0)
    report = case.run()
    assert complete(case, AOS) and APP not in transferred(case)
    assert "error" in report and witness.wrong == [] and not harmed(case)


@pytest.mark.parametrize("module", ["aos", "app"])
@pytest.mark.parametrize("fault", [OverflowError("x"), TransportError("auth", "WrongDigest")], ids=["own", "auth"])
def test_a_fault_of_a_reading_does_not_cut_a_transfer(fault: Exception, module: str, tmp_path: Path) -> None:
    case, _witness = start(tmp_path, knobs=Knobs(aos_cut_leaves_no_aos=True))
    raised: list[bool] = []

    def change(unit: Unit) -> None:
        read = unit.observer._read

        def reading() -> Sample:
            under_way = [entry for entry in case.device.transfers if entry["kind"] == module]
            if under_way and under_way[0]["bytes"] > 20000 and not raised:
                raised.append(True)
                raise fault
            return read()

        unit.observer._read = reading

    rewire(case.bench, change)
    report = case.run()
    assert raised and "error" not in report, report.get("error")
    assert complete(case, AOS) and complete(case, APP)


def test_a_fault_of_the_watching_itself_does_not_cut_an_aos(tmp_path: Path) -> None:
    """Not of the reading, but of what is made of it: the AOS is whole, whatever comes of the run."""
    case, witness = start(tmp_path, knobs=Knobs(aos_cut_leaves_no_aos=True))
    raised: list[bool] = []

    def change(unit: Unit) -> None:
        judge = unit.verdict

        def verdict(*given: Any, **more: Any) -> Any:
            if case.device.transfers and case.device.transfers[0]["bytes"] > 20000 and len(raised) < 3:
                raised.append(True)
                raise ZeroDivisionError
            return judge(*given, **more)

        unit.verdict = verdict  # type: ignore[method-assign]

    rewire(case.bench, change)
    case.run()
    assert raised and complete(case, AOS) and witness.wrong == []


def test_silence_does_not_starve_an_aos(tmp_path: Path) -> None:
    took = {}
    for silent in (False, True):
        case, _witness = start(tmp_path / str(silent))
        if silent:
            case.device.fault("no_answer", at_byte=512, module="aos", for_s=110.0)
        report = case.run()
        entry = case.device.truth()["transfers"][0]
        assert complete(case, AOS), report.get("error")
        took[silent] = entry["ended_s"] - entry["started_s"]
    assert took[True] < 3 * took[False]


def test_evidence_lost_after_the_aos_holds_the_app_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record behind the AOS is lost, not only that of the app's own beginning."""
    case, _witness = start(tmp_path)
    write = Evidence.write

    def full(self: Evidence, kind: str, wall: Any, **fields: Any) -> None:
        ended = [record["event"] for record in self.summary if record["kind"] == "sending"]
        if "end" in ended and (kind, fields.get("event")) != ("sending", "agree"):
            raise Stop("state", "the evidence cannot be written: No space left on device")
        write(self, kind, wall, **fields)

    monkeypatch.setattr(Evidence, "write", full)
    report = case.run()
    assert report["error"]["kind"] == "state" and transferred(case) == [AOS]
    assert report["evidence"]["lost"]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7])
def test_a_login_of_ours_that_dies_is_not_somebody_elses(number: int, tmp_path: Path) -> None:
    """Behind PASS: the card has logged it, and we never got it."""
    case, witness = start(tmp_path)
    count: list[int] = []

    def change(unit: Unit) -> None:
        opener = unit.session.open_login

        def login(idle: Callable[[], None]) -> Any:
            opened = opener(idle)
            count.append(1)
            if len(count) == number:
                opened.close()
                raise TransportError("timeout", "TYPE I was not answered in time")
            return opened

        unit.session.open_login = login

    rewire(case.bench, change)
    report = case.run()
    assert len(count) >= number
    if "error" in report:
        assert report["error"]["kind"] == "timeout", report["error"]
    assert not any("somebody else" in line for line in case.bench.lines.lines)
    case.bench.clock.sleep(300.0)
    again = case.run()
    assert "error" not in again, again["error"]
    assert witness.wrong == [] and not harmed(case)


# --- what has to come to an end -----------------------------------------------------------------------------


def test_a_failed_download_that_was_never_finished_has_a_way_out(tmp_path: Path) -> None:
    """An unfinished run, a failed row, a controller that answers: the app may be sent again (SAFETY 4, entry d)."""
    case, witness = start(tmp_path)
    case.device.fault("controller_download_fails")
    assert "error" in case.run()
    case.device.clear_faults()
    controller = case.device.controller
    controller.alive, controller.half, controller.comm, controller.checked = True, False, 2, True
    case.device.publish(now=True)
    case.device.changed()
    case.bench.clock.sleep(1200.0)
    told = case.run("backup")
    assert "you may" not in " ".join(case.bench.lines.lines) and "recovery" not in told["next_action"]
    resent = case.run()
    assert resent["entry"]["kind"] == "resend_app" and "error" not in resent, resent.get("error")
    assert case.device.truth()["controller"]["revision"] == "3.0.7" and witness.wrong == [] and not harmed(case)


@pytest.mark.parametrize("step_s", [0.5, 1.0])
def test_a_card_that_counts_whole_seconds(step_s: float, tmp_path: Path) -> None:
    case, witness = begin(tmp_path)
    case.bench.electrician()

    def coarse(sample: Sample) -> Sample:
        return replace(sample, uptime_s=(sample.uptime_s or 0.0) // step_s * step_s)

    reread(case.bench, coarse)
    by_steps(case)
    assert witness.wrong == []


@pytest.mark.parametrize(("silent_s", "each_s"), [(1.5, 60.0), (3.5, 60.0), (3.5, 300.0)])
def test_a_network_that_loses_a_reading_now_and_then(silent_s: float, each_s: float, tmp_path: Path) -> None:
    case, witness = begin(tmp_path)
    case.bench.electrician()
    due = [case.bench.clock.now() + each_s]

    def lose(now: float) -> None:
        if now >= due[0]:
            due[0] = now + each_s
            case.device.fault("no_answer", for_s=silent_s)

    case.bench.clock.on_sleep.append(lose)
    by_steps(case, action_timeout_s=900.0)
    assert witness.wrong == []


def test_an_input_that_goes_and_returns_while_no_load_settles(tmp_path: Path) -> None:
    case, _witness = start(tmp_path, Method.NO_LOAD, Knobs(success_row=True))
    gone: list[float] = []

    def outage() -> None:
        gone.append(case.bench.clock.now())
        plug(case, "B", False)
        case.bench.later(20.0, {"inputs": {"B": {"plugged": True}}})

    on_line(case.bench, "settling 4:0", outage)
    lines = said(case)
    report = case.run()
    settled = [at_s for at_s, text in lines if text.endswith(": settled")]
    assert gone and "error" not in report, report.get("error")
    assert settled[0] - gone[0] >= 20.0 + 240.0


# --- the end itself -----------------------------------------------------------------------------------------


def test_a_second_ctrl_c_does_not_take_the_instruction_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    case, _witness = start(tmp_path)
    sent: list[int] = []
    measure = closing._measure

    def interrupt() -> None:
        sent.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    def measured(unit: Unit) -> Sample:
        sample = measure(unit)
        interrupt()
        return sample

    monkeypatch.setattr(closing, "_measure", measured)
    on_line(case.bench, "aos sent", interrupt)
    # A shell starts its background jobs with SIGINT ignored, and then nobody would have asked for it.
    request.addfinalizer(
        partial(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
    )
    # The run ends for the first; the second finds it at its last words, and takes nothing away from the result.
    report = case.run()
    assert len(sent) == 2 and "interrupted by signal SIGINT" in report["error"]["message"]
    assert report["state"] and report["next_action"] and "Leave" in report["next_action"]
    assert any("WHAT TO DO NOW" in line for line in case.bench.lines.lines)
    assert report["evidence"]["summary"][-1]["kind"] == "end"
    assert APP not in transferred(case)
    monkeypatch.undo()
    # And the lock is free.
    assert case.run("isolate").get("error", {}).get("kind") != "locked"


def no_space(monkeypatch: pytest.MonkeyPatch, module: Any, call: str, part: str) -> None:
    real = getattr(os, call)

    def refuse(target: Any, *given: Any, **more: Any) -> Any:
        path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(target)
        if path.endswith(part):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(target, *given, **more)

    monkeypatch.setattr(module.os, call, refuse)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize(
    ("call", "part"), [("open", ".jsonl"), ("fsync", ".jsonl"), ("open", ".lock"), ("pwrite", ".lock")]
)
def test_state_that_cannot_be_written(
    call: str, part: str, method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, witness = start(tmp_path, method)
    no_space(monkeypatch, evidence if part == ".jsonl" else state, call, part)
    report = case.run()
    assert report["error"]["kind"] == "state" and "No space" in report["error"]["message"]
    # A lost controller is told of first, whatever else went wrong (SAFETY 6).
    wanted = "controller_lost_live" if method is Method.RECOVERY else "nothing_sent_unsure"
    assert report["state"] == wanted or (part == ".jsonl" and report["state"] == "nothing_sent")
    assert not MAY.search(report["next_action"])
    assert report["next_action"] and case.received_nothing() and witness.wrong == []
    monkeypatch.undo()
    assert case.run("backup").get("error", {}).get("kind") != "locked"


# --- simulated units and their clock ------------------------------------------------------------------------


def test_a_unit_thirty_times_as_fast(tmp_path: Path) -> None:
    """A real second is thirty of its own, and a reading takes one of them."""
    case, witness = begin(tmp_path, speed=30)
    case.bench.clock.factor = 30.0
    case.device.fault("slow", latency_s=0.8)
    case.bench.electrician()
    by_steps(case)
    assert witness.wrong == [] and all(
        # The very first line is said before anything is measured.
        "SIMULATED" in line or VOID in line
        for line in case.bench.lines.lines
    )
    assert list((tmp_path / "simulated" / "evidence").iterdir()) and not list((tmp_path / "evidence").iterdir())


def declared(sample: Sample, mark: str) -> Sample:
    text = sample.identity.description.replace("Management Card (", f"Management Card {mark} (", 1)
    return replace(sample, identity=parse_description(text))


@pytest.mark.parametrize("times", [1, 2, 3, 5, 10])
def test_a_unit_that_says_simulated_once_or_a_few_times(times: int, tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    count: list[int] = []

    def twist(sample: Sample) -> Sample:
        count.append(1)
        return declared(sample, "SIMULATED x100") if len(count) <= times else sample

    reread(case.bench, twist)
    report = case.run()
    assert report["error"]["kind"] == "identity" or names(report, "undisturbed") or names(report, "identity"), report
    assert case.received_nothing() and witness.heard == [] and not allowed(case)


@pytest.mark.parametrize(
    "mark", ["SIMULATED x100", "SIMULATED x2", "SIMULATED x101", "SIMULATED x0", "SIMULATED", "SIMULATED x"]
)
@pytest.mark.parametrize("task", ["upgrade", "restore"])
def test_a_unit_that_says_simulated_by_snmp_only_or_oddly(mark: str, task: str, tmp_path: Path) -> None:
    case, witness = start(tmp_path) if task == "upgrade" else upgraded(tmp_path)
    before = case.device.truth()["bytes_received"]
    reread(case.bench, lambda sample: declared(sample, mark))
    report = case.run(task, controller_timeout_s=400.0)
    assert "error" in report and not MAY.search(report.get("next_action", ""))
    assert case.device.truth()["bytes_received"] == before and witness.heard == []


@pytest.mark.parametrize("rate", [0.0, 0.5, 2.0, 20.0])
def test_a_clock_that_does_not_keep_step_permits_nothing(rate: float, tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    zero: list[float] = []

    def twist(sample: Sample) -> Sample:
        zero.append(sample.uptime_s or 0.0)
        return replace(sample, uptime_s=zero[0] + ((sample.uptime_s or 0.0) - zero[0]) * rate)

    reread(case.bench, twist)
    report = case.run(controller_timeout_s=200.0)
    assert "error" in report and (failing(report) & {"controller_quiet", "stable", "undisturbed"}), report["error"]
    assert case.received_nothing() and witness.heard == [] and not allowed(case)
