from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp.test_utils
import grpc
import pytest
import trustme
from aiohttp import web
from secure_words import LAPTOP, OTHER_TOKEN, TOKEN, Files, guarded_address

import seem_client
from seem_client import channel
from seem_wire import convert, errors, types
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub


class Failure:
    """A failed call, as far as its meaning is read."""

    def __init__(self, code, details="", metadata=()):
        self._facts = code, details, metadata

    def code(self):
        return self._facts[0]

    def details(self):
        return self._facts[1]

    def trailing_metadata(self):
        return self._facts[2]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UNAVAILABLE", errors.Disconnected),
        ("DEADLINE_EXCEEDED", errors.DeadlineExceeded),
        ("CANCELLED", errors.Cancelled),
        ("UNAUTHENTICATED", errors.Unauthenticated),
        ("UNIMPLEMENTED", errors.NotOffered),
        ("RESOURCE_EXHAUSTED", errors.LimitExceeded),
        ("DATA_LOSS", errors.Internal),
    ],
)
def test_a_status_without_an_error_tells_what_it_can(code, kind):
    error = channel.error_of(Failure(grpc.StatusCode[code], "because"), "here:1")
    assert type(error) is kind
    assert "here:1" in error.message
    assert "because" in error.message


def hint_of(address, **options):
    with pytest.raises(errors.Disconnected) as caught:
        seem_client.connect(address, token=TOKEN, **options)
    return caught.value.hint


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_tls_to_a_server_without_it_is_told_so(files):
    with guarded_address(files) as running:
        assert "not with TLS" in hint_of(running.address, tls=files.ca)


def test_plaintext_to_a_server_with_tls_is_told_what_it_may_want(files):
    with guarded_address(files, tls=True) as running:
        assert "may want TLS" in hint_of(running.address)


@pytest.mark.parametrize("whose", ["nobody's", "another authority's"])
def test_a_client_whose_certificate_is_not_taken_is_told_what_may_be_wanted(files, whose):
    own = files.issued(LAPTOP, authority=trustme.CA()) if whose != "nobody's" else None
    with guarded_address(files, mtls=True) as running:
        hint = hint_of(running.address, tls=files.ca, client_cert=own)
        assert "client certificate of an authority that it trusts" in hint


def test_an_authority_that_is_not_trusted_is_told_apart_from_a_wrong_name(files, tmp_path):
    (tmp_path / "other").mkdir()
    other = Files(tmp_path / "other")
    certificate, key = files.issued("other.example.org")
    with guarded_address(files, tls=True, tls_cert=certificate, tls_key=key) as running:
        for tls in (True, other.ca):
            assert "no authority that is trusted" in hint_of(running.address, tls=tls)
        assert "for another name" in hint_of(running.address, tls=files.ca)


def test_a_certificate_that_expired_is_told(files):
    past = datetime(2019, 1, 1, tzinfo=UTC)
    days = {"not_before": past, "not_after": past + timedelta(1)}
    certificate, key = files.issued("localhost", "127.0.0.1", **days)
    with guarded_address(files, tls=True, tls_cert=certificate, tls_key=key) as running:
        assert "too old" in hint_of(running.address, tls=files.ca)


def test_a_file_that_is_no_certificate_is_told(files, tmp_path):
    (tmp_path / "nonsense.pem").write_text("nonsense")
    with guarded_address(files, tls=True) as running:
        assert "PEM files" in hint_of(running.address, tls=tmp_path / "nonsense.pem")


@pytest.mark.parametrize(
    ("address", "hint"),
    [("127.0.0.1:1", "Nothing listens"), ("unix:/nowhere/seem", "no such socket")],
)
def test_that_nobody_is_there_is_told(address, hint):
    assert hint in hint_of(address)


async def test_a_site_of_the_web_is_told_apart():
    async with asyncio.timeout(20), aiohttp.test_utils.TestServer(web.Application()) as site:
        with pytest.raises(errors.Disconnected, match="gRPC port, which is 50051"):
            await seem_client.connect_async(f"127.0.0.1:{site.port}")


def test_a_connection_that_was_there_and_is_lost_says_nothing_of_tls():
    failure = Failure(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    assert channel.error_of(failure, "here:1").hint == errors.Disconnected.hint


def test_an_error_that_came_along_is_the_servers_word():
    carried = convert.error_to_bytes(errors.Overloaded("Full.", retry_after_ms=250))
    metadata = (("other", "x"), (convert.ERROR_METADATA_KEY, carried))
    error = channel.error_of(Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "", metadata), "here:1")
    assert isinstance(error, errors.Overloaded)
    assert error.retry_after_ms == 250


