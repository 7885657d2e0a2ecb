# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SAFETY's second edition fears of a card, and of the world around it: each is there when it is asked for."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from itertools import pairwise

import pytest

from apcsim import Knobs, Unit, build_module
from apcsim.fields import FIELDS
from apcsim.knobs import SERIALS_AFTER_FILE, UPTIME_WRAP_S
from apcsim.mishaps import DAMAGED, DROPPED, KILLED
from apcsim.virtual import VirtualError, virtual_open_ftp

AOS, APP = "apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"
DATA = {
    "aos": (AOS, build_module("hw02", "aos", "392", "", 50_000)),
    "app": (APP, build_module("hw02", "g2ats", "392", "3.0.7", 50_000)),
}
BEGUN = "ATS Controller firmware download begun."
FAILED = "ATS Controller firmware download failed."


class Listening:
    """Asks the card twice a second while a file goes out."""

    def __init__(self, rig, cut_at_s=None):
        self.rig, self.start, self.cut_at_s = rig, rig.unit.now, cut_at_s
        self.answered, self.silent = [], []

    def first_byte(self):
        pass

    def idle(self):
        at_s = self.rig.unit.now - self.start
        (self.answered if self.rig.unit.snmp_up else self.silent).append(at_s)
        if self.cut_at_s is not None and at_s > self.cut_at_s:
            raise RuntimeError("cut")

    def sent(self, done, total):
        pass

    def last_block(self, done, total):
        pass


def stored(rig, module, **how):
    login = virtual_open_ftp(rig.clock, rig.unit)("h", 21, "apc", "apc", 10, lambda: None)
    hooks = Listening(rig, **how)
    try:
        login.store(*DATA[module], hooks)
    except RuntimeError:
        login.close()
    return hooks


# --- a card that is deaf while it stores ---


@pytest.mark.parametrize("knob", ["none", "aos", "app", "both"])
@pytest.mark.parametrize("module", ["aos", "app"])
def test_deaf_while_it_stores_that_module(bench, knob, module):
    rig = bench(deaf_while_storing=knob)
    rig.plug("A", False)
    hooks = stored(rig, module)
    deaf = knob in (module, "both")
    assert bool([at for at in hooks.silent if at < 20]) is deaf and bool(hooks.answered) is not deaf
    rig.later(400)
    assert rig.unit.snmp_up and rig.truth["transfers"][0]["installed"]


def test_deaf_after_a_while_with_one_odd_answer_in_the_middle(bench):
    rig = bench(deaf_while_storing="app", deaf_after_s=6.0, deaf_answers_at_s=12.0)
    rig.plug("A", False)
    hooks = stored(rig, "app")
    early, odd = [at for at in hooks.answered if at < 6.1], [at for at in hooks.answered if at >= 6.1]
    assert len(early) > 5 and odd and min(odd) >= 12 and max(odd) < 14 and len(hooks.silent) > 10
    with pytest.raises(VirtualError):
        rig.snmp.exchange([(1, 3)])  # it is restarting


def test_a_cut_transfer_ends_the_deafness(bench):
    rig = bench(deaf_while_storing="app")
    hooks = stored(rig, "app", cut_at_s=5.0)
    assert hooks.silent and rig.unit.snmp_up and not rig.truth["transfers"][0]["installed"]


def test_a_deaf_card_still_takes_configuration_files(bench):
    rig = bench(deaf_while_storing="both")
    store = rig.unit.login("apc", "apc").store("config.ini")
    store.write(b"x")
    assert rig.unit.snmp_up


# --- restarts ---


def test_the_card_restarts_by_itself_after_an_app(bench):
    rig = bench(restarts_after_app=(30.0, 200.0, 10.0), down_s=60, boot_s=40, download_delay_s=100)
    rig.plug("A", False)
    rig.send("aos", "392")
    rig.later(600)
    boots = rig.unit.card.boots
    rig.send("g2ats", "392")
    rig.later(1500)
    assert rig.unit.card.boots == boots + 4
    times = [entry["time_s"] for entry in rig.truth["restarts"] if entry["why"] == "by itself"]
    assert times[1] - times[0] == pytest.approx(240) and times[2] - times[1] == pytest.approx(50)
    assert rig.truth["controller"]["revision"] == "3.0.7"


