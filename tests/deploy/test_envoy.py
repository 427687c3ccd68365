"""What `deploy/envoy` says is what Envoy takes, with TLS as without it."""

from __future__ import annotations

import subprocess

import pytest
import trustme
import yaml
from envoy_here import FRONT, envoy_program

from seem_client.channel import ROUTE_KEY
from seem_wire.convert import ERROR_METADATA_KEY
from seem_wire.v1 import seem_pb2 as pb

TLS = FRONT.with_name("tls.yaml")
SERVICE = pb.DESCRIPTOR.services_by_name["Seem"]


def filters(file):
    resources = yaml.safe_load(file.read_text("utf-8"))["static_resources"]
    return resources["listeners"][0]["filter_chains"][0]["filters"]


def http(file=FRONT):
    return filters(file)[-1]["typed_config"]


def routes():
    return http()["route_config"]["virtual_hosts"][0]["routes"]


@pytest.fixture
def certified(tmp_path):
    """The second file, with certificates where it looks for them."""
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    issued.private_key_pem.write_to_path(tmp_path / "tls.key")
    return TLS.read_text("utf-8").replace("/etc/envoy/tls", str(tmp_path))


def validated(*flags):
    command = [envoy_program(), "--mode", "validate", "-c", str(FRONT), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_envoy_takes_the_file_and_calls_nothing_in_it_old():
    told = validated()
    assert told.returncode == 0, told.stderr
    assert "eprecated" not in told.stderr


def test_envoy_takes_it_with_tls(certified):
    told = validated("--config-yaml", certified)
    assert told.returncode == 0, told.stderr


def test_a_mistake_would_be_seen():
    assert validated("--config-yaml", "static_resources: {listeners: [{name: x}]}").returncode


def test_with_tls_all_else_is_the_same():
    assert filters(TLS) == filters(FRONT)


def test_streams_have_no_end_and_are_never_sent_twice_once_they_began():
    stream = next(one for one in routes() if one["match"].get("path", "").endswith("/Interact"))
    assert stream["match"]["path"] == f"/{SERVICE.full_name}/Interact"
    assert http()["stream_idle_timeout"] == stream["route"]["timeout"] == "0s"
    allowed = {"connect-failure", "refused-stream", "reset-before-request"}
    assert set(stream["route"]["retry_policy"]["retry_on"].split(",")) == allowed


def test_names_are_those_of_the_code():
    policy = http()["route_config"]["virtual_hosts"][0]["typed_per_filter_config"]
    cors = policy["envoy.filters.http.cors"]
    assert ERROR_METADATA_KEY in cors["expose_headers"].split(",")
    assert ROUTE_KEY in cors["allow_headers"].split(",")
    hashed = routes()[0]["route"]["hash_policy"][0]["header"]["header_name"]
    counted = http()["http_filters"][0]["typed_config"]["individual_method_stats_allowlist"]
    assert hashed == ROUTE_KEY
    assert counted["services"][0]["name"] == SERVICE.full_name
    assert set(counted["services"][0]["method_names"]) == {one.name for one in SERVICE.methods}
