# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A card's config.ini: when two of them say the same, and how one is shown without its secrets.

Facts: NMC.md "config.ini". Communities stand in it in clear text. Private to the collection.
"""

from __future__ import annotations

import re

# It names the time of the reading and whoever read it: two readings of the same settings differ in it.
_GENERATED = re.compile(rb"^;[^\r\n]*generated on [^\r\n]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEAD = re.compile(rb"^\s*(?:;|\[)", re.MULTILINE)
_KEY = re.compile(r"^(?P<key>[^;\[=]{1,80}?)(?P<mark>\s*=\s*)(?P<value>.*)$")
# Part of a key's name -> its value is not shown. A trap receiver's or a user's name may be what somebody logs in with.
_SECRET = (
    *("community", "password", "passphrase", "passwd", "secret", "phrase", "authkey", "privkey", "key", "pin"),
    *("username", "user", "login", "snmpv3", "certificate", "token"),
)
HIDDEN = "(hidden)"


def plausible(data: bytes) -> bool:
    """Does it look like a card's settings at all? An error page does not."""
    return bool(data.strip()) and len(_HEAD.findall(data[:65536])) >= 2 and b"=" in data


def same_settings(one: bytes, other: bytes) -> bool:
    return _comparable(one) == _comparable(other)


def _comparable(data: bytes) -> list[bytes]:
    return [line.rstrip() for line in _GENERATED.sub(b"", data).replace(b"\r\n", b"\n").split(b"\n")]


def without_secrets(data: bytes) -> bytes:
    """For a support bundle: every value that may be a secret, or somebody's name, is hidden; also of unknown keys that
    say so by their name. A line that cannot be read as key and value is left out."""
    lines = []
    for raw in data.decode("latin-1").splitlines():
        line = raw.rstrip()
        match = _KEY.match(line)
        if not line or line.startswith((";", "[")):
            lines.append("; (whoever generated it)" if _GENERATED.match(line.encode("latin-1")) else line)
        elif match is None:
            lines.append("; (a line that is not understood)")
        elif any(word in match["key"].lower().replace(" ", "") for word in _SECRET) and match["value"].strip():
            lines.append(f"{match['key']}{match['mark']}{HIDDEN}")
        else:
            lines.append(line)
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")
