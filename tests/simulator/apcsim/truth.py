# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole physical truth as plain JSON types: what the control API shows and the tests judge by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import oracle
from .power import SIDES

if TYPE_CHECKING:
    from .model import Unit


def truth(unit: Unit) -> dict[str, Any]:
    power, controller, card = unit.power, unit.controller, unit.card
    return {
        "device": unit.device.name,
        "time_s": round(unit.now, 3),
        "simulated": unit.simulated or None,
        "speed": unit.speed,
        "serial": unit.serial,
        "name": unit.system["name"],
        "address": unit.address,
        "damaged": power.damaged,
        "damage_reason": power.damage_reason,
        "load_dropped": power.load_dropped,
        "load_dropped_at_s": power.load_dropped_at_s,
        "unsafe_now": power.unsafe,
        "transfer_unsafe": power.unsafe,
        "violations": [dict(entry) for entry in unit.violations],
        "controller": {
            "alive": controller.alive,
            "revision": controller.revision,
            "bundled": card.bundled,
            "comm": controller.comm,
            "downloading": controller.downloading,
            "download_pending": controller.download_coming and not controller.downloading,
            "download_begins_s": controller.download_begins_s,
            "download_hazard": controller.download_coming or controller.outdated,
            "attempts": controller.attempts,
        },
        "inputs": {side: _input(unit, side) for side in SIDES},
        "safe_to_unplug": {side: oracle.unplug_ok(unit, side) for side in SIDES},
        "safe_to_plug": {side: oracle.plug_ok(unit, side) for side in SIDES},
        "safe_to_connect_load": oracle.connect_load_ok(unit),
        "selected_source": power.selected,
        "preferred_source": unit.settings.preferred,
        "redundant": power.redundant and controller.switches,
        "output_on": power.output_on,
        "switch_ok": power.switch_ok,
        "display_ok": power.display_ok,
        "source_transfers": power.transfers,
        "last_source_transfer_s": power.last_transfer_s if power.transfers else None,
        "load_current_a": power.load_a,
        "settings": {
            "preferred_source": unit.settings.preferred,
            "sensitivity": unit.settings.sensitivity,
            "transfer_range": unit.settings.transfer_range,
            "front_panel": unit.settings.front_panel,
            "name": unit.system["ats_name"],
        },
        "card": {
            "up": card.up,
            "booting": card.up_due_s is not None,
            "gone": card.gone,
            "aos": card.aos,
            "app": card.app,
            "app_running": card.app_running,
            "uptime_s": card.uptime_ticks / 100 if card.up else None,
            "boots": card.boots,
            "last_transfer": card.last_transfer,
        },
        "ftp_state": unit.ftp_state,
        "sessions_open": len(unit.sessions.open),
        "transfers": [dict(entry) for entry in unit.transfers],
        "files_received": [dict(entry) for entry in unit.files_received],
        "bytes_received": unit.bytes_received,
        "writes": [dict(entry) for entry in unit.writes],
        "restarts": [dict(entry) for entry in card.restarts],
        "logins": [dict(entry) for entry in unit.logins],
        "faults": sorted(unit.faults.active),
        "events": [dict(entry) for entry in unit.notes],
        "log": [
            {"time_s": row.time_s, "stamp": row.stamp.isoformat(sep=" "), "text": row.text, "code": f"0x{row.code:04X}"}
            for row in unit.events.rows
        ],
    }


def _input(unit: Unit, side: str) -> dict[str, Any]:
    source = unit.power.inputs[side]
    return {
        "plugged": source.plugged,
        "feed_voltage_v": source.feed_v,
        "voltage_v": source.voltage_v,
        "frequency_hz": source.frequency_hz,
        "phase_deg": source.phase_deg,
        "live": source.live,
        "good": unit.power.good(side),
    }
