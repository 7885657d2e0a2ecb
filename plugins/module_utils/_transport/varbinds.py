# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The varbinds of an SNMP answer, each decoded once: of one reading's some 70, few differ from the reading before.

pysnmp's decoder says what the bytes mean, here as elsewhere, and takes nine tenths of a reading's processor time to say
it. This file only finds where one varbind ends and the next begins (X.690 8.1: tag, length, content); what is not in
the plainest form is left to the decoder as a whole.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.dcops.apc.plugins.module_utils._transport.snmp_common import decoder, raw_pairs
from ansible_collections.dcops.apc.plugins.module_utils._transport.types import Oid, RawValue

_SEQUENCE = 0x30
_EMPTY_LIST = b"\x30\x00"
_LONG_TAG = 0x1F
_LONG_LENGTH = 0x80
_MAX_LENGTH_OCTETS = 4
# What one process keeps, over all units that it reads: some 4 MB at the very most.
MAX_KEPT = 4096
MAX_KEPT_OCTETS = 512

# (version, a varbind as it came) -> what it says
_KEPT: dict[tuple[int, bytes], tuple[Oid, RawValue] | None] = {}


def split(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """The message with an empty list of varbinds, and each varbind as it came. None: decode the whole."""
    try:
        tag, start, end = _element(data, 0, len(data))
        if tag != _SEQUENCE or end != len(data):
            return None
        _unused, _unused, pdu = _element(data, start, end)  # version
        _unused, _unused, pdu = _element(data, pdu, end)  # community
        pdu_tag, first, pdu_end = _element(data, pdu, end)
        if pdu_end != end:
            return None
        listed = first
        for _number in range(3):  # request-id, error-status, error-index
            _unused, _unused, listed = _element(data, listed, end)
        tag, at, list_end = _element(data, listed, end)
        if tag != _SEQUENCE or list_end != end:
            return None
        varbinds = []
        while at < end:
            _unused, _unused, behind = _element(data, at, end)
            varbinds.append(data[at:behind])
            at = behind
    except ValueError:
        return None
    inner = _wrapped(pdu_tag, data[first:listed] + _EMPTY_LIST)
    return _wrapped(_SEQUENCE, data[start:pdu] + inner), varbinds


def _element(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, and where the content begins and ends. Raises ValueError for what is cut off or not in the plain form."""
    if at + 2 > end:
        raise ValueError("cut off")
    tag, length = data[at], data[at + 1]
    start = at + 2
    if tag & _LONG_TAG == _LONG_TAG or length == _LONG_LENGTH:
        raise ValueError("a tag of several octets, or a length that is not said")
    if length > _LONG_LENGTH:
        octets = length - _LONG_LENGTH
        if octets > _MAX_LENGTH_OCTETS or start + octets > end:
            raise ValueError("length")
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    if start + length > end:
        raise ValueError("cut off")
    return tag, start, start + length


def _wrapped(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < _LONG_LENGTH:
        return bytes((tag, size)) + content
    octets = (size.bit_length() + 7) // 8
    return bytes((tag, _LONG_LENGTH + octets)) + size.to_bytes(octets, "big") + content


def pairs_of(module: Any, version: int, varbinds: list[bytes]) -> list[tuple[Oid, RawValue] | None]:
    """``module``: pysnmp's of that version. Raises whatever the decoder does for what is no varbind."""
    return [_pair(module, version, varbind) for varbind in varbinds]


def _pair(module: Any, version: int, varbind: bytes) -> tuple[Oid, RawValue] | None:
    key = (version, varbind)
    if key in _KEPT:
        return _KEPT[key]
    decoded, rest = decoder.decode(varbind, asn1Spec=module.VarBind())
    if rest:
        raise ValueError("more than one varbind")
    found = raw_pairs([module.apiVarBind.get_oid_value(decoded)])[0]
    if len(varbind) <= MAX_KEPT_OCTETS:
        if len(_KEPT) >= MAX_KEPT:
            _KEPT.clear()
        _KEPT[key] = found
    return found
