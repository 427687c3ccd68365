"""The chart: what Helm makes of it is what Kubernetes takes, and what the server reads."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields

import promql_parser
import pytest
import yaml
from chart import (
    CASES,
    CHART,
    GPU,
    case,
    chart,
    environment_of,
    merged,
    pod_of,
    read,
    rendered,
    server_of,
    the,
    values_of,
)
from deploy_tools import DEPLOY, needs

from seem_server.app import LAST_BATCH_S
from seem_server.cli import build_parser
from seem_server.settings import Settings
from seem_server.settings import read as read_settings

pytestmark = needs("helm-python-sdk", "kubernetes-validate")
each_case = pytest.mark.parametrize("name", CASES)

KUBERNETES = ("1.30", "1.34", "1.37")
CUSTOM = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}
"""Kinds of which Kubernetes itself has no schema."""

OWN = {"host", "port", "metrics_host", "metrics_port", "store", "tls_cert", "tls_key"} | {
    "tls_client_ca",
    "tokens_file",
    "insecure",
    "provider",
    "web_port",
}
"""Settings that are the chart's to make."""

KIB = 1024
UNITS = {"": 1, "k": 1000, "Ki": KIB, "Mi": KIB**2, "Gi": KIB**3, "gb": KIB**3, "mb": KIB**2}


def n_bytes(quantity):
    number, unit = re.fullmatch(r"(\d+)(\w*)", str(quantity)).groups()
    return int(number) * UNITS[unit]


def settings_of(documents):
    """What the server makes of its environment."""
    told = {name: value for name, value in environment_of(documents).items() if value is not None}
    known = {f"SEEM_{one.name.upper()}" for one in fields(Settings)}
    assert set(told) <= known
    return read_settings(build_parser().parse_args(["serve"]), told)


def pods(documents):
    kinds = {"Deployment", "StatefulSet"}
    return [one["spec"]["template"]["spec"] for one in documents if one["kind"] in kinds]


@each_case
def test_helm_has_nothing_to_warn_of(name):
    import helm_python

    report = helm_python.lint(CHART, values_of(name), strict=True, kube_version="v1.34.0")
    told = [one for one in report["messages"] if "icon is recommended" not in one["error"]]
    assert told == []


@each_case
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_would_take_every_document(name, version):
    import kubernetes_validate

    documents = case(name)
    checked = [one for one in documents if one["kind"] not in CUSTOM]
    assert checked
    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)


@each_case
def test_nothing_is_there_twice(name):
    names = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in case(name)]
    assert len(names) == len(set(names))


@each_case
def test_the_server_starts_with_what_it_is_told(name):
    told = settings_of(case(name))
    told.check_exposure()
    assert server_of(case(name))["args"] == ["serve"]


@each_case
def test_every_pod_runs_without_rights(name):
    for pod in pods(case(name)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert n_bytes(container["resources"]["limits"]["memory"])


@each_case
def test_every_secret_volume_and_file_that_is_named_is_mounted(name):
    pod = pod_of(case(name))
    server = server_of(case(name))
    mounts = {one["name"]: one["mountPath"] for one in server["volumeMounts"]}
    assert set(mounts) == {one["name"] for one in pod["volumes"]}
    paths = [value for value in environment_of(case(name)).values() if str(value).startswith("/")]
    assert all(any(path.startswith(f"{at}/") for at in mounts.values()) for path in paths)


@each_case
def test_all_services_budgets_and_policies_pick_pods_that_there_are(name):
    workloads = [one for one in case(name) if one["kind"] in {"Deployment", "StatefulSet"}]
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in workloads]
    for one in case(name):
        spec = one.get("spec", {})
        found = spec.get("podSelector", spec.get("selector"))
        if found is None or one["kind"] in CUSTOM:
            continue
        wanted = found.get("matchLabels", found)
        assert sum(wanted.items() <= has.items() for has in labels) == 1, one["metadata"]["name"]


@each_case
def test_its_memory_holds_all_caches_and_the_model(name):
    told = settings_of(case(name))
    caches = told.images_bytes + told.memory_bytes + told.features_bytes
    limit = n_bytes(server_of(case(name))["resources"]["limits"]["memory"])
    assert limit >= caches + 512 * KIB**2  # an idle `lite` is 310 MB


