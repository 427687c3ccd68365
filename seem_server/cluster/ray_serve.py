"""Replicas as deployments of Ray Serve: decoders that hold images' features, and encoders.

    gateway ── work, by image ──> Decoder (an engine) ── pixels of a new image ──> Encoder
                                          └── features, through Ray's object store ──┘

A request names its route, the image's key, as its `multiplexed_model_id`, by which `router` chooses
the decoder. Ray Serve starts and ends replicas as they are needed, and places them where there are
GPUs. Without encoders a decoder encodes by itself. Ray is imported here and in `router` alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve._private import replica as replica_of_ray
from ray.serve.config import RequestRouterConfig
from ray.serve.exceptions import RayServeException

from seem_server.cluster import loopback
from seem_server.cluster.engine import ReplicaLost
from seem_server.cluster.replica import Replica
from seem_server.engine import preprocess
from seem_server.runtime.stacking import sharing
from seem_wire.errors import Disconnected, Internal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from seem_server.cluster.replica import Reply
    from seem_server.engine.engine import Engine
    from seem_server.engine.work import Work
    from seem_server.runtime.backend import Backend

    Pixels = npt.NDArray[np.uint8]
    Float32 = npt.NDArray[np.float32]

REACH_S = 5.0
"""How long a cluster may take to let itself be reached."""

APP, DECODER, ENCODER = "seem", "decoder", "encoder"
NAMESPACE = "seem"

ROUTER = "seem_server.cluster.router.RouteRouter"

ONGOING = 64
"""Pieces of work that wait in a decoder at once; its own scheduler orders them."""

ENCODED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """How many replicas, and what each takes.

    Attributes:
        replicas, most_replicas: Decoders at least and at most; as many as wait for work.
        encoders: Replicas that only encode; 0 has each decoder encode for itself.
        gpus: Of each replica: a number, or a share of one.
        cpus: Of each replica, as Ray counts them.
    """

    replicas: int = 2
    most_replicas: int = 2
    encoders: int = 0
    gpus: float = 0.0
    cpus: float = 1.0

    @property
    def resources(self) -> dict[str, float]:
        """What Ray finds room for."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}


class Encoder:
    """Encodes images, as many at once as have come."""

    def __init__(self, make_backend: Callable[[], Backend]) -> None:
        _keep_replica_to_loopback()
        self._backend = make_backend()
        self._lock = asyncio.Lock()

    @serve.batch(max_batch_size=ENCODED_AT_ONCE, batch_wait_timeout_s=0.0)
    async def encode(self, images: list[Pixels]) -> list[tuple[Float32, ...]]:
        """The features of each image (H, W, 3), as `Backend.arrays_of` gives them."""
        async with self._lock:  # one run at a time, while the next ones gather
            return await asyncio.to_thread(self._encode, images)

    def _encode(self, images: Sequence[Pixels]) -> list[tuple[Float32, ...]]:
        manifest = self._backend.manifest
        prepared = [preprocess.prepare(image, manifest) for image in images]
        inputs = [preprocess.to_input(one, manifest) for one in prepared]
        found: list[tuple[Float32, ...]] = []
        for alike in sharing(inputs, lambda one: one.shape):
            made = self._backend.encode(np.concatenate(alike))
            found += [self._backend.arrays_of(features) for features in made]
        return found


class Decoder:
    """A replica of `cluster.replica`, as Ray Serve calls it."""

    def __init__(self, make_engine: Callable[[], Engine], encoder: Any = None) -> None:
        _keep_replica_to_loopback()
        self._engine = make_engine()
        self._replica = Replica(self._engine, None if encoder is None else encoder.encode.remote)

    async def carry_out(self, work: Work, images: Mapping[str, Any], tenant: str) -> Reply:
        """See `Replica.carry_out`; `images` are references to pixels."""
        lacking = self._replica.lacks(work)
        pixels = {}
        for key in lacking & images.keys():
            with suppress(RayError):  # what was lent is lost: it is missing still
                pixels[key] = await images[key]
        return await self._replica.carry_out(work, pixels, tenant=tenant)

    async def about(self) -> tuple[str, str]:
        """Where the model runs, and its id."""
        return self._engine.provider, self._engine.manifest.model_id

    def check_health(self) -> None:
        """Raises where Ray Serve should take another in its place."""
        if not self._engine.answers:
            raise RuntimeError("The engine does not answer.")

    def __del__(self) -> None:
        self._engine.close(drain_s=0.0)


