# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  username:
    description:
      - The administrator of the management card.
      - If not set, the environment variable E(APC_USERNAME) of the controller is used; one of them is required.
    type: str
    required: true
  password:
    description:
      - The password of O(username).
      - If not set, the environment variable E(APC_PASSWORD) of the controller is used; one of them is required.
    type: str
    required: true
  transfer_protocol:
    description:
      - How files are read from the card and sent to it.
      - V(auto) is SCP. Where the card does not offer SSH, or the Python package asyncssh is missing on the controller,
        it is FTP if O(allow_ftp=true), with a warning, and else an error. A host key or a password that is refused
        never leads to FTP.
      - V(scp) needs the Python package asyncssh on the controller. V(ftp) sends the password in clear.
    type: str
    choices: [auto, ftp, scp]
    default: auto
  transfer_port:
    description:
      - The TCP port of O(transfer_protocol), from V(1) to V(65535); by default the protocol's own.
      - With O(transfer_protocol=auto) it is SCP's; FTP then has its own.
    type: int
  allow_ftp:
    description: Whether O(transfer_protocol=auto) may take FTP, which sends the user name and the password in clear.
    type: bool
    default: false
  ssh_known_hosts:
    description:
      - The file with the host keys of cards, in OpenSSH's format; by default C(~/.ssh/known_hosts).
      - A card is looked up by its address and port, and by the host name that was given and port.
    type: path
  ssh_host_key:
    description: The fingerprint of the card's host key, C(SHA256:) and 43 characters, instead of O(ssh_known_hosts).
    type: str
  ssh_accept_new_host_key:
    description:
      - Whether the key of a card that is not in O(ssh_known_hosts) is accepted, and written there. For the first login
        over a network that is trusted.
      - A key that has changed is never accepted. In check mode a new key is held to for the task, and written nowhere.
    type: bool
    default: false
  ssh_legacy_algorithms:
    description: Whether old key exchanges, ciphers and host keys may be used, as the oldest cards need them.
    type: bool
    default: false
  transfer_timeout_s:
    description: How many seconds the card may be silent during a login or a transfer, from V(1) to V(600).
    type: float
    default: 30.0
  busy_timeout_s:
    description:
      - How many seconds to wait for a card that serves another user, from V(0) to V(3600).
      - A session that somebody left open is closed by the card, by default after 180 seconds.
    type: float
    default: 240.0
notes:
  - The card serves one user at a time. The module always logs out.
"""
