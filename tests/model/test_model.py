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
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.acts import allowed

STATES = 25_000


@pytest.fixture(autouse=True)
def _no_memory():
    """What a broken machine answered must not be remembered for the whole one, nor the other way round."""
    permit_world.forget()
    yield
    permit_world.forget()


@pytest.mark.parametrize("method", permit_world.METHODS)
@pytest.mark.parametrize("way", [0, None], ids=["from the start", "from the app's last block"])
def test_no_law_is_broken(method, way):
    first = permit_world.reached(permit_world.start(method), permit_world.TO_THE_APP[:way])
    found = permit_walk.walk(method, most=STATES, first=first)
    assert found.violations == []
    assert found.states >= STATES
    assert found.transitions > 4 * STATES
    wanted = {"out", "isolated", "sending", "returning", "withdrawn", "closed"} if way == 0 else {"settling", "settled"}
    assert {PermitState(name) for name in wanted} <= found.permit_states


def test_every_state_has_an_instruction(monkeypatch):
    for state in PermitState:
        permit_world.instructed(permit.Permit(state=state))
    words = {PermitState.NONE: "you may pull", PermitState.ASKED: ""}
    monkeypatch.setattr(permit_world, "standing", lambda unit: words.get(unit.state, "touch nothing"))
    permit_world._told.cache_clear()
    found = permit_walk.walk("single_source", most=100)
    permit_world._told.cache_clear()
    assert [what for what, _trace in found.violations] == ["none: you may pull", "no instruction for asked"]


def test_what_is_allowed_is_what_stands():
    for state in PermitState:
        assert bool(allowed(permit.Permit(state=state, rests_on=permit.SECONDARY, source_off=True))) == (
            state in permit.STANDING
        )


def cell(monkeypatch, state, what, target):
    monkeypatch.setitem(permit.CELLS, (PermitState(state), What(what)), target)


def calm(patch):
    """No outage, no restart: a fault that lies deep is reached with few states."""
    patch.setattr(permit_world, "nature", lambda world: iter(()))


def sends_without(patch, *what):
    for event in what:
        patch.setitem(permit._GUARDS, event, permit._free)
    patch.setattr(permit.Permit, "may_send", property(lambda unit: unit.state.value in ("isolated", "sending")))


def stor_from_asked(patch):
    calm(patch)
    cell(patch, "asked", "stor", "sending")
    sends_without(patch, What.HOLDS, What.STOR)
    asked = conduct._asked
    patch.setattr(conduct, "_asked", lambda unit, seen: What.HOLDS if seen.hold else asked(unit, seen))


def deed_ignored(patch):
    sends_without(patch, What.HOLDS, What.STOR)
    out = conduct._out
    patch.setattr(conduct, "_out", lambda unit, seen: What.HOLDS if seen.hold and not seen.deed else out(unit, seen))


def promise_ignored(patch):
    calm(patch)
    cell(patch, "none", "permission", "open")
    sends_without(patch, What.PERMISSION, What.DEED, What.HOLDS, What.STOR)
    isolating = conduct.isolating

    def without(unit, seen):
        return What.PERMISSION if unit.state is PermitState.NONE and seen.ready else isolating(unit, seen)

    patch.setattr(conduct, "isolating", without)


def permission_beside_a_dead_primary(patch):
    patch.setattr(conduct, "_open", lambda unit, seen: What.READS_OUT if seen.out else None)


def permission_while_settling(patch):
    cell(patch, "settling", "permission", "open")
    isolating = conduct.isolating

    def too_early(unit, seen):
        if unit.state is PermitState.OPEN:
            return None
        return What.PERMISSION if unit.state is PermitState.SETTLING else isolating(unit, seen)

    patch.setattr(conduct, "isolating", too_early)


def release_while_settling(patch):
    cell(patch, "settling", "release", "returning")
    patch.setitem(permit._GUARDS, What.RELEASE, permit._free)

    def too_early(world):
        if world.recorded:
            return permit_world.say(world)
        if world.permit.state is PermitState.SETTLING:
            return permit_world.apply(world, What.RELEASE)
        return permit_world.ended(world)

    patch.setattr(permit_world, "restore", too_early)


def deed_outlives_the_dark_rack_sentence(patch):
    cell(patch, "isolated", "dark", "=")
    patch.setitem(permit._EFFECTS, What.DARK, permit._same)


def deed_outlives_a_run_without_an_end(patch):
    patch.setattr(conduct, "begins", lambda unit, ended=True: What.WITHDRAW if unit.stands else None)


def verdict_ignored_at_the_last_block(patch):
    patch.setattr(permit_world, "verdict_for_the_last_block", lambda world: True)


def permission_outlives_its_run(patch):
    patch.setattr(conduct, "begins", lambda unit, ended=True: None)
    patch.setattr(conduct, "ends", lambda unit: None)
    patch.setattr(permit_world, "stop", lambda world: world._replace(recorded=""))


ISOLATED, LAST_BLOCK, APP_IN = 9, -1, None
FAULTS = {
    stor_from_asked: 0,
    deed_ignored: 0,
    promise_ignored: 0,
    permission_beside_a_dead_primary: 0,
    permission_while_settling: APP_IN,
    release_while_settling: APP_IN,
    deed_outlives_the_dark_rack_sentence: ISOLATED,
    deed_outlives_a_run_without_an_end: ISOLATED,
    verdict_ignored_at_the_last_block: LAST_BLOCK,
    permission_outlives_its_run: 0,
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_a_machine_is_found(fault, monkeypatch):
    way = permit_world.TO_THE_APP[: FAULTS[fault]]
    begin = permit_world.start("single_source")
    if fault is promise_ignored:
        begin = begin._replace(plug=False)  # it was pulled before anybody asked
    first = permit_world.reached(begin, way)
    permit_world.forget()
    fault(monkeypatch)
    found = permit_walk.walk("single_source", most=STATES, violations=1, first=first)
    assert found.violations, f"{found.states} states walked, and nothing found"
    what, trace = found.violations[0]
    # A law must be broken: that a run trips over the broken table itself proves nothing.
    assert "refuses" not in what, (what, trace)
    assert trace
