# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single faults in what must never be wrong, one at a time, in a copy: each must fail a quick test.

``mutants.py [name part ...]``; ends with 1 if one survives, or if a row no longer fits the text.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
DOMAIN = "plugins/module_utils/_domain"
CORE = f"{DOMAIN}/ats"
STEPS = "plugins/module_utils/_procedure"
UNIT = "tests/unit/plugins/module_utils"
OF_ATS, OF_UPS = "tests/procedure/ats", "tests/procedure/ups"
LIMIT_S = 600


@dataclass(frozen=True)
class Mutant:
    """``old`` stands in the file exactly once."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PERMIT, SENDING, CONDUCT = f"{CORE}/permit.py", f"{CORE}/sending.py", f"{CORE}/conduct.py"
OF_PERMIT = (f"{UNIT}/_domain/ats/test_permit.py",)
OF_SENDING = (f"{UNIT}/_domain/ats/test_sending.py",)
OF_CONDUCT = (f"{UNIT}/_domain/ats/test_conduct.py",)
INTERLOCK, CHECKS = f"{CORE}/interlock.py", f"{CORE}/checks.py"
WINDOW, VERDICT, SEEN, WORDS = (f"{DOMAIN}/{name}.py" for name in ("window", "verdict", "seen", "confirmations"))
KEEPER, ISOLATE, SETTLE, RESTORE = (f"{STEPS}/ats/{name}.py" for name in ("keeper", "isolate", "settle", "restore"))
SAID, TRANSFER = f"{STEPS}/ats/said.py", f"{STEPS}/ats/transfer.py"
UPDATE = f"{STEPS}/ups/update.py"


def tests(file: str, *names: str) -> tuple[str, ...]:
    """Those of a file: the rest of it would only cost time."""
    return tuple(f"{file}::{name}" for name in names)


def of_interlock(*names: str) -> tuple[str, ...]:
    return tests(f"{UNIT}/_domain/ats/test_interlock.py", *names)


def of_checks(*names: str) -> tuple[str, ...]:
    return tests(f"{UNIT}/_domain/ats/test_checks.py", *names)


def of_window(*names: str) -> tuple[str, ...]:
    return tests(f"{UNIT}/_domain/test_window.py", *names)


def of_words(*names: str) -> tuple[str, ...]:
    return tests(f"{UNIT}/_domain/test_confirmations.py", *names)


def of_settle(*names: str) -> tuple[str, ...]:
    return tests(f"{OF_ATS}/test_settle.py", *names)


def of_restore(*names: str) -> tuple[str, ...]:
    return tests(f"{OF_ATS}/test_restore.py", *names)


def of_third(*names: str) -> tuple[str, ...]:
    return tests(f"{OF_ATS}/test_third_reading.py", *names)


def of_order(*names: str) -> tuple[str, ...]:
    return tests(f"{OF_ATS}/test_words_first.py", *names)


def swapped(file: str, first: str, second: str, found: tuple[str, ...]) -> Mutant:
    """Two steps that stand behind one another, the other way round."""
    return Mutant(file, first + second, second + first, found)


def row(event: str, *cells: str) -> str:
    """A row of the permit's table as it is written there."""
    widths = (12, 10, 10, 10, 10, 10, 9, 9, 10, 10, 10)
    return (
        "".join(cell.ljust(width - 1) + " " for cell, width in zip((event, *cells[:-1]), widths, strict=True))
        + cells[-1]
    )


def transition(event: str, before: str, after: str) -> Mutant:
    """A row of cells, and the one with a transition too much or too few."""
    return Mutant(PERMIT, row(event, *before.split()), row(event, *after.split()), OF_PERMIT)


