# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's work with real folders and a real web server."""

from __future__ import annotations

import base64
import datetime
import errno
import gzip
import hashlib
import http.server
import json
import os
import re
import signal
import ssl
import stat
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.dcops.apc.plugins.module_utils import _module
from ansible_collections.dcops.apc.plugins.module_utils._files import report_folder, report_store
from ansible_collections.dcops.apc.plugins.module_utils._runs import _report_place, compliance_report
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S, SILENT_S

UNITS = [{"host": "ups-1", "error": {"kind": "timeout", "message": "no answer"}}, {"host": "ups-2"}]
NAMES = ["x.csv", "x.junit.xml", "x.html", "x.json"]
LOGIN = {"url_username": "joe", "url_password": "s3cret-word"}
# Compressed: 30 kB. Read and decompressed: 30 MB.
BOMB = gzip.compress(bytes(30_000_000), 9)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *args: Any) -> None:
        """Silent."""

    def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        folder, _slash, name = self.path.rpartition("/")
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        if folder.startswith("/away"):
            self.answer(307, Location="/ok/" + name)
        elif folder == "/drip":
            self.server.stop.wait(SILENT_S)
        elif folder == "/third" and len(self.server.files) == 2:
            self.answer(507)
        elif folder.startswith("/status"):
            self.answer(int(folder[7:]))
        else:
            self.server.files[name] = content
            self.answer(201)

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        name = self.path.rpartition("/")[2]
        if name in self.server.files:
            self.answer(200, self.server.files[name])
        elif name == "endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.stop.is_set():
                try:
                    self.wfile.write(b" " * 65536)
                except OSError:
                    return
        elif name == "away":
            self.answer(302, BOMB, **{"Location": "/x.json", "Content-Encoding": "gzip"})
        else:
            self.answer(404)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", "/dev/null")
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen, server.files, server.stop = [], {}, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tls(web: Any, tmp_path: Path) -> str:
    """The same server behind a certificate that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = tmp_path / "server.pem"
    pem.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    return str(web.url.replace("http:", "https:"))


def run(check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """As the module and the action plugin call it."""
    spec = compliance_report.ARGUMENT_SPEC
    params = {name: entry.get("default") for name, entry in spec.items()}
    return _module.run_named("compliance_report", {**params, **options}, check_mode, None)


def refused(words: str, kind: str, check_mode: bool = False, **options: Any) -> str:
    result = run(check_mode, **options)
    assert result["failed"] and result["error"]["kind"] == kind, result
    assert words in result["msg"] and result["msg"] == result["error"]["message"]
    return str(result["msg"])


def test_a_folder_holds_all_forms(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "reports"
    result = run(units=UNITS, hosts=["ups-3"], dest=str(dest), change_reference="CHG1", slice="2 of 5")
    assert result["changed"] and result["report"]["counts"]["unreachable"] == 1
    assert result["report"]["counts"]["no_result"] == 2 and result["report"]["total"] == 3
    found = {path.name: path for path in dest.iterdir()}
    assert len(found) == 4 and set(found) == {entry["name"] for entry in result["report"]["files"]}
    assert all(
        re.fullmatch(r"ap9624-compliance_\d{8}T\d{6}Z-[0-9a-f]{8}_2-of-5\.(json|csv|junit\.xml|html)", name)
        for name in found
    )
    for entry in result["report"]["files"]:
        data = Path(entry["location"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["sha256"], entry["size"])
        assert stat.S_IMODE(os.stat(entry["location"]).st_mode) == 0o600
    location = Path(result["report"]["location"])
    assert location.suffix == ".json" and json.loads(location.read_text())["change_reference"] == "CHG1"
    assert hashlib.sha256(location.read_bytes()).hexdigest() == result["report"]["sha256"]
    assert result["report"]["slice_key"] == "2_of_5"
    assert result["failing"] == [
        {"host": "ups-2", "status": "no_result"},
        {"host": "ups-3", "status": "no_result"},
    ]


def test_check_mode_writes_nothing(tmp_path: Path, web: Any) -> None:
    for where in ({"dest": str(tmp_path / "new")}, {"url": web.url}):
        result = run(True, units=UNITS, **where)
        assert result["report"]["counts"]["unreachable"] == 1 and result["report"]["location"] is None
        assert "Check mode: no report was written" in result["summary"]
    assert not (tmp_path / "new").exists() and web.seen == []


@pytest.fixture
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """All runs are of the same second."""

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.datetime(2026, 3, 14, 2, 0, tzinfo=tz)

    monkeypatch.setattr(compliance_report, "datetime", Stopped)


def test_every_run_of_one_second_leaves_a_report_of_its_own(tmp_path: Path, web: Any, one_second: None) -> None:
    for number in range(5):
        for where in ({"dest": str(tmp_path)}, {"url": f"{web.url}/ok"}):
            assert not run(units=[{"host": f"ups-{number}"}], formats=["json"], **where).get("failed")
    for contents in ([path.read_bytes() for path in tmp_path.iterdir()], list(web.files.values())):
        assert {json.loads(data)["units"][0]["host"] for data in contents} == {f"ups-{n}" for n in range(5)}


@pytest.mark.parametrize("linking", [True, False])
def test_runs_at_once_by_chance_with_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_second: None, linking: bool
) -> None:
    """Nobody has the name when both have looked: what is there when one of them writes is never replaced."""
    if not linking:

        def unsupported(*_arguments: Any) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(report_folder.os, "link", unsupported)
    chances = ["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"] + [f"{number:08x}" for number in range(9)]
    monkeypatch.setattr(_report_place.secrets, "token_hex", lambda size: chances.pop(0) if size == 4 else token())
    real = iter(range(1000))

    def token() -> str:
        return f"temporary{next(real)}"

    locations = [run(units=[{"host": f"ups-{number}"}], dest=str(tmp_path))["report"]["location"] for number in (1, 2)]
    assert [location[-13:] for location in locations] == ["aaaaaaaa.json", "bbbbbbbb.json"]
    assert len(list(tmp_path.iterdir())) == 8
    for number, location in enumerate(locations, 1):
        for suffix in (".json", ".csv", ".junit.xml", ".html"):
            text = Path(location).with_suffix(suffix).read_text(encoding="utf-8")
            assert f"ups-{number}" in text and f"ups-{3 - number}" not in text
            assert stat.S_IMODE(Path(location).with_suffix(suffix).stat().st_mode) == 0o600


def test_a_name_of_which_one_file_is_taken_gets_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_second: None
) -> None:
    monkeypatch.setattr(_report_place, "secrets", Chance)
    taken = tmp_path / "ap9624-compliance_20260314T020000Z-cccccccc.json"
    taken.symlink_to(tmp_path / "nowhere")
    refused("every name that was tried is in use", "state", units=UNITS, dest=str(tmp_path))
    assert list(tmp_path.iterdir()) == [taken] and taken.is_symlink()


class Chance:
    @staticmethod
    def token_hex(_size: int) -> str:
        return "cccccccc"


def test_runs_at_the_same_time(tmp_path: Path, one_second: None) -> None:
    """In processes, as two schedules are: none loses a file."""
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                made = run(units=[{"host": f"ups-{number}-{unit}"} for unit in range(50)], dest=str(tmp_path))
                status = int(bool(made.get("failed")))
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(list(tmp_path.iterdir())) == 16
    for path in tmp_path.glob("*.json"):
        hosts = {row["host"][:5] for row in json.loads(path.read_text())["units"]}
        assert len(hosts) == 1 and hosts.pop() in path.with_suffix(".csv").read_text()


def test_a_given_name_replaces_its_own_files_only(tmp_path: Path) -> None:
    for host in ("ups-old", "ups-new"):
        assert not run(units=[{"host": host}], dest=str(tmp_path), basename="x").get("failed")
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)
    assert all("ups-new" in path.read_text() and "ups-old" not in path.read_text() for path in tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_a_target_that_is_no_file_stops_all_four(tmp_path: Path, kind: str) -> None:
    dest, victim = tmp_path / "dest", tmp_path / "victim"
    dest.mkdir()
    target = dest / "x.json"
    for name in NAMES:
        (dest / name).write_text("old")
    target.unlink()
    victim.write_text("precious")
    if kind == "folder":
        target.mkdir()
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.symlink_to(victim if kind == "link" else tmp_path / "nowhere")
    words = "is a symbolic link" if kind in ("link", "dangling") else "is there and is not a file"
    for check_mode in (True, False):
        refused(f"x.json {words}", "state", check_mode=check_mode, units=UNITS, dest=str(dest), basename="x")
    assert victim.read_text() == "precious" and not (tmp_path / "nowhere").exists()
    assert [(dest / name).read_text() for name in NAMES[:3]] == ["old"] * 3


def test_a_link_that_appeared_in_the_meantime_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(report_folder.StoreError, match="is a symbolic link"):
        report_folder.write_folder(tmp_path, {"x.csv": b"1", "x.json": b"2"}, replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_merge_overwrites_none_of_its_parts(tmp_path: Path, web: Any) -> None:
    made = run(units=UNITS, dest=str(tmp_path), basename="x")["report"]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "other").symlink_to(tmp_path)
    for location in (made["location"], f"{tmp_path}/other/x.json"):
        refused(
            "x.json is one of the reports to merge, and would be overwritten",
            "state", reports=[location], dest=str(tmp_path), basename="x",
        )  # fmt: skip
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    run(units=UNITS, url=f"{web.url}/ok", basename="x")
    count = len(web.seen)
    refused(
        "x.json is one of the reports to merge", "state",
        reports=[f"{web.url}/ok/x.json"], url=f"{web.url}/ok/", basename="x",
    )  # fmt: skip
    assert len(web.seen) == count


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert not run(units=UNITS, dest=f"{tmp_path}/link", basename="x").get("failed")
    assert {path.name for path in (tmp_path / "real").iterdir()} == set(NAMES)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    refused("dangling is a symbolic link to nothing", "state", units=UNITS, dest=f"{tmp_path}/dangling/x")


def test_leftovers_of_killed_runs_are_swept(tmp_path: Path) -> None:
    """Killed between the writing and the publishing: nothing is left but a hidden file, and that goes later."""
    child = os.fork()
    if not child:
        try:
            report_folder._publish = lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL)
            run(units=UNITS, dest=str(tmp_path))
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert len(left) == 4 and all(path.name.startswith(report_folder.TEMPORARY) for path in left)
    strange = tmp_path / ".x.json.123-abc.tmp"
    strange.touch()
    long_ago = time.time() - 3700
    for path in (*left[:2], strange):
        os.utime(path, (long_ago, long_ago))
    assert not run(units=UNITS, dest=str(tmp_path), basename="x").get("failed")
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES, strange.name, *(path.name for path in left[2:])}


def test_default_policy_is_a_missing_fix() -> None:
    judged = [{"host": "gap", "ups": {"model": "m"}, "ap9624": {"status": "fix_missing"}}, *UNITS]
    found = [entry["host"] for entry in run(True, units=judged, dest="/tmp")["failing"]]
    assert found == ["gap", "ups-2"]
    own = [{**unit, "fails": unit["host"] == "ups-1"} for unit in judged]
    assert [entry["host"] for entry in run(True, units=own, dest="/tmp")["failing"]] == ["ups-1", "ups-2"]


def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(units=UNITS, state_dir=str(tmp_path / "state"))
    assert Path(result["report"]["location"]).parent == tmp_path / "state" / "reports"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(_report_place, "in_container", lambda: False)
    assert Path(run(units=UNITS)["report"]["location"]).parent == tmp_path / "home" / "dcops-apc" / "reports"
    monkeypatch.setattr(_report_place, "in_container", lambda: True)
    monkeypatch.setattr(_report_place, "on_a_mount", lambda path: False)
    refused("would vanish with it: give dest or state_dir", "state", units=UNITS)
    # What was given is the user's word.
    assert not run(units=UNITS, state_dir=str(tmp_path / "state")).get("failed")
    assert not run(units=UNITS, dest=str(tmp_path / "state")).get("failed")


def test_a_folder_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    refused("is not a folder", "state", units=UNITS, dest=str(tmp_path / "file" / "x"))
    monkeypatch.setattr(report_folder.os, "access", lambda *_arguments: False)
    refused(
        f"cannot be written to {tmp_path}/x: {tmp_path} cannot be written", "state", units=UNITS, dest=f"{tmp_path}/x"
    )


@pytest.mark.parametrize("name", ["replace", "fsync", "write"])
def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "x.json").write_text("old")

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    if name == "write":
        monkeypatch.setattr(report_folder, "_write", full)
    else:
        monkeypatch.setattr(report_folder.os, name, full)
    refused("No space left on device", "state", units=UNITS, dest=str(tmp_path), basename="x")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"] and (tmp_path / "x.json").read_text() == "old"


@pytest.mark.parametrize("basename", ["../x", "a/b", ".hidden", "-x", "x\n", "x y", "x" * 152, "ü", "a\0"])
def test_basename_is_a_plain_name(tmp_path: Path, basename: str) -> None:
    refused("basename must be a plain file name", "unsupported", units=UNITS, dest=str(tmp_path), basename=basename)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_report(tmp_path: Path) -> None:
    refused("nothing to report", "unsupported", dest=str(tmp_path))
    refused("formats is empty", "unsupported", units=UNITS, dest=str(tmp_path), formats=[])
    for value in (0.5, 601.0, float("nan")):
        refused("http_timeout_s must be", "unsupported", units=UNITS, dest=str(tmp_path), http_timeout_s=value)


def test_put(web: Any) -> None:
    result = run(units=UNITS, url=f"{web.url}/ok/", basename="x", **LOGIN)
    login = "Basic " + base64.b64encode(b"joe:s3cret-word").decode()
    assert web.seen == [(f"/ok/{name}", login) for name in NAMES]
    assert result["report"]["location"] == f"{web.url}/ok/x.json" and result["report"]["folder"] == f"{web.url}/ok"
    assert hashlib.sha256(web.files["x.json"]).hexdigest() == result["report"]["sha256"]
    assert "s3cret" not in json.dumps(result)


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "auth"), (404, "transfer"), (500, "transfer")])
def test_put_refused(web: Any, status: int, kind: str) -> None:
    said = refused(
        f"the server answers {status} (no file arrived before)", kind, url=f"{web.url}/status{status}", units=UNITS
    )
    assert said.startswith(web.url)


def test_put_names_what_arrived(web: Any) -> None:
    words = "/third/x.html was not stored: the server answers 507 (arrived before: x.csv, x.junit.xml)."
    refused(words, "transfer", units=UNITS, url=f"{web.url}/third", basename="x")


def test_put_follows_no_redirect(web: Any) -> None:
    refused("sends us elsewhere, which is refused", "transfer", units=UNITS, url=f"{web.url}/away", **LOGIN)
    assert len(web.seen) == 1 and web.files == {}


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_an_untrusted_certificate(web: Any, tls: Any) -> None:
    refused("its TLS certificate is not trusted", "transfer", units=UNITS, url=f"{tls}/ok", **LOGIN)
    assert web.seen == []
    result = run(units=UNITS, url=f"{tls}/ok", basename="x", validate_certs=False)
    assert result["report"]["location"] == f"{tls}/ok/x.json" and sorted(web.files) == sorted(NAMES)


def test_put_does_not_wait_for_ever(web: Any) -> None:
    begun = time.monotonic()
    refused("was not stored", "timeout", units=UNITS, url=f"{web.url}/drip", http_timeout_s=1.0)
    assert time.monotonic() - begun < HANG_S


def test_nobody_there() -> None:
    refused("no connection", "transfer", units=UNITS, url="http://127.0.0.1:1/x")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://joe:s3cret-word@host/x", "holds a user or a password"),
        ("https://host/x?token=s3cret-word", "must not have a query"),
        ("https://host/x#s3cret-word", "must not have a query or a fragment"),
        ("ftp://host/s3cret-word", "is no http or https URL"),
        ("https:///s3cret-word", "is no http or https URL"),
        ("s3cret-word", "is no http or https URL"),
    ],
)
def test_urls_are_refused_without_being_repeated(url: str, words: str) -> None:
    assert "s3cret" not in refused(words, "unsupported", units=UNITS, url=url)
    assert "s3cret" not in json.dumps(compliance_report.without_bulk({"url": url, "units": UNITS}))
    if "://" in url:
        assert "s3cret" not in refused(words, "unsupported", reports=[url])


def test_requests_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_store, "HAS_REQUESTS", False)
    refused("pip install requests", "unsupported", units=UNITS, url="https://host/x")


def test_merge_of_a_file_and_a_url(tmp_path: Path, web: Any) -> None:
    first = run(units=UNITS, dest=str(tmp_path), basename="one")["report"]
    run(units=[{"host": "ups-9"}], url=f"{web.url}/ok", basename="two")
    entries = [{"location": first["location"], "sha256": first["sha256"], "counts": {}}, f"{web.url}/ok/two.json"]
    merged = run(reports=entries, hosts=["ups-9", "ups-lost"], dest=str(tmp_path), basename="all", **LOGIN)["report"]
    assert merged["total"] == 4 and web.seen[-1][1] is not None
    rows = json.loads((tmp_path / "all.json").read_text())["units"]
    assert [row["host"] for row in rows] == ["ups-1", "ups-2", "ups-9", "ups-lost"]


def test_bad_reports(tmp_path: Path, web: Any) -> None:
    made = run(units=UNITS, dest=str(tmp_path), basename="one")["report"]["location"]
    (tmp_path / "empty.json").touch()
    where = {"dest": str(tmp_path / "out")}
    refused(
        f"{made} is not the report that was meant", "unsupported", reports=[{"location": made, "sha256": "0"}], **where
    )
    refused("empty.json is not JSON", "unsupported", reports=[str(tmp_path / "empty.json")], **where)
    refused(
        "missing.json cannot be read: there is no such file", "state", reports=[str(tmp_path / "missing.json")], **where
    )
    for odd in ("/dev/zero", str(tmp_path)):
        refused(f"{odd} cannot be read: it is not a regular file", "state", reports=[odd], **where)
    refused(
        "/none.json could not be read: the server answers 404", "transfer", reports=[f"{web.url}/none.json"], **where
    )
    tracemalloc.start()
    try:
        refused("sends us elsewhere", "transfer", reports=[f"{web.url}/away"], **where)
        assert tracemalloc.get_traced_memory()[1] < 8e6, "the body is not even read"
    finally:
        tracemalloc.stop()
    for entry in (7, {}, {"location": ""}, {"location": made, "sha256": 5}, None):
        refused("reports[0] is neither a path", "unsupported", reports=[entry], **where)
    assert not (tmp_path / "out").exists()


def test_size_of_reports_is_bounded(tmp_path: Path, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compliance_report, "MAX_BYTES", 1000)
    (tmp_path / "big.json").write_bytes(b" " * 1001)
    refused("larger than 1,000 bytes", "state", reports=[str(tmp_path / "big.json")], dest=str(tmp_path))
    refused("larger than 1,000 bytes", "transfer", reports=[f"{web.url}/endless"], dest=str(tmp_path))


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("4711", "4711"),
        ("2 of 5", "2_of_5"),
        ("url", "slice_url"),
        ("a.b/c", "slice_a_b_c"),
        ("x" * 99, "slice_" + "x" * 60),
    ],
)
def test_slice_key(label: str, key: str) -> None:
    assert compliance_report.slice_key(label) == key


def test_slice_key_without_a_label_differs() -> None:
    keys = {compliance_report.slice_key(label) for label in (None, "", "ü", None)}
    assert len(keys) == 4 and all(re.fullmatch(r"run_[0-9a-f]{10}", key) for key in keys)


def test_result_does_not_repeat_every_unit() -> None:
    shown = compliance_report.without_bulk(
        {"units": UNITS, "hosts": ["a"], "reports": [], "url": "https://h/x", "title": "t"}
    )
    assert shown == {
        "units": "2 entries",
        "hosts": "1 entries",
        "reports": "0 entries",
        "url": "https://h/x",
        "title": "t",
    }
