"""What adapters that are called over HTTP share: where they listen, and how a request is read."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """The URL of an application that is called at it; port 0 takes any free one.

    Raises:
        OSError: Nothing can listen there.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        at = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{at}"
    finally:
        await runner.cleanup()


async def json_object(request: web.Request) -> Mapping[str, Any]:
    """The object that a request's body is. Raises InvalidValue where it is none."""
    try:
        fields = await request.json()
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise InvalidValue("The request's body is no JSON object.")
    return fields
