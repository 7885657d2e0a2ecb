# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults: what goes wrong, at once or at a given moment.

Any fault takes a moment: ``at_s`` (device time), ``after_s`` (from now, or from the moment otherwise named),
``at_byte`` with ``module`` ("aos", "app"), ``on`` (an event, see ON), and ``for_s`` (its end).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .fields import place
from .power import OTHER, SIDES

if TYPE_CHECKING:
    from .model import Unit

ON = (
    "login", "transfer_start", "transfer_end", "card_down", "card_up", "app_boot", "comm_up",
    "download_begun", "download_end", "download_failed", "update_begun", "update_transferred", "update_end",
)  # fmt: skip

# last until cleared; the values are the parameters each one takes
LASTING: dict[str, tuple[str, ...]] = {
    "no_answer": ("ftp",),  # the card is silent on SNMP, with ftp=True on FTP too
    "slow": ("latency_s",),
    "lossy": ("every",),  # every n-th request is not answered
    "snmp_missing": ("oids",),
    "snmp_minus_one": ("oids",),
    "frozen": ("oids",),
    "override": ("values",),
    "communication_lost": (),
    "session_busy": (),
    "wrong_password": (),
    "ftp_refused": (),
    "files_unreadable": ("names",),
    "scp_hangs": (),  # an SCP transfer stands still
    "ssh_refused": (),
    # of the web; "pages": only those, such as ["eventweb.htm"]; without it every page
    "web_slow": ("bytes_per_s", "pages"),
    "web_endless": ("pages",),
    "web_cut": ("pages",),
    "web_markup": (),  # the unit's name holds markup, which the pages show as it is
    "card_does_not_come_back": (),
    "comes_back_with_old_version": (),  # spent by the next installation
    "transfer_cut": (),  # spent by the next byte
    "display_failure": (),
    "redundancy": (),  # reads lost
    # a UPS and its firmware update; update_*: spent by the next update
    "update_rejected": (),
    "update_comm_lost": ("for_s",),  # in mid-transfer; without for_s for good
    "update_left_off": (),
    "update_stalls": (),
    "update_wrong_version": (),
    "set_ignored": (),  # of the update object: no error, no effect
    "set_refused": ("error",),
    "set_answer_lost": (),  # any SET is taken, its answer never comes
}


@dataclass
class _Waiting:
    name: str
    params: dict[str, Any]
    for_s: float | None
    on: str | None = None
    after_s: float = 0.0
    at_byte: int | None = None
    module: str | None = None


