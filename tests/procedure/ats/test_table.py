# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SAFETY 3's table, row by row, column by column: made false alone, a check refuses, names itself, nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from virtual_situations import Situation, exact, failing, must_end, names, package, situation
from virtual_unit import Device

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import COLUMNS
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwarePackage
from apcsim.knobs import Knobs

SINGLE, NO_LOAD, APP_ONLY, RECOVERY = Method.SINGLE_SOURCE, Method.NO_LOAD, Method.APP_ONLY, Method.RECOVERY
EVERY = (SINGLE, NO_LOAD, APP_ONLY, RECOVERY)
WITH_ATS = (SINGLE, NO_LOAD)
Break = Callable[[Situation], None]


# --- ways to make one check false ---------------------------------------------------------------------------


def shows(**values: Any) -> Break:
    """The unit reports this value, whatever is true; None: it does not answer the object."""

    def act(case: Situation) -> None:
        case.device.fault("override", values=values)

    return act


def options(**changes: Any) -> Break:
    def act(case: Situation) -> None:
        case.options = replace(case.options, **changes)

    return act


def fault(name: str, wait_s: float = 0.0, **params: Any) -> Break:
    def act(case: Situation) -> None:
        case.device.fault(name, **params)
        case.bench.clock.sleep(wait_s)

    return act


def both(*acts: Break) -> Break:
    def act(case: Situation) -> None:
        for one in acts:
            one(case)

    return act


def gives(given: Any, **changes: Any) -> Break:
    """Another package."""

    def act(case: Situation) -> None:
        case.bench.package, case.bench.contents = given() if callable(given) else given
        case.options = replace(case.options, **changes)

    return act


def part(kind: str) -> Any:
    found, contents = package()
    kept = tuple(file for file in found.modules if file.kind == kind)
    return FirmwarePackage(kept, "test"), contents


def without(what: str) -> Break:
    def act(case: Situation) -> None:
        kept = tuple(item for item in case.options.confirmations if item.what != what)
        assert len(kept) < len(case.options.confirmations)
        case.options = replace(case.options, confirmations=kept)

    return act


def unconfirmed(case: Situation) -> None:
    case.options = replace(case.options, confirmations=())


def unsaid(case: Situation) -> None:
    """The promise is given, and nobody says the deed."""
    case.bench.speaks = False
    promises = tuple(
        item for item in case.options.confirmations if item.what not in ("secondary_disconnected", "no_load")
    )
    assert any(item.what.startswith("will_") for item in promises)
    case.options = replace(case.options, confirmations=promises)


def unpromised(case: Situation) -> None:
    """The deed is given beforehand, by the letter; what it keeps to was never promised."""
    word = {SINGLE: "secondary_disconnected", APP_ONLY: "secondary_disconnected"}.get(case.options.method, "no_load")
    stated = case.bench.confirm(word, stamp=exact(case.bench))
    kept = (*case.options.confirmations, *stated)
    case.options = replace(
        case.options, confirmations=tuple(item for item in kept if not item.what.startswith("will_"))
    )


def wrong_checksum(case: Situation) -> None:
    name = case.bench.package.app.file
    case.options = replace(case.options, checksums={name: "0" * 64})


def crossed(case: Situation) -> None:
    """FTP reaches a twin: same model, same versions, other serial, name and address."""
    other = Device.load(
        case.device.device.name,
        serial="5A1511T99999",
        name="ats-rack-99",
        address="192.0.2.99",
        start=case.device.start,
    )
    other.card.aos, other.card.aos_file = case.device.card.aos, case.device.card.aos_file
    other.advance(case.bench.clock.now())
    case.bench.ftp_device = other
    case.bench.clock.units.append(other)


def nameless(case: Situation) -> None:
    """Nothing unique is read by both protocols: a factory name, no address, no serial in any file."""
    case.device.patch({"name": "APC"})
    own = case.device.address
    case.device.fault("override", values={f"1.3.6.1.2.1.4.20.1.1.{own}": None})
    case.bench.clock.sleep(5.0)


def restarted(case: Situation) -> None:
    """The card restarted by itself a moment ago, and the run does not wait long enough."""
    case.device.fault("card_restarts")
    case.bench.clock.sleep(110.0)
    case.options = replace(case.options, controller_timeout_s=60.0)


