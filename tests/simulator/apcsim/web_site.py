# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the card's web server answers, and to whom: the logins of its generations (knob ``web_login``).

Facts (NMC.md "Web"): the form's own action and hidden fields, 303 to the session's own folder, Basic before AOS 3, one
user at a time. Nothing but logout.htm or the auto-log-off ends a session: a browser that is gone leaves it open.
"""

from __future__ import annotations

import base64
import random
from collections import deque
from dataclasses import dataclass, field

from . import web_pages
from .model import Unit
from .sessions import LoginRefused, Session

REALM = "APC Management Card"
COOKIE = "C0"


@dataclass
class Answer:
    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    method: str
    path: str
    form: dict[str, list[str]]
    cookie: str | None
    authorization: str
    address: str

    @property
    def page(self) -> str:
        return self.path.rpartition("/")[2]

    def one(self, name: str) -> str:
        return (self.form.get(name) or [""])[0]


def state(unit: Unit) -> str:
    """ "up", "booting" (503) or "down"."""
    if not unit.card.up or unit.faults.active.get("no_answer", {}).get("ftp"):
        return "down"
    return "booting" if unit.now < unit.card.ready_s else "up"


class Site:
    """What the card answers, and to whom. Called with the model's mutex held."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.asked: deque[str] = deque(maxlen=100)  # names of pages, for tests
        self._secrets = random.Random(f"web {unit.serial} {unit.seed}")
        self._forget()

    def _forget(self) -> None:
        self._boots = self.unit.card.boots
        self._sessions: dict[str, tuple[Session, str | None]] = {}
        self._basic: tuple[Session, str] | None = None
        self._forms: deque[tuple[str, str]] = deque(maxlen=32)  # folder and hidden value of every login page given out
        self._cookies: deque[str] = deque(maxlen=32)

    def _secret(self) -> str:
        return base64.urlsafe_b64encode(self._secrets.randbytes(16)).decode().rstrip("=")

    def answer(self, asked: Asked) -> Answer:
        unit = self.unit
        unit.traffic()
        self.asked.append(asked.page)
        if self._boots != unit.card.boots:
            self._forget()
        if state(unit) == "booting":
            return Answer(503, web_pages.plain("The card is starting."))
        kind = unit.knobs.web_login
        if kind == "basic":
            return self._by_basic(asked)
        headers = {}
        if kind == "form601":
            if asked.cookie is None and asked.method == "GET" and not asked.path.startswith("/NMC/"):
                asked.cookie = self._secret()
                self._cookies.append(asked.cookie)
                headers["Set-Cookie"] = f"{COOKIE}={asked.cookie}; path=/"
            elif asked.cookie not in self._cookies:  # none, or of a time before: stale
                return Answer(400, web_pages.plain("Bad Request"))
        answer = self._by_form(asked)
        answer.headers.update(headers)
        return answer

    # --- the pages of a session ---

    def _content(self, page: str) -> Answer:
        unit, knobs = self.unit, self.unit.knobs
        if page in ("", "home.htm"):
            return Answer(200, web_pages.home(unit, [knobs.web_event_page, knobs.web_about_page, "logout.htm"]))
        if page == knobs.web_event_page:
            return Answer(200, web_pages.events(unit))
        if page == knobs.web_about_page:
            return Answer(200, web_pages.about(unit))
        return Answer(404, web_pages.plain("Not Found"))

    # --- AOS 3 and later ---

    def _logon_page(self, again: bool = False) -> Answer:
        folder = "" if self.unit.knobs.web_login == "form3" else f"/NMC/{self._secret()}"
        hidden = f'{self._secret()}&"<>'
        self._forms.append((folder, hidden))
        name = "frmLogin" if not folder else "HashForm1"
        fields = {"prefLanguage": "00000000", "HashHidden": hidden}
        return Answer(200, web_pages.logon(self.unit, name, f"{folder}/Forms/login1", fields, again))

    def _by_form(self, asked: Asked) -> Answer:
        path, page = asked.path, asked.page
        if asked.method == "POST":
            return self._log_in(asked)
        if path in ("/", "/home.htm"):
            return _see("/home.htm" if path == "/" else "/logon.htm")
        parts = path.split("/")
        if len(parts) == 4 and parts[1] == "NMC" and parts[2] in self._sessions:
            session, cookie = self._sessions[parts[2]]
            if cookie is not None and cookie != asked.cookie:
                return Answer(400, web_pages.plain("Bad Request"))
            if session.alive:
                session.touch()
                if page != "logout.htm":
                    return self._content(page)
                session.close()
            del self._sessions[parts[2]]
            return _see("/logon.htm")
        if page == "logon.htm":
            if self.unit.knobs.web_busy_at == "first" and self._taken():
                return Answer(200, web_pages.busy())
            return self._logon_page()
        return _see("/logon.htm") if path.startswith("/NMC/") else Answer(404, web_pages.plain("Not Found"))

    def _taken(self) -> bool:
        return bool(self.unit.sessions.open) or "session_busy" in self.unit.faults.active

    def _log_in(self, asked: Asked) -> Answer:
        folder, slash, rest = asked.path.partition("/Forms/login1")
        if not slash or rest:
            return Answer(404, web_pages.plain("Not Found"))
        given = (folder, asked.one("HashHidden"))
        # every field of the form that was given out, and the button
        whole = given in self._forms and asked.one("prefLanguage") == "00000000" and asked.one("submit") == "Log On"
        try:
            if not whole:
                return self._logon_page(again=True)
            self._forms.remove(given)
            session = self._open(asked.one("login_username"), asked.one("login_password"), asked.address)
        except LoginRefused as refused:
            if refused.kind != "auth":
                return Answer(200, web_pages.busy())
            how = self.unit.knobs.web_refusal
            if how == "forbidden":
                return Answer(403, web_pages.plain("Forbidden"))
            return _see("/logon.htm") if how == "redirect" else self._logon_page(again=True)
        kept = self.unit.knobs.web_token == "kept" and folder
        token = folder.removeprefix("/NMC/") if kept else self._secret()
        self._sessions[token] = (session, asked.cookie if self.unit.knobs.web_login == "form601" else None)
        return _see(f"/NMC/{token}/home.htm")

    def _open(self, user: str, password: str, address: str) -> Session:
        return self.unit.sessions.login(user, password, address, how="web_login", state=state(self.unit))

    # --- AOS 1 and 2 ---

    def _by_basic(self, asked: Asked) -> Answer:
        wanted = Answer(401, web_pages.plain("Unauthorized"), {"WWW-Authenticate": f'Basic realm="{REALM}"'})
        scheme, _space, coded = asked.authorization.partition(" ")
        try:
            user, colon, password = base64.b64decode(coded).decode().partition(":")
        except ValueError:
            return wanted
        if scheme.lower() != "basic" or not colon:
            return wanted
        if self._basic is not None and not self._basic[0].alive:
            self._basic = None
        if self._basic is None or self._basic[1] != asked.address:
            if asked.page == "logout.htm":
                return Answer(200, web_pages.plain("You are now logged off."))
            try:
                self._basic = (self._open(user, password, asked.address), asked.address)
            except LoginRefused as refused:
                return wanted if refused.kind == "auth" else Answer(200, web_pages.busy())
        elif self.unit.accounts.get(user) != password:
            return wanted
        session = self._basic[0]
        session.touch()
        if asked.page == "logout.htm":
            session.close()
            self._basic = None
            return Answer(200, web_pages.plain("You are now logged off."))
        return self._content(asked.page)


def _see(where: str) -> Answer:
    return Answer(303, "", {"Location": where})
