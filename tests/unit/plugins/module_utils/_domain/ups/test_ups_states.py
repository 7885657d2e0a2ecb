# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The word at the end of a UPS firmware update."""

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import RUNNING, UpsEnd, ups_next_action

MAY_BE_WRITING = {
    *(UpsEnd.START_NOT_SEEN, UpsEnd.UPDATING, UpsEnd.FOREIGN_UPDATE, UpsEnd.UNPROVED, UpsEnd.COMM_LOST),
}
LEAVE = "Do not turn the UPS or its output on or off, do not disconnect it from the mains, do not restart its card"


@pytest.mark.parametrize("end", list(UpsEnd))
def test_every_end_has_its_instruction(end: UpsEnd) -> None:
    text = ups_next_action(end)
    assert text.endswith(".") and len(text) > 30
    assert (LEAVE in text) is (end in MAY_BE_WRITING or end is UpsEnd.UPDATED_NOT_NORMAL)
    # A line of live progress ends after 400 characters, and the unit's name stands in front.
    assert len(f"SIMULATED WHAT TO DO NOW: {text}") < 350


@pytest.mark.parametrize("end", list(UpsEnd))
def test_the_output_is_turned_on_only_where_the_new_firmware_is_proved(end: UpsEnd) -> None:
    assert ("Turn it on" in ups_next_action(end)) is (end is UpsEnd.UPDATED_OUTPUT_OFF)
    assert "reconnect" not in ups_next_action(end) and "you may" not in ups_next_action(end).lower()


def test_a_lock_names_its_holder() -> None:
    assert "run 12, pid 7 on host a" in ups_next_action(UpsEnd.LOCKED, "run 12, pid 7 on host a")
    assert "not named" in ups_next_action(UpsEnd.LOCKED)


def test_what_may_be_running_is_told_to_be_left_alone() -> None:
    assert RUNNING and RUNNING <= MAY_BE_WRITING
