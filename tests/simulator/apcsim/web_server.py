# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The card's web server on real sockets, http or https, with the faults of its pages. What it answers: web_site.py."""

from __future__ import annotations

import contextlib
import threading
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import web_tls
from .serve import Live
from .web_site import COOKIE, Answer, Asked, Site, state

MAX_FORM = 16384


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Allegro-Software-RomPager/4.01"  # [1] what such cards call themselves
    sys_version = ""
    timeout = 10
    live: Live  # set on a subclass, by Web
    site: Site
    ended: threading.Event

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_FORM:
            self._send(Answer(400, "no"))
            return
        self._serve(self.rfile.read(int(length)))

    def _serve(self, form: bytes) -> None:
        cookies: SimpleCookie = SimpleCookie()
        with contextlib.suppress(CookieError):
            cookies.load(self.headers.get("Cookie", ""))
        asked = Asked(
            self.command, urlsplit(self.path).path, parse_qs(form.decode("utf-8", "replace"), keep_blank_values=True),
            cookies[COOKIE].value if COOKIE in cookies else None, self.headers.get("Authorization", ""),
            str(self.client_address[0]),
        )  # fmt: skip
        with self.live.at_now() as unit:
            answer = self.site.answer(asked)
            faults = {name: dict(params) for name, params in unit.faults.active.items() if name.startswith("web_")}
        page = asked.page or "home.htm"
        mine = {name: params for name, params in faults.items() if page in params.get("pages", (page,))}
        with contextlib.suppress(OSError):  # the browser is gone, which the card does not notice
            self._send(answer, mine)
        self.close_connection = True

    def _send(self, answer: Answer, faults: dict[str, dict[str, Any]] | None = None) -> None:
        faults = faults or {}
        body = answer.body.encode("utf-8")
        how = self.site.unit.knobs.web_body
        head = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('?',))[0]}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head += ["Content-Type: text/html", f"Server: {self.server_version}", "Connection: close"]
        if "web_endless" in faults:
            how = "close"
        if how == "chunked":
            head.append("Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body)) + b"0\r\n\r\n"
        elif how == "length":
            head.append(f"Content-Length: {len(body)}")
        data = "\r\n".join([*head, "", ""]).encode("latin-1")
        if "web_cut" in faults:
            self.wfile.write(data + body[: len(body) // 2])
            self.server.reset(self.request)  # type: ignore[attr-defined]
        elif "web_endless" in faults:
            self.wfile.write(data + body)
            while not self.ended.is_set() and self._up():
                self.wfile.write(b"<tr><td>01/01/2000</td><td>00:00:00</td><td>endless</td></tr>\r\n" * 64)
        elif "web_slow" in faults:
            pause_s = 1 / (float(faults["web_slow"].get("bytes_per_s", 10)) * self.live.speed)
            for byte in data + body:
                self.wfile.write(bytes([byte]))
                if self.ended.wait(pause_s) or not self._up():
                    return
        else:
            self.wfile.write(data + body)

    def _up(self) -> bool:
        with self.live.at_now() as unit:
            return state(unit) != "down"

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _parts(body: bytes) -> list[bytes]:
    return [body[at : at + 1000] for at in range(0, len(body), 1000)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    live: Live
    tls: Any = None

    def get_request(self) -> tuple[Any, Any]:
        sock, address = super().get_request()
        if self.tls is not None:
            sock.settimeout(Handler.timeout)
            # the handshake is the handler's, in its own thread
            sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self.live.at_now() as unit:
            up = state(unit) != "down"
        if not up:
            self.reset(request)
        return up

    def reset(self, request: Any) -> None:
        web_tls.reset_at_close(request)

    def shutdown_request(self, request: Any) -> None:
        if web_tls.resets_at_close(request):
            self.close_request(request)  # no farewell before it
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up, or does not trust our certificate."""


class Web:
    """The listener. While the card is down, connections to it are reset."""

    def __init__(self, live: Live, host: str, port: int, tls: bool = False) -> None:
        self.certificate: str | None = None
        self._ended = threading.Event()
        self.site = Site(live.unit)
        bound = {"live": live, "site": self.site, "ended": self._ended}
        self._server = _Server((host, port), type("BoundHandler", (Handler,), bound))
        self._server.live = live
        self.port = int(self._server.server_address[1])
        if tls:
            self._server.tls, self.certificate = web_tls.self_signed(host)

    def start(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="web"
        ).start()

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
