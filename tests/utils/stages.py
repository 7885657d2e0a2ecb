# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``make test`` consists of: a table of stages, and which of them run side by side."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ansible_test import NEED_DEVICE

REPO = Path(__file__).resolve().parents[2]
OUTPUT = REPO / "tests" / "output"
PYTHON = sys.executable
WORKERS = os.environ.get("PYTEST_WORKERS") or str(min(os.cpu_count() or 2, 4))


class Lane(Enum):
    """Stages of one lane run one after the other."""

    TESTS = "tests on virtual time"
    CHECKS = "linters and ansible-test"
    PLAYS = "playbooks on real time, which a busy machine could make late: two at once by themselves"
    SERVERS = "transports and pages on real time"
    ROLES = "roles on real time, one after the other"


# Lanes of one group run side by side, groups one after the other.
GROUPS = ((Lane.TESTS, Lane.CHECKS), (Lane.PLAYS,), (Lane.SERVERS, Lane.ROLES))


@dataclass(frozen=True)
class Stage:
    name: str
    lane: Lane
    commands: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...] = ()
    folder: str = "."
    # Run at the end, whatever happened before.
    cleanup: tuple[str, ...] = ()
    # Its temporary folders may lie in memory: evidence is synced record by record, and no test here is about the disk.
    in_memory: bool = False
    # A quicker or a wider cut of what other stages run: not part of the whole.
    by_name_only: bool = False


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", name, *arguments)


def script(name: str, *arguments: str) -> tuple[str, ...]:
    """A console script of .venv, run by its interpreter: its first line may be too long, or hold a space."""
    return (PYTHON, str(Path(PYTHON).parent / name), *arguments)


def own(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, str(REPO / "tests" / "utils" / name), *arguments)


def check(name: str, *command: str) -> Stage:
    return Stage(name, Lane.CHECKS, (command,))


def pytest(name: str, lane: Lane, *paths: str) -> Stage:
    """The first path is a must; the others count where they exist."""
    existing = [path for path in paths if (REPO / path).exists()]
    junit = OUTPUT / "junit" / name / "pytest.xml"
    command = tool("pytest", "-q", "-n", WORKERS, "--dist", "worksteal", f"--junit-xml={junit}", *existing)
    return Stage(name, lane, (command,), needs=paths[:1], in_memory=lane is Lane.TESTS)


# ansible-test runs tests/unit but for the simulated device, in an environment and under a loader of its own; to run it
# here as well would double the minutes and find nothing else.
ALL = (
    replace(pytest("unit", Lane.TESTS, "tests/unit"), by_name_only=True),
    pytest("simulator", Lane.TESTS, *NEED_DEVICE),
    pytest("procedure", Lane.TESTS, "tests/procedure"),
    pytest("property", Lane.TESTS, "tests/property"),
    pytest("model", Lane.TESTS, "tests/model"),
    check("ruff", *tool("ruff", "check", ".")),
    check("types", *own("check_types.py")),
    check("yamllint", *tool("yamllint", "--strict", ".")),
    check("changelog", *script("antsibull-changelog", "lint")),
    check("docs-lint", *own("docs_lint.py")),
    check("ansible-lint", *script("ansible-lint", "--profile", "production", "--offline", "--strict")),
    check("sanity", *own("ansible_test.py", "sanity", "--local")),
    Stage(
        "ansible-test-units",
        Lane.CHECKS,
        (own("ansible_test.py", "units", "--venv", "--num-workers", WORKERS),),
        needs=("tests/unit/plugins",),
    ),
    check("build", *own("build_and_install.py")),
    pytest("integration", Lane.PLAYS, "tests/integration_py"),
    pytest("servers", Lane.SERVERS, "tests/servers"),
    pytest("browser", Lane.SERVERS, "tests/browser"),
    Stage(
        "molecule",
        Lane.ROLES,
        (script("molecule", "-c", "../.config/molecule/config.yml", "test", "--all"),),
        folder="tests",
        # molecule leaves the devices running when its create step fails.
        cleanup=own("simulated_device.py", "stop", str(OUTPUT / "molecule")),
    ),
)
STAGES = {stage.name: stage for stage in ALL}
