# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told at the end of a UPS firmware update. Every end of a run is one of these states.

No sentence tells anybody to connect or disconnect anything; the output may be turned on only where it was measured that
nothing speaks against it.
"""

from __future__ import annotations

from enum import Enum


class UpsEnd(Enum):
    UNCHANGED = "unchanged"
    GAP = "gap"
    NO_TARGET = "no_target"
    NOTHING_SENT = "nothing_sent"
    LOCKED = "locked"
    FILE_NOT_STARTED = "file_not_started"
    START_NOT_SEEN = "start_not_seen"
    UPDATING = "updating"
    FOREIGN_UPDATE = "foreign_update"
    FAILED_OLD_FIRMWARE = "failed_old_firmware"
    UNPROVED = "unproved"
    COMM_LOST = "comm_lost"
    UPDATED_NOT_NORMAL = "updated_not_normal"
    UPDATED = "updated"
    UPDATED_OUTPUT_OFF = "updated_output_off"


# After these the UPS's firmware may be being written at this moment.
RUNNING = frozenset({UpsEnd.START_NOT_SEEN, UpsEnd.UPDATING, UpsEnd.FOREIGN_UPDATE})
_LEAVE = (
    "Do not turn the UPS or its output on or off, do not disconnect it from the mains, do not restart its card, "
    "and do not touch its load."
)
_TEXTS: dict[UpsEnd, str] = {
    UpsEnd.UNCHANGED: "Nothing is to be done: no other firmware is wanted.",
    UpsEnd.GAP: "Nothing was done (check mode). The firmware that is missing, and what stands in the way, are listed.",
    UpsEnd.NO_TARGET: (
        "Nothing was done (check mode). Which firmware this unit lacks is not known; the reason is in the warnings."
    ),
    # Said also where this run could not look at the unit at all.
    UpsEnd.NOTHING_SENT: (
        "Nothing was sent to the UPS by this run. Leave it as it is, mend the cause, and run again: what an earlier "
        "run may have begun is watched first."
    ),
    UpsEnd.FILE_NOT_STARTED: (
        "The file may lie on the card, but this run has not started the update. Leave the UPS as it is, mend the "
        "cause, and run again."
    ),
    UpsEnd.START_NOT_SEEN: (
        f"The start was asked for and was not seen to happen; it may still begin. {_LEAVE} "
        "Run again: it watches first, and starts nothing while an update could be going on."
    ),
    UpsEnd.UPDATING: (
        f"The UPS may be writing its firmware now. {_LEAVE} Run again: it only watches until that has ended."
    ),
    UpsEnd.FOREIGN_UPDATE: (
        f"An update may be going on that no run with this state_dir has started. {_LEAVE} Ask whoever may have "
        "started it."
    ),
    UpsEnd.FAILED_OLD_FIRMWARE: (
        "The update failed; the old firmware answers and communicates. Leave the UPS as it is, read the reason and the "
        "event log, and run again only when the cause is known."
    ),
    UpsEnd.UNPROVED: (
        f"The update has ended, and the new firmware is not proved. {_LEAVE} Run again; if that does not prove it "
        "either, ask the maker."
    ),
    UpsEnd.COMM_LOST: (
        f"The card has lost the UPS since the update began, and its firmware may be broken. {_LEAVE} Look at its "
        "display, plan for the loss of its output, and ask the maker. Run again when it communicates."
    ),
    UpsEnd.UPDATED_NOT_NORMAL: (
        f"The new firmware runs, but the UPS is not in order; the reason says what was read. {_LEAVE} Mend that first, "
        "and ask the maker where it is not plain; then look at it with ups_info."
    ),
    UpsEnd.UPDATED: "The new firmware runs and communicates. Nothing is left to do.",
    UpsEnd.UPDATED_OUTPUT_OFF: (
        "The new firmware runs and communicates; the output is off. Turn it on when those who own the load agree."
    ),
}


def ups_next_action(end: UpsEnd, holder: str = "") -> str:
    if end is UpsEnd.LOCKED:
        return f"Leave the UPS and its load as they are. Follow the run that holds the unit: {holder or 'not named'}."
    return _TEXTS[end]
