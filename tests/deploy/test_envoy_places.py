"""What chart and Compose file take for granted of Envoy's configuration, which is not theirs."""

from __future__ import annotations

import re

import pytest
import yaml
from chart import STAND_IN, case, the
from deploy_tools import DEPLOY, needs

ENVOY = DEPLOY / "envoy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]

pytestmark = pytest.mark.skipif(not ENVOY.is_dir(), reason="there is no deploy/envoy yet")


@pytest.fixture
def config():
    return "".join((ENVOY / name).read_text("utf-8") for name in ("envoy.yaml", "tls.yaml"))


def test_it_looks_for_servers_under_the_name_that_they_are_given(config):
    assert config.count(f"{STAND_IN},") == 1
    assert COMPOSE["seem"]["networks"]["inside"]["aliases"] == [STAND_IN.split()[-1]]


def test_it_listens_where_it_is_published_and_scraped(config):
    ports = set(re.findall(r"port_value: (\d+)", config))
    assert COMPOSE["envoy"]["ports"][0].partition(":")[2] in ports
    scraped = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text("utf-8"))
    (target,) = scraped["scrape_configs"][1]["static_configs"][0]["targets"]
    assert target.partition(":")[2] in ports


@needs("helm-python-sdk")
def test_it_listens_where_the_chart_sends_clients_and_probes(config):
    (envoy,) = the(case("cpu"), "Deployment", "demo-seem-envoy")["spec"]["template"]["spec"][
        "containers"
    ]
    ports = {int(port) for port in re.findall(r"port_value: (\d+)", config)}
    assert {one["containerPort"] for one in envoy["ports"]} <= ports
    probes = (envoy["readinessProbe"], envoy["livenessProbe"])
    assert all(f"path: {probe['httpGet']['path']}" in config for probe in probes[1:])
    assert probes[0]["httpGet"]["path"] in config


@needs("helm-python-sdk")
def test_its_certificate_is_where_both_put_it(config):
    (folder,) = set(re.findall(r"filename: (\S+)/tls\.(?:crt|key)", config))
    assert f"./compose/tls:{folder}:ro" in COMPOSE["envoy"]["volumes"]
    (envoy,) = the(case("cpu"), "Deployment", "demo-seem-envoy")["spec"]["template"]["spec"][
        "containers"
    ]
    assert folder in {one["mountPath"] for one in envoy["volumeMounts"]}
