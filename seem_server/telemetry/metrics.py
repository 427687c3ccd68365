"""All metrics of a server, in one place and on a registry of its own.

    told as it happens   histograms and counters, by the engine and the transport
    read when asked      how queue, caches, sessions and memory stand at the moment of a scrape

Nothing here names a session, a client or an image: every label has a handful of values, or is a
tenant of the callers' file, whose lines the operator wrote. Where nobody is asked who he is, the
one tenant is "".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from seem_server.engine.tickets import TicketState
from seem_server.engine.work import Decode, Encode, Everything, Follow
from seem_wire.errors import BY_CODE, Cancelled, Superseded
from seem_wire.tags import kind_name
from seem_wire.types import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from seem_server.engine.port import EnginePort
    from seem_server.engine.tickets import Ticket
    from seem_server.engine.work import Work
    from seem_server.runtime.device_memory import DeviceMemory
    from seem_server.service.directory import Directory
    from seem_server.service.tenants import Tenant
    from seem_server.telemetry.calls import Asked, CallWatch, Metadata
    from seem_wire.types import Reply, Timings

CLASSES: dict[type, str] = {
    Decode: "click",
    Everything: "everything",
    Encode: "encode",
    Follow: "follow",
}
"""What each class of work is called."""

STAGES = ("queue", "encode", "decode", "post", "total")
"""What a piece of work goes through, and all of it, as `Timings` names them."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30)
"""Bounds: close together where a click lies, and far apart where a search of an image does."""

BATCH_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)

