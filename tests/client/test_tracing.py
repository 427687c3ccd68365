from __future__ import annotations

import json
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from service_words import PHOTO

import seem_client
from seem_client import errors
from seem_server import app
from seem_server.settings import Settings
from seem_server.telemetry.observers import Observers
from seem_server.telemetry.tracing import Tracing
from seem_wire.types import content_hash

FAKE = Settings(bundle="fake", port=0, grace_s=0)


class Told:
    """A tracer provider, and the spans that it was told of."""

    def __init__(self):
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self):
        return self._exporter.get_finished_spans()

    def wait_for(self, name):
        """The last span of a name; it may be told by a thread that is still at it."""
        patience = time.monotonic() + 20
        while time.monotonic() < patience:
            found = [span for span in self.spans if span.name == name]
            if found:
                return found[-1]
            time.sleep(0.001)
        raise AssertionError(f"no span {name} in {[span.name for span in self.spans]}")


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def at_the_server(monkeypatch):
    made = Told()
    monkeypatch.setattr(app, "_observers", lambda _: Observers(None, Tracing(made.provider)))
    return made


@pytest.fixture
def address(at_the_server):  # noqa: ARG001  (must stand before the server starts)
    with app.local_server(FAKE) as found:
        yield found


def talk(address, told):
    with (
        seem_client.connect(address, tracer_provider=told.provider) as client,
        client.open(PHOTO) as session,
    ):
        session.click(30.5, 20.5)
        with pytest.raises(errors.NothingToRedo):
            session.redo()


async def talk_async(address, told):
    async with (
        seem_client.connect_async(address, tracer_provider=told.provider) as client,
        client.open(PHOTO) as session,
    ):
        await session.click(30.5, 20.5)
        with pytest.raises(errors.NothingToRedo):
            await session.redo()


def check(told, at_the_server):
    stream = told.wait_for("seem.Interact")
    theirs = at_the_server.wait_for("seem.Interact")
    click = told.wait_for("seem.prompt")
    assert click.parent.span_id == stream.context.span_id == theirs.parent.span_id
    assert click.attributes["seem.n_objects"] == 1
    assert stream.attributes["seem.session"] == theirs.attributes["seem.session"]
    assert click.attributes["seem.session"] == stream.attributes["seem.session"]
    assert stream.status.status_code is StatusCode.UNSET
    assert told.wait_for("seem.redo").attributes["seem.code"] == "NOTHING_TO_REDO"
    work = at_the_server.wait_for("work.decode")
    assert work.context.trace_id == stream.context.trace_id
    assert told.wait_for("seem.GetModel").context.trace_id != stream.context.trace_id


def test_a_click_is_one_trace_from_the_client_to_the_engine(address, told, at_the_server):
    talk(address, told)
    check(told, at_the_server)


async def test_a_click_that_is_awaited_is_one_trace_too(address, told, at_the_server):
    await talk_async(address, told)
    check(told, at_the_server)


async def test_a_call_that_fails_is_marked(told):
    with pytest.raises(errors.Disconnected):
        seem_client.connect("localhost:1", tracer_provider=told.provider)
    with pytest.raises(errors.Disconnected):
        await seem_client.connect_async("localhost:1", tracer_provider=told.provider)
    assert [span.status.description for span in told.spans] == ["UNAVAILABLE"] * 2


def test_spans_tell_nothing_of_what_was_said_or_shown(address, told):
    with (
        seem_client.connect(address, tracer_provider=told.provider) as client,
        client.open(PHOTO) as session,
    ):
        session.text("a purple walrus", object_id=2)
        session.click(31.25, 20.5)
        session_id = session._core.session_id
    told.wait_for("seem.Interact")
    text = json.dumps([json.loads(span.to_json()) for span in told.spans])
    for secret in ("walrus", "31.25", session_id, content_hash(PHOTO)):
        assert secret not in text
