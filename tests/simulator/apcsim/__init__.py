# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated rack ATS: sources, relays, controller, management card. Shares no code with the collection."""

from __future__ import annotations

from .firmware import build_module, make_package, module_name
from .knobs import Knobs
from .model import Unit
from .sessions import LoginRefused

__version__ = "0.1.0"
__all__ = ["Knobs", "LoginRefused", "Unit", "build_module", "make_package", "module_name"]
