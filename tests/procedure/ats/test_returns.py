# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secondary comes back in spite of the person's word: at every point of the upgrade (SAFETY 4.4 to 4.6, 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, Witness, must_end, names, on_line, package, situation

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import FRESH_S
from apcsim.knobs import Knobs

SIZE = 48 * 1024
RATE = 2500.0
OFFSETS = (0, 1, 511, 512, 513, 4096, SIZE // 4, SIZE // 2, 3 * SIZE // 4, SIZE - 13000, SIZE - 5000, SIZE - 1024,
           SIZE - 513, SIZE - 512, SIZE - 511, SIZE - 1)  # fmt: skip
APP = "apc_hw02_g2ats_392.bin"
AOS = "apc_hw02_aos_392.bin"


def start(tmp_path: Path, knobs: Knobs | None = None, **device: Any) -> tuple[Situation, Witness]:
    case = situation(Method.SINGLE_SOURCE, tmp_path, knobs, **device)
    must_end(case.bench)
    return case, Witness(case.bench)


def back(case: Situation) -> None:
    case.device.patch({"inputs": {"A": {"plugged": True}}})


def complete(case: Situation, name: str) -> bool:
    return any(file["name"] == name and file["complete"] for file in case.device.truth()["files_received"])


def at_the_end(case: Situation, witness: Witness, report: dict[str, Any]) -> None:
    assert "error" in report
    assert witness.wrong == []
    assert report["state"] and report["next_action"] and report["evidence"]["path"]
    assert "settled" not in report["state"].split("_")[0]


