# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every end of a UPS update: its state, its instruction, the evidence on the disk, and what is true of the unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from virtual_ups import UpsBench, update_file

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd, ups_next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from apcsim.knobs import Knobs

V = Version.parse
TOUCHES = ("connect", "plug", "turn it on", "power cycle", "turn off")


def fault(name: str, **params: Any) -> Callable[[UpsBench], None]:
    return lambda bench: bench.device.fault(name, **params)


@dataclass(frozen=True)
class End:
    """``firmware``: what the unit truly runs afterwards. ``sets``: what was written to the update object."""

    state: UpsEnd
    firmware: str
    act: Callable[[UpsBench], None] = lambda bench: None
    device: dict[str, Any] = field(default_factory=dict)
    knobs: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)
    version: str = "9.3"
    options: dict[str, Any] = field(default_factory=dict)
    confirmed: bool = False
    check: bool = False
    no_file: bool = False
    sets: list[int] = field(default_factory=lambda: [2])
    kind: str | None = None
    changed: bool = True
    says: str = ""
    bricked: bool = False
    dropped: bool = False


def foreign(bench: UpsBench) -> None:
    """By the web page, with a file of its own: not through the code under test."""
    bench.ups.update.file = (update_file(bench.device, "9.3")[0].name, update_file(bench.device, "9.3")[1])
    bench.ups.update.set(2)
    bench.starts.clear()


