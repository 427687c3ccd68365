from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from seem_wire.v1 import seem_pb2 as pb

V1 = Path(pb.__file__).parent
LISTED = dict(
    reversed(line.split(maxsplit=1)) for line in (V1 / "stubs.sha256").read_text().splitlines()
)
SERVICE = pb.DESCRIPTOR.services_by_name["Seem"]


@pytest.mark.parametrize("name", sorted(LISTED))
def test_the_stubs_are_those_that_the_proto_gave(name):
    found = hashlib.sha256((V1 / name).read_bytes()).hexdigest()
    assert found == LISTED[name], "run make proto, and commit what it wrote"


def test_every_file_of_the_contract_is_listed():
    files = {path.name for path in V1.iterdir() if path.is_file()}
    assert files - {"__init__.py", "stubs.sha256"} == set(LISTED)


def test_the_service_offers_the_calls_of_the_contract():
    calls = {call.name: (call.client_streaming, call.server_streaming) for call in SERVICE.methods}
    unary = dict.fromkeys(("Execute", "Segment", "GetModel", "GetSession"), (False, False))
    assert calls == {"Interact": (True, True), **unary}
