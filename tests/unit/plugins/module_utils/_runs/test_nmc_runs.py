# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nmc_event_log_info and nmc_config_backup over a login of our own: every login is closed, nothing secret gets out."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs import _card_login, nmc_config_backup
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TransportError
from ansible_collections.dcops.apc.plugins.module_utils._transport.ssh_link import NoSsh

INI = (
    b"; American Power Conversion\r\n; Configuration file, generated on %s by Administrator apc\r\n"
    b"[NetworkSNMP]\r\nAccessControl1Community=Xpublic7\r\nAccess=enabled\r\n[SystemID]\r\nName=ats-rack-23\r\n"
)
LOG = (
    b"Date\tTime\tEvent\tCode\r\n"
    b"09/05/2017\t23:21:26\tAutomatic Transfer Switch: ATS Controller firmware download failed.\t0x0C21\r\n"
    b"09/05/2017\t23:21:26\tAutomatic Transfer Switch: ATS Controller firmware download begun.\t0x0C20\r\n"
    b"09/05/2017\t23:19:36\tAutomatic Transfer Switch: 7-Segment display hardware failure.\t0x0C30\r\n"
)
BASE: dict[str, Any] = {
    "host": "127.0.0.1",
    "username": "apc",
    "password": "Xpassword7",
    "transfer_protocol": "ftp",
    "transfer_port": None,
    "transfer_timeout_s": 5.0,
    "busy_timeout_s": 0.0,
    "allow_ftp": False,
    "ssh_known_hosts": None,
    "ssh_host_key": None,
    "ssh_accept_new_host_key": False,
    "ssh_legacy_algorithms": False,
}
EVENTS = {"via": "file", "kinds": None, "limit": 1000, "web_scheme": "https", "web_port": None, "web_ca_path": None}
EVENTS |= {"web_validate_certs": True, "web_event_page": None}


class Card:
    """Counts its open logins; ``answer`` is a file's contents or what goes wrong."""

    banner = ""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.open = 0
        self.opened: list[str] = []

    def opener(self, protocol: str, refused: Exception | None = None) -> Callable[..., Card]:
        def connect(*_arguments: Any) -> Card:
            self.opened.append(protocol)
            if refused is not None:
                raise refused
            self.open += 1
            return self

        return connect

    def fetch(self, _name: str, _limit: int = 0) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.open -= 1


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    made = Card(LOG)
    monkeypatch.setattr(_card_login, "open_ftp", made.opener("ftp"))
    monkeypatch.setattr(_card_login, "open_scp", made.opener("scp"))
    return made


def events(**changes: Any) -> dict[str, Any]:
    return _module.run_named("nmc_event_log_info", {**BASE, **EVENTS, **changes}, False, _module.NullProgress())


def backup(dest: Path, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
    params = {**BASE, "dest": str(dest), "name": "config.ini", **changes}
    return _module.run_named("nmc_config_backup", params, check_mode, _module.NullProgress())


def test_the_log_with_its_finding(card: Card) -> None:
    result = events()
    assert [finding["id"] for finding in result["findings"]] == ["controller_never_booted"]
    assert result["total"] == 3 and result["order_known"] and not result["changed"] and card.open == 0
    assert [event["kind"] for event in result["events"]] == [
        "display_hardware_failure",
        "controller_download_begun",
        "controller_download_failed",
    ]


def test_what_is_shown_does_not_change_what_is_found(card: Card) -> None:
    result = events(kinds=["login"], limit=1)
    assert result["events"] == [] and result["total"] == 3 and len(result["findings"]) == 1
    assert [event["kind"] for event in events(limit=1)["events"]] == ["controller_download_failed"]


@pytest.mark.parametrize("limit", [0, -1, 5001])
def test_a_limit_out_of_range_asks_nobody(limit: int, card: Card) -> None:
    assert events(limit=limit)["error"]["kind"] == "unsupported" and card.opened == []


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"<html>Someone is currently logged in</html>", b"\x00" * 300])
def test_what_is_no_log_is_an_error(data: bytes, card: Card) -> None:
    card.answer = data
    assert events()["error"]["kind"] == "transfer" and card.open == 0


def test_a_cut_log_says_so(card: Card) -> None:
    card.answer = LOG + b"x" * 262144
    assert any("cut" in text for text in events()["warnings"])


@pytest.mark.parametrize("kind", ["transfer", "timeout", "busy", "auth"])
@pytest.mark.parametrize("module", ["events", "backup"])
def test_every_login_is_closed(module: str, kind: str, card: Card, tmp_path: Path) -> None:
    card.answer = TransportError(kind, "it broke off, Xpassword7")
    result = events() if module == "events" else backup(tmp_path / "one.ini")
    assert result["failed"] and result["error"]["kind"] == kind and card.open == 0
    assert "Xpassword7" not in json.dumps(result) and list(tmp_path.iterdir()) == []


# --- config.ini ---------------------------------------------------------------------------------------------