OLD, NEW = "UPS 09.1 (ID18)", "UPS 09.3 (ID18)"
SRT = {"name": "srt3000", "firmware": "UPS 07.9 (ID1010)"}
SRT_ON = {**SRT, "output_on": True}
ALLOWED = {"device": SRT_ON, "version": "8.2", "file": {"new_id": 1025}, "confirmed": True}
# The start went out, so nobody may call the unit unchanged.
FAILED = {"kind": "state", "changed": True, "firmware": OLD}
UNSENT = {"kind": "refused", "changed": False, "firmware": OLD}
E = UpsEnd
ENDS: dict[str, End] = {
    # -- good
    "output off": End(E.UPDATED_OUTPUT_OFF, NEW),
    "output off, it comes back on by itself": End(E.UPDATED, NEW, knobs={"output_after_update": "returns"},
                                                  says="the output was off before the update and is on now"),
    "1U, ID20, with its trailing space": End(E.UPDATED_OUTPUT_OFF, "UPS 10.1 (ID20) ", device={"name": "smt1500rm1u"},
                                             version="10.1"),
    "09.10 after 09.9": End(E.UPDATED_OUTPUT_OFF, "UPS 09.10 (ID20)", version="9.10",
                            device={"name": "smx1500rm2u", "firmware": "UPS 09.9 (ID20)"},
                            options={"wanted": V("9.10")}),
    "NMC3": End(E.UPDATED_OUTPUT_OFF, "UPS 04.2 (ID1047)", device={"name": "smtl1000"}, version="4.2",
                options={"wanted": V("04.2")}),
    "1010 becomes 1025": End(E.UPDATED_OUTPUT_OFF, "UPS 08.2 (ID1025)", device=SRT, version="8.2",
                             file={"new_id": 1025}, options={"wanted": V("8.2")}),
    "1001 becomes 1013": End(E.UPDATED_OUTPUT_OFF, "UPS 12.1 (ID1013)", version="12.1", options={"wanted": V("12.1")},
                             device={"name": "srt3000", "firmware": "UPS 05.1 (ID1001)"}, file={"new_id": 1013}),
    "15.5 of ID1020 takes updates again": End(
        E.UPDATED_OUTPUT_OFF, "UPS 15.6 (ID1020)", version="15.6", options={"wanted": V("15.6")},
        device={"name": "srt3000", "firmware": "UPS 15.5 (ID1020)"}),
    "output on, 1010": End(E.UPDATED, "UPS 08.2 (ID1025)", **ALLOWED, options={"wanted": V("8.2")}),
    "output on, 1020": End(E.UPDATED, "UPS 10.2 (ID1020)", version="10.2", options={"wanted": V("10.2")},
                           confirmed=True,
                           device={"name": "srt3000", "firmware": "UPS 10.1 (ID1020)", "output_on": True}),
    "the outlet tree is absent": End(E.UPDATED_OUTPUT_OFF, NEW, knobs={"outlet_tree": "absent"}),
    "late word of the start": End(E.UPDATED_OUTPUT_OFF, NEW,
                                  knobs={"ups_update_answer": "late", "ups_update_answer_s": 10.0}),
    "started is read back": End(E.UPDATED_OUTPUT_OFF, NEW, knobs={"ups_update_answer": "start"}),
    "15 minutes, all values gone meanwhile": End(E.UPDATED_OUTPUT_OFF, NEW, knobs={
        "ups_update_s": 900.0, "ups_comm_in_update": "all", "ups_values_when_lost": "minus_one"}),
    "the new firmware is read 30 s after successful": End(E.UPDATED_OUTPUT_OFF, NEW, knobs={
        "ups_firmware_lag_s": 30.0, "ups_comm_in_update": "kept"}),
    "lossy all the way": End(E.UPDATED_OUTPUT_OFF, NEW, fault("lossy", every=4)),
    "busy for a while": End(E.UPDATED_OUTPUT_OFF, NEW, fault("session_busy", for_s=60.0)),
    "communication lost for a while": End(E.UPDATED_OUTPUT_OFF, NEW, fault("update_comm_lost", for_s=60.0)),
    "the card is silent for a while": End(
        E.UPDATED_OUTPUT_OFF, NEW, fault("no_answer", on="update_begun", after_s=20.0, for_s=200.0)),
    "the answer to the SET is lost": End(E.UPDATED_OUTPUT_OFF, NEW, fault("set_answer_lost")),
    "an old result is shown": End(E.UPDATED_OUTPUT_OFF, NEW, lambda bench: setattr(bench.ups.update, "shown", 5),
                                  sets=[1, 2]),
    "an old success is shown": End(E.UPDATED_OUTPUT_OFF, NEW, lambda bench: setattr(bench.ups.update, "shown", 4),
                                   sets=[1, 2]),
    # -- nothing to do, check mode
    "unchanged": End(E.UNCHANGED, NEW, device={"name": "smt1500rm2u_fixed"}, sets=[], changed=False),
    "unchanged without a file": End(E.UNCHANGED, NEW, device={"name": "smt1500rm2u_fixed"}, no_file=True, sets=[],
                                    changed=False),
    "unchanged, by the version": End(E.UNCHANGED, OLD, options={"wanted": V("09.1")}, no_file=True, sets=[],
                                     changed=False),
    "check mode": End(E.GAP, OLD, check=True, sets=[]),
    "check mode without a file": End(E.GAP, OLD, check=True, no_file=True, sets=[], says="no file was given"),
    "check mode, output on": End(E.GAP, OLD, check=True, device={"output_on": True}, sets=[],
                                 says="would be refused now"),
    "check mode, nothing is missing": End(E.UNCHANGED, NEW, device={"name": "smt1500rm2u_fixed"}, check=True, sets=[],
                                          changed=False),
    "check mode, no known version": End(E.NO_TARGET, "UPS 07.4 (ID1003) ", device={"name": "smx3000rmhv2u_id1003"},
                                        check=True, no_file=True, sets=[], changed=False, says="no fix is known"),
    # -- it does not begin
    "refused": End(E.NOTHING_SENT, sets=[], act=fault("communication_lost"), **UNSENT),
    "the transfer is cut": End(E.FILE_NOT_STARTED, act=fault("transfer_cut", at_byte=4000), sets=[],
                               **{**UNSENT, "kind": "transfer"}),
    "the transfer is cut and a part stays": End(E.FILE_NOT_STARTED, act=fault("transfer_cut", at_byte=4000), sets=[],
                                                knobs={"upsfw_cut_keeps_part": True}, **{**UNSENT, "kind": "transfer"}),
    "the SET is refused": End(E.FILE_NOT_STARTED, act=fault("set_refused"), **{**UNSENT, "kind": "auth"}),
    "the SET is ignored": End(E.START_NOT_SEEN, act=fault("set_ignored"), **FAILED),
    "the write community is wrong": End(E.START_NOT_SEEN, **FAILED,
                                        act=lambda b: setattr(b, "write_community", "wrong")),
    "an old result that cannot be cleared": End(
        E.FILE_NOT_STARTED, sets=[1], says="could not be cleared", **UNSENT,
        act=lambda b: (setattr(b.ups.update, "shown", 4), b.device.fault("set_ignored"))),  # type: ignore[func-returns-value]
    "no firmware is found": End(E.FAILED_OLD_FIRMWARE, act=lambda b: b.on_start.append(
        lambda start: setattr(b.ups.update, "file", None)), **FAILED),
    "no firmware is found, and nothing said": End(E.START_NOT_SEEN, knobs={"ups_no_file_state": 1}, act=lambda b:
                                                  b.on_start.append(lambda start: setattr(b.ups.update, "file", None)),
                                                  **FAILED),
    "an update of somebody else": End(E.FOREIGN_UPDATE, sets=[], act=foreign,
                                      **UNSENT),
    "check mode, an update of somebody else": End(E.FOREIGN_UPDATE, sets=[], check=True, act=foreign,
                                                  **UNSENT),
    "somebody else begins one while we measure": End(
        E.FOREIGN_UPDATE, sets=[], act=lambda b: b.on_line("measuring", lambda: foreign(b)),
        **UNSENT),
    # -- it fails
    "rejected": End(E.FAILED_OLD_FIRMWARE, act=fault("update_rejected"), says="0178", **FAILED),
    "a damaged file": End(E.FAILED_OLD_FIRMWARE, file={"content": b"x" * 9000}, **FAILED),
    "a file that lies about its ID": End(E.FAILED_OLD_FIRMWARE, file={"id": 20, "name": "SMT18UPS_09-3.enc"}, **FAILED),
    "a file that lies about its series": End(E.FAILED_OLD_FIRMWARE, file={"series": "SMX", "name": "SMT18UPS_09-3.enc"},
                                             **FAILED),
    "successful, and the old one runs": End(E.UNPROVED, act=fault("update_wrong_version"), **FAILED),
    "the input fails, and it only failed": End(
        E.FAILED_OLD_FIRMWARE, knobs={"update_power_loss": "failed"},
        act=lambda b: b.on_line("updating for", lambda: b.device.patch({"ups": {"input_voltage_v": 0}})), **FAILED),
    "the input fails: bricked": End(
        E.COMM_LOST, OLD, kind="state", bricked=True,
        act=lambda b: b.on_line("updating for", lambda: b.device.patch({"ups": {"input_voltage_v": 0}}))),
    "communication lost for good": End(E.COMM_LOST, OLD, fault("update_comm_lost"), kind="state"),
    "it stalls": End(E.UPDATING, OLD, fault("update_stalls"), kind="timeout"),
    "the card dies": End(E.UPDATING, OLD, fault("card_dies", on="update_begun", after_s=30.0), kind="timeout",
                         bricked=True),
    "another version than the file's": End(E.UNPROVED, "UPS 09.2 (ID18)", kind="state", act=lambda b: b.on_line(
        "updating for", lambda: setattr(b.ups.update, "_new", newer(b)))),
    "bypass when it is over": End(E.UPDATED_NOT_NORMAL, NEW, kind="state", says="bypass", act=lambda b: b.on_line(
        "the update has ended", lambda: b.device.patch({"ups": {"bypass": True}}))),
    "the output was on and is off": End(E.UPDATED_OUTPUT_OFF, "UPS 08.2 (ID1025)", fault("update_left_off"), **ALLOWED,
                                        options={"wanted": V("8.2")}, dropped=True,
                                        says="the output was on before the update and is off now"),
}  # fmt: skip