def download_row(case: Situation) -> None:
    case.device.log_ats("download_begun")
    case.options = replace(case.options, controller_timeout_s=60.0)


def sixteen_hours_up(case: Situation) -> None:
    case.bench.clock.sleep(86400.0)
    stamp = exact(case.bench)
    given = case.bench.confirm("no_load", "power_cycled", "one_input", stamp=stamp)
    case.options = replace(case.options, confirmations=given)


def stale_agent(case: Situation) -> None:
    case.device.fault("frozen", oids=["uptime"])


def flapping(field: str, one: Any, other: Any, every_s: float = 8.0) -> Break:
    def act(case: Situation) -> None:
        state = {"next": 0.0, "now": one}

        def flip(now: float) -> None:
            if now >= state["next"]:
                state["next"] = now + every_s
                state["now"] = other if state["now"] == one else one
                case.device.faults.end("override")
                case.device.fault("override", values={field: state["now"]})

        case.bench.clock.on_sleep.append(flip)
        case.options = replace(case.options, controller_timeout_s=120.0)

    return act


def gaps(every_s: float = 20.0, silent_s: float = 7.0) -> Break:
    def act(case: Situation) -> None:
        state = {"next": case.bench.clock.now() + 12.0}

        def drop(now: float) -> None:
            if now >= state["next"]:
                state["next"] = now + every_s
                case.device.fault("no_answer", for_s=silent_s)

        case.bench.clock.on_sleep.append(drop)
        case.options = replace(case.options, controller_timeout_s=120.0)

    return act


def app_only_letter(letter: str) -> Break:
    """sysDescr names the app and shows this status."""

    def act(case: Situation) -> None:
        text = case.device.card.sys_descr.replace("MN:", "AF1:v3.7.1 AN1:apc_hw02_g2ats_371.bin MN:")
        case.device.fault("override", values={"sys_descr": f"{text} P+ N+ {letter}".rstrip()})

    return act


OLD = both(lambda case: None, gives(lambda: package("372", "g2ats:370")))

