# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person is told at the end: SAFETY 6 as a table. Every end of a run is one of these states.

A row is (state, plug words, load words). No row lets anybody reconnect or connect anything but the dark rack's, for a
load that is dark: the release is restore's alone. The tests hold every sentence against the simulator's truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.permit import NO_LOAD, Permit, PermitState
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source

# FA156201: not within 30 s of a transfer; a margin on top.
TRANSFER_WAIT_S = 35.0
VOID = "Every earlier sentence of any run is void. Touch no plug and no load until this run says so."


class State(Enum):
    DARK = "dark"
    DARK_SETTLED = "dark_settled"
    DARK_UNSETTLED = "dark_unsettled"
    UNCHANGED = "unchanged"
    UNCHANGED_NOT_REDUNDANT = "unchanged_not_redundant"
    NOTHING_SENT = "nothing_sent"
    NOTHING_TOUCHED = "nothing_touched"
    NOTHING_SENT_UNSURE = "nothing_sent_unsure"
    DEED_TIME_OVER = "deed_time_over"
    LOCKED = "locked"
    WATCH = "watch"
    READY = "ready"
    BACKED_UP = "backed_up"
    ISOLATED = "isolated"
    AOS_NEW_OLD_APP = "aos_new_old_app"
    AOS_NEW_NO_APP = "aos_new_no_app"
    AOS_OLD_VERSIONS = "aos_old_versions"
    AOS_SENT_UNSURE = "aos_sent_unsure"
    APP_SENT_SECONDARY_DEAD = "app_sent_secondary_dead"
    APP_SENT_SECONDARY_BACK = "app_sent_secondary_back"
    SENT_SILENT = "sent_silent"
    FAILED_STANDS = "failed_stands"
    CONTROLLER_LOST_ISOLATED = "controller_lost_isolated"
    CONTROLLER_LOST_LIVE = "controller_lost_live"
    RECOVERY_UNDER_WAY = "recovery_under_way"
    RECOVERY_FAILED_TWICE = "recovery_failed_twice"
    SETTINGS_DIFFER = "settings_differ"
    HARDWARE_FAILED = "hardware_failed"
    SETTLED = "settled"
    VERIFIED = "verified"
    REDUNDANT = "redundant"
    CLOSED_LOADS = "closed_loads"
    RESTORE_FAILED = "restore_failed"


@dataclass(frozen=True)
class Context:
    """``out``: does what the run rests on read so at this moment (the secondary dead, no load)? None: not known."""

    method: Method
    primary: Source | None = None
    holder: str = ""
    differences: tuple[str, ...] = ()
    # None: as the method says. app_only may rest on either (SAFETY 3).
    no_load: bool | None = None
    out: bool | None = None

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

    @property
    def hold(self) -> str:
        """What stays as it is, in the words of what is measured: "keep it out" only where it reads dead."""
        if self.loads:
            return "Connect no load and touch no input" if self.out is not False else "Touch no input and no load"
        if self.out is None:
            return f"Leave {self.secondary} and every other plug as they are"
        return f"Keep {self.secondary} out" if self.out else f"{_capital(self.secondary)} is in: leave it as it is"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Row:
    """``loads`` empty: the plug words serve both."""

    plugs: str
    loads: str = ""


_RESTORE = "the restore step (playbook dcops.apc.ats_firmware_upgrade with -e ats_upgrade_only=restore)"
_RECOVERY = "the recovery playbook (dcops.apc.ats_recovery)"

