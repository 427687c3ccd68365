"""The annotator's address: static files, the WebSocket and the one-shot call, and who may use them.

GET  /, /app.js, …      the files of `static/`, built from clients/web
GET  /interact          a WebSocket that carries an Interact stream
POST /segment           one SegmentRequest
"""

from __future__ import annotations

import os
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from seem_client.channel import is_loopback, reach_of
from seem_server.web.gateway import Gateway
from seem_server.web.origins import is_welcome
from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable

    from seem_client.channel import Reach

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC = Path(__file__).with_name("static")

MAX_MESSAGE_BYTES = 80 * 1024**2
"""Two images of the size that a server takes by default, and what else a command says."""

MAX_PAGES = 256
"""WebSockets at once; more are refused."""

CLOSING_S = 1.0
"""How long pages may take to hang up when the site closes."""

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)

_HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """Where the site listens, and whom it serves.

    Attributes:
        host, port: Where to listen; port 0 takes any free one.
        origins: Web pages besides its own that may talk to it, as https://HOST[:PORT].
        tls_cert, tls_key: PEM files; both or none.
        insecure: Listen to other machines without TLS all the same.
        max_message_bytes: What a browser may send at once.
        max_pages: WebSockets at once.
    """

    host: str = "127.0.0.1"
    port: int = 8010
    origins: frozenset[str] = frozenset()
    tls_cert: str = ""
    tls_key: str = ""
    insecure: bool = False
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_pages: int = MAX_PAGES

    def __post_init__(self) -> None:
        if bool(self.tls_cert) is not bool(self.tls_key):
            raise InvalidValue("A certificate and its key go together; one of them is missing.")
        if not (self.local or self.tls_cert or self.insecure):
            raise InvalidValue(
                f"Other machines can reach {self.host}, and what they send would not be encrypted. "
                "Give --tls-cert and --tls-key; or --insecure, where a proxy in front does it."
            )

    @property
    def local(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return is_loopback(f"{self.host}:{self.port}")

    def url(self, port: int) -> str:
        """What to open in a browser on this machine."""
        local = self.host in {"127.0.0.1", "0.0.0.0", "::", "localhost"}  # noqa: S104  (compared)
        host = "localhost" if local else self.host
        host = f"[{host}]" if ":" in host else host
        return f"http{'s' if self.tls_cert else ''}://{host}:{port}"


@asynccontextmanager
async def serve_site(config: SiteConfig, server: Reach) -> AsyncIterator[str]:
    """The annotator, until the block ends; gives its URL.

    Raises:
        InvalidValue: Strangers could use the server through it, and nobody said they may.
        SeemError: Whether they could is to be asked of the server, which does not answer.
        OSError: The address can't be listened on, or a certificate can't be read.
    """
    async with server.async_channel() as channel:
        gateway = Gateway(server, channel, config.max_message_bytes)
        if not (config.local or config.insecure) and await gateway.lets_anybody_in():
            raise InvalidValue(
                f"The server at {server.address} asks nobody who he is, and other machines could "
                "reach it through the annotator. Start it with --tokens-file; or give --insecure."
            )
        runner = web.AppRunner(
            make_app(config, gateway),
            access_log=None,
            shutdown_timeout=CLOSING_S,
            handler_cancellation=True,  # a preview that nobody looks at any more costs nothing
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, config.host, config.port, ssl_context=_tls(config))
            try:
                await site.start()
            except OSError as error:
                where = f"{config.host}:{config.port}"
                why = os.strerror(error.errno) if error.errno else str(error)
                raise OSError(
                    f"Can't serve the annotator on {where}: {why}. Name another port for it "
                    "(seem serve --web-port N, seem web --port N)."
                ) from error
            yield config.url(runner.addresses[0][1])
        finally:
            await runner.cleanup()


def plain_reach(address: str) -> Reach:
    """How to reach a server on this machine, for browsers that bring their own tokens."""
    return reach_of(address, token="", tls=None, client_cert=None)


def make_app(config: SiteConfig, gateway: Gateway) -> web.Application:
    """The application, without an address."""
    app = web.Application(client_max_size=config.max_message_bytes)
    pages = _Pages(config, gateway)
    app.router.add_get("/interact", pages.interact)
    app.router.add_post("/segment", pages.segment)
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            app.router.add_get(f"/{path.relative_to(STATIC).as_posix()}", _sending(path))
    app.router.add_get("/", _sending(STATIC / "index.html"))
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(pages.close)
    return app


class _Pages:
    """Who is connected, and the questions at the door."""

    def __init__(self, config: SiteConfig, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self._open: set[asyncio.Transport | None] = set()

    async def interact(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        if len(self._open) >= self._config.max_pages:
            raise web.HTTPServiceUnavailable(text="Too many pages are open; close one.\n")
        connection = request.transport
        self._open.add(connection)
        try:
            return await self._gateway.interact(request)
        finally:
            self._open.discard(connection)

    async def segment(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        return await self._gateway.segment(request)

    async def close(self, _: web.Application) -> None:
        """Hangs up: a page would stay for ever, and connects again by itself."""
        for connection in self._open:
            if connection is not None:
                connection.close()

    def _check(self, request: web.Request) -> None:
        headers = request.headers
        if not is_welcome(headers.get("Origin"), headers.get("Host"), self._config.origins):
            raise web.HTTPForbidden(
                text="This page may not talk to the gateway: open it at its own address, or have "
                "the operator name it (--origin).\n"
            )


def _sending(path: Path) -> Handler:
    async def send(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return send


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _tls(config: SiteConfig) -> ssl.SSLContext | None:
    if not config.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls_cert, config.tls_key)
    return context
