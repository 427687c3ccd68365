"""The client that waits for answers: plain calls."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from seem_client import _core as core
from seem_client._home import Home
from seem_client._methods import ClientMethods
from seem_client._offering import KnownImages, check_image_size, offer
from seem_client._reconnecting import RECONNECT_S, check_reconnect_s, delays_s, is_away
from seem_client._waiting import RETRY_S, Patience
from seem_client.channel import error_of, reach_of, route_of
from seem_client.frames import HeldFrames
from seem_client.image import image_bytes
from seem_client.picture import Still
from seem_client.prediction import Prediction, Predictions
from seem_client.session import Session
from seem_client.video import Video
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

Request = TypeVar("Request")
Response = TypeVar("Response")
T = TypeVar("T")
Opened = TypeVar("Opened", bound=Session)


def connect(
    address: str = "localhost:50051",
    *,
    timeout_s: float = 60.0,
    reconnect_s: float = RECONNECT_S,
    retry_s: float = RETRY_S,
    token: str | None = None,
    tls: Verified = None,
    client_cert: CertificateAndKey | None = None,
    tracer_provider: TracerProvider | None = None,
) -> Client:
    """A client of the server at HOST:PORT; close it, or use it in a `with` statement.

    `timeout_s`: how long each call waits for its answer before it raises DeadlineExceeded.
    `reconnect_s`: how long a call or a session whose server is away tries to reach it again before
    those who wait are told Disconnected; what was said meanwhile is said then, once. `connect`
    itself tries once.
    `retry_s`: how long a call that waits for its answer asks again, whenever it is told to, where
    the server has no room or a quota is used up; then it raises that. 0 for never.
    `token`: what shows who you are, SEEM_TOKEN of the environment if None; "" for no token at all.
    `tls`: True to encrypt and to trust the usual authorities, or a PEM file of those to trust.
    `client_cert`: PEM files of your certificate and its key.
    `tracer_provider`: OpenTelemetry's, which then gets a span of each call and command.

    Raises:
        Disconnected: No server answers at this address, or it is not the one that `tls` trusts.
        Unauthenticated: The server does not know the token, or wants one.
        PlaintextToken: The token would leave this machine unencrypted.
        InvalidValue: The address is not HOST:PORT, a number of seconds is below 0, or the options
            do not go together.
        OSError: A file can't be read.
    """
    reach = reach_of(address, token=token, tls=tls, client_cert=client_cert)
    patience = Patience(timeout_s, retry_s)
    return Client(reach, patience, check_reconnect_s(reconnect_s), tracer_provider)


class Client(ClientMethods[Prediction, Predictions, Session, Video]):
    """A connection to a server, for any number of sessions and threads.

    It belongs to the process that made it: a forked one is told OutOfPlace, and connects anew.
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
        self._home = Home()
        self._channel = reach.channel()
        if tracer_provider is not None:
            from seem_client._tracing import traced  # noqa: PLC0415  (an extra)

            self._channel = traced(self._channel, tracer_provider)
        self._stub = SeemStub(reach.showing_token(self._channel))
        self._known = KnownImages()
        self._closing = threading.Event()
        self._sessions: set[Session] = set()
        try:
            self._model = self.model()
        except BaseException:
            self._channel.close()
            raise
        self._away_s = reconnect_s  # from now on it is known to be a server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def model(self) -> ModelCard:
        """What the server runs and offers."""
        return convert.model_card_from_proto(self._call(self._stub.GetModel, pb.GetModelRequest()))

    def close(self) -> None:
        """Closes the sessions and the connection; does nothing the second time."""
        if self._home.is_elsewhere:
            return  # it is for the process that made it to say goodbye
        self._closing.set()
        for session in tuple(self._sessions):
            session.close()
        self._channel.close()

    def _attach(self, session_id: str) -> Session:
        asked = pb.GetSessionRequest(session_id=session_id)
        route = route_of(session_id)  # asking takes the session to where its stream will go
        found = self._call(self._stub.GetSession, asked, route)
        card = convert.session_card_from_proto(found)
        if card.n_frames:
            return self._track(HeldFrames(card.n_frames), session_id)
        session = self._session(Session, session_id)
        try:
            session.resume(session_id)
        except BaseException:
            session.leave()
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

    def _track(self, source: FrameSource, session_id: str | None) -> Video:
        video = self._session(Video, session_id or "")
        try:
            if session_id is None:
                video.begin(source)
            else:
                video.go_on_with(source, session_id)
        except BaseException:
            video.leave()
            raise
        return video

    def _open(self, image: ImageLike) -> Session:
        data = self._read(image)
        session = self._session(Session)
        try:
            offer(self._known, data, lambda one: session.show(one, data))
        except BaseException:
            session.close()
            raise
        return session

    def _segment(
        self, image: ImageLike, object_id: int, prompt: ObjectPrompt, example: Shown | None
    ) -> Prediction:
        data = self._read(image)

        def ask(source: ImageSource, example: Example | None = None) -> Segmented:
            return self._request(Segment(source, (PromptedObject(object_id, prompt, example),)))

        if example is None:
            return core.read_segmented(offer(self._known, data, ask), Still(data))
        shown, mask = self._read(example.image), example.mask

        def ask_with_example(source: ImageSource) -> Segmented:
            return offer(self._known, shown, lambda other: ask(source, Example(other, mask)))

        return core.read_segmented(offer(self._known, data, ask_with_example), Still(data))

    def _question(self, image: ImageLike, question: Question) -> Predictions:
        def ask(source: ImageSource) -> Segmented:
            return self._request(Segment(source, question=question))

        data = self._read(image)
        return core.read_all_segmented(offer(self._known, data, ask), Still(data))

    def _read(self, image: ImageLike) -> bytes:
        data = image_bytes(image)
        check_image_size(data, self._model.capabilities)
        return data

    def _request(self, request: Segment) -> Segmented:
        reply = self._call(self._stub.Segment, convert.segment_to_proto(request))
        return convert.segmented_from_proto(reply)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        route: Metadata = (),
    ) -> Response:
        self._check_open()
        waiting, delays = self._patience.begin(), delays_s(self._away_s)
        while True:
            try:
                return method(request, timeout=waiting.left_s, metadata=route)
            except grpc.RpcError as failure:
                error = error_of(failure, self._address)
                pause_s = next(delays, None) if is_away(error) else waiting.pause_s(error)
                if pause_s is None or pause_s >= waiting.left_s or self._closing.wait(pause_s):
                    raise error from failure
