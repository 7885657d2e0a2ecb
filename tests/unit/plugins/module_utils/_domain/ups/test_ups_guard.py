# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a UPS update: total, pure, fail closed. Each law over random readings, not over chosen ones only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import Judged
from ansible_collections.dcops.apc.plugins.module_utils._domain.identity import CardIdentity, Firmware
from ansible_collections.dcops.apc.plugins.module_utils._domain.seen import Bounds
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups import state as d
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.guard import (
    EXPECTED,
    PENDING,
    GuardCase,
    UpsSample,
    judge_update,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.values import Reading, known, not_fitted, unknown
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._domain.versions import Version

YES, NO = Judged(True, "confirmed"), Judged(False, "not given")
GOOD_FILE = Found(True, "a file")


def flags(*numbers: int) -> d.Flags:
    return d.Flags("".join("1" if place in numbers else "0" for place in range(1, 65)))


def card(token: str = "sumx", version: str = "7.0.8", hardware: str = "hw05") -> CardIdentity:
    aos = Firmware(Version.parse(version), f"apc_{hardware}_aos_708.bin")
    return CardIdentity(aos=aos, app=Firmware(Version.parse(version), f"apc_{hardware}_{token}_708.bin"), serial="ZA15")


OFF = d.UpsState(
    objects_answered=True,
    serial="AS1512T15001",
    firmware=d.parse_firmware("UPS 09.1 (ID18)"),
    status=known(d.Status.OFF),
    comm=known(d.UpsComm.OK),
    flags=flags(6, 58),
    battery_status=known(d.BatteryStatus.NORMAL),
    outlet_count=not_fitted("absent"),
    replace_battery=known(d.YesNo.NO),
    input_voltage_v=known(120),
    output_voltage_v=known(0),
    load_percent=known(0.0),
    firmware_update=known(d.FirmwareUpdate.NONE),
)
ON = replace(
    OFF,
    firmware=d.parse_firmware("UPS 07.9 (ID1010)"),
    status=known(d.Status.ON_LINE),
    flags=flags(4, 6, 19),
    output_voltage_v=known(120),
    load_percent=known(30.0),
)


def window(ups: d.UpsState, count: int = 20, every_s: float = 2.0, **more: Any) -> list[UpsSample]:
    identity = more.pop("identity", card())
    return [
        UpsSample(100.0 + every_s * n, True, identity, uptime_s=1000.0 + every_s * n, ups=ups, **more)
        for n in range(count)
    ]


def judge(samples: list[UpsSample], confirmed: Judged = NO, now_s: float | None = None, **more: Any) -> Verdict:
    now = now_s if now_s is not None else (samples[-1].at_s + 0.5 if samples else 0.0)
    return judge_update(GuardCase(samples, now, Bounds(), more.pop("file", GOOD_FILE), confirmed, **more))


def failing(verdict: Verdict) -> set[str]:
    return {check.id for check in verdict.failing}


def test_the_good_cases_are_permitted() -> None:
    assert judge(window(OFF)).permitted and judge(window(ON), YES).permitted
    assert judge(window(OFF, identity=card("su", "2.5.0.6", "hw21"))).permitted


def test_every_check_is_judged_and_shown() -> None:
    verdict = judge(window(OFF), identity=Found(True, "serial"))
    assert [check.id for check in verdict.checks] == list(EXPECTED)
    result = verdict.to_result()
    assert result["permitted"] and all(row["expected"] and row["observed"] for row in result["checks"])
    assert set(EXPECTED) >= PENDING


def test_nothing_read_permits_nothing() -> None:
    assert not judge([]).permitted and not Verdict(None, ()).permitted
    silent = [*window(OFF), UpsSample(140.0, False, error="no answer")]
    assert not judge(silent).permitted and judge(silent).contradicted == ()


# --- the window -----------------------------------------------------------------------------------------------------
def test_the_window_needs_its_time_its_number_and_its_freshness() -> None:
    assert failing(judge(window(OFF, count=16))) == {"stable"}  # 30 s are not more than 30 s
    assert judge(window(OFF, count=17)).permitted
    assert failing(judge(window(OFF, count=7, every_s=4.9))) == {"stable"}
    assert judge(window(OFF, count=8, every_s=4.9)).permitted
    assert failing(judge(window(OFF, every_s=5.1))) == {"stable"}
    samples = window(OFF)
    assert judge(samples, now_s=samples[-1].at_s + 4.9).permitted
    assert failing(judge(samples, now_s=samples[-1].at_s + 5.0)) == {"stable"}


@pytest.mark.parametrize("rate", [0.01, 0.5, 3.0])
def test_a_unit_whose_own_clock_does_not_run_with_ours_is_refused(rate: float) -> None:
    """Answers out of a cache, or a speed that is declared and not true."""
    samples = [replace(s, uptime_s=1000.0 + rate * (s.at_s - 100.0)) for s in window(OFF, count=30)]
    verdict = judge(samples)
    assert (
        failing(verdict) == {"stable"} and "its own clock" in (verdict.check("stable") or verdict.failing[0]).observed
    )


def test_behind_a_change_the_window_starts_15_seconds_later() -> None:
    samples = window(OFF, count=25)
    samples[0] = replace(samples[0], ups=replace(samples[0].ups, flags=flags(1, 6, 58)))
    assert failing(judge(samples)) == {"stable"}, "46 s behind the change, of which 15 do not count"
    samples = window(OFF, count=26)
    samples[0] = replace(samples[0], ups=replace(samples[0].ups, flags=flags(1, 6, 58)))
    assert judge(samples).permitted


SPOILS: dict[str, Any] = {
    "silent": lambda s: replace(s, answered=False),
    "another flag": lambda s: replace(s, ups=replace(s.ups, flags=flags(1, 6, 58))),
    "another status": lambda s: replace(s, ups=replace(s.ups, status=known(d.Status.SELF_TEST))),
    "an outlet group": lambda s: replace(
        s, ups=replace(s.ups, outlet_groups=(d.OutletGroup(1, "x", known(d.OutletState.OFF)),))
    ),
    "another serial": lambda s: replace(s, ups=replace(s.ups, serial="AS1512T15002")),
    "another firmware": lambda s: replace(s, ups=replace(s.ups, firmware=d.parse_firmware("UPS 09.2 (ID18)"))),
    "another card": lambda s: replace(s, identity=replace(s.identity, serial="ZA16")),
    "another name": lambda s: replace(s, name="other"),
    "no uptime": lambda s: replace(s, uptime_s=None),
    "an uptime that stands still": lambda s: replace(s, uptime_s=1038.0),
    "a load": lambda s: replace(s, ups=replace(s.ups, load_percent=known(3.0))),
    "no mains": lambda s: replace(s, ups=replace(s.ups, input_voltage_v=known(0))),
    "update going on": lambda s: replace(s, ups=replace(s.ups, firmware_update=known(d.FirmwareUpdate.IN_PROCESS))),
}


@pytest.mark.parametrize("what", SPOILS)
def test_one_odd_sample_breaks_the_window(what: str) -> None:
    samples = window(OFF)
    samples[10] = SPOILS[what](samples[10])
    assert failing(judge(samples)) == {"stable"}


# --- what was given -------------------------------------------------------------------------------------------------
def test_file_identity_and_disturbance_each_refuse() -> None:
    bad = Found(False, "bad")
    assert failing(judge(window(OFF), file=bad)) == {"file"}
    assert failing(judge(window(OFF), identity=bad)) == {"identity"}
    assert failing(judge(window(OFF), undisturbed=bad)) == {"undisturbed"}


@pytest.mark.parametrize(
    ("identity", "ok"),
    [
        (card("sumx", "6.5"), True),
        (card("sumx", "6.5.0"), True),
        (card("sumx", "6.4.9"), False),
        (card("sumx", "6.10"), True),
        (card("g2ats", "7.0.8"), False),
        (card("su", "7.0.8"), False),
        (card("su", "1.0.0", "hw21"), True),
        (card("rpdu2g", "2.5.0.6", "hw21"), False),
        (CardIdentity(), False),
    ],
)
def test_the_cards_application(identity: CardIdentity, ok: bool) -> None:
    assert ("card_app" not in failing(judge(window(OFF, identity=identity)))) is ok


GROUPS = tuple(d.OutletGroup(n, None, known(d.OutletState.OFF)) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("count", "rows", "ok"),
    [
        (known(3), GROUPS, True),
        (known(5), GROUPS, False),
        (known(1), (), False),
        (known(0), (), True),
        # More rows than counted are all read, and all off.
        (known(1), GROUPS, True),
        (not_fitted("absent"), (), True),
        (not_fitted("absent"), GROUPS, True),
        (unknown("odd"), (), False),
        (unknown("odd"), GROUPS, False),
    ],
)
def test_a_group_that_was_counted_and_not_read_may_be_on(
    count: Reading[int], rows: tuple[d.OutletGroup, ...], ok: bool
) -> None:
    verdict = judge(window(replace(OFF, outlet_count=count, outlet_groups=rows)))
    assert ("output" not in failing(verdict)) is ok
    # Missing, so it is waited for as any answer that was lost is.
    assert ok or not verdict.contradicted


def test_the_refusal_names_the_version_and_the_menu() -> None:
    verdict = judge(window(replace(OFF, firmware=d.parse_firmware("UPS 04.6 (ID1018)"))))
    assert failing(verdict) == {"updates_allowed", "stable"} and verdict.contradicted
    assert "UPS 04.6 (ID1018)" in verdict.refusal and "Firmware Update Interfaces" in verdict.refusal
    assert "updates_allowed" not in failing(judge(window(replace(OFF, firmware=d.parse_firmware("UPS 15.5 (ID1020)")))))


# --- laws over random readings --------------------------------------------------------------------------------------
def readings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Reading[Any]]:
    return st.one_of(values.map(known), st.just(unknown("odd")), st.just(not_fitted("absent")))


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "outlet_count": readings(st.integers(0, 5)),
    "outlet_groups": st.lists(readings(st.sampled_from(d.OutletState)), max_size=3).map(
        lambda states: tuple(d.OutletGroup(n, None, state) for n, state in enumerate(states, 1))
    ),
    "firmware": st.sampled_from(["UPS 09.1 (ID18)", "UPS 07.9 (ID1010)", "UPS 15.0 (ID18)", "617.3.I"]).map(
        d.parse_firmware
    ),
    "status": readings(st.sampled_from(d.Status)),
    "comm": readings(st.sampled_from(d.UpsComm)),
    "flags": st.tuples(st.sampled_from([(6, 58), (4, 6, 19)]), st.sets(st.integers(1, 64), max_size=2)).map(
        lambda pair: flags(*pair[0], *pair[1])
    ),
    "battery_status": readings(st.sampled_from(d.BatteryStatus)),
    "replace_battery": readings(st.sampled_from(d.YesNo)),
    "self_test": readings(st.sampled_from(d.SelfTest)),
    "calibration": readings(st.sampled_from(d.Calibration)),
    "input_voltage_v": readings(st.integers(0, 300)),
    "output_voltage_v": readings(st.integers(0, 300)),
    "load_percent": readings(st.floats(0, 150)),
    "firmware_update": readings(st.sampled_from(d.FirmwareUpdate)),
}


