from __future__ import annotations

import json
import logging

import grpc
import pytest
import trustme
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from secure_words import LAPTOP, OTHER_TOKEN, TOKEN, WRONG_TOKEN, Files, bearing, guarded
from service_words import Talk, opening

from seem_server.service import logins
from seem_server.service.callers import line_of
from seem_server.service.logins import FAILURES
from seem_server.telemetry.logs import JsonLines
from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes
from seem_wire.errors import GRPC_STATUS
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

ASKED = pb.GetModelRequest()


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
async def channel(files):
    async with (
        guarded(files) as running,
        grpc.aio.insecure_channel(running.address) as made,
    ):
        yield made


async def refusal(call, code="UNAUTHENTICATED"):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    failure = caught.value
    assert failure.code().name == GRPC_STATUS[code]
    error = error_from_bytes(dict(failure.trailing_metadata())[ERROR_METADATA_KEY])
    assert error.code == code
    return error


def calls_of(stub, metadata=None):
    """One call of each method."""
    yield stub.GetModel(ASKED, metadata=metadata)
    yield stub.GetSession(pb.GetSessionRequest(session_id="x"), metadata=metadata)
    yield stub.Execute(pb.Command(seq=1), metadata=metadata)
    yield stub.Segment(pb.SegmentRequest(), metadata=metadata)
    yield stub.Interact(metadata=metadata).read()


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        bearing(WRONG_TOKEN),
        bearing(""),
        bearing(TOKEN[:-1]),
        (("authorization", TOKEN),),
        (("authorization", f"Basic {TOKEN}"),),
        (("authorization", "Bearer"),),
        (("x-authorization", f"Bearer {TOKEN}"),),
    ],
)
async def test_no_call_is_served_without_a_known_token(channel, metadata):
    for call in calls_of(SeemStub(channel), metadata):
        error = await refusal(call)
        assert WRONG_TOKEN not in str(error)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "unix:{}/seem"])
