from __future__ import annotations

import math

import pytest
from made_coco import DOG, PERSON, block, numbers, write_instances

from seem_model.evaluate.average_precision import NAMES, InstanceScorer
from seem_model.evaluate.coco import read_instances
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS
from seem_wire import rle
from seem_wire.segments import Instance


@pytest.fixture
def things(tmp_path):
    files = write_instances(tmp_path)
    return read_instances(files.annotations, files.images, COCO_PANOPTIC[:N_THINGS])


def instance(mask, label, score=0.9):
    return Instance(0, label, score, int(mask.sum()), rle.encode(mask))


def perfect():
    first, second = numbers()
    return [
        [instance(first == 1, PERSON), instance(first == 2, PERSON)],
        [instance(second == 3, DOG), instance(second == 1, PERSON)],
    ]


def scored(dataset, found):
    scorer = InstanceScorer(dataset)
    for picture, instances in zip(dataset.pictures, found, strict=False):
        scorer.add(picture, instances)
    return scorer.results()


def test_what_is_equal_is_perfect(things, capsys):
    results = scored(things, perfect())
    assert tuple(results) == NAMES
    assert results["AP"] == results["AP50"] == pytest.approx(100)
    assert math.isnan(results["APl"])  # nothing here is large
    assert capsys.readouterr().out == ""


def test_a_false_one_costs_only_where_it_comes_before_a_right_one(things):
    found = perfect()
    wrong = block(0, 50, 10, 60)
    found[0].append(instance(wrong, DOG, 0.1))
    assert scored(things, found)["AP"] == pytest.approx(100)
    found[0][-1] = instance(wrong, DOG, 0.99)
    assert scored(things, found)["AP"] == pytest.approx(75)  # a dog at a precision of a half


def test_only_pictures_that_were_added_are_looked_at(things):
    assert scored(things, perfect()[:1])["AP"] == pytest.approx(100)


def test_of_no_instance_the_precision_is_nothing(things):
    assert set(scored(things, [[], []]).values()) == {0.0}
