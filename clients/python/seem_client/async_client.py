"""The client that is awaited: the same names as in `client.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar

import grpc
import grpc.aio

from seem_client import _core as core
from seem_client._channel import channel_options, check_address, error_of
from seem_client._entering import Entering
from seem_client._methods import ClientMethods
from seem_client.async_session import AsyncSession
from seem_client.image import image_bytes
from seem_client.prediction import Prediction
from seem_wire import convert
from seem_wire.errors import ImageUnknown
from seem_wire.types import Segment
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seem_client.image import ImageLike
    from seem_wire.types import ImageSource, ModelCard, PromptedObject, Segmented
    from seem_wire.v1.seem_pb2_grpc import SeemAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")
T = TypeVar("T")


def connect_async(
    address: str = "localhost:50051", *, timeout_s: float = 60.0
) -> Entering[AsyncClient]:
    """Like `connect`; await it, or use it in an `async with` statement."""
    return Entering(AsyncClient(check_address(address), timeout_s).greet())


class AsyncClient(ClientMethods[Coroutine[Any, Any, Prediction], Entering[AsyncSession]]):
    """A connection to a server, for any number of sessions of one event loop."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._channel = grpc.aio.insecure_channel(address, channel_options(address))
        self._stub: SeemAsyncStub = SeemStub(self._channel)  # type: ignore[assignment]
        self._known = core.KnownImages()
        self._sessions: set[AsyncSession] = set()

    async def greet(self) -> Self:
        """Asks what the server offers; `connect_async` calls this once, before anything else."""
        try:
            self._model = await self.model()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def model(self) -> ModelCard:
        """What the server runs and offers."""
        card = await self._call(self._stub.GetModel, pb.GetModelRequest())
        return convert.model_card_from_proto(card)

    async def close(self) -> None:
        """Closes the sessions and the connection; does nothing the second time."""
        for session in tuple(self._sessions):
            await session.close()
        await self._channel.close()

    def _open(self, image: ImageLike) -> Entering[AsyncSession]:
        return Entering(self._opened(image))

    async def _opened(self, image: ImageLike) -> AsyncSession:
        data = await asyncio.to_thread(image_bytes, image)
        core.check_image_size(data, self._model.capabilities)
        session = AsyncSession(
            self._stub, self._model, self._address, self._timeout_s, self._sessions
        )
        try:
            await self._offer(data, session.show)
        except BaseException:
            await session.close()
            raise
        return session

    async def _segment(self, image: ImageLike, one: PromptedObject) -> Prediction:
        data = await asyncio.to_thread(image_bytes, image)
        core.check_image_size(data, self._model.capabilities)

        async def ask(source: ImageSource) -> Segmented:
            request = convert.segment_to_proto(Segment(source, (one,)))
            return convert.segmented_from_proto(await self._call(self._stub.Segment, request))

        return core.read_segmented(await self._offer(data, ask))

    async def _offer(self, data: bytes, show: Callable[[ImageSource], Awaitable[T]]) -> T:
        """What `show` makes of the first way to name the image that the server takes."""
        *hints, whole = self._known.sources(data)
        for source in hints:
            try:
                return await show(source)
            except ImageUnknown:
                continue
        shown = await show(whole)
        self._known.add(data)
        return shown

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        try:
            return await method(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure, self._address) from failure
