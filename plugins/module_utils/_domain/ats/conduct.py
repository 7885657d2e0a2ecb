# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does next under a permit, from what it sees: the one place where a reading becomes an event.

Pure. The procedure asks again after each event and each sample until nothing is left; what it must say, and in
which order it says and writes, is the keeper's (SAFETY 1.8).
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import (
    BY_DEED,
    Permit,
    PermitState,
    What,
)


@dataclass(frozen=True)
class Seen:
    """One look at the unit, judged. ``out``: does what the permit rests on read so (None: not known)?

    ``bad``: what stands against a permission; empty where nothing does. ``ready``: nothing but the person's next action
    is missing, over a whole window, the peers included. ``hold``: every check holds but the deed's own.
    ``dark``: the rack may be dark (SAFETY 6, first row), and the run says what to do then.
    ``deed``: a deed that a person has said and that counts now; ``deed_over``: why the one that stands has ended.
    """

    answered: bool = True
    out: bool | None = None
    bad: str = ""
    ready: bool = False
    hold: bool = False
    dark: bool = False
    deed: str = ""
    deed_over: str = ""


def darkness(permit: Permit, seen: Seen) -> What | None:
    """What the dark-rack sentence does to the permit, in any step; None: nothing (more)."""
    if not seen.dark:
        return None
    if permit.stands:
        return What.WITHDRAW
    return None if permit.read_in and not permit.deed else What.DARK


def isolating(permit: Permit, seen: Seen) -> What | None:
    """The next event on the way from a promise to ``isolated`` (SAFETY 4.1, 4.2); None: measure on."""
    if seen.dark and darkness(permit, seen):
        return darkness(permit, seen)
    if permit.state is PermitState.WITHDRAWN:
        if permit.back_to == PermitState.RETURNING.value:
            return None  # restore alone goes on in it
        if seen.out is False and not permit.read_in:
            return What.READS_IN
        return What.AGAIN if seen.ready and not seen.bad else None
    if permit.state is PermitState.ASKED:
        return _asked(permit, seen)
    if permit.state is PermitState.OPEN:
        return _open(permit, seen)
    if permit.state is PermitState.OUT:
        return _out(permit, seen)
    if permit.state is PermitState.ISOLATED:
        return _ended(seen)
    return None


def _ended(seen: Seen) -> What | None:
    if seen.out is False:
        return What.READS_IN
    return What.DEED_ENDS if seen.deed_over else None


def _asked(permit: Permit, seen: Seen) -> What | None:
    if seen.out is False and not permit.read_in:
        return What.READS_IN  # so that a later process knows too from when on a deed counts
    if permit.method not in BY_DEED:
        return What.PERMISSION if seen.ready and not seen.bad and seen.out is not None else None
    if permit.deed and (seen.deed_over or seen.out is False):
        return _ended(seen)
    if seen.deed and not permit.deed and not seen.deed_over and seen.out is not False:
        return What.DEED
    return What.HOLDS if permit.deed and seen.hold else None


def _open(permit: Permit, seen: Seen) -> What | None:
    if seen.bad:
        return What.WITHDRAW
    if seen.out is True:
        return What.READS_OUT
    if seen.out is False and not permit.read_in:
        return What.READS_IN
    # Live, and the window broke: nobody is to pull on what was measured before.
    return None if seen.ready else What.WITHDRAW


def _out(permit: Permit, seen: Seen) -> What | None:
    if seen.bad:
        return What.WITHDRAW
    if seen.out is False:
        return What.READS_IN
    if permit.deed and seen.deed_over:
        return What.DEED_ENDS
    if not permit.deed:
        return What.DEED if seen.deed and seen.out is True else None
    return What.HOLDS if seen.hold else None


def watching(permit: Permit, seen: Seen) -> What | None:
    """At every sample, whatever the step: only what ends the deed; a file's own fate is the other machine's."""
    if seen.dark and darkness(permit, seen):
        return darkness(permit, seen)
    if permit.state in (*DEED_CARRIERS, PermitState.OUT) and permit.deed:
        return _ended(seen)
    return None


@dataclass(frozen=True)
class Return:
    """What restore sees (SAFETY 4.8). ``holds``: all that a release rests on. ``steady``: redundant for more than 60 s.

    ``broken``: what takes a release back. ``due``: something has to come back at all (a source, or the loads).
    """

    holds: bool = False
    broken: str = ""
    steady: bool = False
    due: bool = True


def returning(permit: Permit, seen: Return) -> What | None:
    """The next event of restore; None: measure on."""
    if permit.state is PermitState.RETURNING:
        if seen.broken:
            return What.WITHDRAW
        return What.BACK if seen.steady else None
    if permit.state is PermitState.WITHDRAWN:
        return What.AGAIN if seen.holds and not seen.broken else None
    if permit.state is PermitState.ISOLATED and seen.steady and not seen.due:
        return What.READS_IN  # what the deed said is over: it is back
    if permit.state in RELEASABLE and not permit.unsettled:
        if seen.steady and not seen.due and permit.state in CLOSABLE:
            # A source that is back before the word needs none.
            return What.BACK
        if seen.holds and not seen.broken and seen.due:
            return What.RELEASE
    return None


DEED_CARRIERS = frozenset({PermitState.ASKED, PermitState.ISOLATED, PermitState.SENDING})
CLOSABLE = frozenset({PermitState.ASKED, PermitState.SETTLED})
RELEASABLE = frozenset(
    {PermitState.NONE, PermitState.ASKED, PermitState.ISOLATED, PermitState.SETTLED, PermitState.CLOSED}
)


def begins(permit: Permit, ended: bool = True) -> What | None:
    """What a new process sends first: a dead one's standing permission is withdrawn before anything is measured.

    ``ended``: the evidence shows the end of the run before. Where it does not, that run may have said, without being
    able to write it, that a plug may be put back; so its deed has to be said again.
    """
    if permit.stands:
        return What.WITHDRAW
    return What.DEED_ENDS if permit.deed and not ended and permit.state in DEED_CARRIERS else None


def ends(permit: Permit) -> What | None:
    """What the end of a run sends, however it ends: no permission outlives it."""
    return What.WITHDRAW if permit.stands else None
