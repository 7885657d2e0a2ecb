# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account side of the card: one user at a time, files, and the upload of modules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import files
from .card import digest
from .firmware import BadModule, Module

if TYPE_CHECKING:
    from .model import Unit

AUTO_LOG_OFF_S = 180.0  # NMC.md: default 3 min
_MODULE = re.compile(r"^(?:apc_hw\d\d_([a-z0-9]+)_|([a-z]+?)\d).*\.bin$", re.I)


class LoginRefused(Exception):
    """``kind``: "down" (nobody listens), "busy" (another user, or starting), "auth" (wrong name or password)."""

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message or kind)
        self.kind = kind


class Store:
    """One STOR. The bytes count as they arrive; nothing is installed before finish()."""

    def __init__(self, session: Session, name: str, directory: str = "") -> None:
        self.session, self.plain, self.directory = session, name, directory
        self.name = name = f"{directory}/{name}" if directory else name
        self.unit = session.unit
        named = _MODULE.match(name)
        kind = (named.group(1) or named.group(2)).lower() if named else "file"
        self.module = kind if kind in ("aos", "bootmon", "file") else "app"
        self.data = bytearray()
        self.started_s = self.unit.now
        self.open = True
        self._told: set[str] = set()
        self.record: dict[str, Any] = {
            "name": name, "kind": self.module, "started_s": round(self.unit.now, 3), "ended_s": None, "bytes": 0,
            "complete": False, "installed": False, "outcome": "open",
        }  # fmt: skip
        self.unit.transfers.append(self.record)
        self.unit.log("transfer_started", name=name, address=session.address)
        self.unit.note(f"STOR {name}")
        self.unit.faults.happened("transfer_start")

    def write(self, chunk: bytes) -> None:
        self._alive()
        unit = self.unit
        rest = memoryview(bytes(chunk))
        while rest:
            stop = unit.faults.next_byte(self.module, len(self.data))
            part = rest if stop is None else rest[: max(0, stop - len(self.data))]
            if part:
                self._receive(part)
                rest = rest[len(part) :]
            if stop is not None and len(self.data) >= stop:
                unit.faults.byte(self.module, len(self.data))
                self._alive()
            if unit.faults.spent("transfer_cut"):
                self._end("cut")
                raise ConnectionResetError("the transfer was cut")
        self.session.touch()

    def _receive(self, part: memoryview) -> None:
        unit = self.unit
        first = not self.data
        self.data += part
        unit.bytes_received += len(part)
        self.record["bytes"] = len(self.data)
        if unit.power.unsafe and self.module != "file":
            self._violation("first_byte" if first else "byte")

    def _violation(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.unit.violate(f"{what}_{self.module}", f"{self.name} at byte {len(self.data)}")

    def finish(self) -> Module | None:
        """An orderly end of the data: header and CRC are judged, the card restarts at once. Raises BadModule."""
        self._alive()
        unit = self.unit
        data = bytes(self.data)
        self.record["complete"] = True
        unit.files_received.append(
            {"name": self.name, "size": len(data), "sha256": digest(data), "at_s": round(unit.now, 3), "complete": True}
        )
        if self.module == "file":
            if unit.ups is not None:
                unit.ups.update.stored(self.directory, self.plain, data)
            self._end("stored")
            return None
        self.open = False  # the restart ends the session, not this transfer
        try:
            module = unit.card.install(self.name, data)
        except BadModule as bad:
            self.record["complete"] = False
            unit.files_received[-1]["complete"] = False
            unit.log("transfer_failed", name=self.name, address=self.session.address)
            self._end(f"rejected: {bad}", again=True)
            unit.card.spoiled(self.module)
            raise
        self.record["installed"] = True
        self._end("installed", again=True)
        return module

    def abort(self) -> None:
        """A reset of the data connection: what came so far is thrown away."""
        if self.open:
            self._end("cut")

    def card_down(self) -> None:
        if self.open:
            self._end("card went down")

    def _end(self, outcome: str, again: bool = False) -> None:
        if not self.open and not again:
            return
        self.open = False
        unit = self.unit
        self.record["outcome"], self.record["ended_s"] = outcome, round(unit.now, 3)
        if self.session.upload is self:
            self.session.upload = None
        unit.note(f"{self.name}: {outcome}")
        if outcome == "cut":
            data = bytes(self.data)
            if unit.ups is not None:
                unit.ups.update.cut(self.directory, self.plain, data)
            entry = {"name": self.name, "size": len(data), "sha256": digest(data), "at_s": round(unit.now, 3)}
            unit.files_received.append({**entry, "complete": False})
            unit.log("transfer_failed", name=self.name, address=self.session.address)
            if self.module != "file":
                unit.card.failed_transfer()
            unit.card.spoiled(self.module)
        unit.faults.happened("transfer_end")

    def _alive(self) -> None:
        if not self.open or not self.session.alive:
            self._end("session lost")
            raise ConnectionResetError("the session is gone")


class Session:
    def __init__(self, unit: Unit, user: str, address: str) -> None:
        self.unit, self.user, self.address = unit, user, address
        self.upload: Store | None = None
        self.directory = ""  # the working directory; one level, and only where the device file names directories
        self._open = True
        self._touched_s = unit.now

    @property
    def banner(self) -> str:
        return self.unit.ftp_banner

    @property
    def alive(self) -> bool:
        """Ends with close(), with the card, and 3 minutes after the last command or byte."""
        return self._open and self.unit.now - self._touched_s < AUTO_LOG_OFF_S

    def touch(self) -> None:
        self._touched_s = self.unit.now
        self.unit.traffic()

    def fetch(self, name: str) -> bytes:
        self._need()
        if self._place(name)[0] not in ("", "logs"):
            raise FileNotFoundError(name)
        return files.fetch(self.unit, name)

    def store(self, name: str) -> Store:
        self._need()
        if self.upload is not None:
            raise PermissionError("a transfer is going on")
        directory, plain = self._place(name)
        self.upload = Store(self, plain, directory)
        return self.upload

    def cwd(self, path: str) -> str:
        """The new working directory, as PWD shows it. Raises FileNotFoundError."""
        self._need()
        self.directory = self._directory(path)
        return f"/{self.directory}"

    def _directory(self, path: str) -> str:
        parts = [] if path.startswith("/") or not self.directory else [self.directory]
        for part in path.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        if parts and (len(parts) > 1 or parts[0] not in self.unit.device.card.get("directories", ())):
            raise FileNotFoundError("no such directory")
        return parts[0] if parts else ""

    def _place(self, name: str) -> tuple[str, str]:
        """A path -> (directory, file name)."""
        if not self.unit.device.card.get("directories"):
            return "", name
        folder, slash, plain = name.rpartition("/")
        return self._directory(folder + slash if slash else ""), plain

    def close(self) -> None:
        if self.upload is not None:
            self.upload.abort()
        self._open = False

    def abort(self) -> None:
        """The connections were reset: the card may not notice and keep the user logged in (knob)."""
        if self.upload is not None:
            self.upload.abort()
        if self.unit.knobs.reset_ends_session:
            self._open = False

    def card_down(self) -> None:
        if self.upload is not None:
            self.upload.card_down()
        self._open = False

    def _need(self) -> None:
        if not self.alive:
            raise ConnectionResetError("the session is gone")
        self.touch()


class Sessions:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._all: list[Session] = []

    @property
    def open(self) -> list[Session]:
        self._all = [session for session in self._all if session.alive]
        return self._all

    @property
    def sending(self) -> bool:
        return any(session.upload is not None for session in self.open)

    def login(
        self, user: str, password: str, address: str, how: str = "ftp_login", state: str | None = None
    ) -> Session:
        """``how``: the event that a success is; ``state``: of the server asked, if that is not FTP's."""
        unit = self.unit
        unit.traffic()
        state = unit.ftp_state if state is None else state
        refused = None
        if state == "down":
            refused = LoginRefused("down", "connection refused")
        elif state == "booting":
            refused = LoginRefused("busy", "the card is starting")
        elif "session_busy" in unit.faults.active or self.open:
            refused = LoginRefused("busy", "someone is logged in")
        elif unit.accounts.get(user) != password or not password or "wrong_password" in unit.faults.active:
            refused = LoginRefused("auth", "login incorrect")
        unit.logins.append(
            {
                "time_s": round(unit.now, 3),
                "user": user,
                "ok": refused is None,
                "kind": refused.kind if refused else None,
            }
        )
        if refused:
            raise refused
        session = Session(unit, user, address)
        self._all.append(session)
        unit.log(how, user=user, address=address)
        unit.faults.happened("login")
        return session

    def card_down(self) -> None:
        for session in self._all:
            session.card_down()
        self._all = []
