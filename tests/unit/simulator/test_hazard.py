# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hazard against facts/BULLETINS.md: what must destroy destroys, what must not does not."""

from __future__ import annotations

import pytest

BEGUN = "ATS Controller firmware download begun."
FAILED = "ATS Controller firmware download failed."


def test_both_live_with_load_and_download_destroys(bench):
    rig = bench()
    rig.to_download()
    truth = rig.truth
    assert truth["damaged"] and truth["load_dropped"] and "both sources live" in truth["damage_reason"]
    assert not truth["controller"]["alive"] and not truth["output_on"]
    rig.later(3600)
    assert rig.truth["damaged"] and rig.truth["load_dropped"]


def test_the_drop_is_at_the_download_not_at_the_transfer(bench):
    rig = bench(down_s=100, app_start_s=10, comm_delay_s=30, download_delay_s=110)
    rig.send("g2ats", "392")
    sent = rig.unit.now
    rig.later(249)
    assert not rig.truth["damaged"] and rig.truth["controller"]["comm"] == 2
    rig.later(2)
    assert rig.truth["damaged"]
    assert rig.truth["load_dropped_at_s"] == pytest.approx(sent + 250)


def test_single_source_is_fine(bench):
    rig = bench()
    rig.plug("A", False)
    rig.to_download()
    assert not rig.truth["damaged"] and not rig.truth["load_dropped"]
    rig.later(100)
    truth = rig.truth
    assert truth["controller"]["revision"] == "3.0.7" and truth["controller"]["alive"]
    assert not truth["load_dropped"] and truth["output_on"] and truth["violations"] == []


def test_no_load_is_fine_with_both_live(bench):
    rig = bench()
    rig.load(0)
    rig.to_download()
    rig.later(100)
    truth = rig.truth
    assert not truth["damaged"] and not truth["load_dropped"] and truth["controller"]["revision"] == "3.0.7"


def test_a_load_connected_during_the_download_with_both_live(bench):
    rig = bench()
    rig.load(0)
    rig.to_download()
    rig.load(0.4)
    assert rig.truth["damaged"] and rig.truth["load_dropped"]


@pytest.mark.parametrize("how", ["plug", "feed"])
def test_the_second_source_returns_during_the_download(bench, how):
    rig = bench()
    if how == "plug":
        rig.plug("A", False)
    else:
        rig.feed("A", 0)
    rig.to_download()
    assert not rig.truth["damaged"]
    if how == "plug":
        rig.plug("A", True)
    else:
        rig.feed("A", 216)
    assert rig.truth["damaged"] and rig.truth["load_dropped"]


def test_a_ghost_voltage_is_no_second_source(bench):
    rig = bench()
    rig.feed("A", 28)
    rig.to_download()
    rig.later(100)
    assert not rig.truth["damaged"]


def test_the_only_source_lost_in_the_download_kills_the_controller(bench):
    rig = bench(comm_when_dead=3)
    rig.plug("A", False)
    rig.to_download()
    rig.feed("B", 0)
    truth = rig.truth
    assert not truth["controller"]["alive"] and truth["load_dropped"] and not truth["card"]["up"]
    assert not truth["damaged"]
    rig.later(10)
    rig.feed("B", 215)
    rig.until(lambda: rig.unit.card.app_running)
    rig.later(400)
    assert rig.read("comm") == 3 and rig.truth["controller"]["revision"] == "3.0.5"
    assert "System: Cold start." in rig.texts()
    assert rig.texts().index(BEGUN) < len(rig.texts()) and FAILED in rig.texts()
    assert "7-Segment display hardware failure." in rig.texts() and rig.read("hardware") == 1


def test_the_selected_source_lost_without_load_kills_the_controller_too(bench):
    rig = bench()
    rig.load(0)
    rig.to_download()
    rig.feed("B", 0)
    assert not rig.truth["controller"]["alive"] and not rig.truth["damaged"]
    rig.later(60)
    assert rig.read("comm") == 3


def test_a_dead_controller_does_not_switch(bench):
    rig = bench()
    rig.unit.fault("controller_dies")
    rig.feed("B", 0)
    assert rig.truth["load_dropped"] and rig.truth["selected_source"] == "B"