def test_backup_is_private_and_silent(card: Card, tmp_path: Path) -> None:
    card.answer = INI % b"03/01/2026 at 10:20:30"
    dest = tmp_path / "one.ini"
    result = backup(dest)
    assert result["changed"] and dest.read_bytes() == card.answer and card.open == 0
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600 and [path.name for path in tmp_path.iterdir()] == ["one.ini"]
    assert "Xpublic7" not in json.dumps(result) and "Xpassword7" not in json.dumps(result)


def test_backup_is_idempotent_but_for_a_setting(card: Card, tmp_path: Path) -> None:
    dest = tmp_path / "one.ini"
    card.answer = first = INI % b"03/01/2026 at 10:20:30"
    assert backup(dest)["changed"]
    card.answer = INI % b"03/02/2026 at 00:00:01"
    assert not backup(dest)["changed"] and dest.read_bytes() == first
    card.answer = card.answer.replace(b"enabled", b"disabled")
    assert backup(dest, check_mode=True)["changed"] and dest.read_bytes() == first
    assert backup(dest)["changed"] and dest.read_bytes() == card.answer


def test_backup_closes_what_others_could_read(card: Card, tmp_path: Path) -> None:
    dest = tmp_path / "one.ini"
    card.answer = INI % b"03/01/2026 at 10:20:30"
    dest.write_bytes(card.answer)
    dest.chmod(0o644)
    assert backup(dest)["changed"] and stat.S_IMODE(dest.stat().st_mode) == 0o600
    assert not backup(dest)["changed"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
def test_nothing_half_written_stays_behind(end: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(_handle: int) -> None:
        raise end

    dest = tmp_path / "one.ini"
    dest.write_bytes(b"before")
    monkeypatch.setattr(nmc_config_backup.os, "fsync", ends)
    with pytest.raises((KeyboardInterrupt, MemoryError, Stop)):
        nmc_config_backup.write_private(dest, INI)
    assert [path.name for path in tmp_path.iterdir()] == ["one.ini"] and dest.read_bytes() == b"before"


def test_a_new_key_is_written_down_but_in_check_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """In check mode the run holds to it all the same: every login of it meets the same key."""
    opened = []

    class Login:
        host_key = "SHA256:one"

    def connect(options: Any, idle: Any) -> Login:
        opened.append((options.remember, options.accept_new, options.host_key, options.host))
        return Login()

    monkeypatch.setattr(_card_login, "open_scp", connect)
    params = {**BASE, "host": "ats-23", "transfer_protocol": "scp", "ssh_accept_new_host_key": True}
    for remember in (True, False):
        logins = _card_login.CardLogins(params, "192.0.2.23", remember=remember)
        for _login in range(2):
            logins(lambda: None)
    assert opened[:2] == [(True, True, None, "ats-23")] * 2
    assert opened[2:] == [(False, True, None, "ats-23"), (False, True, "SHA256:one", "ats-23")]


def test_an_error_page_never_replaces_a_backup(card: Card, tmp_path: Path) -> None:
    dest = tmp_path / "one.ini"
    dest.write_bytes(b"before")
    card.answer = b"<html><body>Someone is currently logged in</body></html>"
    assert backup(dest)["error"]["kind"] == "transfer" and dest.read_bytes() == b"before" and card.open == 0


@pytest.mark.parametrize("dest", ["", "missing/one.ini", "link.ini"])
def test_a_bad_destination_asks_nobody(dest: str, card: Card, tmp_path: Path) -> None:
    (tmp_path / "link.ini").symlink_to(tmp_path / "elsewhere")
    assert backup(tmp_path / dest)["error"]["kind"] == "unsupported" and card.opened == []


@pytest.mark.parametrize("name", ["../config.ini", "config.ini;rm", "/etc/passwd", "config", "a b.ini", "-q.ini", ""])
def test_a_bad_name_asks_nobody(name: str, card: Card, tmp_path: Path) -> None:
    assert backup(tmp_path / "one.ini", name=name)["error"]["kind"] == "unsupported" and card.opened == []


# --- which protocol -----------------------------------------------------------------------------------------


def test_auto_takes_scp(card: Card) -> None:
    result = events(transfer_protocol="auto", allow_ftp=True)
    assert card.opened == ["scp"] and result["protocol"] == "scp" and "warnings" not in result


def test_auto_takes_ftp_only_where_allowed_and_says_so(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_card_login, "open_scp", card.opener("scp", NoSsh("timeout", "nobody listens")))
    refused = events(transfer_protocol="auto")
    assert refused["failed"] and "allow_ftp" in refused["msg"] and card.opened == ["scp"]
    taken = events(transfer_protocol="auto", allow_ftp=True)
    assert taken["protocol"] == "ftp" and any("in clear" in text for text in taken["warnings"])


@pytest.mark.parametrize("kind", ["auth", "identity", "timeout", "transfer", "busy"])
def test_nobody_in_between_can_make_it_take_ftp(kind: str, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_card_login, "open_scp", card.opener("scp", TransportError(kind, "no")))
    assert events(transfer_protocol="auto", allow_ftp=True)["failed"] and card.opened == ["scp"]
