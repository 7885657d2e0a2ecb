#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_firmware
short_description: Upgrades the firmware of a Rack ATS behind an interlock
version_added: 0.1.0
description:
  - Upgrades the AOS and the app of a generation 2 AP77xx, and refuses unless fresh measurements and a person's word
    prove that it is safe.
  - The vendor's bulletin FA156178 says why. When the new app starts, it may download a firmware into the switch
    controller. With both inputs live the relays may chatter then, which drops the load and damages the unit for good.
  - Nothing is sent while the verdict of the interlock does not hold. There is no option to send past a refusal.
  - Only what differs is sent, first the AOS and then the app. After the app it watches until the controller has
    settled, and says C(DO NOT RECONNECT) until then. A second run is unchanged.
  - Each end, also a failure, says in RV(next_action) what the person at the plugs must do now.
  - In check mode nothing is sent, and what would be sent is in RV(plan).
options:
  step:
    description:
      - V(upgrade) repeats readiness and isolation, takes a backup, sends what differs and waits until it has settled.
      - V(backup) only reads C(config.ini) and C(event.txt) into O(state_dir), as the baseline for V(verify).
      - V(verify) only compares versions, settings, switch and display with the baseline.
    type: str
    choices: [upgrade, backup, verify]
    default: upgrade
  timeout_s:
    description: How many seconds a person may take to disconnect the input or the loads, from V(1) to V(86400).
    type: float
    default: 3600.0
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.account
  - dcops.apc.upgrade
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: none
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
notes:
  - Run it on one unit at a time, with C(serial=1) and C(any_errors_fatal=true). The role C(dcops.apc.ats_upgrade) does
    so.
  - After a run the unit is still on one input. Wait for M(dcops.apc.ats_wait) with C(until=redundant) to say when to
    reconnect.
  - A controller that was flashed well may still fail at its first cold start, as one did after two months. That cannot
    be tested here, and RV(cold_start_verified) is always V(false).
  - While a file is being sent, signals are held until the next safe point. A worker outlives a killed
    C(ansible-playbook).
seealso:
  - module: dcops.apc.ats_info
  - module: dcops.apc.ats_interlock_info
  - module: dcops.apc.ats_wait
  - module: dcops.apc.firmware_package_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Upgrade on source B, while source A is unplugged
  dcops.apc.ats_firmware:
    src: /srv/firmware/apc_hw02_aos392_g2ats392.exe
    checksums:
      apc_hw02_aos_392.bin: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
      apc_hw02_g2ats_392.bin: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
    primary_source: B
    confirmations: "{{ survey_confirmations }}"
    confirmation_timezone: Europe/Berlin
    redundancy_peers:
      - ats-02.example.com
    change_reference: CHG0012345
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
  register: upgrade

- name: Upgrade without any load, by a person's word of today
  dcops.apc.ats_firmware:
    files:
      - /srv/firmware/apc_hw02_aos_392.bin
      - /srv/firmware/apc_hw02_g2ats_392.bin
    method: no_load
    confirmations:
      - what: no_load
        unit: 5A1511T00001@2026-03-01
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
"""

RETURN = r"""
entry:
  description: What is to be done with this unit at all.
  returned: when the unit could be read
  type: dict
  contains:
    kind:
      description:
        - V(send) the versions differ. V(watch) nothing is to be sent, but the unit may not have settled.
        - V(controller_lost) the controller does not answer. V(resend_app) the download into the controller failed.
        - V(unchanged) nothing is to be done.
      type: str
      choices: [send, watch, controller_lost, resend_app, unchanged]
      sample: send
    reason:
      description: Why.
      type: str
      sample: apc_hw02_aos_392.bin and apc_hw02_g2ats_392.bin to be sent
plan:
  description: The files to be sent, in their order; empty when nothing is to be sent.
  returned: when the unit could be read
  type: list
  elements: dict
  contains:
    file:
      description: The file's name.
      type: str
      sample: apc_hw02_aos_392.bin
    kind:
      description: Which part of the card it is.
      type: str
      choices: [aos, app]
      sample: aos
    installed:
      description: The version that runs; V(null) when none does.
      type: str
      sample: 3.7.4
    version:
      description: The version of the file.
      type: str
      sample: 3.9.2
sent:
  description:
    - Which files went in whole, and the card has restarted with them, in this run. A file that was begun and cut is in
      RV(ignore:changed) and not in here.
  returned: success, and on failure of O(step=upgrade) when the unit was reached
  type: dict
  contains:
    aos:
      description: The AOS.
      type: bool
      sample: true
    app:
      description: The app.
      type: bool
      sample: true
firmware:
  description: The versions that ran.
  returned: when the unit could be read
  type: dict
  contains:
    before:
      description: At the start of the run.
      type: dict
      contains:
        aos:
          description: The version of the AOS.
          type: str
          sample: 3.7.4
        app:
          description: The version of the app.
          type: str
          sample: 3.7.1
    after:
      description: At its end; V(null) where nothing could change them.
      type: dict
      contains:
        aos:
          description: The version of the AOS.
          type: str
          sample: 3.9.2
        app:
          description: The version of the app.
          type: str
          sample: 3.9.2
