"""The Helm chart, rendered by Helm itself, which the tests have as a library."""

from __future__ import annotations

import contextlib
from functools import cache

import yaml
from deploy_tools import DEPLOY

CHART = DEPLOY / "helm/seem-server"
GPU = CHART / "values-gpu.yaml"
CASES = {path.stem: path for path in sorted((CHART / "ci").glob("*.yaml"))}
RELEASE, NAMESPACE = "demo", "prod"

STAND_IN = "address: seem-gateways"
"""Of Envoy's configuration what the chart looks at; its own tests have the rest."""


def merged(values, more):
    """As Helm puts files of values together."""
    both = dict(values)
    for key, value in more.items():
        deeper = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = merged(both[key], value) if deeper else value
    return both


def values_of(case):
    """What a case sets, with what it stands on."""
    under = read(GPU) if case == "gpu" else {}
    values = merged(under, read(CASES[case]))
    if values.get("envoy", {}).get("enabled"):
        values["envoy"] |= {"config": STAND_IN, "tlsConfig": "{}"}
    return values


def read(path):
    return yaml.safe_load(path.read_text("utf-8"))


@contextlib.contextmanager
def chart():
    import helm_python

    with helm_python.Chart.load(CHART) as loaded:
        yield loaded


def rendered(values):
    """All documents that would be installed."""
    with chart() as loaded:
        loaded.validate_schema(values)
        files = loaded.render(values, name=RELEASE, namespace=NAMESPACE)
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


@cache
def case(name):
    """The documents of a case."""
    return rendered(values_of(name))


def the(documents, kind, name=f"{RELEASE}-seem"):
    """The one document of this kind and name."""
    (one,) = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return one


def pod_of(documents):
    return the(documents, "Deployment")["spec"]["template"]["spec"]


def server_of(documents):
    return pod_of(documents)["containers"][0]


def environment_of(documents):
    return {one["name"]: one.get("value") for one in server_of(documents)["env"]}
