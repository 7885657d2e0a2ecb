# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of ``make test``: figures, what failed, what was skipped and why, and one line with the counts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from stages import Stage


@dataclass(frozen=True)
class Outcome:
    stage: Stage
    status: int = 0
    seconds: float = 0.0
    processor_s: float = 0.0
    skipped: str = ""


@dataclass
class Counts:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)  # failed test -> its message, in short
    skipped: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # reason -> tests
    figures: Counter[str] = field(default_factory=Counter)  # numbers recorded with record_property, summed


def in_short(message: str) -> str:
    """Both ends of a message: what was wrong stands in the first line or, behind a whole play's output, in the last."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or ["no message"]
    return " ... ".join(line[:160] for line in dict.fromkeys((lines[0], lines[-1])))


def read_junit(folder: Path) -> Counts:
    counts = Counts()
    for report in sorted(folder.rglob("*.xml")):
        for case in ET.parse(report).getroot().iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}".removeprefix("::")
            skipped = case.find("skipped")
            broken = next((each for kind in ("failure", "error") for each in case.iterfind(kind)), None)
            if broken is not None:
                counts.failed.append(name)
                counts.why[name] = in_short(broken.get("message") or broken.text or "")
            elif skipped is not None:
                counts.skipped[skipped.get("message") or (skipped.text or "no reason given").strip()].append(name)
            else:
                counts.passed += 1
            for item in case.iter("property"):
                if (item.get("value") or "").isdigit():
                    counts.figures[item.get("name") or ""] += int(item.get("value") or 0)
    return counts


def print_list(title: str, lines: list[str]) -> None:
    print(f"\n{title}")
    for line in lines or ["none"]:
        print(f"  {line}")


def print_summary(outcomes: list[Outcome], junit: Path, seconds: float) -> int:
    total = Counts()
    failed = 0
    for outcome in outcomes:
        counts = read_junit(junit / outcome.stage.name)
        total.failed += counts.failed
        total.why |= counts.why
        # A stage that failed without a failing test of its own (a linter, a crash) counts as one failure.
        failed += len(counts.failed) or outcome.status != 0
        total.passed += counts.passed
        total.figures.update(counts.figures)
        for reason, names in counts.skipped.items():
            total.skipped[reason] += names

    print(f"\n{'stage':<20} {'result':<8} {'s':>5} {'processor s':>12}")
    for outcome in outcomes:
        result = "skipped" if outcome.skipped else "FAILED" if outcome.status else "ok"
        print(f"{outcome.stage.name:<20} {result:<8} {outcome.seconds:>5.0f} {outcome.processor_s:>12.0f}")
    used_s = sum(outcome.processor_s for outcome in outcomes)
    print(f"{'all, side by side':<20} {'':<8} {seconds:>5.0f} {used_s:>12.0f}")

    if total.figures:
        print_list("Recorded by tests:", [f"{name}: {number}" for name, number in total.figures.items()])
    if total.failed:
        print_list("Failed tests:", [f"{name}\n    {total.why[name]}" for name in total.failed])
    not_run = [f"stage {outcome.stage.name}: {outcome.skipped}" for outcome in outcomes if outcome.skipped]
    for reason, names in total.skipped.items():
        not_run.append(f"{len(names)} x {reason}")
        not_run += [f"    {name}" for name in names[:5]]
        not_run += [f"    and {len(names) - 5} more"] if len(names) > 5 else []
    print_list("Skipped, and why:", not_run)

    bad = [outcome.stage.name for outcome in outcomes if outcome.status != 0]
    ran_tests = any((junit / outcome.stage.name).is_dir() for outcome in outcomes)
    wanted_tests = any("pytest" in command for outcome in outcomes for command in outcome.stage.commands[0])
    nothing = wanted_tests and not (ran_tests and total.passed)
    if nothing:
        print("\nNo test passed at all: that is a failure.")
    print(f"\nFAILED stages: {', '.join(bad)}" if bad else "")
    skipped = sum(len(names) for names in total.skipped.values())
    print(f"{total.passed} passed, {failed} failed, {skipped} skipped")
    return 1 if bad or failed or nothing else 0
