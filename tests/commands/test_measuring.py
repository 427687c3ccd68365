from __future__ import annotations

import argparse
import json

import pytest
from made_dataset import annotation, block, made_dataset
from stand_in import Said, StandIn

from seem_server.commands import measuring
from seem_server.commands.annotators import Way
from seem_server.commands.measuring import (
    draw_reliability,
    measure_prompts,
    measure_words,
    positive,
    ways_of,
)
from seem_server.commands.reliability import reliability
from seem_server.commands.stills import DatasetInvalid
from seem_server.commands.synonyms import SynonymsInvalid

SQUARE = block(10, 10, 30, 30)


@pytest.fixture
def dataset(tmp_path):
    listed = [annotation(n, SQUARE, image=n, category_id=1) for n in (1, 2)]
    return made_dataset(tmp_path, listed, names=("couch",), sources=("a", "a"), exhaustive=True)


@pytest.fixture
def server():
    return StandIn(lambda *_: Said(SQUARE, 0.8, 0.9))


def test_only_the_ways_that_were_asked_for_are_played():
    assert ways_of(["box", "jittered-clicks"]) == (Way.BOX, Way.JITTERED)
    assert ways_of(["clicks", "jittered-clicks"]) == (Way.CLICKS, Way.JITTERED)
    assert ways_of(["example", "text+click", "hypotheses"]) == ()


def test_only_what_was_asked_for_is_measured(server, dataset):
    report = measure_prompts(server, dataset, ["example"])
    assert report.played is report.together is None
    assert report.examples.iou.overall.mean == 1.0
    assert (report.examples.lonely, report.examples.partial) == (0, 0)
    assert {kind for kind, *_ in server.said} == {"example"}


def test_all_of_it_is_measured_at_once(server, dataset):
    prompts = ["clicks", "text+click", "example", "hypotheses"]
    report = measure_prompts(server, dataset, prompts, limit=1)
    assert (report.images, report.objects, report.model_id) == (1, 1, "m@1")
    assert report.played.overall.iou[1].mean == 1.0
    assert report.together.both.overall.mean == 1.0
    assert report.examples.iou.count == report.hypotheses.objects == 1


def test_a_dataset_without_objects_is_refused(server, tmp_path):
    empty = made_dataset(tmp_path, [])
    with pytest.raises(DatasetInvalid, match="marks no object"):
        measure_prompts(server, empty, ["clicks"])
    with pytest.raises(DatasetInvalid, match="names nothing"):
        measure_words(server, empty)


def test_words_are_asked_with_the_synonyms_that_are_named(server, dataset, tmp_path):
    path = tmp_path / "synonyms.json"
    path.write_text(json.dumps({"couch": {"held_out": ["sofa"]}}))
    report = measure_words(server, dataset, synonyms=path)
    assert (report.iou.count, report.synonym_cost.count) == (2, 2)
    with pytest.raises(SynonymsInvalid):
        measure_words(server, dataset, synonyms=tmp_path / "no.json")


def test_where_no_synonyms_are_installed_it_says_so_and_goes_on(
    server, dataset, monkeypatch, capsys
):
    monkeypatch.setattr(measuring, "shipped_file", lambda: None)
    assert measure_words(server, dataset).synonym_cost is None
    assert "No synonyms are asked" in capsys.readouterr().err


def test_a_diagram_is_drawn_of_what_there_is(tmp_path):
    path = tmp_path / "diagram.png"
    draw_reliability(path, {"nothing": None})
    assert not path.exists()
    draw_reliability(path, {"nothing": None, "something": reliability([(0.5, 0.5)])})
    assert path.stat().st_size > 0
    draw_reliability(None, {"something": reliability([(0.5, 0.5)])})


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_count_is_a_number_from_one_on(text):
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 on"):
        positive(text)
