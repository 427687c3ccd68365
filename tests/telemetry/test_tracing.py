from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from service_words import PHOTO, Talk, click, open_image, opening, served, set_image, until

from seem_server import app
from seem_server.telemetry.observers import Observers
from seem_server.telemetry.tracing import Tracing, exporting_to
from seem_wire import convert, types
from seem_wire.prompts import ObjectPrompt
from seem_wire.tags import session_tag
from seem_wire.v1 import seem_pb2 as pb

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")


@pytest.fixture
def spans(monkeypatch):
    """The finished spans of servers that are started in this test, called to get them."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(app, "_observers", lambda _: Observers(None, Tracing(provider)))
    return exporter.get_finished_spans


def by_name(spans):
    return {span.name: span for span in spans}


def parent_of(span, spans):
    return next(one.name for one in spans if one.context.span_id == span.parent.span_id)


async def test_a_stream_its_commands_and_their_work_are_one_trace(spans):
    async with served() as (_, stub, _):
        talk = Talk(stub)
        session_id = (await talk.ask(*opening()[:1])).session_id
        await talk.ask(set_image())
        await talk.ask(click(3))
        await talk.hear_until_the_end()
    found = by_name(spans())
    assert {"seem.Interact", "seem.open_image", "seem.prompt", "work.decode"} <= set(found)
    assert len({span.context.trace_id for span in found.values()}) == 1
    assert parent_of(found["seem.prompt"], spans()) == "seem.Interact"
    assert parent_of(found["engine.queue"], spans()).startswith("work.")
    said = found["seem.prompt"].attributes
    assert (said["seem.kind"], said["seem.seq"], said["seem.n_objects"]) == ("prompt", 3, 1)
    for name in ("seem.Interact", "seem.open_image", "seem.prompt", "work.decode"):
        assert found[name].attributes["seem.session"] == session_tag(session_id)


async def test_the_work_of_a_click_has_its_stages_in_their_order(spans):
    async with served() as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(*opening(), click(3))
        await talk.hear_until_the_end()
    work = by_name(spans())["work.decode"]
    inside = [one for one in spans() if one.parent and one.parent.span_id == work.context.span_id]
    assert [one.name for one in inside] == [
        f"engine.{stage}" for stage in ("queue", "encode", "decode", "post")
    ]
    assert all(a.end_time == b.start_time for a, b in pairwise(inside))
    assert parent_of(work, spans()) == "seem.prompt"


async def test_a_call_goes_on_with_its_clients_trace(spans):
    async with served() as (_, stub, _):
        await stub.GetModel(pb.GetModelRequest(), metadata=(PARENT,))
    (span,) = spans()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT[1].split("-")[2]


async def test_an_image_without_a_session_is_traced_down_to_its_work(spans):
    one = types.PromptedObject(1, click(1).objects[0].prompt)
    request = types.Segment(types.ImageBytes(PHOTO), (one,))
    async with served() as (_, stub, _):
        await stub.Segment(convert.segment_to_proto(request))
    found = by_name(spans())
    assert parent_of(found["seem.segment"], spans()) == "seem.Segment"
    assert "engine.queue" in found


async def test_what_fails_is_marked_with_its_code(spans):
    async with served() as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(open_image(), types.Undo(2))
        await talk.say_raw(pb.Command(seq=3))
        await talk.hear_until_the_end()
    found = by_name(spans())
    for name, code in (("seem.undo", "NO_IMAGE"), ("seem.unreadable", "UNKNOWN_COMMAND")):
        assert found[name].status.status_code is StatusCode.ERROR
        assert found[name].attributes["seem.code"] == code
    assert found["seem.Interact"].attributes["seem.code"] == "OK"


async def test_a_client_that_leaves_leaves_no_open_span(spans):
    async with served() as (running, stub, _):
        talk = Talk(stub)
        await talk.ask(open_image())
        talk.hang_up()
        await until(lambda: not len(running.directory))  # else the server may be the first to go
    # gRPC may tell the end of what is said before it tells that nobody listens
    assert by_name(spans())["seem.Interact"].attributes["seem.code"] in {"CLIENT_LEFT", "OK"}


async def test_spans_tell_nothing_of_what_was_said_or_shown(spans):
    said = ObjectPrompt(text="a purple walrus", points=click(1).objects[0].prompt.points)
    async with served() as (_, stub, _):
        talk = Talk(stub)
        session_id = (await talk.ask(open_image())).session_id
        await talk.ask(set_image(), click(3, said))
        await talk.hear_until_the_end()
    told = json.dumps([json.loads(span.to_json()) for span in spans()])
    assert "walrus" not in told
    assert session_id not in told
    assert "30.5" not in told
    assert types.content_hash(PHOTO) not in told


class Collector(TraceServiceServicer):
    """Takes spans, as an operator's collector does."""

    def __init__(self):
        self.names = set()

    def Export(self, request, _context):  # noqa: N802
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.names |= {span.name for span in scope.spans}
        return ExportTraceServiceResponse()


async def test_a_server_that_goes_down_has_sent_all_its_spans():
    collector = Collector()
    with ThreadPoolExecutor(1) as executor:
        server = grpc.server(executor)
        add_TraceServiceServicer_to_server(collector, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        async with served(otel_endpoint=f"127.0.0.1:{port}") as (_, stub, _):
            talk = Talk(stub)
            await talk.ask(*opening(), click(3))
            await talk.hear_until_the_end()
        server.stop(None).wait()
    assert {"seem.Interact", "seem.prompt", "work.decode", "engine.queue"} <= collector.names


def test_spans_go_to_a_collector_under_the_servers_name():
    provider = exporting_to("localhost:1", "1.2")
    assert provider.resource.attributes["service.name"] == "seem-server"
    assert provider.resource.attributes["service.version"] == "1.2"
    Tracing(provider).close()
