# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A word said by ats_word: only to a run that asks, only what it asks, only once; and who may touch what."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import Permit, PermitState
from ansible_collections.dcops.apc.plugins.module_utils._procedure import words
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import Locks, StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.words import WordBox, take_words

SERIAL = "5A1511T00001"
KEYS = ["addr-192.0.2.1-161", f"ats-{SERIAL}", "card-ZA1511999999"]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)


class Asked(NamedTuple):
    what: str = "secondary_disconnected"
    source: str = "B"
    number: int = 3


SECONDARY = Asked()


class Waiting:
    """A run that asks: its locks, its box."""

    def __init__(
        self, folder: Path, keys: Sequence[str] = tuple(KEYS), asked: Asked = SECONDARY, run: str = "r1"
    ) -> None:
        self.folder, self.asked = folder, asked
        store = StateDir(folder, ephemeral=True)
        store.prepare()
        self.locks: Locks = store.locks(run)
        keys = list(keys)
        self.locks.add(keys)
        self.since = datetime.now(timezone.utc) - timedelta(seconds=5)
        self.box = WordBox(folder, lambda: self.since)
        self.box.belongs_to(lambda: keys, lambda: {"run": run, "pid": 1, "host": "c", "label": "x", "simulated": True})
        self.box.publish(asked)

    def words(self, asked: Asked | None = None) -> list[tuple[str, str, datetime]]:
        return self.box.words(asked or self.asked)


def say(folder: Path, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    params = {"unit": SERIAL, "what": "secondary_disconnected", "source": "B", "state_dir": str(folder), **given}
    return _module.run_named("ats_word", params, check_mode, _module.NullProgress())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "words").iterdir())


