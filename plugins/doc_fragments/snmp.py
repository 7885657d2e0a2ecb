# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  host:
    description:
      - The name or address of the device's network management card.
      - As a task of a playbook it may be left out. Then it is the inventory host's C(ansible_host), or else its name.
      - A name is looked up once. All protocols of the run then talk to the address found.
    type: str
    required: true
  snmp_version:
    description:
      - The version of SNMP.
      - The vendor's manuals name V(v1) and V(v3) only; whether a card of the AP77xx answers V(v2c) is not certain.
      - V(v3) with privacy needs the Python package C(cryptography) on the controller.
    type: str
    choices: [v1, v2c, v3]
    default: v1
  snmp_port:
    description: The UDP port, from V(1) to V(65535).
    type: int
    default: 161
  snmp_community:
    description:
      - The community for reading, with V(v1) and V(v2c).
      - If not set, the environment variable E(APC_SNMP_COMMUNITY) of the controller is used before the default.
    type: str
    default: public
  snmp_write_community:
    description:
      - The community for writing. No module of this version writes by SNMP.
      - If not set, the environment variable E(APC_SNMP_WRITE_COMMUNITY) of the controller is used.
    type: str
  snmp_username:
    description:
      - The user of SNMP V(v3), required with it.
      - If not set, the environment variable E(APC_SNMP_USERNAME) of the controller is used.
    type: str
  snmp_auth_protocol:
    description: How SNMP V(v3) authenticates. Without it there is no authentication.
    type: str
    choices: [md5, sha, sha224, sha256, sha384, sha512]
  snmp_auth_key:
    description:
      - The passphrase for O(snmp_auth_protocol), at least 8 characters.
      - If not set, the environment variable E(APC_SNMP_AUTH_KEY) of the controller is used.
    type: str
  snmp_privacy_protocol:
    description: How SNMP V(v3) encrypts. Without it nothing is encrypted.
    type: str
    choices: [des, aes, aes192, aes256]
  snmp_privacy_key:
    description:
      - The passphrase for O(snmp_privacy_protocol), at least 8 characters.
      - If not set, the environment variable E(APC_SNMP_PRIVACY_KEY) of the controller is used.
    type: str
  snmp_timeout:
    description: How many seconds one try waits for an answer, from V(0.1) to V(60).
    type: float
    default: 1.0
  snmp_retries:
    description: How often an unanswered question is asked again, from V(0) to V(10).
    type: int
    default: 2
requirements:
  - pysnmp >= 7.1 on the controller
  - cryptography on the controller, for SNMP v3 with privacy
notes:
  - A device that does not answer is a failed task with RV(ignore:error.kind) V(timeout), never an unreachable host.
  - A wrong community cannot be told from a silent device, since an agent does not answer it at all.
  - Secrets never appear in results or messages. Values that cards are shipped with (V(apc), V(public), V(private),
    V(device), V(readonly)) and values under 6 characters are not hidden where they are part of other texts, such as
    file names. Their use raises the warning C(factory credential in use).
  - Only simulated devices were ever used with this collection. Nothing was tried on a real one.
"""
