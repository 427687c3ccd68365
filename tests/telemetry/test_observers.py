from __future__ import annotations

import subprocess
import sys

import pytest

from seem_server.telemetry import observers as module
from seem_server.telemetry.observers import TracingMissing, open_observers

NOTHING = {"metrics": False, "otel_endpoint": "", "version": "1"}


def test_where_nobody_asks_nobody_looks():
    found = open_observers(**NOTHING)
    found.calls.began("GetModel", {}).ended("OK")
    found.close()
    assert found.metrics is None


def test_metrics_look_at_engine_and_calls():
    found = open_observers(**NOTHING | {"metrics": True})
    found.calls.began("GetModel", {}).ended("OK")
    assert b'seem_calls_total{code="OK",method="GetModel"} 1.0' in found.metrics.page()
    found.close()


def test_what_is_not_installed_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "seem_server.telemetry.tracing", None)  # not importable
    with pytest.raises(TracingMissing, match=r"pip install 'seem-server\[otel\]'"):
        module.open_observers(**NOTHING | {"otel_endpoint": "localhost:4317"})


def test_what_nobody_asked_for_is_not_even_imported():
    program = (
        "import seem_server.cli, seem_server.app, seem_client, sys\n"
        "from seem_server.telemetry.observers import open_observers\n"
        "open_observers(metrics=False, otel_endpoint='', version='1').close()\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & {"prometheus_client", "opentelemetry", "grpc_channelz"}
