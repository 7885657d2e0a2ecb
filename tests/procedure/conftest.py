# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedure's tests run on the simulated device's virtual clock."""

from __future__ import annotations

import sys
from pathlib import Path

for _part in ("utils", "worlds"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / _part))
