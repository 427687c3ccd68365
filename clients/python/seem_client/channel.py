"""How to reach a server, and what its failures mean; for programs that speak the wire themselves.

A gateway, or a tool with stubs of its own, gets to a server as `connect` does:

    reach = reach_of("seem.example.org:443", token=None, tls=True, client_cert=None)
    with reach.channel() as channel:
        stub = SeemStub(reach.showing_token(channel))
        try:
            card = stub.GetModel(pb.GetModelRequest(), timeout=10)
        except grpc.RpcError as failure:
            raise error_of(failure, reach.address) from failure

What is listed in `__all__` stays as it is; the rest is the client's own.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import grpc.aio

from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes, reply_from_proto
from seem_wire.errors import (
    Cancelled,
    DeadlineExceeded,
    Disconnected,
    Internal,
    InvalidValue,
    LimitExceeded,
    NotOffered,
    PlaintextToken,
    SeemError,
    Unauthenticated,
)
from seem_wire.tags import TAG_LENGTH, session_tag
from seem_wire.types import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from seem_wire.types import Reply
    from seem_wire.v1 import seem_pb2 as pb

    Metadata = tuple[tuple[str, str], ...]
    PathLike = str | os.PathLike[str]
    Verified = bool | PathLike | None
    CertificateAndKey = tuple[PathLike, PathLike]

__all__ = ["Reach", "error_of", "is_loopback", "reach_of"]

MAX_REPLY_BYTES = 256 * 1024**2
"""A reply holds run lengths of all objects that a command changed: megabytes at the very worst."""

KEEPALIVE_S = 60.0
KEEPALIVE_PATIENCE_S = 20.0
"""A server that says nothing for so long in a session is asked whether it is alive, and is gone if
it does not answer within that: a connection can die without either end hearing of it."""

RECONNECT_PAUSE_S = 1.0
"""A server that was away is tried again so often at least. gRPC's own two minutes are for services
of which there are many; here a person waits, and calls meanwhile are refused untried."""

_ADDRESS = re.compile(r"unix:.+|(?!https?:).+:(?P<port>\d{1,5})", re.DOTALL)
_LAST_PORT = 65535

ROUTE_KEY = "x-seem-session"
"""Metadata by which a proxy before many servers brings a session's streams to the same one."""
_TOKEN = re.compile(r"[!-~]+")

TOKEN_VARIABLE = "SEEM_TOKEN"  # noqa: S105  (where it lies, not what it is)
"""The environment variable whose token is used where none is given."""

