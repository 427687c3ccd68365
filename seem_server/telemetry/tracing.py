"""Traces: a span for each call, command and piece of work, on the client's trace where it has one.

    client's span ── `traceparent` ──> call ─> command ─> work ─> queue, encode, decode, post

A stream's commands share its metadata, so each is a child of the stream's span. Spans tell kinds,
numbers and times: no coordinates, words, masks or images, and a session by its tag.

Imported only where traces are asked for: OpenTelemetry is an extra of its own.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from seem_server.engine.tickets import TicketState
from seem_server.engine.work import Decode, Encode
from seem_server.telemetry.logs import request_id
from seem_wire.tags import kind_name, session_tag
from seem_wire.types import Failed, Opened, Prompt, Segment, SupersededBy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

    from seem_server.engine.tickets import Ticket
    from seem_server.engine.work import Work
    from seem_server.telemetry.calls import Asked, CallWatch, Metadata
    from seem_wire.types import Reply, Timings

SERVICE_NAME = "seem-server"

EXPORT_TIMEOUT_S = 5
"""How long a collector may take: spans are dropped rather than kept for one that is away."""

_around: ContextVar[Span | None] = ContextVar("span", default=None)
"""The span of the command that is being carried out."""

_PROPAGATOR = TraceContextTextMapPropagator()


def exporting_to(endpoint: str, version: str) -> TracerProvider:
    """What sends spans to a collector; `shutdown` sends the last. `OTEL_…` variables hold, too.

    `endpoint`: HOST:PORT or http://HOST:PORT, without encryption, or https://HOST:PORT.
    """
    resource = Resource.create({"service.name": SERVICE_NAME, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    is_plain = not endpoint.startswith("https://")
    exporter = OTLPSpanExporter(endpoint, insecure=is_plain, timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """Makes spans of what engine and transport tell; is an `Observer` and a `CallsObserver`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("seem_server")

    def close(self) -> None:
        """Sends what was not sent yet, and makes no more spans. It blocks."""
        self._provider.shutdown()

    def began(self, method: str, metadata: Metadata) -> CallWatch:
        """A call's span, on the client's trace."""
        words = {key: value for key, value in metadata.items() if isinstance(value, str)}
        attributes = {"rpc.system": "grpc", "rpc.method": method, "seem.request": request_id.get()}
        span = self._tracer.start_span(
            f"seem.{method}",
            context=_PROPAGATOR.extract(words),
            kind=SpanKind.SERVER,
            attributes=attributes,
        )
        return _TracedCall(self._tracer, span)

    def submitted(self, ticket: Ticket) -> None:
        """Remembers whose work it is; its spans are made when it ends, when its times are known."""
        parent = _around.get()
        if parent is not None and parent.is_recording():
            ticket.add_done_callback(partial(self._ended, parent, time.time_ns()))

    def ran(self, works: Sequence[Work]) -> None:
        """Does nothing: each piece of work has a trace of its own."""

    def _ended(self, parent: Span, start_ns: int, ticket: Ticket) -> None:
        work = self._tracer.start_span(
            f"work.{kind_name(type(ticket.work))}",
            context=set_span_in_context(parent),
            attributes=_of_work(ticket),
            start_time=start_ns,
        )
        if ticket.state is TicketState.FAILED:
            work.set_status(StatusCode.ERROR)
        if ticket.state is TicketState.DONE:
            self._stages(work, start_ns, ticket.result().timings)
        work.end()

    def _stages(self, work: Span, start_ns: int, timings: Timings) -> None:
        """A span for each stage, one after the other: how long they took is measured, not when."""
        stages = (
            ("queue", timings.queue_ms),
            ("encode", timings.encode_ms),
            ("decode", timings.decode_ms),
            ("post", timings.post_ms),
        )
        for name, spent_ms in stages:
            end_ns = start_ns + int(spent_ms * 1e6)
            span = self._tracer.start_span(
                f"engine.{name}", context=set_span_in_context(work), start_time=start_ns
            )
            span.end(end_ns)
            start_ns = end_ns


class _TracedCall:
    """A call's span, and those of its commands that have no answer yet."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._session: dict[str, AttributeValue] = {}
        self._commands: dict[int, Span] = {}

    def commanded(self, asked: Asked) -> None:
        span = self._tracer.start_span(
            f"seem.{_kind_of(asked)}",
            context=set_span_in_context(self._span),
            attributes=self._session | _of_asked(asked),
        )
        number = 0 if isinstance(asked, Segment) else asked.seq
        self._end(number, None)
        self._commands[number] = span
        _around.set(span)

    def replied(self, reply: Reply) -> None:
        if isinstance(reply, Opened):
            self._session = {"seem.session": session_tag(reply.session_id)}
            for span in (self._span, *self._commands.values()):
                span.set_attributes(self._session)
        self._end(reply.seq, reply)

    def ended(self, code: str) -> None:
        for seq in list(self._commands):
            self._end(seq, None)
        self._span.set_attribute("seem.code", code)
        if code not in {"OK", "CLIENT_LEFT"}:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    def _end(self, seq: int, reply: Reply | None) -> None:
        span = self._commands.pop(seq, None)
        if span is None:
            return
        if isinstance(reply, Failed):
            span.set_attribute("seem.code", reply.code)
            span.set_status(StatusCode.ERROR)
        elif isinstance(reply, SupersededBy):
            span.set_attribute("seem.superseded_by", reply.by_seq)
        span.end()


def _of_asked(asked: Asked) -> dict[str, AttributeValue]:
    """What may be told of a command."""
    attributes: dict[str, AttributeValue] = {"seem.kind": _kind_of(asked)}
    if isinstance(asked, Prompt | Segment):
        attributes["seem.n_objects"] = len(asked.objects)
    if not isinstance(asked, Segment):
        attributes["seem.seq"] = asked.seq
    if not isinstance(asked, Segment | Failed) and asked.session_id:
        attributes["seem.session"] = session_tag(asked.session_id)
    return attributes


def _kind_of(asked: Asked) -> str:
    return "unreadable" if isinstance(asked, Failed) else kind_name(type(asked))


def _of_work(ticket: Ticket) -> dict[str, AttributeValue]:
    """What may be told of a piece of work."""
    work = ticket.work
    attributes: dict[str, AttributeValue] = {
        "seem.session": session_tag(work.session_id),
        "seem.end": ticket.state.value,
    }
    if not isinstance(work, Encode):
        attributes["seem.seq"] = work.seq
    if isinstance(work, Decode):
        attributes["seem.n_objects"] = len(work.objects)
    if ticket.state is TicketState.DONE:
        attributes["seem.cache_hit"] = ticket.result().cache_hit
    return attributes
