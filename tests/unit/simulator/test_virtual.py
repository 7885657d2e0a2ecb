# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual adapters, the moments of faults, and the judge of plugs."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta

import pytest

from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import effort
from apcsim import Knobs, Unit, build_module
from apcsim.fields import FIELDS
from apcsim.virtual import (
    VirtualClock,
    VirtualError,
    VirtualSnmp,
    VirtualTooBig,
    twin,
    virtual_open_ftp,
)

AOS, APP = "apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"
APP_DATA = build_module("hw02", "g2ats", "392", "3.0.7", 20_000)
AOS_DATA = build_module("hw02", "aos", "392", "", 20_000)


CUT = RuntimeError("not now")


class Hooks:
    def __init__(self, rig=None, cut_at=None, cut_last=False, cut_first=0):
        self.rig, self.cut_at, self.cut_last, self.cut_first = rig, cut_at, cut_last, cut_first
        self.idles, self.sents, self.lasts, self.firsts = [], [], [], []

    def first_byte(self):
        self.firsts.append(self.rig.unit.now if self.rig else 0)
        if len(self.firsts) == self.cut_first:
            raise CUT

    def idle(self):
        self.idles.append(self.rig.unit.now if self.rig else 0)

    def sent(self, done, total):
        self.sents.append(done)
        if self.cut_at is not None and done >= self.cut_at:
            raise RuntimeError("cut")

    def last_block(self, done, total):
        self.lasts.append((done, total))
        if self.cut_last:
            raise RuntimeError("held")


def opened(rig):
    return virtual_open_ftp(rig.clock, rig.unit)("h", 21, "apc", "apc", 10, lambda: None)


def test_clock(bench):
    rig = bench()
    start = rig.clock.wall()
    rig.clock.sleep(90)
    assert rig.clock.now() == 90 and rig.clock.wall() - start == timedelta(seconds=90)
    assert start.tzinfo is not None and rig.clock.factor == 1.0
    rig.clock.sleep(-5)
    assert rig.clock.now() == 90


def test_exchange(bench):
    rig = bench()
    asked = [FIELDS["sys_descr"][:-1], FIELDS["uptime"][:-1], (1, 4)]
    answers = rig.snmp.exchange(asked)
    assert answers[0][0] == FIELDS["sys_descr"] and answers[2] is None
    assert rig.clock.now() == pytest.approx(0.02) and rig.snmp.requests == 1 and rig.snmp.bytes_received > 0


@pytest.mark.parametrize("fault, params", [("no_answer", {}), ("slow", {"latency_s": 5}), ("card_restarts", {})])
def test_no_answer_costs_the_timeouts(bench, fault, params):
    rig = bench()
    rig.unit.fault(fault, **params)
    with pytest.raises(VirtualError) as silent:
        rig.snmp.exchange([(1, 3)])
    assert silent.value.kind == "timeout" and rig.clock.now() == pytest.approx(4.0) and rig.snmp.requests == 2


def test_wrong_community_lossy_and_too_big(bench):
    rig = bench(max_varbinds=12)
    with pytest.raises(VirtualError):
        VirtualSnmp(rig.clock, rig.unit, community="secret").exchange([(1, 3)])
    with pytest.raises(VirtualTooBig):
        rig.snmp.exchange([(1, 3)] * 13)
    assert len(rig.snmp.exchange([(1, 3)] * 12)) == 12
    rig.unit.fault("lossy", every=2)
    before = rig.snmp.requests
    for _unused in range(4):
        rig.snmp.exchange([(1, 3)])
    assert rig.snmp.requests - before > 4


def test_store_by_blocks_at_the_rate_of_the_card(bench):
    rig = bench()
    rig.plug("A", False)
    login = opened(rig)
    assert login.banner.startswith("220 AP7724 ")
    hooks, start = Hooks(rig), rig.unit.now
    login.store(APP, APP_DATA, hooks)
    login.close()
    assert hooks.sents == [*range(512, 20000, 512), 20000] and hooks.lasts == [(19968, 20000)]
    assert hooks.firsts == [start, pytest.approx(start + 0.5)]
    assert rig.unit.now - start == pytest.approx(0.5 + 20000 / 2500)
    gaps = [b - a for a, b in zip(hooks.idles, hooks.idles[1:], strict=False)]
    assert gaps and max(gaps) <= 0.7
    rig.later(400)
    assert rig.truth["card"]["app"] == "3.9.2" and rig.truth["files_received"][0]["size"] == 20000


