# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks the permit's world breadth first and prints what it found: ``permit_walk.py [--states N] [--depth N]``."""

from __future__ import annotations

import argparse
import sys
import time
from array import array
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

import permit_world
from permit_world import Broken, Unseen, World

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState


@dataclass
class Found:
    method: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    fixpoint: bool = False
    violations: list[tuple[str, list[str]]] = field(default_factory=list)
    unseen: Counter[str] = field(default_factory=Counter)
    dead_ends: list[list[str]] = field(default_factory=list)
    permit_states: set[PermitState] = field(default_factory=set)


def _trace(parents: array[int], labels: array[int], names: list[str], at: int) -> list[str]:
    steps = []
    while at:
        steps.append(names[labels[at]])
        at = parents[at]
    return steps[::-1]


def walk(
    method: str,
    most: int = 10**8,
    deepest: int = 10**6,
    violations: int = 5,
    first: World | None = None,
    progress: bool = False,
) -> Found:
    found = Found(method)
    first = first or permit_world.start(method)
    numbers: dict[Hashable, int] = {permit_world.key(first): 0}
    parents, labels = array("i", [0]), array("i", [0])
    names: list[str] = []
    named: dict[str, int] = {}
    sources, targets = array("i"), array("i")
    closed = array("i")
    kinds: set[str] = set()
    front = [first]

    def number_of(label: str) -> int:
        if label not in named:
            named[label] = len(names)
            names.append(label)
        return named[label]

    def broken(what: str, at: int, label: str) -> None:
        if what not in kinds:
            kinds.add(what)
            found.violations.append((what, [*_trace(parents, labels, names, at), label]))

    while front and found.depth < deepest and len(numbers) < most and len(found.violations) < violations:
        following: list[World] = []
        for world in front:
            at = numbers[permit_world.key(world)]
            found.permit_states.add(world.permit.state)
            if world.permit.state is PermitState.CLOSED:
                closed.append(at)
            try:
                permit_world.instructed(world.permit)
            except Broken as error:
                broken(str(error), at, "(what the permit means to a reader)")
            steps = permit_world.moves(world)
            while True:
                try:
                    label, after = next(steps)
                except StopIteration:
                    break
                except Broken as error:
                    broken(str(error), at, "(the run's next step)")
                    break
                found.transitions += 1
                try:
                    permit_world.fate(world, after)
                except Unseen as error:
                    found.unseen[str(error)] += 1
                    continue
                except Broken as error:
                    broken(str(error), at, label)
                    continue
                name = permit_world.key(after)
                there = numbers.get(name)
                if there is None:
                    there = numbers[name] = len(numbers)
                    parents.append(at)
                    labels.append(number_of(label))
                    following.append(after)
                sources.append(at)
                targets.append(there)
        front = following
        found.depth += 1
        if progress and found.depth % 10 == 0:
            print(f"  {method}: depth {found.depth}, {len(numbers)} states", file=sys.stderr, flush=True)
    found.states, found.fixpoint = len(numbers), not front
    if found.fixpoint and not found.violations:
        found.dead_ends = [_trace(parents, labels, names, at) for at in _stuck(len(numbers), sources, targets, closed)]
    return found


def _stuck(count: int, sources: array[int], targets: array[int], closed: array[int]) -> list[int]:
    """From where no way leads to a closed permit; ``unit_removed`` is no step of this world, so it does not help."""
    starts = array("i", bytes(4 * (count + 1)))
    for target in targets:
        starts[target + 1] += 1
    for at in range(count):
        starts[at + 1] += starts[at]
    fill, back = array("i", starts), array("i", bytes(4 * len(sources)))
    for source, target in zip(sources, targets, strict=True):
        back[fill[target]] = source
        fill[target] += 1
    reached = bytearray(count)
    todo = list(closed)
    for at in todo:
        reached[at] = 1
    while todo:
        at = todo.pop()
        for index in range(starts[at], starts[at + 1]):
            if not reached[back[index]]:
                reached[back[index]] = 1
                todo.append(back[index])
    return [at for at in range(count) if not reached[at]]


def report(found: Found, seconds: float) -> None:
    end = "fixpoint" if found.fixpoint else "bound reached"
    print(
        f"{found.method}: {found.states} states, {found.transitions} transitions, depth {found.depth} ({end}), "
        f"{len(found.violations)} violations, {len(found.dead_ends)} without a way to closed, {seconds:.0f} s"
    )
    for what, count in sorted(found.unseen.items()):
        print(f"  SAFETY 8, not counted: {what}: {count}")
    for what, trace in found.violations:
        print(f"  VIOLATION {what}\n    " + "\n    ".join(trace))
    for trace in found.dead_ends[:2]:
        print("  NO WAY TO CLOSED\n    " + "\n    ".join(trace))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=10**8)
    parser.add_argument("--depth", type=int, default=10**6)
    parser.add_argument("--method", choices=list(permit_world.METHODS))
    options = parser.parse_args()
    wrong = 0
    for method in [options.method] if options.method else permit_world.METHODS:
        begun = time.monotonic()
        found = walk(method, options.states, options.depth, progress=True)
        report(found, time.monotonic() - begun)
        wrong += len(found.violations) + len(found.dead_ends)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
