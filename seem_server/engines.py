"""Which engine a server has, by its settings: one in this process, or one whose work others do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from seem_server.cluster.engine import ClusterEngine
from seem_server.cluster.loopback import keep_to_loopback
from seem_server.engine.engine import Engine, EngineConfig
from seem_server.engine.scheduler import Limits as QueueLimits
from seem_server.engine.worker import CacheConfig
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import MANIFEST as FAKE_MANIFEST
from seem_server.runtime.fake_backend import NAME as FAKE
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.settings import LOCAL_ENGINE, SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.engine.observing import Observer
    from seem_server.engine.port import EnginePort
    from seem_server.engine.shelf import Shelf
    from seem_server.runtime.backend import Backend
    from seem_server.settings import Settings

    MakeBackend = Callable[[], Backend]


def make_engine(
    settings: Settings, make_backend: MakeBackend | None, observer: Observer, shelf: Shelf
) -> EnginePort:
    """The engine that the settings ask for; `make_backend` takes the place of their bundle.

    Raises:
        SettingInvalid: Ray is asked for, and not installed.
        SeemError: The bundle is invalid, its provider is not active, or no replica starts.
    """
    make = _local_engine if settings.engine == LOCAL_ENGINE else _cluster_engine
    return make(settings, make_backend, observer, shelf)


def _local_engine(
    settings: Settings, make_backend: MakeBackend | None, observer: Observer, shelf: Shelf
) -> EnginePort:
    make = make_backend or _backend_maker(settings)
    return Engine(make, _engine_config(settings), observer=observer, shelf=shelf)


def _cluster_engine(
    settings: Settings, make_backend: MakeBackend | None, observer: Observer, _: Shelf
) -> EnginePort:
    """An engine whose work is done by replicas in Ray, which have no shelf: they make it again.

    Raises:
        SettingInvalid: Ray is not installed.
        SeemError: No replica starts.
    """
    if not settings.ray_address:
        keep_to_loopback()
    try:
        from seem_server.cluster import ray_serve  # noqa: PLC0415  (only where asked for)
    except ImportError as error:
        raise SettingInvalid(
            f"--engine is {settings.engine!r}, and Ray is not installed ({error}): "
            "pip install 'seem-server[serve,ray]'"
        ) from error
    plan = ray_serve.Plan(
        replicas=settings.replicas,
        most_replicas=max(settings.most_replicas, settings.replicas),
        encoders=settings.encoders,
        cpus=settings.replica_cpus,
        gpus=settings.replica_gpus,
    )
    replicas = ray_serve.open_replicas(
        partial(replica_engine, settings, make_backend),
        partial(replica_backend, settings, make_backend),
        plan,
        address=settings.ray_address,
    )
    is_fake = settings.bundle == FAKE
    manifest = FAKE_MANIFEST if is_fake else read_bundle(settings.bundle).manifest
    return ClusterEngine(
        replicas,
        manifest,
        max_waiting=settings.max_waiting,
        images_bytes=settings.images_bytes,
        observer=observer,
    )


def replica_engine(settings: Settings, make_backend: MakeBackend | None = None) -> Engine:
    """The engine of a replica, in a process of its own, with a bundle of its own to check.

    It has as many threads as Ray keeps cores for it, unless the settings say how many.
    """
    threadpool_limits(1, user_api="blas")  # as beside an engine of this process
    settings = replace(settings, threads=settings.threads or max(int(settings.replica_cpus), 1))
    return Engine(make_backend or _backend_maker(settings), _engine_config(settings))


def replica_backend(settings: Settings, make_backend: MakeBackend | None = None) -> Backend:
    """The backend of a replica that only encodes."""
    return (make_backend or _backend_maker(settings))()


def _backend_maker(settings: Settings) -> MakeBackend:
    """What opens the backend; the bundle's files are checked once."""
    if settings.bundle == FAKE:
        return lambda: FakeBackend(encode_s=settings.fake_encode_s, decode_s=settings.fake_decode_s)
    bundle = read_bundle(settings.bundle)

    def open_it() -> Backend:
        from seem_server.runtime.onnx_backend import open_backend  # noqa: PLC0415  (heavy)

        return open_backend(bundle, provider=settings.provider, n_threads=settings.threads)

    return open_it


def _engine_config(settings: Settings) -> EngineConfig:
    return EngineConfig(
        QueueLimits(
            max_waiting=settings.max_waiting,
            max_batch=settings.max_batch,
            max_wait_s=settings.max_wait_s,
        ),
        CacheConfig(
            images_bytes=settings.images_bytes,
            features_bytes=settings.features_bytes,
            memory_bytes=settings.memory_bytes,
        ),
    )
