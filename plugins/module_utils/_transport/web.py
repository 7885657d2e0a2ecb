# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's web pages: log in as its own form wants it, read, and always log out.

A session that stays open keeps everybody else out until the card's auto-log-off (facts/NMC "Sessions and accounts").
"""

from __future__ import annotations

import base64
import contextlib
import re
import time
from types import TracebackType

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_forms import (
    EventPage,
    events_of,
    fill,
    is_busy,
    login_form,
    looks_like_login,
    values_of,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_http import Browser, Idle, Reply
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_options import PAGES, WebOptions, check_options
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_pages import read_page
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_refusals import (
    Stale,
    ended,
    no_form,
    refusal,
    reject,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_types import Page, decode

__all__ = ["EventPage", "WebLogin", "WebOptions", "open_web"]

_MAX_REDIRECTS = 5
_LOGOUT_S = 5.0
# Where the pages of a session are: of its own token, or, on old cards, all in one place.
_INSIDE = re.compile(r"((?:/NMC/[^/?#]{1,256})?/)([^/?#]*)(?:\?.*)?", re.ASCII)
_LOGIN_PAGE = re.compile(r"log_?(?:on|in|out)", re.IGNORECASE)
_REALM = re.compile(r'\bbasic\s+realm\s*=\s*"?([^",]*)"?', re.IGNORECASE)
_CARD_REALM = "apc management card"


def open_web(options: WebOptions, idle: Idle) -> WebLogin:
    """Logs in, with a session of its own. ``idle`` is called at least every half second of any wait."""
    check_options(options)
    try:
        return _logged_in(options, idle)
    except Stale:
        # Once more, with a fresh session; twice means that it is not about cookies.
        return _logged_in(options, idle)


def _logged_in(options: WebOptions, idle: Idle) -> WebLogin:
    login = WebLogin(options, idle)
    try:
        login.log_in()
    except BaseException:
        login.close()
        raise
    return login


class WebLogin:
    """``logged_out`` False after close(): the card did not answer, and may keep the session until its auto-log-off."""

    def __init__(self, options: WebOptions, idle: Idle) -> None:
        self._options = options
        self._where = options.where
        self._browser = Browser(options, idle)
        self._pages = {**PAGES, **options.pages}
        self._headers: dict[str, str] = {}
        # The folder of our own session; a guess at it while a login's answer has not come; or nothing to log out of.
        self._base = ""
        self._closed = False
        self.logged_out = True

    def __enter__(self) -> WebLogin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what there is to read -----------------------------------------------------------------------------------

    def event_log(self) -> EventPage:
        """The events that the first page of the log shows. Raises TransportError."""
        name, page = self._content("event_log")
        found = events_of(page)
        if not found.rows:
            reject(self._where, name, page)
        return found

    def about(self) -> dict[str, str]:
        """Label -> value, as the card words them. Raises TransportError."""
        name, page = self._content("about")
        found = values_of(page)
        if not found:
            reject(self._where, name, page)
            raise TransportError(
                "unsupported", f"{name} of {self._where} shows no values: is the about page called otherwise there?"
            )
        return found

    def close(self) -> None:
        """Logs out of this session, and of no other; never raises, and takes some seconds at most."""
        if self._closed:
            return
        self._closed = True
        if self._base:
            self.logged_out = False
            for _attempt in range(2):
                with contextlib.suppress(Exception):
                    self._say_goodbye()
                if self.logged_out:
                    break

    def _say_goodbye(self) -> None:
        reply = Reply()
        path = self._base + self._pages["logout"]
        try:
            self._browser.exchange(
                "GET", path, time.monotonic() + min(_LOGOUT_S, self._options.timeout_s), headers=self._headers,
                opens_session=True, reply=reply,
            )  # fmt: skip
        finally:
            # Whatever it says: it has understood.
            self.logged_out = reply.status != 0

    # -- login ---------------------------------------------------------------------------------------------------

    def log_in(self) -> None:
        deadline = time.monotonic() + self._options.timeout_s
        path, reply = self._follow("/", deadline)
        if reply.status == 401:
            self._log_in_basic(reply, deadline)
            return
        page = self._read(reply)
        form = login_form(page)
        if form is None:
            raise no_form(self._where, reply.status, page)
        target = self._browser.same_place(path, form.action or path)
        if target is None or form.method.strip().lower() != "post" or not form.whole:
            raise TransportError(
                "unsupported", f"the login form of {self._where} is none of a card: nothing was sent to it"
            )
        self._post(target, fill(form, self._options.username, self._options.password), deadline)

    def _post(self, target: str, filled: list[tuple[str, str]], deadline: float) -> None:
        # Until the answer names the session's own token: some cards keep the one that the form was under.
        inside = _INSIDE.match(target)
        self._base = inside.group(1) if inside is not None and inside.group(1) != "/" else ""
        reply = Reply()
        try:
            self._browser.exchange("POST", target, deadline, form=filled, opens_session=True, reply=reply)
        finally:
            base = self._landed(target, reply)
            if reply.status:
                # Wherever else it leads: what it opened, it opened here.
                self._base = base
        if base not in ("", "/") and self._browser.same_place(target, reply.location) is not None:
            return
        if reply.redirects:
            # 303 asks for a GET; 307 and 308 would want the password once more, and perhaps elsewhere.
            if reply.status in (307, 308):
                raise TransportError("transfer", f"{self._where} wants the web login sent again: refused")
            _path, reply = self._follow(self._target(target, reply), deadline)
            # Without a token in its address, a page may as well lead back to the login.
            page = self._read(reply)
            if base == "/" and reply.status == 200 and not looks_like_login(page) and not is_busy(page):
                return
        self._base = ""
        raise refusal(self._where, reply.status, self._read(reply))

    def _landed(self, target: str, reply: Reply) -> str:
        """The folder of the session that a login opened; "" where it opened none."""
        if not reply.redirects:
            return ""
        path = self._browser.same_place(target, reply.location)
        if path is None and "://" in reply.location:
            path = "/" + reply.location.partition("://")[2].partition("/")[2]
        inside = _INSIDE.fullmatch(path or "")
        if inside is None or _LOGIN_PAGE.match(inside.group(2)):
            return ""
        return inside.group(1)

    def _log_in_basic(self, challenge: Reply, deadline: float) -> None:
        """AOS 1.x and 2.x. The password goes to nobody but a card's realm."""
        realm = _REALM.search(challenge.challenge)
        if realm is None or realm.group(1).strip().lower() != _CARD_REALM:
            raise TransportError("unsupported", f"{self._where} wants a web login, but not as a management card does")
        if ":" in self._options.username:
            raise TransportError("unsupported", "a user name with a colon cannot log in to a card this old")
        pair = f"{self._options.username}:{self._options.password}"
        self._headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        self._base = "/"
        _path, reply = self._follow("/", deadline, opens_session=True)
        page = self._read(reply)
        if reply.status != 200 or is_busy(page):
            self._base = ""
            raise refusal(self._where, reply.status, self._read(reply))

    # -- pages ---------------------------------------------------------------------------------------------------

    def _content(self, what: str) -> tuple[str, Page]:
        name = self._pages[what]
        if self._closed or not self._base:
            raise TransportError("internal", f"{name} was asked for without a login")
        path, reply = self._follow(self._base + name, time.monotonic() + self._options.timeout_s)
        where = self._where
        if _LOGIN_PAGE.match(path.rpartition("/")[2]):
            raise ended(where, name)
        if reply.status == 400:
            raise Stale(where)
        if reply.status in (401, 403):
            raise TransportError("auth", f"{where} does not show {name} to this user, or has ended the session")
        if reply.status == 404:
            raise TransportError("unsupported", f"{where} has no page {name}: is it called otherwise there?")
        if reply.status != 200:
            raise TransportError("transfer", f"{where} answered {name} with {reply.status} (web)")
        return name, self._read(reply)

    def _follow(self, path: str, deadline: float, opens_session: bool = False) -> tuple[str, Reply]:
        for _redirect in range(_MAX_REDIRECTS + 1):
            reply = self._browser.exchange("GET", path, deadline, headers=self._headers, opens_session=opens_session)
            if not reply.redirects:
                return path, reply
            path = self._target(path, reply)
        raise TransportError("transfer", f"{self._where} redirects more than {_MAX_REDIRECTS} times (web)")

    def _target(self, path: str, reply: Reply) -> str:
        target = self._browser.same_place(path, reply.location)
        if target is None:
            # Not shown where to: it is the card's text, and may hold a session's token.
            hint = " (by https?)" if reply.location.lower().startswith("https://") else ""
            raise TransportError("transfer", f"{self._where} redirects to another place{hint}: not followed (web)")
        return target

    def _read(self, reply: Reply) -> Page:
        return read_page(decode(reply.body))
