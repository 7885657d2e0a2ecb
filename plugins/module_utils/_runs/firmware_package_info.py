# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module firmware_package_info. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.bulletins import package_bulletin
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError, check_checksums
from ansible_collections.dcops.apc.plugins.module_utils._files.package_source import load
from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import Progress

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    # Not type path: that would expand $ inside a URL.
    "src": {"type": "str"},
    "files": {"type": "list", "elements": "path"},
    # The keys are file names, the values no secrets.
    "checksums": {"type": "dict"},
    "download_timeout_s": {"type": "int", "default": 120},
}
OPTIONS: dict[str, Any] = {
    "mutually_exclusive": [["src", "files"]],
    "required_one_of": [["src", "files"]],
    "supports_check_mode": True,
}


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
