# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import gzip
import http.server
import io
import ipaddress
import ssl
import tempfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.dcops.apc.plugins.module_utils._files import package_url
from ansible_collections.dcops.apc.plugins.module_utils._files.package_source import (
    Limits,
    PackageError,
    load,
    redact_url,
)
from ansible_collections.dcops.apc.plugins.module_utils._runs import firmware_package_info
from ansible_collections.dcops.apc.tests.unit.plugins.module_utils.effort import HANG_S, SILENT_S

AOS, APP = "apc_hw02_aos_392.bin", "apc_hw02_g2ats_392.bin"


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr(AOS, b"a" * 5000)
        made.writestr("Bins/" + APP, b"b" * 4000)
    return stream.getvalue()


GOOD = archive()
# Compressed: 30 kB. Read and decompressed: 30 MB.
BOMB = gzip.compress(bytes(30_000_000), 9)


class Handler(http.server.BaseHTTPRequestHandler):
    """Every path is one way to answer."""

    server: Any

    def log_message(self, *args: Any) -> None:
        """Silent."""

    def answer(self, body: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(body)), **named}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        path, _mark, query = self.path.partition("?")
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        try:
            self.respond(path.rpartition("/")[2], query)
        except (BrokenPipeError, ConnectionResetError):
            self.server.hung_up.set()

    def respond(self, name: str, query: str) -> None:
        if name in ("good.exe", "query.zip"):
            self.answer(GOOD, Content_Disposition='attachment; filename="../../apc_hw02_aos_390.bin"')
        elif name == AOS:
            self.answer(b"a" * 5000)
        elif name == "to":
            self.answer(b"", 302, Location=query)
        elif name == "bomb":
            self.answer(BOMB, 302, Location="good.exe", Content_Encoding="gzip")
        elif name == "loop":
            self.answer(b"", 302, Location="loop")
        elif name == "nowhere":
            self.answer(b"", 301)
        elif name == "page":
            self.answer(b"<html>Please log in</html>", Content_Type="text/html")
        elif name == "gzip":
            self.answer(GOOD, Content_Encoding="gzip")
        elif name == "declared":
            self.answer(b"", Content_Length=str(10**12))
        elif name == "short":
            self.answer(GOOD, Content_Length=str(len(GOOD) + 10))
            self.close_connection = True
        elif name in ("endless", "drip", "drip-head", "silent"):
            self.go_on(name)
        else:
            self.answer(b"", 404)

    def go_on(self, name: str) -> None:
        """What never ends by itself."""
        if name == "endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.stop.is_set():
                self.wfile.write(b"x" * 65536)
        elif name == "drip":
            self.send_response(200)
            self.end_headers()
            while not self.server.stop.wait(0.05):
                self.wfile.write(b"x")
        elif name == "drip-head":
            while not self.server.stop.wait(0.05):
                self.wfile.write(b"H")
        else:
            self.server.stop.wait(SILENT_S)


def serve(context: ssl.SSLContext | None = None) -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen, server.stop, server.hung_up = [], threading.Event(), threading.Event()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def web() -> Iterator[Any]:
    yield from serve()


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    yield from serve(context)


def refused(words: str, src: str, **kwargs: Any) -> str:
    with pytest.raises(PackageError) as caught:
        load(src, **kwargs)
    assert words in caught.value.message
    return caught.value.message


def test_package(web: Any, tmp_path: Path) -> None:
    said: list[str] = []

    class Progress:
        def say(self, text: str, key: str | None = None) -> None:
            said.append(text)

    loaded = load(f"{web.url}/dir/good.exe", staging_dir=str(tmp_path / "stage"), progress=Progress())
    # The name that the server gives is not used: it is an archive, and nothing was written under any name.
    assert [module.file for module in loaded.package.modules] == [AOS, APP]
    assert loaded.source == f"{web.url}/dir/good.exe"
    assert list((tmp_path / "stage").iterdir()) == []
    assert all("good.exe" in text for text in said)


def test_single_file(web: Any) -> None:
    assert load(f"{web.url}/{AOS}").contents[AOS] == b"a" * 5000


def test_secrets_are_sent_but_never_shown(web: Any) -> None:
    host = web.url.removeprefix("http://")
    result = firmware_package_info.run({"src": f"http://joe:s3cret@{host}/query.zip?token=t0ken#frag"}, False, None)
    login = "Basic " + base64.b64encode(b"joe:s3cret").decode()
    assert web.seen == [("/query.zip?token=t0ken", login)]
    assert result["package"]["source"] == f"http://{host}/query.zip?…"
    for path in ("missing", "page", "drip", "short", "to?ftp://x/", "loop"):
        message = refused("", f"http://joe:s3cret@{host}/{path}{'&' if '?' in path else '?'}t0ken", timeout_s=0.5)
        assert "s3cret" not in message and "t0ken" not in message and "joe" not in message


