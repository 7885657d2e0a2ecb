# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that read a Rack ATS, from the rows: all of it in four, what an interlock watches in three."""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._powernet import ats, card
from ansible_collections.dcops.apc.plugins.module_utils._powernet.fields import plan_of
from ansible_collections.dcops.apc.plugins.module_utils._powernet.reader import Plan, Wanted, scalar

# The measured values first and close together, the card and its uptime last of what is watched.
WATCH = plan_of((*ats.FIELDS, *card.FIELDS), watched_only=True)
ALL = plan_of((*ats.FIELDS, *card.FIELDS))
FIVE_G = Plan([Wanted(item.oid, item.oid) for item in ats.FIVE_G_FIELDS])
# Who answers, in one round trip.
CARD = Plan([scalar(item.oid) for item in card.FIELDS if item.rows is None])
