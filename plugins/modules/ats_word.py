#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ats_word
short_description: Says to a waiting run that a plug is out, or that no load is connected
version_added: 0.1.0
description:
  - A run of M(dcops.apc.ats_firmware) or M(dcops.apc.ats_wait) that has asked somebody to disconnect the secondary
    input, or the loads, sends nothing until a person says that it is so now. This module says it, where the run has no
    terminal to ask at.
  - It asks no device. It lays the word, with its time and the number of the permit that asks, into the state folder of
    that run, which measures and decides. Whether the word counts is told by that run.
    A word whose time is not later than the question does not count, so the clocks of the two must agree.
  - It is refused where no run asks, or where something else is asked. A word is never kept for later.
  - Say it with your eyes on the unit. Look at its name plate for the serial number; no playbook may fill it in.
extends_documentation_fragment:
  - dcops.apc.attributes
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: none
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: none
    details:
      - A word is said anew each time.
options:
  unit:
    description:
      - The serial number of the unit, as its name plate has it, without C(@) and a time. The time is now.
    type: str
    required: true
  what:
    description:
      - What is so now, and stays so until the run says otherwise.
      - V(secondary_disconnected) means that the plug of O(source) is out, or locked out.
      - V(no_load) means that no load is connected.
    type: str
    required: true
    choices: [secondary_disconnected, no_load]
  source:
    description:
      - The input whose plug is out. It is required for V(secondary_disconnected), must be the one that the run asks
        for, and says nothing for V(no_load).
    type: str
    choices: [A, B]
  state_dir:
    description:
      - The state folder of the run that asks.
      - If not set, the environment variable E(APC_STATE_DIR) of the controller is used, and else C(dcops-apc) in the
        user's state folder (E(XDG_STATE_HOME), or C(~/.local/state)).
    type: path
notes:
  - In AWX make a job template of the playbook C(dcops.apc.ats_word) with a survey for C(ats_word_unit),
    C(ats_word_what) and C(ats_word_source), and launch it by hand while the upgrade waits. Both must have the same
    state folder. An approval node carries no data, and is no word.
  - Tried on simulated units only.
seealso:
  - module: dcops.apc.ats_permit_info
  - module: dcops.apc.ats_firmware
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: I see that the plug of source B is out
  dcops.apc.ats_word:
    unit: "{{ serial_of_the_name_plate }}"
    what: secondary_disconnected
    source: B
    state_dir: /srv/dcops-apc
"""

RETURN = r"""
word:
  description: What was said.
  returned: success
  type: dict
  contains:
    what:
      description: The deed.
      type: str
      sample: secondary_disconnected
    unit:
      description: The serial number, as it was given.
      type: str
      sample: 5A1511T00001
    source:
      description: The input; empty for the loads.
      type: str
      sample: B
    said_at:
      description: When.
      type: str
      sample: "2026-03-01T21:14:05.311+01:00"
    permit:
      description: The number of the permit that asked.
      type: int
      sample: 3
    by:
      description: Who said it, by the login on the controller, and the AWX job.
      type: str
      sample: user anna awx_job 4711
asked_by:
  description: The run that asks.
  returned: success
  type: dict
  contains:
    permit:
      description: The number of its permit.
      type: int
      sample: 3
    run:
      description: Its name, which its evidence file ends with.
      type: str
      sample: 0123456789ab
    host:
      description: The controller on which it runs.
      type: str
      sample: control-1
    pid:
      description: Its process there.
      type: int
      sample: 4711
    label:
      description: What it calls the unit.
      type: str
      sample: ats-01
    since:
      description: Since when it asks.
      type: str
      sample: "2026-03-01T20:12:40.002+00:00"
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
      choices: [refused, state, unsupported, internal]
      sample: refused
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "No run asks for a word about the unit with the serial number 5A1511T00001 in /srv/dcops-apc."
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("ats_word")


if __name__ == "__main__":
    main()
