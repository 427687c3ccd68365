from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seem_server.engine.composing import (
    Candidate,
    candidates,
    chosen,
    compose,
    lies_in,
    pieces,
    pile,
    regions,
    settled,
    sharpened,
    without_parts,
)
from seem_server.engine.findings import Names
from seem_server.engine.preprocess import lay_out
from seem_server.engine.searching import Search, Seen, begin
from seem_server.runtime.backend import PixelMeanings
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import ClicksSpec, EverythingSpec, Vocabulary
from seem_wire import rle
from seem_wire.types import SegmentKind

SHAPE = (24, 32)
LAYOUT = lay_out((96, 128), MANIFEST)  # 48 x 64 cells, 24 x 32 places
WORDS = ("cat", "dog", "sky", "grass", "nothing")
CAT, DOG, SKY, GRASS, NOTHING = range(5)
EMBEDDINGS = np.eye(5, dtype=np.float32)
VOCABULARY = Vocabulary(WORDS, 20.0, EMBEDDINGS)
SPEC = EverythingSpec(0.3, 0.5, n_things=2, instances=10, clicks=ClicksSpec(20, 0.6, 0.7, 1.0))
NAMES = Names.of_bundle(VOCABULARY, SPEC)
THINGS = NAMES.things


def cells(x0, y0, x1, y1, shape=SHAPE):
    inside = np.zeros(shape, np.bool_)
    inside[y0:y1, x0:x1] = True
    return inside


def one(x0, y0, x1, y1, *, label=CAT, score=0.9, click=0, shape=SHAPE):
    """A candidate, sure of its name, whose IoU is its score."""
    inside = cells(x0, y0, x1, y1, shape)
    logits = np.where(inside, 4, -4).astype(np.float16)
    area = int(inside.sum())
    seen = Seen(logits, score, EMBEDDINGS[label], area, frozenset({click}))
    return Candidate(seen, inside, EMBEDDINGS[label], label, score)


def boxes(found):
    """Where candidates are: (left, top, area)."""
    corners = [np.argwhere(c.inside)[0][::-1] for c in found]
    return [(int(x), int(y), c.seen.area) for (x, y), c in zip(corners, found, strict=True)]


def map_of(*boxed, ground=SKY, sure=1.0):
    """Probabilities (K + 1, h, w): boxes (label, x0, y0, x1, y1) before a ground."""
    kinds = np.full(SHAPE, ground)
    for label, x0, y0, x1, y1 in boxed:
        kinds[y0:y1, x0:x1] = label
    likely = np.full((5, *SHAPE), (1 - sure) / 4, np.float32)
    np.put_along_axis(likely, kinds[None], sure, axis=0)
    return likely


# --- which masks, under which names


def searched(*seen, kinds=None):
    places = np.full((24, 32), NOTHING) if kinds is None else kinds
    meanings = PixelMeanings(EMBEDDINGS[places].transpose(2, 0, 1).copy(), 20.0)
    return replace(begin(meanings, NAMES, LAYOUT), seen=tuple(one.seen for one in seen))


def at(x0, y0, x1, y1, **options):
    return one(x0, y0, x1, y1, shape=(48, 64), **options)


def test_a_mask_is_called_what_it_and_the_places_under_it_mean():
    places = np.full((24, 32), SKY)
    places[:, :16] = DOG
    search = searched(at(4, 4, 20, 20, label=DOG), at(40, 4, 60, 20, label=DOG), kinds=places)
    sure, torn = candidates(search, NAMES)
    assert sure.label == DOG
    assert sure.probability > 0.99
    assert torn.probability == pytest.approx(0.5, abs=0.01)
    assert torn.score == pytest.approx(0.9 * torn.probability)


def test_a_mask_that_is_likelier_none_of_the_names_is_no_candidate():
    assert not candidates(searched(at(4, 4, 20, 20, label=NOTHING)), NAMES)
    assert not candidates(searched(), NAMES)


