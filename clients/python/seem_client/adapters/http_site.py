"""An adapter that is called over HTTP, for as long as it is listened to."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
