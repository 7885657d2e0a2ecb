#!/usr/bin/python
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
  description: The verdict on whether a file may be sent now.
  returned: when the unit could be observed
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
confirmations:
  description: What O(confirmations) says of this unit, as M(dcops.apc.ats_firmware) returns it.
  returned: when the unit could be read
  type: list
  elements: dict
  sample: [{"what": "secondary_disconnected", "ok": true, "verifiable": true, "reason": "confirmed"}]
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
  returned: failure
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
  sample: nothing_sent_unsure
next_action:
  description:
    - What the person at the plugs must do now. It never allows a plug or a load to be moved unless that was measured to
      be safe.
  returned: failure
  type: str
  sample: Leave every plug and every load as it is, and run again.
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
      sample: timeout
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: >-
        no SNMP v1 answer from 192.0.2.10:161 within 3 s (3 tries): wrong community, SNMP off, or the card is down
"""

from ..module_utils._module import module_main


def main() -> None:
    module_main("ats_interlock_info")


if __name__ == "__main__":
    main()
