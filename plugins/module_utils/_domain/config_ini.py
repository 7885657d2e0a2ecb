# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A card's config.ini: when two of them say the same, and how one is shown without its secrets.

Facts: NMC.md "config.ini". Communities stand in it in clear text.
"""

from __future__ import annotations

import re

# It names the time of the reading and whoever read it: two readings of the same settings differ in it.
_GENERATED = re.compile(rb"^;[^\r\n]*generated on [^\r\n]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEAD = re.compile(rb"^\s*(?:;|\[)", re.MULTILINE)
_SECTION = re.compile(r"\[(?P<name>[A-Za-z][A-Za-z0-9 _./-]{0,39})\]")
_KEY = re.compile(r"(?P<key>[A-Za-z][A-Za-z0-9 _./-]{0,39}?)(?P<mark>[ \t]*=[ \t]*)(?P<value>.*)", re.DOTALL)
_HEAD_LINES = re.compile(
    r"; (?:American Power Conversion|Network Management Card(?: SIMULATED x[0-9]{1,3})? AOS v[0-9][0-9a-z.]{0,15}"
    r"|[a-z][a-z0-9]{1,9} APP v[0-9][0-9a-z.]{0,15}|no APP)"
)
# What a value must look like to be shown, and where: a deny-list cannot hold, as the real keys are [?].
_SWITCH = re.compile(r"(?:enabled?|disabled?|yes|no|on|off|true|false)?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{0,10}")
_ADDRESS = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})?")
_HOST_NAME = re.compile(r"[A-Za-z0-9.-]{0,253}")
_CHOICE = re.compile(r"[A-Za-z0-9 ]{0,20}")
# Names, contacts and locations stand in a bundle as they are; what is written like a URL may hold a password.
_TEXT = re.compile(r"(?!.*://)[^\x00-\x1f\x7f-\x9f]{0,255}")
_SHOWN: dict[str, dict[str, re.Pattern[str]]] = {
    "networktcp/ip": {
        **dict.fromkeys(("systemip", "subnetmask", "defaultgateway"), _ADDRESS),
        **dict.fromkeys(("hostname", "domainname"), _HOST_NAME),
    },
    "systemid": dict.fromkeys(("name", "contact", "location"), _TEXT),
    "networksnmp": {"access": _SWITCH},
    "networksnmpv3": {"access": _SWITCH},
    "networkftpserver": {"access": _SWITCH, "port": _NUMBER},
    "networktelnet": {"access": _SWITCH, "port": _NUMBER},
    "networkssh": {"access": _SWITCH, "port": _NUMBER},
    "networkweb": {"access": _SWITCH, "port": _NUMBER},
    "eventlog": {"eventlogsize": _NUMBER},
    "ats": dict.fromkeys(("preferredsource", "sensitivity", "transferrange"), _CHOICE),
}
HIDDEN = "(hidden)"
_WHOEVER, _COMMENT, _ODD = "; (whoever generated it)", "; (a comment)", "; (a line that is not understood)"


def plausible(data: bytes) -> bool:
    """Does it look like a card's settings at all? An error page does not."""
    return b"\0" not in data and bool(data.strip()) and len(_HEAD.findall(data[:65536])) >= 2 and b"=" in data


def same_settings(one: bytes, other: bytes) -> bool:
    return _comparable(one) == _comparable(other)


def _comparable(data: bytes) -> list[bytes]:
    return [line.rstrip() for line in _GENERATED.sub(b"", data).replace(b"\r\n", b"\n").split(b"\n")]


def without_secrets(data: bytes) -> bytes:
    """For a support bundle: only values known to be harmless are shown, and of the comments only the head's.

    Lines end at a line feed and nowhere else: whatever else a value holds is still that value. After a line that cannot
    be read nothing of its section is shown, since it may go on (a key over several lines).
    """
    lines, section, odd = [], "", False
    for raw in data.decode("latin-1").removesuffix("\n").split("\n"):
        line = raw.strip(" \t\r")
        head, match = _SECTION.fullmatch(line), _KEY.fullmatch(line)
        if head is not None:
            section, odd = head["name"].lower(), False
            lines.append(line)
        elif not line:
            lines.append("")
        elif line.startswith(";"):
            lines.append(_comment(line, section))
        elif match is None or odd:
            odd = True
            lines.append(_ODD)
        else:
            shape = _SHOWN.get(section, {}).get(match["key"].lower())
            harmless = shape is not None and shape.fullmatch(match["value"])
            lines.append(f"{match['key']}{match['mark']}{match['value'] if harmless else HIDDEN}")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _comment(line: str, section: str) -> str:
    if line in (_WHOEVER, _ODD) or (not section and _HEAD_LINES.fullmatch(line)):
        return line
    return _WHOEVER if _GENERATED.match(line.encode("latin-1")) else _COMMENT
