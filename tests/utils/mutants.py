# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single faults in the machines that must never be wrong, one at a time, in a copy: each must fail a quick test.

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
CORE = "plugins/module_utils/_domain/ats"
UNIT = "tests/unit/plugins/module_utils"
LIMIT_S = 600


@dataclass(frozen=True)
class Mutant:
    """``old`` stands in the file exactly once.."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PERMIT, SENDING, CONDUCT = f"{CORE}/permit.py", f"{CORE}/sending.py", f"{CORE}/conduct.py"
OF_PERMIT = (f"{UNIT}/_domain/ats/test_permit.py",)
OF_SENDING = (f"{UNIT}/_domain/ats/test_sending.py",)
OF_CONDUCT = (f"{UNIT}/_domain/ats/test_conduct.py",)


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