class RayReplicas:
    """The decoders of the application APP; see `Replicas`."""

    def __init__(self, handle: Any, *, owns_ray: bool) -> None:
        self._handle = handle
        self._owns_ray = owns_ray

    def lend(self, pixels: Pixels) -> object:
        """A reference to pixels in Ray's object store."""
        return ray.put(pixels)

    async def carry_out(
        self, route: str, work: Work, images: Mapping[str, object], *, tenant: str
    ) -> Reply:
        """Has work done by the decoder that holds `route`, if there is one. Raises ReplicaLost."""
        handle = self._handle.options(multiplexed_model_id=route)
        reply: Reply = await _heard(handle.carry_out.remote(work, dict(images), tenant))
        return reply

    async def about(self) -> tuple[str, str]:
        """Where a decoder runs the model, and the model's id. Raises ReplicaLost."""
        provider, model_id = await _heard(self._handle.about.remote())
        return provider, model_id

    async def close(self) -> None:
        """Leaves the cluster; ends it where it was started for this."""
        if self._owns_ray:
            await asyncio.to_thread(serve.shutdown)
        await asyncio.to_thread(ray.shutdown)


def open_replicas(
    make_engine: Callable[[], Engine],
    make_backend: Callable[[], Backend],
    plan: Plan,
    *,
    address: str = "",
) -> RayReplicas:
    """The application's decoders: those that run, or new ones by `plan` where none do.

    address: of a Ray cluster; where there is none, one is started on this machine for as long as
    this process needs it. `make_engine` and `make_backend` are called in the replicas.

    Raises:
        Disconnected: There is no cluster at that address.
        Internal: The replicas do not start.
    """
    _enter(address)
    serve.start(proxy_location="Disabled")  # nobody comes over HTTP
    if APP not in serve.status().applications:
        app = application(make_engine, make_backend, plan)
        try:
            serve.run(app, name=APP, route_prefix=None)
        except RuntimeError as error:  # which does not say more than Ray's own logs
            raise Internal(f"The replicas do not start: {error}") from error
    return RayReplicas(serve.get_app_handle(APP), owns_ray=not address)


def _enter(address: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": NAMESPACE}
    if not address:
        ray.init("local", include_dashboard=False, _node_ip_address=loopback.ADDRESS, **quiet)
        return
    host, _, port = address.rpartition(":")
    try:  # Ray itself would ask for ever
        socket.create_connection((host, int(port)), timeout=REACH_S).close()
    except (OSError, ValueError) as error:
        raise Disconnected(f"No Ray cluster answers at {address}: {error}.") from error
    try:
        ray.init(address, **quiet)
    except (RayError, ConnectionError, RuntimeError, ValueError) as error:
        raise Disconnected(f"What answers at {address} is no Ray cluster: {error}.") from error


def application(
    make_engine: Callable[[], Engine], make_backend: Callable[[], Backend], plan: Plan
) -> serve.Application:
    """What Ray Serve is to run."""
    options: dict[str, Any] = {"ray_actor_options": plan.resources, "max_ongoing_requests": ONGOING}
    encoder = None
    if plan.encoders:
        encoder = serve.deployment(Encoder).options(
            name=ENCODER, num_replicas=plan.encoders, **options
        )
    count: dict[str, Any] = {"num_replicas": plan.replicas}
    if plan.most_replicas > plan.replicas:
        scaling = {"min_replicas": plan.replicas, "max_replicas": plan.most_replicas}
        count = {"autoscaling_config": scaling | {"target_ongoing_requests": 2}}
    decoder = serve.deployment(Decoder).options(
        name=DECODER,
        health_check_period_s=2,
        request_router_config=RequestRouterConfig(request_router_class=ROUTER),
        **count,
        **options,
    )
    return decoder.bind(make_engine, None if encoder is None else encoder.bind(make_backend))


def _keep_replica_to_loopback() -> None:
    """In a cluster of one's own: Ray Serve has a replica listen to all addresses, say what one may.

    It does so after the replica was made, by a function that no setting reaches.
    """
    bind = getattr(replica_of_ray, "add_port_to_grpc_server", None)
    if loopback.is_kept() and bind is not None:
        replica_of_ray.add_port_to_grpc_server = lambda server, _: bind(
            server, f"{loopback.ADDRESS}:0"
        )


async def _heard(response: Any) -> Any:
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    except (RayError, RayServeException) as error:
        raise ReplicaLost(str(error)) from error
