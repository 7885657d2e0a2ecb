#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ups_ap9624_info
short_description: Tells whether a Smart-UPS still carries the AP9624 fault
version_added: 0.1.0
description:
  - Judges a UPS by the maker's bulletin FA233876. With an AP9624 (UPS Interface Expander 2) and older UPS firmware, a
    pending off command of the master server or of the display may be overridden, so that the UPS starts again at once.
  - Queries a UPS, or judges facts that were read earlier (O(ups)).
  - Only reads. What closes a gap is shown as a diff in diff mode; nothing is ever changed.
  - Says V(fixed) or V(not_affected) only where that is proven, and otherwise V(unknown) with the reason.
  - Versions are compared inside one firmware ID only. A unit of one and the same SKU may run two lines of firmware.
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.attributes
  - dcops.apc.attributes.read_only
attributes:
  diff_mode:
    support: full
    details: Shows the firmware that the unit needs. RV(ignore:changed) stays V(false).
options:
  host:
    description:
      - The address or name of the management card.
      - As a task on a playbook's host it defaults to that host's C(ansible_host). Not used with O(ups).
    type: str
    required: false
  ups:
    description:
      - Facts to judge instead of a query; what M(dcops.apc.ups_info) returned as RV(dcops.apc.ups_info#module:ups), or
        its whole result, or flat facts with the keys C(sku), C(model), C(firmware) and C(outlet_groups).
      - Unknown keys are ignored. A missing fact counts as not known; V({}) means no facts at all, never a query.
      - A flat C(outlet_groups) of 0 counts as the word of whoever gave it. In a result of M(dcops.apc.ups_info) the 0
        counts only where the communication of the card with the UPS was up.
    type: dict
  interface_expander:
    description:
      - Whether an AP9624 is fitted. No SNMP object tells; somebody must look.
      - With V(unknown) the UPS is judged as if one was fitted, and the reason says so.
    type: str
    choices: [present, absent, unknown]
    default: unknown
notes:
  - That firmware lines with the IDs 1015, 1018, 1026, 1027, 1028, 1031, 1047, 1050, 1059, 1060, 1061 and 1064 are not
    affected is inferred from their release notes; the bulletin does not name them. The basis then says so.
  - That a UPS with nothing but a main outlet group counts as having outlet groups is an assumption on the safe side.
  - Tried on simulated units and on values published from real ones, not on real hardware.
seealso:
  - module: dcops.apc.ups_info
  - ref: Role dcops.apc.ups_ap9624 <ansible_collections.dcops.apc.ups_ap9624_role>
    description: The same for many units, with a policy for what makes the run fail.
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Judge a UPS
  dcops.apc.ups_ap9624_info:
    interface_expander: "{{ apc_interface_expander | default('unknown') }}"
  register: gap

- name: Say what is missing
  ansible.builtin.debug:
    msg: "{{ gap.ap9624.current }} -> {{ gap.ap9624.fixed_in }}: {{ gap.ap9624.reason }}"
  when: gap.ap9624.status == 'fix_missing'

- name: Judge facts from an asset list, without a device
  dcops.apc.ups_ap9624_info:
    ups:
      sku: SMT1500RM2U
      firmware: UPS 09.2 (ID18)
    interface_expander: present
"""

RETURN = r"""
ap9624:
  description: The finding.
  returned: success
  type: dict
  contains:
    status:
      description:
        - V(fixed) has the fix. V(fix_missing) is affected, and a firmware with the fix exists. V(no_published_fix) is
          affected, and none exists.
        - V(not_affected) is not affected at all. V(unknown) could not be proven either way.
      type: str
      choices: [fixed, fix_missing, no_published_fix, not_affected, unknown]
      sample: fix_missing
    current:
      description: The firmware that was judged; V(null) where its text has no version.
      type: str
      sample: UPS 09.2 (ID18)
    fixed_in:
      description: The first version of the same line with the fix.
      type: str
      sample: UPS 09.3
    rule:
      description: Which of the ten rules decided, see the guide on compliance.
      type: int
      sample: 8
    basis:
      description: What the finding rests on.
      type: str
      choices: [bulletin, release notes, operator]
      sample: bulletin
    identified_by:
      description: What told which product this is; V(null) where nothing did, or where two contradict each other.
      type: str
      choices: [id, sku, model]
      sample: id
    reason:
      description: The reason in a sentence.
      type: str
      sample: >-
        UPS 09.2 (ID18) lacks the fix, which came with UPS 09.3 for SMT 2U rackmount: update the UPS firmware.
    source:
      description: Where the rule comes from.
      type: str
      sample: "FA233876, table: SMT 2U rackmount"
    expander:
      description: What was said about the AP9624.
      type: str
      choices: [present, absent, unknown]
      sample: present
    advice:
      description: Related bulletins that concern this unit.
      type: list
      elements: dict
      contains:
        id:
          description: The bulletin.
          type: str
          sample: FA233875
        text:
          description: What to mind.
          type: str
          sample: Never switch outlet groups on their own.
ups:
  description: The UPS that was judged. What could not be read is V(null), and never C(-1).
  returned: success, when a UPS was queried
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
nmc:
  description: The management card. What it does not show is V(null).
  returned: when a UPS was queried, and when something else than a UPS answers
  type: dict
  contains:
    model:
      description: The model in the card's description.
      type: str
      sample: AP9631
    hardware:
      description: The card's hardware, by the name of its AOS file; V(hw02) is NMC1, V(hw05) is NMC2, V(hw21) is NMC3.
      type: str
      sample: hw05
    serial:
      description: The serial number in the card's description. On some cards it is junk, such as C(FFFFFFFFFFFF).
      type: str
      sample: ZA1511T00001
    boot_monitor:
      description: The version of the boot monitor.
      type: str
      sample: 4.1.0
    aos:
      description: The card's operating system.
      type: dict
      contains:
        version:
          description: Its version.
          type: str
          sample: 7.0.8
        file:
          description: The name of the file that it was installed from.
          type: str
          sample: apc_hw05_aos_708.bin
    app:
      description: The application; all V(null) when none runs.
      type: dict
      contains:
        name:
          description: The application's name in its file name.
          type: str
          sample: sumx
        version:
          description: Its version.
          type: str
          sample: 7.0.8
        file:
          description: The name of the file that it was installed from.
          type: str
          sample: apc_hw05_sumx_708.bin
    uptime_s:
      description: Seconds since the card started.
      type: float
      sample: 3456385.93
    last_transfer:
      description: The result of the last file transfer, as the card tells it. That is weak evidence.
      type: str
      sample: not_available
    description:
      description: The card's whole description (sysDescr), without control characters.
      type: str
      sample: >-
        APC Web/SNMP Management Card (MB:v4.1.0 PF:v7.0.8 PN:apc_hw05_aos_708.bin AF1:v7.0.8 AN1:apc_hw05_sumx_708.bin
        MN:AP9631 HR:08 SN: ZA1511T00001 MD:04/18/2015)
    simulated:
      description: V(null) for a real device; for a simulated one how many times faster than real time it says it lives.
      type: int
      sample: null
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

from ..module_utils._module import module_main


def main() -> None:
    module_main("ups_ap9624_info")


if __name__ == "__main__":
    main()