MUTANTS = {
    # permit.py: the table
    "STOR without isolation": transition("stor", "- - - - sending - - - - - -", "- sending - - sending - - - - - -"),
    "permission while it settles": transition("permission", "- open = - - - - - - - -", "- open = - - - open - - - -"),
    "release while it settles": transition(
        "release",
        "returning returning - - returning - - returning = returning -",
        "returning returning - - returning - returning returning = returning -",
    ),
    "a live sample leaves the isolation": transition(
        "reads_in", "= = = open asked = = = = = =", "= = = open = = = = = = ="
    ),
    "a permission that nobody can withdraw": transition(
        "withdraw", "- - withdrawn withdrawn - - - - withdrawn - -", "- - withdrawn = - - - - withdrawn - -"
    ),
    "the dark-rack sentence leaves the isolation": transition(
        "dark", "= = - - asked = = = - = =", "= = - - = = = = - = ="
    ),
    # permit.py: guards and effects
    "checks without a deed": Mutant(PERMIT, 'return "" if permit.deed else "no deed"', 'return ""', OF_PERMIT),
    "sending without a deed": Mutant(PERMIT, "bool(self.promise and self.deed)", "bool(self.promise)", OF_PERMIT),
    "a spent promise": Mutant(
        PERMIT,
        'in permit.spent:\n        return "this promise was spent by a release"\n    if _rests(event):',
        'in ():\n        return "this promise was spent by a release"\n    if _rests(event):',
        OF_PERMIT,
    ),
    "a spent deed": Mutant(
        PERMIT,
        'in permit.spent:\n        return "this word was spent',
        'in ():\n        return "this word was spent',
        OF_PERMIT,
    ),
    "a release spends nothing but its own": Mutant(
        PERMIT, "*permit.given, permit.promise, permit.deed, ", "", OF_PERMIT
    ),
    "a live sample leaves the deed": Mutant(
        PERMIT, "replace(_no_deed(permit, event), last_in_at=event.at", "replace(permit, last_in_at=event.at", OF_PERMIT
    ),
    "release before it settled": Mutant(PERMIT, "    What.RELEASE: _settled_only,\n", "", OF_PERMIT),
    "the last block leaves no trace": Mutant(PERMIT, "replace(permit, unsettled=True)", "permit", OF_PERMIT),
    "any method may follow": Mutant(
        PERMIT, "    if event.method not in BY_DEED:\n", '    if event.method == "":\n', OF_PERMIT
    ),
    # sending.py
    "an app cut after its last block": Mutant(
        SENDING, 'if event is FileEvent.CUT and sending.kind == "app":', "if event is FileEvent.CUT:", OF_SENDING
    ),
    "a broken app is not installed": Mutant(
        SENDING, "    if event is FileEvent.CUT and sending", "    if sending", OF_SENDING
    ),
    "what never began undoes what went before": Mutant(
        SENDING, "        return sending.earlier\n", "        return FileState.NONE\n", OF_SENDING
    ),
    # conduct.py
    "a permission beside what stands against it": Mutant(
        CONDUCT, "What.PERMISSION if seen.ready and not seen.bad and", "What.PERMISSION if seen.ready and", OF_CONDUCT
    ),
    "an open permission stays as the window breaks": Mutant(
        CONDUCT, "return None if seen.ready else What.WITHDRAW", "return None", OF_CONDUCT
    ),
    "a deed while it reads neither way": Mutant(
        CONDUCT, "What.DEED if seen.deed and seen.out is True else None", "What.DEED if seen.deed else None", OF_CONDUCT
    ),
    "a release of what has not settled": Mutant(
        CONDUCT, "in RELEASABLE and not permit.unsettled:", "in RELEASABLE:", OF_CONDUCT
    ),
    "a permission outlives its run": Mutant(
        CONDUCT,
        'no permission outlives it."""\n    return What.WITHDRAW if permit.stands else None',
        'no permission outlives it."""\n    return What.WITHDRAW if permit.stands and not permit.deed else None',
        OF_CONDUCT,
    ),
    "a deed is carried over from a run without an end": Mutant(
        CONDUCT, "if permit.deed and not ended and", "if not permit.deed and", OF_CONDUCT
    ),
    # interlock.py
    "a sample in which nothing held counts for the window": Mutant(
        INTERLOCK,
        "lambda sample: _holds(sample, rules, names))",
        "lambda sample: sample.answered)",
        of_interlock("test_one_sample_that_does_not_hold_within_the_window"),
    ),
    "what did not hold is carried over": Mutant(
        INTERLOCK,
        "if before is None or not before.ok:",
        "if before is None:",
        of_interlock("test_only_what_held_is_carried"),
    ),
    "carried over although the app answers": Mutant(
        INTERLOCK,
        "if newest.app_answers or newest.identity",
        "if newest.identity",
        of_interlock("test_a_starting_app_or_any_object_ends_it"),
    ),
    "a minute of answers is enough for a blind window": Mutant(
        INTERLOCK, "BLIND_ANSWER_S = 120.0", "BLIND_ANSWER_S = 60.0", of_interlock("test_blind_after_120_s_of_answers")
    ),
    "one of two words that does not count is waited for": Mutant(
        INTERLOCK,
        "any(_refused(case, what) for what in WORDS[check.id])",
        "all(_refused(case, what) for what in WORDS[check.id])",
        of_interlock("test_what_was_said_and_does_not_count_is_not_waited_for"),
    ),
    "what is live passes for old beside any old reading": Mutant(
        INTERLOCK,
        "if live and not is_old(newest.ats, case.old):",
        "if live and not case.old:",
        of_interlock("test_recovery_with_both_inputs_live_only_where_just_that_was_shown_before"),
    ),
    "a few readings make a reference": Mutant(
        INTERLOCK,
        "if len(real) >= case.bounds.min_samples else None",
        "if real else None",
        of_interlock("test_the_mean_of_a_primary_without_a_reference_needs_a_window_of_good_readings"),
    ),
    # checks.py
    "10 % is dead": Mutant(
        CHECKS,
        "if voltage >= DEAD_SHARE * reference:",
        "if voltage > DEAD_SHARE * reference:",
        of_checks("test_dead_is_below_ten_percent_of_the_reference"),
    ),
    "one companion is enough without a voltage": Mutant(
        CHECKS,
        "if frequency_gone and supply_gone:",
        "if frequency_gone or supply_gone:",
        of_checks("test_without_a_voltage_three_others"),
    ),
    "a preferred source that cannot be read": Mutant(
        CHECKS,
        "if preferred.fitted and preferred.value not in wanted:",
        "if preferred.known and preferred.value not in wanted:",
        of_checks("test_preferred_is_the_primary_or_none"),
    ),
    "a supply that cannot be read": Mutant(
        CHECKS,
        "        if supply.fitted and not supply.known:\n"
        '            return Found(False, f"supply {name} {supply.shown()}", missing=True)\n',
        "",
        of_checks("test_the_switch"),
    ),
    # window.py, verdict.py, seen.py
    "30 s are over 30 s": Mutant(
        WINDOW,
        "if span <= bounds.stability_s or",
        "if span < bounds.stability_s or",
        of_window("test_over_30_seconds_and_at_least_8_samples"),
    ),
    "any number of samples": Mutant(
        WINDOW,
        " or len(window.samples) < bounds.min_samples:",
        ":",
        of_window("test_at_least_8_samples_also_where_the_gaps_may_be_wide"),
    ),
    "a sample of 5 s ago is fresh": Mutant(
        WINDOW,
        "if age >= bounds.fresh_s:",
        "if age > bounds.fresh_s:",
        of_window("test_the_newest_is_younger_than_5_seconds"),
    ),
    "a lost answer hides a change": Mutant(
        WINDOW,
        "before is not None and bool(_change(before, newer, holds))",
        "False",
        of_window("test_a_change_that_hides_behind_a_lost_answer_is_one_too"),
    ),
    "a clock that stands still is one that runs": Mutant(
        WINDOW,
        "newer.at_s - older.at_s) or 0.0",
        "newer.at_s - older.at_s) or 1.0",
        of_window("test_a_clock_that_stands_still_is_seen_at_once"),
    ),
    "nothing checked is nothing against it": Mutant(
        VERDICT,
        "return bool(self.checks) and all(check.ok for check in self.checks)",
        "return all(check.ok for check in self.checks)",
        of_interlock("test_an_empty_verdict_permits_nothing"),
    ),
    "ready while time is missing": Mutant(
        VERDICT,
        "(check.pending and check.id not in TIMED)",
        "check.pending",
        of_interlock("test_time_that_is_missing_is_not_ready"),
    ),
    "an option lowers the window": Mutant(
        SEEN,
        "stability_s=max(stability_s, STABILITY_FLOOR_S)",
        "stability_s=stability_s",
        of_interlock("test_options_raise_the_window_and_cannot_lower_it"),
    ),
    # confirmations.py
    "a word of the very moment of a release": Mutant(
        WORDS,
        "if floor is not None and given <= floor:",
        "if floor is not None and given < floor:",
        of_words("test_a_release_since_then_voids_it"),
    ),
    "a deed of the very reading that contradicts it": Mutant(
        WORDS,
        "given <= floors.last_in:",
        "given < floors.last_in:",
        of_words("test_a_deed_is_later_than_the_last_reading_that_contradicts_it"),
    ),
    "an attempt at recovery voids no word": Mutant(
        WORDS,
        "*(self.attempts if attempts else ())",
        "",
        of_words("test_a_recovery_attempt_voids_deeds_and_statements_and_no_promise"),
    ),
    "a day's promise outlives a release of that day": Mutant(
        WORDS,
        "released.astimezone(zone).date() >= day:",
        "released.astimezone(zone).date() > day:",
        of_words("test_a_days_promise_is_spent_by_a_release_since_that_date_began"),
    ),
    # settle.py
    "what an earlier process watched settles an app": Mutant(
        SETTLE,
        "(0.0 if alone else unit.carry.seconds)",
        "unit.carry.seconds",
        of_settle("test_a_source_that_returned_is_watched_for_240_s_by_the_next_run"),
    ),
    "settled before the card is up for 300 s": Mutant(
        SETTLE,
        "if watch.uptime_s < SHORT_UPTIME_S * twice or self._watched",
        "if self._watched",
        of_settle("test_not_settled_before_the_card_is_up_for_300_s"),
    ),
    "a log of before the 240 s is good enough": Mutant(
        SETTLE,
        "needed = now - self._watched(now, calm) + WATCH_S * twice",
        "needed = now - self._watched(now, calm)",
        of_settle("test_somebody_logs_in_meanwhile"),
    ),
    "what broke while the log was read": Mutant(
        SETTLE,
        "        if self._calm() != calm:\n"
        "            # What came while the log was read has broken it.\n"
        "            return False\n",
        "",
        of_settle("test_what_comes_while_the_log_is_read_begins_the_240_seconds_anew"),
    ),
    "a log that shares no row doubles nothing": Mutant(
        SETTLE,
        "if self._watched(now, calm) < WATCH_S * facts.doubled:",
        "if self._watched(now, calm) < WATCH_S:",
        of_settle("test_a_log_that_shares_no_row_doubles_the_times"),
    ),
    # restore.py, isolate.py
    "30 s of it are redundant": Mutant(
        RESTORE, "STEADY_S = 60.0", "STEADY_S = 30.0", of_restore("test_called_redundant_after_more_than_60_s_of_it")
    ),
    "back although redundancy reads lost": Mutant(
        RESTORE,
        "if not (inside and healthy and redundant):",
        "if not (inside and healthy):",
        of_restore("test_in_again_is_not_yet_back"),
    ),
    "given again at once": Mutant(
        RESTORE, "AGAIN_S = 30.0", "AGAIN_S = 0.0", of_restore("test_given_again_after_30_s_in_which_all_was_well")
    ),
    "a watch that broke is over in a restore": Mutant(
        RESTORE,
        "if self.unit.observer.breaks != self.breaks:",
        "if self.unit.observer.breaks < self.breaks:",
        tests(f"{OF_ATS}/test_regressions.py", "test_the_persons_time_does_not_run_while_it_settles_again"),
    ),
    "a release by the reading of before its record": Mutant(
        RESTORE,
        "            sample = unit.observer.fresh()\n            return not self._problem(sample)",
        "            sample = unit.observer.newest\n            return not self._problem(sample)",
        of_order("test_what_comes_while_the_record_of_a_permission_is_written"),
    ),
    "a restart just before a release is not asked for": Mutant(
        RESTORE,
        "return not self._problem(sample) and not self._unproved(sample)",
        "return not self._problem(sample)",
        of_third("test_a_restart_while_the_release_is_written_is_seen_before_it_is_said"),
    ),
    "what breaks in the whole reading is no break": Mutant(
        RESTORE,
        "return Restoring(unit, breaks).run()",
        "return Restoring(unit, unit.observer.breaks).run()",
        of_third("test_what_breaks_the_watch_behind_the_settling_settles_anew"),
    ),
    "the next process forgets what read live": Mutant(
        SAID,
        "self._earlier[deed] = self.unit.carry.last_live(deed)",
        "self._earlier[deed] = None",
        of_third("test_a_deed_that_an_earlier_run_contradicted_is_none_for_the_next"),
    ),
    "a deed ends by what the run at hand rests on": Mutant(
        SAID,
        "if permit.deed and permit.rests_on:",
        "if False:",
        of_third("test_a_recovery_without_its_promise_ends_the_deed_that_it_reads_to_be_untrue"),
    ),
    "begun behind the blind window": Mutant(
        TRANSFER,
        "if self.blind is not None and self.blind_end_s is not None and unit.clock.now() > self.blind_end_s:",
        "if False:",
        of_third("test_no_file_is_begun_behind_the_blind_window"),
    ),
    "a permission by the reading of before its record": Mutant(
        ISOLATE,
        "            unit.observer.fresh()\n",
        "",
        of_order("test_what_comes_while_the_record_of_a_permission_is_written"),
    ),
    # The order of record and word: what allows is written first, what takes back is said first.
    "STOP is written, then said": swapped(
        KEEPER,
        """        if words:
            self._desk.stop_words(words)
""",
        """        event = self._event(what, reason)
        self.permit = self._step(event)
        if self.permit.stands:
            # Something may be pulled or plugged in still: then nothing waits for a disk.
            self._desk.record("permit", event=event.to_record(), permit=self.permit.to_record())
            return
        try:
            self._desk.record_or_stop("permit", event=event.to_record(), permit=self.permit.to_record())
        except Stop as exc:
            self._desk.evidence_lost = exc.message
""",
        of_order("test_a_permission_that_breaks_is_taken_back_before_it_is_written"),
    ),
    "a permission is said, then written": Mutant(
        KEEPER,
        """        self._desk.record_or_stop("permit", event=event.to_record(), permit=after.to_record())
        self.permit = after
        if still() and self._desk.permission_words(words):
""",
        """        self.permit = after
        if still() and self._desk.permission_words(words):
            self._desk.record_or_stop("permit", event=event.to_record(), permit=after.to_record())
""",
        of_order("test_what_allows_is_written_then_measured_then_said"),
    ),
    "a permission is measured, then written": Mutant(
        KEEPER,
        """        self._desk.record_or_stop("permit", event=event.to_record(), permit=after.to_record())
        self.permit = after
        if still() and""",
        """        holds = still()
        self._desk.record_or_stop("permit", event=event.to_record(), permit=after.to_record())
        self.permit = after
        if holds and""",
        of_order("test_what_allows_is_written_then_measured_then_said"),
    ),
    "STOP waits for the question to be closed": swapped(
        ISOLATE,
        """        unit.keeper.take(What.WITHDRAW, f"STOP, DO NOT PULL: {why}. {until}", why)
""",
        """        unit.said.hearing.close()
""",
        of_order("test_a_permission_that_breaks_is_taken_back_before_it_is_written"),
    ),
    "settled is said, then written": swapped(
        SETTLE,
        """        unit.record(
            "settled",
            aos=str(card.aos.version),
            app=str(card.app.version),
            unit=unit.unit_facts(),
            ended=unit.log.begun_rows(),
            uptime_s=unit.observer.newest.uptime_s,
            end_not_seen=end_not_seen,
        )
""",
        """        unit.say("settled", "settled")
""",
        of_order("test_what_is_over_is_written_before_it_is_said"),
    ),
    "redundant is said, then written": swapped(
        RESTORE,
        """            unit.keeper.send(What.BACK)
""",
        """            unit.say("fully redundant", "redundant")
""",
        of_order("test_what_is_over_is_written_before_it_is_said"),
    ),
    "the loads' end is said, then written": swapped(
        RESTORE,
        """            unit.keeper.send(What.BACK)
""",
        """            unit.say(LOADS_LAST, "closed")
""",
        of_order("test_what_is_over_is_written_before_it_is_said"),
    ),
    "a UPS's update is started, and its record is not written": Mutant(
        UPDATE,
        '    unit.record_or_stop("update_start", **begun,',
        '    unit.evidence.path is None and unit.record_or_stop("update_start", **begun,',
        tests(f"{OF_UPS}/test_kills.py", "test_killed_then_run_again[before the start's record-0.0]"),
    ),
    "a UPS's update is started by the reading of before its record": Mutant(
        UPDATE,
        "    doubt = _last_look(unit, writer)\n",
        "    doubt = None\n",
        (f"{OF_UPS}/test_last_look.py",),
    ),
}