NOT_REFUSED = frozenset({"OK", "CLIENT_LEFT", Superseded.code, Cancelled.code})
"""How a call ends that the server did not refuse: answered, or withdrawn by its client."""

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read at a scrape.

    Attributes:
        device_memory: None where nobody can tell.
        n_failed_logins: By reason.
    """

    engine: EnginePort
    directory: Directory
    device_memory: Callable[[], DeviceMemory | None]
    n_failed_logins: Callable[[], Mapping[str, int]]


class Metrics:
    """Counts what engine and transport tell of; is both an `Observer` and a `CallsObserver`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._stages = Histogram(
            "seem_stage_seconds",
            "Time that finished work spent, by stage and class of work; total is from submission.",
            ("stage", "class"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "seem_batch_size",
            "Pieces of work that ran together, by class.",
            ("class",),
            buckets=BATCH_SIZES,
            registry=self.registry,
        )
        self._tickets = self._counter(
            "seem_tickets", "Pieces of work, by class and how they ended.", "class", "end"
        )
        self._calls = self._counter(
            "seem_calls", "Calls that are over, by method and code.", "method", "code"
        )
        self._commands = self._counter("seem_commands", "Commands that came in, by kind.", "kind")
        self._refusals = self._counter(
            "seem_refusals", "Commands and calls that came to an error, by its code.", "code"
        )
        for code in BY_CODE:  # from 0 on: a rate does not see a counter that begins with 1
            self._refusals.labels(code)
        self._lag = Histogram(
            "seem_loop_lag_seconds",
            "How late the event loop took its turns.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._standing = _Standing()
        self.registry.register(self._standing)

    def read_from(self, sources: Sources) -> None:
        """Says what to read at a scrape; until then nothing is."""
        self._standing.sources = sources

    def page(self) -> bytes:
        """All metrics, in Prometheus' text format."""
        return generate_latest(self.registry)

    def submitted(self, ticket: Ticket) -> None:
        """Counts it when it ends."""
        ticket.add_done_callback(self._ended)

    def ran(self, works: Sequence[Work]) -> None:
        """Counts a batch."""
        self._batches.labels(CLASSES[type(works[0])]).observe(len(works))

    def turned(self, lag_s: float) -> None:
        """Counts a turn of the event loop."""
        self._lag.observe(lag_s)

    def began(self, method: str, metadata: Metadata) -> CallWatch:  # noqa: ARG002
        """What counts a call."""
        return _CountedCall(method, self._calls, self._commands, self._refusals)

    def _ended(self, ticket: Ticket) -> None:
        class_name = CLASSES[type(ticket.work)]
        self._tickets.labels(class_name, ticket.state.value).inc()
        if ticket.state is TicketState.DONE:
            for stage, spent_s in _stages(ticket.result().timings):
                self._stages.labels(stage, class_name).observe(spent_s)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)


def _stages(timings: Timings) -> Iterator[tuple[str, float]]:
    for stage in STAGES:
        spent_ms: float = getattr(timings, f"{stage}_ms")
        yield stage, spent_ms / 1000


class _CountedCall:
    """A call, and what it adds to the counters."""

    def __init__(self, method: str, calls: Counter, commands: Counter, refusals: Counter) -> None:
        self._method = method
        self._calls, self._commands, self._refusals = calls, commands, refusals

    def commanded(self, asked: Asked) -> None:
        kind = "unreadable" if isinstance(asked, Failed) else kind_name(type(asked))
        self._commands.labels(kind).inc()

    def replied(self, reply: Reply) -> None:
        if isinstance(reply, Failed):
            self._refusals.labels(reply.code).inc()

    def ended(self, code: str) -> None:
        self._calls.labels(self._method, code).inc()
        if code not in NOT_REFUSED:
            self._refusals.labels(code).inc()


class _Standing(Collector):
    """How things stand at the moment of a scrape."""

    def __init__(self) -> None:
        self.sources: Sources | None = None

    def collect(self) -> Iterator[Metric]:
        if self.sources is None:
            return
        engine, directory = self.sources.engine, self.sources.directory
        yield _about(directory)
        yield from _of_engine(engine)
        yield from _of_caches(engine)
        yield from _of_sessions(directory)
        yield from _of_tenants(directory.tenants.known)
        yield _of_logins(self.sources.n_failed_logins())
        yield from _of_memory(self.sources.device_memory())


def _about(directory: Directory) -> Metric:
    model = directory.model
    about = {
        "version": model.server_version,
        "model": model.model_id,
        "provider": model.provider,
    }
    return InfoMetricFamily("seem_server", "What runs here.", about)


def _of_engine(engine: EnginePort) -> Iterator[Metric]:
    stats = engine.stats
    yield _gauge("seem_queue_length", "Pieces of work that wait.", stats.n_waiting)
    yield _gauge("seem_running", "Pieces of work of the batch that runs.", stats.n_running)
    yield _gauge("seem_engine_answers", "1 while the worker does its work.", engine.answers)
    yield CounterMetricFamily(
        "seem_backend_restarts", "How often the backend was made anew.", stats.n_restarts
    )


def _of_caches(engine: EnginePort) -> Iterator[Metric]:
    caches = engine.caches
    held = GaugeMetricFamily("seem_cache_bytes", "Held.", labels=("cache",))
    budget = GaugeMetricFamily("seem_cache_limit_bytes", "May be held.", labels=("cache",))
    hits = CounterMetricFamily("seem_cache_hits", "Found.", labels=("cache",))
    misses = CounterMetricFamily("seem_cache_misses", "Not found.", labels=("cache",))
    evictions = CounterMetricFamily("seem_cache_evictions", "Made room.", labels=("cache",))
    for name, use in caches.items():
        held.add_metric((name,), use.n_bytes)
        budget.add_metric((name,), use.max_bytes)
        hits.add_metric((name,), use.n_hits)
        misses.add_metric((name,), use.n_misses)
        evictions.add_metric((name,), use.n_evictions)
    yield from (held, budget, hits, misses, evictions)


def _of_sessions(directory: Directory) -> Iterator[Metric]:
    n_opened, n_now = directory.n_opened, len(directory)
    yield _gauge("seem_sessions", "Sessions that are open.", n_now)
    yield CounterMetricFamily("seem_sessions_opened", "Sessions ever opened.", n_opened)
    yield CounterMetricFamily("seem_sessions_ended", "Sessions that are over.", n_opened - n_now)


def _of_tenants(tenants: Sequence[Tenant]) -> Iterator[Metric]:
    name = ("tenant",)
    sessions = GaugeMetricFamily("seem_tenant_sessions", "That are open.", labels=name)
    requests = CounterMetricFamily("seem_tenant_requests", "That were let in.", labels=name)
    refusals = CounterMetricFamily(
        "seem_tenant_refusals",
        "By the quota that was used up, or for want of room for anybody.",
        labels=(*name, "reason"),
    )
    sent = CounterMetricFamily("seem_tenant_image_bytes", "Of files that were sent.", labels=name)
    worked = CounterMetricFamily(
        "seem_tenant_device_seconds", "In which the device worked for it.", labels=name
    )
    for tenant in tenants:
        usage, labels = tenant.usage, (tenant.name,)
        sessions.add_metric(labels, usage.n_sessions)
        requests.add_metric(labels, usage.n_requests)
        sent.add_metric(labels, usage.image_bytes)
        worked.add_metric(labels, usage.device_s)
        for reason, n_refused in usage.n_refused.items():
            refusals.add_metric((tenant.name, reason), n_refused)
    yield from (sessions, requests, refusals, sent, worked)


def _of_logins(n_failed: Mapping[str, int]) -> Metric:
    failed = CounterMetricFamily(
        "seem_failed_logins", "Calls of nobody who is known, by reason.", labels=("reason",)
    )
    for reason, n in n_failed.items():
        failed.add_metric((reason,), n)
    return failed


def _of_memory(device: DeviceMemory | None) -> Iterator[Metric]:
    resident = resident_bytes()
    if resident is not None:
        yield _gauge("seem_resident_memory_bytes", "Of this process, in RAM.", resident)
    if device is not None:
        yield _gauge("seem_device_memory_used_bytes", "By anybody.", device.used_bytes)
        yield _gauge("seem_device_memory_bytes", "Of the whole device.", device.total_bytes)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)


def resident_bytes() -> int | None:
    """How much of this process is in memory; None where the system does not tell (not Linux)."""
    try:
        pages = int(_STATM.read_text("ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
