"""The ML back end over HTTP.

    GET  /health     200 {"status": "UP"} where the Seem server answers, else 503; within a second
    POST /setup      {"model_version"}, where the labelling config has what is needed
    POST /predict    {"results": [...]}
    GET  /versions   {"versions": [...]}
    POST /webhook    taken, and nothing is made of it: the model does not learn from annotations

What goes wrong is a sentence in the status line: that is all of a failed answer that Label Studio
passes on.
"""

from __future__ import annotations

import base64
import hmac
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, web

from seem_client.adapters.http_site import json_object
from seem_client.adapters.label_studio.backend import Backend
from seem_client.adapters.label_studio.fetching import Fetcher, Source
from seem_client.adapters.refusals import refusal, refuse_in_a_sentence
from seem_wire.errors import Disconnected, InvalidValue

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler, Middleware

    from seem_client.adapters.link import Link

MAX_BODY_BYTES = 256 * 1024**2
"""Label Studio sends along all that was ever drawn in a task, a megabyte a mask perhaps."""

BACKEND: web.AppKey[Backend] = web.AppKey("backend", Backend)


def application(link: Link, arguments: argparse.Namespace) -> web.Application:
    """The HTTP application, for a server that `link` finds.

    Raises:
        InvalidValue: Label Studio's address is none, or there is no password in its file.
        OSError: A file can't be read.
    """
    source = Source(
        arguments.label_studio_url,
        _line(arguments.label_studio_token_file),
        frozenset(arguments.image_host),
    )
    return make_application(link, source, _login(arguments.basic_auth_file))


def make_application(
    link: Link, source: Source, login: tuple[str, str] | None = None
) -> web.Application:
    """As `application`; anybody may come in where `login` (user, password) is None."""
    app = web.Application(
        middlewares=[refuse_in_a_sentence, _guarding(login)], client_max_size=MAX_BODY_BYTES
    )

    async def living(app: web.Application) -> AsyncIterator[None]:
        # Cookies of one project's Label Studio are no business of another's.
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            app[BACKEND] = Backend(link, Fetcher(source, session))
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
    return refusal(Disconnected("The Seem server does not answer."))


async def _setup(request: web.Request) -> web.Response:
    version = await request.app[BACKEND].set_up(await json_object(request))
    return web.json_response({"model_version": version})


async def _predict(request: web.Request) -> web.Response:
    results = await request.app[BACKEND].predict(await json_object(request))
    return web.json_response({"results": results})


async def _versions(request: web.Request) -> web.Response:
    return web.json_response({"versions": [await request.app[BACKEND].version()]})


async def _webhook(_: web.Request) -> web.Response:
    return web.json_response({})


def _guarding(login: tuple[str, str] | None) -> Middleware:
    wanted = b"Basic " + base64.b64encode(":".join(login).encode()) if login else b""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode()
        if wanted and not hmac.compare_digest(shown, wanted):
            raise web.HTTPUnauthorized(
                reason="This back end asks for a user and a password (basic auth).",
                headers={"WWW-Authenticate": 'Basic realm="seem"'},
            )
        return await handler(request)

    return guard


def _login(path: str | None) -> tuple[str, str] | None:
    """The user and the password in a file."""
    if path is None:
        return None
    user, colon, password = _line(path).partition(":")
    if not (user and colon and password):
        raise InvalidValue(f"{path} does not hold USER:PASSWORD.")
    return user, password


def _line(path: str | None) -> str:
    return "" if path is None else Path(path).read_text("utf-8").strip()
