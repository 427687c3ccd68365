from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from blobs import (
    CROWD,
    MANIFEST_OF_BLOBS,
    N_CROWD,
    N_THINGS,
    ROOM,
    SPEC,
    BlobBackend,
    paint,
    scatter,
    things_of,
)

from seem_server.engine import preprocess
from seem_server.engine.cache import ByteCache
from seem_server.engine.chains import EncodedImage
from seem_server.engine.composing import compose
from seem_server.engine.findings import Names
from seem_server.engine.looking import CLICKS_AT_ONCE, look
from seem_server.engine.work import Everything
from seem_server.runtime.specs import LongSide
from seem_wire import rle
from seem_wire.errors import NotOffered
from seem_wire.types import SegmentKind

WORK = Everything("s", 1, "k", SegmentKind.PANOPTIC)
LARGE = replace(MANIFEST_OF_BLOBS, image=replace(MANIFEST_OF_BLOBS.image, resize=LongSide(512, 4)))


class Large(BlobBackend):
    """Sees images at the size that `lite` sees them at."""

    manifest = LARGE


class Unlucky(Large):
    """Three answers in ten are no good, and places are told apart badly."""

    def decode(self, items):
        (answer,) = super().decode(items)
        if np.random.default_rng(self.n_decoded).random() < 0.3:
            answer = replace(answer, iou=answer.iou * 0, hypotheses=None)
        return [answer]

    def meanings(self, features):
        known = super().meanings(features)
        noise = np.random.default_rng(0).normal(0, 0.15, known.vectors.shape)
        vectors = known.vectors + noise.astype(np.float32)
        return replace(known, vectors=vectors / np.linalg.norm(vectors, axis=0))


class Desk:
    """An image before a backend, and what is known of it."""

    def __init__(self, pixels, backend=None):
        self.backend = backend or BlobBackend()
        self.known = ByteCache(1 << 30)
        prepared = preprocess.prepare(pixels, self.backend.manifest)
        network = preprocess.to_input(prepared, self.backend.manifest)
        self.image = EncodedImage(self.backend.encode(network)[0], prepared.layout)

    def look(self, n_clicks=0, spec=SPEC):
        work = replace(WORK, n_clicks=n_clicks)
        return look(self.backend, self.known, work, self.image, spec)

    def look_to_the_end(self):
        search = self.look()
        while not search.is_over:
            search = self.look()
        return search

    def segments(self):
        names = Names.of_bundle(self.backend.manifest.vocabulary, SPEC)
        search, layout = self.look_to_the_end(), self.image.layout
        return compose(search, layout, names, SPEC, kind=SegmentKind.PANOPTIC, threshold=None)


def test_a_turn_is_some_clicks_and_the_next_one_goes_on_from_there():
    desk = Desk(paint(*CROWD))
    assert [desk.look().n_clicks for _ in range(3)] == [CLICKS_AT_ONCE, 2 * CLICKS_AT_ONCE, 21]
    assert desk.look().is_over
    assert desk.backend.n_decoded == 21


def test_a_turn_goes_beyond_where_its_work_was_whatever_was_lost():
    desk = Desk(paint(*CROWD))
    assert desk.look(n_clicks=CLICKS_AT_ONCE).n_clicks == 2 * CLICKS_AT_ONCE


def test_each_thing_of_a_crowd_costs_a_click_and_what_is_behind_them_one():
    desk = Desk(paint(*CROWD))
    found = [one.label for one in desk.segments()]
    assert (found.count("cat"), found.count("sky")) == (N_CROWD, 1)
    assert desk.backend.n_decoded == N_CROWD + 1


def test_clicks_fall_where_the_decoder_is_asked_whatever_the_images_size():
    small, large = Desk(paint(*ROOM)), Desk(paint(*ROOM).repeat(3, axis=0).repeat(3, axis=1))
    small.look()
    large.look()
    apart = np.abs(np.subtract(small.backend.clicked, large.backend.clicked))
    assert apart.max() <= 1


def test_a_bundle_that_is_not_asked_by_clicks_is_not_searched():
    with pytest.raises(NotOffered):
        Desk(paint()).look(spec=replace(SPEC, clicks=None))


def test_crumbs_are_swept_from_masks_as_from_those_of_any_click():
    class Crumbling(BlobBackend):
        def decode(self, items):
            (answer,) = super().decode(items)
            answer.mask_logits[0, :2, :2] = 4
            return [replace(answer, hypotheses=None)]

    search = Desk(paint(("cat", 64, 64, 128, 128), ground="nothing"), Crumbling()).look()
    (cat,) = (one for one in search.seen if one.area < 1000)
    assert not cat.inside[0, 0]


@pytest.mark.parametrize("backend", [Large, Unlucky])
def test_few_clicks_find_nearly_all_things(backend):
    n_found, n_things, n_clicks = 0, 0, []
    for seed in range(4):
        pixels = scatter(seed)
        desk = Desk(pixels, backend())
        masks = [(rle.decode(one.rle), one.label) for one in desk.segments()]
        for thing, name in things_of(pixels, least=1000):
            n_things += 1
            n_found += any(
                label == name and (mask & thing).sum() > (mask | thing).sum() / 2
                for mask, label in masks
            )
        n_clicks.append(desk.backend.n_decoded)
    assert n_found >= 0.95 * n_things > 8 * N_THINGS
    assert max(n_clicks) <= 32