def test_each_own_restart_tries_the_download_again_until_the_revision_matches(bench):
    rig = bench(restarts_after_app=(150.0, 150.0), app_start_s=5, comm_delay_s=20, download_delay_s=100, download_s=60)
    rig.plug("A", False)
    rig.send("g2ats", "392")
    rig.later(1200)
    # the first two break off in the middle, the third ends
    assert rig.texts().count(BEGUN) == 3 and rig.truth["controller"]["revision"] == "3.0.7"
    again = bench(restarts_after_app=(350.0, 350.0), download_delay_s=50)
    again.plug("A", False)
    again.send("g2ats", "392")
    again.later(1500)
    assert again.texts().count(BEGUN) == 1 and again.unit.card.boots == 4


def test_an_own_restart_to_come_is_known_to_the_plug_judge(bench):
    rig = bench(restarts_after_app=(300.0,))
    rig.plug("A", False)
    rig.unit.fault("controller_download_fails")
    rig.send("g2ats", "392")
    rig.until(lambda: FAILED in rig.texts())
    assert not rig.unit.oracle_plug_ok("A") and rig.truth["controller"]["download_pending"]
    rig.plug("A", True)
    rig.later(600)
    assert rig.truth["damaged"]


def test_several_restarts_quickly(bench):
    rig = bench(boot_s=20)
    rig.unit.fault("card_restarts", why="reset", more=[5, 8, 6])
    rig.later(400)
    assert rig.unit.card.boots == 5 and rig.unit.card.app_running
    starts = [row.time_s for row in rig.unit.events.rows if "Warm start" in row.text]
    assert [round(b - a) for a, b in pairwise(starts)] == [25, 28, 26]


def test_the_aos_answers_long_before_the_app(bench):
    rig = bench(boot_s=20, app_start_s=10, app_start_more_s=120)
    rig.unit.fault("card_restarts")
    rig.later(25)
    assert rig.unit.snmp_up and rig.read("comm") is None
    rig.later(120)
    assert rig.read("comm") is None and rig.read("sys_descr")
    rig.later(10)
    assert rig.read("comm") is not None


def test_communication_and_old_values_are_shown_before_anybody_asked(bench):
    rig = bench(boot_s=20, app_start_s=5, comm_delay_s=60, comm_before_warm=1, comm_cached_s=15)
    rig.unit.fault("card_restarts")
    rig.until(lambda: rig.unit.card.app_running)
    volts = rig.read("voltage_b")
    rig.feed("A", 0)
    rig.load(3)
    rig.later(10)
    assert rig.read("comm") == 2 and rig.read("voltage_a") == 216 and rig.read("voltage_b") == volts
    rig.later(6)
    assert rig.read("comm") == 1 and rig.read("voltage_a") == -1
    rig.later(60)
    assert rig.read("comm") == 2 and rig.read("voltage_a") == 0


def test_an_uptime_about_to_wrap(bench):
    rig = bench(uptime_start_s=UPTIME_WRAP_S - 100)
    assert rig.read("uptime") == pytest.approx(2**32 - 10_000, abs=1)
    rig.later(150)
    assert rig.read("uptime") == pytest.approx(5000, abs=1) and rig.unit.card.boots == 1
    starts = [row.time_s for row in rig.unit.events.rows if "start" in row.text]
    assert starts == [pytest.approx(-(UPTIME_WRAP_S - 100), abs=10)], "the log says the same"


def test_how_fast_a_card_takes_a_file(bench):
    usual, slow = bench(), bench(file_rate_bps=200.0)
    assert (usual.unit.ftp_rate_bps, slow.unit.ftp_rate_bps) == (2500.0, 200.0)


# --- downloads that fail ---


