# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between tests: this process's SNMP engines and its loop end, which in a run live as long as the process."""

from __future__ import annotations

import os

from ansible_collections.dcops.apc.plugins.module_utils._transport import snmp_v3


def close_engines() -> None:
    with snmp_v3.ENGINES:
        pid = os.getpid()
        for key in [key for key in snmp_v3._engines if key[0] == pid]:
            snmp_v3._close(snmp_v3._engines.pop(key))
        loop = snmp_v3._loops.pop(pid, None)
        if loop is not None:
            loop.close()