@pytest.mark.parametrize("hooks", [{"cut_at": 5000}, {"cut_last": True}])
def test_a_hook_that_raises_cuts_and_nothing_is_installed(bench, hooks):
    rig = bench()
    login = opened(rig)
    with pytest.raises(RuntimeError):
        login.store(APP, APP_DATA, Hooks(**hooks))
    assert rig.truth["bytes_received"] == (5120 if "cut_at" in hooks else 19968)
    rig.later(300)
    assert rig.truth["card"]["app"] == "3.7.1" and rig.truth["restarts"] == []


@pytest.mark.parametrize("call", [1, 2])
def test_a_first_byte_that_raises_sends_nothing(bench, call):
    rig = bench()
    login, hooks = opened(rig), Hooks(rig, cut_first=call)
    with pytest.raises(RuntimeError) as cut:
        login.store(APP, APP_DATA, hooks)
    assert cut.value is CUT and len(hooks.firsts) == call and hooks.sents == hooks.lasts == []
    assert rig.truth["bytes_received"] == 0 and rig.truth["sessions_open"] == 0
    assert [transfer["outcome"] for transfer in rig.truth["transfers"]] == ["cut"][: call - 1]
    rig.later(300)
    assert rig.truth["card"]["app"] == "3.7.1" and rig.truth["restarts"] == []


@pytest.mark.parametrize("of", ["opener", "login"])
def test_a_card_that_agrees_late(bench, of):
    rig = bench()
    connect = virtual_open_ftp(rig.clock, rig.unit)
    if of == "opener":
        connect.open_delay_s = 20
    login, hooks = connect(), Hooks(rig)
    if of == "login":
        login.open_delay_s = 20
    login.store(AOS, AOS_DATA, hooks, stall_s=300)
    before, after = hooks.firsts
    transfer = rig.truth["transfers"][0]
    assert after - before == pytest.approx(20) and transfer["started_s"] == pytest.approx(before, abs=0.001)
    assert transfer["installed"] and login.stall_s == 300
    calls = [before, *(at for at in hooks.idles if before < at <= after), after]
    assert max(b - a for a, b in itertools.pairwise(calls)) <= 0.5


def test_a_card_that_goes_down_before_it_agrees(bench):
    rig = bench()
    login, hooks = opened(rig), Hooks(rig)
    login.open_delay_s = 20
    rig.unit.fault("card_restarts", after_s=10)
    with pytest.raises(VirtualError) as lost:
        login.store(AOS, AOS_DATA, hooks)
    assert lost.value.kind == "transfer" and rig.truth["bytes_received"] == 0


def test_login_errors_have_kinds(bench):
    rig = bench()
    connect = virtual_open_ftp(rig.clock, rig.unit)
    kinds = []

    def attempt(**arguments):
        with pytest.raises(VirtualError) as refused:
            connect(**arguments)
        kinds.append(refused.value.kind)

    attempt(password="wrong")
    login = connect()
    attempt()
    login.close()
    rig.unit.fault("ftp_refused")
    attempt()
    rig.unit.clear_faults()
    rig.unit.fault("card_restarts")
    attempt()
    assert kinds == ["auth", "busy", "transfer", "transfer"]


def test_fetch(bench):
    rig = bench()
    login = opened(rig)
    assert b"Cold start" in login.fetch("event.txt") and len(login.fetch("event.txt", 10)) == 10
    with pytest.raises(VirtualError):
        login.fetch("nothing.txt")
    rig.unit.fault("files_unreadable", names=["event.txt"])
    with pytest.raises(VirtualError):
        login.fetch("event.txt")
    assert login.fetch("config.ini")
    rig.unit.fault("card_restarts")
    with pytest.raises(VirtualError):
        login.fetch("config.ini")


def test_twin():
    one, other = Unit.load("ap7724"), Unit.load("ap7724", serial="5A1511T00002", name="other", address="192.0.2.11")
    clock, snmp, connect = twin(one, other)
    login = connect()
    assert b"other" in login.fetch("event.txt") and other.now == one.now == clock.now()
    assert snmp.exchange([FIELDS["sys_name"][:-1]])[0][1] == b"ats-rack-04"


