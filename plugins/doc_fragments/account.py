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
      - V(auto) is V(ftp) in this version. V(scp) comes with a later version and is refused until then.
    type: str
    choices: [auto, ftp, scp]
    default: auto
  transfer_port:
    description: The TCP port of O(transfer_protocol), from V(1) to V(65535); by default the protocol's own.
    type: int
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
