# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backup and verify: what the unit was before, and what it is after (SAFETY 4.3 and 4.7). Private to the collection."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .._domain.ats import AtsState, Health
from .._transport.errors import TransportError
from .errors import Stop
from .evidence import unfinished
from .unit import Unit

# Settings may be changed at any time: an older backup is no baseline for what a flash has lost.
MAX_BACKUP_AGE = timedelta(hours=24)
# The settings whose loss moves the load or the limits; a lost one is corrected before the secondary goes back.
_SETTINGS = (
    "preferred_source",
    "front_panel",
    "sensitivity",
    "transfer_range",
    "current_limit_a",
    "line_vrms_v",
    "narrow_limit_v",
    "medium_limit_v",
    "wide_limit_v",
    "frequency_deviation_hz",
)


def snapshot(ats: AtsState, name: str | None) -> dict[str, Any]:
    """What is compared afterwards, in words."""
    found: dict[str, Any] = {key: getattr(ats.settings, key).shown() for key in _SETTINGS}
    found["ats_name"] = ats.settings.name
    found["name"] = name
    found["phase_sync"] = ats.phase_sync.shown()
    found["input_a"] = ats.input_a.status.shown()
    found["input_b"] = ats.input_b.status.shown()
    found["redundancy"] = ats.redundancy.shown()
    return found


def backup(unit: Unit) -> dict[str, str]:
    """Fetches config.ini and event.txt and keeps them, 0600, beside the evidence. Returns their paths."""
    if unit.store is None:
        raise Stop("state", "a backup needs a state_dir")
    folder = unit.store.folder("backups", unit.simulated)
    login = unit.login()
    try:
        files = {name: login.fetch(name) for name in ("config.ini", "event.txt")}
        unit.log.own_transfers += 2
    finally:
        login.close()
    paths = {}
    stem = f"{unit.clock.wall():%Y%m%dT%H%M%SZ}_{unit.keys()[-1]}_{unit.run_id}"
    for name, data in files.items():
        path = folder / f"{stem}_{name}"
        _write_private(path, data)
        paths[name] = str(path)
    sample = unit.read_whole()
    unit.record(
        "backup",
        paths=paths,
        unit=unit.unit_facts(),
        settings=snapshot(sample.ats, sample.name) if sample.app_answers else None,
        unfinished=unfinished(unit.earlier) is not None,
    )
    unit.say("backup of config.ini and event.txt written", "backup")
    return {"config": paths["config.ini"], "events": paths["event.txt"]}


def _write_private(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as exc:
        raise Stop("state", f"the backup {path} cannot be written: {exc.strerror}") from exc


def baseline(unit: Unit) -> dict[str, Any] | None:
    """The last backup that was taken before anything was sent; None without one."""
    for record in reversed([*unit.earlier, *unit.evidence.summary]):
        if record.get("kind") == "backup" and not record.get("unfinished") and isinstance(record.get("settings"), dict):
            settings: dict[str, Any] = record["settings"]
            return settings
    return None


def has_backup_for_this_upgrade(unit: Unit) -> bool:
    """A backup newer than the last file sent: nothing has changed since it was taken."""
    fresh = False
    oldest = unit.clock.wall() - MAX_BACKUP_AGE
    for record in unit.earlier:
        if record.get("kind") == "backup" and record.get("settings"):
            try:
                fresh = datetime.fromisoformat(str(record.get("t"))) >= oldest
            except ValueError:
                fresh = False
        elif record.get("kind") == "stor_begin":
            fresh = False
    return fresh


def ensure_backup(unit: Unit) -> dict[str, str] | None:
    """Before the first file is sent. A card that gives no backup gets no firmware either."""
    if has_backup_for_this_upgrade(unit):
        return None
    try:
        return backup(unit)
    except TransportError as exc:
        raise Stop(exc.kind, f"the backup could not be taken, nothing was sent: {exc.message}") from exc


def verify(unit: Unit) -> tuple[list[str], list[str], bool]:
    """(settings that differ, hardware that failed, was there a baseline). The caller compares versions."""
    sample = unit.read_whole()
    if not sample.app_answers:
        raise Stop("timeout", f"the unit cannot be verified: {sample.error or 'no ATS object answers'}")
    before = baseline(unit)
    now = snapshot(sample.ats, sample.name)
    differences = []
    for key, was in (before or {}).items():
        if key in ("phase_sync", "input_a", "input_b", "redundancy"):
            continue
        if now.get(key) != was:
            differences.append(f"{key} was {was}, is {now.get(key)}")
    failed = []
    for label, reading, required in (
        ("switch", sample.ats.switch, True),
        ("display hardware", sample.ats.display_ok, False),
    ):
        if not reading.is_(Health.OK) and (required or reading.fitted):
            failed.append(f"{label} reads {reading.shown()}")
    return differences, failed, before is not None
