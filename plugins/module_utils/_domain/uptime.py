# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a card's uptime went on between two readings: sysUpTime begins anew after 497 days, without a restart."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Seen

# 32 bits of 1/100 s (RFC 1213).
WRAP_S = 2**32 / 100
# How exactly a clock that began anew must fit the time that went by: anything else is a restart, which costs time only.
_SLACK_S = 2.0
_SLACK_SHARE = 0.01
# Within so long no card can have restarted and answer again [G]; over a longer silence, one that restarted just as its
# clock began anew would fit as well. It is the silence that a watch bears (SAFETY 3, controller_quiet).
LONGEST_S = 15.0
# By so much our own clock may have been set between two processes, beside the pace of theirs.
_SET_S = 15.0


def uptime_advance(before_s: float, after_s: float, elapsed_s: float) -> float | None:
    """Seconds by which the uptime went on; None: the card has restarted, or it cannot be told.

    ``elapsed_s``: device seconds between the two readings, by our own clock.
    """
    if not (0 <= before_s <= WRAP_S and 0 <= after_s <= WRAP_S and elapsed_s >= 0):
        return None
    if after_s >= before_s:
        return after_s - before_s
    anew = after_s + WRAP_S - before_s
    fits = abs(anew - elapsed_s) <= _SLACK_S + _SLACK_SHARE * elapsed_s
    return anew if fits and elapsed_s <= LONGEST_S else None


def restarted(before: Seen, after: Seen) -> bool:
    """Between two readings of one process. Of one without an uptime nothing is known, which others must refuse.

    Equal is no restart: some clocks count whole seconds.
    """
    if before.uptime_s is None or after.uptime_s is None:
        return False
    return uptime_advance(before.uptime_s, after.uptime_s, after.at_s - before.at_s) is None


def restarted_between(before_s: float, after_s: float, elapsed_s: float) -> bool:
    """Between two processes, where nobody watched: an uptime that fell behind hides a restart as well."""
    advance = uptime_advance(before_s, after_s, elapsed_s)
    return advance is None or advance < elapsed_s - _SET_S - _SLACK_SHARE * elapsed_s
