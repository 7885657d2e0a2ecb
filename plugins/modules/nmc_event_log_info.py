#!/usr/bin/python
# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nmc_event_log_info
short_description: Reads the event log of a management card and names known pictures
version_added: 0.1.0
description:
  - Reads the event log of an APC network management card, as the file C(event.txt) by SCP or FTP, or from its web page.
  - Every row is kept, also those that are not understood. What each is about is told by its code and text.
  - Known pictures are named with the rows that show them, such as V(controller_never_booted) for the AP7723 case.
    A finding permits nothing. What may be sent or connected is decided by measurement, see M(dcops.apc.ats_firmware).
  - Changes nothing, but the card itself notes the login in its log.
extends_documentation_fragment:
  - dcops.apc.account
  - dcops.apc.attributes
  - dcops.apc.attributes.watches
  - dcops.apc.attributes.read_only
options:
  host:
    description:
      - The name or address of the management card.
      - As a task of a playbook it defaults to the inventory host's C(ansible_host), or else to its name.
    type: str
    required: true
  via:
    description:
      - V(file) reads C(event.txt). V(web) reads the page of the web login, which shows a part of the log only.
    type: str
    choices: [file, web]
    default: file
  kinds:
    description: Show only rows of these kinds. Findings are drawn from all rows.
    type: list
    elements: str
    choices:
      - card_restarted
      - communication_established
      - communication_lost
      - controller_download_begun
      - controller_download_failed
      - controller_download_succeeded
      - display_hardware_failure
      - file_transfer
      - file_transfer_failed
      - login
      - other
      - redundancy_lost
      - redundancy_restored
      - source_transferred
      - ups_communication_established
      - ups_communication_lost
      - ups_firmware_begun
      - ups_firmware_failed
      - ups_firmware_finished
      - ups_output_off
  limit:
    description: How many of the newest rows to show, from V(1) to V(5000).
    type: int
    default: 1000
  web_scheme:
    description: V(http) sends the user name and the password in clear, and a warning says so.
    type: str
    choices: [https, http]
    default: https
  web_port:
    description: The TCP port of the web login, from V(1) to V(65535); by default 443, or 80 for O(web_scheme=http).
    type: int
  web_validate_certs:
    description: Whether the card's certificate must be valid. Cards come with one that is not.
    type: bool
    default: true
  web_ca_path:
    description: A file with the certificates of the authority that has signed the card's.
    type: path
  web_event_page:
    description: The name of the page of the event log where it is not C(eventweb.htm). On AP77xx it is not known.
    type: str
notes:
  - The exact layout of C(event.txt) is not published; it is read tolerantly. Tried on simulated cards only.
seealso:
  - module: dcops.apc.nmc_config_backup
  - module: dcops.apc.ats_info
author:
  - The dcops.apc contributors (@dcops)
"""

EXAMPLES = r"""
- name: Read the log of an ATS that has lost its controller
  dcops.apc.nmc_event_log_info:
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
  register: log

- name: Say what is known of it
  ansible.builtin.debug:
    msg: "{{ log.findings | map(attribute='text') | list }}"

- name: Only the downloads into the controller, from the web page
  dcops.apc.nmc_event_log_info:
    via: web
    web_ca_path: /etc/ssl/certs/site-ca.pem
    kinds:
      - controller_download_begun
      - controller_download_failed
    username: "{{ vault_apc_username }}"
    password: "{{ vault_apc_password }}"
"""

RETURN = r"""
events:
  description: The rows, oldest first as far as the log shows its order.
  returned: success
  type: list
  elements: dict
  contains:
    time:
      description: The time by the card's own clock, which may be wrong, without a zone; V(null) where the row has none.
      type: str
      sample: "2017-09-05T23:21:26"
    source:
      description: Who speaks.
      type: str
      sample: Automatic Transfer Switch
    text:
      description: The text.
      type: str
      sample: ATS Controller firmware download failed.
    code:
      description: The event's code.
      type: str
      sample: "0x0001"
    kind:
      description: What it is about, see O(kinds).
      type: str
      sample: controller_download_failed
findings:
  description: Known pictures, the most serious first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its name.
      type: str
      choices:
        - controller_never_booted
        - controller_download_open
        - controller_download_failed
        - communication_lost
        - card_restarts_often
        - ups_firmware_failed
      sample: controller_never_booted
    text:
      description: What it means.
      type: str
      sample: A download into the ATS controller has failed since the card's last start.
    events:
      description: The rows that show it, each as in RV(events).
      type: list
      elements: dict
      sample: []
total:
  description: How many rows the log has.
  returned: success
  type: int
  sample: 214
order_known:
  description: Whether the times of the rows tell which is newer.
  returned: success
  type: bool
  sample: true
head:
  description: The lines above the rows, such as the card's name and address.
  returned: success
  type: list
  elements: str
  sample: []
protocol:
  description: How the log was read.
  returned: success
  type: str
  choices: [scp, ftp, https, http]
  sample: scp
error:
  description: Why the module failed.
  returned: failure
  type: dict
  contains:
    kind:
      description: The stable kind of the error.
      type: str
      choices: [timeout, auth, busy, transfer, unsupported, internal]
      sample: busy
    message:
      description: The same words as in RV(ignore:msg).
      type: str
      sample: "192.0.2.10 serves another user"
"""

from ansible_collections.dcops.apc.plugins.module_utils._module import module_main


def main() -> None:
    module_main("nmc_event_log_info")


if __name__ == "__main__":
    main()