interlock:
  description: The verdict on whether a file may be sent now.
  returned: when the unit was observed over a window
  type: dict
  contains:
    permitted:
      description: Every check holds. Only then is anything ever sent, and it is judged anew just before.
      type: bool
      sample: false
    ready:
      description: Nothing is left but what the operator's next action brings about.
      type: bool
      sample: true
    method:
      description: The method that the checks are for.
      type: str
      sample: single_source
    checks:
      description: The checks of this method.
      type: list
      elements: dict
      contains:
        id:
          description: The check's name.
          type: str
          sample: secondary_dead
        ok:
          description: It holds.
          type: bool
          sample: false
        pending:
          description: It does not hold yet, and the operator's next action, or time, brings it about.
          type: bool
          sample: true
        expected:
          description: What it asks for.
          type: str
          sample: status fail and voltage below 10 % of the primary's reference
        observed:
          description: What was seen.
          type: str
          sample: source A ok 216 V
    reasons:
      description: The checks that do not hold, as sentences.
      type: list
      elements: str
      sample: ["redundancy_lost: fully_redundant (wanted: redundancy lost)"]
confirmations:
  description: What O(confirmations) says of this unit, as it was judged. Entries for other units are ignored.
  returned: when the unit could be read
  type: list
  elements: dict
  contains:
    what:
      description: What is confirmed.
      type: str
      choices: [secondary_disconnected, no_load, power_cycled, one_input]
      sample: secondary_disconnected
    ok:
      description: It counts.
      type: bool
      sample: true
    verifiable:
      description: The serial could be compared with the unit's own.
      type: bool
      sample: true
    reason:
      description: Why it counts, or why not.
      type: str
      sample: confirmed at 2026-03-14T10:20+01:00
steps:
  description: What the run did, in order.
  returned: when the unit was reached
  type: list
  elements: dict
  contains:
    time:
      description: When, in UTC.
      type: str
      sample: "2026-03-01T21:04:12.123+00:00"
    text:
      description: What.
      type: str
      sample: stor begin apc_hw02_aos_392.bin
evidence:
  description: The record of the run.
  returned: when the unit was reached
  type: dict
  contains:
    path:
      description: The file on the controller, as JSON lines; V(null) where nothing is written, as in check mode.
      type: str
      sample: /home/awx/.local/state/dcops-apc/evidence/20260301T210412Z_ats-5A1511T00001_0123456789ab.jsonl
    summary:
      description: Its records without the single readings, for where the file is not kept.
      type: list
      elements: dict
      sample: [{"t": "2026-03-01T21:04:12.123+00:00", "kind": "run"}]
    lost:
      description: Only when the record could not be written to its end, and why.
      type: str
      sample: "the evidence cannot be written: No space left on device"
differences:
  description: What reads otherwise than in the baseline, as sentences.
  returned: success, and when O(step=verify) found a failure
  type: list
  elements: str
  sample: ["sensitivity was high, is low"]
baseline:
  description: Whether there was a baseline to compare with; V(null) where nothing was compared.
  returned: success
  type: bool
  sample: true
no_baseline:
  description:
    - What the baseline says nothing of, so that it cannot be compared.
    - A card whose controller was lost when the backup was taken may not have known its settings.
  returned: success, and when O(step=verify) found a failure
  type: list
  elements: str
  sample: [sensitivity]
cold_start_verified:
  description: Always V(false), since no start of the controller without power is made.
  returned: success
  type: bool
  sample: false
backup:
  description: The files of the backup on the controller; V(null) where none was taken.
  returned: success
  type: dict
  contains:
    config:
      description: The card's C(config.ini). It holds the communities in clear text, so its mode is 0600.
      type: str
      sample: /home/awx/.local/state/dcops-apc/backups/20260301T210412Z_config.ini
    events:
      description: The card's C(event.txt).
      type: str
      sample: /home/awx/.local/state/dcops-apc/backups/20260301T210412Z_event.txt
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
simulated:
  description: V(null) for a real device; for a simulated one how many times faster than real time it says it lives.
  returned: when the unit was reached
  type: int
  sample: null
holder:
  description: Which run holds the unit.
  returned: when RV(error.kind) is V(locked)
  type: str
  sample: run 0123456789ab, pid 4711 on host awx-1
state:
  description:
    - The state that the unit was left in. After an unexpected error it may be V(null).
  returned: when the unit was reached, and on failure
  type: str
  choices:
    - unchanged
    - nothing_sent
    - nothing_sent_unsure
    - locked
    - watch
    - ready
    - backed_up
    - isolated
    - aos_new_old_app
    - aos_new_no_app
    - aos_sent_unsure
    - app_sent_secondary_dead
    - app_sent_secondary_back
    - sent_silent
    - controller_lost_isolated
    - controller_lost_live
    - settings_differ
    - hardware_failed
    - settled
    - verified
    - redundant
    - restore_failed
  sample: settled
next_action:
  description:
    - What the person at the plugs must do now. It never allows a plug or a load to be moved unless that was measured to
      be safe.
  returned: when the unit was reached, and on failure
  type: str
  sample: The new firmware has settled. Keep source A disconnected until the restore step tells you when.
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
        - not_an_ats
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
      sample: "secondary_dead: source A ok 216 V"
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_firmware")


if __name__ == "__main__":
    main()