def test_a_failed_download_is_tried_again_without_a_restart(bench):
    rig = bench(download_retry_s=120.0, download_delay_s=50, failed_attempt_chatters=False)
    rig.plug("A", False)
    rig.unit.fault("controller_download_fails")
    rig.send("g2ats", "392")
    rig.until(lambda: FAILED in rig.texts())
    first = rig.unit.now
    assert rig.truth["controller"]["download_begins_s"] == pytest.approx(first + 120, abs=1)
    assert not rig.unit.oracle_plug_ok("A")
    rig.later(500)
    assert rig.texts().count(FAILED) == 5 and rig.unit.card.boots == 2
    rows = [row.time_s for row in rig.unit.events.rows if row.text.endswith(FAILED)]
    assert rows[1] - rows[0] == pytest.approx(120)


def test_a_retry_can_succeed_where_only_the_link_was_broken(bench):
    rig = bench(download_retry_s=100.0, download_delay_s=50)
    rig.plug("A", False)
    rig.send("g2ats", "392")
    rig.until(lambda: rig.truth["controller"]["download_begins_s"] is not None)
    rig.unit.fault("communication_lost", for_s=100)
    rig.later(600)
    assert rig.texts().count(FAILED) == 1 and rig.texts().count(BEGUN) == 2
    assert rig.truth["controller"]["revision"] == "3.0.7" and not rig.truth["damaged"]


@pytest.mark.parametrize("found, hazard", [("none", False), ("older", False), ("standing", True)])
def test_a_failed_row_that_stands_in_the_log(bench, found, hazard):
    rig = bench(failed_row_found=found)
    texts = rig.texts()
    assert (FAILED in texts) is (found != "none")
    assert rig.truth["controller"]["download_hazard"] is hazard and rig.read("comm") == 2
    if found != "none":
        start = max(index for index, text in enumerate(texts) if text.endswith("start."))
        assert (texts.index(FAILED) > start) is (found == "standing") and texts[texts.index(FAILED) - 1] == BEGUN
    times = [row.time_s for row in rig.unit.events.rows]
    assert times == sorted(times)
    rig.plug("A", False)
    rig.unit.fault("card_restarts")
    rig.later(500)
    assert rig.truth["controller"]["attempts"] == (1 if hazard else 0)


# --- readings ---


@pytest.mark.parametrize("mode", SERIALS_AFTER_FILE)
@pytest.mark.parametrize("which", ["aos", "app"])
def test_a_serial_that_our_own_file_changed(bench, mode, which):
    rig = bench(serial_after_file=mode, serial_after_which=which)
    rig.load(0)
    true = rig.unit.serial

    def shown():
        return rig.read("serial").decode(), rig.read("sys_descr").decode().split("SN: ")[1].split()[0]

    before = shown()
    rig.send("aos" if which == "app" else "g2ats", "392")
    rig.later(400)
    assert shown() == before, "the other file changes nothing"
    rig.send("aos" if which == "aos" else "g2ats", "392")
    rig.later(400)
    unit, card = shown()
    assert (unit != before[0]) is mode.startswith(("unit", "both"))
    assert (card != before[1]) is mode.startswith(("card", "both"))
    assert ("FFFFFFFFFFFF" in (unit, card)) is mode.endswith("junk")
    assert rig.truth["serial"] == true, "the name plate is the same"


def test_a_dead_source_that_shows_the_others_voltage(bench):
    rig = bench(dead_voltage="other")
    rig.plug("A", False)
    assert rig.read("voltage_a") == rig.read("voltage_b") == 215 and rig.read("source_a") == 1


