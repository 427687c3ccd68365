"""The Compose file: whole, valid, and made of what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deploy_tools import DEPLOY, needs

from seem_server.app import LAST_BATCH_S
from seem_server.cli import build_parser
from seem_server.settings import Settings
from seem_server.settings import read as read_settings

FILE = DEPLOY / "compose.yaml"
GPU = DEPLOY / "compose/gpu.yaml"
COMPOSE = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES = COMPOSE["services"]
SECRET = {"callers.txt", "grafana-password.txt", "tls"}
"""What whoever starts it puts there, and git never sees."""

MADE_ELSEWHERE = set() if (DEPLOY / "envoy").is_dir() else {"envoy.yaml", "tls.yaml"}
each_service = pytest.mark.parametrize("name", SERVICES)


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def settings_of_server():
    return read_settings(build_parser().parse_args(["serve"]), SERVICES["seem"]["environment"])


def mounts(name):
    """Pairs of what is on the machine and where it is in the container."""
    return [tuple(one.split(":")[:2]) for one in SERVICES[name].get("volumes", [])]


@pytest.mark.parametrize("file", [FILE, GPU], ids=lambda file: file.name)
@needs("check-jsonschema")
def test_it_is_what_compose_takes(file):
    checking = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    told = subprocess.run([*checking, file], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_what_it_adds_for_a_gpu_is_about_services_that_there_are():
    assert set(yaml.safe_load(GPU.read_text("utf-8"))["services"]) <= set(SERVICES)


@each_service
def test_every_image_is_pinned_by_its_tag(name):
    assert re.search(r":v?\d+\.\d+\.\d+", SERVICES[name]["image"])


@each_service
def test_every_container_runs_without_rights(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@each_service
def test_every_file_that_is_mounted_is_there(name):
    files = [source for source, _ in mounts(name) if source.startswith("./")]
    for path in (DEPLOY / source for source in files):
        assert path.exists() or path.name in SECRET | MADE_ELSEWHERE, path


@each_service
def test_networks_volumes_and_secrets_are_declared(name):
    service = SERVICES[name]
    volumes = {source for source, _ in mounts(name) if not source.startswith((".", "/"))}
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert volumes <= set(COMPOSE["volumes"])
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service.get("depends_on", ())) <= set(SERVICES)


def test_secrets_are_kept_out_of_git():
    ignored = (DEPLOY.parent / ".gitignore").read_text("utf-8")
    assert all(f"/deploy/compose/{name}" in ignored for name in SECRET)


def test_the_server_takes_its_environment():
    told = settings_of_server()
    known = {f"SEEM_{name.upper()}" for name in Settings.__slots__}
    assert set(SERVICES["seem"]["environment"]) <= known
    assert told.authenticates
    assert told.store == "valkey://valkey:6379/0"


def test_it_is_killed_no_sooner_than_it_may_need_to_stop():
    longest_s = 2 * settings_of_server().grace_s + LAST_BATCH_S
    assert seconds(SERVICES["seem"]["stop_grace_period"]) > longest_s


def test_servers_and_store_are_reached_by_nobody_from_outside():
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("seem", "valkey", "prometheus"):
        assert "ports" not in SERVICES[name]
        assert set(SERVICES[name]["networks"]) == {"inside"}


def test_only_envoys_port_with_tls_is_open_to_others():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.pop("envoy") == ["50051:8443"]
    assert all(port.startswith("127.0.0.1:") for some in ports.values() for port in some)


def test_the_store_holds_what_the_server_may_keep():
    told = settings_of_server()
    (gigabytes,) = re.findall(r"--maxmemory (\d+)gb", str(SERVICES["valkey"]["command"]))
    assert int(gigabytes) * 1024**3 > told.store_images_bytes + told.store_answers_bytes


@pytest.mark.parametrize("file", sorted((DEPLOY / "compose").rglob("*.yml")), ids=lambda f: f.name)
def test_every_file_that_it_mounts_is_yaml_and_mounted(file):
    assert yaml.safe_load(file.read_text("utf-8"))
    mounted = {Path(source) for name in SERVICES for source, _ in mounts(name)}
    assert file.relative_to(DEPLOY) in mounted


def test_prometheus_asks_services_at_ports_that_they_have():
    scraping = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text("utf-8"))
    (found,) = scraping["scrape_configs"][0]["dns_sd_configs"]
    assert found["names"] == ["seem"]
    assert scraping["scrape_configs"][0]["job_name"] == "seem"  # as alerts know it
    assert ("./prometheus/alerts.yml", "/etc/prometheus/alerts.yml") in mounts("prometheus")
    assert scraping["rule_files"] == ["alerts.yml"]
    image = (DEPLOY / "images/cpu.Dockerfile").read_text("utf-8")
    assert f"SEEM_METRICS_PORT={found['port']}" in image
