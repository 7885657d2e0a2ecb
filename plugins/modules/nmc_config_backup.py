#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nmc_config_backup
short_description: Keeps a copy of a management card's settings
version_added: 0.1.0
description:
  - Fetches C(config.ini) of an APC network management card by SCP or FTP and writes it to a file with the mode C(0600).
  - The file is written only where the settings differ. The line that names the time of the reading does not count.
  - It holds SNMP communities in clear text. Its contents are never shown in a result, a diff or a log.
  - It is a copy of settings, and no way back to an older firmware.
extends_documentation_fragment:
  - dcops.apc.account
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: none
    details: The settings hold secrets.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
options:
  host:
    description:
      - The name or address of the management card.
      - As a task of a playbook it defaults to the inventory host's C(ansible_host), or else to its name.
    type: str
    required: true
  dest:
    description: The file on the controller. Its folder must be there. A symbolic link is not followed.
    type: path
    required: true
  name:
    description: The name of the file on the card. NMC3 from AOS 3.2 on calls it C(<name>_CRC32-<8 digits>.ini).
    type: str
    default: config.ini
notes:
  - The card is read in check mode too, since nothing else tells whether the settings differ.
  - Tried on simulated cards only.
seealso:
  - module: dcops.apc.nmc_event_log_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Keep the settings of each card
  dcops.apc.nmc_config_backup:
    dest: "/srv/backups/apc/{{ inventory_hostname }}.ini"
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
"""

RETURN = r"""
dest:
  description: The file.
  returned: success
  type: str
  sample: /srv/backups/apc/ats-01.ini
size:
  description: The size of what the card sent, in bytes.
  returned: success
  type: int
  sample: 4213
protocol:
  description: How it was read.
  returned: success
  type: str
  choices: [scp, ftp]
  sample: scp
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [timeout, auth, busy, transfer, state, unsupported, internal]
      sample: transfer
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "what ats-01 sent as config.ini does not look like a card's settings"
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("nmc_config_backup")


if __name__ == "__main__":
    main()