@pytest.mark.parametrize("voltage", ["zero", "minus_one", "no_row", "ghost"])
@pytest.mark.parametrize("frequency", ["zero", "minus_one", "absent"])
@pytest.mark.parametrize("supply", [0, 1, 2])
def test_a_dead_source_reads_fail_whatever_its_values_read(bench, voltage, frequency, supply):
    rig = bench(dead_voltage=voltage, dead_frequency=frequency, dead_supply_24v=supply, ghost_v=7)
    rig.plug("A", False)
    assert rig.read("source_a") == 1 and rig.read("source_b") == 2 and rig.read("redundancy") == 1
    assert rig.read("supply_24v_a") == supply and rig.read("supply_24v_b") == 2
    assert rig.read("voltage_a") == {"zero": 0, "minus_one": -1, "no_row": None, "ghost": 7}[voltage]
    assert rig.read("frequency_a") == {"zero": 0, "minus_one": -1, "absent": None}[frequency]


# --- a load that comes ---


def test_a_load_creeps_in(bench):
    rig = bench(small_current_reads_zero=True)
    rig.load(0)
    rig.unit.fault("load_creeps", first_a=0.4, then_a=8.0, then_s=90)
    assert rig.truth["load_current_a"] == 0.4 and rig.read("bank_total") == 0, "under 1 A nobody sees it"
    rig.later(89)
    assert rig.read("bank_total") == 0
    rig.later(2)
    assert rig.read("bank_total") == 80
    rig.unit.fault("load_creeps", then_a=20.0, then_s=10)
    rig.unit.clear_faults()
    rig.later(20)
    assert rig.truth["load_current_a"] == 0.4, "a fault that is cleared goes no further"


# --- another unit at the address ---


def test_another_unit_answers_at_the_address(bench):
    rig = bench()
    old = rig.unit.serial
    rig.load(0)
    rig.later(500)
    rig.unit.fault("unit_swapped", device="ap7723", called="spare-7")
    truth = rig.truth
    assert truth["serial"] != old and truth["address"] == rig.unit.address and truth["name"] == "spare-7"
    assert rig.read("model") == b"AP7723" and rig.read("serial").decode() == truth["serial"]
    assert rig.read("uptime") == 720_000 and rig.unit.card.boots == 1, "it has long been up, and not since we began"
    session = rig.unit.login("apc", "apc")
    assert b"spare-7" in session.fetch("event.txt")
    assert any("swapped" in event["what"] for event in truth["events"])


def test_a_swap_voids_what_the_old_unit_would_have_done(bench):
    rig = bench(download_delay_s=100)
    rig.plug("A", False)
    rig.unit.fault("source_fails", input="B", at_s=700)
    rig.send("g2ats", "392")
    rig.until(lambda: rig.truth["controller"]["download_begins_s"] is not None)
    rig.unit.swap()
    rig.later(300)
    assert rig.truth["controller"]["attempts"] == 0 and not rig.truth["damaged"] and rig.truth["card"]["app"] == "3.7.1"
    assert rig.truth["transfers"][0]["installed"] and rig.truth["inputs"]["A"]["plugged"]
    rig.later(300)
    assert rig.truth["inputs"]["B"]["voltage_v"] == 0, "what the world had planned still comes"


def test_a_spare_put_in_starts_cold_on_the_same_feeds(bench):
    rig = bench(boot_s=40)
    rig.plug("A", False)
    session = rig.unit.login("apc", "apc")
    store = session.store(APP)
    store.write(DATA["app"][1][:1000])
    rig.unit.swap(how="replaced", serial="JA0000000009")
    assert not session.alive and not rig.unit.snmp_up and not rig.truth["inputs"]["A"]["plugged"]
    with pytest.raises(ConnectionResetError):
        store.write(b"x")
    rig.later(100)
    assert rig.read("serial") == b"JA0000000009" and "System: Cold start." in rig.texts()
    assert rig.truth["restarts"][-1]["cold"] and rig.read("uptime") < 9000


def test_the_same_model_swapped_has_another_serial_and_its_own_settings(bench):
    rig = bench()
    rig.unit.patch({"preferred_source": "none"})
    old = rig.unit.serial, rig.read("sys_descr")
    rig.unit.fault("unit_swapped", after_s=10, card_sn="absent")
    rig.later(11)
    assert rig.unit.serial != old[0] and rig.read("preferred") == 2 and b"SN:" in old[1]
    assert b"SN:" not in rig.read("sys_descr")
    rig.unit.fault("log_cleared")
    assert rig.unit.events.rows == []


