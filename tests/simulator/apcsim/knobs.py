# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fact marked [?] is one field here: what no source says about the device, and what tests therefore vary.

The defaults are a plausible, benign device; ``Knobs.random`` draws all of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from typing import Any

DOWNLOAD_COMM = ("established", "lost", "stale")
NOT_FRESH = ("stale", "minus_one", "absent")
EVENT_LAYOUTS = ("bare", "labelled", "joined")
UPTIME_WRAP_S = 2**32 / 100  # sysUpTime starts anew after 497 days
SERIALS_AFTER_FILE = ("card_other", "card_junk", "unit_other", "unit_junk", "both_other")


@dataclass(frozen=True)
class Knobs:
    # --- the card ---
    down_s: float = 75.0  # after a module is installed: 40..240 (NMC.md: unreachable for up to 3-4 minutes)
    boot_s: float = 45.0  # any other restart
    ftp_ready_delay_s: float = 0.0  # 421 while booting, although SNMP answers already
    app_start_s: float = 8.0  # AOS up -> app running; status A? meanwhile
    old_app_runs_on_new_aos: bool = True
    app_trouble_shown: str = "absent"  # "absent": no AN1/AF1; "letter": both kept, and the status letter A!
    starting_shown: bool = False  # A? in sysDescr while the app starts
    last_transfer_updates: bool = True
    banner_has_model: bool = True
    banner_model: str = "unit"  # or "card": whose model it is, is [?]
    aos_cut_leaves_no_aos: bool = False
    reset_ends_session: bool = True  # else a session whose connection was reset blocks until the auto-log-off
    sets_dropped_while_logged_in: bool = True
    network_quiet: bool = False  # nothing but us on the wire: the watchdog restarts the card after 9.5 min without us
    card_sn: str = "same"  # same as the unit's, "junk", "absent"
    max_varbinds: int = 0  # more in one PDU: tooBig; 0 = no bound
    # --- card and controller ---
    comm_delay_s: float = 20.0  # app running -> communication tried
    comm_before: int = 1  # what the object reads until then: 1 or 3
    comm_before_warm: int = 2  # the same after a warm start: 1, 2 or 3
    download_delay_s: float = 60.0  # communication up -> download begins: 0..180
    download_s: float = 45.0
    comm_during_download: str = "established"
    ats_during_download: str = "stale"
    ats_when_lost: str = "stale"
    ats_before_comm: str = "minus_one"
    comm_when_dead: int = 3  # 3 lost or 1 never discovered, for a controller that does not answer
    comm_gap_after_download_s: float = 0.0  # the controller restarts: communication lost for so long
    success_row: bool = False
    settings_lost_by_flash: bool = False
    name_lost_by_flash: bool = False
    bundled_newer: bool = False  # the app now running bundles a newer revision: a download waits for the next start
    failed_attempt_chatters: bool = True  # an attempt that fails at once moves the relays as well
    controller_recoverable: bool = True
    rest_needed_s: float = 240.0  # both inputs out before a dead controller takes new firmware
    # --- the ATS ---
    ats_lag_s: float = 1.0  # 0..15: what happens in the unit -> what the card shows
    dead_voltage: str = "zero"  # "zero", "minus_one", "no_row", "ghost", or "other": the value of the other input
    ghost_v: float = 14.0  # 5..30
    dead_frequency: str = "zero"  # "zero", "minus_one", "absent"
    dead_supply_24v: int = 1  # 1 failure, 2 ok, 0 not available
    internal_supplies: str = "fitted"  # 5 V, +12 V, -12 V: "fitted", "minus_one", "zero", "absent"
    over_current: str = "plain"  # "plain": 2 = ok; "state": repeats the bank or phase state, 1 = normal
    small_current_reads_zero: bool = True  # under 1 A
    phase_shift_deg: float = 0.0  # B against A
    voltage_jitter_v: float = 0.0
    second_transfer_harms: bool = True  # FA156201: "can lose the load or damage the unit"
    # --- log and files ---
    event_layout: str = "bare"
    log_rows: int = 300
    clock_offset_s: float = 0.0
    clock_lost_at_cold_start: bool = False
    log_cleared_at_cold_start: bool = False
    serial_in_config: bool = False
    # --- the UPS ---
    outlet_tree: str = "present"  # U.12: "present", "absent" (as in every capture), "zero" (count 0, no rows)
    ups_values_when_lost: str = "stale"  # "stale", "minus_one", "absent": U without communication
    ups_update_answer: str = "at_once"  # U.6.2.9 after the start: "at_once" 3, "late" as before, "start" 2; then 3
    ups_update_answer_s: float = 6.0  # 0..10: how long "late" and "start" last
    ups_update_s: float = 300.0  # 120..900
    ups_no_file_state: int = 5  # 5 failed or 1 none, where upsfw holds no firmware
    ups_comm_in_update: str = "restart"  # lost: "kept" never, "restart" while the UPS flashes, "all" from the start
    ups_firmware_lag_s: float = 0.0  # 0..30: successful is read before the new firmware string is
    update_with_output_on: str = "refuses"  # or "turns_off": it drops the load by itself
    update_power_loss: str = "bricked"  # or "failed": the input or the card lost in mid-update
    output_after_update: str = "stays_off"  # or "returns"
    upsfw_cut_keeps_part: bool = False  # a cut transfer leaves its first part in upsfw
    # --- the web ---
    web_login: str = "form3"  # "basic" (AOS 1, 2), "form3" (/Forms), "form_nmc" (/NMC/<pre>/Forms), "form601" (cookie)
    web_token: str = "new"  # the session's folder: "new", or "kept", the one that the login form was under
    web_refusal: str = "page"  # a wrong password: the login "page" again, "forbidden" 403, "redirect" to the login page
    web_busy_at: str = "login"  # the busy page comes in place of the login page ("first"), or after the "login"
    web_body: str = "length"  # how a page ends: "length", "chunked", or "close"
    web_event_page: str = "eventweb.htm"  # the names on an AP77xx are [?]
    web_about_page: str = "ulabout.htm"
    # --- recovery of a dead controller (BULLETINS.md, the AP7723 thread) ---
    revives_at_attempt: int = 1  # which download after a rest and with the app sent anew succeeds: 1 or 2
    revives_by_cold_start: bool = False  # the rest alone, before any file is sent
    # --- what makes a card mean (SAFETY, second edition) ---
    deaf_while_storing: str = "none"  # no SNMP from STOR to its end: "none", "aos", "app", "both"
    deaf_after_s: float = 0.0  # 0..8: it still answers for so long after STOR
    deaf_answers_at_s: float = 0.0  # so long after STOR it answers once more, for DEAF_GAP_S; 0 = never
    restarts_after_app: tuple[float, ...] = ()  # restarts by itself: how long it is up before each of them, 5..400
    app_start_more_s: float = 0.0  # up to 150: the AOS answers, the app does not yet, for long
    comm_cached_s: float = 0.0  # 0..15: an app that starts shows "established" and old values unasked
    download_retry_s: float = 0.0  # a failed download is tried again so much later, without a restart; 0 = never
    failed_row_found: str = "none"  # in the log at the beginning: "none", "older" than the newest start, "standing"
    serial_after_file: str = "same"  # see SERIALS_AFTER_FILE: what reads differently after a file was installed
    serial_after_which: str = "app"  # "aos" or "app"
    uptime_start_s: float = 0.0  # at the beginning; 0 = the device file's
    file_rate_bps: float = 0.0  # how fast the card takes a file, in bytes/s; 0 = the device file's

    def but(self, **changes: Any) -> Knobs:
        return replace(self, **changes)

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    @classmethod
    def random(cls, rng: random.Random, **fixed: Any) -> Knobs:
        def chance(share: float) -> bool:
            return rng.random() < share

        drawn: dict[str, Any] = {
            "down_s": rng.uniform(40, 240),
            "boot_s": rng.uniform(20, 120),
            "ftp_ready_delay_s": rng.choice([0.0, rng.uniform(0, 20)]),
            "app_start_s": rng.uniform(0, 30),
            "old_app_runs_on_new_aos": chance(0.6),
            "app_trouble_shown": rng.choice(["absent", "letter"]),
            "starting_shown": chance(0.5),
            "last_transfer_updates": chance(0.6),
            "banner_has_model": chance(0.6),
            "banner_model": "card" if chance(0.03) else "unit",
            "aos_cut_leaves_no_aos": chance(0.2),
            "reset_ends_session": chance(0.6),
            "sets_dropped_while_logged_in": chance(0.7),
            "network_quiet": chance(0.3),
            "card_sn": rng.choice(["same", "same", "junk", "absent"]),
            "max_varbinds": rng.choice([0, 0, 24, 12]),
            "comm_delay_s": rng.uniform(5, 60),
            "comm_before": rng.choice([1, 3]),
            "comm_before_warm": rng.choice([1, 2, 3]),
            "download_delay_s": rng.choice([0.0, 180.0, rng.uniform(0, 180), rng.uniform(60, 180)]),
            "download_s": rng.uniform(20, 90),
            "comm_during_download": rng.choice(DOWNLOAD_COMM),
            "ats_during_download": rng.choice(NOT_FRESH),
            "ats_when_lost": rng.choice(NOT_FRESH),
            "ats_before_comm": rng.choice(NOT_FRESH),
            "comm_when_dead": rng.choice([3, 3, 1]),
            "comm_gap_after_download_s": rng.choice([0.0, rng.uniform(1, 15)]),
            "success_row": chance(0.3),
            "settings_lost_by_flash": chance(0.25),
            "name_lost_by_flash": chance(0.2),
            "bundled_newer": chance(0.05),
            "failed_attempt_chatters": chance(0.7),
            "controller_recoverable": chance(0.7),
            "rest_needed_s": rng.uniform(60, 300),
            "ats_lag_s": rng.choice([0.0, rng.uniform(0, 15)]),
            "dead_voltage": rng.choice(["zero", "zero", "minus_one", "no_row", "ghost"]),
            "ghost_v": rng.uniform(5, 30),
            "dead_frequency": rng.choice(["zero", "minus_one", "absent"]),
            "dead_supply_24v": rng.choice([1, 1, 2, 0]),
            "internal_supplies": rng.choice(["fitted", "fitted", "minus_one", "zero", "absent"]),
            "over_current": rng.choice(["plain", "state"]),
            "small_current_reads_zero": chance(0.5),
            "phase_shift_deg": rng.choice([0.0, 0.0, 120.0, 180.0]),
            "voltage_jitter_v": rng.choice([0.0, 0.0, 0.0, 1.5]),
            "second_transfer_harms": True,
            "event_layout": rng.choice(EVENT_LAYOUTS),
            "log_rows": rng.choice([25, 60, 300, 400]),
            "clock_offset_s": rng.choice([0.0, 0.0, -3600.0, 86400.0 * 400, -86400.0 * 7000]),
            "clock_lost_at_cold_start": chance(0.3),
            "log_cleared_at_cold_start": chance(0.1),
            "serial_in_config": chance(0.3),
        }
        # of their own: a history of an ATS stays the same when the UPS gets another knob
        own = random.Random(repr(drawn["down_s"]))
        drawn |= {
            "outlet_tree": own.choice(["present", "present", "absent", "zero"]),
            "ups_values_when_lost": own.choice(NOT_FRESH),
            "ups_update_answer": own.choice(["at_once", "late", "start"]),
            "ups_update_answer_s": own.uniform(0, 10),
            "ups_update_s": own.uniform(120, 900),
            "ups_no_file_state": own.choice([5, 1]),
            "ups_comm_in_update": own.choice(["kept", "restart", "all"]),
            "ups_firmware_lag_s": own.choice([0.0, own.uniform(0, 30)]),
            "update_with_output_on": own.choice(["refuses", "turns_off"]),
            "update_power_loss": own.choice(["bricked", "bricked", "failed"]),
            "output_after_update": own.choice(["stays_off", "returns"]),
            "upsfw_cut_keeps_part": own.random() < 0.5,
        }
        web = random.Random(f"web {drawn['down_s']!r}")
        drawn |= {
            "web_login": web.choice(["basic", "form3", "form_nmc", "form601"]),
            "web_token": web.choice(["new", "kept"]),
            "web_refusal": web.choice(["page", "forbidden", "redirect"]),
            "web_busy_at": web.choice(["first", "login"]),
            "web_body": web.choice(["length", "chunked", "close"]),
            "web_event_page": web.choice(["eventweb.htm", "eventlog.htm"]),
            "web_about_page": web.choice(["ulabout.htm", "aboutats.htm"]),
        }
        revival = random.Random(f"revival {drawn['down_s']!r}")
        drawn |= {
            "revives_at_attempt": revival.choice([1, 1, 1, 2]),
            "revives_by_cold_start": revival.random() < 0.15,
        }
        return cls(**{**drawn, **_mean(random.Random(f"mean {drawn['down_s']!r}")), **fixed})


