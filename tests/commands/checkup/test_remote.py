from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from scripted_server import MODEL, scripted_server
from secure_words import TOKEN, WRONG_TOKEN, Files, guarded_address

from seem_server.app import local_server
from seem_server.commands.checkup import remote
from seem_server.commands.checkup.finding import State
from seem_server.commands.checkup.remote import Place
from seem_server.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def states(place):
    return {one.subject: one.state for one in remote.check_server(place)}


def test_a_server_that_is_well_is_told_whole():
    with local_server(Settings(bundle="fake")) as address:
        found = remote.check_server(Place(address, token=""))
    assert [one.subject for one in found] == ["server", "encryption", "health", "model", "latency"]
    assert all(one.state is State.OK for one in found)
    assert "fake@1 on fake" in found[3].told


def test_where_nothing_listens_no_more_is_asked():
    (found,) = remote.check_server(Place("127.0.0.1:1"))
    assert found.blocks
    assert "cannot be reached" in found.told
    assert found.mend


def test_over_tls_with_a_token_all_is_well(files):
    with guarded_address(files, tls=True) as running:
        place = Place(running.address, TOKEN, files.ca)
        found = {one.subject: one for one in remote.check_server(place)}
    assert "TLSv1" in found["encryption"].told
    assert not any(one.blocks for one in found.values())


def test_a_token_that_is_not_known_is_the_models_fault_and_health_is_told_all_the_same(files):
    with guarded_address(files, tls=True) as running:
        found = states(Place(running.address, WRONG_TOKEN, files.ca))
    assert (found["health"], found["model"]) == (State.OK, State.FAULT)
    assert "latency" not in found


def test_an_authority_that_is_not_trusted_ends_it(files):
    with guarded_address(files, tls=True) as running:
        found = states(Place(running.address, TOKEN, tls=True))
    assert found == {"server": State.OK, "encryption": State.FAULT}


def test_a_certificate_of_ones_own_is_shown(files):
    with guarded_address(files, mtls=True) as running:
        place = Place(running.address, "", files.ca, files.client)
        assert not any(one.blocks for one in remote.check_server(place))


@pytest.mark.parametrize(("days", "state"), [(100, State.OK), (14, State.OK), (13, State.FAULT)])
def test_a_certificate_that_ends_soon_is_told_in_time(days, state):
    end = NOW + timedelta(days=days, hours=1)
    found = remote.judge_certificate("TLSv1.3", end, now=NOW)
    assert (found.state, found.blocks) == (state, False)


def test_beyond_this_machine_plaintext_is_a_fault():
    assert remote.check_encryption(Place("192.0.2.7:50051")).state is State.FAULT
    assert remote.check_encryption(Place("localhost:50051")).state is State.OK
    assert remote.check_encryption(Place("unix:/run/seem.sock")).state is State.OK


def test_a_seem_server_at_a_port_is_told_by_what_it_runs():
    with scripted_server() as address:
        found = remote.check_occupant(Place(address, token=""))
    assert found.state is State.OK
    assert MODEL.model_id in found.told


def test_a_seem_server_that_wants_a_token_is_known_for_one(files):
    with guarded_address(files) as running:
        found = remote.check_occupant(Place(running.address, token=""))
    assert (found.state, "wants a token" in found.told) == (State.OK, True)


def test_another_grpc_server_at_a_port_is_a_fault():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    found = remote.check_occupant(Place(f"127.0.0.1:{port}", token=""))
    server.stop(None)
    assert found.blocks
    assert "another gRPC server" in found.told


def test_something_that_does_not_speak_at_a_port_is_a_fault(monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as one:
        found = remote.check_occupant(Place(f"127.0.0.1:{one.getsockname()[1]}", token=""))
    assert found.blocks
    assert "no seem server" in found.told
