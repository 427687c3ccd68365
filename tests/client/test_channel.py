from __future__ import annotations

import grpc
import pytest

from seem_client import _channel as channel
from seem_wire import convert, errors, types
from seem_wire.v1 import seem_pb2 as pb


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


@pytest.mark.parametrize("address", ["localhost", "", "localhost:", "localhost:http"])
def test_anything_else_is_no_address(address):
    with pytest.raises(errors.InvalidValue, match="HOST:PORT"):
        channel.check_address(address)


@pytest.mark.parametrize(("address", "direct"), [("127.0.0.1:1", True), ("example.org:1", False)])
def test_no_proxy_stands_before_ones_own_machine(address, direct):
    assert (("grpc.enable_http_proxy", 0) in channel.channel_options(address)) is direct


def test_the_client_names_itself():
    assert channel.client_name().startswith("seem_client")


def test_a_reply_that_cannot_be_read_is_a_failure_of_its_command():
    reply = channel.reply_of(pb.Reply(seq=7))
    assert isinstance(reply, types.Failed)
    assert (reply.seq, reply.code) == (7, "UNKNOWN_REPLY")