def newer(bench: UpsBench) -> Any:
    from apcsim.ups_files import UpsFile

    return UpsFile("SMT", 18, (9, 2), 18)


def must_end(bench: UpsBench, within_s: float = 6 * 3600.0) -> None:
    limit = bench.clock.now() + within_s

    def look(now: float) -> None:
        assert now < limit, f"the run did not end within {within_s:.0f} device seconds"

    bench.clock.on_sleep.append(look)


def play(end: End, tmp_path: Path) -> tuple[UpsBench, dict[str, Any]]:
    bench = UpsBench(state_dir=tmp_path, knobs=Knobs(**end.knobs), **end.device)
    must_end(bench)
    end.act(bench)
    options = dict(end.options)
    if end.confirmed:
        options["confirmations"] = bench.confirm()
    file = None if end.no_file else update_file(bench.device, end.version, **end.file)
    return bench, bench.run(file, check=end.check, **options)


@pytest.mark.parametrize("what", ENDS)
def test_it_ends_as_it_must(what: str, tmp_path: Path) -> None:
    end = ENDS[what]
    bench, report = play(end, tmp_path)
    truth = bench.truth()["ups"]
    assert report["state"] == end.state.value, report.get("error")
    assert (report.get("error") or {}).get("kind") == end.kind
    assert report["next_action"] == ups_next_action(end.state)
    assert truth["firmware"] == end.firmware and report["changed"] is end.changed
    assert bench.sets() == end.sets and bench.sets().count(2) <= 1
    assert truth["bricked"] is end.bricked and truth["load_dropped"] is end.dropped and not truth["violations"]
    heard = " ".join([*report["notes"], str(report.get("error", {}).get("message", "")), *report["events"]])
    assert end.says in heard, heard
    records = bench.evidence()
    if end.check:
        assert records == [] and bench.untouched() and not bench.truth()["logins"]
    else:
        assert records[0]["kind"] == "run" and records[-1]["kind"] == "end"
        assert records[-1]["state"] == end.state.value and records[-1].get("error") == end.kind
        order = [record["kind"] for record in records if record["kind"] in ("file_begin", "update_start", "update_end")]
        assert order == [kind for kind in ("file_begin", "update_start", "update_end") if kind in order]
        # What is over is closed, and nothing else is.
        over = end.state in (E.UPDATED, E.UPDATED_OUTPUT_OFF, E.UPDATED_NOT_NORMAL, E.FAILED_OLD_FIRMWARE)
        if over:
            assert "update_end" in order
        if end.state in (E.START_NOT_SEEN, E.UPDATING, E.COMM_LOST):
            assert "update_start" in order and "update_end" not in order
    if end.state in (E.UPDATED, E.UPDATED_OUTPUT_OFF):
        assert truth["comm"] and report["firmware"]["after"] == end.firmware.strip()
        assert bench.truth()["sessions_open"] == 0
    assert f"WHAT TO DO NOW: {report['next_action']}" in bench.lines or report["next_action"] in bench.lines


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3")
    assert bench.run(file)["changed"]
    before = len(bench.truth()["write_log"])
    again = bench.run(file)
    assert (again["state"], again["changed"]) == ("unchanged", False)
    assert len(bench.truth()["write_log"]) == before


