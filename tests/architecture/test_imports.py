"""The import contracts of pyproject.toml, and what each part draws in when it is loaded alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("errors", "pixels", "prompts", "resample", "rle", "segments", "tags", "types", "validate")
TRAINING = {"torch", "onnx", "onnxscript", "seem_model"}
SERVING = {"onnxruntime", "seem_server"}


def modules_after(statement):
    """Top-level modules that a fresh interpreter has loaded after `statement`."""
    program = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_import_contracts_hold():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_the_wire_package_itself_loads_nothing():
    assert not modules_after("import seem_wire") & {"grpc", "google", "numpy"}


@pytest.mark.parametrize("module", PURE)
def test_what_both_sides_agree_on_needs_neither_grpc_nor_protobuf(module):
    loaded = modules_after(f"import seem_wire.{module}")
    assert not loaded & ({"grpc", "google"} | TRAINING | SERVING)


def test_converting_messages_needs_no_grpc():
    assert "grpc" not in modules_after("import seem_wire.convert")


def test_the_client_needs_no_server_no_runtime_and_no_training_code():
    assert not modules_after("import seem_client") & (TRAINING | SERVING)


@pytest.mark.parametrize("module", ["seem_client", "seem_client.frames", "seem_client.video_file"])
def test_the_client_draws_in_no_imaging_library(module):
    assert not modules_after(f"import {module}") & {"av", "PIL", "scipy"}


def test_the_command_line_of_the_server_needs_no_training_code():
    assert not modules_after("import seem_server.cli") & TRAINING


def test_the_session_rules_need_no_loop_socket_or_device():
    loaded = modules_after("import seem_server.session.machine")
    assert not loaded & ({"asyncio", "grpc", "onnxruntime"} | TRAINING)


@pytest.mark.parametrize("path", sorted((ROOT / "seem_server").rglob("*.py")), ids=str)
def test_the_server_uses_of_the_client_only_what_is_public(path):
    assert not re.search(r"seem_client(\.\w+)*\._|from seem_client import _", path.read_text())
