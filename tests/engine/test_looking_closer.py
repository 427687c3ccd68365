"""A worker that looks at small things again through a window, on a backend of colour blobs."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from blobs import MANIFEST_OF_BLOBS, BlobBackend, paint

from seem_server.engine.work import Decode, ObjectRounds, Round
from seem_server.engine.worker import CacheConfig, Caches, Worker
from seem_server.runtime.specs import RefinedSpec
from seem_wire import rle
from seem_wire.errors import ImageUnknown
from seem_wire.prompts import Box, ObjectPrompt, Point

SIZE = (768, 1024)  # seen at 192 x 256: a cell of the coarse grid is 16 pixels wide
CUP = (401, 303, 447, 361)


class Zooming(BlobBackend):
    manifest = replace(MANIFEST_OF_BLOBS, decoder=RefinedSpec(zoom=True))


class Bench:
    def __init__(self, backend=None, config=None, *, cups=(CUP,)):
        ticks = count()
        self.backend = backend or Zooming()
        self.caches = Caches(config or CacheConfig())
        self.worker = Worker(self.backend, self.caches, now=lambda: float(next(ticks)))
        self.pixels = paint(*(("cup", *cup) for cup in cups), height=SIZE[0], width=SIZE[1])
        self.caches.images.put("k", self.pixels, self.pixels.nbytes)

    def ask(self, *prompts, choice=None):
        rounds = [Round(seq, one) for seq, one in enumerate(prompts, 1)]
        rounds[-1] = replace(rounds[-1], choice=choice)
        (outcome,) = self.worker.run([Decode("s", 1, "k", (ObjectRounds(1, tuple(rounds)),))])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def mask(self, *prompts, **options):
        return rle.decode(self.ask(*prompts, **options).masks[0].rle)


def true_mask(*cups):
    mask = np.zeros(SIZE, np.bool_)
    for x0, y0, x1, y1 in cups:
        mask[y0:y1, x0:x1] = True
    return mask


def iou(mask, other):
    return (mask & other).sum() / (mask | other).sum()


ON_IT = ObjectPrompt(points=(Point(420, 330),))


def test_a_small_thing_gets_its_edge_from_a_closer_look():
    from_afar = iou(Bench(BlobBackend()).mask(ON_IT), true_mask(CUP))
    closer = iou(Bench().mask(ON_IT), true_mask(CUP))
    assert closer > 0.9
    assert 1 - from_afar > 1.5 * (1 - closer)


def test_the_closer_look_is_encoded_once_and_later_rounds_stay_in_it():
    bench = Bench()
    bench.ask(ON_IT)
    assert (bench.backend.n_encoded, bench.backend.n_decoded) == (2, 2)
    bench.ask(ON_IT, ObjectPrompt(points=(Point(420, 330), Point(430, 340))))
    assert (bench.backend.n_encoded, bench.backend.n_decoded) == (2, 3)


def test_encoding_a_window_counts_as_encoding():
    timings = Bench().ask(ON_IT).timings
    assert timings.encode_ms > 0
    assert timings.decode_ms >= 0


def test_a_large_thing_is_looked_at_once():
    bench = Bench(cups=((100, 100, 900, 700),))
    bench.ask(ON_IT)
    assert (bench.backend.n_encoded, bench.backend.n_decoded) == (1, 1)


def test_a_positive_click_beyond_the_window_widens_the_view():
    bench = Bench(cups=(CUP, (900, 700, 950, 740)))
    bench.ask(ON_IT)
    bench.ask(ON_IT, ObjectPrompt(points=(Point(420, 330), Point(920, 720))))
    whole, window, again = bench.backend.clicked
    assert whole == again != window  # the whole image again, in its own cells


def test_a_negative_click_beyond_the_window_changes_nothing_in_it():
    bench = Bench()
    first = bench.mask(ON_IT)
    far = Point(20, 20, positive=False)
    assert np.array_equal(bench.mask(ON_IT, replace(ON_IT, points=(*ON_IT.points, far))), first)
    assert bench.backend.n_encoded == 2


def test_what_was_forgotten_comes_out_the_same():
    rounds = (ON_IT, ObjectPrompt(points=(Point(420, 330), Point(430, 340))))
    bench = Bench()
    bench.ask(rounds[0])
    kept = bench.mask(*rounds)
    forgetful = Bench(config=CacheConfig(features_bytes=0, memory_bytes=0))
    assert np.array_equal(forgetful.mask(*rounds), kept)


def test_a_reading_that_somebody_chose_stays_as_it_was_shown():
    bench = Bench()
    chosen = bench.mask(ON_IT, choice=1)
    assert bench.backend.n_decoded == 1
    assert 0.3 < iou(chosen, true_mask(CUP)) < 0.7  # the upper half


def test_a_forbidden_region_holds_in_a_window_and_beside_it():
    said = replace(ON_IT, negative_boxes=(Box(425, 0, 1000, 700),))
    mask = Bench().mask(said)
    assert mask[330, 420]
    assert not mask[:700, 426:1000].any()


def test_an_image_of_which_only_features_are_left_is_asked_for_again():
    bench = Bench()
    bench.ask(ON_IT)
    bench.caches.images.clear()
    with pytest.raises(ImageUnknown):
        bench.ask(ObjectPrompt(points=(Point(430, 340),)))


def test_a_choice_among_what_a_window_showed_is_kept():
    two = ObjectPrompt(points=(Point(420, 330), Point(430, 340)))
    main, part = (Bench().mask(ON_IT, two, choice=choice) for choice in (0, 1))
    assert part.sum() < 0.7 * main.sum()
