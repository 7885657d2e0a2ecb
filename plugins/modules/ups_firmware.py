#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ups_firmware
short_description: Updates the firmware of a Smart-UPS through its card
version_added: 0.1.0
description:
  - Brings the firmware of an APC Smart-UPS to a version, or to the one with the fix for the AP9624 fault, and refuses
    unless fresh measurements show that nothing speaks against it.
  - The file goes into the C(upsfw) folder of the management card by SCP or FTP. The update is then started by SNMP,
    once, and read back; it is followed to its end, and counts as done only when the UPS itself shows the new firmware.
  - Most units are updated with their output off, so this module waits for nobody to turn it off; with the output on it
    refuses. Only firmware that the maker's notes name may be updated with the output on, and then only with the
    confirmation C(output_may_go_off).
  - Each end, also a failure, says in RV(next_action) what to do now. An interrupted run is resumed by the next one,
    which first watches what the earlier one began.
  - In check mode it reads the unit, shows the gap and what would stand in the way. It logs in nowhere. Without a file
    it warns and does not fail.
options:
  src:
    description:
      - The firmware file on the controller, or an C(http://) or C(https://) URL of it.
      - Its name must be the maker's, C(<SERIES><ID>UPS_<major>-<minor>.enc) such as C(SMT20UPS_10-1.enc). Its ID must
        be the one of the unit's firmware. Its series is not judged, since units of several series share an ID.
      - What plainly is no firmware, such as an archive or the page of a login, is refused. Nothing else is known of
        the inside.
      - A relative path is looked for as M(ansible.builtin.copy) does.
      - Required as soon as something is to be sent.
    type: str
  checksum:
    description: The SHA-256 of the file. If given, it must match.
    type: str
  version:
    description:
      - The version to bring the unit to, such as V(09.3). Quote it.
      - Versions compare only inside one ID, so one version fits only units whose firmware has the same ID.
      - By default the fix for the AP9624 fault is wanted, as judged by M(dcops.apc.ups_ap9624_info), and O(src) may be
        newer than it. A unit that has the fix is left as it is. Where no fix is known, a version must be named.
    type: str
  interface_expander:
    description: As in M(dcops.apc.ups_ap9624_info). With V(absent) there is no fault to mend, and O(version) is needed.
    type: str
    choices: [present, absent, unknown]
    default: unknown
  confirmations:
    description:
      - What a person vouches for, beside what is measured.
      - A list of dictionaries with C(what) and C(unit), or text with one C(what UNIT) per line.
      - C(what) is C(output_may_go_off), for an update with the output on. The load may lose power at any time during
        the update; neither this controller, nor the network in between, nor a shutdown agent that could turn one of
        them off, depends on this UPS.
      - C(unit) is C(SERIAL@YYYY-MM-DD) with the serial number of the UPS and today's date; until 06:00 yesterday's
        counts too.
      - For a unit whose serial cannot be read it is C(SERIAL@ADDRESS@YYYY-MM-DDThh:mm+hh:mm) with the serial of the
        name plate, at most 60 minutes old.
      - Entries for other units are ignored, so one list can serve many hosts.
      - Never fill in a serial or a date from a measurement or a template. That would be no person's word.
    type: raw
  confirmation_timezone:
    description: The time zone of dates in O(confirmations), such as V(Europe/Berlin); by default the controller's.
    type: str
  stability_s:
    description: For how many seconds the readings must be unchanged before anything is sent, from V(30) to V(120).
    type: float
    default: 30.0
  poll_interval_s:
    description: How many seconds lie between two readings, from V(0.1) to V(3).
    type: float
    default: 2.0
  ready_timeout_s:
    description: How many seconds to wait for readings that are missing, from V(10) to V(7200).
    type: float
    default: 300.0
  start_timeout_s:
    description: Within how many seconds after the start the update must be seen to run, from V(30) to V(3600).
    type: float
    default: 120.0
  update_timeout_s:
    description:
      - For how many seconds the update is followed, from V(60) to V(86400), before the run ends as C(updating).
      - Where the card shows nothing of an update, it counts as over after an hour at the earliest, whatever stands
        here.
    type: float
    default: 3600.0
  up_timeout_s:
    description:
      - How many seconds the UPS may take to communicate, to show its new firmware and to be in order again afterwards,
        from V(10) to V(7200). Less than V(600) counts as V(600).
    type: float
    default: 600.0
  state_dir:
    description:
      - The folder on the controller for locks and evidence, as in M(dcops.apc.ats_firmware).
      - All runs for a unit must share it, and it must last; what an earlier run has begun is known from there.
      - If not set, the environment variable E(APC_STATE_DIR) of the controller is used, and else C(dcops-apc) in the
        user's state folder (E(XDG_STATE_HOME), or C(~/.local/state)).
    type: path
  ephemeral_state:
    description:
      - Whether O(state_dir) may be inside a container without being a mount, and so be lost with the container.
      - Without it nothing is sent then.
    type: bool
    default: false
  change_reference:
    description: Free text, such as the number of the change. It is kept in the evidence.
    type: str
  username:
    description:
      - The administrator of the management card. Not needed in check mode.
      - If not set, the environment variable E(APC_USERNAME) of the controller is used.
    type: str
    required: false
  password:
    description:
      - The password of O(username). Not needed in check mode.
      - If not set, the environment variable E(APC_PASSWORD) of the controller is used.
    type: str
    required: false
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.account
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: full
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
notes:
  - Run it on one unit at a time, with C(serial=1) and C(any_errors_fatal=true). The playbook
    C(dcops.apc.ups_firmware_upgrade) does so.
  - O(snmp_write_community) is required with SNMP v1 and v2c. Its access type on the card must be C(Write+); with
    C(Write) the card drops the start silently while somebody is logged in.
  - Tried on simulated units only.
  - Not known from any published source are whether every card takes the start by SNMP, what the communication and the
    status read during an update, how long it takes, and whether the output comes back by itself afterwards. The rules
    are chosen so that being wrong about them costs time.
  - Firmware that refuses updates through the card gets no file. Which does is taken from the maker's release notes, ID
    by ID; where they say nothing of an ID, every version 15 is refused. From 15.0 on some units have a menu
    C(Firmware Update Interfaces) on their LCD that decides; it cannot be read from here, so they are refused too.
  - That mains below 80 V are none, and that an output of up to 10 V is off, are general knowledge and no published
    values.
  - A UPS was once made unusable when a shutdown agent turned off the very computer that was sending the update. What
    this controller and the network depend on cannot be measured.
  - While the UPS writes its firmware with the output on there is no battery protection.
  - When a worker is killed while the UPS is being updated, the UPS goes on by itself.
seealso:
  - module: dcops.apc.ups_info
  - module: dcops.apc.ups_ap9624_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Bring a UPS, whose output is off, to the firmware with the AP9624 fix
  dcops.apc.ups_firmware:
    src: /srv/firmware/SMT18UPS_09-3.enc
    checksum: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    interface_expander: present
    snmp_write_community: "{{ vault_apc_write_community }}"
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
    change_reference: CHG0012345

- name: Update with the output on, by a person's word of today
  dcops.apc.ups_firmware:
    src: /srv/firmware/SRT1010UPS_08-2.enc
    version: "08.2"
    confirmations: "{{ survey_confirmations }}"
    confirmation_timezone: Europe/Berlin
    snmp_write_community: "{{ vault_apc_write_community }}"
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
"""

RETURN = r"""
changed:
  description:
    - Whether the firmware has changed, or may have. V(true) as soon as the start went out, also where the run fails or
      is interrupted afterwards; V(false) where the card plainly refused it.
    - In check mode, whether a version is missing.
  returned: always
  type: bool
  sample: true
state:
  description: How the run has ended.
  returned: always
  type: str
  choices:
    - unchanged
    - gap
    - no_target
    - nothing_sent
    - locked
    - file_not_started
    - start_not_seen
    - updating
    - foreign_update
    - failed_old_firmware
    - unproved
    - comm_lost
    - updated_not_normal
    - updated
    - updated_output_off
  sample: updated_output_off
next_action:
  description: What the person must do now.
  returned: always
  type: str
  sample: The new firmware runs and communicates; the output is off. Turn it on when those who own the load agree.
firmware:
  description: The firmware of the UPS.
  returned: when the unit could be read
  type: dict
  contains:
    before:
      description: What ran before. For a run that resumed an earlier one, before that.
      type: str
      sample: UPS 09.1 (ID18)
    wanted:
      description: What is wanted.
      type: str
      sample: UPS 09.3 or later
    after:
      description: What runs after an update.
      type: str
      sample: UPS 09.3 (ID18)
reason:
  description: Why this version is wanted, where O(version) was not given.
  returned: when the unit could be read
  type: str
  sample: "UPS 09.1 (ID18) lacks the fix, which came with UPS 09.3 for SMT 2U rackmount: update the UPS firmware."
interlock:
  description: The checks, where the run was refused or in check mode.
  returned: when the unit could be read
  type: dict
  contains:
    permitted:
      description: Whether the update may be started.
      type: bool
      sample: false
    checks:
      description: Each check.
      type: list
      elements: dict
      contains:
        id:
          description: The name of the check.
          type: str
          sample: output
        ok:
          description: Whether it holds.
          type: bool
          sample: false
        pending:
          description: Whether the operator's next action can bring it about.
          type: bool
          sample: true
        expected:
          description: What is wanted.
          type: str
          sample: the output off; or on, where this firmware bears it and it is confirmed
        observed:
          description: What was measured.
          type: str
          sample: the output is on, and UPS 09.1 (ID18) is updated with it off
    reasons:
      description: The failing checks in sentences.
      type: list
      elements: str
      sample: []
resumed:
  description: The earlier run whose update this one watched first.
  returned: when the unit could be read
  type: str
  sample: f52d58e635d3
events:
  description: New rows of the card's event log that speak of the update, newest first as in the log.
  returned: when the unit could be read
  type: list
  elements: str
  sample: ["11/20/2026 16:19:53 Device UPS: Finished UPS firmware transfer [Success] 0x0177"]
simulated:
  description: V(null) for a real device; for a simulated one how many times faster than real time it says it lives.
  returned: when the unit could be read
  type: int
  sample: null
steps:
  description: What was done, with times.
  returned: when the unit could be read
  type: list
  elements: dict
  contains:
    time:
      description: When, in UTC.
      type: str
      sample: "2026-03-01T02:11:38.211+00:00"
    text:
      description: What.
      type: str
      sample: update start SMT18UPS_09-3.enc UPS 09.1 (ID18)
evidence:
  description: The record of the run.
  returned: when the unit could be read
  type: dict
  contains:
    path:
      description: The file on the controller; V(null) in check mode.
      type: str
      sample: /home/ops/.local/state/dcops-apc/evidence/20260301T021138Z_ups-AS1512T15001_f52d58e635d3.jsonl
    summary:
      description: Its records without the measurements.
      type: list
      elements: dict
      sample: []
    lost:
      description: Why the record is not complete; only where the disk failed after the start.
      type: str
      sample: "the evidence cannot be written: No space left on device"
ups:
  description: The UPS afterwards, as M(dcops.apc.ups_info) returns it.
  returned: success
  type: dict
  sample: {"sku": "SMT1500RM2U", "firmware": {"raw": "UPS 09.3 (ID18)", "version": "09.3", "id": 18}}
nmc:
  description: The management card, as M(dcops.apc.ups_info) returns it.
  returned: success, and when something else than a UPS answers
  type: dict
  sample: {"model": "AP9631", "hardware": "hw05"}
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices:
        - refused
        - not_a_ups
        - timeout
        - auth
        - busy
        - transfer
        - identity
        - package
        - locked
        - state
        - unsupported
        - internal
      sample: refused
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: >-
        output: the output is on, and UPS 09.1 (ID18) is updated with it off (wanted: the output off; or on, where this
        firmware bears it and it is confirmed)
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ups_firmware")


if __name__ == "__main__":
    main()
