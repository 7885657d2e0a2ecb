#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nmc_info
short_description: Reads what a network management card is and runs
version_added: 0.1.0
description:
  - Reads the model, hardware, serial number and firmware versions of an APC network management card by SNMP, in one
    round trip.
  - Works with the cards of Rack ATSs, rack PDUs and UPSs alike, since all describe themselves in the same form.
  - Only reads.
extends_documentation_fragment:
  - dcops.apc.snmp
  - dcops.apc.attributes
  - dcops.apc.attributes.read_only
seealso:
  - module: dcops.apc.ats_info
  - module: dcops.apc.firmware_package_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Read the card
  dcops.apc.nmc_info:
    snmp_community: "{{ vault_snmp_community }}"
  register: card

- name: Show it
  ansible.builtin.debug:
    msg: "{{ card.nmc.model }}: AOS {{ card.nmc.aos.version }}, {{ card.nmc.app.name }} {{ card.nmc.app.version }}"

- name: Read one card by SNMP v3, from anywhere
  dcops.apc.nmc_info:
    host: ats-01.example.com
    snmp_version: v3
    snmp_username: monitor
    snmp_auth_protocol: sha
    snmp_auth_key: "{{ vault_snmp_auth_key }}"
    snmp_privacy_protocol: aes
    snmp_privacy_key: "{{ vault_snmp_privacy_key }}"
"""

RETURN = r"""
nmc:
  description: The management card. What it does not show is V(null).
  returned: success
  type: dict
  contains:
    model:
      description: The model in the card's description. For an ATS with a built-in card it is the ATS's own.
      type: str
      sample: AP7724
    hardware:
      description: The card's hardware, by the name of its AOS file; V(hw02) is NMC1, V(hw05) is NMC2, V(hw21) is NMC3.
      type: str
      sample: hw02
    serial:
      description: The serial number in the card's description. On some cards it is junk, such as C(FFFFFFFFFFFF).
      type: str
      sample: 5A1511T00001
    boot_monitor:
      description: The version of the boot monitor.
      type: str
      sample: 4.1.1
    aos:
      description: The card's operating system.
      type: dict
      contains:
        version:
          description: Its version.
          type: str
          sample: 3.7.4
        file:
          description: The name of the file that it was installed from.
          type: str
          sample: apc_hw02_aos_374.bin
    app:
      description: The application; all V(null) when none runs.
      type: dict
      contains:
        name:
          description: The application's name in its file name.
          type: str
          sample: g2ats
        version:
          description: Its version.
          type: str
          sample: 3.7.1
        file:
          description: The name of the file that it was installed from.
          type: str
          sample: apc_hw02_g2ats_371.bin
    uptime_s:
      description: Seconds since the card started.
      type: float
      sample: 3456385.93
    last_transfer:
      description: The result of the last file transfer, as the card tells it. That is weak evidence.
      type: str
      sample: not_available
    description:
      description: The card's whole description (sysDescr), without control characters.
      type: str
      sample: >-
        APC Web/SNMP Management Card (MB:v4.1.1 PF:v3.7.4 PN:apc_hw02_aos_374.bin AF1:v3.7.1 AN1:apc_hw02_g2ats_371.bin
        MN:AP7724 HR:R01 SN: 5A1511T00001 MD:04/18/2015)
    simulated:
      description: V(null) for a real device; for a simulated one how many times faster than real time it says it lives.
      type: int
      sample: null
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [timeout, auth, transfer, unsupported, internal]
      sample: timeout
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: >-
        no SNMP v1 answer from 192.0.2.10:161 within 3 s (3 tries): wrong community, SNMP off, or the card is down
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("nmc_info")


if __name__ == "__main__":
    main()
