#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ups_info
short_description: Reads the state of a Smart-UPS
version_added: 0.1.0
description:
  - Reads identity, firmware, state, battery, load and outlet groups of an APC Smart-UPS by SNMP, in two round trips.
  - Only reads.
  - A value that the UPS does not show, or that is outside what it may be, is V(null).
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.attributes
  - dcops.apc.attributes.read_only
notes:
  - The object for the outlet groups is absent on some units. Nothing then says whether they have any.
  - Whether an AP9624 is fitted cannot be read at all, see M(dcops.apc.ups_ap9624_info).
  - Tried on simulated units and on values published from real ones, not on real hardware.
seealso:
  - module: dcops.apc.ups_ap9624_info
  - module: dcops.apc.nmc_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Read the UPS
  dcops.apc.ups_info:
  register: unit

- name: Say what it runs
  ansible.builtin.debug:
    msg: "{{ unit.ups.sku }}: {{ unit.ups.firmware.raw }}, {{ unit.ups.status }}, load {{ unit.ups.load_percent }} %"

- name: Read one unit by its address
  dcops.apc.ups_info:
    host: 192.0.2.30
    snmp_community: "{{ vault_snmp_community }}"
"""

RETURN = r"""
ups:
  description: The UPS. What could not be read is V(null), and never C(-1).
  returned: success
  type: dict
  contains:
    model:
      description: The model as the UPS writes it. It is often ambiguous; the SKU is not.
      type: str
      sample: Smart-UPS X 1500
    sku:
      description: The SKU. Older units do not show one.
      type: str
      sample: SMX1500RM2U
    name:
      description: The name that was given to the UPS.
      type: str
      sample: ups-rack-04
    family:
      description:
        - The family, by the longest known beginning of the SKU.
        - Without a SKU, from the model where that has one meaning only.
      type: str
      sample: SMX
    rated_va:
      description: The rated apparent power in VA, by SKU or model.
      type: int
      sample: 1500
    form_factor:
      description: V(tower), or the height such as V(2u); V(null) unless the SKU proves it.
      type: str
      sample: 2u
    firmware:
      description: The firmware of the UPS, not of its card.
      type: dict
      contains:
        raw:
          description: The text as the UPS writes it.
          type: str
          sample: "UPS 09.6 (ID20) "
        version:
          description:
            - The version; V(null) for older texts such as C(617.3.I).
            - Versions compare only with versions of the same ID, and by number, so that 09.10 is later than 09.9.
          type: str
          sample: "09.6"
        id:
          description: The ID of the firmware line.
          type: int
          sample: 20
    serial:
      description: The serial number of the UPS.
      type: str
      sample: AS1511T00001
    manufactured:
      description: The date of manufacture, as the UPS writes it.
      type: str
      sample: 03/14/2015
    hardware_revision:
      description: The hardware revision.
      type: str
      sample: "5"
    rating:
      description: The rating as the UPS writes it.
      type: str
      sample: "1500"
    status:
      description: What the UPS is doing, by its output status.
      type: str
      sample: on_line
    comm:
      description: The communication of the card with the UPS. While it is V(none), nothing else here may be current.
      type: str
      choices: [ok, none]
      sample: ok
    flags:
      description: Single conditions by name; each V(true), V(false), or V(null) where the UPS does not show them.
      type: dict
      sample: {"on_line": true, "on_battery": false, "low_battery": false, "overload": false, "off": false}
    battery:
      description: The battery.
      type: dict
      contains:
        status:
          description: The judgement of the UPS.
          type: str
          choices: [unknown, normal, low, fault]
          sample: normal
        percent:
          description: The charge in percent.
          type: int
          sample: 100
        runtime_s:
          description: The run time that is left, in seconds.
          type: int
          sample: 3960
        replace:
          description: Whether the battery is to be replaced.
          type: bool
          sample: false
    self_test:
      description: The result of the last self test, or V(in_progress).
      type: str
      choices: [ok, failed, invalid, in_progress]
      sample: ok
    calibration:
      description: The result of the last runtime calibration, or V(in_progress).
      type: str
      choices: [ok, invalid, in_progress, refused, aborted, pending, unknown]
      sample: ok
    input_voltage_v:
      description: The input voltage in volts.
      type: int
      sample: 230
    output_voltage_v:
      description: The output voltage in volts.
      type: int
      sample: 230
    load_percent:
      description: The load as a share of the rated power; of two objects of the UPS the greater.
      type: float
      sample: 23.5
    outlet_groups:
      description: The outlet groups.
      type: dict
      contains:
        count:
          description: Their number. V(null) where the UPS does not answer the object, which is not 0.
          type: int
          sample: 2
        groups:
          description: Each group.
          type: list
          elements: dict
          contains:
            index:
              description: The row in the UPS's own table.
              type: int
              sample: 1
            name:
              description: The name that was given to the group.
              type: str
              sample: Main Outlets
            state:
              description: Whether it is on.
              type: str
              choices: ["on", "off", unknown]
              sample: "on"
            type:
              description: V(main) or V(switched).
              type: str
              choices: [switched, main]
              sample: main
    firmware_update:
      description: What the UPS says about the last update of its firmware through the card.
      type: str
      choices: [none, started, in_process, successful, failed]
      sample: none
    others:
      description: What else was read, shown and judged by nothing, such as C(battery_temperature_c), by name.
      type: dict
      sample: {"battery_temperature_c": 24}
nmc:
  description: The management card, in the form that M(dcops.apc.nmc_info) returns.
  returned: success, and when something else than a UPS answers
  type: dict
  sample: {"model": "AP9631", "hardware": "hw05", "aos": {"version": "7.0.8", "file": "apc_hw05_aos_708.bin"}}
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [not_a_ups, state, timeout, auth, transfer, unsupported, internal]
      sample: not_a_ups
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "192.0.2.20 is no APC UPS but an APC AP8853, application apc_hw05_rpdu2g_691.bin."
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ups_info")


if __name__ == "__main__":
    main()