@st.composite
def changed(draw: Any) -> d.UpsState:
    """A good unit with up to three readings of its own."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=3))
    return replace(draw(st.sampled_from([OFF, ON])), **{name: draw(FIELDS[name]) for name in sorted(names)})


STATES = changed()
FORBIDDEN = (
    "on_battery",
    "low_battery",
    "replace_battery",
    "no_battery",
    "self_test",
    "calibration",
    "shutdown_pending",
)


@settings(max_examples=1500, deadline=None)
@given(STATES, st.booleans())
def test_permitted_only_where_every_rule_of_the_issue_holds(ups: d.UpsState, word: bool) -> None:
    verdict = judge(window(ups), YES if word else NO)
    if not verdict.permitted:
        assert verdict.failing
        return
    assert ups.comm.is_(d.UpsComm.OK) and ups.firmware.version is not None and ups.firmware.version.parts[0] != 15
    assert not any(ups.flags.get(name) is not False for name in FORBIDDEN)
    assert ups.input_voltage_v.known and (ups.input_voltage_v.value or 0) >= 80
    assert ups.replace_battery.is_(d.YesNo.NO) and ups.battery_status.value in (None, d.BatteryStatus.NORMAL)
    assert ups.firmware_update.known
    assert ups.firmware_update.value not in (d.FirmwareUpdate.STARTED, d.FirmwareUpdate.IN_PROCESS)
    off = ups.status.is_(d.Status.OFF) and ups.flags.get("off") is True and ups.flags.get("on") is False
    on = ups.status.is_(d.Status.ON_LINE) and word and ups.firmware.id == 1010 and ups.flags.get("overload") is False
    assert off or on
    if off:
        assert not any(group.state.is_(d.OutletState.ON) for group in ups.outlet_groups)
        assert (ups.outlet_count.or_none() or 0) <= len(ups.outlet_groups)
        assert (ups.load_percent.or_none() or 0) == 0 and (ups.output_voltage_v.or_none() or 0) <= 10


def test_the_random_states_are_often_permitted() -> None:
    """A law about what is permitted would prove little otherwise."""
    seen: list[bool] = []

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(STATES)
    def look(ups: d.UpsState) -> None:
        seen.append(judge(window(ups), YES).permitted)

    look()
    assert 20 < sum(seen) < len(seen) - 20, (sum(seen), len(seen))


@settings(max_examples=300, deadline=None)
@given(STATES)
def test_taking_a_required_reading_away_never_permits(ups: d.UpsState) -> None:
    for name in ("status", "comm", "replace_battery", "input_voltage_v", "firmware_update"):
        assert not judge(window(replace(ups, **{name: unknown("gone")})), YES).permitted
    assert not judge(window(replace(ups, flags=d.Flags())), YES).permitted


@pytest.mark.parametrize("number", sorted(set(d.FLAGS.values()) - {1, 4, 6, 9, 58}))
def test_every_flag_that_is_named_speaks_against_it_with_the_output_off(number: int) -> None:
    assert not judge(window(replace(OFF, flags=flags(6, 58, number))), YES).permitted


@pytest.mark.parametrize("status", [status for status in d.Status if status is not d.Status.OFF])
def test_no_other_status_than_off_without_a_word(status: d.Status) -> None:
    assert not judge(window(replace(OFF, status=known(status))), NO).permitted
    assert not judge(window(replace(ON, status=known(status))), NO).permitted
    assert judge(window(replace(ON, status=known(status))), YES).permitted is (status is d.Status.ON_LINE)
