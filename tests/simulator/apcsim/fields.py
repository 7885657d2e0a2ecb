# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things answer: the OIDs of PowerNet-MIB that the model moves, and names for them."""

from __future__ import annotations

from .devicefile import Oid, oid_of

A = (1, 3, 6, 1, 4, 1, 318, 1, 1, 8)
U = (1, 3, 6, 1, 4, 1, 318, 1, 1, 1)  # Smart-UPS
APP_TREE = A[:-1]  # 318.1.1: what the app, not the AOS, answers
SYS = (1, 3, 6, 1, 2, 1, 1)
UPTIME = (*SYS, 3, 0)
LAST_TRANSFER = (1, 3, 6, 1, 4, 1, 318, 2, 4, 1, 1, 0)
RESTART = (1, 3, 6, 1, 4, 1, 318, 2, 2, 1, 0)
FILES = (1, 3, 6, 1, 4, 1, 318, 1, 4, 2, 4, 1)
STATUS = (*A, 5, 1)
COMM = (*STATUS, 1, 0)
PREFERRED = {"A": 1, "B": 2, "none": 3}

# names for overrides and missing values, by where they answer
FIELDS: dict[str, Oid] = {
    "sys_descr": (*SYS, 1, 0),
    "sys_object_id": (*SYS, 2, 0),
    "uptime": UPTIME,
    "sys_name": (*SYS, 5, 0),
    "last_transfer": LAST_TRANSFER,
    "revision": (*A, 1, 2, 0),
    "model": (*A, 1, 5, 0),
    "serial": (*A, 1, 6, 0),
    "nominal_v": (*A, 1, 7, 0),
    "name": (*A, 4, 1, 0),
    "preferred": (*A, 4, 2, 0),
    "sensitivity": (*A, 4, 4, 0),
    "transfer_range": (*A, 4, 5, 0),
    "current_limit": (*A, 4, 6, 0),
    "line_vrms": (*A, 4, 8, 0),
    "comm": COMM,
    "selected": (*STATUS, 2, 0),
    "redundancy": (*STATUS, 3, 0),
    "over_current": (*STATUS, 4, 0),
    "supply_5v": (*STATUS, 5, 0),
    "supply_24v_a": (*STATUS, 6, 0),
    "supply_24v_b": (*STATUS, 7, 0),
    "supply_12v": (*STATUS, 8, 0),
    "supply_minus_12v": (*STATUS, 9, 0),
    "switch": (*STATUS, 10, 0),
    "front_panel": (*STATUS, 11, 0),
    "source_a": (*STATUS, 12, 0),
    "source_b": (*STATUS, 13, 0),
    "phase_sync": (*STATUS, 14, 0),
    "output": (*STATUS, 15, 0),
    "hardware": (*STATUS, 16, 0),
    "voltage_a": (*A, 5, 3, 3, 1, 3, 1, 1, 1),
    "voltage_b": (*A, 5, 3, 3, 1, 3, 2, 1, 1),
    "frequency_a": (*A, 5, 3, 2, 1, 4, 1),
    "frequency_b": (*A, 5, 3, 2, 1, 4, 2),
    "bank_total": (*A, 5, 4, 5, 1, 4, 1),
    "bank_1": (*A, 5, 4, 5, 1, 4, 2),
    "bank_2": (*A, 5, 4, 5, 1, 4, 3),
    "bank_total_state": (*A, 5, 4, 5, 1, 5, 1),
    "bank_total_va": (*A, 5, 4, 5, 1, 9, 1),
    "phase_current": (*A, 5, 4, 3, 1, 4, 1, 1, 1),
    "phase_va": (*A, 5, 4, 3, 1, 7, 1, 1, 1),
    "phase_state": (*A, 5, 4, 3, 1, 19, 1, 1, 1),
    "ups_model": (*U, 1, 1, 1, 0),
    "ups_name": (*U, 1, 1, 2, 0),
    "ups_firmware": (*U, 1, 2, 1, 0),
    "ups_made": (*U, 1, 2, 2, 0),
    "ups_serial": (*U, 1, 2, 3, 0),
    "ups_sku": (*U, 1, 2, 5, 0),
    "ups_hardware": (*U, 1, 2, 6, 0),
    "ups_rating": (*U, 1, 2, 9, 0),
    "ups_battery": (*U, 2, 2, 1, 0),
    "ups_runtime": (*U, 2, 2, 3, 0),
    "ups_replace": (*U, 2, 2, 4, 0),
    "ups_input_v": (*U, 3, 2, 1, 0),
    "ups_status": (*U, 4, 1, 1, 0),
    "ups_output_v": (*U, 4, 2, 1, 0),
    "ups_load": (*U, 4, 2, 3, 0),
    "ups_update": (*U, 6, 2, 9, 0),
    "ups_self_test": (*U, 7, 2, 3, 0),
    "ups_calibration": (*U, 7, 2, 6, 0),
    "ups_comm": (*U, 8, 1, 0),
    "ups_flags": (*U, 11, 1, 1, 0),
    "ups_groups": (*U, 12, 1, 1, 0),
}


def place(name: str) -> Oid:
    """A field's name or a dotted OID."""
    if name in FIELDS:
        return FIELDS[name]
    try:
        return oid_of(name)
    except ValueError:
        raise ValueError(f"neither a field nor an OID: {name!r}") from None
