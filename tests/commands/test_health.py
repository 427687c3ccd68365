from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from secure_words import Files, guarded_address

from seem_server import cli
from seem_server.app import local_server
from seem_server.commands.reach import free_port
from seem_server.settings import Settings

Status = health_pb2.HealthCheckResponse


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@contextmanager
def telling(status):
    """The address of what has nothing but a health service."""
    servicer = health.HealthServicer()
    servicer.set("", status)
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def test_a_server_that_serves_is_healthy(capsys):
    with local_server(Settings(bundle="fake")) as address:
        assert cli.main(["health", address]) == cli.DONE
    assert capsys.readouterr().out == "SERVING\n"


def test_one_that_says_it_is_not_ready_is_not(capsys):
    with telling(Status.NOT_SERVING) as address:
        assert cli.main(["health", address]) == cli.FAILED
    assert capsys.readouterr().out == "NOT_SERVING\n"


def test_where_nothing_listens_nothing_is_healthy(capsys):
    assert cli.main(["health", f"127.0.0.1:{free_port()}"]) == cli.FAILED
    assert "Nothing listens there" in capsys.readouterr().err


def test_it_needs_no_token_but_the_authority(files, monkeypatch):
    monkeypatch.delenv("SEEM_TOKEN", raising=False)
    with guarded_address(files, tls=True) as running:
        address = f"localhost:{running.port}"
        assert cli.main(["health", address, "--tls-ca", files.ca]) == cli.DONE
        assert cli.main(["health", address]) == cli.FAILED


def test_of_mutual_tls_it_has_a_certificate(files):
    with guarded_address(files, mtls=True) as running:
        asked = ["health", f"localhost:{running.port}", "--tls-ca", files.ca]
        assert cli.main([*asked, "--client-cert", *files.client]) == cli.DONE
        assert cli.main(asked) == cli.FAILED


def test_a_wrong_address_is_wrong_use():
    assert cli.main(["health", "nowhere"]) == cli.MISUSED
