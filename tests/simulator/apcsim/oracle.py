# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would happen if somebody touched a plug now: the judge of what the project tells people. Knows the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .power import OTHER, RETURN_S, SECOND_TRANSFER_S

if TYPE_CHECKING:
    from .model import Unit


def unplug_ok(unit: Unit, side: str) -> bool:
    """Pulling this input now drops no load and harms nothing."""
    power, controller = unit.power, unit.controller
    source, other = power.inputs[side], OTHER[side]
    if not source.powers or power.damaged:
        return True
    selected = power.selected == side
    if controller.downloading and selected:
        return False
    if power.load_a <= 0 or not power.output_on:
        return not controller.downloading or power.inputs[other].powers
    if not selected:
        # about to go back to this side: after that, pulling it forces a second transfer
        due = power.return_due_s
        return due is None or unit.settings.preferred != side or due - unit.now > 5.0
    since = unit.now - power.last_transfer_s
    recent = since < SECOND_TRANSFER_S and unit.knobs.second_transfer_harms
    return power.good(other) and power.can_switch and not recent


def plug_ok(unit: Unit, side: str, strict: bool = False) -> bool:
    """Putting this input in now, with a healthy feed behind it, cannot do harm within this boot of the card.

    ``strict``: nor after any later restart, which repeats a download that did not succeed.
    """
    power, controller = unit.power, unit.controller
    source, other = power.inputs[side], power.inputs[OTHER[side]]
    if power.damaged or power.load_a <= 0 or source.live:
        return True
    if other.live and (controller.download_coming or unit.sessions.sending or (strict and controller.outdated)):
        return False
    if not power.powered:
        return not (strict and controller.outdated and other.plugged)
    since = unit.now - power.last_transfer_s
    forced = power.selected != side and not power.good(power.selected) and power.can_switch
    return not (forced and since < SECOND_TRANSFER_S and unit.knobs.second_transfer_harms)


def connect_load_ok(unit: Unit, strict: bool = False) -> bool:
    """Connecting a load now: no download into the controller in this boot while both sources are live.

    ``strict``: nor in any later one.
    """
    power, controller = unit.power, unit.controller
    coming = controller.download_coming or unit.sessions.sending or (strict and controller.outdated)
    return power.output_on and not power.damaged and not (coming and power.both_live)


def return_settled(unit: Unit, side: str) -> bool:
    """The unit will not move by itself within the next half minute."""
    due = unit.power.return_due_s
    return due is None or due - unit.now > RETURN_S or unit.power.selected == side
