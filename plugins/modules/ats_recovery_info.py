#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_recovery_info
short_description: Tells what is wrong with a Rack ATS that lost its controller, and what the next step is
version_added: 0.1.0
description:
  - Reads the unit, its event log and the evidence of earlier runs, measures over one window where something might
    be sent, and says which step of a recovery is next. The role C(dcops.apc.ats_recovery) does nothing but that step.
  - Only reads. It leaves nothing behind, asks nobody for anything and remembers no host key.
  - All evidence of the unit counts. A record that cannot be read counts as something that is still open.
  - It waits until the card has been up for 300 seconds, since before that its word on the controller does not count.
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.account
  - dcops.apc.upgrade
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
  - dcops.apc.attributes.read_only
options:
  method:
    description:
      - How the app would be sent again.
      - V(auto) takes V(app_only) for a card that runs no ATS app, and V(recovery) for a controller that was lost.
    type: str
    choices: [auto, recovery, app_only]
    default: auto
  under_warranty:
    description:
      - Whether the maker would replace the unit. That comes before any file is sent to a unit whose controller is lost.
      - Only with V(no) anything else than the maker's word is the next step then.
    type: str
    choices: ["yes", "no", unknown]
    default: unknown
  look_only:
    description: Whether it only looks, without a measurement over a window and without a next step.
    type: bool
    default: false
  bundle_dir:
    description:
      - The folder for the support bundle, which must be there. Without it the folder C(backups) below O(state_dir).
    type: path
  ended:
    description:
      - How a step of the recovery has failed, so that it is judged what is next. The unit is asked again only where the
        app went in whole and the controller still does not answer.
      - A dictionary with C(task), C(msg), C(state), C(next_action), C(app_sent), C(evidence) and C(simulated).
    type: dict
notes:
  - O(src) and O(files) may both be missing. Then nothing is measured, and the next step may be to ask for them.
  - Where only a download stands in the way whose end no log tells, it measures a second time, over 330 seconds.
  - V(recovery) and V(app_only) stand on a person's word; see O(confirmations) for the promise, the deed and the
    statements that they need.
seealso:
  - module: dcops.apc.ats_info
  - module: dcops.apc.nmc_event_log_info
  - module: dcops.apc.ats_interlock_info
  - module: dcops.apc.ats_firmware
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Find out what is wrong
  dcops.apc.ats_recovery_info:
    look_only: true
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
  register: look

- name: Find out what is next
  dcops.apc.ats_recovery_info:
    src: /srv/firmware/apc_hw02_aos392_g2ats392.exe
    under_warranty: "no"
    primary_source: A
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
  register: look

- name: Say it
  ansible.builtin.debug:
    msg: "{{ look.found + look.ask }}"
"""

RETURN = r"""
case:
  description: What is wrong, and what earlier runs left.
  returned: when the unit was looked at
  type: dict
  contains:
    picture:
      description:
        - V(healthy) the controller answers, all is quiet, redundant and closed. V(answers_again) it answers, and one of
          these is not so or not proved.
        - V(lost) the controller does not answer. V(no_app) the card runs no ATS app.
        - V(silent) the card does not answer. V(unknown) nothing tells.
      type: str
      choices: [healthy, answers_again, lost, no_app, silent, unknown]
      sample: lost
    open:
      description: Something was sent for a recovery, or may have been, and was not brought to its end.
      type: bool
      sample: false
    way:
      description: How it was sent; V(null) where nothing is open, V(not_known) where evidence is damaged.
      type: str
      choices: [recovery, app_only, not_known]
      sample: recovery
    baseline:
      description: When the newest backup was taken that no attempt has used; V(null) without one.
      type: str
      sample: "2026-03-14T08:55:02.120+00:00"
    baseline_kept:
      description: Whether that backup is from before this start of the card and at most a day old.
      type: bool
      sample: true
    loads_off:
      description: Whether the loads are off on the word of a run.
      type: bool
      sample: true
    attempts:
      description: How often the app went in whole without being seen to settle. After two nothing more is sent.
      type: int
      sample: 1
    damaged:
      description: The runs whose evidence has a record that cannot be read.
      type: list
      elements: str
      sample: ["0123456789ab"]
next_step:
  description:
    - V(say) nothing is to be done. V(stop) a person is needed, or it cannot go on. V(keep_and_stop) the same, after a
      backup of what the unit shows now.
    - V(maker) the maker is asked, with the support bundle. V(keep_and_maker) the same, after a backup.
    - V(watch) it is watched until it has settled. V(watch_and_restore) then it is verified, and the run says what may
      be connected. V(send) the app is sent again.
  returned: when the unit was looked at, or with O(ended)
  type: str
  choices: [say, stop, keep_and_stop, maker, keep_and_maker, watch, watch_and_restore, send]
  sample: keep_and_stop