# check, the columns, how it is made false
ROWS: list[tuple[str, tuple[Method, ...], str, Break]] = [
    # identity
    ("identity", EVERY, "crossed with a twin", crossed),
    ("identity", EVERY, "nothing unique", nameless),
    ("identity", WITH_ATS, "card and ATS name two models", shows(model="AP7723")),
    ("identity", (RECOVERY,), "card and ATS name two models", shows(model="AP7724")),
    # package
    ("package", EVERY, "no app", gives(lambda: part("aos"))),
    ("package", EVERY, "no AOS", gives(lambda: part("app"))),
    ("package", EVERY, "hardware", gives(lambda: package(hardware="hw05"))),
    ("package", EVERY, "app of another device", gives(lambda: package(app="rpdu:392"))),
    ("package", EVERY, "app of the AP44xx", gives(lambda: package(app="ats4g:392"))),
    ("package", EVERY, "checksum", wrong_checksum),
    ("package", EVERY, "downgrade", OLD),
    # controller_comm
    ("controller_comm", WITH_ATS, "never discovered", shows(comm=1)),
    ("controller_comm", WITH_ATS, "lost", shows(comm=3)),
    ("controller_comm", WITH_ATS, "really lost", fault("communication_lost")),
    ("controller_comm", (RECOVERY,), "established", shows(comm=2)),
    # controller_quiet
    ("controller_quiet", (*WITH_ATS, RECOVERY), "card restarted", restarted),
    ("controller_quiet", (*WITH_ATS, RECOVERY), "download in the log", download_row),
    ("controller_quiet", (*WITH_ATS, RECOVERY), "log unreadable", fault("files_unreadable", names=["event.txt"])),
    # no_app_answers
    ("no_app_answers", (APP_ONLY,), "one ATS object answers", shows(**{"1.3.6.1.4.1.318.1.1.8.1.5.0": "AP7724"})),
    ("no_app_answers", (APP_ONLY,), "not the package's AOS", gives(lambda: package("393", "g2ats:393"))),
    ("no_app_answers", (APP_ONLY,), "app starting", app_only_letter("A?")),
    ("no_app_answers", (APP_ONLY,), "app named, no status", app_only_letter("")),
    ("no_app_answers", (APP_ONLY,), "app named, running", app_only_letter("A+")),
    ("no_app_answers", (APP_ONLY,), "card restarted", restarted),
    # switch_healthy
    ("switch_healthy", WITH_ATS, "switch", shows(switch=1)),
    ("switch_healthy", WITH_ATS, "total overload", shows(bank_total_state=4)),
    ("switch_healthy", WITH_ATS, "bank 2 overload", shows(**{"1.3.6.1.4.1.318.1.1.8.5.4.5.1.5.3": 4})),
    ("switch_healthy", WITH_ATS, "phase overload", shows(phase_state=4)),
    ("switch_healthy", WITH_ATS, "5 V", shows(supply_5v=1)),
    ("switch_healthy", WITH_ATS, "12 V", shows(supply_12v=1)),
    ("switch_healthy", WITH_ATS, "-12 V", shows(supply_minus_12v=1)),
    ("switch_healthy", WITH_ATS, "3.3 V", shows(**{"1.3.6.1.4.1.318.1.1.8.5.1.17.0": 1})),
    ("switch_healthy", WITH_ATS, "primary's own 24 V", shows(supply_24v_b=1)),
    (
        "switch_healthy", WITH_ATS, "over-current, no bank state",
        shows(over_current=1, **{f"1.3.6.1.4.1.318.1.1.8.5.4.5.1.5.{n}": None for n in (1, 2, 3)}),
    ),
    ("switch_healthy", (SINGLE,), "current above the limit", shows(current_limit=5)),
    # primary_healthy
    ("primary_healthy", (SINGLE,), "status", shows(source_b=1)),
    ("primary_healthy", (SINGLE,), "too low", shows(voltage_b=206)),
    ("primary_healthy", (SINGLE,), "too high", shows(voltage_b=254)),
    ("primary_healthy", (SINGLE,), "outside the narrow range", shows(transfer_range=3, voltage_b=213)),
    ("primary_healthy", (SINGLE,), "outside the nominal's", shows(line_vrms=-1, voltage_b=206)),
    ("primary_healthy", (SINGLE,), "outside the model's", shows(line_vrms=-1, nominal_v=-1, voltage_b=206)),
    # primary_selected
    ("primary_selected", (SINGLE,), "selected", shows(selected=1)),
    ("primary_selected", (SINGLE,), "preferred", shows(preferred=1)),
    # secondary_dead
    ("secondary_dead", (SINGLE,), "status ok", shows(source_a=2)),
    ("secondary_dead", (SINGLE,), "10 %", shows(voltage_a=23)),
    ("secondary_dead", (SINGLE,), "half", shows(voltage_a=115)),
    ("secondary_dead", (SINGLE,), "full", shows(voltage_a=216)),
    ("secondary_dead", (SINGLE,), "no voltage, frequency alive", shows(voltage_a=-1, frequency_a=50)),
    ("secondary_dead", (SINGLE,), "no voltage, supply alive", shows(voltage_a=-1, supply_24v_a=2)),
    ("secondary_dead", (SINGLE,), "no voltage, supply not known", shows(voltage_a=-1, supply_24v_a=47)),
    ("secondary_dead", (SINGLE,), "no row, supply alive", shows(voltage_a=None, supply_24v_a=2)),
    ("secondary_dead", (SINGLE,), "no voltage, frequency not known", shows(voltage_a=-1, frequency_a="ok")),
    # redundancy_lost
    ("redundancy_lost", (SINGLE,), "fully redundant", shows(redundancy=2)),
    # words
    ("promised", EVERY, "no word", unconfirmed),
    ("promised", EVERY, "a deed alone", unpromised),
    ("disconnected_confirmed", (SINGLE, APP_ONLY), "not said", unsaid),
    ("no_load_confirmed", (NO_LOAD, RECOVERY), "not said", unsaid),
    ("disconnected_confirmed", (SINGLE,), "not given", unconfirmed),
    ("disconnected_confirmed", (APP_ONLY,), "not given", unconfirmed),
    ("no_load_confirmed", (NO_LOAD,), "not given", unconfirmed),
    ("no_load_confirmed", (APP_ONLY,), "not given", unconfirmed),
    ("no_load_confirmed", (RECOVERY,), "not given", unconfirmed),
    ("cold_start_confirmed", (RECOVERY,), "power_cycled not given", without("power_cycled")),
    ("cold_start_confirmed", (RECOVERY,), "one_input not given", without("one_input")),
    ("cold_start_confirmed", (RECOVERY,), "uptime over 24 h", sixteen_hours_up),
    # load_zero
    ("load_zero", (NO_LOAD,), "total", shows(bank_total=1)),
    ("load_zero", (NO_LOAD,), "bank 1", shows(bank_1=4)),
    ("load_zero", (NO_LOAD,), "bank 2", shows(bank_2=4)),
    ("load_zero", (NO_LOAD,), "VA alone", shows(bank_total_va=12)),
    ("load_zero", (NO_LOAD,), "W alone", shows(**{"1.3.6.1.4.1.318.1.1.8.5.4.5.1.15.2": 12})),
    ("load_zero", (NO_LOAD,), "a phase row too", shows(phase_current=3)),
    ("load_zero", (NO_LOAD,), "bank row 3 absent", shows(bank_2=None)),
    ("load_zero", (NO_LOAD,), "bank row 1 -1", shows(bank_total=-1)),
    ("load_zero", (NO_LOAD,), "bank row absurd", shows(bank_1=99999)),
    ("load_zero", (NO_LOAD,), "more rows than shown", shows(**{"1.3.6.1.4.1.318.1.1.8.5.4.4.0": 4})),
    ("load_zero", (NO_LOAD,), "neither banks nor phases", fault("snmp_missing", oids=["1.3.6.1.4.1.318.1.1.8.5.4"])),
    ("load_zero", (RECOVERY,), "a load", shows(phase_current=3)),
    ("load_zero", (RECOVERY,), "VA alone", shows(phase_va=70)),
    # stable
    ("stable", EVERY, "uptime does not advance", stale_agent),
    ("stable", EVERY, "answers missing", gaps()),
    ("stable", (SINGLE,), "selected flaps", flapping("selected", 2, 1)),
    ("stable", (SINGLE,), "source flaps", flapping("source_a", 1, 2)),
    ("stable", (*WITH_ATS, RECOVERY), "switch flaps", flapping("switch", 2, -1)),
    # nothing else may have happened to the unit
    ("undisturbed", EVERY, "somebody at the web", lambda case: case.device.fault("web_login", after_s=20.0)),
]  # fmt: skip

