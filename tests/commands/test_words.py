from __future__ import annotations

import numpy as np
import pytest
from made_dataset import annotation, block, made_dataset
from stand_in import NOTHING, Said, StandIn

from seem_server.commands.stills import read_images
from seem_server.commands.words import Kind, absent_names, ask, names_of_sources, pages

NAMES = ("cat", "fried tofu", "tofu", "sofa", "couch", "object")
CAT, FRIED, TOFU, SOFA, COUCH, OBJECT = range(1, 7)
SQUARE, OTHER = block(10, 10, 30, 30), block(40, 40, 60, 60)


def stills(tmp_path, *marked, exhaustive=True, sources=("a", "a")):
    """Two images; `marked` are (image, category)."""
    listed = [
        annotation(number, SQUARE, image=image, category_id=category)
        for number, (image, category) in enumerate(marked, 1)
    ]
    folder = made_dataset(tmp_path, listed, names=NAMES, exhaustive=exhaustive, sources=sources)
    return read_images(folder)


def said(page, kind):
    return [question.said for question in page.questions if question.kind is kind]


def test_every_name_of_an_image_is_asked_once(tmp_path):
    one, two = pages(stills(tmp_path, (1, CAT), (1, CAT), (1, SOFA), (2, CAT)), {})
    assert (said(one, Kind.NAME), said(two, Kind.NAME)) == (["cat", "sofa"], ["cat"])


def test_what_is_called_object_is_not_asked_for(tmp_path):
    assert pages(stills(tmp_path, (1, OBJECT)), {}) == ()


def test_absent_are_the_names_of_the_source_that_are_not_in_the_image(tmp_path):
    one, two = pages(stills(tmp_path, (1, CAT), (2, SOFA)), {})
    assert (said(one, Kind.ABSENT), said(two, Kind.ABSENT)) == (["sofa"], ["cat"])


def test_names_of_another_source_are_not_asked_for(tmp_path):
    one, two = pages(stills(tmp_path, (1, CAT), (2, SOFA), sources=("a", "b")), {})
    assert said(one, Kind.ABSENT) == said(two, Kind.ABSENT) == []


def test_nothing_is_absent_where_not_all_is_marked(tmp_path):
    one, _ = pages(stills(tmp_path, (1, CAT), (2, SOFA), exhaustive=False), {})
    assert said(one, Kind.ABSENT) == []


def test_a_name_that_says_more_or_less_than_one_that_is_there_is_not_absent(tmp_path):
    images = stills(tmp_path, (1, FRIED), (2, TOFU), (2, COUCH))
    assert absent_names(images[0], names_of_sources(images)["a"], {}) == ("couch",)
    assert absent_names(images[1], ("fried tofu", "cat", "sofa"), {}) == ("cat", "sofa")
    assert absent_names(images[1], ("sofa",), {"couch": ("sofa",)}) == ()


def test_words_that_were_kept_back_are_asked_too(tmp_path):
    one, _ = pages(stills(tmp_path, (1, COUCH), (2, CAT)), {"couch": ("sofa", "settee")})
    assert said(one, Kind.SYNONYM) == ["sofa", "settee"]


def test_a_sample_of_the_absent_names_is_the_same_each_time(tmp_path):
    images = stills(tmp_path, (1, CAT), (2, FRIED), (2, SOFA), (2, COUCH))
    first, again = (pages(images, {}, absent=1)[0] for _ in range(2))
    assert said(first, Kind.ABSENT) == said(again, Kind.ABSENT)
    assert len(said(first, Kind.ABSENT)) == 1


def test_a_limit_thins_the_names_and_keeps_their_absent_ones(tmp_path):
    (one,) = pages(stills(tmp_path, (1, CAT), (2, SOFA)), {}, limit=1)
    assert (said(one, Kind.NAME), said(one, Kind.ABSENT)) == (["cat"], ["sofa"])


def test_the_mask_is_scored_against_all_that_has_the_name_crowds_too(tmp_path):
    listed = [
        annotation(1, SQUARE, category_id=CAT),
        annotation(2, OTHER, category_id=CAT, iscrowd=1),
    ]
    images = read_images(made_dataset(tmp_path, listed, names=NAMES))
    server = StandIn(lambda *_: Said(SQUARE, 0.7, 0.9))
    (answer,) = ask(server, pages(images, {}))
    assert answer.iou == pytest.approx(0.5)
    assert (answer.score, answer.presence, answer.is_present) == (0.7, 0.9, True)
    assert (server.said, server.n_clears) == ([("text", "cat")], 1)


def test_an_absent_name_has_no_iou(tmp_path):
    images = stills(tmp_path, (1, CAT), (2, SOFA))
    server = StandIn(lambda *_: Said(NOTHING, 0.1, 0.2, is_present=False))
    done = []
    answers = ask(server, pages(images, {}), done=lambda: done.append(1))
    assert [one.iou for one in answers] == [0.0, None, 0.0, None]
    assert (server.opened, len(done)) == (["a-1.png", "a-2.png"], 4)


def test_the_ignored_band_does_not_count(tmp_path):
    listed = [annotation(1, SQUARE, category_id=CAT)]
    folder = made_dataset(tmp_path, listed, names=NAMES, ignore=OTHER)
    server = StandIn(lambda *_: Said(np.logical_or(SQUARE, OTHER)))
    assert ask(server, pages(read_images(folder), {}))[0].iou == 1.0