def test_of_all_readings_of_a_click_the_best_is_chosen():
    whole, part = one(0, 0, 20, 20, score=0.8), one(0, 0, 9, 9, score=0.7)
    other = one(0, 0, 5, 5, score=0.1, click=1)
    assert chosen([part, whole, other]) == [whole, other]


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ([one(0, 0, 20, 20), one(2, 2, 8, 8)], 1),  # a part
        ([one(0, 0, 20, 20), one(2, 2, 8, 8, label=DOG)], 2),  # another thing
        ([one(0, 0, 20, 20), one(21, 0, 30, 20)], 2),  # beside it
        ([one(0, 0, 20, 20, score=0.7), one(0, 0, 9, 20), one(10, 0, 20, 20)], 2),  # a group
        ([one(0, 0, 20, 20, score=0.95), one(0, 0, 9, 20), one(10, 0, 20, 20)], 1),  # parts, unsure
        ([one(0, 0, 20, 20, score=0.7), one(0, 0, 5, 5), one(10, 0, 15, 5)], 1),  # parts, few
    ],
)
def test_things_in_things_of_their_name_are_parts_or_what_a_group_is_of(named, left):
    assert len(without_parts(named)) == left


def test_a_mask_lies_in_another_one_only_if_it_is_clearly_smaller():
    assert lies_in(one(2, 2, 8, 8), one(0, 0, 20, 20))
    assert not lies_in(one(0, 0, 19, 20), one(0, 0, 20, 20))
    assert not lies_in(one(15, 0, 25, 10), one(0, 0, 20, 20))


@pytest.mark.parametrize(
    ("named", "bottom_first"),
    [
        ([one(0, 0, 20, 20, score=0.9), one(15, 0, 30, 20, score=0.8)], [300, 400]),
        ([one(0, 0, 20, 20, score=0.9), one(5, 5, 10, 10, score=0.4)], [400, 25]),
        ([one(0, 0, 20, 20, score=0.4), one(5, 5, 10, 10, score=0.9)], [400, 25]),
        ([one(0, 0, 20, 20, score=0.9), one(0, 0, 19, 20, score=0.8)], [400]),
        ([one(0, 0, 20, 20, score=0.9), one(8, 0, 25, 20, score=0.8)], [400]),
    ],
)
def test_the_better_lies_above_and_what_lies_within_above_that(named, bottom_first):
    assert [c.seen.area for c in pile(named, 0.5)] == bottom_first


def test_what_lies_on_a_thing_hides_nothing_of_it():
    sofa = one(0, 0, 20, 20, label=DOG, score=0.5)
    people = [one(0, 0, 10, 20, score=0.9), one(10, 0, 20, 15, score=0.9)]
    assert pile([*people, sofa], 0.5)[0] is sofa


# --- what each cell is called


def test_masks_sharpen_the_map_and_small_ones_know_better():
    unsure = map_of(ground=SKY, sure=0.4)
    sharp = sharpened(unsure, [one(10, 10, 14, 14, label=CAT), one(0, 0, 20, 20, label=GRASS)])
    best = sharp.argmax(axis=0)
    assert (best[12, 12], best[2, 2], best[2, 30]) == (CAT, GRASS, SKY)
    assert sharp.sum(axis=0) == pytest.approx(np.ones(SHAPE), abs=1e-5)
    assert (unsure.argmax(axis=0) == SKY).all()


OWN = replace(NAMES, things=frozenset({CAT, GRASS}), unsure=frozenset({GRASS}))


@pytest.mark.parametrize(
    ("masks", "is_thing"),
    [
        ([], False),
        ([one(0, 12, 4, 24, label=GRASS)], False),
        ([one(0, 12, 30, 24, label=GRASS)], 1),
    ],
)
def test_a_word_of_ones_own_is_things_where_masks_cover_its_places_and_else_a_region(
    masks, is_thing
):
    likely = map_of((GRASS, 0, 12, 32, 24))
    assert (GRASS in settled(OWN, masks, likely).things) == is_thing
    assert CAT in settled(OWN, masks, likely).things


def test_stuff_is_one_piece_a_name_and_things_are_many():
    likely = map_of(
        (CAT, 0, 0, 6, 6), (CAT, 20, 0, 26, 6), (GRASS, 0, 12, 8, 20), (GRASS, 12, 12, 20, 20)
    )
    made = pieces(likely, np.zeros(SHAPE, np.bool_), THINGS)
    assert [(p.label, int(p.cells.sum())) for p in made] == [
        (CAT, 36),
        (CAT, 36),
        (SKY, 24 * 32 - 72 - 128),
        (GRASS, 128),
    ]
    assert made[0].probability == 1


def test_crumbs_are_no_pieces_and_a_things_crumb_is_of_what_lies_behind():
    likely = 0.75 * map_of((CAT, 0, 0, 3, 3), (GRASS, 20, 0, 22, 2)) + 0.25 * map_of(ground=SKY)
    (sky,) = pieces(likely, np.zeros(SHAPE, np.bool_), THINGS)
    assert (sky.label, sky.cells[1, 1], sky.cells[1, 21]) == (SKY, True, False)