# --- moments ---


@pytest.mark.parametrize("module, at_byte", [("aos", 0), ("aos", 1), ("aos", 10000), ("app", 0), ("app", 19999)])
def test_source_returns_at_a_byte(bench, module, at_byte):
    rig = bench()
    rig.feed("A", 0)
    rig.unit.fault("source_returns", input="A", at_byte=at_byte, module=module)
    login = opened(rig)
    other = (APP, APP_DATA) if module == "aos" else (AOS, AOS_DATA)
    login.store(*other, Hooks())
    rig.later(600)
    assert not rig.truth["inputs"]["A"]["live"], "waits for its module"
    login = opened(rig)
    login.store(*((AOS, AOS_DATA) if module == "aos" else (APP, APP_DATA)), Hooks())
    note = next(entry for entry in rig.truth["events"] if entry["what"] == "fault source_returns")
    transfer = rig.truth["transfers"][1]
    assert note["time_s"] - transfer["started_s"] == pytest.approx(0.5 + at_byte // 512 * 512 / 2500, abs=0.01)
    kinds = {entry["what"] for entry in rig.truth["violations"]}
    if at_byte == 0:
        assert f"first_byte_{module}" in kinds
    else:
        assert f"first_byte_{module}" not in kinds and f"byte_{module}" in kinds
    assert f"restart_{module}" in kinds


@pytest.mark.parametrize("on, after_s", [("card_down", 10), ("card_up", 0), ("comm_up", 30), ("download_begun", 5)])
def test_source_returns_on_an_event(bench, on, after_s):
    rig = bench()
    rig.plug("A", False)
    rig.unit.fault("source_returns", on=on, after_s=after_s)
    rig.send("g2ats", "392")
    rig.later(600)
    truth = rig.truth
    assert truth["inputs"]["A"]["live"] and truth["damaged"] and truth["load_dropped"]
    assert truth["violations"] == [], "the world did it, not a transfer"


@pytest.mark.parametrize("at_byte", [0, 700, 20000])
def test_transfer_cut(bench, at_byte):
    rig = bench()
    rig.unit.fault("transfer_cut", at_byte=at_byte, module="aos")
    with pytest.raises(VirtualError) as cut:
        opened(rig).store(AOS, AOS_DATA, Hooks())
    assert cut.value.kind == "transfer" and rig.truth["bytes_received"] == at_byte
    assert rig.truth["restarts"] == [] and rig.truth["transfers"][0]["outcome"] == "cut"


def test_at_and_for(bench):
    rig = bench()
    rig.unit.fault("no_answer", after_s=10, for_s=5)
    rig.unit.fault("source_fails", input="A", at_s=20)
    states = []
    for _unused in range(5):
        rig.later(4)
        states.append(rig.unit.snmp_up)
    assert states == [True, True, False, True, True]
    assert not rig.truth["inputs"]["A"]["live"]


def test_cleared_faults_do_not_come(bench):
    rig = bench()
    rig.unit.fault("source_fails", input="A", after_s=10)
    rig.unit.fault("no_answer", on="login")
    rig.unit.clear_faults()
    rig.unit.login("apc", "apc")
    rig.later(20)
    assert rig.truth["inputs"]["A"]["live"] and rig.unit.snmp_up


def test_violation_when_a_module_is_sent_with_both_live(bench):
    rig = bench()
    opened(rig).store(AOS, AOS_DATA, Hooks())
    assert [entry["what"] for entry in rig.truth["violations"]] == ["first_byte_aos", "byte_aos", "restart_aos"]
    for safe in ({"load_current_a": 0}, {"inputs": {"A": {"plugged": False}}}):
        other = bench()
        other.unit.patch(safe)
        opened(other).store(AOS, AOS_DATA, Hooks())
        assert other.truth["violations"] == []


# --- the judge ---


def history(seed):
    """A run of an app transfer, isolated, with everything drawn; returns the rig just before the plug is touched."""
    rng = random.Random(seed)
    unit = Unit.load("ap7724", knobs=Knobs.random(rng, network_quiet=False, bundled_newer=False), seed=seed)
    clock = VirtualClock(unit)
    pulled = rng.choice(["A", "B"])
    unit.patch({"preferred_source": rng.choice(["A", "B", "none"]), "load_current_a": rng.choice([0, 8.8, 8.8])})
    clock.sleep(rng.uniform(61, 90))  # a return, and 30 s after it
    unit.patch({"inputs": {pulled: {"plugged": False}}})
    clock.sleep(rng.uniform(31, 60))
    if rng.random() < 0.8:
        if rng.random() < 0.2:
            unit.fault("controller_download_fails")
        session = unit.login("apc", "apc")
        store = session.store(APP)
        store.write(APP_DATA)
        store.finish()
    clock.sleep(rng.uniform(0, 450))
    return clock, unit, pulled, rng


def harmed(unit):
    return unit.power.damaged or unit.power.load_dropped


@pytest.mark.parametrize("seed", range(150))
def test_plug_judge_agrees_with_what_then_happens(seed):
    clock, unit, pulled, _unused = history(seed)
    assert not harmed(unit), "a single source is fine"
    said = unit.oracle_plug_ok(pulled)
    unit.patch({"inputs": {pulled: {"plugged": True}}})
    boots = unit.card.boots
    clock.sleep(2700)
    assert unit.card.boots <= boots + 1 + len(unit.knobs.restarts_after_app)
    if said:
        assert not harmed(unit)
    else:
        # where it says no, harm is real but for an attempt that fails without moving the relays
        assert unit.power.damaged or not unit.knobs.failed_attempt_chatters


def test_the_plug_judge_says_both(bench):
    words = [unit.oracle_plug_ok(pulled) for _unused, unit, pulled, _unused in map(history, range(150))]
    assert min(words.count(True), words.count(False)) > 20


@pytest.mark.parametrize("seed", range(150))
def test_unplug_judge_agrees_with_what_then_happens(seed):
    clock, unit, pulled, rng = history(seed)
    if rng.random() < 0.5 and unit.oracle_plug_ok(pulled):
        unit.patch({"inputs": {pulled: {"plugged": True}}})
        clock.sleep(rng.uniform(0, 60))
    side = rng.choice(["A", "B"])
    said, alive = unit.oracle_unplug_ok(side), unit.controller.alive
    live = unit.power.inputs[side].live
    unit.patch({"inputs": {side: {"plugged": False}}})
    clock.sleep(0.5)
    if said:
        assert not harmed(unit) and unit.controller.alive == alive
    elif unit.power.return_due_s is None and live and unit.power.selected == side:
        assert harmed(unit) or not unit.controller.alive


def test_unplug_judge_by_hand(bench):
    rig = bench()
    assert rig.unit.oracle_unplug_ok("A") and rig.unit.oracle_unplug_ok("B")
    rig.plug("B", False)
    assert not rig.unit.oracle_unplug_ok("A") and rig.unit.oracle_plug_ok("B")
    rig.plug("B", True)
    assert not rig.unit.oracle_unplug_ok("A"), "within 30 s of a transfer"
    rig.later(29)
    assert not rig.unit.oracle_unplug_ok("B"), "about to go back to it"
    rig.later(2)
    assert rig.truth["selected_source"] == "B" and rig.unit.oracle_unplug_ok("A")
    assert not rig.unit.oracle_unplug_ok("B")


def test_strict_plug_judge_thinks_of_later_restarts(bench):
    rig = bench()
    rig.plug("A", False)
    rig.unit.fault("controller_download_fails")
    rig.send("g2ats", "392")
    assert not rig.unit.oracle_plug_ok("A")
    rig.later(600)
    assert rig.unit.oracle_plug_ok("A") and not rig.unit.oracle_plug_ok("A", strict=True)


def test_load_judge(bench):
    rig = bench()
    rig.load(0)
    assert rig.unit.oracle_connect_load_ok()
    rig.send("g2ats", "392")
    assert not rig.unit.oracle_connect_load_ok()
    rig.later(500)
    assert rig.unit.oracle_connect_load_ok()


# --- robustness and cost ---


DEVICES = ("ap7724", "ap7723", "ap7750", "ap7750a", "ap4423", "ap8853")
FAULTS = (
    ("no_answer", {"for_s": 30}), ("slow", {"latency_s": 1}), ("snmp_missing", {"oids": ["comm"]}),
    ("snmp_minus_one", {}), ("redundancy", {}),
    ("frozen", {}), ("communication_lost", {"for_s": 100}), ("source_returns", {}), ("source_fails", {}),
    ("card_restarts", {"cold": True}), ("controller_download_fails", {}), ("display_failure", {}), ("switch_fail", {}),
    ("session_busy", {"for_s": 50}), ("log_cleared", {}), ("clock_wrong", {}), ("comes_back_with_old_version", {}),
    ("transfer_cut", {"at_byte": 100}), ("controller_dies", {}), ("load_changes", {"load_current_a": 3}),
    ("override", {"values": {"comm": 3}}), ("lossy", {"every": 3}), ("web_login", {}),
    ("load_creeps", {"then_s": 20}), ("card_restarts", {"more": [5, 9, 40]}),
)  # fmt: skip


@pytest.mark.parametrize("block", range(10))
def test_random_histories_never_crash_and_keep_the_laws(block):
    for seed in range(block * 30, block * 30 + 30):
        rng = random.Random(seed)
        unit = Unit.load(rng.choice(DEVICES), knobs=Knobs.random(rng), seed=seed, speed=rng.choice([None, 20]))
        clock, was = VirtualClock(unit), {"damaged": False, "load_dropped": False}
        for _unused in range(40):
            act = rng.randrange(6)
            if act == 0:
                unit.patch({"inputs": {rng.choice("AB"): {"plugged": rng.random() < 0.6}}})
            elif act == 1:
                name, params = rng.choice(FAULTS)
                unit.fault(name, **params)
            elif act == 2 and unit.ftp_state == "up":
                send_something(unit, clock, rng)
            elif act == 3:
                unit.clear_faults()
            else:
                unit.snmp_next((1, 3))
            clock.sleep(rng.choice([0.5, 10, 60, 300]))
            truth = unit.truth()
            json.dumps(truth)
            for key, before in was.items():
                assert truth[key] or not before, f"{key} is for good"
                was[key] = truth[key]
            power = unit.power
            if truth["controller"]["downloading"]:
                assert not power.unsafe and power.inputs[power.selected].powers
            if truth["damaged"]:
                assert not truth["output_on"]
            assert truth["card"]["up"] <= (power.powered and not truth["card"]["gone"])
            oid, count = (0,), 0
            while (answer := unit.snmp_next(oid)) is not None:
                assert answer[0] > oid and isinstance(answer[2], (int, bytes, tuple))
                oid, count = answer[0], count + 1
            assert count > 10


def send_something(unit, clock, rng):
    try:
        session = unit.login("apc", "apc")
        session.fetch("event.txt")
        session.fetch("config.ini")
        name, data = rng.choice([(AOS, AOS_DATA), (APP, APP_DATA), (APP, APP_DATA[:500]), (AOS, b"junk")])
        store = session.store(name)
        for at in range(0, len(data), 4096):
            store.write(data[at : at + 4096])
            clock.sleep(1)
        if rng.random() < 0.8:
            store.finish()
        session.close()
    except Exception as refused:
        # only what an interface names may come out of it
        assert type(refused).__name__ in ("LoginRefused", "ConnectionResetError", "BadModule", "FileNotFoundError")


def test_the_same_history_twice_is_the_same():
    def run():
        clock, unit, _unused, _unused = history(7)
        clock.sleep(100)
        return unit.truth()

    assert run() == run()


def test_random_knobs_draw_every_knob():
    drawn = [Knobs.random(random.Random(seed)) for seed in range(300)]
    constant = {name for name in Knobs.names() if len({getattr(knobs, name) for knobs in drawn}) == 1}
    assert constant == {"second_transfer_harms"}
    assert all(40 <= k.down_s <= 240 and 0 <= k.download_delay_s <= 180 and 20 <= k.download_s <= 90 for k in drawn)
    assert all(5 <= k.comm_delay_s <= 60 and 0 <= k.ats_lag_s <= 15 for k in drawn)


def test_cost_of_reading(bench):
    """Mass tests stand on it: three calls an object, and a view made anew once where something has changed."""
    unit = bench().unit
    asked = [oid[:-1] for oid in list(unit.base)[:90]]

    def read():
        for oid in asked:
            unit.snmp_next(oid)

    read()
    assert effort(read) < 4 * len(asked)
    unit.patch({"inputs": {"B": {"plugged": False}}})
    assert effort(read) < 12 * len(asked)
    assert effort(lambda: unit.snmp_request(tuple(asked))) < 4 * len(asked)
