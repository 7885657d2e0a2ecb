#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_wait
short_description: Waits until a Rack ATS is ready, isolated or redundant again
version_added: 0.1.0
description:
  - Waits for one condition of a firmware upgrade, shows live what is still missing, and says when a plug may be moved.
  - Sends nothing to the device. It writes its own evidence on the controller.
  - A permission is written first, then measured once more, then said. It is withdrawn when the measurements change, and
    a STOP is said before anything else is done.
  - A word to reconnect, or to connect loads, is given with O(until=redundant) alone. It is the release of the unit's
    permit, and spends every word that was given before it.
  - In check mode it measures over one window, asks nobody for anything and does not wait.
options:
  until:
    description:
      - V(ready) all that can hold with the inputs as they are does hold, so that an upgrade could begin.
      - V(isolated) the secondary input was disconnected, or with O(method=no_load) the loads, and a person has said so
        (the deed, see O(confirmations)). The operator is told when to do it, and is asked for the word.
      - V(redundant) the unit has settled, the secondary was reconnected, and it is fully redundant for more than 60
        seconds; with O(method=no_load), the word to connect the loads was said to its end. The operator is told when to
        do so. It is also the way back where nothing, or only the AOS, was sent.
    type: str
    choices: [ready, isolated, redundant]
    required: true
  timeout_s:
    description:
      - How many seconds to wait at most, from V(1) to V(86400). It is how long a person may take to walk to the rack.
      - The result then says what to do with what was already unplugged.
    type: float
    default: 3600.0
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.account
  - dcops.apc.upgrade
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
  - dcops.apc.attributes.read_only
seealso:
  - module: dcops.apc.ats_info
  - module: dcops.apc.ats_interlock_info
  - module: dcops.apc.ats_firmware
  - module: dcops.apc.ats_word
  - module: dcops.apc.ats_permit_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Wait until somebody may be sent to the rack
  dcops.apc.ats_wait:
    until: ready
    src: /srv/firmware/apc_hw02_aos392_g2ats392.exe
    primary_source: B
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"

- name: Tell the electrician when to unplug source A, and wait until it is out
  dcops.apc.ats_wait:
    until: isolated
    timeout_s: 1800
    src: /srv/firmware/apc_hw02_aos392_g2ats392.exe
    primary_source: B
    confirmations: "{{ survey_confirmations }}"
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
"""

RETURN = r"""
until:
  description: What was waited for.
  returned: success
  type: str
  sample: isolated
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
interlock:
  description: Whether a file may be sent now, in the form of RV(dcops.apc.ats_firmware#module:interlock).
  returned: when the unit was observed over a window
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
permit:
  description: The permit as it stands, in the form of RV(dcops.apc.ats_firmware#module:permit).
  returned: when the unit could be read
  type: dict
  sample: {"number": 3, "state": "isolated", "method": "single_source", "primary": "B"}
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
  returned: when the unit was reached, and on failure
  type: str
  sample: isolated
next_action:
  description:
    - What the person at the plugs must do now. It never allows anything to be connected, but where the load is dark;
      that is said while it waits.
  returned: when the unit was reached, and on failure
  type: str
  sample: >-
    Keep source A out and touch nothing else; the next step, or the restore step (playbook
    dcops.apc.ats_firmware_upgrade with -e ats_upgrade_only=restore) as the way back.
error:
  description: Why the module failed, in the form of RV(dcops.apc.ats_firmware#module:error).
  returned: failure
  type: dict
  sample: {"kind": "refused", "message": "primary_selected: source A is selected"}
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_wait")


if __name__ == "__main__":
    main()
