#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
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
  ats_too:
    description:
      - Whether a Rack ATS is no failure. It is read as M(dcops.apc.ats_info) does, and RV(exposures) says what the
        bulletins about it mean.
    type: bool
    default: false
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
status:
  description:
    - RV(ap9624.status); V(ats) for a Rack ATS with O(ats_too); else why it was not judged.
    - V(not_asked) is no finding about the unit, since an option is refused or the controller lacks what it needs.
  returned: always
  type: str
  choices:
    - fixed
    - fix_missing
    - no_published_fix
    - not_affected
    - unknown
    - ats
    - unreachable
    - not_a_ups
    - error
    - not_asked
  sample: fix_missing
line:
  description: The finding on one line, without the host.
  returned: always
  type: str
  sample: fix_missing | Smart-UPS 1500 SMT1500RM2U | UPS 09.2 (ID18) | UPS 09.2 (ID18) lacks the fix
verdict:
  description: What is wrong and what to do, in sentences, for a run that fails on it.
  returned: always
  type: str
  sample: "FIX MISSING. UPS 09.2 (ID18) -> UPS 09.3 or later. WHAT TO DO: plan the update of the UPS firmware."
what_to_do:
  description: What to do now.
  returned: always
  type: str
  sample: nothing was changed. Plan the update of the UPS firmware.
ats:
  description: The ATS, in the form that M(dcops.apc.ats_info) returns.
  returned: for a Rack ATS, with O(ats_too)
  type: dict
  sample: {"model": "AP7724"}
exposures:
  description: As M(dcops.apc.ats_info) returns them.
  returned: for a Rack ATS, with O(ats_too)
  type: list
  elements: dict
  sample: [{"bulletin": "FA156178", "applies": true, "text": "covered"}]
ups:
  description: The UPS that was judged, in the form that M(dcops.apc.ups_info) returns.
  returned: success, when a UPS was queried
  type: dict
  sample: {"sku": "SMX1500RM2U", "firmware": {"raw": "UPS 09.6 (ID20) ", "version": "09.6", "id": 20}, "comm": "ok"}
nmc:
  description: The management card, in the form that M(dcops.apc.nmc_info) returns.
  returned: when a UPS was queried, and when something else than a UPS answers
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
    module_main("ups_ap9624_info")


if __name__ == "__main__":
    main()