@pytest.mark.parametrize(
    "src", ["http://joe:s3cret@127.0.0.1:1/x?t0ken", "http://joe:s3cret@[::1/x", "http://joe:s3/cret@h/x"]
)
def test_secrets_are_not_shown_when_nothing_answers(src: str) -> None:
    message = refused("", src)
    assert not any(secret in message for secret in ("s3", "cret", "joe", "t0ken"))


def test_a_login_stays_with_its_server(web: Any) -> None:
    other = next(servers := serve())
    try:
        host = web.url.removeprefix("http://")
        load(f"http://joe:s3cret@{host}/to?{other.url}/good.exe")
        assert other.seen == [("/good.exe", None)]
        load(f"http://joe:s3cret@{host}/to?/good.exe")
        assert web.seen[-1] == ("/good.exe", "Basic " + base64.b64encode(b"joe:s3cret").decode())
    finally:
        next(servers, None)


def test_the_body_of_a_redirect_is_not_even_read(web: Any) -> None:
    tracemalloc.start()
    try:
        load(f"{web.url}/bomb")
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/", "data:,x", "HTTPS:///x"])
def test_redirects_only_to_http(web: Any, target: str) -> None:
    refused("redirects to what is not a http or https URL", f"{web.url}/to?{target}")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("loop", "redirects more than 5 times"),
        ("nowhere", "redirects to nowhere"),
        ("missing", "answered 404 Not Found"),
        ("page", "not a zip archive"),
        ("gzip", "an encoding that was not asked for"),
        ("declared", "is larger than"),
        ("endless", "is larger than"),
        ("short", ""),
    ],
)
def test_bad_answers(web: Any, path: str, words: str) -> None:
    message = refused(words, f"{web.url}/{path}", limits=Limits(max_bytes=1_000_000), timeout_s=30)
    if path == "short":
        assert "ended early" in message or "broke off" in message


@pytest.mark.parametrize("path", ["drip", "drip-head", "silent"])
def test_deadline_holds(web: Any, path: str) -> None:
    begin = time.monotonic()
    refused("was not fetched within 0.6 s", f"{web.url}/{path}", timeout_s=0.6)
    assert time.monotonic() - begin < HANG_S


def test_abandoned_download_leaves_no_file(web: Any, tmp_path: Path) -> None:
    refused("was not fetched", f"{web.url}/drip", timeout_s=0.3, staging_dir=str(tmp_path / "stage"))
    assert list((tmp_path / "stage").iterdir()) == []


def test_other_schemes() -> None:
    for src in ("file:///etc/passwd", "ftp://host/x.zip", "http:///x.zip", "http://host:99999/x"):
        refused("is not a http or https URL", src)


def test_refused_connection() -> None:
    refused("Connection refused", "http://127.0.0.1:1/x.zip")


def test_untrusted_certificate(tls: Any) -> None:
    refused("TLS certificate is not trusted", f"{tls.url}/good.exe")
    assert tls.seen == []


def test_no_way_from_https_to_http(tls: Any, web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
    assert load(f"{tls.url}/good.exe").package.problems == ()
    refused("from https to http", f"{tls.url}/to?{web.url}/good.exe")
    assert web.seen == []


def test_requests_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_url, "HAS_REQUESTS", False)
    refused("pip install requests", "https://host/x.zip")


def test_no_staging_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused("No place for the download", "http://127.0.0.1:1/x", staging_dir=str(tmp_path / "file"))
    assert tempfile.gettempdir()


@pytest.mark.parametrize(
    ("src", "shown"),
    [
        ("/srv/a@b/x.zip", "/srv/a@b/x.zip"),
        ("https://host:8443/a/x.zip", "https://host:8443/a/x.zip"),
        ("https://u:p@host/a.zip?x=1#y", "https://host/a.zip?…"),
        ("https://u:p@q@host/a.zip", "https://host/a.zip"),
        ("https://u:p/q@host/a.zip", "https://…"),
        ("https://u:p?q@host/a.zip", "https://…"),
        ("https://u:p#q@host/a.zip", "https://…"),
        ("https://u:p@[::1/a.zip", "https://…"),
        ("https://host/\x1b[2J", "https://host/\\x1b[2J"),
    ],
)
def test_redact_url(src: str, shown: str) -> None:
    assert redact_url(src) == shown


@given(st.text(min_size=1), st.sampled_from(["/a.zip", "", "/a?b", "/a#b", "/a@b"]))
def test_no_password_is_ever_shown(password: str, rest: str) -> None:
    assert "S3CRET" not in redact_url(f"https://user:{password}S3CRET{password}@host{rest}")
