# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session of requests for which a redirect is an answer like any other."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # named as missing by whoever is given a URL
    import requests


def one_answer_session() -> requests.Session:
    """Even with ``allow_redirects=False`` a session reads and decompresses a redirect's whole body, of any size."""

    class OneAnswer(requests.Session):
        def get_redirect_target(self, resp: Any) -> None:
            return None

    return OneAnswer()
