from __future__ import annotations

import numpy as np
import pytest
from made_dataset import annotation, block, made_dataset
from stand_in import Said, StandIn

from seem_server.commands.companions import (
    ablate,
    example_iou,
    example_tasks,
    show_examples,
    summarise_ablation,
)
from seem_server.commands.stills import read_images, read_stills

NAMES = ("cat", "dog", "object")
CAT, DOG, OBJECT = 1, 2, 3
LEFT, RIGHT = block(10, 10, 30, 30), block(10, 50, 30, 70)


@pytest.fixture
def folder(tmp_path):
    listed = [
        annotation(1, LEFT, image=1, category_id=CAT),
        annotation(2, RIGHT, image=1, category_id=CAT),
        annotation(3, LEFT, image=2, category_id=CAT),
        annotation(4, LEFT, image=3, category_id=CAT),
        annotation(5, LEFT, image=3, category_id=DOG),
        annotation(6, LEFT, image=3, category_id=OBJECT),
    ]
    return made_dataset(tmp_path, listed, names=NAMES, sources=("a", "a", "a"))


def test_the_example_is_the_next_image_of_the_source_with_the_name(folder):
    found = example_tasks(read_images(folder))
    shown = [(one.still.path.name, one.name, one.shown.path.name) for one in found.tasks]
    assert shown == [
        ("a-1.png", "cat", "a-2.png"),
        ("a-2.png", "cat", "a-3.png"),
        ("a-3.png", "cat", "a-1.png"),
    ]
    assert (found.lonely, found.unnamed) == (1, 1)


def test_an_example_is_shown_with_all_of_the_name_and_so_is_it_scored(folder):
    server = StandIn(lambda *_: Said(LEFT, 0.4))
    found = show_examples(server, example_tasks(read_images(folder)).tasks)
    assert [one.iou for one in found] == [0.5, 1.0, 1.0]
    (_, path, mask) = server.said[2]
    assert path.name == "a-1.png"
    assert np.array_equal(mask, LEFT | RIGHT)
    assert example_iou(found).overall.mean == pytest.approx(2.5 / 3)


def test_words_a_click_and_both_are_scored_against_the_object(folder):
    answers = {"text": LEFT | RIGHT, "click": block(10, 10, 30, 20), "prompt": LEFT}
    server = StandIn(lambda kind, _: Said(answers[kind]))
    first, second, *_ = ablate(server, read_stills(folder))
    assert (first.words, first.words_all, first.click, first.both) == (0.5, 1.0, 0.5, 1.0)
    assert second.both == 0.0


def test_the_words_of_a_name_are_said_once_an_image(folder):
    server = StandIn(lambda *_: Said(LEFT))
    ablate(server, read_stills(folder)[:1])
    assert [kind for kind, *_ in server.said] == ["text", "click", "prompt", "click", "prompt"]
    assert server.opened == ["a-1.png"]
    assert server.said[2][2] == "cat"


def test_what_has_no_name_is_passed_over_but_counted_as_done(folder):
    done = []
    found = ablate(StandIn(lambda *_: Said(LEFT)), read_stills(folder), done=lambda: done.append(1))
    assert (len(found), len(done)) == (5, 6)


def test_gains_are_compared_object_by_object(folder):
    answers = {"text": LEFT | RIGHT, "click": block(10, 10, 30, 20), "prompt": LEFT}
    server = StandIn(lambda kind, _: Said(answers[kind]))
    report = summarise_ablation(ablate(server, read_stills(folder)[1:2]))
    assert (report.objects, report.gain_over_click.overall.mean) == (1, 0.5)
    assert report.gain_over_words.overall.mean == 0.5
    assert summarise_ablation([]) is None
