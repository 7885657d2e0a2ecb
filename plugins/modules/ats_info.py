#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_info
short_description: Reads the state of a Rack ATS
version_added: 0.1.0
description:
  - Reads the sources, the switch, the load, the settings and the firmware of an APC Rack ATS by SNMP, in at most four
    round trips.
  - Only reads.
  - A reading that is not proof is not shown as one. Unsupported objects (which read C(-1)), supplies that read 0 and
    values outside what an object may be are all V(null).
  - Values may be up to 15 seconds old, since the card asks its controller from time to time.
  - A dead source is not proof of an unplugged one. An upgrade therefore takes a person's word too, see
    M(dcops.apc.ats_firmware).
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.attributes
  - dcops.apc.attributes.read_only
notes:
  - Of an AP44xxA only the model, serial number, voltages and frequencies are read.
seealso:
  - module: dcops.apc.nmc_info
  - module: dcops.apc.ats_interlock_info
  - module: dcops.apc.ats_wait
  - module: dcops.apc.ats_firmware
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Read the ATS
  dcops.apc.ats_info:
  register: unit

- name: Say which source is missing
  ansible.builtin.debug:
    msg: >-
      source A {{ unit.ats.inputs.A.voltage_v }} V, source B {{ unit.ats.inputs.B.voltage_v }} V,
      load {{ unit.ats.load.total_current_a }} A
  when: unit.ats.redundancy != 'fully_redundant'

- name: Read one unit by its address
  dcops.apc.ats_info:
    host: 192.0.2.10
    snmp_community: "{{ vault_snmp_community }}"
    snmp_timeout: 2
