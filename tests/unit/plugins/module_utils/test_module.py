# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import sys
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.checks import Method
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.instructions import Context, State, next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.ats.state import Source
from ansible_collections.dcops.apc.plugins.module_utils._domain.confirmations import ConfirmationError
from ansible_collections.dcops.apc.plugins.module_utils._domain.firmware import PackageError
from ansible_collections.dcops.apc.plugins.module_utils._domain.ups.instructions import UpsEnd, ups_next_action
from ansible_collections.dcops.apc.plugins.module_utils._domain.verdict import Check, Verdict
from ansible_collections.dcops.apc.plugins.module_utils._procedure.errors import Interrupted, Stop
from ansible_collections.dcops.apc.plugins.module_utils._runs import _specs
from ansible_collections.dcops.apc.plugins.module_utils._runs._left import ATS_LEFT, NOTHING_LEFT, STAY, UPS_LEFT
from ansible_collections.dcops.apc.plugins.module_utils._transport.errors import TooBig, TransportError

SPEC = _specs.ATS_UNIT.options
PARAMS: dict[str, Any] = {
    **{name: entry.get("default") for name, entry in SPEC.items()},
    "host": "192.0.2.10",
    "username": "apc",
    "password": "s3cret-word",
    "primary_source": "B",
}


@pytest.fixture
def run_with(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a module whose work is the given function."""

    def run(work: Any, left: Any = ATS_LEFT, **params: Any) -> dict[str, Any]:
        fake = ModuleType("fake")
        fake.ARGUMENT_SPEC, fake.OPTIONS, fake.LEFT, fake.run = SPEC, {}, left, work  # type: ignore[attr-defined]
        monkeypatch.setitem(_module.RUNS, "fake", fake)
        result = _module.run_named("fake", {**PARAMS, **params}, False, _module.NullProgress())
        json.dumps(result, allow_nan=False)
        return result

    return run


def raising(error: BaseException) -> Any:
    def work(params: Any, check_mode: bool, progress: Any) -> Any:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (TransportError("auth", "refused"), "auth", "refused"),
        (TooBig(), "transfer", "does not fit"),
        (PackageError("no app in it"), "package", "no app in it"),
        (ConfirmationError("it names no unit"), "refused", "it names no unit"),
        (Stop("locked", "held by another"), "locked", "held by another"),
        (Stop("nonsense", "x"), "internal", "x"),
        (Interrupted("signal SIGTERM"), "state", "SIGTERM"),
        (ZeroDivisionError("division by zero"), "internal", "ZeroDivisionError"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "internal", "UnicodeDecodeError"),
    ],
)
def test_every_error_is_a_failed_result(run_with: Any, error: BaseException, kind: str, message: str) -> None:
    result = run_with(raising(error))
    assert result["failed"] is True and result["changed"] is False
    assert result["error"]["kind"] == kind
    assert result["msg"] == result["error"]["message"]
    assert message in result["msg"]
    assert result["next_action"].strip()
    assert ("exception" in result) == (kind == "internal" and not isinstance(error, Stop))
    assert "Traceback" not in result["msg"]


def test_a_task_timeout_is_not_swallowed(run_with: Any) -> None:
    class TaskTimeout(BaseException):
        pass

    with pytest.raises(TaskTimeout):
        run_with(raising(TaskTimeout()))


def test_a_stop_brings_its_verdict_state_and_details(run_with: Any) -> None:
    verdict = Verdict(Method.SINGLE_SOURCE, (Check("secondary_dead", False, "source A ok 216 V"),))
    stop = Stop("refused", "no", verdict, State.ISOLATED, {"plan": [{"file": "a.bin"}], "failed": False, "msg": "lie"})
    result = run_with(raising(stop))
    assert result["failed"] is True and result["msg"] == "no"
    assert result["interlock"]["permitted"] is False
    assert result["interlock"]["checks"][0]["observed"] == "source A ok 216 V"
    assert result["state"] == "isolated"
    assert result["next_action"] == next_action(State.ISOLATED, Context(Method.SINGLE_SOURCE, Source.B))
    assert result["plan"] == [{"file": "a.bin"}]


def test_the_words_of_the_run_itself_are_kept(run_with: Any) -> None:
    details = {"state": "sent_silent", "next_action": "Leave all as it is.", "changed": True}
    result = run_with(raising(Stop("timeout", "silent", state=State.NOTHING_SENT, details=details)))
    assert (result["state"], result["next_action"], result["changed"]) == ("sent_silent", "Leave all as it is.", True)


def test_an_error_without_a_state_moves_no_plug(run_with: Any) -> None:
    result = run_with(raising(RuntimeError("x")))
    assert result["state"] is None
    assert result["next_action"] == STAY
    assert "connect" not in STAY.lower()


def test_a_bad_option_is_refused_before_the_work(run_with: Any) -> None:
    def work(*args: Any) -> Any:
        raise AssertionError("must not run")

    result = run_with(work, stability_s=5.0)
    assert result["error"]["kind"] == "unsupported"
    assert result["state"] == "nothing_sent_unsure"


def test_modules_that_move_nothing_have_no_state(run_with: Any) -> None:
    """Whatever their options are called."""
    result = run_with(raising(TransportError("timeout", "silent")), left=NOTHING_LEFT)
    assert "state" not in result and "next_action" not in result
    refused = _module.refused_options("fake", PARAMS, "no")
    assert "state" not in refused and refused["error"]["kind"] == "unsupported"


@pytest.mark.parametrize("error", [TransportError("timeout", "silent"), RuntimeError("x"), Interrupted("SIGTERM")])
def test_a_ups_is_never_told_of_in_the_words_for_an_ats(run_with: Any, error: BaseException) -> None:
    result = run_with(raising(error), left=UPS_LEFT)
    assert result["state"] == "nothing_sent" and result["next_action"] == ups_next_action(UpsEnd.NOTHING_SENT)


def test_every_run_declares_what_it_may_leave() -> None:
    """A module's kind is not guessed: one that takes no part in moving a unit says so too."""
    left = {name: vars(run)["LEFT"] for name, run in _module.RUNS.items()}
    assert {name for name, found in left.items() if found is ATS_LEFT} >= {
        "ats_firmware",
        "ats_interlock_info",
        "ats_wait",
    }
    assert {name for name, found in left.items() if found is UPS_LEFT} == {"ups_firmware"}
    for name, found in left.items():
        moves = found is not None and found.state is not None
        assert moves == ("next_action" in _module.refused_options(name, {}, "x")), name


def test_secrets_are_hidden_everywhere(run_with: Any) -> None:
    def work(params: Any, check_mode: bool, progress: Any) -> Any:
        return {"a": f"x{params['password']}y", params["password"]: [b"s3cret-word", {"deep": params["snmp_auth_key"]}]}

    result = run_with(work, snmp_auth_key="longpassphrase", snmp_community="s3cret-wordier")
    text = json.dumps(result)
    assert result["a"] == "x********y"
    assert "s3cret" not in text and "longpassphrase" not in text


def test_a_secret_at_the_cut_of_a_long_text_is_hidden(run_with: Any) -> None:
    result = run_with(lambda *args: {"a": "x" * 4090 + "s3cret-word"})
    assert "s3cre" not in result["a"]


def test_tracebacks_hold_no_secret(run_with: Any) -> None:
    result = run_with(raising(ValueError("wrong: s3cret-word")))
    assert "Traceback" in result["exception"]
    assert "s3cret" not in json.dumps(result)


def test_factory_words_and_short_secrets_leave_texts_readable(run_with: Any) -> None:
    path = "/srv/public/apc_hw02_aos_392.bin on device"
    result = run_with(lambda *args: {"a": path}, password="apc", snmp_write_community="bin", snmp_auth_key="device")
    assert result["a"] == path


def test_the_password_in_a_url_is_hidden(run_with: Any) -> None:
    src = "https://joe:hunter%40two@mirror.example/apc.zip?token=abcdefgh"
    result = run_with(lambda *args: {"a": f"{src} hunter@two"}, src=src)
    assert "hunter" not in result["a"] and "abcdefgh" not in result["a"]


def test_invocation_shows_options_and_no_secret() -> None:
    params = {
        **PARAMS,
        "password": "apc",
        "src": "https://joe:pw@mirror.example/apc.zip?token=1",
        "files": ["/a/apc_x"],
    }
    shown = _module.invocation(SPEC, {**params, "unknown": "s3cret-word"})["module_args"]
    assert set(shown) == set(SPEC)
    assert shown["password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert shown["snmp_write_community"] is None
    assert shown["files"] == ["/a/apc_x"]
    assert "joe" not in shown["src"] and "token" not in shown["src"]


@pytest.mark.parametrize(
    ("params", "warned"),
    [
        ({"password": "apc"}, ["snmp_community", "password"]),
        ({"password": "good-one", "snmp_community": "long-enough"}, []),
        ({"password": "good-one", "snmp_version": "v3"}, []),
        ({"password": "abc", "snmp_community": "long-enough"}, ["password (or one as short as those)"]),
        ({"snmp_write_community": "private", "snmp_community": "long-enough"}, ["snmp_write_community"]),
    ],
)
def test_warnings(params: dict[str, Any], warned: list[str]) -> None:
    found = _module.credential_warnings(SPEC, {**PARAMS, **params})
    assert found == [f"factory credential in use: {name}" for name in warned]


def run_main(monkeypatch: pytest.MonkeyPatch, capsys: Any, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The module's own main() in this process, as Ansible starts it."""
    from ansible.module_utils import basic
    from ansible.module_utils.common.parameters import PASS_VARS

    if "inject_invocation" in PASS_VARS:  # core 2.20 and newer
        arguments = {**arguments, "_ansible_inject_invocation": True}
    payload = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", payload.encode(), raising=False)
    # Core 2.19 and newer ask how to write the result.
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(SystemExit):
        _module.module_main(name)
    result: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return result


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(params: Any, check_mode: bool, progress: Any) -> dict[str, Any]:
        return {"path": "/srv/apc_public/apc_hw02.bin", "leak": params["snmp_auth_key"]}

    monkeypatch.setattr(_module.RUNS["ats_info"], "run", work)


def test_the_module_keeps_names_readable(monkeypatch: pytest.MonkeyPatch, capsys: Any, fake_run: None) -> None:
    warned: list[str] = []
    monkeypatch.setattr(_module._Module, "warn", lambda self, warning: warned.append(warning))
    result = run_main(
        monkeypatch,
        capsys,
        "ats_info",
        {"host": "192.0.2.1", "snmp_write_community": "apc", "snmp_auth_key": "longpassphrase"},
    )
    assert result["path"] == "/srv/apc_public/apc_hw02.bin"
    assert result["leak"] == "********"
    arguments = result["invocation"]["module_args"]
    assert arguments["snmp_community"] == arguments["snmp_auth_key"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert arguments["host"] == "192.0.2.1"
    assert "longpassphrase" not in json.dumps(result)
    assert warned == [f"factory credential in use: {name}" for name in ("snmp_community", "snmp_write_community")]


def test_the_module_refuses_options_readably(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    result = run_main(
        monkeypatch, capsys, "ats_info", {"host": "apc-ats-public", "snmp_version": "v9", "snmp_write_community": "apc"}
    )
    assert result["failed"] is True
    assert result["error"]["kind"] == "unsupported"
    assert "v1, v2c, v3" in result["msg"]
    assert result["invocation"]["module_args"]["host"] == "apc-ats-public"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, capsys: Any, fake_run: None) -> None:
    monkeypatch.setenv("APC_SNMP_WRITE_COMMUNITY", "")
    monkeypatch.setenv("APC_SNMP_AUTH_KEY", "longpassphrase")
    result = run_main(monkeypatch, capsys, "ats_info", {"host": "192.0.2.1"})
    assert result["leak"] == "********"
    assert result["invocation"]["module_args"]["snmp_write_community"] is None