@pytest.mark.parametrize("after_s", [1.0, 5.0, 20.0, 29.0])
def test_before_the_file(after_s: float, tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    case.device.fault("source_returns", input="A", after_s=after_s)
    report = case.run()
    at_the_end(case, witness, report)
    assert names(report, "secondary_dead") and case.received_nothing()


@pytest.mark.parametrize("lag_s", [0.0, 1.0])
@pytest.mark.parametrize("moment", ["measured", "word taken", "isolated", "backed up", "logged in"])
def test_at_the_last_moment_before_the_file(moment: str, lag_s: float, tmp_path: Path) -> None:
    """The verdict is taken after login: nothing begins that a verdict younger than 5 s could have seen."""
    case, witness = start(tmp_path, Knobs(ats_lag_s=lag_s), package=package(controller="3.0.5"))
    if moment == "logged in":
        on_line(case.bench, "backup of config.ini", lambda: case.device.fault("source_returns", input="A", on="login"))
    else:
        line = {
            "measured": "measuring, touch nothing: controller_quiet: watched unbroken 2",
            "word taken": "taken: source A is out",
            "isolated": "isolated: touch nothing else",
            "backed up": "backup of config.ini",
        }[moment]
        on_line(case.bench, line, lambda: case.device.fault("source_returns", input="A"))
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    assert names(report, "secondary_dead")
    shown = _moment(truth, "fault source_returns") + lag_s
    assert not [entry for entry in truth["transfers"] if entry["started_s"] > shown + FRESH_S]
    assert not complete(case, APP) and not truth["load_dropped"]


def _moment(truth: dict[str, Any], what: str) -> float:
    return float(next(event["time_s"] for event in truth["events"] if event["what"] == what))


@pytest.mark.parametrize("offset", OFFSETS)
def test_at_any_byte_of_the_aos(offset: int, tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    case.device.fault("source_returns", input="A", at_byte=offset, module="aos")
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    # Never cut: that may leave no AOS.
    assert complete(case, AOS) and truth["card"]["aos"] == "3.9.2"
    assert not complete(case, APP) and not any(t["name"] == APP for t in truth["transfers"])
    assert not truth["load_dropped"] and not truth["damaged"]
    assert report["state"] in ("aos_new_old_app", "aos_sent_unsure")
    assert names(report, "secondary_dead")


@pytest.mark.parametrize("pulled_again", [True, False])
def test_after_a_return_during_the_aos_the_deed_is_asked_for_anew(pulled_again: bool, tmp_path: Path) -> None:
    """The old word carries nothing further: the app goes out under a second one, or not at all."""
    case, witness = start(tmp_path)
    case.device.fault("source_returns", input="A", at_byte=4096, module="aos")
    if pulled_again:
        case.bench.electrician()
    report = case.run()
    truth = case.device.truth()
    assert witness.wrong == [] and "disconnect A" in witness.heard
    assert not truth["load_dropped"] and not truth["damaged"]
    taken = [line for line in case.bench.lines.lines if "taken: source A is out" in line]
    if pulled_again:
        assert "error" not in report, report["error"]
        assert complete(case, APP) and len(taken) == 2 and truth["controller"]["revision"] == "3.0.7"
    else:
        at_the_end(case, witness, report)
        assert not complete(case, APP) and len(taken) == 1 and report["state"] == "aos_new_old_app"


def test_an_app_that_never_answers_is_not_sent_for_once_the_word_has_ended(tmp_path: Path) -> None:
    """Blind, and without a deed: nothing is carried over, and the wait has an end."""
    case, witness = start(tmp_path, Knobs(old_app_runs_on_new_aos=False))
    case.device.fault("source_returns", input="A", at_byte=4096, module="aos")
    report = case.run()
    at_the_end(case, witness, report)
    assert not any(entry["name"] == APP for entry in case.device.truth()["transfers"])
    assert report["state"] == "aos_new_no_app" and "you may disconnect" not in case.bench.lines


@pytest.mark.parametrize("lag_s", [0.0, 1.0, 8.0])
@pytest.mark.parametrize("offset", OFFSETS)
def test_at_any_byte_of_the_app(offset: int, lag_s: float, tmp_path: Path) -> None:
    case, witness = start(tmp_path, Knobs(ats_lag_s=lag_s), package=package(controller="3.0.5"))
    case.device.fault("source_returns", input="A", at_byte=offset, module="app")
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    assert not truth["load_dropped"] and not truth["damaged"]
    returned = _moment(truth, "fault source_returns")
    shown = returned + lag_s
    end = next(file["at_s"] for file in truth["files_received"] if file["name"] == APP)
    if complete(case, APP):
        # Only where no verdict younger than 5 s could have seen it.
        assert end - shown <= FRESH_S + 1.0, (
            "the last block was sent although the unit had shown the return for seconds"
        )
        assert report["state"] == "app_sent_secondary_back"
        assert "Touch no input plug" in report["next_action"]
    else:
        assert truth["card"]["app"] == "3.7.1"
        assert not any(entry["what"] == "restart_app" for entry in truth["violations"])
        assert report["state"] in ("aos_new_old_app", "aos_sent_unsure")
        assert "cut before its last block" in report["error"]["message"]
        cut = next(file for file in truth["files_received"] if file["name"] == APP)
        assert cut["size"] < SIZE


def test_long_before_the_end_the_app_is_always_cut(tmp_path: Path) -> None:
    """With a download at stake: the chattering would drop the load, and it does not come to it."""
    for offset in (0, 512, SIZE // 2, SIZE - 20000):
        case, witness = start(tmp_path / str(offset))
        case.device.fault("source_returns", input="A", at_byte=offset, module="app")
        report = case.run()
        at_the_end(case, witness, report)
        assert not complete(case, APP) and case.device.truth()["controller"]["attempts"] == 0
        assert not case.device.truth()["load_dropped"]


def test_back_for_a_moment_only_cuts_too(tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    case.device.fault("source_returns", input="A", at_byte=4096, module="app")
    case.device.fault("source_fails", input="A", at_byte=4096 + int(4 * RATE), module="app")
    report = case.run()
    at_the_end(case, witness, report)
    assert not complete(case, APP)


@pytest.mark.parametrize("silent_s", [2.0, 8.0, 15.0])
def test_a_missing_answer_holds_the_last_block(silent_s: float, tmp_path: Path) -> None:
    """Held, not cut: the 30 s of stability fit into the minute behind a short silence."""
    case, _witness = start(tmp_path)
    case.device.fault("no_answer", at_byte=SIZE - 6000, module="app", for_s=silent_s)
    report = case.run()
    assert "error" not in report, report["error"]
    truth = case.device.truth()
    assert complete(case, APP) and truth["controller"]["revision"] == "3.0.7" and not truth["load_dropped"]


def test_a_missing_answer_holds_the_last_block_for_a_minute_and_no_longer(tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    case.device.fault("no_answer", at_byte=SIZE - 6000, module="app", for_s=300.0)
    held: list[float] = []
    case.bench.lines.listeners.append(
        lambda text: held.append(case.bench.clock.now()) if "last block held" in text else None
    )
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    transfer = next(entry for entry in truth["transfers"] if entry["name"] == APP)
    assert not complete(case, APP) and transfer["outcome"] == "cut"
    assert 50.0 < transfer["ended_s"] - held[0] < 70.0


def test_it_returns_unseen_and_the_unit_answers_again(tmp_path: Path) -> None:
    """Silence, and the source is back when the unit answers: the held block is never sent."""
    case, witness = start(tmp_path)
    case.device.fault("no_answer", at_byte=SIZE - 8000, module="app", for_s=30.0)
    case.device.fault("source_returns", input="A", at_byte=SIZE - 7000, module="app")
    report = case.run()
    at_the_end(case, witness, report)
    assert not complete(case, APP) and not case.device.truth()["load_dropped"]


@pytest.mark.parametrize("after_s", [1.0, 30.0, 80.0, 200.0])
def test_while_the_card_restarts_with_the_new_aos(after_s: float, tmp_path: Path) -> None:
    case, witness = start(tmp_path)
    case.device.fault("source_returns", input="A", on="card_down", after_s=after_s)
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    assert not any(entry["name"] == APP for entry in truth["transfers"]) and not truth["load_dropped"]
    assert report["state"] in ("aos_new_old_app", "aos_sent_unsure")


@pytest.mark.parametrize("after_s", [1.0, 40.0, 74.0, 90.0, 110.0, 150.0, 200.0, 260.0, 330.0])
def test_after_the_app_was_sent(after_s: float, tmp_path: Path) -> None:
    """During the reboot and in the settle, without a download at stake: nothing is damaged, and the run fails."""
    case, witness = start(tmp_path, package=package(controller="3.0.5"))
    on_line(
        case.bench, f"sending {APP}",
        lambda: case.device.fault("source_returns", input="A", on="card_down", after_s=after_s),
    )  # fmt: skip
    report = case.run()
    at_the_end(case, witness, report)
    assert report["state"] == "app_sent_secondary_back"
    assert "Touch no input plug" in report["next_action"] and "240 s" in report["next_action"]
    assert not case.device.truth()["load_dropped"]
    assert "you may" not in " ".join(case.bench.lines.lines)


@pytest.mark.parametrize("after_s", [10.0, 100.0, 200.0, 300.0])
def test_after_the_app_was_sent_with_the_download_at_stake(after_s: float, tmp_path: Path) -> None:
    """What SAFETY 8 cannot prevent it still must tell the truth about."""
    case, witness = start(tmp_path)
    on_line(
        case.bench, f"sending {APP}",
        lambda: case.device.fault("source_returns", input="A", on="card_down", after_s=after_s),
    )  # fmt: skip
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    expected = {"app_sent_secondary_back"}
    if not truth["controller"]["alive"]:
        expected |= {"controller_lost_live"}
        if _moment(truth, "fault source_returns") >= _moment(truth, "controller download begun"):
            # From then on the card heard nothing more from the controller: the return was never shown.
            expected |= {"controller_lost_isolated"}
    assert report["state"] in expected
    assert "you may" not in " ".join(case.bench.lines.lines)


def test_a_ghost_below_ten_percent_is_no_return(tmp_path: Path) -> None:
    case, _witness = start(tmp_path, Knobs(dead_voltage="ghost", ghost_v=20))
    assert "error" not in case.run()


@pytest.mark.parametrize("offset", [0, SIZE // 2, SIZE - 1])
@pytest.mark.parametrize("module", ["aos", "app"])
def test_the_primary_fails_during_a_transfer(module: str, offset: int, tmp_path: Path) -> None:
    """Both are dead: the load is lost by the grid; the card is gone, and the words move nothing."""
    case, witness = start(tmp_path)
    case.device.fault("source_fails", input="B", at_byte=offset, module=module)
    report = case.run()
    at_the_end(case, witness, report)
    assert "reconnect source" not in report["next_action"] or "DO NOT" in report["next_action"]


@pytest.mark.parametrize("module", ["aos", "app"])
@pytest.mark.parametrize("offset", [0, SIZE // 2, SIZE - 13000])
def test_a_load_appears_in_no_load(module: str, offset: int, tmp_path: Path) -> None:
    case = situation(Method.NO_LOAD, tmp_path)
    must_end(case.bench)
    witness = Witness(case.bench)
    case.device.fault("load_changes", load_current_a=5.0, at_byte=offset, module=module)
    report = case.run()
    at_the_end(case, witness, report)
    truth = case.device.truth()
    assert names(report, "load_zero") and not complete(case, APP) and not truth["load_dropped"]
    assert (complete(case, AOS)) and report["state"] in ("aos_new_old_app", "aos_sent_unsure")
