from __future__ import annotations

import numpy as np
import pytest

from seem_server.engine import findings
from seem_server.engine.enlarging import way
from seem_server.engine.findings import Maps, Names, drawn_size, probabilities, segment
from seem_server.engine.preprocess import lay_out
from seem_server.runtime.backend import Findings
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import EverythingSpec, Vocabulary
from seem_wire import rle, segments
from seem_wire.types import SegmentKind

WORDS = ("cat", "dog", "sky", "nothing")
VOCABULARY = Vocabulary(WORDS, 10.0, np.eye(4, dtype=np.float32))
SPEC = EverythingSpec(threshold=0.5, overlap=0.8, n_things=2, instances=10)
NAMES = Names.of_bundle(VOCABULARY, SPEC)
LAYOUT = lay_out((60, 80), MANIFEST)  # 192 x 256 network pixels, a grid of 48 x 64


def scene(*queries):
    """Findings of queries that each see columns x0 to x1 of the grid, and mean a vector."""
    logits = np.full((len(queries), *LAYOUT.frame.grid), -6, np.float32)
    for index, (x0, x1, _) in enumerate(queries):
        logits[index, :, x0:x1] = 6
    vectors = np.array([vector for *_, vector in queries], np.float32)
    return Findings(logits, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


CAT, DOG, SKY, NOTHING = np.eye(4)
SCENE = scene((0, 16, CAT), (16, 32, CAT), (32, 48, SKY), (48, 64, SKY), (0, 64, NOTHING))


def found(kind, *, what=SCENE, names=NAMES, threshold=None):
    return segment(what, LAYOUT, names, SPEC, kind=kind, threshold=threshold)


def test_probabilities_are_those_of_the_scaled_cosines():
    likely = probabilities(SCENE.semantic, NAMES)
    assert likely.dtype == np.float32
    assert likely.sum(axis=1) == pytest.approx(np.ones(5))
    assert likely[0, 0] == pytest.approx(np.exp(10) / (np.exp(10) + 3))


def test_panoptic_segments_are_things_one_by_one_and_stuff_by_name():
    got = found(SegmentKind.PANOPTIC)
    assert [(one.object_id, one.label, one.is_thing) for one in got] == [
        (1, "cat", True),
        (2, "cat", True),
        (3, "sky", False),
    ]
    assert [one.box.x0 for one in got] == [0, 20, 40]
    assert sum(one.area for one in got) == 60 * 80
    assert all(one.score == one.label_probability > 0.99 for one in got)
    assert rle.decode(got[2].rle)[:, 41:].all()


def test_a_threshold_that_is_asked_for_takes_the_bundles_place():
    unsure = scene((0, 32, CAT), (32, 64, CAT + 0.95 * DOG))
    assert len(found(SegmentKind.PANOPTIC, what=unsure)) == 2
    assert [one.label for one in found(SegmentKind.PANOPTIC, what=unsure, threshold=0.9)] == ["cat"]


def test_instances_are_things_best_first_and_may_overlap():
    overlapping = scene((0, 40, CAT), (20, 64, DOG), (0, 64, SKY))
    got = found(SegmentKind.INSTANCE, what=overlapping, threshold=0.5)
    assert sorted(one.label for one in got) == ["cat", "dog"]
    assert got[0].score >= got[1].score
    assert sum(one.area for one in got) > 60 * 80
    assert all(one.is_thing for one in got)


def test_without_a_threshold_instances_are_all_that_the_bundle_allows():
    assert len(found(SegmentKind.INSTANCE)) == 4 + 2  # of the ten likeliest pairs those of things


def test_semantic_segments_are_one_for_each_name():
    got = found(SegmentKind.SEMANTIC)
    assert [(one.label, one.is_thing) for one in got] == [("cat", True), ("sky", False)]
    assert [one.area for one in got] == [60 * 40, 60 * 40]
    assert not found(SegmentKind.SEMANTIC, threshold=1.0)


def test_bands_change_no_semantic_segment(monkeypatch):
    expected = found(SegmentKind.SEMANTIC)
    monkeypatch.setattr(findings, "_BAND_PIXELS", 1)
    assert found(SegmentKind.SEMANTIC) == expected


def test_names_of_ones_own_are_looked_for_by_what_they_mean():
    words = ("puma", "sky")
    names = Names.of_words(words, np.array([3 * CAT, SKY], np.float32), VOCABULARY, 2)
    got = found(SegmentKind.PANOPTIC, names=names)
    assert [(one.label, one.is_thing) for one in got] == [
        ("puma", True),
        ("puma", True),
        ("sky", False),
    ]


def test_what_is_none_of_ones_own_names_is_nothing():
    names = Names.of_words(("boat",), np.array([DOG], np.float32), VOCABULARY, 2)
    only_nothing = scene((0, 64, NOTHING))
    assert found(SegmentKind.PANOPTIC, what=only_nothing, names=names) == ()


def test_maps_are_what_the_published_rules_take():
    maps = Maps(SCENE.mask_logits, way(LAYOUT, LAYOUT.size, smooth=True))
    padded = (LAYOUT.frame.height, LAYOUT.frame.width)
    exact = segments.Enlarged(SCENE.mask_logits, padded, LAYOUT.resized, LAYOUT.size)
    assert maps.shape == exact.shape
    np.testing.assert_allclose(maps[1], exact[1], atol=1e-4)


def test_a_large_image_is_drawn_at_a_smaller_size_and_enlarged(monkeypatch):
    expected = found(SegmentKind.PANOPTIC)
    monkeypatch.setattr(findings, "MAX_PIXELS", 60 * 80 // 4)
    assert drawn_size((60, 80)) == (30, 40)
    got = found(SegmentKind.PANOPTIC)
    for one, other in zip(got, expected, strict=True):
        assert one.rle.size == (60, 80)
        wrong = rle.decode(one.rle) != rle.decode(other.rle)
        assert wrong.mean() < 0.03
        assert one.area == rle.area(one.rle)


@pytest.mark.parametrize("size", [(480, 640), (1, 1), (2048, 2048)])
def test_ordinary_images_are_drawn_as_they_are(size):
    assert drawn_size(size) == size
