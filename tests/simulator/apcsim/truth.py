# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole physical truth as plain JSON types: what the control API shows and the tests judge by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import oracle
from .power import SIDES

if TYPE_CHECKING:
    from .model import Unit
    from .ups import Ups


def truth(unit: Unit) -> dict[str, Any]:
    shown = _truth(unit)
    if unit.ups is not None:  # the words that every device has, for the output that this one has
        own = _ups(unit.ups)
        shown |= {name: own[name] for name in ("load_dropped", "load_dropped_at_s", "output_on")}
        shown |= {"damaged": own["bricked"], "damage_reason": own["brick_reason"], "ups": own}
    return shown


def write_log(unit: Unit) -> list[dict[str, Any]]:
    """Everything that anybody wrote to the card, taken or not, in order."""
    rows: list[dict[str, Any]] = [{"what": "SET", **entry} for entry in unit.writes]
    rows += [{"what": "STOR", "time_s": entry["started_s"], **entry} for entry in unit.transfers]
    rows += [{"what": "restart", **entry} for entry in unit.card.restarts]
    return sorted(rows, key=lambda row: float(row["time_s"]))


def _truth(unit: Unit) -> dict[str, Any]:
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
        "damaged_at_s": power.damaged_at_s,
        "load_dropped": power.load_dropped,
        "drop_reason": power.drop_reason,
        "mishaps": [mishap._asdict() for mishap in unit.mishaps.all],
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
        "write_log": write_log(unit),
        "ups": None,
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


def _ups(ups: Ups) -> dict[str, Any]:
    return {
        "model": ups.model,
        "sku": ups.sku,
        "firmware": ups.firmware,
        "id": ups.id,
        "status": ups.status,
        "comm": ups.comm,
        "output_on": ups.output_on,
        "on_battery": ups.on_battery,
        "input_voltage_v": ups.input_v,
        "battery_percent": round(ups.percent, 2),
        "runtime_s": round(ups.runtime_s, 1),
        "load_percent": ups.load_percent,
        "load_w": round(ups.load_percent / 100 * float(ups.facts["watts"]), 1),
        "bypass": ups.bypass,
        "replace_battery": ups.replace_battery,
        "self_test": ups.self_test,
        "calibration": ups.calibration,
        "shutdown_pending": ups.shutdown_pending,
        "groups": [{"name": g.name, "type": g.kind, "on": g.on and ups.output_on} for g in ups.groups],
        "bricked": ups.bricked,
        "brick_reason": ups.brick_reason,
        "load_dropped": ups.load_dropped,
        "load_dropped_at_s": ups.load_dropped_at_s,
        "update": ups.update.truth(),
        "violations": [dict(entry) for entry in ups.violations],
    }
