"""The composition root: the one place that names concrete classes and puts them together.

bundle -> backend -> engine ─┬─> images ──┐
└────────────┴─> directory -> servicer -> server
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from seem_server.engine.shelf import NoShelf
from seem_server.engine.work import Encode
from seem_server.engines import make_engine
from seem_server.runtime.device_memory import device_memory
from seem_server.service.callers import read_callers
from seem_server.service.directory import Directory, DirectoryConfig
from seem_server.service.images import Images
from seem_server.service.journal import Journal
from seem_server.service.quotas import Quotas
from seem_server.service.store_shelf import StoreShelf
from seem_server.service.tenants import Tenants
from seem_server.settings import DEFAULT_STORE, SettingInvalid, Settings
from seem_server.store.base import Keeping
from seem_server.store.opening import open_store
from seem_server.telemetry.observers import Observers, TracingMissing, open_observers
from seem_server.transport.server import Server, TransportConfig
from seem_server.transport.servicer import Servicer
from seem_server.transport.tls import read_tls
from seem_wire.errors import InvalidValue, SeemError
from seem_wire.types import COMMAND_NAMES, VIDEO_COMMAND_NAMES, Capabilities, Limits, ModelCard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from concurrent.futures import Executor

    from seem_server.engine.port import EnginePort
    from seem_server.engines import MakeBackend
    from seem_server.service.callers import Callers
    from seem_server.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

SWEEPS_PER_TIMEOUT = 10
"""How often idle sessions are looked for within the time that makes them idle."""

LEAST_PERIOD_S = 0.1
HEALTH_PERIOD_S = 1.0
"""How often the health service is told whether the engine answers."""

LAST_BATCH_S = 10.0
"""How long the batch that runs is waited for in the end, when nobody wants its answer any more: a
thread that is within a native library must not outlive the interpreter."""

_WARM_UP_KEY = "warm-up"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves.

    Attributes:
        address: Where a client on this machine reaches it.
        port: Its TCP port, 0 for a unix socket.
        model: What it runs.
        engine, directory: Its parts, to look at.
        renew_callers: Reads the callers' file again; what makes no sense changes nothing.
    """

    address: str
    port: int
    model: ModelCard
    engine: EnginePort
    directory: Directory
    renew_callers: Callable[[], None]


@asynccontextmanager
async def serve(
    settings: Settings, *, make_backend: MakeBackend | None = None, warm_up: bool = True
) -> AsyncIterator[Running]:
    """A server, from ready until the block ends; then it finishes what runs, within `grace_s`.

    `make_backend` takes the place of the settings' bundle. Without `warm_up` the first image pays
    for what a first run costs.

    Raises:
        SettingInvalid: Strangers could use the server, and nobody said they may; a file that is
            named cannot be read; or traces are asked for, and what makes them is not installed.
        SeemError: The bundle is invalid, its provider is not active, the store cannot be opened,
            or a file about TLS or callers makes no sense.
        OSError: An address can't be listened on.
    """
    settings.check_exposure()
    settings.check_files()
    door = _Door(_transport_config(settings), _callers(settings))
    async with AsyncExitStack() as stack:
        observers = _observers(settings)
        stack.push_async_callback(asyncio.to_thread, observers.close)
        opening = partial(open_store, replicas=settings.store_replicas)
        store = await asyncio.to_thread(opening, settings.store, _keeping(settings))
        journal = Journal(store)
        stack.push_async_callback(journal.close)
        shelf = NoShelf() if store.quick else StoreShelf(journal)  # in memory the caches do as well
        # ONNX Runtime has a thread a core of its own; NumPy's, beside them, would make both slower.
        stack.enter_context(threadpool_limits(1, user_api="blas"))
        engine = await asyncio.to_thread(
            make_engine, settings, make_backend, observers.engine, shelf
        )
        executor = stack.enter_context(ThreadPoolExecutor(settings.read_threads, "seem-read"))
        stack.push_async_callback(asyncio.to_thread, engine.close, drain_s=LAST_BATCH_S)
        serving = _serve(settings, door, engine, journal, executor, observers, warm_up=warm_up)
        yield await stack.enter_async_context(serving)


@dataclass(frozen=True, slots=True)
class _Door:
    """How the server is reached, and by whom: None for everybody."""

    transport: TransportConfig
    callers: Callers | None