def test_every_restart_repeats_the_download_until_it_succeeds(bench):
    rig = bench(download_delay_s=100)
    rig.plug("A", False)
    rig.send("g2ats", "392")
    rig.until(lambda: rig.truth["controller"]["download_begins_s"] is not None)
    for _unused in range(3):
        rig.unit.fault("card_restarts")
        assert rig.truth["controller"]["download_pending"]
        rig.until(lambda: rig.truth["controller"]["download_begins_s"] is not None)
    rig.until(lambda: rig.unit.controller.downloading)
    rig.unit.fault("card_restarts")  # in mid-download: it starts over
    assert rig.truth["controller"]["download_pending"]
    rig.until(lambda: rig.unit.controller.downloading)
    rig.later(50)
    assert rig.truth["controller"]["revision"] == "3.0.7"
    rig.unit.fault("card_restarts")
    rig.later(600)
    assert rig.texts().count(BEGUN) == 2 and rig.truth["controller"]["attempts"] == 2


def test_a_half_written_controller_neither_talks_nor_switches(bench):
    rig = bench(comm_before_warm=1, download_delay_s=100)
    rig.plug("A", False)
    rig.to_download()
    rig.unit.fault("card_restarts")
    rig.load(0)
    rig.plug("A", True)
    rig.until(lambda: rig.truth["controller"]["download_begins_s"] is not None)
    assert rig.read("comm") == 1 and rig.truth["controller"]["alive"]
    rig.feed("B", 0)
    assert rig.truth["selected_source"] == "B" and not rig.truth["output_on"]
    rig.feed("B", 215)
    rig.later(200)
    assert rig.read("comm") == 2 and rig.truth["controller"]["revision"] == "3.0.7"
    rig.feed("B", 0)
    assert rig.truth["selected_source"] == "A" and rig.truth["output_on"]


def test_a_matching_revision_is_not_downloaded(bench):
    rig = bench()
    rig.send("g2ats", "392", controller="3.0.5")
    rig.later(800)
    assert rig.truth["controller"]["attempts"] == 0 and not rig.truth["damaged"]


def test_an_older_bundled_revision_is_not_downloaded(bench):
    rig = bench()
    rig.send("g2ats", "392", controller="3.0.4")
    rig.later(800)
    assert rig.truth["controller"]["attempts"] == 0


def test_failing_download_looks_like_the_published_one(bench):
    rig = bench(download_delay_s=110)
    rig.plug("A", False)
    rig.unit.fault("controller_download_fails")
    rig.send("g2ats", "392")
    rig.later(500)
    texts = rig.texts()
    begun, failed = texts.index(BEGUN), texts.index(FAILED)
    rows = rig.unit.events.rows
    assert failed == begun + 1 and rows[begun].stamp == rows[failed].stamp
    displays = texts.index("7-Segment display hardware failure.")
    assert displays < begun and rows[begun].time_s - rows[displays].time_s == pytest.approx(110)
    assert rig.read("comm") == 3 and rig.read("hardware") == 1
    assert not rig.truth["controller"]["alive"] and rig.truth["output_on"], "isolated: the load stays up"


def test_a_failing_attempt_with_both_live_destroys(bench):
    rig = bench()
    rig.unit.fault("controller_download_fails")
    rig.send("g2ats", "392")
    rig.later(500)
    assert rig.truth["damaged"] and rig.truth["load_dropped"]


def test_second_forced_transfer_within_30_s(bench):
    rig = bench()
    rig.feed("B", 0)
    rig.later(2)
    rig.feed("B", 215)
    rig.later(20)
    assert rig.truth["selected_source"] == "A" and not rig.truth["damaged"]
    rig.feed("A", 0)
    assert rig.truth["damaged"] and rig.truth["load_dropped"] and "22.0 s" in rig.truth["damage_reason"]


def test_second_forced_transfer_after_30_s_is_fine(bench):
    rig = bench()
    rig.unit.patch({"preferred_source": "none"})
    rig.feed("B", 0)
    rig.feed("B", 215)
    rig.later(31)
    rig.feed("A", 0)
    assert rig.truth["selected_source"] == "B" and not rig.truth["load_dropped"] and not rig.truth["damaged"]


def test_second_forced_transfer_without_load_is_fine(bench):
    rig = bench()
    rig.load(0)
    rig.feed("B", 0)
    rig.feed("B", 215)
    rig.feed("A", 0)
    assert not rig.truth["damaged"]


def test_returns_to_preferred_30_s_after_it_is_good(bench):
    rig = bench()
    rig.feed("B", 0)
    assert rig.truth["selected_source"] == "A" and not rig.truth["load_dropped"]
    rig.later(100)
    rig.feed("B", 215)
    rig.later(20)
    rig.feed("B", 100)  # out of range: the wait starts again
    rig.feed("B", 215)
    rig.later(29.9)
    assert rig.truth["selected_source"] == "A"
    rig.later(0.2)
    assert rig.truth["selected_source"] == "B" and rig.truth["source_transfers"] == 2 and not rig.truth["damaged"]


