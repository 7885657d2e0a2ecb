# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files as large as real ones: a card that is deaf by SNMP while it stores must not starve its own transfer."""

from __future__ import annotations

from pathlib import Path

import pytest
from virtual_ups import AtRecord, UpsBench, update_file

from apcsim.ups_files import build_ups_file

KIB = 1024


def stored_in_s(bench: UpsBench) -> float:
    """Device seconds between the file's two records."""
    at = {record["kind"]: record["device_s"] for record in bench.evidence() if record["kind"].startswith("file_")}
    return float(at["file_end"] - at["file_begin"])


@pytest.mark.parametrize("size", [512 * KIB, 2048 * KIB])
@pytest.mark.parametrize("silent", [False, True])
def test_a_real_size_is_stored_in_its_own_time(
    size: int, silent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = UpsBench(state_dir=tmp_path)
    file = update_file(bench.device, "9.3", content=build_ups_file("SMT", 18, "9.3", size=size))
    if silent:
        bench.on_line("file to the card: ", lambda: bench.device.fault("no_answer"))
        AtRecord(monkeypatch, "file_end", bench.device.clear_faults)
    report = bench.run(file)
    assert report["state"] == "updated_output_off", report.get("error")
    alone_s = size / bench.device.ftp_rate_bps
    assert stored_in_s(bench) < 2 * alone_s + 10.0
