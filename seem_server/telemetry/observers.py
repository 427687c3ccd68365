"""Who looks at a server: metrics and traces, each where it is asked for, and otherwise nobody.

What nobody asked for is not even imported.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from seem_server.engine.observing import ObservedByAll
from seem_server.telemetry.calls import WatchedByAll

if TYPE_CHECKING:
    from seem_server.engine.observing import Observer
    from seem_server.telemetry.calls import CallsObserver
    from seem_server.telemetry.metrics import Metrics
    from seem_server.telemetry.tracing import Tracing


class TracingMissing(Exception):
    """What makes traces is not installed; the message says how to get it."""


class Observers:
    """Those who look, as engine and transport see them.

    Attributes:
        engine: For the engine.
        calls: For the transport.
        metrics: To be read; None where nobody counts.
    """

    def __init__(self, metrics: Metrics | None, tracing: Tracing | None) -> None:
        found = [one for one in (metrics, tracing) if one is not None]
        self.metrics = metrics
        self.engine: Observer = ObservedByAll(found)
        self.calls: CallsObserver = WatchedByAll(found)
        self._at_the_end = ExitStack()
        if tracing is not None:
            self._at_the_end.callback(tracing.close)

    def close(self) -> None:
        """Sends what was not sent yet. It blocks."""
        self._at_the_end.close()


def open_observers(*, metrics: bool, otel_endpoint: str, version: str) -> Observers:
    """Those whom an operator asked for. `otel_endpoint`: where traces go, empty for nowhere.

    Raises:
        TracingMissing: Traces are asked for, and OpenTelemetry is not installed.
    """
    return Observers(
        _metrics() if metrics else None,
        _tracing(otel_endpoint, version) if otel_endpoint else None,
    )


def _metrics() -> Metrics:
    from seem_server.telemetry.metrics import Metrics  # noqa: PLC0415

    return Metrics()


def _tracing(endpoint: str, version: str) -> Tracing:
    try:
        from seem_server.telemetry.tracing import Tracing, exporting_to  # noqa: PLC0415
    except ImportError as error:
        raise TracingMissing("traces need more: pip install 'seem-server[otel]'") from error
    return Tracing(exporting_to(endpoint, version))