ROWS: dict[State, Row] = {
    State.DARK: Row(
        "ONLY IF THE LOAD IS DARK: plug {other} back in. If the load is not dark, touch nothing. Then run again."
    ),
    State.DARK_SETTLED: Row(
        "ONLY IF THE LOAD IS DARK: take the plug of {kept} out, then plug {other} in. If the load is not dark, touch "
        "nothing. Then run the restore step."
    ),
    State.DARK_UNSETTLED: Row(
        "ONLY IF THE LOAD IS DARK: unplug every load, then plug one input in, and run again. If the load is not dark, "
        "touch nothing: {other} stays out."
    ),
    State.UNCHANGED: Row(
        "Nothing is to be done: the wanted firmware runs and the unit is quiet. Leave every plug as it is."
    ),
    State.UNCHANGED_NOT_REDUNDANT: Row(
        f"No firmware is to be sent, but redundancy is lost. Leave every plug as it is and run {_RESTORE}: it says "
        "what "
        "may be connected."
    ),
    State.NOTHING_SENT: Row(
        f"Nothing was sent by this run. Keep what is out out; {_RESTORE} says when it may come back.",
        f"Nothing was sent by this run. Connect no load yet; {_RESTORE} says when it may come back.",
    ),
    State.NOTHING_TOUCHED: Row(
        "Nothing was sent by this run, it asked nobody to touch anything, and nothing is out: leave every plug and "
        "every "
        "load as it is, mend the cause, and run again."
    ),
    State.NOTHING_SENT_UNSURE: Row(
        "Nothing was sent by this run, but it cannot prove that a plug may be moved. "
        "Leave every plug and every load as it is, mend the cause, and run again."
    ),
    State.DEED_TIME_OVER: Row(
        f"Nothing was sent. Leave what is out out and touch nothing else; run again, or {_RESTORE} as the way back."
    ),
    State.LOCKED: Row(
        "Leave every plug and every load as it is. Follow the run that holds the unit: {holder}. "
        "It may have lost its terminal: when that process has ended, run again."
    ),
    State.WATCH: Row(
        "The wanted firmware runs, but it is not proved yet that it has settled. "
        "Leave every plug and every load as it is until the upgrade step has watched it settle."
    ),
    State.READY: Row("The unit is ready. Leave every plug as it is until a run asks for a change."),
    State.BACKED_UP: Row("The backup is written. {hold} until a run asks for a change."),
    State.ISOLATED: Row(f"{{hold}} and touch nothing else; the next step, or {_RESTORE} as the way back."),
    State.AOS_NEW_OLD_APP: Row(
        f"The new AOS runs with the old app, and the ATS is quiet. {{hold}} and send the app (run again), or "
        f"{_RESTORE} "
        "as the way back."
    ),
    State.AOS_NEW_NO_APP: Row(
        "The new AOS runs without an ATS app, so nothing can be measured. Leave every plug as it is. Run again with "
        "method app_only: as the deed stands, or after shutting down and disconnecting every load, which may always be "
        "done."
    ),
    State.AOS_OLD_VERSIONS: Row(
        f"An AOS was begun to be sent, and the old versions still answer. {{hold}}; run again, or {_RESTORE} as the "
        "way "
        "back."
    ),
    State.AOS_SENT_UNSURE: Row(
        "An AOS was begun to be sent and the unit's state is not proved. Leave every plug and every load as it is, "
        "do not power-cycle it, and run again."
    ),
    State.APP_SENT_SECONDARY_DEAD: Row(
        "DO NOT RECONNECT {other}: the new app has not settled, and the card may retry the download into the "
        "controller "
        "at every restart. Run again.",
        "CONNECT NO LOAD, TOUCH NO INPUT: the new app has not settled, and the card may retry the download into the "
        "controller at every restart. Run again.",
    ),
    State.APP_SENT_SECONDARY_BACK: Row(
        "Touch no input plug, neither in nor out. Shut the load down if you can. "
        "The unit is not settled before 240 s after the return; run again then.",
        "A LOAD IS ON: SHUT IT DOWN NOW, TOUCH NO INPUT. The unit is not settled before 240 s after the load is off; "
        "run "
        "again then.",
    ),
    State.SENT_SILENT: Row(
        "The card does not answer. Leave everything as it is, do not power-cycle it, and run again when it answers. "
        "If it stays silent for 24 h: keep it isolated and contact the maker."
    ),
    State.FAILED_STANDS: Row(
        "A download into the ATS controller has failed, and the next restart of the card may repeat it. Touch no plug "
        "and "
        "no load, do not restart the card, keep it on the network; run again to send the app again (method "
        "single_source or no_load)."
    ),
    State.CONTROLLER_LOST_ISOLATED: Row(
        f"The controller does not answer. {{hold}} and run {_RECOVERY}.",
        f"The controller does not answer. Connect no load, touch no input, and run {_RECOVERY}.",
    ),
    State.CONTROLLER_LOST_LIVE: Row(
        "The controller does not answer. Touch no plug and do not restart the card. Under warranty, or if that is not "
        f"known: ask the maker first. Else run {_RECOVERY} now, before any outage: without words it sends nothing, "
        "keeps "
        "what the unit shows, and says each step."
    ),
    State.RECOVERY_UNDER_WAY: Row(
        f"A recovery is under way. Follow its steps again: run {_RECOVERY}, and do only what it says. Until then move "
        "no plug and no load."
    ),
    State.RECOVERY_FAILED_TWICE: Row("Recovery has failed twice. Keep the unit as it is and contact the maker."),
    State.SETTINGS_DIFFER: Row(
        "Settings are not as they must be ({differences}). {hold}. Correct preferred source, sensitivity and range "
        "first, "
        "then run the restore step."
    ),
    State.HARDWARE_FAILED: Row("Keep everything as it is (on {kept}) and contact the maker: {differences}."),
    State.SETTLED: Row("The new firmware has settled. {hold} until the restore step tells you when."),
    State.VERIFIED: Row(
        "Versions, settings and hardware read as they should. {hold} until the restore step tells you when."
    ),
    State.REDUNDANT: Row("Nothing is left to do: the permit is closed."),
    State.CLOSED_LOADS: Row(
        "The permit is closed; connect the rest before anybody starts another run.",
    ),
    State.RESTORE_FAILED: Row(
        "Stay on {kept}. Check the feed and the plug of {other}, touch nothing else, and run the restore step again.",
        "Connect no load. Check the feeds and the plugs, touch nothing else, and run the restore step again.",
    ),
}


