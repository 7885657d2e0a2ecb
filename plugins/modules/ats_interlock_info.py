#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_interlock_info
short_description: Says whether firmware could be sent to a Rack ATS now, and what is missing
version_added: 0.1.0
description:
  - Watches a Rack ATS over one window of stability, logs in once to prove its identity and to read its event log, and
    returns the verdict of the interlock that guards M(dcops.apc.ats_firmware).
  - Only reads. It asks nobody for anything, and does not fail because checks do not hold; look at RV(interlock).
  - It takes about a minute.
  - The vendor's bulletin FA156178 says that an upgrade may drop the load and damage the unit when both inputs are live.
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.account
  - dcops.apc.upgrade
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
  - dcops.apc.attributes.read_only
seealso:
  - module: dcops.apc.ats_info
  - module: dcops.apc.ats_wait
  - module: dcops.apc.ats_firmware
  - module: dcops.apc.ats_permit_info
  - module: dcops.apc.firmware_package_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: See what stands in the way of an upgrade
  dcops.apc.ats_interlock_info:
    src: /srv/firmware/apc_hw02_aos392_g2ats392.exe
    primary_source: B
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
  register: verdict

- name: Show what is missing before anybody is sent to the rack
  ansible.builtin.debug:
    var: verdict.interlock.checks | rejectattr('ok') | rejectattr('pending') | list
"""

RETURN = r"""
interlock:
  description: Whether a file may be sent now, in the form of RV(dcops.apc.ats_firmware#module:interlock).
  returned: when the unit could be observed
  type: dict
  sample:
    permitted: false
    ready: true
    method: single_source
    checks:
      - id: secondary_dead
        ok: false
        pending: true
        expected: status fail and voltage below 10 % of the primary's reference
        observed: source A ok 216 V
    reasons: ["redundancy_lost: fully_redundant (wanted: redundancy lost)"]
lines:
  description: What a person reads, the unit and then each check.
  returned: success
  type: list
  elements: str
  sample:
    - AP7724, serial 5A1511T00001, AOS 3.7.4, app 3.7.1, selected B, redundancy fully_redundant, load 8.8 A
    - "pending   secondary_dead          source A ok 216 V"
blocking:
  description: The checks that neither waiting nor a plug mends, as one text; empty where there is none.
  returned: success
  type: str
  sample: ""
entry:
  description: What is to be done with this unit at all, in the form of RV(dcops.apc.ats_firmware#module:entry).
  returned: when the unit could be read
  type: dict
  sample: {"kind": "send", "reason": "apc_hw02_aos_392.bin and apc_hw02_g2ats_392.bin to be sent"}
plan:
  description: The files to be sent, in their order, in the form of RV(dcops.apc.ats_firmware#module:plan).
  returned: when the unit could be read
  type: list
  elements: dict
  sample: [{"file": "apc_hw02_aos_392.bin", "kind": "aos", "installed": "3.7.4", "version": "3.9.2"}]
ats:
  description: The last reading of the ATS, in the form that M(dcops.apc.ats_info) returns.
  returned: success
  type: dict
  sample: {"model": "AP7724", "redundancy": "lost", "selected_source": "B"}
nmc:
  description: The last reading of the card, in the form that M(dcops.apc.nmc_info) returns.
  returned: success
  type: dict
  sample: {"model": "AP7724", "aos": {"version": "3.7.4", "file": "apc_hw02_aos_374.bin"}}
firmware:
  description: The versions that ran, in the form of RV(dcops.apc.ats_firmware#module:firmware).
  returned: when the unit could be read
  type: dict
  sample: {"before": {"aos": "3.7.4", "app": "3.7.1"}, "after": {"aos": "3.9.2", "app": "3.9.2"}}
confirmations:
  description: What O(confirmations) says of this unit, in the form of
    RV(dcops.apc.ats_firmware#module:confirmations).
  returned: when the unit could be read
  type: list
  elements: dict
  sample:
    - what: will_disconnect_secondary
      ok: true
      verifiable: true
      reason: promised for 2026-03-14 (it is 2026-03-14 10:20 in Europe/Berlin)
steps:
  description: What the run did, in order, in the form of RV(dcops.apc.ats_firmware#module:steps).
  returned: when the unit was reached
  type: list
  elements: dict
  sample: [{"time": "2026-03-01T21:04:12.123+00:00", "text": "isolated"}]
evidence:
  description: The record of the run, in the form of RV(dcops.apc.ats_firmware#module:evidence).
  returned: when the unit was reached
  type: dict
  sample: {"path": "/home/awx/.local/state/dcops-apc/evidence/x.jsonl", "summary": []}
simulated:
  description: V(null) for a real device; for a simulated one how many times faster than real time it says it lives.
  returned: when the unit was reached
  type: int
  sample: null
holder:
  description: Which run holds the unit.
  returned: when RV(dcops.apc.ats_firmware#module:error.kind) is V(locked)
  type: str
  sample: run 0123456789ab, pid 4711 on host awx-1
state:
  description: The state that the unit was left in, one of RV(dcops.apc.ats_firmware#module:state).
  returned: failure
  type: str
  sample: nothing_sent_unsure
next_action:
  description:
    - What the person at the plugs must do now. It never allows anything to be connected, but where the load is dark.
  returned: failure
  type: str
  sample: Leave every plug and every load as it is, and run again.
error:
  description: Why the module failed, in the form of RV(dcops.apc.ats_firmware#module:error).
  returned: failure
  type: dict
  sample: {"kind": "timeout", "message": "no SNMP v1 answer from 192.0.2.10:161 within 3 s (3 tries)"}
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_interlock_info")


if __name__ == "__main__":
    main()
