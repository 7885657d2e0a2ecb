# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much work something is, counted and not timed: the same on every machine, however busy."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import sre_parse  # its own parser: what re makes of a pattern

DOMAIN = "ansible_collections.dcops.apc.plugins.module_utils._domain"
# A wait that lasts longer hangs: a guard, far above what is waited for and below every timeout that is the default of
# an option. A peer that must not be waited for is silent for longer.
HANG_S, SILENT_S = 25.0, 90.0


class Counted:
    """A pattern that adds up what it is asked to look at."""

    def __init__(self, pattern: re.Pattern[str], add: Callable[[int], None]) -> None:
        self._pattern, self._add = pattern, add

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._pattern, name)
        if not callable(real):
            return real

        def counting(*arguments: Any, **named: Any) -> Any:
            self._add(max((len(item) for item in arguments if isinstance(item, str)), default=0))
            return real(*arguments, **named)

        return counting


def _modules(prefix: str | tuple[str, ...]) -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.startswith(prefix) and module is not None]


def patterns(prefix: str | tuple[str, ...] = DOMAIN) -> dict[str, re.Pattern[str]]:
    return {
        f"{module.__name__}.{name}": value
        for module in _modules(prefix)
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }


@contextmanager
def _counted(prefix: str | tuple[str, ...], add: Callable[[int], None]) -> Iterator[None]:
    replaced = []
    try:
        for module in _modules(prefix):
            for name, value in list(vars(module).items()):
                if isinstance(value, re.Pattern):
                    replaced.append((module, name, value))
                    setattr(module, name, Counted(value, add))
        yield
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)


def effort(work: Callable[[], object], prefix: str | tuple[str, ...] = DOMAIN) -> int:
    """Calls of functions, in Python and in C, and characters that the patterns of these modules were given."""
    count = 0

    def add(characters: int) -> None:
        nonlocal count
        count += characters

    def called(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    with _counted(prefix, add):
        sys.setprofile(called)
        try:
            work()
        finally:
            sys.setprofile(before)
    return count


def explosive(pattern: re.Pattern[str]) -> bool:
    """Whether a repetition without end holds another one: what makes a match take for ever, in one call."""
    return _nested(sre_parse.parse(pattern.pattern, pattern.flags), False)


def _nested(tokens: Any, inside: bool) -> bool:
    for operation, argument in tokens:
        endless = str(operation) in ("MAX_REPEAT", "MIN_REPEAT") and argument[1] is sre_parse.MAXREPEAT
        if endless and inside:
            return True
        if any(_nested(part, inside or endless) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> Iterator[Any]:
    if isinstance(argument, sre_parse.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for item in argument:
            yield from _parts(item)
