# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in a report about its writer."""

from __future__ import annotations

NAME = "dcops.apc"
# galaxy.yml is not installed with the collection, and MANIFEST.json not there in a checkout; a test compares.
VERSION = "0.1.0"
# Major: a reader of the old form would be wrong. Minor: fields were added.
SCHEMA_VERSION = "1.0"
