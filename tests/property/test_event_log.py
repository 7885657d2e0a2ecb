# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event log's reader over thousands of random and mutated logs: no exception, and no line lost."""

from __future__ import annotations

import random
import re

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain import events as reader
from ansible_collections.dcops.apc.plugins.module_utils._domain.event_kinds import KINDS, events_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.events import EventLog, parse_event_log
from ansible_collections.dcops.apc.plugins.module_utils._domain.findings import findings_of
from ansible_collections.dcops.apc.plugins.module_utils._runs.nmc_event_log_info import result_of
from apcsim.knobs import EVENT_LAYOUTS, Knobs
from apcsim.model import Unit as Device

BATCHES, PER_BATCH = 20, 500
_BLANK = re.compile("[\\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def seeds() -> list[bytes]:
    """What the simulated cards answer, in each layout, and the rows of the published failure."""
    found = []
    for layout in EVENT_LAYOUTS:
        for name in ("ap7723", "ap7724", "smt1500rm2u"):
            device = Device.load(name, Knobs(event_layout=layout))
            session = device.login("apc", "apc")
            found.append(session.fetch("event.txt"))
            session.close()
    found.append(
        b"09/05/2017 23:21:26 Automatic Transfer Switch: ATS Controller firmware download failed.\n"
        b"09/05/2017 23:21:26 Automatic Transfer Switch: ATS Controller firmware download begun.\n"
        b"09/05/2017 23:19:36 Automatic Transfer Switch: 7-Segment display hardware failure.\n"
        b"09/05/2017 23:19:36 System: Data Log cleared. 0x0012\n"
    )
    return found


_ODD = (
    "\t",
    " ",
    "0x0001",
    "0xZZZZ",
    "13/45/2099",
    "99:99:99",
    "\u202e",
    "\xe9",
    "\u65e5\u672c",
    "{{ 1/0 }}",
    "<b>",
    "=cmd",
)
_ODD += ("\x1b[2J", "Automatic Transfer Switch: ", "ATS Controller firmware download begun.", "Date\tTime\tEvent\tCode")
_ODD += ("01/01/1970\t00:00:00\t", "Name\tContact\tLocation", "System: ", "\ufeff", "\x00", "-1", "A" * 600)


def mutated(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    for _step in range(rng.randrange(1, 8)):
        index = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0:
                lines.insert(index, rng.choice(_ODD).encode())
            case 1:
                at = rng.randrange(len(lines[index]) + 1)
                lines[index] = lines[index][:at] + rng.choice(_ODD).encode() + lines[index][at:]
            case 2:
                lines[index] = lines[index][: rng.randrange(len(lines[index]) + 1)]
            case 3:
                rng.shuffle(lines)
            case 4:
                lines.reverse()
            case 5:
                lines[index] = bytes(rng.randrange(256) for _byte in range(rng.randrange(40))).replace(b"\n", b"")
            case 6:
                lines[index] = lines[index].replace(b"\t", rng.choice([b" ", b"", b"\t\t", b","]))
            case 7:
                lines += [lines[index]] * rng.randrange(4)
            case _:
                lines[index] = re.sub(rb"\d", lambda _m: b"%d" % rng.randrange(10), lines[index])
    text = rng.choice([b"\n", b"\n", b"\r\n"]).join(lines)
    encoding = rng.random()
    if encoding < 0.05:
        return text.decode("latin-1").encode("utf-16")
    return text if encoding < 0.95 else text[: rng.randrange(len(text) + 1)]


def noise(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return bytes(rng.randrange(256) for _byte in range(rng.randrange(400)))
    return "\n".join("".join(rng.choice(_ODD) for _part in range(rng.randrange(6))) for _row in range(12)).encode()


def wanted_lines(data: bytes) -> list[str]:
    """By another way than the reader's: every line that shows anything."""
    text = reader.decode_text(data)
    lines = text.split("\n") if "\n" in text else text.split("\r")
    return [shown for shown in (_BLANK.sub("", line) for line in lines) if shown]


def kept_lines(log: EventLog) -> list[str]:
    lines = (*log.head, *(row.line for row in log.rows), *log.passed_over)
    return [shown for shown in (_BLANK.sub("", line) for line in lines) if shown]


def missing(data: bytes, log: EventLog) -> list[str]:
    left = kept_lines(log)
    lost = []
    for line in wanted_lines(data):
        if line in left:
            left.remove(line)
        elif len(line) < 400:
            # A longer one is kept by its beginning and its end.
            lost.append(line)
    return lost


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_exception_and_no_line_lost(batch: int) -> None:
    rng = random.Random(f"event log {batch}")
    samples = seeds()
    for number in range(PER_BATCH):
        data = noise(rng) if number % 10 == 9 else mutated(rng, rng.choice(samples))
        log = parse_event_log(data)
        assert missing(data, log) == [], (batch, number, data[:300])
        events = events_of(log)
        assert len(events) == len(log.rows)
        assert {event.kind for event in events} <= set(KINDS)
        for finding in findings_of(events):
            assert finding.events and set(finding.events) <= set(events)
        result = result_of(log, {"kinds": None, "limit": 5000})
        assert result["total"] == len(result["events"]) == len(log.rows)


def test_the_reader_is_asked_ten_thousand_times() -> None:
    assert BATCHES * PER_BATCH >= 10_000


def test_it_would_notice_a_lost_line(monkeypatch: pytest.MonkeyPatch) -> None:
    data = seeds()[0]
    log = parse_event_log(data)
    assert missing(data, log) == []
    assert missing(data, EventLog(log.head, log.rows[1:], log.newest_first, True)) != []
