# Copyright (c) 2026 dcops.apc contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control API: HTTP JSON on loopback, the hands and eyes beside the device. The card knows nothing of it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .serve import Live

MAX_BODY = 65536


class BadRequest(Exception):
    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "apcsim"
    timeout = 10  # a client that stalls in its request must not keep a thread
    live: Live  # set on a subclass, by start()

    def do_GET(self) -> None:
        self._serve({"/device": self._truth})

    def do_PATCH(self) -> None:
        self._serve({"/device": self._patch})

    def do_POST(self) -> None:
        self._serve({"/faults": self._fault})

    def do_DELETE(self) -> None:
        self._serve({"/faults": self._clear})

    def _serve(self, routes: dict[str, Callable[[Any], Any]]) -> None:
        try:
            data = self._body()  # read first: an unread body would be taken for the next request
            route = routes.get(self.path.split("?")[0].rstrip("/") or "/")
            if route is None:
                hint = (
                    " (the device lives in real time; it cannot be advanced by hand)" if "advance" in self.path else ""
                )
                raise BadRequest(f"no such call: {self.command} {self.path}{hint}", HTTPStatus.NOT_FOUND)
            self._answer(HTTPStatus.OK, route(data))
        except BadRequest as refused:
            self._answer(refused.status, {"error": str(refused)})
        except Exception as broken:  # the tester must see what broke, not a dropped connection
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"{type(broken).__name__}: {broken}"})

    def _body(self) -> Any:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if length < 0 or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise BadRequest("a body needs a plain Content-Length", HTTPStatus.LENGTH_REQUIRED)
        if length > MAX_BODY:
            self.close_connection = True
            raise BadRequest(f"body over {MAX_BODY} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        raw = self.rfile.read(length)
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError as bad:
            raise BadRequest(f"not JSON: {bad}") from None

    def _truth(self, _data: Any) -> Any:
        return self.live.truth()

    def _patch(self, data: Any) -> Any:
        if not isinstance(data, dict) or not data:
            raise BadRequest('expects an object, such as {"inputs": {"B": {"plugged": false}}}')
        with self.live.at_now() as unit:
            _checked(unit.patch, data)
        return self.live.truth()

    def _fault(self, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise BadRequest('expects an object with a name, such as {"name": "no_answer"}')
        params = {key: value for key, value in data.items() if key != "name"}
        with self.live.at_now() as unit:
            _checked(lambda: unit.fault(data["name"], **params))
        return self.live.truth()

    def _clear(self, _data: Any) -> Any:
        with self.live.at_now() as unit:
            unit.clear_faults()
        return self.live.truth()

    def _answer(self, status: HTTPStatus, data: Any) -> None:
        body = json.dumps(data).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _checked(call: Callable[..., Any], *args: Any) -> None:
    """What the model rejects is the caller's error: unknown names, wrong types, impossible values."""
    try:
        call(*args)
    except (ValueError, KeyError, TypeError, AttributeError) as bad:
        raise BadRequest(f"{type(bad).__name__}: {bad}") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a keep-alive client must not hold up the end
    request_queue_size = 64


def start(live: Live, port: int) -> ThreadingHTTPServer:
    """Always on loopback, whatever address the device itself is served on."""
    server = _Server(("127.0.0.1", port), type("BoundHandler", (Handler,), {"live": live}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="control").start()
    return server


# --- by hand ----------------------------------------------------------------------------------------------------


def call(url: str, method: str = "GET", data: Any = None, path: str = "/device", timeout_s: float = 10) -> Any:
    """One call of the control API; raises RuntimeError with its message."""
    body = None if data is None else json.dumps(data).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url.rstrip("/") + path, data=body, method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise RuntimeError(f"{refused.code}: {refused.read().decode(errors='replace')}") from None
    except OSError as down:
        raise RuntimeError(f"no answer from {url}: {down}") from None
