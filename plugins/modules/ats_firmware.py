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
  - Work goes under one permit per unit, kept in its evidence until everything is back. A person's promise lets the run
    ask; a person's deed, said once the plug is out or the loads are off, lets it send (O(confirmations)).
  - Only what differs is sent, first the AOS and then the app. After the app it watches until the controller has
    settled, and says C(DO NOT RECONNECT) until then. A second run is unchanged.
  - Each end, also a failure, says in RV(next_action) what the person at the plugs must do now. No end of this module
    lets anybody reconnect or connect a load, but the rack's that is dark.
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
  - After a run the unit is still on one input, or without its loads. M(dcops.apc.ats_wait) with C(until=redundant) says
    when that may end. Nothing else does.
  - A controller that was flashed well may still fail at its first cold start, as one did after two months. That cannot
    be tested here, and RV(cold_start_verified) is always V(false).
  - While a file is being sent, signals are held until the next safe point. A worker outlives a killed
    C(ansible-playbook). M(dcops.apc.ats_permit_info) shows what it left.
  - A transfer to a card that is deaf while it stores may end without a reading of its time. RV(sent_unseen) says so.
seealso:
  - module: dcops.apc.ats_info
  - module: dcops.apc.ats_interlock_info
  - module: dcops.apc.ats_wait
  - module: dcops.apc.ats_word
  - module: dcops.apc.ats_permit_info
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

- name: Upgrade without any load, by a promise of today; that nothing is connected is said while the run waits
  dcops.apc.ats_firmware:
    files:
      - /srv/firmware/apc_hw02_aos_392.bin
      - /srv/firmware/apc_hw02_g2ats_392.bin
    method: no_load
    confirmations:
      - what: will_remove_loads
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
sent_unseen:
  description:
    - The app's last block was sent, in this run, to a card that was deaf while it stored. The verdict before its
      silence was carried over, once.
  returned: success, and on failure of O(step=upgrade) when the unit was reached
  type: bool
  sample: false
permit:
  description:
    - The permit as it stands at the end of this run. M(dcops.apc.ats_permit_info) shows it in a person's words.
  returned: when the unit could be read
  type: dict
  contains:
    number:
      description: Its number. A new promise under which nothing is open makes a new one.
      type: int
      sample: 3
    state:
      description: Its state.
      type: str
      choices: [none, asked, open, out, isolated, sending, settling, settled, returning, closed, withdrawn]
      sample: settled
    since:
      description: Since when.
      type: str
      sample: "2026-03-01T21:44:09+01:00"
    method:
      description: The method.
      type: str
      sample: single_source
    primary:
      description: The input that stays; empty where none was named.
      type: str
      sample: B
    rests_on:
      description: The deed that it rests on.
      type: str
      sample: secondary_disconnected
    promise:
      description: The promise, as it was given.
      type: str
      sample: will_disconnect_secondary 5A1511T00001@2026-03-01
    deed:
      description: The deed, as it was said; empty where none stands.
      type: str
      sample: secondary_disconnected typed@2026-03-01T21:14:05+01:00
    deed_at:
      description: When it was said.
      type: str
      sample: "2026-03-01T21:14:05+01:00"
    deed_by:
      description: In which way it was said.
      type: str
      sample: terminal
    unsettled:
      description: An app may have gone in whole and has not settled.
      type: bool
      sample: false
    was_out:
      description: Something was out under this permit.
      type: bool
      sample: true
    loads_off:
      description: Loads were taken off on the word of a run, under any method.
      type: bool
      sample: false
    source_off:
      description: A source was taken off on the word of a run.
      type: bool
      sample: true
    read_in:
      description: What it rests on was last seen live, or may have been put back on the word of a run.
      type: bool
      sample: false
    found:
      description: It was made by a restore step that found none, because the evidence was lost.
      type: bool
      sample: false
    back_to:
      description: Out of which state a permission was withdrawn; empty where none is.
      type: str
      sample: ""
    last_in_at:
      description: No deed from before that time counts.
      type: str
      sample: "2026-03-01T21:13:58+01:00"
    released_at:
      description: When a release was said; empty where none was.
      type: str
      sample: ""
    given:
      description: The words that were given under it.
      type: list
      elements: str
      sample: ["will_disconnect_secondary 5A1511T00001@2026-03-01"]
    spent:
      description: Words that never count again.
      type: list
      elements: str
      sample: []
    refusal:
      description: Why its last event was not taken; empty if it was.
      type: str
      sample: ""
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
      description: The promise, the deed or the statement.
      type: str
      choices:
        - will_disconnect_secondary
        - will_remove_loads
        - secondary_disconnected
        - no_load
        - power_cycled
        - one_input
        - unit_removed
      sample: will_disconnect_secondary
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
      sample: promised for 2026-03-14 (it is 2026-03-14 10:20 in Europe/Berlin)
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
      description:
        - Its records without the first one and without the single readings, for where the file is not kept.
        - Each has C(t), C(kind) and, where it was written, C(n), the unit's counter, which grows over all its runs.
        - Among the kinds are C(permit) (the event and the permit that it led to), C(sending) (how far a file went),
          C(verdict), C(last_block), C(sent_unseen), C(recovery_attempt), C(word_refused), C(load_on),
          C(loads_released), C(restarted), C(settled), C(verified) and C(end).
      type: list
      elements: dict
      sample: [{"t": "2026-03-01T21:04:12.123+00:00", "kind": "end", "state": "settled", "n": 118}]
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
    - dark
    - dark_settled
    - dark_unsettled
    - unchanged
    - unchanged_not_redundant
    - nothing_sent
    - nothing_touched
    - nothing_sent_unsure
    - deed_time_over
    - locked
    - watch
    - ready
    - backed_up
    - isolated
    - aos_new_old_app
    - aos_new_no_app
    - aos_old_versions
    - aos_sent_unsure
    - app_sent_secondary_dead
    - app_sent_secondary_back
    - sent_silent
    - failed_stands
    - controller_lost_isolated
    - controller_lost_live
    - recovery_under_way
    - recovery_failed_twice
    - settings_differ
    - hardware_failed
    - settled
    - verified
    - redundant
    - closed_loads
    - restore_failed
  sample: settled
next_action:
  description:
    - What the person at the plugs must do now. It never allows anything to be connected, but where the load is dark.
      The release is said by M(dcops.apc.ats_wait) with C(until=redundant) alone.
  returned: when the unit was reached, and on failure
  type: str
  sample: The new firmware has settled. Keep source A out until the restore step tells you when.
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
