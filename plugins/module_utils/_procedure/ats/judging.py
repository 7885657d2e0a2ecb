# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The case of this moment, as the interlock is asked to judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.coldstart import ColdStart
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.fitness import covered, package_fits
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.interlock import Blind, Case, judge
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Found, Verdict

if TYPE_CHECKING:
    from ansible_collections.dcops.apc.plugins.module_utils._procedure.ats.unit import Unit


class Judging:
    """Asked several times a sample: the same question at the same moment has the same answer."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        # What the unit showed at the newest backup, as evidence has it.
        self.old: frozenset[str] = frozenset()
        self._model: str | None = None
        self._moment: tuple[object, ...] = ()
        self._verdicts: dict[tuple[object, ...], Verdict] = {}
        self._cases: dict[tuple[object, ...], Case] = {}

    def model(self) -> str | None:
        sample = self.unit.observer.good
        if sample is None:
            return None
        if sample.ats.model or sample.identity.model:
            self._model = sample.ats.model or sample.identity.model
            return self._model
        # This run's own word first: after an AOS the card may show none.
        for record in reversed(self.unit.earlier):
            unit = record.get("unit")
            if self._model is None and isinstance(unit, dict) and unit.get("model"):
                return str(unit["model"])
        return self._model

    def covered(self) -> Found:
        good = self.unit.observer.good
        return covered(good.identity, self.model()) if good else Found(False, "no answer", missing=True)

    def package_found(self) -> Found:
        good, options = self.unit.observer.good, self.unit.options
        if good is None:
            return Found(False, "no answer", missing=True)
        return package_fits(self.unit.package, good.identity, self.model(), options.allow_downgrade, options.checksums)

    def undisturbed(self) -> Found:
        foreign = self.unit.disturbance or self.unit.log.facts().foreign
        return Found(not foreign, foreign or "nothing but this run")

    def case(self, blind: Blind | None = None, sending: bool = False) -> Case:
        unit, package = self.unit, self.unit.package
        log = unit.log.facts()
        return Case(
            method=unit.options.method,
            primary=unit.primary,
            samples=unit.observer.samples,
            now_s=unit.clock.now(),
            bounds=unit.bounds,
            covered=self.covered(),
            identity=unit.same(),
            package=self.package_found(),
            undisturbed=self.undisturbed(),
            log=log,
            watch=unit.observer.watch(while_sending=sending),
            confirmed=unit.said.confirmed,
            package_aos=package.aos.version if package and package.aos else None,
            blind=blind,
            old=self.old if self._old_may_be_told(log.cold_start) else frozenset(),
        )

    def _old_may_be_told(self, start: ColdStart) -> bool:
        """Only where the log shows the cold start that came between: a card that merely restarted proves nothing."""
        return bool(start.new and start.joined and self.unit.options.method is Method.RECOVERY)

    def verdict(self, before_action: bool = False, blind: Blind | None = None, sending: bool = False) -> Verdict:
        """``sending``: a transfer is under way, so the log cannot be read again after a missing answer.

        Asked for several times a sample: the same question at the same moment has the same answer.
        """
        unit, samples = self.unit, self.unit.observer.samples
        moment = (
            *(len(samples), id(samples[-1]) if samples else 0, unit.clock.now(), id(unit.log.facts())),
            *(unit.permit, unit.disturbance, id(unit.session.facts)),
            *(unit.carry.seconds, unit.said.hearing.on_terminal),
        )
        if self._moment != moment:
            self._moment = moment
            self._verdicts.clear()
            self._cases.clear()
        which = (before_action, blind, sending)
        if which not in self._verdicts:
            case = self._cases.get(which[1:])
            if case is None:
                case = self._cases[which[1:]] = self.case(blind, sending)
            self._verdicts[which] = judge(case, before_action)
        return self._verdicts[which]