@pytest.mark.parametrize("what", [{"how": "stolen"}, {"no_knob": 1}, {"device": "ap0000"}, {"device": "sua1500"}])
def test_a_swap_that_cannot_be(bench, what):
    rig = bench()
    before = rig.unit.truth()
    with pytest.raises(ValueError):
        rig.unit.swap(**what)
    assert rig.unit.truth() == before


# --- clocks ---


def test_the_wall_clock_jumps_and_stands_and_time_goes_on(bench):
    rig = bench()
    clock, start = rig.clock, rig.clock.wall()
    clock.jump_wall(-86400)
    assert clock.wall() == start - timedelta(days=1) and clock.now() == 0
    clock.sleep(10)
    clock.stop_wall()
    stood = clock.wall()
    clock.sleep(500)
    assert clock.wall() == stood == start - timedelta(days=1) + timedelta(seconds=10) and clock.now() == 510
    clock.jump_wall(3600)
    assert clock.wall() == stood + timedelta(hours=1)
    clock.go_wall()
    clock.go_wall()
    clock.sleep(5)
    assert clock.wall() == stood + timedelta(seconds=3605) and rig.unit.now == 515


# --- who is to blame, and for what ---


def test_mishaps_name_cause_time_and_hand(bench):
    rig = bench()
    assert rig.unit.oracle_damage_free() and rig.unit.damaged is None and rig.unit.dropped is None
    rig.load(3)
    rig.later(10)
    rig.to_download()
    damaged, dropped = rig.unit.damaged, rig.unit.dropped
    assert damaged.what == DAMAGED and "both sources live" in damaged.cause and damaged.by == "device"
    assert dropped.what == DROPPED and dropped.time_s == damaged.time_s == round(rig.truth["load_dropped_at_s"], 3)
    assert rig.truth["drop_reason"] == dropped.cause and rig.truth["damaged_at_s"] is not None
    assert not rig.unit.oracle_damage_free()
    rig.unit.swap()
    assert rig.unit.damaged == damaged and not rig.truth["damaged"], "another unit does not undo it"


@pytest.mark.parametrize(
    "act, by",
    [
        (lambda rig: rig.plug("B", False), "hand"),
        (lambda rig: rig.feed("B", 0), "feed"),
        (lambda rig: rig.unit.fault("source_fails", input="B"), "fault source_fails"),
        (lambda rig: rig.unit.fault("load_changes", load_current_a=40), None),
    ],
)
def test_a_dropped_load_is_blamed_on_the_hand_the_feed_or_the_fault(bench, act, by):
    rig = bench()
    rig.plug("A", False)
    rig.later(40)
    act(rig)
    dropped = rig.unit.dropped
    assert (dropped.by if dropped else None) == by and (by is None) is rig.unit.oracle_damage_free()


@pytest.mark.parametrize("what", [[], {"inputs": 3}, {"inputs": {"A": 3}}, {"inputs": {"C": {}}}, {"nothing": 1}])
def test_what_is_no_patch_is_refused_and_blames_nobody(bench, what):
    rig = bench()
    with pytest.raises((ValueError, TypeError, AttributeError)):
        rig.unit.patch(what)
    assert rig.unit.mishaps.doing == "device" and rig.unit.oracle_damage_free()


def test_a_killed_controller_is_a_mishap_of_its_own(bench):
    rig = bench()
    rig.plug("A", False)
    rig.unit.fault("controller_download_fails")
    rig.send("g2ats", "392")
    rig.later(500)
    assert [mishap.what for mishap in rig.unit.mishaps.all] == [KILLED] and rig.unit.damaged is rig.unit.dropped is None
    other = bench()
    other.load(0)
    other.plug("A", False)
    other.to_download()
    other.plug("B", False)
    killed = other.unit.mishaps.first(KILLED)
    assert killed.by == "hand" and "lost during the download" in killed.cause


# --- the judges where a rack is dark, and without a load ---


