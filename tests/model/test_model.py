# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk with a smaller bound, and that it can fail: machines with one fault each are caught.

``make model`` walks to the fixpoint.
"""

from __future__ import annotations

import permit_walk
import permit_world
import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct, permit
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import PermitState, What

STATES = 40_000


@pytest.fixture(autouse=True)
def _no_memory():
    """What a broken machine answered must not be remembered for the whole one, nor the other way round."""
    permit_world.forget()
    yield
    permit_world.forget()


@pytest.mark.parametrize("method", permit_world.METHODS)
def test_no_law_is_broken(method):
    found = permit_walk.walk(method, most=STATES)
    assert found.violations == []
    assert found.states >= STATES
    assert found.transitions > 4 * STATES
    reached = set(PermitState) - found.permit_states
    # The rest lies deeper than this bound.
    assert reached <= {PermitState.SETTLING, PermitState.SETTLED, PermitState.RETURNING, PermitState.CLOSED}


def cell(monkeypatch, state, what, target):
    monkeypatch.setitem(permit.CELLS, (PermitState(state), What(what)), target)


def stor_from_asked(patch):
    cell(patch, "asked", "stor", "sending")
    cell(patch, "asked", "holds", "isolated")
    patch.setitem(permit._GUARDS, What.STOR, permit._free)
    patch.setitem(permit._GUARDS, What.HOLDS, permit._free)
    patch.setattr(conduct, "_asked", lambda unit, seen: What.HOLDS if seen.out else None)


def deed_ignored(patch):
    patch.setitem(permit._GUARDS, What.HOLDS, permit._free)
    patch.setitem(permit._GUARDS, What.STOR, permit._free)
    patch.setattr(conduct, "_out", lambda unit, seen: What.HOLDS if seen.hold else None)
    patch.setattr(permit.Permit, "may_send", property(lambda unit: unit.state is PermitState.ISOLATED))


def permission_beside_a_dead_primary(patch):
    patch.setattr(conduct, "_open", lambda unit, seen: What.READS_OUT if seen.out else None)


def permission_while_settling(patch):
    cell(patch, "settling", "permission", "open")
    isolating = conduct.isolating
    patch.setattr(
        conduct,
        "isolating",
        lambda unit, seen: What.PERMISSION if unit.state is PermitState.SETTLING else isolating(unit, seen),
    )


def release_while_settling(patch):
    cell(patch, "settling", "release", "returning")
    patch.setitem(permit._GUARDS, What.RELEASE, permit._free)
    patch.setattr(
        permit_world,
        "restore",
        lambda world: (
            permit_world.say(world)
            if world.recorded
            else permit_world.apply(world, What.RELEASE)
            if world.permit.state is PermitState.SETTLING
            else permit_world.ended(world)
        ),
    )


def deed_outlives_the_dark_rack_sentence(patch):
    cell(patch, "isolated", "dark", "=")
    patch.setitem(permit._EFFECTS, What.DARK, permit._same)


def deed_outlives_a_live_sample(patch):
    cell(patch, "isolated", "reads_in", "=")
    patch.setitem(permit._EFFECTS, What.READS_IN, permit._same)


def deed_outlives_a_run_without_an_end(patch):
    patch.setattr(conduct, "begins", lambda unit, ended=True: What.WITHDRAW if unit.stands else None)


def promise_ignored(patch):
    cell(patch, "none", "permission", "open")
    patch.setitem(permit._GUARDS, What.PERMISSION, permit._free)
    patch.setitem(permit._GUARDS, What.DEED, permit._free)
    patch.setitem(permit._GUARDS, What.HOLDS, permit._free)
    patch.setitem(permit._GUARDS, What.STOR, permit._free)
    patch.setattr(permit.Permit, "may_send", property(lambda unit: unit.state is PermitState.ISOLATED))
    isolating = conduct.isolating
    patch.setattr(
        conduct,
        "isolating",
        lambda unit, seen: What.PERMISSION if unit.state is PermitState.NONE and seen.ready else isolating(unit, seen),
    )


def verdict_ignored_at_the_last_block(patch):
    patch.setattr(permit_world, "verdict_for_the_last_block", lambda world: True)


@pytest.mark.parametrize(
    "fault",
    [
        stor_from_asked,
        deed_ignored,
        permission_beside_a_dead_primary,
        permission_while_settling,
        release_while_settling,
        deed_outlives_the_dark_rack_sentence,
        deed_outlives_a_live_sample,
        deed_outlives_a_run_without_an_end,
        promise_ignored,
        verdict_ignored_at_the_last_block,
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_fault_in_a_machine_is_found(fault, monkeypatch):
    fault(monkeypatch)
    found = permit_walk.walk("single_source", most=150_000, violations=1)
    assert found.violations, f"{found.states} states walked, and nothing found"
    what, trace = found.violations[0]
    assert "refuses" not in what, (what, trace)
    assert trace
