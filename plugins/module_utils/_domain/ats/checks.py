# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of SAFETY 3 that one sample alone can answer. Pure and total: a doubtful reading is never a yes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, wraps
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.loadzero import load_zero, sign_of_load
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.staleness import OLD, is_old
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import (
    AtsState,
    Comm,
    Health,
    Input,
    LoadRow,
    LoadState,
    OverCurrent,
    Preferred,
    Redundancy,
    Source,
    TransferRange,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

# Nominal voltages by model, used only where the unit itself shows neither line voltage nor nominal voltage [G].
MODEL_NOMINAL_V = {"AP7721": 230, "AP7722A": 230, "AP7723": 230, "AP7724": 230}
FALLBACK_TOLERANCE = 0.10
DEAD_SHARE = 0.10
DAY_S = 86400.0
APP_ONLY_UPTIME_S = 300.0


class Method(Enum):
    SINGLE_SOURCE = "single_source"
    NO_LOAD = "no_load"
    APP_ONLY = "app_only"
    RECOVERY = "recovery"


@dataclass(frozen=True, eq=False)
class Rules:
    """What the checks need to know beside the sample. ``mean_v``: the primary's own mean over the window.

    Compared by identity, so that results can be remembered per sample cheaply.
    """

    method: Method
    primary: Source | None
    package_aos: Version | None = None
    mean_v: float | None = None
    # Readings from before the cold start, which recovery shows and does not judge.
    old: frozenset[str] = frozenset()


# One object for equal rules.
rules_of = lru_cache(maxsize=64)(Rules)


def _by_state(check: Callable[[AtsState, str | None, Rules], Found]) -> Callable[[Sample, Rules], Found]:
    """A check that needs nothing of a sample but the unit's state and model: most samples of a run show the same."""
    remembered = lru_cache(maxsize=256)(check)

    @wraps(check)
    def of_sample(sample: Sample, rules: Rules) -> Found:
        return remembered(sample.ats, sample.ats.model or sample.identity.model, rules)

    return of_sample


def _is(reading: Reading[Any], wanted: Enum, shown: str = "") -> Found:
    text = f"{shown}{reading.shown()}"
    return Found(reading.is_(wanted), text, missing=not reading.known)


def primary_reference_v(ats: AtsState, model: str | None, mean_v: float | None) -> float | None:
    """Volt: line Vrms A.4.8, else nominal A.1.7, else the model's, else the primary's own mean over the window."""
    for reading in (ats.settings.line_vrms_v, ats.nominal.voltage_v):
        if reading.known and reading.value:
            return float(reading.value)
    by_model = MODEL_NOMINAL_V.get(model or "")
    return float(by_model) if by_model else mean_v


def has_own_reference(ats: AtsState, model: str | None) -> bool:
    return primary_reference_v(ats, model, None) is not None


# The widest range of any unit seen is 30 V around 230 V; beyond this the readings are no range [G].
WIDEST_RANGE = 0.2


def in_range(ats: AtsState, model: str | None, voltage_v: float, mean_v: float | None) -> tuple[bool, str]:
    """Is a voltage inside the transfer range? A.4.5 picks one of the limits A.4.9 to A.4.11."""
    reference = primary_reference_v(ats, model, mean_v)
    if reference is None:
        return False, "no reference voltage known"
    settings = ats.settings
    limits = {
        TransferRange.NARROW: settings.narrow_limit_v,
        TransferRange.MEDIUM: settings.medium_limit_v,
        TransferRange.WIDE: settings.wide_limit_v,
    }
    chosen = limits.get(settings.transfer_range.value) if settings.transfer_range.value else None
    for reading in (settings.transfer_range, chosen):
        if reading is not None and reading.fitted and not reading.known:
            return False, f"transfer range {reading.shown()}"
    if has_own_reference(ats, model) and chosen is not None and chosen.known and chosen.value:
        limit = float(chosen.value)
        if limit > WIDEST_RANGE * reference:
            return False, f"transfer range of {limit:g} V around {reference:g} V: no unit has so wide a one"
    else:
        limit = reference * FALLBACK_TOLERANCE
    return abs(voltage_v - reference) <= limit, f"{reference:g} V +/- {limit:g} V"


@lru_cache(maxsize=256)
def live_by(ats: AtsState, model: str | None, name: Source) -> str:
    """By what a source reads live: status ok, a voltage of 10 % or more, a frequency; empty where nothing says so.

    A source out of its range reads fail, and is live all the same. Unknown is neither live nor dead.
    """
    source, reference = ats.input(name), primary_reference_v(ats, model, None)
    voltage, frequency = source.voltage_v.or_none(), source.frequency_hz.or_none()
    found = []
    if source.status.is_(Health.OK):
        found.append("status ok")
    # Without a reference any voltage counts: nothing tells 10 % of what.
    if voltage is not None and voltage > 0 and voltage >= DEAD_SHARE * (reference or 0.0):
        found.append(source.voltage_v.shown("V"))
    if frequency is not None and frequency > 0:
        found.append(source.frequency_hz.shown("Hz"))
    return ", ".join(found)


def reads_live(sample: Sample, name: Source) -> bool:
    """SAFETY 2, "reads live"; False where it is not known."""
    return bool(sample.answered and live_by(sample.ats, sample.ats.model or sample.identity.model, name))


def live_inputs(sample: Sample) -> dict[Source, str]:
    """Which inputs read live, in words."""
    found = {}
    for name in Source:
        if reads_live(sample, name):
            source = sample.ats.input(name)
            found[name] = f"source {name.name} {source.status.shown()}, {source.voltage_v.shown('V')}"
    return found


def both_live(sample: Sample) -> str:
    """What contradicts one_input; empty where nothing does."""
    found = live_inputs(sample)
    return f"both inputs are live ({'; '.join(found.values())})" if len(found) == len(Source) else ""


def controller_comm(sample: Sample, rules: Rules) -> Found:
    comm = sample.ats.controller_comm
    if rules.method is Method.RECOVERY:
        ok = comm.is_(Comm.LOST) or comm.is_(Comm.NEVER_DISCOVERED)
        return Found(ok, comm.shown(), missing=not comm.known)
    return Found(comm.is_(Comm.ESTABLISHED), comm.shown(), missing=not comm.known)


def _rows(ats: AtsState) -> list[tuple[str, LoadRow]]:
    return [("bank", row) for row in ats.load.banks] + [("output phase", row) for row in ats.load.phases]


@_by_state
def switch_healthy(ats: AtsState, model: str | None, rules: Rules) -> Found:
    if not ats.switch.is_(Health.OK):
        return Found(False, f"switch {ats.switch.shown()}", missing=not ats.switch.known)
    states = []
    for kind, row in _rows(ats):
        if row.state.is_(LoadState.OVERLOAD):
            return Found(False, f"{kind} {row.index} in overload")
        if row.state.fitted and not row.state.known:
            return Found(False, f"{kind} {row.index} state {row.state.shown()}", missing=True)
        if row.state.known:
            states.append(row.state.value)
    dead = {f"24v_{source.name.lower()}" for source in Source if ats.input(source).status.is_(Health.FAIL)}
    for name, supply in ats.supplies:
        if name in dead:
            # A dead source's own supply has nothing to live on.
            continue
        if supply.is_(Health.FAIL):
            return Found(False, f"supply {name} reads failure")
        if supply.fitted and not supply.known:
            return Found(False, f"supply {name} {supply.shown()}", missing=True)
    total, limit = ats.load.total_current_a, ats.settings.current_limit_a.or_none()
    if total is not None and limit is not None and 0 < limit < total:
        return Found(False, f"load {total:g} A over the limit of {limit:g} A")
    if ats.over_current.is_(OverCurrent.OVER_CURRENT) and not states:
        # Some firmware repeats the bank state here, where 1 is normal; without a bank state nothing contradicts it.
        return Found(False, "over-current reads 1 and no bank or phase state is known")
    if ats.over_current.fitted and not ats.over_current.known:
        return Found(False, f"over-current {ats.over_current.shown()}", missing=True)
    return Found(True, "switch ok, no overload, no supply failed")


@_by_state
def primary_healthy(ats: AtsState, model: str | None, rules: Rules) -> Found:
    if rules.primary is None:
        return Found(False, "no primary_source given")
    name = rules.primary.name
    source = ats.input(rules.primary)
    if not source.status.is_(Health.OK):
        return Found(False, f"source {name} {source.status.shown()}", missing=not source.status.known)
    voltage = source.voltage_v.or_none()
    if voltage is None:
        return Found(False, f"voltage of source {name} {source.voltage_v.shown()}", missing=True)
    fine, bounds = in_range(ats, model, voltage, rules.mean_v)
    return Found(fine, f"source {name} ok, {voltage} V (range {bounds})")


@_by_state
def primary_selected(ats: AtsState, model: str | None, rules: Rules) -> Found:
    if rules.primary is None:
        return Found(False, "no primary_source given")
    selected, preferred = ats.selected_source, ats.settings.preferred_source
    text = f"selected {selected.shown()}, preferred {preferred.shown()}"
    if not selected.is_(rules.primary):
        return Found(False, text, missing=not selected.known)
    wanted = (Preferred[rules.primary.name], Preferred.NONE)
    if preferred.fitted and preferred.value not in wanted:
        return Found(False, text, missing=not preferred.known)
    return Found(True, text)


@_by_state
def secondary_dead(ats: AtsState, model: str | None, rules: Rules) -> Found:
    if rules.primary is None:
        return Found(False, "no primary_source given")
    secondary = rules.primary.other
    source, name = ats.input(secondary), secondary.name
    text = f"source {name} {source.status.shown()}, {source.voltage_v.shown('V')}"
    reference = primary_reference_v(ats, model, rules.mean_v)
    voltage, frequency = source.voltage_v.or_none(), source.frequency_hz.or_none()
    if frequency is not None and frequency > 0:
        return Found(False, f"{text}, {source.frequency_hz.shown('Hz')}: a source with a frequency counts as live")
    if voltage is not None:
        if reference is None:
            return Found(False, f"{text}, no reference voltage known", missing=True)
        if voltage >= DEAD_SHARE * reference:
            return Found(False, f"{text}: at or above 10 % of {reference:g} V it counts as live")
    if not source.status.is_(Health.FAIL):
        return Found(False, text, missing=not source.status.known)
    if voltage is not None:
        # Where its own 24 V supply still reads ok [?] the question for the deed says so; it refuses nothing.
        return Found(True, text)
    return _dead_without_voltage(source, text)


def _dead_without_voltage(source: Input, text: str) -> Found:
    """The voltage is not fitted or gone while dead [?]: the unit's own judgement needs two companions."""
    if source.voltage_v.fitted:
        return Found(False, text, missing=True)
    frequency_gone = source.frequency_hz.is_(0) or not source.frequency_hz.fitted
    supply_gone = source.supply_24v.is_(Health.FAIL) or not source.supply_24v.fitted
    if frequency_gone and supply_gone:
        return Found(True, f"{text}, frequency gone, its 24 V supply {source.supply_24v.shown()}")
    text += f", {source.frequency_hz.shown('Hz')}, its 24 V supply {source.supply_24v.shown()}"
    return Found(False, f"{text}: not enough to prove it dead without a voltage", missing=True)


def supply_still_reads_ok(sample: Sample, secondary: Source) -> bool:
    """Its own 24 V supply reads ok although the source reads dead: worth a second look at which plug is out."""
    return sample.ats.input(secondary).supply_24v.is_(Health.OK)


def consistent_redundancy(sample: Sample) -> Found:
    """SAFETY 4.1: both inputs ok and redundancy lost is no picture to begin with."""
    ats = sample.ats
    both = all(ats.input(name).status.is_(Health.OK) for name in Source)
    if both and ats.redundancy.is_(Redundancy.LOST):
        return Found(False, "both inputs read ok and redundancy reads lost")
    return Found(True, f"redundancy {ats.redundancy.shown()}")


@_by_state
def redundancy_lost(ats: AtsState, model: str | None, rules: Rules) -> Found:
    return _is(ats.redundancy, Redundancy.LOST, "redundancy ")


@_by_state
def check_load_zero(ats: AtsState, model: str | None, rules: Rules) -> Found:
    if rules.method is Method.RECOVERY:
        positive = sign_of_load(ats.load)
        if positive and is_old(ats, rules.old):
            return Found(True, f"{positive} ({OLD})")
        return Found(not positive, positive or "no load reads more than 0, and no overload")
    return Found(*_reordered(load_zero(ats.load)))


def _reordered(result: tuple[bool, bool, str]) -> tuple[bool, str, bool]:
    ok, missing, text = result
    return ok, text, missing


def no_app_answers(sample: Sample, rules: Rules) -> Found:
    card = sample.identity
    if sample.ats.objects_answered:
        return Found(False, f"{sample.ats.objects_answered} ATS objects answer: the app is running")
    if rules.package_aos is None or card.aos.version != rules.package_aos:
        return Found(False, f"the card runs AOS {card.aos.version}, the package holds {rules.package_aos}")
    if card.app_status == "?":
        return Found(False, "the app is starting (A?)")
    if sample.uptime_s is None or sample.uptime_s < APP_ONLY_UPTIME_S:
        shown = "unknown" if sample.uptime_s is None else f"{sample.uptime_s:.0f} s"
        return Found(False, f"uptime {shown}, wanted 300 s", missing=True)
    if card.app.file is not None and card.app_status not in ("-", "!"):
        return Found(False, f"the card names the app {card.app.file} and no status A- or A!")
    return Found(True, f"no ATS object answers, app {'status A' + card.app_status if card.app_status else 'absent'}")


SAMPLE_CHECKS: dict[str, Callable[[Sample, Rules], Found]] = {
    "controller_comm": controller_comm,
    "no_app_answers": no_app_answers,
    "switch_healthy": switch_healthy,
    "primary_healthy": primary_healthy,
    "primary_selected": primary_selected,
    "secondary_dead": secondary_dead,
    "redundancy_lost": redundancy_lost,
    "load_zero": check_load_zero,
}
