# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""May the firmware of this UPS be updated now? Measured, all of it, and over a window of time.

Fail closed: a reading that is missing never counts as good. Facts: UPS.md; the judgement follows SAFETY 1 and 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Judged
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.file import bears_output_on, why_no_updates
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.state import (
    BatteryStatus,
    Calibration,
    FirmwareUpdate,
    OutletState,
    SelfTest,
    Status,
    UpsComm,
    UpsState,
    YesNo,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Check, Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version
from ansible_collections.dcops.apc.plugins.module_utils._domain.window import stable, window_of

# UPS.md: the card's application sumx from this version on, or an NMC3.
SUMX_LEAST = "6.5"
# Below this no mains feed the unit, whatever its nominal voltage (100 V is the lowest there is) [G].
MAINS_LEAST_V = 80
# A card that has just started may have forgotten an update, and shows none while the UPS is still written to [?].
CARD_UP_LEAST_S = 900.0
# An output of so many volts feeds nothing [G].
DEAD_OUTPUT_V = 10

EXPECTED: dict[str, str] = {
    "identity": "one unit answers by SNMP and over the login, proved by something unique",
    "undisturbed": "no restart, no other unit and no other firmware than at the start of the run",
    "file": "a file for exactly this ID, newer than what runs, checksum as given",
    "card_app": f"application sumx {SUMX_LEAST} or newer, or an NMC3",
    "updates_allowed": "firmware that takes updates through the card",
    "comm": "the card communicates with the UPS",
    "no_update": "no update is going on",
    "card_up": "the card up for 15 minutes: one that has just started may have forgotten an update",
    "mains": "fed by the mains, not on battery",
    "no_bypass": "not in bypass",
    "battery": "a battery that is neither low, nor to be replaced, nor missing",
    "no_test": "no self test",
    "no_calibration": "no runtime calibration",
    "no_shutdown": "no shutdown, sleep or restart pending",
    "output": "the output off; or on, where this firmware bears it and it is confirmed",
    "stable": "unchanged over more than 30 s and at least 8 samples",
}
# What an operator's next action brings about.
PENDING = frozenset({"output", "file"})


@dataclass(frozen=True, eq=False)
class UpsSample:
    """One reading. ``at_s``: when it began. ``answered`` False: nothing else in it means anything."""

    at_s: float
    answered: bool
    identity: CardIdentity = field(default_factory=CardIdentity)
    uptime_s: float | None = None
    name: str | None = None
    addresses: tuple[str, ...] = ()
    ups: UpsState = field(default_factory=UpsState)
    error: str = ""

    @property
    def unit_serial(self) -> str | None:
        return self.ups.serial

    @property
    def unit_model(self) -> None:
        """Its card is one of many that fit, and never goes by the UPS's model."""
        return

    @property
    def watched(self) -> tuple[Any, ...]:
        return (self.ups.comm, self.ups.firmware.raw)

    @cached_property
    def discrete(self) -> tuple[Any, ...]:
        ups = self.ups
        flags = tuple(sorted(ups.flags.all().items()))
        groups = tuple((group.index, group.state.value) for group in ups.outlet_groups)
        return (ups.status.value, ups.comm.value, ups.firmware_update.value, flags, groups)

    @cached_property
    def who(self) -> tuple[Any, ...]:
        ups, card = self.ups, self.identity
        return (card.serial, card.app.file, card.aos.file, self.name, ups.serial, ups.sku, ups.model, ups.firmware.raw)


@dataclass(frozen=True)
class GuardCase:
    """``identity`` None: not asked yet, since nobody has logged in. ``file``: what was found about the file."""

    samples: Sequence[UpsSample]
    now_s: float
    bounds: Bounds
    file: Found
    output_confirmed: Judged
    undisturbed: Found = field(default_factory=lambda: Found(True, "nothing but this run"))
    identity: Found | None = None


def judge_update(case: GuardCase) -> Verdict:
    """Total and pure. Every check of the newest sample, and all of them over the window."""
    newest = case.samples[-1] if case.samples else None
    found: dict[str, Found] = {}
    if case.identity is not None:
        found["identity"] = case.identity
    found["undisturbed"] = case.undisturbed
    found["file"] = case.file
    if newest is None or not newest.answered:
        missing = Found(False, newest.error or "no answer" if newest else "no answer", missing=True)
        found.update(dict.fromkeys(_SAMPLE_CHECKS, missing))
    else:
        found.update({name: check(newest, case.output_confirmed) for name, check in _SAMPLE_CHECKS.items()})
    window = window_of(case.samples, case.bounds, lambda sample: _holds(sample, case.output_confirmed))
    found["stable"] = stable(window, case.now_s, case.bounds)
    return Verdict(
        None,
        tuple(
            Check(name, one.ok, one.observed, not one.ok and name in PENDING, one.missing, EXPECTED[name])
            for name, one in found.items()
        ),
        window.since_s,
    )


@lru_cache(maxsize=2048)
def _holds(sample: UpsSample, confirmed: Judged) -> bool:
    return all(check(sample, confirmed).ok for check in _SAMPLE_CHECKS.values())


# --- one sample -----------------------------------------------------------------------------------------------------
def _flags(sample: UpsSample, *names: str) -> tuple[list[str], bool]:
    """(which of them are set, were all of them readable)."""
    values = {name: sample.ups.flags.get(name) for name in names}
    return [name.replace("_", " ") for name, value in values.items() if value], None not in values.values()


def _none_set(sample: UpsSample, *names: str) -> Found:
    found, readable = _flags(sample, *names)
    if found:
        return Found(False, ", ".join(found))
    if not readable:
        return Found(False, "the status flags of the UPS are not readable", missing=True)
    return Found(True, "none of " + ", ".join(name.replace("_", " ") for name in names))


def _status_not(sample: UpsSample, *statuses: Status) -> Found:
    reading = sample.ups.status
    if not reading.known:
        return Found(False, f"output status {reading.shown()}", missing=True)
    return Found(reading.value not in statuses, f"output status {reading.shown()}")


def _first_bad(*found: Found) -> Found:
    """A contradiction before a missing reading before good news."""
    for one in found:
        if not one.ok and not one.missing:
            return one
    return next((one for one in found if not one.ok), found[0])


def _card_app(sample: UpsSample, confirmed: Judged) -> Found:
    card = sample.identity
    shown = (
        f"{card.app_token or 'no application'} {card.app.version or ''} on {card.hardware or 'an unknown card'}".strip()
    )
    if card.oddly_simulated:
        return Found(False, "it declares itself simulated in a form that is not understood")
    if card.hardware == "hw21":
        return Found(card.app_token in ("su", "sumx", "sy"), shown)
    least = Version.parse(SUMX_LEAST)
    version = card.app.version
    new = least is not None and version is not None and version >= least
    return Found(card.app_token == "sumx" and new, shown)


def _updates_allowed(sample: UpsSample, confirmed: Judged) -> Found:
    firmware = sample.ups.firmware
    shown = firmware.shown or "no version"
    if firmware.version is None:
        return Found(False, shown, missing=True)
    why = why_no_updates(firmware)
    return Found(not why, f"{shown}: {why}" if why else shown)


def _comm(sample: UpsSample, confirmed: Judged) -> Found:
    reading = sample.ups.comm
    direct = Found(reading.is_(UpsComm.OK), f"communication {reading.shown()}", missing=not reading.known)
    flag = sample.ups.flags.get("comm")
    by_flag = Found(flag is not False, "the flag for communication is off")
    return _first_bad(direct, by_flag, _none_set(sample, "internal_comm_failure"))


def _no_update(sample: UpsSample, confirmed: Judged) -> Found:
    reading = sample.ups.firmware_update
    idle = reading.value in (FirmwareUpdate.NONE, FirmwareUpdate.SUCCESSFUL, FirmwareUpdate.FAILED)
    return Found(reading.known and idle, f"update {reading.shown()}", missing=not reading.known)


def _card_up(sample: UpsSample, confirmed: Judged) -> Found:
    uptime_s = sample.uptime_s
    if uptime_s is None:
        return Found(False, "uptime of the card not readable", missing=True)
    left_s = CARD_UP_LEAST_S - uptime_s
    wait = f"; it takes {left_s / 60:.0f} minutes more" if left_s > 0 else ""
    return Found(left_s <= 0, f"card up for {uptime_s / 60:.0f} minutes{wait}", missing=True)


def _mains(sample: UpsSample, confirmed: Judged) -> Found:
    voltage = sample.ups.input_voltage_v
    fed = Found(
        voltage.known and (voltage.value or 0) >= MAINS_LEAST_V,
        f"input {voltage.shown('V')}",
        missing=not voltage.known,
    )
    on_battery = (Status.ON_BATTERY, Status.SLEEPING_UNTIL_POWER_RETURN, Status.UNKNOWN)
    return _first_bad(fed, _status_not(sample, *on_battery), _none_set(sample, "on_battery"))


def _no_bypass(sample: UpsSample, confirmed: Judged) -> Found:
    bypass = (Status.SOFTWARE_BYPASS, Status.SWITCHED_BYPASS, Status.HARDWARE_FAILURE_BYPASS)
    static = (Status.EMERGENCY_STATIC_BYPASS, Status.STATIC_BYPASS_STANDBY)
    flags = ("manual_bypass", "software_bypass", "bypass_internal_fault", "bypass_supply_failure")
    return _first_bad(
        _status_not(sample, *bypass, *static), _none_set(sample, *flags, "bypass_fan_failure", "temporary_bypass")
    )


def _battery(sample: UpsSample, confirmed: Judged) -> Found:
    ups = sample.ups
    replace = Found(
        ups.replace_battery.is_(YesNo.NO),
        f"replace battery {ups.replace_battery.shown()}",
        missing=not ups.replace_battery.known,
    )
    bad = ups.battery_status.known and ups.battery_status.value is not BatteryStatus.NORMAL
    status = Found(not bad, f"battery {ups.battery_status.shown()}")
    flags = _none_set(sample, "low_battery", "replace_battery", "no_battery", "low_battery_shutdown")
    return _first_bad(replace, status, flags)


def _no_test(sample: UpsSample, confirmed: Judged) -> Found:
    result = Found(not sample.ups.self_test.is_(SelfTest.IN_PROGRESS), f"last self test {sample.ups.self_test.shown()}")
    return _first_bad(
        result, _status_not(sample, Status.SELF_TEST, Status.ON_BATTERY_TEST), _none_set(sample, "self_test")
    )


def _no_calibration(sample: UpsSample, confirmed: Judged) -> Found:
    reading = sample.ups.calibration
    running = reading.value in (Calibration.IN_PROGRESS, Calibration.PENDING)
    return _first_bad(
        Found(not running, f"last calibration {reading.shown()}"),
        _none_set(sample, "calibration"),
    )


def _no_shutdown(sample: UpsSample, confirmed: Judged) -> Found:
    waiting = (Status.TIMED_SLEEPING, Status.REBOOTING, Status.SLEEPING_UNTIL_POWER_RETURN)
    shutdown = ("shutdown_pending", "shutdown_upstream", "shutdown_downstream")
    sleep = ("sleeping_timer", "sleeping_until_power", "rebooting")
    synchronized = ("synchronized_command", "synchronized_sleep", "synchronized_reboot")
    return _first_bad(_status_not(sample, *waiting), _none_set(sample, *shutdown, *sleep, *synchronized))


def _output(sample: UpsSample, confirmed: Judged) -> Found:
    ups = sample.ups
    off, on = ups.flags.get("off"), ups.flags.get("on")
    if not ups.status.known or off is None or on is None:
        return Found(False, f"output status {ups.status.shown()}, flags not readable", missing=True)
    if ups.status.is_(Status.OFF):
        return _output_off(ups)
    if not plainly_on(ups) or not ups.flags.get("on_line"):
        return Found(False, f"output status {ups.status.shown()}: neither off nor plainly on line")
    if not bears_output_on(ups.firmware):
        return Found(False, f"the output is on, and {ups.firmware.shown or 'this firmware'} is updated with it off")
    if not confirmed.ok:
        return Found(False, f"the output is on; output_may_go_off {confirmed.reason}")
    overload = _none_set(sample, "overload")
    return Found(
        overload.ok, "the output is on, which this firmware bears and which was confirmed; " + overload.observed
    )


def _output_off(ups: UpsState) -> Found:
    """Whatever is read beside it has to say the same."""
    odd = _unreadable(ups)
    if odd:
        return Found(False, f"output off, but {', '.join(odd)}", missing=True)
    signs = _signs_of_output(ups)
    return Found(not signs, "output off" + (f", but {', '.join(signs)}" if signs else ""))


def _unreadable(ups: UpsState) -> list[str]:
    odd = [f"output voltage {ups.output_voltage_v.shown('V')}"] if _odd(ups.output_voltage_v) else []
    odd += [f"load {ups.load_percent.shown('%')}"] if _odd(ups.load_percent) else []
    states = [(group.index, group.state) for group in ups.outlet_groups]
    # A group whose row did not come may be on. Neither count nor rows: a unit that has none, or that shows none.
    counted, seen = ups.outlet_count.or_none() or 0, len(states)
    odd += [f"{seen} of {counted} outlet groups answered"] if counted > seen else []
    odd += [f"number of outlet groups {ups.outlet_count.shown()}"] if _odd(ups.outlet_count) else []
    return odd + [
        f"group {n} {state.shown()}" for n, state in states if not state.known or state.is_(OutletState.UNKNOWN)
    ]


def _signs_of_output(ups: UpsState) -> list[str]:
    signs = [f"group {group.index}" for group in ups.outlet_groups if group.state.is_(OutletState.ON)]
    signs += ["the flags do not say off"] if not plainly_off(ups) else []
    signs += [f"load {ups.load_percent.shown('%')}"] if (ups.load_percent.or_none() or 0) > 0 else []
    volts = ups.output_voltage_v.or_none() or 0
    return signs + ([f"output {volts} V"] if volts > DEAD_OUTPUT_V else [])


def plainly_off(ups: UpsState) -> bool:
    return ups.status.is_(Status.OFF) and ups.flags.get("off") is True and ups.flags.get("on") is False


def plainly_on(ups: UpsState) -> bool:
    return ups.status.is_(Status.ON_LINE) and ups.flags.get("off") is False and ups.flags.get("on") is True


def _odd(reading: Reading[Any]) -> bool:
    """Answered, and no measurement. What a unit does not have is not odd."""
    return reading.fitted and not reading.known


_SAMPLE_CHECKS: dict[str, Callable[[UpsSample, Judged], Found]] = {
    "card_app": _card_app,
    "updates_allowed": _updates_allowed,
    "comm": _comm,
    "no_update": _no_update,
    "card_up": _card_up,
    "mains": _mains,
    "no_bypass": _no_bypass,
    "battery": _battery,
    "no_test": _no_test,
    "no_calibration": _no_calibration,
    "no_shutdown": _no_shutdown,
    "output": _output,
}
_IN_ORDER = ("comm", "mains", "no_bypass", "battery", "no_test", "no_calibration", "no_shutdown")


def disorder(sample: UpsSample) -> str:
    """What speaks against leaving this UPS to its work after an update; empty: nothing does.

    It must be plainly on line, or plainly off, and nothing must be unreadable: people act on what is said then.
    """
    word = Judged(False, "not asked")
    found = [one.observed for name in _IN_ORDER if not (one := _SAMPLE_CHECKS[name](sample, word)).ok]
    ups = sample.ups
    if not plainly_off(ups) and not plainly_on(ups):
        found.append(f"output status {ups.status.shown()}, neither plainly on line nor plainly off")
    return "; ".join(dict.fromkeys(found))
