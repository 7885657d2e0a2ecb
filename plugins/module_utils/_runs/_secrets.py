# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets kept out of results, progress and evidence: a device may answer with what it was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.dcops.apc.plugins.module_utils._files.package_url import is_url
from ansible_collections.dcops.apc.plugins.module_utils._runs._results import to_result
from ansible_collections.dcops.apc.plugins.module_utils._runs._specs import (
    MIN_SECRET,
    Spec,
    is_hideable,
    secret_options,
)

# Ansible's own word, so that both paths read alike.
HIDDEN = "********"
_UNBOUNDED = 1_000_000


def secrets_of(spec: Spec, params: Mapping[str, Any]) -> list[str]:
    """What must not be in a result, longest first: one secret may hold another."""
    found: set[str] = set()
    for name in secret_options(spec):
        value = params.get(name) or ()
        found.update(map(str, value) if isinstance(value, (list, tuple)) else (str(value),))
    src = params.get("src")
    if isinstance(src, str) and is_url(src):
        try:
            parts = urlsplit(src)
            found.update((parts.password or "", unquote(parts.password or ""), parts.query))
        except ValueError:
            pass
    return sorted(filter(is_hideable, found), key=len, reverse=True)


def hide_in_text(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def _in_urls(secret: str, safe: str) -> tuple[str, str]:
    quoted = quote(secret, safe=safe)
    return quoted, re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def hide_in_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    """As it stands in a file: in any of the usual encodings, or as JSON and URLs spell it."""
    for secret in secrets:
        spelled = json.dumps(secret)[1:-1]
        forms = {secret, spelled, spelled.replace("/", "\\/"), json.dumps(secret, ensure_ascii=False)[1:-1]}
        forms |= {form for safe in ("", "/") for form in _in_urls(secret, safe)}
        encoded = {form.encode(code, "ignore") for form in forms for code in ("utf-8", "latin-1", "utf-16-le")}
        encoded.add(secret.encode("utf-16-be", "ignore"))
        for form in sorted(encoded, key=len, reverse=True):
            if len(form) >= MIN_SECRET:
                data = data.replace(form, HIDDEN.encode())
    return data


def hidden(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return hide_in_text(value, secrets)
    if isinstance(value, dict):
        return {hidden(key, secrets): hidden(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, secrets) for item in value]
    return value


def hider(spec: Spec, params: Mapping[str, Any]) -> Callable[[Any], Any]:
    """For evidence: hides what stands in a record, before it is written."""
    secrets = tuple(secrets_of(spec, params))
    return lambda value: hidden(to_result(value, _UNBOUNDED), secrets)
