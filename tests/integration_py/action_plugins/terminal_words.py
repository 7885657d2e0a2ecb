# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For the tests: a run as the terminal sees it. Waits for a file, talks, asks, and writes down what it heard."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.dcops.apc.plugins.plugin_utils._progress import LiveProgress


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(None, task_vars)
        folder, chatter = Path(self._task.args["folder"]), int(self._task.args.get("chatter", 0))
        progress = LiveProgress(label="ats-01")
        (folder / "begun").touch()
        self._wait_for(folder / "go")
        begun = time.monotonic()
        for number in range(chatter):
            progress.say(f"chatter {'x' * 300} {'abcdefghij'[number % 10] * (number % 97 + 1)}")
        progress.stop("STOP, DO NOT PULL: the primary is lost")
        told: dict[str, Any] = {"talked_s": time.monotonic() - begun}
        told["permitted"] = progress.permit("you may disconnect source B now")
        question = progress.question("type 'B' and ENTER once it is so: ")
        told["asked"] = question is not None
        (folder / "asked").touch()
        heard: list[str] = []
        end = time.monotonic() + 30
        while question is not None and "B" not in heard and time.monotonic() < end:
            line = question.poll()
            if line is not None:
                heard.append(line)
            time.sleep(0.02)
        if question is not None:
            question.close()
        told["heard"] = heard
        self._wait_for(folder / "end") if chatter else None
        (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
        progress.finish()
        return {"changed": False}

    @staticmethod
    def _wait_for(path: Path) -> None:
        end = time.monotonic() + 60
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.02)