async def test_many_failures_are_told_to_wait_while_a_right_token_is_let_in(
    files, tmp_path, host, monkeypatch
):
    monkeypatch.setattr(logins, "WINDOW_S", 1e6)  # however slow the test is
    async with (
        guarded(files, host=host.format(tmp_path)) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        for _ in range(FAILURES):
            await refusal(stub.GetModel(ASKED, metadata=bearing(WRONG_TOKEN)))
        for call in calls_of(stub, bearing(WRONG_TOKEN)):
            error = await refusal(call, "TOO_MANY_ATTEMPTS")
            assert error.retry_after_ms > 0
        await refusal(reflected(channel), "TOO_MANY_ATTEMPTS")
        assert (await stub.GetModel(ASKED, metadata=bearing(TOKEN))).name == "fake"


async def test_strangers_certificates_are_told_to_wait_too(files, monkeypatch):
    monkeypatch.setattr(logins, "WINDOW_S", 1e6)
    credentials = files.trust(*files.issued("laptop-4.acme.example"))
    async with (
        guarded(files, mtls=True) as running,
        grpc.aio.secure_channel(running.address, credentials) as channel,
    ):
        for _ in range(FAILURES):
            await refusal(SeemStub(channel).GetModel(ASKED))
        await refusal(SeemStub(channel).GetModel(ASKED), "TOO_MANY_ATTEMPTS")


async def test_of_a_strangers_message_nothing_is_read(files):
    async with (
        guarded(files, max_image_bytes=1000) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        huge = pb.Command(set_image=pb.SetImage(image=pb.Image(encoded=bytes(9 * 1024**2))))
        await refusal(stub.Execute(huge, metadata=bearing(WRONG_TOKEN)))
        await refusal(stub.Execute(huge))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Execute(huge, metadata=bearing(TOKEN))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_a_known_token_is_let_in(channel, scheme):
    metadata = (("authorization", f"{scheme} {TOKEN}"),)
    assert (await SeemStub(channel).GetModel(ASKED, metadata=metadata)).name == "fake"


async def test_a_stream_is_let_in_by_its_token(channel):
    talk = Talk(SeemStub(channel), metadata=bearing(TOKEN))
    assert (await talk.ask(*opening())).size == (60, 80)


async def test_health_is_told_to_anybody(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    reply = await stub.Check(health_pb2.HealthCheckRequest())
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_is_watched_by_callers_alone(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    asked = health_pb2.HealthCheckRequest()
    await refusal(stub.Watch(asked).read())
    watching = stub.Watch(asked, metadata=bearing(TOKEN))
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
    watching.cancel()


async def reflected(channel, metadata=None):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]), metadata=metadata)
    return await call.read()


async def test_what_is_served_is_told_to_callers_alone(channel):
    await refusal(reflected(channel))
    await refusal(reflected(channel, bearing(WRONG_TOKEN)))
    reply = await reflected(channel, bearing(TOKEN))
    assert reply.list_services_response.service


async def test_channels_and_sockets_are_told_to_callers_alone(files):
    async with (
        guarded(files, channelz=True) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub, asked = channelz_pb2_grpc.ChannelzStub(channel), channelz_pb2.GetServersRequest()
        await refusal(stub.GetServers(asked))
        assert (await stub.GetServers(asked, metadata=bearing(TOKEN))).server


async def test_the_log_tells_who_called_and_how_strangers_were_refused(channel, caplog):
    caplog.set_level(logging.INFO, "seem_server")
    caplog.handler.setFormatter(JsonLines())
    stub = SeemStub(channel)
    await stub.GetModel(ASKED, metadata=bearing(TOKEN))
    await stub.GetModel(ASKED, metadata=bearing(OTHER_TOKEN))
    await refusal(stub.GetModel(ASKED, metadata=bearing(WRONG_TOKEN)))
    lines = [json.loads(line) for line in caplog.text.splitlines() if '"call"' in line]
    told = [(line["code"], line.get("tenant"), line.get("subject")) for line in lines]
    assert told == [
        ("OK", "acme", "ann"),
        ("OK", "rival", "rob"),
        ("UNAUTHENTICATED", None, None),
    ]


async def test_a_call_after_one_with_a_token_is_a_strangers_again(channel):
    stub = SeemStub(channel)
    await stub.GetModel(ASKED, metadata=bearing(TOKEN))
    await refusal(stub.GetModel(ASKED))


async def test_callers_can_be_changed_while_it_serves(files, caplog):
    caplog.handler.setFormatter(JsonLines())
    async with (
        guarded(files) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        files.write_tokens("nonsense that may hold a token")
        running.renew_callers()
        await stub.GetModel(ASKED, metadata=bearing(TOKEN))
        assert "Line 1" in caplog.text
        assert "nonsense" not in caplog.text
        files.write_tokens(line_of("acme", "ann", OTHER_TOKEN))
        running.renew_callers()
        await refusal(stub.GetModel(ASKED, metadata=bearing(TOKEN)))
        await stub.GetModel(ASKED, metadata=bearing(OTHER_TOKEN))


async def test_a_file_without_callers_lets_nobody_in(files):
    async with (
        guarded(files) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        files.write_tokens("# nobody yet")
        running.renew_callers()
        await refusal(SeemStub(channel).GetModel(ASKED))
        await refusal(SeemStub(channel).GetModel(ASKED, metadata=bearing(TOKEN)))


async def test_a_known_certificate_is_a_caller_and_a_token_goes_before_it(files, caplog):
    caplog.set_level(logging.INFO, "seem_server")
    caplog.handler.setFormatter(JsonLines())
    async with (
        guarded(files, mtls=True) as running,
        grpc.aio.secure_channel(running.address, files.trust(*files.client)) as channel,
    ):
        stub = SeemStub(channel)
        await stub.GetModel(ASKED)
        await stub.GetModel(ASKED, metadata=bearing(OTHER_TOKEN))
        await refusal(stub.GetModel(ASKED, metadata=bearing(WRONG_TOKEN)))
    lines = [json.loads(line) for line in caplog.text.splitlines() if '"call"' in line]
    assert [line.get("subject") for line in lines] == ["laptop", "rob", None]


async def called_with(files, certificate, key):
    credentials = files.trust(certificate, key)
    async with (
        guarded(files, mtls=True) as running,
        grpc.aio.secure_channel(running.address, credentials) as channel,
    ):
        return await SeemStub(channel).GetModel(ASKED)


async def test_a_certificate_that_no_line_names_is_a_strangers(files):
    await refusal(called_with(files, *files.issued("laptop-4.acme.example")))


async def test_a_common_name_counts_only_without_alternative_names(files):
    posing = files.issued("laptop-4.acme.example", common_name=LAPTOP)
    await refusal(called_with(files, *posing))


@pytest.mark.parametrize("who", ["nobody", "another authority's"])
async def test_without_a_certificate_of_the_authority_nothing_is_said_at_all(files, who):
    credentials = files.trust()
    if who != "nobody":
        credentials = files.trust(*files.issued(LAPTOP, authority=trustme.CA()))
    async with (
        guarded(files, mtls=True) as running,
        grpc.aio.secure_channel(running.address, credentials) as channel,
    ):
        stub = SeemStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(ASKED, metadata=bearing(TOKEN), timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_with_tls_says_nothing_in_plaintext(files):
    async with (
        guarded(files, tls=True) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await SeemStub(channel).GetModel(ASKED, metadata=bearing(TOKEN), timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_certificates_alone_let_everybody_in_who_has_one_where_no_callers_are_listed(files):
    async with (
        guarded(files, mtls=True, tokens_file="") as running,
        grpc.aio.secure_channel(running.address, files.trust(*files.client)) as channel,
    ):
        assert (await SeemStub(channel).GetModel(ASKED)).name == "fake"
