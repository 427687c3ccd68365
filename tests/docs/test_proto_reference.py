"""The protocol's reference: all of the file, with its comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from seem_wire.v1 import seem_pb2 as pb

pytest.importorskip("grpc_tools", reason="needs the extra docs")

from proto_reference import PROTO, described, reference

PROTOS = Path(__file__).parents[2] / "protos"


@pytest.fixture(scope="module")
def page():
    return reference(described(PROTOS))


def test_every_message_field_and_value_is_there(page):
    sections = dict(part.partition("\n")[::2] for part in page.split("\n## ")[1:])
    for name, message in pb.DESCRIPTOR.message_types_by_name.items():
        for field in message.fields:
            assert f"| {field.number} | `{field.name}` |" in sections[name]
    for name, enum in pb.DESCRIPTOR.enum_types_by_name.items():
        assert all(f"`{value.name}`" in sections[name] for value in enum.values)


def test_every_line_of_comment_is_there(page):
    plain = page.replace("\\", "").replace("&lt;", "<")
    # The bars between a file's parts are no comments of anything.
    said = [line.strip() for line in (PROTOS / PROTO).read_text("utf-8").splitlines()]
    words = [line[3:].strip() for line in said if line.startswith("// ") and "----" not in line]
    missing = [line for line in words if line not in plain]
    assert missing == ["png, polygons"]  # what a kept number is for


def test_types_lead_to_their_messages(page):
    assert "[ObjectPrompt](#objectprompt)" in page
    assert "repeated [Point](#point)" in page
    assert "optional bool" in page
    assert "one of `kind`" in page
