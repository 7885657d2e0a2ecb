#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_permit_info
short_description: Shows who may touch what on a Rack ATS, from the state folder alone
version_added: 0.1.0
description:
  - Work on a Rack ATS goes under one permit per unit, kept in its evidence. This module shows it, with what was
    promised, said and sent under it, and who is at work now.
  - It asks no device and measures nothing. It writes nothing, and works while a run holds the unit.
  - It also checks that the evidence is whole. Every record holds the digest of the one before it, over all runs.
    That finds mistakes. The digests have no key, so they prove nothing against somebody who can write the folder and
    computes them anew.
extends_documentation_fragment:
  - dcops.apc.attributes
  - dcops.apc.attributes.read_only
options:
  host:
    description:
      - The address or name of the unit's management card. It is not connected to.
      - As a task of a playbook it defaults to the inventory host's C(ansible_host), or else to its name.
    type: str
  unit:
    description:
      - The unit by its serial number, its card's serial number, its address, or the name that runs have called it by.
      - It wins over O(host).
    type: str
  state_dir:
    description:
      - The state folder of the run that worked on the unit.
      - If not set, the environment variable E(APC_STATE_DIR) of the controller is used, and else C(dcops-apc) in the
        user's state folder (E(XDG_STATE_HOME), or C(~/.local/state)).
    type: path
seealso:
  - module: dcops.apc.ats_word
  - module: dcops.apc.ats_firmware
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Who may touch what on this unit
  dcops.apc.ats_permit_info:
    state_dir: /srv/dcops-apc
  register: unit

- name: The same by the serial number
  dcops.apc.ats_permit_info:
    unit: 5A1511T00001
    state_dir: /srv/dcops-apc
"""

RETURN = r"""
unit:
  description: The unit as its newest run has met it. V(null) where its evidence says nothing of it.
  returned: success
  type: dict
  contains: &unit
    ats_serial:
      description: Its serial number.
      type: str
      sample: 5A1511T00001
    card_serial:
      description: The serial number of its card.
      type: str
      sample: 5A1511T00001
    model:
      description: Its model.
      type: str
      sample: AP7724
    name:
      description: The name that its card has.
      type: str
      sample: ats-01
    last:
      description: When that run began.
      type: str
      sample: "2026-03-01T20:04:12.000+00:00"
others:
  description: Other units that were met under the same name or address. Their evidence is not used.
  returned: success
  type: list
  elements: dict
  contains: *unit
permit:
  description: The permit, as it stood at the last record.
  returned: success
  type: dict
  contains:
    number:
      description: Its number. V(0) means that there was none yet.
      type: int
      sample: 3
    state:
      description: Its state.
      type: str
      choices: [none, asked, open, out, isolated, sending, settling, settled, returning, closed, withdrawn]
      sample: isolated
    since:
      description: Since when, as the run has written it.
      type: str
      sample: "2026-03-01T21:14:09+01:00"
    method:
      description: The method.
      type: str
      sample: single_source
    primary_source:
      description: The input that stays.
      type: str
      sample: A
    rests_on:
      description: What the safety rests on.
      type: str
      choices: [secondary_disconnected, no_load]
      sample: secondary_disconnected
    promised:
      description: The promise, as it was given.
      type: str
      sample: will_disconnect_secondary 5A1511T00001@2026-03-01
    deed:
      description: The deed, as it was said.
      type: str
      sample: secondary_disconnected 5A1511T00001@2026-03-01T21:14:05+01:00
    deed_at:
      description: When it was said.
      type: str
      sample: "2026-03-01T21:14:05+01:00"
    sent:
      description: What was sent how far, by kind of file (C(aos), C(app)).
      type: dict
      sample: {"aos": {"file": "apc_hw02_aos_392.bin", "version": "3.9.2", "state": "whole"}}
    doubtful:
      description:
        - Whether another permit than this may be the one that counts.
        - So where a record is damaged, or where RV(chain.ok) is false. Then touch nothing on its word.
      type: bool
      sample: false
    next_action:
      description: What it means for a person who reads it without a run at hand. It never allows anything.
      type: str
      sample: Source B is out by a person's word. Keep it out.
    holder:
      description: The run that holds the unit now. V(null) where none does.
      type: str
      sample: run 0123456789ab, pid 4711 on host control-1, permit 3
history:
  description: What happened under the unit's permits, oldest first, at most 200 records.
  returned: success
  type: list
  elements: dict
  contains:
    n:
      description: The unit's counter, which gives the order.
      type: int
      sample: 118
    time:
      description: When, by the controller's clock.
      type: str
      sample: "2026-03-01T20:14:09.120+00:00"
    run:
      description: In which run.
      type: str
      sample: 0123456789ab
    kind:
      description: The kind of the record.
      type: str
      sample: permit
    event:
      description: What happened.
      type: str
      sample: deed
    state:
      description: The state that it led to.
      type: str
      sample: isolated
    text:
      description: The word that was given, or the reason.
      type: str
      sample: secondary_disconnected 5A1511T00001@2026-03-01T21:14:05+01:00
chain:
  description: Whether the evidence is whole. What was cut off its very end cannot be seen.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether nothing was changed, lost or added, and no two runs wrote at once.
      type: bool
      sample: true
    breaks:
      description: Where it was.
      type: list
      elements: dict
      sample: []
      contains:
        file:
          description: The file in the folder C(evidence).
          type: str
          sample: 20260301T200412Z_ats-5A1511T00001_0123456789ab.jsonl
        line:
          description: The line.
          type: int
          sample: 17
        why:
          description: What is wrong there.
          type: str
          sample: the record cannot be read
simulated:
  description: Whether the unit is a simulated one.
  returned: success
  type: bool
  sample: false
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [state, timeout, unsupported, internal]
      sample: state
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "/srv/dcops-apc holds no evidence of ats-01: no run with this state_dir has met it under that name."
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_permit_info")


if __name__ == "__main__":
    main()
