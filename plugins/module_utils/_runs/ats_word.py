# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the module ats_word. It asks no device."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._procedure.state import StateDir
from ansible_collections.dcops.apc.plugins.module_utils._procedure.words import DEEDS, SECONDARY, say_word
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import NOTHING_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import UPGRADE, ArgumentSpec, OptionError

SPEC = ArgumentSpec(
    {
        "unit": {"type": "str", "required": True},
        "what": {"type": "str", "required": True, "choices": list(DEEDS)},
        "source": {"type": "str", "choices": ["A", "B"]},
    },
    required_if=(("what", SECONDARY, ("source",)),),
).merge(UPGRADE.only("state_dir"))
ARGUMENT_SPEC, OPTIONS, LEFT = SPEC.options, SPEC.rules, NOTHING_LEFT
MAX_SERIAL = 64


def run(params: dict[str, Any], check_mode: bool, progress: object) -> dict[str, Any]:
    """A word is said anew each time: whoever says it looks at the unit each time."""
    unit = params["unit"].strip()
    if not unit or len(unit) > MAX_SERIAL or not unit.isprintable():
        raise OptionError("unit must be the serial number of the unit's name plate.")
    state_dir = StateDir(params["state_dir"]).path
    # The local offset is kept: people read it.
    now = datetime.now().astimezone()
    said = say_word(state_dir, unit, params["what"], params["source"] or "", now, write=not check_mode)
    ask = said["ask"]
    return {
        "changed": True,
        "word": said["word"],
        "asked_by": {key: ask.get(key) for key in ("permit", "run", "host", "pid", "label", "since")},
        "simulated": bool(ask.get("simulated")),
        "msg": (
            f"Check mode: NOTHING WAS SAID. It would be said to {ask['holder']}."
            if check_mode
            else f"Said to {ask['holder']}. Whether it counts is measured and told there: watch that run, not this one."
        ),
    }