IN_TURN = [
    pytest.param(check, method, act, id=f"{method.value}-{check}-{how}".replace(" ", "_"))
    for check, methods, how, act in ROWS
    for method in methods
]


@pytest.mark.parametrize("method", EVERY)
def test_the_situation_itself_is_permitted(method: Method, tmp_path: Path) -> None:
    """Without this, every refusal below could have another cause."""
    case = situation(method, tmp_path)
    report = case.run()
    assert "error" not in report
    truth = case.device.truth()
    assert truth["files_received"][-1]["complete"] and truth["files_received"][-1]["name"].endswith("g2ats_392.bin")
    assert not truth["load_dropped"] and not truth["damaged"] and not truth["violations"]
    assert truth["controller"]["revision"] == "3.0.7"


@pytest.mark.parametrize(("check", "method", "act"), IN_TURN)
def test_a_row_made_false_alone_refuses(check: str, method: Method, act: Break, tmp_path: Path) -> None:
    case = situation(method, tmp_path)
    act(case)
    must_end(case.bench, 7200.0)
    report = case.run()
    assert report["error"]["kind"] in ("refused", "package", "identity"), report["error"]
    assert names(report, check), (report["error"], failing(report))
    assert case.received_nothing()
    assert report["next_action"] and "you may disconnect" not in report["next_action"]
    assert report["evidence"]["path"] and not case.device.truth()["load_dropped"]


def test_every_row_and_column_is_made_false() -> None:
    done = {(method, check) for check, methods, _how, _act in ROWS for method in methods}
    for method, columns in COLUMNS.items():
        for check in columns:
            if check == "either_confirmed":
                continue
            if check == "covered":
                continue  # test_refusals
            assert (method, check) in done, f"{method.value}: {check} was never made false"


# --- required readings that are not known -------------------------------------------------------------------

REQUIRED: dict[Method, dict[str, str]] = {
    SINGLE: {
        "comm": "controller_comm",
        "selected": "primary_selected",
        "redundancy": "redundancy_lost",
        "switch": "switch_healthy",
        "source_a": "secondary_dead",
        "source_b": "primary_healthy",
        "voltage_b": "primary_healthy",
        "voltage_a": "secondary_dead",
    },
    NO_LOAD: {
        "comm": "controller_comm",
        "switch": "switch_healthy",
        "bank_total": "load_zero",
        "bank_1": "load_zero",
        "bank_2": "load_zero",
    },
    RECOVERY: {"comm": "controller_comm"},
}
DOUBTS: dict[str, Any] = {"missing": None, "minus one": -1, "out of the enum": 47, "zero": 0, "text": "ok"}