def test_what_is_left_of_a_thing_beside_its_mask_is_no_thing_of_its_own():
    likely = map_of((CAT, 4, 4, 20, 20))
    (sky,) = pieces(likely, cells(5, 5, 19, 19), THINGS)
    assert sky.cells[4, 10] or not likely[SKY, 4, 10]
    made = pieces(likely, cells(4, 4, 12, 20), THINGS)  # half of it is more than an edge
    assert [p.label for p in made] == [CAT, SKY]


def test_regions_of_none_of_the_names_are_left_out():
    likely = map_of((CAT, 0, 0, 6, 6), ground=NOTHING)
    (cat,) = regions(likely.argmax(axis=0), likely, least=1)
    assert cat.label == CAT


# --- the three kinds of answer


def room():
    """A cat on a dog, a cat before the grass that only the map knows, and sky."""
    places = np.full((24, 32), SKY)
    places[14:] = GRASS
    places[6:18, 2:16] = DOG
    places[8:12, 4:10] = CAT
    places[16:22, 22:28] = CAT
    dog, cat = at(4, 12, 32, 36, label=DOG, score=0.8), at(8, 16, 20, 24, score=0.7, click=1)
    return searched(dog, cat, kinds=places)


def found(kind, search=None, *, names=NAMES, spec=SPEC, threshold=None) -> list:
    return list(compose(search or room(), LAYOUT, names, spec, kind=kind, threshold=threshold))


def told(segments):
    return sorted((s.label, s.is_thing) for s in segments)


def test_panoptic_segments_do_not_overlap_and_small_things_lie_on_top():
    got = found(SegmentKind.PANOPTIC)
    assert told(got) == [
        ("cat", True),
        ("cat", True),
        ("dog", True),
        ("grass", False),
        ("sky", False),
    ]
    total = np.sum([rle.decode(s.rle) for s in got], axis=0)
    assert total.max() == 1
    assert total.mean() > 0.98
    (dog,) = (s for s in got if s.label == "dog")
    assert not rle.decode(dog.rle)[40, 28]
    assert [s.object_id for s in got] == [1, 2, 3, 4, 5]
    assert [s.score for s in got] == sorted((s.score for s in got), reverse=True)
    assert all(0 < s.score <= s.label_probability <= 1 for s in got)


def test_instances_are_things_and_may_overlap():
    got = found(SegmentKind.INSTANCE)
    assert told(got) == [("cat", True), ("cat", True), ("dog", True)]
    total = np.sum([rle.decode(s.rle) for s in got], axis=0)
    assert total.max() == 2
    assert len(found(SegmentKind.INSTANCE, spec=replace(SPEC, instances=2))) == 2


def test_semantic_segments_are_one_a_name():
    got = found(SegmentKind.SEMANTIC)
    assert told(got) == [("cat", True), ("dog", True), ("grass", False), ("sky", False)]
    assert sum(s.area for s in got) == 96 * 128


@pytest.mark.parametrize("kind", SegmentKind)
def test_a_threshold_is_the_least_score(kind):
    got = found(kind, threshold=0.9)
    assert got
    assert all(s.score >= 0.9 for s in got)
    assert len(got) < len(found(kind))


def test_words_of_ones_own_are_looked_for():
    words = ("kitten", "lawn")
    names = Names.of_words(words, EMBEDDINGS[[CAT, GRASS]], VOCABULARY, 2)
    names = replace(names, embeddings=names.embeddings - 0.1)  # what is neither is nothing
    names.embeddings[-1] += 0.3
    got = found(SegmentKind.PANOPTIC, names=names)
    assert told(got) == [("kitten", True), ("kitten", True), ("lawn", False)]


@pytest.mark.parametrize("kind", SegmentKind)
def test_an_image_of_nothing_has_no_segments(kind):
    assert not found(kind, searched())


def test_an_image_that_is_all_one_thing_has_one_segment():
    whole = searched(at(0, 0, 64, 48, label=DOG), kinds=np.full((24, 32), DOG))
    for kind in SegmentKind:
        (only,) = found(kind, whole)
        assert (only.label, only.area) == ("dog", 96 * 128)


def test_a_search_is_what_segments_are_made_of():
    assert isinstance(room(), Search)
