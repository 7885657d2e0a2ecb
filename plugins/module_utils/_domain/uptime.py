# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a card's uptime went on between two readings: sysUpTime begins anew after 497 days, without a restart."""

from __future__ import annotations

# 32 bits of 1/100 s (RFC 1213).
WRAP_S = 2**32 / 100
# How exactly a clock that began anew must fit the time that went by: anything else is a restart, which costs time only.
_SLACK_S = 2.0
_SLACK_SHARE = 0.01


def uptime_advance(before_s: float, after_s: float, elapsed_s: float) -> float | None:
    """Seconds by which the uptime went on; None: the card has restarted, or it cannot be told.

    ``elapsed_s``: device seconds between the two readings, by our own clock.
    """
    if not (0 <= before_s <= WRAP_S and 0 <= after_s <= WRAP_S and elapsed_s >= 0):
        return None
    if after_s >= before_s:
        return after_s - before_s
    anew = after_s + WRAP_S - before_s
    return anew if abs(anew - elapsed_s) <= _SLACK_S + _SLACK_SHARE * elapsed_s else None


def restarted_between(before_s: float, after_s: float, elapsed_s: float) -> bool:
    return uptime_advance(before_s, after_s, elapsed_s) is None
