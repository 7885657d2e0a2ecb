# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a card did not let us in, or did not show a page: the refusals of a web login told apart.

facts/NMC "Web" and "Sessions and accounts". No text of the card is repeated.
"""

from __future__ import annotations

from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_forms import (
    is_busy,
    is_without_app,
    looks_like_login,
)
from ansible_collections.dcops.apc.plugins.module_utils._transport.web_types import Page


class Stale(TransportError):
    """The card answered 400: AOS 6.0.1 does so to a cookie that is missing or of an earlier session."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "transfer",
            f"{where} answered 400 (bad request): AOS 6.0.1 does so to a cookie that is missing or of an earlier "
            "session; close other logins from this computer, or wait for the card's auto-log-off",
        )


def refusal(where: str, status: int, page: Page) -> TransportError:
    """Of the answer to a user name and password."""
    if is_busy(page):
        return busy(where)
    if status == 400:
        return Stale(where)
    if status in (401, 403) or looks_like_login(page):
        return TransportError("auth", f"{where} refused the web user name or password")
    return TransportError("unsupported", f"{where} answered the web login unintelligibly ({status})")


def no_form(where: str, status: int, page: Page) -> TransportError:
    """Of a page that should have held the login form."""
    if is_busy(page):
        return busy(where)
    if status == 400:
        return Stale(where)
    if status == 403:
        return TransportError("auth", f"{where} does not let this computer see its web pages (403)")
    if status == 503:
        return TransportError("busy", f"the web server of {where} is not ready (503)")
    return TransportError("unsupported", f"{where} shows no login of a management card on its web pages ({status})")


def reject(where: str, name: str, page: Page) -> None:
    """Of a page without what was looked for: what else is it? Values may hold any words, so only of such a page."""
    if looks_like_login(page):
        raise ended(where, name)
    if is_busy(page):
        raise busy(where)
    if is_without_app(page):
        raise TransportError("unsupported", f"{where} runs without its app: it cannot show {name}")


def busy(where: str) -> TransportError:
    return TransportError("busy", f"somebody is logged in to {where}, which takes one user at a time (web)")


def ended(where: str, name: str) -> TransportError:
    return TransportError("transfer", f"{where} ended the web session before it showed {name}")
