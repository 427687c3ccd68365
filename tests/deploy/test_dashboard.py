"""What dashboard and alerts ask for is what a server tells, all of it and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml
from service_words import service

from seem_server.runtime.device_memory import DeviceMemory
from seem_server.telemetry.metrics import CLASSES, STAGES, Metrics, Sources
from seem_wire.errors import BY_CODE

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/seem.json").read_text("utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
SCRAPING = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))

PANELS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
WARNINGS = [rule["expr"] for rule in RULES]

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
"""What a metric's name gets at its end, by its type, where Prometheus stores it."""


@pytest.fixture
async def families():
    """All that a server tells, one entry for each name that Prometheus stores."""
    metrics = Metrics()
    with service() as here:
        metrics.read_from(Sources(here.engine, here.directory, lambda: DeviceMemory(0, 0), dict))
        found = list(metrics.registry.collect())
    return {f"{one.name}{suffix}": one for one in found for suffix in SUFFIXES.get(one.type, ("",))}


def names_in(expression):
    return set(re.findall(r"\bseem_\w+", expression))


@pytest.mark.parametrize("expression", PANELS + WARNINGS)
def test_every_expression_can_be_read(expression):
    assert promql_parser.parse(expression.replace("$__rate_interval", "5m"))


@pytest.mark.parametrize("expression", PANELS + WARNINGS)
async def test_every_name_is_one_that_a_server_tells(expression, families):
    assert names_in(expression) <= set(families)


async def test_every_metric_is_shown_in_some_panel(families):
    shown = {families[name].name for name in names_in(" ".join(PANELS))}
    assert shown == {one.name for one in families.values()}


async def test_what_picks_an_instance_is_told_too(families):
    queries = [one["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert names_in(str(queries)) <= set(families)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_how_urgent_it_is_and_what_happened(rule):
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")


def test_alerts_are_about_codes_that_there_are():
    codes = re.findall(r'code=~?"([A-Z_|]+)"', " ".join(WARNINGS))
    assert codes
    assert {code for one in codes for code in one.split("|")} <= set(BY_CODE)


async def test_classes_stages_and_caches_are_those_that_there_are():
    text = " ".join(PANELS + WARNINGS)
    with service() as here:
        caches = set(here.engine.caches)
    assert set(re.findall(r'class="(\w+)"', text)) <= set(CLASSES.values())
    assert set(re.findall(r'stage="(\w+)"', text)) <= set(STAGES)
    assert set(re.findall(r'cache="(\w+)"', text)) <= caches


def test_prometheus_reads_the_alerts_under_the_job_that_they_name():
    assert SCRAPING["rule_files"] == ["alerts.yml"]
    assert [job["job_name"] for job in SCRAPING["scrape_configs"]] == ["seem"]


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
