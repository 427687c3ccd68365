"""The client that is awaited: the same names as in `client.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import grpc
import grpc.aio

from seem_client import _core as core
from seem_client._entering import Entering
from seem_client._home import Home
from seem_client._methods import ClientMethods
from seem_client._offering import KnownImages, check_image_size, offer_async
from seem_client._reconnecting import RECONNECT_S, check_reconnect_s, delays_s, is_away
from seem_client._waiting import RETRY_S, Patience
from seem_client.async_session import AsyncSession
from seem_client.async_video import AsyncVideo
from seem_client.channel import error_of, reach_of, route_of
from seem_client.frames import HeldFrames
from seem_client.image import image_bytes
from seem_client.picture import Still
from seem_client.prediction import Prediction, Predictions
from seem_wire import convert
from seem_wire.types import Example, PromptedObject, Segment
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from seem_client.channel import CertificateAndKey, Metadata, Reach, Verified
    from seem_client.frames import FrameSource
    from seem_client.image import ImageLike
    from seem_client.prompting import Shown
    from seem_wire.prompts import ObjectPrompt
    from seem_wire.types import ImageSource, ModelCard, Question, Segmented
    from seem_wire.v1.seem_pb2_grpc import SeemAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Opened = TypeVar("Opened", bound=AsyncSession)


def connect_async(
    address: str = "localhost:50051",
    *,
    timeout_s: float = 60.0,
    reconnect_s: float = RECONNECT_S,
    retry_s: float = RETRY_S,
    token: str | None = None,
    tls: Verified = None,
    client_cert: CertificateAndKey | None = None,
    tracer_provider: TracerProvider | None = None,
) -> Entering[AsyncClient]:
    """Like `connect`; await it, or use it in an `async with` statement."""
    reach = reach_of(address, token=token, tls=tls, client_cert=client_cert)
    patience = Patience(timeout_s, retry_s)
    return Entering(_greeted(reach, patience, check_reconnect_s(reconnect_s), tracer_provider))


async def _greeted(
    reach: Reach, patience: Patience, reconnect_s: float, tracer_provider: TracerProvider | None
) -> AsyncClient:
    """Makes the client only now, so that it belongs to the event loop that awaits it."""
    return await AsyncClient(reach, patience, reconnect_s, tracer_provider).greet()


Predicted = Coroutine[Any, Any, Prediction]
AllPredicted = Coroutine[Any, Any, Predictions]


class AsyncClient(
    ClientMethods[Predicted, AllPredicted, Entering[AsyncSession], Entering[AsyncVideo]]
):
    """A connection to a server, for any number of sessions of one event loop.

    It belongs to the process and the event loop that made it: elsewhere it raises OutOfPlace.
    """

    def __init__(
        self,
        reach: Reach,
        patience: Patience,
        reconnect_s: float = RECONNECT_S,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        self._address, self._patience = reach.address, patience
        self._reconnect_s, self._away_s = reconnect_s, 0.0
        self._home = Home(loop=asyncio.get_running_loop())
        watching = None
        if tracer_provider is not None:
            from seem_client._tracing import interceptors  # noqa: PLC0415  (an extra)

            watching = interceptors(tracer_provider)
        self._channel = reach.async_channel(watching)
        stub: Any = SeemStub(reach.showing_token(self._channel))
        self._stub: SeemAsyncStub = stub
        self._known = KnownImages()
        self._closing = asyncio.Event()
        self._sessions: set[AsyncSession] = set()

    async def greet(self) -> Self:
        """Asks what the server offers; `connect_async` calls this once, before anything else."""
        try:
            self._model = await self.model()
        except BaseException:
            await self.close()
            raise
        self._away_s = self._reconnect_s  # from now on it is known to be a server
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
        if self._home.is_elsewhere:
            return  # it is for the process and the loop that made it to say goodbye
        self._closing.set()
        for session in tuple(self._sessions):
            await session.close()
        await self._channel.close()

    def _open(self, image: ImageLike) -> Entering[AsyncSession]:
        return Entering(self._opened(image))

    def _attach(self, session_id: str) -> Entering[AsyncSession]:
        return Entering(self._attached(session_id))

    def _track(self, source: FrameSource, session_id: str | None) -> Entering[AsyncVideo]:
        return Entering(self._tracked(source, session_id))

    async def _tracked(self, source: FrameSource, session_id: str | None) -> AsyncVideo:
        video = self._session(AsyncVideo, session_id or "")
        try:
            if session_id is None:
                await video.begin(source)
            else:
                await video.go_on_with(source, session_id)
        except BaseException:
            await video.leave()
            raise
        return video

    async def _attached(self, session_id: str) -> AsyncSession:
        asked = pb.GetSessionRequest(session_id=session_id)
        route = route_of(session_id)  # asking takes the session to where its stream will go
        found = await self._call(self._stub.GetSession, asked, route)
        card = convert.session_card_from_proto(found)
        if card.n_frames:
            return await self._tracked(HeldFrames(card.n_frames), session_id)
        session = self._session(AsyncSession, session_id)
        try:
            await session.resume(session_id)
        except BaseException:
            await session.leave()
            raise
        return session

    def _check_open(self) -> None:
        self._home.check()
        if self._closing.is_set():
            raise core.client_closed()

    def _session(self, kind: type[Opened], session_id: str = "") -> Opened:
        self._check_open()
        return kind(
            self._stub,
            self._model,
            self._address,
            self._patience,
            self._sessions,
            self._known,
            self._reconnect_s,
            route_of(session_id),
        )

    async def _opened(self, image: ImageLike) -> AsyncSession:
        data = await self._read(image)
        session = self._session(AsyncSession)
        try:
            await offer_async(self._known, data, lambda one: session.show(one, data))
        except BaseException:
            await session.close()
            raise
        return session

    async def _segment(
        self, image: ImageLike, object_id: int, prompt: ObjectPrompt, example: Shown | None
    ) -> Prediction:
        data = await self._read(image)

        async def ask(source: ImageSource, example: Example | None = None) -> Segmented:
            one = PromptedObject(object_id, prompt, example)
            return await self._request(Segment(source, (one,)))

        if example is None:
            return core.read_segmented(await offer_async(self._known, data, ask), Still(data))
        shown, mask = await self._read(example.image), example.mask

        async def ask_with_example(source: ImageSource) -> Segmented:
            return await offer_async(
                self._known, shown, lambda other: ask(source, Example(other, mask))
            )

        return core.read_segmented(
            await offer_async(self._known, data, ask_with_example), Still(data)
        )

    async def _question(self, image: ImageLike, question: Question) -> Predictions:
        async def ask(source: ImageSource) -> Segmented:
            return await self._request(Segment(source, question=question))

        data = await self._read(image)
        return core.read_all_segmented(await offer_async(self._known, data, ask), Still(data))

    async def _read(self, image: ImageLike) -> bytes:
        data = await asyncio.to_thread(image_bytes, image)
        check_image_size(data, self._model.capabilities)
        return data

    async def _request(self, request: Segment) -> Segmented:
        reply = await self._call(self._stub.Segment, convert.segment_to_proto(request))
        return convert.segmented_from_proto(reply)

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        route: Metadata = (),
    ) -> Response:
        self._check_open()
        waiting, delays = self._patience.begin(), delays_s(self._away_s)
        while True:
            try:
                return await method(request, timeout=waiting.left_s, metadata=route)
            except grpc.aio.AioRpcError as failure:
                error = error_of(failure, self._address)
                pause_s = next(delays, None) if is_away(error) else waiting.pause_s(error)
                late = pause_s is None or pause_s >= waiting.left_s
                if late or await self._closes_within(pause_s or 0.0):
                    raise error from failure

    async def _closes_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        return self._closing.is_set()