@pytest.mark.parametrize("unit", [SERIAL, SERIAL.lower(), f" {SERIAL} ", "ZA1511999999"])
def test_a_word_reaches_the_run_that_asks_and_once_only(unit: str, tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    result = say(tmp_path, unit=unit)
    assert result["changed"] and result["asked_by"]["permit"] == 3 and result["simulated"] is True, result
    (word,) = (path for path in (tmp_path / "words").iterdir() if path.suffix == ".word")
    assert stat.S_IMODE(word.stat().st_mode) == 0o600 and not [name for name in left(tmp_path) if name[0] == "."]
    assert json.loads(word.read_text())["by"].startswith("user ")
    ((typed, source, said_at),) = run.words()
    # As it was typed: the run compares it, and no file fills it in.
    assert (typed, source) == (unit.strip(), "B") and said_at.tzinfo is not None and said_at > run.since
    assert run.words() == []
    run.box.withdraw()
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"source": "A"}, "asks for the plug of source B"),
        ({"what": "no_load", "source": None}, "asks for secondary_disconnected"),
        ({"unit": "5A1511T00002"}, "No run asks"),
        ({"unit": f"{SERIAL}@2026-03-02T12:00Z"}, "without @"),
        ({"unit": "UPS_IDEN"}, "serial number"),
        ({"unit": ""}, "name plate"),
        ({"unit": "192.0.2.1-161"}, "No run asks"),
        ({"unit": "x" * 65}, "name plate"),
    ],
)
def test_anything_but_what_is_asked_is_refused(given: dict[str, Any], why: str, tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    result = say(tmp_path, **given)
    assert result["failed"] and result["error"]["kind"] in ("refused", "unsupported") and why in result["msg"]
    assert run.words() == [] and not [name for name in left(tmp_path) if name.endswith(".word")]


def test_the_loads_have_no_source(tmp_path: Path) -> None:
    run = Waiting(tmp_path, asked=Asked("no_load", ""))
    assert say(tmp_path, what="no_load", source="A")["word"]["source"] == ""
    assert [word[:2] for word in run.words()] == [(SERIAL, "")]


@pytest.mark.parametrize("how", ["nobody", "withdrawn", "dead", "another run holds it", "no folder"])
def test_where_no_run_asks_nothing_is_kept_for_later(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "none" if how == "no folder" else tmp_path
    if how in ("withdrawn", "dead", "another run holds it"):
        run = Waiting(tmp_path)
        if how == "withdrawn":
            run.box.withdraw()
        else:
            # Killed: its ask stays, its locks do not.
            run.locks.close()
        if how == "another run holds it":
            StateDir(tmp_path, ephemeral=True).locks("r2").add(KEYS)
    result = say(folder)
    assert result["error"]["kind"] == "refused" and "No run asks" in result["msg"]
    assert not list(tmp_path.rglob("*.word"))


def test_the_run_of_another_unit_is_named_and_not_its_serial(tmp_path: Path) -> None:
    Waiting(tmp_path, ["addr-192.0.2.9-161", "ats-5A1511T00009"])
    message = say(tmp_path)["msg"]
    assert "Runs that wait: x (permit 3)" in message and "5A1511T00009" not in message


def test_a_unit_without_a_serial_is_not_guessed(tmp_path: Path) -> None:
    run = Waiting(tmp_path, KEYS[:1])
    assert "shows no serial number" in say(tmp_path)["msg"] and run.words() == []


def test_check_mode_says_nothing(tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    result = say(tmp_path, check_mode=True)
    assert result["changed"] and run.words() == []
    # Else he who reads it waits at the rack for nothing.
    assert "NOTHING WAS SAID" in result["msg"] and "Said to" not in result["msg"]
    assert say(tmp_path, check_mode=True, source="A")["failed"]


@pytest.mark.parametrize(
    "change",
    [{"permit": 2}, {"permit": "3"}, {"what": "sesame"}, {"said_at": "2026-03-02T12:00"}, {"said_at": None}, {}],
)
def test_only_a_word_for_this_permit_and_behind_the_question_counts(change: dict[str, Any], tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    said = {"what": "secondary_disconnected", "unit": SERIAL, "source": "B", "permit": 3, "by": "user x"}
    said |= {"said_at": (run.since + timedelta(seconds=1 if change else 0)).isoformat()} | change
    (tmp_path / "words" / f"ats-{SERIAL}_1.word").write_text(json.dumps(said))
    assert run.words() == []
    assert not list(tmp_path.rglob("*.word")), "what can never count lies there for ever"


@pytest.mark.parametrize("lag_s", [0.0, 2.0, 3600.0])
def test_a_word_of_a_clock_that_lags_is_told_and_does_not_count(lag_s: float, tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    assert say(tmp_path)["changed"]
    (path,) = (tmp_path / "words").glob("*.word")
    said = json.loads(path.read_text()) | {"said_at": (run.since - timedelta(seconds=lag_s)).isoformat()}
    path.write_text(json.dumps(said))
    assert run.words() == []
    (told,) = run.box.refused()
    assert "does not count" in told and f"{run.since - timedelta(seconds=lag_s):%H:%M:%S}" in told
    assert f"since {run.since:%H:%M:%S}" in told and "lags" in told
    assert run.words() == [] and run.box.refused() == [], "said once"
    # Another one behind it is heard.
    assert say(tmp_path)["changed"] and len(run.words()) == 1 and run.box.refused() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"keys": 1}', '{"keys": [1], "run": 5}'])
def test_damaged_files_stop_nobody(text: str, tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    for name in (f"ats-{SERIAL}_1.word", "ats-other.ask"):
        (tmp_path / "words" / name).write_text(text)
    assert say(tmp_path)["changed"] and len(run.words()) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"permit": {"a": 1}}, {"keys": ["\x00"]}, {"keys": ["\ud800"]}, {"keys": [["x"]]}, {"run": 5}, {"source": None}],
)
def test_an_ask_of_another_kind_is_none(wrong: dict[str, Any], tmp_path: Path) -> None:
    Waiting(tmp_path)
    for ask in (tmp_path / "words").glob("*.ask"):
        ask.write_text(json.dumps(json.loads(ask.read_text()) | wrong))
    assert say(tmp_path)["error"]["kind"] == "refused"


@pytest.mark.parametrize("what", ["pipe", "folder", "link"])
def test_what_is_no_file_stops_nobody(what: str, tmp_path: Path) -> None:
    """A pipe that were read would be waited for, for ever."""
    run = Waiting(tmp_path)
    for name in (f"ats-{SERIAL}_1.word", "ats-other.ask"):
        path = tmp_path / "words" / name
        if what == "pipe":
            os.mkfifo(path)
        elif what == "folder":
            path.mkdir()
        else:
            path.symlink_to(path)
    assert say(tmp_path)["changed"] and len(run.words()) == 1 and not run.box.problem
    run.box.withdraw()


def test_a_file_too_long_is_no_word(tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    say(tmp_path)
    (word,) = (tmp_path / "words").glob("*.word")
    word.write_text(word.read_text() + " " * 70_000)
    assert run.words() == []


def test_a_folder_that_fails_is_no_word_and_no_end_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Waiting(tmp_path)
    say(tmp_path)

    def refuse(*_given: Any, **_more: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(words.Path, "unlink", refuse)
    assert run.words() == [] and "Read-only" in run.box.problem
    # The run is told, and says it: whoever speaks by ats_word hears only that no run asks.
    (told,) = run.box.refused()
    assert "ats_word cannot be heard by this run" in told and "Read-only" in told
    assert run.words() == [] and run.box.refused() == [], "told again at every look"
    monkeypatch.setattr(words.os, "open", refuse)
    run.box.publish(run.asked)
    assert say(tmp_path)["error"]["kind"] == "state"


def test_another_units_words_are_left_alone(tmp_path: Path) -> None:
    run = Waiting(tmp_path)
    other = Waiting(tmp_path, ["addr-192.0.2.9-161", f"ats-{SERIAL}0"], run="r2")
    assert say(tmp_path, unit=f"{SERIAL}0")["changed"]
    assert run.words() == [] and len(other.words()) == 1
    assert take_words(tmp_path / "none", KEYS, 3) == []


# --- ats_permit_info ----------------------------------------------------------------------------------------


def info(folder: Path, **given: Any) -> dict[str, Any]:
    params = {"host": None, "unit": None, "state_dir": str(folder), **given}
    return _module.run_named("ats_permit_info", params, False, _module.NullProgress())


def work(folder: Path, run: str, state: PermitState, serial: str = SERIAL, simulated: bool = False) -> Evidence:
    store = StateDir(folder, ephemeral=True)
    store.prepare()
    head = {"label": "ats-01", "unit": {"ats_serial": serial, "card_serial": serial, "model": "AP7724", "name": "x"}}
    keys = ["addr-192.0.2.1-161", f"ats-{serial}", f"card-{serial}"]
    kept = Evidence(store.folder("evidence", simulated), run, keys, head, NOON)
    permit = Permit(3, state, NOON.isoformat(), "single_source", "A", "secondary_disconnected", promise="p", deed="d")
    kept.write("permit", NOON, event={"what": "deed", "text": "said"}, permit=permit.to_record())
    return kept


@pytest.mark.parametrize(
    "name",
    [{"host": "192.0.2.1"}, {"unit": SERIAL}, {"unit": SERIAL.lower()}, {"unit": "ats-01"}, {"unit": "192.0.2.1"}],
)
def test_the_permit_by_every_name_of_the_unit(name: dict[str, str], tmp_path: Path) -> None:
    work(tmp_path, "one", PermitState.ASKED).close()
    work(tmp_path, "two", PermitState.ISOLATED).close()
    result = info(tmp_path, **name)
    permit = result["permit"]
    assert (permit["number"], permit["state"], permit["primary_source"]) == (3, "isolated", "A"), result
    assert (permit["promised"], permit["deed"], permit["holder"], permit["doubtful"]) == ("p", "d", None, False)
    assert "Keep it out" in permit["next_action"] and "source B" in permit["next_action"].replace("S", "s")
    assert [(line["run"], line["state"], line["event"]) for line in result["history"]] == [
        ("one", "asked", "deed"),
        ("two", "isolated", "deed"),
    ]
    assert result["chain"] == {"ok": True, "breaks": []} and result["unit"]["ats_serial"] == SERIAL
    assert result["changed"] is False and result["others"] == [] and result["simulated"] is False


@pytest.mark.parametrize("state", [PermitState.OPEN, PermitState.OUT, PermitState.RETURNING])
def test_a_permission_whose_run_is_gone_is_none(state: PermitState, tmp_path: Path) -> None:
    """Killed, or cut off from its controller: its permission may be the last line on somebody's screen."""
    work(tmp_path, "one", state).close()
    permit = info(tmp_path, unit=SERIAL)["permit"]
    assert permit["state"] == state.value and permit["holder"] is None
    assert permit["next_action"].startswith("STOP: the run that allowed something is gone")
    assert "allows" not in permit["next_action"]


def test_while_a_run_holds_the_unit_it_is_named(tmp_path: Path) -> None:
    work(tmp_path, "one", PermitState.OPEN).close()
    locks = StateDir(tmp_path, ephemeral=True).locks("r9")
    locks.add([f"ats-{SERIAL}"])
    locks.name(permit=3)
    permit = info(tmp_path, unit=SERIAL)["permit"]
    assert permit["holder"].startswith(f"run r9, pid {os.getpid()} on host ") and permit["holder"].endswith("permit 3")
    assert "follow its own screen" in permit["next_action"]
    with pytest.raises(_module.Stop):
        StateDir(tmp_path, ephemeral=True).locks("r10").add([f"ats-{SERIAL}"])
    locks.close()


def test_another_unit_at_the_address_is_named_and_its_permit_not_used(tmp_path: Path) -> None:
    work(tmp_path, "one", PermitState.ISOLATED).close()
    work(tmp_path, "two", PermitState.CLOSED, "5A1511T00002").close()
    result = info(tmp_path, host="192.0.2.1")
    assert result["permit"]["state"] == "closed" and result["unit"]["ats_serial"] == "5A1511T00002"
    assert [other["ats_serial"] for other in result["others"]] == [SERIAL]
    assert {line["run"] for line in result["history"]} == {"two"} and result["chain"]["ok"]
    older = info(tmp_path, unit=SERIAL)
    assert older["permit"]["state"] == "isolated" and older["chain"]["ok"]


@pytest.mark.parametrize(
    ("held", "is_ours"),
    [
        (["addr-192.0.2.1-161", "ats-5A1511T00009", "card-5A1511T00009"], False),
        (["addr-192.0.2.1-161", "card-5A1511T00009"], False),
        # What answers there names no serial number: it may be this unit.
        (["addr-192.0.2.1-161"], True),
        (["addr-192.0.2.7-161", f"ats-{SERIAL}"], True),
        # Its card in another unit.
        ([f"card-{SERIAL}", "ats-5A1511T00009"], False),
        (["addr-192.0.2.7-161"], False),
    ],
)
def test_a_run_with_another_unit_at_its_address_is_not_at_work_on_this_one(
    held: list[str], is_ours: bool, tmp_path: Path
) -> None:
    """Its words are what keeps a hand off the plug that is out: another run's screen says nothing of it."""
    work(tmp_path, "one", PermitState.ISOLATED).close()
    locks = StateDir(tmp_path, ephemeral=True).locks("r9")
    locks.add(held)
    permit = info(tmp_path, unit=SERIAL)["permit"]
    locks.close()
    assert (permit["holder"] is not None) is is_ours
    assert ("Keep it out" in permit["next_action"]) is not is_ours


def test_an_address_that_another_unit_has_now_is_not_this_ones(tmp_path: Path) -> None:
    """The run that holds it may not have read a serial number yet."""
    work(tmp_path, "one", PermitState.ISOLATED).close()
    work(tmp_path, "two", PermitState.CLOSED, "5A1511T00002").close()
    locks = StateDir(tmp_path, ephemeral=True).locks("r9")
    locks.add(["addr-192.0.2.1-161"])
    assert info(tmp_path, unit=SERIAL)["permit"]["holder"] is None
    assert info(tmp_path, unit="5A1511T00002")["permit"]["holder"] is not None
    locks.close()


@pytest.mark.parametrize("how", ["forged", "lost", "added"])
def test_a_chain_that_does_not_hold_is_said_in_the_words(how: str, tmp_path: Path) -> None:
    kept = work(tmp_path, "one", PermitState.ISOLATED)
    lines = kept.path.read_text().splitlines(keepends=True)
    forged = json.loads(lines[-1])
    forged["permit"]["state"] = "closed"
    if how == "lost":
        del lines[0]
    else:
        lines[len(lines) if how == "added" else -1 :] = [json.dumps(forged) + "\n"]
    kept.path.write_text("".join(lines))
    result = info(tmp_path, unit="192.0.2.1" if how == "lost" else SERIAL)
    assert result["chain"]["ok"] is False and result["permit"]["doubtful"] is True
    assert result["permit"]["next_action"].startswith("The evidence is not whole")
    assert "Touch nothing on its word" in result["permit"]["next_action"]


def test_damage_is_told_and_takes_every_allowance_away(tmp_path: Path) -> None:
    kept = work(tmp_path, "one", PermitState.CLOSED)
    with kept.path.open("a") as file:
        file.write('{"kind": "per')
    result = info(tmp_path, unit=SERIAL)
    assert result["chain"]["ok"] is False and result["permit"]["doubtful"] is True
    assert result["chain"]["breaks"] == [{"file": kept.path.name, "line": 3, "why": "the record cannot be read"}]
    assert "Touch nothing" in result["permit"]["next_action"]


@pytest.mark.parametrize("wrong", [{"keys": 5}, {"keys": ["\ud800"]}, {"unit": {"ats_serial": "\ud800"}}, {"t": []}])
def test_a_record_of_another_kind_is_damaged(wrong: dict[str, Any], tmp_path: Path) -> None:
    kept = work(tmp_path, "one", PermitState.ISOLATED)
    with kept.path.open("a") as file:
        file.write(json.dumps({"kind": "run", "n": 3} | wrong) + "\n")
    result = info(tmp_path, unit=SERIAL)
    assert result["permit"]["doubtful"] is True and result["permit"]["state"] == "isolated", result
    assert [each["why"] for each in result["chain"]["breaks"]] == ["the record cannot be read"]


def test_a_lock_that_says_nonsense_is_still_held(tmp_path: Path) -> None:
    work(tmp_path, "one", PermitState.OPEN).close()
    locks = StateDir(tmp_path, ephemeral=True).locks("r9")
    locks.add([f"ats-{SERIAL}"])
    (tmp_path / "locks" / f"ats-{SERIAL}.lock").write_text('{"run": "\\ud800"}')
    permit = info(tmp_path, unit=SERIAL)["permit"]
    assert permit["holder"] == "run ?, pid ? on host ?" and "follow its own screen" in permit["next_action"]
    locks.close()


def test_nothing_known_is_not_nothing_to_do(tmp_path: Path) -> None:
    for unit in ("5A1511T00077", "ats-01", "192.0.2.1"):
        result = info(tmp_path, unit=unit)
        assert result["failed"] and result["error"]["kind"] == "state" and unit in result["msg"]
    assert info(tmp_path, host="")["failed"] and not list(tmp_path.iterdir())


def test_a_simulated_units_permit_is_marked(tmp_path: Path) -> None:
    work(tmp_path, "one", PermitState.SETTLED, simulated=True).close()
    assert info(tmp_path, unit="ats-01")["simulated"] is True
