from __future__ import annotations

from argparse import ArgumentParser

import pytest
from scripted_server import MODEL, scripted_server

from seem_server.commands.reach import add_reach_options, reach, reach_process
from seem_wire import errors


def parsed(*words):
    parser = ArgumentParser()
    add_reach_options(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("way", [reach, reach_process])
def test_a_server_that_is_named_is_asked(way):
    with scripted_server() as address, way(parsed("--server", address)) as client:
        assert client.model() == MODEL


@pytest.mark.parametrize("way", [reach, reach_process])
def test_without_one_the_command_runs_its_own(way):
    with way(parsed("--bundle", "fake")) as client:
        assert client.model().provider == "fake"


@pytest.mark.parametrize("way", [reach, reach_process])
def test_what_keeps_its_own_server_from_running_is_told(way):
    with (
        pytest.raises(errors.BundleNotFound, match="no-such"),
        way(parsed("--bundle", "no-such-bundle")),
    ):
        pass


def test_the_environment_chooses_the_bundle_too(monkeypatch):
    monkeypatch.setenv("SEEM_BUNDLE", "fake")
    with reach(parsed()) as client:
        assert client.model().name == "fake"


def test_no_server_at_the_address_is_told():
    with pytest.raises(errors.Disconnected), reach(parsed("--server", "127.0.0.1:1")):
        pass
