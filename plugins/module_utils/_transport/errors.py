# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a transport raises. Kinds are those of the results (``error.kind``)."""

from __future__ import annotations


class TransportError(Exception):
    """``kind``: timeout, auth, busy, transfer, unsupported or internal; ``message`` is a sentence without secrets."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class TooBig(TransportError):
    """The agent cannot answer so many objects at once: ask for fewer."""

    def __init__(self, message: str = "the answer does not fit into one SNMP message") -> None:
        super().__init__("transfer", message)


class NotSent(TransportError):
    """Refused on this side: not a byte went out, so whatever was meant may be tried again."""

    def __init__(self, message: str) -> None:
        super().__init__("transfer", message)