def test_without_a_version_the_file_says_how_far(tmp_path: Path) -> None:
    """The goal is the fix: a file beyond it is fine, and once the fix runs nothing more is sent."""
    bench = UpsBench(state_dir=tmp_path)
    report = bench.run(update_file(bench.device, "9.4"))
    assert report["firmware"] == {"before": OLD, "wanted": "UPS 09.3 or later", "after": "UPS 09.4 (ID18)"}
    assert bench.run(update_file(bench.device, "9.5"))["state"] == "unchanged"


def test_locked(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    holder, _client = bench.make(None, bench_options())
    holder.first_contact()
    holder.begin(writing=True)
    try:
        report = bench.run(update_file(bench.device, "9.3"))
        assert report["error"]["kind"] == "locked" and report["state"] == "locked" and bench.untouched()
        assert holder.run_id in report["next_action"]
    finally:
        holder.close()


def bench_options() -> Any:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ups.options import UpsOptions

    return UpsOptions()


def test_a_silent_card(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    bench.device.fault("no_answer")
    report = bench.run(update_file(bench.device, "9.3"))
    assert report["error"]["kind"] == "timeout" and report["state"] == "nothing_sent" and bench.untouched()


def test_check_mode_says_what_does_not_fit(tmp_path: Path) -> None:
    bench = UpsBench(state_dir=tmp_path)
    report = bench.run(update_file(bench.device, "9.3", id=20), check=True)
    assert report["state"] == "gap" and any("the file does not fit" in note for note in report["notes"])
    assert bench.untouched() and not tmp_path.joinpath("evidence").exists()


@pytest.mark.parametrize("end", list(UpsEnd))
def test_no_instruction_moves_anything_that_may_be_writing(end: UpsEnd) -> None:
    text = ups_next_action(end, "run x")
    assert text and text[-1] == "."
    if end in (E.START_NOT_SEEN, E.UPDATING, E.FOREIGN_UPDATE, E.COMM_LOST, E.UNPROVED, E.UPDATED_NOT_NORMAL):
        assert "Do not turn the UPS or its output on or off" in text
    if end is not E.UPDATED_OUTPUT_OFF:
        assert "Turn it on" not in text


def test_every_end_is_reached_by_a_case() -> None:
    assert set(UpsEnd) - {end.state for end in ENDS.values()} == {UpsEnd.LOCKED}
