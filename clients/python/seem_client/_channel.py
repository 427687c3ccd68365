"""How to reach a server, and what its failures mean."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes, reply_from_proto
from seem_wire.errors import (
    Cancelled,
    DeadlineExceeded,
    Disconnected,
    Internal,
    InvalidValue,
    LimitExceeded,
    NotOffered,
    SeemError,
)
from seem_wire.types import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seem_wire.types import Reply
    from seem_wire.v1 import seem_pb2 as pb

MAX_REPLY_BYTES = 256 * 1024**2
"""A reply holds run lengths of all objects that a command changed: megabytes at the very worst."""

_ADDRESS = re.compile(r"unix:.+|.+:\d{1,5}", re.DOTALL)
_LOOPBACK = re.compile(r"(localhost|127\.|\[::1\]|unix:)")

_MEANING: dict[grpc.StatusCode, tuple[type[SeemError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (Disconnected, "The server at {} cannot be reached"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        DeadlineExceeded,
        "{} did not answer in time",
    ),
    grpc.StatusCode.CANCELLED: (Cancelled, "The call to {} was cancelled"),
    grpc.StatusCode.UNIMPLEMENTED: (NotOffered, "What answers at {} does not know this call"),
    # gRPC's own; the server's refusals carry their error with them.
    grpc.StatusCode.RESOURCE_EXHAUSTED: (LimitExceeded, "The message is too large for {}"),
}


class _Status(Protocol):
    """What both kinds of `grpc.RpcError` have; their type stubs disagree on the metadata."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Any: ...


@cache
def client_name() -> str:
    """Name and version of this client, for the server's log."""
    try:
        return f"seem_client/{version('seem-server')}"
    except PackageNotFoundError:  # run from source, without being installed
        return "seem_client"


def check_address(address: str) -> str:
    """`address`, if it is HOST:PORT or unix:PATH. Raises InvalidValue otherwise."""
    if not _ADDRESS.fullmatch(address):
        raise InvalidValue(f"{address!r} is no address: give HOST:PORT, such as localhost:50051.")
    return address


def channel_options(address: str) -> list[tuple[str, int]]:
    """Options for a channel to `address`."""
    options = [
        ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
        ("grpc.max_send_message_length", -1),  # the server says what it takes
    ]
    if _LOOPBACK.match(address):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy stands before one's own machine
    return options


def error_of(failure: _Status, address: str) -> SeemError:
    """What a failed call means: what the server said of it, or else what its status tells."""
    carried = _carried(failure.trailing_metadata() or ())
    if carried is not None:
        return error_from_bytes(carried)
    code, details = failure.code(), (failure.details() or "").strip()
    kind, sentence = _MEANING.get(code, (Internal, "The call to {} failed"))
    return kind(f"{sentence.format(address)} ({code.name}: {details}).")


def is_told(failure: _Status) -> bool:
    """Whether the server itself said why the call failed."""
    return _carried(failure.trailing_metadata() or ()) is not None


def reply_of(message: pb.Reply) -> Reply:
    """The reply in a message; one that cannot be read counts as the failure of its command."""
    try:
        return reply_from_proto(message)
    except SeemError as error:
        return Failed.of(message.seq, error)


def _carried(metadata: Iterable[tuple[str, str | bytes]]) -> bytes | None:
    for key, value in metadata:
        if key == ERROR_METADATA_KEY and isinstance(value, bytes):
            return value
    return None