def test_without_preference_it_stays(bench):
    rig = bench()
    rig.unit.patch({"preferred_source": "none"})
    rig.feed("B", 0)
    rig.feed("B", 215)
    rig.later(500)
    assert rig.truth["selected_source"] == "A"


def test_both_dead_then_cold_start(bench):
    rig = bench(boot_s=45, app_start_s=5)
    rig.feed("A", 0)
    rig.feed("B", 0)
    truth = rig.truth
    assert truth["load_dropped"] and not truth["card"]["up"] and not rig.unit.snmp_up
    rig.later(1000)
    rig.feed("A", 216)
    rig.later(44)
    assert not rig.unit.snmp_up
    rig.later(2)
    assert rig.unit.snmp_up and rig.unit.events.rows[-1].code == 0x0001
    assert rig.truth["selected_source"] == "A" and rig.truth["output_on"]


def test_a_bundled_newer_revision_waits_for_the_next_cold_start(bench):
    """The real unit seemed fine for two months and failed at the first loss of both sources."""
    rig = bench(bundled_newer=True)
    rig.later(10000)
    assert rig.truth["controller"]["attempts"] == 0
    assert rig.truth["controller"]["download_hazard"] and not rig.truth["controller"]["download_pending"]
    rig.unit.patch({"inputs": {"A": {"voltage_v": 0}, "B": {"voltage_v": 0}}})
    rig.later(60)
    rig.unit.patch({"inputs": {"A": {"voltage_v": 216}, "B": {"voltage_v": 215}}})
    rig.later(400)
    assert rig.truth["damaged"]


def test_overload_allows_no_transfer(bench):
    rig = bench()
    rig.load(33)
    assert rig.read("over_current") == 1 and rig.read("bank_total_state") == 4
    rig.feed("B", 0)
    assert rig.truth["selected_source"] == "B" and rig.truth["load_dropped"]


def test_failed_switch_drops_the_load_at_the_next_loss(bench):
    rig = bench()
    rig.unit.fault("switch_fail")
    assert rig.read("switch") == 1 and rig.read("redundancy") == 1 and not rig.truth["load_dropped"]
    rig.feed("B", 0)
    assert rig.truth["load_dropped"]


def test_gen_1_with_3_x_restarts_for_ever_and_can_be_saved(bench):
    rig = bench("ap7750")
    rig.send("aos", "392")
    boots = rig.unit.card.boots
    rig.later(600)
    assert rig.unit.card.boots > boots + 8
    rig.until(lambda: rig.unit.snmp_up)
    rig.send("aos", "261", hardware="")
    rig.until(lambda: rig.unit.card.app_running)
    boots = rig.unit.card.boots
    rig.later(600)
    assert rig.unit.card.boots == boots


def recover(rig, rest_s):
    rig.load(0)
    rig.unit.patch({"inputs": {"A": {"plugged": False}, "B": {"plugged": False}}})
    rig.later(rest_s)
    rig.plug("A", True)
    rig.until(lambda: rig.unit.card.app_running)
    rig.send("g2ats", "392")
    rig.later(600)


def test_advised_recovery_revives_a_dead_controller(bench):
    rig = bench("ap7723", comm_when_dead=1)
    assert rig.read("comm") == 3
    recover(rig, 300)
    assert rig.truth["controller"]["alive"] and rig.read("comm") == 2 and rig.truth["controller"]["revision"] == "3.0.7"


@pytest.mark.parametrize("knobs, rest_s", [({}, 30), ({"controller_recoverable": False}, 300)])
def test_recovery_can_fail(bench, knobs, rest_s):
    rig = bench("ap7723", **knobs)
    recover(rig, rest_s)
    assert not rig.truth["controller"]["alive"] and rig.read("comm") == 3


def test_a_power_cycle_alone_does_not_help(bench):
    rig = bench("ap7723")
    rig.unit.patch({"inputs": {"A": {"plugged": False}, "B": {"plugged": False}}})
    rig.later(600)
    rig.plug("A", True)
    rig.later(600)
    assert not rig.truth["controller"]["alive"]


def test_reset_by_snmp_drops_the_load(bench):
    rig = bench()
    rig.unit.snmp_set((1, 3, 6, 1, 4, 1, 318, 1, 1, 8, 3, 1, 0), 2)
    assert rig.truth["load_dropped"] and rig.truth["writes"][0]["taken"]