@asynccontextmanager
async def _serve(
    settings: Settings,
    door: _Door,
    engine: EnginePort,
    journal: Journal,
    executor: Executor,
    observers: Observers,
    *,
    warm_up: bool,
) -> AsyncIterator[Running]:
    model = _model_card(engine, settings)
    limits = model.capabilities.limits
    directory = Directory(
        engine,
        Images(engine, limits, executor, journal=journal),
        model,
        DirectoryConfig(settings.max_sessions, settings.idle_timeout_s, linger_s=settings.linger_s),
        journal,
        Tenants(_quotas(settings), shared=settings.share_features),
    )
    servicer = Servicer(directory, executor, now=time.monotonic)
    server = Server(servicer, door.transport, limits, observers.calls, door.callers)
    async with _pages(settings, observers.metrics, engine, directory, server, journal):
        port = await server.start()
        sweeper = asyncio.create_task(_sweep(directory, journal, _sweep_period_s(settings)))
        teller = asyncio.create_task(_tell_health(server, engine, journal))
        try:
            if warm_up:
                await _warm_up(engine)
            await server.ready()
            renew = partial(_renew_callers, server, settings)
            yield Running(settings.reached_at(port), port, model, engine, directory, renew)
        finally:
            sweeper.cancel()
            teller.cancel()
            await server.drain()
            await directory.hand_over(within_s=settings.grace_s)
            await server.stop()
            directory.close()


def _sweep_period_s(settings: Settings) -> float:
    patience_s = min(settings.idle_timeout_s, settings.linger_s)
    return max(patience_s / SWEEPS_PER_TIMEOUT, LEAST_PERIOD_S)


@asynccontextmanager
async def _pages(
    settings: Settings,
    metrics: Metrics | None,
    engine: EnginePort,
    directory: Directory,
    server: Server,
    journal: Journal,
) -> AsyncIterator[None]:
    """Metrics and probes over HTTP, where there are metrics."""
    if metrics is None:
        yield
        return
    from seem_server.telemetry import metrics as measured  # noqa: PLC0415  (only where asked for)
    from seem_server.telemetry.lag import watch_lag  # noqa: PLC0415
    from seem_server.telemetry.pages import Pages, loop_answers, serve_pages  # noqa: PLC0415

    ask_device = partial(device_memory, engine.provider)
    metrics.read_from(
        measured.Sources(engine, directory, ask_device, lambda: server.n_failed_logins)
    )
    loop = asyncio.get_running_loop()
    pages = Pages(
        metrics=metrics.page,
        alive=lambda: engine.is_alive and loop_answers(loop),
        ready=lambda: server.is_ready and engine.answers and journal.works and loop_answers(loop),
    )
    with watch_lag(loop, metrics.turned), ExitStack() as stack:
        stack.enter_context(serve_pages(settings.metrics_host, settings.metrics_port, pages))
        try:
            yield
        finally:
            await asyncio.to_thread(stack.close)


async def _tell_health(server: Server, engine: EnginePort, journal: Journal) -> None:
    while True:
        await asyncio.sleep(HEALTH_PERIOD_S)
        await server.tell_whether(works=engine.answers and journal.works)


async def _warm_up(engine: EnginePort) -> None:
    """Encodes an image of each usual size, so that nobody waits for what a first run costs."""
    for height, width in engine.manifest.image.buckets:
        key = f"{_WARM_UP_KEY} {height} x {width}"
        engine.put_image(key, np.zeros((height, width, 3), np.uint8))
        await engine.submit(Encode(key, key))


async def _sweep(directory: Directory, journal: Journal, period_s: float) -> None:
    while True:
        await asyncio.sleep(period_s)
        if n_left := directory.sweep(now_s=time.monotonic()):
            logger.info("sessions were left alone", extra={"n_sessions": n_left})
        try:
            forget = partial(journal.store.sweep, now_s=journal.now_s, held=directory.kept)
            n_forgotten = await journal.call(forget)
        except SeemError:
            logger.exception("the store could not be swept")
            continue
        if n_forgotten:
            logger.info("sessions were forgotten", extra={"n_sessions": n_forgotten})