def test_no_metadata_at_all_is_no_error_either():
    failure = Failure(grpc.StatusCode.UNAVAILABLE, None, None)
    assert isinstance(channel.error_of(failure, "here:1"), errors.Disconnected)


@pytest.mark.parametrize("address", ["localhost:50051", "[::1]:1", "unix:/tmp/seem.sock"])
def test_an_address_names_a_port_or_a_socket(address):
    assert channel.check_address(address) == address


@pytest.mark.parametrize(
    "address", ["localhost", "", "localhost:", "localhost:http", "a:0", "a:65536", "http://a:1"]
)
def test_anything_else_is_no_address(address):
    with pytest.raises(errors.InvalidValue, match="HOST:PORT"):
        channel.check_address(address)


@pytest.mark.parametrize(("address", "direct"), [("127.0.0.1:1", True), ("example.org:1", False)])
def test_no_proxy_stands_before_ones_own_machine(address, direct):
    assert (("grpc.enable_http_proxy", 0) in channel.channel_options(address)) is direct


def test_each_client_has_connections_of_its_own():
    assert ("grpc.use_local_subchannel_pool", 1) in channel.channel_options("example.org:1")


def test_the_client_names_itself():
    assert channel.client_name().startswith("seem_client")


def test_a_reply_that_cannot_be_read_is_a_failure_of_its_command():
    reply = channel.reply_of(pb.Reply(seq=7))
    assert isinstance(reply, types.Failed)
    assert (reply.seq, reply.code) == (7, "UNKNOWN_REPLY")


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("unix:/run/seem.sock", True),
        ("localhost.example.org:1", False),
        ("127.0.0.1.example.org:1", False),
        ("192.0.2.7:1", False),
        ("[2001:db8::1]:1", False),
        ("0.0.0.0:1", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(address, local):
    assert channel.is_loopback(address) is local


def reach(address="localhost:1", *, token=None, tls=None, client_cert=None):
    return channel.reach_of(address, token=token, tls=tls, client_cert=client_cert)


def test_a_token_never_leaves_the_machine_unencrypted(tmp_path):
    for address in ("seem.example.org:1", "localhost.example.org:1", "192.0.2.7:1"):
        with pytest.raises(errors.PlaintextToken, match="tls=True") as caught:
            reach(address, token=TOKEN)
        assert TOKEN not in str(caught.value)
    assert reach("seem.example.org:1", token=TOKEN, tls=True).token == TOKEN
    assert reach("seem.example.org:1", token=TOKEN, tls=Files(tmp_path).ca).token == TOKEN
    assert reach("localhost:1", token=TOKEN).token == TOKEN


def test_the_environments_token_is_held_to_the_same(monkeypatch):
    monkeypatch.setenv("SEEM_TOKEN", TOKEN)
    assert reach().token == TOKEN
    assert reach(token=OTHER_TOKEN).token == OTHER_TOKEN
    assert reach("seem.example.org:1", token="").token is None
    with pytest.raises(errors.PlaintextToken):
        reach("seem.example.org:1")


@pytest.mark.parametrize("token", ["a b", "a\n", "ä", "\0"])
def test_what_cannot_be_a_token_is_refused_and_not_repeated(token):
    with pytest.raises(errors.InvalidValue) as caught:
        reach(token=f"{TOKEN}{token}")
    assert TOKEN not in str(caught.value)


def test_a_reach_does_not_show_its_token():
    assert TOKEN not in repr(reach(token=TOKEN))


def test_a_client_certificate_without_tls_is_a_mistake(tmp_path):
    files = Files(tmp_path)
    for tls in (None, False):
        with pytest.raises(errors.InvalidValue, match="needs TLS"):
            reach(tls=tls, client_cert=files.client)
    assert reach(tls=files.ca, client_cert=files.client).credentials is not None


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(FileNotFoundError, match=r"no-ca\.pem"):
        reach(tls="no-ca.pem")


def test_a_program_with_stubs_of_its_own_reaches_a_server_as_the_client_does(files):
    with guarded_address(files, tls=True) as running:
        reach = channel.reach_of(running.address, token=TOKEN, tls=files.ca, client_cert=None)
        with reach.channel() as opened:
            stub = SeemStub(reach.showing_token(opened))
            assert stub.GetModel(pb.GetModelRequest(), timeout=20).model_id


def test_what_is_for_other_programs_is_listed_and_there():
    assert channel.__all__ == ["Reach", "error_of", "is_loopback", "reach_of"]
    assert all(getattr(channel, name).__doc__ for name in channel.__all__)