class Faults:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.active: dict[str, dict[str, Any]] = {}
        self._waiting: list[_Waiting] = []
        self._era = 0
        self._now: dict[str, Callable[..., None]] = {
            "source_returns": self._source_returns,
            "source_fails": self._source_fails,
            "switch_fail": self._switch_fail,
            "controller_dies": lambda: unit.controller.kill("fault"),
            "controller_download_fails": self._download_fails,
            "card_restarts": self._restarts,
            "card_dies": self._card_dies,
            "log_cleared": self._clear_log,
            "clock_wrong": lambda offset_s=-86400.0 * 7000: unit.events.shift_clock(float(offset_s)),
            "web_login": lambda user="apc": unit.log("web_login", user=user, address="192.0.2.251"),
            "load_changes": lambda load_current_a: unit.patch({"load_current_a": load_current_a}),
            "load_creeps": self._load_creeps,
            "unit_swapped": unit.swap,
        }

    def names(self) -> list[str]:
        return sorted([*LASTING, *self._now])

    def add(
        self,
        name: str,
        *,
        at_s: float | None = None,
        after_s: float = 0.0,
        at_byte: int | None = None,
        module: str | None = None,
        on: str | None = None,
        for_s: float | None = None,
        **params: Any,
    ) -> None:
        if name not in LASTING and name not in self._now:
            raise ValueError(f"no fault {name!r}; there are: {', '.join(self.names())}")
        if on is not None and on not in ON:
            raise ValueError(f"no event {on!r}; there are: {', '.join(ON)}")
        if module not in (None, "aos", "app", "bootmon", "file"):
            raise ValueError("module is aos, app, bootmon or file")
        if name == "update_comm_lost" and for_s is not None:
            params, for_s = {**params, "for_s": for_s}, None  # counts from the moment it strikes
        unknown = set(params) - set(LASTING.get(name, params))
        if unknown:
            raise ValueError(f"{name} does not take {', '.join(sorted(unknown))}")
        for field in [*(params.get("oids") or ()), *params.get("values", ())]:
            place(field)  # raises ValueError now, not at the next reading
        if at_byte is not None or on is not None:
            self._waiting.append(_Waiting(name, params, for_s, on, after_s, at_byte, module))
        elif at_s is not None or after_s:
            moment = at_s if at_s is not None else self.unit.now + after_s
            self.unit.line.at(moment, self._due, self._era, name, params, for_s)
        else:
            self._apply(name, params, for_s)

    def clear(self) -> None:
        """What a fault did to the hardware stays done."""
        self._era += 1
        self._waiting.clear()
        names = list(self.active)
        for name in names:
            self.end(name)
        self.unit.controller.fail_next = False
        self.unit.changed()
        self.unit.settle()

    def end(self, name: str) -> None:
        if self.active.pop(name, None) is not None:
            if name == "communication_lost":
                self.unit.publish(now=True)
                self.unit.controller.link_back()
                if self.unit.ups is not None:
                    self.unit.ups.settle()
            if name == "display_failure":
                self.unit.power.display_ok = self.unit.controller.alive
                self.unit.publish()
            self.unit.changed()

    def spent(self, name: str) -> bool:
        """True once, if the fault is there."""
        return self.active.pop(name, None) is not None

    # --- moments ---

    def happened(self, event: str) -> None:
        if not self._waiting:
            return
        due = [wait for wait in self._waiting if wait.on == event]
        if due:
            self._waiting = [wait for wait in self._waiting if wait.on != event]
            for wait in due:
                moment = self.unit.now + wait.after_s
                self.unit.line.at(moment, self._due, self._era, wait.name, wait.params, wait.for_s)

    def next_byte(self, module: str, done: int) -> int | None:
        if not self._waiting:
            return None
        places = [wait.at_byte for wait in self._waiting if wait.at_byte is not None and wait.module in (None, module)]
        return min((place for place in places if place >= done), default=None)

    def byte(self, module: str, done: int) -> None:
        due = [w for w in self._waiting if w.at_byte is not None and w.module in (None, module) and w.at_byte <= done]
        self._waiting = [wait for wait in self._waiting if wait not in due]
        for wait in due:
            if wait.after_s:
                moment = self.unit.now + wait.after_s
                self.unit.line.at(moment, self._due, self._era, wait.name, wait.params, wait.for_s)
            else:
                self._apply(wait.name, wait.params, wait.for_s)

    def _due(self, era: int, name: str, params: dict[str, Any], for_s: float | None) -> None:
        if era == self._era:
            self._apply(name, params, for_s)

    def _apply(self, name: str, params: dict[str, Any], for_s: float | None) -> None:
        self.unit.note(f"fault {name}")
        action = self._now.get(name)
        if action is not None:
            with self.unit.mishaps.by(f"fault {name}"):
                action(**params)
            return
        if name == "frozen":
            params = {**params, "cells": self.unit.frozen_cells(params.get("oids"))}
        self.active[name] = params
        if name == "display_failure":
            self.unit.power.display_ok = False
            self.unit.log_ats("display_7segment")
        if name == "communication_lost":
            self.unit.log_ats("comm_lost")
        self.unit.changed()
        self.unit.settle()
        if for_s is not None:
            self.unit.line.after(for_s, self._over, self._era, name, params)

    def _over(self, era: int, name: str, params: dict[str, Any]) -> None:
        if era == self._era and self.active.get(name) is params:
            self.end(name)

    # --- what is done at once ---

    def _side(self, which: str | None, live: bool) -> str:
        if which is not None:
            if which not in SIDES:
                raise ValueError("input is A or B")
            return which
        power = self.unit.power
        unselected = OTHER[power.selected]
        return unselected if power.inputs[unselected].live == live else power.selected

    def _source_returns(self, input: str | None = None, voltage_v: float | None = None) -> None:
        """The feed of an input that only looked unplugged, or a plug that somebody put back."""
        if self.unit.ups is not None:
            self.unit.patch({"ups": {"input_voltage_v": voltage_v or self.unit.ups.nominal_v}})
            return
        source = self.unit.power.inputs[self._side(input, live=False)]
        source.plugged = True
        source.feed_v = float(voltage_v if voltage_v is not None else max(source.feed_v, self.unit.power.nominal_v))
        self.unit.power.settle()

    def _source_fails(self, input: str | None = None, voltage_v: float = 0.0) -> None:
        if self.unit.ups is not None:
            self.unit.patch({"ups": {"input_voltage_v": voltage_v}})
            return
        self.unit.power.inputs[self._side(input, live=True)].feed_v = float(voltage_v)
        self.unit.power.settle()

    def _restarts(self, why: str = "reset", cold: bool = False, more: Sequence[float] = ()) -> None:
        """``more``: it restarts again by itself, up for so long each time."""
        self.unit.card.restart_again(more)
        self.unit.card.restart(str(why), bool(cold))

    def _clear_log(self) -> None:
        self.unit.events.clear()  # whose log it is then: another unit may be here

    def _load_creeps(self, first_a: float = 0.4, then_a: float = 8.0, then_s: float = 60.0) -> None:
        """A load that nobody sees at first, and then everybody."""
        self.unit.patch({"load_current_a": first_a})
        self.unit.line.after(then_s, self._due, self._era, "load_changes", {"load_current_a": then_a}, None)

    def _switch_fail(self) -> None:
        self.unit.power.switch_ok = False
        self.unit.power.settle()

    def _download_fails(self) -> None:
        self.unit.controller.fail_next = True

    def _card_dies(self) -> None:
        self.unit.card.gone = True
        self.unit.card.go_down("fault", False, 0.0)
