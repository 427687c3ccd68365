"""What a browser says and hears, carried to the gRPC service and back: the messages themselves.

    text    {"token": "…"}        the first frame: who asks; an empty token is none
    binary  Command ->            as in seem.proto, one WebSocket is one Interact stream
    binary  <- Reply              where the stream itself fails, one with seq 0 and an Error

Nothing is read on the way: what is sent is for the server to judge, as from any client.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from aiohttp import WSMsgType, web

from seem_client.channel import error_of, is_loopback
from seem_wire import convert
from seem_wire.errors import InvalidValue, PlaintextToken, SeemError
from seem_wire.types import Failed
from seem_wire.v1 import seem_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seem_client.channel import Reach

HELLO_WITHIN_S = 10.0
"""Whoever connects and does not say who asks is not waited for any longer."""

HEARTBEAT_S = 30.0
"""A browser that is gone without a word (a closed laptop) is noticed after that."""

MAX_TOKEN_CHARACTERS = 4096

_SERVICE = pb.DESCRIPTOR.services_by_name["Seem"].full_name

_Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Gateway:
    """The way to one server, for all browsers: one channel, a call for each of them.

    Attributes:
        reach: Where the server is; its token is not used, because browsers bring their own.
        channel: A channel to it.
        max_message_bytes: What a browser may send at once.
    """

    reach: Reach
    channel: grpc.aio.Channel
    max_message_bytes: int

    async def interact(self, request: web.Request) -> web.WebSocketResponse:
        """A session over one WebSocket, until either side ends it."""
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=self.max_message_bytes, compress=False
        )
        await socket.prepare(request)
        try:
            metadata = self._metadata(await _token_of(socket))
        except SeemError as error:
            await _end(socket, error)
            return socket
        except TimeoutError:
            await _end(socket, InvalidValue("Nothing was said for too long."))
            return socket
        start: Any = self.channel.stream_stream(f"/{_SERVICE}/Interact")
        call = start(metadata=metadata)
        try:
            await self._carry(socket, call)
        finally:
            call.cancel()  # the session stays for a while: a page that is loaded anew attaches
        return socket

    async def segment(self, request: web.Request) -> web.Response:
        """One image, one answer: a SegmentRequest for a SegmentReply, or an Error."""
        body = await request.read()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            metadata = self._metadata(_checked(token))
            ask: Any = self.channel.unary_unary(f"/{_SERVICE}/Segment")
            reply: bytes = await ask(body, metadata=metadata)
        except SeemError as error:
            return _refusal(error)
        except grpc.aio.AioRpcError as failure:
            return _refusal(error_of(failure, self.reach.address))
        return web.Response(body=reply, content_type="application/x-protobuf")

    async def lets_anybody_in(self) -> bool:
        """Whether the server serves who shows no token.

        Raises:
            SeemError: It can't be asked.
        """
        ask: Any = self.channel.unary_unary(f"/{_SERVICE}/GetModel")
        try:
            await ask(b"")
        except grpc.aio.AioRpcError as failure:
            if failure.code() is grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise error_of(failure, self.reach.address) from failure
        return True

    def _metadata(self, token: str) -> _Metadata:
        if not token:
            return ()
        if self.reach.credentials is None and not is_loopback(self.reach.address):
            raise PlaintextToken(f"The token would go to {self.reach.address} unencrypted.")
        return (("authorization", f"Bearer {token}"),)

    async def _carry(self, socket: web.WebSocketResponse, call: Any) -> None:
        up = asyncio.create_task(_carry_up(socket, call))
        try:
            async for reply in call:
                await socket.send_bytes(reply)
            await socket.close()
        except grpc.aio.AioRpcError as failure:
            await _end(socket, error_of(failure, self.reach.address))
        except asyncio.CancelledError:
            if not up.done() or up.cancelled():
                raise
            up.result()  # the browser left, which ended the call
        except ConnectionError:
            pass  # it left in the midst of a reply
        finally:
            up.cancel()


async def _carry_up(socket: web.WebSocketResponse, call: Any) -> None:
    """Commands, one after the other; a server that is behind makes the browser wait."""
    with suppress(asyncio.InvalidStateError, grpc.aio.UsageError):  # the call is over
        async for command in _binaries(socket):
            await call.write(command)
    call.cancel()


async def _binaries(socket: web.WebSocketResponse) -> AsyncIterator[bytes]:
    async for message in socket:
        if message.type is not WSMsgType.BINARY:
            return
        yield message.data


async def _token_of(socket: web.WebSocketResponse) -> str:
    """The token of the first frame.

    Raises:
        TimeoutError: None came.
        InvalidValue: It is something else.
    """
    message = await socket.receive(HELLO_WITHIN_S)
    try:
        token = json.loads(message.data)["token"] if message.type is WSMsgType.TEXT else None
    except (ValueError, TypeError, KeyError, RecursionError):
        token = None
    if not isinstance(token, str):
        raise InvalidValue('The first frame is {"token": "…"}, as text.')
    return _checked(token)


def _checked(token: str) -> str:
    """A token as gRPC can send it on. Raises InvalidValue."""
    token = token.strip()
    if len(token) > MAX_TOKEN_CHARACTERS or not (token.isascii() and token.isprintable()):
        raise InvalidValue(f"A token has at most {MAX_TOKEN_CHARACTERS} characters, all ASCII.")
    return token


async def _end(socket: web.WebSocketResponse, error: SeemError) -> None:
    """Says why the stream ended, and ends it."""
    with suppress(ConnectionError):
        reply = convert.reply_to_proto(Failed.of(0, error))
        await socket.send_bytes(reply.SerializeToString())
        await socket.close()


def _refusal(error: SeemError) -> web.Response:
    body = convert.reply_to_proto(Failed.of(0, error)).error.SerializeToString()
    return web.Response(status=422, body=body, content_type="application/x-protobuf")
