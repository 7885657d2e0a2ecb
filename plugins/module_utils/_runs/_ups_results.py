# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook sees of a UPS: plain JSON types, null where nothing is known. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ap9624 import Expander, Facts, Finding
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import (
    OutletGroup,
    UpsFirmware,
    UpsState,
    YesNo,
    parse_firmware,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import number, text, word
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import OptionError

MAX_FACT = 255
MAX_GROUPS = 64


def ups_result(ups: UpsState) -> dict[str, Any]:
    """``ups`` as ARCHITECTURE has it. What was not read is None."""
    product = ups.product
    replace = ups.replace_battery.or_none()
    return {
        "model": text(ups.model),
        "sku": text(ups.sku),
        "name": text(ups.name),
        "family": product.family,
        "rated_va": product.rated_va,
        "form_factor": product.form,
        "firmware": firmware_result(ups.firmware),
        "serial": text(ups.serial),
        "manufactured": text(ups.manufactured),
        "hardware_revision": text(ups.hardware_revision),
        "rating": text(ups.rating),
        "status": word(ups.status),
        "comm": word(ups.comm),
        "flags": ups.flags.all(),
        "battery": {
            "status": word(ups.battery_status),
            "percent": ups.battery_percent.or_none(),
            "runtime_s": ups.runtime_s.or_none(),
            "replace": None if replace is None else replace is YesNo.YES,
        },
        "self_test": word(ups.self_test),
        "calibration": word(ups.calibration),
        "input_voltage_v": ups.input_voltage_v.or_none(),
        "output_voltage_v": ups.output_voltage_v.or_none(),
        "load_percent": number(ups.load_percent.or_none()),
        "outlet_groups": {
            "count": ups.outlet_count.or_none(),
            "groups": [_group(group) for group in ups.outlet_groups],
        },
        "firmware_update": word(ups.firmware_update),
    }


def firmware_result(firmware: UpsFirmware) -> dict[str, Any]:
    return {"raw": text(firmware.raw), "version": firmware.text, "id": firmware.id}


def _group(group: OutletGroup) -> dict[str, Any]:
    return {"index": group.index, "name": text(group.name), "state": word(group.state), "type": word(group.type)}


def finding_result(finding: Finding) -> dict[str, Any]:
    """``ap9624`` as ARCHITECTURE has it."""
    return {
        "status": finding.status.value,
        "current": finding.current,
        "fixed_in": finding.fixed_in,
        "rule": finding.rule,
        "basis": finding.basis.value,
        "identified_by": finding.identified_by,
        "reason": text(finding.reason),
        "source": finding.source,
        "expander": finding.expander.value,
        "advice": [{"id": item.id, "text": item.text} for item in finding.advice],
    }


def facts_of(given: Mapping[str, Any], expander: Expander) -> Facts:
    """Facts as ups_info returned them, or flat ones. Unknown keys are ignored; a value that cannot be one is an error.

    The communication is asked about only where it is part of the facts: a flat ``outlet_groups`` is a person's word.
    """
    inner = given.get("ups")
    if isinstance(inner, Mapping):
        # A whole registered result.
        given = inner
    groups = given.get("outlet_groups")
    stated = not isinstance(groups, Mapping)
    count = _count(groups.get("count") if isinstance(groups, Mapping) else groups)
    return Facts(
        sku=_fact(given, "sku"),
        model=_fact(given, "model"),
        firmware=_firmware(given.get("firmware")),
        outlet_groups=count,
        comm_up={"ok": True, "none": False}.get(str(given.get("comm"))) if given.get("comm") is not None else None,
        stated=stated and count is not None,
        expander=expander,
    )


def _fact(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise OptionError(f"ups.{name} must be a text, not {value!r:.60}.")
    if len(value) > MAX_FACT:
        raise OptionError(f"ups.{name} is longer than {MAX_FACT} characters.")
    return value.strip() or None


def _firmware(value: Any) -> UpsFirmware:
    if value is None or isinstance(value, str):
        return parse_firmware(value)
    if not isinstance(value, Mapping):
        raise OptionError(f"ups.firmware must be a text or what ups_info returned, not {value!r:.60}.")
    raw = value.get("raw")
    if isinstance(raw, str) and raw.strip():
        # Version and ID stand in this text; given beside it they could only contradict it.
        return parse_firmware(raw)
    shown, number_ = value.get("version"), value.get("id")
    version = Version.parse(shown) if isinstance(shown, str) else None
    if shown is not None and version is None:
        raise OptionError(f"ups.firmware.version must be a version such as '09.3', quoted, not {shown!r:.60}.")
    if number_ is not None and (isinstance(number_, bool) or not str(number_).isdecimal()):
        raise OptionError(f"ups.firmware.id must be a number such as 18, not {number_!r:.60}.")
    return UpsFirmware(None, version, int(number_) if number_ is not None else None, shown if version else None)


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) > MAX_GROUPS:
        raise OptionError(f"ups.outlet_groups must be a number from 0 to {MAX_GROUPS} or null, not {value!r:.60}.")
    return int(str(value))


__all__ = ["facts_of", "finding_result", "firmware_result", "ups_result"]
