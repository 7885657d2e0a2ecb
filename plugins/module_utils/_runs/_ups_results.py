# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a playbook sees of a UPS: plain JSON types, null where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.harmless import harmless
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.ap9624 import Expander, Facts, Finding
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    OutletGroup,
    UpsFirmware,
    UpsState,
    YesNo,
    parse_firmware,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import number, others, text, word
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
        "others": others(ups.others),
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
    if isinstance(groups, Mapping):
        count = _count(groups.get("count"))
        rows = groups.get("groups")
        if count is not None and isinstance(rows, (list, tuple)):
            # A count that its own table contradicts is no zero.
            count = max(count, len(rows))
    else:
        count = _count(groups)
    return Facts(
        sku=_fact(given, "sku"),
        model=_fact(given, "model"),
        firmware=_firmware(given.get("firmware")),
        outlet_groups=count,
        comm_up=_comm(given.get("comm")),
        stated=stated and count is not None,
        expander=expander,
    )


def _comm(value: Any) -> bool | None:
    if value is None:
        return None
    if value not in ("ok", "none"):
        raise OptionError(f"ups.comm must be ok, none or null, not {_shown(value)}.")
    return bool(value == "ok")


def _fact(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    return None if value is None else (_text(f"ups.{name}", value).strip() or None)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise OptionError(f"{name} must be a text, not {_shown(value)}.")
    if len(value) > MAX_FACT:
        raise OptionError(f"{name} is longer than {MAX_FACT} characters.")
    return harmless(value, 10 * MAX_FACT)


def _firmware(value: Any) -> UpsFirmware:
    if value is None:
        return UpsFirmware()
    if not isinstance(value, Mapping):
        return parse_firmware(_text("ups.firmware", value))
    raw = value.get("raw")
    if raw is not None:
        text_ = _text("ups.firmware.raw", raw)
        if text_.strip():
            # Version and ID stand in this text; given beside it they could only contradict it.
            return parse_firmware(text_)
    shown, number_ = value.get("version"), value.get("id")
    version = None
    if shown is not None:
        shown = _text("ups.firmware.version", shown).strip()
        version = Version.parse(shown)
        if version is None:
            raise OptionError(f"ups.firmware.version must be a version such as '09.3', quoted, not {_shown(shown)}.")
    return UpsFirmware(None, version, _integer("ups.firmware.id", number_, 99999), shown)


def _count(value: Any) -> int | None:
    return _integer("ups.outlet_groups", value, MAX_GROUPS)


def _integer(name: str, value: Any, most: int) -> int | None:
    """Also as a text of plain digits, which is what a template may hand over."""
    if value is None:
        return None
    if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise OptionError(f"{name} must be a whole number from 0 to {most} or null, not {_shown(value)}.")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        # Printing a number of some thousand digits raises.
        return str(value) if -(2**63) < value < 2**63 else "an absurd number"
    return repr(value)[:60] if isinstance(value, (str, bool, float)) else f"a {type(value).__name__}"


__all__ = ["facts_of", "finding_result", "firmware_result", "ups_result"]
