"""The runbook: a section for each alert, and nothing named that is not there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from deploy_tools import DEPLOY, ROOT
from service_words import PHOTO

from seem_server.cli import SUBCOMMANDS, build_parser
from seem_server.settings import Settings
from seem_wire.errors import BY_CODE

RUNBOOK = (ROOT / "docs/runbook.md").read_text("utf-8")
README = (DEPLOY / "README.md").read_text("utf-8")
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
NAMES = [rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]]

both_texts = pytest.mark.parametrize("text", [RUNBOOK, README], ids=["runbook", "README"])


def section(title):
    """What stands below a heading of the second level, up to the next."""
    return RUNBOOK.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_alert_has_its_section_and_every_section_its_alert():
    assert re.findall(r"(?m)^### (\w+)$", section("Alerts")) == NAMES


def test_sections_and_alerts_that_are_pointed_to_are_there():
    headings = set(re.findall(r"(?m)^#{2,3} (.+)$", RUNBOOK))
    pointed = re.findall(r"\(see \*([^*]+)\*\)|\*(Seem\w+|How large)\*", RUNBOOK)
    assert pointed
    assert {a or b for a, b in pointed} <= headings | {heading.lower() for heading in headings}


def test_every_setting_that_is_named_is_one():
    named = set(re.findall(r"`((?!seem_|container_)[a-z]+(?:_[a-z]+)+)`", RUNBOOK))
    assert named - {"request_id"}  # a field of the log
    assert named - {"request_id"} <= set(Settings.__slots__)


def test_every_code_that_is_named_is_one():
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)`", RUNBOOK)) <= set(BY_CODE)


def test_every_metric_that_is_named_is_on_the_dashboard():
    shown = (DEPLOY / "grafana/seem.json").read_text("utf-8")
    named = set(re.findall(r"\bseem_[a-z_]+\b", RUNBOOK))
    assert named
    assert {name for name in named if name not in shown} == set()


@both_texts
def test_every_command_can_be_parsed(text):
    code = "\n".join(re.findall(r"```sh\n(.+?)```", text, re.DOTALL)).replace("\\\n", " ")
    lines = re.findall(rf"(?m)(?<![\w/-])seem ((?:{'|'.join(SUBCOMMANDS)}) [^\n'>|]+)", code)
    assert lines
    for line in lines:
        build_parser().parse_args(shlex.split(line, comments=True))


@both_texts
def test_every_link_leads_to_what_is_there(text):
    folder = {RUNBOOK: ROOT / "docs", README: DEPLOY}[text]
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    made_elsewhere = set() if (DEPLOY / "envoy").is_dir() else {"envoy/"}
    assert {link for link in links if not (folder / link).exists()} <= made_elsewhere


def test_a_session_goes_on_from_a_copy_that_was_taken_while_the_server_ran(tmp_path):
    import seem_client
    from seem_server.app import local_server

    live, copy = tmp_path / "sessions.sqlite", tmp_path / "copy.sqlite"
    (line,) = re.findall(r"umask 077; (python .+)", RUNBOOK)
    command = [sys.executable, *shlex.split(line)[1:-2], str(live), str(copy)]
    with (
        local_server(Settings(bundle="fake", store=f"sqlite:{live}")) as address,
        seem_client.connect(address) as client,
    ):
        session = client.open(PHOTO)
        mask = session.click(3, 3).mask
        subprocess.run(command, check=True)
        session.leave()
    with (
        local_server(Settings(bundle="fake", store=f"sqlite:{copy}")) as address,
        seem_client.connect(address) as client,
        client.attach(session.id) as restored,
    ):
        assert (restored.predictions[1].mask == mask).all()