@each_case
def test_it_is_killed_no_sooner_than_it_may_need_to_stop(name):
    told = settings_of(case(name))
    pod = pod_of(case(name))
    pause_s = server_of(case(name))["lifecycle"]["preStop"]["sleep"]["seconds"]
    longest_s = pause_s + 2 * math.ceil(told.grace_s) + LAST_BATCH_S
    assert longest_s < pod["terminationGracePeriodSeconds"] <= longest_s + 10


@each_case
def test_a_store_that_fails_gets_no_server_killed(name):
    assert server_of(case(name))["livenessProbe"]["httpGet"]["path"] == "/livez"


@each_case
def test_readiness_is_grpcs_own_where_the_kubelet_can_speak_to_it(name):
    server = server_of(case(name))
    has_tls = settings_of(case(name)).tls_cert
    wanted = {"httpGet": {"path": "/readyz", "port": "metrics"}}
    if not has_tls:
        wanted = {"grpc": {"port": 50051}}
    for probe in ("startupProbe", "readinessProbe"):
        assert wanted.items() <= server[probe].items()


def test_one_server_may_go_without_a_store_and_several_may_not():
    import helm_python

    alone = values_of("minimal")
    assert settings_of(rendered(alone)).store == "memory"
    with pytest.raises(helm_python.HelmError, match="a store that they share"):
        rendered(alone | {"replicas": 2})
    with pytest.raises(helm_python.HelmError, match="a store that they share"):
        rendered(alone | {"autoscaling": {"kind": "hpa"}})


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "strangers could use"),
        ({"tls": {"existingSecret": "tls"}}, "strangers could use"),
        ({"callers": {"existingSecret": {"name": "some"}}}, "strangers could use"),
        ({"insecure": True, "tls": {"clientCaKey": "ca.crt"}}, "needs tls.existingSecret"),
        ({"insecure": True, "envoy": {"enabled": True}}, "needs envoy.tlsSecret"),
        ({"insecure": True, "envoy": {"enabled": True, "tlsSecret": "a"}}, "--set-file"),
        ({"insecure": True, "valkey": {"url": "valkey://elsewhere:6379/0"}}, "there is one store"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_installed(values, why):
    import helm_python

    with pytest.raises(helm_python.HelmError, match=why):
        rendered(values)


@pytest.mark.parametrize(
    "values",
    [
        {"settings": {"port": 1}},
        {"settings": {"max_sessions": 0}},
        {"settings": {"bundel": "lite"}},
        {"replica": 3},
        {"callers": {"lines": ["acme ann t0ken-in-the-open"]}},
        {"image": {"digest": "latest"}},
        {"autoscaling": {"kind": "wish"}},
    ],
)
def test_the_schema_refuses_what_makes_no_sense(values):
    import helm_python

    with chart() as loaded, pytest.raises(helm_python.HelmError):
        loaded.validate_schema(merged(values_of("minimal"), values))


def test_the_schema_knows_all_settings_that_are_not_the_charts_own():
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    known = schema["properties"]["settings"]["properties"]
    of_server = {one.name: one for one in fields(Settings) if one.name not in OWN}
    assert set(known) == set(of_server)
    for name, said in known.items():
        assert said.get("minimum") == of_server[name].metadata["least"]
        assert said.get("maximum") == of_server[name].metadata["most"]


def test_large_numbers_reach_the_server_as_they_were_written():
    assert settings_of(case("cpu")).store_images_bytes == 8 * KIB**3
    assert settings_of(case("tls")).grace_s == 12.5


def test_threads_are_as_many_as_the_cores_that_it_gets():
    (threads,) = [one for one in server_of(case("cpu"))["env"] if one["name"] == "SEEM_THREADS"]
    assert threads["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    chosen = rendered(merged(values_of("minimal"), {"settings": {"threads": 3}}))
    assert settings_of(chosen).threads == 3


def test_a_gpu_is_asked_for_and_its_image_taken():
    server = server_of(case("gpu"))
    assert server["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert server["image"].endswith("-cuda")
    assert settings_of(case("gpu")).provider == "cuda"
    assert server_of(case("cpu"))["image"].endswith("-cpu")
    assert read(GPU)["gpu"] == {"enabled": True}


def test_the_bundled_store_holds_what_the_servers_may_keep():
    for name in ("cpu", "tls"):
        told = settings_of(case(name))
        (valkey,) = the(case(name), "StatefulSet", "demo-seem-valkey")["spec"]["template"]["spec"][
            "containers"
        ]
        (most,) = [arg.split()[1] for arg in valkey["args"] if arg.startswith("--maxmemory ")]
        assert n_bytes(most) > told.store_images_bytes + told.store_answers_bytes
        assert n_bytes(valkey["resources"]["limits"]["memory"]) > n_bytes(most)
        assert told.store == "valkey://demo-seem-valkey:6379/0"


def test_an_image_by_its_digest_goes_before_its_tag():
    digest = f"sha256:{'a' * 64}"
    values = merged(values_of("minimal"), {"image": {"repository": "r", "digest": digest}})
    assert server_of(rendered(values))["image"] == f"r@{digest}"


def test_envoy_asks_for_the_servers_by_the_name_that_they_have():
    config = the(case("cpu"), "ConfigMap", "demo-seem-envoy")["data"]["envoy.yaml"]
    assert config.strip() == "address: demo-seem-servers"
    assert the(case("cpu"), "Service", "demo-seem-servers")["spec"]["clusterIP"] == "None"


def test_behind_envoy_nobody_else_reaches_a_server():
    (grpc, _) = the(case("cpu"), "NetworkPolicy")["spec"]["ingress"]
    (who,) = grpc["from"]
    assert who["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "envoy"


def test_alerts_and_dashboard_are_those_of_deploy():
    rule = the(case("cpu"), "PrometheusRule")
    assert rule["spec"] == read(DEPLOY / "prometheus/alerts.yml")
    dashboard = the(case("cpu"), "ConfigMap", "demo-seem-dashboard")["data"]["seem.json"]
    assert json.loads(dashboard) == json.loads((DEPLOY / "grafana/seem.json").read_text("utf-8"))


def test_what_is_scraped_has_the_name_by_which_alerts_know_it():
    monitor = the(case("cpu"), "ServiceMonitor")["spec"]
    assert {"targetLabel": "job", "replacement": "seem"} in monitor["endpoints"][0]["relabelings"]
    wanted = monitor["selector"]["matchLabels"].items()
    services = [one for one in case("cpu") if one["kind"] == "Service"]
    (found,) = [one for one in services if wanted <= one["metadata"]["labels"].items()]
    assert monitor["endpoints"][0]["port"] in {one["name"] for one in found["spec"]["ports"]}


def queries():
    adapter = read(DEPLOY / "helm/prometheus-adapter.yaml")["rules"]["custom"]
    for rule in adapter:
        yield (
            rule["metricsQuery"]
            .replace("<<.GroupBy>>", "pod")
            .replace("<<.LabelMatchers>>", 'namespace="prod"')
        )
    for trigger in the(case("external-valkey"), "ScaledObject")["spec"]["triggers"]:
        yield trigger["metadata"]["query"]


def test_what_is_scaled_by_can_be_asked_for_and_is_told_by_servers():
    asked = list(queries())
    assert len(asked) == 4
    for query in asked:
        assert promql_parser.parse(query)
        (name,) = set(re.findall(r"seem_\w+", query)) - {"seem"}
        assert name in {"seem_stage_seconds_sum", "seem_refusals_total"}


def test_the_autoscaler_asks_for_what_the_adapter_makes():
    made = {
        rule["name"]["as"]
        for rule in read(DEPLOY / "helm/prometheus-adapter.yaml")["rules"]["custom"]
    }
    metrics = the(case("cpu"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert {one["pods"]["metric"]["name"] for one in metrics} == made
    assert "replicas" not in the(case("cpu"), "Deployment")["spec"]


def test_chart_and_package_have_one_version():
    about = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    text = (DEPLOY.parent / "pyproject.toml").read_text("utf-8")
    assert f'version = "{about["appVersion"]}"' in text
