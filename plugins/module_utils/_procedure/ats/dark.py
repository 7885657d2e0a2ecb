# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rack that may be without power: the one sentence that is said whatever step is under way (SAFETY 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats import conduct
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import reads_live
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.conduct import Seen
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import Context, State, next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import SECONDARY, PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Health

if TYPE_CHECKING:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit

# Longer than a restart of the card explains (SAFETY 6).
SILENCE_S = 120.0


class Dark:
    """The secondary is out, and the primary may be gone; judged at every sample."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._said: State | None = None

    def state(self) -> State | None:
        """The primary reads lost, or the card is silent for longer than a restart explains; the secondary is out."""
        unit = self.unit
        permit, primary = unit.permit, unit.primary
        out = permit.was_out and permit.rests_on == SECONDARY and permit.state is not PermitState.CLOSED
        if not out or primary is None or unit.observer.good is None or not unit.observer.samples:
            return None
        good, newest, now = unit.observer.good, unit.observer.newest, unit.clock.now()
        if reads_live(good, primary.other):
            return None
        limit = unit.options.up_timeout_s if unit.expect_restart else SILENCE_S
        lost = newest.answered and newest.app_answers and newest.ats.input(primary).status.is_(Health.FAIL)
        lost = lost and not reads_live(newest, primary)
        if not lost and (newest.answered or now - good.at_s <= limit):
            return None
        failed = unit.log.facts().failed
        if permit.unsettled or failed:
            return State.DARK_UNSETTLED
        returning = permit.state is PermitState.RETURNING or permit.back_to == PermitState.RETURNING.value
        return State.DARK_SETTLED if returning or permit.state is PermitState.SETTLED else State.DARK

    def follow(self) -> None:
        """Said at once, in whatever step: a plug may be moved on it, so no deed and no permission outlives it."""
        state, said = self.state(), self._said
        self._said = state
        what = conduct.darkness(self.unit.permit, Seen(dark=state is not None))
        if what is not None:
            self.unit.keeper.take(what, self.words(), "the rack may be dark")
        elif state is not None and state is not said:
            # Whatever it does to the permit, somebody stands before a dark rack.
            self.unit.stop_words(self.words())

    def words(self) -> str:
        state = self.state()
        if state is None:
            return ""
        return next_action(state, Context(self.unit.options.method, self.unit.primary, no_load=False))
