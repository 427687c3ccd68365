"""A TCP proxy that can be frozen: what goes through it stops, and neither end hears of it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager


class Proxy:
    """Passes bytes on to `port`; while frozen, those of the connections that it has go nowhere."""

    def __init__(self, port):
        self._behind = port
        self._loop = asyncio.new_event_loop()
        self._links = []
        self._server = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._call(self._listen())

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def freeze(self):
        """Whoever is connected hears nothing more; who connects from now on is served."""
        self._call(self._freeze())

    def close(self):
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _listen(self):
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def _link(self, reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        pipes = [
            asyncio.create_task(_pass_on(reader, inner_writer)),
            asyncio.create_task(_pass_on(inner_reader, writer)),
        ]
        self._links.append((pipes, (writer, inner_writer)))
        await asyncio.wait(pipes)

    async def _freeze(self):
        for pipes, _ in self._links:
            for pipe in pipes:
                pipe.cancel()

    async def _close(self):
        self._server.close()
        await self._freeze()
        for _, writers in self._links:
            for writer in writers:
                writer.transport.abort()
        await asyncio.sleep(0.01)


async def _pass_on(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
    except ConnectionError:
        writer.close()


@contextmanager
def proxied(port):
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
