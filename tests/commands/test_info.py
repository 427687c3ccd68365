from __future__ import annotations

import json

import pytest
from bundles import NAMES, write_bundle

from seem_server import cli
from seem_server.commands import info
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.specs import LongSide, Rounding, ShortSide


def printed(capsys, *argv):
    assert cli.main(["info", *argv]) == cli.DONE
    return capsys.readouterr().out


def test_one_document_is_printed_for_machines(capsys, tmp_path):
    document = json.loads(printed(capsys, str(write_bundle(tmp_path / "made")), "--json"))
    assert document["name"] == "made"
    assert document["vocabulary"] == list(NAMES)
    assert document["everything"] is False
    assert document["provenance"] == {"made": {"by": ["hand"]}}
    assert set(document["files"]) >= {"image_encoder.onnx", "vocabulary.npy"}


def test_people_are_told_the_same(capsys, tmp_path):
    text = printed(capsys, str(write_bundle(tmp_path / "made")))
    assert text.startswith("made@")
    assert "prompts     point, text" in text
    assert "everything  no" in text
    assert "licence     everything: Apache-2.0" in text


def test_many_names_are_counted_and_not_all_shown(capsys, tmp_path):
    names = tuple(f"name {n}" for n in range(20))
    text = printed(capsys, str(write_bundle(tmp_path / "made", names=names)))
    assert "name 7, … (20 names)" in text


def test_of_the_names_it_tells_those_that_a_server_tells(capsys):
    told = json.loads(printed(capsys, "lite", "--json"))["vocabulary"]
    assert told == list(read_bundle("lite").manifest.given_names)
    assert f"({len(told)} names)" in printed(capsys, "lite")


def test_without_a_name_the_shipped_bundles_are_listed(capsys):
    assert "tiny" in printed(capsys)
    document = json.loads(printed(capsys, "--json"))
    assert document["bundles"]["tiny"]["variant"] == "tiny"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_bundle_that_is_not_right_is_an_error_and_prints_nothing(capsys, tmp_path, flags):
    folder = write_bundle(tmp_path / "made")
    (folder / "tokenizer.json").write_text("spoilt")
    assert cli.main(["info", str(folder), *flags]) == cli.FAILED
    output = capsys.readouterr()
    assert output.out == ""
    assert "tokenizer.json has" in output.err


def test_says_how_images_are_resized():
    assert info._resizing(LongSide(512, 4)) == "long side 512 px"
    short = info._resizing(ShortSide(182, 1024, Rounding.FLOOR))
    assert short == "short side 182 px, long side at most 1024 px"