_MEANING: dict[grpc.StatusCode, tuple[type[SeemError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (Disconnected, "The server at {} cannot be reached"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        DeadlineExceeded,
        "{} did not answer in time",
    ),
    grpc.StatusCode.CANCELLED: (Cancelled, "The call to {} was cancelled"),
    grpc.StatusCode.UNAUTHENTICATED: (Unauthenticated, "{} let nobody in"),
    grpc.StatusCode.UNIMPLEMENTED: (NotOffered, "What answers at {} does not know this call"),
    # gRPC's own; the server's refusals carry their error with them.
    grpc.StatusCode.RESOURCE_EXHAUSTED: (LimitExceeded, "The message is too large for {}"),
}


_HINTS = {
    "WRONG_VERSION_NUMBER": (
        "The server answers, but not with TLS: connect without it, or have the server started with "
        "a certificate (--tls-cert)."
    ),
    "certificate has expired": "The server's certificate is too old: its operator has to renew it.",
    "CERTIFICATE_VERIFY_FAILED": (
        "The server's certificate is of no authority that is trusted here: give the CA file that "
        "its operator gave you (tls=FILE, or --tls-ca)."
    ),
    "Hostname Verification Check failed": (
        "The server's certificate is for another name: use that name in the address."
    ),
    "Failed to create security handshaker": (
        "The CA file, or the client certificate with its key, is not what it should be: PEM files."
    ),
    "Expected SETTINGS frame": (
        "What listens there speaks HTTP/1, perhaps the annotator: give the server's gRPC port, "
        "which is 50051 unless its operator says otherwise."
    ),
    "Connection refused": "Nothing listens there: start the server, or check host and port.",
    "No such file": "There is no such socket: start the server, or check the path.",
    "errors resolving": "The host's name is not known: check it.",
    "Socket closed": (
        "Something listens there, and hung up at once: it may want TLS (tls=True or FILE, --tls or "
        "--tls-ca), or a client certificate of an authority that it trusts (client_cert=, "
        "--client-cert)."
    ),
}
"""What to do where no connection came about, by what gRPC says of it; the first that is found."""

_NO_CONNECTION = ("failed to connect", "errors resolving")


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a server is, and what is shown to it; made by `reach_of`.

    Attributes:
        address: HOST:PORT or unix:PATH.
        token: Goes along with every call.
        credentials: How the channel is encrypted; None for plaintext.
    """

    address: str
    token: str | None = field(default=None, repr=False)
    credentials: grpc.ChannelCredentials | None = field(default=None, repr=False)

    def channel(self) -> grpc.Channel:
        """A channel for plain calls."""
        options = channel_options(self.address)
        if self.credentials is None:
            return grpc.insecure_channel(self.address, options)
        return grpc.secure_channel(self.address, self.credentials, options)

    def async_channel(
        self, interceptors: Sequence[grpc.aio.ClientInterceptor] | None = None
    ) -> grpc.aio.Channel:
        """A channel for calls that are awaited, each of which the interceptors see."""
        options = channel_options(self.address)
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.address, options, interceptors=interceptors)
        return grpc.aio.secure_channel(
            self.address, self.credentials, options, interceptors=interceptors
        )

    def showing_token(self, channel: grpc.Channel | grpc.aio.Channel) -> Any:
        """What a stub is made of, so that its calls carry the token."""
        if self.token is None:
            return channel
        return _WithMetadata(channel, (("authorization", f"Bearer {self.token}"),))


class _WithMetadata:
    """A channel, as far as a stub uses it, whose calls carry metadata."""

    def __init__(self, channel: Any, metadata: Metadata) -> None:
        self._channel = channel
        self._metadata = metadata

    def unary_unary(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return self._carrying(self._channel.unary_unary(*arguments, **options))

    def stream_stream(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        return self._carrying(self._channel.stream_stream(*arguments, **options))

    def _carrying(self, call: Callable[..., Any]) -> Callable[..., Any]:
        # no partial: its repr tells all
        def carrying(*arguments: Any, metadata: Metadata = (), **options: Any) -> Any:
            return call(*arguments, metadata=(*metadata, *self._metadata), **options)

        return carrying


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


def route_of(session_id: str = "") -> Metadata:
    """The metadata of all streams of a session.

    By its tag where one attaches to it, for its id lets whoever reads it use it; otherwise by
    chance, because the server names it only later.
    """
    return ((ROUTE_KEY, session_tag(session_id) or secrets.token_hex(TAG_LENGTH // 2)),)


def check_address(address: str) -> str:
    """`address`, if it is HOST:PORT or unix:PATH. Raises InvalidValue otherwise."""
    parts = _ADDRESS.fullmatch(address)
    if not parts or not 0 < int(parts["port"] or 1) <= _LAST_PORT:
        raise InvalidValue(f"{address!r} is no address: give HOST:PORT, such as localhost:50051.")
    return address


def reach_of(
    address: str, *, token: str | None, tls: Verified, client_cert: CertificateAndKey | None
) -> Reach:
    """How to reach the server at `address`; see `client.connect` for what the rest means.

    Raises:
        InvalidValue: The address is not HOST:PORT, a token has characters that none has, or there
            is a client certificate without TLS.
        PlaintextToken: A token would leave this machine unencrypted.
        OSError: A file can't be read.
    """
    check_address(address)
    token = os.environ.get(TOKEN_VARIABLE) if token is None else token
    if token and not _TOKEN.fullmatch(token):
        raise InvalidValue("The token has blanks, or letters beyond ASCII; none of ours has.")
    credentials = _credentials(tls, client_cert)
    if token and credentials is None and not is_loopback(address):
        raise PlaintextToken(f"The token would go to {address} unencrypted.")
    return Reach(address, token or None, credentials)


def _credentials(
    tls: Verified, client_cert: CertificateAndKey | None
) -> grpc.ChannelCredentials | None:
    if tls is None or tls is False:
        if client_cert is not None:
            raise InvalidValue("A client certificate needs TLS: give tls=True, or a CA file.")
        return None
    roots = None if tls is True else Path(tls).read_bytes()
    if client_cert is None:
        return grpc.ssl_channel_credentials(roots)
    certificate, key = (Path(file).read_bytes() for file in client_cert)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def is_loopback(address: str) -> bool:
    """Whether what is sent to `address` stays on this machine."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0]
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def channel_options(address: str) -> list[tuple[str, int]]:
    """Options for a channel to `address`."""
    options = [
        ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
        ("grpc.max_send_message_length", -1),  # the server says what it takes
        ("grpc.use_local_subchannel_pool", 1),  # else it inherits the pauses of others that failed
        ("grpc.initial_reconnect_backoff_ms", int(RECONNECT_PAUSE_S * 100)),
        ("grpc.max_reconnect_backoff_ms", int(RECONNECT_PAUSE_S * 1000)),
        ("grpc.keepalive_time_ms", int(KEEPALIVE_S * 1000)),
        ("grpc.keepalive_timeout_ms", int(KEEPALIVE_PATIENCE_S * 1000)),
        ("grpc.http2.ping_timeout_ms", int(KEEPALIVE_PATIENCE_S * 1000)),
    ]
    if is_loopback(address):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy stands before one's own machine
    return options


def error_of(failure: _Status, address: str) -> SeemError:
    """What a failed call means: what the server said of it, or else what its status tells."""
    carried = _carried(failure.trailing_metadata() or ())
    if carried is not None:
        return error_from_bytes(carried)
    code, details = failure.code(), (failure.details() or "").strip()
    kind, sentence = _MEANING.get(code, (Internal, "The call to {} failed"))
    error = kind(f"{sentence.format(address)} ({code.name}: {details}).")
    if kind is Disconnected and any(sign in details for sign in _NO_CONNECTION):
        error.hint = next((hint for sign, hint in _HINTS.items() if sign in details), error.hint)
    return error


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
