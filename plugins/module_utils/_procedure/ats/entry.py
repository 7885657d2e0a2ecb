# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done with this unit at all (SAFETY 4, entry): the first of five cases that applies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import (
    LONG_UPTIME_S,
    download_open,
    failed_stands,
)
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwareFile
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop

# An app that has just been started answers after a while; that is no reason to send it again.
APP_BOOT_S = 120.0


class EntryKind(Enum):
    SEND = "send"
    WATCH = "watch"
    CONTROLLER_LOST = "controller_lost"
    RESEND_APP = "resend_app"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Entry:
    kind: EntryKind
    reason: str
    files: tuple[FirmwareFile, ...] = ()

    @property
    def sends(self) -> bool:
        return bool(self.files)

    def plan(self, unit: Unit) -> list[dict[str, object]]:
        card = unit.observer.newest.identity
        installed = {"aos": card.aos.version, "app": card.app.version}
        return [
            {
                "file": file.file,
                "kind": file.kind,
                "installed": str(installed[file.kind]) if installed.get(file.kind) else None,
                "version": str(file.version),
            }
            for file in self.files
        ]


def refuse_foreign(unit: Unit) -> None:
    """Before anything else: a unit that is not covered, or a package that is not this unit's, ends the run."""
    verdict = unit.verdict(before_action=True)
    for name in ("covered", "package"):
        check = verdict.check(name)
        if check is not None and not check.ok and not check.missing:
            raise Stop("refused", f"{name}: {check.observed}", verdict)


def classify(unit: Unit) -> Entry:
    """The log first, then the sample that is judged: a login may wait for minutes (SAFETY 4, entry)."""
    refuse_foreign(unit)
    package = unit.package
    if package is None or package.aos is None or package.app is None:
        raise Stop("package", "a package with an AOS and an app is needed")
    files = [package.aos] if unit.observer.newest.identity.aos.version != package.aos.version else []
    method = unit.options.method
    if method in (Method.RECOVERY, Method.APP_ONLY):
        # These speak of one situation only, and their checks refuse any other.
        return Entry(EntryKind.SEND, f"method {method.value}", (*files, package.app))
    if _app_differs(unit, package.app):
        files.append(package.app)
    if files:
        return _sends(unit, tuple(files))
    readable = unit.read_log()
    unit.observer.fresh()
    if _app_differs(unit, package.app):
        return _sends(unit, (package.app,))
    return _nothing_differs(unit, package.app, readable)


def _sends(unit: Unit, files: tuple[FirmwareFile, ...]) -> Entry:
    left = unit.keeper.left_behind
    note = f"; an earlier run began {left.file or 'a file'} and did not settle" if left is not None else ""
    return Entry(EntryKind.SEND, f"{' and '.join(file.file for file in files)} to be sent{note}", files)


def _app_differs(unit: Unit, app: FirmwareFile) -> bool:
    sample = unit.observer.newest
    card = sample.identity
    if sample.answered and (card.app_token is None or card.app.version != app.version):
        return True
    return not sample.app_answers and not _app_comes(unit)


def _app_comes(unit: Unit) -> bool:
    end = unit.clock.now() + APP_BOOT_S
    while unit.clock.now() < end:
        if unit.observer.next().app_answers:
            return True
    return False


def _nothing_differs(unit: Unit, app: FirmwareFile, readable: bool) -> Entry:
    sample, facts = unit.observer.newest, unit.log.facts()
    if not sample.answered or sample.uptime_s is None or sample.uptime_s < LONG_UPTIME_S:
        return Entry(EntryKind.WATCH, f"the card restarted {sample.uptime_s or 0:.0f} s ago")
    if not readable:
        return Entry(EntryKind.WATCH, f"the event log cannot be read: {facts.error}")
    established = sample.ats.controller_comm.is_(Comm.ESTABLISHED)
    if not established:
        return Entry(
            EntryKind.CONTROLLER_LOST, f"communication with the controller: {sample.ats.controller_comm.shown()}"
        )
    failed = failed_stands(facts, unit.observer.watch(), established)
    if failed and facts.failed_then_begun and download_open(facts, unit.observer.watch()):
        # A later download may have ended without one: its 300 s are watched before anything is sent again.
        return Entry(EntryKind.WATCH, f"a download was begun behind the failed one: {facts.begun}")
    if failed:
        return Entry(EntryKind.RESEND_APP, f"a download into the controller failed: {failed}", (app,))
    left = unit.keeper.open_file
    if left is not None:
        return Entry(EntryKind.WATCH, f"the wanted versions run; {left.file or 'a file'} was sent and has not settled")
    if unit.disturbance:
        return Entry(EntryKind.WATCH, f"undisturbed: {unit.disturbance}")
    return Entry(EntryKind.UNCHANGED, "the wanted versions run and nothing is open")