def copy_of(target: Path) -> Path:
    tree = target / "ansible_collections" / "dcops" / "apc"
    for name in ("plugins", "tests", "docs"):
        shutil.copytree(REPO / name, tree / name, ignore=shutil.ignore_patterns("output", "__pycache__", "build"))
    shutil.copy(REPO / "pyproject.toml", tree)
    return tree


def caught(tree: Path, tests: tuple[str, ...]) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(tree.parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False
    )
    # 1 is a failed test; a mutant that cannot even be imported proves nothing.
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout.decode() + done.stderr.decode())
    return done.returncode == 1


def main() -> int:
    parts = sys.argv[1:]
    chosen = {name: one for name, one in MUTANTS.items() if not parts or any(part in name for part in parts)}
    survived = []
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of(Path(folder))
        clean = tuple(dict.fromkeys(test for one in chosen.values() for test in one.tests))
        if caught(tree, clean):
            raise SystemExit("the tests fail without any fault")
        for name, mutant in chosen.items():
            path = tree / mutant.file
            text = path.read_text(encoding="utf-8")
            if text.count(mutant.old) != 1:
                raise SystemExit(f"{name}: its text stands {text.count(mutant.old)} times in {mutant.file}")
            path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
            seen = caught(tree, mutant.tests)
            path.write_text(text, encoding="utf-8")
            print(f"{'caught  ' if seen else 'SURVIVED'} {mutant.file.rsplit('/', 1)[-1]}: {name}", flush=True)
            survived += [] if seen else [name]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
