"""The gRPC server: where it listens, what it offers beside Seem, how it goes down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from seem_server.telemetry.calls import Unwatched
from seem_server.transport.authentication import Authentication
from seem_server.transport.interceptors import Calls
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import add_SeemServicer_to_server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seem_server.service.callers import Callers
    from seem_server.telemetry.calls import CallsObserver
    from seem_server.transport.servicer import Servicer
    from seem_server.transport.tls import Tls
    from seem_wire.types import Limits

SERVICE = pb.DESCRIPTOR.services_by_name["Seem"].full_name

LEAST_PING_S = 5.0
"""Whoever asks oftener whether the server is alive, over a silent connection, is hung up on. A
proxy before many servers asks every few seconds, to notice one that hangs."""

_SLACK_BYTES = 8 * 1024**2
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """Where and how the server listens.

    Attributes:
        address: "HOST:PORT" (port 0: any free one) or "unix:PATH".
        max_calls: Streams and unary calls at once; more are refused by gRPC itself.
        grace_s: How long running calls may go on when the server goes down.
        keepalive_s: A client that says nothing for so long is asked whether it is alive, and is
            gone if it does not answer within as long again.
        tls: What it shows of itself and asks of clients; None for plaintext.
        channelz: Whether whoever can reach the server may look into its channels and sockets.
    """

    address: str = "127.0.0.1:50051"
    max_calls: int = 512
    grace_s: float = 5.0
    keepalive_s: float = 60.0
    tls: Tls | None = None
    channelz: bool = False


class Server:
    """Serves a Servicer, with health and reflection; healthy between `ready` and `stop`.

    With `callers`, only they are served, but anybody may ask for its health. `observer` looks at
    every call, the refused ones too. Make and use it on one event loop.
    """

    def __init__(
        self,
        servicer: Servicer,
        config: TransportConfig,
        limits: Limits,
        observer: CallsObserver | None = None,
        callers: Callers | None = None,
    ) -> None:
        self._config = config
        self._is_ready = False
        self._authentication: Authentication | None = None
        # The first is the outermost: who is refused is logged and counted, too.
        interceptors: list[grpc.aio.ServerInterceptor] = [Calls(SERVICE, observer or Unwatched())]
        if callers is not None:
            certificates = config.tls is not None and config.tls.client_ca is not None
            self._authentication = Authentication(callers, certificates=certificates)
            interceptors.append(self._authentication)
        self._server = grpc.aio.server(
            interceptors=interceptors,
            options=_options(config, limits),
            maximum_concurrent_rpcs=config.max_calls,
        )
        self._health = health.aio.HealthServicer()
        add_SeemServicer_to_server(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME]
        if config.channelz:
            names.append(_add_channelz(self._server))
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> int:
        """Listens, and gives the port (0 for a unix socket). Not healthy yet: see `ready`.

        Raises:
            OSError: The address can't be listened on.
        """
        await self._set_health(_NOT_SERVING)
        try:
            port = self._listen()
        except RuntimeError as error:
            raise OSError(f"Can't listen on {self._config.address}; is it taken?") from error
        await self._server.start()
        return 0 if self._config.address.startswith("unix:") else port

    @property
    def is_ready(self) -> bool:
        """Whether it is between `ready` and `drain`."""
        return self._is_ready

    @property
    def n_failed_logins(self) -> Mapping[str, int]:
        """By reason; none where it asks nobody who calls. May be asked for from any thread."""
        return self._authentication.n_failed if self._authentication else {}

    def renew(self, callers: Callers) -> None:
        """Serves these callers from now on, where it asks who calls at all."""
        if self._authentication:
            self._authentication.renew(callers)

    def _listen(self) -> int:
        address, tls = self._config.address, self._config.tls
        if tls is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, tls.credentials())

    async def ready(self) -> None:
        """Tells whoever asks that it can be used."""
        self._is_ready = True
        await self._set_health(_SERVING)

    async def tell_whether(self, *, works: bool) -> None:
        """Tells whoever asks whether what is behind it works; before `ready` nothing does."""
        if self._is_ready:
            await self._set_health(_SERVING if works else _NOT_SERVING)

    async def drain(self) -> None:
        """Tells whoever asks to go elsewhere; calls are still served."""
        self._is_ready = False
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float | None = None) -> None:
        """Takes no new calls, and ends those that are not done within `grace_s`."""
        await self.drain()
        await self._server.stop(self._config.grace_s if grace_s is None else grace_s)

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in (health.OVERALL_HEALTH, SERVICE):
            await self._health.set(name, status)


def _add_channelz(server: grpc.aio.Server) -> str:
    """The name of the service, added to a server that was made to keep such counts."""
    from grpc_channelz.v1 import channelz, channelz_pb2  # noqa: PLC0415  (only where asked for)

    channelz.add_channelz_servicer(server)
    name: str = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name
    return name


def _options(config: TransportConfig, limits: Limits) -> list[tuple[str, int]]:
    keepalive_ms = int(config.keepalive_s * 1000)
    return [
        # Twice what is taken: an image that is a little too large gets a typed error.
        ("grpc.max_receive_message_length", 2 * limits.max_image_bytes + _SLACK_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # a second server on the same port is told so
        ("grpc.enable_channelz", int(config.channelz)),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.http2.ping_timeout_ms", keepalive_ms),  # of pings that gRPC sends on its own account
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", int(LEAST_PING_S * 1000)),
    ]
