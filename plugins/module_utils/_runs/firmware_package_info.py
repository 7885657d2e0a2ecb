# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module firmware_package_info."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import package_bulletin
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError, check_checksums
from ansible_collections.dcops.apc.plugins.module_utils._files.package_source import load
from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import Progress
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import PACKAGE, ArgumentSpec

SPEC = PACKAGE.merge(
    ArgumentSpec({"download_timeout_s": {"type": "int", "default": 120}}, required_one_of=(("src", "files"),))
)
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT


def run(params: dict[str, Any], check_mode: bool, progress: Progress | None) -> dict[str, Any]:
    """Reads the package and says what it is; changes nothing, so check mode is the same."""
    timeout_s = params.get("download_timeout_s") or 120
    if not 1 <= timeout_s <= 3600:
        raise PackageError("download_timeout_s must be between 1 and 3600.")
    loaded = load(params.get("src"), params.get("files"), timeout_s=timeout_s, progress=progress)
    package = loaded.package
    mismatches = check_checksums(package, params.get("checksums"))
    if mismatches:
        raise PackageError(" ".join(mismatches))
    hits = [package_bulletin(module.token, package.package_name) for module in package.modules if module.kind == "app"]
    bulletin = next((hit for hit in hits if hit is not None), None)
    return {
        "changed": False,
        "package": {
            "name": package.package_name,
            "hardware": package.hardware,
            "modules": [module.to_result() for module in package.modules],
            "bulletin": bulletin.to_result() if bulletin is not None else None,
            "source": package.source,
            "ignored": list(package.ignored),
            "problems": list(package.problems),
        },
    }
