# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated rack ATS or Smart-UPS: sources, relays, controller, battery, management card.

Shares no code with the collection.
"""

from __future__ import annotations

from .firmware import build_module, make_package, module_name
from .knobs import Knobs
from .model import Unit
from .sessions import LoginRefused
from .ups_files import build_ups_file, make_ups_file, ups_file_name

__version__ = "0.1.0"
__all__ = [
    "Knobs",
    "LoginRefused",
    "Unit",
    "build_module",
    "build_ups_file",
    "make_package",
    "make_ups_file",
    "module_name",
    "ups_file_name",
]