@contextmanager
def local_server(
    settings: Settings | None = None, *, make_backend: MakeBackend | None = None
) -> Iterator[str]:
    """The address of a server in a thread of this process, for programs that have no other to ask.

    Its port is any free one of the loopback interface, unless the settings name a unix socket.

    Raises:
        SeemError: As `serve`.
    """
    wanted = settings or Settings()
    if not wanted.host.startswith("unix:"):
        wanted = replace(wanted, host="127.0.0.1", port=0)
    # Its one client is this program, which need not be told who it is.
    open_to_it = replace(wanted, tls_cert="", tls_key="", tls_client_ca="", tokens_file="")
    store = "memory" if wanted.store == DEFAULT_STORE else wanted.store
    local = _LocalServer(replace(open_to_it, grace_s=0, store=store), make_backend)
    thread = threading.Thread(target=local.run, name="seem-server", daemon=True)
    thread.start()
    try:
        yield local.started.result().address
    finally:
        local.stop()
        thread.join()


class _LocalServer:
    """A server on an event loop of its own; `started` tells of it, or of what went wrong."""

    def __init__(self, settings: Settings, make_backend: MakeBackend | None) -> None:
        self.started: Future[Running] = Future()
        self._settings = settings
        self._make_backend = make_backend
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def run(self) -> None:
        """Serves until `stop`, called from another thread."""
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self.started.done():
                raise
            self.started.set_exception(error)  # whatever it is, the other thread waits for it

    def stop(self) -> None:
        """Asks it to end."""
        if self._loop and self._stop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        serving = serve(self._settings, make_backend=self._make_backend, warm_up=False)
        async with serving as running:
            self.started.set_result(running)
            await self._stop.wait()


# --- from settings to parts


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        idle_s=settings.keep_s,
        age_s=settings.max_age_s,
        images_bytes=settings.store_images_bytes,
        answers_bytes=settings.store_answers_bytes,
    )


def _transport_config(settings: Settings) -> TransportConfig:
    tls = None
    if settings.tls_cert:
        tls = read_tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    return TransportConfig(
        settings.address,
        max_calls=settings.max_calls,
        grace_s=settings.grace_s,
        tls=tls,
        channelz=settings.channelz,
    )


def _callers(settings: Settings) -> Callers | None:
    """Who may call; None for everybody (to whom a client CA gave a certificate, if one is set)."""
    if not settings.tokens_file:
        return None
    text = Path(settings.tokens_file).read_text("utf-8")
    try:
        return read_callers(text)
    except InvalidValue as error:
        raise InvalidValue(f"{settings.tokens_file}: {error.message}") from error


def _renew_callers(server: Server, settings: Settings) -> None:
    try:
        callers = _callers(settings)
    except (InvalidValue, OSError) as error:
        logger.error("the callers stay as they were", extra={"reason": str(error)})  # noqa: TRY400
        return
    if callers is not None:
        server.renew(callers)
        n_callers = len(callers.by_token) + len(callers.by_certificate)
        logger.info("the callers were read again", extra={"n_callers": n_callers})


def _quotas(settings: Settings) -> Quotas:
    return Quotas(**{one.name: getattr(settings, one.name) for one in fields(Quotas)})


def _observers(settings: Settings) -> Observers:
    try:
        return open_observers(
            metrics=settings.metrics_port > 0,
            otel_endpoint=settings.otel_endpoint,
            version=server_version(),
        )
    except TracingMissing as missing:
        raise SettingInvalid(f"--otel-endpoint is set: {missing}") from missing


def _model_card(engine: EnginePort, settings: Settings) -> ModelCard:
    manifest = engine.manifest
    limits = Limits(
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        max_objects=settings.max_objects,
    )
    commands = COMMAND_NAMES
    if manifest.everything is None:
        commands -= {"everything"}
    if not manifest.follows:
        commands -= VIDEO_COMMAND_NAMES
    return ModelCard(
        model_id=manifest.model_id,
        name=manifest.name,
        variant=manifest.variant,
        capabilities=Capabilities(manifest.prompts, commands, limits),
        input_sizes=manifest.image.buckets,
        licences=manifest.licences,
        provider=engine.provider,
        vocabulary=manifest.given_names,
        server_version=server_version(),
    )


def server_version() -> str:
    """The installed version of this program."""
    try:
        return version("seem-server")
    except PackageNotFoundError:  # run from source, without being installed
        return "0"