"""

RETURN = r"""
ats:
  description: The ATS. What could not be read, or what the model does not have, is V(null) and never C(-1).
  returned: success
  type: dict
  contains:
    model:
      description: The model.
      type: str
      sample: AP7724
    generation:
      description: From the exact model and the application together; V(unknown) when they contradict each other.
      type: str
      choices: [gen1, gen2, 4g, 5g, unknown]
      sample: gen2
    serial:
      description: The ATS's own serial number. Confirmations for an upgrade name this one.
      type: str
      sample: 5A1511T00001
    controller_firmware:
      description:
        - The firmware of the switch controller. It is neither the AOS nor the app; the app may replace it when it
          starts.
      type: dict
      contains:
        version:
          description: Its version.
          type: str
          sample: 3.0.5
        date:
          description: Its date, as the unit writes it.
          type: str
          sample: 09/13/11
    nominal:
      description: What the unit is made for.
      type: dict
      contains:
        voltage_v:
          description: The voltage.
          type: int
          sample: 230
        frequency_hz:
          description: The frequency.
          type: int
          sample: 50
        rating_a:
          description: The current.
          type: int
          sample: 32
    settings:
      description: The settings of the ATS. A flash of the controller may lose them.
      type: dict
      contains:
        name:
          description: The name that was given to the unit.
          type: str
          sample: ats-rack-04
        sensitivity:
          description: How quickly it transfers.
          type: str
          choices: [high, low]
          sample: high
        transfer_range:
          description: How far the voltage may be off before it transfers.
          type: str
          choices: [wide, medium, narrow]
          sample: medium
        limits:
          description: What each transfer range means.
          type: dict
          contains:
            narrow_v:
              description: Volts above and below for V(narrow).
              type: int
              sample: 16
            medium_v:
              description: Volts above and below for V(medium).
              type: int
              sample: 23
            wide_v:
              description: Volts above and below for V(wide).
              type: int
              sample: 30
        line_vrms:
          description: The line voltage around which the range lies, in volts.
          type: int
          sample: 230
        current_limit_a:
          description: The current beyond which it does not transfer.
          type: int
          sample: 32
        frequency_deviation_hz:
          description: How far the frequency may be off.
          type: int
          sample: 2
        front_panel:
          description: Whether the buttons work.
          type: str
          choices: [disabled, enabled]
          sample: enabled
    controller_comm:
      description:
        - The communication of the card with the switch controller. While it is not V(established), nothing else here
          may be current.
      type: str
      choices: [never_discovered, established, lost]
      sample: established
    selected_source:
      description: The input that feeds the load.
      type: str
      choices: [A, B]
      sample: B
    preferred_source:
      description: The input that the unit goes back to.
      type: str
      choices: [A, B, none]
      sample: B
    redundancy:
      description: Whether either input could carry the load.
      type: str
      choices: [lost, fully_redundant]
      sample: fully_redundant
    over_current:
      description:
        - The over-current object as it reads. Some firmware gives the load's state here, where it means the opposite,
          so never decide on it alone.
      type: str
      choices: [over_current, ok]
      sample: ok
    switch:
      description: The transfer switch.
      type: str
      choices: [fail, ok]
      sample: ok
    phase_sync:
      description: Whether the two inputs are in phase.
      type: str
      choices: [in_sync, out_of_sync]
      sample: in_sync
    output_ok:
      description:
        - The unit's judgement of its output. Some AP44xx say V(false) while the output is on, so never decide on it
          alone.
      type: bool
      sample: true
    display_ok:
      description: The display board.
      type: bool
      sample: true
    supplies:
      description:
        - The internal supplies and fuses by name, each V(ok), V(fail) or V(null) where the model has none.
        - The supply C(24v_a) is fed by source A, C(24v_b) by source B.
      type: dict
      sample: {"5v": ok, "24v_a": ok, "24v_b": ok, "12v": ok, "-12v": ok, "3.3v": null, "fuse_a": null}
    inputs:
      description: The two inputs, as C(A) and C(B).
      type: dict
      contains:
        A:
          description: Source A. How a dead source reads is not known; V(null) and a small voltage are both possible.
          type: dict
          contains:
            status:
              description: The unit's judgement.
              type: str
              choices: [fail, ok]
              sample: ok
            voltage_v:
              description: The voltage.
              type: int
              sample: 216
            frequency_hz:
              description: The frequency.
              type: int
              sample: 50
            supply_24v:
              description: The 24 V supply that this source feeds.
              type: str
              choices: [fail, ok]
              sample: ok
            name:
              description: The name that was given to the input.
              type: str
              sample: Source A
        B:
          description: Source B. How a dead source reads is not known; V(null) and a small voltage are both possible.
          type: dict
          contains:
            status:
              description: The unit's judgement.
              type: str
              choices: [fail, ok]
              sample: ok
            voltage_v:
              description: The voltage.
              type: int
              sample: 216
            frequency_hz:
              description: The frequency.
              type: int
              sample: 50
            supply_24v:
              description: The 24 V supply that this source feeds.
              type: str
              choices: [fail, ok]
              sample: ok
            name:
              description: The name that was given to the input.
              type: str
              sample: Source B
    load:
      description:
        - What the unit carries. Whether a current under 1 A is shown as 0 is not known, so 0 is no proof of no load.
      type: dict
      contains:
        total_current_a:
          description: The whole current; V(null) unless all that is needed for it was read.
          type: float
          sample: 8.8
        banks:
          description: The banks of 2U models; row 1 is their total.
          type: list
          elements: dict
          contains:
            index:
              description: The row in the unit's own table.
              type: str
              sample: "1"
            current_a:
              description: The current, in steps of 0.1 A.
              type: float
              sample: 8.8
            state:
              description: The unit's judgement of the load.
              type: str
              choices: [normal, low, near_overload, overload]
              sample: normal
            voltage_v:
              description: The voltage.
              type: int
              sample: 215
            apparent_va:
              description: The apparent power; of two objects of the unit the greater.
              type: int
              sample: 1883
            power_w:
              description: The power in watts; V(null) for every model known, since none has an object for it.
              type: int
              sample: null
            load_percent:
              description: The load as a share of what the unit may carry.
              type: int
              sample: 25
        phases:
          description: The output phases of models without banks.
          type: list
          elements: dict
          contains:
            index:
              description: The row in the unit's own table.
              type: str
              sample: "1"
            current_a:
              description: The current, in steps of 0.1 A.
              type: float
              sample: 8.8
            state:
              description: The unit's judgement of the load.
              type: str
              choices: [normal, low, near_overload, overload]
              sample: normal
            voltage_v:
              description: The voltage.
              type: int
              sample: 215
            apparent_va:
              description: The apparent power; of two objects of the unit the greater.
              type: int
              sample: 1883
            power_w:
              description: The power in watts; V(null) for every model known, since none has an object for it.
              type: int
              sample: null
            load_percent:
              description: The load as a share of what the unit may carry.
              type: int
              sample: 25
    others:
      description: What else was read, shown and judged by nothing, such as C(output_count), by name.
      type: dict
      sample: {"output_count": 1}
exposures:
  description: What the bulletins about the firmware of Rack ATSs mean for this unit.
  returned: success
  type: list
  elements: dict
  contains:
    bulletin:
      description: The bulletin.
      type: str
      sample: FA156178
    applies:
      description: Whether it concerns the unit; V(null) where that cannot be told.
      type: bool
      sample: true
    text:
      description: What it means.
      type: str
      sample: "covered: use the guarded upgrade (dcops.apc.ats_firmware_upgrade)."
nmc:
  description: The management card, in the form that M(dcops.apc.nmc_info) returns.
  returned: success, and when something else than a working ATS answers
  type: dict
  sample: {"model": "AP7724", "hardware": "hw02", "aos": {"version": "3.7.4", "file": "apc_hw02_aos_374.bin"}}
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [not_an_ats, state, timeout, auth, transfer, unsupported, internal]
      sample: not_an_ats
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "192.0.2.20 is no APC Rack ATS but an APC AP8853, application apc_hw05_rpdu2g_691.bin."
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_info")


if __name__ == "__main__":
    main()
