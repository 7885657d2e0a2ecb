# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redundancy peers: other ATSs that must be whole while this one gives up its redundancy (SAFETY 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.sample import Sample
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Comm, Redundancy
from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.options import Peer
from ansible_collections.dcops.apc.plugins.module_utils._procedure.clock import Clock
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError

APART_S = 30.0
AGAIN_S = 15.0
# So many answers in a row may be missing while a permission stands.
MISSES = 2


class Peers:
    """``bad``: what stands against a permission; empty where every peer reads well."""

    def __init__(self, clock: Clock, peers: Sequence[Peer], between: Callable[[], None] = lambda: None) -> None:
        """``between``: called before each of several peers is asked; this unit's own samples must not wait for all."""
        self._clock, self._peers, self._between = clock, peers, between
        self._good_since: dict[str, float] = {}
        self._good_last: dict[str, float] = {}
        self._missed: dict[str, int] = {}
        self._asked_s: dict[str, float] = {}
        self._why: dict[str, str] = {}

    @property
    def bad(self) -> str:
        return next((why for why in self._why.values() if why), "")

    def __bool__(self) -> bool:
        return bool(self._peers)

    def look(self, now_needed: bool = False) -> None:
        """Asks the one that was not asked for the longest, for 15 s at least; all of them where a permission is about
        to be given. One at a time: slow peers must not tear a gap into this unit's own samples, nor delay a STOP."""
        for peer in self._peers if now_needed else self._due():
            if now_needed:
                self._between()
            self._asked_s[peer.label] = self._clock.now()
            self._why[peer.label] = self._look_at(peer)

    def _due(self) -> Sequence[Peer]:
        now = self._clock.now()
        oldest = sorted(self._peers, key=lambda peer: self._asked_s.get(peer.label, float("-inf")))[:1]
        return [peer for peer in oldest if now - self._asked_s.get(peer.label, float("-inf")) >= AGAIN_S]

    @property
    def proved(self) -> bool:
        """Each read well in two samples at least 30 s apart."""
        return not self.bad and all(
            peer.label in self._good_since and self._good_last[peer.label] - self._good_since[peer.label] >= APART_S
            for peer in self._peers
        )

    def _look_at(self, peer: Peer) -> str:
        sample, why = self._read(peer)
        if sample is None:
            missed = self._missed[peer.label] = self._missed.get(peer.label, 0) + 1
            if missed > MISSES or peer.label not in self._good_since:
                self._good_since.pop(peer.label, None)
                return f"redundancy peer {peer.label} does not answer: {why}"
            return ""
        self._missed[peer.label] = 0
        wrong = _wrong(sample)
        if wrong:
            self._good_since.pop(peer.label, None)
            return f"redundancy peer {peer.label}: {wrong}"
        now = self._good_last[peer.label] = self._clock.now()
        self._good_since.setdefault(peer.label, now)
        return ""

    @staticmethod
    def _read(peer: Peer) -> tuple[Sample | None, str]:
        try:
            sample = peer.read()
        except TransportError as exc:
            return None, exc.message
        return (sample, "") if sample.answered else (None, sample.error)


def _wrong(sample: Sample) -> str:
    ats = sample.ats
    if not ats.controller_comm.is_(Comm.ESTABLISHED):
        # What it says of its redundancy may be old.
        return f"communication with its controller reads {ats.controller_comm.shown()}"
    if not ats.redundancy.is_(Redundancy.FULLY_REDUNDANT):
        return f"it reads {ats.redundancy.shown()}"
    return ""