def next_action(state: State, context: Context) -> str:
    """The instruction, in sentences a person can follow with the hand on the plug."""
    row = ROWS[state]
    words = row.loads if context.loads and row.loads else row.plugs
    return words.format(
        other=context.secondary,
        kept=context.kept,
        hold=context.hold,
        holder=context.holder,
        differences="; ".join(context.differences) or "see the result",
    )


# -- the permit, as it stands, in words ------------------------------------------------------------------------------

_STANDING: dict[PermitState, Row] = {
    PermitState.NONE: Row("No permit: nothing was promised and nothing is allowed. Touch nothing on a run's word."),
    PermitState.ASKED: Row("The promise is given. Touch nothing until a run says what may be disconnected."),
    PermitState.OPEN: Row(
        "A run allows {other} to be disconnected at this moment, on its own screen only: follow it there.",
        "A run allows the loads to be disconnected at this moment, on its own screen only: follow it there.",
    ),
    PermitState.OUT: Row(
        "{other} reads dead, and a run waits for somebody to say that its plug is out. Keep it out.",
        "The load reads 0, and a run waits for somebody to say that nothing is connected. Connect no load.",
    ),
    PermitState.ISOLATED: Row(
        "{other} is out by a person's word. Keep it out; the next step goes on, or the restore step is the way back.",
        "No load is connected by a person's word. Connect none, touch no input; the next step goes on, or the restore "
        "step is the way back.",
    ),
    PermitState.SENDING: Row("A file is being sent. TOUCH NO PLUG AND NO LOAD; run again if no run is at work."),
    PermitState.SETTLING: Row(
        "DO NOT RECONNECT {other}: the app has not settled. Run again if no run is at work.",
        "CONNECT NO LOAD, TOUCH NO INPUT: the app has not settled. Run again if no run is at work.",
    ),
    PermitState.SETTLED: Row(
        "The app has settled. Keep {other} out until the restore step tells you when.",
        "The app has settled. Connect no load until the restore step tells you when.",
    ),
    PermitState.RETURNING: Row(
        "A restore step watches the return and says on its own screen what may be connected; without one, touch "
        "nothing."
    ),
    PermitState.CLOSED: Row("The permit is closed: nothing is left to do."),
    PermitState.WITHDRAWN: Row(
        "STOP: the permission is withdrawn. Touch no plug and no load, neither in nor out, until a run says so again."
    ),
}


def standing(permit: Permit) -> str:
    """What the permit means for a person who reads it without a run at hand."""
    row = _STANDING[permit.state]
    primary = Source[permit.primary] if permit.primary in ("A", "B") else None
    words = row.loads if permit.rests_on == NO_LOAD and row.loads else row.plugs
    other = f"source {primary.other.name}" if primary else "the secondary source"
    return _capital(words.format(other=other, kept=""))
