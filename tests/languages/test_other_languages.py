"""Clients in other languages, from stubs made of seem.proto alone: they get the very mask of ours.

`make test-languages` runs them; what lacks its tools is skipped, and says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import seem_client
from seem_server.app import local_server
from seem_server.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "clients/examples"
PHOTO = ROOT / "clients/demo/photos/cat.jpg"
GO_LIBRARIES = Path("/usr/share/gocode")  # Debian's; it has no need of a module proxy
PROTOC = os.environ.get("PROTOC", "protoc")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def need(*tools):
    lacking = [tool for tool in (PROTOC.split()[0], *tools) if shutil.which(tool) is None]
    if lacking:
        pytest.skip(f"there is no {', '.join(lacking)}")


def build(folder, *commands, **environment):
    for command in commands:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PROTOS": str(ROOT / "protos/seem_wire/v1")} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def typescript(folder):
    need("npm", "node")
    made = shutil.ignore_patterns("node_modules", "gen", "build")
    shutil.copytree(EXAMPLES / "typescript", folder, ignore=made)
    build(folder, ["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"])
    return ["node", folder / "build/main.js"]


def go(folder):
    need("go", "protoc-gen-go", "protoc-gen-go-grpc")
    if not (GO_LIBRARIES / "src/google.golang.org/grpc").is_dir():
        pytest.skip("there is no golang-google-grpc-dev")
    example = folder / "src/example"
    shutil.copytree(EXAMPLES / "go", example, ignore=shutil.ignore_patterns("seempb", "click"))
    found = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": f"{folder}:{GO_LIBRARIES}"}
    build(example, ["./build.sh"], GOCACHE=str(folder / "cache"), **found)
    return [example / "click"]


@pytest.fixture(scope="module", params=[typescript, go], ids=lambda build: build.__name__)
def program(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("example") / "built")


@pytest.fixture(scope="module")
def address():
    with local_server(Settings(bundle="lite")) as served:
        yield served


def run(program, *arguments):
    return subprocess.run(
        [*map(str, program), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_click_has_the_area_that_the_python_client_is_given(program, address):
    with seem_client.connect(address) as client:
        expected = client.segment(PHOTO, points=[(200, 150)]).area
    done = run(program, address, PHOTO, 200, 150)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == expected > 0


def test_a_refusal_is_told_with_its_code_and_what_to_do(program, address):
    done = run(program, address, PHOTO, -5, 2)
    assert done.returncode == 1
    assert "POINT_OUTSIDE_IMAGE (FAULT_CALLER)" in done.stderr
    assert "of the upright original image" in done.stderr
