# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recovery knows its own unit's evidence again as the permit does: by one and the same rule (SAFETY 2)."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.recovery_case import Way, case_of
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sending import FileEvent, FileState, Sending
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import Evidence
from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._runs import ats_recovery_info

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
PARAMS: dict[str, Any] = {"host": "192.0.2.1", "snmp_port": 161}
CARD, BEFORE, AFTER = "5A1111T00001", "5A1511T00001", "5A9999T00009"
WHOLE = Sending(file="apc_hw02_g2ats_392.bin", kind="app", state=FileState.WHOLE)
SENT: dict[str, Any] = {"event": FileEvent.PROVED.value, "sending": WHOLE.to_record()}


def attempt(folder: Path, run: str, *later: tuple[str, dict[str, Any]]) -> None:
    """A recovery that sent the app whole and did not see it settle, under the serials of before."""
    head = {"method": "recovery", "unit": {"ats_serial": BEFORE, "card_serial": CARD}}
    kept = Evidence(folder, run, ["addr-192.0.2.1-161"], head, NOON)
    for kind, fields in (("recovery_attempt", {}), ("sending", SENT), *later):
        kept.write(kind, NOON, **fields)
    kept.close()


@pytest.mark.parametrize(
    ("serial", "attempts"),
    [
        # Once as the unit is known since its own file went in, once as it was, once in other letters.
        (AFTER, 2),
        (BEFORE, 2),
        (BEFORE.lower(), 2),
        (None, 2),
        # And yet another unit at this address is another one.
        ("5A7777T00007", 0),
    ],
)
def test_the_attempts_on_a_unit_whose_serial_its_own_file_changed_are_counted(
    tmp_path: Path, serial: str | None, attempts: int
) -> None:
    store = StateDir(tmp_path, ephemeral=True)
    store.prepare()
    folder = store.folder("evidence", simulated=False)
    changed = {"unit": {"ats_serial": AFTER, "card_serial": CARD}}
    attempt(folder, "000000000001")
    attempt(folder, "000000000002", ("backup", changed))
    nmc = {"serial": CARD if serial is None else CARD.lower()}
    records, files = ats_recovery_info._evidence(PARAMS, store, {"serial": serial}, nmc)
    case = case_of(records)
    assert (case.attempts, case.way) == ((attempts, Way.RECOVERY) if attempts else (0, None))
    assert len(files) == attempts