def _mean(rng: random.Random) -> dict[str, Any]:
    """Of their own too: the histories drawn before there were any keep what they drew."""
    restarts = rng.choice([0, 0, 0, 1, 2, 3])
    quickly = rng.random() < 0.3
    wraps = rng.random() < 0.1
    return {
        "deaf_while_storing": rng.choice(["none", "none", "none", "aos", "app", "both"]),
        "deaf_after_s": rng.choice([0.0, rng.uniform(0, 8)]),
        "deaf_answers_at_s": rng.choice([0.0, 0.0, rng.uniform(8, 25)]),
        "restarts_after_app": tuple(rng.uniform(5, 30 if quickly else 400) for _number in range(restarts)),
        "app_start_more_s": rng.choice([0.0, 0.0, 0.0, rng.uniform(20, 150)]),
        "comm_cached_s": rng.choice([0.0, 0.0, rng.uniform(1, 15)]),
        "download_retry_s": rng.choice([0.0, 0.0, 0.0, rng.uniform(60, 900)]),
        "failed_row_found": rng.choice(["none"] * 8 + ["older", "standing"]),
        "serial_after_file": rng.choice(["same"] * 15 + [*SERIALS_AFTER_FILE]),
        "serial_after_which": rng.choice(["aos", "app"]),
        "uptime_start_s": UPTIME_WRAP_S - rng.uniform(30, 4000) if wraps else 0.0,
        "file_rate_bps": rng.choice([0.0, 0.0, 0.0, rng.uniform(800, 8000)]),
    }
