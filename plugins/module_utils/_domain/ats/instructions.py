# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person is told at the end: SAFETY 6 as a table. Every end of a run is one of these states.

Only the states in ALLOWS_CONNECT let anybody connect anything; the tests hold every sentence against the simulator's
truth. Private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source

TRANSFER_WAIT_S = 35.0


class State(Enum):
    UNCHANGED = "unchanged"
    NOTHING_SENT = "nothing_sent"
    NOTHING_SENT_UNSURE = "nothing_sent_unsure"
    LOCKED = "locked"
    WATCH = "watch"
    READY = "ready"
    BACKED_UP = "backed_up"
    ISOLATED = "isolated"
    AOS_NEW_OLD_APP = "aos_new_old_app"
    AOS_NEW_NO_APP = "aos_new_no_app"
    AOS_SENT_UNSURE = "aos_sent_unsure"
    APP_SENT_SECONDARY_DEAD = "app_sent_secondary_dead"
    APP_SENT_SECONDARY_BACK = "app_sent_secondary_back"
    SENT_SILENT = "sent_silent"
    CONTROLLER_LOST_ISOLATED = "controller_lost_isolated"
    CONTROLLER_LOST_LIVE = "controller_lost_live"
    SETTINGS_DIFFER = "settings_differ"
    HARDWARE_FAILED = "hardware_failed"
    SETTLED = "settled"
    VERIFIED = "verified"
    REDUNDANT = "redundant"
    RESTORE_FAILED = "restore_failed"


ALLOWS_CONNECT = frozenset({State.NOTHING_SENT, State.AOS_NEW_OLD_APP})


@dataclass(frozen=True)
class Context:
    method: Method
    primary: Source | None = None
    holder: str = ""
    differences: tuple[str, ...] = ()
    # None: as the method says. app_only may rest on either (SAFETY 3).
    no_load: bool | None = None
    # Did the run ask anybody to touch anything, or is something out already?
    asked: bool = True
    redundant: bool = True

    @property
    def loads(self) -> bool:
        """Is it the load, rather than a plug, that the person keeps away?"""
        if self.no_load is not None:
            return self.no_load
        return self.method in (Method.NO_LOAD, Method.RECOVERY)

    @property
    def secondary(self) -> str:
        return f"source {self.primary.other.name}" if self.primary else "the secondary source"

    @property
    def kept(self) -> str:
        return f"source {self.primary.name}" if self.primary else "the primary source"


def next_action(state: State, context: Context) -> str:
    """The instruction, in sentences a person can follow with the hand on the plug."""
    loads = context.loads
    other, kept = context.secondary, context.kept
    if state is State.UNCHANGED and not context.redundant:
        return (
            "No firmware is to be sent, but redundancy is lost. Leave every plug as it is and run the restore step "
            "(playbook dcops.apc.ats_firmware_upgrade with -e ats_upgrade_only=restore): it says what may be connected."
        )
    if state is State.UNCHANGED:
        return "Nothing is to be done: the wanted firmware runs and the unit is quiet. Leave every plug as it is."
    if state is State.NOTHING_SENT:
        if not context.asked:
            return (
                "Nothing was sent by this run, and it asked nobody to touch a plug or a load. "
                "Leave both as they are, mend the cause, and run again."
            )
        if loads:
            return "Nothing was sent by this run. You may connect the loads again."
        return f"Nothing was sent by this run. If {other} was disconnected for it, you may reconnect {other} now."
    if state is State.NOTHING_SENT_UNSURE:
        return (
            "Nothing was sent by this run, but it cannot prove that a plug may be moved. "
            "Leave every plug and every load as it is, mend the cause, and run again."
        )
    if state is State.LOCKED:
        return (
            f"Leave every plug and every load as it is. Follow the run that holds the unit: {context.holder}. "
            "It may have lost its terminal: when that process has ended, run again."
        )
    if state is State.WATCH:
        return (
            "The wanted firmware runs, but it is not proved yet that it has settled. "
            "Leave every plug and every load as it is until the upgrade step has watched it settle."
        )
    if state is State.BACKED_UP:
        return "The backup is written. Leave every plug as it is until a run asks for a change."
    if state is State.READY:
        return "The unit is ready. Leave every plug as it is until a run asks for a change."
    if state is State.ISOLATED:
        kept_so = "Keep every load off" if loads else f"Keep {other} disconnected"
        return f"{kept_so} and touch nothing else until a run says otherwise."
    if state is State.AOS_NEW_OLD_APP:
        again = "take the loads off again" if loads else f"isolate {other} again"
        may = "connect the loads" if loads else f"reconnect {other}"
        return (
            f"The new AOS runs with the old app, and the ATS is quiet. You may {may} now; "
            f"{again} before the app is sent."
        )
    if state is State.AOS_NEW_NO_APP:
        return (
            "The new AOS runs without an ATS app, so nothing can be measured. "
            "Leave every plug and every load as it is. Run again with method app_only and a confirmation."
        )
    if state is State.AOS_SENT_UNSURE:
        return (
            "An AOS was begun to be sent and the unit's state is not proved. Leave every plug and every load as it is, "
            "do not power-cycle it, and run again."
        )
    if state is State.APP_SENT_SECONDARY_DEAD:
        return _unsettled(loads, other)
    if state is State.APP_SENT_SECONDARY_BACK:
        if loads:
            return (
                "Touch no input plug, neither in nor out, and connect no load; shut down what is connected if you can. "
                "The new app has not settled: run again."
            )
        return (
            "Touch no input plug, neither in nor out. Shut the load down if you can. "
            "The unit is not settled before 240 s after the return; run again then."
        )
    if state is State.SENT_SILENT:
        return (
            "The card does not answer. Leave everything as it is, do not power-cycle it, and run again when it answers."
        )
    if state is State.CONTROLLER_LOST_ISOLATED:
        if loads:
            return "The controller does not answer. Connect no load, touch no input, and run the recovery playbook."
        return f"The controller does not answer. Keep {other} disconnected and run the recovery playbook."
    if state is State.CONTROLLER_LOST_LIVE:
        return (
            "The controller does not answer. Touch no plug and do not restart the card. Under warranty, or if that is "
            "not known: ask the maker first. Else plan an outage: load off, both inputs out, 5 minutes, one input in, "
            "then the recovery playbook."
        )
    if state is State.SETTINGS_DIFFER:
        named = "; ".join(context.differences) or "see the result"
        return (
            f"Settings are not as they must be ({named}). Correct preferred source, sensitivity and range first, "
            "then run the restore step."
        )
    if state is State.HARDWARE_FAILED:
        return f"Keep everything as it is (on {kept}) and contact the maker: {'; '.join(context.differences)}."
    if state is State.SETTLED:
        held = "Connect no load and touch no input" if loads else f"Keep {other} disconnected"
        return f"The new firmware has settled. {held} until the restore step tells you when."
    if state is State.VERIFIED:
        return (
            "Versions, settings and hardware read as they should. "
            "Leave every plug and every load as it is until the restore step tells you when."
        )
    if state is State.REDUNDANT:
        return "Nothing is left to do."
    return f"Stay on {kept}. Check the feed and the plug of {other}, and run the restore step again."


def _unsettled(loads: bool, other: str) -> str:
    again = "the card may retry the download into the controller at every restart"
    if loads:
        return f"CONNECT NO LOAD, TOUCH NO INPUT: the new app has not settled and {again}. Run again."
    return f"DO NOT RECONNECT {other}, or shut the load down first: the new app has not settled and {again}. Run again."
