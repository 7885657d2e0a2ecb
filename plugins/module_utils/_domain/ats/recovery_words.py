# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told in a recovery (SAFETY 6). No sentence touches a plug before the loads are off."""

from __future__ import annotations

# The row of SAFETY 6 that is right whatever was sent.
WHEN_IN_DOUBT = "Leave every plug and every load as it is, do not power-cycle the unit, mend the cause, and run again."
CHECK_MODE = "CHECK MODE, nothing was done: "

PICTURES = {
    "healthy": "communication with the ATS controller is established",
    "answers_again": "communication with the ATS controller is established, but it has not been seen to settle",
    "not_redundant": "communication with the ATS controller is established, but the unit is not fully redundant",
    "lost": "the card has lost its communication with the ATS controller",
    "no_app": "the card runs no ATS app, so nothing of the unit can be measured",
    "silent": "the card does not answer",
    "unknown": "whether the card reaches the ATS controller cannot be read",
}

NOTHING_TO_RECOVER = (
    "nothing to recover; communication with the ATS controller is established and the unit is quiet and fully "
    "redundant. Nothing was changed. Leave every plug as it is."
)
NOTHING_LEFT = "it was watched: nothing to recover is left, and nothing was sent. Leave every plug as it is."
WARRANTY = {
    "yes": "under warranty: have it replaced; nothing was sent to it. Send the maker the bundle. Until then touch no "
    "plug and do not restart the card.",
    "unknown": "whether it is under warranty is not known: ask the maker first, with the bundle; nothing was sent to "
    "it. Until then touch no plug and do not restart the card. Only where the maker says that there is no warranty run "
    "again with ats_recovery_under_warranty=no.",
}
FAILED_TWICE = (
    "recovery has failed twice: keep it as it is and contact the maker or replace the unit; do not open it. Touch no "
    "plug, connect no load and do not restart the card."
)
NEVER_BOOTED = (
    "controller never booted: contact the maker or replace the unit; do not open it. Until then touch no plug, connect "
    "no load and do not restart the card."
)
ANOTHER_ATTEMPT = (
    "One more attempt is possible under the same rules: run this playbook again, it begins with the whole outage and "
    "asks for new confirmations."
)
PACKAGE_TO_SEND = (
    "give the firmware package (ats_recovery_src or ats_recovery_files): the app is sent again even if it is the same."
)
PACKAGE_TO_WATCH = (
    "communication is established, but the unit has not been seen to settle, or is not fully redundant. Give the "
    "firmware package (ats_recovery_src or ats_recovery_files), which it is compared with, and run again."
)
NAME_THE_INPUT = "name the one input that is connected with ats_recovery_primary_source, and run again."
NAME_THE_INPUT_TO_RESTORE = (
    "communication is established. Name the one input that is connected with ats_recovery_primary_source, and run "
    "again: the run then watches the unit settle and says when the other input and the loads may be connected."
)
DOWNLOAD_MAY_GO_ON = (
    "it is not certain that no download into the controller is going on. Touch no plug and no load, do not restart the "
    "card, and run again in some minutes."
)
SENT_SILENT = (
    "the card does not answer, and something was sent to it. Leave everything as it is, do not power-cycle it, and run "
    "again when it answers. Silent for 24 hours: keep it as it is and contact the maker."
)
SILENT_UNDER_WAY = "the card does not answer, and a recovery of this unit is under way."
AS_SAID = "Go on with its steps, as said above, only if both inputs were disconnected for it; else touch no plug."
ONLY_IF_OUT = (
    "FIRST LOOK AT THE UNIT: are both of its inputs out, or one in again, as an earlier run of this playbook has said? "
    "Then go on below from where you are. If both are in, TOUCH NO PLUG AND NO LOAD: the card is silent, and that "
    "alone is no reason for an outage."
)


_OUTAGE = (
    "WHAT TO DO NOW: touch no plug and do not restart the card. Plan an outage of everything that this unit feeds; in "
    "it, and not before, do the following in exactly this order."
)
_OUTAGE_WORDS = (
    "6. Run this playbook again within 30 minutes of it, with the promise will_remove_loads and with the words "
    "no_load, power_cycled and one_input, each for SERIAL@YYYY-MM-DDThh:mm+hh:mm, the serial read from the name "
    "plate at the unit."
)
_ISOLATED = (
    "If its second input is disconnected and stays so: run again with the promise will_disconnect_secondary and the "
    "word secondary_disconnected, each for SERIAL@YYYY-MM-DDThh:mm+hh:mm, the serial read from the name plate, and "
    "with ats_recovery_primary_source, the input that stays. The app is then sent with the load on."
)
_UNLOADED = (
    "If no load is attached and none will be: run again with the promise will_remove_loads and the word no_load in the "
    "same form."
)


def outage_lines(label: str, picture: str, missing: str, primary: str | None) -> tuple[str, ...]:
    """An outage to be planned, and its steps."""
    return (f"{label}: {picture}. What is missing: {missing}", _OUTAGE, *_outage_steps(primary))


def outage_again(label: str, primary: str | None) -> tuple[str, ...]:
    """For a silent card: the steps of an outage that has begun, and no word that begins one."""
    return (f"{label}: {ONLY_IF_OUT}", *_outage_steps(primary))


def _outage_steps(primary: str | None) -> tuple[str, ...]:
    """In the order in which it is safe: load off, both inputs out, five minutes, one in, run again."""
    one = f"source {primary}" if primary else "the preferred one (and name it with ats_recovery_primary_source)"
    return (
        "1. Shut down every load of this unit and disconnect it. While a load is attached no input is touched.",
        "2. With the load off: disconnect both inputs. An input that is out already stays out.",
        "3. Leave the unit without power for at least 5 minutes.",
        f"4. Connect exactly one input, {one}. Keep the other one out and every load off.",
        "5. Wait until the card answers. Touch nothing from then on, and attach no load, until a run says so.",
        _OUTAGE_WORDS,
        "The unit stays closed: there are dangerous voltages in it, also without power.",
    )


def app_only_lines(label: str, missing: str) -> tuple[str, ...]:
    return (
        f"{label}: {PICTURES['no_app']}. What is missing: {missing}",
        "WHAT TO DO NOW: leave every plug and every load as it is, the load stays on. Look at the unit and its plugs.",
        _ISOLATED,
        _UNLOADED,
        "If neither is so: leave it as it is and ask the maker.",
    )


def would_send(label: str, method: str) -> str:
    return f"{CHECK_MODE}{label}: the app would be sent again with the method {method}."


def would_watch(label: str) -> str:
    return f"{CHECK_MODE}{label} would be watched until it has settled, verified and restored."


def another_playbook(why: str) -> str:
    return (
        f"communication is established, but {why}: nothing is sent by this playbook then. Leave every plug and every "
        "load as it is; the upgrade playbook dcops.apc.ats_firmware_upgrade is next, with the method that fits the "
        "unit (no_load while its loads are off)."
    )


def done(label: str, revived: bool) -> str:
    """Where the app alone was missing, or where nothing was amiss, no controller was revived."""
    more = " A controller that was revived may fail at its next cold start; plan for it." if revived else ""
    return f"{label}: recovered.{more}"
