"""From a client to the engine and back, as several tenants, over TLS: who sees what of whom."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shlex
import shutil
import subprocess
import urllib.request
from dataclasses import replace
from http.client import HTTPException
from itertools import chain
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from secure_words import (
    OTHER_TOKEN,
    TOKEN,
    WRONG_TOKEN,
    Files,
    bearing,
    guarded,
    guarded_address,
)
from service_words import KEY, PHOTO, Talk, click, open_image, opening, set_image, show

import seem_client
from seem_server.commands.reach import free_port
from seem_server.service.callers import Caller, line_of
from seem_server.service.tenants import Tenants
from seem_server.telemetry.logs import JsonLines, TextLines
from seem_wire import convert, errors, types
from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

ROOT = Path(__file__).parents[1]
PIXELS = np.full((64, 96, 3), 120, np.uint8)
ACME, RIVAL = bearing(TOKEN), bearing(OTHER_TOKEN)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
async def served(files):
    """A server over TLS, and a stub that any tenant may call with."""
    async with (
        guarded(files, tls=True) as running,
        grpc.aio.secure_channel(running.address, files.trust()) as channel,
    ):
        yield running, SeemStub(channel)


async def error_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    failure = caught.value
    carried = error_from_bytes(dict(failure.trailing_metadata())[ERROR_METADATA_KEY])
    return failure.code(), failure.details(), carried.code, carried.retry_after_ms


async def execute(stub, command, metadata):
    reply = await stub.Execute(convert.command_to_proto(command), metadata=metadata)
    return convert.reply_from_proto(reply)


# --- the client


def test_a_client_with_a_token_over_tls_is_served(files):
    with (
        guarded_address(files, tls=True) as running,
        seem_client.connect(running.address, token=TOKEN, tls=files.ca) as client,
        client.open(PIXELS) as session,
    ):
        assert session.click(40, 30).area > 0
        assert client.segment(PIXELS, points=[(40, 30)]).area > 0


async def test_an_awaited_client_with_a_certificate_of_its_own_is_served(files):
    async with guarded(files, mtls=True) as running:
        connecting = seem_client.connect_async(
            running.address, tls=files.ca, client_cert=files.client
        )
        async with connecting as client, client.open(PIXELS) as session:
            assert (await session.click(40, 30)).area > 0


async def test_an_awaited_client_shows_its_token_in_streams_too(files):
    async with guarded(files, tls=True) as running:
        connecting = seem_client.connect_async(running.address, token=TOKEN, tls=files.ca)
        async with connecting as client, client.open(PIXELS) as session:
            assert (await session.click(40, 30)).area > 0
        with pytest.raises(errors.Unauthenticated):
            await seem_client.connect_async(running.address, token=WRONG_TOKEN, tls=files.ca)


def test_a_client_that_trusts_another_authority_says_nothing(files, tmp_path):
    (tmp_path / "other").mkdir()
    with (
        guarded_address(files, tls=True) as running,
        pytest.raises(errors.Disconnected),
    ):
        seem_client.connect(running.address, token=TOKEN, tls=Files(tmp_path / "other").ca)


# --- between tenants


async def test_a_session_of_another_tenant_cannot_be_told_from_none(served):
    _, stub = served
    session = (await execute(stub, open_image(), ACME)).session_id
    await execute(stub, set_image(session_id=session), ACME)
    ids = (session, "x" * len(session))
    asked = [pb.GetSessionRequest(session_id=one) for one in ids]
    theirs, none = [await error_of(stub.GetSession(one, metadata=RIVAL)) for one in asked]
    assert theirs == none
    commands = [types.Undo(3, session_id=one) for one in ids]
    theirs, none = [await error_of(execute(stub, one, RIVAL)) for one in commands]
    assert theirs == none
    card = await stub.GetSession(pb.GetSessionRequest(session_id=session), metadata=ACME)
    assert card.content_hash == KEY


async def test_an_image_of_another_tenant_is_unknown_by_its_hash(served):
    _, stub = served
    acme, rival = Talk(stub, metadata=ACME), Talk(stub, metadata=RIVAL)
    assert (await acme.ask(*opening())).content_hash == KEY
    await acme.ask(click(3))
    asked = types.SetImage(2, types.ImageKey(KEY))
    refused = await rival.ask(open_image(), asked)
    assert refused.code == "IMAGE_UNKNOWN"
    example = show(4, types.ImageKey(KEY))
    assert (await rival.ask(set_image(3, PHOTO + b" "), example)).code == "IMAGE_UNKNOWN"
    mine = Talk(stub, metadata=ACME)
    assert (await mine.ask(open_image(), asked)).content_hash == KEY


async def test_an_image_that_another_tenant_encoded_is_encoded_anew(served):
    running, stub = served
    backend = running.engine._backend
    request = types.Segment(types.ImageBytes(PHOTO), click(1).objects)
    message = convert.segment_to_proto(request)
    replies = [await stub.Segment(message, metadata=who) for who in (ACME, ACME, RIVAL)]
    assert [reply.cache_hit for reply in replies] == [False, True, False]
    assert backend.n_encoded == 2
    assert backend.n_decoded == 2
    assert {reply.content_hash for reply in replies} == {KEY}
    assert len({reply.objects[0].rle.counts for reply in replies}) == 1


async def test_tenants_share_features_only_where_that_is_turned_on(files):
    async with (
        guarded(files, share_features=True) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        await Talk(stub, metadata=ACME).ask(*opening(), click(3))
        rival = Talk(stub, metadata=RIVAL)
        image = await rival.ask(open_image(), types.SetImage(2, types.ImageKey(KEY)))
        assert image.cache_hit


async def test_examples_undo_and_everything_work_within_a_tenant(served):
    _, stub = served
    talk = Talk(stub, metadata=ACME)
    await talk.ask(*opening(), click(3))
    shown = await talk.ask(show(4))
    assert shown.objects[0].round == 2
    assert isinstance(await talk.ask(types.Undo(5), types.Redo(6)), types.Masks)
    question = types.Question(vocabulary=("cat",))
    assert isinstance(await talk.ask(types.Everything(7, question)), types.Segments)


async def test_a_quota_is_refused_with_the_time_to_try_again(files):
    async with (
        guarded(files, tenant_sessions=1) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        await execute(stub, open_image(), ACME)
        status, details, code, retry_after_ms = await error_of(execute(stub, open_image(), ACME))
        assert (status, code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert "tenant_sessions of 1" in details
        assert retry_after_ms > 0
        await execute(stub, open_image(), RIVAL)


async def test_what_each_tenant_uses_is_told_on_the_operators_page_alone(files):
    port = free_port()
    async with (
        guarded(files, metrics_port=port) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        for tenant in (ACME, RIVAL):
            await execute(stub, open_image(), tenant)
        await error_of(stub.GetModel(pb.GetModelRequest(), metadata=bearing(WRONG_TOKEN)))
        page = await asyncio.to_thread(get, port, "/metrics")
        assert re.findall(r'seem_tenant_sessions{tenant="(\w+)"}', page) == ["acme", "rival"]
        assert 'seem_failed_logins_total{reason="unknown_token"} 1.0' in page
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        reply = await reflection.ServerReflectionInfo(iter([asked]), metadata=RIVAL).read()
        served = {one.name.rpartition(".")[2] for one in reply.list_services_response.service}
        assert served == {"Seem", "Health", "ServerReflection"}
        card = await stub.GetModel(pb.GetModelRequest(), metadata=RIVAL)
        assert "acme" not in str(card)
        with pytest.raises((OSError, HTTPException)):
            await asyncio.to_thread(get, running.port, "/metrics")


def get(port, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return answer.read().decode()


# --- between tenants, in what is kept


@pytest.fixture
def kept(tmp_path):
    """Where servers listen and keep sessions, one after the other."""
    return {"store": f"sqlite:{tmp_path / 'sessions.sqlite'}", "host": f"unix:{tmp_path}/seem"}


async def left_behind(files, kept):
    """The id of a session of acme that a server left when it went down, and its last masks."""
    async with (
        guarded(files, **kept) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        talk = Talk(SeemStub(channel), metadata=ACME)
        opened, _, masks, shown = [
            await talk.ask(one) for one in (*opening(), click(3), show(4, object_id=2))
        ]
    return opened.session_id, {one.object_id: one.rle for one in (*masks.objects, *shown.objects)}


async def test_a_kept_session_of_another_tenant_cannot_be_told_from_none(files, kept):
    session, masks = await left_behind(files, kept)
    ids = (session, "x" * len(session))
    async with (
        guarded(files, **kept) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)

        async def looked_at_by_a_rival():
            for one in ids:
                talk = Talk(stub, metadata=RIVAL)
                asked = pb.GetSessionRequest(session_id=one)
                yield (
                    replace(await talk.ask(types.Attach(1, one, masks=True)), seq=0),
                    await error_of(stub.GetSession(asked, metadata=RIVAL)),
                    await error_of(execute(stub, types.Undo(9, session_id=one), RIVAL)),
                )

        theirs, none = [one async for one in looked_at_by_a_rival()]
        assert theirs == none
        assert theirs[0].code == "UNKNOWN_SESSION"
        owner = Talk(stub, metadata=ACME)
        attached = await owner.ask(types.Attach(5, session, after_seq=4, masks=True))
        assert {one.object_id: one.rle for one in attached.objects} == masks
        assert attached.session.content_hash == KEY
        theirs, none = [one async for one in looked_at_by_a_rival()]  # now it is held here
        assert theirs == none
        assert isinstance(await owner.ask(types.Undo(6)), types.Masks)


async def test_a_kept_image_of_another_tenant_is_unknown_by_its_hash(files, kept):
    await left_behind(files, kept)
    async with (
        guarded(files, **kept) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        acme, rival = (Talk(SeemStub(channel), metadata=one) for one in (ACME, RIVAL))
        asked = types.SetImage(2, types.ImageKey(KEY))
        for key in (KEY, Tenants().of(Caller("acme", "ann")).key_of(KEY)):
            refused = await rival.ask(open_image(1), types.SetImage(2, types.ImageKey(key)))
            assert refused.code == "IMAGE_UNKNOWN"
            await rival.ask(types.Release(3))
        assert (await acme.ask(open_image(), asked)).content_hash == KEY


@pytest.mark.parametrize("traced", [False, True])
def test_a_client_with_a_token_goes_on_with_the_next_server(files, kept, traced):
    provider = TracerProvider(shutdown_on_exit=False) if traced else None
    with guarded_address(files, **kept) as running:
        client = seem_client.connect(running.address, token=TOKEN, tracer_provider=provider)
        session = client.open(PIXELS)
        first = session.click(40, 30)
    with guarded_address(files, **kept), client, session:
        session.click(60, 30)
        assert np.array_equal(session.undo().mask, first.mask)


@pytest.mark.parametrize("traced", [False, True])
async def test_an_awaited_client_with_a_token_goes_on_with_the_next_server(files, kept, traced):
    provider = TracerProvider(shutdown_on_exit=False) if traced else None
    async with guarded(files, **kept) as running:
        client = await seem_client.connect_async(
            running.address, token=TOKEN, tracer_provider=provider
        )
        session = await client.open(PIXELS)
        first = await session.click(40, 30)
    async with guarded(files, **kept), client, session:
        await session.click(60, 30)
        assert np.array_equal((await session.undo()).mask, first.mask)


def test_a_client_whose_token_was_struck_out_meanwhile_is_told_so(files, kept):
    with guarded_address(files, **kept) as running:
        client = seem_client.connect(running.address, token=TOKEN)
        session = client.open(PIXELS)
    files.write_tokens(line_of("rival", "rob", OTHER_TOKEN))
    with guarded_address(files, **kept), client, pytest.raises(errors.Unauthenticated):
        session.click(40, 30)


# --- secrets and paths


def _everything_logged(caplog):
    lines = [f.format(one) for one in caplog.records for f in (JsonLines(), TextLines())]
    return "\n".join([caplog.text, *lines])


def test_no_token_session_or_image_is_logged_shown_or_told(files, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    shown = []
    with guarded_address(files, tls=True) as running:
        with (
            seem_client.connect(running.address, token=TOKEN, tls=files.ca) as client,
            client.open(PIXELS) as session,
        ):
            session.click(40, 30)
            with pytest.raises(errors.PointOutsideImage) as refused:
                session.click(400, 30)
            session_id = session.id
            shown += [client, vars(client), session, vars(session), refused.value]
            shown += [vars(client._stub), client._channel, session._stream]
        with pytest.raises(errors.Unauthenticated) as strange:
            seem_client.connect(running.address, token=WRONG_TOKEN, tls=files.ca)
        shown += [strange.value, strange.value.__cause__, running]
    logged = _everything_logged(caplog)
    said = "\n".join([logged, *map(repr, shown), *map(str, shown), *capfd.readouterr()])
    assert "UNAUTHENTICATED" in said
    assert '"tenant": "acme"' in said
    assert TOKEN not in said
    assert WRONG_TOKEN not in said
    assert session_id not in logged


def fields_of_the_contract():
    return chain.from_iterable(
        ((message.name, field.name) for field in message.fields)
        for message in pb.DESCRIPTOR.message_types_by_name.values()
    )


def test_nothing_in_the_contract_names_a_file_or_an_address():
    names = {name for _, name in fields_of_the_contract()}
    assert "encoded" in names
    forbidden = re.compile(r"(^|_)(path|file|filename|url|uri|host|address|folder|dir)(_|$)")
    assert not list(filter(forbidden.search, names))


@pytest.mark.parametrize("text", ["/etc/passwd", "file:///etc/passwd", "http://192.0.2.1/a.png"])
async def test_a_path_or_an_address_in_an_images_place_is_bytes_that_are_no_image(served, text):
    _, stub = served
    talk = Talk(stub, metadata=ACME)
    reply = await talk.ask(open_image(), set_image(2, text.encode()))
    assert reply.code == "IMAGE_UNREADABLE"
    assert "passwd" not in json.dumps(reply.message)
    message = pb.Command(seq=3, set_image=pb.SetImage(image=pb.Image(content_hash=text)))
    await talk.say_raw(message)
    assert (await talk.hear())[0].code == "INVALID_VALUE"


# --- the table


def test_every_test_that_the_security_table_names_is_there():
    table = (ROOT / "SECURITY.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", table)
    assert len(named) >= 20
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"def {name}\(", (ROOT / path).read_text("utf-8"))
    ]
    assert not missing


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_certificate_for_trying_out_is_one_that_clients_trust(files):
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    (recipe,) = re.findall(r"^openssl .*$", page, re.MULTILINE)
    subprocess.run(shlex.split(recipe), cwd=files.folder, check=True, capture_output=True)
    made = [str(files.folder / name) for name in ("tls.crt", "tls.key")]
    with (
        guarded_address(files, tls_cert=made[0], tls_key=made[1]) as running,
        seem_client.connect(running.address, token=TOKEN, tls=made[0]) as client,
    ):
        assert client.model().name == "fake"
