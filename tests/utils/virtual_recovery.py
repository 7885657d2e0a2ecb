# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit of BULLETINS.md in a recovery, and the person who does what the role asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from virtual_situations import Witness, exact, must_end, package
from virtual_unit import Bench, Device

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats import job
from apcsim.knobs import Knobs

# The phase's current, in tenths of an ampere.
LOAD = "1.3.6.1.4.1.318.1.1.8.5.4.3.1.4.1.1.1"
APP = "apc_hw02_g2ats_392.bin"
BOTH_OUT = {"inputs": {"A": {"plugged": False}, "B": {"plugged": False}}}
ONE_IN = {"inputs": {"A": {"plugged": True}}}
BOTH_IN = {"inputs": {"A": {"plugged": True}, "B": {"plugged": True}}}
STALE = Knobs(ats_when_lost="stale", ats_before_comm="stale")
# What a card shows that knows nothing of its controller.
NOTHING_SHOWN = Knobs(ats_when_lost="minus_one", ats_before_comm="minus_one")


class Case:
    """The unit of BULLETINS.md, from the backup on."""

    def __init__(self, tmp_path: Path, knobs: Knobs | None = None, backup: bool = True, aos: str = "392") -> None:
        self.bench = Bench(Device.load("ap7723", knobs or STALE), package(aos), tmp_path)
        self.device = self.bench.device
        must_end(self.bench, 3 * 86400.0)
        self.witness = Witness(self.bench)
        if backup:
            self.backup()

    def backup(self) -> None:
        report = self.bench.run(job.do_backup, self.options())
        assert "error" not in report, report["error"]
        self.bench.clock.sleep(120.0)

    def cold_start(self, rest_s: float = 360.0, after_s: float = 400.0, inputs: dict[str, Any] | None = None) -> None:
        self.device.patch({"load_current_a": 0.0})
        self.device.patch(BOTH_OUT)
        self.bench.clock.sleep(rest_s)
        self.device.patch(inputs or ONE_IN)
        self.bench.clock.sleep(after_s)

    def options(self, *whats: str, method: Method = Method.RECOVERY, ago_s: float = 60.0, **more: Any) -> Any:
        given = self.bench.confirm(*(whats or ("no_load", "power_cycled", "one_input")), stamp=exact(self.bench, ago_s))
        return self.bench.options(method=method, primary=Source.A, confirmations=given, action_timeout_s=90.0, **more)

    def recover(self, *whats: str, **more: Any) -> dict[str, Any]:
        return self.bench.run(job.do_upgrade, self.options(*whats, **more))

    def sound(self) -> dict[str, Any]:
        """No load dropped by the run, no damage, nobody still logged in, no word that was wrong when it was said."""
        truth = self.device.truth()
        assert not truth["damaged"] and truth["violations"] == [] and truth["writes"] == []
        assert truth["sessions_open"] == 0 and self.witness.wrong == []
        if self.device.ftp_state == "up" and not truth["faults"]:
            self.device.login("apc", "apc").close()
        return truth
