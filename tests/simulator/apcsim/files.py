# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files a login can read: event.txt and config.ini. Their exact layout is [?], so event.txt has three."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Unit


def fetch(unit: Unit, name: str) -> bytes:
    """Raises FileNotFoundError; firmware cannot be read back (NMC.md)."""
    plain = name.rsplit("/", 1)[-1].lower()
    unreadable = unit.faults.active.get("files_unreadable")
    if unreadable is not None and plain in unreadable.get("names", ("event.txt", "config.ini")):
        raise FileNotFoundError(name)
    if plain == "event.txt":
        return event_txt(unit).encode()
    if plain == "config.ini":
        return config_ini(unit).encode()
    raise FileNotFoundError(name)


def _date(moment: datetime) -> tuple[str, str]:
    return moment.strftime("%m/%d/%Y"), moment.strftime("%H:%M:%S")


def event_txt(unit: Unit) -> str:
    """Newest row first, as the published list of the failed unit."""
    date, time = _date(unit.events.card_time(unit.now))
    mark = f"{unit.simulated}\t" if unit.simulated else ""
    system = unit.system
    rows = [(*_date(row.stamp), row.text, f"0x{row.code:04X}") for row in reversed(unit.events.rows)]
    layout = unit.knobs.event_layout
    if layout == "bare":
        head = [
            f"{mark}2\tFile Format Version",
            f"{date}\t{time}\tDate/Time Retrieved",
            "Name\tContact\tLocation\tIP",
            f"{system['name']}\t{system['contact']}\t{system['location']}\t{unit.address}",
            "",
            "Date\tTime\tEvent\tCode",
        ]
    else:
        head = [
            f"{mark}Network Management Card AOS\tv{unit.card.aos}",
            "File Format Version\t3",
            f"Retrieved\t{date} {time}",
            f"Name\t{system['name']}",
            f"Contact\t{system['contact']}",
            f"Location\t{system['location']}",
            f"IP\t{unit.address}",
            "",
            "Date\tTime\tEvent\tCode" if layout == "labelled" else "Date and Time\tEvent\tEvent Code",
        ]
    if layout == "joined":
        body = [f"{day} {clock}\t{text}\t{code}" for day, clock, text, code in rows]
    else:
        body = ["\t".join(row) for row in rows]
    return "\r\n".join([*head, *body]) + "\r\n"


def config_ini(unit: Unit) -> str:
    date, time = _date(unit.events.card_time(unit.now))
    system, settings = unit.system, unit.settings
    mark = f" {unit.simulated}" if unit.simulated else ""
    lines = [
        "; American Power Conversion",
        f"; Network Management Card{mark} AOS v{unit.card.aos}",
        f"; {unit.card.app_token} APP v{unit.card.app}" if unit.card.app_running else "; no APP",
        "; (c) a simulated device",
        f"; Configuration file, generated on {date} at {time} by Administrator apc",
        "",
        "[NetworkTCP/IP]",
        f"SystemIP={unit.address}",
        "SubnetMask=255.255.255.0",
        "DefaultGateway=0.0.0.0",
        "HostName=",
        "",
        "[SystemID]",
        f"Name={system['name']}",
        f"Contact={system['contact']}",
        f"Location={system['location']}",
        "",
        "[NetworkSNMP]",
        *(
            f"AccessControl{n}Community={name}\r\nAccessControl{n}AccessType={kind}"
            for n, (name, kind) in enumerate(unit.communities.items(), 1)
        ),
        "",
        "[EventLog]",
        f"EventLogSize={unit.events.bound}",
    ]
    if unit.device.ats is not None and unit.card.app_running:
        lines += ["", "[ATS]", f"PreferredSource={settings.preferred}", f"Sensitivity={settings.sensitivity}"]
        lines += [f"TransferRange={settings.transfer_range}"]
    if unit.knobs.serial_in_config:
        lines.append(f"; SerialNumber={unit.shown.unit or unit.serial}")
    return "\r\n".join(lines) + "\r\n"
