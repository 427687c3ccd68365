"""A client's spans, and the trace that the server goes on with, around any channel.

    call ── metadata `traceparent` ──> server
      └─ command: from when it is sent until it is answered

Spans tell kinds, numbers and times: no coordinates, words, masks or images, and a session by its
tag. Imported only where a tracer provider is given: OpenTelemetry is an extra of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from seem_wire.tags import session_tag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from opentelemetry.trace import Span, Tracer, TracerProvider

    from seem_wire.v1 import seem_pb2 as pb

_PROPAGATOR = TraceContextTextMapPropagator()


def traced(channel: grpc.Channel, provider: TracerProvider) -> grpc.Channel:
    """The channel, with a span for each call."""
    return grpc.intercept_channel(channel, _Waiting(_Spans(provider)))


def interceptors(provider: TracerProvider) -> list[grpc.aio.ClientInterceptor]:
    """What makes a span for each call of a channel that is awaited."""
    spans = _Spans(provider)
    return [_AwaitedUnary(spans), _AwaitedStream(spans)]


class _Spans:
    """Begins spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("seem_client")

    def begin(self, details: Any) -> tuple[_CallSpan, Any]:
        """A call's span, and the call's details with the trace in their metadata."""
        method = details.method
        name = (method.decode() if isinstance(method, bytes) else method).rpartition("/")[2]
        attributes = {"rpc.system": "grpc", "rpc.method": name}
        span = self._tracer.start_span(f"seem.{name}", kind=SpanKind.CLIENT, attributes=attributes)
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(span))
        metadata = (*(details.metadata or ()), *carrier.items())
        return _CallSpan(self._tracer, span), details._replace(metadata=metadata)


class _CallSpan:
    """A call's span, and those of its commands that have no answer yet."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._session: dict[str, str | int] = {}
        self._commands: dict[int, Span] = {}

    def commanded(self, message: pb.Command) -> None:
        """A command is sent."""
        kind = message.WhichOneof("kind") or "unknown"
        attributes = self._session | {"seem.kind": kind, "seem.seq": message.seq}
        if kind == "prompt":
            attributes["seem.n_objects"] = len(message.prompt.objects)
        self._commands[message.seq] = self._tracer.start_span(
            f"seem.{kind}", context=set_span_in_context(self._span), attributes=attributes
        )

    def replied(self, message: pb.Reply) -> None:
        """A command is answered."""
        kind = message.WhichOneof("kind")
        if kind == "opened":
            self._session = {"seem.session": session_tag(message.opened.session_id)}
            for one in (self._span, *list(self._commands.values())):
                one.set_attributes(self._session)
        span = self._commands.pop(message.seq, None)
        if span is None:
            return
        if kind == "error":
            span.set_attribute("seem.code", message.error.code)
            span.set_status(StatusCode.ERROR)
        span.end()

    @contextmanager
    def until_it_ends(self) -> Iterator[None]:
        """Ends with the block, as an error where that ends with a failed call."""
        code = grpc.StatusCode.OK
        try:
            yield
        except grpc.aio.AioRpcError as failure:
            code = failure.code()
            raise
        finally:
            self.ended(code)

    def ended(self, code: grpc.StatusCode) -> None:
        """The call is over; a stream that its client cancels ends as it should."""
        for seq in list(self._commands):
            self._commands.pop(seq).end()
        if code not in {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED}:
            self._span.set_status(StatusCode.ERROR, code.name)
        self._span.end()


class _Waiting(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """For the client that waits."""

    def __init__(self, spans: _Spans) -> None:
        self._spans = spans

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        call_span, details = self._spans.begin(client_call_details)
        call = continuation(details, request)
        call.add_done_callback(lambda done: call_span.ended(done.code()))
        return call

    def intercept_stream_stream(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: Any,
        request_iterator: Any,
    ) -> Any:
        call_span, details = self._spans.begin(client_call_details)
        call = continuation(details, _sending(request_iterator, call_span))
        if not call.add_callback(lambda: call_span.ended(call.code())):
            call_span.ended(call.code())  # it was over at once
        return _Answers(call, call_span)


def _sending(messages: Iterator[pb.Command], call_span: _CallSpan) -> Iterator[pb.Command]:
    for message in messages:
        call_span.commanded(message)
        yield message


class _Answers:
    """A stream's call that tells of each answer; in all else the call itself."""

    def __init__(self, call: Any, call_span: _CallSpan) -> None:
        self._call = call
        self._call_span = call_span

    def __iter__(self) -> Iterator[pb.Reply]:
        return self

    def __next__(self) -> pb.Reply:
        message: pb.Reply = next(self._call)
        self._call_span.replied(message)
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class _AwaitedUnary(grpc.aio.UnaryUnaryClientInterceptor):
    """For calls of the client that is awaited."""

    def __init__(self, spans: _Spans) -> None:
        self._spans = spans

    async def intercept_unary_unary(
        self,
        continuation: Callable[[Any, Any], Awaitable[Any]],
        client_call_details: Any,
        request: Any,
    ) -> Any:
        call_span, details = self._spans.begin(client_call_details)
        with call_span.until_it_ends():
            call = await continuation(details, request)
            await call
        return call


class _AwaitedStream(grpc.aio.StreamStreamClientInterceptor):
    """For streams of the client that is awaited."""

    def __init__(self, spans: _Spans) -> None:
        self._spans = spans

    async def intercept_stream_stream(
        self,
        continuation: Callable[[Any, Any], Awaitable[Any]],
        client_call_details: Any,
        request_iterator: Any,
    ) -> Any:
        call_span, details = self._spans.begin(client_call_details)
        call = await continuation(details, _sending_awaited(request_iterator, call_span))
        return _answers_awaited(call, call_span)


async def _sending_awaited(
    messages: AsyncIterator[pb.Command], call_span: _CallSpan
) -> AsyncIterator[pb.Command]:
    async for message in messages:
        call_span.commanded(message)
        yield message


async def _answers_awaited(call: Any, call_span: _CallSpan) -> AsyncIterator[pb.Reply]:
    with call_span.until_it_ends():
        async for message in call:
            call_span.replied(message)
            yield message
