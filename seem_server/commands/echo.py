"""A bare gRPC echo, to compare with: `python -m seem_server.commands.echo`, and its client.

What it costs to send a message of some size and get one of another size back, with nothing done in
between, over the same stack as the server's: `grpc.aio` there, a waiting client here.

    request:  4 bytes, big endian: how many bytes to answer with · then anything
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_METHOD = "/seem.bench.Echo/Echo"
_LENGTH_BYTES = 4


class Echo:
    """One open stream to an echo server; belongs to one thread."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        requests = iter(self._outgoing.get, None)
        method: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(_METHOD)
        self._replies = method(requests)

    def round_trip_ms(self, request_bytes: int, reply_bytes: int) -> float:
        """How long one message there and one back took."""
        head = reply_bytes.to_bytes(_LENGTH_BYTES, "big")
        request = head + bytes(max(request_bytes - _LENGTH_BYTES, 0))
        start = time.perf_counter()
        self._outgoing.put(request)
        next(self._replies)
        return (time.perf_counter() - start) * 1000

    def close(self) -> None:
        """Ends the stream."""
        self._outgoing.put(None)
        self._replies.cancel()


@contextmanager
def echo_process() -> Iterator[Echo]:
    """A stream to an echo server in a process of its own."""
    command = [sys.executable, "-m", "seem_server.commands.echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            with grpc.insecure_channel(
                f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]
            ) as channel:
                echo = Echo(channel)
                yield echo
                echo.close()
        finally:
            process.terminate()


async def answer(requests: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
    """Answers each request with as many bytes as it asks for."""
    async for request in requests:
        yield bytes(int.from_bytes(request[:_LENGTH_BYTES], "big"))


async def serve() -> None:
    """Serves until it is ended, after printing its port."""
    server = grpc.aio.server()
    service, _, method = _METHOD[1:].partition("/")
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        method: grpc.stream_stream_rpc_method_handler(answer)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
