# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backup and verify: what the unit was before, and what it is after (SAFETY 4.3 and 4.7)."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import AtsState, Health
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._procedure.evidence import is_fresh
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

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


# Shown beside them; what reads otherwise there is no setting that was lost.
_STATES = ("phase_sync", "input_a", "input_b", "redundancy")


class Verified(NamedTuple):
    """``missing``: what the baseline says nothing of, though it reads something now."""

    differences: list[str]
    failed: list[str]
    baseline: bool
    missing: list[str]


def snapshot(ats: AtsState, name: str | None) -> dict[str, Any]:
    """What is compared afterwards, in words: only what is known. A card without its controller may know little."""
    readings = {key: getattr(ats.settings, key) for key in _SETTINGS}
    readings |= {"phase_sync": ats.phase_sync, "input_a": ats.input_a.status, "input_b": ats.input_b.status}
    readings["redundancy"] = ats.redundancy
    found: dict[str, Any] = {key: reading.shown() for key, reading in readings.items() if reading.known}
    return found | {key: text for key, text in (("ats_name", ats.settings.name), ("name", name)) if text is not None}


def backup(unit: Unit) -> dict[str, str]:
    """Fetches config.ini and event.txt and keeps them, 0600, beside the evidence. Returns their paths."""
    if unit.store is None:
        raise Stop("state", "a backup needs a state_dir")
    folder = unit.store.folder("backups", unit.simulated)
    # Before the log is read: whatever is new in a later log came after these.
    unit.note_readings()
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
        # Below state_dir, which may be moved.
        paths={name: str(Path(path).relative_to(unit.store.path)) for name, path in paths.items()},
        unit=unit.unit_facts(),
        settings=snapshot(sample.ats, sample.name) if sample.app_answers else None,
        unfinished=unit.keeper.open_file is not None,
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
            # Earlier versions of this collection wrote down in words what they did not know.
            return {key: value for key, value in settings.items() if not _not_known(value)}
    return None


def _not_known(value: object) -> bool:
    return value is None or value == "not fitted" or str(value).startswith("unknown")


def _asked_for(unit: Unit, key: str, value: object) -> bool:
    """Has a run, since the last backup, told a person to set it so?"""
    for record in reversed([*unit.earlier, *unit.evidence.summary]):
        if record.get("kind") == "backup":
            break
        if record.get("kind") == "setting_asked" and record.get("setting") == key:
            return value in (record.get("wanted") or [])
    return False


def has_backup_for_this_upgrade(unit: Unit) -> bool:
    """A backup newer than the last file sent: nothing has changed since it was taken."""
    fresh = False
    # In a recovery the one from before the outage is the better one, however old: a new one would hold the cold start.
    recovery = unit.options.method is Method.RECOVERY
    now, most = unit.clock.wall(), timedelta.max if recovery else MAX_BACKUP_AGE
    for record in unit.earlier:
        if record.get("kind") == "backup" and isinstance(record.get("settings"), dict):
            fresh = is_fresh(record, now, most)
        elif record.get("kind") == "sending":
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


def verify(unit: Unit) -> Verified:
    """Settings, switch and display as they are now. The caller compares versions."""
    sample = unit.read_whole()
    if not sample.app_answers:
        raise Stop("timeout", f"the unit cannot be verified: {sample.error or 'no ATS object answers'}")
    before = baseline(unit)
    now = snapshot(sample.ats, sample.name)
    differences = []
    for key, was in (before or {}).items():
        if key not in _STATES and now.get(key) != was and not _asked_for(unit, key, now.get(key)):
            shown = getattr(sample.ats.settings, key).shown() if key in _SETTINGS else "not readable"
            differences.append(f"{key} was {was}, is {now.get(key, shown)}")
    missing = [key for key in now if before is not None and key not in before and key not in _STATES]
    if missing:
        unit.say(f"no baseline for {', '.join(missing)}: not known when the backup was taken", "no baseline")
    failed = []
    for label, reading, required in (
        ("switch", sample.ats.switch, True),
        ("display hardware", sample.ats.display_ok, False),
    ):
        if not reading.is_(Health.OK) and (required or reading.fitted):
            failed.append(f"{label} reads {reading.shown()}")
    return Verified(differences, failed, before is not None, missing)