def _doubts() -> list[Any]:
    found = []
    for method, fields in REQUIRED.items():
        for field, check in fields.items():
            # For a measured value 0 and 47 are values; what they mean is in the rows above.
            measured = field.startswith(("voltage", "bank"))
            doubts = DOUBTS | ({"zero": -7, "out of the enum": 10**8} if measured else {})
            for how, value in doubts.items():
                found.append(
                    pytest.param(method, field, value, check, id=f"{method.value}-{field}-{how}".replace(" ", "_"))
                )
    return found


@pytest.mark.parametrize(("method", "field", "value", "check"), _doubts())
def test_a_required_reading_must_be_known(method: Method, field: str, value: Any, check: str, tmp_path: Path) -> None:
    case = situation(method, tmp_path)
    # The voltage of a dead source may be gone where its frequency and its own 24 V supply are too (the rows above).
    beside = {"supply_24v_a": 2} if field == "voltage_a" else {}
    case.device.fault("override", values={field: value, **beside})
    report = case.run()
    assert report["error"]["kind"] == "refused", report["error"]
    assert names(report, check), (report["error"], failing(report))
    assert case.received_nothing()


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize(
    "act",
    [
        pytest.param(fault("no_answer"), id="silent"),
        pytest.param(fault("slow", latency_s=2.5), id="slower than the time-out"),
        pytest.param(both(fault("slow", latency_s=0.95)), id="slow"),
    ],
)
def test_a_silent_unit_is_never_sent_anything(method: Method, act: Break, tmp_path: Path) -> None:
    case = situation(method, tmp_path)
    act(case)
    report = case.run()
    if "error" in report:
        assert report["error"]["kind"] in ("timeout", "refused", "transfer", "state")
    silent = "no_answer" in case.device.truth()["faults"] or case.device.snmp_latency_s > 2
    assert not silent or case.received_nothing()
    assert not case.device.truth()["load_dropped"]


# --- what is not fitted does not refuse ---------------------------------------------------------------------

