from __future__ import annotations

import json
import sys

import pytest
import stand_in_detectron2
from made_coco import StandIn, write_instances, write_panoptic, write_voc

from seem_model.evaluate import __main__, detectron2_scorers
from seem_model.evaluate.command import main
from seem_model.evaluate.predictor import Subject


def run(*arguments, model=None):
    subject = Subject(model or StandIn(), "focalt_v1", 0.8)
    return main([*map(str, arguments), "--checkpoint", "x.pt"], lambda _: subject)


@pytest.fixture
def panoptic(tmp_path):
    files = write_panoptic(tmp_path)
    where = ["--images", files.images, "--annotations", files.annotations, "--maps", files.maps]
    return ["panoptic", *where]


def test_measured_and_published_stand_side_by_side(panoptic, capsys):
    assert run(*panoptic, "--evaluator", "builtin") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "panoptic, focalt_v1, scored by builtin"
    assert any(line.split() == ["PQ", "100.00", "published", "50.80"] for line in lines)
    assert any(line.split() == ["SQ", "100.00"] for line in lines)


def test_json_is_one_document_and_nothing_else(panoptic, capsys):
    assert run(*panoptic, "--evaluator", "builtin", "--json", "--limit", 1) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["results"]["pictures"] == 1
    assert found["published"] == {"PQ": 50.8}
    assert found["evaluator"] == "builtin"


def test_what_nothing_could_be_measured_by_is_null(tmp_path, capsys):
    files = write_instances(tmp_path)
    where = ["--images", files.images, "--annotations", files.annotations]
    run("instance", *where, "--evaluator", "builtin", "--json")
    assert json.loads(capsys.readouterr().out)["results"]["APl"] is None


def test_the_threshold_is_the_published_one_unless_another_is_asked_for(panoptic, capsys):
    model = StandIn(score=0.5)
    run(*panoptic, "--evaluator", "builtin", "--json", model=model)
    assert json.loads(capsys.readouterr().out)["results"]["PQ"] == 0
    run(*panoptic, "--evaluator", "builtin", "--json", "--threshold", 0.4, model=model)
    assert json.loads(capsys.readouterr().out)["results"]["PQ"] == 100


@pytest.mark.parametrize(("installed", "evaluator"), [(True, "detectron2"), (False, "builtin")])
def test_detectron2_scores_where_it_is_installed(
    panoptic, capsys, monkeypatch, installed, evaluator
):
    stand_in_detectron2.install(monkeypatch)
    monkeypatch.setattr(detectron2_scorers, "is_installed", lambda **_: installed)
    assert run(*panoptic, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["evaluator"] == evaluator
    assert found["results"]["PQ"] == pytest.approx(100)


def test_detectron2_that_is_asked_for_and_missing_is_an_error(panoptic, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)
    assert run(*panoptic, "--evaluator", "detectron2") == 1
    assert "docs/published.md" in capsys.readouterr().err


def test_errors_go_to_stderr_and_nothing_to_stdout(tmp_path, capsys):
    assert run("clicks", tmp_path / "absent", "--json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "absent" in printed.err


def test_progress_goes_to_stderr(tmp_path, capsys):
    assert run("clicks", write_voc(tmp_path), "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["results"]["NoC90"] == 1
    assert "2/2" in printed.err


@pytest.mark.parametrize("arguments", [[], ["dance"], ["clicks", ".", "--limit", "0"]])
def test_bad_arguments_end_with_two(arguments):
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--checkpoint", "x.pt"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--help"], "refcoco"), (["parity", "--help"], "--onnx"), (["rows", "--help"], "rows")],
)
def test_the_module_runs_the_protocols_and_hands_the_others_on(
    monkeypatch, capsys, arguments, told
):
    monkeypatch.setattr(sys, "argv", ["seem_model.evaluate", *arguments])
    with pytest.raises(SystemExit, match="0"):
        __main__.main()
    assert told in capsys.readouterr().out