ask:
  description: What a person is told, in the order in which it is to be done.
  returned: with RV(next_step)
  type: list
  elements: str
  sample: ["1. Shut down every load of this unit and disconnect it. While a load is attached no input is touched."]
reason:
  description: Why it ends here; empty where it goes on.
  returned: with RV(next_step)
  type: str
  sample: "ats-23: a person is needed at the unit, as said above. Nothing was sent."
method:
  description: With which method it is watched or sent; empty where it is neither.
  returned: with RV(next_step)
  type: str
  sample: recovery
loads_off:
  description: Whether a run has to say when the loads may be connected.
  returned: with RV(next_step)
  type: bool
  sample: true
done:
  description: What is said when all went well.
  returned: with RV(next_step)
  type: str
  sample: "ats-23: recovered. A controller that was revived may fail at its next cold start; plan for it."
found:
  description: What was found, as sentences.
  returned: when the unit was looked at
  type: list
  elements: str
  sample: ["ats-23: the card has lost its communication with the ATS controller"]
ats:
  description: The ATS, in the form that M(dcops.apc.ats_info) returns; V(null) where the card runs no ATS app.
  returned: when the unit was looked at
  type: dict
  sample: {"model": "AP7723", "controller_comm": "lost"}
nmc:
  description: The card, in the form that M(dcops.apc.nmc_info) returns.
  returned: when the unit was looked at
  type: dict
  sample: {"model": "AP7723", "aos": {"version": "3.9.2", "file": "apc_hw02_aos_392.bin"}}
events:
  description: The newest rows of its event log, as M(dcops.apc.nmc_event_log_info) returns them.
  returned: when the unit was looked at
  type: list
  elements: dict
  sample: [{"kind": "controller_download_failed", "text": "ATS Controller firmware download failed."}]
findings:
  description: Known pictures in it, as M(dcops.apc.nmc_event_log_info) returns them.
  returned: when the unit was looked at
  type: list
  elements: dict
  sample: [{"id": "controller_never_booted", "text": "The download failed the moment it began."}]
bundle:
  description: For M(dcops.apc.support_bundle).
  returned: when the unit was looked at
  type: dict
  contains:
    dest:
      description: Where it belongs; V(null) where the unit could not be read.
      type: str
      sample: /home/awx/.local/state/dcops-apc/backups/support_ats-23_20260314T102000Z.zip
    evidence:
      description: The evidence of the unit's last runs.
      type: list
      elements: str
      sample: ["/home/awx/.local/state/dcops-apc/evidence/20260314T085502Z_ats-5A1511T00001_0123456789ab.jsonl"]
interlock:
  description: The verdict over the window, as M(dcops.apc.ats_interlock_info) returns it.
  returned: when it was measured
  type: dict
  sample: {"permitted": false, "method": "recovery"}
entry:
  description: What is to be done with this unit at all, as M(dcops.apc.ats_interlock_info) returns it.
  returned: when it was measured
  type: dict
  sample: {"kind": "send", "reason": "method recovery"}
plan:
  description: The files to be sent, as M(dcops.apc.ats_interlock_info) returns them.
  returned: when it was measured
  type: list
  elements: dict
  sample: [{"file": "apc_hw02_g2ats_392.bin", "kind": "app"}]
confirmations:
  description: What O(confirmations) says of this unit, as M(dcops.apc.ats_firmware) returns it.
  returned: when it was measured
  type: list
  elements: dict
  sample: [{"what": "no_load", "ok": true, "verifiable": true, "reason": "said at 2026-03-14T10:20+01:00"}]
simulated:
  description: V(null) for a real device; for a simulated one how many times faster than real time it says it lives.
  returned: when the unit was looked at
  type: int
  sample: null
state:
  description: The state that the unit was left in; V(null) where nothing was measured.
  returned: failure
  type: str
  sample: nothing_sent_unsure
next_action:
  description: What the person at the plugs must do now. It never allows a plug or a load to be moved.
  returned: failure
  type: str
  sample: Leave every plug and every load as it is, do not power-cycle the unit, and run again.
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [refused, not_an_ats, timeout, auth, busy, transfer, identity, package, state, unsupported, internal]
      sample: timeout
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "no SNMP v1 answer from 192.0.2.10:161 within 3 s (3 tries)"
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_recovery_info")


if __name__ == "__main__":
    main()