S = "1.3.6.1.4.1.318.1.1.8.5.1"
NOT_FITTED: list[tuple[str, tuple[Method, ...], dict[str, Any]]] = [
    ("supplies 0", WITH_ATS, {"supply_5v": 0, "supply_12v": 0, "supply_minus_12v": 0}),
    ("supplies -1", WITH_ATS, {"supply_5v": -1, "supply_12v": -1, "supply_minus_12v": -1}),
    ("supplies absent", WITH_ATS, {"supply_5v": None, "supply_12v": None, "supply_minus_12v": None}),
    ("24 V supplies 0", WITH_ATS, {"supply_24v_a": 0, "supply_24v_b": 0}),
    ("24 V supplies absent", WITH_ATS, {"supply_24v_a": None, "supply_24v_b": None}),
    ("supplies of the AP44xx 0", WITH_ATS, {f"{S}.{n}.0": 0 for n in (17, 18, 19, 20)}),
    ("fuses -1", WITH_ATS, {f"{S}.{n}.0": -1 for n in (21, 22)}),
    ("over-current absent", WITH_ATS, {"over_current": None}),
    ("over-current -1", WITH_ATS, {"over_current": -1}),
    ("over-current 1 with normal banks", WITH_ATS, {"over_current": 1}),
    ("phase sync absent", WITH_ATS, {"phase_sync": None}),
    ("phase sync -1", WITH_ATS, {"phase_sync": -1}),
    ("phase out of sync", WITH_ATS, {"phase_sync": 2}),
    ("display absent", WITH_ATS, {"hardware": None}),
    ("display -1", WITH_ATS, {"hardware": -1}),
    ("output fail alone", WITH_ATS, {"output": 1}),
    ("output absent", WITH_ATS, {"output": None}),
    ("front panel absent", WITH_ATS, {"front_panel": None}),
    ("sensitivity -1", WITH_ATS, {"sensitivity": -1}),
    ("line Vrms absent", WITH_ATS, {"line_vrms": None}),
    ("no reference but the model's", WITH_ATS, {"line_vrms": -1, "nominal_v": -1}),
    ("range absent", WITH_ATS, {"transfer_range": None}),
    ("current limit -1", WITH_ATS, {"current_limit": -1}),
    ("bank states -1", WITH_ATS, {f"1.3.6.1.4.1.318.1.1.8.5.4.5.1.5.{n}": -1 for n in (1, 2, 3)}),
    ("VA -1", WITH_ATS, {f"1.3.6.1.4.1.318.1.1.8.5.4.5.1.{c}.{n}": -1 for c in (9, 15) for n in (1, 2, 3)}),
    ("frequencies -1", WITH_ATS, {"frequency_a": -1, "frequency_b": -1}),
    ("serial of the ATS absent, the card's serves", WITH_ATS, {"serial": None}),
    ("model of the ATS absent", WITH_ATS, {"model": None}),
    ("last transfer absent", EVERY, {"last_transfer": None}),
    ("revision absent", WITH_ATS, {"revision": None}),
    ("preferred not fitted", (SINGLE,), {"preferred": -1}),
    ("voltage just below 10 %", (SINGLE,), {"voltage_a": 22}),
    ("no voltage of a dead source, frequency and 24 V dead", (SINGLE,), {"voltage_a": -1}),
    ("voltage of a dead source gone, frequency and 24 V dead", (SINGLE,), {"voltage_a": None}),
    ("no voltage row of a dead source, supply 0", (SINGLE,), {"voltage_a": None, "supply_24v_a": 0}),
    ("no voltage of a dead source, no frequency either", (SINGLE,), {"voltage_a": -1, "frequency_a": None}),
    ("the dead source's own 24 V", (SINGLE,), {"supply_24v_a": 1}),
    ("not asked for in no_load", (NO_LOAD,), {"redundancy": -1, "selected": -1, "source_a": -1, "voltage_a": None}),
    ("one feed out, its own 24 V", (NO_LOAD,), {"source_a": 1, "voltage_a": 0, "redundancy": 1, "supply_24v_a": 1}),
    ("a load not known", (RECOVERY,), {"phase_current": None, "phase_va": -1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "values"),
    [
        pytest.param(method, values, id=f"{method.value}-{what}".replace(" ", "_"))
        for what, methods, values in NOT_FITTED
        for method in methods
    ],
)
def test_what_is_not_fitted_does_not_refuse(method: Method, values: dict[str, Any], tmp_path: Path) -> None:
    case = situation(method, tmp_path)
    case.device.fault("override", values=values)
    report = case.run("isolate")
    assert "error" not in report, report["error"]
    assert report["interlock"]["permitted"]


@pytest.mark.parametrize(
    "knobs",
    [
        Knobs(over_current="state"),
        Knobs(internal_supplies="zero"),
        Knobs(internal_supplies="absent"),
        Knobs(dead_voltage="ghost", ghost_v=14),
        Knobs(dead_frequency="absent"),
        Knobs(dead_supply_24v=2),
        Knobs(banner_has_model=False),
        Knobs(last_transfer_updates=False),
        Knobs(card_sn="junk"),
        Knobs(card_sn="absent"),
        Knobs(event_layout="labelled"),
        Knobs(event_layout="joined"),
        Knobs(voltage_jitter_v=1.5),
        Knobs(max_varbinds=12),
        Knobs(ats_lag_s=15),
        Knobs(phase_shift_deg=120),
        Knobs(clock_offset_s=-86400.0 * 7000),
    ],
    ids=lambda knobs: next(
        (f"{name}={getattr(knobs, name)}" for name in Knobs.names() if getattr(knobs, name) != getattr(Knobs(), name)),
        "",
    ),
)
def test_other_lawful_devices_are_upgraded(knobs: Knobs, tmp_path: Path) -> None:
    case = situation(SINGLE, tmp_path, knobs)
    report = case.run("isolate")
    assert "error" not in report, report["error"]


def test_a_twin_is_told_apart_although_its_banner_contradicts_nothing(tmp_path: Path) -> None:
    case = situation(SINGLE, tmp_path, Knobs(banner_has_model=False))
    crossed(case)
    report = case.run()
    assert names(report, "identity") and case.received_nothing()
    assert case.bench.ftp_device.truth()["bytes_received"] == 0
