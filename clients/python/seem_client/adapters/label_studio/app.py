"""The ML back end over HTTP.

    GET  /health     200 {"status": "UP"} where the Seem server answers, else 503; within a second
    POST /setup      {"model_version"}, where the labelling config has what is needed
    POST /predict    {"results": [...]}
    GET  /versions   {"versions": [...]}
    POST /webhook    taken, and nothing is made of it: the model does not learn from annotations

What goes wrong is told as {"error", "code"}, and as the reason of the status line, in one sentence:
that is all of a failed answer that Label Studio passes on.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, web

from seem_client.adapters.label_studio.backend import Backend, Server
from seem_client.adapters.label_studio.fetching import Fetcher, Source
from seem_wire.errors import Fault, Internal, InvalidValue, SeemError, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp.typedefs import Handler, Middleware

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024**2
"""Label Studio sends along all that was ever drawn in a task, a megabyte a mask perhaps."""

_STATUS = {Fault.CALLER: 400, Fault.CAPACITY: 503, Fault.SERVER: 502}
_LONGEST_REASON = 300
BACKEND: web.AppKey[Backend] = web.AppKey("backend", Backend)


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen, and who may come in: anybody where `basic_auth` (user, password) is None."""

    host: str = "127.0.0.1"
    port: int = 9090
    basic_auth: tuple[str, str] | None = None


async def serve(server: Server, source: Source, door: Door, tell: Callable[[str], None]) -> None:
    """Serves until it is interrupted; `tell` is told the address once it serves."""
    runner = web.AppRunner(make_app(server, source, door.basic_auth), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, door.host, door.port)
        await site.start()
        tell(f"http://{door.host}:{runner.addresses[0][1]}")
        await _interrupted()
    finally:
        await runner.cleanup()


def make_app(
    server: Server, source: Source, basic_auth: tuple[str, str] | None = None
) -> web.Application:
    """The application; its connections live as long as it does."""
    app = web.Application(
        middlewares=[_telling, _guarding(basic_auth)], client_max_size=MAX_BODY_BYTES
    )

    async def living(app: web.Application) -> AsyncIterator[None]:
        # Cookies of one project's Label Studio are no business of another's.
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            app[BACKEND] = Backend(server, Fetcher(source, session))
            yield
            await app[BACKEND].close()

    app.cleanup_ctx.append(living)
    app.add_routes(
        [
            web.get("/", _health),
            web.get("/health", _health),
            web.post("/setup", _setup),
            web.post("/predict", _predict),
            web.get("/versions", _versions),
            web.post("/webhook", _webhook),
        ]
    )
    return app


async def _health(request: web.Request) -> web.Response:
    if await request.app[BACKEND].is_well():
        return web.json_response({"status": "UP", "model_class": "Seem"})
    return _failure("The Seem server does not answer.", "DISCONNECTED", 503)


async def _setup(request: web.Request) -> web.Response:
    version = await request.app[BACKEND].set_up(await _body(request))
    return web.json_response({"model_version": version})


async def _predict(request: web.Request) -> web.Response:
    results = await request.app[BACKEND].predict(await _body(request))
    return web.json_response({"results": results})


async def _versions(request: web.Request) -> web.Response:
    return web.json_response({"versions": [await request.app[BACKEND].version()]})


async def _webhook(_: web.Request) -> web.Response:
    return web.json_response({})


async def _body(request: web.Request) -> dict[str, object]:
    try:
        body = await request.json()
    except ValueError as error:
        raise InvalidValue("The request's body is no JSON.") from error
    if not isinstance(body, dict):
        raise InvalidValue("The request's body must be a JSON object.")
    return body


@web.middleware
async def _telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One of the edges where any exception becomes an answer."""
    try:
        return await handler(request)
    except Unauthenticated as error:
        return _failure(error.message, error.code, 401)
    except SeemError as error:
        return _failure(f"{error.message} {error.hint}", error.code, _STATUS[error.fault])
    except web.HTTPException:
        raise
    except Exception:
        logger.exception("%s %s broke", request.method, request.path)
        return _failure(f"Something broke in the adapter. {Internal.hint}", Internal.code, 500)


def _guarding(basic_auth: tuple[str, str] | None) -> Middleware:
    wanted = b"Basic " + base64.b64encode(":".join(basic_auth).encode()) if basic_auth else b""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode()
        if wanted and not hmac.compare_digest(shown, wanted):
            raise Unauthenticated("This back end asks for a user and a password (basic auth).")
        return await handler(request)

    return guard


def _failure(sentence: str, code: str, status: int) -> web.Response:
    plain = " ".join(sentence.split())
    logger.warning("%s: %s", code, plain)
    reason = plain.encode("ascii", "replace").decode("ascii")[:_LONGEST_REASON]
    return web.json_response({"error": plain, "code": code}, status=status, reason=reason)


async def _interrupted() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(sign, ended.set)
    await ended.wait()
