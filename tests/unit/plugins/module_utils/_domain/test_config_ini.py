# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When two config.ini say the same, and what is left of one without its secrets."""

from __future__ import annotations

import pytest

from ansible_collections.dcops.apc.plugins.module_utils._domain.config_ini import (
    HIDDEN,
    plausible,
    same_settings,
    without_secrets,
)

INI = (
    b"; American Power Conversion\r\n; Network Management Card AOS v3.9.2\r\n"
    b"; Configuration file, generated on 03/01/2026 at 10:20:30 by Administrator apc\r\n\r\n"
    b"[NetworkSNMP]\r\nAccessControl1Community=Xpublic7\r\nTrapReceiver1Community = Xtrap7\r\nAccess=enabled\r\n"
    b"[SystemUserManager]\r\nAdministratorUserName=Xjoe7\r\nAdministratorPassword=Xpw7\r\n"
    b"RADIUSServerSecret1=Xradius7\r\n[NetworkSNMPv3]\r\nUser1AuthPhrase=Xauth7\r\nUser1 Crypt Phrase=Xpriv7\r\n"
    b"[SystemID]\r\nName=ats-rack-23\r\nLocation=Row = 7\r\nEmpty=\r\n"
)


def test_the_moment_and_the_hand_do_not_count() -> None:
    other = INI.replace(b"03/01/2026 at 10:20:30 by Administrator apc", b"04/01/2026 at 00:00:00 by Administrator joe")
    assert other != INI and same_settings(INI, other)
    assert same_settings(INI, INI.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Access=enabled", b"Access=disabled"),
        (b"Name=ats-rack-23", b"Name=ats-rack-24"),
        (b"Empty=\r\n", b""),
        (b"Xpublic7", b"Xpublic8"),
        (b"Name=ats-rack-23", b"Name=generated on 03/01/2026"),
    ],
)
def test_a_setting_counts(before: bytes, after: bytes) -> None:
    assert before in INI and not same_settings(INI, INI.replace(before, after))


def test_no_secret_is_left() -> None:
    shown = without_secrets(INI)
    assert b"X" not in shown.replace(b"X\r", b""), shown
    # The key that nobody knows is hidden too, although it is empty: that a secret is empty is worth knowing.
    assert shown.count(HIDDEN.encode()) == 8
    for kept in (
        b"[NetworkSNMP]",
        b"Access=enabled",
        b"Name=ats-rack-23",
        b"Location=Row = 7",
        b"AOS v3.9.2",
        b"Empty=",
    ):
        assert kept in shown
    assert b"Administrator apc" not in shown and b"generated on" not in shown


@pytest.mark.parametrize(
    "line",
    [
        b"Xsecret7 without a mark",
        b"SNMP Community\t=\tXsecret7",
        b"community=Xsecret7",
        b"COMMUNITY=Xsecret7",
        b"   AccessControl1Community=Xsecret7",
        b"Community=Xsecret7=Xsecret7",
        b"FTPPassword:Xsecret7",
        b"A" * 90 + b"Password=Xsecret7",
        b"=Xsecret7",
        b"WiFiPassphrase=Xsecret7 [and more]",
    ],
)
def test_odd_lines_show_no_secret(line: bytes) -> None:
    assert b"Xsecret7" not in without_secrets(INI + line + b"\r\n")


@pytest.mark.parametrize(
    "lines",
    [
        b"; AccessControl1Community=Xsecret7",
        b"[NetworkSNMPv3]\r\nProfile1Auth=Xsecret7",
        b"[NetworkSMTP]\r\nAuthPass=Xsecret7",
        b"[NetworkSMTP]\r\nFromPwd=Xsecret7",
        b"[Wifi]\r\nPSK=Xsecret7",
        b"[NetworkFTPServer]\r\nServerPass=Xsecret7",
        b"Smtp-Pass-word=Xsecret7",
        b"Com\tmunity=Xsecret7",
        b"UploadServer=ftp://apc:Xsecret7@192.0.2.1/",
        b"[SystemID]\r\nLocation=ftp://apc:Xsecret7@192.0.2.1/",
        b"[NetworkSNMP]\r\nTrapReceiver1=192.0.2.1,Xsecret7,enabled",
        b"[NetworkTCP/IP]\r\nSystemIP=192.0.2.1,Xsecret7",
        b"RADIUSPrimarySharedSecrt=Xsecret7",
        # Where other programs would see a new line.
        *(b"Community=a" + mark + b";Xsecret7" for mark in (b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xc2\x85")),
        b"[SystemID]\r\nName=a\x0bCommunity=Xsecret7",
        b"[NetworkSNMP]\r\nAccess=enabled\rCommunity=Xsecret7",
        # A key over several lines, whose last ones look like others.
        b"[SystemID]\r\n" + b"M" * 64 + b"\r\nXsecret7==\r\nName=Xsecret7",
        b"[Xsecret7;]\r\nName=Xsecret7",
    ],
)
def test_whatever_its_key_is_called_a_secret_is_not_shown(lines: bytes) -> None:
    shown = without_secrets(b"; American Power Conversion\r\n[X]\r\n" + lines + b"\r\n[SystemID]\r\nName=ats-1\r\n")
    assert b"Xsecret7" not in shown and b"Name=ats-1" in shown, shown


def test_comments_are_not_shown_but_for_the_fixed_lines_of_the_head() -> None:
    shown = without_secrets(b"; Network Management Card AOS v3.9.2 Xsecret7\r\n; g2ats APP v3.9.2\r\n" + INI)
    assert b"Xsecret7" not in shown and b"; (a comment)\r\n; g2ats APP v3.9.2\r\n; American Power" in shown


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_letters_of_two_bytes_are_no_config(encoding: str) -> None:
    assert not plausible(INI.decode().encode(encoding))


@pytest.mark.parametrize("data", [b"", b"\r\n", b"<html><body>busy</body></html>", b"550 no such file", b"\x00" * 500])
def test_what_is_no_config(data: bytes) -> None:
    assert not plausible(data)
    assert plausible(INI)


def test_any_bytes_are_survived() -> None:
    data = bytes(range(256)) * 4
    assert same_settings(data, data) and isinstance(without_secrets(data), bytes)
    assert without_secrets(without_secrets(INI)) == without_secrets(INI)
