#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: support_bundle
short_description: Puts what the maker's support asks for into one zip
version_added: 0.1.0
description:
  - Writes facts, event logs, evidence and settings of one unit into a zip file with the mode C(0600).
  - Of settings only what is known to be harmless is shown; every other value is replaced by C((hidden)), comments too.
  - O(secrets), and what the modules take from the environment, are hidden wherever they stand.
  - It asks no device. The same contents make the same file, so a second run changes nothing.
extends_documentation_fragment:
  - dcops.apc.attributes
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: none
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
options:
  dest:
    description: The zip file on the controller. Its folder must be there.
    type: path
    required: true
  facts:
    description: What is known of the unit, such as the results of C(*_info) modules.
    type: dict
  evidence:
    description: Evidence files of runs.
    type: list
    elements: path
    default: []
  event_logs:
    description: Event logs, as they were read.
    type: list
    elements: path
    default: []
  configs:
    description:
      - Settings of cards; what may be a secret in them is hidden. Their real keys are not known, so most of them are.
      - A file that does not look like a card's settings is left out, and named in RV(left_out).
    type: list
    elements: path
    default: []
  secrets:
    description:
      - Passwords, communities and keys of the unit. They are hidden in every file, as it is done in results; the
        words that cards are shipped with, and texts of fewer than 6 characters, are not.
      - The environment variables of the other modules' options, such as C(APC_PASSWORD), are always added.
    type: list
    elements: str
    default: []
notes:
  - Names, locations and addresses stay as they are. Look through the bundle before you send it.
seealso:
  - module: dcops.apc.nmc_event_log_info
  - module: dcops.apc.nmc_config_backup
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Put a bundle together
  dcops.apc.support_bundle:
    dest: "/srv/support/{{ inventory_hostname }}.zip"
    facts:
      ats: "{{ unit.ats }}"
      nmc: "{{ unit.nmc }}"
    evidence:
      - "{{ upgrade.evidence.path }}"
    event_logs:
      - "{{ backup.backup.events }}"
    configs:
      - "{{ backup.backup.config }}"
    secrets:
      - "{{ vault_apc_password }}"
      - "{{ vault_apc_community }}"
"""

RETURN = r"""
dest:
  description: The zip file.
  returned: success
  type: str
  sample: /srv/support/ats-01.zip
sha256:
  description: Its SHA-256.
  returned: success
  type: str
  sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
files:
  description: What is in it.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name inside the zip.
      type: str
      sample: facts.json
    size:
      description: The size in bytes.
      type: int
      sample: 2391
    sha256:
      description: The SHA-256.
      type: str
      sample: fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
left_out:
  description: The files of O(configs) that do not look like a card's settings.
  returned: success
  type: list
  elements: str
  sample: []
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [state, unsupported, internal]
      sample: state
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "evidence: /srv/evidence/run.jsonl cannot be read: No such file or directory"
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("support_bundle")


if __name__ == "__main__":
    main()