def test_judges_in_a_dark_rack(bench):
    rig = bench()
    rig.unit.patch({"preferred_source": "none"})
    rig.plug("A", False)
    rig.later(40)
    rig.feed("B", 0)
    assert rig.unit.oracle_plug_ok("A") and rig.unit.oracle_unplug_ok("B")
    assert not rig.unit.oracle_connect_load_ok()
    other = bench()
    other.plug("A", False)
    other.unit.fault("controller_download_fails")
    other.send("g2ats", "392")
    other.later(500)
    other.feed("B", 0)
    # the cold start tries again: fine alone, not beside a plug whose feed may return meanwhile
    assert other.unit.oracle_plug_ok("A") and not other.unit.oracle_plug_ok("A", strict=True)
    other.plug("B", False)
    assert other.unit.oracle_plug_ok("A", strict=True)


def test_judges_without_a_load_and_two_live_inputs(bench):
    rig = bench()
    rig.load(0)
    rig.to_download()
    assert not rig.unit.oracle_connect_load_ok() and not rig.unit.oracle_unplug_ok("B")
    assert rig.unit.oracle_unplug_ok("A") and rig.unit.oracle_plug_ok("A")
    rig.later(100)
    assert rig.unit.oracle_connect_load_ok() and rig.unit.oracle_connect_load_ok(strict=True)
    failed = bench()
    failed.load(0)
    failed.unit.fault("controller_download_fails")
    failed.send("g2ats", "392")
    failed.later(500)
    assert failed.unit.oracle_connect_load_ok() and not failed.unit.oracle_connect_load_ok(strict=True)
    assert failed.unit.oracle_damage_free() is False and not failed.truth["damaged"]


# --- the draw ---


MEAN = {
    "deaf_while_storing", "deaf_after_s", "deaf_answers_at_s", "restarts_after_app", "app_start_more_s",
    "comm_cached_s", "download_retry_s", "failed_row_found", "serial_after_file", "serial_after_which",
    "uptime_start_s", "file_rate_bps",
}  # fmt: skip


def test_old_histories_keep_what_they_drew():
    """The digest is that of the knobs as they were drawn before there were mean ones."""
    rng = random.Random(5)
    drawn = [Knobs.random(rng) for _unused in range(20)]
    names = sorted(set(Knobs.names()) - MEAN)
    old = repr([[getattr(knobs, name) for name in names] for knobs in drawn])
    assert hashlib.sha256(old.encode()).hexdigest()[:16] == "3d0c360a3f48efd9"
    fixed = Knobs.random(random.Random(5), deaf_while_storing="both", uptime_start_s=5.0)
    assert fixed == drawn[0].but(deaf_while_storing="both", uptime_start_s=5.0)


def test_drawn_knobs_stay_within_what_their_lines_say():
    drawn = [Knobs.random(random.Random(seed)) for seed in range(400)]
    assert all(
        0 <= k.deaf_after_s <= 8 and 0 <= k.comm_cached_s <= 15 and len(k.restarts_after_app) <= 3 for k in drawn
    )
    assert all(5 <= s <= 400 for k in drawn for s in k.restarts_after_app)
    assert {k.deaf_while_storing for k in drawn} == {"none", "aos", "app", "both"}
    assert {k.serial_after_file for k in drawn} == {"same", *SERIALS_AFTER_FILE}
    assert {k.failed_row_found for k in drawn} == {"none", "older", "standing"}
    assert any(k.download_retry_s for k in drawn) and any(k.app_start_more_s > 100 for k in drawn)
    assert 5 < sum(bool(k.uptime_start_s) for k in drawn) < 80
    assert all(not k.file_rate_bps or 800 <= k.file_rate_bps <= 8000 for k in drawn)
    assert 50 < sum(bool(k.file_rate_bps) for k in drawn) < 200


def test_the_fields_that_these_tests_name_exist():
    unit = Unit.load("ap7724")
    assert all(FIELDS[name] in unit.base for name in ("comm", "serial", "voltage_a", "bank_total", "uptime"))
