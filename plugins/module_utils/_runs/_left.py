# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what state a run that fails leaves the unit, and what the person must do then: each run declares its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import recovery
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import Context, State, next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_words import WHEN_IN_DOUBT
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.gap_words import said_of_error
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd, ups_next_action

# True whatever was sent before: for errors that come without a state.
STAY = "Leave every plug and every load as it is, do not power-cycle the unit, and run again."


@dataclass(frozen=True)
class Left:
    """``state``: where the run was refused before the unit was at hand. ``otherwise``: after an error that brings no
    state of its own; None: nobody knows. ``words``: (state, options, details of the error) -> the instruction.

    ``state`` None: of a module that can move no unit. ``more``: what its failure always tells beside that, from (kind,
    message, result)."""

    state: Enum | None
    words: Callable[[Any, Mapping[str, Any], Mapping[str, Any]], str]
    otherwise: Enum | None = None
    more: Callable[[str, str, Mapping[str, Any]], dict[str, Any]] | None = None

    def told(
        self, state: Enum | None, params: Mapping[str, Any], details: Mapping[str, Any]
    ) -> tuple[Enum | None, str]:
        state = state if state is not None else self.otherwise
        return state, self.words(state, params, details) if state is not None else STAY


def _ats_words(state: State, params: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    # The options may be what is wrong: nothing in them is taken for granted.
    methods = {method.value: method for method in Method}
    primary = {source.name: source for source in Source}.get(str(params.get("primary_source")))
    differences = tuple(str(item) for item in details.get("differences") or ())
    method = methods.get(str(params.get("method")), Method.SINGLE_SOURCE)
    return next_action(state, Context(method, primary, str(details.get("holder", "")), differences))


def _ups_words(state: UpsEnd, params: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    return ups_next_action(state)


ATS_LEFT = Left(State.NOTHING_SENT_UNSURE, _ats_words)
# A run that has found another state brings it, and its words, with every error.
UPS_LEFT = Left(UpsEnd.NOTHING_SENT, _ups_words, otherwise=UpsEnd.NOTHING_SENT)


def _recovery_words(state: State, params: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """It sends nothing itself, so a word on what it sent is none on what an earlier run did."""
    return WHEN_IN_DOUBT


def _next_step(kind: str, message: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """However it failed, the recovery's next step is known."""
    return recovery.after_failure(message, str(result["next_action"])).to_result()


def _gap_words(kind: str, message: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return said_of_error(kind, message, result.get("nmc")).to_result()


RECOVERY_LEFT = Left(State.NOTHING_SENT_UNSURE, _recovery_words, State.NOTHING_SENT_UNSURE, _next_step)
GAP_LEFT = Left(None, _ats_words, more=_gap_words)
# Of a module that can move no unit.
NOTHING_LEFT: Left | None = None

__all__ = ["ATS_LEFT", "GAP_LEFT", "NOTHING_LEFT", "RECOVERY_LEFT", "STAY", "UPS_LEFT", "Left"]
