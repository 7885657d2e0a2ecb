# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done with this unit at all (SAFETY 4, entry): the first of five cases that applies.

Private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.quiet import LONG_UPTIME_S
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import FirmwareFile
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import unfinished

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
    refuse_foreign(unit)
    package = unit.package
    if package is None or package.aos is None or package.app is None:
        raise Stop("package", "a package with an AOS and an app is needed")
    card = unit.observer.newest.identity
    files: list[FirmwareFile] = []
    if card.aos.version != package.aos.version:
        files.append(package.aos)
    app_differs = card.app_token is None or card.app.version != package.app.version
    method = unit.options.method
    only_disconnected = unit.confirmed["secondary_disconnected"].ok and not unit.confirmed["no_load"].ok
    if method is Method.APP_ONLY and only_disconnected and unit.options.primary is None:
        raise Stop("refused", "app_only with secondary_disconnected needs primary_source: the input that stays")
    if method in (Method.RECOVERY, Method.APP_ONLY):
        # These speak of one situation only, and their checks refuse any other.
        return Entry(EntryKind.SEND, f"method {method.value}", (*files, package.app))
    if not app_differs and not unit.observer.newest.app_answers:
        app_differs = not _app_comes(unit)
    if app_differs:
        files.append(package.app)
    earlier = unfinished(unit.earlier)
    note = f"; an earlier run ({earlier.get('run')}) sent {earlier.get('file')} and did not settle" if earlier else ""
    if files:
        return Entry(EntryKind.SEND, f"{' and '.join(file.file for file in files)} to be sent{note}", tuple(files))
    return _nothing_differs(unit, package.app, bool(earlier), note)


def _app_comes(unit: Unit) -> bool:
    end = unit.clock.now() + APP_BOOT_S
    while unit.clock.now() < end:
        if unit.observer.next().app_answers:
            return True
    return False


def _nothing_differs(unit: Unit, app: FirmwareFile, earlier: bool, note: str) -> Entry:
    sample = unit.observer.newest
    readable = unit.read_log()
    facts = unit.log.facts()
    if earlier:
        return Entry(EntryKind.WATCH, f"the wanted versions run{note}")
    if sample.uptime_s is None or sample.uptime_s < LONG_UPTIME_S:
        return Entry(EntryKind.WATCH, f"the card restarted {sample.uptime_s or 0:.0f} s ago")
    if not readable:
        return Entry(EntryKind.WATCH, f"the event log cannot be read: {facts.error}")
    if not sample.ats.controller_comm.is_(Comm.ESTABLISHED):
        return Entry(
            EntryKind.CONTROLLER_LOST, f"communication with the controller: {sample.ats.controller_comm.shown()}"
        )
    if facts.failed_since_start:
        reason = f"since the last start a download into the controller failed: {facts.failed_since_start}"
        return Entry(EntryKind.RESEND_APP, reason, (app,))
    return Entry(EntryKind.UNCHANGED, "the wanted versions run and nothing is open")
