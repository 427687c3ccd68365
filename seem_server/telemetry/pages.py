"""What an operator's tools ask over HTTP, on a port of its own and in threads of its own.

    /metrics   what Prometheus scrapes
    /livez     200 while event loop and engine live: otherwise start the process anew
    /readyz    200 while work is taken and done: otherwise send clients elsewhere

Threads, because the event loop must not compute, and cannot tell by itself that it hangs.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

LOOP_ANSWERS_WITHIN_S = 2.0
"""An event loop that takes longer for one turn hangs: nothing on it computes."""

CLIENT_TIMEOUT_S = 10.0
"""Whoever asks and then says nothing is not waited for any longer."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What is told; each is called in a thread of its own.

    `metrics`: the page in Prometheus' text format. `alive`, `ready`: whether the server is.
    """

    metrics: Callable[[], bytes]
    alive: Callable[[], bool]
    ready: Callable[[], bool]


@contextmanager
def serve_pages(host: str, port: int, pages: Pages) -> Iterator[int]:
    """Serves until the block ends; gives the port (port 0: any free one).

    Raises:
        OSError: The address can't be listened on.
    """
    try:
        server = _server_class(host)((host, port), _handler(pages))
    except OSError as error:
        raise OSError(f"Can't serve metrics on {host}:{port}: {error}") from error
    thread = threading.Thread(target=server.serve_forever, name="seem-pages", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def loop_answers(
    loop: asyncio.AbstractEventLoop, *, within_s: float = LOOP_ANSWERS_WITHIN_S
) -> bool:
    """Whether an event loop takes its turns; asked from another thread."""
    turned = threading.Event()
    try:
        loop.call_soon_threadsafe(turned.set)
    except RuntimeError:  # it is closed
        return False
    return turned.wait(within_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _Server6 if ":" in host else _Server


def _handler(pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_TIMEOUT_S

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(HTTPStatus.OK, pages.metrics(), CONTENT_TYPE_LATEST)
                case "/livez":
                    self._tell(yes=pages.alive())
                case "/readyz":
                    self._tell(yes=pages.ready())
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, b"/metrics /livez /readyz\n")

        def _tell(self, *, yes: bool) -> None:
            status = HTTPStatus.OK if yes else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, b"yes\n" if yes else b"no\n")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return "seem"

        def log_message(self, *_: object) -> None:
            """A scrape every few seconds is no news."""

    return Handler
